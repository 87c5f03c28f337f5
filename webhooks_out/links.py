"""What records of ours are called in other systems, and what becomes of it when a person is deleted here.

Connectors keep a link for each thing that they made or found; `privacy` calls `forget_people`. Verbs flush
and never commit.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, select

from models import ConnectorLink, Contact, OutgoingEvent, WebhookDelivery, WebhookEndpoint, db
from statements import changed_rows, insert_or_ignore

# Told to the one connector whose links went; what it says names nobody but ids of that system.
ERASED: Final = "contact.erased"
# Deals of leads and orders are called by numbers alone.
PERSONAL: Final = ("contact", "appointment")


def of(endpoint_id: int, record: str, record_id: int) -> ConnectorLink | None:
    return db.session.scalars(
        select(ConnectorLink).where(
            ConnectorLink.endpoint_id == endpoint_id,
            ConnectorLink.record == record,
            ConnectorLink.record_id == record_id,
        )
    ).first()


def known_as(endpoint_id: int, external_id: str, record: str) -> ConnectorLink | None:
    """Give the record of this kind that the other system calls so."""
    return db.session.scalars(
        select(ConnectorLink).where(
            ConnectorLink.endpoint_id == endpoint_id,
            ConnectorLink.external_id == external_id,
            ConnectorLink.record == record,
        )
    ).first()


def keep(
    endpoint_id: int,
    record: str,
    record_id: int,
    *,
    contact_id: int,
    external_id: str,
    facts: dict[str, Any] | None,
    now: datetime,
) -> None:
    """Write down what a record is called there, and what was said of it. Flushes.

    A person who was deleted here while she was written there is deleted there, too.
    """
    if db.session.get(Contact, contact_id) is None:
        _leave_erasure(endpoint_id, [(record, external_id)], now)
        return
    db.session.execute(
        insert_or_ignore(ConnectorLink).values(
            endpoint_id=endpoint_id,
            record=record,
            record_id=record_id,
            contact_id=contact_id,
            external_id=external_id,
            facts=facts,
            created_at=now,
        )
    )
    link = of(endpoint_id, record, record_id)
    if link is not None:
        link.external_id, link.facts = external_id, facts
    db.session.flush()


def forget_people(contact_ids: Sequence[int], *, now: datetime) -> dict[str, int]:
    """Forget the links of people who are deleted here, and leave word that they be deleted there.

    Gives the receipt's counts, by service: what is asked to be deleted (`hubspot_erasing`), and what is left
    there, because the service cannot, or the connector is off or was told to leave it (`hubspot_left`).
    """
    links = db.session.scalars(
        select(ConnectorLink)
        .where(ConnectorLink.contact_id.in_(contact_ids), ConnectorLink.record.in_(PERSONAL))
        .order_by(ConnectorLink.id)
    ).all()
    counts: dict[str, int] = {}
    for endpoint_id in sorted({link.endpoint_id for link in links}):
        endpoint = db.session.get_one(WebhookEndpoint, endpoint_id)
        theirs = [(link.record, link.external_id) for link in links if link.endpoint_id == endpoint_id]
        if endpoint.is_active:
            _leave_erasure(endpoint_id, theirs, now)
        erases = endpoint.is_active and bool((endpoint.settings or {}).get("erases"))
        name = f"{endpoint.service}_{'erasing' if erases else 'left'}"
        counts[name] = counts.get(name, 0) + len(theirs)
    changed_rows(delete(ConnectorLink).where(ConnectorLink.contact_id.in_(contact_ids)))
    return counts


def _leave_erasure(endpoint_id: int, things: Sequence[tuple[str, str]], now: datetime) -> None:
    body = {"erased": [{"record": record, "external_id": external_id} for record, external_id in things]}
    event = OutgoingEvent(
        kind=ERASED, record="endpoint", record_id=endpoint_id, body=body, is_spread=True, at=now
    )
    db.session.add(event)
    db.session.flush()
    db.session.add(WebhookDelivery(event_id=event.id, endpoint_id=endpoint_id, due_at=now, created_at=now))
    db.session.flush()
