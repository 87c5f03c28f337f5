"""Everything that happens in the background, and the whole schedule, on one screen.

Huey carries wake-ups only; the tables are the truth. A task names a lane or a conversation, never a message;
a lost one costs seconds, because each worker's sweeper finds what was left. Doors call `wake` after their
commit.
"""

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from flask import Flask
from flask.ctx import AppContext
from huey import crontab
from huey.api import Huey
from huey.storage import MemoryStorage, RedisStorage, SqliteStorage
from limits import RateLimitItemPerSecond
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter
from sqlalchemy import delete, select, update

import assisting
import cashier
import consulting
import conversations
import counting
import inbox
import integrations
import lanes
import learning
import media
import pipeline
import reconcile
import rehearsal
import settling
import unasked
import whatsapp_service
from cashier import Counter, Errand
from config import Config
from consulting import Means
from crm import appointments, lead_scores
from lanes import RECEIPTS_LANE, TEMPLATES_LANE
from message_content import Content
from models import Message, StoredMedia, WebhookEvent, Worker, db, reading
from pipeline import Desk
from providers import provider
from providers.base import DownloadedMedia, InboundMedia, InboundMessage, OwnFile, SendError
from statements import changed_rows
from training import lessons
from training.lessons import Learnt, Lesson
from understanding import Arrival
from whatsapp_service import DeliveryRules
from wires.payment_services import payment_services

log = structlog.get_logger()

FORGET_WORKERS_AFTER: Final = timedelta(days=1)
LANES_PER_WAKE: Final = 16
RECONCILE_BACK: Final = timedelta(hours=1)
# With this many wake-ups waiting, what is due is named in the queue already, unless it waited for long.
BUSY_QUEUE: Final = 20
LOST_AFTER: Final = timedelta(seconds=30)
# One task of ten thousand own examples takes about half a minute; a dead worker blocks for no longer.
TRAINING_LEASE_SECS: Final = 300.0
TRAINING_LANE: Final = "job:training"
# Meta, "About the platform": one message in 6 s to one person (10 a minute, 600 an hour); up to 45 at once
# are borrowed from the time that follows. More is refused with 131056.
PAIR_SECS_PER_MESSAGE: Final = 6
PAIR_BURST: Final = 45
PAIR_RATE: Final = RateLimitItemPerSecond(PAIR_BURST, PAIR_BURST * PAIR_SECS_PER_MESSAGE)
PAIR_WAIT_MIN_SECS: Final = 0.5
GATHER_WAKES_SECS: Final = 0.03

huey = Huey("balcao", storage_class=MemoryStorage, results=False)


# --- the schedule -------------------------------------------------------------------------------------------


@huey.periodic_task(crontab(minute="*/5"))
def check_numbers() -> None:
    """Ask each provider how our numbers are."""
    with once("check_numbers", every_secs=240) as is_mine:
        if is_mine:
            _check_numbers()


@huey.periodic_task(crontab(minute="*/5"))
def reconcile_twilio() -> None:
    """Find what Twilio's webhooks did not bring: it never repeats one that was lost."""
    with once("reconcile_twilio", every_secs=240) as is_mine:
        if is_mine:
            reconcile_numbers(RECONCILE_BACK)


@huey.periodic_task(crontab(minute="7"))
def cleanup() -> None:
    """End silent menu sessions and forget workers that are gone."""
    with once("cleanup", every_secs=3000) as is_mine:
        if is_mine:
            now = datetime.now(UTC)
            timeout = timedelta(minutes=_config().session_timeout_mins)
            conversations.end_silent_sessions(older_than=now - timeout)
            db.session.execute(delete(Worker).where(Worker.seen_at < now - FORGET_WORKERS_AFTER))
            db.session.commit()


@huey.periodic_task(crontab(minute="*/10"))
def close_decisions(job: str = "close_decisions", every_secs: float = 500) -> None:
    """Learn which strategy sells from the conversations that had their time."""
    with once(job, every_secs=every_secs) as is_mine:
        if is_mine:
            now = datetime.now(UTC)
            learning.notice(now=now)
            learning.close_decisions(_config(), now=now, between=db.session.commit)
            db.session.commit()


@huey.periodic_task(crontab(minute="23"))
def rescore_leads() -> None:
    """Score open leads anew: who was silent for a week is less promising."""
    with once("rescore_leads", every_secs=3000) as is_mine:
        if is_mine:
            lead_scores.rescore(now=_clock())
            db.session.commit()


