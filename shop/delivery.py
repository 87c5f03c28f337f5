"""Handing over what was paid for: a private link to a file, a licence key, a text, or by people of ours.

`payments` makes the deliveries of an order that was paid, `tasks` brings those that had to wait, flow
actions and the order's page send again, the download door opens links, `refunds` revokes. Rows and queued
messages only: flushes, never commits. A link holds 256 random bits and our seal; the database keeps its
hash alone.
"""

import hashlib
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy import and_, exists, func, or_, select, update

import history
import texts
import vault
from alerts import is_open, raise_alert, settle
from config import Config
from conversations import SERVICE_WINDOW, SERVICE_WINDOW_MARGIN
from message_content import Text
from models import Conversation, Delivery, LicenceKey, Message, Order, OrderItem, Product, StoredFile, db
from shop import catalog
from shop.holding import hold
from shop.telling import Reader, reader_of, tell
from statements import changed_rows

FILE: Final = "file"
KEY: Final = "key"
TEXT: Final = "text"
MANUAL: Final = "manual"
KINDS: Final = (MANUAL, FILE, KEY, TEXT)
LINK_LASTS: Final = timedelta(days=7)
TOKEN_BYTES: Final = 32
# A message that cannot be delivered is written again when the customer comes back, but not for ever.
MAX_TRIES: Final = 5
DUE_LIMIT: Final = 100
GIFT_IS_FRESH: Final = timedelta(minutes=2)  # later it waits like all that could not leave at once
KEY_MAX_CHARS: Final = 190
PATH: Final = "/d/"

Refusal = Literal["unknown", "expired", "revoked"]


@dataclass(frozen=True, slots=True)
class HandedOver:
    """What became of an order's deliveries: how many left now, and how many wait (for a key, a person, a
    window).
    """

    sent: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class OpenedLink:
    """A link that may be followed: the file behind it."""

    delivery_id: int
    file: StoredFile


# --- after payment ------------------------------------------------------------------------------------------


def prepare(order: Order, *, now: datetime) -> None:
    """Write down what a paid order brings: one row per line, of keys one per unit. Flushes. Idempotent.

    What was revoked when the order was paid back may leave again, a key as the same key.
    """
    for row in deliveries_of(order.id, for_update=True):
        if row.status == "revoked":
            _note(row, "pending", now, "system", None)
    known = {tuple(row) for row in db.session.execute(_UNITS.where(Delivery.order_id == order.id))}
    for item in order.items:
        product = db.session.get_one(Product, item.product_id)
        kind = product.delivery_kind if product.delivery_kind in KINDS else MANUAL
        for unit in range(1, (item.quantity if kind == KEY else 1) + 1):
            if (item.id, unit) in known:
                continue
            row = Delivery(order_id=order.id, order_item_id=item.id, unit=unit, kind=kind, created_at=now)
            row.status = "pending"
            db.session.add(row)
            db.session.flush()
            history.note_change("delivery", row.id, before="", after="pending", actor="system", now=now)


_UNITS = select(Delivery.order_item_id, Delivery.unit)


def hand_over(
    order: Order, *, config: Config, now: datetime, actor: str = "system", kinds: Collection[str] = KINDS
) -> HandedOver:
    """Send whatever of a paid order is ready and has not left. Flushes. Idempotent: what has left stays.

    What cannot leave waits and is told to people of ours: no key left, nothing to hand over by itself, or a
    customer who cannot be written to before she writes again.
    """
    if order.status != "paid":
        return HandedOver()
    rows = deliveries_of(order.id, for_update=True)
    waiting = [row for row in rows if row.status == "pending" and row.kind in kinds]
    sent = sum(_send(row, order, config, now, actor) for row in waiting)
    _settle_alerts(order, now)
    return HandedOver(sent, len(waiting) - sent)


