"""Categories and products: what is for sale, in the customer's language and at its price.

Flow actions, orders and admins' forms call these verbs. They flush and never commit; they sell nothing.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from babel.core import Locale
from babel.numbers import format_currency, get_currency_precision
from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute

import texts
from config import Config
from models import Category, Product, db

ENVIRONMENT_SKU = "produto-principal"
ENVIRONMENT_CATEGORY = "Produtos"
ENVIRONMENT_CATEGORY_NAMES = {"en": "Products", "es": "Productos"}
ENVIRONMENT_CURRENCY = "BRL"
LOCALES: Mapping[str, str] = {"pt": "pt_BR", "es": "es", "en": "en"}
DEFAULT_LOCALE = "en"
SHOWN_LIMIT = 100
CHEAPEST_SHOWN = 3
NAMED_LIMIT = 9
OWN_WORD_CHARS = 5
PARTICLE_CHARS = 2  # "de", "of": no name is told by them


@dataclass(frozen=True, slots=True)
class Shortage:
    """A product of which fewer are left than wanted."""

    product_id: int
    name: str
    wanted: int
    left: int


def categories() -> list[Category]:
    """List the active categories that have something to sell, in their order."""
    has_products = select(Product.id).where(Product.category_id == Category.id, Product.is_active).exists()
    return list(
        db.session.scalars(
            select(Category)
            .where(Category.is_active, has_products)
            .order_by(Category.position, Category.id)
            .limit(SHOWN_LIMIT)
        )
    )


def products(category_id: int | None = None) -> list[Product]:
    """List the products for sale, of one category or of all, in their order."""
    query = (
        select(Product)
        .join(Category, Category.id == Product.category_id)
        .where(Product.is_active, Category.is_active)
        .order_by(Category.position, Category.id, Product.position, Product.id)
        .limit(SHOWN_LIMIT)
    )
    if category_id is not None:
        query = query.where(Product.category_id == category_id)
    return list(db.session.scalars(query))


def category(category_id: int) -> Category | None:
    """Give an active category."""
    found = db.session.get(Category, category_id)
    return found if found is not None and found.is_active else None


def product(product_id: int) -> Product | None:
    """Give a product that is for sale."""
    return _for_sale(Product.id, product_id)


def product_by_sku(sku: str) -> Product | None:
    """Give the product for sale that a WhatsApp catalogue knows as `sku` (its retailer id)."""
    return _for_sale(Product.sku, sku)


def shown_name(thing: Category | Product, language: str) -> str:
    """Give the name in `language`, or the one that it has."""
    return (thing.names or {}).get(language) or thing.name


def shown_description(thing: Product, language: str) -> str:
    return (thing.descriptions or {}).get(language) or thing.description or ""


def shown_benefits(thing: Product, language: str) -> tuple[str, ...]:
    """Give the benefits in `language`: they are kept as one list, or as lists by language (default under
    "").
    """
    kept = thing.benefits or []
    if isinstance(kept, dict):
        kept = kept.get(language) or kept.get("") or next(iter(kept.values()), [])
    return tuple(str(benefit) for benefit in kept)


def price_text(minor: int, currency: str, language: str) -> str:
    """Write an amount of minor units as a reader of `language` does: R$ 97,00 in pt, R$97.00 in en."""
    return money_text(Decimal(minor).scaleb(-get_currency_precision(currency)), currency, language)


def price_words(minor: int, currency: str, language: str) -> str:
    """Write a price where it stands alone: what costs nothing is free."""
    return price_text(minor, currency, language) if minor else texts.text("price_free", language)


def money_text(amount: Decimal, currency: str, language: str) -> str:
    """Write an amount; a space is a plain one, so that what we say can be compared with what we meant."""
    # Spanish has no sign of its own for the real; Brazil's way is read by everybody there.
    name = LOCALES["pt"] if (currency, language) == ("BRL", "es") else LOCALES.get(language, DEFAULT_LOCALE)
    locale = Locale.parse(name)
    return str(format_currency(amount, currency, locale=locale)).replace("\xa0", " ").replace("\u202f", " ")


def minor_units(amount: Decimal, currency: str) -> int:
    """Give an amount in minor units (cents; yen have none), half a cent rounded up."""
    return int(amount.scaleb(get_currency_precision(currency)).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def save_category(name: str, *, names: Mapping[str, str] | None = None, position: int = 0) -> Category:
    """Create or change the category of this name. Flushes. Idempotent."""
    found = db.session.scalars(select(Category).where(Category.name == name)).first()
    if found is None:
        found = Category(name=name)
        db.session.add(found)
    found.names = dict(names or {})
    found.position = position
    db.session.flush()
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductSheet:
    """All that is told of a product; `names`, `descriptions` and `benefits` by language where it differs."""

    sku: str
    name: str
    price_minor: int
    currency: str = "BRL"
    names: Mapping[str, str] | None = None
    description: str = ""
    descriptions: Mapping[str, str] | None = None
    benefits: Sequence[str] | Mapping[str, Sequence[str]] = ()
    stock: int | None = None
    position: int = 0
    delivery_text: str = ""  # handed over after payment, unless people have set something else since
    is_demo: bool = False


def save_product(category_id: int, sheet: ProductSheet) -> Product:
    """Create or change the product of this sku. Raises ValueError for a price or stock below nothing.

    Flushes. Idempotent.
    """
    if sheet.price_minor < 0 or (sheet.stock is not None and sheet.stock < 0):
        raise ValueError(f"product {sheet.sku!r}: neither price nor stock can be below nothing")
    found = db.session.scalars(select(Product).where(Product.sku == sheet.sku)).first()
    if found is None:
        kind = "text" if sheet.delivery_text else "manual"
        found = Product(
            sku=sheet.sku, is_demo=sheet.is_demo, delivery_kind=kind, delivery_text=sheet.delivery_text
        )
        db.session.add(found)
    found.category_id = category_id
    found.name = sheet.name
    found.names = dict(sheet.names or {})
    found.description = sheet.description
    found.descriptions = dict(sheet.descriptions or {})
    found.benefits = _benefits(sheet.benefits)
    found.price_minor, found.currency = sheet.price_minor, sheet.currency
    found.stock, found.position = sheet.stock, sheet.position
    found.is_active = True
    db.session.flush()
    return found


def save_environment_product(config: Config) -> Product | None:
    """Create or change the one product that PRODUCT_NAME and its siblings describe; None when they are not
    set.

    Without a price there is nothing to sell: then it is not made either. Flushes. Idempotent.
    """
    if not config.product_name or config.product_price is None:
        return None
    home = save_category(ENVIRONMENT_CATEGORY, names=ENVIRONMENT_CATEGORY_NAMES)
    return save_product(
        home.id,
        ProductSheet(
            sku=ENVIRONMENT_SKU,
            name=config.product_name[:160],
            price_minor=minor_units(config.product_price, ENVIRONMENT_CURRENCY),
            currency=ENVIRONMENT_CURRENCY,
            description=config.product_description,
            benefits=config.product_benefits,
        ),
    )


def is_empty() -> bool:
    """Tell whether there is no product at all, active or not."""
    return not db.session.scalar(select(func.count(Product.id)))


def find_products(words: str, language: str, limit: int = 5) -> list[Product]:
    """Find products whose name holds all these words, without regard to accents and case; the best first."""
    wanted = _folded(words).split()
    if not wanted:
        return []
    scored = []
    for candidate in products():
        name = _folded(f"{candidate.name} {shown_name(candidate, language)} {candidate.sku}")
        if all(word in name for word in wanted):
            scored.append((len(name), candidate.id, candidate))
    return [candidate for _, _, candidate in sorted(scored)[:limit]]


def named_products(
    words: Sequence[str], *, is_sure: bool = False, is_cheapest: bool = False
) -> list[Product]:
    """Give the products that most of these words name, in any of their languages; the best match first.

    Half of the words must fit, one when it `is_sure` that something for sale is meant.
    Of what `is_cheapest` the least expensive come, of everything where nothing is named.
    """
    scored = _scored(words)
    best = max((score for score, _ in scored), default=0)
    wanted = len(_wanted(words))
    if is_cheapest:
        fitting = [one for score, one in scored if score == best and one.stock != 0]
        return sorted(fitting, key=lambda one: one.price_minor)[:CHEAPEST_SHOWN]
    fitting = [one for score, one in scored if best and score == best]
    beside = _named_beside(words, fitting)
    is_half = (best + len(beside)) * 2 >= wanted
    if not fitting or not (is_half or is_sure):
        return []
    return [*fitting, *beside][:NAMED_LIMIT]


def _named_beside(words: Sequence[str], fitting: Sequence[Product]) -> list[Product]:
    """Give the product that is named beside those that fit best, by a word that it alone has: "the English
    course and the social media kit"."""
    told = {_stem(word) for one in fitting for word in _folded(_all_names(one)).split()}
    others = (own_word_of([word]) for word in words if _stem(_folded(word).strip()) not in told)
    found = {one.id: one for one in others if one is not None}
    return list(found.values())


