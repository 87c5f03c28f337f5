"""A fake of HubSpot's CRM for one account: contacts, deals, properties, pipelines, associations; faults.

It refuses what developers.hubspot.com says is refused: unknown properties, values that no option has, a
second contact with the same e-mail (409 with the existing id), an upsert by a property that is not unique. A
search sees an object only once it was indexed, which takes `index_lag` further requests.
"""

import itertools
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.fakes.payment_fake import PaymentFake
from tests.fakes.server import Answer, Request, json_answer

TOKEN = "pat-na1-of-the-tests"
CURRENCIES = ("BRL", "USD")
PIPELINE = "default"
STAGES = (
    ("appointmentscheduled", "Appointment Scheduled", "0.2"),
    ("qualifiedtobuy", "Qualified To Buy", "0.4"),
    ("contractsent", "Contract Sent", "0.9"),
    ("closedwon", "Closed Won", "1.0"),
    ("closedlost", "Closed Lost", "0.0"),
)
BUILT_IN = {
    "contacts": {"email", "phone", "mobilephone", "firstname", "lastname"},
    "deals": {"dealname", "pipeline", "dealstage", "amount", "closedate", "deal_currency_code"},
}


class Refusal(Exception):
    def __init__(self, status: int, category: str, message: str) -> None:
        super().__init__(message)
        self.status, self.category, self.message = status, category, message


@dataclass
class Thing:
    """A contact or a deal."""

    id: str
    properties: dict[str, str]
    seen_at: int = 0  # the number of the request from which a search sees it


