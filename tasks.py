"""Everything that happens in the background, and the whole schedule, on one screen.

Huey carries wake-ups only; the tables are the truth. A task names a lane or a conversation, never a
message; a lost one costs
seconds, because each worker's sweeper finds what was left. Doors call `wake` after their commit.
"""

import os
import secrets
import socket
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from flask import Flask
from huey import crontab
from huey.api import Huey
from huey.consumer import Consumer
from huey.storage import MemoryStorage, RedisStorage, SqliteStorage
from limits import RateLimitItemPerSecond
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter
from sqlalchemy import delete, select, update
from sqlalchemy.exc import OperationalError

import ai_service
import conversations
import inbox
import integrations
import lanes
import media
import pipeline
import receipts
import reconcile
import whatsapp_service
from config import Config
from lanes import RECEIPTS_LANE, Lease
from message_content import Content
from models import Message, StoredMedia, WebhookEvent, Worker, db, reading
from pipeline import Desk
from providers import provider
from providers.base import DownloadedMedia, InboundMedia, InboundMessage, SendError
from statements import changed_rows
from understanding import Arrival
from whatsapp_service import DeliveryRules

log = structlog.get_logger()

SWEEP_EVERY_SECS: Final = 2.0
HEARTBEAT_EVERY_SECS: Final = 10.0
FORGET_WORKERS_AFTER: Final = timedelta(days=1)
LANES_PER_WAKE: Final = 8
RECEIPTS_PER_COMMIT: Final = 200
RECONCILE_BACK: Final = timedelta(hours=1)
RECONCILE_BACK_AT_START: Final = timedelta(hours=24)
# With this many wake-ups waiting, what is due is named in the queue already, unless it has waited for very
# long.
BUSY_QUEUE: Final = 20
LOST_AFTER: Final = timedelta(seconds=30)
QUEUE_POLL_SECS: Final = 0.05
GATHER_WAKES_SECS: Final = 0.01

huey = Huey("balcao", storage_class=MemoryStorage, results=False)


# --- the schedule -------------------------------------------------------------------------------------------


@huey.periodic_task(crontab(minute="*/5"))
def check_numbers() -> None:
    """Ask each provider how our numbers are."""
    with _once("check_numbers", every_secs=240) as is_mine:
        if is_mine:
            _check_numbers()


@huey.periodic_task(crontab(minute="*/5"))
def reconcile_twilio() -> None:
    """Find what Twilio's webhooks did not bring: it never repeats one that was lost."""
    with _once("reconcile_twilio", every_secs=240) as is_mine:
        if is_mine:
            _reconcile_twilio(RECONCILE_BACK)


@huey.periodic_task(crontab(minute="7"))
def cleanup() -> None:
    """End silent menu sessions and forget workers that are gone."""
    with _once("cleanup", every_secs=3000) as is_mine:
        if is_mine:
            now = datetime.now(UTC)
            timeout = timedelta(minutes=_config().session_timeout_mins)
            conversations.end_silent_sessions(older_than=now - timeout)
            db.session.execute(delete(Worker).where(Worker.seen_at < now - FORGET_WORKERS_AFTER))
            db.session.commit()


# --- wake-ups -----------------------------------------------------------------------------------------------


@huey.task()
def run_lanes(keys: list[str]) -> None:
    """Work on inbound lanes (or the receipts') until nothing in them is due."""
    for key in keys:
        run_lane(key)


@huey.task()
def run_outbox(conversation_id: int) -> None:
    """Send what is due of one conversation."""
    with _app().app_context():
        _deliver(conversation_id)


@huey.task()
def fetch_media(media_id: int) -> None:
    """Download one file from its provider."""
    with _app().app_context():
        _fetch_media(media_id)


def wake(lane_keys: Collection[str]) -> None:
    """Tell the workers that these lanes have rows. Never fails: the sweeper finds what could not be told."""
    _waker.add(lane_keys)


