"""Appointments: free times to offer, a time booked or a wish noted, moved, cancelled."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field

import alerts
import auth
from api import shapes
from api.doors import Query, Refused, Written, endpoint
from api.kinds import Clean, Moment, OneOf
from api.paging import Page, page
from api.records import (
    NewRecord,
    RecordChange,
    RecordQuery,
    by_program,
    change,
    contact_of,
    find,
    listed,
    made,
    waking,
)
from connectors import calcom
from crm import appointments, moves, slots, teams
from models import Appointment, utc_now

MAX_AHEAD: Final = timedelta(days=730)
AppointmentStatus = Annotated[str, OneOf(appointments.STATUSES)]
TAKEN: Final = "Another appointment is at that time."


class AppointmentQuery(RecordQuery):
    status: AppointmentStatus | None = None
    starts_after: Moment | None = None
    starts_before: Moment | None = None


class FreeTimesQuery(Query):
    after: Moment | None = None
    before: Moment | None = None


class AppointmentChange(RecordChange):
    status: AppointmentStatus | None = None
    starts_at: Moment | None = Field(
        default=None, description="The time that was agreed on; the customer is told."
    )


class NewAppointment(NewRecord):
    """With a time it is booked, and the customer of the conversation is told; without one it is a wish, for
    which a person of ours finds the time. A wish that the contact has open is taken further."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "contact_id": 1,
                    "conversation_id": 1,
                    "topic": "Consulta",
                    "starts_at": "2026-11-24T13:00:00Z",
                }
            ]
        }
    )

    topic: Annotated[str, Field(max_length=appointments.TOPIC_MAX_CHARS), Clean] = ""
    wish: Annotated[str, Field(max_length=appointments.WISH_MAX_CHARS), Clean] = Field(
        default="", description="The customer's own words for the time, where none is booked."
    )
    starts_at: Moment | None = Field(
        default=None, description="One of `GET /api/v1/appointments/free-times`."
    )


@endpoint("GET", "/appointments", scope="records:read")
def list_appointments(asked: AppointmentQuery) -> Page[shapes.Appointment]:
    """List appointments."""
    query = listed(Appointment, asked, status=Appointment.status)
    if asked.starts_after is not None:
        query = query.where(Appointment.starts_at > asked.starts_after)
    if asked.starts_before is not None:
        query = query.where(Appointment.starts_at < asked.starts_before)
    return page(query, Appointment.id, asked, _shapes)


@endpoint("GET", "/appointments/<int:appointment_id>", scope="records:read")
def get_appointment(appointment_id: int) -> shapes.Appointment:
    """Get one appointment."""
    return _shapes([find(Appointment, appointment_id)])[0]


def _heard(_said: Any) -> Sequence[datetime] | None:
    """Ask the other system's calendar, where there is one."""
    calcom.ask_free_times(auth.current_config(), now=utc_now())
    return calcom.free_times(auth.current_config())


@endpoint("GET", "/appointments/free-times", scope="records:read", gather=_heard)
def list_free_times(asked: FreeTimesQuery, brought: Sequence[datetime] | None) -> shapes.FreeTimes:
    """List when appointments may begin in the next two weeks, as customers are offered them in chat."""
    config = auth.current_config()
    length = timedelta(minutes=config.appointment_mins)
    times = slots.free_times(config, slots.place(), utc_now(), brought)
    return shapes.FreeTimes(
        data=[
            shapes.FreeTime(starts_at=at, ends_at=at + length)
            for at in times
            if (asked.after is None or at > asked.after) and (asked.before is None or at < asked.before)
        ]
    )


@endpoint(
    "POST",
    "/appointments",
    scope="records:write",
    status=201,
    refusals=("conflict", "not_found", "slot_taken"),
)
def create_appointment(said: NewAppointment) -> Written[shapes.Made]:
    """Book a free time for a contact, or note that she wishes for one."""
    contact = contact_of(said)
    if said.starts_at is None:
        return made("appointments", _wish(contact.id, said).id)
    config = auth.current_config()
    try:
        row = moves.book(
            config,
            contact.id,
            said.starts_at,
            topic=said.topic,
            conversation_id=said.conversation_id,
            calendar=calcom.calendar_with(config, said.starts_at),
            now=utc_now(),
            by=by_program(),
        )
    except appointments.SlotTaken as error:
        raise Refused("slot_taken", "That is none of the free times.") from error
    return made("appointments", row.id, waking(row))


def _wish(contact_id: int, said: NewAppointment) -> Appointment:
    now = utc_now()
    row = appointments.request_appointment(
        contact_id,
        now=now,
        topic=said.topic,
        wish=said.wish,
        conversation_id=said.conversation_id,
        by=by_program(),
    )
    teams.assign(row, teams.SCHEDULING)
    words = f"Appointment {row.number} waits for a time: {row.wish}"
    topic = f"appointment:{row.number}"
    alerts.raise_alert("appointment", topic, words, now=now, conversation_id=row.conversation_id)
    return row


@endpoint(
    "PATCH",
    "/appointments/<int:appointment_id>",
    scope="records:write",
    refusals=("conflict", "slot_taken"),
    locks=Appointment,
)
def change_appointment(appointment_id: int, said: AppointmentChange) -> Written[shapes.Appointment]:
    """Fix an appointment's time, move it on, or give it to somebody."""
    row, now = find(Appointment, appointment_id), utc_now()
    if said.starts_at is not None:
        if not now < said.starts_at < now + MAX_AHEAD:
            raise Refused("conflict", "Choose a time within the next two years.")
        try:
            moves.fix_time(auth.current_config(), row, said.starts_at, now=now, by=by_program(said.reason))
        except appointments.SlotTaken as error:
            raise Refused("slot_taken", TAKEN) from error
    if said.status == "confirmed" and row.starts_at is None:
        raise Refused("conflict", "An appointment without a time cannot be confirmed.")
    return change(Appointment, appointment_id, said, said.status, _shapes)


def _shapes(rows: Sequence[Appointment]) -> list[shapes.Appointment]:
    return [shapes.Appointment.of(row) for row in rows]
