"""The settings: aliases, defaults, kinds, refusals, and that no secret is ever shown."""

import dataclasses
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest

import config
from config import VARIABLES, Config, ConfigError, Entry, load
from config_kinds import PARSERS, Variable

Load = Callable[..., Config]
PRODUCTION = {"APP_ENV": "production", "SECRET_KEY": "k" * 32}


def refusal(tmp_path: Path, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load({"INSTANCE_DIR": str(tmp_path), **environ})
    return str(caught.value)


# --- The table ----------------------------------------------------------------------------------------------


def test_every_row_of_the_table_is_an_attribute_and_the_other_way_round() -> None:
    attributes = {field.name for field in dataclasses.fields(Config)} - {"entry"}
    assert attributes == {variable.attribute for variable in VARIABLES}


def test_no_name_or_alias_is_used_twice() -> None:
    names = [name for variable in VARIABLES for name in (variable.name, *variable.aliases)]
    assert len(names) == len(set(names))


def test_every_kind_is_known_and_used() -> None:
    assert {variable.kind for variable in VARIABLES} == set(PARSERS)


def test_every_secret_is_left_out_of_the_repr() -> None:
    hidden = {field.name for field in dataclasses.fields(Config) if not field.repr}
    assert hidden == {variable.attribute for variable in VARIABLES if variable.is_secret}


def test_every_default_is_accepted_by_its_own_kind(load_config: Load) -> None:
    given = {variable.name: variable.default for variable in VARIABLES if variable.name != "INSTANCE_DIR"}
    assert load_config(**given) == load_config()


@pytest.mark.parametrize("variable", [v for v in VARIABLES if v.aliases], ids=lambda v: v.name)
def test_every_alias_is_read_and_the_canonical_name_wins(variable: Variable, tmp_path: Path) -> None:
    samples = {
        "APP_ENV": ("testing", "development"),
        "PUBLIC_BASE_URL": ("https://a.example", "https://b.example"),
        "WHATSAPP_PHONE_NUMBER_ID": ("1" * 15, "2" * 15),
        "MAIL_FROM": ("a@desk.example", "b@desk.example"),
    }
    first, second = samples.get(variable.name, ("a" * 20, "b" * 20))
    base = {"INSTANCE_DIR": str(tmp_path)}
    for alias in variable.aliases:
        text = "1" if alias == "FLASK_DEBUG" else second
        assert getattr(load({**base, alias: text}, entry="cli"), variable.attribute) == second
        both = load({**base, variable.name: first, alias: text})
        assert getattr(both, variable.attribute) == first
        empty = load({**base, variable.name: "  ", alias: text})
        assert getattr(empty, variable.attribute) == second


# --- Defaults -----------------------------------------------------------------------------------------------


def test_an_empty_environment_is_a_working_desk(load_config: Load, tmp_path: Path) -> None:
    settings = load_config()
    assert settings.database_url == f"sqlite:///{tmp_path}/instance/balcao.db"
    assert settings.is_sqlite
    assert settings.queue_url == ""
    assert (settings.port, settings.default_language, settings.start_flow) == (5000, "pt", "nexora")
    assert settings.ai_model == "meta-llama/llama-3.1-8b-instruct:free"
    assert settings.media_dir == tmp_path / "instance" / "media"
    assert settings.instance_dir.is_dir()
    assert not settings.has_credentials
    assert settings.demo_mode
    assert settings.zone.key == "America/Sao_Paulo"


@pytest.mark.parametrize(
    ("entry", "app_env", "host"),
    [
        ("run", "development", "127.0.0.1"),
        ("cli", "development", "127.0.0.1"),
        ("test", "testing", "127.0.0.1"),
        ("gunicorn", "production", "0.0.0.0"),
    ],
)
def test_the_way_in_decides_environment_and_address(
    entry: Entry, app_env: str, host: str, tmp_path: Path
) -> None:
    settings = load({"INSTANCE_DIR": str(tmp_path), "SECRET_KEY": "k" * 32}, entry=entry)
    assert (settings.app_env, settings.host) == (app_env, host)
    assert settings.is_production == (app_env == "production")


@pytest.mark.parametrize(
    ("environ", "app_env"),
    [
        ({"FLASK_DEBUG": "1"}, "development"),
        ({"FLASK_DEBUG": "True", "FLASK_ENV": "production"}, "production"),
        ({"FLASK_DEBUG": "0"}, "production"),
        ({"FLASK_DEBUG": "False"}, "production"),
        ({"FLASK_ENV": "Testing"}, "testing"),
    ],
)
def test_flask_names_of_the_environment_are_understood(
    environ: dict[str, str], app_env: str, tmp_path: Path
) -> None:
    settings = load({"INSTANCE_DIR": str(tmp_path), "SECRET_KEY": "k" * 32, **environ}, entry="gunicorn")
    assert settings.app_env == app_env


def test_no_proxy_is_trusted_unasked_and_production_logs_json(tmp_path: Path) -> None:
    settings = load({"INSTANCE_DIR": str(tmp_path), **PRODUCTION})
    assert (settings.proxy_hops, settings.log_format) == (0, "json")
    for hint in ({"DYNO": "web.1"}, {"PORT": "8080"}):
        assert load({"INSTANCE_DIR": str(tmp_path), **PRODUCTION, **hint}).proxy_hops == 0
    assert load({"INSTANCE_DIR": str(tmp_path), **PRODUCTION, "PROXY_HOPS": "1"}).proxy_hops == 1


def test_a_product_from_the_environment_opens_the_shop(load_config: Load) -> None:
    settings = load_config(PRODUCT_NAME="Curso", PRODUCT_PRICE="R$ 1.497,50", PRODUCT_BENEFITS="A, B; C ;")
    assert settings.start_flow == "shop"
    assert settings.product_price == Decimal("1497.50")
    assert settings.product_benefits == ("A, B", "C")
    assert load_config(PRODUCT_NAME="Curso", START_FLOW="desk").start_flow == "desk"


def test_another_model_service_keeps_its_own_default_model(load_config: Load) -> None:
    assert load_config(OPENAI_API_KEY="k").ai_model == ""
    assert load_config(OPENAI_API_KEY="k", OPENROUTER_API_KEY="k").ai_model.startswith("meta-llama/")
    assert load_config(ANTHROPIC_API_KEY="k", AI_MODEL="m").ai_model == "m"
    assert load_config(AI_FALLBACK_MODELS="a, b").ai_fallback_models == ("a", "b")


@pytest.mark.parametrize(
    ("text", "amount"), [("0.075", "0.075"), ("$5", "5"), ("US$ 2.50", "2.50"), ("0", "0")]
)
def test_an_amount_of_dollars_is_exact(load_config: Load, text: str, amount: str) -> None:
    assert load_config(AI_PRICE_IN=text).ai_price_in == Decimal(amount)


@pytest.mark.parametrize("text", ["1,50", "-1", "R$ 2", "99999", "abc"])
def test_what_is_no_amount_of_dollars_is_refused(load_config: Load, text: str) -> None:
    with pytest.raises(ConfigError, match=r"AI_PRICE_IN: .* \(example: 0.15\)"):
        load_config(AI_PRICE_IN=text)


def test_spending_has_a_cap_and_prices_are_unknown_by_default(load_config: Load) -> None:
    settings = load_config()
    assert (settings.ai_daily_spend_cap_usd, settings.ai_price_in) == (Decimal("1.00"), None)


def test_credentials_turn_the_demo_off_unless_it_is_wished(load_config: Load) -> None:
    whatsapp = {"WHATSAPP_TOKEN": "t", "PHONE_NUMBER_ID": "1"}
    twilio = {
        "TWILIO_ACCOUNT_SID": "AC1",
        "TWILIO_AUTH_TOKEN": "t",
        "TWILIO_PHONE_NUMBER": "whatsapp:+1 415 523-8886",
    }
    assert load_config(**whatsapp).has_credentials
    assert load_config(**twilio).has_credentials
    assert load_config(**twilio).twilio_phone_number == "+14155238886"
    assert not load_config(**whatsapp).demo_mode
    assert load_config(**whatsapp, DEMO="1").demo_mode
    assert not load_config(DEMO="0").demo_mode
    assert not load_config(WHATSAPP_TOKEN="t").has_credentials


def test_the_webhook_secret_of_a_payment_service_may_be_two_while_it_changes(load_config: Load) -> None:
    settings = load_config(STRIPE_SECRET_KEY="sk_test_1", STRIPE_WEBHOOK_SECRET="whsec_new, whsec_old")
    assert settings.stripe_webhook_secret == ("whsec_new", "whsec_old")
    assert "whsec" not in repr(settings)
    assert "sk_test" not in repr(settings)


# --- Databases ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "mapped"),
    [
        ("postgres://u:p%40@h/d", "postgresql+psycopg://u:p%40@h/d"),
        ("postgresql://h/d?sslmode=require", "postgresql+psycopg://h/d?sslmode=require"),
        # The server's socket, as docs/deploy.md has it.
        ("postgresql:///d?host=/run/postgresql", "postgresql+psycopg:///d?host=/run/postgresql"),
        ("postgresql+psycopg2://h/d", "postgresql+psycopg://h/d"),
        ("postgresql+psycopg://h/d", "postgresql+psycopg://h/d"),
        ("mysql://u@h/d", "mysql+pymysql://u@h/d?charset=utf8mb4"),
        ("mariadb://h:3307/d?charset=utf8", "mysql+pymysql://h:3307/d?charset=utf8mb4"),
        ("mysql+mysqldb://h/d?ssl_ca=x", "mysql+pymysql://h/d?ssl_ca=x&charset=utf8mb4"),
        ("sqlite:////var/desk.db", "sqlite:////var/desk.db"),
        ("sqlite://", "sqlite:///:memory:"),
    ],
)
def test_database_addresses_name_the_installed_drivers(given: str, mapped: str, load_config: Load) -> None:
    assert load_config(DATABASE_URL=given).database_url == mapped
    assert load_config(DATABASE_URL=mapped).database_url == mapped


