"""The one message that we write by ourselves: about a cart that was left, an order without payment, a
silent lead.

A task calls `plan` and `send`. Inside the customer's 24-hour window, or by an approved template made for it
(`reminders`), at a decent hour where she is, once per record, and never to somebody who asked for silence,
complained, said no, or has a person. Whatever she does meanwhile (she writes, buys, is taken over) cancels
it. Rows and queued messages only: flushes, never commits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from babel.core import get_global
from sqlalchemy import ColumnElement, exists, select, update

import conversations
import integrations
import phone
import texts
import whatsapp_service
from config import Config
from flow_files import choices
from integrations import Number
from message_content import Choice, Menu
from message_templates import TemplateRefused
from models import (
    Complaint,
    Contact,
    Conversation,
    Integration,
    Lead,
    MenuSession,
    Message,
    MessageTemplate,
    Nudge,
    Order,
    OrderItem,
    Product,
    Turn,
    db,
)
from shop import catalog, reminders
from simulated_phone import REHEARSAL_NUMBER
from statements import changed_rows, insert_or_ignore

CART: Final = "cart"
ORDER: Final = "order"
LEAD: Final = "lead"
# How long a customer must be silent. With the night between, all of them end before her window does.
SILENT_FOR: Final = {CART: timedelta(hours=2), ORDER: timedelta(hours=3), LEAD: timedelta(hours=6)}
DECENT_FROM, DECENT_UNTIL = 9, 20
STEP: Final = timedelta(minutes=15)
# One person is not written to by ourselves more often than this, whatever she left behind.
REST: Final = timedelta(days=7)
REFUSAL_COUNTS_FOR: Final = timedelta(days=30)
AT_ONCE: Final = 100
SHOWN_GOODS: Final = 3
PREVIEW_CHARS: Final = 160
FLOW: Final = "follow-up"
SHOP: Final = "shop"
# The buttons under each: what it does in the flow, and its title's name in the texts.
BUTTONS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    CART: (("shop/add.ok:checkout", "close"), ("shop/menu:cart", "cart"), ("shop/@person", "person")),
    ORDER: (("shop/order_help:pay", "pay"), ("shop/order_help:cancel", "cancel"), ("shop/@person", "person")),
    LEAD: (("@menu", "menu"), ("@person", "person")),
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A record whose customer has been silent for long enough."""

    kind: str
    record_id: int
    contact_id: int
    conversation_id: int
    silent_since: datetime


# --- planning -----------------------------------------------------------------------------------------------


def candidates(now: datetime) -> list[Candidate]:
    """Find what may be written about, one per customer, the oldest silence first. Reads only."""
    found = [
        Candidate(kind, row.id, row.contact_id, row.conversation_id, row.last_inbound_at)
        for kind in (CART, ORDER, LEAD)
        for row in db.session.execute(_QUERIES[kind](now).limit(AT_ONCE))
    ]
    first: dict[int, Candidate] = {}
    for one in found:
        first.setdefault(one.contact_id, one)
    return sorted(first.values(), key=lambda one: one.silent_since)


def plan(wanted: Candidate, *, config: Config, now: datetime) -> None:
    """Write down that a record is followed up, and when: at the next decent hour, inside the window unless
    there is a template for it. Flushes.

    Idempotent: a record is planned once for ever.
    """
    contact = db.session.get_one(Contact, wanted.contact_id)
    due_at = decent_time(now, zones_of(contact, config))
    is_late = due_at is None or not (
        conversations.is_window_open(wanted.silent_since, due_at) or _has_template(wanted, contact)
    )
    db.session.execute(
        insert_or_ignore(Nudge).values(
            record=LEAD if wanted.kind == LEAD else ORDER,
            record_id=wanted.record_id,
            kind=wanted.kind,
            contact_id=wanted.contact_id,
            conversation_id=wanted.conversation_id,
            state="cancelled" if is_late else "planned",
            reason="window_closed" if is_late else "",
            silent_since=wanted.silent_since,
            due_at=None if is_late else due_at,
            settled_at=now if is_late else None,
            created_at=now,
        )
    )


