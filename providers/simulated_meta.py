"""A simulated phone's events as Meta would post them: JSON, signed with the app secret.

`simulator.webhook` calls it. Pure.
"""

import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

from phone import normalise
from providers import meta_errors
from providers.base import Account, InboundMedia, OrderItem, ProviderError
from providers.meta_events import MINOR_DIGITS
from providers.meta_webhooks import SIGNATURE_HEADER
from providers.simulated_events import SimulatedEvent, SimulatedRequest

PATH = "/webhook"
_DISPLAY_NUMBER = "15550100000"


def build(account: Account, event: SimulatedEvent, at: datetime) -> SimulatedRequest:
    """Build and sign the webhook of `event`, whose ids and time are set."""
    field_name, value = _VALUES.get(event.kind, _message)(account, event, at)
    change = {"field": field_name, "value": value}
    entry = {"id": account.business_id or "0", "time": int(at.timestamp()), "changes": [change]}
    return sign(account, {"object": "whatsapp_business_account", "entry": [entry]})


def sign(account: Account, payload: Any) -> SimulatedRequest:
    """Write and sign any payload as Meta does: ASCII only, `/` escaped."""
    body = json.dumps(payload, separators=(",", ":")).replace("/", "\\/").encode()
    signature = hmac.new(account.app_secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "facebookexternalua",
        SIGNATURE_HEADER: f"sha256={signature}",
    }
    return SimulatedRequest(PATH, body, headers)


def _message(account: Account, event: SimulatedEvent, at: datetime) -> tuple[str, dict[str, Any]]:
    who = event.person
    contact = {
        "profile": _present(name=who.name or "", username=who.username),
        **_present(wa_id=who.wa_id, user_id=who.bsuid, parent_user_id=who.parent_bsuid),
    }
    message = {
        **_present(
            **{"from": who.wa_id},
            from_user_id=who.bsuid,
            from_parent_user_id=who.parent_bsuid,
            id=event.external_id,
            timestamp=str(int(at.timestamp())),
            referral=dict(event.referral) if event.referral else None,
        ),
        **_content(account, event),
    }
    if event.quotes:
        message["context"] = {"from": _display(account), "id": event.quotes}
    return "messages", {**_frame(account), "contacts": [contact], "messages": [message]}


def _content(account: Account, event: SimulatedEvent) -> dict[str, Any]:
    if event.kind == "choice":
        name = f"{event.choice_kind}_reply"
        reply = {"id": event.choice_id, "title": event.choice_title}
        return {"type": "interactive", "interactive": {"type": name, name: reply}}
    if event.kind == "order":
        items = [_order_item(item) for item in event.order_items]
        order = {"catalog_id": "0", "text": event.text, "product_items": items}
        return {"type": "order", "order": order}
    if event.kind == "reaction":
        reaction = {"message_id": event.target, **({"emoji": event.emoji} if event.emoji else {})}
        return {"type": "reaction", "reaction": reaction}
    if event.kind == "media" and event.media:
        return {"type": event.media.media_kind, event.media.media_kind: _file(event, event.media)}
    if event.kind == "location":
        place = {"latitude": event.latitude, "longitude": event.longitude}
        return {"type": "location", "location": place | ({"name": event.text} if event.text else {})}
    return {"type": "text", "text": {"body": event.text}}


def _order_item(item: OrderItem) -> dict[str, Any]:
    price = item.price_minor / 10 ** MINOR_DIGITS.get(item.currency, 2)
    return {
        "product_retailer_id": item.retailer_id,
        "quantity": str(item.quantity),
        "item_price": price,
        "currency": item.currency,
    }


def _file(event: SimulatedEvent, media: InboundMedia) -> dict[str, Any]:
    return _present(
        id=media.media_id or "0",
        mime_type=media.mime_type or None,
        sha256=media.sha256 or None,
        caption=event.text or None,
        filename=media.filename or None,
        voice=True if media.is_voice else None,
    )


def _status(account: Account, event: SimulatedEvent, at: datetime) -> tuple[str, dict[str, Any]]:
    who = event.person
    status = _present(
        id=event.external_id,
        status=event.status,
        timestamp=str(int(at.timestamp())),
        recipient_id=who.wa_id,
        recipient_user_id=None if event.status == "failed" and who.wa_id else who.bsuid,
        biz_opaque_callback_data=event.reference or None,
    )
    if event.error_code:
        title = event.error_title or meta_errors.explain(ProviderError(event.error_code)).operator_message
        error = {"code": event.error_code, "title": title, "message": title, "error_data": {"details": title}}
        status["errors"] = [error]
    value = {**_frame(account), "statuses": [status]}
    if event.status != "failed":
        profile = {"profile": {"name": who.name or ""}}
        value["contacts"] = [{**profile, **_present(wa_id=who.wa_id, user_id=who.bsuid)}]
    return "messages", value


def _echo(account: Account, event: SimulatedEvent, at: datetime) -> tuple[str, dict[str, Any]]:
    """The owner writes on her own phone; the customer is the recipient."""
    echo = {
        "from": _display(account),
        **_present(to=event.person.wa_id, to_user_id=event.person.bsuid),
        "id": event.external_id,
        "timestamp": str(int(at.timestamp())),
        "type": "text",
        "text": {"body": event.text},
    }
    return "smb_message_echoes", {**_frame(account), "message_echoes": [echo]}


def _frame(account: Account) -> dict[str, Any]:
    metadata = {"display_phone_number": _display(account), "phone_number_id": account.number_id}
    return {"messaging_product": "whatsapp", "metadata": metadata}


def _display(account: Account) -> str:
    number = normalise(account.number_id)
    return number.removeprefix("+") if number else _DISPLAY_NUMBER


def _present(**fields: Any) -> dict[str, Any]:
    """Leave out what is not known, as Meta does: never an empty text in the place of an id."""
    return {name: value for name, value in fields.items() if value is not None}


_VALUES = {"status": _status, "echo": _echo}
