"""Days and hours that a text names, from a given now: "amanhã às 15h", "nächsten Dienstag", "3日後".

Called by `entities`. The grammar of each language is data (`data/<language>/dates.yaml`: words, and
templates over them); this room only compiles and computes. A day without a year is the next one; a bare
weekday is the coming one.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, Final

from vocabulary import LANGUAGES

from .days import (
    MONTHLY,
    WEEKLY,
    YEARLY,
    Day,
    join_neighbours,
    leave_out,
    leave_out_short,
    move_by_offsets,
    turned_back,
    with_ranges,
)
from .folding import fold
from .hours import hour_follows, read_small, with_far_hour, with_hour
from .lexicons import load
from .numeric_days import month_first, read_numeric
from .quantities import read_numbers
from .reckoning import coming_day, exact_day, full_year, holiday_in, nth_weekday, shift_month
from .tenses import is_over

MAX_AHEAD: Final = {"day": 3650, "week": 520, "month": 240, "year": 100, "hour": 10000, "minute": 100000}
WORKING_DAYS: Final = 5  # of a week, from Monday on
UNSPACED: Final = frozenset({"zh", "ja", "ko"})
COUNTED: Final = frozenset({"ahead"})
SOON: Final = 62  # days within which a weekday and a number are said to name a date
HALF_DAY: Final = 12
BARE_LEADS: Final = frozenset({"on", "el"})  # which a template takes into a bare weekday
_CJK_DAY: Final = r"(?:3[01]|[12]\d|0?[1-9]|[一二三四五六七八九十廿]{1,3})"
# "em 2 ou 3 dias", "in 2-3 days": by the later one all is done.
_UP_TO: Final = r"(?:\d{1,2}\s?(?:[-–~]\s?|(?:a|o|ou|or|to|oder|bis|e|u|او|الى|الي)\s))?"
_HOURS_AND_MINUTES: Final = (
    r"(?P<hm>\d{1,2}\s?(?:h|hrs?|hours?|std|stunden?|horas?|heures?|or[ae])\s?(?:(?:e|y|et|and|und)\s)?"
    r"[0-5]?\d(?!\d))(?:\s?min\w*)?"
)
_YEAR: Final = r"(?:1[89]\d{2}|20\d{2}|21\d{2}|'\d{2}(?!\d))"
Groups = dict[str, str | None]


@dataclass(frozen=True)
class _Grammar:
    data: dict[str, Any]
    templates: tuple[tuple[str, re.Pattern[str]], ...]
    trigger: re.Pattern[str]
    words: dict[str, dict[str, Any]]
    offset: re.Pattern[str] | None  # "two weeks from" and "two weeks before", right before a day
    no_days: tuple[re.Pattern[str], ...]  # "segunda via", "guten Morgen": the group `no` is no day
    weekday_before: re.Pattern[str]
    shorts: frozenset[str]  # weekdays cut short, which are other words as often: "sun", "ter", "so"


def read_dates(
    folded: str,
    *,
    now: datetime,
    region: str | None = None,
    language: str | None = None,
    cased: str | None = None,
) -> list[Day]:
    """Find every day in folded text, left to right; what overlaps goes to the longer reading.

    `cased` is the text as it was written, letter for letter: accents tell "pagué" from "pague".
    """
    known = str(language) if language in LANGUAGES else "en"
    grammar = _grammar(known)
    found = read_numeric(
        folded,
        now.date(),
        month_leads=month_first(region, language),
        language=known,
        weekday=grammar.weekday_before,
    )
    if grammar.trigger.search(folded):
        for kind, pattern in grammar.templates:
            for match in pattern.finditer(folded):
                if day := _read_match(kind, match, grammar, now, known):
                    found.append(day)
    days = join_neighbours(_longest(leave_out(found, folded, grammar.no_days)), folded, grammar.words)
    days = with_ranges(days, folded)
    if grammar.trigger.search(folded):
        days = move_by_offsets(days, folded, grammar.offset, _mover(grammar, known))
    return _with_hours(days, folded, cased or folded, known, grammar, now)


def _read_match(
    kind: str, match: re.Match[str], grammar: _Grammar, now: datetime, language: str
) -> Day | None:
    groups = match.groupdict()
    if kind == "date" and _is_bare_number(match) and _is_hour(match, grammar, now, language):
        return None
    day = _resolve(kind, groups, grammar, now, language)
    if day is None:
        return None
    at = day.time() if isinstance(day, datetime) else None
    plain = day.date() if isinstance(day, datetime) else day
    text = match.group()
    start = match.start() + len(text) - len(text.lstrip())
    return Day(start, match.end(), plain, at, kind, _cycle(kind, groups, text.strip(), grammar))


def _is_bare_number(match: re.Match[str]) -> bool:
    """Tell "sexta 3" from "sexta dia 3" and "Friday 3rd"."""
    groups = match.groupdict()
    if not groups.get("weekday") or not groups.get("day") or match.end() != match.end("day"):
        return False
    return not match.string[match.end("weekday") : match.start("day")].strip(" ,")


def _is_hour(match: re.Match[str], grammar: _Grammar, now: datetime, language: str) -> bool:
    """Tell the hour of "sexta 3 da tarde" and "sexta 10" from the day of "sexta 13"."""
    if hour_follows(match.string, match.end("weekday"), language):
        return True
    number, today = int(match["day"]), now.date()
    agreed = _weekday_with_number(match.groupdict(), grammar, today, number)
    is_soon = agreed is not None and agreed <= today + timedelta(days=SOON)
    return number <= HALF_DAY and not is_soon


def _cycle(kind: str, groups: Groups, text: str, grammar: _Grammar) -> str:
    """Say how soon what was read as the coming day comes round again; what names its year does not."""
    if kind == "next_weekday":
        weekdays = grammar.words["weekdays"]
        lead, _, rest = text.partition(" ")
        is_glued = text.startswith(groups["weekday"] or "") and " " not in text
        return WEEKLY if text in weekdays or is_glued or (lead in BARE_LEADS and rest in weekdays) else ""
    if kind == "day":
        return MONTHLY
    is_dated = any(groups.get(name) for name in ("year", "era", "nextyear", "thisnext", "nextmonth"))
    is_yearly = kind == "holiday" or (kind == "date" and (groups.get("month") or groups.get("monthnumber")))
    return YEARLY if is_yearly and not is_dated else ""


def _with_hours(
    days: list[Day], folded: str, cased: str, language: str, grammar: _Grammar, now: datetime
) -> list[Day]:
    """Give each day the hour beside it; what the hour's words covered is no day of its own any more."""
    accented = cased.lower() if len(cased.lower()) == len(folded) else folded
    kept: list[Day] = []
    since = 0
    for day in days:
        if day.start >= since:
            may_be_past = day.cycle or day.day == now.date() or day.kind in COUNTED
            is_past = bool(may_be_past) and is_over(folded, accented, day.start, day.end, language)
            if is_past and day.kind in COUNTED:
                continue  # "quebrou em dois dias" counts from a day that nobody named
            day = turned_back(day, now.date()) if is_past else day
            kept.append(with_hour(day, folded, language, since=since, awaited=None if is_past else now))
            since = kept[-1].end
    kept = leave_out_short(kept, folded, grammar.shorts)
    return [with_far_hour(kept[0], folded, language)] if len(kept) == 1 else kept


