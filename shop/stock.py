"""What is left of the products: an order takes its stock and gives it back, with the products' rows held.

`orders` and `payments` call these. Flushes, never commits.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import select

import history
from models import Order, Product, db
from shop.catalog import Shortage
from shop.holding import hold

RECORD: Final = "order_stock"


class OutOfStock(Exception):
    """Fewer are left than wanted; `shortages` tells which."""

    def __init__(self, shortages: Sequence[Shortage]) -> None:
        super().__init__(", ".join(f"{s.name}: {s.left} of {s.wanted}" for s in shortages))
        self.shortages = tuple(shortages)


def hold_products(order: Order) -> dict[int, Product]:
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


def shortage(product: Product, wanted: int) -> Shortage | None:
    """Tell what is missing, None when there is enough."""
    if product.stock is None or product.stock >= wanted:
        return None
    return Shortage(product.id, product.name, wanted, product.stock)


def take(order: Order) -> None:
    """Take what the order needs. Flushes. Raises OutOfStock; then nothing changed."""
    products = hold_products(order)
    shortages = [s for s in (shortage(products[i.product_id], i.quantity) for i in order.items) if s]
    if shortages:
        raise OutOfStock(shortages)
    for item in order.items:
        sold = products[item.product_id]
        if sold.stock is not None:
            sold.stock -= item.quantity
    db.session.flush()


def give_back(order: Order) -> None:
    """Put on the shelf again what the order had taken. Flushes. What is unlimited stays so."""
    products = hold_products(order)
    for item in order.items:
        sold = products[item.product_id]
        if sold.stock is not None:
            sold.stock += item.quantity
    db.session.flush()


def can_return(order: Order) -> bool:
    """Tell whether an order that was paid has taken something that may still be put back on the shelf."""
    if order.status not in ("paid", "refunded") or _is_returned(order):
        return False
    ids = [item.product_id for item in order.items]
    counted = select(Product.id).where(Product.id.in_(ids), Product.stock.is_not(None)).limit(1)
    return db.session.execute(counted).first() is not None


def note_return(order: Order, *, now: datetime, operator_id: int | None, actor: str = "operator") -> bool:
    """Put all that a paid order had taken back on the shelf: whoever asks says that it is there. Flushes.

    Done once for an order; False when it was, or when there is nothing to put back.
    """
    if not can_return(hold(order)):
        return False
    give_back(order)
    history.note_change(
        RECORD, order.id, before="", after="returned", actor=actor, now=now, operator_id=operator_id
    )
    return True


def take_anew(order: Order, *, now: datetime, operator_id: int) -> None:
    """Take what an ended order has no more: of one that was paid back only what a person has put back.
    Flushes. Raises OutOfStock; then nothing changed.
    """
    is_returned = _is_returned(order)
    if order.status == "refunded" and not is_returned:
        return
    take(order)
    if is_returned:
        history.note_change(
            RECORD,
            order.id,
            before="returned",
            after="taken",
            actor="operator",
            now=now,
            operator_id=operator_id,
        )


def _is_returned(order: Order) -> bool:
    changes = history.changes_of(RECORD, order.id)
    return bool(changes) and changes[-1].after == "returned"
