"""What the log teaches: matured decisions settle the policy's state, open ones count by their age.

The settled state is a function of the log alone: closed decisions in the order in which their windows ended.
New ones are added to it; when anything that it knows was corrected since (a late payment, a refund), it is
worked out anew.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import exp
from typing import Any, Final

from babel.numbers import get_currency_precision
from sqlalchemy import ColumnElement, Row, Select, and_, case, exists, func, or_, select, update
from sqlalchemy.orm import aliased

import alerts
from bandit import Policy
from config import Config
from learning import policies, versions
from learning.rules import EXPIRED, REFUND, SALE, STATE_ID, TAKEN_OVER, SteeringRefused
from learning.state import find_row, state_row
from models import Decision, Integration, LearningChange, Message, Outcome, PolicyState, db
from statements import changed_rows, insert_or_ignore

BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Open decisions beyond these are left out of the live state until they mature.
OPEN_AT_MOST: Final = 5000
LEAST_WEIGHT: Final = 0.01
# How long sales take, before any is known: half of them within a day, as if so many had been seen.
USUAL_DELAY: Final = timedelta(days=1.44)
USUAL_COUNT: Final = 20
DELAYS_AT_MOST: Final = 500
DAY: Final = timedelta(days=1)
SIMULATOR: Final = "simulator"
VALUE: Final = "value"
LAYOUT: Final = 2  # of the state: an older one is worked out anew
PEOPLE: Final = ("operator", "owner")
UNREADABLE: Final = "learning_unreadable"


@dataclass(frozen=True, slots=True)
class Absorbed:
    """What the settled state knows: the last decision, and how many decisions, outcomes and `versions` of
    strategies and prices were counted.

    A count that has changed since tells that something was corrected or is new; another `recipe`, that
    another kind of reward or forgetting was wished for.
    """

    until: datetime = BEGINNING
    last_id: int = 0
    decisions: int = 0
    outcomes: int = 0
    versions: int = 0
    recipe: str = ""

    def to_json(self) -> dict[str, Any]:
        """Give a dict ready for JSON."""
        return {
            "until": self.until.isoformat(),
            "last_id": self.last_id,
            "decisions": self.decisions,
            "outcomes": self.outcomes,
            "versions": self.versions,
            "recipe": self.recipe,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | None) -> "Absorbed":
        """Rebuild what `to_json` gave. Raises one of `policies.UNUSABLE` for anything else."""
        if stored is None:
            return cls()
        until = datetime.fromisoformat(stored["until"])
        last_id, decisions, outcomes = (int(stored[name]) for name in ("last_id", "decisions", "outcomes"))
        versions_known = int(stored.get("versions", 0))
        return cls(until, last_id, decisions, outcomes, versions_known, str(stored.get("recipe", "")))


@dataclass(frozen=True, slots=True)
class Settled:
    """A settled policy, and what it knows."""

    policy: Policy
    absorbed: Absorbed


@dataclass(frozen=True, slots=True)
class Worked:
    """A state that was worked out and not kept yet; `version`: of the row that it follows from."""

    version: int
    values: Mapping[str, Any]
    was_unreadable: bool = False


def expire(config: Config, *, now: datetime) -> int:
    """Expire what matured without a sale, and note what people took over. Gives how many expired. Flushes.
    Idempotent."""
    known = _readable(state_row(now=now), config)
    since = BEGINNING if known is None else known.until
    expired = _expire(since, now)
    note_taken_over(since, now)
    return expired


def work_out(config: Config, *, now: datetime) -> Worked | None:
    """Learn from what is new; `keep` it then. Reads only, which takes seconds for a long log: under no lock.

    None while frozen, when nothing is learnt, and before `expire` was ever called. What was stored and cannot
    be used is worked out anew, also while frozen: then as of the freezing.
    """
    row = find_row()
    if row is None:
        return None
    known, then = _readable(row, config), _as_of(row, now)
    if known is None:
        anew = settled_anew(config, row.forgets_until_id, then)
        return replace(_worked(row, anew, config, then), was_unreadable=True)
    if not row.is_frozen:
        return _worked(row, _settle(row, known, config, now), config, now)
    if row.settled is None or not known.recipe.startswith(f"{LAYOUT} "):
        return _worked(row, settled_anew(config, row.forgets_until_id, then), config, then)
    return None


def keep(worked: Worked | None, *, now: datetime) -> bool:
    """Keep what was worked out, unless the state was moved since. Flushes."""
    if worked is None:
        return False
    if worked.was_unreadable:
        text = "What the selling had learnt could not be read. It was worked out anew from the log."
        alerts.raise_alert(UNREADABLE, UNREADABLE, text, now=now)
    mine = update(PolicyState).where(PolicyState.id == STATE_ID, PolicyState.version == worked.version)
    is_mine = changed_rows(mine.values(**worked.values)) == 1
    db.session.expire_all()
    return is_mine


def rebuild(config: Config, *, now: datetime) -> bool:
    """Work the state out of the whole log anew; False when another did so meanwhile. Flushes.

    Raises SteeringRefused: is_frozen.
    """
    row = state_row(now=now)
    if row.is_frozen:
        raise SteeringRefused("is_frozen")
    _expire(BEGINNING, now)
    note_taken_over(BEGINNING, now)
    return keep(_worked(row, settled_anew(config, row.forgets_until_id, now), config, now), now=now)


def settled_anew(config: Config, forgets_until_id: int, now: datetime) -> Settled:
    """Work the settled policy out of the log. Writes nothing."""
    policy = policies.restored(config.learning_policy, None, policies.half_life_of(config))
    arrivals = deque(versions.arrivals(now))
    known = Absorbed(versions=len(arrivals), recipe=recipe(config))
    return _fed(policy, known, arrivals, config, forgets_until_id, now)


def recipe(config: Config) -> str:
    """Name what else than the log the state follows from."""
    reward = config.learning_reward
    cap = f" {config.learning_value_cap}" if reward == VALUE else ""
    return f"{LAYOUT} {config.learning_policy} {config.learning_half_life} {reward}{cap}"


def is_counted() -> ColumnElement[bool]:
    """Tell which decisions say something of this shop: those of simulated customers only as long as no real
    number is there."""
    is_real = select(Integration.id).where(Integration.is_active, Integration.provider != SIMULATOR).exists()
    return or_(Decision.is_demo.is_(False), ~is_real)


def is_taken_over(decision_id: Any) -> ColumnElement[bool]:
    """Tell which decisions a person's words came between, before anything was sold."""
    took, sold = aliased(Outcome), aliased(Outcome)
    return and_(
        exists().where(took.decision_id == decision_id, took.kind == TAKEN_OVER).correlate_except(took),
        ~exists().where(sold.decision_id == decision_id, sold.kind == SALE).correlate_except(sold),
    )


