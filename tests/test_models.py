"""The tables: migrations equal the models on every database, and the databases keep what we rely on."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

import opening
from app import create_app
from config import Config
from models import Alert, Contact, ContactIdentity, Lane, Worker, db, epoch_now, is_in_metadata
from statements import changed_rows


@pytest.fixture
def migrated(load_config: Callable[..., Config], database_url: str) -> Iterator[Flask]:
    app = create_app(load_config(DATABASE_URL=database_url))
    with app.app_context():
        opening.migrate()
        yield app
        db.session.remove()
        db.engine.dispose()


def test_migrations_equal_the_models(migrated: Flask) -> None:
    with db.engine.connect() as connection:
        opts = {"compare_type": True, "include_name": is_in_metadata}
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, db.metadata) == []


def test_migrating_twice_changes_nothing(migrated: Flask) -> None:
    opening.migrate()


def test_times_come_back_to_the_microsecond(migrated: Flask) -> None:
    at = datetime(2026, 11, 21, 9, 41, 22, 123456, tzinfo=UTC)
    db.session.add(Worker(name="w", started_at=at, seen_at=at))
    db.session.commit()
    db.session.expire_all()
    assert db.session.execute(select(Worker.seen_at)).scalar() == at


def test_a_time_without_a_zone_is_refused(migrated: Flask) -> None:
    db.session.add(Worker(name="w", seen_at=datetime(2026, 11, 21)))  # noqa: DTZ001
    with pytest.raises(Exception, match="without a zone"):
        db.session.commit()
    db.session.rollback()


def test_ids_of_the_outside_world_differ_by_case(migrated: Flask) -> None:
    contact = Contact(name="Ana 👋 \u0000".replace("\0", ""))
    db.session.add(contact)
    db.session.flush()
    for value in ("BR.abc", "BR.ABC", "BR.áBC"):
        db.session.add(ContactIdentity(contact_id=contact.id, account="a", kind="bsuid", value=value))
    db.session.commit()
    found = select(func.count()).select_from(ContactIdentity).where(ContactIdentity.value == "BR.ABC")
    assert db.session.execute(found).scalar() == 1
    assert db.session.execute(select(Contact.name)).scalar() == "Ana 👋 "


def test_a_foreign_key_is_enforced(migrated: Flask) -> None:
    db.session.add(ContactIdentity(contact_id=4711, account="a", kind="bsuid", value="x"))
    with pytest.raises(IntegrityError):
        db.session.commit()
    db.session.rollback()


def test_json_keeps_every_character(migrated: Flask) -> None:
    told = {"text": "a\0b \ud83d 👩‍💻 ção"}
    contact = Contact(name="x", referral=told)
    db.session.add(contact)
    db.session.commit()
    db.session.expire_all()
    assert db.session.get_one(Contact, contact.id).referral == told


def test_the_database_tells_the_time_in_seconds_since_1970(migrated: Flask) -> None:
    told = db.session.execute(select(epoch_now())).scalar()
    assert told is not None
    assert abs(float(told) - datetime.now(UTC).timestamp()) < 5


def test_no_update_is_lost_between_threads(migrated: Flask) -> None:
    db.session.add(Lane(key="count", token=0, leased_until=0.0, holder=""))
    db.session.commit()

    def count() -> None:
        with migrated.app_context():
            for _ in range(25):
                row = db.session.execute(
                    select(Lane).where(Lane.key == "count").with_for_update()
                ).scalar_one()
                row.token += 1
                db.session.commit()

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    db.session.expire_all()
    assert db.session.get_one(Lane, "count").token == 100


def test_an_update_that_changes_nothing_still_counts_its_row(migrated: Flask) -> None:
    """Leases and receipts read the row count; MariaDB would say 0 without the FOUND_ROWS flag."""
    db.session.add(Alert(kind="k", open_topic="t", text="x"))
    db.session.commit()
    same = update(Alert).where(Alert.open_topic == "t").values(kind="k")
    assert changed_rows(same) == 1
