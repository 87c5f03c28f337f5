"""Flows as data: what a flow file may say, the closed list of actions, and reading with errors by line.

`menu_flows` walks what this room has read; an admin's published flow is read by `read_flow` from the
database's text. It never walks a flow, never runs an action, and a flow that it gives back cannot lead
nowhere: every step exists, says its words in every language of the flow, can be reached, and ends or waits.

Actions
-------
An action step leaves its outcome to two halves that floor 4 runs: *gather* (short reads and network, no
transaction) gives `(outcome, facts)`; *apply* writes in the turn's transaction, only for the outcomes in
`applies_on`, and receives the same arguments, outcome and facts (a ticket's number is drawn while gathering
and kept while applying). `done_by_flow` actions have no halves: the engine turns them into messages itself.
Any action may also end in `failed`: the customer gets an apology and the way to the menu, and a flow need not
speak of it. ACTIONS below is the list; `docs/flows.md` shows it as a table.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from jinja2 import TemplateSyntaxError
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

import texts
from vocabulary import TEXT_LANGUAGES

FLOWS_DIR = Path(__file__).parent / "flows"
MAX_BODY_CHARS = 1024  # an interactive body; a plain text may have 4096
MAX_TEXT_CHARS = 4096
MAX_ROWS = 10
MAX_BUTTONS = 3
MAX_ROW_TITLE_CHARS = 24
MAX_BUTTON_TITLE_CHARS = 20
MAX_DESCRIPTION_CHARS = 72
MAX_FILE_CHARS = 400_000
# A list needs room for its "more" row beside the fixed choices.
MAX_CHOICES_BESIDE_LIST = 7

ArgumentType = Literal["text", "whole", "number"]
Expectation = Literal["choice", "text", "name", "number", "money", "email", "country", "date", "free"]
EXPECTATIONS: tuple[str, ...] = get_args(Expectation)
# What the pipeline gives to every text beside the customer's answers and an action's facts.
CONTEXT_NAMES = frozenset(
    {"business_name", "booking_url", "brochure_url", "contact_name", "region", "time_zone", "language"}
)


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument: `whole` is int, `number` int or float, `text` str; None when not given nor required."""

    type: ArgumentType = "text"
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """What an action takes, how it may end, and which facts each ending gives to the words that follow."""

    summary: str
    arguments: Mapping[str, Argument]
    outcomes: Mapping[str, tuple[str, ...]]
    applies_on: frozenset[str] = frozenset()
    done_by_flow: bool = False


REQUIRED = Argument(is_required=True)
OPTIONAL = Argument()

