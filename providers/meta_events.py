"""What one element of a Meta webhook says: stored JSON in, one event of the contract out.

`meta.parse` calls it. It is total: what it does not understand becomes a Notice or an `unsupported` message.
Field names: Meta, "Webhooks: messages, smb_message_echoes, history, smb_app_state_sync, user_preferences".
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from providers import loose
from providers.base import (
    AddressBookEntry,
    Echo,
    Event,
    HistoryMessage,
    IdentityChange,
    InboundMedia,
    InboundMessage,
    MalformedBody,
    Notice,
    OrderItem,
    Person,
    Preference,
    ProviderError,
    Receipt,
)
from providers.persons import bare, is_named, person
from vocabulary import RECEIPT_STATUSES

_MEDIA_TYPES = {
    "image": "image",
    "video": "video",
    "audio": "audio",
    "voice": "audio",
    "document": "document",
    "sticker": "sticker",
}
# ISO 4217: minor digits where they are not two.
MINOR_DIGITS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"), 0),
    **dict.fromkeys(("UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
# What a BIGINT column holds.
_MAX_MINOR = 2**63 - 1
_MAX_QUANTITY = 1_000_000
_HISTORY_STATUSES = {"sent", "delivered", "read", "played"}
_MAX_ERRORS = 20


def parse(payload: bytes) -> Event:
    """Read one element as `meta_webhooks.split` stored it."""
    try:
        stored = loose.mapping(loose.read(payload))
    except MalformedBody:
        return Notice("unreadable", {})
    contact = loose.mapping(stored.get("contact"))
    if isinstance(message := stored.get("message"), dict):
        read = _read_message(message, contact)
        if isinstance(read, InboundMessage) and not stored.get("metadata"):
            # Without metadata it is somebody's sample, whose time is made up: then its arrival counts.
            return replace(read, sent_at=None)
        return read
    if isinstance(status := stored.get("status"), dict):
        return _read_receipt(status, contact)
    if isinstance(echo := stored.get("echo"), dict):
        return Echo(
            _inbound(echo, Person(wa_id=loose.identifier(echo.get("from")))), _recipient(echo, contact)
        )
    if isinstance(past := stored.get("history"), dict):
        return _read_past(past, loose.mapping(stored.get("thread")), loose.mapping(stored.get("metadata")))
    return _read_other(loose.text(stored.get("field")), stored.get("other"))


def errors_of(listed: Any) -> tuple[ProviderError, ...]:
    """Read a list of error objects; the ones without a number keep code 0."""
    return tuple(_error(loose.mapping(one)) for one in loose.items(listed)[:_MAX_ERRORS])


def _error(one: dict[str, Any]) -> ProviderError:
    details = loose.text(loose.mapping(one.get("error_data")).get("details"))
    title = loose.text(one.get("title")) or loose.text(one.get("message"))
    return ProviderError(
        loose.integer(one.get("code")) or 0, title, details or loose.text(one.get("details"))
    )


def _recipient(message: dict[str, Any], contact: dict[str, Any]) -> Person:
    return person(message.get("to"), message.get("to_user_id"), message.get("to_parent_user_id"), contact)


def _read_message(message: dict[str, Any], contact: dict[str, Any]) -> Event:
    sender = person(
        message.get("from"), message.get("from_user_id"), message.get("from_parent_user_id"), contact
    )
    if message.get("type") == "system":
        return _read_system(message, sender)
    return _inbound(message, sender)


def _read_system(message: dict[str, Any], old: Person) -> Event:
    system = loose.mapping(message.get("system"))
    new = Person(
        wa_id=bare(system.get("wa_id")) or bare(system.get("new_wa_id")),
        bsuid=loose.identifier(system.get("user_id")),
        parent_bsuid=loose.identifier(system.get("parent_user_id")),
    )
    is_change = system.get("type") in ("user_changed_number", "user_changed_user_id")
    if not is_change or not is_named(new):
        return Notice("system", message)
    at = loose.moment(message.get("timestamp"))
    return IdentityChange(old, new, at, loose.identifier(message.get("id")))


def _inbound(message: dict[str, Any], sender: Person) -> InboundMessage:
    said = _type_of(message)
    node = message.get(said)
    kind, read = _READERS.get(said, ("unsupported", _read_unsupported))
    fields = read(loose.mapping(node), message)
    context = loose.mapping(message.get("context"))
    extra = fields.pop("extra", {})
    if referred := context.get("referred_product"):
        extra = {**extra, "referred_product": referred}
    if failures := message.get("errors"):
        extra = {**extra, "errors": failures}
    return InboundMessage(
        external_id=loose.identifier(message.get("id")) or "",
        sender=sender,
        kind=kind,
        sent_at=loose.moment(message.get("timestamp")),
        quotes=loose.identifier(context.get("id")),
        referral=message["referral"] if isinstance(message.get("referral"), dict) else None,
        is_forwarded=context.get("forwarded") is True or context.get("frequently_forwarded") is True,
        group_id=loose.identifier(message.get("group_id")),
        extra=extra,
        **fields,
    )


def _type_of(message: dict[str, Any]) -> str:
    """Give the type as said; the seeds' sample says none, so the part that is there tells it."""
    said = message.get("type")
    if isinstance(said, str) and said:
        return said
    return next((name for name in _READERS if isinstance(message.get(name), dict)), "unknown")


