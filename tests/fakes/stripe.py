"""A fake of Stripe for one account: Checkout Sessions, refunds, the balance; signed events; faults.

It refuses what docs.stripe.com/api says is refused (amounts, lifetimes, currencies, states), answers a
repeated idempotency key with the first answer and another request under it with `idempotency_error`, and
keeps an answer of 500 for its key, as Stripe does. Customers act through `pay`, `fail`, `expire`; the owner's
dashboard through `give_back` and `dispute`.
"""

import hashlib
import hmac
import itertools
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.payment_fake import Done, PaymentFake
from tests.fakes.server import Answer, Request, json_answer
from tests.fakes.webhooks import Webhook

SECRET_KEY = "sk_test_of_the_tests"
WEBHOOK_SECRET = "whsec_of_the_tests"
PATH = "/payments/stripe"
API_VERSION = "2026-10-28.basil"
SHORTEST_SECS, LONGEST_SECS = 30 * 60, 24 * 3600
CURRENCIES = frozenset("brl usd eur mxn ars clp jpy gbp kwd ugx isk pyg cop".split())
NO_DECIMALS = frozenset({"clp", "jpy", "pyg"})
LOCALES = frozenset("auto pt pt-BR es es-419 en fr de it ja ko zh".split())
AMOUNT_MAX = 99_999_999
NOT_SHOWN = ("intent_metadata", "shown_name")


class Refusal(Exception):
    """The API says no: an error object as Stripe writes them."""

    def __init__(
        self, status: int, message: str, *, kind: str = "invalid_request_error", **more: str
    ) -> None:
        super().__init__(message)
        self.status = status
        self.payload = {"error": {"type": kind, "message": message} | more}


