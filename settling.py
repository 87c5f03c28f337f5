"""Receipts in their own lane: what became of what we sent, applied in the order in which it was told.

The task of the receipts' lane calls it; the lease of that lane lets one worker at a time apply them. It sends
nothing and answers nobody.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.exc import OperationalError

import lanes
import receipts
from lanes import RECEIPTS_LANE, Lease
from models import WebhookEvent, db, reading

RECEIPTS_PER_COMMIT: Final = 200


def settle_receipts(holder: str, clock: Callable[[], datetime]) -> None:
    """Apply receipts in their order of arrival, many in one commit, until none is due. Commits."""
    while lease := lanes.claim(RECEIPTS_LANE, holder):
        try:
            while events := _pending():
                _apply(lease, events, clock)
            lanes.release(lease)
        except lanes.LeaseLost:
            db.session.rollback()
            return
        with reading():
            came_meanwhile = lanes.has_pending_events(RECEIPTS_LANE, clock())
            db.session.rollback()
        if not came_meanwhile:
            return


def _apply(lease: Lease, events: list[WebhookEvent], clock: Callable[[], datetime]) -> None:
    """Apply many in one commit; when one of them cannot be worked on, each alone, so that it holds no other
    up."""
    event_ids = [event.id for event in events]
    try:
        receipts.apply_receipts(events, now=clock())
        lanes.confirm(lease)
        db.session.commit()
    except (lanes.LeaseLost, OperationalError):
        raise
    except Exception as error:
        db.session.rollback()
        if len(events) == 1:
            receipts.set_aside(event_ids[0], error, now=clock())
            lanes.confirm(lease)
            db.session.commit()
            return
        for event_id in event_ids:
            _apply(lease, [db.session.get_one(WebhookEvent, event_id)], clock)


def _pending() -> list[WebhookEvent]:
    rows = db.session.execute(
        select(WebhookEvent)
        .where(WebhookEvent.state == "pending", WebhookEvent.lane == RECEIPTS_LANE)
        .order_by(WebhookEvent.id)
        .limit(RECEIPTS_PER_COMMIT)
    )
    return list(rows.scalars())
