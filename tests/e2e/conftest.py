"""What the tests in a real browser ask for: Chromium, a served desk, and somebody signed in."""

import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize, expect, sync_playwright
from werkzeug.serving import make_server

from tests import page_rows
from tests.conftest import need
from tests.page_rows import ADMIN_EMAIL, PASSWORD, Desk

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
PHONE: ViewportSize = {"width": 390, "height": 844}
DESKTOP: ViewportSize = {"width": 1440, "height": 900}


@dataclass
class Browsing:
    """A signed-in page and what its console complained of."""

    page: Page
    origin: str
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        self.page.goto(self.origin + path)
        return self.page


# One for a file: Playwright's loop would else run in this process until its last test.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    need("Chromium", "CHROMIUM", "" if CHROMIUM else "apt-get install chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
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


@pytest.fixture(
    params=[(DESKTOP, "dark"), (DESKTOP, "light"), (PHONE, "dark"), (PHONE, "light")],
    ids=["desktop-dark", "desktop-light", "phone-dark", "phone-light"],
)
def every_look(request: pytest.FixtureRequest, browser: Browser, origin: str) -> Iterator[Browsing]:
    yield from _signed_in(browser, origin, *request.param)


@pytest.fixture
def browsing(browser: Browser, origin: str) -> Iterator[Browsing]:
    yield from _signed_in(browser, origin, DESKTOP, "dark")


@pytest.fixture
def phone(browser: Browser, origin: str) -> Iterator[Browsing]:
    yield from _signed_in(browser, origin, PHONE, "light")


def _signed_in(browser: Browser, origin: str, viewport: Any, colours: Any) -> Iterator[Browsing]:
    context = browser.new_context(viewport=viewport, locale="pt-BR", color_scheme=colours)
    page = context.new_page()
    ours = Browsing(page, origin)

    def note(said: ConsoleMessage) -> None:
        if said.type in ("error", "warning"):
            ours.complaints.append(f"{page.url}: {said.text} ({said.location.get('url')})")

    page.on("console", note)
    page.on("pageerror", lambda error: ours.complaints.append(str(error)))
    ours.open("/login")
    page.fill("#email", ADMIN_EMAIL)
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_be_visible()
    yield ours
    page.goto("about:blank")  # lets go of the event stream
    context.close()
