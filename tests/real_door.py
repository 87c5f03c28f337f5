"""A desk to walk through: webhooks through the real door, lanes worked on in this thread, a fake Graph API at the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

import integrations
import lanes
import tasks
from app import create_app
from config import Config
from models import Conversation, Message, db
from shop import programs
from models import utc_now
from tests.fakes.graph import FakeGraph, SentMessage
from tests.fakes.webhooks import ACCESS_TOKEN, APP_SECRET, CUSTOMER, PHONE_NUMBER_ID, MetaWebhooks, Webhook

META = {
    "WHATSAPP_ACCESS_TOKEN": ACCESS_TOKEN,
    "WHATSAPP_PHONE_NUMBER_ID": PHONE_NUMBER_ID,
    "WHATSAPP_APP_SECRET": APP_SECRET,
    "WHATSAPP_VERIFY_TOKEN": "a-verify-token",
    "QUIET_SECS": "0",
}


@dataclass
class WalkedDesk:
    """One desk with one Meta number; `says` posts, works and gives what the person then reads."""

    app: Flask
    client: FlaskClient
    graph: FakeGraph
    meta: MetaWebhooks = field(default_factory=MetaWebhooks)

    def post(self, webhook: Webhook) -> int:
        response = self.client.post(webhook.path, data=webhook.body, headers=webhook.headers)
        return response.status_code

    def work(self) -> None:
        """Do what is due, as the workers would, until nothing is."""
        for _ in range(200):
            with self.app.app_context():
                now = utc_now()
                inbound, outbound = lanes.due_inbound(now), lanes.due_outbound(now)
                db.session.rollback()
            if not inbound and not outbound:
                return
            for lane in inbound:
                tasks.run_lane(lane)
            for conversation_id in outbound:
                tasks.run_outbox.call_local(conversation_id)
        raise AssertionError("the desk never comes to rest")

    def says(self, text: str, wa_id: str = CUSTOMER, **about: Any) -> list[SentMessage]:
        return self.hears(self.meta.text(text, wa_id, **about))

    def presses(self, choice_id: str, title: str = "x", wa_id: str = CUSTOMER) -> list[SentMessage]:
        return self.hears(self.meta.list_reply(choice_id, title, wa_id))

    def hears(self, webhook: Webhook) -> list[SentMessage]:
        before = len(self.graph.sent)
        assert self.post(webhook) == 200
        self.work()
        return self.graph.sent[before:]

    def messages(self, wa_id: str | None = None) -> list[Message]:
        with self.app.app_context():
            rows = list(db.session.execute(select(Message).order_by(Message.id)).scalars())
            db.session.expunge_all()
            return rows

    def conversation(self) -> Conversation:
        with self.app.app_context():
            row = db.session.execute(select(Conversation).order_by(Conversation.id)).scalars().first()
            assert row is not None
            db.session.expunge_all()
            return row


@contextmanager
def walked_desk(config: Config, graph: FakeGraph) -> Iterator[WalkedDesk]:
    app = create_app(config)
    with app.app_context():
        db.create_all()
        integrations.adopt_environment(config)
        programs.seed_programs(now=utc_now())
        db.session.commit()
    yield WalkedDesk(app, app.test_client(), graph)
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
