"""What an answer is made of: a turn of a flow with the actions behind it, and words beside the flow.

`answering` decides which of them. The pipeline calls `complete` inside the turn's write transaction: an
action that writes tells the number of what it wrote only there. Queues nothing and commits nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter
from typing import Any, Final

import answers
import flow_actions
import flow_versions
import menu_flows
import texts
from ai_service import Reply
from analysis import Reading
from config import Config
from consulting import Means
from conversations import Session, Thread
from flow_actions import ActionContext, ActionResult
from flow_files.problems import SEARCH
from integrations import Number
from learning import Drawn
from menu_flows import Turn as FlowTurn
from message_content import Content, Menu, Text
from pressing import ELIGIBILITY, SHOP
from shop import cart_words
from triage import CHOSEN, SHOP_WORD
from understanding import Understanding, told_so_far
from writing.drafts import Draft

MAX_ACTIONS: Final = 5
CLEAR_URGENCY: Final = 0.7
SELLING: Final = "lead_inquiry"
HOW_MANY: Final = "quantity"


@dataclass
class Answer:
    """A turn's outcome, filled in parts: gathered first, completed inside the write transaction."""

    lead_in: list[Content] = field(default_factory=list)
    closing: list[Content] = field(default_factory=list)
    flow: str | None = None
    flow_turn: FlowTurn | None = None
    source: str = ""
    actions: list[dict[str, Any]] = field(default_factory=list)
    reply: Mapping[str, Any] = field(default_factory=dict)  # how a written reply came about
    reading: Reading | None = None  # where a model read the message too
    drawn: Drawn | None = None  # the strategy that it is written in

    @property
    def contents(self) -> list[Content]:
        return [*self.lead_in, *(self.flow_turn.say if self.flow_turn else ()), *self.closing]

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to do inside the write transaction."""
        return self.flow is None or (self.flow_turn is not None and self.flow_turn.action is None)


def complete(
    config: Config, thread: Thread, understood: Understanding, answer: Answer, now: datetime, message_id: int
) -> None:
    """Do what writes, inside the caller's transaction, and finish the words."""
    if understood.first.message.kind == "order" and understood.decision.responder == "shop":
        _take_order(config, thread, understood, answer, now, message_id)
    _run_actions(config, thread, understood, answer, now, message_id)


def enter(config: Config, thread: Thread, understood: Understanding, entry: str, now: datetime) -> Answer:
    answer = Answer(flow=understood.flow, source=f"entry: {entry}")
    session, read = understood.session, understood.reading
    answer.flow_turn = menu_flows.enter(
        flow_versions.flows()[understood.flow],
        entry,
        told_so_far(understood, entry),
        names_day=any(entity.type == "date" for entity in read.entities) if read else False,
        data=_known(session, understood, entry),
        language=understood.language,
        now=now,
        context=_context(config, thread, understood.number, understood.language),
    )
    _run_actions(config, thread, understood, answer, now, None)
    return answer


def walk(config: Config, thread: Thread, understood: Understanding, now: datetime) -> Answer:
    if understood.quantity and understood.decision.reason == CHOSEN:
        return enter(config, thread, understood, "add_to_cart", now)
    answer = Answer(flow=understood.flow)
    text = understood.text
    if understood.decision.reason == SHOP_WORD:
        text = " ".join(answers.search_words(text)) or text
    if understood.decision.effect == "opt_in":
        answer.lead_in.append(Text(texts.text("opted_in", understood.language)))
        text = "menu"
    if understood.first.message.kind == "order":
        return answer  # the cart is filled inside the write transaction
    flow = flow_versions.flows()[understood.flow]
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
    if understood.choice_id == ELIGIBILITY and not understood.first.message.choice_id:
        answer.flow_turn = _answered(config, thread, understood, answer.flow_turn, understood.text, now)
    if answer.flow_turn.step == HOW_MANY and (told := str(answer.flow_turn.data.get("wanted") or "")):
        answer.flow_turn = _answered(config, thread, understood, answer.flow_turn, told, now)
    _run_actions(config, thread, understood, answer, now, None)
    return answer


