"""The environment, read once into one frozen, typed `Config`.

Called by the ways in (`main.py`, `cli.py`, `gunicorn.conf.py`) and by tests; everybody else is handed the
`Config`. The table of `config_variables` (names, aliases, defaults, explanations) drives parsing,
`python config.py > .env.example`, and the documentation. Never imports flask, never opens a connection; the
only thing it writes is the instance folder and, outside production, a generated secret key in it.
"""

import contextlib
import os
import re
import secrets
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from textwrap import wrap
from typing import Any, Final, Literal
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from dotenv import dotenv_values

import vault
from config_kinds import (
    BASE_DIR,
    EMPTY,
    FALSE_WORDS,
    IN_MEMORY_SQLITE,
    PARSERS,
    TRUE_WORDS,
    BadValue,
    Variable,
)
from config_variables import DEFAULT_MODEL, GROUPS
from working_hours import Stretch

Entry = Literal["run", "gunicorn", "cli", "test"]

SECRET_KEY_MIN_CHARS: Final = 16
NEW_SECRET_KEY: Final = "make it with: python3 -c 'import secrets; print(secrets.token_hex(32))'"
SHOWN_VALUE_MAX_CHARS: Final = 60
EXAMPLE_WIDTH: Final = 100
CONTROL_CHARACTER: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

APP_ENV_BY_ENTRY: Final[Mapping[Entry, str]] = {
    "run": "development",
    "gunicorn": "production",
    "cli": "development",
    "test": "testing",
}
# `make run` serves a desk with demo data and a simulator, so only this machine may reach it unless HOST says
# otherwise; gunicorn stands behind a platform's router, which must reach it from outside.
HOST_BY_ENTRY: Final[Mapping[Entry, str]] = {
    "run": "127.0.0.1",
    "gunicorn": "0.0.0.0",
    "cli": "127.0.0.1",
    "test": "127.0.0.1",
}
# What opens a payment service, and what signs its webhooks.
PAYMENT_SECRETS: Final[Mapping[str, str]] = {
    "STRIPE_SECRET_KEY": "STRIPE_WEBHOOK_SECRET",
    "MERCADOPAGO_ACCESS_TOKEN": "MERCADOPAGO_WEBHOOK_SECRET",
}
VARIABLES: Final[tuple[Variable, ...]] = tuple(row for group in GROUPS for row in group.variables)


