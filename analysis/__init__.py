"""Local reading of a chat text: its language, what is wanted, how it is said, what it names; no network.

Called by `ai_service`, the pipeline and the command `analyze`. Pure: a text and a `now` in, a `Reading`
out; it reads the packaged data files and never a database, and it learns nothing while reading.
"""

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final

from vocabulary import LANGUAGES

from .buying_signal import NO_SIGNAL, read_buying_signal
from .entities import Entity, find_entities
from .intent import read_intent
from .judging import PATTERN_CONFIDENCE, Message, Models, Pattern, prepare
from .language import language_shares
from .sentiment import read_sentiment
from .urgency import LOW, read_urgency

__all__ = ["Entity", "Judgement", "Models", "Pattern", "Reading", "complete", "judge", "read"]

MAX_CHARACTERS: Final = 4096  # WhatsApp's own limit for a text
SPAM: Final = "spam"
OTHER: Final = "other"
SHOPPING: Final = "lead_inquiry"
SURE_INTENT: Final = 0.7
# Who clearly wants to buy is a lead, also when the words name no service.
SHOPPERS_SIGNALS: Final = frozenset({"initial_interest", "ready_to_buy"})
SURE_SIGNAL: Final = 0.75


@dataclass(frozen=True, slots=True)
class Judgement:
    """What of a reading does not depend on when and where it is read: it may be kept by text and models."""

    languages: tuple[str, ...]
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
    judgement = judge(text, language=language, models=models or Models())
    return complete(judgement, text, now=now, region=region, language=language)


def judge(text: str, *, language: str | None, models: Models) -> Judgement:
    """Name a message's languages and its four labels: the same for the same text, language and models."""
    text = text[:MAX_CHARACTERS]
    shares = language_shares(text, prior=language)
    message = prepare(text, shares)
    intent, intent_confidence = read_intent(message, models)
    sure_intent = intent if intent_confidence >= SURE_INTENT or intent == SHOPPING else ""
    unasked = intent_confidence if intent == OTHER else 0.0
    signal, signal_confidence = read_buying_signal(message, models, sure_intent, unasked)
    if intent == OTHER and signal in SHOPPERS_SIGNALS and signal_confidence >= SURE_SIGNAL:
        intent, intent_confidence = SHOPPING, round(signal_confidence * SURE_SIGNAL, 4)
    sentiment, sentiment_confidence, score = read_sentiment(message, models, unasked)
    urgency, urgency_confidence = read_urgency(message, models, unasked)
    if intent == SPAM:
        signal, urgency = None, LOW
    elif message.tells_danger:
        signal = None  # nobody buys while the kitchen burns
    judgement = Judgement(
        languages=message.languages,
        language_confidence=round(shares[message.languages[0]], 4),
        intent=intent,
        intent_confidence=intent_confidence,
        buying_signal=signal,
        buying_signal_confidence=signal_confidence,
        sentiment=sentiment,
        sentiment_confidence=sentiment_confidence,
        sentiment_score=score,
        urgency=urgency,
        urgency_confidence=urgency_confidence,
    )
    return _with_settled(judgement, message, models)


def _with_settled(judgement: Judgement, message: Message, models: Models) -> Judgement:
    """Put what a person or a phrase of the business has settled above the rules of the readers."""
    changes: dict[str, Any] = {}
    for task in ("intent", "buying_signal", "sentiment", "urgency"):
        label = models.settled(task, message)
        if label is not None:
            changes[task] = None if label == NO_SIGNAL else label
            changes[f"{task}_confidence"] = PATTERN_CONFIDENCE
    return replace(judgement, **changes) if changes else judgement


def complete(
    judgement: Judgement, text: str, *, now: datetime, region: str | None, language: str | None
) -> Reading:
    """Add what a message names, which depends on the day and the country, to how it was judged."""
    labels = asdict(judgement)
    languages = labels.pop("languages")
    return Reading(
        language=languages[0],
        **labels,
        entities=find_entities(
            text[:MAX_CHARACTERS], now=now, region=region, languages=_spoken(languages, language)
        ),
    )


def _spoken(found: tuple[str, ...], prior: str | None) -> tuple[str, ...]:
    """Add the conversation's language to those the text seems to be in."""
    return found if prior is None or prior in found or prior not in LANGUAGES else (*found, prior)
