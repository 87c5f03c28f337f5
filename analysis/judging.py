"""How the four labelling readers judge: features once, a classifier each, a label only when it is earned.

Called by `intent`, `buying_signal`, `sentiment` and `urgency`. A business's own models take the place of
the shipped ones task by task; nothing here reads a database.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from .classifier import Classifier, Features
from .features import Tokens, find_concepts, surface, tokenize, weigh

MODELS: Final = Path(__file__).parent / "models"
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


@dataclass(frozen=True)
class Models:
    """Trained classifiers by task; what a business has not trained comes from the package."""

    own: Mapping[str, Classifier] = field(default_factory=dict)

    def of(self, task: str) -> Classifier:
        """Give a task's classifier."""
        return self.own.get(task) or shipped(task)


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


def has_words(message: Message) -> bool:
    """Tell whether there is anything to judge: a word, an emoji or a mark."""
    return any(kind in {"word", "unspaced", "emoji", "url", "mail"} for kind in message.tokens.kinds)
