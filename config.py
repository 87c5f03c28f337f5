"""The environment, read once into one frozen, typed `Config`.

Called by the ways in (`main.py`, `cli.py`, `gunicorn.conf.py`) and by tests; everybody else is handed the
`Config`. `VARIABLES` is the one table of names, aliases, defaults and explanations: it drives parsing,
`python config.py > .env.example`, and the documentation. Never imports flask, never opens a connection; the
only thing it writes is the instance folder and, outside production, a generated secret key in it.
"""

import contextlib
import os
import re
import secrets
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from textwrap import wrap
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from dotenv import dotenv_values

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

Entry = Literal["run", "gunicorn", "cli", "test"]

SECRET_KEY_MIN_CHARS: Final = 16
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
DEFAULT_MODEL: Final = "meta-llama/llama-3.1-8b-instruct:free"


class ConfigError(Exception):
    """Settings that the program refuses to start with: one line per problem, each naming its variable."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Group:
    """A heading of `.env.example` and the variables under it."""

    title: str
    variables: tuple[Variable, ...]


# fmt: off
GROUPS: Final = (
    Group("The program", (
        Variable("APP_ENV", ("FLASK_ENV", "FLASK_DEBUG"), "choice", "",
                 "development, production or testing. Empty: development under `make run`, production under "
                 "gunicorn.", choices=("development", "production", "testing")),
        Variable("SECRET_KEY", ("SESSION_SECRET",), "text", "",
                 "Signs sessions and encrypts stored credentials; 16 characters or more, required in "
                 "production. Empty in development: generated once and kept in the instance folder.",
                 is_secret=True),
        Variable("PORT", (), "whole", "5000",
                 "The port that pages and webhooks are served on.", low=1, high=65535),
        Variable("HOST", (), "text", "",
                 "The address to listen on. Empty: 127.0.0.1 under `make run`, because a desk with demo data "
                 "and a simulator is for this machine alone; 0.0.0.0 under gunicorn."),
        Variable("PUBLIC_BASE_URL", ("TWILIO_WEBHOOK_URL",), "url", "",
                 "Where the world reaches this program (https://desk.example.com). Twilio signs this "
                 "address, so it must be exact. Of TWILIO_WEBHOOK_URL only scheme and host are taken."),
        Variable("PROXY_HOPS", (), "whole", "",
                 "How many proxies in front are believed about address and scheme. Empty: 1 in production, "
                 "else 0.", low=0, high=10),
        Variable("INSTANCE_DIR", (), "folder", "instance",
                 "The folder for SQLite files, generated keys and stored media."),
        Variable("MEDIA_DIR", (), "folder", "",
                 "The folder for stored media. Empty: `media` in the instance folder."),
        Variable("DEMO", (), "flag", "",
                 "1 always writes demo history, 0 never. Empty: when the database is empty and no "
                 "credentials are set."),
        Variable("ADMIN_EMAIL", (), "email", "",
                 "The first admin, who also receives alerts."),
        Variable("ADMIN_PASSWORD", (), "text", "",
                 "The first admin's password. Empty: one is generated and printed once.", is_secret=True),
        Variable("LOG_LEVEL", (), "choice", "INFO",
                 "DEBUG, INFO, WARNING, ERROR or CRITICAL.",
                 choices=("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")),
        Variable("LOG_FORMAT", (), "choice", "",
                 "text or json. Empty: json in production, else text.", choices=("text", "json")),
    )),
    Group("Database, queue, processes", (
        Variable("DATABASE_URL", (), "database", "",
                 "postgresql://user:password@host/name, mysql://..., mariadb://... or sqlite:///file. Empty: "
                 "an SQLite file in the instance folder.", is_secret=True),
        Variable("QUEUE_URL", (), "queue", "",
                 "redis://host:6379/0 carries wake-ups between several hosts. Empty: an SQLite file in the "
                 "instance folder.", is_secret=True),
        Variable("WORKER_THREADS", (), "whole", "4",
                 "How many conversations one worker serves at once.", low=1, high=64),
        Variable("WEB_CONCURRENCY", (), "whole", "2",
                 "How many web processes gunicorn starts.", low=1, high=64),
        Variable("WEB_THREADS", (), "whole", "16",
                 "How many requests one web process serves at once; every open live page holds one.",
                 low=1, high=256),
    )),
    Group("WhatsApp through Meta's Cloud API", (
        Variable("WHATSAPP_ACCESS_TOKEN", ("WHATSAPP_TOKEN",), "text", "",
                 "The permanent token of a system user.", is_secret=True),
        Variable("WHATSAPP_PHONE_NUMBER_ID", ("PHONE_NUMBER_ID",), "text", "",
                 "The id (not the number) of the phone."),
        Variable("WHATSAPP_BUSINESS_ACCOUNT_ID", (), "text", "",
                 "The WhatsApp Business Account; needed for templates."),
        Variable("WHATSAPP_VERIFY_TOKEN", ("WHATSAPP_WEBHOOK_VERIFY_TOKEN", "VERIFY_TOKEN"), "text", "",
                 "A word of your own choice that Meta repeats when the webhook is registered.",
                 is_secret=True),
        Variable("WHATSAPP_APP_SECRET", ("WHATSAPP_WEBHOOK_SECRET",), "text", "",
                 "The app secret that signs webhooks; required in production when WhatsApp is connected.",
                 is_secret=True),
        Variable("GRAPH_API_BASE_URL", (), "url", "https://graph.facebook.com",
                 "Where Meta's Graph API answers."),
        Variable("GRAPH_API_VERSION", (), "version", "v26.0",
                 "The Graph API version."),
    )),
    Group("WhatsApp through Twilio", (
        Variable("TWILIO_ACCOUNT_SID", (), "text", "",
                 "The account id, AC..."),
        Variable("TWILIO_AUTH_TOKEN", (), "text", "",
                 "The auth token, which also signs webhooks.", is_secret=True),
        Variable("TWILIO_PHONE_NUMBER", (), "phone", "",
                 "The WhatsApp number, with + and country code."),
        Variable("TWILIO_API_BASE_URL", (), "url", "https://api.twilio.com",
                 "Where Twilio's API answers."),
        Variable("TWILIO_REPLY_MODE", (), "choice", "rest",
                 "rest sends answers by API and follows receipts; twiml answers inside the webhook.",
                 choices=("rest", "twiml")),
        Variable("VERIFY_WEBHOOK", (), "flag", "true",
                 "false accepts unsigned webhooks; refused in production."),
    )),
    Group("The language model (all optional)", (
        Variable("OPENROUTER_API_KEY", (), "text", "", "Key of OpenRouter.", is_secret=True),
        Variable("OPENAI_API_KEY", (), "text", "", "Key of OpenAI.", is_secret=True),
        Variable("ANTHROPIC_API_KEY", (), "text", "", "Key of Anthropic.", is_secret=True),
        Variable("AI_BASE_URL", (), "url", "",
                 "Any server that speaks chat completions, for example one of your own."),
        Variable("AI_MODEL", (), "text", "",
                 f"The model. Empty: {DEFAULT_MODEL} through OpenRouter, else the service's own default."),
        Variable("AI_FALLBACK_MODELS", (), "names", "",
                 "Models to try when the first fails, with commas between."),
    )),
    Group("How the desk answers", (
        Variable("START_FLOW", (), "choice", "",
                 "nexora, shop or desk: what a new contact meets. Empty: shop when PRODUCT_NAME is set, else "
                 "nexora.", choices=("nexora", "shop", "desk")),
        Variable("DEFAULT_LANGUAGE", (), "language", "pt",
                 "pt, es or en, until the customer's own language is known."),
        Variable("TIME_ZONE", (), "zone", "America/Sao_Paulo",
                 "The time zone of the shop's days and hours."),
        Variable("QUIET_SECS", (), "number", "2.0",
                 "How long free text waits for more, so that a burst gets one answer.", low=0, high=60),
        Variable("QUIET_MAX_SECS", (), "number", "8.0",
                 "The longest that a burst may wait.", low=0, high=120),
        Variable("SESSION_TIMEOUT_MINS", (), "whole", "30",
                 "Minutes of silence after which a menu starts again.", low=1, high=1440),
        Variable("ANSWER_MAX_AGE_SECS", (), "whole", "3600",
                 "Older messages are stored and shown but not answered by the bot.", low=1, high=604800),
        Variable("UNCERTAIN_RESEND_SECS", (), "whole", "60",
                 "When a send was cut off and no receipt came, send once more after this long; 0 never.",
                 low=0, high=86400),
        Variable("RATE_LIMIT_PER_SECOND", (), "whole", "80",
                 "Messages a second that a number may send (Meta: 80, 20 in coexistence).", low=1, high=1000),
        Variable("SEND_TIMEOUT_SECS", (), "number", "15",
                 "How long one call to a provider may take.", low=1, high=120),
        Variable("BOOKING_URL", (), "url", "https://nexorainvestments.com/book",
                 "Where appointments are booked."),
        Variable("BROCHURE_URL", (), "url", "https://nexorainvestments.com/brochure.pdf",
                 "The brochure that is sent."),
    )),
    Group("One product from the environment (more are kept in the database)", (
        Variable("PRODUCT_NAME", (), "text", "", "Its name."),
        Variable("PRODUCT_PRICE", (), "price", "", "Its price, 97.00 or R$ 1.497,00."),
        Variable("PRODUCT_DESCRIPTION", (), "text", "", "What it is."),
        Variable("PRODUCT_BENEFITS", (), "phrases", "",
                 "What it brings, with semicolons or commas between."),
    )),
    Group("Other services", (
        Variable("SMTP_URL", (), "smtp", "",
                 "smtp://user:password@host:587 or smtps://...; without it e-mails are kept and shown only.",
                 is_secret=True),
        Variable("CAREERJET_AFFILIATE_ID", (), "text", "", "Turns the job search on."),
        # The documented address of the affiliate interface has no TLS.
        Variable("CAREERJET_BASE_URL", (), "url", "http://public.api.careerjet.net",
                 "Where CareerJet's public search answers."),
    )),
)
# fmt: on

VARIABLES: Final[tuple[Variable, ...]] = tuple(row for group in GROUPS for row in group.variables)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Every setting, one attribute per row of `VARIABLES`. `repr` shows no secret."""

    entry: Entry

    app_env: str
    secret_key: str = field(repr=False)
    port: int
    host: str
    public_base_url: str
    proxy_hops: int
    instance_dir: Path
    media_dir: Path
    demo: bool | None
    admin_email: str
    admin_password: str = field(repr=False)
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
    ai_model: str
    ai_fallback_models: tuple[str, ...]

    start_flow: str
    default_language: str
    time_zone: str
    quiet_secs: float
    quiet_max_secs: float
    session_timeout_mins: int
    answer_max_age_secs: int
    uncertain_resend_secs: int
    rate_limit_per_second: int
    send_timeout_secs: float
    booking_url: str
    brochure_url: str

    product_name: str
    product_price: Decimal | None
    product_description: str
    product_benefits: tuple[str, ...]

    smtp_url: str = field(repr=False)
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
    return Config(entry=entry, **values)


