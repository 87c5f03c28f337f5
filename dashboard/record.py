"""One record of the desk: a ticket, complaint, appointment, lead or follow-up, and what people do with it.

It shows the customer's words, who looks after it and every step; its forms move it on, assign it and
fix an appointment's time. Each form is one verb, one commit, and the outbox woken.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import selectinload

import history
import tasks
from auth import current_config
from crm import (
    appointments,
    complaints,
    follow_ups,
    invitations,
    lead_scores,
    leads,
    linked_words,
    moves,
    teams,
    tickets,
)
from crm.lead_scores import Reason
from crm.numbered import NAMES, Actor, Tracked
from dashboard.arguments import moment, row_id
from dashboard.care_words import told_word
from models import (
    Appointment,
    AppointmentLetter,
    AppointmentReminder,
    Complaint,
    Contact,
    Feedback,
    FollowUp,
    Lead,
    Message,
    Operator,
    StateChange,
    Team,
    Ticket,
    db,
    utc_now,
)

REASON_MAX_CHARS: Final = 200
AGREED_WITHIN: Final = timedelta(days=730)
# By the word in the address: the table, and the states that a person may choose.
KINDS: Final[Mapping[str, tuple[type[Any], tuple[str, ...]]]] = {
    "tickets": (Ticket, tickets.STATUSES),
    "complaints": (Complaint, complaints.STATUSES),
    "appointments": (Appointment, appointments.STATUSES),
    "leads": (Lead, leads.STATUSES),
    "follow-ups": (FollowUp, follow_ups.STATUSES),
}

bp = Blueprint("record", __name__)


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the record's history, and who took it."""

    change: StateChange
    who: str


@dataclass(frozen=True, slots=True)
class RecordPage:
    kind: str
    record: Any
    statuses: Sequence[str]
    contact: Contact
    words: Sequence[Message]
    steps: Sequence[Step]
    teams: Sequence[Team]
    operators: Sequence[Operator]
    reminders: Sequence[AppointmentReminder]
    letters: Sequence[AppointmentLetter]
    reasons: Sequence[Reason]
    feedback: Feedback | None


@bp.get("/records/<kind>/<int:record_id>")
def record(kind: str, record_id: int) -> ResponseReturnValue:
    return render_template("dashboard/record.html", page=_page(kind, _find(kind, record_id)))


@bp.post("/records/<kind>/<int:record_id>/status")
def move(kind: str, record_id: int) -> ResponseReturnValue:
    """Move a record on, and tell the customer where it is her business."""
    found = _find(kind, record_id)
    status = request.form.get("status", "")
    reason = request.form.get("reason", "").strip()[:REASON_MAX_CHARS]
    if isinstance(found, Appointment) and status == "confirmed" and found.starts_at is None:
        flash(_("Choose the time first."), "danger")
        return _back(kind, record_id)
    by = Actor("operator", current_user.id, reason)
    try:
        told = moves.move_on(current_config(), found, status, now=utc_now(), by=by)
    except ValueError:
        abort(400)
    return _done(kind, found, told)


@bp.post("/records/<kind>/<int:record_id>/assign")
def assign(kind: str, record_id: int) -> ResponseReturnValue:
    """Give a record to a team and to somebody, or to nobody."""
    found = _find(kind, record_id)
    team_id, operator_id = (_chosen(name) for name in ("team", "operator"))
    found.team_id = team_id if team_id and db.session.get(Team, team_id) else None
    found.operator_id = operator_id if operator_id and db.session.get(Operator, operator_id) else None
    db.session.commit()
    flash(_("Saved."), "success")
    return _back(kind, record_id)


@bp.post("/records/appointments/<int:record_id>/time")
def fix_time(record_id: int) -> ResponseReturnValue:
    """Fix the time that was agreed with the customer, in the time zone of the business."""
    found = _find("appointments", record_id)
    now = utc_now()
    try:
        starts_at = moment(request.form.get("starts_at", ""), current_config().zone)
    except ValueError:
        starts_at = now
    if not isinstance(found, Appointment) or not now < starts_at <= now + AGREED_WITHIN:
        flash(_("Choose a time to come, within two years."), "danger")
        return _back("appointments", record_id)
    by = Actor("operator", current_user.id)
    try:
        told = moves.fix_time(current_config(), found, starts_at, now=now, by=by)
    except appointments.SlotTaken:
        db.session.rollback()
        flash(_("Another appointment is at that time."), "danger")
        return _back("appointments", record_id)
    return _done("appointments", found, told)


@bp.get("/leads/scores")
def scores() -> ResponseReturnValue:
    """The check of the score: what became of leads, by the score that they had."""
    bands = lead_scores.bands()
    closed = sum(band.closed for band in bands)
    return render_template(
        "dashboard/lead_scores.html",
        bands=bands,
        closed=closed,
        has_enough=closed >= lead_scores.ENOUGH_CLOSED,
        enough=lead_scores.ENOUGH_CLOSED,
    )


def _page(kind: str, found: Any) -> RecordPage:
    record_kind = NAMES[type(found)]
    query = select(Contact).where(Contact.id == found.contact_id).options(selectinload(Contact.identities))
    return RecordPage(
        kind=kind,
        record=found,
        statuses=KINDS[kind][1],
        contact=db.session.scalars(query).one(),
        words=linked_words.words_of(found),
        steps=_steps(record_kind, found.id),
        teams=teams.teams(),
        operators=db.session.scalars(
            select(Operator).where(Operator.is_active.is_(True)).order_by(Operator.name)
        ).all(),
        reminders=appointments.reminders_of(found.id) if isinstance(found, Appointment) else (),
        letters=invitations.letters_of(found.id) if isinstance(found, Appointment) else (),
        reasons=lead_scores.reasons_of(found) if isinstance(found, Lead) else (),
        feedback=db.session.scalars(
            select(Feedback).where(Feedback.record == record_kind, Feedback.record_id == found.id).limit(1)
        ).first(),
    )


def _steps(record_kind: str, record_id: int) -> Sequence[Step]:
    changes = history.changes_of(record_kind, record_id)
    ids = {change.operator_id for change in changes if change.operator_id is not None}
    names: dict[int, str] = {
        row.id: row.name
        for row in db.session.execute(select(Operator.id, Operator.name).where(Operator.id.in_(ids)))
    }
    return [Step(change, names.get(change.operator_id or 0, "")) for change in changes]


def _find(kind: str, record_id: int) -> Tracked:
    model, _statuses = KINDS.get(kind) or abort(404)
    return db.session.get(model, record_id) or abort(404)


def _done(kind: str, found: Tracked, told: str | None) -> ResponseReturnValue:
    conversation_id, record_id = found.conversation_id, found.id
    db.session.commit()
    if conversation_id is not None:
        tasks.wake_outbox(conversation_id)
    flash(" ".join(filter(None, (_("Saved."), told_word(told)))), "success")
    return _back(kind, record_id)


def _back(kind: str, record_id: int) -> ResponseReturnValue:
    return redirect(url_for("record.record", kind=kind, record_id=record_id), 303)


def _chosen(name: str) -> int | None:
    return request.form.get(name, type=row_id)
