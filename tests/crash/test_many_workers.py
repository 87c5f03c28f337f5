"""Two worker processes and gunicorn on PostgreSQL and Redis serve many customers at once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from config import Config
from tests.crash.processes import (
    Crowd,
    answers_by_person,
    check_books,
    doubles,
    outgoing_statuses,
    random_customers,
    site,
)
from tests.fakes.graph import FakeGraph
from tests.real_door import META, texts_of, walked_desk

CUSTOMERS = 200
WORDS = ("hello", "1", "menu", "4")
REST_SECS = 600

pytestmark = [pytest.mark.slow, pytest.mark.postgresql, pytest.mark.redis]


def expected_answers(load_config: Callable[..., Config], words: tuple[str, ...] = WORDS) -> list[str]:
    """What one customer reads who is alone on a desk of one thread."""
    with FakeGraph() as graph:
        with walked_desk(load_config(GRAPH_API_BASE_URL=graph.url, **META), graph) as desk:
            for word in words:
                desk.says(word)
            return texts_of(graph.sent)


def test_200_interleaved_customers_get_their_answers_in_order_and_once(
    tmp_path: Path, postgresql_url: str, redis_url: str, load_config: Callable[..., Config]
) -> None:
    expected = expected_answers(load_config)
    assert len(expected) >= len(WORDS)
    with site(tmp_path, postgresql_url, redis_url) as desk:
        desk.start_graph("--receipts", "sent,read")
        desk.init_db()
        desk.start_gunicorn()
        for number in (1, 2):
            desk.start(f"worker-{number}", "main.py", "worker")
        crowd = Crowd(desk, random_customers(CUSTOMERS), WORDS)
        crowd.write()
        desk.wait_until(lambda: len(desk.journal()) >= CUSTOMERS * len(expected), REST_SECS)
        desk.wait_until(desk.is_at_rest, REST_SECS)
        journal = desk.journal()
        assert doubles(journal) == {}
        answers = answers_by_person(journal)
        wrong = {person for person in crowd.customers if answers[person] != expected}
        assert wrong == set()
        assert outgoing_statuses(desk) == {"read": CUSTOMERS * len(expected)}
        check_books(desk, crowd)