class ConfigError(Exception):
    """Settings that the program refuses to start with: one line per problem, each naming its variable."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Every setting, one attribute per row of `VARIABLES`. `repr` shows no secret."""

    entry: Entry

    app_env: str
    secret_key: vault.Key = field(repr=False)
    secret_key_fallbacks: tuple[str, ...] = field(repr=False)
    port: int
    host: str
    public_base_url: str
    proxy_hops: int
    instance_dir: Path
    media_dir: Path
    demo: bool | None
    admin_email: str
    admin_password: str = field(repr=False)
    api_requests_per_minute: int
    log_level: str
    log_format: str

    database_url: str = field(repr=False)
    queue_url: str = field(repr=False)
    worker_threads: int
    web_concurrency: int
    web_threads: int

    whatsapp_access_token: str = field(repr=False)
    whatsapp_phone_number_id: str
    whatsapp_business_account_id: str
    whatsapp_verify_token: str = field(repr=False)
    whatsapp_app_secret: str = field(repr=False)
    graph_api_base_url: str
    graph_api_version: str

    twilio_account_sid: str
    twilio_auth_token: str = field(repr=False)
    twilio_phone_number: str
    twilio_api_base_url: str
    twilio_reply_mode: str
    verify_webhook: bool

    openrouter_api_key: str = field(repr=False)
    openai_api_key: str = field(repr=False)
    anthropic_api_key: str = field(repr=False)
    ai_base_url: str
    ai_api_key: str = field(repr=False)
    ai_model: str
    ai_fallback_models: tuple[str, ...]
    ai_vision_model: str
    ai_transcription_model: str
    ai_price_in: Decimal | None
    ai_price_out: Decimal | None
    ai_daily_spend_cap_usd: Decimal
    ai_judge: str
    ai_use: str
    ai_reads: bool
    ai_intents_left_out: tuple[str, ...]
    ai_niches_left_out: tuple[str, ...]
    ai_tone: str
    ai_temperature: float
    ai_reply_tokens: int

    local_ai: bool | None

    start_flow: str
    default_language: str
    time_zone: str
    working_hours: tuple[Stretch, ...]
    appointment_mins: int
    person_below: float
    quiet_secs: float
    quiet_max_secs: float
    session_timeout_mins: int
    answer_max_age_secs: int
    unanswered_alert_mins: int
    retention_events_days: int
    retention_outgoing_days: int
    retention_alerts_days: int
    retention_model_calls_days: int
    retention_media_days: int
    retention_people_days: int
    uncertain_resend_secs: int
    rate_limit_per_second: int
    send_timeout_secs: float
    booking_url: str
    brochure_url: str

    owner_phone: str
    owner_template: str
    follow_ups: bool

    learning_policy: str
    learning_holdout: float
    learning_attribution_days: int
    learning_half_life: str
    learning_reward: str
    learning_value_cap: int

    product_name: str
    product_price: Decimal | None
    product_description: str
    product_benefits: tuple[str, ...]

    pix_key: str
    pix_name: str
    pix_city: str
    manual_payment_text: str

    unpaid_order_days: int
    claimed_order_days: int

    stripe_secret_key: str = field(repr=False)
    stripe_webhook_secret: tuple[str, ...] = field(repr=False)
    stripe_api_base_url: str
    mercadopago_access_token: str = field(repr=False)
    mercadopago_webhook_secret: tuple[str, ...] = field(repr=False)
    mercadopago_api_base_url: str

    smtp_url: str = field(repr=False)
    mail_from: str
    twilio_sms_from: str
    allow_private_addresses: bool
    careerjet_affiliate_id: str
    careerjet_base_url: str

    @property
    def is_production(self) -> bool:
        return self.app_env == "production"

    @property
    def is_testing(self) -> bool:
        return self.app_env == "testing"

    @property
    def is_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")

    @property
    def has_whatsapp_credentials(self) -> bool:
        return bool(self.whatsapp_access_token and self.whatsapp_phone_number_id)

    @property
    def has_twilio_credentials(self) -> bool:
        return bool(self.twilio_account_sid and self.twilio_auth_token and self.twilio_phone_number)

    @property
    def own_url(self) -> str:
        """Where this program is reached, as well as it can know."""
        return self.public_base_url or f"http://127.0.0.1:{self.port}"

    @property
    def mail_sender(self) -> str:
        """Give the address that e-mails come from; empty when none is known."""
        user = unquote(urlsplit(self.smtp_url).username or "")
        return self.mail_from or (user if "@" in user else self.admin_email)

    @property
    def has_credentials(self) -> bool:
        """Whether a real number is connected through the environment."""
        return self.has_whatsapp_credentials or self.has_twilio_credentials

    @property
    def demo_mode(self) -> bool:
        """Whether demo history is wanted; with `demo` None the caller also asks if the database is empty."""
        return not self.has_credentials if self.demo is None else self.demo

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


def load(environ: Mapping[str, str] | None = None, *, entry: Entry = "cli") -> Config:
    """Read the settings, or raise ConfigError with one line for each thing that is wrong.

    Without `environ`, the process's environment counts, over the `.env` file beside this module (which
    FLASK_SKIP_DOTENV leaves unread, as in flask's own commands). Relative folders lie under the
    project, relative SQLite files under the instance folder, which is made when something is kept there.
    Idempotent.
    """
    if environ is None:
        environ = os.environ if os.environ.get("FLASK_SKIP_DOTENV") else {**_read_env_file(), **os.environ}
    values = _read_values(environ)
    _fill_in(values, entry)
    problems = _contradictions(values)
    if problems:
        raise ConfigError(*problems)
    _prepare_instance_dir(values)
    values["secret_key"] = vault.Key(values["secret_key"], values["secret_key_fallbacks"])
    return Config(entry=entry, **values)


def with_texts(config: Config, texts: Mapping[str, str]) -> Config:
    """Give the settings with those that `texts` names read anew, as from the environment; an empty text
    stays empty. Raises ConfigError with one line for each that is wrong."""
    return replace(config, **check_texts(texts))


