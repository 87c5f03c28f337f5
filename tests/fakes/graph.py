"""A fake of Meta's Graph API for WhatsApp: sends, media, number, templates; signed receipts; faults.

In process (`with FakeGraph(webhook_url=...) as graph: graph.url, graph.sent`) or alone:
`python -m tests.fakes.graph --port 0 --webhook-url URL --app-secret S --journal FILE` prints its URL.
The journal holds one JSON line per accepted message, written before the answer, so that it survives any kill.
"""

import argparse
import base64
import hashlib
import io
import json
import re
import secrets
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

import orjson
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header

from tests.fakes.faults import FATES, Fault, FaultBook
from tests.fakes.graph_rules import (
    ERRORS,
    MEDIA_TYPES,
    SAMPLE_TYPES,
    Refusal,
    check_conversion,
    check_message,
    check_read,
    check_template,
    recipient_of,
)
from tests.fakes.poster import Poster, Posting
from tests.fakes.server import Answer, HttpServer, Request, json_answer
from tests.fakes.webhooks import (
    ACCESS_TOKEN,
    APP_SECRET,
    BUSINESS_ACCOUNT_ID,
    DISPLAY_PHONE_NUMBER,
    PHONE_NUMBER_ID,
    MetaWebhooks,
    new_wamid,
)

OLDEST_VERSION, NEWEST_VERSION = 21, 26
WEBHOOK_TRIES = 60
MEDIA_URL_SECS = 300
TEMPLATES_PER_PAGE = 25
APP_ID = "670843887433847"
DATASET_ID = "1804956360475851"
PAIR_BURST = 45  # messages that one person may get at once
PAIR_SECS = 6.0  # then one in so many seconds
FINAL_RECEIPTS = ("sent", "delivered", "read")


@dataclass(frozen=True, slots=True)
class SentMessage:
    """One accepted message. `to` is a wa_id (digits), `recipient` a business-scoped id; one is None."""

    id: str
    number_id: str
    to: str | None
    recipient: str | None
    type: str
    reference: str | None
    payload: dict[str, Any]
    at: float

    @property
    def person(self) -> str:
        return self.to or self.recipient or ""

    @property
    def text(self) -> str:
        """What the person reads: the text, the interactive body, the caption or the template's name."""
        node = self.payload.get(self.type, {})
        if self.type == "interactive":
            return str(node.get("body", {}).get("text", ""))
        if self.type == "text":
            return str(node["body"])
        return str(node.get("caption") or node.get("name") or "") if isinstance(node, dict) else ""

    @property
    def choices(self) -> dict[str, str]:
        """The buttons or list rows that the person may press: id to title."""
        action = self.payload.get("interactive", {}).get("action", {})
        rows = [row for section in action.get("sections", ()) for row in section.get("rows", ())]
        replies = [button["reply"] for button in action.get("buttons", ())]
        return {item["id"]: item["title"] for item in (*replies, *rows)}


@dataclass
class Media:
    content: bytes
    mime_type: str
    number_id: str = PHONE_NUMBER_ID
    url: str | None = None  # a foreign address, to try the host pin
    tokens: dict[str, float] = field(default_factory=dict)  # url token -> when it expires


