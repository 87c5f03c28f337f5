"""Cal.com: free slots and bookings through API v2, and the signature of its webhooks.

Each group of addresses has a version of its own, which travels in a header. A booking that is moved gets a
new uid; the old one is told as where it came from. Sources: cal.com/docs/api-reference/v2 (slots, bookings,
event types), /docs/developing/guides/automation/webhooks.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from wires.json_api import TIMEOUT_SECS, JsonApi, Refused

BASE_URL: Final = "https://api.cal.com"
SLOTS: Final = "2024-09-04"
BOOKINGS: Final = "2024-08-13"
EVENT_TYPES: Final = "2024-06-14"
SIGNATURE: Final = "X-Cal-Signature-256"
# What its refusals of a time are called; they come with 400, newer ones with 409.
_TAKEN: Final = ("already has booking", "not available", "can't be booked at the", "in the past")
_OVER: Final = ("cancelled already", "already been cancelled", "already cancelled")
CANCELLED: Final = ("cancelled", "rejected")


class Taken(Exception):
    """The time is not free there (any more)."""


@dataclass(frozen=True, slots=True)
class Booking:
    """A booking as it stands there."""

    uid: str
    starts_at: datetime
    status: str
    reference: str = ""

    @property
    def stands(self) -> bool:
        return self.status not in CANCELLED


@dataclass(frozen=True, slots=True)
class Attendee:
    """Who comes. Cal.com wants an e-mail address or a phone number."""

    name: str
    email: str
    phone: str
    language: str
    zone: str


class CalCom:
    """One account; every verb raises Refused. Keeps nothing."""

    def __init__(
        self, token: str, base_url: str, *, allow_private: bool, timeout_secs: float = TIMEOUT_SECS
    ) -> None:
        self._api = JsonApi("Cal.com", base_url, token, allow_private, timeout_secs)

    def event_types(self) -> list[dict[str, Any]]:
        """List what can be booked: [{id, title, minutes}]."""
        found = self._ask("GET", "/v2/event-types", EVENT_TYPES)
        return [
            {"id": int(one["id"]), "title": str(one["title"]), "minutes": int(one["lengthInMinutes"])}
            for one in found
        ]

    def slots(self, event_type_id: int, first: datetime, last: datetime) -> list[datetime]:
        """List when something of this type may begin, in order."""
        query = {
            "eventTypeId": str(event_type_id),
            "start": _written(first),
            "end": _written(last),
            "timeZone": "UTC",
        }
        days = self._ask("GET", "/v2/slots", SLOTS, query=query)
        return sorted(_moment(slot["start"]) for day in days.values() for slot in day)

    def book(self, event_type_id: int, starts_at: datetime, who: Attendee, reference: str) -> Booking:
        """Book a time under a reference of ours. Raises Taken."""
        attendee = {"name": who.name, "timeZone": who.zone, "language": who.language}
        attendee |= {"email": who.email} if who.email else {}
        attendee |= {"phoneNumber": who.phone} if who.phone else {}
        wanted = {
            "start": _written(starts_at),
            "eventTypeId": event_type_id,
            "attendee": attendee,
            "metadata": {"balcao": reference},
        }
        return self._timed("/v2/bookings", wanted)

    def move(self, uid: str, starts_at: datetime) -> Booking:
        """Move a booking; what comes back has another uid. Raises Taken."""
        path = f"/v2/bookings/{quote(uid, safe='')}/reschedule"
        return self._timed(path, {"start": _written(starts_at)})

    def cancel(self, uid: str) -> None:
        """Cancel a booking. One that is cancelled or unknown is no fault."""
        path = f"/v2/bookings/{quote(uid, safe='')}/cancel"
        try:
            self._ask("POST", path, BOOKINGS, {"cancellationReason": "Balcão"})
        except Refused as refusal:
            is_over = refusal.status == 400 and any(words in refusal.said for words in _OVER)
            if not is_over and refusal.status != 404:
                raise

    def find(self, reference: str, starts_at: datetime) -> Booking | None:
        """Find the booking that stands at a time under a reference of ours."""
        query = {
            "afterStart": _written(starts_at - timedelta(minutes=1)),
            "beforeEnd": _written(starts_at + timedelta(days=1)),
            "status": "upcoming",
        }
        found = (_booking(one) for one in self._ask("GET", "/v2/bookings", BOOKINGS, query=query))
        return next((one for one in found if one.reference == reference and one.stands), None)

    def _timed(self, path: str, payload: Mapping[str, Any]) -> Booking:
        try:
            return _booking(self._ask("POST", path, BOOKINGS, payload))
        except Refused as refusal:
            if refusal.status == 409 or (
                refusal.status == 400 and any(words in refusal.said for words in _TAKEN)
            ):
                raise Taken from refusal
            raise

    def _ask(
        self,
        method: str,
        path: str,
        version: str,
        payload: Any = None,
        *,
        query: Mapping[str, str] | None = None,
    ) -> Any:
        headers = {"cal-api-version": version}
        return self._api.ask(method, path, payload, query=query, headers=headers)["data"]


def is_signed(body: bytes, given: str, secret: str) -> bool:
    """Check a webhook's signature over its exact bytes. Fails closed."""
    made = hmac.new(secret.encode(), body, "sha256").hexdigest()
    return bool(secret) and hmac.compare_digest(made.encode(), given.encode("utf-8", "replace"))


def _booking(row: Mapping[str, Any]) -> Booking:
    reference = (row.get("metadata") or {}).get("balcao", "")
    return Booking(str(row["uid"]), _moment(row["start"]), str(row["status"]), str(reference))


def _moment(written: str) -> datetime:
    return datetime.fromisoformat(written).astimezone(UTC)


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
