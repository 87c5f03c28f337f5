"""Pictures of products: whether what was uploaded is one that WhatsApp shows, by decoding it.

Admins' forms call this. Reads bytes and keeps nothing.
"""

import struct
import zlib
from collections.abc import Mapping
from io import BytesIO
from typing import Final

from PIL import Image

# A few kilobytes can unpack to gigabytes: how large a picture says it is counts before it is unpacked.
PIXELS_MAX: Final = 25_000_000
# The phones' own format of several JPEGs in one file reads as its first.
KINDS: Final[Mapping[str, str]] = {"PNG": "image/png", "JPEG": "image/jpeg", "MPO": "image/jpeg"}
# Meta, "Media": images must be 8-bit, RGB or RGBA.
MODES: Final = ("1", "L", "LA", "P", "RGB", "RGBA")


class NoPicture(ValueError):
    """It cannot be shown; `code` says why: no_picture, pixels, colours."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def picture_kind(content: bytes) -> str:
    """Give the type of a whole, readable PNG or JPEG. Raises NoPicture."""
    try:
        with Image.open(BytesIO(content), formats=("PNG", "JPEG")) as picture:
            if picture.width * picture.height > PIXELS_MAX:
                raise NoPicture("pixels")
            picture.load()
            kind, mode = KINDS.get(picture.format or ""), picture.mode
    except Image.DecompressionBombError as error:
        raise NoPicture("pixels") from error
    except (OSError, SyntaxError, EOFError, struct.error, zlib.error, IndexError, OverflowError) as error:
        raise NoPicture("no_picture") from error
    if kind is None:
        raise NoPicture("no_picture")
    if mode not in MODES:
        raise NoPicture("colours")
    return kind
