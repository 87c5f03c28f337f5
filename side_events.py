"""Events that ask for no answer: reactions, edits, the owner's own words, history, new numbers, preferences.

The pipeline calls `record` inside the write transaction of the person's lane. Nothing here answers, and
nothing commits.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import conversations
import received
from integrations import Number
from providers.base import (
    AddressBookEntry,
    Echo,
    Event,
    HistoryMessage,
    IdentityChange,
    InboundMessage,
    Preference,
)

QUIET_KINDS: Final = ("reaction", "edit", "revoke")


def record(number: Number, event: Event, *, now: datetime) -> int | None:
    """Apply one event and give the conversation that it touched; None when there was nothing to do."""
    recorder = _RECORDERS.get(type(event))
    return None if recorder is None else recorder(number, event, now)


def _quiet_message(number: Number, message: InboundMessage, now: datetime) -> int:
    """Store a reaction, an edit or a revocation; the last two change the message that they target."""
    conversation = conversations.admit(number, message.sender, now=now)
    received.store_inbound(conversation.id, number, message, now=now)
    if message.kind != "reaction":
        received.apply_change(conversation.id, number, message)
    return conversation.id


def _echo(number: Number, echo: Echo, now: datetime) -> int:
    """The owner answered on her own phone: the conversation is hers, and the bot's unsent words are
    cancelled."""
    conversation = conversations.admit(number, echo.recipient, now=now)
    reason = "answered on the owner's phone"
    conversations.take_over(conversation, None, now=now, reason=reason, actor="owner")
    received.store_echo(conversation, number, echo.message, now=now)
    return conversation.id


def _history(number: Number, past: HistoryMessage, now: datetime) -> int:
    conversation = conversations.admit(number, past.contact, now=now)
    received.store_history(conversation, number, past, now=now)
    return conversation.id


def _identity_change(number: Number, change: IdentityChange, now: datetime) -> int:
    return conversations.change_identity(number, change.old, change.new, now=now).id


def _preference(number: Number, preference: Preference, now: datetime) -> int:
    conversation = conversations.admit(number, preference.person, now=now)
    conversations.set_marketing_preference(
        conversation.contact_id, wants_marketing=preference.wants_marketing, now=preference.at or now
    )
    return conversation.id


def _address(number: Number, entry: AddressBookEntry, now: datetime) -> int:
    conversation = conversations.admit(number, entry.person, now=now)
    if entry.person.name and not entry.is_removed:
        conversations.rename(number, entry.person, entry.person.name)
    return conversation.id


_RECORDERS: Final[Mapping[type[Event], Callable[[Number, Any, datetime], int]]] = {
    InboundMessage: _quiet_message,
    Echo: _echo,
    HistoryMessage: _history,
    IdentityChange: _identity_change,
    Preference: _preference,
    AddressBookEntry: _address,
}