@dataclass
class FakeStripe(PaymentFake):
    """Stripe for one account. `refund_status` is how refunds begin (`pending`: a bank still works on it)."""

    secret_key: str = SECRET_KEY
    webhook_secret: str = WEBHOOK_SECRET
    refund_status: str = "succeeded"
    balance_minor: int = 10**9
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    intents: dict[str, dict[str, Any]] = field(default_factory=dict)
    charges: dict[str, dict[str, Any]] = field(default_factory=dict)
    refunds: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._serial = itertools.count(1)

    # --- what people do ---

    def pay(self, session_id: str, *, is_async: bool = False) -> dict[str, Any]:
        """Pay through the page; with `is_async` by a slip that is paid later (`settle`, `fail`)."""
        with self.lock:
            session = self._open_session(session_id)
            intent, charge = self._intent_of(session), None
            if not is_async:
                charge = self._charge_of(intent)
            intent["status"] = "succeeded" if charge else "processing"
            session |= {"status": "complete", "payment_status": "paid" if charge else "unpaid"}
            session["payment_intent"] = intent["id"]
        return self._event("checkout.session.completed", session)

    def settle(self, session_id: str) -> dict[str, Any]:
        """Let the money of a slip arrive."""
        session = self.sessions[session_id]
        intent = self.intents[session["payment_intent"]]
        self._charge_of(intent)
        intent["status"], session["payment_status"] = "succeeded", "paid"
        return self._event("checkout.session.async_payment_succeeded", session)

    def fail(self, session_id: str) -> dict[str, Any]:
        """Let a slip go unpaid."""
        session = self.sessions[session_id]
        self.intents[session["payment_intent"]]["status"] = "requires_payment_method"
        return self._event("checkout.session.async_payment_failed", session)

    def expire(self, session_id: str) -> dict[str, Any]:
        """Let the time of an open session run out."""
        session = self._open_session(session_id)
        session["status"], session["url"] = "expired", None
        return self._event("checkout.session.expired", session)

    def give_back(self, session_id: str, amount: int) -> dict[str, Any]:
        """Refund in the dashboard."""
        intent = self.intents[self.sessions[session_id]["payment_intent"]]
        self._refund(intent["id"], amount)
        return self._event("charge.refunded", self.charges[intent["latest_charge"]])

    def dispute(self, session_id: str) -> dict[str, Any]:
        """Let the card's holder take the money back through the bank."""
        intent = self.intents[self.sessions[session_id]["payment_intent"]]
        charge = self.charges[intent["latest_charge"]]
        charge["disputed"] = True
        about = {
            "id": self._id("dp"),
            "object": "dispute",
            "charge": charge["id"],
            "amount": charge["amount"],
        }
        about |= {"payment_intent": intent["id"], "currency": charge["currency"], "metadata": {}}
        return self._event("charge.dispute.created", about)

    def session_of(self, reference: str) -> dict[str, Any]:
        """Give the one session with our reference."""
        (found,) = [s for s in self.sessions.values() if s["client_reference_id"] == reference]
        return found

    # --- events ---

    def notice(
        self, event: Mapping[str, Any], *, secrets: tuple[str, ...] = (), at: int | None = None
    ) -> Webhook:
        """Write an event as Stripe does (indented) and sign it, with each of the secrets."""
        body = json.dumps(event, indent=2).encode()
        moment = int(time.time()) if at is None else at
        signed = [_signature(body, secret, moment) for secret in secrets or (self.webhook_secret,)]
        header = ",".join([f"t={moment}", *(f"v1={one}" for one in signed), "v0=" + "0" * 64])
        headers = {"Stripe-Signature": header, "Content-Type": "application/json; charset=utf-8"}
        return Webhook(PATH, body, headers)

    def _event(self, event_type: str, about: Mapping[str, Any]) -> dict[str, Any]:
        event = {
            "id": self._id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": int(time.time()),
            "data": {"object": json.loads(json.dumps(about))},
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": event_type,
        }
        self.tell(event)
        return event

    # --- the API ---

    def route(self, request: Request) -> tuple[int, Any]:
        if request.headers.get("authorization") != f"Bearer {self.secret_key}":
            return 401, Refusal(401, "Invalid API Key provided: sk_test_*********ests").payload
        try:
            return self._answer(request, [part for part in request.path.split("/") if part])
        except Refusal as refusal:
            return refusal.status, refusal.payload

    def _answer(self, request: Request, parts: list[str]) -> tuple[int, Any]:
        match (request.method, *parts):
            case ("POST", "v1", "checkout", "sessions"):
                return self._keyed(request, self._create)
            case ("GET", "v1", "checkout", "sessions"):
                return self._list(request.query)
            case ("GET", "v1", "checkout", "sessions", session_id):
                expand = [value for name, value in request.query.items() if name.startswith("expand")]
                return 200, self._shown(self._session(session_id), is_expanded=bool(expand))
            case ("POST", "v1", "checkout", "sessions", session_id, "expire"):
                return self._expire_by_api(session_id)
            case ("POST", "v1", "refunds"):
                return self._keyed(request, self._create_refund)
            case ("GET", "v1", "balance"):
                return 200, {"object": "balance", "livemode": False, "available": [], "pending": []}
        raise Refusal(404, f"Unrecognized request URL ({request.method}: {request.path}).")

    def _keyed(self, request: Request, act: Any) -> tuple[int, Any]:
        form = tuple(request.form)
        key = request.headers.get("idempotency-key", "")
        return (
            self.once(key, (request.path, form), lambda: act(nested(form)), _reused)
            if key
            else act(nested(form))
        )

    def _create(self, form: dict[str, Any]) -> tuple[int, Any]:
        items = form.get("line_items") or {}
        price = (items.get("0") or {}).get("price_data") or {}
        amount = check_session(form, items, price)
        session_id = self._id("cs_test")
        self.sessions[session_id] = session = {
            "id": session_id,
            "object": "checkout.session",
            "amount_subtotal": amount,
            "amount_total": amount,
            "client_reference_id": form.get("client_reference_id"),
            "created": int(time.time()),
            "currency": price["currency"],
            "expires_at": int(form["expires_at"]),
            "livemode": False,
            "metadata": form.get("metadata") or {},
            "mode": "payment",
            "payment_intent": None,
            "payment_status": "unpaid",
            "status": "open",
            "success_url": form["success_url"],
            "url": f"https://checkout.stripe.com/c/pay/{session_id}#fid",
            "locale": form["locale"],
            "shown_name": price["product_data"]["name"],
            "intent_metadata": (form.get("payment_intent_data") or {}).get("metadata") or {},
        }
        return 200, self._shown(session)

    def _list(self, query: Mapping[str, str]) -> tuple[int, Any]:
        wanted = query.get("payment_intent")
        found = [s for s in self.sessions.values() if wanted in (None, s["payment_intent"])]
        shown = [
            self._shown(s, is_expanded="expand[0]" in query) for s in found[: int(query.get("limit", 10))]
        ]
        return 200, {"object": "list", "url": "/v1/checkout/sessions", "has_more": False, "data": shown}

    def _expire_by_api(self, session_id: str) -> tuple[int, Any]:
        session = self._session(session_id)
        if session["status"] != "open":
            words = 'Only Checkout Sessions with a status in ["open"] can be expired.'
            raise Refusal(400, f"{words} This one has a status of {session['status']}.")
        self.expire(session_id)
        return 200, self._shown(session)

    def _create_refund(self, form: dict[str, Any]) -> tuple[int, Any]:
        intent = self.intents.get(str(form.get("payment_intent")))
        if intent is None:
            raise Refusal(404, "No such payment_intent", code="resource_missing", param="payment_intent")
        if intent["latest_charge"] is None:
            raise Refusal(400, "This PaymentIntent does not have a successful charge to refund.")
        refund = self._refund(intent["id"], int(form.get("amount") or intent["amount"]))
        self._event("charge.refunded", self.charges[intent["latest_charge"]])
        return 200, refund

    def _refund(self, intent_id: str, amount: int) -> dict[str, Any]:
        charge = self.charges[self.intents[intent_id]["latest_charge"]]
        left = charge["amount"] - charge["amount_refunded"]
        if not left:
            raise Refusal(
                400, f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
            )
        if amount > left:
            raise Refusal(
                400, f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})"
            )
        if amount > self.balance_minor:
            raise Refusal(400, "Insufficient funds in your Stripe balance.", code="balance_insufficient")
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        refund = {"id": self._id("re"), "object": "refund", "amount": amount, "currency": charge["currency"]}
        refund |= {"payment_intent": intent_id, "status": self.refund_status, "failure_reason": None}
        self.refunds[refund["id"]] = refund
        return refund

    # --- rows ---

    def _session(self, session_id: str) -> dict[str, Any]:
        if session_id not in self.sessions:
            raise Refusal(
                404, f"No such checkout.session: {session_id}", code="resource_missing", param="session"
            )
        return self.sessions[session_id]

    def _open_session(self, session_id: str) -> dict[str, Any]:
        session = self._session(session_id)
        assert session["status"] == "open", f"{session_id} is {session['status']}: its page takes nothing"
        return session

    def _intent_of(self, session: Mapping[str, Any]) -> dict[str, Any]:
        intent_id = self._id("pi")
        self.intents[intent_id] = {
            "id": intent_id,
            "object": "payment_intent",
            "amount": session["amount_total"],
            "currency": session["currency"],
            "latest_charge": None,
            "metadata": session["intent_metadata"],
            "status": "requires_payment_method",
        }
        return self.intents[intent_id]

    def _charge_of(self, intent: dict[str, Any]) -> dict[str, Any]:
        charge_id = self._id("ch")
        self.charges[charge_id] = {
            "id": charge_id,
            "object": "charge",
            "amount": intent["amount"],
            "amount_refunded": 0,
            "currency": intent["currency"],
            "disputed": False,
            "metadata": intent["metadata"],
            "paid": True,
            "payment_intent": intent["id"],
            "refunded": False,
            "status": "succeeded",
        }
        intent["latest_charge"] = charge_id
        return self.charges[charge_id]

    def _shown(self, session: Mapping[str, Any], *, is_expanded: bool = False) -> dict[str, Any]:
        """Give a session as the API does; with expanded PaymentIntent and charge when that was asked for."""
        shown = {name: value for name, value in session.items() if name not in NOT_SHOWN}
        if is_expanded and session["payment_intent"]:
            intent = dict(self.intents[session["payment_intent"]])
            intent["latest_charge"] = self.charges.get(intent["latest_charge"] or "")
            shown["payment_intent"] = intent
        return json.loads(json.dumps(shown))  # type: ignore[no-any-return]

    def _id(self, prefix: str) -> str:
        return f"{prefix}_{next(self._serial):08d}"

    def target_of(self, request: Request) -> str:
        if request.method == "GET":
            return "fetch"
        if request.path.endswith("/expire"):
            return "cancel"
        return "refund" if request.path.endswith("/refunds") else "create"

    def fault_payload(self, status: int) -> Any:
        words = "Request rate limit exceeded." if status == 429 else "An unknown error occurred."
        return Refusal(status, words, kind="api_error").payload

    def _refuse(self, request: Request, status: int) -> Answer:
        """Stripe keeps the answer of a request that it had begun, even a 500; a 429 and a 503 never began."""
        key = request.headers.get("idempotency-key", "")
        if key and status == 500:
            digest = hashlib.sha256(repr((request.path, tuple(request.form))).encode()).hexdigest()
            self.done.setdefault(key, Done(digest, 500, self.fault_payload(500)))
        return json_answer(self.fault_payload(status), status)


