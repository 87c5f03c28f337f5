"""The first steps: a list that turns green as things are really verified, and the demo, which goes with one
click. For admins.
"""

from collections.abc import Mapping
from typing import Any, Final

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy import func, select

import counting
import demo
import media
from admin.noting import note
from admin.numbers import Check
from auth import current_config
from models import (
    AlertRecipient,
    Article,
    Contact,
    Conversation,
    Integration,
    Message,
    Operator,
    Product,
    Sale,
    WebhookEvent,
    Worker,
    WorkingHours,
    db,
    utc_now,
)
from shop import till
from tasks import means

SIMULATED: Final = "simulator"
LEFT: Final = ("sent", "delivered", "read", "played")
WORKER_SILENT_SECS: Final = 60

bp = Blueprint("getting_started", __name__)


@bp.get("/getting-started")
def page() -> str:
    return render_template("admin/getting_started.html", parts=_parts(), demo=_demo_counts())


@bp.post("/getting-started/remove-demo")
def remove_demo() -> ResponseReturnValue:
    """Take the demo away with everybody in it; what real customers did stays."""
    if request.form.get("sure") != "1":
        flash(_("Confirm that the demo goes."), "danger")
        return redirect(url_for("getting_started.page"), 303)
    removed = demo.remove_demo()
    note("demo", 0, "there", "removed")
    db.session.commit()
    media.remove(removed.media_paths, current_config().media_dir)
    counting.count_missing(current_config(), utc_now())
    flash(
        _(
            "The demo is gone: %(contacts)d people, %(messages)d messages, %(products)d products.",
            contacts=removed.contacts,
            messages=removed.messages,
            products=removed.products,
        ),
        "success",
    )
    return redirect(url_for("getting_started.page"), 303)


def _parts() -> list[tuple[str, list[Check]]]:
    has = _facts()
    return [
        (_("Try it"), _tries(has)),
        (_("A number of your own"), _numbers(has)),
        (_("What you sell and know"), _goods(has)),
        (_("People and safety"), _people(has)),
    ]


def _facts() -> dict[str, bool]:
    """Ask for everything that may have happened, in one query."""
    real = Integration.provider != SIMULATED
    event = select(WebhookEvent.id).join(Integration, Integration.id == WebhookEvent.integration_id)
    sent = select(Message.id).join(Integration, Integration.id == Message.integration_id)
    told = (AlertRecipient.is_active, AlertRecipient.removed_at.is_(None))
    asked: dict[str, Any] = {
        # The demo is played without webhooks: only a person's own words come as one.
        "wrote": event.where(Integration.provider == SIMULATED),
        "number": select(Integration.id).where(real, Integration.is_active),
        "health": select(Integration.id).where(real, Integration.health_ok.is_(True)),
        "webhook": event.where(real),
        "sent": sent.where(real, Message.direction == "out", Message.status.in_(LEFT)),
        "product": select(Product.id).where(Product.is_active, Product.is_demo.is_(False)),
        "sale": select(Sale.id).where(Sale.is_demo.is_(False)),
        "article": select(Article.id).where(Article.is_active, Article.is_demo.is_(False)),
        "colleague": select(Operator.id).where(Operator.is_active, Operator.id != current_user.id),
        "hours": select(WorkingHours.id),
        "told": select(AlertRecipient.id).where(*told),
    }
    row = db.session.execute(select(*(query.exists().label(name) for name, query in asked.items()))).one()
    return {name: bool(found) for name, found in row._mapping.items()}


def _tries(has: Mapping[str, bool]) -> list[Check]:
    seen = db.session.scalar(select(func.max(Worker.seen_at)))
    is_alive = seen is not None and (utc_now() - seen).total_seconds() < WORKER_SILENT_SECS
    to_simulator = url_for("simulator.simulator")
    return [
        Check(is_alive, _("A worker is running"), _("Start one: python main.py worker.")),
        Check(
            has["wrote"], _("Somebody wrote in the simulator"), _("Write “oi” as a customer."), to_simulator
        ),
    ]


def _numbers(has: Mapping[str, bool]) -> list[Check]:
    there = url_for("numbers.list_page")
    return [
        Check(has["number"], _("A number is written down"), _("Add one of Meta or Twilio."), there),
        Check(has["health"], _("The provider knows it"), _("Open the number and press “Test now”."), there),
        Check(has["webhook"], _("A signed webhook has come"), _("Write to the number from a phone."), there),
        Check(has["sent"], _("An answer has left"), _("It follows the first message by itself."), there),
    ]


def _goods(has: Mapping[str, bool]) -> list[Check]:
    config = current_config()
    ways = till.till(config)
    takes_pix = ways.takes_pix and ways.pix_key != till.DEMO_PIX_KEY
    has_service = bool(config.stripe_secret_key or config.mercadopago_access_token)
    return [
        Check(
            has["product"],
            _("A product of your own is on sale"),
            _("Write one."),
            url_for("products.products"),
        ),
        Check(
            takes_pix or bool(ways.manual_text) or has_service,
            _("Customers can pay"),
            _("Set up Pix or another way."),
            url_for("ways_to_pay.ways"),
        ),
        Check(
            has["sale"],
            _("A first order was paid"),
            _("Buy something yourself and confirm the payment."),
            url_for("records.orders"),
        ),
        Check(
            has["article"],
            _("The desk knows something of yours"),
            _("Write an article with questions and answers."),
            url_for("articles.articles"),
        ),
        Check(
            means().assistant is not None,
            _("A language model is connected"),
            _("Not needed; set one key in the environment, and it writes replies."),
        ),
    ]


def _people(has: Mapping[str, bool]) -> list[Check]:
    me = db.session.get_one(Operator, current_user.id)
    return [
        Check(has["colleague"], _("A colleague can sign in"), _("Add one."), url_for("people.list_page")),
        Check(
            bool(me.totp_secret),
            _("Your sign-in asks for a second factor"),
            _("Turn it on."),
            url_for("second_factor.second_factor"),
        ),
        Check(
            has["hours"],
            _("The working hours are written"),
            _("Then customers hear when a person will be there."),
            url_for("teams.list_page"),
        ),
        Check(
            has["told"],
            _("Somebody is told of alerts"),
            _("Add a recipient."),
            url_for("alert_settings.alerts"),
        ),
    ]


def _demo_counts() -> dict[str, Any]:
    """Count what is marked as demo."""
    people = db.session.scalar(select(func.count(Contact.id)).where(Contact.is_demo)) or 0
    products = db.session.scalar(select(func.count(Product.id)).where(Product.is_demo)) or 0
    if not people:
        return {"people": 0, "products": products, "conversations": 0}
    of_demo = select(func.count(Conversation.id)).join(Contact, Contact.id == Conversation.contact_id)
    threads = db.session.scalar(of_demo.where(Contact.is_demo)) or 0
    return {"people": people, "products": products, "conversations": threads}
