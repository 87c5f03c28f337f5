"""Endpoints: who is told, of which kinds, and with which secret.

Admins' pages call the verbs. Secrets are kept encrypted and handed out once; a rotated one goes on signing
beside the new one for a day, so that the receiver can change it in peace. Verbs flush and never commit.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, update

import vault
import webhooks_out
from models import WebhookDelivery, WebhookEndpoint, db
from statements import changed_rows
from webhooks_out.bodies import Told

ROTATION_LASTS: Final = timedelta(hours=24)
NAME_MAX_CHARS: Final = 120
SWITCHED_OFF: Final = "switched_off"
CONVERSIONS: Final = "conversions"
WEBHOOK: Final = "webhook"  # somebody's own program; every other service is a system of records


@dataclass(frozen=True, slots=True)
class Wish:
    """What an admin wants: a name, and the kinds of events; None means all, also those that are to come."""

    name: str = ""
    kinds: tuple[str, ...] | None = None


def add(
    url: str,
    wish: Wish,
    *,
    secret: str,
    secret_key: str,
    now: datetime,
    service: str = WEBHOOK,
    integration_id: int | None = None,
) -> WebhookEndpoint:
    """Add an endpoint; from now on, or a few seconds later, it is told. Flushes."""
    row = WebhookEndpoint(
        service=service,
        integration_id=integration_id,
        url=url,
        secret=vault.seal(secret, secret_key),
        old_secret="",
        is_active=True,
        created_at=now,
    )
    change(row, wish)
    db.session.add(row)
    db.session.flush()
    webhooks_out.forget_silence()
    return row


def change(row: WebhookEndpoint, wish: Wish, *, url: str | None = None) -> None:
    row.name = " ".join(wish.name.split())[:NAME_MAX_CHARS]
    row.kinds = None if wish.kinds is None else list(wish.kinds)
    row.url = row.url if url is None else url


def rotate(row: WebhookEndpoint, secret: str, *, secret_key: str, now: datetime) -> None:
    """Sign with a new secret; the one before it signs beside it for `ROTATION_LASTS`."""
    row.old_secret, row.old_secret_until = row.secret, now + ROTATION_LASTS
    row.secret = vault.seal(secret, secret_key)


def secrets_of(row: WebhookEndpoint, secret_key: str, now: datetime) -> tuple[str, ...]:
    """Give what signs now, the newest first; nothing that another SECRET_KEY has sealed."""
    sealed = [row.secret]
    if row.old_secret and row.old_secret_until is not None and row.old_secret_until > now:
        sealed.append(row.old_secret)
    opened = []
    for one in sealed:
        try:
            opened.append(vault.unseal(one, secret_key))
        except vault.SealBroken:
            continue
    return tuple(secret for secret in opened if secret)


def switch(row: WebhookEndpoint, *, is_active: bool) -> None:
    """Tell an endpoint from now on, or no more; what still waited for it can be replayed later. Flushes."""
    row.is_active, row.failing_since, row.trouble = is_active, None, None
    if not is_active:
        _drop_waiting(row.id)
    db.session.flush()
    webhooks_out.forget_silence()


def remove(row: WebhookEndpoint, *, now: datetime) -> None:
    """Tell an endpoint no more, and forget its secrets; its row stays for what it was told. Flushes."""
    row.is_active, row.removed_at, row.secret, row.old_secret, row.hook_secret = False, now, "", "", None
    _drop_waiting(row.id)
    db.session.flush()


def listed() -> Sequence[WebhookEndpoint]:
    """List the endpoints that were not removed."""
    return db.session.scalars(
        select(WebhookEndpoint).where(WebhookEndpoint.removed_at.is_(None)).order_by(WebhookEndpoint.id)
    ).all()


def of_service(service: str) -> WebhookEndpoint | None:
    """Give the one endpoint of a connector's service."""
    return db.session.scalars(
        select(WebhookEndpoint)
        .where(WebhookEndpoint.service == service, WebhookEndpoint.removed_at.is_(None))
        .order_by(WebhookEndpoint.id)
        .limit(1)
    ).first()


def find(endpoint_id: int) -> WebhookEndpoint | None:
    row = db.session.get(WebhookEndpoint, endpoint_id)
    return row if row is not None and row.removed_at is None else None


def wants(kinds: Collection[str] | None, kind: str) -> bool:
    return kinds is None or kind in kinds


def concerns(row: WebhookEndpoint, told: Told) -> bool:
    """Tell whether an endpoint hears of this person: of its own number alone when it has one, Meta of who
    came by an ad and takes advertisements, and nobody's CRM or calendar of the demo's people."""
    if row.integration_id is not None and row.integration_id != told.integration_id:
        return False
    if row.service != WEBHOOK and told.is_demo:
        return False
    return row.service != CONVERSIONS or (
        told.takes_ads and bool((told.data.get("ad") or {}).get("click_id"))
    )


def conversions_of(integration_id: int) -> WebhookEndpoint | None:
    """Give the endpoint that tells Meta of a number's conversions."""
    return db.session.scalars(
        select(WebhookEndpoint).where(
            WebhookEndpoint.integration_id == integration_id,
            WebhookEndpoint.service == CONVERSIONS,
            WebhookEndpoint.removed_at.is_(None),
        )
    ).first()


def _drop_waiting(endpoint_id: int) -> None:
    changed_rows(
        update(WebhookDelivery)
        .where(WebhookDelivery.endpoint_id == endpoint_id, WebhookDelivery.due_at.is_not(None))
        .values(state="dropped", reason=SWITCHED_OFF, due_at=None)
    )
