"""Delivery against a Graph API that refuses, throttles, cuts the line and forgets to answer."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import update

import conversations
import integrations
import lanes
import tasks
import whatsapp_service
from config import Config
from message_content import Template, Text
from models import Alert, Contact, Conversation, Integration, Lane, Message, Operator, db
from providers import meta_errors
from providers.base import Person
from providers.refusals import Meaning
from tests.fakes.graph import FakeGraph
from tests.fakes.webhooks import CUSTOMER
from tests.real_door import META, WalkedDesk, texts_of, walked_desk

OTHER = "5511900000002"


@pytest.fixture
def open_desk(load_config: Callable[..., Config]) -> Iterator[Callable[..., WalkedDesk]]:
    """Give a function that opens a desk with other settings."""
    opened = []

    def open_(**environ: str) -> WalkedDesk:
        graph = FakeGraph().start()
        walk = walked_desk(load_config(GRAPH_API_BASE_URL=graph.url, **META, **environ), graph)
        opened.append((walk, graph))
        return walk.__enter__()

    yield open_
    for walk, graph in opened:
        walk.__exit__(None, None, None)
        graph.stop()


@pytest.fixture
def desk(open_desk: Callable[..., WalkedDesk]) -> WalkedDesk:
    return open_desk()


def only(desk: WalkedDesk) -> Message:
    (message,) = desk.outgoing()
    return message


def queue(desk: WalkedDesk, *words: str, wa_id: str = CUSTOMER, sender: str = "bot") -> list[int]:
    """Queue texts to a person who has written before."""
    with desk.app.app_context():
        number = integrations.numbers()[0]
        person = Person(wa_id=wa_id)
        conversation = conversations.admit(number, person, now=desk.clock())
        conversation.last_inbound_at = desk.clock()
        contents = [Text(word) for word in words]
        ids = whatsapp_service.queue(conversation.id, number, contents, sender=sender, now=desk.clock())
        db.session.commit()
        return ids


def wait_of(message: Message, desk: WalkedDesk) -> float:
    assert message.send_due_at is not None
    return (message.send_due_at - desk.clock()).total_seconds()


# --- refusals -----------------------------------------------------------------------------------------------


def test_a_server_error_is_tried_again_later_and_sent_once(desk: WalkedDesk) -> None:
    desk.graph.fault("server_error")
    assert desk.says("hello") == []
    waiting = only(desk)
    assert (waiting.status, waiting.attempts) == ("queued", 1)
    assert 0 < wait_of(waiting, desk) <= 4
    desk.work()
    assert desk.graph.sent == [], "it must wait"
    desk.clock.advance(5)
    desk.work()
    assert (only(desk).status, len(desk.graph.sent)) == ("sent", 1)
    assert only(desk).resent_count == 0


def test_eight_server_errors_are_enough(desk: WalkedDesk) -> None:
    desk.graph.fault("server_error", times=None)
    desk.says("hello")
    for _ in range(20):
        desk.clock.advance(700)
        desk.work()
    failed = only(desk)
    assert (failed.status, failed.send_due_at) == ("failed", None)
    assert failed.error_text
    assert len(desk.graph.requests) == whatsapp_service.MAX_ATTEMPTS
    assert [alert.kind for alert in desk.rows(Alert)] == ["delivery_failed"]


def test_the_waits_between_server_errors_grow(desk: WalkedDesk) -> None:
    desk.graph.fault("server_error", times=4)
    desk.says("hello")
    waits = []
    for _ in range(4):
        waits.append(wait_of(only(desk), desk))
        desk.clock.advance(waits[-1] + 0.1)
        desk.work()
    assert all(later > earlier * 1.5 for earlier, later in pairwise(waits))
    assert only(desk).status == "sent"


@pytest.mark.parametrize(("retry_after", "low", "high"), [(120, 118, 121), (None, 0.5, 30)])
def test_a_429_slows_the_whole_number_down(desk: WalkedDesk, retry_after, low, high) -> None:
    desk.graph.fault("throttled", retry_after_secs=retry_after)
    desk.says("hello")
    assert only(desk).status == "queued"
    paused_until = desk.rows(Integration)[0].paused_until
    assert low <= (paused_until - desk.clock()).total_seconds() <= high
    assert desk.says("hello", OTHER) == [], "another person's message waits too"
    desk.clock.advance(high + 1)
    desk.work()
    assert [m.status for m in desk.outgoing()] == ["sent", "sent"]
    assert [m.attempts for m in desk.outgoing()] == [1, 1], "a throttled number costs a message no try"


def test_the_pair_limit_backs_off_by_powers_of_four(desk: WalkedDesk) -> None:
    desk.graph.fault("error", code=131056, times=4, person=CUSTOMER)
    desk.says("hello")
    for expected in (1, 4, 16, 64):
        wait = wait_of(only(desk), desk)
        assert expected - 0.9 <= wait <= expected + 0.2
        desk.clock.advance(wait + 0.1)
        desk.work()
    assert only(desk).status == "sent"


def test_the_pair_limit_of_one_person_holds_nobody_else_up(desk: WalkedDesk) -> None:
    desk.graph.fault("error", code=131056, times=None, person=CUSTOMER)
    desk.says("hello")
    assert len(desk.says("hello", OTHER)) == 1


def test_a_closed_window_is_final_and_said_in_words(desk: WalkedDesk) -> None:
    desk.graph.fault("error", code=131047)
    desk.says("hello")
    failed = only(desk)
    assert (failed.status, failed.error_code) == ("failed", "131047")
    assert len(failed.error_text) > 20
    desk.clock.advance(3600)
    desk.work()
    assert len(desk.graph.requests) == 1


def test_bad_credentials_pause_the_number_and_raise_one_alert(desk: WalkedDesk) -> None:
    good, desk.graph.access_token = desk.graph.access_token, "another token"
    desk.says("hello")
    desk.says("hello", OTHER)
    assert [m.status for m in desk.outgoing()] == ["queued", "queued"]
    assert len(desk.graph.refusals) == 1, "nothing is sent while the number is paused"
    alerts = [alert for alert in desk.rows(Alert) if alert.kind == "credentials"]
    assert len(alerts) == 1
    desk.graph.access_token = good
    desk.clock.advance(61)
    desk.work()
    assert [m.status for m in desk.outgoing()] == ["sent", "sent"]


def test_a_person_who_stopped_marketing_at_meta_is_sent_none_and_still_answered(desk: WalkedDesk) -> None:
    desk.graph.fault("error", code=131050)
    desk.says("hello")
    assert only(desk).status == "failed"
    contact = desk.rows(Contact)[0]
    assert (contact.opted_out_at, contact.refuses_marketing_at is not None) == (None, True)
    assert len(desk.says("menu")) == 1


def test_a_line_cut_before_the_request_left_is_simply_tried_again(desk: WalkedDesk) -> None:
    desk.graph.stop()
    desk.says("hello")
    waiting = only(desk)
    assert (waiting.status, waiting.resent_count) == ("queued", 0)


# --- sends of unknown outcome -------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [{"kind": "cut_after"}, {"kind": "slow", "secs": 1.6}])
def test_a_send_without_an_answer_is_uncertain_and_not_repeated_at_once(
    open_desk: Callable[..., WalkedDesk], fault
) -> None:
    # Impatient here alone: a machine that stands still for a second must not make other sends uncertain.
    desk = open_desk(SEND_TIMEOUT_SECS="1")
    desk.graph.fault(**fault)
    desk.says("hello")
    assert (only(desk).status, len(desk.graph.sent)) == ("uncertain", 1)
    desk.clock.advance(30)
    desk.work()
    assert len(desk.graph.sent) == 1


def test_a_receipt_settles_an_uncertain_send(desk: WalkedDesk) -> None:
    desk.graph.fault("cut_after")
    desk.says("hello")
    (accepted,) = desk.graph.sent
    desk.hears(desk.meta.status(accepted.id, "delivered", reference=accepted.reference))
    settled = only(desk)
    assert (settled.status, settled.external_id) == ("delivered", accepted.id)
    desk.clock.advance(3600)
    desk.work()
    assert len(desk.graph.sent) == 1
    assert only(desk).resent_count == 0


def test_without_a_receipt_it_is_sent_once_more_and_counted(desk: WalkedDesk) -> None:
    desk.graph.fault("cut_after")
    desk.says("hello")
    desk.clock.advance(61)
    desk.work()
    assert len(desk.graph.sent) == 2
    (reference,) = {message.reference for message in desk.graph.sent}
    assert str(reference).startswith(f"{only(desk).id}.")
    assert (only(desk).status, only(desk).resent_count) == ("sent", 1)


def test_it_is_never_sent_a_third_time(desk: WalkedDesk) -> None:
    desk.graph.fault("cut_after", times=None)
    desk.says("hello")
    for _ in range(6):
        desk.clock.advance(61)
        desk.work()
    assert len(desk.graph.sent) == 2
    assert (only(desk).status, only(desk).send_due_at) == ("uncertain", None)
    assert "delivery_failed" in [alert.kind for alert in desk.rows(Alert)]


def test_with_zero_an_uncertain_send_is_only_shown_and_nothing_waits_behind_it(
    open_desk: Callable[..., WalkedDesk],
) -> None:
    desk = open_desk(UNCERTAIN_RESEND_SECS="0")
    desk.graph.fault("cut_after")
    desk.says("hello")
    assert (only(desk).status, only(desk).send_due_at) == ("uncertain", None)
    assert len(desk.says("1")) == 1
    desk.clock.advance(86_000)
    desk.work()
    assert len(desk.graph.sent) == 2


def test_a_receipt_in_the_inbox_is_heard_before_an_uncertain_send_is_repeated(desk: WalkedDesk) -> None:
    """The worker that applies receipts may be behind; what the provider said must count all the same."""
    desk.graph.fault("cut_after")
    desk.says("hello")
    (accepted,) = desk.graph.sent
    assert desk.post(desk.meta.status(accepted.id, "sent", reference=accepted.reference)) == 200
    desk.clock.advance(61)
    deliver(desk)
    assert len(desk.graph.sent) == 1


def test_a_worker_killed_between_marking_and_sending_leaves_an_uncertain_message(desk: WalkedDesk) -> None:
    (message_id,) = queue(desk, "hi")
    desk.change(
        Message,
        Message.id == message_id,
        status="sending",
        status_at=desk.clock(),
        send_due_at=desk.clock() + timedelta(seconds=30),
    )
    desk.work()
    assert desk.graph.sent == [], "its worker may live"
    desk.clock.advance(31)
    desk.work()
    assert only(desk).status == "uncertain"
    desk.clock.advance(61)
    desk.work()
    assert (only(desk).status, only(desk).resent_count, len(desk.graph.sent)) == ("sent", 1, 1)


# --- order --------------------------------------------------------------------------------------------------


def test_messages_leave_in_order_and_wait_for_the_one_before(desk: WalkedDesk) -> None:
    desk.graph.fault("server_error", skip=1)
    queue(desk, "one", "two", "three")
    desk.work()
    assert texts_of(desk.graph.sent) == ["one"]
    desk.clock.advance(5)
    desk.work()
    assert texts_of(desk.graph.sent) == ["one", "two", "three"]


def test_an_uncertain_message_holds_back_what_follows_it(desk: WalkedDesk) -> None:
    desk.graph.fault("cut_after")
    queue(desk, "one", "two")
    desk.work()
    assert texts_of(desk.graph.sent) == ["one"]
    accepted = desk.graph.sent[0]
    desk.hears(desk.meta.status(accepted.id, "sent", reference=accepted.reference))
    assert texts_of(desk.graph.sent) == ["one", "two"]


def test_a_refused_message_does_not_hold_back_what_follows(desk: WalkedDesk) -> None:
    desk.graph.fault("error", code=131026)
    queue(desk, "one", "two")
    desk.work()
    assert texts_of(desk.graph.sent) == ["two"]
    assert [m.status for m in desk.outgoing()] == ["failed", "sent"]


# --- the window, consent, hand-over -------------------------------------------------------------------------


def test_the_window_is_judged_when_sending_not_when_queueing(desk: WalkedDesk) -> None:
    queue(desk, "late")
    desk.clock.advance(24 * 3600)
    desk.work()
    assert (only(desk).status, only(desk).error_code) == ("failed", "window_closed")
    assert desk.graph.requests == []


def test_a_template_leaves_outside_the_window(desk: WalkedDesk) -> None:
    desk.graph.add_template("welcome_back", "pt_BR", "Olá!")
    queue(desk, "late")
    with desk.app.app_context():
        number = integrations.numbers()[0]
        template = Template("welcome_back", "pt_BR")
        whatsapp_service.queue(1, number, [template], sender="bot", now=desk.clock())
        db.session.commit()
    desk.clock.advance(25 * 3600)
    desk.work()
    assert [m.status for m in desk.outgoing()] == ["failed", "sent"]
    assert [m.type for m in desk.graph.sent] == ["template"]


def test_an_opt_out_cancels_what_the_bot_had_queued(desk: WalkedDesk) -> None:
    desk.graph.fault("server_error")
    desk.says("hello")
    desk.says("stop")
    desk.clock.advance(60)
    desk.work()
    first, confirmation = desk.outgoing()
    assert (first.status, first.error_code) == ("failed", "cancelled")
    assert confirmation.status == "sent"
    assert len(desk.graph.sent) == 1


def test_an_opt_out_told_by_the_provider_cancels_what_the_bot_had_queued(
    desk: WalkedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = Meaning("final", "The customer stopped messages.", is_opt_out=True)  # as Twilio tells it
    monkeypatch.setitem(meta_errors.MEANINGS, 131026, stopped)
    desk.graph.fault("error", code=131026)
    queue(desk, "one", "two", "three")
    desk.work()
    assert desk.graph.sent == []
    assert [m.status for m in desk.outgoing()] == ["failed"] * 3


def test_a_take_over_cancels_the_bots_words_but_not_a_persons(desk: WalkedDesk) -> None:
    queue(desk, "of the bot")
    queue(desk, "of a person", sender="operator")
    with desk.app.app_context():
        conversation = db.session.get_one(Conversation, 1)
        conversations.take_over(conversation, None, now=desk.clock())
        db.session.commit()
    desk.work()
    assert texts_of(desk.graph.sent) == ["of a person"]
    assert [m.status for m in desk.outgoing()] == ["failed", "sent"]


def test_a_take_over_stops_the_repeat_of_an_uncertain_send(desk: WalkedDesk) -> None:
    desk.graph.fault("cut_after")
    queue(desk, "of the bot")
    desk.work()
    with desk.app.app_context():
        conversations.take_over(db.session.get_one(Conversation, 1), None, now=desk.clock())
        db.session.commit()
    desk.clock.advance(61)
    desk.work()
    assert len(desk.graph.sent) == 1
    assert only(desk).status == "uncertain", "whether the first arrived is still not known"


def test_a_cancellation_between_reading_and_marking_wins(
    load_config: Callable[..., Config], postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite has one writer at a time; PostgreSQL lets a cancellation in between."""
    config = load_config(DATABASE_URL=postgresql_url, **META)
    with FakeGraph() as graph, walked_desk(replace(config, graph_api_base_url=graph.url), graph) as desk:
        (message_id,) = queue(desk, "too late")
        find_address = conversations.address_of

        def cancel_meanwhile(contact_id: int) -> Person:
            with db.engine.begin() as other:
                other.execute(
                    update(Message)
                    .where(Message.id == message_id)
                    .values(status="failed", send_due_at=None, error_code="cancelled")
                )
            return find_address(contact_id)

        monkeypatch.setattr(conversations, "address_of", cancel_meanwhile)
        desk.work()
        assert graph.sent == []
        assert only(desk).error_code == "cancelled"


