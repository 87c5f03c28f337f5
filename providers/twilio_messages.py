"""From a message's content to the form fields of Twilio's Messages resource, within its documented limits.

`twilio` and `simulator` call it. Pure: no network, no credentials. WhatsApp buttons need a stored Content per
shape at Twilio; a menu whose choices change with every message goes out as numbered text.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from twilio.twiml.messaging_response import Body, Message, MessagingResponse
from twilio.twiml.messaging_response import Media as MediaVerb

from message_content import Content, LinkButton, LocationRequest, Media, Menu, Reaction, Template, Text
from phone import is_bsuid
from providers import fitting
from providers.base import Account, Limits, Person, SendError
from providers.twilio_webhooks import REFERENCE_PARAMETER

# Twilio, "Messages resource" (Body 1,600; media 16 MB on WhatsApp) and WhatsApp's own caption. The limits of
# buttons and rows are those of quick-reply and list-picker Contents.
LIMITS = Limits(
    text=1600,
    caption=1024,
    menu_body=1024,
    buttons_count=3,
    button_title=20,
    rows_count=10,
    row_title=24,
    row_description=72,
    list_button=20,
    header=60,
    footer=60,
    link_title=20,
    choice_id=200,
    media_bytes={
        "image": 16 * 1024**2,
        "audio": 16 * 1024**2,
        "video": 16 * 1024**2,
        "document": 16 * 1024**2,
        "sticker": 100 * 1024,
    },
)
_CHANNEL = "whatsapp:"
_SERVICE_PREFIX = "MG"


def fit(content: Content) -> tuple[Content, ...]:
    """See `Provider.fit`. A reaction cannot be sent through Twilio: nothing is left of it."""
    if isinstance(content, Text):
        return fitting.fit_text(content, LIMITS)
    if isinstance(content, Menu):
        return fitting.numbered(content, LIMITS)
    if isinstance(content, Media):
        # Twilio knows files by address only, and has no place for a file name.
        return fitting.fit_media(replace(content, media_id="", filename=""), LIMITS)
    if isinstance(content, LinkButton):
        parts = [part.strip() for part in (content.body, content.url, content.footer)]
        return fitting.fit_text(Text("\n\n".join(part for part in parts if part)), LIMITS)
    if isinstance(content, LocationRequest):
        return fitting.fit_text(Text(content.body), LIMITS)
    return () if isinstance(content, Reaction) else (content,)


def prepare(account: Account, to: Person, content: Content, *, reference: str) -> dict[str, str] | SendError:
    """Give the request's fields, or say why this content cannot go to this person."""
    address = address_of(to)
    if address is None:
        return SendError("no_address", "final", "The customer has no number or id that can be written to.")
    fitted = fit(content)
    if len(fitted) != 1:
        words = (
            "Twilio cannot send this kind of message, or it is empty."
            if not fitted
            else "The message is too long for one; it was not fitted."
        )
        return SendError("not_fitted", "final", words)
    fields = {"To": address, **_sender(account), **_fields(fitted[0])}
    callback = callback_url(account.status_callback_url, reference)
    return {**fields, "StatusCallback": callback} if callback else fields


def address_of(to: Person) -> str | None:
    """Give `whatsapp:+number`, or `whatsapp:CC.id` for a person without a number."""
    number = (to.wa_id or "").strip().removeprefix("+")
    if number and not is_bsuid(number):
        return f"{_CHANNEL}+{number}"
    scoped = to.bsuid or to.parent_bsuid or number
    return f"{_CHANNEL}{scoped}" if scoped else None


def callback_url(base: str, reference: str) -> str:
    """Put our message id into the status callback's query; whatever query it has stays."""
    try:
        parts = urlsplit(base)
    except ValueError:
        return ""
    if not parts.netloc:
        return ""
    kept = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != REFERENCE_PARAMETER]
    query = urlencode([*kept, (REFERENCE_PARAMETER, reference)]) if reference else parts.query
    return urlunsplit(parts._replace(query=query))


def twiml(contents: Sequence[Content]) -> str:
    """Write answers as TwiML, for the mode that answers in the webhook's own response.

    Twilio gives no id for such messages before their callback; templates cannot be sent this way and are left
    out.
    """
    response = MessagingResponse()
    for content in contents:
        for piece in fit(content):
            if message := _verb(piece):
                response.append(message)
    return str(response)


def _verb(piece: Content) -> Message | None:
    if not isinstance(piece, (Text, Media)):
        return None
    message = Message()
    words = piece.body if isinstance(piece, Text) else piece.caption
    if words:
        message.append(Body(words))
    if isinstance(piece, Media):
        message.append(MediaVerb(piece.link))
    return message


def _sender(account: Account) -> dict[str, str]:
    if account.number_id.startswith(_SERVICE_PREFIX):
        return {"MessagingServiceSid": account.number_id}
    return {"From": f"{_CHANNEL}{account.number_id.removeprefix(_CHANNEL)}"}


def _fields(content: Content) -> dict[str, str]:
    if isinstance(content, Text):
        return {"Body": content.body}
    if isinstance(content, Media):
        return {"MediaUrl": content.link} | ({"Body": content.caption} if content.caption else {})
    if isinstance(content, Template):
        variables = _variables(content.components)
        written = {"ContentVariables": json.dumps(variables, ensure_ascii=False)} if variables else {}
        return {"ContentSid": content.name, **written}
    raise AssertionError(f"not fitted: {content.KIND}")


def _variables(components: Sequence[dict[str, Any]]) -> dict[str, str]:
    values: dict[str, str] = {}
    for component in components:
        if component.get("type") == "variables" and isinstance(component.get("values"), dict):
            values.update({str(name): str(value) for name, value in component["values"].items()})
    return values
