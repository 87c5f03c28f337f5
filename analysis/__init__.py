"""Local reading of a chat text: language, what is wanted, how it is said, and what it names; no key, no network.

Called by `ai_service`, the pipeline and the command `analyze`. Pure: a text and a `now` in, a `Reading` out; it
reads the packaged data files and never a database, and it learns nothing while reading.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from .entities import Entity, find_entities
from .language import identify

__all__ = ["Entity", "Reading", "read"]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a message says: one label of each closed list with its confidence (0 to 1), and the entities."""

    language: str
    language_confidence: float
    intent: str
    intent_confidence: float
    buying_signal: str | None
    buying_signal_confidence: float
    sentiment: str
    sentiment_confidence: float
    sentiment_score: float
    urgency: str
    urgency_confidence: float
    entities: tuple[Entity, ...]

    def to_json(self) -> dict[str, Any]:
        """Give plain values for JSON, as the command `analyze` prints them."""
        plain = asdict(self)
        plain["entities"] = [asdict(entity) for entity in self.entities]
        return plain


def read(text: str, *, now: datetime, region: str | None = None, language: str | None = None) -> Reading:
    """Read one message.

    `now` is timezone-aware and settles "tomorrow"; `region` is a country code and settles "$" and 03/04;
    `language` is the conversation's language so far, believed when the text itself says little.
    """
    found, confidence = identify(text, prior=language)
    return Reading(
        language=found,
        language_confidence=confidence,
        intent="other",
        intent_confidence=0.5,
        buying_signal=None,
        buying_signal_confidence=0.5,
        sentiment="neutral",
        sentiment_confidence=0.5,
        sentiment_score=0.0,
        urgency="low",
        urgency_confidence=0.5,
        entities=find_entities(text, now=now, region=region, language=found),
    )
