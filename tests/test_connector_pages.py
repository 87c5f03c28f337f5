"""The pages of connectors: set up, tried, chosen, switched, told anew, removed, by admins only."""

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

import desk_worker
import vault
from crm import leads
from crm.leads import LeadWish
from models import ConnectorLink, Contact, WebhookDelivery, WebhookEndpoint, db
from telling import webhooks
from tests.browsing import get, post, sign_in
from tests.fakes.calcom import KEY, FakeCalCom
from tests.fakes.hubspot import TOKEN, FakeHubSpot
from tests.page_rows import AGENT_EMAIL
from tests.records import NOW, make_conversation
from webhooks_out import endpoints

ENGLISH = {"Accept-Language": "en"}
HUBSPOT, CALCOM = "/connectors/hubspot", "/connectors/calcom"


@pytest.fixture
def hubspot(app: Flask) -> Iterator[FakeHubSpot]:
    object.__setattr__(app.config["BALCAO"], "allow_private_addresses", True)
    with FakeHubSpot() as fake:
        yield fake


@pytest.fixture
def cal(app: Flask) -> Iterator[FakeCalCom]:
    object.__setattr__(app.config["BALCAO"], "allow_private_addresses", True)
    with FakeCalCom() as fake:
        yield fake


def row(app: Flask, service: str) -> WebhookEndpoint:
    with app.app_context():
        found = endpoints.of_service(service)
        assert found is not None
        return found


def test_nobody_but_an_admin_sees_connectors(client: FlaskClient, app: Flask, admin: FlaskClient) -> None:
    assert "not set up" in get(admin, "/connectors", **ENGLISH).text
    agent = app.test_client()
    sign_in(agent, AGENT_EMAIL)
    for path in ("/connectors", HUBSPOT, CALCOM):
        assert get(agent, path).status_code == 403
    assert get(admin, "/connectors/another").status_code == 404
    assert get(client, "/connectors").status_code in (302, 303)


def test_hubspot_is_set_up_chosen_and_removed(admin: FlaskClient, app: Flask, hubspot: FakeHubSpot) -> None:
    assert post(admin, HUBSPOT, HUBSPOT, address=hubspot.url).status_code == 422
    assert post(admin, HUBSPOT, HUBSPOT, key=TOKEN, address="ftp://x").status_code == 422
    assert post(admin, HUBSPOT, HUBSPOT, key=TOKEN, address=hubspot.url).status_code == 303
    page = get(admin, HUBSPOT, **ENGLISH).text
    assert "a chave funciona" in page, "said in the language of who pressed"
    assert TOKEN not in page
    assert "Closed Won" in page
    kept = row(app, "hubspot")
    assert vault.unseal(kept.secret, app.config["BALCAO"].secret_key) == TOKEN
    assert TOKEN not in kept.secret
    post(admin, HUBSPOT, HUBSPOT, address=hubspot.url, stage_new="contractsent", stage_won="nonsense")
    changed = row(app, "hubspot")
    settings = changed.settings or {}
    assert (settings["stages"]["new"], settings["stages"]["won"]) == (
        "contractsent",
        "closedwon",
    )
    assert settings["erases"] is False
    assert changed.secret == kept.secret, "an empty key keeps the one that is there"
    assert "hubspot" not in get(admin, "/webhooks").text.lower(), "a connector is no webhook"
    assert get(admin, f"/webhooks/{changed.id}").status_code == 404
    post(admin, f"{HUBSPOT}/switch", HUBSPOT)
    assert "switched off" in get(admin, "/connectors", **ENGLISH).text
    post(admin, f"{HUBSPOT}/remove", HUBSPOT)
    assert "not set up" in get(admin, "/connectors", **ENGLISH).text


def test_a_refused_key_is_said_in_words(admin: FlaskClient, app: Flask, hubspot: FakeHubSpot) -> None:
    post(admin, HUBSPOT, HUBSPOT, key="pat-wrong", address=hubspot.url)
    page = get(admin, HUBSPOT, **ENGLISH).text
    assert "The key is not accepted" in page
    assert "broken" in get(admin, "/connectors", **ENGLISH).text
    post(admin, HUBSPOT, HUBSPOT, key=TOKEN, address=hubspot.url)
    assert row(app, "hubspot").trouble is None


def test_calcom_is_set_up_with_a_secret_that_is_shown_once(
    admin: FlaskClient, app: Flask, cal: FakeCalCom
) -> None:
    post(admin, CALCOM, CALCOM, key=KEY, address=cal.url)
    page = get(admin, CALCOM, **ENGLISH).text
    assert "/connectors/calcom/webhook" in page
    shown = post(admin, f"{CALCOM}/secret", CALCOM)
    secret = re.search(r"<code>([\w-]{40,})</code>", shown.text)
    assert secret is not None
    assert vault.unseal(row(app, "calcom").hook_secret or "", app.config["BALCAO"].secret_key) == secret[1]
    assert secret[1] not in get(admin, CALCOM).text


def test_everything_is_told_again_with_its_progress(
    admin: FlaskClient, app: Flask, hubspot: FakeHubSpot, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        thread = make_conversation()
        contact = db.session.get_one(Contact, thread.contact_id)
        for place in range(3):
            leads.record_lead(contact, LeadWish(interest=f"i{place}"), now=NOW, conversation_id=thread.id)
        db.session.commit()
    post(admin, HUBSPOT, HUBSPOT, key=TOKEN, address=hubspot.url)
    for _time in range(2):
        post(admin, f"{HUBSPOT}/resync", HUBSPOT)
        assert "0 of 3" in get(admin, HUBSPOT, **ENGLISH).text
        with app.app_context():
            for _round in range(5):
                desk_worker.tell_programs()
        assert "3 of 3" in get(admin, HUBSPOT, **ENGLISH).text
        assert (len(hubspot.contacts()), len(hubspot.deals())) == (1, 3)
    with app.app_context():
        assert db.session.scalar(select(func.count(ConnectorLink.id))) == 4
        assert set(db.session.scalars(select(WebhookDelivery.state))) == {"sent"}
    assert webhooks.SENDERS["hubspot"] is webhooks.SENDERS["calcom"]
