"""People who write to us: made, read, corrected, asked to be left alone, and deleted for good."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, RootModel
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import selectinload

import conversations
import integrations
import media
import privacy
from api import shapes
from api.doors import PREFIX, Body, Refused, Written, endpoint, found
from api.kinds import BodyId, Bsuid, Clean, Flag, OneOf, Phone
from api.paging import DatedQuery, Page, PageQuery, narrowed, page
from auth import current_config
from conversations import JoinedMeanwhile
from models import Contact, ContactField, db, utc_now
from outreach import address_book
from privacy import erasures
from providers.base import Person
from vocabulary import LANGUAGES

Language = Annotated[str, OneOf(LANGUAGES)]
Custom = Annotated[
    dict[
        Annotated[str, Field(min_length=1, max_length=60)],
        Annotated[str, Field(max_length=address_book.VALUE_MAX_CHARS), Clean],
    ],
    Field(max_length=address_book.FIELDS_MOST),
]


class ContactQuery(DatedQuery):
    phone: Annotated[str, Field(min_length=3, max_length=40), Clean] | None = Field(
        default=None, description="In any spelling; also a business-scoped id or an @username."
    )
    email: Annotated[str, Field(max_length=255), Clean] | None = None
    language: Language | None = None
    opted_out: Flag | None = None


class ContactWords(Body):
    """What a program knows of a person beside her number."""

    name: Annotated[str, Field(max_length=255), Clean] | None = None
    email: Annotated[str, Field(max_length=255), Clean] | None = None
    language: Language | None = None
    custom: Custom = Field(
        default={},
        description="The shop's own fields by their names (`GET /api/v1/contact-fields`); an empty text "
        "empties one.",
    )
    opted_out: Literal[True] | None = Field(
        default=None,
        description="Nothing is sent any more, and what waits is cancelled. Only the person ends it, by "
        "writing.",
    )
    refuses_marketing: Literal[True] | None = Field(
        default=None, description="No campaign reaches her any more. Only the person ends it, too."
    )


class ContactChange(ContactWords):
    """Only what is named changes."""


class _Newcomer(ContactWords):
    integration_id: BodyId = Field(description="The number of ours that she is a contact of.")


class ContactByPhone(_Newcomer):
    """A person by her telephone number."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "integration_id": 1,
                    "phone": "+5511987654321",
                    "name": "Mariana Alves",
                    "email": "mariana@example.com",
                    "language": "pt",
                }
            ]
        }
    )

    phone: Phone
    bsuid: Bsuid | None = None


class ContactById(_Newcomer):
    """A person whose number is not known, by her business-scoped user id."""

    bsuid: Bsuid


class NewContact(RootModel[ContactByPhone | ContactById]):
    model_config = ConfigDict(frozen=True)


class Forgotten(shapes.Shape):
    """How much a deletion took away, and its receipt, which is for the person."""

    receipt: str
    contacts: int
    conversations: int
    messages: int
    records: int
    webhook_events: int
    files: int


@endpoint("GET", "/contacts", scope="contacts:read")
def list_contacts(asked: ContactQuery) -> Page[shapes.Contact]:
    """List contacts."""
    query = select(Contact).where(Contact.merged_into_id.is_(None)).options(selectinload(Contact.identities))
    query = narrowed(query, asked, Contact.created_at, email=Contact.email, language=Contact.language)
    if asked.phone is not None:
        people = privacy.find_people(asked.phone)
        query = query.where(Contact.id.in_([person.id for person in people]))
    if asked.opted_out is not None:
        is_out = Contact.opted_out_at.is_not(None)
        query = query.where(is_out if asked.opted_out else ~is_out)
    return page(query, Contact.id, asked, _shapes)


@endpoint("GET", "/contacts/<int:contact_id>", scope="contacts:read")
def get_contact(contact_id: int) -> shapes.Contact:
    """Get one contact."""
    return _shapes([_find(contact_id)])[0]


@endpoint("GET", "/contact-fields", scope="contacts:read")
def list_contact_fields(asked: PageQuery) -> Page[shapes.ContactField]:
    """List the shop's own fields of contacts."""
    query = select(ContactField)
    return page(query, ContactField.id, asked, lambda rows: [shapes.ContactField.of(row) for row in rows])


