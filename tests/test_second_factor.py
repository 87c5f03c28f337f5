"""The second factor: turned on with an app's code, asked for at every sign-in, each code once."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
import time_machine
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

import cli
import operators
from models import Operator, db
from tests import page_rows
from tests.browsing import get, post, sign_in
from tests.page_rows import ADMIN_EMAIL, PASSWORD

NOW = datetime(2026, 11, 21, 15, 0, 5, tzinfo=UTC)
STEP = timedelta(seconds=30)
PAGE = "/account/second-factor"
KEY = "a key for tests only"
SECRET = "JBSWY3DPEHPK3PXP" * 2  # everybody's example


def code_at(moment: datetime, secret: str = SECRET) -> str:
    return pyotp.TOTP(secret).at(moment)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """Stand still at NOW: a code lives for half a minute."""
    with time_machine.travel(NOW, tick=False) as found:
        yield found


@pytest.fixture
def ana(clock: time_machine.Traveller, app: Flask) -> FlaskClient:
    with app.app_context():
        page_rows.people()
    client = app.test_client()
    sign_in(client, ADMIN_EMAIL)
    return client


@pytest.fixture
def operator(app: Flask, ana: FlaskClient) -> Operator:
    with app.app_context():
        found = operators.find_operator(ADMIN_EMAIL)
    assert found is not None
    return found


def test_a_code_counts_once_and_only_near_its_time(operator: Operator) -> None:
    assert operators._step_of(SECRET, code_at(NOW), NOW) == int(NOW.timestamp()) // 30
    assert operators._step_of(SECRET, code_at(NOW - STEP), NOW) is not None
    assert operators._step_of(SECRET, code_at(NOW - 3 * STEP), NOW) is None
    assert operators._step_of(SECRET, "äöü", NOW) is None


def test_the_verbs_turn_it_on_take_codes_and_turn_it_off(app: Flask, operator: Operator) -> None:
    with app.app_context():
        row = db.session.get_one(Operator, operator.id)
        wrong = operators.turn_on_totp(row, SECRET, "000000", secret_key=KEY, now=NOW)
        assert (wrong, row.totp_secret) == (None, "")
        codes = operators.turn_on_totp(row, SECRET, code_at(NOW), secret_key=KEY, now=NOW)
        assert codes is not None
        assert SECRET not in row.totp_secret

        def takes(code: str, at: datetime) -> bool:
            return operators.takes_second_factor(row, code, secret_key=KEY, now=at)

        assert not takes(code_at(NOW), NOW)  # it was used to turn it on
        later = NOW + 2 * STEP
        assert takes(f" {code_at(later)[:3]} {code_at(later)[3:]}", later)
        assert not takes(code_at(later), later)
        assert takes(codes[0].upper(), later)
        assert not takes(codes[0], later)
        assert not takes("", later)
        operators.turn_off_totp(row)
        assert (row.totp_secret, row.recovery_hashes) == ("", None)


def turn_on(client: FlaskClient) -> tuple[str, list[str]]:
    """Turn it on at NOW as its page does; gives the secret and the recovery codes."""
    found = re.search(r'feed-address">([A-Z2-7]{32})<', get(client, PAGE).text)
    assert found is not None
    page = post(client, PAGE, PAGE, code=code_at(NOW, found[1]), current=PASSWORD)
    assert page.status_code == 200
    return found[1], re.findall(r"<li><code>([0-9a-f]+)</code>", page.text)


def test_signing_in_asks_for_the_second_step(
    app: Flask, ana: FlaskClient, clock: time_machine.Traveller
) -> None:
    secret, codes = turn_on(ana)
    assert len(codes) == operators.RECOVERY_CODES
    assert codes[0] not in get(ana, PAGE).text
    clock.shift(2 * STEP)
    stranger = app.test_client()
    answer = sign_in(stranger, ADMIN_EMAIL, next="/leads")
    assert answer.location == "/login/code?next=/leads"
    assert get(stranger, "/leads").status_code == 302
    assert post(stranger, "/login/code", "/login/code", code="000000").status_code == 401
    assert get(stranger, "/leads").status_code == 302
    right = post(stranger, "/login/code", "/login/code?next=/leads", code=code_at(NOW + 2 * STEP, secret))
    assert right.status_code == 302
    assert get(stranger, "/leads").status_code == 200
    other = app.test_client()
    sign_in(other, ADMIN_EMAIL)
    post(other, "/login/code", "/login/code", code=codes[3])
    assert get(other, "/leads").status_code == 200


def test_the_second_step_must_follow_the_first_soon(
    app: Flask, ana: FlaskClient, clock: time_machine.Traveller
) -> None:
    turn_on(ana)
    late = app.test_client()
    assert get(late, "/login/code").location == "/login"
    sign_in(late, ADMIN_EMAIL)
    assert get(late, "/login/code").status_code == 200
    clock.shift(timedelta(minutes=11))
    assert get(late, "/login/code").location == "/login"


def test_guessing_codes_is_slowed_down(app: Flask, ana: FlaskClient) -> None:
    turn_on(ana)
    stranger = app.test_client()
    sign_in(stranger, ADMIN_EMAIL)
    answers = [post(stranger, "/login/code", "/login/code", code=f"00000{n}") for n in range(7)]
    assert [answer.status_code for answer in answers] == [401] * 6 + [429]


def test_a_wrong_password_or_code_turns_nothing_on_or_off(app: Flask, ana: FlaskClient) -> None:
    assert post(ana, PAGE, PAGE, code="123456", current=PASSWORD).status_code == 401
    secret, _codes = turn_on(ana)
    assert post(ana, f"{PAGE}/off", PAGE, current="wrong").status_code == 401
    assert secret not in get(ana, PAGE).text
    assert post(ana, f"{PAGE}/off", PAGE, current=PASSWORD).status_code == 303
    assert sign_in(app.test_client(), ADMIN_EMAIL).location == "/"


def test_the_command_line_lets_in_who_lost_the_phone(app: Flask, ana: FlaskClient) -> None:
    turn_on(ana)
    with app.app_context():
        done = CliRunner().invoke(cli.reset_second_factor, [ADMIN_EMAIL])
        assert done.exit_code == 0, done.output
    assert get(ana, "/leads").status_code == 302
    assert sign_in(app.test_client(), ADMIN_EMAIL).location == "/"
