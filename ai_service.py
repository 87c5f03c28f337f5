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
from answers import courtesy_of
from menu_flows import MENU, PERSON, shipped
from message_content import Choice, Content, Menu, Text
from triage import CLEAR_INTENT

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
    return Reply((Menu(body, _ways_on(language, start_flow)),), f"fixed text: {intent}")


def receive_media(kind: str, *, language: str, has_question: bool = False) -> Reply:
    """Thank for a file that cannot be read here, and say what to do instead.

    While a typed answer is awaited no menu comes with it: "1" may be the answer.
    """
    name = MEDIA_TEXTS.get(kind, "cannot_read")
    body = texts.text(name, language)
    content = Text(body) if has_question else Menu(body, _ways_on(language, "desk"))
    return Reply((content,), f"fixed text: {name}")


def be_polite(text: str, *, language: str) -> Reply:
    """Answer thanks, an okay or a farewell in a word."""
    name = f"courtesy_{courtesy_of(text) or 'okay'}"
    return Reply((Text(texts.text(name, language)),), f"fixed text: {name}")


def _ways_on(language: str, start_flow: str) -> tuple[Choice, ...]:
    return (
        Choice(f"{start_flow}/{MENU}", texts.text("title_menu", language)),
        Choice(f"{start_flow}/{PERSON}", texts.text("title_person", language)),
    )
