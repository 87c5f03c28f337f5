"""Our WhatsApp numbers: add one, test it, switch it off; what is still missing until customers are answered.
For admins.

Credentials go in and never come out: a field that is left empty keeps what is there. The verify token is a
word to copy into Meta's form and opens nothing by itself, so it is shown.
"""

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import func, select, update

import flow_versions
import integrations
import vault
from admin import conversions
from admin.noting import note
from admin.product_form import Form
from auth import current_config
from dashboard import wording
from dashboard.meanwhile import overtaken
from models import Conversation, Integration, Message, WebhookEvent, db, utc_now
from providers import provider
from vocabulary import TEXT_LANGUAGES

PROVIDERS: Final = ("meta", "twilio")
REPLY_MODES: Final = ("rest", "twiml")
SECRETS: Final = ("access_token", "app_secret")
FIELDS: Final[dict[str, int]] = {
    "name": 120,
    "number_id": 100,
    "business_id": 100,
    "display_phone": 40,
    "access_token": 2000,
    "app_secret": 500,
    "verify_token": 200,
}
NUMBER_ID: Final = {"meta": re.compile(r"\d{5,30}"), "twilio": re.compile(r"\+\d{7,15}")}
NUMBERS_MOST: Final = 50

bp = Blueprint("numbers", __name__)


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the checklist: done, or what to do."""

    is_done: bool
    words: str
    advice: str = ""
    href: str = ""  # where it is done


@bp.get("/integrations")
def list_page() -> str:
    rows = db.session.scalars(
        select(Integration).order_by(Integration.is_active.desc(), Integration.id)
    ).all()
    return render_template("admin/numbers.html", rows=rows, counts=_conversation_counts())


@bp.route("/integrations/new", methods=["GET", "POST"])
def new() -> ResponseReturnValue:
    shape = request.values.get("provider", "meta")
    which = shape if shape in PROVIDERS else abort(400)
    if request.method == "GET":
        return _new_page(which, Form({"language": str(current_config().default_language)}))
    form = _read(which, None)
    if (db.session.scalar(select(func.count(Integration.id))) or 0) >= NUMBERS_MOST:
        form.problems["number_id"] = _("There are too many numbers.")
    if form.problems:
        return _new_page(which, form), 422
    written = form.written
    row = integrations.create(
        provider=which,
        number_id=written["number_id"],
        name=written["name"],
        display_phone=written["display_phone"] or (written["number_id"] if which == "twilio" else ""),
        business_id=written["business_id"],
        app_secret=written["app_secret"] if which == "meta" else written["access_token"],
        access_token=written["access_token"],
        verify_token=written["verify_token"] or secrets.token_urlsafe(18),
        start_flow=written["start_flow"],
        language=written["language"],
    )
    note("integration", row.id, "", "added")
    row_id = row.id
    db.session.commit()
    flash(_("The number is added. Follow the list below."), "success")
    return redirect(url_for("numbers.edit", number_id=row_id), 303)


@bp.route("/integrations/<int:number_id>", methods=["GET", "POST"])
def edit(number_id: int) -> ResponseReturnValue:
    row = _row(number_id)
    if request.method == "GET":
        return _page(row, _form_of(row))
    if late := overtaken(lambda: _page(row, _form_of(row)), "integration", number_id):
        return late
    form = _read(row.provider, row)
    if form.problems:
        return _page(row, form), 422
    changed: dict[str, Any] = {name: form.written[name] for name in ("name", "start_flow", "language")}
    if not row.is_from_environment and row.provider in PROVIDERS:
        changed |= {name: form.written[name] for name in ("business_id", "display_phone")}
        changed |= {name: form.written[name] for name in (*SECRETS, "verify_token") if form.written[name]}
        if row.provider == "twilio" and form.written["access_token"]:
            changed["app_secret"] = form.written["access_token"]  # Twilio signs with the same token
    integrations.change(row, **changed)
    note("integration", row.id, "", "changed")
    db.session.commit()
    flash(_("“%(name)s” is saved.", name=form.written["name"]), "success")
    return redirect(url_for("numbers.edit", number_id=number_id), 303)


@bp.post("/integrations/<int:number_id>/test")
def test(number_id: int) -> ResponseReturnValue:
    """Ask the provider how the number is. No transaction is held while it answers."""
    row = _row(number_id)
    try:
        account = integrations.account(row)
    except vault.SealBroken:
        flash(_("This number's secrets cannot be opened: SECRET_KEY was changed."), "danger")
        return redirect(url_for("numbers.edit", number_id=number_id), 303)
    db.session.rollback()
    health = provider(account.provider).health(account)
    integrations.record_health(number_id, health, now=utc_now())
    said = _row(number_id).health_summary
    db.session.commit()
    words = wording.health_words(said)
    flash(words, "success" if health.is_ok else "danger")
    return redirect(url_for("numbers.edit", number_id=number_id), 303)


@bp.post("/integrations/<int:number_id>/switch")
def switch(number_id: int) -> ResponseReturnValue:
    """Switch a number on or off: one that is off receives and sends nothing, and keeps all it has."""
    row = _row(number_id)
    is_active = request.form.get("active") == "1"
    if row.is_default and not is_active:
        flash(_("Make another number the usual one first."), "danger")
    elif row.is_active != is_active:
        integrations.change(row, is_active=is_active)
        note("integration", row.id, "off" if is_active else "on", "on" if is_active else "off")
        db.session.commit()
        flash(_("The number is on.") if is_active else _("The number is off."), "success")
    return redirect(url_for("numbers.edit", number_id=number_id), 303)


@bp.post("/integrations/<int:number_id>/default")
def make_default(number_id: int) -> ResponseReturnValue:
    """Make it the number of webhooks that name none."""
    row = _row(number_id)
    if row.is_active:
        db.session.execute(update(Integration).values(is_default=False))
        integrations.change(row, is_default=True)
        note("integration", row.id, "", "default")
        db.session.commit()
    return redirect(url_for("numbers.edit", number_id=number_id), 303)


def _read(which: str, row: Integration | None) -> Form:
    form = Form({name: request.form.get(name, "").replace("\0", "").strip() for name in FIELDS})
    written, problems = form.written, form.problems
    written |= {name: request.form.get(name, "") for name in ("start_flow", "language")}
    for name, most in FIELDS.items():
        if len(written[name]) > most:
            problems[name] = _("At most %(count)d characters.", count=most)
    if not written["name"]:
        problems["name"] = _("A name is needed.")
    if written["start_flow"] not in flow_versions.look():
        problems["start_flow"] = _("Choose a flow.")
    if written["language"] not in TEXT_LANGUAGES:
        problems["language"] = _("Choose a language.")
    if row is None:
        _check_new(which, form)
    return form


def _check_new(which: str, form: Form) -> None:
    number_id = form.written["number_id"]
    if not NUMBER_ID[which].fullmatch(number_id):
        form.problems["number_id"] = (
            _("Digits only: the Phone number ID of Meta, not the telephone number.")
            if which == "meta"
            else _("The sender with + and country code, like +14155238886.")
        )
    elif db.session.scalar(
        select(Integration.id).where(Integration.provider == which, Integration.number_id == number_id)
    ):
        form.problems["number_id"] = _("This number is here already.")
    if not form.written["access_token"]:
        form.problems["access_token"] = _("Without it nothing can be sent.")
    if which == "meta" and not form.written["app_secret"] and current_config().is_production:
        form.problems["app_secret"] = _("Without it anybody could pretend to be a customer.")


def _new_page(which: str, form: Form) -> str:
    form.written |= dict.fromkeys(SECRETS, "")  # what was typed is not sent back either
    return render_template("admin/number_new.html", provider=which, form=form, **_choices())


def _page(row: Integration, form: Form) -> str:
    form.written |= dict.fromkeys((*SECRETS, "verify_token"), "")
    return render_template(
        "admin/number.html",
        row=row,
        form=form,
        checks=_checks(row),
        addresses=_addresses(row),
        verify_token=_verify_token(row),
        told=conversions.standing(row.id) if row.provider == "meta" else None,
        **_choices(),
    )


def _choices() -> dict[str, Any]:
    flows = flow_versions.look()
    return {"flows": [(name, name) for name in sorted(flows)], "languages": TEXT_LANGUAGES}


def _form_of(row: Integration) -> Form:
    names = ("name", "business_id", "display_phone", "start_flow", "language")
    return Form({name: getattr(row, name) for name in names})


def _addresses(row: Integration) -> dict[str, str]:
    """Give what has to be copied into the provider's form."""
    origin = current_config().public_base_url or request.url_root.rstrip("/")
    if "twilio" in (row.provider, row.shape):
        return {"webhook": f"{origin}/whatsapp"}
    return {"webhook": f"{origin}/webhook"}


