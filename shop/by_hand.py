"""Orders that people of ours make for a customer: at today's prices, less a discount within the bounds of who
makes it.

The page of an order by hand calls it; what follows (payment, goods, credit) is as with any order. Flushes,
never commits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from sqlalchemy import or_, select

from models import Conversation, Order, OrderItem, Product, db
from shop import catalog, orders
from shop.orders import MAX_LINES, MAX_QUANTITY, EmptyCart, NotForSale, OtherCurrency

SOURCE: Final = "operator"
# The most that a role may take off, in per cent. An order that costs nothing is a gift: an admin's alone.
DISCOUNT_MOST: Final[Mapping[str, int]] = {"agent": 0, "manager": 20, "admin": 100}
# The same lines for the same customer within this time are a second press of the button.
SAME_ORDER_WINDOW: Final = timedelta(minutes=2)


class DiscountTooHigh(ValueError):
    """More is taken off than the role may; `most` is what it may, in per cent."""

    def __init__(self, most: int) -> None:
        super().__init__(f"at most {most} per cent")
        self.most = most


@dataclass(frozen=True, slots=True)
class Maker:
    """Who makes an order, and in which role."""

    operator_id: int
    role: str

    @property
    def discount_most(self) -> int:
        return DISCOUNT_MOST.get(self.role, 0)


def less(price_minor: int, percent: int) -> int:
    """Take so many per cent off the price of one, to the nearest minor unit, half up."""
    left = Decimal(price_minor) * (100 - percent) / 100
    return int(left.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def place(
    conversation_id: int, quantities: Mapping[int, int], *, percent: int, maker: Maker, now: datetime
) -> tuple[Order, bool]:
    """Place an order of so many of each product for a customer; her own open cart stays as it is. Flushes.

    Gives the order and whether it is new: one with the same lines that was made a moment ago is given back.
    Raises DiscountTooHigh, EmptyCart, NotForSale, OtherCurrency, OutOfStock or ValueError; then the caller
    rolls back.
    """
    if not 0 <= percent <= maker.discount_most:
        raise DiscountTooHigh(maker.discount_most)
    if not quantities:
        raise EmptyCart
    if len(quantities) > MAX_LINES or not all(1 <= count <= MAX_QUANTITY for count in quantities.values()):
        raise ValueError(f"at most {MAX_LINES} lines of 1 to {MAX_QUANTITY}")
    # Everybody who makes an order for this customer waits here, so the second press sees the first.
    held = select(Conversation).where(Conversation.id == conversation_id).with_for_update()
    conversation = db.session.scalars(held.execution_options(populate_existing=True)).one()
    products = {product_id: _for_sale(product_id) for product_id in quantities}
    wanted = {
        product.id: (quantities[product.id], less(product.price_minor, percent))
        for product in products.values()
    }
    before = _just_made(conversation_id, wanted, now)
    if before is not None:
        return before, False
    order = _cart(conversation, products, quantities, now)
    told = f"−{percent} %" if percent else ""
    orders.place(order, now=now, actor="operator", operator_id=maker.operator_id, reason=told)
    for item in order.items:
        item.price_minor = less(item.price_minor, percent)
    order.total_minor = sum(item.quantity * item.price_minor for item in order.items)
    db.session.flush()
    return order, True


def _for_sale(product_id: int) -> Product:
    product = catalog.product(product_id)
    if product is None:
        raise NotForSale(product_id)
    return product


def _cart(
    conversation: Conversation, products: Mapping[int, Product], quantities: Mapping[int, int], now: datetime
) -> Order:
    """Make a cart beside the customer's own."""
    currencies = {product.currency for product in products.values()}
    if len(currencies) > 1:
        raise OtherCurrency
    cart = Order(
        contact_id=conversation.contact_id,
        conversation_id=conversation.id,
        status="cart",
        currency=currencies.pop(),
        source=SOURCE,
        created_at=now,
    )
    cart.items = [
        OrderItem(
            product_id=product.id,
            name=product.name,
            quantity=quantities[product.id],
            price_minor=product.price_minor,
        )
        for product in products.values()
    ]
    db.session.add(cart)
    db.session.flush()
    return cart


def _just_made(conversation_id: int, wanted: Mapping[int, tuple[int, int]], now: datetime) -> Order | None:
    """Give the order by hand with these lines that was made a moment ago, if there is one."""
    lately = select(Order).where(
        Order.conversation_id == conversation_id,
        Order.source == SOURCE,
        or_(Order.status == "placed", Order.total_minor == 0),  # a gift is paid as it is made
        Order.placed_at > now - SAME_ORDER_WINDOW,
    )
    return next(
        (
            order
            for order in db.session.scalars(lately.order_by(Order.id.desc()))
            if {item.product_id: (item.quantity, item.price_minor) for item in order.items} == wanted
        ),
        None,
    )
