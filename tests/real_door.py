"""A desk to walk through: webhooks through the real door, lanes worked on in this thread, a fake Graph API.

Time is ours: `desk.clock.advance(60)` ages everything that the workers judge by the clock. Leases are on the
database's clock, which nobody can move; tests of leases end them in the table.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

import cashier
import demo
import integrations
import knowledge
import lanes
import tasks
from app import create_app
from config import Config
from models import Base, Conversation, Lane, Message, Payment, PaymentEvent, Refund, WebhookEvent, db
from pipeline import Desk
from shop import programs
from tests.fakes.graph import FakeGraph, SentMessage
from tests.fakes.webhooks import (
    ACCESS_TOKEN,
    ACCOUNT_SID,
    APP_SECRET,
    AUTH_TOKEN,
    CUSTOMER,
    PHONE_NUMBER_ID,
    TWILIO_NUMBER,
    MetaWebhooks,
    Webhook,
)

META = {
    "WHATSAPP_ACCESS_TOKEN": ACCESS_TOKEN,
    "WHATSAPP_PHONE_NUMBER_ID": PHONE_NUMBER_ID,
    "WHATSAPP_APP_SECRET": APP_SECRET,
    "WHATSAPP_VERIFY_TOKEN": "a-verify-token",
    "QUIET_SECS": "0",
}
TWILIO = {
    "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
    "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
    "TWILIO_PHONE_NUMBER": TWILIO_NUMBER,
    "QUIET_SECS": "0",
}
ROUNDS_MAX = 200


@dataclass
class Clock:
    """The workers' clock: real time, moved ahead by as much as a test wants."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def advance(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


@dataclass
class WalkedDesk:
    """One desk with one Meta number; `says` posts, works and gives what the person then reads."""

    app: Flask
    client: FlaskClient
    graph: FakeGraph
    meta: MetaWebhooks = field(default_factory=MetaWebhooks)
    clock: Clock = field(default_factory=Clock)

    def post(self, webhook: Webhook) -> int:
        response = self.client.post(webhook.path, data=webhook.body, headers=webhook.headers)
        return response.status_code

    def work(self) -> None:
        """Do what is due, as the workers would, until nothing moves any more."""
        for _ in range(ROUNDS_MAX):
            before = self._standing()
            with self.app.app_context():
                now = self.clock()
                inbound, outbound = lanes.due_inbound(now), lanes.due_outbound(now)
                errands = cashier.due(now)
                db.session.rollback()
            for lane in inbound:
                tasks.run_lane(lane)
            for conversation_id in outbound:
                tasks.run_outbox.call_local(conversation_id)
            for errand in errands:
                tasks.run_errand.call_local(errand.kind, errand.row_id)
            if before == self._standing():
                return
        raise AssertionError("the desk never comes to rest")

    def _standing(self) -> list[Any]:
        """Give what work changes: what stands behind a waiting message stays due."""
        sending = select(Message.id, Message.status, Message.send_due_at, Message.attempts)
        pending = select(WebhookEvent.id, WebhookEvent.state, WebhookEvent.due_at, WebhookEvent.attempts)
        with self.app.app_context():
            rows = [
                tuple(row)
                for row in (
                    *db.session.execute(sending.where(Message.send_due_at.is_not(None))),
                    *db.session.execute(pending.where(WebhookEvent.state == "pending")),
                    *db.session.execute(
                        select(
                            PaymentEvent.id, PaymentEvent.state, PaymentEvent.due_at, PaymentEvent.attempts
                        )
                    ),
                    *db.session.execute(select(Payment.id, Payment.status, Payment.due_at, Payment.ask_at)),
                    *db.session.execute(select(Refund.id, Refund.status, Refund.due_at, Refund.attempts)),
                )
            ]
            db.session.rollback()
            return rows

    def says(self, text: str, wa_id: str = CUSTOMER, **about: Any) -> list[SentMessage]:
        return self.hears(self.meta.text(text, wa_id, **about))

    def presses(self, choice_id: str, title: str = "x", wa_id: str = CUSTOMER) -> list[SentMessage]:
        return self.hears(self.meta.list_reply(choice_id, title, wa_id))

    def hears(self, webhook: Webhook) -> list[SentMessage]:
        """Post one webhook, work, and give what was sent because of it."""
        before = len(self.graph.sent)
        assert self.post(webhook) == 200
        self.work()
        return self.graph.sent[before:]

    def rows(self, model: type[Base], *where: Any) -> list[Any]:
        """Give the rows of a table in the order of their ids, loaded and detached."""
        with self.app.app_context():
            query = select(model).where(*where).order_by(*model.__table__.primary_key)
            rows = list(db.session.execute(query).scalars())
            db.session.expunge_all()
            db.session.rollback()
            return rows

    def messages(self, *where: Any) -> list[Message]:
        return self.rows(Message, *where)

    def outgoing(self) -> list[Message]:
        return self.messages(Message.direction == "out")

    def events(self, *where: Any) -> list[WebhookEvent]:
        return self.rows(WebhookEvent, *where)

    def states(self) -> list[str]:
        """Give the states of all events, in order of arrival."""
        return [event.state for event in self.events()]

    def conversation(self) -> Conversation:
        first: Conversation = self.rows(Conversation)[0]
        return first

    def change(self, model: type[Base], *where: Any, **values: Any) -> None:
        """Set columns behind everybody's back."""
        with self.app.app_context():
            db.session.execute(update(model).where(*where).values(**values))
            db.session.commit()

    def end_leases(self) -> None:
        """Let every lease expire now, as if its worker had slept too long."""
        self.change(Lane, leased_until=0.0)

    def pipeline_desk(self, holder: str = "a test", lease_secs: float = lanes.LEASE_SECS) -> Desk:
        return Desk(self.app.config["BALCAO"], self.clock, holder, lease_secs)


@contextmanager
def walked_desk(config: Config, graph: FakeGraph) -> Iterator[WalkedDesk]:
    """Open a desk on an empty database, with the numbers that `config` names."""
    app = create_app(config)
    with app.app_context():
        db.create_all()
        integrations.adopt_environment(config)
        programs.seed_programs(now=datetime.now(UTC))
        db.session.commit()
    desk = WalkedDesk(app, app.test_client(), graph)
    real_clock, tasks._clock = tasks._clock, desk.clock
    try:
        yield desk
    finally:
        tasks._clock = real_clock
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


@contextmanager
def graph_desk(load_config: Callable[..., Config], **environ: str) -> Iterator[WalkedDesk]:
    """Open a desk with one Meta number, whose Graph API is a fake one."""
    with FakeGraph() as graph:
        config = load_config(**{"GRAPH_API_BASE_URL": graph.url, **META, **environ})
        with walked_desk(config, graph) as desk:
            yield desk


@contextmanager
def stocked_desk(load_config: Callable[..., Config]) -> Iterator[WalkedDesk]:
    """Open a desk with the demo's products and articles, and no key for any model."""
    with graph_desk(load_config) as desk:
        with desk.app.app_context():
            demo._seed_shop()
            uploads = knowledge.uploads_of(demo.ARTICLES_DIR / "shop")
            knowledge.import_files(uploads, language="pt", now=datetime.now(UTC))
            db.session.commit()
        yield desk


def texts_of(sent: Sequence[SentMessage]) -> list[str]:
    return [message.text for message in sent]
