"""What programs do in the shop: products and their keys, orders, their money and its way back."""

from typing import Any

import pytest
from flask import Flask

from models import (
    Category,
    LicenceKey,
    Message,
    Order,
    Payment,
    Product,
    Refund,
    Sale,
    StateChange,
    db,
)
from tests.calling import API, Caller, code_of
from tests.records import make_product


def steps(app: Flask, record: str) -> list[tuple[str, str]]:
    with app.app_context():
        rows = db.session.query(StateChange).filter_by(record=record).order_by(StateChange.id)
        return [(row.after, row.actor) for row in rows]


@pytest.fixture
def category_id(app: Flask) -> int:
    with app.app_context():
        row = Category(name="Cursos", names={"en": "Courses"})
        db.session.add(row)
        db.session.commit()
        return row.id


# --- products -----------------------------------------------------------------------------------------------


def product(shelf_id: int, **more: Any) -> dict[str, Any]:
    price = {"amount_minor": 9_700, "currency": "BRL"}
    return {"name": "Curso de violão", "category_id": shelf_id, "price": price, **more}


def test_a_product_is_made_as_the_form_makes_it(app: Flask, program: Caller, category_id: int) -> None:
    wish = product(
        category_id,
        description="Do zero.",
        benefits=["12 aulas"],
        stock=5,
        translations={"en": {"name": "Guitar course", "benefits": ["12 lessons"]}},
        delivery={"kind": "text", "text": "SEGREDO"},
    )
    made = program.post("/products", wish, once="p-1")
    assert made.status_code == 201, made.text
    assert program.post("/products", wish, once="p-1").json == made.json
    answer = program.call("GET", made.headers["Location"].removeprefix(API))
    told = answer.json
    assert (told["sku"], told["name"], told["names"]) == (
        "curso-de-violao",
        "Curso de violão",
        {"en": "Guitar course"},
    )
    assert (told["benefits"], told["stock"], told["delivery_kind"]) == (["12 aulas"], 5, "text")
    assert told["price"] == {"amount_minor": 9_700, "currency": "BRL"}
    assert "SEGREDO" not in answer.text + made.text
    assert steps(app, "product") == [("on_sale", "program")]
    (shelf,) = program.get("/categories")["data"]
    assert (shelf["id"], shelf["names"]) == (category_id, {"en": "Courses"})
    assert program.get("/niches")["data"] == []
    with app.app_context():
        assert db.session.query(Product).one().delivery_text == "SEGREDO"


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"category_id": 99}, 409, "conflict"),
        ({"price": {"amount_minor": 1, "currency": "XXX"}}, 409, "conflict"),
        ({"price": {"amount_minor": -1, "currency": "BRL"}}, 422, "invalid"),
        ({"delivery": {"kind": "text"}}, 409, "conflict"),
        ({"delivery": {"kind": "file"}}, 422, "invalid"),
        ({"sku": "curso 1"}, 422, "invalid"),
        ({"name": " "}, 422, "invalid"),
        ({"offer_ends_at": "2020-01-01T00:00:00Z"}, 409, "conflict"),
    ],
)
def test_what_is_no_product_leaves_none(
    app: Flask, program: Caller, category_id: int, more: dict[str, Any], status: int, code: str
) -> None:
    answer = program.post("/products", product(category_id, **more))
    assert (answer.status_code, code_of(answer)) == (status, code), answer.text
    with app.app_context():
        assert db.session.query(Product).count() == 0


def test_a_product_changes_word_by_word_and_goes_off_sale(
    app: Flask, program: Caller, category_id: int
) -> None:
    wish = product(category_id, sku="v-1", description="Do zero.", translations={"es": {"name": "Curso"}})
    path = f"/products/{program.post('/products', wish).json['id']}"
    seen = program.call("GET", path).headers["ETag"]
    changed = program.call("PATCH", path, json={"name": "Violão II"}, headers={"If-Match": seen})
    assert changed.status_code == 200, changed.text
    assert (changed.json["name"], changed.json["description"], changed.json["names"]) == (
        "Violão II",
        "Do zero.",
        {"es": "Curso"},
    )
    late = program.call("PATCH", path, json={"name": "x"}, headers={"If-Match": seen})
    assert (late.status_code, code_of(late)) == (412, "precondition_failed")
    more = {"benefits": ["Certificado"], "translations": {"en": {"name": "Guitar II"}}, "sku": None}
    told = program.call("PATCH", path, json=more).json
    assert (told["benefits"], told["sku"]) == (["Certificado"], "v-1")
    assert told["names"] == {"es": "Curso", "en": "Guitar II"}
    assert program.call("PATCH", path, json={"is_active": False}).json["is_active"] is False
    assert steps(app, "product")[-1] == ("off_sale", "program")


