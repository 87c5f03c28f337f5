"""The files of a thread's messages, theirs and ours: shown in place, offered as a download, or missed.

Called by `threads`. Reads only: one query, and the first bytes of each file.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flask import url_for
from sqlalchemy import CompoundSelect, Row, literal, select, union_all

import media
from auth import current_config
from models import Message, StoredFile, StoredMedia, db
from privacy.retention import FORGOTTEN

OURS: Final = "ours"


@dataclass(frozen=True, slots=True)
class File:
    """One file. `state`: stored, pending, failed, gone; `shown_as`: image, audio, video, or nothing for a
    download; `address` is empty when there is nothing to fetch."""

    state: str
    media_kind: str
    shown_as: str = ""
    address: str = ""
    name: str = ""
    size_bytes: int | None = None
    error: str = ""


def files_of(messages: Sequence[Message]) -> Mapping[int, tuple[File, ...]]:
    """Give the files of a page's messages, by message."""
    if not messages:
        return {}
    ours = {m.id: content for m in messages if (content := _own_content(m))}
    theirs = select(
        literal("theirs").label("side"),
        StoredMedia.id,
        StoredMedia.message_id,
        StoredMedia.media_kind,
        StoredMedia.state,
        StoredMedia.path,
        StoredMedia.filename,
        StoredMedia.size_bytes,
        StoredMedia.error,
    ).where(StoredMedia.message_id.in_([m.id for m in messages]))
    own = select(
        literal(OURS),
        StoredFile.id,
        literal(0),
        literal(""),
        literal("stored"),
        StoredFile.path,
        StoredFile.filename,
        StoredFile.size_bytes,
        literal(""),
    ).where(StoredFile.id.in_({content["file_id"] for content in ours.values()}))
    both: CompoundSelect[Any] = union_all(theirs, own)
    rows = db.session.execute(both).all()
    found: dict[int, tuple[File, ...]] = defaultdict(tuple)
    for row in sorted((row for row in rows if row.side != OURS), key=lambda row: row.id):
        address = url_for("conversation.download", media_id=row.id)
        found[row.message_id] += (_file(row, row.media_kind, address),)
    kept = {row.id: row for row in rows if row.side == OURS}
    for message_id, content in ours.items():
        mine, kind = kept.get(content["file_id"]), content.get("media_kind", "")
        address = url_for("conversation.own_file", file_id=content["file_id"])
        found[message_id] = (
            _file(mine, kind, address) if mine is not None else File("gone", kind or "document"),
        )
    return found


def _own_content(message: Message) -> dict[str, Any]:
    """Give the content of a message that carries a file of ours, else nothing."""
    content = message.content if isinstance(message.content, dict) else {}
    return content if not message.is_inbound and content.get("file_id") else {}


def _file(row: Row[Any], kind: str, address: str) -> File:
    if row.state != "stored":
        state = "gone" if row.error == FORGOTTEN else row.state
        return File(state, kind, name=row.filename, error=row.error)
    path = media.within(row.path, current_config().media_dir)
    if path is None:
        return File("gone", kind, name=row.filename)
    family = media.shown_type(path).partition("/")[0]
    # A voice note in MP4 begins as a film does.
    shown_as = kind if (family, kind) == ("video", "audio") else family
    return File("stored", kind or shown_as or "document", shown_as, address, row.filename, row.size_bytes)
