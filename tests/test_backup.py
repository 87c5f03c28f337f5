"""Backup and restore: everything comes back, on this kind of database and on another, or nothing is lost."""

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

import conversations
import knowledge
from app import create_app
from config import Config
from knowledge import articles
from knowledge.files import Sheet
from models import Base, Contact, Message, StoredMedia, WebhookEvent, db, utc_now
from tests.conftest import new_database
from tests.records import make_conversation

TRICKY = "Ação 🏆 \x00 \ud800 'quoted'"


def run(application: Flask, *args: str, **given: Any) -> Any:
    return application.test_cli_runner().invoke(args=args, **given)


def said(result: Any) -> str:
    assert result.exit_code == 0, result.output
    text: str = result.output
    return text


@pytest.fixture
def desks(load_config: Callable[..., Config]) -> Iterator[Callable[[str], Flask]]:
    """Give a function that opens a migrated desk at a database's address."""
    opened: list[Flask] = []

    def open_desk(url: str) -> Flask:
        application = create_app(load_config(DATABASE_URL=url))
        said(run(application, "init-db"))
        opened.append(application)
        return application

    yield open_desk
    for application in opened:
        with application.app_context():
            db.session.remove()
            db.engine.dispose()


@pytest.fixture
def any_desk(desks: Callable[[str], Flask], database_url: str) -> Flask:
    return desks(database_url)


def fill(application: Flask) -> None:
    """Leave rows of every kind of value, and a file."""
    with application.app_context():
        folder: Path = application.config["BALCAO"].media_dir
        (folder / "ab").mkdir(parents=True, exist_ok=True)
        (folder / "ab" / "file.bin").write_bytes(b"\x00\xffmedia")
        thread = make_conversation()
        other = make_conversation("5511987654321", "Bia")
        kept = db.session.get_one(Contact, thread.contact_id)
        kept.merged_into_id, kept.referral = other.contact_id, {"words": TRICKY, "deep": [1, 2.5, None, True]}
        db.session.add(
            Message(
                conversation_id=thread.id, integration_id=thread.integration_id, direction="in",
                sender="customer", kind="text", body="Ação 🏆", content={"x": TRICKY}, external_id="Wamid.A",
            )
        )  # fmt: skip
        db.session.flush()
        message_id = db.session.scalar(select(Message.id))
        db.session.add(StoredMedia(message_id=message_id, source={}, media_kind="image", path="ab/file.bin"))
        db.session.add(
            WebhookEvent(
                event_key="k", provider="meta", kind="message", state="done", payload=b"\x00\xff{}",
                received_at=utc_now(),
            )
        )  # fmt: skip
        articles.create_article(Sheet("Frete da loja", "O frete custa R$ 10.", "pt"), now=utc_now())
        conversations.take_over(thread, None, now=utc_now())
        db.session.commit()


def snapshot(application: Flask) -> dict[str, list[tuple[Any, ...]]]:
    """Give every row of every table, but those of workers."""
    with application.app_context():
        found = {}
        for table in Base.metadata.sorted_tables:
            if table.name != "workers":
                rows = db.session.execute(select(table).order_by(*table.primary_key))
                found[table.name] = [tuple(row) for row in rows]
        db.session.rollback()
        return found


def test_everything_comes_back_as_it_was(any_desk: Flask, tmp_path: Path) -> None:
    fill(any_desk)
    before = snapshot(any_desk)
    file = tmp_path / "desk.zip"
    told = json.loads(said(run(any_desk, "backup", str(file), "--json")))
    assert told["rows"] == sum(len(rows) for rows in before.values())
    assert file.stat().st_mode & 0o077 == 0, "nobody else may read it"
    with any_desk.app_context():
        db.session.add(Contact(name="came later"))
        db.session.commit()
        stored = any_desk.config["BALCAO"].media_dir / "ab" / "file.bin"
        stored.unlink()
    said(run(any_desk, "restore", str(file), "--yes"))
    assert snapshot(any_desk) == before
    assert stored.read_bytes() == b"\x00\xffmedia"


