"""The API's door: keys and scopes, pages, ETags, one shape of refusals, and writes that happen once."""

import io
import json
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

import alerts
import operators
import whatsapp_service
from api.doors import ENDPOINTS
from app import create_app
from config import Config
from models import (
    Alert,
    ApiKey,
    ApiWrite,
    Base,
    Contact,
    ContactIdentity,
    Conversation,
    Erasure,
    Message,
    StateChange,
    db,
    utc_now,
)
from tests import page_rows
from tests.browsing import counted
from tests.calling import API, Caller, code_of
from tests.records import make_conversation


@pytest.fixture
def thread_id(thread: dict[str, int]) -> int:
    return thread["id"]


# --- keys ---------------------------------------------------------------------------------------------------


def test_without_a_key_nothing_is_told(client: FlaskClient) -> None:
    answer = client.get(f"{API}/contacts")
    assert (answer.status_code, code_of(answer)) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


def test_a_wrong_key_is_told_so(client: FlaskClient) -> None:
    answer = client.get(f"{API}/contacts", headers={"Authorization": "Bearer balcao_nobody"})
    assert answer.status_code == 401
    assert "invalid_token" in answer.headers["WWW-Authenticate"]


def test_a_key_opens_its_scopes_alone(app: Flask, thread_id: int) -> None:
    reader = Caller(app, "contacts:read")
    assert reader.call("GET", "/contacts").status_code == 200
    for path in ("/messages", "/conversations", f"/conversations/{thread_id}"):
        answer = reader.call("GET", path)
        assert (answer.status_code, code_of(answer)) == (403, "insufficient_scope"), path
        assert "insufficient_scope" in answer.headers["WWW-Authenticate"]
    answer = reader.post(f"/conversations/{thread_id}/messages", {"text": "oi"}, once="k")
    assert answer.status_code == 403


def test_a_key_that_reads_all_changes_nothing(app: Flask, thread_id: int) -> None:
    reader = Caller(app, "read")
    assert reader.call("GET", "/messages").status_code == 200
    assert reader.call("DELETE", "/contacts/1").status_code == 403
    assert Caller(app, "write").call("GET", "/contacts").status_code == 403


def test_a_revoked_key_opens_nothing(app: Flask, program: Caller) -> None:
    with app.app_context():
        operators.revoke_api_key(db.session.get_one(ApiKey, program.key_id), now=utc_now())
        db.session.commit()
    assert program.call("GET", "/contacts").status_code == 401


def test_a_session_of_an_operator_is_no_key(admin: FlaskClient) -> None:
    assert admin.get(f"{API}/contacts").status_code == 401


def test_what_is_left_of_the_rate_is_told_and_ends(
    load_config: Callable[..., Config], sqlite_url: str
) -> None:
    app = create_app(load_config(DATABASE_URL=sqlite_url, API_REQUESTS_PER_MINUTE="2"))
    with app.app_context():
        db.create_all()
    program, other = Caller(app), Caller(app)
    answers = [program.call("GET", "/contacts") for _ in range(2)]
    assert [one.headers["RateLimit-Remaining"] for one in answers] == ["1", "0"]
    assert {one.headers["RateLimit-Limit"] for one in answers} == {"2"}
    assert all(0 < int(one.headers["RateLimit-Reset"]) <= 60 for one in answers)
    assert not any("Retry-After" in one.headers for one in answers)
    refused = program.call("GET", "/contacts")
    assert (refused.status_code, code_of(refused)) == (429, "too_many_requests")
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert other.call("GET", "/contacts").status_code == 200, "each key has a rate of its own"


def test_an_address_that_keeps_asking_without_a_key_is_refused(
    load_config: Callable[..., Config], sqlite_url: str
) -> None:
    app = create_app(load_config(DATABASE_URL=sqlite_url, API_REQUESTS_PER_MINUTE="3"))
    with app.app_context():
        db.create_all()
    program, stranger = Caller(app), app.test_client()
    guess = {"Authorization": "Bearer balcao_guess"}
    tries = [
        stranger.get(f"{API}/contacts"),
        stranger.delete(f"{API}/contacts/1", headers=guess),
        stranger.get("/metrics", headers=guess),
    ]
    assert [one.status_code for one in tries] == [401, 401, 401]
    for path in (f"{API}/contacts", f"{API}/openapi.json", f"{API}/docs", "/metrics"):
        refused = stranger.get(path, headers=guess)
        assert (refused.status_code, code_of(refused)) == (429, "too_many_requests"), path
        assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert program.call("GET", "/contacts").status_code == 200, "who has a key is not held up"
    elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
    assert stranger.get(f"{API}/contacts", environ_overrides=elsewhere).status_code == 401


