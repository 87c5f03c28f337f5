"""The IVR state machine: one message of a customer takes one conversation through a flow and gives a Turn.

The pipeline calls `advance`; when the Turn holds an action it does the action and calls `resume` with the
outcome and its facts, until no action is left; `turn.applies` then lists the actions that write, in order,
with what they gave, for a pipeline that writes at the end. Triage asks `chooses` and `is_menu_word`. Pure: no
clock, no row, no network; `data` is all that a conversation remembers between turns (strings, numbers and
lists; names that begin with `_` are this room's own). What flows may say, and which actions there are, stands
in `flow_files`.

A step is named "menu", or "programs.found" while the choices of an action's outcome are open. A choice's
button id is "flow/step:choice", so that a button far up in the chat still means what it says.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from jinja2 import TemplateError

import texts
from answers import (
    Answer,
    MenuWord,
    is_cancel_word,
    is_menu_word,
    is_skip_word,
    plain,
    search_words,
    speaks_of,
)
from flow_files import (
    ACTIONS,
    Action,
    Flow,
    FlowError,
    Listing,
    Scene,
    Step,
    WordsOrText,
    load_flow,
    load_flows,
    read_flow,
    shipped,
)
from flow_files.choices import (
    MAX_OFFERED,
    Item,
    Memory,
    Picked,
    list_of,
    match,
    match_exactly,
    offer,
    offered_choice,
    option_keys,
    part_of,
    picked_option,
    storable,
)
from flow_files.performing import message_of
from flow_files.problems import MAX_ROWS
from flow_files.questions import (
    MENU,
    PERSON,
    RESCUE_TITLES,
    read_argument,
    read_typed,
    reads_answer,
    rescue_choice,
    rescue_keys,
)
from message_content import Choice, Content, Menu, Text

__all__ = [
    "ACTIONS",
    "MENU",
    "PERSON",
    "Action",
    "ActionCall",
    "Flow",
    "FlowError",
    "MenuWord",
    "Turn",
    "advance",
    "chooses",
    "enter",
    "is_menu_word",
    "load_flow",
    "load_flows",
    "offer",
    "offered_choice",
    "read_flow",
    "reads_answer",
    "resume",
    "shipped",
]

MAX_HOPS = 20  # steps walked for one message; a flow that needs more is going in a ring
MISSES_BEFORE_PERSON = 3
MORE = "@more"
MORE_KEY = "+"
# So many words tell what a problem is, "the link does not open" in one less; "I have a problem" does not.
TOLD_WORDS = 3
MORE_WORDS = frozenset(
    {"mais", "more", "mas", "ver mais", "ver mas", "show more", "plus", "next", "proximo", "siguiente"}
)


@dataclass(frozen=True, slots=True)
class ActionCall:
    """An action to do. In `Turn.applies` it also carries how it ended and the facts that it gave."""

    name: str
    args: Mapping[str, Any]
    outcome: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Turn:
    """What one message led to. With an `action`, nothing may be sent yet: gather, then `resume`.

    `step` and `data` are to be kept for the next message (`step` is None when the flow has ended); `awaits`
    is the kind of input that the open step waits for; `is_understood` is False when the customer was asked
    again.
    """

    say: tuple[Content, ...]
    step: str | None
    data: Mapping[str, Any]
    action: ActionCall | None = None
    is_done: bool = False
    is_understood: bool = True
    awaits: str | None = None
    applies: tuple[ActionCall, ...] = ()


def advance(
    flow: Flow,
    step: str | None,
    data: Mapping[str, Any],
    text: str,
    *,
    choice_id: str | None = None,
    language: str,
    now: datetime,
    context: Mapping[str, Any],
) -> Turn:
    """Take one message into the flow. Never raises: unknown steps start over, unreadable data is empty.

    `context` gives CONTEXT_NAMES of flow_files to the texts; `region` (ISO country) and `time_zone` help to
    read answers.
    """
    walk = _Walk.begin(flow, data, language=language, now=now, context=context)
    try:
        return _advance(walk, step if _is_open(flow, step) else None, text, choice_id)
    except _CannotGoOn:
        return walk.apologise()


def enter(
    flow: Flow,
    entry_name: str,
    text: str,
    *,
    names_day: bool = False,
    data: Mapping[str, Any],
    language: str,
    now: datetime,
    context: Mapping[str, Any],
) -> Turn:
    """Go straight to the step that a clear wish leads to, with what the message told already. Never raises
    for what a customer can write; KeyError for an entry that the flow does not have."""
    entry = flow.entries[entry_name]
    walk = _Walk.begin(flow, data, language=language, now=now, context=context)
    walk.memory = Memory()
    least = TOLD_WORDS - speaks_of("trouble", text)
    is_told = names_day if entry.needs == "date" else len(search_words(text)) >= least
    step = entry.told if entry.told and is_told else entry.step
    if entry.into and (is_told or not entry.told):
        walk.values[entry.into] = text.strip()
    try:
        return walk.enter(step)
    except _CannotGoOn:
        return walk.apologise()


def resume(
    flow: Flow,
    turn: Turn,
    outcome: str,
    facts: Mapping[str, Any],
    *,
    language: str,
    now: datetime,
    context: Mapping[str, Any],
) -> Turn:
    """Go on after `turn.action` was gathered. Never raises: an unknown outcome is apologised for."""
    if turn.action is None or turn.step is None:
        return turn
    walk = _Walk.begin(flow, turn.data, language=language, now=now, context=context)
    walk.said.extend(turn.say)
    walk.applies.extend(turn.applies)
    step, action = flow.steps.get(turn.step), ACTIONS.get(turn.action.name)
    scene = step.outcomes.get(outcome) if step else None
    if scene is None or action is None:
        return walk.apologise()
    if outcome in action.applies_on:
        walk.applies.append(replace(turn.action, outcome=outcome, facts=dict(facts)))
    walk.facts = dict(facts)
    try:
        return walk.show(f"{turn.step}.{outcome}", scene)
    except _CannotGoOn:
        return walk.apologise()


def chooses(
    flow: Flow, step: str | None, data: Mapping[str, Any], text: str, choice_id: str | None, language: str
) -> bool:
    """Tell whether this message names a choice that is open: by button, digit, letter or title.

    With no open step, the choices of the start count; while a typed answer is awaited, only buttons do.
    """
    memory = Memory.read(data)
    if _pressed(flow, step, choice_id) is not None:
        return True
    position = step if _is_open(flow, step) else flow.start
    scene = flow.scene(position)
    if scene is None:
        return False
    if memory.is_rescue and rescue_choice(scene, text, language) is not None:
        return True
    return scene.awaits == "choice" and match(scene, memory.offered, text) is not None


def open_question(flow: Flow, step: str | None, data: Mapping[str, Any], **known: Any) -> str:
    """Give the words of the typed question that is open; `known` as for `advance`. Empty where none is."""
    scene = flow.scene(step)
    is_asked = scene is not None and scene.awaits not in (None, "choice")
    return _Walk.begin(flow, data, **known)._fill(scene.say) if scene and is_asked else ""


class _CannotGoOn(Exception):
    """A text could not be filled or the flow went in a ring; the customer gets an apology."""


def _advance(walk: "_Walk", step: str | None, text: str, choice_id: str | None) -> Turn:
    pressed = _pressed(walk.flow, step, choice_id)
    if pressed is not None:
        return _press(walk, *pressed, title=text)
    position = step or walk.flow.start
    scene = walk.flow.scene(position)
    is_choice = scene is not None and scene.awaits == "choice"
    if scene is not None and is_choice and (picked := match_exactly(scene, walk.memory.offered, text)):
        return _rescued(walk, scene, text) or walk.pick(picked)
    word = is_menu_word(text)
    if word == "back" and step:
        return walk.go_back(scene)
    if word in ("menu", "back") or (word == "greeting" and (is_choice or not step)):
        return walk.restart()
    if scene is None or (not step and not is_choice):
        return walk.restart()
    if is_choice:
        return _take_choice(walk, step, position, scene, text)
    return _take_answer(walk, position, scene, text)


def _is_open(flow: Flow, step: str | None) -> bool:
    """An action's own step waits for no customer: such a session was cut off and starts over."""
    scene = flow.scene(step)
    return scene is not None and scene.awaits is not None


