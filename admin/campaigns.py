"""Campaigns: draft, audience with who is left out and why, test, start, pause, resume, cancel, results.

For managers. A draft's page is a list of small forms; once it has begun, the page shows how far it is.
"""

import csv
import io
import secrets
from collections.abc import Callable
from typing import Final

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy import select

import integrations
import message_templates
import phone
import tasks
from auth import current_config
from dashboard import template_words
from dashboard.arguments import form_token, moment, page_number, row_id
from dashboard.cells import safe_cell
from dashboard.meanwhile import overtaken
from integrations import Number
from message_templates import TemplateRefused
from models import Campaign, Label, MessageTemplate, Niche, Operator, db, utc_now
from outreach import audience, campaigns, limits, lists, results
from outreach.audience import Segment, Value
from outreach.campaigns import CampaignRefused, Plan
from outreach.lists import ListRefused
from providers import templates
from vocabulary import LANGUAGES

PAGE_SIZE: Final = 50
NAME_MAX: Final = 120
VALUE_MAX: Final = 500
DAYS_MAX: Final = 3_650
FORM_MAX_BYTES: Final = lists.MAX_BYTES + 64 * 1024
LEAD_STATUSES: Final = ("new", "contacted", "qualified", "won", "lost")

bp = Blueprint("campaigns", __name__)


@bp.get("/campaigns")
def list_page() -> ResponseReturnValue:
    page = page_number()
    query = select(Campaign).order_by(Campaign.id.desc()).limit(PAGE_SIZE + 1).offset((page - 1) * PAGE_SIZE)
    rows = list(db.session.scalars(query))
    done = results.progress([row.id for row in rows])
    return render_template(
        "admin/campaigns.html",
        rows=[(row, done[row.id]) for row in rows[:PAGE_SIZE]],
        page=page,
        has_more=len(rows) > PAGE_SIZE,
        numbers={row.id: row.name for row in message_templates.numbers_with_templates()},
        words=template_words,
    )


@bp.route("/campaigns/new", methods=["GET", "POST"])
def new() -> ResponseReturnValue:
    choices = _template_choices()
    if request.method == "GET":
        chosen = db.session.get(MessageTemplate, request.args.get("template", 0, type=row_id))
        wanted = f"{chosen.integration_id}:{chosen.name}" if chosen else ""
        return _new_page(choices, wanted)
    name, wanted = _words("name", NAME_MAX), request.form.get("template", "")
    if not name or wanted not in dict(choices):
        error = _("Give it a name and choose a template.")
        return _new_page(choices, wanted, name, error), 422
    number_id, _mark, template_name = wanted.partition(":")
    segment = Segment() if request.form.get("people") != "file" else None
    plan = Plan(name, int(number_id), template_name, segment)
    campaign = campaigns.create(plan, operator=_me(), now=utc_now(), client_token=form_token())
    db.session.commit()
    return redirect(url_for("campaigns.show", campaign_id=campaign.id), 303)


@bp.get("/campaigns/<int:campaign_id>")
def show(campaign_id: int) -> ResponseReturnValue:
    campaign = _row(campaign_id)
    return _draft_page(campaign) if campaign.state == campaigns.DRAFT else _running_page(campaign)


@bp.get("/campaigns/<int:campaign_id>/progress")
def progress(campaign_id: int) -> ResponseReturnValue:
    """The part of the page that changes while it runs."""
    campaign = _row(campaign_id)
    return render_template(
        "admin/_campaign_progress.html", campaign=campaign, found=results.of(campaign), words=template_words
    )


@bp.post("/campaigns/<int:campaign_id>/words")
def words(campaign_id: int) -> ResponseReturnValue:
    """Keep what goes into each placeholder, and the pace."""
    campaign = _row(campaign_id)
    if late := overtaken(lambda: _draft_page(campaign)):
        return late
    filling = {
        key: Value(
            _one_of(f"source:{key}", audience.SOURCES, "text"),
            _words(f"value:{key}", VALUE_MAX),
            _words(f"otherwise:{key}", VALUE_MAX),
        )
        for key in _keys(campaign)
    }
    per_minute = request.form.get("per_minute", campaign.per_minute, type=_small)
    fallback = request.form.get("fallback", "")
    return _do(campaign, lambda: campaigns.change_words(campaign, filling, fallback, per_minute), "words")


