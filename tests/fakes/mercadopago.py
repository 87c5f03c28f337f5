"""A fake of Mercado Pago for one Brazilian account: Pix payments, refunds; signed notices; faults.

It refuses what mercadopago.com.br/developers says is refused (no idempotency key, an e-mail that is none, a
date not written as wanted, states), and tells of each change by a notice that names the payment only.
Customers act through `pay` and `expire`; the owner's page through `give_back` and `charge_back`.
"""

import base64
import hashlib
import hmac
import io
import itertools
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import segno

from tests.fakes.payment_fake import PaymentFake
from tests.fakes.server import Request
from tests.fakes.webhooks import Webhook

ACCESS_TOKEN = "APP_USR-of-the-tests"
WEBHOOK_SECRET = "the-secret-signature-of-the-tests"
PATH = "/payments/mercadopago"
SHORTEST, LONGEST = timedelta(minutes=30), timedelta(days=30)
SLACK = timedelta(minutes=1)
# As the pages write it: milliseconds and an offset with a colon.
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]{2,}")


class Refusal(Exception):
    """The API says no: a message, a word and causes."""

    def __init__(self, status: int, message: str, cause: int = 0) -> None:
        super().__init__(message)
        causes = [{"code": cause, "description": message, "data": None}] if cause else []
        word = {401: "unauthorized", 404: "not_found"}.get(status, "bad_request")
        self.status = status
        self.payload = {"message": message, "error": word, "status": status, "cause": causes}


