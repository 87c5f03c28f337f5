"""Twilio's WhatsApp behind the provider contract.

The door calls `verify` and `split`; `whatsapp_service` the rest, `tasks` also `list_messages`. Reading
webhooks is `twilio_webhooks`, writing messages `twilio_messages`, the error table `twilio_errors`; here is
only the talk over HTTP.
"""

import email.utils
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from message_content import Content, Media, Template, Text
from providers import loose, transport, twilio_errors, twilio_messages, twilio_templates, twilio_webhooks
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
from providers.persons import person
from providers.templates import Draft, ListedTemplate, Submitted
from providers.transport import Answer, Basic, Failure, NoCredentials
from providers.twilio_messages import twiml

__all__ = ["ListedMessage", "Twilio", "twilio", "twiml"]

DEFAULT_BASE_URL = "https://api.twilio.com"
_MESSAGING_BASE_URL = "https://messaging.twilio.com"
_CONTENT_BASE_URL = "https://content.twilio.com"
_API_VERSION = "2010-04-01"
# Hosts that may see the auth token, and those to which Twilio's media redirect, which never see it.
_OWN_SUFFIX = ".twilio.com"
_STORE_SUFFIXES = (".twilio.com", ".twiliocdn.com", ".amazonaws.com")
_MAX_REDIRECTS = 3
_REDIRECTS = (301, 302, 303, 307, 308)
_MEDIA_TIMEOUT_FACTOR = 4.0
_PAGE_SIZE = 200
_MAX_PAGES = 25
_MAX_FILES = 10
_OUR_DIRECTIONS = ("outbound-api", "outbound-reply", "outbound-call")


@dataclass(frozen=True, slots=True)
class ListedMessage:
    """One message of Twilio's own list. `element` is what its webhook would have been, with the same key."""

    external_id: str
    is_ours: bool
    person: Person
    body: str
    status: str
    sent_at: datetime | None
    element: Element


