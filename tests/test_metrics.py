"""What Prometheus reads: who may, what is counted across processes, and what waits."""

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select

import alerts
import conversations
import desk_worker
import integrations
import metrics
import model_calls
import operators
import tasks
import whatsapp_service
from alerts.kinds import UNANSWERED
from config import Config
from message_content import Text
from models import Alert, Conversation, ModelCall, Worker, db
from teamwork import unanswered
from telling import watch
from tests.fakes.graph import FakeGraph
from tests.real_door import META, WalkedDesk, walked_desk


def key_of(desk: WalkedDesk, *scopes: str) -> dict[str, str]:
    with desk.app.app_context():
        key = operators.create_api_key("prometheus", scopes or ("read",)).key
        db.session.commit()
    return {"Authorization": f"Bearer {key}"}


def scrape(desk: WalkedDesk, headers: dict[str, str]) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Read the page as Prometheus does: sample name, then labels to value."""
    answer = desk.client.get("/metrics", headers=headers)
    assert answer.status_code == 200
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def total(found: dict[str, dict[Any, float]], name: str, **labels: str) -> float:
    return sum(
        value for at, value in found.get(name, {}).items() if set(labels.items()) <= set(dict(at).items())
    )


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer bk_nobody"}, {"X-Forwarded-For": "127.0.0.1"}]
)
def test_a_stranger_reads_no_figures(desk: WalkedDesk, headers: dict[str, str]) -> None:
    assert desk.client.get("/metrics", headers=headers).status_code == 401


def test_the_page_names_its_form_once(desk: WalkedDesk) -> None:
    """Prometheus 3 scrapes nothing whose Content-Type it cannot read: a doubled charset is one."""
    answer = desk.client.get("/metrics", headers=key_of(desk))
    assert answer.headers["Content-Type"] == CONTENT_TYPE_LATEST


def test_a_turn_is_counted_from_the_door_to_the_send(any_desk: WalkedDesk) -> None:
    headers = key_of(any_desk)
    before = scrape(any_desk, headers)
    sent = any_desk.says("hi")
    after = scrape(any_desk, headers)

    def more(name: str, **labels: str) -> float:
        return total(after, name, **labels) - total(before, name, **labels)

    assert more("balcao_door_seconds_count", shape="meta", status="200") == 1
    assert more("balcao_turn_seconds_count", provider="meta", responder="menu") == 1
    assert more("balcao_turn_wait_seconds_count", responder="menu") == 1
    assert more("balcao_send_seconds_count", provider="meta", result="sent") == len(sent)
    assert total(after, "balcao_inbox_events") == 0
    assert total(after, "balcao_oldest_unanswered_seconds") == 0


def test_what_waits_is_shown_with_its_age(any_desk: WalkedDesk) -> None:
    any_desk.post(any_desk.meta.text("hi"))
    found = scrape(any_desk, key_of(any_desk))
    assert total(found, "balcao_inbox_events", state="pending") == 1
    assert total(found, "balcao_lanes_waiting") == 1
    assert total(found, "balcao_lane_age_seconds") > 0
    assert total(found, "balcao_oldest_unanswered_seconds") > 0


def test_a_call_to_a_model_counts_with_its_cost(desk: WalkedDesk) -> None:
    headers = key_of(desk)
    before = scrape(desk, headers)
    call = ModelCall(
        purpose="reply", model="m", outcome="ok", prompt_tokens=7, completion_tokens=3,
        cost_microusd=1_500_000, took_ms=250,
    )  # fmt: skip
    model_calls._count(call)
    after = scrape(desk, headers)
    for name, expected in (("balcao_model_cost_usd_total", 1.5), ("balcao_model_seconds_sum", 0.25)):
        assert total(after, name, purpose="reply") - total(before, name, purpose="reply") == expected
    assert total(after, "balcao_model_tokens_total") - total(before, "balcao_model_tokens_total") == 10


def test_a_worker_without_a_door_leaves_its_counts_with_its_heartbeat(desk: WalkedDesk) -> None:
    headers = key_of(desk)
    metrics.TURNS.labels("meta", "shop").observe(0.2)
    with desk.app.app_context():
        desk_worker._beat()
        own = db.session.get_one(Worker, tasks.HOLDER)
        left = own.figures
        assert left is not None
        db.session.add(Worker(name="other:1:abc", seen_at=datetime.now(UTC), figures=left))
        db.session.add(
            Worker(name="gone:1:abc", seen_at=datetime.now(UTC) - timedelta(hours=1), figures=left)
        )
        db.session.commit()
    found = scrape(desk, headers)["balcao_turn_seconds_count"]
    workers = {dict(labels).get("worker") for labels in found}
    assert workers == {None, "other:1:abc"}  # what this process counted itself is not told twice
    assert total({"n": found}, "n", worker="other:1:abc", responder="shop") >= 1


def test_processes_that_share_a_folder_are_added_up(tmp_path) -> None:
    """Under gunicorn each process writes its counts into one folder; a page is the sum of all."""
    program = "import metrics; metrics.DOOR.labels('meta', 200).observe(0.01); print(metrics.own_text())"
    environ = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    texts = [
        subprocess.run(
            [sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    line = 'balcao_door_seconds_count{shape="meta",status="200"}'
    assert f"{line} 1.0" in texts[0]
    assert f"{line} 2.0" in texts[1]


# --- who waits too long -------------------------------------------------------------------------------------


def alert_open(desk: WalkedDesk) -> bool:
    with desk.app.app_context():
        return alerts.is_open(UNANSWERED)


def look(desk: WalkedDesk) -> bool:
    with desk.app.app_context():
        return watch.look_for_unanswered(desk.app.config["BALCAO"], desk.clock())


def give_to_a_person(desk: WalkedDesk) -> None:
    with desk.app.app_context():
        conversation = db.session.scalars(select(Conversation)).one()
        conversations.take_over(conversation, None, now=desk.clock())
        db.session.commit()


def answer_as_a_person(desk: WalkedDesk) -> None:
    with desk.app.app_context():
        conversation = db.session.scalars(select(Conversation)).one()
        number = integrations.number(conversation.integration_id)
        assert number is not None
        whatsapp_service.queue(conversation.id, number, [Text("Sim.")], sender="operator", now=desk.clock())
        db.session.commit()


def test_a_message_that_the_desk_leaves_lying_raises_one_alert_and_clears_it(any_desk: WalkedDesk) -> None:
    any_desk.post(any_desk.meta.text("hi"))
    assert not look(any_desk)
    any_desk.clock.advance(16 * 60)
    assert look(any_desk)
    assert look(any_desk)
    (alert,) = any_desk.rows(Alert)
    assert (alert.kind, alert.times) == (UNANSWERED, 1)
    any_desk.work()
    assert not look(any_desk)
    assert not alert_open(any_desk)


def test_who_waits_for_a_person_counts_until_a_person_answers(any_desk: WalkedDesk) -> None:
    any_desk.says("hi")
    give_to_a_person(any_desk)
    any_desk.says("are you there?")
    any_desk.clock.advance(16 * 60)
    assert look(any_desk)
    (alert,) = any_desk.rows(Alert, Alert.kind == UNANSWERED)
    assert alert.conversation_id == any_desk.conversation().id
    answer_as_a_person(any_desk)
    assert not look(any_desk)
    assert not alert_open(any_desk)


def test_what_the_bot_answered_before_waits_for_nobody(desk: WalkedDesk) -> None:
    desk.says("hi")
    desk.clock.advance(3600)
    give_to_a_person(desk)
    with desk.app.app_context():
        assert unanswered.waiting_for_people(desk.clock()) == []


def test_a_person_s_answer_is_due_in_working_time(load_config: Callable[..., Config]) -> None:
    with FakeGraph() as graph:
        closed = (
            f"{['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'][datetime.now(UTC).weekday()]} 09:00-09:01"
        )
        config = load_config(GRAPH_API_BASE_URL=graph.url, WORKING_HOURS=closed, TIME_ZONE="UTC", **META)
        with walked_desk(config, graph) as desk:
            desk.says("hi")
            give_to_a_person(desk)
            desk.says("are you there?")
            desk.clock.advance(16 * 60)
            assert not look(desk)


def test_an_acknowledged_wait_is_not_told_again_at_once(desk: WalkedDesk) -> None:
    desk.post(desk.meta.text("hi"))
    desk.clock.advance(16 * 60)
    look(desk)
    (alert,) = desk.rows(Alert)
    with desk.app.app_context():
        alerts.acknowledge(alert.id, now=desk.clock())
        db.session.commit()
    look(desk)
    assert not alert_open(desk)
    desk.clock.advance(watch.AGAIN_AFTER.total_seconds() + 60)
    look(desk)
    assert alert_open(desk)


def test_with_no_patience_set_nothing_is_raised(load_config: Callable[..., Config]) -> None:
    with FakeGraph() as graph:
        config = load_config(GRAPH_API_BASE_URL=graph.url, UNANSWERED_ALERT_MINS="0", **META)
        with walked_desk(config, graph) as desk:
            desk.post(desk.meta.text("hi"))
            desk.clock.advance(3600)
            assert not look(desk)
