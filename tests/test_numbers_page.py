"""Our numbers as admins keep them: added, tested, switched off; credentials go in and never come out."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

import integrations
from models import Integration, StateChange, WebhookEvent, db, utc_now
from providers import meta
from providers.base import Health
from tests.browsing import get, post, sign_in
from tests.page_rows import AGENT_EMAIL

TOKEN, SECRET = "the-access-token-of-a-system-user", "the-app-secret-that-signs"
FIELDS = {
    "provider": "meta",
    "number_id": "106540352242922",
    "name": "Loja",
    "business_id": "102290129340398",
    "access_token": TOKEN,
    "app_secret": SECRET,
    "start_flow": "shop",
    "language": "pt",
}
NEW = "/integrations/new?provider=meta"


@pytest.fixture
def pages(admin: FlaskClient) -> FlaskClient:
    post(admin, "/language", "/account", language="pt")
    return admin


def add(pages: FlaskClient, **fields: Any) -> str:
    answer = post(pages, "/integrations/new", NEW, **(FIELDS | fields))
    assert answer.status_code == 303, answer.text
    return str(answer.location)


def test_a_number_is_added_and_its_credentials_are_sealed_and_never_shown(
    app: Flask, pages: FlaskClient
) -> None:
    address = add(pages)
    for path in (address, "/integrations"):
        shown = get(pages, path).text
        assert TOKEN not in shown
        assert SECRET not in shown
    with app.app_context():
        row = db.session.query(Integration).one()
        assert TOKEN not in row.access_token
        assert integrations.account(row).access_token == TOKEN
        assert row.start_flow == "shop"
    shown = get(pages, address).text
    assert "/webhook" in shown
    assert 'id="word"' in shown  # made by the desk, to copy


def test_an_empty_secret_keeps_what_is_there(app: Flask, pages: FlaskClient) -> None:
    address = add(pages)
    post(pages, address, address, **(FIELDS | {"access_token": "", "app_secret": "", "name": "Outra"}))
    with app.app_context():
        row = db.session.query(Integration).one()
        opened = integrations.account(row)
        assert (row.name, opened.access_token, opened.app_secret) == ("Outra", TOKEN, SECRET)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"number_id": "+5511999"}, "number_id-problem"),
        ({"number_id": ""}, "number_id-problem"),
        ({"name": ""}, "name-problem"),
        ({"access_token": ""}, "access_token-problem"),
        ({"start_flow": "nope"}, "start_flow-problem"),
        ({"language": "xx"}, "language-problem"),
        ({"name": "x" * 500}, "name-problem"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(pages: FlaskClient, fields: dict[str, str], named: str) -> None:
    answer = post(pages, "/integrations/new", NEW, **(FIELDS | fields))
    assert answer.status_code == 422
    assert named in answer.text
    assert TOKEN not in answer.text


def test_a_number_is_here_once(pages: FlaskClient) -> None:
    add(pages)
    assert post(pages, "/integrations/new", NEW, **FIELDS).status_code == 422


def test_a_number_of_twilio_signs_with_the_token_that_sends(app: Flask, pages: FlaskClient) -> None:
    add(pages, provider="twilio", number_id="+14155238886", business_id="AC1")
    with app.app_context():
        account = integrations.account(db.session.query(Integration).one())
        assert (account.app_secret, account.access_token) == (TOKEN, TOKEN)


def test_a_test_asks_the_provider_and_shows_what_it_says(
    app: Flask, pages: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = add(pages)
    facts = {"number": "+55 11 4000-0000", "name": "Loja", "status": "CONNECTED", "quality": "GREEN"}
    health = Health(True, "fine", code="meta_number", facts=facts)
    monkeypatch.setattr(meta.Meta, "health", lambda _self, _account: health)
    post(pages, f"{address}/test", address)
    assert "+55 11 4000-0000" in get(pages, "/integrations").text
    with app.app_context():
        assert db.session.query(Integration).one().health_ok is True


def test_the_list_turns_green_by_what_has_happened(app: Flask, pages: FlaskClient) -> None:
    address = add(pages)
    before = get(pages, address).text.count("dot-good")
    with app.app_context():
        row = db.session.query(Integration).one()
        db.session.add(
            WebhookEvent(
                event_key="k",
                integration_id=row.id,
                provider="meta",
                kind="message",
                state="done",
                payload=b"{}",
                received_at=utc_now(),
            )
        )
        db.session.commit()
    assert get(pages, address).text.count("dot-good") == before + 1


def test_the_usual_number_is_not_switched_off_and_another_is(app: Flask, pages: FlaskClient) -> None:
    first = add(pages)
    second = add(pages, number_id="106540352242923")
    post(pages, f"{first}/switch", first, active="0")
    post(pages, f"{second}/switch", second, active="0")
    with app.app_context():
        rows = db.session.query(Integration).order_by(Integration.id).all()
        assert [row.is_active for row in rows] == [True, False]
        assert db.session.query(StateChange).filter_by(record="integration", after="off").count() == 1
    post(pages, f"{second}/switch", second, active="1")
    post(pages, f"{second}/default", second)
    with app.app_context():
        rows = db.session.query(Integration).order_by(Integration.id).all()
        assert [(row.is_active, row.is_default) for row in rows] == [(True, False), (True, True)]


def test_an_agent_keeps_no_numbers(app: Flask, pages: FlaskClient) -> None:
    client = app.test_client()
    sign_in(client, AGENT_EMAIL)
    assert get(client, "/integrations").status_code == 403
