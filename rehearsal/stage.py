"""Where simulated customers meet the desk: a number of its own, a clock that is set, and the real pipeline.

What somebody writes becomes a stored webhook event, is worked on by `pipeline`, and the answer is delivered
by `whatsapp_service` through the simulator, which reaches nobody. Each message is stored, answered and sent
under leases that are held throughout: a living worker, whose clock is the real one, never finds it waiting.
"""

import secrets
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from sqlalchemy import Engine, event, insert, select

import conversations
import inbox
import integrations
import lanes
import media
import pipeline
import receipts
import simulated_phone
import whatsapp_service
from config import Config
from integrations import Number
from models import ContactIdentity, Integration, Message, Turn, WebhookEvent, db, reading
from pipeline import Desk
from providers.base import OwnFile, Person, SignedRequest
from providers.simulator import SimulatedEvent, simulator, webhook
from simulated_phone import COUNTRIES, REHEARSAL_NUMBER, Customer
from statements import table
from whatsapp_service import DeliveryRules

HOLDER: Final = "rehearsal"
LEASE_SECS: Final = 120.0
SECRET_BYTES: Final = 24
DELIVERY_SECS: Final = (1.5, 4.0)
READ_SECS: Final = (3.0, 90.0)
TRIES_FOR_A_NUMBER: Final = 20


class RehearsalRefused(Exception):
    """No play can be given on this desk; `code` says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Clock:
    """The time of the play; it only goes forward."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def go_to(self, moment: datetime) -> None:
        self.now = max(self.now, moment)

    def wait(self, secs: float) -> None:
        self.now += timedelta(seconds=secs)


@dataclass(frozen=True, slots=True)
class Heard:
    """What came back: texts, buttons by what they choose, and the manner that it was written in."""

    texts: tuple[str, ...] = ()
    choices: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # by choice: id and title
    strategy: str = ""

    def choice(self, name: str) -> tuple[str, str] | None:
        """Give the button that chooses `name` in whichever step of a flow, as its id and title."""
        return self.choices.get(name)


@dataclass(slots=True)
class Stage:
    """One play's number, clock and dice."""

    config: Config
    number: Number
    clock: Clock
    rng: Random
    taken: set[str]
    turns: int = 0
    _conversations: dict[str, int] = field(default_factory=dict)
    _unread: list[tuple[Person, str, int, datetime]] = field(default_factory=list)

    @classmethod
    def open(cls, config: Config, clock: Clock, rng: Random) -> "Stage":
        """Set the stage on the rehearsals' own number, which is made when there is none. Commits.

        Raises RehearsalRefused where real customers write: what simulated ones teach is not for them.
        """
        if any(number.account.provider != "simulator" for number in integrations.numbers()):
            raise RehearsalRefused(
                "real_number", "a real number is connected; rehearse on a desk without one"
            )
        # Nobody types in pieces here, so no burst is waited for; and no model is paid for a play.
        config = replace(config, quiet_secs=0.0, quiet_max_secs=0.0)
        number = own_number()
        known = select(ContactIdentity.value).where(ContactIdentity.account == number.identity_account)
        taken = set(db.session.scalars(known))
        db.session.commit()
        return cls(config, number, clock, rng, taken)

    def phone_for(self, name: str, country: str) -> Customer:
        """Give somebody a phone that nobody has; where numbers are used up, hers is hidden."""
        for _attempt in range(TRIES_FOR_A_NUMBER):
            phone = simulated_phone.invent(country, name, self.rng)
            if phone.wa_id not in self.taken:
                break
        else:
            digits = COUNTRIES[country].prefix + f"{len(self.taken):012}"
            phone = Customer(name, "", simulated_phone.bsuid_of(digits, country[:2]), hides_phone=True)
        self.taken.update(phone.identities)
        return phone

    def say(
        self,
        customer: Customer,
        text: str,
        choice_id: str = "",
        *,
        referral: Mapping[str, Any] | None = None,
    ) -> Heard:
        """Have somebody write, or press a button, and give what the desk answered. Commits."""
        person = customer.person
        conversation_id = self._conversations.get(customer.bsuid) or self._admit(customer)
        outbox = lanes.take(lanes.outbound_lane(conversation_id), HOLDER, LEASE_SECS)
        lane = self._store(person, text, choice_id, referral)
        pipeline.work_inbound(lane, Desk(self.config, self.clock, HOLDER, LEASE_SECS, rng=self.rng))
        self.turns += 1
        self.clock.wait(self.rng.uniform(*DELIVERY_SECS))
        if outbox is not None:
            lanes.let_go(outbox)  # in the transaction in which delivery takes it
        whatsapp_service.deliver(conversation_id, HOLDER, self._rules, self.clock)
        return self._listen(conversation_id, person)

    @property
    def _rules(self) -> DeliveryRules:
        return DeliveryRules(0, LEASE_SECS, lambda _number: None, load_file=self._load_file)

    def _load_file(self, file_id: int) -> OwnFile | None:
        """Read a file that a message carries, the picture of a Pix code for instance."""
        config = self.config
        return media.own_file(
            file_id, config.media_dir, config.own_url, secret_key=config.secret_key, now=self.clock()
        )

    def read_receipts(self) -> None:
        """Have the phones tell that they showed what came, as events of the provider. Commits."""
        for person, external_id, message_id, at in self._unread:
            if self.rng.random() < 0.9:
                seen_at = at + timedelta(seconds=self.rng.uniform(*READ_SECS))
                told = SimulatedEvent(
                    "status",
                    person,
                    external_id=external_id,
                    status="read",
                    reference=integrations.reference_of(message_id),
                    at=seen_at,
                )
                row = self._row(told, seen_at)
                stored = WebhookEvent(**_columns(row), attempts=0, error="")
                db.session.add(stored)
                receipts.apply_receipts([stored], now=seen_at)
        self._unread.clear()
        db.session.commit()

    def conversation_of(self, customer: Customer) -> int:
        """Give the id of somebody's conversation; she must have written before."""
        return self._conversations[customer.bsuid]

    def _admit(self, customer: Customer) -> int:
        """Write a new customer down: her conversation's outbox must be held before her first words."""
        conversation = conversations.admit(self.number, customer.person, now=self.clock(), is_demo=True)
        self._conversations[customer.bsuid] = conversation.id
        return conversation.id

    def _store(self, person: Person, text: str, choice_id: str, referral: Mapping[str, Any] | None) -> str:
        """Store what somebody wrote as the door would, in the transaction in which its lane is taken."""
        now = self.clock()
        words: dict[str, Any] = {"text": text}
        if choice_id:
            words = {"choice_id": choice_id, "choice_title": text}
        written = SimulatedEvent(
            "choice" if choice_id else "text",
            person,
            reference=f"{self.number.id} {person.bsuid} {now.isoformat()}",
            referral=referral,
            at=now,
            **words,
        )
        row = self._row(written, now)
        db.session.execute(insert(table(WebhookEvent)).values(**_columns(row), attempts=0, error=""))
        if row.lane is None:
            raise LookupError("a customer has no lane")
        return row.lane

    def _row(self, happened: SimulatedEvent, at: datetime) -> inbox.InboxRow:
        made = webhook(self.number.account, happened, public_base_url="", now=at)
        request = SignedRequest("POST", "", made.headers, made.body, ())
        element = simulator.split(request)[0]
        return inbox.row_of(self.number.webhook_shape, self.number, element, at)

    def _listen(self, conversation_id: int, person: Person) -> Heard:
        """Read what the last turn said."""
        last = select(Turn).where(Turn.conversation_id == conversation_id).order_by(Turn.id.desc()).limit(1)
        said: Sequence[Message] = ()
        with reading():
            turn = db.session.scalars(last).first()
            if turn is not None:
                wrote = select(Message).where(Message.turn_id == turn.id, Message.direction == "out")
                said = db.session.scalars(wrote.order_by(Message.id)).all()
            heard = _heard(turn, said)
            for message in said:
                if message.external_id:
                    self._unread.append((person, message.external_id, message.id, self.clock()))
            db.session.rollback()
        return heard


