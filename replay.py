"""Webhooks that were set aside, tried again: those that failed, and those of a number that we have since
connected.

The command `replay-events` calls it. Flushes, never commits; the caller wakes the lanes after its commit.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import select, update

import integrations
from integrations import Number
from lanes import RECEIPTS_LANE, TEMPLATES_LANE, inbound_lane
from models import WebhookEvent, db
from providers import provider
from providers.base import Echo, Event, HistoryMessage, InboundMessage, Person
from statements import changed_rows

# The door keeps a stranger's element under this prefix, so that it cannot take the key of one of ours.
UNKNOWN_PREFIX: Final = "u:"
EVENTS_PER_REPLAY: Final = 10_000


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many wait again, how many still belong to no number of ours, and whose lanes are to be woken."""

    failed: int
    adopted: int
    still_unknown: int
    lanes: tuple[str, ...]


def replay_events() -> Replayed:
    """Put failed events back to pending, and unknown ones whose number is ours now. Flushes, idempotent."""
    lanes = set(
        db.session.scalars(
            select(WebhookEvent.lane)
            .where(WebhookEvent.state == "failed", WebhookEvent.lane.is_not(None))
            .distinct()
        )
    )
    failed = changed_rows(
        update(WebhookEvent)
        .where(WebhookEvent.state == "failed", WebhookEvent.lane.is_not(None))
        .values(state="pending", attempts=0, due_at=None, error="")
    )
    adopted, still_unknown = _adopt_unknown(lanes)
    db.session.flush()
    return Replayed(failed, adopted, still_unknown, tuple(sorted(lane for lane in lanes if lane)))


def _adopt_unknown(lanes: set[str | None]) -> tuple[int, int]:
    by_name = {(n.webhook_shape, n.account.number_id): n for n in integrations.numbers()}
    adopted = still_unknown = 0
    rows = db.session.scalars(
        select(WebhookEvent)
        .where(WebhookEvent.state == "unknown")
        .order_by(WebhookEvent.id)
        .limit(EVENTS_PER_REPLAY)
    ).all()
    for row in rows:
        number = by_name.get((row.provider, _number_id(row.event_key)))
        if number is None:
            still_unknown += 1
            continue
        _adopt(row, number)
        adopted += row.state == "pending"
        lanes.add(row.lane)
    return adopted, still_unknown


def _number_id(event_key: str) -> str:
    """Read the number out of `u:m:<number>:<id>`; a key that was too long had to be hashed and names none."""
    parts = event_key.split(":")
    return parts[2] if event_key.startswith(UNKNOWN_PREFIX) and len(parts) > 3 else ""


def _adopt(row: WebhookEvent, number: Number) -> None:
    key = row.event_key.removeprefix(UNKNOWN_PREFIX)
    is_known = db.session.execute(select(WebhookEvent.id).where(WebhookEvent.event_key == key)).first()
    row.integration_id = number.id
    if is_known is not None:
        row.state = "ignored"  # the provider has sent it once more, since we know the number
        return
    row.event_key = key
    row.lane = _lane(row, number)
    row.state = "pending" if row.lane else "ignored"
    db.session.flush()


def _lane(row: WebhookEvent, number: Number) -> str | None:
    if row.kind == "status":
        return RECEIPTS_LANE
    if row.kind == "template":
        return TEMPLATES_LANE
    person = _person(provider(row.provider).parse(row.payload))
    name = (person.bsuid or person.wa_id) if person is not None else None
    return inbound_lane(number.id, name) if name else None


def _person(event: Event) -> Person | None:
    match event:
        case InboundMessage():
            return event.sender
        case Echo():
            return event.recipient
        case HistoryMessage():
            return event.contact
    return None
