"""What a reply to one customer may state, gathered before it is written: products, order, links, knowledge.

`writing` calls `ground` and `talk_so_far` before a reply, `assisting` before it helps an operator. Short
reads in a transaction of their own; writes nothing and words nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select

import answers
import knowledge
import texts
from config import Config
from conversations import Thread
from integrations import Number
from models import InvestmentProgram, Message, Niche, Order, Product, Turn, db, reading
from replies import prompts, questions
from replies.facts import Facts, LineFacts, Link, OrderFacts, Passage, ProductFacts
from shop import catalog, delivery, orders, programs

SHOWN_PRODUCTS: Final = 6
SHOWN_PROGRAMS: Final = 3
SHOWN_PASSAGES: Final = 3
# A question about paying that shares this much with an article is answered by it better than by a shrug.
NEAR_SCORE: Final = 0.4
DELIVERY_SCORE: Final = 0.3
TALK_MESSAGES: Final = 10
TALK_CHARS: Final = 600
TURNS_REMEMBERED: Final = 12  # whose fixed texts are not said again while there are others
# Programmes are told as passages; their ids must not be taken for those of articles.
PROGRAM_IDS_FROM: Final = 1_000_000_000
NEXORA: Final = "nexora"


@dataclass(frozen=True, slots=True)
class Ground:
    """What may be said, what clearly answers the words, and what was said last.

    `clear` is the passage that answers by itself, `near` the best one where the subject is known;
    `product_ids` go by sku; `is_named` tells that the first product is the one meant, not merely the shop's
    first, `is_said` that these very words name it; `said` are the last fixed variants, the newest last;
    `about` are the lines of the one product that is meant which speak of what was asked.
    """

    facts: Facts
    clear: Passage | None = None
    near: Passage | None = None
    product_ids: Mapping[str, int] = field(default_factory=dict)
    is_named: bool = False
    is_said: bool = False
    niche: str = ""
    attribution_days: int | None = None  # of the product that is meant, where it has its own
    said: tuple[str, ...] = ()
    about: tuple[str, ...] = ()


def ground(
    config: Config,
    thread: Thread,
    number: Number,
    words: str,
    *,
    language: str,
    now: datetime,
    product_id: int | None = None,
    sells_products: bool = True,
) -> Ground:
    """Gather what may be said to `thread`'s customer about `words`; `product_id`: what was talked of last."""
    with reading():
        named = _named(words, product_id) if sells_products else []
        products = named or (_shown(words) if sells_products else [])
        found = _search(words, language, number)
        sought = answers.search_words(words)
        is_shown = product_id is not None and not sought  # "what does it include?"
        is_product = sells_products and (is_shown or catalog.is_whole_name(sought))
        passages = _passages(found, words, language, number)
        gathered = Ground(
            Facts(
                business_name=number.name,
                today=now.astimezone(config.zone).date(),
                products=tuple(
                    _product_facts(one, texts.text_language(language), config, now) for one in products
                ),
                order=_order(thread),
                links=_links(config),
                phones=(number.display_phone,) if number.display_phone else (),
                passages=(*passages, *_programs(number, words)),
                first_name=next(iter(thread.name.split()), ""),
                is_focused=len(named) == 1,
            ),
            clear=passages[0] if found and _answers(found[0], words) and not is_product else None,
            near=passages[0] if found and found[0].score >= NEAR_SCORE else None,
            product_ids={one.sku: one.id for one in products},
            is_named=bool(named),
            is_said=sells_products and bool(_named(words, None)),
            niche=_niche(named),
            attribution_days=named[0].attribution_days if named else None,
            said=_last_variants(thread.conversation_id),
            about=_about(named, words, language),
        )
        db.session.rollback()
    return gathered


def _shown(words: str) -> list[Product]:
    """Give the products to tell of where none is named: what costs the least, or an offer, first to who asks
    for it."""
    listed = list(catalog.products())
    if answers.asks_cheapest(words):
        listed.sort(key=lambda one: one.price_minor)
    if answers.speaks_of("offer", words):
        listed.sort(key=lambda one: one.offer_ends_at is None)
    return listed[:SHOWN_PRODUCTS]


def _search(words: str, language: str, number: Number) -> tuple[knowledge.Found, ...]:
    """Find what answers the words, else the one question among them: "is it hard? I know no computers"."""
    found = knowledge.search(words, language, SHOWN_PASSAGES, integration_id=number.id)
    asked = "" if found and found[0].is_clear else questions.alone(words)
    answering = knowledge.search(asked, language, SHOWN_PASSAGES, integration_id=number.id) if asked else ()
    return answering if answering and answering[0].is_clear else found


def _passages(found: Sequence[knowledge.Found], words: str, language: str, number: Number) -> list[Passage]:
    """Give the passages that may answer, and the best one for each question of several."""
    parts = questions.several(words)
    best = (knowledge.search(part, language, 1, integration_id=number.id) for part in parts)
    every = (*found, *(one for each in best for one in each))
    return list({one.passage_id: Passage(one.passage_id, one.title, one.text) for one in every}.values())


def _answers(best: knowledge.Found, words: str) -> bool:
    """Whether a passage clearly answers; where goods go ("to Canada?") is asked with a word of its own."""
    return best.is_clear or (best.score >= DELIVERY_SCORE and answers.speaks_of("delivering", words))


