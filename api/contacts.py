"""People who write to us: read, corrected, asked to be left alone, and deleted for good."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Literal

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import selectinload

import conversations
import media
import privacy
from api import shapes
from api.doors import Body, Refused, Written, endpoint, found
from api.kinds import Clean, Flag, OneOf
from api.paging import DatedQuery, Page, narrowed, page
from auth import current_config
from models import Contact, db, utc_now
from privacy import erasures
from vocabulary import LANGUAGES

Language = Annotated[str, OneOf(LANGUAGES)]


class ContactQuery(DatedQuery):
    phone: Annotated[str, Field(min_length=3, max_length=40), Clean] | None = Field(
        default=None, description="In any spelling; also a business-scoped id or an @username."
    )
    email: Annotated[str, Field(max_length=255), Clean] | None = None
    language: Language | None = None
    opted_out: Flag | None = None


class ContactChange(Body):
    """Only what is named changes."""

    name: Annotated[str, Field(max_length=255), Clean] | None = None
    email: Annotated[str, Field(max_length=255), Clean] | None = None
    language: Language | None = None
    opted_out: Literal[True] | None = Field(
        default=None,
        description="Nothing is sent any more, and what waits is cancelled. Only the person ends it, by "
        "writing.",
    )


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


@endpoint(
    "PATCH", "/contacts/<int:contact_id>", scope="contacts:write", refusals=("conflict",), locks=Contact
)
def change_contact(contact_id: int, said: ContactChange) -> Written[shapes.Contact]:
    """Correct a contact, or note that the person wants no more messages."""
    row = _find(contact_id)
    if row.merged_into_id is not None:
        raise Refused("conflict", f"This contact is contact {row.merged_into_id} now.")
    for name in sorted(said.model_fields_set - {"opted_out"}):
        setattr(row, name, getattr(said, name) if name == "language" else (getattr(said, name) or "").strip())
    db.session.flush()
    if said.opted_out:
        now = utc_now()
        conversations.opt_out(contact_id, now=now)
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


def _shapes(rows: Sequence[Contact]) -> list[shapes.Contact]:
    return [shapes.Contact.of(row, identities=_in_use(row)) for row in rows]


def _in_use(row: Contact) -> list[shapes.Identity]:
    return [shapes.Identity.of(one) for one in row.identities if one.replaced_at is None]
