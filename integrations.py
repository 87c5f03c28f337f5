"""Our WhatsApp numbers: their credentials (sealed at rest), which one a webhook belongs to, and their health.

Called by the door, by `whatsapp_service` and by pages. Reading the numbers for each webhook would cost a
query, so each process remembers them for a few seconds. Verbs flush and never commit.
"""

import json
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from flask import current_app
from sqlalchemy import select, update

import alerts
import vault
from config import Config
from models import Integration, db
from providers.base import Account, Health

log = structlog.get_logger()

REMEMBERED_SECS = 5.0
TOKEN_ENDS_SOON = timedelta(days=7)
TOLD_AGAIN_AFTER = timedelta(hours=12)
MAX_HEALTH_CHARS = 255  # the column
NAME_MAX_CHARS = 120
# What a number of the environment is called that has no telephone number to be told by, until its provider
# or somebody says better.
UNNAMED = "WhatsApp"
_SEALED = ("app_secret", "access_token", "verify_token")


@dataclass(frozen=True, slots=True)
class Number:
    """One of our numbers as the door and the pipeline need it; secrets stay inside `account`."""

    account: Account
    verify_token: str
    name: str
    start_flow: str
    language: str
    reply_mode: str
    is_default: bool
    display_phone: str
    owner_phone: str = ""  # in E.164

    @property
    def id(self) -> int:
        return self.account.integration_id

    @property
    def business_name(self) -> str:
        """What customers know it by; empty as long as nobody has named it."""
        return "" if self.name in (UNNAMED, self.display_phone) else self.name

    @property
    def webhook_shape(self) -> str:
        """Whose webhooks reach this number: meta or twilio."""
        return self.account.shape or self.account.provider

    @property
    def identity_account(self) -> str:
        """The scope in which a person's identities are unique: one business at one provider."""
        return f"{self.account.provider}:{self.account.business_id or self.account.number_id}"[:120]


class _Memory:
    """What one process remembers of the numbers table."""

    def __init__(self) -> None:
        self.numbers: tuple[Number, ...] = ()
        self.until = 0.0


def numbers() -> tuple[Number, ...]:
    """Give all active numbers, at most REMEMBERED_SECS old."""
    memory = _memory()
    if time.monotonic() < memory.until:
        return memory.numbers
    # Under no lock: who waits for the database while holding one would hold up the writer it waits for.
    rows = db.session.execute(
        select(Integration).where(Integration.is_active).order_by(Integration.id)
    ).scalars()
    memory.numbers = found = tuple(n for n in map(_number, rows) if n is not None)
    memory.until = time.monotonic() + REMEMBERED_SECS
    return found


def forget() -> None:
    """Drop what this process remembers, after a change of its own."""
    _memory().until = 0.0


def number(integration_id: int) -> Number | None:
    """Give the active number with this id."""
    return next((n for n in numbers() if n.id == integration_id), None)


def account(integration: Integration) -> Account:
    """Give the credentials of a number, opened. Raises vault.SealBroken when SECRET_KEY was changed."""
    config = _config()
    is_twilio = "twilio" in (integration.provider, integration.shape)
    return Account(
        integration_id=integration.id,
        provider=integration.provider,
        shape=integration.shape,
        number_id=integration.number_id,
        business_id=integration.business_id,
        app_secret=vault.unseal(integration.app_secret, config.secret_key),
        access_token=vault.unseal(integration.access_token, config.secret_key),
        base_url=config.twilio_api_base_url if is_twilio else config.graph_api_base_url,
        api_version="" if is_twilio else config.graph_api_version,
        status_callback_url=f"{config.public_base_url}/whatsapp/status" if config.public_base_url else "",
        timeout_secs=config.send_timeout_secs,
    )


def create(
    *,
    provider: str,
    number_id: str,
    name: str,
    shape: str = "",
    display_phone: str = "",
    business_id: str = "",
    app_secret: str = "",
    access_token: str = "",
    verify_token: str = "",
    start_flow: str = "nexora",
    language: str = "pt",
    reply_mode: str = "rest",
    is_from_environment: bool = False,
) -> Integration:
    """Add a number; the first one, or the environment's, becomes the default. Flushes."""
    is_default = is_from_environment or not db.session.execute(select(Integration.id).limit(1)).first()
    if is_default:
        db.session.execute(update(Integration).values(is_default=False))
    integration = Integration(
        provider=provider,
        number_id=number_id,
        name=name,
        shape=shape,
        display_phone=display_phone,
        business_id=business_id,
        start_flow=start_flow,
        language=language,
        reply_mode=reply_mode,
        is_default=is_default,
        is_from_environment=is_from_environment,
    )
    db.session.add(integration)
    change(integration, app_secret=app_secret, access_token=access_token, verify_token=verify_token)
    return integration


def change(integration: Integration, **fields: Any) -> None:
    """Set columns; credentials are sealed. Flushes."""
    for name, value in fields.items():
        setattr(integration, name, vault.seal(value, _config().secret_key) if name in _SEALED else value)
    db.session.flush()
    forget()


