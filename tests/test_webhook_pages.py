"""The pages of webhooks: an endpoint is added, tried, changed, rotated, replayed, removed, by admins only."""

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from standardwebhooks import Webhook

from models import OutgoingEvent, WebhookDelivery, WebhookEndpoint, db
from tests.browsing import get, post, sign_in
from tests.fakes import server
from tests.fakes.server import HttpServer, Request
from tests.page_rows import AGENT_EMAIL
from tests.records import NOW
from webhooks_out import endpoints

ENGLISH = {"Accept-Language": "en"}
SOME = {"name": "CRM", "which": "some", "kinds": ["order.paid", "lead.created", "nonsense"]}


@pytest.fixture
def there(app: Flask) -> Iterator[tuple[str, list[Request]]]:
    """An address on this machine that the application may call."""
    object.__setattr__(app.config["BALCAO"], "allow_private_addresses", True)
    got: list[Request] = []

    def handle(request: Request) -> server.Answer:
        got.append(request)
        return server.Answer(204)

    with HttpServer(handle) as served:
        yield f"{served.url}/secret-path", got


def rows(app: Flask) -> list[WebhookEndpoint]:
    with app.app_context():
        return list(db.session.scalars(select(WebhookEndpoint).order_by(WebhookEndpoint.id)))


def secret_in(page: str) -> str:
    found = re.search(r"whsec_[A-Za-z0-9+/=]+", page)
    assert found is not None
    return found[0]


def test_nobody_but_an_admin_sees_who_is_told(client: FlaskClient, app: Flask, admin: FlaskClient) -> None:
    assert "No program is told yet" in get(admin, "/webhooks", **ENGLISH).text
    agent = app.test_client()
    sign_in(agent, AGENT_EMAIL)
    for path in ("/webhooks", "/webhooks/new"):
        assert get(agent, path).status_code == 403
    assert get(client, "/webhooks").status_code in (302, 303)


def test_an_endpoint_is_added_tried_changed_switched_and_removed(admin, app, there) -> None:
    url, got = there
    page = post(admin, "/webhooks/new", "/webhooks/new", address=url, **SOME)
    assert page.status_code == 200
    secret = secret_in(page.text)
    (row,) = rows(app)
    assert (row.name, row.kinds, row.is_active) == ("CRM", ["order.paid", "lead.created"], True)
    assert secret not in row.secret
    path = f"/webhooks/{row.id}"
    assert "whsec_" not in get(admin, path).text, "the secret is shown once"
    assert "secret-path" not in get(admin, "/webhooks").text, "a path may be a secret"

    post(admin, f"{path}/test", path)
    assert Webhook(secret).verify(got[0].body, got[0].headers)["type"] == "webhook.test"
    assert "webhook.test" in get(admin, path).text

    changed = post(admin, path, path, address=f"{url}/2", name="Own", which="all")
    assert changed.status_code == 303
    assert (rows(app)[0].kinds, rows(app)[0].url) == (None, f"{url}/2")

    renewed = secret_in(post(admin, f"{path}/secret", path).text)
    post(admin, f"{path}/test", path)
    for one in (secret, renewed):
        Webhook(one).verify(got[1].body, got[1].headers)

    post(admin, f"{path}/switch", path)
    assert not rows(app)[0].is_active
    post(admin, f"{path}/replay", path)
    post(admin, f"{path}/switch", path)
    assert rows(app)[0].is_active
    post(admin, f"{path}/remove", path)
    assert get(admin, path).status_code == 404
    assert rows(app)[0].secret == ""


def test_one_delivery_is_sent_again(admin, app, there) -> None:
    url, _got = there
    post(admin, "/webhooks/new", "/webhooks/new", address=url, **SOME)
    (row,) = rows(app)
    path = f"/webhooks/{row.id}"
    post(admin, f"{path}/test", path)
    with app.app_context():
        delivery = db.session.scalars(select(WebhookDelivery)).one()
    assert post(admin, f"{path}/replay", path, delivery=str(delivery.id)).status_code == 303
    with app.app_context():
        assert db.session.scalars(select(WebhookDelivery)).one().state == "waiting"
        assert db.session.scalars(select(OutgoingEvent)).one().kind == "webhook.test"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"address": "http://crm.loja.com.br/hook"}, "address"),
        ({"address": "https://ana:secret@crm.loja.com.br/"}, "address"),
        ({"address": "javascript:alert(1)"}, "address"),
        ({"address": ""}, "address"),
        ({"address": "https://crm.loja.com.br/" + "a" * 1000}, "address"),
        ({"kinds": []}, "kinds"),
        ({"kinds": ["nonsense\0"]}, "kinds"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_kept(admin, app, fields, field) -> None:
    wanted = {"address": "https://crm.loja.com.br/hook", **SOME, **fields}
    answer = post(admin, "/webhooks/new", "/webhooks/new", **wanted)
    assert answer.status_code == 422
    assert f'id="{field}-problem"' in answer.text
    assert rows(app) == []


def test_the_pages_speak_the_readers_language(admin, app) -> None:
    for language, words in (("pt", "Outros programas ficam"), ("es", "Otros programas se enteran")):
        assert words in get(admin, "/webhooks", **{"Accept-Language": language}).text


def test_an_endpoint_that_fails_is_shown_as_failing(admin, app) -> None:
    with app.app_context():
        config = app.config["BALCAO"]
        wish = endpoints.Wish("CRM", ("order.paid",))
        row = endpoints.add(
            "https://crm.example.com/", wish, secret="whsec_x", secret_key=config.secret_key, now=NOW
        )
        row.failing_since = NOW
        db.session.commit()
    assert "has not answered well" in get(admin, "/webhooks", **ENGLISH).text
