"""The words of an answer and the actions behind them: a flow's turn, a reply, or a fixed text.

The pipeline calls `gather` outside any transaction and `complete` inside the turn's write transaction: an
action that writes tells the number of what it wrote only there. Queues nothing and commits nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import perf_counter
from typing import Any, Final

import ai_service
import answers
import flow_actions
import flow_versions
import menu_flows
import order_actions
import texts
import understanding
import writing
from ai_service import Reply
from analysis import Reading
from config import Config
from consulting import Means
from conversations import Session, Thread
from crm import tickets
from flow_actions import ActionContext, ActionResult
from flow_files.problems import RECEIPT, REMOVAL, SEARCH
from integrations import Number
from learning import Drawn
from menu_flows import Turn as FlowTurn
from message_content import Content, Menu, Text
from models import db
from models import reading as as_reader
from replies import questions
from shop import cart_words
from triage import CHOSEN, FIRST_WORDS, NO_OPTION, SHOP_WORD
from understanding import DESK, ELIGIBILITY, Understanding, awaited, awaits_typed, tells_on, told_so_far
from writing import plainly, several, wishes
from writing.drafts import Draft

MAX_ACTIONS: Final = 5
FIXED: Final = "fixed text"
WARM: Final = "warm"
RECEIPT_TAKEN: Final = f"entry: {RECEIPT}"
CLEAR_URGENCY: Final = 0.7
FOUND: Final = ("found", "one")
SELLING: Final = "lead_inquiry"
PAYING: Final = "payment_inquiry"
SUPPORT: Final = "support_ticket"
APPOINTMENT: Final = "appointment_request"
HOW_MANY: Final = "quantity"
# What people ask in general ("how can I pay?") an article answers better than a look at their own records.
ASKED_OF_ARTICLES: Final = frozenset({"lead_inquiry", "payment_inquiry"})
# The same, unless they name what is their own ("where is my order?").
ASKED_IN_GENERAL: Final = frozenset({"order_inquiry", "appointment_request", "support_ticket"})
# A general question on these is better met by the nearest article than by a look at one's own records.
ANSWERED_NEARLY: Final = frozenset({"payment_inquiry", "order_inquiry"})
# A question of so few words, said while another answer is awaited, is one to the shop and no answer.
ASIDE_WORDS: Final = 12
RECEIPT_KINDS: Final = frozenset({"image", "document"})  # what a bank's app shares


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


def gather(means: Means, thread: Thread, understood: Understanding, now: datetime) -> Answer:
    """Make the answer as far as it needs no write: flow steps and reading actions, or a reply."""
    config = means.config
    decision, language = understood.decision, understood.language
    if _brings_receipt(thread, understood, now):
        return _enter(config, thread, replace(understood, flow=wishes.SHOP), RECEIPT, now)
    wish = understanding.cart_wish(thread, understood, now)
    if wish is not None:
        return _enter(config, thread, *wish, now)
    if understanding.takes_out(thread, understood):
        return _enter(config, thread, replace(understood, flow=wishes.SHOP), REMOVAL, now)
    if understanding.names_day(understood):
        return _enter(config, thread, replace(understood, flow=DESK), APPOINTMENT, now)
    if wishes.asks_around(means, understood):
        return _enter(config, thread, replace(understood, flow=wishes.SHOP), SELLING, now)
    told = _stock(understood)
    if told is not None:
        return told
    match decision.effect, decision.responder:
        case "opt_out", _:
            return Answer([Text(texts.text("opt_out_confirmed", language))], source=FIXED)
        case "hand_over", _:
            return Answer([Text(texts.text("handed_over", language))], source=FIXED)
        case "cannot_read", _:
            return thank_for_file(understood)
        case "courtesy", _:
            return _polite(answers.courtesy_of(understood.text) or WARM, understood)
        case _, "human" | "nobody":
            return Answer()
        case _, "ai":
            told = _several(means, thread, understood, now)
            return told or _meant(means, thread, understood, now)
    if decision.reason == FIRST_WORDS:
        return _first(means, thread, understood, now)
    if decision.reason == NO_OPTION and (record := tells_on(understood)):
        return _enter(config, thread, understood, record, now)
    if decision.reason == NO_OPTION:
        return _lost(means, thread, understood, now)
    return _aside(means, thread, understood, now) or _walk(config, thread, understood, now)


def thank_for_file(understood: Understanding) -> Answer:
    """Thank for a file that is kept for a person; what is open stays open."""
    thanks = ai_service.receive_media(
        understood.first.message.kind,
        language=understood.language,
        start_flow=understood.number.start_flow,
        has_question=awaits_typed(understood),
    )
    return _spoken(thanks, understood)


def _polite(kind: str, understood: Understanding) -> Answer:
    """Answer kind words and small talk in a word; what is open stays open."""
    polite = ai_service.be_polite(
        kind,
        language=understood.language,
        start_flow=understood.number.start_flow,
        has_question=awaits_typed(understood),
    )
    return _spoken(polite, understood)


def _brings_receipt(thread: Thread, understood: Understanding, now: datetime) -> bool:
    """Tell whether a picture or a document is the receipt of an order that waits to be paid by hand."""
    is_ours = understood.decision.responder in ("ai", "menu", "shop")
    if (
        understood.first.message.kind not in RECEIPT_KINDS
        or not is_ours
        or understood.decision.effect == "opt_out"
    ):
        return False
    with as_reader():
        is_awaited = order_actions.awaits_receipt(thread.contact_id, now)
        db.session.rollback()
    return is_awaited


def _stock(understood: Understanding) -> Answer | None:
    """Tell how many are left to who asks; the desk's own question stays open."""
    is_ours = understood.decision.responder in ("ai", "menu") and not understood.decision.effect
    if (
        not is_ours
        or understood.choice_id
        or wishes.SHOP not in (understood.number.start_flow, understood.flow)
    ):
        return None
    draft = plainly.stock(understood)
    if draft is None:
        return None
    if awaits_typed(understood):
        draft = replace(draft, contents=_bare(draft), data={})
    return _drafted(draft, understood)


