"""The simulator page in a real browser, with a real server, the real door and a real worker behind it."""

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect
from sqlalchemy import select
from waitress.server import create_server

import config as settings
import desk_worker
import integrations
import operators
from app import create_app
from models import Category, Message, Order, db

PASSWORD = "correct horse battery"
ANSWER_MS = 45_000  # a busy machine; a quiet one needs a second
WIDE = {"width": 1440, "height": 960}
PHONE = {"width": 390, "height": 844}


@dataclass(frozen=True)
class Desk:
    """A served desk: its address and its simulated numbers by shape."""

    app: Flask
    url: str
    numbers: dict[str, int]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    config = settings.load(
        {"INSTANCE_DIR": str(folder), "QUIET_SECS": "0.2", "LOG_LEVEL": "ERROR"}, entry="run"
    )
    app = create_app(config)
    with app.app_context():
        db.create_all()
        operators.create_operator("ana@example.com", "Ana Prado", PASSWORD, "manager")
        numbers = {
            "meta": _number("meta", "100000000001", "pt"),
            "twilio": _number("twilio", "+15550000003", "es"),
            "shop": _number("meta", "100000000002", "pt", "shop"),
        }
        db.session.add(Category(name="Cursos"))
        db.session.commit()
    worker = desk_worker.DeskWorker(2)
    server = create_server(app, host="127.0.0.1", port=0, threads=8, ident=None)
    thread = threading.Thread(target=server.run, daemon=True)
    worker.start()
    thread.start()
    yield Desk(app, f"http://127.0.0.1:{server.effective_port}", numbers)
    worker.stop()
    server.close()


def _number(shape: str, number_id: str, language: str, flow: str = "nexora") -> int:
    return integrations.create(
        provider="simulator",
        shape=shape,
        number_id=number_id,
        name="Nexora Investments",
        display_phone="+55 81 90000-0001",
        business_id="a-business",
        app_secret="a-simulated-secret",
        start_flow=flow,
        language=language,
    ).id


