"""What may be a product's picture: decoded whole, of a size and in colours that WhatsApp shows."""

import struct
import zlib

import pytest

from shop import assortment, pictures
from tests.pictures import picture_bytes


def bomb() -> bytes:
    """Give a PNG of a few hundred bytes that says it is 60,000 points wide and high."""
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")]
    told = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(told)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (picture_bytes("PNG"), "image/png"),
        (picture_bytes("PNG", mode="RGBA"), "image/png"),
        (picture_bytes("PNG", mode="P"), "image/png"),
        (picture_bytes("JPEG"), "image/jpeg"),
        (picture_bytes("JPEG", mode="L"), "image/jpeg"),
        (picture_bytes("MPO"), "image/jpeg"),
    ],
)
def test_a_whole_picture_is_known_by_what_it_holds(content: bytes, kind: str) -> None:
    assert pictures.picture_kind(content) == kind


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "no_picture"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 64, "no_picture"),
        (b"\xff\xd8\xff" + b"\0" * 64, "no_picture"),
        (picture_bytes("PNG")[:50], "no_picture"),
        (picture_bytes("JPEG", (400, 300))[:600], "no_picture"),
        (picture_bytes("GIF"), "no_picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no_picture"),
        (picture_bytes("PNG", (5001, 5000), "1"), "pixels"),
        (bomb(), "pixels"),
        (picture_bytes("JPEG", mode="CMYK"), "colours"),
        (picture_bytes("PNG", mode="I;16"), "colours"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_the_reason(content: bytes, code: str) -> None:
    with pytest.raises(pictures.NoPicture) as refusal:
        pictures.picture_kind(content)
    assert refusal.value.code == code


def test_only_currencies_of_today_can_be_chosen() -> None:
    known = assortment.current_currencies()
    assert {"BRL", "USD", "EUR", "MXN", "ARS", "JPY"} <= known
    assert not {"BRC", "DEM", "XTS", "XXX", "XAU"} & known
