"""What an intent set in motion: leads, tickets, complaints, by the verbs of their own pages.

What `appointments` shares with them stands below.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import Field
from sqlalchemy import select

import alerts
import auth
import tasks
from api import shapes
from api.doors import PREFIX, Body, Refused, Written, endpoint, found
from api.kinds import Amount, BodyId, Clean, OneOf, RowId
from api.paging import DatedQuery, Page, narrowed, page
from crm import complaints, leads, moves, new_leads, teams, tickets
from crm.numbered import Actor, Tracked
from models import (
    Appointment,
    Complaint,
    Contact,
    Conversation,
    Lead,
    Operator,
    Team,
    Ticket,
    db,
    utc_now,
)
from vocabulary import URGENCIES

CENTS: Final = 100
USD: Final = "USD"
REASON_MAX_CHARS: Final = 200
LeadStatus = Annotated[str, OneOf(leads.STATUSES)]
TicketStatus = Annotated[str, OneOf(tickets.STATUSES)]
ComplaintStatus = Annotated[str, OneOf(complaints.STATUSES)]
Urgency = Annotated[str, OneOf(URGENCIES)]
AnyRecord = TypeVar("AnyRecord", Lead, Ticket, Complaint, Appointment)


class RecordQuery(DatedQuery):
    contact_id: RowId | None = None
    conversation_id: RowId | None = None
    operator_id: RowId | None = None
    team_id: RowId | None = None


class LeadQuery(RecordQuery):
    status: LeadStatus | None = None
    interest: Annotated[str, Field(max_length=120), Clean] | None = None


class TicketQuery(RecordQuery):
    status: TicketStatus | None = None
    priority: Urgency | None = None


class ComplaintQuery(RecordQuery):
    status: ComplaintStatus | None = None


class RecordChange(Body):
    """Only what is named changes; the customer is told of a new status where the desk's pages tell her."""

    reason: Annotated[str, Field(max_length=REASON_MAX_CHARS), Clean] = ""
    team_id: BodyId | None = None
    operator_id: BodyId | None = None


class LeadChange(RecordChange):
    status: LeadStatus | None = None


class TicketChange(RecordChange):
    status: TicketStatus | None = None


class ComplaintChange(RecordChange):
    status: ComplaintStatus | None = None


class Budget(Body):
    amount_minor: Amount
    currency: Literal["USD"]


class NewRecord(Body):
    contact_id: BodyId
    conversation_id: BodyId | None = None


class NewLead(NewRecord):
    name: Annotated[str, Field(max_length=leads.NAME_MAX_CHARS), Clean] = ""
    phone: Annotated[str, Field(max_length=leads.PHONE_MAX_CHARS), Clean] = ""
    email: Annotated[str, Field(max_length=leads.EMAIL_MAX_CHARS), Clean] = ""
    interest: Annotated[str, Field(max_length=leads.INTEREST_MAX_CHARS), Clean] = ""
    budget: Budget | None = None
    country: Annotated[str, Field(max_length=leads.COUNTRY_MAX_CHARS), Clean] = ""
    source: Annotated[str, Field(max_length=leads.SOURCE_MAX_CHARS), Clean] = "api"
    notes: Annotated[str, Field(max_length=leads.NOTES_MAX_CHARS), Clean] = ""


class NewTicket(NewRecord):
    subject: Annotated[str, Field(max_length=tickets.SUBJECT_MAX_CHARS), Clean] = ""
    description: Annotated[str, Field(min_length=1, max_length=tickets.DESCRIPTION_MAX_CHARS), Clean]
    priority: Urgency = tickets.DEFAULT_PRIORITY


class NewComplaint(NewRecord):
    description: Annotated[str, Field(min_length=1, max_length=complaints.DESCRIPTION_MAX_CHARS), Clean]


# --- leads --------------------------------------------------------------------------------------------------


