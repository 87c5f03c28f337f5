"""Amounts, percentages and numbers of a reply, held against those that the shop gives.

Called by the guards. It reads with `analysis`; what counts as known is computed from the facts alone.
"""

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Final

from analysis.money import Money, read_money
from analysis.quantities import Number, read_numbers

from .breaches import Breach
from .facts import Facts, ProductFacts
from .wording import plain, words, words_of

READ_IN: Final = ("pt", "es", "en")  # a sum is read in these besides the reply's own language
SMALL: Final = 12  # counts, steps and options up to this need no fact
LEAD_CHARS: Final = 60
DOLLARS: Final = frozenset("USD MXN ARS CLP COP UYU CAD AUD NZD HKD SGD TWD".split())
MANY_MAX: Final = 99

_PERCENT: Final = re.compile(r"\s?(?:%|por ?cento|por ?ciento|per ?cent|pct\b)")
_WHOLE: Final = re.compile(r"\s?(?:online|on-line|digital|em portugues|en linea|virtual|pra[ct]+ic\w+)")
_FROM_ZERO: Final = re.compile(
    r"\b(?:comec\w+|empiez\w+|empez\w+|parte\w*|starts?|starting|begins?) (?:do|desde|from) $"
)
_DECIMAL: Final = re.compile(r"\d[.,]\d{2}(?!\d)")
_AFTER_PRICE: Final = re.compile(r"\s?(?:conto|pila|real|reais|reales|pratas?)\b")


def check_figures(folded: str, facts: Facts, language: str, heard: str) -> Iterator[Breach]:
    """Find amounts, percentages and numbers that the facts do not hold; `heard` is what the customer wrote.

    A number that the customer wrote may be repeated, an amount never.
    """
    known = known_of(facts)
    text = known.without_names(folded)
    sums = sums_of(text, language)
    quantities = known.quantities_in(text, language)
    for money in sums:
        if not known.has_amount(money, text, quantities):
            yield Breach("unknown_amount", text[money.start : money.end])
    heard_numbers = {number.value for number in numbers_of(plain(heard), language)}
    for number in numbers_of(text, language):
        if not any(money.start < number.end and number.start < money.end for money in sums):
            yield from _check_number(number, text, known, quantities, heard_numbers)


def without_budgets(folded: str, language: str) -> str:
    """Blank the sums that a customer sets for herself: "up to 50 reais" says nothing about a price."""
    for money in sums_of(folded, language):
        if words_of("budgets").search(folded[: money.start]):
            folded = folded[: money.start] + "x" * (money.end - money.start) + folded[money.end :]
    return folded


