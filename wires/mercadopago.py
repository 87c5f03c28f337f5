"""Pix through Mercado Pago's official SDK: a code to be paid in any bank's app, confirmed by itself.

One payment of type pix; its number is our external id, and our reference travels as `external_reference`.
Webhooks only name a payment (the signature covers that name, not the body), so each notice has to be fetched.
Sources: mercadopago.com.br/developers, "Create payment", "Create refund", "Webhooks" (x-signature), and the
SDK's own validator.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import mercadopago
from mercadopago.config import RequestOptions
from mercadopago.http import HttpClient
from mercadopago.webhook import InvalidWebhookSignatureError, WebhookSignatureValidator

from config import Config
from providers.transport import Answer, NoCredentials, exchange
from wires.payment import (
    ErrorCode,
    Lifetime,
    OpenPayment,
    PaymentError,
    PaymentNotice,
    PaymentRequest,
    PaymentState,
    Refunded,
    RefundRequest,
    SignedNotice,
    Standing,
    Status,
    UnreadableNotice,
    plain,
)

METHOD: Final = "mercadopago"
CURRENCY: Final = "BRL"  # Pix knows no other
SITE: Final = "MLB"
API_ORIGIN: Final = "https://api.mercadopago.com"
TIMEOUT_SECS: Final = 20.0
LIFETIME: Final = Lifetime(timedelta(minutes=30), timedelta(days=30))
BRASILIA: Final = timezone(timedelta(hours=-3))
MAX_DESCRIPTION_CHARS: Final = 250
PAYMENT_TOPIC: Final = "payment"
# Without it, an unsigned message in the older form (IPN) comes beside each signed one.
ONLY_WEBHOOKS: Final = "source_news=webhooks"

STATUSES: Final[Mapping[str, Status]] = {
    "pending": "pending",
    "authorized": "pending",
    "in_process": "pending",
    "approved": "paid",
    "rejected": "failed",
    "cancelled": "failed",
    "refunded": "refunded",
    "in_mediation": "disputed",
    "charged_back": "disputed",
}
BY_STATUS: Final[Mapping[int, ErrorCode]] = {
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    409: "key_reused",
    423: "in_progress",
    424: "unavailable",
    429: "busy",
}
# Causes of a refused refund: not in a state for it, and older than 180 days.
BY_CAUSE: Final[Mapping[str, ErrorCode]] = {
    "2018": "not_refundable",
    "2024": "not_refundable",
    "2063": "already_refunded",
}
# "payer.email must be a valid email", "Payer email forbidden", "Invalid users involved" (the seller herself).
PAYER_CAUSES: Final = frozenset({"4050", "4390", "2034"})
WORDS: Final[Mapping[ErrorCode, str]] = {
    "unauthorized": "Mercado Pago does not accept the token; look at MERCADOPAGO_ACCESS_TOKEN.",
    "forbidden": "The token may not do this; take the one of the production credentials.",
    "currency_refused": "Pix takes BRL only.",
    "not_found": "Mercado Pago knows no such payment.",
    "already_refunded": "Mercado Pago has given this back already.",
    "key_reused": "The same request was made before with other values.",
    "in_progress": "Mercado Pago still works on the same request.",
    "busy": "Mercado Pago wants fewer requests at a time.",
    "unavailable": "Mercado Pago has a fault of its own.",
    "timeout": "Mercado Pago did not answer in time; it may have done what was asked.",
    "unreachable": "Mercado Pago cannot be reached, or the line was cut; it may have done what was asked.",
    "unreadable": "Mercado Pago's answer cannot be read.",
}


class Unreached(Exception):
    """There is no answer; the message says why."""


class Unreadable(Exception):
    """The answer is not JSON, or is cut."""


class MercadoPagoService:
    """One account of Mercado Pago. Safe for threads; keeps nothing but the token."""

    method = METHOD
    lifetime = LIFETIME

    def __init__(
        self,
        access_token: str,
        webhook_secrets: tuple[str, ...],
        base_url: str,
        timeout_secs: float = TIMEOUT_SECS,
    ) -> None:
        self._token = access_token
        self._webhook_secrets = webhook_secrets
        self._sdk = mercadopago.SDK(access_token, http_client=BoundedClient(base_url, timeout_secs))

    def start(self, request: PaymentRequest) -> OpenPayment | PaymentError:
        """Make a payment of type pix. With the same key, the same payment is given again."""
        if request.currency != CURRENCY:
            return PaymentError("currency_refused", WORDS["currency_refused"])
        try:
            answer = self._sdk.payment().create(_payment(request), self._options(request.idempotency_key))
            if _refuses_payer(answer) and request.spare_email not in ("", request.payer_email):
                spare = replace(request, payer_email=request.spare_email)
                options = self._options(f"{request.idempotency_key}-spare")
                answer = self._sdk.payment().create(_payment(spare), options)
            if not answer.is_success:
                return _refusal(answer)
            return _open_payment(answer["response"])
        except FAILURES as error:
            return _failure(error)

    def fetch(self, external_id: str) -> PaymentState | PaymentError:
        """Read how a payment stands."""
        try:
            answer = self._sdk.payment().get(external_id)
            return _state(answer["response"]) if answer.is_success else _refusal(answer)
        except FAILURES as error:
            return _failure(error)

    def cancel(self, external_id: str) -> PaymentState | PaymentError:
        """Cancel a pending payment, so that its code takes no money. One that is paid stays so: the state
        tells.
        """
        try:
            answer = self._sdk.payment().update(external_id, {"status": "cancelled"})
            if answer.status_code == 400:
                return self.fetch(external_id)
            return _state(answer["response"]) if answer.is_success else _refusal(answer)
        except FAILURES as error:
            return _failure(error)

    def refund(self, request: RefundRequest) -> Refunded | PaymentError:
        """Give back a part of a paid payment, or all of it."""
        try:
            amount = {"amount": float(Decimal(request.amount_minor).scaleb(-2))}
            options = self._options(request.idempotency_key)
            answer = self._sdk.refund().create(request.external_id, amount, options)
            if not answer.is_success:
                return _refusal(answer)
            refund = answer["response"]
            if refund.get("status") in ("rejected", "cancelled"):
                return PaymentError("not_refundable", "Mercado Pago could not refund this payment.")
            is_final = refund.get("status", "approved") == "approved"
            return Refunded(str(refund["id"]), _minor(refund["amount"]), is_final)
        except FAILURES as error:
            return _failure(error)

    def check(self) -> Standing | PaymentError:
        """Read the account: it proves address and token, and changes nothing."""
        try:
            answer = self._sdk.user().get()
            if not answer.is_success:
                return _refusal(answer)
            account = answer["response"]
            if account.get("site_id") != SITE:
                words = f"The account is of {plain(account.get('site_id'))}; Pix needs one of Brazil (MLB)."
                return PaymentError("currency_refused", words)
            is_test = self._token.startswith("TEST-") or "test_user" in (account.get("tags") or ())
            return Standing(f"account {account['id']}", is_test)
        except FAILURES as error:
            return _failure(error)

    def verify(self, notice: SignedNotice, *, now: datetime) -> bool:
        """Check `x-signature` over the payment's id, the request's id and the time. Fails closed.

        It has no age: repeats come for four days, and all that a replay can do is to have the named payment
        fetched once more. `now` is for the contract.
        """
        data_id = notice.query.get("data.id", "")
        return bool(data_id) and any(
            _is_signed_by(secret, notice, written)
            for secret in self._webhook_secrets
            # The pages say that letters are signed in lower case, the SDK that they are as received.
            for written in dict.fromkeys((data_id, data_id.lower()))
        )

    def read(self, notice: SignedNotice) -> PaymentNotice:
        """Say which payment is meant. Raises UnreadableNotice. The body is not signed: nothing of it counts
        but the notice's own number, by which repeats are known.
        """
        data_id = notice.query.get("data.id", "")
        try:
            body = json.loads(notice.body or b"{}")
            topic = str(notice.query.get("type") or body.get("type") or "")
            event_type = str(body.get("action") or topic)
            number = str(body.get("id") or notice.headers.get("x-request-id", ""))
        except (ValueError, AttributeError, RecursionError) as error:
            raise UnreadableNotice from error
        is_payment = topic == PAYMENT_TOPIC and data_id.isascii() and data_id.isdigit()
        event_key = f"{topic}:{data_id}:{number}"
        return PaymentNotice(METHOD, event_key, data_id, "", "other", 0, "", event_type, is_payment)

    def _options(self, idempotency_key: str) -> RequestOptions:
        return RequestOptions(access_token=self._token, custom_headers={"x-idempotency-key": idempotency_key})


FAILURES: Final = (
    Unreached,
    Unreadable,
    AttributeError,
    InvalidOperation,
    KeyError,
    TypeError,
    ValueError,
    binascii.Error,
)


def service_of(config: Config) -> MercadoPagoService | None:
    """Give the account that the settings name, None when they name none."""
    if not config.mercadopago_access_token:
        return None
    return MercadoPagoService(
        config.mercadopago_access_token,
        config.mercadopago_webhook_secret,
        config.mercadopago_api_base_url,
    )


def _payment(request: PaymentRequest) -> dict[str, Any]:
    payer = {"email": request.payer_email}
    if request.payer_name:
        payer["first_name"] = request.payer_name[:60]
    payment = {
        "transaction_amount": float(Decimal(request.amount_minor).scaleb(-2)),
        "description": request.description[:MAX_DESCRIPTION_CHARS],
        "payment_method_id": "pix",
        "payer": payer,
        "external_reference": request.reference,
        "date_of_expiration": request.expires_at.astimezone(BRASILIA).isoformat(timespec="milliseconds"),
        "metadata": {"order": request.order_number},
    }
    if request.notification_url:
        payment["notification_url"] = f"{request.notification_url}?{ONLY_WEBHOOKS}"
    return payment


def _open_payment(payment: Mapping[str, Any]) -> OpenPayment:
    code = payment["point_of_interaction"]["transaction_data"]
    return OpenPayment(
        str(payment["id"]),
        str(code.get("ticket_url") or ""),
        datetime.fromisoformat(payment["date_of_expiration"]),
        str(code["qr_code"]),
        base64.b64decode(code.get("qr_code_base64") or ""),
    )


def _state(payment: Mapping[str, Any]) -> PaymentState:
    refunded = _minor(payment.get("transaction_amount_refunded") or 0)
    status: Status = STATUSES.get(str(payment["status"]), "pending")
    if status == "failed" and payment.get("status_detail") == "expired":
        status = "expired"
    if status == "paid" and refunded:
        status = "refunded"  # in part
    return PaymentState(
        str(payment["id"]),
        str(payment.get("external_reference") or ""),
        status,
        _minor(payment["transaction_amount"]),
        str(payment["currency_id"]),
        refunded,
    )


def _minor(amount: object) -> int:
    """Read an amount of reais as cents; more than two decimals are no amount."""
    cents = Decimal(str(amount)).scaleb(2)
    if cents != int(cents):
        raise ValueError("a fraction of a cent")
    return int(cents)


def _is_signed_by(secret: str, notice: SignedNotice, data_id: str) -> bool:
    try:
        WebhookSignatureValidator.validate(
            notice.headers.get("x-signature"), notice.headers.get("x-request-id"), data_id, secret
        )
    except (InvalidWebhookSignatureError, TypeError):  # TypeError: a signature with letters beyond ASCII
        return False
    return True


def _failure(error: Exception) -> PaymentError:
    if isinstance(error, Unreached):
        code: ErrorCode = "timeout" if "Timeout" in str(error) else "unreachable"
        return PaymentError(code, WORDS[code])
    return PaymentError("unreadable", WORDS["unreadable"])


def _refusal(answer: Any) -> PaymentError:
    """Sort a refused request into the closed list; the service's own words follow where they help."""
    body = answer["response"] if isinstance(answer["response"], dict) else {}
    causes = [cause for cause in body.get("cause") or () if isinstance(cause, dict)]
    code = _code(answer.status_code, causes)
    words = WORDS.get(code, "Mercado Pago refused the request.")
    if code == "unauthorized":
        return PaymentError(code, words)
    told = next((cause.get("description") for cause in causes), "") or body.get("message")
    return PaymentError(code, f"{words} {plain(told)}".strip())


