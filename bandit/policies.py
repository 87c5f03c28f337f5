"""The three policies behind one small interface. Pure: no clock, no database, randomness from a seed.

A policy is told of closed decisions by `update`, in whatever order they close, and asked by `choose`, which
moves nothing but the random state and the number of choices made.
"""

import math
import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, Self

from bandit.beliefs import Arm, Beliefs, Context, Key, View
from bandit.chances import best_chances
from bandit.effects import logistic
from bandit.journal import Arrival, Closed, Journal, Renewal

STATE_VERSION: Final = 2
MAX_WEIGHT: Final = 10_000.0  # of one decision: more of them than any desk closes between two fits
JOURNAL_LIMIT: Final = 5000
Z_95: Final = 1.96
HOPELESS: Final = 0.02  # a chance of being best below which an arm is explored less

Mode = Literal["rounds", "literal"]
HalfLife = float | Literal["adaptive"] | None


class NoEligibleArm(LookupError):
    """Every arm is paused."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen, with the probability of every eligible arm at that moment.

    `explored`: the arm was not taken for being the best known, but to learn.
    """

    arm: Arm
    propensities: dict[Arm, float]
    explored: bool


@dataclass(frozen=True, slots=True)
class Estimate:
    """An arm in a context: expected reward, where it lies with 95 %, and the chance of being best."""

    rate: float
    low: float
    high: float
    best_chance: float


