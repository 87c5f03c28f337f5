"""Builders of webhooks as the providers send them: exact bytes, signed, for a test client or a raw socket.

Used by tests, benches and by the fakes themselves for their receipts. Meta escapes non-ASCII characters, `/`
and `@`, so a receiver that serialises the body again cannot verify it; Twilio signs URL and sorted fields.
"""

import hashlib
import hmac
import itertools
import json
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from twilio.request_validator import RequestValidator

# The sample values of Meta's and Twilio's own documentation; the fakes answer to them by default.
PHONE_NUMBER_ID = "106540352242922"
DISPLAY_PHONE_NUMBER = "15550783881"
BUSINESS_ACCOUNT_ID = "102290129340398"
APP_SECRET = "meta-app-secret-of-the-tests"
ACCESS_TOKEN = "meta-access-token-of-the-tests"
ACCOUNT_SID = "AC" + "0123456789abcdef" * 2
AUTH_TOKEN = "twilio-auth-token-of-the-tests"
TWILIO_NUMBER = "+14155238886"
CUSTOMER = "5511987654321"

Json = dict[str, Any]
_serial = itertools.count(1)


class Webhook(NamedTuple):
    """One POST: `client.post(path, data=body, headers=headers)`."""

    path: str
    body: bytes
    headers: dict[str, str]


def new_wamid() -> str:
    """A message id of Meta's shape, never given twice."""
    return f"wamid.HBgN{next(_serial):08X}{secrets.token_hex(12).upper()}AA=="


def new_sid(prefix: str = "SM") -> str:
    """A Twilio id: two letters and 32 hexadecimal digits."""
    return prefix + secrets.token_hex(16)


def meta_json(payload: Any) -> bytes:
    """Serialise as Meta does: ASCII only, `/` and `@` escaped."""
    text = json.dumps(payload, ensure_ascii=True, separators=(",", ":"))
    return text.replace("/", "\\/").replace("@", "\\u0040").encode()


