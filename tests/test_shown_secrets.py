"""No page, answer, error or log line shows a secret: canaries stand wherever a secret can, then every door is
tried, with every service away so that errors are told, too.

Variables and columns are read from the program: a new secret or a new route takes part by itself.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

import integrations
import operators
import tasks
import vault
from app import create_app
from config import VARIABLES, Config
from models import AlertRecipient, Base, Operator, WebhookEndpoint, db
from tests import page_rows
from tests.browsing import AS_BROWSER, sign_in
from tests.calling import Caller
from tests.conftest import QUICK_HASHER
from tests.page_rows import ADMIN_EMAIL
from tests.test_roles import address_of, methods_of, rules

CLOSED: Final = "127.0.0.1:9"  # nobody listens: every call to a service fails at once
ADDRESSES: Final = (
    "GRAPH_API_BASE_URL", "TWILIO_API_BASE_URL", "AI_BASE_URL", "STRIPE_API_BASE_URL",
    "MERCADOPAGO_API_BASE_URL", "CAREERJET_BASE_URL",
)  # fmt: skip
CANARY: Final = re.compile(r"canary0\w+")
SIGNS_OUT: Final = ("sign_in.logout",)


def canary(name: str) -> str:
    return f"canary0{name.lower()}0x7f3a"


def planted_environment() -> dict[str, str]:
    """Give every secret variable a canary, in the shape that it wants, and close every service."""
    found = {variable.name: canary(variable.name) for variable in VARIABLES if variable.is_secret}
    found |= dict.fromkeys(ADDRESSES, f"http://{CLOSED}")
    return found | {
        "STRIPE_SECRET_KEY": f"sk_test_{canary('STRIPE_SECRET_KEY')}",
        "STRIPE_WEBHOOK_SECRET": f"whsec_{canary('STRIPE_WEBHOOK_SECRET')}",
        "SMTP_URL": f"smtp://desk:{canary('SMTP_URL')}@{CLOSED}",
        "QUEUE_URL": f"redis://:{canary('QUEUE_URL')}@{CLOSED}/0",
        "WHATSAPP_PHONE_NUMBER_ID": "106540352242922",
        "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "TWILIO_PHONE_NUMBER": "+14155238886",
        "LOG_LEVEL": "DEBUG",
        "LOG_FORMAT": "json",
    }


def plant_columns(secret_key: str) -> set[str]:
    """Seal a canary into every sealed column of every row; gives the columns that got none."""
    db.session.add(AlertRecipient(channel="webhook", address="https://x.example", address_key="x"))
    db.session.add(WebhookEndpoint(url="https://x.example/hook", secret="x", name="crm"))
    db.session.flush()
    empty = set()
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if column.info.get("is_sealed"):
                sealed = vault.seal(canary(f"{table.name}_{column.name}"), secret_key)
                done: Any = db.session.execute(update(table).values({column.name: sealed}))
                empty |= set() if done.rowcount else {f"{table.name}.{column.name}"}
    db.session.commit()
    return empty


@contextmanager
def desk_of(config: Config, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    monkeypatch.setattr(operators, "_hasher", QUICK_HASHER)
    app = create_app(config)
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


class Reader:
    """Reads all that one desk says, and notes where a canary stands in it."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.statuses: list[int] = []

    def read(self, where: str, text: str) -> None:
        self.found += [f"{where}: {seen}" for seen in sorted(set(CANARY.findall(text)))]

    def answer(self, rule: str, method: str, answer: TestResponse) -> None:
        self.statuses.append(answer.status_code)
        body = "" if answer.is_streamed else answer.get_data(as_text=True)
        self.read(f"{method} {rule} ({answer.status_code})", f"{answer.headers}\n{body}")


def walk(app: Flask, browser: FlaskClient, key: str, reader: Reader, *, methods: tuple[str, ...]) -> None:
    """Try every route with row 1, as an admin and as a program that may all; forms are sent empty."""
    programs = app.test_client()
    for rule in rules(app):
        if rule.endpoint in SIGNS_OUT:
            continue
        for method in methods_of(rule):
            if method not in methods:
                continue
            is_for_programs = rule.endpoint.startswith(("api.", "metrics_page."))
            client, headers = (
                (programs, {"Authorization": f"Bearer {key}"}) if is_for_programs else (browser, AS_BROWSER)
            )
            answer = client.open(address_of(rule), method=method, headers=headers)
            reader.answer(rule.rule, method, answer)
            with client.session_transaction() as session:  # what the next page would say
                reader.read(f"after {method} {rule.rule}", str(session.pop("_flashes", "")))


def test_no_page_answer_error_or_log_line_shows_a_secret(
    load_config: Callable[..., Config],
    sqlite_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("llm.trying.FIRST_WAIT_SECS", 0.0)
    reader = Reader()
    config = load_config(**planted_environment() | {"DATABASE_URL": sqlite_url, "APP_ENV": "production"})
    with desk_of(config, monkeypatch) as app:
        with app.app_context():
            db.create_all()
            operators.ensure_first_admin(config)
            integrations.adopt_environment(config)
            page_rows.people()
            page_rows.fill()
        browser = app.test_client()
        assert sign_in(browser, ADMIN_EMAIL).status_code == 302
        key = Caller(app).key
        with app.app_context():
            assert plant_columns(config.secret_key) == set(), "every sealed column holds a canary somewhere"
            assert CANARY.search(integrations.numbers()[0].account.access_token), "the desk itself reads them"
            hashes = db.session.execute(select(Operator.password_hash)).scalars().all()
        app.config["WTF_CSRF_ENABLED"] = False
        walk(app, browser, key, reader, methods=("GET",))
        assert reader.statuses.count(200) > 100, "most pages open"
        walk(app, browser, key, reader, methods=("POST", "PUT", "PATCH", "DELETE"))
        assert browser.get("/", headers=AS_BROWSER).status_code == 200, "still signed in"
        tasks.check_numbers.call_local()
        tasks.reconcile_twilio.call_local()
    out, err = capfd.readouterr()
    assert '"event"' in err, "something was logged"
    reader.read("log", out + err)
    reader.found += ["log: a password's hash" for one in hashes if one in out + err]
    assert reader.found == []


def test_a_database_that_is_away_is_told_without_its_password(
    load_config: Callable[..., Config], capfd: pytest.CaptureFixture[str]
) -> None:
    secret = canary("DATABASE_URL")
    reader = Reader()
    app = create_app(load_config(DATABASE_URL=f"postgresql://desk:{secret}@{CLOSED}/desk", LOG_LEVEL="DEBUG"))
    browser = app.test_client()
    for path in ("/", "/login", "/readyz", "/healthz", "/webhook/health", "/api/v1/contacts", "/inbox"):
        reader.answer(path, "GET", browser.get(path, headers=AS_BROWSER))
    reader.answer("/webhook", "POST", browser.post("/webhook", data=b"{}"))
    assert 503 in reader.statuses
    reader.read("log", "".join(capfd.readouterr()))
    assert reader.found == []
