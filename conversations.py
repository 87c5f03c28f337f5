"""Contacts and their identities, conversations, menu sessions, consent, and hand-over to a person and back.

The pipeline reads a `Thread` (a frozen snapshot) at the start of a turn and calls the verbs in its write
transaction; pages call the hand-over verbs. Identities are kept exactly as the provider gave them; spellings
of one number are matched, never rewritten. Verbs flush and never commit.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, exists, or_, select, update
from sqlalchemy.orm import selectinload

import history
import phone
import webhooks_out
from integrations import Number
from models import (
    Alert,
    Appointment,
    CampaignRecipient,
    Complaint,
    Contact,
    ContactIdentity,
    Conversation,
    ConversationLabel,
    Delivery,
    Feedback,
    FeedbackRequest,
    FollowUp,
    Lead,
    MenuSession,
    Message,
    Note,
    Nudge,
    Operator,
    Order,
    OutgoingEvent,
    OwnerNotice,
    ReadMark,
    Sale,
    ScheduledMessage,
    Ticket,
    Turn,
    db,
)
from providers.base import Person
from statements import changed_rows, insert_or_ignore, table
from webhooks_out.kinds import OPTED_OUT

SERVICE_WINDOW = timedelta(hours=24)
# The provider's clock and ours differ, and a message needs time to travel.
SERVICE_WINDOW_MARGIN = timedelta(minutes=2)
IDENTITY_MAX_CHARS = 150  # the longest documented, a parent's business-scoped id, has 135
HANDOVER_LASTS = timedelta(hours=24)
_IDENTITY_FIELDS = ("wa_id", "bsuid", "parent_bsuid", "username")
# Who can be told apart by it; a username may be given away and taken by somebody else.
_TELLING_KINDS = ("wa_id", "bsuid", "parent_bsuid")
_RECORDS = (Lead, Ticket, Complaint, Appointment, Feedback, FeedbackRequest, FollowUp, Nudge, Sale, Order)
_REACHED = (CampaignRecipient, ScheduledMessage)

_IDENTITY = table(ContactIdentity).c
_CONTACT = table(Contact).c
_CONVERSATION = table(Conversation).c
_SESSION = table(MenuSession).c

# Every turn runs this; a statement that is built once costs a third of one built each time.
# The limit keeps planners from starting at all conversations of a number; a person has a handful of names.
_KNOWN = (
    select(_IDENTITY.contact_id, _IDENTITY.kind, _IDENTITY.value, _IDENTITY.replaced_at)
    .where(
        _IDENTITY.account == bindparam("account"), _IDENTITY.value.in_(bindparam("values", expanding=True))
    )
    .limit(16)
    .subquery()
)
_THREAD = (
    select(
        _KNOWN.c.kind,
        _KNOWN.c.value,
        _KNOWN.c.replaced_at,
        _CONTACT.id.label("contact_id"),
        _CONTACT.name,
        _CONTACT.language,
        _CONTACT.country,
        _CONTACT.opted_out_at,
        _CONVERSATION.id.label("conversation_id"),
        _CONVERSATION.handler,
        _CONVERSATION.handover_ends_at,
        _CONVERSATION.last_inbound_at,
        _SESSION.flow,
        _SESSION.flow_version,
        _SESSION.step,
        _SESSION.data,
        _SESSION.last_activity_at,
    )
    .select_from(_KNOWN)
    .join(table(Contact), _CONTACT.id == _KNOWN.c.contact_id)
    .join(
        table(Conversation),
        (_CONVERSATION.contact_id == _CONTACT.id) & (_CONVERSATION.integration_id == bindparam("number")),
    )
    .outerjoin(table(MenuSession), _SESSION.conversation_id == _CONVERSATION.id)
)
_ADDRESS = (
    select(_IDENTITY.kind, _IDENTITY.value)
    .where(_IDENTITY.contact_id == bindparam("contact"), _IDENTITY.replaced_at.is_(None))
    .order_by(_IDENTITY.id)
)
_SAVE_SESSION = (
    update(table(MenuSession))
    .where(_SESSION.conversation_id == bindparam("conversation"))
    .values({name: bindparam(name) for name in ("flow", "flow_version", "step", "data")})
    .values(last_activity_at=bindparam("now"))
)


class OutsideServiceWindow(Exception):
    """More than 24 hours since the customer's last message: only a template may be sent."""


class JoinedMeanwhile(Exception):
    """Another worker joined the contact with a second one since we looked: roll back and look again."""


@dataclass(frozen=True, slots=True)
class Session:
    """Where a conversation stands in a flow."""

    flow: str
    step: str | None
    data: Mapping[str, Any]
    last_activity_at: datetime
    version: str = ""  # of the flow, as it began