@bp.post("/campaigns/<int:campaign_id>/segment")
def segment(campaign_id: int) -> ResponseReturnValue:
    campaign = _row(campaign_id)
    if late := overtaken(lambda: _draft_page(campaign)):
        return late
    wanted = Segment(
        language=_one_of("language", LANGUAGES),
        niche_id=request.form.get("niche", type=row_id),
        label_id=request.form.get("label", type=row_id),
        bought=_one_of("bought", audience.BOUGHT),
        seen_within_days=request.form.get("seen", type=_small),
        silent_for_days=request.form.get("silent", type=_small),
        lead_status=_one_of("lead", LEAD_STATUSES),
    )
    return _do(campaign, lambda: campaigns.change_segment(campaign, wanted), "people", count=1)


@bp.post("/campaigns/<int:campaign_id>/file")
def take_file(campaign_id: int) -> ResponseReturnValue:
    """Take a CSV file's people in, and show who is left out and why."""
    campaign, number = _row(campaign_id), _number_of(_row(campaign_id))
    upload = request.files.get("file")
    if number is None or upload is None or not upload.filename or request.form.get("consent") != "1":
        flash(_("Choose a file, and confirm that these people agreed to be written to."), "danger")
        return _back(campaign_id, "people")
    region = phone.country(number.display_phone) if number.display_phone else None
    try:
        listed = lists.read(upload.stream.read(lists.MAX_BYTES + 1), region or _home_region())
    except ListRefused as refused:
        flash(template_words.list_words(refused.code, refused.detail), "danger")
        return _back(campaign_id, "people")
    people = audience.people_of_file(campaign, number, listed)
    try:
        campaigns.add_people(campaign, people)
    except CampaignRefused as refused:
        return _refused(campaign_id, refused)
    db.session.commit()
    counted = audience.Preview()
    for one in people:
        counted.count(one)
    return _draft_page(_row(campaign_id), counted)


@bp.post("/campaigns/<int:campaign_id>/empty")
def empty(campaign_id: int) -> ResponseReturnValue:
    campaign = _row(campaign_id)
    return _do(campaign, lambda: campaigns.drop_people(campaign), "people")


@bp.post("/campaigns/<int:campaign_id>/test")
def test(campaign_id: int) -> ResponseReturnValue:
    campaign = _row(campaign_id)
    wa_id = lists.wa_id_of(_words("phone", 40), _home_region())
    if wa_id is None:
        flash(_("Write a whole phone number, with area code."), "danger")
        return _back(campaign_id, "test")
    language = request.form.get("language", "")
    try:
        conversation_id = campaigns.send_test(
            campaign, wa_id, language, now=utc_now(), operator=_me(), client_token=form_token()
        )
    except (CampaignRefused, TemplateRefused) as refused:
        return _refused(campaign_id, refused, "test")
    db.session.commit()
    tasks.wake_outbox(conversation_id)
    flash(_("The test is on its way."), "success")
    return _back(campaign_id, "test")


@bp.post("/campaigns/<int:campaign_id>/start")
def start(campaign_id: int) -> ResponseReturnValue:
    """Start at once, or at the time that the form names in the zone of the business."""
    written, at = request.form.get("at", ""), None
    if written:
        try:
            at = moment(written, current_config().zone)
        except ValueError:
            flash(_("That is no day and time."), "danger")
            return _back(campaign_id, "start")
    try:
        campaigns.start(_row(campaign_id).id, at=at, now=utc_now(), operator=_me())
    except CampaignRefused as refused:
        return _refused(campaign_id, refused, "start")
    db.session.commit()
    flash(_("It starts at its time.") if at else _("It has started."), "success")
    return _back(campaign_id)


