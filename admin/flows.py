"""Flows as text and as a drawing: a draft, tried in the simulator, published as the next version, and back.
For admins.
"""

import difflib
import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy import select

import flow_versions
import integrations
from admin.flow_drawing import Drawing, draw
from admin.noting import note
from auth import current_config
from flow_files import FlowError, shipped
from flow_versions import FlowRefused
from flow_versions.drafts import check, read_text
from models import FlowVersion, Integration, Operator, db, utc_now

SOURCE_MAX_CHARS: Final = 400_000
FORM_MAX_BYTES: Final = 4 * SOURCE_MAX_CHARS + 64 * 1024
REASON_MAX_CHARS: Final = 200
DIFFERENCE_MOST: Final = 2_000
SIMULATED: Final = "simulator"

bp = Blueprint("flows", __name__)


@dataclass(frozen=True, slots=True)
class Shown:
    """A text, what is wrong with it, and how it looks."""

    source: str
    problem: str
    problem_line: int
    drawing: Drawing | None


@bp.get("/flows")
def list_page() -> str:
    walked = flow_versions.look()
    drafts = set(db.session.scalars(select(FlowVersion.flow).where(FlowVersion.version.is_(None))))
    numbers = db.session.execute(select(Integration.start_flow, Integration.name)).all()
    return render_template(
        "admin/flows.html",
        flows=sorted(walked.values(), key=lambda flow: flow.name),
        drafts=drafts,
        only_drafts=sorted(drafts - set(walked)),
        numbers={flow: [name for start, name in numbers if start == flow] for flow in walked},
        shipped=shipped(),
    )


@bp.post("/flows")
def begin() -> ResponseReturnValue:
    """Make a new flow's draft from another flow's text."""
    name = request.form.get("name", "").strip().lower()[:60]
    try:
        like = request.form.get("like", "")
        row = flow_versions.begin(name, like, now=utc_now(), operator_id=current_user.id)
    except FlowRefused as refused:
        db.session.rollback()
        words = {
            "taken": _("There is a flow with this name already."),
            "many": _("There are too many flows; they can be changed."),
        }
        flash(words.get(str(refused), _("A name has small letters, digits and _, up to 40.")), "danger")
        return redirect(url_for("flows.list_page"), 303)
    note("flow", row.id, "", "added", reason=name)
    db.session.commit()
    return redirect(url_for("flows.edit", flow=name), 303)


@bp.get("/flows/<flow>")
def edit(flow: str) -> str:
    source = flow_versions.text_of(flow)
    return abort(404) if source is None else _page(flow, source)


@bp.post("/flows/<flow>")
def save(flow: str) -> ResponseReturnValue:
    """Keep the text as the draft, and then do what the button says: only keep, try, publish, throw away.

    Refused when the kept text is another than the one that the form was opened with: of two people in one
    flow, none overwrites the other unseen.
    """
    flow_versions.hold_drafts(now=utc_now())
    kept = flow_versions.text_of(flow)
    if kept is None:
        abort(404)
    source = request.form.get("source", "").replace("\r\n", "\n").replace("\0", "")[: SOURCE_MAX_CHARS + 1]
    what = request.form.get("do", "")
    if request.form.get("base", "") != _mark(kept) and (what == "drop" or source != kept):
        db.session.rollback()
        return _page(flow, source, kept=kept), 409
    if what == "drop":
        flow_versions.drop_draft(flow)
        note("flow", 0, "", "draft dropped", reason=flow)
        db.session.commit()
        flash(_("The draft is thrown away."), "success")
        return redirect(url_for("flows.list_page" if not _is_walked(flow) else "flows.edit", flow=flow), 303)
    flow_versions.save_draft(flow, source, now=utc_now(), operator_id=current_user.id)
    db.session.commit()
    try:
        check(flow, source)
        if what == "publish":
            return _publish(flow, source)
        if what == "try":
            return _try(flow)
    except FlowError as error:
        db.session.rollback()
        said = error.mistake.sentence(_)
        flash(_("The draft is kept. It has a mistake: %(problem)s", problem=said), "danger")
        return _page(flow, source), 422
    flash(_("The draft is kept. Nothing is wrong with it."), "success")
    return redirect(url_for("flows.edit", flow=flow), 303)


@bp.get("/flows/<flow>/versions/<int:version_id>")
def version(flow: str, version_id: int) -> str:
    """Show what an older version says otherwise than the one that is walked now."""
    row = _version(flow, version_id)
    now = flow_versions.source_of(flow) or ""
    return render_template(
        "admin/flow_version.html", flow=flow, row=row, lines=list(_difference(row.source, now))
    )


