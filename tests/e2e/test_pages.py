"""The operators' pages in a real browser: live threads, phones, the keyboard, and nothing to complain of."""

import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect, sync_playwright
from werkzeug.serving import make_server

from models import Conversation, Message, db, utc_now
from tests import page_rows
from tests.page_rows import ADMIN_EMAIL, PASSWORD, Desk, message

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 860}
LIVE_WITHIN_MS = 6000
PAGES = ("/", "/inbox", "/leads", "/tickets", "/orders", "/events", "/account", "/simulator", "/knowledge")


@dataclass
class Browsing:
    """A signed-in page and what its console complained of."""

    page: Page
    origin: str
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        self.page.goto(self.origin + path)
        return self.page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("left out, no chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def desk(app: Flask) -> Desk:
    with app.app_context():
        page_rows.people()
        return page_rows.fill()


@pytest.fixture
def origin(app: Flask, desk: Desk) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def browsing(request: pytest.FixtureRequest, browser: Browser, origin: str) -> Iterator[Browsing]:
    context = browser.new_context(viewport=request.param, locale="pt-BR", color_scheme="dark")
    page = context.new_page()
    ours = Browsing(page, origin)
    page.on(
        "console",
        lambda said: ours.complaints.append(said.text) if said.type in ("error", "warning") else None,
    )
    page.on("pageerror", lambda error: ours.complaints.append(str(error)))
    ours.open("/login")
    page.fill("#email", ADMIN_EMAIL)
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_be_visible()
    yield ours
    context.close()


def test_no_page_scrolls_sideways_or_complains(browsing: Browsing, desk: Desk) -> None:
    for path in (*PAGES, f"/inbox/{desk.waiting_id}", f"/inbox/{desk.closed_id}"):
        page = browsing.open(path)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= page.viewport_size["width"], path  # type: ignore[index]
    assert browsing.complaints == []


def test_the_keyboard_shows_where_it_is(browsing: Browsing) -> None:
    page = browsing.open("/inbox")
    for _ in range(4):
        page.keyboard.press("Tab")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", page.evaluate("document.activeElement.outerHTML.slice(0, 200)")


def test_new_messages_appear_while_one_writes(app: Flask, browsing: Browsing, desk: Desk) -> None:
    page = browsing.open(f"/inbox/{desk.bot_id}")
    page.fill("#body", "estou escrevendo")
    with app.app_context():
        message_id = message(db.session.get_one(Conversation, desk.bot_id), "chegou agora", status="sent").id
        db.session.commit()
    expect(page.get_by_text("chegou agora")).to_be_in_viewport(timeout=LIVE_WITHIN_MS)
    expect(page.locator("#body")).to_have_value("estou escrevendo")
    with app.app_context():
        answer = db.session.get_one(Message, message_id)
        answer.direction, answer.sender, answer.status = "out", "bot", "read"
        db.session.commit()
    expect(page.locator(f"#m{message_id} .tick-read")).to_be_visible(timeout=LIVE_WITHIN_MS)
    assert browsing.complaints == []


def test_the_composer_locks_itself_when_the_person_opts_out(
    app: Flask, browsing: Browsing, desk: Desk
) -> None:
    page = browsing.open(f"/inbox/{desk.bot_id}")
    expect(page.locator("#body")).to_be_visible()
    with app.app_context():
        of = db.session.get_one(Conversation, desk.bot_id)
        contact = page_rows.contact_of(of)
        contact.opted_out_at = utc_now()
        db.session.commit()
    expect(page.locator(".composer-lock")).to_be_visible(timeout=LIVE_WITHIN_MS)


def test_enter_sends_once_and_the_message_is_there(app: Flask, browsing: Browsing, desk: Desk) -> None:
    page = browsing.open(f"/inbox/{desk.bot_id}")
    page.fill("#body", "Bom dia, Carla!")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.locator(".bubble-operator").get_by_text("Bom dia, Carla!")).to_be_in_viewport()
    with app.app_context():
        sent = db.session.query(Message).filter_by(body="Bom dia, Carla!").count()
    assert sent == 1
    expect(page.locator("#chat-head").get_by_text("Ana Ribeiro")).to_be_visible()


def test_opening_a_conversation_marks_it_read(app: Flask, browsing: Browsing, desk: Desk) -> None:
    page = browsing.open(f"/inbox/{desk.waiting_id}")
    expect(page.locator('#chat-head[data-unread="0"]')).to_be_attached(timeout=LIVE_WITHIN_MS)