def test_keys_go_onto_a_products_list_once_and_are_not_shown(
    app: Flask, program: Caller, category_id: int
) -> None:
    made = program.post("/products", product(category_id, delivery={"kind": "key"}))
    path = f"/products/{made.json['id']}/keys"
    first = program.post(path, {"keys": ["AAA-1", "AAA-2"]})
    assert (first.json["added"], first.json["known"]) == (2, 0), first.text
    again = program.post(path, {"keys": ["AAA-2", "AAA-3"]})
    assert (again.json["added"], again.json["known"]) == (1, 1)
    assert "AAA" not in first.text + program.call("GET", f"/products/{made.json['id']}").text
    assert program.post("/products/99/keys", {"keys": ["A"]}).status_code == 404
    with app.app_context():
        assert db.session.query(LicenceKey).count() == 3


# --- orders -------------------------------------------------------------------------------------------------


@pytest.fixture
def goods(app: Flask) -> dict[str, int]:
    with app.app_context():
        rows = {"course": make_product("c-1", 9_700, stock=5), "book": make_product("b-1", 1_050)}
        db.session.commit()
        return {name: row.id for name, row in rows.items()}


def order(
    program: Caller, thread: dict[str, int], *lines: tuple[int, int], once: str = "o-1", **more: Any
) -> Any:
    items = [{"product_id": product_id, "quantity": count} for product_id, count in lines]
    return program.post("/orders", {"conversation_id": thread["id"], "items": items, **more}, once=once)


def stock_of(app: Flask, product_id: int) -> int | None:
    with app.app_context():
        return db.session.get_one(Product, product_id).stock


def test_an_order_is_made_once_for_each_key(
    app: Flask, program: Caller, thread: dict[str, int], goods: dict[str, int], woken: list[int]
) -> None:
    lines = ((goods["course"], 1), (goods["course"], 1), (goods["book"], 1))
    made = order(program, thread, *lines, discount_percent=10)
    assert made.status_code == 201, made.text
    assert order(program, thread, *lines, discount_percent=10).json == made.json
    told = program.get(made.headers["Location"].removeprefix(API))
    assert (told["status"], told["payment_status"], told["source"]) == ("placed", "unpaid", "program")
    assert told["total"] == {"amount_minor": 2 * 8_730 + 945, "currency": "BRL"}
    assert {one["product_id"]: one["quantity"] for one in told["items"]} == {
        goods["course"]: 2,
        goods["book"]: 1,
    }
    assert told["number"]
    assert told["payments"] == []
    assert steps(app, "order") == [("placed", "program")]
    second = order(program, thread, *lines, discount_percent=10, once="o-2")
    assert second.json["id"] != made.json["id"], "another key is another order"
    assert stock_of(app, goods["course"]) == 1
    short = order(program, thread, (goods["course"], 2), once="o-3")
    assert (short.status_code, code_of(short)) == (409, "out_of_stock")
    assert stock_of(app, goods["course"]) == 1


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"conversation_id": 99}, 404, "not_found"),
        ({"items": [{"product_id": 99}]}, 409, "conflict"),
        ({"items": []}, 422, "invalid"),
        ({"discount_percent": 21}, 422, "invalid"),
    ],
)
def test_what_is_no_order_leaves_none(
    app: Flask,
    program: Caller,
    thread: dict[str, int],
    goods: dict[str, int],
    more: dict[str, Any],
    status: int,
    code: str,
) -> None:
    answer = order(program, thread, (goods["course"], 1), **more)
    assert (answer.status_code, code_of(answer)) == (status, code), answer.text
    nameless = order(program, thread, (goods["course"], 1), once="")
    assert (nameless.status_code, code_of(nameless)) == (400, "bad_idempotency_key")
    with app.app_context():
        assert db.session.query(Order).count() == 0


