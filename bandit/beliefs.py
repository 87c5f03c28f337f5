"""What is known about every arm in every context, from counts, forgotten when the world moves. Pure.

`policies` feeds it closed decisions in their order and asks for views; it draws nothing at random. Everything
follows from the updates alone, so that feeding the same ones gives the same beliefs to the last bit.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Self

from bandit.effects import Effects, Row, Spread, logistic, logit

Arm = str | int
Context = Mapping[str, str]
Pair = tuple[str, str]  # of a context: a name and its value
Key = tuple[Pair, ...]

# Priors: what all arms share in a context (rates between 1 and 20 % are likely), and how an arm may differ.
SHARED: Final = Spread(level=1.5, feature=0.7, residual=0.2)
OWN: Final = Spread(level=0.5, feature=0.35, residual=0.45)
REFIT_SHARE: Final = 0.04  # a fit is stale when this share of its plays is newer
GRAIN_LIMIT: Final = 1e9
NOTHING: Final = 1e-12  # faded so far, a decision says nothing
LEAST_KEPT: Final = 1e-30  # of old counts, however long nothing was heard: as good as nothing
# What is learned for some customers only pays back slowly, for a single context slowest: how much of the
# deviation of a context's features, and of the variance of its residual, is worth exploring.
FEATURES_SHARE: Final = 0.75
RESIDUAL_SHARE: Final = 0.2

FEATURES_AT_MOST: Final = 60  # values of contexts that are told apart; later ones share one per name
OTHER: Final = "\N{HORIZONTAL ELLIPSIS}"  # what is no value of anybody's

HALF_LIFE: Final = 250.0  # of what survives a change, in closed decisions, with a single context
# Sales come before silence is counted as none, so whatever is young looks too good: no change is seen in
# less time than so many times the decisions that are still open.
OPEN_SHARE: Final = 8.0
SETTLING: Final = 200  # closed decisions before a change can be called, and twice the open ones
ALARM: Final = 2.3  # nats of evidence; about one false alarm in 10,000 decisions
DOUBT: Final = 4.0  # expected sales by which an arm's recent luck is shrunk


class View(NamedTuple):
    """A belief about an arm in a context: mean and deviation of its logit, and what is worth exploring."""

    mean: float
    deviation: float
    curiosity: float


class Place(NamedTuple):
    """A context as the model sees it; -1 stands for a context or a feature that no update has named."""

    cell: int
    features: tuple[int, ...]


class Beliefs:
    """Beliefs about arms in contexts; `half_life` None never forgets, "adaptive" when the world moves."""

    def __init__(self, arm_count: int, half_life: float | str | None, prior_rate: float) -> None:
        self.closed = 0
        self.changed_at = 0  # closed decisions when the world was last seen to move
        self.plays = [0.0] * arm_count  # never forgotten but when an arm says something new
        self._memory = _Memory(arm_count, None if isinstance(half_life, str) else half_life, prior_rate)
        self._watch = _Watch(arm_count) if isinstance(half_life, str) else None
        self._features: dict[tuple[str, str], int] = {}
        self._cells: dict[Key, int] = {}
        self._places: list[Place] = []

    @property
    def version(self) -> int:
        """Grows whenever a view may have changed."""
        return self._memory.version

    def views(self, key: Key) -> list[View]:
        """Give the beliefs about all arms, in their order."""
        return self._memory.views(self._place(key))

    def update(
        self, arm: int, key: Key, reward: float, weight: float, open_count: int, elapsed: float = 1.0
    ) -> None:
        """Count one closed decision while `open_count` others wait; refits what has become stale."""
        place = self._settle(key)
        self.closed += 1
        self.plays[arm] += weight
        if self._watch is not None and self._has_moved(self._watch, arm, place, reward, weight, open_count):
            self.changed_at = self.closed
            self._memory.take(self._watch.recent, self._places)
            return  # the recent counts hold this decision already
        self._memory.add(arm, place, reward, weight, self._places, elapsed)

    def _has_moved(
        self, watch: "_Watch", arm: int, place: Place, reward: float, weight: float, open_count: int
    ) -> bool:
        """Tell the watch of a closed decision, and ask it."""
        half_life = max(HALF_LIFE, OPEN_SHARE * open_count)
        # More contexts need more decisions to be known again.
        watch.recent.add(
            arm, place.cell, reward, weight, 0.5 ** (weight / half_life / math.sqrt(len(self._cells)))
        )
        if self.closed <= SETTLING + 2 * open_count:
            return False
        return watch.judge(arm, reward, weight, half_life, self._memory.rate(arm, place))

    def add_arm(self, like: int | None, strength: float) -> None:
        """Append an arm that starts with `strength` times the counts of another, or with none."""
        self.plays.append(0.0)
        self._memory.add_arm(like, strength, self._places)
        if self._watch is not None:
            self._watch.add_arm(like, strength)

    def renew(self, arm: int | None, pair: Pair | None, strength: float) -> None:
        """Keep `strength` of the counts of one arm or all, in all contexts or in those with `pair`."""
        arms = range(len(self.plays)) if arm is None else (arm,)
        cells = [cell for key, cell in self._cells.items() if pair is None or pair in key]
        if pair is None:
            for each in arms:
                self.plays[each] *= strength
        self._memory.renew(arms, cells, strength, self._places)
        if self._watch is not None:
            self._watch.recent.renew(arms, cells, strength)

    def _place(self, key: Key) -> Place:
        """Find a context without remembering it."""
        cell = self._cells.get(key)
        if cell is None:
            key = self._bucketed(key)
            cell = self._cells.get(key)
        if cell is not None:
            return self._places[cell]
        known = self._features
        beyond = len(known) + 1
        named = [known.get(pair, beyond + number) for number, pair in enumerate(key)]
        return Place(-1, (0, *sorted(named)))

    def _settle(self, key: Key) -> Place:
        """Find a context, remembering it."""
        cell = self._cells.get(key)
        if cell is None:
            key = self._bucketed(key)
            cell = self._cells.get(key)
        if cell is None:
            features = self._features
            named = sorted(features.setdefault(pair, len(features) + 1) for pair in key)
            cell = self._cells[key] = len(self._cells)
            self._places.append(Place(cell, (0, *named)))
        return self._places[cell]

    def _bucketed(self, key: Key) -> Key:
        """Put values that came when enough were known already into one of their name: a fit costs the cube
        of how many there are."""
        if len(self._features) < FEATURES_AT_MOST:
            return key
        return tuple(pair if pair in self._features else (pair[0], OTHER) for pair in key)

    def to_state(self) -> dict[str, Any]:
        """Give everything, ready for JSON."""
        return {
            "closed": self.closed,
            "changed_at": self.changed_at,
            "plays": list(self.plays),
            "features": [list(pair) for pair in self._features],
            "cells": [[list(pair) for pair in key] for key in self._cells],
            "memory": self._memory.to_state(),
            "watch": self._watch.to_state() if self._watch else None,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any], half_life: float | str | None, prior_rate: float) -> Self:
        """Rebuild what `to_state` gave, exactly."""
        beliefs = cls(len(state["plays"]), half_life, prior_rate)
        beliefs.closed, beliefs.changed_at = state["closed"], state["changed_at"]
        beliefs.plays = list(state["plays"])
        beliefs._features = {(name, value): n for n, (name, value) in enumerate(state["features"], start=1)}
        for pairs in state["cells"]:
            beliefs._settle(tuple((name, value) for name, value in pairs))
        beliefs._memory.restore(state["memory"])
        if beliefs._watch is not None:
            beliefs._watch.restore(state["watch"])
        return beliefs


def _likelihood(rate: float, reward: float) -> float:
    """Give the Bernoulli likelihood, for a fraction of a sale its geometric mean."""
    return float(rate**reward * (1.0 - rate) ** (1.0 - reward))


class _Counts:
    """Plays and sales by arm and cell, that may fade.

    They are held in grains: instead of shrinking all old ones, each new one weighs more.
    """

    def __init__(self, arm_count: int) -> None:
        self.grain = 1.0
        self.plays: list[dict[int, float]] = [{} for _ in range(arm_count)]
        self.sales: list[dict[int, float]] = [{} for _ in range(arm_count)]

    def add(self, arm: int, cell: int, reward: float, weight: float, kept: float) -> float:
        """Fade all to the share `kept`, then count a decision; gives its grains."""
        if self.grain > GRAIN_LIMIT:
            self.melt()
        self.grain /= max(kept, LEAST_KEPT)
        grains = self.grain * weight
        plays, sales = self.plays[arm], self.sales[arm]
        plays[cell] = plays.get(cell, 0.0) + grains
        sales[cell] = sales.get(cell, 0.0) + grains * reward
        return grains

    def add_arm(self, like: int | None, strength: float) -> None:
        """Append an arm with a share of another's counts."""
        for counts in (self.plays, self.sales):
            counts.append({} if like is None else {c: n * strength for c, n in counts[like].items()})

    def renew(self, arms: Iterable[int], cells: Collection[int], strength: float) -> None:
        """Keep a share of what these arms have in these cells."""
        for arm in arms:
            for counts in (self.plays[arm], self.sales[arm]):
                for cell in cells:
                    if cell in counts:
                        counts[cell] *= strength

    def melt(self) -> None:
        """Bring the grain back to 1."""
        for counts in (*self.plays, *self.sales):
            for cell in counts:
                counts[cell] /= self.grain
        self.grain = 1.0

    def copy(self) -> "_Counts":
        """Give a copy that is melted and fades on its own."""
        counts = _Counts(0)
        counts.grain = self.grain
        counts.plays = [dict(cells) for cells in self.plays]
        counts.sales = [dict(cells) for cells in self.sales]
        counts.melt()
        return counts

    def to_state(self) -> dict[str, Any]:
        """Give everything, ready for JSON."""
        rows = [
            [[cell, n, sales[cell]] for cell, n in plays.items()]
            for plays, sales in zip(self.plays, self.sales, strict=True)
        ]
        return {"grain": self.grain, "rows": rows}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Rebuild what `to_state` gave, exactly."""
        counts = cls(0)
        counts.grain = state["grain"]
        counts.plays = [{cell: plays for cell, plays, _ in rows} for rows in state["rows"]]
        counts.sales = [{cell: sales for cell, _, sales in rows} for rows in state["rows"]]
        return counts


class _Luck:
    """What each arm sold against what was expected of it, fading."""

    def __init__(self, arm_count: int) -> None:
        self._sold = [0.0] * arm_count
        self._expected = [0.0] * arm_count

    def factor(self, arm: int) -> float:
        """Give by how much the arm sells more than expected, shrunk to 1."""
        return (self._sold[arm] + DOUBT) / (self._expected[arm] + DOUBT)

    def add(self, arm: int, sold: float, expected: float, kept: float) -> None:
        """Fade all to the share `kept`, then count a decision."""
        self._sold = [each * kept for each in self._sold]
        self._expected = [each * kept for each in self._expected]
        self._sold[arm] += sold
        self._expected[arm] += expected

    def add_arm(self) -> None:
        """Append an arm that sells as expected."""
        self._sold.append(0.0)
        self._expected.append(0.0)

    def to_state(self) -> list[list[float]]:
        """Give everything, ready for JSON."""
        return [list(self._sold), list(self._expected)]

    @classmethod
    def from_state(cls, state: Sequence[Sequence[float]]) -> Self:
        """Rebuild what `to_state` gave, exactly."""
        luck = cls(0)
        luck._sold, luck._expected = (list(column) for column in state)
        return luck


class _Watch:
    """Looks whether the arms still sell as they did; a CUSUM of likelihood ratios (Page 1954).

    The rival of "all as before" is: each arm now sells by a factor of its own, as of late. A factor per arm,
    not per context, so that thin contexts raise no alarm; and beside the factor of all the time, so that an
    arm which was chosen for good luck, and then sells less than it promised, raises none either.
    """

    def __init__(self, arm_count: int) -> None:
        self.recent = _Counts(arm_count)
        self._start_anew(arm_count)

    def _start_anew(self, arm_count: int) -> None:
        self._evidence = 0.0
        self._late, self._always = _Luck(arm_count), _Luck(arm_count)

    def judge(self, arm: int, reward: float, weight: float, half_life: float, expected: float) -> bool:
        """Weigh one closed decision; True when the world has moved, after which the watch starts anew."""
        before = _bounded(expected * self._always.factor(arm))
        now = _bounded(expected * self._late.factor(arm))
        gain = math.log(_likelihood(now, reward) / _likelihood(before, reward))
        self._evidence = max(0.0, self._evidence + weight * gain)
        self._late.add(arm, weight * reward, weight * expected, 0.5 ** (weight / half_life))
        self._always.add(arm, weight * reward, weight * expected, 1.0)
        moved = self._evidence > ALARM
        if moved:
            self._start_anew(len(self.recent.plays))
        return moved

    def add_arm(self, like: int | None, strength: float) -> None:
        """Append an arm."""
        self.recent.add_arm(like, strength)
        self._late.add_arm()
        self._always.add_arm()

    def to_state(self) -> dict[str, Any]:
        """Give everything, ready for JSON."""
        return {
            "recent": self.recent.to_state(),
            "evidence": self._evidence,
            "late": self._late.to_state(),
            "always": self._always.to_state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Become what `to_state` gave, exactly."""
        self.recent = _Counts.from_state(state["recent"])
        self._evidence = state["evidence"]
        self._late, self._always = _Luck.from_state(state["late"]), _Luck.from_state(state["always"])


