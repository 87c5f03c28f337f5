"""The outbox of alerts: one row for each alert and recipient, drained by `alert_telling`.

`route` writes down who is told of what is new; `take` hands out what is due for one recipient, one message at
a time and never too many; `settle` keeps what came of it. The same thing is told once per `REST`, many things
at once travel in one digest. Verbs flush and never commit; whoever takes commits before it sends.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import delete, func, or_, select, update

import alerts
from alerts import kinds, recipients
from config import Config
from models import Alert, AlertDelivery, AlertRecipient, Conversation, Integration, db
from providers.base import SendError
from simulated_phone import REHEARSAL_NUMBER
from statements import changed_rows, insert_or_ignore

# What was raised so long before anybody looked is history (a demo's, an import's) and no news.
ROUTE_MAX_AGE: Final = timedelta(hours=1)
ROUTED_AT_ONCE: Final = 200
# The same topic is told again after this long at the earliest, and only if it is still open then.
REST: Final = timedelta(minutes=30)
TELL_MAX_AGE: Final = timedelta(hours=24)
# So many messages in so long; then what comes waits and travels together.
BURST: Final = 3
BURST_WINDOW: Final = timedelta(minutes=10)
SINGLES: Final = 3
DIGEST_MAX: Final = 100
LEASE: Final = timedelta(minutes=5)
# The retry schedule that the Standard Webhooks specification proposes, as far as a day goes.
BACKOFF: Final = (
    timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2),
    timedelta(hours=5), timedelta(hours=10),
)  # fmt: skip
REASON_MAX_CHARS: Final = 60
# A second one would cost money and wake somebody twice.
NEVER_TWICE: Final = (recipients.SMS,)


@dataclass(frozen=True, slots=True)
class News:
    """One alert as it is told: no names, no words of customers."""

    alert_id: int
    kind: str
    path: str
    times: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message to one recipient: the deliveries in it, and its id, which a second attempt keeps."""

    recipient_id: int
    batch_id: int
    delivery_ids: tuple[int, ...]
    news: tuple[News, ...]
    attempts: int


# --- who is told --------------------------------------------------------------------------------------------


def has_new() -> bool:
    """Tell whether an alert waits for its recipients to be written down. Reads only."""
    return db.session.execute(select(Alert.id).where(Alert.routed_at.is_(None)).limit(1)).first() is not None


def route(config: Config, *, now: datetime) -> None:
    """Write down who is told of each new alert. Flushes. Idempotent."""
    recipients.adopt_environment(config, now=now)
    new = select(Alert).where(Alert.routed_at.is_(None)).order_by(Alert.id).limit(ROUTED_AT_ONCE)
    for alert in db.session.scalars(new).all():
        if alert.open_topic is not None and alert.created_at > now - ROUTE_MAX_AGE and not _is_played(alert):
            for recipient in recipients.to_tell(alert.kind):
                _write_down(alert, alert.open_topic, recipient, now)
        changed_rows(update(Alert).where(Alert.id == alert.id).values(routed_at=now))


def _write_down(alert: Alert, topic: str, to: AlertRecipient, now: datetime) -> None:
    if topic == untold_topic(to.id):
        return
    db.session.execute(
        insert_or_ignore(AlertDelivery).values(
            alert_id=alert.id,
            recipient_id=to.id,
            kind=alert.kind,
            topic=topic,
            state="waiting",
            reason="",
            attempts=0,
            due_at=max(now, _rested(to.id, topic, now)),
            created_at=now,
        )
    )


def _rested(recipient_id: int, topic: str, now: datetime) -> datetime:
    """Give when a topic that was told a moment ago may be told again."""
    last = db.session.scalar(
        select(func.max(AlertDelivery.sent_at)).where(
            AlertDelivery.recipient_id == recipient_id, AlertDelivery.topic == topic
        )
    )
    return now if last is None else last + REST


def leave_untold(integration_ids: Iterable[int], *, now: datetime) -> None:
    """Tell nobody of what these numbers' conversations have raised so far: a demo's stories. Flushes."""
    of_numbers = select(Conversation.id).where(Conversation.integration_id.in_(list(integration_ids)))
    changed_rows(
        update(Alert)
        .where(Alert.routed_at.is_(None), Alert.conversation_id.in_(of_numbers))
        .values(routed_at=now)
    )


def _is_played(alert: Alert) -> bool:
    """Tell whether it is about a rehearsal's customer, who is nobody."""
    if alert.conversation_id is None:
        return False
    played = (
        select(Conversation.id)
        .join(Integration, Integration.id == Conversation.integration_id)
        .where(Conversation.id == alert.conversation_id, Integration.number_id == REHEARSAL_NUMBER)
    )
    return db.session.execute(played).first() is not None


# --- what is due --------------------------------------------------------------------------------------------


def due(now: datetime) -> list[int]:
    """List the recipients for whom something is to be done. Reads only."""
    return list(
        db.session.scalars(
            select(AlertDelivery.recipient_id).where(AlertDelivery.due_at <= now).distinct().limit(DIGEST_MAX)
        )
    )


