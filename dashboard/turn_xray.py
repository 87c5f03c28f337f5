"""The x-ray of turns: what was heard, how it was read, who answered and why, what it cost in time, what left.

Called by the simulator page. It reads rows and the trace that the pipeline left on each turn; a trace of an
older version shows less and never fails.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select

import conversations
from message_content import Content, from_json
from models import Conversation, Message, Turn, WebhookEvent, db
from providers import meta_messages, twilio_messages
from providers.base import Account, Person, SendError

TURNS_SHOWN: Final = 8
WRITTEN: Final = "model"  # the source of a reply that a model wrote
READINGS: Final = ("language", "intent", "buying_signal", "sentiment", "sentiment_score", "urgency")


@dataclass(frozen=True, slots=True)
class Reading:
    """One thing that the analysis read out of a text; `confidence` 0 to 1."""

    name: str
    value: str
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a turn and how long it took."""

    name: str
    ms: float


@dataclass(frozen=True, slots=True)
class Payload:
    """A stored element or an outgoing message, as people read it."""

    title: str
    note: str
    payload: str


@dataclass(frozen=True, slots=True)
class ReplyReading:
    """How a written reply came about: the manner, who wrote it, what it rests on, what the guards refused."""

    strategy: str = ""
    stands_in_for: str = ""
    unlogged: str = ""  # why nothing can be learnt from it: off, no_arm
    variant: str = ""
    sources: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    judges: tuple[str, ...] = ()
    breaches: tuple[str, ...] = ()
    tokens: int = 0
    cost_microusd: int = 0
    prompt_version: str = ""

    @property
    def cost_usd(self) -> float:
        return self.cost_microusd / 1_000_000


@dataclass(frozen=True, slots=True)
class TurnReading:
    """The x-ray of one turn."""

    id: int
    at: datetime
    trace_id: str
    lane: str
    waited_ms: float | None
    heard: tuple[str, ...]
    responder: str
    reason: str
    source: str
    reply: ReplyReading | None
    language: str
    flow: str | None
    step_before: str | None
    step_after: str | None
    readings: tuple[Reading, ...]
    entities: tuple[str, ...]
    actions: tuple[str, ...]
    times: tuple[Part, ...]
    events: tuple[Payload, ...]
    outgoing: tuple[Payload, ...]

    @property
    def has_passed_guards(self) -> bool:
        """Whether what left is a model's, and the guards found nothing; the desk's own words meet none."""
        return self.source == WRITTEN and self.reply is not None and not self.reply.breaches

    @property
    def total_ms(self) -> float | None:
        return sum(part.ms for part in self.times) if self.times else None

    @property
    def longest_ms(self) -> float:
        return max((part.ms for part in self.times), default=0.0) or 1.0


def latest_turns(account: Account, conversation: Conversation) -> tuple[TurnReading, ...]:
    """Give the last turns of a conversation, the newest first."""
    rows = list(
        db.session.execute(
            select(Turn)
            .where(Turn.conversation_id == conversation.id)
            .order_by(Turn.id.desc())
            .limit(TURNS_SHOWN)
        ).scalars()
    )
    by_turn: dict[int, list[Message]] = {turn.id: [] for turn in rows}
    for message in db.session.execute(
        select(Message).where(Message.turn_id.in_(by_turn)).order_by(Message.id)
    ).scalars():
        if message.turn_id is not None:
            by_turn[message.turn_id].append(message)
    events = _events_of(rows)
    to = conversations.address_of(conversation.contact_id)
    return tuple(_turn(turn, by_turn[turn.id], events, account, to) for turn in rows)


def _events_of(turns: Sequence[Turn]) -> dict[int, WebhookEvent]:
    """Give the stored elements that led to these turns, by id."""
    ids = [event_id for turn in turns for event_id in _trace(turn).get("events", ())]
    rows = db.session.execute(select(WebhookEvent).where(WebhookEvent.id.in_(ids)))
    return {event.id: event for event in rows.scalars()}


def _trace(turn: Turn) -> dict[str, Any]:
    return turn.trace if isinstance(turn.trace, dict) else {}


