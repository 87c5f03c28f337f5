"""What the conversations left behind, as plain lists: leads, tickets and complaints, orders. Reads only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from flask import Blueprint, Response, render_template, request, stream_with_context
from flask.typing import ResponseReturnValue
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import selectinload

from auth import login_required_role
from crm.feedback import average_score
from dashboard import order_list
from dashboard.arguments import row_id
from dashboard.days import midnight
from models import (
    Appointment,
    Complaint,
    Contact,
    Feedback,
    FollowUp,
    Lead,
    Operator,
    Order,
    Team,
    Ticket,
    db,
    utc_now,
)

PAGE_SIZE = 50
AVERAGED_OVER = timedelta(days=30)

OPEN: Final = ("open", "pending", "in_review")
# What a list may be narrowed to by its address; the overview counts by the same.
LISTED: Final[Mapping[str, Callable[[datetime], ColumnElement[bool]]]] = {
    "new": lambda now: Lead.status == "new",
    "leads-today": lambda now: Lead.created_at >= midnight(now),
    "overdue": lambda now: Ticket.status.in_(OPEN) & (Ticket.due_at < now),
    "complaints": lambda now: Complaint.status.in_(OPEN),
    "requested": lambda now: Appointment.status == "requested",
    "claimed": lambda now: (Order.payment_status == "claimed") & (Order.status == "placed"),
    "placed-today": lambda now: (Order.placed_at >= midnight(now)) & (Order.status != "cart"),
    "paid-today": lambda now: Order.paid_at >= midnight(now),
}

bp = Blueprint("records", __name__)


@dataclass(frozen=True, slots=True)
class RecordPage:
    """One page of one kind of record, the newest first, and the people whom they are about."""

    rows: tuple[Any, ...]
    contacts: dict[int, Contact]
    next_before: int | None
    owners: dict[int, str]
    teams: dict[int, str]
    show: str = ""  # one of LISTED, when the address asks for it


@bp.get("/leads")
def leads() -> ResponseReturnValue:
    return render_template("dashboard/leads.html", page=_page(select(Lead), Lead, "new", "leads-today"))


@bp.get("/tickets")
def tickets() -> ResponseReturnValue:
    """Tickets, complaints, appointments and follow-ups: all wait for a person."""
    kinds = {
        "tickets": Ticket,
        "complaints": Complaint,
        "appointments": Appointment,
        "follow-ups": FollowUp,
    }
    kind = request.args.get("kind", "tickets")
    model = kinds.get(kind, Ticket)
    narrowed = {Ticket: "overdue", Complaint: "complaints", Appointment: "requested"}.get(model, "")
    return render_template(
        "dashboard/tickets.html",
        page=_page(select(model), model, narrowed),
        kind=kind if kind in kinds else "tickets",
    )


@bp.get("/feedback")
def feedback() -> ResponseReturnValue:
    """What customers said of us, and the mean of the last month's scores."""
    average = average_score(utc_now() - AVERAGED_OVER)
    return render_template("dashboard/feedback.html", page=_page(select(Feedback), Feedback), average=average)


@bp.get("/orders")
def orders() -> ResponseReturnValue:
    """Orders that were placed; open carts are not orders yet."""
    asked = order_list.wanted()
    page = _page(order_list.query(asked), Order, "claimed", "placed-today", "paid-today")
    return render_template(
        "dashboard/orders.html",
        page=page,
        asked=asked,
        statuses=order_list.STATUSES,
        money=order_list.MONEY,
    )


@bp.get("/orders.csv")
@login_required_role("manager")
def orders_file() -> Response:
    """Give the orders that the list shows as a file."""
    headers = {"Content-Disposition": 'attachment; filename="orders.csv"'}
    lines = stream_with_context(order_list.lines(order_list.wanted()))
    return Response(lines, mimetype="text/csv", headers=headers)


def _page(query: Any, model: Any, *narrowed: str) -> RecordPage:
    before = request.args.get("before", type=row_id)
    show = request.args.get("show", "")
    if show in LISTED and show in narrowed:
        query = query.where(LISTED[show](utc_now()))
    else:
        show = ""
    if before is not None:
        query = query.where(model.id < before)
    rows = tuple(db.session.scalars(query.order_by(model.id.desc()).limit(PAGE_SIZE + 1)))
    has_more = len(rows) > PAGE_SIZE
    rows = rows[:PAGE_SIZE]
    older = rows[-1].id if has_more else None
    return RecordPage(rows, _contacts(rows), older, _names(Operator), _names(Team), show)


def _names(model: type[Operator] | type[Team]) -> dict[int, str]:
    return {row.id: row.name for row in db.session.execute(select(model.id, model.name))}


def _contacts(rows: tuple[Any, ...]) -> dict[int, Contact]:
    ids = {row.contact_id for row in rows}
    if not ids:
        return {}
    query = select(Contact).where(Contact.id.in_(ids)).options(selectinload(Contact.identities))
    return {contact.id: contact for contact in db.session.scalars(query)}