def _bare(draft: Draft) -> tuple[Content, ...]:
    """Give the words without buttons: what the desk asked stays to be answered."""
    return tuple(Text(one.body) if isinstance(one, Menu) else one for one in draft.contents)


def _first(means: Means, thread: Thread, understood: Understanding, now: datetime) -> Answer:
    """Answer the first words of somebody: the question or the thing that they name, else a welcome."""
    told = _several(means, thread, understood, now)
    if told is not None:
        return told
    found = writing.article(means, thread, understood, now)
    if found is not None:
        return _drafted(found, understood)
    if wishes.is_told_in_words(understood.text):
        written = _write(means, thread, understood, now)
        if written.contents:
            return written
    is_about_goods = wishes.signal(understood) is not None or answers.asks_price(understood.text)
    told = _search(means.config, thread, understood, now) if is_about_goods else None
    if told is None and _wants_goods(understood):
        told = _enter(means.config, thread, understood, SELLING, now)
    return told or _walk(means.config, thread, understood, now)


def _wants_goods(understood: Understanding) -> bool:
    """Tell whether something for sale is wanted of a flow that shows what there is."""
    return (
        wishes.signal(understood) in wishes.WANTING
        and SELLING in flow_versions.flows()[understood.flow].entries
    )


def _aside(means: Means, thread: Thread, understood: Understanding, now: datetime) -> Answer | None:
    """Answer a question that is asked instead of an answer, where an article clearly does; the desk's own
    question stays open."""
    if awaited(understood) == "number" and answers.is_bargain(understood.text):
        return _drafted(plainly.bargain(understood), understood)
    is_short = len(understood.text.split()) <= ASIDE_WORDS * (1 + bool(questions.several(understood.text)))
    is_question = wishes.asks(understood) and is_short
    if not is_question or not awaits_typed(understood) or understood.decision.flow is not None:
        return None
    told = several.answer(means, thread, understood, None, now, {})
    told = told or writing.known(means, thread, understood, now)
    if told is None:
        is_readable = understood.decision.reason.endswith(("number", "money"))
        return _search(means.config, thread, understood, now) if is_readable else None
    asked = _open_question(means.config, thread, understood, now)
    return _drafted(replace(told, contents=(*_bare(told), *asked), data={}), understood)


def _open_question(config: Config, thread: Thread, understood: Understanding, now: datetime) -> list[Text]:
    """Give the words of the question that stays open, to be asked again."""
    session = understood.session
    flow = flow_versions.flows()[understood.flow]
    step, data = (session.step, session.data) if session else (None, {})
    context = _context(config, thread, understood.number, understood.language)
    words = menu_flows.open_question(flow, step, data, language=understood.language, now=now, context=context)
    return [Text(words)] if words else []


