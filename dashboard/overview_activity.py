"""What has just happened on the desk: words of customers and of people of ours, and the steps of records.

Called by the overview, which asks for the names behind the lines together with those of its alerts. Reads
only, in three queries.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, literal, null, or_, select, union_all

from models import (
    Appointment,
    Complaint,
    Conversation,
    FollowUp,
    Lead,
    Message,
    Operator,
    Order,
    StateChange,
    Ticket,
    db,
)

SHOWN: Final = 12
PREVIEW_CHARS: Final = 140
# By the word of history: the table, the kind in the address of its page, and what names it.
_RECORDS: Final[dict[str, tuple[Any, str, Any]]] = {
    "order": (Order, "orders", Order.number),
    "ticket": (Ticket, "tickets", Ticket.number),
    "complaint": (Complaint, "complaints", Complaint.number),
    "appointment": (Appointment, "appointments", Appointment.number),
    "lead": (Lead, "leads", Lead.interest),
    "follow_up": (FollowUp, "follow-ups", literal("")),
}


@dataclass(frozen=True, slots=True)
class Happening:
    """One line: somebody wrote (`body`, `kind`), or a record took a step to `state`."""

    at: datetime
    conversation_id: int
    sender: str = ""  # customer, operator, owner; empty for a step
    kind: str = ""
    body: str = ""
    record: str = ""
    record_id: int = 0
    page: str = ""
    number: str = ""
    state: str = ""
    actor: str = ""
    operator_name: str = ""


def activity() -> tuple[Happening, ...]:
    """Give the newest happenings, the newest first."""
    lines = (*_written(), *_steps())
    return tuple(sorted(lines, key=lambda line: line.at, reverse=True)[:SHOWN])


def _written() -> list[Happening]:
    """Give what people wrote; what the bot answers is no news."""
    rows = db.session.execute(
        select(
            Message.created_at,
            Message.conversation_id,
            Message.sender,
            Message.kind,
            Message.body,
            Operator.name,
        )
        .outerjoin(Operator, Operator.id == Message.operator_id)
        .where(or_(Message.direction == "in", Message.sender.in_(("operator", "owner"))), ~Message.is_revoked)
        .order_by(Message.id.desc())
        .limit(SHOWN)
    )
    return [
        Happening(
            at,
            conversation_id,
            sender,
            kind,
            body.replace("\n", " ")[:PREVIEW_CHARS],
            operator_name=name or "",
        )
        for at, conversation_id, sender, kind, body, name in rows
    ]


def _steps() -> list[Happening]:
    """Give the newest steps of records that still have a conversation; what time alone did is no news."""
    rows = db.session.execute(
        select(StateChange, Operator.name)
        .outerjoin(Operator, Operator.id == StateChange.operator_id)
        .where(StateChange.record.in_(("conversation", *_RECORDS)), StateChange.actor != "system")
        .order_by(StateChange.id.desc())
        .limit(SHOWN)
    ).all()
    changes = [change for change, _name in rows]
    about = _about(changes)
    return [
        Happening(
            at=change.at,
            conversation_id=found.conversation_id,
            record=change.record,
            record_id=change.record_id,
            page=_RECORDS[change.record][1] if change.record in _RECORDS else "",
            number=found.number or "",
            state=change.after,
            actor=change.actor,
            operator_name=name or "",
        )
        for change, name in rows
        if (found := about.get((change.record, change.record_id))) and found.conversation_id
    ]


def _about(changes: list[StateChange]) -> dict[tuple[str, int], Any]:
    """Give the conversation and the number of each record that took a step."""
    ids: dict[str, set[int]] = {}
    for change in changes:
        ids.setdefault(change.record, set()).add(change.record_id)
    queries: list[Select[Any]] = [
        _facts(record, model.id, model.conversation_id, number).where(model.id.in_(ids[record]))
        for record, (model, _page, number) in _RECORDS.items()
        if record in ids
    ]
    if "conversation" in ids:
        own = _facts("conversation", Conversation.id, Conversation.id, null())
        queries.append(own.where(Conversation.id.in_(ids["conversation"])))
    rows = db.session.execute(union_all(*queries)) if queries else ()
    return {(row.record, row.id): row for row in rows}


def _facts(record: str, row_id: Any, conversation_id: Any, number: Any) -> Select[Any]:
    return select(
        literal(record).label("record"),
        row_id.label("id"),
        conversation_id.label("conversation_id"),
        number.label("number"),
    )
