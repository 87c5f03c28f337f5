"""Numbers as people write and spell them: "150 mil", "1.234,56", "R$ 2k", "three hundred", "三億五千万".

Called by `money` and `dates`. Works on folded text (see `folding`); it never decides what a number counts.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Final

from vocabulary import LANGUAGES

from .lexicons import load

MAX_DIGITS: Final = 16  # more is an account number or noise, never a quantity
FRACTIONED_SCALE: Final = 1000  # a quarter of a million is said, a quarter of a hundred is not
_LITERAL: Final = (
    r"\d{1,3}(?:[  ']\d{3})+(?![\d])(?:[.,]\d{1,2}(?!\d))?"
    r"|\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d+)?(?!\d)"
    r"|\d+(?:[.,]\d+)*"
    r"|(?<![^\s$€£(])\.\d{1,2}(?![\d.])"
)
_SCRIPTS: Final = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("ko", re.compile(r"[\uac00-\ud7a3]")),
    ("zh", re.compile(r"[\u4e00-\u9fff]")),
    ("ar", re.compile(r"[\u0600-\u06ff]")),
)
# Where two languages spell alike, the first one named is believed.
_LATIN_ORDER: Final = ("pt", "es", "en", "fr", "it", "de")


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a folded text: its span, its value, and how it was written."""

    start: int
    end: int
    value: Decimal
    is_literal: bool  # has digits
    is_scaled: bool  # has a thousand, a k, a million
    is_article: bool  # only "a" or "one"


@dataclass(frozen=True, slots=True)
class _Unit:
    start: int
    end: int
    kind: str  # literal, word, scale, half, fraction (of the scale behind it), tail (of the one before it)
    value: Decimal
    text: str


@dataclass(frozen=True)
class _Grammar:
    pattern: re.Pattern[str]
    words: dict[str, Decimal]
    scales: dict[str, Decimal]
    suffixes: dict[str, Decimal]
    halves: frozenset[str]
    fractions: dict[str, Decimal]
    joiner: re.Pattern[str]
    articles: frozenset[str]
    glued: re.Pattern[str] | None
    trailing_tenth: bool  # "一万二" is twelve thousand


def read_numbers(
    folded: str, *, language: str | None = None, decimal_mark: str | None = None
) -> list[Number]:
    """Find every number, left to right. `decimal_mark` ("." or ",") settles what the writing leaves open."""
    grammar = _grammar(language or guess_script(folded))
    chains: list[list[_Unit]] = []
    for unit in _units(folded, grammar, decimal_mark):
        if chains and _continues(chains[-1], unit, folded, grammar):
            chains[-1].append(unit)
        else:
            chains.append([unit])
    return [number for chain in chains if (number := _evaluate(chain, grammar))]


def guess_script(folded: str) -> str | None:
    """Name the language that a script alone gives away; None for Latin."""
    return next((language for language, pattern in _SCRIPTS if pattern.search(folded)), None)


def read_literal(
    literal: str, decimal_mark: str | None = None, *, before_scale: bool = False
) -> Decimal | None:
    """Read digits with separators; three digits after a lone separator are a group unless a scale follows."""
    digits = re.sub(r"[  ']", "", literal)
    marks = re.findall(r"[.,]", digits)
    if sum(character.isdigit() for character in digits) > MAX_DIGITS:
        return None
    if not marks:
        return Decimal(digits)
    last = marks[-1]
    if len(set(marks)) == 2:
        if marks.count(last) > 1:
            return None
        whole, fraction = digits.rsplit(last, 1)
        return Decimal(f"{re.sub('[.,]', '', whole)}.{fraction}")
    whole, *rest = digits.split(last)
    if len(marks) > 1:
        grouped = all(len(part) == 3 for part in rest) or (last == "," and len(rest[-1]) == 3)
        return Decimal(digits.replace(last, "")) if grouped else None
    is_group = len(rest[0]) == 3 and len(whole) <= 3 and whole.strip("0") and not before_scale
    if is_group and decimal_mark != last:
        return Decimal(whole + rest[0])
    if is_group and before_scale is False and decimal_mark == last:
        return Decimal(whole + rest[0])
    return Decimal(f"{whole}.{rest[0]}")


def _units(folded: str, grammar: _Grammar, decimal_mark: str | None) -> list[_Unit]:
    units: list[_Unit] = []
    for match in grammar.pattern.finditer(folded):
        if match["fraction"] is not None or match["tail"] is not None:
            units.append(_fraction_unit(match, grammar))
        elif literal := match["literal"]:
            units += _literal_units(match, literal, folded, grammar, decimal_mark)
        else:
            units += _word_units(match.start(), match.group(), grammar)
    return units


