"""Finds what the shape of a flow file alone cannot tell: missing words, roads to nowhere, facts nobody gives.

`reading` asks and names the line. A flow without problems cannot lead nowhere: every step exists, says its
words in every language of the flow, can be reached, and ends or waits.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from jinja2 import TemplateSyntaxError

import texts
from flow_files.actions import ACTIONS, Action
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

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and where: the keys that lead there from the file's top."""

    place: Place
    reason: str


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
        yield Problem(("languages",), f"must be some of {', '.join(TEXT_LANGUAGES)}")
    yield from _words_problems(flow, ("title",), flow.title, None, MAX_TITLE_CHARS)
    for role in ("start", "person"):
        name = getattr(flow, role)
        if name not in flow.steps:
            yield Problem((role,), f"names the step {name!r}, which does not exist")
    start = flow.steps.get(flow.start)
    if start is not None and start.awaits != "choice" and not start.action:
        yield Problem(("steps", flow.start), "is the start and must offer choices")


def _entry_problems(flow: Flow) -> Iterator[Problem]:
    for name, entry in flow.entries.items():
        place: Place = ("entries", name)
        if name not in ENTRY_NAMES:
            yield Problem(place, f"is not one of {', '.join(ENTRY_NAMES)}")
        for part in ("step", "told"):
            target = getattr(entry, part)
            if target is not None and target not in flow.steps:
                yield Problem((*place, part), f"names the step {target!r}, which does not exist")
        if entry.told and not entry.into:
            yield Problem(place, "needs `into`: what was told must be kept somewhere")
        if entry.into and (entry.into.startswith("_") or not entry.into.isidentifier()):
            yield Problem((*place, "into"), "must be a plain name that does not begin with _")


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
            yield Problem(place, "has outcomes or arguments but no action")
        yield from _scene_problems(flow, place, step, known)
        return
    action = ACTIONS.get(step.action)
    if action is None:
        yield Problem((*place, "action"), f"{step.action!r} is not one of {', '.join(ACTIONS)}")
        return
    if step.say or step.awaits or step.goes or step.ends:
        yield Problem(place, "does an action: what it says and where it goes stand in its outcomes")
    yield from _argument_problems(flow, place, step, action, known)
    for outcome in action.outcomes:
        if outcome not in step.outcomes:
            yield Problem((*place, "outcomes"), f"must say what happens on {outcome!r}")
    for outcome, scene in step.outcomes.items():
        inner = (*place, "outcomes", outcome)
        if outcome not in action.outcomes:
            yield Problem(inner, f"is no outcome of {step.action} ({', '.join(action.outcomes)})")
            continue
        facts = frozenset(action.outcomes[outcome])
        yield from _scene_problems(flow, inner, scene, known, facts)


def _argument_problems(
    flow: Flow, place: Place, step: Step, action: Action, known: frozenset[str]
) -> Iterator[Problem]:
    for name, value in step.arguments.items():
        inner = (*place, "with", name)
        if name not in action.arguments:
            known_arguments = ", ".join(action.arguments) or "none"
            yield Problem(inner, f"is no argument of {step.action} (it takes {known_arguments})")
        elif isinstance(value, dict):
            yield from _words_problems(flow, inner, value, known, MAX_BODY_CHARS)
        else:
            yield from _template_problems(inner, str(value), known)
    for name, argument in action.arguments.items():
        if argument.is_required and name not in step.arguments:
            yield Problem((*place, "with"), f"needs {name}: {step.action} cannot do without it")


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
            yield Problem((*place, part), f"names the step {target!r}, which does not exist")
    if scene.awaits == "choice":
        yield from _choice_problems(flow, place, scene, known, facts)
    elif scene.awaits:
        yield from _question_problems(place, scene)
    elif bool(scene.goes) == scene.ends:
        yield Problem(place, "must do one of: ask, offer choices, go to a step (goes), end (ends: true)")


