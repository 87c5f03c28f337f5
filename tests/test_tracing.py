"""One id from the webhook to the receipt: in the rows of a message's life and in the lines of the log."""

import json
import logging

import integrations
import logs
from dashboard import turn_xray
from models import Conversation, Message, Turn, WebhookEvent, db
from tests.real_door import WalkedDesk


def test_one_id_leads_from_the_webhook_to_the_receipt(any_desk: WalkedDesk) -> None:
    (sent,) = any_desk.says("hi")[:1]
    any_desk.hears(any_desk.meta.status(sent.id, "delivered"))
    message_event, receipt_event = any_desk.events()
    (turn,) = any_desk.rows(Turn)
    heard, *answers = any_desk.rows(Message)
    ids = {message_event.trace_id, receipt_event.trace_id, turn.trace_id, heard.trace_id}
    assert ids == {answer.trace_id for answer in answers}
    assert len(ids) == 1
    assert all(ids)


def test_two_messages_have_two_ids(desk: WalkedDesk) -> None:
    desk.says("hi")
    desk.says("menu")
    first, second = (turn.trace_id for turn in desk.rows(Turn))
    assert first != second
    assert {event.trace_id for event in desk.rows(WebhookEvent)} == {first, second}


def test_every_line_of_a_message_s_life_has_its_id(desk: WalkedDesk) -> None:
    lines: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    logs.configure("INFO", "json")
    ours = next(h for h in logging.getLogger().handlers if getattr(h, "is_balcao", False))
    collector = Collect()
    collector.setFormatter(ours.formatter)
    logging.getLogger().addHandler(collector)
    try:
        (sent,) = desk.says("hi")[:1]
        desk.hears(desk.meta.status(sent.id, "read"))
    finally:
        logging.getLogger().removeHandler(collector)
        logs.configure("INFO", "text")
    (turn,) = desk.rows(Turn)
    told = [json.loads(line) for line in lines if line.startswith("{")]
    traced = {line["event"] for line in told if line.get("trace_id") == turn.trace_id}
    assert {"turn", "sent", "receipt"} <= traced


def test_the_x_ray_names_the_trace(desk: WalkedDesk) -> None:
    desk.says("hi")
    (turn,) = desk.rows(Turn)
    with desk.app.app_context():
        conversation = db.session.get_one(Conversation, turn.conversation_id)
        number = integrations.number(conversation.integration_id)
        assert number is not None
        (shown,) = turn_xray.latest_turns(number.account, conversation)
    assert shown.trace_id == turn.trace_id


def test_outside_of_a_trace_there_is_no_id() -> None:
    assert logs.current_trace_id() is None
    with logs.tracing("abc12345"):
        with logs.tracing(None):
            assert logs.current_trace_id() == "abc12345"
    assert logs.current_trace_id() is None
