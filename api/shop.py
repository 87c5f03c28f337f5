"""What is for sale, what was ordered and what was sold."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import selectinload

import auth
from api import shapes
from api.doors import Body, Refused, Written, endpoint, found
from api.kinds import Amount, Clean, Flag, Integral, Moment, RowId
from api.paging import DatedQuery, Page, PageQuery, narrowed, page
from models import Order, Product, Sale, db, utc_now
from shop import assortment

STOCK_MAX = 1_000_000


class ProductQuery(DatedQuery):
    sku: Annotated[str, Field(max_length=60), Clean] | None = None
    category_id: RowId | None = None
    niche_id: RowId | None = None
    is_active: Flag | None = None


class OrderQuery(DatedQuery):
    number: Annotated[str, Field(max_length=20), Clean] | None = None
    contact_id: RowId | None = None
    conversation_id: RowId | None = None
    status: Literal["cart", "placed", "paid", "cancelled", "refunded"] | None = Field(
        default=None, description="Carts are listed only when they are asked for."
    )
    payment_status: Literal["unpaid", "claimed", "paid", "partly_refunded", "refunded"] | None = None


class SaleQuery(PageQuery):
    contact_id: RowId | None = None
    strategy: Annotated[str, Field(max_length=20), Clean] | None = None
    is_demo: Flag | None = None
    after: Moment | None = None
    before: Moment | None = None


class ProductChange(Body):
    """Only what is named changes."""

    price_minor: Amount | None = Field(default=None, description="In the currency that the product has.")
    stock: Annotated[int, Field(ge=0, le=STOCK_MAX), Integral] | None = Field(
        default=None, description="null: unlimited."
    )
    offer_ends_at: Moment | None = None
    is_active: bool = True


# --- products -----------------------------------------------------------------------------------------------


@endpoint("GET", "/products", scope="shop:read")
def list_products(asked: ProductQuery) -> Page[shapes.Product]:
    """List products, those that are off sale too."""
    query = narrowed(
        select(Product),
        asked,
        Product.created_at,
        sku=Product.sku,
        category_id=Product.category_id,
        niche_id=Product.niche_id,
        is_active=Product.is_active,
    )
    return page(query, Product.id, asked, _products)


@endpoint("GET", "/products/<int:product_id>", scope="shop:read")
def get_product(product_id: int) -> shapes.Product:
    """Get one product."""
    return _products([found(db.session.get(Product, product_id))])[0]


@endpoint("PATCH", "/products/<int:product_id>", scope="shop:write", refusals=("conflict",), locks=Product)
def change_product(product_id: int, said: ProductChange) -> Written[shapes.Product]:
    """Change a product's price, stock or deadline, or take it off sale."""
    row: Product = found(db.session.get(Product, product_id, with_for_update=True))
    goods = assortment.goods_of(row, auth.current_config().default_language)
    named = {name: getattr(said, name) for name in said.model_fields_set}
    if named.get("price_minor", 0) is None:
        del named["price_minor"]
    try:
        assortment.save_goods(replace(goods, **named), row, now=utc_now(), operator_id=None)
    except assortment.Refused as refused:
        told = ", ".join(f"{name}: {code}" for name, code in sorted(refused.problems.items()))
        raise Refused("conflict", f"The product cannot be kept like this ({told}).") from refused
    return Written(_products([row])[0])


def _products(rows: Sequence[Product]) -> list[shapes.Product]:
    return [shapes.Product.of(row, names=row.names or {}, price=_money(row.price_minor, row)) for row in rows]


# --- orders -------------------------------------------------------------------------------------------------


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


def _orders(rows: Sequence[Order]) -> list[shapes.Order]:
    return [
        shapes.Order.of(
            row,
            items=[shapes.OrderItem.of(item, price=_money(item.price_minor, row)) for item in row.items],
            total=_money(row.total_minor, row),
        )
        for row in rows
    ]


# --- sales --------------------------------------------------------------------------------------------------


@endpoint("GET", "/sales", scope="shop:read")
def list_sales(asked: SaleQuery) -> Page[shapes.Sale]:
    """List sales: paid orders as figures."""
    query = select(Sale)
    if asked.after is not None:
        query = query.where(Sale.at > asked.after)
    if asked.before is not None:
        query = query.where(Sale.at < asked.before)
    for name, column in (
        ("contact_id", Sale.contact_id),
        ("strategy", Sale.strategy),
        ("is_demo", Sale.is_demo),
    ):
        wanted = getattr(asked, name)
        query = query if wanted is None else query.where(column == wanted)
    return page(query, Sale.id, asked, _sales)


@endpoint("GET", "/sales/<int:sale_id>", scope="shop:read")
def get_sale(sale_id: int) -> shapes.Sale:
    """Get one sale."""
    return _sales([found(db.session.get(Sale, sale_id))])[0]


def _sales(rows: Sequence[Sale]) -> list[shapes.Sale]:
    return [
        shapes.Sale.of(row, amount=_money(row.amount_minor, row), refunded=_money(row.refunded_minor, row))
        for row in rows
    ]


def _money(minor: int, row: Product | Order | Sale) -> shapes.Money:
    return shapes.Money(amount_minor=minor, currency=row.currency)
