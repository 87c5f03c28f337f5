"""Finds what the shape of a flow file alone cannot tell: missing words, roads to nowhere, facts nobody gives.

`reading` asks and names the line. A flow without problems cannot lead nowhere: every step exists, says its
words in every language of the flow, can be reached, and ends or waits.
"""

from collections.abc import Iterator

from jinja2 import TemplateSyntaxError

import texts
from flow_files.actions import ACTIONS, Action
from flow_files.mistakes import Code, Place, Problem
from flow_files.scenes import Flow, Option, Scene, Step, Words, WordsOrText
from vocabulary import SERVICE_INTENTS, TEXT_LANGUAGES

# WhatsApp's limits: an interactive body, a plain text, buttons and list rows.
MAX_BODY_CHARS = 1024
MAX_TEXT_CHARS = 4096
MAX_ROWS = 10
MAX_BUTTONS = 3
MAX_ROW_TITLE_CHARS = 24
MAX_BUTTON_TITLE_CHARS = 20
MAX_DESCRIPTION_CHARS = 72
MAX_TITLE_CHARS = 80
# A list needs room for its "more" row beside the fixed choices.
MAX_CHOICES_BESIDE_LIST = 7
# What the pipeline gives to every text beside the customer's answers and an action's facts.
CONTEXT_NAMES = frozenset(
    {"business_name", "booking_url", "brochure_url", "contact_name", "region", "time_zone", "language"}
)

SEARCH = "search"
# What a written reply may do by itself; the product and the quantity are in the data.
ADD_TO_CART = "add_to_cart"
_INTENTS = tuple(intent for intent in SERVICE_INTENTS if intent not in ("spam", "other"))
RECEIPT = "receipt"
REMOVAL = "remove_from_cart"
CHANGE = "change_cart"
CLEARING = "empty_cart"
SUM = "sum"
SUM_ASKED = "sum_asked"
PAYING_AGAIN = "pay_again"
WHICH_ORDER = "which_order"
# What the desk asks by itself, outside any turn.
ASKED = ("complaint_solved",)
CART_WISHES = (ADD_TO_CART, REMOVAL, CHANGE, CLEARING, SUM, SUM_ASKED)
ENTRY_NAMES = (*_INTENTS, SEARCH, RECEIPT, PAYING_AGAIN, WHICH_ORDER, *CART_WISHES, *ASKED)


def problems(flow: Flow) -> Iterator[Problem]:
    """Find what the shape of the file alone cannot tell."""
    yield from _flow_problems(flow)
    yield from _entry_problems(flow)
    known = _known_names(flow)
    for name, step in flow.steps.items():
        yield from _step_problems(flow, name, step, known)
    yield from _road_problems(flow)


def _flow_problems(flow: Flow) -> Iterator[Problem]:
    if not flow.languages or not set(flow.languages) <= set(TEXT_LANGUAGES):
        yield Problem(("languages",), Code.NO_LANGUAGE, {"names": ", ".join(TEXT_LANGUAGES)})
    yield from _words_problems(flow, ("title",), flow.title, None, MAX_TITLE_CHARS)
    for role in ("start", "person"):
        name = getattr(flow, role)
        if name not in flow.steps:
            yield Problem((role,), Code.NO_STEP, {"name": name})
    start = flow.steps.get(flow.start)
    if start is not None and start.awaits != "choice" and not start.action:
        yield Problem(("steps", flow.start), Code.START_OFFERS_NOTHING)


def _entry_problems(flow: Flow) -> Iterator[Problem]:
    for name, entry in flow.entries.items():
        place: Place = ("entries", name)
        if name not in ENTRY_NAMES:
            yield Problem(place, Code.NO_ENTRY, {"names": ", ".join(ENTRY_NAMES)})
        for part in ("step", "told"):
            target = getattr(entry, part)
            if target is not None and target not in flow.steps:
                yield Problem((*place, part), Code.NO_STEP, {"name": target})
        if entry.told and not entry.into:
            yield Problem(place, Code.TOLD_NOT_KEPT)
        if entry.into and (entry.into.startswith("_") or not entry.into.isidentifier()):
            yield Problem((*place, "into"), Code.NO_PLAIN_NAME)


def _known_names(flow: Flow) -> frozenset[str]:
    names = set(CONTEXT_NAMES)
    names.update(entry.into for entry in flow.entries.values() if entry.into)
    for scene in flow.scenes.values():
        names.update(scene.remember, [scene.into] if scene.into else [])
        for option in scene.choices:
            names.update(option.remember)
        if scene.listing:
            names.update((scene.listing.into, f"{scene.listing.into}_title"))
    return frozenset(names)


