"""Webhooks per second through the door with the commit, against a bare view under the same settings."""

import secrets
import statistics
import time
from typing import Any

import sqlalchemy as sa

from bench.load import Outcome, RequestMaker, run_load
from bench.servers import Site, site

CONTACTS = 5_000
WARM_UP_SECS = 2.0
PREPARED_PER_SEC = 4_000  # more than the door ever took; what is left over is thrown away
PREPARED_BARE = 30_000


def measure(database: str, *, rounds: int, secs: float, workers: int) -> dict[str, Any]:
    """Alternate bare, door, bare, door ...; give the median ratio and its spread, and the door's latencies.

    `workers` message workers run beside the door (0: rows stay pending, the door alone is measured).
    """
    with site(database) as desk:
        if workers:
            desk.start_graph("--forget", "--receipts", "")
        desk.prepare()
        bare_url = desk.start_web("bench.bare:app", name="bare")
        door_url = desk.start_web()
        for number in range(workers):
            desk.start_worker(number)
        return _alternate(desk, bare_url, door_url, rounds, secs)


def _alternate(desk: Site, bare_url: str, door_url: str, rounds: int, secs: float) -> dict[str, Any]:
    maker = RequestMaker(door_url, secrets.token_hex(4))
    bare_requests = _texts(maker, PREPARED_BARE)
    run_load(bare_url, bare_requests, for_secs=WARM_UP_SECS)
    accepted = run_load(
        door_url, _texts(maker, int(PREPARED_PER_SEC * WARM_UP_SECS)), for_secs=WARM_UP_SECS
    ).ok_count
    bare: list[Outcome] = []
    door: list[Outcome] = []
    used: dict[str, float] = {}
    bare_cpu_secs = 0.0
    for _ in range(rounds):
        before = desk.cpu_secs()
        bare.append(run_load(bare_url, bare_requests, for_secs=secs))
        bare_cpu_secs += desk.cpu_secs()["bare"] - before["bare"]
        requests = _texts(maker, int(PREPARED_PER_SEC * secs))
        before = desk.cpu_secs()
        door.append(run_load(door_url, requests, for_secs=secs))
        for name, total in desk.cpu_secs().items():
            if name != "bare":
                used[name] = used.get(name, 0.0) + total - before.get(name, 0.0)
    accepted += sum(outcome.ok_count for outcome in door)
    ratios = [one.per_sec / other.per_sec for one, other in zip(door, bare, strict=True)]
    everything = [latency for outcome in door for latency in outcome.latencies]
    together = Outcome(latencies=everything)
    door_count = sum(outcome.ok_count for outcome in door)
    return {
        "database": desk.database,
        "ratio": round(statistics.median(ratios), 3),
        "ratio_low": round(min(ratios), 3),
        "ratio_high": round(max(ratios), 3),
        "door_per_sec": round(statistics.median(outcome.per_sec for outcome in door)),
        "bare_per_sec": round(statistics.median(outcome.per_sec for outcome in bare)),
        "door_p50_ms": round(together.percentile_ms(0.50), 1),
        "door_p99_ms": round(together.percentile_ms(0.99), 1),
        "bare_p99_ms": round(
            Outcome(latencies=[t for o in bare for t in o.latencies]).percentile_ms(0.99), 1
        ),
        "refused": sum(sum(o.statuses.values()) - o.ok_count for o in (*door, *bare)),
        "accepted": accepted,
        "stored": _stored(desk),
        "cpu_us_per_webhook": {
            name: round(total / max(door_count, 1) * 1e6) for name, total in used.items() if total > 0.01
        }
        | {"bare": round(bare_cpu_secs / max(sum(outcome.ok_count for outcome in bare), 1) * 1e6)},
    }


def _texts(maker: RequestMaker, count: int) -> list[bytes]:
    now = int(time.time())
    return [maker.text("menu", f"5511{900_000_000 + place % CONTACTS}", now) for place in range(count)]


def _stored(desk: Site) -> int:
    """Rows of the inbox: every answered 200 must be one of them."""
    engine = sa.create_engine(desk.database_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        count = connection.execute(sa.text("SELECT count(*) FROM webhook_events")).scalar_one()
    engine.dispose()
    return int(count)
