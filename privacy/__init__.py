"""One person's data: finding the person by any spelling of the phone, the whole of it for export, and its
deletion.

The command line and operators' pages call these verbs (LGPD and GDPR: access and erasure). They flush and
never commit. Files that belonged to deleted messages are named, not removed: a file must outlive a rolled-
back transaction.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.orm import selectinload

import history
import phone
from lanes import inbound_lane, outbound_lane
from models import (
    Alert,
    AlertDelivery,
    Appointment,
    AppointmentLetter,
    AppointmentReminder,
    Base,
    CampaignRecipient,
    Complaint,
    ConnectorLink,
    Contact,
    ContactIdentity,
    Conversation,
    Decision,
    Feedback,
    FeedbackRequest,
    FollowUp,
    FormEntry,
    Integration,
    LabelCorrection,
    Lane,
    Lead,
    MenuSession,
    Message,
    ModelCall,
    Note,
    Nudge,
    Order,
    OrderItem,
    OutgoingEvent,
    OwnerNotice,
    RecordMessage,
    ScheduledMessage,
    StoredMedia,
    Ticket,
    TrainingExample,
    Turn,
    WebhookEvent,
    db,
)
from shop import forgetting
from statements import changed_rows
from teamwork import finding, keeping
from webhooks_out import deliveries

# A number written without a country code is tried in the countries of our own numbers, and in this one.
HOME_REGION: Final = "BR"
EVENTS_PER_READ: Final = 500
ROWS_PER_DELETE: Final = 500
_RECORDS: Final = (Lead, Ticket, Complaint, Appointment, Feedback, FollowUp)
# What history calls the rows of a person's records.
_HISTORIES: Final[Mapping[str, type[Lead | Ticket | Complaint | Appointment | FollowUp | Order]]] = {
    "lead": Lead,
    "ticket": Ticket,
    "complaint": Complaint,
    "appointment": Appointment,
    "follow_up": FollowUp,
    "order": Order,
}


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a deletion took away. `media_paths` are files that the caller removes once the deletion is
    committed.
    """

    contacts: int
    conversations: int
    messages: int
    records: int
    webhook_events: int
    media_paths: tuple[str, ...]


# --- finding ------------------------------------------------------------------------------------------------


def find_people(written: str) -> list[Contact]:
    """Find whom a phone number (any spelling), a business-scoped id or an @username means; the oldest first.

    An e-mail address means whoever has no other name here: several people may share one. One person may be a
    contact of several of our numbers. Identities in use win over those that were replaced.
    """
    if email := email_of(written):
        return _contacts_by_email(email)
    for values in spellings(written.strip()):
        found = _contacts_with(values, in_use=True) or _contacts_with(values, in_use=False)
        if found:
            return found
    return []


def everywhere(contact: Contact) -> list[Contact]:
    """Give the contacts of one person: the one that this was merged into, and who has the same phone or id at
    our other numbers."""
    while contact.merged_into_id is not None:
        contact = db.session.get_one(Contact, contact.merged_into_id)
    same = {contact.id: contact}
    for kind in ("wa_id", "bsuid"):
        value = contact.identity(kind)
        for one in _contacts_with(phone.variants(value), in_use=True) if value else ():
            same.setdefault(one.id, one)
    return list(same.values())


def email_of(written: str) -> str:
    """Give the one spelling of an e-mail address; empty for whatever else was written."""
    name, at, host = written.strip().lower().partition("@")
    return f"{name}@{host}" if at and name and "." in host else ""


def _contacts_by_email(email: str) -> list[Contact]:
    has_name = select(ContactIdentity.contact_id).where(ContactIdentity.replaced_at.is_(None))
    query = select(Contact).where(func.lower(Contact.email) == email, Contact.id.not_in(has_name))
    return list(db.session.scalars(query.order_by(Contact.id).options(selectinload(Contact.identities))))


def spellings(written: str) -> Iterable[tuple[str, ...]]:
    """Give the spellings of a phone or an id to look for, the surest reading first."""
    written = written.removeprefix("whatsapp:").strip()
    if phone.is_bsuid(written):
        yield (written,)
        return
    if written.startswith("@"):
        yield (written, written[1:])
        return
    digits = "".join(c for c in written if c.isascii() and c.isdecimal())
    if digits:
        yield phone.variants(digits)
    for region in (None, *_home_regions()):
        number = phone.normalise(written, region)
        if number:
            yield phone.variants(number.removeprefix("+"))


def _home_regions() -> list[str]:
    shown = db.session.scalars(select(Integration.display_phone).where(Integration.is_active))
    regions = [country for number in shown if number and (country := phone.country(number))]
    return list(dict.fromkeys([*regions, HOME_REGION]))


