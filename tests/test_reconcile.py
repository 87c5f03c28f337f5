"""Twilio never repeats a lost webhook: listing finds the message, and settles sends that were cut off."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

import tasks
from config import Config
from models import Message, WebhookEvent, db, utc_now
from tests.fakes.twilio import FakeTwilio
from tests.fakes.webhooks import ACCOUNT_SID, AUTH_TOKEN, TWILIO_NUMBER, TwilioWebhooks
from tests.real_door import WalkedDesk, walked_desk

TWILIO = {
    "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
    "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
    "TWILIO_PHONE_NUMBER": TWILIO_NUMBER,
    "PUBLIC_BASE_URL": "http://localhost",
    "QUIET_SECS": "0",
}


@pytest.fixture
def twilio() -> Iterator[FakeTwilio]:
    with FakeTwilio() as fake:
        yield fake


@pytest.fixture
def desk(load_config: Callable[..., Config], twilio: FakeTwilio) -> Iterator[WalkedDesk]:
    config = load_config(TWILIO_API_BASE_URL=twilio.url, **TWILIO)
    with walked_desk(config, None) as walked:  # type: ignore[arg-type]
        yield walked


def reconcile(desk: WalkedDesk) -> None:
    with desk.app.app_context():
        tasks.reconcile_numbers(timedelta(hours=1))
    desk.work()


def test_a_message_whose_webhook_was_lost_is_found_and_answered_once(
    desk: WalkedDesk, twilio: FakeTwilio
) -> None:
    twilio.add_inbound("hello", "5511987654321")
    reconcile(desk)
    assert [m.direction for m in desk.messages()] == ["in", "out"]
    reconcile(desk)
    assert [m.direction for m in desk.messages()] == ["in", "out"]


def test_a_message_that_came_by_webhook_is_not_stored_twice(desk: WalkedDesk, twilio: FakeTwilio) -> None:
    sid = twilio.add_inbound("hello", "5511987654321").sid
    assert desk.post(TwilioWebhooks().text("hello", MessageSid=sid)) == 200
    desk.work()
    reconcile(desk)
    assert [m.direction for m in desk.messages()] == ["in", "out"]


def test_an_uncertain_send_that_twilio_lists_is_settled(desk: WalkedDesk, twilio: FakeTwilio) -> None:
    assert desk.post(TwilioWebhooks().text("hello")) == 200
    desk.work()
    with desk.app.app_context():
        ours = update(Message).where(Message.direction == "out")
        waits = utc_now() + timedelta(minutes=1)
        db.session.execute(ours.values(status="uncertain", external_id=None, send_due_at=waits))
        db.session.execute(update(WebhookEvent).values(state="done"))
        db.session.commit()
    reconcile(desk)
    with desk.app.app_context():
        status = db.session.execute(select(Message.status).where(Message.direction == "out")).scalar()
    assert status in ("sent", "delivered", "read")


def outgoing_like_the_first(desk: WalkedDesk, *changes: dict[str, Any]) -> list[int]:
    """Answer a greeting; change the answer and further copies of it as asked. Gives their ids."""
    assert desk.post(TwilioWebhooks().text("hello")) == 200
    desk.work()
    with desk.app.app_context():
        first = db.session.scalars(select(Message).where(Message.direction == "out")).one()
        names = ("conversation_id", "integration_id", "direction", "sender", "kind", "body", "created_at")
        rows = [first]
        for _ in changes[1:]:
            rows.append(Message(**{name: getattr(first, name) for name in names}))
        for row, change in zip(rows, changes, strict=True):
            for name, value in ({"external_id": None, "status_at": utc_now()} | change).items():
                setattr(row, name, value)
            db.session.add(row)
            db.session.flush()
        db.session.execute(update(WebhookEvent).values(state="done"))
        ids = [row.id for row in rows]
        db.session.commit()
    return ids


def statuses(desk: WalkedDesk, ids: list[int]) -> list[str | None]:
    with desk.app.app_context():
        return [db.session.get_one(Message, id_).status for id_ in ids]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # One arrived and both may be it.
        ([{"status": "uncertain"}, {"status": "uncertain"}], ["uncertain", "uncertain"]),
        ([{"status": "uncertain"}, {"status": "sending"}], ["uncertain", "sending"]),
        # It may be the other copy of one that was sent twice.
        (
            [{"status": "uncertain"}, {"status": "read", "resent_count": 1, "external_id": "SMother"}],
            ["uncertain", "read"],
        ),
        # Sent twice, uncertain twice, and nobody else is meant.
        ([{"status": "uncertain", "resent_count": 1}], ["sent"]),
        ([{"status": "uncertain"}, {"status": "read", "external_id": "SMother"}], ["sent", "read"]),
    ],
)
def test_a_listed_message_settles_a_send_only_when_no_other_can_be_meant(
    desk: WalkedDesk, twilio: FakeTwilio, changes: list[dict[str, Any]], expected: list[str]
) -> None:
    ids = outgoing_like_the_first(desk, *changes)
    with desk.app.app_context():
        tasks.reconcile_numbers(timedelta(hours=1))
    assert statuses(desk, ids) == expected


def test_receipts_of_another_programs_messages_are_left_out(desk: WalkedDesk, twilio: FakeTwilio) -> None:
    assert desk.post(TwilioWebhooks().text("hello")) == 200
    desk.work()
    with desk.app.app_context():
        db.session.execute(update(Message).where(Message.direction == "out").values(external_id="SMelse"))
        before = db.session.query(WebhookEvent).count()
        db.session.commit()
        tasks.reconcile_numbers(timedelta(hours=1))
        assert db.session.query(WebhookEvent).count() == before


def test_a_number_in_twiml_mode_answers_inside_the_webhook(
    load_config: Callable[..., Config], twilio: FakeTwilio
) -> None:
    config = load_config(TWILIO_API_BASE_URL=twilio.url, TWILIO_REPLY_MODE="twiml", **TWILIO)
    with walked_desk(config, None) as desk:  # type: ignore[arg-type]
        webhook = TwilioWebhooks().text("hello")
        answer = desk.client.post(webhook.path, data=webhook.body, headers=webhook.headers)
        assert answer.mimetype == "text/xml"
        assert "Welcome to Nexora Investments" in answer.get_data(as_text=True)
        assert twilio.sent == []
        assert [m.status for m in desk.messages()] == [None, "sent"]


def test_a_repeat_in_twiml_mode_carries_the_same_answer_while_it_is_fresh(
    load_config: Callable[..., Config], twilio: FakeTwilio
) -> None:
    config = load_config(TWILIO_API_BASE_URL=twilio.url, TWILIO_REPLY_MODE="twiml", **TWILIO)
    with walked_desk(config, None) as desk:  # type: ignore[arg-type]
        webhook = TwilioWebhooks().text("hello")

        def post() -> str:
            answer = desk.client.post(webhook.path, data=webhook.body, headers=webhook.headers)
            assert answer.status_code == 200
            return answer.get_data(as_text=True)

        first = post()
        assert "Welcome to Nexora Investments" in first
        assert (post(), post()) == (first, first)
        assert [(m.direction, m.resent_count) for m in desk.messages()] == [("in", 0), ("out", 2)]
        desk.change(Message, Message.direction == "in", created_at=utc_now() - timedelta(minutes=6))
        assert "Nexora" not in post()
        desk.change(Message, Message.direction == "in", created_at=utc_now())
        desk.change(Message, Message.direction == "out", external_id="SM1")
        assert "Nexora" not in post(), "it went by API"
        assert twilio.sent == []
