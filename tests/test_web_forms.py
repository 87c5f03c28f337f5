"""Forms of websites that open leads: what is taken, what is refused, what it says, and who sets them up."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

import alerts
from crm import web_forms
from models import Contact, FormEntry, Lead, db
from tests.browsing import AS_BROWSER, get, post, sign_in
from tests.page_rows import AGENT_EMAIL
from tests.real_door import WalkedDesk

ANA = {
    "name": "Ana Lima",
    "phone": "+55 81 99876-5432",
    "email": "ana@example.com",
    "message": "Quero saber mais",
}


def address(desk: WalkedDesk) -> str:
    with desk.app.app_context():
        _form, token = web_forms.add_form(
            "Site", source="landing page", integration_id=None, now=desk.clock()
        )
        db.session.commit()
    return f"/forms/{token}"


def test_a_posted_form_is_a_lead_with_its_source(any_desk: WalkedDesk) -> None:
    path = address(any_desk)
    assert any_desk.client.post(path, data=ANA).status_code == 202
    (lead,) = any_desk.rows(Lead)
    assert (lead.name, lead.phone, lead.email) == ("Ana Lima", "+5581998765432", "ana@example.com")
    assert (lead.source, lead.notes, lead.status) == ("landing page", "Quero saber mais", "new")
    with any_desk.app.app_context():
        assert alerts.is_open(f"lead:{lead.id}")
        contact = db.session.get_one(Contact, lead.contact_id)
        assert contact.identity("wa_id") == "5581998765432"


def test_json_and_other_names_of_fields_are_understood(desk: WalkedDesk) -> None:
    said = {
        "nome": "Bia",
        "telefone": "(11) 98765-4321",
        "mensagem": "Oi",
        "orcamento": "US$ 250,000",
        "x": {"y": 1},
    }
    assert desk.client.post(address(desk), json=said).status_code == 202
    (lead,) = desk.rows(Lead)
    assert (lead.name, lead.phone, lead.notes, lead.budget_usd) == ("Bia", "+5511987654321", "Oi", 250000)


def test_the_same_entry_opens_one_lead(any_desk: WalkedDesk) -> None:
    path = address(any_desk)
    for _twice in range(2):
        assert any_desk.client.post(path, data=ANA).status_code == 202
    assert len(any_desk.rows(FormEntry)) == 1
    for name in ("Bia", "Bianca"):
        sent = any_desk.client.post(
            path, json={"name": name, "email": "b@example.com"}, headers={"Idempotency-Key": "k1"}
        )
        assert sent.status_code == 202
    assert [lead.name for lead in any_desk.rows(Lead)] == ["Ana Lima", "Bia"]


def test_who_wrote_before_gets_the_lead_in_her_thread_and_keeps_her_name(any_desk: WalkedDesk) -> None:
    any_desk.says("hi", "5581998765432", name="Ana")
    before = any_desk.rows(Contact)[0]
    any_desk.client.post(address(any_desk), data={**ANA, "name": "Somebody Else"})
    (lead,) = any_desk.rows(Lead)
    assert lead.contact_id == before.id
    assert lead.conversation_id == any_desk.conversation().id
    (contact,) = any_desk.rows(Contact)
    assert (contact.name, contact.email) == (before.name, before.email)


def test_an_email_alone_is_enough(desk: WalkedDesk) -> None:
    assert desk.client.post(address(desk), data={"email": "Ana@Example.com"}).status_code == 202
    assert desk.rows(Lead)[0].email == "ana@example.com"


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"name": "Ana"},
        {"phone": "12"},
        {"phone": "+55 81 0000-0000-00000"},
        {"phone": "not a number"},
        {"email": "no address"},
        {"email": "ana@example.com\nBcc: bob@example.com"},
        {**ANA, "phone": "123"},
    ],
)
def test_what_cannot_be_answered_is_refused(desk: WalkedDesk, said: dict[str, str]) -> None:
    answer = desk.client.post(address(desk), data=said)
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (422, "invalid")
    assert desk.rows(Lead) == desk.rows(FormEntry) == []


@pytest.mark.parametrize(
    "said",
    [
        {**ANA, "_gotcha": "filled by a machine"},
        {**ANA, "name": "win at https://spam.example"},
        {**ANA, "message": "https://a.example https://b.example www.c.example"},
    ],
)
def test_spam_is_told_nothing_and_opens_nothing(desk: WalkedDesk, said: dict[str, str]) -> None:
    assert desk.client.post(address(desk), data=said).status_code == 202
    assert desk.rows(Lead) == []
    assert [entry.lead_id for entry in desk.rows(FormEntry)] == [None]


def test_a_browser_reads_a_page(desk: WalkedDesk) -> None:
    path = address(desk)
    taken = desk.client.post(path, data=ANA, headers=AS_BROWSER | {"Accept-Language": "pt"})
    assert taken.status_code == 200
    assert "Obrigado" in taken.text
    refused = desk.client.post(path, data={}, headers=AS_BROWSER | {"Accept-Language": "en"})
    assert refused.status_code == 422
    assert "phone number" in refused.text


def test_other_sites_may_post_and_strange_addresses_are_none(desk: WalkedDesk) -> None:
    path = address(desk)
    asked = desk.client.options(path, headers={"Origin": "https://loja.example"})
    assert asked.headers["Access-Control-Allow-Origin"] == "*"
    assert desk.client.post("/forms/nobody", data=ANA).status_code == 404
    assert desk.client.post(f"/forms/{'a' * 500}", data=ANA).status_code == 404
    assert desk.client.get(path).status_code == 405
    with desk.app.app_context():
        web_forms.revoke(web_forms.forms()[0], now=desk.clock())
        db.session.commit()
    assert desk.client.post(path, data=ANA).status_code == 404


def test_what_no_column_holds_is_left_out(any_desk: WalkedDesk) -> None:
    body = b'{"name": "Ana \\ud800\\u0000Lima", "\\ud800": "x", "email": "a@b.com", "event_id": "\\ud800"}'
    answer = any_desk.client.post(address(any_desk), data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 202
    (lead,) = any_desk.rows(Lead)
    assert lead.name == "Ana \N{REPLACEMENT CHARACTER}Lima"


@pytest.mark.parametrize("body", [b"{", b"[1]", b'"x"', b"\xff", b"[" * 20000, b"null"])
def test_broken_json_is_refused_plainly(desk: WalkedDesk, body: bytes) -> None:
    answer = desk.client.post(address(desk), data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400


def test_a_flood_from_one_address_is_slowed(desk: WalkedDesk) -> None:
    path = address(desk)
    codes = {desk.client.post(path, data={}).status_code for _entry in range(40)}
    assert codes == {422, 429}


# --- the page -----------------------------------------------------------------------------------------------


def test_an_admin_makes_and_ends_an_address(admin: FlaskClient, app: Flask) -> None:
    page = post(admin, "/webhooks/forms", "/webhooks/forms", name="Site", source="")
    found = re.search(r"/forms/[A-Za-z0-9_-]{20,}", page.text)
    assert found is not None
    assert app.test_client().post(found[0], data=ANA).status_code == 202
    again = get(admin, "/webhooks/forms").text
    assert "Site" in again
    assert found[0] not in again, "it is shown once"
    (form_id,) = re.findall(r"/webhooks/forms/(\d+)/revoke", again)
    assert post(admin, f"/webhooks/forms/{form_id}/revoke", "/webhooks/forms").status_code == 303
    assert app.test_client().post(found[0], data={**ANA, "name": "x"}).status_code == 404
    with app.app_context():
        assert db.session.scalars(select(Lead.source).where(Lead.name == "Ana Lima")).all() == ["Site"]


def test_a_form_needs_a_name_and_an_agent_makes_none(admin: FlaskClient, app: Flask) -> None:
    assert post(admin, "/webhooks/forms", "/webhooks/forms", name=" ").status_code == 422
    agent = app.test_client()
    sign_in(agent, AGENT_EMAIL)
    assert get(agent, "/webhooks/forms").status_code == 403
