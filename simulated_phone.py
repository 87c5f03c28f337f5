"""The phones of simulated customers: who holds one, and what its screen shows.

Called by the simulator page. It reads rows, and changes them in one way only: `age` moves a simulated
conversation back in time. It never posts a webhook and never runs a turn; real numbers are refused
(`NotSimulated`).
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

import lanes
import phone
from message_content import (
    Choice,
    Content,
    LinkButton,
    LocationRequest,
    Media,
    Menu,
    Template,
    Text,
    from_json,
)
from models import (
    Contact,
    ContactIdentity,
    Conversation,
    Integration,
    MenuSession,
    Message,
    Product,
    WebhookEvent,
    Worker,
    db,
)
from providers import fitting, meta_messages, provider, twilio_messages
from providers.base import Echo, InboundMessage, OrderItem, Person

SERVICE_WINDOW: Final = timedelta(hours=24)
WORKER_SILENT_AFTER: Final = timedelta(seconds=60)
BUBBLES_SHOWN: Final = 60
CUSTOMERS_LISTED: Final = 40
ORDER_LINES: Final = 2
BSUID_DIGITS: Final = 16
FILE_KINDS: Final = ("image", "video", "audio", "document", "sticker")
# The number that rehearsals play on; the demo's removal takes it away too.
REHEARSAL_NUMBER: Final = "100900000000009"


@dataclass(frozen=True, slots=True)
class Country:
    """How a country's invented customers are called; `prefix` and random digits make a number of nobody."""

    prefix: str
    digits: int
    language: str
    names: tuple[str, ...]


# Number ranges kept for fiction where the country has one, else blocks that are not in use. Mexico's 1 and
# Argentina's 9 are part of a real wa_id; Brazil's older accounts have no ninth digit (here: area 85).
COUNTRIES: Final[Mapping[str, Country]] = {
    "BR": Country("551190000", 4, "pt", ("Ana Souza", "João Pereira", "Beatriz Lima", "Rafael Nunes")),
    "BR-8": Country("55859000", 4, "pt", ("Marina Alves", "Caio Ribeiro", "Lívia Rocha")),
    "PT": Country("351930000", 3, "pt", ("Inês Carvalho", "Tiago Fonseca")),
    "ES": Country("34600000", 3, "es", ("Lucía Ferrer", "Javier Molina")),
    "MX": Country("52155500000", 2, "es", ("Ximena Torres", "Diego Ramírez")),
    "AR": Country("5491150000", 3, "es", ("Sofía Acosta", "Martín Quiroga")),
    "US": Country("120255501", 2, "en", ("Emily Carter", "Marcus Hill")),
    "GB": Country("447700900", 3, "en", ("Olivia Bennett", "Harry Walsh")),
    "AE": Country("97150000", 4, "en", ("Omar Haddad", "Layla Nasser")),
    "IN": Country("9199990000", 2, "en", ("Priya Sharma", "Arjun Mehta")),
    "FR": Country("33639980", 3, "fr", ("Camille Laurent", "Hugo Petit")),
    "DE": Country("491520000", 4, "de", ("Lena Fischer", "Jonas Weber")),
    "IT": Country("39320000", 4, "it", ("Giulia Romano", "Marco Conti")),
    "SA": Country("96650000", 4, "ar", ("نورة القحطاني", "فهد العتيبي")),
    "CN": Country("8613900000", 3, "zh", ("李娜", "王伟")),
    "JP": Country("8190000", 5, "ja", ("佐藤花子", "鈴木一郎")),
    "KR": Country("8210000", 5, "ko", ("김서연", "박지훈")),
}


ADS: Final[Mapping[str, tuple[str, str]]] = {
    "pt": ("Fale com a gente no WhatsApp", "Condições especiais até domingo"),
    "es": ("Escríbenos por WhatsApp", "Condiciones especiales hasta el domingo"),
    "en": ("Chat with us on WhatsApp", "Special terms until Sunday"),
}


class NotSimulated(Exception):
    """The number belongs to real people; nothing may be pretended on it."""


