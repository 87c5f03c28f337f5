"""Teams, working hours and holidays: who looks after what, and when. For admins."""

from dataclasses import dataclass
from datetime import date
from functools import partial

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import select

import working_hours
from admin.noting import note
from crm import hours, teams
from dashboard.arguments import row_id
from dashboard.care_words import weekday_word
from dashboard.meanwhile import overtaken
from models import Operator, Team, TeamMember, db
from working_hours import WEEKDAYS, BadHours, Stretch

LINE_MAX_CHARS = 120

bp = Blueprint("teams", __name__)


@dataclass(frozen=True, slots=True)
class TeamForm:
    """What the form of a team shows."""

    name: str = ""
    duty: str = ""
    rule: str = teams.ROUND_ROBIN
    seats: int = 1
    is_active: bool = True
    members: frozenset[int] = frozenset()


@bp.get("/teams")
def list_page() -> ResponseReturnValue:
    rows = teams.teams()
    return render_template(
        "admin/teams.html",
        rows=[(row, teams.members_of(row.id)) for row in rows],
        hours=_lines(hours.written_hours(None)),
        holidays=hours.holidays(),
    )


@bp.route("/teams/new", methods=["GET", "POST"])
def new() -> ResponseReturnValue:
    return _form_page(TeamForm(), None) if request.method == "GET" else _save(None)


@bp.route("/teams/<int:team_id>", methods=["GET", "POST"])
def edit(team_id: int) -> ResponseReturnValue:
    row = teams.team(team_id) or abort(404)
    if request.method == "GET":
        return _kept_page(row)
    return overtaken(partial(_kept_page, row), "team", team_id) or _save(row)


@bp.post("/teams/hours")
@bp.post("/teams/<int:team_id>/hours", endpoint="team_hours")
def write_hours(team_id: int | None = None) -> ResponseReturnValue:
    """Write the hours of the business or of a team; a line that cannot be read changes nothing."""
    row = None if team_id is None else teams.team(team_id) or abort(404)
    if late := overtaken(list_page if row is None else partial(_kept_page, row), "hours", team_id or 0):
        return late
    page = url_for("teams.edit", team_id=team_id) if team_id else url_for("teams.list_page")
    stretches: list[Stretch] = []
    for weekday, name in enumerate(WEEKDAYS):
        written = request.form.get(name, "")[:LINE_MAX_CHARS].replace(",", " ").replace("–", "-").strip()
        try:
            stretches += working_hours.read_hours(f"{name} {written}") if written else ()
        except BadHours:
            flash(
                _("%(day)s: write times like 09:00-12:00 13:00-18:00.", day=weekday_word(weekday)), "danger"
            )
            return redirect(page, 303)
    hours.write_hours(team_id, stretches)
    note("hours", team_id or 0, "", "changed")
    db.session.commit()
    flash(_("The hours are saved."), "success")
    return redirect(page, 303)


@bp.post("/teams/holidays")
def add_holiday() -> ResponseReturnValue:
    try:
        day = date.fromisoformat(request.form.get("day", ""))
        name, is_yearly = request.form.get("name", "").replace("\0", ""), request.form.get("yearly") == "1"
        row = hours.add_holiday(day, name, is_yearly=is_yearly)
    except hours.DayTaken:
        flash(_("This day is in the list already."), "danger")
    except ValueError:
        flash(_("Choose a day."), "danger")
    else:
        note("holiday", row.id, "", "added", reason=day.isoformat())
        db.session.commit()
    return redirect(url_for("teams.list_page"), 303)


@bp.post("/teams/holidays/<int:holiday_id>/delete")
def delete_holiday(holiday_id: int) -> ResponseReturnValue:
    hours.delete_holiday(holiday_id)
    note("holiday", holiday_id, "", "deleted")
    db.session.commit()
    return redirect(url_for("teams.list_page"), 303)


def _save(row: Team | None) -> ResponseReturnValue:
    form = TeamForm(
        name=request.form.get("name", "").replace("\0", ""),
        duty=request.form.get("duty", ""),
        rule=request.form.get("rule", ""),
        seats=request.form.get("seats", 1, type=int),
        is_active=request.form.get("active") == "1",
        members=frozenset(request.form.getlist("members", type=row_id)),
    )
    try:
        saved = teams.save_team(
            row,
            name=form.name,
            duty=form.duty,
            rule=form.rule,
            seats=form.seats,
            is_active=form.is_active,
            operator_ids=form.members,
        )
    except teams.NameTaken:
        db.session.rollback()
        flash(_("A team needs a name that no other team has."), "danger")
        return _form_page(form, row), 400
    note("team", saved.id, "", "changed" if row else "added")
    db.session.commit()
    flash(_("“%(title)s” is saved.", title=saved.name), "success")
    return redirect(url_for("teams.list_page"), 303)


def _kept_page(row: Team) -> str:
    return _form_page(_form_of(row), row)


def _form_page(form: TeamForm, row: Team | None) -> str:
    people = db.session.scalars(
        select(Operator).where(Operator.is_active.is_(True)).order_by(Operator.name)
    ).all()
    return render_template(
        "admin/team.html",
        form=form,
        row=row,
        people=people,
        duties=("", *teams.DUTIES),
        rules=teams.RULES,
        hours=_lines(hours.written_hours(row.id)) if row else (),
    )


def _form_of(row: Team) -> TeamForm:
    members = db.session.scalars(select(TeamMember.operator_id).where(TeamMember.team_id == row.id)).all()
    return TeamForm(row.name, row.duty, row.rule, row.seats, row.is_active, frozenset(members))


def _lines(stretches: tuple[Stretch, ...]) -> list[tuple[str, int, str]]:
    """Give the field, the weekday and the times of each day as they are written into the form."""
    return [
        (name, weekday, " ".join(_span(stretch) for stretch in stretches if stretch.weekday == weekday))
        for weekday, name in enumerate(WEEKDAYS)
    ]


def _span(stretch: Stretch) -> str:
    return "-".join(f"{m // 60:02}:{m % 60:02}" for m in (stretch.opens_min, stretch.closes_min))
