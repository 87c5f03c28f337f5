"""Stripe Checkout through the official SDK: a page where the customer pays by card or what the account takes.

One Checkout Session is one payment; its id (cs_...) is our external id, and our reference travels as
`client_reference_id` and in the metadata of session and PaymentIntent; the latter are copied to the charge.
`fetch` also takes the id of a PaymentIntent (pi_...), by which refunds and disputes are told. Sources:
docs.stripe.com/api/checkout/sessions, /currencies (minor units), /webhooks (signature), /api/errors.
"""

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import stripe
from babel.numbers import get_currency_precision
from stripe.params.checkout import SessionCreateParams

from config import Config
from providers.transport import Answer, NoCredentials, exchange
from wires.payment import (
    ErrorCode,
    Kind,
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

METHOD: Final = "stripe"
TIMEOUT_SECS: Final = 20.0
# Stripe's own libraries refuse what is older than five minutes; each repeat of a webhook is signed anew.
TOLERANCE: Final = timedelta(minutes=5)
LIFETIME: Final = Lifetime(timedelta(minutes=30), timedelta(hours=24))
MAX_NAME_CHARS: Final = 250
# All others have two decimals there, even the krona and the Ugandan shilling, which have none. An amount
# with three ends with a zero.
NO_DECIMALS: Final = frozenset("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split())
THREE_DECIMALS: Final = frozenset("BHD JOD KWD OMR TND".split())
LOCALES: Final[Mapping[str, str]] = {
    "pt": "pt-BR",
    "es": "es-419",
    "en": "en",
    "fr": "fr",
    "de": "de",
    "it": "it",
    "zh": "zh",
    "ja": "ja",
    "ko": "ko",
}
# Which sessions are told about when a payment is looked up by its PaymentIntent.
CHARGE_OF_SESSION: Final = "payment_intent.latest_charge"
CHARGE_OF_LISTED: Final = f"data.{CHARGE_OF_SESSION}"

SESSION_EVENTS: Final[Mapping[str, Kind]] = {
    "checkout.session.completed": "paid",  # unless it says that the money is still on its way
    "checkout.session.async_payment_succeeded": "paid",
    "checkout.session.async_payment_failed": "failed",
    "checkout.session.expired": "expired",
}
CHARGE_EVENTS: Final[Mapping[str, Kind]] = {
    "charge.refunded": "refunded",
    "charge.dispute.created": "disputed",
    "charge.dispute.funds_withdrawn": "disputed",
    "refund.failed": "refund_failed",
}
BY_CODE: Final[Mapping[str, ErrorCode]] = {
    "amount_too_small": "amount_refused",
    "amount_too_large": "amount_refused",
    "charge_already_refunded": "already_refunded",
    "charge_disputed": "not_refundable",
    "balance_insufficient": "no_balance",
    "resource_missing": "not_found",
    "idempotency_key_in_use": "in_progress",
    "lock_timeout": "in_progress",
    "invalid_currency": "currency_refused",
}
BY_STATUS: Final[Mapping[int, ErrorCode]] = {
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    409: "in_progress",
    429: "busy",
}
WORDS: Final[Mapping[ErrorCode, str]] = {
    "unauthorized": "Stripe does not accept the key; look at STRIPE_SECRET_KEY.",
    "forbidden": "The key may not do this; give it write access to Checkout Sessions and Refunds.",
    "in_progress": "Stripe still works on the same request.",
    "busy": "Stripe wants fewer requests at a time.",
    "unavailable": "Stripe has a fault of its own.",
    "timeout": "Stripe did not answer in time; it may have done what was asked.",
    "unreachable": "Stripe cannot be reached, or the line was cut; it may have done what was asked.",
    "unreadable": "Stripe's answer cannot be read.",
    "no_balance": "The balance at Stripe is too small for this refund; top it up.",
    "already_refunded": "Stripe has given this back already.",
    "key_reused": "The same request was made before with other values.",
}

# At DEBUG the SDK writes requests and answers down, with names and links of customers in them.
logging.getLogger("stripe").setLevel(logging.WARNING)


class OutOfScale(ValueError):
    """An amount that the currency cannot express."""


class StripeService:
    """One account of Stripe. Safe for threads; keeps nothing but the key."""

    method = METHOD
    lifetime = LIFETIME

    def __init__(
        self,
        secret_key: str,
        webhook_secrets: tuple[str, ...],
        base_url: str,
        timeout_secs: float = TIMEOUT_SECS,
    ) -> None:
        self._webhook_secrets = webhook_secrets
        self._is_test = "_test_" in secret_key
        self._client = stripe.StripeClient(
            secret_key,
            base_addresses={"api": base_url},
            max_network_retries=0,  # the caller's rows know what to repeat, and when
            http_client=BoundedClient(timeout_secs),
        )

    def start(self, request: PaymentRequest) -> OpenPayment | PaymentError:
        """Open a Checkout Session. With the same key, the same session is given again for 24 hours."""
        try:
            session = self._client.v1.checkout.sessions.create(
                _session_parameters(request), options={"idempotency_key": request.idempotency_key}
            )
            return OpenPayment(session.id, session.url or "", datetime.fromtimestamp(session.expires_at, UTC))
        except OutOfScale as error:
            return PaymentError("amount_refused", str(error))
        except (stripe.StripeError, AttributeError, TypeError, ValueError) as error:
            return _failure(error)

    def fetch(self, external_id: str) -> PaymentState | PaymentError:
        """Read how a session stands, by its own id or that of its PaymentIntent."""
        try:
            session = self._session(external_id)
            if session is None:
                return PaymentError("not_found", "Stripe knows no Checkout Session of this payment.")
            return _state(session)
        except (stripe.StripeError, AttributeError, KeyError, TypeError, ValueError) as error:
            return _failure(error)

    def cancel(self, external_id: str) -> PaymentState | PaymentError:
        """Close a session, so that its link takes no money. One that is paid stays so: the state tells."""
        try:
            return _state(_plain_dict(self._client.v1.checkout.sessions.expire(external_id)))
        except stripe.InvalidRequestError as error:
            # It is paid or expired already.
            return self.fetch(external_id) if error.http_status == 400 else _failure(error)
        except (stripe.StripeError, AttributeError, KeyError, TypeError, ValueError) as error:
            return _failure(error)

    def refund(self, request: RefundRequest) -> Refunded | PaymentError:
        """Give back a part of a paid session, or all of it."""
        try:
            session = self._session(request.external_id)
            intent = (session or {}).get("payment_intent")
            intent_id = intent.get("id") if isinstance(intent, dict) else intent
            if not isinstance(intent_id, str):
                return PaymentError("not_refundable", "Nothing was paid through this session of Stripe.")
            refund = self._client.v1.refunds.create(
                {
                    "payment_intent": intent_id,
                    "amount": stripe_amount(request.amount_minor, request.currency),
                },
                options={"idempotency_key": request.idempotency_key},
            )
            if refund.status in ("failed", "canceled"):
                return PaymentError(
                    "not_refundable", f"Stripe could not refund: {plain(refund.failure_reason)}"
                )
            amount = minor_amount(refund.amount, refund.currency)
            return Refunded(refund.id, amount, is_final=refund.status == "succeeded")
        except (stripe.StripeError, AttributeError, KeyError, TypeError, ValueError) as error:
            return _failure(error)

    def check(self) -> Standing | PaymentError:
        """Read the balance: it proves address and key, and changes nothing."""
        try:
            balance = self._client.v1.balance.retrieve()
            return Standing("test mode" if not balance.livemode else "live", not balance.livemode)
        except stripe.PermissionError:
            # A restricted key that may do what we need need not see the balance.
            return Standing("a restricted key", self._is_test)
        except (stripe.StripeError, AttributeError, TypeError, ValueError) as error:
            return _failure(error)

    def verify(self, notice: SignedNotice, *, now: datetime) -> bool:
        """Check `Stripe-Signature` over the exact bytes, with every secret, and its age. Fails closed."""
        header = notice.headers.get("Stripe-Signature", "")
        if not any(_is_signed_by(secret, notice.body, header) for secret in self._webhook_secrets):
            return False
        # The one that was signed: the SDK takes the first `t`, too.
        signed_at = next(part.split("=")[1] for part in header.split(",") if part.startswith("t="))
        return abs(now.timestamp() - int(signed_at)) <= TOLERANCE.total_seconds()

    def read(self, notice: SignedNotice) -> PaymentNotice:
        """Say what an event means. Raises UnreadableNotice."""
        try:
            event = json.loads(notice.body)
            return _notice(event)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UnreadableNotice from error

    def _session(self, external_id: str) -> dict[str, Any] | None:
        sessions = self._client.v1.checkout.sessions
        if not external_id.startswith("pi_"):
            return _plain_dict(sessions.retrieve(external_id, {"expand": [CHARGE_OF_SESSION]}))
        listed = sessions.list({"payment_intent": external_id, "limit": 1, "expand": [CHARGE_OF_LISTED]})
        return _plain_dict(listed.data[0]) if listed.data else None


def service_of(config: Config) -> StripeService | None:
    """Give the account that the settings name, None when they name none."""
    if not config.stripe_secret_key:
        return None
    return StripeService(config.stripe_secret_key, config.stripe_webhook_secret, config.stripe_api_base_url)


def stripe_amount(amount_minor: int, currency: str) -> int:
    """Write an amount as Stripe wants it. Raises OutOfScale for what Stripe cannot express."""
    shift = _stripe_decimals(currency) - get_currency_precision(currency)
    amount = amount_minor * 10**shift if shift >= 0 else _exactly(amount_minor, 10**-shift, currency)
    if currency in THREE_DECIMALS and amount % 10:
        raise OutOfScale(f"Stripe takes {currency} in steps of ten thousandths only.")
    return amount


def minor_amount(amount: int, currency: str) -> int:
    """Read an amount of Stripe's in our minor units. Raises OutOfScale when a fraction would be lost."""
    shift = _stripe_decimals(currency.upper()) - get_currency_precision(currency.upper())
    return _exactly(amount, 10**shift, currency) if shift >= 0 else amount * 10**-shift


def _stripe_decimals(currency: str) -> int:
    if currency in NO_DECIMALS:
        return 0
    return 3 if currency in THREE_DECIMALS else 2


def _exactly(amount: int, divisor: int, currency: str) -> int:
    whole, rest = divmod(amount, divisor)
    if rest:
        raise OutOfScale(f"{amount} is no whole amount of {currency.upper()}.")
    return whole


def _session_parameters(request: PaymentRequest) -> SessionCreateParams:
    marks = {"order": request.order_number, "reference": request.reference}
    return {
        "mode": "payment",
        "client_reference_id": request.reference,
        "metadata": marks,
        "payment_intent_data": {"metadata": marks},
        "line_items": [
            {
                "quantity": 1,
                "price_data": {
                    "currency": request.currency.lower(),
                    "unit_amount": stripe_amount(request.amount_minor, request.currency),
                    "product_data": {"name": request.description[:MAX_NAME_CHARS] or request.order_number},
                },
            }
        ],
        "success_url": request.success_url,
        "cancel_url": request.cancel_url,
        "expires_at": int(request.expires_at.timestamp()),
        "locale": LOCALES.get(request.language, "auto"),
        # What is paid is compared with the order, so nobody may pay in another currency.
        "adaptive_pricing": {"enabled": False},
    }


def _plain_dict(found: stripe.StripeObject) -> dict[str, Any]:
    return found.to_dict()


def _state(session: Mapping[str, Any]) -> PaymentState:
    currency = str(session["currency"]).upper()
    intent = session.get("payment_intent")
    charge = intent.get("latest_charge") if isinstance(intent, dict) else None
    charge = charge if isinstance(charge, dict) else {}
    return PaymentState(
        str(session["id"]),
        str(session.get("client_reference_id") or ""),
        _status(session, intent if isinstance(intent, dict) else {}, charge),
        minor_amount(int(session["amount_total"]), currency),
        currency,
        minor_amount(int(charge.get("amount_refunded") or 0), currency),
    )


def _status(session: Mapping[str, Any], intent: Mapping[str, Any], charge: Mapping[str, Any]) -> Status:
    if charge.get("disputed"):
        return "disputed"
    if charge.get("amount_refunded"):
        return "refunded"
    if session.get("payment_status") in ("paid", "no_payment_required"):
        return "paid"
    if session.get("status") == "expired":
        return "expired"
    if session.get("status") == "complete" and intent.get("status") in (
        "requires_payment_method",
        "canceled",
    ):
        return "failed"
    return "pending"


def _notice(event: Mapping[str, Any]) -> PaymentNotice:
    event_id, event_type, about = str(event["id"]), str(event["type"]), event["data"]["object"]
    if event_type in SESSION_EVENTS:
        return _session_notice(event_id, event_type, about)
    if event_type in CHARGE_EVENTS:
        metadata = about.get("metadata") or {}
        # The session is not named: it has to be looked up by its PaymentIntent, with all that was refunded.
        intent_id, reference = str(about.get("payment_intent") or ""), str(metadata.get("reference") or "")
        kind: Kind = CHARGE_EVENTS[event_type] if intent_id else "other"
        return PaymentNotice(METHOD, event_id, intent_id, reference, kind, 0, "", event_type, must_fetch=True)
    return PaymentNotice(METHOD, event_id, str(about.get("id") or ""), "", "other", 0, "", event_type)


def _session_notice(event_id: str, event_type: str, session: Mapping[str, Any]) -> PaymentNotice:
    kind = SESSION_EVENTS[event_type]
    if session.get("mode") != "payment" or (kind == "paid" and session.get("payment_status") == "unpaid"):
        kind = "other"  # a bank slip was printed: another event comes when it is paid
    currency = str(session["currency"]).upper()
    return PaymentNotice(
        METHOD,
        event_id,
        str(session["id"]),
        str(session.get("client_reference_id") or ""),
        kind,
        minor_amount(int(session["amount_total"]), currency),
        currency,
        event_type,
    )


def _is_signed_by(secret: str, body: bytes, header: str) -> bool:
    try:
        stripe.WebhookSignature.verify_header(body, header, secret, tolerance=None)
    # ValueError: the body is no UTF-8. TypeError: the signature has letters beyond ASCII.
    except (stripe.SignatureVerificationError, ValueError, TypeError):
        return False
    return True


def _failure(error: Exception) -> PaymentError:
    """Sort an error of the SDK into the closed list; the service's own words follow where they help."""
    if isinstance(error, stripe.APIConnectionError):
        code: ErrorCode = "timeout" if "Timeout" in str(error.user_message) else "unreachable"
        return PaymentError(code, WORDS[code])
    if not isinstance(error, stripe.StripeError):
        return PaymentError("unreadable", WORDS["unreadable"])
    code = _code(error)
    words = WORDS.get(code, "Stripe refused the request.")
    # Stripe's words about a key name a part of it.
    return PaymentError(
        code, words if code == "unauthorized" else f"{words} {plain(error.user_message)}".strip()
    )


def _code(error: stripe.StripeError) -> ErrorCode:
    status = error.http_status or 0
    if isinstance(error, stripe.IdempotencyError):
        return "key_reused"
    if (error.code or "") in BY_CODE:
        return BY_CODE[error.code or ""]
    if status in BY_STATUS:
        return BY_STATUS[status]
    if status >= 500:
        return "unavailable"
    return "unreadable" if status < 400 else "refused"


class BoundedClient(stripe.HTTPClient):
    """The SDK's way to the network with our bounds: a deadline, a length, no redirect."""

    name = "requests"

    def __init__(self, timeout_secs: float) -> None:
        super().__init__()
        self._timeout_secs = timeout_secs

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        answer = exchange(
            method.upper(),
            url,
            NoCredentials(),  # the SDK writes the header itself
            timeout_secs=self._timeout_secs,
            headers=dict(headers or {}),
            data=post_data,
        )
        if isinstance(answer, Answer) and not answer.is_cut:
            return answer.content.decode("utf-8", "replace"), answer.status, answer.headers
        reason = "cut" if isinstance(answer, Answer) else answer.reason
        raise stripe.APIConnectionError(reason)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Leave the connections: they are the process's."""
