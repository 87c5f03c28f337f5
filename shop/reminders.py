"""Follow-ups outside the 24-hour window: filled into the approved templates that people made for them.

`nudges` calls these. A template counts by its name: follow_up_cart, follow_up_order or follow_up_lead. Its
variables are the customer's first name, what was left behind, what it costs and the order's number, in this
sequence or by the names `name`, `goods`, `total`, `number`. Flushes, never commits.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import message_templates
from models import MessageTemplate
from providers.templates import placeholders

NAME: Final = "follow_up_{kind}"
PURPOSE: Final = "follow_up"
HEADER: Final = "header:"
NAMELESS: Final = "👋"


def template_of(integration_id: int, kind: str, language: str) -> MessageTemplate | None:
    """Give the template that may be sent about something of this kind, None when there is none."""
    return message_templates.find(integration_id, NAME.format(kind=kind), language)


def values_of(row: MessageTemplate, told: Mapping[str, str]) -> dict[str, str]:
    """Give each variable of the template its value; what nothing is told of is left out."""
    by_place = {str(place): value for place, value in enumerate(told.values(), start=1)}
    known = {key: value for key, value in (by_place | dict(told)).items() if value}
    wanted = (one.key for one in placeholders(message_templates.wording_of(row)))
    return {key: known[key.removeprefix(HEADER)] for key in wanted if key.removeprefix(HEADER) in known}


def payloads_of(row: MessageTemplate, choice_ids: Sequence[str]) -> dict[int, str]:
    """Give each quick reply of the template, in their order, what it does in the flow."""
    buttons = message_templates.wording_of(row).buttons
    replies = (place for place, button in enumerate(buttons) if button.kind == "quick_reply")
    return dict(zip(replies, choice_ids, strict=False))


def queue(
    conversation_id: int,
    row: MessageTemplate,
    values: Mapping[str, str],
    payloads: Mapping[int, str],
    *,
    turn_id: int,
    now: datetime,
) -> int:
    """Queue the template and give its message's id. Flushes. Raises TemplateRefused."""
    return message_templates.queue(
        conversation_id, row, values, purpose=PURPOSE, now=now, turn_id=turn_id, payloads=payloads
    )
