"""The shop's address book: contacts with fields of its own, looked up, taken in from a file, joined.

Admins' pages and programs call it. Verbs flush and never commit.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import selectinload

import conversations
from integrations import Number
from models import Contact, ContactField, ContactIdentity, db
from outreach.lists import PeopleList
from outreach.threads import begin, known_contacts, match_key
from providers.base import Person

COLUMNS: Final = ("id", "name", "phone", "email", "language", "country", "opted_out", "created_at")
PAGE_SIZE: Final = 50
FIELDS_MOST: Final = 30
VALUE_MAX_CHARS: Final = 500
EXPORT_CHUNK: Final = 1_000
PHONE_DIGITS_MIN: Final = 3
PAIRS_SHOWN: Final = 20
LINES_SHOWN: Final = 20


class FieldTaken(ValueError):
    """There is a field or a column with this name, none was given, or there are too many."""


class Known(ValueError):
    """There is a contact with this telephone number or id: `contact_id`."""

    def __init__(self, contact_id: int) -> None:
        super().__init__(contact_id)
        self.contact_id = contact_id


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What a file brought: new contacts, changed ones, and lines without a telephone number."""

    new: int
    changed: int
    refused: tuple[int, ...]


# --- fields -------------------------------------------------------------------------------------------------


def fields() -> Sequence[ContactField]:
    return db.session.scalars(select(ContactField).order_by(ContactField.position, ContactField.id)).all()


def add_field(name: str, *, now: datetime) -> ContactField:
    """Add a field to every contact. Raises FieldTaken. Flushes."""
    known = fields()
    if len(known) >= FIELDS_MOST:
        raise FieldTaken(name)
    row = ContactField(name=_free_name(name, known), position=len(known), created_at=now)
    db.session.add(row)
    _flush_field(row)
    return row


def rename_field(row: ContactField, name: str) -> None:
    """Call a field otherwise; what stands in it stays. Raises FieldTaken. Flushes."""
    row.name = _free_name(name, [one for one in fields() if one.id != row.id])
    _flush_field(row)


def drop_field(row: ContactField) -> int:
    """Delete a field with what stands in it, and count the contacts that had a value. Flushes."""
    key, emptied = str(row.id), 0
    filled = select(Contact).where(Contact.custom.is_not(None)).execution_options(yield_per=PAGE_SIZE)
    for contact in db.session.scalars(filled):
        custom = dict(contact.custom or {})
        if custom.pop(key, None) is not None:  # a later field may get the same id
            contact.custom = custom or None
            emptied += 1
    db.session.delete(row)
    db.session.flush()
    return emptied


def _free_name(name: str, known: Sequence[ContactField]) -> str:
    name = _clean(name, 60)
    if not name or name.lower() in {*COLUMNS, *(one.name.lower() for one in known)}:
        raise FieldTaken(name)
    return name


def _flush_field(row: ContactField) -> None:
    name = row.name
    try:
        db.session.flush()
    except IntegrityError as error:
        raise FieldTaken(name) from error


# --- people -------------------------------------------------------------------------------------------------


def search(words: str, before: int | None, limit: int = PAGE_SIZE) -> Sequence[Contact]:
    """List contacts by name, e-mail or telephone number, the newest first, from before one id on."""
    query = select(Contact).where(Contact.merged_into_id.is_(None))
    if before is not None:
        query = query.where(Contact.id < before)
    if words:
        query = query.where(matching(words))
    query = query.options(selectinload(Contact.identities))
    return db.session.scalars(query.order_by(Contact.id.desc()).limit(limit)).all()


def matching(words: str) -> ColumnElement[bool]:
    """Tell that a contact's name, e-mail or telephone number holds these words."""
    like = f"%{words.lower().replace('|', '||').replace('%', '|%').replace('_', '|_')}%"
    digits = "".join(sign for sign in words if sign.isdecimal() and sign.isascii())
    wanted = [
        func.lower(Contact.name).like(like, escape="|"),
        func.lower(Contact.email).like(like, escape="|"),
    ]
    if len(digits) >= PHONE_DIGITS_MIN:
        owners = select(ContactIdentity.contact_id).where(ContactIdentity.value.like(f"%{digits}%"))
        wanted.append(Contact.id.in_(owners))
    return or_(*wanted)


def add(number: Number, person: Person, *, now: datetime) -> Contact:
    """Make the contact of a person who has not written to us, and the thread with her. Flushes. Raises Known,
    and as `threads.begin` does."""
    known = conversations.contacts_of(number, person)
    if known:
        raise Known(known[0].id)
    return db.session.get_one(Contact, begin(number, person, now=now).contact_id)


def save(contact: Contact, *, name: str, email: str, language: str, custom: Mapping[int, str]) -> None:
    """Keep what somebody wrote of a contact; an empty value empties its field. Flushes."""
    contact.name, contact.email = _clean(name, 255), _clean(email, 255)
    contact.language = language or None
    contact.custom = _with(contact.custom, custom)
    db.session.flush()


