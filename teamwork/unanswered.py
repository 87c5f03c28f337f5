"""Customers who wait for a person's answer, and since when.

A customer waits from her first message that no person has answered since she was given to one; what the bot
said then ("somebody will be with you") is no answer. Called by `/metrics` and by the watch over old messages.
Reads only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import func, or_, select

from conversations import HANDOVER_LASTS
from models import Conversation, Message, db

PEOPLE: Final = ("operator", "owner")
# Whoever has so many waiting needs no exact figure.
LOOKED_AT: Final = 500
BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Waiting:
    """One customer who waits for a person."""

    conversation_id: int
    team_id: int | None
    since: datetime


def waiting_for_people(now: datetime) -> list[Waiting]:
    """Give who waits for a person now, the longest first; in snoozed and closed threads nobody does."""
    held = {row: _given_at(row.handover_ends_at) for row in _held_by_people(now)}
    asked_at = _unanswered([row.id for row in held], since=min(held.values(), default=now))
    waiting = []
    for row, given_at in held.items():
        since = next((at for at in asked_at.get(row.id, ()) if at >= given_at), None)
        if since is not None:
            waiting.append(Waiting(row.id, row.team_id, since))
    return sorted(waiting, key=lambda one: one.since)


def _held_by_people(now: datetime) -> Sequence[Any]:
    is_awake = or_(Conversation.snoozed_until.is_(None), Conversation.snoozed_until <= now)
    lasts = or_(Conversation.handover_ends_at.is_(None), Conversation.handover_ends_at > now)
    return db.session.execute(
        select(Conversation.id, Conversation.team_id, Conversation.handover_ends_at)
        .where(Conversation.handler == "human", ~Conversation.is_closed, is_awake, lasts)
        .order_by(Conversation.last_message_at)
        .limit(LOOKED_AT)
    ).all()


def _given_at(ends_at: datetime | None) -> datetime:
    return ends_at - HANDOVER_LASTS if ends_at else BEGINNING


def _unanswered(conversation_ids: Sequence[int], *, since: datetime) -> dict[int, list[datetime]]:
    """Give when each message came that no person has answered, by conversation, the oldest first."""
    answered = (
        select(Message.conversation_id, func.max(Message.id).label("id"))
        .where(
            Message.conversation_id.in_(conversation_ids),
            Message.direction == "out",
            Message.sender.in_(PEOPLE),
        )
        .group_by(Message.conversation_id)
        .subquery()
    )
    came = (
        select(Message.conversation_id, Message.created_at)
        .outerjoin(answered, answered.c.conversation_id == Message.conversation_id)
        .where(
            Message.conversation_id.in_(conversation_ids),
            Message.direction == "in",
            Message.created_at >= since,
            Message.id > func.coalesce(answered.c.id, 0),
        )
        .order_by(Message.id)
    )
    found: dict[int, list[datetime]] = {}
    for conversation_id, at in db.session.execute(came):
        found.setdefault(conversation_id, []).append(at)
    return found