def send_again(
    order: Order, *, config: Config, now: datetime, actor: str, operator_id: int | None = None
) -> HandedOver:
    """Send everything of a paid order once more: links anew (the old ones end), keys and texts the same.
    Flushes.
    """
    if hold(order).status != "paid":
        return HandedOver()
    rows = [row for row in deliveries_of(order.id, for_update=True) if row.status != "revoked"]
    sent = sum(_send(row, order, config, now, actor, operator_id) for row in rows)
    _settle_alerts(order, now)
    return HandedOver(sent, len(rows) - sent)


def mark_handed_over(row: Delivery, *, operator_id: int, now: datetime) -> bool:
    """Note that a person handed something over by herself; False when it has left already. Flushes."""
    if row.status != "pending" or row.kind != MANUAL:
        return False
    _note(row, "sent", now, "operator", operator_id)
    row.sent_at, row.sent_count = now, 1
    db.session.flush()
    _settle_alerts(db.session.get_one(Order, row.order_id), now)
    return True


def revoke(order: Order, *, now: datetime, actor: str, operator_id: int | None = None) -> None:
    """End the links of an order that was paid back; its keys are known to the customer and never sold again.

    Flushes. Idempotent.
    """
    for row in deliveries_of(order.id, for_update=True):
        if row.status != "revoked":
            _note(row, "revoked", now, actor, operator_id)
            row.expires_at = now if row.expires_at is not None else None
    db.session.flush()


def due(now: datetime) -> list[int]:
    """Give the paid orders of which something waits that may leave now: goods are there and the window is
    open.

    Also what was sent and refused, once the customer has written after it.
    """
    has_free_key = exists().where(
        LicenceKey.product_id == OrderItem.product_id, LicenceKey.taken_at.is_(None)
    )
    is_ready = and_(
        Delivery.status == "pending",
        Delivery.kind != MANUAL,
        or_(Delivery.kind != KEY, Delivery.text != "", has_free_key),
    )
    was_refused = and_(
        Delivery.status == "sent",
        Message.status == "failed",
        Conversation.last_inbound_at > Message.status_at,
        Delivery.sent_count < MAX_TRIES,
    )
    found = db.session.scalars(
        select(Delivery.order_id)
        .join(Order, Order.id == Delivery.order_id)
        .join(OrderItem, OrderItem.id == Delivery.order_item_id)
        .join(Conversation, Conversation.id == Order.conversation_id)
        .outerjoin(Message, Message.id == Delivery.message_id)
        .where(
            Order.status == "paid",
            Conversation.last_inbound_at > now - SERVICE_WINDOW + SERVICE_WINDOW_MARGIN,
            or_(is_ready, was_refused),
        )
        .distinct()
        .limit(DUE_LIMIT)
    )
    return list(found)


def gifts(now: datetime) -> list[int]:
    """Give the orders that cost nothing and whose goods have not left yet; the turn that placed one has just
    been committed.
    """
    found = db.session.execute(
        select(Delivery.order_id, OrderItem.product_id)
        .join(Order, Order.id == Delivery.order_id)
        .join(OrderItem, OrderItem.id == Delivery.order_item_id)
        .where(
            Delivery.status == "pending",
            Delivery.kind != MANUAL,
            Order.status == "paid",
            Order.total_minor == 0,
            Order.paid_at > now - GIFT_IS_FRESH,
        )
        .order_by(Delivery.order_id)
        .limit(DUE_LIMIT)
    )
    # What people have been told to see to is not tried again every moment.
    return list(dict.fromkeys(row.order_id for row in found if not _waits_for_people(*row)))


def _waits_for_people(order_id: int, product_id: int) -> bool:
    topics = (f"no_keys:{product_id}", f"to_deliver:{order_id}", f"undelivered:{order_id}")
    return any(is_open(topic) for topic in topics)


