"""What an event says: its record and its person as JSON, read when the event is spread.

Columns go out under their own names; what is secret or only ours (slots, scores' reasons) is left out. Reads
only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Text, select, type_coerce
from sqlalchemy.orm import joinedload, selectinload

from models import (
    Appointment,
    Base,
    Complaint,
    Contact,
    Conversation,
    Integration,
    Lead,
    Message,
    Order,
    OutgoingEvent,
    Ticket,
    db,
)
from simulated_phone import REHEARSAL_NUMBER

_RECORD_COLUMNS: Final[Mapping[type[Base], tuple[str, ...]]] = {
    Lead: (
        "id", "conversation_id", "name", "phone", "email", "interest", "budget_usd", "country", "source",
        "status", "notes", "score", "created_at", "updated_at",
    ),
    Ticket: (
        "id", "number", "conversation_id", "subject", "description", "priority", "status", "due_at",
        "created_at", "updated_at",
    ),
    Complaint: ("id", "number", "conversation_id", "description", "status", "created_at", "updated_at"),
    Appointment: (
        "id", "number", "conversation_id", "topic", "wish", "starts_at", "ends_at", "status", "created_at",
        "updated_at",
    ),
    Order: (
        "id", "number", "conversation_id", "status", "payment_status", "currency", "total_minor", "source",
        "placed_at", "paid_at", "created_at", "updated_at",
    ),
    Message: (
        "id", "conversation_id", "direction", "sender", "kind", "body", "external_id", "status", "status_at",
        "error_code", "error_text", "language", "intent", "buying_signal", "sentiment", "urgency",
        "provider_at", "created_at",
    ),
    Conversation: ("id", "handler", "handler_reason", "team_id", "operator_id", "last_inbound_at"),
    Contact: ("id", "name", "email", "language", "country", "opted_out_at", "created_at"),
}  # fmt: skip

# Which records are what an ad is for, and for how long it counts as their reason.
OF_AN_AD: Final = frozenset({"lead", "order"})
AD_LASTS: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Told:
    """What an event says, and whose data that is."""

    data: dict[str, Any]
    contact_id: int
    integration_id: int | None = None
    takes_ads: bool = False  # the person exists, and has refused neither messages nor advertisements
    is_demo: bool = False


def body_of(event: OutgoingEvent) -> Told | None:
    """Read what an event says; None when its record is gone, or its person is a rehearsal's."""
    read = _READERS.get(event.record)
    told = read(event.record_id) if read else None
    if told is not None and event.before:
        told.data.update(before=event.before, after=event.after)
    if told is not None and event.record in OF_AN_AD:
        conversation_id = told.data[event.record]["conversation_id"]
        told.data["ad"] = _ad(conversation_id, event.at) if conversation_id else None
    return told


def _ad(conversation_id: int, at: datetime) -> dict[str, Any] | None:
    """Name the newest ad that the person pressed before, if any: each message that came by one says so."""
    row = db.session.execute(
        select(Message.content, Message.created_at)
        .where(
            Message.conversation_id == conversation_id,
            Message.direction == "in",
            Message.created_at.between(at - AD_LASTS, at),
            type_coerce(Message.content, Text).contains('"ctwa_clid"'),
        )
        .order_by(Message.id.desc())
        .limit(1)
    ).first()
    if row is None:
        return None
    referral = row.content.get("referral") or {}
    click = {"click_id": referral.get("ctwa_clid"), "ad_id": referral.get("source_id")}
    return {**click, "clicked_at": _json_safe(row.created_at)}


def _of_record(
    model: type[Lead | Ticket | Complaint | Appointment], name: str
) -> Callable[[int], Told | None]:
    def read(record_id: int) -> Told | None:
        row: Any = db.session.get(model, record_id)
        return None if row is None else _told({name: _columns(row)}, row.contact_id, row.conversation_id)

    return read


def _order(order_id: int) -> Told | None:
    row = db.session.get(Order, order_id, options=[selectinload(Order.items)])
    if row is None:
        return None
    items = [
        {
            "product_id": item.product_id,
            "name": item.name,
            "quantity": item.quantity,
            "price_minor": item.price_minor,
        }
        for item in row.items
    ]
    return _told({"order": _columns(row) | {"items": items}}, row.contact_id, row.conversation_id)


def _message(message_id: int) -> Told | None:
    row = db.session.get(Message, message_id)
    if row is None:
        return None
    contact_id = db.session.scalar(
        select(Conversation.contact_id).where(Conversation.id == row.conversation_id)
    )
    return None if contact_id is None else _told({"message": _columns(row)}, contact_id, row.conversation_id)


def _conversation(conversation_id: int) -> Told | None:
    row = db.session.get(Conversation, conversation_id)
    return None if row is None else _told({"conversation": _columns(row)}, row.contact_id, row.id)


def _contact(contact_id: int) -> Told | None:
    return _told({}, contact_id, None)


def _told(data: dict[str, Any], contact_id: int, conversation_id: int | None) -> Told | None:
    """Add the person, and the number of ours that she wrote to."""
    contact = db.session.get(Contact, contact_id, options=[selectinload(Contact.identities)])
    if contact is None:
        return None
    number = None
    if conversation_id is not None:
        thread = db.session.get(
            Conversation,
            conversation_id,
            options=[joinedload(Conversation.integration)],
            populate_existing=True,
        )
        number = thread.integration if thread is not None else None
        if number is not None and number.number_id == REHEARSAL_NUMBER:
            return None
        data["number"] = _number(number) if number is not None else None
    phone = contact.identity("wa_id")
    named = {"phone": f"+{phone}" if phone else None, "user_id": contact.identity("bsuid")}
    return Told(
        {**data, "contact": {**_columns(contact), **named}},
        contact_id,
        number.id if number is not None else None,
        contact.takes_ads,
        contact.is_demo,
    )


def _number(row: Integration) -> dict[str, Any]:
    return {"id": row.id, "name": row.name, "provider": row.provider, "phone": row.display_phone}


def _columns(row: Base) -> dict[str, Any]:
    return {name: _json_safe(getattr(row, name)) for name in _RECORD_COLUMNS[type(row)]}


def _json_safe(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


_READERS: Final[Mapping[str, Callable[[int], Told | None]]] = {
    "lead": _of_record(Lead, "lead"),
    "ticket": _of_record(Ticket, "ticket"),
    "complaint": _of_record(Complaint, "complaint"),
    "appointment": _of_record(Appointment, "appointment"),
    "order": _order,
    "message": _message,
    "conversation": _conversation,
    "contact": _contact,
}
