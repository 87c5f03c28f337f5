"""What Cal.com tells of its own accord: bookings made, moved and cancelled on its pages, by whomever.

The door calls `take` with a webhook whose signature holds. A body is taken once; what is older than what was
heard of the same booking changes nothing. What is ours is known by its uid or by our signed reference; a
stranger's booking becomes an appointment where its phone or e-mail is one person's whom the desk knows, and
else only fills the time. Flushes, never commits.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

import phone
import privacy
import vault
from connectors import calcom
from connectors.account import Account
from crm import appointments, moves
from models import Appointment, Contact, Conversation, WebhookEvent, db
from statements import inserted_id, table
from webhooks_out import links

log = structlog.get_logger()

CREATED: Final = ("BOOKING_CREATED", "BOOKING_RESCHEDULED")
CANCELLED: Final = ("BOOKING_CANCELLED", "BOOKING_REJECTED")
KEPT: Final = ("uid", "rescheduleUid", "startTime", "endTime", "status", "eventTypeId")
TITLE_CHARS: Final = appointments.TOPIC_MAX_CHARS
_STORE: Final = insert(table(WebhookEvent))


class Unreadable(ValueError):
    """The body is signed, and no booking can be read from it."""


def take(account: Account, body: bytes, *, now: datetime) -> int | None:
    """Take one webhook; gives the conversation whose customer is told of it, if any. Raises Unreadable."""
    said = _read(body)
    if not _is_first(body, said, now):
        return None
    kind, booking = str(said.get("triggerEvent", "")), said.get("payload")
    if kind not in CREATED + CANCELLED or not isinstance(booking, Mapping):
        return None
    try:
        uid, heard_at = str(booking["uid"]), _moment(said["createdAt"])
        starts_at = _moment(booking["startTime"])
    except (KeyError, TypeError, ValueError) as error:
        raise Unreadable(str(error)) from error
    row = _known(account, booking, uid) or _ours(account, booking)
    link = links.of(account.endpoint_id, calcom.APPOINTMENT, row.id) if row is not None else None
    if link is not None and heard_at.isoformat() < (link.facts or {}).get("heard_at", ""):
        return None
    if kind in CANCELLED:
        if row is None or link is None or uid != link.external_id:
            return None  # the old uid of a booking that was moved is cancelled, too
        return _cancel(account, row, uid, heard_at, now)
    row = row or _of_a_stranger(booking, now)
    return None if row is None else _hold(account, row, uid, starts_at, heard_at, now)


def _hold(
    account: Account, row: Appointment, uid: str, starts_at: datetime, heard_at: datetime, now: datetime
) -> int | None:
    """Hold an appointment when Cal.com holds it; the customer is told where that is news."""
    _keep(account, row, uid, starts_at, heard_at, now)
    is_news = row.starts_at != starts_at or row.status != "confirmed"
    if not is_news or starts_at <= now or row.status in ("done", "no_show"):
        return None
    if row.status == "cancelled":
        return None  # it was cancelled here meanwhile; the outbox says so there
    try:
        moves.fix_time(account.config, row, starts_at, now=now, by=calcom.PROVIDER)
    except appointments.SlotTaken:  # their calendar knows best; ours counts no seat for it
        row.slot_key = row.ends_at = None
        appointments.confirm(row, starts_at, now=now, by=calcom.PROVIDER)
    return row.conversation_id


def _cancel(account: Account, row: Appointment, uid: str, heard_at: datetime, now: datetime) -> int | None:
    _keep(account, row, uid, None, heard_at, now)
    if row.status not in ("confirmed", "requested"):
        return None
    moves.move_on(account.config, row, "cancelled", now=now, by=calcom.PROVIDER)
    return row.conversation_id


def _keep(
    account: Account, row: Appointment, uid: str, start: datetime | None, heard_at: datetime, now: datetime
) -> None:
    links.keep(
        account.endpoint_id,
        calcom.APPOINTMENT,
        row.id,
        contact_id=row.contact_id,
        external_id=uid,
        facts={"start": start.isoformat() if start else None, "heard_at": heard_at.isoformat()},
        now=now,
    )


# --- whose booking it is ------------------------------------------------------------------------------------


def _known(account: Account, booking: Mapping[str, Any], uid: str) -> Appointment | None:
    for one in (uid, booking.get("rescheduleUid")):
        link = links.known_as(account.endpoint_id, str(one), calcom.APPOINTMENT) if one else None
        if link is not None:
            return db.session.get(Appointment, link.record_id)
    return None


def _ours(account: Account, booking: Mapping[str, Any]) -> Appointment | None:
    """Find the appointment that a booking of ours is for, when its webhook is quicker than its answer."""
    metadata = booking.get("metadata")
    given = metadata.get("balcao") if isinstance(metadata, Mapping) else None
    key = vault.signed_text(str(given), account.config.secret_key) if given else None
    record_id = key.rpartition("-")[2] if key else ""
    if not record_id.isdecimal() or key != account.key(calcom.APPOINTMENT, int(record_id)):
        return None
    return db.session.get(Appointment, int(record_id))


def _of_a_stranger(booking: Mapping[str, Any], now: datetime) -> Appointment | None:
    """Open an appointment for the one person whose phone or e-mail the booking names; None for nobody's."""
    people = {contact.id: contact for contact in _named(booking)}
    if len(people) != 1:
        log.info("calcom_booking_of_nobody", people=len(people))
        return None
    (contact,) = people.values()
    thread = db.session.scalars(
        select(Conversation)
        .where(Conversation.contact_id == contact.id)
        .order_by(Conversation.last_message_at.desc(), Conversation.id.desc())
        .limit(1)
    ).first()
    return appointments.request_appointment(
        contact.id,
        now=now,
        topic=str(booking.get("eventTitle") or booking.get("title") or "")[:TITLE_CHARS],
        conversation_id=thread.id if thread is not None else None,
    )


