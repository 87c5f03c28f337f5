"""The job that closes decisions: what had its time is learnt from, and an arm that drives people away rests.

`tasks` calls it every few minutes. Flushes, never commits.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from math import exp, log, log1p
from typing import Final, NamedTuple

from sqlalchemy import func, select

import alerts
from config import Config
from learning import absorbing, steering
from learning.arms import standings
from models import Arm, Decision, Outcome, db, reading

OPT_OUT: Final = "opt_out"
ALERT: Final = "strategy_paused"
# People who ask for silence are few, so a handful of them is no pattern yet.
OPT_OUTS_AT_LEAST: Final = 5
LOOKS_BACK: Final = timedelta(days=90)
# How much likelier an arm may make it that somebody leaves; what is watched for is one of these.
RATIOS: Final = (2.0, 4.0, 8.0)
# How much better that must explain who left than chance does. Whatever the shares and however often somebody
# looks, chance alone gets there once in two thousand times (Ville 1939), in a year of moving windows in less
# than two of a hundred shops.
OVERWHELMING: Final = 2000.0
LOG_AT_MOST: Final = 500.0  # exp of more would overflow


class Left(NamedTuple):
    """Somebody who opted out: after which strategy, how likely each had been, and when it was drawn."""

    strategy: str
    propensities: Mapping[str, float]
    at: datetime


def close_decisions(config: Config, *, now: datetime, between: Callable[[], None] = lambda: None) -> int:
    """Learn from what matured, and pause an arm that surely drives people away. Gives how many expired.

    `between` may commit, so that the long reading holds no lock that others wait for. Flushes. Idempotent.
    """
    expired = absorbing.expire(config, now=now)
    between()
    with reading():
        worked = absorbing.work_out(config, now=now)
    between()
    absorbing.keep(worked, now=now)
    left = _who_left(now)
    for arm in standings():
        if not arm.is_paused:
            _pause_in_excess(arm.strategy, left, now)
    return expired


def excess(strategy: str, left: Sequence[Left]) -> float:
    """Give how many times better "after it more leave" explains who left than "it makes no difference".

    A test on the draw itself: had the strategy no part in it, somebody who leaves would have met it exactly
    as often as its logged propensity says, whatever kind of customer she is and however the policy came to
    draw it. So neither a favourite's size nor its customers can be taken for its fault.
    """
    likelihoods = []
    for ratio in RATIOS:
        logs = 0.0
        for one in left:
            logs -= log1p((ratio - 1.0) * one.propensities.get(strategy, 0.0))
            if one.strategy == strategy:
                logs += log(ratio)
        likelihoods.append(exp(min(logs, LOG_AT_MOST)))
    return sum(likelihoods) / len(likelihoods)


def _pause_in_excess(strategy: str, left: Sequence[Left], now: datetime) -> None:
    """Pause an arm after which surely more people leave; one that is needed stays.

    Only what came since somebody last decided about the arm counts, so that a resumed one gets its chance.
    """
    decided_at = db.session.scalar(
        select(func.max(Arm.changed_at)).where(Arm.strategy == strategy, Arm.changed_at <= now)
    )
    since = [one for one in left if decided_at is None or one.at > decided_at]
    mine = sum(one.strategy == strategy for one in since)
    if mine < OPT_OUTS_AT_LEAST or excess(strategy, since) < OVERWHELMING or steering.is_needed(strategy):
        return
    expected = sum(one.propensities.get(strategy, 0.0) for one in since)
    steering.steer(
        "pause", strategy=strategy, reason=steering.opt_outs_reason(mine, len(since), expected), now=now
    )
    text = (
        f"The strategy {strategy} was paused: {mine} of {len(since)} people who opted out had met it, "
        f"{expected:.1f} were to be expected."
    )
    alerts.raise_alert(ALERT, f"{ALERT}:{strategy}", text, now=now)


def _who_left(now: datetime) -> list[Left]:
    rows = db.session.execute(
        select(Decision.strategy, Decision.propensities, Decision.created_at)
        .join(Outcome, Outcome.decision_id == Decision.id)
        .where(
            Outcome.kind == OPT_OUT,
            Decision.created_at > now - LOOKS_BACK,
            Decision.is_manual.is_(False),
            absorbing.is_counted(),
        )
    )
    return [Left(*row) for row in rows if row.propensities]
