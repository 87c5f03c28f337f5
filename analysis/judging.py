"""How the four labelling readers judge: features once, a classifier each, a label only when it is earned.

Called by `intent`, `buying_signal`, `sentiment` and `urgency`. A business's own models take the place of
the shipped ones task by task; nothing here reads a database.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Final

from vocabulary import LANGUAGES

from .classifier import Classifier, Features
from .embedding import LocalModel
from .features import DANGERS, PLEAS, UNSPACED, Tokens, find_concepts, surface, tokenize, weigh
from .folding import fold
from .lexicons import load

MODELS: Final = Path(__file__).parent / "models"
TASKS: Final = ("intent", "buying_signal", "sentiment", "urgency", "spam")
RULES_VERSION: Final = 10  # raised when grammars or rules change what a reading says
PATTERN_CONFIDENCE: Final = 0.95
BARE_WORDS: Final = 3
BARE_CHARACTERS: Final = 4  # of unspaced writing, as long as a name
COURTESY_WORDS: Final = 12
_ARABIC: Final = re.compile(r"[\u0600-\u06ff]")
_ARABIC_LEADS: Final = (
    "[وف]?(?:[بكل]?ال|لل|[بكل])?"  # and, then, with, as, for, the: written onto the next word
)
_HANGUL: Final = re.compile("[가-힣]")
_KOREAN_ENDS: Final = (  # a word of one syllable begins many others: "방" a room, "방법" a way
    "은|는|이|가|을|를|의|에|에서|에는|로|으로|도|만|까지|부터|와|과|하고|이나|나|요|이요|이에요|예요|입니다|인가요|인데요"
    "|있나요|있어요|없나요|없어요"
)
DANGEROUS_PAIRS: Final = (("fume", "smell"), ("smoke", "issue"), ("poison", "taken"), ("theft", "account"))
HARMLESS: Final = frozenset({"safe", "swallowed"})
PAIRED_WORDS: Final = 40  # in a longer text the two may have nothing to do with each other
OWN_WORDS: Final = 2  # fewer beside a quotation say nothing by themselves
# A sentence in quotation marks, not a product's name or the word that an advert wants back: reply "YES".
_QUOTED: Final = re.compile(
    r'"[^"\n]{10,}"|“[^“”\n]{10,}”|„[^„“”\n]{10,}[“”]|«[^«»\n]{10,}»|「[^「」\n]{6,}」|『[^『』\n]{6,}』'
)
SECOND_LANGUAGE: Final = 0.15  # a language this likely lends its lexicon too: people mix


@dataclass(frozen=True, slots=True)
class Message:
    """A text made ready for judging."""

    text: str
    tokens: Tokens
    languages: tuple[str, ...]
    concepts: tuple[str, ...]
    feelings: tuple[str, ...]
    voice: tuple[str, ...]
    tells_danger: bool
    is_harmless: bool  # though it holds words of danger: a smoke detector, a cash machine that kept a card
    pleas: frozenset[str]  # of urgency: `plea` where it is plain, `denied`
    is_courtesy: bool
    features: Features = field(repr=False)
    feeling_features: Features = field(repr=False)
    voice_features: Features = field(repr=False)

    @property
    def has_emoji(self) -> bool:
        """Tell whether an emoji stands in it."""
        return "emoji" in self.tokens.kinds


@dataclass(frozen=True, slots=True)
class Pattern:
    """A business's own phrase: where it stands in a message, the label is given."""

    task: str  # intent, buying_signal, sentiment, urgency
    label: str
    phrase: str


@dataclass(frozen=True, eq=False)
class Models:
    """Trained classifiers by task, and phrases; what a business has not taught comes from the package.

    A key of caches: two of the same version are equal.
    """

    own: Mapping[str, Classifier] = field(default_factory=dict)
    patterns: tuple[Pattern, ...] = ()
    said: Mapping[tuple[str, str], str] = field(default_factory=dict)  # what people said of whole texts
    local: LocalModel | None = None  # the optional one, blended with the classifiers

    def of(self, task: str) -> Classifier:
        """Give a task's classifier."""
        return self.own.get(task) or shipped(task)

    def judge(self, task: str, message: Message, features: Features) -> dict[str, float]:
        """Give the probability of each label; the business's own word outweighs the classifier."""
        shares = self.of(task).judge(features)
        if self.local is not None:
            shares = self.local.blend(task, message.text, shares)
        label = self.settled(task, message)
        if label not in shares:
            return shares
        return {
            name: share * (1 - PATTERN_CONFIDENCE) + (PATTERN_CONFIDENCE if name == label else 0.0)
            for name, share in shares.items()
        }

    def settled(self, task: str, message: Message) -> str | None:
        """Give the label that a person or a phrase of the business has settled for a message."""
        label = self.said.get((task, plain(message.text))) if self.said else None
        if label is not None:
            return label
        return next(
            (one.label for one in self.patterns if one.task == task and _stands_in(one, message)), None
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Models) and self.version() == other.version()

    def __hash__(self) -> int:
        return hash(self.version())

    def knows(self, message: Message) -> bool:
        """Tell whether the business itself said something of this text."""
        return any(_stands_in(one, message) for one in self.patterns) or (
            bool(self.said) and any((task, plain(message.text)) in self.said for task in TASKS)
        )

    def version(self) -> str:
        """Name everything that decides a reading; a cached reading is good for as long as this stays."""
        return self._version

    @cached_property
    def _version(self) -> str:
        parts = [str(RULES_VERSION), *(f"{task}:{self.of(task).version}" for task in TASKS)]
        parts += [f"local:{self.local.version}"] if self.local is not None else []
        parts += [f"{one.task}:{one.label}:{one.phrase}" for one in self.patterns]
        parts += [f"{task}:{label}:{text}" for (task, text), label in sorted(self.said.items())]
        return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]


