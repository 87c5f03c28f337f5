"""The words between the model wire and its callers: what is asked, what comes back, why there is no answer.

Frozen dataclasses and closed lists only; nothing here touches the network. Money is in millionths of a US
dollar, time in milliseconds where it is kept and in seconds where it is a limit.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final, Generic, Literal, Self, TypeVar

from pydantic import BaseModel

Role = Literal["system", "user", "assistant"]
Service = Literal["openrouter", "openai", "anthropic", "own"]
FailureCode = Literal[
    "timeout",
    "refused_key",
    "refused_request",
    "rate_limited",
    "overloaded",
    "bad_answer",
    "unreachable",
    "content_filtered",
    "too_long",
    "circuit_open",
    "over_budget",
    "not_configured",
]
Schema = TypeVar("Schema", bound=BaseModel)
Parsed = TypeVar("Parsed", bound=BaseModel | None, covariant=True)

# What an admin can do about each failure.
WHAT_TO_DO: Final[Mapping[FailureCode, str]] = {
    "timeout": "The model answered too slowly. Choose a faster AI_MODEL, or name AI_FALLBACK_MODELS.",
    "refused_key": "The service refused the key. Make a new one at the service and set it again.",
    "refused_request": "The service did not accept the request. Check AI_MODEL and AI_BASE_URL.",
    "rate_limited": "Too many calls for this key or model. Wait, name AI_FALLBACK_MODELS, or buy a "
    "higher limit.",
    "overloaded": "The service is overloaded or broken. It may pass; AI_FALLBACK_MODELS helps meanwhile.",
    "bad_answer": "The model's answer could not be used. A larger AI_MODEL follows the form better.",
    "unreachable": "The service cannot be reached. Check AI_BASE_URL, the network and the firewall.",
    "content_filtered": "The service's own filter stopped this answer. Nothing to repair if it is rare.",
    "too_long": "The conversation or the answer is longer than the model allows. Choose one with a "
    "larger context.",
    "circuit_open": "The model failed several times and is left alone for a moment. Look at the failures "
    "before.",
    "over_budget": "There is no money left: raise AI_DAILY_SPEND_CAP_USD, or add credit at the service.",
    "not_configured": "No model is set for this. See AI_MODEL, AI_VISION_MODEL and AI_TRANSCRIPTION_MODEL.",
}


# --- what is asked of whom ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where models are asked, and how it wants to be spoken to. The key and the address stay out of `repr`.

    `enforces_schema` says that a JSON schema sent along surely binds the answer; where it may be ignored the
    schema is also told in words.
    """

    service: Service
    base_url: str = field(repr=False)
    key: str = field(default="", repr=False)
    headers: tuple[tuple[str, str], ...] = ()
    dialect: Literal["chat", "messages"] = "chat"
    token_field: str = "max_tokens"
    enforces_schema: bool = False


@dataclass(frozen=True, slots=True)
class Model:
    """One model of an endpoint. Prices are dollars per million tokens; None is unknown.

    An empty `name` leaves the choice to a server that serves one model only.
    """

    endpoint: Endpoint
    name: str
    price_in: Decimal | None = None
    price_out: Decimal | None = None

    @property
    def label(self) -> str:
        return f"{self.endpoint.service}:{self.name or 'default'}"

    @property
    def is_free(self) -> bool:
        """Whether it is known that a call costs nothing."""
        is_free_offer = self.endpoint.service == "openrouter" and self.name.endswith(":free")
        return is_free_offer or (self.price_in == 0 and self.price_out == 0)

    @property
    def can_hear(self) -> bool:
        """Whether its service takes recordings at all; Anthropic's has no such address."""
        return self.endpoint.dialect == "chat"

    @property
    def tells_cost(self) -> bool:
        """Whether the cost of a call will be known: from the service, or from prices that were given."""
        has_prices = self.price_in is not None and self.price_out is not None
        return self.endpoint.service == "openrouter" or has_prices


@dataclass(frozen=True, slots=True)
class Models:
    """The models of one desk: `chat` in the order in which they are tried, the others None when not set."""

    chat: tuple[Model, ...]
    vision: Model | None = None
    transcription: Model | None = None

    def first(self) -> Self:
        """Give the first chat model without its fallbacks."""
        return replace(self, chat=self.chat[:1])

    def only_free(self) -> Self | None:
        """Give what may still be asked when no money may be spent; None when nothing may."""
        chat = tuple(model for model in self.chat if model.is_free)
        vision = self.vision if self.vision and self.vision.is_free else None
        heard = self.transcription if self.transcription and self.transcription.is_free else None
        return (
            replace(self, chat=chat, vision=vision, transcription=heard) if chat or vision or heard else None
        )


@dataclass(frozen=True, slots=True)
class File:
    """An image, a PDF or a recording, as its bytes."""

    content: bytes = field(repr=False)
    mime_type: str
    name: str = "file"


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation; `files` are images (image/*) and PDFs beside its text."""

    role: Role
    text: str
    files: tuple[File, ...] = ()


# --- what comes back ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Usage:
    """What a call used, over all its tries. An unknown cost counts as 0 and says so."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_microusd: int = 0
    is_cost_known: bool = True

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cost_microusd + other.cost_microusd,
            self.is_cost_known and other.is_cost_known,
        )


NOTHING_USED: Final = Usage()


@dataclass(frozen=True, slots=True)
class Answered(Generic[Parsed]):
    """The model's words, and with a schema their validated form.

    `model` is the label of the model that answered, `tries` how many requests it took. `is_cut` says that
    a text without schema reached its token limit; `was_repaired` that the form was right at the second try.
    """

    text: str
    parsed: Parsed
    model: str
    usage: Usage = NOTHING_USED
    took_ms: int = 0
    tries: int = 1
    is_cut: bool = False
    was_repaired: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """Why there is no answer. `model` is the first model that failed; usage counts what was spent anyway.

    `detail` is the service's own word for it, without keys; it may quote a request, so it is shown to an
    admin who asks and never logged.
    """

    code: FailureCode
    model: str = ""
    usage: Usage = NOTHING_USED
    took_ms: int = 0
    tries: int = 0
    status: int = 0  # of HTTP; 0 when there was none
    detail: str = field(default="", repr=False)

    @property
    def what_to_do(self) -> str:
        return WHAT_TO_DO[self.code]
