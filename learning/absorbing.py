"""What the log teaches: matured decisions settle the policy's state, open ones count by their age.

The settled state is a function of the log alone: closed decisions in the order in which their windows ended.
New ones are added to it; when anything that it knows was corrected since (a late payment, a refund), it is
worked out anew.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import exp
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, and_, case, exists, func, or_, select, update

from bandit import Policy
from config import Config
from learning import policies
from learning.rules import EXPIRED, REFUND, SALE, STATE_ID
from models import Arm, Decision, Integration, Outcome, PolicyState, db
from statements import changed_rows, insert_or_ignore

BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Open decisions beyond these are left out of the live state until they mature.
OPEN_AT_MOST: Final = 5000
LEAST_WEIGHT: Final = 0.01
# How long sales take, before any is known: half of them within a day, as if so many had been seen.
USUAL_DELAY: Final = timedelta(days=1.44)
USUAL_COUNT: Final = 20
DELAYS_AT_MOST: Final = 500
SIMULATOR: Final = "simulator"


@dataclass(frozen=True, slots=True)
class Absorbed:
    """What the settled state knows: the last decision, and how many decisions and outcomes were counted.

    A count that has changed since tells that something was corrected.
    """

    until: datetime = BEGINNING
    last_id: int = 0
    decisions: int = 0
    outcomes: int = 0

    def to_json(self) -> dict[str, Any]:
        """Give a dict ready for JSON."""
        return {
            "until": self.until.isoformat(),
            "last_id": self.last_id,
            "decisions": self.decisions,
            "outcomes": self.outcomes,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | None) -> "Absorbed":
        if stored is None:
            return cls()
        until = datetime.fromisoformat(stored["until"])
        return cls(until, stored["last_id"], stored["decisions"], stored["outcomes"])


@dataclass(frozen=True, slots=True)
class Settled:
    """A settled policy, and what it knows."""

    policy: Policy
    absorbed: Absorbed


def absorb(config: Config, *, now: datetime) -> int:
    """Expire what matured without a sale and learn from what is new. Gives how many expired. Flushes.

    While frozen nothing is learnt. Idempotent.
    """
    row = state_row(now=now)
    expired = _expire(Absorbed.from_json(row.absorbed).until, now)
    if not row.is_frozen:
        _refresh(row, _settle(row, config, now), config, now)
    return expired


def rebuild(config: Config, *, now: datetime) -> bool:
    """Work the state out of the whole log anew; False when another did so meanwhile. Flushes."""
    row = state_row(now=now)
    _expire(BEGINNING, now)
    return _refresh(row, settled_anew(config, row.forgets_until_id, now), config, now)


def settled_anew(config: Config, forgets_until_id: int, now: datetime) -> Settled:
    """Work the settled policy out of the log. Writes nothing."""
    policy = policies.restored(config.learning_policy, None)
    return _fed(policy, Absorbed(), forgets_until_id, now)


def state_row(*, now: datetime) -> PolicyState:
    """Give the policy's row, made when there is none. Flushes."""
    query = select(PolicyState).where(PolicyState.id == STATE_ID).execution_options(populate_existing=True)
    row = db.session.scalars(query).first()
    if row is None:
        values = {"id": STATE_ID, "version": 0, "policy": "", "forgets_until_id": 0, "updated_at": now}
        values |= {"is_frozen": False, "is_off": False}
        db.session.execute(insert_or_ignore(PolicyState).values(**values))
        row = db.session.scalars(query).one()
    return row


def is_counted() -> ColumnElement[bool]:
    """Tell which decisions say something of this shop: those of simulated customers only as long as no real
    number is there."""
    is_real = select(Integration.id).where(Integration.is_active, Integration.provider != SIMULATOR).exists()
    return or_(Decision.is_demo.is_(False), ~is_real)


def net_sales(decision_id: Any) -> Any:
    """Give the subquery that counts a decision's sales that were not refunded."""
    signed = case((Outcome.kind == SALE, 1), (Outcome.kind == REFUND, -1), else_=0)
    return (
        select(func.coalesce(func.sum(signed), 0)).where(Outcome.decision_id == decision_id).scalar_subquery()
    )


# --- settling -----------------------------------------------------------------------------------------------


def _expire(since: datetime, now: datetime) -> int:
    has_ended = exists().where(Outcome.decision_id == Decision.id, Outcome.kind.in_((SALE, EXPIRED)))
    rows = db.session.execute(
        select(Decision.id, Decision.closes_at).where(
            Decision.closes_at >= since, Decision.closes_at <= now, ~has_ended
        )
    ).all()
    values = [
        {"decision_id": row.id, "kind": EXPIRED, "order_id": 0, "value_minor": 0, "currency": "", "at": now}
        for row in rows
    ]
    if values:
        db.session.execute(insert_or_ignore(Outcome), values)
    return len(values)


def _settle(row: PolicyState, config: Config, now: datetime) -> Settled:
    """Add what is new to the settled state; start anew when what it knows is no longer so."""
    known = Absorbed.from_json(row.absorbed)
    is_ours = row.policy == config.learning_policy and row.settled is not None
    if not is_ours or _counted(known, row.forgets_until_id) != (known.decisions, known.outcomes):
        return settled_anew(config, row.forgets_until_id, now)
    policy = policies.restored(config.learning_policy, row.settled)
    return _fed(policy, known, row.forgets_until_id, now)


