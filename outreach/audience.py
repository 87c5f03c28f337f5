"""Whom a campaign reaches, and who is left out and why: counted before it starts, written down when it does.

`campaigns` and its page call it. A segment is people who have written to the number; a file brings others.
Nobody is reached twice: a person is one key, whatever the spelling of her number. Flushes, never commits.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, exists, select

import message_templates
from integrations import Number
from models import (
    Campaign,
    CampaignRecipient,
    Contact,
    ContactIdentity,
    Conversation,
    ConversationLabel,
    Lead,
    MessageTemplate,
    Order,
    OrderItem,
    Product,
    Sale,
    db,
)
from outreach.lists import PeopleList
from outreach.threads import match_key
from providers import templates
from statements import insert_or_ignore

PEOPLE_PER_READ: Final = 500
WAITING: Final = "waiting"
LEFT_OUT: Final = "left_out"
# Where a placeholder's value comes from; a column is one of the file.
SOURCES: Final = ("text", "name", "first_name", "column")
BOUGHT: Final = ("", "yes", "no")


@dataclass(frozen=True, slots=True)
class Segment:
    """Which of a number's people are meant; what is empty asks for nothing."""

    language: str = ""
    niche_id: int | None = None
    label_id: int | None = None
    bought: str = ""
    seen_within_days: int | None = None
    silent_for_days: int | None = None
    lead_status: str = ""


@dataclass(frozen=True, slots=True)
class Value:
    """What goes into one placeholder; `otherwise` when the source has nothing."""

    source: str = "text"
    value: str = ""
    otherwise: str = ""


@dataclass(frozen=True, slots=True)
class Reached:
    """One person of a campaign as it is put together; `reason` says why she is left out."""

    person_key: str
    reason: str = ""
    contact_id: int | None = None
    conversation_id: int | None = None
    wa_id: str = ""
    name: str = ""
    language: str = ""
    columns: Mapping[str, str] | None = None
    written: str = ""
    line: int = 0


@dataclass
class Preview:
    """How many are reached, and for each reason how many are not, with some of them."""

    reached: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    examples: list[Reached] = field(default_factory=list)
    shown: Reached | None = None  # the first who is reached

    def count(self, one: Reached, examples_max: int = 12) -> None:
        if not one.reason:
            self.reached += 1
            self.shown = self.shown or one
            return
        self.left_out[one.reason] += 1
        if len(self.examples) < examples_max:
            self.examples.append(one)


class Wordings:
    """The usable templates of a campaign by language, read once."""

    def __init__(self, campaign: Campaign) -> None:
        rows = message_templates.list_templates(campaign.integration_id, usable=True)
        self.by_language = {row.language: row for row in rows if row.name == campaign.template_name}
        self.fallback = campaign.fallback_language
        self.filling = filling_of(campaign)

    def of(self, language: str) -> MessageTemplate | None:
        code = templates.pick_language(language, self.by_language)
        return self.by_language.get(code or self.fallback)

    def obstacle(self, one: Reached, language: str, *, refuses_marketing: bool) -> str:
        """Name what speaks against writing to this person, nothing when nothing does."""
        row = self.of(one.language or language)
        if row is None:
            return "no_language"
        if refuses_marketing and row.category == message_templates.MARKETING:
            return "refuses_marketing"
        values = values_for(row, self.filling, one.name, one.columns or {})
        return "" if all(values.values()) else "missing_value"


def segment_of(campaign: Campaign) -> Segment | None:
    """Give the segment, None for a campaign of a file."""
    return Segment(**campaign.segment) if campaign.segment is not None and campaign.segment != {} else None


def segment_json(segment: Segment) -> dict[str, Any]:
    return asdict(segment)


def value_json(value: Value) -> dict[str, str]:
    return asdict(value)


def filling_of(campaign: Campaign) -> dict[str, Value]:
    return {key: Value(**value) for key, value in (campaign.filling or {}).items()}


def values_for(
    row: MessageTemplate, filling: Mapping[str, Value], name: str, columns: Mapping[str, str]
) -> dict[str, str]:
    """Give the value of each placeholder for one person; empty where there is none."""
    wanted = templates.placeholders(message_templates.wording_of(row))
    return {one.key: _value(filling.get(one.key, Value()), name, columns) for one in wanted}


def _value(value: Value, name: str, columns: Mapping[str, str]) -> str:
    if value.source == "text":
        return value.value.strip()
    found = {
        "name": name.strip(),
        "first_name": name.split()[0] if name.split() else "",
        "column": columns.get(value.value, "").strip(),
    }.get(value.source, "")
    return found or value.otherwise.strip()


# --- a segment ----------------------------------------------------------------------------------------------


def preview(campaign: Campaign, number: Number, now: datetime) -> Preview:
    """Count whom the campaign would reach now. Reads only."""
    counted = Preview()
    for one in people_of_segment(campaign, number, now):
        counted.count(one)
    return counted


def people_of_segment(campaign: Campaign, number: Number, now: datetime) -> Iterator[Reached]:
    """Give everybody of the segment, each with the reason why she is left out, or none."""
    segment = segment_of(campaign)
    if segment is None:
        return
    wordings = Wordings(campaign)
    known = select(CampaignRecipient.contact_id).where(CampaignRecipient.campaign_id == campaign.id)
    query = (
        select(
            Contact.id,
            Contact.name,
            Contact.language,
            Contact.opted_out_at,
            Contact.refuses_marketing_at,
            Conversation.id.label("conversation_id"),
        )
        .join(Conversation, Conversation.contact_id == Contact.id)
        .where(
            Conversation.integration_id == number.id,
            Contact.merged_into_id.is_(None),
            Contact.id.not_in(known.where(CampaignRecipient.contact_id.is_not(None))),
            *_conditions(segment, now),
        )
        .order_by(Contact.id)
    )
    last_id = 0
    while rows := db.session.execute(query.where(Contact.id > last_id).limit(PEOPLE_PER_READ)).all():
        for row in rows:
            spoken = row.language or number.language
            one = Reached(
                f"c:{row.id}",
                contact_id=row.id,
                conversation_id=row.conversation_id,
                name=row.name,
                language=spoken,
            )
            reason = (
                "opted_out"
                if row.opted_out_at is not None
                else wordings.obstacle(one, spoken, refuses_marketing=row.refuses_marketing_at is not None)
            )
            yield replace(one, reason=reason)
        last_id = rows[-1].id


