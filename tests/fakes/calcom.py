"""A fake of Cal.com's API v2 for one account with one event type; signed webhooks; faults.

Each address wants its own `cal-api-version`. A time takes one booking: the second is refused with 400 and
Cal.com's words. A booking that is moved gets a new uid, and the old one stays as cancelled. People act on its
pages through `book_by_hand`, `move_by_hand` and `cancel_by_hand`, which give the webhook that follows.
"""

import hashlib
import hmac
import itertools
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from tests.fakes.payment_fake import PaymentFake
from tests.fakes.server import Request

KEY = "cal_live_of_the_tests"
SECRET = "secret-of-the-tests"
EVENT_TYPE = 123
MINUTES = 30
TAKEN = "User either already has booking at this time or is not available"


class Refusal(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


@dataclass
class Booked:
    """One booking."""

    uid: str
    start: datetime
    attendee: dict[str, str]
    metadata: dict[str, str]
    status: str = "accepted"
    moved_from: str = ""


@dataclass
class FakeCalCom(PaymentFake):
    """Start it with `with`; `open_times` is when its calendar is open at all."""

    key: str = KEY
    open_times: list[datetime] = field(default_factory=list)
    bookings: list[Booked] = field(default_factory=list)
    uids: Any = field(default_factory=lambda: itertools.count(1))

    def standing(self) -> list[Booked]:
        return [one for one in self.bookings if one.status == "accepted"]

    def book_by_hand(self, start: datetime, **attendee: str) -> bytes:
        booked = self._book(start, {"name": "Ana", "timeZone": "UTC", **attendee}, {})
        return self.webhook("BOOKING_CREATED", booked)

    def move_by_hand(self, uid: str, start: datetime) -> bytes:
        return self.webhook("BOOKING_RESCHEDULED", self._move(uid, start))

    def cancel_by_hand(self, uid: str) -> bytes:
        return self.webhook("BOOKING_CANCELLED", self._cancel(uid))

    def webhook(self, trigger: str, booked: Booked, at: datetime | None = None) -> bytes:
        """Write a webhook as it goes over the wire."""
        payload = {
            "type": "30min",
            "title": "30min between Loja and Ana",
            "eventTitle": "30min",
            "startTime": _written(booked.start),
            "endTime": _written(booked.start + timedelta(minutes=MINUTES)),
            "organizer": {"id": 5, "name": "Loja", "email": "loja@example.com", "timeZone": "UTC"},
            "attendees": [booked.attendee],
            "eventTypeId": EVENT_TYPE,
            "uid": booked.uid,
            "metadata": booked.metadata,
            "status": "CANCELLED" if booked.status == "cancelled" else "ACCEPTED",
            **({"rescheduleUid": booked.moved_from} if booked.moved_from else {}),
        }
        at = at or datetime.now(UTC)
        body = {"triggerEvent": trigger, "createdAt": at.isoformat(), "payload": payload}
        return json.dumps(body).encode()

    # --- the side of the wire -------------------------------------------------------------------------------

    def target_of(self, request: Request) -> str:
        if request.path.endswith("/cancel"):
            return "cancel"
        if request.method == "POST":
            return "send" if request.path.endswith("/reschedule") else "create"
        return "list" if request.path == "/v2/slots" else "fetch"

    def fault_payload(self, status: int) -> Any:
        return _refusal(status, "Internal server error")

    def route(self, request: Request) -> tuple[int, Any]:
        try:
            status, data = self._answer(request)
        except Refusal as refusal:
            return refusal.status, _refusal(refusal.status, refusal.message)
        return status, {"status": "success", "data": data}

    def _answer(self, request: Request) -> tuple[int, Any]:
        if request.headers.get("authorization") != f"Bearer {self.key}":
            raise Refusal(401, "Invalid API key")
        version = request.headers.get("cal-api-version")
        body = json.loads(request.body) if request.body else {}
        query = {name: values[0] for name, values in parse_qs(request.query_string).items()}
        match request.path.strip("/").split("/")[1:], version:
            case ["event-types"], "2024-06-14":
                return 200, [
                    {"id": EVENT_TYPE, "title": "30 min", "slug": "30min", "lengthInMinutes": MINUTES}
                ]
            case ["slots"], "2024-09-04":
                return 200, self._slots(query)
            case ["bookings"], "2024-08-13":
                if request.method == "GET":
                    first, last = (_moment(query[name]) for name in ("afterStart", "beforeEnd"))
                    return 200, [_shown(one) for one in self.standing() if first <= one.start < last]
                return 201, _shown(self._create(body))
            case ["bookings", uid, "reschedule"], "2024-08-13":
                return 201, _shown(self._move(uid, _moment(body["start"])))
            case ["bookings", uid, "cancel"], "2024-08-13":
                return 200, _shown(self._cancel(uid))
        raise Refusal(404, f"Cannot {request.method} {request.path} in version {version}")

    def _slots(self, query: dict[str, str]) -> dict[str, list[dict[str, str]]]:
        assert query["eventTypeId"] == str(EVENT_TYPE)
        first, last = _moment(query["start"]), _moment(query["end"])
        days: dict[str, list[dict[str, str]]] = {}
        for at in self.open_times:
            if first <= at < last and not self._is_taken(at):
                days.setdefault(at.date().isoformat(), []).append({"start": _written(at)})
        return days

    def _create(self, body: dict[str, Any]) -> Booked:
        who = body["attendee"]
        if body["eventTypeId"] != EVENT_TYPE:
            raise Refusal(404, f"Event type with id {body['eventTypeId']} not found.")
        if not (who.get("email") or who.get("phoneNumber")):
            raise Refusal(400, "At least one contact method (email or phone number) must be provided")
        return self._book(_moment(body["start"]), who, body.get("metadata", {}))

    def _book(self, start: datetime, who: dict[str, str], metadata: dict[str, str], old: str = "") -> Booked:
        if self._is_taken(start):
            raise Refusal(400, TAKEN)
        booked = Booked(f"uid{next(self.uids)}", start, who, metadata, moved_from=old)
        self.bookings.append(booked)
        return booked

    def _move(self, uid: str, start: datetime) -> Booked:
        old = self._find(uid)
        if old.status == "cancelled":
            raise Refusal(400, f"Can't reschedule booking with uid={uid} because it has been cancelled.")
        moved = self._book(start, old.attendee, old.metadata, uid)
        old.status = "cancelled"
        return moved

    def _cancel(self, uid: str) -> Booked:
        booked = self._find(uid)
        if booked.status == "cancelled":
            words = f"Can't cancel booking with uid={uid} because it has been cancelled already."
            raise Refusal(400, words)
        booked.status = "cancelled"
        return booked

    def _find(self, uid: str) -> Booked:
        found = next((one for one in self.bookings if one.uid == uid), None)
        if found is None:
            raise Refusal(404, f"Booking with uid={uid} was not found in the database")
        return found

    def _is_taken(self, start: datetime) -> bool:
        return any(one.start == start for one in self.standing())


def signature(body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _refusal(status: int, message: str) -> dict[str, Any]:
    return {"status": "error", "error": {"code": "BadRequestException", "message": message, "details": {}}}


def _shown(one: Booked) -> dict[str, Any]:
    return {
        "uid": one.uid,
        "status": one.status,
        "start": _written(one.start),
        "end": _written(one.start + timedelta(minutes=MINUTES)),
        "attendees": [one.attendee],
        "metadata": one.metadata,
    }


def _moment(written: str) -> datetime:
    return datetime.fromisoformat(written).astimezone(UTC)


def _written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