def _lost(means: Means, thread: Thread, understood: Understanding, now: datetime) -> Answer:
    """Answer words that name no open option: what they name, else a written reply, else what is for sale to
    who wants something, else the options anew."""
    told = _several(means, thread, understood, now)
    if told is not None:
        return told
    looks = answers.asks_cheapest(understood.text) or not wishes.is_decided(understood)
    looks &= not answers.speaks_of("delivering", understood.text)
    looks &= not wishes.is_told_in_words(understood.text)
    found = _search(means.config, thread, understood, now) if looks else None
    if found is not None:
        return found
    written = _write(means, thread, understood, now)
    if written.contents:
        return written
    if wishes.is_upset(understood):
        return _comfort(means.config, thread, understood, written, now)
    if _wants_goods(understood) and not wishes.is_told_in_words(understood.text):
        answer = _enter(means.config, thread, understood, SELLING, now)
        answer.reply = written.reply
        return answer
    if wishes.is_pleased(understood):
        return _polite(WARM, understood)
    walked = _walk(means.config, thread, understood, now)
    walked.reply = written.reply
    return walked


def _comfort(
    config: Config, thread: Thread, understood: Understanding, written: Answer, now: datetime
) -> Answer:
    """Add cross words to the ticket that they must be about, where there is one; else say sorry."""
    with as_reader():
        has_ticket = tickets.is_recent(thread.conversation_id, now)
        db.session.rollback()
    if not has_ticket or SUPPORT not in flow_versions.flows()[understood.flow].entries:
        return _soothe(understood, written)
    answer = _enter(config, thread, understood, SUPPORT, now)
    answer.reply = written.reply
    return answer


def _soothe(understood: Understanding, written: Answer) -> Answer:
    """Say sorry to somebody who is cross about nothing that can be named, and offer a person."""
    start_flow = understood.number.start_flow
    answer = _spoken(ai_service.soothe(language=understood.language, start_flow=start_flow), understood)
    answer.reply = written.reply
    return answer


def _meant(means: Means, thread: Thread, understood: Understanding, now: datetime) -> Answer:
    """Act on what was clearly meant; else find what the words name; else a reply in words."""
    is_in_words = wishes.is_told_in_words(understood.text)
    entry = None if is_in_words else understood.decision.entry
    # What is for sale comes before an article that mentions it.
    compares = answers.asks_cheapest(understood.text)
    if entry not in (None, SELLING) and wishes.names_product(understood):
        understood, entry = replace(understood, flow=wishes.SHOP), None
    is_looking = entry in (None, SELLING) and (compares or not wishes.is_decided(understood))
    is_looking &= not (is_in_words or answers.speaks_of("delivering", understood.text))
    found = _search(means.config, thread, understood, now) if is_looking else None
    if found is not None:
        return found
    is_broken = entry == SUPPORT and answers.speaks_of("trouble", understood.text)
    is_general = entry in ASKED_IN_GENERAL and not answers.names_own(understood.text) and not is_broken
    is_general &= entry != SUPPORT or wishes.asks(understood)
    if entry in ASKED_OF_ARTICLES or is_general:
        is_question = wishes.asks(understood) and not answers.names_own(understood.text)
        is_paying = answers.speaks_of("ways_to_pay", understood.text)
        is_near = is_question and (entry in ANSWERED_NEARLY or is_paying)
        told = writing.article(means, thread, understood, now, is_near=is_near)
        if told is None and is_general and wishes.asks(understood):
            told = writing.known(means, thread, understood, now)
        if told is not None:
            return _drafted(told, understood)
    if entry == PAYING and "?" in understood.text and not answers.names_own(understood.text):
        written = _write(means, thread, understood, now)
        return written if written.contents else _drafted(plainly.unknown(understood), understood)
    if entry not in (None, SELLING):
        return _enter(means.config, thread, understood, entry, now)
    written = _write(means, thread, understood, now)
    if written.contents:
        return written
    # Cross words to a desk that sells nothing are no wish to buy, whatever they are read for.
    is_cross = understood.flow == DESK and wishes.is_upset(understood)
    if entry is not None and not is_cross:
        answer = _enter(means.config, thread, understood, entry, now)
    elif wishes.is_upset(understood):
        return _comfort(means.config, thread, understood, written, now)
    else:
        start_flow, language = understood.number.start_flow, understood.language
        reply = ai_service.reply(understood.reading, language=language, start_flow=start_flow)
        answer = _spoken(reply, understood)
    answer.reply = written.reply
    return answer


