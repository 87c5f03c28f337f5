"""What the shop sells, as the people who run it keep it: niches, categories, products and their licence keys.

Admins' forms and programs call these verbs; `catalog` shows customers what came of it. A product's name
stands in the shop's own language, in the others only where it differs. Verbs flush and never commit; what
cannot be kept is refused as a whole, with every field that is wrong.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from babel.core import get_global
from babel.numbers import get_currency_precision, get_territory_currencies
from sqlalchemy import case, delete, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute

import history
from models import Category, LicenceKey, Niche, OrderItem, Product, StoredFile, db
from shop import catalog, delivery
from statements import changed_rows
from vocabulary import TEXT_LANGUAGES

NAME_MAX_CHARS: Final = 160
SHELF_MAX_CHARS: Final = 120
SKU_MAX_CHARS: Final = 60
SKU: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
DESCRIPTION_MAX_CHARS: Final = 3000
BENEFIT_MAX_CHARS: Final = 200
BENEFITS_MAX: Final = 12
DELIVERY_MAX_CHARS: Final = 3500  # one message of 4,096, with words around it
PRICE_MAX_MINOR: Final = 10**12
STOCK_MAX: Final = 10**6
POSITION_MAX: Final = 9999
ATTRIBUTION_MAX_DAYS: Final = 365
KEYS_MAX: Final = 10_000
ON_SALE: Final = "on_sale"
OFF_SALE: Final = "off_sale"

Shelf = Niche | Category


class Refused(ValueError):
    """What was written cannot be kept: the name of each field that is wrong, with a code that says why."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(", ".join(f"{name}: {code}" for name, code in problems.items()))
        self.problems = dict(problems)


class InUse(Exception):
    """It cannot be deleted: orders, or products, point to it. To take it off sale is always possible."""


@dataclass(frozen=True, slots=True)
class Wording:
    """What a customer reads of a product in one language; empty parts are said as in the shop's own."""

    name: str = ""
    description: str = ""
    benefits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Goods:
    """A product as a form has it. `language` is the shop's own, which `words` must hold; times are UTC."""

    language: str
    words: Mapping[str, Wording] = field(default_factory=dict)
    sku: str = ""
    category_id: int | None = None
    niche_id: int | None = None
    price_minor: int | None = None
    currency: str = "BRL"
    stock: int | None = None
    # What the form was opened with, where it says so: what was sold since then is not written over.
    stock_before: int | None = None
    is_stock_before_known: bool = False
    offer_ends_at: datetime | None = None
    attribution_days: int | None = None
    image_id: int | None = None
    delivery_kind: str = delivery.MANUAL
    delivery_text: str = ""
    delivery_file_id: int | None = None
    position: int = 0
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class KeyCount:
    """How many licence keys of a product nobody has yet, and how many are with customers."""

    free: int = 0
    used: int = 0


@dataclass(frozen=True, slots=True)
class AddedKeys:
    """What became of pasted keys: how many are new, and which stood there (or in the paste) before."""

    added: int
    known: int


# --- products -----------------------------------------------------------------------------------------------


def list_products(
    words: str = "", category_id: int | None = None, *, limit: int, offset: int = 0
) -> list[Product]:
    """List products, those that are for sale first, in the order in which customers see them."""
    query = select(Product).join(Category, Category.id == Product.category_id)
    if category_id is not None:
        query = query.where(Product.category_id == category_id)
    if words:
        named = (Product.name, Product.sku)
        query = query.where(or_(*(column.icontains(words, autoescape=True) for column in named)))
    ordered = query.order_by(
        case((Product.is_active, 0), else_=1), Category.position, Category.id, Product.position, Product.id
    )
    return list(db.session.scalars(ordered.limit(limit).offset(offset)))


def goods_of(product: Product, language: str) -> Goods:
    """Give a product as its form shows it."""
    others = [code for code in TEXT_LANGUAGES if code != language]
    words = {
        language: Wording(
            catalog.shown_name(product, language),
            catalog.shown_description(product, language),
            catalog.shown_benefits(product, language),
        )
    }
    for code in others:
        kept = product.benefits if isinstance(product.benefits, dict) else {}
        words[code] = Wording(
            (product.names or {}).get(code, ""),
            (product.descriptions or {}).get(code, ""),
            tuple(kept.get(code, ())),
        )
    return Goods(
        language=language,
        words=words,
        sku=product.sku,
        category_id=product.category_id,
        niche_id=product.niche_id,
        price_minor=product.price_minor,
        currency=product.currency,
        stock=product.stock,
        offer_ends_at=product.offer_ends_at,
        attribution_days=product.attribution_days,
        image_id=product.image_id,
        delivery_kind=product.delivery_kind,
        delivery_text=product.delivery_text,
        delivery_file_id=product.delivery_file_id,
        position=product.position,
        is_active=product.is_active,
    )


