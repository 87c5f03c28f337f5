"""Letters by e-mail: one message to one address through the server of SMTP_URL.

`alert_telling` calls `send`, `check-setup` calls `check`. A letter that is sent again keeps its Message-ID. A
password leaves only through TLS, or to this very machine. Never raises.
"""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

from providers.base import SendError

SUBMISSION_PORT: Final = 587
TLS_PORT: Final = 465
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
SENDER_NAME: Final = "Balcão"
CALENDAR_FILE: Final = "invite.ics"
# RFC 5321, 4.2.1: the first digit says whether the same may succeed later.
PERMANENT: Final = 500


@dataclass(frozen=True, slots=True)
class Calendar:
    """An iCalendar object that travels with a letter, and its iTIP method (RFC 6047)."""

    text: str
    method: str


@dataclass(frozen=True, slots=True)
class Letter:
    """One e-mail. `message_id` is without its angle brackets."""

    sender: str
    to: str
    subject: str
    text: str
    message_id: str
    at: datetime
    language: str = ""
    sender_name: str = SENDER_NAME
    calendar: Calendar | None = None


class _NoTls(Exception):
    """The server offers no TLS, and a password would leave in the open."""


def send(smtp_url: str, letter: Letter, *, timeout_secs: float) -> SendError | None:
    """Hand one letter to the server; None when it took it."""
    if not (smtp_url and letter.sender):
        return SendError("not_configured", "final", "SMTP_URL, or the address to send from, is not set.")
    try:
        message = _message(letter)
    except (ValueError, IndexError, MessageError):  # what the library raises for an address that is none
        return SendError("bad_address", "final", "The address is no e-mail address.")
    try:
        with _signed_in(smtp_url, timeout_secs) as server:
            server.send_message(message, letter.sender, [letter.to])
    except (_NoTls, smtplib.SMTPException, OSError, ValueError) as error:
        return _error(error)
    return None


def check(smtp_url: str, *, timeout_secs: float) -> SendError | None:
    """Connect and sign in as for a letter, and leave; None when the server takes us."""
    try:
        with _signed_in(smtp_url, timeout_secs) as server:
            server.noop()
    except (_NoTls, smtplib.SMTPException, OSError, ValueError) as error:
        return _error(error)
    return None


def host_of(smtp_url: str) -> str:
    """Name the server, without the password beside it."""
    return urlsplit(smtp_url).hostname or ""


def _message(letter: Letter) -> EmailMessage:
    message = EmailMessage(policy=SMTP_POLICY)
    message["From"] = Address(_line(letter.sender_name), addr_spec=letter.sender)
    message["To"] = Address(addr_spec=letter.to)
    message["Subject"] = _line(letter.subject)
    message["Date"] = format_datetime(letter.at)
    message["Message-ID"] = f"<{letter.message_id}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers to it
    message.set_content(letter.text)
    if letter.calendar is not None:
        method = letter.calendar.method
        message.add_alternative(letter.calendar.text, subtype="calendar", params={"method": method})
        message.add_attachment(
            letter.calendar.text.encode(),
            maintype="text",
            subtype="calendar",
            filename=CALENDAR_FILE,
            params={"method": method, "charset": "utf-8"},
        )
    if letter.language:  # last: whatever sets content takes the headers of content away
        message["Content-Language"] = letter.language
    return message


def _line(text: str) -> str:
    """Make one line of what a header says: a name may hold line ends."""
    return "".join(c if c.isprintable() else " " for c in text)


@contextmanager
def _signed_in(smtp_url: str, timeout_secs: float) -> Iterator[smtplib.SMTP]:
    parts = urlsplit(smtp_url)
    host = parts.hostname or ""
    is_tls = parts.scheme == "smtps"
    with _connected(host, parts.port, is_tls, timeout_secs) as server:
        server.ehlo()
        if not is_tls and server.has_extn("starttls"):
            server.starttls(context=ssl.create_default_context())
            server.ehlo()
            is_tls = True
        if parts.username:
            if not is_tls and host not in LOOPBACK:
                raise _NoTls
            server.login(unquote(parts.username), unquote(parts.password or ""))
        yield server


def _connected(host: str, port: int | None, is_tls: bool, timeout_secs: float) -> smtplib.SMTP:
    if is_tls:
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(host, port or TLS_PORT, timeout=timeout_secs, context=context)
    return smtplib.SMTP(host, port or SUBMISSION_PORT, timeout=timeout_secs)


def _error(error: Exception) -> SendError:
    """Say what went wrong without words of the server's that may name people."""
    match error:
        case _NoTls():
            return SendError("no_tls", "final", "The server offers no TLS for the password.")
        case smtplib.SMTPAuthenticationError(smtp_code=code):
            words = f"The server refused our user name or password ({code})."
            return SendError("credentials", "retry", words, is_credential_problem=True)
        case smtplib.SMTPRecipientsRefused(recipients=refused):
            code = min((told[0] for told in refused.values()), default=PERMANENT)
            return SendError(
                "recipient_refused", _outcome(code), f"The server refused the recipient ({code})."
            )
        case smtplib.SMTPResponseException(smtp_code=code):
            return SendError("refused", _outcome(code), f"The server refused the letter ({code}).")
        case ssl.SSLCertVerificationError():  # a ValueError, too
            return SendError("bad_certificate", "retry", "The server's certificate cannot be verified.")
        case smtplib.SMTPNotSupportedError() | ValueError():
            return SendError("bad_address", "final", "The server cannot take this address.")
    return SendError("not_connected", "retry", f"The server cannot be reached ({type(error).__name__}).")


def _outcome(code: int) -> Literal["retry", "final"]:
    return "final" if code >= PERMANENT else "retry"