def _several(means: Means, thread: Thread, understood: Understanding, now: datetime) -> Answer | None:
    """Answer every question of a message that asks several: a model where one is set, else what is known."""
    if not questions.several(understood.text):
        return None
    if means.assistant is not None:
        written = _write(means, thread, understood, now)
        return written if written.contents else None
    told = several.answer(means, thread, understood, None, now, {})
    return None if told is None else _go_on(means, thread, understood, told, now)


def _search(config: Config, thread: Thread, understood: Understanding, now: datetime) -> Answer | None:
    """Show what the words name among the shop's own things; None when they name nothing."""
    if SEARCH not in flow_versions.flows()[understood.flow].entries:
        understood = replace(understood, flow=understood.number.start_flow)
    if SEARCH not in flow_versions.flows()[understood.flow].entries or not (
        answers.search_words(understood.text) or answers.asks_price(understood.text)
    ):
        return None
    answer = _enter(config, thread, understood, SEARCH, now)
    if not answer.actions or answer.actions[0]["outcome"] not in FOUND:
        return None
    if answer.actions[0]["outcome"] == FOUND[0] and wishes.is_near_miss(understood):
        answer.lead_in.append(Text(texts.text("search_near", understood.language)))
    return answer


def _enter(config: Config, thread: Thread, understood: Understanding, entry: str, now: datetime) -> Answer:
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


def _known(session: Session | None, understood: Understanding, entry: str) -> dict[str, Any]:
    """Give what the flow remembers, and how many the customer has just asked for."""
    known = dict(session.data) if session and session.flow == understood.flow else {}
    if entry in (SEARCH, SELLING):
        known["wanted"] = cart_words.told_count(understood.text, understood.language) or ""
    return known | ({"quantity": understood.quantity} if understood.quantity else {})


def _spoken(reply: Reply, understood: Understanding, data: Mapping[str, Any] | None = None) -> Answer:
    """Say a reply beside the flow: its step stays open, and what is offered owns the next digit.

    `data` is what its buttons are about; they belong to the shop's flow then.
    """
    session = understood.session
    is_open = session is not None and session.flow in flow_versions.flows()
    flow = wishes.SHOP if data else session.flow if session and is_open else understood.flow
    own = session if session and session.flow == flow else None
    menus = (content for content in reply.contents if isinstance(content, Menu))
    choices = [(choice.id, choice.title) for menu in menus for choice in menu.choices]
    kept = menu_flows.offer({**(own.data if own else {}), **(data or {})}, choices)
    turn = FlowTurn((), own.step if own else None, kept)
    return Answer(list(reply.contents), flow=flow, flow_turn=turn, source=reply.source)


def _drafted(draft: Draft, understood: Understanding) -> Answer:
    answer = _spoken(Reply(draft.contents, draft.source), understood, draft.data)
    answer.reply, answer.reading, answer.drawn = draft.trace, draft.reading, draft.drawn
    return answer


def _write(means: Means, thread: Thread, understood: Understanding, now: datetime) -> Answer:
    """Say a written reply, and go on in a flow where it does something; no contents: nothing to say."""
    return _go_on(means, thread, understood, writing.draft(means, thread, understood, now), now)


def _go_on(means: Means, thread: Thread, understood: Understanding, draft: Draft, now: datetime) -> Answer:
    """Say what is drafted, and go on in the flow that it leads to."""
    if draft.step is None:
        return _drafted(draft, understood)
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


def complete(
    config: Config, thread: Thread, understood: Understanding, answer: Answer, now: datetime, message_id: int
) -> None:
    """Do what writes, inside the caller's transaction, and finish the words."""
    if understood.first.message.kind == "order" and understood.decision.responder == "shop":
        _take_order(config, thread, understood, answer, now, message_id)
    _run_actions(config, thread, understood, answer, now, message_id)


def _walk(config: Config, thread: Thread, understood: Understanding, now: datetime) -> Answer:
    if understood.quantity and understood.decision.reason == CHOSEN:
        return _enter(config, thread, understood, "add_to_cart", now)
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
    if left_out := taken.facts.get("left_out"):
        names = ", ".join(left_out)
        answer.lead_in.append(Text(texts.text("order_left_out", understood.language, names=names)))
    flow = flow_versions.flows()[understood.flow]
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
