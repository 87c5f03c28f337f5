"""What a message is taken for: which flow it belongs to, what it means, who answers it, and which fragments
are one burst.

The pipeline calls `understand` with what a lane holds and the thread as it was read. Writes no row; of
rows it reads only which models the business has taught, once in some seconds, and who presses the owner's
buttons.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import ai_service
import answers
import flow_versions
import menu_flows
import pressing
import triage
from analysis import Models, Reading
from analysis.language import count_own_words
from config import Config
from conversations import Session, Thread
from flow_files.problems import ADD_TO_CART, CHANGE, CLEARING, PAYING_AGAIN, SEARCH, SUM, SUM_ASKED
from integrations import Number
from models import db
from models import reading as as_reader
from owner import replies as owner_replies
from owner.replies import Wish
from pressing import (
    BUY,
    CART_SHOWN,
    DESK,
    ORDER_HELP,
    PAYMENTS,
    PRODUCT_SHOWN,
    SHOP,
    SLOTS_SHOWN,
    has_cart,
    has_ordered,
)  # fmt: skip
from providers.base import Event, InboundMessage
from record_numbers import ORDER, names_order, read_number
from shop import cart_words, orders
from training.current import current_models
from triage import Decision, Situation
from vocabulary import TEXT_LANGUAGES

READ_FOR_TRIAGE: Final = (
    "intent", "intent_confidence", "sentiment", "sentiment_confidence",
    "urgency", "urgency_confidence", "buying_signal", "buying_signal_confidence",
)  # fmt: skip
# A greeting tells a language only when nothing is known yet; a switch needs a sentence.
FIRST_LANGUAGE_CONFIDENCE: Final = 0.5
FIRST_OWN_SHARE: Final = 3  # one word in so many must speak for it: not in "nike air max white"
# Portuguese and Spanish share whole sentences ("curso de ingles por favor"): nearly sure is not enough.
SWITCH_CONFIDENCE: Final = 0.98
# WhatsApp's own limit; what is longer is stored whole and read to here, so that nobody's novel stops the
# desk.
MAX_READ_CHARS: Final = 4096
# So many words that the other language does not know: names of products are of no language.
SWITCH_OWN_WORDS: Final = 3
LONGER_WORDS: Final = 6  # here one less: Spanish and Portuguese share most of their short words
# Answers to what the desk asks by itself count also while a person has the conversation.
ASKED_BY_DESK: Final = ("desk/complaint_solved:", "desk/feedback_score:")
# The steps that ask what went wrong.
REPORTS: Final = frozenset({"ticket_subject", "ticket_description", "ticket_details", "complaint_text"})
OWNERS_BUTTON: Final = Decision("menu", "the owner's button")
# The steps of that flow that offer to write a record down, or have just written on one: what is told there
# belongs to it.
OFFERS: Final = {"ticket_offer": "support_ticket", "complaint_offer": "complaint"}
TELLING: Final = OFFERS | {"ticket_known.added": "support_ticket", "complaint_known.added": "complaint"}
TOLD_WORDS: Final = 3
CROSS: Final = frozenset({"negative", "angry", "frustrated"})
MOST_AT_ONCE: Final = 99
MAX_ID_DIGITS: Final = 15
SUM_SHOWN: Final = "sum.found"
# Longer than this, kind words tell a story too.
KIND_WORDS: Final = 12
REMOVAL_WORDS: Final = 3
KIND_INTENTS: Final = frozenset({"feedback", "other"})
# The name under which the shop's flow remembers which order is meant.
ORDER_MEANT: Final = "about"
OF_ORDERS: Final = frozenset({"order_inquiry", "payment_inquiry"})


@dataclass(frozen=True, slots=True)
class Arrival:
    """One stored event, read."""

    event_id: int
    number: Number
    event: Event
    received_at: datetime
    attempts: int
    due_at: datetime | None
    trace_id: str | None = None

    @property
    def message(self) -> InboundMessage:
        if not isinstance(self.event, InboundMessage):
            raise TypeError(f"{type(self.event).__name__} is no message")
        return self.event

    @property
    def order(self) -> tuple[datetime, int]:
        """Within one burst the provider's time counts, then the order of arrival."""
        sent_at = self.event.sent_at if isinstance(self.event, InboundMessage) else None
        return (sent_at or self.received_at, self.event_id)


