"""Whose price a sum is: each is tied to the product that is named beside it, or to the one in focus.

Called by the guards after `figures`, which has held every sum against the facts already: here a known sum may
still stand beside the wrong product.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from typing import Final

from analysis.money import Money
from analysis.quantities import Number

from .breaches import Breach
from .facts import Facts, OrderFacts, ProductFacts
from .figures import Known, is_count, known_of, numbers_of, sums_of
from .wording import is_denied, plain, sentences, words, words_of

KIND_CHARS: Final = 5  # of the word that names a product by its kind: "curso", "ebook"
COUNT_REACH: Final = 45
CHANNELS: Final = frozenset("whatsapp telegram instagram facebook internet online digital".split())

_LEFT_BEFORE: Final = re.compile(
    r"\b(?:rest\w+|qued[ae]\w*|sobr[ae]\w*|there (?:is|are))\s+(?:so |solo |only )?$"
)
_LEFT: Final = re.compile(r"\b(?:left|restantes?|remaining)\b")
_ORDER: Final = re.compile(r"\b(?:pedido|order|carrinho|carrito|cart|total)\b")
# What is said of another product without its name: "tenho uma opção de R$ 29,00", "a partir de".
_OTHER: Final = re.compile(
    r"\b(?:opcao|opcoes|opcion\w*|options?|alternativ\w*|outr[oa]s?|otr[oa]s?|another|others?)\b"
)
_CHEAPEST: Final = re.compile(
    r"\b(?:(?:o|a|el|la|the|nosso|nossa|nuestro|nuestra|our) (?:\w+ ){0,2}?(?:mais (?:barat[oa]|em conta)"
    r"|mas (?:barat[oa]|economic[oa]))|cheapest|least expensive|most affordable"
    r"|menor (?:preco|valor|precio)|precio mas bajo|preco mais baixo|lowest price)\b"
)
_ANOTHER: Final = re.compile(
    rf"{_OTHER.pattern}|\b(?:a partir d\w+|desde|from|mais (?:barat\w+|em conta)|"
    r"mas (?:barat\w+|economic\w+)|cheap\w*|affordable|between|entre)\b"
)


@dataclass(frozen=True, slots=True)
class Named:
    """A product, and where a sentence names it."""

    product: ProductFacts
    start: int


def check_prices(folded: str, facts: Facts, language: str) -> Iterator[Breach]:
    """Find the prices that stand beside a product that is not theirs, or that are one for several, and what
    is called the cheapest and is not."""
    known = known_of(facts)
    talked_of = list(facts.products[:1]) if facts.is_focused else []
    for sentence in sentences(folded):
        text = known.without_names(sentence)
        sums = sums_of(text, language)
        named = named_in(sentence, facts)
        if sums:
            yield from _check_owners(text, sums, named, talked_of, facts, language)
            yield from _check_counts(text, sums, named, facts, language)
        yield from _check_cheapest(sentence, named, facts, language)
        talked_of = [one.product for one in named] or talked_of


def _check_cheapest(sentence: str, named: Sequence[Named], facts: Facts, language: str) -> Iterator[Breach]:
    """Find a product that is said to cost the least: of several that are known, none may cost less."""
    for found in _CHEAPEST.finditer(sentence) if named else ():
        if is_denied(sentence, found.start(), found.end(), language):
            continue
        after = [one for one in named if one.start >= found.start()]
        product = (after or named[::-1])[0].product
        others = [
            one for one in facts.products if one.sku != product.sku and one.currency == product.currency
        ]
        if not others or any(one.price < product.price for one in others):
            yield Breach("wrong_price", found.group())


def _check_owners(
    text: str,
    sums: Sequence[Money],
    named: Sequence[Named],
    talked_of: Sequence[ProductFacts],
    facts: Facts,
    language: str,
) -> Iterator[Breach]:
    known = known_of(facts)
    quantities = known.quantities_in(text, language)
    for money, owners in _owners(sums, named):
        if not owners and (named or _ANOTHER.search(text)):
            continue  # one more of a list, or another product's
        if owners and _OTHER.search(text, owners[-1].start, money.start):
            continue
        meant = [one.product for one in owners] or talked_of
        if not meant or money.amount not in facts.amounts(quantities):
            continue
        own = _own(meant, quantities, known)
        if facts.order and (not owners or _is_about_order(text, meant, facts.order)):
            own |= set(facts.order.amounts)
        if money.amount not in own:
            yield Breach("wrong_price", text[money.start : money.end])


def _owners(sums: Sequence[Money], named: Sequence[Named]) -> Iterator[tuple[Money, list[Named]]]:
    """Pair each sum with the products named since the last one; where the first sum comes first, with those
    named until the next."""
    ordered = sorted(sums, key=lambda money: money.start)
    comes_first = bool(named) and named[0].start > ordered[0].start and named[-1].start > ordered[-1].start
    edges = [-1, *(money.start for money in ordered), 1_000_000]
    between = [[one for one in named if low < one.start <= high] for low, high in pairwise(edges)]
    for place, money in enumerate(ordered):
        yield money, between[place + 1] if comes_first else between[place]


def _own(meant: Sequence[ProductFacts], quantities: frozenset[int], known: Known) -> set[Decimal]:
    """Give what may be said of these: each one's price and multiples, and their sum."""
    own = {product.price * quantity for product in meant for quantity in (1, *quantities)}
    different = {product.sku: product for product in meant}.values()
    return own | {sum((product.price for product in different), Decimal(0))} | known.stated_sums


