"""How tests of connectors work: a desk with one connector, a clock of their own, what its worker does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Flask
from sqlalchemy import select

from config import Config
from connectors import CONNECTORS
from connectors.account import new_settings
from models import Base, Contact, Conversation, WebhookDelivery, WebhookEndpoint, db
from providers.base import SendError
from telling import webhooks
from tests.records import NOW, make_conversation
from webhooks_out import endpoints
from webhooks_out.endpoints import Wish


@dataclass
class ConnectedDesk:
    """A desk whose connector speaks to a fake; every verb opens its own session, and commits."""

    app: Flask
    endpoint_id: int
    conversation_id: int
    now: datetime = NOW

    @property
    def config(self) -> Config:
        config: Config = self.app.config["BALCAO"]
        return config

    def clock(self) -> datetime:
        return self.now

    def later(self, **time: float) -> None:
        self.now += timedelta(**time)

    def does(self, verb: Callable[[Conversation], Any]) -> Any:
        with self.app.app_context():
            given = verb(db.session.get_one(Conversation, self.conversation_id))
            db.session.commit()
            return given

    def tells(self) -> int:
        """Do what the worker's messenger does, once."""
        with self.app.app_context():
            wanted = webhooks.wanted(self.clock)
            return sum(webhooks.tell(one, self.config, "a test", self.clock) for one in wanted)

    def tests(self) -> SendError | None:
        with self.app.app_context():
            return webhooks.send_test(self.row(), self.config, now=self.now)

    def row(self) -> WebhookEndpoint:
        return db.session.get_one(WebhookEndpoint, self.endpoint_id)

    def endpoint(self) -> WebhookEndpoint:
        with self.app.app_context():
            return self.row()

    def settings(self) -> dict[str, Any]:
        return dict(self.endpoint().settings or {})

    def deliveries(self) -> Sequence[WebhookDelivery]:
        return self.rows(WebhookDelivery)

    def rows(self, model: type[Base]) -> Sequence[Any]:
        with self.app.app_context():
            key = model.__mapper__.primary_key[0]
            return db.session.scalars(select(model).order_by(key)).all()

    def contact(self) -> Contact:
        contact: Contact = self.rows(Contact)[0]
        return contact


def connect(app: Flask, service: str, url: str, token: str, **settings: Any) -> ConnectedDesk:
    """Add a connector and a customer, and allow addresses of this machine."""
    config: Config = app.config["BALCAO"]
    object.__setattr__(config, "allow_private_addresses", True)
    with app.app_context():
        conversation_id = make_conversation().id
        row = endpoints.add(
            url,
            Wish(kinds=CONNECTORS[service].KINDS),
            secret=token,
            secret_key=config.secret_key,
            now=NOW,
            service=service,
        )
        row.settings = new_settings() | settings
        db.session.commit()
        return ConnectedDesk(app, row.id, conversation_id)