def check_texts(texts: Mapping[str, str]) -> dict[str, Any]:
    """Read texts of some settings, by their names. Raises ConfigError as `load` does."""
    return _read_values(texts, [replace(row, default="") for row in VARIABLES if row.name in texts])


def _read_env_file() -> dict[str, str]:
    return {name: value for name, value in dotenv_values(BASE_DIR / ".env").items() if value is not None}


def _read_values(environ: Mapping[str, str], variables: Sequence[Variable] = VARIABLES) -> dict[str, Any]:
    values: dict[str, Any] = {}
    problems: list[str] = []
    for variable in variables:
        name, text = _find(variable, environ)
        try:
            values[variable.attribute] = _parse(variable, text)
        except BadValue as refusal:
            problems.append(f"{name}: {_shown(variable, text)} {refusal}")
    if problems:
        raise ConfigError(*problems)
    return values


def _find(variable: Variable, environ: Mapping[str, str]) -> tuple[str, str]:
    """Give the name in use and its text: the canonical name, then its aliases; the first non-empty wins."""
    for name in (variable.name, *variable.aliases):
        text = environ.get(name, "").strip()
        if name in ALIAS_READINGS:
            text = ALIAS_READINGS[name](text)
        if text:
            return name, text
    return variable.name, variable.default


def _parse(variable: Variable, text: str) -> Any:
    if not text and variable.kind in EMPTY:
        return EMPTY[variable.kind]
    if not text:
        return ""
    if CONTROL_CHARACTER.search(text):
        raise BadValue("contains a control character")
    return PARSERS[variable.kind](text, variable)


def _shown(variable: Variable, text: str) -> str:
    if variable.is_secret:
        return "the value"
    return repr(text if len(text) <= SHOWN_VALUE_MAX_CHARS else text[:SHOWN_VALUE_MAX_CHARS] + "…")


def _fill_in(values: dict[str, Any], entry: Entry) -> None:
    """Give computed defaults to what was left empty."""
    values["app_env"] = values["app_env"] or APP_ENV_BY_ENTRY[entry]
    is_production = values["app_env"] == "production"
    values["host"] = values["host"] or HOST_BY_ENTRY[entry]
    values["log_format"] = values["log_format"] or ("json" if is_production else "text")
    instance_dir: Path = values["instance_dir"]
    values["media_dir"] = values["media_dir"] or instance_dir / "media"
    values["database_url"] = _under_instance(values["database_url"] or "sqlite:///balcao.db", instance_dir)
    values["start_flow"] = values["start_flow"] or ("shop" if values["product_name"] else "nexora")
    if not values["ai_model"] and not _has_other_model(values):
        values["ai_model"] = DEFAULT_MODEL


def _has_other_model(values: Mapping[str, Any]) -> bool:
    """Whether plain model names go to another service than OpenRouter."""
    has_other_key = bool(values["openai_api_key"] or values["anthropic_api_key"])
    return bool(values["ai_base_url"]) or (has_other_key and not values["openrouter_api_key"])


def _under_instance(database_url: str, instance_dir: Path) -> str:
    scheme, separator, path = database_url.partition(":///")
    if not scheme.startswith("sqlite") or not separator or path.startswith((":memory:", "file:", "/")):
        return database_url
    return f"{scheme}:///{instance_dir / path}"


def _contradictions(values: Mapping[str, Any]) -> list[str]:
    """Name what is well-formed alone but must not start together."""
    problems = []
    if values["quiet_max_secs"] < values["quiet_secs"]:
        problems.append("QUIET_MAX_SECS: must not be less than QUIET_SECS (example: 8.0)")
    if values["database_url"] == IN_MEMORY_SQLITE and values["app_env"] != "testing":
        problems.append(
            "DATABASE_URL: a database in memory is lost and not shared between threads; name a file"
        )
    if 0 < len(values["secret_key"]) < SECRET_KEY_MIN_CHARS:
        problems.append(f"SECRET_KEY: has fewer than {SECRET_KEY_MIN_CHARS} characters ({NEW_SECRET_KEY})")
    if values["app_env"] == "production":
        problems += _production_problems(values)
    return problems


