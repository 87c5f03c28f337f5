"""What would have been, had one arm always been used: estimates from the log of propensities. Pure.

Only decisions that were drawn at random belong into the log: an operator's own choice has no propensity.
IPS: Horvitz and Thompson (1952); SNIPS: Swaminathan and Joachims, "The Self-Normalized Estimator" (2015).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from bandit.beliefs import Arm

MAX_WEIGHT: Final = 100.0  # an arm chosen once in a hundred times; rarer choices are clipped to this
MIN_EFFECTIVE_SIZE: Final = 50.0
Z_95: Final = 1.959964


class Logged(NamedTuple):
    """One closed decision: the probability that its arm had, the arm, and its reward in [0, 1]."""

    propensity: float
    arm: Arm
    reward: float


@dataclass(frozen=True, slots=True)
class OffPolicyEstimate:
    """The reward per decision had the arm always been used, and where it lies with 95 %.

    `effective_size`: how many equally weighted decisions would say as much. `clipped`: how many weights were
    cut, each of which pulls the estimate towards the log's habits.
    """

    value: float
    low: float
    high: float
    effective_size: float
    matching: int
    clipped: int


class TooFewDecisions(ValueError):
    """The log says too little about this arm for any number to be shown."""

    def __init__(self, effective_size: float, minimum: float) -> None:
        super().__init__(f"effective sample size {effective_size:.0f}, at least {minimum:.0f} needed")
        self.effective_size = effective_size
        self.minimum = minimum


def estimate_snips(
    log: Iterable[Logged | tuple[float, Arm, float]],
    arm: Arm,
    *,
    max_weight: float = MAX_WEIGHT,
    minimum: float = MIN_EFFECTIVE_SIZE,
) -> OffPolicyEstimate:
    """Estimate "always `arm`" by self-normalised weights; raises TooFewDecisions under the minimum."""
    weighted = _Weighted.of(log, arm, max_weight, minimum)
    weights, rewards = weighted.weights, weighted.rewards
    total = sum(weights)
    value = sum(w * r for w, r in zip(weights, rewards, strict=True)) / total
    noise = sum((w * (r - value)) ** 2 for w, r in zip(weights, rewards, strict=True)) / total**2
    size = weighted.effective_size
    # Contexts move weights and rewards together; then fewer decisions count than the weights alone tell.
    if noise > 0.0:
        size = min(size, value * (1.0 - value) / noise)
    low, high = _wilson(value, size)
    return OffPolicyEstimate(value, low, high, weighted.effective_size, len(weights), weighted.clipped)


def estimate_ips(
    log: Iterable[Logged | tuple[float, Arm, float]],
    arm: Arm,
    *,
    max_weight: float = MAX_WEIGHT,
    minimum: float = MIN_EFFECTIVE_SIZE,
) -> OffPolicyEstimate:
    """Estimate "always `arm`" by plain inverse propensities: unbiased when nothing is clipped, but wide."""
    weighted = _Weighted.of(log, arm, max_weight, minimum)
    parts = [w * r for w, r in zip(weighted.weights, weighted.rewards, strict=True)]
    value = sum(parts) / weighted.log_size
    squares = sum(part * part for part in parts) / weighted.log_size
    noise = max(0.0, squares - value**2) / weighted.log_size
    size = weighted.effective_size
    # A few heavy sales make it skewed, which a normal interval does not know; so many decisions of equal
    # weight would be as noisy.
    if noise > 0.0 and 0.0 < value < 1.0:
        size = min(size, value * (1.0 - value) / noise)
    low, high = _wilson(min(1.0, value), size)
    return OffPolicyEstimate(value, low, high, weighted.effective_size, len(parts), weighted.clipped)


@dataclass(frozen=True, slots=True)
class _Weighted:
    """The decisions in which the arm was chosen, with their weights."""

    weights: Sequence[float]
    rewards: Sequence[float]
    clipped: int
    log_size: int

    @property
    def effective_size(self) -> float:
        """Kish's effective sample size."""
        squares = sum(w * w for w in self.weights)
        return float(sum(self.weights) ** 2 / squares) if squares else 0.0

    @classmethod
    def of(
        cls, log: Iterable[Logged | tuple[float, Arm, float]], arm: Arm, max_weight: float, minimum: float
    ) -> "_Weighted":
        if not max_weight >= 1.0:
            raise ValueError("a weight is never under 1")
        weights, rewards, clipped, log_size = [], [], 0, 0
        for propensity, chosen, reward in log:
            if not 0.0 < propensity <= 1.0:
                raise ValueError(f"a propensity lies between 0 and 1, not {propensity!r}")
            if not 0.0 <= reward <= 1.0:
                raise ValueError(f"a reward lies between 0 and 1, not {reward!r}")
            log_size += 1
            if chosen == arm:
                clipped += 1.0 / propensity > max_weight
                weights.append(min(1.0 / propensity, max_weight))
                rewards.append(reward)
        weighted = cls(weights, rewards, clipped, log_size)
        if not weights or weighted.effective_size < minimum:
            raise TooFewDecisions(weighted.effective_size, minimum)
        return weighted


def _wilson(share: float, size: float) -> tuple[float, float]:
    """Give Wilson's 95 % interval of a share seen in `size` decisions (1927); good for rare sales."""
    square = Z_95**2 / size
    middle = (share + square / 2.0) / (1.0 + square)
    reach = Z_95 * math.sqrt(share * (1.0 - share) / size + square / (4.0 * size)) / (1.0 + square)
    return max(0.0, middle - reach), min(1.0, middle + reach)
