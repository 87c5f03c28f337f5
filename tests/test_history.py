"""What became of a record: steps in order, none lost, none changed."""

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

import history
from models import db

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_the_steps_of_a_record_are_listed_in_their_order(app: Flask) -> None:
    with app.app_context():
        history.note_change("order", 7, before="", after="cart", actor="customer", now=NOW)
        history.note_change(
            "order", 7, before="cart", after="placed", actor="customer", now=NOW + timedelta(minutes=1)
        )
        history.note_change("ticket", 7, before="", after="open", actor="bot", now=NOW)
        db.session.commit()
        steps = history.changes_of("order", 7)
        assert [(step.before, step.after) for step in steps] == [("", "cart"), ("cart", "placed")]
        assert steps[1].at == NOW + timedelta(minutes=1)


def test_a_step_to_where_it_stands_is_none(app: Flask) -> None:
    with app.app_context():
        history.note_change("order", 7, before="paid", after="paid", actor="provider", now=NOW)
        assert history.changes_of("order", 7) == []


def test_an_unknown_actor_is_refused(app: Flask) -> None:
    with app.app_context(), pytest.raises(ValueError, match="nobody"):
        history.note_change("order", 7, before="", after="cart", actor="nobody", now=NOW)


def test_a_long_reason_is_cut(app: Flask) -> None:
    with app.app_context():
        history.note_change("order", 7, before="", after="cart", actor="bot", now=NOW, reason="x" * 900)
        (step,) = history.changes_of("order", 7)
        assert len(step.reason) == history.REASON_MAX_CHARS


def test_the_steps_of_deleted_records_go(app: Flask) -> None:
    with app.app_context():
        for number in (7, 8):
            history.note_change("order", number, before="", after="cart", actor="customer", now=NOW)
        history.forget("order", [7])
        assert history.changes_of("order", 7) == []
        assert len(history.changes_of("order", 8)) == 1
