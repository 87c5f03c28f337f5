"""Text messages through Twilio's Messages API: one short text to one phone.

`alert_telling` calls `send`. A line that is cut after the request left is `uncertain` and not sent again: a
second text message costs money and wakes somebody twice. Never raises.
"""

from datetime import datetime
from typing import Final
from urllib.parse import quote

from providers import transport, twilio_errors
from providers.base import SendError
from providers.transport import Basic, Failure

# Twilio's own ceiling; ours are far shorter.
TEXT_MAX_CHARS: Final = 1600


def send(
    to: str,
    text: str,
    *,
    sender: str,
    account_sid: str,
    auth_token: str,
    base_url: str,
    now: datetime,
    timeout_secs: float,
    status_url: str = "",
) -> SendError | None:
    """Send one text; None when Twilio took it. Whether it arrived is told to `status_url` later."""
    if not (sender and account_sid and auth_token):
        words = "TWILIO_SMS_FROM, TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN are not all set."
        return SendError("not_configured", "final", words)
    url = f"{base_url.rstrip('/')}/2010-04-01/Accounts/{quote(account_sid)}/Messages.json"
    answer = transport.exchange(
        "POST",
        url,
        Basic(account_sid, auth_token),
        timeout_secs=timeout_secs,
        data={"From": sender, "To": to, "Body": text[:TEXT_MAX_CHARS]}
        | ({"StatusCallback": status_url} if status_url else {}),
    )
    if isinstance(answer, Failure):
        return transport.send_error(answer)
    return None if answer.status in (200, 201) else twilio_errors.read_refusal(answer, now)
