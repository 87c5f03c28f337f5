"""What helps an operator in a conversation: replies to choose from, a summary, a message's translation.

Each is one form of the conversation page. With the page's script the answer is a part of it, else the whole
page again. Nothing is sent from here: a suggestion only fills the composer.
"""

from typing import Any, Final

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

import assisting
import tasks
from dashboard import threads, wording
from dashboard.conversation import BODY_MAX_CHARS, shown
from dashboard.languages import page_language
from models import Conversation, Message, db, utc_now

# The script asks for the part alone.
PART_HEADER: Final = "X-Part"

bp = Blueprint("assist", __name__)


@bp.post("/inbox/<int:conversation_id>/suggestions")
def suggest(conversation_id: int) -> ResponseReturnValue:
    """Offer replies; what stands in the composer stays there."""
    _find(conversation_id)
    suggested = assisting.suggest(tasks.means(), conversation_id, now=utc_now())
    if _wants_part():
        return render_template(
            "dashboard/_suggestions.html", suggested=suggested, conversation=_find(conversation_id)
        )
    return _page(conversation_id, suggested=suggested, draft=_written("body"))


@bp.post("/inbox/<int:conversation_id>/draft")
def draft(conversation_id: int) -> ResponseReturnValue:
    """Put a suggestion into the composer, for who reads without script."""
    return _page(conversation_id, draft=_written("suggestion"))


@bp.post("/inbox/<int:conversation_id>/summary")
def summarise(conversation_id: int) -> ResponseReturnValue:
    """Sum the conversation up anew, in the language of this page."""
    _find(conversation_id)
    summed = assisting.summarise(
        tasks.means(), conversation_id, language=page_language(), now=utc_now()
    ) or abort(404)
    if _wants_part():
        return render_template(
            "dashboard/_summary.html", conversation=_find(conversation_id), failure=summed.failure
        )
    if summed.failure is not None:
        flash(wording.model_failure_words(summed.failure), "warning")
    return redirect(url_for("conversation.conversation", conversation_id=conversation_id), 303)


@bp.post("/inbox/<int:conversation_id>/messages/<int:message_id>/translation")
def translate(conversation_id: int, message_id: int) -> ResponseReturnValue:
    """Show a customer's message in the language of this page; it is kept nowhere."""
    _find(conversation_id)
    message = db.session.get(Message, message_id)
    if message is None or message.conversation_id != conversation_id:
        abort(404)
    worded = assisting.translate(tasks.means(), message_id, language=page_language(), now=utc_now())
    if worded is None:
        abort(404)
    if _wants_part():
        return render_template("dashboard/_translation.html", worded=worded)
    return _page(conversation_id, translations={message_id: worded})


def _page(conversation_id: int, **added: Any) -> str:
    found = _find(conversation_id)
    return render_template("dashboard/conversation.html", before=None, **added, **shown(found, None))


def _find(conversation_id: int) -> Conversation:
    return threads.find_conversation(conversation_id) or abort(404)


def _wants_part() -> bool:
    return PART_HEADER in request.headers


def _written(field: str) -> str:
    """Give what stood in a field, as the composer may hold it."""
    return request.form.get(field, "").replace("\r\n", "\n").replace("\x00", "")[:BODY_MAX_CHARS]
