"""What addresses and forms of pages may carry; whatever else stands in an address counts as not given."""

import secrets
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from flask import request

MAX_ROW_ID: Final = 2**63 - 1
MAX_PAGES: Final = 10_000
SEARCH_MAX_CHARS: Final = 80
TOKEN_BYTES: Final = 16
TOKEN_MAX_CHARS: Final = 64


def row_id(written: str) -> int:
    """Read a row's id. Raises ValueError, which `request.args.get` takes for "not given"."""
    number = int(written)
    if not 0 < number <= MAX_ROW_ID:
        raise ValueError("no row has this id")
    return number


def words(name: str = "q", *, max_chars: int = SEARCH_MAX_CHARS) -> str:
    """Read what somebody typed to search for: without NUL, which PostgreSQL refuses in a text."""
    return request.args.get(name, "").replace("\0", "").strip()[:max_chars].rstrip()


def page_number() -> int:
    """Read which page of a list is asked for, from 1 on."""
    return min(max(request.args.get("page", 1, type=int), 1), MAX_PAGES)


def form_token() -> str:
    """Give the token by which a second press of a form is known; a fresh one where it brings none that can be
    kept."""
    token = request.form.get("client_token", "")
    is_kept = 1 <= len(token) <= TOKEN_MAX_CHARS and token.isprintable()
    return token if is_kept else secrets.token_urlsafe(TOKEN_BYTES)


def moment(written: str, zone: ZoneInfo) -> datetime:
    """Read a day and time of `zone`, in UTC. Raises ValueError, also beyond the calendar's ends."""
    local = datetime.fromisoformat(written)
    try:
        return (local if local.tzinfo else local.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("no calendar has this time") from error
