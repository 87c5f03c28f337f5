"""Connectors: HubSpot and Cal.com are set up, tried, switched, told of everything anew, watched. For admins.

A key is written, never shown. What can be chosen (stages, event types) comes from a test, which each new key
starts by itself.
"""

import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

import vault
from admin.alert_settings import web_address
from admin.noting import note, note_switch
from admin.product_form import Form
from auth import current_config
from connectors import CONNECTORS, TITLES, hubspot, resync
from connectors.account import new_settings
from crm.leads import STATUSES
from dashboard import alert_words
from dashboard.arguments import row_id
from dashboard.meanwhile import overtaken
from models import WebhookEndpoint, db, utc_now
from telling import webhooks
from webhooks_out import deliveries, endpoints
from webhooks_out.endpoints import Wish

SHOWN_DELIVERIES: Final = 50
KEY_MAX_CHARS: Final = 400
HOOK_PATH: Final = "/connectors/calcom/webhook"

bp = Blueprint("connectors", __name__)


@bp.get("/connectors")
def page() -> ResponseReturnValue:
    """Show what can be connected, and how it stands."""
    rows = {row.service: row for row in endpoints.listed()}
    counts = deliveries.counts()
    shown = [
        (service, title, rows.get(service), counts.get(rows[service].id, {}) if service in rows else {})
        for service, title in TITLES.items()
    ]
    return render_template("admin/connectors.html", shown=shown, words=alert_words)


@bp.get("/connectors/<service>")
def connector(service: str) -> ResponseReturnValue:
    row = _find(service)
    return _form_page(service, row, _form_of(service, row))


@bp.post("/connectors/<service>")
def save(service: str) -> ResponseReturnValue:
    """Keep the key and the choices; a new key is tried at once."""
    row, now = _find(service), utc_now()
    if late := overtaken(lambda: connector(service), "connector", row.id if row is not None else 0):
        return late
    form, url = _read(service, row)
    key = request.form.get("key", "").strip()
    if row is None and not key:
        form.problems["key"] = _("Enter the key.")
    if url is None:
        form.problems["address"] = _("This is no https address.")
    if len(key) > KEY_MAX_CHARS or not (key.isascii() and key.isprintable()):
        form.problems["key"] = _("This is no key.")
    if form.problems or url is None:
        return _form_page(service, row, form), 422
    config, after = current_config(), "changed"
    if row is None:
        after = "added"
        wish = Wish(kinds=CONNECTORS[service].KINDS)
        row = endpoints.add(url, wish, secret=key, secret_key=config.secret_key, now=now, service=service)
        row.settings = new_settings() | ({"erases": False} if service == "calcom" else {})
        row.hook_secret = vault.seal(secrets.token_urlsafe(32), config.secret_key)
    elif key:
        row.secret = vault.seal(key, config.secret_key)
    row.url, row.settings = url, {**(row.settings or {}), **CHOICES[service](row.settings or {})}
    deliveries.hurry(row.id, now=now)
    note("connector", row.id, "", after, reason=f"{service}, {'new key' if key else ''}".strip(", "))
    db.session.commit()
    flash(_("Saved."), "success")
    return _try(row) if key else redirect(url_for("connectors.connector", service=service), 303)


@bp.post("/connectors/<service>/test")
def test(service: str) -> ResponseReturnValue:
    return _try(_standing(service))


@bp.post("/connectors/<service>/switch")
def switch(service: str) -> ResponseReturnValue:
    row = _standing(service)
    endpoints.switch(row, is_active=not row.is_active)
    note_switch("connector", row.id, is_on=row.is_active, reason=service)
    db.session.commit()
    flash(_("Told again from now on.") if row.is_active else _("Switched off: told no more."), "success")
    return redirect(url_for("connectors.connector", service=service), 303)


@bp.post("/connectors/<service>/resync")
def resync_all(service: str) -> ResponseReturnValue:
    """Tell everything that stands here once more; a worker does it."""
    row = _standing(service)
    total = resync.begin(row, now=utc_now())
    db.session.commit()
    flash(_("%(count)s records will be told again.", count=total), "success")
    return redirect(url_for("connectors.connector", service=service), 303)


@bp.post("/connectors/<service>/replay")
def replay(service: str) -> ResponseReturnValue:
    """Send one delivery once more, or all that failed; a worker does it."""
    row = _standing(service)
    one = request.form.get("delivery", type=row_id)
    count = deliveries.replay(row.id, None if one is None else [one], now=utc_now())
    db.session.commit()
    flash(_("%(count)s will be sent again.", count=count), "success")
    return redirect(url_for("connectors.connector", service=service), 303)


