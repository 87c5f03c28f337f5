"""How long each kind of data is kept: its terms, what they would delete, what runs deleted. For admins."""

from typing import Final

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy import select

import desk_settings
import desk_worker
from admin import setting_form
from admin.noting import note
from admin.product_form import Form
from auth import current_config
from dashboard.meanwhile import overtaken
from models import Operator, db, utc_now
from privacy import retention

# Under these a slip of the hand would delete what is still at work: a turn, a dispute, a talk that goes on.
LEAST_DAYS: Final = {"RETENTION_EVENTS_DAYS": 7, "RETENTION_PEOPLE_DAYS": 30}
A_CLICKS_SECS: Final = 10.0  # what is left goes with the worker's next run, or another click

bp = Blueprint("retention", __name__)


@bp.get("/retention")
def page() -> str:
    return _page(Form(_written()))


@bp.post("/retention")
def save() -> ResponseReturnValue:
    """Show what new terms would delete; save them once that has been seen."""
    if late := overtaken(page, "setting"):
        return late
    form = Form(
        {name.lower(): request.form.get(name.lower(), "").strip() for name in desk_settings.RETENTION}
    )
    setting_form.judge(form, desk_settings.RETENTION)
    for name, least in LEAST_DAYS.items():
        text = form.written[name.lower()]
        if name.lower() not in form.problems and text and 0 < int(text) < least:
            form.problems[name.lower()] = _("At least %(count)d days, or 0.", count=least)
    if form.problems:
        return _page(form), 422
    if request.form.get("do") != "save":
        return _page(form, _counted(form))
    if setting_form.save(form, desk_settings.RETENTION):
        flash(_("Saved. What is older goes with the next run."), "success")
    else:
        flash(_("Nothing was changed."), "success")
    return redirect(url_for("retention.page"), 303)


@bp.post("/retention/run")
def run() -> ResponseReturnValue:
    """Delete now what is older than the saved terms allow; asks for a tick first."""
    if request.form.get("sure") != "1":
        flash(_("Tick that you want to delete: it cannot be undone."), "danger")
        return redirect(url_for("retention.page"), 303)
    desk_settings.forget_read()
    done = desk_worker.forget_now(
        current_config(), by=str(current_user.id), now=utc_now(), for_secs=A_CLICKS_SECS
    )
    if done is None:
        flash(_("Another run is at work. Look again in a moment."), "warn")
        return redirect(url_for("retention.page"), 303)
    removed = dict(done.counts)
    note(
        "retention", 0, "", "deleted", reason=", ".join(f"{count} {name}" for name, count in removed.items())
    )
    db.session.commit()
    flash(_("Deleted: %(what)s.", what=_told(removed)) if removed else _("Nothing is old enough."), "success")
    return redirect(url_for("retention.page"), 303)


def _written() -> dict[str, str]:
    base = setting_form.texts_of(current_config(), desk_settings.RETENTION)
    kept = desk_settings.kept().items()
    return base | {name.lower(): text for name, text in kept if name in desk_settings.RETENTION}


def _counted(form: Form) -> dict[str, int]:
    """Count what the terms of a form would delete; an empty one is the environment's."""
    texts = {name: form.written[name.lower()] for name in desk_settings.RETENTION}
    wanted = desk_settings.over(current_config(), {name: text for name, text in texts.items() if text})
    return retention.count(wanted, now=utc_now())


def _page(form: Form, counted: dict[str, int] | None = None) -> str:
    runs = retention.runs()
    ids = {int(one.by) for one in runs if one.by.isdecimal()}
    names = dict(db.session.execute(select(Operator.id, Operator.name).where(Operator.id.in_(ids))).all())
    return render_template(
        "admin/retention.html",
        form=form,
        counted=counted,
        runs=runs,
        told=_told,
        who={str(operator_id): name for operator_id, name in names.items()}
        | {"worker": _("the worker"), "command": _("a command")},
        terms=_terms(),
        what=_words(),
        environment=setting_form.texts_of(current_config(), desk_settings.RETENTION),
        own={name.lower() for name in desk_settings.kept()},
        least={name.lower(): least for name, least in LEAST_DAYS.items()},
    )


def _told(counts: dict[str, int]) -> str:
    words = _words()
    return ", ".join(f"{count} × {words.get(name, name)}" for name, count in counts.items())


def _terms() -> list[tuple[str, str, str]]:
    """Give each term: its field, its name, and what goes with it."""
    return [
        (
            "retention_events_days",
            _("Raw webhooks"),
            _("Settled webhooks of providers and payment services, and entries of lead forms."),
        ),
        (
            "retention_outgoing_days",
            _("What other programs were told"),
            _("Webhooks out with their log; what programs changed through the API."),
        ),
        ("retention_alerts_days", _("Alerts"), _("Those that somebody has acknowledged.")),
        ("retention_model_calls_days", _("Calls to models"), _("What they cost; they hold no words.")),
        ("retention_media_days", _("Files"), _("Files that came with messages; the message stays.")),
        (
            "retention_people_days",
            _("Silent customers"),
            _("Whoever has been silent for so long is deleted with everything of hers; a receipt is kept."),
        ),
    ]


def _words() -> dict[str, str]:
    return {
        "webhook_events": _("raw webhooks"),
        "payment_events": _("webhooks of payment services"),
        "form_entries": _("entries of lead forms"),
        "outgoing_events": _("webhooks out"),
        "api_writes": _("changes through the API"),
        "alerts": _("alerts"),
        "model_calls": _("calls to models"),
        "stored_media": _("files"),
        "contacts": _("customers"),
    }
