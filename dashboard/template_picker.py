"""The templates from which an operator chooses for one person: in the locked composer, and to plan one.

Called by the conversation page and by `reach`. Reads only, in one query.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import message_templates
from models import Conversation, MessageTemplate
from providers import templates
from providers.templates import Placeholder, Wording

# The composer stays small; the page for planning has them all.
OFFERED_MAX: Final = 30
TOKEN_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Choice:
    """One template and what it wants to be filled with."""

    row: MessageTemplate
    wording: Wording
    places: tuple[Placeholder, ...]

    def preview(self, values: Mapping[str, str]) -> str:
        """Give the words as the customer reads them; an empty value leaves its placeholder standing."""
        return templates.preview(self.wording, {key: value for key, value in values.items() if value.strip()})


@dataclass(frozen=True, slots=True)
class Picker:
    """What the locked composer offers; `chosen`, `values` and `problem` come back with a form."""

    choices: tuple[Choice, ...]
    has_more: bool
    chosen: int | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    client_token: str = field(default_factory=lambda: secrets.token_urlsafe(TOKEN_BYTES))

    def values_of(self, choice: Choice) -> Mapping[str, str]:
        return self.values if choice.row.id == self.chosen else {}


def read_picker(
    conversation: Conversation,
    chosen: int | None = None,
    values: Mapping[str, str] | None = None,
    problem: str = "",
) -> Picker:
    """Give what may be sent to the person of a conversation; the chosen one is among it."""
    rows = [row for row in offered(conversation) if not _is_unwanted(conversation, row)]
    shown = [row for place, row in enumerate(rows) if place < OFFERED_MAX or row.id == chosen]
    choices = tuple(choice_of(row) for row in shown)
    return Picker(choices, len(rows) > len(shown), chosen, values or {}, problem)


def choice_of(row: MessageTemplate) -> Choice:
    wording = message_templates.wording_of(row)
    return Choice(row, wording, templates.placeholders(wording))


def offered(conversation: Conversation) -> list[MessageTemplate]:
    """List the usable templates of the conversation's number, those in the person's language first."""
    spoken = conversation.contact.language or ""
    rows = message_templates.list_templates(conversation.integration_id, usable=True)
    return sorted(rows, key=lambda row: row.language.partition("_")[0] != spoken)


def _is_unwanted(conversation: Conversation, row: MessageTemplate) -> bool:
    refuses = conversation.contact.refuses_marketing_at is not None
    return refuses and row.category == message_templates.MARKETING
