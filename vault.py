"""Encrypts what must not lie open in the database, with a key derived from SECRET_KEY.

Pure: called by `integrations`. A value that does not decrypt (another SECRET_KEY) is reported, never guessed.
"""

import base64
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PURPOSE = b"balcao credentials v1"


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


@lru_cache(maxsize=8)
def _cipher(secret_key: str) -> Fernet:
    key = HKDF(SHA256(), length=32, salt=None, info=PURPOSE).derive(secret_key.encode())
    return Fernet(base64.urlsafe_b64encode(key))
