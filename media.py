"""Files that came with messages, and files of our own, kept in a folder under their own hash. Called by
`tasks` and `shop` (to store) and pages (to read).

A provider's word on a file's type is kept, and trusted by nobody: a page shows only what `shown_type` knows
by its first bytes, and offers the rest as a download.
"""

import hashlib
import mimetypes
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import select

import vault
from models import StoredFile, StoredMedia, db, reading
from providers import loose
from providers.base import DownloadedMedia, MediaError, OwnFile

MAX_BYTES: Final = 100 * 1024 * 1024  # Meta's largest: a document
MAX_TRIES: Final = 6
FIRST_RETRY_SECS: Final = 5.0
DUE_LIMIT: Final = 100
# Long enough for a provider that tries again, short enough for a link that stands in its log.
PUBLIC_FOR: Final = timedelta(hours=1)
PUBLIC_PREFIX: Final = "/f/"
# What a browser may show: where a mark stands in the file, the mark, the type. Nothing that can carry script.
SHOWN_TYPES: Final = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF8", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
    (0, b"OggS", "audio/ogg"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"\xff\xf3", "audio/mpeg"),
    (0, b"\xff\xf1", "audio/aac"),
    (0, b"\xff\xf9", "audio/aac"),
    (4, b"ftypM4A", "audio/mp4"),
    (4, b"ftyphei", ""),  # a phone's own kind of picture, in the box of a film
    (4, b"ftypmif1", ""),
    (4, b"ftyp", "video/mp4"),
)
MARK_BYTES: Final = 12

log = structlog.get_logger()


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
    relative = _write(downloaded.content, digest, downloaded.mime_type, folder)
    row.state, row.path, row.sha256 = "stored", str(relative), digest
    row.size_bytes, row.due_at, row.error = len(downloaded.content), None, ""
    row.mime_type = downloaded.mime_type[:120] or row.mime_type
    row.filename = row.filename or loose.file_name(downloaded.filename)
    db.session.flush()


def store(content: bytes, mime_type: str, filename: str, folder: Path, *, now: datetime) -> StoredFile:
    """Keep a file of our own and give its row; the same file under the same name is one row. Flushes."""
    digest = hashlib.sha256(content).hexdigest()
    filename = loose.file_name(filename)
    known = db.session.scalars(
        select(StoredFile).where(StoredFile.sha256 == digest, StoredFile.filename == filename).limit(1)
    ).first()
    relative = _write(content, digest, mime_type, folder)
    if known is not None:
        return known
    row = StoredFile(
        sha256=digest,
        path=str(relative),
        mime_type=mime_type[:120],
        filename=filename,
        size_bytes=len(content),
        created_at=now,
    )
    db.session.add(row)
    db.session.flush()
    return row


def remove(paths: Iterable[str], folder: Path) -> list[str]:
    """Remove files whose rows are gone, and give the paths that stayed: someone has to look at the folder."""
    stayed = []
    for path in paths:
        try:
            (folder / path).unlink(missing_ok=True)
        except OSError as error:
            log.warning("file_not_removed", path=path, error=type(error).__name__)
            stayed.append(path)
    return stayed


def file_of(row: StoredFile, folder: Path) -> Path | None:
    """Give the path of a file of our own, None when it is not there (any more) or not inside the folder."""
    return within(row.path, folder)


def own_file(file_id: int, folder: Path, address: str, *, secret_key: str, now: datetime) -> OwnFile | None:
    """Read a file of ours that a message carries, with the address under which a provider may fetch it; None
    when it is gone. A transaction that was open stays open, no other does."""
    is_ours = not db.session().in_transaction()
    with reading():
        row = db.session.get(StoredFile, file_id)
        found = None if row is None else (row.mime_type, row.filename, file_of(row, folder))
        if is_ours:
            db.session.rollback()
    if found is None or found[2] is None:
        return None
    url = address + public_path(file_id, secret_key=secret_key, now=now)
    return OwnFile(found[2].read_bytes(), found[0], found[1], url)


def public_path(file_id: int, *, secret_key: str, now: datetime) -> str:
    """Give the path under which a provider may fetch a file of ours for PUBLIC_FOR."""
    until = int((now + PUBLIC_FOR).timestamp())
    return f"{PUBLIC_PREFIX}{vault.sign(f'file-{file_id}-{until}', secret_key)}"


def public_file(signed: str, *, secret_key: str, now: datetime) -> StoredFile | None:
    """Give the file that a path of `public_path` names; None when it is not ours or its time is over."""
    told = (vault.signed_text(signed, secret_key) or "").split("-")
    if len(told) != 3 or told[0] != "file" or int(told[2]) < now.timestamp():
        return None
    return db.session.get(StoredFile, int(told[1]))


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
    return within(row.path, folder) if row.state == "stored" else None


def within(relative: str, folder: Path) -> Path | None:
    """Give a file by its place in the folder, None when it is not there (any more) or not inside."""
    path = (folder / relative).resolve()
    return path if relative and path.is_relative_to(folder.resolve()) and path.is_file() else None


def shown_type(path: Path) -> str:
    """Give the type of a picture, a sound or a film that a browser may show, by its first bytes; empty for
    all else, whatever it is called."""
    with path.open("rb") as file:
        return type_of(file.read(MARK_BYTES))


def type_of(head: bytes) -> str:
    """Give the same of a file's first MARK_BYTES."""
    return next((type_ for at, mark, type_ in SHOWN_TYPES if head.startswith(mark, at)), "")


def _write(content: bytes, digest: str, mime_type: str, folder: Path) -> Path:
    """Write a file under its hash, unless it lies there already; give its place within the folder."""
    suffix = mimetypes.guess_extension(mime_type.partition(";")[0].strip()) or ".bin"
    relative = Path(digest[:2]) / f"{digest}{suffix}"
    target = folder / relative
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        # Written aside first: a crash must not leave half a file under a name that says it is whole.
        part = target.with_suffix(f".{secrets.token_hex(4)}.part")
        part.write_bytes(content)
        part.replace(target)
    return relative