def _step_problems(flow: Flow, name: str, step: Step, known: frozenset[str]) -> Iterator[Problem]:
    place: Place = ("steps", name)
    if step.action is None:
        if step.outcomes or step.arguments:
            yield Problem(place, Code.NO_ACTION)
        yield from _scene_problems(flow, place, step, known)
        return
    action = ACTIONS.get(step.action)
    if action is None:
        yield Problem(
            (*place, "action"), Code.UNKNOWN_ACTION, {"name": step.action, "names": ", ".join(ACTIONS)}
        )
        return
    if step.say or step.awaits or step.goes or step.ends:
        yield Problem(place, Code.ACTION_SPEAKS)
    yield from _argument_problems(flow, place, step, action, known)
    for outcome in action.outcomes:
        if outcome not in step.outcomes:
            yield Problem((*place, "outcomes"), Code.OUTCOME_MISSING, {"name": outcome})
    for outcome, scene in step.outcomes.items():
        inner = (*place, "outcomes", outcome)
        if outcome not in action.outcomes:
            yield Problem(
                inner, Code.NO_OUTCOME, {"action": step.action, "names": ", ".join(action.outcomes)}
            )
            continue
        facts = frozenset(action.outcomes[outcome])
        yield from _scene_problems(flow, inner, scene, known, facts)


def _argument_problems(
    flow: Flow, place: Place, step: Step, action: Action, known: frozenset[str]
) -> Iterator[Problem]:
    for name, value in step.arguments.items():
        inner = (*place, "with", name)
        if name not in action.arguments:
            code = Code.NO_ARGUMENT if action.arguments else Code.TAKES_NO_ARGUMENT
            yield Problem(inner, code, {"action": step.action, "names": ", ".join(action.arguments)})
        elif isinstance(value, dict):
            yield from _words_problems(flow, inner, value, known, MAX_BODY_CHARS)
        else:
            yield from _template_problems(inner, str(value), known)
    for name, argument in action.arguments.items():
        if argument.is_required and name not in step.arguments:
            yield Problem((*place, "with"), Code.ARGUMENT_MISSING, {"name": name, "action": step.action})


def _scene_problems(
    flow: Flow,
    place: Place,
    scene: Scene,
    known: frozenset[str],
    facts: frozenset[str] = frozenset(),
) -> Iterator[Problem]:
    limit = MAX_BODY_CHARS if scene.awaits == "choice" else MAX_TEXT_CHARS
    for part in ("say", "again", "button"):
        words = getattr(scene, part)
        if words is not None:
            size = MAX_BUTTON_TITLE_CHARS if part == "button" else limit
            # Facts are there while the words are first said; a question asked again has lost them.
            usable = known | facts if part == "say" else known
            yield from _words_problems(flow, (*place, part), words, usable, size)
    for name, value in scene.remember.items():
        yield from _value_problems(flow, (*place, "remember", name), value, known | facts)
    for part in ("goes", "back"):
        target = getattr(scene, part)
        if target is not None and target not in flow.steps:
            yield Problem((*place, part), Code.NO_STEP, {"name": target})
    if scene.awaits == "choice":
        yield from _choice_problems(flow, place, scene, known, facts)
    elif scene.awaits:
        yield from _question_problems(place, scene)
    elif bool(scene.goes) == scene.ends:
        yield Problem(place, Code.DOES_NOT_GO_ON)


def _question_problems(place: Place, scene: Scene) -> Iterator[Problem]:
    if not scene.say:
        yield Problem(place, Code.ASKS_NOTHING)
    if not scene.into:
        yield Problem(place, Code.ANSWER_NOT_KEPT)
    elif scene.into.startswith("_") or not scene.into.isidentifier():
        yield Problem((*place, "into"), Code.NO_PLAIN_NAME)
    if not scene.goes:
        yield Problem(place, Code.ANSWER_GOES_NOWHERE)


def _choice_problems(
    flow: Flow, place: Place, scene: Scene, known: frozenset[str], facts: frozenset[str]
) -> Iterator[Problem]:
    if scene.expects not in (None, "choice") or scene.into or scene.goes or scene.ends or scene.optional:
        yield Problem(place, Code.KEEPS_BESIDE_CHOICES)
    if not scene.say:
        yield Problem(place, Code.CHOICES_SAY_NOTHING)
    if not scene.choices and not scene.listing:
        yield Problem(place, Code.NO_CHOICES)
    listed = scene.listing
    most = MAX_CHOICES_BESIDE_LIST if listed and not listed.typed_only else MAX_ROWS
    if len(scene.choices) > most:
        yield Problem((*place, "choices"), Code.TOO_MANY, {"most": most})
    yield from _distinct_problems(flow, place, scene)
    for index, option in enumerate(scene.choices):
        yield from _option_problems(flow, (*place, "choices", index), option, scene, known)
    if listed:
        if listed.facts not in facts:
            yield Problem((*place, "list", "from"), Code.NO_FACT, {"name": listed.facts})
        if listed.goes not in flow.steps:
            yield Problem((*place, "list", "goes"), Code.NO_STEP, {"name": listed.goes})
        if any(o.key.isdigit() and o.key != "0" for o in scene.choices):
            yield Problem((*place, "choices"), Code.DIGITS_BESIDE_LIST)


