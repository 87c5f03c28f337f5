"""Webhook elements into `webhook_events`: several requests of one process share one commit.

Called by the door only. A commit waits for the disk; while one request's commit is on its way, the others
that arrive
queue up and go together in the next one (the first of them leads). Each caller returns only when its own
rows are
committed, so a 200 means stored. This room commits: that is its meaning. It never reads a payload.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Any

import structlog
from sqlalchemy import Engine

log = structlog.get_logger()

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
)
_NAMES = ", ".join(COLUMNS)
_SQLITE = (
    f"INSERT INTO webhook_events ({_NAMES}, attempts, error) "
    f"VALUES ({', '.join('?' for _ in COLUMNS)}, 0, '') ON CONFLICT DO NOTHING"
)
# One statement text for any number of rows, so that the server keeps its plan.
_POSTGRESQL = (
    f"INSERT INTO webhook_events ({_NAMES}, attempts, error) "
    "SELECT u.*, 0, '' FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], "
    "%s::bytea[], %s::timestamp[], %s::timestamp[]) AS u ON CONFLICT DO NOTHING"
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


class InboxUnavailable(Exception):
    """The database did not take the rows; the provider must send them again."""


@dataclass(slots=True)
class _Waiting:
    rows: Sequence[InboxRow]
    is_stored: bool = False
    error: Exception | None = None


class Inbox:
    """The inbox table of one process, with its shared commits."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._store_rows = {
            "sqlite": self._store_sqlite,
            "postgresql": self._store_postgresql,
        }.get(engine.dialect.name, self._store_mariadb)
        self._arrivals: list[_Waiting] = []
        self._arrivals_lock = Lock()
        self._commit_lock = Lock()

    def store(self, rows: Sequence[InboxRow]) -> None:
        """Insert `rows`, leaving those whose key is known alone, and return when they are committed.

        Raises InboxUnavailable; then none of `rows` may be taken for stored.
        """
        mine = _Waiting(rows)
        with self._arrivals_lock:
            self._arrivals.append(mine)
        with self._commit_lock:
            # The one who led the last commit may have taken ours along.
            if not mine.is_stored and mine.error is None:
                self._commit_together(self._take_arrivals())
        if mine.error is not None:
            raise InboxUnavailable from mine.error

    def _take_arrivals(self) -> list[_Waiting]:
        with self._arrivals_lock:
            taken, self._arrivals = self._arrivals, []
        return taken

    def _commit_together(self, waiting: list[_Waiting]) -> None:
        rows = [row for one in waiting for row in one.rows]
        try:
            self._insert(rows)
        except Exception as error:
            if len(waiting) == 1:
                log.error("inbox_unavailable", rows=len(rows), error=type(error).__name__)
                waiting[0].error = error
                return
            # One bad row, or a deadlock between two processes' repeats, must not refuse the neighbours.
            for one in waiting:
                self._commit_together([one])
            return
        for one in waiting:
            one.is_stored = True

    def _insert(self, rows: Sequence[InboxRow]) -> None:
        for start in range(0, len(rows), MAX_ROWS_PER_COMMIT):
            self._store_rows(rows[start : start + MAX_ROWS_PER_COMMIT])

    def _store_sqlite(self, rows: Sequence[InboxRow]) -> None:
        with self._raw_cursor() as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            cursor.executemany(_SQLITE, [_values(row, _sqlite_time) for row in rows])

    def _store_postgresql(self, rows: Sequence[InboxRow]) -> None:
        columns = zip(*(_values(row, _naive) for row in rows), strict=True)
        with self._raw_cursor() as cursor:
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
            connection.invalidate()
            raise
        finally:
            connection.close()


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
    )


def _naive(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)


def _sqlite_time(moment: datetime | None) -> str | None:
    """Write a time as SQLAlchemy's SQLite dialect does, to the microsecond."""
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