def _conditions(segment: Segment, now: datetime) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    has_bought = exists().where(Sale.contact_id == Contact.id)
    if segment.language:
        found.append(Contact.language == segment.language)
    if segment.bought:
        found.append(has_bought if segment.bought == "yes" else ~has_bought)
    if segment.seen_within_days is not None:
        found.append(Conversation.last_inbound_at >= now - timedelta(days=segment.seen_within_days))
    if segment.silent_for_days is not None:
        found.append(Conversation.last_inbound_at < now - timedelta(days=segment.silent_for_days))
    if segment.lead_status:
        of_lead = (Lead.contact_id == Contact.id) & (Lead.status == segment.lead_status)
        found.append(exists().where(of_lead))
    if segment.label_id is not None:
        found.append(
            exists().where(
                ConversationLabel.conversation_id == Conversation.id,
                ConversationLabel.label_id == segment.label_id,
            )
        )
    if segment.niche_id is not None:
        in_niche = (
            select(OrderItem.id)
            .join(Order, Order.id == OrderItem.order_id)
            .join(Product, Product.id == OrderItem.product_id)
            .where(Order.contact_id == Contact.id, Product.niche_id == segment.niche_id)
        )
        found.append(in_niche.exists())
    return found


# --- a file -------------------------------------------------------------------------------------------------


def people_of_file(campaign: Campaign, number: Number, listed: PeopleList) -> list[Reached]:
    """Give every row of a file, each with the reason why that person is left out, or none."""
    wordings = Wordings(campaign)
    contacts = _known_contacts(number, [one.wa_id for one in listed.people if one.wa_id])
    taken = {
        key
        for (key,) in db.session.execute(
            select(CampaignRecipient.person_key).where(
                CampaignRecipient.campaign_id == campaign.id, CampaignRecipient.state == WAITING
            )
        )
    }
    seen: set[str] = set()
    found = []
    for person in listed.people:
        contact = contacts.get(match_key(person.wa_id)) if person.wa_id else None
        key = f"c:{contact.id}" if contact else f"p:{match_key(person.wa_id)}" if person.wa_id else ""
        one = Reached(
            key,
            contact_id=contact.id if contact else None,
            wa_id=person.wa_id or "",
            name=person.name or (contact.name if contact else ""),
            language=person.language or (contact.language if contact else None) or number.language,
            columns=person.columns,
            written=person.written,
            line=person.line,
        )
        found.append(replace(one, reason=_reason_of_row(one, contact, wordings, seen, taken)))
        seen.add(key)
    return found


def _reason_of_row(
    one: Reached, contact: Contact | None, wordings: Wordings, seen: set[str], taken: set[str]
) -> str:
    if not one.wa_id:
        return "invalid_phone"
    if one.person_key in seen:
        return "duplicate"
    if one.person_key in taken:
        return "already_in"
    if contact is not None and contact.has_opted_out:
        return "opted_out"
    refuses = contact is not None and contact.refuses_marketing_at is not None
    return wordings.obstacle(one, one.language, refuses_marketing=refuses)


def _known_contacts(number: Number, wa_ids: Sequence[str]) -> dict[str, Contact]:
    """Find who of a file has written to us, under any spelling, by the key that all spellings share."""
    keys = sorted({match_key(wa_id) for wa_id in wa_ids})
    found: dict[str, Contact] = {}
    for start in range(0, len(keys), PEOPLE_PER_READ):
        rows = db.session.execute(
            select(ContactIdentity.match_key, Contact)
            .join(Contact, Contact.id == ContactIdentity.contact_id)
            .where(
                ContactIdentity.account == number.identity_account,
                ContactIdentity.kind == "wa_id",
                ContactIdentity.replaced_at.is_(None),
                ContactIdentity.match_key.in_(keys[start : start + PEOPLE_PER_READ]),
            )
            .order_by(Contact.id.desc())
        )
        found.update({row[0]: row[1] for row in rows})
    return found


# --- writing down -------------------------------------------------------------------------------------------


def write_down(campaign_id: int, people: Iterable[Reached]) -> int:
    """Keep who is reached and who is left out; who is there already stays as she is. Flushes. Gives how many
    rows were offered."""
    rows: list[dict[str, Any]] = []
    count = 0
    for one in people:
        if not one.person_key or one.reason in ("duplicate", "already_in"):
            continue
        rows.append(
            {
                "campaign_id": campaign_id,
                "person_key": one.person_key,
                "contact_id": one.contact_id,
                "conversation_id": one.conversation_id,
                "phone": one.wa_id[:20],
                "name": one.name[:255],
                "language": one.language[:5],
                "columns": dict(one.columns) if one.columns else None,
                "state": LEFT_OUT if one.reason else WAITING,
                "reason": one.reason,
            }
        )
        count += 1
        if len(rows) >= PEOPLE_PER_READ:
            db.session.execute(insert_or_ignore(CampaignRecipient), rows)
            rows = []
    if rows:
        db.session.execute(insert_or_ignore(CampaignRecipient), rows)
    db.session.flush()
    return count
