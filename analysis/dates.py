"""Days and hours that a text names, from a given now: "amanhã às 15h", "nächsten Dienstag", "3日後".

Called by `entities`. The grammar of each language is data (`data/<language>/dates.yaml`: words, and
templates over them); this room only compiles and computes. A day without a year is the next one; a bare
weekday is the coming one.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any, Final

from vocabulary import LANGUAGES

from .days import Day, Past, join_neighbours, leave_out, leave_out_short, move_by_offsets, turned_back
from .folding import fold
from .hours import read_small, with_far_hour, with_hour
from .lexicons import load
from .quantities import read_numbers

LEAD_REACH: Final = 32  # how far before a day its hour or its preposition may stand
ALWAYS_OPEN: Final = "24/7"
CENTURY_TURN: Final = 70  # '69 is 2069, '70 is 1970
MAX_AHEAD: Final = {"day": 3650, "week": 520, "month": 240, "year": 100, "hour": 10000, "minute": 100000}
WORKING_DAYS: Final = 5  # of a week, from Monday on
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
_AHEAD: Final = (
    "e|y|and|et|und|or|ou|oder|para|pra|for|pour|fur|per|to|will|be|que|se|if|si|wenn|ob"
    "|till|until|by|ate|hasta"
)

Groups = dict[str, str | None]


@dataclass(frozen=True)
class _Grammar:
    data: dict[str, Any]
    templates: tuple[tuple[str, re.Pattern[str]], ...]
    trigger: re.Pattern[str]
    words: dict[str, dict[str, Any]]
    offset: re.Pattern[str] | None  # "two weeks from", right before a day
    no_days: tuple[re.Pattern[str], ...]  # "segunda via", "guten Morgen": the group `no` is no day
    past: Past
    shorts: frozenset[str]  # weekdays cut short, which are other words as often: "sun", "ter", "so"


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
                    found.append(Day(start, match.end(), plain, at, kind))
    days = join_neighbours(_longest(leave_out(found, folded, grammar.no_days)), folded, grammar.words)
    if grammar.trigger.search(folded):
        days = move_by_offsets(days, folded, grammar.offset, _mover(grammar, str(known)))
    return _with_hours(days, folded, str(known), grammar)


def _with_hours(days: list[Day], folded: str, language: str, grammar: _Grammar) -> list[Day]:
    """Give each day the hour beside it; what the hour's words covered is no day of its own any more."""
    kept: list[Day] = []
    since = 0
    for day in days:
        if day.start >= since:
            day = turned_back(day, folded, grammar.past)
            kept.append(with_hour(day, folded, language, since=since))
            since = kept[-1].end
    kept = leave_out_short(kept, folded, grammar.shorts)
    return [with_far_hour(kept[0], folded, language)] if len(kept) == 1 else kept


def _mover(grammar: _Grammar, language: str) -> Callable[[Groups, date], date | None]:
    def move(groups: Groups, start: date) -> date | None:
        count, unit = _count(groups, grammar, language)
        if count is None or unit not in {"day", "week", "month", "year"} or count > MAX_AHEAD[unit]:
            return None
        if unit in {"day", "week"}:
            return start + timedelta(days=round(count * (7 if unit == "week" else 1)))
        return _shift_month(start, round(count * (12 if unit == "year" else 1)), keep_day=True)

    return move


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
            found.append(Day(match.start(), match.end(), day, at, "numeric"))
    for match in _FULL.finditer(folded):
        month, number = _order(int(match[1]), int(match[3]), month_first)
        if day := _date(_full_year(match[4]), month, number):
            found.append(Day(match.start(), match.end(), day, kind="numeric"))
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
    if (match[2] == "." and not (german and (match["dot"] or led))) or (match[2] == "-" and not led):
        return None
    written_out = len(match[1]) == 2 and len(match[3]) == 2 and first != second
    if not (led or written_out or (max(first, second) > 12 and match[2] == "/") or match["dot"]):
        return None
    month, number = _order(first, second, month_first)
    day = _coming(today, month, number)
    return Day(match.start(), match.end(), day, kind="numeric") if day else None


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
    if turned := groups.get("thisnext") or groups.get("nextmonth"):
        known = grammar.words["periods"].get(turned)
        start = _shift_month(today, known[0] if known else _turn(turned))
        return _date(start.year, start.month, number)
    month = grammar.words["months"].get(groups.get("month") or "") or read_small(groups.get("monthnumber"))
    if month is None:
        return _weekday_with_number(groups, grammar, today, number)
    if groups.get("era"):
        return _date(2018 + (read_small(groups["era"]) or 1), month, number)
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
        if groups.get("work"):
            return _working_day(now.date(), round(count))
        if unit in {"hour", "minute"}:
            spent = direction * timedelta(**{f"{unit}s": float(count)})
            # Through UTC: a clock that is put forward or back in between does not change how long it takes.
            return (now.astimezone(UTC) + spent).astimezone(now.tzinfo).replace(second=0, microsecond=0)
        start = now.date()
        if groups.get("days"):
            start += timedelta(days=grammar.words["days"][groups["days"] or ""])
        if unit in {"day", "week"}:
            return start + direction * timedelta(days=round(count * (7 if unit == "week" else 1)))
        return _shift_month(start, direction * round(count * (12 if unit == "year" else 1)), keep_day=True)

    return resolve


def _working_day(start: date, count: int) -> date:
    """Give the day that many working days ahead; holidays are not known here."""
    day = start - timedelta(days=max(0, start.weekday() - WORKING_DAYS + 1))
    weeks, left = divmod(count, WORKING_DAYS)
    over_weekend = 7 - WORKING_DAYS if day.weekday() + left >= WORKING_DAYS else 0
    return day + timedelta(days=7 * weeks + left + over_weekend)