def _has_template(wanted: Candidate, contact: Contact) -> bool:
    conversation = db.session.get_one(Conversation, wanted.conversation_id)
    number = integrations.number(conversation.integration_id)
    if number is None:
        return False
    language = texts.text_language(contact.language or number.language)
    return reminders.template_of(number.id, wanted.kind, language) is not None


def zones_of(contact: Contact, config: Config) -> tuple[ZoneInfo, ...]:
    """Give the time zones in which a customer may be: all of her country, unless it is the business's own."""
    territories = get_global("zone_territories")
    wa_id = contact.identity("wa_id")
    country = (phone.country(wa_id) if wa_id else None) or contact.country
    if country in (None, territories.get(config.time_zone)):
        return (config.zone,)
    return tuple(map(ZoneInfo, (name for name, home in territories.items() if home == country))) or (
        config.zone,
    )


def decent_time(now: datetime, zones: Sequence[ZoneInfo]) -> datetime | None:
    """Give the next moment at which it is a decent hour in all of `zones`; None when a day has none."""
    moment = now
    while moment < now + timedelta(days=1):
        if all(DECENT_FROM <= moment.astimezone(zone).hour < DECENT_UNTIL for zone in zones):
            return moment
        moment += STEP
    return None


def _silent(kind: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Tell for which conversations somebody may be written to by ourselves, about something of this kind."""
    return (
        Conversation.last_inbound_at <= now - SILENT_FOR[kind],
        Conversation.last_inbound_at > now - conversations.SERVICE_WINDOW,
        Conversation.handler == "bot",
        Integration.is_active.is_(True),
        Integration.number_id != REHEARSAL_NUMBER,
        *_may_be_told(now),
        ~exists().where(
            Nudge.contact_id == Conversation.contact_id,
            Nudge.state != "cancelled",
            Nudge.created_at > now - REST,
        ),
    )


def _may_be_told(now: datetime) -> tuple[ColumnElement[bool], ...]:
    said_no = exists().where(
        Message.conversation_id == Conversation.id,
        Message.direction == "in",
        Message.created_at > now - REFUSAL_COUNTS_FOR,
        (Message.buying_signal == "not_interested") | (Message.intent == "complaint"),
    )
    return (
        Contact.opted_out_at.is_(None),
        Contact.refuses_marketing_at.is_(None),
        ~exists().where(Complaint.contact_id == Contact.id),
        ~said_no,
    )


def _orders(kind: str, now: datetime, *conditions: ColumnElement[bool]) -> Any:
    known = exists().where(Nudge.record == ORDER, Nudge.record_id == Order.id)
    return (
        select(Order.id, Order.contact_id, Order.conversation_id, Conversation.last_inbound_at)
        .join(Conversation, Conversation.id == Order.conversation_id)
        .join(Contact, Contact.id == Order.contact_id)
        .join(Integration, Integration.id == Conversation.integration_id)
        .where(*conditions, ~known, ~_person_wrote(Order.created_at), *_silent(kind, now))
        .order_by(Conversation.last_inbound_at, Order.id.desc())
    )


def _carts(now: datetime) -> Any:
    has_items = exists().where(OrderItem.order_id == Order.id)
    return _orders(CART, now, Order.cart_of_conversation_id.is_not(None), Order.status == "cart", has_items)


def _unpaid(now: datetime) -> Any:
    is_recent = Order.placed_at > now - conversations.SERVICE_WINDOW
    is_open = (Order.status == "placed") & (Order.payment_status == "unpaid") & (Order.total_minor > 0)
    return _orders(ORDER, now, is_open, is_recent)


def _leads(now: datetime) -> Any:
    known = exists().where(Nudge.record == LEAD, Nudge.record_id == Lead.id)
    return (
        select(Lead.id, Lead.contact_id, Lead.conversation_id, Conversation.last_inbound_at)
        .join(Conversation, Conversation.id == Lead.conversation_id)
        .join(Contact, Contact.id == Lead.contact_id)
        .join(Integration, Integration.id == Conversation.integration_id)
        .where(
            Lead.status == "new",
            Lead.created_at > now - conversations.SERVICE_WINDOW,
            ~known,
            ~_person_wrote(Lead.created_at),
            *_silent(LEAD, now),
        )
        .order_by(Conversation.last_inbound_at, Lead.id.desc())
    )


def _person_wrote(since: Any) -> ColumnElement[bool]:
    """Whoever has been answered by one of us is looked after."""
    return exists().where(
        Message.conversation_id == Conversation.id,
        Message.sender.in_(("operator", "owner")),
        Message.created_at > since,
    )


_QUERIES: Final = {CART: _carts, ORDER: _unpaid, LEAD: _leads}


# --- sending ------------------------------------------------------------------------------------------------


def due(now: datetime) -> list[int]:
    """Give the planned ones whose time has come. Reads only."""
    query = select(Nudge.id).where(Nudge.state == "planned", Nudge.due_at <= now).order_by(Nudge.id)
    return list(db.session.scalars(query.limit(AT_ONCE)))


def send(nudge_id: int, *, now: datetime) -> int | None:
    """Queue a planned message; if something has happened meanwhile, it is cancelled for good. Flushes.

    Gives the conversation to wake. Idempotent: one UPDATE decides who sends it.
    """
    row = db.session.get_one(Nudge, nudge_id, with_for_update=True, populate_existing=True)
    if row.state != "planned":
        return None
    number = _number_of(row)
    if number is None:
        _settle(row, "cancelled", now, "number_off")
        return None
    template = _template_of(row, number, now)
    reason = _obstacle(row, template, now)
    content = _menu(row, number)
    if not reason and not _is_silent(row, content, now):
        reason = "wrote"
    if not reason:
        turn = _note_turn(row, number, now)
        try:
            row.message_id = _queue(row, number, content, template, turn.id, now)
        except TemplateRefused as refused:
            db.session.delete(turn)
            reason = f"template_{refused.code}"
    if reason:
        _settle(row, "cancelled", now, reason)
        return None
    _settle(row, "sent", now)
    return row.conversation_id


def _template_of(row: Nudge, number: Number, now: datetime) -> MessageTemplate | None:
    """Give the template that has to be used because free text may not be sent any more."""
    if conversations.is_window_open(row.silent_since, now):
        return None
    return reminders.template_of(number.id, row.kind, _language(row, number))


def _is_silent(row: Nudge, content: Menu, now: datetime) -> bool:
    """Hold the conversation; False when the customer has written meanwhile, or a person has taken over."""
    silent = (
        Conversation.id == row.conversation_id,
        Conversation.handler == "bot",
        Conversation.last_inbound_at == row.silent_since,
    )
    preview = content.summary.replace("\n", " ")[:PREVIEW_CHARS]
    touching = update(Conversation).where(*silent)
    return changed_rows(touching.values(last_message_at=now, last_preview=preview)) == 1


def _note_turn(row: Nudge, number: Number, now: datetime) -> Turn:
    turn = Turn(
        conversation_id=row.conversation_id,
        responder=SHOP,
        reason=f"{FLOW}: {row.kind}",
        language=_language(row, number),
        flow=FLOW,
        step_after=row.kind,
        trace={"source": FLOW, "events": [], "actions": []},
        created_at=now,
    )
    db.session.add(turn)
    db.session.flush()
    return turn


def _queue(
    row: Nudge, number: Number, content: Menu, template: MessageTemplate | None, turn_id: int, now: datetime
) -> int:
    """Queue what is said. Flushes. Raises TemplateRefused."""
    if template is not None:
        told = _told(row, number)
        name = next(iter(told["name"].split()), reminders.NAMELESS)
        values = reminders.values_of(template, {**told, "name": name})
        payloads = reminders.payloads_of(template, [choice.id for choice in content.choices])
        return reminders.queue(row.conversation_id, template, values, payloads, turn_id=turn_id, now=now)
    ids = whatsapp_service.queue(
        row.conversation_id, number, [content], sender="bot", now=now, turn_id=turn_id
    )
    _offer(row, number, content, now)
    return ids[0]


def _obstacle(row: Nudge, template: MessageTemplate | None, now: datetime) -> str:
    """Name what speaks against writing now; nothing when nothing does."""
    conversation = db.session.get_one(Conversation, row.conversation_id, populate_existing=True)
    if conversation.last_inbound_at != row.silent_since:
        return "wrote"
    if template is None and not conversations.is_window_open(conversation.last_inbound_at, now):
        return "window_closed"
    if conversation.is_with_person:
        return "with_person"
    if not _is_still_open(row):
        return "settled"
    may_be_told = (
        select(Contact.id)
        .join(Conversation, Conversation.contact_id == Contact.id)
        .where(Conversation.id == row.conversation_id, *_may_be_told(now))
    )
    return "" if db.session.execute(may_be_told).first() is not None else "refused"


def _is_still_open(row: Nudge) -> bool:
    if row.record == LEAD:
        lead = db.session.get(Lead, row.record_id, populate_existing=True)
        return lead is not None and lead.status == "new"
    order = db.session.get(Order, row.record_id, populate_existing=True)
    if order is None:
        return False
    return order.status == ("cart" if row.kind == CART else "placed") and order.payment_status == "unpaid"


def _settle(row: Nudge, state: str, now: datetime, reason: str = "") -> None:
    row.state, row.reason, row.settled_at, row.due_at = state, reason, now, None
    db.session.flush()


def _offer(row: Nudge, number: Number, content: Menu, now: datetime) -> None:
    """Let a typed digit mean what is offered: the flow starts afresh with it."""
    known = select(MenuSession.id).where(MenuSession.conversation_id == row.conversation_id)
    conversations.save_session(
        row.conversation_id,
        is_known=db.session.execute(known).first() is not None,
        flow=number.start_flow if row.kind == LEAD else SHOP,
        step=None,
        data=choices.offer({}, [(choice.id, choice.title) for choice in content.choices]),
        now=now,
    )


# --- the words ----------------------------------------------------------------------------------------------


def _menu(row: Nudge, number: Number) -> Menu:
    language = _language(row, number)
    told = _told(row, number)
    words = texts.text("nudge", language, kind=row.kind, contact_name=told.pop("name"), **told)
    prefix = f"{number.start_flow}/" if row.kind == LEAD else ""
    offered = [
        Choice(f"{prefix}{choice_id}", texts.text("title_nudge", language, button=button))
        for choice_id, button in BUTTONS[row.kind]
    ]
    return Menu(words, tuple(offered))


def _told(row: Nudge, number: Number) -> dict[str, str]:
    """Give what may be said of the record: to whom, what, what it costs, under which number."""
    language = _language(row, number)
    contact = db.session.get_one(Contact, row.contact_id)
    order = db.session.get(Order, row.record_id) if row.record == ORDER else None
    lead = db.session.get(Lead, row.record_id) if row.record == LEAD else None
    told = {"name": (lead.name if lead is not None else "") or contact.name}
    if order is None:
        return {**told, "goods": "", "total": "", "number": ""}
    total = catalog.price_text(order.total_minor, order.currency, language)
    return {**told, "goods": _goods(order, language), "total": total, "number": order.number or ""}


def _goods(order: Order, language: str) -> str:
    names = []
    for item in order.items[:SHOWN_GOODS]:
        product = db.session.get(Product, item.product_id)
        names.append(catalog.shown_name(product, language) if product is not None else item.name)
    return ", ".join(names) + (", …" if len(order.items) > SHOWN_GOODS else "")


def _language(row: Nudge, number: Number) -> str:
    contact = db.session.get_one(Contact, row.contact_id)
    return texts.text_language(contact.language or number.language)


def _number_of(row: Nudge) -> Number | None:
    conversation = db.session.get_one(Conversation, row.conversation_id)
    return integrations.number(conversation.integration_id)
