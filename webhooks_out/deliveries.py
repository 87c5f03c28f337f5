"""The outbox of webhooks: events spread to endpoints, taken one at a time, settled, tried again, replayed.

`telling.webhooks` drains it, admins' pages read the log. The retry schedule is the one that the Standard
Webhooks specification proposes, about three days long. Verbs flush and never commit; who takes a delivery
commits before it sends.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, delete, func, select, update

import alerts
from alerts.kinds import WEBHOOK
from models import OutgoingEvent, WebhookDelivery, WebhookEndpoint, db
from providers.base import SendError
from statements import changed_rows, insert_or_ignore
from webhooks_out import bodies, endpoints, kinds

SPREAD_AT_ONCE: Final = 200
LEASE: Final = timedelta(minutes=2)
BACKOFF: Final = (
    timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2),
    timedelta(hours=5), timedelta(hours=10), timedelta(hours=14), timedelta(hours=20), timedelta(hours=24),
)  # fmt: skip
# An endpoint that has taken nothing for so long is switched off.
DISABLE_AFTER: Final = timedelta(days=5)
# So many that failed are tried again by one click.
REPLAYED_AT_ONCE: Final = 1000
REASON_MAX_CHARS: Final = 60
GONE: Final = "gone"
# Not told after all: nothing that the other side did wrong.
WITHHELD: Final = frozenset({"nobody", "too_old"})


@dataclass(frozen=True, slots=True)
class Parcel:
    """One event on its way to one endpoint; no row, so that no session is held while it is sent."""

    delivery_id: int
    endpoint_id: int
    service: str
    url: str
    secrets: tuple[str, ...]
    message_id: str
    kind: str
    at: datetime
    data: Mapping[str, Any]
    attempts: int
    trace_id: str | None


@dataclass(frozen=True, slots=True)
class Told:
    """What came of one attempt; no error: it was taken."""

    error: SendError | None
    status_code: int | None
    took_ms: int


# --- spreading ----------------------------------------------------------------------------------------------


def has_new() -> bool:
    """Tell whether an event waits to be spread. Reads only."""
    return (
        db.session.execute(select(OutgoingEvent.id).where(~OutgoingEvent.is_spread).limit(1)).first()
        is not None
    )


def spread(*, now: datetime) -> int:
    """Write down which endpoints are told of each new event, and what; gives how many events. Flushes."""
    events = db.session.scalars(
        select(OutgoingEvent).where(~OutgoingEvent.is_spread).order_by(OutgoingEvent.id).limit(SPREAD_AT_ONCE)
    ).all()
    rows = [row for row in endpoints.listed() if row.is_active]
    for event in events:
        wanted = [row for row in rows if endpoints.wants(row.kinds, event.kind)]
        told = bodies.body_of(event) if wanted else None
        wanted = [row for row in wanted if told is not None and endpoints.concerns(row, told)]
        if told is None or not wanted:
            db.session.delete(event)
            continue
        event.body, event.contact_id, event.is_spread = told.data, told.contact_id, True
        db.session.flush()
        for row in wanted:
            _add(event.id, row.id, now)
    db.session.flush()
    return len(events)


def leave_test(endpoint: WebhookEndpoint, *, now: datetime) -> int:
    """Write a test for one endpoint into the outbox, and give the delivery's id. Flushes."""
    event = OutgoingEvent(
        kind=kinds.TEST, record="endpoint", record_id=endpoint.id, body={"endpoint_id": endpoint.id},
        is_spread=True, at=now,
    )  # fmt: skip
    db.session.add(event)
    db.session.flush()
    delivery = WebhookDelivery(event_id=event.id, endpoint_id=endpoint.id, due_at=now, created_at=now)
    db.session.add(delivery)
    db.session.flush()
    return delivery.id


def _add(event_id: int, endpoint_id: int, now: datetime) -> None:
    db.session.execute(
        insert_or_ignore(WebhookDelivery).values(
            event_id=event_id,
            endpoint_id=endpoint_id,
            state="waiting",
            attempts=0,
            reason="",
            due_at=now,
            created_at=now,
        )
    )


# --- taking and settling ------------------------------------------------------------------------------------


def due(now: datetime) -> list[int]:
    """List the endpoints for which something is to be sent. Reads only."""
    return list(
        db.session.scalars(
            select(WebhookDelivery.endpoint_id).where(WebhookDelivery.due_at <= now).distinct()
        )
    )


