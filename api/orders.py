"""Orders: read, made for a customer, paid by hand, cancelled, paid back, by the verbs of their own pages."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import selectinload

import auth
import tasks
from api import shapes
from api.doors import PREFIX, Body, Refused, Written, client_token, endpoint, found
from api.kinds import MAX_MONEY, VISIBLE, Amount, BodyId, Clean, Integral, RowId
from api.paging import DatedQuery, Page, narrowed, page
from models import Conversation, Order, Payment, db, utc_now
from shop import by_hand, orders, payments, refunds, stock
from shop.by_hand import A_PROGRAM, DISCOUNT_MOST, PROGRAM, DiscountTooHigh
from shop.orders import MAX_LINES, MAX_QUANTITY, EmptyCart, NotForSale, OtherCurrency
from shop.stock import OutOfStock

REASON_MAX_CHARS = 200
REFERENCE_MAX_CHARS = 120
Reason = Annotated[str, Field(max_length=REASON_MAX_CHARS), Clean]


class OrderQuery(DatedQuery):
    number: Annotated[str, Field(max_length=20), Clean] | None = None
    contact_id: RowId | None = None
    conversation_id: RowId | None = None
    status: Literal["cart", "placed", "paid", "cancelled", "refunded"] | None = Field(
        default=None, description="Carts are listed only when they are asked for."
    )
    payment_status: Literal["unpaid", "claimed", "paid", "partly_refunded", "refunded"] | None = None


class Line(Body):
    product_id: BodyId
    quantity: Annotated[int, Field(ge=1, le=MAX_QUANTITY), Integral] = 1


class NewOrder(Body):
    """An order at today's prices; the cart that the customer may have open stays as it is."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"conversation_id": 1, "items": [{"product_id": 1, "quantity": 2}]}]}
    )

    conversation_id: BodyId
    items: Annotated[list[Line], Field(min_length=1, max_length=MAX_LINES)]
    discount_percent: Annotated[int, Field(ge=0, le=DISCOUNT_MOST[PROGRAM]), Integral] = Field(
        default=0, description="What is taken off each price; more than this is for people to give."
    )


class Arrived(Body):
    """Money that was seen in the account. A payment service's own payments it confirms itself."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"amount_minor": 19_400, "currency": "BRL", "reason": "Pix 4821, bank statement"}]
        }
    )

    amount_minor: Amount = Field(description="It must be the order's total.")
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217.")]
    reason: Annotated[str, Field(min_length=1, max_length=REASON_MAX_CHARS, pattern=VISIBLE), Clean] = Field(
        description="How it is known that the money has arrived."
    )
    reference: Annotated[str, Field(max_length=REFERENCE_MAX_CHARS), Clean] = Field(
        default="", description="The bank's own: two orders cannot be paid by one."
    )
    payment_id: BodyId | None = Field(
        default=None,
        description="One of the order's `payments`; null: the newest that is open, or a new one.",
    )


class Ending(Body):
    reason: Reason = ""


class NewRefund(Body):
    """Money that goes back. A payment service is asked to send it; what was paid by Pix or by hand the shop
    has sent itself."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"payment_id": 1, "amount_minor": 9_700, "reason": "Returned"}]}
    )

    payment_id: BodyId = Field(description="One of the order's `payments`, confirmed.")
    amount_minor: Annotated[int, Field(ge=1, le=MAX_MONEY), Integral]
    reason: Reason = ""
    restock: bool = Field(default=False, description="The goods are back, and may be sold again.")


# --- reading ------------------------------------------------------------------------------------------------


@endpoint("GET", "/orders", scope="shop:read")
def list_orders(asked: OrderQuery) -> Page[shapes.Order]:
    """List orders."""
    query = narrowed(
        select(Order).options(selectinload(Order.items)),
        asked,
        Order.created_at,
        number=Order.number,
        contact_id=Order.contact_id,
        conversation_id=Order.conversation_id,
        status=Order.status,
        payment_status=Order.payment_status,
    )
    query = query if asked.status is not None else query.where(Order.status != "cart")
    return page(query, Order.id, asked, _orders)


@endpoint("GET", "/orders/<int:order_id>", scope="shop:read")
def get_order(order_id: int) -> shapes.Order:
    """Get one order."""
    query = select(Order).where(Order.id == order_id).options(selectinload(Order.items))
    return _orders([found(db.session.scalar(query))])[0]


# --- changing -----------------------------------------------------------------------------------------------


