"""Understand a message and write a reply; always gives one, with or without a model. Never touches the
database.

The pipeline calls `understand` for each message and `reply` when triage gives the answer to the AI. Without
a key, replies
are the fixed texts of templates/whatsapp in the customer's language, by what was wanted, with the way on as
buttons.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import analysis
import texts
from analysis import Reading
from flow_files import Flow
from menu_flows import MENU, PERSON, shipped
from message_content import Choice, Content, Menu
from triage import CLEAR_INTENT

# Where an intent can be taken further: flow and the choice of its first menu.
DOORS_BY_INTENT: Final = {
    "support_ticket": ("desk", "support"),
    "complaint": ("desk", "complaint"),
    "order_inquiry": ("desk", "orders"),
    "payment_inquiry": ("desk", "payments"),
    "appointment_request": ("desk", "appointment"),
    "feedback": ("desk", "feedback"),
}
MEDIA_TEXTS: Final = {
    "image": "image_received",
    "sticker": "image_received",
    "video": "video_received",
    "audio": "voice_received",
    "document": "document_received",
    "location": "location_received",
    "contacts": "document_received",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What the AI says, and in which way it came to it."""

    contents: tuple[Content, ...]
    source: str


def warm_up(now: datetime) -> None:
    """Load the models and flows that the first message would otherwise wait for."""
    understand("oi", now=now, region=None, language=None)
    shipped()


def understand(text: str, *, now: datetime, region: str | None, language: str | None) -> Reading:
    """Read a message locally; `language` is the conversation's so far, a prior and no more."""
    return analysis.read(text, now=now, region=region, language=language)


def reply(reading: Reading | None, *, language: str, start_flow: str) -> Reply:
    """Answer free text by what it wants; offers the way on and the menu."""
    intent = "other"
    if reading is not None and reading.intent_confidence >= CLEAR_INTENT:
        intent = reading.intent
    body = texts.text(f"reply_{intent}", language)
    return Reply((Menu(body, _ways_on(intent, language, start_flow)),), f"fixed text: {intent}")


def receive_media(kind: str, *, language: str) -> Reply:
    """Thank for a file that cannot be read here, and say what to do instead."""
    name = MEDIA_TEXTS.get(kind, "cannot_read")
    return Reply((Menu(texts.text(name, language), _desk_ways(language)),), f"fixed text: {name}")


def _ways_on(intent: str, language: str, start_flow: str) -> tuple[Choice, ...]:
    flows = shipped()
    flow_name, option = DOORS_BY_INTENT.get(intent, ("", ""))
    door = _door(flows[flow_name], option, language) if flow_name in flows else None
    menu = Choice(f"{start_flow}/{MENU}", texts.text("title_menu", language))
    person = Choice(f"{start_flow}/{PERSON}", texts.text("title_person", language))
    return tuple(choice for choice in (door, menu, person) if choice is not None)


def _desk_ways(language: str) -> tuple[Choice, ...]:
    return _ways_on("other", language, "desk")


def _door(flow: Flow, option_id: str, language: str) -> Choice | None:
    """Make a button that presses an option of a flow's first menu."""
    scene = flow.scene(flow.start)
    for option in scene.choices if scene else ():
        if option.id == option_id:
            title = option.title.get(texts.text_language(language)) or next(iter(option.title.values()))
            return Choice(f"{flow.name}/{flow.start}:{option.id}", title)
    return None