def take(
    endpoint_id: int, secret_key: str, *, now: datetime, delivery_id: int | None = None
) -> Parcel | None:
    """Take the next delivery for an endpoint (or this one) out of the outbox. Flushes.

    One that a dead worker was sending is taken again: its id is the same, and its receiver can tell. None
    when nothing is due, or another worker was quicker.
    """
    query = select(WebhookDelivery).where(
        WebhookDelivery.endpoint_id == endpoint_id, WebhookDelivery.due_at <= now
    )
    if delivery_id is not None:
        query = query.where(WebhookDelivery.id == delivery_id)
    row = db.session.scalars(query.order_by(WebhookDelivery.id).limit(1)).first()
    if row is None:
        return None
    taken = changed_rows(
        update(WebhookDelivery)
        .where(
            WebhookDelivery.id == row.id,
            WebhookDelivery.attempts == row.attempts,
            WebhookDelivery.due_at <= now,
        )
        .values(state="sending", attempts=row.attempts + 1, due_at=now + LEASE)
    )
    if taken != 1:
        return None
    event = db.session.get_one(OutgoingEvent, row.event_id)
    endpoint = db.session.get_one(WebhookEndpoint, endpoint_id)
    return Parcel(
        row.id,
        endpoint_id,
        endpoint.service,
        endpoint.url,
        endpoints.secrets_of(endpoint, secret_key, now),
        f"msg_{event.id}_{int(event.at.timestamp())}",
        event.kind,
        event.at,
        event.body or {},
        row.attempts + 1,
        event.trace_id,
    )


def settle(parcel: Parcel, told: Told, *, now: datetime) -> None:
    """Keep what came of an attempt, and what it says of the endpoint. Flushes."""
    error = told.error
    values: dict[str, Any] = {"status_code": told.status_code, "took_ms": told.took_ms}
    if error is None:
        values |= {"state": "sent", "reason": "", "due_at": None, "sent_at": now}
    elif error.code in WITHHELD:
        values |= {"state": "dropped", "reason": error.code, "due_at": None}
    elif error.scope == "number" and error.outcome == "retry":  # the account's: no attempt is spent
        due_at = now + max(BACKOFF[0], timedelta(seconds=error.retry_after_secs or 0))
        values |= {"state": "waiting", "reason": error.code[:REASON_MAX_CHARS], "due_at": due_at}
        values["attempts"] = parcel.attempts - 1
        _hold(parcel.endpoint_id, due_at)
    elif error.outcome != "final" and parcel.attempts <= len(BACKOFF):
        wait = max(BACKOFF[parcel.attempts - 1], timedelta(seconds=error.retry_after_secs or 0))
        values |= {"state": "waiting", "reason": error.code[:REASON_MAX_CHARS], "due_at": now + wait}
    else:
        values |= {"state": "failed", "reason": error.code[:REASON_MAX_CHARS], "due_at": None}
    mine = (WebhookDelivery.id == parcel.delivery_id, WebhookDelivery.attempts == parcel.attempts)
    changed_rows(update(WebhookDelivery).where(*mine).values(**values))
    endpoint = db.session.get_one(WebhookEndpoint, parcel.endpoint_id, populate_existing=True)
    if error is None:
        endpoint.last_ok_at, endpoint.failing_since, endpoint.trouble = now, None, None
        alerts.settle(topic_of(endpoint.id), now=now)
    elif error.code not in WITHHELD:
        _note_failure(endpoint, error, values["state"] == "failed", now)
    db.session.flush()


def _hold(endpoint_id: int, until: datetime) -> None:
    """Let all that waits for an endpoint wait until then."""
    mine = (WebhookDelivery.endpoint_id == endpoint_id, WebhookDelivery.state == "waiting")
    changed_rows(update(WebhookDelivery).where(*mine, WebhookDelivery.due_at < until).values(due_at=until))


def hurry(endpoint_id: int, *, now: datetime) -> None:
    """Try all that waits for an endpoint now: what was wrong with it was put right. Flushes."""
    mine = (WebhookDelivery.endpoint_id == endpoint_id, WebhookDelivery.state == "waiting")
    changed_rows(update(WebhookDelivery).where(*mine).values(due_at=now))


