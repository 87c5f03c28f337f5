"""Appointments: wishes that a person of ours confirms, and free times that customers book themselves.

A booked time holds a `slot_key` of team, start and seat, which only one appointment can have: of two at once
one wins. Flow actions, operators' pages and programs call these verbs. They flush and never commit.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

import history
from config import Config
from crm import invitations, linked_words, numbered, slots, teams, telling
from crm.numbered import CUSTOMER, SYSTEM, Actor
from crm.slots import Place
from models import Appointment, AppointmentReminder, db
from record_numbers import APPOINTMENT
from statements import insert_or_ignore

STATUSES = ("requested", "confirmed", "done", "cancelled", "no_show")
# A time is held as long as it may still be kept.
HOLDING = ("confirmed",)
TOPIC_MAX_CHARS = 160
WISH_MAX_CHARS = 255
REMINDED: Final = (("hour", timedelta(hours=1)), ("day", timedelta(days=1)))


class SlotTaken(Exception):
    """This time is not free (any more)."""


def request_appointment(
    contact_id: int,
    *,
    now: datetime,
    topic: str = "",
    wish: str = "",
    starts_at: datetime | None = None,
    conversation_id: int | None = None,
    message_id: int | None = None,
    by: Actor = CUSTOMER,
) -> Appointment:
    """Note that a contact wants to meet; a second wish changes the open request instead of adding one.

    Flushes. `wish` are the customer's own words for the time; `starts_at` is set when they could be read.
    """
    appointment = _open_request(contact_id, conversation_id)
    if appointment is None:
        appointment = Appointment(
            contact_id=contact_id, conversation_id=conversation_id, message_id=message_id, created_at=now
        )
    appointment.topic = topic.strip()[:TOPIC_MAX_CHARS] or appointment.topic or ""
    appointment.wish = wish.strip()[:WISH_MAX_CHARS] or appointment.wish or ""
    appointment.starts_at = starts_at or (None if wish.strip() else appointment.starts_at)
    appointment.updated_at = now
    numbered.give_number(appointment, APPOINTMENT, now=now, by=by)
    linked_words.link_told(appointment, f"{appointment.topic}\n{appointment.wish}", now=now)
    return appointment


def book(
    config: Config,
    contact_id: int,
    starts_at: datetime,
    *,
    now: datetime,
    topic: str = "",
    wish: str = "",
    conversation_id: int | None = None,
    message_id: int | None = None,
    calendar: Sequence[datetime] | None = None,
    by: Actor = CUSTOMER,
) -> Appointment:
    """Book a free time; an open request of the contact becomes the booking. Flushes. Raises SlotTaken.

    `calendar` as in `slots.free_slots`.
    """
    where = slots.place()
    if not slots.is_free(config, where, starts_at, now=now, calendar=calendar):
        raise SlotTaken
    request = _open_request(contact_id, conversation_id)
    row = request or Appointment(
        contact_id=contact_id,
        conversation_id=conversation_id,
        message_id=message_id,
        status="requested",
        created_at=now,
    )
    row.topic = topic.strip()[:TOPIC_MAX_CHARS] or row.topic or ""
    row.wish = wish.strip()[:WISH_MAX_CHARS] or row.wish or ""
    row.updated_at = now
    numbered.give_number(row, APPOINTMENT, now=now, by=by)
    _take(row, where, starts_at, timedelta(minutes=config.appointment_mins))
    teams.assign(row, teams.SCHEDULING)
    set_status(row, "confirmed", now=now, by=by)
    linked_words.link_told(row, f"{row.topic}\n{row.wish}", now=now)
    return row


def move(
    config: Config,
    row: Appointment,
    starts_at: datetime,
    *,
    now: datetime,
    by: Actor = CUSTOMER,
    calendar: Sequence[datetime] | None = None,
) -> None:
    """Take another free time for a booked appointment; `calendar` as in `slots.free_slots`. Flushes. Raises
    SlotTaken."""
    if not slots.is_free(config, slots.place(), starts_at, now=now, calendar=calendar):
        raise SlotTaken
    fix(config, row, starts_at, now=now, by=by)


def fix(config: Config, row: Appointment, starts_at: datetime, *, now: datetime, by: Actor) -> None:
    """Hold an appointment at a time, whatever the hours say, and confirm it. Flushes. Raises SlotTaken."""
    before = slots.slot_id(row.starts_at) if row.starts_at and row.status == "confirmed" else ""
    _take(row, slots.place(), starts_at, timedelta(minutes=config.appointment_mins))
    row.updated_at = now
    if not before:
        teams.assign(row, teams.SCHEDULING)
        set_status(row, "confirmed", now=now, by=by)
        return
    history.note_change(
        "appointment",
        row.id,
        before=before,
        after=slots.slot_id(starts_at),
        actor=by.kind,
        operator_id=by.operator_id,
        now=now,
    )
    invitations.note(row, now=now)


def confirm(appointment: Appointment, starts_at: datetime, *, now: datetime, by: Actor = SYSTEM) -> None:
    """Fix the time that a person of ours agreed to, whatever the hours say."""
    is_moved = appointment.status == "confirmed" and appointment.starts_at != starts_at
    appointment.starts_at = starts_at
    set_status(appointment, "confirmed", now=now, by=by)
    if is_moved:
        invitations.note(appointment, now=now)


def set_status(appointment: Appointment, status: str, *, now: datetime, by: Actor = SYSTEM) -> None:
    """Move an appointment on; one that will not be held gives its time back. Raises ValueError for a status
    that is none.
    """
    before = appointment.status
    numbered.set_status(appointment, status, STATUSES, now=now, by=by)
    if status not in HOLDING:
        appointment.slot_key = None
        db.session.flush()
    if status != before:
        invitations.note(appointment, now=now)


def upcoming(contact_id: int, now: datetime) -> Appointment | None:
    """Give the next appointment of a contact that stands."""
    return db.session.scalars(
        select(Appointment)
        .where(
            Appointment.contact_id == contact_id,
            Appointment.status == "confirmed",
            Appointment.starts_at > now,
        )
        .order_by(Appointment.starts_at)
        .limit(1)
    ).first()


def newest_appointments(limit: int, *, contact_id: int | None = None) -> list[Appointment]:
    """List appointments, the newest first."""
    return numbered.newest(Appointment, limit, contact_id)


# --- reminders ----------------------------------------------------------------------------------------------


def remind(config: Config, *, now: datetime) -> Sequence[int]:
    """Remind of appointments a day and an hour before, each once; gives the conversations to deliver.

    What may not be sent (the window is closed, an opt-out) is written down and shown. Flushes. Idempotent.
    """
    longest = max(before for _kind, before in REMINDED)
    rows = db.session.scalars(
        select(Appointment)
        .where(
            Appointment.status == "confirmed",
            Appointment.starts_at > now,
            Appointment.starts_at <= now + longest,
            Appointment.conversation_id.is_not(None),
        )
        .order_by(Appointment.starts_at)
    ).all()
    return [row.conversation_id for row in rows if row.conversation_id and _remind(config, row, now)]


def reminders_of(appointment_id: int) -> Sequence[AppointmentReminder]:
    return db.session.scalars(
        select(AppointmentReminder)
        .where(AppointmentReminder.appointment_id == appointment_id)
        .order_by(AppointmentReminder.id)
    ).all()


def _remind(config: Config, row: Appointment, now: datetime) -> bool:
    """Send the reminder that is due; tells whether something was sent."""
    if row.starts_at is None or row.conversation_id is None:
        return False
    kind, before = next((kind, before) for kind, before in REMINDED if row.starts_at - now <= before)
    # Who booked a moment ago needs no reminder.
    if row.created_at > row.starts_at - before or _is_reminded(row, kind):
        return False
    when = telling.moment_for(row.conversation_id, row.starts_at.astimezone(config.zone))
    told = telling.tell(
        row.conversation_id, "appointment_reminder", now=now, number=row.number, when=when, topic=row.topic
    )
    values = {"appointment_id": row.id, "kind": kind, "starts_at": row.starts_at, "state": told, "at": now}
    db.session.execute(insert_or_ignore(AppointmentReminder).values(values))
    return told == "sent"


def _is_reminded(row: Appointment, kind: str) -> bool:
    found = select(AppointmentReminder.id).where(
        AppointmentReminder.appointment_id == row.id,
        AppointmentReminder.kind == kind,
        AppointmentReminder.starts_at == row.starts_at,
    )
    return db.session.execute(found).first() is not None


# --- below --------------------------------------------------------------------------------------------------


def _take(row: Appointment, where: Place, starts_at: datetime, length: timedelta) -> None:
    """Take a seat of a time. Raises SlotTaken when others have them all."""
    for seat in range(1, where.seats + 1):
        key = f"{where.team_id or 0}:{slots.slot_id(starts_at)}:{seat}"
        try:
            with db.session.begin_nested():
                row.slot_key, row.starts_at, row.ends_at = key, starts_at, starts_at + length
                row.team_id = where.team_id
                db.session.flush()
        except IntegrityError:
            continue
        return
    raise SlotTaken


def _open_request(contact_id: int, conversation_id: int | None) -> Appointment | None:
    return db.session.scalars(
        select(Appointment)
        .where(
            Appointment.contact_id == contact_id,
            Appointment.conversation_id == conversation_id,
            Appointment.status == "requested",
        )
        .order_by(Appointment.id.desc())
        .limit(1)
    ).first()