class _Waker:
    """Gathers the wake-ups of a few milliseconds: telling the queue costs a door more than storing the rows.

    Its thread starts with the first wake-up of a process, so that a server that forks first keeps its own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: dict[str, None] = {}
        self._has_keys = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, keys: Collection[str]) -> None:
        if not keys:
            return
        with self._lock:
            self._keys.update(dict.fromkeys(keys))
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._tell, name="waker", daemon=True)
                self._thread.start()
        self._has_keys.set()

    def _tell(self) -> None:
        while True:
            self._has_keys.wait()
            self._has_keys.clear()
            with self._lock:
                keys, self._keys = list(self._keys), {}
            for start in range(0, len(keys), LANES_PER_WAKE):
                _enqueue(run_lanes, keys[start : start + LANES_PER_WAKE])
            self._rest.wait(GATHER_WAKES_SECS)

    _rest = threading.Event()


_waker = _Waker()


def wake_outbox(conversation_id: int) -> None:
    """Tell the workers that this conversation has something to send."""
    _enqueue(run_outbox, conversation_id)


def _enqueue(task: Any, argument: Any, *, at: datetime | None = None) -> None:
    try:
        if at is None:
            task(argument)
        else:
            task.schedule((argument,), eta=at.astimezone().replace(tzinfo=None))
    except Exception as error:
        log.warning("wake_failed", task=task.task_class.__name__, error=type(error).__name__)


# --- work ---------------------------------------------------------------------------------------------------


def run_lane(key: str) -> None:
    """Answer what is due in one lane, then deliver the answers."""
    with _app().app_context():
        if key == RECEIPTS_LANE:
            _settle_receipts()
            return
        worked = pipeline.work_inbound(key, _desk())
        for conversation_id in worked.conversation_ids:
            _deliver(conversation_id)
        if worked.look_again_at is not None:
            _enqueue(run_lanes, [key], at=worked.look_again_at)
        if worked.will_answer is not None:
            _show_typing(worked.will_answer)


def _show_typing(arrival: Arrival) -> None:
    """Show the customer blue ticks and that somebody is typing, while more of a burst is waited for. Best
    effort."""
    message, account = arrival.event, arrival.number.account
    if isinstance(message, InboundMessage):
        provider(account.provider, account.shape).mark_read(account, message.external_id, typing=True)


def answer_inside(key: str) -> list[Content]:
    """Answer what is due in one lane and hand the answers to the caller instead of delivering them.
    Commits."""
    worked = pipeline.work_inbound(key, _desk())
    if worked.look_again_at is not None:
        _enqueue(run_lanes, [key], at=worked.look_again_at)
    return [
        content
        for conversation_id in worked.conversation_ids
        for content in whatsapp_service.hand_out(conversation_id, HOLDER, _rules(), _clock)
    ]


def _deliver(conversation_id: int) -> None:
    due_at = whatsapp_service.deliver(conversation_id, HOLDER, _rules(), _clock)
    if due_at is not None:
        _enqueue(run_outbox, conversation_id, at=due_at)


def _settle_receipts() -> None:
    """Apply receipts in their order of arrival, many in one commit."""
    while lease := lanes.claim(RECEIPTS_LANE, HOLDER):
        try:
            while events := _pending_receipts():
                _apply_receipts(lease, events)
            lanes.release(lease)
        except lanes.LeaseLost:
            db.session.rollback()
            return
        with reading():
            came_meanwhile = lanes.has_pending_events(RECEIPTS_LANE, _clock())
            db.session.rollback()
        if not came_meanwhile:
            return


def _apply_receipts(lease: Lease, events: list[WebhookEvent]) -> None:
    """Apply many in one commit; when one of them cannot be worked on, each alone, so that it holds no other
    up."""
    event_ids = [event.id for event in events]
    try:
        receipts.apply_receipts(events, now=_clock())
        lanes.confirm(lease)
        db.session.commit()
    except (lanes.LeaseLost, OperationalError):
        raise
    except Exception as error:
        db.session.rollback()
        if len(events) == 1:
            receipts.set_aside(event_ids[0], error, now=_clock())
            lanes.confirm(lease)
            db.session.commit()
            return
        for event_id in event_ids:
            _apply_receipts(lease, [db.session.get_one(WebhookEvent, event_id)])


def _pending_receipts() -> list[WebhookEvent]:
    rows = db.session.execute(
        select(WebhookEvent)
        .where(WebhookEvent.state == "pending", WebhookEvent.lane == RECEIPTS_LANE)
        .order_by(WebhookEvent.id)
        .limit(RECEIPTS_PER_COMMIT)
    )
    return list(rows.scalars())


def _fetch_media(media_id: int) -> None:
    with reading():
        found = db.session.execute(
            select(StoredMedia.source, Message.integration_id)
            .join(Message, Message.id == StoredMedia.message_id)
            .where(StoredMedia.id == media_id, StoredMedia.due_at.is_not(None))
        ).first()
        number = integrations.number(found[1]) if found else None
        db.session.rollback()
    if found is None or number is None:
        return
    source = InboundMedia(**found[0])
    wire = provider(number.account.provider)
    fetched = wire.fetch_media(number.account, source, max_bytes=media.MAX_BYTES)
    row = db.session.get_one(StoredMedia, media_id)
    if isinstance(fetched, DownloadedMedia):
        media.keep(row, fetched, _config().media_dir)
    else:
        media.note_failure(row, fetched, now=_clock())
    db.session.commit()


def _reconcile_twilio(back: timedelta) -> None:
    for number in integrations.numbers():
        if number.account.provider != "twilio":
            continue
        db.session.rollback()  # no session is held while Twilio answers
        listed = reconcile.list_number(number, _clock() - back)
        if isinstance(listed, SendError):
            log.warning("reconcile_failed", integration_id=number.id, code=listed.code)
            continue
        reconcile.settle_uncertain(number, listed, now=_clock())
        rows = reconcile.missing_rows(number, listed, _clock())
        db.session.commit()
        if rows:
            inbox.current().store(rows)
            wake({row.lane for row in rows if row.lane})


def _check_numbers() -> None:
    for number in integrations.numbers():
        health = provider(number.account.provider).health(number.account)
        integrations.record_health(number.id, is_ok=health.is_ok, summary=health.summary, now=_clock())
        db.session.commit()


# --- the worker ---------------------------------------------------------------------------------------------


class EmbeddedConsumer(Consumer):
    """Huey's consumer with threads; the signals of the process belong to `main`."""

    def _set_signal_handlers(self) -> None:
        """Leave the handlers alone: threads cannot set them, and main has its own."""


