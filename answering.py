"""The words of an answer and the actions behind them: a flow's turn, a reply, or a fixed text.

The pipeline calls `gather` outside any transaction and `complete` inside the turn's write transaction: an
action that
writes tells the number of what it wrote only there. Queues nothing and commits nothing.
"""

from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter
from typing import Any, Final

import ai_service
import answers
import flow_actions
import menu_flows
import texts
from ai_service import Reply
from config import Config
from conversations import Thread
from flow_actions import ActionContext, ActionResult
from flow_files.problems import SEARCH
from integrations import Number
from menu_flows import Turn as FlowTurn
from message_content import Content, Menu, Text
from triage import NO_OPTION
from understanding import Understanding

MAX_ACTIONS: Final = 5
FIXED: Final = "fixed text"
CLEAR_URGENCY: Final = 0.7
FOUND: Final = ("found", "one")


@dataclass
class Answer:
    """A turn's outcome, filled in parts: gathered first, completed inside the write transaction."""

    lead_in: list[Content] = field(default_factory=list)
    flow: str | None = None
    flow_turn: FlowTurn | None = None
    source: str = ""
    actions: list[dict[str, Any]] = field(default_factory=list)

    @property
    def contents(self) -> list[Content]:
        return self.lead_in + list(self.flow_turn.say if self.flow_turn else ())

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to do inside the write transaction."""
        return self.flow is None or (self.flow_turn is not None and self.flow_turn.action is None)


def gather(config: Config, thread: Thread, understood: Understanding, now: datetime) -> Answer:
    """Make the answer as far as it needs no write: flow steps and reading actions, or a reply."""
    decision, language = understood.decision, understood.language
    match decision.effect, decision.responder:
        case "opt_out", _:
            return Answer([Text(texts.text("opt_out_confirmed", language))], source=FIXED)
        case "hand_over", _:
            return Answer([Text(texts.text("handed_over", language))], source=FIXED)
        case "cannot_read", _:
            is_asked = _awaits_typed(understood)
            kind = understood.first.message.kind
            reply = ai_service.receive_media(kind, language=language, has_question=is_asked)
            return _spoken(reply, understood)
        case "courtesy", _:
            return _spoken(ai_service.be_polite(understood.text, language=language), understood)
        case _, "human" | "nobody":
            return Answer()
        case _, "ai":
            return _meant(config, thread, understood, now)
    is_lost = understood.decision.reason == NO_OPTION
    found = _search(config, thread, understood, now) if is_lost else None
    return found or _walk(config, thread, understood, now)


def _meant(config: Config, thread: Thread, understood: Understanding, now: datetime) -> Answer:
    """Act on what was clearly meant; else find what the words name; else a reply in words."""
    if understood.decision.entry is not None:
        return _enter(config, thread, understood, understood.decision.entry, now)
    found = _search(config, thread, understood, now)
    if found is not None:
        return found
    reply = ai_service.reply(
        understood.reading, language=understood.language, start_flow=understood.number.start_flow
    )
    return _spoken(reply, understood)


def _search(config: Config, thread: Thread, understood: Understanding, now: datetime) -> Answer | None:
    """Show what the words name among the shop's own things; None when they name nothing."""
    flow = menu_flows.shipped()[understood.flow]
    if SEARCH not in flow.entries or not (answers.search_words(understood.text) or _asks(understood)):
        return None
    answer = _enter(config, thread, understood, SEARCH, now)
    return answer if answer.actions and answer.actions[0]["outcome"] in FOUND else None


def _asks(understood: Understanding) -> bool:
    return answers.asks_price(understood.text)


def _enter(config: Config, thread: Thread, understood: Understanding, entry: str, now: datetime) -> Answer:
    answer = Answer(flow=understood.flow, source=f"entry: {entry}")
    session, reading = understood.session, understood.reading
    answer.flow_turn = menu_flows.enter(
        menu_flows.shipped()[understood.flow],
        entry,
        understood.text,
        names_day=any(entity.type == "date" for entity in reading.entities) if reading else False,
        data=session.data if session and session.flow == understood.flow else {},
        language=understood.language,
        now=now,
        context=_context(config, thread, understood.number, understood.language),
    )
    _run_actions(config, thread, understood, answer, now, None)
    return answer


def _spoken(reply: Reply, understood: Understanding) -> Answer:
    """Say a reply beside the flow: its step stays open, and what is offered owns the next digit."""
    session = understood.session
    own = session if session and session.flow == understood.flow else None
    menus = (content for content in reply.contents if isinstance(content, Menu))
    choices = [(choice.id, choice.title) for menu in menus for choice in menu.choices]
    kept = menu_flows.offer(own.data if own else {}, choices)
    turn = FlowTurn((), own.step if own else None, kept)
    return Answer(list(reply.contents), flow=understood.flow, flow_turn=turn, source=reply.source)


