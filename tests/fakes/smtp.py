"""A real SMTP server on loopback (aiosmtpd) that keeps the letters it takes, and refuses when told to."""

import asyncio
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass(frozen=True)
class Taken:
    """One letter as it came: the envelope's sender and recipients, and the parsed message."""

    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage

    @property
    def text(self) -> str:
        return str(self.message.get_body(("plain",)).get_content()).replace("\r\n", "\n")

    def part(self, content_type: str) -> EmailMessage:
        """Give the first part of this type."""
        return next(part for part in self.message.walk() if part.get_content_type() == content_type)


@dataclass
class FakeSmtp:
    """`with FakeSmtp() as server: server.url, server.taken`. `refusals` are answers by recipient,
    `data_answer` is the answer to a whole letter; `password` asks for a login as `desk`, and with
    `tls` only after STARTTLS.
    """

    password: str = ""
    refusals: Mapping[str, str] = field(default_factory=dict)
    data_answer: str = "250 OK"
    tls: ssl.SSLContext | None = None  # offers STARTTLS
    taken: list[Taken] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        login = f"desk:{self.password}@" if self.password else ""
        return f"smtp://{login}127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._is_open = threading.Event()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._serve, name="fake-smtp", daemon=True)
        self._thread.start()
        self._is_open.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def wait_for(self, count: int, timeout_secs: float = 30.0) -> list[Taken]:
        """Wait until `count` letters in all were taken. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.taken) >= count, timeout_secs):
                raise TimeoutError(f"{len(self.taken)} of {count} letters after {timeout_secs} s")
        return list(self.taken)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        listening = self._loop.create_server(self._protocol, "127.0.0.1", self.port)
        server = self._loop.run_until_complete(listening)
        self.port = server.sockets[0].getsockname()[1]
        self._is_open.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def _protocol(self) -> SMTP:
        return SMTP(
            self,
            hostname="fake",
            loop=self._loop,
            authenticator=self._authenticate if self.password else None,
            auth_required=bool(self.password),
            auth_require_tls=self.tls is not None,
            tls_context=self.tls,
        )

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _way: str, given: Any
    ) -> Any:
        is_known = isinstance(given, LoginPassword) and given.password == self.password.encode()
        return AuthResult(success=is_known, handled=False)

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        if not self.data_answer.startswith("250"):
            return self.data_answer
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, _class=EmailMessage, policy=modern)
        with self._changed:
            self.taken.append(Taken(envelope.mail_from or "", tuple(envelope.rcpt_tos), message))
            self._changed.notify_all()
        return self.data_answer
