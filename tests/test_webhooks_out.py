"""Webhooks to other programs: left with what happened, signed, tried again, switched off, replayed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select
from standardwebhooks import Webhook, WebhookVerificationError

import alerts
import conversations
import privacy
import vault
import webhooks_out
from config import Config
from crm import leads, tickets
from crm.leads import LeadWish
from models import Contact, Conversation, Message, Order, OutgoingEvent, WebhookDelivery, WebhookEndpoint, db
from telling import webhooks
from tests.browsing import counted
from tests.fakes import server
from tests.fakes.graph import FakeGraph
from tests.fakes.server import HttpServer, Request
from tests.real_door import META, WalkedDesk, walked_desk
from webhooks_out import deliveries, endpoints, kinds
from webhooks_out.endpoints import Wish
from wires import signed_webhook

HOLDER = "a test"


@dataclass
class Receiver:
    """A program that checks signatures, and answers as it is told."""

    answer: server.Answer = field(default_factory=lambda: server.Answer(204))
    got: list[Request] = field(default_factory=list)

    def handle(self, request: Request) -> server.Answer:
        self.got.append(request)
        return self.answer

    def events(self, secret: str) -> list[dict[str, Any]]:
        return [Webhook(secret).verify(one.body, one.headers) for one in self.got]

    def kinds(self, secret: str) -> list[str]:
        return [event["type"] for event in self.events(secret)]


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def there(receiver: Receiver) -> Iterator[str]:
    with HttpServer(receiver.handle) as served:
        yield f"{served.url}/hook"


@pytest.fixture
def desk_environ() -> dict[str, str]:
    return {"ALLOW_PRIVATE_ADDRESSES": "true"}


def config_of(desk: WalkedDesk) -> Config:
    config: Config = desk.app.config["BALCAO"]
    return config


def add(desk: WalkedDesk, url: str, *wanted: str) -> tuple[int, str]:
    """Add an endpoint for these kinds (none: all); gives its id and its secret."""
    secret = signed_webhook.new_secret()
    with desk.app.app_context():
        row = endpoints.add(
            url,
            Wish(kinds=wanted or None),
            secret=secret,
            secret_key=config_of(desk).secret_key,
            now=desk.clock(),
        )
        db.session.commit()
        return row.id, secret


def tell(desk: WalkedDesk) -> None:
    """Do what the worker's messenger does, once."""
    with desk.app.app_context():
        for endpoint_id in webhooks.wanted(desk.clock):
            webhooks.tell(endpoint_id, config_of(desk), HOLDER, desk.clock)


def delivery(desk: WalkedDesk) -> WebhookDelivery:
    row: WebhookDelivery = desk.rows(WebhookDelivery)[-1]
    return row


def with_desk(desk: WalkedDesk, verb: Callable[[Conversation], object]) -> None:
    with desk.app.app_context():
        verb(db.session.scalars(select(Conversation)).one())
        db.session.commit()


def test_a_message_is_told_with_its_person_and_a_signature(any_desk: WalkedDesk, there, receiver) -> None:
    _id, secret = add(any_desk, there, kinds.MESSAGE_RECEIVED)
    any_desk.says("hi")
    tell(any_desk)
    (event,) = receiver.events(secret)
    assert event["type"] == "message.received"
    assert event["data"]["message"]["body"] == "hi"
    assert event["data"]["contact"]["phone"].startswith("+")
    assert event["data"]["number"]["provider"] == "meta"
    assert receiver.got[0].headers["webhook-id"].startswith("msg_")
    with pytest.raises(WebhookVerificationError):
        receiver.events(signed_webhook.new_secret())
    assert (delivery(any_desk).state, delivery(any_desk).status_code) == ("sent", 204)


