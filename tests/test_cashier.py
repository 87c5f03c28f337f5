"""Payments through Stripe and Mercado Pago from the open order to the goods: links, webhooks, lost webhooks,
refunds, through the real doors and over real HTTP.
"""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

import cashier
import tasks
from cashier import Counter, Errand
from config import Config
from models import Alert, Contact, Conversation, Delivery, Order, Payment, PaymentEvent, Refund, Sale, db
from shop import orders, payment_events, payments, refunds
from tests.fakes import mercadopago as fake_mercadopago
from tests.fakes import stripe as fake_stripe
from tests.fakes.graph import FakeGraph, SentMessage
from tests.fakes.mercadopago import FakeMercadoPago
from tests.fakes.stripe import FakeStripe
from tests.fakes.webhooks import CUSTOMER, Webhook
from tests.real_door import META, WalkedDesk, texts_of, walked_desk
from tests.records import make_product
from wires.payment import SignedNotice
from wires.payment_services import payment_services

TOTAL = 19700
LINK_WORDS = {"pt": "link seguro", "es": "enlace seguro", "en": "secure link"}
PIX_WORDS = "Pix Copia e Cola"
PAID_WORDS = {"pt": "Pagamento confirmado", "es": "Pago confirmado", "en": "Payment confirmed"}


@dataclass
class Till:
    """A walked desk with both payment services behind it."""

    desk: WalkedDesk
    stripe: FakeStripe
    pix: FakeMercadoPago

    @property
    def config(self) -> Config:
        config: Config = self.desk.app.config["BALCAO"]
        return config

    def order(self, method: str, language: str = "pt", wa_id: str = CUSTOMER) -> Payment:
        """Let a customer order one course and choose how to pay; gives the open payment."""
        self.desk.says("oi", wa_id)
        now = self.desk.clock()
        with self.desk.app.app_context():
            conversation = db.session.query(Conversation).order_by(Conversation.id.desc()).first()
            db.session.get_one(Contact, conversation.contact_id).language = language
            product = make_product(
                f"curso-{now.timestamp()}",
                TOTAL,
                name="Curso de Violão",
                delivery_kind="text",
                delivery_text="GO!",
            )
            cart = orders.add_to_cart(conversation.id, conversation.contact_id, product, now=now)
            shown = payments.start(orders.place(cart, now=now), method, config=self.config, now=now)
            db.session.commit()
            assert shown.is_awaited
            payment_id = shown.payment_id
        return self.payment(payment_id)

    def opened(self, method: str, language: str = "pt") -> Payment:
        """As `order`, with the link made."""
        payment = self.order(method, language)
        self.desk.work()
        return self.payment(payment.id)

    def payment(self, payment_id: int) -> Payment:
        payment: Payment = self.desk.rows(Payment, Payment.id == payment_id)[0]
        return payment

    def order_of(self, payment: Payment) -> Order:
        order: Order = self.desk.rows(Order, Order.id == payment.order_id)[0]
        return order

    def hears(self, webhook: Webhook, status: int = 200) -> list[SentMessage]:
        """Post one payment webhook, work, and give what customers were sent because of it."""
        before = len(self.desk.graph.sent)
        assert self.desk.post(webhook) == status
        self.desk.work()
        return self.desk.graph.sent[before:]

    def alerts(self) -> set[str]:
        return {alert.kind for alert in self.desk.rows(Alert, Alert.open_topic.is_not(None))} - {"paid"}

    def events(self) -> list[tuple[str, str]]:
        return [(event.state, event.error) for event in self.desk.rows(PaymentEvent)]

    def pays(self, payment: Payment) -> Webhook:
        """Pay at the service, and give the webhook that tells so."""
        if payment.method == "stripe":
            return self.stripe.notice(self.stripe.pay(payment.external_id or ""))
        return self.pix.notice(self.pix.pay(payment.external_id or ""))


