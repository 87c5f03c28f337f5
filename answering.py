"""Which answer it is: a flow's turn, a reply in words, or a fixed text.

The pipeline calls `gather` outside any transaction; `flow_turns` makes the answer and completes it later.
Queues nothing and commits nothing.
"""

from dataclasses import replace
from datetime import datetime
from typing import Final

import ai_service
import answers
import flow_turns
import flow_versions
import order_actions
import texts
import understanding
import writing
from config import Config
from consulting import Means
from conversations import Thread
from crm import hand_overs, tickets
from flow_files.problems import RECEIPT, REMOVAL, SEARCH, WHICH_ORDER
from flow_turns import SELLING, Answer
from message_content import Content, Menu, Text
from models import db
from models import reading as as_reader
from pressing import DESK
from replies import questions
from triage import FIRST_WORDS, IN_DANGER, NO_OPTION
from understanding import Understanding, awaited, awaits_typed, tells_on
from writing import plainly, several, wishes
from writing.drafts import Draft

FIXED: Final = "fixed text"
WARM: Final = "warm"
EXPLAIN: Final = "explain"
RECEIPT_TAKEN: Final = f"entry: {RECEIPT}"
FOUND: Final = ("found", "one")
PAYING: Final = "payment_inquiry"
SUPPORT: Final = "support_ticket"
APPOINTMENT: Final = "appointment_request"
# What people ask in general ("how can I pay?") an article answers better than a look at their own records.
ASKED_OF_ARTICLES: Final = frozenset({"lead_inquiry", "payment_inquiry"})
# The same, unless they name what is their own ("where is my order?").
ASKED_IN_GENERAL: Final = frozenset({"order_inquiry", "appointment_request", "support_ticket"})
# A general question on these is better met by the nearest article than by a look at one's own records.
ANSWERED_NEARLY: Final = frozenset({"payment_inquiry", "order_inquiry"})
# A question of so few words, said while another answer is awaited, is one to the shop and no answer.
ASIDE_WORDS: Final = 12
RECEIPT_KINDS: Final = frozenset({"image", "document"})  # what a bank's app shares


def gather(means: Means, thread: Thread, understood: Understanding, now: datetime) -> Answer:
    """Make the answer as far as it needs no write: flow steps and reading actions, or a reply."""
    config = means.config
    decision, language = understood.decision, understood.language
    if _brings_receipt(thread, understood, now):
        return flow_turns.enter(config, thread, replace(understood, flow=wishes.SHOP), RECEIPT, now)
    wish = understanding.cart_wish(thread, understood, now)
    if wish is not None:
        return flow_turns.enter(config, thread, *wish, now)
    if understanding.takes_out(thread, understood):
        return flow_turns.enter(config, thread, replace(understood, flow=wishes.SHOP), REMOVAL, now)
    if understanding.names_unknown_order(thread, understood):
        return flow_turns.enter(config, thread, replace(understood, flow=wishes.SHOP), WHICH_ORDER, now)
    wished = understanding.wished_time(config, understood)
    if wished is not None:
        meant = understanding.as_if(config, thread, replace(understood, flow=DESK), wished, now)
        return flow_turns.enter(config, thread, meant, APPOINTMENT, now)
    if wishes.asks_around(means, understood):
        return flow_turns.enter(config, thread, replace(understood, flow=wishes.SHOP), SELLING, now)
    told = _stock(understood) or _refused(understood)
    if told is not None:
        return told
    match decision.effect, decision.responder:
        case "opt_out", _:
            return Answer([Text(texts.text("opt_out_confirmed", language))], source=FIXED)
        case _, "human" if decision.reason == IN_DANGER:
            return Answer([Text(_in_danger(thread, understood))], source=FIXED)
        case "hand_over", _:
            return Answer([Text(texts.text("handed_over", language))], source=FIXED)
        case "cannot_read", _:
            return thank_for_file(understood)
        case "courtesy", _:
            kind = answers.courtesy_of(understood.text) or WARM
            article = writing.article(means, thread, understood, now) if kind == EXPLAIN else None
            return flow_turns.drafted(article, understood) if article else _polite(kind, understood)
        case _, "human" | "nobody":
            return Answer()
        case _, "ai":
            told = _several(means, thread, understood, now)
            return told or _meant(means, thread, understood, now)
    if decision.reason == FIRST_WORDS:
        return _first(means, thread, understood, now)
    if decision.reason == NO_OPTION and (record := tells_on(understood)):
        return flow_turns.enter(config, thread, understood, record, now)
    if decision.reason == NO_OPTION:
        return _lost(means, thread, understood, now)
    return _aside(means, thread, understood, now) or flow_turns.walk(config, thread, understood, now)


def _in_danger(thread: Thread, understood: Understanding) -> str:
    is_despair = answers.speaks_of("despair", understood.text)
    return hand_overs.danger_text(thread.country, understood.language, is_despair=is_despair)


def thank_for_file(understood: Understanding) -> Answer:
    """Thank for a file that is kept for a person; what is open stays open."""
    thanks = ai_service.receive_media(
        understood.first.message.kind,
        language=understood.language,
        start_flow=understood.number.start_flow,
        has_question=awaits_typed(understood),
    )
    return flow_turns.spoken(thanks, understood)