def adopt_environment(config: Config) -> list[Integration]:
    """Make or refresh the numbers that the environment names. Idempotent; flushes."""
    adopted = []
    if config.whatsapp_phone_number_id:
        adopted.append(
            _adopt(
                provider="meta",
                number_id=config.whatsapp_phone_number_id,
                business_id=config.whatsapp_business_account_id,
                app_secret=config.whatsapp_app_secret,
                access_token=config.whatsapp_access_token,
                verify_token=config.whatsapp_verify_token,
            )
        )
    if config.has_twilio_credentials:
        adopted.append(
            _adopt(
                provider="twilio",
                number_id=config.twilio_phone_number,
                display_phone=config.twilio_phone_number,
                business_id=config.twilio_account_sid,
                app_secret=config.twilio_auth_token,
                access_token=config.twilio_auth_token,
                reply_mode=config.twilio_reply_mode,
            )
        )
    return adopted


def record_health(integration_id: int, health: Health, *, now: datetime) -> None:
    """Keep what the provider last said of a number: as JSON, which pages say in their language, where it fits
    the column, else the English sentence. Flushes."""
    integration = db.session.get(Integration, integration_id)
    if integration is not None:
        said = {"code": health.code, "said": "" if health.facts else health.summary[:160], **health.facts}
        told = json.dumps(said, ensure_ascii=False)
        is_named = health.code and len(told) <= MAX_HEALTH_CHARS
        integration.health_summary = told if is_named else health.summary[:MAX_HEALTH_CHARS]
        integration.health_ok, integration.health_at = health.is_ok, now
        if integration.name == UNNAMED and health.facts.get("name"):
            # The one that customers know; theirs read "this is WhatsApp" otherwise.
            change(integration, name=str(health.facts["name"])[:NAME_MAX_CHARS])
        db.session.flush()
        _tell_of_credentials(integration, health, now)


def _tell_of_credentials(row: Integration, health: Health, now: datetime) -> None:
    """Raise, or settle, the alerts that a number's token is refused, and that it ends soon. Flushes.

    The numbers are asked every few minutes: who has said "got it" is not told of the same each time.
    """
    refused, ending = f"credentials:number:{row.id}", f"token_ending:{row.id}"
    # A send may have been refused although the number may be asked for.
    is_quiet = row.paused_until is None or row.paused_until < now - TOLD_AGAIN_AFTER
    if health.is_credential_problem:
        _tell_now_and_then("credentials", refused, health.summary, now)
    elif health.is_ok and is_quiet:
        alerts.settle(refused, now=now)
    if health.token_ends_at is not None and health.token_ends_at - now < TOKEN_ENDS_SOON:
        words = f"The token of number {row.id} ends at {health.token_ends_at:%Y-%m-%d %H:%M} UTC."
        _tell_now_and_then("token_ending", ending, words, now)
    elif health.is_ok:
        alerts.settle(ending, now=now)


def _tell_now_and_then(kind: str, topic: str, words: str, now: datetime) -> None:
    if not alerts.is_open(topic) and not alerts.was_closed_since(kind, now - TOLD_AGAIN_AFTER):
        alerts.raise_alert(kind, topic, words, now=now)


def reference_of(message_id: int) -> str:
    """Give the mark under which a message travels and comes back in receipts: only we can make it.

    A bare id would be taken for ours from any other installation on the same number, which counts 1, 2, 3
    too.
    """
    return vault.sign(str(message_id), _config().secret_key)


def message_of(reference: str | None) -> int | None:
    """Give the id of the message that a receipt's reference names, None when we did not make it."""
    text = vault.signed_text(reference or "", _config().secret_key)
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def has_unsigned_door() -> bool:
    """Tell whether some number accepts unsigned webhooks: pages warn as long as it does."""
    return any(not n.account.app_secret for n in numbers()) or not _config().verify_webhook


def _adopt(*, provider: str, number_id: str, **fields: Any) -> Integration:
    config = _config()
    integration = db.session.execute(
        select(Integration).where(Integration.provider == provider, Integration.number_id == number_id)
    ).scalar_one_or_none()
    name = config.product_name or fields.get("display_phone") or UNNAMED
    if integration is not None:
        if integration.name == UNNAMED:
            change(integration, name=name)
        if integration.is_from_environment and _differs(integration, fields):
            change(integration, **fields)
        return integration
    return create(
        provider=provider,
        number_id=number_id,
        name=name,
        start_flow=config.start_flow,
        language=config.default_language,
        is_from_environment=True,
        **fields,
    )


def _differs(integration: Integration, fields: dict[str, Any]) -> bool:
    """Compare opened values: sealing one value twice gives two different texts."""
    key = _config().secret_key
    for name, value in fields.items():
        stored = getattr(integration, name)
        try:
            if (vault.unseal(stored, key) if name in _SEALED else stored) != value:
                return True
        except vault.SealBroken:
            return True
    return False


def _number(row: Integration) -> Number | None:
    try:
        opened = account(row)
        verify_token = vault.unseal(row.verify_token, _config().secret_key)
    except vault.SealBroken:
        log.error("credentials_unreadable", integration_id=row.id, cause="SECRET_KEY was changed")
        return None
    return Number(
        account=opened,
        verify_token=verify_token,
        name=row.name,
        start_flow=row.start_flow,
        language=row.language,
        reply_mode=row.reply_mode,
        is_default=row.is_default,
        display_phone=row.display_phone,
        owner_phone=row.owner_phone or _config().owner_phone,
    )


def _config() -> Config:
    return current_app.config["BALCAO"]  # type: ignore[no-any-return]


def _memory() -> _Memory:
    return current_app.extensions.setdefault("balcao_numbers", _Memory())  # type: ignore[no-any-return]
