"""Take the pictures of the README: `make screenshots`.

Starts a desk of its own with demo data in an empty folder, signs in, writes as a customer, and stores what a
browser shows in `docs/screenshots/`. No test: it changes files of the repository.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from playwright.sync_api import Page, ViewportSize, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "docs" / "screenshots"
VIEW: ViewportSize = {"width": 1440, "height": 860}
EMAIL, PASSWORD = "ana@example.com", "picture-of-a-desk"
STARTS_WITHIN_SECS = 120
MAX_PICTURE_BYTES = 300_000
SETTLE_MS = 900
RECEIPTS_MS = 3_500  # the last ticks turn blue


def main() -> None:
    TARGET.mkdir(parents=True, exist_ok=True)
    with running_desk() as address, signed_in(address) as page:
        take_simulator(page, address)
        take_inbox(page, address)


def take_simulator(page: Page, address: str) -> None:
    """A customer asks for residency programmes; the x-ray says who answered and why."""
    page.goto(f"{address}/simulator")
    say(page, "hi")
    say(page, "1")
    page.wait_for_timeout(RECEIPTS_MS)
    page.evaluate("window.scrollTo(0, 0)")
    store(page, "simulator")


def say(page: Page, words: str) -> None:
    answered = page.locator(".phone-log .is-theirs:not([data-typing-row])").count()
    page.fill("#phone-field", words)
    page.keyboard.press("Enter")
    rows = page.locator(".phone-log .is-theirs:not([data-typing-row])")
    expect(rows.nth(answered)).to_be_visible(timeout=20_000)
    page.wait_for_timeout(SETTLE_MS)


def take_inbox(page: Page, address: str) -> None:
    """Somebody waits for a person; the three columns say who she is and what she wrote."""
    page.goto(f"{address}/inbox?show=waiting")
    page.locator("#lines a.line").last.click()
    store(page, "inbox")


def store(page: Page, name: str) -> None:
    page.wait_for_timeout(SETTLE_MS)
    path = TARGET / f"{name}.png"
    page.screenshot(path=path)
    if path.stat().st_size > MAX_PICTURE_BYTES:
        raise SystemExit(f"{path} is larger than {MAX_PICTURE_BYTES} bytes")


# --- a desk and a browser -----------------------------------------------------------------------------------


@contextmanager
def running_desk() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        variables = {
            "INSTANCE_DIR": folder,
            "PORT": str(port),
            "DEMO": "1",
            "ADMIN_EMAIL": EMAIL,
            "ADMIN_PASSWORD": PASSWORD,
            "LOG_LEVEL": "ERROR",
            "FLASK_SKIP_DOTENV": "1",
        }
        desk = subprocess.Popen([sys.executable, "main.py"], cwd=ROOT, env=os.environ | variables)
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(address)
            yield address
        finally:
            desk.send_signal(signal.SIGINT)
            desk.wait()


def wait_for(address: str) -> None:
    ends = time.monotonic() + STARTS_WITHIN_SECS
    while time.monotonic() < ends:
        try:
            if requests.get(f"{address}/readyz", timeout=STARTS_WITHIN_SECS).ok:
                return
        except requests.ConnectionError:
            pass  # it has not taken its port yet
        time.sleep(0.2)
    raise SystemExit("the desk did not start")


@contextmanager
def signed_in(address: str) -> Iterator[Page]:
    browser_path = (
        shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    )
    if browser_path is None:
        raise SystemExit("chromium is missing; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        page = browser.new_page(viewport=VIEW, locale="en", color_scheme="dark")
        page.goto(f"{address}/login")
        page.fill("#email", EMAIL)
        page.fill("#password", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{address}/")
        yield page
        browser.close()


if __name__ == "__main__":
    main()
