"""What we write by ourselves: once, in time, at a decent hour, and to nobody who would rather not hear it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

import conversations
import integrations
import unasked
from config import Config
from models import (
    Complaint,
    Contact,
    Conversation,
    Lead,
    Message,
    MessageTemplate,
    Nudge,
    Order,
    Product,
    Turn,
    db,
)
from providers.templates import Button, Wording, to_json
from shop import nudges, orders
from tests.fakes.graph import FakeGraph, SentMessage
from tests.real_door import META, Clock, WalkedDesk, texts_of, walked_desk
from tests.records import NOW, make_product

HOUR = 3600
SAO_PAULO = ZoneInfo("America/Sao_Paulo")
AMERICAN = "12025550123"


@pytest.fixture
def desk(load_config: Callable[..., Config]) -> Iterator[WalkedDesk]:
    """A shop whose clock says ten in the morning, with one product."""
    with FakeGraph() as graph:
        config = load_config(GRAPH_API_BASE_URL=graph.url, START_FLOW="shop", **META)
        with walked_desk(config, graph) as walked:
            set_hour(walked.clock, 10)
            with walked.app.app_context():
                make_product(name="Curso de Violão", names={"en": "Guitar Course", "es": "Curso de Guitarra"})
                db.session.commit()
            yield walked


def set_hour(clock: Clock, hour: int) -> None:
    """Move the clock ahead to this hour in the shop's zone."""
    local = clock().astimezone(SAO_PAULO)
    wanted = local.replace(hour=hour, minute=0, second=0, microsecond=0)
    clock.advance((wanted - local).total_seconds() % (24 * HOUR))


def hear_first(desk: WalkedDesk, said: str = "oi", wa_id: str = "5511987654321") -> int:
    """Let a customer write once, at the desk's hour; gives the conversation."""
    desk.says(said, wa_id, timestamp=int(desk.clock().timestamp()))
    with desk.app.app_context():
        thread = db.session.scalars(select(Conversation).order_by(Conversation.id.desc()).limit(1)).one()
        thread.last_inbound_at = desk.clock()
        db.session.commit()
        return thread.id


def leave(desk: WalkedDesk, kind: str, conversation_id: int) -> int:
    """Leave a cart, an unpaid order or one's data behind; gives the record's id."""
    with desk.app.app_context():
        now = desk.clock()
        thread = db.session.get_one(Conversation, conversation_id)
        if kind == nudges.LEAD:
            record: Order | Lead = Lead(
                contact_id=thread.contact_id, conversation_id=thread.id, created_at=now
            )
            record.name = "Ana Souza"
            db.session.add(record)
        else:
            goods = db.session.scalars(select(Product)).one()
            record = orders.add_to_cart(thread.id, thread.contact_id, goods, now=now)
            record = orders.place(record, now=now) if kind == nudges.ORDER else record
        db.session.commit()
        return record.id


def look(desk: WalkedDesk) -> list[SentMessage]:
    """Do what the periodic task does, and give what was sent because of it."""
    before = len(desk.graph.sent)
    with desk.app.app_context():
        unasked.nudge_silent(desk.app.config["BALCAO"], desk.clock())
    desk.work()
    return desk.graph.sent[before:]


def wait(desk: WalkedDesk, kind: str) -> None:
    desk.clock.advance(nudges.SILENT_FOR[kind].total_seconds() + 60)


KINDS = (nudges.CART, nudges.ORDER, nudges.LEAD)


@pytest.mark.parametrize("kind", KINDS)
def test_who_falls_silent_is_written_to_once(desk: WalkedDesk, kind: str) -> None:
    leave(desk, kind, hear_first(desk))
    assert look(desk) == []
    wait(desk, kind)
    (sent,) = look(desk)
    assert "PARAR" in sent.text
    assert len(sent.choices) == len(nudges.BUTTONS[kind])
    desk.clock.advance(HOUR)
    assert look(desk) == []
    (turn,) = desk.rows(Turn, Turn.flow == "follow-up")
    assert (turn.responder, turn.reason) == ("shop", f"follow-up: {kind}")
    (row,) = desk.rows(Nudge)
    (message,) = desk.messages(Message.id == row.message_id)
    assert (row.state, message.turn_id, message.sender) == ("sent", turn.id, "bot")


