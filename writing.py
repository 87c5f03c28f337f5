"""A written reply: facts gathered, a strategy's manner, a model or the fixed texts, and the guards.

`answering` calls `draft` where no flow step answers. The network is asked with no session held. Queues
nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

import ai_service
import answers
import consulting
import grounding
import learning
import menu_flows
import texts
from ai_service import Assistant, Written
from analysis import Reading
from consulting import Means
from conversations import Thread
from crm import complaints
from grounding import Ground
from learning import Drawn
from llm import Failed, Usage
from menu_flows import MENU, PERSON
from message_content import Choice, Content, LinkButton, Menu, Text
from models import db, reading
from replies import strategies
from replies.amounts import price_text
from replies.attacks import kind_of_attack
from replies.figures import named_products
from replies.plan import Action, Plan, ReadPlan
from replies.wording import plain
from shop import catalog
from understanding import Understanding

MAX_ID_DIGITS: Final = 15
SHOP: Final = "shop"
SIMULATOR: Final = "simulator"
WANTING: Final = frozenset({"initial_interest", "ready_to_buy"})
DECIDED: Final = frozenset({"ready_to_buy", "objection", "not_interested"})
# What can be answered without knowing which product is meant.
WITHOUT_PRODUCT: Final = frozenset({"objection", "not_interested"})
OWN_CHOICES: Final[Mapping[str, str]] = {"menu": MENU, "person": PERSON}
# Who is upset is not sold to.
UPSET: Final = frozenset({"angry", "frustrated"})
CLEAR_FEELING: Final = 0.6

# A strategy's text needs a clear signal; a doubtful one is asked about instead.
CLEAR_SIGNAL: Final = 0.6
# So many words that say something make a question of its own.
QUESTION_WORDS: Final = 2
NAME_WORDS: Final = 2
# Beside an open question a price is told without selling.
PLAIN_MANNER: Final = "racional"
# What the buttons and actions of a plan press in the shipped flows: flow/position:choice.
PRESSES: Final[Mapping[str, str]] = {
    "show_products": "shop/menu:catalog",
    "add_to_cart": "shop/product.found:buy",
    "check_out": "shop/menu:cart",
    "book": "desk/menu:appointment",
}
TITLES: Final[Mapping[str, str]] = {
    "show_products": "title_products",
    "add_to_cart": "title_buy",
    "check_out": "title_cart",
    "book": "title_book",
    "link": "title_link",
    "menu": "title_menu",
    "person": "title_person",
}


@dataclass(frozen=True, slots=True)
class Step:
    """Where a reply goes on after its words: a choice of a flow is pressed, or an entry is taken."""

    flow: str
    choice_id: str | None = None
    entry: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """Words that may leave, what they set in motion, and how they came about.

    `data` is for the flow to remember (what the buttons are about); `trace` is for the x-ray.
    """

    contents: tuple[Content, ...] = ()
    source: str = ""
    step: Step | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    trace: Mapping[str, Any] = field(default_factory=dict)
    reading: Reading | None = None  # the local reading and the model's together, where both were made
    drawn: Drawn | None = None  # the strategy that it is written in; kept with the turn


def draft(means: Means, thread: Thread, understood: Understanding, now: datetime) -> Draft:
    """Write the reply to free text; without contents when there is nothing grounded to say.

    A model comes first where one may be asked; then a passage that clearly answers; then the strategy's own
    words for a clear buying signal.
    """
    ground = _ground(means, thread, understood, now)
    drawn = _draw(means, thread, understood, ground, now)
    trace: dict[str, Any] = {"strategy": drawn.chosen.strategy, "signal": signal(understood)}
    if drawn.chosen.propensity is not None:
        trace |= {"propensity": round(drawn.chosen.propensity, 4), "explored": drawn.chosen.explored}
    attack = kind_of_attack(understood.text)
    assistant = consulting.assistant(means, now) if attack is None else None
    if attack is not None:
        trace["attack"] = attack
    if assistant is not None:
        written = _have_written(means, assistant, thread, understood, ground, drawn.chosen.strategy)
        trace |= _account(written)
        trace["calls"] = consulting.keep(
            written.calls, means, conversation_id=thread.conversation_id, now=now
        )
        if written.plan is not None:
            return replace(_planned(written.plan, understood, ground, trace), drawn=drawn)
    passage = _passage(understood, ground, trace)
    if passage is not None:
        return passage
    plainly = (
        _free(understood, ground, trace)
        or _discount(understood, ground, trace)
        or _about(understood, ground, trace)
    )
    if plainly is not None:
        return plainly
    if answers.speaks_of("advice", understood.text) and not ground.is_said:
        return _advice(understood, trace)
    if _is_unanswered(understood, ground):
        return unknown(understood, ground, trace)
    spoken = _in_manner(understood, ground, trace)
    if spoken is not None:
        return replace(spoken, drawn=drawn)
    return unknown(understood, ground, trace) if _is_full_question(understood) else Draft(trace=trace)


def article(
    means: Means, thread: Thread, understood: Understanding, now: datetime, *, is_near: bool = False
) -> Draft | None:
    """Answer with an article alone, where one clearly answers; `is_near`: or comes near."""
    ground = _ground(means, thread, understood, now)
    if is_near and ground.clear is None:
        ground = replace(ground, clear=ground.near)
    return _passage(understood, ground, {})


def known(means: Means, thread: Thread, understood: Understanding, now: datetime) -> Draft | None:
    """Answer a question with what is written down: an article, or the product that is meant and its price."""
    ground = _ground(means, thread, understood, now)
    told = _passage(understood, ground, {}) or _about(understood, ground, {})
    if told is None and answers.asks_price(understood.text) and ground.is_named:
        free = _free(understood, ground, {})
        return free or _in_manner(understood, ground, {"strategy": PLAIN_MANNER}, wish="question")
    return told


def _ground(means: Means, thread: Thread, understood: Understanding, now: datetime) -> Ground:
    return grounding.ground(
        means.config,
        thread,
        understood.number,
        understood.text,
        language=understood.language,
        now=now,
        product_id=_talked_of(understood),
        sells_products=_sells_products(understood),
    )


def _sells_products(understood: Understanding) -> bool:
    session = understood.session
    is_shopping = session is not None and session.flow == SHOP
    return is_shopping or understood.number.start_flow != grounding.NEXORA


def _draw(means: Means, thread: Thread, understood: Understanding, ground: Ground, now: datetime) -> Drawn:
    """Give the strategy of this sales episode; what a new one was drawn by is kept with the turn."""
    with reading():
        drawn = learning.draw(
            thread.conversation_id,
            thread.contact_id,
            context={
                "niche": ground.niche,
                "language": understood.language,
                "buying_signal": signal(understood) or "none",
                "visit": "returning" if _has_ordered(ground) else "new",
            },
            facts_allow_scarcity=ground.facts.is_scarce,
            is_upset=is_upset(understood)
            or complaints.is_upset_lately(thread.conversation_id, thread.contact_id, now=now),
            config=means.config,
            now=now,
            rng=means.rng,
            window=timedelta(days=ground.attribution_days or means.config.learning_attribution_days),
            is_demo=understood.number.account.provider == SIMULATOR,
        )
        db.session.rollback()
    return drawn


def _has_ordered(ground: Ground) -> bool:
    return ground.facts.order is not None and ground.facts.order.number is not None


def is_upset(understood: Understanding) -> bool:
    if answers.speaks_of("doubt", understood.text):
        return False  # "is this a scam?" is asked by who has not bought yet
    found = understood.reading
    return found is not None and found.sentiment in UPSET and found.sentiment_confidence >= CLEAR_FEELING


def _talked_of(understood: Understanding) -> int | None:
    """Give the product that the flow showed last."""
    known = str(understood.session.data.get("product", "")) if understood.session else ""
    return int(known) if known.isdecimal() and len(known) < MAX_ID_DIGITS else None


# --- a model's plan -----------------------------------------------------------------------------------------


def _have_written(
    means: Means,
    assistant: Assistant,
    thread: Thread,
    understood: Understanding,
    ground: Ground,
    strategy: str,
) -> Written:
    return ai_service.write(
        assistant,
        understood.text,
        strategy=strategy,
        language=understood.language,
        facts=ground.facts,
        turns=grounding.talk_so_far(thread.conversation_id),
        reading=understood.reading,
        keep_lease=means.keep_lease,
    )


def _planned(plan: Plan, understood: Understanding, ground: Ground, trace: dict[str, Any]) -> Draft:
    trace["sources"] = _sources(plan.sources, ground)
    data = _focus(plan.action, _talking_of(plan, ground))
    contents = (
        _content(plan, understood, ground, is_known=bool(data) or _talked_of(understood) is not None),
    )
    reading = None
    if isinstance(plan, ReadPlan) and plan.reading is not None and understood.reading is not None:
        trace["reading"] = plan.reading.model_dump()
        reading = ai_service.merged(understood.reading, plan.reading)
    return Draft(contents, "model", _step(plan.action, understood, data), data, trace, reading)


def _account(written: Written) -> dict[str, Any]:
    """Tell what the models did, without anybody's words."""
    usage = sum((call.result.usage for call in written.calls), Usage())
    return {
        "models": [_told(call.result) for call in written.calls if call.purpose == "reply"],
        "judges": [_told(call.result) for call in written.calls if call.purpose == "judging"],
        "breaches": [breach.code for breach in written.breaches],
        "prompt_version": written.prompt_version,
        "tokens": usage.prompt_tokens + usage.completion_tokens,
        "cost_microusd": usage.cost_microusd,
        "model_ms": sum(call.result.took_ms for call in written.calls),
    }


