"""How turns per second grow with worker processes, what one turn costs, and a week on paper from that.

Each run is a fresh desk on PostgreSQL (and Redis where there is one) whose fake Graph API posts back three
receipts for each send, as Meta does; its costs count until the last receipt is booked.
"""

import time
from collections.abc import Mapping
from typing import Any, Final

import psycopg

from bench import turns
from bench.servers import Site, Unavailable, site
from tests.fakes.graph import FINAL_RECEIPTS

WORKERS: Final = (1, 2, 3, 4)
COSTED_WORKERS: Final = 2
RATE_PER_SEC: Final = 100
WEEK_SECS: Final = 7 * 24 * 3600
BUSY_AT_MOST: Final = 0.6  # of a core: what is left carries the peaks
SETTLE_SECS: Final = 120.0
BIGGEST_TABLES: Final = 8
STATUSES_PER_SEND: Final = len(FINAL_RECEIPTS)


def measure(database: str) -> dict[str, Any]:
    """Give turns per second by worker processes, CPU and bytes of one turn, and the week they add up to."""
    if database != "postgresql":
        raise Unavailable("one process writes SQLite: only PostgreSQL is measured as workers grow")
    grown: dict[str, float] = {}
    runs: dict[int, tuple[dict[str, Any], dict[str, int], int]] = {}
    for workers in WORKERS:
        runs[workers] = _one_run(database, workers)
        grown[f"{workers}:"] = runs[workers][0]["turns_per_sec"]
    figures, stored, log_bytes = runs[COSTED_WORKERS]
    cpu_ms = _by_kind(figures["cpu_secs"], figures["turns"])
    per_turn = {name: round(size / figures["turns"]) for name, size in stored.items()}
    return {
        "database": database,
        "queue": figures["queue"],
        "turns_per_sec_by_workers": grown,
        "sends_per_turn": round(figures["answers"] / figures["turns"], 2),
        "cpu_ms_per_turn": cpu_ms,
        "bytes_per_turn": dict(list(per_turn.items())[:BIGGEST_TABLES]),
        "bytes_per_turn_all": sum(per_turn.values()),
        "log_bytes_per_turn": round(log_bytes / figures["turns"]),
        "a_week": week(cpu_ms, sum(per_turn.values()), log_bytes / figures["turns"]),
    }


def week(cpu_ms: Mapping[str, float], stored_bytes: float, log_bytes: float) -> dict[str, float]:
    """Give what RATE_PER_SEC turns a second, day and night, ask for: cores by process, GB and rows a week.

    `cpu_ms` is the CPU time of one turn by kind of process, in milliseconds.
    """
    turns_of_week = RATE_PER_SEC * WEEK_SECS
    cores = {f"{name}_cores": ms * RATE_PER_SEC / 1000 / BUSY_AT_MOST for name, ms in cpu_ms.items()}
    return {name: round(count, 1) for name, count in cores.items()} | {
        "million_turns": round(turns_of_week / 1e6, 1),
        "stored_gb": round(turns_of_week * stored_bytes / 1e9),
        "log_gb": round(turns_of_week * log_bytes / 1e9),
    }


def _one_run(database: str, workers: int) -> tuple[dict[str, Any], dict[str, int], int]:
    """Walk one fresh desk; gives its figures, the bytes that each table grew by, and those of the log."""
    with site(database, with_redis=True) as desk:
        before: dict[str, int] = {}
        log_at: list[int] = []

        def settled() -> None:
            _await_settled(desk)
            if not before:  # the probe has walked, the load comes now
                before.update(_sizes(desk))
                log_at.append(_log_place(desk))

        figures = turns.walk(desk, workers=workers, receipts=",".join(FINAL_RECEIPTS), settled=settled)
        grown = {name: size - before.get(name, 0) for name, size in _sizes(desk).items()}
        in_order = dict(sorted(grown.items(), key=lambda pair: -pair[1]))
        return figures, in_order, _log_place(desk) - log_at[0]


def _by_kind(cpu_secs: Mapping[str, float], turn_count: int) -> dict[str, float]:
    """CPU milliseconds of one turn by kind of process; the fake Graph API is not ours."""
    kinds: dict[str, float] = {}
    for name, secs in cpu_secs.items():
        kind = name.partition("-")[0]
        if kind != "graph":
            kinds[kind] = kinds.get(kind, 0.0) + secs
    return {kind: round(secs / turn_count * 1000, 2) for kind, secs in kinds.items()}


def _await_settled(desk: Site) -> None:
    """Wait until every send has its receipts and no webhook waits."""
    question = """
        SELECT (SELECT count(*) FROM messages WHERE direction = 'out') * %s
             - (SELECT count(*) FROM webhook_events WHERE kind = 'status' AND state = 'done')"""
    deadline = time.perf_counter() + SETTLE_SECS
    while left := _ask(desk, question, STATUSES_PER_SEND):
        if time.perf_counter() > deadline:
            raise TimeoutError(f"{left} receipts are still to be booked after {SETTLE_SECS:.0f} s")
        time.sleep(0.2)


def _sizes(desk: Site) -> dict[str, int]:
    """Bytes of each table with its indexes; what updates left behind counts until it is vacuumed."""
    rows = _rows(desk, "SELECT relname, pg_total_relation_size(relid) FROM pg_stat_user_tables")
    return {str(name): int(size) for name, size in rows}


def _log_place(desk: Site) -> int:
    """Bytes that the server has ever written to its write-ahead log: other databases' writes are in it."""
    return int(_ask(desk, "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"))


def _ask(desk: Site, question: str, *values: object) -> Any:
    return _rows(desk, question, *values)[0][0]


def _rows(desk: Site, question: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(desk.database_url) as connection:
        return connection.execute(question.encode(), values).fetchall()
