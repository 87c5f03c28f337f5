"""Meta's WhatsApp Cloud API behind the provider contract.

The door calls `verify`, `answer_handshake` and `split`; `whatsapp_service` the rest. Reading webhooks is
`meta_webhooks` and `meta_events`, writing messages `meta_messages`, the error table `meta_errors`; here is
only the talk over HTTP.
"""

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import SplitResult, quote, urlsplit

from message_content import Content, Media, Template
from providers import (
    graph,
    loose,
    meta_errors,
    meta_events,
    meta_messages,
    meta_templates,
    meta_webhooks,
    transport,
)
from providers.base import (
    Account,
    DownloadedMedia,
    Element,
    Event,
    Health,
    InboundMedia,
    Limits,
    MediaError,
    OwnFile,
    Person,
    ProviderError,
    SendError,
    Sent,
    SignedRequest,
)
from providers.meta_webhooks import answer_handshake
from providers.persons import is_named, person
from providers.templates import Draft, ListedTemplate, Submitted, file_header
from providers.transport import Answer, Bearer, Failure

__all__ = ["Meta", "answer_handshake", "meta"]

# Hosts that may see our token: where Meta says that media lies.
_MEDIA_HOSTS = ("lookaside.fbsbx.com",)
_MEDIA_SUFFIXES = (".fbsbx.com", ".whatsapp.net")
_HEALTH_FIELDS = (
    "id,display_phone_number,verified_name,quality_rating,name_status,status,"
    "platform_type,throughput,whatsapp_business_manager_messaging_limit"
)
_MEDIA_TIMEOUT_FACTOR = 4.0
_LAST_SECOND = 253_402_300_800  # the year 10000, which no datetime has
_TEMPLATES_PER_PAGE = 100
# An account may hold 6,000 templates in all their languages (Meta, "Template management").
_MAX_TEMPLATE_PAGES = 200
# The id of an upload is the path, and maybe the query, of where it continues.
_UPLOAD = re.compile(r"upload:[\w:=+/%.~-]+(\?[\w:=+/%.~&-]*)?", re.ASCII)
_NO_ACCOUNT = SendError(
    "no_business_account", "final", "The number has no WhatsApp business account id, which templates need."
)


