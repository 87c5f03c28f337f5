"""Works the figures of a day out and keeps them: the same day counted again gives the same rows.

A task counts today and yesterday every few minutes, what is missing besides, and the last weeks once a day:
what becomes of a customer, and what is paid back, shows later in the figures of the day that it began on.
`counting` asks and commits.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import delete, func, insert, select

from analytics.of_messages import figures_of_messages
from analytics.of_records import figures_of_records
from analytics.uptime import figures_of_errors, figures_of_uptime
from models import Contact, DailyFigure, Message, Payment, Refund, Sale, db
from statements import changed_rows, table

# The day was counted at all; without it, no row would mean both "nothing" and "not known".
COUNTED: Final = "counted"
DAYS_PER_RUN: Final = 60
# What is paid back later than this is found by its own date.
LATER_DAYS: Final = 35
REFUNDS_SEEN: Final = timedelta(days=2)
PART_MAX_CHARS: Final = 160

_ROWS: Final = table(DailyFigure)


@dataclass(slots=True)
class Tally:
    """What is counted of one day: how often, and of what sum, by figure and part."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    totals: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, name: str, part: str = "", count: int = 1, total: int = 0) -> None:
        key = (name, part.replace("\0", "")[:PART_MAX_CHARS])
        self.counts[key] += count
        self.totals[key] += total

    def rows(self, day: date) -> list[dict[str, Any]]:
        return [
            {"day": day, "name": name, "part": part, "count": count, "total": self.totals[name, part]}
            for (name, part), count in sorted(self.counts.items())
        ]


def tally_day(day: date, *, zone: ZoneInfo) -> Tally:
    """Work the figures of a local day out. Reads only."""
    tally = Tally()
    tally.add(COUNTED)
    start, end = midnight(day, zone), midnight(day + timedelta(days=1), zone)
    for found in (
        figures_of_messages(start, end, zone),
        figures_of_records(start, end),
        figures_of_uptime(start, end),
        figures_of_errors(start, end),
    ):
        for figure in found:
            tally.add(*figure)
    return tally


def keep_day(day: date, tally: Tally) -> None:
    """Put the figures of a day in the place of what it had. Idempotent; flushes."""
    changed_rows(delete(_ROWS).where(_ROWS.c.day == day))
    db.session.execute(insert(_ROWS), tally.rows(day))


def days_to_count(*, now: datetime, zone: ZoneInfo, later: bool = False) -> list[date]:
    """Give today, yesterday and some days that were never counted, the newest first; with `later` the last
    weeks, too, and the days of sales that were paid back just now."""
    today = now.astimezone(zone).date()
    days = {today, today - timedelta(days=1), *_never_counted(today, zone)}
    if later:
        days.update(today - timedelta(days=back) for back in range(LATER_DAYS))
        days.update(at.astimezone(zone).date() for at in _paid_back_since(now - REFUNDS_SEEN))
    return sorted(days, reverse=True)


def forget() -> None:
    """Drop every figure, so that all days are counted anew: what they counted is gone. Flushes."""
    changed_rows(delete(_ROWS))


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Give the moment at which a local day begins."""
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


def _never_counted(today: date, zone: ZoneInfo) -> Iterator[date]:
    """Give the newest days without figures, back to the first message or customer."""
    began = [
        at
        for at in (
            db.session.scalar(select(func.min(Message.created_at))),
            db.session.scalar(select(func.min(Contact.created_at))),
        )
        if at is not None
    ]
    if not began:
        return
    known = set(db.session.scalars(select(_ROWS.c.day).where(_ROWS.c.name == COUNTED)))
    given, day, first = 0, today, min(began).astimezone(zone).date()
    while day >= first and given < DAYS_PER_RUN:
        if day not in known:
            given += 1
            yield day
        day -= timedelta(days=1)


def _paid_back_since(moment: datetime) -> Iterator[datetime]:
    """Give when the orders were sold that were paid back since."""
    reversed_sales = select(Sale.at).where(Sale.reversed_at >= moment)
    refunded = (
        select(Sale.at)
        .join_from(Refund, Payment, Payment.id == Refund.payment_id)
        .join(Sale, Sale.order_id == Payment.order_id)
        .where(Refund.done_at >= moment)
    )
    yield from db.session.scalars(reversed_sales)
    yield from db.session.scalars(refunded)
