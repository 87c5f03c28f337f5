"""What a flow's actions do: the closed list of `flow_files.ACTIONS`, each tied to the verbs behind it.

The pipeline calls `gather` outside any transaction and `apply` inside the turn's write transaction. Each
action is declared once, in ACTIONS, as one of three:

- it *reads*: `gather` reads in a short transaction of its own; in a step that follows a write of the same
  turn, `apply` reads in the open one, so that it sees that write;
- it *asks the network*: `gather` does it with no session held; `apply` only hands on what was gathered;
- it *writes*: `apply` writes and gives outcome and facts, because only then is the ticket's number known.
  Apply first, then text: the pipeline opens its write transaction before it resumes the flow for such an
  action.

Nothing here raises for what a customer can type: bad input is an outcome. It decides no step, words no
sentence (the short words for states and stocks are customer texts), sends nothing and commits nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import structlog

import analysis
import answers
import conversations
import phone
import texts
from alerts import raise_alert
from config import Config
from crm import appointments, complaints, feedback, leads, tickets
from models import Contact, Conversation, InvestmentProgram, Order, Product, db, reading
from providers.base import OrderItem
from shop import catalog, orders, programs
from wires import careerjet

log = structlog.get_logger()

FAILED: Final = "failed"
NONE: Final = "none"
UNAVAILABLE: Final = "unavailable"
SHOWN_ORDERS: Final = 3
SHOWN_JOBS: Final = 5
MAX_PROGRAMS: Final = 10
MAX_LISTED: Final = 1000
KNOWN_LEADS: Final = 5
ISO_DAY_CHARS: Final = 10
LOW_STOCK: Final = 5
MAX_ID_DIGITS: Final = 15
REASON_MAX_CHARS: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionContext:
    """For whom, where and when an action is done. `priority` is the urgency of the message that asked for
    it.
    """

    config: Config
    contact_id: int
    conversation_id: int
    integration_id: int
    language: str
    now: datetime
    message_id: int | None = None
    idempotency_key: str = ""
    flow: str = ""
    priority: str = tickets.DEFAULT_PRIORITY


@dataclass(frozen=True, slots=True)
class ActionResult:
    """How an action ended and what the words that follow may tell; facts are JSON-safe."""

    outcome: str
    facts: Mapping[str, Any] = field(default_factory=dict)


Args = Mapping[str, Any]
Half = Callable[[Args, ActionContext], ActionResult]


@dataclass(frozen=True, slots=True)
class Action:
    """One action: exactly one of the three is set."""

    reads: Half | None = None
    asks_network: Half | None = None
    writes: Half | None = None


def writes(name: str) -> bool:
    """Tell whether the action's outcome is known only inside the turn's write transaction."""
    return ACTIONS[name].writes is not None


def gather(name: str, args: Args, ctx: ActionContext) -> ActionResult | None:
    """Do what needs no write: read (a short transaction of its own, over at return) or ask the network.

    None for an action that writes. Raises KeyError for an unknown action.
    """
    action = ACTIONS[name]
    if action.asks_network is not None:
        return action.asks_network(args, ctx)
    if action.reads is None:
        return None
    is_ours = not db.session().in_transaction()
    with reading():
        try:
            return action.reads(args, ctx)
        finally:
            if is_ours:
                db.session.rollback()


def apply(name: str, args: Args, ctx: ActionContext, gathered: ActionResult | None = None) -> ActionResult:
    """Do the action inside the caller's write transaction. Flushes, never commits.

    An action that does not write gives what was gathered; else it reads in the open transaction, or answers
    `unavailable` when it would need the network. Raises KeyError for an unknown action.
    """
    action = ACTIONS[name]
    if action.writes is not None:
        return action.writes(args, ctx)
    if gathered is not None:
        return gathered
    return action.reads(args, ctx) if action.reads is not None else ActionResult(UNAVAILABLE)


def take_catalog_order(items: Sequence[OrderItem], ctx: ActionContext) -> ActionResult:
    """Make a WhatsApp catalogue order the conversation's cart, inside the turn's write transaction.

    `found` with the facts of `show_cart`, or `none`; both tell in `left_out` the names (or skus) of what
    could not go in.
    """
    taken = orders.fill_from_catalog(ctx.conversation_id, ctx.contact_id, items, now=ctx.now)
    left_out = [*taken.unknown_skus, *taken.other_currency_skus, *(s.name for s in taken.shortages)]
    if taken.cart is None:
        return ActionResult(NONE, {"left_out": left_out})
    return ActionResult("found", {**_cart_facts(taken.cart, ctx), "left_out": left_out})


# --- investment programmes ----------------------------------------------------------------------------------


def _list_programs(args: Args, _ctx: ActionContext) -> ActionResult:
    limit = min(_whole(args, "limit") or programs.TOP_COUNT, MAX_PROGRAMS)
    return _found("programs", [_program(p) for p in programs.top_programs(_words(args, "category"), limit)])


def _check_eligibility(args: Args, _ctx: ActionContext) -> ActionResult:
    budget = _whole(args, "budget")
    affordable = [] if budget is None else programs.affordable_programs(budget, limit=MAX_LISTED)
    if affordable:
        shown = [_program(p) for p in affordable[: programs.ELIGIBLE_COUNT]]
        return ActionResult("found", {"programs": shown, "more_count": len(affordable) - len(shown)})
    return ActionResult(NONE, {"minimum_investment": programs.lowest_minimum()})


def _find_programs(args: Args, _ctx: ActionContext) -> ActionResult:
    words = _words(args, "words")
    found = programs.named_programs(
        answers.search_words(words),
        countries=frozenset(filter(None, map(answers.read_country, answers.search_phrases(words)))),
        country_of=answers.read_country,
        is_cheapest=answers.asks_cheapest(words),
    )
    return _found("programs", [_program(p) for p in found])


def _program(program: InvestmentProgram) -> dict[str, Any]:
    return {
        "name": program.name,
        "country": program.country,
        "category": program.category,
        "minimum_investment": program.minimum_investment,
        "link": program.link,
        "processing_time": program.processing_time,
        "description": program.description,
    }


# --- what an intent sets in motion --------------------------------------------------------------------------


def _known_lead(_args: Args, ctx: ActionContext) -> ActionResult:
    for lead in leads.newest_leads(KNOWN_LEADS, contact_id=ctx.contact_id):
        if lead.name and lead.email:
            return ActionResult("found", {"lead": {"name": lead.name, "email": lead.email}})
    return ActionResult(NONE)


def _create_lead(args: Args, ctx: ActionContext) -> ActionResult:
    contact = _contact(ctx)
    recorded = leads.record_lead(
        contact,
        leads.LeadWish(
            name=_words(args, "name") or contact.name,
            phone=phone_of(contact),
            email=_words(args, "email"),
            interest=_words(args, "interest"),
            budget_usd=_whole(args, "budget"),
            country=_words(args, "country"),
        ),
        now=ctx.now,
        conversation_id=ctx.conversation_id,
        message_id=ctx.message_id,
        source=_words(args, "source") or ctx.flow,
    )
    lead = recorded.lead
    about = f" ({lead.interest})" if lead.interest else ""
    _alert("lead", f"lead:{lead.id}", f"New lead: {lead.name or lead.phone or 'no name'}{about}", ctx)
    return ActionResult("created")


def _open_ticket(args: Args, ctx: ActionContext) -> ActionResult:
    ticket = tickets.open_ticket(
        ctx.contact_id,
        _words(args, "description"),
        now=ctx.now,
        subject=_words(args, "subject"),
        priority=ctx.priority,
        conversation_id=ctx.conversation_id,
        message_id=ctx.message_id,
    )
    return ActionResult("created", {"ticket": {"number": ticket.number}})


def _open_complaint(args: Args, ctx: ActionContext) -> ActionResult:
    complaint = complaints.open_complaint(
        ctx.contact_id,
        _words(args, "description"),
        now=ctx.now,
        conversation_id=ctx.conversation_id,
        message_id=ctx.message_id,
    )
    _alert(
        "complaint",
        f"complaint:{complaint.number}",
        f"Complaint {complaint.number}: a manager should look",
        ctx,
    )
    return ActionResult("created", {"complaint": {"number": complaint.number}})


def _request_appointment(args: Args, ctx: ActionContext) -> ActionResult:
    wish = _words(args, "wish")
    day = _words(args, "day") or _day_in(wish, ctx)
    appointment = appointments.request_appointment(
        ctx.contact_id,
        now=ctx.now,
        topic=_words(args, "topic"),
        wish=f"{wish} ({day})" if day and day not in wish else wish,
        conversation_id=ctx.conversation_id,
        message_id=ctx.message_id,
    )
    _alert(
        "appointment",
        f"appointment:{appointment.number}",
        f"Appointment {appointment.number} waits for a time: {appointment.wish}",
        ctx,
    )
    facts = {"number": appointment.number, "day_text": texts.day_text(day, ctx.language)}
    return ActionResult("created", {"appointment": facts})


def _day_in(wish: str, ctx: ActionContext) -> str:
    """Give the one day that a wish names, as ISO date: "tomorrow" is soon another day."""
    local_now = ctx.now.astimezone(ZoneInfo(ctx.config.time_zone))
    reading = analysis.read(wish, now=local_now, language=ctx.language)
    days = {str(entity.value)[:ISO_DAY_CHARS] for entity in reading.entities if entity.type == "date"}
    return days.pop() if len(days) == 1 else ""


def _record_feedback(args: Args, ctx: ActionContext) -> ActionResult:
    score = _whole(args, "score")
    if score is not None and not feedback.LOWEST_SCORE <= score <= feedback.HIGHEST_SCORE:
        score = None
    if score is None and not _words(args, "text"):
        return ActionResult(FAILED)
    feedback.record_feedback(
        ctx.contact_id,
        now=ctx.now,
        score=score,
        text=_words(args, "text"),
        conversation_id=ctx.conversation_id,
    )
    return ActionResult("created")


# --- the shop -----------------------------------------------------------------------------------------------


def _show_categories(_args: Args, ctx: ActionContext) -> ActionResult:
    return _found(
        "categories",
        [{"id": c.id, "name": catalog.shown_name(c, ctx.language)} for c in catalog.categories()],
    )


def _show_products(args: Args, ctx: ActionContext) -> ActionResult:
    category_id = _whole(args, "category_id")
    listed = catalog.products(category_id) if category_id is not None else []
    return _found("products", [_product_row(p, ctx) for p in listed])


def _find_products(args: Args, ctx: ActionContext) -> ActionResult:
    words = _words(args, "words")
    found = catalog.named_products(answers.search_words(words), is_sure=answers.asks_price(words))
    if len(found) == 1:
        name = catalog.shown_name(found[0], ctx.language)
        return ActionResult("one", {"best": {"id": found[0].id, "name": name}})
    return _found("products", [_product_row(p, ctx) for p in found])


def _show_product(args: Args, ctx: ActionContext) -> ActionResult:
    product = _product(args)
    if product is None:
        return ActionResult(NONE)
    sheet = {
        **_product_row(product, ctx),
        "description": catalog.shown_description(product, ctx.language),
        "benefits": list(catalog.shown_benefits(product, ctx.language)),
        "stock_text": texts.text("stock_word", ctx.language, stock=product.stock, low_stock=LOW_STOCK),
    }
    return ActionResult("found", {"product": sheet})


def _add_to_cart(args: Args, ctx: ActionContext) -> ActionResult:
    product, quantity = _product(args), _whole(args, "quantity")
    if product is None:
        return ActionResult(NONE)
    if quantity is None or not 1 <= quantity <= orders.MAX_QUANTITY:
        return ActionResult(FAILED)
    named = {"id": product.id, "name": catalog.shown_name(product, ctx.language)}
    try:
        cart = orders.add_to_cart(
            ctx.conversation_id, ctx.contact_id, product, quantity, now=ctx.now, source=ctx.flow
        )
    except orders.OutOfStock:
        return ActionResult("out_of_stock", {"product": named, "available": product.stock})
    except (orders.OtherCurrency, orders.CartFull):
        return ActionResult(FAILED)
    return ActionResult("ok", {"product": named, "quantity": quantity, "total_text": _total(cart, ctx)})


def _show_cart(_args: Args, ctx: ActionContext) -> ActionResult:
    cart = orders.cart_of(ctx.conversation_id)
    return ActionResult("found", _cart_facts(cart, ctx)) if cart is not None else ActionResult("empty")


def _empty_cart(_args: Args, ctx: ActionContext) -> ActionResult:
    cart = orders.cart_of(ctx.conversation_id)
    if cart is None:
        return ActionResult("empty")
    orders.empty_cart(cart)
    return ActionResult("ok")


def _checkout(_args: Args, ctx: ActionContext) -> ActionResult:
    cart = orders.cart_of(ctx.conversation_id)
    if cart is None:
        # A second press on "confirm": the order is there already.
        cart = orders.just_placed(ctx.conversation_id, ctx.now)
    if cart is None:
        return ActionResult("empty")
    try:
        order = orders.place(cart, now=ctx.now)
    except orders.EmptyCart:
        return ActionResult("empty")
    except orders.OutOfStock as refusal:
        return _ran_out(refusal.shortages[0].product_id, ctx)
    except orders.NotForSale as refusal:
        return _ran_out(refusal.product_id, ctx)
    return ActionResult("created", {"order": {"number": order.number, "total_text": _total(order, ctx)}})


def _ran_out(product_id: int | None, ctx: ActionContext) -> ActionResult:
    product = db.session.get(Product, product_id) if product_id is not None else None
    name = catalog.shown_name(product, ctx.language) if product is not None else ""
    return ActionResult("out_of_stock", {"product": {"id": product_id, "name": name}})


def _order_status(args: Args, ctx: ActionContext) -> ActionResult:
    return _orders(args, ctx, "order_status_word", lambda order: order.status)


def _payment_status(args: Args, ctx: ActionContext) -> ActionResult:
    return _orders(args, ctx, "payment_status_word", lambda order: order.payment_status)


def _orders(args: Args, ctx: ActionContext, word: str, status: Callable[[Order], str]) -> ActionResult:
    written = _words(args, "number")
    if written:
        wanted = orders.order_of(ctx.contact_id, written)
        found = [wanted] if wanted is not None else []
    else:
        found = orders.orders_of(ctx.contact_id, SHOWN_ORDERS)
    return _found(
        "orders",
        [
            {
                "number": order.number,
                "status_text": texts.text(word, ctx.language, status=status(order)),
                "total_text": _total(order, ctx),
            }
            for order in found
        ],
    )


def _product(args: Args) -> Product | None:
    product_id = _whole(args, "product_id")
    return catalog.product(product_id) if product_id is not None else None


def _product_row(product: Product, ctx: ActionContext) -> dict[str, Any]:
    return {
        "id": product.id,
        "name": catalog.shown_name(product, ctx.language),
        "price_text": catalog.price_text(product.price_minor, product.currency, ctx.language),
        "in_stock": product.stock is None or product.stock > 0,
    }


def _cart_facts(cart: Order, ctx: ActionContext) -> dict[str, Any]:
    lines = []
    for item in cart.items:
        product = db.session.get(Product, item.product_id)
        lines.append(
            {
                "name": catalog.shown_name(product, ctx.language) if product is not None else item.name,
                "quantity": item.quantity,
                "total_text": catalog.price_text(
                    item.quantity * item.price_minor, cart.currency, ctx.language
                ),
            }
        )
    return {"lines": lines, "total_text": _total(cart, ctx)}


def _total(order: Order, ctx: ActionContext) -> str:
    return catalog.price_text(order.total_minor, order.currency, ctx.language)


# --- people and the world -----------------------------------------------------------------------------------


def _hand_over(args: Args, ctx: ActionContext) -> ActionResult:
    conversation = _conversation(ctx)
    reason = _words(args, "reason").replace("_", " ")[:REASON_MAX_CHARS]
    conversations.take_over(conversation, None, now=ctx.now, reason=reason)
    _alert("waiting", f"waiting:{ctx.conversation_id}", f"A customer waits for a person: {reason}", ctx)
    return ActionResult("done")


def _search_jobs(args: Args, ctx: ActionContext) -> ActionResult:
    if not ctx.config.careerjet_affiliate_id:
        return ActionResult(UNAVAILABLE)
    question = careerjet.JobQuestion(
        country=_words(args, "country"),
        keywords=_words(args, "keywords"),
        language=ctx.language,
        max_jobs=SHOWN_JOBS,
    )
    found = careerjet.search(
        question,
        affiliate_id=ctx.config.careerjet_affiliate_id,
        base_url=ctx.config.careerjet_base_url,
    )
    if isinstance(found, careerjet.JobSearchError):
        log.warning("job_search_failed", code=found.code, conversation_id=ctx.conversation_id)
        return ActionResult(NONE if found.code == "country_not_served" else UNAVAILABLE)
    return _found(
        "jobs",
        [
            {"title": job.title, "company": job.company, "location": job.location, "url": job.url}
            for job in found.jobs
        ],
    )


def phone_of(contact: Contact) -> str:
    """Give the contact's number in E.164, or nothing when WhatsApp hides it."""
    wa_id = contact.identity("wa_id")
    return (phone.normalise(wa_id) or wa_id) if wa_id else ""