@dataclass(frozen=True, slots=True)
class Understanding:
    """What a message, or a burst of fragments read as one, was taken for."""

    burst: tuple[Arrival, ...]
    text: str
    reading: Reading | None
    language: str
    decision: Decision
    session: Session | None
    flow: str
    choice_id: str | None = None
    quantity: int | None = None  # how many were asked for of what was shown

    @property
    def first(self) -> Arrival:
        return self.burst[0]

    @property
    def number(self) -> Number:
        return self.burst[0].number


def understand(
    config: Config, thread: Thread, arrivals: Sequence[Arrival], now: datetime
) -> tuple[Understanding, datetime | None]:
    """Decide who answers the first message; free text for the AI takes the fragments that follow it along.

    Gives also until when to wait for more of the burst, None when it is to be answered now.
    """
    first = _understand(config, thread, (arrivals[0],), now)
    if not first.decision.waits_for_more:
        return first, None
    burst = _burst(config, thread, arrivals, now)
    quiet_at = _quiet_at(config, burst, is_ended=len(arrivals) > len(burst))
    if quiet_at > now:
        return first, quiet_at
    return (first if len(burst) == 1 else _understand(config, thread, burst, now)), None


def awaited(understood: Understanding) -> str | None:
    """Name the kind of answer that the open step awaits."""
    session = understood.session
    scene = flow_versions.flows()[understood.flow].scene(session.step) if session else None
    return scene.awaits if scene is not None else None


def awaits_typed(understood: Understanding) -> bool:
    return awaited(understood) not in (None, "choice")


def takes_out(thread: Thread, understood: Understanding) -> bool:
    """Tell whether something is to be taken out of the cart, in words of the customer's own; where none is
    filled, so few words say it that the cart must be meant."""
    is_ours = understood.decision.responder in ("ai", "menu", "shop") and not understood.decision.effect
    is_counting = awaited(understood) == "number"
    if not is_ours or understood.choice_id or (awaits_typed(understood) and not is_counting):
        return False
    if not answers.asks_removal(understood.text):
        return False
    is_short = len(understood.text.split()) <= REMOVAL_WORDS and not answers.names_own(understood.text)
    is_wish = is_short and not answers.speaks_of("unwanted", understood.text)
    return has_cart(thread) or (is_wish and SHOP in (understood.number.start_flow, understood.flow))


def names_unknown_order(thread: Thread, understood: Understanding) -> bool:
    """Tell whether a wish about an order, or a question about one, names it by a number that none of hers
    has: nothing is done to another one then. Reads rows."""
    decision, pressed = understood.decision, understood.choice_id or ""
    is_about_order = (
        pressed.startswith(f"{ORDER_HELP}:") or pressed == PAYMENTS or decision.entry in OF_ORDERS
    )
    if not is_about_order or understood.first.message.choice_id or decision.responder not in ("ai", "menu"):
        return False
    if not names_order(understood.text):
        return False
    with as_reader():
        meant = orders.order_of(thread.contact_id, understood.text)
        db.session.rollback()
    return meant is None and has_ordered(thread.contact_id)


def wished_time(config: Config, understood: Understanding) -> str | None:
    """Give the day or the hour that words name where free times are shown: those near it are wanted."""
    session, read = understood.session, understood.reading
    is_ours = understood.decision.responder in ("ai", "menu") and not understood.decision.effect
    if not is_ours or session is None or session.flow != DESK or session.step != SLOTS_SHOWN or read is None:
        return None
    if understood.decision.entry not in (None, "appointment_request"):
        return None  # "three weeks of waiting" is a complaint, and no day
    if any(entity.type == "date" for entity in read.entities):
        return understood.text
    return pressing.at_that_hour(config, session, understood.text)


def owners_wish(thread: Thread, arrival: Arrival) -> Wish | None:
    """Read a button that the owner pressed on her own phone; who asked for silence, or has a person, is told
    of no other's."""
    message = arrival.message
    with as_reader():
        wish = owner_replies.wish_of(arrival.number, thread.contact_id, message.choice_id, message.text)
        db.session.rollback()
    is_quiet = thread.has_opted_out or thread.is_with_person(arrival.received_at)
    return None if wish is not None and wish.verb == owner_replies.VOID and is_quiet else wish