def is_drawn() -> ColumnElement[bool]:
    """Tell which decisions say something of what was drawn: no person chose, and none took over."""
    return and_(Decision.is_manual.is_(False), ~is_taken_over(Decision.id))


def net_sales(decision_id: Any) -> Any:
    """Give the subquery that counts a decision's sales that were not refunded."""
    signed = case((Outcome.kind == SALE, 1), (Outcome.kind == REFUND, -1), else_=0)
    return (
        select(func.coalesce(func.sum(signed), 0)).where(Outcome.decision_id == decision_id).scalar_subquery()
    )


def net_value(decision_id: Any) -> Any:
    """Give the subquery that adds up what a decision's sales brought, less refunds, in minor units."""
    signed = case((Outcome.kind == SALE, Outcome.value_minor), (Outcome.kind == REFUND, -Outcome.value_minor))
    return (
        select(func.coalesce(func.sum(signed), 0)).where(Outcome.decision_id == decision_id).scalar_subquery()
    )


def _currency(decision_id: Any) -> Any:
    """Give the subquery that names the currency of a decision's sales."""
    sold = (Outcome.decision_id == decision_id, Outcome.kind == SALE)
    return select(func.coalesce(func.max(Outcome.currency), "")).where(*sold).scalar_subquery()


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


def note_taken_over(since: datetime, now: datetime) -> None:
    """Note the episodes in which a person of the shop wrote before anything was sold: what came of them is
    that person's. Flushes. Idempotent."""
    has_ended = exists().where(Outcome.decision_id == Decision.id, Outcome.kind.in_((SALE, TAKEN_OVER)))
    wrote = exists().where(
        Message.conversation_id == Decision.conversation_id,
        Message.sender.in_(PEOPLE),
        Message.created_at > Decision.created_at,
        Message.created_at < Decision.closes_at,
        Message.created_at <= now,
    )
    ids = db.session.scalars(
        select(Decision.id).where(
            Decision.closes_at >= since,
            Decision.created_at <= now,
            Decision.is_manual.is_(False),
            ~has_ended,
            wrote,
        )
    ).all()
    if ids:
        values = {"kind": TAKEN_OVER, "order_id": 0, "value_minor": 0, "currency": "", "at": now}
        db.session.execute(insert_or_ignore(Outcome), [values | {"decision_id": one} for one in ids])