@dataclass
class FakeMercadoPago(PaymentFake):
    """Mercado Pago for one account. Notices go to `webhook_url`, as if a tunnel stood behind each payment's
    own `notification_url`.
    """

    access_token: str = ACCESS_TOKEN
    webhook_secret: str = WEBHOOK_SECRET
    site: str = "MLB"
    seller_email: str = "loja@ana.example"  # nobody pays herself
    payments: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._serial = itertools.count(1_320_000_001)
        self._notice_serial = itertools.count(1)

    # --- what people do ---

    def pay(self, payment_id: str, amount: str | None = None) -> dict[str, Any]:
        """Pay the code in a bank's app. No bank pays another `amount`: that is for mismatches only."""
        payment = self.payments[payment_id]
        assert payment["status"] == "pending", f"{payment_id} is {payment['status']}: no bank pays it"
        payment |= {"status": "approved", "status_detail": "accredited", "date_approved": _stamp()}
        if amount is not None:
            payment["transaction_amount"] = float(amount)
        return self._tell(payment, "payment.updated")

    def expire(self, payment_id: str) -> dict[str, Any]:
        """Let the time of an open payment run out."""
        payment = self.payments[payment_id]
        payment |= {"status": "cancelled", "status_detail": "expired"}
        return self._tell(payment, "payment.updated")

    def give_back(self, payment_id: str, amount: str) -> dict[str, Any]:
        """Refund on the account's page."""
        self._refund(payment_id, Decimal(amount))
        return self._tell(self.payments[payment_id], "payment.updated")

    def charge_back(self, payment_id: str) -> dict[str, Any]:
        """Let the payer's bank take the money back."""
        self.payments[payment_id] |= {"status": "charged_back", "status_detail": "in_process"}
        return self._tell(self.payments[payment_id], "payment.updated")

    def payment_of(self, reference: str) -> dict[str, Any]:
        """Give the one payment with our reference."""
        (found,) = [p for p in self.payments.values() if p["external_reference"] == reference]
        return found

    # --- notices ---

    def notice(
        self,
        event: Mapping[str, Any],
        *,
        secret: str | None = None,
        request_id: str | None = None,
        at: int | None = None,
    ) -> Webhook:
        """Write a notice and sign it: the payment's id, the request's id and the time, but not the body."""
        data_id, request_id = str(event["data"]["id"]), request_id or str(uuid4())
        moment = int(time.time()) if at is None else at
        manifest = f"id:{data_id};request-id:{request_id};ts:{moment};"
        signed = hmac.new((secret or self.webhook_secret).encode(), manifest.encode(), hashlib.sha256)
        headers = {
            "x-signature": f"ts={moment},v1={signed.hexdigest()}",
            "x-request-id": request_id,
            "Content-Type": "application/json",
        }
        return Webhook(f"{PATH}?data.id={data_id}&type=payment", json.dumps(event).encode(), headers)

    def _tell(self, payment: Mapping[str, Any], action: str) -> dict[str, Any]:
        event = {
            "action": action,
            "api_version": "v1",
            "data": {"id": str(payment["id"])},
            "date_created": _stamp(),
            "id": next(self._notice_serial),
            "live_mode": True,
            "type": "payment",
            "user_id": "44444",
        }
        self.tell(event)
        return event

    # --- the API ---

    def route(self, request: Request) -> tuple[int, Any]:
        if request.headers.get("authorization") != f"Bearer {self.access_token}":
            return 401, Refusal(401, "invalid access token").payload
        try:
            return self._answer(request, [part for part in request.path.split("/") if part])
        except Refusal as refusal:
            return refusal.status, refusal.payload

    def _answer(self, request: Request, parts: list[str]) -> tuple[int, Any]:
        body = json.loads(request.body) if request.body else {}
        match (request.method, *parts):
            case ("POST", "v1", "payments"):
                return self._keyed(request, body, lambda: self._create(body))
            case ("GET", "v1", "payments", payment_id):
                return 200, self._payment(payment_id)
            case ("PUT", "v1", "payments", payment_id):
                return self._change(payment_id, body)
            case ("POST", "v1", "payments", payment_id, "refunds"):
                return self._keyed(request, body, lambda: self._give_back(payment_id, body))
            case ("GET", "users", "me"):
                return 200, {"id": 44444, "nickname": "LOJA", "site_id": self.site, "tags": ["normal"]}
        raise Refusal(404, "resource not found")

    def _keyed(self, request: Request, body: Any, act: Any) -> tuple[int, Any]:
        key = request.headers.get("x-idempotency-key", "")
        if not key:
            raise Refusal(400, "Header X-Idempotency-Key can't be null", 4292)
        return self.once(f"{request.path} {key}", body, act, _reused)

    def _create(self, body: Mapping[str, Any]) -> tuple[int, Any]:
        check_payment(body)
        if body["payer"]["email"] == self.seller_email:
            raise Refusal(400, "Payer email forbidden", 4390)
        payment_id = str(next(self._serial))
        code = _code(payment_id)
        picture = io.BytesIO()
        segno.make(code).save(picture, kind="png", scale=4)
        link = f"https://www.mercadopago.com.br/payments/{payment_id}/ticket?caller_id=1&hash=of-the-tests"
        self.payments[payment_id] = payment = {
            "id": int(payment_id),
            "currency_id": "BRL",
            "date_created": _stamp(),
            "date_of_expiration": body["date_of_expiration"],
            "description": body.get("description"),
            "external_reference": body.get("external_reference"),
            "metadata": body.get("metadata") or {},
            "notification_url": body.get("notification_url"),
            "payer": {"email": None, "id": "1"},
            "payment_method_id": "pix",
            "payment_type_id": "bank_transfer",
            "point_of_interaction": {
                "type": "PIX",
                "transaction_data": {
                    "qr_code": code,
                    "qr_code_base64": base64.b64encode(picture.getvalue()).decode(),
                    "ticket_url": link,
                },
            },
            "refunds": [],
            "status": "pending",
            "status_detail": "pending_waiting_transfer",
            "transaction_amount": body["transaction_amount"],
            "transaction_amount_refunded": 0,
        }
        self._tell(payment, "payment.created")
        return 201, json.loads(json.dumps(payment))

    def _change(self, payment_id: str, body: Mapping[str, Any]) -> tuple[int, Any]:
        payment = self._payment(payment_id)
        if body.get("status") != "cancelled" or payment["status"] not in ("pending", "in_process"):
            raise Refusal(400, "The action requested is not valid for the current payment state", 2018)
        self.payments[payment_id] |= {"status": "cancelled", "status_detail": "by_collector"}
        self._tell(payment, "payment.updated")
        return 200, self._payment(payment_id)

    def _give_back(self, payment_id: str, body: Mapping[str, Any]) -> tuple[int, Any]:
        payment = self._payment(payment_id)
        left = Decimal(str(payment["transaction_amount"])) - Decimal(
            str(payment["transaction_amount_refunded"])
        )
        refund = self._refund(payment_id, Decimal(str(body.get("amount") or left)))
        self._tell(payment, "payment.updated")
        return 201, refund

    def _refund(self, payment_id: str, amount: Decimal) -> dict[str, Any]:
        payment = self.payments[payment_id]
        if payment["status"] == "refunded":
            raise Refusal(400, "The payment is already refunded", 2063)
        if payment["status"] != "approved":
            raise Refusal(400, "The action requested is not valid for the current payment state", 2018)
        total = Decimal(str(payment["transaction_amount"]))
        refunded = Decimal(str(payment["transaction_amount_refunded"])) + amount
        if refunded > total or amount <= 0:
            raise Refusal(400, "Invalid refund amount", 4040)
        payment["transaction_amount_refunded"] = float(refunded)
        payment["status_detail"] = "refunded" if refunded == total else "partially_refunded"
        payment["status"] = "refunded" if refunded == total else "approved"
        refund: dict[str, Any] = {"id": next(self._serial), "payment_id": int(payment_id)}
        refund |= {"amount": float(amount), "status": "approved"}
        payment["refunds"].append(refund)
        return refund

    def _payment(self, payment_id: str) -> dict[str, Any]:
        if payment_id not in self.payments:
            raise Refusal(404, "Payment not found", 2000)
        return json.loads(json.dumps(self.payments[payment_id]))  # type: ignore[no-any-return]

    def target_of(self, request: Request) -> str:
        if request.method == "GET":
            return "fetch"
        if request.method == "PUT":
            return "cancel"
        return "refund" if request.path.endswith("/refunds") else "create"

    def fault_payload(self, status: int) -> Any:
        return {"message": "internal_error", "error": "internal_error", "status": status, "cause": []}