def meta_signature(body: bytes, app_secret: str) -> str:
    """The value of X-Hub-Signature-256."""
    return "sha256=" + hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class MetaWebhooks:
    """What Meta would post for one of our numbers. Times are unix seconds; None means now."""

    app_secret: str = APP_SECRET
    phone_number_id: str = PHONE_NUMBER_ID
    display_phone_number: str = DISPLAY_PHONE_NUMBER
    business_account_id: str = BUSINESS_ACCOUNT_ID
    path: str = "/webhook"

    def text(self, body: str, wa_id: str | None = CUSTOMER, **about: Any) -> Webhook:
        return self.message({"type": "text", "text": {"body": body}}, wa_id, **about)

    def button_reply(self, button_id: str, title: str, wa_id: str | None = CUSTOMER, **about: Any) -> Webhook:
        """A reply button of ours was pressed."""
        reply = {"type": "button_reply", "button_reply": {"id": button_id, "title": title}}
        return self.message({"type": "interactive", "interactive": reply}, wa_id, **about)

    def list_reply(
        self, row_id: str, title: str, wa_id: str | None = CUSTOMER, description: str = "", **about: Any
    ) -> Webhook:
        """A row of a list of ours was chosen."""
        row = {"id": row_id, "title": title} | ({"description": description} if description else {})
        return self.message(
            {"type": "interactive", "interactive": {"type": "list_reply", "list_reply": row}}, wa_id, **about
        )

    def template_button(self, payload: str, text: str, wa_id: str | None = CUSTOMER, **about: Any) -> Webhook:
        return self.message({"type": "button", "button": {"payload": payload, "text": text}}, wa_id, **about)

    def media(
        self,
        kind: str,
        media_id: str,
        mime_type: str,
        wa_id: str | None = CUSTOMER,
        node: Mapping[str, Any] | None = None,
        **about: Any,
    ) -> Webhook:
        """A file; `node` adds caption, filename, voice, animated, sha256."""
        content = {"id": media_id, "mime_type": mime_type, "sha256": "", **(node or {})}
        return self.message({"type": kind, kind: content}, wa_id, **about)

    def location(
        self, latitude: float, longitude: float, wa_id: str | None = CUSTOMER, **about: Any
    ) -> Webhook:
        return self.message(
            {"type": "location", "location": {"latitude": latitude, "longitude": longitude}}, wa_id, **about
        )

    def reaction(self, message_id: str, emoji: str, wa_id: str | None = CUSTOMER, **about: Any) -> Webhook:
        """A reaction; an empty emoji removes it (Meta then sends none)."""
        node = {"message_id": message_id} | ({"emoji": emoji} if emoji else {})
        return self.message({"type": "reaction", "reaction": node}, wa_id, **about)

    def message(self, content: Mapping[str, Any], wa_id: str | None = CUSTOMER, **about: Any) -> Webhook:
        """One POST with one message; see `message_value` for `about`."""
        return self.sign(self.envelope([self.message_value(content, wa_id, **about)]))

    def message_value(
        self,
        content: Mapping[str, Any],
        wa_id: str | None = CUSTOMER,
        *,
        user_id: str | None = None,
        parent_user_id: str | None = None,
        username: str | None = None,
        name: str | None = "Ana",
        message_id: str | None = None,
        at: int | None = None,
        quotes: str | None = None,
        referral: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> Json:
        """The `value` of one message. Without `wa_id` the person has only a `user_id`: `from` and `wa_id` are
        left out, not empty. `quotes` is the id of ours that is answered; `more` goes on the message."""
        contact = _without_none({"wa_id": wa_id, "user_id": user_id, "parent_user_id": parent_user_id})
        profile = _without_none({"name": name, "username": username})
        context = {"from": self.display_phone_number, "id": quotes} if quotes else None
        message = _without_none(
            {
                "from": wa_id,
                "from_user_id": user_id,
                "from_parent_user_id": parent_user_id,
                "id": message_id or new_wamid(),
                "timestamp": str(_now(at)),
                "context": context,
                "referral": referral,
            }
        )
        return self.value(
            contacts=[{"profile": profile, **contact}], messages=[{**message, **content, **more}]
        )

    def status(
        self,
        message_id: str,
        status: str,
        wa_id: str | None = CUSTOMER,
        *,
        user_id: str | None = None,
        reference: str | None = None,
        at: int | None = None,
        errors: Sequence[Json] = (),
        pricing: Mapping[str, Any] | None = None,
    ) -> Webhook:
        """One POST with one receipt."""
        value = self.status_value(
            message_id,
            status,
            wa_id,
            user_id=user_id,
            reference=reference,
            at=at,
            errors=errors,
            pricing=pricing,
        )
        return self.sign(self.envelope([value]))

    def status_value(
        self,
        message_id: str,
        status: str,
        wa_id: str | None = CUSTOMER,
        *,
        user_id: str | None = None,
        reference: str | None = None,
        at: int | None = None,
        errors: Sequence[Json] = (),
        pricing: Mapping[str, Any] | None = None,
    ) -> Json:
        """The `value` of one receipt: contacts on all but `failed`, no conversation (gone since v24.0)."""
        node = _without_none(
            {
                "id": message_id,
                "status": status,
                "timestamp": str(_now(at)),
                "recipient_id": wa_id,
                # A failed send to a phone number carries no user id.
                "recipient_user_id": None if status == "failed" and wa_id else user_id,
                "biz_opaque_callback_data": reference,
                "pricing": pricing,
                "errors": list(errors) or None,
            }
        )
        if status == "failed":
            return self.value(statuses=[node])
        contact = _without_none({"wa_id": wa_id, "user_id": user_id})
        return self.value(contacts=[{"profile": {"name": "Ana"}, **contact}], statuses=[node])

    def echo(self, body: str, to_wa_id: str = CUSTOMER, *, message_id: str | None = None) -> Webhook:
        """The owner wrote to a customer on her own phone (coexistence)."""
        message = {
            "from": self.display_phone_number,
            "to": to_wa_id,
            "id": message_id or new_wamid(),
            "timestamp": str(_now(None)),
            "type": "text",
            "text": {"body": body},
        }
        return self.sign(self.envelope([self.value(message_echoes=[message])], field="smb_message_echoes"))

    def batch(self, values: Iterable[Mapping[str, Any]]) -> Webhook:
        """One POST with many updates, each in a change of its own."""
        return self.sign(self.envelope(values))

    def value(self, **parts: Any) -> Json:
        metadata = {
            "display_phone_number": self.display_phone_number,
            "phone_number_id": self.phone_number_id,
        }
        return {"messaging_product": "whatsapp", "metadata": metadata, **parts}

    def envelope(self, values: Iterable[Mapping[str, Any]], field: str = "messages") -> Json:
        changes = [{"value": value, "field": field} for value in values]
        return {
            "object": "whatsapp_business_account",
            "entry": [{"id": self.business_account_id, "changes": changes}],
        }

    def sign(self, payload: Any) -> Webhook:
        """Serialise and sign any payload."""
        return self.sign_bytes(meta_json(payload))

    def sign_bytes(self, body: bytes) -> Webhook:
        """Sign a body as it is, be it valid or not."""
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "facebookexternalua",
            "X-Hub-Signature-256": meta_signature(body, self.app_secret),
        }
        return Webhook(self.path, body, headers)