def cart_wish(thread: Thread, understood: Understanding, now: datetime) -> tuple[Understanding, str] | None:
    """Give the entry of the shop's flow that words about the cart lead to, and what it is to know; None for
    any other words. Reads rows."""
    is_ours = understood.decision.responder in ("ai", "menu", "shop") and not understood.decision.effect
    if not is_ours or understood.first.message.choice_id or understood.first.message.kind != "text":
        return None
    if SHOP not in (understood.number.start_flow, understood.flow):
        return None
    session = understood.session
    own = session if session is not None and session.flow == SHOP else Session(SHOP, None, {}, now)
    awaits = awaited(replace(understood, flow=SHOP, session=own))
    entries = flow_versions.flows()[SHOP].entries
    if awaits in (None, "choice") and PAYING_AGAIN in entries and cart_words.wants_again(understood.text):
        with as_reader():
            is_open = orders.awaits_payment(thread.contact_id)
            db.session.rollback()
        return (replace(understood, flow=SHOP, session=own), PAYING_AGAIN) if is_open else None
    spoken = cart_words.read(understood.text, understood.language)
    if spoken is None or (understood.choice_id and spoken.kind != "clear"):
        return None
    if awaits not in (None, "choice") and not (awaits == "number" and spoken.kind in ("clear", "sum")):
        return None
    if spoken.is_bare and (own.step not in CART_SHOWN or understood.decision.reason == triage.CHOSEN):
        return None
    known = str(own.data.get("product", ""))
    talked_of = int(known) if known.isdecimal() and len(known) <= MAX_ID_DIGITS else None
    is_shown = own.step in (PRODUCT_SHOWN, SUM_SHOWN) or menu_flows.offered_choice(own.data, "1") == BUY
    with as_reader():
        wish = cart_words.meant(spoken, thread.conversation_id, talked_of, is_shown=is_shown)
        db.session.rollback()
    if wish is None:
        return None
    entry, told = _entry_of(wish)
    if entry == SUM and awaits == "number":
        entry = SUM_ASKED
    if entry not in entries:
        return None
    session = Session(SHOP, own.step, {**own.data, **told}, now)
    return replace(understood, flow=SHOP, session=session), entry


def _entry_of(wish: cart_words.Wish) -> tuple[str, dict[str, str]]:
    """Name the entry that does what is wished, and what it needs to know."""
    product_id, count = str(wish.product_id or ""), str(wish.count)
    if wish.kind == "clear":
        return CLEARING, {}
    if wish.kind == "sum":
        return SUM, {"product": product_id, "wanted": count}
    if wish.kind in ("take", "more") and not wish.is_in_cart:
        return (ADD_TO_CART, {"product": product_id, "quantity": count}) if product_id else (SEARCH, {})
    change = wish.kind if wish.kind in ("more", "fewer") else "set"
    return CHANGE, {"line": product_id, "change": change, "count": count}


def as_if(
    config: Config, thread: Thread, understood: Understanding, text: str, now: datetime
) -> Understanding:
    """Give the understanding of a part of the message, as if nothing else had been said."""
    read = ai_service.understand(
        text,
        now=now.astimezone(config.zone),
        region=thread.country,
        language=understood.language,
        models=_models(),
    )
    return replace(understood, text=text, reading=read)


def of_owner(config: Config, thread: Thread, arrival: Arrival, now: datetime) -> Understanding:
    """Give the owner's button as it is understood: without reading, beside whatever flow is open."""
    language = thread.language or arrival.number.language
    session = thread.open_session(now, timedelta(minutes=config.session_timeout_mins))
    flow = _flow_of(None, session, arrival.number)
    return Understanding((arrival,), arrival.message.text, None, language, OWNERS_BUTTON, session, flow)


def _burst(config: Config, thread: Thread, arrivals: Sequence[Arrival], now: datetime) -> tuple[Arrival, ...]:
    """Take the run of free texts at the head of the lane; a menu word, digit or button ends it."""
    burst = [arrivals[0]]
    for arrival in arrivals[1:]:
        is_text = isinstance(arrival.event, InboundMessage) and arrival.event.kind == "text"
        if not is_text or not _understand(config, thread, (arrival,), now).decision.waits_for_more:
            break
        burst.append(arrival)
    return tuple(sorted(burst, key=lambda arrival: arrival.order))


def _quiet_at(config: Config, burst: Sequence[Arrival], *, is_ended: bool) -> datetime:
    """Give when the burst may be answered: quiet for a while, waited for long enough, or ended by something
    else."""
    first, last = min(a.received_at for a in burst), max(a.received_at for a in burst)
    if is_ended:
        return first
    quiet, longest = timedelta(seconds=config.quiet_secs), timedelta(seconds=config.quiet_max_secs)
    return min(last + quiet, first + longest)


