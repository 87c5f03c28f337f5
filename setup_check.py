"""Is this desk set up as it should be? One line per thing, with what to do about it.

The command `check-setup` asks; it is the only caller. It reads rows, asks the providers about our numbers,
and changes nothing. No check raises: what goes wrong inside one is its finding.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

import desk_settings
import integrations
import llm
import tasks
import vault
from config import Config
from flow_files import FlowError
from menu_flows import shipped
from models import (
    Integration,
    MessageTemplate,
    Operator,
    WebhookEndpoint,
    WebhookEvent,
    Worker,
    db,
    utc_now,
)
from providers import provider
from shop import pix
from telling import conversions
from webhooks_out import endpoints
from wires import smtp
from wires.payment import PaymentError
from wires.payment_services import payment_services

MIGRATIONS_DIR: Final = Path(__file__).parent / "migrations"
WORKER_SILENT_AFTER: Final = timedelta(seconds=60)
SMTP_TIMEOUT_SECS: Final = 5.0
MODEL_TIMEOUT_SECS: Final = 15.0
MODEL_CHECK_TOKENS: Final = 16
# A model that thinks first has used up so few tokens before its first word, and is there all the same.
MODEL_IS_THERE: Final = frozenset({"too_long", "content_filtered"})
MODEL_MAY_PASS: Final = frozenset({"timeout", "rate_limited", "overloaded", "bad_answer"})
# A number to which nobody writes for so long is one whose webhooks may have stopped.
WEBHOOK_SILENT_AFTER: Final = timedelta(days=7)
TEMPLATES_OLD_AFTER: Final = timedelta(days=30)
STOPPED_TEMPLATES: Final = ("rejected", "paused", "disabled")
INIT_DB: Final = "run: python cli.py init-db"
SECRET_OF_SERVICE: Final = {
    "stripe": "STRIPE_WEBHOOK_SECRET",
    "mercadopago": "MERCADOPAGO_WEBHOOK_SECRET",
}

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
        findings += [*_people(), *_worker(now), *_numbers(config), *_arrivals(now), *_templates(now)]
        findings += [*_set_aside(), *_programs()]
        config = desk_settings.current(config)  # what admins saved comes before the environment
    findings += [_queue(config), _flows(), _media_folder(config), *_pix(config), *payment_findings(config)]
    return [*findings, *_mail(config), *_model(config)]


# --- settings -----------------------------------------------------------------------------------------------


def _settings(config: Config) -> Iterator[Finding]:
    yield Finding("settings", "ok", f"{config.app_env}, every value is understood")
    if config.app_env == "development" and config.has_credentials:
        yield Finding(
            "settings", "warn", "real numbers in development; set APP_ENV=production when you serve"
        )
    if not config.verify_webhook:
        yield Finding("settings", "warn", "VERIFY_WEBHOOK is false: anybody can pretend to be a customer")
    yield from _proxies(config)
    if config.is_production and not config.admin_email:
        yield Finding("settings", "warn", "ADMIN_EMAIL is empty: alerts reach nobody by e-mail")


def _proxies(config: Config) -> Iterator[Finding]:
    """Nobody inside can see who stands in front; say what the setting means for each case."""
    if config.proxy_hops:
        words = f"{config.proxy_hops} believed: the port must be reachable through them alone (PROXY_HOPS)"
        yield Finding("proxies", "ok", words)
    elif config.is_production and config.public_base_url.startswith("https:"):
        words = (
            "none believed, so behind one all visitors share its address and one throttle; set PROXY_HOPS=1 "
            "where one stands in front, leave it where gunicorn itself answers the world"
        )
        yield Finding("proxies", "warn", words)


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
        yield _public_address(config, signs_address="twilio" in shapes)
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


def _public_address(config: Config, *, signs_address: bool) -> Finding:
    if not config.public_base_url and signs_address and config.is_production:
        # Else the signature is checked for whatever host the request names.
        return Finding("address", "fail", "set PUBLIC_BASE_URL: Twilio signs the address that it calls")
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


def _arrivals(now: datetime) -> Iterator[Finding]:
    """Say for each real number when a webhook of its last came: the proof that its address is right."""
    last: Any = func.max(WebhookEvent.received_at)
    rows = db.session.execute(
        select(Integration.name, Integration.provider, last)
        .outerjoin(WebhookEvent, WebhookEvent.integration_id == Integration.id)
        .where(Integration.is_active, Integration.provider != "simulator")
        .group_by(Integration.id, Integration.name, Integration.provider)
        .order_by(Integration.id)
    )
    for name, shape, came_at in rows:
        if came_at is None:
            path = "/webhook" if shape == "meta" else "/whatsapp"
            words = f"{name}: none has ever come; tell the provider our address with {path}, then write to it"
            yield Finding("webhook", "warn", words)
        elif now - came_at > WEBHOOK_SILENT_AFTER:
            words = f"{name}: the last came at {came_at:%Y-%m-%d %H:%M} UTC; write to it and look again"
            yield Finding("webhook", "warn", words)
        else:
            yield Finding("webhook", "ok", f"{name}: the last came at {came_at:%Y-%m-%d %H:%M} UTC")


def _templates(now: datetime) -> Iterator[Finding]:
    """Say for each Meta number how fresh its templates are, and which may not be sent any more."""
    numbers = select(Integration).where(Integration.is_active, Integration.provider == "meta")
    for number in db.session.scalars(numbers.order_by(Integration.id)).all():
        subject = f"templates {number.name}"
        rows = db.session.execute(
            select(MessageTemplate.status, func.count(), func.max(MessageTemplate.synced_at))
            .where(MessageTemplate.integration_id == number.id)
            .group_by(MessageTemplate.status)
        ).all()
        synced_at = max((row[2] for row in rows if row[2] is not None), default=None)
        stopped = sum(row[1] for row in rows if row[0] in STOPPED_TEMPLATES)
        if not number.business_id:
            words = "cannot be fetched: set WHATSAPP_BUSINESS_ACCOUNT_ID"
            yield Finding(subject, "warn", words)
        elif synced_at is None:
            words = "were never fetched, so nobody can be written to after 24 hours; fetch them on Templates"
            yield Finding(subject, "warn", words)
        elif now - synced_at > TEMPLATES_OLD_AFTER:
            yield Finding(
                subject, "warn", f"were fetched {synced_at:%Y-%m-%d}; fetch them on Templates again"
            )
        elif stopped:
            words = f"{stopped} may not be sent any more (rejected, paused or disabled); look at Templates"
            yield Finding(subject, "warn", words)
        else:
            approved = sum(row[1] for row in rows if row[0] == "approved")
            yield Finding(subject, "ok", f"{approved} approved, fetched {synced_at:%Y-%m-%d %H:%M} UTC")


def _programs() -> Iterator[Finding]:
    """Say which programs do not take our webhooks."""
    for endpoint in endpoints.listed():
        subject = f"program {endpoint.name or endpoint.id}"
        if endpoint.failing_since is not None:
            words = f"takes no webhooks since {endpoint.failing_since:%Y-%m-%d %H:%M} UTC; look at Webhooks"
            yield Finding(subject, "warn", words)
        elif not endpoint.is_active:
            yield Finding(subject, "warn", "is switched off and told nothing; look at Webhooks")
        else:
            yield (
                _conversions(endpoint)
                if endpoint.service == endpoints.CONVERSIONS
                else Finding(subject, "ok", "is told by webhook")
            )


def _conversions(endpoint: WebhookEndpoint) -> Finding:
    number = integrations.number(endpoint.integration_id or 0)
    if number is None:
        words = "the number is off, or its credentials cannot be opened"
        return Finding("conversions", "warn", words)
    error = conversions.look(number.account, endpoint.url, utc_now())
    if error is not None:
        words = f"{number.name}: {error.operator_message} The token needs whatsapp_business_manage_events"
        return Finding("conversions", "warn", words)
    return Finding("conversions", "ok", f"{number.name}: Meta takes them in dataset {endpoint.url}")


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


def _pix(config: Config) -> Iterator[Finding]:
    """Say why Pix without an account is not offered although the environment names a key."""
    if config.pix_key and pix.normal_key(config.pix_key) is None:
        yield Finding("pix", "warn", "PIX_KEY is no Pix key (a phone number needs + and the country code)")
    elif config.pix_key and not (config.pix_name and config.pix_city):
        yield Finding("pix", "warn", "PIX_KEY needs PIX_NAME and PIX_CITY beside it")


def payment_findings(config: Config) -> Iterator[Finding]:
    """Ask each payment service who we are, and say what it must be told."""
    for method, service in payment_services(config).items():
        subject, variable = f"payments {method}", SECRET_OF_SERVICE[method]
        told = service.check()
        if isinstance(told, PaymentError):
            yield Finding(subject, "warn" if told.is_retryable else "fail", told.operator_message)
        elif told.is_test and config.is_production:
            words = f"{told.summary}: no money moves; put the live key in when you serve"
            yield Finding(subject, "warn", words)
        else:
            yield Finding(subject, "ok", told.summary)
        if not getattr(config, variable.lower()):
            words = f"{variable} is empty: its webhooks are refused; payments are noticed minutes later"
            yield Finding(subject, "warn", words)
        elif not config.public_base_url.startswith("https://"):
            words = "without https in PUBLIC_BASE_URL no webhook arrives; payments are noticed minutes later"
            yield Finding(subject, "warn", words)
        else:
            yield Finding(subject, "ok", f"tell it: {config.public_base_url}/payments/{method}")


def _mail(config: Config) -> Iterator[Finding]:
    """Sign in at the mail server, and say what alerts and invitations need beside it."""
    if not config.smtp_url:
        return
    error = smtp.check(config.smtp_url, timeout_secs=SMTP_TIMEOUT_SECS)
    if error is not None:
        yield Finding("mail", "fail", f"{error.operator_message} Look at SMTP_URL")
    elif not config.mail_sender:
        yield Finding("mail", "fail", "nobody to send from: set MAIL_FROM")
    else:
        words = f"{smtp.host_of(config.smtp_url)} takes our login; letters come from {config.mail_sender}"
        yield Finding("mail", "ok", words)


def _model(config: Config) -> Iterator[Finding]:
    """Ask the first model one word; it costs next to nothing and proves address, key and name."""
    models = llm.models_of(config)
    if models is None:
        yield Finding("model", "ok", "none set: free text is answered by fixed texts")
        return
    outcome = llm.ask(
        models.first(),
        [llm.Message("user", "ping")],
        memory=llm.Memory(),
        deadline_secs=MODEL_TIMEOUT_SECS,
        max_tokens=MODEL_CHECK_TOKENS,
        temperature=None,
    )
    yield _model_answer(models.chat[0].label, outcome)
    yield from _model_cost(config, models)
    heard = models.transcription
    if heard is not None and not heard.can_hear:
        words = f"{heard.label} takes no recordings; AI_TRANSCRIPTION_MODEL=openai:whisper-1 does"
        yield Finding("model", "warn", words)


def _model_answer(label: str, outcome: llm.Answered[None] | llm.Failed) -> Finding:
    if isinstance(outcome, llm.Answered) or outcome.code in MODEL_IS_THERE:
        return Finding("model", "ok", f"{label} answers, after {outcome.took_ms} ms")
    level: Level = "warn" if outcome.code in MODEL_MAY_PASS else "fail"
    status = f" {outcome.status}" if outcome.status else ""
    detail = f": {outcome.detail}" if outcome.detail else ""
    return Finding("model", level, f"{label}: {outcome.what_to_do} ({outcome.code}{status}{detail})")


def _model_cost(config: Config, models: llm.Models) -> Iterator[Finding]:
    cap = config.ai_daily_spend_cap_usd
    silent = [model.label for model in models.chat if not (model.is_free or model.tells_cost)]
    if silent:
        words = f"set AI_PRICE_IN and AI_PRICE_OUT, or the cap of {cap} USD a day cannot hold"
        yield Finding("model", "warn", f"what {', '.join(silent)} costs is unknown: {words}")
    if cap == 0 and models.only_free() is None:
        words = "AI_DAILY_SPEND_CAP_USD is 0 and no model is known to be free: none is ever asked"
        yield Finding("model", "warn", words)


def _first_line(error: BaseException) -> str:
    """Give the first line of an error without the address in it, which may hold a password."""
    original = getattr(error, "orig", None) or error
    line = next(iter(str(original).strip().splitlines()), "") or type(original).__name__
    return line[:160]
