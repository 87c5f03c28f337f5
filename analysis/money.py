"""Sums of money in a text, and a typed answer to "how much?".

Called by `entities` and by the menu's money questions. It converts nothing: an amount keeps the currency
that stands beside it, or none.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, Final

from vocabulary import LANGUAGES

from .folding import fold
from .lexicons import load
from .quantities import Number, guess_script, read_numbers

MAX_AMOUNT: Final = Decimal(10) ** 13
MARK_REACH: Final = 16  # a currency's mark stands no further from its figures
BARE_AMOUNT_MIN: Final = 1000  # below this, digits among other words are ages, counts and house numbers
_NEGATIVE: Final = re.compile(r"(?:^|\s)[-−–](?=\s?[\d$€£¥r])|\d\s?[-−]$|\(\s*\d[\d.,]*\s*\)")
MAX_TYPED_CHARS: Final = 400  # each figure of an answer is held against all the rest of it
MAX_BARE: Final = Decimal(10) ** 7  # a longer row of digits without a currency is a code or a phone
SETTLED_MIN: Final = 10  # "5 a month" may be pieces
SPELLED_MIN: Final = 10
LARGE_WORD: Final = 3  # letters of a scale that is a word: "20 mil"; "4k" is a screen
CUE_REACH: Final = 28  # "presupuesto es de " and a word like "about" stand before a bare price
RANGE_GAP: Final = 5  # two numbers this close are a range, not a price
SMALLEST_WITH_COMMA: Final = 2  # below stand people's heights: "1,75"
SMALLEST_PRICE: Final = 5  # "custa 2" is seldom the price
# "1.500,00": figures with two decimals are a price, unless they measure something or may be an hour.
_WITH_CENTS: Final = re.compile(r"(?P<whole>\d{1,3}(?:[.,  ]\d{3})+|\d{1,6})(?P<mark>[.,])(?P<cents>\d\d)")
_MEASURED: Final = re.compile(
    r"\s{0,2}(?:[%°º\"/:*]|x\s?\d|[-–]\s?\d|(?:k?g|gr|mg|km|cm|mm|m[23²³]?|mts?|metros?|ml|cl|l|lt|litros?|lit[er]{2}s?"
    r"|liter|gb|mb|tb|mhz|ghz|kb|ft|in|inch|lbs?|oz|h|hrs?|hs|uhr|horas?|am|pm|min|graus|grados|anos|years|pts?|pontos"
    r"|puntos|points|polegadas|pulgadas|mah|watts?|w|v|volts?|quilos?|kilos?|kilo|米|公斤|厘米|点|點|時|시|점|kg|متر|كيلو)"
    r"(?![^\W_]))|\.\d|\s{0,2}(?:por|per|pro)\s?(?:cento|ciento|cent)"
)
_MEASURING: Final = re.compile(
    r"(?<![^\W_])(?:pes[oa]|altura|mede|med[io]|medidas?|tamanho|tam|talla|taille|taglia|grosse|size|height|weight|nota|note|score"
    r"|rating|temperatura|febre|fiebre|fever|media|versao|version|versione|v|lat|lon|long|numero|n|alle|um|at|as|las|@)"
    r"[\s:.]{0,3}$"
)
_THOUSANDS: Final = re.compile(r"\d{1,3}(?:[.,]\d{3})+")
_MILLIONS: Final = re.compile(r"\d{1,3}(?:[.,]\d{3}){2,}")
_EVEN: Final = re.compile(r",[-–]{1,2}(?![^\W_])")  # "20,-"
_RANGE_LINK: Final = re.compile(
    r"\s?[-–~]\s?|\s(?:a|ao|ate|to|till|hasta|bis|fino a|الى|الي)\s|\s(?P<and>e|y|and|et|und|و)\s"
)
_BETWEEN: Final = re.compile(r"(?<![^\W_])(?:entre|between|zwischen|tra|fra|بين)\s\Z")
_LAST_WORD: Final = re.compile(r"[^\W\d_]+(?=\d?\Z)")
_SEVERAL: Final = frozenset("几幾数數몇何")  # "几百块": some hundreds
_SPOKEN_CENTS: Final = frozenset(map(Decimal, range(5, 100, 5)))
_TAIL_GAP: Final = re.compile(r"[\s,]{0,2}(?:(?:and|e|y|et|und|con|com|و)\s{1,2})?")
_INSTALMENTS: Final = r"(?<!\d)\d{1,2}\s?x\s(?:de|of|por|at|a|da|zu|von)(?![^\W_])"
# "size 42 R$ 89,90": a sign of these stands before its figures, unless it is glued to those before it.
_LEADING_SIGN: Final = re.compile(r"[$£¥₩]\Z")
_FIGURES_BEHIND: Final = re.compile(r"(?P<gap>\s{0,2})\d[\d.,]*\s{0,2}(?P<sign>[$€£¥₩]?)")
_WEIGHT: Final = re.compile(r"\s{1,2}(?:of|de|d'|di)(?![^\W_])")
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
    around: re.Pattern[str]
    weak: frozenset[str]  # names that mean other things too
    cue: re.Pattern[str]  # "costs", right before a bare number; the group `weak` is a mere "for"
    behind: re.Pattern[str]  # "à vista", right behind one
    closes: re.Pattern[str]  # what may follow a sum that ends without its currency
    no_sum: re.Pattern[str]
    tenths: bool
    is_whole: bool  # where the language is spoken, money has no hundredths
    needs_scale: bool  # a spelled figure alone is another word: "이유로", "사원"


def read_amount(text: str, *, region: str | None = None, language: str | None = None) -> Decimal | None:
    """Read a typed answer to a question for a sum; None when it is negative, unclear or no sum at all."""
    folded = fold(text).strip()
    if not folded or len(folded) > MAX_TYPED_CHARS or _NEGATIVE.search(folded):
        return None
    found = [money.amount for money in read_money(folded, region=region, language=language)]
    if not found:
        numbers = read_numbers(folded, language=language, decimal_mark=decimal_mark(region, language))
        found = [number.value for number in numbers if _may_be_answer(number, folded, language)]
    if len(set(found)) != 1:
        return None
    return found[0] if Decimal(0) <= found[0] <= MAX_AMOUNT else None


def read_money(
    folded: str, *, region: str | None = None, language: str | None = None, cased: str | None = None
) -> list[Money]:
    """Find every sum that names its currency, in symbols, codes or words, or is said to be a price.

    `cased` is the text as it was written, letter for letter: "TRY" is a currency, "try" is not.
    """
    names = _names(language or guess_script(folded))
    numbers = read_numbers(folded, language=language, decimal_mark=decimal_mark(region, language))
    sums: list[Money] = []
    for at, number in enumerate(numbers):
        if sums and number.start < sums[-1].end:
            continue
        money = _beside(number, folded, names, (region, language), cased)
        if money is None and sums and _ends_range(sums[-1], number, folded, names):
            money = Money(number.start, number.end, number.value, sums[-1].currency)
        if money is None and (
            _is_price(at, numbers, folded, names)
            or _is_written_price(number, folded, names, decimal_mark(region, language))
        ):
            money = Money(number.start, number.end, number.value, None)
        if money is None or (sums and money.start < sums[-1].end):
            continue
        if sums and _adds_fraction(sums[-1], money, folded):
            sums[-1] = Money(sums[-1].start, money.end, sums[-1].amount + money.amount, sums[-1].currency)
        else:
            money = _with_tail(money, numbers[at + 1 : at + 2], folded, names)
            taken = sums[-1].end if sums else 0
            sums += [*_range_start(money, numbers[max(0, at - 1) : at], taken, folded), money]
    return sums


def decimal_mark(region: str | None, language: str | None) -> str | None:
    """Tell which mark the country, else the language, puts before decimals."""
    if region:
        return "," if region.upper() in load("money")["comma_regions"] else "."
    if language:
        return "," if language in load("money")["comma_languages"] else "."
    return None


def _beside(
    number: Number, folded: str, names: _Names, place: tuple[str | None, str | None], cased: str | None
) -> Money | None:
    """Read a number with the currency behind it, else with the one before it."""
    if not number.is_literal and folded[max(0, number.start - 1) : number.start] in _SEVERAL:
        return None
    before = names.before.search(folded, max(0, number.start - MARK_REACH), number.start)
    if before and _is_lower_code(before, cased):
        before = None
    after = names.after.match(folded, number.end)
    if after and not _is_lower_code(after, cased) and _is_meant(after, number, folded, names):
        currency, factor = _resolve(names.currencies[after["name"]], *place)
        if before and number.is_literal:
            currency, factor = _resolve(names.currencies[before["name"]], *place)
            return Money(before.start("name"), number.end, number.value, currency)
        return Money(number.start, after.end(), number.value * factor, currency)
    if before is None or number.is_article:
        return None
    currency, factor = _resolve(names.currencies[before["name"]], *place)
    if factor != 1:
        return None
    return Money(before.start("name"), number.end, number.value, currency)


def _is_lower_code(match: re.Match[str], cased: str | None) -> bool:
    if cased is None or match["name"].upper() not in load("money")["word_codes"]:
        return False
    return not cased[match.start("name") : match.end("name")].isupper()


def _is_meant(after: re.Match[str], number: Number, folded: str, names: _Names) -> bool:
    """Tell a currency from its homonyms: "pounds of meat", "un sol" in the sky, "一块去"."""
    if _is_of_next(after, number, folded):
        return False
    if names.no_sum.match(folded, after.end("name")):
        return False
    if names.currencies[after["name"]] == "pound" and _WEIGHT.match(folded, after.end()):
        return False
    if names.needs_scale and not number.is_literal and number.value < SPELLED_MIN:
        return False
    if after["name"] not in names.weak:
        return True
    if number.value != 1:
        return True
    is_priced = names.cue.search(folded, max(0, number.start - CUE_REACH), number.start)
    return bool(is_priced or not number.is_article) and bool(names.closes.match(folded, after.end()))


def _is_of_next(after: re.Match[str], number: Number, folded: str) -> bool:
    """Tell the sign of the figures behind it: in "42 R$ 89,90" and "8.5 $60", not in "50$ 20$"."""
    behind = _FIGURES_BEHIND.match(folded, after.end("name"))
    if behind is None or behind["sign"] or after["name"][-1].isalnum() or after.start("name") == number.end:
        return False
    return not behind["gap"] or _LEADING_SIGN.search(after["name"]) is not None


def _is_price(at: int, numbers: Sequence[Number], folded: str, names: _Names) -> bool:
    """Tell a bare number that is a price: "custa 3 mil", "for 2k", or "2k" as the whole message."""
    number = numbers[at]
    written = folded[number.start : number.end]
    cue = names.cue.search(folded, max(0, number.start - CUE_REACH), number.start)
    is_priced = cue is not None and cue["weak"] is None
    is_settled = number.value >= SETTLED_MIN and bool(names.behind.match(folded, number.end))
    # "a cheque of 45,000 due on Friday": who writes a price out says it is one.
    is_written = is_priced and bool(_THOUSANDS.fullmatch(written)) and not _MEASURED.match(folded, number.end)
    if number.is_article or not (is_settled or is_written or names.closes.match(folded, number.end)):
        return False
    if number.value >= MAX_BARE and not number.is_scaled:
        return False
    # A word like "costs" parts a number from the one before it; a mere "to" makes a range of the two.
    neighbours = (*numbers[max(0, at - 1) : at], *numbers[at + 1 : at + 2])[is_priced and at > 0 :]
    is_range = any(_gap(number, other) <= RANGE_GAP for other in neighbours)
    begins_range = at == 0 or _gap(number, numbers[at - 1]) > RANGE_GAP
    if is_range and not (cue and begins_range and number.is_literal and number.is_scaled):
        return False
    if is_settled and number.is_literal:
        return True
    is_large = number.is_literal and (number.is_scaled or bool(_MILLIONS.fullmatch(written)))
    if is_priced:
        return number.value >= SMALLEST_PRICE
    if is_large and (cue or _ends_in_word(number, folded)):
        return True
    rest = f"{folded[: number.start]} {folded[number.end :]}"
    return is_large and not re.sub(r"[\W_]+", "", names.around.sub(" ", rest))


def _range_start(money: Money, before: Sequence[Number], taken: int, folded: str) -> Iterable[Money]:
    """Give the first sum of a range that names its currency once: "entre 200 e 300 reais"."""
    for number in before:
        link = _RANGE_LINK.fullmatch(folded, number.end, money.start)
        is_range = link and (
            not link["and"] or _BETWEEN.search(folded, max(0, number.start - MARK_REACH), number.start)
        )
        is_alike = number.is_literal and not number.is_scaled and number.end - number.start > 1
        if (
            is_range
            and is_alike
            and number.start >= taken
            and money.amount / 10 < number.value < money.amount
        ):
            yield Money(number.start, number.end, number.value, money.currency)


def _ends_range(first: Money, number: Number, folded: str, names: _Names) -> bool:
    """Tell the second sum of a range: "R$ 50 a 80", "between 1.1m and 1.3m"."""
    link = _RANGE_LINK.fullmatch(folded, first.end, number.start)
    if link is None or not number.is_literal or number.value <= first.amount:
        return False
    if link["and"] and not number.is_scaled:
        return False
    return bool(names.closes.match(folded, number.end) or names.behind.match(folded, number.end))


def _ends_in_word(number: Number, folded: str) -> bool:
    """Tell "20 mil", "2万", "1万2" and "1,250,000" from "4k"."""
    if not number.is_scaled:
        return True
    letters = _LAST_WORD.search(folded, number.start, number.end)
    return letters is not None and (len(letters.group()) >= LARGE_WORD or not letters.group().isascii())


def _is_written_price(number: Number, folded: str, names: _Names, mark: str | None) -> bool:
    """Tell "1.500,00", "99,90" and "20,-" in a shop's chat from an hour, a height and a version."""
    if _EVEN.match(folded, number.end):
        return True
    match = _WITH_CENTS.fullmatch(folded, number.start, number.end)
    if match is None or names.is_whole:
        return False
    if number.value < (SMALLEST_PRICE if match["mark"] == "." else SMALLEST_WITH_COMMA):
        return False
    if _MEASURED.match(folded, number.end):
        return False
    is_grouped = not match["whole"].isdigit()
    if match["mark"] != mark and not is_grouped:
        return False
    if not is_grouped and match["mark"] == "." and int(match["whole"]) < 24 and int(match["cents"]) < 60:
        return False
    return not _MEASURING.search(folded, max(0, number.start - CUE_REACH), number.start)


