"""The admins' pages in a real browser: a flow edited, tried, published and taken back; CSV out and in; what
a figure means by hover and by keyboard; everything without script, too.
"""

import csv
from pathlib import Path

from flask import Flask
from playwright.sync_api import Browser, expect

import counting
import flow_versions
from models import Contact, Integration, db, utc_now
from tests.e2e.test_pages import DESKTOP, Browsing, browser, browsing, desk, origin, phone
from tests.page_rows import ADMIN_EMAIL, PASSWORD, Desk

__all__ = ["browser", "browsing", "desk", "origin", "phone"]  # fixtures
OLD, NEW = "pt: Central de atendimento", "pt: Atendimento novo"


def test_a_flow_is_edited_tried_published_and_taken_back(app: Flask, browsing: Browsing) -> None:
    page = browsing.open("/flows/desk")
    source = page.input_value("#source")
    page.fill("#source", source.replace("start: menu", "start: nowhere", 1))
    page.locator('button[value="publish"]').click()
    page.locator(".notice-danger a").first.click()
    expect(page.locator("li.is-wrong")).to_be_in_viewport()
    page.fill("#source", source.replace(OLD, NEW, 1))
    page.locator('button[value="keep"]').click()
    expect(page.locator(".is-added")).to_contain_text(NEW)
    page.locator('button[value="try"]').click()
    expect(page.locator("#phone-field")).to_be_visible()
    with app.app_context():
        tried = db.session.query(Integration).filter_by(number_id="try-desk").one()
        flow_versions.hold(None, tried.id)
        assert flow_versions.flows()["desk"].title["pt"] == "Atendimento novo"
        flow_versions.forget()
        assert flow_versions.flows()["desk"].title["pt"] != "Atendimento novo"
    page = browsing.open("/flows/desk")
    page.fill("#reason", "outro nome")
    page.locator('button[value="publish"]').click()
    expect(page.locator("#versions ~ .records")).to_contain_text("outro nome")
    expect(browsing.open("/flows").locator("main")).to_contain_text("Atendimento novo")
    page = browsing.open("/flows/desk")
    page.locator('form[action$="shipped/restore"] button').click()
    expect(browsing.open("/flows").locator("main")).to_contain_text("Central de atendimento")
    assert all("422" in complaint for complaint in browsing.complaints)  # the refusal above


def test_the_steps_of_a_flow_are_reached_by_keyboard(browsing: Browsing) -> None:
    page = browsing.open("/flows/desk")
    first = page.locator(".flow-drawing a").first
    first.focus()
    assert (first.get_attribute("aria-label") or "").startswith("menu;")
    arcs = page.locator(".flow-drawing .step").first.locator(".arc")
    opacity = arcs.first.evaluate("one => getComputedStyle(one).opacity")
    assert opacity == "1"
    page.keyboard.press("Enter")
    expect(page.locator(".flow-lines li:target")).to_contain_text("menu:")


def test_the_drawing_fits_a_phone(phone: Browsing) -> None:
    box = phone.open("/flows/desk").locator(".flow-drawing").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390


def test_a_figure_says_what_it_counts_by_hover_and_by_keyboard(app: Flask, browsing: Browsing) -> None:
    with app.app_context():
        counting.count_missing(app.config["BALCAO"], utc_now())
    page = browsing.open("/analytics")
    words = page.locator("#what-messages_in")
    expect(words).to_be_hidden()
    page.locator(".tile .what-button").first.hover()
    expect(words).to_be_visible()
    page.mouse.move(0, 0)
    expect(words).to_be_hidden()
    page.locator(".tile .what-button").first.focus()
    expect(words).to_be_visible()
    with page.expect_download() as download:
        page.locator(".page-tools a").click()
    rows = list(csv.reader(Path(download.value.path()).read_text().splitlines()))
    assert rows[0] == ["day", "figure", "part", "count", "total"]


def test_the_address_book_leaves_and_comes_back(
    app: Flask, browsing: Browsing, desk: Desk, tmp_path: Path
) -> None:
    page = browsing.open("/contacts")
    page.fill("#field-name", "Cidade")
    page.locator('form[action$="/fields"] button').click()
    with page.expect_download() as download:
        page.locator(".page-tools a").click()
    rows = list(csv.reader(Path(download.value.path()).read_text().splitlines()))
    place = rows[0].index("Cidade")
    for row in rows[1:]:
        row[place] = "Recife"
    file = tmp_path / "back.csv"
    with file.open("w", newline="") as opened:
        csv.writer(opened).writerows(rows)
    page.set_input_files("#file", file)
    page.locator('form[action$="/import"] button').click()
    expect(page.locator(".notice-success")).to_be_visible()
    with app.app_context():
        cities = [contact.custom for contact in db.session.query(Contact)]
        assert all(custom and "Recife" in custom.values() for custom in cities)


def test_the_house_works_without_script(browser: Browser, origin: str, desk: Desk) -> None:
    context = browser.new_context(viewport=DESKTOP, locale="pt-BR", java_script_enabled=False)
    page = context.new_page()
    page.goto(origin + "/login")
    page.fill("#email", ADMIN_EMAIL)
    page.fill("#password", PASSWORD)
    page.locator("form .btn-accent").click()
    for path in ("/analytics", "/flows/shop", "/integrations", "/contacts", "/operators", "/getting-started"):
        page.goto(origin + path)
        expect(page.locator("h1")).to_be_visible()
    page.goto(origin + "/integrations/new?provider=meta")
    page.fill("#number_id", "106540352242922")
    page.fill("#name", "Loja")
    page.fill("#access_token", "um-token-bem-longo")
    page.locator("main form .btn-accent").click()
    expect(page.locator("#address")).to_be_visible()
    assert "um-token-bem-longo" not in page.content()
    context.close()
