"""How customers pay without a payment service, and the bank's list of what has come in. For admins."""

from typing import Final

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

import cashier
import tasks
from admin.noting import note
from admin.product_form import Form
from auth import current_config
from dashboard.meanwhile import overtaken
from models import db, utc_now
from shop import bank_list, till
from shop.till import SettingsRefused, Till

FIELD_MAX_CHARS: Final = 80

bp = Blueprint("ways_to_pay", __name__)


@bp.get("/ways-to-pay")
def ways() -> ResponseReturnValue:
    kept = till.till(current_config())
    written = {name: str(getattr(kept, name)) for name in Till.__slots__}
    return render_template("admin/ways_to_pay.html", form=Form(written=written))


@bp.post("/ways-to-pay")
def save() -> ResponseReturnValue:
    if late := overtaken(ways, "ways_to_pay"):
        return late
    written = {name: request.form.get(name, "").replace("\x00", "").strip() for name in Till.__slots__}
    too_long = next(
        (name for name in ("pix_key", "pix_name", "pix_city") if len(written[name]) > FIELD_MAX_CHARS), ""
    )
    try:
        if too_long:
            raise SettingsRefused(too_long)
        till.save(Till(**written), now=utc_now())
    except SettingsRefused as refusal:
        db.session.rollback()
        problems = {refusal.field: _problem(refusal.field, is_too_long=bool(too_long))}
        return render_template("admin/ways_to_pay.html", form=Form(written=written, problems=problems)), 422
    note("ways_to_pay", 0, "", "changed")
    db.session.commit()
    flash(_("Saved. New orders are paid this way."), "success")
    return redirect(url_for("ways_to_pay.ways"), 303)


@bp.post("/ways-to-pay/bank-list")
def upload() -> ResponseReturnValue:
    """Book what the bank lists, then the customers are told."""
    file = request.files.get("file")
    if file is None or not file.filename:
        flash(_("Choose a file."), "danger")
        return redirect(url_for("ways_to_pay.ways"), 303)
    try:
        lines = bank_list.read_list(file.read(bank_list.MAX_BYTES))
    except bank_list.UnreadableList:
        words = _(
            "This file cannot be read. It needs a line of headings with a transaction id and an amount."
        )
        flash(words, "danger")
        return redirect(url_for("ways_to_pay.ways"), 303)
    booked = cashier.book_list(
        lines, config=current_config(), now=utc_now(), actor="operator", operator_id=current_user.id
    )
    for conversation_id in booked.conversation_ids:
        tasks.wake_outbox(conversation_id)
    words = _(
        "%(paid)d booked, %(known)d known before, %(wrong)d with another amount, %(unknown)d of no order, "
        "%(left_out)d left out (money that left, or another currency).",
        paid=booked.paid,
        known=booked.known,
        wrong=booked.wrong,
        unknown=booked.unknown,
        left_out=booked.left_out,
    )
    flash(words, "danger" if booked.wrong or booked.left_out else "success")
    return redirect(url_for("ways_to_pay.ways"), 303)


def _problem(field: str, *, is_too_long: bool) -> str:
    if is_too_long or field == "manual_text":
        return str(_("This is too long."))
    if field == "pix_key":
        return str(_("This is no Pix key. A phone number needs + and the country code."))
    return str(_("Write it in letters that every bank can read."))
