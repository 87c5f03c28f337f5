"""Cal.com: its free times are offered in the chat, and appointments stand in both calendars.

What the chat books is held here first, and written there a moment later by the outbox, however long Cal.com
is away; meanwhile our own hours are offered. A time that somebody else took there meanwhile is given back,
and the customer is asked to choose again. Events only say that something changed: what is written there is
how the appointment stands now, so that repeats and disorder change nothing.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from flask import current_app
from sqlalchemy import Select, select

import alerts
import texts
import vault
from config import Config
from connectors.account import REAL, Account, account_at
from crm import appointments, slots, telling
from crm.numbered import Actor
from models import Appointment, ConnectorLink, Contact, db, reading
from phone import normalise
from providers.base import SendError
from webhooks_out import links
from webhooks_out.deliveries import Parcel
from wires import calcom
from wires.calcom import Attendee, Booking, CalCom, Taken
from wires.json_api import TIMEOUT_SECS, Refused

log = structlog.get_logger()

BASE_URL: Final = calcom.BASE_URL
SERVICE: Final = "calcom"
KINDS: Final = ("appointment.created", "appointment.updated")
APPOINTMENT: Final = "appointment"
PROVIDER: Final = Actor("provider", reason="Cal.com")
# A customer waits for it; who waited in vain spares the next ones for a while.
CHAT_TIMEOUT_SECS: Final = 4.0
REST_SECS: Final = 60.0
REMEMBERED_SECS: Final = 120.0
NO_EVENT_TYPE: Final = SendError(
    "no_event_type", "retry", "Choose what is booked at Cal.com.", 3600.0, "number"
)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """How an appointment stands here, and what of it stands there."""

    appointment_id: int
    contact_id: int
    reference: str
    starts_at: datetime | None  # None: it is not held
    who: Attendee
    uid: str | None
    told: datetime | None


def check(account: Account) -> dict[str, Any]:
    """Read what can be booked, and choose the first where nobody has yet."""
    found = _api(account).event_types()
    if not found:
        raise Refused(SendError("no_event_type", "final", "This Cal.com account has no event type."))
    chosen = next((one for one in found if one["id"] == account.settings.get("event_type")), found[0])
    return {"event_types": found, "event_type": chosen["id"], "minutes": chosen["minutes"], "erases": False}


def send(account: Account, parcel: Parcel, now: datetime) -> None:
    """Let an appointment stand there as it stands here now."""
    with reading():
        wanted = _wanted(account, parcel.data[APPOINTMENT]["id"], now)
        db.session.rollback()
    if wanted is None or (wanted.starts_at is None and wanted.told is None):
        return
    api = _api(account)
    if wanted.starts_at is None:
        api.cancel(wanted.uid or "")
        _keep(account, wanted, wanted.uid or "", None, now)
        return
    try:
        booking = _placed(api, account, wanted, parcel.attempts)
    except Taken:
        give_back(account.config, wanted.appointment_id, now=now)
        return
    if booking is not None:
        _keep(account, wanted, booking.uid, booking.starts_at, now)


def everything(now: datetime) -> Sequence[tuple[str, str, Select[int]]]:
    """Every appointment that is still to come."""
    ahead = (
        Appointment.status == "confirmed",
        Appointment.starts_at > now,
        Appointment.contact_id.in_(REAL),
    )
    return (("appointment.updated", APPOINTMENT, select(Appointment.id).where(*ahead)),)


def erase(account: Account, record: str, external_id: str) -> None:
    """Cancel what was booked; Cal.com's API deletes nothing of a person, and the receipt says so."""
    if record == APPOINTMENT:
        _api(account).cancel(external_id)


# --- free times, while a customer waits ---------------------------------------------------------------------


def is_on(config: Config) -> bool:
    """Tell whether appointments stand at Cal.com, too. Reads only."""
    account = account_at(SERVICE, config)
    return account is not None and account.settings.get("event_type") is not None


def ask_free_times(config: Config, *, now: datetime) -> None:
    """Ask when something may begin in the next days, and remember it for `free_times`.

    Asks the network, with no session of its own held.
    """
    is_ours = not db.session().in_transaction()
    with reading():
        account = account_at(SERVICE, config)
        if is_ours:
            db.session.rollback()
    event_type = account.settings.get("event_type") if account is not None else None
    heard = _heard()
    if account is None or event_type is None or heard.rests_until > time.monotonic():
        return
    try:
        last = now + timedelta(days=slots.OFFERED_DAYS)
        heard.times = _api(account, CHAT_TIMEOUT_SECS).slots(event_type, now, last)
        heard.ends_at = time.monotonic() + REMEMBERED_SECS
    except (Refused, KeyError, TypeError, ValueError, AttributeError) as error:
        log.warning("calcom_is_away", error=type(error).__name__)
        heard.rests_until, heard.ends_at = time.monotonic() + REST_SECS, 0.0


