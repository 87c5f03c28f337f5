"""HubSpot: people who ask or buy become contacts, leads and paid orders become deals.

What people wrote in HubSpot is theirs: an empty field is filled in, a filled one is left. A deal's stage
follows the lead's status; a paid order closes the deal of the open lead that it came from, or gets one of its
own. A deal's name holds no personal data, so that a deletion leaves figures and nobody's name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from babel.numbers import get_currency_precision
from sqlalchemy import Select, select

from connectors.account import REAL, Account
from crm.leads import OPEN_STATUSES
from models import ConnectorLink, Lead, Order, db, reading
from phone import variants
from providers.base import SendError
from webhooks_out import kinds, links
from webhooks_out.deliveries import Parcel
from wires import hubspot
from wires.hubspot import HubSpot
from wires.json_api import Refused

BASE_URL: Final = hubspot.BASE_URL
KINDS: Final = ("lead.created", "lead.updated", "order.paid", "order.refunded", kinds.OPTED_OUT)
CONTACT: Final = "contact"
WON, LOST, REFUNDED = "won", "lost", "refunded"
PAID: Final = ("paid", "partly_refunded", "refunded")
# What a stage is worth by itself there: won and lost.
_CLOSED: Final = {"1.0": WON, "1": WON, "0.0": LOST, "0": LOST}


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of an event's things there: ids, and when a deal was last spoken of."""

    contact: str | None = None
    deal: str | None = None
    told_at: str = ""
    is_sold: bool = False  # the deal of a lead that an order has closed


def check(account: Account) -> dict[str, Any]:
    """Read the pipelines, make our properties, and choose stages where nobody has yet."""
    api = _api(account)
    found = api.pipelines()
    if not found:
        raise Refused(SendError("no_pipeline", "final", "This HubSpot account has no pipeline of deals."))
    api.lay_properties()
    chosen = next((one for one in found if one["id"] == account.settings.get("pipeline")), found[0])
    known = {stage["id"] for stage in chosen["stages"]}
    stages = {
        status: stage for status, stage in (account.settings.get("stages") or {}).items() if stage in known
    }
    return {
        "pipelines": found,
        "pipeline": chosen["id"],
        "stages": {**proposed_stages(chosen), **stages},
    }


def proposed_stages(pipeline: Mapping[str, Any]) -> dict[str, str]:
    """Propose a stage for each status of a lead: won and lost by what they are worth, the rest in order."""
    by_end = {_CLOSED.get(stage["probability"]): stage["id"] for stage in pipeline["stages"]}
    still_open = [stage["id"] for stage in pipeline["stages"] if stage["probability"] not in _CLOSED]
    if not still_open:
        return {}
    steps = {status: still_open[min(i, len(still_open) - 1)] for i, status in enumerate(OPEN_STATUSES)}
    return steps | {end: by_end[end] for end in (WON, LOST) if end in by_end}


def send(account: Account, parcel: Parcel, now: datetime) -> None:
    """Write the person of an event, and the deal of her lead or order."""
    record = next((name for name in ("lead", "order") if name in parcel.data), CONTACT)
    person, row = parcel.data[CONTACT], parcel.data.get(record, {})
    with reading():
        known = _known(account, record, row, person["id"], parcel.at)
        db.session.rollback()
    if record == CONTACT and known.contact is None:
        return  # she is none of theirs
    made: list[tuple[str, int, str, dict[str, Any] | None]] = []
    api = _api(account)
    try:
        contact_id = _write_contact(api, account, person, row, known.contact)
        made.append((CONTACT, person["id"], contact_id, None))
        if record != CONTACT and parcel.at.isoformat() >= known.told_at and not known.is_sold:
            deal_id = _write_deal(api, account, record, row, parcel, known.deal)
            made.append((record, row["id"], deal_id, {"at": parcel.at.isoformat()}))
            api.associate(deal_id, contact_id)
    finally:
        for name, record_id, external_id, facts in made:
            links.keep(
                account.endpoint_id,
                name,
                record_id,
                contact_id=person["id"],
                external_id=external_id,
                facts=facts,
                now=now,
            )


def everything(_now: datetime) -> Sequence[tuple[str, str, Select[int]]]:
    """Every lead, then every order that was paid."""
    return (
        ("lead.updated", "lead", select(Lead.id).where(Lead.contact_id.in_(REAL))),
        (
            "order.paid",
            "order",
            select(Order.id).where(Order.payment_status.in_(PAID), Order.contact_id.in_(REAL)),
        ),
    )


def erase(account: Account, record: str, external_id: str) -> None:
    """Delete a contact for good; deals hold no personal data, and stay for the figures."""
    if record == CONTACT and account.settings["erases"]:
        _api(account).erase_contact(external_id)


# --- the person ---------------------------------------------------------------------------------------------


