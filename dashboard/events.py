"""Webhook events that nobody could use, for admins: what came, why it was left, and trying them again."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import select

import tasks
from dashboard.arguments import row_id
from models import WebhookEvent, db
from replay import replay_events

PAGE_SIZE = 30
PAYLOAD_MAX_CHARS = 20_000
TOPIC_MAX_CHARS = 60
# What needs a look, in the order of how much.
STATES = ("failed", "unknown", "unmatched", "ignored")

bp = Blueprint("events", __name__)


@dataclass(frozen=True, slots=True)
class ShownEvent:
    event: WebhookEvent
    topic: str
    explanation: str
    payload: str
    is_cut: bool


@bp.get("/events")
def events() -> ResponseReturnValue:
    state = request.args.get("state", "")
    states = (state,) if state in STATES else STATES
    before = request.args.get("before", type=row_id)
    rows = _read(states, before)
    return render_template(
        "dashboard/events.html",
        events=tuple(_shown(row) for row in rows[:PAGE_SIZE]),
        next_before=rows[PAGE_SIZE - 1].id if len(rows) > PAGE_SIZE else None,
        state=state if state in STATES else "",
        states=STATES,
    )


@bp.post("/events/replay")
def replay() -> ResponseReturnValue:
    """Put back to work what failed, and what came for a number that is connected by now."""
    replayed = replay_events()
    db.session.commit()
    tasks.wake(replayed.lanes)
    flash(_("Events that wait again: %(count)d.", count=replayed.failed + replayed.adopted), "success")
    return redirect(url_for("events.events"), 303)


def _read(states: tuple[str, ...], before: int | None) -> list[WebhookEvent]:
    """Read each state through the index by state, then take the newest of all."""
    found: list[WebhookEvent] = []
    for state in states:
        query = select(WebhookEvent).where(WebhookEvent.state == state)
        if before is not None:
            query = query.where(WebhookEvent.id < before)
        found += db.session.scalars(query.order_by(WebhookEvent.id.desc()).limit(PAGE_SIZE + 1))
    return sorted(found, key=lambda event: event.id, reverse=True)[: PAGE_SIZE + 1]


def _shown(event: WebhookEvent) -> ShownEvent:
    text = event.payload[: PAYLOAD_MAX_CHARS * 4].decode("utf-8", errors="replace")
    element: Any = None
    try:
        element = json.loads(text)
        text = json.dumps(element, indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = text.replace("\x00", "\N{SYMBOL FOR NULL}")  # shown as it came
    element = element if isinstance(element, dict) else {}
    return ShownEvent(
        event,
        _topic(event, element),
        _explanation(event, element),
        text[:PAYLOAD_MAX_CHARS],
        len(text) > PAYLOAD_MAX_CHARS,
    )


def _topic(event: WebhookEvent, element: Mapping[str, Any]) -> str:
    """Say what the element is about: Meta's field, or what Twilio's form says of itself."""
    form = element.get("form")
    found = element.get("field") if not isinstance(form, dict) else form.get("MessageStatus")
    return str(found or "")[:TOPIC_MAX_CHARS]


def _explanation(event: WebhookEvent, element: Mapping[str, Any]) -> str:
    """Say why it was left: in our words where the state says it, else with the error that was kept."""
    if event.state == "unknown":
        number = _number_of(element)
        if number:
            return str(_("No number with the id %(number)s is connected.", number=number))
        return str(_("It names no number of ours."))
    if event.state == "unmatched":
        return str(_("A receipt that came before its message is known; it waits."))
    if event.state == "ignored" and event.kind == "status":
        return str(_("No message of ours has this id: another program sent it."))
    if event.state == "ignored" and not event.error:
        return str(_("News that needs no answer; kept to be looked at."))
    if event.error:
        return str(_("It could not be worked on: %(error)s", error=event.error))
    return ""


def _number_of(element: Mapping[str, Any]) -> str:
    metadata, form = element.get("metadata"), element.get("form")
    if isinstance(metadata, dict):
        return str(metadata.get("phone_number_id") or "")[:TOPIC_MAX_CHARS]
    if isinstance(form, dict):
        return str(form.get("To") or "").removeprefix("whatsapp:")[:TOPIC_MAX_CHARS]
    return ""
