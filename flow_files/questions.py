"""Questions that await a typed answer: what answers them, and the way out after several misses;
and an action's arguments, which are read out of texts too.

`menu_flows` asks, and triage wants to know whether words are an answer at all. Pure; it never decides where
to go.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

import texts
from answers import Answer, is_cancel_word, is_skip_word, is_yes_word, plain, read_answer, read_choice_key
from flow_files.scenes import Flow, Scene

PERSON, MENU = "@person", "@menu"
RESCUE_TITLES = ((PERSON, "title_person"), (MENU, "title_menu"))


def reads_answer(
    flow: Flow,
    step: str | None,
    text: str,
    *,
    language: str,
    now: datetime,
    region: str | None,
    time_zone: str | None,
) -> bool:
    """Tell whether these words are an answer, or a way out, of the question that is open."""
    scene = flow.scene(step)
    if scene is None or scene.awaits in (None, "choice"):
        return True
    if is_cancel_word(text) or (scene.optional and is_skip_word(text)):
        return True
    return read_typed(scene, text, language=language, now=now, region=region, time_zone=time_zone) is not None


def read_typed(
    scene: Scene, text: str, *, language: str, now: datetime, region: str | None, time_zone: str | None
) -> Answer | None:
    return read_answer(
        scene.awaits or "free",
        text,
        language=language,
        now=now,
        region=region,
        time_zone=time_zone,
        minimum=scene.minimum,
        maximum=scene.maximum,
        currency=scene.currency,
    )


def rescue_choice(scene: Scene, text: str, language: str) -> str | None:
    """After several misses a person is offered: by key, title or a yes."""
    if is_yes_word(text):
        return PERSON
    key = read_choice_key(text)
    for (choice, name), choice_key in zip(RESCUE_TITLES, rescue_keys(scene), strict=True):
        if key == choice_key.casefold() or plain(text) == plain(texts.text(name, language)):
            return choice
    return None


def rescue_keys(scene: Scene) -> tuple[str, str]:
    """Letters where a number is awaited: "1" may be the answer itself."""
    return ("A", "B") if scene.awaits in ("number", "money") else ("1", "2")


def read_argument(filled: str, kind: str) -> Any:
    """Give an argument's text as its type; None for an empty or unreadable one."""
    filled = filled.strip()
    if not filled:
        return None
    if kind == "text":
        return filled
    try:
        number = Decimal(filled)
        if not number.is_finite() or abs(number) > 10**15:
            return None
    except ArithmeticError:
        return None
    return int(number) if kind == "whole" or number == number.to_integral_value() else float(number)