class DeskWorker:
    """One process's worker: Huey's threads and the sweeper."""

    def __init__(self, threads: int) -> None:
        self._consumer = EmbeddedConsumer(
            huey,
            workers=threads,
            initial_delay=QUEUE_POLL_SECS,
            max_delay=QUEUE_POLL_SECS,
            check_worker_health=False,
        )
        self._stopping = threading.Event()
        self._sweeper = threading.Thread(target=self._sweep_until_stopped, name="sweeper", daemon=True)

    def start(self) -> None:
        self._consumer.start()
        self._sweeper.start()
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
                with _app().app_context():
                    if waited >= next_beat:
                        _beat()
                        next_beat = waited + HEARTBEAT_EVERY_SECS
                    if lanes.claim("job:sweep", HOLDER, SWEEP_EVERY_SECS * 0.9) is not None:
                        sweep()
            except Exception as error:
                log.warning("sweep_failed", error=type(error).__name__)
            self._stopping.wait(SWEEP_EVERY_SECS)
            waited += SWEEP_EVERY_SECS


def _begin_work() -> None:
    """Load what the first customer should not wait for, and ask Twilio what came while nobody listened."""
    ai_service.warm_up(_clock())
    with _once("reconcile_at_start", every_secs=60) as is_mine:
        if is_mine:
            _reconcile_twilio(RECONCILE_BACK_AT_START)


