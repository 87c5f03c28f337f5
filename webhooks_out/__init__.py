"""What programs of other people are told: events left beside what happened, endpoints, and their outbox.

Any verb leaves an event in its own transaction (`leave`, and `history.note_change` for every step of a
record); with no endpoint it leaves nothing, and costs one statement every few seconds.
`deliveries` spreads events to the endpoints that want them, `telling.webhooks` sends. Flushes, never commits,
sends nothing by itself.
"""

import time
from datetime import datetime
from typing import Any, Final

from flask import current_app
from sqlalchemy import BigInteger, Boolean, String, bindparam, insert, select

import logs
from models import OutgoingEvent, UtcDateTime, WebhookEndpoint
from statements import changed_rows, table
from webhooks_out import kinds

# Nobody listens: so long no process asks again. A new endpoint is told of what happens after that.
REMEMBERED_SECS: Final = 3.0
# One statement writes the event only where somebody listens. Typed, because a SELECT tells nobody what its
# parameters are.
_COLUMNS: Final[dict[str, Any]] = {
    "kind": String(40),
    "record": String(20),
    "record_id": BigInteger(),
    "before": String(24),
    "after": String(24),
    "trace_id": String(64),
    "is_spread": Boolean(),
    "at": UtcDateTime(),
}
_ENDPOINT = table(WebhookEndpoint).c
_LEAVE: Final = (
    insert(table(OutgoingEvent))
    .from_select(
        list(_COLUMNS),
        select(*(bindparam(f"new_{name}", type_=kind) for name, kind in _COLUMNS.items()))
        .select_from(table(WebhookEndpoint))
        .where(_ENDPOINT.is_active, _ENDPOINT.removed_at.is_(None))
        .limit(1),
    )
    .execution_options(preserve_rowcount=True)
)


def leave(
    kind: str, record: str, record_id: int, *, now: datetime, before: str = "", after: str = ""
) -> None:
    """Leave an event for the endpoints, in the caller's transaction; nothing while there is none.

    `record` is the singular of the record's table. What is told of it is read when the event is spread.
    """
    if _silence().ends_at > time.monotonic():
        return
    row = {
        "kind": kind,
        "record": record,
        "record_id": record_id,
        "before": before,
        "after": after,
        "trace_id": logs.current_trace_id(),
        "is_spread": False,
        "at": now,
    }
    if not changed_rows(_LEAVE, {f"new_{name}": value for name, value in row.items()}):
        _silence().ends_at = time.monotonic() + REMEMBERED_SECS


def forget_silence() -> None:
    """Ask again whether somebody listens, after a change of this process's own."""
    _silence().ends_at = 0.0


def _silence() -> "_Silence":
    return current_app.extensions.setdefault("balcao_silence", _Silence())  # type: ignore[no-any-return]


class _Silence:
    """Until when one process takes it that nobody listens."""

    ends_at = 0.0


def leave_step(record: str, record_id: int, *, before: str, after: str, now: datetime) -> None:
    """Leave the event that a step of a record is, when it is one. As `leave`."""
    kind = kinds.of_step(record, before, after)
    if kind is not None:
        leave(kind, kinds.TOLD_AS.get(record, record), record_id, before=before, after=after, now=now)
