"""What one message to a customer can hold, free of any provider.

Flows, replies and operators make these; `whatsapp_service` stores them as JSON on the message row; a provider
fits them to its limits and turns them into its own shape. Nothing here knows a provider, a row or a language.
"""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

MediaKind = Literal["image", "audio", "video", "document", "sticker"]


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text with WhatsApp's own marks (*bold*, _italic_)."""

    KIND: ClassVar[str] = "text"
    body: str
    preview_url: bool = False

    @property
    def summary(self) -> str:
        return self.body


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing to choose: `id` comes back when pressed, `key` is what a person may type (1, A)."""

    id: str
    title: str
    key: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Menu:
    """A body with choices; shown as buttons or a list where possible, else as numbered text.

    `body` may already carry the options in words (`options_in_body`); then a text fallback adds none.
    """

    KIND: ClassVar[str] = "menu"
    body: str
    choices: tuple[Choice, ...]
    button: str = ""
    header: str = ""
    footer: str = ""
    options_in_body: bool = False

    @property
    def summary(self) -> str:
        return self.body


@dataclass(frozen=True, slots=True)
class LinkButton:
    """A body and one button that opens a web address (Meta: cta_url)."""

    KIND: ClassVar[str] = "link_button"
    body: str
    title: str
    url: str
    header: str = ""
    footer: str = ""

    @property
    def summary(self) -> str:
        return f"{self.body}\n{self.url}"


@dataclass(frozen=True, slots=True)
class Media:
    """A file by public https link, by the provider's media id, or one of our own (`stored_files`): exactly
    one.

    Delivery turns one of our own into one of the others.
    """

    KIND: ClassVar[str] = "media"
    media_kind: MediaKind
    link: str = ""
    media_id: str = ""
    caption: str = ""
    filename: str = ""
    file_id: int = 0

    @property
    def summary(self) -> str:
        return self.caption or self.filename or f"[{self.media_kind}]"


@dataclass(frozen=True, slots=True)
class Template:
    """An approved message template: the only thing that may leave outside the service window.

    `components` are the provider's own component objects (Meta) or the variables under one
    `{"type": "variables", "values": {...}}` (Twilio); `name` is the Content SID there. A file of our own
    (`file_id`) goes on top: delivery makes it one of the components.
    """

    KIND: ClassVar[str] = "template"
    name: str
    language: str
    components: tuple[dict[str, Any], ...] = ()
    preview: str = ""
    file_id: int = 0

    @property
    def summary(self) -> str:
        return self.preview or f"[{self.name}]"


@dataclass(frozen=True, slots=True)
class LocationRequest:
    """Ask the customer to share a place."""

    KIND: ClassVar[str] = "location_request"
    body: str

    @property
    def summary(self) -> str:
        return self.body


@dataclass(frozen=True, slots=True)
class Reaction:
    """An emoji on one of the customer's messages; an empty emoji takes it away."""

    KIND: ClassVar[str] = "reaction"
    to_external_id: str
    emoji: str

    @property
    def summary(self) -> str:
        return self.emoji


Content = Text | Menu | LinkButton | Media | Template | LocationRequest | Reaction
_KINDS: dict[str, type[Content]] = {
    c.KIND: c for c in (Text, Menu, LinkButton, Media, Template, LocationRequest, Reaction)
}


def to_json(content: Content) -> dict[str, Any]:
    """Give `content` as a JSON object with its `kind`."""
    return {"kind": content.KIND, **asdict(content)}


def from_json(stored: dict[str, Any]) -> Content:
    """Read back what `to_json` gave. Raises ValueError for an unknown kind or missing fields."""
    fields = {name: value for name, value in stored.items() if name != "kind"}
    kind = _KINDS.get(str(stored.get("kind")))
    if kind is None:
        raise ValueError(f"unknown message content {stored.get('kind')!r}")
    if kind is Menu:
        fields["choices"] = tuple(Choice(**choice) for choice in fields["choices"])
    if kind is Template:
        fields["components"] = tuple(fields.get("components", ()))
    try:
        return kind(**fields)
    except TypeError as error:
        raise ValueError(f"message content {kind.KIND}: {error}") from error
