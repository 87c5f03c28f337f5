"""The wires to Stripe and Mercado Pago against servers that answer as documented, over real HTTP."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import setup_check
from config import Config
from tests.fakes import mercadopago as fake_mercadopago
from tests.fakes import stripe as fake_stripe
from tests.fakes.mercadopago import FakeMercadoPago
from tests.fakes.stripe import FakeStripe
from tests.fakes.webhooks import Webhook
from wires import mercadopago, stripe
from wires.mercadopago import MercadoPagoService
from wires.payment import (
    OpenPayment,
    PaymentError,
    PaymentRequest,
    PaymentState,
    Refunded,
    RefundRequest,
    SignedNotice,
    Standing,
    UnreadableNotice,
)
from wires.stripe import OutOfScale, StripeService, minor_amount, stripe_amount

NOW = datetime.now(UTC)
REQUEST = PaymentRequest(
    reference="P1001X7",
    order_number="P-1001",
    amount_minor=19700,
    currency="BRL",
    description="Curso de Violão",
    language="pt",
    expires_at=NOW + timedelta(hours=23),
    idempotency_key="pay-1-0",
    success_url="https://loja.example/payments/done",
    cancel_url="https://loja.example/payments/cancelled",
    notification_url="https://loja.example/payments/mercadopago",
    payer_email="ana@example.com",
    payer_name="Ana",
)


@pytest.fixture
def stripe_fake() -> Iterator[FakeStripe]:
    with FakeStripe() as fake:
        yield fake


@pytest.fixture
def pix_fake() -> Iterator[FakeMercadoPago]:
    with FakeMercadoPago() as fake:
        yield fake


def stripe_service(
    fake: FakeStripe, *, key: str = fake_stripe.SECRET_KEY, timeout_secs: float = 10
) -> StripeService:
    return StripeService(key, (fake_stripe.WEBHOOK_SECRET,), fake.url, timeout_secs)


def pix_service(
    fake: FakeMercadoPago, *, token: str = fake_mercadopago.ACCESS_TOKEN, timeout_secs: float = 10
) -> MercadoPagoService:
    return MercadoPagoService(token, (fake_mercadopago.WEBHOOK_SECRET,), fake.url, timeout_secs)


def opened(answer: OpenPayment | PaymentError) -> OpenPayment:
    assert isinstance(answer, OpenPayment), answer
    return answer


def error_code(answer: object) -> str:
    assert isinstance(answer, PaymentError), answer
    return answer.code


def signed(webhook: Webhook) -> SignedNotice:
    _, _, query = webhook.path.partition("?")
    return SignedNotice(
        webhook.body, webhook.headers, dict(pair.split("=") for pair in query.split("&") if pair)
    )


# --- Amounts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minor", "currency", "at_stripe"),
    [
        (19700, "BRL", 19700),
        (1, "USD", 1),
        (500, "JPY", 500),
        (12990, "CLP", 12990),
        (150, "ISK", 15000),  # whole in the world, written with two zeros at Stripe
        (3500, "UGX", 350000),
        (1230, "KWD", 1230),  # thousandths
    ],
)
def test_amounts_are_written_as_stripe_counts_each_currency(
    minor: int, currency: str, at_stripe: int
) -> None:
    assert stripe_amount(minor, currency) == at_stripe
    assert minor_amount(at_stripe, currency.lower()) == minor


def test_an_amount_that_a_currency_cannot_express_is_no_amount() -> None:
    with pytest.raises(OutOfScale):
        stripe_amount(1234, "KWD")  # Stripe wants a zero at the end
    with pytest.raises(OutOfScale):
        minor_amount(15050, "isk")


# --- Stripe -------------------------------------------------------------------------------------------------


def test_a_checkout_session_carries_reference_amount_and_language(stripe_fake: FakeStripe) -> None:
    payment = opened(stripe_service(stripe_fake).start(REQUEST))
    session = stripe_fake.session_of("P1001X7")
    assert payment.external_id == session["id"]
    assert payment.url == session["url"]
    assert payment.expires_at == REQUEST.expires_at.replace(microsecond=0)
    assert (session["amount_total"], session["currency"]) == (19700, "brl")
    assert session["metadata"] == {"order": "P-1001", "reference": "P1001X7"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"amount_minor": 10}, "amount_refused"),
        ({"amount_minor": 10**9}, "amount_refused"),
        ({"amount_minor": 1234, "currency": "KWD"}, "amount_refused"),
        ({"currency": "XAU"}, "currency_refused"),
        ({"expires_at": NOW + timedelta(minutes=5)}, "refused"),
        ({"expires_at": NOW + timedelta(days=3)}, "refused"),
        ({"success_url": "nowhere"}, "refused"),
    ],
)
def test_what_stripe_refuses_is_told_by_a_code(
    change: dict[str, Any], code: str, stripe_fake: FakeStripe
) -> None:
    answer = stripe_service(stripe_fake).start(replace(REQUEST, **change))
    assert error_code(answer) == code
    assert isinstance(answer, PaymentError)
    assert not answer.is_retryable


def test_a_session_is_pending_then_paid_then_given_back(stripe_fake: FakeStripe) -> None:
    service = stripe_service(stripe_fake)
    payment = opened(service.start(REQUEST))
    assert service.fetch(payment.external_id) == PaymentState(
        payment.external_id, "P1001X7", "pending", 19700, "BRL"
    )
    stripe_fake.pay(payment.external_id)
    assert service.fetch(payment.external_id) == PaymentState(
        payment.external_id, "P1001X7", "paid", 19700, "BRL"
    )
    stripe_fake.give_back(payment.external_id, 700)
    state = service.fetch(payment.external_id)
    assert state == PaymentState(payment.external_id, "P1001X7", "refunded", 19700, "BRL", 700)
    intent_id = stripe_fake.sessions[payment.external_id]["payment_intent"]
    assert service.fetch(intent_id) == state
    stripe_fake.dispute(payment.external_id)
    assert service.fetch(intent_id) == replace(state, status="disputed")


def test_a_slip_is_pending_until_its_money_comes_or_does_not(stripe_fake: FakeStripe) -> None:
    service = stripe_service(stripe_fake)
    settled, failed = (
        opened(service.start(replace(REQUEST, reference=r, idempotency_key=r))) for r in ("A", "B")
    )
    for payment in (settled, failed):
        event = stripe_fake.pay(payment.external_id, is_async=True)
        assert service.read(signed(stripe_fake.notice(event))).kind == "other"
        assert status_of(service.fetch(payment.external_id)) == "pending"
    event = stripe_fake.settle(settled.external_id)
    assert service.read(signed(stripe_fake.notice(event))).kind == "paid"
    assert status_of(service.fetch(settled.external_id)) == "paid"
    event = stripe_fake.fail(failed.external_id)
    assert service.read(signed(stripe_fake.notice(event))).kind == "failed"
    assert status_of(service.fetch(failed.external_id)) == "failed"


def test_a_cancelled_session_takes_no_money_and_a_paid_one_stays_paid(stripe_fake: FakeStripe) -> None:
    service = stripe_service(stripe_fake)
    payment = opened(service.start(REQUEST))
    assert status_of(service.cancel(payment.external_id)) == "expired"
    assert status_of(service.cancel(payment.external_id)) == "expired"
    other = opened(service.start(replace(REQUEST, reference="P2", idempotency_key="pay-2")))
    stripe_fake.pay(other.external_id)
    assert status_of(service.cancel(other.external_id)) == "paid"


def test_stripe_gives_back_once_for_each_key_and_never_more_than_was_paid(stripe_fake: FakeStripe) -> None:
    service = stripe_service(stripe_fake)
    payment = opened(service.start(REQUEST))
    part = RefundRequest(payment.external_id, 700, "BRL", "refund-1")
    assert error_code(service.refund(part)) == "not_refundable"  # nothing was paid yet
    stripe_fake.pay(payment.external_id)
    first = service.refund(part)
    assert isinstance(first, Refunded)
    assert (first.amount_minor, first.is_final) == (700, True)
    assert service.refund(part) == first
    assert len(stripe_fake.refunds) == 1
    assert error_code(service.refund(replace(part, amount_minor=701))) == "key_reused"
    too_much = replace(part, amount_minor=19700, idempotency_key="refund-2")
    assert error_code(service.refund(too_much)) == "refused"
    rest = replace(part, amount_minor=19000, idempotency_key="refund-3")
    assert isinstance(service.refund(rest), Refunded)
    assert error_code(service.refund(replace(rest, idempotency_key="refund-4"))) == "already_refunded"


def test_a_refund_may_wait_for_a_bank_or_for_a_balance(stripe_fake: FakeStripe) -> None:
    service = stripe_service(stripe_fake)
    payment = opened(service.start(REQUEST))
    stripe_fake.pay(payment.external_id)
    stripe_fake.balance_minor = 5
    request = RefundRequest(payment.external_id, 700, "BRL", "refund-1")
    assert error_code(service.refund(request)) == "no_balance"
    stripe_fake.balance_minor, stripe_fake.refund_status = 10**6, "pending"
    answer = service.refund(request)
    assert isinstance(answer, Refunded)
    assert not answer.is_final


def test_events_of_stripe_say_what_happened_to_which_payment(stripe_fake: FakeStripe) -> None:
    service = stripe_service(stripe_fake)
    payment = opened(service.start(REQUEST))
    paid = service.read(signed(stripe_fake.notice(stripe_fake.pay(payment.external_id))))
    assert (paid.kind, paid.external_id, paid.reference) == ("paid", payment.external_id, "P1001X7")
    assert (paid.amount_minor, paid.currency, paid.must_fetch) == (19700, "BRL", False)
    back = service.read(signed(stripe_fake.notice(stripe_fake.give_back(payment.external_id, 700))))
    assert (back.kind, back.reference, back.must_fetch) == ("refunded", "P1001X7", True)
    disputed = service.read(signed(stripe_fake.notice(stripe_fake.dispute(payment.external_id))))
    assert (disputed.kind, disputed.must_fetch) == ("disputed", True)
    assert (
        back.external_id == disputed.external_id == stripe_fake.sessions[paid.external_id]["payment_intent"]
    )
    assert len({paid.event_key, back.event_key, disputed.event_key}) == 3
    other = {"id": "evt_1", "type": "customer.created", "data": {"object": {"id": "cus_1"}}}
    assert service.read(signed(stripe_fake.notice(other))).kind == "other"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b"\xff", b'{"id": "e", "type": "t", "data": 7}', b"[" * 9999]
)
def test_a_signed_body_that_is_no_event_is_unreadable(body: bytes, stripe_fake: FakeStripe) -> None:
    with pytest.raises(UnreadableNotice):
        stripe_service(stripe_fake).read(SignedNotice(body, {}))


# --- Mercado Pago -------------------------------------------------------------------------------------------


def test_a_pix_payment_brings_code_picture_and_page(pix_fake: FakeMercadoPago) -> None:
    payment = opened(pix_service(pix_fake).start(REQUEST))
    row = pix_fake.payment_of("P1001X7")
    assert payment.external_id == str(row["id"])
    assert payment.code_text == row["point_of_interaction"]["transaction_data"]["qr_code"]
    assert payment.code_png.startswith(b"\x89PNG")
    assert payment.url.startswith("https://www.mercadopago.com.br/")
    assert abs(payment.expires_at - REQUEST.expires_at) < timedelta(seconds=1)
    assert (row["transaction_amount"], row["metadata"]) == (197.0, {"order": "P-1001"})
    assert row["notification_url"] == "https://loja.example/payments/mercadopago?source_news=webhooks"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"currency": "USD"}, "currency_refused"),
        ({"payer_email": ""}, "refused"),
        ({"amount_minor": 0}, "refused"),
        ({"expires_at": NOW + timedelta(minutes=5)}, "refused"),
        ({"notification_url": "http://127.0.0.1/x"}, "refused"),
    ],
)
def test_what_mercado_pago_refuses_is_told_by_a_code(
    change: dict[str, Any], code: str, pix_fake: FakeMercadoPago
) -> None:
    assert error_code(pix_service(pix_fake).start(replace(REQUEST, **change))) == code


@pytest.mark.parametrize("email", ["ana@@loja", "loja@ana.example"])
def test_a_payers_address_that_is_not_taken_is_replaced_by_the_spare_one(
    pix_fake: FakeMercadoPago, email: str
) -> None:
    request = replace(REQUEST, payer_email=email, spare_email="p10017@loja.example")
    first, again = (pix_service(pix_fake).start(request) for _ in range(2))
    assert isinstance(first, OpenPayment)
    assert again == first, "the same key gives the same payment"
    assert len(pix_fake.payments) == 1
    alone = pix_service(pix_fake).start(replace(request, idempotency_key="other", spare_email=""))
    assert isinstance(alone, PaymentError)
    assert alone.code == "refused"


def test_a_pix_payment_is_pending_then_paid_then_given_back(pix_fake: FakeMercadoPago) -> None:
    service = pix_service(pix_fake)
    external_id = opened(service.start(REQUEST)).external_id
    assert service.fetch(external_id) == PaymentState(external_id, "P1001X7", "pending", 19700, "BRL")
    pix_fake.pay(external_id)
    assert service.fetch(external_id) == PaymentState(external_id, "P1001X7", "paid", 19700, "BRL")
    pix_fake.give_back(external_id, "7.35")
    assert service.fetch(external_id) == PaymentState(external_id, "P1001X7", "refunded", 19700, "BRL", 735)
    pix_fake.charge_back(external_id)
    assert status_of(service.fetch(external_id)) == "disputed"


def test_a_pix_payment_expires_or_is_cancelled_and_a_paid_one_stays_paid(pix_fake: FakeMercadoPago) -> None:
    service = pix_service(pix_fake)
    expired, cancelled, paid = (
        opened(service.start(replace(REQUEST, reference=r, idempotency_key=r))).external_id for r in "ABC"
    )
    pix_fake.expire(expired)
    assert status_of(service.fetch(expired)) == "expired"
    assert status_of(service.cancel(cancelled)) == "failed"
    assert status_of(service.cancel(cancelled)) == "failed"
    pix_fake.pay(paid)
    assert status_of(service.cancel(paid)) == "paid"


def test_mercado_pago_gives_back_once_for_each_key(pix_fake: FakeMercadoPago) -> None:
    service = pix_service(pix_fake)
    external_id = opened(service.start(REQUEST)).external_id
    part = RefundRequest(external_id, 735, "BRL", "refund-1")
    assert error_code(service.refund(part)) == "not_refundable"
    pix_fake.pay(external_id)
    first = service.refund(part)
    assert isinstance(first, Refunded)
    assert (first.amount_minor, first.is_final) == (735, True)
    assert service.refund(part) == first
    assert len(pix_fake.payments[external_id]["refunds"]) == 1
    assert error_code(service.refund(replace(part, amount_minor=736))) == "key_reused"
    rest = replace(part, amount_minor=18965, idempotency_key="refund-2")
    assert isinstance(service.refund(rest), Refunded)
    assert error_code(service.refund(replace(rest, idempotency_key="refund-3"))) == "already_refunded"


def test_a_notice_of_mercado_pago_names_the_payment_and_nothing_else(pix_fake: FakeMercadoPago) -> None:
    service = pix_service(pix_fake)
    external_id = opened(service.start(REQUEST)).external_id
    notice = service.read(signed(pix_fake.notice(pix_fake.pay(external_id))))
    assert (notice.external_id, notice.kind, notice.must_fetch) == (external_id, "other", True)
    assert (notice.amount_minor, notice.currency, notice.event_type) == (0, "", "payment.updated")
    repeated = service.read(signed(pix_fake.notice(pix_fake.notices[-1])))
    assert repeated.event_key == notice.event_key
    assert service.read(signed(pix_fake.notice(pix_fake.notices[0]))).event_key != notice.event_key


def test_a_notice_about_something_else_is_not_fetched(pix_fake: FakeMercadoPago) -> None:
    service = pix_service(pix_fake)
    for query in ({"data.id": "1", "type": "merchant_order"}, {"data.id": "../x", "type": "payment"}):
        assert not service.read(SignedNotice(b"{}", {}, query)).must_fetch
    with pytest.raises(UnreadableNotice):
        service.read(SignedNotice(b"[1]", {}, {"data.id": "1"}))


# --- Signatures ---------------------------------------------------------------------------------------------

EVENT: dict[str, Any] = {"id": "evt_1", "type": "x", "data": {"object": {}}}


def stripe_verdict(webhook: Webhook, *secrets: str, later: timedelta = timedelta(0), **changes: Any) -> bool:
    service = StripeService("sk_test_1", secrets or (fake_stripe.WEBHOOK_SECRET,), "http://127.0.0.1:9")
    changed = SignedNotice(changes.get("body", webhook.body), changes.get("headers", webhook.headers))
    return service.verify(changed, now=datetime.now(UTC) + later)


def test_the_signature_of_stripe_covers_every_byte_and_its_time() -> None:
    fake = FakeStripe()
    webhook = fake.notice(EVENT)
    assert stripe_verdict(webhook)
    assert not stripe_verdict(webhook, body=webhook.body + b" ")
    assert not stripe_verdict(webhook, body=b"\xff\xfe")
    assert not stripe_verdict(webhook, "whsec_of_another")
    assert not stripe_verdict(webhook, "")
    assert stripe_verdict(webhook, later=timedelta(minutes=4))
    assert not stripe_verdict(webhook, later=timedelta(minutes=6))
    assert not stripe_verdict(webhook, later=-timedelta(minutes=6))


def test_while_a_secret_is_replaced_either_is_enough() -> None:
    fake = FakeStripe()
    both = fake.notice(EVENT, secrets=("whsec_new", "whsec_old"))
    assert stripe_verdict(both, "whsec_old")
    assert stripe_verdict(both, "whsec_new")
    assert stripe_verdict(fake.notice(EVENT, secrets=("whsec_old",)), "whsec_new", "whsec_old")
    assert not stripe_verdict(both, "whsec_none")


@pytest.mark.parametrize(
    "header", ["", "t=1", "v1=ab", "t=x,v1=ab", "t=,v1=", "nothing", "v0=ab,t=1", "t=1,v1=é", "t=1=2,v1=ab"]
)
def test_a_malformed_signature_of_stripe_is_none(header: str) -> None:
    webhook = FakeStripe().notice(EVENT)
    assert not stripe_verdict(webhook, headers={"Stripe-Signature": header})
    assert not stripe_verdict(webhook, headers={})


def test_without_a_secret_nothing_is_signed() -> None:
    webhook = FakeStripe().notice(EVENT)
    service = StripeService("sk_test_1", (), "http://127.0.0.1:9")
    assert not service.verify(SignedNotice(webhook.body, webhook.headers), now=datetime.now(UTC))
    notice = signed(FakeMercadoPago().notice({"data": {"id": "7"}}))
    assert not MercadoPagoService("t", (), "http://127.0.0.1:9").verify(notice, now=datetime.now(UTC))


def pix_verdict(notice: SignedNotice, *secrets: str) -> bool:
    known = secrets or (fake_mercadopago.WEBHOOK_SECRET,)
    return MercadoPagoService("t", known, "http://127.0.0.1:9").verify(notice, now=datetime.now(UTC))


def test_the_signature_of_mercado_pago_covers_payment_request_and_time() -> None:
    fake = FakeMercadoPago()
    notice = signed(fake.notice({"data": {"id": "1320000001"}}, request_id="r-1"))
    assert pix_verdict(notice)
    assert pix_verdict(notice, "another", fake_mercadopago.WEBHOOK_SECRET)
    assert not pix_verdict(notice, "another")
    assert not pix_verdict(replace(notice, query={"data.id": "1320000002"}))
    assert not pix_verdict(replace(notice, query={}))
    assert not pix_verdict(replace(notice, headers={**notice.headers, "x-request-id": "r-2"}))
    later = notice.headers["x-signature"].replace("ts=1", "ts=2", 1)
    assert not pix_verdict(replace(notice, headers={**notice.headers, "x-signature": later}))
    # A repeat days later has the first time in it, or a new one: nobody says which, so both are taken.
    assert pix_verdict(signed(fake.notice({"data": {"id": "1"}}, at=1_700_000_000)))
    assert pix_verdict(signed(fake.notice({"data": {"id": "1"}}, at=1_700_000_000_000)))


@pytest.mark.parametrize("header", ["", "ts=1", "v1=ab", "ts=x,v1=ab", "ts=1,v1=é", "ts=1,v2=ab", ",,="])
def test_a_malformed_signature_of_mercado_pago_is_none(header: str) -> None:
    notice = signed(FakeMercadoPago().notice({"data": {"id": "1"}}))
    assert not pix_verdict(replace(notice, headers={**notice.headers, "x-signature": header}))
    assert not pix_verdict(replace(notice, headers={}))


# --- Failures -----------------------------------------------------------------------------------------------

FAULTS: list[tuple[str, dict[str, Any], str]] = [
    ("server_error", {"status": 503}, "unavailable"),
    ("server_error", {"status": 500}, "unavailable"),
    ("server_error", {"status": 403}, "forbidden"),
    ("throttled", {}, "busy"),
    ("cut_before", {}, "unreachable"),
    ("cut_after", {}, "unreachable"),
    ("bad_json", {}, "unreadable"),
    ("slow", {"secs": 30}, "timeout"),
]


@pytest.mark.parametrize(("kind", "about", "code"), FAULTS)
def test_faults_of_stripe_are_sorted_into_the_closed_list(
    kind: str, about: dict[str, Any], code: str, stripe_fake: FakeStripe
) -> None:
    stripe_fake.fault(kind, target="create", **about)
    service = stripe_service(stripe_fake, timeout_secs=0.5 if kind == "slow" else 10)
    answer = service.start(REQUEST)
    assert error_code(answer) == code
    assert isinstance(answer, PaymentError)
    assert answer.is_retryable == (code != "forbidden")


@pytest.mark.parametrize(("kind", "about", "code"), FAULTS)
def test_faults_of_mercado_pago_are_sorted_into_the_closed_list(
    kind: str, about: dict[str, Any], code: str, pix_fake: FakeMercadoPago
) -> None:
    pix_fake.fault(kind, target="create", **about)
    service = pix_service(pix_fake, timeout_secs=0.5 if kind == "slow" else 10)
    assert error_code(service.start(REQUEST)) == code


def test_a_request_that_was_cut_after_it_was_accepted_is_done_once(
    stripe_fake: FakeStripe, pix_fake: FakeMercadoPago
) -> None:
    stripe_fake.fault("cut_after", target="create")
    pix_fake.fault("cut_after", target="create")
    for service in (stripe_service(stripe_fake), pix_service(pix_fake)):
        assert error_code(service.start(REQUEST)) == "unreachable"
        opened(service.start(REQUEST))
    assert len(stripe_fake.sessions) == len(pix_fake.payments) == 1


def test_stripe_repeats_its_own_error_for_a_key_that_had_begun(stripe_fake: FakeStripe) -> None:
    stripe_fake.fault("server_error", target="create", status=500)
    service = stripe_service(stripe_fake)
    assert error_code(service.start(REQUEST)) == error_code(service.start(REQUEST)) == "unavailable"
    opened(service.start(replace(REQUEST, idempotency_key="pay-1-1")))


def test_nobody_listening_is_unreachable() -> None:
    assert error_code(StripeService("sk_test_1", (), "http://127.0.0.1:9").fetch("cs_1")) == "unreachable"
    assert error_code(MercadoPagoService("t", (), "http://127.0.0.1:9").fetch("1")) == "unreachable"


def test_what_is_not_there_is_not_found(stripe_fake: FakeStripe, pix_fake: FakeMercadoPago) -> None:
    assert error_code(stripe_service(stripe_fake).fetch("cs_none")) == "not_found"
    assert error_code(stripe_service(stripe_fake).fetch("pi_none")) == "not_found"
    assert error_code(pix_service(pix_fake).fetch("1")) == "not_found"


# --- Keys ---------------------------------------------------------------------------------------------------


def test_check_proves_the_key_and_changes_nothing(stripe_fake: FakeStripe, pix_fake: FakeMercadoPago) -> None:
    assert stripe_service(stripe_fake).check() == Standing("test mode", True)
    assert pix_service(pix_fake).check() == Standing("account 44444", False)
    assert error_code(stripe_service(stripe_fake, key="sk_live_wrong").check()) == "unauthorized"
    assert error_code(pix_service(pix_fake, token="wrong").check()) == "unauthorized"
    pix_fake.site = "MLA"
    assert error_code(pix_service(pix_fake).check()) == "currency_refused"
    stripe_fake.fault("server_error", target="fetch", status=403)
    assert stripe_service(stripe_fake).check() == Standing("a restricted key", True)


def test_no_message_holds_a_key(stripe_fake: FakeStripe, pix_fake: FakeMercadoPago, caplog: Any) -> None:
    caplog.set_level("DEBUG")
    answers = [
        stripe_service(stripe_fake, key="sk_live_wrong").start(REQUEST),
        pix_service(pix_fake, token="APP_USR-wrong").start(REQUEST),
    ]
    for told in (*map(repr, answers), caplog.text):
        assert "wrong" not in told
        assert "sk_" not in told
        assert "ana@" not in told


def test_the_settings_name_the_accounts(load_config: Callable[..., Config]) -> None:
    assert stripe.service_of(load_config()) is None
    assert mercadopago.service_of(load_config()) is None
    settings = load_config(STRIPE_SECRET_KEY="sk_test_1", MERCADOPAGO_ACCESS_TOKEN="TEST-1")
    assert stripe.service_of(settings).method == "stripe"
    assert mercadopago.service_of(settings).method == "mercadopago"


def findings(load_config: Callable[..., Config], **environ: str) -> list[tuple[str, str]]:
    """Give level and words of what check-setup says about payment services."""
    config = load_config(**environ)
    return [(found.level, found.words) for found in setup_check.payment_findings(config)]


def test_check_setup_says_what_each_service_must_be_told(
    load_config: Callable[..., Config], stripe_fake: FakeStripe, pix_fake: FakeMercadoPago
) -> None:
    assert findings(load_config) == []
    card = {"STRIPE_SECRET_KEY": fake_stripe.SECRET_KEY, "STRIPE_API_BASE_URL": stripe_fake.url}
    pix = {"MERCADOPAGO_ACCESS_TOKEN": fake_mercadopago.ACCESS_TOKEN}
    pix |= {"MERCADOPAGO_API_BASE_URL": pix_fake.url, "MERCADOPAGO_WEBHOOK_SECRET": "s"}
    half, rest = findings(load_config, **card), findings(load_config, **pix)
    assert half[0] == ("ok", "test mode")
    assert half[1][0] == rest[1][0] == "warn"
    assert "STRIPE_WEBHOOK_SECRET" in half[1][1]
    assert "PUBLIC_BASE_URL" in rest[1][1]
    served = {"PUBLIC_BASE_URL": "https://loja.example", "APP_ENV": "production", "SECRET_KEY": "k" * 32}
    told = findings(load_config, **card, **pix, **served, STRIPE_WEBHOOK_SECRET="whsec_1")
    assert [level for level, _ in told] == ["warn", "ok", "ok", "ok"]
    assert "live key" in told[0][1]
    assert told[1][1].endswith("https://loja.example/payments/stripe")
    assert told[3][1].endswith("https://loja.example/payments/mercadopago")
    pix_fake.fault("throttled", target="fetch")
    assert findings(load_config, **pix)[0][0] == "warn"
    (level, words), _ = findings(load_config, **card | {"STRIPE_SECRET_KEY": "sk_live_wrong"})
    assert (level, "STRIPE_SECRET_KEY" in words) == ("fail", True)


def status_of(answer: PaymentState | PaymentError) -> str:
    assert isinstance(answer, PaymentState), answer
    return answer.status


def test_the_fakes_events_are_json_that_stripe_could_have_written() -> None:
    webhook = FakeStripe().notice(EVENT)
    assert json.loads(webhook.body) == EVENT
    assert b"\n" in webhook.body  # indented: a receiver that writes it anew cannot verify it
