"""What records share: a number, a status with its history, lists that begin with the newest.

The rooms beside it call these verbs, each for its own table. They flush and never commit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from sqlalchemy import select

import history
from models import Appointment, Complaint, FollowUp, Lead, Ticket, db
from record_numbers import number_of

Record = TypeVar("Record", Ticket, Complaint, Appointment)
Recurring = TypeVar("Recurring", Ticket, Complaint)
Tracked = Ticket | Complaint | Appointment | Lead | FollowUp

# What history calls the rows of a table.
NAMES: dict[type, str] = {
    Ticket: "ticket",
    Complaint: "complaint",
    Appointment: "appointment",
    Lead: "lead",
    FollowUp: "follow_up",
}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who moves a record on, and why: one of `history.ACTORS`, with the operator where it is one of ours."""

    kind: str = "system"
    operator_id: int | None = None
    reason: str = ""


# What is told so soon after belongs to the same problem.
RECENT: Final = timedelta(hours=24)
CUSTOMER = Actor("customer")
SYSTEM = Actor()
NOT_SOLVED: Final = "the customer says that it is not solved"


def of_message(model: type[Record], contact_id: int, message_id: int | None) -> Record | None:
    """Find what this contact's message has opened already."""
    if message_id is None:
        return None
    query = select(model).where(model.contact_id == contact_id, model.message_id == message_id)
    return db.session.scalars(query.limit(1)).first()


def give_number(record: Record, prefix: str, *, now: datetime, by: Actor = CUSTOMER) -> None:
    """Add the record and give it its number, which its id decides. Flushes. Idempotent."""
    db.session.add(record)
    db.session.flush()
    if record.number is None:
        record.number = number_of(prefix, record.id)
        db.session.flush()
        note_made(record, now=now, by=by)


def note_made(record: Tracked, *, now: datetime, by: Actor = CUSTOMER) -> None:
    """Begin the history of a record that was just added."""
    _note(record, "", record.status, by, now)


def set_status(
    record: Tracked, status: str, statuses: tuple[str, ...], *, now: datetime, by: Actor = SYSTEM
) -> None:
    """Move a record on and write the step down. Raises ValueError for a status that is none of `statuses`."""
    if status not in statuses:
        name = NAMES[type(record)]
        raise ValueError(f"{status!r} is no status of this {name} ({', '.join(statuses)})")
    _note(record, record.status, status, by, now)
    record.status = status
    record.updated_at = now
    db.session.flush()


def recent(
    model: type[Recurring], conversation_id: int, statuses: Sequence[str], now: datetime
) -> Recurring | None:
    """Give the newest record of a conversation in one of `statuses` that something happened to lately."""
    query = select(model).where(
        model.conversation_id == conversation_id,
        model.status.in_(statuses),
        model.updated_at >= now - RECENT,
    )
    return db.session.scalars(query.order_by(model.id.desc()).limit(1)).first()


def newest(model: type[Record], limit: int, contact_id: int | None) -> list[Record]:
    """List records, the newest first."""
    query = select(model).order_by(model.created_at.desc(), model.id.desc()).limit(limit)
    if contact_id is not None:
        query = query.where(model.contact_id == contact_id)
    return list(db.session.scalars(query))


def _note(record: Tracked, before: str, after: str, by: Actor, now: datetime) -> None:
    history.note_change(
        NAMES[type(record)],
        record.id,
        before=before,
        after=after,
        actor=by.kind,
        operator_id=by.operator_id,
        reason=by.reason,
        now=now,
    )
