"""Encrypts what must not lie open in the database, and signs what must come back unchanged, with SECRET_KEY.

Pure. A value that does not decrypt (another SECRET_KEY) is reported, never guessed. A `Key` may remember
those before it: what they sealed and signed still holds, and nothing new is made with them.
"""

import base64
import hmac
from collections.abc import Sequence
from functools import lru_cache
from typing import Self

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PURPOSE = b"balcao credentials v1"
REFERENCES = "balcao message references v1"
SEAL_CHARS = 16


class Key(str):
    """SECRET_KEY; `previous` are the ones before it, the newest first."""

    __slots__ = ("previous",)
    previous: tuple[str, ...]

    def __new__(cls, key: str, previous: Sequence[str] = ()) -> Self:
        made = super().__new__(cls, key)
        made.previous = tuple(previous)
        return made


class SealBroken(Exception):
    """The stored value was encrypted with another SECRET_KEY, or altered."""


def seal(text: str, secret_key: str) -> str:
    """Encrypt `text`; empty stays empty, so that "not set" needs no key."""
    return _cipher(_keys(secret_key)).encrypt(text.encode()).decode() if text else ""


def unseal(sealed: str, secret_key: str) -> str:
    """Decrypt what `seal` gave. Raises SealBroken."""
    if not sealed:
        return ""
    try:
        return _cipher(_keys(secret_key)).decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise SealBroken("encrypted with another SECRET_KEY") from error


def is_current(sealed: str, secret_key: str) -> bool:
    """Tell whether the key itself sealed this, and none of those before it. Raises SealBroken for neither."""
    unseal(sealed, secret_key)
    try:
        unseal(sealed, str(secret_key))
    except SealBroken:
        return False
    return True


def sign(text: str, secret_key: str) -> str:
    """Give `text` with a short seal that only this installation can make."""
    return f"{text}.{_seal_of(text, secret_key)}"


def signed_text(given: str, secret_key: str) -> str | None:
    """Give the text that `sign` was given, None when the seal is missing or not ours."""
    text, _, seal_ = given.rpartition(".")
    found = seal_.encode("utf-8", "replace")
    seals = [_seal_of(text, key).encode() for key in _keys(secret_key)]
    is_ours = any(hmac.compare_digest(seal, found) for seal in seals)
    return text if text and is_ours else None


def derive(secret_key: str, purpose: str, length: int) -> bytes:
    """Give bytes that follow from SECRET_KEY and a purpose: the same everywhere, known to nobody else."""
    return HKDF(SHA256(), length=length, salt=None, info=purpose.encode()).derive(secret_key.encode())


def _seal_of(text: str, secret_key: str) -> str:
    digest = hmac.new(secret_key.encode(), f"{REFERENCES}:{text}".encode("utf-8", "replace"), "sha256")
    return digest.hexdigest()[:SEAL_CHARS]


def _keys(secret_key: str) -> tuple[str, ...]:
    return (str(secret_key), *(secret_key.previous if isinstance(secret_key, Key) else ()))


@lru_cache(maxsize=8)
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    """Encrypt with the first key, decrypt with any."""
    return MultiFernet([Fernet(base64.urlsafe_b64encode(_stretched(key))) for key in keys])


def _stretched(key: str) -> bytes:
    return HKDF(SHA256(), length=32, salt=None, info=PURPOSE).derive(key.encode())
