"""What the conversations left behind, as plain lists: leads, tickets and complaints, orders. Reads only."""

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from dashboard.arguments import row_id
from models import Appointment, Complaint, Contact, Lead, Order, Ticket, db

PAGE_SIZE = 50

bp = Blueprint("records", __name__)


@dataclass(frozen=True, slots=True)
class RecordPage:
    """One page of one kind of record, the newest first, and the people whom they are about."""

    rows: tuple[Any, ...]
    contacts: dict[int, Contact]
    next_before: int | None


@bp.get("/leads")
def leads() -> ResponseReturnValue:
    return render_template("dashboard/leads.html", page=_page(select(Lead), Lead))


@bp.get("/tickets")
def tickets() -> ResponseReturnValue:
    """Tickets, complaints and appointments: all three wait for a person's answer."""
    kinds = {"tickets": Ticket, "complaints": Complaint, "appointments": Appointment}
    kind = request.args.get("kind", "tickets")
    model = kinds.get(kind, Ticket)
    return render_template(
        "dashboard/tickets.html", page=_page(select(model), model), kind=kind if kind in kinds else "tickets"
    )


@bp.get("/orders")
def orders() -> ResponseReturnValue:
    """Orders that were placed; open carts are not orders yet."""
    placed = select(Order).where(Order.status != "cart").options(selectinload(Order.items))
    return render_template("dashboard/orders.html", page=_page(placed, Order))


def _page(query: Any, model: Any) -> RecordPage:
    before = request.args.get("before", type=row_id)
    if before is not None:
        query = query.where(model.id < before)
    rows = tuple(db.session.scalars(query.order_by(model.id.desc()).limit(PAGE_SIZE + 1)))
    has_more = len(rows) > PAGE_SIZE
    rows = rows[:PAGE_SIZE]
    return RecordPage(rows, _contacts(rows), rows[-1].id if has_more else None)


def _contacts(rows: tuple[Any, ...]) -> dict[int, Contact]:
    ids = {row.contact_id for row in rows}
    if not ids:
        return {}
    query = select(Contact).where(Contact.id.in_(ids)).options(selectinload(Contact.identities))
    return {contact.id: contact for contact in db.session.scalars(query)}
