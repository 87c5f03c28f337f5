"""What Twilio's webhooks do not bring: messages found by listing, uncertain sends settled by what the list
shows, and what became of templates in review.

Twilio does not repeat a webhook that was lost, so `tasks` lists each of its numbers at start and every five
minutes and stores what is missing as the webhook would have been. Flushes and never commits (the inbox does).
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Select, case, select, update

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
    """Give the rows of those listed messages and receipts that no webhook brought.

    What another program sent over this number is left out: nobody here waits for its receipts.
    """
    taken = _taken(number, listed)
    rows = [
        inbox.row_of("twilio", number, one.element, now)
        for one in listed
        if not one.is_ours or one.external_id in taken
    ]
    keys = [row.event_key for row in rows]
    known = set(db.session.scalars(select(WebhookEvent.event_key).where(WebhookEvent.event_key.in_(keys))))
    return [row for row in rows if row.event_key not in known]


def settle_uncertain(number: Number, listed: Sequence[ListedMessage], *, now: datetime) -> int:
    """Settle uncertain sends that the list shows as sent: same person, same words, about the same time.
    Flushes; gives how many.

    The list does not carry our own id. Where more sends of ours than listed messages fit, nobody can tell
    which of them arrived, and they stay uncertain.
    """
    taken = _taken(number, listed)
    unclaimed = [one for one in listed if one.is_ours and one.sent_at and one.external_id not in taken]
    settled = 0
    for one in unclaimed:
        copies = sum(_are_alike(one, other) for other in unclaimed)
        claimants = db.session.execute(_claimants(number, one)).all()
        if len(claimants) > 1 and sum(row.copies for row in claimants) > copies:
            log.info("listed_ambiguous", integration_id=number.id, message_ids=[row.id for row in claimants])
            continue
        uncertain = next((row.id for row in claimants if row.status == "uncertain"), None)
        if uncertain is not None:
            settled += _settle(uncertain, one)
    return settled


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


def _taken(number: Number, listed: Sequence[ListedMessage]) -> set[str | None]:
    """Give those of the listed ids that messages of ours have."""
    ids = [one.external_id for one in listed]
    query = select(Message.external_id).where(
        Message.integration_id == number.id, Message.external_id.in_(ids), Message.direction == "out"
    )
    return set(db.session.scalars(query))


def _are_alike(one: ListedMessage, other: ListedMessage) -> bool:
    """Tell whether two listed messages could be taken for each other."""
    assert one.sent_at is not None
    assert other.sent_at is not None
    is_near = abs(one.sent_at - other.sent_at) <= 2 * SEND_TIME_TOLERANCE
    return is_near and one.body == other.body and one.person == other.person


def _claimants(number: Number, one: ListedMessage) -> Select[int, str | None, int]:
    """Find the sends of ours that a listed message may be, and of how many copies each has no id: one whose
    fate is open, or one that was sent again and knows only one of its ids."""
    sent_at = _time_of(one)
    return (
        select(
            Message.id,
            Message.status,
            (Message.resent_count + case((Message.external_id.is_(None), 1), else_=0)).label("copies"),
        )
        .join(Conversation, Conversation.id == Message.conversation_id)
        .join(ContactIdentity, ContactIdentity.contact_id == Conversation.contact_id)
        .where(
            Message.integration_id == number.id,
            Message.direction == "out",
            Message.status.in_(("uncertain", "sending")) | (Message.resent_count > 0),
            Message.body == one.body,
            Message.created_at <= sent_at + SEND_TIME_TOLERANCE,
            Message.status_at >= sent_at - SEND_TIME_TOLERANCE,
            ContactIdentity.value.in_([v for v in (one.person.wa_id, one.person.bsuid) if v]),
        )
        .group_by(Message.id)
        .order_by(Message.id)
    )


def _settle(message_id: int, one: ListedMessage) -> int:
    return changed_rows(
        update(Message)
        .where(Message.id == message_id, Message.status.in_(statuses_before("sent")))
        .values(status="sent", status_at=_time_of(one), external_id=one.external_id, send_due_at=None)
    )


def _time_of(one: ListedMessage) -> datetime:
    assert one.sent_at is not None
    return one.sent_at.astimezone(UTC)
