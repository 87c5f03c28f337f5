"""The storm in its short form: small enough for every run of the tests, with every kind of trouble in it."""

import os
from pathlib import Path

import pytest

from tests.faults.__main__ import on_servers, on_sqlite
from tests.faults.servers import ServerMissing
from tests.faults.storm import Plan

PLAN = Plan(
    contacts=10, messages_each=4, kill_gap_secs=(1.0, 2.0), kills_max=2, pause_secs=0.1, resend_secs=3
)

pytestmark = pytest.mark.slow


def test_a_storm_over_one_process_on_sqlite_loses_doubles_and_disorders_nothing(tmp_path: Path) -> None:
    books = on_sqlite(PLAN, tmp_path)
    assert books.wrongs == []
    assert [fault for fault, count in books.faults.items() if not count] == [], "each kind strikes"
    assert sum(books.kills.values()) >= 1
    assert books.repeated >= 1


@pytest.mark.postgresql
@pytest.mark.redis
def test_a_storm_over_many_processes_whose_servers_crash_loses_doubles_and_disorders_nothing(
    tmp_path: Path,
) -> None:
    try:
        books = on_servers(PLAN, tmp_path)
    except ServerMissing as missing:
        reason = f"left out, no servers to crash: {missing}"
        if os.environ.get("REQUIRE_SERVICES") == "1":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    assert books.wrongs == []
    assert sum(books.kills.values()) >= 1
    assert [fault for fault, count in books.faults.items() if not count] == [], "each kind strikes"
    assert books.faults["PostgreSQL and Redis crashed"] == 2