class Meta:
    """The singleton `meta`; it has no state."""

    name = "meta"
    limits: Limits = meta_messages.LIMITS
    keeps_templates = True

    def verify(self, request: SignedRequest, app_secret: str) -> bool:
        return meta_webhooks.verify(request, app_secret)

    def split(self, request: SignedRequest) -> list[Element]:
        return meta_webhooks.split(request)

    def parse(self, payload: bytes) -> Event:
        return meta_events.parse(payload)

    def fit(self, content: Content) -> tuple[Content, ...]:
        return meta_messages.fit(content)

    def explain(self, error: ProviderError) -> SendError:
        return meta_errors.explain(error)

    def send(
        self, account: Account, to: Person, content: Content, *, reference: str, quotes: str | None = None
    ) -> Sent | SendError:
        prepared = meta_messages.prepare(to, content, reference=reference, quotes=quotes)
        if isinstance(prepared, SendError):
            return prepared
        answer = graph.call(account, "POST", f"{account.number_id}/messages", json=prepared)
        if isinstance(answer, Failure):
            return transport.send_error(answer)
        return _read_sent(answer) or meta_errors.read_refusal(answer, datetime.now(UTC))

    def mark_read(self, account: Account, external_id: str, *, typing: bool) -> bool:
        payload: dict[str, Any] = {
            "messaging_product": "whatsapp",
            "status": "read",
            "message_id": external_id,
        }
        if typing:
            payload["typing_indicator"] = {"type": "text"}
        answer = graph.call(account, "POST", f"{account.number_id}/messages", json=payload)
        return isinstance(answer, Answer) and answer.status == 200

    def fetch_media(
        self, account: Account, media: InboundMedia, *, max_bytes: int
    ) -> DownloadedMedia | MediaError:
        """Ask where the file lies, then fetch it. The address of the webhook lives five minutes: it is not
        used when there is an id; an address that died meanwhile is asked for once more."""
        found = _locate(account, media)
        if isinstance(found, MediaError):
            return found
        answer = _download(account, found.url, max_bytes)
        if isinstance(answer, Answer) and answer.status in (401, 403, 404, 410) and media.media_id:
            found = _locate(account, media)
            if isinstance(found, MediaError):
                return found
            answer = _download(account, found.url, max_bytes)
        return answer if isinstance(answer, MediaError) else _read_file(answer, found)

    def upload_media(
        self, account: Account, content: bytes, mime_type: str, filename: str = "file"
    ) -> str | SendError:
        """Store a file at Meta for 30 days; gives its media id."""
        answer = graph.call(
            account,
            "POST",
            f"{account.number_id}/media",
            data={"messaging_product": "whatsapp", "type": mime_type},
            files={"file": (filename, content, mime_type)},
        )
        if isinstance(answer, Failure):
            return transport.send_error(answer)
        media_id = loose.identifier(graph.body_of(answer).get("id"))
        return media_id or meta_errors.read_refusal(answer, datetime.now(UTC))

    def attach(self, account: Account, content: Media | Template, file: OwnFile) -> Content | SendError:
        """Upload the file: Meta would have to reach an address of ours, which a small shop may not have."""
        media_id = self.upload_media(account, file.content, file.mime_type, file.filename or "file")
        if isinstance(media_id, SendError):
            return media_id
        if isinstance(content, Media):
            return replace(content, file_id=0, media_id=media_id)
        return with_file(content, file, {"id": media_id})

    def health(self, account: Account) -> Health:
        answer = graph.call(account, "GET", account.number_id, params={"fields": _HEALTH_FIELDS})
        if isinstance(answer, Failure):
            return Health.failed(transport.send_error(answer))
        body = graph.body_of(answer)
        if answer.status != 200 or not body.get("id"):
            return Health.failed(meta_errors.read_refusal(answer, datetime.now(UTC)))
        return replace(_read_health(body), token_ends_at=_token_ends_at(account))

    def list_templates(self, account: Account) -> tuple[ListedTemplate, ...] | SendError:
        """List the templates of the business account. The next page is asked for by its cursor: an address
        that the answer names does not get the token."""
        if not account.business_id:
            return _NO_ACCOUNT
        found: list[ListedTemplate] = []
        params = {"fields": meta_templates.FIELDS, "limit": str(_TEMPLATES_PER_PAGE)}
        for _ in range(_MAX_TEMPLATE_PAGES):
            answer = graph.call(account, "GET", f"{account.business_id}/message_templates", params=params)
            if isinstance(answer, Failure):
                return transport.send_error(answer)
            body = graph.body_of(answer)
            if answer.status != 200 or not isinstance(body.get("data"), list):
                return meta_errors.read_refusal(answer, datetime.now(UTC))
            found += [read for item in body["data"] if (read := meta_templates.read(item)) is not None]
            paging = loose.mapping(body.get("paging"))
            after = loose.text(loose.mapping(paging.get("cursors")).get("after"))
            if not paging.get("next") or not after:
                return tuple(found)
            params = {**params, "after": after}
        return SendError("too_many_templates", "final", "Meta's list of templates has no end.")

    def submit_template(
        self, account: Account, draft: Draft, external_id: str = "", file: OwnFile | None = None
    ) -> Submitted | SendError:
        if not account.business_id:
            return _NO_ACCOUNT
        sample = _upload_sample(account, file) if file is not None else ""
        if isinstance(sample, SendError):
            return sample
        payload = meta_templates.submission(draft, sample)
        if external_id:
            payload = {"category": payload["category"], "components": payload["components"]}
        path = quote(external_id, safe="") or f"{account.business_id}/message_templates"
        answer = graph.call(account, "POST", path, json=payload)
        if isinstance(answer, Failure):
            return transport.send_error(answer)
        is_taken = answer.status in (200, 201)
        taken = meta_templates.submitted(graph.body_of(answer), draft, external_id) if is_taken else None
        return taken or meta_errors.read_refusal(answer, datetime.now(UTC))