REFERRAL: Json = {
    "source_url": "https://fb.me/3cr4Wqqkv",
    "source_id": "120226305854810726",
    "source_type": "ad",
    "headline": "Fale com a gente",
    "body": "Seu próximo passo começa aqui",
    "media_type": "image",
    "image_url": "https://scontent.xx.fbcdn.net/v/t45.1",
    "ctwa_clid": "Aff-n8ZTODiE79d22KtAwQKj9e_mIEOOj27vDVwFjN80dp4",
    "welcome_message": {"text": "Olá! Como podemos ajudar?"},
}


@dataclass(frozen=True)
class TwilioWebhooks:
    """What Twilio would post for one of our senders. `public_url` is the origin that it was told to call."""

    auth_token: str = AUTH_TOKEN
    account_sid: str = ACCOUNT_SID
    number: str = TWILIO_NUMBER
    public_url: str = "http://localhost"
    path: str = "/whatsapp"
    status_path: str = "/whatsapp/status"

    def text(self, body: str, wa_id: str | None = CUSTOMER, **fields: str) -> Webhook:
        return self.message({"Body": body, "MessageType": "text", **fields}, wa_id)

    def button(self, payload: str, text: str, wa_id: str | None = CUSTOMER, **fields: str) -> Webhook:
        """A quick reply was pressed."""
        pressed = {"Body": text, "MessageType": "button", "ButtonText": text, "ButtonPayload": payload}
        return self.message({**pressed, **fields}, wa_id)

    def list_choice(self, list_id: str, title: str, wa_id: str | None = CUSTOMER, **fields: str) -> Webhook:
        """A row of a list picker was chosen."""
        chosen = {"Body": title, "MessageType": "interactive", "ListId": list_id, "ListTitle": title}
        return self.message({**chosen, **fields}, wa_id)

    def media(self, url: str, mime_type: str, wa_id: str | None = CUSTOMER, body: str = "") -> Webhook:
        """A message with one file at `url`."""
        kind = (
            mime_type.split("/")[0] if mime_type.split("/")[0] in ("image", "audio", "video") else "document"
        )
        file = {"NumMedia": "1", "MediaUrl0": url, "MediaContentType0": mime_type, "MessageType": kind}
        return self.message({"Body": body, **file}, wa_id)

    def message(
        self, fields: Mapping[str, str], wa_id: str | None = CUSTOMER, *, bsuid: str | None = None
    ) -> Webhook:
        """One inbound message. Without `wa_id` the person is `bsuid`, in From and in ExternalUserId."""
        sid = fields.get("MessageSid") or new_sid()
        person = f"+{wa_id}" if wa_id else bsuid
        form = {
            "SmsMessageSid": sid,
            "NumMedia": "0",
            "ProfileName": "Ana",
            "SmsSid": sid,
            "SmsStatus": "received",
            "To": f"whatsapp:{self.number}",
            "NumSegments": "1",
            "ReferralNumMedia": "0",
            "MessageSid": sid,
            "AccountSid": self.account_sid,
            "From": f"whatsapp:{person}",
            "ApiVersion": "2010-04-01",
        }
        form |= {"WaId": wa_id} if wa_id else {}
        form |= {"ExternalUserId": f"whatsapp:{bsuid}"} if bsuid else {}
        return self.sign(self.public_url + self.path, form | dict(fields))

    def status(
        self,
        sid: str,
        status: str,
        wa_id: str = CUSTOMER,
        *,
        url: str = "",
        error_code: int = 0,
        **fields: str,
    ) -> Webhook:
        """One status callback, to `url` (our StatusCallback with its query) or the default address."""
        form = {
            "SmsSid": sid,
            "SmsStatus": status,
            "MessageStatus": status,
            "ChannelToAddress": f"+{wa_id}",
            "To": f"whatsapp:+{wa_id}",
            "ChannelPrefix": "whatsapp",
            "MessageSid": sid,
            "AccountSid": self.account_sid,
            "From": f"whatsapp:{self.number}",
            "ApiVersion": "2010-04-01",
        }
        if error_code:
            form |= {"ErrorCode": str(error_code), "ChannelStatusMessage": "Channel error"}
        return self.sign(url or self.public_url + self.status_path, form | fields)

    def sign(self, url: str, form: Mapping[str, str]) -> Webhook:
        """Sign any form for `url` as the official library computes it."""
        signature = RequestValidator(self.auth_token).compute_signature(url, dict(form))
        split = urlsplit(url)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
            "User-Agent": "TwilioProxy/1.1",
            "I-Twilio-Idempotency-Token": secrets.token_hex(16),
            "X-Twilio-Signature": signature,
        }
        path = f"{split.path}?{split.query}" if split.query else split.path
        return Webhook(path, urlencode(form).encode(), headers)


def _without_none(node: Mapping[str, Any]) -> Json:
    return {name: value for name, value in node.items() if value is not None}


def _now(at: int | None) -> int:
    return int(time.time()) if at is None else at