def test_a_relative_sqlite_file_lies_in_the_instance_folder(load_config: Load, tmp_path: Path) -> None:
    settings = load_config(DATABASE_URL="sqlite:///nexora_whatsapp.db")
    assert settings.database_url == f"sqlite:///{tmp_path}/instance/nexora_whatsapp.db"


def test_only_the_origin_of_twilios_webhook_address_is_taken(load_config: Load) -> None:
    settings = load_config(TWILIO_WEBHOOK_URL="https://desk.example.com:8443/whatsapp?x=1")
    assert settings.public_base_url == "https://desk.example.com:8443"
    assert (
        load_config(PUBLIC_BASE_URL="https://desk.example.com/").public_base_url == "https://desk.example.com"
    )


# --- Refusals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("PORT", "abc", "PORT: 'abc' is not a whole number (example: 5000)"),
        ("PORT", "5000.5", "PORT: '5000.5' is not a whole number (example: 5000)"),
        ("PORT", "٥٠٠٠", "PORT: '٥٠٠٠' is not a whole number (example: 5000)"),
        ("PORT", "70000", "PORT: '70000' is not between 1 and 65535 (example: 5000)"),
        ("QUIET_SECS", "nan", "QUIET_SECS: 'nan' is not a number (example: 2.0)"),
        ("QUIET_SECS", "-1", "QUIET_SECS: '-1' is not between 0 and 60 (example: 2.0)"),
        ("DEMO", "perhaps", "DEMO: 'perhaps' is neither yes nor no (example: 1)"),
        (
            "APP_ENV",
            "prod",
            "APP_ENV: 'prod' is not one of development, production, testing (example: development)",
        ),
        (
            "FLASK_DEBUG",
            "x",
            "FLASK_DEBUG: 'x' is not one of development, production, testing (example: development)",
        ),
        ("DEFAULT_LANGUAGE", "xx", "DEFAULT_LANGUAGE: 'xx' is not one of pt, es, en (example: pt)"),
        ("TIME_ZONE", "Mars/Base", "TIME_ZONE: 'Mars/Base' is not a time zone (example: America/Sao_Paulo)"),
        ("TIME_ZONE", "America", "TIME_ZONE: 'America' is not a time zone (example: America/Sao_Paulo)"),
        ("TIME_ZONE", "../x", "TIME_ZONE: '../x' is not a time zone (example: America/Sao_Paulo)"),
        (
            "PUBLIC_BASE_URL",
            "desk.example.com",
            "PUBLIC_BASE_URL: 'desk.example.com' is not a web address (example: https://desk.example.com)",
        ),
        (
            "TWILIO_WEBHOOK_URL",
            "https://[::1",
            "TWILIO_WEBHOOK_URL: 'https://[::1' is not a web address (example: https://desk.example.com)",
        ),
        (
            "GRAPH_API_VERSION",
            "latest",
            "GRAPH_API_VERSION: 'latest' is not a Graph API version (example: v26.0)",
        ),
        (
            "TWILIO_PHONE_NUMBER",
            "12",
            "TWILIO_PHONE_NUMBER: '12' is not a phone number with country code (example: +14155238886)",
        ),
        ("ADMIN_EMAIL", "ana", "ADMIN_EMAIL: 'ana' is not an e-mail address (example: ana@example.com)"),
        ("PRODUCT_PRICE", "free", "PRODUCT_PRICE: 'free' is not a price (example: 97.00)"),
        (
            "QUEUE_URL",
            "amqp://u:hunter2@h",
            "QUEUE_URL: the value is not a Redis address (example: redis://localhost:6379/0)",
        ),
        (
            "DATABASE_URL",
            "oracle://u:hunter2@h/d",
            "DATABASE_URL: the value is not a database address "
            "(example: postgresql://user:password@localhost/balcao)",
        ),
        (
            "DATABASE_URL",
            "postgresql://h",
            "DATABASE_URL: the value names no database (example: postgresql://user:password@localhost/balcao)",
        ),
        (
            "SMTP_URL",
            "mail.example.com",
            "SMTP_URL: the value is not a mail server's address "
            "(example: smtp://user:password@mail.example.com:587)",
        ),
        ("PRODUCT_NAME", "a\x00b", r"PRODUCT_NAME: 'a\x00b' contains a control character"),
    ],
)
def test_a_bad_value_is_refused_in_one_line(name: str, text: str, line: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, **{name: text}) == line


