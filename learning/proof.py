"""Whether it sells better than chance: one minimum decides when anything may be claimed. Pure.

`figures` counts and asks here; the page's first sentence, the uplift, the money and the commands tell what
stands here and nothing else. People look at a page every day, so the intervals hold at every look from the
minimum on (`shares.watched_z`), not only at a planned one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Final, Literal

from learning.shares import (
    WATCHED_FROM_START,
    Share,
    Takings,
    difference_interval,
    takings_interval,
    watched_z,
)

Z_80_POWER: Final = 0.84
# A share of so few is no figure yet, only an anecdote.
FEW: Final = 100
USUAL_CONVERSION: Final = 0.05
# A hold-out by hash is seldom as large as planned; from so much of it on it is no lack.
NEARLY: Final = 0.8
# An average of fewer sales says nothing of what a sale brings.
SALES_AT_LEAST: Final = 8

# Nobody is held out; too few conversations closed; enough, but too few of them held out; enough of both.
Standing = Literal["no_holdout", "few", "few_held_out", "enough"]


@dataclass(frozen=True, slots=True)
class Uplift:
    """How much better the policy sells than chance, in shares, and how far that may be believed.

    `low` and `high` are None unless `standing` is "enough".
    """

    policy: Share
    holdout: Share
    standing: Standing
    needed: int  # closed conversations
    needed_held_out: int
    low: float | None = None
    high: float | None = None

    @property
    def closed(self) -> int:
        return self.policy.size + self.holdout.size

    @property
    def value(self) -> float:
        return self.policy.value - self.holdout.value

    @property
    def more_sales(self) -> float:
        """How many sales more than by chance the policy brought."""
        return self.value * self.policy.size

    @property
    def is_enough(self) -> bool:
        return self.standing == "enough"


@dataclass(frozen=True, slots=True)
class Money:
    """What the policy brought beyond chance, in minor units: per closed conversation, and in all of them."""

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


def uplift(policy: Share, holdout: Share, planned: float) -> Uplift:
    """Compare what the policy sold with what chance sold; `planned` is the share that is held out."""
    closed = policy.size + holdout.size
    share = planned or holdout.size / max(1, closed)
    needed = needed_decisions(Share(policy.hits + holdout.hits, closed), share)
    needed_held_out = ceil(NEARLY * needed * share)
    if not planned and holdout.size < FEW:
        return Uplift(policy, holdout, "no_holdout", needed, needed_held_out)
    if closed < needed:
        return Uplift(policy, holdout, "few", needed, needed_held_out)
    if holdout.size < needed_held_out or policy.size < FEW:
        return Uplift(policy, holdout, "few_held_out", needed, needed_held_out)
    interval = difference_interval(policy, holdout, watched_z(closed, needed))
    return Uplift(policy, holdout, "enough", needed, needed_held_out, *interval)


def needed_decisions(seen: Share, holdout: float) -> int:
    """Give how many closed decisions show a policy that sells twice as often as chance, in round figures.

    95 % sure at every look, 80 % power; what is sold usually is taken from all that was `seen`, which
    moves little, and at first as 5 %.
    """
    share = min(max(holdout, 0.01), 0.99)
    base = min(0.3, (seen.hits + FEW * USUAL_CONVERSION) / (seen.size + FEW))
    better = 2 * base
    spread = better * (1 - better) / (1 - share) + base * (1 - base) / share
    needed = (WATCHED_FROM_START + Z_80_POWER) ** 2 * spread / base**2
    needed = max(needed, FEW / min(share, 1 - share))
    grain = int(10 ** (floor(log10(needed)) - 1))
    return ceil(needed / grain) * grain


def money(told: Uplift, values: Mapping[tuple[str, bool], Sequence[int]]) -> Money | None:
    """Compare what a closed conversation brought; None where the uplift may not be told, or too few sales
    were held out. `values`: what the sales brought, by currency and whether they were the hold-out's; of
    several currencies only the one that brought most counts.
    """
    totals: dict[str, int] = {}
    for (currency, _), sold in values.items():
        totals[currency] = totals.get(currency, 0) + sum(sold)
    if not told.is_enough or not totals:
        return None
    currency = max(totals, key=totals.__getitem__)
    mine = Takings(values.get((currency, False), ()), told.policy.size)
    chance = Takings(values.get((currency, True), ()), told.holdout.size)
    if min(len(mine.values), len(chance.values)) < SALES_AT_LEAST:
        return None
    low, high = takings_interval(mine, chance, watched_z(told.closed, told.needed))
    return Money(currency, mine.value - chance.value, low, high, told.policy.size)
