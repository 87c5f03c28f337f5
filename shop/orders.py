"""Carts and orders: a conversation has one open cart; placing it fixes the prices, takes the stock and
gives a number.

Flow actions, the pipeline (for WhatsApp catalogue orders) and operators' pages call these verbs. They flush
and never commit, and take no payment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

import providers.base
from models import Order, OrderItem, Product, db
from record_numbers import ORDER, number_of, read_number
from shop.catalog import Shortage, product_by_sku

MAX_QUANTITY = 999
MAX_LINES = 50
# A second press on "confirm" within this time means the same order.
SAME_ORDER_WINDOW = timedelta(minutes=10)


class NotForSale(Exception):
    """The product does not exist or is not sold at present; `product_id` is None when it does not exist."""

    def __init__(self, product_id: int | None = None) -> None:
        super().__init__(f"product {product_id} is not for sale")
        self.product_id = product_id


class OutOfStock(Exception):
    """Fewer are left than wanted; `shortages` tells which."""

    def __init__(self, shortages: Sequence[Shortage]) -> None:
        super().__init__(", ".join(f"{s.name}: {s.left} of {s.wanted}" for s in shortages))
        self.shortages = tuple(shortages)


class OtherCurrency(Exception):
    """The cart holds things in another currency; one order has one."""


class CartFull(Exception):
    """The cart has as many lines as it can hold."""


class EmptyCart(Exception):
    """There is nothing to order."""


@dataclass(frozen=True, slots=True)
class CatalogOrder:
    """What became of a WhatsApp catalogue order: the cart, and what could not go in."""

    cart: Order | None
    unknown_skus: tuple[str, ...] = ()
    shortages: tuple[Shortage, ...] = ()
    other_currency_skus: tuple[str, ...] = ()


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
    one.

    Flushes. Our prices count, not those of the message. What we do not sell, or have too few of, is told
    and left out.
    """
    old = cart_of(conversation_id)
    if old is not None:
        empty_cart(old)
    unknown: list[str] = []
    shortages: list[Shortage] = []
    other_currency: list[str] = []
    for item in items[:MAX_LINES]:
        try:
            add_to_cart(
                conversation_id,
                contact_id,
                product_by_sku(item.retailer_id),
                max(1, min(item.quantity, MAX_QUANTITY)),
                now=now,
                source=source,
            )
        except NotForSale:
            unknown.append(item.retailer_id)
        except OutOfStock as refusal:
            shortages.extend(refusal.shortages)
        except OtherCurrency:
            other_currency.append(item.retailer_id)
    return CatalogOrder(cart_of(conversation_id), tuple(unknown), tuple(shortages), tuple(other_currency))


def place(order: Order, *, now: datetime) -> Order:
    """Turn a cart into an order: today's prices are fixed, the stock is taken, a number is given. Flushes.

    Raises EmptyCart, NotForSale (something was taken off sale meanwhile) or OutOfStock; then the caller
    rolls back or goes on, nothing changed. Idempotent: an order that was placed is given back as it is.
    """
    if order.status != "cart":
        return order
    if not order.items:
        raise EmptyCart
    products = _products_for_update(order)
    for product in products.values():
        if not product.is_active:
            raise NotForSale(product.id)
    shortages = [s for s in (_shortage(products[i.product_id], i.quantity) for i in order.items) if s]
    if shortages:
        raise OutOfStock(shortages)
    for item in order.items:
        sold = products[item.product_id]
        item.name, item.price_minor = sold.name, sold.price_minor
        if sold.stock is not None:
            sold.stock -= item.quantity
    order.status = "placed"
    order.placed_at = now
    order.cart_of_conversation_id = None
    order.number = number_of(ORDER, order.id)
    _recount(order, now)
    return order


def cancel(order: Order, *, now: datetime) -> bool:
    """Cancel an unpaid order and give its stock back; False when it is paid, cancelled or a cart. Flushes.

    Idempotent.
    """
    if order.status != "placed" or order.payment_status == "paid":
        return False
    for product in _products_for_update(order).values():
        if product.stock is not None:
            product.stock += sum(item.quantity for item in order.items if item.product_id == product.id)
    order.status = "cancelled"
    order.updated_at = now
    db.session.flush()
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
    shortage = _shortage(product, wanted)
    if shortage is not None:
        raise OutOfStock([shortage])


def _shortage(product: Product, wanted: int) -> Shortage | None:
    if product.stock is None or product.stock >= wanted:
        return None
    return Shortage(product.id, product.name, wanted, product.stock)


def _products_for_update(order: Order) -> dict[int, Product]:
    """Lock the order's products, always in the same sequence, so that two buyers of the last one cannot
    both win.
    """
    rows = db.session.scalars(
        select(Product)
        .where(Product.id.in_([item.product_id for item in order.items]))
        .order_by(Product.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {product.id: product for product in rows}


def _recount(order: Order, now: datetime) -> None:
    order.total_minor = sum(item.quantity * item.price_minor for item in order.items)
    order.updated_at = now
    db.session.flush()
