"""Contacts and their identities: who is one person, who is not, and what follows through a change."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, OperationalError

import config
import conversations
import integrations
import tasks
import whatsapp_service
from app import create_app
from config import Config
from conversations import JoinedMeanwhile
from integrations import Number
from message_content import Text
from models import (
    Base,
    Contact,
    ContactIdentity,
    Conversation,
    Lead,
    MenuSession,
    Message,
    Order,
    Ticket,
    Turn,
    db,
)
from providers.base import Person
from tests.fakes.graph import FakeGraph
from tests.fakes.webhooks import CUSTOMER
from tests.real_door import META, WalkedDesk, walked_desk

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
BSUID = "BR.9f2c61d0a4b84e7"


@pytest.fixture(scope="module")
def on_database(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """An application on each kind of database in turn."""
    variables = {"INSTANCE_DIR": str(tmp_path_factory.mktemp("desk")), "DATABASE_URL": module_database_url}
    app = create_app(config.load(variables, entry="test"))
    with app.app_context():
        db.create_all()
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def any_app(on_database: Flask) -> Iterator[Flask]:
    """The application with a context on the stack and two numbers, all gone afterwards."""
    with on_database.app_context():
        add_number("1001")
        add_number("1002")
        db.session.commit()
        yield on_database
        db.session.remove()
        _empty()


def _empty() -> None:
    """Delete every row; MariaDB would stumble over rows that point into their own table."""
    with db.engine.begin() as connection:
        is_mariadb = connection.dialect.name in ("mysql", "mariadb")
        if is_mariadb:
            connection.execute(text("SET FOREIGN_KEY_CHECKS = 0"))
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())
        if is_mariadb:
            connection.execute(text("SET FOREIGN_KEY_CHECKS = 1"))


def add_number(number_id: str, business_id: str = "") -> Number:
    row = integrations.create(
        provider="meta", number_id=number_id, name=number_id, business_id=business_id, app_secret="s"
    )
    integrations.forget()
    number = integrations.number(row.id)
    assert number is not None
    return number


def number(place: int = 0) -> Number:
    return integrations.numbers()[place]


def admit(person: Person, of: Number | None = None) -> Conversation:
    conversation = conversations.admit(of or number(), person, now=NOW)
    db.session.commit()
    return conversation


def contact_count() -> int:
    return db.session.query(Contact).filter(Contact.merged_into_id.is_(None)).count()


# --- one person or two --------------------------------------------------------------------------------------


def test_admitting_the_same_person_twice_makes_one_contact(any_app: Flask) -> None:
    person = Person(wa_id=CUSTOMER, bsuid=BSUID, username="@ana", name="Ana")
    assert admit(person).id == admit(person).id
    assert (contact_count(), db.session.query(ContactIdentity).count()) == (1, 3)


@pytest.mark.parametrize(
    ("known", "arriving"),
    [
        ("5511987654321", "551187654321"),
        ("551187654321", "5511987654321"),
        ("5215512345678", "525512345678"),
        ("5491112345678", "541112345678"),
    ],
)
def test_spellings_of_one_number_are_one_contact_written_to_as_it_wrote(
    any_app: Flask, known: str, arriving: str
) -> None:
    first = admit(Person(wa_id=known))
    second = admit(Person(wa_id=arriving))
    assert first.contact_id == second.contact_id
    assert conversations.address_of(first.contact_id).wa_id == arriving
    values = [value for (value,) in db.session.execute(select(ContactIdentity.value))]
    assert sorted(values) == sorted([known, arriving]), "each stays as the provider gave it"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("551133334444", "5511933334444"),  # a landline of São Paulo and a mobile
        ("5511987654321", "5521987654321"),
        ("15551234567", "115551234567"),
        ("5218001234567", "528001234567"),
    ],
)
def test_numbers_that_only_look_alike_are_two_people(any_app: Flask, one: str, other: str) -> None:
    assert admit(Person(wa_id=one)).contact_id != admit(Person(wa_id=other)).contact_id


def test_ids_that_differ_by_case_are_two_people(any_app: Flask) -> None:
    assert admit(Person(bsuid="BR.abc")).contact_id != admit(Person(bsuid="BR.ABC")).contact_id


def test_contacts_of_different_businesses_stay_apart(any_app: Flask) -> None:
    first, second = admit(Person(wa_id=CUSTOMER), number(0)), admit(Person(wa_id=CUSTOMER), number(1))
    assert first.contact_id != second.contact_id


def test_two_numbers_of_one_business_share_the_contact_but_not_the_conversation(any_app: Flask) -> None:
    one, two = add_number("2001", "waba"), add_number("2002", "waba")
    first, second = admit(Person(wa_id=CUSTOMER), one), admit(Person(wa_id=CUSTOMER), two)
    assert first.contact_id == second.contact_id
    assert first.id != second.id


def test_a_username_alone_tells_nobody_apart(any_app: Flask) -> None:
    first = admit(Person(wa_id="5511900000001", username="@ana"))
    second = admit(Person(wa_id="5511900000002", username="@ana"))
    assert first.contact_id != second.contact_id
    assert conversations.address_of(second.contact_id).username == "@ana"
    assert conversations.address_of(first.contact_id).username is None
    assert conversations.find_thread(number(), Person(wa_id="5511900000002", username="@ana")) is not None


def test_a_known_person_is_found_without_writing(any_app: Flask) -> None:
    person = Person(wa_id=CUSTOMER, bsuid=BSUID)
    assert conversations.find_thread(number(), person) is None
    conversation = admit(person)
    for known in (person, Person(wa_id=CUSTOMER), Person(bsuid=BSUID)):
        thread = conversations.find_thread(number(), known)
        assert thread is not None
        assert thread.conversation_id == conversation.id
    assert conversations.find_thread(number(), replace(person, username="@new")) is None, "to be learnt"
    assert conversations.find_thread(number(1), person) is None


def test_a_name_from_the_provider_is_cleaned_and_never_overwrites(any_app: Flask) -> None:
    admit(Person(wa_id=CUSTOMER, name="A\x00na\u202e\n" + "x" * 500))
    admit(Person(wa_id=CUSTOMER, name="Somebody else"))
    (name,) = db.session.execute(select(Contact.name)).scalars()
    assert name.startswith("Anax")
    assert len(name) == 255


# --- merging ------------------------------------------------------------------------------------------------


def two_halves(now: datetime = NOW) -> tuple[Conversation, Conversation]:
    """One person known twice: by her number, and later by her id alone."""
    by_number = admit(Person(wa_id=CUSTOMER, name="Ana"))
    by_id = admit(Person(bsuid=BSUID, username="@ana"))
    assert by_number.contact_id != by_id.contact_id
    return by_number, by_id


def test_records_and_queued_messages_follow_when_two_contacts_turn_out_to_be_one(any_app: Flask) -> None:
    by_number, by_id = two_halves()
    kept_id, lost_id, lost_contact = by_number.id, by_id.id, by_id.contact_id
    db.session.add_all(
        [
            Lead(contact_id=lost_contact, conversation_id=lost_id, created_at=NOW),
            Ticket(contact_id=lost_contact, conversation_id=lost_id, created_at=NOW),
            Order(contact_id=lost_contact, conversation_id=lost_id, cart_of_conversation_id=lost_id),
            MenuSession(conversation_id=lost_id, flow="nexora", step="menu", data={}, last_activity_at=NOW),
            Turn(conversation_id=lost_id, responder="menu", reason="x", created_at=NOW),
        ]
    )
    by_id.last_inbound_at, by_id.unread_count = NOW, 2
    (queued_id,) = whatsapp_service.queue(lost_id, number(), [Text("wait for me")], sender="bot", now=NOW)
    db.session.commit()
    survivor = admit(Person(wa_id=CUSTOMER, bsuid=BSUID))
    assert survivor.id == kept_id
    assert contact_count() == 1
    for model in (Lead, Ticket, Order, Turn, Message):
        assert db.session.execute(select(model.conversation_id)).scalars().all() == [kept_id]
    for record in (Lead, Ticket, Order):
        assert db.session.execute(select(record.contact_id)).scalars().all() == [survivor.contact_id]
    assert db.session.get_one(Message, queued_id).status == "queued"
    assert db.session.query(Conversation).count() == 1
    assert (survivor.last_inbound_at, survivor.unread_count) == (NOW, 2)
    assert conversations.address_of(survivor.contact_id) == Person(CUSTOMER, BSUID, username="@ana")
    assert db.session.get_one(Contact, lost_contact).merged_into_id == survivor.contact_id


@pytest.mark.parametrize("who", ["number", "id"])
def test_a_refusal_of_either_half_counts_for_both(any_app: Flask, who: str) -> None:
    by_number, by_id = two_halves()
    conversations.opt_out((by_number if who == "number" else by_id).contact_id, now=NOW)
    db.session.commit()
    survivor = admit(Person(wa_id=CUSTOMER, bsuid=BSUID))
    assert db.session.get_one(Contact, survivor.contact_id).has_opted_out


def test_a_person_keeps_a_conversation_that_either_half_had(any_app: Flask) -> None:
    _, by_id = two_halves()
    conversations.take_over(by_id, None, now=NOW)
    db.session.commit()
    assert admit(Person(wa_id=CUSTOMER, bsuid=BSUID)).is_with_person


def test_two_carts_become_one_and_no_order_is_lost(any_app: Flask) -> None:
    by_number, by_id = two_halves()
    for half in (by_number, by_id):
        db.session.add(
            Order(contact_id=half.contact_id, conversation_id=half.id, cart_of_conversation_id=half.id)
        )
    db.session.commit()
    kept = admit(Person(wa_id=CUSTOMER, bsuid=BSUID))
    carts = db.session.execute(select(Order.cart_of_conversation_id, Order.status).order_by(Order.id)).all()
    assert [tuple(cart) for cart in carts] == [(kept.id, "cart"), (None, "cancelled")]


def test_three_that_are_one_become_one(any_app: Flask) -> None:
    admit(Person(wa_id=CUSTOMER))
    admit(Person(bsuid=BSUID))
    admit(Person(parent_bsuid="BR.ENT.1"))
    admit(Person(wa_id=CUSTOMER, bsuid=BSUID, parent_bsuid="BR.ENT.1"))
    assert contact_count() == 1
    assert db.session.query(Conversation).count() == 1


def test_messages_queued_before_a_merge_are_sent_after_it(desk: WalkedDesk) -> None:
    desk.graph.fault("server_error", times=2)
    desk.says("hello")
    desk.hears(desk.meta.text("hello", None, user_id=BSUID))
    assert [message.status for message in desk.outgoing()] == ["queued", "queued"]
    desk.hears(desk.meta.text("menu", CUSTOMER, user_id=BSUID))
    desk.clock.advance(60)
    desk.work()
    assert [message.status for message in desk.outgoing()] == ["sent"] * 3
    assert {message.person for message in desk.graph.sent} == {CUSTOMER}
    assert len({message.conversation_id for message in desk.messages()}) == 1


def test_events_that_wait_under_the_old_lane_are_answered_after_a_merge(desk: WalkedDesk) -> None:
    assert desk.post(desk.meta.text("hello")) == 200
    assert desk.post(desk.meta.text("hello", None, user_id=BSUID)) == 200
    assert desk.post(desk.meta.text("menu", CUSTOMER, user_id=BSUID)) == 200
    desk.work()
    assert desk.states() == ["done"] * 3
    assert len(desk.graph.sent) == 3
    assert len(desk.rows(Conversation)) == 1


# --- changes of number and id -------------------------------------------------------------------------------


def number_change(desk: WalkedDesk, old: str, new: str) -> Any:
    system = {"type": "user_changed_number", "wa_id": new, "body": f"User A changed from {old} to {new}"}
    message = {"from": old, "id": "wamid.SYS", "timestamp": "1763712036", "type": "system", "system": system}
    return desk.meta.sign(desk.meta.envelope([desk.meta.value(messages=[message])]))


def test_a_new_number_keeps_the_contact_and_the_old_one_becomes_free(desk: WalkedDesk) -> None:
    desk.says("hello")
    assert desk.hears(number_change(desk, CUSTOMER, "5521999990000")) == []
    (sent,) = desk.says("menu", "5521999990000")
    assert sent.to == "5521999990000"
    assert len(desk.rows(Conversation)) == 1
    (stranger,) = desk.says("hello", CUSTOMER)
    assert stranger.to == CUSTOMER
    assert len(desk.rows(Conversation)) == 2, "the old number may be somebody else's by now"


def test_what_was_queued_before_a_change_of_number_goes_to_the_new_one(desk: WalkedDesk) -> None:
    desk.graph.fault("server_error")
    desk.says("hello")
    desk.hears(number_change(desk, CUSTOMER, "5521999990000"))
    desk.clock.advance(10)
    desk.work()
    assert [message.to for message in desk.graph.sent] == ["5521999990000"]


def test_a_change_of_number_to_one_that_we_know_joins_both(desk: WalkedDesk) -> None:
    desk.says("hello")
    desk.says("hello", "5521999990000")
    desk.hears(number_change(desk, CUSTOMER, "5521999990000"))
    assert len(desk.rows(Conversation)) == 1


def test_a_change_of_a_number_that_we_never_saw_is_no_failure(desk: WalkedDesk) -> None:
    desk.hears(number_change(desk, CUSTOMER, "5521999990000"))
    assert desk.states() == ["done"]
    (sent,) = desk.says("hello", "5521999990000")
    assert sent.to == "5521999990000"
    assert len(desk.rows(Conversation)) == 1


def test_a_new_business_scoped_id_keeps_the_contact(any_app: Flask) -> None:
    first = admit(Person(wa_id=CUSTOMER, bsuid=BSUID))
    conversations.change_identity(number(), Person(bsuid=BSUID), Person(bsuid="BR.new"), now=NOW)
    db.session.commit()
    assert conversations.address_of(first.contact_id) == Person(CUSTOMER, "BR.new")
    assert admit(Person(bsuid="BR.new")).id == first.id
    assert admit(Person(bsuid=BSUID)).id != first.id


def test_the_same_change_told_twice_changes_nothing_more(any_app: Flask) -> None:
    first = admit(Person(wa_id=CUSTOMER, bsuid=BSUID))
    for _ in range(2):
        conversations.change_identity(
            number(), Person(wa_id=CUSTOMER), Person(wa_id="5521999990000"), now=NOW
        )
        db.session.commit()
    assert conversations.address_of(first.contact_id).wa_id == "5521999990000"
    assert contact_count() == 1


# --- many at once -------------------------------------------------------------------------------------------


def test_one_new_person_admitted_by_many_at_once_is_one_contact(any_app: Flask) -> None:
    started, refused = threading.Barrier(8), []

    def admit_in_turn(place: int) -> None:
        with any_app.app_context():
            person = Person(wa_id=CUSTOMER, bsuid=BSUID) if place % 2 else Person(wa_id=CUSTOMER)
            started.wait()
            for _ in range(6):
                try:
                    conversations.admit(number(), person, now=NOW)
                    db.session.commit()
                    return
                except (IntegrityError, OperationalError, JoinedMeanwhile):
                    db.session.rollback()
            refused.append(place)

    run_together(admit_in_turn)
    db.session.rollback()
    assert refused == []
    assert contact_count() == 1
    assert db.session.query(Conversation).count() == 1


def test_two_that_join_the_same_pair_in_opposite_directions_leave_one(any_app: Flask) -> None:
    """What both had read before either wrote: each takes its own contact for the one that stays."""
    ids = [admit(Person(wa_id=CUSTOMER)).contact_id, admit(Person(bsuid=BSUID)).contact_id]
    db.session.rollback()
    both_looked, refused = threading.Barrier(2), []

    def join(place: int) -> None:
        with any_app.app_context():
            own, other = (db.session.get_one(Contact, ids[side]) for side in (place, 1 - place))
            if db.engine.dialect.name == "sqlite":
                db.session.rollback()  # writers take turns there: nobody has looked before the other wrote
            both_looked.wait()
            try:
                conversations.merge(own, other, now=NOW)
                db.session.commit()
            except (OperationalError, JoinedMeanwhile):
                db.session.rollback()
                refused.append(place)

    run_together(join, 2)
    assert len(refused) == 1
    assert contact_count() == 1


def test_messages_of_one_person_in_two_lanes_at_once_are_all_answered(
    load_config: Callable[..., Config], postgresql_url: str
) -> None:
    """By number, by id and by both, worked on by several workers: one contact, one answer each."""
    config = load_config(DATABASE_URL=postgresql_url, **META)
    with FakeGraph() as graph, walked_desk(replace(config, graph_api_base_url=graph.url), graph) as desk:
        for n in range(6):
            assert desk.post(desk.meta.text("hello", f"55119000{n:05d}")) == 200
            assert desk.post(desk.meta.text("hello", f"55119000{n:05d}", user_id=f"BR.{n}")) == 200
            assert desk.post(desk.meta.text("hello", None, user_id=f"BR.{n}")) == 200
        keys = sorted({event.lane for event in desk.events() if event.lane})
        threads = [threading.Thread(target=tasks.run_lane, args=(key,)) for key in keys]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        desk.end_leases()
        desk.clock.advance(5)
        desk.work()
        assert set(desk.states()) == {"done"}
        assert [(m.status, m.error_code) for m in desk.outgoing()] == [("sent", "")] * 18
        assert len(graph.sent) == 18
        assert len(desk.rows(Conversation)) == 6


def run_together(job: Callable[[int], None], count: int = 8) -> None:
    threads = [threading.Thread(target=job, args=(place,)) for place in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads)


# --- the window ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age", "is_open"),
    [
        (timedelta(0), True),
        (timedelta(hours=23, minutes=57), True),
        (timedelta(hours=23, minutes=59), False),
        (timedelta(hours=24), False),
        (timedelta(hours=-1), True),
    ],
)
def test_the_window_closes_a_little_before_24_hours(age: timedelta, is_open: bool) -> None:
    assert conversations.is_window_open(NOW - age, NOW) is is_open


def test_who_never_wrote_has_no_window() -> None:
    assert not conversations.is_window_open(None, NOW)
