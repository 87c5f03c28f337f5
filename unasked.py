"""What the desk does without having been asked: news to owners, follow-ups, goods that had to wait, orders
that nobody pays, campaigns and messages planned for later.

`tasks` calls these on its schedule and wakes the conversations that they give. Each commits by itself, one
message at a time, and asks nobody outside.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Final

import structlog
from sqlalchemy.exc import IntegrityError, NoResultFound, OperationalError

from config import Config
from conversations import JoinedMeanwhile
from models import db, reading
from outreach import campaigns, scheduled
from owner import notices
from shop import delivery, lapsing, nudges

log = structlog.get_logger()

# Of one campaign in one sweep: the others and the owners wait behind it.
PEOPLE_AT_ONCE: Final = 50


def queue_due(config: Config, now: datetime) -> list[int]:
    """Queue all that the sweep looks for: news to owners, gifts, campaigns, planned messages. Commits. Gives
    the conversations to wake."""
    return [*tell_owners(config, now), *bring_gifts(config, now), *reach_out(config, now)]


def reach_out(config: Config, now: datetime) -> list[int]:
    """Queue what campaigns and planned messages have due, each person in a commit of her own."""
    with reading():
        campaign_ids, scheduled_ids = campaigns.due(now), scheduled.due(now)
        db.session.rollback()
    woken = [
        conversation_id
        for campaign_id in campaign_ids
        for conversation_id in _send_campaign(campaign_id, config, now)
    ]
    for scheduled_id in scheduled_ids:
        if (conversation_id := _send_planned(scheduled_id, now)) is not None:
            woken.append(conversation_id)
    return woken


def _send_planned(scheduled_id: int, now: datetime) -> int | None:
    try:
        conversation_id = scheduled.send(scheduled_id, now=now)
        db.session.commit()
    except (IntegrityError, OperationalError) as error:
        db.session.rollback()
        log.warning("planned_message_waits", scheduled_id=scheduled_id, error=type(error).__name__)
        return None
    return conversation_id


def _send_campaign(campaign_id: int, config: Config, now: datetime) -> list[int]:
    """Send what a campaign's pace allows now; who came in the way of another worker is taken up later."""
    woken = []
    for _ in range(PEOPLE_AT_ONCE):
        try:
            step = campaigns.send_next(campaign_id, config=config, now=now)
            db.session.commit()
        except (IntegrityError, OperationalError, NoResultFound, JoinedMeanwhile) as error:
            db.session.rollback()
            log.warning("campaign_waits", campaign_id=campaign_id, error=type(error).__name__)
            break
        except Exception as error:
            # What nobody foresaw holds this campaign, and nothing else.
            db.session.rollback()
            log.error("campaign_failed", campaign_id=campaign_id, error=type(error).__name__)
            campaigns.pause(campaign_id, now=now, operator=None, reason="failed")
            db.session.commit()
            break
        if step.conversation_id is not None:
            woken.append(step.conversation_id)
        if not step.goes_on:
            break
    return woken


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
    return _one_by_one(lambda: nudges.due(now), partial(nudges.send, now=now))


def bring_goods(config: Config, now: datetime) -> list[int]:
    """Queue what paid orders waited for, one commit each; gives the conversations to wake."""
    return _one_by_one(lambda: delivery.due(now), partial(delivery.bring_due, config=config, now=now))


def bring_gifts(config: Config, now: datetime) -> list[int]:
    """Queue what was ordered a moment ago and costs nothing; gives the conversations to wake. Commits."""
    return _one_by_one(lambda: delivery.gifts(now), partial(delivery.bring_due, config=config, now=now))


def end_unpaid(config: Config, now: datetime) -> list[int]:
    """End the orders that were not paid in time, one commit each; gives the conversations to wake. Of those
    that are said to be paid, people are told before."""
    with reading():
        ending = lapsing.to_warn_of(config, now)
        db.session.rollback()
    for order_id in ending:
        lapsing.warn(order_id, now=now)
        db.session.commit()
    return _one_by_one(
        lambda: lapsing.waiting_too_long(config, now), partial(lapsing.lapse, config=config, now=now)
    )


def _one_by_one(find: Callable[[], Sequence[int]], act: Callable[[int], int | None]) -> list[int]:
    """Act on each id that is found, one commit each; gives the conversations to wake."""
    with reading():
        ids = find()
        db.session.rollback()
    woken = []
    for row_id in ids:
        conversation_id = act(row_id)
        db.session.commit()
        if conversation_id is not None:
            woken.append(conversation_id)
    return woken
