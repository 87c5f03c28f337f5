"""A process killed with SIGKILL before any statement of a payment's confirmation, or around its commit: the
order is paid once and delivered once, whatever came of the first try.

Each try is a fork with a connection of its own, so that what it leaves behind is what a killed worker would.
"""

import os
import signal
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, func, select, update

import integrations
import opening
import unasked
from app import create_app
from config import Config
from models import Delivery, LicenceKey, Message, Order, Payment, Product, Sale, StateChange, db
from shop import delivery, payments
from tests.paying import PIX, make_order
from tests.records import NOW, make_product

MOST_STATEMENTS = 300
pytestmark = pytest.mark.slow


@pytest.fixture
def shop(sqlite_url: str, load_config: Callable[..., Config], tmp_path: Path) -> Iterator[Flask]:
    """Give a desk on a file, with an order of two keys whose Pix is open."""
    app = create_app(load_config(DATABASE_URL=sqlite_url, **PIX))
    with app.app_context():
        opening.migrate()
        product = make_product(delivery_kind="key")
        delivery.add_keys(product.id, ["AAAA", "BBBB", "CCCC"], now=NOW)
        integrations.forget()
        order = make_order(product, quantity=2)
        payments.start(order, "pix", config=app.config["BALCAO"], now=NOW)
        db.session.commit()
        yield app
        db.session.remove()
        db.engine.dispose()


def confirm(app: Flask) -> None:
    order = db.session.scalars(select(Order)).one()
    payments.confirm(
        db.session.scalars(select(Payment)).one(),
        amount_minor=order.total_minor,
        currency="BRL",
        actor="operator",
        config=app.config["BALCAO"],
        now=NOW,
    )
    db.session.commit()


def end_unpaid(app: Flask) -> None:
    unasked.end_unpaid(app.config["BALCAO"], NOW + timedelta(days=4))


def is_killed(app: Flask, die_at: Callable[[str, int], bool], act: Callable[[Flask], None] = confirm) -> bool:
    """Confirm (or `act`) in a process of its own that dies when `die_at` says so; tell whether it did."""
    db.session.remove()
    db.engine.dispose()
    child = os.fork()
    if child == 0:
        _act_and_die(app, die_at, act)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the try failed by itself"
    return os.WIFSIGNALED(status)


def _act_and_die(app: Flask, die_at: Callable[[str, int], bool], act: Callable[[Flask], None]) -> None:
    counts = {"statement": 0, "commit": 0, "committed": 0}

    def meet(kind: str, *_about: Any) -> None:
        counts[kind] += 1
        if die_at(kind, counts[kind]):
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        event.listen(db.engine, "before_cursor_execute", lambda *about: meet("statement", *about))
        event.listen(db.engine, "commit", lambda *about: meet("commit", *about))
        act(app)
        meet("committed")
    except BaseException:
        os._exit(1)
    os._exit(0)


def is_statement(number: int, kind: str, count: int) -> bool:
    return (kind, count) == ("statement", number)


def standing() -> dict[str, Any]:
    """Give all that a confirmation makes; read anew."""
    db.session.rollback()
    counted = {
        table.__tablename__: db.session.scalar(select(func.count()).select_from(table))
        for table in (Sale, Delivery, Message)
    }
    order = db.session.scalars(select(Order)).one()
    paid = select(func.count()).where(StateChange.record == "order", StateChange.after == "paid")
    taken = select(func.count()).where(LicenceKey.taken_at.is_not(None))
    return counted | {
        "order": order.status,
        "payment": db.session.scalar(select(Payment.status)),
        "times_paid": db.session.scalar(paid),
        "keys": db.session.scalar(taken),
    }


NOTHING: dict[str, Any] = dict.fromkeys(("sales", "deliveries", "messages", "times_paid", "keys"), 0)
NOTHING |= {"order": "placed", "payment": "pending"}
# One message says that it is paid, and one brings each key.
ONCE = {
    "sales": 1,
    "deliveries": 2,
    "messages": 3,
    "times_paid": 1,
    "keys": 2,
    "order": "paid",
    "payment": "confirmed",
}


def test_a_confirmation_killed_before_any_of_its_statements_pays_and_delivers_once(shop: Flask) -> None:
    for number in range(1, MOST_STATEMENTS):
        if not is_killed(shop, partial(is_statement, number)):
            break
        assert standing() == NOTHING, f"killed before statement {number}"
    else:
        raise AssertionError("a confirmation never comes to its end")
    assert number > 20, "the statements were counted"
    assert standing() == ONCE
    confirm(shop)
    assert standing() == ONCE


@pytest.mark.parametrize(("moment", "left"), [("commit", NOTHING), ("committed", ONCE)])
def test_a_confirmation_killed_around_its_commit_is_whole_or_nothing(
    shop: Flask, moment: str, left: dict[str, Any]
) -> None:
    assert is_killed(shop, lambda kind, _count: kind == moment)
    assert standing() == left
    assert not is_killed(shop, lambda _kind, _count: False)
    assert standing() == ONCE


def test_the_end_of_an_unpaid_order_killed_anywhere_gives_its_stock_back_once(shop: Flask) -> None:
    db.session.execute(update(Product).values(stock=3))
    db.session.commit()
    for number in range(1, MOST_STATEMENTS):
        if not is_killed(shop, partial(is_statement, number), end_unpaid):
            break
        assert (standing(), stock_and_ends()) == (NOTHING, (3, 0)), f"killed before statement {number}"
    else:
        raise AssertionError("an order never comes to its end")
    assert number > 5, "the statements were counted"
    assert stock_and_ends() == (5, 1)
    end_unpaid(shop)
    assert stock_and_ends() == (5, 1)


def stock_and_ends() -> tuple[int | None, int | None]:
    db.session.rollback()
    ended = select(func.count()).where(StateChange.record == "order", StateChange.after == "cancelled")
    return db.session.scalar(select(Product.stock)), db.session.scalar(ended)
