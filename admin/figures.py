"""The page of the figures: any period beside the one before it, as CSV, as a report of one's own, and the
conversations behind each number. For managers.

Every figure comes from `analytics`; this room chooses the period and gives it words and shapes.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

import analytics
import auth
import counting
from admin import figure_rows, figure_shapes, figure_words
from admin.noting import note
from analytics import Period
from analytics.forecast import LEARNT_DAYS, MIN_DAYS, MIN_EVENTS
from auth import current_config
from dashboard.cells import safe_cell
from dashboard.meanwhile import overtaken
from models import DailyFigure, SavedReport, db, utc_now
from statements import changed_rows

LENGTHS: Final = (7, 28, 90, 365)
USUAL_LENGTH: Final = 28
YEARS: Final = (2000, 2999)
# What the forecast and the lines want to see before the period.
DRAWN_DAYS: Final = MIN_DAYS + LEARNT_DAYS
NAME_MAX_CHARS: Final = 60
REPORTS_MOST: Final = 20
CSV_ROWS_MOST: Final = 200_000
# The figure behind a block, where it has another name.
CSV_NAMES: Final = {"steps": "step_reached"}
BLOCKS: Final = ("figures", "lines", "funnel", "steps", "hours", *figure_shapes.BREAKDOWNS)

bp = Blueprint("figures", __name__)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the address asks for: a period and the blocks to show, none for all."""

    period: Period
    show: tuple[str, ...] = ()

    @classmethod
    def read(cls, args: Any, yesterday: date) -> "Wish":
        show = tuple(name for name in BLOCKS if name in args.getlist("show"))
        return cls(_period(args, yesterday), show)

    def address(self, **more: Any) -> str:
        period = {"from": self.period.first.isoformat(), "to": self.period.last.isoformat()}
        return urlencode({**period, **more}, doseq=True)

    def shows(self, block: str) -> bool:
        return not self.show or block in self.show


def _period(args: Mapping[str, str], yesterday: date) -> Period:
    """Read a period of whole days; what cannot be read is the usual one."""
    try:
        first, last = (date.fromisoformat(args.get(name, "")) for name in ("from", "to"))
        if not YEARS[0] <= first.year <= YEARS[1]:
            raise ValueError("no desk has days of such a year")
        return Period(first, last)
    except ValueError:
        written = args.get("days", "")
        days = int(written) if written in {str(length) for length in LENGTHS} else USUAL_LENGTH
        return Period(yesterday - timedelta(days=days - 1), yesterday)


@bp.get("/analytics")
def page() -> str:
    today = utc_now().astimezone(current_config().zone).date()
    wish = Wish.read(request.args, today - timedelta(days=1))
    report = analytics.read_report(wish.period)
    first = min(wish.period.first, wish.period.last - timedelta(days=DRAWN_DAYS))
    series = analytics.daily_series(first, wish.period.last)
    currency = next(iter(report.now.currencies or report.before.currencies), "")
    prices = figure_shapes.read_prices()
    return render_template(
        "admin/figures.html",
        wish=wish,
        lengths=LENGTHS,
        report=report,
        currency=currency,
        prices=prices,
        tiles=figure_shapes.tiles(report, currency, prices),
        breakdowns=[one for one in figure_shapes.breakdowns(report, currency) if wish.shows(one.name)],
        lines=figure_shapes.lines(
            series, wish.period, ends_now=wish.period.last == today - timedelta(days=1)
        ),
        funnel=figure_shapes.funnel(report),
        flows=figure_shapes.steps(report),
        heat=figure_shapes.heat(report),
        reports=_reports(),
        blocks=_block_titles(),
        least={"days": MIN_DAYS, "events": MIN_EVENTS},
        words=figure_words,
        csv_names=CSV_NAMES,
    )


@bp.post("/analytics/count")
def count() -> ResponseReturnValue:
    """Count the newest days now instead of in some minutes."""
    try:
        counting.count_missing(current_config(), utc_now())
    except IntegrityError:
        db.session.rollback()
        flash(_("The figures are being counted at this moment."), "warn")
    else:
        flash(_("The figures are counted."), "success")
    return redirect(url_for("figures.page"), 303)


