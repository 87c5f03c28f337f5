"""What the learning page shows: counts and conversion with intervals, the hold-out, shares. Reads only."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, floor, log10
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, case, func, select

from bandit import Logged, OffPolicyEstimate, TooFewDecisions, estimate_ips, estimate_snips
from config import Config
from learning import policies
from learning.absorbing import is_counted, net_sales
from learning.policies import Kept, Standing
from learning.rules import HARMS, SALE
from learning.segments import Money, Segment, money_uplift, of_segment, segments
from learning.shares import Z_95, Share, difference_interval
from models import Decision, Outcome, db
from vocabulary import STRATEGIES

Z_80_POWER: Final = 0.84
# A share of so few is no figure yet, only an anecdote.
FEW: Final = 100
USUAL_CONVERSION: Final = 0.05
WEEKS: Final = 8
LOGGED_AT_MOST: Final = 20_000
STATES: Final = ("open", "matured", "sold", "matured_sold", *HARMS)
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
class Uplift:
    """How much better the policy sells than chance, in shares; `low` and `high` are None with too little
    data.
    """

    policy: Share
    holdout: Share
    low: float | None = None
    high: float | None = None

    @property
    def value(self) -> float:
        return self.policy.value - self.holdout.value

    @property
    def more_sales(self) -> float:
        """How many sales more than by chance the policy brought."""
        return self.value * self.policy.size


@dataclass(frozen=True, slots=True)
class Week:
    """How often each strategy was drawn in a week."""

    starts_at: datetime
    counts: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that the page shows."""

    kept: Kept
    lines: tuple[Line, ...]
    uplift: Uplift
    needed: int
    exploration: float
    weeks: tuple[Week, ...]
    sums: tuple[tuple[str, int], ...]  # what was sold, by currency, in minor units
    manual: int
    segments: tuple[Segment, ...] = ()
    money: Money | None = None  # None with too little data

    @property
    def closed(self) -> int:
        return self.uplift.policy.size + self.uplift.holdout.size

    @property
    def is_empty(self) -> bool:
        return not self.manual and not any(line.count for line in self.lines)


def report(config: Config, *, now: datetime) -> Report:
    """Count everything that the page shows."""
    kept = policies.current(config)
    rows = _counts(now)
    eligible = [arm for arm in kept.arms if not arm.is_paused]
    told = kept.tell(eligible, {}).propensities if eligible else {}
    believed = kept.believe()
    logged, harms = _logged(now), _harms()
    lines = tuple(
        Line(
            arm=arm,
            **_line_counts(arm.strategy, rows),
            harms={kind: harms.get((arm.strategy, kind), 0) for kind in HARMS},
            propensity=told.get(arm.strategy),
            best_chance=believed[arm.strategy].best_chance,
            if_always=_if_always(estimate_snips, logged, arm.strategy),
            if_always_plain=_if_always(estimate_ips, logged, arm.strategy),
        )
        for arm in kept.arms
    )
    uplift = _uplift(_conversion(rows, is_holdout=False), _conversion(rows, is_holdout=True))
    return Report(
        kept,
        lines,
        uplift,
        needed_decisions(uplift, config.learning_holdout),
        1.0 - max(told.values(), default=1.0),
        _weeks(now),
        _sums(),
        sum(row.count for row in rows if row.is_manual),
        segments(now),
        None if uplift.low is None else money_uplift(now, uplift.policy.size, uplift.holdout.size),
    )


def needed_decisions(uplift: Uplift, holdout: float) -> int:
    """Give how many closed decisions show a policy that sells twice as often as chance, in round figures.

    Two shares, 95 % sure, 80 % power; what chance sells is taken from the counts, at first as 5 %.
    """
    share = min(max(holdout, 0.01), 0.99)
    hits, size = uplift.holdout.hits, uplift.holdout.size
    base = min(0.3, (hits + FEW * USUAL_CONVERSION) / (size + FEW))
    better = 2 * base
    spread = better * (1 - better) / (1 - share) + base * (1 - base) / share
    needed = (Z_95 + Z_80_POWER) ** 2 * spread / base**2
    needed = max(needed, FEW / min(share, 1 - share))
    grain = int(10 ** floor(log10(needed)))
    return ceil(needed / grain) * grain