def save_goods(goods: Goods, product: Product | None, *, now: datetime, operator_id: int | None) -> Product:
    """Create a product, or change the one given. A program has no `operator_id`. Flushes. Raises Refused;
    then nothing changed."""
    problems = problems_of(goods, product, now=now)
    if problems:
        raise Refused(problems)
    was = "" if product is None else _state(product.is_active)
    sku = goods.sku.strip() or _new_sku(goods.words[goods.language].name)
    if product is None:
        product = Product(created_at=now, is_active=goods.is_active)
        db.session.add(product)
    else:
        db.session.refresh(product, with_for_update=True)
    _write_words(product, goods)
    product.sku = sku
    product.category_id, product.niche_id = goods.category_id or 0, goods.niche_id
    product.price_minor, product.currency = goods.price_minor or 0, goods.currency
    product.stock, product.position = _stock_of(goods, product.stock), goods.position
    product.offer_ends_at, product.attribution_days = goods.offer_ends_at, goods.attribution_days
    product.image_id = goods.image_id
    product.delivery_kind, product.delivery_text = goods.delivery_kind, goods.delivery_text.strip()
    product.delivery_file_id = goods.delivery_file_id
    product.is_active = goods.is_active
    db.session.flush()
    _note("product", product.id, was, _state(product.is_active), now, operator_id)
    return product


def _stock_of(goods: Goods, left: int | None) -> int | None:
    """Give the stock that is meant when `left` are left now: the form's change counts, not its old figure."""
    if not goods.is_stock_before_known:
        return goods.stock
    if goods.stock == goods.stock_before:
        return left
    if goods.stock is None or goods.stock_before is None or left is None:
        return goods.stock
    return min(max(left + goods.stock - goods.stock_before, 0), STOCK_MAX)


def switch_product(product: Product, *, is_active: bool, now: datetime, operator_id: int | None) -> None:
    """Put a product on sale, or take it off. Flushes. Idempotent."""
    was, product.is_active = _state(product.is_active), is_active
    db.session.flush()
    _note("product", product.id, was, _state(is_active), now, operator_id)


def delete_product(product: Product) -> None:
    """Delete a product that nobody ordered or has in a cart, with its licence keys. Flushes. Raises InUse."""
    is_ordered = select(OrderItem.id).where(OrderItem.product_id == product.id).limit(1)
    if db.session.execute(is_ordered).first() is not None:
        raise InUse
    changed_rows(delete(LicenceKey).where(LicenceKey.product_id == product.id))
    history.forget("product", [product.id])
    db.session.delete(product)
    db.session.flush()


def _write_words(product: Product, goods: Goods) -> None:
    own = goods.words[goods.language]
    others = {code: words for code, words in goods.words.items() if code != goods.language}
    product.name, product.description = own.name.strip(), own.description.strip()
    product.names = {code: words.name.strip() for code, words in others.items() if words.name.strip()}
    product.descriptions = {
        code: words.description.strip() for code, words in others.items() if words.description.strip()
    }
    benefits: dict[str, Any] = {
        code: list(words.benefits) for code, words in others.items() if words.benefits
    }
    product.benefits = {"": list(own.benefits), **benefits} if benefits else list(own.benefits)


def problems_of(goods: Goods, product: Product | None, *, now: datetime) -> dict[str, str]:
    """Name every field that is wrong, with a code that says why."""
    problems = _wording_problems(goods)
    problems |= _sku_problem(goods.sku.strip(), product)
    if goods.category_id is None or db.session.get(Category, goods.category_id) is None:
        problems["category"] = "none"
    if goods.niche_id is not None and db.session.get(Niche, goods.niche_id) is None:
        problems["niche"] = "none"
    if goods.price_minor is None or not 0 <= goods.price_minor <= PRICE_MAX_MINOR:
        problems["price"] = "out_of_range"
    if goods.stock is not None and not 0 <= goods.stock <= STOCK_MAX:
        problems["stock"] = "out_of_range"
    if not 0 <= goods.position <= POSITION_MAX:
        problems["position"] = "out_of_range"
    if goods.attribution_days is not None and not 1 <= goods.attribution_days <= ATTRIBUTION_MAX_DAYS:
        problems["attribution_days"] = "out_of_range"
    is_changed = product is None or product.offer_ends_at != goods.offer_ends_at
    if goods.offer_ends_at is not None and is_changed and goods.offer_ends_at <= now:
        problems["offer_ends_at"] = "past"
    return problems | _delivery_problems(goods)


