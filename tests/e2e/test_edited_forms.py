"""Two people in one form, in a real browser: what the second one sees, on each screen and in both colours."""

from flask import Flask
from playwright.sync_api import expect

from models import Contact, db
from tests.e2e.conftest import Browsing


def test_whoever_saves_second_sees_what_the_first_changed(app: Flask, every_look: Browsing) -> None:
    with app.app_context():
        contact_id = db.session.query(Contact.id).order_by(Contact.id).limit(1).scalar()
    page = every_look.open(f"/contacts/{contact_id}")
    page.fill("#name", "Mariana Souza")
    with app.app_context():
        contact = db.session.get_one(Contact, contact_id)
        contact.name, contact.email = "Mariana Lima", "mariana@exemplo.com.br"
        db.session.commit()
    page.get_by_role("button", name="Salvar").click()
    told = page.get_by_role("alert")
    expect(told).to_contain_text("Mariana Lima")
    expect(told).to_be_focused()
    expect(page.locator("#name")).to_have_value("Mariana Souza")
    expect(page.locator("#email")).to_have_value("mariana@exemplo.com.br")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    told.get_by_role("button", name="Salvar mesmo assim").click()
    expect(page.get_by_role("status")).to_be_visible()
    expect(page.locator("#name")).to_have_value("Mariana Souza")
    refused = [words for words in every_look.complaints if "409" not in words]  # the browser tells the answer
    assert refused == []
