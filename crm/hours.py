"""The hours of the business and of its teams, as admins wrote them down; the settings' where they wrote none.

Admins' forms, due times, away texts and appointments call these verbs. They flush and never commit.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, delete, select

import working_hours
from config import Config
from models import Holiday, Team, WorkingHours, db
from statements import changed_rows
from working_hours import Hours, Stretch

NAME_MAX_CHARS = 120
# What appointments are offered in where nobody wrote hours down.
ASSUMED = working_hours.read_hours("mon-fri 09:00-18:00")


class DayTaken(ValueError):
    """This day is written down already."""


def hours_of(config: Config, team_id: int | None = None) -> Hours:
    """Give a team's own hours, else the business's, else the settings'. Holidays are everybody's."""
    own = _stretches(team_id) if team_id is not None else ()
    return _hours(config, own or _stretches(None) or config.working_hours)


def due_time(config: Config, team_id: int | None, now: datetime, within: timedelta) -> datetime:
    """Give until when something is to be done that takes a team so much of its working time."""
    return working_hours.due_time(hours_of(config, team_id), now, within)


def bookable_hours(config: Config, team_id: int | None) -> Hours:
    """Give the hours in which appointments are offered, which are never unknown."""
    hours = hours_of(config, team_id)
    return hours if hours.are_known else _hours(config, ASSUMED)


def written_hours(team_id: int | None) -> tuple[Stretch, ...]:
    """Give what an admin wrote down for a team, or for the business."""
    return _stretches(team_id)


def write_hours(team_id: int | None, stretches: Iterable[Stretch]) -> None:
    """Replace the hours of a team, or of the business; with none, the next ones count. Flushes."""
    changed_rows(delete(WorkingHours).where(_belongs_to(team_id)))
    for stretch in sorted(set(stretches)):
        db.session.add(
            WorkingHours(
                team_id=team_id,
                weekday=stretch.weekday,
                opens_min=stretch.opens_min,
                closes_min=stretch.closes_min,
            )
        )
    db.session.flush()


def holidays() -> Sequence[Holiday]:
    return db.session.scalars(select(Holiday).order_by(Holiday.day)).all()


def add_holiday(day: date, name: str, *, is_yearly: bool) -> Holiday:
    """Write a day off down. Flushes. Raises DayTaken."""
    if db.session.scalar(select(Holiday.id).where(Holiday.day == day)) is not None:
        raise DayTaken
    holiday = Holiday(day=day, name=name.strip()[:NAME_MAX_CHARS], is_yearly=is_yearly)
    db.session.add(holiday)
    db.session.flush()
    return holiday


def delete_holiday(holiday_id: int) -> None:
    changed_rows(delete(Holiday).where(Holiday.id == holiday_id))


def forget_team(team: Team) -> None:
    """Delete the hours of a team that is given up. Flushes."""
    write_hours(team.id, ())


def is_open(config: Config, team_id: int | None, now: datetime) -> bool:
    return working_hours.is_open(hours_of(config, team_id), now)


def _hours(config: Config, stretches: Sequence[Stretch]) -> Hours:
    off = holidays()
    return Hours(
        zone=config.zone,
        stretches=tuple(stretches),
        days_off=frozenset(holiday.day for holiday in off if not holiday.is_yearly),
        yearly_off=frozenset((holiday.day.month, holiday.day.day) for holiday in off if holiday.is_yearly),
    )


def _stretches(team_id: int | None) -> tuple[Stretch, ...]:
    rows = db.session.execute(
        select(WorkingHours.weekday, WorkingHours.opens_min, WorkingHours.closes_min)
        .where(_belongs_to(team_id))
        .order_by(WorkingHours.weekday, WorkingHours.opens_min)
    )
    return tuple(Stretch(*row) for row in rows)


def _belongs_to(team_id: int | None) -> ColumnElement[bool]:
    return WorkingHours.team_id.is_(None) if team_id is None else WorkingHours.team_id == team_id
