"""Sums of money in a text, and a typed answer to "how much?".

Called by `entities` and by the menu's money questions. It converts nothing: an amount keeps the currency
that stands beside it, or none.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Final

from vocabulary import LANGUAGES

from .folding import fold
from .lexicons import load
from .quantities import Number, guess_script, read_numbers

MAX_AMOUNT: Final = Decimal(10) ** 13
MARK_REACH: Final = 16  # a currency's mark stands no further from its figures
BARE_AMOUNT_MIN: Final = 1000  # below this, digits among other words are ages, counts and house numbers
_NEGATIVE: Final = re.compile(r"(?:^|\s)[-−–](?=\s?[\d$€£¥r])|\d\s?[-−]$|\(\s*\d[\d.,]*\s*\)")
_NOT_MONEY: Final = re.compile(
    r"\d\s*(?:%|/|:|h\b|kg|km|cm|m2|gb|anos|años|years|jahre|ans\b|anni|歳|岁|살|سنه)"
)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in a folded text, with its currency when one is named."""

    start: int
    end: int
    amount: Decimal
    currency: str | None


@dataclass(frozen=True)
class _Names:
    before: re.Pattern[str]
    after: re.Pattern[str]
    currencies: dict[str, str]
    fraction: re.Pattern[str]
    around: re.Pattern[str]


def read_amount(text: str, *, region: str | None = None, language: str | None = None) -> Decimal | None:
    """Read a typed answer to a question for a sum; None when it is negative, unclear or no sum at all."""
    folded = fold(text).strip()
    if not folded or _NEGATIVE.search(folded):
        return None
    found = [money.amount for money in read_money(folded, region=region, language=language)]
    if not found:
        numbers = read_numbers(folded, language=language, decimal_mark=decimal_mark(region, language))
        found = [number.value for number in numbers if _may_be_answer(number, folded, language)]
    if len(set(found)) != 1:
        return None
    return found[0] if Decimal(0) <= found[0] <= MAX_AMOUNT else None


def read_money(folded: str, *, region: str | None = None, language: str | None = None) -> list[Money]:
    """Find every sum that names its currency, in symbols, codes or words."""
    names = _names(language or guess_script(folded))
    sums: list[Money] = []
    for number in read_numbers(folded, language=language, decimal_mark=decimal_mark(region, language)):
        money = _beside(number, folded, names, region, language)
        if money is None or (sums and money.start < sums[-1].end):
            continue
        if sums and _adds_fraction(sums[-1], money, folded):
            sums[-1] = Money(sums[-1].start, money.end, sums[-1].amount + money.amount, sums[-1].currency)
        else:
            sums.append(money)
    return sums


def decimal_mark(region: str | None, language: str | None) -> str | None:
    """Tell which mark the country, else the language, puts before decimals."""
    if region:
        return "," if region.upper() in load("money")["comma_regions"] else "."
    if language:
        return "," if language in load("money")["comma_languages"] else "."
    return None


def _beside(
    number: Number, folded: str, names: _Names, region: str | None, language: str | None
) -> Money | None:
    if after := names.after.match(folded, number.end):
        currency, factor = _resolve(names.currencies[after["name"]], region, language)
        before = names.before.search(folded, max(0, number.start - MARK_REACH), number.start)
        if before and number.is_literal:
            currency, factor = _resolve(names.currencies[before["name"]], region, language)
            return Money(before.start("name"), number.end, number.value, currency)
        return Money(number.start, after.end(), number.value * factor, currency)
    before = names.before.search(folded, max(0, number.start - MARK_REACH), number.start)
    if before is None or number.is_article:
        return None
    currency, factor = _resolve(names.currencies[before["name"]], region, language)
    if factor != 1:
        return None
    return Money(before.start("name"), number.end, number.value, currency)


def _resolve(name: str, region: str | None, language: str | None) -> tuple[str | None, Decimal]:
    """Turn a name into a currency and a factor: "pesos" by country, "cents" as a hundredth of anything."""
    if name == "subunit":
        return None, Decimal("0.01")
    if name == "tenth":
        return None, Decimal("0.1")
    shared = load("money")
    if name not in shared["defaults"]:
        return name, Decimal(1)
    country = (region or "").upper()
    if country in shared[name]:
        return shared[name][country], Decimal(1)
    if name == "yen" and language == "zh":
        return "CNY", Decimal(1)
    return shared["defaults"][name], Decimal(1)


def _adds_fraction(first: Money, second: Money, folded: str) -> bool:
    between = folded[first.end : second.start].strip(" ,")
    is_fraction = second.currency is None and second.amount < 1 and first.amount == int(first.amount)
    return is_fraction and between in {"", "and", "e", "y", "et", "und", "con", "com", "و", "mit"}


def _may_be_answer(number: Number, folded: str, language: str | None) -> bool:
    """A bare number counts when it is the whole answer, or too large to be an age or a count."""
    if number.is_scaled:
        return True
    rest = folded[: number.start] + " " + folded[number.end :]
    if not number.is_literal and number.is_article:
        return False
    if not re.sub(r"[\W_]+", "", _names(language or guess_script(folded)).around.sub(" ", rest)):
        return not _NOT_MONEY.search(folded)
    return number.value >= BARE_AMOUNT_MIN and number.is_literal and not _NOT_MONEY.search(folded)


@cache
def _names(language: str | None) -> _Names:
    shared = load("money")
    currencies: dict[str, str] = {}
    spoken: list[str] = []
    around: list[str] = []
    for name in (language,) if language in LANGUAGES else LANGUAGES:
        data = load("money", name)
        for code, words in data.get("currencies", {}).items():
            for word in words:
                currencies.setdefault(fold(word), code)
                spoken.append(fold(word))
        for word in data.get("subunits", ()):
            currencies.setdefault(fold(str(word)), "subunit")
            spoken.append(fold(str(word)))
        for word in data.get("tenths", ()):
            currencies.setdefault(word, "tenth")
            spoken.append(word)
        around += [fold(str(word)) for word in data.get("around", ())]
    symbols = {fold(symbol): code for symbol, code in shared["symbols"].items()}
    for symbol, code in symbols.items():
        currencies[symbol] = {"$": "dollar", "¥": "yen"}.get(symbol, code)
    for code in shared["codes"]:
        currencies[code.lower()] = {"RMB": "CNY"}.get(code, code)
    codes = [code.lower() for code in shared["codes"]]
    unspaced = language in {"zh", "ja", "ko"}
    return _Names(
        re.compile(rf"(?:(?<![^\W_])(?P<name>{_any([*symbols, *codes])})|(?P<unused>(?!)))\s{{0,2}}:?\s?$"),
        re.compile(
            rf"[\s-]{{0,2}}(?:(?:de|d'|of|di)\s?)?(?P<name>{_any([*spoken, *symbols, *codes])})"
            + ("" if unspaced else r"(?![^\W_])")
        ),
        currencies,
        re.compile(r"[\s,]*(?:and|e|y|et|und|con|com|و)?\s*"),
        re.compile(_any(around) if unspaced else rf"(?<![^\W_])(?:{_any(around)})(?![^\W_])"),
    )


def _any(words: list[str]) -> str:
    return "|".join(re.escape(word) for word in sorted({*words}, key=len, reverse=True)) or "(?!)"