def environment(graph: FakeGraph, stripe: FakeStripe, pix: FakeMercadoPago) -> dict[str, str]:
    return META | {
        "GRAPH_API_BASE_URL": graph.url,
        "PUBLIC_BASE_URL": "https://loja.example",
        "STRIPE_SECRET_KEY": fake_stripe.SECRET_KEY,
        "STRIPE_WEBHOOK_SECRET": fake_stripe.WEBHOOK_SECRET,
        "STRIPE_API_BASE_URL": stripe.url,
        "MERCADOPAGO_ACCESS_TOKEN": fake_mercadopago.ACCESS_TOKEN,
        "MERCADOPAGO_WEBHOOK_SECRET": fake_mercadopago.WEBHOOK_SECRET,
        "MERCADOPAGO_API_BASE_URL": pix.url,
        "START_FLOW": "shop",
    }


@pytest.fixture
def till(load_config: Callable[..., Config]) -> Iterator[Till]:
    with ExitStack() as stack:
        graph = stack.enter_context(FakeGraph())
        stripe, pix = stack.enter_context(FakeStripe()), stack.enter_context(FakeMercadoPago())
        config = load_config(**environment(graph, stripe, pix))
        yield Till(stack.enter_context(walked_desk(config, graph)), stripe, pix)


BOTH = pytest.mark.parametrize("method", ["stripe", "mercadopago"])


# --- The whole way ------------------------------------------------------------------------------------------


WALKS = {
    "pt": ("oi", "1", "1", "1", "comprar", "1", "finalizar", "sim", "cartão"),
    "es": ("hola", "1", "1", "1", "comprar", "1", "finalizar", "sí", "tarjeta"),
    "en": ("hello", "1", "1", "1", "buy", "1", "checkout", "yes", "card"),
}
NAMES = {"pt": "Curso de Violão", "es": "Curso de Guitarra", "en": "Guitar Course"}


def walk(till: Till, language: str, choice: str) -> tuple[Payment, list[str]]:
    """Order one course in chat; gives the open payment and what was said after the last words."""
    with till.desk.app.app_context():
        make_product("curso", TOTAL, name=NAMES["pt"], names=NAMES, delivery_kind="text", delivery_text="GO!")
        db.session.commit()
    for words in WALKS[language][:-1]:
        till.desk.says(words)
    told = texts_of(till.desk.says(choice))
    (payment,) = till.desk.rows(Payment)
    return payment, told


@pytest.mark.parametrize("language", list(WALKS))
def test_an_order_in_chat_is_paid_by_card_and_delivered_once(till: Till, language: str) -> None:
    payment, told = walk(till, language, WALKS[language][-1])
    session = till.stripe.session_of(payment.our_reference)
    assert session["url"] in told[-1]
    assert LINK_WORDS[language] in told[-1]
    assert session["success_url"] == f"https://loja.example/payments/done/{language}"
    assert (session["amount_total"], session["locale"][:2]) == (TOTAL, language)
    assert session["shown_name"] == NAMES[language]
    sent = texts_of(till.hears(till.pays(payment)))
    assert PAID_WORDS[language] in sent[0]
    assert sum("GO!" in text for text in sent) == 1
    assert [till.payment(payment.id).status, till.order_of(payment).status] == ["confirmed", "paid"]
    assert [(sale.amount_minor, sale.method) for sale in till.desk.rows(Sale)] == [(TOTAL, "stripe")]
    assert till.events() == [("done", "")]
    assert till.desk.rows(PaymentEvent)[0].payload == b"", "it names the payer, and nobody needs it any more"
    assert till.alerts() == set()


@pytest.mark.parametrize("language", list(WALKS))
def test_an_order_in_chat_is_paid_by_pix_and_delivered_once(till: Till, language: str) -> None:
    payment, told = walk(till, language, "Pix")
    row = till.pix.payment_of(payment.our_reference)
    assert PIX_WORDS in told[-2]
    assert told[-1] == row["point_of_interaction"]["transaction_data"]["qr_code"]
    sent = texts_of(till.hears(till.pays(payment)))
    assert PAID_WORDS[language] in sent[0]
    assert sum("GO!" in text for text in sent) == 1
    assert [till.payment(payment.id).status, till.order_of(payment).status] == ["confirmed", "paid"]
    assert [(sale.amount_minor, sale.method) for sale in till.desk.rows(Sale)] == [(TOTAL, "mercadopago")]
    assert till.alerts() == set()


