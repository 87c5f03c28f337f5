"""The locked composer's templates: which are offered, what is sent, and what is refused."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from models import Contact, Conversation, Message, MessageTemplate, db, utc_now
from tests import page_rows
from tests.browsing import counted, get, post
from tests.page_rows import Desk

QUERIES_MAX = 15


@pytest.fixture
def desk(app: Flask, admin: FlaskClient) -> Desk:
    """People, of whom one wrote yesterday, and the demo's templates."""
    with app.app_context():
        return page_rows.fill_with_templates()


def templates_of(app: Flask) -> list[MessageTemplate]:
    with app.app_context():
        found = list(db.session.scalars(select(MessageTemplate).order_by(MessageTemplate.id)))
        db.session.expunge_all()
        return found


def template_called(app: Flask, name: str) -> MessageTemplate:
    return next(row for row in templates_of(app) if row.name == name and row.language == "pt_BR")


def sent_templates(app: Flask) -> list[Message]:
    with app.app_context():
        found = list(db.session.scalars(select(Message).where(Message.kind == "template")))
        db.session.expunge_all()
        return found


def pick(client: FlaskClient, conversation_id: int, **fields: str) -> TestResponse:
    page = f"/inbox/{conversation_id}?templates=1"
    return post(client, f"/inbox/{conversation_id}/template", page, **({"client_token": "p1"} | fields))


def test_the_locked_composer_offers_templates_in_the_persons_language_first(
    app: Flask, admin: FlaskClient, desk: Desk
) -> None:
    with app.app_context():
        of = db.session.get_one(Conversation, desk.closed_id)
        contact = db.session.get_one(Contact, of.contact_id)
        contact.language, contact.refuses_marketing_at = "es", utc_now()
        db.session.commit()
    assert 'id="pick"' in get(admin, f"/inbox/{desk.closed_id}").text
    whole = get(admin, f"/inbox/{desk.closed_id}?templates=1").text  # what a reader without script sees
    part = get(admin, f"/inbox/{desk.closed_id}/templates").text
    usable = [row for row in templates_of(app) if row.status == "approved"]
    for shown in (whole, part):
        order = [int(found) for found in re.findall(r'name="template" value="(\d+)"', shown)]
        codes = [next(row.language for row in usable if row.id == found) for found in order]
        assert codes
        assert codes == sorted(codes, key=lambda code: not code.startswith("es"))
        assert set(order) == {row.id for row in usable if row.category != "marketing"}
    assert 'id="picker"' not in get(admin, f"/inbox/{desk.bot_id}?templates=1").text, "its window is open"


def test_the_locked_composer_sends_once_shows_its_preview_and_keeps_what_was_typed(
    app: Flask, admin: FlaskClient, desk: Desk
) -> None:
    with app.app_context():
        db.session.get_one(Conversation, desk.closed_id).is_closed = True
        db.session.commit()
    template = template_called(app, "continuar_conversa")
    fields = {"template": str(template.id), "value:1": "Carlos", "value:2": "o curso"}
    shown = pick(admin, desk.closed_id, preview="1", **fields).text
    assert "o curso" in shown[shown.index('name="template" open') :].partition("reach-text")[2][:200]
    refused = pick(admin, desk.closed_id, **(fields | {"value:2": " "}))
    assert refused.status_code == 422
    assert 'value="Carlos"' in refused.text
    assert 'role="alert"' in refused.text
    assert sent_templates(app) == []
    for _ in range(2):  # a double click
        assert pick(admin, desk.closed_id, **fields).location.endswith(f"/inbox/{desk.closed_id}")
    sent = sent_templates(app)
    assert [("Carlos" in message.body, message.sender) for message in sent] == [(True, "operator")]
    with app.app_context():
        assert not db.session.get_one(Conversation, desk.closed_id).is_closed, "who is written to is open"


def test_the_picker_takes_neither_strange_templates_nor_who_opted_out(
    app: Flask, admin: FlaskClient, desk: Desk
) -> None:
    for strange in ("", "x", "999999"):
        assert pick(admin, desk.closed_id, template=strange).status_code == 404
    with app.app_context():
        contact = page_rows.contact_of(db.session.get_one(Conversation, desk.closed_id))
        contact.opted_out_at = utc_now()
        db.session.commit()
    assert 'id="pick"' not in get(admin, f"/inbox/{desk.closed_id}").text
    template = template_called(app, "continuar_conversa")
    fields = {"template": str(template.id), "value:1": "Carlos", "value:2": "o curso"}
    assert pick(admin, desk.closed_id, **fields).status_code == 422


def test_the_picker_costs_few_queries(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    with app.app_context():
        of = db.session.get_one(Conversation, desk.waiting_id)  # the thread that has everything
        of.last_inbound_at = utc_now() - timedelta(days=2)
        db.session.commit()
    get(admin, f"/inbox/{desk.waiting_id}")
    for address in (f"/inbox/{desk.waiting_id}", f"/inbox/{desk.waiting_id}?templates=1"):
        with counted(app) as asked:
            get(admin, address)
        assert len(asked) <= QUERIES_MAX, (address, asked)