class FakeGraph:
    """The Graph API for some numbers. Attributes may be changed while it runs.

    `receipts` are the statuses posted for each accepted message, `receipt_gap_secs` apart; with
    `receipts_first` the answer waits until the first one was posted, as happens to real senders.
    `wa_ids` maps a typed number to the wa_id that WhatsApp knows; `user_ids` a wa_id to its business-scoped
    id; `unreachable` wa_ids fail with 131026.
    """

    def __init__(
        self,
        *,
        webhook_url: str | None = None,
        app_secret: str = APP_SECRET,
        access_token: str = ACCESS_TOKEN,
        phone_number_ids: Sequence[str] = (PHONE_NUMBER_ID,),
        business_account_id: str = BUSINESS_ACCOUNT_ID,
        receipts: Sequence[str] = FINAL_RECEIPTS,
        receipt_gap_secs: float = 0.0,
        receipts_first: bool = False,
        journal: str | Path | None = None,
        pair_limit: bool = False,
        port: int = 0,
        keep_sent: bool = True,
    ) -> None:
        self.webhook_url = webhook_url
        self.access_token = access_token
        self.business_account_id = business_account_id
        self.receipts = tuple(receipts)
        self.receipt_gap_secs = receipt_gap_secs
        self.receipts_first = receipts_first
        self.pair_limit = pair_limit
        self.keep_sent = keep_sent
        self.sent: list[SentMessage] = []
        self.accepted_count = 0
        self.reads: list[dict[str, Any]] = []
        self.refusals: list[tuple[int, str, dict[str, Any]]] = []
        self.requests: list[str] = []
        self.templates: list[dict[str, Any]] = []
        self.uploads: dict[str, dict[str, str]] = {}  # what was said of each, by its session
        self.samples: dict[str, bytes] = {}  # by handle
        self.review = "PENDING"  # what a template that is handed in becomes
        self.is_subscribed = True
        self.dataset_id = ""
        self.clicks: set[str] = set()  # on ads of this account
        self.conversions: list[dict[str, Any]] = []
        self.token_ends_at: Any = 0  # never; seconds since 1970
        self.wa_ids: dict[str, str] = {}
        self.user_ids: dict[str, str] = {}
        self.unreachable: set[str] = set()
        self.media: dict[str, Media] = {}
        self.faults = FaultBook()
        self.numbers: dict[str, dict[str, Any]] = {id_: _number(id_) for id_ in phone_number_ids}
        self.poster = Poster(WEBHOOK_TRIES, retries_refusals=True)
        self._app_secret = app_secret
        self._journal = open(journal, "ab", buffering=0) if journal else None  # noqa: SIM115
        self._changed = threading.Condition()
        self._pair_levels: dict[str, tuple[float, float]] = defaultdict(
            lambda: (float(PAIR_BURST), time.monotonic())
        )
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

    def sent_to(self, person: str) -> list[SentMessage]:
        """The accepted messages to one wa_id or business-scoped id, in order."""
        return [message for message in list(self.sent) if message.person == person]

    def wait_for(self, count: int, timeout_secs: float = 10.0) -> list[SentMessage]:
        """Wait until `count` messages in all were accepted. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.accepted_count >= count, timeout_secs):
                raise TimeoutError(f"{self.accepted_count} of {count} messages after {timeout_secs} s")
        return list(self.sent)

    def add_media(self, content: bytes, mime_type: str, *, url: str | None = None) -> str:
        """Keep a file that a customer sent; gives its media id. `url` overrides where it seems to lie."""
        media_id = str(10**14 + secrets.randbelow(9 * 10**14))
        self.media[media_id] = Media(content, mime_type, url=url)
        return media_id

    def expire_media_urls(self) -> None:
        """Let every address that was given out answer 404 from now on."""
        for media in self.media.values():
            media.tokens.clear()

    def add_template(
        self, name: str, language: str, body: str, *, status: str = "APPROVED", category: str = "UTILITY"
    ) -> dict[str, Any]:
        """Add a message template; `body` may hold {{1}} or {{name}}."""
        template = {
            "name": name,
            "language": language,
            "status": status,
            "category": category,
            "parameter_format": "NAMED" if re.search(r"\{\{[a-z]", body) else "POSITIONAL",
            "components": [{"type": "BODY", "text": body}],
            "id": str(10**15 + secrets.randbelow(10**15)),
        }
        self.templates.append(template)
        return template

    def handle(self, request: Request) -> Answer:
        """Answer one request; called on the server's thread."""
        if request.path.startswith("/__"):
            return self._control(request)
        if self.keep_sent:
            self.requests.append(f"{request.method} {request.target}")
        is_upload = "/upload:" in request.path
        scheme = "OAuth" if is_upload else "Bearer"  # uploads alone take no other word
        if request.headers.get("authorization") != f"{scheme} {self.access_token}":
            return self._refuse(Refusal(190, "Invalid OAuth access token - Cannot parse access token"))
        if request.path.startswith("/media/"):
            return self._download(request)
        version, _, rest = request.path.lstrip("/").partition("/")
        number = re.fullmatch(r"v(\d+)\.0", version)
        if not number or not OLDEST_VERSION <= int(number[1]) <= NEWEST_VERSION:
            return self._refuse(Refusal(100, f"Unknown path components or version: /{version}"))
        return self._route(request, rest.strip("/").split("/"))

    def _route(self, request: Request, parts: list[str]) -> Answer:
        match (request.method, *parts):
            case ("POST", number_id, "messages"):
                return self._messages(request, number_id)
            case ("POST", number_id, "media") if number_id in self.numbers:
                return self._upload(request, number_id)
            case ("GET", self.business_account_id, "message_templates"):
                return self._list_templates(request)
            case ("POST", self.business_account_id, "message_templates"):
                return self._take_template(request)
            case ("POST", template_id) if any(t["id"] == template_id for t in self.templates):
                return self._change_template(request, template_id)
            case ("GET" | "POST", self.business_account_id, "dataset"):
                if request.method == "POST":
                    self.dataset_id = self.dataset_id or DATASET_ID
                return json_answer({"id": self.dataset_id} if self.dataset_id else {})
            case ("POST", dataset_id, "events") if dataset_id == self.dataset_id:
                return self._count(request)
            case ("GET", self.business_account_id, "subscribed_apps"):
                app = {"whatsapp_business_api_data": {"id": APP_ID, "name": "Balcao", "link": ""}}
                return json_answer({"data": [app] if self.is_subscribed else []})
            case ("POST", self.business_account_id, "subscribed_apps"):
                self.is_subscribed = True
                return json_answer({"success": True})
            case ("GET", self.business_account_id, "phone_numbers"):
                return json_answer({"data": list(self.numbers.values())})
            case ("GET", "debug_token"):
                data = {"app_id": APP_ID, "is_valid": True, "expires_at": self.token_ends_at}
                return json_answer({"data": data})
            case ("POST", app_id, "uploads") if app_id == APP_ID:
                return self._open_upload(request)
            case ("POST", session) if session in self.uploads:
                return self._take_upload(request, session)
            case ("GET", number_id) if number_id in self.numbers:
                return self._describe(request, self.numbers[number_id])
            case ("GET", media_id) if media_id in self.media:
                return self._resolve(request, media_id)
            case ("DELETE", media_id) if media_id in self.media:
                del self.media[media_id]
                return json_answer({"success": True})
        return self._object_gone(request.method, parts[0])

    def _messages(self, request: Request, number_id: str) -> Answer:
        if number_id not in self.numbers:
            return self._object_gone("POST", number_id)
        try:
            payload = orjson.loads(request.body)
        except orjson.JSONDecodeError:
            return self._refuse(Refusal(100, "The body is not valid JSON."))
        if not isinstance(payload, dict):
            return self._refuse(Refusal(100, "The body must be an object."))
        if payload.get("status") == "read":
            return self._read(payload)
        try:
            check_message(payload)
            to, recipient = recipient_of(payload)
            self._check_known(payload, to)
        except Refusal as refusal:
            return self._refuse(refusal, payload)
        to = self.wa_ids.get(to, to) if to else None
        firing = self.faults.firing("send", to or recipient)
        refused = self._early_answer(firing) or self._over_pair_limit(to or recipient or "", payload)
        if refused is not None:
            return refused
        return self._accept(SentMessage(
            new_wamid(), number_id, to, recipient, payload.get("type", "text"),
            payload.get("biz_opaque_callback_data"), payload, time.time(),
        ), firing)  # fmt: skip

    def _accept(self, message: SentMessage, firing: list[Fault]) -> Answer:
        if self._journal:
            self._journal.write(orjson.dumps(asdict(message)) + b"\n")
        with self._changed:
            self.accepted_count += 1
            if self.keep_sent:
                self.sent.append(message)
            self._changed.notify_all()
        first_posted = self._post_receipts(message, firing)
        contact = {"input": message.payload.get("to") or message.recipient}
        contact |= {"wa_id": message.to} if message.to else {"user_id": message.recipient}
        entry = {"id": message.id} | ({"message_status": "accepted"} if message.type == "template" else {})
        body = orjson.dumps({"messaging_product": "whatsapp", "contacts": [contact], "messages": [entry]})
        is_early = self.receipts_first or any(fault.kind == "early_receipts" for fault in firing)
        return self._late_answer(body, firing, first_posted if is_early else None)

    def _post_receipts(self, message: SentMessage, firing: list[Fault]) -> "Future[int | None] | None":
        fates = {fault.kind: fault for fault in firing if fault.kind in FATES}
        if not self.webhook_url or not self.receipts or "no_receipts" in fates:
            return None
        values = self._receipt_values(message, fates)
        first: Future[int | None] | None = None
        url = self.webhook_url
        builder = self._webhooks(message.number_id)
        for place, value in enumerate(values):
            for _ in range(2 if "double_receipts" in fates else 1):
                webhook = builder.batch([value])
                posting = Posting(url, webhook.body, webhook.headers)
                done = self.poster.post(posting, place * self.receipt_gap_secs)
                first = first or done
        return first

    def _receipt_values(self, message: SentMessage, fates: Mapping[str, Fault]) -> list[dict[str, Any]]:
        build = self._webhooks(message.number_id).status_value
        user_id = message.recipient or self.user_ids.get(message.to or "")
        about: dict[str, Any] = {"user_id": user_id, "reference": message.reference}
        failure = fates["failed_later"].code if "failed_later" in fates else 0
        failure = 131026 if message.to in self.unreachable else failure
        if failure:
            return [build(message.id, "failed", message.to, errors=[status_error(failure)], **about)]
        free = {
            "billable": False,
            "pricing_model": "PMP",
            "type": "free_customer_service",
            "category": "service",
        }
        values = [
            build(
                message.id,
                status,
                message.to,
                pricing=free if status in ("sent", "delivered") else None,
                **about,
            )
            for status in self.receipts
        ]
        return values[::-1] if "reversed_receipts" in fates else values

    def _webhooks(self, number_id: str) -> MetaWebhooks:
        display = self.numbers[number_id]["display_phone_number"]
        return MetaWebhooks(self._app_secret, number_id, re.sub(r"\D", "", display), self.business_account_id)

    def _check_known(self, payload: Mapping[str, Any], to: str | None) -> None:
        kind = payload.get("type", "text")
        if kind == "template":
            self._check_template(payload["template"], to)
        media_id = payload[kind].get("id") if isinstance(payload.get(kind), dict) else None
        if kind in MEDIA_TYPES and media_id and str(media_id) not in self.media:
            raise Refusal(131009, f"Media ID {media_id} does not exist.")

    def _check_template(self, sent: Mapping[str, Any], to: str | None) -> None:
        key = (sent["name"], sent["language"]["code"])
        known = next((t for t in self.templates if (t["name"], t["language"]) == key), None)
        if known is None or known["status"] not in ("APPROVED", "PAUSED", "DISABLED"):
            raise Refusal(132001, f"template name ({key[0]}) does not exist in {key[1]}")
        if known["status"] != "APPROVED":
            raise Refusal(132015 if known["status"] == "PAUSED" else 132016, f"template ({key[0]})")
        if known["category"] == "AUTHENTICATION" and to is None:
            raise Refusal(131062, "Authentication templates need a phone number.")
        self._check_header(known, sent)
        body = next(c for c in known["components"] if c["type"] == "BODY")
        expected = set(re.findall(r"\{\{(\w+)\}\}", body["text"]))
        given = [c for c in sent.get("components", ()) if str(c.get("type")).lower() == "body"]
        parameters = given[0].get("parameters", []) if given else []
        if len(parameters) != len(expected):
            details = (
                f"body: number of localizable_params ({len(parameters)}) does not match the expected number"
            )
            raise Refusal(132000, f"{details} of params ({len(expected)})")
        if known["parameter_format"] == "NAMED" and {p.get("parameter_name") for p in parameters} != expected:
            raise Refusal(100, "Parameter name is missing or empty")

    def _check_header(self, known: Mapping[str, Any], sent: Mapping[str, Any]) -> None:
        header: dict[str, Any] = next((c for c in known["components"] if c["type"] == "HEADER"), {})
        kind = header.get("format", "TEXT").lower()
        if kind == "text":
            return
        given = [c for c in sent.get("components", ()) if str(c.get("type")).lower() == "header"]
        parameters = given[0].get("parameters", []) if given else []
        if len(parameters) != 1 or parameters[0].get("type") != kind:
            raise Refusal(132012, f"header: Format mismatch, expected {kind.upper()}")
        file = parameters[0].get(kind, {})
        if "id" in file and str(file["id"]) not in self.media:
            raise Refusal(131009, f"Media ID {file['id']} does not exist.")
        if "id" not in file and not str(file.get("link", "")).startswith("https://"):
            raise Refusal(131009, "A file needs an id or an https link.")

    def _over_pair_limit(self, person: str, payload: dict[str, Any]) -> Answer | None:
        if not self.pair_limit:
            return None
        level, since = self._pair_levels[person]
        now = time.monotonic()
        level = min(PAIR_BURST, level + (now - since) / PAIR_SECS)
        self._pair_levels[person] = (level - 1 if level >= 1 else level, now)
        if level >= 1:
            return None
        details = "Message failed to send because there were too many messages sent to this user"
        return self._refuse(Refusal(131056, details), payload)

    def _read(self, payload: dict[str, Any]) -> Answer:
        try:
            check_read(payload)
        except Refusal as refusal:
            return self._refuse(refusal, payload)
        firing = self.faults.firing("read")
        refused = self._early_answer(firing)
        if refused is not None:
            return refused
        self.reads.append(payload)
        return self._late_answer(b'{"success":true}', firing, None)

    def _early_answer(self, firing: list[Fault]) -> Answer | None:
        """The answer of a rule that refuses, or None when the request goes through."""
        for fault in firing:
            if fault.kind == "cut_before":
                return Answer(cut=True)
            if fault.kind == "server_error":
                return self._error(fault.status, 131000, "Something went wrong")
            if fault.kind == "throttled":
                after = fault.retry_after_secs
                headers = {"Retry-After": str(after)} if after is not None else {}
                return self._error(
                    429, fault.code or 130429, "Cloud API message throughput has been reached", headers
                )
            if fault.kind == "error":
                return self._refuse(Refusal(fault.code, "as the test wanted"))
        return None

    def _late_answer(self, body: bytes, firing: list[Fault], after: "Future[int | None] | None") -> Answer:
        """The answer to an accepted request, as far as a rule lets it through."""
        kinds = {fault.kind: fault for fault in firing}
        if "cut_after" in kinds:
            return Answer(cut=True, after=after, delay_secs=kinds["cut_after"].secs)
        if "bad_json" in kinds:
            return Answer(200, b"<html>upstream says hello</html>", "text/html", after=after)
        return Answer(200, body, after=after, delay_secs=kinds["slow"].secs if "slow" in kinds else 0.0)

    def _count(self, request: Request) -> Answer:
        """Take events of the Conversions API: all of a request, or none."""
        try:
            events = orjson.loads(request.body)["data"]
            for event in events:
                check_conversion(event, self.business_account_id, self.clicks, time.time())
        except Refusal as refusal:
            return self._refuse(refusal)
        self.conversions.extend(events)
        return json_answer({"events_received": len(events), "messages": [], "fbtrace_id": _trace_id()})

    def _upload(self, request: Request, number_id: str) -> Answer:
        mime_type, options = parse_options_header(request.headers.get("content-type", ""))
        parser = FormDataParser(max_form_memory_size=None)
        _, form, files = parser.parse(io.BytesIO(request.body), mime_type, len(request.body), options)
        refused = self._early_answer(self.faults.firing("media"))
        if refused is not None:
            return refused
        if form.get("messaging_product") != "whatsapp":
            return self._refuse(Refusal(100, "The parameter messaging_product is required."))
        file = files.get("file")
        if file is None:
            return self._refuse(Refusal(100, "The parameter file is required."))
        media_id = self.add_media(file.read(), form.get("type") or file.mimetype)
        return json_answer({"id": media_id})

    def _open_upload(self, request: Request) -> Answer:
        """Open a resumable upload of one of the documented types."""
        about = request.query
        refused = self._early_answer(self.faults.firing("media"))
        if refused is not None:
            return refused
        if about.get("file_type") not in {kind for kinds in SAMPLE_TYPES.values() for kind in kinds}:
            return self._refuse(Refusal(100, "The file_type is not supported."))
        if not about.get("file_length", "").isdigit():
            return self._refuse(Refusal(100, "The parameter file_length is required."))
        session = f"upload:{secrets.token_hex(12)}"
        self.uploads[session] = about
        return json_answer({"id": f"{session}?sig={secrets.token_urlsafe(8)}"})

    def _take_upload(self, request: Request, session: str) -> Answer:
        about = self.uploads[session]
        if request.headers.get("file_offset") != "0" or "sig" not in request.query:
            return self._refuse(Refusal(100, "The header file_offset is required."))
        if len(request.body) != int(about["file_length"]):
            return self._refuse(Refusal(100, "The upload is shorter or longer than was said."))
        handle = f"4::{base64.b64encode(about['file_type'].encode()).decode()}:{secrets.token_hex(8)}"
        self.samples[handle] = request.body
        return json_answer({"h": handle})

    def _resolve(self, request: Request, media_id: str) -> Answer:
        refused = self._early_answer(self.faults.firing("media"))
        if refused is not None:
            return refused
        media = self.media[media_id]
        if request.query.get("phone_number_id", media.number_id) != media.number_id:
            return self._object_gone("GET", media_id)
        token = secrets.token_urlsafe(24)
        media.tokens[token] = time.monotonic() + MEDIA_URL_SECS
        return json_answer({
            "messaging_product": "whatsapp",
            "url": media.url or f"{self.url}/media/{token}?mid={media_id}&ext={int(time.time())}",
            "mime_type": media.mime_type,
            "sha256": hashlib.sha256(media.content).hexdigest(),
            "file_size": len(media.content),
            "id": media_id,
        })  # fmt: skip

    def _download(self, request: Request) -> Answer:
        token = request.path.removeprefix("/media/")
        for media in self.media.values():
            if media.tokens.get(token, 0.0) > time.monotonic():
                return Answer(200, media.content, media.mime_type)
        return Answer(404, b"Not Found", "text/plain")

    def _describe(self, request: Request, number: Mapping[str, Any]) -> Answer:
        refused = self._early_answer(self.faults.firing("list"))
        if refused is not None:
            return refused
        wanted = request.query.get("fields")
        names = wanted.split(",") if wanted else list(number)
        unknown = [name for name in names if name not in number]
        if unknown:
            return self._refuse(Refusal(100, f"Tried accessing nonexisting field ({unknown[0]})"))
        return json_answer({name: number[name] for name in {*names, "id"}})

    def _list_templates(self, request: Request) -> Answer:
        query = request.query
        size = min(int(query.get("limit") or TEMPLATES_PER_PAGE), 1000)
        start = int(base64.urlsafe_b64decode(query["after"])) if query.get("after") else 0
        page = self.templates[start : start + size]
        cursors = {"before": _cursor(start), "after": _cursor(start + len(page))}
        paging: dict[str, Any] = {"cursors": cursors}
        if start + size < len(self.templates):
            more = urlencode({**query, "limit": size, "after": cursors["after"]})
            paging["next"] = f"{self.url}{request.path}?{more}"
        return json_answer({"data": page, "paging": paging} if page else {"data": []})

    def _take_template(self, request: Request) -> Answer:
        """Take a template for review, as `review` says; a bad one is refused at once."""
        refused = self._early_answer(self.faults.firing("template"))
        if refused is not None:
            return refused
        try:
            template = orjson.loads(request.body)
            check_template(template)
            self._check_sample(template)
            key = (template["name"], template["language"])
            if any((t["name"], t["language"]) == key for t in self.templates):
                raise Refusal(100, "There is already content in this language for this template.")
        except Refusal as refusal:
            return self._refuse(refusal)
        template |= {"id": str(10**15 + secrets.randbelow(10**15)), "status": self.review}
        self.templates.append(template)
        told = {name: template[name] for name in ("id", "status", "category")}
        return json_answer(told)

    def _check_sample(self, template: Mapping[str, Any]) -> None:
        header: dict[str, Any] = next((c for c in template["components"] if c["type"] == "HEADER"), {})
        kind = header.get("format", "TEXT")
        if kind == "TEXT":
            return
        handle = header["example"]["header_handle"][0]
        said = base64.b64decode(handle.split(":")[2]).decode() if handle in self.samples else ""
        if said not in SAMPLE_TYPES[kind]:
            raise Refusal(100, f"HEADER: the sample is no {kind.lower()} that was uploaded.")

    def _change_template(self, request: Request, template_id: str) -> Answer:
        template = next(t for t in self.templates if t["id"] == template_id)
        try:
            changed = template | orjson.loads(request.body)
            check_template(changed)
            self._check_sample(changed)
        except Refusal as refusal:
            return self._refuse(refusal)
        template |= changed | {"status": self.review}
        return json_answer({"success": True})

    def _refuse(self, refusal: Refusal, payload: dict[str, Any] | None = None) -> Answer:
        if self.keep_sent:
            self.refusals.append((refusal.code, refusal.details, payload or {}))
        status, title = ERRORS.get(refusal.code, (400, "Error"))
        if refusal.code == 190:
            title = refusal.details
        elif refusal.code == 100:
            title = f"(#100) {refusal.details.removeprefix('(#100) ')}"
        else:
            title = f"(#{refusal.code}) {title}"
        return self._error(status, refusal.code, title, details=refusal.details, subcode=refusal.subcode)

    def _object_gone(self, method: str, object_id: str) -> Answer:
        what = f"Unsupported {method.lower()} request. Object with ID '{object_id}' does not exist"
        message = f"{what}, cannot be loaded due to missing permissions, or does not support this operation."
        return json_answer(
            {"error": {"message": message, "type": "GraphMethodException", "code": 100, "error_subcode": 33,
                       "fbtrace_id": _trace_id()}}, 400,
        )  # fmt: skip

    def _error(
        self,
        status: int,
        code: int,
        message: str,
        headers: dict[str, str] | None = None,
        details: str = "",
        subcode: int | None = None,
    ) -> Answer:
        error: dict[str, Any] = {"message": message, "type": "OAuthException", "code": code}
        if details and code != 190:
            error["error_data"] = {"messaging_product": "whatsapp", "details": details}
        if subcode is not None:
            error["error_subcode"] = subcode
        error["fbtrace_id"] = _trace_id()
        return json_answer({"error": error}, status, headers=headers or {})

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
            case ("GET", "/__sent"):
                return json_answer(
                    {"count": self.accepted_count, "sent": [asdict(m) for m in list(self.sent)]}
                )
            case ("GET", "/__count"):
                return json_answer({"count": self.accepted_count, "reads": len(self.reads)})
        return json_answer({"error": "not found"}, 404)