def test_a_person_without_a_number_is_written_to_by_her_id(desk: WalkedDesk) -> None:
    (sent,) = desk.hears(desk.meta.text("hello", None, user_id="BR.9f2c61d0a4b84e7"))
    assert (sent.to, sent.recipient) == (None, "BR.9f2c61d0a4b84e7")


@pytest.mark.parametrize("wa_id", ["551187654321", "5511987654321", "5215512345678", "5491112345678"])
def test_an_answer_goes_to_exactly_the_number_that_wrote(desk: WalkedDesk, wa_id: str) -> None:
    (sent,) = desk.says("hello", wa_id)
    assert sent.to == wa_id


# --- clicks, rates, leases ----------------------------------------------------------------------------------


def test_one_click_sends_once_however_often_the_form_arrives(desk: WalkedDesk) -> None:
    queue(desk, "before")
    for _ in range(3):
        with desk.app.app_context():
            operator = db.session.get(Operator, 1) or Operator(
                id=1, email="a@b.example", name="Ana", password_hash="x"
            )
            db.session.add(operator)
            whatsapp_service.queue_text(
                db.session.get_one(Conversation, 1),
                "oi",
                operator=operator,
                client_token="one click",
                now=desk.clock(),
            )
            db.session.commit()
    desk.work()
    assert texts_of(desk.graph.sent) == ["before", "oi"]