def _named(booking: Mapping[str, Any]) -> list[Contact]:
    attendees = booking.get("attendees")
    first = attendees[0] if isinstance(attendees, list) and attendees else {}
    responses = booking.get("responses")
    asked = responses.get("attendeePhoneNumber") if isinstance(responses, Mapping) else None
    number = first.get("phoneNumber") if isinstance(first, Mapping) else None
    number = number or (asked.get("value") if isinstance(asked, Mapping) else None)
    if number and phone.normalise(str(number)):
        return privacy.find_people(str(number))
    email = str(first.get("email") or "").strip() if isinstance(first, Mapping) else ""
    if not email:
        return []
    same = select(Contact).where(Contact.email == email, Contact.merged_into_id.is_(None)).limit(2)
    return list(db.session.scalars(same))


# --- the inbox ----------------------------------------------------------------------------------------------


def _is_first(body: bytes, said: Mapping[str, Any], now: datetime) -> bool:
    """Note a body among the raw webhooks; False for one that was taken before."""
    booking = said.get("payload")
    kept = {"triggerEvent": said.get("triggerEvent"), "createdAt": said.get("createdAt")}
    if isinstance(booking, Mapping):
        kept["payload"] = {name: booking.get(name) for name in KEPT}
    row = {
        "event_key": f"calcom:{hashlib.sha256(body).hexdigest()}",
        "provider": calcom.SERVICE,
        "kind": "other",
        "state": "done",
        "payload": json.dumps(kept).encode(),  # no person: what is of one stands in the appointment
        "received_at": now,
        "attempts": 0,
        "error": "",
    }
    try:
        with db.session.begin_nested():
            inserted_id(_STORE, row)
    except IntegrityError:
        return False
    return True


def _read(body: bytes) -> Mapping[str, Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unreadable("no JSON") from error
    if not isinstance(said, Mapping):
        raise Unreadable("no object")
    return said


def _moment(written: Any) -> datetime:
    moment = datetime.fromisoformat(str(written))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
