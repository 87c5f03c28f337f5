"""The inbox of payment services: what their signed webhooks said, kept before anything is done about it.

The payment door stores, the cashier takes and settles. Flushes, never commits; knows no service.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, update

from models import PaymentEvent, db
from statements import bounded, changed_rows, insert_or_ignore

BANK: Final = "bank"  # no service: a transfer that a bank's list told of
EVENT_KEY_MAX_CHARS: Final = 190
KIND_MAX_CHARS: Final = 80
ERROR_MAX_CHARS: Final = 255
FIRST_RETRY: Final = timedelta(seconds=5)
LONGEST_RETRY: Final = timedelta(minutes=30)
# With the waits between them, about four days.
MAX_TRIES: Final = 200


def store(
    method: str, event_key: str, kind: str, payload: bytes, *, now: datetime, is_readable: bool = True
) -> int | None:
    """Keep one event, unless its key is known. Gives the row's id while it waits to be worked on.

    What is signed but cannot be read is kept as failed.
    """
    key = bounded(event_key, EVENT_KEY_MAX_CHARS)
    db.session.execute(
        insert_or_ignore(PaymentEvent).values(
            method=method,
            event_key=key,
            kind=kind[:KIND_MAX_CHARS],
            state="pending" if is_readable else "failed",
            payload=payload,
            received_at=now,
            due_at=now if is_readable else None,
            attempts=0,
            error="" if is_readable else "unreadable",
        )
    )
    return db.session.scalar(
        select(PaymentEvent.id).where(
            PaymentEvent.method == method, PaymentEvent.event_key == key, PaymentEvent.state == "pending"
        )
    )


def claim_transfer(external_id: str, payment_id: int, *, now: datetime) -> bool:
    """Note that a bank's transfer is booked for a payment; False when it was for another one before. Flushes.

    Of two who book one transfer at once the second waits for the first, on every database.
    """
    key = bounded(external_id, EVENT_KEY_MAX_CHARS)
    db.session.execute(
        insert_or_ignore(PaymentEvent).values(
            method=BANK,
            event_key=key,
            kind="transfer",
            state="done",
            payload=b"",
            payment_id=payment_id,
            received_at=now,
            attempts=0,
            error="",
        )
    )
    holder = select(PaymentEvent.payment_id).where(PaymentEvent.method == BANK, PaymentEvent.event_key == key)
    return db.session.scalar(holder) == payment_id


def due(now: datetime, limit: int = 50) -> Sequence[int]:
    """Give the events that wait to be worked on now, in order of arrival."""
    found = select(PaymentEvent.id).where(PaymentEvent.state == "pending", PaymentEvent.due_at <= now)
    return db.session.scalars(found.order_by(PaymentEvent.id).limit(limit)).all()


def take(event_id: int, *, lease: timedelta, now: datetime) -> bool:
    """Take an event for the time of `lease`; False when another has it or it is settled. Flushes."""
    is_free = (PaymentEvent.id == event_id, PaymentEvent.state == "pending", PaymentEvent.due_at <= now)
    taking = update(PaymentEvent).where(*is_free)
    return changed_rows(taking.values(due_at=now + lease, attempts=PaymentEvent.attempts + 1)) == 1


def settle(event: PaymentEvent, state: str, *, payment_id: int | None = None, error: str = "") -> None:
    """Note what became of an event: done, ignored or failed. Flushes.

    What was said is kept only where somebody has to look at it: it names payers, their mail and addresses.
    """
    event.state, event.due_at, event.error = state, None, error[:ERROR_MAX_CHARS]
    if state != "failed":
        event.payload = b""
    event.payment_id = payment_id or event.payment_id
    db.session.flush()


def postpone(event: PaymentEvent, error: str, *, now: datetime) -> bool:
    """Have an event worked on later; False when it was tried for days: then it has failed. Flushes."""
    if event.attempts >= MAX_TRIES:
        settle(event, "failed", error=error)
        return False
    event.due_at = now + min(FIRST_RETRY * 2 ** min(event.attempts, 20), LONGEST_RETRY)
    event.error = error[:ERROR_MAX_CHARS]
    db.session.flush()
    return True
