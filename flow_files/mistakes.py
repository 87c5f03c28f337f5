"""What can be wrong with a flow file: a closed list of codes, each with its sentence.

`problems` and `reading` find mistakes; logs and the command line say them in English, pages by their gettext.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Place = tuple[str | int, ...]
# Pydantic names the branch of a union that it tried; people who edit flows need not read it.
_PYDANTIC_BRANCHES = frozenset({"dict[str,str]", "str", "int", "float", "[key]"})


class Code(StrEnum):
    """Each mistake with its sentence, which goes on from the place: `shop, step pay, line 3: goes …`."""

    # What the file is.
    TOO_LONG = "a flow has at most %(most)s characters"
    UNREADABLE = "%(why)s"  # in the words of YAML
    NO_MAPPING = "a flow is a mapping of name, title, start, person and steps"
    TOO_DEEP = "nested too deeply"
    TOO_MANY_VALUES = "more than %(most)s values"
    KEY_OF_PARTS = "a key is one word"
    KEY_TWICE = "%(key)s stands twice"
    NAME_TAKEN = "another file already has the flow name %(name)r"
    # What stays as it is while a flow is changed.
    NAME_CHANGED = "name must stay %(name)s"
    ENTRIES_LOST = "entries must keep %(names)s"
    VERSION_NOT_FOUND = "version must stand in a line of its own"
    # The shape of a part: these have the names that pydantic gives them.
    MISSING = "is missing"
    EXTRA_FORBIDDEN = "is not a word that a flow knows"
    STRING_TYPE = "Input should be a valid string"
    STRING_PATTERN_MISMATCH = "String should match pattern '%(pattern)s'"
    LITERAL_ERROR = "Input should be %(expected)s"
    BOOL_TYPE = "Input should be a valid boolean"
    BOOL_PARSING = "Input should be a valid boolean, unable to interpret input"
    INT_TYPE = "Input should be a valid integer"
    INT_PARSING = "Input should be a valid integer, unable to parse string as an integer"
    INT_FROM_FLOAT = "Input should be a valid integer, got a number with a fractional part"
    FLOAT_TYPE = "Input should be a valid number"
    FLOAT_PARSING = "Input should be a valid number, unable to parse string as a number"
    DICT_TYPE = "Input should be a valid dictionary"
    MODEL_TYPE = "Input should be a valid dictionary or instance of %(class_name)s"
    TUPLE_TYPE = "Input should be a valid tuple"
    INVALID_KEY = "Keys should be strings"
    # Steps, entries and actions.
    NO_LANGUAGE = "must be some of %(names)s"
    NO_STEP = "names the step %(name)r, which does not exist"
    START_OFFERS_NOTHING = "is the start and must offer choices"
    NO_ENTRY = "is not one of %(names)s"
    TOLD_NOT_KEPT = "needs `into`: what was told must be kept somewhere"
    NO_PLAIN_NAME = "must be a plain name that does not begin with _"
    NO_ACTION = "has outcomes or arguments but no action"
    UNKNOWN_ACTION = "%(name)r is not one of %(names)s"
    ACTION_SPEAKS = "does an action: what it says and where it goes stand in its outcomes"
    OUTCOME_MISSING = "must say what happens on %(name)r"
    NO_OUTCOME = "is no outcome of %(action)s (%(names)s)"
    NO_ARGUMENT = "is no argument of %(action)s (it takes %(names)s)"
    TAKES_NO_ARGUMENT = "is no argument of %(action)s (it takes none)"
    ARGUMENT_MISSING = "needs %(name)s: %(action)s cannot do without it"
    NOT_REACHED = "is reached by nothing"
    SILENT_RING = "comes round to itself without asking anything"
    # Scenes, questions and choices.
    DOES_NOT_GO_ON = "must do one of: ask, offer choices, go to a step (goes), end (ends: true)"
    ASKS_NOTHING = "asks for an answer but says nothing"
    ANSWER_NOT_KEPT = "asks for an answer: into must name where it is kept"
    ANSWER_GOES_NOWHERE = "asks for an answer: goes must name the next step"
    KEEPS_BESIDE_CHOICES = "offers choices: only the choices say what is kept and where it goes"
    CHOICES_SAY_NOTHING = "offers choices but says nothing"
    NO_CHOICES = "awaits a choice but offers none"
    TOO_MANY = "are more than %(most)s"
    NO_FACT = "%(name)r is no fact that is known here"
    DIGITS_BESIDE_LIST = "beside a list have letters or 0 as keys: digits number the list"
    EQUAL_IDS = "have equal ids"
    EQUAL_KEYS = "have equal keys"
    EQUAL_TITLES = "have equal titles (%(language)s)"
    # Texts.
    NO_WORDS = "has no words in %(language)r"
    OTHER_LANGUAGE = "is not a language of this flow"
    TEXT_TOO_LONG = "is longer than %(most)s characters"
    NOT_FILLED_IN = "cannot be filled in: %(why)s"  # in the words of Jinja
    NOBODY_GIVES = "uses %(names)s, which nothing gives here"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and where: the keys that lead there from the file's top."""

    place: Place
    code: Code
    values: Mapping[str, Any] = field(default_factory=dict)


def _in_english(words: str, **values: object) -> str:
    return words % values if values else words


@dataclass(frozen=True, slots=True)
class Mistake:
    """A problem of one file, named `flow`; `line` counts from 1 and is 0 where there is none."""

    flow: str
    line: int
    problem: Problem

    def __str__(self) -> str:
        return self.sentence(_in_english)

    def sentence(self, say: Callable[..., str]) -> str:
        """Say it with its place; `say` gives a text in the reader's language, as gettext does."""
        place, where = self.problem.place, [self.flow]
        if len(place) > 1 and place[0] == "steps":
            where.append(say("step %(name)s", name=place[1]))
            place = place[2:]
        if self.line:
            where.append(say("line %(number)s", number=self.line))
        inner = ".".join(str(part) for part in place if part not in _PYDANTIC_BRANCHES)
        reason = say(self.problem.code.value, **self.problem.values)
        return f"{', '.join(where)}: {inner + ' ' if inner else ''}{reason}"


class FlowError(ValueError):
    """A flow file that cannot be used; the text names file, step and line in English."""

    def __init__(self, mistake: Mistake) -> None:
        super().__init__(mistake)
        self.mistake = mistake
