"""What a customer is shown to pay: the picture, the code alone in a message to copy, the link, the words.

`payments` gives the payment and calls `show` when a service's link has come. Rows and queued messages only:
flushes, never commits.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import texts
from message_content import Content, Media, Text
from models import Order, Payment, db
from shop import telling


def show(payment: Payment, *, now: datetime) -> list[int]:
    """Queue what a customer needs to pay. Flushes."""
    order = db.session.get_one(Order, payment.order_id)
    reader = telling.reader_of(order.conversation_id, now)
    return telling.tell(reader, contents_of(payment, order, reader), now=now)


def contents_of(payment: Payment, order: Order, reader: telling.Reader) -> list[Content]:
    """Give the messages that show a payment."""
    kept: Mapping[str, Any] = payment.data or {}
    told = {"number": order.number, "total": reader.money(payment.amount_minor, payment.currency)}
    contents: list[Content] = []
    if kept.get("picture_id") is not None:
        caption = texts.text("payment_pix", reader.language, **told)
        contents.append(Media("image", file_id=kept["picture_id"], caption=caption))
    if kept.get("code"):
        contents.append(Text(kept["code"]))
    if kept.get("link"):
        contents.append(Text(texts.text("payment_link", reader.language, **told, url=kept["link"])))
    if kept.get("instructions"):
        given = kept["instructions"]
        contents.append(Text(texts.text("payment_manual", reader.language, **told, given=given)))
    return contents
