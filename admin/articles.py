"""What the desk knows: articles to write, import, switch off or delete, and a question to try. For admins."""

from dataclasses import dataclass, replace

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _
from sqlalchemy import select

import knowledge
from admin.noting import note, note_switch
from dashboard import arguments
from dashboard.languages import page_language
from dashboard.meanwhile import overtaken
from knowledge import ArticleRefused, FilesRefused, Problem, Sheet, Upload
from knowledge.files import FILE_MAX_BYTES, FILES_MAX
from models import Article, Integration, db, utc_now
from vocabulary import LANGUAGES

PAGE_SIZE = 25
QUESTION_MAX_CHARS = 300
SHOWN_PROBLEMS = 20

bp = Blueprint("articles", __name__)


@dataclass(frozen=True, slots=True)
class Tried:
    """A question that an admin tries, and what the search finds for it."""

    question: str
    language: str
    integration_id: int | None
    found: tuple[knowledge.Found, ...]


@bp.get("/knowledge")
def articles() -> ResponseReturnValue:
    return _list_page()


@bp.route("/knowledge/new", methods=["GET", "POST"])
def new() -> ResponseReturnValue:
    if request.method == "GET":
        language = _language("language") or page_language()
        return _form_page(Sheet("", "", language))
    sheet = _sheet()
    if "preview" in request.form:
        return _form_page(sheet, has_preview=True)
    try:
        row = knowledge.create_article(sheet, now=utc_now())
    except ArticleRefused as refused:
        return _refused_form(sheet, refused)
    note("article", row.id, "", "added")
    db.session.commit()
    flash(_("“%(title)s” is in the knowledge base.", title=row.title), "success")
    return redirect(url_for("articles.articles"), 303)


@bp.route("/knowledge/<int:article_id>", methods=["GET", "POST"])
def edit(article_id: int) -> ResponseReturnValue:
    row = _row(article_id)
    if request.method == "GET":
        return _form_page(_sheet_of(row), row)
    sheet = _sheet()
    if "preview" in request.form:
        return _form_page(sheet, row, has_preview=True)
    if late := overtaken(lambda: _form_page(_sheet_of(row), row), "article", article_id):
        return late
    try:
        knowledge.change_article(row, sheet, now=utc_now())
    except ArticleRefused as refused:
        return _refused_form(sheet, refused, row)
    note("article", article_id, "", "changed")
    db.session.commit()
    flash(_("“%(title)s” is saved.", title=row.title), "success")
    return redirect(url_for("articles.articles"), 303)


@bp.post("/knowledge/<int:article_id>/switch")
def switch(article_id: int) -> ResponseReturnValue:
    """Let the search find an article, or not, as the form says."""
    row = _row(article_id)
    knowledge.switch_article(row, is_active=request.form.get("active") == "1")
    note_switch("article", article_id, is_on=row.is_active)
    db.session.commit()
    return redirect(url_for("articles.articles", language=row.language), 303)


@bp.post("/knowledge/<int:article_id>/delete")
def delete(article_id: int) -> ResponseReturnValue:
    row = _row(article_id)
    title = row.title
    knowledge.delete_article(row)
    note("article", article_id, "", "deleted")
    db.session.commit()
    flash(_("“%(title)s” is deleted.", title=title), "success")
    return redirect(url_for("articles.articles"), 303)


@bp.post("/knowledge/import")
def import_files() -> ResponseReturnValue:
    """Take over the files of the form, all or none."""
    files = [file for file in request.files.getlist("files") if file.filename][: FILES_MAX + 1]
    uploads = [Upload(file.filename or "", file.stream.read(FILE_MAX_BYTES + 1)) for file in files]
    if not uploads:
        flash(_("Choose a file first."), "danger")
        return redirect(url_for("articles.articles"), 303)
    language = _language("language") or page_language()
    try:
        done = knowledge.import_files(uploads, language=language, now=utc_now())
    except FilesRefused as refused:
        return _list_page(refused.problems), 400
    if done.created or done.changed:
        note("article", 0, "", "imported", reason=f"+{done.created} ~{done.changed}")
    db.session.commit()
    flash(
        _(
            "New: %(created)d. Changed: %(changed)d. As they were: %(unchanged)d.",
            created=done.created,
            changed=done.changed,
            unchanged=done.unchanged,
        ),
        "success",
    )
    return redirect(url_for("articles.articles"), 303)


# --- what the pages show ------------------------------------------------------------------------------------