class Policy(ABC):
    """What the policies share: arms, beliefs, the journal, the random state.

    `half_life` counts closed decisions (or whatever `update` calls `elapsed`, days for instance): None never
    forgets, "adaptive" forgets when the world moves.
    `prior_rate` is the reward to expect before anything is known. `journal_limit` is how many closed
    decisions are remembered one by one: a repeat or a reversal of an older one cannot be recognised here, so
    whoever keeps the log refuses it.
    """

    kind: ClassVar[str]

    def __init__(
        self,
        arms: Iterable[Arm],
        *,
        half_life: HalfLife = "adaptive",
        prior_rate: float = 0.05,
        journal_limit: int = JOURNAL_LIMIT,
        seed: int | None = None,
    ) -> None:
        self._arms: list[Arm] = list(arms)
        if not self._arms or len(set(self._arms)) != len(self._arms):
            raise ValueError("arms must be a list of different names")
        if isinstance(half_life, str) and half_life != "adaptive":
            raise ValueError(f"unknown half-life: {half_life!r}")
        if not isinstance(half_life, str) and half_life is not None and not half_life > 0.0:
            raise ValueError("a half-life must be positive")
        if not 0.0 < prior_rate < 1.0:
            raise ValueError("the prior rate must lie between 0 and 1")
        self._options: dict[str, Any] = {
            "half_life": half_life,
            "prior_rate": prior_rate,
            "journal_limit": journal_limit,
        }
        self._paused: set[Arm] = set()
        self._removed: set[Arm] = set()
        self._pinned: Arm | None = None
        self._random = random.Random(seed)
        self._chosen = 0
        self._journal = Journal(
            Beliefs(len(self._arms), half_life, prior_rate), journal_limit, self._restored
        )
        self._cache: dict[Key, Any] = {}
        self._cached_version = -1

    # --- Arms ---

    @property
    def arms(self) -> tuple[Arm, ...]:
        """Every arm, paused ones too, in the order in which they came."""
        return tuple(arm for arm in self._arms if arm not in self._removed)

    @property
    def eligible(self) -> tuple[Arm, ...]:
        """The arms that may be chosen."""
        return tuple(arm for arm in self._arms if arm not in self._paused)

    @property
    def pinned(self) -> Arm | None:
        """The arm that is always taken, if any."""
        return self._pinned

    @property
    def closed(self) -> int:
        """How many decisions have been closed."""
        return self._beliefs.closed

    @property
    def changed_at(self) -> int:
        """How many had been closed when the world was last seen to move; 0: never."""
        return self._beliefs.changed_at

    def add_arm(self, arm: Arm, *, like: Arm | None = None, strength: float = 0.3) -> None:
        """Add an arm; `like` another, it starts with that share of the other's counts (a new version)."""
        if arm in self._arms:
            raise ValueError(f"there is an arm {arm!r} already")
        if not 0.0 <= strength <= 1.0:
            raise ValueError("a share lies between 0 and 1")
        model = None if like is None else self._index(like)
        self._arms.append(arm)
        self._journal.append(Arrival(model, strength))
        self._cache.clear()

    def renew(
        self, arm: Arm | None = None, *, where: tuple[str, str] | None = None, strength: float = 0.3
    ) -> None:
        """Keep only a share of what an arm has taught: what it says is new, and starts warm from the old.

        Without an arm that of all; `where`: only with customers whose context has this name and value.
        """
        if not 0.0 <= strength <= 1.0:
            raise ValueError("a share lies between 0 and 1")
        self._journal.append(Renewal(None if arm is None else self._index(arm), where, strength))
        self._cache.clear()

    def remove_arm(self, arm: Arm) -> None:
        """Never choose nor show this arm again; what it taught about customers stays. The last one stays.

        Its name may not come back: the journal still tells of it.
        """
        index = self._index(arm)
        if len(self.arms) == 1:
            raise ValueError(f"arm {arm!r} is the last one")
        self.pause(arm)
        self._removed.add(self._arms[index])

    def pause(self, arm: Arm) -> None:
        """Never choose this arm, until `resume`; a pinned one is unpinned."""
        self._index(arm)
        self._paused.add(arm)
        if self._pinned == arm:
            self._pinned = None
        self._cache.clear()

    def resume(self, arm: Arm) -> None:
        """Let a paused arm be chosen again."""
        if arm in self._removed:
            raise ValueError(f"arm {arm!r} was removed")
        self._index(arm)
        self._paused.discard(arm)
        self._cache.clear()

    def pin(self, arm: Arm) -> None:
        """Always choose this arm, until `unpin`; a paused one cannot be pinned."""
        self._index(arm)
        if arm in self._paused:
            raise ValueError(f"arm {arm!r} is paused")
        self._pinned = arm

    def unpin(self) -> None:
        """Choose freely again."""
        self._pinned = None

    # --- Choosing ---

    def choose(self, context: Context | None = None) -> Choice:
        """Choose an arm; raises NoEligibleArm when all are paused."""
        eligible = self.eligible
        if not eligible:
            raise NoEligibleArm("every arm is paused")
        self._chosen += 1
        if self._pinned is not None:
            return Choice(self._pinned, {arm: float(arm == self._pinned) for arm in eligible}, explored=False)
        return self._choose(self._key(context))

    @abstractmethod
    def _choose(self, key: Key) -> Choice: ...

    def estimates(
        self, context: Context | None = None, *, among: Iterable[Arm] | None = None
    ) -> dict[Arm, Estimate]:
        """Give what is believed of every arm in this context, paused ones too; `among`: only of these, and
        the chance to be best is among them."""
        wanted = self.arms if among is None else tuple(among)
        indexes = [self._index(arm) for arm in wanted]
        known = self._beliefs.views(self._key(context))
        views = [known[index] for index in indexes]
        chances = best_chances([(view.mean, view.deviation) for view in views])
        return {
            arm: Estimate(
                logistic(view.mean),
                logistic(view.mean - Z_95 * view.deviation),
                logistic(view.mean + Z_95 * view.deviation),
                chance,
            )
            for arm, view, chance in zip(wanted, views, chances, strict=True)
        }

    def _remembered(self, key: Key) -> Any:
        """Give what was computed for this context since beliefs last moved."""
        version = self._beliefs.version
        if version != self._cached_version:
            self._cache.clear()
            self._cached_version = version
        return self._cache.get(key)

    # --- Learning ---

    def update(
        self,
        arm: Arm,
        reward: float,
        context: Context | None = None,
        *,
        weight: float = 1.0,
        decision_id: str | int | None = None,
        elapsed: float = 1.0,
    ) -> bool:
        """Learn from a closed decision; False when this id has been counted already.

        `reward` in [0, 1]; 0 < `weight` <= MAX_WEIGHT counts it as so many decisions; `elapsed`: how much of
        a fixed half-life's unit has passed since the one before, which is one decision unless told.
        """
        index = self._index(arm)
        if not (math.isfinite(reward) and 0.0 <= reward <= 1.0):
            raise ValueError(f"a reward lies between 0 and 1, not {reward!r}")
        if not 0.0 < weight <= MAX_WEIGHT:
            raise ValueError(f"a weight lies between 0 and {MAX_WEIGHT:.0f}, not {weight!r}")
        if not (math.isfinite(elapsed) and elapsed >= 0.0):
            raise ValueError(f"what has passed is finite and not negative, not {elapsed!r}")
        name = None if decision_id is None else str(decision_id)
        if name is not None and name in self._journal:
            return False
        self._journal.append(
            Closed(
                name, index, self._key(context), float(reward), float(weight), self._chosen, float(elapsed)
            )
        )
        return True

    def revert(self, decision_id: str | int) -> bool:
        """Become as if this decision had never been closed; False when it is not remembered.

        Feeds up to `journal_limit` later decisions again (a fraction of a second). The id may be closed anew.
        """
        reverted = self._journal.remove(str(decision_id))
        if reverted:
            self._cache.clear()
        return reverted

    # --- State ---

    def to_state(self) -> dict[str, Any]:
        """Give everything, the random state too, ready for JSON."""
        version, words, gauss = self._random.getstate()
        return {
            "version": STATE_VERSION,
            "kind": self.kind,
            "options": dict(self._options),
            "arms": list(self._arms),
            "paused": [arm for arm in self._arms if arm in self._paused],
            "removed": [arm for arm in self._arms if arm in self._removed],
            "pinned": self._pinned,
            "chosen": self._chosen,
            "random": [version, list(words), gauss],
            **self._journal.to_state(),
        }

    @classmethod
    def from_state(cls, state: Any) -> Self:
        """Rebuild the policy that gave this state; it continues exactly as that one would.

        Raises ValueError for whatever is no state of this kind and version.
        """
        if not isinstance(state, Mapping) or (state.get("version"), state.get("kind")) != (
            STATE_VERSION,
            cls.kind,
        ):
            raise ValueError(f"not a state of {cls.__name__}")
        try:
            return cls._from_state(state)
        except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
            raise ValueError(f"a damaged state of {cls.__name__}: {error!r}") from error

    @classmethod
    def _from_state(cls, state: Mapping[str, Any]) -> Self:
        policy = cls(state["arms"], **state["options"])
        policy._paused, policy._removed = set(state["paused"]), set(state["removed"])
        policy._pinned = state["pinned"]
        named = policy._paused | policy._removed | ({policy._pinned} - {None})
        if not named <= set(policy._arms) or policy._pinned in policy._paused:
            raise ValueError("arms that are none")
        policy._chosen = int(state["chosen"])
        version, words, gauss = state["random"]
        policy._random.setstate((version, tuple(words), gauss))
        policy._journal.restore(state)
        if len(policy._beliefs.plays) != len(policy._arms):
            raise ValueError("beliefs of other arms")
        policy.estimates()
        return policy

    def _restored(self, state: Mapping[str, Any]) -> Beliefs:
        return Beliefs.from_state(state, self._options["half_life"], self._options["prior_rate"])

    @property
    def _beliefs(self) -> Beliefs:
        return self._journal.beliefs

    def _index(self, arm: Arm) -> int:
        try:
            return self._arms.index(arm)
        except ValueError:
            raise ValueError(f"unknown arm: {arm!r}") from None

    def _key(self, context: Context | None) -> Key:
        return tuple(sorted((str(name), str(value)) for name, value in context.items())) if context else ()

    def _drawn(self, propensities: Mapping[Arm, float]) -> Arm:
        """Draw an arm by its probability; never one of probability zero."""
        point = self._random.random() * sum(propensities.values())
        for arm, probability in propensities.items():
            point -= probability
            if point < 0.0:
                return arm
        return max(propensities, key=propensities.__getitem__)


