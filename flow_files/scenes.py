"""What a flow is made of: steps, scenes, choices and lists, as read-only objects that give a file its shape.

Reading and checking stands in `reading` and `problems`. Nothing here walks a flow or knows a conversation.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator

from vocabulary import TEXT_LANGUAGES

Expectation = Literal["choice", "text", "name", "number", "money", "email", "country", "date", "free"]
EXPECTATIONS: tuple[str, ...] = get_args(Expectation)


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
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
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


class Entry(_Part):
    """A way into a flow without its menu, for a wish that is clear: by intent, or `search` for any words.

    The message is kept in `into`. When it tells enough by itself (some words, or a day), `told` is the step.
    """

    step: StepName
    into: str | None = None
    told: StepName | None = None
    needs: Literal["words", "date"] = "words"


class Flow(_Part):
    """A whole flow: read only, the same object for every conversation."""

    name: StepName
    title: Words
    version: int = 1
    start: StepName
    person: StepName
    languages: tuple[str, ...] = TEXT_LANGUAGES
    entries: dict[str, Entry] = Field(default_factory=dict)
    steps: dict[StepName, Step]

    def scene(self, position: str | None) -> Scene | None:
        """Give the scene at `position` ("step", or "step.outcome" after an action), or None."""
        return self.scenes.get(position or "")

    @cached_property
    def scenes(self) -> Mapping[str, Scene]:
        """All scenes by position, in the file's order."""
        found: dict[str, Scene] = {}
        for name, step in self.steps.items():
            found[name] = step
            found.update({f"{name}.{outcome}": scene for outcome, scene in step.outcomes.items()})
        return found
