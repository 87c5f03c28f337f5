"""Whole menu turns per second: from the webhook's POST to the send that the fake Graph API accepted.

A probe contact walks the same steps first; its answers are what every other contact must get, no more, no
fewer.
"""

import json
import secrets
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from bench.load import RequestMaker, run_load
from bench.servers import Site, cpu_used, free_port, site
from tests.fakes.graph import SentMessage, read_journal

CONTACTS = 500
STEPS = ("menu", "1", "menu", "1")
WORKERS = 2
PROBE = "5511800000000"
QUIET_SECS = 1.5  # nothing new for so long means that an answer is complete
PROBE_SECS = 60.0
RUN_SECS = 180.0


def measure(database: str, *, with_redis: bool) -> dict[str, Any]:
    """Post all webhooks at once; give turns per second until the journal has all answers, and CPU time."""
    with site(database, with_redis=with_redis) as desk:
        return walk(desk, workers=WORKERS)


def walk(
    desk: Site, *, workers: int, receipts: str = "", settled: Callable[[], object] = lambda: None
) -> dict[str, Any]:
    """Start a desk's processes and let all contacts walk the steps; gives the figures.

    `receipts` are the statuses, comma separated, that come back for each send; `settled` is called once all
    is answered, and returns when what else the turns caused is done, too: its CPU time counts.
    """
    port = free_port()
    back = ("--webhook-url", f"http://127.0.0.1:{port}/webhook") if receipts else ()
    graph_url = desk.start_graph("--forget", "--receipts", receipts, *back)
    desk.prepare()
    url = desk.start_web(port=port)
    for number in range(workers):
        desk.start_worker(number)
    maker = RequestMaker(url, secrets.token_hex(4))
    probe_answers = _walk_probe(url, graph_url, maker)
    settled()
    return _run(desk, url, graph_url, maker, probe_answers, settled)


def _run(
    desk: Site,
    url: str,
    graph_url: str,
    maker: RequestMaker,
    probe_answers: int,
    settled: Callable[[], object],
) -> dict[str, Any]:
    expected = probe_answers * (1 + CONTACTS)
    began = int(time.time()) - len(STEPS)
    contacts = [f"5511{900_000_000 + place}" for place in range(CONTACTS)]
    requests = [
        maker.text(step, contact, began + place) for place, step in enumerate(STEPS) for contact in contacts
    ]
    before = desk.cpu_secs()
    started = time.perf_counter()
    posted = run_load(url, requests)
    finished = _await_count(graph_url, expected, started + RUN_SECS)
    secs = finished - started
    settled()
    used = cpu_used(before, desk.cpu_secs())
    time.sleep(QUIET_SECS)  # a doubled answer would come now
    turns = len(requests)
    answered = _count(graph_url) - probe_answers
    done = turns if answered >= expected - probe_answers else int(answered / probe_answers * len(STEPS))
    return {
        "database": desk.database,
        "queue": "redis" if desk.env["QUEUE_URL"] else "sqlite",
        "turns": turns,
        "turns_per_sec": round(done / secs, 1),
        "secs": round(secs, 2),
        "posting_secs": round(posted.secs, 2),
        "webhooks_ok": posted.ok_count,
        "answers": answered,
        "answers_expected": expected - probe_answers,
        "wrong_contacts": _wrong_contacts(read_journal(desk.journal), contacts),
        "cpu_secs": used,
        "cpu_ms_per_turn": round(sum(used.values()) / turns * 1000, 2),
    }


def _walk_probe(url: str, graph_url: str, maker: RequestMaker) -> int:
    """Walk the steps one by one; gives how many messages they are answered with."""
    for step in STEPS:
        before = _count(graph_url)
        run_load(url, [maker.text(step, PROBE, int(time.time()))], connections=1)
        deadline = time.perf_counter() + PROBE_SECS
        while _count(graph_url) == before:
            if time.perf_counter() > deadline:
                raise TimeoutError(f"the probe's {step!r} was not answered in {PROBE_SECS} s")
            time.sleep(0.05)
        _await_quiet(graph_url)
    return _count(graph_url)


def _await_quiet(graph_url: str) -> None:
    count, since = _count(graph_url), time.perf_counter()
    while time.perf_counter() - since < QUIET_SECS:
        time.sleep(0.1)
        if (now := _count(graph_url)) != count:
            count, since = now, time.perf_counter()


def _await_count(graph_url: str, expected: int, deadline: float) -> float:
    """Give when the count was reached, or the deadline when it was not."""
    while _count(graph_url) < expected:
        if time.perf_counter() > deadline:
            return deadline
        time.sleep(0.02)
    return time.perf_counter()


def _wrong_contacts(sent: list[SentMessage], contacts: list[str]) -> int:
    """Count the contacts whose answers are not exactly the probe's, in its order."""
    texts: dict[str, list[str]] = defaultdict(list)
    for message in sent:
        texts[message.person].append(message.text)
    return sum(texts[contact] != texts[PROBE] for contact in contacts)


def _count(graph_url: str) -> int:
    with urllib.request.urlopen(f"{graph_url}/__count", timeout=10) as answer:
        return int(json.load(answer)["count"])