@dataclass(frozen=True, slots=True)
class Customer:
    """Who holds the phone. WhatsApp always knows `bsuid`; the phone number may be hidden from the desk."""

    name: str
    wa_id: str
    bsuid: str
    hides_phone: bool = False

    @property
    def person(self) -> Person:
        """The person as the provider shows it to the desk."""
        return Person(wa_id=None if self.hides_phone else self.wa_id, bsuid=self.bsuid, name=self.name)

    @property
    def language(self) -> str:
        """The language that is spoken where the phone is from; empty when the country is not one of ours."""
        region = phone.country(self.wa_id) or self.bsuid[:2]
        return COUNTRIES[region].language if region in COUNTRIES else ""

    @property
    def identities(self) -> tuple[str, ...]:
        return tuple(value for value in (self.bsuid, self.wa_id) if value)


@dataclass(frozen=True, slots=True)
class File:
    """A file in a bubble: never loaded by the page, only named and linked."""

    kind: str
    name: str
    link: str = ""
    own_id: int = 0  # a file of ours, which the page may show


@dataclass(frozen=True, slots=True)
class Bubble:
    """One bubble. `mark` is what the ticks say: waiting, sent, delivered, read, failed, or empty."""

    key: str
    external_id: str
    kind: str
    sender: str  # customer, bot, operator, owner
    at: datetime
    text: str = ""
    mark: str = ""
    status: str = ""
    error: str = ""
    error_code: str = ""
    header: str = ""
    footer: str = ""
    quote: str = ""
    reaction: str = ""
    file: File | None = None
    choices: tuple[Choice, ...] = ()
    is_list: bool = False
    list_button: str = ""
    link: LinkButton | None = None
    template: str = ""
    asks_location: bool = False
    is_edited: bool = False
    is_revoked: bool = False
    is_lost: bool = False

    @property
    def is_mine(self) -> bool:
        """Whether the holder of the phone wrote it."""
        return self.sender == "customer"

    @property
    def wants_receipts(self) -> bool:
        """Whether the phone has still to tell that it arrived or was read."""
        return self.sender in ("bot", "shop", "operator") and self.status in (
            "sending",
            "uncertain",
            "sent",
            "delivered",
        )


@dataclass(frozen=True, slots=True)
class Facts:
    """What the desk knows of the person behind the phone."""

    name: str
    phone: str
    bsuid: str
    hides_phone: bool
    conversation_id: int | None = None
    is_with_person: bool = False
    window_ends_at: datetime | None = None
    flow: str = ""
    step: str = ""
    has_opted_out: bool = False


@dataclass(frozen=True, slots=True)
class Screen:
    """Everything that one look at the phone shows."""

    facts: Facts
    bubbles: tuple[Bubble, ...]
    is_typing: bool
    is_worker_alive: bool

    @property
    def revision(self) -> str:
        """A digest that changes when anything on the screen does."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:24]


# --- numbers and people -------------------------------------------------------------------------------------


def numbers() -> list[Integration]:
    """Give the simulated numbers, oldest first."""
    rows = db.session.execute(
        select(Integration)
        .where(Integration.provider == "simulator", Integration.is_active)
        .order_by(Integration.id)
    )
    return list(rows.scalars())


def number(integration_id: int) -> Integration:
    """Give one simulated number. Raises NotSimulated for any other."""
    integration = db.session.get(Integration, integration_id)
    if integration is None or integration.provider != "simulator" or not integration.is_active:
        raise NotSimulated(integration_id)
    return integration


def customers(integration: Integration) -> list[Customer]:
    """Give the people who wrote to this number, the latest first."""
    rows = db.session.execute(
        select(Conversation)
        .options(joinedload(Conversation.contact).selectinload(Contact.identities))
        .where(Conversation.integration_id == integration.id)
        .order_by(Conversation.last_message_at.desc(), Conversation.id.desc())
        .limit(CUSTOMERS_LISTED)
    )
    return [_customer(conversation.contact) for conversation in rows.scalars()]


def invent(country: str, name: str, rng: Random) -> Customer:
    """Make up a customer of one of COUNTRIES, with a number that is nobody's. Raises KeyError for another."""
    kind = COUNTRIES[country]
    wa_id = kind.prefix + "".join(rng.choice("0123456789") for _ in range(kind.digits))
    return Customer(name or rng.choice(kind.names), wa_id, bsuid_of(wa_id, country[:2]))


