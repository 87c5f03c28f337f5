"""The shape of both error tables, and what an HTTP refusal without a reason means.

`meta_errors` and `twilio_errors` fill it. Pure.
"""

import email.utils
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from providers.base import SendError
from providers.transport import Answer

Outcome = Literal["retry", "final", "uncertain"]
Scope = Literal["message", "pair", "number"]

# A wish longer than a day is a mistake or an outage to look at.
MAX_RETRY_AFTER_SECS = 86_400.0
_MAX_SAID_CHARS = 300
_DENIED = (401, 403)
_GATES = (429, 503)


@dataclass(frozen=True, slots=True)
class Meaning:
    """One line of a table: what to do, whom it concerns, and a plain sentence."""

    outcome: Outcome
    words: str
    scope: Scope = "message"
    wait_secs: float | None = None
    is_credential_problem: bool = False
    is_opt_out: bool = False
    stops_marketing: bool = False
    is_window_closed: bool = False


def denied(words: str) -> Meaning:
    """The account or its key is at fault: nothing of this number will go."""
    return Meaning("final", words, "number", is_credential_problem=True)


def slow(words: str, scope: Scope = "number", wait_secs: float | None = None) -> Meaning:
    """Surely not sent; later it may go."""
    return Meaning("retry", words, scope, wait_secs)


def final(words: str) -> Meaning:
    """Surely not sent, and it never will be as it is."""
    return Meaning("final", words)


def to_send_error(provider: str, code: int, said: str, meaning: Meaning) -> SendError:
    """Join the table's sentence with the provider's own words."""
    said = said[:_MAX_SAID_CHARS].strip()
    words = f"{meaning.words} {provider} says: {said} ({code})" if said else f"{meaning.words} ({code})"
    return SendError(
        code=str(code),
        outcome=meaning.outcome,
        operator_message=words,
        retry_after_secs=meaning.wait_secs,
        scope=meaning.scope,
        is_credential_problem=meaning.is_credential_problem,
        is_opt_out=meaning.is_opt_out,
        stops_marketing=meaning.stops_marketing,
        is_window_closed=meaning.is_window_closed,
    )


def unreadable(answer: Answer, wait_secs: float | None) -> SendError:
    """Judge an answer that gives no reason.

    429 and 503 refused at the gate. Any other 5xx, and a success that cannot be read, may have let the
    message pass: uncertain. The rest is final.
    """
    code, status = f"http_{answer.status}", answer.status
    if status in _GATES:
        return SendError(code, "retry", f"The provider asked to wait (HTTP {status}).", wait_secs, "number")
    if status >= 500 or status < 300 or status == 408:
        words = f"The provider's answer cannot be read (HTTP {status}); the message may have been sent."
        return SendError(code, "uncertain", words)
    words = f"The provider refused the request without a reason (HTTP {status})."
    return SendError(code, "final", words, scope="number", is_credential_problem=status in _DENIED)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Read Retry-After: seconds or an HTTP date (RFC 9110, 10.2.3)."""
    given = (headers.get("Retry-After") or "").strip()
    seconds = _seconds_until(given, now) if given else None
    return None if seconds is None else min(max(seconds, 0.0), MAX_RETRY_AFTER_SECS)


def _seconds_until(given: str, now: datetime) -> float | None:
    if given.isascii() and given.isdecimal() and len(given) < 10:
        return float(given)
    try:
        at = email.utils.parsedate_to_datetime(given)
    except (ValueError, OverflowError):
        return None
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