def own_word_of(words: Sequence[str]) -> Product | None:
    """Give the one product whose own name has a word that no other has; None where none or several are named
    so."""
    wanted = {stem for stem in _wanted(words).values() if len(stem) >= OWN_WORD_CHARS}
    owners: dict[str, set[int]] = {}
    offered = products()
    for one in offered:
        for stem in {_stem(word) for word in _folded(_all_names(one)).split()} & wanted:
            owners.setdefault(stem, set()).add(one.id)
    ids = {next(iter(own)) for own in owners.values() if len(own) == 1}
    return next((one for one in offered if one.id in ids), None) if len(ids) == 1 else None


def wholly_named(words: Sequence[str]) -> list[Product]:
    """List the products of whose name, in one of its languages, each word that names stands among these."""
    said = {_stem(_folded(word)) for word in words}
    named = []
    for candidate in products():
        names = (candidate.name, *(candidate.names or {}).values())
        naming = ({_stem(w) for w in _folded(name).split() if len(w) > PARTICLE_CHARS} for name in names)
        if any(stems and stems <= said for stems in naming):
            named.append(candidate)
    return named


def unknown_words(words: Sequence[str]) -> list[str]:
    """Give those of the words that nothing for sale is called or described by."""
    told: list[Category | Product] = [*categories(), *products()]
    names = {_stem(word) for one in told for word in _folded(_all_names(one)).split()}
    return [
        word for word, stem in _wanted(words).items() if len(stem) >= OWN_WORD_CHARS and stem not in names
    ]


