"""Money that comes a second time: it is booked as a payment of its own, told, and stays in sight."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

import integrations
import learning
from models import Delivery, Operator, Order, Outcome, Payment, db
from shop import bank_list, orders, payments, refunds, sales, stock
from tests import page_rows
from tests.browsing import post, sign_in
from tests.paying import EVERY_WAY, arrived, make_order, open_topics, payment_row, told
from tests.records import NOW, make_conversation, make_product

FIRST = "E00000000202611211500abcdefghijk"
SECOND = "E00000000202611211501abcdefghijk"


@pytest.fixture
def shop(app, load_config):
    with app.app_context():
        make_conversation()
        integrations.forget()
        yield load_config(**EVERY_WAY)


def start(order, config, method="pix"):
    return payment_row(payments.start(order, method, config=config, now=NOW).payment_id)


def linked(order, config):
    """Give a payment whose link Stripe has made."""
    payment = start(order, config, "stripe")
    payments.opened(payment, link="https://pay.example/1", external_id="cs_1", config=config, now=NOW)
    return payment


def line_of(payment, external_id=FIRST, amount_minor=9700):
    return bank_list.BankLine(payment.our_reference, amount_minor, external_id=external_id)


def book(config, *lines):
    return bank_list.book(lines, config=config, now=NOW, actor="operator")


def test_two_transfers_with_one_reference_are_two_payments(shop):
    order = make_order()
    payment = start(order, shop)
    lines = [line_of(payment), line_of(payment, SECOND)]
    booked = book(shop, *lines)
    assert (booked.paid, booked.known, booked.wrong) == (2, 0, 0)
    assert f"payment_twice:{order.id}" in open_topics()
    kept = [(one.method, one.status, one.external_id) for one in payments.payments_of(order.id)]
    assert kept == [("pix", "confirmed", FIRST), ("pix", "confirmed", SECOND)]
    again = book(shop, *lines)
    assert (again.paid, again.known, len(payments.payments_of(order.id))) == (0, 2, 2)
    refunds.refund(payments.payments_of(order.id)[1], 9700, key="k", actor="operator", now=NOW)
    assert (order.status, f"payment_twice:{order.id}" in open_topics()) == ("paid", False)


def test_a_second_transfer_of_another_sum_is_told_and_kept(shop):
    order = make_order()
    payment = start(order, shop)
    assert book(shop, line_of(payment), line_of(payment, SECOND, 5000)).wrong == 1
    assert f"payment_mismatch:{order.id}" in open_topics()
    assert payment.data["mismatches"][0]["amount_minor"] == 5000


def test_what_a_person_booked_takes_the_name_that_the_bank_gives_it(shop):
    order = make_order()
    payment = start(order, shop)
    payments.confirm(payment, **arrived(order, shop))
    assert book(shop, line_of(payment)).known == 1
    assert (payment.external_id, f"payment_twice:{order.id}" in open_topics()) == (FIRST, False)
    assert book(shop, line_of(payment, SECOND)).paid == 1
    assert f"payment_twice:{order.id}" in open_topics()


def test_one_transfer_pays_one_order_whatever_way_was_chosen(shop):
    first, second = make_order(), make_order(sku="b")
    one, other = start(first, shop), start(second, shop, "manual")
    booked = book(shop, line_of(one), line_of(other))
    assert (booked.paid, booked.wrong, second.status) == (1, 1, "placed")


def test_a_bank_pays_beside_the_link_of_a_service_which_is_then_closed(shop):
    order = make_order()
    payment = linked(order, shop)
    assert book(shop, line_of(payment)).paid == 1
    by_hand = payments.payments_of(order.id)[1]
    assert (by_hand.method, by_hand.status, by_hand.external_id) == ("manual", "confirmed", FIRST)
    assert (payment.status, payment.external_id) == ("pending", "cs_1")
    db.session.refresh(payment)
    assert payments.due_asks(NOW) == [payment.id]
    assert book(shop, line_of(payment)).known == 1
    paid = arrived(order, shop, actor="provider", external_id="cs_1")
    assert payments.confirm(payment, **paid).result == "twice"
    assert f"payment_twice:{order.id}" in open_topics()
    assert refunds.refund(by_hand, 9700, key="k", actor="operator", now=NOW).status == "done"


def test_a_person_who_marks_an_order_paid_leaves_the_link_of_a_service(app):
    with app.app_context():
        page_rows.people()
        make_conversation()
        order = make_order()
        payment = Payment(
            order_id=order.id, method="stripe", amount_minor=9700, currency="BRL",
            our_reference="P10017N9", external_id="cs_1", data={}, created_at=NOW,
        )  # fmt: skip
        db.session.add(payment)
        db.session.commit()
        order_id, payment_id = order.id, payment.id
    client, page = app.test_client(), f"/orders/{order_id}"
    sign_in(client, page_rows.ADMIN_EMAIL)
    seen = {"amount": "97,00", "payment": payment_id, "reason": "seen in the account"}
    assert post(client, f"{page}/paid", page, **seen).status_code == 303
    with app.app_context():
        assert db.session.get_one(Order, order_id).status == "paid"
        rows = [(row.method, row.status) for row in payments.payments_of(order_id)]
        assert rows == [("stripe", "pending"), ("manual", "confirmed")]
    post(client, f"{page}/paid", page, **seen)
    with app.app_context():
        assert len(payments.payments_of(order_id)) == 2


# --- paid again after the money went back -------------------------------------------------------------------


def make_operator():
    page_rows.people()
    return db.session.scalar(select(func.min(Operator.id)))


def paid_again(config, **product):
    """Give an order that was paid and paid back whole, and for which the money came once more."""
    order = make_order(**product)
    payment = start(order, config)
    book(config, line_of(payment))
    refunds.refund(payment, order.total_minor, key="back", actor="operator", now=NOW)
    assert (order.status, order.payment_status) == ("refunded", "refunded")
    book(config, line_of(payment, SECOND))
    return order


def test_money_for_an_order_that_was_paid_back_is_told_to_both_sides(shop):
    order = paid_again(shop, delivery_kind="text", delivery_text="Bem-vinda")
    assert (order.status, order.payment_status) == ("refunded", "paid")
    assert {f"payment_late:{order.id}"} == open_topics() & {
        f"payment_late:{order.id}",
        f"payment_twice:{order.id}",
    }
    assert "já tinha sido devolvido" in told(order.conversation_id)[-1]
    assert sales.sale_of(order.id).reversed_at is not None


def test_money_for_an_order_that_was_paid_back_can_go_back_too(shop):
    order = paid_again(shop)
    second = payments.payments_of(order.id)[-1]
    refunds.refund(second, order.total_minor, key="back too", actor="operator", now=NOW)
    assert (order.status, order.payment_status, second.status) == ("refunded", "refunded", "refunded")
    assert f"payment_late:{order.id}" not in open_topics()


def test_an_order_that_was_paid_back_and_is_taken_up_sells_and_delivers_again(shop):
    order = paid_again(shop, delivery_kind="text", delivery_text="https://curso.example")
    operator = make_operator()
    assert orders.take_up_again(order, config=shop, now=NOW, operator_id=operator)
    assert not orders.take_up_again(order, config=shop, now=NOW, operator_id=operator)
    assert (order.status, order.payment_status) == ("paid", "paid")
    assert sales.sale_of(order.id).reversed_at is None
    assert sum("https://curso.example" in text for text in told(order.conversation_id)) == 2
    assert db.session.query(Delivery).one().status == "sent"
    assert f"payment_late:{order.id}" not in open_topics()


def test_what_was_credited_and_paid_back_is_credited_again_with_the_order(shop):
    order = make_order()
    chosen = learning.choose_by_hand(
        order.conversation_id,
        order.contact_id,
        "racional",
        context={},
        config=shop,
        now=NOW - timedelta(hours=1),
    )
    payment = start(order, shop)
    book(shop, line_of(payment))
    refunds.refund(payment, order.total_minor, key="back", actor="operator", now=NOW)
    book(shop, line_of(payment, SECOND))
    orders.take_up_again(order, config=shop, now=NOW, operator_id=make_operator())
    kinds = db.session.scalars(
        select(Outcome.kind).where(Outcome.decision_id == chosen.decision_id).order_by(Outcome.id)
    )
    assert list(kinds) == ["sale", "refund", "sale"]


@pytest.mark.parametrize(("is_returned", "left"), [(False, 4), (True, 4)])
def test_taking_up_takes_from_the_shelf_only_what_lies_there_again(shop, is_returned, left):
    product = make_product(stock=5)
    order = make_order(product)
    payment = start(order, shop)
    book(shop, line_of(payment))
    refunds.refund(payment, order.total_minor, key="back", actor="operator", now=NOW)
    operator = make_operator()
    if is_returned:
        assert stock.note_return(order, now=NOW, operator_id=operator)
        assert product.stock == 5
    book(shop, line_of(payment, SECOND))
    assert orders.take_up_again(order, config=shop, now=NOW, operator_id=operator)
    assert product.stock == left
    assert stock.can_return(order)
