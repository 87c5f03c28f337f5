"""One process's worker: Huey's threads, the sweeper that finds what no wake-up named, the heartbeat, the
teller, which sends alerts and letters, and the messenger, which sends webhooks to other programs.

`main` starts it, beside the web server or alone. What the threads do stands in `tasks`.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from flask import current_app
from huey.consumer import Consumer
from sqlalchemy import update

import ai_service
import desk_settings
import lanes
import media
import metrics
import tasks
from analytics import uptime
from config import Config
from connectors import resync
from models import Worker, db, reading
from privacy import retention
from privacy.retention import Forgotten
from statements import changed_rows
from telling import alerting, invitations, webhooks

log = structlog.get_logger()

SWEEP_EVERY_SECS: Final = 2.0
HEARTBEAT_EVERY_SECS: Final = 10.0
TIDY_EVERY_SECS: Final = 6 * 3600.0
TIDY_AGAIN_SECS: Final = 300.0  # where one go did not end
FORGETTING_SECS: Final = 20.0  # alerts wait behind it
FORGETTING_LEASE_SECS: Final = 600.0
QUEUE_POLL_SECS: Final = 0.05
RECONCILE_BACK_AT_START: Final = timedelta(hours=24)


class EmbeddedConsumer(Consumer):
    """Huey's consumer with threads; the signals of the process belong to `main`."""

    def _set_signal_handlers(self) -> None:
        """Leave the handlers alone: threads cannot set them, and main has its own."""


class DeskWorker:
    """One process's worker: Huey's threads and the sweeper."""

    def __init__(self, threads: int) -> None:
        self._consumer = EmbeddedConsumer(
            tasks.huey,
            workers=threads,
            initial_delay=QUEUE_POLL_SECS,
            max_delay=QUEUE_POLL_SECS,
            check_worker_health=False,
        )
        self._stopping = threading.Event()
        self._sweeper = threading.Thread(target=self._sweep_until_stopped, name="sweeper", daemon=True)
        # Mail servers and receivers may be slow: nothing else waits for them.
        self._teller = threading.Thread(target=self._tell_until_stopped, name="teller", daemon=True)
        self._messenger = threading.Thread(target=self._post_until_stopped, name="messenger", daemon=True)

    def start(self) -> None:
        self._consumer.start()
        self._sweeper.start()
        self._teller.start()
        self._messenger.start()
        threading.Thread(target=_begin_work, name="beginning", daemon=True).start()

    def stop(self) -> None:
        """Finish the running tasks and end; what is queued waits for the next start."""
        self._stopping.set()
        self._consumer.stop(graceful=True)
        self._sweeper.join(timeout=SWEEP_EVERY_SECS * 2)

    def _sweep_until_stopped(self) -> None:
        next_beat = 0.0
        waited = 0.0
        while not self._stopping.is_set():
            try:
                with tasks.in_app():
                    if waited >= next_beat:
                        _beat()
                        next_beat = waited + HEARTBEAT_EVERY_SECS
                    if lanes.claim("job:sweep", tasks.HOLDER, SWEEP_EVERY_SECS * 0.9) is not None:
                        tasks.sweep()
            except Exception as error:
                log.warning("sweep_failed", error=type(error).__name__)
            self._stopping.wait(SWEEP_EVERY_SECS)
            waited += SWEEP_EVERY_SECS

    def _tell_until_stopped(self) -> None:
        next_tidying, waited = 0.0, 0.0
        while not self._stopping.wait(SWEEP_EVERY_SECS):
            try:
                with tasks.in_app():
                    tell()
                    if waited >= next_tidying:
                        alerting.forget_old(_clock())
                        uptime.forget_old(_clock())
                        db.session.commit()
                        is_more_left = forget_by_age()
                        next_tidying = waited + (TIDY_AGAIN_SECS if is_more_left else TIDY_EVERY_SECS)
            except Exception as error:
                log.warning("tell_failed", error=type(error).__name__)
            waited += SWEEP_EVERY_SECS

    def _post_until_stopped(self) -> None:
        while not self._stopping.wait(SWEEP_EVERY_SECS):
            try:
                with tasks.in_app():
                    tell_programs()
            except Exception as error:
                log.warning("tell_failed", error=type(error).__name__)


