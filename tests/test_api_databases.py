"""On every kind of database: requests at once are one message, and odd values are no failure."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

import tasks
from app import create_app
from config import Config
from models import ApiWrite, Message, db, utc_now
from privacy import retention
from tests.calling import API, Caller
from tests.records import make_conversation

AT_ONCE = 4


def test_requests_at_once_under_one_key_are_one_message(
    load_config: Callable[..., Config], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "wake_outbox", lambda _conversation_id: None)
    app = create_app(load_config(DATABASE_URL=database_url))
    with app.app_context():
        db.create_all()
        row = make_conversation()
        row.last_inbound_at = utc_now() - timedelta(minutes=5)
        db.session.commit()
        path = f"/conversations/{row.id}/messages"
    program, barrier = Caller(app), Barrier(AT_ONCE)
    program.get("/contacts")  # the key's use is noted

    def send(_number: int) -> tuple[int, int]:
        caller = Caller.of(app, program)
        barrier.wait(30)
        answer = caller.post(path, {"text": "Olá!"}, once="same")
        return answer.status_code, answer.json["id"]

    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = set(pool.map(send, range(AT_ONCE)))
        assert len(answers) == 1
        assert answers.pop()[0] == 202
        with app.app_context():
            assert db.session.query(Message).count() == 1
            assert db.session.query(ApiWrite).count() == 1
            later = utc_now() + timedelta(days=app.config["BALCAO"].retention_outgoing_days, minutes=1)
            assert retention.forget(app.config["BALCAO"], now=later).counts["api_writes"] == 1
    finally:
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


ODD_PATHS = (
    "/contacts?phone=%00%00%00",
    "/contacts?email=%00",
    "/contacts?email=%F0%9F%98%80%FF",
    "/contacts?cursor=__________8",
    "/contacts?cursor=AAAAAAAAAAA&order=oldest",
    "/contacts?created_after=0001-01-01T00:00:00%2B14:00",
    "/contacts?created_before=9999-12-31T23:59:59.999999999Z",
    "/contacts/999999999999999999",
    "/messages?conversation_id=9223372036854775807",
    "/templates?name=%00&language=%00",
    "/leads?interest=%00%27",
    "/products?sku=%00",
    "/orders?number=%00",
    "/sales?strategy=%00&after=0001-01-01T00:00:00Z",
    "/analytics/days?name=%00&first=9999-12-01&last=9999-12-31",
    "/learning/decisions?strategy=%00",
)


def test_odd_values_are_no_failure(load_config: Callable[..., Config], database_url: str) -> None:
    app = create_app(load_config(DATABASE_URL=database_url))
    with app.app_context():
        db.create_all()
        number_id = make_conversation().integration_id
        db.session.commit()
    program = Caller(app)
    try:
        assert {path: program.call("GET", path).status_code for path in ODD_PATHS} == {
            path: 404 if path.endswith("9" * 18) else 200 for path in ODD_PATHS
        }
        odd = "a\0b \U0001f600 \u202e"
        made = program.post("/articles", {"title": odd, "body": odd, "language": "pt"})
        assert made.status_code == 201, made.text
        wish = {"integration_id": number_id, "phone": "+5511977776666", "name": odd}
        assert program.post("/conversations", wish).status_code == 201
        kept = program.get(made.json["url"].removeprefix(API))
        assert kept["title"] == odd.replace("\0", "")
    finally:
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


def test_of_changes_at_once_to_what_was_seen_one_is_made(
    load_config: Callable[..., Config], database_url: str
) -> None:
    app = create_app(load_config(DATABASE_URL=database_url))
    with app.app_context():
        db.create_all()
        path = f"/contacts/{make_conversation().contact_id}"
        db.session.commit()
    program, barrier = Caller(app), Barrier(AT_ONCE)
    seen = program.call("GET", path).headers["ETag"]

    def change(number: int) -> int:
        caller = Caller.of(app, program)
        barrier.wait(30)
        answer = caller.call("PATCH", path, json={"name": f"Ana {number}"}, headers={"If-Match": seen})
        return int(answer.status_code)

    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = sorted(pool.map(change, range(AT_ONCE)))
        assert answers == [200, *[412] * (AT_ONCE - 1)]
    finally:
        with app.app_context():
            db.session.remove()
            db.engine.dispose()