def _option_problems(
    flow: Flow, place: Place, option: Option, scene: Scene, known: frozenset[str]
) -> Iterator[Problem]:
    are_buttons = not scene.listing and len(scene.choices) <= MAX_BUTTONS
    size = MAX_BUTTON_TITLE_CHARS if are_buttons else MAX_ROW_TITLE_CHARS
    yield from _words_problems(flow, (*place, "title"), option.title, known, size)
    if option.description is not None:
        yield from _words_problems(
            flow, (*place, "description"), option.description, known, MAX_DESCRIPTION_CHARS
        )
    if option.goes not in flow.steps:
        yield Problem((*place, "goes"), Code.NO_STEP, {"name": option.goes})
    for name, value in option.remember.items():
        yield from _value_problems(flow, (*place, "remember", name), value, known)


def _distinct_problems(flow: Flow, place: Place, scene: Scene) -> Iterator[Problem]:
    choices = (*place, "choices")
    if _stands_twice([option.id for option in scene.choices]):
        yield Problem(choices, Code.EQUAL_IDS)
    if _stands_twice([option.key.casefold() for option in scene.choices if option.key]):
        yield Problem(choices, Code.EQUAL_KEYS)
    for language in flow.languages:
        if _stands_twice([option.title.get(language, "").casefold() for option in scene.choices]):
            yield Problem(choices, Code.EQUAL_TITLES, {"language": language})


def _stands_twice(names: list[str]) -> bool:
    return len(set(names)) < len(names)


def _value_problems(flow: Flow, place: Place, value: WordsOrText, known: frozenset[str]) -> Iterator[Problem]:
    if str(place[-1]).startswith("_") or not str(place[-1]).isidentifier():
        yield Problem(place, Code.NO_PLAIN_NAME)
    if isinstance(value, dict):
        yield from _words_problems(flow, place, value, known, MAX_TEXT_CHARS)
    else:
        yield from _template_problems(place, value, known)


def _words_problems(
    flow: Flow, place: Place, words: Words, known: frozenset[str] | None, limit: int
) -> Iterator[Problem]:
    for language in flow.languages:
        if not words.get(language, "").strip():
            yield Problem(place, Code.NO_WORDS, {"language": language})
    for language, written in words.items():
        if language not in flow.languages:
            yield Problem((*place, language), Code.OTHER_LANGUAGE)
        if len(written) > limit and "{%" not in written:
            yield Problem((*place, language), Code.TEXT_TOO_LONG, {"most": limit})
        if known is not None:
            yield from _template_problems((*place, language), written, known)


def _template_problems(place: Place, written: str, known: frozenset[str]) -> Iterator[Problem]:
    try:
        texts.compile_text(written)
        unknown = sorted(texts.names_used(written) - known)
    except TemplateSyntaxError as error:
        yield Problem(place, Code.NOT_FILLED_IN, {"why": error.message})
        return
    if unknown:
        yield Problem(place, Code.NOBODY_GIVES, {"names": ", ".join(unknown)})


def _road_problems(flow: Flow) -> Iterator[Problem]:
    """Find steps that no road leads to, and rings of steps that never wait for the customer."""
    reached, open_ends = set[str](), [flow.start, flow.person]
    open_ends += [step for entry in flow.entries.values() for step in (entry.step, entry.told) if step]
    while open_ends:
        name = open_ends.pop()
        if name in reached or name not in flow.steps:
            continue
        reached.add(name)
        open_ends.extend(target for scene in _scenes_of(flow.steps[name]) for target in _targets(scene))
    for name in flow.steps:
        if name not in reached:
            yield Problem(("steps", name), Code.NOT_REACHED)
        elif name in _silent_successors(flow, name):
            yield Problem(("steps", name), Code.SILENT_RING)


def _scenes_of(step: Step) -> tuple[Scene, ...]:
    return tuple(step.outcomes.values()) if step.action else (step,)


def _targets(scene: Scene) -> list[str]:
    targets = [option.goes for option in scene.choices]
    targets += [scene.listing.goes] if scene.listing else []
    return targets + [target for target in (scene.goes, scene.back) if target]


def _silent_successors(flow: Flow, name: str) -> set[str]:
    found, open_ends = set[str](), [name]
    while open_ends:
        for scene in _scenes_of(flow.steps[open_ends.pop()]):
            if scene.awaits is None and scene.goes and scene.goes not in found and scene.goes in flow.steps:
                found.add(scene.goes)
                open_ends.append(scene.goes)
    return found
