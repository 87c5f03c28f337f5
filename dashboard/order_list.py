"""Which orders a list or a file shows: by state, money, day and words. Reads only; `records` calls it."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

from babel.numbers import get_currency_precision
from flask import request
from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import selectinload

from auth import current_config
from dashboard.arguments import words
from dashboard.cells import safe_cell
from models import Contact, Order, db
from outreach import address_book
from record_numbers import ORDER, read_number

STATUSES: Final = ("placed", "paid", "cancelled", "refunded")
MONEY: Final = ("unpaid", "claimed", "paid", "partly_refunded", "refunded")
CHUNK: Final = 1_000
HEADINGS: Final = (
    "number", "placed_at", "paid_at", "customer", "phone", "products", "total", "currency", "status",
    "payment_status", "source",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the address asks for; whatever cannot be read counts as not asked."""

    q: str = ""
    status: str = ""
    money: str = ""
    since: str = ""
    until: str = ""

    def address(self) -> dict[str, str]:
        """Give it as the arguments of an address."""
        return {name: value for name in self.__slots__ if (value := getattr(self, name))}


def wanted() -> Wanted:
    status, money = request.args.get("status", ""), request.args.get("money", "")
    return Wanted(
        q=words(),
        status=status if status in STATUSES else "",
        money=money if money in MONEY else "",
        since=_day(request.args.get("since", "")),
        until=_day(request.args.get("until", "")),
    )


def query(asked: Wanted) -> Any:
    """Give the orders that are asked for; open carts are no orders."""
    found = select(Order).where(Order.status != "cart").options(selectinload(Order.items))
    if asked.status:
        found = found.where(Order.status == asked.status)
    if asked.money:
        found = found.where(Order.payment_status == asked.money)
    if asked.since:
        found = found.where(Order.placed_at >= _midnight(asked.since, 0))
    if asked.until:
        found = found.where(Order.placed_at < _midnight(asked.until, 1))
    return found.where(_by_words(asked.q)) if asked.q else found


def lines(asked: Wanted) -> Iterator[str]:
    """Write the orders that are asked for as a file with commas, the newest first; texts as they are."""
    yield _line(HEADINGS)
    before: int | None = None
    while rows := _chunk(asked, before):
        ids = {order.contact_id for order in rows}
        known = select(Contact).where(Contact.id.in_(ids)).options(selectinload(Contact.identities))
        people = {contact.id: contact for contact in db.session.scalars(known)}
        for order in rows:
            yield _line(_cells(order, people[order.contact_id]))
        before = rows[-1].id
        db.session.expunge_all()


def _chunk(asked: Wanted, before: int | None) -> list[Order]:
    found = query(asked) if before is None else query(asked).where(Order.id < before)
    return list(db.session.scalars(found.order_by(Order.id.desc()).limit(CHUNK)))


def _cells(order: Order, contact: Contact) -> tuple[str, ...]:
    phone = contact.identity("wa_id") or ""
    total = Decimal(order.total_minor).scaleb(-get_currency_precision(order.currency))
    return (
        order.number or "",
        order.placed_at.isoformat(timespec="seconds") if order.placed_at else "",
        order.paid_at.isoformat(timespec="seconds") if order.paid_at else "",
        contact.name or "",
        phone,
        "; ".join(f"{item.quantity} x {item.name}" for item in order.items),
        format(total, "f"),
        order.currency,
        order.status,
        order.payment_status,
        order.source,
    )


def _line(cells: tuple[str, ...]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow([safe_cell(cell) for cell in cells])
    return line.getvalue()


def _by_words(text: str) -> ColumnElement[bool]:
    """Find orders by their number, or by the name, e-mail or phone of who ordered."""
    number = read_number(text, ORDER)
    people = Order.contact_id.in_(select(Contact.id).where(address_book.matching(text)))
    return or_(Order.number == number, people) if number else people


def _day(written: str) -> str:
    try:
        return date.fromisoformat(written).isoformat()
    except ValueError:
        return ""


def _midnight(day: str, later: int) -> datetime:
    """Give the moment when a day of the shop begins, or the day after it."""
    try:
        begins = date.fromisoformat(day) + timedelta(days=later)
        return datetime.combine(begins, time(), tzinfo=current_config().zone).astimezone(UTC)
    except OverflowError:  # the first or the last day that there is
        return datetime.max.replace(tzinfo=UTC) if later else datetime.min.replace(tzinfo=UTC)