def named_in(sentence: str, facts: Facts) -> list[Named]:
    """Give the products that a sentence names, in its order: by name, by a word or a kind of their own."""
    shown = sentence.replace("e-book", "ebook ")
    found: list[Named] = []
    for product in facts.products:
        name = plain(product.name)
        places = [match.start() for match in re.finditer(re.escape(name), sentence)] if name else []
        found += [Named(product, place) for place in places]
        shown = shown.replace(name, " " * len(name)) if places else shown
    is_in_full = bool(found)
    for word, product in _own_words(facts, with_names=not is_in_full):
        if match := re.search(rf"\b{re.escape(word)}s?\b", shown):
            found.append(Named(product, match.start()))
    return sorted(found, key=lambda one: one.start)


def _own_words(facts: Facts, *, with_names: bool) -> Iterator[tuple[str, ProductFacts]]:
    """Give the words that only one product goes by: the kind in its sku, and words of its name."""
    owners: dict[str, set[str]] = {}
    for product in facts.products:
        told = [plain(product.sku).partition("-")[0]]
        told += plain(product.name).split() if with_names else []
        for word in told:
            if len(word) >= KIND_CHARS and word.isalpha():
                owners.setdefault(word, set()).add(product.sku)
    spoken = _spoken_of(facts)
    by_sku = {product.sku: product for product in facts.products}
    for word, skus in owners.items():
        if len(skus) == 1 and word not in spoken:
            yield word, by_sku[next(iter(skus))]


@lru_cache(maxsize=64)
def _spoken_of(facts: Facts) -> frozenset[str]:
    """Give the words of the shop's passages without products' names: "on WhatsApp" names none."""
    told = plain(" ".join((*(one.text for one in facts.passages), *facts.policies.stated)))
    for product in facts.products:
        told = told.replace(plain(product.name), " ")
    return frozenset(words(told)) & CHANNELS


def _check_counts(
    text: str, sums: Sequence[Money], named: Sequence[Named], facts: Facts, language: str
) -> Iterator[Breach]:
    """Find one price that is asked for several."""
    if words_of("each").search(text):
        return
    known = known_of(facts)
    prices = {product.price for product in ([one.product for one in named] or facts.products)}
    for money in sums:
        counts = [
            n
            for n in numbers_of(text[: money.start], language)
            if is_count(n.value)
            and n.value not in known.stated_numbers
            and money.start - n.end <= COUNT_REACH
            and not _counts_stock(text, n, money)
        ]
        is_asked_for = re.search(r"\b(?:por|for|a|at|en|em)\s*$", text[: money.start])
        if counts and money.amount in prices and is_asked_for:
            yield Breach("wrong_price", text[counts[0].start : money.end])


def _counts_stock(text: str, number: Number, money: Money) -> bool:
    """Whether a number says how many are left, which the guard of stock holds against the facts."""
    before, between = text[: number.start], text[number.end : money.start]
    return bool(_LEFT_BEFORE.search(before) or _LEFT.search(between))


def _is_about_order(sentence: str, meant: Sequence[ProductFacts], order: OrderFacts) -> bool:
    ordered = {line.sku for line in order.lines} | {line.name for line in order.lines}
    return bool(_ORDER.search(sentence)) or any({one.sku, one.name} & ordered for one in meant)