def go_on(means: Means, thread: Thread, understood: Understanding, draft: Draft, now: datetime) -> Answer:
    """Say what is drafted, and go on in the flow that it leads to."""
    if draft.step is None:
        return drafted(draft, understood)
    flow = flow_versions.flows()[draft.step.flow]
    answer = Answer(list(draft.contents), flow=flow.name, source=draft.source)
    answer.reply, answer.reading, answer.drawn = draft.trace, draft.reading, draft.drawn
    context = _context(means.config, thread, understood.number, understood.language)
    if draft.step.entry is not None:
        answer.flow_turn = menu_flows.enter(
            flow,
            draft.step.entry,
            "",
            data=draft.data,
            language=understood.language,
            now=now,
            context=context,
        )
    else:
        answer.flow_turn = menu_flows.advance(
            flow,
            None,
            draft.data,
            "",
            choice_id=draft.step.choice_id,
            language=understood.language,
            now=now,
            context=context,
        )
    _run_actions(means.config, thread, understood, answer, now, None)
    return answer


def spoken(reply: Reply, understood: Understanding, data: Mapping[str, Any] | None = None) -> Answer:
    """Say a reply beside the flow: its step stays open, and what is offered owns the next digit.

    `data` is what its buttons are about; they belong to the shop's flow then.
    """
    session = understood.session
    is_open = session is not None and session.flow in flow_versions.flows()
    flow = SHOP if data else session.flow if session and is_open else understood.flow
    own = session if session and session.flow == flow else None
    menus = (content for content in reply.contents if isinstance(content, Menu))
    choices = [(choice.id, choice.title) for menu in menus for choice in menu.choices]
    kept = menu_flows.offer({**(own.data if own else {}), **(data or {})}, choices)
    turn = FlowTurn((), own.step if own else None, kept)
    return Answer(list(reply.contents), flow=flow, flow_turn=turn, source=reply.source)


def drafted(draft: Draft, understood: Understanding) -> Answer:
    answer = spoken(Reply(draft.contents, draft.source), understood, draft.data)
    answer.reply, answer.reading, answer.drawn = draft.trace, draft.reading, draft.drawn
    return answer


def open_question(config: Config, thread: Thread, understood: Understanding, now: datetime) -> list[Text]:
    """Give the words of the question that stays open, to be asked again."""
    session = understood.session
    flow = flow_versions.flows()[understood.flow]
    step, data = (session.step, session.data) if session else (None, {})
    context = _context(config, thread, understood.number, understood.language)
    words = menu_flows.open_question(flow, step, data, language=understood.language, now=now, context=context)
    return [Text(words)] if words else []


def _known(session: Session | None, understood: Understanding, entry: str) -> dict[str, Any]:
    """Give what the flow remembers, and how many the customer has just asked for."""
    known = dict(session.data) if session and session.flow == understood.flow else {}
    if entry in (SEARCH, SELLING):
        known["wanted"] = cart_words.told_count(understood.text, understood.language) or ""
    return known | ({"quantity": understood.quantity} if understood.quantity else {})


def _answered(
    config: Config, thread: Thread, understood: Understanding, asked: FlowTurn, words: str, now: datetime
) -> FlowTurn:
    """Take what was told already as the answer to what is asked; what cannot be read is asked for."""
    told = menu_flows.advance(
        flow_versions.flows()[understood.flow],
        asked.step,
        asked.data,
        words,
        language=understood.language,
        now=now,
        context=_context(config, thread, understood.number, understood.language),
    )
    return told if told.is_understood else asked


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
            flow_versions.flows()[answer.flow or understood.flow],
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
    if items := taken.facts.get("left_out"):
        words = texts.text(
            "order_left_out", understood.language, items=items, is_kept=taken.outcome == "kept"
        )
        answer.lead_in.append(Text(words))
    flow = flow_versions.flows()[understood.flow]
    answer.flow_turn = menu_flows.advance(
        flow,
        None,
        {},
        "menu",
        choice_id=f"{flow.name}/{flow.start}:cart" if taken.outcome in ("found", "kept") else None,
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
    read = understood.reading
    is_sure = read is not None and read.urgency_confidence >= CLEAR_URGENCY
    return {"priority": read.urgency} if read is not None and is_sure else {}


def _context(config: Config, thread: Thread, number: Number, language: str) -> dict[str, Any]:
    """Give what texts may use: flow_files.CONTEXT_NAMES."""
    return {
        "business_name": number.business_name,
        "booking_url": config.booking_url,
        "brochure_url": config.brochure_url,
        "contact_name": thread.name,
        "region": thread.country,
        "time_zone": config.time_zone,
        "language": texts.text_language(language),
    }
