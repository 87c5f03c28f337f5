"""One turn of one conversation, from inbox to outbox: the steps in order, nothing clever. Read this first.

`tasks` calls `work_inbound` with a lane. Each turn is *read*, *understood*, *answered*, and *applied* in one
commit that also proves the lane's lease: analysis, menu step, records, queued messages and the events' end
stand or fall together. A crash before it leaves the events pending, and the turn is made again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from time import perf_counter
from typing import Any, Final

import structlog
from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError, OperationalError

import alerts
import answering
import conversations
import flow_turns
import flow_versions
import hearing
import integrations
import lanes
import learning
import logs
import metrics
import model_calls
import received
import side_events
import texts
import understanding
import whatsapp_service
from ai_service import Assistant
from config import Config
from consulting import Means
from conversations import Thread
from crm import hand_overs, heard
from crm.teams import ESCALATION, SUPPORT
from flow_turns import Answer
from lanes import Lease, LeaseLost
from message_content import Text
from models import Conversation, Turn, UtcDateTime, WebhookEvent, db, reading
from owner import replies as owner_replies
from owner.replies import Wish
from providers import provider
from providers.base import InboundMessage
from statements import changed_rows, inserted_id, is_deadlock, table
from triage import ALARMED, IN_DANGER, Decision
from understanding import Arrival, Understanding

log = structlog.get_logger()

EVENTS_PER_LOOK: Final = 50
MAX_TRIES: Final = 5
HAND_OVER: Final = "hand_over"
COMPLAINT: Final = "complaint"
REFUSAL: Final = "not_interested"

_EVENT = table(WebhookEvent).c
_CONVERSATION = table(Conversation).c

# Every turn runs these; statements that are built once cost a third of those built each time.
_LOOK = (
    select(_EVENT.id, _EVENT.integration_id, _EVENT.provider, _EVENT.payload)
    .add_columns(*(_EVENT[name] for name in ("received_at", "attempts", "due_at", "trace_id")))
    .where(_EVENT.state == "pending", _EVENT.lane == bindparam("lane"))
    .order_by(_EVENT.id)
    .limit(EVENTS_PER_LOOK)
)
_END = (
    update(table(WebhookEvent))
    .where(_EVENT.id.in_(bindparam("ids", expanding=True)))
    .values(state=bindparam("new_state"), due_at=None)
)
_WRITE_TURN = insert(table(Turn))
_CLAIM_CONVERSATION = (
    update(table(Conversation))
    .where(_CONVERSATION.id == bindparam("conversation"), _CONVERSATION.handler == bindparam("seen_handler"))
    .values(
        last_inbound_at=bindparam("opened_at", type_=UtcDateTime()),
        last_message_at=bindparam("now", type_=UtcDateTime()),
        last_preview=bindparam("preview"),
        unread_count=_CONVERSATION.unread_count + bindparam("unread"),
        is_closed=False,
        snoozed_until=None,
        **{name: func.coalesce(bindparam(f"read_{name}"), _CONVERSATION[name]) for name in received.MOOD},
    )
)


class TurnOutdated(Exception):
    """What the turn was decided on has changed meanwhile; it must be decided again."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What every turn needs of its surroundings: settings, a clock, and who is working."""

    config: Config
    clock: Callable[[], datetime]
    holder: str
    lease_secs: float = lanes.LEASE_SECS
    assistant: Assistant | None = None
    rng: Random = field(default_factory=Random)  # the dice; a rehearsal brings its own
    show_typing: Callable[[Arrival], None] = lambda arrival: None


@dataclass(frozen=True, slots=True)
class Worked:
    """What a look at a lane led to: whose outbox to deliver now, which of them a person has from now on, when
    the lane wants to be looked at again, and the message that will be answered then."""

    conversation_ids: tuple[int, ...] = ()
    look_again_at: datetime | None = None
    will_answer: Arrival | None = None
    handed_over: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Look:
    """What a lane holds, and whose it is when that is known already."""

    arrivals: tuple[Arrival, ...]
    thread: Thread | None


# --- the lane -----------------------------------------------------------------------------------------------


