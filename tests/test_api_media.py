"""Files through the API: sent by upload or by link, known by their content, and got back."""

import io
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from flask import Flask
from sqlalchemy import select

from models import Message, StoredFile, StoredMedia, db
from tests.calling import Caller, code_of
from tests.fakes import server
from tests.fakes.server import HttpServer, Request
from tests.pictures import picture_bytes
from wires import guarded_fetch

PDF = b"%PDF-1.7 a letter"
OPUS = b"OggS" + bytes(24) + b"OpusHead" + bytes(20)


@pytest.fixture
def path(thread: dict[str, int], woken: list[int]) -> str:
    return f"/conversations/{thread['id']}"


@pytest.fixture
def there(app: Flask) -> Iterator[str]:
    """A place on this machine where files lie, which the desk may ask."""
    object.__setattr__(app.config["BALCAO"], "allow_private_addresses", True)
    found = {
        "/a letter.pdf": server.Answer(200, PDF),
        "/page": server.Answer(200, b"<script>alert(1)</script>"),
        "/moved": server.Answer(302, headers={"Location": "http://127.0.0.1/secret"}),
    }

    def handle(request: Request) -> server.Answer:
        return found.get(unquote(request.path), server.Answer(404))

    with HttpServer(handle) as served:
        yield served.url.replace("http://", "https://")


def upload(
    program: Caller, path: str, content: bytes, name: str = "x.png", once: str = "k", **form: str
) -> Any:
    data = {"file": (io.BytesIO(content), name), **form}
    return program.call("POST", f"{path}/files", data=data, headers={"Idempotency-Key": "k"})


def sent(app: Flask) -> list[dict[str, Any]]:
    with app.app_context():
        return [dict(row.content or {}) for row in db.session.scalars(select(Message).order_by(Message.id))]


def test_an_uploaded_picture_waits_in_the_outbox(app: Flask, program: Caller, path: str, woken) -> None:
    answer = upload(program, path, picture_bytes(), "../../me.exe", caption="Olá", take_over="false")
    assert (answer.status_code, answer.json["status"]) == (202, "queued")
    (content,) = sent(app)
    assert (content["media_kind"], content["caption"]) == ("image", "Olá")
    with app.app_context():
        assert db.session.get_one(StoredFile, content["file_id"]).mime_type == "image/png"
    assert woken


@pytest.mark.parametrize(("content", "kind"), [(PDF, "document"), (OPUS, "audio")])
def test_what_a_file_is_stands_in_it(app: Flask, program: Caller, path: str, content, kind) -> None:
    assert upload(program, path, content, "picture.png").status_code == 202
    assert sent(app)[0]["media_kind"] == kind


@pytest.mark.parametrize(
    "content",
    [b"", b"MZ a program", b"<svg onload=alert(1)>", b"\x89PNG\r\n\x1a\n half", b"OggS" + bytes(60)],
)
def test_what_whatsapp_cannot_show_is_refused(app: Flask, program: Caller, path: str, content) -> None:
    answer = upload(program, path, content, "picture.png")
    assert (answer.status_code, code_of(answer)) == (409, "file_refused")
    assert sent(app) == []


def test_an_upload_happens_once_though_its_boundary_differs(app: Flask, program: Caller, path: str) -> None:
    first, again = upload(program, path, PDF), upload(program, path, PDF)
    assert (first.json, again.headers["Idempotent-Replayed"]) == (again.json, "true")
    other = upload(program, path, PDF + b" and more")
    assert (other.status_code, code_of(other)) == (422, "idempotency_key_reused")
    assert len(sent(app)) == 1


@pytest.mark.parametrize("data", [{}, {"file": "words"}, {"file": (io.BytesIO(PDF), "a"), "more": "x"}])
def test_a_form_that_is_not_as_documented_is_refused(
    program: Caller, path: str, data: dict[str, Any]
) -> None:
    answer = program.call(
        "POST",
        f"{path}/files",
        data=data,
        headers={"Idempotency-Key": "k"},
        content_type="multipart/form-data",
    )
    assert (answer.status_code, code_of(answer)) == (422, "invalid")


def by_link(program: Caller, path: str, link: str) -> Any:
    return program.post(f"{path}/messages", {"link": link, "caption": "A carta"}, once="k")


def test_a_linked_file_is_got_looked_at_and_sent(
    app: Flask, program: Caller, path: str, there: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    over_http(monkeypatch)
    assert by_link(program, path, f"{there}/a%20letter.pdf").status_code == 202
    (content,) = sent(app)
    assert (content["media_kind"], content["filename"], content["caption"]) == (
        "document",
        "a letter.pdf",
        "A carta",
    )


@pytest.mark.parametrize("page", ["page", "moved", "missing"])
def test_a_link_to_something_else_is_refused(
    program: Caller, path: str, there: str, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    over_http(monkeypatch)
    assert code_of(by_link(program, path, f"{there}/{page}")) == "file_refused"


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:1", "[::1]", "169.254.169.254", "[::ffff:10.0.0.1]"]
)
def test_no_address_inside_is_asked(program: Caller, path: str, host: str) -> None:
    answer = by_link(program, path, f"https://{host}/secret")
    assert code_of(answer) == "file_refused"
    assert "private_address" in answer.json["error"]["message"]


def over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """Speak plain HTTP where the link says https: the server here has no certificate."""
    real = guarded_fetch.exchange

    def exchange(method: str, url: str, *rest: Any, **more: Any) -> Any:
        return real(method, url.replace("https://", "http://"), *rest, **more)

    monkeypatch.setattr(guarded_fetch, "exchange", exchange)


def test_a_file_that_came_is_given_as_bytes_to_who_may_read(app: Flask, program: Caller, path: str) -> None:
    upload(program, path, PDF)
    folder = app.config["BALCAO"].media_dir
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "note.ogg").write_bytes(OPUS)
    with app.app_context():
        message_id = db.session.scalar(select(Message.id))
        row = StoredMedia(
            message_id=message_id,
            media_kind="audio",
            mime_type="audio/ogg",
            state="stored",
            path="note.ogg",
            source={},
        )
        db.session.add(row)
        db.session.commit()
        media_id = row.id
    assert program.get(f"/messages/{message_id}")["media"][0]["id"] == media_id
    answer = program.call("GET", f"/media/{media_id}")
    assert (answer.status_code, answer.data, answer.mimetype) == (200, OPUS, "application/octet-stream")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    (folder / "note.ogg").unlink()
    assert program.call("GET", f"/media/{media_id}").status_code == 404
    assert Caller(app, "contacts:read").call("GET", f"/media/{media_id}").status_code == 403