def _write_contact(
    api: HubSpot, account: Account, person: Mapping[str, Any], row: Mapping[str, Any], known_id: str | None
) -> str:
    key = account.key(CONTACT, person["id"])
    wanted = _contact_properties(person, row)
    found = api.contact(known_id) if known_id is not None else None
    if found is None:
        phones = _spellings(wanted.get("phone", ""))
        found = api.find_contact(key, wanted.get("email", ""), phones)
    if found is None:
        return api.upsert("contacts", key, wanted)
    missing = {
        name: value
        for name, value in {**wanted, hubspot.OUR_ID: key}.items()
        if not found.properties.get(name) or name == hubspot.OPTED_OUT
    }
    if found.properties.get(hubspot.OPTED_OUT) and hubspot.OPTED_OUT not in wanted:
        missing[hubspot.OPTED_OUT] = ""  # she takes messages again
    if missing:
        api.change("contacts", found.id, missing)
    return found.id


def _contact_properties(person: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, str]:
    """Write a person down as HubSpot does; what a lead's form says fills what the contact does not know."""
    first, _, last = (person["name"] or row.get("name") or "").strip().partition(" ")
    written = {
        "firstname": first,
        "lastname": last.strip(),
        "email": person["email"] or row.get("email") or "",
        "phone": person["phone"] or row.get("phone") or "",
        hubspot.OPTED_OUT: person["opted_out_at"] or "",
    }
    return {name: value for name, value in written.items() if value}


def _spellings(number: str) -> list[str]:
    """Give the ways in which a number may stand there."""
    digits = number.removeprefix("+")
    if not digits.isdecimal():
        return [number] if number else []
    return [spelling for one in variants(digits) for spelling in (f"+{one}", one)]


# --- the deal -----------------------------------------------------------------------------------------------


def _write_deal(
    api: HubSpot,
    account: Account,
    record: str,
    row: Mapping[str, Any],
    parcel: Parcel,
    known_id: str | None,
) -> str:
    properties = _deal_properties(account, record, row)
    if known_id is not None and api.change("deals", known_id, properties):
        return known_id
    name = row.get("interest") or ", ".join(item["name"] for item in row.get("items", ())) or "WhatsApp"
    number = row.get("number") or row["id"]
    return api.upsert(
        "deals", account.key(record, row["id"]), {"dealname": f"{name} · {number}", **properties}
    )


def _deal_properties(account: Account, record: str, row: Mapping[str, Any]) -> dict[str, str]:
    settings = account.settings
    status = row["status"] if record == "lead" else LOST if row["payment_status"] == REFUNDED else WON
    stage = (settings.get("stages") or {}).get(status)
    if stage is None:
        words = f"Choose the stage of the pipeline for “{status}”."
        raise Refused(SendError("no_stage", "retry", words, 3600.0, "number"))
    written = {"pipeline": settings["pipeline"], "dealstage": stage}
    if status in (WON, LOST):
        written["closedate"] = row.get("paid_at") or row["updated_at"]
    if record == "order":
        currency = row["currency"]
        amount = Decimal(row["total_minor"]).scaleb(-get_currency_precision(currency))
        written |= {"amount": str(amount), "deal_currency_code": currency}
    return written


def _known(account: Account, record: str, row: Mapping[str, Any], contact_id: int, at: datetime) -> _Known:
    person = links.of(account.endpoint_id, CONTACT, contact_id)
    person_id = person.external_id if person is not None else None
    if record == CONTACT:
        return _Known(person_id)
    deal = links.of(account.endpoint_id, record, row["id"])
    if record == "lead":
        is_sold = deal is not None and _order_of(account, deal.external_id)
        return _Known(person_id, *_of_link(deal), is_sold)
    paid_at = datetime.fromisoformat(row["paid_at"]) if row["paid_at"] else at
    return _Known(person_id, *_of_link(deal or _open_deal(account, contact_id, paid_at)))


def _of_link(link: ConnectorLink | None) -> tuple[str | None, str]:
    return (None, "") if link is None else (link.external_id, (link.facts or {}).get("at", ""))


def _order_of(account: Account, deal_id: str) -> bool:
    return links.known_as(account.endpoint_id, deal_id, "order") is not None


def _open_deal(account: Account, contact_id: int, paid_at: datetime) -> ConnectorLink | None:
    """Give the deal of the newest lead before a payment that is not lost, and that no order has closed."""
    theirs = db.session.scalars(
        select(ConnectorLink)
        .join(Lead, Lead.id == ConnectorLink.record_id)
        .where(
            ConnectorLink.endpoint_id == account.endpoint_id,
            ConnectorLink.record == "lead",
            Lead.contact_id == contact_id,
            Lead.created_at <= paid_at,
            Lead.status.in_((*OPEN_STATUSES, WON)),
        )
        .order_by(Lead.id.desc())
    )
    return next((link for link in theirs if not _order_of(account, link.external_id)), None)


def _api(account: Account) -> HubSpot:
    return HubSpot(account.token, account.url, allow_private=account.config.allow_private_addresses)
