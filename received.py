"""What people sent, as rows: their messages, the owner's own words, the history, and what edits and files
change.

The pipeline calls it inside its turn, `side_events` for what asks for no answer. It reads no meaning, queues
no answer, flushes and never commits.
"""

from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from sqlalchemy import insert, select

import webhooks_out
from integrations import Number
from models import Conversation, Message, StoredMedia, db
from providers import loose
from providers.base import HistoryMessage, InboundMedia, InboundMessage
from statements import bounded, insert_or_ignore, inserted_id, table
from vocabulary import RECEIPT_STATUSES
from webhooks_out.kinds import MESSAGE_RECEIVED

PREVIEW_CHARS: Final = 140
EXTERNAL_ID_CHARS: Final = 190
# What a conversation's line in the inbox says of its newest text.
MOOD: Final = ("buying_signal", "sentiment", "urgency")

# Every turn runs this; a statement that is built once costs a third of one built each time.
_INSERT = insert(table(Message))


def store_inbound(
    conversation_id: int, number: Number, message: InboundMessage, *, now: datetime, **columns: Any
) -> int:
    """Write an inbound message and give its id; a file that came with it is queued for download.

    Raises IntegrityError when the message is stored already.
    """
    message_id = inserted_id(
        _INSERT,
        {
            "conversation_id": conversation_id,
            "integration_id": number.id,
            "direction": "in",
            "sender": "customer",
            "kind": message.kind,
            "body": message.text,
            "content": _inbound_content(message),
            "external_id": bounded(message.external_id, EXTERNAL_ID_CHARS),
            "quotes_external_id": bounded(message.quotes or message.target, EXTERNAL_ID_CHARS),
            "provider_at": message.sent_at,
            "created_at": now,
            **columns,
        },
    )
    if message.media is not None:
        _queue_download(message_id, message.media, now)
    webhooks_out.leave(MESSAGE_RECEIVED, "message", message_id, now=now)
    return message_id


def is_stored(number: Number, message: InboundMessage) -> bool:
    """Tell whether a message of this id is there already (it may also come with the history)."""
    where = (
        Message.integration_id == number.id,
        Message.external_id == bounded(message.external_id, EXTERNAL_ID_CHARS),
    )
    return db.session.execute(select(Message.id).where(*where)).first() is not None


def has_unsupported(conversation_id: int) -> bool:
    """Tell whether a message that nobody can read has come before."""
    where = (Message.conversation_id == conversation_id, Message.kind == "unsupported")
    return db.session.execute(select(Message.id).where(*where).limit(1)).first() is not None


def _queue_download(message_id: int, media: InboundMedia, now: datetime) -> None:
    db.session.add(
        StoredMedia(
            message_id=message_id,
            source=asdict(media),
            media_kind=media.media_kind,
            mime_type=media.mime_type[:120],
            filename=loose.file_name(media.filename),
            due_at=now,
            created_at=now,
        )
    )
    db.session.flush()


def apply_change(conversation_id: int, number: Number, message: InboundMessage) -> None:
    """Apply an edit or a revocation to the message that it targets, which must be the same person's own.

    The old words stay in `content`.
    """
    target = db.session.execute(
        select(Message).where(
            Message.integration_id == number.id,
            Message.external_id == bounded(message.target, EXTERNAL_ID_CHARS),
            Message.conversation_id == conversation_id,
            Message.direction == "in",
        )
    ).scalar_one_or_none()
    if target is None:
        return
    if message.kind == "revoke":
        target.is_revoked = True
    elif message.kind == "edit":
        target.content = {**(target.content or {}), "before_edit": target.body}
        target.body, target.is_edited = message.text, True
    db.session.flush()


def store_echo(conversation: Conversation, number: Number, message: InboundMessage, *, now: datetime) -> None:
    """Write what the owner sent from her own phone as an outgoing message of hers. Idempotent by id."""
    sent_at = message.sent_at or now
    is_new = _store_outside(
        conversation.id, number, message, sender="owner", direction="out", status="sent", at=sent_at
    )
    if is_new:
        conversation.last_message_at, conversation.last_preview = now, preview_of(message)
        conversation.unread_count = 0
        db.session.flush()


def store_history(conversation: Conversation, number: Number, past: HistoryMessage, *, now: datetime) -> None:
    """Write a message from before we were connected, under its own time; it opens no window. Idempotent by
    id."""
    at = past.message.sent_at or now
    if past.is_ours:
        status = past.status if past.status in RECEIPT_STATUSES else "sent"
        _store_outside(
            conversation.id, number, past.message, sender="owner", direction="out", status=status, at=at
        )
    else:
        _store_outside(
            conversation.id, number, past.message, sender="customer", direction="in", status=None, at=at
        )


def _store_outside(
    conversation_id: int,
    number: Number,
    message: InboundMessage,
    *,
    sender: str,
    direction: str,
    status: str | None,
    at: datetime,
) -> bool:
    """Write a message that did not pass through us; False when it is known."""
    if is_stored(number, message):
        return False
    db.session.execute(
        insert_or_ignore(Message).values(
            conversation_id=conversation_id,
            integration_id=number.id,
            direction=direction,
            sender=sender,
            kind=message.kind,
            body=message.text,
            content=_inbound_content(message),
            external_id=bounded(message.external_id, EXTERNAL_ID_CHARS),
            quotes_external_id=bounded(message.quotes, EXTERNAL_ID_CHARS),
            status=status,
            status_at=at,
            provider_at=message.sent_at,
            created_at=at,
        )
    )
    return True


def preview_of(message: InboundMessage) -> str:
    """Give the line that lists show of a message."""
    return (message.text or message.emoji or f"[{message.kind}]").replace("\n", " ")[:PREVIEW_CHARS]


def _inbound_content(message: InboundMessage) -> dict[str, Any] | None:
    """Keep what has no column: what was pressed, ordered, shared or sent by which ad."""
    content: dict[str, Any] = dict(message.extra)
    for name in ("choice_id", "emoji", "group_id", "referral"):
        if value := getattr(message, name):
            content[name] = dict(value) if name == "referral" else value
    if message.order_items:
        content["order_items"] = [asdict(item) for item in message.order_items]
    if message.is_forwarded:
        content["is_forwarded"] = True
    return content or None
