"""What is for sale: products to list, write, put on sale, take off and delete; their pictures and keys.

For managers. `product_form` reads and shows the form; a form that is refused comes back whole.
"""

from functools import partial
from typing import Final

from flask import Blueprint, abort, flash, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

import media
from admin import product_form
from admin.noting import note
from admin.product_form import CURRENCIES, Form
from auth import current_config
from dashboard import arguments
from dashboard.arguments import row_id
from dashboard.meanwhile import overtaken
from models import Product, StoredFile, db, utc_now
from shop import assortment, catalog, pictures
from shop.assortment import Goods, InUse, Refused
from vocabulary import TEXT_LANGUAGES

PAGE_SIZE: Final = 50

bp = Blueprint("products", __name__)


@bp.get("/products")
def products() -> ResponseReturnValue:
    words = arguments.words()
    wanted = request.args.get("category", type=row_id)
    page = arguments.page_number()
    rows = assortment.list_products(words, wanted, limit=PAGE_SIZE + 1, offset=(page - 1) * PAGE_SIZE)
    return render_template(
        "admin/products.html",
        rows=rows[:PAGE_SIZE],
        page=page,
        has_more=len(rows) > PAGE_SIZE,
        words=words,
        categories={row.id: row for row in assortment.list_categories()},
        category_id=wanted,
        keys=assortment.count_keys([row.id for row in rows]),
        language=_language(),
        delivery_words=product_form.delivery_words(),
        shown_name=catalog.shown_name,
        priced=product_form.priced,
        now=utc_now(),
    )


@bp.route("/products/new", methods=["GET", "POST"])
def new() -> ResponseReturnValue:
    if request.method == "GET":
        fresh = Goods(language=_language(), category_id=request.args.get("category", type=row_id))
        return _form_page(product_form.form_of(fresh, current_config()), None)
    return _save(None)


@bp.route("/products/<int:product_id>", methods=["GET", "POST"])
def edit(product_id: int) -> ResponseReturnValue:
    row = _row(product_id)
    return _kept_page(row) if request.method == "GET" else _save(row)


@bp.post("/products/<int:product_id>/switch")
def switch(product_id: int) -> ResponseReturnValue:
    """Put a product on sale or take it off, as the form says."""
    is_active = request.form.get("active") == "1"
    assortment.switch_product(
        _row(product_id), is_active=is_active, now=utc_now(), operator_id=current_user.id
    )
    db.session.commit()
    return redirect(url_for("products.products"), 303)


@bp.post("/products/<int:product_id>/delete")
def delete(product_id: int) -> ResponseReturnValue:
    row = _row(product_id)
    name = row.name
    try:
        assortment.delete_product(row)
    except InUse:
        db.session.rollback()
        flash(
            _("“%(name)s” was ordered or lies in a cart, so it stays. Take it off sale instead.", name=name),
            "danger",
        )
        return redirect(url_for("products.edit", product_id=product_id), 303)
    note("product", product_id, "", "deleted")
    db.session.commit()
    flash(_("“%(name)s” is deleted.", name=name), "success")
    return redirect(url_for("products.products"), 303)


@bp.post("/products/<int:product_id>/keys/drop")
def drop_keys(product_id: int) -> ResponseReturnValue:
    """Throw away the licence keys that nobody has."""
    count = assortment.drop_free_keys(_row(product_id).id)
    if count:
        note("product", product_id, "", "keys dropped", reason=f"-{count}")
    db.session.commit()
    flash(_("Keys thrown away: %(count)d.", count=count), "success")
    return redirect(url_for("products.edit", product_id=product_id, _anchor="delivery"), 303)


@bp.get("/products/<int:product_id>/picture")
def picture(product_id: int) -> ResponseReturnValue:
    """Show a product's picture; what is served as one was checked to be one."""
    row = _row(product_id)
    file = db.session.get(StoredFile, row.image_id) if row.image_id is not None else None
    path = media.file_of(file, current_config().media_dir) if file is not None else None
    if file is None or path is None or file.mime_type not in pictures.KINDS.values():
        abort(404)
    return send_file(path, mimetype=file.mime_type)


def _save(row: Product | None) -> ResponseReturnValue:
    """Keep what the form says and go to the list, or show the form again with what is wrong."""
    now, config = utc_now(), current_config()
    product_id = row.id if row is not None else None
    form = product_form.read_form(request.form, request.files, config)
    if row is not None and (late := overtaken(partial(_kept_page, row), "product", row.id)):
        return late
    goods = product_form.read_goods(form, language=_language(), config=config)
    row = _row(product_id) if product_id is not None else None
    try:
        if form.problems:
            raise Refused(assortment.problems_of(goods, row, now=now) | form.problems)
        saved = assortment.save_goods(goods, row, now=now, operator_id=current_user.id)
        added = assortment.add_keys(saved.id, form.written.get("keys", ""), now=now)
        if product_id is not None:
            note("product", saved.id, "", "changed")
    except Refused as refused:
        db.session.rollback()
        form.problems = {
            name: product_form.problem_words(name, code) for name, code in refused.problems.items()
        }
        return _form_page(form, _row(product_id) if product_id is not None else None), 422
    db.session.commit()
    flash(_("“%(name)s” is saved.", name=saved.name), "success")
    if added.added or added.known:
        flash(
            _("Keys added: %(added)d. There before: %(known)d.", added=added.added, known=added.known),
            "success",
        )
    return redirect(url_for("products.products"), 303)


def _kept_page(row: Product) -> str:
    return _form_page(product_form.form_of(assortment.goods_of(row, _language()), current_config()), row)


def _form_page(form: Form, row: Product | None) -> str:
    currency = form.written.get("currency", "")
    changes = assortment.changes_of(row) if row is not None else ()
    used = () if currency in CURRENCIES or len(currency) > 3 else (currency,)
    return render_template(
        "admin/product.html",
        form=form,
        row=row,
        languages=_languages(),
        categories=[(one.id, one.name) for one in assortment.list_categories()],
        niches=[(one.id, one.name) for one in assortment.list_niches()],
        currencies=[(code, code) for code in (*CURRENCIES, *used)],
        delivery_words=product_form.delivery_words(),
        keys=assortment.count_keys([row.id]).get(row.id) if row is not None else None,
        zone=current_config().time_zone,
        changes=[one for one in changes if one.after in (assortment.ON_SALE, assortment.OFF_SALE)],
    )


def _languages() -> tuple[str, ...]:
    """Give the languages of the customers' texts, the shop's own first."""
    own = _language()
    return (own, *(code for code in TEXT_LANGUAGES if code != own))


def _language() -> str:
    return current_config().default_language


def _row(product_id: int) -> Product:
    return db.session.get(Product, product_id) or abort(404)
