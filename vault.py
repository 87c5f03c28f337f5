"""Encrypts what must not lie open in the database, and signs what must come back unchanged, with SECRET_KEY.

Pure. A value that does not decrypt (another SECRET_KEY) is reported, never guessed.
"""

import base64
import hmac
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PURPOSE = b"balcao credentials v1"
REFERENCES = "balcao message references v1"
SEAL_CHARS = 16


class SealBroken(Exception):
    """The stored value was encrypted with another SECRET_KEY, or altered."""


def seal(text: str, secret_key: str) -> str:
    """Encrypt `text`; empty stays empty, so that "not set" needs no key."""
    return _cipher(secret_key).encrypt(text.encode()).decode() if text else ""


def unseal(sealed: str, secret_key: str) -> str:
    """Decrypt what `seal` gave. Raises SealBroken."""
    if not sealed:
        return ""
    try:
        return _cipher(secret_key).decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise SealBroken("encrypted with another SECRET_KEY") from error


def sign(text: str, secret_key: str) -> str:
    """Give `text` with a short seal that only this installation can make."""
    return f"{text}.{_seal_of(text, secret_key)}"


def signed_text(given: str, secret_key: str) -> str | None:
    """Give the text that `sign` was given, None when the seal is missing or not ours."""
    text, _, seal_ = given.rpartition(".")
    is_ours = hmac.compare_digest(_seal_of(text, secret_key).encode(), seal_.encode("utf-8", "replace"))
    return text if text and is_ours else None


def derive(secret_key: str, purpose: str, length: int) -> bytes:
    """Give bytes that follow from SECRET_KEY and a purpose: the same everywhere, known to nobody else."""
    return HKDF(SHA256(), length=length, salt=None, info=purpose.encode()).derive(secret_key.encode())


def _seal_of(text: str, secret_key: str) -> str:
    digest = hmac.new(secret_key.encode(), f"{REFERENCES}:{text}".encode("utf-8", "replace"), "sha256")
    return digest.hexdigest()[:SEAL_CHARS]


@lru_cache(maxsize=8)
def _cipher(secret_key: str) -> Fernet:
    key = HKDF(SHA256(), length=32, salt=None, info=PURPOSE).derive(secret_key.encode())
    return Fernet(base64.urlsafe_b64encode(key))
