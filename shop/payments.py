"""Taking the money for an order: opened in one of four ways, confirmed once, compared with the order each
time.

Flow actions and the order's page start payments; an operator's click, a bank's list and the payment
services' signed webhooks confirm them. Every verb locks the order first, flushes and never commits, and
asks nobody: what a payment service must be asked (for a link, for a refund) is left as a due row for a
task. Money that arrived is never lost from sight: what cannot be booked raises an alert and stays on the
order's page.

What `confirm` does stands or falls in the caller's one transaction: the payment, the order, the sale and
its credit, the deliveries and their queued messages. After the commit the caller wakes the conversation's
outbox.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import select, update

import history
import media
import texts
from alerts import raise_alert, settle
from config import Config
from message_content import Text
from models import Order, Payment, StoredFile, db
from shop import catalog, delivery, payment_events, pix, sales, showing, standing, stock, telling
from shop.delivery import HandedOver
from shop.holding import hold
from shop.till import BY_SERVICE, MANUAL, PIX, offered, till
from statements import changed_rows

FIRST_RETRY_SECS: Final = 5.0
MAX_TRIES: Final = 6
ERROR_MAX_CHARS: Final = 255
KEPT_MISMATCHES: Final = 20
# What has come in stays; only these may still change by themselves.
OPEN: Final = ("pending", "failed", "expired")
ENDED: Final = ("cancelled", "refunded")  # of an order; money that comes then is late
PAID_STATES: Final = ("paid", "partly_refunded", "refunded")

NOTHING: Final = HandedOver()

Result = Literal["paid", "already", "twice", "late", "mismatch"]


class CannotBePaid(Exception):
    """The order is a cart, cancelled or paid, or the method is not set up for its currency; `code` says
    which.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class ToPay:
    """An open payment and what the customer is shown: a code, a link or instructions.

    `is_awaited`: a task still asks the payment service for the link, and tells the customer by itself.
    """

    payment_id: int
    order_id: int
    order_number: str
    method: str
    reference: str
    amount_minor: int
    currency: str
    code: str = ""
    link: str = ""
    instructions: str = ""
    picture_id: int | None = None
    is_awaited: bool = False


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What became of news that money has arrived.

    `paid`: this paid the order. `already`: it was known. `twice`: the order was paid by another payment
    before. `late`: the order had been cancelled or paid back. `mismatch`: another amount or currency than
    the order's; nothing was confirmed. The last three have raised an alert. `conversation_id` is whose outbox
    to wake.
    """

    result: Result
    payment_id: int
    order_id: int
    conversation_id: int
    delivered: HandedOver = NOTHING


# --- opening ------------------------------------------------------------------------------------------------


def start(order: Order, method: str, *, config: Config, now: datetime, actor: str = "customer") -> ToPay:
    """Open a payment of a placed order, or give the one that is open. Flushes. Idempotent while it is open.

    Raises CannotBePaid. Pix and manual payments can be shown at once; a service's link comes later
    (`is_awaited`).
    """
    hold(order)
    _refuse(order, method, config)
    payment = db.session.scalars(
        select(Payment)
        .where(Payment.order_id == order.id, Payment.method == method, Payment.status == "pending")
        .order_by(Payment.id.desc())
        .limit(1)
    ).first()
    if payment is not None and payment.expires_at is not None and payment.expires_at <= now:
        expire(payment, now=now)
        payment = None
    if payment is None:
        payment = _open(order, method, now, actor)
        if method == PIX:
            _make_pix(payment, config, now)
        elif method == MANUAL:
            payment.data = {"instructions": till(config).manual_text}
        db.session.flush()
    return to_pay(payment)


def to_pay(payment: Payment) -> ToPay:
    """Give a payment as it is shown to a customer."""
    kept = payment.data or {}
    order = db.session.get_one(Order, payment.order_id)
    return ToPay(
        payment_id=payment.id,
        order_id=payment.order_id,
        order_number=order.number or "",
        method=payment.method,
        reference=payment.our_reference,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        code=kept.get("code", ""),
        link=kept.get("link", ""),
        instructions=kept.get("instructions", ""),
        picture_id=kept.get("picture_id"),
        is_awaited=payment.status == "pending" and payment.due_at is not None,
    )


def _refuse(order: Order, method: str, config: Config) -> None:
    if order.status == "paid" or order.payment_status in PAID_STATES:
        raise CannotBePaid("paid")
    if order.status != "placed":
        raise CannotBePaid(order.status)
    if method not in offered(order.currency, config) or order.total_minor <= 0:
        raise CannotBePaid("not_offered")


def _open(order: Order, method: str, now: datetime, actor: str) -> Payment:
    count = len(payments_of(order.id))
    # Letters and digits only, 25 at most: what a Pix transaction id may hold. P10017, P10017N2, ...
    reference = re.sub(r"[^A-Za-z0-9]", "", order.number or "") + (f"N{count + 1}" if count else "")
    payment = Payment(
        order_id=order.id,
        method=method,
        status="pending",
        amount_minor=order.total_minor,
        currency=order.currency,
        our_reference=reference[: pix.TXID_MAX_CHARS],
        data={},
        due_at=now if method in BY_SERVICE else None,
        created_at=now,
    )
    db.session.add(payment)
    db.session.flush()
    history.note_change("payment", payment.id, before="", after="pending", actor=actor, now=now)
    return payment


def _make_pix(payment: Payment, config: Config, now: datetime) -> None:
    kept = till(config)
    code = pix.make_code(
        pix.Charge(kept.pix_key, kept.pix_name, kept.pix_city, payment.amount_minor, payment.our_reference)
    )
    payment.data = {"code": code, "picture_id": _picture(payment, pix.picture(code), config, now).id}


def _picture(payment: Payment, png: bytes, config: Config, now: datetime) -> StoredFile:
    return media.store(png, "image/png", f"pix-{payment.our_reference}.png", config.media_dir, now=now)


def open_by_hand(order: Order, *, now: datetime, actor: str = "operator") -> Payment | None:
    """Open a payment that a person has seen come in, whatever is set up; None when the order takes none.
    Flushes.
    """
    hold(order)
    if order.status != "placed" or order.payment_status in PAID_STATES or order.total_minor <= 0:
        return None
    return _open(order, MANUAL, now, actor)


def beside_services(payment: Payment, *, actor: str, now: datetime) -> Payment:
    """Give the payment on which money that a bank or a person tells of is booked, for one that a customer may
    have opened at a payment service. Flushes.

    The service's own stays open: its link is closed by the task that asks about it, and money that comes by
    it all the same is told as a second payment.
    """
    if payment.method not in BY_SERVICE:
        return payment
    order = hold(db.session.get_one(Order, payment.order_id))
    own = [one for one in payments_of(order.id) if one.method not in BY_SERVICE]
    still_open = [one for one in own if one.status in OPEN]
    if still_open or own:
        return (still_open or own)[-1]
    return _open(order, MANUAL, now, actor)


# --- the links of payment services (called by tasks) --------------------------------------------------------


def due_links(now: datetime, limit: int = 50) -> list[int]:
    """Give the payments for which a payment service is to be asked for a link now."""
    found = (
        select(Payment.id)
        .where(Payment.due_at.is_not(None), Payment.due_at <= now, Payment.status == "pending")
        .order_by(Payment.id)
        .limit(limit)
    )
    return list(db.session.scalars(found))


def due_asks(now: datetime, limit: int = 50) -> list[int]:
    """Give the open payments about which a payment service is to be asked how they stand."""
    found = (
        select(Payment.id)
        .where(Payment.ask_at.is_not(None), Payment.ask_at <= now, Payment.status == "pending")
        .order_by(Payment.ask_at)
        .limit(limit)
    )
    return list(db.session.scalars(found))


def ask_at_once(order_id: int, *, now: datetime) -> None:
    """Have a task ask payment services how an order's open payments stand. For an order that takes no money
    any more, it closes them there.
    """
    is_open = (Payment.order_id == order_id, Payment.status == "pending", Payment.external_id.is_not(None))
    changed_rows(update(Payment).where(*is_open).values(ask_at=now))


def opened(
    payment: Payment,
    *,
    link: str,
    external_id: str,
    config: Config,
    now: datetime,
    expires_at: datetime | None = None,
    code: str = "",
    png: bytes = b"",
) -> int:
    """Keep the link (and the Pix code) that a service gave, and queue it to the customer. Flushes.
    Idempotent.

    Gives the conversation to wake. A payment that was confirmed or given up meanwhile sends nothing.
    """
    order = _hold(payment)
    if payment.due_at is None:
        return order.conversation_id
    kept = {**(payment.data or {}), "link": link}
    if code:
        kept |= {"code": code, "picture_id": _picture(payment, png or pix.picture(code), config, now).id}
    payment.data, payment.external_id, payment.expires_at = kept, external_id, expires_at
    payment.due_at, payment.error = None, ""
    db.session.flush()
    if payment.status == "pending":
        showing.show(payment, now=now)
    return order.conversation_id


def opening_failed(payment: Payment, message: str, *, is_retryable: bool, now: datetime) -> int:
    """Ask the service again later, or give up: the customer is told, people of ours too. Flushes.

    Gives the conversation to wake.
    """
    order = _hold(payment)
    if payment.due_at is None or payment.status != "pending":
        return order.conversation_id
    payment.attempts += 1
    payment.error = message[:ERROR_MAX_CHARS]
    if is_retryable and payment.attempts < MAX_TRIES:
        payment.due_at = now + timedelta(seconds=FIRST_RETRY_SECS * 2**payment.attempts)
        db.session.flush()
        return order.conversation_id
    fail(payment, message, actor="system", now=now)
    words = f"No {payment.method} link could be made for order {order.number}: {message}"
    _alert("payment_failed", order, words, now)
    reader = telling.reader_of(order.conversation_id, now)
    told = texts.text("payment_link_failed", reader.language, number=order.number)
    telling.tell(reader, [Text(told)], now=now)
    return order.conversation_id


# --- money that arrived -------------------------------------------------------------------------------------


def confirm(
    payment: Payment,
    *,
    amount_minor: int,
    currency: str,
    actor: str,
    config: Config,
    now: datetime,
    operator_id: int | None = None,
    external_id: str | None = None,
    reason: str = "",
) -> Confirmation:
    """Book money that has arrived for a payment, whatever its state. Flushes. Idempotent.

    Amount and currency are those that arrived; they must be the order's. `actor` is one of history.ACTORS.
    The order is marked paid, the sale made and credited, the goods handed over, people of ours told.
    """
    order = _hold(payment)
    booked_on = _bearing(payment, external_id)
    if booked_on is not None and booked_on.order_id == order.id and booked_on.status not in OPEN:
        return _confirmation("already", booked_on, order)
    is_settled = payment.status not in OPEN
    if is_settled and external_id is None:
        return _confirmation("already", payment, order)
    if (amount_minor, currency.upper()) != (order.total_minor, order.currency):
        return _note_mismatch(payment, order, amount_minor, currency.upper(), now)
    is_new_transfer = external_id is not None and booked_on is None and payment.method not in BY_SERVICE
    if is_new_transfer and not payment_events.claim_transfer(external_id or "", payment.id, now=now):
        booked_on = _bearing(payment, external_id)  # somebody was quicker, for another order
    if booked_on is not None and booked_on.id != payment.id:
        return _note_mismatch(payment, order, amount_minor, currency.upper(), now, used_by=booked_on.id)
    if is_settled and payment.external_id is not None:
        # Another transfer with the same reference: money of its own, which must be seen and can go back.
        payment = _open(order, payment.method, now, actor)
    if external_id is not None:
        payment.external_id = external_id
    if is_settled and payment.status not in OPEN:
        db.session.flush()  # a person had booked it before the bank named it
        return _confirmation("already", payment, order)
    _change(payment, "confirmed", actor, now, operator_id, reason)
    payment.confirmed_at, payment.confirmed_by_id, payment.due_at = now, operator_id, None
    db.session.flush()
    for topic in ("payment_claimed", "claim_ending", "payment_mismatch"):
        settle(f"{topic}:{order.id}", now=now)
    total = catalog.price_text(amount_minor, currency.upper(), "en")
    is_paid_back = order.payment_status == "refunded"
    if order.payment_status in PAID_STATES and not is_paid_back:
        _alert("payment_twice", order, f"Order {order.number} was paid twice ({total}): pay one back", now)
        return _confirmation("twice", payment, order)
    if is_paid_back or (order.status != "placed" and not _revive(order)):
        _keep_late(order, total, actor, now, operator_id)
        return _confirmation("late", payment, order)
    return _confirmation(
        "paid", payment, order, _pay(order, payment.method, actor, config, now, operator_id, total)
    )


def _revive(order: Order) -> bool:
    """Take up again an order that had waited too long for this money, if its goods are still there.

    One that somebody cancelled stays cancelled: a person decides.
    """
    last = next(reversed(history.changes_of("order", order.id)), None)
    if order.status != "cancelled" or last is None or last.actor != "system":
        return False
    try:
        stock.take(order)
    except stock.OutOfStock:
        return False
    return True


def _keep_late(order: Order, total: str, actor: str, now: datetime, operator_id: int | None) -> None:
    """Keep money in sight that came for an ended order, and tell both sides."""
    standing.stand(order, "paid", actor=actor, now=now, operator_id=operator_id)
    order.paid_at = now
    db.session.flush()
    words = (
        f"{total} came for order {order.number}, which was {order.status}: pay it back or take the order up"
    )
    _alert("payment_late", order, words, now)
    reader = telling.reader_of(order.conversation_id, now)
    total = reader.money(order.total_minor, order.currency)
    told = texts.text(
        "payment_late",
        reader.language,
        number=order.number,
        total=total,
        is_refunded=order.status == "refunded",
    )
    telling.tell(reader, [Text(told)], now=now)


def give(order: Order, *, config: Config, now: datetime) -> bool:
    """Make an order that costs nothing a paid one. Flushes. False when it costs something or is not open.

    It is no sale and no news of money. A task brings the goods moments later (`delivery.gifts`), behind the
    words of the turn that placed the order.
    """
    hold(order)
    if order.status != "placed" or order.total_minor != 0:
        return False
    _become_paid(order, "system", now, None)
    delivery.hand_over(order, config=config, now=now, kinds=(delivery.MANUAL,))
    return True


def came_late(order: Order) -> Payment | None:
    """Give the payment that came when the order had been cancelled or paid back, and is still here."""
    if order.status not in ENDED or order.payment_status != "paid":
        return None
    return next((one for one in payments_of(order.id) if one.status == "confirmed"), None)


def take_up_again(order: Order, paying: Payment, *, config: Config, now: datetime, operator_id: int) -> None:
    """Make an order whose money `came_late` a paid one after all; `orders` holds it. Flushes."""
    settle(f"payment_late:{order.id}", now=now)
    total = catalog.price_text(order.total_minor, order.currency, "en")
    _pay(order, paying.method, "operator", config, now, operator_id, total)


def _pay(
    order: Order,
    method: str,
    actor: str,
    config: Config,
    now: datetime,
    operator_id: int | None,
    total: str,
) -> HandedOver:
    """Make the order a paid one, with all that follows from it."""
    _become_paid(order, actor, now, operator_id)
    sales.record(order, method, now=now)
    reader = telling.reader_of(order.conversation_id, now)
    told = reader.money(order.total_minor, order.currency)
    words = texts.text("payment_confirmed", reader.language, number=order.number, total=told)
    telling.tell(reader, [Text(words)], now=now)
    handed_over = delivery.hand_over(order, config=config, now=now)
    _alert("paid", order, f"Order {order.number} is paid: {total}", now)
    return handed_over


def _become_paid(order: Order, actor: str, now: datetime, operator_id: int | None) -> None:
    history.note_change(
        "order", order.id, before=order.status, after="paid", actor=actor, now=now, operator_id=operator_id
    )
    standing.stand(order, "paid", actor=actor, now=now, operator_id=operator_id)
    order.status, order.paid_at = "paid", now
    db.session.flush()
    ask_at_once(order.id, now=now)
    delivery.prepare(order, now=now)


def _note_mismatch(
    payment: Payment,
    order: Order,
    amount_minor: int,
    currency: str,
    now: datetime,
    *,
    used_by: int | None = None,
) -> Confirmation:
    """Keep what arrived beside what was asked for, and tell people: nothing is booked."""
    seen = {"amount_minor": amount_minor, "currency": currency, "at": now.isoformat(), "used_by": used_by}
    kept: dict[str, Any] = dict(payment.data or {})
    kept["mismatches"] = [*kept.get("mismatches", []), seen][-KEPT_MISMATCHES:]
    payment.data = kept
    db.session.flush()
    came = catalog.price_text(amount_minor, currency, "en")
    asked = catalog.price_text(order.total_minor, order.currency, "en")
    words = f"{came} arrived for order {order.number}, which costs {asked}: look at it"
    if used_by is not None:
        words = f"A payment for order {order.number} was booked before for another one: look at it"
    _alert("payment_mismatch", order, words, now)
    return _confirmation("mismatch", payment, order)


# --- what else becomes of a payment -------------------------------------------------------------------------


def claim(order: Order, *, now: datetime, message_id: int | None = None, is_receipt: bool = False) -> bool:
    """Note that the customer says the order is paid, with the message that may show it. Flushes. Idempotent.

    People of ours are asked to look at the account. False when nothing is open: the order is paid or
    cancelled.
    """
    hold(order)
    if order.status != "placed" or order.payment_status in PAID_STATES:
        return False
    payment = next((one for one in reversed(payments_of(order.id)) if one.status == "pending"), None)
    if payment is not None:
        payment.claimed_at = payment.claimed_at or now
        if is_receipt and message_id is not None:
            payment.receipt_message_id = message_id
    if order.payment_status == "unpaid":
        standing.stand(order, "claimed", actor="customer", now=now)
    db.session.flush()
    ask_at_once(order.id, now=now)
    total = catalog.price_text(order.total_minor, order.currency, "en")
    how = "sent a receipt for" if is_receipt else "says that she has paid"
    _alert(
        "payment_claimed", order, f"A customer {how} order {order.number} ({total}): look at the account", now
    )
    return True


def fail(payment: Payment, reason: str, *, actor: str, now: datetime) -> bool:
    """Note that a payment will not come; False when it was settled before. Flushes. The order stays open."""
    return _give_up(payment, "failed", reason, actor, now)


def expire(payment: Payment, *, now: datetime, actor: str = "system") -> bool:
    """Note that a payment was not made in time; False when it was settled before. Flushes. The order stays
    open.
    """
    return _give_up(payment, "expired", "", actor, now)


def _give_up(payment: Payment, status: str, reason: str, actor: str, now: datetime) -> bool:
    _hold(payment)
    if payment.status != "pending":
        return False
    payment.due_at = None
    payment.error = reason[:ERROR_MAX_CHARS]
    _change(payment, status, actor, now)
    db.session.flush()
    return True


# --- finding ------------------------------------------------------------------------------------------------


def payments_of(order_id: int) -> Sequence[Payment]:
    """List the payments of an order, the oldest first."""
    return db.session.scalars(select(Payment).where(Payment.order_id == order_id).order_by(Payment.id)).all()


def by_reference(reference: str) -> Payment | None:
    """Find the payment that a bank or a service names by our reference; banks write it in any case."""
    return db.session.scalars(
        select(Payment).where(Payment.our_reference == reference.strip().upper())
    ).first()


def by_external_id(method: str, external_id: str) -> Payment | None:
    return db.session.scalars(
        select(Payment).where(Payment.method == method, Payment.external_id == external_id)
    ).first()


def _bearing(payment: Payment, external_id: str | None) -> Payment | None:
    """Find the payment on which a transfer is booked: a bank's id is of one transfer, whichever way of paying
    its customer had chosen.
    """
    if external_id is None:
        return None
    methods = [payment.method] if payment.method in BY_SERVICE else [PIX, MANUAL]
    known = select(Payment).where(Payment.method.in_(methods), Payment.external_id == external_id)
    return db.session.scalars(known.order_by(Payment.id).limit(1)).first()


def _hold(payment: Payment) -> Order:
    """Lock the order, then the payment, and read both anew: the second of two sees the first."""
    order = hold(db.session.get_one(Order, payment.order_id))
    db.session.refresh(payment, with_for_update=True)
    return order


def _change(
    payment: Payment, after: str, actor: str, now: datetime, operator_id: int | None = None, reason: str = ""
) -> None:
    history.note_change(
        "payment",
        payment.id,
        before=payment.status,
        after=after,
        actor=actor,
        now=now,
        operator_id=operator_id,
        reason=payment.error if after == "failed" else reason,
    )
    payment.status = after


def _confirmation(
    result: Result, payment: Payment, order: Order, delivered: HandedOver = NOTHING
) -> Confirmation:
    return Confirmation(result, payment.id, order.id, order.conversation_id, delivered)


def _alert(kind: str, order: Order, words: str, now: datetime) -> None:
    raise_alert(kind, f"{kind}:{order.id}", words, now=now, conversation_id=order.conversation_id)
