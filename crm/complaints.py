"""Complaints: a customer is unhappy with us, and management must know.

Flow actions and operators' pages call these verbs. They flush and never commit; the alert that goes with a
complaint is raised by whoever records it.
"""

from datetime import datetime

from sqlalchemy import select

from models import Complaint, db
from record_numbers import COMPLAINT, number_of

STATUSES = ("open", "in_review", "resolved", "closed")
OPEN_STATUSES = ("open", "in_review")
DESCRIPTION_MAX_CHARS = 20_000


def open_complaint(
    contact_id: int,
    description: str,
    *,
    now: datetime,
    conversation_id: int | None = None,
    message_id: int | None = None,
) -> Complaint:
    """Record a complaint and give it its number; one message records one complaint at most. Flushes."""
    earlier = _of_message(contact_id, message_id)
    if earlier is not None:
        return earlier
    complaint = Complaint(
        contact_id=contact_id,
        conversation_id=conversation_id,
        message_id=message_id,
        description=description.strip()[:DESCRIPTION_MAX_CHARS],
        created_at=now,
        updated_at=now,
    )
    db.session.add(complaint)
    db.session.flush()
    complaint.number = number_of(COMPLAINT, complaint.id)
    db.session.flush()
    return complaint


def set_status(complaint: Complaint, status: str, *, now: datetime) -> None:
    """Move a complaint on. Raises ValueError for a status that is none."""
    if status not in STATUSES:
        raise ValueError(f"{status!r} is not a complaint's status ({', '.join(STATUSES)})")
    complaint.status = status
    complaint.updated_at = now
    db.session.flush()


def newest_complaints(limit: int, *, contact_id: int | None = None) -> list[Complaint]:
    """List complaints, the newest first."""
    query = select(Complaint).order_by(Complaint.created_at.desc(), Complaint.id.desc()).limit(limit)
    if contact_id is not None:
        query = query.where(Complaint.contact_id == contact_id)
    return list(db.session.scalars(query))


def _of_message(contact_id: int, message_id: int | None) -> Complaint | None:
    if message_id is None:
        return None
    return db.session.scalars(
        select(Complaint)
        .where(Complaint.contact_id == contact_id, Complaint.message_id == message_id)
        .limit(1)
    ).first()