def work_inbound(lane: str, desk: Desk) -> Worked:
    """Answer everything that is due in one person's inbound lane, in order; one lease and one commit per
    turn.

    Gives up quietly when another worker holds the lane or took it over. Database failures are raised: nothing
    is lost, the rows stay pending.
    """
    touched: dict[int, bool] = {}  # by conversation: whether a person has it from now on
    outdated_count = 0
    # Looked at again after each turn: what came during it saw a live lease and left.
    while (lease := lanes.take_pending(lane, desk.holder, desk.lease_secs, desk.clock())) is not None:
        look = _look(lease)
        db.session.commit()
        try:
            with logs.tracing(look.arrivals[0].trace_id if look.arrivals else None):
                look_again_at = _take_turn(lease, desk, look, touched)
            outdated_count = 0
        except LeaseLost:
            db.session.rollback()
            log.warning("lease_lost")  # a lane's name holds the person's number
            break
        except OperationalError as error:
            db.session.rollback()
            outdated_count += 1
            if not is_deadlock(error) or outdated_count == MAX_TRIES:
                raise
            lanes.release(lease)
            continue
        except Exception as error:
            db.session.rollback()
            outdated_count += 1
            if isinstance(error, TurnOutdated) and outdated_count < MAX_TRIES:
                lanes.release(lease)
                continue
            look_again_at = _note_failure(lease, desk, look.arrivals[0], error)
        if look_again_at is not None:
            last = look.arrivals[-1]
            return _worked(touched, look_again_at, last if last.attempts == 0 else None)
    db.session.rollback()
    return _worked(touched)


def _worked(
    touched: dict[int, bool], look_again_at: datetime | None = None, will_answer: Arrival | None = None
) -> Worked:
    handed_over = tuple(conversation_id for conversation_id, is_so in touched.items() if is_so)
    return Worked(tuple(touched), look_again_at, will_answer, handed_over)


def _look(lease: Lease) -> _Look:
    """Read what is pending in the lane and, for a message of a known person, her thread."""
    rows = db.session.execute(_LOOK, {"lane": lease.key}).all()
    number = integrations.number(rows[0].integration_id) if rows else None
    if number is None:
        _set_aside([row.id for row in rows])
        return _Look((), None)
    arrivals = tuple(
        Arrival(row.id, number, provider(row.provider).parse(row.payload), *row[4:]) for row in rows
    )
    first = arrivals[0].event
    thread = conversations.find_thread(number, first.sender) if isinstance(first, InboundMessage) else None
    return _Look(arrivals, thread)


def _set_aside(event_ids: Sequence[int]) -> None:
    """Keep the events of a number that was switched off from coming up again; `replay-events` brings them
    back."""
    if event_ids:
        _end_events(event_ids, "unknown")
        db.session.commit()


def _rests(arrival: Arrival, now: datetime) -> bool:
    """An event that failed waits before it is tried again, and what follows it stays behind it."""
    return arrival.attempts > 0 and arrival.due_at is not None and arrival.due_at > now


def _take_turn(lease: Lease, desk: Desk, look: _Look, touched: dict[int, bool]) -> datetime | None:
    """Answer the first message (with its burst), or record the first event that asks for no answer.

    Ends with the lane let go. Gives when to look again, where something waits.
    """
    began, now = perf_counter(), desk.clock()
    if not look.arrivals:
        lanes.release(lease)
        return None
    first = look.arrivals[0]
    if _rests(first, now):
        lanes.release(lease)
        return first.due_at
    if not isinstance(first.event, InboundMessage) or first.event.kind in side_events.QUIET_KINDS:
        for conversation_id in _record(lease, first, now):
            touched.setdefault(conversation_id, False)
        return None
    thread = look.thread or _admit(lease, desk, first)
    means = Means(
        desk.config,
        desk.assistant,
        lambda: lanes.renew(lease, desk.lease_secs),
        desk.rng,
        lambda: desk.show_typing(first),
    )
    wish = understanding.owners_wish(thread, first)
    if wish is not None:
        _serve_owner(lease, desk, thread, first, wish, touched)
        return None
    arrivals = (hearing.made_out(means, thread, first, now), *look.arrivals[1:])
    timeout = timedelta(minutes=desk.config.session_timeout_mins)
    flow_versions.hold(thread.open_session(now, timeout), thread.integration_id)
    understood, quiet_at = understanding.understand(desk.config, thread, arrivals, now)
    if quiet_at is not None:
        _wait(lease, look.arrivals, quiet_at)
        return quiet_at
    understood = _not_again(thread, understood)
    read = perf_counter()
    answer = hearing.answered(understood, answering.gather(means, thread, understood, now))
    times = {"read": _ms(read - began), "answer": _ms(perf_counter() - read)}
    _apply(lease, desk, thread, understood, answer, now, times)
    was_handed_over = touched.get(thread.conversation_id, False)
    touched[thread.conversation_id] = was_handed_over or _hands_over(understood, answer)
    return None