def _awaits_typed(understood: Understanding) -> bool:
    session = understood.session
    scene = menu_flows.shipped()[understood.flow].scene(session.step) if session else None
    return scene is not None and scene.awaits not in (None, "choice")


def complete(
    config: Config, thread: Thread, understood: Understanding, answer: Answer, now: datetime, message_id: int
) -> None:
    """Do what writes, inside the caller's transaction, and finish the words."""
    if understood.first.message.kind == "order" and understood.decision.responder == "shop":
        _take_order(config, thread, understood, answer, now, message_id)
    _run_actions(config, thread, understood, answer, now, message_id)


def _walk(config: Config, thread: Thread, understood: Understanding, now: datetime) -> Answer:
    answer = Answer(flow=understood.flow)
    text = understood.text
    if understood.decision.effect == "opt_in":
        answer.lead_in.append(Text(texts.text("opted_in", understood.language)))
        text = "menu"
    if understood.first.message.kind == "order":
        return answer  # the cart is filled inside the write transaction
    flow = menu_flows.shipped()[understood.flow]
    session = understood.session
    is_open = session is not None and session.flow == flow.name and understood.decision.flow is None
    answer.flow_turn = menu_flows.advance(
        flow,
        session.step if session and is_open else None,
        session.data if session and is_open else {},
        text,
        choice_id=understood.choice_id,
        language=understood.language,
        now=now,
        context=_context(config, thread, understood.number, understood.language),
    )
    _run_actions(config, thread, understood, answer, now, None)
    return answer


def _run_actions(
    config: Config,
    thread: Thread,
    understood: Understanding,
    answer: Answer,
    now: datetime,
    message_id: int | None,
) -> None:
    """Run the flow's actions in turn; without a `message_id` (outside the transaction) stop before one that
    writes."""
    is_writing = message_id is not None
    ctx = _action_context(config, thread, understood, now, message_id)
    while answer.flow_turn is not None and answer.flow_turn.action is not None:
        call = answer.flow_turn.action
        if (flow_actions.writes(call.name) and not is_writing) or len(answer.actions) >= MAX_ACTIONS:
            break
        began = perf_counter()
        result = (flow_actions.apply if is_writing else flow_actions.gather)(call.name, call.args, ctx)
        result = result or ActionResult(flow_actions.FAILED)
        took_ms = round((perf_counter() - began) * 1000, 2)
        answer.actions.append({"action": call.name, "outcome": result.outcome, "ms": took_ms})
        answer.flow_turn = menu_flows.resume(
            menu_flows.shipped()[understood.flow],
            answer.flow_turn,
            result.outcome,
            result.facts,
            language=understood.language,
            now=now,
            context=_context(config, thread, understood.number, understood.language),
        )


def _take_order(
    config: Config, thread: Thread, understood: Understanding, answer: Answer, now: datetime, message_id: int
) -> None:
    """Make a catalogue order the cart, and show it as the shop's flow does."""
    ctx = _action_context(config, thread, understood, now, message_id)
    taken = flow_actions.take_catalog_order(understood.first.message.order_items, ctx)
    answer.actions.append({"action": "take_catalog_order", "outcome": taken.outcome})
    if left_out := taken.facts.get("left_out"):
        names = ", ".join(left_out)
        answer.lead_in.append(Text(texts.text("order_left_out", understood.language, names=names)))
    flow = menu_flows.shipped()[understood.flow]
    answer.flow_turn = menu_flows.advance(
        flow,
        None,
        {},
        "menu",
        choice_id=f"{flow.name}/{flow.start}:cart" if taken.outcome == "found" else None,
        language=understood.language,
        now=now,
        context=_context(config, thread, understood.number, understood.language),
    )


def _action_context(
    config: Config, thread: Thread, understood: Understanding, now: datetime, message_id: int | None
) -> ActionContext:
    return ActionContext(
        config=config,
        contact_id=thread.contact_id,
        conversation_id=thread.conversation_id,
        integration_id=thread.integration_id,
        language=texts.text_language(understood.language),
        now=now,
        message_id=message_id,
        idempotency_key=str(understood.first.event_id),
        flow=understood.flow,
        **_priority(understood),
    )


def _priority(understood: Understanding) -> dict[str, str]:
    """Take the urgency for a priority only where it was read clearly."""
    reading = understood.reading
    is_sure = reading is not None and reading.urgency_confidence >= CLEAR_URGENCY
    return {"priority": reading.urgency} if reading is not None and is_sure else {}


def _context(config: Config, thread: Thread, number: Number, language: str) -> dict[str, Any]:
    """Give what texts may use: flow_files.CONTEXT_NAMES."""
    return {
        "business_name": number.name,
        "booking_url": config.booking_url,
        "brochure_url": config.brochure_url,
        "contact_name": thread.name,
        "region": thread.country,
        "time_zone": config.time_zone,
        "language": texts.text_language(language),
    }
