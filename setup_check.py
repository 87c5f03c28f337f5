"""Is this desk set up as it should be? One line per thing, with what to do about it.

The command `check-setup` asks; it is the only caller. It reads rows, asks the providers about our numbers,
and changes nothing. No check raises: what goes wrong inside one is its finding.
"""

import smtplib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

import integrations
import tasks
import vault
from config import Config
from flow_files import FlowError
from menu_flows import shipped
from models import Integration, Operator, WebhookEvent, Worker, db
from providers import provider

MIGRATIONS_DIR: Final = Path(__file__).parent / "migrations"
WORKER_SILENT_AFTER: Final = timedelta(seconds=60)
SMTP_TIMEOUT_SECS: Final = 5.0
INIT_DB: Final = "run: python cli.py init-db"

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is, and in words what it is or what to do."""

    subject: str
    level: Level
    words: str


def check_setup(config: Config, *, now: datetime) -> list[Finding]:
    """Look at everything once, in the order in which one would repair it."""
    findings = [*_settings(config), _database()]
    if findings[-1].level != "fail":
        findings.append(_schema())
    if all(finding.level != "fail" for finding in findings[-2:]):
        findings += [*_people(), *_worker(now), *_numbers(config), *_set_aside()]
    return [*findings, _queue(config), _flows(), _media_folder(config), *_mail(config), _model(config)]


# --- settings -----------------------------------------------------------------------------------------------


def _settings(config: Config) -> Iterator[Finding]:
    yield Finding("settings", "ok", f"{config.app_env}, every value is understood")
    if config.app_env == "development" and config.has_credentials:
        yield Finding(
            "settings", "warn", "real numbers in development; set APP_ENV=production when you serve"
        )
    if not config.verify_webhook:
        yield Finding("settings", "warn", "VERIFY_WEBHOOK is false: anybody can pretend to be a customer")
    if config.is_production and not config.admin_email:
        yield Finding("settings", "warn", "ADMIN_EMAIL is empty: alerts reach nobody by e-mail")


def _model(config: Config) -> Finding:
    keys = {
        "OpenRouter": config.openrouter_api_key,
        "OpenAI": config.openai_api_key,
        "Anthropic": config.anthropic_api_key,
        config.ai_base_url: config.ai_base_url,
    }
    named = ", ".join(name for name, key in keys.items() if key)
    so = f"{named} is set, but this version asks no model" if named else "none set"
    return Finding("model", "ok", f"{so}: free text is answered by fixed texts")


# --- database and processes ---------------------------------------------------------------------------------


def _database() -> Finding:
    try:
        with db.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            dialect = connection.dialect
            if dialect.name in ("mysql", "mariadb"):
                charset = connection.execute(text("SELECT @@character_set_database")).scalar()
                if charset != "utf8mb4":
                    return Finding("database", "warn", f"its character set is {charset}; {INIT_DB}")
            version = ".".join(str(part) for part in dialect.server_version_info or ())
            return Finding("database", "ok", f"{dialect.name} {version}".strip())
    except SQLAlchemyError as error:
        return Finding("database", "fail", f"cannot be reached ({_first_line(error)}); look at DATABASE_URL")


def _schema() -> Finding:
    settings = AlembicConfig()
    settings.set_main_option("script_location", str(MIGRATIONS_DIR))
    heads = set(ScriptDirectory.from_config(settings).get_heads())
    with db.engine.connect() as connection:
        current = set(MigrationContext.configure(connection).get_current_heads())
    if current == heads:
        return Finding("schema", "ok", f"the newest ({', '.join(sorted(heads))})")
    have = ", ".join(sorted(current)) or "none"
    return Finding("schema", "fail", f"is {have}, not {', '.join(sorted(heads))}; {INIT_DB}")


def _people() -> Iterator[Finding]:
    admins = db.session.scalar(
        select(func.count(Operator.id)).where(Operator.is_active, Operator.role == "admin")
    )
    if admins:
        yield Finding("people", "ok", f"{admins} admin(s) can sign in")
    else:
        words = "nobody can sign in as admin; run: python cli.py create-operator --role admin"
        yield Finding("people", "fail", words)


def _worker(now: datetime) -> Iterator[Finding]:
    seen_at = db.session.scalar(select(func.max(Worker.seen_at)))
    if seen_at is not None and now - seen_at <= WORKER_SILENT_AFTER:
        yield Finding("worker", "ok", "alive")
    else:
        since = f"silent since {seen_at:%Y-%m-%d %H:%M} UTC" if seen_at else "none has ever started"
        yield Finding("worker", "warn", f"{since}; without one nothing is answered: python main.py worker")


def _queue(config: Config) -> Finding:
    try:
        waiting = tasks.huey.pending_count()
    except Exception as error:
        return Finding("queue", "fail", f"cannot be reached ({_first_line(error)}); look at QUEUE_URL")
    if config.queue_url:
        return Finding("queue", "ok", f"Redis, {waiting} wake-ups waiting")
    words = f"a file on this host, {waiting} wake-ups waiting"
    if config.is_production and not config.is_sqlite:
        words += "; with several hosts only the sweeper wakes lanes, set QUEUE_URL"
        return Finding("queue", "warn", words)
    return Finding("queue", "ok", words)


def _set_aside() -> Iterator[Finding]:
    rows = db.session.execute(
        select(WebhookEvent.state, func.count(WebhookEvent.id))
        .where(WebhookEvent.state.in_(("failed", "unknown")))
        .group_by(WebhookEvent.state)
    ).all()
    if rows:
        counts = ", ".join(f"{count} {state}" for state, count in rows)
        yield Finding("webhooks", "warn", f"{counts}; once the cause is gone: python cli.py replay-events")


# --- numbers ------------------------------------------------------------------------------------------------


def _numbers(config: Config) -> Iterator[Finding]:
    integrations.forget()
    rows = db.session.scalars(select(Integration).where(Integration.is_active).order_by(Integration.id)).all()
    if not rows:
        yield Finding(
            "numbers", "warn", "no number is connected; see README, or run: python cli.py seed-demo"
        )
    for row in rows:
        yield _number(row)
    shapes = {row.provider for row in rows}
    if shapes & {"meta", "twilio"}:
        yield _public_address(config)
    if "meta" in shapes:
        yield from _meta_webhook(config)
    if "twilio" in shapes and config.public_base_url:
        yield Finding("webhook", "ok", f"tell Twilio: POST {config.public_base_url}/whatsapp")


def _number(row: Integration) -> Finding:
    subject = f"number {row.name}"
    try:
        account = integrations.account(row)
    except vault.SealBroken:
        return Finding(
            subject, "fail", "its credentials cannot be opened: SECRET_KEY was changed; enter them again"
        )
    health = provider(row.provider).health(account)
    if not health.is_ok:
        return Finding(subject, "fail", f"{row.provider}: {health.summary}")
    if not account.app_secret:
        words = "has no app secret: webhooks are taken unsigned (WHATSAPP_APP_SECRET)"
        return Finding(subject, "warn", f"{row.provider}: {words}")
    return Finding(subject, "ok", f"{row.provider}: {health.summary}")


def _public_address(config: Config) -> Finding:
    if not config.public_base_url:
        return Finding("address", "warn", "PUBLIC_BASE_URL is empty: providers cannot be told where we are")
    if not config.public_base_url.startswith("https://"):
        return Finding("address", "warn", f"{config.public_base_url} is not https; Meta refuses it")
    return Finding("address", "ok", config.public_base_url)


def _meta_webhook(config: Config) -> Iterator[Finding]:
    has_token = any(number.verify_token for number in integrations.numbers())
    if not has_token:
        yield Finding("webhook", "warn", "WHATSAPP_VERIFY_TOKEN is empty: Meta's handshake will be refused")
    elif config.public_base_url:
        words = f"tell Meta: {config.public_base_url}/webhook with your verify token, field `messages`"
        yield Finding("webhook", "ok", words)


# --- the rest -----------------------------------------------------------------------------------------------


def _flows() -> Finding:
    try:
        return Finding("flows", "ok", ", ".join(sorted(shipped())))
    except FlowError as error:
        return Finding("flows", "fail", _first_line(error))


def _media_folder(config: Config) -> Finding:
    probe = config.media_dir / ".probe"
    try:
        config.media_dir.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        return Finding(
            "files", "fail", f"{config.media_dir} cannot be written ({error.strerror}); see MEDIA_DIR"
        )
    return Finding("files", "ok", str(config.media_dir))


def _mail(config: Config) -> Iterator[Finding]:
    if not config.smtp_url:
        return
    try:
        _knock(config.smtp_url)
    except (OSError, smtplib.SMTPException) as error:
        yield Finding("mail", "fail", f"the server does not take us ({_first_line(error)}); look at SMTP_URL")
    else:
        yield Finding("mail", "ok", f"{urlsplit(config.smtp_url).hostname} takes our login")


def _knock(smtp_url: str) -> None:
    """Connect and sign in as we would for a letter, and leave."""
    parts = urlsplit(smtp_url)
    host = parts.hostname or ""
    with _connect(parts.scheme, host, parts.port) as server:
        server.ehlo()
        if parts.scheme == "smtp" and server.has_extn("starttls"):
            server.starttls(context=ssl.create_default_context())
            server.ehlo()
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.noop()


def _connect(scheme: str, host: str, port: int | None) -> smtplib.SMTP:
    if scheme == "smtps":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(host, port or 465, timeout=SMTP_TIMEOUT_SECS, context=context)
    return smtplib.SMTP(host, port or 587, timeout=SMTP_TIMEOUT_SECS)


def _first_line(error: BaseException) -> str:
    """Give the first line of an error without the address in it, which may hold a password."""
    original = getattr(error, "orig", None) or error
    line = next(iter(str(original).strip().splitlines()), "") or type(original).__name__
    return line[:160]
