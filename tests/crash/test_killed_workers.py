"""Workers killed with SIGKILL in the middle of turns and deliveries: nothing lost, doubled or disordered.

The fake Graph API is slow, so that kills meet sends on their way; it is a process of its own and sends
receipts with our reference, by which a send of unknown fate is settled.
"""

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from config import Config
from tests.crash.processes import (
    Crowd,
    Site,
    answers_by_person,
    check_books,
    doubles,
    outgoing_statuses,
    random_customers,
    resent_counts,
    site,
)
from tests.crash.test_many_workers import expected_answers

WORDS = ("hello", "1", "menu", "4")
LEASE_SECS = "5"
HASTE = {"UNCERTAIN_RESEND_SECS": "8", "SEND_TIMEOUT_SECS": "1", "WORKER_THREADS": "4"}
REST_SECS = 600

pytestmark = pytest.mark.slow


@pytest.mark.postgresql
@pytest.mark.redis
def test_workers_killed_at_random_answer_every_message_exactly_once(
    tmp_path: Path, postgresql_url: str, redis_url: str, load_config: Callable[..., Config]
) -> None:
    expected = expected_answers(load_config)
    with site(tmp_path, postgresql_url, redis_url, **HASTE) as desk:
        make_graph_slow(desk.start_graph("--receipts", "sent"))
        desk.init_db()
        desk.start_gunicorn()
        for number in (1, 2):
            start_worker(desk, number)
        crowd = Crowd(desk, random_customers(60), WORDS, pause_secs=0.6)
        writing = crowd.start_writing()
        rng = random.Random(2)
        for _ in range(6):
            time.sleep(rng.uniform(0.5, 1.5))
            number = rng.choice((1, 2))
            desk.kill(f"worker-{number}")
            start_worker(desk, number)
        writing.join(300)
        assert not writing.is_alive()
        judge(desk, crowd, expected)


def test_one_process_on_sqlite_killed_and_restarted_answers_every_message_exactly_once(
    tmp_path: Path, sqlite_url: str, load_config: Callable[..., Config]
) -> None:
    expected = expected_answers(load_config)
    with site(tmp_path, sqlite_url, **HASTE) as desk:
        make_graph_slow(desk.start_graph("--receipts", "sent"))
        start_all_in_one(desk)
        crowd = Crowd(desk, random_customers(30), WORDS, threads=4, pause_secs=0.3)
        writing = crowd.start_writing()
        rng = random.Random(3)
        for _ in range(3):
            time.sleep(rng.uniform(1.0, 2.5))
            desk.kill("desk")
            start_all_in_one(desk)
        writing.join(300)
        assert not writing.is_alive()
        judge(desk, crowd, expected)


def start_worker(desk: Site, number: int) -> None:
    """Start a worker and wait for its heartbeat: one that is killed before it works proves nothing."""
    before = desk.worker_count()
    desk.start(f"worker-{number}", "-m", "tests.crash.hasty", LEASE_SECS, "worker")
    desk.wait_until(lambda: desk.worker_count() > before, 300)


def start_all_in_one(desk: Site) -> None:
    desk.start("desk", "-m", "tests.crash.hasty", LEASE_SECS)
    desk.wait_until(desk.answers, 300)


def make_graph_slow(graph_url: str) -> None:
    """Accept at once and answer late: most kills then meet a send of which only a receipt can tell."""
    fault = {"kind": "slow", "times": None, "secs": 0.4}
    assert requests.post(f"{graph_url}/__faults", json=fault, timeout=60).status_code == 201


def judge(desk: Site, crowd: Crowd, expected: list[str]) -> None:
    desk.wait_until(desk.is_at_rest, REST_SECS)
    journal, resent = desk.journal(), resent_counts(desk)
    answers = answers_by_person(journal)
    wrong = {person: answers[person] for person in crowd.customers if answers[person] != expected}
    assert wrong == {}, "each customer reads every answer once and in order"
    twice = doubles(journal)
    assert all(resent.get(reference, 0) >= count for reference, count in twice.items()), "doubles are counted"
    assert twice == {}, "a receipt came for every send, so none needed a repeat"
    assert set(outgoing_statuses(desk)) == {"sent"}
    check_books(desk, crowd)
