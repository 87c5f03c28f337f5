"""What customers think of us, in their words and from one to five stars.

Flow actions call these verbs. They flush and never commit.
"""

from datetime import datetime

from sqlalchemy import func, select

from models import Feedback, db

LOWEST_SCORE = 1
HIGHEST_SCORE = 5
TEXT_MAX_CHARS = 10_000


def record_feedback(
    contact_id: int,
    *,
    now: datetime,
    score: int | None = None,
    text: str = "",
    conversation_id: int | None = None,
) -> Feedback:
    """Keep one piece of feedback. Raises ValueError for a score outside 1 to 5, and when nothing was said.

    Flushes.
    """
    if score is not None and not LOWEST_SCORE <= score <= HIGHEST_SCORE:
        raise ValueError(f"a score goes from {LOWEST_SCORE} to {HIGHEST_SCORE}, not {score}")
    if score is None and not text.strip():
        raise ValueError("feedback needs a score or a text")
    feedback = Feedback(
        contact_id=contact_id,
        conversation_id=conversation_id,
        score=score,
        text=text.strip()[:TEXT_MAX_CHARS],
        created_at=now,
    )
    db.session.add(feedback)
    db.session.flush()
    return feedback


def average_score(since: datetime) -> float | None:
    """Give the mean score of the feedback since then, None when nobody scored."""
    mean = db.session.scalar(select(func.avg(Feedback.score)).where(Feedback.created_at >= since))
    return None if mean is None else float(mean)
