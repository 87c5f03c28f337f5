"""Writes down what the person who is signed in has done, for the audit log."""

from flask_login import current_user

import history
from models import utc_now


def note(record: str, record_id: int, before: str, after: str, *, reason: str = "") -> None:
    """Leave a step of one record in its history. Flushes; raises nothing."""
    history.note_change(
        record,
        record_id,
        before=before,
        after=after,
        actor="operator",
        operator_id=current_user.id,
        reason=reason,
        now=utc_now(),
    )


def note_switch(record: str, record_id: int, *, is_on: bool, reason: str = "") -> None:
    """Leave the step of a record that was switched on or off."""
    before, after = ("off", "on") if is_on else ("on", "off")
    note(record, record_id, before, after, reason=reason)