def test_every_bad_value_is_named_at_once_and_long_ones_are_cut(tmp_path: Path) -> None:
    lines = refusal(tmp_path, PORT="x" * 500, WORKER_THREADS="0").splitlines()
    assert [line.partition(":")[0] for line in lines] == ["PORT", "WORKER_THREADS"]
    assert max(map(len, lines)) < 120


def test_quiet_times_must_fit_each_other(tmp_path: Path) -> None:
    assert refusal(tmp_path, QUIET_SECS="9").startswith("QUIET_MAX_SECS: ")


def test_a_short_secret_key_is_refused_everywhere(tmp_path: Path) -> None:
    for environment in ("development", "testing", "production"):
        told = refusal(tmp_path, APP_ENV=environment, SECRET_KEY="short")
        assert told.startswith("SECRET_KEY: has fewer than 16 characters")
        assert len(told.splitlines()) == 1


@pytest.mark.parametrize("wrong", ["+5511", "5511 99999", "106540352242922x", "١٢٣"])
def test_a_number_id_is_digits_alone(tmp_path: Path, wrong: str) -> None:
    told = refusal(tmp_path, WHATSAPP_PHONE_NUMBER_ID=wrong)
    assert told.startswith("WHATSAPP_PHONE_NUMBER_ID: ")
    assert len(told.splitlines()) == 1