def plain(text: str) -> str:
    """Give the form in which two texts are the same: without case, accents and spare blanks."""
    return " ".join(fold(text).split())


@cache
def shipped(task: str) -> Classifier:
    """Load a shipped classifier once."""
    return Classifier.from_bytes((MODELS / f"{task}.bin").read_bytes())


def prepare(text: str, shares: Mapping[str, float]) -> Message:
    """Cut and name what every judge needs, given the probability of each language."""
    language, second = sorted(shares, key=lambda name: -shares[name])[:2]
    return _prepare(text, (language, second) if shares[second] >= SECOND_LANGUAGE else (language,))


def own_words(message: Message) -> Message:
    """Give a message without what it quotes from somebody else; the whole where little else stands."""
    rest = _QUOTED.sub(" ", message.text)
    if rest == message.text or len(rest.split()) < OWN_WORDS:
        return message
    return _prepare(rest, message.languages)


def _prepare(text: str, languages: tuple[str, ...]) -> Message:
    tokens = tokenize(text)
    seen = surface(tokens)
    concepts = find_concepts(tokens, languages)
    feelings = find_concepts(tokens, languages, "feelings")
    voice = find_concepts(tokens, languages, "voice")
    dangers = frozenset(find_concepts(tokens, languages, DANGERS))
    tells_danger = _tells_danger(dangers, feelings, len(tokens.words))
    return Message(
        text,
        tokens,
        languages,
        tuple(concepts),
        tuple(feelings),
        tuple(voice),
        tells_danger,
        not tells_danger and not dangers.isdisjoint(HARMLESS),
        frozenset(find_concepts(tokens, languages, PLEAS)),
        _is_courtesy(tokens),
        weigh(seen, {"concepts": concepts}),
        weigh(seen, {"feelings": feelings, "concepts": concepts}),
        weigh(seen, {"concepts": concepts, "voice": voice}),
    )


def _tells_danger(found: frozenset[str], feelings: Sequence[str], words: int) -> bool:
    """Tell that somebody may come to harm or is being robbed now; who laughs is in no danger."""
    if "laugh" in feelings:
        return False
    if "alone" in found or ("swallowed" in found and "account" not in found):  # machines swallow cards
        return True
    return words <= PAIRED_WORDS and any(found.issuperset(pair) for pair in DANGEROUS_PAIRS)


def _stands_in(pattern: Pattern, message: Message) -> bool:
    """Match whole words of spaced writing, any place in unspaced."""
    matcher = _matcher(pattern.phrase)
    return matcher is not None and matcher.search(_folded(message.text)) is not None


@lru_cache(maxsize=1024)
def _matcher(phrase: str) -> re.Pattern[str] | None:
    """Bound a phrase as its writing does: Arabic leads a word with particles, Korean ends it with them."""
    phrase = fold(phrase).strip()
    if not phrase:
        return None
    before, after = "", ""
    if phrase.isascii():
        before, after = r"(?<![^\W_])", r"(?![^\W_])"
    elif _ARABIC.search(phrase):
        before, after = rf"(?<![^\W_]){_ARABIC_LEADS}", r"(?![^\W_])"
    elif _HANGUL.match(phrase):
        before = "(?<![가-힣])"
        after = rf"(?:{_KOREAN_ENDS})?(?![가-힣])" if len(phrase) == 1 else ""
    return re.compile(f"{before}{re.escape(phrase)}{after}")


@lru_cache(maxsize=16)
def _folded(text: str) -> str:
    """Fold a text once for all phrases that are looked for in it."""
    return fold(text)


def is_silent(message: Message, models: Models) -> bool:
    """Tell that a message asks for nothing: no word or link in it, or nothing but courtesies."""
    says_nothing = not {"word", "unspaced", "url", "mail"}.intersection(message.tokens.kinds)
    return (says_nothing or message.is_courtesy) and not models.knows(message)


def is_bare(message: Message) -> bool:
    """Tell a word or two that no lexicon knows: a name, a typing error."""
    unspaced = sum(
        len(word)
        for word, kind in zip(message.tokens.words, message.tokens.kinds, strict=True)
        if kind == "unspaced"
    )
    return (
        len(message.tokens.words) <= BARE_WORDS
        and unspaced <= BARE_CHARACTERS
        and not (message.concepts or message.feelings or message.tells_danger)
        and not {"url", "mail", "mark"}.intersection(message.tokens.kinds)
    )


def _is_courtesy(tokens: Tokens) -> bool:
    if len(tokens.words) > COURTESY_WORDS or not {"word", "unspaced"}.issuperset(
        kind for kind in tokens.kinds if kind not in {"mark", "emoji"}
    ):
        return False
    words = [
        word for word, kind in zip(tokens.words, tokens.kinds, strict=True) if kind in {"word", "unspaced"}
    ]
    return bool(words) and _courtesies().fullmatch(" ".join(words)) is not None


@cache
def _courtesies() -> re.Pattern[str]:
    """Match a row of courtesies, of any language: people greet in borrowed words."""
    spaced: set[str] = set()
    unspaced: set[str] = set()
    for language in LANGUAGES:
        known = {" ".join(tokenize(one).words) for one in load("courtesies", language)["whole"].split(",")}
        (unspaced if language in UNSPACED else spaced).update(known)
    return re.compile(rf"(?:\s?(?:(?:{_longest_first(spaced)})(?![^\W_])|{_longest_first(unspaced)}))++")


def _longest_first(words: set[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word)))
