"""Two who confirm at once, and two orders that want one key, on every database: paid once, no key twice."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

import cashier
import integrations
import opening
from app import create_app
from config import Config
from models import Delivery, LicenceKey, Order, Payment, Sale, db
from shop import delivery, payments, refunds
from shop.bank_list import BankLine, Booked
from tests.paying import PIX, make_order
from tests.records import NOW, make_conversation, make_product

TRANSFER = "E00000000202611211500abcdefghijk"
TRIES = 4
WAIT_SECS = 120


@pytest.fixture
def shop(load_config: Callable[..., Config], database_url: str) -> Iterator[Flask]:
    app = create_app(load_config(DATABASE_URL=database_url, MANUAL_PAYMENT_TEXT="Banco 1", **PIX))
    with app.app_context():
        opening.migrate()
        integrations.forget()
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def open_orders(app: Flask, *, count: int, keys: tuple[str, ...]) -> list[int]:
    """Place orders of one product whose keys these are; gives the payments to confirm."""
    with app.app_context():
        product = make_product(delivery_kind="key")
        delivery.add_keys(product.id, keys, now=NOW)
        config = app.config["BALCAO"]
        ids = [
            payments.start(make_order(product), "pix", config=config, now=NOW).payment_id
            for _ in range(count)
        ]
        db.session.commit()
        return ids


def confirm_at_once(app: Flask, payment_ids: list[int]) -> list[str]:
    """Confirm each in a thread of its own, all at the same moment; gives what became of them."""
    results: list[str] = []
    ready = threading.Barrier(len(payment_ids))

    def confirm(payment_id: int) -> None:
        with app.app_context():
            ready.wait(WAIT_SECS)
            payment = db.session.get_one(Payment, payment_id)
            whole: dict[str, Any] = {"amount_minor": payment.amount_minor, "currency": payment.currency}
            done = payments.confirm(payment, **whole, actor="operator", config=app.config["BALCAO"], now=NOW)
            db.session.commit()
            results.append(done.result)

    threads = [threading.Thread(target=confirm, args=(one,)) for one in payment_ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_SECS)
    return sorted(results)


def test_of_many_who_confirm_one_payment_only_one_pays(shop: Flask) -> None:
    (payment_id,) = open_orders(shop, count=1, keys=("AAAA", "BBBB"))
    assert confirm_at_once(shop, [payment_id] * TRIES) == [*["already"] * (TRIES - 1), "paid"]
    with shop.app_context():
        counts = [db.session.scalar(select(func.count()).select_from(table)) for table in (Sale, Delivery)]
        taken = db.session.scalar(select(func.count()).where(LicenceKey.taken_at.is_not(None)))
        assert [*counts, taken] == [1, 1, 1]
        payment = db.session.get_one(Payment, payment_id)
        refunds.refund(payment, payment.amount_minor, key="k", actor="operator", now=NOW)
        db.session.commit()
        assert db.session.scalars(select(Order.status)).all() == ["refunded"]


def book_at_once(app: Flask, lists: list[list[BankLine]]) -> list[Booked]:
    """Book bank lists in a thread each, at the same moment; gives what became of them, in any order."""
    results: list[Booked] = []
    ready = threading.Barrier(len(lists))

    def book(lines: list[BankLine]) -> None:
        with app.app_context():
            ready.wait(WAIT_SECS)
            results.append(cashier.book_list(lines, config=app.config["BALCAO"], now=NOW, actor="operator"))

    threads = [threading.Thread(target=book, args=(one,)) for one in lists]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_SECS)
    return results


@pytest.mark.parametrize("second", ["pix", "manual"])
def test_of_two_lists_that_use_one_transfer_for_two_orders_one_pays(shop: Flask, second: str) -> None:
    with shop.app_context():
        config, product = shop.config["BALCAO"], make_product()
        ids = [
            payments.start(make_order(product), method, config=config, now=NOW).payment_id
            for method in ("pix", second)
        ]
        references = [db.session.get_one(Payment, one).our_reference for one in ids]
        db.session.commit()
    booked = book_at_once(shop, [[BankLine(one, 9700, external_id=TRANSFER)] for one in references])
    assert sorted((one.paid, one.wrong) for one in booked) == [(0, 1), (1, 0)]
    with shop.app_context():
        assert sorted(db.session.scalars(select(Order.status))) == ["paid", "placed"]
        assert db.session.scalars(
            select(Payment.external_id).where(Payment.external_id.is_not(None))
        ).all() == [TRANSFER]


def test_two_lists_in_opposite_order_book_all_of_their_lines_once(shop: Flask) -> None:
    with shop.app_context():
        config, product = shop.config["BALCAO"], make_product()
        lines = []
        for place in range(TRIES):
            order = make_order(product, conversation=make_conversation(f"55119000000{place:02}"))
            shown = payments.start(order, "pix", config=config, now=NOW)
            lines.append(BankLine(shown.reference, 9700, external_id=f"{TRANSFER[:-2]}{place:02}"))
        db.session.commit()
    booked = book_at_once(shop, [lines, lines[::-1]])
    assert sum(one.paid for one in booked) == TRIES
    assert sum(one.known for one in booked) == TRIES
    with shop.app_context():
        assert db.session.scalar(select(func.count()).select_from(Sale)) == TRIES


def test_orders_paid_at_once_share_no_key(shop: Flask) -> None:
    ids = open_orders(shop, count=TRIES, keys=("AAAA", "BBBB", "CCCC"))
    assert confirm_at_once(shop, ids) == ["paid"] * TRIES
    with shop.app_context():
        given = db.session.scalars(select(Delivery.text).where(Delivery.text != "")).all()
        assert sorted(given) == ["AAAA", "BBBB", "CCCC"]
        waiting = select(func.count()).where(Delivery.status == "pending")
        assert db.session.scalar(waiting) == 1
