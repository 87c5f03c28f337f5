"""An operator's word about how a message was read: it changes the message, teaches, and is counted.

A burst of fragments was read as one text and is corrected as one: its first message carries the correction.
Confirming is a correction to what was read; it teaches nothing new, but counts.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import case, delete, func, select, update

from models import Contact, Conversation, LabelCorrection, Message, TrainingExample, db
from statements import changed_rows, insert_or_ignore
from vocabulary import LANGUAGES

from .refusals import MAX_TEXT_CHARS, NO_SIGNAL, TASKS, TeachingRefused, check

HOME_LANGUAGE: Final = "pt"
# The score that goes with a sentiment when a person names it and the old score says the opposite.
_SCORES: Final[Mapping[str, float]] = {
    "positive": 0.7,
    "excited": 1.0,
    "neutral": 0.0,
    "negative": -0.6,
    "frustrated": -0.7,
    "angry": -1.0,
}


_OF_CONVERSATION: Final = ("buying_signal", "sentiment", "urgency")


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How often people who looked found a task's label right."""

    task: str
    confirmed: int
    corrected: int

    @property
    def count(self) -> int:
        return self.confirmed + self.corrected

    @property
    def share(self) -> float | None:
        return self.confirmed / self.count if self.count else None


def label_of(message: Message, task: str) -> str:
    """Give what a message counts as, in the words of training; "" when it was never read."""
    if message.intent is None:
        return ""
    return getattr(message, task) or (NO_SIGNAL if task == "buying_signal" else "")


def correct(message_id: int, task: str, label: str, *, operator_id: int | None, now: datetime) -> bool:
    """Take an operator's label for a message; the last word counts. Flushes.

    The message (with its burst) carries the label from now on, and its text becomes an example; a label
    that is what was read confirms, and takes an earlier example of this message away. True when
    the label is another than the message had. Raises TeachingRefused.
    """
    check(task, label)
    burst = _burst_of(message_id)
    first = burst[0]
    _write(first, task, label, operator_id, now)
    row = db.session.scalars(
        select(LabelCorrection)
        .where(LabelCorrection.message_id == first.id, LabelCorrection.task == task)
        .execution_options(populate_existing=True)
    ).one()
    is_news = label_of(first, task) != label
    for message in burst:
        _relabel(message, task, label)
    _teach(row, burst, task, label, now)
    if task in _OF_CONVERSATION:
        _tell_conversation(burst[-1], task)
    db.session.flush()
    return is_news


def confirm(message_id: int, *, operator_id: int | None, now: datetime) -> None:
    """Say that everything about a message is read right as it stands. Flushes. Raises TeachingRefused."""
    first = _burst_of(message_id)[0]
    for task in TASKS:
        correct(first.id, task, label_of(first, task), operator_id=operator_id, now=now)


def take_back(message_id: int) -> int:
    """Take back all that people said of a message: it counts as the desk read it, and teaches nothing.

    Gives how many labels people had spoken of; a second call gives 0. Flushes. Raises TeachingRefused.
    """
    burst = _burst_of(message_id)
    said = db.session.scalars(select(LabelCorrection).where(LabelCorrection.message_id == burst[0].id)).all()
    for row in said:
        for message in burst:
            _relabel(message, row.task, row.read_as)
        if row.task in _OF_CONVERSATION:
            _tell_conversation(burst[-1], row.task)
        changed_rows(delete(TrainingExample).where(TrainingExample.correction_id == row.id))
        db.session.delete(row)
    db.session.flush()
    return len(said)


def _burst_of(message_id: int) -> Sequence[Message]:
    """Give the messages that were read together with this one, in order; raises TeachingRefused."""
    message = db.session.get(Message, message_id)
    if message is None or not message.is_inbound or message.intent is None or message.is_revoked:
        raise TeachingRefused("not_read", "this message was not read")
    if message.turn_id is None:
        return (message,)
    return db.session.scalars(
        select(Message)
        .where(
            Message.turn_id == message.turn_id,
            Message.conversation_id == message.conversation_id,
            Message.direction == "in",
            Message.intent.is_not(None),
        )
        .order_by(Message.id)
    ).all()


