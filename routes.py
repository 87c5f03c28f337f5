"""The webhook door and nothing else: verify, store, answer 200.

Meta posts to /webhook, Twilio to /whatsapp and /whatsapp/status. A signature is checked over the exact bytes,
the body is split into its elements, each becomes one row of the inbox, and only then are lanes woken and 200
said. No network call and no reading of meaning happens here. What is signed but not understood is stored and
still answered 200.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter
from typing import Final, cast

import structlog
from flask import Blueprint, Response, current_app, jsonify, request
from sqlalchemy import text as sql
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

import analytics
import inbox
import integrations
import metrics
import tasks
import whatsapp_service
from alerts import deliveries
from auth import api_key_required, current_config, refuse_forged
from inbox import InboxRow, InboxUnavailable
from integrations import Number
from message_content import Content
from models import begin_reading, begin_writing, db
from providers import provider
from providers.base import Element, InboundMessage, MalformedBody, SignedRequest
from providers.meta import answer_handshake
from providers.twilio import twiml

log = structlog.get_logger()
bp = Blueprint("door", __name__)

MAX_BODY_BYTES: Final = 3 * 1024 * 1024 + 64 * 1024  # Meta's batches reach 3 MB
POST_PATHS: Final = frozenset({"/webhook", "/whatsapp", "/whatsapp/status", "/whatsapp/sms"})
EMPTY_TWIML: Final = '<?xml version="1.0" encoding="UTF-8"?><Response/>'
OK: Final = "EVENT_RECEIVED"
UNDELIVERED: Final = ("failed", "undelivered")
ERROR_CODE_CHARS: Final = 10
ROW_DIGITS: Final = 18


@dataclass(frozen=True, slots=True)
class Admission:
    """Whom a request may speak for: the numbers whose secret signed it, or, unsigned, all that allow it."""

    numbers: tuple[Number, ...]
    is_signed: bool

    def number_for(self, element: Element) -> Number | None:
        if element.number_id is None:
            return next((n for n in self.numbers if n.is_default), self.numbers[0] if self.numbers else None)
        by_id = {n.account.number_id: n for n in self.numbers}
        return by_id.get(element.number_id) or by_id.get(element.service_id or "")


@bp.get("/webhook")
def handshake() -> Response:
    """Answer Meta's registration: the raw challenge when the verify token is one of ours."""
    begin_reading()
    tokens = {n.verify_token for n in integrations.numbers()} | {current_config().whatsapp_verify_token}
    challenge = answer_handshake(request.args, tuple(token for token in tokens if token))
    return Response(challenge or "", 403 if challenge is None else 200, mimetype="text/plain")


@bp.post("/webhook")
def meta_webhook() -> Response:
    return _receive("meta", Response(OK, mimetype="text/plain"))


@bp.post("/whatsapp")
def twilio_webhook() -> Response:
    return _receive("twilio", Response(EMPTY_TWIML, mimetype="text/xml"))


@bp.post("/whatsapp/status")
def twilio_status() -> Response:
    return _receive("twilio", Response(EMPTY_TWIML, mimetype="text/xml"))


@bp.post("/whatsapp/sms")
def text_message_status() -> Response:
    """Hear from Twilio that the text message of an alert did not arrive after all."""
    signed, secret = _signed_request("twilio"), current_config().twilio_auth_token
    if not secret or not provider("twilio").verify(signed, secret):
        return refuse_forged("webhook_refused", shape="sms", cause="signature")
    batch = request.args.get("batch", "")
    is_number = batch.isascii() and batch.isdigit() and len(batch) <= ROW_DIGITS
    if request.form.get("MessageStatus") in UNDELIVERED and is_number:
        begin_writing()
        code = request.form.get("ErrorCode", "")[:ERROR_CODE_CHARS]
        deliveries.note_undelivered(int(batch), code, now=datetime.now(UTC))
        db.session.commit()
    return Response(EMPTY_TWIML, mimetype="text/xml")


@bp.get("/webhook/health")
def health() -> tuple[Response, int]:
    """Tell monitors whether the door can store what comes."""
    begin_reading()
    try:
        db.session.execute(sql("SELECT 1"))
    except SQLAlchemyError:
        return jsonify(status="unavailable", database="unreachable"), 503
    return jsonify(status="ok", database="ok", time=datetime.now(UTC).isoformat()), 200


@bp.get("/webhook/stats/<phone>")
@api_key_required("read")
def stats(phone: str) -> tuple[Response, int]:
    """Give one person's counts (seed 004), behind an API key."""
    counts = analytics.person_counts(phone)
    if counts is None:
        return jsonify(error={"code": "not_found", "message": "Nobody with this phone has written."}), 404
    return jsonify(counts), 200


def _receive(shape: str, answer: Response) -> Response:
    """Take one webhook POST of a provider's shape, and count how long it took and how it ended."""
    began = perf_counter()
    given = _take(shape, answer)
    metrics.DOOR.labels(shape, given.status_code).observe(perf_counter() - began)
    return given