def _fed(policy: Policy, known: Absorbed, forgets_until_id: int, now: datetime) -> Settled:
    """Feed a policy what closed since, with the arms that came in between."""
    arrivals = deque(_later_versions(now))
    closed = db.session.execute(
        _trained(forgets_until_id)
        .where(Decision.closes_at <= now, _comes_after(known))
        .order_by(Decision.closes_at, Decision.id)
    ).all()
    for one in closed:
        while arrivals and arrivals[0].created_at < one.closes_at:
            _arrive(policy, arrivals.popleft())
        _learn(policy, one, 1.0)
    for arm in arrivals:
        _arrive(policy, arm)
    if closed:
        known = Absorbed(closed[-1].closes_at, closed[-1].id)
        known = Absorbed(known.until, known.last_id, *_counted(known, forgets_until_id))
    return Settled(policy, known)


def _trained(forgets_until_id: int) -> Select[Any]:
    """Select the decisions that teach: drawn by the policy, not the hold-out's, not a person's."""
    sales = net_sales(Decision.id)
    return select(
        Decision.id,
        Decision.strategy,
        Decision.version,
        Decision.context,
        Decision.created_at,
        Decision.closes_at,
        sales.label("sales"),
    ).where(_teaches(forgets_until_id))


def _teaches(forgets_until_id: int) -> ColumnElement[bool]:
    return and_(
        Decision.is_manual.is_(False),
        Decision.is_holdout.is_(False),
        Decision.id > forgets_until_id,
        is_counted(),
    )


def _comes_after(known: Absorbed) -> ColumnElement[bool]:
    return or_(
        Decision.closes_at > known.until,
        and_(Decision.closes_at == known.until, Decision.id > known.last_id),
    )


def _counted(known: Absorbed, forgets_until_id: int) -> tuple[int, int]:
    """Count the decisions up to a place, and their sales and refunds."""
    is_known = and_(_teaches(forgets_until_id), ~_comes_after(known))
    decisions = db.session.scalar(select(func.count(Decision.id)).where(is_known)) or 0
    outcomes = db.session.scalar(
        select(func.count(Outcome.id))
        .join(Decision, Decision.id == Outcome.decision_id)
        .where(is_known, Outcome.kind.in_((SALE, REFUND)))
    )
    return decisions, outcomes or 0


def _later_versions(now: datetime) -> Sequence[Arm]:
    return db.session.scalars(
        select(Arm).where(Arm.version > 1, Arm.created_at <= now).order_by(Arm.created_at, Arm.id)
    ).all()


def _arrive(policy: Policy, arm: Arm) -> None:
    policies.arrive(policy, arm.strategy, arm.version)


def _learn(policy: Policy, one: Row[Any], weight: float) -> None:
    key = policies.arm_key(one.strategy, one.version)
    if key in policy.arms:
        policy.update(key, float(one.sales > 0), one.context, weight=weight, decision_id=one.id)


# --- open decisions -----------------------------------------------------------------------------------------


def _refresh(row: PolicyState, settled: Settled, config: Config, now: datetime) -> bool:
    """Write the settled state and the live one, unless another did so since the row was read."""
    state = settled.policy.to_state()
    live = type(settled.policy).from_state(state)
    arrived = _ShareOfSales(now)
    for one in _open_decisions(row.forgets_until_id, now):
        weight = 1.0 if one.sales > 0 else arrived(now - one.created_at, one.closes_at - one.created_at)
        if weight >= LEAST_WEIGHT:
            _learn(live, one, weight)
    values = {
        "version": row.version + 1,
        "policy": config.learning_policy,
        "settled": state,
        "live": live.to_state(),
        "absorbed": settled.absorbed.to_json(),
        "updated_at": now,
    }
    mine = update(PolicyState).where(PolicyState.id == STATE_ID, PolicyState.version == row.version)
    is_mine = changed_rows(mine.values(**values)) == 1
    db.session.expire(row)
    return is_mine


def _open_decisions(forgets_until_id: int, now: datetime) -> Iterable[Row[Any]]:
    rows = db.session.execute(
        _trained(forgets_until_id)
        .where(Decision.closes_at > now, Decision.created_at <= now)
        .order_by(Decision.closes_at.desc(), Decision.id.desc())
        .limit(OPEN_AT_MOST)
    ).all()
    return reversed(rows)


class _ShareOfSales:
    """The share of all sales that has come by a decision's age.

    An open decision without a sale counts as so much of a decision; counting it whole would punish what was
    chosen lately, and not counting it would let early sales alone speak.
    """

    def __init__(self, now: datetime) -> None:
        rows = db.session.execute(
            select(Outcome.at, Decision.created_at)
            .join(Decision, Decision.id == Outcome.decision_id)
            .where(Outcome.kind == SALE, Decision.closes_at <= now)
            .order_by(Outcome.id.desc())
            .limit(DELAYS_AT_MOST)
        )
        self._delays = sorted(row.at - row.created_at for row in rows)

    def __call__(self, age: timedelta, window: timedelta) -> float:
        usual = (1.0 - exp(-(age / USUAL_DELAY))) / (1.0 - exp(-(window / USUAL_DELAY)))
        come = bisect_right(self._delays, age)
        return min(1.0, (USUAL_COUNT * usual + come) / (USUAL_COUNT + len(self._delays)))
