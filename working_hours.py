"""When people work: what is open now, when it opens next, and when so much working time will be over.

Pure. `crm.hours` fills `Hours` from rows or settings; due times, away texts and appointments ask it. Days and
hours are those of the business's own time zone; every moment is aware, and goes out in UTC.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINS: Final = 24 * 60
LOOK_AHEAD_DAYS: Final = 400  # a business that is shut for longer is shut

_DAYS = re.compile(r"([a-z]{3})(?:-([a-z]{3}))?")
_TIMES = re.compile(r"([0-9]{1,2}):([0-9]{2})-([0-9]{1,2}):([0-9]{2})")


class BadHours(ValueError):
    """Hours that cannot be read; the message completes "... is not"."""


@dataclass(frozen=True, slots=True, order=True)
class Stretch:
    """One stretch of a weekday (0 is Monday), in minutes of the local day; 1440 is its end."""

    weekday: int
    opens_min: int
    closes_min: int

    def __post_init__(self) -> None:
        if not (0 <= self.weekday < len(WEEKDAYS) and 0 <= self.opens_min < self.closes_min <= DAY_MINS):
            raise BadHours("a stretch of one day")


@dataclass(frozen=True, slots=True)
class Hours:
    """A week of stretches, less the days off. With no stretch at all nothing is known of the hours."""

    zone: ZoneInfo
    stretches: tuple[Stretch, ...] = ()
    days_off: frozenset[date] = frozenset()
    yearly_off: frozenset[tuple[int, int]] = field(default=frozenset())  # (month, day)

    @property
    def are_known(self) -> bool:
        return bool(self.stretches)

    def is_day_off(self, day: date) -> bool:
        return day in self.days_off or (day.month, day.day) in self.yearly_off


def read_hours(written: str) -> tuple[Stretch, ...]:
    """Read "mon-fri 09:00-12:00 13:00-18:00; sat 09:00-13:00". Raises BadHours."""
    stretches: list[Stretch] = []
    for part in filter(None, (part.strip().lower() for part in written.split(";"))):
        days, *times = part.split()
        if not times:
            raise BadHours("days with times")
        spans = [_read_span(span) for span in times]
        stretches += [Stretch(day, *span) for day in _read_days(days) for span in spans]
    return tuple(sorted(stretches))


def _read_days(written: str) -> range:
    match = _DAYS.fullmatch(written)
    names = [name for name in match.groups() if name] if match else []
    if not names or not set(names) <= set(WEEKDAYS):
        raise BadHours("days of the week")
    first, last = WEEKDAYS.index(names[0]), WEEKDAYS.index(names[-1])
    if last < first:
        raise BadHours("days in the order of the week")
    return range(first, last + 1)


def _read_span(written: str) -> tuple[int, int]:
    match = _TIMES.fullmatch(written)
    if match is None:
        raise BadHours("times of a day")
    opens_hour, opens_min, closes_hour, closes_min = (int(number) for number in match.groups())
    if max(opens_min, closes_min) > 59:
        raise BadHours("times of a day")
    return opens_hour * 60 + opens_min, closes_hour * 60 + closes_min


def is_open(hours: Hours, moment: datetime) -> bool:
    """Tell whether people work at `moment`; with unknown hours they always may."""
    if not hours.are_known:
        return True
    day = moment.astimezone(hours.zone).date()
    return any(opens <= moment < closes for opens, closes in openings(hours, day, 1))


def next_opening(hours: Hours, moment: datetime) -> datetime | None:
    """Give when people work next, `moment` itself while they do; None when that is not in sight."""
    if is_open(hours, moment):
        return moment
    day = moment.astimezone(hours.zone).date()
    later = (opens for opens, _closes in openings(hours, day, LOOK_AHEAD_DAYS) if opens > moment)
    return next(later, None)


def due_time(hours: Hours, start: datetime, working: timedelta) -> datetime:
    """Give when `working` time will have passed since `start`; with unknown hours, or none in sight, by the
    clock."""
    if not hours.are_known:
        return start + working
    left = working
    for opens, closes in openings(hours, start.astimezone(hours.zone).date(), LOOK_AHEAD_DAYS):
        begins = max(opens, start)
        if closes <= begins:
            continue
        if closes - begins >= left:
            return begins + left
        left -= closes - begins
    return start + working


def openings(hours: Hours, first: date, days: int) -> Iterator[tuple[datetime, datetime]]:
    """Give the open times of so many days from `first`, in order and without overlap, in UTC."""
    for offset in range(days):
        try:
            day = first + timedelta(days=offset)
        except OverflowError:
            return
        if hours.is_day_off(day):
            continue
        for opens_min, closes_min in _joined(s for s in hours.stretches if s.weekday == day.weekday()):
            opens, closes = _moment(hours.zone, day, opens_min), _moment(hours.zone, day, closes_min)
            if opens < closes:  # the hour that a clock change skips is none
                yield opens, closes


def _joined(stretches: Iterable[Stretch]) -> Iterator[tuple[int, int]]:
    """Join stretches of one day that touch or overlap."""
    begun: tuple[int, int] | None = None
    for stretch in sorted(stretches):
        if begun is not None and stretch.opens_min <= begun[1]:
            begun = (begun[0], max(begun[1], stretch.closes_min))
            continue
        if begun is not None:
            yield begun
        begun = (stretch.opens_min, stretch.closes_min)
    if begun is not None:
        yield begun


def _moment(zone: ZoneInfo, day: date, minute: int) -> datetime:
    if minute == DAY_MINS:
        day, minute = day + timedelta(days=1), 0
    return datetime.combine(day, time(minute // 60, minute % 60), zone).astimezone(UTC)
