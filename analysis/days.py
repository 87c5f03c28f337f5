"""Days found in a text, and what neighbours say together: "Friday, 18 July", "Monday of this week", "two
weeks from tomorrow".

Called by `dates`. Pure: it joins what was found and looks for no day of its own.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from .reckoning import exact_day, shift_month

WRITTEN: Final = frozenset({"date", "numeric"})
MAX_AHEAD_DAYS: Final = 366
WEEKLY: Final = "week"
MONTHLY: Final = "month"
YEARLY: Final = "year"
SHORT_ALONE: Final = 3  # letters of a weekday that may be a whole answer: "fri", not "so"
RANGE_REACH: Final = 28  # how far before its end a range of days may begin
OFFSET_REACH: Final = 48  # how far before a day "two weeks from" may begin
_GAP: Final = re.compile(
    r"[\s,.\-–(]{0,3}(?:(?:the|of|on|den|dem|der|am|le|du|de|la|el|del|il|di|in|o|do|dia|da|a|يوم|من|في)\s+){0,2}"
)
_TO: Final = r"(?:[-–~～到至]|から|부터|에서|ate|ao?|al|au|to|till|until|through|bis|hasta|fino al|الى|الي)"
_AND: Final = r"(?:e|y|et|and|und|o|ou|or|oder|و)"
_ARTICLES: Final = r"(?:(?:o|el|le|il|den|the|zum)\s)?(?:dia\s)?"
_NUMBER: Final = r"(?<![\d.,/:-])(?P<number>3[01]|[12]\d|0?[1-9])(?:\.|º|er|st|nd|rd|th)?"
# "de 20 a 25 de dezembro", "entre 10 y 15 de enero": a number before a date that says its month.
_RANGE_START: Final = re.compile(
    rf"(?:{_NUMBER}\s?{_TO}\s?"
    rf"|(?:entre|between|zwischen|tra|fra|dias|days|os|los|les)\s{_ARTICLES}"
    rf"{_NUMBER.replace('number', 'other')}\s{_AND}\s)"
    rf"{_ARTICLES}$"
)
_LINK: Final = re.compile(rf"{_TO}\s")
_RANGE_GAP: Final = re.compile(rf"\s?(?:{_TO}|{_AND})\s?{_ARTICLES}")
_TIGHT: Final = re.compile(r"[\s,(]{0,2}")


@dataclass(frozen=True, slots=True)
class Day:
    """A day in a folded text; `at` when an hour is named too; `kind` is how it was written.

    What comes round again was read as the coming one: `cycle` says how soon it does.
    """

    start: int
    end: int
    day: date
    at: time | None = None
    kind: str = ""
    cycle: str = ""

    def value(self, now: datetime) -> str:
        """Give the ISO date, or the ISO date-time in the time zone of `now`."""
        if self.at is None:
            return self.day.isoformat()
        moment = datetime.combine(self.day, self.at, tzinfo=now.tzinfo)
        # An hour that the clock skips in spring becomes the one that it shows then.
        return moment.astimezone(UTC).astimezone(now.tzinfo).isoformat()


def join_neighbours(days: list[Day], folded: str, words: Mapping[str, Mapping[str, Any]]) -> list[Day]:
    """Read a bare weekday together with the date or the week beside it."""
    joined: list[Day] = []
    for day in days:
        together = _together(joined[-1], day, folded, words) if joined else None
        if together is None:
            joined.append(day)
        else:
            joined[-1] = together
    return joined


def _together(first: Day, second: Day, folded: str, words: Mapping[str, Mapping[str, Any]]) -> Day | None:
    gap = folded[first.end : second.start]
    weekdays, periods = words["weekdays"], words["periods"]
    texts = folded[first.start : first.end].strip(), folded[second.start : second.end].strip()
    if texts[0] in weekdays and second.kind in WRITTEN and _GAP.fullmatch(gap):
        return replace(second, start=first.start)
    if first.kind in {*WRITTEN, "day"} and texts[1] in weekdays and _TIGHT.fullmatch(gap):
        agreed = _agreeing(first.day, weekdays[texts[1]]) if first.kind == "day" else first.day
        return replace(first, end=second.end, day=agreed)
    if first.day == second.day and first.kind != second.kind and _TIGHT.fullmatch(gap) and gap:
        return replace(first, end=second.end)
    for weekday, period, known in ((texts[0], texts[1], second), (texts[1], texts[0], first)):
        if weekday in weekdays and periods.get(period, [0, ""])[1] == "week" and _GAP.fullmatch(gap):
            return Day(first.start, second.end, known.day + timedelta(days=weekdays[weekday]), kind="joined")
    return None


def with_ranges(days: list[Day], folded: str) -> list[Day]:
    """Read the days of a range in the month that one of its ends names: "de 20 a 25 de dezembro"."""
    ranged: list[Day] = []
    for day in days:
        if day.kind == "day" and ranged and ranged[-1].kind == "date":
            first = ranged[-1]
            if _RANGE_GAP.fullmatch(folded, first.end, day.start) and day.day.day > first.day.day:
                day = replace(day, day=_in_month(first.day, day.day.day) or day.day, cycle=first.cycle)
        since = ranged[-1].end if ranged else 0
        own_link = _LINK.match(folded, day.start, day.end)  # "bis 25. Dezember" is one date
        end = own_link.end() if own_link else day.start
        start = _RANGE_START.search(folded, max(since, day.start - RANGE_REACH), end)
        if day.kind == "date" and start:
            group = "number" if start["number"] else "other"
            earlier = _in_month(day.day, int(start[group]))
            if earlier and earlier < day.day:
                ranged.append(
                    Day(start.start(group), start.end(group), earlier, kind="date", cycle=day.cycle)
                )
        ranged.append(day)
    return ranged


def _in_month(day: date, number: int) -> date | None:
    return exact_day(day.year, day.month, number)


def _agreeing(day: date, weekday: int) -> date:
    """Find the coming day of that number that falls on the weekday; else the day stays."""
    days = (day + timedelta(days=ahead) for ahead in range(MAX_AHEAD_DAYS))
    return next((one for one in days if one.day == day.day and one.weekday() == weekday), day)


def move_by_offsets(
    days: list[Day],
    folded: str,
    offset: re.Pattern[str] | None,
    move: Callable[[dict[str, str | None], date], date | None],
) -> list[Day]:
    """Count from a day that "two weeks from" stands before; what was counted from today goes."""
    if offset is None:
        return days
    moved: list[Day] = []
    for day in days:
        match = offset.search(folded, max(0, day.start - OFFSET_REACH), day.start)
        target = move(match.groupdict(), day.day) if match else None
        if match is None or target is None:
            moved.append(day)
            continue
        while moved and moved[-1].end > match.start():
            moved.pop()
        moved.append(Day(match.start(), day.end, target, kind="joined"))
    return moved


def leave_out(days: list[Day], folded: str, no_days: Iterable[re.Pattern[str]]) -> list[Day]:
    """Drop what sounds like a day and is none, as the group `no` of a pattern marks it."""
    if not days:
        return days
    denied = bytearray(len(folded))
    for pattern in no_days:
        for match in pattern.finditer(folded):
            start, end = match.span("no")
            denied[start:end] = b"\1" * (end - start)
    return [day for day in days if not all(denied[day.start : day.end])]


def leave_out_short(days: list[Day], folded: str, shorts: frozenset[str]) -> list[Day]:
    """Drop weekdays cut short ("sun", "ter", "so") that nothing beside them shows to be days.

    An hour, a date or "next" is in the span by now; what is left is a whole message, or "mon-fri".
    """
    kept = []
    for at, day in enumerate(days):
        neighbours = days[max(0, at - 1) : at] + days[at + 1 : at + 2]
        if (
            day.at is not None
            or folded[day.start : day.end] not in shorts
            or _is_whole(day, folded)
            or any(_is_range(day, other, folded) for other in neighbours)
        ):
            kept.append(day)
    return kept


def _is_whole(day: Day, folded: str) -> bool:
    is_clear = day.end - day.start >= SHORT_ALONE or folded[day.end :].startswith(".")
    return is_clear and folded.strip(" .!?") == folded[day.start : day.end]


def _is_range(one: Day, other: Day, folded: str) -> bool:
    first, second = sorted((one, other), key=lambda day: day.start)
    return folded[first.end : second.start].strip() in {"-", "–", "/"}


def turned_back(day: Day, today: date) -> Day:
    """Give the last such day in place of the coming one."""
    if day.cycle == WEEKLY:
        last = day.day - timedelta(days=7)
        return replace(day, day=last if last != today else last - timedelta(days=7))
    if not day.cycle or day.day <= today:
        return day
    months = 12 if day.cycle == YEARLY else 1
    earlier = (shift_month(day.day, -months * back, keep_day=True) for back in range(1, 9))
    return replace(
        day, day=next((one for one in earlier if one.day == day.day.day and one <= today), day.day)
    )
