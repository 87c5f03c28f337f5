"""Everything of one person as a zip that she can open: a readable page, the same as JSON, and her files.

The page of a conversation and the command `export-user` make it; `privacy.export_person` says what is in it.
"""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final

from flask import render_template

# These have a part of their own in the page; machines' columns are in the JSON.
TOLD_APART: Final = ("exported_at", "contacts", "identities", "messages", "media", "webhook_events", "turns")
HIDDEN: Final = ("_id", "id", "trace", "content", "token", "hash", "client_token")


def archive_of(export: Mapping[str, Any], media_dir: Path, language: str) -> bytes:
    """Give the zip of an export; a file that is not there any more is left out."""
    files = _files(export["media"], media_dir)
    page = render_template(
        "dashboard/person_export.html",
        export=export,
        language=language,
        parts=_parts(export),
        files={media["message_id"]: name for media, name, _path in files},
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("index.html", page)
        archive.writestr("person.json", json.dumps(export, ensure_ascii=False, indent=2))
        for _media, name, path in files:
            archive.write(path, name)
    return out.getvalue()


def _files(media: Sequence[Mapping[str, Any]], folder: Path) -> list[tuple[Mapping[str, Any], str, Path]]:
    found = []
    for one in media:
        path = folder / one["path"]
        if one["path"] and path.is_file():
            suffix = PurePosixPath(one["filename"]).suffix or PurePosixPath(one["path"]).suffix
            found.append((one, f"media/{one['id']}{suffix}", path))
    return found


def _parts(export: Mapping[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Give each other table that holds something, with the columns that say something to a person."""
    return [
        (name.replace("_", " "), [_shown(row) for row in rows])
        for name, rows in export.items()
        if name not in TOLD_APART and isinstance(rows, list) and rows
    ]


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name.replace("_", " "): value
        for name, value in row.items()
        if value not in (None, "", [], {}) and not name.endswith(HIDDEN)
    }