def _serve_owner(
    lease: Lease, desk: Desk, thread: Thread, arrival: Arrival, wish: Wish, touched: dict[int, bool]
) -> None:
    """Do what the owner's button says and tell her, in the one commit of her turn."""
    now = desk.clock()
    understood = understanding.of_owner(desk.config, thread, arrival, now)
    done = owner_replies.do(
        wish, language=texts.text_language(understood.language), config=desk.config, now=now
    )
    answer = Answer(list(done.contents), source=f"owner: {wish.verb}")
    _apply(lease, desk, thread, understood, answer, now, {})
    for conversation_id in (thread.conversation_id, *done.touched):
        touched.setdefault(conversation_id, False)
    touched.update(dict.fromkeys(done.handed_over, True))


def _hands_over(understood: Understanding, answer: Answer) -> bool:
    """Tell whether the turn gave the conversation to a person, by triage or by a step of a flow."""
    is_done = any(one["action"] == HAND_OVER and one["outcome"] == "done" for one in answer.actions)
    return is_done or understood.decision.effect == HAND_OVER


def _admit(lease: Lease, desk: Desk, arrival: Arrival) -> Thread:
    """Write a new person, or a new name of a known one, down before the turn."""
    person = arrival.message.sender
    try:
        lanes.confirm(lease, desk.lease_secs)
        is_simulated = arrival.number.account.provider == "simulator"
        conversations.admit(arrival.number, person, now=desk.clock(), is_demo=is_simulated)
        db.session.commit()
    except (IntegrityError, conversations.JoinedMeanwhile) as error:
        # Another lane of the same person (her number without her id) was quicker: what it wrote is there now.
        raise TurnOutdated from error
    with reading():
        thread = conversations.find_thread(arrival.number, person)
        db.session.rollback()
    if thread is None:
        raise TurnOutdated
    return thread


def _not_again(thread: Thread, understood: Understanding) -> Understanding:
    """Say once that something cannot be read: Meta marks many kinds so, and some people send nothing else."""
    if understood.first.message.kind != "unsupported" or understood.decision.effect != "cannot_read":
        return understood
    with reading():
        was_told = received.has_unsupported(thread.conversation_id)
        db.session.rollback()
    if not was_told:
        return understood
    return replace(understood, decision=Decision("nobody", "told before that it cannot be read"))


def _wait(lease: Lease, arrivals: Sequence[Arrival], until: datetime) -> None:
    changed_rows(
        update(WebhookEvent)
        .where(WebhookEvent.id.in_([arrival.event_id for arrival in arrivals]))
        .values(due_at=until)
    )
    lanes.let_go(lease)
    db.session.commit()


# --- apply: the one commit ----------------------------------------------------------------------------------


def _apply(
    lease: Lease,
    desk: Desk,
    thread: Thread,
    understood: Understanding,
    answer: Answer,
    now: datetime,
    times: dict[str, float],
) -> None:
    """Write the whole turn in one transaction that proves the lease and lets the lane go.

    Raises LeaseLost and TurnOutdated.
    """
    began = perf_counter()
    _claim_conversation(thread, understood, answer, now)
    turn_id = _write_turn(lease, thread, understood, answer, now, times)
    model_calls.belong_to(turn_id, answer.reply.get("calls", ()))
    _keep_strategy(thread, answer, now)
    try:
        message_ids = _store(thread, understood, answer, now, turn_id)
    except IntegrityError:
        _drop_stored(lease, understood)
        return
    if answer.source != answering.RECEIPT_TAKEN:
        _apply_effect(thread, understood, now)
    if hearing.is_unseen(understood, answer):
        hearing.tell_unseen(thread, understood, now)
    if not answer.is_complete:
        flow_turns.complete(desk.config, thread, understood, answer, now, message_ids[-1])
        _complete_turn(turn_id, lease, understood, answer, times)
    _note_harm(thread, understood, answer, now)
    told = (thread.contact_id, thread.conversation_id, message_ids[-1], understood.text, understood.flow)
    heard.note(heard.Message(*told, understood.reading), now=now)
    _tell_hours(desk, thread, understood, answer, now)
    whatsapp_service.queue(
        thread.conversation_id, understood.number, answer.contents, sender="bot", now=now, turn_id=turn_id
    )
    if answer.flow is not None and answer.flow_turn is not None:
        conversations.save_session(
            thread.conversation_id,
            is_known=thread.session is not None,
            flow=answer.flow,
            step=answer.flow_turn.step,
            data=answer.flow_turn.data,
            now=now,
            version=flow_versions.version_of(answer.flow),
        )
    _end_events([arrival.event_id for arrival in understood.burst], "done")
    lanes.let_go(lease)
    db.session.commit()
    log.info(
        "turn",
        turn_id=turn_id,
        conversation_id=thread.conversation_id,
        responder=understood.decision.responder,
        ms=_ms(perf_counter() - began),
    )
    labels = (understood.number.account.provider, understood.decision.responder)
    metrics.TURNS.labels(*labels).observe(sum(times.values()) / 1000 + perf_counter() - began)
    metrics.WAITS.labels(*labels).observe(max(0.0, (now - understood.first.received_at).total_seconds()))