def _readable(row: PolicyState, config: Config) -> Absorbed | None:
    """Give what the stored state knows; None when it, or the state itself, cannot be used."""
    try:
        known = Absorbed.from_json(row.absorbed)
        for state in (row.settled, row.live):
            # Of another recipe, an older version's too, it is worked out anew in any case.
            if state is not None and known.recipe == recipe(config):
                policies.restored(row.policy, state, None)
    except policies.UNUSABLE:
        return None
    return known


def _as_of(row: PolicyState, now: datetime) -> datetime:
    """Give the moment that the state stands for: now, or when it was frozen."""
    if not row.is_frozen:
        return now
    frozen = select(func.max(LearningChange.at)).where(LearningChange.action == "freeze")
    return min(now, db.session.scalar(frozen) or now)


def _settle(row: PolicyState, known: Absorbed, config: Config, now: datetime) -> Settled:
    """Add what is new to the settled state; start anew when what it knows is no longer so."""
    is_ours = known.recipe == recipe(config) and row.settled is not None
    is_ours = is_ours and known.versions == len(versions.arrivals(now))
    if not is_ours or _counted(known, row.forgets_until_id) != (known.decisions, known.outcomes):
        return settled_anew(config, row.forgets_until_id, now)
    policy = policies.restored(config.learning_policy, row.settled, None)
    return _fed(policy, known, deque(), config, row.forgets_until_id, now)


def _fed(
    policy: Policy,
    known: Absorbed,
    arrivals: deque[versions.Arrival],
    config: Config,
    forgets_until_id: int,
    now: datetime,
) -> Settled:
    """Feed a policy what closed since, and between it the `arrivals` that it does not know yet."""
    current = versions.Current(() if arrivals else versions.arrivals(now))
    closed = db.session.execute(
        _trained(forgets_until_id)
        .where(Decision.closes_at <= now, _comes_after(known))
        .order_by(Decision.closes_at, Decision.id)
    ).all()
    before = known.until
    for one in closed:
        while arrivals and arrivals[0].at < one.closes_at:
            current.note(arrivals[0])
            arrivals.popleft().feed(policy)
        days = (one.closes_at - before) / DAY if before > BEGINNING else 0.0
        _learn(policy, one, _weight(one, current), config, days)
        before = one.closes_at
    for arrival in arrivals:
        arrival.feed(policy)
    if closed:
        known = replace(known, until=closed[-1].closes_at, last_id=closed[-1].id)
        decisions, outcomes = _counted(known, forgets_until_id)
        known = replace(known, decisions=decisions, outcomes=outcomes)
    return Settled(policy, known)


def _trained(forgets_until_id: int) -> Select[Any]:
    """Select the decisions that teach: drawn by the policy, not the hold-out's, not a person's."""
    return select(
        Decision.id,
        Decision.strategy,
        Decision.version,
        Decision.offer_version,
        Decision.context,
        Decision.created_at,
        Decision.closes_at,
        net_sales(Decision.id).label("sales"),
        net_value(Decision.id).label("value"),
        _currency(Decision.id).label("currency"),
    ).where(_teaches(forgets_until_id))


def _teaches(forgets_until_id: int) -> ColumnElement[bool]:
    return and_(
        is_drawn(),
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


def _weight(one: Row[Any], current: versions.Current) -> float:
    niche = str((one.context or {}).get(versions.NICHE, ""))
    return current.weight(one.strategy, one.version, niche, one.offer_version)


def _learn(policy: Policy, one: Row[Any], weight: float, config: Config, days: float) -> None:
    """Tell a policy of a decision, `days` after the one before; only a half-life in days looks at them."""
    if one.strategy not in policy.arms or weight < LEAST_WEIGHT:
        return
    reward = float(one.sales > 0)
    if reward and config.learning_reward == VALUE:
        cap = config.learning_value_cap * 10 ** get_currency_precision(one.currency)
        reward = min(1.0, max(0.0, one.value / cap))
    policy.update(one.strategy, reward, one.context, weight=weight, decision_id=one.id, elapsed=days)


# --- open decisions -----------------------------------------------------------------------------------------


def _worked(row: PolicyState, settled: Settled, config: Config, now: datetime) -> Worked:
    """Work out the live state beside the settled one."""
    state = settled.policy.to_state()
    live = type(settled.policy).from_state(state)
    arrived = _ShareOfSales(now)
    current = versions.Current(versions.arrivals(now))
    for one in _open_decisions(row.forgets_until_id, now):
        weight = 1.0 if one.sales > 0 else arrived(now - one.created_at, one.closes_at - one.created_at)
        _learn(live, one, weight * _weight(one, current), config, 0.0)
    values = {
        "version": row.version + 1,
        "policy": config.learning_policy,
        "settled": state,
        "live": live.to_state(),
        "absorbed": settled.absorbed.to_json(),
        "updated_at": now,
    }
    return Worked(row.version, values)


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
