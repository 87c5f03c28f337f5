"""The one row of what was learnt."""

from datetime import datetime

from sqlalchemy import select

from learning.rules import STATE_ID
from models import PolicyState, db
from statements import insert_or_ignore


def find_row() -> PolicyState | None:
    """Give the policy's row as it is now, if there is one. Reads only."""
    query = select(PolicyState).where(PolicyState.id == STATE_ID).execution_options(populate_existing=True)
    return db.session.scalars(query).first()


def state_row(*, now: datetime) -> PolicyState:
    """Give the policy's row, made when there is none. Flushes."""
    row = find_row()
    if row is None:
        values = {"id": STATE_ID, "version": 0, "policy": "", "forgets_until_id": 0, "updated_at": now}
        values |= {"is_frozen": False, "is_off": False}
        db.session.execute(insert_or_ignore(PolicyState).values(**values))
        row = db.session.scalars(select(PolicyState).where(PolicyState.id == STATE_ID)).one()
    return row
