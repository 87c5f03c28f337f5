"""The front page: who needs a person now, the last messages, the health of numbers and workers, alerts."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_timezone
from flask_babel import gettext as _
from sqlalchemy import Select, case, func, select

import alerts
import integrations
from dashboard import inbox_lists
from models import Alert, Conversation, Integration, Lead, Message, Ticket, Worker, db, utc_now

WAITING_SHOWN = 6
LAST_SHOWN = 8
ALERTS_SHOWN = 10
WORKER_SILENT_AFTER = timedelta(seconds=60)

bp = Blueprint("overview", __name__)


@dataclass(frozen=True, slots=True)
class Today:
    """The few figures of the day."""

    received: int
    sent: int
    uncertain: int
    open_tickets: int
    new_leads: int


@dataclass(frozen=True, slots=True)
class Overview:
    waiting: tuple[Conversation, ...]
    last: tuple[Conversation, ...]
    today: Today
    numbers: tuple[Integration, ...]
    worker_seen_at: datetime | None
    is_worker_alive: bool
    has_unsigned_door: bool
    alerts: tuple[Alert, ...]


def page() -> str:
    return render_template("dashboard/overview.html", overview=_read(utc_now()))


@bp.post("/alerts/<int:alert_id>/acknowledge")
def acknowledge_alert(alert_id: int) -> ResponseReturnValue:
    if alerts.acknowledge(alert_id, now=utc_now()):
        flash(_("Done: the alert is closed."), "success")
    db.session.commit()
    return redirect(url_for("status.home"))


def _read(now: datetime) -> Overview:
    seen_at = db.session.scalar(select(func.max(Worker.seen_at)))
    return Overview(
        waiting=inbox_lists.waiting_conversations(WAITING_SHOWN),
        last=inbox_lists.inbox_page("all", "", None, LAST_SHOWN).conversations,
        today=_today(now),
        numbers=tuple(
            db.session.scalars(select(Integration).where(Integration.is_active).order_by(Integration.id))
        ),
        worker_seen_at=seen_at,
        is_worker_alive=seen_at is not None and now - seen_at < WORKER_SILENT_AFTER,
        has_unsigned_door=integrations.has_unsigned_door(),
        alerts=tuple(alerts.open_alerts(ALERTS_SHOWN)),
    )


def _today(now: datetime) -> Today:
    midnight = now.astimezone(get_timezone()).replace(hour=0, minute=0, second=0, microsecond=0)
    counted = db.session.execute(
        select(Message.direction, func.count(), func.sum(case((Message.status == "uncertain", 1), else_=0)))
        .where(Message.created_at >= midnight)
        .group_by(Message.direction)
    )
    by_direction = {direction: (count, uncertain) for direction, count, uncertain in counted}
    return Today(
        received=by_direction.get("in", (0, 0))[0],
        sent=by_direction.get("out", (0, 0))[0],
        uncertain=by_direction.get("out", (0, 0))[1],
        open_tickets=_count(select(func.count(Ticket.id)).where(Ticket.status == "open")),
        new_leads=_count(select(func.count(Lead.id)).where(Lead.status == "new")),
    )


def _count(query: Select[int]) -> int:
    return db.session.scalar(query) or 0
