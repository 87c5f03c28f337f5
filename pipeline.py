"""One turn of one conversation, from inbox to outbox: the steps in order, nothing clever. The room to read first.

`tasks` calls `work_inbound` with a lane. Each turn is *read*, *decided*, and *applied* in one commit that also proves the
lane's lease: analysis, menu step, records, queued messages and the events' end stand or fall together. A crash before it
leaves the events pending, and the turn is made again with nothing doubled.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any, Final

import structlog
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError, OperationalError

import ai_service
import alerts
import conversations
import flow_actions
import integrations
import lanes
import menu_flows
import side_events
import texts
import triage
import whatsapp_service
from analysis import Reading
from config import Config
from conversations import Session, Thread
from flow_actions import ActionContext
from integrations import Number
from lanes import Lease, LeaseLost
from menu_flows import Turn as FlowTurn
from message_content import Content, Text
from models import Conversation, Message, Turn, WebhookEvent, db, reading
from providers import provider
from providers.base import Event, InboundMessage
from triage import Decision, Situation

log = structlog.get_logger()

EVENTS_PER_LOOK: Final = 50
MAX_TRIES: Final = 5
MAX_ACTIONS: Final = 5
# A greeting tells a language only when nothing is known yet; a switch needs a sentence.
FIRST_LANGUAGE_CONFIDENCE: Final = 0.5
SWITCH_CONFIDENCE: Final = 0.9
SWITCH_MIN_WORDS: Final = 4


class TurnOutdated(Exception):
    """The conversation changed hands while the turn was decided; it must be decided again."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What every turn needs of its surroundings: settings, a clock, and who is working."""

    config: Config
    clock: Callable[[], datetime]
    holder: str
    lease_secs: float = lanes.LEASE_SECS


@dataclass(frozen=True, slots=True)
class Worked:
    """What a look at a lane led to: whose outbox to deliver now, and when the lane wants to be looked at again."""

    conversation_ids: tuple[int, ...] = ()
    look_again_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """One stored event, read."""

    event_id: int
    number: Number
    event: Event
    received_at: datetime
    attempts: int
    due_at: datetime | None

    @property
    def order(self) -> tuple[datetime, int]:
        sent_at = self.event.sent_at if isinstance(self.event, InboundMessage) else None
        return (sent_at or self.received_at, self.event_id)


@dataclass(frozen=True, slots=True)
class Understanding:
    """What a message (or a burst of fragments read as one) was taken for."""

    text: str
    reading: Reading | None
    language: str
    decision: Decision
    session: Session | None
    flow: str | None


@dataclass
class Answer:
    """A turn's outcome, filled in parts: gathered and decided first, completed inside the write transaction."""

    contents: list[Content] = field(default_factory=list)
    flow: str | None = None
    flow_turn: FlowTurn | None = None
    source: str = ""
    actions: list[dict[str, Any]] = field(default_factory=list)


# --- the lane -----------------------------------------------------------------------------------------------


def work_inbound(lane: str, desk: Desk) -> Worked:
    """Answer everything that is due in one person's inbound lane, in order. Commits once per turn.

    Gives up quietly when another worker holds the lane or took it over. Database failures are raised: nothing is lost,
    the rows stay pending.
    """
    touched: dict[int, None] = {}
    look_again_at: datetime | None = None
    while True:
        lease = lanes.claim(lane, desk.holder, desk.lease_secs)
        if lease is None:
            break
        try:
            look_again_at = _drain(lease, desk, touched)
        except LeaseLost:
            db.session.rollback()
            log.warning("lease_lost", lane=lane)
            break
        with reading():
            # What came between the last look and the release saw a live lease and left.
            came_meanwhile = lanes.has_pending_events(lane, desk.clock())
            db.session.rollback()
        if not came_meanwhile:
            break
    return Worked(tuple(touched), look_again_at)


def _drain(lease: Lease, desk: Desk, touched: dict[int, None]) -> datetime | None:
    """Take turns until nothing is due, and let the lease go; give when a waiting burst is to be looked at again."""
    outdated_count = 0
    while arrivals := _arrivals(lease, desk):
        first = arrivals[0]
        if first.attempts and first.due_at is not None and first.due_at > desk.clock():
            break  # it failed and rests; what follows it stays behind it
        try:
            waits_until = _take_turn(lease, desk, arrivals, touched)
            if waits_until is not None:
                return waits_until
            outdated_count = 0
        except (LeaseLost, OperationalError):
            db.session.rollback()
            raise
        except Exception as error:
            db.session.rollback()
            outdated_count += 1
            if isinstance(error, TurnOutdated) and outdated_count < MAX_TRIES:
                continue
            _note_failure(lease, desk, first, error)
            return None
    lanes.release(lease)
    return None


