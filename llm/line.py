"""HTTP to a model service: pooled connections, one POST, a deadline that holds, failures as values.

A socket's time-out begins anew with each byte, so a server that drips would never run into it, and looking up
a name has none at all. Each POST therefore runs in a thread of its own; when its time is over the caller goes
on and the socket is shut under the thread, which then ends. Knows no service and never follows a redirect.
"""

import contextlib
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import requests
import urllib3
from requests.auth import AuthBase

from llm.base import Endpoint
from providers.connections import Connections, tell

CONNECT_TIMEOUT_SECS: Final = 5.0
MAX_ANSWER_BYTES: Final = 2 * 1024**2
_CHUNK_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class NoReply:
    """No usable HTTP answer; `reason` is the name of an error, never its words, which may hold addresses."""

    code: Literal["timeout", "unreachable", "refused_request", "bad_answer"]
    reason: str


def post(endpoint: Endpoint, path: str, *, secs: float, **body: Any) -> Reply | NoReply:
    """Make one POST to the endpoint and read its answer before `secs` are over. Never raises for a service.

    `body` is what requests takes: json, data, files.
    """
    attempt = _Attempt(endpoint, path, secs, body)
    threading.Thread(target=attempt.run, name="model-call", daemon=True).start()
    if not attempt.is_done.wait(secs):
        attempt.abandon()
        return NoReply("timeout", "total deadline")
    assert attempt.outcome is not None
    if isinstance(attempt.outcome, Exception):
        raise attempt.outcome
    return attempt.outcome


# A malformed address or header: no repetition helps.
_IMPOSSIBLE: Final = (
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidHeader,
    urllib3.exceptions.LocationValueError,
    UnicodeError,
)


@dataclass(slots=True)
class _Attempt:
    """One POST in its thread, and the handle by which it is cut off."""

    endpoint: Endpoint
    path: str
    secs: float
    body: Mapping[str, Any] = field(repr=False)
    is_done: threading.Event = field(default_factory=threading.Event)
    outcome: Reply | NoReply | Exception | None = None
    _socket: socket.socket | None = None
    _is_abandoned: bool = False

    def run(self) -> None:
        tell(self)
        try:
            self.outcome = self._exchange()
        except requests.Timeout as error:
            self.outcome = NoReply("timeout", type(error).__name__)
        except _IMPOSSIBLE as error:
            self.outcome = NoReply("refused_request", type(error).__name__)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            self.outcome = NoReply("unreachable", type(error).__name__)
        except Exception as error:  # a fault of ours: the caller raises it
            self.outcome = error
        finally:
            self.is_done.set()

    def abandon(self) -> None:
        self._is_abandoned = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                # The plain shutdown: that of ssl would take the TLS object from under the reading thread.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def watch(self, used: socket.socket) -> None:
        self._socket = used
        if self._is_abandoned:
            raise TimeoutError

    def _exchange(self) -> Reply | NoReply:
        response = _connections.new_session().post(
            self.endpoint.base_url + self.path,
            headers=dict(self.endpoint.headers),
            auth=_Key(self.endpoint),
            timeout=(min(CONNECT_TIMEOUT_SECS, self.secs), self.secs),
            stream=True,
            allow_redirects=False,
            **self.body,
        )
        with contextlib.closing(response):
            parts: list[bytes] = []
            while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
                parts.append(chunk)
                if sum(map(len, parts)) > MAX_ANSWER_BYTES:
                    return NoReply("bad_answer", "answer too large")
            return Reply(response.status_code, response.headers, b"".join(parts))


class _Key(AuthBase):
    """The endpoint's key in its header; as an auth object, so that a .netrc cannot replace it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        key = self._endpoint.key
        if not key.isascii() or (key and not key.isprintable()):
            raise requests.exceptions.InvalidHeader("the key holds what no header may")
        if key and self._endpoint.dialect == "messages":
            request.headers["x-api-key"] = key
        elif key:
            request.headers["Authorization"] = f"Bearer {key}"
        return request


_connections = Connections(hosts=8, each=32)
