"""What the shop keeps of a person's purchases: shown for an export, taken away with the person.

`privacy` calls these. A sale stays as a figure without a name; a key that was handed over is never free
again. Flushes, never commits.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, delete, select, update

import history
from models import Base, Delivery, LicenceKey, OrderItem, Payment, PaymentEvent, Refund, Sale, db
from shop import lapsing, standing, stock
from statements import changed_rows


def purchases_of(order_ids: Sequence[int], contact_ids: Sequence[int]) -> Mapping[str, Sequence[Base]]:
    """Give all rows of these orders that tell of money and goods, by table."""
    payments = _payments(order_ids)
    steps = {
        "order": order_ids,
        standing.RECORD: order_ids,
        stock.RECORD: order_ids,
        **{name: _ids(name, order_ids) for name in ("payment", "refund", "delivery")},
    }
    return {
        "payments": payments,
        "refunds": _rows(Refund, Refund.payment_id.in_([row.id for row in payments])),
        "deliveries": _rows(Delivery, Delivery.order_id.in_(order_ids)),
        "sales": _rows(Sale, Sale.contact_id.in_(contact_ids)),
        "state_changes": [
            row for name, ids in steps.items() for row_id in ids for row in history.changes_of(name, row_id)
        ],
    }


def forget_purchases(order_ids: Sequence[int], contact_ids: Sequence[int]) -> None:
    """Delete what tells of these orders' money and goods; their lines and the orders themselves follow."""
    for name in ("payment", "refund", "delivery"):
        history.forget(name, _ids(name, order_ids))
    for name in ("order", standing.RECORD, stock.RECORD, lapsing.ENDING):
        history.forget(name, order_ids)
    payment_ids, delivery_ids = _ids("payment", order_ids), _ids("delivery", order_ids)
    changed_rows(delete(PaymentEvent).where(PaymentEvent.payment_id.in_(payment_ids)))
    changed_rows(delete(Refund).where(Refund.payment_id.in_(payment_ids)))
    handed_out = update(LicenceKey).where(LicenceKey.delivery_id.in_(delivery_ids))
    changed_rows(handed_out.values(delivery_id=None))  # `taken_at` stays: it is sold
    changed_rows(delete(Delivery).where(Delivery.id.in_(delivery_ids)))
    changed_rows(delete(Payment).where(Payment.id.in_(payment_ids)))
    figures = update(Sale).where(Sale.contact_id.in_(contact_ids) | Sale.order_id.in_(order_ids))
    changed_rows(figures.values(order_id=None, contact_id=None, conversation_id=None, ad_click_id=""))
    changed_rows(delete(OrderItem).where(OrderItem.order_id.in_(order_ids)))


def _ids(name: str, order_ids: Sequence[int]) -> list[int]:
    of_orders = {
        "payment": select(Payment.id).where(Payment.order_id.in_(order_ids)),
        "delivery": select(Delivery.id).where(Delivery.order_id.in_(order_ids)),
        "refund": select(Refund.id).join(Payment).where(Payment.order_id.in_(order_ids)),
    }
    return list(db.session.scalars(of_orders[name]))


def _payments(order_ids: Sequence[int]) -> Sequence[Payment]:
    of_orders = select(Payment).where(Payment.order_id.in_(order_ids)).order_by(Payment.id)
    return db.session.scalars(of_orders).all()


def _rows(table: type[Base], condition: ColumnElement[bool]) -> Sequence[Base]:
    key = table.__mapper__.primary_key[0]
    return db.session.scalars(select(table).where(condition).order_by(key)).all()
