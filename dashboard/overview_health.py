"""How the desk itself fares: numbers, worker, queue, database, language model and what that has cost today.

Called by the overview. Reads only, in three queries. Each part is good, bad, or unknown, with the figures
that say why; the page words them.
"""

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Integer, cast, func, literal, null, select, union_all

import desk_settings
import integrations
import model_calls
from auth import current_config
from dashboard.days import midnight
from models import Integration, Message, ModelCall, UtcDateTime, WebhookEvent, Worker, db

WORKER_SILENT_AFTER: Final = timedelta(seconds=60)
# A queue in which something has waited so long is no longer worked on as it should be.
QUEUE_LATE_AFTER: Final = timedelta(minutes=2)
COUNTED_AT_MOST: Final = 1_000
MODEL_LOOKED_BACK: Final = timedelta(hours=1)
# From so many calls on, a share of failures says something.
MODEL_FAILING_FROM: Final = 0.5
SPAM: Final = "spam"
DATABASE_SLOW_SECS: Final = 0.25
DATABASES: Final = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mysql": "MariaDB", "mariadb": "MariaDB"}


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that may be well or not. `is_good` is None while nothing is known."""

    is_good: bool | None
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Health:
    numbers: tuple[Integration, ...]
    worker: Part
    inbound: Part  # what came and is not answered yet
    outbound: Part  # what is to be sent
    database: Part
    model: Part
    spend: Part
    spam_today: int
    has_unsigned_door: bool

    @property
    def is_all_good(self) -> bool:
        parts = (self.worker, self.inbound, self.outbound, self.database, self.model, self.spend)
        return all(part.is_good is not False for part in parts) and all(
            number.health_ok is not False for number in self.numbers
        )


def health_of(now: datetime, *, has_model: bool) -> Health:
    """Ask how everything fares."""
    began = time.perf_counter()
    rows = {row.name: row for row in db.session.execute(_questions(now))}
    took = time.perf_counter() - began
    seen_at = rows["worker"].at
    numbers = db.session.scalars(select(Integration).where(Integration.is_active).order_by(Integration.id))
    return Health(
        numbers=tuple(numbers),
        worker=Part(seen_at is not None and now - seen_at < WORKER_SILENT_AFTER, {"seen_at": seen_at}),
        inbound=_queue(rows["inbound"], now),
        outbound=_queue(rows["outbound"], now),
        database=Part(
            took < DATABASE_SLOW_SECS,
            {"name": DATABASES.get(db.engine.dialect.name, db.engine.dialect.name), "took_ms": took * 1000},
        ),
        model=_model(rows["model"], has_model),
        spend=_spend(int(rows["spend"].many or 0), has_model),
        spam_today=_count(rows["spam"]),
        has_unsigned_door=integrations.has_unsigned_door(),
    )


def _questions(now: datetime) -> Any:
    """Write one query for everything that is counted."""
    waits = (
        select(WebhookEvent.received_at.label("at"))
        .where(WebhookEvent.state == "pending", WebhookEvent.lane.is_not(None))
        .order_by(WebhookEvent.id)
        .limit(COUNTED_AT_MOST)
        .subquery()
    )
    goes = (
        select(Message.send_due_at.label("at"))
        .where(Message.send_due_at.is_not(None), Message.send_due_at <= now)
        .limit(COUNTED_AT_MOST)
        .subquery()
    )
    never = cast(null(), UtcDateTime())
    failed = func.sum(cast(ModelCall.outcome != "ok", Integer))
    return union_all(
        select(
            literal("worker").label("name"),
            literal(0).label("many"),
            literal(0).label("other"),
            func.max(Worker.seen_at, type_=UtcDateTime()).label("at"),
        ),
        select(literal("inbound"), func.count(), literal(0), func.min(waits.c.at, type_=UtcDateTime())),
        select(literal("outbound"), func.count(), literal(0), func.min(goes.c.at, type_=UtcDateTime())),
        select(literal("model"), func.count(), failed, never).where(
            ModelCall.created_at >= now - MODEL_LOOKED_BACK
        ),
        select(literal("spam"), func.count(), literal(0), never).where(
            Message.created_at >= midnight(now), Message.direction == "in", Message.intent == SPAM
        ),
        select(literal("spend"), func.sum(ModelCall.cost_microusd), literal(0), never).where(
            ModelCall.created_at >= midnight(now)
        ),
    )


def _count(row: Any) -> int:
    return int(row.many or 0)


def _queue(row: Any, now: datetime) -> Part:
    late = row.at is not None and now - row.at > QUEUE_LATE_AFTER
    return Part(not late, {"count": int(row.many), "oldest": row.at})


def _model(row: Any, has_model: bool) -> Part:
    if not has_model:
        return Part(None, {"calls": 0})
    calls, failures = int(row.many), int(row.other or 0)
    is_good = None if not calls else failures / calls < MODEL_FAILING_FROM
    return Part(
        is_good,
        {"calls": calls, "failures": failures, "name": desk_settings.current(current_config()).ai_model},
    )


def _spend(spent_microusd: int, has_model: bool) -> Part:
    cap = desk_settings.current(current_config()).ai_daily_spend_cap_usd
    spent = Decimal(int(spent_microusd)) / model_calls.MICROS
    share = float(spent / cap) if cap else 0.0
    return Part(
        None if not has_model else spent < cap or not cap, {"spent": spent, "cap": cap, "share": share}
    )
