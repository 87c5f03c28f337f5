"""Counts days: what `analytics` works out of one day is kept in a commit of its own.

A task calls it every few minutes, the command line and the page of the figures when asked. A day is read
first and written then, so that nobody waits for the reading.
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Final

import analytics
from config import Config
from models import db, reading

LATER_HOUR: Final = 4


def keep_up(config: Config, now: datetime) -> int:
    """Count what a task has to: at night the last weeks, in whose figures later sales show. Commits."""
    return count_missing(config, now, later=now.astimezone(config.zone).hour == LATER_HOUR)


def count_missing(config: Config, now: datetime, *, later: bool = False) -> int:
    """Count what is missing, yesterday and today, with `later` the last weeks, too. Gives how many days.
    Commits. Raises IntegrityError when somebody else is counting the same day."""
    with reading():
        days = analytics.days_to_count(now=now, zone=config.zone, later=later)
        db.session.rollback()
    return count(config, days)


def count(config: Config, days: Iterable[date]) -> int:
    """Count these local days anew. Commits each. Idempotent."""
    counted = 0
    for day in days:
        with reading():
            tally = analytics.tally_day(day, zone=config.zone)
            db.session.rollback()
        analytics.keep_day(day, tally)
        db.session.commit()
        counted += 1
    return counted
