"""Local reading of a chat text: its language, what is wanted, how it is said, what it names; no network.

Called by `ai_service`, the pipeline and the command `analyze`. Pure: a text and a `now` in, a `Reading`
out; it reads the packaged data files and never a database, and it learns nothing while reading.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from vocabulary import LANGUAGES

from .buying_signal import read_buying_signal
from .entities import Entity, find_entities
from .intent import read_intent
from .judging import Models, Pattern, prepare
from .language import language_shares
from .sentiment import read_sentiment
from .urgency import LOW, read_urgency

__all__ = ["Entity", "Models", "Pattern", "Reading", "read"]

MAX_CHARACTERS: Final = 4096  # WhatsApp's own limit for a text
SPAM: Final = "spam"
OTHER: Final = "other"
SHOPPING: Final = "lead_inquiry"
SURE_INTENT: Final = 0.7
# Who clearly wants to buy is a lead, also when the words name no service.
SHOPPERS_SIGNALS: Final = frozenset({"initial_interest", "ready_to_buy"})
SURE_SIGNAL: Final = 0.75


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


def read(
    text: str,
    *,
    now: datetime,
    region: str | None = None,
    language: str | None = None,
    models: Models | None = None,
) -> Reading:
    """Read one message.

    `now` is timezone-aware and settles "tomorrow"; `region` is a country code and settles "$" and 03/04;
    `language` is the conversation's language so far, believed when the text itself says little; `models` are
    a
    business's own, trained on its examples, in place of the shipped ones.
    """
    text = text[:MAX_CHARACTERS]
    models = models or Models()
    shares = language_shares(text, prior=language)
    message = prepare(text, shares)
    found = message.languages[0]
    intent, intent_confidence = read_intent(message, models)
    sure_intent = intent if intent_confidence >= SURE_INTENT or intent == SHOPPING else ""
    signal, signal_confidence = read_buying_signal(message, models, sure_intent)
    if intent == OTHER and signal in SHOPPERS_SIGNALS and signal_confidence >= SURE_SIGNAL:
        intent, intent_confidence = SHOPPING, round(signal_confidence * SURE_SIGNAL, 4)
    sentiment, sentiment_confidence, score = read_sentiment(message, models)
    urgency, urgency_confidence = read_urgency(message, models)
    if intent == SPAM:
        signal, urgency = None, LOW
    return Reading(
        language=found,
        language_confidence=round(shares[found], 4),
        intent=intent,
        intent_confidence=intent_confidence,
        buying_signal=signal,
        buying_signal_confidence=signal_confidence,
        sentiment=sentiment,
        sentiment_confidence=sentiment_confidence,
        sentiment_score=score,
        urgency=urgency,
        urgency_confidence=urgency_confidence,
        entities=find_entities(text, now=now, region=region, languages=_spoken(message.languages, language)),
    )


def _spoken(found: tuple[str, ...], prior: str | None) -> tuple[str, ...]:
    """Add the conversation's language to those the text seems to be in."""
    return found if prior is None or prior in found or prior not in LANGUAGES else (*found, prior)
