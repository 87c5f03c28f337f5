"""A fake of Twilio's REST API for WhatsApp: messages, their list, contents, media, typing; signed callbacks.

In process (`with FakeTwilio() as twilio: twilio.url, twilio.sent`) or alone: `python -m tests.fakes.twilio
--port 0 --journal FILE` prints its URL. One origin stands for api., content., messaging. and mcs.twilio.com.
"""

import argparse
import base64
import json
import re
import secrets
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.fakes.faults import FATES, Fault, FaultBook
from tests.fakes.poster import Poster, Posting
from tests.fakes.server import Answer, HttpServer, Request, json_answer
from tests.fakes.webhooks import ACCOUNT_SID, AUTH_TOKEN, TWILIO_NUMBER, TwilioWebhooks, new_sid

REFERENCE_PARAMETER = "ref"
BODY_MAX = 1600
MEDIA_MAX = 10
PAGE_SIZE = 50
PAGE_SIZE_MAX = 1000
CALLBACK_TRIES = 2
# status and text of the errors that sends are refused with; receipts carry the 63xxx codes.
ERRORS: dict[int, tuple[int, str]] = {
    20001: (400, "Bad request"),
    20003: (401, "Authenticate"),
    20404: (404, "The requested resource was not found"),
    20429: (429, "Too Many Requests"),
    20500: (500, "Internal server error"),
    21211: (400, "Invalid 'To' Phone Number"),
    21212: (400, "Invalid From Number (caller ID)"),
    21602: (400, "A text message body or media urls must be specified."),
    21603: (400, "A 'From' phone number is required."),
    21606: (400, "The 'From' phone number is not a valid, SMS-capable phone number for your account."),
    21604: (400, "A 'To' phone number is required."),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit."),
    21620: (400, "Invalid media URL(s)"),
    21623: (400, "Number of media files exceeds allowed limit"),
    21655: (400, "The Content SID is invalid"),
    21656: (400, "The ContentVariables parameter is invalid"),
    63003: (400, "Channel could not find To address"),
    63007: (400, "Twilio could not find a Channel with the specified From address"),
    63016: (400, "Failed to send freeform message because you are outside the allowed window."),
    63018: (429, "Rate limit exceeded for Channel"),
}
CONTENT_TYPES = frozenset(
    ("twilio/text", "twilio/media", "twilio/location", "twilio/list-picker", "twilio/call-to-action",
     "twilio/quick-reply", "twilio/card", "twilio/catalog", "twilio/carousel", "twilio/flows",
     "twilio/schedule", "whatsapp/card", "whatsapp/authentication", "whatsapp/flows")
)  # fmt: skip
ADDRESS = re.compile(r"whatsapp:(\+[1-9]\d{6,14}|[A-Z]{2}\.(ENT\.)?[0-9A-Za-z]{1,128})|\+[1-9]\d{6,14}")
RECEIPTS = ("queued", "sent", "delivered", "read")


@dataclass(slots=True)
class TwilioMessage:
    """One accepted message of ours, or one that a customer sent (`direction` inbound)."""

    sid: str
    sender: str
    to: str
    body: str
    media_urls: list[str]
    content_sid: str | None
    content_variables: dict[str, str]
    status_callback: str | None
    form: dict[str, str]
    at: float
    status: str = "queued"
    error_code: int | None = None
    direction: str = "outbound-api"

    @property
    def person(self) -> str:
        return self.to.removeprefix("whatsapp:").removeprefix("+")

    @property
    def text(self) -> str:
        return self.body

    @property
    def reference(self) -> str | None:
        """Our message's id, which we put into the address that its receipts go to."""
        return dict(parse_qsl(urlsplit(self.status_callback or "").query)).get(REFERENCE_PARAMETER)

    def as_resource(self, account_sid: str) -> dict[str, Any]:
        """The message as the API shows it."""
        stamp = format_datetime(datetime.fromtimestamp(self.at, UTC))
        uri = f"/2010-04-01/Accounts/{account_sid}/Messages/{self.sid}"
        return {
            "account_sid": account_sid, "api_version": "2010-04-01", "body": self.body, "date_created": stamp,
            "date_sent": None if self.status == "queued" else stamp, "date_updated": stamp,
            "direction": self.direction, "error_code": self.error_code, "error_message": None,
            "from": self.sender, "messaging_service_sid": None, "num_media": str(len(self.media_urls)),
            "num_segments": "1", "price": None, "price_unit": None, "sid": self.sid, "status": self.status,
            "subresource_uris": {"media": f"{uri}/Media.json"}, "to": self.to, "uri": f"{uri}.json",
        }  # fmt: skip