def test_money_by_hand_pays_an_order_once_and_goes_back(
    app: Flask, program: Caller, thread: dict[str, int], goods: dict[str, int], woken: list[int]
) -> None:
    path = f"/orders/{order(program, thread, (goods['course'], 2)).json['id']}"
    money = {"amount_minor": 19_400, "currency": "BRL", "reason": "Extrato", "reference": "E-1"}
    wrong = program.post(f"{path}/paid", {**money, "amount_minor": 19_300})
    assert (wrong.status_code, code_of(wrong)) == (409, "conflict")
    assert program.get(path)["payment_status"] == "unpaid"
    paid = program.post(f"{path}/paid", money)
    assert paid.status_code == 200, paid.text
    assert (paid.json["result"], paid.json["status"], paid.json["payment_status"]) == ("paid", "paid", "paid")
    again = program.post(f"{path}/paid", money)
    assert (again.status_code, code_of(again)) == (409, "conflict")
    (payment,) = program.get(path)["payments"]
    assert (payment["method"], payment["status"]) == ("manual", "confirmed")
    assert code_of(program.post(f"{path}/cancel", {})) == "conflict"
    with app.app_context():
        assert db.session.query(Sale).one().amount_minor == 19_400
        told = db.session.query(Message).filter_by(conversation_id=thread["id"], direction="out").count()
        assert told > 0
    back = {"payment_id": payment["id"], "amount_minor": 9_700, "reason": "Uma só"}
    first = program.post(f"{path}/refunds", back, once="r-1")
    assert (first.json["result"], first.json["payment_status"]) == ("done", "partly_refunded"), first.text
    assert program.post(f"{path}/refunds", back, once="r-1").json == first.json
    much = program.post(f"{path}/refunds", {**back, "amount_minor": 9_701}, once="r-2")
    assert (much.status_code, code_of(much)) == (409, "conflict")
    rest = program.post(f"{path}/refunds", {**back, "restock": True}, once="r-3")
    assert (rest.json["status"], rest.json["payment_status"]) == ("refunded", "refunded")
    assert stock_of(app, goods["course"]) == 5
    with app.app_context():
        assert [row.amount_minor for row in db.session.query(Refund)] == [9_700, 9_700]
    assert {actor for _, actor in steps(app, "payment") + steps(app, "refund") + steps(app, "order")} == {
        "program"
    }
    assert set(woken) == {thread["id"]}


def test_an_unpaid_order_is_cancelled_and_gives_its_goods_back(
    app: Flask, program: Caller, thread: dict[str, int], goods: dict[str, int], woken: list[int]
) -> None:
    path = f"/orders/{order(program, thread, (goods['course'], 2)).json['id']}"
    assert stock_of(app, goods["course"]) == 3
    ended = program.post(f"{path}/cancel", {"reason": "duplicado"})
    assert (ended.json["result"], ended.json["status"]) == ("cancelled", "cancelled")
    assert stock_of(app, goods["course"]) == 5
    assert code_of(program.post(f"{path}/cancel", {})) == "conflict"
    money = {"amount_minor": 19_400, "currency": "BRL", "reason": "Extrato"}
    assert code_of(program.post(f"{path}/paid", money)) == "conflict"


def test_a_cart_is_no_order_and_another_orders_payment_is_not_paid_back(
    app: Flask, program: Caller, thread: dict[str, int]
) -> None:
    with app.app_context():
        ids = {"contact_id": thread["contact_id"], "conversation_id": thread["id"]}
        cart, placed, other = Order(**ids), Order(**ids, status="paid"), Order(**ids, status="paid")
        db.session.add_all([cart, placed, other])
        db.session.flush()
        payment = Payment(
            order_id=other.id,
            method="pix",
            status="confirmed",
            amount_minor=1,
            currency="BRL",
            our_reference="P1",
        )
        db.session.add(payment)
        db.session.commit()
        cart_id, placed_id, payment_id = cart.id, placed.id, payment.id
    assert program.post(f"/orders/{cart_id}/cancel", {}).status_code == 404
    back = {"payment_id": payment_id, "amount_minor": 1}
    refused = program.post(f"/orders/{placed_id}/refunds", back, once="r-1")
    assert (refused.status_code, code_of(refused)) == (409, "conflict")
    with app.app_context():
        assert db.session.query(Refund).count() == 0
