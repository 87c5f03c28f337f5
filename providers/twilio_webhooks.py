"""Twilio's webhooks for WhatsApp: the signature, cutting a form into elements, and reading them.

`twilio` and `simulator` call it. A form is one event: a message, or a status of one of ours. Field names:
Twilio, "Webhook request", "Track outbound message status", and captures of public clients.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from twilio.request_validator import (
    SIGNATURE_HEADER,
    SIGNATURE_SETTINGS_HEADER,
    RequestValidator,
    get_signature_algorithm,
)

from providers import loose
from providers.base import (
    Element,
    Event,
    InboundMedia,
    InboundMessage,
    MalformedBody,
    Notice,
    Person,
    ProviderError,
    Receipt,
    SignedRequest,
)
from providers.headers import header
from providers.keys import content_key, event_key
from providers.persons import bare, is_named, lane_id, person

# The query parameter of our status callback address that brings our message id back.
REFERENCE_PARAMETER = "ref"
# Every word that Twilio's callbacks know, in ours; the empty ones tell nothing new.
STATUSES = {
    "accepted": "",
    "scheduled": "",
    "queued": "",
    "sending": "",
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "undelivered": "failed",
    "failed": "failed",
    "canceled": "failed",
}
# In place of a number: a form that is signed but cannot be what Twilio wrote.
NOBODYS = ""
_MESSAGE_SID = re.compile(r"[SM]M[0-9a-fA-F]{32}")
_MAX_FIELDS = 500
REFERRAL_FIELDS = {
    "ReferralBody": "body",
    "ReferralHeadline": "headline",
    "ReferralSourceId": "source_id",
    "ReferralSourceType": "source_type",
    "ReferralSourceUrl": "source_url",
    "ReferralMediaId": "media_id",
    "ReferralMediaContentType": "media_content_type",
    "ReferralMediaUrl": "media_url",
    "ReferralCtwaClid": "ctwa_clid",
}
_FORM_ANSWERS = ("FlowData", "InteractiveData")
_Form = dict[str, str]


def verify(request: SignedRequest, app_secret: str) -> bool:
    """Let the official library compare: address and sorted fields, or address and body hash for JSON."""
    given = header(request.headers, SIGNATURE_HEADER)
    if not app_secret or not given:
        return False
    algorithm = get_signature_algorithm(header(request.headers, SIGNATURE_SETTINGS_HEADER))
    try:
        parameters = _signed_parameters(request)
        return bool(RequestValidator(app_secret).validate(request.url, parameters, given, algorithm))
    except (ValueError, TypeError, AttributeError, LookupError):
        # An address with a bad port, text that cannot be encoded, JSON without a body hash: the library does
        # not expect them, and Twilio signs nothing like it.
        return False


def split(request: SignedRequest) -> list[Element]:
    """Give the one element of a form. Raises MalformedBody when there are no fields at all."""
    if not request.form and _is_json(request):
        return [_other({"json": loose.read(request.body)}, None)]
    pairs = _pairs(request)
    if not pairs:
        raise MalformedBody("no form fields")
    form: _Form = {}
    for name, value in pairs[:_MAX_FIELDS]:
        form.setdefault(loose.clean_text(name), loose.clean_text(value))
    found = element(form, _reference(request.url))
    service_id = form.get("MessagingServiceSid") if found.number_id else None
    return [replace(found, account_id=form.get("AccountSid", ""), service_id=service_id)]


def element(form: _Form, reference: str | None) -> Element:
    """Make the element of one form; also of one that was rebuilt from a listing, which then has the same
    key."""
    sid = loose.identifier(form.get("MessageSid") or form.get("SmsSid") or form.get("SmsMessageSid"))
    status = (form.get("MessageStatus") or form.get("SmsStatus") or "").strip().lower()
    payload = {"form": form, "reference": reference}
    if sid is None:
        return _other(payload, None)
    # Twilio signs names and values one after the other with nothing between them, so a signed form still fits
    # its signature when an id has taken in the field that follows it.
    if not _MESSAGE_SID.fullmatch(sid):
        return _other(payload, NOBODYS)
    if status in STATUSES:
        number_id = _number(form.get("From"))
        key = event_key("s", number_id, sid, status)
        kind = "status" if STATUSES[status] else "other"
        return Element(kind, number_id, key, None, None, loose.dump(payload))  # type: ignore[arg-type]
    number_id, who = _number(form.get("To")), lane_id(_sender(form))
    if who is None or status not in ("received", "receiving", ""):
        return _other(payload, number_id)
    at = loose.moment(form.get("Timestamp"))
    return Element("message", number_id, event_key("m", number_id, sid), who, at, loose.dump(payload))


def parse(payload: bytes) -> Event:
    """Read one element as `split` stored it."""
    try:
        stored = loose.mapping(loose.read(payload))
    except MalformedBody:
        return Notice("unreadable", {})
    form = {name: loose.text(value) for name, value in loose.mapping(stored.get("form")).items()}
    sid = loose.identifier(form.get("MessageSid") or form.get("SmsSid") or form.get("SmsMessageSid"))
    status = (form.get("MessageStatus") or form.get("SmsStatus") or "").strip().lower()
    if sid is None:
        return Notice("unknown", form or stored, _errors(form))
    if status in STATUSES:
        return _read_status(form, sid, STATUSES[status], loose.identifier(stored.get("reference")))
    sender = _sender(form)
    if not is_named(sender) or status not in ("received", "receiving", ""):
        return Notice("message", form, _errors(form))
    return _read_message(form, sid, sender)


def _signed_parameters(request: SignedRequest) -> Any:
    if not request.form and _is_json(request):
        return request.body.decode("utf-8")
    return _MultiForm(_pairs(request))


class _MultiForm(dict[str, list[str]]):
    """The form as the validator wants it: every value of a name that came more than once."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        super().__init__()
        for name, value in pairs:
            self.setdefault(name, []).append(value)

    def getlist(self, name: str) -> list[str]:
        return self[name]