class Uniform(Policy):
    """Every eligible arm alike; it still keeps beliefs, for whoever wants to see them."""

    kind = "uniform"

    def _choose(self, key: Key) -> Choice:
        eligible = self.eligible
        propensities = dict.fromkeys(eligible, 1.0 / len(eligible))
        return Choice(self._drawn(propensities), propensities, explored=True)


class EpsilonGreedy(Policy):
    """The best known arm, or with probability epsilon any eligible one.

    `mode="rounds"`: epsilon decays per `round_size` closed decisions down to `floor`, and starts anew when
    the world is seen to move; until each arm has `min_plays` closed decisions, epsilon stays and exploration
    goes to those that lack them; later half of it goes to any arm and half to those that may yet be the best.
    Best known is the highest mean plus `optimism` deviations, so that bad luck at the start is not for ever.
    `mode="literal"`: epsilon decays at each closed decision, with no floor, minimum, optimism or new start,
    and any arm is explored alike; after about 60 conversations it explores hardly any more.
    """

    kind = "epsilon_greedy"

    def __init__(
        self,
        arms: Iterable[Arm],
        epsilon: float = 0.2,
        decay: float = 0.95,
        mode: Mode = "rounds",
        *,
        round_size: int = 40,
        floor: float = 0.05,
        min_plays: int = 10,
        optimism: float = 1.5,
        half_life: HalfLife = "adaptive",
        prior_rate: float = 0.05,
        journal_limit: int = JOURNAL_LIMIT,
        seed: int | None = None,
    ) -> None:
        super().__init__(
            arms, half_life=half_life, prior_rate=prior_rate, journal_limit=journal_limit, seed=seed
        )
        if mode not in ("rounds", "literal"):
            raise ValueError(f"unknown mode: {mode!r}")
        if not 0.0 <= epsilon <= 1.0 or not 0.0 <= floor <= 1.0 or not 0.0 < decay <= 1.0:
            raise ValueError("epsilon, decay and floor are probabilities")
        if round_size < 1 or min_plays < 0 or not optimism >= 0.0:
            raise ValueError("a round has at least one decision; minimum and optimism are not negative")
        self._start, self._decay, self._mode = epsilon, decay, mode
        self._round_size, self._floor, self._min_plays = round_size, floor, min_plays
        self._optimism = optimism if mode == "rounds" else 0.0
        self._options.update(
            epsilon=epsilon,
            decay=decay,
            mode=mode,
            round_size=round_size,
            floor=floor,
            min_plays=min_plays,
            optimism=optimism,
        )

    @property
    def epsilon(self) -> float:
        """The probability of exploring now."""
        if self._mode == "literal":
            return float(self._start * self._decay**self.closed)
        if self._lacking():
            return self._start
        rounds = (self.closed - self.changed_at) // self._round_size
        return float(max(min(self._floor, self._start), self._start * self._decay**rounds))

    def _lacking(self) -> list[Arm]:
        """Give the eligible arms that have had fewer plays than the minimum."""
        if self._mode == "literal":
            return []
        plays = self._beliefs.plays
        return [
            arm
            for arm, played in zip(self._arms, plays, strict=True)
            if played < self._min_plays and arm not in self._paused
        ]

    def _choose(self, key: Key) -> Choice:
        eligible, epsilon = self.eligible, self.epsilon
        lacking = self._lacking()
        greedy, shares = self._known(key)
        if lacking:
            shares = dict.fromkeys(lacking, 1.0 / len(lacking))
        propensities = {arm: epsilon * shares.get(arm, 0.0) for arm in eligible}
        for arm in greedy:
            propensities[arm] += (1.0 - epsilon) / len(greedy)
        explored = self._random.random() < epsilon
        arm = self._drawn(shares) if explored else self._random.choice(greedy)
        return Choice(arm, propensities, explored)

    def _known(self, key: Key) -> tuple[list[Arm], dict[Arm, float]]:
        """Give the best known arms, several when nothing tells them apart, and how exploration is shared."""
        known: tuple[list[Arm], dict[Arm, float]] | None = self._remembered(key)
        if known is None:
            views = self._beliefs.views(key)
            seen = {a: v for a, v in zip(self._arms, views, strict=True) if a not in self._paused}
            worths = {arm: view.mean + self._optimism * view.curiosity for arm, view in seen.items()}
            top = max(worths.values())
            greedy = [arm for arm, worth in worths.items() if worth == top]
            known = self._cache[key] = (greedy, self._shares(seen))
        return known

    def _shares(self, seen: Mapping[Arm, View]) -> dict[Arm, float]:
        """Share exploration: half among all arms, half among those that may yet be the best."""
        if self._mode == "literal":
            return dict.fromkeys(seen, 1.0 / len(seen))
        chances = best_chances([(view.mean, view.deviation) for view in seen.values()])
        hopeful = [arm for arm, chance in zip(seen, chances, strict=True) if chance >= HOPELESS] or list(seen)
        shares = dict.fromkeys(seen, 0.5 / len(seen))
        for arm in hopeful:
            shares[arm] += 0.5 / len(hopeful)
        return shares


