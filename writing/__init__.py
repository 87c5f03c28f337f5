"""A written reply: facts gathered, a strategy's manner, a model or the fixed texts, and the guards.

`answering` calls `draft` where no flow step answers. The network is asked with no session held. Queues
nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import ai_service
import answers
import consulting
import grounding
import learning
import texts
from ai_service import Assistant, Written
from consulting import Means
from conversations import Thread
from crm import complaints
from grounding import Ground
from learning import Drawn
from llm import Failed, Usage
from message_content import Content, LinkButton, Menu, Text
from models import db, reading
from replies.attacks import kind_of_attack
from replies.figures import named_products
from replies.manners import Manner
from replies.plan import Action, Plan, ReadPlan
from replies.wording import plain
from understanding import Understanding
from writing import own_words, plainly, several, wishes
from writing.drafts import PRESSES, TITLES, Draft, Step, choice_id_of, choice_of, focus_data
from writing.wishes import SHOP, ground_of, is_full_question, is_unanswered, is_upset, signal, talked_of

SIMULATOR: Final = "simulator"
# Beside an open question a price is told without selling.
PLAIN_MANNER: Final = "racional"


def draft(means: Means, thread: Thread, understood: Understanding, now: datetime) -> Draft:
    """Write the reply to free text; without contents when there is nothing grounded to say.

    A model comes first where one may be asked; then a passage that clearly answers; then the strategy's own
    words for a clear buying signal.
    """
    ground = ground_of(means, thread, understood, now)
    drawn = _draw(means, thread, understood, ground, now)
    trace: dict[str, Any] = {**own_words.account(drawn.chosen), "signal": signal(understood)}
    attack = kind_of_attack(understood.text)
    is_for_model = attack is None and wishes.is_for_model(means.config, understood, ground)
    assistant = consulting.assistant(means, now) if is_for_model else None
    if attack is not None:
        trace["attack"] = attack
    if assistant is not None:
        written = _have_written(means, assistant, thread, understood, ground, drawn.chosen.manner)
        trace |= _account(written)
        trace["calls"] = consulting.keep(
            written.calls, means, conversation_id=thread.conversation_id, now=now
        )
        if written.plan is not None:
            return replace(_planned(written.plan, understood, ground, trace), drawn=drawn)
    told = (
        several.answer(means, thread, understood, ground, now, trace)
        or plainly.passage(understood, ground, trace)
        or plainly.offer(understood, ground, trace)
        or plainly.free(understood, ground, trace)
        or plainly.discount(understood, ground, trace)
        or plainly.currency(understood, ground, trace)
        or plainly.about(understood, ground, trace)
    )
    if told is not None:
        return told
    if answers.speaks_of("advice", understood.text) and not ground.is_said:
        return plainly.advice(understood, trace)
    if is_unanswered(understood, ground):
        return plainly.unknown(understood, ground, trace)
    spoken = plainly.in_manner(understood, ground, trace)
    if spoken is not None:
        return replace(own_words.added(spoken, drawn.chosen.manner, understood, ground), drawn=drawn)
    return plainly.unknown(understood, ground, trace) if is_full_question(understood) else Draft(trace=trace)


def article(
    means: Means, thread: Thread, understood: Understanding, now: datetime, *, is_near: bool = False
) -> Draft | None:
    """Answer with an article alone, where one clearly answers; `is_near`: or comes near."""
    ground = ground_of(means, thread, understood, now)
    if is_near and ground.clear is None:
        ground = replace(ground, clear=ground.near)
    return plainly.passage(understood, ground, {})


def known(means: Means, thread: Thread, understood: Understanding, now: datetime) -> Draft | None:
    """Answer a question with what is written down: an article, or the product that is meant and its price."""
    ground = ground_of(means, thread, understood, now)
    told = plainly.passage(understood, ground, {}) or plainly.about(understood, ground, {})
    if told is None and answers.asks_price(understood.text) and ground.is_named:
        free = plainly.free(understood, ground, {})
        return free or plainly.in_manner(understood, ground, {"strategy": PLAIN_MANNER}, wish="question")
    return told


def _draw(means: Means, thread: Thread, understood: Understanding, ground: Ground, now: datetime) -> Drawn:
    """Give the strategy of this sales episode; what a new one was drawn by is kept with the turn."""
    with reading():
        drawn = learning.draw(
            thread.conversation_id,
            thread.contact_id,
            context={
                "niche": ground.niche,
                "language": understood.language,
                "buying_signal": signal(understood) or "none",
                "visit": "returning" if _has_ordered(ground) else "new",
            },
            facts_allow_scarcity=ground.facts.is_scarce,
            is_upset=is_upset(understood)
            or complaints.is_upset_lately(thread.conversation_id, thread.contact_id, now=now),
            config=means.config,
            now=now,
            rng=means.rng,
            window=timedelta(days=ground.attribution_days or means.config.learning_attribution_days),
            is_demo=understood.number.account.provider == SIMULATOR,
        )
        db.session.rollback()
    return drawn


def _has_ordered(ground: Ground) -> bool:
    return ground.facts.order is not None and ground.facts.order.number is not None


def _have_written(
    means: Means,
    assistant: Assistant,
    thread: Thread,
    understood: Understanding,
    ground: Ground,
    manner: Manner,
) -> Written:
    return ai_service.write(
        assistant,
        understood.text,
        strategy=manner.base,
        instruction=manner.instruction,
        language=understood.language,
        facts=ground.facts,
        turns=grounding.talk_so_far(thread.conversation_id),
        reading=understood.reading,
        keep_lease=means.keep_lease,
    )


def _planned(plan: Plan, understood: Understanding, ground: Ground, trace: dict[str, Any]) -> Draft:
    trace["sources"] = _sources(plan.sources, ground)
    data = focus_data(plan.action, _talking_of(plan, ground))
    contents = (_content(plan, understood, ground, is_known=bool(data) or talked_of(understood) is not None),)
    reading = None
    if isinstance(plan, ReadPlan) and plan.reading is not None and understood.reading is not None:
        trace["reading"] = plan.reading.model_dump()
        reading = ai_service.merged(understood.reading, plan.reading)
    return Draft(contents, "model", _step(plan.action, understood, data), data, trace, reading)


def _account(written: Written) -> dict[str, Any]:
    """Tell what the models did, without anybody's words."""
    usage = sum((call.result.usage for call in written.calls), Usage())
    return {
        "models": [_told(call.result) for call in written.calls if call.purpose == "reply"],
        "judges": [_told(call.result) for call in written.calls if call.purpose == "judging"],
        "breaches": [breach.code for breach in written.breaches],
        "prompt_version": written.prompt_version,
        "tokens": usage.prompt_tokens + usage.completion_tokens,
        "cost_microusd": usage.cost_microusd,
        "model_ms": sum(call.result.took_ms for call in written.calls),
    }


