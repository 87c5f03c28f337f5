"""The inbox: the list of conversations with its filters, and what is done to several of them at once.

The address is the whole state: filters, search and page stand in it, and every answer to a form leads back to
one. Without script the room is complete, only still.
"""

from urllib.parse import parse_qsl, urlencode

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user

import auth
import history
import tasks
from dashboard import room
from dashboard.arguments import row_id
from dashboard.inbox_lists import Filters
from dashboard.meanwhile import overtaken
from models import BulkAction, Operator, db, utc_now
from teamwork import caseload, keeping
from teamwork.caseload import Refused
from teamwork.keeping import NotKept

bp = Blueprint("inbox", __name__)


@bp.get("/inbox")
def inbox() -> ResponseReturnValue:
    return render_template("dashboard/inbox.html", room=room.read_room(utc_now()), undo=undo_offer())


@bp.get("/inbox/list")
def list_part() -> ResponseReturnValue:
    """The list alone, for the page's script; `open` is the conversation beside it."""
    return render_template(
        "dashboard/_room_list.html",
        room=room.read_room(utc_now()),
        open_id=request.args.get("open", type=row_id),
    )


@bp.post("/inbox/actions")
def act() -> ResponseReturnValue:
    """Do one thing to the chosen conversations; the page that follows offers to undo it."""
    action, _colon, argument = request.form.get("do", "").partition(":")
    ids = [found for written in request.form.getlist("ids") if (found := _id_of(written))]
    try:
        done = caseload.act(action, ids, argument, operator=_me(), now=utc_now())
    except Refused as refusal:
        db.session.rollback()
        flash(_refusal_words(refusal.code), "danger")
        return _back()
    db.session.commit()
    for conversation_id in ids:
        tasks.wake_outbox(conversation_id)
    return _back(done=done.id)


@bp.post("/inbox/actions/<int:action_id>/undo")
def undo(action_id: int) -> ResponseReturnValue:
    count = caseload.undo(action_id, operator=_me(), now=utc_now())
    db.session.commit()
    if count:
        words = ngettext(
            "%(num)d conversation is as it was.", "%(num)d conversations are as they were.", count
        )
        flash(words, "success")
    else:
        flash(_("There is nothing left to undo: others have gone on since."), "warn")
    return _back()


def undo_offer() -> tuple[int, str] | None:
    """Give the action that the address says was just done, when it can be undone: its id and words."""
    action_id = request.args.get("done", type=row_id)
    row = db.session.get(BulkAction, action_id) if action_id else None
    if row is None or row.operator_id != current_user.id or row.undone_at is not None:
        return None
    return row.id, _done_words(row.action, len(row.before))


def _done_words(action: str, count: int) -> str:
    words = {
        "assign": ngettext("%(num)d conversation assigned.", "%(num)d conversations assigned.", count),
        "label": ngettext("%(num)d conversation labelled.", "%(num)d conversations labelled.", count),
        "unlabel": ngettext(
            "Label taken off %(num)d conversation.", "Label taken off %(num)d conversations.", count
        ),
        "snooze": ngettext("%(num)d conversation put off.", "%(num)d conversations put off.", count),
        "wake": ngettext("%(num)d conversation is back.", "%(num)d conversations are back.", count),
        "close": ngettext("%(num)d conversation closed.", "%(num)d conversations closed.", count),
        "reopen": ngettext(
            "%(num)d conversation opened again.", "%(num)d conversations opened again.", count
        ),
        "hand_back": ngettext(
            "%(num)d conversation handed back.", "%(num)d conversations handed back.", count
        ),
    }
    return str(words.get(action, ""))


def _refusal_words(code: str) -> str:
    words = {
        "none": _("Choose at least one conversation."),
        "operator": _("Choose who shall have it."),
        "label": _("Choose a label; somebody may have removed this one."),
        "time": _("Choose until when."),
    }
    return str(words.get(code, _("Choose what shall be done.")))


# --- saved views, labels, canned replies --------------------------------------------------------------------


@bp.post("/inbox/views")
def save_view() -> ResponseReturnValue:
    query = _filters_of(request.form.get("query", ""))
    try:
        keeping.save_view(request.form.get("name", ""), query, operator_id=current_user.id, now=utc_now())
    except NotKept as refusal:
        db.session.rollback()
        flash(not_kept_words(refusal.code), "danger")
    else:
        db.session.commit()
        flash(_("The view is saved."), "success")
    return redirect(f"{url_for('inbox.inbox')}?{query}", 303)


