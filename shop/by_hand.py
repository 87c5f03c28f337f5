"""Orders that people of ours, or programs, make for a customer: at today's prices, less a discount within the
bounds of who makes it; and money for an order that they saw arrive.

The pages of orders and the API call it; what follows (goods, credit) is as with any order. Flushes, never
commits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from sqlalchemy import or_, select

from config import Config
from models import Conversation, Order, OrderItem, Payment, Product, db
from shop import catalog, orders, payments, till
from shop.holding import hold
from shop.orders import MAX_LINES, MAX_QUANTITY, EmptyCart, NotForSale, OtherCurrency
from shop.payments import Confirmation

OPERATOR: Final = "operator"
PROGRAM: Final = "program"
# The most that a role may take off, in per cent. An order that costs nothing is a gift: an admin's alone.
DISCOUNT_MOST: Final[Mapping[str, int]] = {"agent": 0, "manager": 20, "admin": 100, PROGRAM: 20}
# The same lines for the same customer within this time are a second press of the button.
SAME_ORDER_WINDOW: Final = timedelta(minutes=2)


class DiscountTooHigh(ValueError):
    """More is taken off than the role may; `most` is what it may, in per cent."""

    def __init__(self, most: int) -> None:
        super().__init__(f"at most {most} per cent")
        self.most = most


@dataclass(frozen=True, slots=True)
class Maker:
    """Who makes an order, and in which role; a program has a role of its own."""

    operator_id: int | None
    role: str

    @property
    def kind(self) -> str:
        """How history names who it is, and the order its source."""
        return OPERATOR if self.operator_id is not None else PROGRAM

    @property
    def discount_most(self) -> int:
        return DISCOUNT_MOST.get(self.role, 0)


A_PROGRAM: Final = Maker(None, PROGRAM)


def less(price_minor: int, percent: int) -> int:
    """Take so many per cent off the price of one, to the nearest minor unit, half up."""
    left = Decimal(price_minor) * (100 - percent) / 100
    return int(left.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def place(
    conversation_id: int,
    quantities: Mapping[int, int],
    *,
    percent: int,
    maker: Maker,
    config: Config,
    now: datetime,
) -> tuple[Order, bool]:
    """Place an order of so many of each product for a customer; her own open cart stays as it is. What costs
    nothing is given. Flushes.

    Gives the order and whether it is new: one with the same lines that a person made a moment ago is given
    back. Programs name each order by their own key.
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
    before = _just_made(conversation_id, wanted, now) if maker.kind == OPERATOR else None
    if before is not None:
        return before, False
    order = _cart(conversation, products, quantities, maker, now)
    told = f"−{percent} %" if percent else ""
    orders.place(order, now=now, actor=maker.kind, operator_id=maker.operator_id, reason=told)
    for item in order.items:
        item.price_minor = less(item.price_minor, percent)
    order.total_minor = sum(item.quantity * item.price_minor for item in order.items)
    db.session.flush()
    payments.give(order, config=config, now=now)
    return order, True


def mark_paid(
    order: Order,
    amount_minor: int,
    currency: str,
    *,
    by: Maker,
    reason: str,
    reference: str,
    payment_id: int | None,
    config: Config,
    now: datetime,
) -> Confirmation | None:
    """Book money that was seen in the account; amount and currency must be the order's. Flushes. Idempotent.

    `payment_id` names the payment, else it is the newest open one, else a new one by hand. None when the
    order takes no money. Of two at once, the second hears that it was booked.
    """
    hold(order)
    payment = _paying(order, payment_id, by, now)
    if payment is None:
        return None
    # Of an order that is paid a new reference would be told as a second payment: a person's word is none.
    is_open = order.payment_status not in payments.PAID_STATES
    return payments.confirm(
        payment,
        amount_minor=amount_minor,
        currency=currency,
        actor=by.kind,
        operator_id=by.operator_id,
        external_id=(reference or None) if is_open else None,
        reason=reason,
        config=config,
        now=now,
    )


def _paying(order: Order, payment_id: int | None, by: Maker, now: datetime) -> Payment | None:
    """Give the payment that is confirmed. Never a payment service's: only the service itself says that it was
    paid."""
    rows = [row for row in payments.payments_of(order.id) if row.method not in till.BY_SERVICE]
    named = next((row for row in rows if row.id == payment_id), None)
    if named is not None or order.payment_status in payments.PAID_STATES:
        return named  # a second press of the button is no second payment
    newest = next((row for row in reversed(rows) if row.status in payments.OPEN), None)
    return newest or payments.open_by_hand(order, now=now, actor=by.kind)


def _for_sale(product_id: int) -> Product:
    product = catalog.product(product_id)
    if product is None:
        raise NotForSale(product_id)
    return product


def _cart(
    conversation: Conversation,
    products: Mapping[int, Product],
    quantities: Mapping[int, int],
    maker: Maker,
    now: datetime,
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
        source=maker.kind,
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
    """Give the order that a person made with these lines a moment ago, if there is one."""
    lately = select(Order).where(
        Order.conversation_id == conversation_id,
        Order.source == OPERATOR,
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