@dataclass(frozen=True, slots=True)
class Thread:
    """What a turn must know of a conversation, as it was read."""

    contact_id: int
    conversation_id: int
    integration_id: int
    name: str
    language: str | None
    country: str | None
    has_opted_out: bool
    handler: str
    handover_ends_at: datetime | None
    last_inbound_at: datetime | None
    session: Session | None

    @property
    def is_first_contact(self) -> bool:
        return self.last_inbound_at is None

    def is_with_person(self, now: datetime) -> bool:
        is_over = self.handover_ends_at is not None and self.handover_ends_at <= now
        return self.handler == "human" and not is_over

    def open_session(self, now: datetime, timeout: timedelta) -> Session | None:
        """Give the session unless silence has ended it."""
        if self.session is None or now - self.session.last_activity_at > timeout:
            return None
        return self.session


# --- who writes ---------------------------------------------------------------------------------------------


def find_thread(number: Number, person: Person) -> Thread | None:
    """Give the thread when every identity is known, belongs to one contact and nothing is to be learnt."""
    wanted = _identities(person)
    values = [value for _, value in wanted]
    rows = db.session.execute(
        _THREAD, {"account": number.identity_account, "number": number.id, "values": values}
    ).all()
    known = {(row.kind, row.value) for row in rows if row.replaced_at is None}
    if not known.issuperset(wanted) or len({row.contact_id for row in rows}) != 1:
        return None
    row = rows[0]
    return Thread(
        contact_id=row.contact_id,
        conversation_id=row.conversation_id,
        integration_id=number.id,
        name=row.name,
        language=row.language,
        country=row.country,
        has_opted_out=row.opted_out_at is not None,
        handler=row.handler,
        handover_ends_at=row.handover_ends_at,
        last_inbound_at=row.last_inbound_at,
        session=None
        if row.flow is None
        else Session(row.flow, row.step, row.data or {}, row.last_activity_at, row.flow_version),
    )


def admit(number: Number, person: Person, *, now: datetime, is_demo: bool = False) -> Conversation:
    """Make sure that the contact, all its identities and the conversation exist, and join contacts that
    turn out to be one.

    Idempotent. Flushes; a second worker that admits the same new person meets the unique constraints, or
    JoinedMeanwhile.
    """
    contacts = contacts_of(number, person)
    contact = contacts[0] if contacts else _new_contact(person, now, is_demo)
    for other in contacts[1:]:
        merge(contact, other, now=now)
    for kind, value in _identities(person):
        _learn(number.identity_account, contact, kind, value, now)
    if person.name and not contact.name:
        contact.name = _clean_name(person.name)
    conversation = _conversation(number, contact, now)
    _hold(contact)
    return conversation


def learn(number: Number, contact_id: int, person: Person, *, now: datetime) -> None:
    """Keep what a provider's answer taught us of a person we wrote to. Flushes."""
    contact = db.session.get_one(Contact, contact_id)
    for kind, value in _identities(person):
        if kind in _TELLING_KINDS:
            _learn(number.identity_account, contact, kind, value, now)


def rename(number: Number, person: Person, name: str) -> None:
    """Give a known contact the name under which the owner keeps it. Flushes."""
    for contact in contacts_of(number, person)[:1]:
        contact.name = _clean_name(name)
    db.session.flush()


def change_identity(number: Number, old: Person, new: Person, *, now: datetime) -> Conversation:
    """Keep the contact through a change of number or of id: the old one ends, the new one is learnt."""
    if not contacts_of(number, old) and contacts_of(number, new):
        return admit(number, new, now=now)  # told before: the old identity may be a stranger's by now
    known = Person(**{k: getattr(old, k) or getattr(new, k) for k in (*_IDENTITY_FIELDS, "name")})
    conversation = admit(number, old if _identities(old) else known, now=now)
    contact = db.session.get_one(Contact, conversation.contact_id)
    for kind, value in _identities(old):
        if getattr(new, kind) not in (None, value):
            _end_identity(number.identity_account, kind, value, now)
    strangers = [c for c in contacts_of(number, new) if c.id != contact.id]
    for stranger in strangers:
        merge(contact, stranger, now=now)
    for kind, value in _identities(new):
        _learn(number.identity_account, contact, kind, value, now)
    db.session.flush()
    return conversation


