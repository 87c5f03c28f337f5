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
from typing import Any, Final

import structlog

import answers
import desk_actions
import order_actions
import texts
from action_terms import FAILED, NONE, UNAVAILABLE, Action, ActionContext, ActionResult, Args
from action_terms import found as _found
from action_terms import text_arg as _words
from action_terms import whole_arg as _whole
from analysis.folding import fold
from analysis.quantities import read_numbers
from models import InvestmentProgram, Order, Product, db, reading
from models import OrderItem as OrderLine
from providers.base import OrderItem
from shop import catalog, orders, programs
from shop.stock import OutOfStock
from wires import careerjet

__all__ = [
    "ACTIONS",
    "FAILED",
    "ActionContext",
    "ActionResult",
    "apply",
    "gather",
    "take_catalog_order",
    "writes",
]

log = structlog.get_logger()

SHOWN_ORDERS: Final = 3
SHOWN_JOBS: Final = 5
MAX_PROGRAMS: Final = 10
MAX_LISTED: Final = 1000
LOW_STOCK: Final = 5


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

    `found` with the facts of `show_cart`, `kept` with those of the cart that stays because nothing fits, or
    `none`; all tell in `left_out` what could not go in: its name (or sku), the reason and how many are left.
    """
    taken = orders.fill_from_catalog(ctx.conversation_id, ctx.contact_id, items, now=ctx.now)
    left_out = [
        *({"name": sku, "reason": "unknown", "left": 0} for sku in taken.unknown_skus),
        *(
            {"name": _name(one.id, one.name, ctx), "reason": "currency", "left": 0}
            for one in taken.other_currency
        ),
        *(
            {"name": _name(one.product_id, one.name, ctx), "reason": "stock", "left": one.left}
            for one in taken.shortages
        ),
    ]
    if taken.cart is None:
        return ActionResult(NONE, {"left_out": left_out})
    outcome = "kept" if taken.is_kept else "found"
    return ActionResult(outcome, {**_cart_facts(taken.cart, ctx), "left_out": left_out})


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
    found = catalog.named_products(
        answers.search_words(words),
        is_sure=answers.asks_price(words),
        is_cheapest=answers.asks_cheapest(words),
    )
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
    except OutOfStock:
        return ActionResult("out_of_stock", {"product": named, "available": product.stock})
    except (orders.OtherCurrency, orders.CartFull):
        return ActionResult(FAILED)
    return ActionResult("ok", {"product": named, "quantity": quantity, "total_text": _total(cart, ctx)})


def _price_of(args: Args, ctx: ActionContext) -> ActionResult:
    product, quantity = _product(args), _whole(args, "quantity") or 1
    if product is None:
        return ActionResult(NONE)
    total = catalog.price_words(product.price_minor * quantity, product.currency, ctx.language)
    facts = {"product": _product_row(product, ctx), "quantity": quantity, "total_text": total}
    if product.stock is not None and product.stock < quantity:
        return ActionResult("out_of_stock", {**facts, "available": product.stock})
    return ActionResult("found", facts)


def _show_cart(_args: Args, ctx: ActionContext) -> ActionResult:
    cart = orders.cart_of(ctx.conversation_id)
    return ActionResult("found", _cart_facts(cart, ctx)) if cart is not None else ActionResult("empty")


def _remove_from_cart(args: Args, ctx: ActionContext) -> ActionResult:
    cart = orders.cart_of(ctx.conversation_id)
    if cart is None:
        return ActionResult("empty")
    named = catalog.named_products(answers.search_words(_words(args, "words")), is_sure=True)
    ids = {product.id for product in named} or {item.product_id for item in cart.items}
    meant = [item for item in cart.items if item.product_id and item.product_id in ids]
    if len(meant) != 1:
        return ActionResult("which", _cart_facts(cart, ctx))
    item = meant[0]
    product = _sold(item, ctx)
    taken = _taken_out(_words(args, "words"), product["name"], ctx.language) or item.quantity
    kept = max(0, item.quantity - taken)
    left = orders.set_quantity(cart, item.product_id, kept, now=ctx.now)
    if left is None:
        return ActionResult("emptied", {"product": product})
    outcome = "fewer" if kept else "ok"
    return ActionResult(outcome, {"product": product, "quantity": kept, **_cart_facts(left, ctx)})


def _sold(item: OrderLine, ctx: ActionContext) -> dict[str, Any]:
    """Give what a line of the cart sells, by the name that the customer knows it by."""
    return {"id": item.product_id, "name": _name(item.product_id, item.name, ctx)}


def _name(product_id: int, name: str, ctx: ActionContext) -> str:
    sold = db.session.get(Product, product_id)
    return catalog.shown_name(sold, ctx.language) if sold is not None else name


def _taken_out(words: str, name: str, language: str) -> int | None:
    """Read how many are to go ("tira 2", "quita uno"); None for all of them. A number in the name counts
    none.
    """
    folded = fold(words[: answers.MAX_ANSWER_CHARS])
    numbers = read_numbers(folded, language=language)
    counts = [one for one in numbers if folded[one.start : one.end] not in fold(name).split()]
    is_count = len(counts) == 1 and counts[0].value == counts[0].value.to_integral_value()
    return int(counts[0].value) if is_count and counts[0].value > 0 else None


def _change_cart(args: Args, ctx: ActionContext) -> ActionResult:
    cart, product_id = orders.cart_of(ctx.conversation_id), _whole(args, "product_id")
    lines = {item.product_id for item in cart.items} if cart is not None else set()
    if product_id is not None and product_id not in lines and _words(args, "change") == "set":
        return _add_to_cart({"product_id": product_id, "quantity": args.get("count")}, ctx)
    if cart is None:
        return ActionResult("empty")
    named = catalog.named_products(answers.search_words(_words(args, "words")), is_sure=True)
    ids = {product_id} if product_id is not None else {product.id for product in named}
    meant = [item for item in cart.items if item.product_id and item.product_id in ids]
    if len(meant) != 1:
        return ActionResult("which", _cart_facts(cart, ctx))
    count, item = _whole(args, "count") or 0, meant[0]
    counts = {"more": item.quantity + count, "fewer": item.quantity - count}
    wanted = min(max(counts.get(_words(args, "change"), count), 0), orders.MAX_QUANTITY)
    product = _sold(item, ctx)
    try:
        left = orders.set_quantity(cart, item.product_id, wanted, now=ctx.now)
    except OutOfStock as refusal:
        return ActionResult("out_of_stock", {"product": product, "available": refusal.shortages[0].left})
    if left is None:
        return ActionResult("emptied", {"product": product})
    facts = {"product": product, "quantity": wanted, "total_text": _total(left, ctx)}
    return ActionResult("ok" if wanted else "gone", facts)


def _empty_cart(_args: Args, ctx: ActionContext) -> ActionResult:
    cart = orders.cart_of(ctx.conversation_id)
    if cart is None:
        return ActionResult("empty")
    held = " ".join(f"{item.product_id}:{item.quantity}" for item in cart.items)
    orders.empty_cart(cart)
    return ActionResult("ok", {"held": held})


def _refill_cart(args: Args, ctx: ActionContext) -> ActionResult:
    """Put back what was taken out, at today's prices, as far as it is still to be had."""
    left_out, cart = [], orders.cart_of(ctx.conversation_id)
    for one in _words(args, "held").split():
        product_id, _, quantity = one.partition(":")
        sold = db.session.get(Product, _whole({"id": product_id}, "id") or 0)
        count = _whole({"count": quantity}, "count") or 0
        if sold is None or not 1 <= count <= orders.MAX_QUANTITY:
            continue
        try:
            cart = orders.add_to_cart(
                ctx.conversation_id, ctx.contact_id, sold, count, now=ctx.now, source=ctx.flow
            )
        except (OutOfStock, orders.NotForSale, orders.OtherCurrency, orders.CartFull):
            left_out.append(catalog.shown_name(sold, ctx.language))
    if cart is None:
        return ActionResult("empty")
    return ActionResult("ok", {**_cart_facts(cart, ctx), "left_out": ", ".join(left_out)})


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
    except OutOfStock as refusal:
        return _ran_out(refusal.shortages[0].product_id, ctx)
    except orders.NotForSale as refusal:
        return _ran_out(refusal.product_id, ctx)
    except (orders.OtherCurrency, orders.PriceChanged):
        return _repriced(cart, ctx)
    return ActionResult("created", {"order": {"number": order.number, "total_text": _total(order, ctx)}})