def _turn(
    turn: Turn, messages: Sequence[Message], events: Mapping[int, WebhookEvent], account: Account, to: Person
) -> TurnReading:
    trace = _trace(turn)
    stored = [events[event_id] for event_id in trace.get("events", ()) if event_id in events]
    return TurnReading(
        id=turn.id,
        at=turn.created_at,
        trace_id=turn.trace_id or "",
        lane=str(trace.get("lane", "")),
        waited_ms=_number(trace.get("waited_ms")),
        heard=tuple(m.body or f"[{m.kind}]" for m in messages if m.is_inbound),
        responder=turn.responder,
        reason=turn.reason,
        source=str(trace.get("source") or ""),
        reply=reply_of(turn),
        language=turn.language,
        flow=turn.flow,
        step_before=turn.step_before,
        step_after=turn.step_after,
        readings=_readings(trace.get("analysis")),
        entities=_entities(trace.get("analysis")),
        actions=_actions(trace.get("actions")),
        times=_times(trace.get("ms")),
        events=tuple(_event_payload(event) for event in stored),
        outgoing=tuple(_outgoing_payload(m, account, to) for m in messages if not m.is_inbound),
    )


def readings_of(turn: Turn) -> tuple[Reading, ...]:
    """Give what the analysis read out of the words that this turn answers; nothing for an older trace."""
    return _readings(_trace(turn).get("analysis"))


def reply_of(turn: Turn) -> ReplyReading | None:
    """Give how the turn's written reply came about; None for a turn that wrote none."""
    told = _trace(turn).get("reply")
    if not isinstance(told, dict):
        return None
    return ReplyReading(
        strategy=str(told.get("strategy") or ""),
        stands_in_for=str(told.get("stands_in_for") or ""),
        unlogged=str(told.get("unlogged") or ""),
        variant=str(told.get("variant") or ""),
        sources=_words(told.get("sources")),
        models=_words(told.get("models")),
        judges=_words(told.get("judges")),
        breaches=_words(told.get("breaches")),
        tokens=int(_number(told.get("tokens")) or 0),
        cost_microusd=int(_number(told.get("cost_microusd")) or 0),
        prompt_version=str(told.get("prompt_version") or ""),
    )


def _words(listed: Any) -> tuple[str, ...]:
    return tuple(str(one) for one in listed) if isinstance(listed, list) else ()


def _readings(analysis: Any) -> tuple[Reading, ...]:
    """Pair each label of the analysis with its confidence."""
    if not isinstance(analysis, dict):
        return ()
    found = []
    for name in READINGS:
        value = analysis.get(name)
        if value not in (None, ""):
            found.append(Reading(name, str(value), _number(analysis.get(f"{name}_confidence"))))
    return tuple(found)


def _entities(analysis: Any) -> tuple[str, ...]:
    listed = analysis.get("entities") if isinstance(analysis, dict) else None
    found = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return tuple(f"{one.get('type', '')}: {one.get('text', '')}" for one in found)


def _actions(listed: Any) -> tuple[str, ...]:
    found = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return tuple(f"{one.get('action', '')} → {one.get('outcome', '')}" for one in found)


def _times(listed: Any) -> tuple[Part, ...]:
    pairs = listed.items() if isinstance(listed, dict) else ()
    return tuple(Part(str(name), ms) for name, value in pairs if (ms := _number(value)) is not None)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _event_payload(event: WebhookEvent) -> Payload:
    return Payload(f"{event.provider} · {event.kind}", event.event_key, _pretty_bytes(event.payload))


def _outgoing_payload(message: Message, account: Account, to: Person) -> Payload:
    """Give the request as the real provider would have got it."""
    content = _content(message)
    note = " · ".join(part for part in (message.status, message.error_code, message.external_id) if part)
    if content is None:
        return Payload(message.kind, note, message.body)
    reference = str(message.id)
    if account.shape == "twilio":
        request = twilio_messages.prepare(account, to, content, reference=reference)
    else:
        request = meta_messages.prepare(to, content, reference=reference, quotes=message.quotes_external_id)
    shown = request.operator_message if isinstance(request, SendError) else _pretty(request)
    return Payload(message.kind, note, shown)


def _pretty_bytes(payload: bytes) -> str:
    try:
        return _pretty(json.loads(payload))
    except (ValueError, RecursionError):
        return payload.decode("utf-8", "replace")


def _pretty(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _content(message: Message) -> Content | None:
    try:
        return from_json(message.content) if isinstance(message.content, dict) else None
    except ValueError:
        return None  # written by an older version: the body still says it
