"""Webhooks to other programs: endpoints, the events each is told, its secret, log and replays. For admins."""

import json
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from admin.alert_settings import web_address
from admin.noting import note, note_switch
from admin.product_form import Form
from auth import current_config
from connectors import CONNECTORS
from dashboard import alert_words
from dashboard.arguments import row_id
from dashboard.meanwhile import overtaken
from models import OutgoingEvent, WebhookDelivery, WebhookEndpoint, db, utc_now
from telling import webhooks
from webhooks_out import deliveries, endpoints, kinds
from webhooks_out.endpoints import Wish
from wires import signed_webhook

SHOWN_DELIVERIES: Final = 50
ADDRESS_MAX_CHARS: Final = 1000

bp = Blueprint("webhooks", __name__)


@dataclass(frozen=True, slots=True)
class Shown:
    """An endpoint as the list shows it; of its address only the host, because the path may be a secret."""

    row: WebhookEndpoint
    title: str
    kinds: str
    waiting: int
    failed: int


@bp.get("/webhooks")
def page() -> ResponseReturnValue:
    """Show who is told, of what, and how it stands."""
    counts = deliveries.counts()
    shown = [
        Shown(
            row,
            _title(row),
            _("everything") if row.kinds is None else ", ".join(row.kinds),
            counts.get(row.id, {}).get("waiting", 0),
            counts.get(row.id, {}).get("failed", 0),
        )
        for row in endpoints.listed()
        if row.service not in CONNECTORS
    ]
    return render_template("admin/webhooks.html", shown=shown)


@bp.get("/webhooks/new")
def new() -> ResponseReturnValue:
    return _form_page(Form({"address": "", "name": "", "which": "some", "kinds": ""}), None)


@bp.post("/webhooks/new")
def add() -> ResponseReturnValue:
    """Add an endpoint; its secret is shown now, and never again."""
    form, wish = _read()
    url = _address(form)
    if url is None or wish is None:
        return _form_page(form, None), 422
    secret = signed_webhook.new_secret()
    row = endpoints.add(url, wish, secret=secret, secret_key=current_config().secret_key, now=utc_now())
    note("webhook_endpoint", row.id, "", "added")
    db.session.commit()
    flash(_("Saved. Send a test to see that it arrives."), "success")
    return _form_page(_form_of(row), row, secret)


@bp.get("/webhooks/<int:endpoint_id>")
def endpoint(endpoint_id: int) -> ResponseReturnValue:
    row = _find(endpoint_id)
    return _form_page(_form_of(row), row)


@bp.post("/webhooks/<int:endpoint_id>")
def save(endpoint_id: int) -> ResponseReturnValue:
    row = _find(endpoint_id)
    if row.service != "webhook":
        abort(404)
    if late := overtaken(lambda: _form_page(_form_of(row), row), "webhook_endpoint", endpoint_id):
        return late
    form, wish = _read()
    url = _address(form)
    if url is None or wish is None:
        return _form_page(form, row), 422
    endpoints.change(row, wish, url=url)
    note("webhook_endpoint", row.id, "", "changed")
    db.session.commit()
    flash(_("Saved."), "success")
    return redirect(url_for("webhooks.endpoint", endpoint_id=endpoint_id), 303)


@bp.post("/webhooks/<int:endpoint_id>/secret")
def rotate(endpoint_id: int) -> ResponseReturnValue:
    """Make a new secret; the old one signs beside it for a day."""
    row, secret = _find(endpoint_id), signed_webhook.new_secret()
    endpoints.rotate(row, secret, secret_key=current_config().secret_key, now=utc_now())
    note("webhook_endpoint", row.id, "", "new secret")
    db.session.commit()
    return _form_page(_form_of(row), row, secret)


@bp.post("/webhooks/<int:endpoint_id>/switch")
def switch(endpoint_id: int) -> ResponseReturnValue:
    row = _find(endpoint_id)
    endpoints.switch(row, is_active=not row.is_active)
    note_switch("webhook_endpoint", row.id, is_on=row.is_active)
    db.session.commit()
    flash(_("Told again from now on.") if row.is_active else _("Switched off: told no more."), "success")
    return redirect(url_for("webhooks.endpoint", endpoint_id=endpoint_id), 303)


