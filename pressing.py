"""Which button words press: one that was offered, or one that stands elsewhere in a flow.

`understanding` asks `pressed` of what is typed, before anything else is made of it. Reads rows and writes
none.
"""

import re
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import select

import answers
import flow_versions
import menu_flows
from analysis.folding import fold
from config import Config
from conversations import Session, Thread
from crm import slots
from flow_files.choices import Memory
from integrations import Number
from models import Order, db
from models import reading as as_reader
from shop import order_words, orders

# The flow that serves what the open one has no step for.
DESK: Final = "desk"
SHOP: Final = "shop"
NEXORA: Final = "nexora"
# Where buying words lead: what was shown goes into the cart, what is there is ordered.
BUY: Final = "shop/product.found:buy"
CART: Final = "shop/menu:cart"
CHECK_OUT: Final = "shop/add.ok:checkout"
CONFIRM: Final = "shop/confirm:yes"
# The steps that show one product (or say how few are left of it), and those that show a filled cart.
PRODUCT_SHOWN: Final = "product.found"
TOO_FEW: Final = "add.out_of_stock"
CONFIRMING: Final = "confirm"
CART_SHOWN: Final = frozenset(
    {CONFIRMING, "add.ok", "cart.found", "remove.ok", "remove.fewer", "change.ok", "change.gone", "refill.ok"}
)
# The step whose choices are all that can be wanted with an order.
ORDER_HELP: Final = "shop/order_help"
PAYMENTS: Final = "desk/menu:payments"
SUPPORT: Final = "desk/menu:support"
TICKET_WANTED: Final = re.compile(
    r"(?:.{0,20}\b)?(?:abrir|abre|abra|registrar|criar|crear|open|create|raise) "
    r"(?:um |un |outro |otro |a |another )?"
    r"(?:novo |nuevo |new |support )*(?:chamado|ticket)(?: por favor| please)?"
)
# What is wanted of the consultancy in so many words, wherever its menu stands.
CONSULTANT: Final = "nexora/menu:consultant"
ELIGIBILITY: Final = "nexora/menu:eligibility"
NEXORA_WISH_WORDS: Final = 10
LEAST_BUDGET: Final = 10_000
BUDGET_SHOWN: Final = "eligibility."
CONSULTANT_WANTED: Final = re.compile(
    r"\b(?:falar|conversar|hablar|talk|speak|chat)\b.*\b(?:consultor|consultora|consultant|asesor|asesora|advisor)\b"
)
BUDGET_TOLD: Final = re.compile(
    r"(?:eu |yo )?(?:tenho|disponho de|tengo|dispongo de|i have|ive|i can invest|posso investir"
    r"|puedo invertir|quero investir|quiero invertir|i want to invest"
    r"|my budget is|meu orcamento e|mi presupuesto es)\b"
)
# An appointment is to be called off, or moved; where free times are shown, one of them.
CANCEL_APPOINTMENT: Final = "desk/appointment_start.found:cancel"
MOVE_APPOINTMENT: Final = "desk/appointment_told.found:move"
APPOINTMENT_SHOWN: Final = frozenset({"appointment_start.found", "appointment_told.found"})
SLOTS_SHOWN: Final = "appointment_slots.found"
APPOINTMENT_WISH: Final = "wish"
_APPOINTMENT: Final = (
    r"(?:o|a|meu|minha|la|el|mi|my|the|our) (?:horario|consulta|agendamento|reuniao|cita|turno|reunion"
    r"|appointment|booking|meeting)"
)
CANCELLING: Final = re.compile(
    r"(?:(?:quero|queria|preciso|pode|por favor|quiero|quisiera|necesito|puedes|i want to|i need to"
    r"|id like to|i have to|can you|can i|please) )*"
    r"(?:cancel(?:ar|a|e)?|desmarcar|desmarca|anular|anula|call off) "
    rf"{_APPOINTMENT}(?: (?:por favor|please|pf|pfv))?"
)
MOVING: Final = re.compile(
    r"\b(?:remarcar|reagendar|reprogramar|reschedule)\b"
    r"|\b(?:mudar|trocar|passar|adiar|mover|cambiar|pasar|aplazar|move|change|push|postpone)\b"
    rf" (?:it|that|{_APPOINTMENT})\b"
)
APPOINTMENT_WORDS: Final = 14
CLOCK: Final = re.compile(
    r"(?:\b(?P<lead>as|a las|a la|at)\s+)?\b(?P<hour>[01]?\d|2[0-3])(?:\s?[:h.]\s?(?P<minute>[0-5]\d))?"
    r"\s?(?P<mark>am|pm|a\.m\.|p\.m\.|hs?|hrs|horas)?(?!\w)"
)
CLOCK_WORDS: Final = 6
HALF_DAY: Final = 12
EARLIEST: Final = 8  # said bare, one to seven are the afternoon's


