"""What addresses of pages may carry; whatever else stands there counts as not given."""

from typing import Final

from flask import request

MAX_ROW_ID: Final = 2**63 - 1
MAX_PAGES: Final = 10_000
SEARCH_MAX_CHARS: Final = 80


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