def _drop_stored(lease: Lease, understood: Understanding) -> None:
    """End the events of messages that are stored already: they came with the history before."""
    db.session.rollback()
    known = [a.event_id for a in understood.burst if received.is_stored(a.number, a.message)]
    if not known:
        raise TurnOutdated
    _end_events(known, "ignored")
    lanes.let_go(lease)
    db.session.commit()


def _claim_conversation(thread: Thread, understood: Understanding, answer: Answer, now: datetime) -> None:
    """Open the window and count as unread, unless the conversation changed hands since it was read."""
    last = understood.burst[-1]
    opened_at = min(last.message.sent_at or last.received_at, last.received_at)
    contents = answer.contents
    preview = contents[-1].summary.replace("\n", " ") if contents else received.preview_of(last.message)
    reading = answer.reading or understood.reading
    claimed = changed_rows(
        _CLAIM_CONVERSATION,
        {
            "conversation": thread.conversation_id,
            "seen_handler": thread.handler,
            "opened_at": max(opened_at, thread.last_inbound_at or opened_at),
            "now": now,
            "preview": preview[: received.PREVIEW_CHARS],
            # What the desk answered itself waits for nobody.
            "unread": 0 if contents else len(understood.burst),
            **{f"read_{name}": getattr(reading, name, None) for name in received.MOOD},
        },
    )
    if claimed != 1:
        raise TurnOutdated
    if thread.handler == "human" and not thread.is_with_person(now):
        conversations.hand_back(db.session.get_one(Conversation, thread.conversation_id), now=now)
    if understood.reading is not None and understood.language != thread.language:
        conversations.set_language(thread.contact_id, understood.language)


def _store(
    thread: Thread, understood: Understanding, answer: Answer, now: datetime, turn_id: int
) -> list[int]:
    columns: dict[str, Any] = {"turn_id": turn_id}
    if (found := answer.reading or understood.reading) is not None:
        for name in ("language", "intent", "buying_signal", "sentiment", "sentiment_score", "urgency"):
            columns[name] = getattr(found, name)
    ids = []
    for arrival in understood.burst:
        if arrival.message.referral is not None:
            conversations.remember_referral(thread.contact_id, arrival.message.referral)
        ids.append(
            received.store_inbound(
                thread.conversation_id,
                arrival.number,
                arrival.message,
                now=now,
                trace_id=arrival.trace_id,
                **columns,
            )
        )
    return ids


def _keep_strategy(thread: Thread, answer: Answer, now: datetime) -> None:
    """Keep the strategy that the reply is written in; a clear refusal ends its episode."""
    if answer.drawn is None:
        return
    learning.keep(answer.drawn, prompt_version=str(answer.reply.get("prompt_version") or ""))
    if answer.reply.get("signal") == REFUSAL:
        learning.note(thread.conversation_id, "refusal", now=now)


def _note_harm(thread: Thread, understood: Understanding, answer: Answer, now: datetime) -> None:
    """Note on the open sales episode what it may have driven somebody to."""
    if understood.decision.entry == COMPLAINT:
        learning.note(thread.conversation_id, COMPLAINT, now=now)
    if _hands_over(understood, answer):
        learning.note(thread.conversation_id, HAND_OVER, now=now)


def _apply_effect(thread: Thread, understood: Understanding, now: datetime) -> None:
    match understood.decision.effect:
        case "opt_out":
            conversations.cancel_unsent(thread.conversation_id, now=now)
            conversations.opt_out(thread.contact_id, now=now)
            learning.note(thread.conversation_id, "opt_out", now=now)
        case "opt_in":
            conversations.opt_in(thread.contact_id)
        case "cannot_read" if understood.first.message.media is not None:
            hearing.tell_unseen(thread, understood, now)
        case "hand_over":
            conversation = db.session.get_one(Conversation, thread.conversation_id)
            reason = understood.decision.reason
            duty = ESCALATION if reason in (ALARMED, IN_DANGER) else SUPPORT
            hand_overs.hand_over(conversation, duty, now=now, reason=reason)


