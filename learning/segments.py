"""Conversion by niche, language, buying signal and new or returning, and what sales brought. Reads only.

`figures` asks here for the parts of its report that look into a decision's context and its sales' values.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Text, case, func, select, type_coerce

from learning.absorbing import is_counted, is_drawn, net_sales
from learning.rules import REFUND, SALE
from learning.shares import Share
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


def segments(now: datetime) -> tuple[Segment, ...]:
    """Count closed decisions that were drawn, by what their customers have in common; the largest first."""
    sold = case((net_sales(Decision.id) > 0, 1), else_=0).label("sold")
    of_decision = (
        select(Decision.strategy, type_coerce(Decision.context, Text).label("context"), sold)
        .where(Decision.closes_at <= now, is_drawn(), is_counted())
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


def sale_values(now: datetime, after_id: int) -> dict[tuple[str, bool], list[int]]:
    """Give what closed decisions brought, where their sales stand: by currency and whether they were held
    out."""
    signed = case((Outcome.kind == SALE, Outcome.value_minor), else_=-Outcome.value_minor)
    rows: Sequence[Any] = db.session.execute(
        select(Decision.is_holdout, Outcome.currency, func.sum(signed).label("value"))
        .join(Decision, Decision.id == Outcome.decision_id)
        .where(
            Outcome.order_id > 0,
            Outcome.kind.in_((SALE, REFUND)),
            Decision.id > after_id,
            Decision.closes_at <= now,
            is_drawn(),
            is_counted(),
        )
        .group_by(Decision.id, Decision.is_holdout, Outcome.currency)
    ).all()
    values: dict[tuple[str, bool], list[int]] = defaultdict(list)
    for row in rows:
        if int(row.value) > 0:
            values[row.currency, bool(row.is_holdout)].append(int(row.value))
    return dict(values)
