"""Two people in one form: whoever saves second is told what the first one changed, and nothing is lost.

A form says in a hidden field how each of its fields was when it was shown (`ui.edited` writes it). The view
asks `overtaken` before it saves: the page is made as it would be shown now, and a field that another person
changed since sends the page back (409), with what was typed in its fields and what differs told above them.
Called by the views of forms that several people edit, and by the macro.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Final

from flask import Response, g, make_response, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from markupsafe import Markup
from sqlalchemy import select

from dashboard.form_markup import SECRET, Field, filled, read_fields
from dashboard.shop_words import actor_word
from models import DeskSetting, Operator, StateChange, db, utc_now
from statements import insert_or_ignore

FIELD: Final = "as_shown"
FORMS: Final = "forms"  # the row that whoever saves one holds
MARK_BYTES: Final = 6
SHOWN_MAX_CHARS: Final = 2_000
Page = Callable[[], ResponseReturnValue]
Marks = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that somebody else changed: what is kept, and whether the reader changed it too."""

    words: str
    kept: str
    is_ours_too: bool


@dataclass(frozen=True, slots=True)
class Edited:
    """A form as the macro writes it: its marks, its fields, and what was changed meanwhile and by whom."""

    marks: str
    fields: Markup
    differences: Sequence[Difference] = ()
    who: str = ""
    at: datetime | None = None
    has_unkept: bool = False


@dataclass(slots=True)
class _Asked:
    """What a view asks of the form that it was sent; the macro answers while the page is made."""

    record: str
    record_id: int | None
    is_overtaken: bool = False


def overtaken(page: Page, record: str = "", record_id: int | None = None) -> Response | None:
    """Give the page to answer with when what the form showed was changed since; None when it may be saved.

    `page` shows the form as it is kept now, `record` with its id finds who changed it in the history. Until
    the commit nobody else saves a form, so of two who saw the same the second is told.
    """
    if FIELD not in request.form:
        return None
    _hold()
    asked = g.edited = _Asked(record, record_id)
    try:
        shown = make_response(page())
    finally:
        del g.edited
    if not asked.is_overtaken:
        return None
    db.session.rollback()
    shown.status_code = HTTPStatus.CONFLICT
    return shown


def edited(fields: Markup, action: str, apart: Sequence[str] = ()) -> Edited:
    """Give a form as it is to be written. `apart` names fields that the view compares itself."""
    is_sent = request.method == "POST" and action == request.path and FIELD in request.form
    if not is_sent:
        return Edited(_marks(fields, apart), fields)
    asked: _Asked | None = g.get("edited")
    if asked is None:  # it comes again for another reason, and was compared before
        return Edited(request.form[FIELD], fields)
    kept, was = read_fields(fields), _read_marks(request.form[FIELD])
    typed = {name: _clean(request.form.getlist(name)) for name in kept}
    changed = [
        name
        for name, one in kept.items()
        if name not in apart and _mark(one.values) not in (was.get(name, NOTHING), _mark(typed[name]))
    ]
    if not changed:
        return Edited(request.form[FIELD], fields)
    asked.is_overtaken = True
    ours = {
        name: values
        for name, values in typed.items()
        if kept[name].kind != SECRET and (name in apart or _mark(values) != was.get(name, NOTHING))
    }
    who, at = _who(asked, was.get("", ""))
    return Edited(
        _marks(fields, apart),
        filled(fields, ours),
        [_difference(kept[name], is_ours_too=name in ours) for name in changed],
        who,
        at,
        has_unkept=_has_unkept(kept, typed),
    )


def is_comparing() -> bool:
    """Whether the page is made to compare: what waits to be told once must wait on."""
    return "edited" in g


def _difference(kept: Field, *, is_ours_too: bool) -> Difference:
    if kept.is_switch:
        shown = _("yes") if kept.values else _("no")
    else:
        shown = kept.shown(kept.values)[:SHOWN_MAX_CHARS] or _("empty")
    return Difference(kept.words, str(shown), is_ours_too)


def _has_unkept(kept: Mapping[str, Field], typed: Mapping[str, Sequence[str]]) -> bool:
    """Whether something was sent that a page cannot give back: a file, a password."""
    is_file = any(file.filename for file in request.files.values())
    return is_file or any(one.kind == SECRET and any(typed[name]) for name, one in kept.items())


def _who(asked: _Asked, shown_at: str) -> tuple[str, datetime | None]:
    """Give who changed the record last since the form was shown, and when; nothing when no line tells."""
    try:
        since = datetime.fromisoformat(shown_at)
    except ValueError:
        return "", None
    steps = select(StateChange).where(StateChange.record == asked.record, StateChange.at >= since)
    if asked.record_id is not None:
        steps = steps.where(StateChange.record_id == asked.record_id)
    step = db.session.scalar(steps.order_by(StateChange.id.desc()).limit(1))
    if step is None:
        return "", None
    operator = db.session.get(Operator, step.operator_id) if step.operator_id is not None else None
    return operator.name if operator is not None else actor_word(step.actor), step.at


# --- marks --------------------------------------------------------------------------------------------------


def _marks(fields: Markup, apart: Sequence[str]) -> str:
    """Write the mark of each field by its name, and under no name when they were shown."""
    marks = {name: _mark(one.values) for name, one in read_fields(fields).items() if name not in apart}
    return json.dumps({"": utc_now().isoformat()} | marks, separators=(",", ":"))


def _mark(values: Sequence[str]) -> str:
    """Give the mark of what a field says; an empty field is one that is not there."""
    said = json.dumps([value for value in _clean(values) if value])
    return hashlib.blake2b(said.encode(), digest_size=MARK_BYTES).hexdigest()


def _clean(values: Sequence[str]) -> list[str]:
    return [value.replace("\r\n", "\n").replace("\0", "") for value in values]


NOTHING: Final = _mark([])


def _read_marks(written: str) -> Marks:
    try:
        found = json.loads(written)
    except ValueError:
        return {}
    marks = found.items() if isinstance(found, dict) else ()
    return {name: mark for name, mark in marks if isinstance(mark, str)}


def _hold() -> None:
    """Let nobody else save a form until the commit, and read anew what was read before."""
    db.session.execute(insert_or_ignore(DeskSetting).values(name=FORMS, value={}, updated_at=utc_now()))
    db.session.execute(select(DeskSetting.name).where(DeskSetting.name == FORMS).with_for_update())
    db.session.expire_all()
