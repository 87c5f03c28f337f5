"""One scripted conversation, played through the real flows, rules and verbs as if it had happened then.

`seed_demo` calls it. Nothing is sent and nothing waits to be sent: outgoing messages are written with the
receipts that they would have had. It is no second pipeline: one voice, no lanes, no repeats, no failures.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

import yaml
from sqlalchemy import select, update

import ai_service
import alerts
import conversations
import flow_actions
import flow_versions
import menu_flows
import received
import simulated_phone
import texts
import triage
import whatsapp_service
from analysis import Reading
from config import Config
from conversations import Thread
from flow_actions import ActionContext
from integrations import Number
from message_content import Content, Text
from models import Alert, Conversation, Message, Order, Turn, db
from providers.base import InboundMessage, Person

SCRIPTS_FILE: Final = Path(__file__).parent / "threads.yaml"
SESSION_TIMEOUT: Final = timedelta(minutes=30)
SURE: Final = 0.92
MAX_ACTIONS: Final = 5
BOT_SECS: Final = (2, 5)
WAKING_HOURS: Final = range(12, 20)  # UTC: day in Recife and Madrid, evening in Dubai
TYPING_SECS: Final = (12, 75)
OPERATOR_SECS: Final = (150, 900)
UNREAD_FOR: Final = timedelta(hours=4)
FORGOTTEN_AFTER: Final = timedelta(hours=12)  # older alerts have been acknowledged by somebody
FAILURES: Final[Mapping[str, str]] = {
    "131047": "More than 24 hours since the customer's last message: only a template may be sent."
}


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happens: the customer types, an operator answers, or something is done."""

    customer: str = ""
    operator: str = ""
    fails: str = ""
    pause_hours: float = 0.0
    hands_back: bool = False
    is_paid: bool = False
    hints: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Script:
    """One person's conversation with one of our numbers."""

    number: str
    language: str
    name: str
    country: str
    days_ago: float
    lines: tuple[Line, ...]
    hour: int | None = None


@dataclass
class _Stage:
    """Where a performance stands."""

    script: Script
    number: Number
    config: Config
    person: Person
    conversation_id: int
    contact_id: int
    at: datetime
    until: datetime
    rng: Random
    count: int = 0
    person_came_at: datetime | None = None

    def wait(self, secs: tuple[int, int]) -> None:
        self.at = min(self.until, self.at + timedelta(seconds=self.rng.uniform(*secs)))

    def next_id(self) -> str:
        self.count += 1
        return f"demo.{self.conversation_id}.{self.count}"


def read_scripts() -> list[Script]:
    """Read the packaged scripts, one per person."""
    acts: list[dict[str, Any]] = yaml.safe_load(SCRIPTS_FILE.read_text(encoding="utf-8"))
    return [
        Script(
            act["number"],
            act["language"],
            person["name"],
            person["country"],
            float(person["days_ago"]),
            tuple(_line(line, person) for line in act["lines"]),
            act.get("hour"),
        )
        for act in acts
        for person in act["people"]
    ]


def _line(written: Mapping[str, Any], person: Mapping[str, Any]) -> Line:
    words = {**person, "first": str(person["name"]).split()[0]}
    hints = {
        name: value.format(**words) if isinstance(value, str) else value
        for name, value in written.items()
        if name in ("intent", "signal", "sentiment", "score", "urgency")
    }
    return Line(
        customer=str(written.get("c", "")).format(**words),
        operator=str(written.get("o", "")).format(**words),
        fails=str(written.get("fails", "")),
        pause_hours=float(written.get("pause", 0)),
        hands_back=bool(written.get("back")),
        is_paid=bool(written.get("paid")),
        hints=hints,
    )


