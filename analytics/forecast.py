"""What the next days bring if all goes on as it did: each weekday as the mean of its last four.

The interval is not computed from a model but from how far the same rule was off when it had been asked on
each earlier day (Hyndman and Athanasopoulos, "Forecasting: Principles and Practice", 3rd ed., 5.8 and 5.10:
errors of a rolling origin). Eight of ten such weeks lay within it. A trend that is too young, or too few
events, gives no forecast at all. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

WEEK: Final = 7
WEEKS_LEARNT: Final = 4
# Four weeks to learn from, and a fortnight of weeks to see how far off it is.
MIN_DAYS: Final = 49
MIN_EVENTS: Final = 30
COVERED: Final = 0.8
LEARNT_DAYS: Final = WEEK * WEEKS_LEARNT


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is expected of the seven days after the last: day by day, and in all with its interval."""

    days: tuple[tuple[date, float], ...]
    total: float
    low: float
    high: float
    tried: int  # how many earlier weeks the interval comes from
    last_week: int


@dataclass(frozen=True, slots=True)
class TooLittle:
    """Why there is no forecast: how many days and events there are."""

    days: int
    events: int


def forecast(counts: Mapping[date, int]) -> Forecast | TooLittle:
    """Look one week ahead of whole days without a gap, the last of them yesterday or so."""
    days = _unbroken(counts)
    values = [counts[day] for day in days]
    if len(values) < MIN_DAYS or sum(values) < MIN_EVENTS:
        return TooLittle(len(values), sum(values))
    misses = sorted(
        abs(sum(values[end : end + WEEK]) - sum(_next_week(values[:end])))
        for end in range(LEARNT_DAYS, len(values) - WEEK + 1)
    )
    ahead = _next_week(values)
    total, miss = sum(ahead), _quantile(misses, COVERED)
    return Forecast(
        days=tuple((days[-1] + timedelta(days=1 + place), value) for place, value in enumerate(ahead)),
        total=total,
        low=max(0.0, total - miss),
        high=total + miss,
        tried=len(misses),
        last_week=sum(values[-WEEK:]),
    )


def _unbroken(counts: Mapping[date, int]) -> list[date]:
    """Give the days up to the last one, back to the first gap."""
    if not counts:
        return []
    day = max(counts)
    days = []
    while day in counts:
        days.append(day)
        day -= timedelta(days=1)
    return days[::-1]


def _next_week(values: Sequence[int]) -> list[float]:
    """Give the mean of the last four of each weekday, in the order in which they come next."""
    learnt = values[-LEARNT_DAYS:]
    return [sum(learnt[place::WEEK]) / WEEKS_LEARNT for place in range(WEEK)]


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Give a quantile of sorted values, between two of them by the straight line."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