def test_where_nobody_listens_an_event_is_free_until_somebody_does(
    any_desk: WalkedDesk, there, receiver, monkeypatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(webhooks_out, "time", SimpleNamespace(monotonic=lambda: now))

    def leave() -> int:
        with counted(any_desk.app) as asked, any_desk.app.app_context():
            webhooks_out.leave("order.paid", "order", 1, now=any_desk.clock())
            db.session.commit()
        return len(asked)

    assert leave() == 1
    assert [leave(), leave()] == [0, 0]
    endpoint_id, _secret = add(any_desk, there)
    assert leave() == 1, "who was added here is told at once"
    assert [row.kind for row in any_desk.rows(OutgoingEvent)] == ["order.paid"]
    with any_desk.app.app_context():
        endpoints.switch(db.session.get_one(WebhookEndpoint, endpoint_id), is_active=False)
        db.session.commit()
    assert [leave(), leave()] == [1, 0]
    with any_desk.app.app_context():  # as another process switches it on
        db.session.get_one(WebhookEndpoint, endpoint_id).is_active = True
        db.session.commit()
    assert leave() == 0
    now += webhooks_out.REMEMBERED_SECS + 0.1
    assert leave() == 1
    assert len(any_desk.rows(OutgoingEvent)) == 2


def test_every_step_of_a_record_has_its_kind(any_desk: WalkedDesk, there, receiver) -> None:
    any_desk.says("hi")
    _id, secret = add(any_desk, there)

    def live(thread: Conversation) -> None:
        now, contact = any_desk.clock(), db.session.get_one(Contact, thread.contact_id)
        lead = leads.record_lead(contact, LeadWish(name="Ana", interest="x"), now=now).lead
        leads.set_status(lead, "won", now=now)
        tickets.open_ticket(contact.id, "It does not work", now=now, conversation_id=thread.id)
        conversations.take_over(thread, None, now=now)
        conversations.opt_out(contact.id, now=now)
        conversations.opt_out(contact.id, now=now)

    with_desk(any_desk, live)
    tell(any_desk)
    told = receiver.kinds(secret)
    for kind in ("lead.created", "lead.updated", "ticket.created", "handover.requested", "contact.opted_out"):
        assert told.count(kind) == 1, kind
    won = next(one for one in receiver.events(secret) if one["type"] == "lead.updated")
    assert (won["data"]["before"], won["data"]["after"], won["data"]["lead"]["name"]) == ("new", "won", "Ana")


@pytest.mark.parametrize(
    ("record", "before", "after", "kind"),
    [
        ("order", "", "placed", "order.created"),
        ("order", "placed", "paid", "order.paid"),
        ("order", "placed", "cancelled", "order.cancelled"),
        ("order_payment", "paid", "partly_refunded", "order.refunded"),
        ("order_payment", "paid", "refunded", "order.refunded"),
        ("order", "paid", "refunded", None),
        ("order_payment", "unpaid", "claimed", None),
        ("complaint", "", "open", "complaint.created"),
        ("appointment", "requested", "confirmed", "appointment.updated"),
        ("conversation", "human", "bot", None),
        ("payment", "", "pending", None),
    ],
)
def test_which_step_is_an_event(record: str, before: str, after: str, kind: str | None) -> None:
    assert kinds.of_step(record, before, after) == kind


def test_an_order_is_told_with_its_lines(any_desk: WalkedDesk, there, receiver) -> None:
    any_desk.says("hi")
    _id, secret = add(any_desk, there, "order.paid")

    def pay(thread: Conversation) -> None:
        order = Order(
            contact_id=thread.contact_id,
            conversation_id=thread.id,
            number="P-1",
            status="paid",
            total_minor=9700,
        )
        db.session.add(order)
        db.session.flush()
        webhooks_out.leave_step("order", order.id, before="placed", after="paid", now=any_desk.clock())

    with_desk(any_desk, pay)
    tell(any_desk)
    (event,) = receiver.events(secret)
    assert event["data"]["order"]["total_minor"] == 9700
    assert event["data"]["order"]["items"] == []


def test_statuses_of_our_messages_are_told_forward_only(desk: WalkedDesk, there, receiver) -> None:
    _id, secret = add(desk, there, kinds.MESSAGE_STATUS)
    (sent, *_rest) = desk.says("hi")
    desk.hears(desk.meta.status(sent.id, "read"))
    desk.hears(desk.meta.status(sent.id, "delivered"))  # came late
    tell(desk)
    first = desk.outgoing()[0].id
    steps = [
        event["data"]["message"]["status"]
        for event in receiver.events(secret)
        if event["data"]["message"]["id"] == first
    ]
    assert len(steps) == 2
    with desk.app.app_context():
        afters = db.session.scalars(
            select(OutgoingEvent.after)
            .where(OutgoingEvent.record_id == first, OutgoingEvent.kind == kinds.MESSAGE_STATUS)
            .order_by(OutgoingEvent.id)
        ).all()
    assert list(afters) == ["sent", "read"]


def test_without_an_endpoint_nothing_is_left(any_desk: WalkedDesk) -> None:
    any_desk.says("hi")
    assert any_desk.rows(OutgoingEvent) == []


def test_what_nobody_wants_is_forgotten_at_once(desk: WalkedDesk, there, receiver) -> None:
    add(desk, there, "order.paid")
    desk.says("hi")
    tell(desk)
    assert desk.rows(OutgoingEvent) == []
    assert receiver.got == []


def test_an_event_stands_and_falls_with_what_it_tells(any_desk: WalkedDesk, there) -> None:
    any_desk.says("hi")
    add(any_desk, there)
    with any_desk.app.app_context():
        conversations.take_over(db.session.scalars(select(Conversation)).one(), None, now=any_desk.clock())
        db.session.rollback()
    assert any_desk.rows(OutgoingEvent) == []


def test_one_that_was_refused_comes_again_under_the_same_id(any_desk: WalkedDesk, there, receiver) -> None:
    _id, secret = add(any_desk, there, kinds.MESSAGE_RECEIVED)
    receiver.answer = server.Answer(500)
    any_desk.says("hi")
    tell(any_desk)
    tell(any_desk)
    assert len(receiver.got) == 1, "it waits"
    receiver.answer = server.Answer(200)
    any_desk.clock.advance(6)
    tell(any_desk)
    assert [one.headers["webhook-id"] for one in receiver.got] == [receiver.got[0].headers["webhook-id"]] * 2
    assert receiver.got[0].body == receiver.got[1].body
    assert receiver.events(secret)
    assert (delivery(any_desk).state, delivery(any_desk).attempts) == ("sent", 2)


def test_a_dead_worker_s_delivery_is_taken_again(any_desk: WalkedDesk, there, receiver) -> None:
    endpoint_id, _secret = add(any_desk, there, kinds.MESSAGE_RECEIVED)
    any_desk.says("hi")
    with any_desk.app.app_context():
        webhooks.wanted(any_desk.clock)
        key = config_of(any_desk).secret_key
        assert deliveries.take(endpoint_id, key, now=any_desk.clock()) is not None
        assert deliveries.take(endpoint_id, key, now=any_desk.clock()) is None
        db.session.commit()
    any_desk.clock.advance(deliveries.LEASE.total_seconds() + 1)
    tell(any_desk)
    assert len(receiver.got) == 1


def test_an_endpoint_that_is_dead_for_days_is_switched_off_and_people_hear_of_it(
    desk, there, receiver
) -> None:
    endpoint_id, _secret = add(desk, there, kinds.MESSAGE_RECEIVED)
    receiver.answer = server.Answer(500)
    for _day in range(7):
        desk.says("hi")
        tell(desk)
        desk.clock.advance(timedelta(days=1).total_seconds())
    (row,) = desk.rows(WebhookEndpoint)
    assert not row.is_active
    with desk.app.app_context():
        assert alerts.is_open(deliveries.topic_of(endpoint_id))
    assert not [one for one in desk.rows(WebhookDelivery) if one.due_at is not None]


def test_an_endpoint_that_is_gone_is_switched_off_at_once(desk: WalkedDesk, there, receiver) -> None:
    add(desk, there, kinds.MESSAGE_RECEIVED)
    receiver.answer = server.Answer(410)
    desk.says("hi")
    tell(desk)
    assert not desk.rows(WebhookEndpoint)[0].is_active


def test_what_failed_is_replayed_under_its_own_id(desk: WalkedDesk, there, receiver) -> None:
    endpoint_id, _secret = add(desk, there, kinds.MESSAGE_RECEIVED)
    receiver.answer = server.Answer(410)
    desk.says("hi")
    tell(desk)
    receiver.answer = server.Answer(200)
    with desk.app.app_context():
        endpoints.switch(db.session.get_one(WebhookEndpoint, endpoint_id), is_active=True)
        assert deliveries.replay(endpoint_id, None, now=desk.clock()) == 1
        db.session.commit()
    tell(desk)
    assert len({one.headers["webhook-id"] for one in receiver.got}) == 1
    assert delivery(desk).state == "sent"


def test_a_rotated_secret_signs_beside_the_new_one_for_a_day(desk: WalkedDesk, there, receiver) -> None:
    endpoint_id, old = add(desk, there, kinds.MESSAGE_RECEIVED)
    new, key = signed_webhook.new_secret(), config_of(desk).secret_key
    with desk.app.app_context():
        row = db.session.get_one(WebhookEndpoint, endpoint_id)
        endpoints.rotate(row, new, secret_key=key, now=desk.clock())
        db.session.commit()
        assert old not in row.old_secret
        assert vault.unseal(row.secret, key) == new
    desk.says("hi")
    tell(desk)
    assert receiver.kinds(old) == receiver.kinds(new) == ["message.received"]
    with desk.app.app_context():
        row = db.session.get_one(WebhookEndpoint, endpoint_id)
        later = desk.clock() + endpoints.ROTATION_LASTS + timedelta(seconds=1)
        assert endpoints.secrets_of(row, key, later) == (new,)


def test_an_address_inside_our_network_is_never_called(load_config, there, receiver) -> None:
    with FakeGraph() as graph:
        with walked_desk(load_config(GRAPH_API_BASE_URL=graph.url, **META), graph) as desk:
            add(desk, there.replace("http://", "https://"), kinds.MESSAGE_RECEIVED)
            desk.says("hi")
            tell(desk)
            assert (delivery(desk).state, delivery(desk).reason) == ("failed", "private_address")
    assert receiver.got == []


def test_a_test_goes_out_at_once_and_stands_in_the_log(desk: WalkedDesk, there, receiver) -> None:
    endpoint_id, secret = add(desk, there, "order.paid")
    with desk.app.app_context():
        row = db.session.get_one(WebhookEndpoint, endpoint_id)
        assert webhooks.send_test(row, config_of(desk), now=desk.clock()) is None
        ((told, event),) = deliveries.newest(endpoint_id, 10)
        assert (told.state, event.kind) == ("sent", kinds.TEST)
    assert receiver.kinds(secret) == [kinds.TEST]


def test_a_deleted_person_is_deleted_from_what_was_told(any_desk: WalkedDesk, there) -> None:
    add(any_desk, there, kinds.MESSAGE_RECEIVED)
    any_desk.says("hi")
    tell(any_desk)
    assert any_desk.rows(OutgoingEvent)[0].body is not None
    with any_desk.app.app_context():
        people = list(db.session.scalars(select(Contact)))
        export = privacy.export_person(people, now=any_desk.clock())
        assert export["outgoing_events"][0]["kind"] == "message.received"
        privacy.delete_person(people)
        db.session.commit()
    assert any_desk.rows(OutgoingEvent) == []
    assert any_desk.rows(WebhookDelivery) == []


def test_old_events_are_forgotten_but_not_what_still_waits(desk: WalkedDesk, there, receiver) -> None:
    add(desk, there, kinds.MESSAGE_RECEIVED)
    desk.says("hi")
    tell(desk)
    receiver.answer = server.Answer(500)
    desk.says("menu")
    tell(desk)
    with desk.app.app_context():
        assert deliveries.forget_before(desk.clock() + timedelta(days=1), 100) == 1
        db.session.commit()
    assert [row.state for row in desk.rows(WebhookDelivery)] == ["waiting"]


def test_the_trace_goes_on_to_other_programs(desk: WalkedDesk, there) -> None:
    add(desk, there, kinds.MESSAGE_RECEIVED)
    desk.says("hi")
    (message, *_answers) = desk.rows(Message)
    assert desk.rows(OutgoingEvent)[0].trace_id == message.trace_id
