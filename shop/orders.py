"""Carts and orders: a conversation has one open cart; placing it fixes the prices, takes the stock and
gives a number.

Flow actions, the pipeline (for WhatsApp catalogue orders) and operators' pages call these verbs. They flush
and never commit, and take no payment.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import select

import history
import providers.base
from alerts import settle
from config import Config
from models import Order, OrderItem, Product, db
from record_numbers import ORDER, number_of, read_number
from shop import payments, stock
from shop.catalog import Shortage, product_by_sku
from shop.holding import hold
from shop.stock import OutOfStock

MAX_QUANTITY = 999
MAX_LINES = 50
# A second press on "confirm" within this time means the same order.
SAME_ORDER_WINDOW = timedelta(minutes=10)


class NotForSale(Exception):
    """The product does not exist or is not sold at present; `product_id` is None when it does not exist."""

    def __init__(self, product_id: int | None = None) -> None:
        super().__init__(f"product {product_id} is not for sale")
        self.product_id = product_id


class OtherCurrency(Exception):
    """The cart holds things in another currency; one order has one."""


class PriceChanged(Exception):
    """Something costs another price than the cart shows; nobody is billed what she was not asked about."""


class CartFull(Exception):
    """The cart has as many lines as it can hold."""


class EmptyCart(Exception):
    """There is nothing to order."""


@dataclass(frozen=True, slots=True)
class CatalogOrder:
    """What became of a WhatsApp catalogue order: the cart, and what could not go in.

    `is_kept`: nothing could, and the cart is the one from before.
    """

    cart: Order | None
    unknown_skus: tuple[str, ...] = ()
    shortages: tuple[Shortage, ...] = ()
    other_currency: tuple[Product, ...] = ()
    is_kept: bool = False


def cart_of(conversation_id: int) -> Order | None:
    """Give the open cart of a conversation, None when there is none."""
    return db.session.scalars(select(Order).where(Order.cart_of_conversation_id == conversation_id)).first()


def add_to_cart(
    conversation_id: int,
    contact_id: int,
    product: Product | None,
    quantity: int = 1,
    *,
    now: datetime,
    source: str = "",
) -> Order:
    """Put `quantity` more of a product in the conversation's cart, which is opened when there is none.

    Flushes. Raises NotForSale, OutOfStock (counting what the cart holds already), OtherCurrency or
    CartFull; then nothing changed.
    """
    if product is None or not product.is_active:
        raise NotForSale(product.id if product is not None else None)
    if not 1 <= quantity <= MAX_QUANTITY:
        raise ValueError(f"a quantity goes from 1 to {MAX_QUANTITY}, not {quantity}")
    cart = cart_of(conversation_id)
    item = _line(cart, product.id)
    wanted = min(quantity + (item.quantity if item else 0), MAX_QUANTITY)
    _refuse_shortage(product, wanted)
    if cart is None:
        cart = _open_cart(conversation_id, contact_id, product.currency, now, source)
    if item is None:
        _add_line(cart, product, wanted)
    else:
        item.quantity = wanted
    _recount(cart, now)
    return cart


def set_quantity(cart: Order, product_id: int, quantity: int, *, now: datetime) -> Order | None:
    """Change how many of a product the cart holds; 0 takes it out, and an emptied cart is gone (None).

    Flushes. Raises OutOfStock or ValueError; then nothing changed.
    """
    if not 0 <= quantity <= MAX_QUANTITY:
        raise ValueError(f"a quantity goes from 0 to {MAX_QUANTITY}, not {quantity}")
    item = _line(cart, product_id)
    if item is None:
        return cart
    if quantity == 0:
        cart.items.remove(item)
        db.session.delete(item)
    else:
        _refuse_shortage(db.session.get_one(Product, product_id), quantity)
        item.quantity = quantity
    if not cart.items:
        empty_cart(cart)
        return None
    _recount(cart, now)
    return cart


def empty_cart(cart: Order) -> None:
    """Throw an open cart away. Flushes. An order that was placed is left alone."""
    if cart.status != "cart":
        return
    for item in list(cart.items):
        db.session.delete(item)
    db.session.flush()
    db.session.delete(cart)
    db.session.flush()


def fill_from_catalog(
    conversation_id: int,
    contact_id: int,
    items: Sequence[providers.base.OrderItem],
    *,
    now: datetime,
    source: str = "catalogue",
) -> CatalogOrder:
    """Take what a customer chose in WhatsApp's own catalogue as the conversation's cart, instead of the old
    one; where nothing of it can be had, the old one stays.

    Flushes. Our prices count, not those of the message. What we do not sell, or have too few of, is told
    and left out.
    """
    old = cart_of(conversation_id)
    try:
        with db.session.begin_nested():
            if old is not None:
                empty_cart(old)
            taken = _take_from_catalog(conversation_id, contact_id, items, now, source)
            if taken.cart is None and old is not None:
                raise _NothingTaken(taken)
    except _NothingTaken as none:
        return replace(none.order, cart=cart_of(conversation_id), is_kept=True)
    return taken


class _NothingTaken(Exception):
    """Of a catalogue order nothing can be had: the cart is left as it was."""

    def __init__(self, order: CatalogOrder) -> None:
        self.order = order


def _take_from_catalog(
    conversation_id: int,
    contact_id: int,
    items: Sequence[providers.base.OrderItem],
    now: datetime,
    source: str,
) -> CatalogOrder:
    unknown: list[str] = []
    shortages: list[Shortage] = []
    other_currency: list[Product] = []
    for item in items[:MAX_LINES]:
        product = product_by_sku(item.retailer_id)
        if product is None or not product.is_active:
            unknown.append(item.retailer_id)
            continue
        wanted = max(1, min(item.quantity, MAX_QUANTITY))
        try:
            add_to_cart(conversation_id, contact_id, product, wanted, now=now, source=source)
        except OutOfStock as refusal:
            shortages.extend(refusal.shortages)
        except OtherCurrency:
            other_currency.append(product)
    cart = cart_of(conversation_id)
    return CatalogOrder(cart, tuple(unknown), tuple(shortages), tuple(other_currency))


def place(
    order: Order, *, now: datetime, actor: str = "customer", operator_id: int | None = None, reason: str = ""
) -> Order:
    """Turn a cart into an order: its prices are fixed, the stock is taken, a number is given. Flushes.

    Raises EmptyCart, NotForSale (something was taken off sale meanwhile), OutOfStock, OtherCurrency or
    PriceChanged (see `reprice`); then the caller rolls back or goes on, nothing changed. Idempotent: an order
    that was placed is given back as it is.
    """
    if order.status != "cart":
        return order
    if not order.items:
        raise EmptyCart
    products = stock.hold_products(order)
    for product in products.values():
        if not product.is_active:
            raise NotForSale(product.id)
    if any(sold.currency != order.currency for sold in products.values()):
        raise OtherCurrency
    if any(item.price_minor != products[item.product_id].price_minor for item in order.items):
        raise PriceChanged
    stock.take(order)
    for item in order.items:
        item.name = products[item.product_id].name
    history.note_change(
        "order", order.id, before="", after="placed", actor=actor, now=now, operator_id=operator_id,
        reason=reason,
    )  # fmt: skip
    order.status = "placed"
    order.placed_at = now
    order.cart_of_conversation_id = None
    order.number = number_of(ORDER, order.id)
    _recount(order, now)
    return order


def reprice(cart: Order, *, now: datetime) -> list[Product]:
    """Give an open cart today's prices; what is now sold in another currency goes out of it. Flushes.

    Gives what went out. A cart that is emptied by it is gone.
    """
    products = stock.hold_products(cart)
    gone = [sold for sold in products.values() if sold.currency != cart.currency]
    for item in list(cart.items):
        sold = products[item.product_id]
        if sold in gone:
            cart.items.remove(item)
            db.session.delete(item)
        else:
            item.price_minor = sold.price_minor
    if cart.items:
        _recount(cart, now)
    else:
        empty_cart(cart)
    return gone


def cancel(
    order: Order, *, now: datetime, actor: str = "customer", operator_id: int | None = None, reason: str = ""
) -> bool:
    """Cancel an unpaid order and give its stock back; False when it is paid, cancelled or a cart. Flushes.

    Idempotent. Its open payments stay, because money that comes late must still find its order; a task
    closes their links.
    """
    hold(order)
    if order.status != "placed" or order.payment_status == "paid":
        return False
    history.note_change(
        "order", order.id, before="placed", after="cancelled", actor=actor, now=now, operator_id=operator_id,
        reason=reason,
    )  # fmt: skip
    for topic in ("payment_claimed", "claim_ending", "order_placed", "payment_failed"):
        settle(f"{topic}:{order.id}", now=now)
    stock.give_back(order)
    order.status = "cancelled"
    order.updated_at = now
    db.session.flush()
    payments.ask_at_once(order.id, now=now)
    return True


def take_up_again(order: Order, *, config: Config, now: datetime, operator_id: int) -> bool:
    """Make an ended order, for which money came late, a paid one after all; what lies on the shelf again is
    taken, what was handed over leaves anew.

    Flushes. False when it is not so. Raises OutOfStock; then nothing changed.
    """
    hold(order)
    paying = payments.came_late(order)
    if paying is None:
        return False
    stock.take_anew(order, now=now, operator_id=operator_id)
    payments.take_up_again(order, paying, config=config, now=now, operator_id=operator_id)
    return True


def just_placed(conversation_id: int, now: datetime) -> Order | None:
    """Give the order that this conversation placed a moment ago: a second press on "confirm" means that
    one.
    """
    return db.session.scalars(
        select(Order)
        .where(
            Order.conversation_id == conversation_id,
            Order.status == "placed",
            Order.placed_at > now - SAME_ORDER_WINDOW,
        )
        .order_by(Order.placed_at.desc(), Order.id.desc())
        .limit(1)
    ).first()


def orders_of(contact_id: int, limit: int = 20) -> list[Order]:
    """List what a contact ordered (carts are no orders), the newest first."""
    return list(
        db.session.scalars(
            select(Order)
            .where(Order.contact_id == contact_id, Order.status != "cart")
            .order_by(Order.placed_at.desc(), Order.id.desc())
            .limit(limit)
        )
    )


def awaits_payment(contact_id: int) -> bool:
    """Tell whether the newest order of a contact waits for its payment."""
    return any(order.status == "placed" for order in orders_of(contact_id, 1))


def order_of(contact_id: int, written: str) -> Order | None:
    """Find a contact's own order by the number in what they wrote, None when it holds no number of theirs."""
    number = read_number(written, ORDER)
    if number is None:
        return None
    return db.session.scalars(
        select(Order).where(Order.contact_id == contact_id, Order.number == number)
    ).first()


def _line(cart: Order | None, product_id: int) -> OrderItem | None:
    items = cart.items if cart is not None else []
    return next((item for item in items if item.product_id == product_id), None)


def _open_cart(conversation_id: int, contact_id: int, currency: str, now: datetime, source: str) -> Order:
    cart = Order(
        contact_id=contact_id,
        conversation_id=conversation_id,
        cart_of_conversation_id=conversation_id,
        status="cart",
        currency=currency,
        source=source[:60],
        created_at=now,
    )
    db.session.add(cart)
    db.session.flush()
    return cart


def _add_line(cart: Order, product: Product, quantity: int) -> None:
    if product.currency != cart.currency:
        raise OtherCurrency
    if len(cart.items) >= MAX_LINES:
        raise CartFull
    cart.items.append(
        OrderItem(
            product_id=product.id, name=product.name, quantity=quantity, price_minor=product.price_minor
        )
    )


def _refuse_shortage(product: Product, wanted: int) -> None:
    missing = stock.shortage(product, wanted)
    if missing is not None:
        raise OutOfStock([missing])


def _recount(order: Order, now: datetime) -> None:
    order.total_minor = sum(item.quantity * item.price_minor for item in order.items)
    order.updated_at = now
    db.session.flush()