def _told(result: Any) -> str:
    return f"{result.model}: {result.code}" if isinstance(result, Failed) else str(result.model)


def _sources(ids: Sequence[int], ground: Ground) -> list[str]:
    return [passage.title for passage in ground.facts.passages if passage.id in ids]


def _talking_of(plan: Plan, ground: Ground) -> Ground:
    """Put the one product that a reply names in focus: of a reply that names none, or several, the talk goes
    on about what it was about."""
    named = named_products(plain(plan.text), ground.facts)
    if len({product.sku for product in named}) != 1:
        return ground
    return replace(ground, facts=replace(ground.facts, products=(named[0],)), is_named=True)


def _focus(action: Action, ground: Ground) -> dict[str, Any]:
    """Give the flow what its product step knows: the product that was decided on, else the one in focus.

    Nothing is in focus where nothing was named: the shop's first product is not what somebody meant.
    """
    focus = ground.facts.focus if ground.is_named else None
    product = ground.facts.product(action.sku) if action.sku else focus
    if product is None or product.sku not in ground.product_ids:
        return {}
    data = {"product": str(ground.product_ids[product.sku]), "product_name": product.name}
    return data | ({"quantity": action.quantity} if action.quantity else {})


def _content(plan: Plan, understood: Understanding, ground: Ground, *, is_known: bool) -> Content:
    """Make the message; a button that buys is left out where no product `is_known`."""
    language = understood.language
    if plan.action.name == "send_link" and plan.action.link is not None:
        url = ground.facts.url(plan.action.link, plan.action.sku)
        if url:
            return LinkButton(plan.text, texts.text(TITLES["link"], language), url)
    names = [name for name in plan.buttons if is_known or name != "add_to_cart"]
    choices = [_choice(name, understood) for name in names]
    known = tuple(choice for choice in choices if choice is not None)
    return Menu(plan.text, known) if known else Text(plan.text)


def _choice(name: str, understood: Understanding) -> Choice | None:
    """Make one of the desk's own buttons; None where no flow has what it presses."""
    choice_id = _choice_id(name, understood)
    return Choice(choice_id, texts.text(TITLES[name], understood.language)) if choice_id else None


def _choice_id(name: str, understood: Understanding) -> str | None:
    if name in OWN_CHOICES:
        return f"{understood.number.start_flow}/{OWN_CHOICES[name]}"
    choice_id = PRESSES.get(name, "")
    flow = menu_flows.shipped().get(choice_id.partition("/")[0])
    is_known = flow is not None and menu_flows.chooses(flow, None, {}, "", choice_id, understood.language)
    return choice_id if is_known else None


def _step(action: Action, understood: Understanding, data: Mapping[str, Any]) -> Step | None:
    """Turn an action into a flow's step: what changes anything is the flow's to do, in its own words."""
    if action.name in ("none", "send_link"):
        return None
    if action.name == "add_to_cart":
        return Step(SHOP, entry="add_to_cart") if data else Step(SHOP, PRESSES["show_products"])
    choice_id = _choice_id({"hand_over": "person"}.get(action.name, action.name), understood)
    return Step(choice_id.partition("/")[0], choice_id) if choice_id else None


# --- without a model ----------------------------------------------------------------------------------------


def _passage(understood: Understanding, ground: Ground, trace: dict[str, Any]) -> Draft | None:
    """Answer with the shop's own words where they clearly answer; who has no time asks nothing."""
    is_plain_doubt = _part("objection", understood) != "objection" and not asks(understood)
    if ground.clear is None or is_plain_doubt:
        return None
    trace["sources"] = [ground.clear.title]
    choices = _choices(("menu", "person"), understood)
    return Draft((Menu(ground.clear.text, choices),), f"article: {ground.clear.title}", trace=trace)


def _discount(understood: Understanding, ground: Ground, trace: dict[str, Any]) -> Draft | None:
    """Say that the price is what it is: a discount that the facts do not hold is promised to nobody."""
    if not answers.asks_discount(understood.text):
        return None
    language = texts.text_language(understood.language)
    focus = ground.facts.focus if ground.is_named else None
    price = price_text(focus.price_minor, focus.currency, language) if focus else ""
    body = texts.text("reply_discount", language, product=focus.name if focus else "", price=price)
    looks = "show_products" if _sells_products(understood) else "menu"
    choices = _choices(("add_to_cart", "person") if focus else (looks, "person"), understood)
    data = _focus(Action(), ground) if focus else {}
    return Draft((Menu(body, choices),), "fixed text: discount", data=data, trace=trace)


def _free(understood: Understanding, ground: Ground, trace: dict[str, Any]) -> Draft | None:
    """Say of what costs nothing that it is free: no manner of selling has words for that."""
    focus = ground.facts.focus if ground.is_named else None
    if focus is None or focus.price_minor or focus.is_sold_out or is_upset(understood):
        return None
    asks_money = answers.asks_discount(understood.text) or answers.asks_price(understood.text)
    is_meant = signal(understood) not in (None, "not_interested") and not (ground.about and asks(understood))
    if not (asks_money or is_meant):
        return None
    body = texts.text("reply_free", understood.language, product=focus.name)
    choices = _choices(("add_to_cart", "show_products", "person"), understood)
    return Draft((Menu(body, choices),), "fixed text: free", data=_focus(Action(), ground), trace=trace)


def _about(understood: Understanding, ground: Ground, trace: dict[str, Any]) -> Draft | None:
    """Answer a question with the lines of the one product that is meant; the manner tells its price."""
    if not ground.about or not asks(understood) or answers.asks_price(understood.text):
        return None
    if answers.speaks_of("trouble", understood.text):
        return None
    focus = ground.facts.products[0]
    body = texts.text("reply_about", understood.language, product=focus.name, lines=ground.about)
    choices = _choices(("add_to_cart", "show_products", "person"), understood)
    return Draft((Menu(body, choices),), "fixed text: about", data=_focus(Action(), ground), trace=trace)


def _advice(understood: Understanding, trace: dict[str, Any]) -> Draft:
    """Ask who wants advice what it is for: nothing is the best for everybody."""
    body = texts.text("reply_advice", understood.language)
    names = ("show_products" if _sells_products(understood) else "menu", "person")
    return Draft((Menu(body, _choices(names, understood)),), "fixed text: advice", trace=trace)


def names_product(understood: Understanding) -> bool:
    """Tell whether a product's name is said and nothing else: it may hold any words ("selling", "phone")."""
    sought = answers.search_words(understood.text)
    is_wish = answers.begins_with_wish(understood.text) and not answers.names_own(understood.text)
    if len(sought) < (1 if is_wish else NAME_WORDS) or not _sells_products(understood):
        return False
    with reading():
        is_whole = catalog.is_whole_name(sought)
        db.session.rollback()
    return is_whole


def is_near_miss(understood: Understanding) -> bool:
    """Tell whether a thing is named that nothing for sale is called: "do you have a guitar course?"."""
    if understood.flow != SHOP or answers.asks_cheapest(understood.text):
        return False
    with reading():
        missed = catalog.unknown_words(answers.naming_words(understood.text))
        db.session.rollback()
    return bool(missed)


def asks(understood: Understanding) -> bool:
    """Tell whether something is asked, also without a question mark."""
    return "?" in understood.text or answers.speaks_of("asking", understood.text)


def _is_unanswered(understood: Understanding, ground: Ground) -> bool:
    """Tell whether something is asked that neither an article nor a price answers: no manner does either."""
    if "?" in understood.text and answers.speaks_of("not_of_goods", understood.text):
        return True
    if signal(understood) != "question" or is_upset(understood) or answers.asks_price(understood.text):
        return False
    return answers.speaks_of("of_shop", understood.text) or (
        ground.is_named and bool(answers.search_words(understood.text))
    )