def _wording_problems(goods: Goods) -> dict[str, str]:
    problems: dict[str, str] = {}
    for code, words in goods.words.items():
        if len(words.name.strip()) > NAME_MAX_CHARS:
            problems[f"name_{code}"] = "long"
        if len(words.description.strip()) > DESCRIPTION_MAX_CHARS:
            problems[f"description_{code}"] = "long"
        if len(words.benefits) > BENEFITS_MAX:
            problems[f"benefits_{code}"] = "many"
        elif any(len(line) > BENEFIT_MAX_CHARS for line in words.benefits):
            problems[f"benefits_{code}"] = "long"
    if not goods.words.get(goods.language, Wording()).name.strip():
        problems[f"name_{goods.language}"] = "missing"
    return problems


def _sku_problem(sku: str, product: Product | None) -> dict[str, str]:
    if not sku:
        return {}
    if len(sku) > SKU_MAX_CHARS or not SKU.fullmatch(sku):
        return {"sku": "bad"}
    holder = db.session.scalars(select(Product.id).where(Product.sku == sku)).first()
    is_taken = holder is not None and (product is None or holder != product.id)
    return {"sku": "taken"} if is_taken else {}


def _delivery_problems(goods: Goods) -> dict[str, str]:
    if goods.delivery_kind not in delivery.KINDS:
        return {"delivery_kind": "none"}
    if len(goods.delivery_text.strip()) > DELIVERY_MAX_CHARS:
        return {"delivery_text": "long"}
    if goods.delivery_kind == delivery.TEXT and not goods.delivery_text.strip():
        return {"delivery_text": "missing"}
    file_id = goods.delivery_file_id
    if goods.delivery_kind == delivery.FILE and (
        file_id is None or db.session.get(StoredFile, file_id) is None
    ):
        return {"delivery_file": "missing"}
    return {}


def _new_sku(name: str) -> str:
    """Make a product's key of its name: "Curso de Violão" is curso-de-violao, the next curso-de-violao-2."""
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    stem = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[: SKU_MAX_CHARS - 6].strip("-") or "produto"
    taken = set(db.session.scalars(select(Product.sku).where(Product.sku.startswith(stem, autoescape=True))))
    number, sku = 1, stem
    while sku in taken:
        number += 1
        sku = f"{stem}-{number}"
    return sku


def current_currencies() -> frozenset[str]:
    """Give the currencies that some country pays with today: no cruzeiro, no gold, no test code."""
    countries = get_global("territory_currencies")
    return frozenset(code for country in countries for code in get_territory_currencies(country))


def currency_precision(currency: str) -> int:
    """Give how many digits stand behind the point of a currency: two for most, none for the yen."""
    return int(get_currency_precision(currency))


# --- licence keys -------------------------------------------------------------------------------------------


def add_keys(product_id: int, pasted: str, *, now: datetime) -> AddedKeys:
    """Add pasted keys, one a line, to a product's list. Flushes. Raises Refused for too many or long ones."""
    lines = [line.strip() for line in pasted.replace("\0", "").splitlines() if line.strip()]
    if len(lines) > KEYS_MAX:
        raise Refused({"keys": "many"})
    if any(len(line) > delivery.KEY_MAX_CHARS for line in lines):
        raise Refused({"keys": "long"})
    added = delivery.add_keys(product_id, lines, now=now)
    return AddedKeys(added, len(lines) - added)


def count_keys(product_ids: Collection[int]) -> dict[int, KeyCount]:
    """Count the keys of products; a product without any is not in the answer."""
    rows = db.session.execute(
        select(LicenceKey.product_id, func.count(LicenceKey.id), func.count(LicenceKey.taken_at))
        .where(LicenceKey.product_id.in_(product_ids))
        .group_by(LicenceKey.product_id)
    )
    return {product_id: KeyCount(total - used, used) for product_id, total, used in rows}


