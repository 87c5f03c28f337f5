"""Posts webhooks from a background thread, as the providers do: in due order, over kept-alive lines, retried.

Meta tries again until it sees 200; Twilio once more, and only when the line failed. The fakes own one each.
"""

import heapq
import http.client
import itertools
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from urllib.parse import urlsplit

FIRST_RETRY_SECS = 0.25
LONGEST_RETRY_SECS = 15.0
TIMEOUT_SECS = 15.0


@dataclass(slots=True)
class Posting:
    """One webhook to post. `done` resolves to the last HTTP status, or None when no try was answered."""

    url: str
    body: bytes
    headers: dict[str, str]
    done: "Future[int | None]" = field(default_factory=Future)
    tries: int = 0


class Poster:
    """A thread that posts what is due. `max_tries` bounds one webhook; `retries_refusals` says whether a
    non-200 answer is tried again (Meta) or only a failed line (Twilio)."""

    def __init__(self, max_tries: int, retries_refusals: bool) -> None:
        self.max_tries = max_tries
        self.retries_refusals = retries_refusals
        self.answers: list[int | None] = []
        self._due: list[tuple[float, int, Posting]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._is_open = True
        self._active = 0
        self._lines: dict[str, http.client.HTTPConnection] = {}
        self._thread: threading.Thread | None = None

    def post(self, posting: Posting, in_secs: float = 0.0) -> "Future[int | None]":
        """Post after `in_secs`; what is due at the same time goes in the order of the calls."""
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="fake-poster", daemon=True)
                self._thread.start()
            heapq.heappush(self._due, (time.monotonic() + in_secs, next(self._order), posting))
            self._changed.notify_all()
        return posting.done

    def wait_until_idle(self, timeout_secs: float = 10.0) -> bool:
        """Wait until nothing is left to post; False when `timeout_secs` passed first."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._due and not self._active, timeout_secs)

    def close(self) -> None:
        """Stop; what is not posted yet is dropped."""
        with self._changed:
            self._is_open = False
            for _, _, posting in self._due:
                posting.done.cancel()
            self._due.clear()
            self._changed.notify_all()
        if self._thread:
            self._thread.join(TIMEOUT_SECS)

    def _run(self) -> None:
        while (posting := self._next()) is not None:
            status = self._try(posting)
            if self._goes_again(posting, status):
                wait_secs = min(FIRST_RETRY_SECS * 2 ** (posting.tries - 1), LONGEST_RETRY_SECS)
                self.post(posting, wait_secs)
            elif not posting.done.cancelled():
                posting.done.set_result(status)
            with self._changed:
                self.answers.append(status)
                self._active -= 1
                self._changed.notify_all()

    def _next(self) -> Posting | None:
        with self._changed:
            while self._is_open:
                wait_secs = self._due[0][0] - time.monotonic() if self._due else None
                if wait_secs is not None and wait_secs <= 0:
                    self._active += 1
                    return heapq.heappop(self._due)[2]
                self._changed.wait(wait_secs)
        return None

    def _goes_again(self, posting: Posting, status: int | None) -> bool:
        if not self._is_open or posting.tries >= self.max_tries:
            return False
        return status is None or (self.retries_refusals and status != 200)

    def _try(self, posting: Posting) -> int | None:
        posting.tries += 1
        split = urlsplit(posting.url)
        target = f"{split.path or '/'}?{split.query}" if split.query else (split.path or "/")
        for is_fresh in (False, True):  # a kept-alive line that died while idle is no failed try
            had_line = split.netloc in self._lines
            try:
                line = self._line(split.scheme, split.netloc)
                line.request("POST", target, posting.body, posting.headers)
                answer = line.getresponse()
                answer.read()
                return answer.status
            except (OSError, http.client.HTTPException):
                self._lines.pop(split.netloc).close()
                if not had_line or is_fresh:
                    return None
        return None

    def _line(self, scheme: str, netloc: str) -> http.client.HTTPConnection:
        line = self._lines.get(netloc)
        if line is None:
            make: Callable[..., http.client.HTTPConnection] = (
                http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
            )
            line = self._lines[netloc] = make(netloc, timeout=TIMEOUT_SECS)
        if line.sock is None:
            _connect(line)
        return line


def _connect(line: http.client.HTTPConnection) -> None:
    line.connect()
    # Nagle and delayed ACK together would add 40 ms to every posting.
    line.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
