"""Orders that nobody pays: after some days they end by themselves, so that they hold no stock for ever.

A task calls `waiting_too_long` and `lapse`. What a customer says she has paid, and money of another amount,
waits for a person instead. Money that comes after the end takes the order up again (`payments.confirm`).
Flushes, never commits.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, exists, func, select

import alerts
import texts
from config import Config
from message_content import Text
from models import Contact, Conversation, Order, Payment, db
from shop import nudges, orders, telling
from shop.holding import hold

AT_ONCE: Final = 100
REASON: Final = "not paid in time"


def waiting_too_long(config: Config, now: datetime) -> list[int]:
    """Give the orders whose time to be paid is over, the oldest first. Reads only."""
    if config.unpaid_order_days == 0:
        return []
    found = (
        select(Order.id)
        .join(Conversation, Conversation.id == Order.conversation_id)
        .where(*_is_over(config, now), Conversation.handler == "bot")
        .order_by(Order.placed_at, Order.id)
        .limit(AT_ONCE)
    )
    return list(db.session.scalars(found))


def lapse(order_id: int, *, config: Config, now: datetime) -> int | None:
    """End an order that was not paid in time: its stock is free again, and the customer is told while her
    window is open, by day.

    Flushes. Idempotent: what was paid, claimed or ended meanwhile stays as it is. Gives the conversation to
    wake.
    """
    order = db.session.get(Order, order_id)
    if order is None or alerts.is_open(f"payment_mismatch:{order_id}"):
        return None
    hold(order)
    is_over = select(Order.id).where(Order.id == order_id, *_is_over(config, now))
    if db.session.execute(is_over).first() is None:
        return None
    reader = telling.reader_of(order.conversation_id, now)
    if reader.is_reachable and _is_night(order, config, now):
        return None
    if not orders.cancel(order, now=now, actor="system", reason=REASON):
        return None
    words = texts.text("order_lapsed", reader.language, number=order.number, days=config.unpaid_order_days)
    telling.tell(reader, [Text(words)], now=now)
    return order.conversation_id


def _is_over(config: Config, now: datetime) -> tuple[ColumnElement[bool], ...]:
    """A way to pay that was asked for later counts anew: its code has just been shown."""
    limit = now - timedelta(days=config.unpaid_order_days)
    is_fresh = exists().where(Payment.order_id == Order.id, Payment.created_at > limit)
    return (
        Order.status == "placed",
        Order.payment_status == "unpaid",
        func.coalesce(Order.placed_at, Order.created_at) <= limit,
        ~is_fresh,
    )


def _is_night(order: Order, config: Config, now: datetime) -> bool:
    zones = nudges.zones_of(db.session.get_one(Contact, order.contact_id), config)
    return nudges.decent_time(now, zones) not in (None, now)