def _gap(one: Number, other: Number) -> int:
    return max(one.start, other.start) - min(one.end, other.end)


def _with_tail(money: Money, following: Sequence[Number], folded: str, names: _Names) -> Money:
    """Add the hundredths said behind the currency: "12 euros 50", "12 reais e cinquenta", "三块五"."""
    if not following or money.currency in load("money")["whole"] or money.amount != int(money.amount):
        return money
    (number,) = following
    between = folded[money.end : number.start]
    if money.end > number.start or not _TAIL_GAP.fullmatch(between) or number.is_scaled:
        return money
    if names.after.match(folded, number.end) or not names.closes.match(folded, number.end):
        return money
    digits = number.end - number.start
    share: Decimal | None
    if names.tenths and digits == 1 and number.value < 10:
        share = Decimal(10)
    elif number.is_literal:
        share = Decimal(100) if digits == 2 else None
    else:
        share = Decimal(100) if number.value in _SPOKEN_CENTS and not names.tenths else None
    is_behind = folded[money.start].isalnum() and not folded[money.end - 1].isdigit()
    if share is None or not is_behind or not number.value:
        return money
    return Money(money.start, number.end, money.amount + number.value / share, money.currency)


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
    factor = Decimal(shared["factors"].get(name, 1))
    if country in shared[name]:
        return shared[name][country], factor
    if language_own := shared["spoken_in"].get(language or "", {}).get(name):
        return language_own, factor
    return shared["defaults"][name], factor


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
    tongues = [load("money", name) for name in ((language,) if language in LANGUAGES else LANGUAGES)]
    spoken, currencies = _spoken_names(tongues)
    leading = {fold(word): code for data in tongues for word, code in data.get("before", {}).items()}
    symbols = {fold(symbol): code for symbol, code in shared["symbols"].items()}
    for symbol, code in symbols.items():
        currencies[symbol] = {"$": "sign", "¥": "yen"}.get(symbol, code)
    for code in shared["codes"]:
        currencies[code.lower()] = {"RMB": "CNY"}.get(code, code)
    codes = [code.lower() for code in shared["codes"]]
    unspaced = language in {"zh", "ja", "ko"}
    start, end = ("", "") if unspaced else (r"(?<![^\W_])", r"(?![^\W_])")
    around, cues, weak_cues, behind, closing = (
        _any([fold(str(word)) for data in tongues for word in data.get(name, ())])
        for name in ("around", "cues", "weak_cues", "behind_cues", "closing")
    )
    # Behind a symbol the hundredths may stand: "12€50".
    ends = "" if unspaced else r"(?:(?<=[€£$¥₩])(?=\d\d(?!\d))|(?![^\W_]|'[st](?![^\W_])))"
    currencies = {**leading, **currencies}
    return _Names(
        re.compile(rf"{start}(?P<name>{_any([*symbols, *codes, *leading])})\s{{0,2}}:?\s?$"),
        re.compile(
            r"(?:,[-–]{1,2})?[\s-]{0,2}(?:(?:de|of|di)\s|d'\s?)?"
            rf"(?P<name>{_any([*spoken, *symbols, *codes])})" + ends
        ),
        currencies,
        re.compile(rf"{start}(?:{around}){end}"),
        frozenset(fold(word) for data in tongues for word in data.get("weak", ())),
        re.compile(
            rf"(?:{start}(?:(?P<strong>{cues})|(?P<weak>{weak_cues})){end}|{_INSTALMENTS})[\s:]{{0,3}}(?:(?:{around}){end}\s{{0,3}})?$"
        ),
        re.compile(rf"\s{{0,3}}(?:{behind}){end}"),
        re.compile(rf"\s{{0,3}}(?:$|[^\s\w%°/:\-–+*]|(?:{closing}){end})"),
        re.compile("|".join(data["no_sum"] for data in tongues if "no_sum" in data) or "(?!)"),
        language == "zh",
        language in shared["whole_languages"],
        any(data.get("needs_scale") for data in tongues),
    )


def _spoken_names(tongues: Iterable[Mapping[str, Any]]) -> tuple[list[str], dict[str, str]]:
    """Give every spoken name and what it stands for; the first language named is believed."""
    currencies: dict[str, str] = {}
    for data in tongues:
        tables = {**data.get("currencies", {})}
        tables["subunit"], tables["tenth"] = data.get("subunits", ()), data.get("tenths", ())
        for code, words in tables.items():
            for word in words:
                currencies.setdefault(fold(str(word)), code)
    return list(currencies), currencies


def _any(words: list[str]) -> str:
    return "|".join(re.escape(word) for word in sorted({*words}, key=len, reverse=True)) or "(?!)"
