"""The one contract of WhatsApp providers: verify, split, parse, send, media, health.

The door calls `verify` and `split`; `whatsapp_service` calls the rest. A provider holds no state and knows no
database and no flask: dataclasses in, dataclasses out. Network failures are answers (`SendError`), not
exceptions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from message_content import Content, Media, Template
from providers.templates import Draft, ListedTemplate, Submitted

ElementKind = Literal["message", "status", "echo", "history", "template", "other"]


@dataclass(frozen=True, slots=True)
class Account:
    """One number of ours and its credentials, as a provider needs them. Secrets stay out of `repr`."""

    integration_id: int
    provider: str
    number_id: str  # Meta: phone_number_id. Twilio: the sender's E.164 number, or a Messaging Service SID.
    business_id: str = ""  # Meta: WhatsApp business account id. Twilio: account SID.
    app_secret: str = field(default="", repr=False)  # Meta: app secret. Twilio: auth token.
    access_token: str = field(default="", repr=False)  # Meta: bearer token. Twilio: auth token.
    base_url: str = ""
    api_version: str = ""
    status_callback_url: str = ""
    shape: str = ""  # simulator only: whose shape it speaks, meta or twilio
    timeout_secs: float = 15.0


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """An HTTP request as its signature needs it: `body` are the exact bytes; `url` is the public URL."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    form: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Element:
    """One piece of a webhook body, as the door stores it: a row of `webhook_events`.

    `number_id` is None when the body names none (the default number's then). `key` is unique per element for
    ever (message: number + provider id; status: number + id + status; other: SHA-256 of the canonical
    element). `person` is the lane's person: the business-scoped id when there is one, else the wa_id; None
    has no lane. `payload` is canonical JSON, enough for `parse` to need nothing else. `account_id` is the
    account that the body says it speaks for; None when the provider's bodies do not say it. `service_id` is
    the service that several numbers share, by which it is known when the number itself is not connected.
    """

    kind: ElementKind
    number_id: str | None
    key: str
    person: str | None
    provider_at: datetime | None
    payload: bytes
    account_id: str | None = None
    service_id: str | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """A WhatsApp user as the provider names it; at least one of the first three is set."""

    wa_id: str | None = None
    bsuid: str | None = None
    parent_bsuid: str | None = None
    username: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class InboundMedia:
    """A file that came with a message; `url` is the provider's and needs its credentials."""

    media_kind: str
    media_id: str = ""
    url: str = ""
    mime_type: str = ""
    sha256: str = ""
    filename: str = ""
    is_voice: bool = False
    is_animated: bool = False


@dataclass(frozen=True, slots=True)
class OrderItem:
    """One line of a WhatsApp catalogue order; `price_minor` in minor units (cents)."""

    retailer_id: str
    quantity: int
    price_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """A message by a person. `kind` is one of INBOUND_KINDS; `text` is all that a reader may read of it
    (body, caption, button title), without NUL characters; `choice_id` the id or payload that was pressed.
    `extra` keeps, JSON-safe, what has no field of its own (location, contacts, form answers, errors)."""

    external_id: str
    sender: Person
    kind: str
    sent_at: datetime | None = None
    text: str = ""
    choice_id: str | None = None
    quotes: str | None = None  # external id of the message it answers
    target: str | None = None  # reaction, edit, revoke: external id of the message meant
    emoji: str = ""
    media: InboundMedia | None = None
    order_items: tuple[OrderItem, ...] = ()
    referral: Mapping[str, Any] | None = None
    is_forwarded: bool = False
    group_id: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


INBOUND_KINDS = (
    "text",
    "image",
    "video",
    "audio",
    "document",
    "sticker",
    "location",
    "contacts",
    "button",
    "interactive",
    "order",
    "reaction",
    "edit",
    "revoke",
    "unsupported",
    "welcome",
)


@dataclass(frozen=True, slots=True)
class Echo:
    """A message that the owner wrote on her own phone (coexistence) to `recipient`."""

    message: InboundMessage
    recipient: Person


@dataclass(frozen=True, slots=True)
class ProviderError:
    """An error as the provider told it: `code` decides, `title` and `details` are shown."""

    code: int
    title: str = ""
    details: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a message of ours. `reference` is our message id when the provider gave it back."""

    external_id: str
    status: str  # RECEIPT_STATUSES of the vocabulary
    at: datetime | None
    reference: str | None = None
    recipient: Person | None = None
    errors: tuple[ProviderError, ...] = ()
    pricing: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class IdentityChange:
    """A person's number or business-scoped id was replaced; the contact stays."""

    old: Person
    new: Person
    at: datetime | None = None
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class Preference:
    """A person stopped or resumed marketing messages at the provider."""

    person: Person
    wants_marketing: bool
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class HistoryMessage:
    """A past message from the owner's phone: stored and shown, never answered."""

    message: InboundMessage
    contact: Person
    is_ours: bool
    status: str | None = None


@dataclass(frozen=True, slots=True)
class AddressBookEntry:
    """A contact in the owner's phone; `is_removed` when she deleted it."""

    person: Person
    is_removed: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """Anything else that was signed: stored and shown, changes nothing by itself."""

    topic: str  # the provider's field name
    data: Mapping[str, Any]
    errors: tuple[ProviderError, ...] = ()