def _write(first: Message, task: str, label: str, operator_id: int | None, now: datetime) -> None:
    """Keep the label; `read_as` stays what the desk had said first, also when two people click at once."""
    db.session.execute(
        insert_or_ignore(LabelCorrection).values(
            message_id=first.id,
            task=task,
            read_as=label_of(first, task),
            label=label,
            operator_id=operator_id,
            created_at=now,
        )
    )
    changed_rows(
        update(LabelCorrection)
        .where(LabelCorrection.message_id == first.id, LabelCorrection.task == task)
        .values(label=label, operator_id=operator_id, created_at=now)
    )


def _relabel(message: Message, task: str, label: str) -> None:
    setattr(message, task, None if task == "buying_signal" and label == NO_SIGNAL else label or None)
    if task == "sentiment":
        fitting, score = _SCORES.get(label, 0.0), message.sentiment_score or 0.0
        if score * fitting <= 0:
            message.sentiment_score = fitting


def _tell_conversation(message: Message, task: str) -> None:
    """Let the conversation's line in the inbox say what its newest text counts as."""
    newest = select(func.max(Message.id)).where(
        Message.conversation_id == message.conversation_id,
        Message.direction == "in",
        Message.intent.is_not(None),
    )
    if db.session.scalar(newest) == message.id:
        of_it = update(Conversation).where(Conversation.id == message.conversation_id)
        changed_rows(of_it.values({task: getattr(message, task)}))


def _teach(row: LabelCorrection, burst: Sequence[Message], task: str, label: str, now: datetime) -> None:
    """Keep one example of the correction, with its last label; a confirmed reading needs none."""
    changed_rows(delete(TrainingExample).where(TrainingExample.correction_id == row.id))
    text = _text_of(burst)
    if row.label == row.read_as or not any(character.isalnum() for character in text):
        return
    db.session.add(
        TrainingExample(
            task=task,
            label=label,
            language=_language_of(burst[0]),
            text=text,
            correction_id=row.id,
            created_at=now,
        )
    )


def _text_of(burst: Iterable[Message]) -> str:
    return "\n".join(message.body for message in burst if message.body)[:MAX_TEXT_CHARS]


def _language_of(message: Message) -> str:
    """Give the language that a text is filed under: as read, else the person's."""
    if message.language in LANGUAGES:
        return message.language
    known = db.session.scalar(
        select(Contact.language)
        .join(Conversation, Conversation.contact_id == Contact.id)
        .where(Conversation.id == message.conversation_id)
    )
    return known if known in LANGUAGES else HOME_LANGUAGE


# --- what was said of the readings --------------------------------------------------------------------------


def accuracy(days: int, *, now: datetime) -> tuple[Accuracy, ...]:
    """Count, per task, what people confirmed and corrected in the last days.

    People look at what strikes them: this is how right the looked-at readings were, not all of them.
    """
    is_right = case((LabelCorrection.label == LabelCorrection.read_as, 1), else_=0)
    rows = db.session.execute(
        select(LabelCorrection.task, func.count(), func.sum(is_right))
        .where(LabelCorrection.created_at > now - timedelta(days=days), LabelCorrection.read_as != "")
        .group_by(LabelCorrection.task)
    )
    found = {task: Accuracy(task, int(right), int(count) - int(right)) for task, count, right in rows}
    return tuple(found.get(task, Accuracy(task, 0, 0)) for task in TASKS)


def corrections_of(messages: Iterable[Message]) -> dict[int, dict[str, LabelCorrection]]:
    """Give what was said of these messages' readings: by message id, then by task."""
    found: dict[int, dict[str, LabelCorrection]] = {}
    ids = [message.id for message in messages if message.intent is not None]
    if ids:
        rows = db.session.scalars(select(LabelCorrection).where(LabelCorrection.message_id.in_(ids)))
        for row in rows:
            found.setdefault(row.message_id, {})[row.task] = row
    return found
