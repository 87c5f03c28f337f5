"""Files that programs send: uploaded with the request, or got from an address that it names.

Called by the door, while no transaction is open. What a file is, is seen in its content; addresses inside our
own network are not asked, and no redirect is followed.
"""

from typing import Any, Final
from urllib.parse import unquote, urlsplit

from api.doors import Refused, Upload
from auth import current_config
from dashboard import attachments
from dashboard.attachments import Attachment, NotAttached
from providers.transport import Failure
from wires import guarded_fetch

TIMEOUT_SECS: Final = 15.0
WORDS: Final = {
    "kind": "Only whole JPEG and PNG pictures, PDF documents, MP3, AAC, M4A and Ogg Opus sounds and MP4 "
    "films can be sent.",
    "large": "A picture may have 5 MB, anything else 16 MB.",
}


def uploaded(said: Upload) -> Attachment:
    """Give the file of a form. Raises Refused."""
    return _known(said.file.stream.read(), said.file.filename or "")


def fetched(said: Any) -> Attachment | None:
    """Get the file that a message links to; None for a message without one. Raises Refused."""
    link = getattr(said.root, "link", "")
    if not link:
        return None
    answer = guarded_fetch.exchange(
        "GET",
        link,
        None,
        {},
        timeout_secs=TIMEOUT_SECS,
        max_bytes=attachments.DOCUMENT_MAX_BYTES,
        allow_private=current_config().allow_private_addresses,
    )
    if isinstance(answer, Failure):
        raise Refused("file_refused", f"The link cannot be reached ({answer.reason}).")
    if answer.status != 200:
        words = f"The link answered with status {answer.status}, and redirects are not followed."
        raise Refused("file_refused", words)
    if answer.is_cut:
        raise Refused("file_refused", "The file is too large, or came too slowly.")
    return _known(answer.content, unquote(urlsplit(link).path).rpartition("/")[2])


def _known(content: bytes, filename: str) -> Attachment:
    try:
        return attachments.known(content, filename, "", plays=True)
    except NotAttached as refused:
        raise Refused("file_refused", WORDS[refused.code]) from refused
