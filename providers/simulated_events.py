"""What can happen on a simulated phone, and the ids of what happened.

`simulator` and the two builders of webhooks speak these; the simulator page makes the events. Pure.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from providers.base import InboundMedia, OrderItem, Person

Kind = Literal["text", "choice", "order", "reaction", "media", "location", "status", "echo"]


@dataclass(frozen=True, slots=True)
class SimulatedEvent:
    """What happened on a phone, or to a message on its way to one.

    `person` is the customer in every kind; without `wa_id` the phone number is hidden. `external_id` is the
    provider's id: of the new message (empty: made from `reference`, or from the event itself), or in a status
    of the message meant. `at` is when it happened; None leaves it to `now`.
    """

    kind: Kind
    person: Person
    external_id: str = ""
    text: str = ""
    choice_id: str = ""
    choice_title: str = ""
    choice_kind: Literal["button", "list"] = "button"
    quotes: str | None = None
    referral: Mapping[str, Any] | None = None
    status: str = ""
    error_code: int = 0
    error_title: str = ""
    reference: str = ""
    at: datetime | None = None
    target: str = ""  # reaction: the message it is put on
    emoji: str = ""
    order_items: tuple[OrderItem, ...] = ()
    media: InboundMedia | None = None
    latitude: float = 0.0
    longitude: float = 0.0


@dataclass(frozen=True, slots=True)
class SimulatedRequest:
    """A POST for the door: `path` with its query, exact bytes, and headers with the signature; `external_id`
    is the new message's (a status: of the message meant)."""

    path: str
    body: bytes
    headers: dict[str, str]
    external_id: str = ""


def wamid(seed: str) -> str:
    """Give a message id of Meta's shape that `seed` alone decides."""
    return f"wamid.SIM{hashlib.sha256(seed.encode()).hexdigest()[:40].upper()}"


def sid(prefix: str, seed: str) -> str:
    """Give a Twilio id (two letters, 32 hexadecimal digits) that `seed` alone decides."""
    return prefix + hashlib.sha256(f"simulated {seed}".encode()).hexdigest()[:32]
