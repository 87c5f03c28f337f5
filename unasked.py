"""What the desk does without having been asked: news to owners, follow-ups, goods that had to wait, orders
that nobody pays.

`tasks` calls these on its schedule and wakes the conversations that they give. Each commits by itself, one
message at a time, and asks nobody outside.
"""

from collections.abc import Callable
from datetime import datetime

from config import Config
from models import db, reading
from owner import notices
from shop import delivery, lapsing, nudges


def tell_owners(config: Config, now: datetime) -> list[int]:
    """Queue what owners may be told now on their own phones. Commits. Gives the conversations to wake."""
    with reading():
        has_news = notices.has_work(config, now)
        db.session.rollback()
    if not has_news:
        return []
    told = notices.tell(config, now)
    db.session.commit()
    return told


def nudge_silent(config: Config, now: datetime) -> list[int]:
    """Write once to those who left a cart, an unpaid order or their data. Commits. Gives whom to wake."""
    with reading():
        wanted = nudges.candidates(now)
        db.session.rollback()
    for candidate in wanted:
        nudges.plan(candidate, config=config, now=now)
        db.session.commit()
    with reading():
        nudge_ids = nudges.due(now)
        db.session.rollback()
    woken = []
    for nudge_id in nudge_ids:
        conversation_id = nudges.send(nudge_id, now=now)
        db.session.commit()
        if conversation_id is not None:
            woken.append(conversation_id)
    return woken


def bring_goods(config: Config, now: datetime) -> list[int]:
    """Queue what paid orders waited for, one commit each; gives the conversations to wake."""
    return _bring(delivery.due, config, now)


def bring_gifts(config: Config, now: datetime) -> list[int]:
    """Queue what was ordered a moment ago and costs nothing; gives the conversations to wake. Commits."""
    return _bring(delivery.gifts, config, now)


def _bring(find: Callable[[datetime], list[int]], config: Config, now: datetime) -> list[int]:
    with reading():
        order_ids = find(now)
        db.session.rollback()
    woken = []
    for order_id in order_ids:
        conversation_id = delivery.bring_due(order_id, config=config, now=now)
        db.session.commit()
        if conversation_id is not None:
            woken.append(conversation_id)
    return woken


def end_unpaid(config: Config, now: datetime) -> list[int]:
    """End the orders that were not paid in time, one commit each; gives the conversations to wake."""
    with reading():
        order_ids = lapsing.waiting_too_long(config, now)
        db.session.rollback()
    woken = []
    for order_id in order_ids:
        conversation_id = lapsing.lapse(order_id, config=config, now=now)
        db.session.commit()
        if conversation_id is not None:
            woken.append(conversation_id)
    return woken
