"""The third provider: it speaks Meta's or Twilio's language and reaches nobody.

The door takes its webhooks as any other; `whatsapp_service` sends through it with the real builders and
limits, so a message that could not leave does not seem to. The simulator page has `webhook` build and sign
what a phone would cause. No network, no state, no clock of its own.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

from twilio.request_validator import SIGNATURE_HEADER as TWILIO_SIGNATURE_HEADER
from twilio.request_validator import RequestValidator

from message_content import Content
from phone import normalise
from providers import meta_errors, meta_messages, twilio_errors, twilio_messages, twilio_webhooks
from providers.base import (
    Account,
    DownloadedMedia,
    Element,
    Event,
    Health,
    InboundMedia,
    Limits,
    MediaError,
    OrderItem,
    Person,
    ProviderError,
    SendError,
    Sent,
    SignedRequest,
)
from providers.headers import header
from providers.meta import meta
from providers.meta_events import MINOR_DIGITS
from providers.meta_webhooks import SIGNATURE_HEADER
from providers.twilio import twilio

__all__ = ["SimulatedEvent", "SimulatedRequest", "Simulator", "simulator", "webhook"]

Kind = Literal["text", "choice", "order", "reaction", "media", "location", "status", "echo"]
META_PATH = "/webhook"
TWILIO_PATH = "/whatsapp"
TWILIO_STATUS_PATH = "/whatsapp/status"
# Where a simulated file lies, for a provider that sends addresses.
_NOWHERE = "https://api.twilio.com/2010-04-01/Accounts/{account}/Messages/{message}/Media/{media}"
_DISPLAY_NUMBER = "15550100000"
_LIMITS = {"meta": meta_messages.LIMITS, "twilio": twilio_messages.LIMITS}
_BOTH = replace(meta_messages.LIMITS, text=twilio_messages.LIMITS.text)


@dataclass(frozen=True, slots=True)
class SimulatedEvent:
    """What happened on a phone, or to a message on its way to one.

    `person` is the customer in every kind; without `wa_id` the phone number is hidden. `external_id` is the
    provider's id: of the new message (empty: made from `reference`, or from the event itself), or in a status
    of the message meant. `at` is when it happened; None leaves it to `now`.
    """

    kind: Kind
    person: Person
    external_id: str = ""
    text: str = ""
    choice_id: str = ""
    choice_title: str = ""
    choice_kind: Literal["button", "list"] = "button"
    quotes: str | None = None
    referral: Mapping[str, Any] | None = None
    status: str = ""
    error_code: int = 0
    error_title: str = ""
    reference: str = ""
    at: datetime | None = None
    target: str = ""  # reaction: the message it is put on
    emoji: str = ""
    order_items: tuple[OrderItem, ...] = field(default=())
    media: InboundMedia | None = None
    latitude: float = 0.0
    longitude: float = 0.0


@dataclass(frozen=True, slots=True)
class SimulatedRequest:
    """A POST for the door: `path` with its query, exact bytes, and headers with the signature; `external_id`
    is the new message's (a status: of the message meant)."""

    path: str
    body: bytes
    headers: dict[str, str]
    external_id: str = ""


