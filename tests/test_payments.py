"""Money for an order: opened, claimed, confirmed once, compared each time, paid back, and what follows."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

import history
import integrations
import learning
import media
import privacy
from models import Contact, Conversation, Message, Operator, Outcome, Sale, StateChange, db
from shop import delivery, orders, payments, pix, refunds, sales, standing, till
from shop.stock import OutOfStock
from tests import page_rows
from tests.paying import EVERY_WAY, PIX, arrived, make_order, number_of, open_topics, payment_row, told
from tests.records import NOW, make_conversation, make_product


@pytest.fixture
def shop(app, load_config):
    with app.app_context():
        make_conversation()
        integrations.forget()
        yield load_config(**EVERY_WAY)


def start(order, config, method="pix"):
    return payment_row(payments.start(order, method, config=config, now=NOW).payment_id)


def money_steps(order):
    return [(c.before, c.after, c.actor) for c in history.changes_of(standing.RECORD, order.id)]


# --- what is offered ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "currency", "methods"),
    [
        ({}, "BRL", ()),
        (PIX, "BRL", ("pix",)),
        (PIX, "USD", ()),
        ({**PIX, "PIX_KEY": "not a key"}, "BRL", ()),
        (EVERY_WAY, "BRL", ("pix", "stripe", "manual")),
        (EVERY_WAY, "USD", ("stripe", "manual")),
        (
            {**PIX, "MERCADOPAGO_ACCESS_TOKEN": "t", "MERCADOPAGO_WEBHOOK_SECRET": "s"},
            "BRL",
            ("mercadopago",),
        ),
    ],
)
def test_what_is_offered_follows_from_what_is_set_up_and_the_currency(
    app, load_config, given, currency, methods
):
    with app.app_context():
        assert till.offered(currency, load_config(**given)) == methods


def test_what_an_admin_saved_comes_before_the_environment(shop):
    till.save(till.Till("529.982.247-25", "Ana", "Recife", ""), now=NOW)
    assert till.till(shop) == till.Till("52998224725", "Ana", "Recife", "")
    assert till.offered("BRL", shop) == ("pix", "stripe")


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (till.Till("11912345678", "Ana", "Recife"), "pix_key"),
        (till.Till("a@b.co", "我", "Recife"), "pix_name"),
        (till.Till("a@b.co", "Ana", " "), "pix_city"),
        (till.Till(manual_text="x" * 801), "manual_text"),
    ],
)
def test_settings_that_no_bank_can_read_are_refused(shop, wanted, field):
    with pytest.raises(till.SettingsRefused) as refusal:
        till.save(wanted, now=NOW)
    assert refusal.value.field == field


# --- opening ------------------------------------------------------------------------------------------------


def test_a_pix_payment_names_the_order_and_its_amount(shop):
    order = make_order()
    shown = payments.start(order, "pix", config=shop, now=NOW)
    said = pix.read_code(shown.code)
    assert (said.txid, said.amount_minor) == (shown.reference, order.total_minor)
    assert shown.reference == order.number.replace("-", "")
    assert (said.key, said.city) == ("financeiro@loja.example", "Sao Paulo")
    assert payments.start(order, "pix", config=shop, now=NOW) == shown


def test_another_way_is_another_payment_with_a_reference_of_its_own(shop):
    order = make_order()
    first, second = start(order, shop), start(order, shop, "manual")
    assert second.our_reference == f"{first.our_reference}N2"
    assert payments.by_reference(second.our_reference.lower()).id == second.id
    assert payments.to_pay(second).instructions.startswith("Banco 123")


@pytest.mark.parametrize("status", ["cart", "cancelled", "paid", "refunded"])
def test_only_a_placed_order_can_be_paid(shop, status):
    order = make_order()
    order.status = status
    with pytest.raises(payments.CannotBePaid) as refusal:
        payments.start(order, "pix", config=shop, now=NOW)
    assert refusal.value.code == status


def test_a_way_that_is_not_set_up_is_refused(shop):
    with pytest.raises(payments.CannotBePaid) as refusal:
        payments.start(make_order(currency="USD"), "pix", config=shop, now=NOW)
    assert refusal.value.code == "not_offered"


def test_a_link_is_asked_for_by_a_task_and_shown_once(shop):
    order = make_order()
    payment = start(order, shop, "stripe")
    assert payments.to_pay(payment).is_awaited
    assert payments.due_links(NOW) == [payment.id]
    for _ in range(2):
        payments.opened(payment, link="https://pay.example/1", external_id="cs_1", config=shop, now=NOW)
    assert payments.due_links(NOW) == []
    assert [text for text in told(order.conversation_id) if "https://pay.example/1" in text] != []
    assert len(told(order.conversation_id)) == 1


def test_a_link_that_cannot_be_made_is_tried_again_then_given_up_and_told(shop):
    order = make_order()
    payment = start(order, shop, "stripe")
    payments.opening_failed(payment, "busy", is_retryable=True, now=NOW)
    assert payment.status == "pending"
    assert payments.due_links(NOW) == []
    assert payments.due_links(NOW + timedelta(minutes=1)) == [payment.id]
    payments.opening_failed(payment, "no such key", is_retryable=False, now=NOW)
    assert payment.status == "failed"
    assert f"payment_failed:{order.id}" in open_topics()
    assert number_of(order) in told(order.conversation_id)[-1]


def test_an_expired_payment_is_opened_anew(shop):
    order = make_order()
    payment = start(order, shop, "stripe")
    payments.opened(
        payment, link="https://pay.example/1", external_id="cs_1", config=shop, now=NOW,
        expires_at=NOW + timedelta(minutes=30),
    )  # fmt: skip
    later = payments.start(order, "stripe", config=shop, now=NOW + timedelta(hours=1))
    assert later.payment_id != payment.id
    assert payment_row(payment.id).status == "expired"


# --- money that arrived -------------------------------------------------------------------------------------


def test_a_confirmed_payment_pays_the_order_once(shop):
    order = make_order(delivery_kind="text", delivery_text="Acesse https://curso.example")
    payment = start(order, shop)
    first = payments.confirm(payment, **arrived(order, shop, operator_id=None))
    second = payments.confirm(payment, **arrived(order, shop))
    assert (first.result, second.result) == ("paid", "already")
    assert (order.status, order.payment_status, payment.status) == ("paid", "paid", "confirmed")
    assert first.delivered == delivery.HandedOver(sent=1)
    bodies = told(order.conversation_id)
    assert [number_of(order) in bodies[0], "https://curso.example" in bodies[1], len(bodies)] == [
        True,
        True,
        2,
    ]
    assert db.session.query(Sale).count() == 1
    assert f"paid:{order.id}" in open_topics()
    assert [c.after for c in history.changes_of("order", order.id)] == ["placed", "paid"]
    assert [c.after for c in history.changes_of("payment", payment.id)] == ["pending", "confirmed"]


@pytest.mark.parametrize(("amount", "currency"), [(9699, "BRL"), (9701, "BRL"), (9700, "USD"), (0, "BRL")])
def test_another_amount_or_currency_confirms_nothing_and_is_told(shop, amount, currency):
    order = make_order(delivery_kind="text", delivery_text="x")
    payment = start(order, shop)
    done = payments.confirm(payment, **arrived(order, shop, amount_minor=amount, currency=currency))
    assert done.result == "mismatch"
    assert (order.status, payment.status, told(order.conversation_id)) == ("placed", "pending", [])
    assert f"payment_mismatch:{order.id}" in open_topics()
    assert payment.data["mismatches"][0]["amount_minor"] == amount
    assert payments.confirm(payment, **arrived(order, shop)).result == "paid"
    assert f"payment_mismatch:{order.id}" not in open_topics()


def test_money_for_a_cancelled_order_is_kept_in_sight_and_can_be_taken_up(shop):
    order = make_order(delivery_kind="text", delivery_text="Bem-vinda")
    payment = start(order, shop)
    assert orders.cancel(order, now=NOW)
    assert payments.confirm(payment, **arrived(order, shop)).result == "late"
    assert (order.status, order.payment_status, payment.status) == ("cancelled", "paid", "confirmed")
    assert f"payment_late:{order.id}" in open_topics()
    assert db.session.query(Sale).count() == 0
    operator = make_operator()
    assert orders.take_up_again(order, config=shop, now=NOW, operator_id=operator)
    assert not orders.take_up_again(order, config=shop, now=NOW, operator_id=operator)
    assert (order.status, db.session.query(Sale).count()) == ("paid", 1)
    assert f"payment_late:{order.id}" not in open_topics()


def test_how_an_order_stands_with_its_money_is_kept_step_by_step(shop):
    order = make_order()
    payment = start(order, shop)
    payments.claim(order, now=NOW)
    payments.claim(order, now=NOW)
    payments.confirm(payment, **arrived(order, shop))
    refunds.refund(payment, 100, key="a", actor="operator", now=NOW)
    refunds.refund(payment, order.total_minor - 100, key="b", actor="operator", now=NOW)
    assert money_steps(order) == [
        ("unpaid", "claimed", "customer"),
        ("claimed", "paid", "operator"),
        ("paid", "partly_refunded", "operator"),
        ("partly_refunded", "refunded", "operator"),
    ]


def test_a_cancelled_order_is_taken_up_again_only_from_stock(shop):
    product = make_product(stock=1)
    order = make_order(product)
    payment = start(order, shop)
    orders.cancel(order, now=NOW)
    make_order(product)
    payments.confirm(payment, **arrived(order, shop))
    with pytest.raises(OutOfStock):
        orders.take_up_again(order, config=shop, now=NOW, operator_id=1)
    product.stock = 1
    assert orders.take_up_again(order, config=shop, now=NOW, operator_id=make_operator())
    assert (order.status, product.stock) == ("paid", 0)


def test_a_second_payment_of_a_paid_order_is_told_and_paid_back_alone(shop):
    order = make_order(delivery_kind="text", delivery_text="x")
    first, second = start(order, shop), start(order, shop, "manual")
    payments.confirm(first, **arrived(order, shop))
    assert payments.confirm(second, **arrived(order, shop)).result == "twice"
    assert f"payment_twice:{order.id}" in open_topics()
    refunds.refund(second, order.total_minor, key="k", actor="operator", now=NOW)
    assert (order.status, order.payment_status, second.status) == ("paid", "paid", "refunded")
    assert sales.sale_of(order.id).reversed_at is None
    assert f"payment_twice:{order.id}" not in open_topics()


def test_money_that_is_booked_for_one_order_pays_no_other(shop):
    first, second = make_order(), make_order(sku="b")
    one, other = start(first, shop, "manual"), start(second, shop, "manual")
    assert payments.confirm(one, **arrived(first, shop, external_id="E1")).result == "paid"
    assert payments.confirm(other, **arrived(second, shop, external_id="E1")).result == "mismatch"
    assert second.status == "placed"


def test_a_failed_payment_that_arrives_after_all_still_pays(shop):
    order = make_order()
    payment = start(order, shop)
    assert payments.fail(payment, "declined", actor="provider", now=NOW)
    assert not payments.expire(payment, now=NOW)
    assert payments.confirm(payment, **arrived(order, shop)).result == "paid"
    assert not payments.fail(payment, "late news", actor="provider", now=NOW)
    assert payment.status == "confirmed"


def test_a_claim_asks_people_to_look_and_ends_with_the_payment(shop):
    order = make_order()
    payment = start(order, shop)
    assert payments.claim(order, now=NOW)
    assert (order.payment_status, payment.claimed_at) == ("claimed", NOW)
    assert f"payment_claimed:{order.id}" in open_topics()
    payments.confirm(payment, **arrived(order, shop))
    assert f"payment_claimed:{order.id}" not in open_topics()
    assert not payments.claim(order, now=NOW)


def test_a_sale_is_credited_and_knows_where_the_customer_came_from(shop):
    conversation = make_conversation("5581911112222")
    contact = db.session.get_one(Conversation, conversation.id).contact_id
    ad = {"ctwa_clid": "clid-1", "source_id": "ad-9", "source_url": "https://fb.me/x?utm_campaign=natal"}
    db.session.execute(update(Contact).values(referral=ad))
    chosen = learning.choose_by_hand(
        conversation.id, contact, "racional", context={}, config=shop, now=NOW - timedelta(hours=1)
    )
    order = make_order(conversation=conversation, sku="c")
    payments.confirm(start(order, shop), **arrived(order, shop))
    sale = sales.sale_of(order.id)
    assert (sale.decision_id, sale.strategy, sale.method, sale.flow) == (
        chosen.decision_id,
        "racional",
        "pix",
        "shop",
    )
    assert (sale.ad_click_id, sale.ad_source_id, sale.campaign) == ("clid-1", "ad-9", "natal")
    assert (sale.amount_minor, sale.currency, sale.at) == (order.total_minor, "BRL", NOW)
    assert db.session.scalars(select(Outcome.kind)).all() == ["sale"]


# --- paying back --------------------------------------------------------------------------------------------


def paid_order(config, method="pix", **fields):
    order = make_order(**{"delivery_kind": "file", "sku": "f", **fields})
    payment = start(order, config, method)
    payments.confirm(payment, **arrived(order, config))
    return order, payment


def test_paying_back_all_reverses_the_sale_and_ends_the_goods(shop):
    order, payment = paid_order(shop, delivery_kind="text", delivery_text="x")
    refunds.refund(payment, order.total_minor, key="k1", actor="operator", now=NOW, reason="wish")
    again = refunds.refund(payment, order.total_minor, key="k1", actor="operator", now=NOW)
    assert again.status == "done"
    assert (order.status, order.payment_status, payment.status) == ("refunded", "refunded", "refunded")
    assert sales.sale_of(order.id).reversed_at == NOW
    assert [row.status for row in delivery.deliveries_of(order.id)] == ["revoked"]
    assert [c.after for c in history.changes_of("refund", again.id)] == ["requested", "done"]


def test_paying_back_a_part_leaves_the_order_paid(shop):
    order, payment = paid_order(shop)
    refunds.refund(payment, 700, key="k1", actor="operator", now=NOW)
    assert (order.status, order.payment_status, payment.status) == ("paid", "partly_refunded", "confirmed")
    assert (sales.sale_of(order.id).refunded_minor, sales.sale_of(order.id).reversed_at) == (700, None)
    refunds.refund(payment, 9000, key="k2", actor="operator", now=NOW)
    assert (order.status, sales.sale_of(order.id).refunded_minor) == ("refunded", 9700)


@pytest.mark.parametrize("amount", [0, -1, 9701])
def test_no_more_goes_back_than_has_come(shop, amount):
    _, payment = paid_order(shop)
    with pytest.raises(refunds.CannotBeRefunded) as refusal:
        refunds.refund(payment, amount, key="k", actor="operator", now=NOW)
    assert refusal.value.left_minor == 9700


def test_a_payment_that_never_came_cannot_go_back(shop):
    order = make_order()
    with pytest.raises(refunds.CannotBeRefunded):
        refunds.refund(start(order, shop), 100, key="k", actor="operator", now=NOW)


def test_a_service_is_asked_to_pay_back_by_a_task(shop):
    order, payment = paid_order(shop, "stripe")
    made = refunds.refund(payment, 9700, key="k", actor="operator", now=NOW)
    assert (made.status, refunds.due(NOW), order.status) == ("requested", [made.id], "paid")
    with pytest.raises(refunds.CannotBeRefunded):
        refunds.refund(payment, 1, key="other", actor="operator", now=NOW)
    refunds.failed(made, "busy", is_retryable=True, now=NOW)
    assert refunds.due(NOW) == []
    for _ in range(2):
        refunds.done(made, external_id="re_1", now=NOW)
    assert (made.status, made.external_id, order.status, payment.refunded_minor) == (
        "done",
        "re_1",
        "refunded",
        9700,
    )
    assert refunds.done_elsewhere(payment, 9700, now=NOW) == order.conversation_id
    assert len(refunds.refunds_of(payment.id)) == 1


def test_a_refund_that_the_service_refuses_is_told(shop):
    order, payment = paid_order(shop, "stripe")
    made = refunds.refund(payment, 9700, key="k", actor="operator", now=NOW)
    refunds.failed(made, "no balance", is_retryable=False, now=NOW)
    assert (made.status, order.status) == ("failed", "paid")
    assert f"refund_failed:{order.id}" in open_topics()
    assert refunds.left_of(payment) == 9700


def test_what_was_paid_back_at_the_service_itself_is_booked_once(shop):
    order, payment = paid_order(shop, "stripe")
    for _ in range(2):
        refunds.done_elsewhere(payment, 700, now=NOW)
    assert (payment.refunded_minor, order.payment_status) == (700, "partly_refunded")
    refunds.done_elsewhere(payment, 9700, now=NOW)
    assert (payment.refunded_minor, order.status) == (9700, "refunded")


def make_operator():
    page_rows.people()
    return db.session.scalar(select(func.min(Operator.id)))


def test_a_deleted_person_leaves_a_figure_and_no_free_key(shop):
    product = make_product(sku="k", delivery_kind="key")
    delivery.add_keys(product.id, ["AAAA"], now=NOW)
    order = make_order(product)
    payment = start(order, shop)
    payments.confirm(payment, **arrived(order, shop))
    contact = db.session.get_one(Contact, order.contact_id)
    kept = privacy.export_person([contact], now=NOW)
    assert [len(kept[name]) for name in ("payments", "deliveries", "sales")] == [1, 1, 1]
    steps = ["placed", "paid", "paid", "pending", "confirmed", "pending", "sent"]
    assert [step["after"] for step in kept["state_changes"]] == steps
    privacy.delete_person([contact])
    db.session.expire_all()
    sale = db.session.scalars(select(Sale)).one()
    assert (sale.amount_minor, sale.order_id, sale.contact_id) == (9700, None, None)
    assert delivery.free_keys(product.id) == 0
    assert db.session.scalar(select(func.count(StateChange.id))) == 0


# --- goods --------------------------------------------------------------------------------------------------


def a_file(config):
    return media.store(b"%PDF-1.7 x", "application/pdf", "aula.pdf", config.media_dir, now=NOW)


def link_in(order):
    words = told(order.conversation_id)[-1].split()
    return next(word for word in words if delivery.PATH in word).rpartition("/")[2]


def test_a_private_link_opens_counts_and_ends(shop):
    order = make_order(delivery_kind="file", delivery_file_id=a_file(shop).id)
    payments.confirm(start(order, shop), **arrived(order, shop))
    token = link_in(order)
    for _ in range(2):
        opened = delivery.open_link(token, config=shop, now=NOW)
        assert isinstance(opened, delivery.OpenedLink)
    (row,) = delivery.deliveries_of(order.id)
    assert (row.opened_count, row.first_opened_at, row.token_hash == token) == (2, NOW, False)
    assert delivery.open_link(token, config=shop, now=NOW + delivery.LINK_LASTS) == "expired"
    delivery.send_again(order, config=shop, now=NOW, actor="customer")
    assert delivery.open_link(token, config=shop, now=NOW) == "unknown"
    again = link_in(order)
    assert isinstance(delivery.open_link(again, config=shop, now=NOW), delivery.OpenedLink)
    delivery.revoke(order, now=NOW, actor="operator")
    assert delivery.open_link(again, config=shop, now=NOW) == "revoked"


@pytest.mark.parametrize("forged", ["", "x", "../../etc/passwd", "a.b", "%00", "é" * 40])
def test_a_link_that_is_not_ours_is_unknown(shop, forged):
    assert delivery.open_link(forged, config=shop, now=NOW) == "unknown"


def test_the_door_gives_the_file_as_a_download_and_counts_it(app, shop):
    config = app.config["BALCAO"]
    order = make_order(delivery_kind="file", delivery_file_id=a_file(config).id)
    payment = payments.open_by_hand(order, now=NOW)
    assert payment is not None
    payments.confirm(payment, **arrived(order, config, now=datetime.now(UTC)))
    db.session.commit()
    client, path = app.test_client(), f"/d/{link_in(order)}"
    assert client.head(path).status_code == 200
    answer = client.get(path)
    assert (answer.status_code, answer.data) == (200, b"%PDF-1.7 x")
    assert "attachment; filename=aula.pdf" in answer.headers["Content-Disposition"]
    assert "no-store" in answer.headers["Cache-Control"]
    assert delivery.deliveries_of(order.id)[0].opened_count == 1
    assert client.get(f"{path}x").status_code == 404
    assert client.get("/d/..%2f..%2fetc%2fpasswd").status_code == 404
    refunds.refund(payments.payments_of(order.id)[0], 9700, key="k", actor="operator", now=NOW)
    db.session.commit()
    assert client.get(path).status_code == 410


def test_no_key_is_given_twice(shop):
    product = make_product(sku="k", delivery_kind="key")
    assert delivery.add_keys(product.id, ["A", "B", "A", " ", "C"], now=NOW) == 3
    assert delivery.add_keys(product.id, ["C", "D"], now=NOW) == 1
    given = set()
    for quantity in (2, 1):
        order = make_order(product, quantity=quantity)
        payments.confirm(start(order, shop), **arrived(order, shop))
        given |= {row.text for row in delivery.deliveries_of(order.id)}
    assert given == {"A", "B", "C"}
    assert delivery.free_keys(product.id) == 1


def test_what_people_hand_over_is_told_and_noted(shop):
    order = make_order(delivery_kind="manual")
    payments.confirm(start(order, shop), **arrived(order, shop))
    assert f"to_deliver:{order.id}" in open_topics()
    (row,) = delivery.deliveries_of(order.id)
    operator = make_operator()
    assert delivery.mark_handed_over(row, operator_id=operator, now=NOW)
    assert not delivery.mark_handed_over(row, operator_id=operator, now=NOW)
    assert (row.status, f"to_deliver:{order.id}" in open_topics()) == ("sent", False)


def test_goods_whose_message_was_refused_leave_again_once_the_customer_writes(shop):
    order = make_order(delivery_kind="text", delivery_text="Bem-vinda")
    payments.confirm(start(order, shop), **arrived(order, shop))
    (row,) = delivery.deliveries_of(order.id)
    message = db.session.get_one(Message, row.message_id)
    message.status, message.status_at = "failed", NOW + timedelta(minutes=1)
    db.session.flush()
    later = NOW + timedelta(hours=1)
    assert delivery.due(later) == []
    db.session.get_one(Conversation, order.conversation_id).last_inbound_at = NOW + timedelta(minutes=2)
    db.session.flush()
    assert delivery.due(later) == [order.id]
    assert delivery.bring_due(order.id, config=shop, now=later) == order.conversation_id
    assert told(order.conversation_id).count(told(order.conversation_id)[-1]) == 2
    rows = delivery.deliveries_of(order.id)
    steps = [change.after for row in rows for change in history.changes_of("delivery", row.id)]
    assert steps == ["pending", "sent", "pending", "sent"]
