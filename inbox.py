"""Webhook elements into `webhook_events`: several requests of one process share one commit.

Called by the door only. A commit waits for the disk; while one request's commit is on its way, the others
that arrive
queue up and go together in the next one (the first of them leads). Each caller returns only when its own
rows are
committed, so a 200 means stored. This room commits: that is its meaning. It never reads a payload.
"""

import fcntl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any
from weakref import finalize, ref

import structlog
from flask import current_app
from sqlalchemy import Engine
from sqlalchemy.pool import PoolProxiedConnection

import logs
from integrations import Number
from lanes import RECEIPTS_LANE, TEMPLATES_LANE, inbound_lane
from models import db
from providers.base import Element
from statements import bounded

log = structlog.get_logger()

MAX_KEY_CHARS = 190
# Under load, a commit waits this long for company: fewer commits and fewer changes of thread serve more
# requests than the wait costs. A request that comes alone never waits.
GATHER_SECS = 0.006
MAX_ROWS_PER_COMMIT = 2_000
COLUMNS = (
    "event_key",
    "integration_id",
    "provider",
    "kind",
    "lane",
    "state",
    "payload",
    "provider_at",
    "received_at",
    "trace_id",
)
_NAMES = ", ".join(COLUMNS)
_SQLITE = (
    f"INSERT INTO webhook_events ({_NAMES}, attempts, error) "
    f"VALUES ({', '.join('?' for _ in COLUMNS)}, 0, '') ON CONFLICT DO NOTHING"
)
# One statement text for any number of rows, so that the server keeps its plan.
_POSTGRESQL = (
    f"INSERT INTO webhook_events ({_NAMES}, attempts, error) "
    "SELECT u.*, 0, '' FROM unnest(%b::text[], %b::bigint[], %b::text[], %b::text[], %b::text[], %b::text[], "
    "%b::bytea[], %b::timestamp[], %b::timestamp[], %b::text[]) AS u ON CONFLICT DO NOTHING"
)
_MARIADB = (
    f"INSERT INTO webhook_events ({_NAMES}, attempts, error) "
    f"VALUES ({', '.join('%s' for _ in COLUMNS)}, 0, '') ON DUPLICATE KEY UPDATE id = id"
)


@dataclass(frozen=True, slots=True)
class InboxRow:
    """One element, ready to be stored; times are UTC."""

    event_key: str
    integration_id: int | None
    provider: str
    kind: str
    lane: str | None
    state: str
    payload: bytes
    provider_at: datetime | None
    received_at: datetime
    trace_id: str = field(default_factory=logs.new_trace_id)


def row_of(shape: str, number: Number | None, element: Element, now: datetime) -> InboxRow:
    """Make the row of one element; an element of no number of ours is kept as unknown."""
    if number is None:
        # Kept apart: a stranger's element must not take the key of one of ours.
        key, integration_id, lane, state = bounded(f"u:{element.key}", MAX_KEY_CHARS), None, None, "unknown"
    else:
        key, integration_id = element.key, number.id
        lane = _lane_of(element, number)
        state = "pending" if lane else "ignored"
    return InboxRow(
        key, integration_id, shape, element.kind, lane, state, element.payload, element.provider_at, now
    )


def _lane_of(element: Element, number: Number) -> str | None:
    if element.kind == "status":
        return RECEIPTS_LANE
    if element.kind == "template":
        return TEMPLATES_LANE
    return inbound_lane(number.id, element.person) if element.person else None


class InboxUnavailable(Exception):
    """The database did not take the rows; the provider must send them again."""


class _Delivery:
    """The rows of one request, and the lock that its thread waits on until they are committed or refused."""

    __slots__ = ("error", "rows", "settled")

    def __init__(self, rows: Sequence[InboxRow]) -> None:
        self.rows = rows
        self.error: Exception | None = None
        self.settled = Lock()
        self.settled.acquire()


