"""Investment programmes that the Nexora flow tells of: listed, written, deleted. For managers."""

from typing import Final

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from admin.noting import note
from admin.product_form import Form
from dashboard.meanwhile import overtaken
from models import InvestmentProgram, db, utc_now
from shop.programs import CATEGORIES

LENGTHS: Final = {"name": 255, "country": 100, "processing_time": 100, "link": 500, "description": 4000}
DOLLARS_MAX: Final = 10**12
RANK_MAX: Final = 9_999

bp = Blueprint("programmes", __name__)


@bp.get("/programmes")
def list_page() -> str:
    query = select(InvestmentProgram).order_by(InvestmentProgram.category, InvestmentProgram.rank)
    rows = db.session.scalars(query.limit(500)).all()
    return render_template("admin/programmes.html", rows=rows)


@bp.route("/programmes/new", methods=["GET", "POST"])
def new() -> ResponseReturnValue:
    return (
        _page(Form({"category": CATEGORIES[0], "rank": "0"}), None)
        if request.method == "GET"
        else _save(None)
    )


@bp.route("/programmes/<int:programme_id>", methods=["GET", "POST"])
def edit(programme_id: int) -> ResponseReturnValue:
    row = _row(programme_id)

    def page() -> str:
        names = (*LENGTHS, "category", "minimum_investment", "rank")
        return _page(Form({name: str(getattr(row, name)) for name in names}), row)

    return page() if request.method == "GET" else overtaken(page, "programme", programme_id) or _save(row)


@bp.post("/programmes/<int:programme_id>/delete")
def delete(programme_id: int) -> ResponseReturnValue:
    row = _row(programme_id)
    name = row.name
    db.session.delete(row)
    note("programme", programme_id, "", "deleted")
    db.session.commit()
    flash(_("“%(name)s” is deleted.", name=name), "success")
    return redirect(url_for("programmes.list_page"), 303)


def _save(row: InvestmentProgram | None) -> ResponseReturnValue:
    form = _read()
    if form.problems:
        return _page(form, row), 422
    written = form.written
    kept = row or InvestmentProgram(created_at=utc_now())
    for name in LENGTHS:
        setattr(kept, name, written[name])
    kept.category = written["category"]
    kept.minimum_investment, kept.rank = int(written["minimum_investment"]), int(written["rank"])
    db.session.add(kept)
    try:
        db.session.flush()
    except IntegrityError:
        db.session.rollback()
        form.problems["name"] = _("There is a programme with this name already.")
        return _page(form, row), 422
    note("programme", kept.id, "", "changed" if row is not None else "added")
    db.session.commit()
    flash(_("“%(name)s” is saved.", name=written["name"]), "success")
    return redirect(url_for("programmes.list_page"), 303)


def _read() -> Form:
    names = (*LENGTHS, "category", "minimum_investment", "rank")
    form = Form({name: request.form.get(name, "").replace("\0", "").strip() for name in names})
    written, problems = form.written, form.problems
    for name, most in LENGTHS.items():
        if len(written[name]) > most:
            problems[name] = _("At most %(count)d characters.", count=most)
    if not written["name"]:
        problems["name"] = _("A name is needed.")
    if not written["country"]:
        problems["country"] = _("A country is needed.")
    if written["category"] not in CATEGORIES:
        problems["category"] = _("Choose a category.")
    if written["link"] and not written["link"].startswith("https://"):
        problems["link"] = _("An address that begins with https://")
    for name, most in (("minimum_investment", DOLLARS_MAX), ("rank", RANK_MAX)):
        text = written[name]
        if not (text.isascii() and text.isdecimal() and len(text) < 15 and int(text) <= most):
            problems[name] = _("A whole number.")
    return form


def _page(form: Form, row: InvestmentProgram | None) -> str:
    return render_template(
        "admin/programme.html", form=form, row=row, categories=[(c, c) for c in CATEGORIES]
    )


def _row(programme_id: int) -> InvestmentProgram:
    return db.session.get(InvestmentProgram, programme_id) or abort(404)
