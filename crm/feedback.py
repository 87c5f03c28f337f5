"""What customers think of us, in their words and from one to five stars, and when they are asked.

Flow actions record; operators' pages ask when something was closed: once per closing, at most once a day,
inside the 24-hour window and never after an opt-out. They flush and never commit.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select

from crm import telling
from crm.numbered import NAMES
from crm.telling import Told
from models import Complaint, Conversation, Feedback, FeedbackRequest, Message, StateChange, Ticket, db

LOWEST_SCORE = 1
HIGHEST_SCORE = 5
TEXT_MAX_CHARS = 10_000
# An answer that comes later is about something else.
ANSWERED_WITHIN: Final = timedelta(days=7)
# Words that follow a score so soon are its reason.
REASON_WITHIN: Final = timedelta(hours=1)
ASKED_AGAIN_AFTER: Final = timedelta(days=1)
ENTRY: Final = "feedback"  # of the desk's flow


def record_feedback(
    contact_id: int,
    *,
    now: datetime,
    score: int | None = None,
    text: str = "",
    conversation_id: int | None = None,
) -> Feedback:
    """Keep one piece of feedback; words that follow a score in its conversation complete it. Flushes.

    Raises ValueError for a score outside 1 to 5, and when nothing was said.
    """
    if score is not None and not LOWEST_SCORE <= score <= HIGHEST_SCORE:
        raise ValueError(f"a score goes from {LOWEST_SCORE} to {HIGHEST_SCORE}, not {score}")
    words = text.strip()[:TEXT_MAX_CHARS]
    if score is None and not words:
        raise ValueError("feedback needs a score or a text")
    begun = just_scored(conversation_id, now) if score is None else None
    if begun is not None:
        begun.text = words
        db.session.flush()
        return begun
    feedback = Feedback(
        contact_id=contact_id, conversation_id=conversation_id, score=score, text=words, created_at=now
    )
    db.session.add(feedback)
    db.session.flush()
    _answer_request(feedback, now)
    return feedback


def just_scored(conversation_id: int | None, now: datetime) -> Feedback | None:
    """Give the score that this conversation gave a moment ago, without words."""
    if conversation_id is None:
        return None
    return db.session.scalars(
        select(Feedback)
        .where(
            Feedback.conversation_id == conversation_id,
            Feedback.score.is_not(None),
            Feedback.text == "",
            Feedback.created_at >= now - REASON_WITHIN,
        )
        .order_by(Feedback.id.desc())
        .limit(1)
    ).first()


def average_score(since: datetime) -> float | None:
    """Give the mean score of the feedback since then, None when nobody scored."""
    mean = db.session.scalar(select(func.avg(Feedback.score)).where(Feedback.created_at >= since))
    return None if mean is None else float(mean)


# --- asking -------------------------------------------------------------------------------------------------


def ask_about(record: Ticket | Complaint, *, now: datetime) -> Told | None:
    """Ask for a score after a ticket or a complaint was closed; None when that was asked before. Flushes."""
    if record.conversation_id is None:
        return None
    name = NAMES[type(record)]
    return _ask(f"{name}:{record.id}", record.conversation_id, name, record.id, now)


def ask_after_hand_over(conversation: Conversation, *, now: datetime) -> Told | None:
    """Ask for a score after a person gave the conversation back; None when no person of ours wrote in it, or
    when it was asked before. Flushes.
    """
    began = db.session.scalars(
        select(StateChange)
        .where(
            StateChange.record == "conversation",
            StateChange.record_id == conversation.id,
            StateChange.after == "human",
        )
        .order_by(StateChange.id.desc())
        .limit(1)
    ).first()
    if began is None or not _wrote_since(conversation.id, began.at):
        return None
    return _ask(f"hand_over:{began.id}", conversation.id, "conversation", conversation.id, now)


def note_request(record: Ticket | Complaint, *, now: datetime) -> None:
    """Remember that the flow itself asks for the score of a record. Flushes. Idempotent."""
    if record.conversation_id is not None:
        name = NAMES[type(record)]
        _request(f"{name}:{record.id}", record.conversation_id, name, record.id, "asked", now)


def _ask(key: str, conversation_id: int, record: str, record_id: int, now: datetime) -> Told | None:
    if _was_asked(key, conversation_id, now):
        return None
    told = telling.ask(conversation_id, ENTRY, now=now)
    _request(key, conversation_id, record, record_id, "asked" if told == "sent" else "unsent", now)
    return told


def _was_asked(key: str, conversation_id: int, now: datetime) -> bool:
    lately = (FeedbackRequest.conversation_id == conversation_id) & (
        FeedbackRequest.asked_at >= now - ASKED_AGAIN_AFTER
    )
    found = select(FeedbackRequest.id).where((FeedbackRequest.key == key) | lately)
    return db.session.execute(found.limit(1)).first() is not None


def _request(key: str, conversation_id: int, record: str, record_id: int, state: str, now: datetime) -> None:
    known = db.session.scalar(select(FeedbackRequest.id).where(FeedbackRequest.key == key))
    if known is not None:
        return
    conversation = db.session.get_one(Conversation, conversation_id)
    db.session.add(
        FeedbackRequest(
            key=key,
            contact_id=conversation.contact_id,
            conversation_id=conversation_id,
            record=record,
            record_id=record_id,
            state=state,
            asked_at=now,
        )
    )
    db.session.flush()


def _answer_request(feedback: Feedback, now: datetime) -> None:
    """Tie a score to the closing that was asked about last."""
    if feedback.score is None or feedback.conversation_id is None:
        return
    request = db.session.scalars(
        select(FeedbackRequest)
        .where(
            FeedbackRequest.conversation_id == feedback.conversation_id,
            FeedbackRequest.state == "asked",
            FeedbackRequest.asked_at >= now - ANSWERED_WITHIN,
        )
        .order_by(FeedbackRequest.id.desc())
        .limit(1)
    ).first()
    if request is not None:
        feedback.record, feedback.record_id = request.record, request.record_id
        request.state, request.feedback_id = "answered", feedback.id
        db.session.flush()


def _wrote_since(conversation_id: int, since: datetime) -> bool:
    found = select(Message.id).where(
        Message.conversation_id == conversation_id,
        Message.sender.in_(("operator", "owner")),
        Message.created_at >= since.replace(microsecond=0),  # a provider tells whole seconds
    )
    return db.session.execute(found.limit(1)).first() is not None
