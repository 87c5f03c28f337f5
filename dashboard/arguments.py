"""What addresses of pages may carry; whatever else stands there counts as not given."""

from typing import Final

MAX_ROW_ID: Final = 2**63 - 1


def row_id(written: str) -> int:
    """Read a row's id. Raises ValueError, which `request.args.get` takes for "not given"."""
    number = int(written)
    if not 0 < number <= MAX_ROW_ID:
        raise ValueError("no row has this id")
    return number