class Simulator:
    """The provider of simulated numbers. `shape` matters to `fit` alone: without it the result suits both."""

    name = "simulator"

    def __init__(self, shape: str = "") -> None:
        self.shape = shape
        self.limits: Limits = _LIMITS.get(shape, _BOTH)

    def verify(self, request: SignedRequest, app_secret: str) -> bool:
        if header(request.headers, TWILIO_SIGNATURE_HEADER):
            return twilio.verify(request, app_secret)
        return meta.verify(request, app_secret)

    def split(self, request: SignedRequest) -> list[Element]:
        is_form = "urlencoded" in header(request.headers, "Content-Type").lower()
        return twilio.split(request) if request.form or is_form else meta.split(request)

    def parse(self, payload: bytes) -> Event:
        """Read an element of either shape: Twilio's always begins with its form."""
        return twilio.parse(payload) if payload.startswith(b'{"form":') else meta.parse(payload)

    def fit(self, content: Content) -> tuple[Content, ...]:
        """Fit as the shape does; without one, Meta's buttons and lists with Twilio's shorter text."""
        if self.shape == "twilio":
            return twilio.fit(content)
        fitted = meta.fit(content)
        if self.shape == "meta":
            return fitted
        return tuple(p for part in fitted for p in (twilio.fit(part) if part.KIND == "text" else (part,)))

    def explain(self, error: ProviderError) -> SendError:
        # Twilio's codes have five digits and begin where Meta has none.
        is_twilios = error.code in twilio_errors.MEANINGS and error.code not in meta_errors.MEANINGS
        return twilio.explain(error) if is_twilios else meta.explain(error)

    def send(
        self, account: Account, to: Person, content: Content, *, reference: str, quotes: str | None = None
    ) -> Sent | SendError:
        """Build the real request and refuse what the real one would refuse; then say it was accepted.

        The id comes from the reference: sending twice gives the same message.
        """
        if account.shape != "twilio":
            payload = meta_messages.prepare(to, content, reference=reference, quotes=quotes)
            return payload if isinstance(payload, SendError) else Sent(_wamid(reference))
        # What was fitted without the shape may be a menu, which is more than one text here.
        for piece in twilio.fit(content) or (content,):
            fields = twilio_messages.prepare(account, to, piece, reference=reference)
            if isinstance(fields, SendError):
                return fields
        return Sent(_sid("SM", reference))

    def mark_read(self, account: Account, external_id: str, *, typing: bool) -> bool:
        return True

    def fetch_media(
        self, account: Account, media: InboundMedia, *, max_bytes: int
    ) -> DownloadedMedia | MediaError:
        return MediaError("simulated", "A simulated message has no file behind it.")

    def health(self, account: Account) -> Health:
        return Health(True, "Simulated number: always there, reaches nobody.", {"shape": account.shape})


simulator = Simulator()


def webhook(
    account: Account, event: SimulatedEvent, *, public_base_url: str, now: datetime
) -> SimulatedRequest:
    """Build and sign the webhook that `event` would cause, in the account's shape.

    `public_base_url` is the origin under which the door knows itself: Twilio signs the whole address. An echo
    exists only at Meta: for a Twilio-shaped account it raises ValueError.
    """
    event = replace(event, at=event.at or now)
    event = replace(event, external_id=_external_id(event, is_twilio=account.shape == "twilio"))
    if account.shape == "twilio":
        made = _twilio_request(account, event, public_base_url)
    else:
        made = _meta_request(account, event, event.at or now)
    return replace(made, external_id=event.external_id)


def sign_meta(account: Account, payload: Any) -> SimulatedRequest:
    """Write and sign any payload as Meta does: ASCII only, `/` escaped."""
    body = json.dumps(payload, separators=(",", ":")).replace("/", "\\/").encode()
    signature = hmac.new(account.app_secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "facebookexternalua",
        SIGNATURE_HEADER: f"sha256={signature}",
    }
    return SimulatedRequest(META_PATH, body, headers)


def sign_twilio(account: Account, form: Mapping[str, str], url: str) -> SimulatedRequest:
    """Write and sign any form as Twilio does, for the address that it calls."""
    signature = RequestValidator(account.app_secret).compute_signature(url, dict(form))
    parts = urlsplit(url)
    headers = {
        "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
        "User-Agent": "TwilioProxy/1.1",
        TWILIO_SIGNATURE_HEADER: signature,
    }
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return SimulatedRequest(path, urlencode(form).encode(), headers)


def _wamid(seed: str) -> str:
    return f"wamid.SIM{hashlib.sha256(seed.encode()).hexdigest()[:40].upper()}"


def _sid(prefix: str, seed: str) -> str:
    return prefix + hashlib.sha256(f"simulated {seed}".encode()).hexdigest()[:32]


def _external_id(event: SimulatedEvent, *, is_twilio: bool) -> str:
    """Give the event's own id; one made of it is the same when the same event is built again."""
    seed = event.reference or repr(event)
    return event.external_id or (_sid("SM", seed) if is_twilio else _wamid(seed))


