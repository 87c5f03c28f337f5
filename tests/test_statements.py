"""Statements: what a database says of a deadlock is known for one."""

import threading
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from app import create_app
from config import Config
from models import Contact, db
from statements import is_deadlock


@pytest.fixture(params=["postgresql_url", "mariadb_url"])
def server_app(request: pytest.FixtureRequest, load_config: Callable[..., Config]) -> Iterator[Flask]:
    """An application on each database server; SQLite has one writer and so no deadlocks."""
    app = create_app(load_config(DATABASE_URL=request.getfixturevalue(request.param)))
    with app.app_context():
        db.create_all()
        yield app
        db.session.remove()
        db.engine.dispose()


def lock(contact_id: int) -> None:
    db.session.execute(update(Contact).where(Contact.id == contact_id).values(name="locked"))


def test_a_deadlock_is_known_for_one(server_app: Flask) -> None:
    db.session.add_all([Contact(), Contact()])
    db.session.commit()
    ids = list(db.session.scalars(select(Contact.id).order_by(Contact.id)))
    db.session.rollback()
    both_hold_one, refusals = threading.Barrier(2), []

    def cross(place: int) -> None:
        with server_app.app_context():
            lock(ids[place])
            both_hold_one.wait()
            try:
                lock(ids[1 - place])
                db.session.commit()
            except OperationalError as error:
                db.session.rollback()
                refusals.append(is_deadlock(error))

    threads = [threading.Thread(target=cross, args=(place,)) for place in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert refusals == [True]


@pytest.mark.parametrize("cause", [Exception("server has gone away"), Exception(2006, "gone")])
def test_another_failure_is_none(cause: Exception) -> None:
    assert not is_deadlock(OperationalError("SELECT 1", {}, cause))