class Twilio:
    """The singleton `twilio`; it has no state."""

    name = "twilio"
    limits: Limits = twilio_messages.LIMITS
    keeps_templates = True

    def verify(self, request: SignedRequest, app_secret: str) -> bool:
        return twilio_webhooks.verify(request, app_secret)

    def split(self, request: SignedRequest) -> list[Element]:
        return twilio_webhooks.split(request)

    def parse(self, payload: bytes) -> Event:
        return twilio_webhooks.parse(payload)

    def fit(self, content: Content) -> tuple[Content, ...]:
        return twilio_messages.fit(content)

    def explain(self, error: ProviderError) -> SendError:
        return twilio_errors.explain(error)

    def send(
        self, account: Account, to: Person, content: Content, *, reference: str, quotes: str | None = None
    ) -> Sent | SendError:
        """Send one content; `quotes` is ignored, since Twilio has no way to quote a message."""
        fields = twilio_messages.prepare(account, to, content, reference=reference)
        if isinstance(fields, SendError):
            return fields
        answer = _call(account, "POST", _account_url(account, "Messages.json"), data=fields)
        if isinstance(answer, Failure):
            return transport.send_error(answer)
        return _read_sent(answer) or twilio_errors.read_refusal(answer, datetime.now(UTC))

    def mark_read(self, account: Account, external_id: str, *, typing: bool) -> bool:
        """Show the typing indicator, which also marks as read; Twilio has no marking without it."""
        if not typing:
            return False
        # A configured address stands for every host of Twilio.
        base = _MESSAGING_BASE_URL if _is_default(account) else _base_url(account)
        data = {"messageId": external_id, "channel": "whatsapp"}
        answer = _call(account, "POST", f"{base}/v2/Indicators/Typing.json", data=data)
        return isinstance(answer, Answer) and answer.status in (200, 201, 202)

    def attach(self, account: Account, content: Media | Template, file: OwnFile) -> Content | SendError:
        """Name the file's address: Twilio fetches files itself, over https only. A template's file is named
        in its Content."""
        if isinstance(content, Template):
            return replace(content, file_id=0)
        if file.url.startswith("https://"):
            return replace(content, file_id=0, link=file.url)
        return Text(content.caption or file.filename)

    def fetch_media(
        self, account: Account, media: InboundMedia, *, max_bytes: int
    ) -> DownloadedMedia | MediaError:
        """Download a file; the auth token goes to Twilio's own hosts only, not to where they redirect."""
        answer = _download(account, media.url, max_bytes)
        return answer if isinstance(answer, MediaError) else _read_file(answer, media)

    def health(self, account: Account) -> Health:
        answer = _call(account, "GET", _account_url(account)[:-1] + ".json")
        if isinstance(answer, Failure):
            return Health.failed(transport.send_error(answer))
        body = _body(answer)
        if answer.status != 200:
            return Health.failed(twilio_errors.read_refusal(answer, datetime.now(UTC)))
        status = loose.text(body.get("status")) or "unknown"
        name = loose.text(body.get("friendly_name"))
        facts = {"name": name, "status": status}
        return Health(status == "active", f"Twilio account {name}: {status}.", body, "twilio_account", facts)

    def list_messages(self, account: Account, since: datetime) -> list[ListedMessage] | SendError:
        """List what this number received and sent since then, oldest first.

        Twilio does not repeat a webhook that was lost: the caller stores every `element`, whose key is that
        of the webhook, and settles uncertain sends by person, body and time (the list does not show our
        reference).
        """
        found: list[ListedMessage] = []
        since = since.astimezone(UTC).replace(microsecond=0)  # the list knows seconds
        for side in _sides(account):
            for row in _rows(account, {**side, "DateSent>": since.strftime("%Y-%m-%d")}):
                if isinstance(row, SendError):
                    return row
                listed = _listed(account, row)
                if listed and (listed.sent_at is None or listed.sent_at >= since):
                    found.append(listed)
        # Newest comes first, and two of one second stay in that order when sorted.
        found.reverse()
        return sorted(found, key=lambda one: one.sent_at or since)

    def list_templates(self, account: Account) -> tuple[ListedTemplate, ...] | SendError:
        """List the stored Contents with their WhatsApp approvals."""
        path, found = f"/v1/ContentAndApprovals?PageSize={_PAGE_SIZE}", list[ListedTemplate]()
        for _ in range(_MAX_PAGES):
            answer = _call(account, "GET", _content_base_url(account) + path)
            if isinstance(answer, Failure):
                return transport.send_error(answer)
            body = _body(answer)
            if answer.status != 200 or not isinstance(body.get("contents"), list):
                return twilio_errors.read_refusal(answer, datetime.now(UTC))
            found += [read for item in body["contents"] if (read := twilio_templates.read(item)) is not None]
            path = _path_of(loose.text(loose.mapping(body.get("meta")).get("next_page_url")))
            if not path:
                return tuple(found)
        return SendError("too_many_templates", "final", "Twilio's list of contents has no end.")

    def submit_template(
        self, account: Account, draft: Draft, external_id: str = "", file: OwnFile | None = None
    ) -> Submitted | SendError:
        """Make a Content of the draft and hand it in at WhatsApp. A Content cannot be changed: that under
        `external_id` gives way to the new one. One that WhatsApp does not take is removed again."""
        contents = f"{_content_base_url(account)}/v1/Content"
        if external_id:
            gone = _call(account, "DELETE", f"{contents}/{quote(external_id, safe='')}")
            if isinstance(gone, Failure) or gone.status not in (200, 204, 404):
                return _not_done(gone)
        made = _call(account, "POST", contents, json=twilio_templates.content(draft))
        sid = loose.identifier(_body(made).get("sid")) if isinstance(made, Answer) else None
        if isinstance(made, Failure) or made.status not in (200, 201) or sid is None:
            return _not_done(made)
        address = f"{contents}/{quote(sid, safe='')}"
        asked = _call(
            account, "POST", f"{address}/ApprovalRequests/whatsapp", json=twilio_templates.approval(draft)
        )
        if isinstance(asked, Answer) and asked.status in (200, 201):
            return twilio_templates.submitted(sid, _body(asked), draft.category)
        failed = _not_done(asked)
        if failed.outcome != "uncertain":
            _call(account, "DELETE", address)
        return failed

    def template_approval(self, account: Account, sid: str) -> Submitted | SendError:
        """Ask what became of a Content at WhatsApp: no webhook tells it."""
        url = f"{_content_base_url(account)}/v1/Content/{quote(sid, safe='')}/ApprovalRequests"
        answer = _call(account, "GET", url)
        if isinstance(answer, Failure) or answer.status != 200:
            return _not_done(answer)
        return twilio_templates.submitted(sid, loose.mapping(_body(answer).get("whatsapp")), "")