Event = (
    InboundMessage | Echo | Receipt | IdentityChange | Preference | HistoryMessage | AddressBookEntry | Notice
)


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider took the message. `person` holds identities that its answer taught us."""

    external_id: str
    person: Person | None = None


@dataclass(frozen=True, slots=True)
class SendError:
    """A send that did not succeed, in a closed list of meanings.

    `outcome`: `retry` (surely not sent, try again), `final` (surely not sent, never will), `uncertain` (the
    line was cut after the request left: it may have been sent). `retry_after_secs` is the provider's own
    wish; `scope` says whom to slow down: this person (`pair`), the whole number (`number`), or only this
    message.
    """

    code: str
    outcome: Literal["retry", "final", "uncertain"]
    operator_message: str
    retry_after_secs: float | None = None
    scope: Literal["message", "pair", "number"] = "message"
    is_credential_problem: bool = False
    is_opt_out: bool = False
    stops_marketing: bool = False
    is_window_closed: bool = False


@dataclass(frozen=True, slots=True)
class DownloadedMedia:
    content: bytes
    mime_type: str
    sha256_hex: str
    filename: str = ""


@dataclass(frozen=True, slots=True)
class OwnFile:
    """A file of ours that a message carries; `url` is where the provider may fetch it for a short time."""

    content: bytes = field(repr=False)
    mime_type: str
    filename: str
    url: str


@dataclass(frozen=True, slots=True)
class MediaError:
    """Why a file could not be fetched, in words; `is_retryable` when a later try may help."""

    code: str
    operator_message: str
    is_retryable: bool = False


@dataclass(frozen=True, slots=True)
class Health:
    """What the provider says of a number: `is_ok`, and one plain sentence for the operator.

    `code` names the sentence for pages that say it in other languages (meta_number, twilio_account,
    simulated, or a SendError's), `facts` are the names and words in it.
    """

    is_ok: bool
    summary: str
    details: Mapping[str, Any] = field(default_factory=dict)
    code: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    is_credential_problem: bool = False
    token_ends_at: datetime | None = None  # None: never, or the provider does not say

    @classmethod
    def failed(cls, error: "SendError") -> "Health":
        is_credential_problem = error.is_credential_problem
        return cls(
            False, error.operator_message, code=error.code, is_credential_problem=is_credential_problem
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """Documented ceilings of one provider; characters unless the name says otherwise."""

    text: int
    caption: int
    menu_body: int
    buttons_count: int
    button_title: int
    rows_count: int
    row_title: int
    row_description: int
    list_button: int
    header: int
    footer: int
    link_title: int
    choice_id: int
    media_bytes: Mapping[str, int] = field(default_factory=dict)


class MalformedBody(ValueError):
    """The body was not what its content type says (not JSON, truncated, too deep); nothing could be split."""


class Provider(Protocol):
    """What every provider module's singleton offers."""

    name: str
    limits: Limits
    keeps_templates: bool  # False: the desk's own rows are all there is of its templates

    def verify(self, request: SignedRequest, app_secret: str) -> bool:
        """Tell whether `request` was signed with `app_secret`; constant time; False without secret or
        header."""
        ...

    def split(self, request: SignedRequest) -> list[Element]:
        """Split a verified body into its elements, in order. Never raises for one bad element (it becomes
        `other`); raises MalformedBody when the whole body cannot be read."""
        ...

    def parse(self, payload: bytes) -> Event:
        """Read one stored element. Total: what is not understood becomes a Notice or an `unsupported`
        message."""
        ...

    def fit(self, content: Content) -> tuple[Content, ...]:
        """Fit `content` to the provider's limits: split long text at paragraph, line or word ends, cut titles
        (kept distinct), turn a menu with too many choices into numbered text. Every piece can then be sent as
        it is."""
        ...

    def send(
        self, account: Account, to: Person, content: Content, *, reference: str, quotes: str | None = None
    ) -> Sent | SendError:
        """Send one fitted content. `reference` is our message id and must come back in every receipt."""
        ...

    def attach(self, account: Account, content: Media | Template, file: OwnFile) -> Content | SendError:
        """Give a message with one of our own files the form in which it can be sent: uploaded or by its
        address. Where neither can be, its words alone are given."""
        ...

    def explain(self, error: ProviderError) -> SendError:
        """Say what an error of a `failed` receipt means: the same closed table as for `send`."""
        ...

    def mark_read(self, account: Account, external_id: str, *, typing: bool) -> bool:
        """Show the blue ticks, with `typing` the typing indicator; False when the provider refused. Best
        effort."""
        ...

    def fetch_media(
        self, account: Account, media: InboundMedia, *, max_bytes: int
    ) -> DownloadedMedia | MediaError:
        """Download a file, only from the provider's own hosts with credentials; never more than
        `max_bytes`."""
        ...

    def health(self, account: Account) -> Health:
        """Ask the provider about the number; never raises."""
        ...

    def list_templates(self, account: Account) -> tuple[ListedTemplate, ...] | SendError:
        """List every message template of the number's account, all pages or none."""
        ...

    def submit_template(
        self, account: Account, draft: Draft, external_id: str = "", file: OwnFile | None = None
    ) -> Submitted | SendError:
        """Hand a template in for approval, or a change of the one that the provider has under `external_id`;
        `file` is the sample of what stands on top."""
        ...