def _verify_token(row: Integration) -> str:
    try:
        return vault.unseal(row.verify_token, current_config().secret_key)
    except vault.SealBroken:
        return ""


def _checks(row: Integration) -> list[Check]:
    """Tell what is really done, from what has happened; nobody ticks anything off by hand."""
    config = current_config()
    last_event = db.session.scalar(
        select(func.max(WebhookEvent.received_at)).where(WebhookEvent.integration_id == row.id)
    )
    has_delivered = db.session.scalar(
        select(Message.id)
        .where(
            Message.integration_id == row.id,
            Message.direction == "out",
            Message.status.in_(("sent", "delivered", "read", "played")),
        )
        .order_by(Message.id.desc())
        .limit(1)
    )
    is_https = config.public_base_url.startswith("https://") or row.provider == "simulator"
    return [
        Check(bool(row.access_token), _("The access token is stored"), _("Write it into the form.")),
        Check(
            bool(row.app_secret),
            _("Webhooks are signed"),
            _("Write the app secret into the form; without it anybody could pretend to be a customer."),
        ),
        Check(is_https, _("The desk has an https address"), _("Set PUBLIC_BASE_URL and start again.")),
        Check(
            bool(row.health_ok),
            _("The provider knows the number"),
            wording.health_words(row.health_summary) or _("Press “Test now”."),
        ),
        Check(
            last_event is not None,
            _("A webhook has come"),
            _("Copy the address and the word into the provider's form, then write to the number."),
        ),
        Check(has_delivered is not None, _("An answer has left"), _("Write to the number from a phone.")),
    ]


def _conversation_counts() -> dict[int, tuple[int, datetime | None]]:
    rows = db.session.execute(
        select(
            Conversation.integration_id, func.count(Conversation.id), func.max(Conversation.last_inbound_at)
        ).group_by(Conversation.integration_id)
    )
    return {number_id: (count, at) for number_id, count, at in rows}


def _row(number_id: int) -> Integration:
    return db.session.get(Integration, number_id) or abort(404)