def bring_due(order_id: int, *, config: Config, now: datetime) -> int | None:
    """Send what waits of one order, and give the conversation to wake; None when nothing left. Flushes."""
    order = db.session.get(Order, order_id)
    if order is None or hold(order).status != "paid":
        return None
    sent_ids = [row.message_id for row in deliveries_of(order_id) if row.status == "sent"]
    wanted = select(Message.id).where(Message.id.in_(sent_ids), Message.status == "failed")
    refused = set(db.session.scalars(wanted))
    for row in deliveries_of(order_id, for_update=True):
        if row.status == "sent" and row.message_id in refused:
            _note(row, "pending", now, "system", None)
    db.session.flush()
    sent = hand_over(order, config=config, now=now).sent
    return order.conversation_id if sent else None


def deliveries_of(order_id: int, *, for_update: bool = False) -> Sequence[Delivery]:
    """List what an order brings, in the sequence of its lines."""
    query = (
        select(Delivery)
        .where(Delivery.order_id == order_id)
        .order_by(Delivery.id)
        .execution_options(populate_existing=True)
    )
    return db.session.scalars(query.with_for_update() if for_update else query).all()


# --- licence keys -------------------------------------------------------------------------------------------


def add_keys(product_id: int, codes: Collection[str], *, now: datetime) -> int:
    """Add keys to a product's list and give how many were new. Flushes. Raises ValueError for a key too
    long.
    """
    wanted = list(dict.fromkeys(code.strip() for code in codes if code.strip()))
    if any(len(code) > KEY_MAX_CHARS for code in wanted):
        raise ValueError(f"a licence key has {KEY_MAX_CHARS} characters at most")
    known = set(
        db.session.scalars(
            select(LicenceKey.code).where(LicenceKey.product_id == product_id, LicenceKey.code.in_(wanted))
        )
    )
    new = [code for code in wanted if code not in known]
    db.session.add_all(LicenceKey(product_id=product_id, code=code, created_at=now) for code in new)
    db.session.flush()
    return len(new)


def free_keys(product_id: int) -> int:
    """Count the keys of a product that nobody has yet."""
    return (
        db.session.scalar(
            select(func.count(LicenceKey.id)).where(
                LicenceKey.product_id == product_id, LicenceKey.taken_at.is_(None)
            )
        )
        or 0
    )


def _take_key(product_id: int, delivery_id: int, now: datetime) -> str | None:
    """Take the oldest free key. One UPDATE decides, so that of two who want it one gets it and the other
    the next.
    """
    while True:
        found = db.session.execute(
            select(LicenceKey.id, LicenceKey.code)
            .where(LicenceKey.product_id == product_id, LicenceKey.taken_at.is_(None))
            .order_by(LicenceKey.id)
            .limit(1)
        ).first()
        if found is None:
            return None
        taken = changed_rows(
            update(LicenceKey)
            .where(LicenceKey.id == found.id, LicenceKey.taken_at.is_(None))
            .values(taken_at=now, delivery_id=delivery_id)
        )
        if taken == 1:
            return str(found.code)


# --- links --------------------------------------------------------------------------------------------------


def open_link(token: str, *, config: Config, now: datetime) -> OpenedLink | Refusal:
    """Follow a private link, and count it. Flushes.

    A token that we did not seal is refused before the database is asked; the hash is what is looked up.
    """
    if vault.signed_text(token, config.secret_key) is None:
        return "unknown"
    row = db.session.scalars(select(Delivery).where(Delivery.token_hash == _hash(token))).first()
    file = db.session.get(StoredFile, row.file_id) if row is not None and row.file_id is not None else None
    if row is None or file is None:
        return "unknown"
    if row.status == "revoked":
        return "revoked"
    if row.expires_at is None or row.expires_at <= now:
        return "expired"
    changed_rows(
        update(Delivery)
        .where(Delivery.id == row.id)
        .values(
            opened_count=Delivery.opened_count + 1,
            first_opened_at=func.coalesce(Delivery.first_opened_at, row.first_opened_at or now),
            last_opened_at=now,
        )
    )
    return OpenedLink(row.id, file)


def is_goods(file_id: int) -> bool:
    """Tell whether a file is sold, or was: customers come to it by their own links, with an order."""
    sold = exists().where(Product.delivery_file_id == file_id)
    was_sold = exists().where(Delivery.file_id == file_id)
    return bool(db.session.scalar(select(or_(sold, was_sold))))