def read_journal(path: str | Path) -> list[SentMessage]:
    """Read the accepted messages of a journal; a last line cut by a kill is left out."""
    lines = Path(path).read_bytes().split(b"\n")[:-1]
    return [SentMessage(**orjson.loads(line)) for line in lines]


def status_error(code: int) -> dict[str, Any]:
    """The error object of a failed receipt."""
    _, title = ERRORS.get(code, (400, "Error"))
    return {
        "code": code,
        "title": title,
        "message": title,
        "error_data": {"details": f"{title} (details)."},
        "href": "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/",
    }


def _number(number_id: str) -> dict[str, Any]:
    display = DISPLAY_PHONE_NUMBER if number_id == PHONE_NUMBER_ID else f"1555{int(number_id[-7:]):07d}"
    return {
        "verified_name": "Nexora",
        "code_verification_status": "VERIFIED",
        "display_phone_number": f"+1 {display[1:4]}-{display[4:7]}-{display[7:]}",
        "quality_rating": "GREEN",
        "platform_type": "CLOUD_API",
        "throughput": {"level": "STANDARD"},
        "name_status": "APPROVED",
        "status": "CONNECTED",
        "whatsapp_business_manager_messaging_limit": "TIER_2K",
        "id": number_id,
    }


def _cursor(place: int) -> str:
    return base64.urlsafe_b64encode(str(place).encode()).decode()


