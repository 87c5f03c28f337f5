"""The front page: who needs a person now, the last messages, the health of numbers and workers, alerts."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_timezone
from flask_babel import gettext as _
from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import selectinload

import alerts
import integrations
from dashboard import inbox_lists, wording
from dashboard.inbox_lists import Filters
from dashboard.templating import contact_name, money
from models import (
    Alert,
    Appointment,
    Contact,
    Conversation,
    Integration,
    Lead,
    Message,
    Order,
    Product,
    Ticket,
    Worker,
    db,
    utc_now,
)

WAITING_SHOWN = 6
LAST_SHOWN = 8
ALERTS_SHOWN = 10
WORKER_SILENT_AFTER = timedelta(seconds=60)

bp = Blueprint("overview", __name__)
# Alerts whose topic ends with the id of an order.
ORDER_ALERTS = frozenset(
    {"paid", "payment_claimed", "payment_mismatch", "payment_late", "payment_twice", "payment_failed"}
    | {"refund_failed", "refund_wanted", "order_placed", "to_deliver", "undelivered"}
)


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
    alerts: tuple["ShownAlert", ...]


@dataclass(frozen=True, slots=True)
class ShownAlert:
    """An alert in the words of the page; `about` names whom or what it is about."""

    alert: Alert
    words: str
    about: str
    order_id: int = 0  # whose page it leads to


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
        last=inbox_lists.inbox_page(Filters(), 0, now=now, size=LAST_SHOWN).conversations,
        today=_today(now),
        numbers=tuple(
            db.session.scalars(select(Integration).where(Integration.is_active).order_by(Integration.id))
        ),
        worker_seen_at=seen_at,
        is_worker_alive=seen_at is not None and now - seen_at < WORKER_SILENT_AFTER,
        has_unsigned_door=integrations.has_unsigned_door(),
        alerts=tuple(_shown_alert(alert) for alert in alerts.open_alerts(ALERTS_SHOWN)),
    )


def _shown_alert(alert: Alert) -> ShownAlert:
    words = wording.alert_words(alert.kind, alert.text)
    about = [_person_of(alert), _facts_of(alert)] if words != alert.text else []
    order_id = _row_id(alert) if alert.kind in ORDER_ALERTS else 0
    return ShownAlert(alert, words, " · ".join(part for part in about if part), order_id)


def _row_id(alert: Alert) -> int:
    """Read the row that an alert's topic names; 0 where it names none."""
    thing = (alert.open_topic or "").rpartition(":")[2]
    return int(thing) if thing.isascii() and thing.isdecimal() and len(thing) < 19 else 0


def _person_of(alert: Alert) -> str:
    contact = db.session.scalar(
        select(Contact)
        .join(Conversation, Conversation.contact_id == Contact.id)
        .where(Conversation.id == alert.conversation_id)
        .options(selectinload(Contact.identities))
    )
    return contact_name(contact) if contact else ""


def _facts_of(alert: Alert) -> str:
    """Say what is particular about it, from the rows that its topic names."""
    thing = (alert.open_topic or "").rpartition(":")[2]
    row_id = _row_id(alert)
    if alert.kind in ORDER_ALERTS:
        order = db.session.get(Order, row_id)
        return f"{order.number}, {money(order.total_minor, order.currency)}" if order else ""
    match alert.kind:
        case "waiting":
            found = db.session.get(Conversation, alert.conversation_id or 0)
            return wording.reason_words(found.handler_reason) if found else ""
        case "delivery_failed":
            return _last_failure(alert.conversation_id)
        case "lead":
            lead = db.session.get(Lead, row_id)
            return lead.interest if lead else ""
        case "credentials" | "token_ending":
            number = db.session.get(Integration, row_id)
            return number.name if number else ""
        case "no_keys":
            product = db.session.get(Product, row_id)
            return product.name if product else ""
        case "complaint":
            return thing
        case "appointment":
            wish = db.session.scalar(select(Appointment.wish).where(Appointment.number == thing)) or ""
            return f"{thing}: {wish}" if wish else thing
    return f"#{row_id}" if row_id else ""


def _last_failure(conversation_id: int | None) -> str:
    failed = db.session.scalar(
        select(Message)
        .where(Message.conversation_id == conversation_id, Message.error_code != "")
        .order_by(Message.id.desc())
        .limit(1)
    )
    return wording.error_words(failed.error_code, failed.error_text) if failed else ""


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
