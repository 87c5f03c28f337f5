"""Keys of programs: made with their scopes, shown once, revoked; and what each has changed. For admins."""

from collections.abc import Mapping
from typing import Final

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

import operators
from admin.noting import note
from admin.product_form import Form
from models import ApiKey, Operator, db, utc_now
from operators import SCOPES, OperatorRefused

SHOWN_WRITES: Final = 50

bp = Blueprint("api_keys", __name__)


@bp.get("/api-keys")
def page() -> ResponseReturnValue:
    return _page(Form({"name": ""}))


@bp.post("/api-keys")
def add() -> ResponseReturnValue:
    """Make a key; it is shown now, and never again."""
    name = request.form.get("name", "").replace("\0", "").strip()
    chosen = [scope for scope in SCOPES if scope in request.form.getlist("scope")]
    form = Form({"name": name})
    if not name:
        form.problems["name"] = _("Give it a name.")
    if not chosen:
        form.problems["scope"] = _("Choose what it may do.")
    if form.problems:
        return _page(form, chosen), 422
    try:
        made = operators.create_api_key(name, tuple(chosen), operator_id=current_user.id)
    except OperatorRefused:
        abort(400)
    note("api_key", made.row.id, "", "added")
    db.session.commit()
    return _page(Form({"name": ""}), key=made.key)


@bp.get("/api-keys/<int:key_id>")
def key(key_id: int) -> ResponseReturnValue:
    """Show what was changed with one key."""
    row = db.session.get(ApiKey, key_id) or abort(404)
    maker = db.session.get(Operator, row.operator_id) if row.operator_id else None
    return render_template(
        "admin/api_key.html",
        row=row,
        maker=maker,
        words=scope_words(),
        writes=operators.writes_of(row.id, SHOWN_WRITES),
    )


@bp.post("/api-keys/<int:key_id>/revoke")
def revoke(key_id: int) -> ResponseReturnValue:
    operators.revoke_api_key(db.session.get(ApiKey, key_id) or abort(404), now=utc_now())
    note("api_key", key_id, "", "revoked")
    db.session.commit()
    flash(_("The key is revoked: it opens nothing any more."), "success")
    return redirect(url_for("api_keys.page"), 303)


def scope_words() -> Mapping[str, str]:
    """Say what each scope opens."""
    return {
        "read": _("read everything"),
        "write": _("change everything"),
        "integrations:read": _("read the numbers"),
        "contacts:read": _("read contacts"),
        "contacts:write": _("change and delete contacts"),
        "messages:read": _("read conversations and messages"),
        "messages:send": _("send messages and hand conversations over"),
        "outreach:read": _("read templates and campaigns"),
        "outreach:write": _("hold campaigns and let them go on"),
        "records:read": _("read leads, tickets, complaints and appointments"),
        "records:write": _("open and change them"),
        "shop:read": _("read products, orders and sales"),
        "shop:write": _("change products"),
        "knowledge:read": _("read articles"),
        "knowledge:write": _("write and delete articles"),
        "figures:read": _("read figures and the learning log"),
    }


def _page(form: Form, chosen: list[str] | None = None, *, key: str = "") -> str:
    keys = operators.list_api_keys()
    return render_template(
        "admin/api_keys.html",
        live=[row for row in keys if row.revoked_at is None],
        revoked=[row for row in keys if row.revoked_at is not None],
        form=form,
        chosen=chosen or [],
        words=scope_words(),
        key=key,
    )