def _note_failure(endpoint: WebhookEndpoint, error: SendError, is_given_up: bool, now: datetime) -> None:
    endpoint.failing_since, endpoint.trouble = endpoint.failing_since or now, error.code[:REASON_MAX_CHARS]
    is_dead = error.code == GONE or now - endpoint.failing_since >= DISABLE_AFTER
    if is_dead and endpoint.is_active:
        endpoints.switch(endpoint, is_active=False)
        words = f"Webhook endpoint {endpoint.id} was switched off: {error.operator_message}"
    elif is_given_up or error.is_credential_problem:
        words = f"Webhook endpoint {endpoint.id} did not take an event: {error.operator_message}"
    else:
        return
    alerts.raise_alert(WEBHOOK, topic_of(endpoint.id), words, now=now)


def topic_of(endpoint_id: int) -> str:
    return f"{WEBHOOK}:{endpoint_id}"


# --- the log ------------------------------------------------------------------------------------------------


def newest(
    endpoint_id: int, limit: int, *, before_id: int | None = None
) -> list[tuple[WebhookDelivery, OutgoingEvent]]:
    """List what an endpoint was told, the newest first."""
    query = (
        select(WebhookDelivery, OutgoingEvent)
        .join(OutgoingEvent, OutgoingEvent.id == WebhookDelivery.event_id)
        .where(WebhookDelivery.endpoint_id == endpoint_id)
    )
    if before_id is not None:
        query = query.where(WebhookDelivery.id < before_id)
    return [
        (row[0], row[1]) for row in db.session.execute(query.order_by(WebhookDelivery.id.desc()).limit(limit))
    ]


def counts() -> dict[int, dict[str, int]]:
    """Count each endpoint's deliveries by state."""
    found: dict[int, dict[str, int]] = {}
    for endpoint_id, state, count in db.session.execute(
        select(WebhookDelivery.endpoint_id, WebhookDelivery.state, func.count()).group_by(
            WebhookDelivery.endpoint_id, WebhookDelivery.state
        )
    ):
        found.setdefault(endpoint_id, {})[state] = count
    return found


def replay(endpoint_id: int, delivery_ids: Collection[int] | None, *, now: datetime) -> int:
    """Send deliveries once more under the same ids, or all that failed or were dropped; gives how many.
    Flushes."""
    mine = WebhookDelivery.endpoint_id == endpoint_id
    rest = WebhookDelivery.state.in_(("failed", "dropped"))
    query = select(WebhookDelivery.id).where(
        mine, rest if delivery_ids is None else WebhookDelivery.id.in_(delivery_ids)
    )
    ids = list(db.session.scalars(query.order_by(WebhookDelivery.id.desc()).limit(REPLAYED_AT_ONCE)))
    return changed_rows(
        update(WebhookDelivery)
        .where(WebhookDelivery.id.in_(ids), WebhookDelivery.state != "sending")
        .values(state="waiting", attempts=0, reason="", due_at=now)
    )


def forget_before(moment: datetime, limit: int) -> int:
    """Delete settled events that are older, with their deliveries; gives how many events. Flushes."""
    return _forget(
        list(db.session.scalars(select(OutgoingEvent.id).where(is_settled_before(moment)).limit(limit)))
    )


def is_settled_before(moment: datetime) -> ColumnElement[bool]:
    """Tell that an event is older, and that nobody waits for it any more."""
    waits = select(WebhookDelivery.event_id).where(WebhookDelivery.due_at.is_not(None))
    return and_(OutgoingEvent.at < moment, OutgoingEvent.is_spread, OutgoingEvent.id.not_in(waits))


def forget_people(contact_ids: Sequence[int]) -> int:
    """Delete what was told of people who are deleted here. Flushes."""
    return _forget(
        list(db.session.scalars(select(OutgoingEvent.id).where(OutgoingEvent.contact_id.in_(contact_ids))))
    )


def _forget(event_ids: Sequence[int]) -> int:
    for start in range(0, len(event_ids), 500):
        chunk = event_ids[start : start + 500]
        changed_rows(delete(WebhookDelivery).where(WebhookDelivery.event_id.in_(chunk)))
        changed_rows(delete(OutgoingEvent).where(OutgoingEvent.id.in_(chunk)))
    return len(event_ids)
