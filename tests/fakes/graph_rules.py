"""What the Cloud API refuses: the documented limits and required fields of every message type.

Pure: a payload in, a `Refusal` out or nothing. Limits are written out here and not taken from the program, so
that a wrong limit over there is found.
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

TEXT_MAX = 4096
CAPTION_MAX = 1024
HEADER_TEXT_MAX = 60
BODY_MAX = 1024
LIST_BODY_MAX = 4096
FOOTER_MAX = 60
BUTTONS_MAX = 3
BUTTON_TITLE_MAX = 20
BUTTON_ID_MAX = 256
LIST_BUTTON_MAX = 20
LIST_SECTIONS_MAX = 10
LIST_ROWS_MAX = 10  # in total, over all sections
SECTION_TITLE_MAX = 24
ROW_ID_MAX = 200
ROW_TITLE_MAX = 24
ROW_DESCRIPTION_MAX = 72
LINK_TITLE_MAX = 20
FLOW_TITLE_MAX = 30
PRODUCTS_MAX = 30
REFERENCE_MAX = 512
MEDIA_TYPES = ("image", "audio", "video", "document", "sticker")
COMPONENT_TYPES = ("header", "body", "button", "carousel", "limited_time_offer")
CAPTIONED = ("image", "video", "document")
BSUID = re.compile(r"[A-Z]{2}\.(ENT\.)?[0-9A-Za-z]{1,128}")
PHONE = re.compile(r"\+?[0-9][0-9 ().\-]{5,25}")

# code -> (HTTP status, title); the details say more.
ERRORS: dict[int, tuple[int, str]] = {
    0: (401, "AuthException"),
    1: (500, "An unknown error occurred"),
    2: (503, "Service temporarily unavailable"),
    3: (403, "Application does not have the capability to make this API call"),
    4: (400, "Application request limit reached"),
    10: (403, "Application does not have permission for this action"),
    33: (400, "Parameter value is not valid"),
    100: (400, "Invalid parameter"),
    190: (401, "Invalid OAuth access token"),
    368: (403, "Temporarily blocked for policies violations"),
    80007: (400, "Rate limit issues"),
    130429: (400, "Rate limit hit"),
    130472: (400, "User's number is part of an experiment"),
    130497: (403, "Business account is restricted from messaging users in this country"),
    131000: (500, "Something went wrong"),
    131005: (403, "Access denied"),
    131008: (400, "Required parameter is missing"),
    131009: (400, "Parameter value is not valid"),
    131016: (503, "Service unavailable"),
    131021: (400, "Recipient cannot be sender"),
    131026: (400, "Message undeliverable"),
    131030: (400, "Recipient phone number not in allowed list"),
    131031: (403, "Business Account locked"),
    131037: (400, "WhatsApp provided number needs display name approval before message can be sent"),
    131042: (400, "Business eligibility payment issue"),
    131045: (500, "Incorrect certificate"),
    131047: (400, "Re-engagement message"),
    131048: (400, "Spam rate limit hit"),
    131049: (400, "This message was not delivered to maintain healthy ecosystem engagement"),
    131050: (400, "User has stopped marketing messages"),
    131051: (400, "Unsupported message type"),
    131052: (400, "Media download error"),
    131053: (400, "Media upload error"),
    131056: (400, "(Business Account, Consumer Account) pair rate limit hit"),
    131057: (500, "Business Account in maintenance mode"),
    131062: (400, "Recipient must be a phone number"),
    132000: (400, "Number of parameters does not match the expected number of params"),
    132001: (404, "Template name does not exist in the translation"),
    132005: (400, "Template Hydrated Text Too Long"),
    132007: (400, "Template Format Character Policy Violated"),
    132012: (400, "Parameter format does not match format in the created template"),
    132015: (400, "Template is Paused"),
    132016: (400, "Template is Disabled"),
    132068: (400, "Flow is blocked"),
    133010: (400, "Phone number not registered"),
    133016: (400, "Account register deregister rate limit exceeded"),
    135000: (400, "Generic user error"),
}

# "Conversions API for Business Messaging": what happens in a chat, and nothing of websites (Lead, Schedule).
CONVERSION_NAMES = frozenset(
    "Purchase LeadSubmitted QualifiedLead InitiateCheckout AddToCart ViewContent OrderCreated OrderShipped "
    "OrderDelivered OrderCanceled OrderReturned CartAbandoned RatingProvided ReviewProvided".split()
)

# What the Resumable Upload API takes, by the format of a template's header.
SAMPLE_TYPES = {
    "IMAGE": ("image/jpeg", "image/jpg", "image/png"),
    "VIDEO": ("video/mp4",),
    "DOCUMENT": ("application/pdf",),
}

Json = Mapping[str, Any]


class Refusal(Exception):
    """The API says no: `code` of the documented list, `details` in words."""

    def __init__(self, code: int, details: str, subcode: int | None = None) -> None:
        super().__init__(f"(#{code}) {details}")
        self.code = code
        self.details = details
        self.subcode = subcode


def check_message(payload: Json) -> None:
    """Raise Refusal when the Cloud API would answer 400 to this body of POST /messages."""
    _check_frame(payload)
    kind = payload.get("type", "text")
    if kind not in _CHECKS:
        raise Refusal(100, f"(#100) Param type must be one of {{{', '.join(sorted(_CHECKS)).upper()}}}")
    _CHECKS[kind](_object(payload, kind, kind))


def check_template(template: Json) -> None:
    """Raise Refusal when Meta would not take this template for review."""
    if not isinstance(template, Mapping) or not re.fullmatch(r"[a-z0-9_]{1,512}", str(template.get("name"))):
        raise Refusal(100, "The name may hold lower-case letters, digits and underscores only.")
    if template.get("category") not in ("MARKETING", "UTILITY", "AUTHENTICATION"):
        raise Refusal(100, "Param category must be one of {MARKETING, UTILITY, AUTHENTICATION}")
    parts = {str(part.get("type")): part for part in template.get("components", ())}
    _check_template_header(parts.get("HEADER", {}))
    if set(parts) - {"HEADER", "BODY", "FOOTER", "BUTTONS"} or "BODY" not in parts:
        raise Refusal(100, "A template needs a BODY, and knows HEADER, FOOTER and BUTTONS beside it.")
    for kind, limit in (("HEADER", HEADER_TEXT_MAX), ("BODY", BODY_MAX), ("FOOTER", FOOTER_MAX)):
        text = str(parts.get(kind, {}).get("text", "x"))
        _string(text, kind, limit)
        names = set(re.findall(r"\{\{(\w+)\}\}", text))
        if kind == "FOOTER" and names:
            raise Refusal(100, "A footer holds no variables.")
        example = {k: v for k, v in parts.get(kind, {}).get("example", {}).items() if k != "header_handle"}
        if len(names) != _examples_count(example):
            raise Refusal(100, f"{kind}: every variable needs an example.")
    if re.search(r"^\{\{|\}\}$", str(parts["BODY"]["text"]).strip()):
        raise Refusal(100, "Variables can't be at the start or end of the template.")
    for button in parts.get("BUTTONS", {}).get("buttons", ()):
        if button.get("type") not in ("QUICK_REPLY", "URL", "PHONE_NUMBER", "COPY_CODE"):
            raise Refusal(100, "Unknown type of button.")
        if button["type"] != "COPY_CODE":
            _string(button.get("text"), "Button text", 25)


def check_conversion(event: Json, business_account_id: str, clicks: Collection[str], now: float) -> None:
    """Raise Refusal when Meta would not take this event of a chat, nor any other of its request."""
    told = {name: event.get(name) for name in ("action_source", "messaging_channel")}
    if told != {"action_source": "business_messaging", "messaging_channel": "whatsapp"}:
        raise Refusal(100, "Invalid parameter", 2804065)
    if event.get("event_name") not in CONVERSION_NAMES:
        raise Refusal(100, "Messaging Event Invalid Event Type", 2804066)
    if not isinstance(event.get("event_time"), int) or not -60 < now - event["event_time"] < 7 * 86400:
        raise Refusal(100, "Event Timestamp Too Old", 2804003)
    who = event.get("user_data", {})
    if who.get("whatsapp_business_account_id") != business_account_id or who.get("ctwa_clid") not in clicks:
        raise Refusal(100, "Messaging Event Invalid Ctwa Clid", 2804087)
    custom = event.get("custom_data", {})
    if event["event_name"] == "Purchase" and not (
        isinstance(custom.get("value"), int | float) and re.fullmatch("[A-Z]{3}", str(custom.get("currency")))
    ):
        raise Refusal(100, "Missing Value or Currency", 2804009)


def _check_template_header(header: Json) -> None:
    """A file on top needs the handle of an upload ("Template media")."""
    kind = header.get("format", "TEXT")
    if kind not in ("TEXT", *SAMPLE_TYPES):
        raise Refusal(100, f"HEADER has no format {kind}.")
    handles = header.get("example", {}).get("header_handle", [])
    if kind != "TEXT" and (len(handles) != 1 or not str(handles[0]).startswith("4::")):
        raise Refusal(100, "HEADER: a sample of the file is needed (example.header_handle).")


def _examples_count(example: Json) -> int:
    """Count the examples of a component, whatever form they have."""
    for name, given in example.items():
        if name.endswith("_named_params"):
            return len(given)
        return len(given[0]) if given and isinstance(given[0], list) else len(given)
    return 0


def check_read(payload: Json) -> None:
    """Raise Refusal for a bad read receipt or typing indicator."""
    _check_product(payload)
    if not str(payload.get("message_id", "")).startswith("wamid."):
        raise Refusal(131009, "Invalid message_id.")
    typing = payload.get("typing_indicator")
    if typing is not None and (not isinstance(typing, Mapping) or typing.get("type") != "text"):
        raise Refusal(131009, "typing_indicator.type must be 'text'.")


def recipient_of(payload: Json) -> tuple[str | None, str | None]:
    """Give (digits of `to`, None) or (None, `recipient`); `to` wins. Raises Refusal when neither will do."""
    to, recipient = payload.get("to"), payload.get("recipient")
    if to:
        if not isinstance(to, str) or not PHONE.fullmatch(to):
            raise Refusal(131009, f"The parameter to is not a phone number: {to!r}")
        return re.sub(r"\D", "", to), None
    if recipient:
        if not isinstance(recipient, str) or not BSUID.fullmatch(recipient):
            raise Refusal(131009, f"The parameter recipient is not a business-scoped user id: {recipient!r}")
        return None, recipient
    raise Refusal(100, "The parameter to is required.")


def _check_frame(payload: Json) -> None:
    _check_product(payload)
    if payload.get("recipient_type", "individual") not in ("individual", "group"):
        raise Refusal(100, "Param recipient_type must be one of {INDIVIDUAL, GROUP}")
    reference = payload.get("biz_opaque_callback_data")
    if reference is not None and (not isinstance(reference, str) or len(reference) > REFERENCE_MAX):
        raise Refusal(131009, f"biz_opaque_callback_data must be text of at most {REFERENCE_MAX} characters")
    context = payload.get("context")
    if context is None:
        return
    if not isinstance(context, Mapping) or not str(context.get("message_id", "")).startswith("wamid."):
        raise Refusal(131009, "context.message_id is not valid.")


def _check_product(payload: Json) -> None:
    if payload.get("messaging_product") != "whatsapp":
        raise Refusal(100, "The parameter messaging_product is required.")


def _check_text(node: Json) -> None:
    _only(node, "text", ("body", "preview_url"))
    if "body" not in node:
        raise Refusal(100, "The parameter text['body'] is required.")
    if not isinstance(node["body"], str) or not node["body"].strip():
        raise Refusal(100, "Param text['body'] must be a non-empty string.")
    if len(node["body"]) > TEXT_MAX:
        raise Refusal(100, f"Param text['body'] must be at most {TEXT_MAX} characters long.")
    if not isinstance(node.get("preview_url", False), bool):
        raise Refusal(100, "Param text['preview_url'] must be a boolean.")


def _media_check(kind: str) -> Callable[[Json], None]:
    def check(node: Json) -> None:
        allowed = ["id", "link", "provider"]
        allowed += ["caption"] if kind in CAPTIONED else []
        allowed += ["filename"] if kind == "document" else []
        allowed += ["voice"] if kind == "audio" else []
        _only(node, kind, allowed)
        check_media_source(node, kind)
        if "caption" in node:
            _string(node["caption"], f"{kind}['caption']", CAPTION_MAX)
        if "filename" in node:
            _string(node["filename"], f"{kind}['filename']", 240)

    return check


def check_media_source(node: Json, where: str) -> None:
    """Exactly one of a media id (digits) and an https link."""
    if ("id" in node) == ("link" in node):
        raise Refusal(100, f"Param {where} must have exactly one of 'id' and 'link'.")
    if "id" in node and not str(node["id"]).isdigit():
        raise Refusal(
            131009, f"Param {where}['id'] is not a valid whatsapp business account media attachment ID"
        )
    if "link" in node and not re.match(r"https://[^\s/]+", str(node["link"])):
        raise Refusal(131009, f"Param {where}['link'] is not a valid URI.")


def _check_interactive(node: Json) -> None:
    kind = node.get("type")
    check = _INTERACTIVE.get(str(kind))
    if check is None:
        raise Refusal(131009, f"Interactive type {kind!r} is not valid.")
    _check_header(node, kind=str(kind))
    if "body" in node:
        limit = LIST_BODY_MAX if kind == "list" else BODY_MAX
        _string(_object(node, "body", "interactive.body").get("text"), "interactive.body.text", limit)
    elif kind != "product":
        raise Refusal(131008, "The parameter interactive['body'] is required.")
    if "footer" in node:
        _string(
            _object(node, "footer", "interactive.footer").get("text"), "interactive.footer.text", FOOTER_MAX
        )
    check(_object(node, "action", "interactive.action"))


def _check_header(node: Json, kind: str) -> None:
    if "header" not in node:
        if kind == "product_list":
            raise Refusal(131008, "The parameter interactive['header'] is required.")
        return
    header = _object(node, "header", "interactive.header")
    form = header.get("type")
    if kind in ("product", "location_request_message", "request_contact_info", "contact_request"):
        raise Refusal(131009, f"Header is not allowed in interactive type {kind}.")
    if kind in ("list", "product_list") and form != "text":
        raise Refusal(131009, f"Header type of interactive {kind} must be text.")
    if form == "text":
        _string(header.get("text"), "interactive.header.text", HEADER_TEXT_MAX)
    elif form in ("image", "video", "document"):
        check_media_source(_object(header, str(form), f"interactive.header.{form}"), f"header.{form}")
    else:
        raise Refusal(131009, f"Header type {form!r} is not valid.")


def _check_buttons(action: Json) -> None:
    buttons = _array(
        action,
        "buttons",
        1,
        BUTTONS_MAX,
        "Invalid buttons count. Min allowed buttons: 1, Max allowed buttons: 3",
    )
    replies = [_object(button, "reply", "button.reply") for button in buttons]
    if any(button.get("type") != "reply" for button in buttons):
        raise Refusal(131009, "Button type must be reply.")
    for reply in replies:
        _string(reply.get("title"), "Button title", BUTTON_TITLE_MAX)
        _string(reply.get("id"), "Button id", BUTTON_ID_MAX)
    _distinct([reply["title"] for reply in replies], "Duplicated title in buttons")
    _distinct([reply["id"] for reply in replies], "Duplicated id in buttons")


def _check_list(action: Json) -> None:
    _string(action.get("button"), "Button label", LIST_BUTTON_MAX)
    sections = _array(action, "sections", 1, LIST_SECTIONS_MAX, "Sections count must be 1 to 10")
    rows = []
    for section in sections:
        if len(sections) > 1 or "title" in section:
            _string(section.get("title"), "Section title", SECTION_TITLE_MAX)
        rows += _array(section, "rows", 1, LIST_ROWS_MAX, "Rows count of a section must be 1 to 10")
    if len(rows) > LIST_ROWS_MAX:
        raise Refusal(131009, f"Total row count exceed max allowed count: {LIST_ROWS_MAX}")
    for row in rows:
        _string(row.get("id"), "Row id", ROW_ID_MAX)
        _string(row.get("title"), "Row title", ROW_TITLE_MAX)
        if "description" in row:
            _string(row["description"], "Row description", ROW_DESCRIPTION_MAX)
    _distinct([row["id"] for row in rows], "Duplicated row id")


def _check_cta_url(action: Json) -> None:
    _name(action, "cta_url")
    parameters = _object(action, "parameters", "interactive.action.parameters")
    _string(parameters.get("display_text"), "display_text", LINK_TITLE_MAX)
    if not re.match(r"https?://[^\s/]+", str(parameters.get("url", ""))):
        raise Refusal(131009, "The url of the button is not valid.")


def _check_flow(action: Json) -> None:
    _name(action, "flow")
    parameters = _object(action, "parameters", "interactive.action.parameters")
    _string(parameters.get("flow_cta"), "flow_cta", FLOW_TITLE_MAX)
    if not (parameters.get("flow_id") or parameters.get("flow_name")):
        raise Refusal(131008, "One of flow_id and flow_name is required.")


def _check_product_action(action: Json) -> None:
    _string(action.get("catalog_id"), "catalog_id", 100)
    _string(action.get("product_retailer_id"), "product_retailer_id", 100)


def _check_product_list(action: Json) -> None:
    _string(action.get("catalog_id"), "catalog_id", 100)
    sections = _array(action, "sections", 1, LIST_SECTIONS_MAX, "Sections count must be 1 to 10")
    items = []
    for section in sections:
        if len(sections) > 1 or "title" in section:
            _string(section.get("title"), "Section title", SECTION_TITLE_MAX)
        items += _array(section, "product_items", 1, PRODUCTS_MAX, "Product items count must be 1 to 30")
    if len(items) > PRODUCTS_MAX:
        raise Refusal(131009, f"Total product count exceed max allowed count: {PRODUCTS_MAX}")


def _named_action(name: str) -> Callable[[Json], None]:
    return lambda action: _name(action, name)


def _check_template(node: Json) -> None:
    _string(node.get("name"), "template['name']", 512)
    _string(_object(node, "language", "template.language").get("code"), "template['language']['code']", 15)
    for component in node.get("components", ()):
        kind = str(component.get("type")).lower() if isinstance(component, Mapping) else ""
        if kind not in COMPONENT_TYPES:
            raise Refusal(100, "Param template['components'] has a component of unknown type.")
        if kind == "button" and not (component.get("sub_type") and str(component.get("index", "")).isdigit()):
            raise Refusal(131008, "A button component needs sub_type and index.")


def _check_reaction(node: Json) -> None:
    if not str(node.get("message_id", "")).startswith("wamid."):
        raise Refusal(131009, "Param reaction['message_id'] is not valid.")
    if not isinstance(node.get("emoji"), str):
        raise Refusal(131008, "The parameter reaction['emoji'] is required.")


def _check_location(node: Json) -> None:
    for name, limit in (("latitude", 90), ("longitude", 180)):
        try:
            value = float(node[name])
        except (KeyError, TypeError, ValueError):
            raise Refusal(131008, f"The parameter location['{name}'] is required.") from None
        if not -limit <= value <= limit:
            raise Refusal(131009, f"Param location['{name}'] is out of range.")


def _check_contacts(cards: Any) -> None:
    for card in cards:
        name = _object(card, "name", "contacts[].name")
        _string(name.get("formatted_name"), "contacts[].name.formatted_name", 1024)
        if not any(name.get(part) for part in ("first_name", "last_name", "middle_name", "suffix", "prefix")):
            raise Refusal(131009, "contacts[].name needs one more name than formatted_name.")


_INTERACTIVE: dict[str, Callable[[Json], None]] = {
    "button": _check_buttons,
    "list": _check_list,
    "cta_url": _check_cta_url,
    "flow": _check_flow,
    "product": _check_product_action,
    "product_list": _check_product_list,
    "catalog_message": _named_action("catalog_message"),
    "location_request_message": _named_action("send_location"),
    # Meta's page and a well-kept client disagree about this type; both are taken.
    "request_contact_info": _named_action("request_contact_info"),
    "contact_request": _named_action("request_contact_info"),
}
_CHECKS: dict[str, Callable[[Any], None]] = {
    "text": _check_text,
    **{kind: _media_check(kind) for kind in MEDIA_TYPES},
    "interactive": _check_interactive,
    "template": _check_template,
    "reaction": _check_reaction,
    "location": _check_location,
    "contacts": _check_contacts,
}


def _object(node: Json, key: str, where: str) -> Any:
    value = node.get(key) if isinstance(node, Mapping) else None
    if key == "contacts" and isinstance(value, list) and value:
        return value
    if not isinstance(value, Mapping):
        raise Refusal(131008, f"The parameter {where} is required.")
    return value


def _array(node: Json, key: str, least: int, most: int, details: str) -> list[Any]:
    value = node.get(key) if isinstance(node, Mapping) else None
    if not isinstance(value, list) or not least <= len(value) <= most:
        raise Refusal(131009, details)
    if not all(isinstance(item, Mapping) for item in value):
        raise Refusal(131009, f"{key} must hold objects.")
    return value


def _string(value: Any, where: str, most: int) -> None:
    if value is None:
        raise Refusal(131008, f"{where} is required.")
    if not isinstance(value, str) or not value.strip() or len(value) > most:
        raise Refusal(131009, f"{where} length invalid. Min length: 1, Max length: {most}")


def _only(node: Json, where: str, allowed: Any) -> None:
    for key in node:
        if key not in allowed:
            raise Refusal(100, f'Unexpected key "{key}" on param "{where}".')


def _name(action: Json, name: str) -> None:
    if action.get("name") != name:
        raise Refusal(131009, f"The action name must be {name}.")


def _distinct(values: list[str], details: str) -> None:
    if len(set(values)) != len(values):
        raise Refusal(131009, details)