def _repriced(cart: Order, ctx: ActionContext) -> ActionResult:
    """Bring the cart up to date and have the customer asked again: nobody is billed what was not shown."""
    gone = orders.reprice(cart, now=ctx.now)
    if gone:
        names = ", ".join(catalog.shown_name(product, ctx.language) for product in gone)
        return ActionResult("left_out", {"product": {"id": gone[0].id, "name": names}})
    return ActionResult("changed", {"total_text": _total(cart, ctx), "is_free": not cart.total_minor})


def _ran_out(product_id: int | None, ctx: ActionContext) -> ActionResult:
    product = db.session.get(Product, product_id) if product_id is not None else None
    name = catalog.shown_name(product, ctx.language) if product is not None else ""
    return ActionResult("out_of_stock", {"product": {"id": product_id, "name": name}})


def _order_status(args: Args, ctx: ActionContext) -> ActionResult:
    return _orders(args, ctx, "order_status_word", _order_word)


def _order_word(order: Order) -> str:
    """Give how an order stands; what she says she paid is no order that waits for her."""
    is_checked = order.status == "placed" and order.payment_status == "claimed"
    return "claimed" if is_checked else order.status


def _which_order(_args: Args, ctx: ActionContext) -> ActionResult:
    listed = _order_status({}, ctx)
    own = listed.facts.get("orders", ())
    if len(own) == 1:
        return ActionResult("one", {"order": own[0]})
    return ActionResult("several", listed.facts) if own else ActionResult(NONE)


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
        "price_text": catalog.price_words(product.price_minor, product.currency, ctx.language),
        "in_stock": product.stock is None or product.stock > 0,
    }


