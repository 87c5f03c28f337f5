"""An operator's own browsers that show alerts: turned on by the browser's consent, taken away, tested."""

from typing import Final
from urllib.parse import urlsplit

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from alerts import kinds, recipients
from alerts.recipients import Wish
from auth import current_config
from dashboard import alert_words
from dashboard.languages import page_language
from models import db, utc_now
from telling import alerting
from wires import guarded_fetch
from wires.web_push import BadSubscription, Subscription

# A part of what the browser says of itself tells the own ones apart; the first that fits, as others claim
# to be Chrome and Safari, too.
BROWSERS: Final = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
SYSTEMS: Final = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS", "Mac"),
    ("Linux", "Linux"),
)  # fmt: skip

bp = Blueprint("browser_alerts", __name__)


@bp.post("/account/browsers")
def add() -> ResponseReturnValue:
    """Keep this browser's subscription; what is none is refused."""
    subscription = Subscription(
        *(request.form.get(name, "").strip() for name in ("endpoint", "p256dh", "auth"))
    )
    if not _is_usable(subscription):
        abort(400)
    is_admin = current_user.may("admin")
    # Who is no admin need not hear of servers and credentials, unless an admin says so.
    chosen = None if is_admin else (*kinds.names(kinds.CUSTOMERS), *kinds.names(kinds.MONEY))
    recipients.subscribe(
        current_user.id,
        Wish("", page_language(), chosen),
        endpoint=subscription.endpoint,
        p256dh=subscription.p256dh,
        auth=subscription.auth,
        browser=_browser_name(request.headers.get("User-Agent", "")),
        now=utc_now(),
    )
    db.session.commit()
    flash(_("This browser shows alerts from now on."), "success")
    return _back()


@bp.post("/account/browsers/<int:subscription_id>/remove")
def remove(subscription_id: int) -> ResponseReturnValue:
    if recipients.unsubscribe(subscription_id, current_user.id, now=utc_now()):
        flash(_("This browser shows no more alerts."), "success")
    db.session.commit()
    return _back()


@bp.post("/account/browsers/test")
def test() -> ResponseReturnValue:
    """Really send a test to the own browsers, and say what came of it."""
    row = recipients.push_recipient(current_user.id)
    if row is None:
        abort(404)
    error = alerting.send_test(row, current_config(), now=utc_now())
    if error is None:
        flash(_("The test was sent to your browsers."), "success")
    else:
        reason = alert_words.trouble_words(error.code)
        flash(_("The test was not sent: %(reason)s", reason=reason), "danger")
    return _back()


def _is_usable(subscription: Subscription) -> bool:
    endpoint = subscription.endpoint
    if len(endpoint) > guarded_fetch.MAX_URL_CHARS or not (endpoint.isascii() and endpoint.isprintable()):
        return False
    schemes = ("https", "http") if current_config().allow_private_addresses else ("https",)
    try:
        subscription.check()
        parts = urlsplit(endpoint)
    except (BadSubscription, ValueError):
        return False
    return parts.scheme in schemes and bool(parts.hostname)


def _browser_name(said: str) -> str:
    browser = next((name for mark, name in BROWSERS if mark in said), "")
    system = next((name for mark, name in SYSTEMS if mark in said), "")
    return " · ".join(part for part in (browser, system) if part)


def _back() -> ResponseReturnValue:
    return redirect(url_for("account.account") + "#browsers-head", 303)