def _bounded(rate: float) -> float:
    return min(0.95, max(0.001, rate))


class _Memory:
    """Counts that fade with one half-life, or never, and the fits upon them."""

    def __init__(self, arm_count: int, half_life: float | None, prior_rate: float) -> None:
        self.version = 0
        self._kept = 0.5 ** (1.0 / half_life) if half_life else 1.0
        self._center = logit(prior_rate)
        self._counts = _Counts(arm_count)
        self._totals = [0.0] * arm_count  # grains of plays
        self._fresh = [0.0] * arm_count  # of them since the arm's last fit
        self._shared_fresh = 0.0
        self._shared = Effects(self._center, SHARED)
        self._own = [Effects(0.0, OWN) for _ in range(arm_count)]
        self._forget_views()

    def _forget_views(self) -> None:
        self._means: dict[Place, float] = {}
        self._differences: list[dict[Place, View]] = [{} for _ in self._own]

    def rate(self, arm: int, place: Place) -> float:
        """Give the expected reward of one arm."""
        return logistic(self._shared_mean(place) + self._own[arm].mean(*place))

    def views(self, place: Place) -> list[View]:
        """Give the beliefs about all arms; what they share is left out of their deviations."""
        shared = self._shared_mean(place)
        views = []
        for own, known in zip(self._own, self._differences, strict=True):
            view = known.get(place)
            if view is None:
                view = known[place] = _view(own, place)
            views.append(View(shared + view.mean, view.deviation, view.curiosity))
        return views

    def _shared_mean(self, place: Place) -> float:
        mean = self._means.get(place)
        if mean is None:
            mean = self._means[place] = self._shared.mean(*place)
        return mean

    def add(
        self,
        arm: int,
        place: Place,
        reward: float,
        weight: float,
        places: Sequence[Place],
        elapsed: float = 1.0,
    ) -> None:
        """Count one closed decision, and refit what is stale."""
        if self._counts.grain > GRAIN_LIMIT:
            self._melt()
        kept = self._kept if elapsed == 1.0 else self._kept**elapsed
        grains = self._counts.add(arm, place.cell, reward, weight, kept)
        self._totals[arm] += grains
        self._fresh[arm] += grains
        self._shared_fresh += grains
        if self._shared_fresh > REFIT_SHARE * sum(self._totals):
            self._fit_shared(places)
        if self._fresh[arm] > REFIT_SHARE * self._totals[arm]:
            self._fit_own(arm, places)

    def add_arm(self, like: int | None, strength: float, places: Sequence[Place]) -> None:
        """Append an arm, warm-started from another's counts."""
        self._counts.add_arm(like, strength)
        self._totals.append(sum(self._counts.plays[-1].values()))
        self._fresh.append(0.0)
        self._own.append(Effects(0.0, OWN))
        self._differences.append({})
        self._fit_own(len(self._own) - 1, places)

    def renew(
        self, arms: Iterable[int], cells: Collection[int], strength: float, places: Sequence[Place]
    ) -> None:
        """Keep a share of what these arms have in these cells."""
        self._counts.renew(arms, cells, strength)
        self._refit(places)

    def take(self, counts: _Counts, places: Sequence[Place]) -> None:
        """Forget all and start from these counts."""
        self._counts = counts.copy()
        self._refit(places)

    def _refit(self, places: Sequence[Place]) -> None:
        self._totals = [sum(plays.values()) for plays in self._counts.plays]
        self._fit_shared(places)
        for arm in range(len(self._own)):
            self._fit_own(arm, places)

    def _melt(self) -> None:
        grain = self._counts.grain
        for totals in (self._totals, self._fresh):
            totals[:] = [total / grain for total in totals]
        self._shared_fresh /= grain
        self._counts.melt()

    def _fit_shared(self, places: Sequence[Place]) -> None:
        """Refit what the arms share, given how they differ; then the arms that faded unplayed."""
        self._shared_fresh = 0.0
        sums: dict[int, list[float]] = {}
        counts, grain = self._counts, self._counts.grain
        for own, arm_plays, arm_sales in zip(self._own, counts.plays, counts.sales, strict=True):
            for cell, plays in arm_plays.items():
                entry = sums.setdefault(cell, [0.0, 0.0, 0.0])
                entry[0] += plays
                entry[1] += arm_sales[cell]
                entry[2] += plays * logistic(self._shared_mean(places[cell]) + own.mean(*places[cell]))
        # Rates are averaged, not logits: the logit of a mean exceeds the mean of logits, and what is shared
        # and what is own would chase each other upwards.
        rows = [
            Row(
                *places[cell],
                plays / grain,
                sales / grain,
                logit(sold / plays) - self._shared_mean(places[cell]),
            )
            for cell, (plays, sales, sold) in sums.items()
            if plays > NOTHING * grain
        ]
        self._shared.fit(rows, _size(places))
        self.version += 1
        self._means.clear()
        if self._kept < 1.0:
            for arm, fresh in enumerate(self._fresh):
                if not fresh and self._totals[arm]:
                    self._fit_own(arm, places)

    def _fit_own(self, arm: int, places: Sequence[Place]) -> None:
        """Refit how one arm differs from what all share."""
        self._fresh[arm] = 0.0
        sales, grain = self._counts.sales[arm], self._counts.grain
        rows = (
            Row(*places[cell], plays / grain, sales[cell] / grain, self._shared_mean(places[cell]))
            for cell, plays in self._counts.plays[arm].items()
        )
        self._own[arm].fit(rows, _size(places))
        self.version += 1
        self._differences[arm].clear()

    def to_state(self) -> dict[str, Any]:
        """Give everything but the caches, ready for JSON."""
        return {
            "counts": self._counts.to_state(),
            "totals": list(self._totals),
            "fresh": list(self._fresh),
            "shared_fresh": self._shared_fresh,
            "shared": self._shared.to_state(),
            "own": [own.to_state() for own in self._own],
            "version": self.version,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Become what `to_state` gave, exactly."""
        self.version = state["version"]
        self._counts = _Counts.from_state(state["counts"])
        self._totals, self._fresh = list(state["totals"]), list(state["fresh"])
        self._shared_fresh = state["shared_fresh"]
        self._shared = Effects.from_state(state["shared"], self._center, SHARED)
        self._own = [Effects.from_state(own, 0.0, OWN) for own in state["own"]]
        self._forget_views()


def _view(own: Effects, place: Place) -> View:
    """Look at one arm; the mean is without what all arms share."""
    features, residual = own.variance(*place)
    share = FEATURES_SHARE if len(place.features) > 1 else 1.0
    curiosity = math.sqrt(share * share * features + RESIDUAL_SHARE * residual)
    return View(own.mean(*place), math.sqrt(features + residual), curiosity)


def _size(places: Iterable[Place]) -> int:
    """Give how many features there are."""
    return max((place.features[-1] for place in places), default=0) + 1
