"""An operator's own account: the password."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

import auth
import operators
from models import Operator, db

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
        return render_template("dashboard/account.html"), auth.LOGIN_FAILED_STATUS
    return render_template("dashboard/account.html")


def _change_password(form: dict[str, str]) -> str | None:
    """Change the password and commit, or say why not."""
    operator = db.session.get_one(Operator, current_user.id)
    if not operators.is_password_of(operator, form.get("current", "")):
        return str(_("The current password is not right."))
    if form.get("new", "") != form.get("again", ""):
        return str(_("The new passwords differ."))
    if not operators.PASSWORD_MIN_CHARS <= len(form.get("new", "")) <= operators.PASSWORD_MAX_CHARS:
        return str(
            _(
                "A password has %(low)d to %(high)d characters.",
                low=operators.PASSWORD_MIN_CHARS,
                high=operators.PASSWORD_MAX_CHARS,
            )
        )
    operators.change_password(operator, form["new"])
    db.session.commit()
    auth.sign_in(operator)
    return None
