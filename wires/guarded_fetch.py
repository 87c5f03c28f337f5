"""Requests to an address that somebody wrote into a form, and never to one inside our own network.

A name is resolved once, each of its addresses is judged, and the connection goes to exactly the address that
was judged: a name that answers differently the next time (DNS rebinding) gains nothing. No proxy, no redirect
and no cookie; https alone, unless private addresses are allowed. Called by `signed_webhook`, `web_push` and
the services that connectors speak to.
"""

import contextlib
import socket
import ssl
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import Url, parse_url

from providers.time_limit import TimeLimit
from providers.transport import Answer, Failure

CONNECT_TIMEOUT_SECS: Final = 5.0
MAX_ANSWER_BYTES: Final = 64 * 1024
MAX_URL_CHARS: Final = 2000
PORTS: Final = {"https": 443, "http": 80}
USER_AGENT: Final = "balcao"
_CHUNK_BYTES: Final = 16 * 1024
# The last 32 bits are an IPv4 address that a gateway goes on to (RFC 6052), or that is meant (RFC 4291, given
# up): what is behind them decides.
_EMBEDDING: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("::/96"))
# All of IPv6 that is handed out to the open internet (IANA); the rest is a network's own, or nobody's.
_HANDED_OUT: Final = IPv6Network("2000::/3")
# Not open either, whatever Python's tables say: documentation (RFC 9637), protocols (6890), relays (7526).
_CLOSED: Final = (IPv6Network("3fff::/20"), IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24"))


class PrivateAddress(HTTPError):
    """The name leads into a private network, or to this machine."""


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    timeout_secs: float,
    allow_private: bool = False,
) -> Answer | Failure:
    """Post once and read the beginning of the answer before `timeout_secs` are over. Never raises."""
    return exchange("POST", url, body, headers, timeout_secs=timeout_secs, allow_private=allow_private)


def exchange(
    method: str,
    url: str,
    body: bytes | None,
    headers: Mapping[str, str],
    *,
    timeout_secs: float,
    allow_private: bool = False,
    max_bytes: int = MAX_ANSWER_BYTES,
) -> Answer | Failure:
    """Make one request by any method; as `post`. No more than `max_bytes` are read; `is_cut` tells."""
    parts = _parts(url, allow_private)
    if isinstance(parts, Failure):
        return parts
    try:
        with TimeLimit(timeout_secs) as limit, _pool(parts, timeout_secs, limit, allow_private) as pool:
            response = pool.urlopen(
                method,
                parts.request_uri,
                body=body,
                headers={"User-Agent": USER_AGENT, **headers},
                redirect=False,
                retries=False,
                preload_content=False,
            )
            with contextlib.closing(response):
                if limit.is_over:  # what came of the headers may look like all of them
                    return Failure("cut", "TimeoutError")
                content, is_cut = _read(response, limit, max_bytes)
    except PrivateAddress:
        return Failure("impossible", "private_address")
    except (HTTPError, OSError, ValueError) as error:
        return Failure("not_sent" if _never_left(error) else "cut", type(error).__name__)
    return Answer(response.status, response.headers, content, is_cut)


def is_public(address: str) -> bool:
    """Tell whether an IP address belongs to the open internet, also the one that is wrapped inside it."""
    ip = ip_address(address.partition("%")[0])
    inner = _wrapped(ip)
    if isinstance(ip, IPv6Address) and ip not in _HANDED_OUT and ip not in _EMBEDDING[0]:
        return False
    is_open = ip.is_global and not ip.is_multicast and not any(ip in network for network in _CLOSED)
    return is_open and (inner is None or is_public(str(inner)))


def _wrapped(ip: IPv4Address | IPv6Address) -> IPv4Address | None:
    if isinstance(ip, IPv4Address):
        return None
    if any(ip in network for network in _EMBEDDING):
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)


def _parts(url: str, allow_private: bool) -> Url | Failure:
    try:
        parts = parse_url(url[: MAX_URL_CHARS + 1])
    except LocationParseError:
        return Failure("impossible", "malformed")
    if len(url) > MAX_URL_CHARS or not parts.host or parts.auth or parts.scheme not in PORTS:
        return Failure("impossible", "malformed")
    if parts.scheme != "https" and not allow_private:
        return Failure("impossible", "not_https")
    return parts


def _pool(
    parts: Url, timeout_secs: float, limit: TimeLimit, allow_private: bool
) -> urllib3.HTTPConnectionPool:
    """Make the pool for one request; alerts are rare, and no connection is worth keeping."""
    is_tls = parts.scheme == "https"
    pool = (urllib3.HTTPSConnectionPool if is_tls else urllib3.HTTPConnectionPool)(
        (parts.host or "").strip("[]"),
        parts.port or PORTS[parts.scheme or "https"],
        timeout=urllib3.Timeout(connect=min(CONNECT_TIMEOUT_SECS, timeout_secs), read=timeout_secs),
        maxsize=1,
        limit=limit,
        allow_private=allow_private,
    )
    pool.ConnectionCls = _GuardedHTTPSConnection if is_tls else _GuardedHTTPConnection
    return pool


class _GuardedHTTPConnection(HTTPConnection):
    def __init__(self, *args: Any, limit: TimeLimit, allow_private: bool, **more: Any) -> None:
        super().__init__(*args, **more)
        self._limit, self._allow_private = limit, allow_private

    def _new_conn(self) -> socket.socket:
        return _connect(self, self._limit, self._allow_private)


class _GuardedHTTPSConnection(HTTPSConnection):
    def __init__(self, *args: Any, limit: TimeLimit, allow_private: bool, **more: Any) -> None:
        super().__init__(*args, **more)
        self._limit, self._allow_private = limit, allow_private

    def _new_conn(self) -> socket.socket:
        return _connect(self, self._limit, self._allow_private)


def _connect(connection: HTTPConnection, limit: TimeLimit, allow_private: bool) -> socket.socket:
    """Connect to the first allowed address of the name that answers; TLS goes on to check the name."""
    try:
        found = socket.getaddrinfo(connection.host, connection.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise urllib3.exceptions.NewConnectionError(connection, "the name is unknown") from error
    allowed = [place for place in found if allow_private or is_public(str(place[4][0]))]
    if not allowed:
        raise PrivateAddress("the name leads to no public address")
    failure: OSError | None = None
    for family, kind, protocol, _name, address in allowed:
        opened = socket.socket(family, kind, protocol)
        opened.settimeout(CONNECT_TIMEOUT_SECS)
        try:
            limit.watch(opened)
            opened.connect(address)
        except OSError as error:
            opened.close()
            failure = error
            continue
        return opened
    raise urllib3.exceptions.NewConnectionError(connection, "no address answered") from failure


def _read(response: Any, limit: TimeLimit, max_bytes: int) -> tuple[bytes, bool]:
    parts, size = [], 0
    while chunk := response.read1(_CHUNK_BYTES, decode_content=False):
        parts.append(chunk)
        size += len(chunk)
        if size > max_bytes or limit.is_over:
            return b"".join(parts)[:max_bytes], True
    return b"".join(parts), limit.is_over


def _never_left(error: BaseException) -> bool:
    known = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
    if isinstance(error, (*known, ssl.SSLCertVerificationError)):
        return True
    cause = error.args[0] if error.args else None
    return isinstance(cause, ssl.SSLCertVerificationError)