def test_the_numbers_rate_is_kept_over_all_conversations(open_desk: Callable[..., WalkedDesk]) -> None:
    desk = open_desk(RATE_LIMIT_PER_SECOND="5")
    for n in range(12):
        queue(desk, "x", wa_id=f"55119000000{n:02d}")
    desk.work()
    stamps = [message.at for message in desk.graph.sent]
    assert len(stamps) == 12
    by_second: dict[int, int] = {}
    for stamp in stamps:
        by_second[int(stamp)] = by_second.get(int(stamp), 0) + 1
    # The counter's second and the fake's may be a few milliseconds apart.
    assert max(by_second.values()) <= 6
    assert stamps[-1] - stamps[0] > 1.0


def test_what_is_over_the_pairs_rate_is_put_off_and_nobody_else_waits(desk: WalkedDesk) -> None:
    queue(desk, *(str(n) for n in range(tasks.PAIR_BURST + 2)))
    queue(desk, "to another", wa_id=OTHER)
    desk.work()
    assert len(desk.graph.sent) == tasks.PAIR_BURST + 1
    waiting, behind = desk.messages(Message.status == "queued")
    assert (waiting.body, waiting.attempts, waiting.error_code) == (str(tasks.PAIR_BURST), 0, "")
    assert 200 < wait_of(waiting, desk) <= tasks.PAIR_BURST * tasks.PAIR_SECS_PER_MESSAGE
    assert behind.body == str(tasks.PAIR_BURST + 1)


