"""What providers tell of what is ours: receipts of messages and news of templates, each in its own lane.

The tasks of the two lanes call it; the lease of a lane lets one worker at a time apply what is in it. It
sends nothing and answers nobody.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.exc import OperationalError

import lanes
import message_templates
import receipts
from lanes import RECEIPTS_LANE, TEMPLATES_LANE, Lease
from models import WebhookEvent, db, reading

EVENTS_PER_COMMIT: Final = 200


@dataclass(frozen=True, slots=True)
class _Kind:
    """One lane, and the verbs that apply what is in it."""

    lane: str
    apply: Callable[..., Any]
    set_aside: Callable[..., Any]


_RECEIPTS: Final = _Kind(RECEIPTS_LANE, receipts.apply_receipts, receipts.set_aside)
_TEMPLATES: Final = _Kind(TEMPLATES_LANE, message_templates.apply_events, message_templates.set_aside)


def settle_receipts(holder: str, clock: Callable[[], datetime]) -> None:
    """Apply receipts in their order of arrival, many in one commit, until none is due. Commits."""
    _settle(_RECEIPTS, holder, clock)


def settle_templates(holder: str, clock: Callable[[], datetime]) -> None:
    """Apply the news of templates in their order of arrival, until none is due. Commits."""
    _settle(_TEMPLATES, holder, clock)


def _settle(kind: _Kind, holder: str, clock: Callable[[], datetime]) -> None:
    while lease := lanes.claim(kind.lane, holder):
        try:
            while events := _pending(kind.lane):
                _apply(kind, lease, events, clock)
            lanes.release(lease)
        except lanes.LeaseLost:
            db.session.rollback()
            return
        with reading():
            came_meanwhile = lanes.has_pending_events(kind.lane, clock())
            db.session.rollback()
        if not came_meanwhile:
            return


def _apply(kind: _Kind, lease: Lease, events: Sequence[WebhookEvent], clock: Callable[[], datetime]) -> None:
    """Apply many in one commit; when one of them cannot be worked on, each alone, so that it holds no other
    up."""
    event_ids = [event.id for event in events]
    try:
        kind.apply(events, now=clock())
        lanes.confirm(lease)
        db.session.commit()
    except (lanes.LeaseLost, OperationalError):
        raise
    except Exception as error:
        db.session.rollback()
        if len(events) == 1:
            kind.set_aside(event_ids[0], error, now=clock())
            lanes.confirm(lease)
            db.session.commit()
            return
        for event_id in event_ids:
            _apply(kind, lease, [db.session.get_one(WebhookEvent, event_id)], clock)


def _pending(lane: str) -> list[WebhookEvent]:
    rows = db.session.execute(
        select(WebhookEvent)
        .where(WebhookEvent.state == "pending", WebhookEvent.lane == lane)
        .order_by(WebhookEvent.id)
        .limit(EVENTS_PER_COMMIT)
    )
    return list(rows.scalars())