def _list_page(problems: tuple[Problem, ...] = ()) -> str:
    words = arguments.words()
    language = _language("language") if request.method == "GET" else ""
    page = arguments.page_number()
    rows = knowledge.list_articles(words, language, limit=PAGE_SIZE + 1, offset=(page - 1) * PAGE_SIZE)
    return render_template(
        "admin/articles.html",
        rows=rows[:PAGE_SIZE],
        page=page,
        has_more=len(rows) > PAGE_SIZE,
        words=words,
        language=language,
        used_languages=knowledge.article_languages(),
        languages=_language_names(),
        numbers=_numbers(),
        tried=_tried(),
        problems=[(problem, _problem_words(problem)) for problem in problems[:SHOWN_PROBLEMS]],
        more_problems=max(0, len(problems) - SHOWN_PROBLEMS),
    )


def _tried() -> Tried | None:
    question = arguments.words("try", max_chars=QUESTION_MAX_CHARS)
    if not question:
        return None
    language = _language("try_language") or page_language()
    number = _number("try_number")
    return Tried(question, language, number, knowledge.search(question, language, integration_id=number))


def _form_page(
    sheet: Sheet, row: Article | None = None, *, has_preview: bool = False, error: str = ""
) -> str:
    parts = knowledge.cut(sheet.title.strip(), sheet.body) if has_preview else ()
    return render_template(
        "admin/article.html",
        sheet=sheet,
        row=row,
        parts=parts,
        has_preview=has_preview,
        error=error,
        languages=_language_names(),
        numbers=_numbers(),
    )


def _refused_form(sheet: Sheet, refused: ArticleRefused, row: Article | None = None) -> ResponseReturnValue:
    db.session.rollback()
    return _form_page(sheet, row, error=_problem_words(Problem("", 1, refused.code))), 400


def _language_names() -> dict[str, str]:
    """Name each language as the reader of the page does."""
    names = get_locale().languages
    return {code: names.get(code, code).capitalize() for code in LANGUAGES}


def _problem_words(problem: Problem) -> str:
    """Say what is wrong with a file in the language of the page."""
    detail = problem.detail
    words = {
        "not_a_kind": _("Only .md and .csv files are read."),
        "too_large": _("The file is larger than 1 MB."),
        "too_many": _("There are more than %(count)s of them. Import them in parts.", count=detail),
        "not_utf8": _("The file is not UTF-8 text. Save it as UTF-8 and try again."),
        "no_articles": _("There is no article in it."),
        "bad_front_matter": _("The front matter is not YAML: %(detail)s.", detail=detail),
        "unknown_key": _(
            "The front matter knows title, language, number and active, not “%(key)s”.", key=detail
        ),
        "bad_active": _("“active” is true or false."),
        "no_title": _("There is no title."),
        "long_title": _("The title has more than 200 characters."),
        "no_text": _("There is no text."),
        "long_text": _("The text has more than 50,000 characters."),
        "unknown_language": _("“%(code)s” is no language of the desk.", code=detail),
        "unknown_number": _(
            "“%(number)s” is no number of the desk. Write its name, its id or its telephone number.",
            number=detail,
        ),
        "no_header": _("The first row must name the columns question and answer (and language, number)."),
        "broken_row": _("The row cannot be read: %(detail)s.", detail=detail),
        "no_question": _("The question is empty."),
        "no_answer": _("The answer is empty."),
        "extra_cells": _("The row has more cells than the header. Put texts with commas in quotes."),
        "twice": _("The same title or question stands in %(place)s too.", place=detail),
    }
    return str(words.get(problem.code) or _("The file cannot be read."))


# --- what the forms say -------------------------------------------------------------------------------------


def _row(article_id: int) -> Article:
    return knowledge.article(article_id) or abort(404)


def _language(name: str) -> str:
    """Give the language that the form or the address names, or nothing."""
    written = request.values.get(name, "")
    return written if written in LANGUAGES else ""


def _sheet() -> Sheet:
    """Read the form. In a text that is shown again, lines end as they do here."""
    form = request.form
    body = form.get("body", "").replace("\r\n", "\n")
    sheet = Sheet(form.get("title", ""), body, form.get("language", ""), form.get("active") == "1")
    return replace(sheet, integration_id=_number("number"))


def _sheet_of(row: Article) -> Sheet:
    return Sheet(row.title, row.body, row.language, row.is_active, integration_id=row.integration_id)


def _numbers() -> dict[int, str]:
    """Name our numbers, those that are switched off too: an article may wait for one."""
    rows = db.session.execute(select(Integration.id, Integration.name).order_by(Integration.id))
    return {row.id: row.name for row in rows}


def _number(name: str) -> int | None:
    """Give the number of ours that the form or the address names; None for every number."""
    written = request.values.get(name, "")
    known = {str(number): number for number in _numbers()}
    return known.get(written)
