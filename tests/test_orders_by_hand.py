"""Orders that people make, send, book and find: through the pages, within the bounds of roles, once each."""

import csv
import io
import threading
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

import history
import integrations
import operators
from models import Conversation, Order, Payment, Sale, db, utc_now
from shop import catalog, orders, payments
from tests import page_rows
from tests.browsing import counted, get, post, sign_in
from tests.page_rows import ADMIN_EMAIL, AGENT_EMAIL, PASSWORD
from tests.paying import PIX, open_topics, told
from tests.records import make_conversation, make_product

MANAGER_EMAIL = "gerente@loja.com.br"
PAID = {"amount": "97,00", "reason": "visto no extrato"}


@pytest.fixture
def shop(app: Flask) -> tuple[int, int, int]:
    """Give a customer who has just written, and two products: one of which three are left."""
    app.config["BALCAO"] = replace(
        app.config["BALCAO"],
        pix_key=PIX["PIX_KEY"],
        pix_name=PIX["PIX_NAME"],
        pix_city=PIX["PIX_CITY"],
    )
    with app.app_context():
        page_rows.people()
        operators.create_operator(MANAGER_EMAIL, "Gil", PASSWORD, "manager")
        conversation = make_conversation()
        conversation.last_inbound_at = utc_now()
        ids = (conversation.id, make_product().id, make_product("livro", 3333, stock=3).id)
        db.session.commit()
        integrations.forget()
    return ids


def browser(app: Flask, email: str = MANAGER_EMAIL) -> FlaskClient:
    client = app.test_client()
    sign_in(client, email)
    post(client, "/language", "/account", language="pt")
    return client


def make(client: FlaskClient, conversation_id: int, quantities: dict[int, int], **fields: Any) -> Any:
    typed = {f"quantity_{product_id}": str(count) for product_id, count in quantities.items()}
    page = f"/orders/new/{conversation_id}"
    return post(client, page, page, **{"do": "place", **typed, **fields})


def only_order() -> Order:
    return db.session.query(Order).one()


def test_a_manager_makes_an_order_with_a_discount_beside_the_customers_cart(
    app: Flask, shop: tuple[int, int, int]
) -> None:
    conversation_id, course, book = shop
    client = browser(app)
    with app.app_context():
        of = db.session.get_one(Conversation, conversation_id)
        found = catalog.product_by_sku("curso-1")
        cart_id = orders.add_to_cart(of.id, of.contact_id, found, 1, now=utc_now()).id
        db.session.commit()
    looked = make(client, conversation_id, {course: 1, book: 2}, percent="15", do="look")
    assert "R$ 139,11" in looked.text.replace("\xa0", " ")  # 82.45 + 2 × 28.33
    answer = make(client, conversation_id, {course: 1, book: 2}, percent="15")
    assert answer.status_code == 303
    again = make(client, conversation_id, {course: 1, book: 2}, percent="15")
    assert again.location == answer.location, "a second press is the same order"
    with app.app_context():
        made = db.session.query(Order).filter(Order.id != cart_id).one()
        assert (made.status, made.source, made.total_minor) == ("placed", "operator", 13911)
        assert [(item.quantity, item.price_minor) for item in made.items] == [(1, 8245), (2, 2833)]
        step = history.changes_of("order", made.id)[0]
        assert (step.actor, step.operator_id is not None, step.reason) == ("operator", True, "−15 %")
        assert db.session.get_one(Order, cart_id).cart_of_conversation_id == conversation_id


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"percent": "21"}, "20"),
        ({"percent": "-1"}, "inteiros"),
        ({"percent": "1e1"}, "inteiros"),
        ({"quantity": "4"}, "livro"),
        ({"quantity": "x"}, "inteiros"),
        ({"quantity": "0"}, "produto"),
        ({"quantity": "1000"}, "999"),
    ],
)
def test_what_cannot_be_ordered_is_said_and_leaves_nothing(
    app: Flask, shop: tuple[int, int, int], fields: dict[str, str], words: str
) -> None:
    conversation_id, _course, book = shop
    typed = {f"quantity_{book}": fields.get("quantity", "1"), "percent": fields.get("percent", "")}
    page = f"/orders/new/{conversation_id}"
    answer = post(browser(app), page, page, do="place", **typed)
    assert answer.status_code == 422
    assert words in answer.text.split('role="alert"')[1].split("</div>")[0]
    with app.app_context():
        assert db.session.query(Order).count() == 0


def test_a_gift_is_an_admins_alone(app: Flask, shop: tuple[int, int, int]) -> None:
    conversation_id, course, _book = shop
    assert make(browser(app), conversation_id, {course: 1}, percent="100").status_code == 422
    admin = browser(app, ADMIN_EMAIL)
    for _ in range(2):  # a double click
        assert make(admin, conversation_id, {course: 1}, percent="100").status_code == 303
    with app.app_context():
        assert (only_order().status, only_order().total_minor) == ("paid", 0)
        assert db.session.query(Sale).count() == 0