def drop_free_keys(product_id: int) -> int:
    """Throw the keys away that nobody has; gives how many. Flushes."""
    return changed_rows(
        delete(LicenceKey).where(LicenceKey.product_id == product_id, LicenceKey.taken_at.is_(None))
    )


# --- categories and niches ----------------------------------------------------------------------------------


def list_categories() -> list[Category]:
    """List all categories, also those that are switched off, in their order."""
    return list(db.session.scalars(select(Category).order_by(Category.position, Category.id)))


def list_niches() -> list[Niche]:
    return list(db.session.scalars(select(Niche).order_by(Niche.position, Niche.id)))


def count_products(kind: type[Category] | type[Niche]) -> dict[int, int]:
    """Count the products, on sale or not, of every category or niche that has some."""
    column = _column_of(kind)
    rows = db.session.execute(
        select(column, func.count(Product.id)).where(column.is_not(None)).group_by(column)
    )
    return {shelf_id: count for shelf_id, count in rows if shelf_id is not None}


def save_shelf(
    kind: type[Category] | type[Niche],
    shelf: Shelf | None,
    names: Mapping[str, str],
    *,
    language: str,
    position: int,
    now: datetime,
    operator_id: int | None,
) -> Shelf:
    """Create a category or niche, or change the one given. Flushes. Raises Refused; then nothing changed."""
    cleaned = {code: name.strip() for code, name in names.items() if name.strip()}
    problems = {f"name_{code}": "long" for code, name in cleaned.items() if len(name) > SHELF_MAX_CHARS}
    own = cleaned.pop(language, "")
    if not own:
        problems[f"name_{language}"] = "missing"
    elif _holder_of(kind, own) not in (None, shelf.id if shelf is not None else None):
        problems[f"name_{language}"] = "taken"
    if not 0 <= position <= POSITION_MAX:
        problems["position"] = "out_of_range"
    if problems:
        raise Refused(problems)
    is_new = shelf is None
    shelf = shelf or kind()
    shelf.name, shelf.names, shelf.position = own, cleaned, position
    db.session.add(shelf)
    db.session.flush()
    if is_new and isinstance(shelf, Category):
        _note("category", shelf.id, "", ON_SALE, now, operator_id)
    return shelf


def switch_category(category: Category, *, is_active: bool, now: datetime, operator_id: int | None) -> None:
    """Show a category to customers, or hide it with all its products. Flushes. Idempotent."""
    was, category.is_active = _state(category.is_active), is_active
    db.session.flush()
    _note("category", category.id, was, _state(is_active), now, operator_id)


def delete_shelf(shelf: Shelf) -> None:
    """Delete a category or niche without products. Flushes. Raises InUse."""
    column = _column_of(type(shelf))
    if db.session.execute(select(Product.id).where(column == shelf.id).limit(1)).first() is not None:
        raise InUse
    if isinstance(shelf, Category):
        history.forget("category", [shelf.id])
    db.session.delete(shelf)
    db.session.flush()


def names_of(shelf: Shelf, language: str) -> dict[str, str]:
    """Give the names of a category or niche as its form shows them."""
    kept = shelf.names or {}
    return {code: kept.get(code, "") for code in TEXT_LANGUAGES} | {
        language: kept.get(language) or shelf.name
    }


def _holder_of(kind: type[Category] | type[Niche], name: str) -> int | None:
    return db.session.scalars(select(kind.id).where(kind.name == name)).first()


def _column_of(kind: type[Category] | type[Niche]) -> InstrumentedAttribute[Any]:
    return Product.category_id if kind is Category else Product.niche_id


# --- below --------------------------------------------------------------------------------------------------


def lines_of(text: str) -> tuple[str, ...]:
    """Give the lines of a form's text that say something."""
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _state(is_active: bool) -> str:
    return ON_SALE if is_active else OFF_SALE


def _note(
    record: str, record_id: int, before: str, after: str, now: datetime, operator_id: int | None
) -> None:
    actor = "program" if operator_id is None else "operator"
    history.note_change(
        record, record_id, before=before, after=after, actor=actor, now=now, operator_id=operator_id
    )


def shelf_of(kind: type[Category] | type[Niche], shelf_id: int) -> Shelf | None:
    return db.session.get(Category, shelf_id) if kind is Category else db.session.get(Niche, shelf_id)


def changes_of(product: Product) -> Sequence[Any]:
    """List when a product came on sale and went off, the oldest first."""
    return history.changes_of("product", product.id)
