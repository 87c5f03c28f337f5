"""What came of a decision: sales, refunds, refusals and harm, each noted once as a row. Flushes."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import exists, select
from sqlalchemy.orm import aliased

from learning.absorbing import PEOPLE
from learning.rules import HARMS, REFUND, REFUSAL, SALE, TAKEN_OVER
from models import Decision, Message, Order, Outcome, db
from statements import insert_or_ignore

NOTED: Final = (REFUSAL, *HARMS)


@dataclass(frozen=True, slots=True)
class Worth:
    """What an outcome is about: an order and its total, in minor units; 0 of no order."""

    order_id: int = 0
    value_minor: int = 0
    currency: str = ""


NOTHING: Final = Worth()


class _Sold(NamedTuple):
    """An order's last credit; `nth`: it was paid so often."""

    decision_id: int
    nth: int
    worth: Worth
    is_refunded: bool


def credit_sale(order_id: int, *, now: datetime) -> int | None:
    """Credit a paid order to the decision of its conversation in whose window it was ordered. Flushes.

    When it was paid does not matter: a late payment corrects what was learnt meanwhile. Gives the decision's
    id; None when no decision led to it, or a person of the shop wrote in between: then it is that person's.
    Idempotent; what is paid again after its refund is credited again, to the same decision.
    """
    sale = _sale_of(order_id)
    if sale is not None:
        if sale.is_refunded:
            _add(sale.decision_id, SALE, now, sale.worth, sale.nth + 1)
        return int(sale.decision_id)
    order = db.session.get(Order, order_id)
    if order is None:
        return None
    ordered_at = order.placed_at or order.created_at
    decision = db.session.execute(
        select(Decision.id, Decision.created_at, Decision.is_manual)
        .where(
            Decision.conversation_id == order.conversation_id,
            Decision.created_at <= ordered_at,
            Decision.closes_at > ordered_at,
        )
        .order_by(Decision.id.desc())
        .limit(1)
    ).first()
    if decision is None:
        return None
    if not decision.is_manual and _person_wrote(order, decision.created_at, ordered_at):
        _add(decision.id, TAKEN_OVER, now)
        return None
    _add(decision.id, SALE, now, Worth(order_id, order.total_minor, order.currency))
    return int(decision.id)


def reverse_sale(order_id: int, *, now: datetime) -> int | None:
    """Take the credit of a refunded order back. Gives the decision's id; None when none was credited.

    Flushes. Idempotent.
    """
    sale = _sale_of(order_id)
    if sale is None:
        return None
    _add(sale.decision_id, REFUND, now, sale.worth, sale.nth)
    return int(sale.decision_id)


def note(conversation_id: int, kind: str, *, now: datetime) -> int | None:
    """Note a refusal or a harm on the conversation's open episode, once. Flushes.

    Harm is watched, never learnt from. Gives the decision's id; None when no episode is open.
    """
    if kind not in NOTED:
        raise ValueError(f"nothing to note: {kind!r}")
    decision_id = db.session.scalar(
        select(Decision.id)
        .where(Decision.conversation_id == conversation_id, Decision.closes_at > now)
        .order_by(Decision.id.desc())
        .limit(1)
    )
    if decision_id is not None:
        _add(decision_id, kind, now)
    return decision_id


def _person_wrote(order: Order, since: datetime, until: datetime) -> bool:
    """Tell whether a person wrote to the customer before the order."""
    wrote = select(Message.id).where(
        Message.conversation_id == order.conversation_id,
        Message.sender.in_(PEOPLE),
        Message.created_at > since,
        Message.created_at < until,
    )
    return db.session.scalar(wrote.limit(1)) is not None


def _sale_of(order_id: int) -> _Sold | None:
    """Find an order's last credit. SQLite may give a deleted order's id again, so the conversation must
    agree."""
    refund = aliased(Outcome)
    is_refunded = exists().where(
        refund.decision_id == Outcome.decision_id,
        refund.order_id == Outcome.order_id,
        refund.nth == Outcome.nth,
        refund.kind == REFUND,
    )
    row = db.session.execute(
        select(Outcome.decision_id, Outcome.nth, Outcome.value_minor, Outcome.currency, is_refunded)
        .join(Decision, Decision.id == Outcome.decision_id)
        .join(Order, Order.conversation_id == Decision.conversation_id)
        .where(Order.id == order_id, Outcome.order_id == order_id, Outcome.kind == SALE)
        .order_by(Outcome.nth.desc())
        .limit(1)
    ).first()
    if row is None:
        return None
    decision_id, nth, value_minor, currency, was_refunded = row
    return _Sold(decision_id, nth, Worth(order_id, value_minor, currency), bool(was_refunded))


def _add(decision_id: int, kind: str, now: datetime, worth: Worth = NOTHING, nth: int = 1) -> None:
    row = {"decision_id": decision_id, "kind": kind, "nth": nth, "at": now}
    db.session.execute(insert_or_ignore(Outcome).values(**row, **asdict(worth)))
