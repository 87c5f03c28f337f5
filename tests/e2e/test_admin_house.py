"""The admins' pages in a real browser: a flow edited, tried, published and taken back; CSV out and in; a
template handed in and approved; what a figure means by hover and by keyboard; everything without script, too.
"""

import csv
from collections.abc import Callable
from pathlib import Path

from flask import Flask
from playwright.sync_api import Browser, expect

import counting
import flow_versions
from config import Config
from models import Contact, Integration, db, utc_now
from tests.e2e.conftest import DESKTOP, Browsing
from tests.fakes.graph import FakeGraph
from tests.fakes.webhooks import (
    APP_SECRET,
    BUSINESS_ACCOUNT_ID,
    MetaWebhooks,
)
from tests.page_rows import ADMIN_EMAIL, PASSWORD, Desk
from tests.pictures import picture_bytes
from tests.real_door import WalkedDesk
from tests.records import make_meta_number

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


def test_a_template_with_a_picture_is_handed_in_and_approved_by_a_webhook(
    app: Flask, browsing: Browsing, load_config: Callable[..., Config], tmp_path: Path
) -> None:
    picture = tmp_path / "vitrine.png"
    picture.write_bytes(picture_bytes())
    with FakeGraph() as graph:
        app.config["BALCAO"] = load_config(GRAPH_API_BASE_URL=graph.url)
        with app.app_context():
            number = make_meta_number(app_secret=APP_SECRET).id
            db.session.commit()
        page = browsing.open(f"/templates/new?number={number}")
        page.fill("#name", "pedido_pronto")
        page.select_option("#header_kind", "image")
        page.set_input_files("#header_file", picture)
        page.fill("#body", "Olá {{1}}, o seu pedido está pronto.")
        page.click("button[name=preview]")
        page.locator('[name="example:1"]').fill("Bia")
        page.locator("form .reach-buttons .btn-accent").click()
        page.locator('form[action$="/submit"] button').click()
        expect(page.locator(".tag-warn")).to_be_visible()
        (template,) = graph.templates
        assert template["components"][0]["format"] == "IMAGE"
        about = {"message_template_id": int(template["id"]), "message_template_name": "pedido_pronto"}
        news = {"event": "APPROVED", "reason": None, "message_template_language": "pt_BR", **about}
        signer = MetaWebhooks(business_account_id=BUSINESS_ACCOUNT_ID)
        desk = WalkedDesk(app, app.test_client(), graph)
        assert desk.post(signer.sign(signer.envelope([news], field="message_template_status_update"))) == 200
        desk.work()
        page.reload()
        expect(page.locator(".tag-bot").first).to_be_visible()
        expect(page.locator('a[href*="campaigns/new"]')).to_be_visible()


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