class TwilioRefusal(Exception):
    """The API says no, with one of the documented codes."""

    def __init__(self, code: int, details: str = "") -> None:
        super().__init__(f"{code} {details}")
        self.code = code
        self.details = details


class FakeTwilio:
    """Twilio for one account. Status callbacks go to each message's own StatusCallback, and the signature
    covers exactly that address; `callback_origin` sends the post itself to a local server, as a tunnel."""

    def __init__(
        self,
        *,
        account_sid: str = ACCOUNT_SID,
        auth_token: str = AUTH_TOKEN,
        numbers: Sequence[str] = (TWILIO_NUMBER,),
        text_numbers: Sequence[str] = (),
        receipts: Sequence[str] = RECEIPTS,
        receipt_gap_secs: float = 0.0,
        receipts_first: bool = False,
        callback_origin: str | None = None,
        journal: str | Path | None = None,
        port: int = 0,
    ) -> None:
        self.account_sid = account_sid
        self.auth_token = auth_token
        self.numbers = set(numbers)
        self.text_numbers = set(text_numbers)  # of text messages (SMS)
        self.receipts = tuple(receipts)
        self.receipt_gap_secs = receipt_gap_secs
        self.receipts_first = receipts_first
        self.callback_origin = callback_origin
        self.sent: list[TwilioMessage] = []
        self.inbound: list[TwilioMessage] = []
        self.typing: list[dict[str, str]] = []
        self.refusals: list[int] = []
        self.requests: list[str] = []
        self.contents: dict[str, dict[str, Any]] = {}
        self.approvals: dict[str, dict[str, Any]] = {}  # by SID, as ContentAndApprovals shows them
        self.media: dict[str, tuple[bytes, str]] = {}
        self.faults = FaultBook()
        self.poster = Poster(CALLBACK_TRIES, retries_refusals=False)
        self._journal = open(journal, "ab", buffering=0) if journal else None  # noqa: SIM115
        self._changed = threading.Condition()
        self._server = HttpServer(self.handle, port)

    @property
    def url(self) -> str:
        return self._server.url

    def start(self) -> Self:
        self._server.start()
        return self

    def stop(self) -> None:
        self._server.stop()
        self.poster.close()
        if self._journal:
            self._journal.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def fault(self, kind: str, **settings: Any) -> Fault:
        """Misbehave from now on; see `tests.fakes.faults`."""
        return self.faults.add(kind, **settings)

    def sent_to(self, person: str) -> list[TwilioMessage]:
        """The accepted messages to one wa_id (digits) or business-scoped id, in order."""
        return [message for message in list(self.sent) if message.person == person]

    def wait_for(self, count: int, timeout_secs: float = 10.0) -> list[TwilioMessage]:
        """Wait until `count` messages in all were accepted. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.sent) >= count, timeout_secs):
                raise TimeoutError(f"{len(self.sent)} of {count} messages after {timeout_secs} s")
        return list(self.sent)

    def add_media(self, content: bytes, mime_type: str) -> str:
        """Keep a file that a customer sent; gives its address (basic auth, then a redirect)."""
        sid = new_sid("ME")
        self.media[sid] = (content, mime_type)
        return f"{self.url}/2010-04-01/Accounts/{self.account_sid}/Messages/{new_sid('MM')}/Media/{sid}"

    def add_inbound(
        self, body: str, wa_id: str, *, sid: str | None = None, at: float | None = None
    ) -> TwilioMessage:
        """Let a customer's message be in the list although its webhook never came."""
        number = next(iter(self.numbers))
        message = TwilioMessage(
            sid or new_sid(), f"whatsapp:+{wa_id}", f"whatsapp:{number}", body, [], None, {}, None, {},
            at or time.time(), "received", direction="inbound",
        )  # fmt: skip
        self.inbound.append(message)
        return message

    def handle(self, request: Request) -> Answer:
        """Answer one request; called on the server's thread."""
        if request.path.startswith("/__"):
            return self._control(request)
        self.requests.append(f"{request.method} {request.target}")
        if request.path.startswith(
            "/cdn/"
        ):  # the signed address that media redirect to: no credentials there
            return self._media_bytes(request.path.removeprefix("/cdn/"))
        if not self._knows(request):
            return self._refuse(TwilioRefusal(20003))
        try:
            return self._route(request, request.path.strip("/").split("/"))
        except TwilioRefusal as refusal:
            return self._refuse(refusal)

    def _knows(self, request: Request) -> bool:
        expected = base64.b64encode(f"{self.account_sid}:{self.auth_token}".encode()).decode()
        return request.headers.get("authorization") == f"Basic {expected}"

    def _route(self, request: Request, parts: list[str]) -> Answer:
        account = ("2010-04-01", "Accounts", self.account_sid)
        match (request.method, *parts):
            case ("POST", *path) if path == [*account, "Messages.json"]:
                return self._send(request)
            case ("GET", *path) if path == [*account, "Messages.json"]:
                return self._list(request)
            case ("GET", *path, last) if path == [*account, "Messages"]:
                return self._fetch(last.removesuffix(".json"))
            case ("GET", "2010-04-01", "Accounts", last) if last == f"{self.account_sid}.json":
                return self._account()
            case ("GET", *path, _, "Media", sid) if path == [*account, "Messages"] and sid in self.media:
                return Answer(307, headers={"Location": f"{self.url}/cdn/{sid}"})
            case ("POST", "v1", "Content"):
                return self._create_content(request)
            case ("GET", "v1", "Content" | "ContentAndApprovals"):
                return self._list_contents(request)
            case ("GET", "v1", "Content", sid) if sid in self.contents:
                return json_answer(self.contents[sid])
            case ("DELETE", "v1", "Content", sid) if sid in self.contents:
                del self.contents[sid]
                self.approvals.pop(sid, None)
                return Answer(204)
            case ("POST", "v1", "Content", sid, "ApprovalRequests", "whatsapp") if sid in self.contents:
                return self._hand_in(request, sid)
            case ("GET", "v1", "Content", sid, "ApprovalRequests") if sid in self.contents:
                told = {"sid": sid, "account_sid": self.account_sid, "whatsapp": self.approvals.get(sid)}
                return json_answer(told)
            case ("POST", "v2", "Indicators", "Typing.json"):
                return self._typing(request)
        raise TwilioRefusal(20404, f"The requested resource {request.path} was not found")

    def _send(self, request: Request) -> Answer:
        pairs = request.form
        form = dict(pairs)
        media_urls = [value for name, value in pairs if name == "MediaUrl"]
        self._check_send(form, media_urls)
        message = TwilioMessage(
            new_sid("MM" if media_urls else "SM"), form.get("From", ""), form["To"], form.get("Body", ""),
            media_urls, form.get("ContentSid"), _variables(form), form.get("StatusCallback"), form,
            time.time(),
        )  # fmt: skip
        firing = self.faults.firing("send", message.person)
        refused = self._early_answer(firing)
        return refused or self._accept(message, firing)

    def _check_send(self, form: dict[str, str], media_urls: list[str]) -> None:
        sender = form.get("From") or form.get("MessagingServiceSid", "")
        if not sender:
            raise TwilioRefusal(21603)
        if not form.get("To"):
            raise TwilioRefusal(21604)
        if not ADDRESS.fullmatch(form["To"]):
            raise TwilioRefusal(21211, f"Invalid 'To' Phone Number: {form['To']}")
        is_text_message = not form["To"].startswith("whatsapp:")
        if is_text_message and not self.text_numbers:
            raise TwilioRefusal(21211, f"Invalid 'To' Phone Number: {form['To']}")
        if is_text_message != (form.get("From") in self.text_numbers):
            raise TwilioRefusal(21606)
        if (
            not is_text_message
            and form.get("From")
            and form["From"].removeprefix("whatsapp:") not in self.numbers
        ):
            raise TwilioRefusal(63007)
        if not (
            form.get("Body", "").strip()
            or media_urls
            or form.get("ContentSid")
            or form.get("PersistentAction")
        ):
            raise TwilioRefusal(21602)
        if len(form.get("Body", "")) > BODY_MAX:
            raise TwilioRefusal(21617)
        if len(media_urls) > MEDIA_MAX:
            raise TwilioRefusal(21623)
        if not all(re.match(r"https?://[^\s/]+", url) for url in media_urls):
            raise TwilioRefusal(21620)
        if form.get("ContentSid") and form["ContentSid"] not in self.contents:
            raise TwilioRefusal(21655)
        if form.get("StatusCallback") and not re.match(r"https?://[^\s/]+", form["StatusCallback"]):
            raise TwilioRefusal(20001, "The StatusCallback URL is not a valid URL")

    def _accept(self, message: TwilioMessage, firing: list[Fault]) -> Answer:
        if self._journal:
            self._journal.write(json.dumps(asdict(message)).encode() + b"\n")
        with self._changed:
            self.sent.append(message)
            self._changed.notify_all()
        body = json.dumps(message.as_resource(self.account_sid)).encode()
        first_posted = self._post_receipts(message, firing)
        kinds = {fault.kind: fault for fault in firing}
        after = first_posted if self.receipts_first or "early_receipts" in kinds else None
        if "cut_after" in kinds:
            return Answer(cut=True, after=after, delay_secs=kinds["cut_after"].secs)
        if "bad_json" in kinds:
            return Answer(200, b"<html>upstream says hello</html>", "text/html", after=after)
        return Answer(201, body, after=after, delay_secs=kinds["slow"].secs if "slow" in kinds else 0.0)

    def _post_receipts(self, message: TwilioMessage, firing: list[Fault]) -> "Future[int | None] | None":
        fates = {fault.kind: fault for fault in firing if fault.kind in FATES}
        message.status = "undelivered" if "failed_later" in fates else (self.receipts or ("queued",))[-1]
        message.error_code = fates["failed_later"].code if "failed_later" in fates else None
        url = message.status_callback
        if not url or "no_receipts" in fates:
            return None
        statuses = ["undelivered"] if "failed_later" in fates else list(self.receipts)
        statuses = statuses[::-1] if "reversed_receipts" in fates else statuses
        first: Future[int | None] | None = None
        for place, status in enumerate(statuses):
            for _ in range(2 if "double_receipts" in fates else 1):
                done = self.poster.post(
                    self._callback(message, url, status, message.error_code or 0),
                    place * self.receipt_gap_secs,
                )
                first = first or done
        return first

    def _callback(self, message: TwilioMessage, url: str, status: str, error_code: int) -> Posting:
        builder = TwilioWebhooks(self.auth_token, self.account_sid, message.sender.removeprefix("whatsapp:"))
        fields = {"To": message.to}
        if status == "read":
            fields["EventType"] = "READ"
        webhook = builder.status(
            message.sid, status, message.person, url=url, error_code=error_code, **fields
        )
        origin = self.callback_origin or "/".join(url.split("/")[:3])
        return Posting(origin + webhook.path, webhook.body, webhook.headers)

    def _list(self, request: Request) -> Answer:
        refused = self._early_answer(self.faults.firing("list"))
        if refused is not None:
            return refused
        query = request.query
        size = min(int(query.get("PageSize") or PAGE_SIZE), PAGE_SIZE_MAX)
        page = int(query.get("Page") or 0)
        found = sorted(
            (message for message in (*self.sent, *self.inbound) if _matches(message, query)),
            key=lambda message: message.at,
            reverse=True,
        )
        base = f"/2010-04-01/Accounts/{self.account_sid}/Messages.json"
        has_more = (page + 1) * size < len(found)
        more = (
            urlencode(
                {**query, "PageSize": size, "Page": page + 1, "PageToken": f"PA{found[page * size].sid}"}
            )
            if has_more
            else ""
        )
        return json_answer({
            "first_page_uri": f"{base}?PageSize={size}&Page=0", "end": min(len(found), (page + 1) * size) - 1,
            "previous_page_uri": None, "uri": f"{base}?PageSize={size}&Page={page}", "page_size": size,
            "start": page * size, "next_page_uri": f"{base}?{more}" if has_more else None, "page": page,
            "messages": [m.as_resource(self.account_sid) for m in found[page * size : (page + 1) * size]],
        })  # fmt: skip

    def _fetch(self, sid: str) -> Answer:
        for message in (*self.sent, *self.inbound):
            if message.sid == sid:
                return json_answer(message.as_resource(self.account_sid))
        raise TwilioRefusal(20404)

    def _account(self) -> Answer:
        refused = self._early_answer(self.faults.firing("list"))
        return refused or json_answer(
            {"sid": self.account_sid, "friendly_name": "Nexora", "status": "active", "type": "Full",
             "uri": f"/2010-04-01/Accounts/{self.account_sid}.json"}
        )  # fmt: skip

    def _media_bytes(self, sid: str) -> Answer:
        if sid not in self.media:
            return Answer(404, b"", "application/xml")
        return Answer(200, self.media[sid][0], self.media[sid][1])

    def _create_content(self, request: Request) -> Answer:
        try:
            content = json.loads(request.body)
            types = content["types"]
            language = content["language"]
        except (ValueError, KeyError, TypeError):
            raise TwilioRefusal(20001, "types and language are required") from None
        if not isinstance(types, dict) or not types or not set(types) <= CONTENT_TYPES:
            raise TwilioRefusal(20001, f"Invalid content types {sorted(types)}")
        for name, node in types.items():
            _check_content(name, node)
        sid = new_sid("HX")
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.contents[sid] = {
            "sid": sid, "account_sid": self.account_sid, "friendly_name": content.get("friendly_name", ""),
            "language": language, "variables": content.get("variables", {}), "types": types,
            "date_created": stamp, "date_updated": stamp, "url": f"{self.url}/v1/Content/{sid}",
            "links": {"approval_create": f"{self.url}/v1/Content/{sid}/ApprovalRequests/whatsapp"},
        }  # fmt: skip
        return json_answer(self.contents[sid], 201)

    def _hand_in(self, request: Request, sid: str) -> Answer:
        """Take a Content for WhatsApp's review, once; its name there is held as WhatsApp does."""
        refused = self._early_answer(self.faults.firing("create"))
        if refused is not None:
            return refused
        asked, content = json.loads(request.body), self.contents[sid]
        if not re.fullmatch(r"[a-z0-9_]{1,512}", str(asked.get("name"))):
            raise TwilioRefusal(20001, "A template name holds lower-case letters, digits and underscores.")
        if asked.get("category") not in ("UTILITY", "MARKETING", "AUTHENTICATION"):
            raise TwilioRefusal(20001, "The category is not one of WhatsApp's.")
        if sid in self.approvals:
            raise TwilioRefusal(20001, "The content was handed in already.")
        wanted = set(re.findall(r"\{\{(\w+)\}\}", json.dumps(content["types"])))
        if wanted != {name for name, value in content["variables"].items() if value}:
            raise TwilioRefusal(20001, "Every variable needs a sample.")
        kind = next(iter(content["types"]))
        self.approvals[sid] = {
            "type": "whatsapp", "name": asked["name"], "category": asked["category"], "content_type": kind,
            "status": "received", "rejection_reason": "", "allow_category_change": True,
        }  # fmt: skip
        return json_answer(self.approvals[sid], 201)

    def _list_contents(self, request: Request) -> Answer:
        size = int(request.query.get("PageSize") or PAGE_SIZE)
        page = int(request.query.get("Page") or 0)
        contents = list(self.contents.values())
        if "ContentAndApprovals" in request.path:
            nothing = {"status": "unsubmitted", "category": "", "rejection_reason": ""}
            contents = [
                {**one, "approval_requests": self.approvals.get(one["sid"], nothing)} for one in contents
            ]
        more = f"{self.url}{request.path}?PageSize={size}&Page={page + 1}"
        meta = {"page": page, "page_size": size, "key": "contents", "url": f"{self.url}{request.target}"}
        meta["next_page_url"] = more if (page + 1) * size < len(contents) else None
        return json_answer({"meta": meta, "contents": contents[page * size : (page + 1) * size]})

    def _typing(self, request: Request) -> Answer:
        refused = self._early_answer(self.faults.firing("read"))
        if refused is not None:
            return refused
        form = dict(request.form)
        if (
            not re.fullmatch(r"(SM|MM)[0-9a-f]{32}", form.get("messageId", ""))
            or form.get("channel") != "whatsapp"
        ):
            raise TwilioRefusal(20001, "messageId and channel=whatsapp are required")
        self.typing.append(form)
        return json_answer({"success": True})

    def _early_answer(self, firing: list[Fault]) -> Answer | None:
        for fault in firing:
            if fault.kind == "cut_before":
                return Answer(cut=True)
            if fault.kind == "server_error":
                return _error(fault.status, 20500, ERRORS[20500][1])
            if fault.kind == "throttled":
                after = fault.retry_after_secs
                headers = {"Retry-After": str(after)} if after is not None else {}
                return _error(429, fault.code or 20429, ERRORS[20429][1], headers)
            if fault.kind == "error":
                return self._refuse(TwilioRefusal(fault.code))
        return None

    def _refuse(self, refusal: TwilioRefusal) -> Answer:
        self.refusals.append(refusal.code)
        status, text = ERRORS.get(refusal.code, (400, "Error"))
        headers = {"WWW-Authenticate": 'Basic realm="Twilio API"'} if status == 401 else {}
        return _error(status, refusal.code, refusal.details or text, headers)

    def _control(self, request: Request) -> Answer:
        match (request.method, request.path):
            case ("POST", "/__faults"):
                try:
                    self.faults.add(**json.loads(request.body))
                except (ValueError, TypeError) as error:
                    return json_answer({"error": str(error)}, 400)
                return json_answer(self.faults.as_json(), 201)
            case ("GET", "/__faults"):
                return json_answer(self.faults.as_json())
            case ("DELETE", "/__faults"):
                self.faults.clear()
                return json_answer([])
            case ("POST", "/__inbound"):
                return json_answer(asdict(self.add_inbound(**json.loads(request.body))), 201)
            case ("GET", "/__sent"):
                return json_answer({"count": len(self.sent), "sent": [asdict(m) for m in list(self.sent)]})
        return json_answer({"error": "not found"}, 404)