def _count(groups: Groups, grammar: _Grammar, language: str) -> tuple[float | None, str]:
    if dual := groups.get("dual"):
        count, unit = grammar.words["duals"][dual]
        return float(count), unit
    if one := groups.get("one"):
        return 1.0, grammar.words["units"][one]
    unit = "day" if groups.get("work") else grammar.words["units"][groups["unit"] or ""]
    numbers = read_numbers(groups["n"] or "", language=language)
    return (float(numbers[0].value), unit) if numbers else (None, unit)


def _resolve_period(groups: Groups, grammar: _Grammar, now: datetime, language: str) -> date:
    """Give the first day of the week, month or year that is meant."""
    shift, unit = grammar.words["periods"][groups["period"] or ""]
    today = now.date()
    if unit == "week":
        return today - timedelta(days=today.weekday()) + timedelta(days=7 * shift)
    if unit == "weekend":
        saturday = today - timedelta(days=today.weekday()) + timedelta(days=7 * shift + 5)
        return saturday if shift else max(saturday, today)
    return _shift_month(today, shift) if unit == "month" else date(today.year + shift, 1, 1)


def _resolve_edge(groups: Groups, grammar: _Grammar, now: datetime, language: str) -> date:
    """Give the last or first day of a span; the first of the running one is over: the next is meant."""
    is_last = grammar.words["edges"][groups["edge"] or ""] == "last"
    if period := groups.get("period"):
        first, unit = _resolve_period(groups, grammar, now, language), grammar.words["periods"][period][1]
        return _following(first, unit) - timedelta(days=1) if is_last else first
    unit, today = grammar.words["spans"][groups["span"] or ""], now.date()
    following = _following(today, unit)
    return following - timedelta(days=1) if is_last else following


def _following(day: date, unit: str) -> date:
    """Give the first day after the week, month or year in which the day lies."""
    if unit.startswith("week"):
        return day + timedelta(days=7 - day.weekday())
    return _shift_month(day, 1) if unit == "month" else date(day.year + 1, 1, 1)


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
    number = read_small(groups.get("day"))
    return number if number and 1 <= number <= 31 else None


def _longest(days: list[Day]) -> list[Day]:
    kept: list[Day] = []
    taken = bytearray(max((day.end for day in days), default=0))
    for day in sorted(days, key=lambda one: (one.start - one.end, one.start)):
        if not any(taken[day.start : day.end]):
            taken[day.start : day.end] = b"\1" * (day.end - day.start)
            kept.append(day)
    return sorted(kept, key=lambda one: one.start)


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
    return _Grammar(
        data,
        tuple(templates),
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
                    *words["edges"],
                ]
            )
        ),
        words,
        _offset(data, pieces),
        tuple(re.compile(_bounded(_fill(source, pieces), language)) for source in data.get("no_days", ())),
        _past(data, words, language),
        frozenset(data.get("weekday_short", ())),
    )


def _past(data: dict[str, Any], words: dict[str, dict[str, Any]], language: str) -> Past:
    before, after = (
        _any([fold(word) for word in data.get(name, ())]) for name in ("past_before", "past_after")
    )
    start, end = ("", "") if language in UNSPACED else (r"(?<![^\W_])", r"(?![^\W_])")
    return Past(
        frozenset(words["weekdays"]),
        # In the weekday's own clause: no stop in between, and nothing that looks ahead ("pedi para sexta").
        re.compile(rf"{start}(?:{before}){end}(?:(?!{start}(?:{_AHEAD}){end})[^,.;!?\n])*$"),
        re.compile(rf"[\s?]{{0,2}}(?:{after}){end}"),
    )


def _offset(data: dict[str, Any], pieces: dict[str, str]) -> re.Pattern[str] | None:
    if "after" not in data:
        return None
    leads, after = (_any([fold(word) for word in data[name]]) for name in ("count_leads", "after"))
    return re.compile(_fill(rf"(?<![^\W_])(?:(?:{leads})\s+)?{{n}}\s+{{unit}}\s+(?:{after})\s+$", pieces))


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
        "monthly": rf"(?P<nextmonth>{_any(_lasting(words, 'month'))})(?![^\W_])",
        "longperiod": rf"(?P<period>{_any(_lasting(words, 'month', 'year'))})",
        "period": rf"(?P<period>{_any(words['periods'])})",
        "holiday": rf"(?P<holiday>{_any(words['holidays'])})",
        "edge": rf"(?P<edge>{_any(words['edges'])})",
        "span": rf"(?P<span>{_any(word for word, unit in words['spans'].items() if unit != 'week')})",
        "thisnext": "(?P<thisnext>这个|這個|这|本|下个|下個|下|上个|上個|上)",
        **{
            name: rf"(?:{_any([fold(word) for word in data.get(name, [])])})"
            for name in ("next", "last", "this")
        },
    }


def _lasting(words: dict[str, dict[str, Any]], *units: str) -> list[str]:
    return [word for word, (_, unit) in words["periods"].items() if unit in units]


def _fill(template: str, pieces: dict[str, str]) -> str:
    for name, pattern in pieces.items():
        template = template.replace("{" + name + "}", pattern)
    return template


def _bounded(pattern: str, language: str) -> str:
    if language in UNSPACED:
        return pattern
    head = r"(?:(?<![^\W_])|(?<=\b[وبل]))" if language == "ar" else r"(?<![^\W_])"
    return rf"{head}(?:{pattern})(?![^\W_]|[/.-]\d)"


def _any(words: Any) -> str:
    return "|".join(re.escape(word) for word in sorted({*words}, key=len, reverse=True)) or "(?!)"