def _refuses_payer(answer: Any) -> bool:
    """Tell whether only the payer's address is wrong: mistyped, or the shop's own."""
    body = answer["response"] if isinstance(answer["response"], dict) else {}
    causes = {str(cause.get("code")) for cause in body.get("cause") or () if isinstance(cause, dict)}
    return answer.status_code == 400 and bool(causes & PAYER_CAUSES)


def _code(status: int, causes: list[dict[str, Any]]) -> ErrorCode:
    by_cause = next((BY_CAUSE[str(c.get("code"))] for c in causes if str(c.get("code")) in BY_CAUSE), None)
    if by_cause is not None:
        return by_cause
    if status in BY_STATUS:
        return BY_STATUS[status]
    return "unavailable" if status >= 500 else "refused"


class BoundedClient(HttpClient):
    """The SDK's way to the network with our bounds and our address: it knows only its own, and repeats
    requests by itself. Amounts are read as decimals.
    """

    def __init__(self, base_url: str, timeout_secs: float) -> None:
        self._base_url = base_url.rstrip("/")
        self._timeout_secs = timeout_secs

    def request(
        self,
        method: str,
        url: str,
        maxretries: int | None = None,
        retry_on: list[int] | None = None,
        backoff_factor: float | None = None,
        **about: Any,
    ) -> dict[str, Any]:
        answer = exchange(
            method,
            self._base_url + url.removeprefix(API_ORIGIN),
            NoCredentials(),  # the SDK writes the header itself
            timeout_secs=self._timeout_secs,
            headers=about.get("headers"),
            data=about.get("data"),
            params=about.get("params"),
        )
        if not isinstance(answer, Answer):
            raise Unreached(answer.reason)
        if answer.is_cut:
            raise Unreadable
        try:
            content = json.loads(answer.content, parse_float=Decimal) if answer.content else None
        except (ValueError, RecursionError) as error:
            if answer.status < 400:
                raise Unreadable from error
            content = None  # a proxy's page: the status says enough
        return {"status": answer.status, "response": content}