@bp.post("/connectors/<service>/secret")
def hook_secret(service: str) -> ResponseReturnValue:
    """Make a new secret for webhooks in; it is shown now, and never again."""
    row, secret = _standing(service), secrets.token_urlsafe(32)
    row.hook_secret = vault.seal(secret, current_config().secret_key)
    note("connector", row.id, "", "new secret", reason=service)
    db.session.commit()
    return _form_page(service, row, _form_of(service, row), secret)


@bp.post("/connectors/<service>/remove")
def remove(service: str) -> ResponseReturnValue:
    row = _standing(service)
    endpoints.remove(row, now=utc_now())
    note("connector", row.id, "", "deleted", reason=service)
    db.session.commit()
    flash(_("Removed."), "success")
    return redirect(url_for("connectors.page"), 303)


# --- the form -----------------------------------------------------------------------------------------------


def _try(row: WebhookEndpoint) -> ResponseReturnValue:
    service = row.service
    error = webhooks.send_test(row, current_config(), now=utc_now())
    if error is None:
        flash(_("%(title)s answers, and the key works.", title=TITLES[service]), "success")
    else:
        flash(alert_words.trouble_words(error.code), "danger")
    return redirect(url_for("connectors.connector", service=service), 303)


def _form_page(service: str, row: WebhookEndpoint | None, form: Form, secret: str = "") -> str:
    log = deliveries.newest(row.id, SHOWN_DELIVERIES) if row is not None else []
    return render_template(
        "admin/connector.html",
        service=service,
        title=TITLES[service],
        row=row,
        form=form,
        settings=(row.settings or {}) if row is not None else {},
        statuses=STATUSES,
        secret=secret,
        hook_address=f"{current_config().own_url}{HOOK_PATH}",
        our_minutes=current_config().appointment_mins,
        progress=resync.progress(row) if row is not None else None,
        log=[(one, event, json.dumps(event.body, ensure_ascii=False, indent=2)) for one, event in log],
        words=alert_words,
        options=_options,
    )


def _options(rows: Iterable[Mapping[str, Any]], name: str) -> list[tuple[Any, str]]:
    return [(one["id"], one[name]) for one in rows]


def _form_of(service: str, row: WebhookEndpoint | None) -> Form:
    settings: Mapping[str, Any] = (row.settings or {}) if row is not None else {}
    stages = {f"stage_{status}": stage for status, stage in (settings.get("stages") or {}).items()}
    return Form(
        {
            "key": "",
            "address": row.url if row is not None else CONNECTORS[service].BASE_URL,
            "pipeline": settings.get("pipeline", ""),
            "event_type": str(settings.get("event_type", "")),
            **stages,
        }
    )


def _read(service: str, row: WebhookEndpoint | None) -> tuple[Form, str | None]:
    form = _form_of(service, row)
    form.written["address"] = request.form.get("address", "").strip() or form.written["address"]
    return form, web_address(form.written["address"])


def _hubspot_choices(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Read pipeline and stages; what the account does not have is left as it was."""
    pipelines = {one["id"]: one for one in settings.get("pipelines") or ()}
    if not pipelines:
        return {}
    chosen = request.form.get("pipeline", "")
    is_other = chosen in pipelines and chosen != settings.get("pipeline")
    pipeline = pipelines.get(chosen) or pipelines[settings["pipeline"]]
    known = {stage["id"] for stage in pipeline["stages"]}
    written = {status: request.form.get(f"stage_{status}", "") for status in STATUSES}
    stages = {status: stage for status, stage in written.items() if stage in known}
    proposed = hubspot.proposed_stages(pipeline) if is_other else settings.get("stages") or {}
    return {
        "pipeline": pipeline["id"],
        "stages": {**proposed, **stages},
        "erases": request.form.get("erases") == "yes",
    }


def _calcom_choices(settings: Mapping[str, Any]) -> dict[str, Any]:
    types = {str(one["id"]): one for one in settings.get("event_types") or ()}
    chosen = types.get(request.form.get("event_type", ""))
    return {} if chosen is None else {"event_type": chosen["id"], "minutes": chosen["minutes"]}


CHOICES: Final[Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "hubspot": _hubspot_choices,
    "calcom": _calcom_choices,
}


def _find(service: str) -> WebhookEndpoint | None:
    return endpoints.of_service(service) if service in TITLES else abort(404)


def _standing(service: str) -> WebhookEndpoint:
    return _find(service) or abort(404)
