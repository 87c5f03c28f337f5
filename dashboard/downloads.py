"""The two addresses under which files of ours leave the house: a customer's private link, and what a WhatsApp
provider fetches for a message.

Open to everybody: the secret in the address is the guard. Says nothing about orders or customers.
"""

from pathlib import Path

from flask import Blueprint, Response, abort, make_response, render_template, request, send_file
from flask.typing import ResponseReturnValue

import media
from auth import current_config
from models import StoredFile, begin_writing, db, utc_now
from shop import delivery

UNKNOWN_TYPE = "application/octet-stream"
STATUS_OF: dict[delivery.Refusal, int] = {"unknown": 404, "expired": 410, "revoked": 410}

bp = Blueprint("downloads", __name__)


@bp.get("/d/<token>")
def download(token: str) -> ResponseReturnValue:
    """Give what was bought, always as a download, and count it; asking for the head alone does not count."""
    begin_writing()
    opened = delivery.open_link(token, config=current_config(), now=utc_now())
    if isinstance(opened, str):
        db.session.rollback()
        return _private(render_template("downloads/refused.html", reason=opened), STATUS_OF[opened])
    path = media.file_of(opened.file, current_config().media_dir)
    if path is None:
        db.session.rollback()
        return _private(render_template("downloads/refused.html", reason="gone"), 404)
    answer = _file(opened.file, path, as_attachment=True)
    if request.method == "GET":
        db.session.commit()
    else:
        db.session.rollback()
    return answer


@bp.get("/f/<signed>")
def for_provider(signed: str) -> ResponseReturnValue:
    """Give a file of a message to the provider that sends it."""
    row = media.public_file(signed, secret_key=current_config().secret_key, now=utc_now())
    path = media.file_of(row, current_config().media_dir) if row is not None else None
    if row is None or path is None:
        abort(404)
    return _file(row, path, as_attachment=False)


def _file(row: StoredFile, path: Path, *, as_attachment: bool) -> Response:
    name = row.filename or f"file-{row.id}{path.suffix}"
    mime_type = row.mime_type or UNKNOWN_TYPE
    sent = send_file(path, mimetype=mime_type, as_attachment=as_attachment, download_name=name)
    answer = _private(sent, 200)
    # A shop may sell pages and scripts, too: here they are nobody's, whoever opens the address.
    answer.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return answer


def _private(content: ResponseReturnValue, status: int) -> Response:
    """Keep the address and the file out of search engines, caches and other sites."""
    answer = make_response(content)
    if status != answer.status_code:
        answer.status_code = status
    answer.headers["Cache-Control"] = "private, no-store"
    answer.headers["X-Robots-Tag"] = "noindex, nofollow"
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer
