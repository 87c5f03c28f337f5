"""What somebody wants of the shop, as far as her words tell it: asked before anything is written.

`answering` and the rooms beside this one call it. Short reads of the catalogue; words nothing.
"""

from datetime import datetime
from typing import Final

import answers
import grounding
from config import Config
from consulting import Means
from conversations import Thread
from desk_settings import listed
from grounding import Ground
from models import db, reading
from replies import strategies
from replies.attacks import kind_of_attack
from shop import catalog
from triage import CLEAR_INTENT, FIRST_WORDS
from understanding import Understanding, awaits_typed

MAX_ID_DIGITS: Final = 15
SHOP: Final = "shop"
WANTING: Final = frozenset({"initial_interest", "ready_to_buy"})
DECIDED: Final = frozenset({"ready_to_buy", "objection", "not_interested"})
# Who is upset is not sold to.
UPSET: Final = frozenset({"angry", "frustrated"})
PLEASED: Final = frozenset({"positive", "excited"})
CLEAR_FEELING: Final = 0.6
# A strategy's text needs a clear signal; a doubtful one is asked about instead.
CLEAR_SIGNAL: Final = 0.6
# So many words that say something make a question of its own.
QUESTION_WORDS: Final = 2
NAME_WORDS: Final = 2


def is_for_model(config: Config, understood: Understanding, ground: Ground) -> bool:
    """Tell whether the shop wants a model to answer this: what is meant and what it is about may be left
    out."""
    found = understood.reading
    is_clear = found is not None and found.intent_confidence >= CLEAR_INTENT
    intent = found.intent if found is not None and is_clear else "other"
    is_left_out = intent in config.ai_intents_left_out or listed(ground.niche) in config.ai_niches_left_out
    return config.ai_use == "all" and not is_left_out


def is_pleased(understood: Understanding) -> bool:
    """Tell whether somebody is glad and asks for nothing."""
    found = understood.reading
    is_glad = found is not None and found.sentiment in PLEASED and found.sentiment_confidence >= CLEAR_FEELING
    return is_glad and signal(understood) is None and "?" not in understood.text


def talked_of(understood: Understanding) -> int | None:
    """Give the product that the flow showed last."""
    known = str(understood.session.data.get("product", "")) if understood.session else ""
    return int(known) if known.isdecimal() and len(known) < MAX_ID_DIGITS else None


def sells_products(understood: Understanding) -> bool:
    session = understood.session
    is_shopping = session is not None and session.flow == SHOP
    return is_shopping or understood.number.start_flow != grounding.NEXORA


def is_upset(understood: Understanding) -> bool:
    if is_told_in_words(understood.text):
        return False  # "is this a scam?" is asked by who has not bought yet
    found = understood.reading
    return found is not None and found.sentiment in UPSET and found.sentiment_confidence >= CLEAR_FEELING


def names_product(understood: Understanding) -> bool:
    """Tell whether a product's name is said and nothing else: it may hold any words ("selling", "phone")."""
    sought = answers.search_words(understood.text)
    is_wish = answers.begins_with_wish(understood.text) and not answers.names_own(understood.text)
    if len(sought) < (1 if is_wish else NAME_WORDS) or not sells_products(understood):
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


def is_unanswered(understood: Understanding, ground: Ground) -> bool:
    """Tell whether something is asked that neither an article nor a price answers: no manner does either."""
    if "?" in understood.text and answers.speaks_of("not_of_goods", understood.text):
        return True
    if signal(understood) != "question" or is_upset(understood) or answers.asks_price(understood.text):
        return False
    return answers.speaks_of("of_shop", understood.text) or (
        ground.is_named and bool(answers.search_words(understood.text))
    )


def is_full_question(understood: Understanding) -> bool:
    """Tell whether a whole question is asked: it was understood, only the answer is not known."""
    if "?" not in understood.text or is_upset(understood) or signal(understood) in WANTING:
        return False
    sought, said = answers.search_words(understood.text), understood.text.split()
    return len(sought) >= QUESTION_WORDS or (bool(sought) and len(said) > QUESTION_WORDS)


def is_decided(understood: Understanding) -> bool:
    """Tell whether somebody wants to buy, doubts or refuses: then a look at the goods is no answer."""
    return signal(understood) in DECIDED


def signal(understood: Understanding) -> str | None:
    """Give the buying signal where it is clear."""
    if is_doubt(understood.text):
        return "objection"
    found = understood.reading
    is_clear = found is not None and found.buying_signal_confidence >= CLEAR_SIGNAL
    return found.buying_signal if found is not None and is_clear else None


def part_of(wish: str, understood: Understanding) -> str:
    """Name the strategy's part: want of time and of a pause to think are objections to no price."""
    if wish != "objection" or not is_doubt(understood.text):
        return wish
    kinds = strategies.KINDS_OF_OBJECTION
    return next((kind for kind in kinds if answers.speaks_of(kind, understood.text)), wish)


def is_doubt(text: str) -> bool:
    """Tell whether the words doubt what is offered, or have seen it for less elsewhere."""
    return answers.speaks_of("doubt", text) or answers.speaks_of("elsewhere", text)


def asks_offer_end(text: str) -> bool:
    """Tell whether the words ask until when an offer or a price holds."""
    return answers.speaks_of("until", text) and answers.speaks_of("offer", text)


def haggles(text: str) -> bool:
    """Tell whether a lower price is asked for, or the desk is to be talked into one."""
    return answers.asks_discount(text) or (kind_of_attack(text) is not None and answers.is_bargain(text))


def is_told_in_words(text: str) -> bool:
    """Tell whether a reply in words is the answer: a look at the goods, or a form to fill in, is none."""
    is_attack = kind_of_attack(text) is not None
    return is_doubt(text) or asks_offer_end(text) or (is_attack and haggles(text))


def ground_of(
    means: Means, thread: Thread, understood: Understanding, now: datetime, *, product_id: int | None = None
) -> Ground:
    """Gather what may be said to these words; `product_id` is what is talked of, where they name nothing."""
    return grounding.ground(
        means.config,
        thread,
        understood.number,
        understood.text,
        language=understood.language,
        now=now,
        product_id=product_id if product_id is not None else talked_of(understood),
        sells_products=sells_products(understood),
    )


def asks_around(means: Means, understood: Understanding) -> bool:
    """Tell whether somebody asks what there is, or looks for a gift: a look at the goods says more than a
    fixed text."""
    is_ours = understood.decision.responder in ("ai", "menu") and not understood.decision.effect
    if not is_ours or understood.choice_id or awaits_typed(understood):
        return False
    if SHOP not in (understood.number.start_flow, understood.flow):
        return False
    if answers.speaks_of("assortment", understood.text):
        return not answers.naming_words(understood.text)
    has_no_model = means.assistant is None or understood.decision.reason == FIRST_WORDS
    return has_no_model and answers.speaks_of("gift", understood.text)
