"""What the learning page shows: counts and conversion with intervals, the hold-out, shares. Reads only."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, and_, case, func, select

from bandit import Logged, OffPolicyEstimate, TooFewDecisions, estimate_ips, estimate_snips
from config import Config
from learning import policies, proof
from learning.absorbing import is_counted, is_drawn, is_taken_over, net_sales
from learning.arms import Standing, standings
from learning.outlook import Outlook, outlook
from learning.policies import Kept
from learning.proof import Money, Uplift
from learning.rules import HARMS, REFUND, SALE, TAKEN_OVER
from learning.segments import Segment, of_segment, sale_values, segments
from learning.shares import Share
from models import Decision, LearningChange, Outcome, db

WEEKS: Final = 8
LOGGED_AT_MOST: Final = 20_000
STATES: Final = ("open", "matured", "sold", "matured_sold", TAKEN_OVER, *HARMS)
GROUPS: Final = ("drawn", "policy", "holdout", "manual")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A strategy's figures. `propensity`: how likely it is for a new customer now, None while paused."""

    arm: Standing
    count: int
    open: int
    conversion: Share  # of matured decisions that were drawn, the hold-out's too
    sold: int  # with those that are still open
    harms: dict[str, int]
    propensity: float | None
    best_chance: float
    if_always: OffPolicyEstimate | None  # self-normalised
    if_always_plain: OffPolicyEstimate | None  # by inverse propensities alone


@dataclass(frozen=True, slots=True)
class Week:
    """How often each strategy was drawn in a week."""

    starts_at: datetime
    counts: dict[str, int]
    back: int  # how many weeks ago it began

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that the page shows. `uplift` and `money` count from where learning began anew."""

    kept: Kept
    lines: tuple[Line, ...]
    uplift: Uplift
    outlook: Outlook
    weeks: tuple[Week, ...]
    sums: tuple[tuple[str, int], ...]  # what was sold, by currency, in minor units
    manual: int
    taken_over: int  # by a person, before anything was sold
    segments: tuple[Segment, ...] = ()
    money: Money | None = None  # None with too little data
    forgotten: LearningChange | None = None  # who let it be forgotten, and when

    @property
    def is_empty(self) -> bool:
        return not self.manual and not any(line.count for line in self.lines)


def report(config: Config, *, now: datetime) -> Report:
    """Count everything that the page shows."""
    kept = policies.current(config)
    rows, logged, harms, ahead = _counts(now, kept.forgets_until_id), _logged(now), _harms(), outlook(kept)
    lines = tuple(
        Line(
            arm=arm,
            **_line_counts(arm.strategy, rows),
            harms={kind: harms.get((arm.strategy, kind), 0) for kind in HARMS},
            propensity=None if arm.is_paused else ahead.chances[arm.strategy],
            best_chance=ahead.best_chances.get(arm.strategy, 0.0),
            if_always=_if_always(estimate_snips, logged, arm.strategy),
            if_always_plain=_if_always(estimate_ips, logged, arm.strategy),
        )
        for arm in kept.arms
        if not arm.is_retired or any(row.strategy == arm.strategy for row in rows)
    )
    told = _compared(config, rows)
    return Report(
        kept,
        lines,
        told,
        ahead,
        _weeks(kept, now),
        _sums(),
        sum(row.count for row in rows if row.is_manual),
        sum(row.count - int(row.open) - int(row.matured) for row in rows if not row.is_manual),
        segments(now),
        proof.money(told, sale_values(now, kept.forgets_until_id)),
        _forgotten() if kept.forgets_until_id else None,
    )


def compare(config: Config, *, now: datetime, after_id: int = 0) -> Uplift:
    """Compare what closed of the decisions after one, chosen by the policy and held out."""
    return _compared(config, _counts(now, after_id))


def conversions(*, now: datetime, after_id: int = 0) -> dict[str, tuple[int, Share]]:
    """Give by strategy how many decisions were drawn after one, and what the closed of them sold."""
    rows = [row for row in _counts(now, after_id) if row.is_since]
    counted = {arm.strategy: _line_counts(arm.strategy, rows) for arm in standings() if not arm.is_retired}
    return {strategy: (one["count"], one["conversion"]) for strategy, one in counted.items()}


def last_id() -> int:
    """Give the newest decision's id; 0 when there is none."""
    return db.session.scalar(select(func.max(Decision.id))) or 0


