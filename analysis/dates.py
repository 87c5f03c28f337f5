"""Days and hours that a text names, from a given now: "amanhã às 15h", "nächsten Dienstag", "3日後".

Called by `entities`. The grammar of each language is data (`data/<language>/dates.yaml`: words, and
templates over them); this room only compiles and computes. A day without a year is the next one; a bare
weekday is the coming one.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Any, Final

from vocabulary import LANGUAGES

from .folding import fold
from .lexicons import load
from .quantities import read_numbers

LEAD_REACH: Final = 32  # how far before a day its hour or its preposition may stand
ALWAYS_OPEN: Final = "24/7"
CENTURY_TURN: Final = 70  # '69 is 2069, '70 is 1970
MAX_AHEAD: Final = {"day": 3650, "week": 520, "month": 240, "year": 100, "hour": 10000, "minute": 100000}
UNSPACED: Final = frozenset({"zh", "ja", "ko"})
_CJK_DAY: Final = r"(?:3[01]|[12]\d|0?[1-9]|[一二三四五六七八九十廿]{1,3})"
_YEAR: Final = r"(?:1[89]\d{2}|20\d{2}|21\d{2}|'\d{2}(?!\d))"
_ISO: Final = re.compile(
    r"(?<![\d.])((?:19|20)\d{2})([-/.])(\d{1,2})\2(\d{1,2})(?!\d)(?:t(\d{2}):(\d{2})\S*)?"
)
_FULL: Final = re.compile(
    r"(?<![\d.,/-])(\d{1,2})\s?([-/.])\s?(\d{1,2})\s?\2\s?((?:19|20)\d{2}|\d{2})(?![\d/])"
)
_SHORT: Final = re.compile(r"(?<![\d.,/:-])(\d{1,2})([/.-])(\d{1,2})(?P<dot>\.)?(?![\d/%]|[.,:-]\d)")
_LEAD: Final = re.compile(
    r"(?:^|[\s(])(?:on|by|until|till|from|since|dia|em|no dia|ate|para|pra|el|del|hasta|le|du|au|am|vom|bis"
    r"|zum|den|der|il|dal|entro|يوم|في)"
    r"\s+(?:o |el |le |il )?$"
)
_AFTERNOON: Final = re.compile(
    r"p\.?m|tarde|noche|noite|soir|apres-midi|sera|pomeriggio|abend|مساء|العصر|ليلا|بالليل|下午|晚|傍晚|午後|夜|夕方|오후|저녁|밤"
)
_BETWEEN: Final = frozenset({"", ",", "de", "on", "am", "di", "del", "el", "le", "do"})
_NOONISH: Final = re.compile(r"ظهر|中午|낮")
_CJK_VALUES: Final = {character: index for index, character in enumerate("〇一二三四五六七八九十")} | {
    "两": 2,
    "元": 1,
}
_KOREAN_HOURS: Final = {
    "한": 1,
    "두": 2,
    "세": 3,
    "네": 4,
    "다섯": 5,
    "여섯": 6,
    "일곱": 7,
    "여덟": 8,
    "아홉": 9,
    "열": 10,
    "열한": 11,
    "열두": 12,
}

Groups = dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Day:
    """A day in a folded text; `at` when an hour is named too."""

    start: int
    end: int
    day: date
    at: time | None = None

    def value(self, now: datetime) -> str:
        """Give the ISO date, or the ISO date-time in the time zone of `now`."""
        if self.at is None:
            return self.day.isoformat()
        return datetime.combine(self.day, self.at, tzinfo=now.tzinfo).isoformat()


@dataclass(frozen=True)
class _Grammar:
    data: dict[str, Any]
    templates: tuple[tuple[str, re.Pattern[str]], ...]
    time: re.Pattern[str] | None
    trigger: re.Pattern[str]
    words: dict[str, dict[str, Any]]


def read_dates(
    folded: str, *, now: datetime, region: str | None = None, language: str | None = None
) -> list[Day]:
    """Find every day in folded text, left to right; what overlaps goes to the longer reading."""
    known = language if language in LANGUAGES else "en"
    grammar = _grammar(str(known))
    found = _read_numeric(folded, now.date(), _month_first(region, language), known == "de")
    if grammar.trigger.search(folded):
        for kind, pattern in grammar.templates:
            for match in pattern.finditer(folded):
                if (day := _resolve(kind, match.groupdict(), grammar, now, str(known))) is not None:
                    at = day.time() if isinstance(day, datetime) else None
                    plain = day.date() if isinstance(day, datetime) else day
                    start = match.start() + len(match.group()) - len(match.group().lstrip())
                    found.append(Day(start, match.end(), plain, at))
    return [_with_time(day, folded, grammar) for day in _longest(found)]


def easter(year: int) -> date:
    """Give Easter Sunday (the anonymous Gregorian algorithm)."""
    golden, century, rest = year % 19, year // 100, year % 100
    skipped, leap = divmod(century, 4)
    moon = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - skipped - moon + 15) % 30
    quarter, left = divmod(rest, 4)
    weekday = (32 + 2 * leap + 2 * quarter - epact - left) % 7
    correction = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * correction + 114, 31)
    return date(year, month, day + 1)


def _month_first(region: str | None, language: str | None) -> bool:
    shared = load("dates")
    if region:
        return region.upper() in shared["month_first_regions"]
    return language in shared["month_first_languages"]


def _read_numeric(folded: str, today: date, month_first: bool, german: bool) -> list[Day]:
    found = []
    for match in _ISO.finditer(folded):
        if day := _date(int(match[1]), int(match[3]), int(match[4])):
            at = (
                time(int(match[5]), int(match[6]))
                if match[5] and int(match[5]) < 24 and int(match[6]) < 60
                else None
            )
            found.append(Day(match.start(), match.end(), day, at))
    for match in _FULL.finditer(folded):
        month, number = _order(int(match[1]), int(match[3]), month_first)
        if day := _date(_full_year(match[4]), month, number):
            found.append(Day(match.start(), match.end(), day))
    for short in _SHORT.finditer(folded):
        if believed := _short(short, folded, today, month_first, german):
            found.append(believed)
    return found


def _short(match: re.Match[str], folded: str, today: date, month_first: bool, german: bool) -> Day | None:
    """Believe "15/03" and "dia 3/4", not the "9/10" of a rating or the "1/2" of a recipe."""
    first, second = int(match[1]), int(match[3])
    if match.group() == ALWAYS_OPEN:
        return None
    led = bool(_LEAD.search(folded[max(0, match.start() - LEAD_REACH) : match.start()]))
    if (match[2] == "." and not (german and match["dot"])) or (match[2] == "-" and not led):
        return None
    written_out = len(match[1]) == 2 and len(match[3]) == 2 and first != second
    if not (led or written_out or (max(first, second) > 12 and match[2] == "/") or match["dot"]):
        return None
    month, number = _order(first, second, month_first)
    day = _coming(today, month, number)
    return Day(match.start(), match.end(), day) if day else None


def _order(first: int, second: int, month_first: bool) -> tuple[int, int]:
    """Give (month, day)."""
    if first > 12 or (not month_first and second <= 12):
        return second, first
    return first, second


def _full_year(text: str) -> int:
    year = int(text.strip("'"))
    if year < 100:
        return year + (2000 if year < CENTURY_TURN else 1900)
    return year


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _coming(today: date, month: int, day: int) -> date | None:
    """Give the next such day, today included; 29 February may be years away."""
    options = (_date(today.year + ahead, month, day) for ahead in range(9))
    return next((option for option in options if option and option >= today), None)


def _resolve(
    kind: str, groups: Groups, grammar: _Grammar, now: datetime, language: str
) -> date | datetime | None:
    try:
        return _RESOLVERS[kind](groups, grammar, now, language)
    except (OverflowError, ValueError):
        return None


def _resolve_date(groups: Groups, grammar: _Grammar, now: datetime, language: str) -> date | None:
    today = now.date()
    number = _day_number(groups, grammar)
    if number is None:
        return None
    if groups.get("thisnext") or groups.get("nextmonth"):
        start = _shift_month(today, _turn(groups.get("thisnext") or groups["nextmonth"]))
        return _date(start.year, start.month, number)
    month = grammar.words["months"].get(groups.get("month") or "") or _small(groups.get("monthnumber"))
    if month is None:
        return _weekday_with_number(groups, grammar, today, number)
    if groups.get("era"):
        return _date(2018 + (_small(groups["era"]) or 1), month, number)
    if groups.get("nextyear"):
        return _date(today.year + _turn(groups["nextyear"]), month, number)
    if year := groups.get("year"):
        return _date(_full_year(year), month, number)
    return _coming(today, month, number)


def _weekday_with_number(groups: Groups, grammar: _Grammar, today: date, number: int) -> date | None:
    """Find the coming "Friday 13": the nearest month in which the two agree, else believe the number."""
    weekday = grammar.words["weekdays"].get(groups.get("weekday") or "")
    for ahead in range(12):
        month = _shift_month(today, ahead)
        day = _date(month.year, month.month, number)
        if day and day >= today and day.weekday() == weekday:
            return day
    return _resolve_number(today, number)


def _resolve_day(groups: Groups, grammar: _Grammar, now: datetime, language: str) -> date | None:
    number = _day_number(groups, grammar)
    return _resolve_number(now.date(), number) if number else None


def _resolve_number(today: date, number: int) -> date | None:
    for ahead in range(3):
        month = _shift_month(today, ahead)
        day = _date(month.year, month.month, number)
        if day and day >= today:
            return day
    return None


def _resolve_nth(groups: Groups, grammar: _Grammar, now: datetime, language: str) -> date | None:
    weekday = grammar.words["weekdays"][groups["weekday"] or ""]
    month = grammar.words["months"][groups["month"] or ""]
    nth = grammar.words["ordinals"][groups["nth"] or ""]
    if year := groups.get("year"):
        return _nth_weekday(_full_year(year), month, nth, weekday)
    today = now.date()
    options = (_nth_weekday(today.year + ahead, month, nth, weekday) for ahead in (0, 1))
    return next((day for day in options if day >= today), None)


def _resolve_relative(groups: Groups, grammar: _Grammar, now: datetime, language: str) -> date:
    return now.date() + timedelta(days=grammar.words["days"][groups["days"] or ""])


def _weekday(groups: Groups, grammar: _Grammar) -> int:
    return int(grammar.words["weekdays"][groups["weekday"] or ""])


def _next_weekday(groups: Groups, grammar: _Grammar, now: datetime, language: str) -> date:
    return now.date() + timedelta(days=(_weekday(groups, grammar) - now.weekday() - 1) % 7 + 1)


def _this_weekday(groups: Groups, grammar: _Grammar, now: datetime, language: str) -> date:
    return now.date() + timedelta(days=(_weekday(groups, grammar) - now.weekday()) % 7)


def _last_weekday(groups: Groups, grammar: _Grammar, now: datetime, language: str) -> date:
    return now.date() - timedelta(days=(now.weekday() - _weekday(groups, grammar) - 1) % 7 + 1)


def _in_week(ahead: int) -> "Callable[[Groups, _Grammar, datetime, str], date]":
    def resolve(groups: Groups, grammar: _Grammar, now: datetime, language: str) -> date:
        monday = now.date() - timedelta(days=now.weekday())
        return monday + timedelta(days=7 * ahead + _weekday(groups, grammar))

    return resolve


def _counted(direction: int) -> "Callable[[Groups, _Grammar, datetime, str], date | datetime | None]":
    def resolve(groups: Groups, grammar: _Grammar, now: datetime, language: str) -> date | datetime | None:
        count, unit = _count(groups, grammar, language)
        if count is None or count > MAX_AHEAD[unit]:
            return None
        if unit in {"hour", "minute"}:
            return (now + direction * timedelta(**{f"{unit}s": float(count)})).replace(
                second=0, microsecond=0
            )
        start = now.date()
        if groups.get("days"):
            start += timedelta(days=grammar.words["days"][groups["days"] or ""])
        if unit in {"day", "week"}:
            return start + direction * timedelta(days=round(count * (7 if unit == "week" else 1)))
        return _shift_month(start, direction * round(count * (12 if unit == "year" else 1)), keep_day=True)

    return resolve


def _count(groups: Groups, grammar: _Grammar, language: str) -> tuple[float | None, str]:
    if dual := groups.get("dual"):
        count, unit = grammar.words["duals"][dual]
        return float(count), unit
    if one := groups.get("one"):
        return 1.0, grammar.words["units"][one]
    unit = grammar.words["units"][groups["unit"] or ""]
    numbers = read_numbers(groups["n"] or "", language=language)
    return (float(numbers[0].value), unit) if numbers else (None, unit)


def _resolve_period(groups: Groups, grammar: _Grammar, now: datetime, language: str) -> date:
    """Give the first day of the week, month or year that is meant."""
    shift, unit = grammar.words["periods"][groups["period"] or ""]
    today = now.date()
    if unit == "week":
        return today - timedelta(days=today.weekday()) + timedelta(days=7 * shift)
    if unit == "weekend":
        return today - timedelta(days=today.weekday()) + timedelta(days=7 * shift + 5)
    return _shift_month(today, shift) if unit == "month" else date(today.year + shift, 1, 1)


def _resolve_edge(groups: Groups, grammar: _Grammar, now: datetime, language: str) -> date:
    today = now.date()
    span = grammar.words["spans"][groups["span"] or ""]
    first = today.replace(day=1) if span == "month" else today.replace(month=1, day=1)
    following = _shift_month(first, 1 if span == "month" else 12)
    if grammar.words["edges"][groups["edge"] or ""] == "last":
        return following - timedelta(days=1)
    return following


def _resolve_holiday(groups: Groups, grammar: _Grammar, now: datetime, language: str) -> date | None:
    rule = grammar.words["holidays"][groups["holiday"] or ""]
    today = now.date()
    if year := groups.get("year"):
        return _holiday(rule, _full_year(year))
    return next(
        (day for ahead in (0, 1) if (day := _holiday(rule, today.year + ahead)) and day >= today), None
    )


def _holiday(rule: str, year: int) -> date | None:
    """Read a rule of the data files: `12-25`, `05-w2-6` (the second Sunday), `11-w4-3+1`, `easter-47`."""
    if match := re.fullmatch(r"easter([+-]\d+)", rule):
        return easter(year) + timedelta(days=int(match[1]))
    if match := re.fullmatch(r"(\d\d)-w(-?\d)-(\d)(?:\+(\d))?", rule):
        day = _nth_weekday(year, int(match[1]), int(match[2]), int(match[3]))
        return day + timedelta(days=int(match[4] or 0))
    month, number = rule.split("-")
    return _date(year, int(month), int(number))


def _nth_weekday(year: int, month: int, nth: int, weekday: int) -> date:
    if nth < 0:
        last = _shift_month(date(year, month, 1), 1) - timedelta(days=1)
        return last - timedelta(days=(last.weekday() - weekday) % 7)
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def _shift_month(day: date, months: int, *, keep_day: bool = False) -> date:
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    if not keep_day:
        return date(year, month + 1, 1)
    last = (_shift_month(date(year, month + 1, 1), 1) - timedelta(days=1)).day
    return date(year, month + 1, min(day.day, last))


def _turn(word: str | None) -> int:
    if word is None:
        return 0
    if re.match(r"下|明|来|다음|내", word):
        return 1
    return -1 if re.match(r"上|去|昨|先|지난|작", word) else 0


def _day_number(groups: Groups, grammar: _Grammar) -> int | None:
    if word := groups.get("dayword"):
        return int(grammar.words["ordinals"][word])
    number = _small(groups.get("day"))
    return number if number and 1 <= number <= 31 else None


def _small(text: str | None) -> int | None:
    """Read digits or a short run of Chinese numerals."""
    if not text:
        return None
    if text.isdigit():
        return int(text)
    if text in _KOREAN_HOURS:
        return _KOREAN_HOURS[text]
    text = text.replace("廿", "二十")
    if "十" in text:
        tens, ones = text.split("十", 1)
        return (_CJK_VALUES.get(tens, 1) if tens else 1) * 10 + (_CJK_VALUES.get(ones, 0) if ones else 0)
    return _CJK_VALUES.get(text)


def _longest(days: list[Day]) -> list[Day]:
    taken: list[Day] = []
    for day in sorted(days, key=lambda one: (one.start - one.end, one.start)):
        if all(day.end <= other.start or day.start >= other.end for other in taken):
            taken.append(day)
    return sorted(taken, key=lambda one: one.start)


def _with_time(day: Day, folded: str, grammar: _Grammar) -> Day:
    """Add an hour that stands right behind the day, or right before it."""
    if grammar.time is None or day.at is not None:
        return day
    behind = grammar.time.match(folded, day.end)
    if behind and (at := _time(behind.groupdict(), grammar)):
        return Day(day.start, behind.end(), day.day, at)
    for ahead in grammar.time.finditer(folded, max(0, day.start - LEAD_REACH), day.start):
        gap = folded[ahead.end() : day.start]
        is_near = len(gap) <= 4 and gap.strip() in _BETWEEN
        if is_near and (at := _time(ahead.groupdict(), grammar)):
            lead = len(ahead.group()) - len(ahead.group().lstrip(" ,"))
            return Day(ahead.start() + lead, day.end, day.day, at)
    return day


def _time(groups: Groups, grammar: _Grammar) -> time | None:
    if name := groups.get("clockname"):
        return time.fromisoformat(grammar.data["clock"][name])
    hour = _small(groups.get("hour") or groups.get("hour2") or groups.get("hour3"))
    minute_text = groups.get("minute") or groups.get("minute2") or groups.get("minute3")
    minute = 30 if minute_text in {"半", "반"} else _small(minute_text) or 0
    half = groups.get("half") or groups.get("half2") or ""
    if hour is None or hour > 23 or minute > 59:
        return None
    if hour < 12 and (_AFTERNOON.match(half) or (_NOONISH.search(half) and hour < 4)):
        hour += 12
    if hour == 12 and re.match(r"a\.?m", half):
        hour = 0
    return time(hour, minute)


_RESOLVERS: Final[dict[str, "Callable[[Groups, _Grammar, datetime, str], date | datetime | None]"]] = {
    "date": _resolve_date,
    "nth": _resolve_nth,
    "day": _resolve_day,
    "days": _resolve_relative,
    "next_weekday": _next_weekday,
    "this_weekday": _this_weekday,
    "last_weekday": _last_weekday,
    "next_week": _in_week(1),
    "last_week": _in_week(-1),
    "after_next": _in_week(2),
    "ahead": _counted(1),
    "back": _counted(-1),
    "from_day": _counted(1),
    "before_day": _counted(-1),
    "edge": _resolve_edge,
    "holiday": _resolve_holiday,
    "period": _resolve_period,
}


@cache
def _grammar(language: str) -> _Grammar:
    data = load("dates", language)
    words = {
        name: {fold(str(word)): value for word, value in data.get(name, {}).items()}
        for name in (
            "days",
            "weekdays",
            "months",
            "ordinals",
            "duals",
            "edges",
            "spans",
            "holidays",
            "periods",
        )
    }
    words["units"] = {fold(word): unit for unit, forms in data["units"].items() for word in forms}
    data["clock"] = {fold(word): value for word, value in data.get("clock", {}).items()}
    pieces = _pieces(language, data, words)
    templates = []
    for kind, sources in [
        *data["templates"].items(),
        ("days", ["{days}"]),
        ("period", ["{period}"]),
        ("holiday", ["{holiday}(?:\\s+(?:de\\s+|of\\s+|del\\s+)?{year})?"]),
    ]:
        for source in sources:
            templates.append((kind, re.compile(_bounded(_fill(source, pieces), language))))
    timing = data.get("time")
    return _Grammar(
        data,
        tuple(templates),
        re.compile(r"[\s,]*" + _fill(timing, pieces) + ("" if language in UNSPACED else r"(?![^\W_])"))
        if timing
        else None,
        re.compile(
            r"\d|"
            + _any(
                [
                    *words["days"],
                    *words["weekdays"],
                    *words["months"],
                    *words["units"],
                    *words["holidays"],
                    *words["duals"],
                    *words["periods"],
                ]
            )
        ),
        words,
    )


def _pieces(language: str, data: dict[str, Any], words: dict[str, dict[str, Any]]) -> dict[str, str]:
    suffix = data.get("day_suffix", "")
    numbers = load("numbers", language)
    counts = [fold(str(word)) for table in ("words", "scales") for word in numbers.get(table, {})]
    cjk = language in UNSPACED
    ordinal = rf"(?P<dayword>{_any(words['ordinals'])})(?![^\W_])"
    digits = r"(?P<day>3[01]|[12]\d|0?[1-9])(?!\d)"
    nths = [word for word, value in words["ordinals"].items() if value <= 5]
    return {
        "weekday": rf"(?P<weekday>{_any(words['weekdays'])})" + ("" if cjk else r"(?![^\W_])"),
        "month": rf"(?P<month>{_any(words['months'])})" + ("" if cjk else r"(?![^\W_])"),
        "monthnumber": rf"(?P<monthnumber>1[0-2]|0?[1-9]{'|[一二三四五六七八九十]{1,2}' if cjk else ''})",
        "day": rf"(?:{digits}{suffix}|{ordinal})",
        "digits": digits,
        "suffixed": rf"(?:(?P<day>3[01]|[12]\d|0?[1-9]){suffix.removesuffix('?')}|{ordinal})",
        "ordinal": ordinal,
        "cjkday": rf"(?P<day>{_CJK_DAY})",
        "year": rf"(?P<year>{_YEAR})",
        "n": rf"(?P<n>\d{{1,3}}|(?:{_any(counts)}){'+' if cjk else ''})",
        "unit": rf"(?P<unit>{_any(words['units'])})" + ("" if cjk else r"(?![^\W_])"),
        "one": rf"(?P<one>{_any(words['units'])})(?![^\W_])",
        "dual": rf"(?P<dual>{_any(words['duals'])})",
        "days": rf"(?P<days>{_any(words['days'])})",
        "nth": rf"(?P<nth>{_any(nths)})",
        "period": rf"(?P<period>{_any(words['periods'])})",
        "holiday": rf"(?P<holiday>{_any(words['holidays'])})",
        "edge": rf"(?P<edge>{_any(words['edges'])})",
        "span": rf"(?P<span>{_any(words['spans'])})",
        "thisnext": "(?P<thisnext>这个|這個|这|本|下个|下個|下|上个|上個|上)",
        "clock": rf"(?P<clockname>{_any(data.get('clock', {}))})",
        **{
            name: rf"(?:{_any([fold(word) for word in data.get(name, [])])})"
            for name in ("next", "last", "this")
        },
    }


def _fill(template: str, pieces: dict[str, str]) -> str:
    for name, pattern in pieces.items():
        template = template.replace("{" + name + "}", pattern)
    return template


def _bounded(pattern: str, language: str) -> str:
    if language in UNSPACED:
        return pattern
    head = r"(?:(?<![^\W_])|(?<=\b[وبل]))" if language == "ar" else r"(?<![^\W_])"
    return rf"{head}(?:{pattern})(?![^\W_])"


def _any(words: Any) -> str:
    return "|".join(re.escape(word) for word in sorted({*words}, key=len, reverse=True)) or "(?!)"
