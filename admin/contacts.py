"""The address book: looking people up, fields of the shop's own, files in and out, two that are one person.
For managers.
"""

import csv
import io
import time
from collections.abc import Iterator
from typing import Final

from flask import (
    Blueprint,
    Response,
    abort,
    flash,
    redirect,
    render_template,
    request,
    stream_with_context,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

import integrations
import phone
from admin.noting import note
from conversations import JoinedMeanwhile
from dashboard import template_words
from dashboard.arguments import row_id, words
from dashboard.cells import safe_cell
from dashboard.meanwhile import overtaken
from models import Contact, ContactField, Conversation, db, utc_now
from outreach import address_book, lists
from outreach.address_book import FieldTaken
from outreach.lists import ListRefused
from vocabulary import LANGUAGES

FORM_MAX_BYTES: Final = lists.MAX_BYTES + 64 * 1024
PREFIX: Final = "field_"
PART_SIZE: Final = 100
# Between two parts: as long as SQLite waits at most before it asks again, so that everybody else gets a turn.
PAUSE_SECS: Final = 0.1

bp = Blueprint("contacts", __name__)


@bp.get("/contacts")
def list_page() -> str:
    found = address_book.search(words(), request.args.get("before", type=row_id), address_book.PAGE_SIZE + 1)
    rows = found[: address_book.PAGE_SIZE]
    return render_template(
        "admin/contacts.html",
        rows=rows,
        search=words(),
        before=rows[-1].id if len(found) > len(rows) else None,
        fields=address_book.fields(),
        pairs=address_book.pairs() if not words() else [],
        numbers=integrations.numbers(),
    )


@bp.get("/contacts.csv")
def download() -> Response:
    """Give everybody, with the fields of our own."""

    def lines() -> Iterator[str]:
        yield "\ufeff"  # without it Excel reads UTF-8 as Latin-1
        for row in address_book.rows():
            line = io.StringIO()
            csv.writer(line, lineterminator="\r\n").writerow([safe_cell(cell) for cell in row])
            yield line.getvalue()

    headers = {"Content-Disposition": 'attachment; filename="contacts.csv"'}
    return Response(stream_with_context(lines()), mimetype="text/csv", headers=headers)


@bp.post("/contacts/import")
def take_in() -> ResponseReturnValue:
    """Make or complete the people of a file."""
    number = integrations.number(request.form.get("number", 0, type=row_id))
    upload = request.files.get("file")
    if number is None or upload is None or not upload.filename:
        flash(_("Choose a number and a file."), "danger")
        return redirect(url_for("contacts.list_page"), 303)
    region = phone.country(number.display_phone) if number.display_phone else None
    try:
        listed = lists.read(upload.stream.read(lists.MAX_BYTES + 1), region or "BR")
    except ListRefused as refused:
        flash(template_words.list_words(refused.code, refused.detail), "danger")
        return redirect(url_for("contacts.list_page"), 303)
    new = changed = 0
    nobody: list[int] = []
    for place, some in enumerate(listed.parts(PART_SIZE)):
        if place:
            time.sleep(PAUSE_SECS)
        done = address_book.take_in(number, some, now=utc_now())
        db.session.commit()  # a long file must not keep messages waiting for the database
        new, changed, nobody = new + done.new, changed + done.changed, [*nobody, *done.refused]
    note("contact", 0, "", "imported", reason=f"+{new} ~{changed}")
    db.session.commit()
    flash(_("New: %(new)d. Completed: %(changed)d.", new=new, changed=changed), "success")
    if nobody:
        lines = ", ".join(map(str, nobody[: address_book.LINES_SHOWN]))
        flash(_("No telephone number in the lines %(lines)s.", lines=lines), "warn")
    return redirect(url_for("contacts.list_page"), 303)


@bp.post("/contacts/fields")
def add_field() -> ResponseReturnValue:
    try:
        row = address_book.add_field(request.form.get("name", ""), now=utc_now())
    except FieldTaken:
        db.session.rollback()
        flash(_("A field needs a name that no other has."), "danger")
    else:
        note("field", row.id, "", "added", reason=row.name)
        db.session.commit()
        flash(_("The field is there."), "success")
    return redirect(url_for("contacts.list_page"), 303)


@bp.post("/contacts/fields/<int:field_id>")
def rename_field(field_id: int) -> ResponseReturnValue:
    try:
        address_book.rename_field(db.get_or_404(ContactField, field_id), request.form.get("name", ""))
    except FieldTaken:
        db.session.rollback()
        flash(_("A field needs a name that no other has."), "danger")
    else:
        note("field", field_id, "", "changed")
        db.session.commit()
        flash(_("Saved."), "success")
    return redirect(url_for("contacts.list_page"), 303)


@bp.post("/contacts/fields/<int:field_id>/delete")
def drop_field(field_id: int) -> ResponseReturnValue:
    """Delete a field with what stands in it."""
    row = db.get_or_404(ContactField, field_id)
    if request.form.get("sure") != "1":
        flash(_("Confirm that the field goes with everything in it."), "danger")
        return redirect(url_for("contacts.list_page"), 303)
    emptied = address_book.drop_field(row)
    note("field", field_id, "", "deleted")
    db.session.commit()
    flash(_("The field is deleted. Contacts that had something in it: %(count)d.", count=emptied), "success")
    return redirect(url_for("contacts.list_page"), 303)


@bp.route("/contacts/<int:contact_id>", methods=["GET", "POST"])
def edit(contact_id: int) -> ResponseReturnValue:
    contact = _contact(contact_id)
    if contact.merged_into_id is not None:
        return redirect(url_for("contacts.edit", contact_id=contact.merged_into_id))
    fields = address_book.fields()
    if request.method == "GET":
        return _page(contact)
    if late := overtaken(lambda: _page(contact), "contact", contact_id):
        return late
    language = request.form.get("language", "")
    address_book.save(
        contact,
        name=request.form.get("name", ""),
        email=request.form.get("email", ""),
        language=language if language in LANGUAGES else "",
        custom={one.id: request.form.get(f"{PREFIX}{one.id}", "") for one in fields},
    )
    note("contact", contact_id, "", "changed")
    db.session.commit()
    flash(_("The contact is saved."), "success")
    return redirect(url_for("contacts.edit", contact_id=contact_id), 303)


@bp.get("/contacts/<int:contact_id>/join")
def ask_to_join(contact_id: int) -> ResponseReturnValue:
    """Show both before they become one."""
    other = _contact(request.args.get("other", 0, type=row_id))
    kept = _contact(contact_id)
    if not _may_join(kept, other):
        flash(_("Choose another contact."), "danger")
        return redirect(url_for("contacts.edit", contact_id=contact_id))
    both = [(one, _conversations(one)) for one in (kept, other)]
    return render_template(
        "admin/contact_join.html",
        kept=kept,
        other=other,
        both=both,
        fields=address_book.fields(),
        after=address_book.joined(kept, other),
        lost=address_book.lost(kept, other),
    )


@bp.post("/contacts/<int:contact_id>/join")
def join(contact_id: int) -> ResponseReturnValue:
    kept, other = _contact(contact_id), _contact(request.form.get("other", 0, type=row_id))
    if request.form.get("sure") != "1" or not _may_join(kept, other):
        flash(_("Confirm that they are one person; it cannot be undone."), "danger")
        return redirect(url_for("contacts.ask_to_join", contact_id=contact_id, other=other.id), 303)
    other_id = other.id
    try:
        address_book.join(kept, other, now=utc_now())
    except JoinedMeanwhile:
        db.session.rollback()
        flash(_("Somebody joined them a moment ago."), "warn")
        return redirect(url_for("contacts.list_page"), 303)
    note("contact", contact_id, str(other_id), "joined")
    db.session.commit()
    flash(_("The two are one contact now."), "success")
    return redirect(url_for("contacts.edit", contact_id=contact_id), 303)


def _page(contact: Contact) -> str:
    return render_template(
        "admin/contact.html",
        contact=contact,
        fields=address_book.fields(),
        prefix=PREFIX,
        conversations=_conversations(contact),
        found=address_book.search(words(), None, 11) if words() else [],
        search=words(),
    )


def _conversations(contact: Contact) -> list[Conversation]:
    query = (
        select(Conversation)
        .where(Conversation.contact_id == contact.id)
        .options(
            joinedload(Conversation.contact).selectinload(Contact.identities),
            joinedload(Conversation.integration),
        )
    )
    return list(db.session.scalars(query.order_by(Conversation.last_message_at.desc()).limit(20)))


def _may_join(kept: Contact, other: Contact) -> bool:
    return kept.id != other.id and kept.merged_into_id is None and other.merged_into_id is None


def _contact(contact_id: int) -> Contact:
    query = select(Contact).where(Contact.id == contact_id).options(selectinload(Contact.identities))
    return db.session.scalar(query) or abort(404)