def _contacts_with(values: Sequence[str], *, in_use: bool) -> list[Contact]:
    is_current = ContactIdentity.replaced_at.is_(None) if in_use else ContactIdentity.replaced_at.is_not(None)
    return list(
        db.session.scalars(
            select(Contact)
            .where(
                Contact.id.in_(
                    select(ContactIdentity.contact_id).where(ContactIdentity.value.in_(values), is_current)
                )
            )
            .order_by(Contact.id)
            .options(selectinload(Contact.identities))
        )
    )


# --- export -------------------------------------------------------------------------------------------------


def export_person(people: Sequence[Contact], *, now: datetime) -> dict[str, Any]:
    """Give everything that is kept of a person, JSON-safe: contacts, threads, messages, records, raw
    webhooks.
    """
    contact_ids = with_merged(people)
    conversation_ids = _conversation_ids(contact_ids)
    of_contact = _rows_of(Contact, Contact.id.in_(contact_ids))
    return {
        "exported_at": now.isoformat(),
        "contacts": of_contact,
        "identities": _rows_of(ContactIdentity, ContactIdentity.contact_id.in_(contact_ids)),
        "conversations": _rows_of(Conversation, Conversation.id.in_(conversation_ids)),
        "menu_sessions": _rows_of(MenuSession, MenuSession.conversation_id.in_(conversation_ids)),
        "messages": _rows_of(Message, Message.conversation_id.in_(conversation_ids)),
        "media": _rows_of(StoredMedia, StoredMedia.message_id.in_(_message_ids(conversation_ids))),
        "corrections": _rows_of(LabelCorrection, LabelCorrection.id.in_(_correction_ids(conversation_ids))),
        "training_examples": _rows_of(
            TrainingExample, TrainingExample.correction_id.in_(_correction_ids(conversation_ids))
        ),
        "decisions": _rows_of(Decision, Decision.contact_id.in_(contact_ids)),
        "turns": _rows_of(Turn, Turn.conversation_id.in_(conversation_ids)),
        "notes": _rows_of(Note, Note.conversation_id.in_(conversation_ids)),
        "feedback_requests": _rows_of(FeedbackRequest, FeedbackRequest.contact_id.in_(contact_ids)),
        **{record.__tablename__: _rows_of(record, record.contact_id.in_(contact_ids)) for record in _RECORDS},
        "appointment_letters": _rows_of(
            AppointmentLetter,
            AppointmentLetter.appointment_id.in_(
                select(Appointment.id).where(Appointment.contact_id.in_(contact_ids))
            ),
        ),
        "outgoing_events": _rows_of(OutgoingEvent, OutgoingEvent.contact_id.in_(contact_ids)),
        "connector_links": _rows_of(ConnectorLink, ConnectorLink.contact_id.in_(contact_ids)),
        "nudges": _rows_of(Nudge, Nudge.contact_id.in_(contact_ids)),
        "campaign_recipients": _rows_of(CampaignRecipient, _reached(contact_ids)),
        "scheduled_messages": _rows_of(ScheduledMessage, ScheduledMessage.contact_id.in_(contact_ids)),
        "alerts": _rows_of(Alert, Alert.id.in_(_alert_ids(contact_ids, conversation_ids))),
        "owner_notices": _rows_of(OwnerNotice, OwnerNotice.conversation_id.in_(conversation_ids)),
        "orders": _rows_of(Order, Order.contact_id.in_(contact_ids)),
        "order_items": _rows_of(OrderItem, OrderItem.order_id.in_(_order_ids(contact_ids))),
        **{name: [_row(row) for row in rows] for name, rows in _purchases(contact_ids).items()},
        "webhook_events": [
            {**_row(event), "payload": _readable(event.payload)} for event in _events_of(contact_ids)
        ],
    }


def _rows_of(table: type[Base], condition: ColumnElement[bool]) -> list[dict[str, Any]]:
    key = table.__mapper__.primary_key[0]
    return [_row(row) for row in db.session.scalars(select(table).where(condition).order_by(key))]


def _row(row: Base) -> dict[str, Any]:
    return {a.key: _json_safe(getattr(row, a.key)) for a in row.__mapper__.column_attrs if a.key != "payload"}


