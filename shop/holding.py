"""The one order in which the shop locks: the conversation, then the order, then what belongs to it.

A turn of the pipeline has its conversation before it touches an order; whoever books money or sends goods
beside it must take both in the same order, or MariaDB and PostgreSQL end one of the two as a deadlock.
"""

from sqlalchemy import select

from models import Conversation, Order, db


def hold(order: Order) -> Order:
    """Lock an order under its conversation, and read it anew. Flushes."""
    db.session.flush()
    thread = select(Conversation.id).where(Conversation.id == order.conversation_id)
    db.session.execute(thread.with_for_update())
    db.session.refresh(order, with_for_update=True)
    return order