def _trace_id() -> str:
    return "A" + secrets.token_urlsafe(16)


def main() -> None:
    """Serve until a signal ends the process."""
    parser = argparse.ArgumentParser(description="A fake of Meta's Graph API for WhatsApp.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--webhook-url", help="where receipts are posted; none without it")
    parser.add_argument("--app-secret", default=APP_SECRET)
    parser.add_argument("--access-token", default=ACCESS_TOKEN)
    parser.add_argument("--phone-number-id", action="append", help="may be given several times")
    parser.add_argument(
        "--receipts", default=",".join(FINAL_RECEIPTS), help="comma separated; empty for none"
    )
    parser.add_argument("--receipt-gap-secs", type=float, default=0.0)
    parser.add_argument(
        "--receipts-first", action="store_true", help="post the first receipt before answering"
    )
    parser.add_argument("--pair-limit", action="store_true")
    parser.add_argument("--journal", help="append one JSON line per accepted message")
    parser.add_argument("--forget", action="store_true", help="keep nothing in memory (long loads)")
    chosen = parser.parse_args()
    graph = FakeGraph(
        webhook_url=chosen.webhook_url,
        app_secret=chosen.app_secret,
        access_token=chosen.access_token,
        phone_number_ids=chosen.phone_number_id or (PHONE_NUMBER_ID,),
        receipts=[status for status in chosen.receipts.split(",") if status],
        receipt_gap_secs=chosen.receipt_gap_secs,
        receipts_first=chosen.receipts_first,
        pair_limit=chosen.pair_limit,
        journal=chosen.journal,
        port=chosen.port,
        keep_sent=not chosen.forget,
    ).start()
    sys.stdout.write(f"{graph.url}\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
