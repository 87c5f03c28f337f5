"""Orders that nobody pays: they end once, give their stock back, and late money is not lost."""

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

import history
import integrations
import opening
import unasked
from alerts import raise_alert
from app import create_app
from config import Config
from models import Contact, Conversation, Order, Payment, Product, Sale, db
from shop import lapsing, orders, payments
from shop.stock import OutOfStock
from tests.paying import PIX, arrived, make_order, open_topics, payment_row, told
from tests.records import NOW, make_conversation, make_product

DAY = timedelta(days=1)
LATER = NOW + 3 * DAY
WAIT_SECS = 120


@pytest.fixture
def shop(app: Flask, load_config: Callable[..., Config]) -> Iterator[Config]:
    with app.app_context():
        make_conversation()
        integrations.forget()
        yield load_config(**PIX)


def end_unpaid(config: Config, now: datetime) -> list[int]:
    db.session.commit()
    return unasked.end_unpaid(config, now)


def left(product: Product) -> int | None:
    return db.session.get_one(Product, product.id, populate_existing=True).stock


def write_at(order: Order, moment: Any) -> None:
    db.session.get_one(Conversation, order.conversation_id).last_inbound_at = moment
    db.session.flush()


def test_an_order_that_is_not_paid_ends_after_its_days_and_gives_its_stock_back(shop: Config) -> None:
    product = make_product(stock=5)
    order = make_order(product, quantity=2)
    assert end_unpaid(shop, LATER - timedelta(minutes=1)) == []
    assert (order.status, left(product)) == ("placed", 3)
    assert end_unpaid(shop, LATER) == [order.conversation_id]
    assert end_unpaid(shop, LATER) == []
    assert (order.status, left(product)) == ("cancelled", 5)
    (*_, step) = history.changes_of("order", order.id)
    assert (step.before, step.after, step.actor, step.reason) == (
        "placed", "cancelled", "system", "not paid in time",
    )  # fmt: skip
    assert told(order.conversation_id) == [], "her window is closed"


@pytest.mark.parametrize(
    ("language", "words"),
    [("pt", "3 dias sem pagamento"), ("es", "3 días sin pago"), ("en", "within 3 days")],
)
def test_a_customer_who_wrote_lately_is_told_once_and_by_day(shop: Config, language: str, words: str) -> None:
    order = make_order()
    db.session.get_one(Contact, order.contact_id).language = language
    night = LATER + timedelta(hours=15)  # 3 in the morning there
    write_at(order, night)
    assert end_unpaid(shop, night) == []
    assert order.status == "placed"
    morning = night + timedelta(hours=6)  # 9
    end_unpaid(shop, morning)
    end_unpaid(shop, morning)
    (said,) = told(order.conversation_id)
    assert words in said
    assert str(order.number) in said


def test_nothing_ends_where_it_is_switched_off(shop: Config, load_config: Callable[..., Config]) -> None:
    order = make_order()
    assert end_unpaid(load_config(UNPAID_ORDER_DAYS="0"), NOW + 300 * DAY) == []
    assert order.status == "placed"


def test_what_somebody_has_to_look_at_does_not_end(shop: Config) -> None:
    claimed, wrong, fresh, held = (make_order(sku=sku) for sku in "abcd")
    payments.claim(claimed, now=NOW)
    raise_alert("payment_mismatch", f"payment_mismatch:{wrong.id}", "look", now=NOW)
    payments.start(fresh, "pix", config=shop, now=NOW + DAY)
    other = make_conversation("5511987654321")
    held = make_order(make_product("e"), conversation=other)
    other.handler = "human"
    db.session.flush()
    end_unpaid(shop, LATER)
    assert {one.status for one in (claimed, wrong, fresh, held)} == {"placed"}
    assert end_unpaid(shop, LATER + DAY) != []
    assert (fresh.status, held.status) == ("cancelled", "placed")


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("pt", "não encontramos o pagamento"),
        ("es", "no encontramos su pago"),
        ("en", "couldn't find its pay"),
    ],
)
def test_what_is_said_to_be_paid_ends_after_people_were_told(shop: Config, language: str, words: str) -> None:
    product = make_product(stock=1)
    order = make_order(product)
    payment = payment_row(payments.start(order, "pix", config=shop, now=NOW).payment_id)
    payments.claim(order, now=NOW)
    db.session.get_one(Contact, order.contact_id).language = language
    topic = f"claim_ending:{order.id}"
    assert end_unpaid(shop, NOW + 7 * DAY) == []
    assert topic not in open_topics()
    late = NOW + 30 * DAY  # no worker ran until then
    write_at(order, late)
    assert end_unpaid(shop, late) == []
    assert (topic in open_topics(), order.status, left(product)) == (True, "placed", 0)
    end = late + 2 * DAY
    write_at(order, end)
    assert end_unpaid(shop, end - timedelta(minutes=1)) == []
    assert end_unpaid(shop, end) == [order.conversation_id]
    assert (order.status, left(product)) == ("cancelled", 1)
    assert open_topics().isdisjoint({topic, f"payment_claimed:{order.id}"})
    (said,) = told(order.conversation_id)
    assert words in said
    assert payments.confirm(payment, **arrived(order, shop, now=end)).result == "paid", "late money"


