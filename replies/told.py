"""What the shop states, sentence by sentence, and whether a sentence of a reply turns one of these round.

Called by `claims` and `doubts`. A question states nothing, and what the shop denies supports only a denial.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from .wording import content_words, is_denied, is_negated, plain, sentences

# Of a denial: it says what it says by being one.
_NEGATOR: Final = re.compile(r"(?:nao|nem|nunca|nenhum\w*|no|ni|ningun\w*|not|never|none|\w+n't|cannot)")
_PORTUGUESE: Final = re.compile(
    r"\b(?:nao|voces?|uma?|os?|em|com|dos?|das?|na|nas|podem|pode|tem|seus?|suas?|noss[oa]s?|pel[oa]|ate|mesm[oa]|trocar|\w+(?:ao|oes))\b"
)
_ASKS: Final = re.compile(r"\?[\s\"'”»)]*$")


@lru_cache(maxsize=256)
def statements(told: tuple[str, ...]) -> tuple[str, ...]:
    """Give the shop's sentences, and its paragraphs whole: a reply may say in one what stands in two."""
    found = [part for text in told for paragraph in text.split("\n\n") for part in _parts(plain(paragraph))]
    return tuple(dict.fromkeys(found))


def is_question(sentence: str) -> bool:
    return bool(_ASKS.search(sentence))


def asserted(patterns: Iterable[re.Pattern[str]], told: str) -> list[str]:
    """Give the sentences of the shop's words that assert one of these patterns and do not deny it."""
    patterns = tuple(patterns)
    return [one for one in sentences(told) if any(_asserts(pattern, one) for pattern in patterns)]


def is_turned(sentence: str, told: tuple[str, ...], empty: frozenset[str], language: str) -> bool:
    """Whether the shop says of the same thing the opposite: the nearest of its sentences deny what this one
    asserts, or the other way round. `empty` are words that say nothing about what it is about."""
    own = content_words(sentence)
    shared = [(own & content_words(one), one) for one in _single(told)]
    shared = [(both, one) for both, one in shared if both - empty]
    most = max((len(both) for both, _ in shared), default=0)
    nearest = [one for both, one in shared if len(both) == most]
    if nearest and not any(_agrees(sentence, one, own, language) for one in nearest):
        return True
    for word in own - empty:
        places = [one for both, one in shared if word in both]
        if places and not any(_agrees(sentence, one, frozenset({word}), language) for one in places):
            return True
    return False


def language_of(told: str) -> str:
    """In Portuguese "no" is "in the": told by a word that Spanish and English have not."""
    return "pt" if _PORTUGUESE.search(told) else "es"


def _agrees(sentence: str, told: str, subject: frozenset[str], language: str) -> bool:
    """Whether the two assert or deny the same of the words that they share."""
    own, other = _denied(sentence, subject, language), _denied(told, subject, language_of(told))
    shared = own.keys() & other.keys()
    return all(own[word] == other[word] for word in shared)


def _denied(sentence: str, subject: frozenset[str], language: str) -> dict[str, bool]:
    """Tell of each word of the subject whether the sentence denies it."""
    found: dict[str, bool] = {}
    for match in re.finditer(r"[^\W_]+", sentence):
        if (word := match.group()[:6]) in subject and not _NEGATOR.fullmatch(match.group()):
            found.setdefault(word, is_negated(sentence, match.start(), language))
    return found


def _asserts(pattern: re.Pattern[str], sentence: str) -> bool:
    return any(
        not is_denied(sentence, found.start(), found.end(), language_of(sentence))
        for found in pattern.finditer(sentence)
    )


@lru_cache(maxsize=256)
def _single(told: tuple[str, ...]) -> tuple[str, ...]:
    found = [part for text in told for part in sentences(plain(text)) if not is_question(part)]
    return tuple(dict.fromkeys(found))


def _parts(paragraph: str) -> list[str]:
    single = [part for part in sentences(paragraph) if not is_question(part)]
    return [*single, " ".join(single)]