@huey.periodic_task(crontab(minute="*/5"))
def remind_of_appointments() -> None:
    """Remind customers of what they booked, a day and an hour before."""
    with once("remind_of_appointments", every_secs=240) as is_mine:
        if is_mine:
            reminded = appointments.remind(_config(), now=_clock())
            db.session.commit()
            for conversation_id in reminded:
                wake_outbox(conversation_id)


@huey.periodic_task(crontab(minute="*"))
def bring_goods() -> None:
    """Hand over what paid orders had to wait for: a key, a file, a customer who writes again."""
    with once("bring_goods", every_secs=50) as is_mine:
        if is_mine:
            for conversation_id in unasked.bring_goods(_config(), _clock()):
                wake_outbox(conversation_id)


@huey.periodic_task(crontab(minute="*/5"))
def follow_up_silent() -> None:
    """Write once to those who left a cart, an unpaid order or their data, and have been silent since."""
    with once("follow_up_silent", every_secs=240) as is_mine:
        if is_mine and _config().follow_ups:
            for conversation_id in unasked.nudge_silent(_config(), _clock()):
                wake_outbox(conversation_id)


@huey.periodic_task(crontab(minute="*/10"))
def end_unpaid_orders() -> None:
    """Close orders that were not paid in time, so that they hold no stock."""
    with once("end_unpaid_orders", every_secs=500) as is_mine:
        if is_mine:
            for conversation_id in unasked.end_unpaid(_config(), _clock()):
                wake_outbox(conversation_id)


@huey.periodic_task(crontab(minute="*/10"))
def count_figures() -> None:
    """Keep the daily figures that pages show."""
    with once("count_figures", every_secs=500) as is_mine:
        if is_mine:
            counting.keep_up(_config(), _clock())


# --- wake-ups -----------------------------------------------------------------------------------------------


@huey.task()
def run_lanes(keys: list[str]) -> None:
    """Work on inbound lanes (or the receipts') until nothing in them is due."""
    for key in keys:
        run_lane(key)


@huey.task()
def run_outbox(conversation_id: int) -> None:
    """Send what is due of one conversation."""
    with in_app():
        _deliver(conversation_id)


@huey.task()
def fetch_media(media_id: int) -> None:
    """Download one file from its provider."""
    with in_app():
        _fetch_media(media_id)


@huey.task()
def summarise(conversation_id: int, language: str) -> None:
    """Sum one conversation up for the person who has it from now on."""
    with in_app():
        summed = assisting.summarise(means(), conversation_id, language=language, now=_clock())
        failure = summed.failure if summed else "gone"
        log.info("summarised", conversation_id=conversation_id, failure=failure)


@huey.task()
def run_errand(kind: cashier.Kind, row_id: int) -> None:
    """Ask a payment service for something, or work on what it told."""
    with in_app():
        _run_errand(Errand(kind, row_id))


@huey.task()
def retrain() -> None:
    """Train the business's own models: tens of seconds of computing, so never within a request."""
    with in_app():
        train_models()


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
        if not self._has_keys.is_set():
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


@huey.task()
def rehearse(rehearsal_id: int) -> None:
    """Let the simulated customers come that somebody asked for: minutes of computing."""
    with _app().app_context():
        rehearsal.play_booked(rehearsal_id, _config(), now=_clock())


def ask_for_rehearsal(rehearsal_id: int) -> bool:
    """Have a worker play a rehearsal. False when the queue cannot be told."""
    return _enqueue(rehearse, rehearsal_id)


def ask_for_training() -> bool:
    """Have a worker train; asked twice, the second finds the first at work and leaves. False when the queue
    cannot be told: no sweeper would find it."""
    return _enqueue(retrain)


def wake_outbox(conversation_id: int) -> None:
    """Tell the workers that this conversation has something to send."""
    _enqueue(run_outbox, conversation_id)


def wake_learning() -> None:
    """Have what was forgotten or remembered worked out at once: until then draws know nothing."""
    _enqueue(close_decisions, "close_decisions:asked", 1)


def wake_errand(errand: Errand) -> None:
    """Tell the workers that a payment service is to be asked, or has told something."""
    _enqueue(run_errand, errand.kind, errand.row_id)


def wake_summary(conversation_id: int, language: str | None = None) -> None:
    """Have a worker sum up a conversation that a person has now; in the shop's own language, unless the page
    of that person has another. One that is lost is written anew by the page's button."""
    _enqueue(summarise, conversation_id, language or _config().default_language)


