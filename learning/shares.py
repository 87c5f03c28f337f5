"""Shares that were counted, and where they lie. Pure."""

from dataclasses import dataclass
from math import sqrt
from typing import Final

Z_95: Final = 1.96


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
        return max(0.0, self._middle - self._reach)

    @property
    def high(self) -> float:
        return min(1.0, self._middle + self._reach) if self.size else 1.0

    @property
    def _middle(self) -> float:
        square = Z_95**2 / self.size if self.size else 1.0
        return (self.value + square / 2) / (1 + square)

    @property
    def _reach(self) -> float:
        if not self.size:
            return 1.0
        square = Z_95**2 / self.size
        spread = self.value * (1 - self.value) / self.size + square / (4 * self.size)
        return Z_95 * sqrt(spread) / (1 + square)


def difference_interval(one: Share, other: Share) -> tuple[float, float]:
    """Give where the difference of two shares lies with 95 %: Newcombe's method 10 (1998), good for rare
    sales.
    """
    difference = one.value - other.value
    down = sqrt((one.value - one.low) ** 2 + (other.high - other.value) ** 2)
    up = sqrt((one.high - one.value) ** 2 + (other.value - other.low) ** 2)
    return difference - down, difference + up
