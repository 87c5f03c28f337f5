"""Support tickets: something of ours does not work for a customer.

Flow actions and operators' pages call these verbs. They flush and never commit, and answer nobody.
"""

from datetime import datetime

from sqlalchemy import select

from models import Ticket, db
from record_numbers import TICKET, number_of, read_number
from vocabulary import URGENCIES

STATUSES = ("open", "pending", "solved", "closed")
OPEN_STATUSES = ("open", "pending")
DEFAULT_PRIORITY = "medium"
SUBJECT_MAX_CHARS = 160
DESCRIPTION_MAX_CHARS = 20_000


def open_ticket(
    contact_id: int,
    description: str,
    *,
    now: datetime,
    subject: str = "",
    priority: str = DEFAULT_PRIORITY,
    conversation_id: int | None = None,
    message_id: int | None = None,
) -> Ticket:
    """Open a ticket and give it its number; one message opens one ticket at most. Flushes.

    Without `subject` the first line of the description serves. `priority` is an urgency of the vocabulary;
    another word counts as medium.
    """
    earlier = _of_message(contact_id, message_id)
    if earlier is not None:
        return earlier
    ticket = Ticket(
        contact_id=contact_id,
        conversation_id=conversation_id,
        message_id=message_id,
        subject=(subject.strip() or _first_line(description))[:SUBJECT_MAX_CHARS],
        description=description.strip()[:DESCRIPTION_MAX_CHARS],
        priority=priority if priority in URGENCIES else DEFAULT_PRIORITY,
        created_at=now,
        updated_at=now,
    )
    db.session.add(ticket)
    db.session.flush()
    ticket.number = number_of(TICKET, ticket.id)
    db.session.flush()
    return ticket


def set_status(ticket: Ticket, status: str, *, now: datetime) -> None:
    """Move a ticket on. Raises ValueError for a status that is none."""
    if status not in STATUSES:
        raise ValueError(f"{status!r} is not a ticket's status ({', '.join(STATUSES)})")
    ticket.status = status
    ticket.updated_at = now
    db.session.flush()


def newest_tickets(limit: int, *, contact_id: int | None = None) -> list[Ticket]:
    """List tickets, the newest first."""
    query = select(Ticket).order_by(Ticket.created_at.desc(), Ticket.id.desc()).limit(limit)
    if contact_id is not None:
        query = query.where(Ticket.contact_id == contact_id)
    return list(db.session.scalars(query))


def ticket_of(contact_id: int, written: str) -> Ticket | None:
    """Find this contact's ticket by its number as the contact wrote it."""
    number = read_number(written, TICKET)
    if number is None:
        return None
    return db.session.scalars(
        select(Ticket).where(Ticket.contact_id == contact_id, Ticket.number == number)
    ).first()


def _of_message(contact_id: int, message_id: int | None) -> Ticket | None:
    if message_id is None:
        return None
    return db.session.scalars(
        select(Ticket).where(Ticket.contact_id == contact_id, Ticket.message_id == message_id).limit(1)
    ).first()


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")