def test_a_database_in_memory_is_for_tests_only(tmp_path: Path) -> None:
    assert refusal(tmp_path, DATABASE_URL="sqlite://").startswith("DATABASE_URL: ")


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        ({"SECRET_KEY": ""}, ["SECRET_KEY"]),
        ({"SECRET_KEY": "dev"}, ["SECRET_KEY"]),
        ({"VERIFY_WEBHOOK": "false"}, ["VERIFY_WEBHOOK"]),
        ({"WHATSAPP_ACCESS_TOKEN": "t"}, ["WHATSAPP_APP_SECRET"]),
        ({"TWILIO_ACCOUNT_SID": "AC1"}, ["TWILIO_AUTH_TOKEN"]),
        ({"STRIPE_SECRET_KEY": "sk_test_1"}, ["STRIPE_WEBHOOK_SECRET"]),
        ({"MERCADOPAGO_ACCESS_TOKEN": "TEST-1"}, ["MERCADOPAGO_WEBHOOK_SECRET"]),
        (
            {"SECRET_KEY": "", "PHONE_NUMBER_ID": "1", "TWILIO_PHONE_NUMBER": "+5511999990000"},
            ["SECRET_KEY", "WHATSAPP_APP_SECRET", "TWILIO_AUTH_TOKEN"],
        ),
    ],
)
def test_production_does_not_start_without_its_secrets(
    environ: dict[str, str], names: list[str], tmp_path: Path
) -> None:
    lines = refusal(tmp_path, **{**PRODUCTION, **environ}).splitlines()
    assert [line.partition(":")[0] for line in lines] == names


def test_development_may_leave_webhooks_unsigned(load_config: Load) -> None:
    assert load_config(APP_ENV="development", VERIFY_WEBHOOK="false").verify_webhook is False