@pytest.fixture(scope="module")
def signed_in(desk: Desk, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sign in once and keep the session."""
    kept = tmp_path_factory.mktemp("session") / "state.json"
    context = browser.new_context(locale="pt-BR")
    page = context.new_page()
    page.goto(f"{desk.url}/login")
    page.fill("input[name=email]", "ana@example.com")
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")
    page.wait_for_url(f"{desk.url}/")
    context.storage_state(path=kept)
    context.close()
    return kept


@pytest.fixture
def open_phone(desk: Desk, browser: Browser, signed_in: Path) -> Iterator[Any]:
    """Give a function that opens the page with somebody new at the phone; the browser must not complain."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_page(shape: str = "meta", viewport: dict[str, int] = WIDE) -> Page:
        context = browser.new_context(storage_state=signed_in, viewport=viewport, locale="pt-BR")  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
        page.goto(f"{desk.url}/simulator?number={desk.numbers[shape]}")
        page.click("[data-new] > summary")
        page.select_option("#new-country", "BR")
        page.click("#new-customer button[type=submit]")
        # Until then, whoever was at the phone before is still there.
        expect(page.locator("#phone-field")).to_be_focused(timeout=ANSWER_MS)
        expect(page.locator("[data-empty]")).to_be_visible()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def _say(page: Page, text: str) -> None:
    page.fill("#phone-field", text)
    page.press("#phone-field", "Enter")


def _answers(page: Page) -> Any:
    return page.locator("[data-key].is-theirs")


def test_a_greeting_is_answered_and_read(open_phone: Any) -> None:
    page = open_phone()
    _say(page, "oi")
    expect(_answers(page)).to_have_count(1, timeout=ANSWER_MS)
    expect(_answers(page).last).to_contain_text("Nexora Investments")
    expect(_answers(page).last.locator(".tick.is-read")).to_be_visible(timeout=ANSWER_MS)
    expect(page.locator("[data-key].is-mine")).to_have_count(1)
    expect(page.locator("details.turn").first).to_contain_text("nexora")
    expect(page.locator("[data-doors] .door-code").first).to_have_text("200")


def test_a_row_of_the_list_is_chosen_with_the_keyboard(open_phone: Any) -> None:
    page = open_phone()
    _say(page, "oi")
    button = page.locator("[data-list]")
    expect(button).to_be_visible(timeout=ANSWER_MS)
    button.focus()
    page.keyboard.press("Enter")
    rows = page.locator(".sheet-row")
    expect(rows.first).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("[data-sheet]")).to_be_hidden()
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    expect(rows.nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(_answers(page)).to_have_count(2, timeout=ANSWER_MS)


def test_words_wait_until_somebody_is_at_the_phone(open_phone: Any) -> None:
    page = open_phone()

    def nobody(route: Route) -> None:
        answer = route.fetch()
        body = re.sub(r'(id="customers"[^>]*>).*?(</script>)', r"\1[]\2", answer.text(), flags=re.DOTALL)
        route.fulfill(response=answer, body=body)

    page.route("**/simulator?*", nobody)
    page.evaluate("localStorage.clear()")
    page.reload()
    _say(page, "oi")
    expect(page.locator("#phone-field")).to_have_value("oi")
    expect(page.locator("#new-country")).to_be_focused()


def test_a_receipt_leaves_the_focus_where_it_is(open_phone: Any) -> None:
    page = open_phone()
    _say(page, "oi")
    button = page.locator("[data-list]")
    expect(button).to_be_visible(timeout=ANSWER_MS)
    button.focus()
    button.evaluate("button => button.classList.add('stale')")
    expect(page.locator("[data-list].stale")).to_have_count(0, timeout=ANSWER_MS)
    expect(button).to_be_focused()


def test_a_repeat_changes_nothing(open_phone: Any, desk: Desk) -> None:
    page = open_phone()
    _say(page, "oi")
    expect(_answers(page).last.locator(".tick.is-read")).to_be_visible(timeout=ANSWER_MS)
    with desk.app.app_context():
        before = len(db.session.execute(select(Message.id)).all())
    page.click("[data-act=repeat]")
    expect(page.locator("[data-doors] .door-note").first).to_have_text(re.compile("mesmos bytes|bytes", re.I))
    page.wait_for_timeout(2500)
    with desk.app.app_context():
        assert len(db.session.execute(select(Message.id)).all()) == before


def test_a_failed_delivery_is_shown_as_lost(open_phone: Any) -> None:
    page = open_phone()
    page.click("[data-act=fail]")
    expect(page.locator("[data-act=fail]")).to_have_attribute("aria-pressed", "true")
    _say(page, "oi")
    lost = page.locator(".bubble.is-lost")
    expect(lost).to_be_visible(timeout=ANSWER_MS)
    expect(lost).to_contain_text("131026")
    expect(page.locator("[data-act=fail]")).to_have_attribute("aria-pressed", "false")


def test_a_locked_phone_receives_and_does_not_read(open_phone: Any) -> None:
    page = open_phone()
    page.click("[data-act=lock]")
    _say(page, "oi")
    tick = _answers(page).last.locator(".tick")
    expect(tick).to_have_class(re.compile("is-delivered"), timeout=ANSWER_MS)
    page.wait_for_timeout(1500)
    expect(tick).to_have_class(re.compile("is-delivered"))
    page.click("[data-act=lock]")
    expect(tick).to_have_class(re.compile("is-read"), timeout=ANSWER_MS)


def test_a_hidden_number_stays_one_conversation(open_phone: Any) -> None:
    page = open_phone()
    _say(page, "oi")
    expect(_answers(page)).to_have_count(1, timeout=ANSWER_MS)
    page.click("[data-act=hide]")
    _say(page, "menu")
    expect(_answers(page)).to_have_count(2, timeout=ANSWER_MS)
    expect(page.locator("[data-facts] .fa-eye-slash")).to_be_visible()


def test_the_owner_takes_over_and_the_desk_is_silent(open_phone: Any) -> None:
    page = open_phone()
    _say(page, "oi")
    expect(_answers(page)).to_have_count(1, timeout=ANSWER_MS)
    page.click("[data-act=owner]")
    expect(_answers(page)).to_have_count(2, timeout=ANSWER_MS)
    _say(page, "obrigado, Ana!")
    expect(page.locator("details.turn .who.is-human").first).to_be_visible(timeout=ANSWER_MS)
    expect(_answers(page)).to_have_count(2)


def test_ageing_closes_the_window(open_phone: Any) -> None:
    page = open_phone()
    _say(page, "oi")
    expect(_answers(page)).to_have_count(1, timeout=ANSWER_MS)
    page.click("[data-act=age]")
    expect(page.locator("[data-facts]")).to_contain_text("fechada", timeout=ANSWER_MS)


def test_a_product_is_made_on_its_page_bought_in_chat_and_paid(open_phone: Any, desk: Desk) -> None:
    phone = open_phone("shop")
    house = phone.context.new_page()
    house.goto(f"{desk.url}/products/new")
    house.fill("#name_pt", "Curso de Violão")
    house.fill("#price", "97,00")
    house.select_option("#category", label="Cursos")
    house.check("#active")
    house.locator("input[name=delivery_kind][value=text]").check()
    house.fill("#delivery_text", "https://curso.example/entrar")
    house.locator(".product-side > button").click()
    expect(house.locator(".notice-success")).to_be_visible()
    for said, answered in (
        ("oi", "Nexora"),
        ("quanto custa o curso de violão?", "97,00"),
        ("comprar", "?"),
        ("1", "97,00"),
        ("fechar pedido", "97,00"),
        ("sim", "dados para pagamento"),
    ):
        _say(phone, said)
        expect(_answers(phone).last).to_contain_text(answered, timeout=ANSWER_MS)
    with desk.app.app_context():
        order_id = db.session.scalars(select(Order.id)).one()
    house.goto(f"{desk.url}/orders/{order_id}")
    form = house.locator(f'form[action$="/orders/{order_id}/paid"]')
    form.locator("[name=amount]").fill("97,00")
    form.locator("[name=reason]").fill("no extrato")
    form.locator("button").click()
    expect(house.locator(".notice-success")).to_be_visible()
    expect(_answers(phone).last).to_contain_text("https://curso.example/entrar", timeout=ANSWER_MS)


def test_the_twilio_phone_shows_numbered_text(open_phone: Any) -> None:
    page = open_phone("twilio")
    _say(page, "hola")
    expect(_answers(page)).to_have_count(1, timeout=ANSWER_MS)
    expect(page.locator(".bubble-action")).to_have_count(0)
    _say(page, "1")
    expect(_answers(page)).to_have_count(2, timeout=ANSWER_MS)


def test_a_narrow_screen_holds_the_whole_phone(open_phone: Any) -> None:
    page = open_phone(viewport=PHONE)
    _say(page, "oi")
    expect(_answers(page)).to_have_count(1, timeout=ANSWER_MS)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    box = page.locator("[data-compose]").bounding_box()
    bar = page.locator("nav.side").bounding_box()
    assert box is not None
    assert bar is not None
    assert box["y"] + box["height"] <= bar["y"], "the navigation covers the message field"


def test_a_customer_is_still_there_after_a_reload(open_phone: Any) -> None:
    page = open_phone()
    _say(page, "oi")
    expect(_answers(page)).to_have_count(1, timeout=ANSWER_MS)
    name = page.locator("#customer option:checked").inner_text()
    page.reload()
    expect(page.locator("#customer option:checked")).to_have_text(name)
    expect(_answers(page)).to_have_count(1, timeout=ANSWER_MS)
