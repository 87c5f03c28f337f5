"""Leases: one worker at a time per person and direction, and who is due.

The inbox (`webhook_events`) and the outbox (`messages`) are the truth; a lease only says whose turn it is to
work on one person's rows. `tasks` and `whatsapp_service` call this; every commit of a lane's work contains
`confirm`, so that a worker which slept through its lease writes nothing. `claim` and `release` commit by
themselves: their meaning is a commit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Float, Update, bindparam, func, select, update

from models import Integration, Lane, Message, UtcDateTime, WebhookEvent, db, epoch_now
from statements import changed_rows, insert_or_ignore, table

LEASE_SECS = 30.0
RECEIPTS_LANE = "receipts"
TEMPLATES_LANE = "templates"
DUE_LIMIT = 500

_LANE = table(Lane).c
_EVENT = table(WebhookEvent).c


class LeaseLost(Exception):
    """Another worker holds the lane now; roll back and write nothing."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write one lane's rows while its token stands in the table."""

    key: str
    token: int


# Every turn runs these; statements that are built once cost a third of those built each time.
_PENDING = (
    select(_EVENT.id)
    .where(
        _EVENT.state == "pending",
        _EVENT.lane == bindparam("lane"),
        _EVENT.due_at.is_(None) | (_EVENT.due_at <= bindparam("now", type_=UtcDateTime())),
    )
    .limit(1)
)
_TAKE = (
    update(table(Lane))
    .where(_LANE.key == bindparam("lane"), _LANE.leased_until < epoch_now())
    .values(
        token=_LANE.token + 1,
        leased_until=epoch_now() + bindparam("secs", type_=Float()),
        holder=bindparam("holder_name"),
    )
)
_TAKE_PENDING = _TAKE.where(_PENDING.exists())
_TOKEN = select(_LANE.token).where(_LANE.key == bindparam("lane"))
_RETURNING = {statement: statement.returning(_LANE.token) for statement in (_TAKE, _TAKE_PENDING)}
_CONFIRM = (
    update(table(Lane))
    .where(_LANE.key == bindparam("lane"), _LANE.token == bindparam("mine"))
    .values(leased_until=epoch_now() + bindparam("secs", type_=Float()))
)


def inbound_lane(integration_id: int, person: str) -> str:
    return f"in:{integration_id}:{person}"


def outbound_lane(conversation_id: int) -> str:
    return f"out:{conversation_id}"


def claim(key: str, holder: str, lease_secs: float = LEASE_SECS) -> Lease | None:
    """Take the lane's lease, or give None when somebody's stands. Commits."""
    lease = take(key, holder, lease_secs)
    db.session.commit()
    return lease


def take(key: str, holder: str, lease_secs: float = LEASE_SECS) -> Lease | None:
    """Take the lease as part of the caller's transaction; the caller commits."""
    return _take(_TAKE, {"lane": key, "secs": lease_secs, "holder_name": holder})


def take_pending(key: str, holder: str, lease_secs: float, now: datetime) -> Lease | None:
    """Take an inbound lane's lease when something in it is due: a wake-up may come twice. The caller
    commits."""
    return _take(_TAKE_PENDING, {"lane": key, "secs": lease_secs, "holder_name": holder, "now": now})


def confirm(lease: Lease, lease_secs: float = LEASE_SECS) -> None:
    """Prove, inside the caller's transaction, that the lease is still ours, and renew it.

    Raises LeaseLost when the token has grown; the caller must roll back.
    """
    if changed_rows(_CONFIRM, {"lane": lease.key, "mine": lease.token, "secs": lease_secs}) != 1:
        raise LeaseLost(lease.key)


def renew(lease: Lease, lease_secs: float = LEASE_SECS) -> None:
    """Renew during a long wait (the heartbeat). Commits. Raises LeaseLost."""
    confirm(lease, lease_secs)
    db.session.commit()


def let_go(lease: Lease) -> None:
    """Give the lease back inside the caller's transaction. Raises LeaseLost when it was not ours any more."""
    confirm(lease, lease_secs=-1.0)


def release(lease: Lease) -> None:
    """Give the lease back; harmless when it was lost. Commits."""
    try:
        let_go(lease)
        db.session.commit()
    except LeaseLost:
        db.session.rollback()


def is_held(key: str) -> bool:
    """Tell whether somebody holds the lane's lease now."""
    held = select(_LANE.key).where(_LANE.key == key, _LANE.leased_until >= epoch_now())
    return db.session.execute(held).first() is not None


def has_pending_events(lane: str, now: datetime) -> bool:
    """Tell whether the inbound lane has a row that is due."""
    return db.session.execute(_PENDING, {"lane": lane, "now": now}).first() is not None


