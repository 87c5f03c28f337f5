"""HTTP to the providers: pooled connections, a total deadline, and failures as values.

Every provider module calls it. It knows no provider; it never follows a redirect and never retries by itself.
"""

import contextlib
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.request import getproxies

import requests
import urllib3
from requests.auth import AuthBase, HTTPBasicAuth

from providers.base import SendError
from providers.connections import Connections, tell
from providers.time_limit import TimeLimit

CONNECT_TIMEOUT_SECS = 5.0
TOTAL_TIMEOUT = "TotalTimeout"
MAX_ANSWER_BYTES = 2 * 1024**2
_CHUNK_BYTES = 64 * 1024
# Causes that end a request before its first byte left.
_NOT_SENT = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.ProxyError,
    # Only a refused certificate: any other TLS error may come while the answer is read.
    ssl.SSLCertVerificationError,
)


class Bearer(AuthBase):
    """A bearer token. As an auth object, so that a .netrc on the machine cannot replace it."""

    def __init__(self, token: str, scheme: str = "Bearer") -> None:
        self._token, self._scheme = token, scheme

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if not self._token.isprintable():
            raise requests.exceptions.InvalidHeader("the token holds a line end")
        request.headers["Authorization"] = f"{self._scheme} {self._token}"
        return request


class NoCredentials(AuthBase):
    """No credentials at all, not even a .netrc's."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


Basic = HTTPBasicAuth


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, read to its end or to `max_bytes`."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """No usable answer: `not_sent` (the request surely never left), `cut` (it may have arrived), or
    `impossible`."""

    kind: Literal["not_sent", "cut", "impossible"]
    reason: str = field(default="")


def exchange(
    method: str,
    url: str,
    auth: AuthBase,
    *,
    timeout_secs: float,
    max_bytes: int = MAX_ANSWER_BYTES,
    **body: Any,
) -> Answer | Failure:
    """Make one request and read its answer before `timeout_secs` are over.

    `body` is what requests takes: json, data, files, params, headers. More than `max_bytes` is not read;
    `is_cut` tells.
    """
    connect_secs = min(CONNECT_TIMEOUT_SECS, timeout_secs)
    limit = TimeLimit(timeout_secs)
    try:
        with limit:
            tell(limit)
            response = _pool.session().request(
                method,
                url,
                auth=auth,
                timeout=(connect_secs, timeout_secs),
                stream=True,
                allow_redirects=False,
                **body,
            )
            with contextlib.closing(response):
                content, is_cut = _read(response, max_bytes, limit)
    except _IMPOSSIBLE as error:
        return Failure("impossible", type(error).__name__)
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        reason = TOTAL_TIMEOUT if limit.is_over else type(error).__name__
        return Failure("not_sent" if _never_left(error) else "cut", reason)
    return Answer(response.status_code, response.headers, content, is_cut)


def send_error(failure: Failure) -> SendError:
    """Say what a failure means for a message."""
    if failure.kind == "not_sent":
        return SendError("not_connected", "retry", f"The provider could not be reached ({failure.reason}).")
    if failure.kind == "impossible":
        return SendError(
            "bad_address",
            "final",
            f"The provider's address or key is malformed ({failure.reason}).",
            scope="number",
        )
    return SendError(
        "cut",
        "uncertain",
        f"The line was cut before the provider answered ({failure.reason}); it may have been sent.",
    )


# A malformed address or header: no repetition helps.
_IMPOSSIBLE = (
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidHeader,
    requests.exceptions.InvalidJSONError,
    urllib3.exceptions.LocationValueError,
    UnicodeError,
)


class _Pool(Connections):
    """With a Session for each thread."""

    def open(self) -> None:
        super().open()
        self._local = threading.local()

    def session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = self.new_session()
            _read_environment_once(session)
        session.cookies.clear()
        return session


def _read_environment_once(session: requests.Session) -> None:
    """Keep requests from reading the environment again for each send; only a proxy's exceptions need that."""
    merged = session.merge_environment_settings("https://graph.facebook.com", {}, None, None, None)
    session.verify = merged["verify"]
    session.trust_env = bool(getproxies())


_pool = _Pool(hosts=16, each=64)


def _read(response: requests.Response, max_bytes: int, limit: TimeLimit) -> tuple[bytes, bool]:
    """Read what has come, again and again; `iter_content` would wait for a whole chunk of a trickling
    answer. What ends with the time is no whole answer, even where it looks like one."""
    parts: list[bytes] = []
    size = 0
    while not limit.is_over and (chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True)):
        parts.append(chunk)
        size += len(chunk)
        if size > max_bytes:
            return b"".join(parts)[:max_bytes], True
    if limit.is_over:
        raise requests.exceptions.ReadTimeout("total deadline")
    return b"".join(parts), False


def _never_left(error: BaseException) -> bool:
    """Look through the wrappings for a cause that ends a request before it leaves."""
    if isinstance(error, (requests.exceptions.ConnectTimeout, *_NOT_SENT)):
        return True
    if isinstance(error, (requests.exceptions.ReadTimeout, requests.exceptions.ChunkedEncodingError)):
        return False
    cause = getattr(error, "reason", None) or (error.args[0] if error.args else None)
    return isinstance(cause, BaseException) and cause is not error and _never_left(cause)