# --- counting -----------------------------------------------------------------------------------------------


def _counts(now: datetime, after_id: int = 0) -> Sequence[Any]:
    """Count decisions by strategy, group and whether they are newer than one (`is_since`); `sold` are those
    with a sale that was not refunded, `matured` and `open` leave out what a person took over."""
    is_taken, has_closed = is_taken_over(Decision.id), Decision.closes_at <= now
    of_decision = (
        select(
            Decision.strategy,
            Decision.is_holdout,
            Decision.is_manual,
            case((and_(has_closed, ~is_taken), 1), else_=0).label("matured"),
            case((and_(~has_closed, ~is_taken), 1), else_=0).label("open"),
            case((Decision.id > after_id, 1), else_=0).label("is_since"),
            case((net_sales(Decision.id) > 0, 1), else_=0).label("sold"),
        ).where(is_counted())
    ).subquery()
    columns = of_decision.c
    per = (columns.strategy, columns.is_holdout, columns.is_manual, columns.is_since)
    return db.session.execute(
        select(
            *per,
            func.count().label("count"),
            func.sum(of_decision.c.matured).label("matured"),
            func.sum(of_decision.c.open).label("open"),
            func.sum(of_decision.c.sold).label("sold"),
            func.sum(of_decision.c.sold * of_decision.c.matured).label("matured_sold"),
        ).group_by(*per)
    ).all()


def _harms() -> dict[tuple[str, str], int]:
    rows = db.session.execute(
        select(Decision.strategy, Outcome.kind, func.count(Outcome.id))
        .join(Decision, Decision.id == Outcome.decision_id)
        .where(Outcome.kind.in_(HARMS), Decision.is_manual.is_(False), is_counted())
        .group_by(Decision.strategy, Outcome.kind)
    )
    return {(strategy, kind): count for strategy, kind, count in rows}


def _forgotten() -> LearningChange | None:
    query = select(LearningChange).where(LearningChange.action == "reset")
    return db.session.scalars(query.order_by(LearningChange.id.desc()).limit(1)).first()


def _line_counts(strategy: str, rows: Sequence[Any]) -> dict[str, Any]:
    mine = [row for row in rows if row.strategy == strategy and not row.is_manual]
    count, matured = sum(row.count for row in mine), sum(int(row.matured) for row in mine)
    return {
        "count": count,
        "open": sum(int(row.open) for row in mine),
        "conversion": Share(sum(int(row.matured_sold) for row in mine), matured),
        "sold": sum(int(row.sold) for row in mine),
    }


def _compared(config: Config, rows: Sequence[Any]) -> Uplift:
    since = [row for row in rows if row.is_since]
    sides = (_conversion(since, is_holdout=False), _conversion(since, is_holdout=True))
    return proof.uplift(*sides, config.learning_holdout)


def _conversion(rows: Sequence[Any], *, is_holdout: bool) -> Share:
    mine = [row for row in rows if not row.is_manual and bool(row.is_holdout) is is_holdout]
    return Share(sum(int(row.matured_sold) for row in mine), sum(int(row.matured) for row in mine))


class _Row(NamedTuple):
    """A matured decision that was drawn, and what could have been drawn instead."""

    logged: Logged
    possible: frozenset[str]


def _logged(now: datetime) -> list[_Row]:
    """Give the newest matured decisions that were drawn, as the off-policy estimates want them."""
    rows = db.session.execute(
        select(
            Decision.strategy,
            Decision.propensity,
            Decision.propensities,
            net_sales(Decision.id).label("sales"),
        )
        .where(Decision.closes_at <= now, is_drawn(), Decision.propensity > 0.0, is_counted())
        .order_by(Decision.closes_at.desc())
        .limit(LOGGED_AT_MOST)
    )
    return [
        _Row(
            Logged(row.propensity, row.strategy, float(row.sales > 0)),
            frozenset(name for name, share in row.propensities.items() if share > 0.0),
        )
        for row in rows
    ]


def _if_always(
    estimate: Callable[[list[Logged], str], OffPolicyEstimate], logged: list[_Row], strategy: str
) -> OffPolicyEstimate | None:
    """Estimate over those whom it could have met: where it was paused or not allowed, nothing is known."""
    try:
        return estimate([row.logged for row in logged if strategy in row.possible], strategy)
    except TooFewDecisions:
        return None


