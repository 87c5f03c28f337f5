"""Unique keys of webhook elements, short enough for an index.

The splitters of both providers call it; the door stores the key. Pure.
"""

import hashlib

# `webhook_events.event_key` is VARCHAR(190): what an index of MariaDB takes in utf8mb4 on every row format.
MAX_KEY_BYTES = 190


def event_key(prefix: str, number_id: str | None, *parts: str) -> str:
    """Join what makes an element unique; a key that is too long becomes its SHA-256."""
    key = ":".join((prefix, number_id or "", *parts))
    if len(key) <= MAX_KEY_BYTES and (key.isascii() or len(key.encode()) <= MAX_KEY_BYTES):
        return key
    return f"{prefix}:{hashlib.sha256(key.encode()).hexdigest()}"


def content_key(content: bytes) -> str:
    """Give the key of an element that has no id of its own."""
    return "o:" + hashlib.sha256(content).hexdigest()