def due_inbound(due_since: datetime) -> list[str]:
    """Give the inbound lanes (and the receipts' lane) that have had due rows since then and have no live
    lease, oldest first.
    """
    oldest = func.min(WebhookEvent.id)
    rows = db.session.execute(
        select(WebhookEvent.lane)
        .outerjoin(Lane, Lane.key == WebhookEvent.lane)
        .where(
            WebhookEvent.state == "pending",
            WebhookEvent.lane.is_not(None),
            func.coalesce(WebhookEvent.due_at, WebhookEvent.received_at) <= due_since,
            (Lane.leased_until.is_(None)) | (Lane.leased_until < epoch_now()),
        )
        .group_by(WebhookEvent.lane)
        .order_by(oldest)
        .limit(DUE_LIMIT)
    )
    return [lane for (lane,) in rows if lane is not None]


def due_outbound(due_since: datetime) -> list[int]:
    """Give the conversations whose oldest unsettled message is due, oldest first.

    Those of a number that its provider has paused are left out; a live lease is left to `take` to refuse.
    """
    heads = (
        select(func.min(Message.id).label("id"))
        .where(Message.send_due_at.is_not(None))
        .group_by(Message.conversation_id)
        .subquery()
    )
    rows = db.session.execute(
        select(Message.conversation_id)
        .join(heads, heads.c.id == Message.id)
        .join(Integration, Integration.id == Message.integration_id)
        .where(
            Message.send_due_at <= due_since,
            Integration.paused_until.is_(None) | (Integration.paused_until <= due_since),
        )
        .order_by(Message.id)
        .limit(DUE_LIMIT)
    )
    return [conversation_id for (conversation_id,) in rows]


@dataclass(frozen=True, slots=True)
class Standing:
    """What waits in the inbox and in the outbox now; the ages are of what was due longest, in seconds."""

    events: Mapping[str, int]  # by state: pending, unmatched, failed
    lanes: int
    lane_age_secs: float
    sends: Mapping[str, int]  # by status: queued, sending, uncertain
    send_age_secs: float


def standing(now: datetime) -> Standing:
    """Count what waits, over the indexes of what is not done yet. Reads only."""
    states = db.session.execute(
        select(WebhookEvent.state, func.count())
        .where(WebhookEvent.state.in_(("pending", "unmatched", "failed")))
        .group_by(WebhookEvent.state)
    )
    waits = (WebhookEvent.state == "pending", WebhookEvent.lane.is_not(None))
    lane_count, oldest = db.session.execute(
        select(func.count(WebhookEvent.lane.distinct()), func.min(WebhookEvent.received_at)).where(*waits)
    ).one()
    unsent = Message.send_due_at.is_not(None)
    sends = db.session.execute(select(Message.status, func.count()).where(unsent).group_by(Message.status))
    due_at = db.session.scalar(select(func.min(Message.send_due_at)).where(unsent))
    return Standing(
        {row[0]: row[1] for row in states},
        lane_count,
        _age_secs(oldest, now),
        {row[0] or "": row[1] for row in sends},
        _age_secs(due_at, now),
    )


def oldest_pending(now: datetime) -> datetime | None:
    """Give when the oldest message came that the desk itself has not worked on, though it is due."""
    return db.session.scalar(
        select(func.min(WebhookEvent.received_at)).where(
            WebhookEvent.state == "pending",
            WebhookEvent.lane.like("in:%"),
            WebhookEvent.due_at.is_(None) | (WebhookEvent.due_at <= now),
        )
    )


def _age_secs(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())


def _take(statement: Update, values: Mapping[str, Any]) -> Lease | None:
    lease = _take_free(statement, values)
    if lease is None and _open_lane(values["lane"]):
        lease = _take_free(statement, values)
    return lease


def _take_free(statement: Update, values: Mapping[str, Any]) -> Lease | None:
    key = values["lane"]
    if db.engine.dialect.update_returning:
        token = db.session.execute(_RETURNING[statement], values).scalar()
    elif changed_rows(statement, values) == 1:
        token = db.session.execute(_TOKEN, {"lane": key}).scalar()
    else:
        token = None
    return None if token is None else Lease(key, token)


def _open_lane(key: str) -> bool:
    """Make a lane that nobody holds; False when there is one. It is free, then taken: what the row count of
    an ignored INSERT means differs between the databases."""
    if db.session.execute(_TOKEN, {"lane": key}).first() is not None:
        return False
    row = {"key": key, "token": 0, "leased_until": 0.0, "holder": ""}
    db.session.execute(insert_or_ignore(Lane).values(row))
    return True
