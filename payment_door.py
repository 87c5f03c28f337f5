"""The door of payment services: signed webhooks in, and the two pages to which a customer comes back.

Like `routes`, it verifies over the exact bytes, stores one row and says 200; only then is a worker woken,
which asks and books. Without a secret, or with a wrong, missing or old signature, it says 403; while the
database is away 503, so that the service sends again. The pages show nothing of the order: whoever has the
address may read them.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, cast

import structlog
from flask import Blueprint, Response, abort, g, jsonify, render_template, request
from flask.typing import ResponseReturnValue

import cashier
import tasks
from auth import api_key_required, current_config, refuse_forged
from cashier import Errand
from dashboard.languages import PAGE_LANGUAGES
from models import db
from providers import loose
from shop import bank_list, payment_events
from wires.payment import PaymentService, SignedNotice, UnreadableNotice
from wires.payment_services import payment_services

log = structlog.get_logger()
bp = Blueprint("payment_door", __name__)

OK: Final = "EVENT_RECEIVED"


@bp.post("/payments/stripe")
def stripe_webhook() -> Response:
    return _receive("stripe")


@bp.post("/payments/mercadopago")
def mercadopago_webhook() -> Response:
    return _receive("mercadopago")


@bp.post("/payments/bank")
@api_key_required("write")
def bank_lines() -> ResponseReturnValue:
    """Book what a program of the shop saw come in at its bank: {"lines": [{reference, amount, currency?,
    external_id?}]}. Answers how many were booked, known, of another amount, of no payment of ours, left out.
    """
    try:
        lines = bank_list.read_lines(_posted())
    except bank_list.UnreadableList as refusal:
        return jsonify(error={"code": "bad_request", "message": str(refusal)}), 400
    booked = cashier.book_list(lines, config=current_config(), now=datetime.now(UTC), actor="provider")
    for conversation_id in booked.conversation_ids:
        tasks.wake_outbox(conversation_id)
    return jsonify(
        paid=booked.paid,
        known=booked.known,
        wrong=booked.wrong,
        unknown=booked.unknown,
        left_out=booked.left_out,
    )


@bp.get("/payments/done/<language>")
def done(language: str) -> str:
    """Thank a customer who comes from the payment page; the chat tells when the money is there."""
    return _page("done", language)


@bp.get("/payments/back/<language>")
def back(language: str) -> str:
    """Receive a customer who left the payment page; its link goes on working."""
    return _page("back", language)


def _posted() -> Any:
    """Give what was posted; None for what is no JSON, or nested without end."""
    try:
        return request.get_json(silent=True)
    except RecursionError:
        return None


def _receive(method: str) -> Response:
    notice = SignedNotice(
        request.get_data(cache=True),  # the exact bytes, before anything parses them
        cast(Mapping[str, str], request.headers),
        request.args.to_dict(),
    )
    service = payment_services(current_config()).get(method)
    now = datetime.now(UTC)
    if service is None or not service.verify(notice, now=now):
        return refuse_forged("payment_webhook_refused", method=method, is_set_up=service is not None)
    event_id = _store(service, notice, now)
    db.session.commit()
    if event_id is not None:
        tasks.wake_errand(Errand("event", event_id))
    return Response(OK, mimetype="text/plain")


def _store(service: PaymentService, notice: SignedNotice, now: datetime) -> int | None:
    """Keep the event; one that is signed but cannot be read is kept, too, to be looked at."""
    kept = notice.to_bytes()
    try:
        read = service.read(notice)
    except UnreadableNotice:
        log.warning("payment_webhook_unreadable", method=service.method)
        key = f"o:{hashlib.sha256(kept).hexdigest()}"
        return payment_events.store(service.method, key, "", kept, now=now, is_readable=False)
    # Mercado Pago signs nothing of the body: what no column holds must not keep a notice from being taken.
    key, event_type = loose.clean_text(read.event_key), loose.clean_text(read.event_type)
    return payment_events.store(service.method, key, event_type, kept, now=now)


def _page(page: str, language: str) -> str:
    if language not in PAGE_LANGUAGES:
        abort(404)
    g.page_language = language  # the customer's, not that of whoever uses the dashboard on this machine
    return render_template("payments/returned.html", page=page)