@endpoint(
    "POST",
    "/contacts",
    scope="contacts:write",
    status=201,
    refusals=("known", "number_off", "conflict"),
)
def create_contact(said: NewContact) -> Written[shapes.Made]:
    """Make a contact and its conversation; `known` says in `Location` who has this number already."""
    told, now = said.root, utc_now()
    number = integrations.number(told.integration_id)
    if number is None:
        raise Refused("number_off", "There is no such number, or it is switched off.")
    wa_id = told.phone.removeprefix("+") if isinstance(told, ContactByPhone) else None
    try:
        row = address_book.add(number, Person(wa_id=wa_id, bsuid=told.bsuid, name=told.name), now=now)
    except address_book.Known as known:
        where = f"{PREFIX}/contacts/{known.contact_id}"
        raise Refused("known", f"This is contact {known.contact_id}.", url=where) from known
    except (IntegrityError, JoinedMeanwhile) as error:
        raise Refused("conflict", "Another request makes this contact right now: ask again.") from error
    _write(row, told)
    return Written(shapes.Made(id=row.id, url=f"{PREFIX}/contacts/{row.id}"))


@endpoint(
    "PATCH", "/contacts/<int:contact_id>", scope="contacts:write", refusals=("conflict",), locks=Contact
)
def change_contact(contact_id: int, said: ContactChange) -> Written[shapes.Contact]:
    """Correct a contact, or note that the person wants no more messages, or no more advertisements."""
    row = _find(contact_id)
    if row.merged_into_id is not None:
        raise Refused("conflict", f"This contact is contact {row.merged_into_id} now.")
    _write(row, said)
    db.session.refresh(row)
    return Written(_shapes([row])[0])


@endpoint("DELETE", "/contacts/<int:contact_id>", scope="contacts:write", locks=Contact)
def delete_contact(contact_id: int) -> Written[Forgotten]:
    """Delete a person for good: threads, messages, records and files, on every number."""
    config = current_config()
    deleted, kept = erasures.erase(
        privacy.everywhere(_find(contact_id)), asked_by="program", secret_key=config.secret_key, now=utc_now()
    )
    return Written(
        Forgotten(
            receipt=kept.receipt,
            contacts=deleted.contacts,
            conversations=deleted.conversations,
            messages=deleted.messages,
            records=deleted.records,
            webhook_events=deleted.webhook_events,
            files=len(deleted.media_paths),
        ),
        after=[partial(media.remove, deleted.media_paths, config.media_dir)],
    )


def _find(contact_id: int) -> Contact:
    query = select(Contact).where(Contact.id == contact_id).options(selectinload(Contact.identities))
    return found(db.session.scalar(query))  # type: ignore[no-any-return]


def _write(row: Contact, told: ContactWords) -> None:
    words = {
        name: getattr(told if name in told.model_fields_set else row, name) or ""
        for name in ("name", "email", "language")
    }
    address_book.save(row, **words, custom=_custom(told.custom))
    if told.opted_out:
        conversations.opt_out(row.id, now=utc_now())
    if told.refuses_marketing:
        conversations.set_marketing_preference(row.id, wants_marketing=False, now=utc_now())


def _custom(told: Mapping[str, str]) -> dict[int, str]:
    if not told:
        return {}
    ids = {one.name.lower(): one.id for one in address_book.fields()}
    unknown = sorted(name for name in told if name.lower() not in ids)
    if unknown:
        raise Refused("conflict", f"Contacts have no field {unknown[0]!r}: people add fields at their desk.")
    return {ids[name.lower()]: text for name, text in told.items()}


def _shapes(rows: Sequence[Contact]) -> list[shapes.Contact]:
    names = {str(one.id): one.name for one in address_book.fields()}
    return [shapes.Contact.of(row, identities=_in_use(row), custom=_named(row, names)) for row in rows]


def _named(row: Contact, names: Mapping[str, str]) -> dict[str, str]:
    return {names[key]: str(text) for key, text in (row.custom or {}).items() if key in names}


def _in_use(row: Contact) -> list[shapes.Identity]:
    return [shapes.Identity.of(one) for one in row.identities if one.replaced_at is None]