def _read_env_file() -> dict[str, str]:
    return {name: value for name, value in dotenv_values(BASE_DIR / ".env").items() if value is not None}


def _read_values(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    problems: list[str] = []
    for variable in VARIABLES:
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
    if values["proxy_hops"] is None:
        values["proxy_hops"] = 1 if is_production else 0
    instance_dir: Path = values["instance_dir"]
    values["media_dir"] = values["media_dir"] or instance_dir / "media"
    values["database_url"] = _under_instance(values["database_url"] or "sqlite:///balcao.db", instance_dir)
    values["start_flow"] = values["start_flow"] or ("shop" if values["product_name"] else "nexora")
    if not values["ai_model"] and (values["openrouter_api_key"] or not _has_other_model(values)):
        values["ai_model"] = DEFAULT_MODEL


def _has_other_model(values: Mapping[str, Any]) -> bool:
    return bool(values["openai_api_key"] or values["anthropic_api_key"] or values["ai_base_url"])


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
    if values["app_env"] == "production":
        problems += _production_problems(values)
    return problems


def _production_problems(values: Mapping[str, Any]) -> list[str]:
    problems = []
    if not values["secret_key"]:
        problems.append(
            "SECRET_KEY: production needs one "
            "(make it with: python3 -c 'import secrets; print(secrets.token_hex(32))')"
        )
    elif len(values["secret_key"]) < SECRET_KEY_MIN_CHARS:
        problems.append(f"SECRET_KEY: production needs at least {SECRET_KEY_MIN_CHARS} characters")
    if not values["verify_webhook"]:
        problems.append("VERIFY_WEBHOOK: false is for development only; production checks every signature")
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
    return problems


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
