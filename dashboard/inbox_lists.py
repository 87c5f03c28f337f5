"""The lists of conversations that pages show: by keyset, each page in two queries however much is stored.

Called by the overview, the inbox and the navigation. Reads only.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import joinedload

from models import Contact, ContactIdentity, Conversation, db

PAGE_SIZE: Final = 30
# A number in the navigation is read at a glance; beyond this it says "99+".
COUNTED_AT_MOST: Final = 100
PHONE_DIGITS_MIN: Final = 3
SEARCH_MAX_CHARS: Final = 80

IS_WITH_PERSON: Final = Conversation.handler == "human"
IS_WAITING: Final = and_(IS_WITH_PERSON, Conversation.unread_count > 0)
FILTERS: Final[dict[str, ColumnElement[bool] | None]] = {
    "all": None,
    "waiting": IS_WAITING,
    "person": IS_WITH_PERSON,
    "bot": Conversation.handler == "bot",
}


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the list: the conversation after which a page begins."""

    at: datetime
    conversation_id: int

    def __str__(self) -> str:
        return f"{int(self.at.timestamp() * 1_000_000)}-{self.conversation_id}"

    @classmethod
    def read(cls, text: str) -> "Place | None":
        """Read what `str` wrote; None for anything else."""
        match = re.fullmatch(r"(\d{1,17})-(\d{1,18})", text, re.ASCII)
        if match is None:
            return None
        micros = int(match[1])
        try:
            moment = datetime.fromtimestamp(micros // 1_000_000, UTC)
        except (ValueError, OverflowError, OSError):
            return None
        return cls(moment.replace(microsecond=micros % 1_000_000), int(match[2]))


@dataclass(frozen=True, slots=True)
class InboxPage:
    conversations: tuple[Conversation, ...]
    next_place: Place | None


def inbox_page(handler: str, search: str, after: Place | None, size: int = PAGE_SIZE) -> InboxPage:
    """Give one page of conversations, the newest message first."""
    query = _with_people(select(Conversation)).where(Conversation.last_message_at.is_not(None))
    condition = FILTERS.get(handler)
    if condition is not None:
        query = query.where(condition)
    if search:
        query = query.where(Conversation.contact_id.in_(_found_contacts(search)))
    if after is not None:
        query = query.where(_comes_after(after))
    query = query.order_by(Conversation.last_message_at.desc(), Conversation.id.desc()).limit(size + 1)
    rows = tuple(db.session.scalars(query))
    return InboxPage(rows[:size], _place_of(rows[size - 1]) if len(rows) > size else None)


def waiting_conversations(limit: int) -> tuple[Conversation, ...]:
    """Give who has waited longest for a person."""
    query = _with_people(select(Conversation)).where(IS_WAITING)
    return tuple(db.session.scalars(query.order_by(Conversation.last_inbound_at).limit(limit)))


def waiting_count() -> int:
    """Count who waits for a person, up to COUNTED_AT_MOST."""
    some = select(Conversation.id).where(IS_WAITING).limit(COUNTED_AT_MOST).subquery()
    return db.session.scalar(select(func.count()).select_from(some)) or 0


def _with_people(query: Select[Conversation]) -> Select[Conversation]:
    return query.options(
        joinedload(Conversation.contact).selectinload(Contact.identities),
        joinedload(Conversation.integration),
    )


def _comes_after(place: Place) -> ColumnElement[bool]:
    # Written out, because MariaDB uses no index for a comparison of rows.
    return and_(
        Conversation.last_message_at <= place.at,
        or_(Conversation.last_message_at < place.at, Conversation.id < place.conversation_id),
    )


def _place_of(conversation: Conversation) -> Place | None:
    at = conversation.last_message_at
    return Place(at, conversation.id) if at else None


def _found_contacts(search: str) -> Select[int]:
    search = search[:SEARCH_MAX_CHARS]
    found = select(Contact.id).where(Contact.name.icontains(search, autoescape=True))
    digits = "".join(character for character in search if character.isdecimal() and character.isascii())
    if len(digits) >= PHONE_DIGITS_MIN:
        owners = select(ContactIdentity.contact_id).where(ContactIdentity.value.contains(digits))
        found = select(Contact.id).where(
            or_(Contact.name.icontains(search, autoescape=True), Contact.id.in_(owners))
        )
    elif search.startswith("@"):
        owners = select(ContactIdentity.contact_id).where(
            ContactIdentity.kind == "username",
            ContactIdentity.value.icontains(search.lstrip("@"), autoescape=True),
        )
        found = select(Contact.id).where(Contact.id.in_(owners))
    return found