def test_a_restored_desk_goes_on(any_desk: Flask, tmp_path: Path) -> None:
    """New rows get new ids, and the search knows what came back."""
    fill(any_desk)
    file = tmp_path / "desk.zip"
    said(run(any_desk, "backup", str(file)))
    said(run(any_desk, "restore", str(file), "--yes"))
    with any_desk.app_context():
        highest = max(db.session.scalars(select(Contact.id)))
        row = Contact(name="new")
        db.session.add(row)
        db.session.commit()
        assert row.id > highest
        assert [hit.title for hit in knowledge.search("quanto é o frete?", "pt")] == ["Frete da loja"]


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_desk_moves_from_sqlite_to_a_server_and_back(kind: str, desks, sqlite_url, tmp_path: Path) -> None:
    first = desks(sqlite_url)
    fill(first)
    before = snapshot(first)
    file, again = tmp_path / "desk.zip", tmp_path / "again.zip"
    said(run(first, "backup", str(file)))
    for url in new_database(kind, tmp_path):
        server = desks(url)
        said(run(server, "restore", str(file), "--yes"))
        said(run(server, "backup", str(again)))
        with server.app_context():
            db.session.remove()
            db.engine.dispose()
    said(run(first, "restore", str(again), "--yes"))
    assert snapshot(first) == before


def test_restoring_asks_first(desks, sqlite_url: str, tmp_path: Path) -> None:
    desk = desks(sqlite_url)
    fill(desk)
    file = tmp_path / "desk.zip"
    said(run(desk, "backup", str(file), "--no-media"))
    before = snapshot(desk)
    assert run(desk, "restore", str(file), input="n\n").exit_code == 1
    assert snapshot(desk) == before
    with zipfile.ZipFile(file) as archive:
        assert not [name for name in archive.namelist() if name.startswith("media/")]


@pytest.mark.parametrize("content", [b"", b"no zip", "other"])
def test_what_is_no_backup_is_refused_and_nothing_is_lost(desks, sqlite_url, tmp_path, content) -> None:
    desk = desks(sqlite_url)
    fill(desk)
    before = snapshot(desk)
    file = tmp_path / "other.zip"
    if content == "other":
        with zipfile.ZipFile(file, "w") as archive:
            manifest = {"format": 1, "schema": "9999", "tables": {"x": {}}}
            archive.writestr("manifest.json", json.dumps(manifest))
    else:
        file.write_bytes(content)
    result = run(desk, "restore", str(file), "--yes")
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert snapshot(desk) == before


@pytest.mark.parametrize("fault", ["flipped", "missing"])
def test_a_damaged_backup_is_refused_before_anything_is_deleted(desks, sqlite_url, tmp_path, fault) -> None:
    desk = desks(sqlite_url)
    fill(desk)
    before = snapshot(desk)
    file = tmp_path / "desk.zip"
    said(run(desk, "backup", str(file)))
    with zipfile.ZipFile(file) as archive:
        part = archive.getinfo("tables/messages.jsonl")
        parts = {one: archive.read(one) for one in archive.namelist() if one != part.filename}
    if fault == "flipped":
        content = bytearray(file.read_bytes())
        begin = part.header_offset + 30 + len(part.filename)
        for place in range(begin + part.compress_size // 2, begin + part.compress_size):
            content[place] ^= 0xFF
        file.write_bytes(content)
    else:
        with zipfile.ZipFile(file, "w") as archive:
            for name, body in parts.items():
                archive.writestr(name, body)
    result = run(desk, "restore", str(file), "--yes")
    assert result.exit_code == 1
    assert "tables/messages.jsonl" in result.output
    assert snapshot(desk) == before


def test_a_file_outside_of_the_folder_is_never_written(desks, sqlite_url, tmp_path: Path) -> None:
    desk = desks(sqlite_url)
    file = tmp_path / "desk.zip"
    said(run(desk, "backup", str(file)))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("media/../../evil", b"x")
    said(run(desk, "restore", str(file), "--yes"))
    assert not list(tmp_path.rglob("evil"))
