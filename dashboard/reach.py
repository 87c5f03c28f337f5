"""Writing to one person when the window is closed, or later: the template picker and what is planned.

The conversation page links here. Each POST calls one verb and goes back to the conversation; a form that is
refused comes back with its words.
"""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

import conversations
import message_templates
import tasks
from auth import current_config
from dashboard import template_words
from dashboard.arguments import row_id
from message_templates import TemplateRefused
from models import Contact, Conversation, MessageTemplate, Operator, db, utc_now
from outreach import scheduled
from outreach.scheduled import NotSchedulable
from providers import templates

VALUE_MAX: Final = 500
TOKEN_MAX: Final = 64
PURPOSE: Final = "operator"

bp = Blueprint("reach", __name__)


@dataclass
class Form:
    """What was typed, and why it was refused."""

    body: str = ""
    when: str = ""
    values: dict[str, str] = field(default_factory=dict)
    problem: str = ""


@bp.get("/inbox/<int:conversation_id>/reach")
def page(conversation_id: int) -> ResponseReturnValue:
    return _page(_find(conversation_id), Form())


@bp.post("/inbox/<int:conversation_id>/reach")
def write(conversation_id: int) -> ResponseReturnValue:
    """Send the chosen template now, or plan it, or free text, for later."""
    found, form = _find(conversation_id), _read()
    template = _template(found, request.form.get("template", type=row_id))
    try:
        due_at = _moment(form.when)
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
        client_token=_token(),
    )


def _plan(found: Conversation, form: Form, template: MessageTemplate | None, due_at: datetime) -> None:
    scheduled.write(
        found,
        due_at=due_at,
        operator=_me(),
        client_token=_token(),
        now=utc_now(),
        body=form.body,
        template=template,
        values=form.values,
    )


def _page(found: Conversation, form: Form) -> str:
    contact = db.session.get_one(Contact, found.contact_id)
    rows = message_templates.list_templates(found.integration_id, usable=True)
    chosen = _template(found, request.values.get("template", type=row_id)) or _first(rows, contact)
    wording = message_templates.wording_of(chosen) if chosen is not None else None
    now = utc_now()
    return render_template(
        "dashboard/reach.html",
        conversation=found,
        contact=contact,
        rows=rows,
        chosen=chosen,
        wording=wording,
        places=templates.placeholders(wording) if wording is not None else (),
        preview=templates.preview(wording, form.values) if wording is not None else "",
        form=form,
        planned=scheduled.of_conversation(found.id),
        is_window_open=conversations.is_window_open(found.last_inbound_at, now),
        client_token=secrets.token_urlsafe(16),
        zone=current_config().time_zone,
        words=template_words,
    )


def _first(rows: list[MessageTemplate], contact: Contact) -> MessageTemplate | None:
    """Give the first template in the person's own language, else the first."""
    spoken = contact.language or ""
    mine = [row for row in rows if spoken and row.language.partition("_")[0] == spoken]
    return next(iter(mine or rows), None)


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


def _moment(written: str) -> datetime | None:
    """Read a day and time of the business's zone. Raises ValueError."""
    if not written:
        return None
    local = datetime.fromisoformat(written)
    return (local if local.tzinfo else local.replace(tzinfo=current_config().zone)).astimezone(UTC)


def _find(conversation_id: int) -> Conversation:
    return db.session.get(Conversation, conversation_id) or abort(404)


def _me() -> Operator:
    return db.session.get_one(Operator, current_user.id)


def _token() -> str:
    return request.form.get("client_token", "")[:TOKEN_MAX] or secrets.token_urlsafe(16)
