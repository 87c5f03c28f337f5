"""What every action of a flow is given and gives: its context, its result, how arguments are read.

`flow_actions` and the rooms that it gathers actions from (`desk_actions`) share these. Decides nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import phone
from alerts import raise_alert
from config import Config
from crm import tickets
from models import Contact, Conversation, db

FAILED: Final = "failed"
NONE: Final = "none"
UNAVAILABLE: Final = "unavailable"
MAX_ID_DIGITS: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionContext:
    """For whom, where and when an action is done. `priority` is the urgency of the message that asked for
    it.
    """

    config: Config
    contact_id: int
    conversation_id: int
    integration_id: int
    language: str
    now: datetime
    message_id: int | None = None
    idempotency_key: str = ""
    flow: str = ""
    priority: str = tickets.DEFAULT_PRIORITY


@dataclass(frozen=True, slots=True)
class ActionResult:
    """How an action ended and what the words that follow may tell; facts are JSON-safe."""

    outcome: str
    facts: Mapping[str, Any] = field(default_factory=dict)


Args = Mapping[str, Any]
Half = Callable[[Args, ActionContext], ActionResult]


@dataclass(frozen=True, slots=True)
class Action:
    """One action: one of the three is set, or `reads` beside `asks_network`, for where nothing is asked."""

    reads: Half | None = None
    asks_network: Half | None = None
    writes: Half | None = None


def phone_of(contact: Contact) -> str:
    """Give the contact's number in E.164, or nothing when WhatsApp hides it."""
    wa_id = contact.identity("wa_id")
    return (phone.normalise(wa_id) or wa_id) if wa_id else ""


def contact_of(ctx: ActionContext) -> Contact:
    return db.session.get_one(Contact, ctx.contact_id)


def conversation_of(ctx: ActionContext) -> Conversation:
    return db.session.get_one(Conversation, ctx.conversation_id)


def alert(kind: str, topic: str, text: str, ctx: ActionContext) -> None:
    raise_alert(kind, topic, text, now=ctx.now, conversation_id=ctx.conversation_id)


def found(name: str, rows: list[dict[str, Any]]) -> ActionResult:
    return ActionResult("found", {name: rows}) if rows else ActionResult(NONE)


def text_arg(args: Args, name: str) -> str:
    value = args.get(name)
    return "" if value is None else str(value).strip()


def whole_arg(args: Args, name: str) -> int | None:
    """Read a whole number that the database can hold; an id comes back from a button as text."""
    written = text_arg(args, name)
    is_number = written.isascii() and written.removeprefix("-").isdecimal() and len(written) <= MAX_ID_DIGITS
    return int(written) if is_number else None
