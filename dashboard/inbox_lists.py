"""The lists of conversations that pages show: by keyset, each page in a few queries however much is stored.

Called by the overview, the inbox and the navigation. Reads only.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from flask import g
from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import joinedload

from dashboard.arguments import SEARCH_MAX_CHARS, row_id
from dashboard.days import midnight
from models import Contact, Conversation, ConversationLabel, Message, db, utc_now
from teamwork import finding
from vocabulary import LANGUAGES, SENTIMENTS

PAGE_SIZE: Final = 30
# A number in the navigation is read at a glance; beyond this it says "99+".
COUNTED_AT_MOST: Final = 100
SHOWN: Final = ("all", "mine", "unassigned", "waiting", "person", "bot", "snoozed", "closed")
# What happened today: who wrote, who was written to, to whom something did not arrive.
TODAY: Final = ("wrote", "sent", "failed")
NOT_ARRIVED: Final = ("failed", "uncertain")
IS_WITH_PERSON: Final = Conversation.handler == "human"


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
class Filters:
    """Which conversations the inbox shows; the page's address is all that knows them."""

    show: str = "all"
    label: int = 0
    sentiment: str = ""
    language: str = ""
    search: str = ""
    today: str = ""
    after: Place | None = None

    @classmethod
    def read(cls, args: Mapping[str, str]) -> "Filters":
        """Read an address; what it does not know counts as not given."""
        search = " ".join(args.get("q", "").replace("\x00", "").split())
        return cls(
            show=_one_of(SHOWN, args.get("show", "")) or "all",
            label=_id_in(args.get("label", "")),
            sentiment=_one_of(SENTIMENTS, args.get("sentiment", "")),
            language=_one_of(LANGUAGES, args.get("language", "")),
            search=search[:SEARCH_MAX_CHARS],
            today=_one_of(TODAY, args.get("today", "")),
            after=Place.read(args.get("after", "")),
        )

    def address(self, **changed: Any) -> dict[str, Any]:
        """Give the arguments of an address that shows the same with `changed`; a change leads to page one."""
        kept = {
            "show": self.show if self.show != "all" else None,
            "label": self.label or None,
            "sentiment": self.sentiment or None,
            "language": self.language or None,
            "q": self.search or None,
            "today": self.today or None,
        }
        merged = {**kept, **changed}
        return {name: value or None for name, value in merged.items()}

    @property
    def is_narrowed(self) -> bool:
        return bool(self.label or self.sentiment or self.language or self.today)


def _one_of(known: tuple[str, ...], written: str) -> str:
    return written if written in known else ""


def _id_in(written: str) -> int:
    try:
        return row_id(written)
    except ValueError:
        return 0


@dataclass(frozen=True, slots=True)
class Said:
    """A message in which a search found its words."""

    message_id: int
    body: str


@dataclass(frozen=True, slots=True)
class InboxPage:
    conversations: tuple[Conversation, ...]
    next_place: Place | None
    said: Mapping[int, Said] = field(default_factory=dict)  # what a search found, by conversation


def inbox_page(filters: Filters, operator_id: int, *, now: datetime, size: int = PAGE_SIZE) -> InboxPage:
    """Give one page of conversations, the newest message first."""
    said = finding.messages_saying(filters.search) if filters.search else {}
    query = _with_people(select(Conversation)).where(
        Conversation.last_message_at.is_not(None), *_conditions(filters, operator_id, now, said)
    )
    if filters.after is not None:
        query = query.where(_comes_after(filters.after))
    query = query.order_by(Conversation.last_message_at.desc(), Conversation.id.desc()).limit(size + 1)
    rows = tuple(db.session.scalars(query))
    shown = rows[:size]
    return InboxPage(shown, _place_of(rows[size - 1]) if len(rows) > size else None, _said(shown, said))


def waiting_conversations(limit: int) -> tuple[Conversation, ...]:
    """Give who has waited longest for a person."""
    query = _with_people(select(Conversation)).where(*_waiting(utc_now()))
    return tuple(db.session.scalars(query.order_by(Conversation.last_inbound_at).limit(limit)))


def waiting_count() -> int:
    """Count who waits for a person, up to COUNTED_AT_MOST; once a request."""
    if "waiting_count" not in g:
        some = select(Conversation.id).where(*_waiting(utc_now())).limit(COUNTED_AT_MOST).subquery()
        g.waiting_count = db.session.scalar(select(func.count()).select_from(some)) or 0
    return int(g.waiting_count)


# --- which ones ---------------------------------------------------------------------------------------------


def _conditions(
    filters: Filters, operator_id: int, now: datetime, said: Mapping[int, int]
) -> list[ColumnElement[bool]]:
    found = _shown(filters, operator_id, now)
    if filters.label:
        labelled = select(ConversationLabel.conversation_id).where(
            ConversationLabel.label_id == filters.label
        )
        found.append(Conversation.id.in_(labelled))
    if filters.sentiment:
        found.append(Conversation.sentiment == filters.sentiment)
    if filters.language:
        speaks = select(Contact.id).where(Contact.language == filters.language)
        found.append(Conversation.contact_id.in_(speaks))
    if filters.today:
        found.append(_today(filters.today, now))
    if filters.search:
        found.append(_matches(filters.search, said))
    return found


def _shown(filters: Filters, operator_id: int, now: datetime) -> list[ColumnElement[bool]]:
    match filters.show:
        case "closed":
            return [Conversation.is_closed.is_(True)]
        case "snoozed":
            return [Conversation.snoozed_until > now]
        case "mine":
            return [IS_WITH_PERSON, Conversation.operator_id == operator_id, *_open(now)]
        case "unassigned":
            return [IS_WITH_PERSON, Conversation.operator_id.is_(None), *_open(now)]
        case "waiting":
            return _waiting(now)
        case "person":
            return [IS_WITH_PERSON, *_open(now)]
        case "bot":
            return [Conversation.handler == "bot", *_open(now)]
    # Whoever looks for a person, or for what a day brought, wants to find it wherever it is.
    return [] if filters.search or filters.today else _open(now)


def _today(what: str, now: datetime) -> ColumnElement[bool]:
    began = midnight(now)
    direction = "in" if what == "wrote" else "out"
    said = select(Message.conversation_id).where(Message.created_at >= began, Message.direction == direction)
    if what == "failed":
        said = said.where(Message.status.in_(NOT_ARRIVED))
    return Conversation.id.in_(said)


def _open(now: datetime) -> list[ColumnElement[bool]]:
    is_awake = or_(Conversation.snoozed_until.is_(None), Conversation.snoozed_until <= now)
    return [~Conversation.is_closed, is_awake]


def _waiting(now: datetime) -> list[ColumnElement[bool]]:
    return [IS_WITH_PERSON, Conversation.unread_count > 0, *_open(now)]


def _matches(search: str, said: Mapping[int, int]) -> ColumnElement[bool]:
    return or_(Conversation.contact_id.in_(finding.people_called(search)), Conversation.id.in_(list(said)))


def _said(page: Iterable[Conversation], said: Mapping[int, int]) -> dict[int, Said]:
    """Give the words that were found in each conversation of a page."""
    ids = [said[conversation.id] for conversation in page if conversation.id in said]
    if not ids:
        return {}
    rows = db.session.execute(
        select(Message.conversation_id, Message.id, Message.body).where(Message.id.in_(ids))
    )
    return {conversation_id: Said(message_id, body) for conversation_id, message_id, body in rows}


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
