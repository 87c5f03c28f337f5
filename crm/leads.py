"""Leads: people who asked to be called back about something.

Flow actions and operators' pages call these verbs. They flush and never commit; who is told of a new lead
is an alert's business, not ours.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select

from crm import numbered
from crm.numbered import CUSTOMER, SYSTEM, Actor
from models import Contact, Lead, db

STATUSES = ("new", "contacted", "qualified", "won", "lost")
OPEN_STATUSES = ("new", "contacted", "qualified")
NAME_MAX_CHARS = 255
EMAIL_MAX_CHARS = 255
PHONE_MAX_CHARS = 40
INTEREST_MAX_CHARS = 120
COUNTRY_MAX_CHARS = 100
SOURCE_MAX_CHARS = 60
HEARD = "conversation"  # the source of a lead that was read out of what somebody wrote
NOTES_MAX_CHARS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadWish:
    """What a person told us about her wish; an empty field says nothing, it does not erase."""

    name: str = ""
    phone: str = ""
    email: str = ""
    interest: str = ""
    budget_usd: int | None = None
    country: str = ""
    notes: str = ""


@dataclass(frozen=True, slots=True)
class RecordedLead:
    lead: Lead
    is_new: bool


def record_lead(
    contact: Contact,
    wish: LeadWish,
    *,
    now: datetime,
    conversation_id: int | None = None,
    message_id: int | None = None,
    source: str = "",
    teaches: bool = True,
    by: Actor = CUSTOMER,
) -> RecordedLead:
    """Open a lead, or complete the open one that this contact has for the same interest. Flushes.

    The contact learns a name or e-mail address that it did not have, where `teaches`: what a stranger wrote
    about somebody does not. Idempotent.
    """
    lead = open_lead(contact.id, wish.interest)
    is_new = lead is None
    if lead is None:
        lead = Lead(
            contact_id=contact.id,
            conversation_id=conversation_id,
            message_id=message_id,
            interest=wish.interest.strip()[:INTEREST_MAX_CHARS],
            source=source.strip()[:SOURCE_MAX_CHARS],
            created_at=now,
        )
        db.session.add(lead)
    elif lead.source == HEARD and source != HEARD:
        # A form says better what she wants than the first words did.
        lead.interest = wish.interest.strip()[:INTEREST_MAX_CHARS] or lead.interest
        lead.source = source.strip()[:SOURCE_MAX_CHARS]
    _complete(lead, wish, now)
    if teaches:
        _teach(contact, wish)
    db.session.flush()
    if is_new:
        numbered.note_made(lead, now=now, by=by)
    return RecordedLead(lead, is_new)


def open_lead(contact_id: int, interest: str) -> Lead | None:
    """Give the newest open lead of this contact with this interest, or the one that was read out of words."""
    return db.session.scalars(
        select(Lead)
        .where(
            Lead.contact_id == contact_id,
            or_(Lead.interest == interest.strip()[:INTEREST_MAX_CHARS], Lead.source == HEARD),
            Lead.status.in_(OPEN_STATUSES),
        )
        .order_by(Lead.id.desc())
        .limit(1)
    ).first()


def set_status(lead: Lead, status: str, *, now: datetime, by: Actor = SYSTEM) -> None:
    """Move a lead on. Raises ValueError for a status that is none."""
    numbered.set_status(lead, status, STATUSES, now=now, by=by)


def newest_leads(limit: int, *, contact_id: int | None = None) -> list[Lead]:
    """List leads, the newest first."""
    query = select(Lead).order_by(Lead.created_at.desc(), Lead.id.desc()).limit(limit)
    if contact_id is not None:
        query = query.where(Lead.contact_id == contact_id)
    return list(db.session.scalars(query))


def _complete(lead: Lead, wish: LeadWish, now: datetime) -> None:
    lead.name = wish.name.strip()[:NAME_MAX_CHARS] or lead.name or ""
    lead.phone = wish.phone.strip()[:PHONE_MAX_CHARS] or lead.phone or ""
    lead.email = wish.email.strip()[:EMAIL_MAX_CHARS] or lead.email or ""
    lead.country = wish.country.strip()[:COUNTRY_MAX_CHARS] or lead.country or ""
    lead.budget_usd = lead.budget_usd if wish.budget_usd is None else wish.budget_usd
    lead.notes = _with_note(lead.notes or "", wish.notes.strip())
    lead.updated_at = now


def _with_note(notes: str, note: str) -> str:
    if not note or note in notes.splitlines():
        return notes
    return f"{notes}\n{note}".strip()[-NOTES_MAX_CHARS:]


def _teach(contact: Contact, wish: LeadWish) -> None:
    contact.name = contact.name or wish.name.strip()[:NAME_MAX_CHARS]
    contact.email = contact.email or wish.email.strip()[:EMAIL_MAX_CHARS]