@endpoint("GET", "/leads", scope="records:read")
def list_leads(asked: LeadQuery) -> Page[shapes.Lead]:
    """List leads."""
    query = listed(Lead, asked, status=Lead.status, interest=Lead.interest)
    return page(query, Lead.id, asked, _leads)


@endpoint("GET", "/leads/<int:lead_id>", scope="records:read")
def get_lead(lead_id: int) -> shapes.Lead:
    """Get one lead."""
    return _leads([find(Lead, lead_id)])[0]


@endpoint("POST", "/leads", scope="records:write", status=201, refusals=("conflict", "not_found"))
def create_lead(said: NewLead) -> Written[shapes.Made]:
    """Open a lead, or complete the open one of this contact with the same interest."""
    contact, now = contact_of(said), utc_now()
    lead = new_leads.take(
        contact,
        leads.LeadWish(
            name=said.name,
            phone=said.phone,
            email=said.email,
            interest=said.interest,
            budget_usd=said.budget.amount_minor // CENTS if said.budget else None,
            country=said.country,
            notes=said.notes,
        ),
        now=now,
        conversation_id=said.conversation_id,
        source=said.source,
        by=by_program(),
    )
    return made("leads", lead.id)


@endpoint("PATCH", "/leads/<int:lead_id>", scope="records:write", refusals=("conflict",), locks=Lead)
def change_lead(lead_id: int, said: LeadChange) -> Written[shapes.Lead]:
    """Move a lead on, or give it to somebody."""
    return change(Lead, lead_id, said, said.status, _leads)


# --- tickets ------------------------------------------------------------------------------------------------


@endpoint("GET", "/tickets", scope="records:read")
def list_tickets(asked: TicketQuery) -> Page[shapes.Ticket]:
    """List tickets."""
    query = listed(Ticket, asked, status=Ticket.status, priority=Ticket.priority)
    return page(query, Ticket.id, asked, _tickets)


@endpoint("GET", "/tickets/<int:ticket_id>", scope="records:read")
def get_ticket(ticket_id: int) -> shapes.Ticket:
    """Get one ticket."""
    return _tickets([find(Ticket, ticket_id)])[0]


@endpoint("POST", "/tickets", scope="records:write", status=201, refusals=("conflict", "not_found"))
def create_ticket(said: NewTicket) -> Written[shapes.Made]:
    """Open a ticket for a contact."""
    contact, now = contact_of(said), utc_now()
    row = tickets.open_ticket(
        contact.id,
        said.description,
        now=now,
        subject=said.subject,
        priority=said.priority,
        conversation_id=said.conversation_id,
        by=by_program(),
    )
    within = tickets.ANSWERED_WITHIN[row.priority]
    teams.entrust(row, teams.SUPPORT, within, config=auth.current_config(), now=now)
    return made("tickets", row.id)


@endpoint("PATCH", "/tickets/<int:ticket_id>", scope="records:write", refusals=("conflict",), locks=Ticket)
def change_ticket(ticket_id: int, said: TicketChange) -> Written[shapes.Ticket]:
    """Move a ticket on, or give it to somebody."""
    return change(Ticket, ticket_id, said, said.status, _tickets)


# --- complaints ---------------------------------------------------------------------------------------------


@endpoint("GET", "/complaints", scope="records:read")
def list_complaints(asked: ComplaintQuery) -> Page[shapes.Complaint]:
    """List complaints."""
    return page(listed(Complaint, asked, status=Complaint.status), Complaint.id, asked, _complaints)


@endpoint("GET", "/complaints/<int:complaint_id>", scope="records:read")
def get_complaint(complaint_id: int) -> shapes.Complaint:
    """Get one complaint."""
    return _complaints([find(Complaint, complaint_id)])[0]


