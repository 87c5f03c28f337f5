"""Web Push: one encrypted message to one browser, through the push service that the browser itself chose.

RFC 8030 (the protocol), 8291 (encryption), 8292 (VAPID, who we are). `alert_telling` calls `send`, pages hand
`public_key` to the browser. The key pair follows from SECRET_KEY: nothing is kept, and all processes have the
same. The endpoint comes from a browser, so `guarded_fetch` posts. No database, no flask.
"""

import base64
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from urllib.parse import urlsplit

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02

import vault
from providers.base import SendError
from providers.refusals import retry_after
from providers.transport import Answer, Failure
from wires import guarded_fetch
from wires.signed_webhook import failure_of

PURPOSE: Final = "balcao web push v1"
# The order of the group of P-256 (FIPS 186-5); a private key is from 1 to one below it.
ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
KEY_BYTES: Final = 48  # more than the 32 of a key, so that the remainder is even
POINT_BYTES: Final = 65
AUTH_BYTES: Final = 16
SALT_BYTES: Final = 16
# RFC 8030, 5.2: what lies longer than this is no news.
TTL: Final = timedelta(hours=12)
VALID_FOR: Final = timedelta(hours=12)  # RFC 8292 allows a day
FORGOTTEN: Final = (404, 410)


class BadSubscription(ValueError):
    """What a browser gave as its subscription is none."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One browser: where its push service takes messages, and the keys that only the browser can undo."""

    endpoint: str
    p256dh: str
    auth: str

    def check(self) -> None:
        """Raise BadSubscription for keys that nothing can be encrypted with."""
        try:
            point, auth = _decoded(self.p256dh), _decoded(self.auth)
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        except ValueError as error:
            raise BadSubscription("the keys are malformed") from error
        if len(point) != POINT_BYTES or len(auth) != AUTH_BYTES:
            raise BadSubscription("the keys have another length")


def public_key(secret_key: str) -> str:
    """Give the key that a browser binds its subscription to (`applicationServerKey`)."""
    public = _private_key(secret_key).public_key()
    return _encoded(public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


def send(
    to: Subscription,
    payload: bytes,
    *,
    secret_key: str,
    contact: str,
    urgency: Literal["normal", "high"],
    now: datetime,
    timeout_secs: float,
    allow_private: bool = False,
) -> SendError | None:
    """Send one message; None when the push service took it. `contact` is a mailto: or https: address. Never
    raises; the code `gone` means that the browser has ended its subscription."""
    try:
        to.check()
        sealed = _encrypt(to, payload)
        signed = _authorization(to.endpoint, secret_key, contact, now)
    except ValueError as error:
        return SendError("bad_subscription", "final", f"The subscription is malformed ({error}).")
    headers = {
        **signed,
        "Content-Encoding": "aes128gcm",
        "Content-Type": "application/octet-stream",
        "TTL": str(int(TTL.total_seconds())),
        "Urgency": urgency,
    }
    answer = guarded_fetch.post(
        to.endpoint, sealed, headers, timeout_secs=timeout_secs, allow_private=allow_private
    )
    return failure_of(answer) if isinstance(answer, Failure) else _read(answer, now)


def _read(answer: Answer, now: datetime) -> SendError | None:
    if 200 <= answer.status < 300:
        return None
    if answer.status in FORGOTTEN:
        return SendError("gone", "final", "The browser has ended its subscription.")
    words = f"The push service answered with status {answer.status}."
    if answer.status == 429 or answer.status >= 500:
        return SendError("refused", "retry", words, retry_after(answer.headers, now))
    return SendError("refused", "final", words)


def _encrypt(to: Subscription, payload: bytes) -> bytes:
    sealed: bytes = http_ece.encrypt(
        payload,
        salt=os.urandom(SALT_BYTES),
        private_key=ec.generate_private_key(ec.SECP256R1()),
        dh=_decoded(to.p256dh),
        auth_secret=_decoded(to.auth),
        version="aes128gcm",
    )
    return sealed


def _authorization(endpoint: str, secret_key: str, contact: str, now: datetime) -> dict[str, str]:
    parts = urlsplit(endpoint)
    claims = {
        "aud": f"{parts.scheme}://{parts.netloc}",
        "exp": int((now + VALID_FOR).timestamp()),
        "sub": contact,
    }
    # Its own check of `sub` takes no address with a port or a new top-level domain; ours was checked before.
    signer = Vapid02(_private_key(secret_key), conf={"no-strict": True})
    try:
        signed: dict[str, str] = signer.sign(claims)
    except Exception as error:  # the library has one exception for every claim, and it is a plain one
        raise ValueError("the address cannot be signed for") from error
    return signed


def _private_key(secret_key: str) -> ec.EllipticCurvePrivateKey:
    number = int.from_bytes(vault.derive(secret_key, PURPOSE, KEY_BYTES), "big")
    return ec.derive_private_key(number % (ORDER - 1) + 1, ec.SECP256R1())


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
