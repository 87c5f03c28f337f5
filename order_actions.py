"""What a customer does with an order in chat: pays it, says that it is paid, asks for the goods again,
cancels it, wants the money back.

`flow_actions` takes ACTIONS over into its closed list and says what an action may do. Decides no step,
words no sentence but the names of the ways to pay, commits nothing.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select

import texts
from action_terms import NONE, Action, ActionContext, ActionResult, Args, alert, text_arg
from crm import tickets
from models import Order, Payment, db
from shop import catalog, delivery, orders, payments, till
from shop.holding import hold

RECENT_ORDERS: Final = 20
SHOWN_ORDERS: Final = 9
# A second press, or the same words in two messages, means the same wish.
SAME_WISH_WINDOW: Final = timedelta(minutes=2)
# A file that comes while so old an order waits for its payment may be anything.
RECEIPT_MAX_AGE: Final = timedelta(days=7)


def awaits_receipt(contact_id: int, now: datetime) -> bool:
    """Tell whether a picture of this contact is most likely a bank's receipt: an order waits to be paid by
    hand.
    """
    return (
        db.session.scalar(
            select(Payment.id)
            .join(Order, Order.id == Payment.order_id)
            .where(
                Order.contact_id == contact_id,
                Order.status == "placed",
                Order.placed_at > now - RECEIPT_MAX_AGE,
                Payment.status == "pending",
                Payment.method.not_in(till.BY_SERVICE),
            )
            .limit(1)
        )
        is not None
    )


def _start_payment(args: Args, ctx: ActionContext) -> ActionResult:
    order = _meant(args, ctx, "placed")
    if order is None:
        return ActionResult(NONE)
    facts = {"order": _order(order, ctx)}
    if order.total_minor == 0:
        payments.give(order, config=ctx.config, now=ctx.now)
        return ActionResult("free", facts)
    methods = till.offered(order.currency, ctx.config)
    if not methods:
        _ask_for_data(order, ctx)
        return ActionResult("by_hand", facts)
    wanted = text_arg(args, "method") or (_way_before(order) if text_arg(args, "again") else "")
    if wanted not in methods and len(methods) > 1:
        named = [
            {"id": one, "name": texts.text("payment_method_word", ctx.language, method=one)}
            for one in methods
        ]
        return ActionResult("choose", {**facts, "methods": named})
    shown = payments.start(order, wanted if wanted in methods else methods[0], config=ctx.config, now=ctx.now)
    return _shown(shown, facts)


def _way_before(order: Order) -> str:
    """Give the way to pay that the customer chose last, nothing where she has chosen none."""
    begun = [one.method for one in payments.payments_of(order.id) if one.status in payments.OPEN]
    return begun[-1] if begun else ""


def _shown(shown: payments.ToPay, facts: Mapping[str, Any]) -> ActionResult:
    """Give the outcome that says how this payment is made."""
    if shown.code:
        return ActionResult("pix", {**facts, "code": shown.code, "picture": shown.picture_id or 0})
    if shown.link:
        return ActionResult("link", {**facts, "link": shown.link})
    if shown.instructions:
        return ActionResult("manual", {**facts, "instructions": shown.instructions})
    return ActionResult("awaited", facts)


def _ask_for_data(order: Order, ctx: ActionContext) -> None:
    """With no way of paying set up, people of ours send the data themselves."""
    total = catalog.price_text(order.total_minor, order.currency, "en")
    words = f"Order {order.number} ({total}) waits for the payment data: no way to pay is set up"
    alert("order_placed", f"order_placed:{order.id}", words, ctx)


def _claim_payment(args: Args, ctx: ActionContext) -> ActionResult:
    order = _meant(args, ctx, "placed")
    if order is None:
        paid = _meant(args, ctx, "paid")
        return ActionResult("paid", {"order": _order(paid, ctx)}) if paid is not None else ActionResult(NONE)
    is_receipt = text_arg(args, "receipt") == "yes"
    payments.claim(order, now=ctx.now, message_id=ctx.message_id, is_receipt=is_receipt)
    return ActionResult("claimed", {"order": _order(order, ctx)})


def _send_goods_again(args: Args, ctx: ActionContext) -> ActionResult:
    order = _meant(args, ctx, "paid")
    if order is None:
        unpaid = _meant(args, ctx, "placed")
        return ActionResult("unpaid", {"order": _order(unpaid, ctx)}) if unpaid else ActionResult(NONE)
    facts = {"order": _order(order, ctx)}
    rows = delivery.deliveries_of(order.id)
    if any(row.status == "pending" for row in rows):
        return _bring_rest(order, facts, ctx)
    sent_at = [row.sent_at for row in rows if row.sent_at is not None]
    if sent_at and max(sent_at) > ctx.now - SAME_WISH_WINDOW:
        return ActionResult("just_sent", facts)
    done = delivery.send_again(order, config=ctx.config, now=ctx.now, actor="customer")
    return ActionResult("sent", facts) if done.sent else _await_goods(order, facts, ctx)


def _bring_rest(order: Order, facts: Mapping[str, Any], ctx: ActionContext) -> ActionResult:
    """Send what has not left yet: what has left is not what the customer misses."""
    done = delivery.hand_over(hold(order), config=ctx.config, now=ctx.now, actor="customer")
    return _await_goods(order, facts, ctx) if done.waiting else ActionResult("sent", facts)


def _await_goods(order: Order, facts: Mapping[str, Any], ctx: ActionContext) -> ActionResult:
    words = f"A customer waits for the goods of order {order.number}"
    alert("to_deliver", f"to_deliver:{order.id}", words, ctx)
    return ActionResult("waiting", facts)


def _open_order(args: Args, ctx: ActionContext) -> ActionResult:
    order = _meant(args, ctx, "placed")
    if order is None:
        paid = _meant(args, ctx, "paid")
        return ActionResult("paid", {"order": _order(paid, ctx)}) if paid is not None else ActionResult(NONE)
    waiting = _all(ctx, "placed")[:SHOWN_ORDERS]
    if len(waiting) > 1 and _named(args, ctx) is None:
        return ActionResult("several", {"orders": [_order(one, ctx) for one in waiting]})
    return ActionResult("found", {"order": _order(order, ctx)})


def _cancel_order(args: Args, ctx: ActionContext) -> ActionResult:
    order = _meant(args, ctx, "placed")
    if order is not None and orders.cancel(order, now=ctx.now):
        return ActionResult("cancelled", {"order": _order(order, ctx)})
    paid = _meant(args, ctx, "paid")
    return ActionResult("paid", {"order": _order(paid, ctx)}) if paid is not None else ActionResult(NONE)


def _request_refund(args: Args, ctx: ActionContext) -> ActionResult:
    order = _repayable(args, ctx)
    if order is None:
        unpaid = _meant(args, ctx, "placed")
        return ActionResult("unpaid", {"order": _order(unpaid, ctx)}) if unpaid else ActionResult(NONE)
    ticket = tickets.open_ticket(
        ctx.contact_id,
        text_arg(args, "reason"),
        now=ctx.now,
        subject=texts.text("refund_subject", ctx.config.default_language, number=order.number),
        priority=ctx.priority,
        conversation_id=ctx.conversation_id,
        message_id=ctx.message_id,
    )
    words = f"A customer wants order {order.number} paid back (ticket {ticket.number})"
    alert("refund_wanted", f"refund_wanted:{order.id}", words, ctx)
    return ActionResult("created", {"order": _order(order, ctx), "ticket": {"number": ticket.number}})


def _repayable(args: Args, ctx: ActionContext) -> Order | None:
    """Give the order whose money may be with the shop: paid, paid after its end, or paid as its customer
    says.
    """
    paid = _meant(args, ctx, "paid")
    if paid is not None:
        return paid
    named = _named(args, ctx)
    listed = [named] if named is not None else orders.orders_of(ctx.contact_id, RECENT_ORDERS)
    return next((order for order in listed if order.payment_status in ("paid", "claimed")), None)


def _meant(args: Args, ctx: ActionContext, status: str) -> Order | None:
    """Give the order that the customer named if it is in a state; without a name the newest one that is.

    A number that is of none of her orders names nothing: whatever is done is told with the right one.
    """
    named = _named(args, ctx)
    if named is not None:
        return named if named.status == status else None
    return next(iter(_all(ctx, status)), None)


def _named(args: Args, ctx: ActionContext) -> Order | None:
    number = text_arg(args, "number")
    return orders.order_of(ctx.contact_id, number) if number else None


def _all(ctx: ActionContext, status: str) -> list[Order]:
    listed = orders.orders_of(ctx.contact_id, RECENT_ORDERS)
    return [order for order in listed if order.status == status]


def _order(order: Order, ctx: ActionContext) -> dict[str, Any]:
    return {
        "number": order.number,
        "total_text": catalog.price_words(order.total_minor, order.currency, ctx.language),
        "is_claimed": order.payment_status == "claimed",
    }


ACTIONS: Final[Mapping[str, Action]] = {
    "start_payment": Action(writes=_start_payment),
    "claim_payment": Action(writes=_claim_payment),
    "send_goods_again": Action(writes=_send_goods_again),
    "open_order": Action(reads=_open_order),
    "cancel_order": Action(writes=_cancel_order),
    "request_refund": Action(writes=_request_refund),
}
