"""A simulated phone's events as Twilio would post them: forms, signed as the official library does.

`simulator.webhook` calls it. Pure.
"""

from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from twilio.request_validator import SIGNATURE_HEADER, RequestValidator

from providers import twilio_messages, twilio_webhooks
from providers.base import Account
from providers.simulated_events import SimulatedEvent, SimulatedRequest, sid

PATH = "/whatsapp"
STATUS_PATH = "/whatsapp/status"
# Where a simulated file lies.
_NOWHERE = "https://api.twilio.com/2010-04-01/Accounts/{account}/Messages/{message}/Media/{media}"


def build(account: Account, event: SimulatedEvent, public_base_url: str) -> SimulatedRequest:
    """Build and sign the webhook of `event`, whose ids are set. Raises ValueError for an echo."""
    base = public_base_url.rstrip("/")
    if event.kind == "echo":
        raise ValueError("Twilio has no echoes of the owner's own phone")
    if event.kind == "status":
        url = twilio_messages.callback_url(base + STATUS_PATH, event.reference)
        return sign(account, _status(account, event), url)
    return sign(account, _message(account, event), base + PATH)


def sign(account: Account, form: Mapping[str, str], url: str) -> SimulatedRequest:
    """Write and sign any form as Twilio does, for the address that it calls."""
    signature = RequestValidator(account.app_secret).compute_signature(url, dict(form))
    parts = urlsplit(url)
    headers = {
        "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
        "User-Agent": "TwilioProxy/1.1",
        SIGNATURE_HEADER: signature,
    }
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return SimulatedRequest(path, urlencode(form).encode(), headers)


def _message(account: Account, event: SimulatedEvent) -> dict[str, str]:
    message_sid, who = event.external_id, event.person
    form = {
        "SmsMessageSid": message_sid,
        "NumMedia": "0",
        "ProfileName": who.name or "",
        "SmsSid": message_sid,
        "SmsStatus": "received",
        "Body": event.text,
        "To": _number(account),
        "NumSegments": "1",
        "MessageSid": message_sid,
        "AccountSid": account.business_id or sid("AC", "account"),
        "From": twilio_messages.address_of(who) or "",
        "ApiVersion": "2010-04-01",
        **_content(account, event),
        **_referral(event),
    }
    form |= {"WaId": who.wa_id} if who.wa_id else {}
    form |= {"ExternalUserId": f"whatsapp:{who.bsuid}"} if who.bsuid else {}
    return form | ({"OriginalRepliedMessageSid": event.quotes} if event.quotes else {})


def _content(account: Account, event: SimulatedEvent) -> dict[str, str]:
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
        url = _NOWHERE.format(
            account=account.business_id, message=event.external_id, media=sid("ME", event.external_id)
        )
        file = {"MediaUrl0": event.media.url or url, "MediaContentType0": event.media.mime_type}
        return {"MessageType": event.media.media_kind, "NumMedia": "1", **file}
    if event.kind == "location":
        place = {"Latitude": str(event.latitude), "Longitude": str(event.longitude)}
        return {"MessageType": "location", **place, "Label": event.text}
    # Catalogue orders do not come through Twilio: what the customer wrote beside it does.
    return {"MessageType": "text"}


def _referral(event: SimulatedEvent) -> dict[str, str]:
    referral = event.referral or {}
    return {
        theirs: str(referral[ours])
        for theirs, ours in twilio_webhooks.REFERRAL_FIELDS.items()
        if referral.get(ours)
    }


def _status(account: Account, event: SimulatedEvent) -> dict[str, str]:
    status = "undelivered" if event.status == "failed" else event.status
    form = {
        "SmsSid": event.external_id,
        "SmsStatus": status,
        "MessageStatus": status,
        "ChannelPrefix": "whatsapp",
        "MessageSid": event.external_id,
        "AccountSid": account.business_id or sid("AC", "account"),
        "To": twilio_messages.address_of(event.person) or "",
        "From": _number(account),
        "ApiVersion": "2010-04-01",
    }
    if event.error_code:
        form |= {"ErrorCode": str(event.error_code), "ChannelStatusMessage": event.error_title}
    return form


def _number(account: Account) -> str:
    return f"whatsapp:{account.number_id}"
