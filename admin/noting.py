"""Writes down what the person who is signed in has done, for the audit log."""

from flask_login import current_user

import history
from models import utc_now


def note(record: str, record_id: int, before: str, after: str) -> None:
    """Leave a step of one record in its history. Flushes; raises nothing."""
    history.note_change(
        record,
        record_id,
        before=before,
        after=after,
        actor="operator",
        operator_id=current_user.id,
        now=utc_now(),
    )