@pytest.mark.parametrize(
    ("language", "said"), [("pt", "Curso de Violão"), ("es", "Curso de Guitarra"), ("en", "Guitar")]
)
def test_it_speaks_the_customers_language(desk: WalkedDesk, language: str, said: str) -> None:
    leave(desk, nudges.CART, hear_first(desk))
    desk.change(Contact, language=language, name="Ana Souza")
    wait(desk, nudges.CART)
    (sent,) = look(desk)
    assert said in sent.text
    assert "Ana" in sent.text
    assert "97" in sent.text


def test_its_buttons_go_on_where_the_customer_left(desk: WalkedDesk) -> None:
    leave(desk, nudges.CART, hear_first(desk))
    wait(desk, nudges.CART)
    (sent,) = look(desk)
    close, cart, _person = sent.choices
    assert "Curso de Violão" in "\n".join(texts_of(desk.presses(cart, "Ver carrinho")))
    desk.presses(close, "Fechar pedido")
    desk.says("sim")
    assert desk.rows(Order)[0].status == "placed"


def test_a_digit_means_what_it_offered(desk: WalkedDesk) -> None:
    leave(desk, nudges.CART, hear_first(desk))
    wait(desk, nudges.CART)
    look(desk)
    desk.says("1")
    desk.says("sim")
    assert desk.rows(Order)[0].status == "placed"


def test_a_cart_that_becomes_an_order_is_written_about_once(desk: WalkedDesk) -> None:
    thread = hear_first(desk)
    leave(desk, nudges.CART, thread)
    wait(desk, nudges.CART)
    assert len(look(desk)) == 1
    with desk.app.app_context():
        orders.place(db.session.scalars(select(Order)).one(), now=desk.clock())
        db.session.commit()
    wait(desk, nudges.ORDER)
    assert look(desk) == []


def test_one_person_gets_one_however_much_she_left(desk: WalkedDesk) -> None:
    thread = hear_first(desk)
    for kind in (nudges.ORDER, nudges.CART, nudges.LEAD):
        leave(desk, kind, thread)
    for _ in range(3):
        wait(desk, nudges.LEAD)
        look(desk)
    assert len(desk.rows(Turn, Turn.flow == "follow-up")) == 1


# --- hours and windows --------------------------------------------------------------------------------------


def test_the_night_is_waited_for(desk: WalkedDesk) -> None:
    set_hour(desk.clock, 19)
    leave(desk, nudges.CART, hear_first(desk))
    wait(desk, nudges.CART)  # it is past nine in the evening
    assert look(desk) == []
    (row,) = desk.rows(Nudge)
    assert row.state == "planned"
    assert row.due_at.astimezone(SAO_PAULO).hour == 9
    set_hour(desk.clock, 8)
    assert look(desk) == []
    set_hour(desk.clock, 10)
    assert len(look(desk)) == 1


def test_the_hour_is_the_customers_where_her_country_is_known(desk: WalkedDesk) -> None:
    leave(desk, nudges.CART, hear_first(desk, "hi", AMERICAN))
    wait(desk, nudges.CART)  # past noon in São Paulo, before nine in the American west
    assert look(desk) == []
    set_hour(desk.clock, 17)
    assert len(look(desk)) == 1


def test_a_closed_window_gets_nothing(desk: WalkedDesk) -> None:
    leave(desk, nudges.CART, hear_first(desk))
    desk.clock.advance(25 * HOUR)
    assert look(desk) == []
    assert desk.rows(Nudge) == []


@pytest.mark.parametrize("hour", range(24))
@pytest.mark.parametrize("kind", KINDS)
def test_at_every_hour_a_decent_one_comes_before_the_window_closes(kind: str, hour: int) -> None:
    wrote_at = datetime(2026, 11, 20, hour, 7, tzinfo=SAO_PAULO).astimezone(UTC)
    now = wrote_at + nudges.SILENT_FOR[kind]
    due_at = nudges.decent_time(now, (SAO_PAULO,))
    assert due_at is not None
    assert due_at >= now
    assert 9 <= due_at.astimezone(SAO_PAULO).hour < 20
    assert conversations.is_window_open(wrote_at, due_at + timedelta(minutes=10))


def test_a_country_without_a_common_decent_hour_has_none() -> None:
    zones = (ZoneInfo("Europe/Kaliningrad"), ZoneInfo("Asia/Kamchatka"), ZoneInfo("America/New_York"))
    assert nudges.decent_time(datetime(2026, 11, 20, tzinfo=UTC), zones) is None


