"""Money that goes back: asked for on the order's page, done by a task at the payment service or by the
shop's own hand, and what follows for order, sale and goods.

Every verb locks the order first, flushes and never commits. After the commit the caller wakes the
conversation's outbox.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select

import history
import texts
from alerts import raise_alert, settle
from message_content import Text
from models import Order, Payment, Refund, db
from shop import delivery, sales, standing, telling
from shop.holding import hold
from shop.payments import payments_of
from shop.till import BY_SERVICE

FIRST_RETRY_SECS: Final = 10.0
MAX_TRIES: Final = 8
REASON_MAX_CHARS: Final = 255


class CannotBeRefunded(Exception):
    """The payment is not confirmed, or less is left of it than should go back; `left_minor` is what is
    left.
    """

    def __init__(self, left_minor: int) -> None:
        super().__init__(f"{left_minor} is left to pay back")
        self.left_minor = left_minor


def refund(
    payment: Payment,
    amount_minor: int,
    *,
    key: str,
    actor: str,
    now: datetime,
    reason: str = "",
    operator_id: int | None = None,
) -> Refund:
    """Ask for an amount to go back. The same `key` (64 characters at most) asks once. Flushes.

    A payment service is asked by a task; Pix and manual payments count as paid back at once, because
    whoever asks has done the transfer. Raises CannotBeRefunded.
    """
    order = _hold(payment)
    known = db.session.scalars(select(Refund).where(Refund.idempotency_key == key)).first()
    if known is not None:
        return known
    left = left_of(payment)
    if payment.status != "confirmed" or not 0 < amount_minor <= left:
        raise CannotBeRefunded(left if payment.status == "confirmed" else 0)
    is_by_service = payment.method in BY_SERVICE
    made = Refund(
        payment_id=payment.id,
        amount_minor=amount_minor,
        currency=payment.currency,
        status="requested",
        idempotency_key=key,
        reason=reason[:REASON_MAX_CHARS],
        operator_id=operator_id,
        due_at=now if is_by_service else None,
        created_at=now,
    )
    db.session.add(made)
    db.session.flush()
    _note(made, "requested", actor, now, operator_id, before="")
    if not is_by_service:
        _settle(made, payment, order, actor, now, operator_id)
    return made


def left_of(payment: Payment) -> int:
    """Give how much of a payment may still go back: less what has gone and what was asked for."""
    asked = db.session.scalar(
        select(func.sum(Refund.amount_minor)).where(
            Refund.payment_id == payment.id, Refund.status == "requested"
        )
    )
    return payment.amount_minor - payment.refunded_minor - int(asked or 0)


def due(now: datetime, limit: int = 50) -> list[int]:
    """Give the refunds for which a payment service is to be asked now."""
    found = select(Refund.id).where(Refund.due_at.is_not(None), Refund.due_at <= now)
    return list(db.session.scalars(found.order_by(Refund.id).limit(limit)))


def done(made: Refund, *, external_id: str | None, now: datetime, actor: str = "provider") -> int:
    """Note that a service has paid back. Flushes. Idempotent. Gives the conversation to wake."""
    payment = db.session.get_one(Payment, made.payment_id)
    order = _hold(payment)
    db.session.refresh(made)
    if made.status != "done":
        made.external_id = external_id or made.external_id
        _settle(made, payment, order, actor, now, None)
    return order.conversation_id


def failed(made: Refund, message: str, *, is_retryable: bool, now: datetime) -> None:
    """Ask the service again later, or give up and tell people of ours. Flushes."""
    payment = db.session.get_one(Payment, made.payment_id)
    order = _hold(payment)
    db.session.refresh(made)
    if made.status != "requested":
        return
    made.attempts += 1
    made.error = message[:REASON_MAX_CHARS]
    if is_retryable and made.attempts < MAX_TRIES:
        made.due_at = now + timedelta(seconds=FIRST_RETRY_SECS * 2**made.attempts)
    else:
        made.due_at = None
        _note(made, "failed", "provider", now, None)
        words = f"Order {order.number} could not be paid back: {message}"
        raise_alert(
            "refund_failed",
            f"refund_failed:{order.id}",
            words,
            now=now,
            conversation_id=order.conversation_id,
        )
    db.session.flush()


def done_elsewhere(payment: Payment, refunded_minor: int, *, now: datetime) -> int:
    """Book what was paid back at the service itself: `refunded_minor` is the sum of all its refunds there.

    Refunds of ours that still wait are taken as part of it first. Flushes. Idempotent. Gives the
    conversation to wake.
    """
    order = _hold(payment)
    if payment.status not in ("confirmed", "refunded"):
        return order.conversation_id
    for made in refunds_of(payment.id):
        if made.status == "requested" and payment.refunded_minor + made.amount_minor <= refunded_minor:
            _settle(made, payment, order, "provider", now, None)
    rest = min(refunded_minor, payment.amount_minor) - payment.refunded_minor
    if rest > 0:
        made = Refund(
            payment_id=payment.id,
            amount_minor=rest,
            currency=payment.currency,
            status="requested",
            idempotency_key=f"elsewhere:{payment.id}:{payment.refunded_minor + rest}",
            created_at=now,
        )
        db.session.add(made)
        db.session.flush()
        _note(made, "requested", "provider", now, None, before="")
        _settle(made, payment, order, "provider", now, None)
    return order.conversation_id


def refunds_of(payment_id: int) -> Sequence[Refund]:
    return db.session.scalars(select(Refund).where(Refund.payment_id == payment_id).order_by(Refund.id)).all()


def _settle(
    made: Refund, payment: Payment, order: Order, actor: str, now: datetime, operator_id: int | None
) -> None:
    """Book what has gone back: of the order only what is no longer covered by another payment."""
    made.due_at, made.done_at, made.error = None, now, ""
    _note(made, "done", actor, now, operator_id)
    payment.refunded_minor += made.amount_minor
    if payment.refunded_minor >= payment.amount_minor:
        history.note_change(
            "payment", payment.id, before=payment.status, after="refunded", actor=actor, now=now,
            operator_id=operator_id,
        )  # fmt: skip
        payment.status = "refunded"
    db.session.flush()
    covered = sum(
        one.amount_minor - one.refunded_minor
        for one in payments_of(order.id)
        if one.status in ("confirmed", "refunded")
    )
    if covered >= order.total_minor:
        settle(f"payment_twice:{order.id}", now=now)
    else:
        _uncover(order, covered, actor, now, operator_id)
    _tell(order, made, now)


def _uncover(order: Order, covered: int, actor: str, now: datetime, operator_id: int | None) -> None:
    is_whole = covered <= 0
    after = "refunded" if is_whole else "partly_refunded"
    standing.stand(order, after, actor=actor, now=now, operator_id=operator_id)
    sales.note_refund(order, order.total_minor - max(covered, 0), is_whole=is_whole, now=now)
    if is_whole:
        settle(f"payment_late:{order.id}", now=now)
        if order.status == "paid":
            history.note_change(
                "order",
                order.id,
                before="paid",
                after="refunded",
                actor=actor,
                now=now,
                operator_id=operator_id,
            )
            order.status = "refunded"
        delivery.revoke(order, now=now, actor=actor, operator_id=operator_id)
    db.session.flush()


def _tell(order: Order, made: Refund, now: datetime) -> None:
    reader = telling.reader_of(order.conversation_id, now)
    total = reader.money(made.amount_minor, made.currency)
    words = texts.text("payment_refunded", reader.language, number=order.number, total=total)
    telling.tell(reader, [Text(words)], now=now)


def _hold(payment: Payment) -> Order:
    """Lock the order, then the payment, and read both anew."""
    order = hold(db.session.get_one(Order, payment.order_id))
    db.session.refresh(payment, with_for_update=True)
    return order


def _note(
    made: Refund, after: str, actor: str, now: datetime, operator_id: int | None, *, before: str | None = None
) -> None:
    history.note_change(
        "refund",
        made.id,
        before=made.status if before is None else before,
        after=after,
        actor=actor,
        now=now,
        operator_id=operator_id,
        reason=made.error if after == "failed" else made.reason,
    )
    made.status = after
