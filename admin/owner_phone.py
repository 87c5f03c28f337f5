"""The owner's own phone: which it is, whether she can be told now, and what she was told. For admins."""

from dataclasses import dataclass
from typing import Final

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import selectinload

import integrations
import phone
from admin.noting import note
from admin.product_form import Form
from auth import current_config
from models import Contact, Conversation, Integration, db, utc_now
from owner import notices, phones
from owner.phones import OwnerLine

SHOWN_NOTICES: Final = 30
HOME_REGION: Final = "BR"

bp = Blueprint("owner_phone", __name__)


@dataclass(frozen=True, slots=True)
class ShownNumber:
    """A number of ours, its owner's phone as the form has it, and her conversation with it."""

    row: Integration
    form: Form
    line: OwnerLine | None
    has_template: bool
    code: str


@bp.get("/owner-phone")
def owner_phone() -> ResponseReturnValue:
    return _page()


@bp.post("/owner-phone/<int:integration_id>")
def save(integration_id: int) -> ResponseReturnValue:
    """Keep the owner's phone of one number; empty means the one of the environment."""
    row = db.session.get(Integration, integration_id) or abort(404)
    typed = request.form.get("owner_phone", "").replace("\0", "").strip()
    region = phone.country(row.display_phone) if row.display_phone else None
    number = phone.normalise(typed, None if typed.startswith("+") else region or HOME_REGION) if typed else ""
    if number is None or len(number) > phones.OWNER_PHONE_MAX_CHARS:
        problem = _("This is no phone number. Write it with country code: +55 11 98765-4321.")
        return _page(row.id, Form({"owner_phone": typed}, {"owner_phone": problem})), 422
    integrations.change(row, owner_phone=number)
    note("owner_phone", row.id, "", "changed")
    db.session.commit()
    flash(_("The owner's phone is saved."), "success")
    return redirect(url_for("owner_phone.owner_phone"), 303)


def _page(refused_id: int | None = None, refused: Form | None = None) -> str:
    rows = db.session.scalars(select(Integration).where(Integration.is_active).order_by(Integration.id)).all()
    told = notices.list_notices(limit=SHOWN_NOTICES)
    return render_template(
        "admin/owner_phone.html",
        numbers=[_shown(row, refused if row.id == refused_id and refused else None) for row in rows],
        notices=told,
        contacts=_contacts({row.conversation_id for row in told}),
        from_environment=current_config().owner_phone,
        kind_words=_kind_words(),
        state_words=_state_words(),
        shown_phone=phone.display,
    )


def _shown(row: Integration, refused: Form | None) -> ShownNumber:
    number = integrations.number(row.id)
    line = phones.line_of(number, utc_now()) if number is not None and number.owner_phone else None
    form = refused or Form({"owner_phone": phone.display(row.owner_phone)})
    has_template = number is not None and notices.has_template(number, current_config())
    is_set = number is not None and bool(number.owner_phone)
    code = phones.code_of(number, current_config().secret_key, utc_now()) if number and is_set else ""
    return ShownNumber(row, form, line, has_template, code)


def _contacts(conversation_ids: set[int]) -> dict[int, Contact]:
    found = db.session.execute(
        select(Conversation.id, Contact)
        .join(Contact, Contact.id == Conversation.contact_id)
        .where(Conversation.id.in_(conversation_ids))
        .options(selectinload(Contact.identities))
    )
    return {row.id: row.Contact for row in found}


def _kind_words() -> dict[str, str]:
    return {
        "paid": _("an order was paid"),
        "payment_claimed": _("a customer says that she paid"),
        "claim_ending": _("an order that is said to be paid ends soon"),
        "payment_mismatch": _("a payment of another amount"),
        "payment_twice": _("an order was paid twice"),
        "payment_late": _("a cancelled order was paid"),
        "to_deliver": _("something is to be handed over"),
        "undelivered": _("goods wait for the customer to write"),
        "no_keys": _("no licence key is left"),
        "waiting": _("a customer waits for a person"),
        "complaint": _("a complaint"),
    }


def _state_words() -> dict[str, str]:
    return {
        "waiting": _("waits until she writes"),
        "sent": _("told"),
        "later": _("reminded later"),
        "done": _("done"),
        "dropped": _("settled before"),
    }