def _arrivals(lease: Lease, desk: Desk) -> list[Arrival]:
    """Read what is pending in the lane; events of a number that was switched off are set aside."""
    with reading():
        rows = db.session.execute(
            select(
                WebhookEvent.id,
                WebhookEvent.integration_id,
                WebhookEvent.provider,
                WebhookEvent.payload,
                WebhookEvent.received_at,
                WebhookEvent.attempts,
                WebhookEvent.due_at,
            )
            .where(WebhookEvent.state == "pending", WebhookEvent.lane == lease.key)
            .order_by(WebhookEvent.id)
            .limit(EVENTS_PER_LOOK)
        ).all()
        number = integrations.number(rows[0].integration_id) if rows else None
        db.session.rollback()
    if number is None:
        _set_aside(lease, desk, [row.id for row in rows])
        return []
    return [
        Arrival(row.id, number, provider(row.provider).parse(row.payload), row.received_at, row.attempts, row.due_at)
        for row in rows
    ]


def _set_aside(lease: Lease, desk: Desk, event_ids: Sequence[int]) -> None:
    if event_ids:
        lanes.confirm(lease, desk.lease_secs)
        _end_events(event_ids, "unknown")
        db.session.commit()


def _take_turn(
    lease: Lease, desk: Desk, arrivals: Sequence[Arrival], touched: dict[int, None]
) -> datetime | None:
    """Answer the first message (with its burst), or record the first event that is no message."""
    began = perf_counter()
    first = arrivals[0]
    if not _is_spoken(first.event):
        touched.update(dict.fromkeys(_record(lease, desk, first)))
        return None
    thread = _thread(lease, desk, first)
    now = desk.clock()
    burst, understanding = _understand(desk, thread, arrivals, now)
    if understanding.decision.waits_for_more:
        quiet_at = _quiet_at(desk, burst, arrivals)
        if quiet_at > now:
            _wait(lease, burst, quiet_at)
            return quiet_at
    understood = perf_counter()
    answer = _gather(desk, thread, burst, understanding, now)
    gathered = perf_counter()
    _apply(lease, desk, thread, burst, understanding, answer, now, (began, understood, gathered))
    touched[thread.conversation_id] = None
    return None


# --- read ---------------------------------------------------------------------------------------------------


def _is_spoken(event: Event) -> bool:
    return isinstance(event, InboundMessage) and event.kind not in side_events.QUIET_KINDS


def _thread(lease: Lease, desk: Desk, arrival: Arrival) -> Thread:
    """Find whose conversation it is; a new person, or a new name of a known one, is written down first."""
    person = _message(arrival).sender
    with reading():
        thread = conversations.find_thread(arrival.number, person)
        db.session.rollback()
    if thread is not None:
        return thread
    try:
        lanes.confirm(lease, desk.lease_secs)
        is_demo = arrival.number.account.provider == "simulator"
        conversations.admit(arrival.number, person, now=desk.clock(), is_demo=is_demo)
        db.session.commit()
    except IntegrityError as error:
        # Another lane of the same person (her number without her id) was quicker: what it wrote is there now.
        db.session.rollback()
        raise TurnOutdated from error
    with reading():
        thread = conversations.find_thread(arrival.number, person)
        db.session.rollback()
    if thread is None:
        raise TurnOutdated
    return thread


# --- understand and triage ----------------------------------------------------------------------------------


def _understand(
    desk: Desk, thread: Thread, arrivals: Sequence[Arrival], now: datetime
) -> tuple[list[Arrival], Understanding]:
    """Decide who answers the first message; free text for the AI takes the fragments that follow it along."""
    first = _understand_one(desk, thread, arrivals[0], now)
    if not first.decision.waits_for_more:
        return [arrivals[0]], first
    burst = _burst(desk, thread, arrivals, now)
    if len(burst) == 1:
        return burst, first
    joined = "\n".join(a.event.text for a in burst if isinstance(a.event, InboundMessage))
    return burst, _understand_one(desk, thread, burst[0], now, text=joined)


