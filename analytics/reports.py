"""Adds the daily figures of a period up, beside the period of the same length before it. Reads only.

A page costs two queries here, however long the period is: the sums of both periods, and the days of the
figures that are drawn as a line.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from sqlalchemy import case, func, select

from analytics.counts import MAX_DAYS
from analytics.of_messages import wait_within
from analytics.rolling import COUNTED
from models import DailyFigure, db
from statements import table

_ROWS: Final = table(DailyFigure)
# The figures that are drawn day by day.
DRAWN: Final = ("messages_in", "leads", "revenue", "conversations")


@dataclass(frozen=True, slots=True)
class Period:
    """Local days, the first and the last of them included."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if not 1 <= (self.last - self.first).days + 1 <= MAX_DAYS:
            raise ValueError(f"a period has from 1 to {MAX_DAYS} days")

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def before(self) -> "Period":
        """The period of the same length that ends the day before this one begins."""
        return Period(self.first - timedelta(days=self.days), self.first - timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Sum:
    """How often, and of what sum."""

    count: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class Sums:
    """The figures of one period, by name and part."""

    parts: Mapping[str, Mapping[str, Sum]] = field(default_factory=dict)

    def of(self, name: str) -> Mapping[str, Sum]:
        return self.parts.get(name, {})

    def count(self, name: str, part: str | None = None) -> int:
        found = self.of(name)
        return sum(one.count for key, one in found.items() if part in (None, key))

    def total(self, name: str, part: str | None = None) -> int:
        found = self.of(name)
        return sum(one.total for key, one in found.items() if part in (None, key))

    def share(self, name: str, part: str) -> float | None:
        """Give what share of a figure's count is this part; None of nothing."""
        whole = self.count(name)
        return self.count(name, part) / whole if whole else None

    def mean(self, name: str, part: str | None = None) -> float | None:
        count = self.count(name, part)
        return self.total(name, part) / count if count else None

    def wait_secs(self, share: float = 0.5) -> int | None:
        """Give within how many seconds `share` of the customers were answered, as one of the bounds."""
        return wait_within([(part, one.count) for part, one in self.of("first_answer").items()], share)

    def for_currency(self, name: str, currency: str) -> dict[str, Sum]:
        """Give the parts of a revenue figure in one currency, without its name."""
        start = f"{currency}|"
        return {key.removeprefix(start): one for key, one in self.of(name).items() if key.startswith(start)}

    @property
    def currencies(self) -> tuple[str, ...]:
        """Give the currencies that something was sold in, the one with the most sales first."""
        return tuple(sorted(self.of("revenue"), key=lambda key: (-self.of("revenue")[key].count, key)))


@dataclass(frozen=True, slots=True)
class Report:
    """A period beside the one before; `is_counted` says that every day of both has its figures."""

    period: Period
    now: Sums
    before: Sums

    @property
    def is_counted(self) -> bool:
        return self.now.count(COUNTED) == self.period.days

    @property
    def has_before(self) -> bool:
        return self.before.count(COUNTED) == self.period.days


def read_report(period: Period) -> Report:
    """Add the figures of a period and of the one before it up. One query."""
    inside = (
        select(
            case((_ROWS.c.day >= period.first, 1), else_=0).label("is_now"),
            *(_ROWS.c[name] for name in ("name", "part", "count", "total")),
        )
        .where(_ROWS.c.day >= period.before.first, _ROWS.c.day <= period.last)
        .subquery()
    )
    by = (inside.c.is_now, inside.c.name, inside.c.part)
    rows = db.session.execute(
        select(*by, func.sum(inside.c["count"]), func.sum(inside.c.total)).group_by(*by)
    )
    found: dict[int, dict[str, dict[str, Sum]]] = {0: defaultdict(dict), 1: defaultdict(dict)}
    for of, name, part, count, total in rows:
        found[of][name][part] = Sum(int(count), int(total))
    return Report(period, Sums(found[1]), Sums(found[0]))


def daily_series(first: date, last: date) -> dict[str, dict[date, int]]:
    """Give how often each of DRAWN was counted on each day that has figures. One query."""
    rows = db.session.execute(
        select(_ROWS.c.day, _ROWS.c.name, func.sum(_ROWS.c["count"]))
        .where(_ROWS.c.day >= first, _ROWS.c.day <= last, _ROWS.c.name.in_((*DRAWN, COUNTED)))
        .group_by(_ROWS.c.day, _ROWS.c.name)
    ).all()
    series: dict[str, dict[date, int]] = {name: {} for name in DRAWN}
    for day, name, count in rows:
        if name == COUNTED:
            for counts in series.values():
                counts.setdefault(day, 0)
        else:
            series[name][day] = int(count)
    return series
