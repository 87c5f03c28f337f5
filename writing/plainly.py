"""Replies that need no model: an article, a price, the lines of a product, a strategy's own words.

`writing` calls these where no model answers, `answering` where a flow's question stays open. Each gives None
where it has nothing grounded to say.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import answers
import texts
from grounding import Ground
from message_content import Menu, Text
from models import db, reading
from replies import strategies
from replies.amounts import price_text
from replies.attacks import kind_of_attack
from replies.plan import Action
from replies.strategies import day_text
from shop import catalog
from understanding import Understanding
from writing.drafts import Draft, choices_of, focus_data
from writing.wishes import (
    asks,
    asks_offer_end,
    haggles,
    is_upset,
    part_of,
    sells_products,
    signal,
    talked_of,
)

# Whoever asks for these is no customer who tells something.
REFUSED: Final = frozenset({"rules", "disclosure", "strangers"})
# What stands between the two that are compared.
JOINTS: Final = re.compile(r"\b(?:e|y|and|ou|o|or|vs|versus|com|con|with|from|pro|para)\b")
MOST_COMPARED: Final = 3  # more does not fit a message
# What can be answered without knowing which product is meant.
WITHOUT_PRODUCT: Final = frozenset({"objection", "not_interested"})


def passage(understood: Understanding, ground: Ground, trace: dict[str, Any]) -> Draft | None:
    """Answer with the shop's own words where they clearly answer; who has no time asks nothing."""
    is_plain_doubt = part_of("objection", understood) != "objection" and not asks(understood)
    if ground.clear is None or is_plain_doubt:
        return None
    trace["sources"] = [ground.clear.title]
    choices = choices_of(("menu", "person"), understood)
    return Draft((Menu(ground.clear.text, choices),), f"article: {ground.clear.title}", trace=trace)


def discount(understood: Understanding, ground: Ground, trace: dict[str, Any]) -> Draft | None:
    """Say that the price is what it is: a discount that the facts do not hold is promised to nobody."""
    if not haggles(understood.text):
        return None
    language = texts.text_language(understood.language)
    focus = ground.facts.focus if ground.is_named else None
    price = price_text(focus.price_minor, focus.currency, language) if focus else ""
    body = texts.text("reply_discount", language, product=focus.name if focus else "", price=price)
    looks = "show_products" if sells_products(understood) else "menu"
    choices = choices_of(("add_to_cart", "person") if focus else (looks, "person"), understood)
    data = focus_data(Action(), ground) if focus else {}
    return Draft((Menu(body, choices),), "fixed text: discount", data=data, trace=trace)


def offer(understood: Understanding, ground: Ground, trace: dict[str, Any]) -> Draft | None:
    """Tell until when an offer holds, where the shop has one that ends; else that there is none."""
    if not asks_offer_end(understood.text):
        return None
    language = texts.text_language(understood.language)
    focus = ground.facts.focus if ground.is_named else None
    products = (focus,) if focus else ground.facts.products
    offers = [
        (one.name, price_text(one.price_minor, one.currency, language), day_text(one.offer_ends, language))
        for one in products
        if one.offer_ends
    ]
    price = price_text(focus.price_minor, focus.currency, language) if focus else ""
    body = texts.text(
        "reply_offer", language, offers=offers, product=focus.name if focus else "", price=price
    )
    looks = "show_products" if sells_products(understood) else "menu"
    choices = choices_of(("add_to_cart", "person") if focus else (looks, "person"), understood)
    data = focus_data(Action(), ground) if focus else {}
    return Draft((Menu(body, choices),), "fixed text: offer", data=data, trace=trace)


def free(understood: Understanding, ground: Ground, trace: dict[str, Any]) -> Draft | None:
    """Say of what costs nothing that it is free: no manner of selling has words for that."""
    focus = ground.facts.focus if ground.is_named else None
    if focus is None or focus.price_minor or focus.is_sold_out or is_upset(understood):
        return None
    asks_money = answers.asks_discount(understood.text) or answers.asks_price(understood.text)
    is_meant = signal(understood) not in (None, "not_interested") and not (ground.about and asks(understood))
    if not (asks_money or is_meant):
        return None
    body = texts.text("reply_free", understood.language, product=focus.name)
    choices = choices_of(("add_to_cart", "show_products", "person"), understood)
    return Draft((Menu(body, choices),), "fixed text: free", data=focus_data(Action(), ground), trace=trace)


def currency(understood: Understanding, ground: Ground, trace: dict[str, Any]) -> Draft | None:
    """Tell the price as it is to who asks for it in another currency: no rate is known here."""
    focus = ground.facts.focus if ground.is_named else None
    if focus is None or not answers.speaks_of("currencies", understood.text) or not asks(understood):
        return None
    language = texts.text_language(understood.language)
    price = price_text(focus.price_minor, focus.currency, language)
    body = texts.text("reply_currency", language, product=focus.name, price=price)
    choices = choices_of(("add_to_cart", "person"), understood)
    return Draft(
        (Menu(body, choices),), "fixed text: currency", data=focus_data(Action(), ground), trace=trace
    )


def about(understood: Understanding, ground: Ground, trace: dict[str, Any]) -> Draft | None:
    """Answer a question with the lines of the one product that is meant; the manner tells its price."""
    if not ground.about or not asks(understood) or answers.asks_price(understood.text):
        return None
    if answers.speaks_of("trouble", understood.text):
        return None
    focus = ground.facts.products[0]
    body = texts.text("reply_about", understood.language, product=focus.name, lines=ground.about)
    choices = choices_of(("add_to_cart", "show_products", "person"), understood)
    return Draft((Menu(body, choices),), "fixed text: about", data=focus_data(Action(), ground), trace=trace)


