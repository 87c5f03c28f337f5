"""Complaints: a customer is unhappy with us, and management must know.

Flow actions and operators' pages call these verbs. They flush and never commit; the alert that goes with a
complaint is raised by whoever records it.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import exists, or_, select

from crm import linked_words, numbered
from crm.numbered import CUSTOMER, NOT_SOLVED, SYSTEM, Actor
from models import Complaint, Message, db
from record_numbers import COMPLAINT

STATUSES = ("open", "in_review", "resolved", "closed")
OPEN_STATUSES = ("open", "in_review")
DESCRIPTION_MAX_CHARS = 20_000
ANGER_LASTS: Final = timedelta(hours=24)
ANSWERED_WITHIN: Final = timedelta(hours=4)  # of working time


def open_complaint(
    contact_id: int,
    description: str,
    *,
    now: datetime,
    conversation_id: int | None = None,
    message_id: int | None = None,
    by: Actor = CUSTOMER,
) -> Complaint:
    """Record a complaint and give it its number; one message records one complaint at most. Flushes."""
    earlier = numbered.of_message(Complaint, contact_id, message_id)
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
    numbered.give_number(complaint, COMPLAINT, now=now, by=by)
    linked_words.link_told(complaint, complaint.description, now=now)
    return complaint


def set_status(complaint: Complaint, status: str, *, now: datetime, by: Actor = SYSTEM) -> None:
    """Move a complaint on. Raises ValueError for a status that is none."""
    numbered.set_status(complaint, status, STATUSES, now=now, by=by)


def open_recent(conversation_id: int, now: datetime) -> Complaint | None:
    """Give the open complaint of a conversation that something happened to lately."""
    return numbered.recent(Complaint, conversation_id, OPEN_STATUSES, now)


def add_words(complaint: Complaint, message_id: int, *, now: datetime) -> None:
    """Link a later message of the customer to an open complaint. Flushes. Idempotent."""
    linked_words.link(complaint, message_id, now=now)
    complaint.updated_at = now
    db.session.flush()


def awaiting_word(conversation_id: int) -> Complaint | None:
    """Give the complaint whose solution the customer was asked about last, and has not judged."""
    return db.session.scalars(
        select(Complaint)
        .where(
            Complaint.conversation_id == conversation_id,
            Complaint.status == "resolved",
            Complaint.asked_at.is_not(None),
        )
        .order_by(Complaint.asked_at.desc(), Complaint.id.desc())
        .limit(1)
    ).first()


def is_upset_lately(conversation_id: int, contact_id: int, *, now: datetime) -> bool:
    """Tell whether a complaint of somebody's is open, or she was angry within a day: whoever has just cooled
    down is not to be pressed. One read."""
    is_open = exists().where(Complaint.contact_id == contact_id, Complaint.status.in_(OPEN_STATUSES))
    was_angry = exists().where(
        Message.conversation_id == conversation_id,
        Message.direction == "in",
        Message.sentiment == "angry",
        Message.created_at > now - ANGER_LASTS,
    )
    return bool(db.session.scalar(select(or_(is_open, was_angry))))


def accept(complaint: Complaint, *, now: datetime) -> None:
    """The customer says that it is solved: the complaint is closed."""
    set_status(complaint, "closed", now=now, by=CUSTOMER)


def reject(complaint: Complaint, *, now: datetime) -> None:
    """The customer says that it is not solved: the complaint is open again, and higher up."""
    complaint.escalated_at, complaint.asked_at = now, None
    set_status(complaint, "open", now=now, by=Actor("customer", reason=NOT_SOLVED))


def newest_complaints(limit: int, *, contact_id: int | None = None) -> list[Complaint]:
    """List complaints, the newest first."""
    return numbered.newest(Complaint, limit, contact_id)
