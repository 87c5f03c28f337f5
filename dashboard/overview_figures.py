"""Today beside the same day last week, and what waits for a person: the figures of the front page.

Called by the overview. Reads only, in two queries. A figure counts today so far and last week's day up to the
same moment; its line grows hour by hour. Each says which page lists what it counts.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    and_,
    case,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement

from dashboard.days import midnight
from dashboard.inbox_lists import COUNTED_AT_MOST, NOT_ARRIVED
from dashboard.records import LISTED
from models import Appointment, Complaint, Conversation, Lead, Message, Order, Ticket, db

DAYS_BACK: Final = 7
HOURS: Final = 24
# The picture of a line, in its own units; the page stretches it.
WIDTH: Final = 100.0
HEIGHT: Final = 28.0
FIGURES: Final = ("wrote", "received", "sent", "leads", "placed", "paid")


class hour_of(FunctionElement[str]):
    """The UTC hour of a moment, as text that sorts: 2026-07-01 14."""

    type = String()
    inherit_cache = True


@compiles(hour_of, "sqlite")
def _hour_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    return f"substr({compiler.process(element.clauses, **kw)}, 1, 13)"


@compiles(hour_of, "postgresql")
def _hour_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    return f"to_char({compiler.process(element.clauses, **kw)}, 'YYYY-MM-DD HH24')"


@compiles(hour_of)
def _hour_mariadb(element: Any, compiler: Any, **kw: Any) -> str:
    return f"substr({compiler.process(element.clauses, **kw)}, 1, 13)"


@dataclass(frozen=True, slots=True)
class Figure:
    """What a day brought so far; `then` is last week's at the same moment, lines count up to each hour."""

    name: str
    count: int
    then: int
    today: tuple[int, ...]
    last_week: tuple[int, ...]
    total_minor: int = 0
    currency: str = ""

    @property
    def change(self) -> int:
        return self.count - self.then

    @property
    def lines(self) -> tuple[str, str]:
        """Give the points of today's line and of last week's, in WIDTH by HEIGHT, as SVG wants them."""
        most = max((*self.today, *self.last_week, 1))
        return _points(self.today, most), _points(self.last_week, most)


@dataclass(frozen=True, slots=True)
class Need:
    """Something that waits for a person, and how often; counted up to COUNTED_AT_MOST."""

    name: str
    count: int


@dataclass(frozen=True, slots=True)
class _Week:
    """Today until now, and the day of last week with the moment that is as far into it."""

    began: datetime
    now: datetime
    then_began: datetime
    then_ended: datetime
    then_now: datetime

    @classmethod
    def of(cls, now: datetime) -> "_Week":
        began, then_began = midnight(now), midnight(now, days_ago=DAYS_BACK)
        # By the clock on the wall: a day may have 23 or 25 hours.
        then_now = datetime.combine(then_began, now.astimezone(then_began.tzinfo).time(), then_began.tzinfo)
        return cls(began, now, then_began, midnight(now, days_ago=DAYS_BACK - 1), then_now)

    def holds(self, moment: Any) -> ColumnElement[bool]:
        # The first alone is what an index can be asked for.
        return and_(moment >= self.then_began, or_(moment < self.then_ended, moment >= self.began))

    def place_of(self, hour: str) -> tuple[bool, int]:
        """Tell whether a UTC hour is today's, and how many hours of its day had begun before it."""
        moment = datetime.strptime(hour, "%Y-%m-%d %H").replace(tzinfo=UTC)
        # A zone may be half an hour off the full one: then the first hour of a day began before midnight.
        is_today = moment + timedelta(hours=1) > self.began
        since = moment - (self.began if is_today else self.then_began)
        return is_today, min(HOURS - 1, max(0, int(since / timedelta(hours=1))))


def figures_of(now: datetime) -> tuple[Figure, ...]:
    """Count what today has brought, beside last week's day."""
    week = _Week.of(now)
    rows = db.session.execute(union_all(*_counted(week))).all()
    return tuple(_figure(name, [row for row in rows if row.name == name], week) for name in FIGURES)