@BOTH
def test_a_webhook_that_comes_again_and_again_pays_once(till: Till, method: str) -> None:
    payment = till.opened(method)
    webhook = till.pays(payment)
    assert till.hears(webhook)
    for _ in range(3):
        assert till.hears(webhook) == []
    event = (till.stripe if method == "stripe" else till.pix).notices[-1]
    again = (till.stripe if method == "stripe" else till.pix).notice({**event, "id": "evt_of_its_own"})
    assert till.hears(again) == []
    assert len(till.desk.rows(Sale)) == len(till.desk.rows(Delivery)) == 1


@BOTH
def test_what_is_not_signed_is_refused_and_leaves_nothing(till: Till, method: str) -> None:
    payment = till.opened(method)
    webhook = till.pays(payment)
    name = "Stripe-Signature" if method == "stripe" else "x-signature"
    without = {key: value for key, value in webhook.headers.items() if key != name}
    assert till.hears(webhook._replace(headers=without), 403) == []
    forged = webhook.headers[name].replace("v1=", "v1=0")
    assert till.hears(webhook._replace(headers={**webhook.headers, name: forged}), 403) == []
    assert till.events() == []
    assert till.order_of(payment).status == "placed"


def test_a_signature_of_yesterday_is_refused(till: Till) -> None:
    payment = till.opened("stripe")
    event = till.stripe.pay(payment.external_id or "")
    yesterday = int((datetime.now(UTC) - timedelta(days=1)).timestamp())
    assert till.hears(till.stripe.notice(event, at=yesterday), 403) == []


def test_a_body_that_nobody_signed_keeps_no_notice_from_being_taken(till: Till) -> None:
    webhook = till.pays(till.opened("mercadopago"))
    assert till.hears(webhook._replace(body=b'{"id": "\\ud800\\u0000", "action": "\\u0000"}'))
    assert till.events() == [("done", "")]


def test_without_a_key_the_doors_are_shut(load_config: Callable[..., Config]) -> None:
    with FakeGraph() as graph, walked_desk(load_config(GRAPH_API_BASE_URL=graph.url, **META), graph) as desk:
        assert desk.post(FakeStripe().notice({"id": "e", "type": "x", "data": {"object": {}}})) == 403
        assert desk.post(FakeMercadoPago().notice({"data": {"id": "1"}})) == 403


