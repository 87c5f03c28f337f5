"""Who the owner is: her phone, per number of ours, and her own conversation with it.

Only her identity at the provider makes a sender the owner; what a message says of itself counts for nothing.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select

import conversations
import integrations
import phone
import texts
from integrations import Number
from models import Contact, ContactIdentity, Conversation, db
from providers.base import Person

OWNER_PHONE_MAX_CHARS = 40


@dataclass(frozen=True, slots=True)
class OwnerLine:
    """The owner's conversation with one of our numbers, and in which language she reads."""

    conversation_id: int
    contact_id: int
    language: str
    is_open: bool  # free text may be sent to her now


def numbers_with_owner() -> list[Number]:
    """Give the active numbers that know their owner's phone."""
    return [number for number in integrations.numbers() if number.owner_phone]


def is_owner(number: Number, contact_id: int) -> bool:
    """Tell whether this contact is the owner: by the id under which the provider knows her."""
    if not number.owner_phone:
        return False
    wa_id = conversations.address_of(contact_id).wa_id
    return wa_id is not None and wa_id.removeprefix("+") in _spellings(number)


def line_of(number: Number, now: datetime) -> OwnerLine | None:
    """Find the owner's conversation with this number; None before the first word of either."""
    spellings = _spellings(number)
    row = db.session.execute(
        select(Conversation.id, Conversation.contact_id, Conversation.last_inbound_at, Contact.language)
        .join(Contact, Contact.id == Conversation.contact_id)
        .join(ContactIdentity, ContactIdentity.contact_id == Contact.id)
        .where(
            Conversation.integration_id == number.id,
            ContactIdentity.account == number.identity_account,
            ContactIdentity.kind == "wa_id",
            or_(ContactIdentity.value.in_(spellings), ContactIdentity.match_key == min(spellings)),
            ContactIdentity.replaced_at.is_(None),
            Contact.opted_out_at.is_(None),
        )
        .order_by(Conversation.id)
        .limit(1)
    ).first()
    if row is None:
        return None
    is_open = conversations.is_window_open(row.last_inbound_at, now)
    language = texts.text_language(row.language or number.language)
    return OwnerLine(row.id, row.contact_id, language, is_open)


def open_line(number: Number, now: datetime) -> OwnerLine | None:
    """Give the owner's conversation, made when there is none. Flushes. None when she asked for silence."""
    known = line_of(number, now)
    if known is not None:
        return known
    person = Person(wa_id=number.owner_phone.removeprefix("+"))
    is_simulated = number.account.provider == "simulator"
    conversations.admit(number, person, now=now, is_demo=is_simulated)
    return line_of(number, now)


def _spellings(number: Number) -> tuple[str, ...]:
    return phone.variants(number.owner_phone.removeprefix("+"))
