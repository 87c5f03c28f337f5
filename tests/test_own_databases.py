"""The databases of the tests themselves: what one test leaves must not be seen by the next."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.conftest import emptied_database

ADDED = text("INSERT INTO labels (name, created_at) VALUES ('new', CURRENT_TIMESTAMP)")


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        pytest.param("mariadb", marks=pytest.mark.mariadb),
    ],
)
def test_ids_begin_at_one_though_the_test_before_took_its_rows_back(kind: str, tmp_path: Path) -> None:
    first = emptied_database(kind, tmp_path)
    url = next(first)
    engine = create_engine(url)
    with engine.connect() as connection:
        connection.execute(ADDED)
        connection.rollback()
    engine.dispose()
    assert next(first, None) is None
    for again in emptied_database(kind, tmp_path):
        assert again == url
        engine = create_engine(again)
        with engine.begin() as connection:
            connection.execute(ADDED)
            assert connection.scalar(text("SELECT id FROM labels")) == 1
        engine.dispose()