@endpoint("POST", "/complaints", scope="records:write", status=201, refusals=("conflict", "not_found"))
def create_complaint(said: NewComplaint) -> Written[shapes.Made]:
    """Record a complaint of a contact; management is alerted."""
    contact, now = contact_of(said), utc_now()
    row = complaints.open_complaint(
        contact.id, said.description, now=now, conversation_id=said.conversation_id, by=by_program()
    )
    within = complaints.ANSWERED_WITHIN
    teams.entrust(row, teams.ESCALATION, within, config=auth.current_config(), now=now)
    alerts.raise_alert(
        "complaint",
        f"complaint:{row.id}",
        f"Complaint {row.number}",
        conversation_id=row.conversation_id,
        now=now,
    )
    return made("complaints", row.id)


@endpoint(
    "PATCH", "/complaints/<int:complaint_id>", scope="records:write", refusals=("conflict",), locks=Complaint
)
def change_complaint(complaint_id: int, said: ComplaintChange) -> Written[shapes.Complaint]:
    """Move a complaint on, or give it to somebody."""
    return change(Complaint, complaint_id, said, said.status, _complaints)


# --- what they share ----------------------------------------------------------------------------------------


def listed(model: Any, asked: RecordQuery, **more: Any) -> Any:
    return narrowed(
        select(model),
        asked,
        model.created_at,
        contact_id=model.contact_id,
        conversation_id=model.conversation_id,
        operator_id=model.operator_id,
        team_id=model.team_id,
        **more,
    )


def find(model: type[AnyRecord], record_id: int) -> AnyRecord:
    return found(db.session.get(model, record_id))  # type: ignore[no-any-return]


def change(
    model: type[AnyRecord],
    record_id: int,
    said: RecordChange,
    status: str | None,
    shown: Callable[[Sequence[AnyRecord]], list[Any]],
) -> Written[Any]:
    row: AnyRecord = found(db.session.get(model, record_id, with_for_update=True))
    _assign(row, said)
    if status is not None:
        moves.move_on(auth.current_config(), row, status, now=utc_now(), by=by_program(said.reason))
    db.session.flush()
    return Written(shown([row])[0], waking(row))


def waking(row: Tracked) -> list[Callable[[], object]]:
    """Give what follows the commit of a change that the customer may be told of."""
    return [] if row.conversation_id is None else [partial(tasks.wake_outbox, row.conversation_id)]


def _assign(row: Tracked, said: RecordChange) -> None:
    for name, model in (("team_id", Team), ("operator_id", Operator)):
        if name not in said.model_fields_set:
            continue
        wanted: int | None = getattr(said, name)
        if wanted is not None and db.session.get(model, wanted) is None:
            raise Refused("conflict", f"There is no {name.removesuffix('_id')} {wanted}.")
        setattr(row, name, wanted)


def by_program(reason: str = "") -> Actor:
    return Actor("program", reason=reason)


def contact_of(said: NewRecord) -> Contact:
    contact = db.session.get(Contact, said.contact_id)
    if contact is None:
        raise Refused("not_found", f"There is no contact {said.contact_id}.")
    if contact.merged_into_id is not None:
        raise Refused("conflict", f"This contact is contact {contact.merged_into_id} now.")
    if said.conversation_id is not None:
        thread = db.session.get(Conversation, said.conversation_id)
        if thread is None or thread.contact_id != contact.id:
            raise Refused("conflict", "This contact has no such conversation.")
    return contact


def made(kind: str, record_id: int, after: Sequence[Callable[[], object]] = ()) -> Written[shapes.Made]:
    return Written(shapes.Made(id=record_id, url=f"{PREFIX}/{kind}/{record_id}"), after)


def _leads(rows: Sequence[Lead]) -> list[shapes.Lead]:
    return [shapes.Lead.of(row, budget=_budget(row)) for row in rows]


def _budget(row: Lead) -> shapes.Money | None:
    if row.budget_usd is None:
        return None
    return shapes.Money(amount_minor=row.budget_usd * CENTS, currency=USD)


def _tickets(rows: Sequence[Ticket]) -> list[shapes.Ticket]:
    return [shapes.Ticket.of(row) for row in rows]


def _complaints(rows: Sequence[Complaint]) -> list[shapes.Complaint]:
    return [shapes.Complaint.of(row) for row in rows]
