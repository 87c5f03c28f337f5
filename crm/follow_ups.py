"""Follow-ups: what somebody of ours has to look after for a customer, by a time.

Flow actions open them, operators' pages close them. They flush and never commit.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select

from crm import linked_words, numbered
from crm.numbered import SYSTEM, Actor
from models import FollowUp, db

STATUSES: Final = ("open", "done")
KINDS: Final = ("order_inquiry", "payment_inquiry")
DONE_WITHIN: Final = timedelta(hours=8)  # of working time
WORDS_MAX_CHARS: Final = 10_000


def open_follow_up(
    contact_id: int,
    kind: str,
    *,
    now: datetime,
    words: str = "",
    conversation_id: int | None = None,
    message_id: int | None = None,
) -> tuple[FollowUp, bool]:
    """Open a follow-up, or give the open one of this kind in this conversation; tells whether it is new.

    Flushes.
    """
    earlier = db.session.scalars(
        select(FollowUp)
        .where(
            FollowUp.contact_id == contact_id,
            FollowUp.conversation_id == conversation_id,
            FollowUp.kind == kind,
            FollowUp.status == "open",
        )
        .limit(1)
    ).first()
    if earlier is not None:
        earlier.updated_at = now
        earlier.words = _with(earlier.words, words)
        linked_words.link_told(earlier, words, now=now)
        return earlier, False
    row = FollowUp(
        contact_id=contact_id,
        conversation_id=conversation_id,
        message_id=message_id,
        kind=kind,
        words=words.strip()[:WORDS_MAX_CHARS],
        status="open",
        created_at=now,
        updated_at=now,
    )
    db.session.add(row)
    db.session.flush()
    numbered.note_made(row, now=now)
    linked_words.link_told(row, row.words, now=now)
    return row, True


def _with(before: str, words: str) -> str:
    said = words.strip()
    return before if said in before else f"{before}\n{said}".strip()[-WORDS_MAX_CHARS:]


def set_status(row: FollowUp, status: str, *, now: datetime, by: Actor = SYSTEM) -> None:
    """Move a follow-up on. Raises ValueError for a status that is none."""
    numbered.set_status(row, status, STATUSES, now=now, by=by)
