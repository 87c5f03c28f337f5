"""Webhooks of ours to somebody else's program, after the Standard Webhooks specification (1.0).

`telling.alerting` calls `send`, `telling.webhooks` calls `post`. The message's id stays the same when it is
sent again, so that its receiver can leave the second one alone; the time stamp is each attempt's own. While a
secret is being replaced, the old and the new one sign. Addresses are guarded by `guarded_fetch`.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from secrets import token_bytes
from typing import Any, Final

from standardwebhooks import Webhook

from providers.base import SendError
from providers.refusals import retry_after
from providers.transport import Answer, Failure
from wires import guarded_fetch

SECRET_BYTES: Final = 32
SECRET_PREFIX: Final = "whsec_"
GONE: Final = 410


def new_secret() -> str:
    """Make the secret that a receiver checks our signatures with."""
    return SECRET_PREFIX + base64.b64encode(token_bytes(SECRET_BYTES)).decode()


def send(
    url: str,
    secret: str,
    *,
    message_id: str,
    kind: str,
    happened_at: datetime,
    data: Mapping[str, Any],
    now: datetime,
    timeout_secs: float,
    allow_private: bool = False,
) -> SendError | None:
    """Post one signed event; None when its receiver took it (any 2xx). Never raises."""
    _status, error = post(
        url,
        (secret,),
        message_id=message_id,
        kind=kind,
        happened_at=happened_at,
        data=data,
        now=now,
        timeout_secs=timeout_secs,
        allow_private=allow_private,
    )
    return error


def post(
    url: str,
    secrets: Sequence[str],
    *,
    message_id: str,
    kind: str,
    happened_at: datetime,
    data: Mapping[str, Any],
    now: datetime,
    timeout_secs: float,
    allow_private: bool = False,
) -> tuple[int | None, SendError | None]:
    """Post one event, signed with each secret, and give the status and what was wrong. Never raises."""
    body = json.dumps(
        {"type": kind, "timestamp": happened_at.isoformat(), "data": dict(data)}, ensure_ascii=False
    )
    signatures = (Webhook(one).sign(msg_id=message_id, timestamp=now, data=body) for one in secrets)
    headers = {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
    answer = guarded_fetch.post(
        url, body.encode(), headers, timeout_secs=timeout_secs, allow_private=allow_private
    )
    if isinstance(answer, Failure):
        return None, failure_of(answer)
    return answer.status, _error_of(answer, now)


def _error_of(answer: Answer, now: datetime) -> SendError | None:
    if 200 <= answer.status < 300:
        return None
    if answer.status == GONE:
        return SendError("gone", "final", "The receiver says that this address is gone for good (410).")
    wait = retry_after(answer.headers, now)
    return SendError("refused", "retry", f"The receiver answered with status {answer.status}.", wait)


def failure_of(failure: Failure) -> SendError:
    """Say why nothing came back. What may have arrived is sent again: its id is the same."""
    match failure.reason:
        case "private_address":
            words = "The address leads into a private network."
            return SendError("private_address", "final", words)
        case "not_https" | "malformed":
            return SendError("bad_address", "final", "The address is no https address.")
    code = "not_connected" if failure.kind == "not_sent" else "cut"
    return SendError(code, "retry", f"The receiver could not be reached ({failure.reason}).")
