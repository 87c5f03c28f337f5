"""Our numbers as a process remembers them: asking for them holds nobody up."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TypeVar

from flask import Flask
from sqlalchemy import event, update

import integrations
from config import Config
from models import Integration, db, utc_now
from providers.base import Health
from tests.real_door import META, TWILIO
from training import current

WAIT_SECS = 60
T = TypeVar("T")


def asked_for_meanwhile(app: Flask, ask: Callable[[], T]) -> tuple[T, T]:
    """Ask while a writer has the database and another thread waits for it to ask too; gives both answers.

    SQLite lets one write at a time. Whoever waits for that must hold nothing that the writer needs.
    """
    waits = Event()

    def other() -> T:
        with app.app_context():
            event.listen(db.engine, "checkout", lambda *_: waits.set())
            return ask()

    with app.app_context(), ThreadPoolExecutor(1) as threads:
        db.session.execute(update(Integration).values(health_summary=""))
        others = threads.submit(other)
        assert waits.wait(WAIT_SECS)
        own = ask()
        db.session.commit()
        return own, others.result(WAIT_SECS)


def test_a_writer_asks_for_the_numbers_while_another_thread_waits_to(app: Flask) -> None:
    with app.app_context():
        integrations.forget()
    assert asked_for_meanwhile(app, integrations.numbers) == ((), ())


def test_a_writer_asks_for_the_models_while_another_thread_waits_to(app: Flask) -> None:
    with app.app_context():
        current.forget()
    own, others = asked_for_meanwhile(app, current.current_models)
    assert own == others


def test_a_number_of_the_environment_takes_the_name_that_customers_know(
    load_config: Callable[..., Config], app: Flask
) -> None:
    good = Health(True, "", {}, "meta_number", {"name": "Casa Lumbre"})
    with app.app_context():
        (row,) = integrations.adopt_environment(load_config(**META))
        assert row.name == integrations.UNNAMED
        integrations.record_health(row.id, good, now=utc_now())
        assert [number.name for number in integrations.numbers()] == ["Casa Lumbre"]
        integrations.change(row, name="Loja da Ana")
        integrations.record_health(row.id, good, now=utc_now())
        assert [number.name for number in integrations.numbers()] == ["Loja da Ana"]
        db.session.rollback()
        integrations.forget()


def test_numbers_of_the_environment_are_told_apart_and_customers_hear_no_number_for_a_name(
    load_config: Callable[..., Config], app: Flask
) -> None:
    with app.app_context():
        meta, twilio = integrations.adopt_environment(load_config(**META | TWILIO))
        assert meta.name != twilio.name == TWILIO["TWILIO_PHONE_NUMBER"]
        assert {number.business_name for number in integrations.numbers()} == {""}
        integrations.change(twilio, name=integrations.UNNAMED)  # as earlier versions called it
        integrations.adopt_environment(load_config(**META | TWILIO))
        assert twilio.name == TWILIO["TWILIO_PHONE_NUMBER"]
        integrations.change(twilio, name="Loja da Ana")
        integrations.adopt_environment(load_config(**META | TWILIO))
        assert {number.business_name for number in integrations.numbers()} == {"", "Loja da Ana"}
        db.session.rollback()
        integrations.forget()
