"""Forms of websites that open leads here: private addresses, shown once, and their end. For admins."""

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

import integrations
from admin.noting import note
from admin.product_form import Form
from auth import current_config
from crm import web_forms
from dashboard.arguments import row_id
from models import LeadForm, db, utc_now

bp = Blueprint("lead_forms", __name__)


@bp.get("/webhooks/forms")
def page() -> ResponseReturnValue:
    return _page(Form({"name": "", "source": ""}))


@bp.post("/webhooks/forms")
def add() -> ResponseReturnValue:
    """Make a form's address; it is shown now, and never again."""
    written = {
        name: request.form.get(name, "").replace("\0", "").strip() for name in ("name", "source", "number")
    }
    form = Form(written)
    if not written["name"]:
        form.problems["name"] = _("Give it a name.")
        return _page(form), 422
    number = request.form.get("number", type=row_id)
    if number is not None and integrations.number(number) is None:
        number = None
    row, token = web_forms.add_form(
        written["name"], source=written["source"] or written["name"], integration_id=number, now=utc_now()
    )
    note("lead_form", row.id, "", "added", reason=row.name)
    db.session.commit()
    return _page(Form({"name": "", "source": ""}), f"{current_config().own_url}/forms/{token}")


@bp.post("/webhooks/forms/<int:form_id>/revoke")
def revoke(form_id: int) -> ResponseReturnValue:
    web_forms.revoke(db.session.get(LeadForm, form_id) or abort(404), now=utc_now())
    note("lead_form", form_id, "", "deleted")
    db.session.commit()
    flash(_("Removed."), "success")
    return redirect(url_for("lead_forms.page"), 303)


def _page(form: Form, address: str = "") -> str:
    numbers = [(str(one.id), one.name) for one in integrations.numbers()]
    return render_template(
        "admin/lead_forms.html", forms=web_forms.forms(), form=form, address=address, numbers=numbers
    )