def bsuid_of(wa_id: str, region: str | None = None) -> str:
    """Give the business-scoped id of a simulated phone: always the same one, as at WhatsApp."""
    digits = int(hashlib.sha256(wa_id.encode()).hexdigest(), 16) % 10**BSUID_DIGITS
    return f"{region or phone.country(wa_id) or 'ZZ'}.{digits:0{BSUID_DIGITS}d}"


def _customer(contact: Contact) -> Customer:
    wa_id = contact.identity("wa_id") or ""
    return Customer(
        contact.name,
        wa_id,
        contact.identity("bsuid") or bsuid_of(wa_id, contact.country),
        hides_phone=not wa_id,
    )


def conversation_of(integration: Integration, customer: Customer) -> Conversation | None:
    """Find the thread of this person with this number; None before the first turn."""
    return db.session.execute(
        select(Conversation)
        .join(ContactIdentity, ContactIdentity.contact_id == Conversation.contact_id)
        .options(joinedload(Conversation.contact))
        .where(
            Conversation.integration_id == integration.id,
            ContactIdentity.value.in_(customer.identities),
            ContactIdentity.kind.in_(("wa_id", "bsuid")),
            ContactIdentity.replaced_at.is_(None),
        )
        .order_by(Conversation.last_message_at.desc())
        .limit(1)
    ).scalar_one_or_none()


def contact_of(integration: Integration, customer: Customer) -> Contact | None:
    """Give the person behind the phone as the desk knows them; None before the first turn."""
    conversation = conversation_of(integration, customer)
    return conversation.contact if conversation else None


def new_number_id(shape: str, rng: Random) -> str:
    """Make up the provider's name for a number: digits at Meta, an E.164 number at Twilio."""
    digits = "".join(rng.choice("0123456789") for _ in range(9))
    return f"+1555{digits[:7]}" if shape == "twilio" else f"100{digits}"


def sample_order() -> tuple[OrderItem, ...]:
    """Give the lines of an order of products that the shop sells."""
    products = db.session.execute(
        select(Product).where(Product.is_active).order_by(Product.position, Product.id).limit(ORDER_LINES)
    ).scalars()
    return tuple(OrderItem(p.sku, 1 + index, p.price_minor, p.currency) for index, p in enumerate(products))


def sample_referral(language: str) -> Mapping[str, str]:
    """Give what Meta says of an ad that brought somebody."""
    headline, body = ADS.get(language, ADS["pt"])
    return {
        "source_url": "https://fb.me/simulated-ad",
        "source_id": "120200000000000001",
        "source_type": "ad",
        "headline": headline,
        "body": body,
        "media_type": "image",
        "ctwa_clid": "simulated-click",
    }


def owned_messages(conversation_id: int, external_ids: Sequence[str]) -> list[Message]:
    """Give those of `external_ids` that the desk sent in this conversation."""
    rows = db.session.execute(
        select(Message).where(
            Message.conversation_id == conversation_id,
            Message.direction == "out",
            Message.external_id.in_(external_ids),
        )
    )
    return list(rows.scalars())


def last_answer(conversation_id: int) -> Message | None:
    """Give the desk's last message that reached the phone."""
    return db.session.execute(
        select(Message)
        .where(
            Message.conversation_id == conversation_id,
            Message.direction == "out",
            Message.external_id.is_not(None),
        )
        .order_by(Message.id.desc())
        .limit(1)
    ).scalar_one_or_none()


def age(conversation: Conversation, by: timedelta) -> None:
    """Move a simulated conversation and its messages `by` into the past. Raises NotSimulated; flushes."""
    number(conversation.integration_id)
    if conversation.last_inbound_at is not None:
        conversation.last_inbound_at -= by
    if conversation.last_message_at is not None:
        conversation.last_message_at -= by
    for session in db.session.execute(
        select(MenuSession).where(MenuSession.conversation_id == conversation.id)
    ).scalars():
        session.last_activity_at -= by
    for message in db.session.execute(
        select(Message).where(Message.conversation_id == conversation.id)
    ).scalars():
        message.created_at -= by
        message.provider_at = message.provider_at and message.provider_at - by
        message.status_at = message.status_at and message.status_at - by
    db.session.flush()