def _cart_facts(cart: Order, ctx: ActionContext) -> dict[str, Any]:
    lines = []
    for item in cart.items:
        lines.append(
            {
                "name": _sold(item, ctx)["name"],
                "quantity": item.quantity,
                "total_text": catalog.price_words(
                    item.quantity * item.price_minor, cart.currency, ctx.language
                ),
            }
        )
    return {"lines": lines, "total_text": _total(cart, ctx), "is_free": not cart.total_minor}


def _total(order: Order, ctx: ActionContext) -> str:
    return catalog.price_words(order.total_minor, order.currency, ctx.language)


# --- people and the world -----------------------------------------------------------------------------------


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


ACTIONS: Final[Mapping[str, Action]] = {
    **desk_actions.ACTIONS,
    **order_actions.ACTIONS,
    "list_programs": Action(reads=_list_programs),
    "check_eligibility": Action(reads=_check_eligibility),
    "find_programs": Action(reads=_find_programs),
    "search_jobs": Action(asks_network=_search_jobs),
    "show_categories": Action(reads=_show_categories),
    "show_products": Action(reads=_show_products),
    "find_products": Action(reads=_find_products),
    "show_product": Action(reads=_show_product),
    "add_to_cart": Action(writes=_add_to_cart),
    "show_cart": Action(reads=_show_cart),
    "remove_from_cart": Action(writes=_remove_from_cart),
    "price_of": Action(reads=_price_of),
    "change_cart": Action(writes=_change_cart),
    "empty_cart": Action(writes=_empty_cart),
    "refill_cart": Action(writes=_refill_cart),
    "checkout": Action(writes=_checkout),
    "order_status": Action(reads=_order_status),
    "which_order": Action(reads=_which_order),
    "payment_status": Action(reads=_payment_status),
}