@bp.post("/campaigns/<int:campaign_id>/pause")
def pause(campaign_id: int) -> ResponseReturnValue:
    return _move(campaign_id, campaigns.pause)


@bp.post("/campaigns/<int:campaign_id>/resume")
def resume(campaign_id: int) -> ResponseReturnValue:
    return _move(campaign_id, campaigns.resume)


@bp.post("/campaigns/<int:campaign_id>/cancel")
def cancel(campaign_id: int) -> ResponseReturnValue:
    return _move(campaign_id, campaigns.cancel)


def _move(campaign_id: int, verb: Callable[..., Campaign]) -> ResponseReturnValue:
    try:
        verb(_row(campaign_id).id, now=utc_now(), operator=_me())
    except CampaignRefused as refused:
        return _refused(campaign_id, refused)
    db.session.commit()
    return _back(campaign_id)


@bp.post("/campaigns/<int:campaign_id>/delete")
def delete(campaign_id: int) -> ResponseReturnValue:
    try:
        campaigns.delete_draft(_row(campaign_id))
    except CampaignRefused as refused:
        return _refused(campaign_id, refused)
    db.session.commit()
    flash(_("The draft is deleted."), "success")
    return redirect(url_for("campaigns.list_page"), 303)


@bp.get("/campaigns/<int:campaign_id>/people.csv")
def download(campaign_id: int) -> ResponseReturnValue:
    """Give the people of a campaign with what came of each, for a spreadsheet."""
    campaign = _row(campaign_id)
    made = io.StringIO()
    writer = csv.writer(made)
    writer.writerow(["name", "phone", "state", "reason", "message", "error"])
    for row, contact, message in results.people(campaign, limit=lists.MAX_ROWS * 10):
        named = (contact.name if contact else "") or row.name
        wa_id = row.phone or (contact.identity("wa_id") if contact else "") or ""
        status, error = (message.status or "", message.error_code) if message else ("", "")
        writer.writerow([safe_cell(one) for one in (named, wa_id, row.state, row.reason, status, error)])
    headers = {"Content-Disposition": f"attachment; filename=campaign-{campaign_id}.csv"}
    return Response("\ufeff" + made.getvalue(), mimetype="text/csv", headers=headers)


# --- what the pages show ------------------------------------------------------------------------------------


def _new_page(choices: list[tuple[str, str]], wanted: str, name: str = "", error: str = "") -> str:
    return render_template(
        "admin/campaign_new.html",
        choices=choices,
        wanted=wanted,
        name=name,
        error=error,
        client_token=secrets.token_urlsafe(16),
    )


def _draft_page(campaign: Campaign, counted: audience.Preview | None = None) -> str:
    number = _number_of(campaign)
    rows = _template_rows(campaign)
    is_file = not campaign.segment
    # A large segment takes a moment: it is counted when somebody asks.
    if counted is None and number is not None and not is_file and "count" in request.args:
        counted = audience.preview(campaign, number, utc_now())
    return render_template(
        "admin/campaign_draft.html",
        campaign=campaign,
        number=number,
        rows=[(row, message_templates.wording_of(row)) for row in rows],
        keys=_keys(campaign),
        filling=audience.filling_of(campaign),
        previews=[
            (row.language, _preview(row, campaign, counted), message_templates.wording_of(row))
            for row in rows
        ],
        counted=counted,
        found=results.of(campaign),
        is_file=is_file,
        segment=audience.segment_of(campaign) or Segment(),
        labels=[(row.id, row.name) for row in db.session.scalars(select(Label).order_by(Label.name))],
        niches=[(row.id, row.name) for row in db.session.scalars(select(Niche).order_by(Niche.name))],
        languages=LANGUAGES,
        lead_statuses=LEAD_STATUSES,
        zone=current_config().time_zone,
        allowance=limits.allowance(campaign.integration_id, utc_now()),
        client_token=secrets.token_urlsafe(16),
        words=template_words,
    )