def _burst(desk: Desk, thread: Thread, arrivals: Sequence[Arrival], now: datetime) -> list[Arrival]:
    """Take the run of free texts at the head of the lane; a menu word, digit or button ends it."""
    burst = [arrivals[0]]
    for arrival in arrivals[1:]:
        is_text = isinstance(arrival.event, InboundMessage) and arrival.event.kind == "text"
        if not is_text or not _understand_one(desk, thread, arrival, now).decision.waits_for_more:
            break
        burst.append(arrival)
    return sorted(burst, key=lambda arrival: arrival.order)


def _quiet_at(desk: Desk, burst: Sequence[Arrival], arrivals: Sequence[Arrival]) -> datetime:
    """Give when the burst may be answered: quiet for a while, waited for long enough, or ended by something else."""
    first, last = min(a.received_at for a in burst), max(a.received_at for a in burst)
    if len(arrivals) > len(burst):
        return first
    quiet, longest = desk.config.quiet_secs, desk.config.quiet_max_secs
    return min(last + timedelta(seconds=quiet), first + timedelta(seconds=longest))


def _wait(lease: Lease, burst: Sequence[Arrival], until: datetime) -> None:
    db.session.execute(
        update(WebhookEvent)
        .where(WebhookEvent.id.in_([arrival.event_id for arrival in burst]))
        .values(due_at=until)
        .execution_options(synchronize_session=False)
    )
    lanes.let_go(lease)
    db.session.commit()


def _understand_one(
    desk: Desk, thread: Thread, arrival: Arrival, now: datetime, *, text: str | None = None
) -> Understanding:
    message = arrival.event
    if not isinstance(message, InboundMessage):
        raise TypeError("only messages are understood")
    text = message.text if text is None else text
    session = thread.open_session(now, timedelta(minutes=desk.config.session_timeout_mins))
    flow_name = _flow_of(message, session, arrival.number)
    language = thread.language or arrival.number.language
    flow = menu_flows.shipped()[flow_name]
    step, data = (session.step, session.data) if session and session.flow == flow_name else (None, {})
    scene = flow.scene(step) if step else None
    awaits = scene.awaits if scene else None
    names_choice = menu_flows.chooses(flow, step, data, text, message.choice_id, language)
    reading_ = None
    if text and not names_choice:
        reading_ = ai_service.understand(text, now=now, region=thread.country, language=thread.language)
        if awaits in (None, "choice"):
            language = _language(thread, arrival.number, text, reading_)
    decision = triage.decide(
        Situation(
            kind=message.kind,
            text=text,
            is_group=message.group_id is not None,
            is_too_old=_is_too_old(desk, message, arrival.received_at),
            is_first_contact=thread.is_first_contact,
            has_opted_out=thread.has_opted_out,
            is_with_person=thread.is_with_person(now),
            awaits=awaits,
            names_choice=names_choice,
            menu_word=menu_flows.is_menu_word(text),
            flow=flow_name,
            intent=reading_.intent if reading_ else "other",
            intent_confidence=reading_.intent_confidence if reading_ else 0.0,
            sentiment=reading_.sentiment if reading_ else "neutral",
            urgency=reading_.urgency if reading_ else "low",
        )
    )
    return Understanding(text, reading_, language, decision, session, decision.flow or flow_name)


def _flow_of(message: InboundMessage, session: Session | None, number: Number) -> str:
    """Name the flow that a message belongs to: of the button pressed, else the open one, else the number's start."""
    flows = menu_flows.shipped()
    pressed = (message.choice_id or "").partition("/")[0]
    for name in (pressed, session.flow if session and session.step else "", number.start_flow):
        if name in flows:
            return name
    return next(iter(flows))


def _language(thread: Thread, number: Number, text: str, found: Reading) -> str:
    if thread.language is None:
        return found.language if found.language_confidence >= FIRST_LANGUAGE_CONFIDENCE else number.language
    is_sentence = len(text.split()) >= SWITCH_MIN_WORDS
    if is_sentence and found.language_confidence >= SWITCH_CONFIDENCE:
        return found.language
    return thread.language


def _is_too_old(desk: Desk, message: InboundMessage, received_at: datetime) -> bool:
    """Meta sends a week of backlog after an outage; nobody wants last week's answer."""
    return received_at - (message.sent_at or received_at) > timedelta(seconds=desk.config.answer_max_age_secs)


# --- answer: gather and decide ------------------------------------------------------------------------------


