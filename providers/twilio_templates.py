"""Twilio's Content templates: reading its list of contents with their approvals, and the JSON of a new one.

`twilio` calls it. Pure. Source: Twilio, "Content API resources", "Content types overview", "whatsapp/card".
"""

from collections.abc import Mapping
from typing import Any, Final

from providers import loose
from providers.templates import (
    MEDIA_HEADERS,
    Button,
    Draft,
    ListedTemplate,
    Submitted,
    Wording,
    kind_of_address,
    names_in,
    put_in,
)

# The types that the desk can show and fill, the richest first: a Content may hold one for each channel.
KNOWN_TYPES: Final = (
    "whatsapp/card",
    "twilio/card",
    "twilio/call-to-action",
    "twilio/quick-reply",
    "twilio/media",
    "twilio/text",
)
STATUSES: Final = {"received": "pending", "unsubmitted": "draft", "": "draft"}


def read(item: Any) -> ListedTemplate | None:
    """Read one Content; None when it has no SID."""
    node = loose.mapping(item)
    sid = loose.identifier(node.get("sid"))
    if sid is None:
        return None
    approval = loose.mapping(node.get("approval_requests"))
    status = loose.text(approval.get("status")).lower()
    return ListedTemplate(
        external_id=sid,
        name=loose.text(node.get("friendly_name")) or sid,
        language=loose.text(node.get("language")) or "en",
        category=loose.text(approval.get("category")).lower() or "utility",
        status=STATUSES.get(status, status[:20]),
        wording=_wording(loose.mapping(node.get("types")), loose.mapping(node.get("variables"))),
        status_reason=loose.text(approval.get("rejection_reason")),
    )


def content(draft: Draft) -> dict[str, Any]:
    """Give the JSON that makes a Content of a draft: the plainest type that holds all of it."""
    wording = draft.wording
    actions = [_action(button) for button in wording.buttons]
    are_replies = {button.kind == "quick_reply" for button in wording.buttons}
    if wording.header or wording.footer or len(are_replies) == 2:
        card = {"body": wording.body, "footer": wording.footer, "actions": actions}
        is_file = wording.header_kind in MEDIA_HEADERS
        card |= {"media": [wording.header]} if is_file else {"header_text": wording.header}
        types: dict[str, Any] = {"whatsapp/card": {name: value for name, value in card.items() if value}}
    elif not actions:
        types = {"twilio/text": {"body": wording.body}}
    else:
        kind = "twilio/quick-reply" if are_replies == {True} else "twilio/call-to-action"
        types = {kind: {"body": wording.body, "actions": actions}}
    known = {name for text in _texts(wording) for name in names_in(text)}
    variables = {name: value for name, value in wording.examples.items() if name in known}
    return {"friendly_name": draft.name, "language": draft.language, "types": types, "variables": variables}


def approval(draft: Draft) -> dict[str, str]:
    """Give the JSON that hands a Content in at WhatsApp."""
    return {"name": draft.name, "category": draft.category.upper()}


def submitted(sid: str, given: Mapping[str, Any], category: str) -> Submitted:
    """Read how the approval of a Content stands: what was answered to it, or `whatsapp` of its resource."""
    status = loose.text(given.get("status")).lower()
    return Submitted(
        sid,
        STATUSES.get(status, status[:20]),
        loose.text(given.get("category")).lower() or category,
        loose.text(given.get("rejection_reason")),
    )


def _texts(wording: Wording) -> tuple[str, ...]:
    return (wording.header, wording.body, *(button.url for button in wording.buttons))


def _action(button: Button) -> dict[str, str]:
    made = {"type": button.kind.upper(), "title": button.text}
    if button.kind == "quick_reply":
        # What comes back when it is pressed; Meta's own template buttons send their title.
        return made | {"id": button.text}
    return made | {
        "url": {"url": button.url},
        "phone_number": {"phone": button.phone},
        "copy_code": {"code": button.code},
    }.get(button.kind, {})


def _wording(types: Mapping[str, Any], variables: Mapping[str, Any]) -> Wording:
    kind = next((name for name in KNOWN_TYPES if name in types), "")
    node = loose.mapping(types.get(kind))
    actions = tuple(_button(action, kind) for action in loose.items(node.get("actions")))
    examples = {str(name): loose.text(value) for name, value in variables.items()}
    address = " ".join(map(loose.text, _files(node)))
    header_kind = "text" if node.get("header_text") else kind_of_address(put_in(address, examples))
    return Wording(
        body=loose.text(node.get("body") or node.get("title")),
        header_kind=header_kind,
        header=loose.text(node.get("header_text")) or address,
        footer=loose.text(node.get("footer") or node.get("subtitle")),
        buttons=actions,
        examples=examples,
        style="shared",
        unsupported="" if kind else next(iter(sorted(types)), "content"),
    )


def _files(node: Mapping[str, Any]) -> list[Any]:
    media = node.get("media")
    return media if isinstance(media, list) else [media]


def _button(action: Any, kind: str) -> Button:
    node = loose.mapping(action)
    usual = "quick_reply" if kind == "twilio/quick-reply" else ""
    word = loose.text(node.get("type")).lower() or usual
    return Button(
        kind=word or "quick_reply",
        text=loose.text(node.get("title")),
        url=loose.text(node.get("url")),
        phone=loose.text(node.get("phone")),
        code=loose.text(node.get("code")),
    )