meta = Meta()


def with_file(content: Template, file: OwnFile, named: dict[str, str]) -> Template:
    """Put a file of ours on top of a template; `named` is its `id` or `link`."""
    kind = file.mime_type.partition("/")[0]
    if kind not in ("image", "video"):
        kind, named = "document", named | ({"filename": file.filename} if file.filename else {})
    return replace(content, file_id=0, components=(file_header(kind, named), *content.components))


def _upload_sample(account: Account, file: OwnFile) -> str | SendError:
    """Upload what the review looks at, in one piece; give its handle (Meta, "Resumable Upload API"). Nothing
    is lost when it fails: an upload that no template names is forgotten by Meta."""
    token = _body_of(graph.call(account, "GET", "debug_token", params={"input_token": account.access_token}))
    app_id = token if isinstance(token, SendError) else loose.identifier(_data(token).get("app_id"))
    if not isinstance(app_id, str):
        return app_id or SendError("no_app", "final", "Meta does not say which app the token belongs to.")
    about = {"file_name": file.filename, "file_length": str(len(file.content)), "file_type": file.mime_type}
    opened = _body_of(graph.call(account, "POST", f"{app_id}/uploads", params=about))
    if isinstance(opened, SendError):
        return opened
    session = loose.text(opened.get("id"))
    if not _UPLOAD.fullmatch(session):
        return SendError("no_upload", "final", "Meta opened no upload for the file.")
    url = f"{graph.base_url(account)}/{quote(account.api_version or graph.DEFAULT_API_VERSION)}/{session}"
    answer = transport.exchange(
        "POST",
        url,
        Bearer(account.access_token, "OAuth"),
        timeout_secs=account.timeout_secs * _MEDIA_TIMEOUT_FACTOR,
        data=file.content,
        headers={"file_offset": "0"},
    )
    taken = _body_of(answer)
    if isinstance(taken, SendError):
        return taken
    return loose.text(taken.get("h")) or SendError("no_upload", "final", "Meta did not keep the file.")


def _body_of(answer: Answer | Failure) -> dict[str, Any] | SendError:
    """Give the JSON of an answer of which nothing remains when it is asked again."""
    if isinstance(answer, Failure):
        return replace(transport.send_error(answer), outcome="retry")
    return (
        graph.body_of(answer) if answer.status == 200 else meta_errors.read_refusal(answer, datetime.now(UTC))
    )


def _data(body: dict[str, Any]) -> dict[str, Any]:
    return loose.mapping(body.get("data"))


def _token_ends_at(account: Account) -> datetime | None:
    """Ask Meta when our token ends (Graph API, "Debug-Token"); None when it never does, or Meta does not
    say: a token may always look at itself, but nothing depends on it."""
    answer = graph.call(account, "GET", "debug_token", params={"input_token": account.access_token})
    if isinstance(answer, Failure) or answer.status != 200:
        return None
    ends_at = loose.mapping(graph.body_of(answer).get("data")).get("expires_at")
    if not isinstance(ends_at, int) or isinstance(ends_at, bool) or not 0 < ends_at < _LAST_SECOND:
        return None
    return datetime.fromtimestamp(ends_at, UTC)


def _read_sent(answer: Answer) -> Sent | None:
    body = graph.body_of(answer)
    first = loose.mapping(next(iter(loose.items(body.get("messages"))), None))
    external_id = loose.identifier(first.get("id"))
    if answer.status not in (200, 201) or external_id is None:
        return None
    contact = loose.mapping(next(iter(loose.items(body.get("contacts"))), None))
    learnt = person(None, None, None, contact)
    return Sent(external_id, learnt if is_named(learnt) else None)