def _contact(ctx: ActionContext) -> Contact:
    return db.session.get_one(Contact, ctx.contact_id)


def _conversation(ctx: ActionContext) -> Conversation:
    return db.session.get_one(Conversation, ctx.conversation_id)


def _alert(kind: str, topic: str, words: str, ctx: ActionContext) -> None:
    raise_alert(kind, topic, words, now=ctx.now, conversation_id=ctx.conversation_id)


def _found(name: str, rows: list[dict[str, Any]]) -> ActionResult:
    return ActionResult("found", {name: rows}) if rows else ActionResult(NONE)


def _words(args: Args, name: str) -> str:
    value = args.get(name)
    return "" if value is None else str(value).strip()


def _whole(args: Args, name: str) -> int | None:
    """Read a whole number that the database can hold; an id comes back from a button as text."""
    written = _words(args, name)
    is_number = written.isascii() and written.removeprefix("-").isdecimal() and len(written) <= MAX_ID_DIGITS
    return int(written) if is_number else None


ACTIONS: Final[Mapping[str, Action]] = {
    "list_programs": Action(reads=_list_programs),
    "check_eligibility": Action(reads=_check_eligibility),
    "find_programs": Action(reads=_find_programs),
    "known_lead": Action(reads=_known_lead),
    "create_lead": Action(writes=_create_lead),
    "search_jobs": Action(asks_network=_search_jobs),
    "show_categories": Action(reads=_show_categories),
    "show_products": Action(reads=_show_products),
    "find_products": Action(reads=_find_products),
    "show_product": Action(reads=_show_product),
    "add_to_cart": Action(writes=_add_to_cart),
    "show_cart": Action(reads=_show_cart),
    "empty_cart": Action(writes=_empty_cart),
    "checkout": Action(writes=_checkout),
    "order_status": Action(reads=_order_status),
    "payment_status": Action(reads=_payment_status),
    "open_ticket": Action(writes=_open_ticket),
    "open_complaint": Action(writes=_open_complaint),
    "request_appointment": Action(writes=_request_appointment),
    "record_feedback": Action(writes=_record_feedback),
    "hand_over": Action(writes=_hand_over),
}