def _weeks(kept: Kept, now: datetime) -> tuple[Week, ...]:
    """Count what was drawn in each of the last weeks, the oldest first."""
    backs = range(WEEKS, 0, -1)
    back = case(*((_in_week(each, now), each) for each in backs))
    rows = db.session.execute(
        select(back.label("back"), Decision.strategy, func.count(Decision.id).label("drawn"))
        .where(
            Decision.created_at > now - timedelta(weeks=WEEKS),
            Decision.created_at <= now,
            Decision.is_manual.is_(False),
            Decision.is_holdout.is_(False),
            is_counted(),
        )
        .group_by("back", Decision.strategy)
    ).all()
    drawn = {(row.back, row.strategy): int(row.drawn) for row in rows}
    return tuple(
        Week(
            now - timedelta(weeks=each),
            {arm.strategy: drawn.get((each, arm.strategy), 0) for arm in kept.arms},
            each,
        )
        for each in backs
    )


def _in_week(back: int, now: datetime) -> ColumnElement[bool]:
    start = now - timedelta(weeks=back)
    return and_(Decision.created_at > start, Decision.created_at <= start + timedelta(weeks=1))


def _sums() -> tuple[tuple[str, int], ...]:
    signed = case((Outcome.kind == SALE, Outcome.value_minor), else_=-Outcome.value_minor)
    rows = db.session.execute(
        select(Outcome.currency, func.sum(signed))
        .join(Decision, Decision.id == Outcome.decision_id)
        .where(Outcome.order_id > 0, Outcome.kind.in_((SALE, REFUND)), is_counted())
        .group_by(Outcome.currency)
        .order_by(Outcome.currency)
    )
    return tuple((currency, int(total)) for currency, total in rows)


# --- the conversations behind a number ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which decisions to list; what is empty asks for all."""

    strategy: str = ""
    state: str = ""
    group: str = ""
    segment: str = ""
    after: int = 0  # a decision's id: only newer ones
    week: int = 0  # so many weeks back from now, 1 the last one; 0 any


def list_decisions(wanted: Wanted, *, now: datetime, before: int | None, limit: int) -> Sequence[Decision]:
    """Give the decisions behind a number of the page, the newest first."""
    query = select(Decision).where(is_counted()).order_by(Decision.id.desc()).limit(limit)
    conditions = [_of_state(wanted.state, now), _of_group(wanted.group), of_segment(wanted.segment)]
    if wanted.strategy:
        conditions.append(Decision.strategy == wanted.strategy)
    if wanted.after:
        conditions.append(Decision.id > wanted.after)
    if wanted.week:
        conditions.append(_in_week(wanted.week, now))
    if before is not None:
        conditions.append(Decision.id < before)
    return db.session.scalars(query.where(*(one for one in conditions if one is not None))).all()


def outcomes_of(decision_ids: Sequence[int]) -> dict[int, list[Outcome]]:
    """Give what came of these decisions, in order."""
    found: dict[int, list[Outcome]] = {one: [] for one in decision_ids}
    rows = db.session.scalars(
        select(Outcome).where(Outcome.decision_id.in_(decision_ids)).order_by(Outcome.at, Outcome.id)
    )
    for row in rows:
        found[row.decision_id].append(row)
    return found


def _of_state(state: str, now: datetime) -> ColumnElement[bool] | None:
    is_taken = is_taken_over(Decision.id)
    if state == "open":
        return and_(Decision.closes_at > now, ~is_taken)
    if state == "matured":
        return and_(Decision.closes_at <= now, ~is_taken)
    if state == "taken_over":
        return is_taken
    if state in ("sold", "matured_sold"):
        has_sold: ColumnElement[bool] = net_sales(Decision.id) > 0
        return has_sold if state == "sold" else and_(has_sold, Decision.closes_at <= now)
    if state in HARMS:
        return select(Outcome.id).where(Outcome.decision_id == Decision.id, Outcome.kind == state).exists()
    return None


def _of_group(group: str) -> ColumnElement[bool] | None:
    return {
        "drawn": Decision.is_manual.is_(False),
        "policy": and_(Decision.is_holdout.is_(False), Decision.is_manual.is_(False)),
        "holdout": Decision.is_holdout.is_(True),
        "manual": Decision.is_manual.is_(True),
    }.get(group)
