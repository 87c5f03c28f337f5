"""The form of a message template: what was typed, the sample file on top, and the draft that they make.

Called by `template_list`. What is wrong is told at the field; the file is kept although the page comes again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from werkzeug.datastructures import FileStorage

import media
import message_templates
from admin import kept_files
from config import Config
from dashboard.attachments import PDF, PDF_START
from models import MessageTemplate, StoredFile, db
from providers import templates
from providers.templates import BUTTONS_MAX, MEDIA_HEADERS, SAMPLES, Button, Draft, Wording
from shop.pictures import NoPicture, picture_kind

BUTTON_ROWS_LEAST: Final = 3
FIELD_MAX_CHARS: Final = 2_000
FILE: Final = "header_file"
SAMPLE_MAX_BYTES: Final = max(limit for _, limit in SAMPLES.values())
# The form around the file.
REQUEST_MAX_BYTES: Final = SAMPLE_MAX_BYTES + 512 * 1024
MP4: Final = "video/mp4"
# An MP4 begins with the length of its first box, and that box's name (ISO 14496-12).
MP4_BOX: Final = b"ftyp"
MP4_BOX_AT: Final = slice(4, 8)


@dataclass
class Form:
    """A draft as it was typed; `problems` say at the field what is wrong, `refused` names a file that is
    none: no_sample or large."""

    written: dict[str, str] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    files: dict[str, StoredFile] = field(default_factory=dict)
    refused: str = ""


def read(fields: Mapping[str, str], sent: FileStorage | None, config: Config, *, now: datetime) -> Form:
    """Take what was typed, and keep the file that came with it. Commits it: a refused form comes again."""
    form = Form({name: _clean(value) for name, value in fields.items() if name != "csrf_token"})
    kept_files.take(form, FILE, sent, config, lambda file: _keep(form, file, config, now))
    db.session.commit()
    return form


def draft_of(form: Form, *, is_shared: bool) -> Draft:
    """Make a draft of what was typed; `is_shared` at Twilio, where one numbering runs through all parts."""
    written = form.written
    header, body = written.get("header", "").strip(), written.get("body", "").strip()
    kind = written.get("header_kind", "") or ("text" if header else "")
    has_file = kind in MEDIA_HEADERS and not is_shared and FILE in form.files
    examples = {
        name.removeprefix("example:"): value.strip()
        for name, value in written.items()
        if name.startswith("example:") and value.strip()
    }
    wording = Wording(
        body=body,
        header_kind=kind,
        header=header if kind == "text" or is_shared else "",
        footer=written.get("footer", "").strip(),
        buttons=tuple(_buttons(written)),
        examples=examples,
        style=templates.style_of(body, is_shared=is_shared),
        file_id=form.files[FILE].id if has_file and form.files[FILE].mime_type in SAMPLES[kind][0] else 0,
    )
    return Draft(
        written.get("name", "").strip(), written.get("language", ""), written.get("category", ""), wording
    )


def button_rows(form: Form) -> range:
    """Give the places of the buttons that the form shows: those that are taken, one more, at least three."""
    taken = [place for place in range(BUTTONS_MAX) if form.written.get(f"button_kind_{place}")]
    return range(min(BUTTONS_MAX, max([BUTTON_ROWS_LEAST, *(place + 2 for place in taken)])))


def of_row(row: MessageTemplate, config: Config) -> Form:
    """Give a template as its form shows it."""
    wording = message_templates.wording_of(row)
    written = {
        "number": str(row.integration_id),
        "name": row.name,
        "language": row.language,
        "category": row.category,
        "header_kind": wording.header_kind,
        "header": wording.header,
        "body": wording.body,
        "footer": wording.footer,
        **{f"example:{key}": value for key, value in wording.examples.items()},
    }
    for place, button in enumerate(wording.buttons[:BUTTONS_MAX]):
        written[f"button_kind_{place}"] = button.kind
        written[f"button_text_{place}"] = button.text
        written[f"button_value_{place}"] = button.url or button.phone or button.code
    form = Form(written)
    if wording.file_id and (file := db.session.get(StoredFile, wording.file_id)) is not None:
        kept_files.show(form, FILE, file, config)
    return form


def _clean(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\0", "")[:FIELD_MAX_CHARS]


def _keep(form: Form, sent: FileStorage, config: Config, now: datetime) -> StoredFile | None:
    """Keep a sample of a kind that Meta's review takes; what it holds counts, not its name."""
    content = sent.stream.read(SAMPLE_MAX_BYTES + 1)
    mime_type = _type_of(content)
    limits = {known: limit for types, limit in SAMPLES.values() for known in types}
    if mime_type not in limits:
        form.refused = "no_sample"
        return None
    if len(content) > limits[mime_type]:
        form.refused = "large"
        return None
    return media.store(content, mime_type, sent.filename or "file", config.media_dir, now=now)


def _type_of(content: bytes) -> str:
    if content.startswith(PDF_START):
        return PDF
    if content[MP4_BOX_AT] == MP4_BOX:
        return MP4
    try:
        return picture_kind(content)
    except NoPicture:
        return ""


def _buttons(written: Mapping[str, str]) -> list[Button]:
    found = []
    for place in range(BUTTONS_MAX):
        kind, text = written.get(f"button_kind_{place}", ""), written.get(f"button_text_{place}", "").strip()
        value = written.get(f"button_value_{place}", "").strip()
        if not kind:
            continue
        found.append(
            Button(
                kind[:20],
                text,
                url=value if kind == "url" else "",
                phone=value if kind == "phone_number" else "",
                code=value if kind == "copy_code" else "",
            )
        )
    return found