def _fraction_unit(match: re.Match[str], grammar: _Grammar) -> _Unit:
    """Read "three quarters of a" before a million, "and a quarter" behind one, and "3/4 of a"."""
    kind = "tail" if match["fraction"] is None else "fraction"
    counted, _, over = match[kind].partition("/")
    *many, what = re.split(r"[\s-]+", counted.strip())
    if over:
        value = Decimal(what) / Decimal(over.strip())
    else:
        value = (_count(many[0], grammar) if many else Decimal(1)) / grammar.fractions[what]
    return _Unit(match.start(), match.end(), kind, value, match.group())


def _count(word: str, grammar: _Grammar) -> Decimal:
    if word.isdigit():
        return Decimal(word)
    return Decimal(1) if word in grammar.articles else grammar.words[word]


def _literal_units(
    match: re.Match[str], literal: str, folded: str, grammar: _Grammar, decimal_mark: str | None
) -> list[_Unit]:
    suffix = match["suffix"]
    tail = folded[match.end() : match.end() + 14].lstrip()
    scaled = bool(suffix) or any(
        tail.startswith(word) for word, value in grammar.scales.items() if value >= 1000
    )
    value = read_literal(literal, decimal_mark, before_scale=scaled)
    if value is None:
        return []
    end = match.start() + len(literal)
    units = [_Unit(match.start(), end, "literal", value, literal)]
    if suffix:
        units.append(_Unit(match.start("suffix"), match.end(), "scale", grammar.suffixes[suffix], suffix))
    return units


def _word_units(start: int, word: str, grammar: _Grammar) -> list[_Unit]:
    if (unit := _word_unit(start, word, grammar)) is not None:
        return [unit]
    if grammar.glued is None:
        return []
    return [
        unit
        for piece in grammar.glued.finditer(word)
        if (unit := _word_unit(start + piece.start(), piece.group(), grammar)) is not None
    ]


def _word_unit(start: int, word: str, grammar: _Grammar) -> _Unit | None:
    end = start + len(word)
    if word in grammar.scales:
        return _Unit(start, end, "scale", grammar.scales[word], word)
    if word in grammar.words:
        return _Unit(start, end, "word", grammar.words[word], word)
    if word in grammar.halves:
        return _Unit(start, end, "half", Decimal("0.5"), word)
    return None


def _continues(chain: list[_Unit], unit: _Unit, folded: str, grammar: _Grammar) -> bool:
    """Tell whether a unit goes on with the number before it: joined, and of a size that can follow."""
    last = chain[-1]
    between = folded[last.end : unit.start]
    if not grammar.joiner.fullmatch(between):
        return False
    if unit.kind == "fraction":
        return last.kind in {"word", "literal"} and bool(between.strip())
    if unit.kind == "tail":
        return last.kind == "scale" and last.value >= FRACTIONED_SCALE
    if last.kind in {"fraction", "tail"}:
        return last.kind == "fraction" and unit.kind == "scale"
    if unit.kind == "scale":
        return True
    if unit.kind == "half":
        return last.kind != "half" and bool(between.strip() or last.kind in {"word", "scale"})
    if unit.kind == "literal" and grammar.trailing_tenth and len(unit.text) == 1 and last.kind == "scale":
        return not between
    if unit.kind == "literal":
        return last.kind == "scale" and unit.value < last.value and not between.strip()
    if last.kind == "literal":
        return False
    if last.kind == "word":
        is_gap = last.value == 0 and len(chain) > 1  # the nought of "两千零五"
        return is_gap or _may_add(last.value, unit.value)
    return last.kind == "scale" and unit.value < last.value


def _may_add(first: Decimal, second: Decimal) -> bool:
    """Twenty-five, fünf-und-zwanzig and cento e vinte add up; "two three" are two numbers."""
    if first >= 100:
        return second < 100
    if first >= 20:
        return second < 20
    return 20 <= second < 100 and first < 10


def _evaluate(chain: list[_Unit], grammar: _Grammar) -> Number | None:
    stack: list[Decimal] = []
    scale = Decimal(1)
    for unit in chain:
        if unit.kind == "scale":
            below = Decimal(0)
            while stack and stack[-1] < unit.value:
                below += stack.pop()
            stack.append((below or Decimal(1)) * unit.value)
            scale = unit.value
        elif unit.kind == "tail":
            stack.append(unit.value * scale)
        elif unit.kind == "half":
            stack.append(Decimal("0.5") * (scale if stack and chain[-1] is unit else 1))
        elif unit is chain[-1] and _is_tenth(chain, grammar):
            stack.append(unit.value * chain[-2].value / 10)
        else:
            stack.append(unit.value)
    if len(chain) == 1 and chain[0].kind in {"half", "tail"}:
        return None
    return Number(
        chain[0].start,
        chain[-1].end,
        _to_cents(sum(stack, Decimal(0))),
        any(unit.kind == "literal" for unit in chain),
        any(unit.kind == "scale" and unit.value >= 1000 for unit in chain),
        len(chain) == 1 and chain[0].text in grammar.articles,
    )


