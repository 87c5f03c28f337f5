"""Shares and means that were counted, and where they lie, also for who looks every day. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from typing import Final

Z_95: Final = 1.96
# Robbins (1970): a Brownian path that is watched from time m on ever leaves sqrt(t (a^2 + ln(t/m))) with
# probability 2 (1 - Phi(a) + a phi(a)), which is 5 % at this a.
WATCHED_FROM_START: Final = 2.795


@dataclass(frozen=True, slots=True)
class Share:
    """A share that was counted, and where it lies with 95 % (Wilson, 1927)."""

    hits: int
    size: int

    @property
    def value(self) -> float:
        return self.hits / self.size if self.size else 0.0

    @property
    def low(self) -> float:
        return self.interval()[0]

    @property
    def high(self) -> float:
        return self.interval()[1]

    def interval(self, z: float = Z_95) -> tuple[float, float]:
        """Give the interval of another sureness, as a normal quantile."""
        if not self.size:
            return 0.0, 1.0
        square = z**2 / self.size
        middle = (self.value + square / 2) / (1 + square)
        spread = self.value * (1 - self.value) / self.size + square / (4 * self.size)
        reach = z * sqrt(spread) / (1 + square)
        return max(0.0, middle - reach), min(1.0, middle + reach)


@dataclass(frozen=True, slots=True)
class Takings:
    """What the sales among `size` conversations brought; the others brought nothing."""

    values: Sequence[int]
    size: int

    @property
    def value(self) -> float:
        """What a conversation brought on average."""
        return sum(self.values) / self.size if self.size else 0.0

    @property
    def spread(self) -> float:
        """The squared coefficient of variation of what a sale brought."""
        count = len(self.values)
        if count < 2:
            return 0.0
        mean = sum(self.values) / count
        return sum((value - mean) ** 2 for value in self.values) / (count - 1) / mean**2

    def interval(self, z: float, spread: float) -> tuple[float, float]:
        """Give where the average lies: symmetric in its logarithm, since few sales make a low mean and a low
        variance at once. `spread` may be borrowed where own sales are few."""
        noise = sqrt(max(0.0, (1.0 + spread) / len(self.values) - 1.0 / self.size))
        return self.value * exp(-z * noise), self.value * exp(z * noise)


def watched_z(size: float, since: float) -> float:
    """Give the normal quantile that makes an interval hold with 95 % at every look from `since` on, however
    often somebody looks until it says what was hoped for."""
    return sqrt(WATCHED_FROM_START**2 + log(max(1.0, size / since)))


def difference_interval(one: Share, other: Share, z: float = Z_95) -> tuple[float, float]:
    """Give where the difference of two shares lies: Newcombe's method 10 (1998), good for rare sales."""
    return _difference(one.value, one.interval(z), other.value, other.interval(z))


def takings_interval(one: Takings, other: Takings, z: float) -> tuple[float, float]:
    """Give where the difference of two averages lies (Zou and Donner 2008); both must have sales."""
    spread = Takings((*one.values, *other.values), one.size + other.size).spread
    intervals = [each.interval(z, max(spread, each.spread)) for each in (one, other)]
    return _difference(one.value, intervals[0], other.value, intervals[1])


def _difference(
    one: float, of_one: tuple[float, float], other: float, of_other: tuple[float, float]
) -> tuple[float, float]:
    down = sqrt((one - of_one[0]) ** 2 + (of_other[1] - other) ** 2)
    up = sqrt((of_one[1] - one) ** 2 + (other - of_other[0]) ** 2)
    return one - other - down, one - other + up
