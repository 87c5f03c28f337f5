"""Message templates: list, sync, write with preview and limits, hand in, and what became of them.

For managers; only admins hand in and sync, which the provider counts. The provider is asked with no
transaction held.
"""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

import history
import integrations
import message_templates
from auth import login_required_role
from dashboard import template_words
from dashboard.arguments import row_id
from integrations import Number
from message_templates import DraftRefused
from models import MessageTemplate, db, utc_now
from providers import provider, templates
from providers.base import SendError
from providers.templates import Button, Draft, Problem, Style, Wording

USAGE: Final = timedelta(days=30)
BUTTON_ROWS: Final = 3
FIELD_MAX_CHARS: Final = 2_000
SID: Final = re.compile(r"HX[0-9a-fA-F]{32}")

bp = Blueprint("template_list", __name__)


@dataclass
class Form:
    """A draft as it was typed; `problems` say at the field what is wrong."""

    written: dict[str, str] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)


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
        number = request.args.get("number", "")
        return _form_page(Form({"number": number, "language": "pt_BR", "category": "utility"}), None)
    return _save(None)


@bp.route("/templates/<int:template_id>/edit", methods=["GET", "POST"])
def edit(template_id: int) -> ResponseReturnValue:
    row = _row(template_id)
    if row.status not in (message_templates.DRAFT, message_templates.REJECTED):
        flash(_("It was handed in and cannot be changed here any more."), "danger")
        return redirect(url_for("template_list.show", template_id=template_id), 303)
    return _form_page(_form_of(row), row) if request.method == "GET" else _save(row)


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
    if not message_templates.begin_submission(row, now=now):
        db.session.rollback()
        flash(_("It was handed in already."), "danger")
        return back
    db.session.commit()
    answer = provider(number.account.provider).submit_template(number.account, draft, external_id)
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


# --- the form -----------------------------------------------------------------------------------------------


def _save(row: MessageTemplate | None) -> ResponseReturnValue:
    form = _read_form()
    draft = _draft(form.written)
    if "preview" in request.form:
        return _form_page(form, row, draft.wording)
    number = _number() if row is None else integrations.number(row.integration_id)
    if number is None:
        abort(404)
    try:
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
    if number.account.provider != "twilio":
        return message_templates.save_draft(number.id, draft, row, now=utc_now())
    if not SID.fullmatch(sid):
        raise DraftRefused([Problem("sid", "bad_sid")])
    return message_templates.save_by_hand(number.id, sid, draft, now=utc_now())


def _field_of(problem: Problem) -> str:
    return f"example:{problem.detail}" if problem.part == "examples" else problem.part


def _read_form() -> Form:
    def clean(text: str) -> str:
        return text.replace("\r\n", "\n").replace("\0", "")[:FIELD_MAX_CHARS]

    return Form({name: clean(value) for name, value in request.form.items() if name != "csrf_token"})


def _draft(written: dict[str, str]) -> Draft:
    header = written.get("header", "").strip()
    names = templates.names_in(written.get("body", ""))
    style: Style = "named" if names and not any(name.isdigit() for name in names) else "numbered"
    examples = {
        name.removeprefix("example:"): value.strip()
        for name, value in written.items()
        if name.startswith("example:") and value.strip()
    }
    wording = Wording(
        body=written.get("body", "").strip(),
        header_kind="text" if header else "",
        header=header,
        footer=written.get("footer", "").strip(),
        buttons=tuple(_buttons(written)),
        examples=examples,
        style=style,
    )
    return Draft(
        written.get("name", "").strip(), written.get("language", ""), written.get("category", ""), wording
    )


def _buttons(written: dict[str, str]) -> list[Button]:
    found = []
    for place in range(BUTTON_ROWS):
        kind, text = written.get(f"button_kind_{place}", ""), written.get(f"button_text_{place}", "").strip()
        value = written.get(f"button_value_{place}", "").strip()
        if not kind:
            continue
        found.append(
            Button(
                kind[:20],
                text,
                url=value if kind == "url" else "",
                phone=value if kind == "phone_number" else "",
                code=value if kind == "copy_code" else "",
            )
        )
    return found


def _form_of(row: MessageTemplate) -> Form:
    wording = message_templates.wording_of(row)
    written = {
        "number": str(row.integration_id),
        "name": row.name,
        "language": row.language,
        "category": row.category,
        "header": wording.header,
        "body": wording.body,
        "footer": wording.footer,
        **{f"example:{key}": value for key, value in wording.examples.items()},
    }
    for place, button in enumerate(wording.buttons[:BUTTON_ROWS]):
        written[f"button_kind_{place}"] = button.kind
        written[f"button_text_{place}"] = button.text
        written[f"button_value_{place}"] = button.url or button.phone or button.code
    return Form(written)


def _form_page(form: Form, row: MessageTemplate | None, wording: Wording | None = None) -> str:
    shown = wording or _draft(form.written).wording
    numbers = message_templates.numbers_with_templates()
    kinds = {number.id: number.provider for number in numbers}
    chosen = form.written.get("number", "")
    return render_template(
        "admin/message_template_form.html",
        form=form,
        row=row,
        numbers=[(number.id, number.name) for number in numbers],
        is_twilio=kinds.get(int(chosen) if chosen.isdecimal() and len(chosen) < 19 else 0) == "twilio",
        languages=[(code, code) for code in templates.LANGUAGE_CODES],
        categories=[(code, template_words.category_word(code)) for code in templates.CATEGORIES],
        kinds=template_words.button_kinds(),
        places=[place for place in templates.placeholders(shown) if place.kind == "text"],
        preview=templates.preview(shown, shown.examples),
        shown=shown,
        button_rows=range(BUTTON_ROWS),
        words=template_words,
    )


def _row(template_id: int) -> MessageTemplate:
    return db.session.get(MessageTemplate, template_id) or abort(404)


def _number() -> Number:
    written = request.form.get("number", "")
    wanted = int(written) if written.isascii() and written.isdecimal() and len(written) < 19 else 0
    return integrations.number(wanted) or abort(404)
