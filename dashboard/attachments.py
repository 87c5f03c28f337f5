"""Files that operators send: pictures and PDF documents, known by what is in them and not by their names.

Called by the conversation page and `api.files`. Limits are Meta's, which are the narrower ones
(developers.facebook.com, "Media": images 5 MB, documents 100 MB; Twilio takes 16 MB).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from werkzeug.datastructures import FileStorage

import media
from auth import current_config
from message_content import Media, MediaKind
from providers import loose
from shop.pictures import NoPicture, picture_kind

PICTURE_MAX_BYTES: Final = 5 * 1024 * 1024
DOCUMENT_MAX_BYTES: Final = 16 * 1024 * 1024
CAPTION_MAX_CHARS: Final = 1024
# The form around the file.
REQUEST_MAX_BYTES: Final = DOCUMENT_MAX_BYTES + 512 * 1024
PDF_START: Final = b"%PDF-"
PDF: Final = "application/pdf"
OGG: Final = "audio/ogg"
# What WhatsApp plays (Meta, "Media"); of Ogg only Opus, which names itself in the first page.
PLAYED: Final = ("audio/mpeg", "audio/aac", "audio/mp4", OGG, "video/mp4")
OPUS: Final = b"OpusHead"
MARK_MAX_BYTES: Final = 64


class NotAttached(ValueError):
    """The file cannot be sent; `code` says why: kind, large, caption."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that was uploaded and may be sent."""

    content: bytes
    mime_type: str
    filename: str
    media_kind: MediaKind


def read(upload: FileStorage | None, caption: str) -> Attachment | None:
    """Give the file of a form, None when none was chosen. Raises NotAttached."""
    if upload is None or not upload.filename:
        return None
    return known(upload.stream.read(DOCUMENT_MAX_BYTES + 1), upload.filename, caption)


def known(content: bytes, filename: str, caption: str, *, plays: bool = False) -> Attachment:
    """Give a file by what is in it; sounds and films only where it `plays`. Raises NotAttached."""
    name = loose.file_name(filename)
    if len(caption) > CAPTION_MAX_CHARS:
        raise NotAttached("caption")
    if content.startswith(PDF_START):
        found = Attachment(content, PDF, name or "document.pdf", "document")
    elif plays and (mime_type := media.type_of(content[: media.MARK_BYTES])) in PLAYED:
        if mime_type == OGG and OPUS not in content[:MARK_MAX_BYTES]:
            raise NotAttached("kind")
        kind: MediaKind = "video" if mime_type.startswith("video") else "audio"
        found = Attachment(content, mime_type, name or kind, kind)
    else:
        found = Attachment(content, _picture_type(content), name or "picture", "image")
    if len(content) > (PICTURE_MAX_BYTES if found.media_kind == "image" else DOCUMENT_MAX_BYTES):
        raise NotAttached("large")
    return found


def keep(attachment: Attachment, caption: str, *, now: datetime) -> Media:
    """Store the file and give what is to be sent. Flushes."""
    stored = media.store(
        attachment.content, attachment.mime_type, attachment.filename, current_config().media_dir, now=now
    )
    return Media(attachment.media_kind, file_id=stored.id, caption=caption, filename=attachment.filename)


def _picture_type(content: bytes) -> str:
    try:
        return picture_kind(content)
    except NoPicture as error:
        raise NotAttached("kind") from error
