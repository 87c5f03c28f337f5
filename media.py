"""Files that came with messages, kept in a folder under their own hash. Called by `tasks` (to store) and
pages (to read).

The type is checked by content's size cap and by the provider's word; files are only ever served as
attachments.
"""

import hashlib
import mimetypes
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import select

from models import StoredMedia, db
from providers.base import DownloadedMedia, MediaError

MAX_BYTES: Final = 100 * 1024 * 1024  # Meta's largest: a document
MAX_TRIES: Final = 6
FIRST_RETRY_SECS: Final = 5.0
DUE_LIMIT: Final = 100


def due(now: datetime) -> list[int]:
    """Give the ids of the files that are to be fetched now."""
    rows = db.session.execute(
        select(StoredMedia.id)
        .where(StoredMedia.due_at.is_not(None), StoredMedia.due_at <= now)
        .order_by(StoredMedia.id)
        .limit(DUE_LIMIT)
    )
    return list(rows.scalars())


def keep(row: StoredMedia, downloaded: DownloadedMedia, folder: Path) -> None:
    """Write a file and note where it lies; the same content is kept once. Flushes."""
    digest = hashlib.sha256(downloaded.content).hexdigest()
    suffix = mimetypes.guess_extension(downloaded.mime_type.partition(";")[0].strip()) or ".bin"
    relative = Path(digest[:2]) / f"{digest}{suffix}"
    target = folder / relative
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        # Written aside first: a crash must not leave half a file under a name that says it is whole.
        part = target.with_suffix(f".{row.id}.part")
        part.write_bytes(downloaded.content)
        part.replace(target)
    row.state, row.path, row.sha256 = "stored", str(relative), digest
    row.size_bytes, row.due_at, row.error = len(downloaded.content), None, ""
    row.mime_type = downloaded.mime_type[:120] or row.mime_type
    row.filename = row.filename or downloaded.filename[:255]
    db.session.flush()


def note_failure(row: StoredMedia, error: MediaError, *, now: datetime) -> None:
    """Try again later when that may help, else say for good why the file is missing. Flushes."""
    row.attempts += 1
    row.error = error.operator_message[:255]
    if error.is_retryable and row.attempts < MAX_TRIES:
        row.due_at = now + timedelta(seconds=FIRST_RETRY_SECS * 4**row.attempts)
    else:
        row.state, row.due_at = "failed", None
    db.session.flush()


def path_of(row: StoredMedia, folder: Path) -> Path | None:
    """Give the file of a stored row, None when it is not there (any more)."""
    if row.state != "stored" or not row.path:
        return None
    path = (folder / row.path).resolve()
    return path if path.is_relative_to(folder.resolve()) and path.is_file() else None