def read_journal(path: str | Path) -> list[TwilioMessage]:
    """Read the accepted messages of a journal; a last line cut by a kill is left out."""
    lines = Path(path).read_bytes().split(b"\n")[:-1]
    return [TwilioMessage(**json.loads(line)) for line in lines]


def _variables(form: dict[str, str]) -> dict[str, str]:
    if not form.get("ContentVariables"):
        return {}
    try:
        variables = json.loads(form["ContentVariables"])
    except ValueError:
        raise TwilioRefusal(21656) from None
    if not isinstance(variables, dict) or not all(isinstance(v, str) and v for v in variables.values()):
        raise TwilioRefusal(21656)
    return variables


def _check_content(name: str, node: Any) -> None:
    """Refuse the shapes that the Content API documents as too long; only what a menu needs."""
    if not isinstance(node, dict):
        raise TwilioRefusal(20001, f"{name} must be an object")
    if name == "twilio/quick-reply":
        _lengths(node.get("actions"), 10, {"title": 20, "id": 200})
        _length(node.get("body"), "body", 1024)
    if name == "twilio/call-to-action":
        _lengths(node.get("actions"), 10, {"title": 25, "url": 2000, "phone": 20, "code": 15})
        _length(node.get("body"), "body", 1024)
    if name == "whatsapp/card":
        _check_card(node)
    if name == "twilio/list-picker":
        _lengths(node.get("items"), 10, {"item": 24, "id": 200, "description": 72})
        _length(node.get("body"), "body", 1024)
        _length(node.get("button"), "button", 20)


