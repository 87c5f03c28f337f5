"""Twilio's Content templates: reading its list of contents with their approvals.

`twilio` calls it. Pure. Source: Twilio, "Content API resources" and "Content types overview".
"""

from collections.abc import Mapping
from typing import Any, Final

from providers import loose
from providers.templates import Button, ListedTemplate, Wording

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
_KINDS: Final = {"url": "url", "phone_number": "phone_number", "quick_reply": "quick_reply"}


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


def _wording(types: Mapping[str, Any], variables: Mapping[str, Any]) -> Wording:
    kind = next((name for name in KNOWN_TYPES if name in types), "")
    node = loose.mapping(types.get(kind))
    actions = tuple(_button(action, kind) for action in loose.items(node.get("actions")))
    examples = {str(name): loose.text(value) for name, value in variables.items()}
    return Wording(
        body=loose.text(node.get("body") or node.get("title")),
        header_kind="text" if node.get("header_text") else "",
        header=loose.text(node.get("header_text")) or " ".join(map(loose.text, _files(node))),
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
        kind=_KINDS.get(word, word or "quick_reply"),
        text=loose.text(node.get("title")),
        url=loose.text(node.get("url")),
        phone=loose.text(node.get("phone")),
    )