# --- refusals -----------------------------------------------------------------------------------------------

# A body without a length, as proxies and streaming clients send it.
CHUNKED = {
    "content_type": "application/json",
    "environ_overrides": {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True},
}


@pytest.mark.parametrize(
    ("method", "path", "more", "status"),
    [
        ("GET", "/nothing", {}, 404),
        ("GET", "/contacts/9", {}, 404),
        ("GET", "/contacts/99999999999999999999", {}, 404),
        ("PUT", "/contacts", {}, 405),
        ("GET", "/contacts?limit=101", {}, 400),
        ("GET", "/contacts?limit=%201", {}, 400),
        ("GET", "/contacts?limit=1&limit=2", {}, 400),
        ("GET", "/contacts?colour=red", {}, 400),
        ("GET", "/contacts?cursor=abc", {}, 400),
        ("GET", "/contacts?created_after=yesterday", {}, 400),
        ("GET", "/contacts?created_after=2026-13-01T00:00:00Z", {}, 400),
        ("GET", "/contacts?opted_out=1", {}, 400),
        ("PATCH", "/contacts/1", {"data": "name=x"}, 415),
        ("PATCH", "/contacts/1", {"data": "{", "content_type": "application/json"}, 400),
        ("PATCH", "/contacts/1", {"data": b"\xff", "content_type": "application/json"}, 400),
        ("PATCH", "/contacts/1", {"json": {"name": 1}}, 422),
        ("PATCH", "/contacts/1", {"json": {"nome": "x"}}, 422),
        ("PATCH", "/contacts/1", {"json": [1]}, 422),
        ("PATCH", "/contacts/1", {"data": b'{"name": "\\ud800"}', "content_type": "application/json"}, 400),
        ("PATCH", "/contacts/1", {"data": b"x" * 300_000, "content_type": "application/json"}, 413),
        ("PATCH", "/contacts/1", {"input_stream": io.BytesIO(b" " * 300_000), **CHUNKED}, 413),
        ("POST", "/conversations/1/messages", {"json": {"text": "oi"}}, 400),
    ],
)
def test_every_refusal_has_one_shape(
    program: Caller, method: str, path: str, more: dict[str, Any], status: int
) -> None:
    answer = program.call(method, path, **more)
    assert answer.status_code == status
    assert code_of(answer) not in ("", "error")


