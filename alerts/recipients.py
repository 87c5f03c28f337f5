"""Who is told of alerts: by which channel, of which kinds, and when not.

Admins' pages and the account page call the verbs, `deliveries` reads. An address is one recipient of its
channel for ever; a removed one that is entered again is the same row. Verbs flush and never commit.
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select, update

import vault
from alerts import kinds
from config import Config
from models import AlertRecipient, Operator, PushSubscription, db
from statements import changed_rows, insert_or_ignore

Channel = Literal["email", "sms", "push", "webhook", "whatsapp"]

EMAIL: Final = "email"
SMS: Final = "sms"
PUSH: Final = "push"
WEBHOOK: Final = "webhook"
WHATSAPP: Final = "whatsapp"
CHANNELS: Final[tuple[Channel, ...]] = (EMAIL, SMS, PUSH, WEBHOOK, WHATSAPP)
# What an admin enters an address for; the others follow from a browser and from the numbers' owners.
WRITTEN: Final[tuple[Channel, ...]] = (EMAIL, SMS, WEBHOOK)
OWNER: Final = "owner"
NAME_MAX_CHARS: Final = 120
BROWSER_MAX_CHARS: Final = 120
BROWSERS_MAX: Final = 20
DAY_MINS: Final = 24 * 60


class AlreadyThere(Exception):
    """This address is a recipient of its channel already."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a recipient wants: `kinds` None means all, also those that are to come."""

    name: str
    language: str
    kinds: tuple[str, ...] | None = None
    quiet_from_min: int | None = None
    quiet_until_min: int | None = None
    is_woken: bool = True


# --- who there is -------------------------------------------------------------------------------------------


def everybody() -> Sequence[AlertRecipient]:
    """List the recipients that were not removed, by channel."""
    return db.session.scalars(
        select(AlertRecipient)
        .where(AlertRecipient.removed_at.is_(None))
        .order_by(AlertRecipient.channel, AlertRecipient.id)
    ).all()


def recipient(recipient_id: int) -> AlertRecipient | None:
    """Give one that was not removed."""
    row = db.session.get(AlertRecipient, recipient_id)
    return row if row is not None and row.removed_at is None else None


def to_tell(kind: str) -> list[AlertRecipient]:
    """List who is told of a kind by a channel of ours; the owner's phone has an outbox of its own."""
    rows = db.session.scalars(
        select(AlertRecipient)
        .outerjoin(Operator, Operator.id == AlertRecipient.operator_id)
        .where(
            AlertRecipient.is_active.is_(True),
            AlertRecipient.removed_at.is_(None),
            AlertRecipient.channel != WHATSAPP,
            AlertRecipient.operator_id.is_(None) | Operator.is_active.is_(True),
        )
        .order_by(AlertRecipient.id)
    )
    return [row for row in rows if wants(row, kind)]


def wants(row: AlertRecipient, kind: str) -> bool:
    return row.kinds is None or kind in row.kinds


def owner() -> AlertRecipient | None:
    """Give what was chosen for the owner's phone; None: never chosen."""
    return _found(WHATSAPP, OWNER)


# --- what people change -------------------------------------------------------------------------------------


def add(
    channel: Channel,
    address: str,
    wish: Wish,
    *,
    now: datetime,
    operator_id: int | None = None,
    secret: str = "",
    secret_key: str = "",
) -> AlertRecipient:
    """Add a recipient; one that was removed is the same row again. Flushes. Raises AlreadyThere."""
    row = _found(channel, address)
    if row is not None and row.removed_at is None:
        raise AlreadyThere
    if row is None:
        row = AlertRecipient(channel=channel, address=address, address_key=key_of(address), created_at=now)
        db.session.add(row)
    row.operator_id, row.is_active, row.removed_at = operator_id, True, None
    if secret:
        row.secret = vault.seal(secret, secret_key)
    change(row, wish)
    return row


def change(row: AlertRecipient, wish: Wish) -> None:
    """Keep what a recipient wants from now on. Flushes."""
    row.name = wish.name.strip()[:NAME_MAX_CHARS]
    row.language = wish.language
    row.kinds = None if wish.kinds is None else list(wish.kinds)
    has_quiet = wish.quiet_from_min is not None and wish.quiet_until_min is not None
    row.quiet_from_min = wish.quiet_from_min if has_quiet else None
    row.quiet_until_min = wish.quiet_until_min if has_quiet else None
    row.is_woken = wish.is_woken
    db.session.flush()


def set_secret(row: AlertRecipient, secret: str, secret_key: str) -> None:
    """Keep the secret that signs a webhook. Flushes."""
    row.secret = vault.seal(secret, secret_key)
    db.session.flush()


def switch(row: AlertRecipient, *, is_active: bool) -> None:
    """Tell a recipient from now on, or no more. Flushes."""
    row.is_active = is_active
    db.session.flush()


def remove(row: AlertRecipient, *, now: datetime) -> None:
    """Take a recipient away; browsers of an operator go with it. Flushes."""
    if row.channel == PUSH:
        changed_rows(delete(PushSubscription).where(PushSubscription.operator_id == row.operator_id))
    row.is_active, row.removed_at, row.is_from_environment = False, now, False
    db.session.flush()