def take(recipient: AlertRecipient, zone: ZoneInfo, *, now: datetime) -> Parcel | None:
    """Take the next message for a recipient out of the outbox: from now on it is being sent. Flushes.

    None when nothing may be sent now, or another worker was quicker.
    """
    _end_leases(recipient, now)
    rows = _not_quiet(_still_news(_waiting(recipient.id, now), recipient, now), recipient, zone, now)
    begun = [row for row in rows if row.batch_id is not None]
    if begun:
        rows = [row for row in begun if row.batch_id == begun[0].batch_id]
    elif not rows:
        return None
    elif (burst_end := _burst_end(rows, recipient.id, now)) is not None:
        _put_off(rows, burst_end)
        return None
    elif len(rows) <= SINGLES:
        rows = rows[:1]
    batch_id, attempts = rows[0].batch_id or rows[0].id, rows[0].attempts
    ids = tuple(row.id for row in rows)
    taken = changed_rows(
        update(AlertDelivery)
        .where(AlertDelivery.id.in_(ids), AlertDelivery.state == "waiting", AlertDelivery.due_at <= now)
        .values(state="sending", batch_id=batch_id, attempts=attempts + 1, due_at=now + LEASE)
    )
    if taken != len(ids):
        db.session.rollback()
        return None
    return Parcel(recipient.id, batch_id, ids, _news_of(rows), attempts + 1)


def _waiting(recipient_id: int, now: datetime) -> Sequence[AlertDelivery]:
    return db.session.scalars(
        select(AlertDelivery)
        .where(
            AlertDelivery.recipient_id == recipient_id,
            AlertDelivery.state == "waiting",
            AlertDelivery.due_at <= now,
        )
        .order_by(AlertDelivery.id)
        .limit(DIGEST_MAX)
        .execution_options(populate_existing=True)
    ).all()


def _end_leases(recipient: AlertRecipient, now: datetime) -> None:
    """Settle what a worker was sending when it died: once more, where the second one does no harm."""
    cut = (
        AlertDelivery.recipient_id == recipient.id,
        AlertDelivery.state == "sending",
        AlertDelivery.due_at <= now,
    )
    if recipient.channel in NEVER_TWICE:
        values = {"state": "uncertain", "reason": "cut", "due_at": None}
    else:
        values = {"state": "waiting", "reason": "cut"}
    changed_rows(update(AlertDelivery).where(*cut).values(**values))


def _still_news(
    rows: Sequence[AlertDelivery], recipient: AlertRecipient, now: datetime
) -> list[AlertDelivery]:
    """Drop what is over by now, and everything for a recipient who wants to hear no more."""
    open_ids = set(
        db.session.scalars(
            select(Alert.id).where(
                Alert.id.in_([row.alert_id for row in rows]), Alert.open_topic.is_not(None)
            )
        )
    )
    kept = []
    for row in rows:
        if not recipient.is_active:
            _drop(row, "switched_off")
        elif row.alert_id not in open_ids:
            _drop(row, "settled")
        elif row.created_at < now - TELL_MAX_AGE:
            _drop(row, "too_old")
        else:
            kept.append(row)
    return kept


def _not_quiet(
    rows: Sequence[AlertDelivery], recipient: AlertRecipient, zone: ZoneInfo, now: datetime
) -> list[AlertDelivery]:
    """Let what comes in quiet hours wait for their end."""
    kept = []
    for row in rows:
        quiet_end = recipients.quiet_end(recipient, row.kind, zone, now)
        if quiet_end is None:
            kept.append(row)
        else:
            _put_off([row], quiet_end)
    return kept


def _drop(row: AlertDelivery, reason: str) -> None:
    changed_rows(
        update(AlertDelivery)
        .where(AlertDelivery.id == row.id, AlertDelivery.state == "waiting")
        .values(state="dropped", reason=reason, due_at=None)
    )


def _put_off(rows: Sequence[AlertDelivery], until: datetime) -> None:
    changed_rows(
        update(AlertDelivery)
        .where(AlertDelivery.id.in_([row.id for row in rows]), AlertDelivery.state == "waiting")
        .values(due_at=until)
    )


def _burst_end(rows: Sequence[AlertDelivery], recipient_id: int, now: datetime) -> datetime | None:
    """Tell until when what comes after a burst waits; None when it may go. Urgent news never wait."""
    if any(kinds.is_urgent(row.kind) for row in rows):
        return None
    last = func.max(AlertDelivery.sent_at)
    sent = db.session.scalars(
        select(last)
        .where(AlertDelivery.recipient_id == recipient_id, AlertDelivery.sent_at > now - BURST_WINDOW)
        .group_by(AlertDelivery.batch_id)
        .order_by(last.desc())
        .limit(BURST)
    ).all()
    earliest = sent[-1] if len(sent) == BURST else None
    return None if earliest is None else earliest + BURST_WINDOW


