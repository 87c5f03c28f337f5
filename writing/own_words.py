"""What a strategy of the shop's own adds to a reply, and what the x-ray tells of the strategy that spoke."""

from dataclasses import replace
from typing import Any

import texts
from grounding import Ground
from learning import Chosen
from message_content import Menu
from replies import guards
from replies.manners import Manner
from understanding import Understanding
from writing.drafts import Draft


def account(chosen: Chosen) -> dict[str, Any]:
    """Tell which strategy speaks and how likely it was; where it only stands in, or is in no log, say so."""
    told: dict[str, Any] = {"strategy": chosen.strategy}
    if chosen.manner.base != chosen.strategy:
        told["base"] = chosen.manner.base
    if chosen.stands_in_for:
        told["stands_in_for"] = chosen.stands_in_for
    if chosen.unlogged:
        told["unlogged"] = chosen.unlogged
    if chosen.propensity is not None:
        told |= {"propensity": round(chosen.propensity, 4), "explored": chosen.explored}
    return told


def added(spoken: Draft, manner: Manner, understood: Understanding, ground: Ground) -> Draft:
    """End a fixed text with the manner's own words, unless the guards refuse what becomes of it."""
    language = texts.text_language(understood.language)
    words, menu = manner.words.get(language), next(iter(spoken.contents), None)
    if not words or not isinstance(menu, Menu):
        return spoken
    text = f"{menu.body}\n\n{words}"
    found = guards.check(text, ground.facts, language=language, strategy=manner.base, words=understood.text)
    if found:
        refused = [breach.code for breach in found]
        return replace(spoken, trace={**spoken.trace, "breaches": refused})
    return replace(spoken, contents=(replace(menu, body=text), *spoken.contents[1:]))
