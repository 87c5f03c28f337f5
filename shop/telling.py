"""What the shop tells a customer by itself: that a payment arrived, the goods, a link to pay.

`payments`, `refunds` and `delivery` call this; it puts messages into the outbox in the customer's language,
inside the caller's transaction. Whoever commits wakes the outbox of the conversation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import conversations
import integrations
import texts
import whatsapp_service
from integrations import Number
from message_content import Content
from models import Contact, Conversation, db
from received import PREVIEW_CHARS
from shop import catalog


@dataclass(frozen=True, slots=True)
class Reader:
    """Whom we write to, through which number and in which language; `is_reachable` while the window is
    open. Who asked for silence gets nothing but what she paid for.
    """

    conversation_id: int
    language: str
    number: Number | None
    is_reachable: bool
    has_opted_out: bool = False

    def money(self, minor: int, currency: str) -> str:
        return catalog.price_text(minor, currency, self.language)


def reader_of(conversation_id: int, now: datetime) -> Reader:
    """Give the customer of a conversation as a reader."""
    conversation = db.session.get_one(Conversation, conversation_id)
    contact = db.session.get_one(Contact, conversation.contact_id)
    number = integrations.number(conversation.integration_id)
    is_open = conversations.is_window_open(conversation.last_inbound_at, now)
    language = texts.text_language(contact.language or (number.language if number else None))
    is_reachable = number is not None and is_open
    return Reader(conversation_id, language, number, is_reachable, contact.has_opted_out)


def tell(
    reader: Reader,
    contents: Sequence[Content],
    *,
    now: datetime,
    operator_id: int | None = None,
    is_owed: bool = False,
) -> list[int]:
    """Queue messages and give their ids; none when the customer cannot be written to now. Flushes.

    `is_owed` is what she has paid for: it leaves also after she asked for silence.
    """
    if reader.number is None or not reader.is_reachable or not contents:
        return []
    if reader.has_opted_out and not is_owed:
        return []
    ids = whatsapp_service.queue(
        reader.conversation_id,
        reader.number,
        contents,
        # Not the bot: what was paid for arrives also when a person takes the conversation over.
        sender="shop" if operator_id is None else "operator",
        operator_id=operator_id,
        now=now,
    )
    conversation = db.session.get_one(Conversation, reader.conversation_id)
    conversation.last_message_at = now
    conversation.last_preview = contents[-1].summary.replace("\n", " ")[:PREVIEW_CHARS]
    db.session.flush()
    return ids
