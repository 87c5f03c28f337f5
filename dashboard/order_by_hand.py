"""The form of an order that a person of ours makes for a customer: products, how many, less a discount.

For managers and admins, each within their role. What was typed is shown again until it is right;
the order's own page goes on from there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import joinedload

import tasks
from auth import current_config
from dashboard.arguments import SEARCH_MAX_CHARS
from models import Contact, Conversation, Product, db, utc_now
from shop import assortment, by_hand
from shop.by_hand import DiscountTooHigh, Maker
from shop.orders import MAX_LINES, MAX_QUANTITY, EmptyCart, NotForSale, OtherCurrency
from shop.stock import OutOfStock

PREFIX = "quantity_"
DIGITS_MOST = 6
SHOWN_MOST = 60

bp = Blueprint("order_by_hand", __name__)


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the form: how many of which product, what is taken off, what is searched for."""

    quantities: Mapping[int, int] = field(default_factory=dict)
    percent: int = 0
    search: str = ""
    is_readable: bool = True


@bp.route("/orders/new/<int:conversation_id>", methods=["GET", "POST"])
def new(conversation_id: int) -> ResponseReturnValue:
    conversation = _conversation(conversation_id)
    if request.method == "GET":
        return _page(conversation, Typed())
    typed = _typed()
    if not typed.is_readable:
        return _page(conversation, typed, _("Write whole numbers.")), 422
    if request.form.get("do") != "place":
        return _page(conversation, typed)
    maker = Maker(current_user.id, current_user.role)
    try:
        made, is_new = by_hand.place(
            conversation_id,
            typed.quantities,
            percent=typed.percent,
            maker=maker,
            config=current_config(),
            now=utc_now(),
        )
    except (DiscountTooHigh, EmptyCart, NotForSale, OtherCurrency, OutOfStock, ValueError) as refusal:
        words = _problem(refusal)
        db.session.rollback()
        return _page(_conversation(conversation_id), typed, words), 422
    order_id = made.id
    db.session.commit()
    tasks.wake_outbox(conversation_id)
    flash(_("The order is made.") if is_new else _("This order was made a moment ago."), "success")
    return redirect(url_for("order.order", order_id=order_id), 303)


def _problem(refusal: Exception) -> str:
    match refusal:
        case DiscountTooHigh(most=most):
            return str(_("At most %(count)d per cent may be taken off.", count=most))
        case EmptyCart():
            return str(_("Choose at least one product."))
        case NotForSale():
            return str(_("Something is not for sale any more."))
        case OtherCurrency():
            return str(_("One order has one currency."))
        case OutOfStock(shortages=shortages):
            names = ", ".join(shortage.name for shortage in shortages)
            return str(_("There are too few left of %(names)s.", names=names))
    return str(_("At most %(lines)d products, and %(count)d of each.", lines=MAX_LINES, count=MAX_QUANTITY))


def _typed() -> Typed:
    quantities: dict[int, int] = {}
    is_readable = True
    for name, text in request.form.items():
        written, product_id = text.strip(), name.removeprefix(PREFIX)
        if not name.startswith(PREFIX) or not product_id.isdecimal() or written in ("", "0"):
            continue
        if _is_whole(written) and len(product_id) < DIGITS_MOST * 3:
            quantities[int(product_id)] = int(written)
        else:
            is_readable = False
    percent = request.form.get("percent", "").strip() or "0"
    return Typed(
        {product_id: count for product_id, count in quantities.items() if count},
        int(percent) if _is_whole(percent) else 0,
        request.form.get("q", "").replace("\0", "").strip()[:SEARCH_MAX_CHARS],
        is_readable and _is_whole(percent),
    )


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= DIGITS_MOST


def _conversation(conversation_id: int) -> Conversation:
    wanted = select(Conversation).where(Conversation.id == conversation_id)
    people = joinedload(Conversation.contact).selectinload(Contact.identities)
    return db.session.scalar(wanted.options(people)) or abort(404)


def _page(conversation: Conversation, typed: Typed, problem: str = "") -> str:
    """Show the chosen products first, then those that are found."""
    found = [one for one in assortment.list_products(typed.search, limit=SHOWN_MOST) if one.is_active]
    wanted = select(Product).where(Product.id.in_(typed.quantities), Product.is_active)
    chosen = list(db.session.scalars(wanted.order_by(Product.id)))
    shown = [*chosen, *(product for product in found if product not in chosen)]
    return render_template(
        "dashboard/order_by_hand.html",
        conversation=conversation,
        contact=conversation.contact,
        typed=typed,
        products=shown,
        total=_total(chosen, typed),
        currency=chosen[0].currency if chosen else "",
        problem=problem,
        most=Maker(current_user.id, current_user.role).discount_most,
    )


def _total(chosen: list[Product], typed: Typed) -> int | None:
    """Add up what the order would cost; None for products of several currencies."""
    if len({product.currency for product in chosen}) != 1 or not 0 <= typed.percent <= 100:
        return None
    return sum(
        typed.quantities[product.id] * by_hand.less(product.price_minor, typed.percent) for product in chosen
    )
