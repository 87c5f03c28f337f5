"""The inbox as a room: filters in the address, actions on many with an undo, notes, views, canned replies."""

import re
from datetime import timedelta
from io import BytesIO

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import select
from werkzeug.test import TestResponse

import media
from auth import current_config
from models import (
    Contact,
    Conversation,
    ConversationLabel,
    Message,
    Note,
    Operator,
    Product,
    SavedView,
    db,
    utc_now,
)
from teamwork import keeping
from tests import page_rows
from tests.browsing import get, post, sign_in
from tests.page_rows import AGENT_EMAIL, EVIL, Desk, message


@pytest.fixture
def desk(app: Flask, admin: FlaskClient) -> Desk:
    with app.app_context():
        return page_rows.fill()


def names(client: FlaskClient, query: str = "") -> list[str]:
    return re.findall(r'line-name">([A-Z][^<]*)<', get(client, f"/inbox{query}").text)


def change(app: Flask, conversation_id: int, **columns: object) -> None:
    with app.app_context():
        found = db.session.get_one(Conversation, conversation_id)
        for name, value in columns.items():
            setattr(found, name, value)
        db.session.commit()


def read(app: Flask, conversation_id: int) -> Conversation:
    with app.app_context():
        return db.session.get_one(Conversation, conversation_id)


def me(app: Flask, email: str = page_rows.ADMIN_EMAIL) -> int:
    with app.app_context():
        return db.session.scalars(select(Operator.id).where(Operator.email == email)).one()


