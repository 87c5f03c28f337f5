"""The files that a simulated phone sends: a photo, a voice note and a document with real bytes.

The simulator page sends them by kind; `simulator` gives their bytes when the desk fetches them, so that what
reads files can be tried without a phone. Drawn when asked for: nothing is packaged.
"""

import hashlib
import io
import math
import wave
from collections.abc import Callable, Mapping
from functools import cache
from typing import Final

from PIL import Image, ImageDraw

from providers.base import DownloadedMedia, InboundMedia

RATE_HZ: Final = 8_000
TONE_HZ: Final = 440.0
TONE_SECS: Final = 1.5
LOUDNESS: Final = 9_000  # of 32,767
SEA: Final = (640, 480)
PAGE: Final = (620, 877)  # A4 at 75 dots per inch
LETTER: Final = ("Lista de compras", "2 x Fotografia com celular", "1 x Kit redes sociais")


def file_of(kind: str, media_id: str) -> InboundMedia:
    """Give the file of a kind as a message tells of it. Raises KeyError for another kind."""
    mime_type, name, _make = _FILES[kind]
    return InboundMedia(kind, media_id, mime_type=mime_type, filename=name, is_voice=kind == "audio")


def content_of(media: InboundMedia) -> DownloadedMedia | None:
    """Give what is in a simulated file; None for a kind that no phone here sends."""
    if media.media_kind not in _FILES:
        return None
    mime_type, name, make = _FILES[media.media_kind]
    content = make()
    return DownloadedMedia(content, mime_type, hashlib.sha256(content).hexdigest(), name)


@cache
def _photo() -> bytes:
    """Draw the sun over the sea."""
    picture = Image.new("RGB", SEA, (135, 190, 235))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 280, 640, 480), fill=(20, 90, 150))
    draw.ellipse((260, 150, 380, 270), fill=(250, 205, 60))
    return _saved(picture, "JPEG")


@cache
def _document() -> bytes:
    page = Image.new("RGB", PAGE, (255, 255, 255))
    draw = ImageDraw.Draw(page)
    for place, line in enumerate(LETTER):
        draw.text((60, 60 + 40 * place), line, fill=(0, 0, 0), font_size=24)
    return _saved(page, "PDF")


@cache
def _voice() -> bytes:
    """Hum one tone: nobody here can speak."""
    wave_at = (math.sin(math.tau * TONE_HZ * at / RATE_HZ) for at in range(int(RATE_HZ * TONE_SECS)))
    frames = b"".join(int(LOUDNESS * height).to_bytes(2, "little", signed=True) for height in wave_at)
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE_HZ)
        sound.writeframes(frames)
    return file.getvalue()


def _saved(picture: Image.Image, kind: str) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


_FILES: Final[Mapping[str, tuple[str, str, Callable[[], bytes]]]] = {
    "image": ("image/jpeg", "", _photo),
    "audio": ("audio/wav", "", _voice),
    "document": ("application/pdf", "lista.pdf", _document),
}
