"""Pictures for tests of uploads, made when they are wanted."""

from io import BytesIO

from PIL import Image


def picture_bytes(kind: str = "PNG", size: tuple[int, int] = (40, 30), mode: str = "RGB") -> bytes:
    """Give a whole picture of one colour."""
    out = BytesIO()
    Image.new(mode, size).save(out, kind)
    return out.getvalue()