def _understand(config: Config, thread: Thread, burst: tuple[Arrival, ...], now: datetime) -> Understanding:
    message, number = burst[0].message, burst[0].number
    text = "\n".join(arrival.message.text for arrival in burst)[:MAX_READ_CHARS]
    session = thread.open_session(now, timedelta(minutes=config.session_timeout_mins))
    choice_id = message.choice_id or pressing.pressed(config, thread, session, number, text, now)
    flow = flow_versions.flows()[_flow_of(choice_id, session, number)]
    step, data = (session.step, session.data) if session and session.flow == flow.name else (None, {})
    scene = flow.scene(step) if step else None
    awaits = scene.awaits if scene else None
    language = thread.language or number.language
    names_choice = menu_flows.chooses(flow, step, data, text, choice_id, language)
    reading = None
    if text and not names_choice:
        reading = _read(config, thread, text, now)
        if awaits in (None, "choice"):
            language = _language(thread, number, text, reading)
    decision = triage.decide(
        Situation(
            kind=message.kind,
            text=text,
            is_group=message.group_id is not None,
            is_too_old=_is_too_old(config, message, burst[0].received_at),
            is_first_contact=thread.is_first_contact,
            has_opted_out=thread.has_opted_out,
            is_with_person=thread.is_with_person(now),
            is_in_danger=_is_in_danger(text),
            awaits=awaits,
            is_answer=menu_flows.reads_answer(
                flow,
                step,
                text,
                language=language,
                now=now,
                region=thread.country,
                time_zone=config.time_zone,
            ),
            holds_number=answers.holds_number(text, language),
            is_report=flow.name == DESK and step in REPORTS,
            is_trouble=answers.speaks_of("trouble", text),
            names_choice=names_choice,
            is_pressed=choice_id is not None,
            answers_desk=(message.choice_id or "").startswith(ASKED_BY_DESK),
            menu_word=menu_flows.is_menu_word(text),
            courtesy=answers.courtesy_of(text) or ("warm" if _is_warm(text, reading) else None),
            sought=answers.search_words(text),
            wants_person=answers.wants_person(text),
            wants_only_person=answers.wants_person(text, only=True),
            person_below=config.person_below,
            entry_flow=_entry_flow(reading.intent, flow.name, number) if reading else None,
            **_meaning_of(reading),
        )
    )
    if decision.effect == "courtesy" and reading is not None:
        reading = replace(reading, intent="other")  # small talk is no wish, whatever it is read for
    name, is_typed = decision.flow or flow.name, not message.choice_id
    quantity = _quantity(text) if choice_id == BUY and is_typed else None
    if is_typed:
        session = _with_order_meant(thread, session, choice_id, text, now)
        session = pressing.with_wish(session, choice_id, text, now)
    return Understanding(burst, text, reading, language, decision, session, name, choice_id, quantity)


def _read(config: Config, thread: Thread, text: str, now: datetime) -> Reading:
    return ai_service.understand(
        text,
        now=now.astimezone(config.zone),
        region=thread.country,
        language=thread.language,
        models=_models(),
    )


def _is_in_danger(text: str) -> bool:
    """Tell whether somebody speaks of dying, or calls for help as one does in an emergency."""
    is_told = answers.speaks_of("despair", text) or answers.speaks_of("emergency", text)
    return is_told and not answers.speaks_of("no_danger", text)


def _is_warm(text: str, read: Reading | None) -> bool:
    """Tell whether a message is nothing but kind: what wants or reports something is not."""
    is_kind = answers.speaks_of("praise", text) or answers.speaks_of("thanks", text)
    if read is None or not is_kind or "?" in text or len(text.split()) > KIND_WORDS:
        return False
    if any(c.isdigit() for c in text):
        return False
    is_other = read.intent not in KIND_INTENTS and read.intent_confidence >= triage.CLEAR_INTENT
    wants = read.buying_signal is not None and read.buying_signal_confidence >= triage.CLEAR_INTENT
    return read.sentiment in ("positive", "excited") and not is_other and not (wants and read.buying_signal)


