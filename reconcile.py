"""What Twilio's webhooks do not bring: messages found by listing, uncertain sends settled by what the list
shows, and what became of templates in review.

Twilio does not repeat a webhook that was lost, so `tasks` lists each of its numbers at start and every five
minutes and stores what is missing as the webhook would have been. Flushes and never commits (the inbox does).
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import select, update

import inbox
import message_templates
from integrations import Number
from models import ContactIdentity, Conversation, Message, WebhookEvent, db
from providers.base import SendError
from providers.twilio import ListedMessage, twilio
from statements import changed_rows
from vocabulary import statuses_before

log = structlog.get_logger()

# The list tells when a message was sent; our clock and Twilio's differ a little.
SEND_TIME_TOLERANCE: Final = timedelta(minutes=2)


def list_number(number: Number, since: datetime) -> list[ListedMessage] | SendError:
    """Ask Twilio what passed over a number since then. Network; no session is held."""
    return twilio.list_messages(number.account, since)


def missing_rows(number: Number, listed: Sequence[ListedMessage], now: datetime) -> list[inbox.InboxRow]:
    """Give the rows of those listed messages and receipts that no webhook brought."""
    rows = [inbox.row_of("twilio", number, one.element, now) for one in listed]
    keys = [row.event_key for row in rows]
    known = set(db.session.scalars(select(WebhookEvent.event_key).where(WebhookEvent.event_key.in_(keys))))
    return [row for row in rows if row.event_key not in known]


def settle_uncertain(number: Number, listed: Sequence[ListedMessage], *, now: datetime) -> int:
    """Settle uncertain sends that the list shows as sent: same person, same words, about the same time.
    Flushes.

    The list does not carry our own id; one listed message settles one of ours at most.
    """
    return sum(_settle(number, one, now) for one in listed if one.is_ours and one.sent_at is not None)


def follow_reviews(clock: Callable[[], datetime], *, between: Callable[[], None]) -> None:
    """Ask what became of each template in review; `between` commits, so that no session is held meanwhile."""
    waiting = message_templates.in_review("twilio")
    for template_id, number, sid in waiting:
        between()
        standing = twilio.template_approval(number.account, sid)
        if isinstance(standing, SendError):
            log.warning("review_not_told", template_id=template_id, code=standing.code)
            continue
        message_templates.note_review(template_id, standing, now=clock())
    between()


def _settle(number: Number, one: ListedMessage, now: datetime) -> int:
    is_taken = select(Message.id).where(
        Message.integration_id == number.id, Message.external_id == one.external_id
    )
    if db.session.execute(is_taken).first() is not None:
        return 0
    sent_at = (one.sent_at or now).astimezone(UTC)
    found = db.session.execute(
        select(Message.id)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .join(ContactIdentity, ContactIdentity.contact_id == Conversation.contact_id)
        .where(
            Message.integration_id == number.id,
            Message.status == "uncertain",
            Message.body == one.body,
            Message.created_at <= sent_at + SEND_TIME_TOLERANCE,
            Message.status_at >= sent_at - SEND_TIME_TOLERANCE,
            ContactIdentity.value.in_([v for v in (one.person.wa_id, one.person.bsuid) if v]),
        )
        .order_by(Message.id)
        .limit(1)
    ).scalar()
    if found is None:
        return 0
    return changed_rows(
        update(Message)
        .where(Message.id == found, Message.status.in_(statuses_before("sent")))
        .values(status="sent", status_at=sent_at, external_id=one.external_id, send_due_at=None)
    )