def _gather(
    desk: Desk, thread: Thread, burst: Sequence[Arrival], understanding: Understanding, now: datetime
) -> Answer:
    """Make the answer as far as it needs no write: flow steps and reading actions, or a reply."""
    decision, language = understanding.decision, understanding.language
    number = burst[0].number
    if decision.effect == "opt_out":
        return Answer([Text(texts.text("opt_out_confirmed", language))], source="fixed text")
    if decision.effect == "hand_over":
        return Answer([Text(texts.text("handed_over", language))], source="fixed text")
    if decision.effect == "cannot_read":
        reply = ai_service.receive_media(_message(burst[0]).kind, language=language)
        return Answer(list(reply.contents), source=reply.source)
    if decision.responder in ("human", "nobody"):
        return Answer()
    if decision.responder == "ai":
        reply = ai_service.reply(understanding.reading, language=language, start_flow=number.start_flow)
        return Answer(list(reply.contents), source=reply.source)
    answer = Answer(flow=understanding.flow)
    if decision.effect == "opt_in":
        answer.contents.append(Text(texts.text("opted_in", language)))
    if _message(burst[0]).kind == "order":
        return answer  # the cart is filled inside the write transaction
    answer.flow_turn = _advance(desk, thread, burst[0], understanding, now)
    _run_actions(desk, thread, burst[0], understanding, answer, now, is_writing=False)
    return answer


def _advance(
    desk: Desk, thread: Thread, arrival: Arrival, understanding: Understanding, now: datetime
) -> FlowTurn:
    flow = menu_flows.shipped()[understanding.flow or arrival.number.start_flow]
    session = understanding.session
    is_same = session is not None and session.flow == flow.name and understanding.decision.flow is None
    step, data = (session.step, session.data) if session and is_same else (None, {})
    return menu_flows.advance(
        flow,
        step,
        data,
        understanding.text if understanding.decision.effect != "opt_in" else "menu",
        choice_id=_message(arrival).choice_id,
        language=understanding.language,
        now=now,
        context=_context(desk, thread, arrival.number, understanding.language),
    )


def _run_actions(
    desk: Desk,
    thread: Thread,
    arrival: Arrival,
    understanding: Understanding,
    answer: Answer,
    now: datetime,
    *,
    is_writing: bool,
    message_id: int | None = None,
) -> None:
    """Run the flow's actions one after the other; outside the write transaction it stops before the first that writes."""
    flow = menu_flows.shipped()[answer.flow or arrival.number.start_flow]
    turn = answer.flow_turn
    ctx = _action_context(desk, thread, arrival, understanding, now, message_id)
    while turn is not None and turn.action is not None and len(answer.actions) < MAX_ACTIONS:
        name = turn.action.name
        if flow_actions.writes(name) and not is_writing:
            break
        started = perf_counter()
        if is_writing:
            result = flow_actions.apply(name, turn.action.args, ctx)
        else:
            gathered = flow_actions.gather(name, turn.action.args, ctx)
            result = gathered or flow_actions.ActionResult(flow_actions.FAILED)
        answer.actions.append({"action": name, "outcome": result.outcome, "ms": _ms(perf_counter() - started)})
        turn = menu_flows.resume(
            flow,
            turn,
            result.outcome,
            result.facts,
            language=understanding.language,
            now=now,
            context=_context(desk, thread, arrival.number, understanding.language),
        )
    answer.flow_turn = turn


def _action_context(
    desk: Desk,
    thread: Thread,
    arrival: Arrival,
    understanding: Understanding,
    now: datetime,
    message_id: int | None,
) -> ActionContext:
    return ActionContext(
        config=desk.config,
        contact_id=thread.contact_id,
        conversation_id=thread.conversation_id,
        integration_id=thread.integration_id,
        language=texts.text_language(understanding.language),
        now=now,
        message_id=message_id,
        idempotency_key=str(arrival.event_id),
        flow=understanding.flow or "",
        **({"priority": understanding.reading.urgency} if understanding.reading else {}),
    )


def _context(desk: Desk, thread: Thread, number: Number, language: str) -> dict[str, Any]:
    return {
        "business_name": number.name,
        "booking_url": desk.config.booking_url,
        "brochure_url": desk.config.brochure_url,
        "contact_name": thread.name,
        "region": thread.country,
        "time_zone": desk.config.time_zone,
        "language": texts.text_language(language),
    }


# --- apply: the one commit ----------------------------------------------------------------------------------


