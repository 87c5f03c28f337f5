"""Conversion by niche, language, buying signal and new or returning, and the uplift in money. Reads only.

`figures` asks here for the parts of its report that look into a decision's context and its sales' values.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import sqrt
from typing import Any, Final

from sqlalchemy import ColumnElement, Text, case, func, select, type_coerce

from learning.absorbing import is_counted, net_sales
from learning.rules import SALE
from learning.shares import Z_95, Share
from models import Decision, Outcome, db

# What a context is made of, in the order in which people ask.
SEGMENTS: Final = ("niche", "language", "buying_signal", "visit")
VALUE_MAX_CHARS: Final = 120
SHOWN_VALUES: Final = 12


@dataclass(frozen=True, slots=True)
class Segment:
    """Closed decisions of customers who have one thing in common: all, and by strategy."""

    name: str
    value: str
    whole: Share
    by_strategy: Mapping[str, Share]

    @property
    def key(self) -> str:
        return f"{self.name}={self.value}"


@dataclass(frozen=True, slots=True)
class Money:
    """What the policy brought beyond chance, in minor units: per closed conversation, and in all of them.

    Intervals with 95 %, by Welch's rule; sales of other currencies are left out.
    """

    currency: str
    each: float
    each_low: float
    each_high: float
    size: int

    @property
    def total(self) -> int:
        return round(self.each * self.size)

    @property
    def low(self) -> int:
        return round(self.each_low * self.size)

    @property
    def high(self) -> int:
        return round(self.each_high * self.size)


def segments(now: datetime) -> tuple[Segment, ...]:
    """Count closed decisions that were drawn, by what their customers have in common; the largest first."""
    sold = case((net_sales(Decision.id) > 0, 1), else_=0).label("sold")
    of_decision = (
        select(Decision.strategy, type_coerce(Decision.context, Text).label("context"), sold)
        .where(Decision.closes_at <= now, Decision.is_manual.is_(False), is_counted())
        .subquery()
    )
    rows = db.session.execute(
        select(
            of_decision.c.strategy, of_decision.c.context, func.sum(of_decision.c.sold), func.count()
        ).group_by(of_decision.c.strategy, of_decision.c.context)
    )
    counts: dict[tuple[str, str], dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for strategy, context, hits, size in rows:
        for name, value in _common(context):
            counted = counts[name, value][strategy]
            counted[0] += int(hits)
            counted[1] += size
    found = [
        Segment(
            name,
            value,
            Share(sum(one[0] for one in by.values()), sum(one[1] for one in by.values())),
            {strategy: Share(*one) for strategy, one in by.items()},
        )
        for (name, value), by in counts.items()
    ]
    found.sort(key=lambda one: (SEGMENTS.index(one.name), -one.whole.size, one.value))
    return tuple(
        one for name in SEGMENTS for one in [each for each in found if each.name == name][:SHOWN_VALUES]
    )


def _common(context: str) -> list[tuple[str, str]]:
    told: dict[str, Any] = json.loads(context) if context else {}
    return [(name, str(told[name])) for name in SEGMENTS if told.get(name)]


def of_segment(key: str) -> ColumnElement[bool] | None:
    """Give the condition for decisions of a segment's key ("language=pt"); None for what is no key."""
    name, _, value = key.partition("=")
    if name not in SEGMENTS or not value or len(value) > VALUE_MAX_CHARS:
        return None
    pair = json.dumps({name: value}, separators=(",", ":"))[1:-1]
    return type_coerce(Decision.context, Text).contains(pair, autoescape=True)


def money_uplift(now: datetime, policy_size: int, holdout_size: int) -> Money | None:
    """Compare what a closed conversation brought with and without the policy; None when nothing was sold."""
    signed = case((Outcome.kind == SALE, Outcome.value_minor), else_=-Outcome.value_minor)
    rows: Sequence[Any] = db.session.execute(
        select(Decision.is_holdout, Outcome.currency, func.sum(signed).label("value"))
        .join(Decision, Decision.id == Outcome.decision_id)
        .where(Outcome.order_id > 0, Decision.closes_at <= now, Decision.is_manual.is_(False), is_counted())
        .group_by(Decision.id, Decision.is_holdout, Outcome.currency)
    ).all()
    if not rows or min(policy_size, holdout_size) < 2:
        return None
    totals: dict[str, int] = defaultdict(int)
    for row in rows:
        totals[row.currency] += int(row.value)
    currency = max(totals, key=totals.__getitem__)
    values = {
        group: [int(row.value) for row in rows if bool(row.is_holdout) is group and row.currency == currency]
        for group in (False, True)
    }
    mean, noise = _mean_and_noise(values[False], policy_size)
    base, base_noise = _mean_and_noise(values[True], holdout_size)
    reach = Z_95 * sqrt(noise + base_noise)
    return Money(currency, mean - base, mean - base - reach, mean - base + reach, policy_size)


def _mean_and_noise(values: Sequence[int], size: int) -> tuple[float, float]:
    """Give the mean over `size` decisions, of which the others brought nothing, and its variance."""
    mean = sum(values) / size
    squares = sum((value - mean) ** 2 for value in values) + (size - len(values)) * mean**2
    return mean, squares / (size - 1) / size