def perform(script: Script, number: Number, config: Config, *, now: datetime, rng: Random) -> int:
    """Play one script and give how many messages it wrote. Flushes."""
    stage = _begin(script, number, config, now, rng)
    for line in script.lines:
        if line.pause_hours:
            stage.at = min(stage.until, stage.at + timedelta(hours=line.pause_hours))
        elif line.customer:
            _customer_says(stage, line)
        elif line.operator:
            _operator_says(stage, line)
        elif line.hands_back:
            conversations.hand_back(_conversation(stage), now=stage.at)
        elif line.is_paid:
            _pay_last_order(stage)
    _end(stage)
    return db.session.query(Message).filter_by(conversation_id=stage.conversation_id).count()


def _begin(script: Script, number: Number, config: Config, now: datetime, rng: Random) -> _Stage:
    at = _beginning(script, now, rng)
    customer = simulated_phone.invent(script.country, script.name, rng)
    conversation = conversations.admit(number, customer.person, now=at, is_demo=True)
    conversations.set_language(conversation.contact_id, script.language)
    return _Stage(
        script, number, config, customer.person, conversation.id, conversation.contact_id, at, now, rng
    )


def _beginning(script: Script, now: datetime, rng: Random) -> datetime:
    """Give when it began: at an hour at which people write, unless it goes on right now."""
    at = now - timedelta(days=script.days_ago) + timedelta(seconds=rng.uniform(0, 600))
    if script.days_ago < 1:
        return at
    hour = script.hour if script.hour is not None else rng.choice(WAKING_HOURS)
    return min(at.replace(hour=hour), now - timedelta(hours=1))


# --- the customer -------------------------------------------------------------------------------------------


def _customer_says(stage: _Stage, line: Line) -> None:
    stage.wait(TYPING_SECS)
    thread = conversations.find_thread(stage.number, stage.person)
    if thread is None:
        raise LookupError(stage.script.name)
    session = thread.open_session(stage.at, SESSION_TIMEOUT)
    flow_name = session.flow if session and session.step else stage.number.start_flow
    flow = flow_versions.flows()[flow_name]
    step, data = (session.step, session.data) if session and session.flow == flow_name else (None, {})
    language = stage.script.language
    names_choice = menu_flows.chooses(flow, step, data, line.customer, None, language)
    reading = None if names_choice else _reading(stage, line)
    scene = flow.scene(step) if step else None
    decision = triage.decide(_situation(line, thread, stage, scene, names_choice, reading))
    message_id = _store(stage, line, reading)
    turn_id = _write_turn(stage, decision, reading)
    contents: list[Content] = []
    if decision.effect == "opt_out":
        conversations.opt_out(stage.contact_id, now=stage.at)
        contents = [Text(texts.text("opt_out_confirmed", language))]
    elif decision.effect == "hand_over":
        _hand_over(stage, decision.reason)
        contents = [Text(texts.text("handed_over", language))]
    elif decision.responder == "ai":
        contents = list(ai_service.reply(reading, language=language, start_flow=flow_name).contents)
    elif decision.responder in ("menu", "shop"):
        is_fresh = decision.flow is not None and decision.flow != flow_name
        flow = flow_versions.flows()[decision.flow or flow_name]
        contents = _walk(
            stage, flow, None if is_fresh else step, {} if is_fresh else data, line, turn_id, message_id
        )
    _point(message_id, turn_id)
    stage.wait(BOT_SECS)
    _say(stage, contents, sender="bot", turn_id=turn_id)


def _situation(
    line: Line,
    thread: Thread,
    stage: _Stage,
    scene: Any,
    names_choice: bool,
    reading: Reading | None,
) -> triage.Situation:
    return triage.Situation(
        text=line.customer,
        is_first_contact=thread.is_first_contact,
        has_opted_out=thread.has_opted_out,
        is_with_person=thread.is_with_person(stage.at),
        awaits=scene.awaits if scene else None,
        names_choice=names_choice,
        menu_word=menu_flows.is_menu_word(line.customer),
        intent=reading.intent if reading else "other",
        intent_confidence=reading.intent_confidence if reading else 0.0,
        sentiment=reading.sentiment if reading else "neutral",
        urgency=reading.urgency if reading else "low",
    )


