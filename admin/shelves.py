"""Where products stand: categories, which customers choose from, and niches. For managers."""

from typing import Final

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from admin import product_form
from admin.noting import note
from admin.product_form import Form
from auth import current_config
from dashboard.meanwhile import overtaken
from models import Category, Niche, db, utc_now
from shop import assortment
from shop.assortment import InUse, Refused, Shelf
from vocabulary import TEXT_LANGUAGES

KINDS: Final[dict[str, type[Category] | type[Niche]]] = {"category": Category, "niche": Niche}
PLACE_MAX_DIGITS: Final = 4

bp = Blueprint("shelves", __name__)


@bp.get("/categories")
def shelves() -> ResponseReturnValue:
    kind = request.args.get("kind", "")
    return _page(kind if kind in KINDS else "category")


@bp.post("/categories")
def create() -> ResponseReturnValue:
    return _save(_kind(), None)


@bp.post("/categories/<int:shelf_id>")
def change(shelf_id: int) -> ResponseReturnValue:
    kind = _kind()
    row = _row(kind, shelf_id)
    return overtaken(lambda: _page(kind, None, shelf_id), kind, shelf_id) or _save(kind, row)


@bp.post("/categories/<int:shelf_id>/switch")
def switch(shelf_id: int) -> ResponseReturnValue:
    """Show a category to customers or hide it, as the form says."""
    row = _row("category", shelf_id)
    if isinstance(row, Category):
        is_active = request.form.get("active") == "1"
        assortment.switch_category(row, is_active=is_active, now=utc_now(), operator_id=current_user.id)
        db.session.commit()
    return redirect(url_for("shelves.shelves"), 303)


@bp.post("/categories/<int:shelf_id>/delete")
def delete(shelf_id: int) -> ResponseReturnValue:
    kind = _kind()
    row = _row(kind, shelf_id)
    name = row.name
    try:
        assortment.delete_shelf(row)
    except InUse:
        db.session.rollback()
        flash(_("“%(name)s” has products, so it stays.", name=name), "danger")
    else:
        note(kind, shelf_id, "", "deleted")
        db.session.commit()
        flash(_("“%(name)s” is deleted.", name=name), "success")
    return redirect(url_for("shelves.shelves", kind=kind), 303)


def _save(kind: str, row: Shelf | None) -> ResponseReturnValue:
    """Keep a name, or show the page again with what is wrong at its field."""
    form = Form({name: value.replace("\0", "") for name, value in request.form.items()})
    shelf_id = row.id if row is not None else None
    place = form.written.get("position", "").strip() or "0"
    is_whole = place.isascii() and place.isdigit() and len(place) <= PLACE_MAX_DIGITS
    try:
        saved = assortment.save_shelf(
            KINDS[kind],
            row,
            {code: form.written.get(f"name_{code}", "") for code in TEXT_LANGUAGES},
            language=_language(),
            position=int(place) if is_whole else -1,
            now=utc_now(),
            operator_id=current_user.id,
        )
    except Refused as refused:
        db.session.rollback()
        form.problems = {
            name: product_form.problem_words(name, code) for name, code in refused.problems.items()
        }
        return _page(kind, form, shelf_id), 422
    db.session.commit()
    flash(_("“%(name)s” is saved.", name=saved.name), "success")
    return redirect(url_for("shelves.shelves", kind=kind), 303)


def _page(kind: str, refused: Form | None = None, refused_id: int | None = None) -> str:
    """Show all of a kind, each with its form; the one that was refused open, and as it was written."""
    rows: list[Shelf] = [*(assortment.list_categories() if kind == "category" else assortment.list_niches())]
    forms = [(row, _form_of(row)) for row in rows]
    if refused is not None:
        forms = [(row, refused if row.id == refused_id else form) for row, form in forms]
    return render_template(
        "admin/shelves.html",
        kind=kind,
        forms=forms,
        fresh=refused if refused is not None and refused_id is None else Form(),
        refused_id=refused_id,
        counts=assortment.count_products(KINDS[kind]),
        languages=(_language(), *(code for code in TEXT_LANGUAGES if code != _language())),
    )


def _form_of(row: Shelf) -> Form:
    names = assortment.names_of(row, _language())
    return Form({**{f"name_{code}": name for code, name in names.items()}, "position": str(row.position)})


def _kind() -> str:
    kind = request.form.get("kind", "")
    return kind if kind in KINDS else abort(400)


def _row(kind: str, shelf_id: int) -> Shelf:
    return assortment.shelf_of(KINDS[kind], shelf_id) or abort(404)


def _language() -> str:
    return str(current_config().default_language)