def _json_safe(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _readable(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):  # deeper than Python reads: shown as it came
        return payload.decode("utf-8", "backslashreplace")


# --- deletion -----------------------------------------------------------------------------------------------


def delete_person(people: Sequence[Contact]) -> Deleted:
    """Delete every row that tells of a person, raw webhooks too. Flushes.

    The rest of the desk stays as it is. A model that was trained on her words stays until the next training:
    it holds weights, not texts.
    """
    contact_ids = with_merged(people)
    conversation_ids = _conversation_ids(contact_ids)
    messages = _message_ids(conversation_ids)
    media = StoredMedia.message_id.in_(messages)
    paths = _paths_of_nobody_else(messages)
    event_ids = [event.id for event in _events_of(contact_ids)]
    changed_rows(delete(StoredMedia).where(media))
    _delete_lessons(conversation_ids)
    _delete_care(contact_ids, conversation_ids)
    changed_rows(delete(CampaignRecipient).where(_reached(contact_ids)))
    changed_rows(delete(ScheduledMessage).where(ScheduledMessage.contact_id.in_(contact_ids)))
    deliveries.forget_people(contact_ids)
    own_leads = select(Lead.id).where(Lead.contact_id.in_(contact_ids))
    changed_rows(delete(FormEntry).where(FormEntry.lead_id.in_(own_leads)))
    records = sum(
        changed_rows(delete(record).where(record.contact_id.in_(contact_ids))) for record in _RECORDS
    )
    forgetting.forget_purchases(list(db.session.scalars(_order_ids(contact_ids))), contact_ids)
    records += changed_rows(delete(Order).where(Order.contact_id.in_(contact_ids)))
    for table in (MenuSession, OwnerNotice, Nudge):
        changed_rows(delete(table).where(table.conversation_id.in_(conversation_ids)))
    message_count = changed_rows(delete(Message).where(Message.conversation_id.in_(conversation_ids)))
    finding.forget_deleted()
    of_person = update(ModelCall).where(ModelCall.conversation_id.in_(conversation_ids))
    changed_rows(of_person.values(conversation_id=None, turn_id=None))  # they count in the day's spend
    learnt = update(Decision).where(Decision.contact_id.in_(contact_ids))
    changed_rows(learnt.values(contact_id=None, conversation_id=None))  # what was learnt names nobody
    changed_rows(delete(Turn).where(Turn.conversation_id.in_(conversation_ids)))
    changed_rows(delete(Conversation).where(Conversation.id.in_(conversation_ids)))
    for chunk in _chunks(event_ids):
        changed_rows(delete(WebhookEvent).where(WebhookEvent.id.in_(chunk)))
    changed_rows(delete(Lane).where(Lane.key.in_(_lane_keys(contact_ids, conversation_ids))))
    _delete_contacts(contact_ids)
    db.session.flush()
    db.session.expire_all()
    return Deleted(len(contact_ids), len(conversation_ids), message_count, records, len(event_ids), paths)


def _reached(contact_ids: Sequence[int]) -> ColumnElement[bool]:
    """Find a person in the lists of campaigns, also where a file named her phone before she was a contact."""
    spellings = {spelling for value in _identity_values(contact_ids) for spelling in phone.variants(value)}
    return or_(
        CampaignRecipient.contact_id.in_(contact_ids),
        (CampaignRecipient.phone != "") & CampaignRecipient.phone.in_(sorted(spellings)),
    )


def _delete_lessons(conversation_ids: Sequence[int]) -> None:
    """Delete what operators made of a person's words for training."""
    corrections = list(db.session.scalars(_correction_ids(conversation_ids)))
    for chunk in _chunks(corrections):
        changed_rows(delete(TrainingExample).where(TrainingExample.correction_id.in_(chunk)))
        changed_rows(delete(LabelCorrection).where(LabelCorrection.id.in_(chunk)))


def _delete_care(contact_ids: Sequence[int], conversation_ids: Sequence[int]) -> None:
    """Delete what hangs on a person's records: their history, linked words, reminders, questions asked."""
    history.forget("conversation", conversation_ids)
    keeping.forget(conversation_ids)
    for name, record in _HISTORIES.items():
        history.forget(
            name, db.session.scalars(select(record.id).where(record.contact_id.in_(contact_ids))).all()
        )
    for chunk in _chunks(list(db.session.scalars(_message_ids(conversation_ids)))):
        changed_rows(delete(RecordMessage).where(RecordMessage.message_id.in_(chunk)))
    own = select(Appointment.id).where(Appointment.contact_id.in_(contact_ids))
    changed_rows(delete(AppointmentReminder).where(AppointmentReminder.appointment_id.in_(own)))
    changed_rows(delete(AppointmentLetter).where(AppointmentLetter.appointment_id.in_(own)))
    alerts = _alert_ids(contact_ids, conversation_ids)
    changed_rows(delete(AlertDelivery).where(AlertDelivery.alert_id.in_(alerts)))
    changed_rows(delete(Alert).where(Alert.id.in_(alerts)))
    changed_rows(delete(FeedbackRequest).where(FeedbackRequest.contact_id.in_(contact_ids)))


def _alert_ids(contact_ids: Sequence[int], conversation_ids: Sequence[int]) -> Sequence[int]:
    """Find the alerts of a person's threads, and the open ones of her records that came without a thread."""
    topics = [
        f"{name}:{record_id}"
        for name, record in _HISTORIES.items()
        for record_id in db.session.scalars(select(record.id).where(record.contact_id.in_(contact_ids)))
    ]
    mine = or_(Alert.conversation_id.in_(conversation_ids), Alert.open_topic.in_(topics))
    return db.session.scalars(select(Alert.id).where(mine)).all()


def _paths_of_nobody_else(messages: Any) -> tuple[str, ...]:
    """Files are kept once per content: one that somebody else sent too must stay."""
    others = select(StoredMedia.path).where(StoredMedia.message_id.not_in(messages))
    return tuple(
        db.session.scalars(
            select(StoredMedia.path)
            .where(
                StoredMedia.message_id.in_(messages), StoredMedia.path != "", StoredMedia.path.not_in(others)
            )
            .distinct()
        )
    )


def _delete_contacts(contact_ids: Sequence[int]) -> None:
    changed_rows(delete(ContactIdentity).where(ContactIdentity.contact_id.in_(contact_ids)))
    changed_rows(update(Contact).where(Contact.id.in_(contact_ids)).values(merged_into_id=None))
    changed_rows(delete(Contact).where(Contact.id.in_(contact_ids)))


def with_merged(people: Sequence[Contact]) -> list[int]:
    """Give the ids of the contacts and of those that were merged into them, through any number of mergers."""
    known = [person.id for person in people]
    newest = known
    while newest:
        newest = list(
            db.session.scalars(
                select(Contact.id).where(Contact.merged_into_id.in_(newest), Contact.id.not_in(known))
            )
        )
        known = [*known, *newest]
    return known


def _conversation_ids(contact_ids: Sequence[int]) -> list[int]:
    return list(db.session.scalars(select(Conversation.id).where(Conversation.contact_id.in_(contact_ids))))


def _message_ids(conversation_ids: Sequence[int]) -> Any:
    return select(Message.id).where(Message.conversation_id.in_(conversation_ids))


def _correction_ids(conversation_ids: Sequence[int]) -> Any:
    return select(LabelCorrection.id).where(LabelCorrection.message_id.in_(_message_ids(conversation_ids)))


def _order_ids(contact_ids: Sequence[int]) -> Any:
    return select(Order.id).where(Order.contact_id.in_(contact_ids))


def _purchases(contact_ids: Sequence[int]) -> Mapping[str, Sequence[Base]]:
    return forgetting.purchases_of(list(db.session.scalars(_order_ids(contact_ids))), contact_ids)


def _lane_keys(contact_ids: Sequence[int], conversation_ids: Sequence[int]) -> list[str]:
    numbers = list(db.session.scalars(select(Integration.id)))
    inbound = [inbound_lane(number, value) for number in numbers for value in _identity_values(contact_ids)]
    return [*inbound, *(outbound_lane(conversation_id) for conversation_id in conversation_ids)]


def _identity_values(contact_ids: Sequence[int]) -> list[str]:
    return list(
        db.session.scalars(
            select(ContactIdentity.value).where(
                ContactIdentity.contact_id.in_(contact_ids), ContactIdentity.kind != "username"
            )
        )
    )


# --- raw webhooks -------------------------------------------------------------------------------------------


def _events_of(contact_ids: Sequence[int]) -> list[WebhookEvent]:
    """Find the raw webhooks that name a person as sender or recipient: in a field of its own, not inside a
    text.
    """
    names = set(_identity_values(contact_ids))
    if not names:
        return []
    found = db.session.scalars(
        select(WebhookEvent)
        .where(or_(*(_holds(name) for name in sorted(names))))
        .order_by(WebhookEvent.id)
        .execution_options(yield_per=EVENTS_PER_READ)
    )
    return [event for event in found if _names_one_of(_readable(event.payload), names)]


def _holds(name: str) -> ColumnElement[bool]:
    """Tell that a payload holds these bytes somewhere: a first sieve, for one pass over the table."""
    if db.engine.dialect.name == "sqlite":
        return func.instr(WebhookEvent.payload, name.encode()) > 0
    return WebhookEvent.payload.bool_op("LIKE")(b"%" + name.encode() + b"%")


def _names_one_of(value: Any, names: set[str]) -> bool:
    if isinstance(value, str):
        return value.removeprefix("whatsapp:").removeprefix("+") in names
    if isinstance(value, Mapping):
        return any(_names_one_of(part, names) for part in value.values())
    if isinstance(value, list):
        return any(_names_one_of(part, names) for part in value)
    return False


def _chunks(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    return (ids[start : start + ROWS_PER_DELETE] for start in range(0, len(ids), ROWS_PER_DELETE))
