"""Signing in, roles, keys, throttles, and who may come through which door."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from threading import Barrier, BrokenBarrierError

import pytest
from flask import Flask
from flask.testing import FlaskClient

import auth
import operators
import vault
from config import Config, ConfigError
from models import ApiKey, Operator, db, utc_now
from operators import OperatorRefused
from tests import page_rows
from tests.browsing import get, post, sign_in
from tests.page_rows import ADMIN_EMAIL, AGENT_EMAIL, PASSWORD


@pytest.fixture(autouse=True)
def _people(app: Flask) -> None:
    with app.app_context():
        page_rows.people()


# --- signing in ---------------------------------------------------------------------------------------------


def test_the_right_password_opens_the_desk(client: FlaskClient) -> None:
    assert get(client, "/inbox").location == "/login?next=/inbox"
    answer = sign_in(client, ADMIN_EMAIL, next="/inbox")
    assert (answer.status_code, answer.location) == (302, "/inbox")
    assert get(client, "/inbox").status_code == 200


def test_the_e_mail_is_known_in_any_case_and_with_spaces(client: FlaskClient) -> None:
    assert sign_in(client, f"  {ADMIN_EMAIL.upper()} ").status_code == 302


@pytest.mark.parametrize(
    ("email", "password"),
    [
        (ADMIN_EMAIL, "wrong"),
        ("nobody@loja.com.br", PASSWORD),
        ("", ""),
        (ADMIN_EMAIL, "x" * 100_000),
        (f"{ADMIN_EMAIL}\0", PASSWORD),
    ],
)
def test_a_wrong_pair_is_refused_in_the_same_words(client: FlaskClient, email: str, password: str) -> None:
    answer = sign_in(client, email, password)
    assert answer.status_code == 401
    assert "E-mail ou senha incorretos." in answer.text
    assert get(client, "/inbox").status_code == 302


def test_nobody_waits_for_the_database_while_a_password_is_judged(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = []
    judge = operators._is_password

    def judged(known_hash: str, password: str) -> bool:
        held.append(db.session().in_transaction())
        return judge(known_hash, password)

    monkeypatch.setattr(operators, "_is_password", judged)
    sign_in(client, ADMIN_EMAIL, "wrong")
    sign_in(client, ADMIN_EMAIL)
    assert held == [False, False]


def test_signing_out_ends_the_session(client: FlaskClient) -> None:
    sign_in(client, ADMIN_EMAIL)
    assert post(client, "/logout", "/account").location == "/login"
    assert get(client, "/inbox").status_code == 302


def test_a_session_that_was_signed_out_opens_nothing_any_more(app: Flask, client: FlaskClient) -> None:
    sign_in(client, ADMIN_EMAIL)
    kept = client.get_cookie("balcao")
    assert kept is not None
    other = app.test_client()
    sign_in(other, AGENT_EMAIL)
    post(client, "/logout", "/account")
    thief = app.test_client()
    thief.set_cookie("balcao", kept.value)
    assert get(thief, "/inbox").status_code == 302
    assert get(other, "/inbox").status_code == 200, "another person's session lives on"
    assert sign_in(client, ADMIN_EMAIL).status_code == 302


def test_signing_out_without_a_session_changes_nothing(app: Flask, client: FlaskClient) -> None:
    elsewhere = app.test_client()
    sign_in(elsewhere, ADMIN_EMAIL)
    assert post(client, "/logout", "/login").location == "/login"
    assert get(elsewhere, "/inbox").status_code == 200


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(client: FlaskClient) -> None:
    cookie = sign_in(client, ADMIN_EMAIL).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "/%0d%0aSet-Cookie:x",
        "javascript:alert(1)",
        "/\t/evil.example",
        "inbox",
        "",
    ],
)
def test_signing_in_never_leads_to_another_site(client: FlaskClient, target: str) -> None:
    location = sign_in(client, ADMIN_EMAIL, next=target).location
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))
    assert "evil" not in location


@pytest.mark.parametrize("target", ["/inbox?handler=bot&q=a%20b", "/inbox/7"])
def test_signing_in_leads_back_to_where_one_wanted_to_go(target: str) -> None:
    assert auth.safe_next(target) == target


def test_programs_are_not_redirected_to_a_form(client: FlaskClient) -> None:
    answer = client.get("/inbox")
    assert answer.status_code == 401
    assert answer.get_json()["error"]["code"] == "unauthorized"


# --- what ends a session ------------------------------------------------------------------------------------


def test_a_new_password_ends_every_other_session(app: Flask, client: FlaskClient) -> None:
    elsewhere = app.test_client()
    sign_in(client, ADMIN_EMAIL)
    sign_in(elsewhere, ADMIN_EMAIL)
    new = {"new": "outra senha longa", "again": "outra senha longa"}
    assert post(client, "/account", "/account", current=PASSWORD, **new).status_code == 303
    assert get(client, "/inbox").status_code == 200
    assert get(elsewhere, "/inbox").status_code == 302
    assert sign_in(elsewhere, ADMIN_EMAIL, "outra senha longa").status_code == 302


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"current": "wrong", "new": "x" * 12, "again": "x" * 12}, "A senha atual não confere."),
        ({"current": PASSWORD, "new": "x" * 12, "again": "y" * 12}, "As novas senhas são diferentes."),
        ({"current": PASSWORD, "new": "curta", "again": "curta"}, "A senha tem de 10 a 200 caracteres."),
        (
            {"current": PASSWORD, "new": "senha12345", "again": "senha12345"},
            "está entre as primeiras",
        ),
        ({"current": PASSWORD, "new": ADMIN_EMAIL, "again": ADMIN_EMAIL}, "mais do que o seu nome ou e-mail"),
    ],
)
def test_a_bad_new_password_is_refused_in_words(
    client: FlaskClient, fields: dict[str, str], words: str
) -> None:
    sign_in(client, ADMIN_EMAIL)
    assert words in post(client, "/account", "/account", **fields).text
    assert get(client, "/inbox").status_code == 200


def test_a_locked_out_operator_is_out_at_once(app: Flask, client: FlaskClient) -> None:
    sign_in(client, AGENT_EMAIL)
    with app.app_context():
        operators.deactivate(_operator(AGENT_EMAIL))
        db.session.commit()
    assert get(client, "/inbox").status_code == 302
    assert sign_in(client, AGENT_EMAIL).status_code == 401


def test_a_session_ends_however_much_it_is_used(app: Flask, client: FlaskClient) -> None:
    sign_in(client, ADMIN_EMAIL)
    lasts = int(app.permanent_session_lifetime.total_seconds())
    with client.session_transaction() as session:
        session[auth.SIGNED_IN_AT] -= lasts - 60
        began = session[auth.SIGNED_IN_AT]
    post(client, "/theme", "/account", theme="dark")
    assert get(client, "/inbox").status_code == 200
    with client.session_transaction() as session:
        assert session[auth.SIGNED_IN_AT] == began, "using it does not prolong it"
        session[auth.SIGNED_IN_AT] -= 120
    assert get(client, "/inbox").status_code == 302


def test_a_made_up_session_is_nobody(app: Flask) -> None:
    with app.app_context():
        for made_up in ("", "1", "1.", "x.y", "999999.abc", "1.wrong"):
            assert auth.load_signed_in(made_up) is None


# --- roles and forms ----------------------------------------------------------------------------------------


def test_admins_see_events_and_agents_do_not(app: Flask, client: FlaskClient) -> None:
    sign_in(client, AGENT_EMAIL)
    assert get(client, "/events").status_code == 403
    assert "/events" not in get(client, "/").text
    admin = app.test_client()
    sign_in(admin, ADMIN_EMAIL)
    assert get(admin, "/events").status_code == 200
    assert "/events" in get(admin, "/").text


@pytest.mark.parametrize("path", ["/login", "/logout", "/language", "/account", "/alerts/1/acknowledge"])
def test_a_form_without_our_token_is_refused(client: FlaskClient, path: str) -> None:
    sign_in(client, ADMIN_EMAIL)
    answer = client.post(path, data={}, headers={"Accept": "text/html"})
    assert answer.status_code == 400
    assert "Recarregue a página" in answer.text


def test_webhooks_need_no_token_of_ours(client: FlaskClient) -> None:
    assert client.post("/webhook", data=b"{}").status_code != 400


# --- throttling ---------------------------------------------------------------------------------------------


def test_guessing_one_password_is_slowed_down(app: Flask) -> None:
    codes = [_try(app, ADMIN_EMAIL, f"10.0.0.{n}") for n in range(8)]
    assert codes == [401] * 6 + [429] * 2
    assert _try(app, AGENT_EMAIL, "10.0.0.1") == 401, "another e-mail may still try"


def test_guessing_from_one_address_is_slowed_down(app: Flask) -> None:
    codes = [_try(app, f"someone{n}@loja.com.br", "10.0.0.9") for n in range(22)]
    assert codes == [401] * 20 + [429] * 2


def test_a_stranger_cannot_lock_a_person_out_of_her_own_device(app: Flask, client: FlaskClient) -> None:
    sign_in(client, ADMIN_EMAIL)
    post(client, "/logout", "/account")
    for n in range(8):
        _try(app, ADMIN_EMAIL, f"10.0.0.{n}")
    for n in range(20):
        _try(app, f"someone{n}@loja.com.br", "127.0.0.1")
    assert sign_in(app.test_client(), AGENT_EMAIL).status_code == 429, "her address is used up too"
    assert sign_in(client, f" {ADMIN_EMAIL.upper()}").status_code == 302


def test_a_known_device_guesses_no_more_often_than_a_stranger(app: Flask, client: FlaskClient) -> None:
    sign_in(client, ADMIN_EMAIL)
    post(client, "/logout", "/account")
    codes = [sign_in(client, ADMIN_EMAIL, "wrong").status_code for _ in range(8)]
    assert codes == [401] * 6 + [429] * 2


def test_a_device_is_known_for_the_one_who_signed_in_on_it(app: Flask, client: FlaskClient) -> None:
    sign_in(client, AGENT_EMAIL)
    post(client, "/logout", "/account")
    for n in range(6):
        _try(app, ADMIN_EMAIL, f"10.0.0.{n}")
    assert sign_in(client, ADMIN_EMAIL).status_code == 429


@pytest.mark.parametrize("made_up", ["", "x", f"device {ADMIN_EMAIL} 1", "é", "gAAAAA" + "x" * 500])
def test_a_made_up_device_is_unknown(app: Flask, client: FlaskClient, made_up: str) -> None:
    client.set_cookie(auth.DEVICE_COOKIE, made_up)
    for n in range(6):
        _try(app, ADMIN_EMAIL, f"10.0.0.{n}")
    assert sign_in(client, ADMIN_EMAIL).status_code == 429


def test_a_credential_sealed_for_something_else_is_no_device(app: Flask, client: FlaskClient) -> None:
    client.set_cookie(auth.DEVICE_COOKIE, vault.seal(ADMIN_EMAIL, app.config["BALCAO"].secret_key))
    for n in range(6):
        _try(app, ADMIN_EMAIL, f"10.0.0.{n}")
    assert sign_in(client, ADMIN_EMAIL).status_code == 429


def test_a_stranger_cannot_keep_a_person_from_changing_her_password(app: Flask, client: FlaskClient) -> None:
    sign_in(client, ADMIN_EMAIL)
    for n in range(6):
        _try(app, ADMIN_EMAIL, f"10.0.0.{n}")
    new = {"new": "outra senha longa", "again": "outra senha longa"}
    assert post(client, "/account", "/account", current=PASSWORD, **new).status_code == 303


def test_a_throttled_answer_says_when_to_come_back(app: Flask, client: FlaskClient) -> None:
    for n in range(6):
        _try(app, ADMIN_EMAIL, f"10.0.0.{n}")
    answer = sign_in(client, ADMIN_EMAIL)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert "Tentativas demais" in answer.text


def test_guesses_at_the_same_moment_count_as_much_as_one_after_the_other(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_judged = Barrier(6)

    def judge(*_given: object, **_named: object) -> None:
        """Take as long over a password as it takes all of them to come."""
        with suppress(BrokenBarrierError):
            all_judged.wait(10)

    monkeypatch.setattr(operators, "authenticate", judge)
    with ThreadPoolExecutor(10) as strangers:
        codes = list(strangers.map(lambda n: _try(app, ADMIN_EMAIL, f"10.0.0.{n}"), range(10)))
    assert sorted(codes) == [401] * 6 + [429] * 4


def test_an_address_that_is_used_up_uses_up_nobodys_e_mail(app: Flask) -> None:
    for n in range(20):
        _try(app, f"someone{n}@loja.com.br", "10.0.0.9")
    assert {_try(app, ADMIN_EMAIL, "10.0.0.9") for _ in range(8)} == {429}
    assert sign_in(app.test_client(), ADMIN_EMAIL).status_code == 302


def test_successful_sign_ins_do_not_count(app: Flask) -> None:
    assert {sign_in(app.test_client(), ADMIN_EMAIL).status_code for _ in range(8)} == {302}


def _try(app: Flask, email: str, address: str) -> int:
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = address
    return sign_in(client, email, "wrong").status_code


# --- operators ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("email", "password", "role"),
    [
        ("not an address", PASSWORD, "agent"),
        ("a@b.com", "short", "agent"),
        ("a@b.com", "x" * 201, "agent"),
        ("a@b.com", PASSWORD, "king"),
        (ADMIN_EMAIL.upper(), PASSWORD, "agent"),
    ],
)
def test_a_bad_operator_is_refused(app: Flask, email: str, password: str, role: str) -> None:
    with app.app_context(), pytest.raises(OperatorRefused):
        operators.create_operator(email, "Someone", password, role)


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("Password123!", "guessable"),
        ("qwertyuiop", "guessable"),
        ("aaaaaaaaaaaaaaaa", "guessable"),
        ("12345678901234", "guessable"),
        ("balcao2026", "guessable"),
        ("mudar12345", "guessable"),
        ("anaribeiro2026", "own"),
        ("Ana@Loja.com.br", "own"),
        ("ANA.RIBEIRO!1", "own"),
        ("x" * 201, "length"),
        ("k3J9sLw0pQ", ""),
        ("cavalo grampo bateria", ""),
        ("отличный пароль", ""),
        ("🐴🔋📎 certo cavalo", ""),
        ("a" + "longa frase que ninguém adivinha " * 6, ""),
    ],
)
def test_what_is_tried_first_is_no_password(password: str, problem: str) -> None:
    assert operators.password_problem(password, "ana@loja.com.br", "Ana Ribeiro") == problem


def test_passwords_are_not_kept(app: Flask) -> None:
    with app.app_context():
        kept = _operator(ADMIN_EMAIL).password_hash
    assert kept.startswith("$argon2id$")
    assert PASSWORD not in kept


def test_the_first_admin_is_made_once(app: Flask) -> None:
    config = app.config["BALCAO"]
    with app.app_context():
        assert operators.ensure_first_admin(config) is None, "there are people already"
        db.session.query(Operator).delete()
        password = operators.ensure_first_admin(config)
        assert password is not None
        db.session.commit()
        made = operators.authenticate(operators.first_admin_email(config), password, now=utc_now())
        assert made is not None
        assert made.role == "admin"
        assert operators.ensure_first_admin(config) is None


def test_the_first_admins_password_is_judged_and_an_existing_admins_is_not(
    app: Flask, load_config: Callable[..., Config]
) -> None:
    weak = load_config(ADMIN_PASSWORD="12345")
    with app.app_context():
        assert operators.ensure_first_admin(weak) is None, "who is there already stays"
        db.session.query(Operator).delete()
        with pytest.raises(ConfigError, match="ADMIN_PASSWORD: a password has 10 to 200 characters"):
            operators.ensure_first_admin(weak)


# --- keys ---------------------------------------------------------------------------------------------------


def test_a_key_opens_its_door_and_is_not_kept(app: Flask, client: FlaskClient) -> None:
    key = _key(app, "read")
    assert _stats(client, f"Bearer {key}") == 404, "let in, but nobody has that phone"
    with app.app_context():
        row = db.session.query(ApiKey).one()
        assert row.key_hash not in key
        assert key not in (row.key_hash, row.prefix)
        assert row.last_used_at is not None


@pytest.mark.parametrize("shown", ["", "Bearer", "Bearer wrong", "Bearer balcao_wrong", "Basic x"])
def test_a_wrong_key_is_401(client: FlaskClient, shown: str) -> None:
    answer = client.get("/webhook/stats/5511999999999", headers={"Authorization": shown})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].lower().startswith("bearer")


def test_a_key_without_the_scope_is_403(app: Flask, client: FlaskClient) -> None:
    assert _stats(client, f"Bearer {_key(app, 'write')}") == 403


def test_a_revoked_key_is_401(app: Flask, client: FlaskClient) -> None:
    key = _key(app, "read")
    with app.app_context():
        operators.revoke_api_key(db.session.query(ApiKey).one(), now=utc_now())
        db.session.commit()
    assert _stats(client, f"Bearer {key}") == 401


def test_the_use_of_a_key_is_noted_at_most_hourly(app: Flask, client: FlaskClient) -> None:
    key = _key(app, "read")
    noted = utc_now() - timedelta(minutes=30)
    with app.app_context():
        db.session.query(ApiKey).one().last_used_at = noted
        db.session.commit()
    _stats(client, f"Bearer {key}")
    with app.app_context():
        assert db.session.query(ApiKey).one().last_used_at == noted


def test_a_session_is_no_key(client: FlaskClient) -> None:
    sign_in(client, ADMIN_EMAIL)
    assert client.get("/webhook/stats/5511999999999").status_code == 401


def _stats(client: FlaskClient, shown: str) -> int:
    return client.get("/webhook/stats/5511999999999", headers={"Authorization": shown}).status_code


def _key(app: Flask, scope: str) -> str:
    with app.app_context():
        made = operators.create_api_key("test", (scope,))
        db.session.commit()
        return made.key


def _operator(email: str) -> Operator:
    found = operators.find_operator(email)
    assert found is not None
    return found
