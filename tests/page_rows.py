"""A desk with something on every page: people, a thread with every kind of bubble, records, alerts."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from flask import current_app

import integrations
import operators
import vault
from demo import templates
from models import (
    Alert,
    Appointment,
    Article,
    Campaign,
    Category,
    Complaint,
    Contact,
    ContactIdentity,
    Conversation,
    Integration,
    Lead,
    Message,
    Operator,
    Order,
    OrderItem,
    Product,
    StoredMedia,
    Team,
    Ticket,
    Turn,
    WebhookEndpoint,
    WebhookEvent,
    Worker,
    db,
    utc_now,
)
from shop import programs
from tests.pictures import picture_bytes

ADMIN_EMAIL = "ana@loja.com.br"
AGENT_EMAIL = "beto@loja.com.br"
PASSWORD = "uma senha bem longa"
EVIL = "<script>alert(1)</script>"
PHOTO_PATH = "x/photo.jpg"  # in the media folder
Row = TypeVar("Row")


@dataclass(frozen=True)
class Desk:
    """Ids of what a test needs to name."""

    waiting_id: int
    bot_id: int
    closed_id: int
    media_id: int
    alert_id: int


def people() -> None:
    """Add one admin and one agent; commits."""
    operators.create_operator(ADMIN_EMAIL, "Ana Ribeiro", PASSWORD, "admin")
    operators.create_operator(AGENT_EMAIL, "Beto", PASSWORD, "agent")
    db.session.commit()


def fill() -> Desk:
    """Fill every page; needs `people`. Commits."""
    number = _add(
        Integration(
            provider="simulator", shape="meta", name="Loja", number_id="111", app_secret="", health_ok=True
        )
    )
    waiting = conversation(number, "Mariana Alves", "5511987654321", handler="human", unread_count=2)
    bot = conversation(number, EVIL, "5521998877665", hours_ago=3, last_preview=f"preview {EVIL}")
    closed = conversation(number, "Carlos Souza", "5541991112222", hours_ago=30)
    media_id = _thread(waiting)
    _records(waiting)
    alert = _add(Alert(kind="waiting", open_topic="w:1", text=f"espera {EVIL}", conversation_id=waiting.id))
    _add(Worker(name="worker-1"))
    for state in ("failed", "unknown", "unmatched", "ignored"):
        payload = f'{{"state": "{state}", "text": "{EVIL}"}}'.encode()
        _add(webhook_event(state, payload))
    desk = Desk(waiting.id, bot.id, closed.id, media_id, alert.id)
    db.session.commit()
    return desk


def fill_with_templates() -> Desk:
    """The same, and the demo's templates on its number. Commits."""
    filled = fill()
    integrations.forget()
    templates.seed(integrations.numbers()[0], utc_now())
    db.session.commit()
    return filled


def conversation(
    number: Integration, name: str, wa_id: str, *, hours_ago: float = 0.1, **columns: Any
) -> Conversation:
    """Add a contact with a phone and its conversation; flushes."""
    contact = _add(Contact(name=name))
    account = f"simulator:{number.number_id}"
    _add(ContactIdentity(contact_id=contact.id, account=account, kind="wa_id", value=wa_id, match_key=wa_id))
    at = utc_now() - timedelta(hours=hours_ago)
    defaults = {"last_inbound_at": at, "last_message_at": at, "last_preview": "oi"}
    return _add(Conversation(integration_id=number.id, contact_id=contact.id, **(defaults | columns)))


def message(of: Conversation, body: str, **columns: Any) -> Message:
    """Add a message, from the customer unless `columns` say otherwise; flushes."""
    defaults = {"direction": "in", "sender": "customer", "kind": "text", "body": body}
    return _add(Message(conversation_id=of.id, integration_id=of.integration_id, **(defaults | columns)))


def webhook_event(state: str, payload: bytes, key: str = "") -> WebhookEvent:
    return WebhookEvent(
        event_key=key or f"key-{state}",
        provider="meta",
        kind="message",
        state=state,
        payload=payload,
        received_at=utc_now(),
    )