def free_times(config: Config) -> Sequence[datetime] | None:
    """Give the free times that were heard a moment ago; None where there is no such calendar, or it is away:
    our own hours count then."""
    heard = _heard()
    return heard.times if heard.ends_at > time.monotonic() and is_on(config) else None


def calendar_with(config: Config, starts_at: datetime) -> Sequence[datetime] | None:
    """Take the word of who books a time: where Cal.com is on it has the last word, a moment later. None where
    our own hours decide."""
    return [starts_at] if is_on(config) else None


@dataclass(slots=True)
class _Heard:
    """What one process heard of free times, how long it holds, and until when it asks no more."""

    times: Sequence[datetime] = ()
    ends_at: float = 0.0
    rests_until: float = 0.0


def _heard() -> _Heard:
    return current_app.extensions.setdefault("balcao_calcom_times", _Heard())  # type: ignore[no-any-return]


# --- writing ------------------------------------------------------------------------------------------------


def _placed(api: CalCom, account: Account, wanted: _Wanted, attempts: int) -> Booking | None:
    """Book or move; None when it stands there already. A line may have been cut after all was done."""
    if wanted.starts_at is None or wanted.told == wanted.starts_at:
        return None
    if wanted.told is not None and wanted.uid is not None:
        try:
            return api.move(wanted.uid, wanted.starts_at)
        except Taken:
            if found := api.find(wanted.reference, wanted.starts_at):
                return found
            raise
    event_type = account.settings.get("event_type")
    if event_type is None:
        raise Refused(NO_EVENT_TYPE)
    if attempts > 1 and (found := api.find(wanted.reference, wanted.starts_at)):
        return found
    try:
        return api.book(event_type, wanted.starts_at, wanted.who, wanted.reference)
    except Taken:
        if found := api.find(wanted.reference, wanted.starts_at):
            return found
        raise


def give_back(config: Config, appointment_id: int, *, now: datetime) -> None:
    """Give a time back that is taken there, ask the customer to choose again, and tell people of ours."""
    row = db.session.get(Appointment, appointment_id, populate_existing=True)
    if row is None or row.status != "confirmed" or row.starts_at is None:
        return
    appointments.set_status(row, "requested", now=now, by=PROVIDER)
    if row.conversation_id is not None:
        when = telling.moment_for(row.conversation_id, row.starts_at.astimezone(config.zone))
        telling.tell(row.conversation_id, "appointment_taken", now=now, when=when)
    row.starts_at = row.ends_at = None
    words = f"Appointment {row.number}: its time is taken at Cal.com, the customer was asked for another one"
    alerts.raise_alert(
        APPOINTMENT, f"appointment:{row.number}", words, now=now, conversation_id=row.conversation_id
    )
    db.session.flush()


def _wanted(account: Account, appointment_id: int, now: datetime) -> _Wanted | None:
    row = db.session.get(Appointment, appointment_id)
    if row is None:
        return None
    link = links.of(account.endpoint_id, APPOINTMENT, row.id)
    told = told_time(link)
    is_held = row.status in appointments.HOLDING and row.starts_at is not None
    if is_held and row.starts_at is not None and row.starts_at <= now:
        return None  # it is over: nothing is booked in the past
    is_over = row.status in ("done", "no_show")
    if is_over:
        return None
    return _Wanted(
        row.id,
        row.contact_id,
        reference_of(account, row.id),
        row.starts_at if is_held else None,
        _attendee(row, account.config),
        link.external_id if link is not None else None,
        told,
    )


def told_time(link: ConnectorLink | None) -> datetime | None:
    """Give the time that stands there; None when nothing does."""
    start = (link.facts or {}).get("start") if link is not None else None
    return datetime.fromisoformat(start) if start else None


def reference_of(account: Account, appointment_id: int) -> str:
    """Name an appointment so that a stranger's booking cannot claim to be it."""
    return vault.sign(account.key(APPOINTMENT, appointment_id), account.config.secret_key)


def _attendee(row: Appointment, config: Config) -> Attendee:
    contact = db.session.get_one(Contact, row.contact_id)
    wa_id = contact.identity("wa_id")
    phone = (normalise(wa_id) or "") if wa_id else ""
    language = texts.text_language(contact.language)
    name = contact.name or phone or row.number or "WhatsApp"
    return Attendee(name, contact.email, phone, language, config.time_zone)


def _keep(account: Account, wanted: _Wanted, uid: str, start: datetime | None, now: datetime) -> None:
    links.keep(
        account.endpoint_id,
        APPOINTMENT,
        wanted.appointment_id,
        contact_id=wanted.contact_id,
        external_id=uid,
        facts={"start": start.isoformat() if start is not None else None},
        now=now,
    )


def _api(account: Account, timeout_secs: float = TIMEOUT_SECS) -> CalCom:
    allow_private = account.config.allow_private_addresses
    return CalCom(account.token, account.url, allow_private=allow_private, timeout_secs=timeout_secs)