def _production_problems(values: Mapping[str, Any]) -> list[str]:
    problems = []
    if not values["secret_key"]:
        problems.append(f"SECRET_KEY: production needs one ({NEW_SECRET_KEY})")
    if not values["verify_webhook"]:
        problems.append("VERIFY_WEBHOOK: false is for development only; production checks every signature")
    if values["allow_private_addresses"]:
        problems.append("ALLOW_PRIVATE_ADDRESSES: is for trying out; it would open your network")
    if (
        _any(values, "whatsapp_access_token", "whatsapp_phone_number_id")
        and not values["whatsapp_app_secret"]
    ):
        problems.append(
            "WHATSAPP_APP_SECRET: production needs it, or anyone could send webhooks in Meta's name"
        )
    if _any(values, "twilio_account_sid", "twilio_phone_number") and not values["twilio_auth_token"]:
        problems.append(
            "TWILIO_AUTH_TOKEN: production needs it, or anyone could send webhooks in Twilio's name"
        )
    return problems + _half_connected_payments(values)


def _half_connected_payments(values: Mapping[str, Any]) -> list[str]:
    """Without its webhook secret, a payment service's word that an order is paid cannot be believed."""
    return [
        f"{secret}: production needs it beside {key}, or anyone could say that an order is paid"
        for key, secret in PAYMENT_SECRETS.items()
        if values[key.lower()] and not values[secret.lower()]
    ]


def _any(values: Mapping[str, Any], *names: str) -> bool:
    return any(values[name] for name in names)


def _prepare_instance_dir(values: dict[str, Any]) -> None:
    """Make the folder when a file will lie in it, and outside production the secret key."""
    instance_dir: Path = values["instance_dir"]
    needs_key = not values["secret_key"]
    if not (needs_key or values["database_url"].startswith("sqlite") or not values["queue_url"]):
        return
    try:
        # Messages, password hashes and sealed credentials lie in it: other accounts of the machine stay out.
        instance_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if needs_key:
            values["secret_key"] = _kept_secret_key(instance_dir)
    except OSError as error:
        raise ConfigError(f"INSTANCE_DIR: {str(instance_dir)!r} cannot be used ({error.strerror})") from error


def _kept_secret_key(instance_dir: Path) -> str:
    """Read the generated key, or make it. Several processes that start at once end with the same key."""
    kept = instance_dir / "secret_key"
    if not kept.exists():
        descriptor, draft = tempfile.mkstemp(dir=instance_dir, prefix=".secret_key.")  # mkstemp: mode 0600
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
        with contextlib.suppress(FileExistsError):  # another process was first: its key counts
            os.link(draft, kept)
        os.unlink(draft)
    key = kept.read_text().strip()
    if len(key) < SECRET_KEY_MIN_CHARS:
        raise ConfigError(f"SECRET_KEY: the generated key in {str(kept)!r} is damaged; delete that file")
    return key


def _origin(text: str) -> str:
    """Keep scheme and host of a webhook's address; what is no address is left for its kind to refuse."""
    scheme, separator, rest = text.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}" if separator else text


def _debug_means_development(text: str) -> str:
    if text.lower() in TRUE_WORDS:
        return "development"
    return "" if text.lower() in FALSE_WORDS else text


ALIAS_READINGS: Final[Mapping[str, Callable[[str], str]]] = {
    "TWILIO_WEBHOOK_URL": _origin,
    "FLASK_DEBUG": _debug_means_development,
}


def example_file() -> str:
    """Write `.env.example`: every variable of the table with its explanation, aliases and default."""
    lines = [
        "# Copy to .env and fill in what you have; everything is optional in development.",
        "# Written by: python config.py > .env.example",
    ]
    for group in GROUPS:
        lines += ["", f"# --- {group.title} ---"]
        for variable in group.variables:
            lines += ["", *wrap(variable.doc, EXAMPLE_WIDTH, initial_indent="# ", subsequent_indent="# ")]
            if variable.aliases:
                lines.append(f"# Also read as: {', '.join(variable.aliases)}")
            lines.append(f"{variable.name}={variable.default}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(example_file())