def _tell_hours(desk: Desk, thread: Thread, understood: Understanding, answer: Answer, now: datetime) -> None:
    """Tell a customer who waits for a person while nobody works when somebody will."""
    is_awaited = understood.decision.responder == "human" and understood.decision.effect is None
    if not is_awaited and not _hands_over(understood, answer):
        return
    away = hand_overs.away_text(desk.config, thread.conversation_id, understood.language, now)
    if away is not None:
        answer.closing.append(Text(away))


def _write_turn(
    lease: Lease,
    thread: Thread,
    understood: Understanding,
    answer: Answer,
    now: datetime,
    times: dict[str, float],
) -> int:
    session = understood.session
    return inserted_id(
        _WRITE_TURN,
        {
            "conversation_id": thread.conversation_id,
            "responder": understood.decision.responder,
            "reason": understood.decision.reason[:160],
            "language": understood.language,
            "flow": answer.flow,
            "step_before": session.step if session and session.flow == answer.flow else None,
            "step_after": answer.flow_turn.step if answer.flow_turn else None,
            "trace": _trace(lease, understood, answer, now, times),
            "trace_id": understood.first.trace_id,
            "created_at": now,
        },
    )


def _complete_turn(
    turn_id: int, lease: Lease, understood: Understanding, answer: Answer, times: dict[str, float]
) -> None:
    """Add to the turn what was known only after its actions had written."""
    turn = db.session.get_one(Turn, turn_id)
    turn.step_after = answer.flow_turn.step if answer.flow_turn else None
    turn.trace = _trace(lease, understood, answer, turn.created_at, times)
    conversation = db.session.get_one(Conversation, turn.conversation_id, populate_existing=True)
    if answer.contents:
        preview = answer.contents[-1].summary.replace("\n", " ")
        conversation.last_preview = preview[: received.PREVIEW_CHARS]
    db.session.flush()


def _trace(
    lease: Lease, understood: Understanding, answer: Answer, now: datetime, times: dict[str, float]
) -> dict[str, Any]:
    """Give what the x-ray shows of a turn; no customer's words."""
    trace: dict[str, Any] = {
        "lane": lease.key,
        "events": [arrival.event_id for arrival in understood.burst],
        "waited_ms": _ms((now - understood.first.received_at).total_seconds()),
        "source": answer.source,
        "actions": answer.actions,
        "ms": times,
    }
    if answer.reply:
        trace["reply"] = dict(answer.reply)
    if understood.reading is not None:
        trace["analysis"] = understood.reading.to_json()
    return trace


def _end_events(event_ids: Sequence[int], state: str) -> None:
    changed_rows(_END, {"ids": list(event_ids), "new_state": state})


# --- events that ask for no answer, and failures ------------------------------------------------------------


def _record(lease: Lease, arrival: Arrival, now: datetime) -> tuple[int, ...]:
    """Apply one event that asks for no answer, in one commit; gives the conversations that it touched."""
    try:
        touched = side_events.record(arrival.number, arrival.event, now=now)
        _end_events([arrival.event_id], "ignored" if touched is None else "done")
        lanes.let_go(lease)
        db.session.commit()
    except (IntegrityError, conversations.JoinedMeanwhile) as error:
        raise TurnOutdated from error
    return () if touched is None else (touched,)


def _note_failure(lease: Lease, desk: Desk, arrival: Arrival, error: Exception) -> datetime | None:
    """Try a failing event again later, and after MAX_TRIES set it aside, so that the person's next words
    are answered."""
    cause = type(error).__name__
    log.exception("turn_failed", event_id=arrival.event_id, error=cause, trace_id=arrival.trace_id)
    now, attempts = desk.clock(), arrival.attempts + 1
    is_over = attempts >= MAX_TRIES
    due_at = None if is_over else now + timedelta(seconds=2.0**attempts)
    changed_rows(
        update(WebhookEvent)
        .where(WebhookEvent.id == arrival.event_id)
        .values(
            attempts=attempts,
            state="failed" if is_over else "pending",
            due_at=due_at,
            error=cause[:255],
        )
    )
    if is_over:
        text = f"Message event {arrival.event_id} could not be worked on and was set aside."
        alerts.raise_alert("turn_failed", f"event:{arrival.event_id}", text, now=now)
    lanes.let_go(lease)
    db.session.commit()
    return due_at


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