def _apply(
    lease: Lease,
    desk: Desk,
    thread: Thread,
    burst: Sequence[Arrival],
    understanding: Understanding,
    answer: Answer,
    now: datetime,
    times: tuple[float, float, float],
) -> None:
    """Write the whole turn in one transaction that proves the lease. Raises LeaseLost and TurnOutdated."""
    number, decision = burst[0].number, understanding.decision
    lanes.confirm(lease, desk.lease_secs)
    _claim_conversation(thread, burst, understanding, now)
    message_ids = [_store(thread, arrival, understanding, now) for arrival in burst]
    _apply_effect(thread, decision, now)
    if _message(burst[0]).kind == "order":
        _take_order(desk, thread, burst[0], understanding, answer, now, message_ids[0])
    else:
        _run_actions(
            desk,
            thread,
            burst[0],
            understanding,
            answer,
            now,
            is_writing=True,
            message_id=message_ids[-1],
        )
    contents = answer.contents + list(answer.flow_turn.say if answer.flow_turn else ())
    turn_id = _write_turn(lease, thread, burst, understanding, answer, now, times)
    _point_at_turn(message_ids, turn_id)
    if contents:
        sender = "bot"
        whatsapp_service.queue(
            thread.conversation_id, number, contents, sender=sender, now=now, turn_id=turn_id
        )
        _show_last(thread, contents[-1], now)
    if answer.flow_turn is not None and answer.flow is not None:
        conversations.save_session(
            thread.conversation_id,
            is_known=thread.session is not None,
            flow=answer.flow,
            step=answer.flow_turn.step,
            data=answer.flow_turn.data,
            now=now,
        )
    _end_events([arrival.event_id for arrival in burst], "done")
    db.session.commit()