def advice(understood: Understanding, trace: dict[str, Any]) -> Draft:
    """Ask who wants advice what it is for: nothing is the best for everybody."""
    body = texts.text("reply_advice", understood.language)
    names = ("show_products" if sells_products(understood) else "menu", "person")
    return Draft((Menu(body, choices_of(names, understood)),), "fixed text: advice", trace=trace)


def unknown(
    understood: Understanding, ground: Ground | None = None, trace: Mapping[str, Any] | None = None
) -> Draft:
    """Say honestly that the answer is not known, and offer a person who looks it up."""
    is_about_shop = answers.speaks_of("not_of_goods", understood.text) and not (ground and ground.is_said)
    focus = ground.facts.focus if ground is not None and ground.is_named and not is_about_shop else None
    language = texts.text_language(understood.language)
    body = texts.text("reply_unknown", language, product=focus.name if focus else "")
    ways = ("person", "add_to_cart", "menu") if focus else ("person", "menu")
    data = focus_data(Action(), ground) if ground is not None and focus else {}
    return Draft(
        (Menu(body, choices_of(ways, understood)),), "fixed text: unknown", data=data, trace=trace or {}
    )


def refusal(understood: Understanding) -> Draft | None:
    """Refuse to tell the desk's own instructions and what is other people's; who haggles is told a price."""
    kind = kind_of_attack(understood.text)
    if kind not in REFUSED or haggles(understood.text):
        return None
    body = texts.text("reply_refused", understood.language)
    ways = choices_of(("menu", "person"), understood)
    return Draft((Menu(body, ways),), "fixed text: refused", trace={"attack": kind})


def stock(understood: Understanding) -> Draft | None:
    """Tell how many are left of the product that the words name, else of the one talked of."""
    if not answers.speaks_of("stock", understood.text):
        return None
    language = texts.text_language(understood.language)
    with reading():
        shown = talked_of(understood)
        named = catalog.own_word_of(answers.naming_words(understood.text))
        product = named or (catalog.product(shown) if shown is not None else None)
        facts = (
            None if product is None else (product.id, catalog.shown_name(product, language), product.stock)
        )
        db.session.rollback()
    if facts is None:
        return None
    product_id, name, left = facts
    body = texts.text("reply_stock", language, product=name, stock=left)
    names = ("show_products", "person") if left == 0 else ("add_to_cart", "person")
    data = {"product": str(product_id), "product_name": name}
    return Draft((Menu(body, choices_of(names, understood)),), "fixed text: stock", data=data)


def difference(understood: Understanding) -> Draft | None:
    """Set the things side by side whose difference is asked for, each with its own facts."""
    if not answers.speaks_of("difference", understood.text):
        return None
    language = texts.text_language(understood.language)
    with reading():
        named = catalog.wholly_named(answers.plain(understood.text).split())
        if len(named) < MOST_COMPARED - 1:
            parts = JOINTS.split(answers.plain(understood.text))
            own = [catalog.own_word_of(answers.naming_words(part)) for part in parts]
            named = list({one.id: one for one in (*named, *own) if one is not None}.values())
        facts = [
            {
                "name": catalog.shown_name(one, language),
                "price": catalog.price_words(one.price_minor, one.currency, language),
                "description": catalog.shown_description(one, language),
                "benefits": catalog.shown_benefits(one, language),
            }
            for one in named
        ]
        db.session.rollback()
    if not 1 < len(facts) <= MOST_COMPARED:
        return None
    body = texts.text("reply_difference", language, compared=facts)
    ways = choices_of(("show_products", "person"), understood)
    return Draft((Menu(body, ways),), "fixed text: difference")


def bargain(understood: Understanding) -> Draft:
    """Answer who haggles where a count is asked for: the price as it is, and the question again."""
    language = texts.text_language(understood.language)
    with reading():
        shown = talked_of(understood)
        product = catalog.product(shown) if shown is not None else None
        name = catalog.shown_name(product, language) if product else ""
        price = price_text(product.price_minor, product.currency, language) if product else ""
        db.session.rollback()
    body = texts.text("reply_bargain", language, product=name, price=price)
    return Draft((Text(body),), "fixed text: bargain")


def in_manner(
    understood: Understanding, ground: Ground, trace: dict[str, Any], wish: str | None = None
) -> Draft | None:
    """Sell in the strategy's own words, where somebody clearly wants, doubts or refuses something."""
    wish = wish or signal(understood)
    is_price = wish == "question" and answers.asks_price(understood.text) and sells_products(understood)
    is_sayable = ground.is_named or wish in WITHOUT_PRODUCT or is_price
    if wish is None or not is_sayable or is_upset(understood):
        return None
    facts = ground.facts if ground.is_named else replace(ground.facts, products=())
    said = strategies.write(
        part_of(wish, understood),
        strategy=str(trace.get("base") or trace["strategy"]),
        language=texts.text_language(understood.language),
        facts=facts,
        seed=str(understood.first.event_id),
        said=ground.said,
    )
    trace["variant"] = said.variant
    names = _ways_on(wish, is_named=ground.is_named, has_shop=sells_products(understood))
    choices = choices_of(names, understood)
    data = focus_data(Action(), ground) if ground.is_named else {}
    return Draft((Menu(said.text, choices),), f"strategy: {said.variant}", data=data, trace=trace)


def _ways_on(wish: str, *, is_named: bool, has_shop: bool) -> tuple[str, ...]:
    if wish == "not_interested" or not (has_shop or is_named):
        return ("menu", "person")
    return ("add_to_cart", "show_products", "person") if is_named else ("show_products", "menu", "person")