def sweep() -> None:
    """Wake whatever is due and has no live lease: lost wake-ups, expired leases, waits that are over."""
    now = _clock()
    _retry_unmatched(now)
    due_since = now - LOST_AFTER if huey.pending_count() > BUSY_QUEUE else now
    with reading():
        inbound, outbound = lanes.due_inbound(due_since), lanes.due_outbound(due_since)
        files = media.due(due_since)
        db.session.rollback()
    wake(inbound)
    for conversation_id in outbound:
        wake_outbox(conversation_id)
    for media_id in files:
        _enqueue(fetch_media, media_id)


def _retry_unmatched(now: datetime) -> None:
    """Bring receipts back whose message may be known by now."""
    with reading():
        is_due = (WebhookEvent.state == "unmatched") & (WebhookEvent.due_at <= now)
        found = db.session.execute(select(WebhookEvent.id).where(is_due).limit(1)).first()
        db.session.rollback()
    if found is not None:
        changed_rows(update(WebhookEvent).where(is_due).values(state="pending"))
        db.session.commit()


def _beat() -> None:
    """Tell the web process that this worker lives."""
    now = _clock()
    beat = update(Worker).where(Worker.name == HOLDER).values(seen_at=now)
    if changed_rows(beat) == 0:
        db.session.add(Worker(name=HOLDER, started_at=now, seen_at=now))
    db.session.commit()


# --- settings and surroundings ------------------------------------------------------------------------------

# Leases and heartbeats name their holder; two processes of one host must differ, also after a restart.
HOLDER: Final = f"{socket.gethostname()[:60]}:{os.getpid()}:{secrets.token_hex(3)}"


class _Surroundings:
    """What `install` gave: the application and the shared limiter."""

    app: Flask | None = None
    limiter: FixedWindowRateLimiter | None = None


def install(app: Flask, config: Config) -> None:
    """Connect the queue and the shared limits of this application. Called once by the composition root."""
    _Surroundings.app = app
    if config.queue_url:
        huey.storage = RedisStorage("balcao", url=config.queue_url, blocking=True, read_timeout=1)
    elif config.is_testing:
        huey.storage = MemoryStorage("balcao")
    else:
        huey.storage = SqliteStorage("balcao", filename=str(config.instance_dir / "queue.db"))
    _Surroundings.limiter = FixedWindowRateLimiter(storage_from_string(config.queue_url or "memory://"))


def _await_turn(integration_id: int) -> None:
    """Wait until the number may send once more; all workers share the count when Redis is there."""
    limiter, config = _Surroundings.limiter, _config()
    item = RateLimitItemPerSecond(config.rate_limit_per_second)
    pause = threading.Event()
    while limiter is not None and not limiter.hit(item, "send", str(integration_id)):
        pause.wait(1 / config.rate_limit_per_second)


@contextmanager
def _once(job: str, *, every_secs: float) -> Iterator[bool]:
    """Open an application context and tell whether this worker is the one to do the job this time."""
    with _app().app_context():
        yield lanes.claim(f"job:{job}", HOLDER, every_secs) is not None


def _rules() -> DeliveryRules:
    config = _config()
    return DeliveryRules(config.uncertain_resend_secs, _lease_secs(config), _await_turn)


def _desk() -> Desk:
    config = _config()
    return Desk(config=config, clock=_clock, holder=HOLDER, lease_secs=_lease_secs(config))


def _lease_secs(config: Config) -> float:
    """A lease outlives the longest call to a provider, so that nobody takes over a living worker."""
    return max(lanes.LEASE_SECS, 2 * config.send_timeout_secs)


def _clock() -> datetime:
    return datetime.now(UTC)


def _app() -> Flask:
    if _Surroundings.app is None:
        raise RuntimeError("tasks.install was not called")
    return _Surroundings.app


def _config() -> Config:
    return _app().config["BALCAO"]  # type: ignore[no-any-return]
