"""Orders that nobody pays: after some days they end by themselves, so that they hold no stock for ever.

A task calls `to_warn_of`, `warn`, `waiting_too_long` and `lapse`. What a customer says she has paid waits
longer, and people are told before it ends; money of another amount waits for a person. Money that comes after
the end takes the order up again (`payments.confirm`). Flushes, never commits.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, exists, false, func, or_, select

import alerts
import history
import texts
from config import Config
from message_content import Text
from models import Contact, Conversation, Order, Payment, StateChange, db
from shop import catalog, nudges, orders, standing, telling
from shop.holding import hold

AT_ONCE: Final = 100
REASON: Final = "not paid in time"
ENDING: Final = "claim_ending"
WARNED_BEFORE: Final = timedelta(days=2)


def waiting_too_long(config: Config, now: datetime) -> list[int]:
    """Give the orders whose time to be paid is over, the oldest first. Reads only."""
    return _of_desk(_is_over(config, now))


def to_warn_of(config: Config, now: datetime) -> list[int]:
    """Give the orders that are said to be paid and end in some days, and of which nobody was told. Reads
    only."""
    if config.claimed_order_days == 0:
        return []
    limit = now - timedelta(days=config.claimed_order_days) + WARNED_BEFORE
    return _of_desk(and_(_is_claimed(since=limit), ~_is_warned()))


def _of_desk(condition: ColumnElement[bool]) -> list[int]:
    """Give the orders of conversations that no person has, the oldest first."""
    found = (
        select(Order.id)
        .join(Conversation, Conversation.id == Order.conversation_id)
        .where(condition, Conversation.handler == "bot")
        .order_by(Order.placed_at, Order.id)
        .limit(AT_ONCE)
    )
    return list(db.session.scalars(found))


def warn(order_id: int, *, now: datetime) -> None:
    """Tell people that an order which its customer says she paid ends soon. Flushes. Idempotent."""
    order = db.session.get(Order, order_id)
    if order is None:
        return
    hold(order)
    stands = select(Order.id).where(Order.id == order_id, _is_claimed(since=now), ~_is_warned())
    if db.session.execute(stands).first() is None:
        return
    history.note_change(ENDING, order.id, before="", after="warned", actor="system", now=now)
    total = catalog.price_text(order.total_minor, order.currency, "en")
    words = f"Order {order.number} ({total}) is said to be paid and ends in two days: look at the account"
    alerts.raise_alert(ENDING, f"{ENDING}:{order.id}", words, now=now, conversation_id=order.conversation_id)


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
    is_over = select(Order.id).where(Order.id == order_id, _is_over(config, now))
    if db.session.execute(is_over).first() is None:
        return None
    reader = telling.reader_of(order.conversation_id, now)
    if reader.is_reachable and _is_night(order, config, now):
        return None
    is_claimed = order.payment_status == "claimed"
    if not orders.cancel(order, now=now, actor="system", reason=REASON):
        return None
    days = config.claimed_order_days if is_claimed else config.unpaid_order_days
    words = texts.text("order_lapsed", reader.language, number=order.number, days=days, is_claimed=is_claimed)
    telling.tell(reader, [Text(words)], now=now)
    return order.conversation_id


def _is_over(config: Config, now: datetime) -> ColumnElement[bool]:
    """A way to pay that was asked for later counts anew: its code has just been shown."""
    limit = now - timedelta(days=config.unpaid_order_days)
    is_fresh = exists().where(Payment.order_id == Order.id, Payment.created_at > limit)
    is_unpaid = and_(
        Order.status == "placed",
        Order.payment_status == "unpaid",
        func.coalesce(Order.placed_at, Order.created_at) <= limit,
        ~is_fresh,
    )
    claimed_limit = now - timedelta(days=config.claimed_order_days)
    is_missed = and_(_is_claimed(since=claimed_limit), _is_warned(before=now - WARNED_BEFORE))
    switched = ((config.unpaid_order_days, is_unpaid), (config.claimed_order_days, is_missed))
    return or_(false(), *(condition for days, condition in switched if days))


def _is_claimed(*, since: datetime) -> ColumnElement[bool]:
    """She said so then, or before; whoever says it again says nothing new."""
    was_told = exists().where(
        StateChange.record == standing.RECORD,
        StateChange.record_id == Order.id,
        StateChange.after == "claimed",
        StateChange.at <= since,
    )
    return and_(Order.status == "placed", Order.payment_status == "claimed", was_told)


def _is_warned(*, before: datetime | None = None) -> ColumnElement[bool]:
    told = (StateChange.record == ENDING, StateChange.record_id == Order.id)
    return exists().where(*told, *((StateChange.at <= before,) if before is not None else ()))


def _is_night(order: Order, config: Config, now: datetime) -> bool:
    zones = nudges.zones_of(db.session.get_one(Contact, order.contact_id), config)
    return nudges.decent_time(now, zones) not in (None, now)