def _enqueue(task: Any, *arguments: Any, at: datetime | None = None) -> bool:
    """Tell the queue; False when it cannot be told."""
    try:
        if at is None:
            task(*arguments)
        else:
            task.schedule(arguments, eta=at.astimezone().replace(tzinfo=None))
    except Exception as error:
        log.warning("wake_failed", task=task.task_class.__name__, error=type(error).__name__)
        return False
    return True


# --- work ---------------------------------------------------------------------------------------------------


def run_lane(key: str) -> None:
    """Answer what is due in one lane, then deliver the answers."""
    with in_app():
        if key == RECEIPTS_LANE:
            settling.settle_receipts(HOLDER, _clock)
            return
        if key == TEMPLATES_LANE:
            settling.settle_templates(HOLDER, _clock)
            return
        worked = pipeline.work_inbound(key, _desk())
        for conversation_id in worked.conversation_ids:
            _deliver(conversation_id)
        wake_links(worked.conversation_ids)
        for conversation_id in worked.handed_over:
            wake_summary(conversation_id)
        if worked.look_again_at is not None:
            _enqueue(run_lanes, [key], at=worked.look_again_at)
        if worked.will_answer is not None:
            _show_typing(worked.will_answer)


def _show_typing(arrival: Arrival) -> None:
    """Show blue ticks and that somebody is typing, while a burst is waited for or a model writes; at best."""
    message, account = arrival.event, arrival.number.account
    if isinstance(message, InboundMessage):
        provider(account.provider, account.shape).mark_read(account, message.external_id, typing=True)


def answer_inside(key: str) -> list[Content]:
    """Answer what is due in one lane and hand the answers to the caller, who delivers them. Commits."""
    worked = pipeline.work_inbound(key, _desk())
    for conversation_id in worked.handed_over:
        wake_summary(conversation_id)
    if worked.look_again_at is not None:
        _enqueue(run_lanes, [key], at=worked.look_again_at)
    return [
        content
        for conversation_id in worked.conversation_ids
        for content in whatsapp_service.hand_out(conversation_id, HOLDER, _rules(), _clock)
    ]


def wake_links(conversation_ids: Collection[int]) -> None:
    """Have the links made for which these customers wait; the sweeper would, seconds later."""
    if not conversation_ids or not payment_services(_config()):
        return
    with reading():
        wanted = cashier.links_of(conversation_ids, _clock())
        db.session.rollback()
    for errand in wanted:
        wake_errand(errand)


def _run_errand(errand: Errand) -> None:
    config = _config()
    for conversation_id in cashier.run(errand, Counter(payment_services(config), config, _clock())):
        _deliver(conversation_id)


def _deliver(conversation_id: int) -> None:
    due_at = whatsapp_service.deliver(conversation_id, HOLDER, _rules(), _clock)
    if due_at is not None:
        _enqueue(run_outbox, conversation_id, at=due_at)


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


def reconcile_numbers(back: timedelta) -> None:
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
    reconcile.follow_reviews(_clock, between=db.session.commit)


def train_models(watched: Callable[[Sequence[Lesson]], Iterable[Lesson]] = iter) -> list[Learnt] | None:
    """Train, measure and put to use what the business has taught, one task after the other. Commits.

    They come through `watched`. No session is held while one is learnt. None when somebody is at it already.
    """
    lease = lanes.claim(TRAINING_LANE, HOLDER, TRAINING_LEASE_SECS)
    if lease is None:
        return None
    learnt = []
    try:
        with reading():
            found = lessons.read_lessons()
            db.session.rollback()
        for lesson in watched(found):
            learnt.append(lessons.learn(lesson))
            lessons.keep(learnt[-1], now=_clock())
            lanes.confirm(lease, TRAINING_LEASE_SECS)
            db.session.commit()
            log.info("trained", task=lesson.task, examples=len(lesson.own), secs=learnt[-1].seconds)
    finally:
        db.session.rollback()
        lanes.release(lease)
    return learnt


def _check_numbers() -> None:
    for number in integrations.numbers():
        health = provider(number.account.provider).health(number.account)
        integrations.record_health(number.id, health, now=_clock())
        db.session.commit()


# --- the sweeper --------------------------------------------------------------------------------------------


def sweep() -> None:
    """Wake whatever is due and has no live lease: lost wake-ups, expired leases, waits that are over."""
    now = _clock()
    _retry_unmatched(now)
    due_since = now - LOST_AFTER if huey.pending_count() > BUSY_QUEUE else now
    with reading():
        inbound, outbound = lanes.due_inbound(due_since), lanes.due_outbound(due_since)
        files, errands = media.due(due_since), cashier.due(due_since)
        db.session.rollback()
    wake(inbound)
    for conversation_id in outbound:
        wake_outbox(conversation_id)
    for media_id in files:
        _enqueue(fetch_media, media_id)
    for errand in errands:
        wake_errand(errand)
    for conversation_id in unasked.queue_due(_config(), now):
        wake_outbox(conversation_id)


