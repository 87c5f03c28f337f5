"""An operator's own account: the password, and the private addresses of the appointments' calendar."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

import auth
import operators
from alerts import recipients
from crm import calendar_feeds
from models import Operator, db, utc_now
from wires import web_push

bp = Blueprint("account", __name__)


@bp.route("/account", methods=["GET", "POST"])
@auth.throttle_login
def account() -> ResponseReturnValue:
    if request.method == "POST":
        refusal = _change_password(request.form)
        if refusal is None:
            flash(_("The password is changed. Every other session has ended."), "success")
            return redirect(url_for("account.account"), 303)
        flash(refusal, "danger")
        return _page(), auth.LOGIN_FAILED_STATUS
    return _page()


@bp.post("/account/calendar")
def make_feed() -> ResponseReturnValue:
    """Make a feed and show its address, this once."""
    token = calendar_feeds.make_feed(current_user.id, _("Appointments"), now=utc_now())
    db.session.commit()
    base = auth.current_config().public_base_url or request.host_url.rstrip("/")
    return _page(base + url_for("calendar_feed.feed", token=token))


@bp.post("/account/calendar/<int:feed_id>/revoke")
def revoke_feed(feed_id: int) -> ResponseReturnValue:
    if calendar_feeds.revoke(feed_id, current_user.id, now=utc_now()):
        flash(_("The address is revoked."), "success")
    db.session.commit()
    return redirect(url_for("account.account"), 303)


def _page(feed_address: str = "") -> str:
    feeds = calendar_feeds.feeds_of(current_user.id)
    return render_template(
        "dashboard/account.html",
        feeds=feeds,
        feed_address=feed_address,
        browsers=recipients.browsers_of(current_user.id),
        push_key=web_push.public_key(auth.current_config().secret_key),
    )


def _change_password(form: dict[str, str]) -> str | None:
    """Change the password and commit, or say why not."""
    operator = db.session.get_one(Operator, current_user.id)
    if not operators.is_password_of(operator, form.get("current", "")):
        return str(_("The current password is not right."))
    if form.get("new", "") != form.get("again", ""):
        return str(_("The new passwords differ."))
    problem = operators.password_problem(form.get("new", ""), operator.email, operator.name)
    if problem:
        return _problem_words(problem)
    operators.change_password(operator, form["new"])
    db.session.commit()
    auth.sign_in(operator)
    return None


def _problem_words(code: str) -> str:
    words = {
        "length": _(
            "A password has %(low)d to %(high)d characters.",
            low=operators.PASSWORD_MIN_CHARS,
            high=operators.PASSWORD_MAX_CHARS,
        ),
        "own": _("Choose a password that is more than your name or e-mail address."),
        "guessable": _(
            "This password is among the first that are tried. Take some words that do not belong together."
        ),
    }
    return str(words[code])
