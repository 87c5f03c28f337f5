"""Lanes: one worker at a time, on each database; and what a worker that slept too long may not write."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

import answering
import lanes
import pipeline
import tasks
from app import create_app
from config import Config
from consulting import Means
from lanes import Lease, LeaseLost
from models import Alert, Lane, MenuSession, Turn, db
from tests.fakes.webhooks import CUSTOMER
from tests.real_door import WalkedDesk, texts_of

KEY = "in:1:someone"


@pytest.fixture
def any_app(load_config: Callable[..., Config], database_url: str) -> Iterator[Flask]:
    app = create_app(load_config(DATABASE_URL=database_url))
    with app.app_context():
        db.create_all()
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def expire(key: str = KEY) -> None:
    db.session.query(Lane).filter_by(key=key).update({"leased_until": 0.0})
    db.session.commit()


def claimed(key: str = KEY, holder: str = "one", secs: float = 30.0) -> Lease:
    lease = lanes.claim(key, holder, secs)
    assert lease is not None
    return lease


# --- leases -------------------------------------------------------------------------------------------------


def test_a_lane_has_one_holder_until_it_is_released_or_expires(any_app: Flask) -> None:
    with any_app.app_context():
        first = claimed()
        assert lanes.claim(KEY, "two") is None
        assert lanes.claim("in:1:another", "two") is not None
        lanes.release(first)
        second = claimed(holder="two")
        assert lanes.claim(KEY, "three") is None
        expire()
        third = claimed(holder="three")
        assert first.token < second.token < third.token


def test_a_lease_runs_out_on_the_databases_clock(any_app: Flask) -> None:
    with any_app.app_context():
        claimed(secs=0.3)
        ends = time.monotonic() + 60
        while lanes.claim(KEY, "two") is None:
            assert time.monotonic() < ends
            time.sleep(0.05)


def test_a_renewed_lease_lasts_longer(any_app: Flask) -> None:
    with any_app.app_context():
        lease = claimed(secs=0.3)
        lanes.renew(lease, 300)
        time.sleep(0.5)
        assert lanes.claim(KEY, "two") is None


def test_a_lost_lease_confirms_renews_and_releases_nothing(any_app: Flask) -> None:
    with any_app.app_context():
        old = claimed()
        expire()
        new = claimed(holder="two")
        for verb in (lanes.confirm, lanes.renew, lanes.let_go):
            with pytest.raises(LeaseLost):
                verb(old)
            db.session.rollback()
        lanes.release(old)
        assert lanes.claim(KEY, "three") is None, "releasing a lost lease must not free the new one"
        lanes.confirm(new)


def test_keys_that_differ_by_case_or_accent_are_different_lanes(any_app: Flask) -> None:
    with any_app.app_context():
        assert all(lanes.claim(key, "one") for key in ("in:1:BR.a", "in:1:BR.A", "in:1:BR.á"))


def test_of_many_claimers_one_wins(any_app: Flask) -> None:
    started, won = threading.Barrier(8), []

    def claim(holder: str) -> None:
        with any_app.app_context():
            started.wait()
            for attempt in range(5):
                if lanes.claim(f"{KEY}{attempt}", holder):
                    won.append(attempt)

    threads = [threading.Thread(target=claim, args=(f"w{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert sorted(won) == [0, 1, 2, 3, 4]


# --- a worker that slept ------------------------------------------------------------------------------------


def another_takes(desk: WalkedDesk, key: str) -> None:
    """Let the lease run out and another worker take it, in a session of its own."""

    def take() -> None:
        desk.end_leases()
        with desk.app.app_context():
            assert lanes.claim(key, "another") is not None

    thread = threading.Thread(target=take)
    thread.start()
    thread.join(120)
    assert not thread.is_alive()


@pytest.mark.parametrize("word", ["hello", "quanto custa o curso de violão?"])
def test_a_worker_that_wakes_after_its_lease_expired_writes_no_turn(
    any_desk: WalkedDesk, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    desk, gather = any_desk, answering.gather

    def sleep_over_the_lease(*arguments: Any) -> Any:
        answer = gather(*arguments)
        another_takes(desk, f"in:1:{CUSTOMER}")
        return answer

    monkeypatch.setattr(answering, "gather", sleep_over_the_lease)
    assert desk.post(desk.meta.text(word)) == 200
    tasks.run_lane(f"in:1:{CUSTOMER}")
    assert desk.messages() == []
    assert desk.rows(Turn) == []
    assert desk.rows(MenuSession) == []
    assert desk.graph.sent == []
    assert desk.states() == ["pending"]
    monkeypatch.undo()
    monkeypatch.setattr(tasks, "_clock", desk.clock)
    desk.end_leases()
    desk.work()
    assert (len(desk.graph.sent), len(desk.rows(Turn)), desk.states()) == (1, 1, ["done"])


def test_a_turn_that_fails_in_the_middle_of_its_writes_leaves_nothing(
    any_desk: WalkedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = any_desk
    fails = [True]
    end_events = pipeline._end_events

    def fail_once(event_ids: Any, state: str) -> None:
        if fails and fails.pop():
            raise RuntimeError("power cut")
        end_events(event_ids, state)

    monkeypatch.setattr(pipeline, "_end_events", fail_once)
    assert desk.post(desk.meta.text("hello")) == 200
    tasks.run_lane(f"in:1:{CUSTOMER}")
    assert (desk.messages(), desk.rows(Turn), desk.graph.sent) == ([], [], [])
    desk.clock.advance(3)
    desk.work()
    assert (len(desk.graph.sent), len(desk.rows(Turn)), len(desk.messages())) == (1, 1, 2)


# --- wake-ups that are lost ---------------------------------------------------------------------------------


def test_the_sweeper_finds_a_lane_that_nobody_was_told_of(
    desk: WalkedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "wake", lambda keys: None)
    assert desk.post(desk.meta.text("hello")) == 200
    monkeypatch.undo()
    monkeypatch.setattr(tasks, "_clock", desk.clock)
    told: list[str] = []
    monkeypatch.setattr(tasks, "wake", told.extend)
    with desk.app.app_context():
        tasks.sweep()
    assert told == [f"in:1:{CUSTOMER}"]


def test_the_sweeper_leaves_a_lane_with_a_live_lease_alone_and_finds_it_when_it_expired(
    any_desk: WalkedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = any_desk
    told: list[str] = []
    assert desk.post(desk.meta.text("hello")) == 200
    monkeypatch.setattr(tasks, "wake", told.extend)
    with desk.app.app_context():
        claimed(f"in:1:{CUSTOMER}")
        tasks.sweep()
        assert told == []
        expire(f"in:1:{CUSTOMER}")
        tasks.sweep()
    assert told == [f"in:1:{CUSTOMER}"]


def test_the_sweeper_finds_what_a_dead_worker_left_to_send(
    desk: WalkedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert desk.post(desk.meta.text("hello")) == 200
    with desk.app.app_context():
        pipeline.work_inbound(f"in:1:{CUSTOMER}", desk.pipeline_desk())
    assert desk.graph.sent == [], "the worker died before it delivered"
    told: list[int] = []
    monkeypatch.setattr(tasks, "wake_outbox", told.append)
    with desk.app.app_context():
        tasks.sweep()
    assert told == [1]


def test_the_sweeper_asks_for_no_lane_whose_number_is_unknown(
    desk: WalkedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    assert desk.post(replace(desk.meta, phone_number_id="5").text("hello")) == 200
    monkeypatch.setattr(tasks, "wake", told.extend)
    with desk.app.app_context():
        tasks.sweep()
    assert told == []


# --- events that cannot be worked on ------------------------------------------------------------------------


@pytest.fixture
def poisoned(desk: WalkedDesk, monkeypatch: pytest.MonkeyPatch) -> WalkedDesk:
    """A desk on which a message with the word poison breaks the turn."""
    gather = answering.gather

    def explode(means: Means, thread: Any, understood: Any, now: Any) -> Any:
        if "poison" in understood.text:
            raise RuntimeError("poison")
        return gather(means, thread, understood, now)

    monkeypatch.setattr(answering, "gather", explode)
    return desk


def test_a_poison_event_is_set_aside_with_an_alert_and_the_next_message_is_answered(
    poisoned: WalkedDesk,
) -> None:
    desk = poisoned
    assert desk.says("poison") == []
    for _ in range(pipeline.MAX_TRIES):
        desk.clock.advance(60)
        desk.work()
    (event,) = desk.events()
    assert (event.state, event.attempts, event.error) == ("failed", pipeline.MAX_TRIES, "RuntimeError")
    assert [alert.kind for alert in desk.rows(Alert)] == ["turn_failed"]
    assert len(desk.says("hello")) == 1


def test_a_message_behind_a_failing_one_waits_its_turn(poisoned: WalkedDesk) -> None:
    desk = poisoned
    assert desk.post(desk.meta.text("poison")) == 200
    assert desk.post(desk.meta.text("hello")) == 200
    desk.work()
    assert desk.graph.sent == []
    for _ in range(pipeline.MAX_TRIES):
        desk.clock.advance(60)
        desk.work()
    assert desk.states() == ["failed", "done"]
    assert len(desk.graph.sent) == 1


def test_a_resting_event_is_not_spun_on(poisoned: WalkedDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = poisoned
    assert desk.post(desk.meta.text("poison")) == 200
    assert desk.post(desk.meta.text("hello")) == 200
    take, takes = lanes.take, []

    def count(*arguments: Any) -> Lease | None:
        takes.append(arguments)
        assert len(takes) < 20, "the lane is taken again and again"
        return take(*arguments)

    monkeypatch.setattr(lanes, "take", count)
    tasks.run_lane(f"in:1:{CUSTOMER}")
    tasks.run_lane(f"in:1:{CUSTOMER}")


def test_a_failing_message_of_one_person_holds_nobody_else_up(poisoned: WalkedDesk) -> None:
    poisoned.says("poison")
    assert len(poisoned.says("hello", "5511900000002")) == 1


def test_a_message_that_comes_while_its_lane_is_worked_on_is_not_forgotten(
    desk: WalkedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its wake-up meets a live lease and leaves; whoever holds the lane looks once more."""
    gather = answering.gather
    came: list[bool] = []

    def meanwhile(*arguments: Any) -> Any:
        if not came:
            came.append(True)
            assert desk.post(desk.meta.text("1")) == 200
            with desk.app.app_context():
                assert lanes.claim(f"in:1:{CUSTOMER}", "woken") is None
        return gather(*arguments)

    monkeypatch.setattr(answering, "gather", meanwhile)
    assert desk.post(desk.meta.text("hello")) == 200
    tasks.run_lane(f"in:1:{CUSTOMER}")
    assert len(texts_of(desk.graph.sent)) == 2
    assert desk.states() == ["done", "done"]


def test_a_database_failure_loses_nothing(desk: WalkedDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    from_here = pipeline._look

    def away(*_: Any) -> Any:
        raise OperationalError("away", None, Exception("away"))

    monkeypatch.setattr(pipeline, "_look", away)
    assert desk.post(desk.meta.text("hello")) == 200
    with pytest.raises(OperationalError):
        tasks.run_lane(f"in:1:{CUSTOMER}")
    monkeypatch.setattr(pipeline, "_look", from_here)
    desk.end_leases()
    desk.work()
    assert len(desk.graph.sent) == 1
