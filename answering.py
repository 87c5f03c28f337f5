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
import flow_actions
import menu_flows
import texts
from config import Config
from conversations import Thread
from flow_actions import ActionContext, ActionResult
from integrations import Number
from menu_flows import Turn as FlowTurn
from message_content import Content, Text
from understanding import Understanding

MAX_ACTIONS: Final = 5
FIXED: Final = "fixed text"


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
            reply = ai_service.receive_media(understood.first.message.kind, language=language)
            return Answer(list(reply.contents), source=reply.source)
        case _, "human" | "nobody":
            return Answer()
        case _, "ai":
            reply = ai_service.reply(
                understood.reading, language=language, start_flow=understood.number.start_flow
            )
            return Answer(list(reply.contents), source=reply.source)
    return _walk(config, thread, understood, now)


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
        choice_id=understood.first.message.choice_id,
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
        **({"priority": understood.reading.urgency} if understood.reading else {}),
    )


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