ACTIONS: Mapping[str, Action] = {
    "list_programs": Action(
        "The best ranked investment programmes of a category (Europe, Caribbean, USA, UAE). "
        "programs: [{name, country, category, minimum_investment (whole USD), link, processing_time}]",
        {"category": REQUIRED, "limit": Argument("whole")},
        {"found": ("programs",), "none": ()},
    ),
    "check_eligibility": Action(
        "The programmes that a budget in whole USD pays for, the best ranked first, at most five; "
        "`none` tells the cheapest programme's minimum_investment (None when there is no programme)",
        {"budget": Argument("whole", is_required=True)},
        {"found": ("programs",), "none": ("minimum_investment",)},
    ),
    "create_lead": Action(
        "A lead of this contact, or its open one brought up to date; the admins are told. country: ISO code",
        {
            "name": REQUIRED,
            "email": OPTIONAL,
            "interest": OPTIONAL,
            "budget": Argument("whole"),
            "country": OPTIONAL,
            "source": OPTIONAL,
        },
        {"created": ()},
        frozenset({"created"}),
    ),
    "search_jobs": Action(
        "Vacancies of a country (ISO code), at most five. jobs: [{title, company, location, url}]. "
        "`unavailable`: no affiliate id, no answer in time, or an answer that cannot be read",
        {"country": REQUIRED, "keywords": OPTIONAL},
        {"found": ("jobs",), "none": (), "unavailable": ()},
    ),
    "show_categories": Action(
        "The active categories that hold an active product, in the shop's order. "
        "categories: [{id, name, description?}]",
        {},
        {"found": ("categories",), "none": ()},
    ),
    "show_products": Action(
        "The active products of a category, in the shop's order. "
        "products: [{id, name, price_text, in_stock (bool)}]",
        {"category_id": REQUIRED},
        {"found": ("products",), "none": ()},
    ),
    "show_product": Action(
        "One product. product: {id, name, description, benefits (list or lines), price_text, "
        "stock_text, in_stock (bool)}",
        {"product_id": REQUIRED},
        {"found": ("product",), "none": ()},
    ),
    "add_to_cart": Action(
        "Puts a quantity into the contact's open cart. product: {id, name}; available: how many there are",
        {"product_id": REQUIRED, "quantity": Argument("whole", is_required=True)},
        {"ok": ("product", "quantity", "total_text"), "out_of_stock": ("product", "available"), "none": ()},
        frozenset({"ok"}),
    ),
    "show_cart": Action(
        "The open cart. lines: [{name, quantity, total_text}]",
        {},
        {"found": ("lines", "total_text"), "empty": ()},
    ),
    "empty_cart": Action(
        "Takes everything out of the open cart", {}, {"ok": (), "empty": ()}, frozenset({"ok"})
    ),
    "checkout": Action(
        "Records the open cart as an order. order: {number, total_text}; product: {name} of what ran out",
        {},
        {"created": ("order",), "empty": (), "out_of_stock": ("product",)},
        frozenset({"created"}),
    ),
    "order_status": Action(
        "The contact's latest orders, at most three, the newest first; with `number` only that one. "
        "orders: [{number, status_text, total_text}]",
        {"number": OPTIONAL},
        {"found": ("orders",), "none": ()},
    ),
    "payment_status": Action(
        "What was paid and what is open of the contact's latest orders. "
        "orders: [{number, status_text (of the payment), total_text}]",
        {"number": OPTIONAL},
        {"found": ("orders",), "none": ()},
    ),
    "open_ticket": Action(
        "A support ticket. ticket: {number}",
        {"subject": REQUIRED, "description": REQUIRED},
        {"created": ("ticket",)},
        frozenset({"created"}),
    ),
    "open_complaint": Action(
        "A complaint of high priority, brought to a manager. complaint: {number}",
        {"description": REQUIRED},
        {"created": ("complaint",)},
        frozenset({"created"}),
    ),
    "request_appointment": Action(
        "A wish for an appointment, to be confirmed by a person. `wish` is the customer's own words, "
        "`day` an ISO date when one was read. appointment: {number}",
        {"wish": REQUIRED, "topic": OPTIONAL, "day": OPTIONAL},
        {"created": ("appointment",)},
        frozenset({"created"}),
    ),
    "record_feedback": Action(
        "A score from 1 (bad) to 5 (very good) and the customer's words",
        {"text": OPTIONAL, "score": Argument("whole")},
        {"created": ()},
        frozenset({"created"}),
    ),
    "hand_over": Action(
        "A person takes the conversation; the bot is silent until it is handed back",
        {"reason": REQUIRED},
        {"done": ()},
        frozenset({"done"}),
    ),
    "send_link": Action(
        "A message with one button that opens a web address; `none` when the address is not set",
        {"url": OPTIONAL, "title": REQUIRED, "body": REQUIRED},
        {"sent": (), "none": ()},
        done_by_flow=True,
    ),
    "send_document": Action(
        "A document by public https link (as text when the link is not https); `none` when it is not set",
        {"url": OPTIONAL, "filename": REQUIRED, "caption": OPTIONAL},
        {"sent": (), "none": ()},
        done_by_flow=True,
    ),
}


