"""The policy as it stands: its row, its arms, and the propensities that it gives. Reads only.

A turn costs one indexed read: what was loaded is kept by each process until the row's stamp moves. A stored
state that cannot be used stops no reply: a policy that knows nothing answers until it was worked out anew.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import Any, Final, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

import structlog
from sqlalchemy import Engine, select

from bandit import EpsilonGreedy, Estimate, HalfLife, Policy, ThompsonSampling, Uniform
from config import Config
from learning.arms import Standing, standings
from learning.rules import STATE_ID
from learning.versions import arrive, offer_versions
from models import PolicyState, db
from vocabulary import STRATEGIES

# Nothing is ever taken back from a kept policy (a correction rebuilds it), so a short journal does.
JOURNAL_LIMIT: Final = 200
CLASSES: Final[Mapping[str, type[Policy]]] = {
    "epsilon_greedy": EpsilonGreedy,
    "literal": EpsilonGreedy,
    "thompson": ThompsonSampling,
    "uniform": Uniform,
}
MORE_OPTIONS: Final[Mapping[str, dict[str, Any]]] = {"literal": {"mode": "literal"}}
# What a stored state raises that another version wrote, or that somebody damaged.
UNUSABLE: Final = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
NEARLY_ONE: Final = 1e-6

log = structlog.get_logger()
T = TypeVar("T")


class Told(NamedTuple):
    """What a policy says of the eligible arms, by strategy."""

    propensities: dict[str, float]
    epsilon: float | None


@dataclass(frozen=True, slots=True)
class Kept:
    """The policy's row and arms, as a process keeps them."""

    name: str
    stamp: tuple[Any, ...] | None
    version: int = 0
    is_off: bool = False
    is_frozen: bool = False
    updated_at: datetime | None = None
    arms: tuple[Standing, ...] = ()
    offers: Mapping[str, int] = field(default_factory=dict)  # the version of each niche's prices
    state: Any = None  # as it was stored: maybe no state at all
    half_life: HalfLife = "adaptive"
    forgets_until_id: int = 0
    _ready: dict[frozenset[str], Policy] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def tell(self, eligible: Sequence[Standing], context: Mapping[str, str]) -> Told:
        """Give the probability of each eligible arm; a pinned one has all of it."""
        pinned = next((arm for arm in eligible if arm.is_pinned), None)
        if pinned is not None:
            return Told({arm.strategy: float(arm is pinned) for arm in eligible}, None)
        with self._lock:
            told = self._ask(eligible, lambda policy: _told(policy, context))
        return Told({arm.strategy: told.propensities[arm.strategy] for arm in eligible}, told.epsilon)

    def believe(self, context: Mapping[str, str]) -> dict[str, Estimate]:
        """Give what is believed of each strategy in a context, paused ones too, but none that is retired."""
        arms = [arm for arm in self.arms if not arm.is_retired]
        names = [arm.strategy for arm in arms]
        with self._lock:
            estimates = self._ask(arms, lambda policy: policy.estimates(context, among=names))
        return {name: estimates[name] for name in names}

    def _ask(self, eligible: Sequence[Standing], question: Callable[[Policy], T]) -> T:
        keys = frozenset(arm.strategy for arm in eligible)
        try:
            if keys not in self._ready:
                self._ready[keys] = self._policy(keys, self.state)
            return question(self._ready[keys])
        except UNUSABLE as error:
            log.warning("learning_state_unusable", error=type(error).__name__)
            self._ready[keys] = self._policy(keys, None)
            return question(self._ready[keys])

    def _policy(self, keys: frozenset[str], state: Any) -> Policy:
        policy = restored(self.name, state, self.half_life)
        for arm in self.arms:
            arrive(policy, arm.strategy, arm.base)
        for key in policy.arms:
            if key not in keys:
                policy.pause(key)
        return policy


def _told(policy: Policy, context: Mapping[str, str]) -> Told:
    given = policy.choose(context).propensities
    if not (all(map(isfinite, given.values())) and abs(sum(given.values()) - 1.0) < NEARLY_ONE):
        raise ValueError("propensities that are none")
    return Told(
        {str(key): share for key, share in given.items()},
        policy.epsilon if isinstance(policy, EpsilonGreedy) else None,
    )


_known: WeakKeyDictionary[Engine, Kept] = WeakKeyDictionary()


def current(config: Config) -> Kept:
    """Give the policy as it stands; reads its row and arms only when they changed."""
    found = db.session.execute(
        select(PolicyState.version, PolicyState.updated_at).where(PolicyState.id == STATE_ID)
    ).first()
    stamp = None if found is None else tuple(found)
    kept = _known.get(db.engine)
    if kept is None or kept.stamp != stamp or kept.name != config.learning_policy:
        kept = _known[db.engine] = _load(config, stamp)
    return kept


def _load(config: Config, stamp: tuple[Any, ...] | None) -> Kept:
    row = db.session.scalars(
        select(PolicyState).where(PolicyState.id == STATE_ID).execution_options(populate_existing=True)
    ).first()
    name, half_life = config.learning_policy, half_life_of(config)
    if row is None:
        return Kept(name, stamp, arms=standings(), offers=offer_versions(), half_life=half_life)
    return Kept(
        name,
        stamp,
        row.version,
        row.is_off,
        row.is_frozen,
        row.updated_at,
        standings(),
        offer_versions(),
        # A state of another kind of policy says nothing to this one; the next absorption makes its own.
        stored(lambda: row.live) if row.policy == name else None,
        half_life,
        row.forgets_until_id,
    )


def stored(read: Callable[[], Any]) -> Any:
    """Read a stored state; what is not even JSON is given as an empty one, which no policy takes for its
    own."""
    try:
        return read()
    except ValueError:
        return {}


def half_life_of(config: Config) -> HalfLife:
    """Give after how many days half of what was learnt is forgotten, as policies know it."""
    days = config.learning_half_life
    if days == "adaptive":
        return "adaptive"
    return None if days == "off" else float(days)


def restored(name: str, state: Any, half_life: HalfLife) -> Policy:
    """Give the policy of this state, or one that knows nothing yet. Raises ValueError for what is no state
    of its kind."""
    if state is not None:
        return CLASSES[name].from_state(state)
    more: dict[str, Any] = {"half_life": half_life, "journal_limit": JOURNAL_LIMIT, "seed": 0}
    return CLASSES[name](STRATEGIES, **more, **MORE_OPTIONS.get(name, {}))
