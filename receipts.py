"""What the provider says became of our messages: statuses move forward only, and settle sends whose fate
was unknown.

`tasks` calls `apply_receipts` under the lease of the receipts' lane. A receipt that comes before its
message is known waits.
Flushes and never commits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import select, update

import alerts
import conversations
import integrations
import logs
import webhooks_out
from models import Conversation, Message, WebhookEvent, db
from providers import provider
from providers.base import Receipt
from statements import changed_rows
from vocabulary import RECEIPT_STATUSES, statuses_before
from webhooks_out.kinds import MESSAGE_STATUS

log = structlog.get_logger()

UNMATCHED_TRIES: Final = 12  # of a receipt whose message is not known (yet): about an hour
# Twilio: nothing more reaches her. Meta: no marketing template does (providers/meta_errors.py).
OPT_OUT_CODES: Final = frozenset({21610})
NO_MARKETING_CODES: Final = frozenset({131050})


def apply_receipts(events: Sequence[WebhookEvent], *, now: datetime) -> None:
    """Move the statuses of our messages forward; a receipt whose message is unknown waits and is tried
    again. Flushes."""
    for event in events:
        parsed = provider(event.provider).parse(event.payload)
        if not isinstance(parsed, Receipt):
            event.state = "ignored"
        elif parsed.status not in RECEIPT_STATUSES:
            event.state = "done"
        elif (ours := _find(event.integration_id, parsed)) is None:
            _wait_for_message(event, now)
        else:
            _apply_receipt(ours, parsed, now)
            event.state, event.trace_id = "done", ours.trace_id or event.trace_id
    db.session.flush()


def set_aside(event_id: int, error: Exception, *, now: datetime) -> None:
    """Keep a receipt that cannot be worked on from coming up again; people are told. Flushes."""
    log.error("receipt_failed", event_id=event_id, error=type(error).__name__)
    event = db.session.get_one(WebhookEvent, event_id)
    event.state, event.error, event.due_at = "failed", type(error).__name__[:255], None
    text = f"Receipt event {event_id} could not be worked on and was set aside."
    alerts.raise_alert("receipt_failed", f"event:{event_id}", text, now=now)


@dataclass(frozen=True, slots=True)
class _Ours:
    """The message of ours that a receipt tells of."""

    id: int
    conversation_id: int
    trace_id: str | None


def _apply_receipt(ours: _Ours, receipt: Receipt, now: datetime) -> None:
    values: dict[str, Any] = {"status": receipt.status, "status_at": receipt.at or now, "send_due_at": None}
    error = receipt.errors[0] if receipt.errors else None
    if receipt.status == "failed" and error is not None:
        values |= {
            "error_code": str(error.code)[:20],
            "error_text": (error.details or error.title or "The provider could not deliver it.")[:255],
        }
    is_mine = Message.id == ours.id
    changed = changed_rows(
        update(Message).where(is_mine, Message.status.in_(statuses_before(receipt.status))).values(**values)
    )
    if changed and receipt.reference:
        _keep_external_id(ours.id, receipt)
    with logs.tracing(ours.trace_id):
        log.info("receipt", message_id=ours.id, status=receipt.status, is_news=changed > 0)
    if changed:
        webhooks_out.leave(MESSAGE_STATUS, "message", ours.id, now=now, after=receipt.status)
    if changed and receipt.status == "failed":
        _tell_of_failure(ours, receipt, now)


def _find(integration_id: int | None, receipt: Receipt) -> _Ours | None:
    found = select(Message.id, Message.conversation_id, Message.trace_id).where(
        *_match(integration_id, receipt)
    )
    row = db.session.execute(found).first()
    return None if row is None else _Ours(*row)


def _match(integration_id: int | None, receipt: Receipt) -> tuple[Any, ...]:
    """Find our message by our own mark where it came back, else by the provider's id."""
    ours = (Message.integration_id == integration_id, Message.direction == "out")
    message_id = integrations.message_of(receipt.reference)
    if message_id is not None:
        # A message that was sent twice has two external ids and answers to both.
        same = (
            Message.external_id.is_(None)
            | (Message.external_id == receipt.external_id)
            | (Message.resent_count > 0)
        )
        return (*ours, Message.id == message_id, same)
    return (*ours, Message.external_id == receipt.external_id)


def _keep_external_id(message_id: int, receipt: Receipt) -> None:
    changed_rows(
        update(Message)
        .where(Message.id == message_id, Message.external_id.is_(None))
        .values(external_id=receipt.external_id)
    )


def _tell_of_failure(ours: _Ours, receipt: Receipt, now: datetime) -> None:
    error_text, contact_id = db.session.execute(
        select(Message.error_text, Conversation.contact_id)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(Message.id == ours.id)
    ).one()
    alerts.raise_alert(
        "delivery_failed",
        f"delivery_failed:conversation:{ours.conversation_id}",
        error_text or "A message failed.",
        conversation_id=ours.conversation_id,
        now=now,
    )
    codes = {error.code for error in receipt.errors}
    if codes & OPT_OUT_CODES:
        conversations.opt_out(contact_id, now=now)
    elif codes & NO_MARKETING_CODES:
        conversations.set_marketing_preference(contact_id, wants_marketing=False, now=now)


def _wait_for_message(event: WebhookEvent, now: datetime) -> None:
    """Our send may not have been stored yet; or the message was never ours (sent by another program)."""
    event.attempts += 1
    if event.attempts > UNMATCHED_TRIES:
        event.state, event.error = "ignored", "no message of ours has this id"
    else:
        event.state = "unmatched"
        event.due_at = now + timedelta(seconds=2.0 ** min(event.attempts, 9))
