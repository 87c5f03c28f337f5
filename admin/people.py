"""People of ours: who may sign in, and how far; and what each of them has done. For admins."""

import secrets
from typing import Final

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy import select

import operators
from admin.noting import note
from dashboard.arguments import row_id
from models import Operator, StateChange, db
from operators import OperatorRefused
from vocabulary import ROLES

PASSWORD_BYTES: Final = 12
NAME_MAX_CHARS: Final = 120
AUDIT_SIZE: Final = 60

bp = Blueprint("people", __name__)


@bp.get("/operators")
def list_page() -> str:
    return _page()


@bp.post("/operators")
def create() -> ResponseReturnValue:
    """Let somebody in; the password is shown once, to be handed over and changed."""
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    name = request.form.get("name", "").replace("\0", "").strip()[:NAME_MAX_CHARS]
    role = request.form.get("role", "")
    try:
        if role not in ROLES or not name:
            raise OperatorRefused("incomplete")
        made = operators.create_operator(request.form.get("email", ""), name, password, role)
    except OperatorRefused:
        db.session.rollback()
        flash(_("It takes a name, a role, and an e-mail address that nobody here has."), "danger")
        return _page(), 422
    note("operator", made.id, "", role)
    shown = made.email
    db.session.commit()
    return _page(shown, password)


@bp.post("/operators/<int:operator_id>")
def change(operator_id: int) -> ResponseReturnValue:
    """Change what somebody may do, switch the person off or on, or give a new password."""
    row = db.session.get(Operator, operator_id) or abort(404)
    match request.form.get("do", ""):
        case "role":
            return _set_role(row, request.form.get("role", ""))
        case "off":
            return _switch_off(row)
        case "on":
            row.is_active = True
            return _done(row, "off", "on", _("%(name)s may sign in again.", name=row.name))
        case "password":
            password = secrets.token_urlsafe(PASSWORD_BYTES)
            operators.change_password(row, password)
            note("operator", row.id, "", "new password")
            shown = row.email
            db.session.commit()
            return _page(shown, password)
        case "second_factor":
            operators.turn_off_totp(row)
            return _done(row, "", "no second factor", _("The second factor is off."))
    return abort(400)


@bp.get("/audit")
def audit() -> str:
    """List what people of ours did, the newest first."""
    before = request.args.get("before", type=row_id)
    who = request.args.get("operator", type=row_id)
    query = select(StateChange).where(StateChange.operator_id.is_not(None))
    if who is not None:
        query = query.where(StateChange.operator_id == who)
    if before is not None:
        query = query.where(StateChange.id < before)
    found = db.session.scalars(query.order_by(StateChange.id.desc()).limit(AUDIT_SIZE + 1)).all()
    rows = found[:AUDIT_SIZE]
    people = db.session.scalars(select(Operator).order_by(Operator.name)).all()
    return render_template(
        "admin/audit.html",
        rows=rows,
        people=people,
        names={one.id: one.name for one in people},
        who=who,
        before=rows[-1].id if len(found) > len(rows) else None,
    )


def _set_role(row: Operator, role: str) -> ResponseReturnValue:
    if role not in ROLES:
        abort(400)
    if _is_last_admin(row) and role != "admin":
        flash(_("Somebody has to stay admin."), "danger")
        return redirect(url_for("people.list_page"), 303)
    before, row.role = row.role, role
    operators.end_sessions(row)
    return _done(
        row, before, role, _("%(name)s has another role; it counts from the next sign-in.", name=row.name)
    )


def _switch_off(row: Operator) -> ResponseReturnValue:
    if row.id == current_user.id or _is_last_admin(row):
        flash(_("You and the last admin stay."), "danger")
        return redirect(url_for("people.list_page"), 303)
    operators.deactivate(row)
    return _done(row, "on", "off", _("%(name)s may no longer sign in.", name=row.name))


def _done(row: Operator, before: str, after: str, words: str) -> ResponseReturnValue:
    note("operator", row.id, before, after)
    db.session.commit()
    flash(words, "success")
    return redirect(url_for("people.list_page"), 303)


def _is_last_admin(row: Operator) -> bool:
    """Whether nobody else is admin. Holds the admins' rows until the commit and reads them anew: of two who
    end each other at once, the second must see what the first has done.
    """
    admins = select(Operator).where(Operator.role == "admin", Operator.is_active.is_(True))
    held = admins.order_by(Operator.id).with_for_update().execution_options(populate_existing=True)
    return [one.id for one in db.session.scalars(held)] == [row.id]


def _page(email: str = "", password: str = "") -> str:
    rows = db.session.scalars(select(Operator).order_by(Operator.is_active.desc(), Operator.name)).all()
    words = {"agent": _("agent"), "manager": _("manager"), "admin": _("admin")}
    return render_template(
        "admin/people.html", rows=rows, roles=ROLES, role_words=words, email=email, password=password
    )
