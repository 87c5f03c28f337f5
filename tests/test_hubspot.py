"""HubSpot: contacts and deals, written once through limits and cuts, and deleted with their person."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask

import conversations
import vault
from connectors import resync
from crm import leads
from crm.leads import LeadWish
from history import note_change
from models import Alert, Contact, Conversation, Lead, Order, db
from privacy import erasures
from tests.connecting import ConnectedDesk, connect
from tests.fakes.hubspot import TOKEN, FakeHubSpot
from webhooks_out import deliveries

PHONE = "+5581998765432"


@pytest.fixture
def hubspot() -> Iterator[FakeHubSpot]:
    with FakeHubSpot() as fake:
        yield fake


@pytest.fixture
def desk(app: Flask, hubspot: FakeHubSpot) -> ConnectedDesk:
    made = connect(app, "hubspot", hubspot.url, TOKEN)
    assert made.tests() is None
    return made


def ask(desk: ConnectedDesk, interest: str = "Curso", email: str = "") -> int:
    """Let the customer ask; gives her lead."""

    def record(thread: Conversation) -> int:
        contact = db.session.get_one(Contact, thread.contact_id)
        asked = LeadWish(name="Ana Lima", phone=PHONE, interest=interest, email=email)
        return leads.record_lead(contact, asked, now=desk.now, conversation_id=thread.id).lead.id

    lead_id: int = desk.does(record)
    return lead_id


def move(desk: ConnectedDesk, lead_id: int, status: str) -> None:
    desk.later(minutes=1)
    desk.does(lambda _: leads.set_status(db.session.get_one(Lead, lead_id), status, now=desk.now))


def pay(desk: ConnectedDesk, total_minor: int = 9700, currency: str = "BRL") -> int:
    desk.later(minutes=1)

    def paid(thread: Conversation) -> int:
        order = Order(
            contact_id=thread.contact_id, conversation_id=thread.id, status="paid", payment_status="paid",
            total_minor=total_minor, currency=currency,
        )  # fmt: skip
        db.session.add(order)
        db.session.flush()
        order.number = f"P-{order.id}"
        note_change("order", order.id, before="placed", after="paid", actor="system", now=desk.now)
        return order.id

    order_id: int = desk.does(paid)
    return order_id


def test_the_test_makes_our_properties_and_proposes_stages(desk: ConnectedDesk, hubspot: FakeHubSpot) -> None:
    assert all(hubspot.properties[kind]["balcao_id"] for kind in ("contacts", "deals"))
    settings = desk.settings()
    assert settings["pipeline"] == "default"
    assert settings["stages"] == {
        "new": "appointmentscheduled",
        "contacted": "qualifiedtobuy",
        "qualified": "contractsent",
        "won": "closedwon",
        "lost": "closedlost",
    }
    asked = len(hubspot.requests)
    desk.tests()
    assert not any(one.startswith("POST") for one in hubspot.requests[asked:]), (
        "what is there is not made anew"
    )


def test_a_lead_becomes_a_contact_with_a_deal_that_follows_it(
    desk: ConnectedDesk, hubspot: FakeHubSpot
) -> None:
    lead_id = ask(desk, email="ana@loja.com.br")
    desk.tells()
    (contact,), (deal,) = hubspot.contacts(), hubspot.deals()
    assert (contact["firstname"], contact["lastname"], contact["phone"]) == ("Ana", "Lima", PHONE)
    assert contact["email"] == "ana@loja.com.br"
    assert (deal["dealname"], deal["dealstage"]) == (f"Curso · {lead_id}", "appointmentscheduled")
    assert len(hubspot.associations) == 1
    for status, stage in (("qualified", "contractsent"), ("lost", "closedlost")):
        move(desk, lead_id, status)
        desk.tells()
        assert hubspot.deals()[0]["dealstage"] == stage
    assert hubspot.deals()[0]["closedate"] == desk.now.isoformat()
    assert (len(hubspot.contacts()), len(hubspot.deals())) == (1, 1)


def test_a_paid_order_closes_the_deal_of_its_lead_and_the_next_one_gets_its_own(
    desk: ConnectedDesk, hubspot: FakeHubSpot
) -> None:
    lead_id = ask(desk)
    pay(desk)
    desk.tells()
    (deal,) = hubspot.deals()
    assert (deal["dealstage"], deal["amount"], deal["deal_currency_code"]) == ("closedwon", "97.00", "BRL")
    move(desk, lead_id, "contacted")
    pay(desk, 120050)
    desk.tells()
    first, second = hubspot.deals()
    assert first["dealstage"] == "closedwon", "what was paid for is not opened again"
    assert (second["dealstage"], second["amount"]) == ("closedwon", "1200.50")
    assert len(hubspot.contacts()) == 1


def test_an_opt_out_is_told_of_whom_they_know_and_taken_back(
    desk: ConnectedDesk, hubspot: FakeHubSpot
) -> None:
    desk.does(lambda thread: conversations.opt_out(thread.contact_id, now=desk.now))
    desk.tells()
    assert not hubspot.contacts(), "who asked for nothing is none of theirs"
    ask(desk)
    desk.tells()
    assert hubspot.contacts()[0]["balcao_opted_out_at"] == desk.now.isoformat()

    def take_back(thread: Conversation) -> None:
        db.session.get_one(Contact, thread.contact_id).opted_out_at = None

    desk.does(take_back)
    pay(desk)
    desk.tells()
    assert hubspot.contacts()[0]["balcao_opted_out_at"] == ""


def test_a_refund_loses_the_deal(desk: ConnectedDesk, hubspot: FakeHubSpot) -> None:
    order_id = pay(desk)
    desk.tells()
    desk.later(minutes=1)

    def refund(_thread: Conversation) -> None:
        db.session.get_one(Order, order_id).payment_status = "refunded"
        note_change(
            "order_payment", order_id, before="paid", after="refunded", actor="provider", now=desk.now
        )

    desk.does(refund)
    desk.tells()
    assert [deal["dealstage"] for deal in hubspot.deals()] == ["closedlost"]


@pytest.mark.parametrize(
    "known", [{"email": "ana@loja.com.br"}, {"phone": PHONE}, {"mobilephone": PHONE[1:]}]
)
def test_who_stands_there_already_is_found_and_what_they_wrote_is_left(
    desk: ConnectedDesk, hubspot: FakeHubSpot, known: dict[str, str]
) -> None:
    there = hubspot.write_by_hand("contacts", firstname="Aninha", **known)
    ask(desk, email="ana@loja.com.br")
    desk.tells()
    (contact,) = hubspot.contacts()
    assert (contact["firstname"], contact["lastname"]) == ("Aninha", "Lima")
    assert {contact_id for _deal, contact_id in hubspot.associations} == {there}


def test_an_address_that_the_search_does_not_know_yet_is_no_second_contact(
    desk: ConnectedDesk, hubspot: FakeHubSpot
) -> None:
    there = hubspot.write_by_hand("contacts", email="ana@loja.com.br")
    hubspot.things["contacts"][there].seen_at = 10_000
    ask(desk, email="ana@loja.com.br")
    desk.tells()
    assert len(hubspot.contacts()) == 1
    assert {contact_id for _deal, contact_id in hubspot.associations} == {there}


@pytest.mark.parametrize("place", [0, 1])
def test_a_line_cut_after_it_was_taken_doubles_nothing(
    desk: ConnectedDesk, hubspot: FakeHubSpot, place: int
) -> None:
    hubspot.index_lag = 1000
    hubspot.fault("cut_after", target="create", skip=place)
    ask(desk)
    desk.tells()
    assert [row.state for row in desk.deliveries()][-1] == "waiting"
    desk.later(seconds=10)
    desk.tells()
    assert [row.state for row in desk.deliveries()][-1] == "sent"
    assert (len(hubspot.contacts()), len(hubspot.deals()), len(hubspot.associations)) == (1, 1, 1)


@pytest.mark.parametrize(
    ("said", "policy", "secs"), [("7", "", 7), ("", "TEN_SECONDLY_ROLLING", 10), ("", "DAILY", 3600)]
)
def test_a_limit_holds_everything_and_spends_no_attempt(
    desk: ConnectedDesk, hubspot: FakeHubSpot, said: str, policy: str, secs: int
) -> None:
    hubspot.retry_after, hubspot.policy = said, policy
    hubspot.fault("throttled", target="any")
    for interest in ("a", "b", "c"):
        ask(desk, interest)
    asked = len(hubspot.requests)
    desk.tells()
    assert len(hubspot.requests) == asked + 1, "the first refusal ends the round"
    waiting = [row for row in desk.deliveries() if row.state == "waiting"]
    assert {row.due_at for row in waiting} == {desk.now + timedelta(seconds=secs)}
    assert [row.attempts for row in waiting] == [0, 0, 0]
    assert not desk.rows(Alert)
    desk.later(seconds=secs)
    desk.tells()
    assert len(hubspot.deals()) == 3


def test_a_refused_key_breaks_the_connector_until_a_new_one_comes(
    desk: ConnectedDesk, hubspot: FakeHubSpot
) -> None:
    hubspot.token = "pat-na1-another"
    ask(desk)
    desk.tells()
    broken = desk.endpoint()
    assert (broken.trouble, broken.is_active) == ("unauthorized", True)
    (alert,) = desk.rows(Alert)
    assert "does not accept the key any more" in alert.text
    asked = len(hubspot.requests)
    desk.later(minutes=30)
    desk.tells()
    assert len(hubspot.requests) == asked, "a refused key is not tried all the time"

    def renew(_thread: Conversation) -> None:
        row = desk.row()
        row.secret = vault.seal(hubspot.token, desk.config.secret_key)
        deliveries.hurry(row.id, now=desk.now)

    desk.does(renew)
    desk.tells()
    assert desk.endpoint().trouble is None
    assert len(hubspot.deals()) == 1
    assert not [row for row in desk.rows(Alert) if row.open_topic]


def test_a_fault_of_theirs_is_tried_again_and_a_refused_value_is_shown(
    desk: ConnectedDesk, hubspot: FakeHubSpot
) -> None:
    hubspot.fault("server_error", target="any", status=502)
    ask(desk)
    desk.tells()
    assert desk.deliveries()[-1].reason == "unavailable"
    desk.later(seconds=6)
    desk.tells()
    assert len(hubspot.deals()) == 1
    pay(desk, currency="JPY")
    desk.tells()
    last = desk.deliveries()[-1]
    assert (last.state, last.reason, last.status_code) == ("failed", "http_400", 400)


def test_an_older_event_that_comes_late_turns_nothing_back(desk: ConnectedDesk, hubspot: FakeHubSpot) -> None:
    lead_id = ask(desk)
    desk.tells()
    move(desk, lead_id, "qualified")
    desk.tells()
    ids = [row.id for row in desk.deliveries()][:2]
    desk.does(lambda _: deliveries.replay(desk.endpoint_id, ids, now=desk.now))
    desk.tells()
    assert {row.state for row in desk.deliveries()} == {"sent"}
    assert hubspot.deals()[0]["dealstage"] == "contractsent"


def test_who_was_deleted_there_is_written_anew(desk: ConnectedDesk, hubspot: FakeHubSpot) -> None:
    lead_id = ask(desk)
    desk.tells()
    for kind in ("contacts", "deals"):
        hubspot.things[kind].clear()
    move(desk, lead_id, "contacted")
    desk.tells()
    assert [deal["dealstage"] for deal in hubspot.deals()] == ["qualifiedtobuy"]
    assert len(hubspot.contacts()) == 1


def erase(desk: ConnectedDesk) -> dict[str, int]:
    def run(thread: Conversation) -> dict[str, int]:
        people = [db.session.get_one(Contact, thread.contact_id)]
        key = desk.config.secret_key
        _deleted, receipt = erasures.erase(people, asked_by="operator", secret_key=key, now=desk.now)
        counts: dict[str, int] = receipt.counts
        return counts

    given: dict[str, int] = desk.does(run)
    return given


def test_nobody_of_the_demo_is_told_neither_now_nor_by_a_resync(
    desk: ConnectedDesk, hubspot: FakeHubSpot
) -> None:
    def make_her_of_the_demo(thread: Conversation) -> None:
        db.session.get_one(Contact, thread.contact_id).is_demo = True

    desk.does(make_her_of_the_demo)
    ask(desk)
    pay(desk)
    desk.tells()
    assert desk.does(lambda _: resync.begin(desk.row(), now=desk.now)) == 0
    desk.does(lambda _: resync.go_on(desk.endpoint_id, now=desk.now))
    desk.tells()
    assert not hubspot.contacts()
    assert not hubspot.deals()


def test_who_is_deleted_here_is_deleted_there(desk: ConnectedDesk, hubspot: FakeHubSpot) -> None:
    ask(desk)
    desk.tells()
    counts = erase(desk)
    assert counts["hubspot_erasing"] == 1
    hubspot.fault("server_error", target="any")
    desk.tells()
    desk.later(seconds=6)
    desk.tells()
    assert not hubspot.contacts()
    assert len(hubspot.erased) == 1
    assert "Ana" not in str(hubspot.deals()), "a deal's name is nobody's"


def test_the_receipt_says_what_is_left_there(desk: ConnectedDesk, hubspot: FakeHubSpot) -> None:
    ask(desk)
    desk.tells()

    def leave(_thread: Conversation) -> None:
        row = desk.row()
        row.settings = {**(row.settings or {}), "erases": False}

    desk.does(leave)
    assert erase(desk)["hubspot_left"] == 1
    desk.tells()
    assert len(hubspot.contacts()) == 1


def test_somebody_deleted_while_she_is_written_is_deleted_there_too(
    desk: ConnectedDesk, hubspot: FakeHubSpot, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(desk)
    route = hubspot.route

    def meanwhile(request):
        answer = route(request)
        if "associations" in request.path:
            erase(desk)
        return answer

    monkeypatch.setattr(hubspot, "route", meanwhile)
    desk.tells()
    desk.tells()
    assert not hubspot.contacts()
