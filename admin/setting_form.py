"""What the forms of settings share: texts as the environment has them, what is wrong with a typed one, saving
with a line in the audit log.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from flask_babel import gettext as _

import desk_settings
from admin.noting import note
from admin.product_form import Form
from auth import current_config
from config import VARIABLES, Config, ConfigError, check_texts
from config_kinds import Variable
from models import db, utc_now

ROWS: Final[Mapping[str, Variable]] = {row.name: row for row in VARIABLES}
TEXT_MAX_CHARS: Final = 400


def text_of(value: Any) -> str:
    """Write a setting's value as the environment would have it."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case tuple():
            return ", ".join(value)
        case Decimal():
            return format(value, "f")
        case float():
            return f"{value:g}"
    return str(value)


def texts_of(config: Config, names: Sequence[str]) -> dict[str, str]:
    """Give some settings as texts, by the names of their fields."""
    return {name.lower(): text_of(getattr(config, name.lower())) for name in names}


def judge(form: Form, names: Sequence[str]) -> None:
    """Note at its field what the table of settings does not accept."""
    for name in names:
        row, text = ROWS[name], form.written[name.lower()]
        try:
            check_texts({name: text})
        except ConfigError:
            bounds = {"low": f"{row.low or 0:g}", "high": f"{row.high or 0:.12g}"}
            is_number = row.high is not None
            words = _("A number from %(low)s to %(high)s.", **bounds) if is_number else _("Choose one.")
            form.problems[name.lower()] = words
        if len(text) > TEXT_MAX_CHARS:
            form.problems[name.lower()] = _("At most %(count)d characters.", count=TEXT_MAX_CHARS)


def save(form: Form, names: Sequence[str], may_be_empty: Sequence[str] = ()) -> int:
    """Keep what the form says otherwise than the environment, and note each change. Commits.

    A field that says the same as the environment follows it from now on, and so does an empty one, unless
    emptiness is a wish of its own. Gives how many settings changed. Raises ConfigError.
    """
    base = current_config()
    wanted: dict[str, str | None] = {}
    for name in names:
        text = form.written[name.lower()]
        is_as_before = check_texts({name: text})[name.lower()] == getattr(base, name.lower())
        is_left = not text and name not in may_be_empty
        wanted[name] = None if is_as_before or is_left else text
    return keep(wanted)


def keep(wanted: Mapping[str, str | None]) -> int:
    """Save, note each change in the audit log, commit, and let this process read anew."""
    base = current_config()
    changes = desk_settings.save(wanted, now=utc_now())
    for change in changes:
        own = text_of(getattr(base, change.name.lower()))
        before, after = (own if text is None else text for text in (change.before, change.after))
        place = desk_settings.NAMES.index(change.name) + 1
        note("setting", place, "", "changed", reason=f"{change.name}: {before or '–'} → {after or '–'}")
    db.session.commit()
    desk_settings.forget_read()
    return len(changes)
