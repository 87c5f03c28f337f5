"""What people of ours must be told, as rows: tasks send them, pages show them, a person acknowledges them.

Any verb or conductor may raise one inside its own transaction; repeated news of one topic counts up on its
one open row instead of filling the page. Flushes, never commits, tells nobody by itself.
"""

from datetime import datetime

from sqlalchemy import ColumnElement, func, select, update

from models import Alert, db
from statements import changed_rows, insert_or_ignore

KIND_MAX_CHARS = 40
TOPIC_MAX_CHARS = 190
TEXT_MAX_CHARS = 500


def raise_alert(
    kind: str, topic: str, text: str, *, now: datetime, conversation_id: int | None = None
) -> Alert:
    """Raise an alert, or count it on the open one of the same `topic` (then the newest words stand). Flushes.

    `topic` names the one thing that is wrong (`credentials:3`, `waiting:17`), `kind` its sort, for filters.
    """
    topic = topic[:TOPIC_MAX_CHARS]
    if not _count_again(topic, text, now):
        db.session.execute(
            insert_or_ignore(Alert).values(
                kind=kind[:KIND_MAX_CHARS],
                open_topic=topic,
                text=text[:TEXT_MAX_CHARS],
                conversation_id=conversation_id,
                times=0,  # the count that follows makes it one, also when another process was first
                created_at=now,
                last_at=now,
            )
        )
        _count_again(topic, text, now)
    return db.session.scalars(
        select(Alert).where(Alert.open_topic == topic).execution_options(populate_existing=True)
    ).one()


def is_open(topic: str) -> bool:
    """Tell whether people already know and have not yet acknowledged."""
    found = db.session.execute(select(Alert.id).where(Alert.open_topic == topic[:TOPIC_MAX_CHARS]))
    return found.first() is not None


def was_closed_since(kind: str, since: datetime) -> bool:
    """Tell whether an alert of this kind was closed lately: whoever repeats it may wait."""
    found = select(Alert.id).where(Alert.kind == kind, Alert.acknowledged_at >= since)
    return db.session.execute(found.limit(1)).first() is not None


def acknowledge(alert_id: int, *, now: datetime) -> bool:
    """Close one alert; False when it is already closed or unknown. Idempotent."""
    return _close(Alert.id == alert_id, now)


def settle(topic: str, *, now: datetime) -> bool:
    """Close the open alert of `topic` because what was wrong is right again; False when there is none.

    Idempotent.
    """
    return _close(Alert.open_topic == topic[:TOPIC_MAX_CHARS], now)


def open_alerts(limit: int = 100) -> list[Alert]:
    """List what nobody has acknowledged, the newest news first."""
    return list(
        db.session.scalars(
            select(Alert)
            .where(Alert.open_topic.is_not(None))
            .order_by(Alert.last_at.desc(), Alert.id.desc())
            .limit(limit)
        )
    )


def open_count() -> int:
    return db.session.scalar(select(func.count(Alert.id)).where(Alert.open_topic.is_not(None))) or 0


def _count_again(topic: str, text: str, now: datetime) -> bool:
    return (
        changed_rows(
            update(Alert)
            .where(Alert.open_topic == topic)
            .values(times=Alert.times + 1, last_at=now, text=text[:TEXT_MAX_CHARS])
        )
        > 0
    )


def _close(condition: ColumnElement[bool], now: datetime) -> bool:
    return (
        changed_rows(
            update(Alert)
            .where(condition, Alert.open_topic.is_not(None))
            .values(open_topic=None, acknowledged_at=now)
        )
        > 0
    )
