"""Whose a figure or a benefit is: "12 months of access" of one course says nothing of another or of returns.

Called by the guards after `prices`, and by `claims` and `doubts`. What the shop says is read by its subject:
each product with what is said of it by name, and each passage and policy by itself.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Final

from analysis.quantities import Number, read_numbers

from .breaches import Breach
from .everyday import everyday
from .facts import Facts
from .figures import known_of, sums_of
from .prices import named_in
from .wording import content_words, plain, sentences, words

UNIT_CHARS: Final = 3  # so "receita" and "recetas", "mes" and "meses" are one
BARE_WORDS: Final = 4  # "they are 40 lessons" is said of what was asked
_UNIT: Final = re.compile(r"[\s-]{0,2}(?:de |of )?([^\W\d_]{3,})")
_TIME: Final = re.compile(r"(?:minut|hor|hour|dia|day|seman|week|mes|month|ano|year)")

Pair = tuple[Decimal, str]


@dataclass(frozen=True, slots=True)
class Subject:
    """What the shop says of one thing; `sku` None: no product. `about` are the words that it goes by."""

    sku: str | None
    words: frozenset[str]
    about: frozenset[str]
    pairs: frozenset[Pair]


def check_ties(folded: str, facts: Facts, language: str) -> Iterator[Breach]:
    """Find figures with a unit that the facts hold of something else only."""
    talked_of = [product.sku for product in facts.products[:1]] if facts.is_focused else []
    for sentence in sentences(folded):
        named = named_in(sentence, facts)
        text = known_of(facts).without_names(sentence)
        for number, unit in _measured(text, language):
            before = [one.product.sku for one in named if one.start < number.start]
            meant = before or [one.product.sku for one in named]
            if not _is_own((number.value, unit), text, meant, talked_of, facts, language):
                yield Breach("unknown_number", text[number.start : number.end + 20])
        talked_of = [one.product.sku for one in named] or talked_of


def is_stated_time(sentence: str, facts: Facts, language: str) -> bool:
    """Whether every figure of a sentence is one that the shop gives for the same matter."""
    pairs = [(number.value, unit) for number, unit in _measured(sentence, language)]
    topic = _topic(sentence, facts, language)
    general = [one for one in subjects(facts) if one.sku is None]
    return bool(pairs) and all(
        any(pair in one.pairs and topic & one.about for one in general) for pair in pairs
    )


def is_of_another(sentence: str, facts: Facts, language: str) -> bool:
    """Whether a sentence says of a product what the shop says of others only, or names none for a figure that
    the shop gives of one."""
    skus = {one.product.sku for one in named_in(sentence, facts)}
    if not skus:
        return _is_loose(sentence, facts, language)
    for word in _topic(sentence, facts, language):
        owners = {one.sku for one in subjects(facts) if word in one.words}
        if owners and None not in owners and not owners & skus:
            return True
    return False


def _is_loose(sentence: str, facts: Facts, language: str) -> bool:
    """Whether a figure stands alone that the shop gives of products only, and of none that is talked of."""
    if len(words(sentence)) <= BARE_WORDS:
        return False
    focus = facts.focus.sku if facts.focus and facts.is_focused else None
    topic = _topic(sentence, facts, language)
    for number, unit in _measured(known_of(facts).without_names(sentence), language):
        owners = [one for one in subjects(facts) if (number.value, unit) in one.pairs]
        if owners and not any(one.sku in (None, focus) or topic & one.about for one in owners):
            return True
    return False


@lru_cache(maxsize=64)
def subjects(facts: Facts) -> tuple[Subject, ...]:
    """Give what the shop says, by what it says it of."""
    found = [
        _subject(
            product.sku, " \n".join((product.name, product.description, *product.benefits, product.offer))
        )
        for product in facts.products
    ]
    told = [(one.title, one.text) for one in facts.passages] + [("", one) for one in facts.policies.stated]
    for title, text in told:
        found += _of_passage(title, text, facts)
    return tuple(found)


def _of_passage(title: str, text: str, facts: Facts) -> Iterator[Subject]:
    """Give a passage by itself, and each of its sentences that names a product as said of that one."""
    general: list[str] = []
    for sentence in sentences(plain(text)):
        skus = [product.sku for product in facts.products if plain(product.name) in sentence]
        yield from (_subject(sku, sentence) for sku in skus)
        general += [] if skus else [sentence]
    yield _subject(None, "\n".join(general), title)


def _subject(sku: str | None, text: str, title: str = "") -> Subject:
    folded = plain(text)
    pairs = {(number.value, unit) for part in folded.split("\n") for number, unit in _measured(part, None)}
    own = content_words(folded)
    return Subject(sku, own, own | content_words(plain(title)), frozenset(pairs))


def _is_own(
    pair: Pair, sentence: str, meant: Sequence[str], talked_of: Sequence[str], facts: Facts, language: str
) -> bool:
    """Whether a figure is of what the sentence is about. One that the facts nowhere hold is let be."""
    owners = [one for one in subjects(facts) if pair in one.pairs]
    topic = _topic(sentence, facts, language)
    if not owners or any(one.sku in meant for one in owners):
        return True
    if any(one.sku is None and topic & one.about for one in owners):
        return True
    if meant:
        return False
    if any(one.sku in talked_of or topic & one.about for one in owners):
        return True
    return not any(topic & one.about for one in subjects(facts))


def _topic(sentence: str, facts: Facts, language: str) -> frozenset[str]:
    """Give the words that tell what a sentence is about: no names, no units, no everyday talk."""
    names = frozenset(word[:6] for product in facts.products for word in words(plain(product.name)))
    units = frozenset(word[:6] for word in words(sentence) if _TIME.match(word))
    found = content_words(sentence) - names - units - everyday(language)
    return frozenset(word for word in found if not word[0].isdecimal())


def _measured(text: str, language: str | None) -> Iterator[tuple[Number, str]]:
    """Give each number with the thing that it counts; no prices, and "one" only of a time."""
    sums = sums_of(text, language or "pt")
    names = (language,) if language else ("pt", "es", "en")
    for number in (one for name in names for one in read_numbers(text, language=name)):
        unit = _UNIT.match(text, number.end)
        if unit is None or any(money.start < number.end and number.start < money.end for money in sums):
            continue
        if (number.is_article or number.value == 1) and not _TIME.match(unit[1]):
            continue
        yield number, unit[1][:UNIT_CHARS]
