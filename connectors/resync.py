"""Telling a connector of everything that stands here, once more: after it was added, or when in doubt.

A page begins it; the worker goes on with it, a handful of records at a time, behind what is told anyway. What
stands there already is found again by its link or by our id, so that nothing is doubled. Flushes, never
commits.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, func, select

from connectors import CONNECTORS
from models import OutgoingEvent, WebhookDelivery, WebhookEndpoint, db
from webhooks_out import bodies, endpoints

AT_ONCE: Final = 50


def begin(row: WebhookEndpoint, *, now: datetime) -> int:
    """Begin a resync, anew where one runs; gives how many records it is about. Flushes."""
    total = sum(
        db.session.scalar(select(func.count()).select_from(found.subquery())) or 0
        for _kind, _record, found in _everything(row, now)
    )
    row.settings = {**(row.settings or {}), "resync": {"part": 0, "after": 0, "queued": 0, "total": total}}
    db.session.flush()
    return total


def due() -> list[int]:
    """List the endpoints whose resync can go on: what it put into the outbox has left. Reads only."""
    return [
        row.id
        for row in endpoints.listed()
        if row.is_active and row.service in CONNECTORS and "part" in _state(row) and not _waiting(row.id)
    ]


def progress(row: WebhookEndpoint) -> tuple[int, int] | None:
    """Give how many records were told, and of how many; None when none was ever begun."""
    state = _state(row)
    return None if not state else (max(state["queued"] - _waiting(row.id), 0), state["total"])


def go_on(endpoint_id: int, *, now: datetime) -> None:
    """Put the next records of a resync into the outbox. Flushes."""
    row = db.session.get_one(WebhookEndpoint, endpoint_id, populate_existing=True)
    state, parts = _state(row), _everything(row, now)
    if "part" not in state:
        return
    if state["part"] >= len(parts):
        del state["part"]
        row.settings = {**(row.settings or {}), "resync": state}
        db.session.flush()
        return
    kind, record, found = parts[state["part"]]
    key = found.selected_columns[0]
    ids = db.session.scalars(found.where(key > state["after"]).order_by(key).limit(AT_ONCE)).all()
    for record_id in ids:
        _leave(row.id, kind, record, record_id, now)
    is_over = len(ids) < AT_ONCE
    row.settings = {
        **(row.settings or {}),
        "resync": {
            "part": state["part"] + is_over,
            "after": 0 if is_over else ids[-1],
            "queued": state["queued"] + len(ids),
            "total": state["total"],
        },
    }
    db.session.flush()


def _state(row: WebhookEndpoint) -> dict[str, Any]:
    return dict((row.settings or {}).get("resync") or {})


def _leave(endpoint_id: int, kind: str, record: str, record_id: int, now: datetime) -> None:
    event = OutgoingEvent(kind=kind, record=record, record_id=record_id, is_spread=True, at=now)
    told = bodies.body_of(event)
    if told is None:
        return
    event.body, event.contact_id = told.data, told.contact_id
    db.session.add(event)
    db.session.flush()
    delivery = WebhookDelivery(event_id=event.id, endpoint_id=endpoint_id, due_at=now, created_at=now)
    db.session.add(delivery)


def _everything(row: WebhookEndpoint, now: datetime) -> Sequence[tuple[str, str, Select[int]]]:
    return CONNECTORS[row.service].everything(now)


def _waiting(endpoint_id: int) -> int:
    waiting = (WebhookDelivery.endpoint_id == endpoint_id, WebhookDelivery.due_at.is_not(None))
    return db.session.scalar(select(func.count(WebhookDelivery.id)).where(*waiting)) or 0