def _mover(grammar: _Grammar, language: str) -> Callable[[Groups, date], date | None]:
    def move(groups: Groups, start: date) -> date | None:
        count, unit = _count(groups, grammar, language)
        if count is None or unit not in {"day", "week", "month", "year"} or count > MAX_AHEAD[unit]:
            return None
        count = -count if groups.get("back") else count
        if unit in {"day", "week"}:
            return start + timedelta(days=round(count * (7 if unit == "week" else 1)))
        return shift_month(start, round(count * (12 if unit == "year" else 1)), keep_day=True)

    return move


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
        start = shift_month(today, known[0] if known else _turn(turned))
        return exact_day(start.year, start.month, number)
    month = grammar.words["months"].get(groups.get("month") or "") or read_small(groups.get("monthnumber"))
    if month is None:
        return _weekday_with_number(groups, grammar, today, number)
    if groups.get("era"):
        return exact_day(2018 + (read_small(groups["era"]) or 1), month, number)
    if groups.get("nextyear"):
        return exact_day(today.year + _turn(groups["nextyear"]), month, number)
    if year := groups.get("year"):
        return exact_day(full_year(year), month, number)
    return coming_day(today, month, number)


def _weekday_with_number(groups: Groups, grammar: _Grammar, today: date, number: int) -> date | None:
    """Find the coming "Friday 13": the nearest month in which the two agree, else believe the number."""
    weekday = grammar.words["weekdays"].get(groups.get("weekday") or "")
    for ahead in range(12):
        month = shift_month(today, ahead)
        day = exact_day(month.year, month.month, number)
        if day and day >= today and day.weekday() == weekday:
            return day
    return _resolve_number(today, number)