def _polite(kind: str, understood: Understanding) -> Answer:
    """Answer kind words and small talk in a word; what is open stays open."""
    polite = ai_service.be_polite(
        kind,
        language=understood.language,
        start_flow=understood.number.start_flow,
        has_question=awaits_typed(understood),
    )
    return flow_turns.spoken(polite, understood)


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
    """Tell who asks how many are left, or how two things differ; the desk's own question stays open."""
    is_ours = understood.decision.responder in ("ai", "menu") and not understood.decision.effect
    if (
        not is_ours
        or understood.choice_id
        or wishes.SHOP not in (understood.number.start_flow, understood.flow)
    ):
        return None
    draft = plainly.stock(understood) or plainly.difference(understood)
    if draft is None:
        return None
    if awaits_typed(understood):
        draft = replace(draft, contents=_bare(draft), data={})
    return flow_turns.drafted(draft, understood)


def _refused(understood: Understanding) -> Answer | None:
    """Refuse who asks for the desk's own instructions, or for what is other people's; what is open stays."""
    is_ours = understood.decision.responder in ("ai", "menu") and not understood.decision.effect
    draft = plainly.refusal(understood) if is_ours and not understood.choice_id else None
    if draft is None:
        return None
    contents = _bare(draft) if awaits_typed(understood) else draft.contents
    return flow_turns.drafted(replace(draft, contents=contents), understood)


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
        return flow_turns.drafted(found, understood)
    if wishes.is_told_in_words(understood.text):
        written = _write(means, thread, understood, now)
        if written.contents:
            return written
    is_about_goods = wishes.signal(understood) is not None or answers.asks_price(understood.text)
    told = _search(means.config, thread, understood, now) if is_about_goods else None
    if told is None and _wants_goods(understood):
        told = flow_turns.enter(means.config, thread, understood, SELLING, now)
    return told or flow_turns.walk(means.config, thread, understood, now)


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
        return flow_turns.drafted(plainly.bargain(understood), understood)
    if _names_another(understood):
        return _search(means.config, thread, understood, now)
    is_short = len(understood.text.split()) <= ASIDE_WORDS * (1 + bool(questions.several(understood.text)))
    is_question = wishes.asks(understood) and is_short
    if not is_question or not awaits_typed(understood) or understood.decision.flow is not None:
        return None
    told = several.answer(means, thread, understood, None, now, {})
    told = told or writing.known(means, thread, understood, now)
    if told is None:
        is_readable = understood.decision.reason.endswith(("number", "money"))
        return _search(means.config, thread, understood, now) if is_readable else None
    asked = flow_turns.open_question(means.config, thread, understood, now)
    return flow_turns.drafted(replace(told, contents=(*_bare(told), *asked), data={}), understood)


def _names_another(understood: Understanding) -> bool:
    """Tell whether a thing for sale is named where the shop asks how many are wanted."""
    is_asked = awaited(understood) == "number" and understood.flow == wishes.SHOP
    return is_asked and answers.read_count(understood.text) is None and wishes.names_product(understood)


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
        answer = flow_turns.enter(means.config, thread, understood, SELLING, now)
        answer.reply = written.reply
        return answer
    if wishes.is_pleased(understood):
        return _polite(WARM, understood)
    walked = flow_turns.walk(means.config, thread, understood, now)
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
    answer = flow_turns.enter(config, thread, understood, SUPPORT, now)
    answer.reply = written.reply
    return answer


def _soothe(understood: Understanding, written: Answer) -> Answer:
    """Say sorry to somebody who is cross about nothing that can be named, and offer a person."""
    start_flow = understood.number.start_flow
    answer = flow_turns.spoken(
        ai_service.soothe(language=understood.language, start_flow=start_flow), understood
    )
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
            return flow_turns.drafted(told, understood)
    if entry == PAYING and "?" in understood.text and not answers.names_own(understood.text):
        written = _write(means, thread, understood, now)
        return written if written.contents else flow_turns.drafted(plainly.unknown(understood), understood)
    if entry not in (None, SELLING):
        return flow_turns.enter(means.config, thread, understood, entry, now)
    written = _write(means, thread, understood, now)
    if written.contents:
        return written
    # Cross words to a desk that sells nothing are no wish to buy, whatever they are read for.
    is_cross = understood.flow == DESK and wishes.is_upset(understood)
    if entry is not None and not is_cross:
        answer = flow_turns.enter(means.config, thread, understood, entry, now)
    elif wishes.is_upset(understood):
        return _comfort(means.config, thread, understood, written, now)
    else:
        start_flow, language = understood.number.start_flow, understood.language
        reply = ai_service.reply(understood.reading, language=language, start_flow=start_flow)
        answer = flow_turns.spoken(reply, understood)
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
    return None if told is None else flow_turns.go_on(means, thread, understood, told, now)


def _search(config: Config, thread: Thread, understood: Understanding, now: datetime) -> Answer | None:
    """Show what the words name among the shop's own things; None when they name nothing."""
    if SEARCH not in flow_versions.flows()[understood.flow].entries:
        understood = replace(understood, flow=understood.number.start_flow)
    if SEARCH not in flow_versions.flows()[understood.flow].entries or not (
        answers.search_words(understood.text) or answers.asks_price(understood.text)
    ):
        return None
    answer = flow_turns.enter(config, thread, understood, SEARCH, now)
    if not answer.actions or answer.actions[0]["outcome"] not in FOUND:
        return None
    if answer.actions[0]["outcome"] == FOUND[0] and wishes.is_near_miss(understood):
        answer.lead_in.append(Text(texts.text("search_near", understood.language)))
    return answer


def _write(means: Means, thread: Thread, understood: Understanding, now: datetime) -> Answer:
    """Say a written reply, and go on in a flow where it does something; no contents: nothing to say."""
    return flow_turns.go_on(means, thread, understood, writing.draft(means, thread, understood, now), now)
