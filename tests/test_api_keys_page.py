"""The page of API keys, and the reference that needs no network."""

import html
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

import operators
from models import ApiKey, db
from tests.browsing import get, post, sign_in
from tests.calling import API
from tests.page_rows import AGENT_EMAIL, EVIL

PAGE = "/api-keys"


def test_a_key_is_shown_once_and_opens_what_it_may(app: Flask, admin: FlaskClient) -> None:
    page = post(admin, PAGE, PAGE, name="CRM", scope=["contacts:read", "nonsense"])
    assert page.status_code == 200
    (shown,) = re.findall(r"balcao_[\w-]{20,}", html.unescape(page.text))
    assert shown not in get(admin, PAGE).text
    program = app.test_client()
    bearer = {"Authorization": f"Bearer {shown}"}
    assert program.get(f"{API}/contacts", headers=bearer).status_code == 200
    assert program.get(f"{API}/messages", headers=bearer).status_code == 403
    with app.app_context():
        row = db.session.query(ApiKey).one()
        assert (row.scopes, row.name) == ("contacts:read", "CRM")
        assert row.operator_id is not None
        key_id = row.id
    assert post(admin, f"{PAGE}/{key_id}/revoke", PAGE).status_code == 303
    assert program.get(f"{API}/contacts", headers=bearer).status_code == 401


@pytest.mark.parametrize(("name", "scopes"), [("", ["read"]), ("CRM", []), ("CRM", ["nonsense"])])
def test_a_key_needs_a_name_and_a_scope(app: Flask, admin: FlaskClient, name: str, scopes: list[str]) -> None:
    assert post(admin, PAGE, PAGE, name=name, scope=scopes).status_code == 422
    with app.app_context():
        assert db.session.query(ApiKey).count() == 0


def test_what_a_key_changed_is_listed(app: Flask, admin: FlaskClient) -> None:
    text = {"title": "Pix?", "body": "Sim.", "language": "pt"}
    with app.app_context():
        made = operators.create_api_key(EVIL, ("write",))
        db.session.commit()
        key, key_id = made.key, made.row.id
    answer = app.test_client().post(f"{API}/articles", json=text, headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 201
    page = get(admin, f"{PAGE}/{key_id}")
    assert f"POST {API}/articles" in page.text
    assert EVIL not in page.text
    assert get(admin, f"{PAGE}/999").status_code == 404


def test_keys_are_for_admins(app: Flask, admin: FlaskClient) -> None:
    agent = app.test_client()
    sign_in(agent, AGENT_EMAIL)
    assert get(agent, PAGE).status_code == 403
    assert agent.post(PAGE, data={"name": "x", "scope": "read"}).status_code in (400, 403)


def test_the_reference_tells_everything_without_a_network(client: FlaskClient) -> None:
    page = get(client, f"{API}/docs")
    assert page.status_code == 200
    for words in ("send_message", "Idempotency-Key", "service_window_ends_at", "contacts:write"):
        assert words in page.text
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page.text)


def test_the_document_is_not_sent_twice(client: FlaskClient) -> None:
    first = client.get(f"{API}/openapi.json")
    again = client.get(f"{API}/openapi.json", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