def _resolve_day(groups: Groups, grammar: _Grammar, now: datetime, language: str) -> date | None:
    number = _day_number(groups, grammar)
    return _resolve_number(now.date(), number) if number else None


def _resolve_number(today: date, number: int) -> date | None:
    for ahead in range(3):
        month = shift_month(today, ahead)
        day = exact_day(month.year, month.month, number)
        if day and day >= today:
            return day
    return None


def _resolve_nth(groups: Groups, grammar: _Grammar, now: datetime, language: str) -> date | None:
    weekday = grammar.words["weekdays"][groups["weekday"] or ""]
    month = grammar.words["months"][groups["month"] or ""]
    nth = grammar.words["ordinals"][groups["nth"] or ""]
    if year := groups.get("year"):
        return nth_weekday(full_year(year), month, nth, weekday)
    today = now.date()
    options = (nth_weekday(today.year + ahead, month, nth, weekday) for ahead in (0, 1))
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


def _before_last_weekday(groups: Groups, grammar: _Grammar, now: datetime, language: str) -> date:
    return _last_weekday(groups, grammar, now, language) - timedelta(days=7)


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
        return shift_month(start, direction * round(count * (12 if unit == "year" else 1)), keep_day=True)

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
    if span := groups.get("hm"):
        hours, minutes = (int(figure) for figure in re.findall(r"\d+", span))
        return float(hours * 60 + minutes), "minute"
    if one := groups.get("one"):
        return 1.0, grammar.words["units"][one]
    unit = "day" if groups.get("work") else grammar.words["units"][groups["unit"] or ""]
    numbers = read_numbers(groups["n"] or "", language=language)
    half = 0.5 if groups.get("half") else 0.0
    return (float(numbers[0].value) + half, unit) if numbers else (None, unit)


def _resolve_period(groups: Groups, grammar: _Grammar, now: datetime, language: str) -> date:
    """Give the first day of the week, month or year that is meant."""
    shift, unit = grammar.words["periods"][groups["period"] or ""]
    today = now.date()
    if unit == "week":
        return today - timedelta(days=today.weekday()) + timedelta(days=7 * shift)
    if unit == "weekend":
        saturday = today - timedelta(days=today.weekday()) + timedelta(days=7 * shift + 5)
        return saturday if shift else max(saturday, today)
    return shift_month(today, shift) if unit == "month" else date(today.year + shift, 1, 1)


def _resolve_edge(groups: Groups, grammar: _Grammar, now: datetime, language: str) -> date | None:
    """Give the last or first day of a span; the first of the running one is over: the next is meant."""
    is_last = grammar.words["edges"][groups["edge"] or ""] == "last"
    if period := groups.get("period"):
        first, unit = _resolve_period(groups, grammar, now, language), grammar.words["periods"][period][1]
        return _following(first, unit) - timedelta(days=1) if is_last else first
    if groups.get("month") or groups.get("monthnumber"):
        return _edge_of_month(groups, grammar, now.date(), is_last)
    unit, today = grammar.words["spans"][groups["span"] or ""], now.date()
    following = _following(today, unit)
    return following - timedelta(days=1) if is_last else following


def _edge_of_month(groups: Groups, grammar: _Grammar, today: date, is_last: bool) -> date | None:
    month = grammar.words["months"].get(groups.get("month") or "") or read_small(groups.get("monthnumber"))
    if not month:
        return None
    years = [full_year(year)] if (year := groups.get("year")) else [today.year, today.year + 1]
    firsts = [date(one, month, 1) for one in years]
    edges = [_following(first, "month") - timedelta(days=1) if is_last else first for first in firsts]
    return next((edge for edge in edges if edge >= today), edges[-1])


def _following(day: date, unit: str) -> date:
    """Give the first day after the week, month or year in which the day lies."""
    if unit.startswith("week"):
        return day + timedelta(days=7 - day.weekday())
    return shift_month(day, 1) if unit == "month" else date(day.year + 1, 1, 1)