def pressed(
    config: Config, thread: Thread, session: Session | None, number: Number, text: str, now: datetime
) -> str | None:
    """Give the id of the button that words press; None for words that press none."""
    return (
        (menu_flows.offered_choice(session.data, text) if session else None)
        or _about_order(thread, session, number, text)
        or _bought(thread, session, number, text)
        or _of_nexora(thread, session, number, text)
        or _of_support(session, number, text)
        or _of_appointment(config, thread, session, number, text, now)
    )


def with_wish(session: Session | None, choice_id: str | None, text: str, now: datetime) -> Session | None:
    """Have the desk's flow remember the words in which an appointment is to be moved."""
    if choice_id != MOVE_APPOINTMENT:
        return session
    kept = session if session is not None and session.flow == DESK else Session(DESK, None, {}, now)
    return replace(kept, data={**kept.data, APPOINTMENT_WISH: text})


def at_that_hour(config: Config, session: Session | None, text: str) -> str | None:
    """Give the wish that an hour alone makes where free times are shown: on the first of the days shown."""
    clock, shown = _clock(text), _shown_times(config, session)
    return f"{shown[0][1]:%Y-%m-%d} {clock[0]:02}:{clock[1]:02}" if clock and shown else None


def has_cart(thread: Thread) -> bool:
    """Tell whether something is in the cart."""
    with as_reader():
        found = orders.cart_of(thread.conversation_id) is not None
        db.session.rollback()
    return found


def has_ordered(contact_id: int) -> bool:
    """Who has ordered nothing means something else by "it has not arrived"."""
    with as_reader():
        placed = select(Order.id).where(Order.contact_id == contact_id, Order.status != "cart").limit(1)
        found = db.session.execute(placed).first()
        db.session.rollback()
    return found is not None


def _is_asked(session: Session | None) -> bool:
    """Tell whether a typed answer is awaited: words are that, and press nothing."""
    scene = flow_versions.flows()[session.flow].scene(session.step) if session and session.step else None
    return scene is not None and scene.awaits not in (None, "choice")


def _about_order(thread: Thread, session: Session | None, number: Number, text: str) -> str | None:
    """Give the button that words about a placed order press, wherever the customer stands in a menu."""
    is_shop = session is not None and session.flow == SHOP
    if (not is_shop and number.start_flow not in (SHOP, DESK)) or _is_asked(session):
        return None
    if session is not None and is_shop and session.step in CART_SHOWN:
        return None
    words = answers.plain(text)
    if order_words.asks_payment(words) and has_ordered(thread.contact_id):
        return PAYMENTS
    wish = order_words.wish_of(words) or answers.order_wish_of(text)
    return f"{ORDER_HELP}:{wish}" if wish is not None and has_ordered(thread.contact_id) else None


