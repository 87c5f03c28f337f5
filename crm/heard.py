"""What a message tells of its writer beside what it asks for: an e-mail address, and that she may buy.

The pipeline calls `note` inside the turn, whoever answers. Flushes, never commits, answers nobody.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select

import phone
from analysis import Reading
from crm import appointments, invitations, leads, new_leads
from models import Contact, Lead, db

LEAD: Final = "lead_inquiry"
SPAM: Final = "spam"
CLEAR: Final = 0.6
CROSS: Final = ("angry", "frustrated", "negative")  # who is cross has a problem, and no wish to buy
# The flow without anything to sell: whoever wants to buy is the sales team's.
DESK: Final = "desk"


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it was read, and where it stands."""

    contact_id: int
    conversation_id: int
    message_id: int
    text: str
    flow: str
    reading: Reading | None


def note(message: Message, *, now: datetime) -> None:
    """Keep the address that she tells, send what waited for it, and open or complete her lead. Flushes."""
    read = message.reading
    if read is None or read.intent == SPAM:
        return
    email, budget = _told(read, "email"), _budget(read)
    is_lead = read.intent == LEAD and read.intent_confidence >= CLEAR and read.sentiment not in CROSS
    if not email and not is_lead:
        return
    contact = db.session.get_one(Contact, message.contact_id)
    if contact.has_opted_out:
        return
    if email and not contact.email:
        contact.email = email[: leads.EMAIL_MAX_CHARS]
        db.session.flush()
        _invite(contact.id, now)
    lead = _open_lead(contact.id)
    if lead is None and not (is_lead and (message.flow == DESK or email or budget)):
        return
    _keep(contact, lead, message, leads.LeadWish(email=email, budget_usd=budget), now)


def _keep(contact: Contact, lead: Lead | None, message: Message, wish: leads.LeadWish, now: datetime) -> None:
    wa_id = contact.identity("wa_id")
    new_leads.take(
        contact,
        leads.LeadWish(
            # What she told of herself stands.
            name=lead.name if lead is not None else contact.name,
            phone=(phone.normalise(wa_id) or wa_id) if wa_id and lead is None else "",
            email=wish.email,
            interest=lead.interest if lead is not None else " ".join(message.text.split()),
            budget_usd=wish.budget_usd,
        ),
        now=now,
        conversation_id=message.conversation_id,
        message_id=message.message_id,
        source=leads.HEARD,
    )


def _invite(contact_id: int, now: datetime) -> None:
    """Send the invitation that waited for an address."""
    booked = appointments.upcoming(contact_id, now)
    if booked is not None:
        invitations.note(booked, now=now)


def _open_lead(contact_id: int) -> Lead | None:
    return db.session.scalars(
        select(Lead)
        .where(Lead.contact_id == contact_id, Lead.status.in_(leads.OPEN_STATUSES))
        .order_by(Lead.id.desc())
        .limit(1)
    ).first()


def _told(reading: Reading, kind: str) -> str:
    """Give the one thing of a kind that a message names; nothing where it names several."""
    found = {str(entity.value) for entity in reading.entities if entity.type == kind}
    return found.pop() if len(found) == 1 else ""


def _budget(reading: Reading) -> int | None:
    """Give the one sum in US dollars, in which leads keep their budgets."""
    sums = [entity.value for entity in reading.entities if entity.type == "money"]
    if len(sums) != 1 or not isinstance(sums[0], dict) or sums[0].get("currency") != "USD":
        return None
    return int(float(str(sums[0]["amount"])))