def is_worker_alive(now: datetime) -> bool:
    seen_at = db.session.scalar(select(func.max(Worker.seen_at)))
    return seen_at is not None and now - seen_at < WORKER_SILENT_AFTER


# --- what the screen shows ----------------------------------------------------------------------------------


def screen(integration: Integration, customer: Customer, now: datetime) -> Screen:
    """Look at the phone of one of the simulated numbers."""
    conversation = conversation_of(integration, customer)
    waiting = _waiting_events(integration, customer)
    stored = _messages(conversation) if conversation else []
    bubbles = _thread(stored, integration.shape) + _waiting_bubbles(waiting)
    is_answering = any(event.kind == "message" for event in waiting) or any(
        m.direction == "out" and m.external_id is None and m.status in ("queued", "sending") for m in stored
    )
    alive = is_worker_alive(now)
    return Screen(
        facts=_facts(customer, conversation, now),
        bubbles=tuple(bubbles[-BUBBLES_SHOWN:]),
        is_typing=is_answering and alive,
        is_worker_alive=alive,
    )


def _messages(conversation: Conversation) -> list[Message]:
    rows = db.session.execute(
        select(Message)
        .where(Message.conversation_id == conversation.id)
        .order_by(Message.id.desc())
        .limit(BUBBLES_SHOWN)
    )
    return list(rows.scalars())[::-1]


def _waiting_events(integration: Integration, customer: Customer) -> list[WebhookEvent]:
    """Give what is in this person's lanes and in no turn yet, oldest first."""
    keys = [lanes.inbound_lane(integration.id, person) for person in customer.identities]
    rows = db.session.execute(
        select(WebhookEvent)
        .where(WebhookEvent.state == "pending", WebhookEvent.lane.in_(keys))
        .order_by(WebhookEvent.id)
        .limit(BUBBLES_SHOWN)
    )
    return list(rows.scalars())


def _facts(customer: Customer, conversation: Conversation | None, now: datetime) -> Facts:
    if conversation is None:
        return Facts(customer.name, shown_phone(customer.wa_id), customer.bsuid, customer.hides_phone)
    ends_at = conversation.last_inbound_at and conversation.last_inbound_at + SERVICE_WINDOW
    session = db.session.execute(
        select(MenuSession).where(MenuSession.conversation_id == conversation.id)
    ).scalar_one_or_none()
    return Facts(
        name=conversation.contact.name,
        phone=shown_phone(customer.wa_id),
        bsuid=customer.bsuid,
        hides_phone=customer.hides_phone,
        conversation_id=conversation.id,
        is_with_person=conversation.is_with_person,
        window_ends_at=ends_at if ends_at and ends_at > now else None,
        flow=session.flow if session else "",
        step=(session.step or "") if session else "",
        has_opted_out=conversation.contact.has_opted_out,
    )


def shown_phone(wa_id: str) -> str:
    """Give the number as people read it."""
    return phone.display(wa_id) if wa_id else ""


def _thread(stored: Sequence[Message], shape: str) -> list[Bubble]:
    """Turn rows into bubbles; a reaction sits on the bubble that it means."""
    reactions = {target: emoji for target, emoji in map(_reaction, stored) if target}
    bodies = {m.external_id: m.body for m in stored if m.external_id}
    return [
        _bubble(m, shape, reactions.get(m.external_id or "", ""), bodies.get(m.quotes_external_id or "", ""))
        for m in stored
        if m.kind != "reaction" and (m.is_inbound or m.external_id or m.status == "failed")
    ]


def _reaction(message: Message) -> tuple[str, str]:
    """Give the message that a reaction means and its emoji; the later one replaces the earlier."""
    if message.kind != "reaction":
        return "", ""
    content = message.content if isinstance(message.content, dict) else {}
    target = content.get("to_external_id") or content.get("target") or message.quotes_external_id
    return str(target or ""), str(content.get("emoji", message.body) or "")


