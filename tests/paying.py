"""What tests of payment start from: a placed order of a customer who has just written, and a till."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from config import Config
from models import Alert, Conversation, Message, Order, Payment, Product, db
from shop import orders
from tests.records import NOW, make_conversation, make_product

PIX = {"PIX_KEY": "financeiro@loja.example", "PIX_NAME": "Loja da Ana", "PIX_CITY": "São Paulo"}
EVERY_WAY = {
    **PIX,
    "MANUAL_PAYMENT_TEXT": "Banco 123, agência 4567, conta 89-0",
    "STRIPE_SECRET_KEY": "sk_test_123",
    "STRIPE_WEBHOOK_SECRET": "whsec_123",
}


def make_order(
    *products: Product, conversation: Conversation | None = None, quantity: int = 1, **fields: Any
) -> Order:
    """Give an order that its customer has just placed. Flushes."""
    conversation = conversation or db.session.query(Conversation).first() or make_conversation()
    conversation.last_inbound_at = NOW
    db.session.flush()
    for product in products or (make_product(**fields),):
        cart = orders.add_to_cart(
            conversation.id, conversation.contact_id, product, quantity, now=NOW, source="shop"
        )
    return orders.place(cart, now=NOW)


def told(conversation_id: int) -> Sequence[str]:
    """Give what was queued to a customer, in order."""
    query = select(Message.body).where(Message.conversation_id == conversation_id, Message.direction == "out")
    return list(db.session.scalars(query.order_by(Message.id)))


def number_of(order: Order) -> str:
    assert order.number is not None
    return order.number


def payment_row(payment_id: int) -> Payment:
    return db.session.get_one(Payment, payment_id, populate_existing=True)


def arrived(order: Order, config: Config, **changes: Any) -> Mapping[str, Any]:
    """Give the arguments of `payments.confirm` for the whole sum of an order."""
    whole = {"amount_minor": order.total_minor, "currency": order.currency, "actor": "operator"}
    return {**whole, "config": config, "now": NOW, **changes}


def open_topics() -> set[str | None]:
    """Give what people of ours are asked to look at."""
    return set(db.session.scalars(select(Alert.open_topic).where(Alert.open_topic.is_not(None))))
