"""A person's data on request (LGPD, GDPR): all of it as a file, and its deletion. For admins.

Both start from a conversation and mean its person, with everything of hers on every number.
"""

import json

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

import media
import privacy
from auth import current_config
from connectors import TITLES
from dashboard.languages import page_language
from dashboard.person_archive import archive_of
from dashboard.threads import find_conversation
from models import Conversation, db, utc_now
from privacy import erasures

bp = Blueprint("person_data", __name__)


@bp.get("/inbox/<int:conversation_id>/export")
def export(conversation_id: int) -> ResponseReturnValue:
    found = _find(conversation_id)
    data = privacy.export_person(privacy.everywhere(found.contact), now=utc_now())
    answer = Response(json.dumps(data, ensure_ascii=False, indent=2), mimetype="application/json")
    answer.headers["Content-Disposition"] = f'attachment; filename="person-{found.contact_id}.json"'
    return answer


@bp.get("/inbox/<int:conversation_id>/export.zip")
def export_archive(conversation_id: int) -> ResponseReturnValue:
    """Give the same to read, with her files, in the language of the page."""
    found = _find(conversation_id)
    data = privacy.export_person(privacy.everywhere(found.contact), now=utc_now())
    content = archive_of(data, current_config().media_dir, page_language())
    answer = Response(content, mimetype="application/zip")
    answer.headers["Content-Disposition"] = f'attachment; filename="person-{found.contact_id}.zip"'
    return answer


@bp.get("/inbox/<int:conversation_id>/delete")
def ask(conversation_id: int) -> ResponseReturnValue:
    return render_template("dashboard/delete_person.html", conversation=_find(conversation_id))


@bp.post("/inbox/<int:conversation_id>/delete")
def delete(conversation_id: int) -> ResponseReturnValue:
    """Delete the person for good, when the box that says so is ticked."""
    found = _find(conversation_id)
    if not request.form.get("sure"):
        flash(_("Tick the box first: nothing was deleted."), "danger")
        return redirect(url_for("person_data.ask", conversation_id=conversation_id), 303)
    config = current_config()
    deleted, receipt = erasures.erase(
        privacy.everywhere(found.contact),
        asked_by="operator",
        secret_key=config.secret_key,
        now=utc_now(),
        operator_id=current_user.id,
    )
    code, left = receipt.receipt, erasures.left_elsewhere(receipt)
    db.session.commit()
    media.remove(deleted.media_paths, config.media_dir)
    flash(
        _(
            "Deleted: %(messages)d messages, %(records)d records, %(files)d files. Receipt: %(receipt)s",
            receipt=code,
            messages=deleted.messages,
            records=deleted.records,
            files=len(deleted.media_paths),
        ),
        "success",
    )
    if left:
        where = ", ".join(f"{TITLES[service]} ({count})" for service, count in left.items())
        flash(_("Still kept elsewhere; delete it there: %(where)s", where=where), "danger")
    return redirect(url_for("inbox.inbox"), 303)


def _find(conversation_id: int) -> Conversation:
    return find_conversation(conversation_id) or abort(404)
