"""The operators' pages: they render empty and filled in each language, escape, stay cheap, and do as told."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from babel.messages.extract import extract_from_dir, extract_from_file
from babel.messages.pofile import read_po
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

import config
import conversations
import media
from app import create_app
from config import Config
from dashboard import inbox_lists, languages
from dashboard.inbox_lists import Place
from dashboard.templating import initials, span, whatsapp_text
from models import Alert, Contact, Conversation, Integration, Message, StoredMedia, WebhookEvent, db, utc_now
from tests import page_rows
from tests.browsing import AS_BROWSER, counted, get, post, sign_in
from tests.page_rows import ADMIN_EMAIL, EVIL, Desk, conversation, message
from tests.pictures import picture_bytes

PAGES = (
    "/",
    "/inbox",
    "/inbox?show=waiting",
    "/inbox?show=bot",
    "/inbox?q=Mariana",
    "/inbox?show=mine&label=1&sentiment=angry&language=pt",
    "/inbox?show=snoozed",
    "/inbox?show=closed",
    "/inbox/tools",
    "/leads",
    "/tickets",
    "/tickets?kind=complaints",
    "/tickets?kind=appointments",
    "/orders",
    "/events",
    "/events?state=failed",
    "/account",
    "/account/second-factor",
    "/teaching",
    "/teaching/examples",
    "/teaching/examples?task=intent&label=complaint&language=pt&q=oi",
    "/teaching/phrases",
)
QUERIES_MAX = 15


@pytest.fixture
def desk(app: Flask, admin: FlaskClient) -> Desk:
    with app.app_context():
        return page_rows.fill()


# --- every page ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["pt", "es", "en"])
def test_every_page_renders_without_a_row(admin: FlaskClient, language: str) -> None:
    _choose_language(admin, language)
    for path in PAGES:
        answer = get(admin, path)
        assert answer.status_code == 200, path
        assert f'<html lang="{languages.HTML_LANGUAGES[language]}"' in answer.text


@pytest.mark.parametrize("language", ["pt", "es", "en"])
def test_every_page_renders_filled_and_escaped(admin: FlaskClient, desk: Desk, language: str) -> None:
    _choose_language(admin, language)
    threads = [f"/inbox/{n}" for n in (desk.waiting_id, desk.bot_id, desk.closed_id)]
    for path in (*PAGES, *threads):
        answer = get(admin, path)
        assert answer.status_code == 200, path
        assert EVIL not in answer.text, path


def test_every_page_renders_on_every_database(load_config: Callable[..., Config], database_url: str) -> None:
    app = create_app(load_config(DATABASE_URL=database_url))
    with app.app_context():
        db.create_all()
        page_rows.people()
        desk = page_rows.fill()
    admin = app.test_client()
    sign_in(admin, ADMIN_EMAIL)
    thread = f"/inbox/{desk.waiting_id}"
    for path in (
        *PAGES,
        thread,
        f"{thread}/thread",
        "/inbox/list",
        "/inbox/canned",
        "/inbox?after=1700000000000000-1",
        "/inbox?q=%2B5511",
    ):
        assert get(admin, path).status_code == 200, path
    assert _write(admin, desk.bot_id, "Bom dia! 👋", "token-db").status_code == 303
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.mark.parametrize("path", ["/", "/inbox", "/leads", "/tickets", "/orders", "/events"])
def test_a_list_costs_the_same_however_long_it_is(
    app: Flask, admin: FlaskClient, desk: Desk, path: str
) -> None:
    get(admin, path)
    with counted(app) as short:
        get(admin, path)
    with app.app_context():
        number = db.session.scalars(select(Integration)).one()
        for n in range(25):
            of = conversation(number, f"Pessoa {n}", f"55119000000{n:02d}", handler="human", unread_count=1)
            page_rows.records(of, n)
        db.session.commit()
    with counted(app) as long:
        get(admin, path)
    assert len(long) == len(short), long
    assert len(long) <= QUERIES_MAX, long


def test_a_long_thread_costs_few_queries(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    get(admin, f"/inbox/{desk.waiting_id}")
    with counted(app) as asked:
        get(admin, f"/inbox/{desk.waiting_id}")
    assert len(asked) <= QUERIES_MAX, asked


def test_pages_carry_no_inline_script_or_style(admin: FlaskClient, desk: Desk) -> None:
    for path in (*PAGES, f"/inbox/{desk.waiting_id}"):
        page = get(admin, path).text
        assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=\"", page), path
        assert not re.search(r'(?:src|href)="(?:https?:)?//', page), f"{path} asks another host"


def test_unknown_things_are_404(admin: FlaskClient) -> None:
    for path in ("/inbox/999", "/inbox/999/thread", "/inbox/media/999", "/inbox/0", "/inbox/x"):
        assert get(admin, path).status_code == 404, path
    for path in ("/inbox/999/read", "/inbox/999/take-over", "/inbox/999/messages"):
        assert post(admin, path, "/account", body="oi").status_code == 404, path


@pytest.mark.parametrize(
    "query",
    ["after=x", "after=-1", "after=99999999999999999-1", "handler=nobody", "q=%00", "q=%25_%5C", "before=x"],
)
def test_a_strange_address_shows_a_page(admin: FlaskClient, desk: Desk, query: str) -> None:
    for path in ("/inbox", "/leads", f"/inbox/{desk.waiting_id}"):
        assert get(admin, f"{path}?{query}").status_code == 200, path


# --- languages ----------------------------------------------------------------------------------------------


def test_pages_are_portuguese_unless_one_wishes_otherwise(client: FlaskClient) -> None:
    assert "Entrar" in get(client, "/login").text
    assert "Entrar" in get(client, "/login", **{"Accept-Language": "de-DE,de;q=0.9"}).text
    assert "Sign in" in get(client, "/login", **{"Accept-Language": "en-GB,en;q=0.9,pt;q=0.1"}).text
    assert "Contraseña" in get(client, "/login", **{"Accept-Language": "es-MX"}).text


def test_a_chosen_language_stays_over_signing_in(admin: FlaskClient) -> None:
    _choose_language(admin, "es")
    post(admin, "/logout", "/account")
    _choose_language(admin, "es", "/login")
    sign_in(admin, ADMIN_EMAIL)
    assert '<html lang="es"' in get(admin, "/inbox").text


def test_every_text_of_the_pages_is_translated() -> None:
    wanted = _texts_of_pages()
    for locale in ("pt_BR", "es"):
        with (languages.TRANSLATIONS_DIR / f"{locale}.po").open("rb") as file:
            catalog = read_po(file, locale=locale)
        missing = [words for words in wanted if words not in catalog or not catalog[words].string]
        assert missing == [], f"missing in {locale}.po"
        broken = [(m.id, [str(e) for e in errors]) for m, errors in catalog.check()]
        assert broken == []


def _texts_of_pages() -> set[Any]:
    root = Path(config.__file__).parent
    found = {words for _line, words, _notes, _context in extract_from_file("python", root / "app.py")}
    for folder in ("admin", "dashboard", "templates"):
        methods = [("**.py", "python"), ("whatsapp/**", "ignore"), ("**.html", "jinja2")]
        for _file, _line, words, _notes, _context in extract_from_dir(root / folder, methods):
            found.add(words[0] if isinstance(words, tuple) else words)
    return found


def _choose_language(client: FlaskClient, language: str, form_page: str = "/account") -> None:
    post(client, "/language", form_page, language=language)


# --- overview -----------------------------------------------------------------------------------------------


def test_the_overview_shows_who_waits_and_what_is_wrong(admin: FlaskClient, desk: Desk) -> None:
    page = get(admin, "/").text
    assert "Mariana Alves" in page
    assert "Webhooks sem assinatura são aceitos" in page
    assert "Nenhum processo de trabalho" not in page


def test_the_overview_warns_when_no_worker_runs(admin: FlaskClient) -> None:
    assert "Nenhum processo de trabalho está ativo" in get(admin, "/").text


def test_an_alert_is_acknowledged_once_and_is_gone(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    path = f"/alerts/{desk.alert_id}/acknowledge"
    assert post(admin, path, "/").status_code == 302
    assert post(admin, path, "/").status_code == 302
    assert path not in get(admin, "/").text
    with app.app_context():
        assert db.session.get_one(Alert, desk.alert_id).acknowledged_at is not None


# --- inbox --------------------------------------------------------------------------------------------------


def test_the_inbox_pages_through_everyone_once_in_order(app: Flask, admin: FlaskClient) -> None:
    with app.app_context():
        number = _number()
        at = utc_now()
        for n in range(75):  # several share a moment: the id decides
            moment = at - timedelta(minutes=n // 3)
            conversation(number, f"Pessoa {n:02d}", f"5511{n:09d}", last_message_at=moment)
        db.session.commit()
    seen: list[str] = []
    path: str | None = "/inbox"
    while path:
        page = get(admin, path).text
        seen += re.findall(r'line-name">(Pessoa \d\d)<', page)
        older = re.search(r'href="([^"]*after=[^"]*)"', page)
        path = older[1].replace("&amp;", "&") if older else None
    assert sorted(seen) == [f"Pessoa {n:02d}" for n in range(75)]
    assert [int(name[-2:]) // 3 for name in seen] == sorted(int(name[-2:]) // 3 for name in seen)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("show=waiting", {"Mariana Alves"}),
        ("show=person", {"Mariana Alves"}),
        ("show=bot", {"Carlos Souza"}),
        ("q=mari", {"Mariana Alves"}),
        ("q=(41)+99111-22", {"Carlos Souza"}),
        ("q=%25", set()),
        ("q=zzz", set()),
    ],
)
def test_the_inbox_filters_and_searches(admin: FlaskClient, desk: Desk, query: str, names: set[str]) -> None:
    found = set(re.findall(r'line-name">([A-Z][^<]*)<', get(admin, f"/inbox?{query}").text))
    assert found == names


def test_conversations_without_a_message_are_not_in_the_inbox(app: Flask, admin: FlaskClient) -> None:
    with app.app_context():
        conversation(_number(), "Ninguém", "5511988887777", last_message_at=None)
        db.session.commit()
    assert "Ninguém" not in get(admin, "/inbox").text


def test_a_person_without_phone_and_name_is_still_shown(app: Flask, admin: FlaskClient) -> None:
    with app.app_context():
        contact = Contact(name="")
        db.session.add(contact)
        db.session.flush()
        db.session.add(
            Conversation(integration_id=_number().id, contact_id=contact.id, last_message_at=utc_now())
        )
        db.session.commit()
    assert "Sem nome" in get(admin, "/inbox").text


def test_a_place_in_the_list_survives_its_address() -> None:
    place = Place(utc_now(), 17)
    assert Place.read(str(place)) == place


def test_the_inbox_reads_by_its_index(app: Flask) -> None:
    with app.app_context():
        query = select(Conversation).where(inbox_lists._comes_after(Place(utc_now(), 1)))
        query = query.order_by(Conversation.last_message_at.desc(), Conversation.id.desc()).limit(30)
        compiled = query.compile(db.engine, compile_kwargs={"literal_binds": True})
        plan = db.session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}").fetchall()
    steps = " ".join(str(step[3]) for step in plan)
    assert "ix_conversations_last_message_at_id" in steps
    assert "TEMP B-TREE" not in steps


# --- the thread ---------------------------------------------------------------------------------------------


def test_the_thread_tells_who_wrote_and_why(admin: FlaskClient, desk: Desk) -> None:
    page = get(admin, f"/inbox/{desk.waiting_id}").text
    for words in (
        "saudação: fluxo inicial",
        "nexora · ∅ → main",
        "<strong>Bem-vinda</strong>",
        "Ana Ribeiro",
        "no celular da loja",
        "A janela estava fechada.",
        "Aguardando a confirmação",
        "editada",
        "Esta mensagem foi apagada.",
        "Hoje",
        "Ontem",
        "Residência",
    ):
        assert words in page, words
    assert "segredo apagado" not in page
    for status in ("queued", "sent", "delivered", "read", "played", "failed", "uncertain"):
        assert f"tick-{status}" in page
    assert page.count("👍") == 1, "a reaction sits on its message"


def test_older_messages_come_by_pages_without_gap_or_repeat(
    app: Flask, admin: FlaskClient, desk: Desk
) -> None:
    with app.app_context():
        of = db.session.get_one(Conversation, desk.bot_id)
        for n in range(120):
            message(of, f"mensagem {n:03d}")
        db.session.commit()
    seen: list[str] = []
    path: str | None = f"/inbox/{desk.bot_id}"
    while path:
        page = get(admin, path).text
        seen = re.findall(r"mensagem \d{3}", page) + seen
        older = re.search(r'href="([^"]*before=\d+)"', page)
        path = older[1] if older else None
    assert seen == [f"mensagem {n:03d}" for n in range(120)]


def test_nothing_new_is_304_and_anything_new_is_not(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    path = f"/inbox/{desk.bot_id}/thread"
    with app.app_context():
        message_id = message(db.session.get_one(Conversation, desk.bot_id), "oi", status="sent").id
        db.session.commit()
    etag = get(admin, path).headers["ETag"]

    def is_same() -> bool:
        return get(admin, path, **{"If-None-Match": etag}).status_code == 304

    def change(model: Any, row_id: int, **values: Any) -> None:
        with app.app_context():
            row = db.session.get_one(model, row_id)
            for name, value in values.items():
                setattr(row, name, value)
            db.session.commit()

    assert is_same()
    for model, row_id, values in (
        (Message, message_id, {"status": "read"}),
        (Message, message_id, {"is_revoked": True}),
        (Conversation, desk.bot_id, {"handler": "human"}),
        (Conversation, desk.bot_id, {"last_inbound_at": utc_now()}),
    ):
        change(model, row_id, **values)
        assert not is_same(), values
        etag = get(admin, path).headers["ETag"]
        assert is_same()


def test_the_unchanged_thread_is_cheap_to_ask_for(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    path = f"/inbox/{desk.waiting_id}/thread"
    etag = get(admin, path).headers["ETag"]
    with counted(app) as asked:
        assert get(admin, path, **{"If-None-Match": etag}).status_code == 304
    assert len(asked) <= 4, asked


# --- what an operator does ----------------------------------------------------------------------------------


def test_an_operator_writes_and_thereby_takes_over(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    assert _write(admin, desk.bot_id, "Bom dia!", "token-1").status_code == 303
    with app.app_context():
        found = db.session.get_one(Conversation, desk.bot_id)
        assert (found.handler, found.unread_count) == ("human", 0)
        assert _sent(desk.bot_id) == ["Bom dia!"]


def test_a_form_that_is_sent_twice_sends_once(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    for _ in range(2):
        assert _write(admin, desk.bot_id, "Uma vez", "token-2").status_code == 303
    with app.app_context():
        assert _sent(desk.bot_id) == ["Uma vez"]


@pytest.mark.parametrize("body", ["", "   \n ", "x" * 4097])
def test_what_cannot_be_sent_is_refused_and_kept(
    app: Flask, admin: FlaskClient, desk: Desk, body: str
) -> None:
    answer = _write(admin, desk.bot_id, body, "token-3")
    assert answer.status_code == 422
    with app.app_context():
        assert _sent(desk.bot_id) == []
        assert db.session.get_one(Conversation, desk.bot_id).handler == "bot"


def test_a_closed_window_locks_the_composer(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    page = get(admin, f"/inbox/{desk.closed_id}").text
    assert "A janela de 24 horas está fechada" in page
    assert 'id="body"' not in page
    assert _write(admin, desk.closed_id, "oi", "token-4").status_code == 422
    with app.app_context():
        assert _sent(desk.closed_id) == []
        assert db.session.get_one(Conversation, desk.closed_id).handler == "bot", "nothing half done"


def test_nobody_writes_to_a_person_who_opted_out(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    with app.app_context():
        conversations.opt_out(db.session.get_one(Conversation, desk.bot_id).contact_id, now=utc_now())
        db.session.commit()
    assert 'id="body"' not in get(admin, f"/inbox/{desk.bot_id}").text
    assert _write(admin, desk.bot_id, "promoção!", "token-5").status_code == 422


def test_taking_over_and_handing_back(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    page = f"/inbox/{desk.bot_id}"
    assert post(admin, f"{page}/take-over", page).status_code == 303
    assert "Devolver" in get(admin, page).text
    assert post(admin, f"{page}/hand-back", page).status_code == 303
    with app.app_context():
        found = db.session.get_one(Conversation, desk.bot_id)
        assert (found.handler, found.operator_id) == ("bot", None)


def test_of_two_who_take_over_at_once_one_is_told_that_she_was_late(
    app: Flask, admin: FlaskClient, desk: Desk
) -> None:
    page, other = f"/inbox/{desk.bot_id}", app.test_client()
    sign_in(other, page_rows.AGENT_EMAIL)
    post(admin, f"{page}/take-over", page, seen="")
    post(other, f"{page}/take-over", page, seen="")
    shown = get(other, page).text
    assert "Ana Ribeiro acabou de assumir esta conversa." in shown
    assert "Ao enviar, você assume a conversa de Ana Ribeiro." in shown
    seen = re.search(r'name="seen" value="(\d+)"', shown)
    assert seen is not None
    post(other, f"{page}/take-over", page, seen=seen[1])  # on purpose
    assert "Ana Ribeiro acabou" not in get(other, page).text
    with app.app_context():
        assert str(db.session.get_one(Conversation, desk.bot_id).operator_id) != seen[1]


def test_each_operator_has_her_own_unread_and_who_waits_still_waits(
    app: Flask, admin: FlaskClient, desk: Desk
) -> None:
    page, other = f"/inbox/{desk.waiting_id}", app.test_client()
    sign_in(other, page_rows.AGENT_EMAIL)
    assert 'data-unread="2"' in get(admin, page).text
    for _ in range(2):
        assert post(admin, f"{page}/read", page).status_code == 204
    assert 'data-unread="0"' in get(admin, page).text
    assert "is-unread" not in get(admin, "/inbox?show=waiting").text
    assert 'data-unread="2"' in get(other, page).text
    assert "is-unread" in get(other, "/inbox?show=waiting").text
    assert "Mariana Alves" in get(admin, "/inbox?show=waiting").text, "nobody has answered her"
    with app.app_context():
        of = db.session.get_one(Conversation, desk.waiting_id)
        of.unread_count += 1
        page_rows.message(of, "e agora?")
        db.session.commit()
    assert 'data-unread="1"' in get(admin, page).text
    assert 'data-unread="3"' in get(other, page).text


def test_a_file_is_shown_by_what_is_in_it_and_cannot_leave_its_folder(
    app: Flask, admin: FlaskClient, desk: Desk
) -> None:
    address = f"/inbox/media/{desk.media_id}"
    shown = get(admin, address)
    assert (shown.mimetype, shown.headers["X-Content-Type-Options"]) == ("image/jpeg", "nosniff")
    assert shown.headers["Content-Disposition"].startswith("inline")
    part = admin.get(address, headers=AS_BROWSER | {"Range": "bytes=0-3"})  # a player asks in parts
    assert (part.status_code, part.data) == (206, shown.data[:4])
    for content in (b"abc", b"<svg onload=alert(1)>", b"<!doctype html>", b"%PDF-1.7", b""):
        (app.config["BALCAO"].media_dir / page_rows.PHOTO_PATH).write_bytes(content)
        answer = get(admin, address)
        assert answer.data == content
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert answer.mimetype == "application/octet-stream"
    with app.app_context():
        db.session.get_one(StoredMedia, desk.media_id).path = "../balcao.db"
        db.session.commit()
    assert get(admin, address).status_code == 404
    assert app.test_client().get(address, headers=AS_BROWSER).status_code == 302


def test_the_thread_shows_pictures_sounds_and_films_and_misses_a_lost_file_calmly(
    app: Flask, admin: FlaskClient, desk: Desk
) -> None:
    folder = app.config["BALCAO"].media_dir
    whole = {
        "theirs.ogg": ("audio", b"OggS" + bytes(20)),
        "note.m4a": ("audio", bytes(4) + b"ftypmp42"),
        "film.mp4": ("video", bytes(4) + b"ftypisom"),
        "photo.heic": ("image", bytes(4) + b"ftypheic"),
        "lost.jpg": ("image", None),
    }
    with app.app_context():
        of = db.session.get_one(Conversation, desk.bot_id)
        for name, (kind, content) in whole.items():
            row = StoredMedia(media_kind=kind, source={}, state="stored", path=name, filename=name)
            row.message_id = message(of, "", kind=kind).id
            db.session.add(row)
            if content is not None:
                (folder / name).write_bytes(content)
        paid = media.store(picture_bytes(), "image/png", "qr.png", folder, now=utc_now()).id
        for file_id in (paid, 999):
            sent = {"kind": "media", "media_kind": "image", "file_id": file_id}
            message(of, "", direction="out", sender="bot", kind="media", content=sent)
        db.session.commit()
    page = get(admin, f"/inbox/{desk.bot_id}").text
    assert page.count("<audio ") == 2
    assert len(re.findall(r'<video [^>]*preload="none"', page)) == 1
    assert re.findall(r'<img src="([^"]*)" alt="[^"]+" loading="lazy"', page) == [f"/inbox/file/{paid}"]
    assert re.search(r"download>photo\.heic</a>", page)
    assert page.count("bubble-file is-missing") == 2  # lost.jpg, and our own that is gone


@pytest.mark.parametrize(
    "name",
    ["a\nb", "x\r\ny.pdf", "ok\u007f.pdf", "\u202egpj.exe", "ã" * 250 + ".pdf", "\ud800.pdf", "\u2028", ""],
)
def test_no_name_of_a_file_breaks_its_download(
    app: Flask, admin: FlaskClient, desk: Desk, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (app.config["BALCAO"].media_dir / page_rows.PHOTO_PATH).write_bytes(b"abc")
    # A half of a character cannot be stored at all; it stands for what an older row may hold.
    monkeypatch.setattr(StoredMedia, "filename", name)
    answer = get(admin, f"/inbox/media/{desk.media_id}")
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"].startswith("attachment; filename")
    assert answer.headers["Content-Disposition"].isprintable()


def _write(client: FlaskClient, conversation_id: int, body: str, client_token: str) -> Any:
    page = f"/inbox/{conversation_id}"
    return post(client, f"{page}/messages", "/account", body=body, client_token=client_token)


def _sent(conversation_id: int) -> list[str]:
    query = select(Message.body).where(
        Message.conversation_id == conversation_id, Message.sender == "operator"
    )
    return list(db.session.scalars(query))


# --- events -------------------------------------------------------------------------------------------------


def test_events_show_what_came_whatever_it_was(app: Flask, admin: FlaskClient) -> None:
    deep = b"[" * 5000 + b"]" * 5000
    payloads = {
        "json": b'{"a": "\xc3\xa7"}',
        "nul": b"a\x00b",
        "deep": deep,
        "binary": b"\xff\xfe",
        "empty": b"",
    }
    with app.app_context():
        for key, payload in payloads.items():
            db.session.add(page_rows.webhook_event("failed", payload, key))
        db.session.commit()
    page = get(admin, "/events").text
    assert page.count("<pre") == len(payloads)
    assert "&#34;a&#34;: &#34;ç&#34;" in page
    assert "\x00" not in page


def test_events_are_tried_again(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    with app.app_context():
        failed = db.session.query(WebhookEvent).filter_by(state="failed").one()
        failed.lane = "in:1:someone"
        db.session.commit()
    assert post(admin, "/events/replay", "/events").status_code == 303
    assert "Eventos que esperam de novo: 1." in get(admin, "/events").text


def test_events_of_one_state_alone(admin: FlaskClient, desk: Desk) -> None:
    assert get(admin, "/events").text.count("<pre") == 4
    assert get(admin, "/events?state=unknown").text.count("<pre") == 1


# --- filters ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("*oi* tudo", "<strong>oi</strong> tudo"),
        ("_a_ ~b~ ```c```", "<em>a</em> <s>b</s> <code>c</code>"),
        ("2*3*4 e snake_case_name", "2*3*4 e snake_case_name"),
        ("https://a.com/b_c_d", "https://a.com/b_c_d"),
        ("* não *", "* não *"),
        ("<b>*x*</b>", "&lt;b&gt;<strong>x</strong>&lt;/b&gt;"),
        ("a\x00b", "ab"),
    ],
)
def test_whatsapp_marks_become_markup_and_nothing_else_does(text: str, shown: str) -> None:
    assert whatsapp_text(text) == shown


def test_marks_are_read_in_time_however_many_there_are() -> None:
    assert len(whatsapp_text("*a " * 20_000)) == 60_000


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Ana", "A"), ("ana maria souza", "AS"), ("+55 11", "#"), ("", "#"), ("李 伟", "李伟"), ("😀 Bia", "B")],
)
def test_initials(name: str, letters: str) -> None:
    assert initials(name) == letters


def test_a_span_is_told_in_its_largest_unit(app: Flask) -> None:
    with app.test_request_context():
        told = [span(timedelta(seconds=s)) for s in (-5, 5, 90, 7200, 90_000, 200_000)]
    assert told == ["0 s", "5 s", "1 min", "2 h", "25 h", "2 dias"]


def _number() -> Integration:
    number = Integration(provider="simulator", shape="meta", name="Loja", number_id="777")
    db.session.add(number)
    db.session.flush()
    return number


@pytest.mark.parametrize(
    "path",
    ["/inbox/{n}", "/inbox/media/{n}", "/events?before={n}", "/leads?before={n}", "/simulator?number={n}"],
)
def test_an_id_that_no_row_can_have_breaks_no_page(admin: FlaskClient, path: str) -> None:
    assert admin.get(path.format(n="9" * 30)).status_code in (200, 302, 404)