def _claim_conversation(
    thread: Thread, burst: Sequence[Arrival], understanding: Understanding, now: datetime
) -> None:
    """Open the window and count as unread, unless the conversation changed hands since it was read."""
    last = _message(burst[-1])
    opened_at = min(last.sent_at or burst[-1].received_at, burst[-1].received_at)
    if thread.last_inbound_at is not None:
        opened_at = max(opened_at, thread.last_inbound_at)
    values: dict[str, Any] = {
        "last_inbound_at": opened_at,
        "last_message_at": now,
        "last_preview": whatsapp_service.preview_of(last),
        "unread_count": Conversation.unread_count + len(burst),
        "is_closed": False,
    }
    if thread.handler == "human" and not thread.is_with_person(now):
        values |= {"handler": "bot", "handler_reason": "", "operator_id": None, "handover_ends_at": None}
    claimed = db.session.execute(
        update(Conversation)
        .where(Conversation.id == thread.conversation_id, Conversation.handler == thread.handler)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    if claimed.rowcount != 1:
        raise TurnOutdated
    if understanding.language != thread.language and understanding.reading is not None:
        conversations.set_language(thread.contact_id, understanding.language)


def _store(thread: Thread, arrival: Arrival, understanding: Understanding, now: datetime) -> int:
    message = _message(arrival)
    if message.referral is not None:
        conversations.remember_referral(thread.contact_id, message.referral)
    found = understanding.reading
    columns: dict[str, Any] = {}
    if found is not None:
        columns = {
            "language": found.language,
            "intent": found.intent,
            "buying_signal": found.buying_signal,
            "sentiment": found.sentiment,
            "sentiment_score": found.sentiment_score,
            "urgency": found.urgency,
        }
    return whatsapp_service.store_inbound(thread.conversation_id, arrival.number, message, now=now, **columns)


def _apply_effect(thread: Thread, decision: Decision, now: datetime) -> None:
    if decision.effect == "opt_out":
        conversations.cancel_unsent(thread.conversation_id, now=now)
        conversations.opt_out(thread.contact_id, now=now)
    elif decision.effect == "opt_in":
        conversations.opt_in(thread.contact_id)
    elif decision.effect == "hand_over":
        conversation = db.session.get_one(Conversation, thread.conversation_id)
        conversations.take_over(conversation, None, now=now, reason=decision.reason)
        alerts.raise_alert(
            "waiting",
            f"waiting:{conversation.id}",
            f"A customer waits for a person: {decision.reason}",
            conversation_id=conversation.id,
            now=now,
        )


def _take_order(
    desk: Desk,
    thread: Thread,
    arrival: Arrival,
    understanding: Understanding,
    answer: Answer,
    now: datetime,
    message_id: int,
) -> None:
    """Make a catalogue order the cart, and show it as the shop's flow does."""
    ctx = _action_context(desk, thread, arrival, understanding, now, message_id)
    taken = flow_actions.take_catalog_order(_message(arrival).order_items, ctx)
    answer.actions.append({"action": "take_catalog_order", "outcome": taken.outcome})
    left_out = taken.facts.get("left_out")
    if left_out:
        answer.contents.append(
            Text(texts.text("order_left_out", understanding.language, names=", ".join(left_out)))
        )
    flow = menu_flows.shipped()["shop"]
    answer.flow, answer.flow_turn = (
        flow.name,
        menu_flows.advance(
            flow,
            None,
            {},
            "menu",
            choice_id=f"{flow.name}/{flow.start}:cart" if taken.outcome == "found" else None,
            language=understanding.language,
            now=now,
            context=_context(desk, thread, arrival.number, understanding.language),
        ),
    )
    _run_actions(desk, thread, arrival, understanding, answer, now, is_writing=True, message_id=message_id)


def _write_turn(
    lease: Lease,
    thread: Thread,
    burst: Sequence[Arrival],
    understanding: Understanding,
    answer: Answer,
    now: datetime,
    times: tuple[float, float, float],
) -> int:
    began, understood, gathered = times
    session, turn = understanding.session, answer.flow_turn
    trace: dict[str, Any] = {
        "lane": lease.key,
        "events": [arrival.event_id for arrival in burst],
        "waited_ms": _ms((now - burst[0].received_at).total_seconds()),
        "source": answer.source,
        "actions": answer.actions,
        "ms": {
            "read": _ms(understood - began),
            "decide": _ms(gathered - understood),
            "apply": _ms(perf_counter() - gathered),
        },
    }
    if understanding.reading is not None:
        trace["analysis"] = understanding.reading.to_json()
    result = db.session.execute(
        insert(Turn).values(
            conversation_id=thread.conversation_id,
            responder=understanding.decision.responder,
            reason=understanding.decision.reason[:160],
            language=understanding.language,
            flow=answer.flow,
            step_before=session.step if session and session.flow == answer.flow else None,
            step_after=turn.step if turn else None,
            trace=trace,
            created_at=now,
        )
    )
    return int(result.inserted_primary_key[0])


def _point_at_turn(message_ids: Sequence[int], turn_id: int) -> None:
    db.session.execute(
        update(Message)
        .where(Message.id.in_(message_ids))
        .values(turn_id=turn_id)
        .execution_options(synchronize_session=False)
    )


def _show_last(thread: Thread, content: Content, now: datetime) -> None:
    db.session.execute(
        update(Conversation)
        .where(Conversation.id == thread.conversation_id)
        .values(
            last_preview=content.summary.replace("\n", " ")[: whatsapp_service.PREVIEW_CHARS],
            last_message_at=now,
        )
        .execution_options(synchronize_session=False)
    )


def _end_events(event_ids: Sequence[int], state: str) -> None:
    db.session.execute(
        update(WebhookEvent)
        .where(WebhookEvent.id.in_(event_ids))
        .values(state=state, due_at=None)
        .execution_options(synchronize_session=False)
    )


def _record(lease: Lease, desk: Desk, arrival: Arrival) -> tuple[int, ...]:
    """Apply one event that asks for no answer, in one commit; gives the conversations that it touched."""
    lanes.confirm(lease, desk.lease_secs)
    try:
        touched = side_events.record(arrival.number, arrival.event, now=desk.clock())
        _end_events([arrival.event_id], "ignored" if touched is None else "done")
        db.session.commit()
    except IntegrityError as error:
        raise TurnOutdated from error
    return () if touched is None else (touched,)


# --- when it fails ------------------------------------------------------------------------------------------


def _note_failure(lease: Lease, desk: Desk, arrival: Arrival, error: Exception) -> None:
    """Try a failing event again later, and after MAX_TRIES set it aside, so that the person's next words are answered."""
    log.exception("turn_failed", event_id=arrival.event_id, lane=lease.key, error=type(error).__name__)
    now, attempts = desk.clock(), arrival.attempts + 1
    is_over = attempts >= MAX_TRIES
    db.session.execute(
        update(WebhookEvent)
        .where(WebhookEvent.id == arrival.event_id)
        .values(
            attempts=attempts,
            state="failed" if is_over else "pending",
            due_at=None if is_over else now + timedelta(seconds=2.0**attempts),
            error=type(error).__name__[:255],
        )
        .execution_options(synchronize_session=False)
    )
    if is_over:
        text = f"Message event {arrival.event_id} could not be worked on and was set aside."
        alerts.raise_alert("turn_failed", f"event:{arrival.event_id}", text, now=now)
    lanes.let_go(lease)
    db.session.commit()


def _message(arrival: Arrival) -> InboundMessage:
    assert isinstance(arrival.event, InboundMessage)
    return arrival.event


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