def pairs() -> list[tuple[str, list[Contact]]]:
    """Give telephone numbers under which there is more than one contact, with them."""
    twice = db.session.scalars(
        select(ContactIdentity.value)
        .where(ContactIdentity.kind == "wa_id", ContactIdentity.replaced_at.is_(None))
        .group_by(ContactIdentity.value)
        .having(func.count(ContactIdentity.contact_id.distinct()) > 1)
        .limit(PAIRS_SHOWN)
    ).all()
    rows = db.session.execute(
        select(ContactIdentity.value, Contact)
        .join(Contact, Contact.id == ContactIdentity.contact_id)
        .where(ContactIdentity.value.in_(twice), Contact.merged_into_id.is_(None))
        .order_by(Contact.id)
    ).all()
    found: dict[str, list[Contact]] = {}
    for value, contact in rows:
        if contact not in found.setdefault(value, []):
            found[value].append(contact)
    return [(value, contacts) for value, contacts in found.items() if len(contacts) > 1]


@dataclass(frozen=True, slots=True)
class Joined:
    """What two contacts are when they are one."""

    name: str
    email: str
    custom: Mapping[str, str]


def joined(survivor: Contact, other: Contact) -> Joined:
    """Tell what stays of both: the survivor's own words, where it has any."""
    custom = {**(other.custom or {}), **(survivor.custom or {})}
    return Joined(survivor.name or other.name, survivor.email or other.email, custom)


def lost(survivor: Contact, other: Contact) -> list[str]:
    """Give the words of the other that the survivor's take the place of."""
    after = joined(survivor, other)
    custom = [(text, after.custom[key]) for key, text in (other.custom or {}).items()]
    pairs = [(other.name, after.name), (other.email, after.email), *custom]
    return [own for own, stays in pairs if own and own != stays]


def join(survivor: Contact, other: Contact, *, now: datetime) -> None:
    """Make two contacts one: everything of the other goes to the survivor, and `joined` says what stays.
    It cannot be undone. Raises JoinedMeanwhile. Flushes."""
    after = joined(survivor, other)
    conversations.merge(survivor, other, now=now)
    survivor.name, survivor.email = after.name, after.email
    survivor.custom, other.custom = dict(after.custom) or None, None
    db.session.flush()


# --- files --------------------------------------------------------------------------------------------------


def take_in(number: Number, listed: PeopleList, *, now: datetime) -> TakenIn:
    """Make or complete the contacts of a file under one of our numbers. A name that is known stays; a column
    that is named as a field of ours fills it. Flushes. Idempotent."""
    by_name = {one.name.lower(): one.id for one in fields()}
    known = known_contacts(number, (person.wa_id for person in listed.people if person.wa_id))
    contacts = {
        one.id: one for one in db.session.scalars(select(Contact).where(Contact.id.in_(known.values())))
    }
    new = changed = 0
    refused = []
    seen: set[str] = set()
    for person in listed.people:
        if person.wa_id is None:
            refused.append(person.line)
            continue
        if person.wa_id in seen:
            continue
        seen.add(person.wa_id)
        values = {
            by_name[key.lower()]: text for key, text in person.columns.items() if key.lower() in by_name
        }
        email = next((text for key, text in person.columns.items() if key.lower() in ("email", "e-mail")), "")
        key = match_key(person.wa_id)
        if key in known:
            changed += 1
        else:
            someone = Person(wa_id=person.wa_id, name=person.name or None)
            known[key] = begin(number, someone, now=now).contact_id
            contacts[known[key]] = db.session.get_one(Contact, known[key])
            new += 1
        contact = contacts[known[key]]
        save(
            contact,
            name=contact.name or person.name,
            email=contact.email or email,
            language=contact.language or person.language,
            custom={key: text for key, text in values.items() if text},
        )
    return TakenIn(new, changed, tuple(refused[:LINES_SHOWN]))


def rows() -> Iterator[list[str]]:
    """Give the address book as rows of text, the names of the columns first."""
    known = fields()
    yield [
        *COLUMNS,
        *(one.name for one in known),
    ]
    after = 0
    while True:
        query = (
            select(Contact)
            .where(Contact.id > after, Contact.merged_into_id.is_(None))
            .options(selectinload(Contact.identities))
            .order_by(Contact.id)
            .limit(EXPORT_CHUNK)
        )
        found = db.session.scalars(query).all()
        if not found:
            return
        for contact in found:
            yield [
                str(contact.id),
                contact.name,
                contact.identity("wa_id") or "",
                contact.email,
                contact.language or "",
                contact.country or "",
                "yes" if contact.has_opted_out else "",
                contact.created_at.isoformat(timespec="seconds"),
                *(str((contact.custom or {}).get(str(one.id), "")) for one in known),
            ]
        after = found[-1].id
        db.session.expunge_all()


def _with(kept: Mapping[str, str] | None, custom: Mapping[int, str]) -> dict[str, str] | None:
    merged = {**(kept or {}), **{str(key): _clean(text, VALUE_MAX_CHARS) for key, text in custom.items()}}
    return {key: text for key, text in merged.items() if text} or None


def _clean(text: str, most: int) -> str:
    return " ".join(text.replace("\0", "").split())[:most]