def _told(result: Any) -> str:
    return f"{result.model}: {result.code}" if isinstance(result, Failed) else str(result.model)


def _sources(ids: Sequence[int], ground: Ground) -> list[str]:
    return [passage.title for passage in ground.facts.passages if passage.id in ids]


def _talking_of(plan: Plan, ground: Ground) -> Ground:
    """Put the one product that a reply names in focus: of a reply that names none, or several, the talk goes
    on about what it was about."""
    named = named_products(plain(plan.text), ground.facts)
    if len({product.sku for product in named}) != 1:
        return ground
    return replace(ground, facts=replace(ground.facts, products=(named[0],)), is_named=True)


def _content(plan: Plan, understood: Understanding, ground: Ground, *, is_known: bool) -> Content:
    """Make the message; a button that buys is left out where no product `is_known`."""
    language = understood.language
    if plan.action.name == "send_link" and plan.action.link is not None:
        url = ground.facts.url(plan.action.link, plan.action.sku)
        if url:
            return LinkButton(plan.text, texts.text(TITLES["link"], language), url)
    names = [name for name in plan.buttons if is_known or name != "add_to_cart"]
    choices = [choice_of(name, understood) for name in names]
    known = tuple(choice for choice in choices if choice is not None)
    return Menu(plan.text, known) if known else Text(plan.text)


def _step(action: Action, understood: Understanding, data: Mapping[str, Any]) -> Step | None:
    """Turn an action into a flow's step: what changes anything is the flow's to do, in its own words."""
    if action.name in ("none", "send_link"):
        return None
    if action.name == "add_to_cart":
        return Step(SHOP, entry="add_to_cart") if data else Step(SHOP, PRESSES["show_products"])
    choice_id = choice_id_of({"hand_over": "person"}.get(action.name, action.name), understood)
    return Step(choice_id.partition("/")[0], choice_id) if choice_id else None
