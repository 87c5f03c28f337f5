"""One order: its lines, payments, goods and steps, and what people of ours do with it.

Every operator may look and send the goods again; what moves money asks for a manager. Each form is one verb
of the shop, one commit, and the outbox woken.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy import or_, select
from sqlalchemy.orm import selectinload

import history
import tasks
from analysis.money import read_amount
from auth import current_config, login_required_role
from cashier import Errand
from models import (
    Contact,
    Delivery,
    Message,
    Operator,
    Order,
    OrderItem,
    Payment,
    Refund,
    Sale,
    StateChange,
    StoredMedia,
    db,
    utc_now,
)
from shop import (
    by_hand,
    catalog,
    delivery,
    orders,
    payments,
    refunds,
    sales,
    showing,
    standing,
    stock,
    telling,
    till,
)
from shop.by_hand import Maker
from shop.payments import CannotBePaid
from shop.stock import OutOfStock

REASON_MAX_CHARS = 200
REFERENCE_MAX_CHARS = 120
ASKED_AGAIN_AFTER = timedelta(minutes=1)
KEY_BYTES = 16
MAX_KEY_CHARS = 64

bp = Blueprint("order", __name__)


@dataclass(frozen=True, slots=True)
class PaymentLine:
    """A payment, what went back of it, and the file that the customer sent as its receipt."""

    payment: Payment
    refunds: Sequence[Refund]
    left_minor: int
    receipt: StoredMedia | None
    mismatches: Sequence[dict[str, object]]


@dataclass(frozen=True, slots=True)
class GoodsLine:
    """A delivery, what it is of, and how its message fared."""

    delivery: Delivery
    name: str
    message_status: str


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the order or of something that belongs to it, and who took it."""

    change: StateChange
    who: str


@dataclass(frozen=True, slots=True)
class OrderPage:
    order: Order
    contact: Contact
    payments: Sequence[PaymentLine]
    goods: Sequence[GoodsLine]
    steps: Sequence[Step]
    sale: Sale | None
    can_be_paid: bool
    methods: Sequence[str]
    refund_key: str
    can_return: bool


@bp.get("/orders/<int:order_id>")
def order(order_id: int) -> ResponseReturnValue:
    return render_template("dashboard/order.html", page=_page(_find(order_id)))


@bp.post("/orders/<int:order_id>/paid")
@login_required_role("manager")
def mark_paid(order_id: int) -> ResponseReturnValue:
    """Book money that a person has seen in the account; the amount must be the order's. Of two who press at
    once, the second is told that it was booked.
    """
    found = _find(order_id)
    amount, reason = _amount(found.currency), _reason()
    if amount is None:
        return _refused(found, _("Write the amount that has arrived."))
    if not reason:
        return _refused(found, _("Write how you know that it has arrived."))
    done = by_hand.mark_paid(
        found,
        amount,
        found.currency,
        by=Maker(current_user.id, current_user.role),
        reason=reason,
        reference=_words("reference", REFERENCE_MAX_CHARS),
        payment_id=request.form.get("payment", type=int),
        config=current_config(),
        now=utc_now(),
    )
    if done is None:
        words = _("This order was paid before; nothing was booked again.")
        is_paid = found.payment_status in payments.PAID_STATES
        return _refused(found, words if is_paid else _("This order cannot be paid any more."))
    told = {
        "paid": _("The order is paid. The customer has been told, and the goods are on their way."),
        "already": _("This payment was booked before."),
        "twice": _("Booked, but the order had been paid before: pay one of the two back."),
        "late": _("Booked, but the order had been cancelled: pay it back or take the order up again."),
        "mismatch": _(
            "Nothing was booked: the order costs %(total)s, or the reference is another order's.",
            total=_money(found),
        ),
    }
    return _done(found, told[done.result], "success" if done.result == "paid" else "danger")