def test_while_the_database_is_away_the_service_is_told_to_come_again(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = till.opened("stripe")
    webhook = till.pays(payment)

    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("INSERT", {}, Exception("away"))

    with monkeypatch.context() as patched:
        patched.setattr(payment_events, "store", away)
        assert till.hears(webhook, 503) == []
    assert till.hears(webhook)
    assert till.order_of(payment).status == "paid"


# --- What is not as it should be ----------------------------------------------------------------------------


def test_another_amount_than_the_orders_is_an_alert_and_pays_nothing(till: Till) -> None:
    payment = till.opened("mercadopago")
    event = till.pix.pay(payment.external_id or "", amount="1.97")
    assert till.hears(till.pix.notice(event)) == []
    assert till.order_of(payment).status == "placed"
    assert till.alerts() == {"payment_mismatch"}
    assert till.payment(payment.id).data["mismatches"][0]["amount_minor"] == 197


@pytest.mark.parametrize(("name", "value"), [("amount_total", 100), ("currency", "usd")])
def test_a_session_of_another_amount_or_currency_pays_nothing(till: Till, name: str, value: object) -> None:
    payment = till.opened("stripe")
    event = till.stripe.pay(payment.external_id or "")
    event["data"]["object"][name] = value
    assert till.hears(till.stripe.notice(event)) == []
    assert till.order_of(payment).status == "placed"
    assert till.alerts() == {"payment_mismatch"}


def test_money_for_no_order_of_ours_is_kept_and_shown(till: Till) -> None:
    payment = till.opened("stripe")
    event = till.stripe.pay(payment.external_id or "")
    event["data"]["object"] |= {"id": "cs_of_another", "client_reference_id": "P777"}
    assert till.hears(till.stripe.notice(event)) == []
    assert till.events() == [("failed", "no such order")]
    assert b"P777" in till.desk.rows(PaymentEvent)[0].payload
    assert till.alerts() == {"payment_unknown"}


def test_another_desk_at_the_same_account_pays_none_of_our_orders(till: Till) -> None:
    payment = till.opened("stripe")
    event = till.stripe.pay(payment.external_id or "")
    event["data"]["object"]["id"] = "cs_of_another_desk"  # which has given the same number to an order
    assert till.hears(till.stripe.notice(event)) == []
    assert till.order_of(payment).status == "placed"
    assert till.alerts() == {"payment_unknown"}


def test_what_another_program_sold_through_the_account_is_left_alone(till: Till) -> None:
    payment = till.opened("stripe")
    event = till.stripe.pay(payment.external_id or "")
    event["data"]["object"] |= {"id": "cs_of_another", "client_reference_id": None}
    assert till.hears(till.stripe.notice(event)) == []
    assert till.events() == [("ignored", "not of this desk")]
    other = {"id": "evt_x", "type": "customer.created", "data": {"object": {"id": "cus_1"}}}
    assert till.hears(till.stripe.notice(other)) == []
    assert [state for state, _ in till.events()] == ["ignored", "ignored"]
    assert till.alerts() == set()


def test_a_signed_body_that_is_no_event_is_kept_as_failed(till: Till) -> None:
    assert till.hears(till.stripe.notice([1])) == []  # type: ignore[arg-type]
    assert till.events() == [("failed", "unreadable")]


def test_the_panels_test_button_is_answered_and_forgotten(till: Till) -> None:
    assert till.hears(till.pix.notice({"id": 1, "action": "payment.created", "data": {"id": "123456"}})) == []
    for _ in range(cashier.NOT_FOUND_TRIES):
        till.desk.clock.advance(3600)
        till.desk.work()
    assert till.events() == [("ignored", "the service knows no such payment")]


def test_a_notice_in_the_wrong_order_changes_nothing_that_is_paid(till: Till) -> None:
    payment = till.opened("stripe")
    paid = till.pays(payment)
    session = {**till.stripe.sessions[payment.external_id or ""], "status": "expired"}
    expired = {"id": "evt_late", "type": "checkout.session.expired", "data": {"object": session}}
    till.hears(paid)
    assert till.hears(till.stripe.notice(expired)) == []
    assert till.payment(payment.id).status == "confirmed"


def test_money_that_comes_after_the_link_ended_still_pays(till: Till) -> None:
    payment = till.opened("stripe")
    session = {**till.stripe.sessions[payment.external_id or ""], "status": "expired"}
    expired = {"id": "evt_early", "type": "checkout.session.expired", "data": {"object": session}}
    till.hears(till.stripe.notice(expired))
    assert till.payment(payment.id).status == "expired"
    assert till.hears(till.pays(payment))
    assert till.order_of(payment).status == "paid"


def test_a_webhook_that_overtakes_the_answer_finds_its_payment_by_our_reference(till: Till) -> None:
    till.stripe.fault("cut_after", target="create")
    payment = till.opened("stripe")
    assert payment.external_id is None
    session = till.stripe.session_of(payment.our_reference)
    till.hears(till.stripe.notice(till.stripe.pay(session["id"])))
    assert till.order_of(payment).status == "paid"
    assert till.payment(payment.id).external_id == session["id"]
    till.desk.clock.advance(600)
    till.desk.work()
    assert len(till.stripe.sessions) == 1


# --- Services that fail -------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("kind", ["server_error", "cut_after"])
def test_a_link_is_asked_for_again_until_it_is_there_and_sent_once(
    till: Till, method: str, kind: str
) -> None:
    fake = till.stripe if method == "stripe" else till.pix
    fake.fault(kind, target="create", times=2)
    payment = till.opened(method)
    assert payment.external_id is None
    for _ in range(3):
        till.desk.clock.advance(120)
        till.desk.work()
    assert till.payment(payment.id).external_id
    sent = texts_of(till.desk.graph.sent)
    assert sum(LINK_WORDS["pt"] in text or PIX_WORDS in text for text in sent) == 1
    assert len(till.stripe.sessions) + len(till.pix.payments) == 1


def test_a_key_that_is_refused_is_told_to_people_and_to_the_customer(till: Till) -> None:
    till.stripe.secret_key = "another"
    payment = till.opened("stripe")
    assert till.payment(payment.id).status == "failed"
    assert "pagar" in till.desk.graph.sent[-1].text
    assert till.alerts() == {"payment_service", "payment_failed"}
    assert "STRIPE_SECRET_KEY" in till.desk.rows(Alert, Alert.kind == "payment_service")[0].text


def test_an_api_that_is_away_when_a_notice_comes_is_asked_later(till: Till) -> None:
    payment = till.opened("mercadopago")
    till.pix.fault("server_error", target="fetch", times=3)
    assert till.hears(till.pays(payment)) == []
    for _ in range(4):
        till.desk.clock.advance(60)
        till.desk.work()
    assert till.order_of(payment).status == "paid"


# --- Webhooks that never come -------------------------------------------------------------------------------


@BOTH
def test_a_lost_webhook_costs_minutes_and_no_sale(till: Till, method: str) -> None:
    payment = till.opened(method)
    till.pays(payment)  # and nobody hears of it
    till.desk.clock.advance(61)
    till.desk.work()
    assert till.order_of(payment).status == "paid"
    assert len(till.desk.rows(Delivery)) == 1


def test_a_customer_who_says_that_she_has_paid_has_it_asked_at_once(till: Till) -> None:
    payment = till.opened("stripe")
    till.pays(payment)
    with till.desk.app.app_context():
        assert payments.claim(db.session.get_one(Order, payment.order_id), now=till.desk.clock())
        db.session.commit()
    till.desk.work()
    assert till.order_of(payment).status == "paid"
    assert till.alerts() == set()


@BOTH
def test_an_open_payment_is_asked_about_ever_more_seldom_and_closed_at_its_end(
    till: Till, method: str
) -> None:
    payment = till.opened(method)
    fake, path = (till.stripe, "GET /v1/checkout") if method == "stripe" else (till.pix, "GET /v1/payments")
    end = till.desk.clock() + timedelta(hours=22)
    while (ask_at := till.payment(payment.id).ask_at or end) < end:
        till.desk.clock.advance((ask_at - till.desk.clock()).total_seconds())
        till.desk.work()
    assert 20 <= fake.count(path) <= 40
    assert till.payment(payment.id).status == "pending"
    till.desk.clock.advance(3 * 3600)
    till.desk.work()
    assert till.payment(payment.id).status == "expired"
    before = len(fake.requests)
    till.desk.clock.advance(24 * 3600)
    till.desk.work()
    assert len(fake.requests) == before


@BOTH
def test_the_link_of_a_cancelled_order_takes_no_money(till: Till, method: str) -> None:
    payment = till.opened(method)
    with till.desk.app.app_context():
        orders.cancel(db.session.get_one(Order, payment.order_id), now=till.desk.clock())
        db.session.commit()
    till.desk.work()
    assert till.payment(payment.id).status == "expired"
    closed = [s["status"] for s in till.stripe.sessions.values()] + [
        p["status"] for p in till.pix.payments.values()
    ]
    assert closed in (["expired"], ["cancelled"])


def test_when_one_way_has_paid_the_other_link_is_closed(till: Till) -> None:
    card = till.opened("stripe")
    with till.desk.app.app_context():
        order = db.session.get_one(Order, card.order_id)
        payments.start(order, "mercadopago", config=till.config, now=till.desk.clock())
        db.session.commit()
    till.desk.work()
    pix = till.desk.rows(Payment, Payment.method == "mercadopago")[0]
    till.hears(till.pays(pix))
    assert till.payment(card.id).status == "expired"
    assert till.stripe.sessions[card.external_id or ""]["status"] == "expired"


def test_an_order_that_was_cancelled_before_its_link_was_made_gets_none(till: Till) -> None:
    payment = till.order("stripe")
    with till.desk.app.app_context():
        orders.cancel(db.session.get_one(Order, payment.order_id), now=till.desk.clock())
        db.session.commit()
    till.desk.work()
    assert till.payment(payment.id).status == "expired"
    assert till.stripe.sessions == {}


# --- Money that goes back -----------------------------------------------------------------------------------


def ask_for_refund(till: Till, payment: Payment, amount: int = TOTAL, key: str = "refund-1") -> None:
    with till.desk.app.app_context():
        row = db.session.get_one(Payment, payment.id)
        refunds.refund(row, amount, key=key, actor="operator", now=till.desk.clock())
        db.session.commit()
    till.desk.work()


def refunded_at(till: Till, payment: Payment) -> int:
    if payment.method == "stripe":
        return sum(int(refund["amount"]) for refund in till.stripe.refunds.values())
    return int(100 * till.pix.payments[payment.external_id or ""]["transaction_amount_refunded"])


@BOTH
def test_a_refund_is_done_at_the_service_once_and_told(till: Till, method: str) -> None:
    payment = till.opened(method)
    till.hears(till.pays(payment))
    before = len(till.desk.graph.sent)
    ask_for_refund(till, payment, 4700)
    assert refunded_at(till, payment) == 4700
    assert "47,00" in till.desk.graph.sent[before].text
    for notice in (till.stripe if method == "stripe" else till.pix).notices:
        till.desk.post((till.stripe if method == "stripe" else till.pix).notice(notice))
    till.desk.work()
    assert [(r.status, r.amount_minor) for r in till.desk.rows(Refund)] == [("done", 4700)]
    assert till.order_of(payment).payment_status == "partly_refunded"
    ask_for_refund(till, payment, TOTAL - 4700, "refund-2")
    assert refunded_at(till, payment) == TOTAL
    assert till.order_of(payment).payment_status == "refunded"
    assert len(till.desk.graph.sent) == before + 2


@BOTH
def test_what_is_paid_back_in_the_services_own_dashboard_arrives_the_same_way(
    till: Till, method: str
) -> None:
    payment = till.opened(method)
    till.hears(till.pays(payment))
    external_id = payment.external_id or ""
    if method == "stripe":
        webhook = till.stripe.notice(till.stripe.give_back(external_id, 4700))
    else:
        webhook = till.pix.notice(till.pix.give_back(external_id, "47.00"))
    assert len(till.hears(webhook)) == 1
    assert till.hears(webhook) == []
    assert [(r.status, r.amount_minor) for r in till.desk.rows(Refund)] == [("done", 4700)]
    assert till.order_of(payment).payment_status == "partly_refunded"


@BOTH
@pytest.mark.parametrize("kind", ["throttled", "cut_after"])
def test_a_refund_that_was_cut_is_done_once(till: Till, method: str, kind: str) -> None:
    payment = till.opened(method)
    till.hears(till.pays(payment))
    (till.stripe if method == "stripe" else till.pix).fault(kind, target="refund")
    ask_for_refund(till, payment)
    till.desk.clock.advance(600)
    till.desk.work()
    assert refunded_at(till, payment) == TOTAL
    assert [r.status for r in till.desk.rows(Refund)] == ["done"]
    assert till.alerts() == set()


def test_a_refund_that_the_service_refuses_is_shown(till: Till) -> None:
    payment = till.opened("stripe")
    till.hears(till.pays(payment))
    till.stripe.balance_minor = 10
    ask_for_refund(till, payment)
    (made,) = till.desk.rows(Refund)
    assert made.status == "failed"
    assert "balance" in made.error
    assert till.alerts() == {"refund_failed"}


def test_a_refund_that_the_bank_sends_back_later_is_shown(till: Till) -> None:
    payment = till.opened("stripe")
    till.hears(till.pays(payment))
    ask_for_refund(till, payment)
    (refund,) = till.stripe.refunds.values()
    event = {"id": "evt_r", "type": "refund.failed", "data": {"object": {**refund, "status": "failed"}}}
    till.hears(till.stripe.notice(event))
    assert till.alerts() == {"refund_failed"}


def test_a_refund_of_which_we_had_not_heard_that_it_was_paid_books_both(till: Till) -> None:
    payment = till.opened("stripe")
    till.stripe.pay(payment.external_id or "")
    till.hears(till.stripe.notice(till.stripe.give_back(payment.external_id or "", TOTAL)))
    assert till.payment(payment.id).status == "refunded"
    assert till.order_of(payment).payment_status == "refunded"


@BOTH
def test_a_disputed_payment_is_an_alert_with_the_order(till: Till, method: str) -> None:
    payment = till.opened(method)
    till.hears(till.pays(payment))
    external_id = payment.external_id or ""
    if method == "stripe":
        till.hears(till.stripe.notice(till.stripe.dispute(external_id)))
    else:
        till.hears(till.pix.notice(till.pix.charge_back(external_id)))
    assert till.alerts() == {"payment_disputed"}
    assert till.order_of(payment).status == "paid"


# --- Workers that die ---------------------------------------------------------------------------------------


def test_a_worker_that_dies_between_asking_and_booking_leaves_the_errand_to_another(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = till.opened("stripe")
    webhook = till.pays(payment)

    def dies(*_: Any, **__: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(cashier, "_book_event", dies)
        with pytest.raises(SystemExit):
            till.hears(webhook)
    till.desk.work()
    assert till.order_of(payment).status == "placed", "its time is not over yet"
    till.desk.clock.advance(61)
    till.desk.work()
    assert till.order_of(payment).status == "paid"
    assert len(till.desk.rows(Delivery)) == 1


@pytest.mark.parametrize(
    ("kind", "step"),
    [("link", "_request"), ("event", "_hear"), ("ask", "_note_answer"), ("refund", "_note_refund")],
)
def test_a_fault_of_our_own_ends_no_worker_and_comes_again(
    till: Till, monkeypatch: pytest.MonkeyPatch, kind: str, step: str
) -> None:
    payment = till.order("stripe")
    faults = iter([True])
    real = getattr(cashier, step)

    def trips(*arguments: Any, **about: Any) -> Any:
        if next(faults, False):
            raise ZeroDivisionError
        return real(*arguments, **about)

    if kind == "link":
        monkeypatch.setattr(cashier, step, trips)
    till.desk.work()
    till.desk.clock.advance(20)
    till.desk.work()
    payment = till.payment(payment.id)
    monkeypatch.setattr(cashier, step, trips)
    webhook = till.pays(payment)
    if kind != "ask":
        till.desk.post(webhook)
    till.desk.clock.advance(61)
    till.desk.work()
    till.desk.clock.advance(61)
    till.desk.work()
    assert till.order_of(payment).status == "paid"
    ask_for_refund(till, payment)
    till.desk.clock.advance(61)
    till.desk.work()
    assert [r.status for r in till.desk.rows(Refund)] == ["done"]
    assert next(faults, None) is None, "it has tripped"


@pytest.mark.parametrize(("kind", "step"), [("link", "_keep_link"), ("event", "_book_event")])
def test_an_errand_that_met_a_turn_of_the_same_customer_goes_on_at_once(
    till: Till, monkeypatch: pytest.MonkeyPatch, kind: str, step: str
) -> None:
    deadlocks = iter([OperationalError("UPDATE", {}, Exception(1213))])
    real = getattr(cashier, step)

    def meets(*arguments: Any) -> Any:
        for deadlock in deadlocks:
            raise deadlock
        return real(*arguments)

    monkeypatch.setattr(cashier, step, meets)
    payment = till.opened("stripe")
    till.hears(till.pays(payment))
    assert till.order_of(payment).status == "paid"
    assert next(deadlocks, None) is None, f"the {kind} has met one"


def test_an_errand_that_another_has_is_left_alone(till: Till) -> None:
    payment = till.order("stripe")
    with till.desk.app.app_context():
        counter = Counter(payment_services(till.config), till.config, till.desk.clock())
        assert cashier.run(Errand("link", payment.id), counter)
        assert cashier.run(Errand("link", payment.id), counter) == []
        assert cashier.run(Errand("event", 999), counter) == []
        assert cashier.run(Errand("refund", 999), counter) == []
        assert cashier.run(Errand("ask", 999), counter) == []
    assert till.stripe.count("POST /v1/checkout") == 1


def test_without_the_key_open_errands_wait_and_are_shown(
    till: Till, load_config: Callable[..., Config]
) -> None:
    payment = till.opened("mercadopago")
    till.desk.post(till.pays(payment))
    with till.desk.app.app_context():
        (event_id,) = payment_events.due(till.desk.clock())
        counter = Counter({}, till.config, till.desk.clock())
        assert cashier.run(Errand("event", event_id), counter) == []
    assert till.alerts() == {"payment_service"}
    till.desk.clock.advance(120)
    till.desk.work()
    assert till.order_of(payment).status == "paid"


def test_the_sweeper_finds_what_no_wake_up_told(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    payment = till.order("stripe")
    woken: list[Errand] = []
    monkeypatch.setattr(tasks, "wake_errand", woken.append)
    with till.desk.app.app_context():
        tasks.sweep()
    assert woken == [Errand("link", payment.id)]


# --- Every database ----------------------------------------------------------------------------------------


def test_two_workers_that_hear_of_one_payment_at_once_book_it_once(
    load_config: Callable[..., Config], database_url: str
) -> None:
    with FakeGraph() as graph, FakeStripe() as stripe:
        config = load_config(DATABASE_URL=database_url, **environment(graph, stripe, FakeMercadoPago()))
        with walked_desk(config, graph) as desk:
            till = Till(desk, stripe, FakeMercadoPago())
            payment = till.opened("stripe")
            event = stripe.pay(payment.external_id or "")
            for number in range(4):
                assert desk.post(stripe.notice({**event, "id": f"evt_{number}"})) == 200
                assert desk.post(stripe.notice({**event, "id": f"evt_{number}"})) == 200
            with desk.app.app_context():
                waiting = payment_events.due(desk.clock())
                db.session.rollback()
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(lambda row_id: tasks.run_errand.call_local("event", row_id), waiting))
            desk.work()
            assert till.events() == [("done", "")] * 4
            assert len(desk.rows(Sale)) == len(desk.rows(Delivery)) == 1
            assert till.order_of(payment).status == "paid"
            assert till.alerts() == set()
            ask_for_refund(till, payment)
            assert till.order_of(payment).payment_status == "refunded"


# --- The pages ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "done", "back"),
    [
        ("pt", "Obrigado!", "Nada foi pago"),
        ("es", "¡Gracias!", "No se pagó"),
        ("en", "Thank you!", "Nothing was"),
    ],
)
def test_the_pages_after_payment_speak_the_customers_language(
    till: Till, language: str, done: str, back: str
) -> None:
    headers = {"Accept-Language": "fr"}
    answer = till.desk.client.get(f"/payments/done/{language}", headers=headers)
    assert done in answer.text
    assert f'lang="{language}' in answer.text
    assert back in till.desk.client.get(f"/payments/back/{language}", headers=headers).text


def test_there_is_no_other_page(till: Till) -> None:
    assert till.desk.client.get("/payments/done/xx").status_code == 404
    assert till.desk.client.get("/payments/stripe").status_code == 405


def test_a_kept_notice_reads_as_it_came() -> None:
    notice = SignedNotice(b'{"a": "\xff\xc3\xa9"}', {"x": "y"}, {"data.id": "7"})
    again = SignedNotice.from_bytes(notice.to_bytes())
    assert (again.body, again.query, again.headers) == (notice.body, notice.query, {})
    assert json.loads(notice.to_bytes())["query"] == {"data.id": "7"}