@endpoint(
    "POST",
    "/orders",
    scope="shop:write",
    status=201,
    refusals=("conflict", "not_found", "out_of_stock"),
    needs_key=True,
)
def create_order(said: NewOrder) -> Written[shapes.Made]:
    """Make an order for the customer of a conversation; she is asked for the money by people, or by chat."""
    if db.session.get(Conversation, said.conversation_id) is None:
        raise Refused("not_found", f"There is no conversation {said.conversation_id}.")
    quantities: Counter[int] = Counter()
    for line in said.items:
        quantities[line.product_id] += line.quantity
    try:
        made, _ = by_hand.place(
            said.conversation_id,
            quantities,
            percent=said.discount_percent,
            maker=A_PROGRAM,
            config=auth.current_config(),
            now=utc_now(),
        )
    except OutOfStock as short:
        names = ", ".join(shortage.name for shortage in short.shortages)
        raise Refused("out_of_stock", f"There are too few left of {names}.") from short
    except (DiscountTooHigh, EmptyCart, NotForSale, OtherCurrency, ValueError) as refused:
        raise Refused("conflict", _problem(refused)) from refused
    url = f"{PREFIX}/orders/{made.id}"
    return Written(shapes.Made(id=made.id, url=url), [partial(tasks.wake_outbox, made.conversation_id)])


def _problem(refused: Exception) -> str:
    match refused:
        case NotForSale():
            return f"Product {refused.args[0]} is not for sale."
        case OtherCurrency():
            return "One order has one currency."
    return f"The order cannot be made like this ({refused})."


@endpoint("POST", "/orders/<int:order_id>/paid", scope="shop:write", refusals=("conflict",))
def mark_order_paid(order_id: int, said: Arrived) -> Written[shapes.OrderMoved]:
    """Book money that has arrived: the customer is told, and the goods leave. `result` says what it was."""
    row = _placed(order_id)
    done = by_hand.mark_paid(
        row,
        said.amount_minor,
        said.currency,
        by=A_PROGRAM,
        reason=said.reason.strip(),
        reference=said.reference.strip(),
        payment_id=said.payment_id,
        config=auth.current_config(),
        now=utc_now(),
    )
    if done is None:
        is_paid = row.payment_status in payments.PAID_STATES
        raise Refused(
            "conflict", "The order was paid before." if is_paid else "The order takes no money any more."
        )
    if done.result == "mismatch":
        cost = f"{row.total_minor} {row.currency}"
        raise Refused(
            "conflict", f"The order costs {cost} (minor units), or the reference is another order's."
        )
    return _moved(row, done.result)


@endpoint("POST", "/orders/<int:order_id>/cancel", scope="shop:write", refusals=("conflict",))
def cancel_order(order_id: int, said: Ending) -> Written[shapes.OrderMoved]:
    """Cancel an order that is not paid; its goods may be sold again."""
    row = _placed(order_id)
    if not orders.cancel(row, now=utc_now(), actor=PROGRAM, reason=said.reason.strip()):
        raise Refused("conflict", "Only an order that is not paid can be cancelled.")
    return _moved(row, "cancelled")


@endpoint(
    "POST",
    "/orders/<int:order_id>/refunds",
    scope="shop:write",
    refusals=("conflict",),
    needs_key=True,
)
def refund_order(order_id: int, said: NewRefund) -> Written[shapes.OrderMoved]:
    """Pay back all or a part of a payment. `result`: done, or requested of the payment service."""
    row = _placed(order_id)
    payment = db.session.get(Payment, said.payment_id)
    if payment is None or payment.order_id != row.id:
        raise Refused("conflict", "The order has no such payment.")
    try:
        made = refunds.refund(
            payment,
            said.amount_minor,
            key=client_token(),
            actor=PROGRAM,
            reason=said.reason.strip(),
            now=utc_now(),
        )
    except refunds.CannotBeRefunded as refused:
        words = f"No more than {refused.left_minor} {row.currency} (minor units) can go back."
        raise Refused("conflict", words) from refused
    if said.restock:
        stock.note_return(row, now=utc_now(), operator_id=None, actor=PROGRAM)
    return _moved(row, made.status)


def _placed(order_id: int) -> Order:
    """Give an order; a cart is none yet."""
    return found(db.session.scalar(select(Order).where(Order.id == order_id, Order.status != "cart")))  # type: ignore[no-any-return]


def _moved(row: Order, result: str) -> Written[shapes.OrderMoved]:
    db.session.flush()
    moved = shapes.OrderMoved.of(row, url=f"{PREFIX}/orders/{row.id}", result=result)
    return Written(moved, [partial(tasks.wake_outbox, row.conversation_id)])


# --- shapes -------------------------------------------------------------------------------------------------


def _orders(rows: Sequence[Order]) -> list[shapes.Order]:
    paid: dict[int, list[shapes.Payment]] = defaultdict(list)
    wanted = select(Payment).where(Payment.order_id.in_([row.id for row in rows])).order_by(Payment.id)
    for one in db.session.scalars(wanted):
        amounts = {"amount": _money(one.amount_minor, one), "refunded": _money(one.refunded_minor, one)}
        paid[one.order_id].append(shapes.Payment.of(one, reference=one.our_reference, **amounts))
    return [
        shapes.Order.of(
            row,
            items=[shapes.OrderItem.of(item, price=_money(item.price_minor, row)) for item in row.items],
            total=_money(row.total_minor, row),
            payments=paid[row.id],
        )
        for row in rows
    ]


def _money(minor: int, row: Order | Payment) -> shapes.Money:
    return shapes.Money(amount_minor=minor, currency=row.currency)
