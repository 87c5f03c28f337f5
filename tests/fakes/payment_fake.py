"""What the fakes of payment services share: a server, faults, requests that are done once, signed notices.

A service's fake says what its answers look like; everything that is the same for all stands here.
"""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from tests.fakes.faults import Fault, FaultBook
from tests.fakes.poster import Poster, Posting
from tests.fakes.server import Answer, HttpServer, Request, json_answer
from tests.fakes.webhooks import Webhook

WEBHOOK_TRIES = 60


@dataclass(frozen=True, slots=True)
class Done:
    """The answer to a request that had an idempotency key."""

    digest: str
    status: int
    payload: Any


@dataclass
class PaymentFake:
    """The side that all services share. A subclass has `route`, `target_of`, `fault_payload` and `notice`."""

    webhook_url: str = ""
    port: int = 0
    requests: list[str] = field(default_factory=list)
    faults: FaultBook = field(default_factory=FaultBook)
    notices: list[Any] = field(default_factory=list)
    done: dict[str, Done] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.poster = Poster(WEBHOOK_TRIES, retries_refusals=True)
        self.lock = threading.RLock()
        self._server = HttpServer(self.handle, self.port)

    @property
    def url(self) -> str:
        return self._server.url

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        self.poster.close()

    def fault(self, kind: str, **settings: Any) -> Fault:
        """Misbehave from now on; see `tests.fakes.faults`."""
        return self.faults.add(kind, **settings)

    def count(self, start: str) -> int:
        """Count the requests that begin so ("POST /v1/refunds"), answered in whatever way."""
        return sum(request.startswith(start) for request in self.requests)

    def route(self, request: Request) -> tuple[int, Any]:
        raise NotImplementedError

    def target_of(self, request: Request) -> str:
        raise NotImplementedError

    def fault_payload(self, status: int) -> Any:
        raise NotImplementedError

    def notice(self, event: Any) -> Webhook:
        """Write and sign one notice as it goes over the wire."""
        raise NotImplementedError

    def handle(self, request: Request) -> Answer:
        """Answer one request; called on the server's thread."""
        with self.lock:
            self.requests.append(f"{request.method} {request.path}")
            fault = next(iter(self.faults.firing(self.target_of(request))), None)
            kind = fault.kind if fault else ""
            if fault and kind in ("server_error", "throttled"):
                return self._refuse(request, 429 if kind == "throttled" else fault.status)
            if kind == "cut_before":
                return Answer(cut=True)
            status, payload = self.route(request)
        if kind == "cut_after":
            return Answer(cut=True)
        if kind == "bad_json":
            return Answer(200, b"<html>a proxy says hello</html>", "text/html")
        return json_answer(payload, status, delay_secs=fault.secs if fault and kind == "slow" else 0.0)

    def _refuse(self, request: Request, status: int) -> Answer:
        return json_answer(self.fault_payload(status), status)

    def once(
        self,
        key: str,
        asked: object,
        act: Callable[[], tuple[int, Any]],
        reused: Callable[[], tuple[int, Any]],
    ) -> tuple[int, Any]:
        """Do what was asked under this key once; the same key with other values is `reused`."""
        digest = hashlib.sha256(repr(asked).encode()).hexdigest()
        known = self.done.get(key)
        if known is not None:
            return (known.status, known.payload) if known.digest == digest else reused()
        status, payload = act()
        if status < 400:
            self.done[key] = Done(digest, status, payload)
        return status, payload

    def tell(self, event: Any, *, times: int = 1) -> None:
        """Keep a notice and, when somebody listens, post it, `times` over."""
        self.notices.append(event)
        for _ in range(times if self.webhook_url else 0):
            webhook = self.notice(event)
            self.poster.post(Posting(self.webhook_url + _query(webhook.path), webhook.body, webhook.headers))


def _query(path: str) -> str:
    _, mark, query = path.partition("?")
    return mark + query
