"""The job that closes decisions: what had its time is learnt from, and an arm that drives people away rests.

`tasks` calls it every few minutes. Flushes, never commits.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import case, func, select

import alerts
from config import Config
from learning import absorbing, steering
from learning.policies import standings
from learning.shares import Share
from models import Arm, Decision, Outcome, db

OPT_OUT: Final = "opt_out"
ALERT: Final = "strategy_paused"
# People who ask for silence are few, so a handful of them is no pattern yet.
OPT_OUTS_AT_LEAST: Final = 5
EXCESS: Final = 2.0
LOOKS_BACK: Final = timedelta(days=30)


def close_decisions(config: Config, *, now: datetime) -> int:
    """Learn from what matured, and pause an arm with an excess of opt-outs. Gives how many expired.

    Flushes. Idempotent.
    """
    expired = absorbing.absorb(config, now=now)
    for arm in standings():
        if not arm.is_paused:
            _pause_in_excess(arm.strategy, now)
    return expired


def _pause_in_excess(strategy: str, now: datetime) -> None:
    """Pause an arm whose opt-outs are surely more than twice those of the others; the last arm stays.

    Only what came since somebody last decided about the arm counts, so that a resumed one gets its chance.
    """
    decided_at = db.session.scalar(
        select(func.max(Arm.changed_at)).where(Arm.strategy == strategy, Arm.changed_at <= now)
    )
    since = max(now - LOOKS_BACK, decided_at) if decided_at is not None else now - LOOKS_BACK
    mine, others = _opt_outs(strategy, since)
    if mine.hits < OPT_OUTS_AT_LEAST or not others.size or mine.low <= EXCESS * others.value:
        return
    if sum(not arm.is_paused for arm in standings()) > 1:
        reason = f"opt-outs: {mine.hits} of {mine.size}, other strategies {others.hits} of {others.size}"
        steering.steer("pause", strategy=strategy, reason=reason, now=now)
        text = f"The strategy {strategy} was paused: too many people opted out after it ({reason})."
        alerts.raise_alert(ALERT, f"{ALERT}:{strategy}", text, now=now)


def _opt_outs(strategy: str, since: datetime) -> tuple[Share, Share]:
    """Count opt-outs of one strategy and of all others, among what was drawn since then."""
    has_left = select(Outcome.id).where(Outcome.decision_id == Decision.id, Outcome.kind == OPT_OUT).exists()
    per_decision = (
        select(
            case((Decision.strategy == strategy, 1), else_=0).label("is_mine"),
            case((has_left, 1), else_=0).label("has_left"),
        )
        .where(Decision.created_at > since, Decision.is_manual.is_(False), absorbing.is_counted())
        .subquery()
    )
    rows = db.session.execute(
        select(per_decision.c.is_mine, func.sum(per_decision.c.has_left), func.count()).group_by(
            per_decision.c.is_mine
        )
    )
    shares = {bool(mine): Share(int(hits), size) for mine, hits, size in rows}
    return shares.get(True, Share(0, 0)), shares.get(False, Share(0, 0))
