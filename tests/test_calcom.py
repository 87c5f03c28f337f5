"""Cal.com: its times offered, appointments written there and heard from there, each once; and its absence."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

import vault
from action_terms import ActionContext, ActionResult
from connectors.account import Account
from crm import appointments, slots
from crm.numbered import CUSTOMER
from flow_actions import gather
from models import Appointment, ConnectorLink, Contact, Conversation, Message, WebhookEvent, db
from privacy import erasures
from tests.connecting import ConnectedDesk, connect
from tests.fakes.calcom import EVENT_TYPE, KEY, SECRET, FakeCalCom, signature

DOOR = "/connectors/calcom/webhook"
# Long after any test runs: the door goes by the real clock.
MONDAY = datetime(2126, 11, 25, 12, 0, tzinfo=UTC)
TIMES = [MONDAY + timedelta(minutes=30 * place) for place in range(6)]


@pytest.fixture
def cal() -> Iterator[FakeCalCom]:
    with FakeCalCom(open_times=list(TIMES)) as fake:
        yield fake


@pytest.fixture
def desk(app: Flask, cal: FakeCalCom) -> ConnectedDesk:
    made = connect(app, "calcom", cal.url, KEY)
    made.now = MONDAY - timedelta(days=3)
    assert made.tests() is None

    def sign(thread: Conversation) -> None:
        made.row().hook_secret = vault.seal(SECRET, made.config.secret_key)
        thread.last_inbound_at = datetime.now(UTC)

    made.does(sign)
    return made


def offered(desk: ConnectedDesk) -> list[str]:
    """Give the times that the chat offers."""

    def ask(thread: Conversation) -> ActionResult | None:
        db.session.rollback()
        ctx = ActionContext(
            config=desk.config, contact_id=1, conversation_id=1, integration_id=1, language="pt", now=desk.now
        )
        return gather("free_slots", {}, ctx)

    result: ActionResult = desk.does(ask)
    return [one["id"] for one in result.facts.get("slots", [])]


def book(desk: ConnectedDesk, at: datetime) -> int:
    def booked(thread: Conversation) -> int:
        row = appointments.book(
            desk.config, thread.contact_id, at, now=desk.now, conversation_id=thread.id, calendar=[at]
        )
        return row.id

    appointment_id: int = desk.does(booked)
    return appointment_id


def change(desk: ConnectedDesk, appointment_id: int, status: str) -> None:
    desk.does(
        lambda _: appointments.set_status(
            db.session.get_one(Appointment, appointment_id), status, now=desk.now, by=CUSTOMER
        )
    )


def row(desk: ConnectedDesk) -> Appointment:
    found: Appointment = desk.rows(Appointment)[-1]
    return found


def said(desk: ConnectedDesk) -> list[str]:
    return [message.body for message in desk.rows(Message)]


def hook(desk: ConnectedDesk, body: bytes, given: str | None = None) -> int:
    client: FlaskClient = desk.app.test_client()
    headers = {"X-Cal-Signature-256": signature(body) if given is None else given}
    return client.post(DOOR, data=body, headers=headers, content_type="application/json").status_code


def test_the_test_chooses_what_is_booked(desk: ConnectedDesk) -> None:
    settings = desk.settings()
    assert (settings["event_type"], settings["minutes"]) == (EVENT_TYPE, 30)


def test_its_free_times_are_offered_less_what_waits_to_be_written(desk: ConnectedDesk) -> None:
    assert offered(desk) == [slots.slot_id(at) for at in TIMES[:4]]
    book(desk, TIMES[0])
    assert offered(desk)[0] == slots.slot_id(TIMES[1])


@pytest.mark.parametrize("fault", ["server_error", "cut_before", "bad_json"])
def test_while_it_is_away_our_own_hours_are_offered_and_it_is_left_in_peace(
    desk: ConnectedDesk, cal: FakeCalCom, fault: str
) -> None:
    cal.fault(fault, target="list", times=None)
    ours = offered(desk)
    assert ours
    assert ours[0] != slots.slot_id(TIMES[0])
    asked = len(cal.requests)
    assert offered(desk) == ours
    assert len(cal.requests) == asked


def test_a_booking_a_move_and_its_end_are_written_there(desk: ConnectedDesk, cal: FakeCalCom) -> None:
    appointment_id = book(desk, TIMES[0])
    desk.tells()
    (there,) = cal.standing()
    assert there.start == TIMES[0]
    assert (there.attendee["name"], there.attendee["phoneNumber"]) == ("Ana Lima", "+5581998765432")

    def move(_thread: Conversation) -> None:
        moved = db.session.get_one(Appointment, appointment_id)
        appointments.move(desk.config, moved, TIMES[2], now=desk.now, calendar=TIMES)

    desk.does(move)
    desk.tells()
    assert [one.start for one in cal.standing()] == [TIMES[2]]
    change(desk, appointment_id, "cancelled")
    desk.tells()
    assert not cal.standing()
    assert {delivery.state for delivery in desk.deliveries()} == {"sent"}


@pytest.mark.parametrize("fault", ["cut_after", "bad_json"])
def test_a_booking_whose_answer_is_lost_is_found_again(
    desk: ConnectedDesk, cal: FakeCalCom, fault: str
) -> None:
    cal.fault(fault, target="create")
    book(desk, TIMES[0])
    desk.tells()
    desk.later(seconds=10)
    desk.tells()
    assert len(cal.bookings) == 1
    assert desk.rows(ConnectorLink)[-1].external_id == cal.bookings[0].uid
    assert row(desk).status == "confirmed"


def test_a_time_that_was_taken_there_is_given_back_and_she_is_asked_again(
    desk: ConnectedDesk, cal: FakeCalCom
) -> None:

    def wrote(thread: Conversation) -> None:
        thread.last_inbound_at = desk.now

    desk.does(wrote)
    cal.book_by_hand(TIMES[0], email="other@example.com")
    book(desk, TIMES[0])
    desk.tells()
    assert (row(desk).status, row(desk).starts_at, row(desk).slot_key) == ("requested", None, None)
    assert "acabou de ser ocupado" in said(desk)[-1]
    assert len(cal.standing()) == 1
    assert desk.deliveries()[-1].state in ("sent", "waiting")
    book(desk, TIMES[1])
    desk.tells()
    assert [one.start for one in cal.standing()] == TIMES[:2]


def test_a_refused_key_keeps_bookings_for_later(desk: ConnectedDesk, cal: FakeCalCom) -> None:
    cal.key = "another"
    book(desk, TIMES[0])
    desk.tells()
    assert desk.endpoint().trouble == "unauthorized"
    assert row(desk).status == "confirmed"
    cal.key = KEY
    desk.later(hours=1)
    desk.tells()
    assert len(cal.standing()) == 1


def test_a_webhook_without_our_signature_is_refused(desk: ConnectedDesk, cal: FakeCalCom) -> None:
    body = cal.book_by_hand(TIMES[0], phoneNumber="+5581998765432")
    for given in ("", "0" * 64, signature(body, "another"), signature(body + b" ")):
        assert hook(desk, body, given) == 403
    assert not desk.rows(Appointment)

    def forget(_thread: Conversation) -> None:
        desk.row().hook_secret = None

    desk.does(forget)
    assert hook(desk, body, signature(body, "")) == 403
    assert 429 in {hook(desk, body, "0" * 64) for _ in range(120)}, "who goes on forging fills no log"


def test_what_is_booked_on_its_page_by_a_customer_of_ours_is_her_appointment(
    desk: ConnectedDesk, cal: FakeCalCom
) -> None:
    body = cal.book_by_hand(TIMES[0], phoneNumber="+55 81 99876-5432")
    assert [hook(desk, body), hook(desk, body)] == [200, 200]
    (booked,) = desk.rows(Appointment)
    assert (booked.status, booked.starts_at, booked.contact_id) == ("confirmed", TIMES[0], 1)
    assert len(said(desk)) == 1, "told once"
    desk.tells()
    assert len(cal.bookings) == 1, "what came from there is not written there again"


def test_a_strangers_booking_only_fills_its_time(desk: ConnectedDesk, cal: FakeCalCom) -> None:
    assert hook(desk, cal.book_by_hand(TIMES[0], email="other@example.com")) == 200
    assert not desk.rows(Appointment)
    assert len(desk.rows(WebhookEvent)) == 1
    assert offered(desk)[0] == slots.slot_id(TIMES[1])


def test_a_move_and_an_end_there_are_heard_here_once_and_in_order(
    desk: ConnectedDesk, cal: FakeCalCom
) -> None:
    book(desk, TIMES[0])
    desk.tells()
    first = cal.standing()[0].uid
    moved = cal.move_by_hand(first, TIMES[3])
    old_end = cal.webhook("BOOKING_CANCELLED", cal.bookings[0])
    assert [hook(desk, moved), hook(desk, old_end), hook(desk, moved)] == [200, 200, 200]
    assert (row(desk).status, row(desk).starts_at) == ("confirmed", TIMES[3])
    late = cal.webhook("BOOKING_CREATED", cal.bookings[0], at=datetime(2026, 1, 1, tzinfo=UTC))
    assert hook(desk, late) == 200
    assert row(desk).starts_at == TIMES[3], "what is older changes nothing"
    desk.tells()
    assert [one.start for one in cal.standing()] == [TIMES[3]]
    assert hook(desk, cal.cancel_by_hand(cal.standing()[0].uid)) == 200
    assert row(desk).status == "cancelled"
    assert "cancelado" in said(desk)[-1]
    asked = len(cal.requests)
    desk.tells()
    assert len(cal.requests) == asked, "its own news is not told back"


def test_our_own_webhook_that_is_quicker_than_the_answer_is_no_second_appointment(
    desk: ConnectedDesk, cal: FakeCalCom
) -> None:
    cal.fault("cut_after", target="create")
    book(desk, TIMES[0])
    desk.tells()
    assert hook(desk, cal.webhook("BOOKING_CREATED", cal.bookings[0])) == 200
    desk.later(seconds=10)
    desk.tells()
    assert (len(desk.rows(Appointment)), len(cal.bookings)) == (1, 1)


def test_a_reference_that_we_did_not_sign_claims_nothing(desk: ConnectedDesk, cal: FakeCalCom) -> None:
    appointment_id = book(desk, TIMES[0])
    desk.tells()
    cal.book_by_hand(TIMES[2], email="other@example.com")
    key = Account(1, "", "", desk.settings(), desk.config).key("appointment", appointment_id)
    cal.bookings[-1].metadata = {"balcao": f"{key}.0123456789abcdef"}
    assert hook(desk, cal.webhook("BOOKING_CREATED", cal.bookings[-1])) == 200
    assert row(desk).starts_at == TIMES[0]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"triggerEvent": "BOOKING_CREATED", "payload": {}}'])
def test_what_is_signed_and_unreadable_is_answered(desk: ConnectedDesk, body: bytes) -> None:
    assert hook(desk, body) == 200
    assert not desk.rows(Appointment)


def test_who_is_deleted_here_has_no_booking_there_and_the_receipt_says_what_is_left(
    desk: ConnectedDesk, cal: FakeCalCom
) -> None:
    book(desk, TIMES[0])
    desk.tells()

    def erase(thread: Conversation) -> dict[str, int]:
        people = [db.session.get_one(Contact, thread.contact_id)]
        key = desk.config.secret_key
        _deleted, receipt = erasures.erase(people, asked_by="operator", secret_key=key, now=desk.now)
        counts: dict[str, int] = receipt.counts
        return counts

    assert desk.does(erase)["calcom_left"] == 1
    desk.tells()
    assert not cal.standing()