def _quantity(text: str) -> int | None:
    """Give how many of what was shown were asked for in words; a count that cannot be is asked for again."""
    quantity = answers.read_number(text)
    is_many = quantity is not None and 0 < quantity <= MOST_AT_ONCE and answers.buying_of(text) == "take"
    return quantity if is_many else None


def _with_order_meant(
    thread: Thread, session: Session | None, choice_id: str | None, text: str, now: datetime
) -> Session | None:
    """Have the shop's flow remember the order that the words name; a wish that names none forgets it."""
    is_wish = choice_id is not None and choice_id.startswith(f"{ORDER_HELP}:")
    is_shop = session is not None and session.flow == SHOP
    number = read_number(text, ORDER) if is_wish or is_shop or session is None else None
    if number is not None:
        with as_reader():
            meant = orders.order_of(thread.contact_id, number)
            number = meant.number if meant is not None else None
            db.session.rollback()
    if number is None and not is_wish:
        return session
    kept = session if session is not None and is_shop else Session(SHOP, None, {}, now)
    return replace(kept, data={**kept.data, ORDER_MEANT: number or ""})


def tells_on(understood: Understanding) -> str | None:
    """Name the entry of the record that words go on with where none of the open options was named; None
    where no record is open, and for a word or two."""
    session = understood.session
    if session is None or session.flow != understood.flow or session.flow != DESK:
        return None
    read = understood.reading
    is_cross = read is not None and read.sentiment in CROSS
    is_aside = "?" in understood.text and not is_cross and not answers.speaks_of("trouble", understood.text)
    is_told = len(understood.text.split()) >= TOLD_WORDS and not is_aside
    return TELLING.get(session.step or "") if is_told else None


def told_so_far(understood: Understanding, entry: str) -> str:
    """Give what was told, with what was told before it while the offer to write it down is open."""
    session = understood.session
    into = flow_versions.flows()[understood.flow].entries[entry].into
    if session is None or session.flow != understood.flow or session.step not in OFFERS or into is None:
        return understood.text
    before = str(session.data.get(into) or "")
    return understood.text if understood.text in before or not before else f"{before}\n{understood.text}"


def _models() -> Models:
    """Give the business's own models; a look at the rows is over before any network call."""
    with as_reader():
        models = current_models()
        db.session.rollback()
    return models


def _entry_flow(intent: str, own: str, number: Number) -> str | None:
    """Name the flow that has a step for an intent: the one that is open, else the service desk.

    What a business sells is asked of the flow that is open, else of the one that it begins with.
    """
    flows = flow_versions.flows()
    names = (own, number.start_flow if intent == "lead_inquiry" else DESK)
    return next((name for name in names if name in flows and intent in flows[name].entries), None)


def _flow_of(choice_id: str | None, session: Session | None, number: Number) -> str:
    """Name the flow that a message belongs to: of the button pressed, else the open one, else the number's
    start."""
    flows = flow_versions.flows()
    pressed = (choice_id or "").partition("/")[0]
    for name in (pressed, session.flow if session and session.step else "", number.start_flow):
        if name in flows:
            return name
    return next(iter(flows))


def _language(thread: Thread, number: Number, text: str, found: Reading) -> str:
    if answers.courtesy_of(text) == "language":
        return next(tongue for tongue in TEXT_LANGUAGES if answers.speaks_of(tongue, text))
    if thread.language is None:
        own = count_own_words(text, found.language)
        is_told = own >= SWITCH_OWN_WORDS or own * FIRST_OWN_SHARE >= len(text.split())
        is_sure = found.language_confidence >= FIRST_LANGUAGE_CONFIDENCE
        return found.language if is_told and is_sure else number.language
    least = SWITCH_OWN_WORDS - (len(text.split()) >= LONGER_WORDS)
    is_sentence = count_own_words(text, found.language, thread.language) >= least
    if is_sentence and found.language_confidence >= SWITCH_CONFIDENCE:
        return found.language
    return thread.language


def _is_too_old(config: Config, message: InboundMessage, received_at: datetime) -> bool:
    """Meta sends a week of backlog after an outage; nobody wants last week's answer."""
    age = received_at - (message.sent_at or received_at)
    return age > timedelta(seconds=config.answer_max_age_secs)


def _meaning_of(reading: Reading | None) -> dict[str, Any]:
    """Give what triage asks of a reading; without one its own defaults hold."""
    return {} if reading is None else {name: getattr(reading, name) for name in READ_FOR_TRIAGE}
