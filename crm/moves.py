"""What follows when one of ours moves a record on: the customer is told, or asked whether all is well.

Operators' pages and programs call these verbs; the record's own room keeps status and history. They flush,
never commit.
"""

from collections.abc import Sequence
from datetime import datetime

from config import Config
from crm import appointments, complaints, feedback, follow_ups, leads, telling, tickets
from crm.numbered import Actor, Tracked
from crm.telling import Told
from models import Appointment, Complaint, FollowUp, Lead, Ticket

CLOSED_TICKET = ("solved", "closed")


def move_on(config: Config, record: Tracked, status: str, *, now: datetime, by: Actor) -> Told | None:
    """Move a record to `status`; gives how the customer was told, None where that is not her business.

    Raises ValueError for a status that the record does not know. A step to where it stands already is none.
    """
    if record.status == status:
        return None
    match record:
        case Ticket():
            return _move_ticket(record, status, now, by)
        case Complaint():
            return _move_complaint(record, status, now, by)
        case Appointment():
            appointments.set_status(record, status, now=now, by=by)
            is_news = status in ("confirmed", "cancelled")
            return telling.tell_appointment(config, record, now=now) if is_news else None
        case Lead():
            leads.set_status(record, status, now=now, by=by)
        case FollowUp():
            follow_ups.set_status(record, status, now=now, by=by)
    return None


def _move_ticket(ticket: Ticket, status: str, now: datetime, by: Actor) -> Told:
    was_closed = ticket.status in CLOSED_TICKET
    tickets.set_status(ticket, status, now=now, by=by)
    told = telling.tell_status(ticket, now=now)
    if status in CLOSED_TICKET and not was_closed:
        feedback.ask_about(ticket, now=now)
    return told


def _move_complaint(complaint: Complaint, status: str, now: datetime, by: Actor) -> Told:
    """Only the customer knows whether a complaint is resolved: she is asked."""
    complaints.set_status(complaint, status, now=now, by=by)
    if status == "resolved" and complaint.conversation_id is not None:
        complaint.asked_at = now
        return telling.ask(complaint.conversation_id, "complaint_solved", now=now)
    told = telling.tell_status(complaint, now=now)
    if status == "closed":
        feedback.ask_about(complaint, now=now)
    return told


def book(
    config: Config,
    contact_id: int,
    starts_at: datetime,
    *,
    topic: str,
    conversation_id: int | None,
    calendar: Sequence[datetime] | None,
    now: datetime,
    by: Actor,
) -> Appointment:
    """Book a free time for a customer and tell her; `calendar` as in `slots.free_slots`. Flushes. Raises
    SlotTaken."""
    row = appointments.book(
        config,
        contact_id,
        starts_at,
        now=now,
        topic=topic,
        conversation_id=conversation_id,
        calendar=calendar,
        by=by,
    )
    telling.tell_appointment(config, row, now=now)
    return row


def fix_time(config: Config, row: Appointment, starts_at: datetime, *, now: datetime, by: Actor) -> Told:
    """Fix the time that a person of ours agreed to, and tell the customer. Flushes. Raises SlotTaken."""
    appointments.fix(config, row, starts_at, now=now, by=by)
    return telling.tell_appointment(config, row, now=now)