def _locate(account: Account, media: InboundMedia) -> InboundMedia | MediaError:
    """Ask Meta for the file's present address; a message without id has only the address that came with
    it."""
    if not media.media_id:
        return media if media.url else MediaError("no_media", "The message names no file.")
    answer = graph.call(account, "GET", media.media_id, params={"phone_number_id": account.number_id})
    if isinstance(answer, Failure):
        return MediaError("cut", f"Meta could not be asked for the file ({answer.reason}).", True)
    body = graph.body_of(answer)
    url = loose.text(body.get("url"))
    if answer.status != 200 or not url:
        is_retryable = answer.status == 429 or answer.status >= 500
        return MediaError(
            f"http_{answer.status}", f"Meta does not give the file (HTTP {answer.status}).", is_retryable
        )
    return InboundMedia(
        media_kind=media.media_kind,
        media_id=media.media_id,
        url=url,
        mime_type=loose.text(body.get("mime_type")) or media.mime_type,
        sha256=loose.text(body.get("sha256")) or media.sha256,
        filename=media.filename,
    )


def _download(account: Account, url: str, max_bytes: int) -> Answer | MediaError:
    if not may_see_token(account, url):
        return MediaError("foreign_host", "The file lies on a host that is not Meta's; it was not fetched.")
    answer = transport.exchange(
        "GET",
        url,
        Bearer(account.access_token),
        timeout_secs=account.timeout_secs * _MEDIA_TIMEOUT_FACTOR,
        max_bytes=max_bytes,
    )
    if isinstance(answer, Failure):
        return MediaError("cut", f"The file could not be fetched ({answer.reason}).", True)
    return answer


def may_see_token(account: Account, url: str) -> bool:
    """Tell whether our token may go to `url`: Meta's media hosts, and the host of the configured API."""
    base, target = _split_url(graph.base_url(account)), _split_url(url)
    if base is None or target is None or target.username is not None or not target.hostname:
        return False
    if (target.scheme, target.netloc.lower()) == (base.scheme, base.netloc.lower()):
        return True
    host = target.hostname.lower()
    is_metas = host in _MEDIA_HOSTS or host.endswith(_MEDIA_SUFFIXES)
    return target.scheme == "https" and target.port in (None, 443) and is_metas


def _split_url(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        # Reading the port is what raises for a bad one.
        return parts if parts.port is None or parts.port > 0 else None
    except ValueError:
        return None


def _read_file(answer: Answer, media: InboundMedia) -> DownloadedMedia | MediaError:
    if answer.is_cut:
        return MediaError("too_large", "The file is larger than what is kept.")
    if answer.status != 200:
        is_retryable = answer.status in (404, 408, 410, 429) or answer.status >= 500
        return MediaError(
            f"http_{answer.status}", f"The file could not be fetched (HTTP {answer.status}).", is_retryable
        )
    digest = hashlib.sha256(answer.content).digest()
    if media.sha256 and not _is_same_digest(media.sha256, digest):
        return MediaError("changed", "The file is not the one that was announced (SHA-256 differs).", True)
    mime_type = media.mime_type or answer.headers.get("Content-Type", "")
    return DownloadedMedia(answer.content, mime_type, digest.hex(), media.filename)


def _is_same_digest(announced: str, digest: bytes) -> bool:
    """Compare with what Meta announced: base64 in webhooks, hexadecimal in the media node."""
    if hmac.compare_digest(announced.lower().encode("utf-8", "replace"), digest.hex().encode()):
        return True
    try:
        return hmac.compare_digest(base64.b64decode(announced, validate=True), digest)
    except (binascii.Error, ValueError):
        return False


def _read_health(body: dict[str, Any]) -> Health:
    number = loose.text(body.get("display_phone_number"))
    quality = loose.text(body.get("quality_rating")) or "UNKNOWN"
    status = loose.text(body.get("status")) or "UNKNOWN"
    is_ok = quality != "RED" and status in ("CONNECTED", "UNKNOWN")
    name = loose.text(body.get("verified_name"))
    limit = loose.text(body.get("whatsapp_business_manager_messaging_limit"))
    facts = {"number": number, "name": name, "status": status.lower(), "quality": quality.lower()}
    facts |= {"limit": limit} if limit else {}
    summary = f"{number} {name}: {status.lower()}, quality {quality.lower()}."
    return Health(is_ok, summary, body, "meta_number", facts)
