"""The conversations behind a figure: the newest ones that it counted. Reads only.

No index knows every label, and a page must not wait: only the newest messages of the period are looked at.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import joinedload

from analytics import Period
from analytics.rolling import midnight
from models import (
    Complaint,
    Contact,
    Conversation,
    Feedback,
    LabelCorrection,
    Lead,
    Message,
    Order,
    Sale,
    StateChange,
    Ticket,
    Turn,
    db,
)

SHOWN: Final = 50
MESSAGES_SEARCHED: Final = 20_000
TURNS_SEARCHED: Final = 8_000  # each is a look into another table
FOUND_MOST: Final = 1_000

Between = tuple[datetime, datetime]
Finder = Callable[[str, Between], Select[Any]]


def conversations(figure: str, part: str, period: Period, zone: ZoneInfo) -> list[Conversation]:
    """Give at most SHOWN conversations of a figure and part, the newest found first. `figure` is one of
    FIGURES."""
    between = midnight(period.first, zone), midnight(period.last + timedelta(days=1), zone)
    found = db.session.scalars(FIGURES[figure](part, between).limit(FOUND_MOST))
    ids = list(dict.fromkeys(key for key in found if key is not None))[:SHOWN]
    rows = db.session.scalars(
        select(Conversation)
        .where(Conversation.id.in_(ids))
        .options(
            joinedload(Conversation.contact).selectinload(Contact.identities),
            joinedload(Conversation.integration),
        )
    ).all()
    return sorted(rows, key=lambda row: ids.index(row.id))


def _messages(condition: Callable[[Any, str], ColumnElement[bool]]) -> Finder:
    def find(part: str, between: Between) -> Select[Any]:
        newest = (
            select(Message)
            .where(Message.created_at >= between[0], Message.created_at < between[1])
            .order_by(Message.created_at.desc())
            .limit(MESSAGES_SEARCHED)
            .subquery()
        )
        return select(newest.c.conversation_id).where(condition(newest.c, part)).order_by(newest.c.id.desc())

    return find


def _records(column: Any, at: Any, *conditions: Callable[[str], Any]) -> Finder:
    def find(part: str, between: Between) -> Select[Any]:
        wanted = [condition(part) for condition in conditions if part]
        return select(column).where(at >= between[0], at < between[1], *wanted).order_by(at.desc())

    return find


def _sales(name: str) -> Finder:
    columns: dict[str, Any] = {
        "revenue_strategy": Sale.strategy,
        "revenue_ad": Sale.ad_source_id,
    }

    def wanted(part: str) -> Any:
        value = part.rpartition("|")[2]
        if name == "revenue_source":
            of_orders = select(Order.id).where(Order.source == value)
            return Sale.order_id.in_(of_orders) | (Sale.flow == value)
        if name == "revenue_ad":
            return (Sale.ad_source_id == value) | (Sale.campaign == value)
        return columns[name] == value if name in columns else Sale.currency == part

    return _records(Sale.conversation_id, Sale.at, wanted)


def _steps(part: str, between: Between) -> Select[Any]:
    """Find who stood at a step: `part` is the flow and the step."""
    flow, _slash, step = part.partition("/")
    newest = (
        select(Message.turn_id, Message.conversation_id)
        .where(Message.created_at >= between[0], Message.created_at < between[1], Message.direction == "in")
        .order_by(Message.created_at.desc())
        .limit(TURNS_SEARCHED)
        .subquery()
    )
    return (
        select(newest.c.conversation_id)
        .join(Turn, Turn.id == newest.c.turn_id)
        .where(Turn.flow == flow, Turn.step_after == step)
        .order_by(Turn.id.desc())
    )


def _changed(table: Any, record: str, states: tuple[str, ...], *, away: bool = False) -> Finder:
    def find(_part: str, between: Between) -> Select[Any]:
        column = StateChange.before if away else StateChange.after
        return (
            select(table.conversation_id)
            .join(StateChange, StateChange.record_id == table.id)
            .where(
                StateChange.record == record,
                StateChange.at >= between[0],
                StateChange.at < between[1],
                column.in_(states),
            )
            .order_by(StateChange.at.desc())
        )

    return find


def _handed(_part: str, between: Between) -> Select[Any]:
    return (
        select(StateChange.record_id)
        .where(
            StateChange.at >= between[0],
            StateChange.at < between[1],
            StateChange.record == "conversation",
            StateChange.after == "human",
        )
        .order_by(StateChange.at.desc())
    )


def _reopened(part: str, between: Between) -> Select[Any]:
    if part == "complaint":
        return _changed(Complaint, "complaint", ("resolved", "closed"), away=True)(part, between)
    return _changed(Ticket, "ticket", ("solved", "closed"), away=True)(part, between)


def _is_inbound(row: Any, _part: str) -> ColumnElement[bool]:
    return row.direction == "in"  # type: ignore[no-any-return]


def _reads(name: str) -> Callable[[Any, str], ColumnElement[bool]]:
    return lambda row, part: (row.direction == "in") & (row[name] == part)


def _failed(row: Any, _part: str) -> ColumnElement[bool]:
    return row.status.in_(("failed", "uncertain"))  # type: ignore[no-any-return]


def _judged(part: str, between: Between) -> Select[Any]:
    query = (
        select(Message.conversation_id)
        .join(LabelCorrection, LabelCorrection.message_id == Message.id)
        .where(LabelCorrection.created_at >= between[0], LabelCorrection.created_at < between[1])
        .order_by(LabelCorrection.created_at.desc())
    )
    return query.where(LabelCorrection.task == part) if part else query


def _score_is(part: str) -> Any:
    return Feedback.score == (int(part) if part.isdecimal() and len(part) < 3 else 0)


FIGURES: Final[dict[str, Finder]] = {
    "messages_in": _messages(_is_inbound),
    "conversations": _messages(_is_inbound),
    "not_delivered": _messages(_failed),
    **{name: _messages(_reads(name)) for name in ("intent", "buying_signal", "sentiment", "urgency")},
    "leads": _records(Lead.conversation_id, Lead.created_at),
    "sales": _records(Sale.conversation_id, Sale.at),
    **{name: _sales(name) for name in ("revenue", "revenue_strategy", "revenue_source", "revenue_ad")},
    "resolution": _changed(Ticket, "ticket", ("solved", "closed")),
    "reopened": _reopened,
    "handled": _handed,
    "csat": _records(Feedback.conversation_id, Feedback.created_at),
    "score": _records(Feedback.conversation_id, Feedback.created_at, _score_is),
    "judged": _judged,
    "steps": _steps,
}
