"""What became of a record, step by step: who moved an order or a ticket from which state to which, and when.

The verbs that change a status call `note_change` in the same transaction; pages list it. Rows are added,
never changed. Flushes nothing and commits nothing.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import delete, insert, select

import webhooks_out
from models import StateChange, db
from statements import changed_rows, table

ACTORS: Final = ("customer", "bot", "operator", "owner", "program", "provider", "system")
REASON_MAX_CHARS: Final = 255

_ADD = insert(table(StateChange))


def note_change(
    record: str,
    record_id: int,
    *,
    before: str,
    after: str,
    actor: str,
    now: datetime,
    operator_id: int | None = None,
    reason: str = "",
) -> None:
    """Write one step of a record down; a step to where it stands already is none.

    `record` is the singular of its table ("order", "ticket"), `actor` one of ACTORS, an empty `before` says
    that the record was made. `reason` holds no personal data. Raises ValueError for an unknown actor.
    """
    if actor not in ACTORS:
        raise ValueError(f"{actor!r} is none of {', '.join(ACTORS)}")
    if before == after:
        return
    row = {
        "record": record,
        "record_id": record_id,
        "before": before,
        "after": after,
        "actor": actor,
        "operator_id": operator_id,
        "reason": reason[:REASON_MAX_CHARS],
        "at": now,
    }
    db.session.execute(_ADD, row)
    webhooks_out.leave_step(record, record_id, before=before, after=after, now=now)


def changes_of(record: str, record_id: int) -> Sequence[StateChange]:
    """List the steps of a record, the oldest first."""
    return db.session.scalars(
        select(StateChange)
        .where(StateChange.record == record, StateChange.record_id == record_id)
        .order_by(StateChange.id)
    ).all()


def forget(record: str, record_ids: Collection[int]) -> None:
    """Delete the steps of records that are deleted with their person."""
    changed_rows(
        delete(StateChange).where(StateChange.record == record, StateChange.record_id.in_(record_ids))
    )