def _thread(of: Conversation) -> int:
    """Write one message of every shape; gives the id of a stored file."""
    operator = db.session.query(Operator).filter_by(email=ADMIN_EMAIL).one()
    turn = _add(
        Turn(
            conversation_id=of.id,
            responder="menu",
            reason="saudação: fluxo inicial",
            flow="nexora",
            step_after="main",
        )
    )
    choices = [{"id": "1", "key": "1", "title": "Residência"}]
    bot: dict[str, Any] = {"direction": "out", "sender": "bot", "turn_id": turn.id}
    person: dict[str, Any] = {"direction": "out", "sender": "operator", "operator_id": operator.id}
    message(of, "oi", external_id="in-1", created_at=utc_now() - timedelta(days=1))
    message(
        of,
        "*Bem-vinda*",
        **bot,
        kind="menu",
        content={"kind": "menu", "choices": choices},
        external_id="out-1",
    )
    message(of, "👍", kind="reaction", quotes_external_id="out-1", content={"emoji": "👍"})
    message(of, f"quoted {EVIL}", quotes_external_id="out-1")
    for status in ("queued", "sending", "sent", "delivered", "read", "played", "uncertain"):
        message(of, f"is {status}", **person, status=status)
    message(
        of, "não foi", **person, status="failed", error_code="131047", error_text="A janela estava fechada."
    )
    message(of, "sou a dona", direction="out", sender="owner", status="sent")
    message(of, "mudei", is_edited=True)
    message(of, "segredo apagado", is_revoked=True)
    photo, picture = message(of, "", kind="image"), picture_bytes("JPEG")
    path = current_app.config["BALCAO"].media_dir / PHOTO_PATH
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture)
    stored = {"message_id": photo.id, "source": {}, "media_kind": "image"}
    file = _add(
        StoredMedia(
            **stored, state="stored", filename=f"{EVIL}.jpg", path=PHOTO_PATH, size_bytes=len(picture)
        )
    )
    for state in ("pending", "failed"):
        voice = message(of, "", kind="audio")
        _add(StoredMedia(message_id=voice.id, source={}, media_kind="audio", state=state))
    for kind in ("location", "contacts", "order", "unsupported", "sticker", "document"):
        message(of, "", kind=kind)
    return file.id


def _records(of: Conversation) -> None:
    about = {"contact_id": of.contact_id, "conversation_id": of.id}
    _add(Lead(**about, name=EVIL, interest="Golden Visa", budget_usd=150_000, notes=EVIL))
    _add(Ticket(**about, number="T-1", subject=EVIL, description=EVIL, priority="critical"))
    _add(Complaint(**about, number="R-1", description=EVIL))
    _add(Appointment(**about, number="A-1", topic="Consulta", wish="amanhã às 15h"))
    category = _add(Category(name="Cursos"))
    product = _add(Product(category_id=category.id, sku="c1", name="Curso", price_minor=149_700))
    order = _add(Order(**about, number="P-1", status="placed", total_minor=149_700, placed_at=utc_now()))
    _add(OrderItem(order_id=order.id, product_id=product.id, name="Curso", quantity=1, price_minor=149_700))


def records(of: Conversation, number: int) -> None:
    """Add one more lead, ticket and order of a conversation, and an event; flushes."""
    about = {"contact_id": of.contact_id, "conversation_id": of.id}
    _add(Lead(**about, name=""))
    _add(Ticket(**about, number=f"T-x{number}"))
    _add(Order(**about, number=f"P-x{number}", status="placed"))
    _add(webhook_event("failed", b"{}", f"more-{number}"))


def house() -> None:
    """Add one of each that admins keep, beside what `fill` brings. Commits."""
    number = integrations.numbers()[0]
    secret = vault.seal("a secret", current_app.config["BALCAO"].secret_key)
    templates.seed(number, utc_now())
    _add(Team(name=f"Vendas {EVIL}", duty="sales"))
    _add(Article(slug="frete", title=f"Frete {EVIL}", body="Grátis acima de R$ 100."))
    _add(WebhookEndpoint(url="https://crm.example/hook", name="CRM", secret=secret))
    _add(Campaign(name=f"Volta {EVIL}", integration_id=number.id, template_name="welcome_back"))
    programs.seed_programs(now=utc_now())
    db.session.commit()


def _add(row: Row) -> Row:
    db.session.add(row)
    db.session.flush()
    return row


def contact_of(of: Conversation) -> Contact:
    return db.session.get_one(Contact, of.contact_id)