def _check_card(node: dict[str, Any]) -> None:
    """A card needs a body and one thing more, and has one header at most."""
    _length(node.get("body"), "body", 1024)
    if not {"header_text", "media", "footer", "actions"} & set(node):
        raise TwilioRefusal(20001, "whatsapp/card needs one field more than its body")
    if "header_text" in node and "media" in node:
        raise TwilioRefusal(20001, "whatsapp/card has a text header or a media header, not both")
    for name in ("header_text", "footer"):
        if name in node:
            _length(node[name], name, 60)
    if "actions" in node:
        _lengths(node["actions"], 10, {"title": 25, "url": 2000, "phone": 20, "code": 15, "id": 200})
    if "media" in node and not all(str(url).startswith("https://") for url in node["media"]):
        raise TwilioRefusal(20001, "media must be public addresses")


def _lengths(items: Any, most: int, limits: dict[str, int]) -> None:
    if not isinstance(items, list) or not 1 <= len(items) <= most:
        raise TwilioRefusal(20001, f"between 1 and {most} entries are needed")
    for item in items:
        for key, limit in limits.items():
            if key in item:
                _length(item[key], key, limit)


def _length(value: Any, name: str, most: int) -> None:
    if not isinstance(value, str) or not 1 <= len(value) <= most:
        raise TwilioRefusal(20001, f"{name} must have 1 to {most} characters")


