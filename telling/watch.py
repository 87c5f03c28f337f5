"""Looks from the web process whether a worker lives and whether anybody waits too long for an answer.

Without a worker nothing is answered, and nobody else is left to say so. `main` and gunicorn start one `Watch`
in each web process; a lease keeps all but one of them quiet.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from flask import Flask
from sqlalchemy import func, select

import alerts
import lanes
import working_hours
from alerts.kinds import NO_WORKER, UNANSWERED
from analytics import uptime
from config import Config
from crm import hours
from models import Alert, Worker, db, reading
from teamwork import unanswered
from telling import alerting

log = structlog.get_logger()

LOOK_EVERY_SECS: Final = 15.0
# Six missed heartbeats; also the time that a worker has to start beside the web process.
SILENT_AFTER: Final = timedelta(seconds=60)
# Whoever said "got it" knows; told again when it lasts, or when a worker has lived in between.
AGAIN_AFTER: Final = timedelta(minutes=30)
UNANSWERED_WORDS: Final = "The oldest message without an answer came {mins} minutes ago."
WORDS: Final = "No worker is running: messages wait and nothing is answered. Start: python main.py worker"


class Watch:
    """One web process's look at the workers, in a thread of its own that ends with the process."""

    def __init__(self, app: Flask, holder: str) -> None:
        self._app = app
        self._holder = holder
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="worker-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=LOOK_EVERY_SECS)

    def _run(self) -> None:
        since = _clock()
        config: Config = self._app.config["BALCAO"]
        while not self._stopping.wait(LOOK_EVERY_SECS):
            try:
                with self._app.app_context():
                    uptime.beat(uptime.WEB, _clock())
                    db.session.commit()
                    if lanes.claim("job:watch", self._holder, LOOK_EVERY_SECS * 0.9) is not None:
                        look(config, self._holder, since=since, clock=_clock)
            except Exception as error:
                log.warning("watch_failed", error=type(error).__name__)


def look(config: Config, holder: str, *, since: datetime, clock: Callable[[], datetime]) -> bool:
    """Raise or settle the alert that no worker lives; without one, tell people of what there is. Commits.

    `since` is when this process began to look: a worker may still be starting then. Tells whether one lives.
    """
    now = clock()
    with reading():
        seen_at = db.session.scalar(select(func.max(Worker.seen_at)))
        is_known = alerts.is_open(NO_WORKER)
        closed_at = db.session.scalar(select(func.max(Alert.acknowledged_at)).where(Alert.kind == NO_WORKER))
        db.session.rollback()
    if seen_at is not None and now - seen_at < SILENT_AFTER:
        if is_known and alerts.settle(NO_WORKER, now=now):
            db.session.commit()
        look_for_unanswered(config, now)
        return True
    if now - since < SILENT_AFTER:
        return False
    lived_since = closed_at is not None and seen_at is not None and seen_at > closed_at
    if not is_known and (closed_at is None or lived_since or now - closed_at >= AGAIN_AFTER):
        alerts.raise_alert(NO_WORKER, NO_WORKER, WORDS, now=now)
        db.session.commit()
        log.error("no_worker", seen_at=seen_at.isoformat() if seen_at else None)
    for recipient_id in alerting.wanted(config, now):
        alerting.tell(recipient_id, config, holder, clock)
    return False


def look_for_unanswered(config: Config, now: datetime) -> bool:
    """Raise or settle the alert that somebody has waited for an answer for too long; tells whether one has.
    Commits.

    The desk's own answers are due by the clock, people's in working time. One alert stands for all who wait.
    """
    if not config.unanswered_alert_mins:
        return False
    patience = timedelta(minutes=config.unanswered_alert_mins)
    with reading():
        pending_since = lanes.oldest_pending(now)
        late = [
            one
            for one in unanswered.waiting_for_people(now)
            if now > working_hours.due_time(hours.hours_of(config, one.team_id), one.since, patience)
        ]
        is_known = alerts.is_open(UNANSWERED)
        was_closed = alerts.was_closed_since(UNANSWERED, now - AGAIN_AFTER)
        db.session.rollback()
    is_stuck = pending_since is not None and now - pending_since > patience
    if not late and not is_stuck:
        if is_known and alerts.settle(UNANSWERED, now=now):
            db.session.commit()
        return False
    if not is_known and not was_closed:
        since = min([one.since for one in late] + ([pending_since] if is_stuck and pending_since else []))
        waits = late[0].conversation_id if late else None
        alerts.raise_alert(
            UNANSWERED,
            UNANSWERED,
            UNANSWERED_WORDS.format(mins=int((now - since).total_seconds() // 60)),
            conversation_id=waits,
            now=now,
        )
        db.session.commit()
        log.warning("unanswered", since=since.isoformat(), people=len(late), is_stuck=is_stuck)
    return True


def _clock() -> datetime:
    return datetime.now(UTC)
