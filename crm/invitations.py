"""Invitations by e-mail: an `.ics` to the customer of a booked appointment, again when it moves, and its end.

`appointments` notes each change, `telling` takes the letters and sends them (RFC 5545, 5546, 6047). A letter
says how things are when it leaves; an older one that has not left is dropped. Only customers whose e-mail is
known and who did not ask for silence get one. Verbs flush and never commit.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import select, update

import texts
import vault
from alerts.deliveries import BACKOFF, LEASE, REASON_MAX_CHARS
from config import Config
from crm.calendar_feeds import MOMENT, calendar_file, escaped
from integrations import UNNAMED
from integrations import number as number_of_ours
from models import Appointment, AppointmentLetter, Contact, Conversation, Integration, db
from providers.base import SendError
from statements import changed_rows, insert_or_ignore
from wires.smtp import Calendar, Letter

REQUEST: Final = "REQUEST"
CANCEL: Final = "CANCEL"
SENT_AT_ONCE: Final = 20
DEFAULT_LENGTH: Final = timedelta(minutes=30)
# RFC 2606: nobody has them, and demo customers do.
RESERVED: Final = ("example.com", "example.org", "example.net", ".example", ".invalid", ".test", ".localhost")


def note(row: Appointment, *, now: datetime) -> None:
    """Write down that the customer is told by e-mail how an appointment stands now. Flushes."""
    letters = letters_of(row.id)
    last = letters[-1] if letters else None
    if row.status == "confirmed" and row.starts_at is not None and row.starts_at > now:
        if _address(row) is None:
            return
        method = REQUEST
    elif row.status == "cancelled" and any(one.method == REQUEST for one in letters):
        method = CANCEL
    else:
        return
    was_told = any(one.state in ("sent", "sending") for one in letters)
    for one in letters:
        if one.state == "waiting":
            settle(one.id, SendError("replaced", "final", ""), now=now, state="dropped")
    if method == CANCEL and not (was_told and last is not None and last.method == REQUEST):
        return
    db.session.execute(
        insert_or_ignore(AppointmentLetter).values(
            appointment_id=row.id,
            sequence=last.sequence + 1 if last is not None else 0,
            method=method,
            state="waiting",
            reason="",
            attempts=0,
            due_at=now,
            created_at=now,
        )
    )


def letters_of(appointment_id: int) -> Sequence[AppointmentLetter]:
    """List an appointment's letters, in the order in which things happened."""
    return db.session.scalars(
        select(AppointmentLetter)
        .where(AppointmentLetter.appointment_id == appointment_id)
        .order_by(AppointmentLetter.sequence)
        .execution_options(populate_existing=True)
    ).all()


# --- the outbox ---------------------------------------------------------------------------------------------


def due(now: datetime) -> list[int]:
    """List the letters that are to be sent. Reads only."""
    found = select(AppointmentLetter.id).where(AppointmentLetter.due_at <= now)
    return list(db.session.scalars(found.order_by(AppointmentLetter.id).limit(SENT_AT_ONCE)))


def take(letter_id: int, config: Config, *, now: datetime) -> tuple[Letter, int] | None:
    """Take a letter out of the outbox and write it; gives it with the count of attempts. Flushes.

    None when another worker has it, or nothing is to be said any more. A letter whose worker died is sent
    once more, under the same Message-ID.
    """
    taken = changed_rows(
        update(AppointmentLetter)
        .where(AppointmentLetter.id == letter_id, AppointmentLetter.due_at <= now)
        .values(state="sending", attempts=AppointmentLetter.attempts + 1, due_at=now + LEASE)
    )
    if taken != 1:
        return None
    row = db.session.get_one(AppointmentLetter, letter_id, populate_existing=True)
    letter = _letter(row, config, now)
    if letter is None:
        settle(letter_id, SendError("nobody", "final", ""), now=now, state="dropped")
        return None
    return letter, row.attempts


def settle(
    letter_id: int, error: SendError | None, *, now: datetime, state: str = "", tries: int = 0
) -> None:
    """Keep what came of a letter. Flushes."""
    values: dict[str, object]
    if error is None:
        values = {"state": "sent", "reason": "", "due_at": None, "sent_at": now}
    elif not state and error.outcome == "retry" and tries <= len(BACKOFF):
        values = {"state": "waiting", "reason": error.code, "due_at": now + BACKOFF[tries - 1]}
    else:
        values = {"state": state or "failed", "reason": error.code[:REASON_MAX_CHARS], "due_at": None}
    changed_rows(update(AppointmentLetter).where(AppointmentLetter.id == letter_id).values(**values))


