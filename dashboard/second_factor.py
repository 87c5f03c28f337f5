"""An operator's own second factor: turning it on with an authenticator app, and off again.

The secret that is being set up lives in the session until a code of it was given; only then it counts.
"""

from io import BytesIO
from urllib.parse import quote

import segno
from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

import auth
import operators
import vault
from models import Operator, db, utc_now

SETTING_UP = "totp_in_setup"

bp = Blueprint("second_factor", __name__)


@bp.get("/account/second-factor")
def second_factor() -> ResponseReturnValue:
    return _page(db.session.get_one(Operator, current_user.id))


@bp.post("/account/second-factor")
@auth.throttle_login
def turn_on() -> ResponseReturnValue:
    """Turn it on when password and code are right; the page then shows the recovery codes, this once."""
    operator = db.session.get_one(Operator, current_user.id)
    refusal = _wrong_password(operator)
    codes = None
    if refusal is None:
        code = "".join(request.form.get("code", "").split())
        codes = operators.turn_on_totp(operator, _secret(), code, secret_key=_secret_key(), now=utc_now())
        if codes is None:
            refusal = str(_("That code is not of this secret. Is the phone's clock right?"))
    if refusal is not None:
        flash(refusal, "danger")
        return _page(operator), auth.LOGIN_FAILED_STATUS
    session.pop(SETTING_UP, None)
    db.session.commit()
    return _page(operator, codes or ())


@bp.post("/account/second-factor/off")
@auth.throttle_login
def turn_off() -> ResponseReturnValue:
    operator = db.session.get_one(Operator, current_user.id)
    refusal = _wrong_password(operator)
    if refusal is not None:
        flash(refusal, "danger")
        return _page(operator), auth.LOGIN_FAILED_STATUS
    operators.turn_off_totp(operator)
    db.session.commit()
    flash(_("The second step is off."), "success")
    return redirect(url_for("second_factor.second_factor"), 303)


def _page(operator: Operator, codes: tuple[str, ...] = ()) -> str:
    is_on = bool(operator.totp_secret)
    secret = "" if is_on else _secret()
    return render_template(
        "dashboard/second_factor.html",
        is_on=is_on,
        secret=secret,
        picture="" if is_on else _picture(operators.totp_address(operator, secret)),
        codes=codes,
        codes_left=len(operator.recovery_hashes or ()),
    )


def _secret() -> str:
    """Give the secret that this session sets up. It is sealed: a session's cookie can be read."""
    if SETTING_UP not in session:
        session[SETTING_UP] = vault.seal(operators.new_totp_secret(), _secret_key())
    return vault.unseal(session[SETTING_UP], _secret_key())


def _picture(address: str) -> str:
    target = BytesIO()
    segno.make_qr(address, error="m").save(target, kind="svg", scale=4, border=3, light="#fff", xmldecl=False)
    return "data:image/svg+xml;utf8," + quote(target.getvalue().decode())


def _wrong_password(operator: Operator) -> str | None:
    if operators.is_password_of(operator, request.form.get("current", "")):
        return None
    return str(_("The current password is not right."))


def _secret_key() -> str:
    return auth.current_config().secret_key