class FlowError(ValueError):
    """A flow file that cannot be used; the text names file, step and line."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


Words = dict[str, str]
WordsOrText = Words | str
StepName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class Option(_Part):
    """One fixed choice: `key` is typed, `title` is the button or row, `also` are other words for it."""

    id: StepName
    title: Words
    goes: StepName
    key: Annotated[str, Field(pattern=r"^([0-9]{1,2}|[A-Za-z])?$")] = ""
    description: Words | None = None
    also: tuple[str, ...] = ()
    remember: dict[str, WordsOrText] = Field(default_factory=dict)

    @field_validator("key", mode="before")
    @classmethod
    def _key_as_text(cls, key: object) -> object:
        return str(key) if isinstance(key, int) and not isinstance(key, bool) else key


class Listing(_Part):
    """Choices out of a fact that is a list. `typed_only`: they stand in the words already and are no rows."""

    facts: str = Field(alias="from")
    into: str
    goes: StepName
    id: str = "id"
    title: str = "name"
    description: str = ""
    typed_only: bool = False


class Scene(_Part):
    """What is said at one place, what is awaited there, and where it goes."""

    say: Words | None = None
    expects: Expectation | None = None
    into: str | None = None
    optional: bool = False
    again: Words | None = None
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Option, ...] = ()
    listing: Listing | None = Field(default=None, alias="list")
    button: Words | None = None
    options_in_body: bool = False
    remember: dict[str, WordsOrText] = Field(default_factory=dict)
    goes: StepName | None = None
    back: StepName | None = None
    ends: bool = False

    @property
    def awaits(self) -> Expectation | None:
        """The kind of input awaited here; offering choices is awaiting one."""
        return "choice" if self.choices or self.listing else self.expects


class Step(Scene):
    """A scene, or an action with one scene for each of its outcomes."""

    action: str | None = None
    arguments: dict[str, WordsOrText | int | float] = Field(default_factory=dict, alias="with")
    outcomes: dict[str, Scene] = Field(default_factory=dict)


class Flow(_Part):
    """A whole flow: read only, the same object for every conversation."""

    name: StepName
    title: Words
    version: int = 1
    start: StepName
    person: StepName
    languages: tuple[str, ...] = TEXT_LANGUAGES
    steps: dict[StepName, Step]

    def scene(self, position: str | None) -> Scene | None:
        """Give the scene at `position` ("step", or "step.outcome" after an action), or None."""
        name, _, outcome = (position or "").partition(".")
        step = self.steps.get(name)
        if step is None:
            return None
        return step.outcomes.get(outcome) if outcome else step

    @cached_property
    def scenes(self) -> Mapping[str, Scene]:
        """All scenes by position, in the file's order."""
        found: dict[str, Scene] = {}
        for name, step in self.steps.items():
            found[name] = step
            found.update({f"{name}.{outcome}": scene for outcome, scene in step.outcomes.items()})
        return found


def load_flow(path: Path | str) -> Flow:
    """Read a flow file. Raises FlowError for what is wrong in it, OSError when it cannot be read."""
    file = Path(path)
    return read_flow(file.read_text(encoding="utf-8"), file.name)


def load_flows(folder: Path | str = FLOWS_DIR) -> Mapping[str, Flow]:
    """Read every flow of a folder, by name."""
    flows: dict[str, Flow] = {}
    for path in sorted(Path(folder).glob("*.yaml")):
        flow = load_flow(path)
        if flow.name in flows:
            raise FlowError(f"{path.name}: another file already has the flow name {flow.name!r}")
        flows[flow.name] = flow
    return flows


@lru_cache(maxsize=1)
def shipped() -> Mapping[str, Flow]:
    """The flows that come with the program, read once."""
    return load_flows()


def read_flow(source: str, file_name: str) -> Flow:
    """Read a flow from YAML text; `file_name` is named in errors. Raises FlowError."""
    if len(source) > MAX_FILE_CHARS:
        raise FlowError(f"{file_name}: a flow has at most {MAX_FILE_CHARS} characters")
    lines = _Lines(file_name, _compose(source, file_name))
    try:
        flow = Flow.model_validate(yaml.safe_load(source))
    except ValidationError as error:
        first = error.errors()[0]
        raise FlowError(lines.sentence(first["loc"], _reason(first))) from error
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise FlowError(f"{file_name}: {error}") from error
    for problem in _problems(flow):
        raise FlowError(lines.sentence(problem.place, problem.reason))
    return flow


