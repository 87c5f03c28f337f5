"""Counts for people and monitors: of one person, and of each day.

The door's `/webhook/stats/<phone>`, the command line and pages call these reads. They change nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from models import (
    Appointment,
    Base,
    Complaint,
    Contact,
    Conversation,
    Feedback,
    Lead,
    MenuSession,
    Message,
    Order,
    Ticket,
    db,
)
from privacy import find_people

MAX_DAYS: Final = 366
_RECORDS: Final = (Lead, Ticket, Complaint, Appointment, Feedback)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCounts:
    """What happened on one day of the shop. `orders` are those that were placed, carts are none."""

    day: date
    messages_in: int = 0
    messages_out: int = 0
    messages_failed: int = 0
    contacts: int = 0
    leads: int = 0
    tickets: int = 0
    complaints: int = 0
    appointments: int = 0
    orders: int = 0


# --- one person ---------------------------------------------------------------------------------------------


def person_counts(written: str) -> dict[str, Any] | None:
    """Give one person's counts, JSON-safe, by any spelling of the phone; None when nobody is known by it."""
    people = find_people(written)
    if not people:
        return None
    contact_ids = [person.id for person in people]
    conversation_ids = list(
        db.session.scalars(select(Conversation.id).where(Conversation.contact_id.in_(contact_ids)))
    )
    return {
        "phone": next((wa_id for person in people if (wa_id := person.identity("wa_id"))), None),
        "name": next((person.name for person in people if person.name), ""),
        "language": next((person.language for person in people if person.language), None),
        "has_opted_out": any(person.has_opted_out for person in people),
        **_message_counts(conversation_ids),
        **{record.__tablename__: _count_of(record, contact_ids) for record in _RECORDS},
        "orders": db.session.scalar(
            select(func.count(Order.id)).where(Order.contact_id.in_(contact_ids), Order.status != "cart")
        ),
        "session": _session(conversation_ids),
    }


def _message_counts(conversation_ids: Sequence[int]) -> dict[str, Any]:
    rows = db.session.execute(
        select(
            Message.direction,
            func.count(Message.id),
            func.min(Message.created_at),
            func.max(Message.created_at),
        )
        .where(Message.conversation_id.in_(conversation_ids))
        .group_by(Message.direction)
    ).all()
    counts = {direction: count for direction, count, _, _ in rows}
    return {
        "messages": sum(counts.values()),
        "messages_in": counts.get("in", 0),
        "messages_out": counts.get("out", 0),
        "first_message_at": _iso(min((first for _, _, first, _ in rows), default=None)),
        "last_message_at": _iso(max((last for _, _, _, last in rows), default=None)),
    }


def _count_of(record: Any, contact_ids: Sequence[int]) -> int:
    return db.session.scalar(select(func.count(record.id)).where(record.contact_id.in_(contact_ids))) or 0


def _session(conversation_ids: Sequence[int]) -> dict[str, Any] | None:
    """Give where the person stands in a menu, newest first, None when nowhere."""
    row = db.session.execute(
        select(MenuSession.flow, MenuSession.step, MenuSession.last_activity_at)
        .where(MenuSession.conversation_id.in_(conversation_ids), MenuSession.step.is_not(None))
        .order_by(MenuSession.last_activity_at.desc())
        .limit(1)
    ).first()
    return None if row is None else {"flow": row[0], "step": row[1], "last_activity_at": _iso(row[2])}


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


# --- days ---------------------------------------------------------------------------------------------------


def daily_counts(days: int, *, now: datetime, zone: ZoneInfo) -> list[DayCounts]:
    """Count the last `days` days of the shop's time zone, today last. Raises ValueError outside 1 to 366."""
    if not 1 <= days <= MAX_DAYS:
        raise ValueError(f"days go from 1 to {MAX_DAYS}, not {days}")
    today = now.astimezone(zone).date()
    return [_day_counts(today - timedelta(days=back), zone) for back in reversed(range(days))]


def _day_counts(day: date, zone: ZoneInfo) -> DayCounts:
    start, end = _midnight(day, zone), _midnight(day + timedelta(days=1), zone)
    return DayCounts(
        day=day,
        **_messages_between(start, end),
        contacts=_count_between(Contact, Contact.created_at, start, end),
        leads=_count_between(Lead, Lead.created_at, start, end),
        tickets=_count_between(Ticket, Ticket.created_at, start, end),
        complaints=_count_between(Complaint, Complaint.created_at, start, end),
        appointments=_count_between(Appointment, Appointment.created_at, start, end),
        orders=_count_between(Order, Order.placed_at, start, end),
    )


def _messages_between(start: datetime, end: datetime) -> dict[str, int]:
    rows = db.session.execute(
        select(Message.direction, Message.status, func.count(Message.id))
        .where(Message.created_at >= start, Message.created_at < end)
        .group_by(Message.direction, Message.status)
    ).all()
    return {
        "messages_in": sum(count for direction, _, count in rows if direction == "in"),
        "messages_out": sum(count for direction, _, count in rows if direction == "out"),
        "messages_failed": sum(count for _, status, count in rows if status == "failed"),
    }


def _count_between(table: type[Base], column: Any, start: datetime, end: datetime) -> int:
    return (
        db.session.scalar(select(func.count()).select_from(table).where(column >= start, column < end)) or 0
    )


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)
