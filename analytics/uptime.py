"""Minutes in which the desk lived, and what could not be worked on: what "uptime" and "errors" are told from.

Worker and web process leave a row for each minute (`beat`); `rolling` adds a day of them up. A day before the
first row that is kept has no figure at all. Flushes, never commits.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, select

from models import Pulse, WebhookEvent, db
from statements import changed_rows, insert_or_ignore, table

# A figure of a day: name, part, how often, of what sum.
Figure = tuple[str, str, int, int]

WEB: Final = "web"
WORKER: Final = "worker"
PARTS: Final = (WEB, WORKER)
# Only a minute in which both live is one in which customers are answered and people can look.
ALL: Final = "all"
MINUTE: Final = timedelta(minutes=1)
# Longer than any day is counted again.
KEPT: Final = timedelta(days=60)

_ROWS: Final = table(Pulse)


def beat(part: str, now: datetime) -> None:
    """Write down that a process of this kind lives in this minute. Flushes. Idempotent."""
    minute = now.replace(second=0, microsecond=0)
    db.session.execute(insert_or_ignore(Pulse), {"part": part, "minute": minute})


def forget_old(now: datetime) -> None:
    """Drop minutes that no day is counted from any more. Flushes."""
    changed_rows(delete(_ROWS).where(_ROWS.c.minute < now - KEPT))


def figures_of_uptime(start: datetime, end: datetime) -> Iterator[Figure]:
    """Give for each part how many minutes of the time from `start` to before `end` were watched, and in how
    many of them it lived. Nothing where no minute was watched.

    The desk is watched from its first minute that is kept to its newest: after that nobody knows yet.
    """
    first, newest = db.session.execute(select(func.min(_ROWS.c.minute), func.max(_ROWS.c.minute))).one()
    if first is None:
        return
    watched = (min(end, newest + MINUTE) - max(start, first)) // MINUTE
    if watched <= 0:
        return
    inside = (_ROWS.c.minute >= start, _ROWS.c.minute < end)
    asked = select(_ROWS.c.part, func.count().label("lived")).where(*inside).group_by(_ROWS.c.part)
    lived = {str(row.part): int(row.lived) for row in db.session.execute(asked)}
    together = (
        select(_ROWS.c.minute).where(*inside).group_by(_ROWS.c.minute).having(func.count() == len(PARTS))
    )
    lived[ALL] = db.session.scalar(select(func.count()).select_from(together.subquery())) or 0
    for part in (ALL, *PARTS):
        yield "uptime", part, watched, lived.get(part, 0)


def figures_of_errors(start: datetime, end: datetime) -> Iterator[Figure]:
    """Give how many messages and receipts came in that time and could not be worked on."""
    failed = db.session.scalar(
        select(func.count(WebhookEvent.id)).where(
            WebhookEvent.state == "failed", WebhookEvent.received_at >= start, WebhookEvent.received_at < end
        )
    )
    if failed:
        yield "not_worked_on", "", failed, 0