def check_session(form: Mapping[str, Any], items: Mapping[str, Any], price: Mapping[str, Any]) -> int:
    """Refuse a session as Stripe does; gives its amount."""
    if form.get("mode") != "payment" or list(items) != ["0"]:
        raise Refusal(400, "You must specify one line item.", param="line_items")
    currency = price.get("currency", "")
    if currency not in CURRENCIES:
        raise Refusal(400, f"Invalid currency: {currency}.", param="currency", code="invalid_currency")
    amount_text = str(price.get("unit_amount", ""))
    if not re.fullmatch(r"\d+", amount_text):
        raise Refusal(400, f"Invalid integer: {amount_text}", code="parameter_invalid_integer")
    amount = int(amount_text) * int(items["0"].get("quantity", 0))
    if amount < (50 if currency not in NO_DECIMALS else 1):
        raise Refusal(400, "The amount is below the minimum of this currency.", code="amount_too_small")
    if amount > AMOUNT_MAX:
        raise Refusal(400, "The amount is above the maximum.", code="amount_too_large")
    if currency == "kwd" and amount % 10:
        raise Refusal(400, "Amounts of this currency must end with a zero.", code="parameter_invalid_integer")
    if not (price.get("product_data") or {}).get("name"):
        raise Refusal(400, "Missing required param: product_data[name].", code="parameter_missing")
    for name in ("success_url", "cancel_url"):
        if not re.match(r"https?://[^\s/]+", str(form.get(name, ""))):
            raise Refusal(400, "Not a valid URL", param=name, code="url_invalid")
    lives_secs = int(form.get("expires_at") or 0) - time.time()
    if not SHORTEST_SECS - 60 <= lives_secs <= LONGEST_SECS + 60:
        raise Refusal(400, "The `expires_at` timestamp must be between 30 minutes and 24 hours from now.")
    if form.get("locale") not in LOCALES:
        raise Refusal(400, f"Invalid locale: {form.get('locale')}", param="locale")
    return amount


def nested(pairs: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """Read a[b][c]=1 as {"a": {"b": {"c": "1"}}}."""
    result: dict[str, Any] = {}
    for name, value in pairs:
        *path, last = re.findall(r"[^\[\]]+", name)
        place = result
        for step in path:
            place = place.setdefault(step, {})
        place[last] = value
    return result


def _reused() -> tuple[int, Any]:
    words = (
        "Keys for idempotent requests can only be used with the same parameters they were first used with."
    )
    return 400, Refusal(400, words, kind="idempotency_error").payload


def _signature(body: bytes, secret: str, moment: int) -> str:
    return hmac.new(secret.encode(), b"%d." % moment + body, hashlib.sha256).hexdigest()
