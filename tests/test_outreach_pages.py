"""The pages of templates, campaigns and planned messages: roles, forms, forged ids, double clicks, files."""

import io
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

import integrations
import message_templates
import operators
from config import Config
from demo import templates as demo_templates
from models import (
    Campaign,
    CampaignRecipient,
    Integration,
    Message,
    MessageTemplate,
    ScheduledMessage,
    db,
    utc_now,
)
from outreach import campaigns
from tests import page_rows
from tests.browsing import AS_BROWSER, get, post, sign_in, token
from tests.fakes.graph import FakeGraph
from tests.page_rows import AGENT_EMAIL, EVIL, PASSWORD, Desk
from tests.records import make_meta_number

NAME = "novidades_da_semana"


@pytest.fixture
def desk(app: Flask, admin: FlaskClient) -> Desk:
    """A simulated number with people, and the demo's templates."""
    with app.app_context():
        return page_rows.fill_with_templates()


def rows(app: Flask, model: type[Any]) -> list[Any]:
    with app.app_context():
        found = list(db.session.scalars(select(model).order_by(model.id)))
        db.session.expunge_all()
        return found


def of_role(app: Flask, email: str) -> FlaskClient:
    client = app.test_client()
    sign_in(client, email)
    return client


def make(client: FlaskClient, app: Flask, people: str = "segment", **fields: str) -> int:
    number_id = rows(app, Integration)[0].id
    data = {"name": "Novidades", "template": f"{number_id}:{NAME}", "people": people, "client_token": "c1"}
    answer = post(client, "/campaigns/new", "/campaigns/new", **(data | fields))
    assert answer.status_code == 303, answer.text
    return int(answer.location.rpartition("/")[2])


def act(client: FlaskClient, campaign_id: int, verb: str, **fields: Any) -> TestResponse:
    data = {"csrf_token": token(client, f"/campaigns/{campaign_id}")} | fields
    return client.post(f"/campaigns/{campaign_id}/{verb}", data=data, headers=AS_BROWSER)


def fill_words(client: FlaskClient, campaign_id: int) -> None:
    fields = {"source:1": "first_name", "otherwise:1": "tudo bem", "per_minute": "60"}
    assert act(client, campaign_id, "words", **fields).status_code == 303


# --- who may ------------------------------------------------------------------------------------------------


def test_agents_reach_no_campaigns_and_managers_hand_nothing_in(app: Flask, desk: Desk) -> None:
    with app.app_context():
        operators.create_operator("chefe@loja.com.br", "Chefe", PASSWORD, "manager")
        db.session.commit()
    agent, manager = of_role(app, AGENT_EMAIL), of_role(app, "chefe@loja.com.br")
    for path in ("/campaigns", "/campaigns/new", "/templates", "/templates/new"):
        assert get(agent, path).status_code == 403, path
        assert get(manager, path).status_code == 200, path
    template_id = rows(app, MessageTemplate)[0].id
    for path in (f"/templates/{template_id}/submit", "/templates/sync"):
        assert post(manager, path, "/campaigns/new", number="1").status_code == 403, path
    assert get(agent, f"/inbox/{desk.closed_id}/reach").status_code == 200


@pytest.mark.parametrize("language", ["pt", "es", "en"])
def test_every_page_is_shown_in_three_languages(
    app: Flask, admin: FlaskClient, desk: Desk, language: str
) -> None:
    post(admin, "/language", "/campaigns", language=language, next="/")
    draft = make(admin, app)
    begun = make(admin, app, client_token="c2")
    act(admin, begun, "start")
    template_id = rows(app, MessageTemplate)[0].id
    with app.app_context():
        config = app.config["BALCAO"]
        campaigns.send_next(begun, config=config, now=utc_now())
        db.session.commit()
    for path in (
        "/templates",
        f"/templates/{template_id}",
        "/templates/new",
        "/campaigns",
        "/campaigns/new",
        f"/campaigns/{draft}",
        f"/campaigns/{begun}",
        f"/campaigns/{begun}?outcome=left_out",
        f"/campaigns/{begun}/progress",
        f"/campaigns/{begun}/people.csv",
        f"/inbox/{desk.closed_id}/reach",
    ):
        answer = get(admin, path)
        assert answer.status_code == 200, path
        assert EVIL not in answer.text or answer.mimetype == "text/csv", path
        assert " style=" not in answer.text, path