def _is_tenth(chain: list[_Unit], grammar: _Grammar) -> bool:
    if not grammar.trailing_tenth or len(chain) < 2 or chain[-1].kind not in {"word", "literal"}:
        return False
    scale, figure = chain[-2:]
    return (
        scale.kind == "scale"
        and len(figure.text) == 1
        and scale.value >= 100
        and 0 < figure.value < 10
        and scale.end == figure.start
    )


def _to_cents(value: Decimal) -> Decimal:
    """A third of a million has no end of digits; what was written out keeps all of its own."""
    return value.quantize(Decimal("0.01")) if len(value.as_tuple().digits) > MAX_DIGITS + 4 else value


@cache
def _grammar(language: str | None) -> _Grammar:
    sources = [load("numbers", name) for name in ((language,) if language in LANGUAGES else _LATIN_ORDER)]
    if language in LANGUAGES and language != "en":
        sources.append({"suffixes": load("numbers", "en").get("suffixes", {})})
    tables: dict[str, dict[str, Decimal]] = {"words": {}, "scales": {}, "suffixes": {}, "fractions": {}}
    for source in sources:
        for name, table in tables.items():
            for word, value in source.get(name, {}).items():
                table.setdefault(str(word), Decimal(str(value)))
    halves = frozenset(word for source in sources for word in source.get("half", ()))
    joiners = {word for source in sources for word in source.get("joiners", ())}
    articles = frozenset(word for source in sources for word in source.get("articles", ()))
    words = sorted({*tables["words"], *tables["scales"], *halves}, key=len, reverse=True)
    word = "|".join(map(re.escape, words))
    glued = any(source.get("glued") for source in sources)
    unspaced = language in {"zh", "ja", "ko"}
    inner = "|".join(sorted(map(re.escape, {*joiners} - {"-"}), key=len, reverse=True)) or "(?!)"
    # "150mil" and "2milhões" are written as often as with a space.
    large = {} if unspaced else {w: v for w, v in tables["scales"].items() if v >= FRACTIONED_SCALE}
    suffixes = {**large, **tables["suffixes"]}
    suffix = "|".join(sorted(map(re.escape, suffixes), key=len, reverse=True))
    before, after = ("", "") if unspaced else (_word_start(sources), r"(?![^\W\d_])")
    body = rf"(?:{word})(?:(?:{inner})?(?:{word}))*" if glued else rf"(?:{word})"
    # "1w2" is said like "一万二".
    tenth = any(source.get("trailing_tenth") for source in sources)
    suffix_end = r"(?:(?![^\W_])|(?=\d(?!\d)))" if tenth else r"(?![^\W_])"
    pattern = (
        _fraction_pattern(tables, articles, large)
        + rf"|(?<![\d.,])(?P<literal>{_LITERAL})(?:\s?(?P<suffix>{suffix}){suffix_end})?"
        rf"|{before}{body}{after}"
    )
    return _Grammar(
        re.compile(pattern),
        tables["words"],
        tables["scales"],
        suffixes,
        halves,
        tables["fractions"],
        re.compile(rf"[\s-]*(?:(?:{inner})[\s-]*)*"),
        articles,
        re.compile(rf"{word}|{inner}") if glued else None,
        tenth,
    )


def _fraction_pattern(
    tables: dict[str, dict[str, Decimal]], articles: frozenset[str], scales: dict[str, Decimal]
) -> str:
    """Match parts of a scale; without a scale beside it a "quarto" is a room, a "quarter" of a year."""
    counts = {*articles, *(word for word, value in tables["words"].items() if 1 <= value <= 9)}
    one = "|".join(sorted(map(re.escape, articles), key=len, reverse=True)) or "(?!)"
    count = "|".join(sorted(map(re.escape, counts), key=len, reverse=True)) or "(?!)"
    part = "|".join(sorted(map(re.escape, tables["fractions"]), key=len, reverse=True)) or "(?!)"
    scale = "|".join(sorted(map(re.escape, scales), key=len, reverse=True)) or "(?!)"
    spoken = rf"(?:(?:{count}|\d)[\s-]+)?(?:{part})(?![^\W_])"
    return (
        rf"(?<![^\W_])(?<![\d.,/])(?P<fraction>{spoken}|\d\s?/\s?[2-9](?!\d))"
        rf"(?:(?:[\s-]+(?:de|of|di)\b)?(?:[\s-]+(?:{one})\b)?(?=[\s-]+(?:{scale})(?![^\W_])))"
        rf"|(?:(?<=\be\s)|(?<=\by\s)|(?<=\bet\s)|(?<=\band\s))(?P<tail>{spoken})"
    )


def _word_start(sources: list[dict[str, list[str]]]) -> str:
    """A word begins at no letter; Arabic writes its "and" onto the next word."""
    prefixes = {word for source in sources for word in source.get("prefix_joiners", ())}
    alone = r"(?<![^\W_])"
    return alone if not prefixes else rf"(?:{alone}|(?<=\b[{''.join(prefixes)}]))"