@bp.post("/orders/<int:order_id>/ask")
@login_required_role("manager")
def ask(order_id: int) -> ResponseReturnValue:
    """Send the customer what she needs to pay, in the conversation; a second press sends nothing."""
    found, now = _find(order_id), utc_now()
    reader = telling.reader_of(found.conversation_id, now)
    if reader.has_opted_out:
        return _refused(found, _("The customer asked for no more messages."))
    if not reader.is_reachable:
        return _refused(
            found, _("The 24-hour window is closed. Send a template first, and wait for an answer.")
        )
    method = request.form.get("method", "")
    try:
        shown = payments.start(found, method, config=current_config(), now=now, actor="operator")
    except CannotBePaid as refusal:
        words = {"paid": _("This order is paid."), "not_offered": _("Choose a way to pay that is set up.")}
        return _refused(found, words.get(refusal.code, _("This order cannot be paid any more.")))
    payment = db.session.get_one(Payment, shown.payment_id)
    kept = payment.data or {}
    if "shown_at" in kept and datetime.fromisoformat(kept["shown_at"]) > now - ASKED_AGAIN_AFTER:
        return _done(found, _("It was sent a moment ago."))
    payment.data = {**kept, "shown_at": now.isoformat()}
    history.note_change(
        "payment", payment.id, before="", after="sent", actor="operator", now=now, operator_id=current_user.id
    )
    if not shown.is_awaited:
        showing.show(payment, now=now)
        return _done(found, _("Sent: the customer can pay now."))
    answer = _done(found, _("The payment service is asked; its link goes to the customer by itself."))
    tasks.wake_errand(Errand("link", shown.payment_id))
    return answer


@bp.post("/orders/<int:order_id>/cancel")
@login_required_role("manager")
def cancel(order_id: int) -> ResponseReturnValue:
    found = _find(order_id)
    is_done = orders.cancel(
        found, now=utc_now(), actor="operator", operator_id=current_user.id, reason=_reason()
    )
    if not is_done:
        return _refused(found, _("Only an order that is not paid can be cancelled."))
    return _done(found, _("The order is cancelled."))


@bp.post("/orders/<int:order_id>/take-up")
@login_required_role("manager")
def take_up(order_id: int) -> ResponseReturnValue:
    """Make a cancelled order, for which money came late, a paid one."""
    found = _find(order_id)
    try:
        is_done = orders.take_up_again(
            found, config=current_config(), now=utc_now(), operator_id=current_user.id
        )
    except OutOfStock as refusal:
        missing = ", ".join(shortage.name for shortage in refusal.shortages)
        return _refused(found, _("There are too few left of %(names)s.", names=missing))
    if not is_done:
        return _refused(found, _("There is no money that came late for this order."))
    return _done(found, _("The order is paid after all. The goods are on their way."))


@bp.post("/orders/<int:order_id>/payments/<int:payment_id>/refund")
@login_required_role("manager")
def refund(order_id: int, payment_id: int) -> ResponseReturnValue:
    """Pay back all or a part, and put the goods back into stock where the form says that they are there; one
    click counts once, by the form's key.
    """
    found = _find(order_id)
    payment = db.session.get(Payment, payment_id)
    key = request.form.get("key", "")[:MAX_KEY_CHARS]
    if payment is None or payment.order_id != found.id or not key:
        abort(404)
    amount = _amount(found.currency)
    if amount is None:
        return _refused(found, _("Write the amount to pay back."))
    try:
        made = refunds.refund(
            payment,
            amount,
            key=key,
            actor="operator",
            operator_id=current_user.id,
            reason=_reason(),
            now=utc_now(),
        )
    except refunds.CannotBeRefunded as refusal:
        left = catalog.price_text(refusal.left_minor, found.currency, _language())
        return _refused(found, _("No more than %(left)s can go back.", left=left))
    if request.form.get("restock") == "1":
        stock.note_return(found, now=utc_now(), operator_id=current_user.id)
    if made.status == "done":
        return _done(found, _("Noted: the money has gone back. The customer has been told."))
    return _done(found, _("The payment service is asked to pay back."))


@bp.post("/orders/<int:order_id>/send-again")
def send_again(order_id: int) -> ResponseReturnValue:
    """Send the goods once more: links anew, keys and texts as they were."""
    found = _find(order_id)
    done = delivery.send_again(
        found, config=current_config(), now=utc_now(), actor="operator", operator_id=current_user.id
    )
    if not done.sent:
        words = _("Nothing could be sent. See below what it waits for.")
        return _done(found, words, "danger")
    return _done(found, _("Sent once more."))


@bp.post("/orders/<int:order_id>/goods/<int:delivery_id>/handed-over")
def handed_over(order_id: int, delivery_id: int) -> ResponseReturnValue:
    """Note that a person has handed something over herself."""
    found = _find(order_id)
    row = db.session.get(Delivery, delivery_id)
    if row is None or row.order_id != found.id:
        abort(404)
    if not delivery.mark_handed_over(row, operator_id=current_user.id, now=utc_now()):
        return _refused(found, _("This was handed over before."))
    return _done(found, _("Noted."))


