"""Files of a form that outlive a page that was not saved: kept at once, named by a seal in the form.

Called by the forms of products and message templates.
"""

from collections.abc import Callable
from typing import Final, Protocol

from werkzeug.datastructures import FileStorage

import vault
from config import Config
from models import StoredFile, db

SEAL: Final = "form-file-"


class FileForm(Protocol):
    """A form as it was typed, with its files by field."""

    written: dict[str, str]
    files: dict[str, StoredFile]


def show(form: FileForm, name: str, file: StoredFile, config: Config) -> None:
    """Let the form hold a file, and name it when it comes back."""
    form.files[name] = file
    form.written[f"{name}_kept"] = vault.sign(f"{SEAL}{file.id}", config.secret_key)


def take(
    form: FileForm,
    name: str,
    sent: FileStorage | None,
    config: Config,
    keep: Callable[[FileStorage], StoredFile | None],
) -> None:
    """Let the form hold the file that was sent, as far as `keep` takes it, or the one it held before."""
    file = keep(sent) if sent is not None and sent.filename else _kept_before(form, name, config)
    if file is not None:
        show(form, name, file, config)


def _kept_before(form: FileForm, name: str, config: Config) -> StoredFile | None:
    """Give the file that the form names; only what we sealed is believed. None when it is to go."""
    if form.written.get(f"{name}_drop") == "1":
        form.written.pop(f"{name}_kept", None)
        return None
    sealed = vault.signed_text(form.written.get(f"{name}_kept", ""), config.secret_key) or ""
    number = sealed.removeprefix(SEAL)
    if sealed == number or not number.isdigit():
        return None
    return db.session.get(StoredFile, int(number))
