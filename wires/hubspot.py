"""HubSpot's CRM: contacts and deals by their ids or by a property of ours, and what belongs to what.

Sources: developers.hubspot.com/docs, CRM API v3 (objects, search, properties, pipelines), associations v4,
usage guidelines (limits, 429 with `policyName`). A search sees what was written some seconds ago and no
sooner, so that `upsert` by a unique property of ours is what creates nothing twice.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from providers.base import SendError
from wires.json_api import JsonApi, Refused

BASE_URL: Final = "https://api.hubapi.com"
BUSY_SECS: Final = {"SECONDLY": 1.0, "TEN_SECONDLY_ROLLING": 10.0, "DAILY": 3600.0}
OUR_ID: Final = "balcao_id"
OPTED_OUT: Final = "balcao_opted_out_at"
CONTACT_READ: Final = ("email", "phone", "firstname", "lastname", OUR_ID, OPTED_OUT)
# The e-mail address of a contact is unique there; the search may not know it yet.
_EXISTING: Final = re.compile(r"Existing ID: (\d+)")
_PROPERTIES: Final = (
    ("contacts", OUR_ID, "Balcão id", "string", "text", True),
    ("contacts", OPTED_OUT, "Balcão: wants no messages since", "datetime", "date", False),
    ("deals", OUR_ID, "Balcão id", "string", "text", True),
)
_GROUPS: Final = {"contacts": "contactinformation", "deals": "dealinformation"}


@dataclass(frozen=True, slots=True)
class Found:
    """A contact as it stands there."""

    id: str
    properties: Mapping[str, Any]


class HubSpot:
    """One account; every verb raises Refused. Keeps nothing."""

    def __init__(self, token: str, base_url: str, *, allow_private: bool) -> None:
        self._api = JsonApi("HubSpot", base_url, token, allow_private, busy_secs=BUSY_SECS)

    def pipelines(self) -> list[dict[str, Any]]:
        """List the pipelines of deals, as they stand: [{id, label, stages: [{id, label, probability}]}]."""
        found = self._api.ask("GET", "/crm/v3/pipelines/deals")["results"]
        return [
            {
                "id": str(one["id"]),
                "label": str(one["label"]),
                "stages": [
                    {
                        "id": str(stage["id"]),
                        "label": str(stage["label"]),
                        "probability": str((stage.get("metadata") or {}).get("probability", "")),
                    }
                    for stage in sorted(one["stages"], key=lambda stage: stage.get("displayOrder", 0))
                ],
            }
            for one in found
        ]

    def lay_properties(self) -> None:
        """Make the properties that are ours, where they are missing."""
        for kind, name, label, type_, field_type, is_unique in _PROPERTIES:
            if self._or_none("GET", f"/crm/v3/properties/{kind}/{name}") is not None:
                continue
            wanted: dict[str, Any] = {"name": name, "label": label, "type": type_}
            wanted |= {"groupName": _GROUPS[kind], "fieldType": field_type, "hasUniqueValue": is_unique}
            try:
                self._api.ask("POST", f"/crm/v3/properties/{kind}", wanted)
            except Refused as refusal:
                if refusal.status != 409:  # somebody else made it just now
                    raise

    def contact(self, object_id: str) -> Found | None:
        """Read a contact; None when it was deleted, or merged away, there."""
        path = f"/crm/v3/objects/contacts/{quote(object_id)}"
        row = self._or_none("GET", path, query={"properties": ",".join(CONTACT_READ)})
        return None if row is None else Found(str(row["id"]), row["properties"])

    def find_contact(self, key: str, email: str, phones: Sequence[str]) -> Found | None:
        """Find a person: by our id, else by e-mail, else by phone in any of these spellings."""
        wanted: list[dict[str, Any]] = [{"propertyName": OUR_ID, "operator": "EQ", "value": key}]
        if email:
            wanted.append({"propertyName": "email", "operator": "EQ", "value": email.lower()})
        for name in ("phone", "mobilephone") if phones else ():
            wanted.append({"propertyName": name, "operator": "IN", "values": list(phones)})
        asked = {
            "filterGroups": [{"filters": [one]} for one in wanted],
            "properties": list(CONTACT_READ),
            "limit": 10,
        }
        rows = self._api.ask("POST", "/crm/v3/objects/contacts/search", asked)["results"]
        found = [Found(str(row["id"]), row["properties"]) for row in rows]

        def surest(one: Found) -> int:
            same_mail = bool(email) and str(one.properties.get("email") or "").lower() == email.lower()
            return 0 if one.properties.get(OUR_ID) == key else 1 if same_mail else 2

        return min(found, key=surest, default=None)

    def change(self, kind: str, object_id: str, properties: Mapping[str, str]) -> bool:
        """Change an object; False when it is not there any more."""
        path = f"/crm/v3/objects/{kind}/{quote(object_id)}"
        return self._or_none("PATCH", path, {"properties": dict(properties)}) is not None

    def upsert(self, kind: str, key: str, properties: Mapping[str, str]) -> str:
        """Create an object under our id, or change the one that has it; gives its id there. Idempotent."""
        one = {"idProperty": OUR_ID, "id": key, "properties": {**properties, OUR_ID: key}}
        try:
            answer = self._api.ask("POST", f"/crm/v3/objects/{kind}/batch/upsert", {"inputs": [one]})
        except Refused as refusal:
            known = _EXISTING.search(refusal.said) if refusal.status == 409 else None
            if known is None or not self.change(kind, known[1], {OUR_ID: key}):
                raise
            return known[1]
        if not answer.get("results"):  # 207: what was asked is refused inside of what was taken
            raise Refused(SendError("refused", "final", "HubSpot refused the values."), 207)
        return str(answer["results"][0]["id"])

    def associate(self, deal_id: str, contact_id: str) -> None:
        """Let a deal be a contact's. Idempotent."""
        path = f"/crm/v4/objects/deals/{quote(deal_id)}/associations/default/contacts/{quote(contact_id)}"
        self._api.ask("PUT", path)

    def erase_contact(self, contact_id: str) -> None:
        """Delete a contact for good, with what hangs on it (GDPR). One that is gone is no fault."""
        self._or_none("POST", "/crm/v3/objects/contacts/gdpr-delete", {"objectId": contact_id})

    def _or_none(
        self, method: str, path: str, payload: Any = None, *, query: Mapping[str, str] | None = None
    ) -> Any:
        try:
            return self._api.ask(method, path, payload, query=query)
        except Refused as refusal:
            if refusal.status == 404:
                return None
            raise
