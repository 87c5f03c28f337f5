"""What values may look like that programs send: types for pydantic, which the document describes as well."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, GetCoreSchemaHandler, PlainValidator
from pydantic import WithJsonSchema as Described

# RFC 3339, section 5.6.
RFC_3339: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d):(\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
LEAP_SECOND: Final = "60"
MAX_ROW_ID: Final = 2**63 - 1
MAX_MONEY: Final = 10**12
# Something that is seen: neither spaces nor signs of control.
VISIBLE: Final = r"[^\s\x00-\x1f]"
CURSOR_PATTERN: Final = "^[A-Za-z0-9_-]{11}$"
PLACE_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class OneOf:
    """One word of a closed list."""

    words: Sequence[str]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        return handler.generate_schema(Literal.__getitem__(tuple(self.words)))


def _whole(written: Any) -> Any:
    """Read a number of an address; pydantic would take " 1", "1.0" and "1_0" too."""
    if isinstance(written, str) and not re.fullmatch(r"-?[0-9]{1,20}", written):
        raise ValueError("this is no whole number")
    return int(written) if isinstance(written, str) else written


def _flag(written: Any) -> bool:
    if written in ("true", "false"):
        return bool(written == "true")
    raise ValueError("this is neither true nor false")


def _moment(written: Any) -> datetime:
    """Read a moment; one that no calendar holds in UTC counts as the first or the last there is."""
    if isinstance(written, datetime):
        return written
    found = RFC_3339.fullmatch(written) if isinstance(written, str) else None
    if found is None:
        raise ValueError("this is no moment such as 2026-11-21T15:00:00Z")
    day, minute, second, fraction, zone = found.groups()
    second = "59" if second == LEAP_SECOND else second
    parts = f"{day}T{minute}:{second}{(fraction or '')[:7]}{'+00:00' if zone in 'Zz' else zone}"
    moment = datetime.fromisoformat(parts)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        is_early = (moment.utcoffset() or timedelta(0)) > timedelta(0)
        return datetime.min.replace(tzinfo=UTC) if is_early else datetime.max.replace(tzinfo=UTC)


def _place(written: Any) -> int:
    """Read a cursor: every one that is well formed is a place in the list."""
    if not isinstance(written, str) or not re.fullmatch(CURSOR_PATTERN, written, re.ASCII):
        raise ValueError("this is no cursor of ours")
    return min(int.from_bytes(urlsafe_b64decode(written + "=")), MAX_ROW_ID)


def cursor(row_id: int) -> str:
    """Give the cursor that stands behind the row of this id."""
    return urlsafe_b64encode(row_id.to_bytes(PLACE_BYTES)).decode().rstrip("=")


def _without_nul(text: str) -> str:
    """PostgreSQL keeps no NUL; the inbox leaves it out of what operators write, too."""
    return text.replace("\0", "").replace("\r\n", "\n")


def _integral(written: Any) -> Any:
    """Take 5.0 for 5, as JSON Schema does."""
    return int(written) if isinstance(written, float) and written.is_integer() else written


Integral = BeforeValidator(_integral)
BodyId = Annotated[int, Field(ge=1, le=MAX_ROW_ID), Integral]
Amount = Annotated[int, Field(ge=0, le=MAX_MONEY), Integral]
RowId = Annotated[int, Field(ge=1, le=MAX_ROW_ID), BeforeValidator(_whole)]
Limit = Annotated[int, Field(ge=1, le=100), BeforeValidator(_whole)]
Flag = Annotated[bool, PlainValidator(_flag), Described({"type": "boolean"})]
Moment = Annotated[datetime, PlainValidator(_moment), Described({"type": "string", "format": "date-time"})]
Place = Annotated[
    int,
    PlainValidator(_place),
    Described(
        {
            "type": "string",
            "pattern": CURSOR_PATTERN,
            "description": "The `next_cursor` of the page before; leave it out for the first page.",
        }
    ),
]
Phone = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$", description="E.164.")]
Bsuid = Annotated[
    str,
    Field(pattern=r"^[A-Z]{2}\.[0-9A-Za-z]{1,128}$", description="The provider's business-scoped user id."),
]
# Stands last: what is written before it is what the document tells.
Clean = AfterValidator(_without_nul)
