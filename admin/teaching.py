"""What the desk is taught: how right it was, its models and their training, examples and phrases. For admins.

A training is half a minute of computing, so a worker does it (`tasks.retrain`) and the page shows the last
report; a request that long would hold a web thread and run into proxies' limits.
"""

from collections.abc import Mapping
from urllib.parse import urlencode

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

import lanes
import tasks
from admin.noting import note
from dashboard import arguments
from dashboard.arguments import row_id
from models import db, utc_now
from training import corrections, examples, lessons
from training.examples import Wanted
from training.refusals import LABELS_OF, MAX_TEXT_CHARS, TASKS, TeachingRefused
from vocabulary import LANGUAGES

PAGE_SIZE = 50
ACCURACY_DAYS = 30
# Fewer lines than this and a difference of some percent may be chance.
FEW_LINES = 50

bp = Blueprint("teaching", __name__)


@bp.get("/teaching")
def teaching() -> ResponseReturnValue:
    return render_template(
        "admin/teaching.html",
        accuracies=corrections.accuracy(ACCURACY_DAYS, now=utc_now()),
        days=ACCURACY_DAYS,
        counts=examples.counts(),
        versions=lessons.list_versions(),
        is_training=lanes.is_held(tasks.TRAINING_LANE),
        few=FEW_LINES,
    )


@bp.post("/teaching/train")
def train() -> ResponseReturnValue:
    if not any(examples.counts().values()) and not lessons.list_versions():
        flash(_("There is nothing of your own to learn yet."), "danger")
    elif tasks.ask_for_training():
        note("training", 0, "", "begun")
        db.session.commit()
        flash(_("The training has begun. It takes up to a minute; load the page again to see it."), "success")
    else:
        flash(_("No worker could be told. Try again in a moment."), "danger")
    return redirect(url_for("teaching.teaching"), 303)


@bp.post("/teaching/go-back")
def go_back() -> ResponseReturnValue:
    lessons.go_back()
    note("training", 0, "", "as shipped")
    db.session.commit()
    flash(_("The shipped models read again. Your examples stay for the next training."), "success")
    return redirect(url_for("teaching.teaching"), 303)


# --- examples -----------------------------------------------------------------------------------------------


@bp.get("/teaching/examples")
def list_examples() -> ResponseReturnValue:
    return _examples_page({})


@bp.post("/teaching/examples")
def add_examples() -> ResponseReturnValue:
    form = request.form
    given = {name: form.get(name, "") for name in ("task", "label", "language", "lines")}
    task, label = _task_and_label(given["label"])
    try:
        added = examples.add_examples(
            task, label, given["language"], given["lines"].splitlines(), now=utc_now()
        )
    except TeachingRefused as error:
        db.session.rollback()
        flash(_refusal(error), "danger")
        return _examples_page(given), 422
    if added.new or added.relabelled:
        note("example", 0, "", "added", reason=f"{label}: +{added.new} ~{added.relabelled}")
    db.session.commit()
    flash(
        _(
            "New: %(new)d, relabelled: %(changed)d, known already: %(known)d. They count after training.",
            new=added.new,
            changed=added.relabelled,
            known=added.known,
        ),
        "success",
    )
    return redirect(url_for("teaching.list_examples", task=task, label=label), 303)


@bp.post("/teaching/examples/delete")
def delete_examples() -> ResponseReturnValue:
    ids = [number for number in request.form.getlist("id", type=row_id) if number is not None]
    count = examples.remove_examples(ids)
    if count:
        note("example", 0, "", "deleted", reason=f"-{count}")
    db.session.commit()
    flash(_("Examples deleted: %(count)d.", count=count), "success")
    return redirect(f"{url_for('teaching.list_examples')}?{urlencode(_filter())}", 303)


def _examples_page(given: Mapping[str, str]) -> str:
    chosen = _filter()
    before = request.args.get("before", type=row_id)
    wanted = Wanted(
        chosen.get("task", ""), chosen.get("label", ""), chosen.get("language", ""), chosen.get("q", "")
    )
    rows = examples.list_examples(wanted, before=before, limit=PAGE_SIZE + 1)
    return render_template(
        "admin/examples.html",
        rows=rows[:PAGE_SIZE],
        next_before=rows[PAGE_SIZE - 1].id if len(rows) > PAGE_SIZE else None,
        chosen=chosen,
        query=urlencode(chosen),
        given=given,
        languages=LANGUAGES,
        tasks=TASKS,
        max_lines=examples.MAX_LINES,
        max_chars=MAX_TEXT_CHARS,
    )


def _filter() -> dict[str, str]:
    """Read the filter from the address; what is not in a closed list counts as not given."""
    args = request.args
    task = args.get("task", "")
    known = {
        "task": task if task in TASKS else "",
        "label": args.get("label", "") if args.get("label") in LABELS_OF.get(task, ()) else "",
        "language": args.get("language", "") if args.get("language") in LANGUAGES else "",
        "q": arguments.words(),
    }
    return {name: value for name, value in known.items() if value}


def _task_and_label(written: str) -> tuple[str, str]:
    """Read one choice of the list of all labels: `intent:complaint`. The verbs refuse what is none."""
    task, _colon, label = written.partition(":")
    return task, label


# --- phrases ------------------------------------------------------------------------------------------------


@bp.get("/teaching/phrases")
def list_phrases() -> ResponseReturnValue:
    return _phrases_page({})


@bp.post("/teaching/phrases")
def add_phrase() -> ResponseReturnValue:
    given = {name: request.form.get(name, "") for name in ("label", "phrase")}
    try:
        row = examples.add_phrase(*_task_and_label(given["label"]), given["phrase"], now=utc_now())
    except TeachingRefused as error:
        db.session.rollback()
        flash(_refusal(error), "danger")
        return _phrases_page(given), 422
    note("phrase", row.id, "", "added", reason=given["label"])
    db.session.commit()
    flash(_("The phrase counts from now on."), "success")
    return redirect(url_for("teaching.list_phrases"), 303)


@bp.post("/teaching/phrases/<int:phrase_id>/delete")
def delete_phrase(phrase_id: int) -> ResponseReturnValue:
    if examples.remove_phrase(phrase_id):
        note("phrase", phrase_id, "", "deleted")
    db.session.commit()
    flash(_("The phrase is deleted."), "success")
    return redirect(url_for("teaching.list_phrases"), 303)


def _phrases_page(given: Mapping[str, str]) -> str:
    return render_template(
        "admin/phrases.html",
        phrases=examples.list_phrases(),
        given=given,
        most=examples.MAX_PHRASES,
        max_chars=examples.MAX_PHRASE_CHARS,
    )


def _refusal(error: TeachingRefused) -> str:
    words: Mapping[str, str] = {
        "task": _("Choose a label."),
        "label": _("Choose a label."),
        "language": _("Choose a language."),
        "empty": _("Write something first."),
        "too_short": _("A phrase needs at least two letters, or an emoji."),
        "too_long": _("One of the lines is too long."),
        "too_many": _("That is more than there is room for."),
    }
    return words.get(error.code, str(error))
