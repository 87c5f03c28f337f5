"""How data goes: receipts of deletions, retention by table, and exports that people can read."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

import alerts
import desk_worker
import privacy
import vault
from app import create_app
from config import Config
from models import (
    Alert,
    Contact,
    Conversation,
    Erasure,
    FormEntry,
    Lead,
    LeadForm,
    Message,
    ModelCall,
    Order,
    StoredMedia,
    WebhookEvent,
    db,
    utc_now,
)  # fmt: skip
from privacy import erasures, retention
from tests.browsing import get, post
from tests.records import NOW, make_conversation

PHONE = "5581998765432"
KEY = "a secret of sixteen characters"


@pytest.fixture
def any_app(load_config: Callable[..., Config], database_url: str) -> Iterator[Flask]:
    application = create_app(load_config(DATABASE_URL=database_url))
    with application.app_context():
        db.create_all()
        yield application
        db.session.remove()
        db.engine.dispose()


def config_of(application: Flask, **days: int) -> Config:
    config: Config = application.config["BALCAO"]
    none: dict[str, Any] = {name: 0 for name in config.__dataclass_fields__ if name.startswith("retention_")}
    return replace(config, **(none | {f"retention_{name}_days": value for name, value in days.items()}))


def write(thread: Conversation, body: str = "Oi", **columns: Any) -> Message:
    row = Message(
        conversation_id=thread.id, integration_id=thread.integration_id, direction="in", sender="customer",
        kind="text", body=body, **columns,
    )  # fmt: skip
    db.session.add(row)
    db.session.flush()
    return row


def stored(message: Message, folder: Path, name: str, at: Any = NOW) -> StoredMedia:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"\x89PNG")
    row = StoredMedia(
        message_id=message.id, source={}, media_kind="image", state="stored", path=name, filename="foto.png",
        created_at=at,
    )  # fmt: skip
    db.session.add(row)
    db.session.flush()
    return row


# --- receipts -----------------------------------------------------------------------------------------------


def erase(phone: str) -> str:
    people = privacy.find_people(phone)
    _deleted, receipt = erasures.erase(people, asked_by="command", secret_key=KEY, now=NOW)
    return receipt.receipt


def test_a_deletion_leaves_a_receipt_that_only_the_number_finds(any_app: Flask) -> None:
    thread = make_conversation(PHONE)
    write(thread)
    code = erase(PHONE)
    db.session.commit()
    (row,) = db.session.scalars(select(Erasure))
    assert (row.receipt, row.counts["messages"], row.asked_by) == (code, 1, "command")
    kept = json.dumps({name: str(getattr(row, name)) for name in ("receipt", "subject_hash", "counts")})
    assert PHONE not in kept
    assert "Ana" not in kept
    assert [one.receipt for one in erasures.erasures_of("+55 81 99876-5432", KEY)] == [code]
    assert [one.receipt for one in erasures.erasures_of("558198765432", KEY)] == [code], "without the 9"
    assert erasures.erasures_of("+55 11 98765-4321", KEY) == []
    assert erasures.erasures_of(PHONE, "another secret of the desk") == []
    rotated = vault.Key("another secret of the desk", (KEY,))
    assert [one.receipt for one in erasures.erasures_of(PHONE, rotated)] == [code]


def test_a_deletion_takes_what_a_form_left_along(any_app: Flask) -> None:
    thread = make_conversation(PHONE)
    lead = Lead(contact_id=thread.contact_id)
    form = LeadForm(name="Site", source="site", token_hash="x")
    db.session.add_all([lead, form])
    db.session.flush()
    db.session.add(FormEntry(form_id=form.id, entry_key="k", lead_id=lead.id))
    erase(PHONE)
    db.session.commit()
    assert db.session.scalars(select(FormEntry)).all() == []


def test_a_page_tells_the_receipt(admin: FlaskClient, app: Flask) -> None:
    with app.app_context():
        conversation_id = make_conversation(PHONE).id
        db.session.commit()
    path = f"/inbox/{conversation_id}/delete"
    assert post(admin, path, path, sure="1").status_code == 303
    with app.app_context():
        receipt = db.session.scalars(select(Erasure)).one()
        assert receipt.asked_by == "operator"
        assert receipt.operator_id is not None
    assert receipt.receipt in get(admin, "/inbox").text


def test_commands_tell_receipts_and_find_them(app: Flask) -> None:
    with app.app_context():
        make_conversation(PHONE)
        db.session.commit()
    runner = app.test_cli_runner()
    told = json.loads(runner.invoke(args=["delete-user", PHONE, "--yes", "--json"]).output)
    found = json.loads(runner.invoke(args=["erasures", PHONE, "--json"]).output)
    assert [one["receipt"] for one in found] == [told["receipt"]]
    assert told["receipt"] in runner.invoke(args=["erasures"]).output
    assert "Nobody" in runner.invoke(args=["erasures", "+55 11 98765-4321"]).output


# --- retention ----------------------------------------------------------------------------------------------


def event(key: str, days: int, state: str = "done") -> WebhookEvent:
    at = NOW - timedelta(days=days)
    return WebhookEvent(
        event_key=key, provider="meta", kind="message", state=state, payload=b"{}", received_at=at
    )


def test_settled_webhooks_go_after_their_time_and_waiting_ones_stay(any_app: Flask) -> None:
    db.session.add_all([event("old", 91), event("waits", 91, "pending"), event("new", 89)])
    forgotten = retention.forget(config_of(any_app, events=90), now=NOW)
    db.session.commit()
    assert forgotten.counts == {"webhook_events": 1}
    assert set(db.session.scalars(select(WebhookEvent.event_key))) == {"waits", "new"}


def test_only_acknowledged_alerts_and_old_calls_go(any_app: Flask) -> None:
    old = NOW - timedelta(days=500)
    alerts.raise_alert("lead", "lead:1", "open", now=old)
    closed = alerts.raise_alert("lead", "lead:2", "closed", now=old)
    alerts.acknowledge(closed.id, now=old)
    db.session.add(ModelCall(purpose="reply", model="m", outcome="ok", created_at=old))
    config = config_of(any_app, alerts=180, model_calls=400)
    assert retention.count(config, now=NOW) == {"alerts": 1, "model_calls": 1}
    counts = retention.forget(config, now=NOW).counts
    db.session.commit()
    assert counts == {"alerts": 1, "model_calls": 1}
    assert [alert.text for alert in db.session.scalars(select(Alert))] == ["open"]


def test_old_files_go_and_their_messages_stay(any_app: Flask, tmp_path: Path) -> None:
    message = write(make_conversation(PHONE))
    old = NOW - timedelta(days=31)
    stored(message, tmp_path, "old.png", old)
    stored(message, tmp_path, "both.png", old)
    stored(message, tmp_path, "both.png")
    forgotten = retention.forget(config_of(any_app, media=30), now=NOW)
    db.session.commit()
    assert forgotten.media_paths == ("old.png",), "what a younger message has, too, stays"
    rows = {row.created_at: row for row in db.session.scalars(select(StoredMedia))}
    assert (rows[old].path, rows[old].state) == ("", "failed")
    assert db.session.scalars(select(Message)).one().body == "Oi"


def test_people_who_were_silent_go_with_a_receipt_unless_an_order_is_younger(any_app: Flask) -> None:
    old, young = NOW - timedelta(days=400), NOW - timedelta(days=10)
    phones = {"silent": "5581990000001", "talks": "5581990000002", "buys": "5581990000003"}
    threads = {name: make_conversation(phone, name) for name, phone in phones.items()}
    for name, thread in threads.items():
        thread.last_message_at = young if name == "talks" else old
        db.session.get_one(Contact, thread.contact_id).created_at = old
    buyer = threads["buys"]
    db.session.add(Order(contact_id=buyer.contact_id, conversation_id=buyer.id, updated_at=young))
    db.session.flush()
    config = config_of(any_app, people=365)
    assert retention.count(config, now=NOW) == {"contacts": 1}
    counts = retention.forget(config, now=NOW).counts
    db.session.commit()
    assert counts == {"contacts": 1}
    assert set(db.session.scalars(select(Contact.name))) == {"talks", "buys"}
    assert [one.asked_by for one in db.session.scalars(select(Erasure))] == ["retention"]


def test_with_zero_days_everything_stays(any_app: Flask) -> None:
    db.session.add(event("old", 9999))
    assert retention.forget(config_of(any_app), now=NOW) == retention.Forgotten()


@pytest.fixture
def old_file(app: Flask) -> Path:
    """A file that is older than the desk keeps files."""
    with app.app_context():
        config: Config = app.config["BALCAO"]
        object.__setattr__(config, "retention_media_days", 30)
        message = write(make_conversation(PHONE))
        stored(message, config.media_dir, "old.png", utc_now() - timedelta(days=31))
        db.session.commit()
    return config.media_dir / "old.png"


def test_the_worker_forgets_and_removes_the_files(app: Flask, old_file: Path) -> None:
    with app.app_context():
        desk_worker.forget_by_age()
    assert not old_file.exists()


def test_a_command_names_the_files_that_went(app: Flask, old_file: Path) -> None:
    answer = app.test_cli_runner().invoke(args=["forget-old", "--json"])
    assert json.loads(answer.stdout)["media_paths"] == ["old.png"]
    assert not old_file.exists()


@pytest.fixture
def five_old_events(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Config]:
    """More than one share deletes."""
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 2)
    with app.app_context():
        config: Config = app.config["BALCAO"]
        object.__setattr__(config, "retention_events_days", 30)
        db.session.add_all(event(f"old-{place}", 31) for place in range(5))
        db.session.commit()
        yield config


def test_the_worker_goes_on_until_nothing_old_is_left(five_old_events: Config) -> None:
    forgotten = desk_worker.forget_now(five_old_events, by="worker", now=NOW, for_secs=60)
    assert forgotten == retention.Forgotten({"webhook_events": 5}, is_all=True)
    assert [one.counts for one in retention.runs()] == [{"webhook_events": 5}]


def test_a_go_without_time_says_that_more_is_left(five_old_events: Config) -> None:
    forgotten = desk_worker.forget_now(five_old_events, by="worker", now=NOW, for_secs=0)
    assert forgotten == retention.Forgotten({"webhook_events": 2})
    assert db.session.query(WebhookEvent).count() == 3


# --- an export that people can read -------------------------------------------------------------------------


def test_an_archive_holds_a_page_the_data_and_the_files(admin: FlaskClient, app: Flask) -> None:
    with app.app_context():
        thread = make_conversation(PHONE)
        message = write(thread, "<script>alert(1)</script> Olá")
        media = stored(message, app.config["BALCAO"].media_dir, "ab.png")
        db.session.commit()
        media_id, conversation_id = media.id, thread.id
    answer = get(admin, f"/inbox/{conversation_id}/export.zip", **{"Accept-Language": "pt"})
    assert answer.mimetype == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        page = archive.read("index.html").decode()
        assert "Seus dados" in page
        assert "&lt;script&gt;" in page
        assert f"media/{media_id}.png" in page
        assert archive.read(f"media/{media_id}.png") == b"\x89PNG"
        data = json.loads(archive.read("person.json"))
    assert data["messages"][0]["body"].endswith("Olá")


def test_the_command_writes_the_archive_in_a_language(app: Flask, tmp_path: Path) -> None:
    with app.app_context():
        write(make_conversation(PHONE))
        db.session.commit()
    file = tmp_path / "ana.zip"
    result = app.test_cli_runner().invoke(
        args=["export-user", PHONE, "--output", str(file), "--language", "es"]
    )
    assert result.exit_code == 0, result.output
    with zipfile.ZipFile(file) as archive:
        assert "Sus datos" in archive.read("index.html").decode()


def test_who_left_an_address_alone_is_found_by_it_and_so_is_the_receipt(app: Flask) -> None:
    with app.app_context():
        shared = make_conversation(PHONE).contact_id
        db.session.get_one(Contact, shared).email = "ana@example.com"
        alone = Contact(name="Ana", email="Ana@Example.com")
        db.session.add(alone)
        db.session.flush()
        (found,) = privacy.find_people(" ANA@example.com ")
        assert found.id == alone.id, "several people may share an address"
        _deleted, receipt = erasures.erase([found], asked_by="command", secret_key=KEY, now=NOW)
        assert [one.id for one in erasures.erasures_of("ana@EXAMPLE.com", KEY)] == [receipt.id]
        assert erasures.erasures_of("rui@example.com", KEY) == []
        assert privacy.find_people("ana@example.com") == []
        assert db.session.get(Contact, shared) is not None


def test_an_export_holds_the_alerts_of_a_person(app: Flask) -> None:
    with app.app_context():
        mine, other = make_conversation(PHONE), make_conversation("5511911112222", "Rui")
        for thread in (mine, other):
            alerts.raise_alert("unanswered", f"x:{thread.id}", "waits", now=NOW, conversation_id=thread.id)
        db.session.flush()
        export = privacy.export_person(privacy.find_people(PHONE), now=NOW)
        assert [row["conversation_id"] for row in export["alerts"]] == [mine.id]
