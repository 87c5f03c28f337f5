"""The policy as it stands: its row, its arms, and the propensities that it gives. Reads only.

A turn costs one indexed read: what was loaded is kept by each process until the row's stamp moves.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, select

from bandit import EpsilonGreedy, Estimate, Policy, ThompsonSampling, Uniform
from config import Config
from learning.rules import STATE_ID
from models import Arm, PolicyState, db
from vocabulary import STRATEGIES

# Nothing is ever taken back from a kept policy (a correction rebuilds it), so a short journal does.
JOURNAL_LIMIT: Final = 200
CLASSES: Final[Mapping[str, type[Policy]]] = {
    "epsilon_greedy": EpsilonGreedy,
    "literal": EpsilonGreedy,
    "thompson": ThompsonSampling,
    "uniform": Uniform,
}
MAKERS: Final[Mapping[str, Callable[[Sequence[str]], Policy]]] = {
    "epsilon_greedy": lambda arms: EpsilonGreedy(arms, journal_limit=JOURNAL_LIMIT, seed=0),
    "literal": lambda arms: EpsilonGreedy(arms, mode="literal", journal_limit=JOURNAL_LIMIT, seed=0),
    "thompson": lambda arms: ThompsonSampling(arms, journal_limit=JOURNAL_LIMIT, seed=0),
    "uniform": lambda arms: Uniform(arms, journal_limit=JOURNAL_LIMIT, seed=0),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """The newest version of a strategy, and what people decided about it."""

    strategy: str
    version: int = 1
    is_paused: bool = False
    is_pinned: bool = False
    reason: str = ""

    @property
    def key(self) -> str:
        return arm_key(self.strategy, self.version)


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
    state: Mapping[str, Any] | None = None
    _ready: dict[frozenset[str], Policy] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def tell(self, eligible: Sequence[Standing], context: Mapping[str, str]) -> Told:
        """Give the probability of each eligible arm; a pinned one has all of it."""
        pinned = next((arm for arm in eligible if arm.is_pinned), None)
        if pinned is not None:
            return Told({arm.strategy: float(arm is pinned) for arm in eligible}, None)
        with self._lock:
            policy = self._policy(eligible)
            given = policy.choose(context).propensities
            epsilon = policy.epsilon if isinstance(policy, EpsilonGreedy) else None
        return Told({arm.strategy: given[arm.key] for arm in eligible}, epsilon)

    def believe(self) -> dict[str, Estimate]:
        """Give what is believed of each strategy, whatever the context."""
        with self._lock:
            estimates = self._policy(self.arms).estimates()
        return {arm.strategy: estimates[arm.key] for arm in self.arms}

    def _policy(self, eligible: Sequence[Standing]) -> Policy:
        keys = frozenset(arm.key for arm in eligible)
        if keys not in self._ready:
            policy = restored(self.name, self.state)
            for arm in self.arms:
                arrive(policy, arm.strategy, arm.version)
            for key in policy.arms:
                if key not in keys:
                    policy.pause(key)
            self._ready[keys] = policy
        return self._ready[keys]


_known: WeakKeyDictionary[Engine, Kept] = WeakKeyDictionary()


def current(config: Config) -> Kept:
    """Give the policy as it stands; reads its row and arms only when they changed."""
    found = db.session.execute(
        select(PolicyState.version, PolicyState.updated_at).where(PolicyState.id == STATE_ID)
    ).first()
    stamp = None if found is None else tuple(found)
    kept = _known.get(db.engine)
    if kept is None or kept.stamp != stamp or kept.name != config.learning_policy:
        kept = _known[db.engine] = _load(config.learning_policy, stamp)
    return kept


def _load(name: str, stamp: tuple[Any, ...] | None) -> Kept:
    row = db.session.scalars(
        select(PolicyState).where(PolicyState.id == STATE_ID).execution_options(populate_existing=True)
    ).first()
    if row is None:
        return Kept(name, stamp, arms=standings())
    # A state of another kind of policy says nothing to this one; the next absorption makes its own.
    state = row.live if row.policy == name else None
    return Kept(name, stamp, row.version, row.is_off, row.is_frozen, row.updated_at, standings(), state=state)


def standings() -> tuple[Standing, ...]:
    """Give the newest version of each strategy; one that nobody touched has no row."""
    rows = db.session.scalars(
        select(Arm).order_by(Arm.version).execution_options(populate_existing=True)
    ).all()
    newest = {row.strategy: row for row in rows}
    return tuple(
        Standing(name, row.version, row.is_paused, row.is_pinned, row.reason)
        if (row := newest.get(name))
        else Standing(name)
        for name in STRATEGIES
    )


def arm_key(strategy: str, version: int) -> str:
    """Name an arm as policies know it."""
    return f"{strategy}.{version}"


def restored(name: str, state: Mapping[str, Any] | None) -> Policy:
    """Give the policy of this state, or one that knows nothing yet."""
    if state is not None:
        return CLASSES[name].from_state(state)
    return MAKERS[name]([arm_key(strategy, 1) for strategy in STRATEGIES])


def arrive(policy: Policy, strategy: str, version: int) -> None:
    """Add an arm that the policy does not know, warm-started from the version before."""
    key = arm_key(strategy, version)
    if key in policy.arms:
        return
    before = arm_key(strategy, version - 1)
    policy.add_arm(key, like=before if before in policy.arms else None)
