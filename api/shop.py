"""What is for sale, and what was sold."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field
from sqlalchemy import select

import auth
from api import shapes
from api.doors import PREFIX, Body, Refused, Written, endpoint, found
from api.kinds import VISIBLE, Amount, BodyId, Clean, Flag, Integral, Moment, OneOf, RowId
from api.paging import DatedQuery, Page, PageQuery, narrowed, page
from models import Category, Niche, Product, Sale, db, utc_now
from shop import assortment, catalog, delivery
from shop.assortment import Goods, Wording
from vocabulary import TEXT_LANGUAGES

CODE = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
Name = Annotated[str, Field(max_length=assortment.NAME_MAX_CHARS), Clean]
Description = Annotated[str, Field(max_length=assortment.DESCRIPTION_MAX_CHARS), Clean]
Benefit = Annotated[str, Field(max_length=assortment.BENEFIT_MAX_CHARS, pattern=VISIBLE), Clean]
Benefits = Annotated[tuple[Benefit, ...], Field(max_length=assortment.BENEFITS_MAX)]
Stock = Annotated[int, Field(ge=0, le=assortment.STOCK_MAX), Integral]
Position = Annotated[int, Field(ge=0, le=assortment.POSITION_MAX), Integral]
# What a product has in any case: null leaves it as it is.
NEVER_EMPTY: Final = (
    "name",
    "description",
    "benefits",
    "sku",
    "category_id",
    "price_minor",
    "delivery",
    "position",
)
Sku = Annotated[str, Field(max_length=assortment.SKU_MAX_CHARS, pattern=CODE)]


class ProductQuery(DatedQuery):
    sku: Annotated[str, Field(max_length=60), Clean] | None = None
    category_id: RowId | None = None
    niche_id: RowId | None = None
    is_active: Flag | None = None


class SaleQuery(PageQuery):
    contact_id: RowId | None = None
    strategy: Annotated[str, Field(max_length=20), Clean] | None = None
    is_demo: Flag | None = None
    after: Moment | None = None
    before: Moment | None = None


class Price(Body):
    amount_minor: Amount
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217, one that is in use.")]


class Translated(Body):
    """What a customer reads of a product in another language; empty parts are said in the shop's own."""

    name: Name = ""
    description: Description = ""
    benefits: Benefits = ()


class Handed(Body):
    """What leaves when the product is paid: a text, the next of its keys, or what people hand over. Files are
    chosen at the desk."""

    kind: Literal["manual", "text", "key"]
    text: Annotated[str, Field(max_length=assortment.DELIVERY_MAX_CHARS), Clean] = ""


class ProductWords(Body):
    sku: Sku | None = Field(default=None, description="null: made of the name, or left as it is.")
    niche_id: BodyId | None = None
    stock: Stock | None = Field(default=None, description="null: unlimited.")
    offer_ends_at: Moment | None = None
    translations: dict[Annotated[str, OneOf(TEXT_LANGUAGES)], Translated] = Field(
        default={}, description="By language, beside the shop's own."
    )


class NewProduct(ProductWords):
    """A product in the shop's own language."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Curso de violão",
                    "category_id": 1,
                    "price": {"amount_minor": 9_700, "currency": "BRL"},
                    "benefits": ["12 aulas", "Certificado"],
                    "delivery": {"kind": "text", "text": "Bem-vinda! Comece em https://example.com/aulas"},
                }
            ]
        }
    )

    name: Annotated[str, Field(max_length=assortment.NAME_MAX_CHARS, pattern=VISIBLE), Clean]
    description: Description = ""
    benefits: Benefits = ()
    category_id: BodyId = Field(description="One of `GET /api/v1/categories`.")
    price: Price
    delivery: Handed = Handed(kind="manual")
    position: Position = Field(default=0, description="Its place in the category, from the top.")
    is_active: bool = True


class ProductChange(ProductWords):
    """Only what is named changes. A translation changes as a whole."""

    name: Name | None = None
    description: Description | None = None
    benefits: Benefits | None = None
    category_id: BodyId | None = None
    price_minor: Amount | None = Field(default=None, description="In the currency that the product has.")
    delivery: Handed | None = None
    position: Position | None = None
    is_active: bool = True


class NewKeys(Body):
    """Licence keys for the product's list; those that stand there already are left out."""

    keys: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=delivery.KEY_MAX_CHARS, pattern=r"^[!-~]+$")]],
        Field(min_length=1, max_length=1_000),
    ]


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


