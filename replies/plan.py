"""What a model answers: a small plan of words and at most one thing to do, from closed lists.

`ai_service` has the model's JSON read into it. A plan that reads is well formed, not yet true: `guards` says
whether it may leave.
"""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from .facts import LinkName

MAX_PLAN_CHARS: Final = 2000  # what is read at all; what leaves is held to guards.MAX_REPLY_CHARS
MAX_BUTTONS: Final = 3  # WhatsApp's own limit
MAX_QUANTITY: Final = 99

ActionName = Literal["show_products", "add_to_cart", "check_out", "send_link", "book", "hand_over", "none"]
# The desk writes their titles itself, in the customer's language.
ButtonName = Literal["show_products", "add_to_cart", "check_out", "book", "menu", "person"]
SignalName = Literal["initial_interest", "question", "objection", "ready_to_buy", "not_interested"]
LanguageName = Literal["en", "es", "fr", "de", "it", "pt", "ar", "zh", "ja", "ko"]

# A field that nobody asked for is left unread: no reason to throw a good reply away, and it goes nowhere.
_TOLD: Final[dict[str, JsonValue]] = {"additionalProperties": False}
_STRICT: Final = ConfigDict(extra="ignore", json_schema_extra=_TOLD, frozen=True, strict=True)


class Action(BaseModel):
    """One thing to do with the reply; `sku` and `quantity` for a cart, `link` for an address."""

    model_config = _STRICT

    name: ActionName = "none"
    sku: Annotated[str, StringConstraints(min_length=1, max_length=60)] | None = None
    quantity: Annotated[int, Field(ge=1, le=MAX_QUANTITY)] | None = None
    link: LinkName | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.name == "add_to_cart" and (self.sku is None or self.quantity is None):
            raise ValueError("add_to_cart needs a sku and a quantity")
        if self.name == "send_link" and self.link is None:
            raise ValueError("send_link needs the name of a link")
        return self


class Plan(BaseModel):
    """A reply as the model plans it; `sources` are the ids of the passages that it used."""

    model_config = _STRICT

    text: Annotated[str, StringConstraints(min_length=1, max_length=MAX_PLAN_CHARS)]
    language: LanguageName
    buttons: Annotated[list[ButtonName], Field(max_length=MAX_BUTTONS)] = []
    action: Action = Action()
    sources: Annotated[list[int], Field(max_length=10)] = []

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.text.strip():
            raise ValueError("the text says nothing")
        if len(set(self.buttons)) != len(self.buttons):
            raise ValueError("a button stands twice")
        return self


class Suggestions(BaseModel):
    """Three different replies for an operator to choose from."""

    model_config = _STRICT

    replies: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=MAX_PLAN_CHARS)]],
        Field(min_length=3, max_length=3),
    ]

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if len({" ".join(reply.casefold().split()) for reply in self.replies}) != len(self.replies):
            raise ValueError("the replies are the same")
        return self


class Verdict(BaseModel):
    """The numbers of a reply's sentences that the facts do not support, from 1."""

    model_config = _STRICT

    unsupported: Annotated[list[int], Field(max_length=40)]


class Summary(BaseModel):
    """A conversation in one paragraph."""

    model_config = _STRICT

    summary: Annotated[str, StringConstraints(min_length=1, max_length=1200)]


class Translation(BaseModel):
    """A message in the reader's language, and the language that it was in."""

    model_config = _STRICT

    text: Annotated[str, StringConstraints(min_length=1, max_length=8000)]
    from_language: Annotated[str, StringConstraints(min_length=2, max_length=10)]


class ModelReading(BaseModel):
    """What a model reads in a message: one label of each closed list, each with its confidence."""

    # A 1 is a fine 1.0 here.
    model_config = ConfigDict(extra="ignore", json_schema_extra=_TOLD, frozen=True)

    language: LanguageName
    intent: Literal[
        "lead_inquiry", "support_ticket", "complaint", "order_inquiry", "payment_inquiry",
        "appointment_request", "feedback", "spam", "other",
    ]  # fmt: skip
    buying_signal: (
        Literal["initial_interest", "question", "objection", "ready_to_buy", "not_interested"] | None
    )
    sentiment: Literal["positive", "negative", "angry", "frustrated", "excited", "neutral"]
    sentiment_score: Annotated[float, Field(ge=-1, le=1)]
    urgency: Literal["critical", "urgent", "high", "medium", "low"]
    confidence: Annotated[float, Field(ge=0, le=1)]


class ReadPlan(Plan):
    """A plan together with how its writer read the message: one call for both."""

    reading: ModelReading | None = None  # a good reply is not thrown away for want of labels


def schema(shape: type[BaseModel]) -> dict[str, Any]:
    """Give the JSON schema that a model is asked to fill."""
    return shape.model_json_schema()
