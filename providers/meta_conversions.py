"""Tells Meta which chats that began with an ad became leads and purchases (Conversions API for business
messaging).

`telling.conversions` calls `send`, the number's page and `setup_check` `dataset_of`. Sources: Meta,
"Conversions API for Business Messaging" and "Server Event Parameters". Nothing but the click's id says who it
was: neither phone nor e-mail is sent, also not as a hash.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from providers import graph, loose, meta_errors, transport
from providers.base import Account, SendError
from providers.transport import Answer, Failure

# One older event in a request and Meta takes none of it.
OLDEST: Final = timedelta(days=7)
# How long after the click Meta credits an ad with what comes of it.
CLICK_LASTS: Final = timedelta(days=7)
# The click is of an ad of another business account than the dataset's, or none that Meta knows.
BAD_CLICK_SUBCODE: Final = 2804087
TOO_OLD: Final = SendError("too_old", "final", "Meta takes no events that are older than seven days.")
NO_ACCOUNT: Final = SendError("no_business_account", "final", "The number has no business account id.")


@dataclass(frozen=True, slots=True)
class Conversion:
    """One step of a customer who came by an ad. `name` is one of Meta's (Purchase, LeadSubmitted, ...)."""

    name: str
    event_id: str  # the same in each attempt: Meta counts an event once
    at: datetime
    click_id: str
    value: Decimal | None = None  # in whole units of `currency`
    currency: str = ""


def send(account: Account, dataset_id: str, conversion: Conversion, *, now: datetime) -> SendError | None:
    """Tell of one conversion; None when Meta counted it. Never raises."""
    if now - conversion.at > OLDEST:
        return TOO_OLD
    if not account.business_id:
        return NO_ACCOUNT
    told = {"data": [_event(account, conversion, now)]}
    answer = graph.call(account, "POST", f"{dataset_id}/events", json=told)
    if isinstance(answer, Failure):
        return transport.send_error(answer)
    if answer.status != 200:
        return _refusal(answer, now)
    if (loose.integer(graph.body_of(answer).get("events_received")) or 0) < 1:
        return SendError("not_counted", "final", "Meta answered well and counted no event.")
    return None


def dataset_of(account: Account, *, now: datetime, make: bool = False) -> str | SendError:
    """Give the id of the account's dataset; "" when there is none, unless `make` has Meta make it. An account
    has one at most, so asking twice makes no second."""
    if not account.business_id:
        return NO_ACCOUNT
    answer = graph.call(account, "POST" if make else "GET", f"{account.business_id}/dataset")
    if isinstance(answer, Failure):
        return transport.send_error(answer)
    if answer.status != 200:
        return meta_errors.read_refusal(answer, now)
    body = graph.body_of(answer)
    listed = loose.mapping(next(iter(loose.items(body.get("data"))), None))
    return loose.identifier(body.get("id") or listed.get("id")) or ""


def _event(account: Account, conversion: Conversion, now: datetime) -> Mapping[str, Any]:
    event: dict[str, Any] = {
        "event_name": conversion.name,
        "event_time": int(min(conversion.at, now).timestamp()),
        "event_id": conversion.event_id,
        "action_source": "business_messaging",
        "messaging_channel": "whatsapp",
        "user_data": {
            "whatsapp_business_account_id": account.business_id,
            "ctwa_clid": conversion.click_id,
        },
    }
    if conversion.value is not None:
        event["custom_data"] = {"currency": conversion.currency, "value": float(conversion.value)}
    return event


def _refusal(answer: Answer, now: datetime) -> SendError:
    error = loose.mapping(graph.body_of(answer).get("error"))
    if loose.integer(error.get("error_subcode")) == BAD_CLICK_SUBCODE:
        words = "Meta does not know the click as one on an ad of this business account."
        return SendError("bad_click", "final", words)
    return meta_errors.read_refusal(answer, now)
