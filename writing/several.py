"""Several questions in one message: each is answered by what is written down, and what is not is said so.

`draft` calls this where no model answers, `answering` before it looks for the one thing that is meant.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import answers
import texts
import understanding
from consulting import Means
from conversations import Thread
from grounding import Ground
from message_content import Content, Menu, Text
from models import db, reading
from pressing import DESK
from replies import questions
from replies.amounts import price_text
from replies.attacks import kind_of_attack
from replies.plan import Action
from shop import catalog
from triage import CLEAR_INTENT
from understanding import Understanding
from writing import plainly
from writing.drafts import Draft, Step, choices_of, focus_data
from writing.wishes import asks_offer_end, ground_of, haggles, is_doubt, is_upset

# A message with buttons holds 1024 characters; what is longer goes in parts.
MAX_BODY_CHARS: Final = 1_000
# Of these the desk looks into somebody's own records.
OWN_RECORDS: Final = frozenset({"order_inquiry", "payment_inquiry", "support_ticket"})
# What is said beside the questions and wants something of its own.
WISHES: Final = frozenset({"complaint", "support_ticket", "order_inquiry", "appointment_request"})


def answer(
    means: Means,
    thread: Thread,
    understood: Understanding,
    ground: Ground | None,
    now: datetime,
    trace: dict[str, Any],
) -> Draft | None:
    """Answer every question of a message that asks several; None where it asks one, or none is known.

    A last one about the customer's own records leads to the desk's flow.
    """
    asked = questions.several(understood.text)
    if not asked or kind_of_attack(understood.text) or _wants_more(means, thread, understood, now):
        return None
    whole = ground or ground_of(means, thread, understood, now)
    parts = [understanding.as_if(means.config, thread, understood, one, now) for one in asked]
    told: dict[str, Draft] = {}
    for part in parts:
        found = _known(means, thread, part, whole, now, trace)
        if found is not None:
            told[part.text] = found
    if not told or all(is_doubt(one) for one in told):
        return None
    bodies = list(dict.fromkeys(_body(one) for one in told.values()))
    missing = [part for part in parts if part.text not in told]
    trace["sources"] = [source for one in told.values() for source in one.trace.get("sources", ())]
    own = next((part for part in missing if _own_entry(part)), None)
    if own is not None:
        contents = tuple(Text(body) for body in bodies)
        return Draft(contents, "several questions", Step(DESK, entry=_own_entry(own)), trace=trace)
    if missing:
        names = [part.text.rstrip("?") for part in missing]
        bodies.append(texts.text("reply_unknown_parts", understood.language, questions=names))
    data = next((one.data for one in told.values() if one.data), {})
    ways = ("person", "menu") if missing else ("menu", "person")
    choices = choices_of(("add_to_cart", *ways) if data else ways, understood)
    return Draft(_contents(bodies, choices), "several questions", data=data, trace=trace)


def _wants_more(means: Means, thread: Thread, understood: Understanding, now: datetime) -> bool:
    """Tell whether something is wanted beside the questions, or somebody is cross."""
    if is_upset(understood):
        return True
    said = " ".join(questions.beside(understood.text))
    if not said:
        return False
    if answers.buying_of(said) or answers.order_wish_of(said):
        return True
    read = understanding.as_if(means.config, thread, understood, said, now).reading
    return read is not None and read.intent in WISHES and read.intent_confidence >= CLEAR_INTENT


def _known(
    means: Means, thread: Thread, part: Understanding, whole: Ground, now: datetime, trace: dict[str, Any]
) -> Draft | None:
    """Answer one of the questions; what another of them names is what it is about."""
    focus = next(iter(whole.product_ids.values()), None) if whole.is_named else None
    ground = ground_of(means, thread, part, now, product_id=focus)
    if _own_entry(part) is not None:
        return None
    if asks_offer_end(part.text):
        return plainly.offer(part, ground, {})
    if haggles(part.text):
        return plainly.discount(part, ground, {})
    if is_doubt(part.text):
        return plainly.in_manner(part, ground, {**trace, "strategy": trace.get("strategy", "racional")})
    if ground.is_named and (answers.asks_price(part.text) or _names_only(part, ground)):
        return _price(part, ground)
    return plainly.stock(part) or _passage(part, ground) or plainly.about(part, ground, {})


def _passage(part: Understanding, ground: Ground) -> Draft | None:
    is_near = answers.speaks_of("ways_to_pay", part.text)
    found = ground.clear or (ground.near if is_near else None)
    return plainly.passage(part, replace(ground, clear=found), {}) if found is not None else None


def _names_only(part: Understanding, ground: Ground) -> bool:
    """Tell whether only a product is asked for: "do you have the cookbook?"."""
    if not ground.is_said or ground.clear is not None:
        return False
    with reading():
        missed = catalog.unknown_words(answers.naming_words(part.text))
        db.session.rollback()
    return not missed


def _price(part: Understanding, ground: Ground) -> Draft:
    language = texts.text_language(part.language)
    products = [
        (one.name, price_text(one.price_minor, one.currency, language) if one.price_minor else "")
        for one in ground.facts.products
    ]
    body = texts.text("reply_price", language, products=products)
    data = focus_data(Action(), ground) if len(products) == 1 else {}
    return Draft((Text(body),), "fixed text: price", data=data)


def _own_entry(part: Understanding) -> str | None:
    """Name the desk's step for a question about the customer's own records."""
    read = part.reading
    is_clear = read is not None and read.intent_confidence >= CLEAR_INTENT and answers.names_own(part.text)
    return read.intent if read is not None and is_clear and read.intent in OWN_RECORDS else None


def _body(draft: Draft) -> str:
    return "\n".join(content.summary for content in draft.contents)


def _contents(bodies: Sequence[str], choices: tuple[Any, ...]) -> tuple[Content, ...]:
    """Put the answers into one message where it holds them, the buttons at the end."""
    packed: list[str] = []
    for body in bodies:
        if packed and len(packed[-1]) + len(body) + 2 <= MAX_BODY_CHARS:
            packed[-1] = f"{packed[-1]}\n\n{body}"
        else:
            packed.append(body)
    return (*(Text(body) for body in packed[:-1]), Menu(packed[-1], choices))
