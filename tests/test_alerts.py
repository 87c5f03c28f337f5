"""What people of ours must be told."""

from datetime import timedelta

import pytest

import alerts
from models import Alert, db
from tests.records import NOW

LATER = NOW + timedelta(minutes=5)


@pytest.fixture(autouse=True)
def _desk(app):
    with app.app_context():
        yield


def test_repeated_news_of_one_topic_is_one_open_row():
    alerts.raise_alert("credentials", "credentials:3", "The token expired.", now=NOW)
    alert = alerts.raise_alert("credentials", "credentials:3", "The token is still expired.", now=LATER)
    assert (alert.times, alert.text, alert.created_at, alert.last_at) == (
        2,
        "The token is still expired.",
        NOW,
        LATER,
    )
    assert db.session.query(Alert).count() == 1


def test_an_acknowledged_topic_may_open_again():
    first = alerts.raise_alert("waiting", "waiting:1", "A customer waits.", now=NOW)
    assert alerts.acknowledge(first.id, now=LATER)
    assert not alerts.acknowledge(first.id, now=LATER)
    assert not alerts.is_open("waiting:1")
    second = alerts.raise_alert("waiting", "waiting:1", "A customer waits.", now=LATER)
    assert second.id != first.id
    assert second.times == 1


def test_open_alerts_come_newest_news_first():
    for topic in ("a", "b", "c"):
        alerts.raise_alert("test", topic, topic, now=NOW)
    alerts.raise_alert("test", "a", "a", now=LATER)
    alerts.settle("b", now=LATER)
    assert [alert.open_topic for alert in alerts.open_alerts()] == ["a", "c"]
    assert alerts.open_count() == 2


def test_long_words_are_cut_and_still_one_topic():
    alerts.raise_alert("k" * 99, "t" * 500, "x" * 9_999, now=NOW)
    alert = alerts.raise_alert("k" * 99, "t" * 500, "x" * 9_999, now=NOW)
    assert (len(alert.kind), len(alert.open_topic or ""), len(alert.text), alert.times) == (40, 190, 500, 2)


def test_settling_what_is_not_open_changes_nothing():
    assert not alerts.settle("nothing", now=NOW)
    assert not alerts.acknowledge(12345, now=NOW)
