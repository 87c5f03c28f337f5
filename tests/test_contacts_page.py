"""The address book: looking up, own fields, CSV in and out, two contacts that become one."""

import codecs
import csv
import io
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from admin import contacts
from models import Contact, ContactField, ContactIdentity, Conversation, Integration, Message, db
from tests import page_rows
from tests.browsing import AS_BROWSER, counted, get, post, sign_in, token
from tests.page_rows import AGENT_EMAIL, EVIL, Desk, conversation, message

LIST = "/contacts"


@pytest.fixture
def desk(app: Flask, admin: FlaskClient) -> Desk:
    post(admin, "/language", "/account", language="pt")
    with app.app_context():
        return page_rows.fill()


def take_in(client: FlaskClient, app: Flask, content: str) -> TestResponse:
    with app.app_context():
        number_id = db.session.query(Integration).one().id
    data: dict[str, Any] = {"csrf_token": token(client, LIST), "number": str(number_id)}
    data["file"] = (io.BytesIO(content.encode()), "people.csv")
    return client.post("/contacts/import", data=data, headers=AS_BROWSER)


def rows_of(client: FlaskClient) -> list[list[str]]:
    content = get(client, "/contacts.csv").data
    assert content.startswith(codecs.BOM_UTF8), "Excel takes it for Latin-1"
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


@pytest.mark.parametrize("words", ["mariana", "98765-4321", "MARI"])
def test_people_are_found_by_name_and_phone(admin: FlaskClient, desk: Desk, words: str) -> None:
    found = get(admin, f"{LIST}?q={words}").text
    assert "Mariana Alves" in found
    assert "Carlos Souza" not in found


@pytest.mark.parametrize("query", ["q=%25", "q=%00", "before=x", "before=99999999999999999999", "q=_|'"])
def test_any_address_gives_a_page(admin: FlaskClient, desk: Desk, query: str) -> None:
    page = get(admin, f"{LIST}?{query}")
    assert page.status_code == 200
    assert EVIL not in page.text


def test_a_field_of_ones_own_is_filled_and_leaves_in_the_file(
    app: Flask, admin: FlaskClient, desk: Desk
) -> None:
    post(admin, "/contacts/fields", LIST, name="Aniversário")
    post(admin, "/contacts/fields", LIST, name="aniversário")  # the same once more
    with app.app_context():
        field_id = db.session.query(ContactField).one().id
        contact_id = db.session.get_one(Conversation, desk.waiting_id).contact_id
    path = f"/contacts/{contact_id}"
    fields = {"name": "=Mariana", "email": "m@x.br", "language": "pt", f"field_{field_id}": "3 de maio"}
    assert post(admin, path, path, **fields).status_code == 303
    assert "3 de maio" in get(admin, path).text
    header, *rows = rows_of(admin)
    row = next(row for row in rows if row[0] == str(contact_id))
    assert row[header.index("Aniversário")] == "3 de maio"
    assert row[header.index("name")] == "'=Mariana"


def test_a_field_gets_another_name_and_goes_with_what_stands_in_it(
    app: Flask, admin: FlaskClient, desk: Desk
) -> None:
    for name in ("Aniversário", "Cidade", "phone"):  # the last is a column already
        post(admin, "/contacts/fields", LIST, name=name)
    with app.app_context():
        first, second = db.session.query(ContactField).order_by(ContactField.id)
        first_id, second_id = first.id, second.id
        contact_id = db.session.get_one(Conversation, desk.waiting_id).contact_id
        contact = db.session.get_one(Contact, contact_id)
        contact.custom = {str(first_id): "3 de maio", str(second_id): "Recife"}
        db.session.commit()
    post(admin, f"/contacts/fields/{first_id}", LIST, name="CIDADE")
    assert rows_of(admin)[0][-2:] == ["Aniversário", "Cidade"]
    post(admin, f"/contacts/fields/{first_id}", LIST, name="Nascimento")
    assert rows_of(admin)[0][-2:] == ["Nascimento", "Cidade"]
    post(admin, f"/contacts/fields/{first_id}/delete", LIST)
    assert "3 de maio" in get(admin, f"/contacts/{contact_id}").text
    post(admin, f"/contacts/fields/{first_id}/delete", LIST, sure="1")
    assert rows_of(admin)[0][-2:] == ["created_at", "Cidade"]
    with app.app_context():
        assert db.session.get_one(Contact, contact_id).custom == {str(second_id): "Recife"}
    assert post(admin, f"/contacts/fields/{first_id}/delete", LIST, sure="1").status_code == 404