def _reading(stage: _Stage, line: Line) -> Reading:
    """Read the message as the desk would, with what the script says of it in the place of a guess."""
    country = stage.script.country[:2]
    found = ai_service.understand(line.customer, now=stage.at, region=country, language=stage.script.language)
    return replace(
        found,
        language=stage.script.language,
        intent=line.hints.get("intent", "other"),
        intent_confidence=SURE if "intent" in line.hints else 0.5,
        buying_signal=line.hints.get("signal"),
        sentiment=line.hints.get("sentiment", "neutral"),
        sentiment_score=float(line.hints.get("score", 0.0)),
        urgency=line.hints.get("urgency", "low"),
    )


def _walk(
    stage: _Stage,
    flow: menu_flows.Flow,
    step: str | None,
    data: Mapping[str, Any],
    line: Line,
    turn_id: int,
    message_id: int,
) -> list[Content]:
    """Let the flow answer, with its actions done for real."""
    way: dict[str, Any] = {
        "language": stage.script.language,
        "now": stage.at,
        "context": _context(stage),
    }
    ctx = ActionContext(
        config=stage.config,
        contact_id=stage.contact_id,
        conversation_id=stage.conversation_id,
        integration_id=stage.number.id,
        language=texts.text_language(stage.script.language),
        now=stage.at,
        message_id=message_id,
        flow=flow.name,
        priority=str(line.hints.get("urgency", "medium")),
    )
    turn = menu_flows.advance(flow, step, data, line.customer, **way)
    for _ in range(MAX_ACTIONS):
        if turn.action is None:
            break
        result = flow_actions.apply(turn.action.name, turn.action.args, ctx)
        turn = menu_flows.resume(flow, turn, result.outcome, result.facts, **way)
    conversations.save_session(
        stage.conversation_id, is_known=False, flow=flow.name, step=turn.step, data=turn.data, now=stage.at
    )
    db.session.execute(
        update(Turn)
        .where(Turn.id == turn_id)
        .values(flow=flow.name, step_before=step, step_after=turn.step)
        .execution_options(synchronize_session=False)
    )
    return list(turn.say)


def _context(stage: _Stage) -> dict[str, Any]:
    return {
        "business_name": stage.number.business_name,
        "booking_url": stage.config.booking_url,
        "brochure_url": stage.config.brochure_url,
        "contact_name": stage.script.name,
        "region": stage.script.country[:2],
        "time_zone": stage.config.time_zone,
        "language": texts.text_language(stage.script.language),
    }


def _hand_over(stage: _Stage, reason: str) -> None:
    conversations.take_over(_conversation(stage), None, now=stage.at, reason=reason)
    alerts.raise_alert(
        "waiting",
        f"waiting:{stage.conversation_id}",
        f"A customer waits for a person: {reason}",
        conversation_id=stage.conversation_id,
        now=stage.at,
    )


# --- rows ---------------------------------------------------------------------------------------------------


def _store(stage: _Stage, line: Line, reading: Reading | None) -> int:
    message = InboundMessage(
        external_id=stage.next_id(), sender=stage.person, kind="text", sent_at=stage.at, text=line.customer
    )
    columns: dict[str, Any] = {}
    if reading is not None:
        columns = {
            "language": reading.language,
            "intent": reading.intent,
            "buying_signal": reading.buying_signal,
            "sentiment": reading.sentiment,
            "sentiment_score": reading.sentiment_score,
            "urgency": reading.urgency,
        }
    message_id = received.store_inbound(stage.conversation_id, stage.number, message, now=stage.at, **columns)
    _touch(
        stage,
        received.preview_of(message),
        last_inbound_at=stage.at,
        unread_count=Conversation.unread_count + 1,
        **{name: columns[name] for name in received.MOOD if name in columns},
    )
    return message_id


