"""From a message's content to the JSON of Meta's `/messages`, within its documented limits.

`meta` and `simulator` call it. Pure: no network, no credentials.
"""

from collections.abc import Callable
from typing import Any

from message_content import Content, LinkButton, LocationRequest, Media, Menu, Reaction, Template, Text
from phone import is_bsuid
from providers import fitting
from providers.base import Limits, Person, SendError

# Meta, "Text messages", "Interactive reply buttons", "Interactive lists", "CTA URL", "Media" (April 2026).
# The page of lists allows a body of 4,096, the OpenAPI file v23.0 of 1,024: the smaller holds for both.
LIMITS = Limits(
    text=4096,
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
    # Buttons take 256, rows 200; a menu may become either.
    choice_id=200,
    media_bytes={
        "image": 5 * 1024**2,
        "audio": 16 * 1024**2,
        "video": 16 * 1024**2,
        "document": 100 * 1024**2,
        "sticker": 500 * 1024,
    },
)
# `biz_opaque_callback_data`, the field that carries our reference.
MAX_REFERENCE_CHARS = 512
_DEFAULT_LIST_BUTTON = "☰"


def fit(content: Content) -> tuple[Content, ...]:
    """See `Provider.fit`."""
    if isinstance(content, Text):
        return fitting.fit_text(content, LIMITS)
    if isinstance(content, Menu):
        return fitting.fit_menu(content, LIMITS)
    if isinstance(content, LinkButton):
        return fitting.fit_link(content, LIMITS)
    if isinstance(content, Media):
        if content.link and not content.link.startswith("https://"):
            # Meta fetches over https alone; the customer's phone may open the address all the same.
            return fitting.fit_text(Text(f"{content.caption}\n{content.link}"), LIMITS)
        return fitting.fit_media(content, LIMITS)
    if isinstance(content, LocationRequest):
        return fitting.fit_location_request(content, LIMITS)
    return (content,)


def prepare(
    to: Person, content: Content, *, reference: str, quotes: str | None
) -> dict[str, Any] | SendError:
    """Give the request's JSON, or say why this content cannot go to this person."""
    fitted = fit(content)
    if len(fitted) != 1:
        words = (
            "The message is empty." if not fitted else "The message is too long for one; it was not fitted."
        )
        return SendError("not_fitted", "final", words)
    payload = build(to, fitted[0], reference=reference, quotes=quotes)
    return payload or SendError(
        "no_address", "final", "The customer has no number or id that can be written to."
    )


def build(to: Person, content: Content, *, reference: str, quotes: str | None) -> dict[str, Any] | None:
    """Give the request's JSON; None when the person has no id that can be written to. `content` must be
    fitted."""
    address = address_of(to)
    if address is None:
        return None
    payload: dict[str, Any] = {"messaging_product": "whatsapp", "recipient_type": "individual", **address}
    payload.update(_BUILDERS[type(content)](content))
    if reference:
        payload["biz_opaque_callback_data"] = reference[:MAX_REFERENCE_CHARS]
    # A reaction names its message itself; a context beside it is refused.
    if quotes and not isinstance(content, Reaction):
        payload["context"] = {"message_id": quotes}
    return payload


def address_of(to: Person) -> dict[str, str] | None:
    """Give `to` with "+" for a phone (without it Meta may put our own country code before), else
    `recipient`."""
    number = (to.wa_id or "").strip()
    if number and not is_bsuid(number):
        return {"to": number if number.startswith("+") else f"+{number}"}
    scoped = to.bsuid or to.parent_bsuid or number
    return {"recipient": scoped} if scoped else None


def _text(content: Text) -> dict[str, Any]:
    return {"type": "text", "text": {"body": content.body, "preview_url": content.preview_url}}


def _menu(content: Menu) -> dict[str, Any]:
    if fitting.are_buttons(content.choices, LIMITS):
        kind, action = "button", _reply_buttons(content)
    else:
        kind, action = "list", _list_rows(content)
    return {"type": "interactive", "interactive": _interactive(kind, content, action)}


def _reply_buttons(content: Menu) -> dict[str, Any]:
    buttons = [{"id": choice.id, "title": choice.title} for choice in content.choices]
    return {"buttons": [{"type": "reply", "reply": button} for button in buttons]}


def _list_rows(content: Menu) -> dict[str, Any]:
    rows = []
    for choice in content.choices:
        row = {"id": choice.id, "title": choice.title}
        rows.append({**row, "description": choice.description} if choice.description else row)
    # One section needs no title.
    return {"button": content.button or _DEFAULT_LIST_BUTTON, "sections": [{"rows": rows}]}


def _link(content: LinkButton) -> dict[str, Any]:
    parameters = {"display_text": content.title, "url": content.url}
    action = {"name": "cta_url", "parameters": parameters}
    return {"type": "interactive", "interactive": _interactive("cta_url", content, action)}


def _interactive(kind: str, content: Menu | LinkButton, action: dict[str, Any]) -> dict[str, Any]:
    interactive: dict[str, Any] = {"type": kind, "body": {"text": content.body}, "action": action}
    if content.header:
        interactive["header"] = {"type": "text", "text": content.header}
    if content.footer:
        interactive["footer"] = {"text": content.footer}
    return interactive


def _media(content: Media) -> dict[str, Any]:
    node = {"id": content.media_id} if content.media_id else {"link": content.link}
    if content.caption:
        node["caption"] = content.caption
    if content.filename:
        node["filename"] = content.filename
    return {"type": content.media_kind, content.media_kind: node}


def _template(content: Template) -> dict[str, Any]:
    template: dict[str, Any] = {"name": content.name, "language": {"code": content.language}}
    if content.components:
        template["components"] = list(content.components)
    return {"type": "template", "template": template}


def _location_request(content: LocationRequest) -> dict[str, Any]:
    return {
        "type": "interactive",
        "interactive": {
            "type": "location_request_message",
            "body": {"text": content.body},
            "action": {"name": "send_location"},
        },
    }


def _reaction(content: Reaction) -> dict[str, Any]:
    return {"type": "reaction", "reaction": {"message_id": content.to_external_id, "emoji": content.emoji}}


_BUILDERS: dict[type[Content], Callable[[Any], dict[str, Any]]] = {
    Text: _text,
    Menu: _menu,
    LinkButton: _link,
    Media: _media,
    Template: _template,
    LocationRequest: _location_request,
    Reaction: _reaction,
}
