"""The contract of payment services: what we ask for, what they answer, what their webhooks say.

`wires/stripe.py` and `wires/mercadopago.py` fulfil it; `cashier` and `payment_door` speak through it. Amounts
are whole minor units (cents; yen have none), as everywhere in this program; each service's own way of writing
them stays in its wire. Nothing here raises for what a service does: a failure is a PaymentError.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol, Self

ErrorCode = Literal[
    "unauthorized",
    "forbidden",
    "refused",
    "amount_refused",
    "currency_refused",
    "not_found",
    "not_refundable",
    "already_refunded",
    "no_balance",
    "key_reused",
    "in_progress",
    "busy",
    "unavailable",
    "timeout",
    "unreachable",
    "unreadable",
]
# The same request may succeed later. After `timeout`, `unreachable` and `unreadable` it may have been carried
# out: it is repeated with the same idempotency key only.
RETRYABLE: Final = frozenset({"in_progress", "busy", "unavailable", "timeout", "unreachable", "unreadable"})
MAX_DETAIL_CHARS: Final = 160

Kind = Literal["paid", "failed", "expired", "refunded", "refund_failed", "disputed", "other"]
Status = Literal["pending", "paid", "failed", "expired", "refunded", "disputed"]
# What a notice alone can say of a payment; about refunds the service is asked.
STATUS_BY_KIND: Final[Mapping[Kind, Status]] = {"paid": "paid", "failed": "failed", "expired": "expired"}


@dataclass(frozen=True, slots=True)
class PaymentError:
    """Why a request failed. `operator_message` says in English what happened and what to do."""

    code: ErrorCode
    operator_message: str

    @property
    def is_retryable(self) -> bool:
        return self.code in RETRYABLE

    @property
    def needs_new_key(self) -> bool:
        """Whether the same key will give the same refusal again, though nothing was carried out."""
        return self.code in ("unavailable", "key_reused")


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """One payment to be opened. `reference` is ours and comes back with everything that concerns the payment.

    The idempotency key has 64 characters at most; asked twice with the same key, one payment is opened.
    """

    reference: str
    order_number: str
    amount_minor: int
    currency: str
    description: str
    language: str
    expires_at: datetime
    idempotency_key: str
    success_url: str
    cancel_url: str
    notification_url: str = ""  # empty: the address that the account has
    payer_email: str = ""
    spare_email: str = ""  # for a service that wants an address and takes no other of this payer
    payer_name: str = ""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long an open payment may live at a service, from the moment in which it is opened."""

    shortest: timedelta
    longest: timedelta


@dataclass(frozen=True, slots=True)
class OpenPayment:
    """Where the customer pays. Pix also brings the text to copy and its picture (PNG)."""

    external_id: str
    url: str
    expires_at: datetime
    code_text: str = ""
    code_png: bytes = b""


@dataclass(frozen=True, slots=True)
class PaymentState:
    """How a payment stands at the service. `refunded_minor` is the sum of all its refunds."""

    external_id: str
    reference: str
    status: Status
    amount_minor: int
    currency: str
    refunded_minor: int = 0
    has_failed_refund: bool = False


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """Give back a part, or all, of a payment. Asked twice with the same key, it is given back once."""

    external_id: str
    amount_minor: int
    currency: str
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class Refunded:
    """The service has taken the refund; `is_final` is False while a bank still works on it."""

    external_id: str
    amount_minor: int
    is_final: bool = True


@dataclass(frozen=True, slots=True)
class SignedNotice:
    """A webhook as it came: the exact body, the headers and the query."""

    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    query: Mapping[str, str] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Give what has to be kept to read it again: all but the headers, which prove nothing later."""
        kept = {"query": dict(self.query), "body": self.body.decode("utf-8", "surrogateescape")}
        return json.dumps(kept).encode()

    @classmethod
    def from_bytes(cls, kept: bytes) -> Self:
        """Take up what was kept."""
        found = json.loads(kept)
        return cls(found["body"].encode("utf-8", "surrogateescape"), {}, found["query"])


@dataclass(frozen=True, slots=True)
class PaymentNotice:
    """What a webhook says. Where it only names the payment, amount and currency are empty (0, ""), and the
    payment has to be fetched.
    """

    method: str
    event_key: str
    external_id: str
    reference: str
    kind: Kind
    amount_minor: int
    currency: str
    event_type: str = ""  # the service's own word
    must_fetch: bool = False

    def as_state(self) -> "PaymentState | None":
        """Give what it says as the state of a payment, None when it says none."""
        status = STATUS_BY_KIND.get(self.kind)
        if self.must_fetch or status is None:
            return None
        return PaymentState(self.external_id, self.reference, status, self.amount_minor, self.currency)


@dataclass(frozen=True, slots=True)
class Standing:
    """The account behind a key, as `check` saw it."""

    summary: str
    is_test: bool


class UnreadableNotice(Exception):
    """A webhook is signed, but no event of the service."""


class PaymentService(Protocol):
    """What each payment service can do. `verify` fails closed: without secret or signature it is False."""

    @property
    def method(self) -> str: ...

    @property
    def lifetime(self) -> Lifetime: ...

    def start(self, request: PaymentRequest) -> OpenPayment | PaymentError: ...

    def fetch(self, external_id: str) -> PaymentState | PaymentError: ...

    def cancel(self, external_id: str) -> PaymentState | PaymentError: ...

    def refund(self, request: RefundRequest) -> Refunded | PaymentError: ...

    def check(self) -> Standing | PaymentError: ...

    def verify(self, notice: SignedNotice, *, now: datetime) -> bool: ...

    def read(self, notice: SignedNotice) -> PaymentNotice: ...


def plain(text: object) -> str:
    """Give a service's own words as one short line for people of ours."""
    return " ".join(str(text or "").split())[:MAX_DETAIL_CHARS]
