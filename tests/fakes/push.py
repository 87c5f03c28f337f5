"""A push service on loopback with one browser behind it, which opens what it gets (RFC 8030, 8291, 8292)."""

import base64
import json
import os
from dataclasses import dataclass, field
from typing import Any, Self

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02

from tests.fakes.server import Answer, HttpServer, Request


@dataclass(frozen=True)
class Pushed:
    """One message as the browser reads it, with the headers that the push service saw."""

    payload: dict[str, Any]
    headers: dict[str, str]
    claims: dict[str, Any]


@dataclass
class FakePush:
    """`with FakePush() as push: push.endpoint, push.p256dh, push.auth, push.shown`. `status` is the
    answer, instead of 201."""

    status: int = 201
    shown: list[Pushed] = field(default_factory=list)
    bound_to: str = ""  # the applicationServerKey of the subscription; empty: anybody's

    def __enter__(self) -> Self:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._auth = os.urandom(16)
        self._server = HttpServer(self.handle)
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    @property
    def endpoint(self) -> str:
        return f"{self._server.url}/push/of-this-browser"

    @property
    def p256dh(self) -> str:
        return encoded(self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))

    @property
    def auth(self) -> str:
        return encoded(self._auth)

    def subscription(self) -> dict[str, Any]:
        """Give what the browser's `subscription.toJSON()` gives."""
        return {"endpoint": self.endpoint, "keys": {"p256dh": self.p256dh, "auth": self.auth}}

    def handle(self, request: Request) -> Answer:
        """Answer one request as a push service; a message that cannot be opened is refused."""
        if self.status != 201:
            return Answer(self.status)
        parts = dict(
            part.strip().split("=", 1)
            for part in request.headers["authorization"].removeprefix("vapid ").split(",")
        )
        if not Vapid02.verify(f"vapid t={parts['t']},k={parts['k']}"):
            return Answer(401)
        if self.bound_to and parts["k"] != self.bound_to:
            return Answer(403)
        claims = json.loads(decoded(parts["t"].split(".")[1]))
        if claims["aud"] != self._server.url or request.headers.get("content-encoding") != "aes128gcm":
            return Answer(400)
        opened = http_ece.decrypt(
            request.body, private_key=self._key, auth_secret=self._auth, version="aes128gcm"
        )
        self.shown.append(Pushed(json.loads(opened), dict(request.headers), claims))
        return Answer(201, headers={"Location": f"{self._server.url}/message/{len(self.shown)}"})


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