def _matches(message: TwilioMessage, query: dict[str, str]) -> bool:
    if query.get("To", message.to) != message.to or query.get("From", message.sender) != message.sender:
        return False
    day = datetime.fromtimestamp(message.at, UTC)
    for name, value in query.items():
        if not name.startswith("DateSent"):
            continue
        # `DateSent=D` is that day, `DateSent>=D` (in the query as "DateSent>") and `DateSent<=D` are bounds.
        bound = datetime.fromisoformat(value.replace("Z", "+00:00"))
        if bound.tzinfo is None:
            bound = bound.replace(tzinfo=UTC)
        if name == "DateSent" and day.date() != bound.date():
            return False
        if name == "DateSent>" and day < bound:
            return False
        if name == "DateSent<" and (day > bound if "T" in value else day.date() > bound.date()):
            return False
    return True


def _error(status: int, code: int, message: str, headers: dict[str, str] | None = None) -> Answer:
    body = {
        "code": code,
        "message": message,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    return json_answer(
        body, status, headers={**(headers or {}), "Twilio-Request-Id": f"RQ{secrets.token_hex(16)}"}
    )


def main() -> None:
    """Serve until a signal ends the process."""
    parser = argparse.ArgumentParser(description="A fake of Twilio's REST API for WhatsApp.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--account-sid", default=ACCOUNT_SID)
    parser.add_argument("--auth-token", default=AUTH_TOKEN)
    parser.add_argument("--number", action="append", help="a sender, E.164; may be given several times")
    parser.add_argument("--receipts", default=",".join(RECEIPTS), help="comma separated; empty for none")
    parser.add_argument("--receipt-gap-secs", type=float, default=0.0)
    parser.add_argument(
        "--receipts-first", action="store_true", help="post the first callback before answering"
    )
    parser.add_argument(
        "--callback-origin", help="post callbacks to this origin, signed for the address given"
    )
    parser.add_argument("--journal", help="append one JSON line per accepted message")
    chosen = parser.parse_args()
    twilio = FakeTwilio(
        account_sid=chosen.account_sid,
        auth_token=chosen.auth_token,
        numbers=chosen.number or (TWILIO_NUMBER,),
        receipts=[status for status in chosen.receipts.split(",") if status],
        receipt_gap_secs=chosen.receipt_gap_secs,
        receipts_first=chosen.receipts_first,
        callback_origin=chosen.callback_origin,
        journal=chosen.journal,
        port=chosen.port,
    ).start()
    sys.stdout.write(f"{twilio.url}\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
