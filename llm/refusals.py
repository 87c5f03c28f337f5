"""What a service's refusal means: from its HTTP status and its error object to the closed list of failures.

Pure. Sources: https://openrouter.ai/docs/api/reference/errors-and-debugging,
https://platform.openai.com/docs/guides/error-codes, https://platform.claude.com/docs/en/api/errors.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal

import orjson

from llm.base import NOTHING_USED, FailureCode, Usage
from llm.line import NoReply, Reply

DETAIL_MAX_CHARS: Final = 200
_BY_STATUS: Final[Mapping[int, FailureCode]] = {
    401: "refused_key",
    402: "over_budget",
    403: "refused_key",
    408: "overloaded",
    413: "too_long",
    429: "rate_limited",
}
# OpenAI and Anthropic say some things only in words, under a status that means something else.
_BY_WORDS: Final[tuple[tuple[re.Pattern[str], FailureCode], ...]] = (
    (re.compile(r"insufficient_quota|credit balance|billing_error"), "over_budget"),
    (
        re.compile(r"context_length_exceeded|context (length|window|size)|too long|too many tokens"),
        "too_long",
    ),
    (re.compile(r"content_filter|content_policy|moderation|flagged"), "content_filtered"),
)
_BY_TYPE: Final[Mapping[str, int]] = {
    "authentication_error": 401,
    "permission_error": 403,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "overloaded_error": 529,
    "api_error": 500,
    "server_error": 500,
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one request has no answer.

    `is_passing` says that a repetition may help, `wait_secs` that the service named the time for it. `blames`
    is what the service may have refused about the form of the request.
    """

    code: FailureCode
    detail: str = field(default="", repr=False)
    status: int = 0
    is_passing: bool = False
    wait_secs: float | None = None
    blames: Literal["", "temperature", "anything"] = ""
    usage: Usage = NOTHING_USED


def from_no_reply(missing: NoReply) -> Refusal:
    return Refusal(missing.code, missing.reason, is_passing=missing.code == "unreachable")


def from_reply(reply: Reply, key: str) -> Refusal:
    """Read an answer whose status is not 200."""
    try:
        body = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        body = None
    told = body.get("error", body) if isinstance(body, dict) else None
    error = told if isinstance(told, dict) else {"message": told} if isinstance(told, str) else {}
    return replace(from_error(reply.status, error, key), wait_secs=_retry_after(reply.headers))


def from_error(status: int, error: Mapping[str, Any], key: str) -> Refusal:
    """Read an error object; under status 200 it names the real one itself."""
    real_status = _status_in(error) if status == 200 else status
    words = " ".join(str(error.get(name) or "") for name in ("type", "code", "message"))
    detail = _shown(str(error.get("message") or error.get("type") or ""), key)
    code = _code(real_status, words.lower(), has_flags="reasons" in str(error.get("metadata") or ""))
    blames = _blamed(words.lower()) if code == "refused_request" and real_status in (400, 422) else ""
    is_passing = code in ("rate_limited", "overloaded")
    return Refusal(code, detail, real_status, is_passing=is_passing, blames=blames)


def _code(status: int, words: str, *, has_flags: bool) -> FailureCode:
    if status < 500:
        for pattern, code in _BY_WORDS:
            if pattern.search(words):
                return code
    if status == 403 and has_flags:
        return "content_filtered"
    if status >= 500:
        return "overloaded"
    return _BY_STATUS.get(status, "refused_request")


def _blamed(words: str) -> Literal["temperature", "anything"]:
    return "temperature" if "temperature" in words else "anything"


def _status_in(error: Mapping[str, Any]) -> int:
    code = error.get("code")
    if isinstance(code, int) and 400 <= code < 600:
        return code
    for name in ("code", "type"):
        if str(error.get(name)) in _BY_TYPE:
            return _BY_TYPE[str(error.get(name))]
    return 502


def _shown(message: str, key: str) -> str:
    """Take the key out of the service's words: some repeat it, some a piece of it."""
    message = message.replace(key, "…") if key else message
    return re.sub(r"\b(sk|key)-[\w*-]{4,}", "…", " ".join(message.split()))[:DETAIL_MAX_CHARS]


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Read Retry-After, in seconds or as a date (RFC 9110, 10.2.3); a date counts by the service's clock."""
    told = headers.get("Retry-After", "")
    if told.replace(".", "", 1).isdecimal():
        return float(told)
    until, now = _date(told), _date(headers.get("Date", ""))
    return max((until - now).total_seconds(), 0.0) if until and now else None


def _date(told: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(told)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