@dataclass
class FakeHubSpot(PaymentFake):
    """Start it with `with`; look at `things`, `associations` and `erased`."""

    token: str = TOKEN
    index_lag: int = 0
    retry_after: str = ""
    policy: str = "TEN_SECONDLY_ROLLING"
    things: dict[str, dict[str, Thing]] = field(default_factory=lambda: {"contacts": {}, "deals": {}})
    properties: dict[str, dict[str, bool]] = field(
        default_factory=lambda: {kind: dict.fromkeys(names, False) for kind, names in BUILT_IN.items()}
    )
    associations: set[tuple[str, str]] = field(default_factory=set)
    erased: list[str] = field(default_factory=list)
    ids: Any = field(default_factory=lambda: itertools.count(1001))

    def contacts(self) -> list[dict[str, str]]:
        return [one.properties for one in self.things["contacts"].values()]

    def deals(self) -> list[dict[str, str]]:
        return [one.properties for one in self.things["deals"].values()]

    def write_by_hand(self, kind: str, **properties: str) -> str:
        """Let somebody write into HubSpot's own pages."""
        thing = Thing(str(next(self.ids)), properties)
        self.things[kind][thing.id] = thing
        return thing.id

    # --- the side of the wire -------------------------------------------------------------------------------

    def target_of(self, request: Request) -> str:
        if "upsert" in request.path:
            return "create"
        return "list" if request.method == "GET" or "search" in request.path else "send"

    def fault_payload(self, status: int) -> Any:
        if status == 429:
            words = f"You have reached your {self.policy.lower()} limit."
            return {"status": "error", "message": words, "errorType": "RATE_LIMIT", "policyName": self.policy}
        return {"status": "error", "message": "internal error", "category": "INTERNAL_ERROR"}

    def _refuse(self, request: Request, status: int) -> Answer:
        headers = {"Retry-After": self.retry_after} if status == 429 and self.retry_after else {}
        return json_answer(self.fault_payload(status), status, headers=headers)

    def route(self, request: Request) -> tuple[int, Any]:
        try:
            return self._answer(request)
        except Refusal as refusal:
            body = {"status": "error", "message": refusal.message, "category": refusal.category}
            return refusal.status, {**body, "correlationId": "aeb5f871-7f07-4993-9211-075dc63e7cbf"}

    def _answer(self, request: Request) -> tuple[int, Any]:
        if request.headers.get("authorization") != f"Bearer {self.token}":
            words = "Authentication credentials not found or not valid."
            raise Refusal(401, "INVALID_AUTHENTICATION", words)
        body = json.loads(request.body) if request.body else {}
        match request.path.strip("/").split("/")[1:]:
            case ["v3", "pipelines", "deals"]:
                return 200, {"results": [_pipeline()]}
            case ["v3", "properties", kind, name]:
                if name not in self.properties[kind]:
                    raise Refusal(404, "OBJECT_NOT_FOUND", f"Property {name} does not exist")
                return 200, {"name": name, "hasUniqueValue": self.properties[kind][name]}
            case ["v3", "properties", kind]:
                self.properties[kind][body["name"]] = bool(body.get("hasUniqueValue"))
                return 201, body
            case ["v3", "objects", "contacts", "search"]:
                return 200, self._search(body)
            case ["v3", "objects", "contacts", "gdpr-delete"]:
                self._find("contacts", body["objectId"])
                del self.things["contacts"][body["objectId"]]
                self.erased.append(body["objectId"])
                return 204, None
            case ["v3", "objects", kind, "batch", "upsert"]:
                rows = [self._upsert(kind, one) for one in body["inputs"]]
                return 200, {"status": "COMPLETE", "results": rows}
            case ["v3", "objects", kind, object_id]:
                thing = self._find(kind, object_id)
                if request.method == "PATCH":
                    self._write(kind, thing, body["properties"])
                return 200, _shown(thing)
            case ["v4", "objects", "deals", deal_id, "associations", "default", "contacts", contact_id]:
                self._find("deals", deal_id)
                self._find("contacts", contact_id)
                self.associations.add((deal_id, contact_id))
                return 200, {"status": "COMPLETE"}
        raise Refusal(404, "OBJECT_NOT_FOUND", "no such address")

    def _search(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert len(asked["filterGroups"]) <= 5
        found = []
        for thing in self.things["contacts"].values():
            if thing.seen_at > len(self.requests):
                continue
            for group in asked["filterGroups"]:
                if all(_fits(thing, one) for one in group["filters"]):
                    found.append(_shown(thing))
                    break
        return {"total": len(found), "results": found}

    def _upsert(self, kind: str, one: dict[str, Any]) -> dict[str, Any]:
        name = one["idProperty"]
        if not self.properties[kind].get(name):
            words = f"Unable to perform update/upsert by non-unique property {name}"
            raise Refusal(400, "VALIDATION_ERROR", words)
        same = (t for t in self.things[kind].values() if t.properties.get(name) == one["id"])
        thing = next(same, None)
        if is_new := thing is None:
            thing = Thing("", {}, len(self.requests) + self.index_lag)
        self._write(kind, thing, one["properties"])
        if is_new:
            thing.id = str(next(self.ids))
            self.things[kind][thing.id] = thing
        return _shown(thing) | {"new": is_new}

    def _write(self, kind: str, thing: Thing, written: dict[str, str]) -> None:
        for name, value in written.items():
            if name not in self.properties[kind]:
                words = f'Property values were not valid: Property "{name}" does not exist'
                raise Refusal(400, "VALIDATION_ERROR", words)
            options = {
                "dealstage": [stage[0] for stage in STAGES],
                "pipeline": [PIPELINE],
                "deal_currency_code": CURRENCIES,
            }
            if name in options and value not in options[name]:
                raise Refusal(400, "VALIDATION_ERROR", f"{value} was not one of the allowed options")
            if name == "email" or self.properties[kind][name]:
                for other in self.things[kind].values():
                    if other is not thing and other.properties.get(name) == value:
                        words = f"Contact already exists. Existing ID: {other.id}"
                        raise Refusal(409, "CONFLICT", words)
        thing.properties.update(written)

    def _find(self, kind: str, object_id: str) -> Thing:
        thing = self.things[kind].get(object_id)
        if thing is None:
            raise Refusal(404, "OBJECT_NOT_FOUND", "Object not found.")
        return thing


def _fits(thing: Thing, one: dict[str, Any]) -> bool:
    value = thing.properties.get(one["propertyName"], "")
    return value in one["values"] if one["operator"] == "IN" else value == one["value"]


def _shown(thing: Thing) -> dict[str, Any]:
    at = datetime.now(UTC).isoformat()
    return {"id": thing.id, "properties": thing.properties, "createdAt": at, "archived": False}


def _pipeline() -> dict[str, Any]:
    stages = [
        {"id": id_, "label": label, "displayOrder": place, "metadata": {"probability": probability}}
        for place, (id_, label, probability) in enumerate(STAGES)
    ]
    return {"id": PIPELINE, "label": "Sales Pipeline", "displayOrder": 0, "stages": stages}
