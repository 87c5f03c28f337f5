"""Figures of days, and the log of the learning: every choice with its probability and what came of it."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import Field, PlainValidator
from pydantic import WithJsonSchema as Described
from sqlalchemy import select

import auth
from api import shapes
from api.doors import Query, Refused, endpoint, found
from api.kinds import Clean, Flag, RowId
from api.paging import DatedQuery, Page, PageQuery, narrowed, page
from learning.figures import outcomes_of
from models import DailyFigure, Decision, LearningChange, Outcome, db, utc_now

MOST_DAYS: Final = 92
DAYS_BACK: Final = 6


def _day(written: Any) -> date:
    if isinstance(written, str) and len(written) == len("2026-11-21"):
        return date.fromisoformat(written)
    raise ValueError("this is no day such as 2026-11-21")


Day = Annotated[date, PlainValidator(_day), Described({"type": "string", "format": "date"})]


class DaysQuery(Query):
    first: Day | None = Field(default=None, description="Of the shop's time zone; six days ago.")
    last: Day | None = Field(default=None, description=f"Today; {MOST_DAYS} days in all at most.")
    name: Annotated[str, Field(max_length=30), Clean] | None = Field(
        default=None, description="One figure alone."
    )


class DecisionQuery(DatedQuery):
    conversation_id: RowId | None = None
    strategy: Annotated[str, Field(max_length=20), Clean] | None = None
    is_demo: Flag | None = None
    is_holdout: Flag | None = None


class Figure(shapes.Shape):
    """How often something happened on a day, and of what sum where it has one."""

    day: date
    name: str
    part: str = Field(description="Which part of the figure; empty: the whole.")
    count: int
    total: int


class Figures(shapes.Shape):
    time_zone: str
    data: list[Figure]


class Steered(shapes.Shape):
    """Who paused, pinned, froze, reset or switched something off."""

    id: int
    action: str
    strategy: str
    reason: str
    operator_id: int | None
    at: datetime


@endpoint("GET", "/analytics/days", scope="figures:read", refusals=("conflict",))
def list_figures(asked: DaysQuery) -> Figures:
    """Give the figures of each day of a period, as the worker rolled them up."""
    config = auth.current_config()
    today = utc_now().astimezone(config.zone).date()
    last = asked.last or today
    first = asked.first or max(last, date.min + timedelta(days=DAYS_BACK)) - timedelta(days=DAYS_BACK)
    if not 0 <= (last - first).days < MOST_DAYS:
        raise Refused("conflict", f"A period has 1 to {MOST_DAYS} days, its first before its last.")
    query = select(DailyFigure).where(DailyFigure.day >= first, DailyFigure.day <= last)
    query = query if asked.name is None else query.where(DailyFigure.name == asked.name)
    rows = db.session.scalars(query.order_by(DailyFigure.day, DailyFigure.name, DailyFigure.part))
    return Figures(time_zone=config.time_zone, data=[Figure.of(row) for row in rows])


@endpoint("GET", "/learning/decisions", scope="figures:read")
def list_decisions(asked: DecisionQuery) -> Page[shapes.Decision]:
    """List which way of selling was chosen when, and what came of it."""
    query = narrowed(
        select(Decision),
        asked,
        Decision.created_at,
        conversation_id=Decision.conversation_id,
        strategy=Decision.strategy,
        is_demo=Decision.is_demo,
        is_holdout=Decision.is_holdout,
    )
    return page(query, Decision.id, asked, _decisions)


@endpoint("GET", "/learning/decisions/<int:decision_id>", scope="figures:read")
def get_decision(decision_id: int) -> shapes.Decision:
    """Get one decision."""
    return _decisions([found(db.session.get(Decision, decision_id))])[0]


@endpoint("GET", "/learning/changes", scope="figures:read")
def list_learning_changes(asked: PageQuery) -> Page[Steered]:
    """List who steered the learning, and why."""
    return page(select(LearningChange), LearningChange.id, asked, lambda rows: [Steered.of(r) for r in rows])


def _decisions(rows: Sequence[Decision]) -> list[shapes.Decision]:
    outcomes = outcomes_of([row.id for row in rows])
    return [
        shapes.Decision.of(
            row,
            propensities=row.propensities or {},
            context=row.context or {},
            outcomes=[_outcome(one) for one in outcomes[row.id]],
        )
        for row in rows
    ]


def _outcome(one: Outcome) -> shapes.Outcome:
    value = shapes.Money(amount_minor=one.value_minor, currency=one.currency) if one.currency else None
    return shapes.Outcome(kind=one.kind, value=value, at=one.at)