def test_the_customer_is_sent_how_to_pay_once(app: Flask, shop: tuple[int, int, int]) -> None:
    conversation_id, course, _book = shop
    client = browser(app)
    page = make(client, conversation_id, {course: 1}).location
    post(client, f"{page}/ask", page, method="pix")
    post(client, f"{page}/ask", page, method="pix")
    with app.app_context():
        payment = db.session.query(Payment).one()
        assert told(conversation_id).count(payment.data["code"]) == 1
        db.session.get_one(Conversation, conversation_id).last_inbound_at = None
        payment.data = {**payment.data, "shown_at": "2026-01-01T00:00:00+00:00"}
        db.session.commit()
    post(client, f"{page}/ask", page, method="pix")
    assert "24" in get(client, page).text.split("notice-danger")[1]
    post(client, f"{page}/ask", page, method="stripe")
    with app.app_context():
        assert len(told(conversation_id)) == 2  # the picture and the code


def test_money_that_a_person_saw_pays_once_with_reason_and_reference(
    app: Flask, shop: tuple[int, int, int]
) -> None:
    conversation_id, course, _book = shop
    client = browser(app)
    page = make(client, conversation_id, {course: 1}).location
    post(client, f"{page}/paid", page, amount="97,00", reason=" ")
    post(client, f"{page}/paid", page, amount="96,00", reason="errado")
    with app.app_context():
        assert only_order().status == "placed"
    post(client, f"{page}/paid", page, **PAID, reference="E123")
    post(client, f"{page}/paid", page, **PAID, reference="E124")
    with app.app_context():
        assert only_order().status == "paid"
        (payment,) = payments.payments_of(only_order().id)
        assert (payment.status, payment.external_id) == ("confirmed", "E123")
        assert db.session.query(Sale).count() == 1
        assert f"payment_twice:{only_order().id}" not in open_topics()
    shown = get(client, page).text
    assert "visto no extrato" in shown
    assert "E123" in shown
    second = make(client, conversation_id, {course: 1}).location
    post(client, f"{second}/paid", second, **PAID, reference="E123")
    with app.app_context():
        assert db.session.get_one(Order, int(second.rsplit("/", 1)[1])).status == "placed", (
            "one transfer, one order"
        )


def test_two_people_who_mark_it_paid_at_once_pay_it_once(app: Flask, shop: tuple[int, int, int]) -> None:
    conversation_id, course, _book = shop
    page = make(browser(app), conversation_id, {course: 1}).location
    ready = threading.Barrier(2)
    codes: list[int] = []

    def press(client: FlaskClient, reference: str) -> None:
        ready.wait(60)
        codes.append(post(client, f"{page}/paid", page, **PAID, reference=reference).status_code)

    pair = [(browser(app), "one"), (browser(app, ADMIN_EMAIL), "two")]
    threads = [threading.Thread(target=press, args=one) for one in pair]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert codes == [303, 303]
    with app.app_context():
        assert only_order().status == "paid"
        assert [row.status for row in payments.payments_of(only_order().id)] == ["confirmed"]
        assert db.session.query(Sale).count() == 1


def test_orders_are_found_and_leave_as_a_file(app: Flask, shop: tuple[int, int, int]) -> None:
    conversation_id, course, book = shop
    client = browser(app)
    first, second = (make(client, conversation_id, {one: 1}).location for one in (course, book))
    post(client, f"{first}/paid", first, **PAID)
    with app.app_context():
        numbers = {row.id: row.number or "" for row in db.session.query(Order)}
    paid, placed = (numbers[int(page.rsplit("/", 1)[1])] for page in (first, second))
    for query, found in {
        "status=paid": {paid},
        "money=unpaid": {placed},
        f"q={placed.lower()}": {placed},
        "q=ana+lima": {paid, placed},
        "q=98765": {paid, placed},
        "q=nobody": set(),
        "since=2999-01-01": set(),
        "until=2999-01-01&since=2020-01-01": {paid, placed},
        "status=x&money=%00&since=x&until=0001-01-01": set(),
        "since=0001-01-01&until=9999-12-31": {paid, placed},
    }.items():
        page = get(client, f"/orders?{query}")
        assert page.status_code == 200, query
        assert {number for number in numbers.values() if f">{number}<" in page.text} == found, query
        rows = list(csv.reader(io.StringIO(get(client, f"/orders.csv?{query}").text)))
        assert {row[0] for row in rows[1:]} == found, query
    assert rows[1][3:9] == ["Ana Lima", "5581998765432", "1 x Curso livro", "33.33", "BRL", "placed"]


def test_agents_look_and_do_not_sell(app: Flask, shop: tuple[int, int, int]) -> None:
    conversation_id, course, _book = shop
    page = make(browser(app), conversation_id, {course: 1}).location
    agent = browser(app, AGENT_EMAIL)
    assert get(agent, page).status_code == 200
    assert get(agent, "/orders.csv").status_code == 403
    assert get(agent, f"/orders/new/{conversation_id}").status_code == 403
    for path in (f"{page}/ask", f"{page}/paid", f"/orders/new/{conversation_id}"):
        assert post(agent, path, "/account", **PAID, do="place", method="pix").status_code == 403
    with app.app_context():
        assert only_order().status == "placed"
    client = browser(app)
    for path in (f"/orders/new/{conversation_id}", page, "/orders"):
        get(client, path)
        with counted(app) as asked:
            get(client, path)
        assert len(asked) <= 15, path