@pytest.mark.parametrize(
    "path", ["/campaigns/77", "/templates/77", "/inbox/77/reach", "/campaigns/9999999999999999999"]
)
def test_a_forged_id_is_nothing(admin: FlaskClient, desk: Desk, path: str) -> None:
    assert get(admin, path).status_code == 404


# --- campaigns ----------------------------------------------------------------------------------------------


def test_a_campaign_goes_from_draft_to_its_people(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    campaign_id = make(admin, app)
    assert make(admin, app) == campaign_id, "a double click makes one draft"
    fill_words(admin, campaign_id)
    assert act(admin, campaign_id, "segment").location.endswith("?count=1#people")
    page = get(admin, f"/campaigns/{campaign_id}?count=1").text
    assert "3" in re.findall(r"<b>[^<]*?(\d+)\.</b>", page)
    assert act(admin, campaign_id, "test", phone="+55 81 99999-0001", language="pt_BR").status_code == 303
    assert act(admin, campaign_id, "start").status_code == 303
    again = act(admin, campaign_id, "start")
    assert again.status_code == 303
    assert rows(app, Campaign)[0].state == "scheduled"
    for verb, state in (("pause", "paused"), ("resume", "scheduled"), ("cancel", "cancelled")):
        act(admin, campaign_id, verb)
        assert rows(app, Campaign)[0].state == state
    messages = [message for message in rows(app, Message) if message.kind == "template"]
    assert len(messages) == 1, "the test alone"


def upload(client: FlaskClient, campaign_id: int, content: bytes, **fields: str) -> TestResponse:
    file = (io.BytesIO(content), "lista.csv")
    return act(client, campaign_id, "file", file=file, **({"consent": "1"} | fields))


def test_a_file_is_read_and_told_about(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    campaign_id = make(admin, app, "file")
    assert upload(admin, campaign_id, b"telefone\n+5581999990001\n").status_code == 200
    assert [row.reason for row in rows(app, CampaignRecipient)] == ["missing_value"]
    fill_words(admin, campaign_id)
    content = f'nome;telefone\n"{EVIL}";+5581999990001\nX;12\n=1+1;+5581999990002\n'.encode()
    answer = upload(admin, campaign_id, content)
    assert answer.status_code == 200
    assert EVIL not in answer.text
    states = sorted((row.phone, row.state) for row in rows(app, CampaignRecipient))
    assert states == [("5581999990001", "waiting"), ("5581999990002", "waiting")]
    told = get(admin, f"/campaigns/{campaign_id}/people.csv").text
    assert "'=1+1" in told, "a formula leaves as text"
    assert act(admin, campaign_id, "empty").status_code == 303
    assert rows(app, CampaignRecipient) == []


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        (b"PK\x03\x04" + b"\0" * 100, {}),
        (b"nome\nAna\n", {}),
        (b"", {}),
        (b"telefone\n+5581999990001\n", {"consent": ""}),
    ],
)
def test_a_file_that_is_refused_changes_nothing(
    app: Flask, admin: FlaskClient, desk: Desk, content: bytes, fields: dict[str, str]
) -> None:
    campaign_id = make(admin, app, "file")
    assert upload(admin, campaign_id, content, **fields).status_code == 303
    assert rows(app, CampaignRecipient) == []
    assert "notice-danger" in get(admin, f"/campaigns/{campaign_id}").text