# --- who is left alone --------------------------------------------------------------------------------------


def opt_out(thread: Conversation, now: datetime) -> None:
    conversations.opt_out(thread.contact_id, now=now)


def refuse_marketing(thread: Conversation, now: datetime) -> None:
    conversations.set_marketing_preference(thread.contact_id, wants_marketing=False, now=now)


def be_taken_over(thread: Conversation, now: datetime) -> None:
    conversations.take_over(thread, None, now=now)


def complain(thread: Conversation, now: datetime) -> None:
    db.session.add(Complaint(contact_id=thread.contact_id, conversation_id=thread.id, created_at=now))


def say_no(thread: Conversation, now: datetime) -> None:
    db.session.add(message_of(thread, now, direction="in", sender="customer", buying_signal="not_interested"))


def sound_cross(thread: Conversation, now: datetime) -> None:
    db.session.add(message_of(thread, now, direction="in", sender="customer", intent="complaint"))


def be_answered_by_a_person(thread: Conversation, now: datetime) -> None:
    db.session.add(message_of(thread, now, direction="out", sender="operator"))


def message_of(thread: Conversation, now: datetime, **columns: object) -> Message:
    integration_id = thread.integration_id
    return Message(
        conversation_id=thread.id, integration_id=integration_id, kind="text", created_at=now, **columns
    )


OBSTACLES = (opt_out, refuse_marketing, be_taken_over, complain, say_no, sound_cross, be_answered_by_a_person)


@pytest.mark.parametrize("kind", KINDS)
def test_who_would_rather_not_is_left_alone(desk: WalkedDesk, kind: str) -> None:
    for number, obstacle in enumerate(OBSTACLES):
        thread_id = hear_first(desk, wa_id=f"55119876500{number:02d}")
        leave(desk, kind, thread_id)
        with desk.app.app_context():
            now = desk.clock() + timedelta(seconds=1)
            obstacle(db.session.get_one(Conversation, thread_id), now)
            db.session.commit()
    wait(desk, kind)
    assert look(desk) == []
    assert desk.rows(Nudge) == []


def cancel_order(desk: WalkedDesk) -> None:
    desk.change(Order, status="cancelled")


def claim(desk: WalkedDesk) -> None:
    desk.change(Order, payment_status="claimed")


def pay(desk: WalkedDesk) -> None:
    desk.change(Order, status="paid", payment_status="paid")


def write(desk: WalkedDesk) -> None:
    desk.change(Conversation, last_inbound_at=desk.clock())


def take_over(desk: WalkedDesk) -> None:
    desk.change(Conversation, handler="human")


def ask_for_silence(desk: WalkedDesk) -> None:
    desk.change(Contact, opted_out_at=desk.clock())


@pytest.mark.parametrize("change", [cancel_order, claim, pay, write, take_over, ask_for_silence])
def test_what_happens_in_the_night_cancels_it_for_good(
    desk: WalkedDesk, change: Callable[[WalkedDesk], None]
) -> None:
    set_hour(desk.clock, 18)
    leave(desk, nudges.ORDER, hear_first(desk))
    wait(desk, nudges.ORDER)
    look(desk)
    assert [row.state for row in desk.rows(Nudge)] == ["planned"]
    set_hour(desk.clock, 8)
    change(desk)
    set_hour(desk.clock, 10)
    assert look(desk) == []
    (row,) = desk.rows(Nudge)
    assert row.state == "cancelled"
    assert row.reason
    wait(desk, nudges.ORDER)
    look(desk)
    assert len(desk.rows(Nudge)) == 1


def make_template(desk: WalkedDesk, kind: str, body: str, **changes: Any) -> None:
    """Have an approved template for this kind at the provider and in the desk's list."""
    buttons = (Button("quick_reply", "Fechar"), Button("quick_reply", "Ver"))
    with desk.app.app_context():
        (number,) = integrations.numbers()
        row = MessageTemplate(
            integration_id=number.id, name=f"follow_up_{kind}", language="pt_BR", category="marketing",
            status="approved", body=body, wording=to_json(Wording(body, buttons=buttons)),
            created_at=desk.clock(), updated_at=desk.clock(),
        )  # fmt: skip
        for name, value in changes.items():
            setattr(row, name, value)
        db.session.add(row)
        db.session.commit()
    desk.graph.add_template(f"follow_up_{kind}", "pt_BR", body)