def _resolve_holiday(groups: Groups, grammar: _Grammar, now: datetime, language: str) -> date | None:
    rule = grammar.words["holidays"][groups["holiday"] or ""]
    today = now.date()
    if year := groups.get("year"):
        return holiday_in(rule, full_year(year))
    return next(
        (day for ahead in (0, 1) if (day := holiday_in(rule, today.year + ahead)) and day >= today), None
    )


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
    "before_last": _before_last_weekday,
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
        re.compile(
            _word(words["weekdays"], language) + (r"\s*$" if language in UNSPACED else r"[.,]{0,2}\s+$")
        ),
        frozenset(data.get("weekday_short", ())),
    )


def _word(words: Any, language: str) -> str:
    return rf"(?:{_any(words)})" if language in UNSPACED else rf"(?<![^\W_])(?:{_any(words)})"


def _offset(data: dict[str, Any], pieces: dict[str, str]) -> re.Pattern[str] | None:
    if "after" not in data:
        return None
    leads, after, before = (
        _any([fold(word) for word in data[name]]) for name in ("count_leads", "after", "before")
    )
    words = rf"(?:(?:{after})|(?P<back>{before}))"
    return re.compile(_fill(rf"(?<![^\W_])(?:(?:{leads})\s+)?{{n}}\s+{{unit}}\s+{words}\s+$", pieces))


def _pieces(language: str, data: dict[str, Any], words: dict[str, dict[str, Any]]) -> dict[str, str]:
    suffix = data.get("day_suffix", "")
    numbers = load("numbers", language)
    counts = [fold(str(word)) for table in ("words", "scales") for word in numbers.get(table, {})]
    cjk = language in UNSPACED
    ordinal = rf"(?P<dayword>{_any(words['ordinals'])})(?![^\W_])"
    digits = r"(?P<day>3[01]|[12]\d|0?[1-9])(?!\d)"
    nths = [word for word, value in words["ordinals"].items() if value <= 5]
    return {
        "weekday": rf"(?P<weekday>{_any(words['weekdays'])})"
        + (rf"(?:{_any(data['glued_parts'])})?" if "glued_parts" in data else "")
        + ("" if cjk else r"(?![^\W_])"),
        "month": rf"(?P<month>{_any(words['months'])})" + ("" if cjk else r"(?![^\W_])"),
        "monthnumber": rf"(?P<monthnumber>1[0-2]|0?[1-9]{'|[一二三四五六七八九十]{1,2}' if cjk else ''})",
        "day": rf"(?:{digits}{suffix}|{ordinal})",
        "digits": digits,
        "suffixed": rf"(?:(?P<day>3[01]|[12]\d|0?[1-9]){suffix.removesuffix('?')}|{ordinal})",
        "ordinal": ordinal,
        "cjkday": rf"(?P<day>{_CJK_DAY})",
        "year": rf"(?P<year>{_YEAR})",
        "n": rf"{_UP_TO}(?P<n>\d{{1,3}}(?:[.,]5)?|(?:{_any(counts)}){'+' if cjk else ''})",
        "unit": rf"(?P<unit>{_any(words['units'])})" + ("" if cjk else r"(?![^\W_])") + _half(data, cjk),
        "closed": rf"(?=\s*(?:$|[^\w\s]|(?:{_any(map(fold, data.get('day_followers', ())))})(?![^\W_])))",
        "hm": _HOURS_AND_MINUTES,
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


def _half(data: dict[str, Any], is_unspaced: bool) -> str:
    """Match the half behind a unit: "uma hora e meia", "1時間半"."""
    words = [fold(word) for word in data.get("unit_half", ())]
    end = "" if is_unspaced else r"(?![^\W_])"
    return rf"(?:\s{{0,2}}(?P<half>{_any(words)}){end})?" if words else ""


def _lasting(words: dict[str, dict[str, Any]], *units: str) -> list[str]:
    return [word for word, (_, unit) in words["periods"].items() if unit in units]


def _fill(template: str, pieces: dict[str, str]) -> str:
    for name, pattern in pieces.items():
        template = template.replace("{" + name + "}", pattern)
    return template


def _bounded(pattern: str, language: str) -> str:
    if language == "ko":  # particles follow a word, but nothing leads it: "낼" is no part of "보낼게요"
        return rf"(?:(?<![가-힣])|(?=\d))(?:{pattern})"
    if language in UNSPACED:
        return pattern
    head = r"(?:(?<![^\W_])|(?<=\b[وبل]))" if language == "ar" else r"(?<![^\W_])"
    return rf"{head}(?:{pattern})(?![^\W_]|[/.-]\d)"


def _any(words: Any) -> str:
    return "|".join(re.escape(word) for word in sorted({*words}, key=len, reverse=True)) or "(?!)"