def _counted(week: _Week) -> Iterable[Select[Any]]:
    said = Message.created_at
    # Who wrote counts once a day, in the hour of her first message.
    first = (
        select(func.min(said).label("at"))
        .where(week.holds(said), Message.direction == "in")
        # An expression, or SQLite would group by the index of threads and read every message there is.
        .group_by(Message.conversation_id + 0, said >= week.began)
        .subquery()
    )
    yield _by_hour("wrote", first.c.at, week)
    for name, direction in (("received", "in"), ("sent", "out")):
        yield _by_hour(name, said, week, Message.direction == direction)
    yield _by_hour("leads", Lead.created_at, week)
    yield _by_hour("placed", Order.placed_at, week, is_worth=True)
    yield _by_hour("paid", Order.paid_at, week, is_worth=True)


def _by_hour(
    name: str, moment: Any, week: _Week, *conditions: ColumnElement[bool], is_worth: bool = False
) -> Select[Any]:
    """Write the query that counts moments by hour, and their orders' worth by currency as well."""
    hour: Any = hour_of(moment)
    worth: Any = func.sum(Order.total_minor) if is_worth else literal(0)
    currency: Any = Order.currency if is_worth else literal("")
    is_so_far = or_(moment >= week.began, moment < week.then_now)
    return (
        select(
            literal(name).label("name"),
            hour.label("hour"),
            func.count().label("many"),
            func.sum(case((is_so_far, 1), else_=0)).label("so_far"),
            worth.label("total"),
            currency.label("currency"),
        )
        .where(week.holds(moment), *conditions)
        .group_by(*((hour, Order.currency) if is_worth else (hour,)))
    )


def _figure(name: str, rows: Sequence[Any], week: _Week) -> Figure:
    hours = {True: [0] * HOURS, False: [0] * HOURS}
    so_far = {True: 0, False: 0}
    sums: dict[str, int] = {}
    for row in rows:
        is_today, place = week.place_of(row.hour)
        hours[is_today][place] += row.many
        so_far[is_today] += int(row.so_far)
        if is_today and row.currency:
            sums[row.currency] = sums.get(row.currency, 0) + int(row.total)
    _today, begun = week.place_of(week.now.astimezone(UTC).strftime("%Y-%m-%d %H"))
    currency = max(sums, key=lambda one: sums[one], default="")
    return Figure(
        name,
        so_far[True],
        so_far[False],
        tuple(accumulate(hours[True][: begun + 1])),
        tuple(accumulate(hours[False])),
        sums.get(currency, 0),
        currency,
    )


def _points(counts: Sequence[int], most: int) -> str:
    steps = (0, *counts)
    return " ".join(
        f"{place * WIDTH / HOURS:.1f},{HEIGHT - 1 - count * (HEIGHT - 2) / most:.1f}"
        for place, count in enumerate(steps)
    )


# --- what waits ---------------------------------------------------------------------------------------------


def needs_of(now: datetime) -> tuple[Need, ...]:
    """Count what else waits for a person, besides who wrote; what waits for nobody is left out."""
    failed = select(Message.conversation_id).where(
        Message.created_at >= midnight(now), Message.status.in_(NOT_ARRIVED)
    )
    lists: Mapping[str, Select[Any]] = {
        "claimed": select(Order.id).where(LISTED["claimed"](now)),
        "overdue": select(Ticket.id).where(LISTED["overdue"](now)),
        "complaints": select(Complaint.id).where(LISTED["complaints"](now)),
        "appointments": select(Appointment.id).where(LISTED["requested"](now)),
        "leads": select(Lead.id).where(LISTED["new"](now)),
        "failed": select(Conversation.id).where(Conversation.id.in_(failed)),
    }
    counts = [
        select(literal(name).label("name"), func.count().label("many")).select_from(
            rows.limit(COUNTED_AT_MOST).subquery()
        )
        for name, rows in lists.items()
    ]
    found = {row.name: int(row.many) for row in db.session.execute(union_all(*counts))}
    return tuple(Need(name, found[name]) for name in lists if found[name])