def _bought(thread: Thread, session: Session | None, number: Number, text: str) -> str | None:
    """Give the button that buying words press: of the product that was shown last, or of the cart."""
    wish = answers.buying_of(text)
    is_shopping = session is not None and session.flow == SHOP
    if wish is None or session is None or not is_shopping:
        return CART if wish == "close" and number.start_flow == SHOP else None
    if _is_asked(session):
        return None
    if session.step in CART_SHOWN:
        presses = CONFIRM if session.step == CONFIRMING else CHECK_OUT
        return presses if wish in ("close", "yes") else None
    is_shown = session.step == PRODUCT_SHOWN or (session.step == TOO_FEW and wish == "take")
    is_shown = is_shown or menu_flows.offered_choice(session.data, "1") == BUY
    # Who closes with a thing in the cart means the cart, whichever other thing is on the screen.
    if wish == "close" and (not is_shown or has_cart(thread)):
        return CART
    return BUY if is_shown else None


def _of_nexora(thread: Thread, session: Session | None, number: Number, text: str) -> str | None:
    """Give the button that a wish for a consultant, or a sum to invest, presses wherever the menu stands."""
    if number.start_flow != NEXORA or (session is not None and session.flow not in (None, NEXORA)):
        return None
    words = answers.plain(text)
    if _is_asked(session) or len(words.split()) > NEXORA_WISH_WORDS:
        return None
    if CONSULTANT_WANTED.search(words):
        return CONSULTANT
    is_shown = session is not None and (session.step or "").startswith(BUDGET_SHOWN)
    if not (is_shown or BUDGET_TOLD.match(words)) or "?" in text:
        return None
    language = thread.language or number.language
    amount = answers.read_money(text, language=language, region=thread.country)
    return ELIGIBILITY if amount is not None and amount >= LEAST_BUDGET else None


def _of_support(session: Session | None, number: Number, text: str) -> str | None:
    """Give the button that a wish for a ticket presses: it tells nothing yet that could stand in one."""
    is_served = number.start_flow in (SHOP, DESK) and not _is_asked(session)
    return SUPPORT if is_served and TICKET_WANTED.fullmatch(answers.plain(text)) else None


def _of_appointment(
    config: Config, thread: Thread, session: Session | None, number: Number, text: str, now: datetime
) -> str | None:
    """Give the button that words about an appointment press: to call it off, to move it to a day that they
    name, or one of the free times that are shown."""
    words = answers.plain(text)
    if number.start_flow not in (SHOP, DESK) or _is_asked(session) or len(words.split()) > APPOINTMENT_WORDS:
        return None
    if CANCELLING.fullmatch(words):
        return CANCEL_APPOINTMENT
    clock = _clock(text)
    is_told = session is not None and session.flow == DESK and session.step in APPOINTMENT_SHOWN
    language = thread.language or number.language
    day = answers.read_date(text, language=language, now=now, region=thread.country)
    if (is_told or MOVING.search(words)) and (clock or day):
        return MOVE_APPOINTMENT
    if clock is None:
        return None
    fitting = [name for name, at in _shown_times(config, session) if (at.hour, at.minute) == clock]
    return f"{DESK}/{SLOTS_SHOWN}:={fitting[0]}" if len(fitting) == 1 else None


def _shown_times(config: Config, session: Session | None) -> list[tuple[str, datetime]]:
    """Give the free times that are shown: what a row of the list is called, and its local time."""
    if session is None or session.flow != DESK or session.step != SLOTS_SHOWN:
        return []
    names = [item.id for item in Memory.read(session.data).offered]
    times = [(name, slots.read_slot_id(name)) for name in names]
    return [(name, at.astimezone(config.zone)) for name, at in times if at is not None]


def _clock(text: str) -> tuple[int, int] | None:
    """Read the one hour that few words name: "a las 16:30", "3pm", "15h"; a bare figure is none."""
    if len(text.split()) > CLOCK_WORDS:
        return None
    found = [one for one in CLOCK.finditer(fold(text)) if one["lead"] or one["minute"] or one["mark"]]
    if len(found) != 1:
        return None
    hour, mark = int(found[0]["hour"]), (found[0]["mark"] or "")[:1]
    if mark in ("a", "p"):
        hour = hour % HALF_DAY + HALF_DAY * (mark == "p")
    elif 0 < hour < EARLIEST:
        hour += HALF_DAY
    return hour, int(found[0]["minute"] or 0)