# --- counting -----------------------------------------------------------------------------------------------


def _counts(now: datetime) -> Sequence[Any]:
    """Count decisions by strategy and group; `sold` are those with a sale that was not refunded."""
    of_decision = (
        select(
            Decision.strategy,
            Decision.is_holdout,
            Decision.is_manual,
            case((Decision.closes_at <= now, 1), else_=0).label("matured"),
            case((net_sales(Decision.id) > 0, 1), else_=0).label("sold"),
        ).where(is_counted())
    ).subquery()
    per = (of_decision.c.strategy, of_decision.c.is_holdout, of_decision.c.is_manual)
    return db.session.execute(
        select(
            *per,
            func.count().label("count"),
            func.sum(of_decision.c.matured).label("matured"),
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


def _line_counts(strategy: str, rows: Sequence[Any]) -> dict[str, Any]:
    mine = [row for row in rows if row.strategy == strategy and not row.is_manual]
    count, matured = sum(row.count for row in mine), sum(int(row.matured) for row in mine)
    return {
        "count": count,
        "open": count - matured,
        "conversion": Share(sum(int(row.matured_sold) for row in mine), matured),
        "sold": sum(int(row.sold) for row in mine),
    }


def _conversion(rows: Sequence[Any], *, is_holdout: bool) -> Share:
    mine = [row for row in rows if not row.is_manual and bool(row.is_holdout) is is_holdout]
    return Share(sum(int(row.matured_sold) for row in mine), sum(int(row.matured) for row in mine))


def _uplift(policy: Share, holdout: Share) -> Uplift:
    if min(policy.size, holdout.size) < FEW:
        return Uplift(policy, holdout)
    return Uplift(policy, holdout, *difference_interval(policy, holdout))


def _logged(now: datetime) -> list[Logged]:
    """Give the newest matured decisions that were drawn, as the off-policy estimates want them."""
    rows = db.session.execute(
        select(Decision.strategy, Decision.propensity, net_sales(Decision.id).label("sales"))
        .where(
            Decision.closes_at <= now,
            Decision.is_manual.is_(False),
            Decision.propensity > 0.0,
            is_counted(),
        )
        .order_by(Decision.closes_at.desc())
        .limit(LOGGED_AT_MOST)
    )
    return [Logged(row.propensity, row.strategy, float(row.sales > 0)) for row in rows]


def _if_always(
    estimate: Callable[[list[Logged], str], OffPolicyEstimate], logged: list[Logged], strategy: str
) -> OffPolicyEstimate | None:
    try:
        return estimate(logged, strategy)
    except TooFewDecisions:
        return None


def _weeks(now: datetime) -> tuple[Week, ...]:
    weeks = []
    for back in range(WEEKS, 0, -1):
        start = now - timedelta(weeks=back)
        rows = db.session.execute(
            select(Decision.strategy, func.count(Decision.id).label("drawn"))
            .where(
                Decision.created_at > start,
                Decision.created_at <= start + timedelta(weeks=1),
                Decision.is_manual.is_(False),
                Decision.is_holdout.is_(False),
                is_counted(),
            )
            .group_by(Decision.strategy)
        )
        counts = dict.fromkeys(STRATEGIES, 0) | {row.strategy: row.drawn for row in rows}
        weeks.append(Week(start, counts))
    return tuple(weeks)


def _sums() -> tuple[tuple[str, int], ...]:
    signed = case((Outcome.kind == SALE, Outcome.value_minor), else_=-Outcome.value_minor)
    rows = db.session.execute(
        select(Outcome.currency, func.sum(signed))
        .join(Decision, Decision.id == Outcome.decision_id)
        .where(Outcome.order_id > 0, is_counted())
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


def list_decisions(wanted: Wanted, *, now: datetime, before: int | None, limit: int) -> Sequence[Decision]:
    """Give the decisions behind a number of the page, the newest first."""
    query = select(Decision).where(is_counted()).order_by(Decision.id.desc()).limit(limit)
    conditions = [_of_state(wanted.state, now), _of_group(wanted.group), of_segment(wanted.segment)]
    if wanted.strategy:
        conditions.append(Decision.strategy == wanted.strategy)
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
    if state == "open":
        return Decision.closes_at > now
    if state == "matured":
        return Decision.closes_at <= now
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
