"""Who asked for silence hears nothing of the shop any more, but gets what she has paid for."""

from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from sqlalchemy import select

import conversations
import integrations
from config import Config
from models import Contact, Conversation, Delivery, Message, db
from shop import delivery, payments, refunds, telling
from tests.paying import PIX, arrived, make_order, payment_row
from tests.records import NOW, make_conversation

GOODS = "https://curso.example/entrar"


@pytest.fixture
def shop(app: Flask, load_config: Callable[..., Config]) -> Iterator[Config]:
    with app.app_context():
        make_conversation()
        integrations.forget()
        yield load_config(**PIX)


def waiting() -> list[str]:
    """Give what is queued and would leave."""
    is_due = (Message.direction == "out", Message.send_due_at.is_not(None))
    db.session.expire_all()
    return list(db.session.scalars(select(Message.body).where(*is_due).order_by(Message.id)))


def silence() -> None:
    conversations.opt_out(db.session.query(Contact).one().id, now=NOW)


def test_an_opt_out_cancels_what_the_shop_had_queued_but_not_the_goods(shop: Config) -> None:
    order = make_order(delivery_kind="text", delivery_text=GOODS)
    payment = payment_row(payments.start(order, "pix", config=shop, now=NOW).payment_id)
    payments.confirm(payment, **arrived(order, shop))
    assert len(waiting()) == 2
    silence()
    (goods,) = waiting()
    assert GOODS in goods
    cancelled = db.session.scalars(select(Message).where(Message.error_code == "cancelled")).one()
    assert (cancelled.sender, cancelled.status) == ("shop", "failed")


def test_money_that_comes_after_an_opt_out_brings_the_goods_and_no_other_word(shop: Config) -> None:
    order = make_order(delivery_kind="key")
    delivery.add_keys(order.items[0].product_id, ["AAAA-1"], now=NOW)
    payment = payment_row(payments.start(order, "pix", config=shop, now=NOW).payment_id)
    silence()
    payments.confirm(payment, **arrived(order, shop))
    (goods,) = waiting()
    assert "AAAA-1" in goods
    delivery.send_again(order, config=shop, now=NOW, actor="operator")
    assert len(waiting()) == 2
    refunds.refund(payment, order.total_minor, key="k", actor="operator", now=NOW)
    assert len(waiting()) == 2
    assert telling.reader_of(order.conversation_id, NOW).has_opted_out


def test_taking_a_conversation_over_cancels_the_bots_words_only(shop: Config) -> None:
    order = make_order(delivery_kind="text", delivery_text=GOODS)
    payment = payment_row(payments.start(order, "pix", config=shop, now=NOW).payment_id)
    payments.confirm(payment, **arrived(order, shop))
    conversations.take_over(db.session.get_one(Conversation, order.conversation_id), None, now=NOW)
    assert len(waiting()) == 2
    assert db.session.query(Delivery).one().message_id is not None
