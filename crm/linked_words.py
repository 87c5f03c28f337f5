"""The customer's own messages behind a record: what opened it, and what was told of it later.

Flushes, never commits.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import or_, select

from crm.numbered import NAMES, Tracked
from models import Message, RecordMessage, db
from statements import insert_or_ignore

# Somebody who tells a problem in pieces does so within such a time.
TOLD_WITHIN: Final = timedelta(minutes=30)
LOOKED_AT: Final = 30
MIN_WORDS_CHARS: Final = 4  # a "sim" or a digit tells nothing


def link(record: Tracked, message_id: int, *, now: datetime) -> None:
    """Keep that a message is about a record. Flushes. Idempotent."""
    if message_id == record.message_id:
        return
    row = {
        "record": NAMES[type(record)],
        "record_id": record.id,
        "message_id": message_id,
        "created_at": now,
    }
    db.session.execute(insert_or_ignore(RecordMessage).values(row))


def link_told(record: Tracked, told: str, *, now: datetime) -> None:
    """Link the messages of the last minutes whose words went into what a record says. Flushes."""
    if record.conversation_id is None:
        return
    recent = db.session.execute(
        select(Message.id, Message.body)
        .where(
            Message.conversation_id == record.conversation_id,
            Message.direction == "in",
            Message.created_at >= now - TOLD_WITHIN,
        )
        .order_by(Message.id.desc())
        .limit(LOOKED_AT)
    ).all()
    for message_id, body in recent:
        words = (body or "").strip()
        if len(words) >= MIN_WORDS_CHARS and words in told:
            link(record, message_id, now=now)
    db.session.flush()


def words_of(record: Tracked) -> Sequence[Message]:
    """List the customer's messages behind a record, the oldest first."""
    linked = select(RecordMessage.message_id).where(
        RecordMessage.record == NAMES[type(record)], RecordMessage.record_id == record.id
    )
    return db.session.scalars(
        select(Message)
        .where(or_(Message.id.in_(linked), Message.id == record.message_id))
        .order_by(Message.id)
    ).all()