def _retry_unmatched(now: datetime) -> None:
    """Bring receipts back whose message may be known by now."""
    with reading():
        is_due = (WebhookEvent.state == "unmatched") & (WebhookEvent.due_at <= now)
        found = db.session.execute(select(WebhookEvent.id).where(is_due).limit(1)).first()
        db.session.rollback()
    if found is not None:
        changed_rows(update(WebhookEvent).where(is_due).values(state="pending"))
        db.session.commit()


# --- settings and surroundings ------------------------------------------------------------------------------

# Leases and heartbeats name their holder; two processes of one host must differ, also after a restart.
HOLDER: Final = f"{socket.gethostname()[:60]}:{os.getpid()}:{secrets.token_hex(3)}"


class _Surroundings:
    """What `install` gave: the application and the shared limiter."""

    app: Flask | None = None
    limiter: FixedWindowRateLimiter | None = None
    pair_limiter: MovingWindowRateLimiter | None = None


def install(app: Flask, config: Config) -> None:
    """Connect the queue and the shared limits of this application. Called once by the composition root."""
    _Surroundings.app = app
    if config.queue_url:
        huey.storage = RedisStorage("balcao", url=config.queue_url, blocking=True, read_timeout=1)
    elif config.is_testing:
        huey.storage = MemoryStorage("balcao")
    else:
        huey.storage = SqliteStorage("balcao", filename=str(config.instance_dir / "queue.db"))
    storage = storage_from_string(config.queue_url or "memory://")
    _Surroundings.limiter = FixedWindowRateLimiter(storage)
    _Surroundings.pair_limiter = MovingWindowRateLimiter(storage)


def means() -> Means:
    """Give what pages and tasks ask a model with: the settings as they count now, and their models."""
    return consulting.means_now(_config())


def _await_turn(integration_id: int) -> None:
    """Wait until the number may send once more; all workers share the count when Redis is there."""
    limiter, config = _Surroundings.limiter, _config()
    item = RateLimitItemPerSecond(config.rate_limit_per_second)
    pause = threading.Event()
    while limiter is not None and not limiter.hit(item, "send", str(integration_id)):
        pause.wait(1 / config.rate_limit_per_second)


def _pair_wait_secs(conversation_id: int) -> float:
    """Take one of the sends that a pair of number and person may have, else tell when the next one is free.

    Never waits: one talkative conversation must not hold a worker that others need.
    """
    limiter, pair = _Surroundings.pair_limiter, str(conversation_id)
    if limiter is None or limiter.hit(PAIR_RATE, "pair", pair):
        return 0.0
    free_at = limiter.get_window_stats(PAIR_RATE, "pair", pair).reset_time
    return min(max(free_at - time.time(), PAIR_WAIT_MIN_SECS), PAIR_RATE.get_expiry())


@contextmanager
def once(job: str, *, every_secs: float) -> Iterator[bool]:
    """Open an application context and tell whether this worker is the one to do the job this time."""
    with in_app():
        yield lanes.claim(f"job:{job}", HOLDER, every_secs) is not None


def _rules() -> DeliveryRules:
    config = _config()
    return DeliveryRules(
        config.uncertain_resend_secs, _lease_secs(config), _await_turn, _pair_wait_secs, _load_file
    )


def _load_file(file_id: int) -> OwnFile | None:
    config = _config()
    return media.own_file(
        file_id, config.media_dir, config.own_url, secret_key=config.secret_key, now=_clock()
    )


def _desk() -> Desk:
    now = means()
    return Desk(now.config, _clock, HOLDER, _lease_secs(now.config), now.assistant, show_typing=_show_typing)


def _lease_secs(config: Config) -> float:
    """A lease outlives the longest call to a provider, so that nobody takes over a living worker."""
    return max(lanes.LEASE_SECS, 2 * config.send_timeout_secs)


def _clock() -> datetime:
    return datetime.now(UTC)


def in_app() -> AppContext:
    """Give a context of the installed application, to work in."""
    return _app().app_context()


def _app() -> Flask:
    if _Surroundings.app is None:
        raise RuntimeError("tasks.install was not called")
    return _Surroundings.app


def _config() -> Config:
    return _app().config["BALCAO"]  # type: ignore[no-any-return]
