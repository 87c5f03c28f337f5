"""How the four labelling readers judge: features once, a classifier each, a label only when it is earned.

Called by `intent`, `buying_signal`, `sentiment` and `urgency`. A business's own models take the place of
the shipped ones task by task; nothing here reads a database.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from .classifier import Classifier, Features
from .features import Tokens, find_concepts, surface, tokenize, weigh
from .folding import fold

MODELS: Final = Path(__file__).parent / "models"
TASKS: Final = ("intent", "buying_signal", "sentiment", "urgency", "spam")
RULES_VERSION: Final = 1  # raised when grammars or rules change what a reading says
PATTERN_CONFIDENCE: Final = 0.95
SECOND_LANGUAGE: Final = 0.15  # a language this likely lends its lexicon too: people mix


@dataclass(frozen=True, slots=True)
class Message:
    """A text made ready for judging."""

    text: str
    tokens: Tokens
    languages: tuple[str, ...]
    concepts: tuple[str, ...]
    feelings: tuple[str, ...]
    features: Features = field(repr=False)
    feeling_features: Features = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A business's own phrase: where it stands in a message, the label is given."""

    task: str  # intent, buying_signal, sentiment, urgency
    label: str
    phrase: str


@dataclass(frozen=True)
class Models:
    """Trained classifiers by task, and phrases; what a business has not taught comes from the package."""

    own: Mapping[str, Classifier] = field(default_factory=dict)
    patterns: tuple[Pattern, ...] = ()

    def of(self, task: str) -> Classifier:
        """Give a task's classifier."""
        return self.own.get(task) or shipped(task)

    def judge(self, task: str, message: Message, features: Features) -> dict[str, float]:
        """Give the probability of each label; a phrase of the business's own outweighs the classifier."""
        shares = self.of(task).judge(features)
        label = next(
            (one.label for one in self.patterns if one.task == task and _stands_in(one, message)), None
        )
        if label not in shares:
            return shares
        return {
            name: share * (1 - PATTERN_CONFIDENCE) + (PATTERN_CONFIDENCE if name == label else 0.0)
            for name, share in shares.items()
        }

    def version(self) -> str:
        """Name everything that decides a reading; a cached reading is good for as long as this stays."""
        parts = [str(RULES_VERSION), *(f"{task}:{self.of(task).version}" for task in TASKS)]
        parts += [f"{one.task}:{one.label}:{one.phrase}" for one in self.patterns]
        return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]


@cache
def shipped(task: str) -> Classifier:
    """Load a shipped classifier once."""
    return Classifier.from_bytes((MODELS / f"{task}.bin").read_bytes())


def prepare(text: str, shares: Mapping[str, float]) -> Message:
    """Cut and name what every judge needs, given the probability of each language."""
    language, second = sorted(shares, key=lambda name: -shares[name])[:2]
    languages = (language, second) if shares[second] >= SECOND_LANGUAGE else (language,)
    tokens = tokenize(text)
    seen = surface(tokens)
    concepts = find_concepts(tokens, languages)
    feelings = find_concepts(tokens, languages, "feelings")
    return Message(
        text,
        tokens,
        languages,
        tuple(concepts),
        tuple(feelings),
        weigh(seen, {"concepts": concepts}),
        weigh(seen, {"feelings": feelings, "concepts": concepts}),
    )


def _stands_in(pattern: Pattern, message: Message) -> bool:
    """Match whole words of spaced writing, any place in unspaced."""
    phrase = fold(pattern.phrase).strip()
    if not phrase:
        return False
    bound = r"(?<![^\W_])" if phrase.isascii() else ""
    return re.search(rf"{bound}{re.escape(phrase)}{bound.replace('<', '')}", fold(message.text)) is not None


def has_words(message: Message) -> bool:
    """Tell whether there is anything to judge: a word, an emoji or a mark."""
    return any(kind in {"word", "unspaced", "emoji", "url", "mail"} for kind in message.tokens.kinds)
