"""Meta's message templates: reading its list, and the JSON that hands a draft in.

`meta` calls it. Pure: no network, no credentials. Source: Meta, "Template management" and "Components".
"""

from collections.abc import Mapping
from typing import Any, Final

from providers import loose
from providers.templates import (
    HEADER,
    MEDIA_HEADERS,
    SENDABLE_BUTTONS,
    Button,
    Draft,
    ListedTemplate,
    Style,
    Submitted,
    Wording,
    names_in,
)

FIELDS: Final = "id,name,language,status,category,components,parameter_format,quality_score,rejected_reason"
# Meta's word for what is over, in ours.
STATUSES: Final = {"in_appeal": "pending", "pending_deletion": "deleted", "reinstated": "approved"}
STATUSES_OF_EVENTS: Final = {
    **STATUSES,
    "unarchived": "approved",
    "flagged": "",
    "limit_exceeded": "rejected",
}
_NO_REASON = ("", "none")


def read(item: Any) -> ListedTemplate | None:
    """Read one item of the list; None when it cannot be told which template it is."""
    node = loose.mapping(item)
    external_id, name = loose.identifier(node.get("id")), loose.text(node.get("name"))
    language = loose.text(node.get("language"))
    if external_id is None or not name or not language:
        return None
    category = loose.text(node.get("category")).lower()
    reason = loose.text(node.get("rejected_reason"))
    return ListedTemplate(
        external_id=external_id,
        name=name,
        language=language,
        category=category,
        status=status_of(node.get("status")),
        wording=_wording(node, category),
        status_reason="" if reason.lower() in _NO_REASON else reason,
        quality=quality_of(loose.mapping(node.get("quality_score")).get("score")),
    )


def status_of(given: Any) -> str:
    """Give Meta's status as ours; an unknown word stays, in lower case."""
    word = loose.text(given).lower()[:20] or "pending"
    return STATUSES.get(word, word)


def quality_of(given: Any) -> str:
    word = loose.text(given).lower()
    return word if word in ("green", "yellow", "red") else ""


def submission(draft: Draft, sample: str = "") -> dict[str, Any]:
    """Give the JSON that hands a draft in, with an example for every placeholder; `sample` is the handle of
    the uploaded file that stands on top."""
    wording = draft.wording
    components: list[dict[str, Any]] = []
    if wording.header_kind == "text":
        header: dict[str, Any] = {"type": "HEADER", "format": "TEXT", "text": wording.header}
        if names := names_in(wording.header):
            values = {name: wording.examples.get(f"{HEADER}:{name}", "") for name in names}
            header["example"] = _example("header_text", wording.style, values, is_nested=False)
        components.append(header)
    elif wording.header_kind in MEDIA_HEADERS:
        example = {"header_handle": [sample]}
        components.append({"type": "HEADER", "format": wording.header_kind.upper(), "example": example})
    body: dict[str, Any] = {"type": "BODY", "text": wording.body}
    if names := names_in(wording.body):
        values = {name: wording.examples.get(name, "") for name in names}
        body["example"] = _example("body_text", wording.style, values, is_nested=True)
    components.append(body)
    if wording.footer:
        components.append({"type": "FOOTER", "text": wording.footer})
    if wording.buttons:
        buttons = [_button(place, button, wording) for place, button in enumerate(wording.buttons)]
        components.append({"type": "BUTTONS", "buttons": buttons})
    return {
        "name": draft.name,
        "language": draft.language,
        "category": draft.category.upper(),
        "parameter_format": "NAMED" if wording.style == "named" else "POSITIONAL",
        "components": components,
    }


def submitted(body: Mapping[str, Any], draft: Draft, known_id: str = "") -> Submitted | None:
    """Read the answer to a submission; None when it holds no id. The answer to a change (`known_id`) says no
    more than that it worked."""
    external_id = loose.identifier(body.get("id")) or (known_id if body.get("success") is True else None)
    if external_id is None:
        return None
    category = loose.text(body.get("category")).lower() or draft.category
    return Submitted(external_id, status_of(body.get("status")), category)


def _example(kind: str, style: str, values: Mapping[str, str], *, is_nested: bool) -> dict[str, Any]:
    if style == "named":
        named = [{"param_name": name, "example": value} for name, value in values.items()]
        return {f"{kind}_named_params": named}
    in_order = [values[name] for name in sorted(values, key=lambda n: (len(n), n))]
    return {kind: [in_order] if is_nested else in_order}


def _button(place: int, button: Button, wording: Wording) -> dict[str, Any]:
    made: dict[str, Any] = {"type": button.kind.upper(), "text": button.text}
    if button.kind == "url":
        made["url"] = button.url
        if names_in(button.url):
            filled = button.url.partition("{{")[0] + wording.examples.get(f"button:{place}", "")
            made["example"] = [filled]
    elif button.kind == "phone_number":
        made["phone_number"] = button.phone
    elif button.kind == "copy_code":
        made = {"type": "COPY_CODE", "example": button.code}
    return made


def _wording(node: Mapping[str, Any], category: str) -> Wording:
    parts: dict[str, dict[str, Any]] = {}
    unsupported = category if category == "authentication" else ""
    for component in map(loose.mapping, loose.items(node.get("components"))):
        kind = loose.text(component.get("type")).lower()
        if kind in ("header", "body", "footer", "buttons"):
            parts.setdefault(kind, component)
        else:
            unsupported = unsupported or kind or "component"
    header, body = parts.get("header", {}), parts.get("body", {})
    header_kind = loose.text(header.get("format")).lower() if header else ""
    if header_kind not in ("", "text", *MEDIA_HEADERS):
        unsupported = unsupported or header_kind
    buttons = tuple(map(_read_button, loose.items(parts.get("buttons", {}).get("buttons"))))
    unsupported = unsupported or next((b.kind for b in buttons if b.kind not in SENDABLE_BUTTONS), "")
    style: Style = "named" if loose.text(node.get("parameter_format")).upper() == "NAMED" else "numbered"
    return Wording(
        body=loose.text(body.get("text")),
        header_kind=header_kind,
        header=loose.text(header.get("text")),
        footer=loose.text(parts.get("footer", {}).get("text")),
        buttons=buttons,
        examples={**_examples(body, "body_text", ""), **_examples(header, "header_text", f"{HEADER}:")},
        style=style,
        unsupported=unsupported,
    )


def _read_button(item: Any) -> Button:
    node = loose.mapping(item)
    example = node.get("example")
    code = loose.text(example[0] if isinstance(example, list) and example else example)
    kind = loose.text(node.get("type")).lower() or "button"
    return Button(
        kind=kind,
        text=loose.text(node.get("text")),
        url=loose.text(node.get("url")),
        phone=loose.text(node.get("phone_number")),
        code=code if kind == "copy_code" else "",
    )


def _examples(component: Mapping[str, Any], kind: str, prefix: str) -> dict[str, str]:
    example = loose.mapping(component.get("example"))
    named = [loose.mapping(one) for one in loose.items(example.get(f"{kind}_named_params"))]
    if named:
        return {
            f"{prefix}{loose.text(one.get('param_name'))}": loose.text(one.get("example")) for one in named
        }
    values = loose.items(example.get(kind))
    if values and isinstance(values[0], list):
        values = values[0]
    return {f"{prefix}{place}": loose.text(value) for place, value in enumerate(values, start=1)}