# --- the letter ---------------------------------------------------------------------------------------------


def _letter(row: AppointmentLetter, config: Config, now: datetime) -> Letter | None:
    appointment = db.session.get_one(Appointment, row.appointment_id)
    to = _address(appointment)
    if to is None or appointment.starts_at is None:
        return None
    contact = db.session.get_one(Contact, appointment.contact_id)
    business, phone, language = _business(appointment, contact)
    starts_at = appointment.starts_at.astimezone(config.zone)
    state = "cancelled" if row.method == CANCEL else "moved" if row.sequence else "new"
    facts = {
        "state": state,
        "who": contact.name,
        "number": appointment.number or "",
        "topic": appointment.topic,
        "business": business,
        "phone": phone,
        "when": texts.moment_text(starts_at, language),
    }
    summary = texts.letter_text("appointment_summary", language, **facts)
    return Letter(
        sender=config.mail_sender,
        to=to,
        subject=texts.letter_text("appointment_subject", language, **facts),
        text=texts.letter_text("appointment_letter", language, **facts) + "\n",
        message_id=f"appointment.{row.sequence}.{_uid(appointment, config)}",
        at=now,
        language=language,
        sender_name=business,
        calendar=Calendar(_calendar(row, appointment, summary, business, to, config, now), row.method),
    )


def _calendar(
    row: AppointmentLetter,
    appointment: Appointment,
    summary: str,
    business: str,
    to: str,
    config: Config,
    now: datetime,
) -> str:
    starts_at = appointment.starts_at or now
    ends_at = appointment.ends_at or starts_at + DEFAULT_LENGTH
    return calendar_file(
        [
            f"METHOD:{row.method}",
            "BEGIN:VEVENT",
            f"UID:{_uid(appointment, config)}",
            f"SEQUENCE:{row.sequence}",
            f"DTSTAMP:{now.astimezone(UTC).strftime(MOMENT)}",
            f"DTSTART:{starts_at.astimezone(UTC).strftime(MOMENT)}",
            f"DTEND:{ends_at.astimezone(UTC).strftime(MOMENT)}",
            f"SUMMARY:{escaped(summary)}",
            f"DESCRIPTION:{escaped(appointment.number or '')}",
            f"STATUS:{'CANCELLED' if row.method == CANCEL else 'CONFIRMED'}",
            f"ORGANIZER;CN={_parameter(business)}:mailto:{config.mail_sender}",
            f"ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;RSVP=FALSE:mailto:{to}",
            "END:VEVENT",
        ]
    )


def _uid(appointment: Appointment, config: Config) -> str:
    """Name an appointment so that no other desk's has the same name in the customer's calendar."""
    return f"{vault.sign(appointment.number or str(appointment.id), config.secret_key)}@balcao"


def _parameter(text: str) -> str:
    """Quote a parameter's value (RFC 5545, 3.2); it cannot hold quotes or control characters."""
    return '"' + "".join(c for c in text if c.isprintable() and c != '"') + '"'


def _business(appointment: Appointment, contact: Contact) -> tuple[str, str, str]:
    """Give the name and the phone of the number that the customer writes to, and her language."""
    row = db.session.execute(
        select(Integration.id, Integration.name, Integration.display_phone, Integration.language)
        .join(Conversation, Conversation.integration_id == Integration.id)
        .where(Conversation.id == appointment.conversation_id)
    ).first()
    if row is None:
        return "Balcão", "", texts.text_language(contact.language)
    language = texts.text_language(contact.language or row.language)
    is_active = number_of_ours(row.id) is not None
    name = row.display_phone or row.name if row.name == UNNAMED else row.name
    return name, row.display_phone if is_active else "", language


def _address(row: Appointment) -> str | None:
    """Give the customer's e-mail, when it is known and she may be written to."""
    contact = db.session.get_one(Contact, row.contact_id)
    address = contact.email.strip()
    if not address or contact.has_opted_out or (contact.is_demo and address.lower().endswith(RESERVED)):
        return None
    is_plain = address.isascii() and address.isprintable() and not set(address) & set(' ,;<>"')
    return address if is_plain and 0 < address.find("@") < len(address) - 1 else None
