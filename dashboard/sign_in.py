"""Coming in, going out, and the language and colours of the pages. Open to everybody."""

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

import auth
import operators
from dashboard.languages import PAGE_LANGUAGES, SESSION_KEY, THEME_KEY, THEMES
from models import Operator, db, utc_now

CODE_MAX_CHARS = 40

bp = Blueprint("sign_in", __name__)


@bp.route("/login", methods=["GET", "POST"])
@auth.throttle_login
def login() -> ResponseReturnValue:
    target = auth.safe_next(request.values.get("next"))
    if current_user.is_authenticated:
        return redirect(target or url_for("status.home"))
    if request.method == "GET":
        return render_template("sign_in/login.html", next=target, email="")
    email = request.form.get("email", "").strip()
    operator = operators.authenticate(email, request.form.get("password", ""), now=utc_now())
    if operator is None:
        flash(_("That e-mail and password do not go together."), "danger")
        page = render_template("sign_in/login.html", next=target, email=email)
        return page, auth.LOGIN_FAILED_STATUS
    if operator.totp_secret:
        auth.await_code(operator, utc_now())
        db.session.commit()
        return redirect(url_for("sign_in.code", next=target), 303)
    return _welcome(operator, target)


@bp.route("/login/code", methods=["GET", "POST"])
@auth.throttle_code
def code() -> ResponseReturnValue:
    """Ask for the second factor of whoever gave the right password."""
    target, now = auth.safe_next(request.values.get("next")), utc_now()
    operator = auth.awaits_code_of(now)
    if operator is None or not operator.totp_secret:
        return redirect(url_for("sign_in.login", next=target))
    if request.method == "GET":
        return render_template("sign_in/code.html", next=target)
    written = request.form.get("code", "")[:CODE_MAX_CHARS]
    secret_key = auth.current_config().secret_key
    if operators.takes_second_factor(operator, written, secret_key=secret_key, now=now):
        return _welcome(operator, target)
    db.session.commit()
    flash(_("That code is not right, or was used already."), "danger")
    return render_template("sign_in/code.html", next=target), auth.LOGIN_FAILED_STATUS


def _welcome(operator: Operator, target: str | None) -> ResponseReturnValue:
    _start_session(operator)
    answer = redirect(target or url_for("status.home"))
    auth.remember_device(answer, operator)
    return answer


def _start_session(operator: Operator) -> None:
    """Begin a fresh session, so that nothing an attacker put into the old one lives on; commits."""
    kept = {key: session[key] for key in (SESSION_KEY, THEME_KEY) if key in session}
    session.clear()
    session.update(kept)
    session.permanent = True
    auth.sign_in(operator)
    db.session.commit()


@bp.post("/logout")
def logout() -> ResponseReturnValue:
    if current_user.is_authenticated:
        auth.sign_out()
        db.session.commit()
        flash(_("You are signed out on all your devices."), "success")
    return redirect(url_for("sign_in.login"))


@bp.post("/language")
def choose_language() -> ResponseReturnValue:
    language = request.form.get("language", "")
    if language in PAGE_LANGUAGES:
        session[SESSION_KEY] = language
    return redirect(auth.safe_next(request.form.get("next")) or url_for("status.home"))


@bp.post("/theme")
def choose_theme() -> ResponseReturnValue:
    theme = request.form.get("theme", "")
    if theme in THEMES:
        session[THEME_KEY] = theme
    return redirect(auth.safe_next(request.form.get("next")) or url_for("status.home"))