def _compose(source: str, file_name: str) -> yaml.Node:
    try:
        node = yaml.compose(source, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise FlowError(f"{file_name}, line {line}: {error.problem}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise FlowError(f"{file_name}: {error}") from error
    if not isinstance(node, yaml.MappingNode):
        raise FlowError(f"{file_name}, line 1: a flow is a mapping of name, title, start, person and steps")
    return node


def _reason(error: Any) -> str:
    """Say pydantic's finding in the words of someone who edits a flow."""
    if error["type"] == "missing":
        return "is missing"
    if error["type"] == "extra_forbidden":
        return "is not a word that a flow knows"
    return str(error["msg"])


@dataclass(frozen=True, slots=True)
class _Problem:
    place: tuple[str | int, ...]
    reason: str


@dataclass(frozen=True)
class _Lines:
    """Finds the line of a place in the file, and refuses keys that stand twice (YAML would keep the last)."""

    file_name: str
    root: yaml.Node
    _twice: None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._refuse_repeated_keys(self.root, 0)

    def sentence(self, place: tuple[str | int, ...], reason: str) -> str:
        step = f", step {place[1]}" if len(place) > 1 and place[0] == "steps" else ""
        inner = ".".join(
            str(part) for part in (place[2:] if step else place) if part not in _PYDANTIC_BRANCHES
        )
        line = self._line(place)
        return f"{self.file_name}{step}, line {line}: {inner + ' ' if inner else ''}{reason}"

    def _line(self, place: tuple[str | int, ...]) -> int:
        node, line = self.root, self.root.start_mark.line
        for part in place:
            found = self._child(node, part)
            if found is None:
                continue
            node, line = found
        return line + 1

    @staticmethod
    def _child(node: yaml.Node, part: str | int) -> tuple[yaml.Node, int] | None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if str(key.value) == str(part):
                    return value, key.start_mark.line
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            return node.value[part], node.value[part].start_mark.line
        return None

    def _refuse_repeated_keys(self, node: yaml.Node, depth: int) -> None:
        if depth > 40:
            raise FlowError(f"{self.file_name}, line {node.start_mark.line + 1}: nested too deeply")
        if isinstance(node, yaml.SequenceNode):
            for child in node.value:
                self._refuse_repeated_keys(child, depth + 1)
        if not isinstance(node, yaml.MappingNode):
            return
        seen: set[str] = set()
        for key, value in node.value:
            if str(key.value) in seen:
                raise FlowError(f"{self.file_name}, line {key.start_mark.line + 1}: {key.value} stands twice")
            seen.add(str(key.value))
            self._refuse_repeated_keys(value, depth + 1)


# Pydantic names the branch of a union that it tried; people who edit flows need not read it.
_PYDANTIC_BRANCHES = frozenset({"dict[str,str]", "str", "int", "float", "[key]"})


def _problems(flow: Flow) -> Iterator[_Problem]:
    """Find what the shape of the file alone cannot tell."""
    yield from _flow_problems(flow)
    known = _known_names(flow)
    for name, step in flow.steps.items():
        yield from _step_problems(flow, name, step, known)
    yield from _road_problems(flow)


def _flow_problems(flow: Flow) -> Iterator[_Problem]:
    if not flow.languages or not set(flow.languages) <= set(TEXT_LANGUAGES):
        yield _Problem(("languages",), f"must be some of {', '.join(TEXT_LANGUAGES)}")
    yield from _words_problems(flow, ("title",), flow.title, None, 80)
    for role in ("start", "person"):
        name = getattr(flow, role)
        if name not in flow.steps:
            yield _Problem((role,), f"names the step {name!r}, which does not exist")
    start = flow.steps.get(flow.start)
    if start is not None and start.awaits != "choice" and not start.action:
        yield _Problem(("steps", flow.start), "is the start and must offer choices")


def _known_names(flow: Flow) -> frozenset[str]:
    names = set(CONTEXT_NAMES)
    for scene in flow.scenes.values():
        names.update(scene.remember, [scene.into] if scene.into else [])
        for option in scene.choices:
            names.update(option.remember)
        if scene.listing:
            names.update((scene.listing.into, f"{scene.listing.into}_title"))
    return frozenset(names)


def _step_problems(flow: Flow, name: str, step: Step, known: frozenset[str]) -> Iterator[_Problem]:
    place: tuple[str | int, ...] = ("steps", name)
    if step.action is None:
        if step.outcomes or step.arguments:
            yield _Problem(place, "has outcomes or arguments but no action")
        yield from _scene_problems(flow, place, step, known)
        return
    action = ACTIONS.get(step.action)
    if action is None:
        yield _Problem((*place, "action"), f"{step.action!r} is not one of {', '.join(ACTIONS)}")
        return
    if step.say or step.awaits or step.goes or step.ends:
        yield _Problem(place, "does an action: what it says and where it goes stand in its outcomes")
    yield from _argument_problems(flow, place, step, action, known)
    for outcome in action.outcomes:
        if outcome not in step.outcomes:
            yield _Problem((*place, "outcomes"), f"must say what happens on {outcome!r}")
    for outcome, scene in step.outcomes.items():
        inner = (*place, "outcomes", outcome)
        if outcome not in action.outcomes:
            yield _Problem(inner, f"is no outcome of {step.action} ({', '.join(action.outcomes)})")
            continue
        facts = frozenset(action.outcomes[outcome])
        yield from _scene_problems(flow, inner, scene, known, facts)


def _argument_problems(
    flow: Flow, place: tuple[str | int, ...], step: Step, action: Action, known: frozenset[str]
) -> Iterator[_Problem]:
    for name, value in step.arguments.items():
        inner = (*place, "with", name)
        if name not in action.arguments:
            known_arguments = ", ".join(action.arguments) or "none"
            yield _Problem(inner, f"is no argument of {step.action} (it takes {known_arguments})")
        elif isinstance(value, dict):
            yield from _words_problems(flow, inner, value, known, MAX_BODY_CHARS)
        else:
            yield from _template_problems(inner, str(value), known)
    for name, argument in action.arguments.items():
        if argument.is_required and name not in step.arguments:
            yield _Problem((*place, "with"), f"needs {name}: {step.action} cannot do without it")


def _scene_problems(
    flow: Flow,
    place: tuple[str | int, ...],
    scene: Scene,
    known: frozenset[str],
    facts: frozenset[str] = frozenset(),
) -> Iterator[_Problem]:
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
            yield _Problem((*place, part), f"names the step {target!r}, which does not exist")
    if scene.awaits == "choice":
        yield from _choice_problems(flow, place, scene, known, facts)
    elif scene.awaits:
        yield from _question_problems(place, scene)
    elif bool(scene.goes) == scene.ends:
        yield _Problem(place, "must do one of: ask, offer choices, go to a step (goes), end (ends: true)")


def _question_problems(place: tuple[str | int, ...], scene: Scene) -> Iterator[_Problem]:
    if not scene.say:
        yield _Problem(place, "asks for an answer but says nothing")
    if not scene.into:
        yield _Problem(place, "asks for an answer: into must name where it is kept")
    elif scene.into.startswith("_") or not scene.into.isidentifier():
        yield _Problem((*place, "into"), "must be a plain name that does not begin with _")
    if not scene.goes:
        yield _Problem(place, "asks for an answer: goes must name the next step")


def _choice_problems(
    flow: Flow, place: tuple[str | int, ...], scene: Scene, known: frozenset[str], facts: frozenset[str]
) -> Iterator[_Problem]:
    if scene.expects not in (None, "choice") or scene.into or scene.goes or scene.ends or scene.optional:
        yield _Problem(place, "offers choices: only the choices say what is kept and where it goes")
    if not scene.say:
        yield _Problem(place, "offers choices but says nothing")
    if not scene.choices and not scene.listing:
        yield _Problem(place, "awaits a choice but offers none")
    listed = scene.listing
    most = MAX_CHOICES_BESIDE_LIST if listed and not listed.typed_only else MAX_ROWS
    if len(scene.choices) > most:
        yield _Problem((*place, "choices"), f"are more than {most}")
    yield from _distinct_problems(flow, place, scene)
    for index, option in enumerate(scene.choices):
        yield from _option_problems(flow, (*place, "choices", index), option, scene, known)
    if listed:
        if listed.facts not in facts:
            yield _Problem((*place, "list", "from"), f"{listed.facts!r} is no fact that is known here")
        if listed.goes not in flow.steps:
            yield _Problem((*place, "list", "goes"), f"names the step {listed.goes!r}, which does not exist")
        if any(o.key.isdigit() and o.key != "0" for o in scene.choices):
            yield _Problem(
                (*place, "choices"), "beside a list have letters or 0 as keys: digits number the list"
            )


def _option_problems(
    flow: Flow, place: tuple[str | int, ...], option: Option, scene: Scene, known: frozenset[str]
) -> Iterator[_Problem]:
    are_buttons = not scene.listing and len(scene.choices) <= MAX_BUTTONS
    size = MAX_BUTTON_TITLE_CHARS if are_buttons else MAX_ROW_TITLE_CHARS
    yield from _words_problems(flow, (*place, "title"), option.title, known, size)
    if option.description is not None:
        yield from _words_problems(
            flow, (*place, "description"), option.description, known, MAX_DESCRIPTION_CHARS
        )
    if option.goes not in flow.steps:
        yield _Problem((*place, "goes"), f"names the step {option.goes!r}, which does not exist")
    for name, value in option.remember.items():
        yield from _value_problems(flow, (*place, "remember", name), value, known)


def _distinct_problems(flow: Flow, place: tuple[str | int, ...], scene: Scene) -> Iterator[_Problem]:
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
            yield _Problem((*place, "choices"), f"have equal {column}")


def _value_problems(
    flow: Flow, place: tuple[str | int, ...], value: WordsOrText, known: frozenset[str]
) -> Iterator[_Problem]:
    if str(place[-1]).startswith("_") or not str(place[-1]).isidentifier():
        yield _Problem(place, "must be a plain name that does not begin with _")
    if isinstance(value, dict):
        yield from _words_problems(flow, place, value, known, MAX_TEXT_CHARS)
    else:
        yield from _template_problems(place, value, known)


def _words_problems(
    flow: Flow, place: tuple[str | int, ...], words: Words, known: frozenset[str] | None, limit: int
) -> Iterator[_Problem]:
    for language in flow.languages:
        if not words.get(language, "").strip():
            yield _Problem(place, f"has no words in {language!r}")
    for language, written in words.items():
        if language not in flow.languages:
            yield _Problem((*place, language), "is not a language of this flow")
        if len(written) > limit and "{%" not in written:
            yield _Problem((*place, language), f"is longer than {limit} characters")
        if known is not None:
            yield from _template_problems((*place, language), written, known)


def _template_problems(
    place: tuple[str | int, ...], written: str, known: frozenset[str]
) -> Iterator[_Problem]:
    try:
        texts.compile_text(written)
        unknown = sorted(texts.names_used(written) - known)
    except TemplateSyntaxError as error:
        yield _Problem(place, f"cannot be filled in: {error.message}")
        return
    if unknown:
        yield _Problem(place, f"uses {', '.join(unknown)}, which nothing gives here")


def _road_problems(flow: Flow) -> Iterator[_Problem]:
    """Find steps that no road leads to, and rings of steps that never wait for the customer."""
    reached, open_ends = set[str](), [flow.start, flow.person]
    while open_ends:
        name = open_ends.pop()
        if name in reached or name not in flow.steps:
            continue
        reached.add(name)
        open_ends.extend(target for scene in _scenes_of(flow.steps[name]) for target in _targets(scene))
    for name in flow.steps:
        if name not in reached:
            yield _Problem(("steps", name), "is reached by nothing")
        elif name in _silent_successors(flow, name):
            yield _Problem(("steps", name), "comes round to itself without asking anything")


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
