"""JSON over HTTP to a service that a connector speaks to: an answer, or a refusal of a closed list of codes.

`wires.hubspot` and `wires.calcom` call it. The address comes out of a form and is guarded. What a service
says of a refusal may hold personal data: it is for decisions, and goes into no message and no log.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from providers.base import SendError
from providers.refusals import retry_after
from providers.transport import Failure
from wires import guarded_fetch
from wires.signed_webhook import failure_of

TIMEOUT_SECS: Final = 10.0
# A refused key is tried again so often, in case that it comes back to life; a new one is tried at once.
REFUSED_KEY_SECS: Final = 3600.0
BUSY_SECS: Final = 10.0


class Refused(Exception):
    """The service did not do it. `said` are its own words, for decisions alone."""

    def __init__(self, error: SendError, status: int | None = None, said: str = "") -> None:
        super().__init__(error.code)
        self.error, self.status, self.said = error, status, said


@dataclass(frozen=True, slots=True)
class JsonApi:
    """One account of a service. `busy_secs` are the waits that its limits ask for, by their name there."""

    title: str
    base_url: str
    token: str = field(repr=False)
    allow_private: bool = False
    timeout_secs: float = TIMEOUT_SECS
    busy_secs: Mapping[str, float] = field(default_factory=dict)

    def ask(
        self,
        method: str,
        path: str,
        payload: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Make one request; gives what came back, None for an empty answer. Raises Refused."""
        if not self.token or not self.token.isprintable() or not self.token.isascii():
            raise Refused(SendError("no_secret", "final", f"The key of {self.title} is missing."))
        answer = guarded_fetch.exchange(
            method,
            self.base_url.rstrip("/") + path + (f"?{urlencode(query)}" if query else ""),
            b"" if payload is None else json.dumps(payload).encode(),
            {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", **(headers or {})},
            timeout_secs=self.timeout_secs,
            allow_private=self.allow_private,
        )
        if isinstance(answer, Failure):
            raise Refused(failure_of(answer))
        content = _read(answer.content)
        if not 200 <= answer.status < 300:
            wait = retry_after(answer.headers, datetime.now(UTC))
            raise Refused(self._error(answer.status, content, wait), answer.status, _said(content))
        if content is None and answer.content:
            raise Refused(SendError("unreadable", "retry", f"{self.title}'s answer cannot be read."))
        return content

    def _error(self, status: int, content: Any, wait: float | None) -> SendError:
        if status == 401:
            words = f"{self.title} does not accept the key any more. Enter a new one; what waits leaves then."
            return SendError(
                "unauthorized", "retry", words, REFUSED_KEY_SECS, "number", is_credential_problem=True
            )
        if status == 403:
            words = f"The key may not do this at {self.title}: give it the rights that the page names."
            return SendError(
                "forbidden", "retry", words, REFUSED_KEY_SECS, "number", is_credential_problem=True
            )
        if status == 429:
            policy = content.get("policyName") if isinstance(content, Mapping) else None
            secs = wait if wait is not None else self.busy_secs.get(str(policy), BUSY_SECS)
            return SendError("busy", "retry", f"{self.title} wants fewer requests at a time.", secs, "number")
        if status >= 500 or status == 408:
            return SendError("unavailable", "retry", f"{self.title} has a fault of its own ({status}).", wait)
        return SendError(f"http_{status}", "final", f"{self.title} refused it with status {status}.")


def _read(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except (ValueError, RecursionError):
        return None


def _said(content: Any) -> str:
    """Give the message of a refusal: beside the status, or in `error`, or of the first of several errors."""
    if not isinstance(content, Mapping):
        return ""
    inner = content.get("error")
    message = (inner.get("message") if isinstance(inner, Mapping) else None) or content.get("message")
    return str(message or "")[:300]
