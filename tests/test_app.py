"""The composition root: doors and their guards, headers, error answers, readiness."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from flask import Blueprint, Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

import app as composition
import models
from app import GUARDS, MAX_REQUEST_BYTES, OPEN_ENDPOINTS, create_app
from config import Config
from models import Worker, db, utc_now
from tests import page_rows
from tests.browsing import AS_BROWSER, get, sign_in
from tests.page_rows import ADMIN_EMAIL


def test_every_rule_has_a_guard(app: Flask) -> None:
    unguarded = [
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if rule.endpoint not in OPEN_ENDPOINTS and rule.endpoint.partition(".")[0] not in GUARDS
    ]
    assert unguarded == []


def test_a_blueprint_without_a_guard_is_refused(app: Flask) -> None:
    forgotten = Blueprint("forgotten", __name__)
    forgotten.add_url_rule("/forgotten", "page", lambda: "secret")
    app.register_blueprint(forgotten)
    answer = app.test_client().get("/forgotten")
    assert answer.status_code == 500
    assert b"secret" not in answer.data


@pytest.mark.parametrize("path", ["/login", "/nothing-here", "/healthz", "/static/css/balcao.css"])
def test_every_answer_carries_the_security_headers(client: FlaskClient, path: str) -> None:
    headers = get(client, path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["X-Request-ID"]


def test_a_given_trace_id_is_kept_and_a_strange_one_is_not(client: FlaskClient) -> None:
    assert get(client, "/healthz", **{"X-Request-ID": "trace-12345"}).headers["X-Request-ID"] == "trace-12345"
    assert get(client, "/healthz", **{"X-Request-ID": "a b<c>"}).headers["X-Request-ID"] != "a b<c>"


def test_pages_are_not_kept_by_caches_and_files_are(client: FlaskClient) -> None:
    assert "no-store" in get(client, "/login").headers["Cache-Control"]
    assert "immutable" in get(client, "/static/css/balcao.css?v=1").headers["Cache-Control"]


@pytest.mark.parametrize(
    "path", ["/static/css/balcao.css", "/bootstrap/static/css/bootstrap.min.css", "/static/js/live.js"]
)
def test_static_files_are_compressed_and_asked_for_once(client: FlaskClient, path: str):
    plain = get(client, path)
    packed = get(client, path, **{"Accept-Encoding": "gzip, br, zstd"})
    assert packed.headers["Content-Encoding"] in ("zstd", "br")
    assert len(packed.data) < len(plain.data) / 2
    assert "Accept-Encoding" in packed.headers["Vary"]
    again = {"Accept-Encoding": "gzip, br, zstd", "If-None-Match": packed.headers["ETag"]}
    assert get(client, path, **again).status_code == 304


def test_pages_are_not_compressed(client: FlaskClient):
    """Somebody who sees lengths and chooses a part of a page could guess the secrets in the rest of it."""
    page = get(client, "/login", **{"Accept-Encoding": "gzip, br, zstd"})
    assert "Content-Encoding" not in page.headers


def test_https_is_insisted_on_only_where_it_is_spoken(load_config: Callable[..., Config]) -> None:
    public = create_app(load_config(PUBLIC_BASE_URL="https://desk.example.com"))
    assert "Strict-Transport-Security" in public.test_client().get("/healthz").headers
    assert public.config["SESSION_COOKIE_SECURE"]
    private = create_app(load_config())
    assert "Strict-Transport-Security" not in private.test_client().get("/healthz").headers
    assert not private.config["SESSION_COOKIE_SECURE"]


# --- errors -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path", "code"), [("get", "/nope", 404), ("put", "/login", 405)])
def test_programs_hear_errors_in_one_shape(client: FlaskClient, method: str, path: str, code: int) -> None:
    answer = getattr(client, method)(path)
    assert answer.status_code == code
    assert set(answer.get_json()["error"]) == {"code", "message"}


def test_browsers_hear_errors_as_a_page_in_their_language(client: FlaskClient) -> None:
    answer = get(client, "/nope", **{"Accept-Language": "es"})
    assert answer.status_code == 404
    assert "Aquí no hay nada." in answer.text
    assert '<html lang="es"' in answer.text


def test_a_refused_method_names_the_allowed_ones(client: FlaskClient) -> None:
    assert "POST" in client.put("/login").headers["Allow"]


def test_the_api_always_hears_json(client: FlaskClient) -> None:
    answer = get(client, "/api/v1/nothing")
    assert answer.status_code == 404
    assert answer.get_json()["error"]["code"] == "not_found"


@pytest.mark.parametrize("headers", [AS_BROWSER, {}])
def test_a_failure_shows_no_traceback(
    app: Flask, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    def fail() -> str:
        raise RuntimeError("the secret is 1234")

    monkeypatch.setitem(app.view_functions, "status.healthz", fail)
    answer = app.test_client().get("/healthz", headers=headers)
    assert answer.status_code == 500
    assert "Traceback" not in answer.text
    assert "1234" not in answer.text


@pytest.mark.parametrize("headers", [AS_BROWSER, {}])
def test_a_database_that_is_away_is_503(
    load_config: Callable[..., Config], tmp_path: Path, headers: dict[str, str]
) -> None:
    away = create_app(load_config(DATABASE_URL="postgresql://nobody@127.0.0.1:1/none"))
    answer = away.test_client().get(
        "/webhook/stats/551199", headers={"Authorization": "Bearer balcao_x"} | headers
    )
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert "Traceback" not in answer.text


def test_somebody_signed_in_hears_of_it_too(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    with app.app_context():
        page_rows.people()
    client = app.test_client()
    sign_in(client, ADMIN_EMAIL)

    def refuse(*_about: object, **_more: object) -> None:
        raise OperationalError("SELECT secret", {}, ConnectionError("gone"))

    monkeypatch.setattr(db.session, "get", refuse)
    answer = get(client, "/inbox")
    assert answer.status_code == 503
    assert "O balcão está fora do ar" in answer.text
    assert "secret" not in answer.text


def test_too_large_a_body_is_413(client: FlaskClient) -> None:
    answer = client.post("/webhook", data=b"x" * (MAX_REQUEST_BYTES + 1))
    assert answer.status_code == 413


def test_too_large_a_form_is_413(client: FlaskClient) -> None:
    assert client.post("/login", data={"email": "x" * MAX_REQUEST_BYTES}).status_code == 413


# --- reading and writing ------------------------------------------------------------------------------------


def test_reading_pages_wait_for_no_writer_and_the_mark_is_gone_afterwards(app: Flask) -> None:
    begun: list[str] = []
    with app.app_context():
        event.listen(
            db.engine, "before_cursor_execute", lambda c, cur, statement, *a: begun.append(statement)
        )
    app.test_client().get("/readyz")
    assert "BEGIN" in begun
    assert "BEGIN IMMEDIATE" not in begun
    begun.clear()
    with app.app_context():
        db.session.execute(text("SELECT 1"))
        db.session.rollback()
    assert "BEGIN IMMEDIATE" in begun


def test_a_reading_mark_does_not_outlive_its_request(app: Flask) -> None:
    app.test_client().get("/healthz")
    assert not models._only_reads.get()


# --- status -------------------------------------------------------------------------------------------------


def test_the_front_page_tells_programs_the_state_of_the_service(client: FlaskClient) -> None:
    answer = client.get("/", headers={"Accept": "application/json"})
    assert answer.status_code == 200
    assert answer.get_json()["service"] == "balcao"
    assert answer.get_json()["status"] == "ok"
    assert answer.get_json()["version"]


def test_healthz_asks_the_database_nothing(load_config: Callable[..., Config]) -> None:
    away = create_app(load_config(DATABASE_URL="postgresql://nobody@127.0.0.1:1/none"))
    assert away.test_client().get("/healthz").status_code == 200
    assert away.test_client().get("/readyz").status_code == 503


def test_a_desk_is_ready_with_migrations_and_a_living_worker(load_config: Callable[..., Config]) -> None:
    app = create_app(load_config())
    client = app.test_client()
    assert _reasons(client) == (503, {"database"}), "without tables"
    with app.app_context():
        upgrade(directory=str(composition.BASE_DIR / "migrations"))
    assert _reasons(client) == (503, {"worker"}), "without a worker"
    _beat(app, seconds_ago=90)
    assert _reasons(client) == (503, {"worker"}), "with a worker that fell silent"
    _beat(app, seconds_ago=5)
    assert _reasons(client) == (200, set())
    with app.app_context():
        db.session.execute(text("UPDATE alembic_version SET version_num = 'old'"))
        db.session.commit()
    assert _reasons(client) == (503, {"migrations"}), "with an old schema"


def test_there_is_one_head_of_migrations() -> None:
    assert len(ScriptDirectory(str(composition.BASE_DIR / "migrations")).get_heads()) == 1


def _reasons(client: FlaskClient) -> tuple[int, set[str]]:
    answer = client.get("/readyz")
    return answer.status_code, {reason["code"] for reason in answer.get_json()["reasons"]}


def _beat(app: Flask, *, seconds_ago: int) -> None:
    with app.app_context():
        db.session.merge(Worker(name="w", seen_at=utc_now() - timedelta(seconds=seconds_ago)))
        db.session.commit()