def test_a_file_that_is_too_large_is_refused_at_the_door(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    campaign_id = make(admin, app, "file")
    assert upload(admin, campaign_id, b"x" * 3_000_000).status_code == 413


@pytest.mark.parametrize(
    "fields",
    [
        {"template": "1:gibt_es_nicht"},
        {"template": "x"},
        {"template": "99:" + NAME},
        {"name": " "},
    ],
)
def test_a_draft_of_nothing_is_refused(
    app: Flask, admin: FlaskClient, desk: Desk, fields: dict[str, str]
) -> None:
    number_id = rows(app, Integration)[0].id
    known = {"name": "x", "template": f"{number_id}:{NAME}"}
    assert post(admin, "/campaigns/new", "/campaigns/new", **(known | fields)).status_code == 422
    assert rows(app, Campaign) == []


def test_strange_forms_are_no_errors(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    campaign_id = make(admin, app)
    strange = {"seen": "-1", "silent": "x", "niche": "0", "label": "9" * 30, "bought": "vielleicht"}
    assert act(admin, campaign_id, "segment", **strange).status_code == 303
    assert act(admin, campaign_id, "words", per_minute="0", **{"source:1": "nichts"}).status_code == 303
    for nonsense in ("gestern", "9999-12-31T23:59", "0001-01-01T00:00+01:00"):
        assert act(admin, campaign_id, "start", at=nonsense).status_code == 303
    assert act(admin, campaign_id, "start", at="1999-01-01T10:00").status_code == 303
    assert act(admin, campaign_id, "test", phone="=1+1", language="xx").status_code == 303
    assert act(admin, campaign_id, "resume").status_code == 303
    assert rows(app, Campaign)[0].state == "draft"
    assert get(admin, f"/campaigns/{campaign_id}").status_code == 200


# --- templates ----------------------------------------------------------------------------------------------

FIELDS = {
    "name": "pedido_pronto",
    "language": "pt_BR",
    "category": "utility",
    "body": "Olá {{nome}}, seu pedido está pronto.",
    "example:nome": "Ana",
}


def test_a_template_is_written_previewed_and_handed_in(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    number = str(rows(app, Integration)[0].id)
    shown = post(admin, "/templates/new", "/templates/new", number=number, preview="1", **FIELDS)
    assert shown.status_code == 200
    assert "Olá Ana, seu pedido está pronto." in shown.text
    without = {key: value for key, value in FIELDS.items() if key != "example:nome"}
    assert post(admin, "/templates/new", "/templates/new", number=number, **without).status_code == 422
    saved = post(admin, "/templates/new", "/templates/new", number=number, **FIELDS)
    assert saved.status_code == 303
    for _ in range(2):  # a double click
        assert post(admin, f"{saved.location}/submit", "/campaigns/new").status_code == 303
    row = rows(app, MessageTemplate)[-1]
    assert (row.name, row.status) == ("pedido_pronto", "approved")
    assert get(admin, "/audit").text.count(f"#{row.id}<") == 2, "written, and handed in once"
    refused = post(admin, f"{saved.location}/edit", "/campaigns/new", **FIELDS)
    assert refused.status_code == 303
    assert rows(app, MessageTemplate)[-1].body == FIELDS["body"]


def test_a_draft_is_changed_and_deleted(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    number = str(rows(app, Integration)[0].id)
    saved = post(admin, "/templates/new", "/templates/new", number=number, **FIELDS)
    fields = FIELDS | {"body": "Oi {{nome}}, o pedido está pronto.", "button_kind_0": "quick_reply"}
    assert post(admin, f"{saved.location}/edit", f"{saved.location}/edit", **fields).status_code == 422
    fields["button_text_0"] = "Obrigada"
    assert post(admin, f"{saved.location}/edit", f"{saved.location}/edit", **fields).status_code == 303
    assert rows(app, MessageTemplate)[-1].body.startswith("Oi")
    assert post(admin, f"{saved.location}/delete", "/campaigns/new").status_code == 303
    assert "pedido_pronto" not in {row.name for row in rows(app, MessageTemplate)}


def test_a_template_is_synced_and_approved_by_meta(
    app: Flask, admin: FlaskClient, load_config: Callable[..., Config]
) -> None:
    with FakeGraph() as graph:
        graph.add_template("lembrete", "pt_BR", "Oi {{1}}, até amanhã.")
        app.config["BALCAO"] = load_config(GRAPH_API_BASE_URL=graph.url)
        with app.app_context():
            number = make_meta_number().id
            db.session.commit()
        assert post(admin, "/templates/sync", "/campaigns/new", number=str(number)).status_code == 303
        assert [row.status for row in rows(app, MessageTemplate)] == ["approved"]
        saved = post(admin, "/templates/new", "/templates/new", number=str(number), **FIELDS)
        post(admin, f"{saved.location}/submit", "/campaigns/new")
        assert rows(app, MessageTemplate)[-1].status == "pending"
        assert [template["name"] for template in graph.templates] == ["lembrete", "pedido_pronto"]
        graph.access_token = "another"
        assert post(admin, "/templates/sync", "/campaigns/new", number=str(number)).status_code == 303
        assert "notice-danger" in get(admin, "/templates").text


# --- one person ---------------------------------------------------------------------------------------------


def reach(client: FlaskClient, conversation_id: int, **fields: str) -> TestResponse:
    path = f"/inbox/{conversation_id}/reach"
    return post(client, path, path, **({"client_token": "r1"} | fields))


def test_the_page_sends_a_template_when_the_window_is_closed(
    app: Flask, admin: FlaskClient, desk: Desk
) -> None:
    assert f"/inbox/{desk.closed_id}/reach" in get(admin, f"/inbox/{desk.closed_id}?templates=1").text
    template = next(row for row in rows(app, MessageTemplate) if row.language == "pt_BR")
    fields = {"template": str(template.id), "value:1": "Carlos", "value:2": "o curso"}
    assert reach(admin, desk.closed_id, **(fields | {"value:1": " "})).status_code == 422
    for _ in range(2):  # a double click
        assert reach(admin, desk.closed_id, **fields).status_code == 303
    sent = [message for message in rows(app, Message) if message.kind == "template"]
    assert len(sent) == 1
    assert "Carlos" in sent[0].body


def test_another_numbers_template_is_none(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    with app.app_context():
        other = integrations.create(provider="simulator", shape="meta", number_id="222", name="Outra")
        db.session.commit()
        number = integrations.number(other.id)
        assert number is not None
        demo_templates.seed(number, utc_now())
        db.session.commit()
        foreign = message_templates.list_templates(other.id)[0].id
    assert reach(admin, desk.closed_id, template=str(foreign), **{"value:1": "x"}).status_code == 422
    assert [message for message in rows(app, Message) if message.kind == "template"] == []


def test_a_message_is_planned_shown_and_taken_back(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    for when in ("", "gestern", "1999-01-01T10:00", "2999-01-01T10:00", "9999-12-31T23:59"):
        assert reach(admin, desk.waiting_id, body="Conseguiu ver?", when=when).status_code == 422, when
    zone = app.config["BALCAO"].zone
    ahead = (utc_now() + timedelta(days=1)).astimezone(zone).replace(tzinfo=None)
    planned = reach(admin, desk.waiting_id, body="Conseguiu ver?", when=ahead.isoformat(timespec="minutes"))
    assert planned.status_code == 303
    page = get(admin, f"/inbox/{desk.waiting_id}/reach").text
    assert "Conseguiu ver?" in page
    scheduled_id = rows(app, ScheduledMessage)[0].id
    forged = post(
        admin, f"/inbox/{desk.bot_id}/reach/{scheduled_id}/cancel", f"/inbox/{desk.waiting_id}/reach"
    )
    assert forged.status_code == 303
    assert rows(app, ScheduledMessage)[0].state == "waiting"
    post(admin, f"/inbox/{desk.waiting_id}/reach/{scheduled_id}/cancel", f"/inbox/{desk.waiting_id}/reach")
    assert rows(app, ScheduledMessage)[0].state == "cancelled"
