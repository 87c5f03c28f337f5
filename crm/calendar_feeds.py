"""The private calendar feed: booked appointments as iCalendar (RFC 5545) under a secret address.

Google, Apple and Outlook subscribe to it. Operators' pages make and revoke feeds, the public door reads them;
only the token's hash is kept. Verbs flush and never commit.
"""

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import select

from models import Appointment, CalendarFeed, Contact, Operator, db

TOKEN_BYTES: Final = 32
NAME_MAX_CHARS: Final = 120
# What is long past need not travel each hour.
SHOWN_BACK: Final = timedelta(days=60)
LINE_MAX_BYTES: Final = 75  # RFC 5545, 3.1
STATUSES: Final = {
    "confirmed": "CONFIRMED",
    "cancelled": "CANCELLED",
    "done": "CONFIRMED",
    "no_show": "CANCELLED",
}
MOMENT: Final = "%Y%m%dT%H%M%SZ"


def make_feed(operator_id: int, name: str, *, now: datetime, team_id: int | None = None) -> str:
    """Make a feed and give its token, which is shown once. Flushes."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    db.session.add(
        CalendarFeed(
            operator_id=operator_id,
            name=name.strip()[:NAME_MAX_CHARS],
            team_id=team_id,
            token_hash=_hash(token),
            created_at=now,
        )
    )
    db.session.flush()
    return token


def feeds_of(operator_id: int) -> Sequence[CalendarFeed]:
    """List an operator's feeds that still answer."""
    return db.session.scalars(
        select(CalendarFeed)
        .where(CalendarFeed.operator_id == operator_id, CalendarFeed.revoked_at.is_(None))
        .order_by(CalendarFeed.id)
    ).all()


def revoke(feed_id: int, operator_id: int, *, now: datetime) -> bool:
    """End a feed of an operator. Flushes."""
    feed = db.session.get(CalendarFeed, feed_id)
    if feed is None or feed.operator_id != operator_id:
        return False
    feed.revoked_at = feed.revoked_at or now
    db.session.flush()
    return True


def feed_of(token: str) -> CalendarFeed | None:
    """Find a live feed of somebody who may still sign in."""
    return db.session.scalars(
        select(CalendarFeed)
        .join(Operator, Operator.id == CalendarFeed.operator_id)
        .where(
            CalendarFeed.token_hash == _hash(token),
            CalendarFeed.revoked_at.is_(None),
            Operator.is_active.is_(True),
        )
    ).first()


def calendar_of(feed: CalendarFeed, *, now: datetime) -> str:
    """Write the appointments of a feed as an iCalendar file, and note that it was read. Flushes."""
    feed.last_read_at = now
    query = (
        select(Appointment, Contact.name)
        .join(Contact, Contact.id == Appointment.contact_id)
        .where(Appointment.starts_at > now - SHOWN_BACK, Appointment.status.in_(STATUSES))
        .order_by(Appointment.starts_at, Appointment.id)
    )
    if feed.team_id is not None:
        query = query.where(Appointment.team_id == feed.team_id)
    rows = [(row, name) for row, name in db.session.execute(query)]
    return calendar_text(feed.name, rows)


def calendar_text(name: str, rows: Iterable[tuple[Appointment, str]]) -> str:
    """Write appointments with their people's names as an iCalendar file."""
    lines = [
        "METHOD:PUBLISH",
        f"X-WR-CALNAME:{escaped(name)}",
        "REFRESH-INTERVAL;VALUE=DURATION:PT1H",
    ]
    for row, person in rows:
        if row.starts_at is not None:
            lines += _event(row, person, row.starts_at)
    return calendar_file(lines)


def calendar_file(lines: Iterable[str]) -> str:
    """Write an iCalendar object of these content lines."""
    head = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Balcao//Appointments//EN", "CALSCALE:GREGORIAN")
    return "".join(_folded(line) for line in (*head, *lines, "END:VCALENDAR"))


def _event(row: Appointment, person: str, starts_at: datetime) -> list[str]:
    ends_at = row.ends_at or starts_at + timedelta(minutes=30)
    summary = " · ".join(part for part in (row.topic, person) if part) or row.number or ""
    return [
        "BEGIN:VEVENT",
        f"UID:{row.number or row.id}@balcao",
        f"DTSTAMP:{row.updated_at.astimezone(UTC).strftime(MOMENT)}",
        # Programs take over what has grown since they read it.
        f"SEQUENCE:{max(0, int((row.updated_at - row.created_at).total_seconds()))}",
        f"DTSTART:{starts_at.astimezone(UTC).strftime(MOMENT)}",
        f"DTEND:{ends_at.astimezone(UTC).strftime(MOMENT)}",
        f"SUMMARY:{escaped(summary)}",
        f"DESCRIPTION:{escaped(row.number or '')}",
        f"STATUS:{STATUSES[row.status]}",
        "END:VEVENT",
    ]


def escaped(text: str) -> str:
    """Escape a text value (RFC 5545, 3.3.11); control characters have no place in one."""
    escaped = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    lines = escaped.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\\n")
    return "".join(c for c in lines if c.isprintable())


def _folded(line: str) -> str:
    """Fold a line after at most 75 bytes, never inside a character (RFC 5545, 3.1)."""
    parts, part, size = [], "", 0
    for char in line:
        width = len(char.encode())
        if size + width > LINE_MAX_BYTES:
            parts.append(part)
            part, size = " ", 1
        part, size = part + char, size + width
    return "\r\n".join([*parts, part]) + "\r\n"


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
