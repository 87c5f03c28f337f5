"""One conversation in its room: the thread, live, and what an operator does in it: write, note, take over.

The thread refreshes through `thread`, which answers 304 while nothing changed. Forms work without script.
"""

import secrets
from pathlib import Path

from flask import (
    Blueprint,
    Response,
    abort,
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
from auth import current_config, safe_next
from conversations import OutsideServiceWindow
from crm import feedback
from dashboard import attachments, room, template_picker, threads, wording
from dashboard.arguments import TOKEN_BYTES, form_token, row_id
from dashboard.attachments import Attachment, NotAttached
from dashboard.inbox import not_kept_words, undo_offer
from dashboard.inbox_lists import Filters
from dashboard.languages import page_language
from message_content import Text
from models import Conversation, Message, Operator, StoredFile, StoredMedia, db, utc_now
from providers import loose
from shop import delivery
from teamwork import caseload, keeping, unread
from teamwork.keeping import NotKept
from training import corrections
from training.refusals import TASKS, TeachingRefused

BODY_MAX_CHARS = 4096

bp = Blueprint("conversation", __name__)


@bp.get("/inbox/<int:conversation_id>")
def conversation(conversation_id: int) -> ResponseReturnValue:
    found = _find(conversation_id)
    before = request.args.get("before", type=row_id)
    at = request.args.get("at", type=row_id)
    if at is not None:
        before = threads.page_with(found, at)
    return render_template("dashboard/conversation.html", before=before, **shown(found, before))


@bp.get("/inbox/<int:conversation_id>/thread")
def thread(conversation_id: int) -> ResponseReturnValue:
    """The parts of the page that change, or 304 when the client has them already."""
    found = _find(conversation_id)
    version = threads.version(found, current_user.id)
    if version in request.if_none_match:
        return _with_version(Response(status=304), version)
    page = render_template("dashboard/_live.html", **shown(found, None, with_list=False))
    return _with_version(Response(page), version)


def shown(found: Conversation, before: int | None, *, with_list: bool = True) -> dict[str, object]:
    """Give what the page's template wants; `assist` shows the same page with what it has to add."""
    now = utc_now()
    here = room.read_room(now, found) if with_list else None
    filters = Filters.read(request.args)
    is_person_asked = "person" in request.args
    return {
        "room": here,
        "filters": filters,
        "shelf": room.shelf(),
        "person": room.read_person(found, here),
        "contact_names": room.contact_names(found.contact),
        "is_person_asked": is_person_asked,
        "here": url_for(
            "conversation.conversation",
            conversation_id=found.id,
            person=1 if is_person_asked else None,
            **filters.address(),
        ),
        "snoozes": tuple(caseload.SNOOZES),
        "undo": undo_offer(),
        "conversation": found,
        "unread": here.unread.get(found.id, 0) if here else _unread(found),
        "thread": threads.read_thread(found, before),
        "version": "",
        "is_window_open": conversations.is_window_open(found.last_inbound_at, now),
        "window_closes_at": now + conversations.window_left(found.last_inbound_at, now),
        "handler_name": _handler_name(found),
        "client_token": secrets.token_urlsafe(TOKEN_BYTES),
        "file_max_bytes": attachments.DOCUMENT_MAX_BYTES,
        "has_model": tasks.means().assistant is not None,
        "picker": template_picker.read_picker(found) if "templates" in request.args and with_list else None,
    }


def _unread(found: Conversation) -> int:
    return unread.unread_of([found], current_user.id).get(found.id, 0)


def _handler_name(found: Conversation) -> str:
    return room.shelf().operator_name(found.operator_id) if found.is_with_person else ""


def _with_version(response: Response, version: str) -> Response:
    response.set_etag(version)
    response.headers["Cache-Control"] = "private, no-cache"
    return response


# --- what an operator does ----------------------------------------------------------------------------------


@bp.post("/inbox/<int:conversation_id>/take-over")
def take_over(conversation_id: int) -> ResponseReturnValue:
    """Take a conversation from whom the page showed; not from a colleague who was quicker."""
    found = _find(conversation_id)
    db.session.refresh(found, ["handler", "operator_id"], with_for_update=True)
    holder = found.operator_id if found.is_with_person else None
    if holder not in (None, current_user.id, request.form.get("seen", type=row_id)):
        flash(_("%(name)s has just taken this conversation.", name=_handler_name(found)), "danger")
        return _back_to(conversation_id)
    conversations.take_over(found, _me(), now=utc_now())
    db.session.commit()
    tasks.wake_summary(conversation_id, page_language())
    flash(_("The conversation is yours. The bot stays silent."), "success")
    return _back_to(conversation_id)


@bp.post("/inbox/<int:conversation_id>/hand-back")
def hand_back(conversation_id: int) -> ResponseReturnValue:
    found, now = _find(conversation_id), utc_now()
    conversations.hand_back(found, now=now, operator=_me())
    feedback.ask_after_hand_over(found, now=now)
    db.session.commit()
    tasks.wake_outbox(conversation_id)
    flash(_("The bot answers again."), "success")
    return _back_to(conversation_id)


@bp.post("/inbox/<int:conversation_id>/messages")
def send(conversation_id: int) -> ResponseReturnValue:
    """Queue a person's words once, however often the form is sent; whoever writes has the conversation."""
    found = _find(conversation_id)
    body = request.form.get("body", "").replace("\r\n", "\n").replace("\x00", "").strip()
    try:
        attachment = attachments.read(request.files.get("file"), body)
        refusal = _refusal(found, body, attachment)
    except NotAttached as error:
        refusal = wording.attachment_words(error.code)
    else:
        refusal = refusal or _queue(found, body, attachment, form_token())
    if refusal is not None:
        db.session.rollback()
        flash(refusal, "danger")
        return render_template(
            "dashboard/conversation.html", before=None, draft=body, **shown(found, None)
        ), 422
    return _back_to(conversation_id)


def _refusal(found: Conversation, body: str, attachment: Attachment | None) -> str | None:
    if not body and attachment is None:
        return str(_("Write something first."))
    if len(body) > BODY_MAX_CHARS:
        return str(_("That is longer than %(limit)d characters.", limit=BODY_MAX_CHARS))
    if found.contact.has_opted_out:
        return str(_("This person asked for no more messages."))
    return None


def _queue(found: Conversation, body: str, attachment: Attachment | None, client_token: str) -> str | None:
    """Queue and commit, or say why not."""
    now, me = utc_now(), _me()
    if not found.is_with_person or found.operator_id != me.id:
        conversations.take_over(found, me, now=now)
    try:
        content = attachments.keep(attachment, body, now=now) if attachment else Text(body)
        whatsapp_service.queue_own(found, content, operator=me, client_token=client_token, now=now)
    except OutsideServiceWindow:
        return str(_("The 24-hour window is closed. It opens again when the customer writes."))
    except LookupError:
        return str(_("This number is switched off."))
    caseload.note_message(found.id)
    db.session.commit()
    tasks.wake_outbox(found.id)
    return None


@bp.post("/inbox/<int:conversation_id>/notes")
def add_note(conversation_id: int) -> ResponseReturnValue:
    """Keep a private note, once however often the form is sent."""
    _find(conversation_id)
    body = request.form.get("note", "").replace("\r\n", "\n")
    try:
        keeping.add_note(
            conversation_id, body, operator_id=_me().id, client_token=form_token(), now=utc_now()
        )
    except NotKept as refusal:
        db.session.rollback()
        flash(not_kept_words(refusal.code), "danger")
    else:
        db.session.commit()
    return _back_to(conversation_id)


@bp.post("/inbox/<int:conversation_id>/notes/<int:note_id>/remove")
def remove_note(conversation_id: int, note_id: int) -> ResponseReturnValue:
    if not keeping.remove_note(note_id, operator_id=_me().id):
        flash(_("Only who wrote a note may remove it."), "danger")
    db.session.commit()
    return _back_to(conversation_id)


@bp.post("/inbox/<int:conversation_id>/read")
def mark_read(conversation_id: int) -> ResponseReturnValue:
    """Say that this operator saw the thread. Idempotent."""
    _find(conversation_id)
    unread.mark_read(conversation_id, current_user.id)
    db.session.commit()
    return _back_to(conversation_id) if request.form.get("from_page") else ("", 204)


@bp.post("/inbox/<int:conversation_id>/messages/<int:message_id>/reading")
def correct_reading(conversation_id: int, message_id: int) -> ResponseReturnValue:
    """Take an operator's labels for a message, or that all of them are right."""
    _find(conversation_id)
    message = db.session.get(Message, message_id)
    if message is None or message.conversation_id != conversation_id:
        abort(404)
    try:
        words = _take_labels(message)
    except TeachingRefused:
        db.session.rollback()
        flash(_("This message's reading cannot be corrected."), "danger")
    else:
        db.session.commit()
        flash(words, "success")
    page = url_for(
        "conversation.conversation",
        conversation_id=conversation_id,
        before=request.form.get("before", type=row_id),
        _anchor=f"m{request.form.get('at', message_id, type=row_id)}",
    )
    return redirect(page, 303)


def _take_labels(message: Message) -> str:
    """Take what people say of a message's reading; gives what to tell them."""
    me, now = _me(), utc_now()
    verdict = request.form.get("verdict")
    if verdict == "undo":
        corrections.take_back(message.id)
        return str(_("Undone: it counts as the desk read it."))
    if verdict == "right":
        corrections.confirm(message.id, operator_id=me.id, now=now)
        return str(_("Noted."))
    news = [
        corrections.correct(message.id, task, label, operator_id=me.id, now=now)
        for task, label in _said_labels().items()
    ]
    return str(_("Thank you. The desk learns it at the next training.") if any(news) else _("Noted."))


def _said_labels() -> dict[str, str]:
    """Give the label that was clicked (`task:label`), or those that were changed in the form, which may be
    older than the message."""
    if "say" in request.form:
        task, _colon, label = request.form["say"].partition(":")
        return {task: label}
    said = {task: request.form.get(task, "") for task in TASKS}
    return {task: label for task, label in said.items() if label and label != request.form.get(f"was_{task}")}


@bp.get("/inbox/media/<int:media_id>")
def download(media_id: int) -> ResponseReturnValue:
    """Give a file that came: what a browser may show of it as that, the rest as a download."""
    found = db.session.get(StoredMedia, media_id)
    path = media.path_of(found, current_config().media_dir) if found else None
    if found is None or path is None:
        abort(404)
    # Rows of before names were cleaned on storing are served too.
    return _served(path, loose.file_name(found.filename) or f"{found.media_kind}-{found.id}{path.suffix}")


@bp.get("/inbox/file/<int:file_id>")
def own_file(file_id: int) -> ResponseReturnValue:
    """Give a file of our own that a message carried, as `download` does; what is sold is not for agents."""
    found = db.session.get(StoredFile, file_id)
    path = media.file_of(found, current_config().media_dir) if found else None
    if found is None or path is None or (delivery.is_goods(file_id) and not current_user.may("manager")):
        abort(404)
    return _served(path, found.filename or f"file-{found.id}{path.suffix}")


def _served(path: Path, name: str) -> ResponseReturnValue:
    shown_as = media.shown_type(path)
    kind = shown_as or "application/octet-stream"
    return send_file(path, mimetype=kind, as_attachment=not shown_as, download_name=name)


def _find(conversation_id: int) -> Conversation:
    return threads.find_conversation(conversation_id) or abort(404)


def _me() -> Operator:
    return db.session.get(Operator, current_user.id) or abort(403)


def _back_to(conversation_id: int) -> Response:
    page = safe_next(request.form.get("next")) or url_for(
        "conversation.conversation", conversation_id=conversation_id
    )
    return redirect(page, 303)  # type: ignore[return-value]
