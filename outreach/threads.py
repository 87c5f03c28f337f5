"""The thread with a person whom we write to first.

`campaigns` and the address book call it. A known person keeps the id under which she wrote: another spelling
of her number does not replace it. Flushes, never commits.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select

import conversations
import phone
from integrations import Number
from models import ContactIdentity, Conversation, db
from providers.base import Person
from statements import insert_or_ignore


def open_with(number: Number, wa_id: str, name: str, *, now: datetime) -> Conversation:
    """Give the thread with whoever has this phone (digits with country code), made when there is none."""
    known = known_contact(number, wa_id)
    if known is not None:
        return open_with_contact(number, known, now=now)
    return begin(number, Person(wa_id=wa_id, name=name or None), now=now)


def begin(number: Number, person: Person, *, now: datetime) -> Conversation:
    """Give the thread with a person who may be new. Where another begins it at the same time it raises
    JoinedMeanwhile, or meets a unique constraint."""
    is_demo = number.account.provider == "simulator"
    return conversations.admit(number, person, now=now, is_demo=is_demo)


def open_with_contact(number: Number, contact_id: int, *, now: datetime) -> Conversation:
    """Give the thread between a contact and a number, made when there is none."""
    row = {
        "integration_id": number.id,
        "contact_id": contact_id,
        "handler": "bot",
        "handler_reason": "",
        "is_closed": False,
        "unread_count": 0,
        "last_preview": "",
        "pair_blocked_count": 0,
        "last_message_at": now,
        "created_at": now,
    }
    mine = (Conversation.integration_id == number.id, Conversation.contact_id == contact_id)
    found = db.session.scalar(select(Conversation).where(*mine))
    if found is None:
        db.session.execute(insert_or_ignore(Conversation).values(row))
        found = db.session.scalars(select(Conversation).where(*mine)).one()
    return found


def known_contact(number: Number, wa_id: str) -> int | None:
    """Find who has this phone, under any spelling of it."""
    return db.session.scalar(
        select(ContactIdentity.contact_id)
        .where(
            ContactIdentity.account == number.identity_account,
            ContactIdentity.kind == "wa_id",
            ContactIdentity.replaced_at.is_(None),
            ContactIdentity.match_key == match_key(wa_id),
        )
        .order_by(ContactIdentity.contact_id)
        .limit(1)
    )


def known_contacts(number: Number, wa_ids: Iterable[str]) -> dict[str, int]:
    """Find who has these phones: contacts by `match_key`, the oldest of several. One query."""
    rows = db.session.execute(
        select(ContactIdentity.match_key, ContactIdentity.contact_id)
        .where(
            ContactIdentity.account == number.identity_account,
            ContactIdentity.kind == "wa_id",
            ContactIdentity.replaced_at.is_(None),
            ContactIdentity.match_key.in_({match_key(wa_id) for wa_id in wa_ids}),
        )
        .order_by(ContactIdentity.contact_id.desc())
    )
    return {row.match_key: row.contact_id for row in rows}


def match_key(wa_id: str) -> str:
    """Give what all spellings of a number share."""
    return min(phone.variants(wa_id))