class Known:
    """What the facts hold, as figures."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        told = [plain(text) for text in facts.stated]
        self.stated_sums = {
            money.amount for text in told for name in READ_IN for money in sums_of(text, name)
        }
        self.stated_percents = {value for text in told for value in percents_of(text)}
        named = [plain(product.name) for product in facts.products]
        self.stated_numbers = {n.value for text in (*told, *named) for n in numbers_of(text, None)}
        self.currencies = {product.currency for product in facts.products}
        if facts.order:
            self.currencies.add(facts.order.currency)
        self.numbers = self.stated_numbers | {Decimal(number) for number in _own_numbers(facts)}
        self.names = sorted(
            {plain(name) for name in _names(facts) if re.search(r"\d", name)}, key=len, reverse=True
        )

    def without_names(self, folded: str) -> str:
        """Blank what holds figures by its name: products, the shop, addresses that may be written."""
        for name in self.names:
            folded = folded.replace(name, "x" * len(name))
        return folded

    def quantities_in(self, text: str, language: str) -> frozenset[int]:
        """Give how many of a thing the text speaks of, so that three times the price is a known amount."""
        found = {int(number.value) for number in numbers_of(text, language) if is_count(number.value)}
        lines = self.facts.order.lines if self.facts.order else ()
        return frozenset(found | {line.quantity for line in lines})

    def has_amount(self, money: Money, text: str, quantities: frozenset[int]) -> bool:
        if money.amount not in self.facts.amounts(quantities) | self.stated_sums:
            return False
        if money.currency is None or not self.currencies or money.currency in self.currencies:
            return True
        # "$" alone is the sign of many currencies; "us$" and "dollars" are not.
        written = text[max(0, money.start - 2) : money.end]
        bare = "$" in written and not re.search(r"[a-z]\s?\$|\$\s?[a-z]|[a-z]{3}", written)
        peso = bool(re.search(r"\bpesos?\b", written))
        return bool((bare or peso) and self.currencies & (DOLLARS - {"USD"} if peso else DOLLARS))


@lru_cache(maxsize=64)
def known_of(facts: Facts) -> Known:
    return Known(facts)


def sums_of(folded: str, language: str) -> list[Money]:
    """Read every sum in any of the languages in which one may be written; the longer reading stays."""
    found: list[Money] = []
    names = dict.fromkeys((language, *READ_IN))
    read = [money for name in names for money in read_money(folded, language=name)]
    for money in sorted(read, key=lambda one: one.start - one.end):
        if not any(money.start < kept.end and kept.start < money.end for kept in found):
            found.append(money)
    return found


def numbers_of(folded: str, language: str | None) -> list[Number]:
    """Read every number, in figures and words."""
    if language is None:
        return [number for name in READ_IN for number in read_numbers(folded, language=name)]
    return [number for number in read_numbers(folded, language=language) if not number.is_article]


def percents_of(folded: str) -> set[Decimal]:
    return {number.value for number in numbers_of(folded, None) if _PERCENT.match(folded, number.end)}


def named_products(sentence: str, facts: Facts) -> list[ProductFacts]:
    """Give the products that a sentence names: in full, or by a word that no other product has."""
    in_full = [product for product in facts.products if plain(product.name) in sentence]
    if in_full:
        return in_full
    told = set(words(sentence))
    owners: dict[str, list[ProductFacts]] = {}
    for product in facts.products:
        for word in set(words(plain(product.name))):
            if len(word) >= 5:
                owners.setdefault(word, []).append(product)
    found = {own[0].sku: own[0] for word, own in owners.items() if len(own) == 1 and word in told}
    return list(found.values())


def _check_number(
    number: Number, text: str, known: Known, quantities: frozenset[int], heard: set[Decimal]
) -> Iterator[Breach]:
    shown = text[max(0, number.start - 20) : number.end + 12].strip()
    if _PERCENT.match(text, number.end):
        is_whole = number.value == 100 and _WHOLE.match(text, _percent_end(text, number))
        if not is_whole and number.value not in known.stated_percents:
            yield Breach("discount", shown)
        return
    if number.value == 0 and _FROM_ZERO.search(text[: number.start]):
        return
    is_counted = bool(words_of("units").match(text, number.end))
    is_price = not is_counted and _is_led_as_price(text, number)
    is_decimal = number.is_literal and bool(_DECIMAL.search(text[number.start : number.end]))
    is_price |= is_decimal and not is_counted
    is_price |= bool(_AFTER_PRICE.match(text, number.end))
    if is_price:
        if number.value not in known.facts.amounts(quantities) | known.stated_sums:
            yield Breach("unknown_amount", shown)
        return
    if number.value > SMALL and number.value not in known.numbers | heard:
        yield Breach("unknown_number", shown)


def _percent_end(text: str, number: Number) -> int:
    found = _PERCENT.match(text, number.end)
    return found.end() if found else number.end


def _is_led_as_price(text: str, number: Number) -> bool:
    """Whether the words before a number make it a price: "fica por", "te lo dejo en", "yours for"."""
    lead = re.split(r"[.!?\n]", text[max(0, number.start - LEAD_CHARS) : number.start])[-1]
    joints = words_of("price_joints").pattern
    leads = words_of("price_leads").pattern
    return bool(re.search(rf"{leads}[\s:=,]+{joints}$", lead))


def is_count(value: Decimal) -> bool:
    return value == value.to_integral_value() and 2 <= value <= MANY_MAX


def _own_numbers(facts: Facts) -> Iterator[int]:
    for product in facts.products:
        if product.stock is not None:
            yield product.stock
        if product.offer_ends:
            yield from (product.offer_ends.day, product.offer_ends.year)
    yield from (facts.today.year, len(facts.products))
    if facts.order:
        yield from (line.quantity for line in facts.order.lines)
        yield sum(line.quantity for line in facts.order.lines)


def _names(facts: Facts) -> Iterable[str]:
    yield from (product.name for product in facts.products)
    yield from facts.urls
    yield from facts.phones
    yield from facts.emails
    yield facts.business_name
    if facts.order:
        yield from (line.name for line in facts.order.lines)
        if facts.order.number:
            yield facts.order.number
