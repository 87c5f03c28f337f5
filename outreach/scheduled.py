"""One message to one person, later: written now, checked again when its time has come.

The conversation page calls `write` and `cancel`, the sweep `due` and `send`. At its time the window, the
template, the number and the person's consent are looked at as they are then. Flushes, never commits.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select

import alerts
import conversations
import message_templates
import whatsapp_service
from conversations import OutsideServiceWindow
from message_templates import TemplateRefused
from models import Contact, Conversation, MessageTemplate, Operator, ScheduledMessage, db

WAITING: Final = "waiting"
QUEUED: Final = "queued"
CANCELLED: Final = "cancelled"
REFUSED: Final = "refused"
PURPOSE: Final = "scheduled"
BODY_MAX_CHARS: Final = 4096
LATEST: Final = timedelta(days=180)
AT_ONCE: Final = 100
# Later than this after its time (every worker was away), it would come out of the blue.
STALE_AFTER: Final = timedelta(hours=12)


class NotSchedulable(Exception):
    """`code`: empty, too_long, in_past, too_late, opted_out, or one of TemplateRefused's."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def write(
    conversation: Conversation,
    *,
    due_at: datetime,
    operator: Operator,
    client_token: str,
    now: datetime,
    body: str = "",
    template: MessageTemplate | None = None,
    values: Mapping[str, str] | None = None,
) -> ScheduledMessage:
    """Plan free text or a template for later; the same `client_token` plans once. Flushes.

    Raises NotSchedulable.
    """
    known = db.session.scalar(select(ScheduledMessage).where(ScheduledMessage.client_token == client_token))
    if known is not None:
        return known
    if not now < due_at <= now + LATEST:
        raise NotSchedulable("in_past" if due_at <= now else "too_late")
    contact = db.session.get_one(Contact, conversation.contact_id)
    if contact.has_opted_out:
        raise NotSchedulable("opted_out")
    row = ScheduledMessage(
        contact_id=contact.id,
        conversation_id=conversation.id,
        operator_id=operator.id,
        body=_body(conversation, body, template, values or {}),
        template_id=template.id if template is not None else None,
        filling=dict(values or {}) if template is not None else None,
        client_token=client_token,
        due_at=due_at,
        created_at=now,
    )
    db.session.add(row)
    db.session.flush()
    return row


def _body(
    conversation: Conversation, body: str, template: MessageTemplate | None, values: Mapping[str, str]
) -> str:
    if template is None:
        if not body.strip():
            raise NotSchedulable("empty")
        if len(body) > BODY_MAX_CHARS:
            raise NotSchedulable("too_long")
        return body.strip()
    if template.integration_id != conversation.integration_id:
        raise NotSchedulable("other_number")
    try:
        return message_templates.content(template, values).summary
    except TemplateRefused as refused:
        raise NotSchedulable(refused.code) from refused


def cancel(scheduled_id: int, conversation_id: int, *, now: datetime) -> bool:
    """Take a planned message back; False when it has left, or is none of this conversation's. Flushes."""
    row = _held(scheduled_id)
    if row is None or row.conversation_id != conversation_id or row.state != WAITING:
        return False
    _settle(row, CANCELLED, now)
    return True


def of_conversation(conversation_id: int, *, limit: int = 20) -> Sequence[ScheduledMessage]:
    """List what is planned for a conversation, and what was refused at its time, the next first."""
    return db.session.scalars(
        select(ScheduledMessage)
        .where(
            ScheduledMessage.conversation_id == conversation_id,
            ScheduledMessage.state.in_((WAITING, REFUSED)),
        )
        .order_by(ScheduledMessage.state.desc(), ScheduledMessage.due_at)
        .limit(limit)
    ).all()


def due(now: datetime) -> list[int]:
    """Give the planned messages whose time has come. Reads only."""
    is_due = (ScheduledMessage.state == WAITING, ScheduledMessage.due_at <= now)
    return list(
        db.session.scalars(
            select(ScheduledMessage.id).where(*is_due).order_by(ScheduledMessage.id).limit(AT_ONCE)
        )
    )


def send(scheduled_id: int, *, now: datetime) -> int | None:
    """Queue a planned message, or say why it cannot go. Flushes. Gives the conversation to wake.

    Idempotent: the row's lock decides who does it.
    """
    row = _held(scheduled_id)
    if row is None or row.state != WAITING or row.due_at > now:
        return None
    try:
        row.message_id = _queue(row, now)
    except TemplateRefused as refused:
        _refuse(row, refused.code, now)
    except OutsideServiceWindow:
        _refuse(row, "window_closed", now)
    except LookupError:
        _refuse(row, "number_off", now)
    else:
        _settle(row, QUEUED, now)
        return int(row.conversation_id)
    return None


def _queue(row: ScheduledMessage, now: datetime) -> int:
    if now - row.due_at > STALE_AFTER:
        raise TemplateRefused("stale")
    if row.template_id is not None:
        template = db.session.get_one(MessageTemplate, row.template_id)
        return message_templates.queue(
            row.conversation_id,
            template,
            row.filling or {},
            purpose=PURPOSE,
            now=now,
            sender="operator",
            operator_id=row.operator_id,
            client_token=row.client_token,
        )
    conversation = db.session.get_one(
        Conversation, row.conversation_id, with_for_update=True, populate_existing=True
    )
    contact = db.session.get_one(
        Contact, conversation.contact_id, with_for_update=True, populate_existing=True
    )
    operator = db.session.get(Operator, row.operator_id) if row.operator_id is not None else None
    if contact.has_opted_out:
        raise TemplateRefused("opted_out")
    if operator is None:
        raise TemplateRefused("nobody")
    if not conversations.is_window_open(conversation.last_inbound_at, now):
        raise OutsideServiceWindow
    return whatsapp_service.queue_text(
        conversation, row.body, operator=operator, client_token=row.client_token, now=now
    )


def _held(scheduled_id: int) -> ScheduledMessage | None:
    return db.session.get(ScheduledMessage, scheduled_id, with_for_update=True, populate_existing=True)


def _refuse(row: ScheduledMessage, code: str, now: datetime) -> None:
    """Whoever planned it relies on it having gone."""
    _settle(row, REFUSED, now, code)
    words = f"A planned message did not leave: {code}"
    alerts.raise_alert(
        "delivery_failed", f"planned:{row.id}", words, now=now, conversation_id=row.conversation_id
    )


def _settle(row: ScheduledMessage, state: str, now: datetime, reason: str = "") -> None:
    row.state, row.reason, row.settled_at = state, reason[:40], now
    db.session.flush()
