"""The inbox as a room of three columns: the list, and beside it what is kept by all; what one person's column
shows.

Called by the inbox and by every page of a conversation, which show the same room. Reads only, in as few
queries as the columns allow: a page of the inbox may ask the database fifteen times.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from flask import g, request
from flask_login import current_user
from sqlalchemy import (
    CompoundSelect,
    Select,
    String,
    Text,
    cast,
    func,
    literal,
    select,
    type_coerce,
    union_all,
)

from crm.lead_scores import Reason
from dashboard import inbox_lists
from dashboard.inbox_lists import Filters, InboxPage
from models import (
    Appointment,
    Complaint,
    Contact,
    Conversation,
    Label,
    Lead,
    Operator,
    Order,
    SavedView,
    Ticket,
    db,
)
from teamwork import keeping, unread

RECORDS_OF_EACH: Final = 5


@dataclass(frozen=True, slots=True)
class Named:
    id: int
    name: str
    extra: str = ""


@dataclass(frozen=True, slots=True)
class Shelf:
    """What all conversations share: the labels there are, who works here, and the operator's own views."""

    labels: tuple[Named, ...]
    operators: tuple[Named, ...]
    views: tuple[Named, ...]

    def operator_name(self, operator_id: int | None) -> str:
        return next((one.name for one in self.operators if one.id == operator_id), "")


@dataclass(frozen=True, slots=True)
class Room:
    """The list column, with the filters that made it."""

    filters: Filters
    page: InboxPage
    labels: Mapping[int, list[Label]]
    shelf: Shelf
    unread: Mapping[int, int]  # of this operator, by conversation


@dataclass(frozen=True, slots=True)
class RecordLine:
    """One lead, ticket, complaint, appointment or order of a person."""

    kind: str
    id: int
    number: str
    status: str
    title: str
    at: datetime | None
    total_minor: int = 0
    currency: str = ""


@dataclass(frozen=True, slots=True)
class PersonColumn:
    """What is known of one person beside the thread."""

    records: tuple[RecordLine, ...]
    labels: tuple[Label, ...]
    score: int | None = None
    reasons: tuple[Reason, ...] = field(default=())


def read_room(now: datetime, opened: Conversation | None = None) -> Room:
    """Give the list that this request's address asks for; labels and unread of the `opened` one as well."""
    filters = Filters.read(request.args)
    page = inbox_lists.inbox_page(filters, current_user.id, now=now)
    read = page.conversations if opened is None else (*page.conversations, opened)
    labels = keeping.labels_of({conversation.id for conversation in read})
    return Room(filters, page, labels, shelf(), unread.unread_of(read, current_user.id))


def shelf() -> Shelf:
    """Give the shelf of this request's operator, in one query."""
    if "shelf" not in g:
        g.shelf = _read_shelf(current_user.id)
    return g.shelf  # type: ignore[no-any-return]


def _read_shelf(operator_id: int) -> Shelf:
    rows = db.session.execute(
        union_all(
            select(literal("label").label("kind"), Label.id, Label.name, literal("").label("extra")),
            # Who has left may still stand behind an old message.
            select(literal("operator"), Operator.id, Operator.name, cast(Operator.is_active, String)),
            select(literal("view"), SavedView.id, SavedView.name, SavedView.query).where(
                SavedView.operator_id == operator_id
            ),
        )
    ).all()
    by_kind: dict[str, list[Named]] = {"label": [], "operator": [], "view": []}
    for kind, row_id, name, extra in rows:
        by_kind[kind].append(Named(row_id, name, extra))
    in_order = {
        kind: tuple(sorted(found, key=lambda one: one.name.lower())) for kind, found in by_kind.items()
    }
    return Shelf(in_order["label"], in_order["operator"], in_order["view"])


# --- one person ---------------------------------------------------------------------------------------------


def read_person(conversation: Conversation, here: Room | None = None) -> PersonColumn:
    """Give what stands beside the thread: the newest records of each kind, labels, a lead's score.

    `here` is the room when it was read with this conversation opened.
    """
    rows = db.session.execute(_records_of(conversation.contact_id)).all()
    scored = next((row for row in rows if row.kind == "leads" and row.score >= 0), None)
    labels = (here.labels if here else keeping.labels_of([conversation.id])).get(conversation.id, [])
    return PersonColumn(
        records=tuple(
            RecordLine(
                r.kind, r.id, r.number or "", r.status, r.title or "", r.at, r.total or 0, r.currency or ""
            )
            for r in rows
        ),
        labels=tuple(labels),
        score=scored.score if scored else None,
        reasons=_reasons(scored.reasons) if scored else (),
    )


def _reasons(stored: str) -> tuple[Reason, ...]:
    return tuple(Reason(*reason) for reason in json.loads(stored or "[]"))


def _records_of(contact_id: int) -> CompoundSelect[Any]:
    """Write one query for the newest records of every kind of a person."""
    nothing = (literal(-1), literal(""), literal(0), literal(""))
    scored = (func.coalesce(Lead.score, -1), type_coerce(Lead.score_reasons, Text), *nothing[2:])
    worth = (*nothing[:2], Order.total_minor, Order.currency)
    return union_all(
        _newest("leads", Lead, contact_id, literal(""), Lead.interest, scored),
        _newest("tickets", Ticket, contact_id, Ticket.number, Ticket.subject, nothing),
        _newest("complaints", Complaint, contact_id, Complaint.number, literal(""), nothing),
        _newest("appointments", Appointment, contact_id, Appointment.number, Appointment.topic, nothing),
        _newest("orders", Order, contact_id, Order.number, literal(""), worth),
    )


def _newest(
    kind: str, model: Any, contact_id: int, number: Any, title: Any, rest: tuple[Any, ...]
) -> Select[Any]:
    score, reasons, total, currency = rest
    found = (
        select(
            literal(kind).label("kind"),
            model.id.label("id"),
            number.label("number"),
            model.status.label("status"),
            title.label("title"),
            model.created_at.label("at"),
            score.label("score"),
            reasons.label("reasons"),
            total.label("total"),
            currency.label("currency"),
        )
        .where(model.contact_id == contact_id)
        .order_by(model.id.desc())
        .limit(RECORDS_OF_EACH)
        .subquery()
    )
    return select(found)


def contact_names(contact: Contact) -> list[tuple[str, str]]:
    """Give every name under which a provider knows a person, the newest first."""
    live = [one for one in contact.identities if one.replaced_at is None]
    return [(one.kind, one.value) for one in sorted(live, key=lambda one: -one.id)]