def merge(survivor: Contact, other: Contact, *, now: datetime) -> None:
    """Join two contacts that are one person, with all that is theirs. Raises JoinedMeanwhile."""
    del now
    for identity in list(other.identities):
        identity.contact_id = survivor.id
    mine = {c.integration_id: c for c in _conversations_of(survivor)}
    for conversation in _conversations_of(other):
        kept = mine.get(conversation.integration_id)
        if kept is None:
            conversation.contact_id = survivor.id
        else:
            _join_conversations(kept, conversation)
    for record in (*_REACHED, *_RECORDS, OutgoingEvent):
        db.session.execute(update(record).where(record.contact_id == other.id).values(contact_id=survivor.id))
    _hold(survivor, other)  # after the threads: a turn, too, takes its thread before its contact
    _inherit(survivor, other)
    other.merged_into_id = survivor.id
    db.session.flush()
    db.session.expire(survivor, ["identities"])
    db.session.expire(other, ["identities"])


def set_language(contact_id: int, language: str) -> None:
    """Remember the language in which a person writes."""
    changed_rows(update(Contact).where(Contact.id == contact_id).values(language=language))


def remember_referral(contact_id: int, referral: Mapping[str, Any]) -> None:
    """Keep the first ad that brought a person; it is never sent again."""
    changed_rows(
        update(Contact)
        .where(Contact.id == contact_id, Contact.referral.is_(None))
        .values(referral=dict(referral))
    )


def address_of(contact_id: int) -> Person:
    """Give the identities under which a contact can be written to, as the provider knows them."""
    rows = db.session.execute(_ADDRESS, {"contact": contact_id}).all()
    if not rows:
        # A merge may have taken the identities along between two statements of a delivery.
        survivor_id = db.session.scalar(select(_CONTACT.merged_into_id).where(_CONTACT.id == contact_id))
        if survivor_id is not None:
            return address_of(survivor_id)
    return Person(**{row.kind: row.value for row in rows})


# --- consent ------------------------------------------------------------------------------------------------


def opt_out(contact_id: int, *, now: datetime) -> None:
    """Stop all that we would send on our own, queued or not, but the goods that were paid for. Idempotent."""
    is_new = (Contact.id == contact_id, Contact.opted_out_at.is_(None))
    if changed_rows(update(Contact).where(*is_new).values(opted_out_at=now)):
        webhooks_out.leave(OPTED_OUT, "contact", contact_id, now=now)
    own = select(Conversation.id).where(Conversation.contact_id == contact_id)
    for conversation_id in db.session.scalars(own).all():
        reason = "The customer opted out before this was sent."
        cancel_unsent(conversation_id, now=now, reason=reason, senders=("bot", "shop"))


def opt_in(contact_id: int) -> None:
    changed_rows(
        update(Contact).where(Contact.id == contact_id).values(opted_out_at=None, refuses_marketing_at=None)
    )


def set_marketing_preference(contact_id: int, *, wants_marketing: bool, now: datetime) -> None:
    """Keep what Meta's user_preferences said at `now`, unless newer words are known; bars campaigns alone."""
    is_newer = or_(Contact.refuses_marketing_at.is_(None), Contact.refuses_marketing_at <= now)
    changed_rows(
        update(Contact)
        .where(Contact.id == contact_id, is_newer)
        .values(refuses_marketing_at=None if wants_marketing else now)
    )


# --- hand-over ----------------------------------------------------------------------------------------------


def take_over(
    conversation: Conversation,
    operator: Operator | None,
    *,
    now: datetime,
    reason: str = "taken over",
    actor: str = "bot",
) -> None:
    """Give the conversation to a person: the bot is silent, and what it had not sent yet is cancelled.
    `actor` says who did it where no operator did. Flushes."""
    _note_handler(conversation, "human", operator, actor=actor, now=now, reason=reason)
    conversation.handler = "human"
    conversation.handler_reason = reason
    conversation.operator_id = operator.id if operator else None
    conversation.handover_ends_at = now + HANDOVER_LASTS
    cancel_unsent(conversation.id, now=now)
    db.session.flush()


def hand_back(conversation: Conversation, *, now: datetime, operator: Operator | None = None) -> None:
    """Give the conversation back to the bot, which starts afresh. Flushes."""
    _note_handler(conversation, "bot", operator, actor="system", now=now)
    conversation.handler = "bot"
    conversation.handler_reason = ""
    conversation.operator_id = None
    conversation.team_id = None
    conversation.handover_ends_at = None
    db.session.execute(
        update(MenuSession).where(MenuSession.conversation_id == conversation.id).values(step=None)
    )
    db.session.flush()


def _note_handler(conversation: Conversation, after: str, operator: Operator | None, **step: Any) -> None:
    if operator is not None:
        step |= {"actor": "operator", "operator_id": operator.id}
    history.note_change("conversation", conversation.id, before=conversation.handler, after=after, **step)