class ThompsonSampling(Policy):
    """Each arm by its chance of being the best.

    `boldness` is the share of a belief's deviation that counts, where contexts matter still less: 1 is
    nearly Thompson's own rule, which explores as if there were no end; less gives up sooner on arms that look
    worse.
    """

    kind = "thompson"

    def __init__(
        self,
        arms: Iterable[Arm],
        *,
        boldness: float = 0.7,
        half_life: HalfLife = "adaptive",
        prior_rate: float = 0.05,
        journal_limit: int = JOURNAL_LIMIT,
        seed: int | None = None,
    ) -> None:
        super().__init__(
            arms, half_life=half_life, prior_rate=prior_rate, journal_limit=journal_limit, seed=seed
        )
        if not boldness > 0.0:
            raise ValueError("boldness must be positive")
        self._boldness = boldness
        self._options["boldness"] = boldness

    def _choose(self, key: Key) -> Choice:
        propensities = self._remembered(key)
        if propensities is None:
            views = self._beliefs.views(key)
            open_arms = {a: v for a, v in zip(self._arms, views, strict=True) if a not in self._paused}
            chances = best_chances([(v.mean, v.curiosity * self._boldness) for v in open_arms.values()])
            propensities = self._cache[key] = dict(zip(open_arms, chances, strict=True))
        arm = self._drawn(propensities)
        likeliest = max(propensities, key=propensities.__getitem__)
        return Choice(arm, dict(propensities), explored=arm != likeliest)