def _question_problems(place: Place, scene: Scene) -> Iterator[Problem]:
    if not scene.say:
        yield Problem(place, "asks for an answer but says nothing")
    if not scene.into:
        yield Problem(place, "asks for an answer: into must name where it is kept")
    elif scene.into.startswith("_") or not scene.into.isidentifier():
        yield Problem((*place, "into"), "must be a plain name that does not begin with _")
    if not scene.goes:
        yield Problem(place, "asks for an answer: goes must name the next step")


def _choice_problems(
    flow: Flow, place: Place, scene: Scene, known: frozenset[str], facts: frozenset[str]
) -> Iterator[Problem]:
    if scene.expects not in (None, "choice") or scene.into or scene.goes or scene.ends or scene.optional:
        yield Problem(place, "offers choices: only the choices say what is kept and where it goes")
    if not scene.say:
        yield Problem(place, "offers choices but says nothing")
    if not scene.choices and not scene.listing:
        yield Problem(place, "awaits a choice but offers none")
    listed = scene.listing
    most = MAX_CHOICES_BESIDE_LIST if listed and not listed.typed_only else MAX_ROWS
    if len(scene.choices) > most:
        yield Problem((*place, "choices"), f"are more than {most}")
    yield from _distinct_problems(flow, place, scene)
    for index, option in enumerate(scene.choices):
        yield from _option_problems(flow, (*place, "choices", index), option, scene, known)
    if listed:
        if listed.facts not in facts:
            yield Problem((*place, "list", "from"), f"{listed.facts!r} is no fact that is known here")
        if listed.goes not in flow.steps:
            yield Problem((*place, "list", "goes"), f"names the step {listed.goes!r}, which does not exist")
        if any(o.key.isdigit() and o.key != "0" for o in scene.choices):
            yield Problem(
                (*place, "choices"), "beside a list have letters or 0 as keys: digits number the list"
            )


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
        yield Problem((*place, "goes"), f"names the step {option.goes!r}, which does not exist")
    for name, value in option.remember.items():
        yield from _value_problems(flow, (*place, "remember", name), value, known)


def _distinct_problems(flow: Flow, place: Place, scene: Scene) -> Iterator[Problem]:
    columns = {
        "ids": [o.id for o in scene.choices],
        "keys": [o.key.casefold() for o in scene.choices if o.key],
        **{
            f"titles ({language})": [o.title.get(language, "").casefold() for o in scene.choices]
            for language in flow.languages
        },
    }
    for column, values in columns.items():
        if len(set(values)) < len(values):
            yield Problem((*place, "choices"), f"have equal {column}")


def _value_problems(flow: Flow, place: Place, value: WordsOrText, known: frozenset[str]) -> Iterator[Problem]:
    if str(place[-1]).startswith("_") or not str(place[-1]).isidentifier():
        yield Problem(place, "must be a plain name that does not begin with _")
    if isinstance(value, dict):
        yield from _words_problems(flow, place, value, known, MAX_TEXT_CHARS)
    else:
        yield from _template_problems(place, value, known)


def _words_problems(
    flow: Flow, place: Place, words: Words, known: frozenset[str] | None, limit: int
) -> Iterator[Problem]:
    for language in flow.languages:
        if not words.get(language, "").strip():
            yield Problem(place, f"has no words in {language!r}")
    for language, written in words.items():
        if language not in flow.languages:
            yield Problem((*place, language), "is not a language of this flow")
        if len(written) > limit and "{%" not in written:
            yield Problem((*place, language), f"is longer than {limit} characters")
        if known is not None:
            yield from _template_problems((*place, language), written, known)


def _template_problems(place: Place, written: str, known: frozenset[str]) -> Iterator[Problem]:
    try:
        texts.compile_text(written)
        unknown = sorted(texts.names_used(written) - known)
    except TemplateSyntaxError as error:
        yield Problem(place, f"cannot be filled in: {error.message}")
        return
    if unknown:
        yield Problem(place, f"uses {', '.join(unknown)}, which nothing gives here")


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
            yield Problem(("steps", name), "is reached by nothing")
        elif name in _silent_successors(flow, name):
            yield Problem(("steps", name), "comes round to itself without asking anything")


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