def test_a_file_makes_new_people_and_completes_known_ones(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    post(admin, "/contacts/fields", LIST, name="Cidade")
    content = (
        "telefone;nome;email;cidade\n"
        "+55 81 99999-1234;Zuleica;z@x.br;Recife\n"
        "5511987654321;Outro Nome;;Olinda\n"
        "nada;Ninguém;;\n"
        "+55 81 99999-1234;Zuleica;;\n"
    )
    for _ in range(2):  # twice is once
        take_in(admin, app, content)
    with app.app_context():
        new = db.session.query(Contact).filter_by(name="Zuleica").one()
        field_id = str(db.session.query(ContactField).one().id)
        assert (new.email, new.custom, new.identity("wa_id")) == (
            "z@x.br",
            {field_id: "Recife"},
            "5581999991234",
        )
        known = page_rows.contact_of(db.session.get_one(Conversation, desk.waiting_id))
        assert (known.name, known.custom) == ("Mariana Alves", {field_id: "Olinda"})
    assert "linhas 4" in get(admin, LIST).text


@pytest.mark.parametrize("content", ["", "\x00\x01", "a,b\n1,2\n"])
def test_a_file_that_is_no_list_changes_nothing(
    app: Flask, admin: FlaskClient, desk: Desk, content: str
) -> None:
    before = rows_of(admin)
    assert take_in(admin, app, content).status_code == 303
    assert rows_of(admin) == before


def test_two_contacts_become_one_only_when_it_is_confirmed(
    app: Flask, admin: FlaskClient, desk: Desk
) -> None:
    with app.app_context():
        kept = db.session.get_one(Conversation, desk.waiting_id).contact_id
        number = db.session.query(Integration).one()
        twin = conversation(number, "Mari A.", "5511900000000")
        message(twin, "sou eu de novo", external_id="twin-1")
        other, twin_id = twin.contact_id, twin.id
        db.session.commit()
        db.session.get_one(Contact, other).email = "mari@example.com"
        db.session.commit()
    path = f"/contacts/{kept}/join?other={other}"
    shown = get(admin, path).text
    assert "As palavras do segundo que se perdem: Mari A." in shown  # the first keeps her name
    assert "E-mail: mari@example.com" in shown
    post(admin, f"/contacts/{kept}/join", path, other=str(other))
    with app.app_context():
        assert db.session.get_one(Contact, other).merged_into_id is None
    post(admin, f"/contacts/{kept}/join", path, other=str(other), sure="1")
    with app.app_context():
        assert db.session.get_one(Contact, other).merged_into_id == kept
        moved = db.session.query(Message).filter_by(external_id="twin-1").one()
        assert moved.conversation_id == desk.waiting_id
        assert db.session.get(Conversation, twin_id) is None or twin_id != moved.conversation_id
    assert get(admin, f"/contacts/{other}").location == f"/contacts/{kept}"


def test_a_contact_is_not_joined_with_itself_or_nobody(admin: FlaskClient, app: Flask, desk: Desk) -> None:
    with app.app_context():
        one = db.session.get_one(Conversation, desk.waiting_id).contact_id
    assert get(admin, f"/contacts/{one}/join?other={one}").status_code == 302
    assert get(admin, f"/contacts/{one}/join?other=999999").status_code == 404
    assert get(admin, f"/contacts/{one}/join?other=x").status_code == 404


def test_the_same_phone_under_two_accounts_is_pointed_out(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    with app.app_context():
        contact = Contact(name="Mariana (Twilio)")
        db.session.add(contact)
        db.session.flush()
        db.session.add(
            ContactIdentity(contact_id=contact.id, account="twilio:AC1", kind="wa_id", value="5511987654321")
        )
        db.session.commit()
    assert "Talvez uma só pessoa" in get(admin, LIST).text


def test_an_agent_keeps_no_address_book(app: Flask, desk: Desk) -> None:
    client = app.test_client()
    sign_in(client, AGENT_EMAIL)
    assert get(client, LIST).status_code == 403


def test_a_long_file_lets_go_of_the_database_between_its_parts(
    app: Flask, admin: FlaskClient, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits: list[object] = []
    monkeypatch.setattr(contacts, "PART_SIZE", 2)
    commit = db.session.commit

    def counted() -> None:
        commits.append(commit)
        commit()

    monkeypatch.setattr(db.session, "commit", counted)
    lines = "".join(f"+55 81 99999-123{last}\n" for last in range(6))
    take_in(admin, app, f"phone\n{lines}nobody\n")
    assert len(commits) >= 4
    assert "linhas 8" in get(admin, LIST).text


@pytest.mark.parametrize("path", ["/contacts/import", "/contacts/1/join"])
def test_an_id_that_no_row_can_have_is_refused(admin: FlaskClient, desk: Desk, path: str) -> None:
    assert post(admin, path, LIST, number="9" * 30, other="9" * 30, sure="1").status_code in (303, 404)
    assert get(admin, f"/contacts/1/join?other={'9' * 30}").status_code == 404


def test_a_long_file_asks_once_for_those_who_are_known(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    people = "phone,name\n" + "".join(f"+55119876{number:05d},Pessoa {number}\n" for number in range(60))
    assert take_in(admin, app, people).status_code == 303
    before = len(rows_of(admin))
    with counted(app) as asked:
        take_in(admin, app, people)
    assert len(asked) < 40
    assert len(rows_of(admin)) == before
