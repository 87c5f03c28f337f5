"""A small HTTP/1.1 keep-alive server for the fakes: one thread, one event loop, one handler.

Werkzeug's and the standard library's servers spend more on one request than the program under test does;
benches that share two cores need a cheap other side. Only what the program's clients speak is understood.
"""

import asyncio
import json
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 110 * 1024 * 1024
REASONS = {status.value: status.phrase for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came; header names are lower case, `path` is decoded and without its query."""

    method: str
    target: str
    path: str
    query_string: str
    headers: dict[str, str]
    body: bytes

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.query_string, keep_blank_values=True))

    @property
    def form(self) -> list[tuple[str, str]]:
        return parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back. `after` holds the answer until that future is done; `cut` closes the line instead.

    `cut_at` closes it after so many bytes; `drip_secs` sends byte after byte, so far apart.
    """

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    delay_secs: float = 0.0
    after: "Future[Any] | None" = None
    cut: bool = False
    cut_at: int | None = None
    drip_secs: float = 0.0

    def to_bytes(self) -> bytes:
        lines = [
            f"HTTP/1.1 {self.status} {REASONS.get(self.status, 'Status')}",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {len(self.body)}",
            *(f"{name}: {value}" for name, value in self.headers.items()),
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + self.body


def json_answer(payload: Any, status: int = 200, **more: Any) -> Answer:
    """Answer `payload` as JSON."""
    return Answer(status, json.dumps(payload, separators=(",", ":")).encode(), **more)


class HttpServer:
    """Serves `handle` on a loopback port from a thread of its own; `handle` must be quick."""

    def __init__(self, handle: Callable[[Request], Answer], port: int = 0) -> None:
        self.handle = handle
        self.port = port
        self._loop = asyncio.new_event_loop()
        self._connections: set[_Connection] = set()
        self._ready = threading.Event()
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="fake-http", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen; returns when the port answers. Raises OSError when the port is taken."""
        self._thread.start()
        self._ready.wait()
        if self._failure:
            raise self._failure

    def stop(self) -> None:
        """Close every connection and the port; returns when the thread has ended."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(60)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            listening = self._loop.create_server(
                lambda: _Connection(self.handle, self._loop, self._connections),
                "127.0.0.1",
                self.port,
                backlog=1024,
            )
            server = self._loop.run_until_complete(listening)
        except OSError as error:
            self._failure = error
            self._ready.set()
            return
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for connection in tuple(self._connections):
            connection.close()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()


class _Connection(asyncio.Protocol):
    """One client's line. While an answer waits, later requests of the same line wait behind it."""

    def __init__(
        self,
        handle: Callable[[Request], Answer],
        loop: asyncio.AbstractEventLoop,
        all_lines: "set[_Connection]",
    ) -> None:
        self._handle = handle
        self._loop = loop
        self._all_lines = all_lines
        self._buffer = b""
        self._is_waiting = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._all_lines.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._all_lines.discard(self)

    def close(self) -> None:
        if self._transport:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        self._drain()

    def _drain(self) -> None:
        while self._buffer and not self._is_waiting and self._transport:
            parsed = self._next_request()
            if parsed is None:
                return
            if isinstance(parsed, Answer):
                self._write(parsed, then_close=True)
                return
            self._answer(self._handle_safely(parsed))

    def _handle_safely(self, request: Request) -> Answer:
        try:
            return self._handle(request)
        except Exception as error:  # a bug in a fake must be seen by the test that meets it, not hang it
            return Answer(500, f"the fake broke: {error!r}".encode(), "text/plain", {"X-Fake-Broke": "1"})

    def _next_request(self) -> Request | Answer | None:
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return Answer(400) if len(self._buffer) > MAX_HEAD_BYTES else None
        lines = self._buffer[:head_end].decode("latin-1").split("\r\n")
        words = lines[0].split(" ")
        if len(words) != 3:
            return Answer(400)
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if "chunked" in headers.get("transfer-encoding", ""):
            return Answer(411)
        length = int(headers.get("content-length") or 0)
        if length > MAX_BODY_BYTES:
            return Answer(413)
        start = head_end + 4
        if len(self._buffer) < start + length:
            return None
        body = self._buffer[start : start + length]
        self._buffer = self._buffer[start + length :]
        split = urlsplit(words[1])
        path = unquote(split.path) if "%" in split.path else split.path
        return Request(words[0], words[1], path, split.query, headers, body)

    def _answer(self, answer: Answer) -> None:
        if answer.after is not None:
            self._is_waiting = True
            answer.after.add_done_callback(lambda _: self._loop.call_soon_threadsafe(self._finish, answer))
        elif answer.delay_secs:
            self._is_waiting = True
            self._loop.call_later(answer.delay_secs, self._finish, answer)
        else:
            self._write(answer, then_close=False)

    def _finish(self, answer: Answer) -> None:
        self._is_waiting = False
        self._write(answer, then_close=False)
        self._drain()

    def _write(self, answer: Answer, then_close: bool) -> None:
        if self._transport is None:
            return
        if answer.cut:
            self._transport.abort()
            return
        content = answer.to_bytes()[: answer.cut_at]
        if answer.drip_secs:
            self._is_waiting = True
            self._drip(content, answer.drip_secs)
            return
        self._transport.write(content)
        if then_close or answer.cut_at is not None:
            self._transport.close()

    def _drip(self, content: bytes, gap_secs: float) -> None:
        if self._transport is None:
            return
        self._transport.write(content[:1])
        if len(content) > 1:
            self._loop.call_later(gap_secs, self._drip, content[1:], gap_secs)
        else:
            self._is_waiting = False
            self._drain()