def _running_page(campaign: Campaign) -> str:
    page = page_number()
    outcome = request.args.get("outcome", "")
    outcome = outcome if outcome in results.OUTCOMES else ""
    rows = results.people(campaign, outcome, limit=PAGE_SIZE + 1, offset=(page - 1) * PAGE_SIZE)
    return render_template(
        "admin/campaign.html",
        campaign=campaign,
        number=_number_of(campaign),
        found=results.of(campaign),
        rows=rows[:PAGE_SIZE],
        outcome=outcome,
        outcomes=results.OUTCOMES,
        page=page,
        has_more=len(rows) > PAGE_SIZE,
        words=template_words,
    )


def _preview(row: MessageTemplate, campaign: Campaign, counted: audience.Preview | None) -> str:
    """Give the words as the first person reached would read them."""
    shown = counted.shown if counted is not None else None
    filling = audience.filling_of(campaign)
    columns = dict(shown.columns or {}) if shown else {}
    values = audience.values_for(row, filling, shown.name if shown else "Ana", columns)
    wording = message_templates.wording_of(row)
    return templates.preview(wording, {key: value for key, value in values.items() if value})


def _template_choices() -> list[tuple[str, str]]:
    """Name each number's usable templates once, with their languages."""
    names = {row.id: row.name for row in message_templates.numbers_with_templates()}
    found: dict[str, tuple[str, list[str]]] = {}
    for row in message_templates.list_templates(usable=True):
        if row.integration_id in names:
            key = f"{row.integration_id}:{row.name}"
            found.setdefault(key, (f"{names[row.integration_id]}: {row.name}", []))[1].append(row.language)
    return [(key, f"{title} ({', '.join(codes)})") for key, (title, codes) in found.items()]


def _template_rows(campaign: Campaign) -> list[MessageTemplate]:
    rows = message_templates.list_templates(campaign.integration_id, usable=True)
    return [row for row in rows if row.name == campaign.template_name]


def _keys(campaign: Campaign) -> list[str]:
    """Give the placeholders of all languages of the template, each once."""
    wordings = [message_templates.wording_of(row) for row in _template_rows(campaign)]
    return list(dict.fromkeys(one.key for wording in wordings for one in templates.placeholders(wording)))


# --- below --------------------------------------------------------------------------------------------------


def _do(
    campaign: Campaign, change: Callable[[], None], anchor: str, count: int | None = None
) -> ResponseReturnValue:
    campaign_id = campaign.id
    try:
        change()
    except CampaignRefused as refused:
        return _refused(campaign_id, refused)
    db.session.commit()
    return _back(campaign_id, anchor, count)


def _refused(
    campaign_id: int, refused: CampaignRefused | TemplateRefused, anchor: str | None = None
) -> ResponseReturnValue:
    db.session.rollback()
    flash(_("Not done: %(why)s.", why=template_words.refusal_words(refused.code)), "danger")
    return _back(campaign_id, anchor)


def _back(campaign_id: int, anchor: str | None = None, count: int | None = None) -> ResponseReturnValue:
    return redirect(url_for("campaigns.show", campaign_id=campaign_id, count=count, _anchor=anchor), 303)


def _row(campaign_id: int) -> Campaign:
    return db.session.get(Campaign, campaign_id) or abort(404)


def _number_of(campaign: Campaign) -> Number | None:
    return integrations.number(campaign.integration_id)


def _me() -> Operator:
    return db.session.get_one(Operator, current_user.id)


def _words(name: str, most: int) -> str:
    return " ".join(request.form.get(name, "").replace("\0", "").split())[:most]


def _one_of(name: str, known: tuple[str, ...], usual: str = "") -> str:
    written = request.form.get(name, "")
    return written if written in known else usual


def _small(written: str) -> int:
    number = int(written)
    if not 0 < number <= DAYS_MAX:
        raise ValueError("out of range")
    return number


def _home_region() -> str:
    shown = next((number.display_phone for number in integrations.numbers() if number.display_phone), "")
    return phone.country(shown) or "BR" if shown else "BR"