def test_a_message_that_was_put_off_leaves_when_its_pair_may_send(desk: WalkedDesk) -> None:
    queue(desk, "one", "two")
    waits = iter([0.0, 7.0, 0.0])
    with desk.app.app_context():
        rules = whatsapp_service.DeliveryRules(60, lanes.LEASE_SECS, lambda _: None, lambda _: next(waits))
        due_at = whatsapp_service.deliver(1, "a test", rules, desk.clock)
        assert due_at is not None
        assert 6 < (due_at - desk.clock()).total_seconds() <= 7
        assert [message.text for message in desk.graph.sent] == ["one"]
        desk.clock.advance(7)
        assert whatsapp_service.deliver(1, "a test", rules, desk.clock) is None
    assert [message.text for message in desk.graph.sent] == ["one", "two"]
    assert all(message.attempts == 1 for message in desk.outgoing())


def deliver(desk: WalkedDesk, wait: Callable[[int], None] = lambda _: None) -> None:
    with desk.app.app_context():
        rules = whatsapp_service.DeliveryRules(60, lanes.LEASE_SECS, wait)
        whatsapp_service.deliver(1, "a test", rules, desk.clock)


def test_a_worker_that_lost_its_lease_during_a_send_writes_nothing(any_desk: WalkedDesk) -> None:
    desk = any_desk
    queue(desk, "one", "two")
    deliver(desk, lambda _: another_takes(desk, "out:1"))
    first, second = desk.outgoing()
    assert (first.status, first.external_id) == ("sending", None)
    assert second.status == "queued"
    assert len(desk.graph.sent) <= 1
    assert desk.rows(Lane, Lane.key == "out:1")[0].holder == "another"


def another_takes(desk: WalkedDesk, key: str) -> None:
    """Let the lease expire and another worker take it, on a thread (and so a session) of its own."""

    def take() -> None:
        desk.end_leases()
        with desk.app.app_context():
            assert lanes.claim(key, "another") is not None

    thread = threading.Thread(target=take)
    thread.start()
    thread.join(120)
    assert not thread.is_alive()


def test_two_workers_deliver_one_conversation_once(any_desk: WalkedDesk) -> None:
    desk = any_desk
    queue(desk, *map(str, range(10)))
    threads = [threading.Thread(target=lambda: deliver(desk)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    deadline = time.monotonic() + 60
    while len(desk.graph.sent) < 10 and time.monotonic() < deadline:
        desk.work()
    assert texts_of(desk.graph.sent) == list(map(str, range(10)))