# --- Meta's shape -------------------------------------------------------------------------------------------


def _meta_request(account: Account, event: SimulatedEvent, at: datetime) -> SimulatedRequest:
    field_name, value = _META_VALUES.get(event.kind, _meta_message)(account, event, at)
    change = {"field": field_name, "value": value}
    entry = {"id": account.business_id or "0", "time": int(at.timestamp()), "changes": [change]}
    return sign_meta(account, {"object": "whatsapp_business_account", "entry": [entry]})


def _meta_message(account: Account, event: SimulatedEvent, at: datetime) -> tuple[str, dict[str, Any]]:
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
        **_meta_content(account, event),
    }
    if event.quotes:
        message["context"] = {"from": _display(account), "id": event.quotes}
    return "messages", {**_meta_frame(account), "contacts": [contact], "messages": [message]}


def _meta_content(account: Account, event: SimulatedEvent) -> dict[str, Any]:
    if event.kind == "choice":
        name = f"{event.choice_kind}_reply"
        reply = {"id": event.choice_id, "title": event.choice_title}
        return {"type": "interactive", "interactive": {"type": name, name: reply}}
    if event.kind == "order":
        items = [_meta_order_item(item) for item in event.order_items]
        order = {"catalog_id": "0", "text": event.text, "product_items": items}
        return {"type": "order", "order": order}
    if event.kind == "reaction":
        reaction = {"message_id": event.target, **({"emoji": event.emoji} if event.emoji else {})}
        return {"type": "reaction", "reaction": reaction}
    if event.kind == "media" and event.media:
        return {"type": event.media.media_kind, event.media.media_kind: _meta_file(event, event.media)}
    if event.kind == "location":
        place = {"latitude": event.latitude, "longitude": event.longitude}
        return {"type": "location", "location": place | ({"name": event.text} if event.text else {})}
    return {"type": "text", "text": {"body": event.text}}


def _meta_order_item(item: OrderItem) -> dict[str, Any]:
    price = item.price_minor / 10 ** MINOR_DIGITS.get(item.currency, 2)
    return {
        "product_retailer_id": item.retailer_id,
        "quantity": str(item.quantity),
        "item_price": price,
        "currency": item.currency,
    }


def _meta_file(event: SimulatedEvent, media: InboundMedia) -> dict[str, Any]:
    return _present(
        id=media.media_id or "0",
        mime_type=media.mime_type or None,
        sha256=media.sha256 or None,
        caption=event.text or None,
        filename=media.filename or None,
        voice=True if media.is_voice else None,
    )


def _meta_status(account: Account, event: SimulatedEvent, at: datetime) -> tuple[str, dict[str, Any]]:
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
    value = {**_meta_frame(account), "statuses": [status]}
    if event.status != "failed":
        profile = {"profile": {"name": who.name or ""}}
        value["contacts"] = [{**profile, **_present(wa_id=who.wa_id, user_id=who.bsuid)}]
    return "messages", value


def _meta_echo(account: Account, event: SimulatedEvent, at: datetime) -> tuple[str, dict[str, Any]]:
    """The owner writes on her own phone; the customer is the recipient."""
    echo = {
        "from": _display(account),
        **_present(to=event.person.wa_id, to_user_id=event.person.bsuid),
        "id": event.external_id,
        "timestamp": str(int(at.timestamp())),
        "type": "text",
        "text": {"body": event.text},
    }
    return "smb_message_echoes", {**_meta_frame(account), "message_echoes": [echo]}


def _meta_frame(account: Account) -> dict[str, Any]:
    metadata = {"display_phone_number": _display(account), "phone_number_id": account.number_id}
    return {"messaging_product": "whatsapp", "metadata": metadata}


def _display(account: Account) -> str:
    number = normalise(account.number_id)
    return number.removeprefix("+") if number else _DISPLAY_NUMBER


def _present(**fields: Any) -> dict[str, Any]:
    """Leave out what is not known, as Meta does: never an empty text in the place of an id."""
    return {name: value for name, value in fields.items() if value is not None}