def _new_link(row: Delivery, config: Config, now: datetime) -> str:
    token = vault.sign(secrets.token_urlsafe(TOKEN_BYTES), config.secret_key)
    row.token_hash, row.expires_at = _hash(token), now + LINK_LASTS
    return f"{config.own_url}{PATH}{token}"


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


# --- one delivery -------------------------------------------------------------------------------------------


def _send(
    row: Delivery, order: Order, config: Config, now: datetime, actor: str, operator_id: int | None = None
) -> bool:
    """Queue one delivery's message; False, with an alert, when it has to wait."""
    item = db.session.get_one(OrderItem, row.order_item_id)
    product = db.session.get_one(Product, item.product_id)
    reader = reader_of(order.conversation_id, now)
    if row.kind == MANUAL:
        if row.status == "pending":
            _alert("to_deliver", order, f"Order {order.number} is paid: hand {item.name} over", now)
        return False
    if not reader.is_reachable:
        words = f"Order {order.number} is paid, but the customer cannot be written to before she writes again"
        _alert("undelivered", order, words, now)
        return False
    words_of_it = _words(row, product, reader, config, now)
    if words_of_it is None:
        _alert_missing(order, product, now)
        return False
    ids = tell(reader, [Text(words_of_it)], now=now, operator_id=operator_id, is_owed=True)
    row.message_id, row.sent_at, row.sent_count = ids[0], now, row.sent_count + 1
    _note(row, "sent", now, actor, operator_id)
    db.session.flush()
    return True


def _words(row: Delivery, product: Product, reader: Reader, config: Config, now: datetime) -> str | None:
    """Say what is handed over; None when it is not there."""
    name = catalog.shown_name(product, reader.language)
    if row.kind == FILE:
        row.file_id = row.file_id or product.delivery_file_id
        if row.file_id is None:
            return None
        link = _new_link(row, config, now)
        return texts.text("delivery_file", reader.language, goods=name, url=link, days=LINK_LASTS.days)
    if not row.text:
        row.text = (_take_key(product.id, row.id, now) or "") if row.kind == KEY else product.delivery_text
    if not row.text:
        return None
    text_name = "delivery_key" if row.kind == KEY else "delivery_text"
    return texts.text(text_name, reader.language, goods=name, given=row.text)


def _alert_missing(order: Order, product: Product, now: datetime) -> None:
    if product.delivery_kind == KEY:
        words = f"No licence key is left for {product.name}: order {order.number} is paid and waits"
        raise_alert("no_keys", f"no_keys:{product.id}", words, now=now, conversation_id=order.conversation_id)
        return
    _alert(
        "to_deliver", order, f"Order {order.number} is paid, but {product.name} has nothing to hand over", now
    )


def _alert(kind: str, order: Order, words: str, now: datetime) -> None:
    raise_alert(kind, f"{kind}:{order.id}", words, now=now, conversation_id=order.conversation_id)


def _settle_alerts(order: Order, now: datetime) -> None:
    """Close what nobody need do any more."""
    rows = deliveries_of(order.id)
    if not any(row.status == "pending" for row in rows):
        settle(f"to_deliver:{order.id}", now=now)
        settle(f"undelivered:{order.id}", now=now)
    for item in order.items:
        waits = exists().where(
            Delivery.order_item_id == OrderItem.id, Delivery.status == "pending", Delivery.kind == KEY
        )
        still = select(OrderItem.id).where(OrderItem.product_id == item.product_id, waits).limit(1)
        if db.session.execute(still).first() is None:
            settle(f"no_keys:{item.product_id}", now=now)


def _note(row: Delivery, after: str, now: datetime, actor: str, operator_id: int | None) -> None:
    history.note_change(
        "delivery", row.id, before=row.status, after=after, actor=actor, now=now, operator_id=operator_id
    )
    row.status = after
