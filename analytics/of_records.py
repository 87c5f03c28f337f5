"""What one day's records tell: new customers and what became of them, sales, feedback, corrections, costs.

`rolling` asks for it. Reads only.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, distinct, func, select

from analytics.of_messages import Figure
from models import (
    Appointment,
    Complaint,
    Contact,
    Feedback,
    LabelCorrection,
    Lead,
    Message,
    MessageTemplate,
    ModelCall,
    Niche,
    Order,
    OrderItem,
    Product,
    Sale,
    StateChange,
    TemplateUse,
    Ticket,
    db,
)

ENDED: Final = {"ticket": ("solved", "closed"), "complaint": ("resolved", "closed")}
_TABLES: Final[dict[str, Any]] = {"ticket": Ticket, "complaint": Complaint}
_COUNTED: Final = {
    "leads": Lead.created_at,
    "tickets": Ticket.created_at,
    "complaints": Complaint.created_at,
    "appointments": Appointment.created_at,
    "orders": Order.placed_at,
}


def figures_of_records(start: datetime, end: datetime) -> Iterator[Figure]:
    """Give the figures of the records from `start` to before `end`."""
    for name, column in _COUNTED.items():
        count = db.session.scalar(select(func.count()).where(*_within(column, start, end))) or 0
        yield name, "", count, 0
    yield from _funnel(start, end)
    yield from _sales(start, end)
    yield from _resolved(start, end)
    yield from _feedback(start, end)
    yield from _costs(start, end)


def _within(column: Any, start: datetime, end: datetime) -> tuple[ColumnElement[bool], ...]:
    return column >= start, column < end


def _funnel(start: datetime, end: datetime) -> Iterator[Figure]:
    """Follow the customers who first came that day: who showed interest, ordered and paid to this day."""
    came = select(Contact.id).where(
        *_within(Contact.created_at, start, end), Contact.merged_into_id.is_(None)
    )
    yield "funnel", "1_came", db.session.scalar(select(func.count()).select_from(came.subquery())) or 0, 0
    interested = set(db.session.scalars(select(Lead.contact_id).where(Lead.contact_id.in_(came))))
    orders = db.session.execute(
        select(Order.contact_id, Order.status).where(Order.contact_id.in_(came))
    ).all()
    interested.update(contact_id for contact_id, _ in orders)
    yield "funnel", "2_interested", len(interested), 0
    ordered = {contact_id for contact_id, status in orders if status != "cart"}
    yield "funnel", "3_ordered", len(ordered), 0
    paid = db.session.scalar(select(func.count(distinct(Sale.contact_id))).where(Sale.contact_id.in_(came)))
    yield "funnel", "4_paid", paid or 0, 0


def _sales(start: datetime, end: datetime) -> Iterator[Figure]:
    """Sum what the day's sales brought, less what was paid back of them since, by where it came from.

    A part begins with the currency: sums of two currencies are never added.
    """
    rows = db.session.execute(
        select(Sale, Order.source)
        .outerjoin(Order, Order.id == Sale.order_id)
        .where(*_within(Sale.at, start, end))
    ).all()
    niches = _niches_of([sale.order_id for sale, _ in rows if sale.order_id is not None])
    for sale, source in rows:
        net = sale.amount_minor - sale.refunded_minor
        yield "revenue", sale.currency, 1, net
        yield "revenue_strategy", f"{sale.currency}|{sale.strategy}", 1, net
        yield "revenue_source", f"{sale.currency}|{source or sale.flow}", 1, net
        yield "revenue_ad", f"{sale.currency}|{sale.ad_source_id or sale.campaign}", 1, net
        for niche, share in _shares(niches.get(sale.order_id or 0, Counter()), net):
            yield "revenue_niche", f"{sale.currency}|{niche}", 1, share


def _niches_of(order_ids: list[int]) -> dict[int, Counter[str]]:
    """Give what each order's lines cost by the niche of their product."""
    found: dict[int, Counter[str]] = {}
    query = (
        select(OrderItem.order_id, Niche.name, OrderItem.price_minor * OrderItem.quantity)
        .join(Product, Product.id == OrderItem.product_id)
        .outerjoin(Niche, Niche.id == Product.niche_id)
        .where(OrderItem.order_id.in_(order_ids))
    )
    for order_id, niche, sum_minor in db.session.execute(query) if order_ids else ():
        found.setdefault(order_id, Counter())[niche or ""] += sum_minor
    return found


def _shares(sums: Counter[str], net: int) -> Iterator[tuple[str, int]]:
    """Split a sum by these weights, to the last cent."""
    whole = sum(sums.values())
    if not whole:
        yield next(iter(sums), ""), net
        return
    given = 0
    parts = sorted(sums.items())
    for niche, weight in parts[:-1]:
        share = net * weight // whole
        given += share
        yield niche, share
    yield parts[-1][0], net - given


def _resolved(start: datetime, end: datetime) -> Iterator[Figure]:
    """Count the tickets and complaints that ended that day with the hours they took, and those that were
    opened again."""
    for record, ended in ENDED.items():
        row = _TABLES[record]
        steps = db.session.execute(
            select(StateChange.before, StateChange.after, StateChange.at, row.created_at)
            .join(row, row.id == StateChange.record_id)
            .where(StateChange.record == record, *_within(StateChange.at, start, end))
        ).all()
        for before, after, at, created_at in steps:
            if after in ended and before not in ended:
                yield "resolved", record, 1, int((at - created_at).total_seconds())
            elif before in ended and after not in ended:
                yield "reopened", record, 1, 0


def _feedback(start: datetime, end: datetime) -> Iterator[Figure]:
    scores = select(Feedback.score, func.count()).where(
        *_within(Feedback.created_at, start, end), Feedback.score.is_not(None)
    )
    for score, count in db.session.execute(scores.group_by(Feedback.score)):
        yield "score", str(score), count, count * (score or 0)
    judged = select(LabelCorrection.task, LabelCorrection.read_as, LabelCorrection.label).where(
        *_within(LabelCorrection.created_at, start, end)
    )
    for task, read_as, label in db.session.execute(judged):
        yield "judged", task, 1, int(read_as == label)


def _costs(start: datetime, end: datetime) -> Iterator[Figure]:
    calls = select(ModelCall.model, ModelCall.outcome, func.count(), func.sum(ModelCall.cost_microusd)).where(
        *_within(ModelCall.created_at, start, end)
    )
    for model, outcome, count, cost in db.session.execute(calls.group_by(ModelCall.model, ModelCall.outcome)):
        yield "model_cost", model, count, int(cost or 0)
        if outcome != "ok":
            yield "model_failed", model, count, 0
    sent = (
        select(MessageTemplate.category, func.count())
        .join_from(TemplateUse, MessageTemplate, MessageTemplate.id == TemplateUse.template_id)
        .join(Message, Message.id == TemplateUse.message_id)
        .where(*_within(Message.created_at, start, end), Message.status.not_in(("failed", "queued")))
    )
    for category, count in db.session.execute(sent.group_by(MessageTemplate.category)):
        yield "templates", category, count, 0