@contextmanager
def quick_commits(engine: Engine) -> Iterator[None]:
    """Let this thread's commits on SQLite not wait for the disk: a play that a power cut ends may be played
    again. What others commit meanwhile waits as ever, and takes what is unwritten along."""
    if engine.dialect.name != "sqlite":
        yield
        return
    mine = threading.get_ident()

    def hurry(connection: sqlite3.Connection, *_more: Any) -> None:
        if threading.get_ident() == mine:
            connection.execute("PRAGMA synchronous = NORMAL")

    def calm(connection: sqlite3.Connection | None, *_more: Any) -> None:
        if connection is not None and threading.get_ident() == mine:
            connection.execute("PRAGMA synchronous = FULL")

    event.listen(engine, "checkout", hurry)
    event.listen(engine, "checkin", calm)
    try:
        yield
    finally:
        event.remove(engine, "checkout", hurry)
        event.remove(engine, "checkin", calm)


def own_number() -> Number:
    """Give the number that simulated customers write to, made when there is none. Flushes."""
    name = REHEARSAL_NUMBER
    found = db.session.scalars(
        select(Integration).where(Integration.provider == "simulator", Integration.number_id == name)
    ).first()
    if found is None:
        found = integrations.create(
            provider="simulator",
            shape="meta",
            name="Maré Digital",
            number_id=name,
            business_id=f"2{name[1:]}",
            display_phone="+55 81 90000-0009",
            app_secret=secrets.token_hex(SECRET_BYTES),
            access_token=secrets.token_hex(SECRET_BYTES),
            verify_token=secrets.token_hex(SECRET_BYTES),
            start_flow="shop",
            language="pt",
        )
    integrations.forget()
    number = integrations.number(found.id)
    if number is None:
        raise LookupError("the number of the rehearsals is switched off")
    return number


def _heard(turn: Turn | None, said: Sequence[Message]) -> Heard:
    trace = turn.trace if turn is not None else {}
    is_in_manner = str(trace.get("source", "")).startswith(("strategy", "model"))
    reply = trace.get("reply", {})
    # One of the shop's own pleases as what it builds on.
    strategy = str(reply.get("base") or reply.get("strategy", "")) if is_in_manner else ""
    choices: dict[str, tuple[str, str]] = {}
    for message in said:
        content = message.content if isinstance(message.content, dict) else {}
        for one in content.get("choices", ()):
            choices[str(one["id"]).rpartition(":")[2]] = (str(one["id"]), str(one["title"]))
    return Heard(tuple(message.body for message in said), choices, strategy)


def _columns(row: inbox.InboxRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in inbox.COLUMNS}
