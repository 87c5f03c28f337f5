"""Message templates: list, sync, write with preview and limits, hand in, and what became of them.

For managers; only admins hand in and sync, which the provider counts. The provider is asked with no
transaction held.
"""

import re
from datetime import timedelta
from typing import Final

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

import history
import integrations
import media
import message_templates
from admin import template_form
from admin.template_form import Form
from auth import current_config, login_required_role
from dashboard import template_words
from dashboard.arguments import row_id
from dashboard.meanwhile import overtaken
from integrations import Number
from message_templates import DraftRefused
from models import MessageTemplate, db, utc_now
from providers import provider, templates
from providers.base import OwnFile, SendError
from providers.templates import Draft, Problem, Wording
from providers.twilio import twilio

USAGE: Final = timedelta(days=30)
SID: Final = re.compile(r"HX[0-9a-fA-F]{32}")

bp = Blueprint("template_list", __name__)


@bp.get("/templates")
def list_page() -> ResponseReturnValue:
    wanted = request.args.get("number", type=row_id)
    rows = message_templates.list_templates(wanted)
    return render_template(
        "admin/message_templates.html",
        rows=[(row, message_templates.wording_of(row)) for row in rows],
        used=message_templates.uses([row.id for row in rows], utc_now() - USAGE),
        numbers={row.id: row for row in message_templates.numbers_with_templates()},
        number_id=wanted,
        words=template_words,
    )


@bp.post("/templates/sync")
@login_required_role("admin")
def sync() -> ResponseReturnValue:
    """Ask a number's provider for its templates."""
    number = _number()
    back = redirect(url_for("template_list.list_page", number=number.id), 303)
    wire = provider(number.account.provider)
    if not wire.keeps_templates:
        flash(_("A simulated number keeps its templates here: there is nothing to sync."), "success")
        return back
    db.session.rollback()  # no session is held while the provider answers
    listed = wire.list_templates(number.account)
    if isinstance(listed, SendError):
        flash(_("The list could not be read: %(words)s", words=listed.operator_message), "danger")
        return back
    synced = message_templates.keep_listing(number, listed, now=utc_now())
    db.session.commit()
    flash(
        _(
            "Templates: %(total)d. New: %(new)d. Changed: %(changed)d. Gone: %(gone)d.",
            total=synced.total,
            new=synced.new,
            changed=synced.changed,
            gone=synced.gone,
        ),
        "success",
    )
    return back


@bp.get("/templates/<int:template_id>")
def show(template_id: int) -> ResponseReturnValue:
    row = _row(template_id)
    wording = message_templates.wording_of(row)
    return render_template(
        "admin/message_template.html",
        row=row,
        wording=wording,
        preview=templates.preview(wording, wording.examples),
        places=templates.placeholders(wording),
        number=integrations.number(row.integration_id),
        used=message_templates.uses([row.id], utc_now() - USAGE).get(row.id, 0),
        steps=history.changes_of("template", row.id),
        words=template_words,
        is_ours=row.status in (message_templates.DRAFT, message_templates.REJECTED),
    )


@bp.route("/templates/new", methods=["GET", "POST"])
def new() -> ResponseReturnValue:
    if request.method == "GET":
        known = message_templates.numbers_with_templates()
        number = request.args.get("number", "") or (str(known[0].id) if known else "")
        return _form_page(Form({"number": number, "language": "pt_BR", "category": "utility"}), None)
    return _save(None)


@bp.route("/templates/<int:template_id>/edit", methods=["GET", "POST"])
def edit(template_id: int) -> ResponseReturnValue:
    row = _row(template_id)
    if row.status not in (message_templates.DRAFT, message_templates.REJECTED):
        flash(_("It was handed in and cannot be changed here any more."), "danger")
        return redirect(url_for("template_list.show", template_id=template_id), 303)
    if request.method == "GET":
        return _kept_page(row)
    return _save(row)


@bp.post("/templates/<int:template_id>/delete")
def delete(template_id: int) -> ResponseReturnValue:
    if not message_templates.delete_draft(_row(template_id)):
        flash(_("Only a draft can be deleted here."), "danger")
        return redirect(url_for("template_list.show", template_id=template_id), 303)
    db.session.commit()
    flash(_("The draft is deleted."), "success")
    return redirect(url_for("template_list.list_page"), 303)


@bp.post("/templates/<int:template_id>/submit")
@login_required_role("admin")
def submit(template_id: int) -> ResponseReturnValue:
    """Hand a draft in; a second click finds it handed in."""
    row, now = _row(template_id), utc_now()
    back = redirect(url_for("template_list.show", template_id=template_id), 303)
    number = integrations.number(row.integration_id)
    if number is None:
        flash(_("This number is switched off."), "danger")
        return back
    draft, external_id = message_templates.draft_of(row), row.external_id or ""
    file = _sample(draft.wording.file_id)
    if draft.wording.file_id and file is None:
        flash(_("The file on top is not there any more. Choose it anew."), "danger")
        return back
    if not message_templates.begin_submission(row, now=now, operator_id=current_user.id):
        db.session.rollback()
        flash(_("It was handed in already."), "danger")
        return back
    db.session.commit()
    answer = provider(number.account.provider).submit_template(number.account, draft, external_id, file)
    if not isinstance(answer, SendError):
        message_templates.note_submitted(template_id, answer, now=now)
        flash(_("Handed in. The provider tells what becomes of it."), "success")
    elif answer.outcome == "uncertain":
        flash(_("The line was cut. The next sync tells whether it arrived."), "danger")
    else:
        message_templates.note_refused(template_id, answer.operator_message, now=now)
        flash(_("Not taken: %(words)s", words=answer.operator_message), "danger")
    db.session.commit()
    return back


