"""What a message is taken for: which flow it belongs to, what it means, who answers it, and which fragments
are one burst.

The pipeline calls `understand` with what a lane holds and the thread as it was read. Reads no row and
writes none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import ai_service
import answers
import menu_flows
import triage
from analysis import Reading
from config import Config
from conversations import Session, Thread
from integrations import Number
from providers.base import Event, InboundMessage
from triage import Decision, Situation

# A greeting tells a language only when nothing is known yet; a switch needs a sentence.
FIRST_LANGUAGE_CONFIDENCE: Final = 0.5
# Portuguese and Spanish share whole sentences ("curso de ingles por favor"): nearly sure is not enough.
SWITCH_CONFIDENCE: Final = 0.98
# WhatsApp's own limit; what is longer is stored whole and read to here, so that nobody's novel stops the
# desk.
MAX_READ_CHARS: Final = 4096
SWITCH_MIN_WORDS: Final = 3
# The flow that serves what the open one has no step for.
DESK: Final = "desk"


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
    def message(self) -> InboundMessage:
        if not isinstance(self.event, InboundMessage):
            raise TypeError(f"{type(self.event).__name__} is no message")
        return self.event

    @property
    def order(self) -> tuple[datetime, int]:
        """Within one burst the provider's time counts, then the order of arrival."""
        sent_at = self.event.sent_at if isinstance(self.event, InboundMessage) else None
        return (sent_at or self.received_at, self.event_id)


@dataclass(frozen=True, slots=True)
class Understanding:
    """What a message, or a burst of fragments read as one, was taken for."""

    burst: tuple[Arrival, ...]
    text: str
    reading: Reading | None
    language: str
    decision: Decision
    session: Session | None
    flow: str
    choice_id: str | None = None

    @property
    def first(self) -> Arrival:
        return self.burst[0]

    @property
    def number(self) -> Number:
        return self.burst[0].number


def understand(
    config: Config, thread: Thread, arrivals: Sequence[Arrival], now: datetime
) -> tuple[Understanding, datetime | None]:
    """Decide who answers the first message; free text for the AI takes the fragments that follow it along.

    Gives also until when to wait for more of the burst, None when it is to be answered now.
    """
    first = _understand(config, thread, (arrivals[0],), now)
    if not first.decision.waits_for_more:
        return first, None
    burst = _burst(config, thread, arrivals, now)
    quiet_at = _quiet_at(config, burst, is_ended=len(arrivals) > len(burst))
    if quiet_at > now:
        return first, quiet_at
    return (first if len(burst) == 1 else _understand(config, thread, burst, now)), None


def _burst(config: Config, thread: Thread, arrivals: Sequence[Arrival], now: datetime) -> tuple[Arrival, ...]:
    """Take the run of free texts at the head of the lane; a menu word, digit or button ends it."""
    burst = [arrivals[0]]
    for arrival in arrivals[1:]:
        is_text = isinstance(arrival.event, InboundMessage) and arrival.event.kind == "text"
        if not is_text or not _understand(config, thread, (arrival,), now).decision.waits_for_more:
            break
        burst.append(arrival)
    return tuple(sorted(burst, key=lambda arrival: arrival.order))


def _quiet_at(config: Config, burst: Sequence[Arrival], *, is_ended: bool) -> datetime:
    """Give when the burst may be answered: quiet for a while, waited for long enough, or ended by something
    else."""
    first, last = min(a.received_at for a in burst), max(a.received_at for a in burst)
    if is_ended:
        return first
    quiet, longest = timedelta(seconds=config.quiet_secs), timedelta(seconds=config.quiet_max_secs)
    return min(last + quiet, first + longest)


def _understand(config: Config, thread: Thread, burst: tuple[Arrival, ...], now: datetime) -> Understanding:
    message, number = burst[0].message, burst[0].number
    text = "\n".join(arrival.message.text for arrival in burst)[:MAX_READ_CHARS]
    session = thread.open_session(now, timedelta(minutes=config.session_timeout_mins))
    choice_id = message.choice_id or (menu_flows.offered_choice(session.data, text) if session else None)
    flow = menu_flows.shipped()[_flow_of(choice_id, session, number)]
    step, data = (session.step, session.data) if session and session.flow == flow.name else (None, {})
    scene = flow.scene(step) if step else None
    awaits = scene.awaits if scene else None
    language = thread.language or number.language
    names_choice = menu_flows.chooses(flow, step, data, text, choice_id, language)
    reading = None
    if text and not names_choice:
        reading = ai_service.understand(text, now=now, region=thread.country, language=thread.language)
        if awaits in (None, "choice"):
            language = _language(thread, number, text, reading)
    decision = triage.decide(
        Situation(
            kind=message.kind,
            text=text,
            is_group=message.group_id is not None,
            is_too_old=_is_too_old(config, message, burst[0].received_at),
            is_first_contact=thread.is_first_contact,
            has_opted_out=thread.has_opted_out,
            is_with_person=thread.is_with_person(now),
            awaits=awaits,
            is_answer=menu_flows.reads_answer(
                flow,
                step,
                text,
                language=language,
                now=now,
                region=thread.country,
                time_zone=config.time_zone,
            ),
            names_choice=names_choice,
            is_pressed=choice_id is not None,
            menu_word=menu_flows.is_menu_word(text),
            courtesy=answers.courtesy_of(text),
            wants_person=answers.wants_person(text),
            wants_only_person=answers.wants_person(text, only=True),
            entry_flow=_entry_flow(reading.intent, flow.name) if reading else None,
            intent=reading.intent if reading else "other",
            intent_confidence=reading.intent_confidence if reading else 0.0,
            sentiment=reading.sentiment if reading else "neutral",
            sentiment_confidence=reading.sentiment_confidence if reading else 0.0,
            urgency=reading.urgency if reading else "low",
            urgency_confidence=reading.urgency_confidence if reading else 0.0,
        )
    )
    name = decision.flow or flow.name
    return Understanding(burst, text, reading, language, decision, session, name, choice_id)


def _entry_flow(intent: str, own: str) -> str | None:
    """Name the flow that has a step for an intent: the one that is open, else the service desk.

    What a business sells is asked of its own flow only.
    """
    flows = menu_flows.shipped()
    names = (own,) if intent == "lead_inquiry" else (own, DESK)
    return next((name for name in names if name in flows and intent in flows[name].entries), None)


def _flow_of(choice_id: str | None, session: Session | None, number: Number) -> str:
    """Name the flow that a message belongs to: of the button pressed, else the open one, else the number's
    start."""
    flows = menu_flows.shipped()
    pressed = (choice_id or "").partition("/")[0]
    for name in (pressed, session.flow if session and session.step else "", number.start_flow):
        if name in flows:
            return name
    return next(iter(flows))


def _language(thread: Thread, number: Number, text: str, found: Reading) -> str:
    if thread.language is None:
        is_told = found.language_confidence >= FIRST_LANGUAGE_CONFIDENCE
        return found.language if is_told else number.language
    is_sentence = len(text.split()) >= SWITCH_MIN_WORDS
    if is_sentence and found.language_confidence >= SWITCH_CONFIDENCE:
        return found.language
    return thread.language


def _is_too_old(config: Config, message: InboundMessage, received_at: datetime) -> bool:
    """Meta sends a week of backlog after an outage; nobody wants last week's answer."""
    age = received_at - (message.sent_at or received_at)
    return age > timedelta(seconds=config.answer_max_age_secs)