def talk_so_far(
    conversation_id: int, *, before: int | None = None, limit: int = TALK_MESSAGES
) -> tuple[prompts.Turn, ...]:
    """Give a conversation's last messages in order, shortened; `before` ends it before that message."""
    shown = (
        select(Message.direction, Message.body)
        .where(Message.conversation_id == conversation_id, Message.body != "", Message.is_revoked.is_(False))
        .order_by(Message.id.desc())
        .limit(limit)
    )
    if before is not None:
        shown = shown.where(Message.id < before)
    with reading():
        rows = db.session.execute(shown).all()
        db.session.rollback()
    return tuple(
        prompts.Turn("customer" if row.direction == "in" else "desk", row.body[:TALK_CHARS])
        for row in rows[::-1]
    )


def _named(words: str, product_id: int | None) -> list[Product]:
    """Give the products that the words name, else the one talked of last."""
    named = catalog.named_products(answers.search_words(words), is_sure=answers.asks_price(words))
    # A word that one product alone has says more than what was talked of before.
    own = None if named else catalog.own_word_of(answers.naming_words(words))
    current = catalog.product(product_id) if product_id is not None else None
    meant = own or current
    return named[:SHOWN_PRODUCTS] or ([meant] if meant else [])


def _niche(named: Sequence[Product]) -> str:
    """Name the niche of what the talk is about, else its category: strategies sell differently in each."""
    if not named:
        return "none"
    niche = db.session.get(Niche, named[0].niche_id) if named[0].niche_id is not None else None
    home = niche or catalog.category(named[0].category_id)
    return home.name if home is not None else "none"


def _product_facts(product: Product, language: str, config: Config, now: datetime) -> ProductFacts:
    ends = product.offer_ends_at if product.offer_ends_at and product.offer_ends_at > now else None
    return ProductFacts(
        sku=product.sku,
        name=catalog.shown_name(product, language),
        price_minor=product.price_minor,
        currency=product.currency,
        stock=product.stock,
        # What ends at midnight ends with the day before.
        offer_ends=(ends - timedelta(microseconds=1)).astimezone(config.zone).date() if ends else None,
        description=catalog.shown_description(product, language),
        benefits=catalog.shown_benefits(product, language),
    )


def _about(named: Sequence[Product], words: str, language: str) -> tuple[str, ...]:
    """Give what the one product that is meant says of what was asked, in its own lines."""
    if len(named) != 1:
        return ()
    reader = texts.text_language(language)
    names = {catalog.shown_name(named[0], reader), named[0].name}
    lines = (*catalog.shown_benefits(named[0], reader), catalog.shown_description(named[0], reader))
    return knowledge.lines_about(words, [line for line in lines if line], reader, but=" ".join(names))


def _last_variants(conversation_id: int) -> tuple[str, ...]:
    """Name the fixed texts that the last turns said, the newest last."""
    last = (
        select(Turn.trace)
        .where(Turn.conversation_id == conversation_id)
        .order_by(Turn.id.desc())
        .limit(TURNS_REMEMBERED)
    )
    traces = list(db.session.scalars(last))[::-1]
    told = [trace.get("reply", {}).get("variant", "") for trace in traces if isinstance(trace, dict)]
    return tuple(dict.fromkeys(str(variant) for variant in told[::-1] if variant))[::-1]


def _order(thread: Thread) -> OrderFacts | None:
    """Give the open cart, else the last order."""
    cart = orders.cart_of(thread.conversation_id)
    found = cart or next(iter(orders.orders_of(thread.contact_id, limit=1)), None)
    return None if found is None else _order_facts(found)


def _order_facts(order: Order) -> OrderFacts:
    return OrderFacts(
        currency=order.currency,
        lines=tuple(
            LineFacts(
                sku=str(item.product_id), name=item.name, quantity=item.quantity, price_minor=item.price_minor
            )
            for item in order.items
        ),
        total_minor=order.total_minor,
        number=order.number,
        is_paid=order.payment_status == "paid",
        is_cancelled=order.status == "cancelled",
        is_delivered=order.status == "paid" and _is_delivered(order),
    )


def _is_delivered(order: Order) -> bool:
    rows = delivery.deliveries_of(order.id)
    return bool(rows) and all(row.status == "sent" for row in rows)


def _links(config: Config) -> tuple[Link, ...]:
    links = (Link("booking", config.booking_url), Link("brochure", config.brochure_url))
    return tuple(link for link in links if link.url)


def _programs(number: Number, words: str) -> Iterator[Passage]:
    """Tell the programmes of a number that sells them, in the words that they were entered with."""
    if number.start_flow != NEXORA:
        return
    named = programs.named_programs(
        answers.search_words(words),
        countries=frozenset(filter(None, map(answers.read_country, answers.search_phrases(words)))),
        country_of=answers.read_country,
        is_cheapest=answers.asks_cheapest(words),
        limit=SHOWN_PROGRAMS,
    )
    for program in named:
        yield Passage(PROGRAM_IDS_FROM + program.id, program.name, _program_text(program))


def _program_text(program: InvestmentProgram) -> str:
    minimum = catalog.price_text(program.minimum_investment * 100, "USD", "en")
    told = (program.description, f"Minimum investment: {minimum}.", program.processing_time, program.link)
    return " ".join(part for part in told if part)
