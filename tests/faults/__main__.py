"""`python -m tests.faults`: one storm on PostgreSQL and Redis with several processes, or on SQLite with one.

Prints the books as JSON; ends with 1 when something in them is wrong.
"""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.crash.processes import Site, site
from tests.crash.test_killed_workers import start_all_in_one, start_worker
from tests.faults import books as bookkeeping
from tests.faults import storm
from tests.faults.books import Books
from tests.faults.servers import ServerMissing, own_postgresql, own_redis
from tests.faults.storm import Fleet, Plan, Storm

REST_SECS = 1800.0


def on_servers(plan: Plan, folder: Path, *, workers: int = 2, restarts: bool = True) -> Books:
    """Blow over gunicorn and several workers on PostgreSQL and Redis of the storm's own."""
    with ExitStack() as stack:
        postgresql = stack.enter_context(own_postgresql())
        redis = stack.enter_context(own_redis())
        model = stack.enter_context(storm.moody_model(plan))
        env = storm.settings(plan, model) | {"WEB_CONCURRENCY": "2"}
        desk = stack.enter_context(site(folder, postgresql.url, redis.url, **env))
        names = ["web", *(f"worker-{number}" for number in range(1, workers + 1))]

        def start(name: str) -> None:
            if name == "web":
                desk.start_gunicorn()
            else:
                start_worker(desk, int(name.partition("-")[2]))

        def restart_postgresql() -> None:
            postgresql.crash()
            postgresql.start()

        def restart_redis() -> None:
            redis.crash()
            redis.start()

        fleet = Fleet(desk, names, start)
        interludes = (restart_postgresql, restart_redis) if restarts else ()
        found = _blow(plan, desk, fleet, interludes)
        found.faults |= model.spoiled
        found.faults["PostgreSQL and Redis crashed"] = len(interludes)
        return found


def on_sqlite(plan: Plan, folder: Path) -> Books:
    """Blow over one process on one SQLite file."""
    with ExitStack() as stack:
        model = stack.enter_context(storm.moody_model(plan))
        database_url = f"sqlite:///{folder / 'storm.db'}"
        desk = stack.enter_context(site(folder, database_url, **storm.settings(plan, model)))
        fleet = Fleet(desk, ["desk"], lambda _name: start_all_in_one(desk))
        found = _blow(plan, desk, fleet, ())
        found.faults |= model.spoiled
        return found


def _blow(plan: Plan, desk: Site, fleet: Fleet, interludes: Sequence[Callable[[], None]]) -> Books:
    urls = {
        "graph": desk.start_graph("--receipts", "sent,delivered"),
        "twilio": desk.start_twilio("--receipts", "sent,delivered"),
    }
    desk.init_db()
    for person in storm.UNHEARD:  # they wrote while nobody listened
        storm.list_inbound(urls["twilio"], person, plan.words[0])
    fleet.start_all()
    desk.wait_until(desk.answers, storm.START_SECS)
    parts = storm.people_of(plan, desk, urls["twilio"])
    for part in parts:
        part.calm.write()
    desk.wait_until(desk.is_at_rest, REST_SECS)
    for name, url in urls.items():
        storm.spoil(name, url, plan)
    began = time.monotonic()
    Storm(plan, fleet, [crowd for part in parts for crowd in part.stormy], interludes).blow()
    written = time.monotonic()
    desk.wait_until(desk.is_at_rest, REST_SECS)
    found = bookkeeping.check(desk, fleet, parts)
    for name, url in urls.items():
        found.faults |= storm.calm(name, url)
    found.secs = {
        "writing": round(written - began, 1),
        "coming to rest": round(time.monotonic() - written, 1),
    }
    return found


def main() -> int:
    # A polite end unwinds: processes are ended, servers stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--contacts", type=int, default=500)
    parser.add_argument("--repeats", type=float, default=0.2, help="part of the webhooks that come twice")
    parser.add_argument("--faults", type=float, default=0.2, help="part of sends and model calls that fail")
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between two messages of a writer")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=11)
    chosen = parser.parse_args()
    plan = Plan(
        contacts=chosen.contacts,
        messages_each=max(1, chosen.messages // chosen.contacts),
        repeat_ratio=chosen.repeats,
        fault_ratio=chosen.faults,
        pause_secs=chosen.pause,
        seed=chosen.seed,
    )
    with tempfile.TemporaryDirectory(prefix="balcao-storm-") as folder:
        try:
            if chosen.database == "sqlite":
                found = on_sqlite(plan, Path(folder))
            else:
                found = on_servers(plan, Path(folder), workers=chosen.workers)
        except ServerMissing as missing:
            sys.stderr.write(f"{missing}\n")
            return 2
    sys.stdout.write(f"{found.to_json()}\n")
    return 1 if found.wrongs else 0


if __name__ == "__main__":
    sys.exit(main())
