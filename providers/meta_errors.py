"""Meta's error codes and what each means for a message of ours: the closed table.

`meta` asks it about answers of `/messages` and about `failed` receipts. Sources: Meta, "Error codes" (Cloud
API) and the code list of public client libraries; a code that is not here is final, as one nobody planned to
repeat.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from providers import loose
from providers.base import ProviderError, SendError
from providers.refusals import (
    MAX_RETRY_AFTER_SECS,
    Meaning,
    denied,
    final,
    retry_after,
    slow,
    to_send_error,
    unreadable,
)
from providers.transport import Answer

# Meta names no time for these: ours.
_SPAM_WAIT_SECS = 3_600.0
_MAINTENANCE_WAIT_SECS = 300.0
_USAGE_HEADER = "X-Business-Use-Case-Usage"
_NO_SUCH_OBJECT_SUBCODE = 33

MEANINGS: dict[int, Meaning] = {
    # Who we are
    0: denied("Meta could not authenticate the app user: the access token is invalid or was revoked."),
    3: denied("The app lacks the capability or permission for this call."),
    10: denied("The permission for this call was not granted or was removed."),
    190: denied("The access token has expired or was revoked."),
    **{code: denied("A permission of the access token is missing.") for code in range(200, 300)},
    131005: denied("Access denied: a permission was not granted or was removed."),
    131045: denied("The number is not registered correctly (certificate)."),
    133010: denied("The number is not registered on the Cloud API."),
    131031: denied("The WhatsApp account is locked: a policy was broken or the PIN is wrong."),
    368: denied("The account is blocked for a time for breaking a policy."),
    130497: Meaning("final", "The account may not message people in this country.", "message"),
    131037: Meaning("final", "The number's display name still needs approval.", "number"),
    131042: Meaning("final", "A payment method is missing or was refused at Meta.", "number"),
    131063: Meaning("final", "Messages of this category are not allowed for this account.", "message"),
    # Too fast
    4: slow("The app has reached its call limit."),
    80007: slow("The WhatsApp account has reached its call limit."),
    130429: slow("The number sends faster than its throughput allows."),
    131048: slow("Too many messages were blocked or reported as spam.", wait_secs=_SPAM_WAIT_SECS),
    131056: slow("Too many messages to this person in a short time.", "pair"),
    131064: slow("The limit for messages of this category was reached."),
    133016: slow("Too many registrations of the number in a short time.", wait_secs=_SPAM_WAIT_SECS),
    # Trouble at Meta: the answer says that the message was not accepted
    1: slow("Meta had an unknown error.", "message"),
    2: slow("Meta's service is down for a moment.", "message"),
    131000: slow("Meta could not send the message for an unknown reason.", "message"),
    131016: slow("Meta's service is overloaded.", "message"),
    133004: slow("Meta's server is away for a moment.", "message"),
    135000: final("Meta refused the message with its general error."),
    131057: slow("The account is in maintenance.", wait_secs=_MAINTENANCE_WAIT_SECS),
    131053: slow("The file could not be uploaded (type or size).", "message"),
    # The person
    131047: Meaning("final", "More than 24 hours since the customer's last message.", is_window_closed=True),
    131049: final("Meta kept the message back to protect the customer from too many; wait at least a day."),
    # She chose "Stop" under an advert: Meta keeps only marketing templates from her, and what she asks us
    # herself she wants answered. Her own STOP in the chat is another thing.
    131050: Meaning("final", "The customer stopped marketing messages.", stops_marketing=True),
    131026: final("Undeliverable: not on WhatsApp, an old version, terms not accepted, or we are blocked."),
    131021: final("Sender and recipient are the same number."),
    131030: final("The recipient is not on the test number's list of allowed numbers."),
    131062: final("Login-code templates need a phone number, not a business-scoped id."),
    130472: final("The customer is in a Meta experiment that holds marketing messages back."),
    # The message
    33: final("The parameter value is not valid."),
    100: final("A parameter is not supported or misspelt."),
    131008: final("A required parameter is missing."),
    131009: final("A parameter has a value that is not allowed."),
    131051: final("This type of message is not supported."),
    131052: final("The file could not be downloaded."),
    131060: final("The message is currently not available."),
    132000: final("The number of template parameters does not match."),
    132001: final("The template does not exist in this language or is not approved."),
    132005: final("The template's text became too long with its parameters."),
    132007: final("The template breaks a rule on formatting."),
    132008: final("A template parameter has the wrong format."),
    132012: final("A template parameter has the wrong format."),
    132015: final("The template is paused for low quality."),
    132016: final("The template was disabled for low quality."),
    132068: final("The flow is blocked."),
    132069: final("The flow is throttled."),
}
_UNKNOWN = final("Meta refused the message.")


def explain(error: ProviderError) -> SendError:
    """Say what an error of a `failed` receipt means."""
    return _as_send_error(error.code, error.title, error.details, MEANINGS.get(error.code, _UNKNOWN))


def read_refusal(answer: Answer, now: datetime) -> SendError:
    """Say what an answer other than an accepted message means.

    With an error object of Meta the message was surely not accepted. A bare 500, 502 or 504 comes from
    something between us and Meta, which may have passed the message on: uncertain. A bare 503 or 429 refused
    it at the gate.
    """
    error = _error_object(answer)
    wait = wait_secs(answer.headers, now)
    if error is None:
        return unreadable(answer, wait)
    refusal = _read_error(answer, error)
    if refusal.outcome != "retry":
        return refusal
    return replace(refusal, retry_after_secs=refusal.retry_after_secs if wait is None else wait)


def wait_secs(headers: Mapping[str, str], now: datetime) -> float | None:
    """Read Retry-After, else the longest wait of X-Business-Use-Case-Usage."""
    wait = retry_after(headers, now)
    return _usage_wait(headers.get(_USAGE_HEADER) or "") if wait is None else wait


def _error_object(answer: Answer) -> dict[str, Any] | None:
    try:
        body = loose.mapping(loose.read(answer.content))
    except ValueError:
        return None
    error = body.get("error")
    return error if isinstance(error, dict) and loose.integer(error.get("code")) is not None else None


def _read_error(answer: Answer, error: dict[str, Any]) -> SendError:
    code = loose.integer(error.get("code")) or 0
    meaning = MEANINGS.get(code)
    if code == 100 and loose.integer(error.get("error_subcode")) == _NO_SUCH_OBJECT_SUBCODE:
        meaning = denied("The number or message does not exist, or the token may not see it.")
    if meaning is None:
        meaning = _UNKNOWN
        if answer.status == 429:
            meaning = slow("Meta asked to slow down.")
        elif answer.status >= 500:
            meaning = slow("Meta had an error.", "message")
        elif answer.status == 401:
            meaning = denied("Meta did not accept the access token.")
    details = loose.text(loose.mapping(error.get("error_data")).get("details"))
    return _as_send_error(code, loose.text(error.get("message")), details, meaning)


def _as_send_error(code: int, title: str, details: str, meaning: Meaning) -> SendError:
    return to_send_error("Meta", code, details or title, meaning)


def _usage_wait(given: str) -> float | None:
    """Find the longest `estimated_time_to_regain_access`; Meta counts it in minutes."""
    if not given:
        return None
    try:
        usage = loose.mapping(loose.read(given.encode("utf-8", "replace")))
    except ValueError:
        return None
    minutes = [
        loose.integer(loose.mapping(one).get("estimated_time_to_regain_access")) or 0
        for listed in usage.values()
        for one in loose.items(listed)
    ]
    longest = max(minutes, default=0)
    return min(longest * 60.0, MAX_RETRY_AFTER_SECS) if longest > 0 else None