def test_a_failure_is_told_in_the_same_shape_and_logged_without_words(
    program: Caller, thread_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any, **_named: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(whatsapp_service, "queue_own", fail)
    written = io.StringIO()
    (ours,) = (one for one in logging.getLogger().handlers if getattr(one, "is_balcao", False))
    assert isinstance(ours, logging.StreamHandler)
    monkeypatch.setattr(ours, "stream", written)
    answer = program.post(f"/conversations/{thread_id}/messages", {"text": "geheim"}, once="a-1")
    assert (answer.status_code, code_of(answer)) == (500, "internal_error")
    assert "request_failed" in written.getvalue()
    assert "geheim" not in written.getvalue()


def test_a_refusal_does_not_repeat_what_was_sent(program: Caller) -> None:
    answer = program.call("PATCH", "/contacts/1", json={"name": ["geheim"]})
    assert "geheim" not in answer.text


# --- pages --------------------------------------------------------------------------------------------------


def test_pages_hold_still_while_rows_arrive(app: Flask, program: Caller) -> None:
    with app.app_context():
        db.session.add_all(Contact(name=f"c{number}") for number in range(7))
        db.session.commit()
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(10):
        page = program.get("/contacts", limit=2, **cursor)
        seen += [one["name"] for one in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
        with app.app_context():
            db.session.add(Contact(name="late"))
            db.session.commit()
    assert seen == ["c6", "c5", "c4", "c3", "c2", "c1", "c0"]


def test_who_walks_forward_meets_what_arrives(app: Flask, program: Caller) -> None:
    with app.app_context():
        db.session.add_all(Contact(name=f"c{number}") for number in range(3))
        db.session.commit()
    first = program.get("/contacts", limit=2, order="oldest")
    with app.app_context():
        db.session.add(Contact(name="late"))
        db.session.commit()
    rest = program.get("/contacts", limit=2, order="oldest", cursor=first["next_cursor"])
    assert [one["name"] for one in first["data"] + rest["data"]] == ["c0", "c1", "c2", "late"]
    assert rest["next_cursor"] is None


def test_filters_narrow_a_list(app: Flask, program: Caller, thread_id: int) -> None:
    with app.app_context():
        other = make_conversation("5511999990000", "Rui")
        other.handler = "human"
        db.session.get_one(Contact, other.contact_id).opted_out_at = utc_now()
        db.session.commit()
        other_id = other.id
    assert [one["id"] for one in program.get("/conversations", handler="human")["data"]] == [other_id]
    assert [one["id"] for one in program.get("/conversations", handler="bot")["data"]] == [thread_id]
    assert [one["name"] for one in program.get("/contacts", phone="+55 11 99999-0000")["data"]] == ["Rui"]
    assert [one["name"] for one in program.get("/contacts", opted_out="true")["data"]] == ["Rui"]
    assert program.get("/contacts", phone="+1 202 555 0100")["data"] == []
    assert program.get("/contacts", created_after="9999-12-31T23:59:59-14:00")["data"] == []


def test_what_was_seen_before_is_304(program: Caller, thread_id: int) -> None:
    first = program.call("GET", f"/conversations/{thread_id}")
    again = program.call(
        "GET", f"/conversations/{thread_id}", headers={"If-None-Match": first.headers["ETag"]}
    )
    assert (again.status_code, again.data) == (304, b"")
    assert program.call("GET", "/messages", headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_change_is_made_to_what_the_program_saw(program: Caller, thread: dict[str, int]) -> None:
    path = f"/contacts/{thread['contact_id']}"
    seen = program.call("GET", path).headers["ETag"]
    changed = program.call("PATCH", path, json={"name": "Rui"}, headers={"If-Match": seen})
    assert changed.status_code == 200
    assert changed.headers["ETag"] == program.call("GET", path).headers["ETag"] != seen
    for late in (seen, '"other", "another"', f"W/{changed.headers['ETag']}", "nonsense"):
        for method, body in (("PATCH", {"name": "Eva"}), ("DELETE", None)):
            answer = program.call(method, path, json=body, headers={"If-Match": late})
            assert (answer.status_code, code_of(answer)) == (412, "precondition_failed")
    assert program.get(path)["name"] == "Rui"
    some = f'"other", {changed.headers["ETag"]}'
    assert program.call("PATCH", path, json={"name": "Eva"}, headers={"If-Match": some}).status_code == 200
    assert program.call("DELETE", path, headers={"If-Match": "*"}).status_code == 200
    assert program.call("DELETE", path, headers={"If-Match": "*"}).status_code == 404


def test_every_change_of_a_row_holds_it_fast() -> None:
    for one in ENDPOINTS:
        assert (one.locks is not None) == (one.method in ("PATCH", "PUT", "DELETE")), one.name
        assert one.locks is None or one.shown


def test_times_are_utc_and_end_in_z(program: Caller, thread_id: int) -> None:
    told = program.get(f"/conversations/{thread_id}")
    assert told["last_inbound_at"].endswith("Z")
    assert told["service_window_ends_at"] > told["last_inbound_at"]


# --- sending ------------------------------------------------------------------------------------------------


def test_text_is_queued_as_the_inbox_does(
    app: Flask, program: Caller, thread_id: int, woken: list[int]
) -> None:
    answer = program.post(f"/conversations/{thread_id}/messages", {"text": "Olá!"}, once="a-1")
    assert answer.status_code == 202, answer.text
    told = program.get(answer.json["url"].removeprefix(API))
    assert (told["body"], told["status"], told["sender"]) == ("Olá!", "queued", "operator")
    assert woken == [thread_id]
    with app.app_context():
        assert db.session.get_one(Conversation, thread_id).is_with_person, "whoever writes has it"
        step = db.session.query(StateChange).filter_by(record="conversation").one()
        assert step.actor == "program"


def test_a_notice_leaves_the_conversation_with_the_bot(
    app: Flask, program: Caller, thread_id: int, woken: list[int]
) -> None:
    notice = {"text": "Seu pedido saiu.", "take_over": False}
    assert program.post(f"/conversations/{thread_id}/messages", notice, once="a-1").status_code == 202
    with app.app_context():
        assert not db.session.get_one(Conversation, thread_id).is_with_person


def test_the_same_request_again_is_one_message_and_one_answer(
    app: Flask, program: Caller, thread_id: int, woken: list[int]
) -> None:
    path = f"/conversations/{thread_id}/messages"
    first = program.post(path, {"text": "Olá!"}, once="a-1")
    again = program.post(path, {"text": "Olá!"}, once="a-1")
    assert (again.status_code, again.json) == (first.status_code, first.json)
    assert again.headers["Idempotent-Replayed"] == "true"
    other = program.post(path, {"text": "Tchau!"}, once="a-1")
    assert (other.status_code, code_of(other)) == (422, "idempotency_key_reused")
    assert program.post(path, {"text": "Olá!"}, once="a-2").json["id"] != first.json["id"]
    with app.app_context():
        assert db.session.query(Message).count() == 2
    assert len(woken) == 2


def test_another_programs_key_is_another_request(
    app: Flask, program: Caller, thread_id: int, woken: list[int]
) -> None:
    path = f"/conversations/{thread_id}/messages"
    first = program.post(path, {"text": "Olá!"}, once="a-1")
    second = Caller(app, "messages:send").post(path, {"text": "Olá!"}, once="a-1")
    assert second.json["id"] != first.json["id"]


def test_after_the_service_window_only_a_template_may_go(
    app: Flask, program: Caller, thread_id: int, woken: list[int]
) -> None:
    with app.app_context():
        db.session.get_one(Conversation, thread_id).last_inbound_at = utc_now() - timedelta(hours=25)
        db.session.commit()
    path = f"/conversations/{thread_id}/messages"
    answer = program.post(path, {"text": "Olá!"}, once="a-1")
    assert (answer.status_code, code_of(answer)) == (409, "service_window_closed")
    answer = program.post(path, {"template": {"id": 7}}, once="a-2")
    assert (answer.status_code, code_of(answer)) == (409, "template_refused")
    with app.app_context():
        row = db.session.get_one(Conversation, thread_id)
        assert not row.is_with_person, "what was refused changed nothing"
        row.last_inbound_at = utc_now()
        db.session.commit()
    assert program.post(path, {"text": "Olá!"}, once="a-1").status_code == 202, "a refusal uses no key up"


def test_who_opted_out_gets_nothing(app: Flask, program: Caller, thread_id: int, woken: list[int]) -> None:
    contact_id = program.get(f"/conversations/{thread_id}")["contact_id"]
    assert program.call("PATCH", f"/contacts/{contact_id}", json={"opted_out": True}).status_code == 200
    answer = program.post(f"/conversations/{thread_id}/messages", {"text": "Olá!"}, once="a-1")
    assert (answer.status_code, code_of(answer)) == (409, "opted_out")
    assert woken == []


def test_a_thread_is_opened_once_for_a_phone(app: Flask, program: Caller, thread_id: int) -> None:
    number_id = program.get(f"/conversations/{thread_id}")["integration_id"]
    wish = {"integration_id": number_id, "phone": "+5511977776666", "name": "Nova"}
    first, again = (program.post("/conversations", wish) for _ in range(2))
    assert (first.status_code, first.json) == (201, again.json)
    assert first.headers["Location"] == first.json["url"]
    assert program.post("/conversations", {**wish, "integration_id": 99}).status_code == 409


# --- what is written down -----------------------------------------------------------------------------------


def test_every_change_names_its_program(app: Flask, program: Caller, thread_id: int) -> None:
    contact_id = program.get(f"/conversations/{thread_id}")["contact_id"]
    program.call("PATCH", f"/contacts/{contact_id}", json={"name": "Ana Maria"})
    gone = program.call("DELETE", f"/contacts/{contact_id}").json
    assert (gone["contacts"], gone["conversations"]) == (1, 1)
    assert program.call("GET", f"/contacts/{contact_id}").status_code == 404
    with app.app_context():
        receipt = db.session.query(Erasure).one()
        assert (receipt.receipt, receipt.asked_by) == (gone["receipt"], "program")
        rows = operators.writes_of(program.key_id, 10)
        assert [(row.method, row.path, row.status) for row in rows] == [
            ("DELETE", f"{API}/contacts/{contact_id}", 200),
            ("PATCH", f"{API}/contacts/{contact_id}", 200),
        ]
        assert all(row.trace_id for row in rows)
        kept = json.dumps([row.answer for row in db.session.query(ApiWrite)])
        assert "Ana" not in kept


def test_a_person_goes_from_every_number_and_leaves_no_word(app: Flask, program: Caller) -> None:
    with app.app_context():
        here = make_conversation("558198765432", "Zulmira Xavante")
        there = Contact(name="Zulmira Xavante", created_at=utc_now())
        merged = Contact(name="Zulmira X.", merged_into_id=here.contact_id, created_at=utc_now())
        db.session.add_all([there, merged])
        db.session.flush()
        # At another number of ours she is known by the spelling with the ninth digit.
        identity = {"account": "meta:7", "kind": "wa_id", "value": "5581998765432"}
        db.session.add(ContactIdentity(contact_id=there.id, **identity))
        db.session.commit()
        known, merged_id = here.contact_id, merged.id
    wish = {"contact_id": known, "name": "Zulmira Xavante", "interest": "Curso"}
    assert program.post("/leads", wish, once="zulmira-1").status_code == 201
    with app.app_context():
        alerts.acknowledge(db.session.scalars(select(Alert)).one().id, now=utc_now())
        db.session.commit()
    wish["interest"] = "Outro"
    assert program.post("/leads", wish, once="zulmira-2").status_code == 201
    gone = program.call("DELETE", f"/contacts/{merged_id}")
    assert gone.get_json()["contacts"] == 3
    with app.app_context():
        for name, rows in whole_desk().items():
            assert not [row for row in rows if "zulmira" in row.lower() or "998765432" in row], name
        assert not db.session.scalars(select(Alert).where(Alert.open_topic.is_not(None))).all()


def whole_desk() -> dict[str, list[str]]:
    """Give every row of every table as it would be read out of the file."""
    tables = Base.metadata.sorted_tables
    return {table.name: [repr(row) for row in db.session.execute(select(table))] for table in tables}


def test_what_a_program_asked_cannot_be_guessed_from_what_is_kept(app: Flask, program: Caller) -> None:
    with app.app_context():
        contact_id = make_conversation().contact_id
        db.session.commit()
    for one in (program, Caller(app)):
        assert one.post("/leads", {"contact_id": contact_id}, once="ana-1").status_code == 201
    with app.app_context():
        first, second = db.session.scalars(select(ApiWrite).order_by(ApiWrite.id))
        assert "ana-1" not in (first.idempotency_key, second.idempotency_key)
        assert first.fingerprint != second.fingerprint, "a hash without a secret tells of whom, by trying"


def test_a_refused_change_leaves_no_trace(app: Flask, program: Caller) -> None:
    program.post("/conversations/5/messages", {"text": "oi"}, once="a-1")
    with app.app_context():
        assert db.session.query(ApiWrite).count() == 0


def test_a_page_costs_few_statements(app: Flask, program: Caller) -> None:
    with app.app_context():
        page_rows.people()
        page_rows.fill()
        for number in range(60):
            make_conversation(f"55119{number:08}", f"c{number}")
        db.session.commit()
    program.get("/contacts")  # the key's use is noted
    for path in ("/contacts", "/conversations", "/messages"):
        with counted(app) as asked:
            program.get(path, limit=100)
        assert len(asked) <= 6, asked
