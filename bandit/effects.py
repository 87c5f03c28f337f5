"""A logistic model of sales over contexts, fitted from counts. Pure; `beliefs` keeps one per arm.

The logit of a context is a centre, an effect of each of its features (feature 0 is always there) and a
residual of its own. All have normal priors around zero, so a context without data stands where its features
put it, and leaves that place as its own counts grow. The fit is Laplace's approximation, one Newton step at
a time (Rasmussen and Williams, "Gaussian Processes for Machine Learning", 3.4); the residuals are eliminated
by hand, so that only the few features make a system to be solved.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import mul
from typing import Any, Final, NamedTuple, Self

MAX_STEP: Final = 3.0  # logits in one Newton step; a first sale in a thin context would overshoot
TINY: Final = 1e-9


def logistic(logit: float) -> float:
    """Give the probability of a logit, without overflow."""
    return 1.0 / (1.0 + math.exp(-logit)) if logit > -30.0 else math.exp(logit)


def logit(rate: float) -> float:
    """Give the logit of a probability between 0 and 1."""
    return math.log(rate / (1.0 - rate))


@dataclass(frozen=True, slots=True)
class Spread:
    """Prior standard deviations, in logits: of the level, of a feature's effect, of a context's residual."""

    level: float
    feature: float
    residual: float


class Row(NamedTuple):
    """What was seen in one context: its features, plays, sales, and the logit that it starts from."""

    cell: int
    features: tuple[int, ...]
    plays: float
    sales: float
    offset: float


class Effects:
    """The fitted effects; `fit` moves them one Newton step towards what the rows say."""

    __slots__ = ("_center", "_factor", "_means", "_pull", "_residuals", "_spread")

    def __init__(self, center: float, spread: Spread) -> None:
        self._center = center
        self._spread = spread
        self._means = [0.0]
        self._factor = [[1.0 / spread.level]]  # lower Cholesky factor of the effects' precision
        self._residuals: dict[int, float] = {}
        self._pull: dict[int, float] = {}  # how much of its residual a context's own data have decided

    def mean(self, cell: int, features: tuple[int, ...]) -> float:
        """Give the expected logit; features that were never fitted count as average."""
        means, known = self._means, len(self._means)
        return self._center + sum([means[i] for i in features if i < known]) + self._residuals.get(cell, 0.0)

    def variance(self, cell: int, features: tuple[int, ...]) -> tuple[float, float]:
        """Give the variance of the logit in two parts: from the features, and from the residual."""
        factor = self._factor
        unknown = sum(1 for i in features if i >= len(factor))
        total = unknown * self._spread.feature**2
        solved: list[float] = []
        for i, row in enumerate(factor):
            value = ((i in features) - sum(map(mul, row, solved))) / row[i]
            solved.append(value)
            total += value * value
        free = 1.0 - self._pull.get(cell, 0.0)
        return free * free * total, free * self._residual_variance(features)

    def _residual_variance(self, features: tuple[int, ...]) -> float:
        """With no feature, or a single one, the context is its own parent."""
        return self._spread.residual**2 if len(features) > 2 else 0.0

    def fit(self, rows: Iterable[Row], size: int) -> None:
        """Take one Newton step on all rows; `size` is the number of features."""
        precision, target, seen = self._normal_equations(rows, size)
        self._means, self._factor = _solve(precision, target)
        for cell, features, pseudo, pull in seen:
            if pull:
                means = self._means
                self._residuals[cell] = pull * (pseudo - sum([means[i] for i in features]))
                self._pull[cell] = pull

    def _normal_equations(
        self, rows: Iterable[Row], size: int
    ) -> tuple[list[list[float]], list[float], list[tuple[int, tuple[int, ...], float, float]]]:
        """Weigh each context as one observation of its effects, its residual integrated out."""
        means = self._means + [0.0] * (size - len(self._means))
        precision = [[0.0] * i + [1.0 / self._spread.feature**2] for i in range(size)]
        precision[0][0] = 1.0 / self._spread.level**2
        target = [0.0] * size
        seen = []
        for cell, features, plays, sales, offset in rows:
            logit = sum([means[i] for i in features]) + self._residuals.get(cell, 0.0)
            rate = logistic(self._center + offset + logit)
            information = plays * rate * (1.0 - rate) + TINY
            step = (sales - plays * rate) / information
            pseudo = logit + max(-MAX_STEP, min(MAX_STEP, step))
            residual = self._residual_variance(features)
            weight = information / (1.0 + information * residual)
            for i in features:
                line = precision[i]
                target[i] += weight * pseudo
                for j in features:
                    if j <= i:
                        line[j] += weight
            seen.append((cell, features, pseudo, weight * residual))
        return precision, target, seen

    def to_state(self) -> dict[str, Any]:
        """Give everything but the priors, ready for JSON."""
        return {
            "means": list(self._means),
            "factor": [list(row) for row in self._factor],
            "own": [[c, self._residuals[c], self._pull[c]] for c in self._residuals],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any], center: float, spread: Spread) -> Self:
        """Rebuild what `to_state` gave, exactly."""
        effects = cls(center, spread)
        effects._means = list(state["means"])
        effects._factor = [list(row) for row in state["factor"]]
        effects._residuals = {cell: residual for cell, residual, _ in state["own"]}
        effects._pull = {cell: pull for cell, _, pull in state["own"]}
        return effects


def _solve(precision: list[list[float]], target: list[float]) -> tuple[list[float], list[list[float]]]:
    """Solve the symmetric system (lower half given); gives the solution and the Cholesky factor."""
    factor: list[list[float]] = []
    half: list[float] = []
    for line, wanted in zip(precision, target, strict=True):
        row: list[float] = []
        for entry, above in zip(line[:-1], factor, strict=True):
            row.append((entry - sum(map(mul, row, above))) / above[-1])
        diagonal = math.sqrt(line[-1] - sum(map(mul, row, row)))
        half.append((wanted - sum(map(mul, row, half))) / diagonal)
        row.append(diagonal)
        factor.append(row)
    for i in range(len(factor) - 1, -1, -1):
        row = factor[i]
        half[i] /= row[i]
        for j in range(i):
            half[j] -= row[j] * half[i]
    return half, factor
