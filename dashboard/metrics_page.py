"""`/metrics` for Prometheus: what was counted in every process, and what waits in the tables now.

Behind an API key that may read figures: numbers of turns and of what a model costs are the shop's own
business. Not open to the loopback address, because a proxy on the same host comes from there with everybody.
Names no customer.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import func, select

import alerts
import lanes
import metrics
import tasks
from auth import api_key_required
from metrics import Gauge
from models import WebhookDelivery, Worker, db
from teamwork import unanswered

log = structlog.get_logger()
bp = Blueprint("metrics_page", __name__)

WORKER_SILENT_AFTER: Final = timedelta(seconds=60)


@bp.get("/metrics")
@api_key_required("figures:read")
def page() -> Response:
    """Give every count and gauge in the text format of Prometheus."""
    now = datetime.now(UTC)
    return Response(metrics.page(_gauges(now), _of_workers(now)), content_type=CONTENT_TYPE_LATEST)


def _gauges(now: datetime) -> list[Gauge]:
    standing = lanes.standing(now)
    oldest = min(
        [*(one.since for one in unanswered.waiting_for_people(now)), lanes.oldest_pending(now) or now]
    )
    deliveries = select(func.count()).where(WebhookDelivery.due_at.is_not(None))
    alive = select(func.count()).where(Worker.seen_at > now - WORKER_SILENT_AFTER)
    return [
        _counts("balcao_inbox_events", "Webhook elements that are not done.", standing.events, "state"),
        _one("balcao_lanes_waiting", "People whose messages wait.", standing.lanes),
        _one("balcao_lane_age_seconds", "Age of the oldest element that waits.", standing.lane_age_secs),
        _counts("balcao_outbox_messages", "Messages that have not left.", standing.sends, "status"),
        _one("balcao_outbox_age_seconds", "How long the first of them is due.", standing.send_age_secs),
        *_queue(),
        _one(
            "balcao_oldest_unanswered_seconds",
            "Age of the oldest message without an answer of the desk's or of a person's.",
            max(0.0, (now - oldest).total_seconds()),
        ),
        _one("balcao_webhooks_out_waiting", "Webhooks of ours to be sent.", _scalar(deliveries)),
        _one("balcao_workers", "Workers with a heartbeat in the last minute.", _scalar(alive)),
        _one("balcao_alerts_open", "Alerts that nobody has acknowledged.", alerts.open_count()),
    ]


def _queue() -> list[Gauge]:
    """Count the wake-ups; a queue that cannot be reached must not hide the rest."""
    try:
        depth = tasks.huey.pending_count()
    except Exception as error:
        log.warning("queue_away", error=type(error).__name__)
        return []
    return [_one("balcao_queue_depth", "Wake-ups in the queue.", depth)]


def _of_workers(now: datetime) -> list[tuple[str, str]]:
    """Give what living workers of other processes left; where they share a folder they leave nothing."""
    rows = db.session.execute(
        select(Worker.name, Worker.figures).where(
            Worker.seen_at > now - WORKER_SILENT_AFTER,
            Worker.name != tasks.HOLDER,
            Worker.figures.is_not(None),
        )
    )
    return [(name, figures) for name, figures in rows if figures is not None]


def _scalar(query: object) -> int:
    return int(db.session.scalar(query) or 0)  # type: ignore[call-overload]


def _one(name: str, about: str, value: float) -> Gauge:
    return Gauge(name, about, (("", value),))


def _counts(name: str, about: str, counts: Mapping[str, int], label: str) -> Gauge:
    return Gauge(name, about, tuple(counts.items()), label)
