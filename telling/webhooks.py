"""Sends webhooks to programs of other people: spreads what is new, sends what is due, keeps what came of it.

The worker's messenger calls `wanted` and `tell`, admins' pages `tell_now`. An endpoint that does not answer
keeps nothing from the others for longer than one time-out: its first failure ends its round.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from time import perf_counter
from typing import Final

import structlog

import connectors
import lanes
import logs
import metrics
from config import Config
from models import WebhookEndpoint, db, reading
from providers.base import SendError
from telling import conversions
from webhooks_out import deliveries
from webhooks_out.deliveries import WITHHELD, Parcel, Told
from webhooks_out.endpoints import CONVERSIONS
from wires import signed_webhook

log = structlog.get_logger()

TIMEOUT_SECS: Final = 10.0
# Longer than all sends of one round.
LEASE_SECS: Final = 300.0
SENDS_PER_ROUND: Final = 25
SPREADS_PER_ROUND: Final = 10

Sender = Callable[[Parcel, Config, datetime], tuple[int | None, SendError | None]]


def wanted(clock: Callable[[], datetime]) -> list[int]:
    """Spread what is new, and give the endpoints for which something is due. Commits."""
    for _round in range(SPREADS_PER_ROUND):
        with reading():
            has_new = deliveries.has_new()
            db.session.rollback()
        if not has_new:
            break
        deliveries.spread(now=clock())
        db.session.commit()
    with reading():
        found = deliveries.due(clock())
        db.session.rollback()
    return found


def tell(endpoint_id: int, config: Config, holder: str, clock: Callable[[], datetime]) -> int:
    """Send one endpoint what is due, one worker at a time; gives how many it took. Commits."""
    lease = lanes.claim(f"job:webhooks:{endpoint_id}", holder, LEASE_SECS)
    if lease is None:
        return 0
    sent = 0
    try:
        for _send in range(SENDS_PER_ROUND):
            parcel = deliveries.take(endpoint_id, config.secret_key, now=clock())
            db.session.commit()
            if parcel is None or not _deliver(parcel, config, clock):
                break
            sent += 1
            lanes.renew(lease, LEASE_SECS)
    except lanes.LeaseLost:
        db.session.rollback()
    finally:
        db.session.rollback()
        lanes.release(lease)
    return sent


def send_test(endpoint: WebhookEndpoint, config: Config, *, now: datetime) -> SendError | None:
    """Really send a test to an endpoint, now, through its outbox; None when it was taken. Commits."""
    endpoint_id = endpoint.id
    delivery_id = deliveries.leave_test(endpoint, now=now)
    parcel = deliveries.take(endpoint_id, config.secret_key, now=now, delivery_id=delivery_id)
    db.session.commit()
    if parcel is None:  # a worker sweeps right now, and sends it
        return None
    told = _send(parcel, config, now)
    deliveries.settle(parcel, told, now=now)
    db.session.commit()
    return told.error


def _deliver(parcel: Parcel, config: Config, clock: Callable[[], datetime]) -> bool:
    with logs.tracing(parcel.trace_id):
        told = _send(parcel, config, clock())
        deliveries.settle(parcel, told, now=clock())
        db.session.commit()
    return told.error is None or told.error.code in WITHHELD


def _send(parcel: Parcel, config: Config, now: datetime) -> Told:
    began = perf_counter()
    status_code, error = SENDERS[parcel.service](parcel, config, now)
    took = perf_counter() - began
    result = "sent" if error is None else error.outcome
    metrics.WEBHOOKS_OUT.labels(parcel.service, result).observe(took)
    ids = {"endpoint_id": parcel.endpoint_id, "delivery_id": parcel.delivery_id, "kind": parcel.kind}
    if error is None:
        log.info("webhook_sent", **ids)
    else:
        log.warning("webhook_not_sent", code=error.code, status=status_code, **ids)
    return Told(error, status_code, round(took * 1000))


def _post(parcel: Parcel, config: Config, now: datetime) -> tuple[int | None, SendError | None]:
    if not parcel.secrets:
        words = "Its secret cannot be opened: SECRET_KEY was changed. Rotate it."
        return None, SendError("no_secret", "final", words)
    return signed_webhook.post(
        parcel.url,
        parcel.secrets,
        message_id=parcel.message_id,
        kind=parcel.kind,
        happened_at=parcel.at,
        data=parcel.data,
        now=now,
        timeout_secs=TIMEOUT_SECS,
        allow_private=config.allow_private_addresses,
    )


SENDERS: Final[Mapping[str, Sender]] = {
    "webhook": _post,
    CONVERSIONS: conversions.send,
    **dict.fromkeys(connectors.CONNECTORS, connectors.send),
}
