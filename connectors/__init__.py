"""Connectors: other systems that are told what happens here in their own terms, and may tell us in turn.

A connector is an endpoint of `webhooks_out` with a service of its own: events, outbox, retries, log and
replay are those of webhooks. What it adds is one module here with the contract below, and a wire.
`telling.webhooks` calls `send`, also for a test and for a deletion. They hold no session while they ask the
network; what they flush is committed by whoever called. docs/connectors.md says how to write one.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from sqlalchemy import Select

from config import Config
from connectors import calcom, hubspot
from connectors.account import Account, account_of
from models import WebhookEndpoint, db, reading
from providers.base import SendError
from webhooks_out import kinds, links
from webhooks_out.deliveries import Parcel
from wires.json_api import Refused


class Connector(Protocol):
    """What every connector can do. All but the names ask the network, and raise Refused."""

    @property
    def KINDS(self) -> tuple[str, ...]: ...  # the events it is told of
    @property
    def BASE_URL(self) -> str: ...

    def check(self, account: Account) -> dict[str, Any]:
        """Prove that the account works, make ready what it needs, and give what its settings learn of it."""

    def send(self, account: Account, parcel: Parcel, now: datetime) -> None:
        """Tell of one event; again, when it is sent again, with nothing doubled."""

    def everything(self, now: datetime) -> Sequence[tuple[str, str, Select[int]]]:
        """Give what a resync tells: a kind of event, the record, and which ids. Asks nobody."""

    def erase(self, account: Account, record: str, external_id: str) -> None:
        """Delete what is known of a person who was deleted here. Idempotent."""


TITLES: Final[Mapping[str, str]] = {"hubspot": "HubSpot", "calcom": "Cal.com"}
CONNECTORS: Final[Mapping[str, Connector]] = {"hubspot": hubspot, "calcom": calcom}


def send(parcel: Parcel, config: Config, now: datetime) -> tuple[int | None, SendError | None]:
    """Tell a connector's system of one event. Flushes what it learnt, for the commit of the log."""
    connector = CONNECTORS[parcel.service]
    with reading():
        row = db.session.get_one(WebhookEndpoint, parcel.endpoint_id)
        account = account_of(row, config, parcel.secrets)
        db.session.rollback()
    try:
        if parcel.kind == kinds.TEST:
            learnt = connector.check(account)
            row = db.session.get_one(WebhookEndpoint, parcel.endpoint_id, populate_existing=True)
            row.settings = {**(row.settings or account.settings), **learnt}
        elif parcel.kind == links.ERASED:
            for one in parcel.data["erased"]:
                connector.erase(account, one["record"], one["external_id"])
        else:
            connector.send(account, parcel, now)
    except Refused as refusal:
        return refusal.status, refusal.error
    return None, None