@bp.post("/webhooks/<int:endpoint_id>/remove")
def remove(endpoint_id: int) -> ResponseReturnValue:
    endpoints.remove(_find(endpoint_id), now=utc_now())
    note("webhook_endpoint", endpoint_id, "", "deleted")
    db.session.commit()
    flash(_("Removed."), "success")
    return redirect(url_for("webhooks.page"), 303)


@bp.post("/webhooks/<int:endpoint_id>/test")
def test(endpoint_id: int) -> ResponseReturnValue:
    """Really send a test, and say what came of it."""
    row = _find(endpoint_id)
    title = _title(row)
    error = webhooks.send_test(row, current_config(), now=utc_now())
    if error is None:
        flash(_("The test was sent to %(title)s.", title=title), "success")
    else:
        reason = alert_words.trouble_words(error.code)
        flash(_("The test was not sent to %(title)s: %(reason)s", title=title, reason=reason), "danger")
    return redirect(url_for("webhooks.endpoint", endpoint_id=endpoint_id), 303)


@bp.post("/webhooks/<int:endpoint_id>/replay")
def replay(endpoint_id: int) -> ResponseReturnValue:
    """Send one delivery once more, or all that failed; a worker does it."""
    row = _find(endpoint_id)
    one = request.form.get("delivery", type=row_id)
    if not row.is_active:
        flash(_("It is switched off: switch it on first."), "danger")
        return redirect(url_for("webhooks.endpoint", endpoint_id=endpoint_id), 303)
    count = deliveries.replay(endpoint_id, None if one is None else [one], now=utc_now())
    db.session.commit()
    flash(_("%(count)s will be sent again.", count=count), "success")
    return redirect(url_for("webhooks.endpoint", endpoint_id=endpoint_id), 303)


# --- the form -----------------------------------------------------------------------------------------------


def _form_page(form: Form, row: WebhookEndpoint | None, secret: str = "") -> str:
    log = deliveries.newest(row.id, SHOWN_DELIVERIES) if row is not None else []
    return render_template(
        "admin/webhook.html",
        form=form,
        row=row,
        title=_title(row) if row is not None else "",
        secret=secret,
        groups=_groups(),
        log=[(delivery, event, _body(delivery, event)) for delivery, event in log],
        words=alert_words,
    )


def _groups() -> list[tuple[str, list[str]]]:
    """Give the kinds by what they are about."""
    groups: dict[str, list[str]] = {}
    for kind in kinds.KINDS:
        groups.setdefault(kind.partition(".")[0], []).append(kind)
    return list(groups.items())


def _body(delivery: WebhookDelivery, event: OutgoingEvent) -> str:
    return json.dumps(
        {"type": event.kind, "timestamp": event.at.isoformat(), "data": event.body},
        ensure_ascii=False,
        indent=2,
    )


def _form_of(row: WebhookEndpoint) -> Form:
    return Form(
        {
            "address": row.url,
            "name": row.name,
            "which": "all" if row.kinds is None else "some",
            "kinds": " ".join(row.kinds or ()),
        }
    )


def _read() -> tuple[Form, Wish | None]:
    """Read the form; no wish when something in it is wrong, which the form then says."""
    written = {
        name: request.form.get(name, "").replace("\0", "").strip() for name in ("address", "name", "which")
    }
    chosen = [kind for kind in request.form.getlist("kinds") if kind in kinds.KINDS]
    form = Form({**written, "kinds": " ".join(chosen)})
    if written["which"] != "all" and not chosen:
        form.problems["kinds"] = _("Choose at least one, or everything.")
        return form, None
    return form, Wish(written["name"], None if written["which"] == "all" else tuple(chosen))


def _address(form: Form) -> str | None:
    written = form.written["address"]
    url = web_address(written) if len(written) <= ADDRESS_MAX_CHARS else None
    if url is None:
        form.problems["address"] = _("This is no https address.")
    return url


def _title(row: WebhookEndpoint) -> str:
    where = urlsplit(row.url).netloc or row.url
    return f"{row.name} · {where}" if row.name else where


def _find(endpoint_id: int) -> WebhookEndpoint:
    row = endpoints.find(endpoint_id)
    return row if row is not None and row.service not in CONNECTORS else abort(404)