# --- what the page shows ------------------------------------------------------------------------------------


def _page(found: Order) -> OrderPage:
    rows = payments.payments_of(found.id)
    goods = delivery.deliveries_of(found.id)
    made = [refund for row in rows for refund in refunds.refunds_of(row.id)]
    ids = {
        "order": [found.id],
        standing.RECORD: [found.id],
        stock.RECORD: [found.id],
        "payment": [row.id for row in rows],
        "refund": [row.id for row in made],
        "delivery": [row.id for row in goods],
    }
    return OrderPage(
        order=found,
        contact=db.session.get_one(Contact, found.contact_id, options=[selectinload(Contact.identities)]),
        payments=[_payment_line(row) for row in rows],
        goods=_goods_lines(goods),
        steps=_steps(ids),
        sale=sales.sale_of(found.id),
        can_be_paid=found.status == "placed" and found.payment_status not in payments.PAID_STATES,
        methods=till.offered(found.currency, current_config()),
        refund_key=secrets.token_urlsafe(KEY_BYTES),
        can_return=stock.can_return(found),
    )


def _payment_line(row: Payment) -> PaymentLine:
    receipt = None
    if row.receipt_message_id is not None:
        wanted = select(StoredMedia).where(StoredMedia.message_id == row.receipt_message_id).limit(1)
        receipt = db.session.scalars(wanted).first()
    return PaymentLine(
        payment=row,
        refunds=refunds.refunds_of(row.id),
        left_minor=refunds.left_of(row) if row.status == "confirmed" else 0,
        receipt=receipt,
        mismatches=[_with_time(one) for one in (row.data or {}).get("mismatches", ())],
    )


def _with_time(seen: dict[str, object]) -> dict[str, object]:
    return {**seen, "at": datetime.fromisoformat(str(seen["at"]))}


def _goods_lines(rows: Sequence[Delivery]) -> list[GoodsLine]:
    items = {row.order_item_id for row in rows}
    named = select(OrderItem.id, OrderItem.name).where(OrderItem.id.in_(items))
    names = dict(db.session.execute(named).all())
    sent = [row.message_id for row in rows if row.message_id is not None]
    known = select(Message.id, Message.status).where(Message.id.in_(sent))
    fates = dict(db.session.execute(known).all())
    return [
        GoodsLine(row, names.get(row.order_item_id, ""), fates.get(row.message_id or 0) or "") for row in rows
    ]


def _steps(ids: dict[str, list[int]]) -> list[Step]:
    """Give the steps of the order, its payments, refunds and goods in one line of time."""
    belongs = [
        (StateChange.record == record) & StateChange.record_id.in_(known) for record, known in ids.items()
    ]
    wanted = select(StateChange).where(or_(*belongs)).order_by(StateChange.at, StateChange.id)
    changes = db.session.scalars(wanted).all()
    people = {change.operator_id for change in changes if change.operator_id is not None}
    named = select(Operator.id, Operator.name).where(Operator.id.in_(people))
    names = dict(db.session.execute(named).all())
    return [Step(change, names.get(change.operator_id or 0, "")) for change in changes]


# --- forms --------------------------------------------------------------------------------------------------


def _amount(currency: str) -> int | None:
    """Read a sum as the page's reader writes it."""
    amount = read_amount(request.form.get("amount", "")[:40], language=_language())
    if amount is None or amount <= Decimal(0):
        return None
    return catalog.minor_units(amount, currency)


def _reason() -> str:
    return _words("reason", REASON_MAX_CHARS)


def _words(name: str, max_chars: int) -> str:
    return request.form.get(name, "").replace("\x00", "").strip()[:max_chars]


def _find(order_id: int) -> Order:
    found = db.session.get(Order, order_id)
    if found is None or found.status == "cart":
        abort(404)
    return found


def _done(found: Order, words: str, tone: str = "success") -> ResponseReturnValue:
    conversation_id = found.conversation_id
    db.session.commit()
    tasks.wake_outbox(conversation_id)
    flash(words, tone)
    return _back(found)


def _refused(found: Order, words: str) -> ResponseReturnValue:
    order_id = found.id
    db.session.rollback()
    flash(words, "danger")
    return redirect(url_for("order.order", order_id=order_id), 303)


def _back(found: Order) -> ResponseReturnValue:
    return redirect(url_for("order.order", order_id=found.id), 303)


def _money(found: Order) -> str:
    return catalog.price_text(found.total_minor, found.currency, _language())


def _language() -> str:
    return str(get_locale() or "en")[:2]
