"""One conversation: its thread, live, and what an operator does in it: write, take over, hand back, read.

The thread refreshes through `thread`, which answers 304 while nothing changed. Forms work without script.
"""

import secrets

from flask import (
    Blueprint,
    Response,
    abort,
    current_app,
    flash,
    redirect,
    render_template,
    request,
    send_file,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

import conversations
import media
import tasks
import whatsapp_service
from conversations import OutsideServiceWindow
from dashboard import threads
from dashboard.arguments import row_id
from models import Conversation, Operator, StoredMedia, db, utc_now

BODY_MAX_CHARS = 4096
TOKEN_BYTES = 16
TOKEN_MAX_CHARS = 64

bp = Blueprint("conversation", __name__)


@bp.get("/inbox/<int:conversation_id>")
def conversation(conversation_id: int) -> ResponseReturnValue:
    found = _find(conversation_id)
    before = request.args.get("before", type=row_id)
    return render_template("dashboard/conversation.html", before=before, **_shown(found, before))


@bp.get("/inbox/<int:conversation_id>/thread")
def thread(conversation_id: int) -> ResponseReturnValue:
    """The parts of the page that change, or 304 when the client has them already."""
    found = _find(conversation_id)
    version = threads.version(found)
    if version in request.if_none_match:
        return _with_version(Response(status=304), version)
    page = render_template("dashboard/_live.html", **_shown(found, None))
    return _with_version(Response(page), version)


def _shown(found: Conversation, before: int | None) -> dict[str, object]:
    now = utc_now()
    return {
        "conversation": found,
        "thread": threads.read_thread(found, before),
        "version": threads.version(found),
        "is_window_open": conversations.is_window_open(found.last_inbound_at, now),
        "handler_name": _handler_name(found),
        "client_token": secrets.token_urlsafe(TOKEN_BYTES),
    }


def _handler_name(found: Conversation) -> str:
    if not found.is_with_person or found.operator_id is None:
        return ""
    operator = db.session.get(Operator, found.operator_id)
    return operator.name if operator else ""


def _with_version(response: Response, version: str) -> Response:
    response.set_etag(version)
    response.headers["Cache-Control"] = "private, no-cache"
    return response


# --- what an operator does ----------------------------------------------------------------------------------


@bp.post("/inbox/<int:conversation_id>/take-over")
def take_over(conversation_id: int) -> ResponseReturnValue:
    conversations.take_over(_find(conversation_id), _me(), now=utc_now())
    db.session.commit()
    flash(_("The conversation is yours. The bot stays silent."), "success")
    return _back_to(conversation_id)


@bp.post("/inbox/<int:conversation_id>/hand-back")
def hand_back(conversation_id: int) -> ResponseReturnValue:
    conversations.hand_back(_find(conversation_id), now=utc_now())
    db.session.commit()
    flash(_("The bot answers again."), "success")
    return _back_to(conversation_id)


@bp.post("/inbox/<int:conversation_id>/messages")
def send(conversation_id: int) -> ResponseReturnValue:
    """Queue a person's words once, however often the form is sent; whoever writes has the conversation."""
    found = _find(conversation_id)
    body = request.form.get("body", "").replace("\r\n", "\n").replace("\x00", "").strip()
    refusal = _refusal(found, body)
    if refusal is None:
        refusal = _queue(found, body, request.form.get("client_token", ""))
    if refusal is not None:
        db.session.rollback()
        flash(refusal, "danger")
        return render_template(
            "dashboard/conversation.html", before=None, draft=body, **_shown(found, None)
        ), 422
    return _back_to(conversation_id)


def _refusal(found: Conversation, body: str) -> str | None:
    if not body:
        return str(_("Write something first."))
    if len(body) > BODY_MAX_CHARS:
        return str(_("That is longer than %(limit)d characters.", limit=BODY_MAX_CHARS))
    if found.contact.has_opted_out:
        return str(_("This person asked for no more messages."))
    return None


def _queue(found: Conversation, body: str, client_token: str) -> str | None:
    """Queue and commit, or say why not."""
    now, me = utc_now(), _me()
    if not 1 <= len(client_token) <= TOKEN_MAX_CHARS:
        client_token = secrets.token_urlsafe(TOKEN_BYTES)
    if not found.is_with_person or found.operator_id != me.id:
        conversations.take_over(found, me, now=now)
    try:
        whatsapp_service.queue_text(found, body, operator=me, client_token=client_token, now=now)
    except OutsideServiceWindow:
        return str(_("The 24-hour window is closed. It opens again when the customer writes."))
    except LookupError:
        return str(_("This number is switched off."))
    db.session.commit()
    tasks.wake_outbox(found.id)
    return None


@bp.post("/inbox/<int:conversation_id>/read")
def mark_read(conversation_id: int) -> ResponseReturnValue:
    """Say that a person saw the thread. Idempotent."""
    _find(conversation_id).unread_count = 0
    db.session.commit()
    return _back_to(conversation_id) if request.form.get("from_page") else ("", 204)


@bp.get("/inbox/media/<int:media_id>")
def download(media_id: int) -> ResponseReturnValue:
    """Give a stored file, always as a download: it comes from a stranger."""
    found = db.session.get(StoredMedia, media_id)
    path = media.path_of(found, current_app.config["BALCAO"].media_dir) if found else None
    if found is None or path is None:
        abort(404)
    name = found.filename or f"{found.media_kind}-{found.id}{path.suffix}"
    return send_file(path, mimetype="application/octet-stream", as_attachment=True, download_name=name)


def _find(conversation_id: int) -> Conversation:
    return threads.find_conversation(conversation_id) or abort(404)


def _me() -> Operator:
    return db.session.get(Operator, current_user.id) or abort(403)


def _back_to(conversation_id: int) -> Response:
    return redirect(url_for("conversation.conversation", conversation_id=conversation_id), 303)  # type: ignore[return-value]