def leave_at_night(desk: WalkedDesk, kind: str) -> None:
    """Leave something behind so that the next decent hour is after the window: silent from 8:30 on, and no
    worker looked before night."""
    set_hour(desk.clock, 8)
    leave(desk, kind, hear_first(desk))
    set_hour(desk.clock, 23)
    with desk.app.app_context():
        thread = db.session.scalars(select(Conversation)).one()
        thread.last_inbound_at = desk.clock() - timedelta(hours=15, minutes=30)
        db.session.commit()


def test_after_the_window_an_approved_template_is_sent_once(desk: WalkedDesk) -> None:
    make_template(desk, nudges.CART, "Oi, {{1}}! O seu carrinho ({{2}}, {{3}}) continua aqui.")
    leave_at_night(desk, nudges.CART)
    assert look(desk) == []
    assert [row.state for row in desk.rows(Nudge)] == ["planned"]
    set_hour(desk.clock, 10)
    (sent,) = look(desk)
    assert (sent.type, sent.text) == ("template", "follow_up_cart")
    values = [one["text"] for one in sent.payload["template"]["components"][0]["parameters"]]
    assert values == ["Ana", "Curso de Violão", "R$ 97,00"]
    assert look(desk) == []
    assert [row.state for row in desk.rows(Nudge)] == ["sent"]
    assert len(desk.rows(Turn, Turn.flow == "follow-up")) == 1


@pytest.mark.parametrize(
    ("body", "changes", "contact", "reason"),
    [
        ("Oi, {{1}}!", {"status": "paused"}, {}, "window_closed"),
        ("Oi, {{1}}!", {"language": "de"}, {}, "window_closed"),
        ("Oi, {{1}}!", {}, {"opted_out_at": NOW}, "refused"),
        ("Oi, {{1}}!", {}, {"refuses_marketing_at": NOW}, "refused"),
        ("Oi, {{1}}, {{5}}!", {}, {}, "template_missing"),
    ],
)
def test_a_template_that_may_not_be_sent_is_not(
    desk: WalkedDesk, body: str, changes: dict[str, Any], contact: dict[str, Any], reason: str
) -> None:
    make_template(desk, nudges.CART, body)
    leave_at_night(desk, nudges.CART)
    look(desk)
    if changes:
        desk.change(MessageTemplate, **changes)
    if contact:
        desk.change(Contact, **contact)
    set_hour(desk.clock, 10)
    assert look(desk) == []
    assert [(row.state, row.reason) for row in desk.rows(Nudge)] == [("cancelled", reason)]
    assert desk.rows(Turn, Turn.flow == "follow-up") == []


def test_two_workers_write_once(desk: WalkedDesk) -> None:
    leave(desk, nudges.CART, hear_first(desk))
    wait(desk, nudges.CART)
    with desk.app.app_context():
        now = desk.clock()
        (wanted,) = nudges.candidates(now)
        for _ in range(2):
            nudges.plan(wanted, config=desk.app.config["BALCAO"], now=now)
        (nudge_id,) = nudges.due(now)
        assert [nudges.send(nudge_id, now=now) is not None for _ in range(2)] == [True, False]
        db.session.commit()
    assert len(desk.rows(Turn, Turn.flow == "follow-up")) == 1


def test_it_can_be_switched_off(load_config: Callable[..., Config]) -> None:
    assert load_config().follow_ups is True
    assert load_config(FOLLOW_UPS="0").follow_ups is False


def test_it_is_the_same_on_every_database(load_config: Callable[..., Config], database_url: str) -> None:
    with FakeGraph() as graph:
        config = load_config(
            GRAPH_API_BASE_URL=graph.url, START_FLOW="shop", DATABASE_URL=database_url, **META
        )
        with walked_desk(config, graph) as desk:
            set_hour(desk.clock, 10)
            with desk.app.app_context():
                make_product()
                db.session.commit()
            for number, kind in enumerate(KINDS):
                leave(desk, kind, hear_first(desk, wa_id=f"55119876500{number:02d}"))
            wait(desk, nudges.LEAD)
            assert len(look(desk)) == len(KINDS)
            assert look(desk) == []