def _take_choice(walk: "_Walk", step: str | None, position: str, scene: Scene, text: str) -> Turn:
    rescued = _rescued(walk, scene, text)
    if rescued:
        return rescued
    if scene.listing and (text.strip() == MORE_KEY or plain(text) in MORE_WORDS):
        return walk.turn_page(position, scene)
    picked = match(scene, walk.memory.offered, text)
    if picked is not None:
        return walk.pick(picked)
    if step is None:
        return walk.restart()
    return walk.ask_again(position, scene)


def _take_answer(walk: "_Walk", position: str, scene: Scene, text: str) -> Turn:
    rescued = _rescued(walk, scene, text)
    if rescued:
        return rescued
    if is_cancel_word(text):
        return walk.restart()
    if scene.optional and is_skip_word(text):
        return walk.keep(scene, "")
    region, time_zone = walk.context.get("region"), walk.context.get("time_zone")
    answer = read_typed(
        scene,
        text,
        language=walk.language,
        now=walk.now,
        region=region if isinstance(region, str) and region else None,
        time_zone=time_zone if isinstance(time_zone, str) else None,
    )
    return walk.ask_again(position, scene) if answer is None else walk.keep(scene, answer)


def _pressed(flow: Flow, step: str | None, choice_id: str | None) -> tuple[str, str] | None:
    """Read a button id of this flow as (position, choice); the desk's own buttons count at the open step."""
    prefix, _, rest = (choice_id or "").partition("/")
    if prefix != flow.name:
        return None
    if rest in (PERSON, MENU):
        return step or flow.start, rest
    position, _, choice = rest.partition(":")
    scene = flow.scene(position)
    if scene is None or scene.awaits != "choice" or not choice:
        return None
    if choice == MORE:
        return (position, MORE) if position == step and scene.listing else None
    is_known = any(option.id == choice for option in scene.choices) or (
        scene.listing is not None and choice.startswith("=")
    )
    return (position, choice) if is_known else None