@bp.post("/inbox/views/<int:view_id>/remove")
def remove_view(view_id: int) -> ResponseReturnValue:
    keeping.remove_view(view_id, operator_id=current_user.id)
    db.session.commit()
    flash(_("The view is removed."), "success")
    return _back()


def _filters_of(query: str) -> str:
    """Write filters anew, so that a view holds nothing else."""
    known = Filters.read(dict(parse_qsl(query))).address()
    return urlencode({name: value for name, value in known.items() if value})


@bp.get("/inbox/tools")
def tools() -> ResponseReturnValue:
    return _tools_page(_reply(request.args.get("edit", "")))


@bp.get("/inbox/canned")
def canned() -> ResponseReturnValue:
    """The canned replies as a part, for the composer's "/"."""
    return render_template("dashboard/_canned.html", replies=keeping.canned_replies())


@bp.post("/inbox/labels")
def add_label() -> ResponseReturnValue:
    known = {one.id for one in keeping.labels()}
    try:
        row = keeping.add_label(request.form.get("name", ""), now=utc_now())
    except NotKept as refusal:
        db.session.rollback()
        flash(not_kept_words(refusal.code), "danger")
    else:
        if row.id not in known:
            _note("label", row.id, "added", reason=row.name)
        db.session.commit()
        flash(_("Saved."), "success")
    return redirect(url_for("inbox.tools"), 303)


@bp.post("/inbox/labels/<int:label_id>/remove")
@auth.login_required_role("manager")
def remove_label(label_id: int) -> ResponseReturnValue:
    if keeping.remove_label(label_id):
        _note("label", label_id, "deleted")
    db.session.commit()
    flash(_("The label is removed from every conversation."), "success")
    return redirect(url_for("inbox.tools"), 303)


@bp.post("/inbox/canned")
def keep_reply() -> ResponseReturnValue:
    known = _reply(request.form.get("shortcut", "").strip().lstrip("/").lower())
    if known[0] and (late := overtaken(lambda: _tools_page(known), "canned_reply")):
        return late
    try:
        row = keeping.keep_reply(
            request.form.get("shortcut", ""), request.form.get("body", ""), now=utc_now()
        )
    except NotKept as refusal:
        db.session.rollback()
        flash(not_kept_words(refusal.code), "danger")
        return _tools_page((request.form.get("shortcut", ""), request.form.get("body", ""))), 422
    _note("canned_reply", row.id, "changed", reason=f"/{row.shortcut}")
    db.session.commit()
    flash(_("Saved."), "success")
    return redirect(url_for("inbox.tools"), 303)


@bp.post("/inbox/canned/<int:reply_id>/remove")
def remove_reply(reply_id: int) -> ResponseReturnValue:
    if keeping.remove_reply(reply_id):
        _note("canned_reply", reply_id, "deleted")
    db.session.commit()
    flash(_("Removed."), "success")
    return redirect(url_for("inbox.tools"), 303)


def _note(record: str, record_id: int, after: str, reason: str = "") -> None:
    """Leave a step of what all of us share in the audit log."""
    history.note_change(
        record,
        record_id,
        before="",
        after=after,
        actor="operator",
        operator_id=current_user.id,
        reason=reason,
        now=utc_now(),
    )


def _tools_page(edited: tuple[str, str]) -> str:
    """Show labels and replies, with a reply in the form: its shortcut and its words."""
    return render_template(
        "dashboard/tools.html", labels=keeping.labels(), replies=keeping.canned_replies(), edited=edited
    )


def _reply(shortcut: str) -> tuple[str, str]:
    """Give a reply that is kept under a shortcut, empty when none is."""
    return next(
        ((one.shortcut, one.body) for one in keeping.canned_replies() if one.shortcut == shortcut), ("", "")
    )


def not_kept_words(code: str) -> str:
    words = {
        "empty": _("Write something first."),
        "long": _("That is too long."),
        "many": _("There are too many of them; remove one first."),
        "shortcut": _("A shortcut is one word of small letters and digits."),
    }
    return str(words.get(code, code))


# --- the way back -------------------------------------------------------------------------------------------


def _back(**added: int) -> ResponseReturnValue:
    """Go back to where the form was, with what the address shall say besides."""
    target = auth.safe_next(request.form.get("next")) or url_for("inbox.inbox")
    path, _mark, query = target.partition("?")
    kept = [(name, value) for name, value in parse_qsl(query) if name != "done"]
    query = urlencode([*kept, *added.items()])
    return redirect(f"{path}?{query}" if query else path, 303)


def _id_of(written: str) -> int | None:
    try:
        return row_id(written)
    except ValueError:
        return None


def _me() -> Operator:
    return db.session.get(Operator, current_user.id) or abort(403)