def cancel_unsent(
    conversation_id: int,
    *,
    now: datetime,
    reason: str = "A person took over before this was sent.",
    senders: Collection[str] = ("bot",),
) -> int:
    """Cancel the messages of the bot (or of these senders) that have not left, and the repeat of those of
    unknown fate; gives how many were cancelled. Goods that were paid for leave all the same."""
    unsent = (
        Message.conversation_id == conversation_id,
        Message.send_due_at.is_not(None),
        Message.sender.in_(senders),
        ~exists().where(Delivery.message_id == Message.id),
    )
    changed_rows(update(Message).where(*unsent, Message.status == "uncertain").values(send_due_at=None))
    return changed_rows(
        update(Message)
        .where(*unsent, Message.status == "queued")
        .values(status="failed", status_at=now, error_code="cancelled", error_text=reason, send_due_at=None)
    )


# --- windows and sessions -----------------------------------------------------------------------------------


def is_window_open(last_inbound_at: datetime | None, now: datetime) -> bool:
    """Tell whether free text may be sent: 24 hours from the customer's last message, less a margin."""
    return window_left(last_inbound_at, now) > timedelta(0)


def window_left(last_inbound_at: datetime | None, now: datetime) -> timedelta:
    """Give how long free text may still be sent; zero when closed."""
    if last_inbound_at is None:
        return timedelta(0)
    return max(timedelta(0), last_inbound_at + SERVICE_WINDOW - SERVICE_WINDOW_MARGIN - now)


def save_session(
    conversation_id: int,
    *,
    is_known: bool,
    flow: str,
    step: str | None,
    data: Mapping[str, Any],
    now: datetime,
    version: str = "",
) -> None:
    """Keep where the conversation stands; `is_known` says that a row exists."""
    values = {"flow": flow, "flow_version": version, "step": step, "data": dict(data)}
    if not is_known:
        row = {**values, "conversation_id": conversation_id, "last_activity_at": now}
        db.session.execute(insert_or_ignore(MenuSession).values(row))
    db.session.execute(_SAVE_SESSION, {**values, "conversation": conversation_id, "now": now})


def end_silent_sessions(*, older_than: datetime) -> int:
    """Close the sessions that have been silent since `older_than`; gives how many."""
    return changed_rows(
        update(MenuSession)
        .where(MenuSession.last_activity_at < older_than, MenuSession.step.is_not(None))
        .values(step=None, data={})
    )


# --- below --------------------------------------------------------------------------------------------------


def _identities(person: Person) -> list[tuple[str, str]]:
    named = [(kind, getattr(person, kind)) for kind in _IDENTITY_FIELDS]
    return [(kind, value) for kind, value in named if value and len(value) <= IDENTITY_MAX_CHARS]


def contacts_of(number: Number, person: Person) -> list[Contact]:
    """Find who `person` is, the oldest contact first: by exact identity, else by another spelling."""
    telling = [(kind, value) for kind, value in _identities(person) if kind in _TELLING_KINDS]
    found = _contacts_by(number, ContactIdentity.value.in_([value for _, value in telling]))
    if not any(_has(contact, "wa_id", person.wa_id) for contact in found) and person.wa_id:
        key = _match_key("wa_id", person.wa_id)
        found += [c for c in _contacts_by(number, ContactIdentity.match_key == key) if c not in found]
    return sorted(found, key=lambda contact: contact.id)


def _contacts_by(number: Number, condition: Any) -> list[Contact]:
    rows = db.session.execute(
        select(Contact)
        .join(ContactIdentity)
        .where(
            ContactIdentity.account == number.identity_account,
            ContactIdentity.kind.in_(_TELLING_KINDS),
            ContactIdentity.replaced_at.is_(None),
            condition,
        )
        .options(selectinload(Contact.identities))
        .distinct()
    )
    return list(rows.scalars())


def _has(contact: Contact, kind: str, value: str | None) -> bool:
    return any(i.kind == kind and i.value == value and i.replaced_at is None for i in contact.identities)


def _new_contact(person: Person, now: datetime, is_demo: bool) -> Contact:
    country = phone.country(person.wa_id) if person.wa_id else (person.bsuid or "")[:2] or None
    contact = Contact(name=_clean_name(person.name or ""), country=country, created_at=now, is_demo=is_demo)
    db.session.add(contact)
    db.session.flush()
    return contact


def _hold(*contacts: Contact) -> None:
    """Keep other workers from joining these contacts until our commit, always locked in the same sequence.

    Two that join the same pair in opposite directions would leave nobody.
    """
    rows = db.session.execute(
        select(_CONTACT.merged_into_id)
        .where(_CONTACT.id.in_([contact.id for contact in contacts]))
        .order_by(_CONTACT.id)
        .with_for_update()
    )
    if any(merged_into_id is not None for (merged_into_id,) in rows):
        raise JoinedMeanwhile


