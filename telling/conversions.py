"""Tells Meta what became of customers who came by an ad, as one of the programs that are told.

`webhooks_out` spreads what concerns it; `telling.webhooks` calls `send` for each of it, tries again and keeps
the log.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from babel.numbers import get_currency_precision

import integrations
from config import Config
from models import Contact, WebhookEndpoint, db, reading
from providers import meta_conversions
from providers.base import Account, SendError
from providers.meta_conversions import Conversion
from webhooks_out.deliveries import Parcel

# Meta takes a closed list of names for chats; these three stand on every list of it that was seen.
NAMES: Final[Mapping[str, str]] = {
    "lead.created": "LeadSubmitted",
    "order.created": "InitiateCheckout",
    "order.paid": "Purchase",
}
NOBODY: Final = SendError("nobody", "final", "The person takes no advertisements any more.")
OTHER_DATASET: Final = SendError("other_dataset", "final", "Meta does not name this dataset for the account.")
NO_NUMBER: Final = SendError(
    "no_number", "final", "Its number is switched off, or its secrets cannot be opened."
)


def send(parcel: Parcel, config: Config, now: datetime) -> tuple[int | None, SendError | None]:
    """Tell Meta of one conversion; a test asks for the dataset alone, for every conversion counts. Holds no
    session while it does, and asks once more whether it may."""
    with reading():
        endpoint = db.session.get_one(WebhookEndpoint, parcel.endpoint_id)
        number = integrations.number(endpoint.integration_id or 0)
        is_allowed = parcel.kind not in NAMES or _takes_ads(parcel.data["contact"]["id"])
        db.session.rollback()
    if number is None:
        return None, NO_NUMBER
    if not is_allowed:
        return None, NOBODY
    if parcel.kind not in NAMES:
        return None, look(number.account, parcel.url, now)
    return None, _tell(number.account, parcel, now)


def look(account: Account, dataset_id: str, now: datetime) -> SendError | None:
    """Ask whether Meta knows the dataset as this account's, and lets our token see it; None when it does."""
    found = meta_conversions.dataset_of(account, now=now)
    if isinstance(found, SendError):
        return found
    return None if found == dataset_id else OTHER_DATASET


def _takes_ads(contact_id: int) -> bool:
    contact = db.session.get(Contact, contact_id)
    if contact is not None and contact.merged_into_id is not None:
        contact = db.session.get(Contact, contact.merged_into_id)
    return contact is not None and contact.takes_ads


def _tell(account: Account, parcel: Parcel, now: datetime) -> SendError | None:
    order = parcel.data.get("order")
    conversion = Conversion(
        name=NAMES[parcel.kind],
        event_id=parcel.message_id,
        at=parcel.at,
        click_id=parcel.data["ad"]["click_id"],
        value=None if order is None else _value(order),
        currency="" if order is None else order["currency"],
    )
    return meta_conversions.send(account, parcel.url, conversion, now=now)


def _value(order: Mapping[str, Any]) -> Decimal:
    return Decimal(order["total_minor"]).scaleb(-get_currency_precision(order["currency"]))
