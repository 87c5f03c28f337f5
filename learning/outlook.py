"""What the policy would do now with customers as they have come lately. Reads only."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from learning.absorbing import is_counted
from learning.arms import Standing
from learning.policies import Kept
from models import Decision, db

RECENT: Final = 200
Customer = tuple[tuple[tuple[str, str], ...], tuple[str, ...]]  # a context, and what may be said in it


@dataclass(frozen=True, slots=True)
class Outlook:
    """Means over the last customers, each with her own context and what may be said to her.

    `chances` and `best_chances` by strategy; `exploration`: how often not the likeliest would be drawn.
    """

    chances: Mapping[str, float]
    best_chances: Mapping[str, float]
    exploration: float
    size: int  # customers; 0: nobody has come yet, and a customer of no kind stands for them


def outlook(kept: Kept) -> Outlook:
    """Ask the policy what it would draw for the last customers, by today's knowledge and standings."""
    customers = _recent(kept)
    size = customers.total()
    if not size:
        customers = Counter({((), tuple(_open(kept))): 1})
    chances = dict.fromkeys((arm.strategy for arm in kept.arms), 0.0)
    best = dict(chances)
    top = 0.0
    for (context, eligible), count in customers.items():
        share = count / customers.total()
        arms = [arm for arm in kept.arms if arm.strategy in eligible]
        told = kept.tell(arms, dict(context)).propensities
        for strategy, chance in told.items():
            chances[strategy] += share * chance
        for strategy, estimate in kept.believe(dict(context)).items():
            best[strategy] += share * estimate.best_chance
        top += share * max(told.values())
    return Outlook(chances, best, max(0.0, 1.0 - top), size)


def _open(kept: Kept) -> dict[str, Standing]:
    return {arm.strategy: arm for arm in kept.arms if not arm.is_paused}


def _recent(kept: Kept) -> Counter[Customer]:
    """Count the last customers by kind. What a row calls eligible is no news about an arm that people have
    decided about since: it may be drawn for everybody."""
    rows = db.session.execute(
        select(Decision.context, Decision.eligible, Decision.created_at)
        .where(Decision.is_manual.is_(False), is_counted())
        .order_by(Decision.id.desc())
        .limit(RECENT)
    )
    found: Counter[Customer] = Counter()
    for row in rows:
        eligible = tuple(
            strategy
            for strategy, arm in _open(kept).items()
            if strategy in row.eligible or (arm.changed_at is not None and arm.changed_at > row.created_at)
        )
        if eligible:
            found[tuple(sorted((row.context or {}).items())), eligible] += 1
    return found