def _learn(account: str, contact: Contact, kind: str, value: str, now: datetime) -> None:
    row = db.session.execute(
        select(ContactIdentity).where(
            ContactIdentity.account == account, ContactIdentity.kind == kind, ContactIdentity.value == value
        )
    ).scalar_one_or_none()
    if row is None:
        row = ContactIdentity(
            contact_id=contact.id,
            account=account,
            kind=kind,
            value=value,
            match_key=_match_key(kind, value),
            created_at=now,
        )
        db.session.add(row)
    if row.contact_id != contact.id and row.replaced_at is None and kind in _TELLING_KINDS:
        # Another worker has met the same person under this identity since we looked.
        merge(contact, db.session.get_one(Contact, row.contact_id), now=now)
    # A number that was given up may be somebody else's by now, and a username always may.
    row.contact_id, row.replaced_at = contact.id, None
    db.session.flush()


def _end_identity(account: str, kind: str, value: str, now: datetime) -> None:
    db.session.execute(
        update(ContactIdentity)
        .where(
            ContactIdentity.account == account, ContactIdentity.kind == kind, ContactIdentity.value == value
        )
        .values(replaced_at=now)
    )


def _match_key(kind: str, value: str) -> str:
    return min(phone.variants(value)) if kind == "wa_id" else ""


def _conversation(number: Number, contact: Contact, now: datetime) -> Conversation:
    where = (Conversation.integration_id == number.id, Conversation.contact_id == contact.id)
    conversation = db.session.execute(select(Conversation).where(*where)).scalar_one_or_none()
    if conversation is None:
        conversation = Conversation(
            integration_id=number.id, contact_id=contact.id, created_at=now, last_message_at=now
        )
        db.session.add(conversation)
        db.session.flush()
    return conversation


def _conversations_of(contact: Contact) -> Iterable[Conversation]:
    return db.session.scalars(select(Conversation).where(Conversation.contact_id == contact.id)).all()


def _join_conversations(kept: Conversation, other: Conversation) -> None:
    for moved in (Message, Turn, Alert, Note, OwnerNotice, *_REACHED, *_RECORDS[:-1]):
        changed_rows(update(moved).where(moved.conversation_id == other.id).values(conversation_id=kept.id))
    cart = update(Order).where(Order.cart_of_conversation_id == other.id)
    if db.session.execute(select(Order.id).where(Order.cart_of_conversation_id == kept.id)).first():
        changed_rows(cart.values(cart_of_conversation_id=None, status="cancelled"))
    else:
        changed_rows(cart.values(cart_of_conversation_id=kept.id))
    changed_rows(update(Order).where(Order.conversation_id == other.id).values(conversation_id=kept.id))
    for row in (MenuSession, ReadMark):
        changed_rows(delete(row).where(row.conversation_id == other.id))
    _join_labels(kept.id, other.id)
    kept.last_inbound_at = _latest(kept.last_inbound_at, other.last_inbound_at)
    kept.last_message_at = _latest(kept.last_message_at, other.last_message_at)
    kept.unread_count += other.unread_count
    if other.is_with_person and not kept.is_with_person:
        for name in ("handler", "handler_reason", "operator_id", "team_id", "handover_ends_at"):
            setattr(kept, name, getattr(other, name))
    db.session.flush()
    db.session.delete(other)
    db.session.flush()


def _join_labels(kept_id: int, other_id: int) -> None:
    of = ConversationLabel.conversation_id
    for label_id in db.session.scalars(select(ConversationLabel.label_id).where(of == other_id)).all():
        row = {"label_id": label_id, "conversation_id": kept_id}
        db.session.execute(insert_or_ignore(ConversationLabel), row)
    changed_rows(delete(ConversationLabel).where(of == other_id))


def _inherit(survivor: Contact, other: Contact) -> None:
    """Fill what the survivor lacks; a refusal of either counts for both."""
    for name in ("name", "email", "language", "country", "referral"):
        if not getattr(survivor, name) and getattr(other, name):
            setattr(survivor, name, getattr(other, name))
    for name in ("opted_out_at", "refuses_marketing_at"):
        setattr(survivor, name, getattr(survivor, name) or getattr(other, name))


def _latest(one: datetime | None, other: datetime | None) -> datetime | None:
    return max(filter(None, (one, other)), default=None)


def _clean_name(name: str) -> str:
    return "".join(c for c in name if c.isprintable()).strip()[:255]