twilio = Twilio()


def _call(account: Account, method: str, url: str, **body: Any) -> Answer | Failure:
    auth = Basic(account.business_id.encode(), (account.access_token or account.app_secret).encode())
    return transport.exchange(method, url, auth, timeout_secs=account.timeout_secs, **body)


def _base_url(account: Account) -> str:
    return (account.base_url or DEFAULT_BASE_URL).rstrip("/")


def _is_default(account: Account) -> bool:
    return _base_url(account) == DEFAULT_BASE_URL


def _content_base_url(account: Account) -> str:
    return _CONTENT_BASE_URL if _is_default(account) else _base_url(account)


def _not_done(answer: Answer | Failure) -> SendError:
    if isinstance(answer, Failure):
        return transport.send_error(answer)
    return twilio_errors.read_refusal(answer, datetime.now(UTC))


def _account_url(account: Account, path: str = "") -> str:
    return f"{_base_url(account)}/{_API_VERSION}/Accounts/{quote(account.business_id, safe='')}/{path}"


def _body(answer: Answer) -> dict[str, Any]:
    try:
        return loose.mapping(loose.read(answer.content))
    except ValueError:
        return {}


def _read_sent(answer: Answer) -> Sent | None:
    body = _body(answer)
    sid = loose.identifier(body.get("sid"))
    has_failed = body.get("status") in ("failed", "undelivered") and body.get("error_code")
    if answer.status not in (200, 201) or sid is None or has_failed:
        return None
    return Sent(sid)


def _sides(account: Account) -> list[dict[str, str]]:
    """Ask for one number's messages, in and out; a Messaging Service's are told by their rows."""
    if not account.number_id.startswith("+"):
        return [{}]
    return [{"To": f"whatsapp:{account.number_id}"}, {"From": f"whatsapp:{account.number_id}"}]


def _rows(account: Account, query: dict[str, str]) -> Iterator[dict[str, Any] | SendError]:
    """Give the rows page by page; a failure ends them as the last one."""
    url, params = _account_url(account, "Messages.json"), {**query, "PageSize": str(_PAGE_SIZE)}
    for _ in range(_MAX_PAGES):
        answer = _call(account, "GET", url, params=params)
        if isinstance(answer, Failure):
            yield transport.send_error(answer)
            return
        body = _body(answer)
        if answer.status != 200 or not isinstance(body.get("messages"), list):
            yield twilio_errors.read_refusal(answer, datetime.now(UTC))
            return
        yield from (loose.mapping(row) for row in body["messages"])
        following = loose.text(body.get("next_page_uri"))
        # The answer names the next page; it may not send our token to another host.
        if not following.startswith("/") or following.startswith("//"):
            return
        url, params = _base_url(account) + following, {}


def _listed(account: Account, row: dict[str, Any]) -> ListedMessage | None:
    sid, status = loose.identifier(row.get("sid")), loose.text(row.get("status"))
    sender, to = loose.text(row.get("from")), loose.text(row.get("to"))
    if sid is None or not (sender.startswith("whatsapp:") or to.startswith("whatsapp:")):
        return None
    service = loose.text(row.get("messaging_service_sid"))
    if account.number_id.startswith("MG") and service not in ("", account.number_id):
        return None
    is_ours = row.get("direction") in _OUR_DIRECTIONS
    form = {"MessageSid": sid, "From": sender, "To": to, "MessageStatus" if is_ours else "SmsStatus": status}
    sent_at = _rfc_date(row.get("date_sent")) or _rfc_date(row.get("date_created"))
    if is_ours and row.get("error_code"):
        form["ErrorCode"] = loose.text(row["error_code"])
        form["ErrorMessage"] = loose.text(row.get("error_message"))
    if not is_ours:
        form |= {"SmsStatus": "received", "Body": loose.text(row.get("body"))}
        form |= _files(account, sid, loose.integer(row.get("num_media")) or 0)
        # Twilio's webhooks carry no time; a message that was found later must tell how old it is.
        form |= {"Timestamp": str(int(sent_at.timestamp()))} if sent_at else {}
    who = person(to if is_ours else sender, None, None, {})
    body = loose.text(row.get("body"))
    return ListedMessage(sid, is_ours, who, body, status, sent_at, twilio_webhooks.element(form, None))


