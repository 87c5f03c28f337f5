"""The page of the owner's phone: it takes a number, and says whether and what she was told."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

import integrations
from dashboard.languages import HTML_LANGUAGES
from models import Integration, OwnerNotice, db, utc_now
from tests import page_rows
from tests.browsing import get, post, sign_in
from tests.page_rows import AGENT_EMAIL, EVIL

PAGE = "/owner-phone"


@pytest.fixture
def number_id(app: Flask, admin: FlaskClient) -> int:
    """A desk with one number, its conversations, and a notice of each state."""
    with app.app_context():
        desk = page_rows.fill()
        number = db.session.query(Integration).one()
        number.owner_phone = "+5521998887777"
        page_rows.conversation(number, "Dona Ana", "5521998887777")
        for alert_id, state in enumerate(("waiting", "sent", "later", "done", "dropped"), start=1):
            db.session.add(
                OwnerNotice(
                    alert_id=alert_id,
                    integration_id=number.id,
                    conversation_id=desk.bot_id,
                    kind="payment_claimed",
                    state=state,
                    due_at=utc_now(),
                )
            )
        db.session.commit()
        integrations.forget()
        return number.id


def phone_of(app: Flask, number_id: int) -> str:
    with app.app_context():
        return db.session.get_one(Integration, number_id).owner_phone


@pytest.mark.parametrize("language", ["pt", "es", "en"])
def test_it_renders_empty_and_filled_and_escaped(
    admin: FlaskClient, language: str, request: pytest.FixtureRequest
) -> None:
    post(admin, "/language", "/account", language=language)
    for filled in (False, True):
        if filled:
            request.getfixturevalue("number_id")
        answer = get(admin, PAGE)
        assert answer.status_code == 200
        assert f'<html lang="{HTML_LANGUAGES[language]}"' in answer.text
        assert EVIL not in answer.text
        assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=\"", answer.text)
    assert "+55 21 99888-7777" in answer.text


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("+55 (11) 98765-4321", "+5511987654321"), ("11 98765-4321", "+5511987654321"), ("", "")],
)
def test_a_number_is_kept_as_it_is_dialled(
    app: Flask, admin: FlaskClient, number_id: int, typed: str, kept: str
) -> None:
    assert post(admin, f"{PAGE}/{number_id}", PAGE, owner_phone=typed).status_code == 303
    assert phone_of(app, number_id) == kept


@pytest.mark.parametrize("typed", ["abc", "+1", "98765", EVIL, "9" * 60])
def test_what_is_no_number_is_refused_at_its_field(
    app: Flask, admin: FlaskClient, number_id: int, typed: str
) -> None:
    post(admin, "/language", "/account", language="pt")
    answer = post(admin, f"{PAGE}/{number_id}", PAGE, owner_phone=typed)
    assert answer.status_code == 422
    assert "Isto não é um telefone" in answer.text
    assert EVIL not in answer.text
    assert phone_of(app, number_id) == "+5521998887777"


def test_it_says_whether_she_can_be_told(app: Flask, admin: FlaskClient, number_id: int) -> None:
    post(admin, "/language", "/account", language="pt")
    assert "o aviso sai na hora" in get(admin, PAGE).text
    post(admin, f"{PAGE}/{number_id}", PAGE, owner_phone="+55 11 98765-0000")
    assert "as novidades esperam aqui" in get(admin, PAGE).text


def test_agents_may_not_open_it(app: Flask, admin: FlaskClient) -> None:
    agent = app.test_client()
    sign_in(agent, AGENT_EMAIL)
    assert get(agent, PAGE).status_code == 403
    assert get(admin, f"{PAGE}").status_code == 200
    assert post(admin, f"{PAGE}/999", "/account", owner_phone="").status_code == 404


def test_the_simulator_offers_the_owners_phone(app: Flask, admin: FlaskClient, number_id: int) -> None:
    post(admin, "/language", "/account", language="pt")
    page = get(admin, "/simulator").text
    assert "Dono da loja" in page
    assert page.count('"wa_id": "5521998887777"') == 1
