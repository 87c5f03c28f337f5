"""Support tickets: something of ours does not work for a customer.

Flow actions and operators' pages call these verbs. They flush and never commit, and answer nobody.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select

from crm import linked_words, numbered
from crm.numbered import CUSTOMER, NOT_SOLVED, SYSTEM, Actor
from models import Ticket, db
from record_numbers import TICKET, read_number
from vocabulary import URGENCIES

STATUSES = ("open", "pending", "solved", "closed")
OPEN_STATUSES = ("open", "pending")
DEFAULT_PRIORITY = "medium"
SUBJECT_MAX_CHARS = 160
DESCRIPTION_MAX_CHARS = 20_000
# Working time until somebody should have answered.
ANSWERED_WITHIN: Final[Mapping[str, timedelta]] = {
    "critical": timedelta(hours=1),
    "urgent": timedelta(hours=4),
    "high": timedelta(hours=8),
    "medium": timedelta(hours=16),
    "low": timedelta(hours=40),
}


def open_ticket(
    contact_id: int,
    description: str,
    *,
    now: datetime,
    subject: str = "",
    priority: str = DEFAULT_PRIORITY,
    conversation_id: int | None = None,
    message_id: int | None = None,
    by: Actor = CUSTOMER,
) -> Ticket:
    """Open a ticket and give it its number; one message opens one ticket at most. Flushes.

    Without `subject` the first line of the description serves. `priority` is an urgency of the vocabulary;
    another word counts as medium.
    """
    earlier = numbered.of_message(Ticket, contact_id, message_id)
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
    numbered.give_number(ticket, TICKET, now=now, by=by)
    linked_words.link_told(ticket, f"{ticket.subject}\n{ticket.description}", now=now)
    return ticket


def open_recent(conversation_id: int, now: datetime) -> Ticket | None:
    """Give the open ticket of a conversation that something happened to lately."""
    return numbered.recent(Ticket, conversation_id, OPEN_STATUSES, now)


def solved_recent(conversation_id: int, now: datetime) -> Ticket | None:
    """Give the ticket of a conversation that was solved lately: whoever writes again may mean that one."""
    return numbered.recent(Ticket, conversation_id, ("solved",), now)


def is_recent(conversation_id: int, now: datetime) -> bool:
    """Tell whether a ticket of a conversation is open or was solved lately."""
    return numbered.recent(Ticket, conversation_id, (*OPEN_STATUSES, "solved"), now) is not None


def add_words(ticket: Ticket, message_id: int, priority: str, *, now: datetime) -> bool:
    """Link a later message of the customer to an open ticket; tells whether it is more urgent now.

    What she says later may raise its priority, never lower it. Flushes. Idempotent.
    """
    linked_words.link(ticket, message_id, now=now)
    ticket.updated_at = now
    is_raised = URGENCIES.index(priority) < URGENCIES.index(ticket.priority)
    ticket.priority = priority if is_raised else ticket.priority
    db.session.flush()
    return is_raised


def reopen(ticket: Ticket, words: str, *, now: datetime) -> None:
    """Take a solved ticket up again, because the customer says that it is not. Flushes."""
    linked_words.link_told(ticket, words, now=now)
    set_status(ticket, "open", now=now, by=Actor("customer", reason=NOT_SOLVED))


def set_status(ticket: Ticket, status: str, *, now: datetime, by: Actor = SYSTEM) -> None:
    """Move a ticket on. Raises ValueError for a status that is none."""
    numbered.set_status(ticket, status, STATUSES, now=now, by=by)


def newest_tickets(limit: int, *, contact_id: int | None = None) -> list[Ticket]:
    """List tickets, the newest first."""
    return numbered.newest(Ticket, limit, contact_id)


def ticket_of(contact_id: int, written: str) -> Ticket | None:
    """Find this contact's ticket by its number as the contact wrote it."""
    number = read_number(written, TICKET)
    if number is None:
        return None
    return db.session.scalars(
        select(Ticket).where(Ticket.contact_id == contact_id, Ticket.number == number)
    ).first()


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")