@bp.post("/templates/<int:template_id>/review")
def review(template_id: int) -> ResponseReturnValue:
    """Ask Twilio now what became of a template; it is asked every five minutes anyway."""
    row = _row(template_id)
    back = redirect(url_for("template_list.show", template_id=template_id), 303)
    number, sid = integrations.number(row.integration_id), row.external_id
    if number is None or sid is None or number.account.provider != "twilio":
        flash(_("The provider tells by itself what becomes of it."), "success")
        return back
    db.session.rollback()  # no session is held while the provider answers
    standing = twilio.template_approval(number.account, sid)
    if isinstance(standing, SendError):
        flash(_("It could not be asked: %(words)s", words=standing.operator_message), "danger")
        return back
    message_templates.note_review(template_id, standing, now=utc_now())
    db.session.commit()
    flash(_("State: %(word)s.", word=template_words.status_word(standing.status)), "success")
    return back


def _sample(file_id: int) -> OwnFile | None:
    config = current_config()
    if not file_id:
        return None
    return media.own_file(
        file_id, config.media_dir, config.own_url, secret_key=config.secret_key, now=utc_now()
    )


# --- the form -----------------------------------------------------------------------------------------------


def _save(row: MessageTemplate | None) -> ResponseReturnValue:
    config = current_config()
    form = template_form.read(request.form, request.files.get(template_form.FILE), config, now=utc_now())
    number = _number_of(form, row)
    draft = template_form.draft_of(form, is_shared=_is_shared(number))
    if "preview" in request.form:
        return _form_page(form, row, draft.wording)
    if row is not None and (late := overtaken(lambda: _kept_page(row), "template", row.id)):
        return late
    if number is None:
        abort(404)
    try:
        if form.refused:
            raise DraftRefused([Problem(template_form.FILE, form.refused)])
        saved = _kept(number, draft, row, form.written.get("sid", "").strip())
    except DraftRefused as refused:
        db.session.rollback()
        for problem in refused.problems:
            form.problems.setdefault(_field_of(problem), template_words.problem_words(problem))
        return _form_page(form, row, draft.wording), 422
    db.session.commit()
    flash(_("“%(name)s” is saved.", name=saved.name), "success")
    return redirect(url_for("template_list.show", template_id=saved.id), 303)


def _kept(number: Number, draft: Draft, row: MessageTemplate | None, sid: str) -> MessageTemplate:
    if row is not None or not sid or number.webhook_shape != "twilio":
        return message_templates.save_draft(number.id, draft, row, now=utc_now(), operator_id=current_user.id)
    if not SID.fullmatch(sid):
        raise DraftRefused([Problem("sid", "bad_sid")])
    return message_templates.save_by_hand(number.id, sid, draft, now=utc_now(), operator_id=current_user.id)


def _field_of(problem: Problem) -> str:
    return f"example:{problem.detail}" if problem.part == "examples" else problem.part


def _kept_page(row: MessageTemplate) -> str:
    return _form_page(template_form.of_row(row, current_config()), row)


def _form_page(form: Form, row: MessageTemplate | None, wording: Wording | None = None) -> str:
    number = _number_of(form, row)
    is_shared = _is_shared(number)
    shown = wording or template_form.draft_of(form, is_shared=is_shared).wording
    return render_template(
        "admin/message_template_form.html",
        form=form,
        row=row,
        numbers=[(one.id, one.name) for one in message_templates.numbers_with_templates()],
        is_shared=is_shared,
        languages=[(code, code) for code in templates.LANGUAGE_CODES],
        categories=[(code, template_words.category_word(code)) for code in templates.CATEGORIES],
        kinds=template_words.button_kinds(),
        places=[place for place in templates.placeholders(shown) if place.kind == "text"],
        preview=templates.preview(shown, shown.examples),
        shown=shown,
        button_rows=template_form.button_rows(form),
        words=template_words,
    )


def _row(template_id: int) -> MessageTemplate:
    return db.session.get(MessageTemplate, template_id) or abort(404)


def _number() -> Number:
    return _number_named(request.form.get("number", "")) or abort(404)


def _number_of(form: Form, row: MessageTemplate | None) -> Number | None:
    if row is not None:
        return integrations.number(row.integration_id)
    return _number_named(form.written.get("number", ""))


def _number_named(written: str) -> Number | None:
    is_id = written.isascii() and written.isdecimal() and len(written) < 19
    return integrations.number(int(written)) if is_id else None


def _is_shared(number: Number | None) -> bool:
    """At Twilio one numbering runs through all parts of a template."""
    return number is not None and number.webhook_shape == "twilio"