def test_production_makes_no_folder_that_it_does_not_need(tmp_path: Path) -> None:
    folder = tmp_path / "not-made"
    load(
        {
            **PRODUCTION,
            "INSTANCE_DIR": str(folder),
            "DATABASE_URL": "postgresql://h/d",
            "QUEUE_URL": "redis://h",
        }
    )
    assert not folder.exists()


def test_an_instance_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    line = refusal(tmp_path, INSTANCE_DIR=str(tmp_path / "file" / "x"))
    assert line.startswith("INSTANCE_DIR: ")
    assert "\n" not in line


# --- Secrets ------------------------------------------------------------------------------------------------


def test_the_generated_key_is_kept_and_private(load_config: Load, tmp_path: Path) -> None:
    first, second = load_config(), load_config()
    kept = tmp_path / "instance" / "secret_key"
    assert len(first.secret_key) == 64
    assert first.secret_key == second.secret_key == kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert [path.name for path in kept.parent.iterdir()] == ["secret_key"]


def test_processes_that_start_together_end_with_one_key(load_config: Load) -> None:
    with ThreadPoolExecutor(16) as pool:
        keys = {future.result().secret_key for future in [pool.submit(load_config) for _ in range(16)]}
    assert len(keys) == 1


def test_a_damaged_key_is_named_and_not_used(load_config: Load, tmp_path: Path) -> None:
    load_config()
    (tmp_path / "instance" / "secret_key").write_text("")
    with pytest.raises(ConfigError, match=r"SECRET_KEY: the generated key in .* is damaged"):
        load_config()


@pytest.mark.parametrize(
    ("environ", "sender"),
    [
        ({}, ""),
        ({"ADMIN_EMAIL": "dona@loja.example"}, "dona@loja.example"),
        ({"ADMIN_EMAIL": "dona@loja.example", "SMTP_URL": "smtp://apikey:x@h"}, "dona@loja.example"),
        (
            {"ADMIN_EMAIL": "dona@loja.example", "SMTP_URL": "smtp://desk%40loja.example:x@h"},
            "desk@loja.example",
        ),
        ({"MAIL_FROM": "oi@loja.example", "SMTP_URL": "smtp://desk%40loja.example:x@h"}, "oi@loja.example"),
    ],
)
def test_letters_come_from_who_is_known_best(load_config: Load, environ: dict[str, str], sender: str) -> None:
    assert load_config(**environ).mail_sender == sender


def test_production_opens_no_way_into_its_own_network(load_config: Load) -> None:
    with pytest.raises(ConfigError, match="ALLOW_PRIVATE_ADDRESSES"):
        load_config(APP_ENV="production", SECRET_KEY="k" * 32, ALLOW_PRIVATE_ADDRESSES="1")


def test_no_secret_is_shown(load_config: Load) -> None:
    samples = {
        "database": "postgresql://u:hunter2@h/d",
        "queue": "redis://:hunter2@h",
        "smtp": "smtp://u:hunter2@h",
    }
    environ = {v.name: samples.get(v.kind, f"hunter2{v.name}") for v in VARIABLES if v.is_secret}
    settings = load_config(**environ)
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(settings)
    assert settings.openai_api_key == "hunter2OPENAI_API_KEY"


def test_settings_cannot_be_changed(load_config: Load) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        load_config().port = 1  # type: ignore[misc]


# --- The process's environment ------------------------------------------------------------------------------


def test_the_environment_file_is_read_below_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text(f"PORT=6001\nLOG_LEVEL='debug'\nINSTANCE_DIR={tmp_path}\nPRODUCT_NAME\n")
    monkeypatch.setattr(config, "BASE_DIR", tmp_path)
    monkeypatch.setenv("PORT", "6002")
    assert load().port == 6002
    assert load().log_level == "INFO"
    monkeypatch.delenv("FLASK_SKIP_DOTENV")
    assert load().port == 6002
    assert load().log_level == "DEBUG"


def test_tests_see_nothing_of_this_machines_settings() -> None:
    known = {name for variable in VARIABLES for name in (variable.name, *variable.aliases)}
    assert known & set(os.environ) == {"INSTANCE_DIR"}


def test_the_example_file_is_printed() -> None:
    printed = subprocess.run(
        [sys.executable, config.__file__], capture_output=True, text=True, check=True
    ).stdout
    assert printed == config.example_file()
