"""What is left of the products: an order takes its stock and gives it back, with the products' rows held.

`orders` and `payments` call these. Flushes, never commits.
"""

from collections.abc import Sequence

from sqlalchemy import select

from models import Order, Product, db
from shop.catalog import Shortage


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