@bp.post("/flows/<flow>/versions/<int:version_id>/restore")
def restore(flow: str, version_id: int) -> ResponseReturnValue:
    return _go_back(flow, _version(flow, version_id))


@bp.post("/flows/<flow>/versions/shipped/restore")
def restore_shipped(flow: str) -> ResponseReturnValue:
    """Go back to the file that came with the program."""
    return _go_back(flow, None) if flow in shipped() else abort(404)


def _go_back(flow: str, row: FlowVersion | None) -> ResponseReturnValue:
    try:
        made = flow_versions.go_back(row, flow, now=utc_now(), operator_id=current_user.id)
    except FlowError as error:
        db.session.rollback()
        flash(error.mistake.sentence(_), "danger")
        return redirect(url_for("flows.edit", flow=flow), 303)
    number = made.version
    db.session.commit()
    flow_versions.forget()
    flash(_("The older text is published as version %(version)d.", version=number), "success")
    return redirect(url_for("flows.edit", flow=flow), 303)


def _publish(flow: str, source: str) -> ResponseReturnValue:
    reason = request.form.get("reason", "").replace("\0", "").strip()[:REASON_MAX_CHARS]
    made = flow_versions.publish(flow, source, reason=reason, now=utc_now(), operator_id=current_user.id)
    number = made.version
    db.session.commit()
    flow_versions.forget()
    flash(
        _("Version %(version)d is published. Open conversations stay in theirs.", version=number), "success"
    )
    return redirect(url_for("flows.edit", flow=flow), 303)


def _try(flow: str) -> ResponseReturnValue:
    """Give the draft to a simulated number of its own, and go there."""
    name = f"{_('Draft')}: {flow}"[:120]
    number_id = f"try-{flow}"
    row = db.session.scalar(
        select(Integration).where(Integration.provider == SIMULATED, Integration.number_id == number_id)
    )
    if row is None:
        row = integrations.create(
            provider=SIMULATED,
            shape="meta",
            number_id=number_id,
            business_id=f"simulated-{secrets.token_hex(4)}",
            name=name,
            app_secret=secrets.token_hex(16),
            access_token=secrets.token_hex(16),
            verify_token=secrets.token_hex(8),
            start_flow=flow,
            language=str(current_config().default_language),
        )
    flow_versions.try_with(row.id, flow, now=utc_now())
    row_id = row.id
    db.session.commit()
    flow_versions.forget()
    return redirect(url_for("simulator.simulator", number=row_id), 303)


def _mark(text: str) -> str:
    """Give the mark of a text, by which a form knows whether it still stands."""
    return hashlib.sha256(text.encode()).hexdigest()


def _page(flow: str, source: str, *, kept: str | None = None) -> str:
    """Show a text; `kept` is what somebody saved meanwhile instead."""
    versions = flow_versions.versions_of(flow)
    names = {
        row.id: row.name
        for row in db.session.scalars(
            select(Operator).where(Operator.id.in_({one.operator_id for one in versions}))
        )
    }
    return render_template(
        "admin/flow.html",
        flow=flow,
        shown=_shown(flow, source),
        has_draft=flow_versions.draft_of(flow) is not None,
        versions=versions,
        names=names,
        is_shipped=flow in shipped(),
        is_walked=_is_walked(flow),
        lines=list(_difference(flow_versions.source_of(flow) or "", source)),
        base=_mark(flow_versions.text_of(flow) or ""),
        is_stale=kept is not None,
        overtaken=list(_difference(kept or "", source)),
    )


def _shown(flow: str, source: str) -> Shown:
    read, mistake = None, None
    try:
        read = read_text(source, flow)
        check(flow, source)
    except FlowError as error:
        mistake = error.mistake
    return Shown(
        source,
        problem=mistake.sentence(_) if mistake else "",
        problem_line=mistake.line if mistake else 0,
        drawing=draw(read, source) if read else None,
    )


def _is_walked(flow: str) -> bool:
    return flow in flow_versions.look()


def _version(flow: str, version_id: int) -> FlowVersion:
    row = db.session.get(FlowVersion, version_id)
    return row if row is not None and row.flow == flow and row.version is not None else abort(404)


def _difference(before: str, after: str) -> Iterator[tuple[str, str]]:
    """Give the lines of a difference with their mark: + added, - taken out, @ a place, or nothing."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2)
    for place, line in enumerate(lines):
        if place < 2:
            continue  # the names of the files
        if place > DIFFERENCE_MOST:
            return
        yield line[:1].strip(), line if line.startswith("@@") else line[1:]
