"""Everything that a reply may state: products, the open order, links, phones, passages and policies.

The caller gathers these from the database before a reply is written; the prompt shows them, the strategy
texts are filled from them, and the guards hold every reply against them. The rest the shop did not say.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import combinations
from typing import Final, Literal

from .amounts import major_units

LinkName = Literal["product", "payment", "booking", "brochure", "website"]
MAX_SUMMED_PRODUCTS: Final = 4
# From this many left on, a stock is worth a word; above it, "few left" would be untrue.
LOW_STOCK: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductFacts:
    """A product for sale, in the customer's language. `stock` None: unlimited; `link`: its page.

    `offer_ends`: the last day on which this price or product is to be had, when the shop has set one;
    `offer`: what ends then, in the shop's words.
    """

    sku: str
    name: str
    price_minor: int
    currency: str = "BRL"
    stock: int | None = None
    offer_ends: date | None = None
    offer: str = ""
    description: str = ""
    benefits: tuple[str, ...] = ()
    link: str | None = None

    @property
    def price(self) -> Decimal:
        return major_units(self.price_minor, self.currency)

    @property
    def is_low(self) -> bool:
        """Whether so few are left that it may be said: at least one, at most LOW_STOCK."""
        return self.stock is not None and 0 < self.stock <= LOW_STOCK

    @property
    def is_sold_out(self) -> bool:
        return self.stock == 0

    def is_scarce(self, today: date) -> bool:
        """Whether scarcity is true: few left, or an offer that ends."""
        return self.is_low or (self.offer_ends is not None and self.offer_ends >= today)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFacts:
    """One line of an order: `price_minor` is the price of one."""

    sku: str
    name: str
    quantity: int
    price_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFacts:
    """The customer's own open cart or last order; `number` None while it is a cart."""

    currency: str
    lines: tuple[LineFacts, ...]
    total_minor: int
    number: str | None = None
    is_paid: bool = False
    is_cancelled: bool = False
    is_delivered: bool = False

    @property
    def amounts(self) -> Iterator[Decimal]:
        yield major_units(self.total_minor, self.currency)
        for line in self.lines:
            yield major_units(line.price_minor, self.currency)
            yield major_units(line.price_minor * line.quantity, self.currency)


@dataclass(frozen=True, slots=True)
class Link:
    """An address that a reply may send, by the name under which the plan asks for it."""

    name: LinkName
    url: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of the shop's own knowledge."""

    id: int
    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """What the shop itself states, in its own words; None where it states nothing."""

    refund: str | None = None
    guarantee: str | None = None
    delivery: str | None = None
    payment: str | None = None
    discount: str | None = None

    @property
    def stated(self) -> tuple[str, ...]:
        given = (self.refund, self.guarantee, self.delivery, self.payment, self.discount)
        return tuple(text for text in given if text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that one reply to one customer may state; `products` are the matching ones, the best first.

    `is_focused`: the talk is about the first product, whose price needs no name beside it.
    """

    business_name: str
    today: date
    products: tuple[ProductFacts, ...] = ()
    order: OrderFacts | None = None
    links: tuple[Link, ...] = ()
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    passages: tuple[Passage, ...] = ()
    policies: Policies = Policies()
    first_name: str = ""
    is_focused: bool = False

    @property
    def focus(self) -> ProductFacts | None:
        """The product that the talk is about."""
        return self.products[0] if self.products else None

    @property
    def stated(self) -> tuple[str, ...]:
        """The shop's own words, wherever they stand: what they say a reply may say; a question says none."""
        told = [text for product in self.products for text in (*product.benefits, product.description)]
        told += [text for passage in self.passages for text in (passage.title, passage.text)]
        told = [text for text in told if not text.rstrip().endswith("?")]
        told += [product.offer for product in self.products]
        return tuple(text for text in (*told, *self.policies.stated) if text)

    @property
    def is_scarce(self) -> bool:
        return any(product.is_scarce(self.today) for product in self.products)

    @property
    def urls(self) -> tuple[str, ...]:
        """Every address that may be written out."""
        pages = tuple(product.link for product in self.products if product.link)
        return (*(link.url for link in self.links), *pages)

    def product(self, sku: str) -> ProductFacts | None:
        return next((product for product in self.products if product.sku == sku), None)

    def url(self, name: LinkName, sku: str | None = None) -> str | None:
        """Give the address behind a named link; a product's page needs its sku, or takes the first one's."""
        if name == "product":
            meant = self.product(sku) if sku else self.focus
            if meant and meant.link:
                return meant.link
        return next((link.url for link in self.links if link.name == name), None)

    def amounts(self, quantities: frozenset[int] = frozenset()) -> frozenset[Decimal]:
        """Give every amount of the shop's own figures: prices, the order's sums, sums of several products.

        A price times a quantity counts for the quantities that are spoken of.
        """
        found = {product.price for product in self.products}
        found |= {product.price * quantity for product in self.products for quantity in quantities}
        shown = self.products[:12]
        for size in range(2, min(MAX_SUMMED_PRODUCTS, len(shown)) + 1):
            for group in combinations(shown, size):
                if len({product.currency for product in group}) == 1:
                    found.add(sum((product.price for product in group), Decimal(0)))
        return frozenset(found | set(self.order.amounts if self.order else ()))
