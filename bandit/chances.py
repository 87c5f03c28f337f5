"""The chance of each arm to be the best. Pure; `policies` chooses by it, pages show it."""

import math
from collections.abc import Sequence
from operator import mul
from typing import Final

INTERVALS: Final = 24
REACH: Final = 4.0  # standard deviations beyond which nothing is looked for


def best_chances(beliefs: Sequence[tuple[float, float]]) -> list[float]:
    """Give P(arm has the largest value) for independent normals of (mean, deviation > 0); sums to 1.

    A trapezoid over the distribution functions, not the densities, so that a very sure arm among unsure
    ones cannot fall between two points.
    """
    low = max(mean - REACH * deviation for mean, deviation in beliefs)
    high = max(mean + REACH * deviation for mean, deviation in beliefs)
    step = (high - low) / INTERVALS
    erf = math.erf
    curves = []
    for mean, deviation in beliefs:
        unit = 1.0 / (deviation * math.sqrt(2.0))
        start, stride = (low - mean) * unit, step * unit
        curves.append([0.5 + 0.5 * erf(start + stride * j) for j in range(INTERVALS + 1)])
    chances = [_chance(curve, [c for c in curves if c is not curve]) for curve in curves]
    total = sum(chances)
    return [chance / total for chance in chances]


def _chance(own: list[float], others: list[list[float]]) -> float:
    """Integrate the product of the others' distribution functions over this arm's."""
    below = [1.0] * len(own)
    for other in others:
        below = list(map(mul, below, other))
    inside = sum([(own[j + 1] - own[j]) * (below[j] + below[j + 1]) for j in range(INTERVALS)])
    return own[0] * below[0] + inside / 2.0
