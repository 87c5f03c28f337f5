"""A full disk, and a database that only reads: the door says 503, nothing is half-written, all recovers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from sqlalchemy import event, make_url, text
from sqlalchemy.exc import DBAPIError

from config import Config
from models import Contact, Conversation, Lead, Message, Turn, WebhookEvent, db
from tests.fakes.graph import FakeGraph
from tests.real_door import META, WalkedDesk, walked_desk

# As long as WhatsApp lets a text be, in letters of four bytes: no table has room for it without a new page.
LONG = "\N{GUITAR}" * 4096
WRITTEN = (Contact, Conversation, Lead, Message, Turn, WebhookEvent)
Trouble = Callable[[WalkedDesk], Any]


@contextmanager
def full_disk(desk: WalkedDesk) -> Iterator[None]:
    """Let the SQLite file grow by no page: the engine's own `database or disk is full`."""
    with _pragma(desk, "max_page_count = 1"):  # SQLite takes the present size for a smaller one
        _leave_no_free_page(desk)
        yield


@contextmanager
def read_only_sqlite(desk: WalkedDesk) -> Iterator[None]:
    with _pragma(desk, "query_only = ON"):
        yield


@contextmanager
def read_only_postgresql(desk: WalkedDesk) -> Iterator[None]:
    """What a server does whose primary became a replica."""
    _set_read_only(desk, "on")
    try:
        yield
    finally:
        _set_read_only(desk, "off")


@contextmanager
def _pragma(desk: WalkedDesk, setting: str) -> Iterator[None]:
    with desk.app.app_context():
        engine = db.engine

    def limit(connection: Any, _record: Any) -> None:
        connection.execute(f"PRAGMA {setting}")

    event.listen(engine, "connect", limit)
    engine.dispose()
    try:
        yield
    finally:
        event.remove(engine, "connect", limit)
        engine.dispose()


def _leave_no_free_page(desk: WalkedDesk) -> None:
    """Use up what the file has in reserve, so that the next page is one too many."""
    with desk.app.app_context(), suppress(DBAPIError):
        for size in (1_000_000, 100_000, 4_000, 500, 50):
            _fill(size)


def _fill(size: int) -> None:
    with suppress(DBAPIError):
        for _ in range(10_000):
            with db.engine.begin() as connection:
                connection.execute(text("INSERT INTO ballast VALUES (zeroblob(:size))"), {"size": size})


def _set_read_only(desk: WalkedDesk, value: str) -> None:
    with desk.app.app_context():
        engine, name = db.engine, make_url(str(db.engine.url)).database
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("SET default_transaction_read_only = off"))
            connection.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = {value}'))
        engine.dispose()


TROUBLES: dict[str, tuple[str, Trouble]] = {
    "full disk": ("sqlite_url", full_disk),
    "read-only file": ("sqlite_url", read_only_sqlite),
    "read-only server": ("postgresql_url", read_only_postgresql),
}


@pytest.fixture(
    params=[
        "full disk",
        "read-only file",
        pytest.param("read-only server", marks=pytest.mark.postgresql),
    ]
)
def troubled(
    request: pytest.FixtureRequest, load_config: Callable[..., Config]
) -> Iterator[tuple[WalkedDesk, Trouble]]:
    """Give a desk that has answered one message, and what makes its database refuse to write."""
    url, trouble = TROUBLES[request.param]
    database_url = request.getfixturevalue(url)
    with FakeGraph() as graph:
        settings = load_config(GRAPH_API_BASE_URL=graph.url, DATABASE_URL=database_url, **META)
        with walked_desk(settings, graph) as desk:
            if trouble is full_disk:
                with desk.app.app_context(), db.engine.begin() as connection:
                    connection.execute(text("CREATE TABLE ballast (content BLOB)"))
            assert desk.says("hello")
            yield desk, trouble


def test_a_door_that_cannot_store_says_503_and_takes_the_repeat(
    troubled: tuple[WalkedDesk, Trouble],
) -> None:
    desk, trouble = troubled
    before = counts(desk)
    webhook = desk.meta.text(LONG)
    with trouble(desk):
        assert desk.post(webhook) == 503
    assert counts(desk) == before
    assert desk.post(webhook) == 200
    desk.work()
    assert counts(desk)["Turn"] == before["Turn"] + 1


def test_a_turn_that_cannot_be_written_leaves_nothing_and_is_taken_again(
    troubled: tuple[WalkedDesk, Trouble],
) -> None:
    desk, trouble = troubled
    assert desk.post(desk.meta.text(LONG)) == 200
    before, sent = counts(desk), len(desk.graph.sent)
    with trouble(desk), suppress(DBAPIError):
        desk.work()
    assert counts(desk) == before
    assert len(desk.graph.sent) == sent
    desk.clock.advance(60)
    desk.end_leases()
    desk.work()
    assert counts(desk)["Turn"] == before["Turn"] + 1
    assert len(desk.graph.sent) > sent
    assert set(desk.states()) == {"done"}


def counts(desk: WalkedDesk) -> dict[str, int]:
    return {table.__name__: len(desk.rows(table)) for table in WRITTEN}
