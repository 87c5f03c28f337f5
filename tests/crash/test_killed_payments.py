"""The desk killed with SIGKILL while payment webhooks come, twice each: paid once, delivered once, told once.

Stripe's notices say all by themselves; Mercado Pago's have to be fetched, slowly, so that kills meet a
payment event that is stored and not yet booked. Both services live in the test's own process and try until
they see 200.
"""

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import func, select

import config as settings
from app import create_app
from models import Contact, Conversation, Delivery, Order, Payment, PaymentEvent, Sale, db, utc_now
from shop import orders, payments
from tests.crash.processes import Crowd, Site, answers_by_person, random_customers, site
from tests.crash.test_killed_workers import HASTE, REST_SECS, start_all_in_one
from tests.fakes import mercadopago as fake_mercadopago
from tests.fakes import stripe as fake_stripe
from tests.fakes.mercadopago import FakeMercadoPago
from tests.fakes.stripe import FakeStripe
from tests.records import make_product

CUSTOMERS = 8
TOTAL = 19700
METHODS = ("stripe", "mercadopago")
KILLED_AFTER = (1, 3)  # pairs of payments

pytestmark = pytest.mark.slow


@pytest.fixture
def services() -> Iterator[tuple[FakeStripe, FakeMercadoPago]]:
    with ExitStack() as stack:
        yield stack.enter_context(FakeStripe()), stack.enter_context(FakeMercadoPago())


def test_a_desk_killed_while_it_is_paid_delivers_every_order_exactly_once(
    tmp_path: Path, sqlite_url: str, services: tuple[FakeStripe, FakeMercadoPago]
) -> None:
    stripe, pix = services
    with site(tmp_path, sqlite_url, **HASTE, **keys(stripe, pix)) as desk:
        stripe.webhook_url, pix.webhook_url = (f"{desk.url}/payments/{method}" for method in METHODS)
        desk.start_graph("--receipts", "sent")
        start_all_in_one(desk)
        customers = random_customers(CUSTOMERS)
        Crowd(desk, customers, ("oi",)).write()
        desk.wait_until(lambda: len(desk.journal()) >= CUSTOMERS, REST_SECS)
        order_for_all(desk)
        desk.wait_until(lambda: len(stripe.sessions) + len(pix.payments) == CUSTOMERS, REST_SECS)
        desk.wait_until(lambda: count(desk, Payment.external_id.is_not(None)) == CUSTOMERS, REST_SECS)
        pix.fault("slow", target="fetch", times=None, secs=0.4)
        rng = random.Random(4)
        pairs = list(zip(stripe.sessions, pix.payments, strict=True))
        for place, (session_id, payment_id) in enumerate(pairs):
            stripe.tell(stripe.pay(session_id))  # which has told it once already
            pix.tell(pix.pay(payment_id))
            if place in KILLED_AFTER:
                time.sleep(rng.uniform(0.1, 0.8))
                desk.kill("desk")
                start_all_in_one(desk)
        judge(desk, customers)
        assert stripe.poster.wait_until_idle(60)
        assert pix.poster.wait_until_idle(60)


def keys(stripe: FakeStripe, pix: FakeMercadoPago) -> dict[str, str]:
    return {
        "STRIPE_SECRET_KEY": fake_stripe.SECRET_KEY,
        "STRIPE_WEBHOOK_SECRET": fake_stripe.WEBHOOK_SECRET,
        "STRIPE_API_BASE_URL": stripe.url,
        "MERCADOPAGO_ACCESS_TOKEN": fake_mercadopago.ACCESS_TOKEN,
        "MERCADOPAGO_WEBHOOK_SECRET": fake_mercadopago.WEBHOOK_SECRET,
        "MERCADOPAGO_API_BASE_URL": pix.url,
    }


def order_for_all(desk: Site) -> None:
    """Let every customer order one course, half of them by card and half by Pix."""
    config = settings.load(desk.env)
    with create_app(config).app_context():
        product = make_product("curso", TOTAL, name="Curso", delivery_kind="text", delivery_text="GO!")
        for place, conversation in enumerate(db.session.scalars(select(Conversation)).all()):
            db.session.get_one(Contact, conversation.contact_id).language = "pt"
            cart = orders.add_to_cart(conversation.id, conversation.contact_id, product, now=utc_now())
            placed = orders.place(cart, now=utc_now())
            payments.start(placed, METHODS[place % 2], config=config, now=utc_now())
        db.session.commit()
        db.engine.dispose()


def count(desk: Site, *where: object) -> int:
    with desk.reading() as connection:
        return int(connection.execute(select(func.count(Payment.id)).where(*where)).scalar_one())  # type: ignore[arg-type]


def is_settled(desk: Site) -> bool:
    with desk.reading() as connection:
        waiting = select(func.count(PaymentEvent.id)).where(PaymentEvent.state == "pending")
        unpaid = select(func.count(Order.id)).where(Order.status != "paid")
        return not connection.execute(waiting).scalar_one() and not connection.execute(unpaid).scalar_one()


def judge(desk: Site, customers: Sequence[str]) -> None:
    desk.wait_until(lambda: is_settled(desk), REST_SECS)
    desk.wait_until(desk.is_at_rest, REST_SECS)
    with desk.reading() as connection:
        sold = connection.execute(select(Sale.order_id, Sale.amount_minor)).all()
        handed = connection.execute(select(Delivery.order_id, Delivery.status, Delivery.sent_count)).all()
        states = set(connection.execute(select(PaymentEvent.state)).scalars())
    assert len({row.order_id for row in sold}) == len(sold) == CUSTOMERS
    assert {row.amount_minor for row in sold} == {TOTAL}
    assert len({row.order_id for row in handed}) == len(handed) == CUSTOMERS
    assert {(row.status, row.sent_count) for row in handed} == {("sent", 1)}
    assert states == {"done"}
    read = answers_by_person(desk.journal())
    for customer in customers:
        told = read[customer]
        assert sum("Pagamento confirmado" in text for text in told) == 1
        assert sum("GO!" in text for text in told) == 1