def _files(account: Account, sid: str, count: int) -> dict[str, str]:
    """Ask for the files of a listed message; its webhook would have named them."""
    if count <= 0:
        return {}
    answer = _call(account, "GET", _account_url(account, f"Messages/{quote(sid)}/Media.json"))
    listed = loose.items(_body(answer).get("media_list")) if isinstance(answer, Answer) else []
    form = {"NumMedia": str(count)}
    for index, file in enumerate(listed[:_MAX_FILES]):
        node = loose.mapping(file)
        path = loose.text(node.get("uri")).removesuffix(".json")
        if path.startswith("/"):
            form[f"MediaUrl{index}"] = _base_url(account) + path
            form[f"MediaContentType{index}"] = loose.text(node.get("content_type"))
    return form


def _path_of(url: str) -> str:
    """Give path and query of the next page's address; its host does not get our token."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    is_path = parts.path.startswith("/") and not parts.path.startswith("//")
    return parts._replace(scheme="", netloc="").geturl() if is_path else ""


def _rfc_date(given: Any) -> datetime | None:
    """Read the API's dates ("Sat, 21 Nov 2026 10:00:00 +0000")."""
    try:
        at = email.utils.parsedate_to_datetime(loose.text(given))
    except (ValueError, OverflowError):
        return None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def _download(account: Account, url: str, max_bytes: int) -> Answer | MediaError:
    token = Basic(account.business_id.encode(), (account.access_token or account.app_secret).encode())
    for _ in range(_MAX_REDIRECTS + 1):
        if not _may_be_fetched(account, url):
            words = "The file lies on a host that is not Twilio's; it was not fetched."
            return MediaError("foreign_host", words)
        answer = transport.exchange(
            "GET",
            url,
            token if may_see_token(account, url) else NoCredentials(),
            timeout_secs=account.timeout_secs * _MEDIA_TIMEOUT_FACTOR,
            max_bytes=max_bytes,
        )
        if isinstance(answer, Failure):
            return MediaError("cut", f"The file could not be fetched ({answer.reason}).", True)
        location = answer.headers.get("Location") or ""
        if answer.status not in _REDIRECTS or not location:
            return answer
        url = urljoin(url, location)
    return MediaError("redirects", "The file's address leads from one to the next without end.")


def may_see_token(account: Account, url: str) -> bool:
    """Tell whether our token may go to `url`: Twilio's own hosts over https, and the configured API's
    host."""
    host = _https_host(url)
    return _is_configured(account, url) or (host is not None and host.endswith(_OWN_SUFFIX))


def _may_be_fetched(account: Account, url: str) -> bool:
    # Only known stores: an address that came in a webhook or a redirect must not lead into our own network.
    host = _https_host(url)
    return _is_configured(account, url) or (host is not None and host.endswith(_STORE_SUFFIXES))


def _is_configured(account: Account, url: str) -> bool:
    try:
        base, target = urlsplit(_base_url(account)), urlsplit(url)
    except ValueError:
        return False
    return (target.scheme, target.netloc.lower()) == (base.scheme, base.netloc.lower())


def _https_host(url: str) -> str | None:
    try:
        target = urlsplit(url)
        is_plain = target.scheme == "https" and target.username is None and target.port in (None, 443)
    except ValueError:
        return None
    return target.hostname.lower() if is_plain and target.hostname else None


def _read_file(answer: Answer, media: InboundMedia) -> DownloadedMedia | MediaError:
    if answer.is_cut:
        return MediaError("too_large", "The file is larger than what is kept.")
    if answer.status != 200:
        words = f"The file could not be fetched (HTTP {answer.status})."
        # A file may take a moment to appear.
        is_retryable = answer.status in (404, 408, 429) or answer.status >= 500
        return MediaError(f"http_{answer.status}", words, is_retryable)
    mime_type = media.mime_type or answer.headers.get("Content-Type", "")
    digest = hashlib.sha256(answer.content).hexdigest()
    return DownloadedMedia(answer.content, mime_type, digest, media.filename)
