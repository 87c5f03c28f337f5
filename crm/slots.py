"""Free times for appointments: working hours less holidays and what is booked, by the seats of the team.

Flow actions and programs offer them, `appointments.book` takes one. Reads only.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import select

import working_hours
from config import Config
from crm import hours, teams
from models import Appointment, db

# Nobody can be there at once.
NOTICE: Final = timedelta(hours=1)
OFFERED_DAYS: Final = 14
OFFERED: Final = 8
# Without a wished day, some of each of the next days.
OFFERED_PER_DAY: Final = 4
LONGEST: Final = timedelta(hours=8)
ID_FORMAT: Final = "%Y%m%dT%H%MZ"
# Local hours. "Mañana" alone is tomorrow.
PARTS_OF_DAY: Final = (
    (re.compile(r"\bmanhã\b(?!\s+(?:à|de|da)\b)|\b(?:por|de|en|a) la mañana\b|\bmorning\b"), (0, 12)),
    (re.compile(r"\btarde\b(?!\s+demais)|\bafternoon\b"), (12, 18)),
    (re.compile(r"\bnoite\b|\bnoche\b|\bevening\b"), (18, 24)),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where appointments are held: the team that holds them and how many at once."""

    team_id: int | None
    seats: int


def place() -> Place:
    """Give the scheduling team's place; without one there is one seat, and it is everybody's."""
    team = teams.team_for(teams.SCHEDULING)
    return Place(team.id, team.seats) if team else Place(None, 1)


def slot_id(starts_at: datetime) -> str:
    return starts_at.astimezone(UTC).strftime(ID_FORMAT)


def read_slot_id(written: str) -> datetime | None:
    try:
        return datetime.strptime(written, ID_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None


def part_of_day(words: str) -> tuple[int, int] | None:
    """Give the local hours of the part of a day that words name, from and to; None for none, or several."""
    found = [hours for pattern, hours in PARTS_OF_DAY if pattern.search(words.casefold())]
    return found[0] if len(found) == 1 else None


def is_full(config: Config, offered: Sequence[datetime], wish: str) -> bool:
    """Tell whether a day was wished of which nothing could be offered."""
    wished = _local(wish)
    return wished is not None and all(at.astimezone(config.zone).date() != wished.date() for at in offered)


def free_slots(
    config: Config,
    where: Place,
    *,
    now: datetime,
    wish: str = "",
    between: tuple[int, int] | None = None,
    calendar: Sequence[datetime] | None = None,
) -> Sequence[datetime]:
    """Give when appointments may begin, at most OFFERED, in order.

    `wish` is an ISO date or local date-time: its day comes first, and on it what is nearest to the time;
    `between` are the local hours that are wished. Without anything free then the next best is offered.
    `calendar` are the times of another system's calendar, which come in place of the working hours.
    """
    free = list(free_times(config, where, now, calendar))
    if between is not None:
        first, last = between
        fitting = [at for at in free if first <= at.astimezone(config.zone).hour < last]
        free = fitting or free
    wished = _local(wish)
    if wished is None:
        return _spread(config, free)
    same_day = [at for at in free if at.astimezone(config.zone).date() == wished.date()]
    if not same_day:
        later = [at for at in free if at.astimezone(config.zone).date() > wished.date()]
        return _spread(config, later or free)
    if "T" in wish:
        moment = wished.replace(tzinfo=config.zone)
        same_day = sorted(sorted(same_day, key=lambda at: abs(at - moment))[:OFFERED])
    return same_day[:OFFERED]


def is_free(
    config: Config,
    where: Place,
    starts_at: datetime,
    *,
    now: datetime,
    calendar: Sequence[datetime] | None = None,
) -> bool:
    """Tell whether an appointment may begin at this very time; `calendar` as in `free_slots`."""
    return any(at == starts_at for at in free_times(config, where, now, calendar))


def free_times(
    config: Config, where: Place, now: datetime, calendar: Sequence[datetime] | None = None
) -> Iterator[datetime]:
    """Give every time at which an appointment may begin; `calendar` as in `free_slots`."""
    length = timedelta(minutes=config.appointment_mins)
    taken = _taken(where, now)

    def is_busy(at: datetime) -> bool:
        return sum(begin < at + length and at < end for begin, end in taken) >= where.seats

    for at in _hours(config, where, now, length) if calendar is None else calendar:
        if at >= now + NOTICE and not is_busy(at):
            yield at


def _hours(config: Config, where: Place, now: datetime, length: timedelta) -> Iterator[datetime]:
    """Give when appointments may begin after the working hours."""
    ours = hours.bookable_hours(config, where.team_id)
    for opens, closes in working_hours.openings(ours, now.astimezone(config.zone).date(), OFFERED_DAYS):
        at = opens
        while at + length <= closes:
            yield at
            at += length


def _taken(where: Place, now: datetime) -> list[tuple[datetime, datetime]]:
    rows = db.session.execute(
        select(Appointment.starts_at, Appointment.ends_at).where(
            Appointment.slot_key.is_not(None),
            Appointment.team_id.is_(None) if where.team_id is None else Appointment.team_id == where.team_id,
            Appointment.starts_at > now - LONGEST,
        )
    )
    return [(begin, end) for begin, end in rows if begin is not None and end is not None]


def _spread(config: Config, free: Sequence[datetime]) -> Sequence[datetime]:
    """Take some of each day, so that more than tomorrow can be chosen."""
    chosen: list[datetime] = []
    per_day: dict[object, int] = {}
    for at in free:
        day = at.astimezone(config.zone).date()
        if per_day.get(day, 0) < OFFERED_PER_DAY:
            chosen.append(at)
            per_day[day] = per_day.get(day, 0) + 1
    return chosen[:OFFERED]


def _local(wish: str) -> datetime | None:
    try:
        return datetime.fromisoformat(wish).replace(tzinfo=None) if wish else None
    except ValueError:
        return None
