"""Writing to one person when the window is closed, or later: the locked composer's templates, and a page for
what is planned.

Each POST calls one verb and goes back to the conversation; a form that is refused comes back with its words.
"""

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

import conversations
import message_templates
import tasks
from auth import current_config, safe_next
from dashboard import template_picker, template_words, threads
from dashboard.arguments import form_token, moment, row_id
from dashboard.conversation import shown
from message_templates import TemplateRefused
from models import Conversation, MessageTemplate, Operator, db, utc_now
from outreach import scheduled
from outreach.scheduled import NotSchedulable
from teamwork import caseload

VALUE_MAX: Final = 500
PURPOSE: Final = "operator"
# The script asks for the part alone.
PART_HEADER: Final = "X-Part"

bp = Blueprint("reach", __name__)


@dataclass
class Form:
    """What was typed, and why it was refused."""

    body: str = ""
    when: str = ""
    values: dict[str, str] = field(default_factory=dict)
    problem: str = ""


# --- in the locked composer ---------------------------------------------------------------------------------


@bp.get("/inbox/<int:conversation_id>/templates")
def pick(conversation_id: int) -> ResponseReturnValue:
    """The picker alone, for the page's script."""
    found = _find(conversation_id)
    return render_template(
        "dashboard/_template_picker.html",
        conversation=found,
        picker=template_picker.read_picker(found),
        here=url_for("conversation.conversation", conversation_id=conversation_id),
    )


@bp.post("/inbox/<int:conversation_id>/template")
def send_template(conversation_id: int) -> ResponseReturnValue:
    """Send the chosen template, once however often the form is sent, or only show how it will read."""
    found, form = _find(conversation_id), _read()
    template = _template(found, request.form.get("template", type=row_id)) or abort(404)
    if "preview" in request.form:
        return _preview(found, form, template)
    try:
        _send(found, form, template)
    except TemplateRefused as refused:
        db.session.rollback()
        form.problem = _("Not done: %(why)s.", why=template_words.refusal_words(refused.code))
        return _with_picker(_find(conversation_id), form, template), 422
    db.session.commit()
    tasks.wake_outbox(conversation_id)
    flash(_("The template is on its way."), "success")
    page = safe_next(request.form.get("next"))
    return redirect(page or url_for("conversation.conversation", conversation_id=conversation_id), 303)


def _preview(found: Conversation, form: Form, template: MessageTemplate) -> str:
    if PART_HEADER not in request.headers:
        return _with_picker(found, form, template)
    choice = template_picker.choice_of(template)
    return render_template("dashboard/_template_preview.html", choice=choice, values=form.values)


def _with_picker(found: Conversation, form: Form, template: MessageTemplate) -> str:
    page = shown(found, None)
    page["picker"] = template_picker.read_picker(found, template.id, form.values, form.problem)
    return render_template("dashboard/conversation.html", before=None, **page)


# --- the page -----------------------------------------------------------------------------------------------


@bp.get("/inbox/<int:conversation_id>/reach")
def page(conversation_id: int) -> ResponseReturnValue:
    return _page(_find(conversation_id), Form())


@bp.post("/inbox/<int:conversation_id>/reach")
def write(conversation_id: int) -> ResponseReturnValue:
    """Send the chosen template now, or plan it, or free text, for later."""
    found, form = _find(conversation_id), _read()
    template = _template(found, request.form.get("template", type=row_id))
    try:
        due_at = moment(form.when, current_config().zone) if form.when else None
    except ValueError:
        form.problem = _("That is no day and time.")
        return _page(found, form), 422
    if template is None and due_at is None:
        form.problem = _("Choose a template, or say when the words are to be sent.")
        return _page(found, form), 422
    try:
        if due_at is not None:
            _plan(found, form, template, due_at)
        elif template is not None:
            _send(found, form, template)
    except (NotSchedulable, TemplateRefused) as refused:
        db.session.rollback()
        why = template_words.refusal_words(refused.code)
        form.problem = _("Not done: %(why)s.", why=why)
        return _page(_find(conversation_id), form), 422
    db.session.commit()
    if due_at is None:
        tasks.wake_outbox(conversation_id)
        flash(_("The template is on its way."), "success")
        return redirect(url_for("conversation.conversation", conversation_id=conversation_id), 303)
    flash(_("It is planned."), "success")
    return redirect(url_for("reach.page", conversation_id=conversation_id), 303)


@bp.post("/inbox/<int:conversation_id>/reach/<int:scheduled_id>/cancel")
def cancel(conversation_id: int, scheduled_id: int) -> ResponseReturnValue:
    if scheduled.cancel(scheduled_id, _find(conversation_id).id, now=utc_now()):
        db.session.commit()
        flash(_("It will not be sent."), "success")
    else:
        db.session.rollback()
        flash(_("It had left already."), "danger")
    return redirect(url_for("reach.page", conversation_id=conversation_id), 303)


def _send(found: Conversation, form: Form, template: MessageTemplate) -> None:
    operator = _me()
    message_templates.queue(
        found.id,
        template,
        form.values,
        purpose=PURPOSE,
        now=utc_now(),
        sender="operator",
        operator_id=operator.id,
        client_token=form_token(),
    )
    caseload.note_message(found.id)


def _plan(found: Conversation, form: Form, template: MessageTemplate | None, due_at: datetime) -> None:
    scheduled.write(
        found,
        due_at=due_at,
        operator=_me(),
        client_token=form_token(),
        now=utc_now(),
        body=form.body,
        template=template,
        values=form.values,
    )


def _page(found: Conversation, form: Form) -> str:
    rows = template_picker.offered(found)
    chosen = _template(found, request.values.get("template", type=row_id)) or next(iter(rows), None)
    now = utc_now()
    return render_template(
        "dashboard/reach.html",
        conversation=found,
        contact=found.contact,
        rows=rows,
        choice=template_picker.choice_of(chosen) if chosen is not None else None,
        form=form,
        planned=scheduled.of_conversation(found.id),
        is_window_open=conversations.is_window_open(found.last_inbound_at, now),
        client_token=secrets.token_urlsafe(16),
        zone=current_config().time_zone,
        words=template_words,
    )


def _template(found: Conversation, template_id: int | None) -> MessageTemplate | None:
    """Give a template of this conversation's number; another number's is none."""
    row = db.session.get(MessageTemplate, template_id) if template_id is not None else None
    return row if row is not None and row.integration_id == found.integration_id else None


def _read() -> Form:
    def clean(text: str) -> str:
        return text.replace("\r\n", "\n").replace("\0", "")

    values = {
        name.removeprefix("value:"): clean(value)[:VALUE_MAX]
        for name, value in request.form.items()
        if name.startswith("value:")
    }
    body = clean(request.form.get("body", ""))[: scheduled.BODY_MAX_CHARS + 1]
    return Form(body, request.form.get("when", "")[:40], values)


def _find(conversation_id: int) -> Conversation:
    return threads.find_conversation(conversation_id) or abort(404)


def _me() -> Operator:
    return db.session.get_one(Operator, current_user.id)