def check_payment(body: Mapping[str, Any]) -> None:
    """Refuse a payment as Mercado Pago does."""
    amount = body.get("transaction_amount")
    if not isinstance(amount, int | float) or amount <= 0 or Decimal(str(amount)).scaleb(2) % 1:
        raise Refusal(400, "Invalid transaction_amount", 4037)
    if body.get("payment_method_id") != "pix":
        raise Refusal(400, "payment_method_id not found", 2034)
    if not EMAIL.fullmatch(str((body.get("payer") or {}).get("email", ""))):
        raise Refusal(400, "payer.email must be a valid email", 4050)
    written = str(body.get("date_of_expiration", ""))
    if not DATE.fullmatch(written):
        raise Refusal(400, "Invalid date_of_expiration format", 4051)
    if not SHORTEST - SLACK <= datetime.fromisoformat(written) - datetime.now(UTC) <= LONGEST + SLACK:
        raise Refusal(400, "Date of expiration is out of range", 4051)
    notification_url = body.get("notification_url")
    if notification_url and not re.match(r"https://[^\s/]+\.[^\s/]+", notification_url):
        raise Refusal(400, "notification_url attribute must be url valid", 4020)


def _reused() -> tuple[int, Any]:
    return 409, Refusal(409, "Idempotency key was used with another request").payload


def _code(payment_id: str) -> str:
    """Write a BR Code of the dynamic kind, with its CRC-16 (CCITT) at the end."""
    address = f"pix-qr.mercadopago.com/instore/o/v2/{payment_id}"
    account = _field("26", _field("00", "br.gov.bcb.pix") + _field("25", address))
    text = _field("00", "01") + account + "52040000" + "5303986" + "5802BR"
    text += _field("59", "LOJA") + _field("60", "SAO PAULO") + _field("62", _field("05", "***")) + "6304"
    crc = 0xFFFF
    for byte in text.encode():
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return f"{text}{crc:04X}"


def _field(number: str, value: str) -> str:
    return f"{number}{len(value):02d}{value}"


def _stamp() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