def _read_text(node: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    return {"text": loose.text(node.get("body"))}


def _read_media(node: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    said = _type_of(message)
    media = InboundMedia(
        media_kind=_MEDIA_TYPES[said],
        media_id=loose.identifier(node.get("id")) or "",
        url=loose.text(node.get("url")),
        mime_type=loose.text(node.get("mime_type")),
        sha256=loose.text(node.get("sha256")),
        filename=loose.text(node.get("filename")),
        is_voice=said == "voice" or node.get("voice") is True,
        is_animated=node.get("animated") is True,
    )
    return {"text": loose.text(node.get("caption")), "media": media}


def _read_location(node: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    words = [loose.text(node.get("name")), loose.text(node.get("address"))]
    return {"text": "\n".join(word for word in words if word), "extra": {"location": node}}


def _read_contacts(node: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    cards = loose.items(message.get("contacts"))
    lines = [_card_line(loose.mapping(card)) for card in cards]
    extra: dict[str, Any] = {"contacts": cards}
    # The person pressed "share my number": the card is her own.
    if any(loose.mapping(card).get("origin") == "contact_request" for card in cards) or (
        message.get("origin") == "contact_request"
    ):
        extra["is_own_number"] = True
    return {"text": "\n".join(line for line in lines if line), "extra": extra}


def _card_line(card: dict[str, Any]) -> str:
    name = loose.text(loose.mapping(card.get("name")).get("formatted_name"))
    phones = [loose.text(loose.mapping(phone).get("phone")) for phone in loose.items(card.get("phones"))]
    return " ".join(word for word in (name, *phones) if word)


def _read_button(node: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    return {"text": loose.text(node.get("text")), "choice_id": loose.text(node.get("payload")) or None}


def _read_interactive(node: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    for name in ("button_reply", "list_reply"):
        if isinstance(reply := node.get(name), dict):
            extra = {"description": reply["description"]} if reply.get("description") else {}
            return {
                "text": loose.text(reply.get("title")),
                "choice_id": loose.text(reply.get("id")) or None,
                "extra": {"choice_kind": name.removesuffix("_reply"), **extra},
            }
    if isinstance(form := node.get("nfm_reply"), dict):
        answers = _form_answers(form.get("response_json"))
        return {"text": loose.text(form.get("body")), "extra": {"form": {**form, "answers": answers}}}
    return {"extra": {"interactive": node}}


def _form_answers(written: Any) -> Any:
    """Read the answers of a form: a JSON string, not always of an object."""
    if not isinstance(written, str):
        return written
    try:
        return loose.read(written.encode("utf-8", "replace"))
    except MalformedBody:
        return written


def _read_order(node: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    lines = [_order_item(loose.mapping(line)) for line in loose.items(node.get("product_items"))]
    return {
        "text": loose.text(node.get("text")),
        "order_items": tuple(line for line in lines if line),
        "extra": {"order": node},
    }


def _order_item(line: dict[str, Any]) -> OrderItem | None:
    """Read one line; None when it names no product, or a quantity or price that cannot be. The raw order is
    kept."""
    retailer_id, quantity = (
        loose.identifier(line.get("product_retailer_id")),
        loose.integer(line.get("quantity")),
    )
    currency = loose.text(line.get("currency")).strip().upper()
    price = price_minor(line.get("item_price"), currency)
    if retailer_id is None or quantity is None or price is None or not 0 < quantity <= _MAX_QUANTITY:
        return None
    return OrderItem(retailer_id, quantity, price, currency)


def price_minor(price: Any, currency: str) -> int | None:
    """Give a price in major units (number or text) in the currency's minor units; None when it is no
    price."""
    if isinstance(price, bool) or not isinstance(price, (str, int, float)):
        return None
    try:
        # Through text: 10.1 is 10.1 and not 10.0999999.
        scaled = Decimal(str(price).strip()).scaleb(MINOR_DIGITS.get(currency, 2))
        if not scaled.is_finite() or not 0 <= scaled <= _MAX_MINOR:
            return None
        return int(scaled.to_integral_value(ROUND_HALF_UP))
    except ArithmeticError:
        return None


def _read_reaction(node: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    return {"emoji": loose.text(node.get("emoji")), "target": loose.identifier(node.get("message_id"))}


def _read_edit(node: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    """Read what a message was changed into: text, or a caption; `target` is the message that was changed."""
    new = loose.mapping(node.get("message"))
    said = _type_of(new)
    if said in _MEDIA_TYPES:
        fields = _read_media(loose.mapping(new.get(said)), new)
    else:
        fields = _read_text(loose.mapping(new.get("text")) or loose.mapping(node.get("text")), new)
    return {**fields, "target": _target(node)}


def _read_revoke(node: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    return {"target": _target(node)}


def _target(node: dict[str, Any]) -> str | None:
    return loose.identifier(node.get("original_message_id")) or loose.identifier(node.get("message_id"))


def _read_unsupported(node: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    """Keep what the provider said about it: `type` (poll_update, ...) and the error that says why."""
    said = loose.text(message.get("type"))
    what = loose.text(node.get("type")) or (said if said not in ("unsupported", "unknown") else "")
    return {"extra": {"unsupported_type": what} if what else {}}


def _read_welcome(node: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    return {}


_READERS: dict[str, tuple[str, Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]]] = {
    "text": ("text", _read_text),
    **{said: (kind, _read_media) for said, kind in _MEDIA_TYPES.items()},
    "location": ("location", _read_location),
    "contacts": ("contacts", _read_contacts),
    "button": ("button", _read_button),
    "interactive": ("interactive", _read_interactive),
    "order": ("order", _read_order),
    "reaction": ("reaction", _read_reaction),
    "edit": ("edit", _read_edit),
    "revoke": ("revoke", _read_revoke),
    "request_welcome": ("welcome", _read_welcome),
}


def _read_receipt(status: dict[str, Any], contact: dict[str, Any]) -> Event:
    external_id, word = loose.identifier(status.get("id")), status.get("status")
    if external_id is None or word not in RECEIPT_STATUSES:
        return Notice("status", status)
    to = person(
        status.get("recipient_id"),
        status.get("recipient_user_id"),
        status.get("recipient_parent_user_id"),
        contact,
    )
    is_known = is_named(to) and status.get("recipient_type") != "group"
    pricing = status.get("pricing")
    return Receipt(
        external_id=external_id,
        status=str(word),
        at=loose.moment(status.get("timestamp")),
        reference=loose.identifier(status.get("biz_opaque_callback_data")),
        recipient=to if is_known else None,
        errors=errors_of(status.get("errors")),
        pricing=pricing if isinstance(pricing, dict) else None,
    )


def _read_past(message: dict[str, Any], thread: dict[str, Any], metadata: dict[str, Any]) -> Event:
    context = loose.mapping(thread.get("context"))
    contact = person(context.get("wa_id") or thread.get("id"), context.get("user_id"), None, context)
    is_ours = _is_ours(message, contact, metadata)
    word = loose.text(loose.mapping(message.get("history_context")).get("status")).lower()
    status = "failed" if word == "error" else word if word in _HISTORY_STATUSES else "sent"
    sender = Person(wa_id=bare(message.get("from"))) if is_ours else contact
    return HistoryMessage(_inbound(message, sender), contact, is_ours, status if is_ours else None)


def _is_ours(message: dict[str, Any], contact: Person, metadata: dict[str, Any]) -> bool:
    sender = bare(message.get("from"))
    if sender is not None and sender in (contact.wa_id, contact.bsuid):
        return False
    if message.get("to") or message.get("to_user_id"):
        return True
    ours = "".join(c for c in loose.text(metadata.get("display_phone_number")) if c.isdecimal())
    return bool(sender) and sender == ours


def _read_other(field: str, other: Any) -> Event:
    parts = loose.mapping(other)
    for name, read in _OTHERS.items():
        if isinstance(item := parts.get(name), dict) and (event := read(item)) is not None:
            return event
    data = parts or {"value": other}
    listed = parts.get("errors") or loose.mapping(parts.get("history")).get("errors")
    found = errors_of(listed) or errors_of([parts["error"]] if "error" in parts else [])
    return Notice(field or "unknown", data, found)


def _read_preference(item: dict[str, Any]) -> Event | None:
    who = person(item.get("wa_id"), item.get("user_id"), item.get("parent_user_id"), {})
    wish = item.get("value")
    if item.get("category") != "marketing_messages" or wish not in ("stop", "resume", "signup"):
        return None
    if not is_named(who):
        return None
    return Preference(who, wish != "stop", loose.moment(item.get("timestamp")))


def _read_id_update(item: dict[str, Any]) -> Event | None:
    ids, parents = loose.mapping(item.get("user_id")), loose.mapping(item.get("parent_user_id"))
    wa_id = bare(item.get("wa_id"))
    old = Person(wa_id, loose.identifier(ids.get("previous")), loose.identifier(parents.get("previous")))
    new = Person(wa_id, loose.identifier(ids.get("current")), loose.identifier(parents.get("current")))
    if not is_named(old) or not (new.bsuid or new.parent_bsuid):
        return None
    return IdentityChange(old, new, loose.moment(item.get("timestamp")))


def _read_address(item: dict[str, Any]) -> Event | None:
    card = loose.mapping(item.get("contact"))
    name = loose.text(card.get("full_name")).strip() or loose.text(card.get("first_name")).strip()
    who = person(card.get("phone_number"), card.get("user_id"), None, {"profile": {"name": name, **card}})
    if item.get("type", "contact") != "contact" or not is_named(who):
        return None
    return AddressBookEntry(who, item.get("action") == "remove")


_OTHERS: dict[str, Callable[[dict[str, Any]], Event | None]] = {
    "user_preference": _read_preference,
    "user_id_update": _read_id_update,
    "state_sync": _read_address,
}
