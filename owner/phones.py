"""Who the owner is: her phone, per number of ours, and her own conversation with it.

Only her identity at the provider makes a sender the owner; what a message says of itself counts for nothing.
Where the provider never shows her number (she has a username), the code that the admin's page shows today
ties her identity to it.
"""

import base64
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select

import conversations
import integrations
import phone
import texts
import vault
from config import Config
from integrations import Number
from models import Contact, ContactIdentity, Conversation, db
from providers.base import Person

OWNER_PHONE_MAX_CHARS = 40
CODE_BYTES = 5
CODE_LASTS_DAYS = 2


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


def code_of(number: Number, secret_key: str, now: datetime) -> str:
    """Give the code that ties a phone to the owner of this number today: K7F3-92QX. Another phone, another
    code.
    """
    purpose = f"owner {number.id} {number.owner_phone} {now.date().isoformat()}"
    written = base64.b32encode(vault.derive(secret_key, purpose, CODE_BYTES)).decode("ascii")
    return f"{written[:4]}-{written[4:]}"


def introduce(number: Number, contact_id: int, code: str, *, config: Config, now: datetime) -> bool:
    """Know a contact as the owner from now on, because she wrote the code of today or yesterday. Flushes.

    False for another code. Idempotent. Who was known under the owner's number before is joined with her.
    """
    days = (timedelta(days=back) for back in range(CODE_LASTS_DAYS))
    codes = [code_of(number, config.secret_key, now - back) for back in days]
    if not number.owner_phone or not any(_is_same(code, known) for known in codes):
        return False
    if is_owner(number, contact_id):
        return True
    contact = db.session.get_one(Contact, contact_id)
    others = select(ContactIdentity.contact_id).where(
        ContactIdentity.account == number.identity_account,
        ContactIdentity.kind == "wa_id",
        ContactIdentity.value.in_(_spellings(number)),
        ContactIdentity.contact_id != contact_id,
    )
    for other_id in sorted(set(db.session.scalars(others))):
        conversations.merge(contact, db.session.get_one(Contact, other_id), now=now)
    if not is_owner(number, contact_id):
        person = Person(wa_id=number.owner_phone.removeprefix("+"))
        conversations.learn(number, contact_id, person, now=now)
    return True


def _is_same(written: str, known: str) -> bool:
    return hmac.compare_digest(written.upper().encode("utf-8", "replace"), known.encode())


def _spellings(number: Number) -> tuple[str, ...]:
    return phone.variants(number.owner_phone.removeprefix("+"))