def _take(shape: str, answer: Response) -> Response:
    """Give `answer` once everything in the request is committed."""
    request.max_content_length = MAX_BODY_BYTES
    begin_reading()  # the inbox writes on a connection of its own, which must not wait for ours
    _adopt_environment()
    signed = _signed_request(shape)
    admission = _admit(shape, signed)
    if db.session.registry.has():
        db.session.rollback()  # no transaction is held while the inbox writes
    if admission is None:
        return refuse_forged("webhook_refused", shape=shape, cause="signature")
    try:
        elements = provider(shape).split(signed)
    except MalformedBody as error:
        if not admission.is_signed:
            return Response(f"{error}\n", 400, mimetype="text/plain")
        elements = [_unreadable(signed.body)]
    now = datetime.now(UTC)
    rows = [_row(shape, admission, element, now) for element in elements]
    try:
        inbox.current().store(rows)
    except InboxUnavailable:
        return Response("Try again later.\n", 503, mimetype="text/plain")
    lanes = {row.lane for row in rows if row.lane and row.state == "pending"}
    if shape == "twilio" and any(n.reply_mode == "twiml" for n in admission.numbers):
        return _answer_inside(rows, lanes)
    tasks.wake(lanes)
    return answer


def _row(shape: str, admission: Admission, element: Element, now: datetime) -> InboxRow:
    number = admission.number_for(element)
    if number is not None and _is_of_another_account(element, number):
        log.warning("webhook_of_another_account", shape=shape, integration_id=number.id)
        # Without its key, by which a replay would give it to this number after all.
        return inbox.row_of(shape, None, _unreadable(element.payload), now)
    return inbox.row_of(shape, number, element, now)


def _is_of_another_account(element: Element, number: Number) -> bool:
    return element.account_id is not None and number.account.business_id not in ("", element.account_id)


def _answer_inside(rows: Sequence[InboxRow], lanes: set[str]) -> Response:
    """Answer in the webhook's own response, for a number that is set to TwiML; what must wait goes by API
    later.

    A repeat is answered as the first time: had Twilio got that response, it would not ask again.
    """
    begin_writing()
    contents = [content for row in rows for content in _answered_before(row)]
    db.session.commit()
    contents += [content for lane in sorted(lanes) for content in tasks.answer_inside(lane)]
    return Response(twiml(contents), mimetype="text/xml")


def _answered_before(row: InboxRow) -> list[Content]:
    event = provider(row.provider).parse(row.payload)
    if row.integration_id is None or not isinstance(event, InboundMessage):
        return []
    return whatsapp_service.hand_out_again(row.integration_id, event.external_id, datetime.now(UTC))


def _adopt_environment() -> None:
    """Take the environment's numbers over once per process: a web server alone has no other moment for it."""
    if current_app.extensions.get("balcao_adopted"):
        return
    begin_writing()
    try:
        integrations.adopt_environment(current_config())
        db.session.commit()
    except IntegrityError:
        db.session.rollback()  # another process was quicker
    begin_reading()
    integrations.forget()
    current_app.extensions["balcao_adopted"] = True


def _signed_request(shape: str) -> SignedRequest:
    form: Sequence[tuple[str, str]] = ()
    body = request.get_data(cache=True)  # the exact bytes, before anything parses them
    if shape == "twilio":
        form = tuple(request.form.items(multi=True))
    url = _public_url() if shape == "twilio" else ""  # only Twilio signs it
    headers = cast(Mapping[str, str], request.headers)
    return SignedRequest(request.method, url, headers, body, form)


def _public_url() -> str:
    """The URL as the provider called it: behind a proxy only PUBLIC_BASE_URL knows."""
    base = current_config().public_base_url
    if not base:
        return request.url
    query = request.query_string.decode("latin-1")
    return f"{base}{request.path}{'?' + query if query else ''}"


def _admit(shape: str, signed: SignedRequest) -> Admission | None:
    """Find whose secret signed the request; every active secret of this shape is tried."""
    numbers = [n for n in integrations.numbers() if n.webhook_shape == shape]
    check = provider(shape).verify
    for secret in dict.fromkeys(n.account.app_secret for n in numbers):
        if secret and check(signed, secret):
            return Admission(tuple(n for n in numbers if n.account.app_secret == secret), is_signed=True)
    return Admission(tuple(numbers), is_signed=False) if _accepts_unsigned(numbers) else None


def _accepts_unsigned(numbers: Sequence[Number]) -> bool:
    """Unsigned webhooks pass in development only, and only while no real number has a secret."""
    config = current_config()
    if config.is_production:
        return False
    has_secret = any(n.account.app_secret for n in numbers if n.account.provider != "simulator")
    return not has_secret or not config.verify_webhook


def _unreadable(body: bytes) -> Element:
    return Element("other", None, f"o:{hashlib.sha256(body).hexdigest()}", None, None, body)