@endpoint("POST", "/products", scope="shop:write", status=201, refusals=("conflict",))
def create_product(said: NewProduct) -> Written[shapes.Made]:
    """Put a product into the assortment; customers see it at once, unless it is not active."""
    language = auth.current_config().default_language
    if said.price.currency not in assortment.current_currencies():
        raise Refused("conflict", f"Nobody pays with {said.price.currency} today.")
    own = Wording(said.name, said.description, said.benefits)
    goods = Goods(
        language=language,
        words=_words(said) | {language: own},
        sku=said.sku or "",
        category_id=said.category_id,
        niche_id=said.niche_id,
        price_minor=said.price.amount_minor,
        currency=said.price.currency,
        stock=said.stock,
        offer_ends_at=said.offer_ends_at,
        delivery_kind=said.delivery.kind,
        delivery_text=said.delivery.text,
        position=said.position,
        is_active=said.is_active,
    )
    row = _save(goods, None)
    return Written(shapes.Made(id=row.id, url=f"{PREFIX}/products/{row.id}"))


@endpoint("PATCH", "/products/<int:product_id>", scope="shop:write", refusals=("conflict",), locks=Product)
def change_product(product_id: int, said: ProductChange) -> Written[shapes.Product]:
    """Change a product, or take it off sale."""
    row: Product = found(db.session.get(Product, product_id, with_for_update=True))
    language = auth.current_config().default_language
    goods = assortment.goods_of(row, language)
    named: dict[str, Any] = {name: getattr(said, name) for name in said.model_fields_set - {"translations"}}
    for name in NEVER_EMPTY:
        if named.get(name, ...) is None:
            del named[name]
    own = {name: named.pop(name) for name in ("name", "description", "benefits") if name in named}
    named["words"] = {**goods.words, **_words(said), language: replace(goods.words[language], **own)}
    if (handed := named.pop("delivery", None)) is not None:
        named |= {"delivery_kind": handed.kind, "delivery_text": handed.text}
    return Written(_products([_save(replace(goods, **named), row)])[0])


@endpoint("POST", "/products/<int:product_id>/keys", scope="shop:write", refusals=("conflict",))
def add_product_keys(product_id: int, said: NewKeys) -> Written[shapes.KeysAdded]:
    """Add licence keys: each customer who pays gets the next one. They are never shown again."""
    row: Product = found(db.session.get(Product, product_id))
    try:
        added = assortment.add_keys(row.id, "\n".join(said.keys), now=utc_now())
    except assortment.Refused as refused:
        raise _refused(refused) from refused
    url = f"{PREFIX}/products/{row.id}"
    return Written(shapes.KeysAdded(id=row.id, url=url, added=added.added, known=added.known))


def _words(said: ProductWords) -> dict[str, Wording]:
    return {code: Wording(one.name, one.description, one.benefits) for code, one in said.translations.items()}


def _save(goods: Goods, row: Product | None) -> Product:
    try:
        return assortment.save_goods(goods, row, now=utc_now(), operator_id=None)
    except assortment.Refused as refused:
        raise _refused(refused) from refused


def _refused(refused: assortment.Refused) -> Refused:
    told = ", ".join(f"{name}: {code}" for name, code in sorted(refused.problems.items()))
    return Refused("conflict", f"The product cannot be kept like this ({told}).")


def _products(rows: Sequence[Product]) -> list[shapes.Product]:
    language = auth.current_config().default_language
    return [
        shapes.Product.of(
            row,
            names=row.names or {},
            benefits=list(catalog.shown_benefits(row, language)),
            price=_money(row.price_minor, row),
        )
        for row in rows
    ]


@endpoint("GET", "/categories", scope="shop:read")
def list_categories(asked: PageQuery) -> Page[shapes.Category]:
    """List the categories of the assortment."""
    return page(select(Category), Category.id, asked, _categories)


@endpoint("GET", "/niches", scope="shop:read")
def list_niches(asked: PageQuery) -> Page[shapes.Niche]:
    """List the niches, which the kind of customer decides."""
    return page(select(Niche), Niche.id, asked, _niches)


def _categories(rows: Sequence[Category]) -> list[shapes.Category]:
    return [shapes.Category.of(row, names=row.names or {}) for row in rows]


def _niches(rows: Sequence[Niche]) -> list[shapes.Niche]:
    return [shapes.Niche.of(row, names=row.names or {}) for row in rows]


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


def _money(minor: int, row: Product | Sale) -> shapes.Money:
    return shapes.Money(amount_minor=minor, currency=row.currency)