def is_whole_name(words: Sequence[str]) -> bool:
    """Tell whether the words name a product and say nothing else."""
    wanted = len(_wanted(words))
    return wanted > 0 and any(score == wanted for score, _ in _scored(words))


def _wanted(words: Sequence[str]) -> dict[str, str]:
    return {word: _stem(word) for word in map(_folded, words) if word.strip()}


def _scored(words: Sequence[str]) -> list[tuple[int, Product]]:
    """Count for every product how many of the words name it or its category."""
    wanted = _wanted(words)
    homes = {home.id: _all_names(home) for home in categories()}
    scored = []
    for candidate in products():
        told = f"{_all_names(candidate)} {homes.get(candidate.category_id, '')}"
        stems = {_stem(word) for word in _folded(told).split()}
        scored.append((sum(stem in stems for stem in wanted.values()), candidate))
    return scored


def _all_names(thing: Category | Product) -> str:
    return " ".join((thing.name, *(thing.names or {}).values()))


def _stem(word: str) -> str:
    """Make "cursos", "courses" and "curso", "course" one word each."""
    return word.strip().removesuffix("s")


def _for_sale(column: InstrumentedAttribute, value: int | str) -> Product | None:
    return db.session.scalars(
        select(Product)
        .join(Category, Category.id == Product.category_id)
        .where(column == value, Product.is_active, Category.is_active)
    ).first()


def _benefits(
    given: Sequence[str] | Mapping[str, Sequence[str]],
) -> list[str] | dict[str, list[str]]:
    if isinstance(given, Mapping):
        return {language: list(lines) for language, lines in given.items()}
    return list(given)


def _folded(text: str) -> str:
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return re.sub(r"[^\w]+", " ", plain)
