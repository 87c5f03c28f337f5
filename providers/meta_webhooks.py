"""Meta's webhook bodies: the signature, the GET handshake, and cutting a body into its elements.

`meta` offers these to the door, which calls them on every request: one pass, few objects, no reading of what
a message says (that is `meta_events`). Facts: Meta, "Webhooks" and the reference page of each field.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from providers import loose
from providers.base import Element, ElementKind, SignedRequest
from providers.headers import header
from providers.keys import content_key, event_key
from providers.persons import bare
from vocabulary import RECEIPT_STATUSES

SIGNATURE_HEADER = "X-Hub-Signature-256"
MAX_ELEMENTS = 20_000  # Meta sends up to 1,000 updates in one POST; a chunk of history may hold more


def verify(request: SignedRequest, app_secret: str) -> bool:
    """Compare the HMAC-SHA256 of the exact body bytes in constant time."""
    given = header(request.headers, SIGNATURE_HEADER)
    if not app_secret or not given.startswith("sha256="):
        return False
    expected = hmac.digest(app_secret.encode(), request.body, "sha256").hex()
    # As bytes: compare_digest raises for text beyond ASCII, and the header is a stranger's.
    return hmac.compare_digest(expected.encode(), given[7:].strip().lower().encode("utf-8", "replace"))


def answer_handshake(args: Mapping[str, str], tokens: Iterable[str]) -> str | None:
    """Give the challenge to send back for Meta's GET, None when mode or token is wrong. The GET has no
    signature."""
    given = str(args.get("hub.verify_token") or "").encode("utf-8", "replace")
    if args.get("hub.mode") != "subscribe" or not given:
        return None
    # Compare with every token, so that the time taken does not tell which one came close.
    matches = [hmac.compare_digest(token.encode(), given) for token in tokens if token]
    return str(args.get("hub.challenge") or "") if any(matches) else None


def split(request: SignedRequest) -> list[Element]:
    """Cut a body into its elements, in order. Raises MalformedBody when it is not JSON."""
    body = loose.read(request.body)
    elements: list[Element] = []
    for entry in loose.items(loose.mapping(body).get("entry")):
        _split_entry(entry, elements)
        if len(elements) > MAX_ELEMENTS:
            return [*elements[:MAX_ELEMENTS], _surplus(request.body)]
    return elements or [_other(_Change("", None, None, None, None, {}, {}), body)]


def _surplus(body: bytes) -> Element:
    """Keep the body of a POST that holds more than any provider sends; its surplus is not taken apart."""
    key = f"o:{hashlib.sha256(body).hexdigest()}"
    return Element("other", None, key, None, None, b'{"field":"surplus","other":{}}')


# What is told of message templates; it changes rows of ours.
TEMPLATE_FIELDS = (
    "message_template_status_update",
    "message_template_quality_update",
    "template_category_update",
)


class _Change(NamedTuple):
    """One `entry[].changes[]`: what all of its elements share."""

    field: str
    waba: str | None
    time: Any
    metadata: Any
    number_id: str | None
    value: dict[str, Any]
    contacts: dict[Any, dict[str, Any]]


def _split_entry(entry: Any, elements: list[Element]) -> None:
    before = len(elements)
    if isinstance(entry, dict):
        waba, time = loose.identifier(entry.get("id")), entry.get("time")
        for change in loose.items(entry.get("changes")):
            if len(elements) <= MAX_ELEMENTS:
                _split_change(change, waba, time, elements)
    if len(elements) == before:
        elements.append(_other(_Change("", None, None, None, None, {}, {}), entry))


def _split_change(change: Any, waba: str | None, time: Any, elements: list[Element]) -> None:
    value = change.get("value") if isinstance(change, dict) else None
    if not isinstance(value, dict):
        field = loose.text(loose.mapping(change).get("field"))
        elements.append(_other(_Change(field, waba, time, None, None, {}, {}), change))
        return
    metadata = value.get("metadata")
    number_id = loose.identifier(metadata.get("phone_number_id")) if isinstance(metadata, dict) else None
    # The seeds' sample has no field; only `messages` webhooks look like it.
    field = loose.text(change.get("field")) or "messages"
    before = len(elements)
    shared = _Change(field, waba, time, metadata, number_id, value, _contacts_by_id(value.get("contacts")))
    for name, make in _PARTS.get(field, {}).items():
        _split_part(shared, name, make, elements)
    if len(elements) == before:
        kind: ElementKind = "template" if field in TEMPLATE_FIELDS else "other"
        elements.append(replace(_other(shared, value), kind=kind))


def _split_part(
    change: _Change,
    name: str,
    make: Callable[[_Change, Any], Element | list[Element]],
    elements: list[Element],
) -> None:
    part = change.value.get(name)
    if part is None:
        return
    if not isinstance(part, list):
        elements.append(_other(change, {name: part}))
        return
    for item in part[: MAX_ELEMENTS + 1 - len(elements)]:
        made = make(change, item)
        if isinstance(made, list):
            elements.extend(made)
        else:
            elements.append(made)


def _message(change: _Change, message: Any) -> Element:
    if not isinstance(message, dict):
        return _other(change, {"message": message})
    contact = _contact_of(change, message.get("from"), message.get("from_user_id"))
    external_id, person = loose.identifier(message.get("id")), sender_id(message, contact)
    if external_id is None or person is None:
        return _other(change, {"message": message})
    kind: ElementKind = "other" if message.get("type") == "system" else "message"
    return _element(
        kind,
        change,
        event_key("m", change.number_id, external_id),
        person,
        loose.moment(message.get("timestamp")),
        {"contact": contact, "message": message},
    )


def _status(change: _Change, status: Any) -> Element:
    if not isinstance(status, dict):
        return _other(change, {"status": status})
    external_id, word = loose.identifier(status.get("id")), loose.text(status.get("status"))
    # A payment's status has the message's id and words such as `failed`: it is not the message that failed.
    is_receipt = status.get("type") in (None, "message") and word in RECEIPT_STATUSES
    if external_id is None or not is_receipt:
        return _other(change, {"status": status})
    return _element(
        "status",
        change,
        event_key("s", change.number_id, external_id, word),
        None,
        loose.moment(status.get("timestamp")),
        {
            "contact": _contact_of(change, status.get("recipient_id"), status.get("recipient_user_id")),
            "status": status,
        },
    )


def _echo(change: _Change, message: Any) -> Element:
    if not isinstance(message, dict):
        return _other(change, {"echo": message})
    external_id = loose.identifier(message.get("id"))
    person = bare(message.get("to_user_id")) or bare(message.get("to"))
    if external_id is None or person is None:
        return _other(change, {"echo": message})
    contact = _contact_of(change, message.get("to"), message.get("to_user_id"))
    at = loose.moment(message.get("timestamp"))
    key = event_key("m", change.number_id, external_id)
    return _element("echo", change, key, person, at, {"contact": contact, "echo": message})


def _history(change: _Change, chunk: Any) -> Element | list[Element]:
    """Cut one chunk of the owner's history: a chunk has threads, a thread one person's messages."""
    threads = chunk.get("threads") if isinstance(chunk, dict) else None
    if not isinstance(threads, list):
        return _other(change, {"history": chunk})
    return [
        _past_message(change, message, loose.mapping(thread))
        for thread in threads
        for message in loose.items(loose.mapping(thread).get("messages")) or [thread]
    ]


def _past_message(change: _Change, message: Any, thread: dict[str, Any]) -> Element:
    context = loose.mapping(thread.get("context"))
    person = bare(context.get("user_id")) or bare(context.get("wa_id")) or bare(thread.get("id"))
    external_id = loose.identifier(message.get("id")) if isinstance(message, dict) else None
    if external_id is None or person is None:
        return _other(change, {"history": message})
    # A placeholder comes first, the message with its file later under the same id: two elements.
    key = event_key("h", change.number_id, external_id, loose.text(message.get("type")))
    shown = {"id": thread.get("id"), "context": context}
    at = loose.moment(message.get("timestamp"))
    return _element("history", change, key, person, at, {"thread": shown, "history": message})


def _past_file(change: _Change, message: Any) -> Element:
    """A message of the history whose file came later, in a `messages` list of its own."""
    contact = loose.items(change.value.get("contacts"))[:1]
    person = loose.mapping(contact[0] if contact else None)
    fields = loose.mapping(message)
    thread = {"id": person.get("wa_id") or fields.get("to") or fields.get("from"), "context": person}
    return _past_message(change, message, thread)


def _personal(name: str, wa_id: str, bsuid: str) -> Callable[[_Change, Any], Element]:
    """Make the splitter of a list whose items belong to one person each; the arguments are the items'
    fields."""

    def make(change: _Change, item: Any) -> Element:
        fields = loose.mapping(item)
        ids = loose.mapping(fields.get(bsuid))
        person = bare(ids.get("previous")) if ids else bare(fields.get(bsuid))
        person = person or bare(fields.get(wa_id))
        return _other(change, {name: item}, person, loose.moment(fields.get("timestamp")))

    return make


def _address(change: _Change, item: Any) -> Element:
    contact = loose.mapping(loose.mapping(item).get("contact"))
    person = bare(contact.get("user_id")) or bare(contact.get("phone_number"))
    at = loose.moment(loose.mapping(loose.mapping(item).get("metadata")).get("timestamp"))
    return _other(change, {"state_sync": item}, person, at)


def _loose_part(name: str) -> Callable[[_Change, Any], Element]:
    return lambda change, item: _other(change, {name: item})


_PARTS: dict[str, dict[str, Callable[[_Change, Any], Element | list[Element]]]] = {
    "messages": {
        "messages": _message,
        "statuses": _status,
        "errors": _loose_part("error"),
        "user_actions": _loose_part("user_action"),
    },
    "smb_message_echoes": {"message_echoes": _echo, "errors": _loose_part("error")},
    "history": {"history": _history, "messages": _past_file},
    "smb_app_state_sync": {"state_sync": _address},
    "user_preferences": {"user_preferences": _personal("user_preference", "wa_id", "user_id")},
    "user_id_update": {"user_id_update": _personal("user_id_update", "wa_id", "user_id")},
}


def _contacts_by_id(contacts: Any) -> dict[Any, dict[str, Any]]:
    """Index `contacts[]` by both ids, once for all messages beside them; the first of equal ones counts."""
    index: dict[Any, dict[str, Any]] = {}
    for contact in loose.items(contacts):
        if isinstance(contact, dict):
            for name in ("wa_id", "user_id"):
                if isinstance(found := contact.get(name), str):
                    index.setdefault(found, contact)
    return index


def _contact_of(change: _Change, wa_id: Any, bsuid: Any) -> dict[str, Any] | None:
    """Find the contact that the element's ids name; a lone contact also when it does not contradict them."""
    for wanted in (bsuid, wa_id):
        if isinstance(wanted, str) and wanted in change.contacts:
            return change.contacts[wanted]
    contacts = loose.items(change.value.get("contacts"))
    alone = contacts[0] if len(contacts) == 1 else None
    if not isinstance(alone, dict) or (wa_id and alone.get("wa_id")) or (bsuid and alone.get("user_id")):
        return None
    # With several messages beside one contact nobody can say whose it is.
    sharers = len(loose.items(change.value.get("messages"))) + len(loose.items(change.value.get("statuses")))
    return alone if sharers <= 1 else None


def sender_id(message: dict[str, Any], contact: dict[str, Any] | None) -> str | None:
    """Give the lane's person of a message: the business-scoped id when there is one, else the wa_id."""
    contact = contact or {}
    return (
        bare(message.get("from_user_id"))
        or bare(contact.get("user_id"))
        or bare(message.get("from"))
        or bare(contact.get("wa_id"))
    )


def _element(
    kind: ElementKind,
    change: _Change,
    key: str,
    person: str | None,
    at: datetime | None,
    parts: dict[str, Any],
) -> Element:
    payload = {"field": change.field, "waba": change.waba, "metadata": change.metadata, **parts}
    return Element(kind, change.number_id, key, person, at, loose.dump(payload))


def _other(change: _Change, data: Any, person: str | None = None, at: datetime | None = None) -> Element:
    payload = loose.dump(
        {
            "field": change.field,
            "waba": change.waba,
            # Two equal notices at two times are two events.
            "time": change.time,
            "metadata": change.metadata,
            "other": data,
        },
        is_sorted=True,
    )
    key = content_key(payload)
    return Element("other", change.number_id, key, person, at or loose.moment(change.time), payload)