class Inbox:
    """The inbox table of one process: one thread of its own writes what all requests bring.

    A thread of its own, because requests that take turns as writers wait for each other twice: for the lock
    and
    for the interpreter.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._store_rows = {
            "sqlite": self._store_sqlite,
            "postgresql": self._store_postgresql,
        }.get(engine.dialect.name, self._store_mariadb)
        self._arrivals: SimpleQueue[_Delivery | None] = SimpleQueue()
        finalize(self, self._arrivals.put, None)
        self._starting = Lock()
        self._writer: Thread | None = None

    def store(self, rows: Sequence[InboxRow]) -> None:
        """Insert `rows`, leaving those whose key is known alone, and return when they are committed.

        Raises InboxUnavailable; then none of `rows` may be taken for stored.
        """
        delivery = _Delivery(rows)
        self._ensure_writer()
        self._arrivals.put(delivery)
        delivery.settled.acquire()
        if delivery.error is not None:
            raise InboxUnavailable from delivery.error

    def _ensure_writer(self) -> None:
        # Started by the first request, not at import: a server that forks would leave the thread behind.
        if self._writer is None or not self._writer.is_alive():
            with self._starting:
                if self._writer is None or not self._writer.is_alive():
                    self._writer = Thread(
                        target=_write, args=(ref(self), self._arrivals), name="inbox", daemon=True
                    )
                    self._writer.start()

    def _commit_together(self, deliveries: list[_Delivery]) -> None:
        try:
            self._insert([row for delivery in deliveries for row in delivery.rows])
        except Exception as error:
            if len(deliveries) > 1:
                # One bad row, or a deadlock between two processes' repeats, must not refuse the neighbours.
                for delivery in deliveries:
                    self._commit_together([delivery])
                return
            log.error("inbox_unavailable", rows=len(deliveries[0].rows), error=type(error).__name__)
            deliveries[0].error = error
        for delivery in deliveries:
            delivery.settled.release()

    def _insert(self, rows: Sequence[InboxRow]) -> None:
        for start in range(0, len(rows), MAX_ROWS_PER_COMMIT):
            self._store_rows(rows[start : start + MAX_ROWS_PER_COMMIT])

    def _store_sqlite(self, rows: Sequence[InboxRow]) -> None:
        values = [_values(row, _sqlite_time) for row in rows]
        with self._place_in_line(), self._raw_cursor() as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            cursor.executemany(_SQLITE, values)

    @contextmanager
    def _place_in_line(self) -> Iterator[None]:
        """Let the doors of several processes write in turn: SQLite would make them sleep and try again."""
        if not self._engine.url.database or ":memory:" in self._engine.url.database:
            yield
            return
        with open(f"{self._engine.url.database}.line", "a") as line:
            fcntl.flock(line, fcntl.LOCK_EX)
            yield

    def _store_postgresql(self, rows: Sequence[InboxRow]) -> None:
        columns = zip(*(_values(row, _naive) for row in rows), strict=True)
        with self._raw_cursor() as cursor, _one_trip(cursor.connection):
            cursor.execute(_POSTGRESQL, [list(column) for column in columns])

    def _store_mariadb(self, rows: Sequence[InboxRow]) -> None:
        with self._raw_cursor() as cursor:
            cursor.executemany(_MARIADB, [_values(row, _naive) for row in rows])

    @contextmanager
    def _raw_cursor(self) -> Iterator[Any]:
        """Give a driver's cursor whose work is committed at the end; a broken connection leaves the pool."""
        connection = self._engine.raw_connection()
        try:
            cursor = connection.cursor()
            yield cursor
            connection.commit()
            cursor.close()
        except Exception:
            _abandon(connection)
            raise
        finally:
            connection.close()


def _write(inbox_of: Callable[[], Inbox | None], arrivals: SimpleQueue[_Delivery | None]) -> None:
    """Commit what arrives. Holds no inbox while it waits: with its application, the thread ends."""
    company = 1
    while (first := arrivals.get()) is not None and (inbox := inbox_of()) is not None:
        if company > 1:
            time.sleep(GATHER_SECS)
        together = [first, *_take_arrived(arrivals)]
        company = len(together)
        inbox._commit_together(together)
        del inbox


def _take_arrived(arrivals: SimpleQueue[_Delivery | None]) -> Iterator[_Delivery]:
    with suppress(Empty):
        while (delivery := arrivals.get_nowait()) is not None:
            yield delivery


def current() -> Inbox:
    """Give this process's inbox of the current application."""
    inbox = current_app.extensions.get("balcao_inbox")
    if inbox is None:
        inbox = current_app.extensions.setdefault("balcao_inbox", Inbox(db.engine))
    return inbox  # type: ignore[no-any-return]


@contextmanager
def _one_trip(connection: Any) -> Iterator[None]:
    """Let one statement be its own transaction, which saves the trips of BEGIN and COMMIT."""
    connection.autocommit = True
    try:
        yield
    finally:
        connection.autocommit = False  # a broken connection refuses this too, and leaves the pool


def _abandon(connection: PoolProxiedConnection) -> None:
    """Undo what was begun; a connection that cannot even do that leaves the pool."""
    try:
        connection.rollback()
    except Exception:
        connection.invalidate()


def _values(row: InboxRow, time_of: Callable[[datetime | None], object]) -> tuple[object, ...]:
    return (
        row.event_key,
        row.integration_id,
        row.provider,
        row.kind,
        row.lane,
        row.state,
        row.payload,
        time_of(row.provider_at),
        time_of(row.received_at),
        row.trace_id,
    )


def _naive(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)


def _sqlite_time(moment: datetime | None) -> str | None:
    """Write a time as SQLAlchemy's SQLite dialect does, to the microsecond."""
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
