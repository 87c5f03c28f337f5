"""Sends the invitations to appointments: takes a letter, commits, sends it, commits what came of it.

The worker calls both; a letter that fails is tried again as `crm.invitations` says, then shown as failed on
the appointment's page.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog

from config import Config
from crm import invitations
from models import db, reading
from wires import smtp

log = structlog.get_logger()

TIMEOUT_SECS: Final = 15.0


def wanted(now: datetime) -> list[int]:
    """List the letters that are to be sent."""
    with reading():
        found = invitations.due(now)
        db.session.rollback()
    return found


def send(letter_id: int, config: Config, clock: Callable[[], datetime]) -> bool:
    """Send one letter; True when the mail server took it. Commits."""
    taken = invitations.take(letter_id, config, now=clock())
    db.session.commit()
    if taken is None:
        return False
    letter, tries = taken
    error = smtp.send(config.smtp_url, letter, timeout_secs=TIMEOUT_SECS)
    if error is not None:
        log.warning("invitation_not_sent", letter_id=letter_id, code=error.code)
    invitations.settle(letter_id, error, now=clock(), tries=tries)
    db.session.commit()
    return error is None
