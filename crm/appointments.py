"""Appointments that customers ask for; a person of ours confirms the time.

Flow actions and operators' pages call these verbs. They flush and never commit.
"""

from datetime import datetime

from sqlalchemy import select

from models import Appointment, db
from record_numbers import APPOINTMENT, number_of

STATUSES = ("requested", "confirmed", "done", "cancelled", "no_show")
TOPIC_MAX_CHARS = 160
WISH_MAX_CHARS = 255


def request_appointment(
    contact_id: int,
    *,
    now: datetime,
    topic: str = "",
    wish: str = "",
    starts_at: datetime | None = None,
    conversation_id: int | None = None,
    message_id: int | None = None,
) -> Appointment:
    """Note that a contact wants to meet; a second wish changes the open request instead of adding one.

    Flushes. `wish` are the customer's own words for the time; `starts_at` is set when they could be read.
    """
    appointment = _open_request(contact_id, conversation_id)
    if appointment is None:
        appointment = Appointment(
            contact_id=contact_id, conversation_id=conversation_id, message_id=message_id, created_at=now
        )
        db.session.add(appointment)
    appointment.topic = topic.strip()[:TOPIC_MAX_CHARS] or appointment.topic or ""
    appointment.wish = wish.strip()[:WISH_MAX_CHARS] or appointment.wish or ""
    appointment.starts_at = starts_at or (None if wish.strip() else appointment.starts_at)
    appointment.updated_at = now
    db.session.flush()
    appointment.number = appointment.number or number_of(APPOINTMENT, appointment.id)
    db.session.flush()
    return appointment


def confirm(appointment: Appointment, starts_at: datetime, *, now: datetime) -> None:
    """Fix the time that a person of ours agreed to."""
    appointment.starts_at = starts_at
    set_status(appointment, "confirmed", now=now)


def set_status(appointment: Appointment, status: str, *, now: datetime) -> None:
    """Move an appointment on. Raises ValueError for a status that is none."""
    if status not in STATUSES:
        raise ValueError(f"{status!r} is not an appointment's status ({', '.join(STATUSES)})")
    appointment.status = status
    appointment.updated_at = now
    db.session.flush()


def newest_appointments(limit: int, *, contact_id: int | None = None) -> list[Appointment]:
    """List appointments, the newest first."""
    query = select(Appointment).order_by(Appointment.created_at.desc(), Appointment.id.desc()).limit(limit)
    if contact_id is not None:
        query = query.where(Appointment.contact_id == contact_id)
    return list(db.session.scalars(query))


def _open_request(contact_id: int, conversation_id: int | None) -> Appointment | None:
    return db.session.scalars(
        select(Appointment)
        .where(
            Appointment.contact_id == contact_id,
            Appointment.conversation_id == conversation_id,
            Appointment.status == "requested",
        )
        .order_by(Appointment.id.desc())
        .limit(1)
    ).first()
