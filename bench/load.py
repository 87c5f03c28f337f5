"""A cheap load generator: prepared requests as raw bytes over kept-alive sockets, one selector, one thread.

The generator shares the cores with the server that it measures, so it parses no more of an answer than its
status and its length.
"""

import hashlib
import hmac
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.fakes.webhooks import APP_SECRET, PHONE_NUMBER_ID, MetaWebhooks, Webhook

CONNECTIONS = 32
ANSWER_TIMEOUT_SECS = 30.0
_ID_MARK = "wamid.PLACEHOLDER"
_FROM_MARK = "5500000000000"
_TIME_MARK = "1111111111"
_TEXT_MARK = "TEXTPLACEHOLDER"


@dataclass
class Outcome:
    """What one load did: counts, seconds, and the latency of every answered request."""

    secs: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    cut_count: int = 0

    @property
    def ok_count(self) -> int:
        return self.statuses.get(200, 0)

    @property
    def per_sec(self) -> float:
        return self.ok_count / self.secs if self.secs else 0.0

    def percentile_ms(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else 0.0


class RequestMaker:
    """Makes signed text webhooks quickly: one message is built properly, the rest by replacing its marks."""

    def __init__(self, url: str, run: str) -> None:
        self._host = urlsplit(url).netloc
        self._run = run  # part of every message id, so that two rounds never repeat one
        self._serial = 0
        builder = MetaWebhooks()
        value = builder.message_value(
            {"type": "text", "text": {"body": _TEXT_MARK}},
            _FROM_MARK,
            message_id=_ID_MARK,
            at=int(_TIME_MARK),
        )
        body = builder.sign(builder.envelope([value])).body
        assert PHONE_NUMBER_ID.encode() in body
        self._body = body.decode()

    def text(self, body: str, wa_id: str, at: int) -> bytes:
        """One signed POST as raw bytes, with an id of its own."""
        self._serial += 1
        filled = (
            self._body.replace(_ID_MARK, f"wamid.{self._run}{self._serial:08d}")
            .replace(_FROM_MARK, wa_id)
            .replace(_TIME_MARK, str(at))
            .replace(_TEXT_MARK, body)
            .encode()
        )
        signature = hmac.digest(APP_SECRET.encode(), filled, hashlib.sha256).hex()
        return self._raw(
            filled, {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={signature}"}
        )

    def raw(self, webhook: Webhook) -> bytes:
        """Any prepared webhook as raw bytes."""
        return self._raw(webhook.body, webhook.headers)

    def _raw(self, body: bytes, headers: dict[str, str]) -> bytes:
        lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
        first = f"POST /webhook HTTP/1.1\r\nHost: {self._host}\r\nContent-Length: {len(body)}\r\n"
        head = f"{first}{''.join(lines)}\r\n"
        return head.encode() + body


class _Line:
    """One connection and the request that it carries."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answer = b""
        self.started = 0.0


def run_load(
    url: str, requests: Sequence[bytes], *, for_secs: float | None = None, connections: int = CONNECTIONS
) -> Outcome:
    """Post `requests` in order, each once, until they or `for_secs` are used up."""
    split = urlsplit(url)
    address = (split.hostname or "127.0.0.1", split.port or 80)
    outcome = Outcome()
    selector = selectors.DefaultSelector()
    source = iter(requests)
    started = time.perf_counter()
    stop_at = started + for_secs if for_secs else float("inf")
    open_lines = 0
    for _ in range(connections):
        line = _Line(address)
        if not _send_next(line, source):
            line.socket.close()
            break
        selector.register(line.socket, selectors.EVENT_READ, line)
        open_lines += 1
    while open_lines:
        events = selector.select(ANSWER_TIMEOUT_SECS)
        if not events:
            outcome.cut_count += open_lines
            break
        for key, _ in events:
            line = key.data
            if not _take_answer(line, outcome):
                continue
            is_over = time.perf_counter() >= stop_at or not _send_next(line, source)
            if is_over:
                selector.unregister(line.socket)
                line.socket.close()
                open_lines -= 1
    outcome.secs = time.perf_counter() - started
    selector.close()
    return outcome


def _send_next(line: _Line, source: Iterator[bytes]) -> bool:
    request = next(source, None)
    if request is None:
        return False
    line.answer = b""
    line.started = time.perf_counter()
    line.socket.sendall(request)
    return True


def _take_answer(line: _Line, outcome: Outcome) -> bool:
    """Read what came; False while the answer is not complete."""
    received = line.socket.recv(65536)
    if not received:
        raise ConnectionError("the server closed a kept-alive line under load")
    line.answer += received
    head_end = line.answer.find(b"\r\n\r\n")
    if head_end < 0:
        return False
    place = line.answer.lower().find(b"content-length:", 0, head_end)
    length = int(line.answer[place + 15 : line.answer.find(b"\r\n", place)]) if place >= 0 else 0
    if len(line.answer) < head_end + 4 + length:
        return False
    outcome.latencies.append(time.perf_counter() - line.started)
    status = int(line.answer[9:12])
    outcome.statuses[status] = outcome.statuses.get(status, 0) + 1
    return True