def test_what_is_said_to_be_paid_waits_for_ever_where_that_is_wished(
    shop: Config, load_config: Callable[..., Config]
) -> None:
    order = make_order()
    payments.claim(order, now=NOW)
    config = load_config(CLAIMED_ORDER_DAYS="0")
    for day in (30, 40):
        assert end_unpaid(config, NOW + day * DAY) == []
    assert (order.status, f"claim_ending:{order.id}" in open_topics()) == ("placed", False)


def test_an_order_that_was_paid_meanwhile_stays_paid(shop: Config) -> None:
    order = make_order()
    payment = payment_row(payments.start(order, "pix", config=shop, now=NOW).payment_id)
    payments.confirm(payment, **arrived(order, shop))
    assert lapsing.lapse(order.id, config=shop, now=LATER) is None
    assert order.status == "paid"


def lapsed_order(shop: Config, product: Product) -> tuple[Order, Payment]:
    order = make_order(product)
    payment = payment_row(payments.start(order, "pix", config=shop, now=NOW).payment_id)
    end_unpaid(shop, LATER)
    assert order.status == "cancelled"
    return order, payment


def test_money_that_comes_after_the_end_takes_the_order_up_again(shop: Config) -> None:
    product = make_product(stock=1, delivery_kind="text", delivery_text="https://curso.example")
    order, payment = lapsed_order(shop, product)
    write_at(order, LATER)
    done = payments.confirm(payment, **arrived(order, shop, now=LATER))
    assert (done.result, order.status, order.payment_status) == ("paid", "paid", "paid")
    assert (left(product), db.session.query(Sale).count()) == (0, 1)
    assert "https://curso.example" in told(order.conversation_id)[-1]
    assert f"payment_late:{order.id}" not in open_topics()
    again = payments.confirm(payment, **arrived(order, shop, now=LATER))
    assert (again.result, left(product)) == ("already", 0)


@pytest.mark.parametrize(
    ("language", "words"),
    [("pt", "já tinha sido cancelado"), ("es", "ya estaba cancelado"), ("en", "been cancelled")],
)
def test_money_for_what_is_sold_meanwhile_is_kept_and_both_sides_are_told(
    shop: Config, language: str, words: str
) -> None:
    product = make_product(stock=1)
    order, payment = lapsed_order(shop, product)
    make_order(product)
    db.session.get_one(Contact, order.contact_id).language = language
    write_at(order, LATER)
    done = payments.confirm(payment, **arrived(order, shop, now=LATER))
    assert (done.result, order.status, order.payment_status) == ("late", "cancelled", "paid")
    assert f"payment_late:{order.id}" in open_topics()
    (said,) = told(order.conversation_id)
    assert words in said
    with pytest.raises(OutOfStock):
        orders.take_up_again(order, config=shop, now=LATER, operator_id=1)


def test_what_somebody_cancelled_is_not_taken_up_again_by_itself(shop: Config) -> None:
    order = make_order()
    payment = payment_row(payments.start(order, "pix", config=shop, now=NOW).payment_id)
    orders.cancel(order, now=NOW)
    assert payments.confirm(payment, **arrived(order, shop)).result == "late"
    assert order.status == "cancelled"


def test_the_end_and_the_money_at_once_leave_one_paid_order(
    load_config: Callable[..., Config], database_url: str
) -> None:
    """On every database: whoever comes first, the order is paid in the end and its stock is taken once."""
    app = create_app(load_config(DATABASE_URL=database_url, **PIX))
    config = app.config["BALCAO"]
    with app.app_context():
        opening.migrate()
        integrations.forget()
        product = make_product(stock=1)
        payment_id = payments.start(make_order(product), "pix", config=config, now=NOW).payment_id
        db.session.commit()
    ready = threading.Barrier(2)
    results: list[Any] = []

    def end() -> None:
        with app.app_context():
            ready.wait(WAIT_SECS)
            results.append(unasked.end_unpaid(config, LATER))

    def pay() -> None:
        with app.app_context():
            ready.wait(WAIT_SECS)
            payment = db.session.get_one(Payment, payment_id)
            whole: dict[str, Any] = {"amount_minor": payment.amount_minor, "currency": "BRL"}
            results.append(payments.confirm(payment, **whole, actor="provider", config=config, now=LATER))
            db.session.commit()

    threads = [threading.Thread(target=work) for work in (end, pay)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_SECS)
    with app.app_context():
        assert len(results) == 2
        assert db.session.scalars(select(Order.status)).all() == ["paid"]
        assert db.session.scalars(select(Product.stock)).all() == [0]
        db.session.remove()
        db.engine.dispose()