@bp.get("/analytics/figures.csv")
def download() -> ResponseReturnValue:
    """Give the days of a period as they are kept: a row for each figure, part and day."""
    wish = Wish.read(request.args, utc_now().astimezone(current_config().zone).date() - timedelta(days=1))
    name = request.args.get("name", "").replace("\0", "")[:30]
    query = select(
        DailyFigure.day, DailyFigure.name, DailyFigure.part, DailyFigure.count, DailyFigure.total
    ).where(DailyFigure.day >= wish.period.first, DailyFigure.day <= wish.period.last)
    if name:
        query = query.where(DailyFigure.name == name)
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow(("day", "figure", "part", "count", "total"))
    rows = db.session.execute(query.order_by(DailyFigure.day, DailyFigure.id).limit(CSV_ROWS_MOST))
    for day, figure, part, times, total in rows:
        writer.writerow((day.isoformat(), safe_cell(figure), safe_cell(part), times, total))
    file = f"balcao-{wish.period.first}-{wish.period.last}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{file}"'}
    return Response(written.getvalue(), mimetype="text/csv", headers=headers)


@bp.get("/analytics/conversations")
def conversations() -> str:
    """List the newest conversations that a figure counted."""
    wish = Wish.read(request.args, utc_now().astimezone(current_config().zone).date() - timedelta(days=1))
    figure = request.args.get("figure", "")
    part = request.args.get("part", "").replace("\0", "")[:160]
    if figure not in figure_rows.FIGURES:
        abort(404)
    rows = figure_rows.conversations(figure, part, wish.period, current_config().zone)
    titles = {**figure_words.tiles(), **figure_words.breakdowns()}
    title = titles[figure].title if figure in titles else _("Conversations")
    shown = figure_words.part_word(figure, part.rpartition("|")[2]) if part else ""
    return render_template("admin/figure_rows.html", rows=rows, title=title, part=shown, wish=wish)


@bp.post("/analytics/reports")
def save_report() -> ResponseReturnValue:
    """Keep a choice of blocks and a period under a name; the same name again replaces it."""
    name = request.form.get("name", "").replace("\0", "").strip()[:NAME_MAX_CHARS]
    show = [block for block in BLOCKS if block in request.form.getlist("show")]
    days = request.form.get("days", "")
    length = days if days in {str(known) for known in LENGTHS} else str(USUAL_LENGTH)
    query = urlencode({"days": length, "show": show}, doseq=True)
    if not name or not show:
        flash(_("A report needs a name and at least one figure."), "danger")
        return redirect(url_for("figures.page"), 303)
    of_mine = (SavedReport.operator_id == current_user.id, SavedReport.name == name)
    row = db.session.scalar(select(SavedReport).where(*of_mine))
    if row is None and len(_reports()) >= REPORTS_MOST:
        flash(_("There are %(count)d reports already; delete one first.", count=REPORTS_MOST), "danger")
        return redirect(url_for("figures.page"), 303)
    if row is None:
        row = SavedReport(operator_id=current_user.id, name=name, created_at=utc_now())
        db.session.add(row)
    row.query = query
    db.session.commit()
    flash(_("“%(name)s” is saved.", name=name), "success")
    return redirect(f"{url_for('figures.page')}?{query}", 303)


@bp.post("/analytics/reports/<int:report_id>/delete")
def delete_report(report_id: int) -> ResponseReturnValue:
    of_mine = (SavedReport.id == report_id, SavedReport.operator_id == current_user.id)
    changed_rows(delete(SavedReport).where(*of_mine))
    db.session.commit()
    return redirect(url_for("figures.page"), 303)


@bp.post("/analytics/prices")
@auth.login_required_role("admin")
def save_prices() -> ResponseReturnValue:
    """Keep what a template of each category costs, and what a dollar is worth in the shop's money."""
    if late := overtaken(page, "prices"):
        return late
    prices = figure_shapes.prices_of(request.form)
    if prices is None:
        flash(_("Write prices as numbers, like 0.0625."), "danger")
        return redirect(url_for("figures.page") + "#prices", 303)
    figure_shapes.save_prices(prices, now=utc_now())
    note("prices", 0, "", "changed")
    db.session.commit()
    flash(_("The prices are saved."), "success")
    return redirect(url_for("figures.page"), 303)


def _reports() -> list[SavedReport]:
    return list(
        db.session.scalars(
            select(SavedReport).where(SavedReport.operator_id == current_user.id).order_by(SavedReport.name)
        )
    )


def _block_titles() -> dict[str, str]:
    own = {
        "figures": _("Key figures"),
        "lines": _("Trend and forecast"),
        "funnel": _("From the first message to the sale"),
        "steps": _("Steps of the flows"),
        "hours": _("Busy hours"),
    }
    return own | {name: told.title for name, told in figure_words.breakdowns().items()}