def tell_programs() -> None:
    """Send webhooks to programs of other people, which may be slower than anybody of ours should wait for."""
    config: Config = current_app.config["BALCAO"]
    with reading():
        resyncs = resync.due()
        db.session.rollback()
    for endpoint_id in resyncs:
        with _one_of_many("resync", endpoint_id):
            resync.go_on(endpoint_id, now=_clock())
            db.session.commit()
    for endpoint_id in webhooks.wanted(_clock):
        with _one_of_many("webhook", endpoint_id):
            webhooks.tell(endpoint_id, config, tasks.HOLDER, _clock)


def forget_by_age() -> bool:
    """Delete what is older than the settings allow; one worker at a time. Commits.

    Gives whether more is left than the time of one go allows.
    """
    with tasks.once("retention", every_secs=TIDY_AGAIN_SECS / 2) as is_mine:
        now = _clock()
        if is_mine:
            config: Config = current_app.config["BALCAO"]
            forgotten = forget_now(config, by="worker", now=now, for_secs=FORGETTING_SECS)
            return forgotten is not None and not forgotten.is_all
    return False


def forget_now(
    config: Config,
    *,
    by: str,
    now: datetime,
    for_secs: float,
    done: Callable[[int], None] = lambda _rows: None,
) -> Forgotten | None:
    """Delete what is older than the settings allow, with its files, and keep what was removed. Commits.

    One bounded transaction follows another until nothing is left or `for_secs` are over: a busy desk makes in
    a day more than one should delete. `config` is the environment's; `done` is told how many rows have gone
    so far. None when somebody else is at it.
    """
    lease = lanes.claim("job:forgetting", tasks.HOLDER, FORGETTING_LEASE_SECS)
    if lease is None:
        return None
    counts: Counter[str] = Counter()
    paths: tuple[str, ...] = ()
    until = time.monotonic() + for_secs
    is_all = False
    try:
        while not is_all and (not counts or time.monotonic() < until):
            share = retention.forget(desk_settings.current(config), now=now)
            lanes.confirm(lease, FORGETTING_LEASE_SECS)
            db.session.commit()
            media.remove(share.media_paths, config.media_dir)
            paths += share.media_paths
            is_all = not share.counts
            counts.update(share.counts)
            done(counts.total())
        forgotten = Forgotten(dict(counts), paths, is_all)
        retention.note_run(forgotten, by=by, now=now)
        db.session.commit()
    finally:
        db.session.rollback()
        lanes.release(lease)
    if counts:
        log.info("forgotten", **counts)
    return forgotten


def tell() -> None:
    """Tell people of ours of alerts, and customers of their appointments by e-mail; what is due by now."""
    config: Config = current_app.config["BALCAO"]
    for recipient_id in alerting.wanted(config, _clock()):
        with _one_of_many("alerts", recipient_id):
            alerting.tell(recipient_id, config, tasks.HOLDER, _clock)
    for letter_id in invitations.wanted(_clock()):
        with _one_of_many("invitation", letter_id):
            invitations.send(letter_id, config, _clock)


@contextmanager
def _one_of_many(what: str, row_id: int) -> Iterator[None]:
    """Let what goes wrong with one recipient keep nothing from the others."""
    try:
        yield
    except Exception as error:
        db.session.rollback()
        log.exception("tell_failed", what=what, row_id=row_id, error=type(error).__name__)


def _begin_work() -> None:
    """Load what the first customer should not wait for, and ask Twilio what came while nobody listened."""
    ai_service.warm_up(datetime.now(UTC))
    with tasks.once("reconcile_at_start", every_secs=60) as is_mine:
        if is_mine:
            tasks.reconcile_numbers(RECONCILE_BACK_AT_START)


def _beat() -> None:
    """Tell the web process that this worker lives, and what it counted, where no folder of counts does."""
    now = datetime.now(UTC)
    figures = None if metrics.are_shared() else metrics.own_text()
    beat = update(Worker).where(Worker.name == tasks.HOLDER).values(seen_at=now, figures=figures)
    if changed_rows(beat) == 0:
        db.session.add(Worker(name=tasks.HOLDER, started_at=now, seen_at=now, figures=figures))
    uptime.beat(uptime.WORKER, now)
    db.session.commit()


def _clock() -> datetime:
    return datetime.now(UTC)