_META_VALUES = {"status": _meta_status, "echo": _meta_echo}


# --- Twilio's shape -----------------------------------------------------------------------------------------


def _twilio_request(account: Account, event: SimulatedEvent, public_base_url: str) -> SimulatedRequest:
    base = public_base_url.rstrip("/")
    if event.kind == "echo":
        raise ValueError("Twilio has no echoes of the owner's own phone")
    if event.kind == "status":
        url = twilio_messages.callback_url(base + TWILIO_STATUS_PATH, event.reference)
        return sign_twilio(account, _twilio_status(account, event), url)
    return sign_twilio(account, _twilio_message(account, event), base + TWILIO_PATH)


def _twilio_message(account: Account, event: SimulatedEvent) -> dict[str, str]:
    sid, who = event.external_id, event.person
    form = {
        "SmsMessageSid": sid,
        "NumMedia": "0",
        "ProfileName": who.name or "",
        "SmsSid": sid,
        "SmsStatus": "received",
        "Body": event.text,
        "To": _twilio_number(account),
        "NumSegments": "1",
        "MessageSid": sid,
        "AccountSid": account.business_id or _sid("AC", "account"),
        "From": twilio_messages.address_of(who) or "",
        "ApiVersion": "2010-04-01",
        **_twilio_content(account, event, sid),
        **_twilio_referral(event),
    }
    form |= {"WaId": who.wa_id} if who.wa_id else {}
    form |= {"ExternalUserId": f"whatsapp:{who.bsuid}"} if who.bsuid else {}
    return form | ({"OriginalRepliedMessageSid": event.quotes} if event.quotes else {})


def _twilio_content(account: Account, event: SimulatedEvent, sid: str) -> dict[str, str]:
    if event.kind == "choice" and event.choice_kind == "list":
        chosen = {"ListId": event.choice_id, "ListTitle": event.choice_title}
        return {"MessageType": "interactive", "Body": event.choice_title, **chosen}
    if event.kind == "choice":
        pressed = {"ButtonPayload": event.choice_id, "ButtonText": event.choice_title}
        return {"MessageType": "button", "Body": event.choice_title, **pressed}
    if event.kind == "reaction":
        return {
            "MessageType": "reaction",
            "Body": event.emoji,
            "OriginalRepliedMessageSid": event.target,
        }
    if event.kind == "media" and event.media:
        url = _NOWHERE.format(account=account.business_id, message=sid, media=_sid("ME", sid))
        file = {"MediaUrl0": event.media.url or url, "MediaContentType0": event.media.mime_type}
        return {"MessageType": event.media.media_kind, "NumMedia": "1", **file}
    if event.kind == "location":
        place = {"Latitude": str(event.latitude), "Longitude": str(event.longitude)}
        return {"MessageType": "location", **place, "Label": event.text}
    # Catalogue orders do not come through Twilio: what the customer wrote beside it does.
    return {"MessageType": "text"}


def _twilio_referral(event: SimulatedEvent) -> dict[str, str]:
    referral = event.referral or {}
    return {
        theirs: str(referral[ours])
        for theirs, ours in twilio_webhooks.REFERRAL_FIELDS.items()
        if referral.get(ours)
    }


def _twilio_status(account: Account, event: SimulatedEvent) -> dict[str, str]:
    status = "undelivered" if event.status == "failed" else event.status
    form = {
        "SmsSid": event.external_id,
        "SmsStatus": status,
        "MessageStatus": status,
        "ChannelPrefix": "whatsapp",
        "MessageSid": event.external_id,
        "AccountSid": account.business_id or _sid("AC", "account"),
        "To": twilio_messages.address_of(event.person) or "",
        "From": _twilio_number(account),
        "ApiVersion": "2010-04-01",
    }
    if event.error_code:
        form |= {"ErrorCode": str(event.error_code), "ChannelStatusMessage": event.error_title}
    return form


def _twilio_number(account: Account) -> str:
    return f"whatsapp:{account.number_id}"