def _is_full_question(understood: Understanding) -> bool:
    """Tell whether a whole question is asked: it was understood, only the answer is not known."""
    if "?" not in understood.text or is_upset(understood) or signal(understood) in WANTING:
        return False
    return len(answers.search_words(understood.text)) >= QUESTION_WORDS


def unknown(
    understood: Understanding, ground: Ground | None = None, trace: Mapping[str, Any] | None = None
) -> Draft:
    """Say honestly that the answer is not known, and offer a person who looks it up."""
    is_about_shop = answers.speaks_of("not_of_goods", understood.text) and not (ground and ground.is_said)
    focus = ground.facts.focus if ground is not None and ground.is_named and not is_about_shop else None
    language = texts.text_language(understood.language)
    body = texts.text("reply_unknown", language, product=focus.name if focus else "")
    ways = ("person", "add_to_cart", "menu") if focus else ("person", "menu")
    data = _focus(Action(), ground) if ground is not None and focus else {}
    return Draft(
        (Menu(body, _choices(ways, understood)),), "fixed text: unknown", data=data, trace=trace or {}
    )


def stock(understood: Understanding) -> Draft | None:
    """Tell how many are left of the product that the words name, else of the one talked of."""
    if not answers.speaks_of("stock", understood.text):
        return None
    language = texts.text_language(understood.language)
    with reading():
        shown = _talked_of(understood)
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
    return Draft((Menu(body, _choices(names, understood)),), "fixed text: stock", data=data)


def bargain(understood: Understanding) -> Draft:
    """Answer who haggles where a count is asked for: the price as it is, and the question again."""
    language = texts.text_language(understood.language)
    with reading():
        shown = _talked_of(understood)
        product = catalog.product(shown) if shown is not None else None
        name = catalog.shown_name(product, language) if product else ""
        price = price_text(product.price_minor, product.currency, language) if product else ""
        db.session.rollback()
    body = texts.text("reply_bargain", language, product=name, price=price)
    return Draft((Text(body),), "fixed text: bargain")


def is_decided(understood: Understanding) -> bool:
    """Tell whether somebody wants to buy, doubts or refuses: then a look at the goods is no answer."""
    return signal(understood) in DECIDED


def signal(understood: Understanding) -> str | None:
    """Give the buying signal where it is clear."""
    if answers.speaks_of("doubt", understood.text):
        return "objection"
    found = understood.reading
    is_clear = found is not None and found.buying_signal_confidence >= CLEAR_SIGNAL
    return found.buying_signal if found is not None and is_clear else None


def _in_manner(
    understood: Understanding, ground: Ground, trace: dict[str, Any], wish: str | None = None
) -> Draft | None:
    """Sell in the strategy's own words, where somebody clearly wants, doubts or refuses something."""
    wish = wish or signal(understood)
    is_price = wish == "question" and answers.asks_price(understood.text) and _sells_products(understood)
    is_sayable = ground.is_named or wish in WITHOUT_PRODUCT or is_price
    if wish is None or not is_sayable or is_upset(understood):
        return None
    facts = ground.facts if ground.is_named else replace(ground.facts, products=())
    said = strategies.write(
        _part(wish, understood),
        strategy=str(trace["strategy"]),
        language=texts.text_language(understood.language),
        facts=facts,
        seed=str(understood.first.event_id),
        said=ground.said,
    )
    trace["variant"] = said.variant
    names = _ways_on(wish, is_named=ground.is_named, has_shop=_sells_products(understood))
    choices = _choices(names, understood)
    data = _focus(Action(), ground) if ground.is_named else {}
    return Draft((Menu(said.text, choices),), f"strategy: {said.variant}", data=data, trace=trace)


def _part(wish: str, understood: Understanding) -> str:
    """Name the strategy's part: want of time and of a pause to think are objections to no price."""
    if wish != "objection" or not answers.speaks_of("doubt", understood.text):
        return wish
    kinds = strategies.KINDS_OF_OBJECTION
    return next((kind for kind in kinds if answers.speaks_of(kind, understood.text)), wish)


def _ways_on(wish: str, *, is_named: bool, has_shop: bool) -> tuple[str, ...]:
    if wish == "not_interested" or not (has_shop or is_named):
        return ("menu", "person")
    return ("add_to_cart", "show_products", "person") if is_named else ("show_products", "menu", "person")


def _choices(names: Sequence[str], understood: Understanding) -> tuple[Choice, ...]:
    made = (_choice(name, understood) for name in names)
    return tuple(choice for choice in made if choice is not None)
