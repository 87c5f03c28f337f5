"""Contacts that programs make and change, and bodies that say a thing twice."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from models import (
    ApiWrite,
    Contact,
    Conversation,
    Message,
    db,
    utc_now,
)
from outreach import address_book
from tests.calling import API, Caller, code_of

NEW = {"phone": "+5511987654321", "name": "Mariana Alves", "email": "mari@example.com", "language": "pt"}


def newcomer(thread: dict[str, int], **more: Any) -> dict[str, Any]:
    return {**NEW, "integration_id": thread["integration_id"], **more}


def add_field(app: Flask, name: str) -> None:
    with app.app_context():
        address_book.add_field(name, now=utc_now())
        db.session.commit()


def test_a_contact_is_made_with_all_that_is_known_of_her(
    app: Flask, program: Caller, thread: dict[str, int]
) -> None:
    add_field(app, "CPF")
    made = program.post("/contacts", newcomer(thread, custom={"cpf": "123"}), once="c-1")
    assert made.status_code == 201, made.text
    assert made.headers["Location"] == made.json["url"] == f"{API}/contacts/{made.json['id']}"
    told = program.get(f"/contacts/{made.json['id']}")
    assert (told["name"], told["email"], told["language"], told["country"]) == (
        "Mariana Alves",
        "mari@example.com",
        "pt",
        "BR",
    )
    assert told["custom"] == {"CPF": "123"}
    assert told["identities"] == [{"kind": "wa_id", "value": "5511987654321"}]
    assert (told["opted_out_at"], told["refuses_marketing_at"]) == (None, None)
    again = program.post("/contacts", newcomer(thread, custom={"cpf": "123"}), once="c-1")
    assert (again.json, again.headers["Idempotent-Replayed"]) == (made.json, "true")
    assert [one["name"] for one in program.get("/contact-fields")["data"]] == ["CPF"]
    threads = program.get("/conversations", contact_id=str(made.json["id"]))["data"]
    assert [one["integration_id"] for one in threads] == [thread["integration_id"]]
    with app.app_context():
        assert db.session.query(ApiWrite).filter_by(method="POST", path=f"{API}/contacts").count() == 1


@pytest.mark.parametrize("phone", ["+5511987654321", "+551187654321"])
def test_who_is_known_is_named_and_stays_as_she_is(
    program: Caller, thread: dict[str, int], phone: str
) -> None:
    made = program.post("/contacts", newcomer(thread))
    known = program.post("/contacts", newcomer(thread, phone=phone, name="Outra"))
    assert (known.status_code, code_of(known)) == (409, "known")
    assert known.headers["Location"] == made.headers["Location"]
    assert str(made.json["id"]) in known.json["error"]["message"]
    assert program.get(f"/contacts/{made.json['id']}")["name"] == "Mariana Alves"


def test_a_person_without_a_number_is_made_by_her_id(program: Caller, thread: dict[str, int]) -> None:
    body = {"integration_id": thread["integration_id"], "bsuid": "BR.123456", "name": "Rui"}
    made = program.post("/contacts", body)
    assert made.status_code == 201, made.text
    told = program.get(f"/contacts/{made.json['id']}")
    assert told["identities"] == [{"kind": "bsuid", "value": "BR.123456"}]
    assert code_of(program.post("/contacts", body)) == "known"
    joined = program.post("/contacts", newcomer(thread, bsuid="BR.123456"))
    assert code_of(joined) == "known", "her number comes with an id that is somebody's"


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"phone": "11 98765-4321"}, 422, "invalid"),
        ({"phone": None}, 422, "invalid"),
        ({"language": "xx"}, 422, "invalid"),
        ({"colour": "red"}, 422, "invalid"),
        ({"opted_out": False}, 422, "invalid"),
        ({"integration_id": 99}, 409, "number_off"),
        ({"custom": {"Altura": "1,70"}}, 409, "conflict"),
    ],
)
def test_what_makes_no_contact_leaves_none(
    app: Flask, program: Caller, thread: dict[str, int], more: dict[str, Any], status: int, code: str
) -> None:
    answer = program.post("/contacts", newcomer(thread, **more))
    assert (answer.status_code, code_of(answer)) == (status, code)
    with app.app_context():
        assert db.session.query(Contact).count() == 1


def test_a_contact_is_corrected_field_by_field(app: Flask, program: Caller, thread: dict[str, int]) -> None:
    add_field(app, "Tamanho")
    path = f"/contacts/{thread['contact_id']}"
    seen = program.call("GET", path).headers["ETag"]
    changed = program.call("PATCH", path, json={"custom": {"Tamanho": "M"}}, headers={"If-Match": seen})
    assert (changed.json["custom"], changed.json["name"]) == ({"Tamanho": "M"}, "Ana Lima")
    late = program.call("PATCH", path, json={"name": "Eva"}, headers={"If-Match": seen})
    assert (late.status_code, code_of(late)) == (412, "precondition_failed")
    emptied = program.call("PATCH", path, json={"custom": {"tamanho": ""}, "name": None})
    assert (emptied.json["custom"], emptied.json["name"]) == ({}, "")
    unknown = program.call("PATCH", path, json={"custom": {"Altura": "1,70"}})
    assert (unknown.status_code, code_of(unknown)) == (409, "conflict")


def test_a_refusal_is_kept_told_and_not_taken_back(
    app: Flask, program: Caller, thread: dict[str, int]
) -> None:
    with app.app_context():
        waiting = Message(
            conversation_id=thread["id"],
            integration_id=thread["integration_id"],
            direction="out",
            sender="bot",
            kind="text",
            body="oi",
            status="queued",
            send_due_at=utc_now() + timedelta(hours=1),
        )
        db.session.add(waiting)
        db.session.commit()
        waiting_id = waiting.id
    path = f"/contacts/{thread['contact_id']}"
    ads = program.call("PATCH", path, json={"refuses_marketing": True})
    assert ads.json["refuses_marketing_at"] is not None
    assert ads.json["opted_out_at"] is None
    assert program.call("PATCH", path, json={"opted_out": True}).json["opted_out_at"] is not None
    assert program.call("PATCH", path, json={"opted_out": False}).status_code == 422
    assert program.get(f"/messages/{waiting_id}")["status"] == "failed"


def test_a_name_that_is_repeated_in_an_object_is_refused(
    app: Flask, program: Caller, thread: dict[str, int]
) -> None:
    path = f"/contacts/{thread['contact_id']}"
    for body in ('{"name": "Ana", "name": "Eva"}', '{"name": "Ana", "custom": {"a": "1", "a": "1"}}'):
        answer = program.call("PATCH", path, data=body, content_type="application/json")
        assert (answer.status_code, code_of(answer)) == (400, "bad_json"), body
    with app.app_context():
        assert db.session.get_one(Contact, thread["contact_id"]).name == "Ana Lima"
        assert db.session.query(Conversation).count() == 1
    same = '{"name": "Ana", "custom": {}, "email": "name"}'
    assert program.call("PATCH", path, data=same, content_type="application/json").status_code == 200


@pytest.mark.parametrize("kind", ["leads", "tickets", "complaints"])
def test_a_record_of_a_contact_that_there_is_not_is_404(program: Caller, kind: str) -> None:
    words = {} if kind == "leads" else {"description": "Não abre."}
    answer = program.post(f"/{kind}", {"contact_id": 9, **words})
    assert (answer.status_code, code_of(answer)) == (404, "not_found")
