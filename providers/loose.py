"""Reading JSON whose shape nobody promised: every getter gives a usable value or an empty one, never an
error.

The provider modules call it on bodies from outside. It decides nothing about WhatsApp.
"""

import json
import math
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from providers.base import MalformedBody

# orjson writes 254 levels; a level is also spent by the element's own wrapping.
MAX_DEPTH = 200
MAX_ID_CHARS = 512
MAX_FILE_NAME_CHARS = 120  # most scripts stay under the 255 bytes of a file system
MAX_ENDING_CHARS = 16
# Seconds above this are milliseconds (the year 5138 in seconds, 1973 in milliseconds).
_MILLISECONDS_FROM = 100_000_000_000
# WhatsApp did not exist before 2009; later than 2100 is garbage.
_FIRST_SECOND, _LAST_SECOND = 1_230_768_000, 4_102_444_800
_NUL_ESCAPE = b"\\u0000"


def read(body: bytes) -> Any:
    """Read `body` as JSON without NUL characters, lone surrogates, NaN or integers over 64 bits.

    Raises MalformedBody when it is no JSON at all, cut off, or nested too deeply to read.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return clean(_read_leniently(body))
    return clean(value) if _NUL_ESCAPE in body else value


def dump(value: Any, *, is_sorted: bool = False) -> bytes:
    """Write `value` as JSON; what cannot be written (too deep, not JSON) is dropped from it, not refused."""
    option = orjson.OPT_SORT_KEYS if is_sorted else 0
    try:
        return orjson.dumps(value, option=option)
    except TypeError:
        return orjson.dumps(clean(value), option=option)


def clean(value: Any, depth: int = 0) -> Any:
    """Give a copy of `value` that every JSON writer and every database takes."""
    if isinstance(value, str):
        return clean_text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else str(value)[:MAX_ID_CHARS]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth >= MAX_DEPTH:
        return None
    if isinstance(value, Mapping):
        return {clean_text(str(name)): clean(item, depth + 1) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(item, depth + 1) for item in value]
    return None


def clean_text(value: str) -> str:
    """Take NUL characters away and replace halves of surrogate pairs."""
    value = value.replace("\0", "")
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def text(value: Any) -> str:
    """Give a string as it is and a number in digits; anything else is empty."""
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return ""


def file_name(value: Any) -> str:
    """Give a stranger's file name as one short line that shows its true ending; empty when nothing is left.

    A line break would end a download's header, a sign that turns the direction ("gpj.exe" shown as
    "exe.jpg") deceives whoever opens the file.
    """
    spaced = "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in text(value))
    shown = (c for c in spaced if unicodedata.category(c) not in ("Cf", "Cs", "Cn"))
    bare = "".join("_" if c in "/\\" else c for c in shown)
    stem, dot, ending = " ".join(bare.split()).strip(". ").rpartition(".")
    if not dot or len(ending) > MAX_ENDING_CHARS:
        stem, dot, ending = f"{stem}{dot}{ending}", "", ""
    return f"{stem[: MAX_FILE_NAME_CHARS - len(dot + ending)].strip()}{dot}{ending}"


def identifier(value: Any) -> str | None:
    """Give an id: a string, or an integer in digits, without spaces around; None when there is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return None
    value = value.strip()
    return value if 0 < len(value) <= MAX_ID_CHARS else None


def integer(value: Any) -> int | None:
    """Give a whole number that came as number or digits; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if math.isfinite(value) and value == int(value) else None
    if isinstance(value, str) and len(value) <= 20 and value.isascii():
        digits = value.strip()
        return int(digits) if digits.lstrip("-").isdecimal() and digits.count("-") <= 1 else None
    return None


def moment(value: Any) -> datetime | None:
    """Read a unix time stamp in seconds or milliseconds, as number or digits; None for garbage."""
    seconds = integer(value)
    if seconds is None:
        return None
    if seconds >= _MILLISECONDS_FROM:
        seconds //= 1000
    if not _FIRST_SECOND <= seconds <= _LAST_SECOND:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def _read_leniently(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8-sig", "replace"), parse_int=_read_integer)
    except ValueError as error:
        raise MalformedBody(f"not JSON: {error}") from error
    except RecursionError as error:
        raise MalformedBody("nested too deeply") from error


def _read_integer(digits: str) -> int | float:
    # Python refuses to convert more than 4,300 digits.
    return int(digits) if len(digits) <= 20 else float(digits)