def _bubble(message: Message, shape: str, reaction: str, quote: str) -> Bubble:
    facts = _shown_content(message, shape)
    is_failed = message.status == "failed"
    return Bubble(
        key=f"m{message.id}",
        external_id=message.external_id or "",
        kind=message.kind,
        sender=message.sender,
        at=message.created_at,
        mark=_mark(message),
        status=message.status or "",
        error_code=message.error_code if is_failed else "",
        error=message.error_text if is_failed else "",
        reaction=reaction,
        quote=quote if message.is_inbound and message.kind == "text" else "",
        is_edited=message.is_edited,
        is_revoked=message.is_revoked,
        is_lost=is_failed,
        **{"text": message.body, **facts},
    )


def _mark(message: Message) -> str:
    if message.is_inbound:
        return "read" if message.turn_id else "delivered"
    if message.sender == "owner":
        return ""
    return {"queued": "waiting", "sending": "waiting", "uncertain": "waiting", "played": "read"}.get(
        message.status or "", message.status or ""
    )


def _shown_content(message: Message, shape: str) -> dict[str, Any]:
    """Give the fields of a bubble that come from what the message holds."""
    if message.is_inbound or message.sender == "owner":
        return _inbound_content(message)
    content = _content(message.content)
    if content is not None and shape == "twilio":
        # Twilio sends menus and links as text: the phone must show what would really arrive.
        content = next(iter(twilio_messages.fit(content)), None)
    show = _SHOWN.get(type(content))
    return show(content) if show else {}


def _inbound_content(message: Message) -> dict[str, Any]:
    if message.kind in FILE_KINDS:
        return {"file": File(message.kind, "")}
    content = message.content if isinstance(message.content, dict) else {}
    if message.kind == "order" and not message.body:
        lines = [line for line in content.get("order_items", ()) if isinstance(line, dict)]
        return {"text": "\n".join(f"{line.get('quantity')} × {line.get('retailer_id')}" for line in lines)}
    return {}


def _show_text(content: Text) -> dict[str, Any]:
    return {"text": content.body}


def _show_menu(content: Menu) -> dict[str, Any]:
    return {
        "text": content.body,
        "header": content.header,
        "footer": content.footer,
        "choices": content.choices,
        "is_list": not fitting.are_buttons(content.choices, meta_messages.LIMITS),
        "list_button": content.button,
    }


def _show_link(content: LinkButton) -> dict[str, Any]:
    link = content if _is_web(content.url) else None
    return {"text": content.body, "header": content.header, "footer": content.footer, "link": link}


def _show_media(content: Media) -> dict[str, Any]:
    name = content.filename or content.link.rsplit("/", 1)[-1]
    link = content.link if _is_web(content.link) else ""
    return {"text": content.caption, "file": File(content.media_kind, name, link, content.file_id)}


def _is_web(url: str) -> bool:
    return url.startswith(("https://", "http://"))


def _show_template(content: Template) -> dict[str, Any]:
    return {"text": content.summary, "template": content.name}


def _show_location_request(content: LocationRequest) -> dict[str, Any]:
    return {"text": content.body, "asks_location": True}


_SHOWN: Final[Mapping[type, Callable[[Any], dict[str, Any]]]] = {
    Text: _show_text,
    Menu: _show_menu,
    LinkButton: _show_link,
    Media: _show_media,
    Template: _show_template,
    LocationRequest: _show_location_request,
}


def _content(stored: Any) -> Content | None:
    if not isinstance(stored, dict):
        return None
    try:
        return from_json(stored)
    except ValueError:
        return None  # written by an older version: the body still says it


def _waiting_bubbles(events: Sequence[WebhookEvent]) -> list[Bubble]:
    """Show what is in the inbox: the customer's words must not vanish while no worker runs."""
    return [bubble for event in events if (bubble := _waiting_bubble(event))]


def _waiting_bubble(event: WebhookEvent) -> Bubble | None:
    parsed = provider(event.provider).parse(event.payload)
    if isinstance(parsed, InboundMessage) and parsed.kind not in ("reaction", "edit", "revoke"):
        sender = "customer"
    elif isinstance(parsed, Echo):
        parsed, sender = parsed.message, "owner"
    else:
        return None
    file = File(parsed.media.media_kind, parsed.media.filename) if parsed.media else None
    return Bubble(
        key=f"e{event.id}",
        external_id=parsed.external_id,
        kind=parsed.kind,
        sender=sender,
        at=event.received_at,
        text=parsed.text,
        mark="sent" if sender == "customer" else "",
        file=file,
    )