def _press(walk: "_Walk", position: str, choice: str, *, title: str) -> Turn:
    if choice == MENU:
        return walk.restart()
    if choice == PERSON:
        return walk.enter_person()
    scene = walk.flow.scene(position)
    if scene is None:
        return walk.restart()
    if choice == MORE:
        return walk.turn_page(position, scene)
    for option in scene.choices:
        if option.id == choice:
            return walk.pick(picked_option(option))
    if scene.listing is None:
        return walk.restart()
    identity = choice.removeprefix("=")
    known = (item for item in walk.memory.offered if item.id == identity)
    return walk.pick(next(known, Item(identity, title)).picked(scene.listing))


def _rescued(walk: "_Walk", scene: Scene, text: str) -> Turn | None:
    choice = rescue_choice(scene, text, walk.language) if walk.memory.is_rescue else None
    if choice is None:
        return None
    return walk.enter_person() if choice == PERSON else walk.restart()


@dataclass
class _Walk:
    """One message's way through a flow, until it waits, ends or needs an action."""

    flow: Flow
    values: dict[str, Any]
    memory: Memory
    language: str
    now: datetime
    context: Mapping[str, Any]
    facts: Mapping[str, Any] = field(default_factory=dict)
    said: list[Content] = field(default_factory=list)
    applies: list[ActionCall] = field(default_factory=list)
    hops: int = 0

    @classmethod
    def begin(
        cls, flow: Flow, data: Mapping[str, Any], *, language: str, now: datetime, context: Mapping[str, Any]
    ) -> "_Walk":
        kept = {
            name: value for name, value in data.items() if isinstance(name, str) and not name.startswith("_")
        }
        reader = texts.text_language(language)
        if reader not in flow.languages:
            reader = flow.languages[0]
        return cls(flow, kept, Memory.read(data), reader, now, context)

    def restart(self) -> Turn:
        self.memory = Memory()
        return self.enter(self.flow.start)

    def enter_person(self) -> Turn:
        self._forget_misses()
        return self.enter(self.flow.person)

    def go_back(self, scene: Scene | None) -> Turn:
        trail = self.memory.trail[:-1]
        target = scene.back if scene and scene.back else trail[-1] if trail else self.flow.start
        if target not in self.flow.steps:
            return self.restart()
        self.memory = Memory(trail=trail)
        return self.enter(target)

    def pick(self, picked: Picked) -> Turn:
        self.values.update(picked.values)
        self._remember(picked.remember)
        self._forget_misses()
        return self.enter(picked.goes)

    def keep(self, scene: Scene, answer: Answer) -> Turn:
        if scene.into:
            self.values[scene.into] = answer
        self._forget_misses()
        return self.enter(scene.goes or self.flow.start)

    def enter(self, name: str) -> Turn:
        """Come to a step: show it, do what it does by itself, or stop for its action."""
        self.hops += 1
        if self.hops > MAX_HOPS:
            raise _CannotGoOn
        step = self.flow.steps[name]
        if step.action is None:
            return self.show(name, step)
        call = self._call(step)
        if call is None:
            # An old button after a new session: what the action needs was forgotten, so ask from the start.
            return self.restart()
        if ACTIONS[call.name].done_by_flow:
            outcome = self._perform(call)
            return self.show(f"{name}.{outcome}", step.outcomes[outcome])
        return self._turn(name, action=call)

    def show(self, position: str, scene: Scene) -> Turn:
        """Say a scene's words, then wait there, end, or go on."""
        self._remember(scene.remember)
        if scene.awaits == "choice":
            self._offer(scene)
            self.said.append(self._menu(position, scene, self._fill(scene.say)))
        elif scene.say:
            body = self._fill(scene.say)
            if body:
                self.said.append(Text(body))
        if scene.awaits:
            self._walked(position)
            return self._turn(position, awaits=scene.awaits)
        if scene.goes and not scene.ends:
            return self.enter(scene.goes)
        self.memory = Memory()
        return self._turn(None, is_done=True)

    def turn_page(self, position: str, scene: Scene) -> Turn:
        self.memory.page += 1
        if not self._page_items(scene):
            self.memory.page = 0
        self.said.append(self._menu(position, scene, texts.text("more_choices", self.language)))
        return self._turn(position, awaits="choice")

    def ask_again(self, position: str, scene: Scene) -> Turn:
        """Ask kindly again; every third time offer a person."""
        self.memory.misses += 1
        self.memory.is_rescue = self.memory.misses % MISSES_BEFORE_PERSON == 0
        if self.memory.is_rescue:
            self.said.append(self._rescue_menu(scene))
        elif scene.awaits == "choice":
            again = self._fill(scene.again) or self._invalid(scene)
            self.said.append(self._menu(position, scene, self._with_old_body(position, scene, again)))
        else:
            self.said.append(Text(self._fill(scene.again) or self._invalid(scene)))
        return replace(self._turn(position, awaits=scene.awaits), is_understood=False)

    def apologise(self) -> Turn:
        self.said.append(Text(texts.text("error", self.language)))
        self.memory = Memory()
        return self._turn(None, is_done=True)

    def _turn(
        self,
        step: str | None,
        *,
        action: ActionCall | None = None,
        awaits: str | None = None,
        is_done: bool = False,
    ) -> Turn:
        data = {name: kept for name, value in self.values.items() if (kept := storable(value)) is not None}
        return Turn(
            say=tuple(self.said),
            step=step,
            data={**data, **self.memory.write()},
            action=action,
            is_done=is_done,
            awaits=awaits,
            applies=tuple(self.applies),
        )

    def _walked(self, position: str) -> None:
        """Note the step on the way back; coming to it again cuts the ring off."""
        name = position.partition(".")[0]
        trail = self.memory.trail
        self.memory.trail = [*trail[: trail.index(name)], name] if name in trail else [*trail, name]

    def _forget_misses(self) -> None:
        self.memory.misses = 0
        self.memory.is_rescue = False

    def _remember(self, remember: Mapping[str, WordsOrText]) -> None:
        for name, value in remember.items():
            self.values[name] = self._fill(value)

    def _offer(self, scene: Scene) -> None:
        self.memory.page = 0
        self.memory.offered = list(self._items(scene.listing))[:MAX_OFFERED] if scene.listing else []

    def _items(self, listing: Listing) -> Iterator[Item]:
        for fact in list_of(self.facts.get(listing.facts)):
            identity, title = part_of(fact, listing.id), part_of(fact, listing.title)
            if identity is not None and title:
                yield Item(str(identity), str(title), str(part_of(fact, listing.description) or ""))

    def _menu(self, position: str, scene: Scene, body: str) -> Menu:
        choices = [
            Choice(
                id=f"{self.flow.name}/{position}:{option.id}",
                title=self._fill(option.title),
                key=key,
                description=self._fill(option.description),
            )
            for option, key in zip(scene.choices, option_keys(scene), strict=True)
        ]
        return Menu(
            body=body,
            choices=(*self._list_choices(position, scene), *choices),
            button=self._fill(scene.button) or texts.text("menu_button", self.language),
            options_in_body=scene.options_in_body,
        )

    def _list_choices(self, position: str, scene: Scene) -> Iterator[Choice]:
        if scene.listing is None or scene.listing.typed_only:
            return
        prefix = f"{self.flow.name}/{position}:"
        for number, item in self._page_items(scene):
            yield Choice(f"{prefix}={item.id}", item.title, str(number), item.description)
        if len(self.memory.offered) > self._page_size(scene):
            yield Choice(prefix + MORE, texts.text("title_more", self.language), MORE_KEY)

    def _page_items(self, scene: Scene) -> list[tuple[int, Item]]:
        size = self._page_size(scene)
        first = self.memory.page * size
        return list(enumerate(self.memory.offered, start=1))[first : first + size]

    def _page_size(self, scene: Scene) -> int:
        free = MAX_ROWS - len(scene.choices)
        return free if len(self.memory.offered) <= free else free - 1

    def _with_old_body(self, position: str, scene: Scene, again: str) -> str:
        """Repeat a menu's words, unless they were made of facts that are gone, or only say welcome."""
        is_welcome = position == self.flow.start and not scene.options_in_body
        return again if "." in position or is_welcome else f"{again}\n\n{self._fill(scene.say)}"

    def _rescue_menu(self, scene: Scene) -> Menu:
        choices = tuple(
            Choice(f"{self.flow.name}/{choice}", texts.text(name, self.language), key)
            for (choice, name), key in zip(RESCUE_TITLES, rescue_keys(scene), strict=True)
        )
        return Menu(texts.text("offer_person", self.language), choices)

    def _invalid(self, scene: Scene) -> str:
        values: dict[str, Any] = {"minimum": _short(scene.minimum), "maximum": _short(scene.maximum)}
        values["misses"] = self.memory.misses
        again = texts.text(f"invalid_{scene.awaits}", self.language, **values)
        return f"{again}\n\n{texts.text('may_skip', self.language)}" if scene.optional else again

    def _call(self, step: Step) -> ActionCall | None:
        """Fill an action's arguments; None when one that it needs is missing or unreadable."""
        name = step.action or ""
        arguments = ACTIONS[name].arguments
        args: dict[str, Any] = {}
        for argument_name, argument in arguments.items():
            given = step.arguments.get(argument_name, "")
            filled = self._fill(given) if isinstance(given, str | dict) else str(given)
            value = read_argument(filled, argument.type)
            if value is None and argument.is_required:
                return None
            args[argument_name] = value
        return ActionCall(name, args)

    def _perform(self, call: ActionCall) -> str:
        message = message_of(call.name, call.args)
        if message is not None:
            self.said.append(message)
        return "none" if message is None else "sent"

    def _fill(self, written: WordsOrText | None) -> str:
        """Fill a text of the flow in the customer's language. Raises _CannotGoOn when it cannot be filled."""
        if isinstance(written, dict):
            written = written.get(self.language) or next(iter(written.values()), "")
        if not written or "{" not in written:
            return (written or "").strip("\n")
        scope = {**self.context, **self.values, **self.facts, "language": self.language}
        try:
            return texts.compiled(written).render(scope).strip("\n")
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            raise _CannotGoOn from error


def _short(number: float | None) -> str:
    return "" if number is None else f"{number:g}"