def test_the_room_shows_whose_a_conversation_is(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    change(app, desk.waiting_id, operator_id=me(app))
    change(app, desk.closed_id, handler="human")
    assert names(admin, "?show=mine") == ["Mariana Alves"]
    assert names(admin, "?show=unassigned") == ["Carlos Souza"]


def test_what_is_put_off_or_closed_leaves_the_list_and_is_found_by_a_search(
    app: Flask, admin: FlaskClient, desk: Desk
) -> None:
    change(app, desk.waiting_id, snoozed_until=utc_now() + timedelta(hours=1))
    change(app, desk.closed_id, is_closed=True)
    assert names(admin) == []
    assert names(admin, "?show=snoozed") == ["Mariana Alves"]
    assert names(admin, "?show=closed") == ["Carlos Souza"]
    assert names(admin, "?q=carlos") == ["Carlos Souza"]
    assert names(admin, "?show=waiting") == []
    change(app, desk.waiting_id, snoozed_until=utc_now() - timedelta(seconds=1))
    assert names(admin) == ["Mariana Alves"]


def test_filters_by_label_sentiment_and_language(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    with app.app_context():
        label = keeping.add_label("Atacado", now=utc_now())
        db.session.add(ConversationLabel(label_id=label.id, conversation_id=desk.closed_id))
        found = db.session.get_one(Conversation, desk.waiting_id)
        found.sentiment = "angry"
        db.session.get_one(Contact, found.contact_id).language = "es"
        label_id = label.id
        db.session.commit()
    assert names(admin, f"?label={label_id}") == ["Carlos Souza"]
    assert names(admin, "?sentiment=angry") == ["Mariana Alves"]
    assert names(admin, "?language=es") == ["Mariana Alves"]
    assert names(admin, f"?label={label_id}&sentiment=angry") == []
    assert "Atacado" in get(admin, f"/inbox/{desk.closed_id}").text


def test_the_search_finds_words_that_were_said(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    with app.app_context():
        message(db.session.get_one(Conversation, desk.closed_id), "quero um violão de cedro")
        db.session.commit()
    assert names(admin, "?q=viol%C3%A3o+de+cedro") == ["Carlos Souza"]


def test_several_are_closed_at_once_and_come_back(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    ids = [str(desk.waiting_id), str(desk.closed_id)]
    answer = post(admin, "/inbox/actions", "/inbox", do="close:", next="/inbox?show=all", ids=ids)
    assert answer.status_code == 303
    page = get(admin, answer.location).text
    assert "2 conversas encerradas." in page
    assert names(admin) == []
    undo = re.search(r'action="(/inbox/actions/\d+/undo)"', page)
    assert undo is not None
    post(admin, undo[1], "/inbox")
    assert set(names(admin)) == {"Mariana Alves", "Carlos Souza"}
    assert not read(app, desk.waiting_id).is_closed
    assert "2 conversas encerradas." not in get(admin, answer.location).text


@pytest.mark.parametrize(
    ("do", "words"),
    [
        ("", "Escolha o que fazer."),
        ("assign:x", "Escolha quem vai cuidar dela."),
        ("close:", "pelo menos uma"),
    ],
)
def test_an_action_that_lacks_something_says_what(
    admin: FlaskClient, desk: Desk, do: str, words: str
) -> None:
    ids = "" if do == "close:" else str(desk.bot_id)
    answer = post(admin, "/inbox/actions", "/inbox", do=do, ids=ids)
    assert words in get(admin, answer.location).text


def test_a_form_leads_back_to_the_filters_and_nowhere_else(admin: FlaskClient, desk: Desk) -> None:
    there = f"/inbox/{desk.bot_id}?show=bot"
    answer = post(admin, "/inbox/actions", "/inbox", do="snooze:1h", ids=str(desk.bot_id), next=there)
    assert re.fullmatch(rf"/inbox/{desk.bot_id}\?show=bot&done=\d+", answer.location)
    away = post(admin, "/inbox/actions", "/inbox", do="wake:", ids=str(desk.bot_id), next="//evil.example")
    assert away.location.startswith("/inbox?")


def test_a_note_stands_in_the_thread_and_is_never_sent(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    path = f"/inbox/{desk.bot_id}"
    for _ in range(2):
        post(admin, f"{path}/notes", path, note=f"liga às 15h {EVIL}", client_token="once")
    page = get(admin, path).text
    thread, _aside, column = page.partition('<aside class="person"')
    assert (thread.count("liga às 15h"), column.count("liga às 15h")) == (1, 1)
    assert EVIL not in page
    with app.app_context():
        assert db.session.scalars(select(Message).where(Message.body.contains("liga"))).all() == []
        note_id = db.session.scalars(select(Note.id)).one()
    agent = app.test_client()
    sign_in(agent, AGENT_EMAIL)
    post(agent, f"{path}/notes/{note_id}/remove", path)
    assert "liga às 15h" in get(admin, path).text
    post(admin, f"{path}/notes/{note_id}/remove", path)
    assert "liga às 15h" not in get(admin, path).text


def test_notes_of_an_older_page_stand_on_that_page(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    start = utc_now() - timedelta(days=9)
    with app.app_context():
        of = db.session.get_one(Conversation, desk.closed_id)
        ids = [message(of, f"m{n}", created_at=start + timedelta(hours=n)).id for n in range(60)]
        for hours, words in ((1.5, "nota velha"), (58.5, "nota nova")):
            at = start + timedelta(hours=hours)
            db.session.add(Note(conversation_id=of.id, operator_id=1, body=words, created_at=at))
        db.session.commit()
    newest, _aside, column = get(admin, f"/inbox/{desk.closed_id}").text.partition('<aside class="person"')
    older = get(admin, f"/inbox/{desk.closed_id}?before={ids[10]}").text
    assert column.index("nota nova") < column.index("nota velha")
    assert ("nota nova" in newest, "nota velha" in newest) == (True, False)
    assert ("nota nova" in older, "nota velha" in older) == (False, True)


def test_the_composer_says_how_long_the_window_is_open_and_locks_after(
    app: Flask, admin: FlaskClient, desk: Desk
) -> None:
    path = f"/inbox/{desk.bot_id}"
    with app.app_context():
        of = db.session.get_one(Conversation, desk.bot_id)
        of.last_inbound_at = utc_now() - timedelta(hours=3)
        db.session.commit()
    page = get(admin, path).text
    left = re.search(r'<b id="window-left" role="timer">(\d+) h \d\d min</b>', page)
    assert left is not None
    assert int(left[1]) in (20, 21)
    assert 'id="window-closes"' in page
    with app.app_context():
        db.session.get_one(Conversation, desk.bot_id).last_inbound_at = utc_now() - timedelta(days=2)
        db.session.commit()
    closed = get(admin, path).text
    assert "composer-lock" in closed
    assert "window-left" not in closed


def test_a_view_keeps_filters_and_nothing_else(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    post(admin, "/inbox/views", "/inbox", name="Bravos", query="sentiment=angry&done=3&x=%3Cb%3E&show=mine")
    with app.app_context():
        view = db.session.scalars(select(SavedView)).one()
    assert view.query == "show=mine&sentiment=angry"
    assert 'href="/inbox?show=mine&amp;sentiment=angry"' in get(admin, "/inbox").text
    agent = app.test_client()
    sign_in(agent, AGENT_EMAIL)
    assert "Bravos" not in get(agent, "/inbox").text
    post(admin, f"/inbox/views/{view.id}/remove", "/inbox")
    assert "Bravos" not in get(admin, "/inbox").text.replace("A visão", "")


def test_canned_replies_are_kept_changed_and_removed(admin: FlaskClient, desk: Desk) -> None:
    post(admin, "/inbox/canned", "/inbox/tools", shortcut="frete", body="Frete grátis.")
    assert 'data-canned="Frete grátis."' in get(admin, "/inbox/canned").text
    assert "Frete grátis.</textarea>" in get(admin, "/inbox/tools?edit=frete").text
    refused = post(admin, "/inbox/canned", "/inbox/tools", shortcut="duas palavras", body="meu texto")
    assert refused.status_code == 422
    assert "meu texto</textarea>" in refused.text


def test_only_managers_remove_a_label(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    post(admin, "/inbox/labels", "/inbox/tools", name="Atacado")
    agent = app.test_client()
    sign_in(agent, AGENT_EMAIL)
    assert post(agent, "/inbox/labels/1/remove", "/inbox/tools").status_code == 403
    for _ in range(2):  # a double click leaves one line
        assert post(admin, "/inbox/labels/1/remove", "/inbox/tools").status_code == 303
    assert "Atacado" not in get(admin, "/inbox/tools").text
    assert get(admin, "/audit").text.count("#1<") == 2, "added, deleted once"


def test_a_person_is_exported_and_deleted_by_admins_alone(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    path = f"/inbox/{desk.waiting_id}"
    post(admin, f"{path}/notes", path, note="nota interna da Mariana")
    exported = get(admin, f"{path}/export").get_json()
    assert exported["contacts"][0]["name"] == "Mariana Alves"
    assert exported["notes"][0]["body"] == "nota interna da Mariana"
    agent = app.test_client()
    sign_in(agent, AGENT_EMAIL)
    assert get(agent, f"{path}/export").status_code == 403
    assert post(agent, f"{path}/delete", path, sure="1").status_code == 403
    assert post(admin, f"{path}/delete", f"{path}/delete").status_code == 303
    assert get(admin, path).status_code == 200
    post(admin, f"{path}/delete", f"{path}/delete", sure="1")
    assert get(admin, path).status_code == 404
    with app.app_context():
        assert db.session.scalars(select(Note)).all() == []


def test_who_writes_opens_what_was_closed(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    change(app, desk.bot_id, is_closed=True)
    path = f"/inbox/{desk.bot_id}"
    post(admin, f"{path}/messages", path, body="Ainda por aqui?", client_token="again")
    assert not read(app, desk.bot_id).is_closed


@pytest.mark.parametrize(("theme", "shown"), [("light", "light"), ("dark", "dark"), ("auto", "dark")])
def test_the_colours_are_chosen_and_kept(admin: FlaskClient, theme: str, shown: str) -> None:
    post(admin, "/theme", "/account", theme=theme)
    page = get(admin, "/inbox").text
    assert f'data-bs-theme="{shown}"' in page
    assert ('data-theme="auto"' in page) == (theme == "auto")
    post(admin, "/theme", "/account", theme="pink")
    assert get(admin, "/inbox").text.count(f'data-bs-theme="{shown}"') == 1


def test_a_message_whose_language_nobody_knows_is_corrected_too(
    app: Flask, admin: FlaskClient, desk: Desk
) -> None:
    with app.app_context():
        of = db.session.get_one(Conversation, desk.bot_id)
        message_id = message(of, "hm, ruim", intent="feedback", sentiment="neutral", urgency="low").id
        db.session.commit()
    path = f"/inbox/{desk.bot_id}"
    answer = post(
        admin, f"{path}/messages/{message_id}/reading", path, sentiment="angry", was_sentiment="neutral"
    )
    assert answer.status_code == 303
    assert read(app, desk.bot_id).sentiment == "angry"


PDF = b"%PDF-1.4 a price list"


def test_what_is_sold_is_not_for_agents_to_take(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    with app.app_context():
        file = media.store(PDF, "application/pdf", "curso.pdf", current_config().media_dir, now=utc_now())
        product = db.session.scalars(select(Product)).first()
        assert product is not None
        product.delivery_file_id = file.id
        address = f"/inbox/file/{file.id}"
        db.session.commit()
    agent = app.test_client()
    sign_in(agent, AGENT_EMAIL)
    assert get(admin, address).data == PDF
    assert get(agent, address).status_code == 404


def attach(
    client: FlaskClient, conversation_id: int, content: bytes, name: str, body: str = ""
) -> TestResponse:
    path = f"/inbox/{conversation_id}"
    file = (BytesIO(content), name)
    return post(client, f"{path}/messages", path, body=body, file=file, client_token=f"t-{name}")


def test_an_operator_sends_a_picture_and_a_document_once(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    picture = BytesIO()
    Image.new("RGB", (4, 4), "green").save(picture, "PNG")
    for _ in range(2):
        assert attach(admin, desk.bot_id, picture.getvalue(), "vitrine.png", "olha só").status_code == 303
        assert attach(admin, desk.bot_id, PDF, "preços.pdf").status_code == 303
    with app.app_context():
        rows = db.session.scalars(select(Message).where(Message.conversation_id == desk.bot_id)).all()
    assert [(row.kind, row.body, (row.content or {})["media_kind"]) for row in rows] == [
        ("media", "olha só", "image"),
        ("media", "preços.pdf", "document"),
    ]
    page = get(admin, f"/inbox/{desk.bot_id}").text
    assert "preços.pdf</a>" in page
    assert "bubble-picture" in page
    assert get(admin, f"/inbox/file/{(rows[1].content or {})['file_id']}").data == PDF


@pytest.mark.parametrize(
    ("content", "name", "body", "words"),
    [
        (b"<script>alert(1)</script>", "foto.png", "", "Só dá para enviar imagens"),
        (b"MZ a program", "boleto.pdf", "", "Só dá para enviar imagens"),
        (PDF, "a.pdf", "x" * 1025, "no máximo 1024"),
    ],
)
def test_a_file_is_judged_by_what_is_in_it(
    app: Flask, admin: FlaskClient, desk: Desk, content: bytes, name: str, body: str, words: str
) -> None:
    answer = attach(admin, desk.bot_id, content, name, body)
    assert answer.status_code == 422
    assert words in answer.text
    with app.app_context():
        assert db.session.get_one(Conversation, desk.bot_id).handler == "bot"
        assert db.session.query(Message).filter_by(conversation_id=desk.bot_id).count() == 0
