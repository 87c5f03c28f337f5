"""Whether Meta hears what became of the customers who came to a number by an ad. For admins.

A part of the number's page: where it goes (Meta's dataset), on and off, and how it stands. The log is the
page of webhooks'.
"""

from dataclasses import dataclass

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

import integrations
from admin.noting import note
from auth import current_config
from models import WebhookEndpoint, db, utc_now
from providers import meta_conversions
from providers.base import Account, SendError
from telling import conversions
from webhooks_out import deliveries, endpoints
from webhooks_out.endpoints import Wish

bp = Blueprint("conversions", __name__)


@dataclass(frozen=True, slots=True)
class Standing:
    """How conversions stand for one number; no row: they are not told."""

    row: WebhookEndpoint | None
    sent: int = 0
    waiting: int = 0
    failed: int = 0


def standing(integration_id: int) -> Standing:
    row = endpoints.conversions_of(integration_id)
    if row is None:
        return Standing(None)
    counts = deliveries.counts().get(row.id, {})
    return Standing(row, counts.get("sent", 0), counts.get("waiting", 0), counts.get("failed", 0))


@bp.post("/integrations/<int:number_id>/conversions")
def switch_on(number_id: int) -> ResponseReturnValue:
    """Tell Meta from now on."""
    number = integrations.number(number_id)
    if number is None or number.account.provider != "meta":
        abort(404)
    wanted = request.form.get("dataset_id", "").strip()
    db.session.rollback()
    if request.form.get("people_know") != "1":
        flash(_("Say first that your customers are told of it."), "danger")
        return _back(number_id)
    dataset_id = _dataset(number.account, wanted)
    if isinstance(dataset_id, SendError):
        said = dataset_id.operator_message
        flash(_("Meta does not take conversions of this number yet. %(said)s", said=said), "danger")
        return _back(number_id)
    _remove(number_id)
    row = endpoints.add(
        dataset_id,
        Wish(f"Meta · {number.name}", tuple(conversions.NAMES)),
        secret="",
        secret_key=current_config().secret_key,
        now=utc_now(),
        service=endpoints.CONVERSIONS,
        integration_id=number_id,
    )
    note("webhook_endpoint", row.id, "", "conversions on")
    db.session.commit()
    flash(_("From now on Meta hears of leads and purchases that began with an ad."), "success")
    return _back(number_id)


@bp.post("/integrations/<int:number_id>/conversions/off")
def switch_off(number_id: int) -> ResponseReturnValue:
    """Tell Meta no more; the log stays."""
    if _remove(number_id):
        db.session.commit()
        flash(_("Meta hears of nothing any more."), "success")
    return _back(number_id)


def _dataset(account: Account, wanted: str) -> str | SendError:
    """Give the account's dataset, which Meta makes when there is none and none was named. No transaction is
    held while it is asked."""
    found = meta_conversions.dataset_of(account, now=utc_now(), make=not wanted)
    if isinstance(found, SendError):
        return found
    return conversions.OTHER_DATASET if not found or (wanted and wanted != found) else found


def _back(number_id: int) -> ResponseReturnValue:
    return redirect(url_for("numbers.edit", number_id=number_id, _anchor="conversions"), 303)


def _remove(number_id: int) -> bool:
    row = endpoints.conversions_of(number_id)
    if row is None:
        return False
    endpoints.remove(row, now=utc_now())
    note("webhook_endpoint", row.id, "conversions on", "off")
    return True