def _write_turn(stage: _Stage, decision: triage.Decision, reading: Reading | None) -> int:
    trace: dict[str, Any] = {"source": "demo"}
    if reading is not None:
        trace["analysis"] = reading.to_json()
    turn = Turn(
        conversation_id=stage.conversation_id,
        responder=decision.responder,
        reason=decision.reason,
        language=stage.script.language,
        trace=trace,
        created_at=stage.at,
    )
    db.session.add(turn)
    db.session.flush()
    return turn.id


def _point(message_id: int, turn_id: int) -> None:
    db.session.execute(
        update(Message)
        .where(Message.id == message_id)
        .values(turn_id=turn_id)
        .execution_options(synchronize_session=False)
    )


def _operator_says(stage: _Stage, line: Line) -> None:
    conversation = _conversation(stage)
    if not conversation.is_with_person:
        conversations.take_over(conversation, None, now=stage.at, reason="taken over")
    alerts.settle(f"waiting:{stage.conversation_id}", now=stage.at)
    stage.wait(OPERATOR_SECS)
    _say(stage, [Text(line.operator)], sender="operator", failure=line.fails)
    _touch(stage, line.operator, unread_count=0)


def _say(
    stage: _Stage,
    contents: Iterable[Content],
    *,
    sender: str,
    turn_id: int | None = None,
    failure: str = "",
) -> None:
    """Write what we said, with the receipts that it got."""
    contents = list(contents)
    ids = whatsapp_service.queue(
        stage.conversation_id, stage.number, contents, sender=sender, now=stage.at, turn_id=turn_id
    )
    for message_id in ids:
        fate = {"error_code": failure, "error_text": FAILURES[failure]} if failure else {}
        db.session.execute(
            update(Message)
            .where(Message.id == message_id)
            .values(
                status="failed" if failure else _status(stage),
                status_at=min(stage.until, stage.at + timedelta(seconds=stage.rng.uniform(2, 50))),
                send_due_at=None,
                external_id=stage.next_id(),
                attempts=1,
                **fate,
            )
            .execution_options(synchronize_session=False)
        )
    if contents:
        _touch(stage, contents[-1].summary)


def _status(stage: _Stage) -> str:
    return stage.rng.choices(("read", "delivered", "sent"), (84, 14, 2))[0]


def _touch(stage: _Stage, preview: str, **values: Any) -> None:
    db.session.execute(
        update(Conversation)
        .where(Conversation.id == stage.conversation_id)
        .values(
            last_preview=preview.replace("\n", " ")[: received.PREVIEW_CHARS],
            last_message_at=stage.at,
            **values,
        )
        .execution_options(synchronize_session=False)
    )
    db.session.expire_all()


def _pay_last_order(stage: _Stage) -> None:
    stage.wait(OPERATOR_SECS)
    order = db.session.scalars(
        select(Order)
        .where(Order.conversation_id == stage.conversation_id, Order.status == "placed")
        .order_by(Order.id.desc())
        .limit(1)
    ).first()
    if order is None:
        raise LookupError(f"{stage.script.name} has ordered nothing that could be paid")
    order.status, order.payment_status, order.updated_at = "paid", "paid", stage.at
    db.session.flush()


def _end(stage: _Stage) -> None:
    """Let time do its work: old conversations have been read, and their alerts acknowledged."""
    if stage.until - stage.at < UNREAD_FOR:
        return
    conversation = _conversation(stage)
    conversation.unread_count = 0
    if stage.until - stage.at > FORGOTTEN_AFTER:
        for alert in db.session.scalars(
            select(Alert).where(Alert.conversation_id == stage.conversation_id, Alert.open_topic.is_not(None))
        ).all():
            alerts.acknowledge(alert.id, now=stage.at)
        if conversation.is_with_person:
            conversations.hand_back(conversation, now=stage.at)
    db.session.flush()


def _conversation(stage: _Stage) -> Conversation:
    return db.session.get_one(Conversation, stage.conversation_id)