def _news_of(rows: Sequence[AlertDelivery]) -> tuple[News, ...]:
    found = {
        alert.id: alert
        for alert in db.session.scalars(select(Alert).where(Alert.id.in_([row.alert_id for row in rows])))
    }
    news = []
    for row in rows:
        alert = found[row.alert_id]
        path = kinds.path_of(row.kind, row.topic, alert.conversation_id)
        news.append(News(row.alert_id, row.kind, path, alert.times, alert.created_at))
    return tuple(news)


# --- what came of it ----------------------------------------------------------------------------------------


def settle(parcel: Parcel, error: SendError | None, *, now: datetime) -> bool:
    """Keep what came of a message; True when its recipient was given up on. Flushes."""
    mine = (
        AlertDelivery.id.in_(parcel.delivery_ids),
        AlertDelivery.state == "sending",
        AlertDelivery.attempts == parcel.attempts,
    )
    if error is None:
        values = {"state": "sent", "reason": "", "due_at": None, "sent_at": now}
    elif error.outcome == "retry" and parcel.attempts <= len(BACKOFF):
        wait = max(BACKOFF[parcel.attempts - 1], timedelta(seconds=error.retry_after_secs or 0))
        values = {"state": "waiting", "reason": error.code[:REASON_MAX_CHARS], "due_at": now + wait}
    else:
        state = "uncertain" if error.outcome == "uncertain" else "failed"
        values = {"state": state, "reason": error.code[:REASON_MAX_CHARS], "due_at": None}
    changed_rows(update(AlertDelivery).where(*mine).values(**values))
    return values["state"] == "failed"


def note_undelivered(batch_id: int, code: str, *, now: datetime) -> None:
    """Keep that a text message which was taken has not arrived; everybody else hears of it. Flushes.

    Idempotent. A batch that is none of a text message's, or is not sent, stays as it is.
    """
    mine = (
        AlertDelivery.batch_id == batch_id,
        AlertDelivery.state.in_(("sent", "uncertain")),
        AlertDelivery.recipient_id.in_(
            select(AlertRecipient.id).where(AlertRecipient.channel == recipients.SMS)
        ),
    )
    recipient_id = db.session.scalar(select(AlertDelivery.recipient_id).where(*mine).limit(1))
    if recipient_id is None:
        return
    reason = f"undelivered {code}".strip()[:REASON_MAX_CHARS]
    changed_rows(update(AlertDelivery).where(*mine).values(state="failed", reason=reason))
    error = SendError(reason, "final", f"The text message did not arrive ({code or 'no reason given'}).")
    tell_of_failure(recipient_id, error, now=now)


def tell_of_failure(recipient_id: int, error: SendError, *, now: datetime) -> None:
    """Raise the alert that a recipient cannot be told; everybody else hears of it. Flushes."""
    words = f"Alerts do not reach recipient {recipient_id}: {error.operator_message}"
    alerts.raise_alert(kinds.UNTOLD, untold_topic(recipient_id), words, now=now)


def tell_of_success(recipient_id: int, *, now: datetime) -> None:
    """Settle the alert that a recipient cannot be told. Flushes."""
    alerts.settle(untold_topic(recipient_id), now=now)


def forget_before(moment: datetime) -> None:
    """Delete the deliveries that were settled before a moment. Flushes."""
    changed_rows(
        delete(AlertDelivery).where(AlertDelivery.created_at < moment, AlertDelivery.due_at.is_(None))
    )


def untold_topic(recipient_id: int) -> str:
    return f"{kinds.UNTOLD}:{recipient_id}"


# --- what pages ask -----------------------------------------------------------------------------------------


def newest(limit: int) -> list[tuple[AlertDelivery, int]]:
    """List the newest messages: the last delivery in each, and how many alerts it tells of."""
    message = func.coalesce(AlertDelivery.batch_id, AlertDelivery.id)
    last = func.max(AlertDelivery.id)
    found = db.session.execute(
        select(last, func.count())
        .group_by(AlertDelivery.recipient_id, message)
        .order_by(last.desc())
        .limit(limit)
    )
    counts: dict[int, int] = {row[0]: row[1] for row in found}
    rows = db.session.scalars(select(AlertDelivery).where(AlertDelivery.id.in_(counts)))
    return [(row, counts[row.id]) for row in sorted(rows, key=lambda row: -row.id)]


def troubles() -> dict[int, str]:
    """Give, by recipient, why the last message to it did not arrive; nothing for those that it reached."""
    last = (
        select(func.max(AlertDelivery.id))
        .where(or_(AlertDelivery.state.in_(("sent", "failed", "uncertain")), AlertDelivery.attempts > 0))
        .group_by(AlertDelivery.recipient_id)
    )
    rows = db.session.scalars(select(AlertDelivery).where(AlertDelivery.id.in_(last)))
    return {row.recipient_id: row.reason for row in rows if row.reason}