def _is_json(request: SignedRequest) -> bool:
    return header(request.headers, "Content-Type").partition(";")[0].strip().lower() == "application/json"


def _pairs(request: SignedRequest) -> list[tuple[str, str]]:
    """Give the fields, empty ones too: Twilio signs them."""
    if request.form:
        return list(request.form)
    written = request.body.decode("utf-8", "replace")
    try:
        return parse_qsl(written, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError as error:
        raise MalformedBody(str(error)) from error


def _reference(url: str) -> str | None:
    try:
        values = parse_qs(urlsplit(url).query).get(REFERENCE_PARAMETER)
    except ValueError:
        return None
    return loose.identifier(loose.clean_text(values[0])) if values else None


def _number(address: Any) -> str | None:
    """Give one of our senders as `Account.number_id` names it: E.164 with "+"."""
    found = bare(address)
    return f"+{found}" if found and found.isdecimal() else found


def _sender(form: Mapping[str, str]) -> Person:
    return person(
        form.get("From") or form.get("WaId"),
        form.get("ExternalUserId"),
        form.get("ExternalParentUserId"),
        {"profile": {"name": form.get("ProfileName")}},
    )


def _other(payload: dict[str, Any], number_id: str | None) -> Element:
    written = loose.dump(payload, is_sorted=True)
    return Element("other", number_id, content_key(written), None, None, written)


def _errors(form: Mapping[str, str]) -> tuple[ProviderError, ...]:
    code = loose.integer(form.get("ErrorCode"))
    if not code:
        return ()
    details = form.get("ChannelStatusMessage") or ""
    return (ProviderError(code, form.get("ErrorMessage") or details, details),)


def _read_status(form: _Form, sid: str, status: str, reference: str | None) -> Event:
    if not status:
        return Notice("status", form, _errors(form))
    to = person(form.get("To"), form.get("ExternalUserId"), None, {})
    return Receipt(
        external_id=sid,
        status=status,
        at=None,
        reference=reference,
        recipient=to if is_named(to) else None,
        errors=_errors(form),
    )


def _read_message(form: _Form, sid: str, sender: Person) -> InboundMessage:
    kind, fields = _read_content(form)
    extra = dict(fields.pop("extra", {}))
    if opt_out := form.get("OptOutType"):
        extra["opt_out_type"] = opt_out
    if errors := _errors(form):
        extra["errors"] = [{"code": error.code, "title": error.title} for error in errors]
    referral = {ours: form[theirs] for theirs, ours in REFERRAL_FIELDS.items() if form.get(theirs)}
    return InboundMessage(
        external_id=sid,
        sender=sender,
        kind=kind,
        sent_at=loose.moment(form.get("Timestamp")),
        quotes=loose.identifier(form.get("OriginalRepliedMessageSid")),
        referral=referral or None,
        is_forwarded="true" in (form.get("Forwarded"), form.get("FrequentlyForwarded")),
        extra=extra,
        **fields,
    )


def _read_content(form: _Form) -> tuple[str, dict[str, Any]]:
    said = form.get("MessageType", "").strip().lower()
    for is_it, read in _READERS:
        if is_it(form, said):
            return read(form, said)
    if form.get("Body", "").strip():
        return "text", {"text": form["Body"]}
    is_named_type = said not in ("", "unsupported", "text")
    return "unsupported", {"extra": {"unsupported_type": said} if is_named_type else {}}


def _read_reaction(form: _Form, said: str) -> tuple[str, dict[str, Any]]:
    target = form.get("OriginalRepliedMessageSid")
    return "reaction", {"emoji": form.get("Body", ""), "target": loose.identifier(target)}


def _read_button(form: _Form, said: str) -> tuple[str, dict[str, Any]]:
    text = form.get("ButtonText") or form.get("Body", "")
    fields = {"text": text, "choice_id": form.get("ButtonPayload") or None}
    return "button", {**fields, "extra": {"choice_kind": "button"}}


def _read_list(form: _Form, said: str) -> tuple[str, dict[str, Any]]:
    text = form.get("ListTitle") or form.get("Body", "")
    extra = {"choice_kind": "list"}
    if description := form.get("ListDescription"):
        extra["description"] = description
    return "interactive", {"text": text, "choice_id": form.get("ListId") or None, "extra": extra}


def _read_form(form: _Form, said: str) -> tuple[str, dict[str, Any]]:
    written = next(form[name] for name in _FORM_ANSWERS if form.get(name))
    try:
        answers = loose.read(written.encode("utf-8", "replace"))
    except MalformedBody:
        answers = written
    return "interactive", {"text": form.get("Body", ""), "extra": {"form": {"answers": answers}}}


def _read_location(form: _Form, said: str) -> tuple[str, dict[str, Any]]:
    place = {
        "latitude": form.get("Latitude", ""),
        "longitude": form.get("Longitude", ""),
        "name": form.get("Label", ""),
        "address": form.get("Address", ""),
    }
    words = [place["name"], place["address"], form.get("Body", "")]
    text = "\n".join(dict.fromkeys(word for word in words if word))
    return "location", {"text": text, "extra": {"location": place}}


def _read_media(form: _Form, said: str) -> tuple[str, dict[str, Any]]:
    files = [_file(form, index, said) for index in range(min(_file_count(form), 10))]
    files = [file for file in files if file.url]
    if not files:
        return "unsupported", {"text": form.get("Body", ""), "extra": {"unsupported_type": said or "media"}}
    first = files[0]
    more = [{"url": file.url, "mime_type": file.mime_type} for file in files[1:]]
    kind = (
        "contacts" if first.mime_type.startswith("text/") and "vcard" in first.mime_type else first.media_kind
    )
    fields: dict[str, Any] = {"text": form.get("Body", ""), "media": first}
    return kind, {**fields, "extra": {"more_files": more}} if more else fields


def _file(form: _Form, index: int, said: str) -> InboundMedia:
    mime_type = form.get(f"MediaContentType{index}", "")
    return InboundMedia(
        media_kind=_media_kind(mime_type, said),
        url=form.get(f"MediaUrl{index}", ""),
        mime_type=mime_type,
        filename=form.get(f"MediaFilename{index}", ""),
        # WhatsApp's voice notes are Opus in Ogg; Twilio has no field that says so.
        is_voice=mime_type.startswith("audio/ogg"),
    )


def _media_kind(mime_type: str, said: str) -> str:
    if said in ("image", "audio", "video", "document", "sticker"):
        return said
    if mime_type == "image/webp":
        return "sticker"
    kind = mime_type.partition("/")[0]
    return kind if kind in ("image", "audio", "video") else "document"


def _file_count(form: _Form) -> int:
    return loose.integer(form.get("NumMedia")) or 0


# The first that holds; a button answer has a Body too, a file may have one.
_READERS: tuple[
    tuple[Callable[[_Form, str], bool], Callable[[_Form, str], tuple[str, dict[str, Any]]]], ...
] = (
    (lambda form, said: said == "reaction", _read_reaction),
    (lambda form, said: bool(form.get("ListId")), _read_list),
    (lambda form, said: bool(form.get("ButtonPayload") or form.get("ButtonText")), _read_button),
    (lambda form, said: any(form.get(name) for name in _FORM_ANSWERS), _read_form),
    (lambda form, said: bool(form.get("Latitude") and form.get("Longitude")), _read_location),
    (lambda form, said: _file_count(form) > 0, _read_media),
)
