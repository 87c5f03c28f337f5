"""Money that comes a second time: it is booked as a payment of its own, told, and stays in sight."""

import pytest

import integrations
from models import Order, Payment, db
from shop import bank_list, payments, refunds
from tests import page_rows
from tests.browsing import post, sign_in
from tests.paying import EVERY_WAY, arrived, make_order, open_topics, payment_row
from tests.records import NOW, make_conversation

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
    assert post(client, f"{page}/paid", page, amount="97,00", payment=payment_id).status_code == 303
    with app.app_context():
        assert db.session.get_one(Order, order_id).status == "paid"
        rows = [(row.method, row.status) for row in payments.payments_of(order_id)]
        assert rows == [("stripe", "pending"), ("manual", "confirmed")]
    post(client, f"{page}/paid", page, amount="97,00", payment=payment_id)
    with app.app_context():
        assert len(payments.payments_of(order_id)) == 2
