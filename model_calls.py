"""What the language model was asked for and what it cost: one row a call, and the daily spend cap.

The conductors ask `affordable` before a call and `record` after it, in the transaction of what the call was
for. Flushes, never commits, asks no model. Calls that run at the same moment do not see each other's cost, so
a day may end a few calls above its cap.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, case, func, select, update

import alerts
import metrics
from config import Config
from llm import Answered, Failed, Models
from models import Alert, ModelCall, db

MICROS: Final = 1_000_000
SPEND_ALERT: Final = "model_spend"
MODEL_MAX_CHARS: Final = 120

Purpose = Literal[
    "reply",
    "judging",
    "reading",
    "suggestion",
    "summary",
    "translation",
    "transcription",
    "vision",
    "document",
    "test",
]


@dataclass(frozen=True, slots=True)
class Totals:
    """What some calls used together; cost in millionths of a US dollar."""

    calls: int = 0
    failures: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_microusd: int = 0
    took_ms: int = 0


@dataclass(frozen=True, slots=True)
class Spent:
    """What the calls to one model for one purpose came to; cost in millionths of a US dollar."""

    model: str
    purpose: str
    calls: int
    failures: int
    cost_microusd: int


def affordable(models: Models | None, config: Config, *, now: datetime) -> Models | None:
    """Give what may be asked now: all models below the day's cap, only free ones from there on.

    None when there is nothing to ask. With a cap of 0 only free models are ever asked.
    """
    if models is None or may_spend(config, now=now):
        return models
    return models.only_free()


def may_spend(config: Config, *, now: datetime) -> bool:
    """Tell whether today's calls cost less than the cap so far. One sum over an index."""
    return spent_today(config.zone, now=now) < _cap_microusd(config)


def spent_today(zone: ZoneInfo, *, now: datetime) -> int:
    """Give what the calls of the shop's day cost so far, in millionths of a US dollar."""
    since = ModelCall.created_at >= _midnight(zone, now)
    return int(db.session.scalar(select(func.sum(ModelCall.cost_microusd)).where(since)) or 0)


def spent_by_model(zone: ZoneInfo, *, now: datetime) -> list[Spent]:
    """Give what was asked of each model since the shop's month began, and for what; the dearest first."""
    first = datetime.combine(now.astimezone(zone).date().replace(day=1), time(), tzinfo=zone).astimezone(UTC)
    cost = func.coalesce(func.sum(ModelCall.cost_microusd), 0)
    failed = func.coalesce(func.sum(case((ModelCall.outcome != "ok", 1), else_=0)), 0)
    rows = db.session.execute(
        select(ModelCall.model, ModelCall.purpose, func.count(ModelCall.id), failed, cost)
        .where(ModelCall.created_at >= first)
        .group_by(ModelCall.model, ModelCall.purpose)
        .order_by(cost.desc(), func.count(ModelCall.id).desc())
    )
    return [
        Spent(model, purpose, int(calls), int(bad), int(micros))
        for model, purpose, calls, bad, micros in rows
    ]


def record(
    outcome: Answered[Any] | Failed,
    *,
    purpose: Purpose,
    config: Config,
    now: datetime,
    conversation_id: int | None = None,
    turn_id: int | None = None,
) -> ModelCall:
    """Keep a call; tell an admin, once a day, when the cap is reached. Flushes."""
    call = ModelCall(
        conversation_id=conversation_id,
        turn_id=turn_id,
        purpose=purpose,
        model=outcome.model[:MODEL_MAX_CHARS],
        outcome="ok" if isinstance(outcome, Answered) else outcome.code,
        prompt_tokens=outcome.usage.prompt_tokens,
        completion_tokens=outcome.usage.completion_tokens,
        cost_microusd=outcome.usage.cost_microusd,
        took_ms=outcome.took_ms,
        created_at=now,
    )
    db.session.add(call)
    db.session.flush()
    _count(call)
    _tell_of_cap(config, now)
    return call


def _count(call: ModelCall) -> None:
    metrics.MODEL_CALLS.labels(call.purpose, call.outcome).observe(call.took_ms / 1000)
    metrics.MODEL_COST.labels(call.purpose).inc(call.cost_microusd / MICROS)
    metrics.MODEL_TOKENS.labels("prompt").inc(call.prompt_tokens)
    metrics.MODEL_TOKENS.labels("completion").inc(call.completion_tokens)


def belong_to(turn_id: int, call_ids: Sequence[int]) -> None:
    """Note which turn some calls were made for. Flushes."""
    if call_ids:
        db.session.execute(update(ModelCall).where(ModelCall.id.in_(call_ids)).values(turn_id=turn_id))


def totals_of_conversation(conversation_id: int) -> Totals:
    return _totals(ModelCall.conversation_id == conversation_id)


def totals_of_turn(turn_id: int) -> Totals:
    return _totals(ModelCall.turn_id == turn_id)


def totals_of_today(zone: ZoneInfo, *, now: datetime) -> Totals:
    return _totals(ModelCall.created_at >= _midnight(zone, now))


def _totals(condition: ColumnElement[bool]) -> Totals:
    failed = func.coalesce(func.sum(case((ModelCall.outcome != "ok", 1), else_=0)), 0)
    row = db.session.execute(
        select(
            func.count(ModelCall.id),
            failed,
            *(
                func.coalesce(func.sum(column), 0)
                for column in (
                    ModelCall.prompt_tokens,
                    ModelCall.completion_tokens,
                    ModelCall.cost_microusd,
                    ModelCall.took_ms,
                )
            ),
        ).where(condition)
    ).one()
    return Totals(*(int(value) for value in row))


def _tell_of_cap(config: Config, now: datetime) -> None:
    """Raise the day's alert; a cap of 0 is a wish and no news."""
    cap = _cap_microusd(config)
    if cap == 0 or spent_today(config.zone, now=now) < cap:
        return
    topic = f"{SPEND_ALERT}:{now.astimezone(config.zone):%Y-%m-%d}"
    if _was_told_today(config.zone, now):
        return
    cap_usd = config.ai_daily_spend_cap_usd
    words = (
        f"Today's calls to the language model have cost {cap_usd} US dollars, the day's cap. "
        "Until midnight only free models are asked; raise the cap under AI to go on."
    )
    alerts.raise_alert(SPEND_ALERT, topic, words, now=now)


def _was_told_today(zone: ZoneInfo, now: datetime) -> bool:
    """Whether today's alert was raised, also when somebody has acknowledged it since."""
    found = db.session.execute(
        select(Alert.id).where(Alert.kind == SPEND_ALERT, Alert.created_at >= _midnight(zone, now)).limit(1)
    )
    return found.first() is not None


def _cap_microusd(config: Config) -> int:
    return int(config.ai_daily_spend_cap_usd * Decimal(MICROS))


def _midnight(zone: ZoneInfo, now: datetime) -> datetime:
    """Give the moment when the shop's day began."""
    return datetime.combine(now.astimezone(zone).date(), time(), tzinfo=zone).astimezone(UTC)