def restore(row: AlertRecipient) -> None:
    """Take a removal back. Flushes."""
    row.is_active, row.removed_at = True, None
    db.session.flush()


def adopt_environment(config: Config, *, now: datetime) -> None:
    """Make ADMIN_EMAIL a recipient, once: what was changed or removed on the page stays so. Flushes."""
    if not config.admin_email:
        return
    address = config.admin_email.lower()
    if _found(EMAIL, address) is not None:
        return
    changed_rows(
        update(AlertRecipient)
        .where(AlertRecipient.is_from_environment.is_(True))
        .values(is_active=False, removed_at=now, is_from_environment=False)
    )
    db.session.execute(
        insert_or_ignore(AlertRecipient).values(
            channel=EMAIL,
            address=address,
            address_key=key_of(address),
            name="",
            language=config.default_language,
            is_woken=True,
            secret="",
            is_active=True,
            is_from_environment=True,
            created_at=now,
        )
    )


# --- browsers -----------------------------------------------------------------------------------------------


def subscribe(
    operator_id: int,
    wish: Wish,
    *,
    endpoint: str,
    p256dh: str,
    auth: str,
    browser: str,
    now: datetime,
) -> PushSubscription:
    """Keep a browser of an operator's, and make her a recipient. Flushes. Idempotent.

    A browser that another operator used belongs to who asked last.
    """
    key = key_of(endpoint)
    row = db.session.scalars(select(PushSubscription).where(PushSubscription.endpoint_key == key)).first()
    if row is None:
        row = PushSubscription(endpoint=endpoint, endpoint_key=key, created_at=now)
        db.session.add(row)
    row.operator_id, row.p256dh, row.auth = operator_id, p256dh, auth
    row.browser = browser[:BROWSER_MAX_CHARS]
    db.session.flush()
    known = _found(PUSH, _operator_address(operator_id))
    if known is None:
        add(PUSH, _operator_address(operator_id), wish, now=now, operator_id=operator_id)
    elif known.removed_at is not None:
        restore(known)
    _keep_few(operator_id)
    return row


def unsubscribe(subscription_id: int, operator_id: int, *, now: datetime) -> bool:
    """Forget a browser of an operator's; with the last one she is no recipient any more. Flushes."""
    row = db.session.get(PushSubscription, subscription_id)
    if row is None or row.operator_id != operator_id:
        return False
    forget([row.id])
    known = push_recipient(operator_id)
    if known is not None and not browsers_of(operator_id):
        remove(known, now=now)
    return True


def browsers_of(operator_id: int) -> Sequence[PushSubscription]:
    return db.session.scalars(
        select(PushSubscription)
        .where(PushSubscription.operator_id == operator_id)
        .order_by(PushSubscription.id)
    ).all()


def push_recipient(operator_id: int) -> AlertRecipient | None:
    row = _found(PUSH, _operator_address(operator_id))
    return row if row is not None and row.removed_at is None else None


def forget(subscription_ids: Iterable[int]) -> None:
    """Forget browsers that ended their subscription."""
    changed_rows(delete(PushSubscription).where(PushSubscription.id.in_(list(subscription_ids))))


def note_shown(subscription_ids: Collection[int], *, now: datetime) -> None:
    changed_rows(
        update(PushSubscription).where(PushSubscription.id.in_(subscription_ids)).values(last_ok_at=now)
    )


def _keep_few(operator_id: int) -> None:
    """Forget the oldest of very many browsers: each one is asked for each alert."""
    forget(row.id for row in browsers_of(operator_id)[:-BROWSERS_MAX])


# --- quiet hours --------------------------------------------------------------------------------------------


def quiet_end(row: AlertRecipient, kind: str, zone: ZoneInfo, now: datetime) -> datetime | None:
    """Tell until when a recipient hears nothing of this kind; None when it may be told now."""
    start, end = row.quiet_from_min, row.quiet_until_min
    if start is None or end is None or start == end or (row.is_woken and kinds.is_urgent(kind)):
        return None
    local = now.astimezone(zone)
    minute = local.hour * 60 + local.minute
    is_quiet = start <= minute < end if start < end else minute >= start or minute < end
    if not is_quiet:
        return None
    day = local.date() if minute < end else local.date() + timedelta(days=1)
    wall = datetime.combine(day, datetime.min.time(), zone) + timedelta(minutes=end)
    return max(wall.astimezone(now.tzinfo), now)


# --- below --------------------------------------------------------------------------------------------------


def key_of(address: str) -> str:
    return hashlib.sha256(address.encode("utf-8", "replace")).hexdigest()


def _found(channel: Channel, address: str) -> AlertRecipient | None:
    return db.session.scalars(
        select(AlertRecipient).where(
            AlertRecipient.channel == channel, AlertRecipient.address_key == key_of(address)
        )
    ).first()


def _operator_address(operator_id: int) -> str:
    return f"operator:{operator_id}"
