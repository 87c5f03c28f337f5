"""Who is told of alerts: recipients with channels, kinds and quiet hours, and a test of each. For admins."""

from dataclasses import dataclass, replace
from typing import Final, cast
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email
from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import select

import phone
import tasks
from admin.noting import note, note_switch
from admin.product_form import Form
from alerts import deliveries, kinds, recipients
from alerts.recipients import Channel, Wish
from auth import current_config
from dashboard import alert_words, wording
from dashboard.languages import LANGUAGE_NAMES
from dashboard.meanwhile import overtaken
from models import AlertRecipient, Operator, db, utc_now
from owner import notices, phones
from telling import alerting
from wires import signed_webhook

SHOWN_DELIVERIES: Final = 20
ADDRESS_MAX_CHARS: Final = {recipients.EMAIL: 190, recipients.SMS: 40, recipients.WEBHOOK: 1000}
HOME_REGION: Final = "BR"
DAY_MINS: Final = 24 * 60

bp = Blueprint("alert_settings", __name__)


@dataclass(frozen=True, slots=True)
class Shown:
    """A recipient as the page shows it. `trouble` is why the last message did not arrive."""

    row: AlertRecipient
    title: str
    kinds: str
    quiet: str
    trouble: str


# --- the list -----------------------------------------------------------------------------------------------


@bp.get("/alerts")
def alerts() -> ResponseReturnValue:
    """Show who is told of what, and the last messages."""
    config = current_config()
    rows = [row for row in recipients.everybody() if row.channel != recipients.WHATSAPP]
    troubles = deliveries.troubles()
    told = deliveries.newest(SHOWN_DELIVERIES)
    known = {row.id: row for row in db.session.scalars(select(AlertRecipient))}
    removed = [
        row for row in known.values() if row.removed_at is not None and row.channel in recipients.WRITTEN
    ]
    return render_template(
        "admin/alerts.html",
        shown=[_shown(row, troubles.get(row.id, "")) for row in rows],
        owner=_owner(),
        has_owner=bool(phones.numbers_with_owner()),
        removed=[(row, _title(row)) for row in removed],
        deliveries=[(row, count, _title(known[row.recipient_id])) for row, count in told],
        missing=alert_words.missing_words(config),
        words=alert_words,
        kind_word=wording.alert_words,
    )


def _shown(row: AlertRecipient, trouble: str) -> Shown:
    return Shown(
        row,
        _title(row),
        alert_words.kinds_words(row.kinds),
        _quiet_words(row),
        alert_words.trouble_words(trouble) if trouble else "",
    )


def _title(row: AlertRecipient) -> str:
    """Name a recipient; of a webhook's address only the host: its path may be a secret."""
    if row.channel == recipients.PUSH:
        operator = db.session.get(Operator, row.operator_id)
        return operator.name if operator else ""
    if row.channel == recipients.SMS:
        return f"{row.name} · {phone.display(row.address)}" if row.name else phone.display(row.address)
    address = urlsplit(row.address).netloc if row.channel == recipients.WEBHOOK else row.address
    return f"{row.name} · {address}" if row.name else address


def _owner() -> Shown:
    """Show what the owner's phone is told, also while nobody has chosen."""
    row = recipients.owner() or AlertRecipient(
        channel=recipients.WHATSAPP, is_active=True, kinds=list(notices.USUAL), language="", is_woken=True
    )
    return Shown(row, "", alert_words.kinds_words(row.kinds), _quiet_words(row), "")


def _quiet_words(row: AlertRecipient) -> str:
    if row.quiet_from_min is None or row.quiet_until_min is None:
        return ""
    return f"{_clock(row.quiet_from_min)}-{_clock(row.quiet_until_min)}"


def _clock(minute: int) -> str:
    return f"{minute // 60 % 24:02}:{minute % 60:02}"


# --- one recipient ------------------------------------------------------------------------------------------


@bp.get("/alerts/new/<channel>")
def new(channel: str) -> ResponseReturnValue:
    form = Form({"address": "", "name": "", "language": current_config().default_language, "which": "all"})
    return _form_page(_written(channel), form, None)


@bp.post("/alerts/new/<channel>")
def add(channel: str) -> ResponseReturnValue:
    """Add a recipient; a webhook's secret is shown now, and never again."""
    wanted = _written(channel)
    form, wish = _read()
    address = _address(wanted, form)
    if address is None or wish is None:
        return _form_page(wanted, form, None), 422
    secret = signed_webhook.new_secret() if wanted == recipients.WEBHOOK else ""
    try:
        row = recipients.add(
            wanted, address, wish, now=utc_now(), secret=secret, secret_key=current_config().secret_key
        )
    except recipients.AlreadyThere:
        db.session.rollback()
        form.problems["address"] = _("This address is told already.")
        return _form_page(wanted, form, None), 422
    note("alert_recipient", row.id, "", "added")
    db.session.commit()
    flash(_("Saved. Send a test to see that it arrives."), "success")
    if secret:
        return _form_page(wanted, _form_of(row), row, secret)
    return redirect(url_for("alert_settings.alerts"), 303)


@bp.get("/alerts/recipients/<int:recipient_id>")
def recipient(recipient_id: int) -> ResponseReturnValue:
    row = _find(recipient_id)
    return _form_page(_channel(row), _form_of(row), row)


@bp.post("/alerts/recipients/<int:recipient_id>")
def save(recipient_id: int) -> ResponseReturnValue:
    row = _find(recipient_id)
    if late := overtaken(lambda: recipient(recipient_id), "alert_recipient", recipient_id):
        return late
    form, wish = _read()
    form.written["address"] = row.address
    if wish is None:
        return _form_page(_channel(row), form, row), 422
    recipients.change(row, wish)
    note("alert_recipient", row.id, "", "changed")
    db.session.commit()
    flash(_("Saved."), "success")
    return redirect(url_for("alert_settings.alerts"), 303)


@bp.get("/alerts/owner")
def owner() -> ResponseReturnValue:
    """Show what the owner's phone is told."""
    return _form_page(recipients.WHATSAPP, _form_of(_owner().row), None)


@bp.post("/alerts/owner")
def save_owner() -> ResponseReturnValue:
    if late := overtaken(owner):
        return late
    form, wish = _read()
    if wish is None:
        return _form_page(recipients.WHATSAPP, form, None), 422
    wish = replace(wish, language=current_config().default_language)
    row = recipients.owner()
    if row is None:
        row = recipients.add(recipients.WHATSAPP, recipients.OWNER, wish, now=utc_now())
    else:
        recipients.change(row, wish)
    note("alert_recipient", row.id, "", "changed")
    db.session.commit()
    flash(_("Saved."), "success")
    return redirect(url_for("alert_settings.alerts"), 303)


@bp.post("/alerts/recipients/<int:recipient_id>/switch")
def switch(recipient_id: int) -> ResponseReturnValue:
    """Tell a recipient from now on, or no more."""
    row = _find(recipient_id)
    recipients.switch(row, is_active=not row.is_active)
    note_switch("alert_recipient", row.id, is_on=row.is_active)
    db.session.commit()
    flash(_("Told again from now on.") if row.is_active else _("Switched off: told no more."), "success")
    return redirect(url_for("alert_settings.alerts"), 303)


@bp.post("/alerts/recipients/<int:recipient_id>/remove")
def remove(recipient_id: int) -> ResponseReturnValue:
    recipients.remove(_find(recipient_id), now=utc_now())
    note("alert_recipient", recipient_id, "", "deleted")
    db.session.commit()
    flash(_("Removed. It can be taken back at the end of the page."), "success")
    return redirect(url_for("alert_settings.alerts"), 303)


@bp.post("/alerts/recipients/<int:recipient_id>/restore")
def restore(recipient_id: int) -> ResponseReturnValue:
    row = db.session.get(AlertRecipient, recipient_id) or abort(404)
    recipients.restore(row)
    note("alert_recipient", recipient_id, "deleted", "added")
    db.session.commit()
    flash(_("Told again from now on."), "success")
    return redirect(url_for("alert_settings.alerts"), 303)


@bp.post("/alerts/recipients/<int:recipient_id>/secret")
def new_secret(recipient_id: int) -> ResponseReturnValue:
    """Make a webhook's secret anew; the old one signs no more."""
    row = _find(recipient_id)
    if row.channel != recipients.WEBHOOK:
        abort(404)
    secret = signed_webhook.new_secret()
    recipients.set_secret(row, secret, current_config().secret_key)
    note("alert_recipient", row.id, "", "new secret")
    db.session.commit()
    return _form_page(recipients.WEBHOOK, _form_of(row), row, secret)


# --- tests --------------------------------------------------------------------------------------------------


@bp.post("/alerts/recipients/<int:recipient_id>/test")
def test(recipient_id: int) -> ResponseReturnValue:
    """Really send a test, and say what came of it."""
    row = _find(recipient_id)
    title = _title(row)
    error = alerting.send_test(row, current_config(), now=utc_now())
    if error is None:
        flash(_("The test was sent to %(title)s.", title=title), "success")
    else:
        reason = alert_words.trouble_words(error.code)
        flash(_("The test was not sent to %(title)s: %(reason)s", title=title, reason=reason), "danger")
    return redirect(url_for("alert_settings.alerts"), 303)


@bp.post("/alerts/owner/test")
def test_owner() -> ResponseReturnValue:
    """Send a test to the owners' phones whose window is open."""
    told, closed = notices.queue_test(utc_now())
    db.session.commit()
    for conversation_id in told:
        tasks.wake_outbox(conversation_id)
    if told:
        flash(_("The test is on its way to the owner's phone."), "success")
    elif closed:
        flash(_("Her 24-hour window is closed: write a word from that phone to the shop first."), "danger")
    else:
        flash(_("No owner's phone is entered."), "danger")
    return redirect(url_for("alert_settings.alerts"), 303)


# --- the form -----------------------------------------------------------------------------------------------


def _form_page(channel: Channel, form: Form, row: AlertRecipient | None, secret: str = "") -> str:
    is_owner = channel == recipients.WHATSAPP
    groups = [
        (group, [name for name in kinds.names(group) if not is_owner or name in notices.BUTTONS])
        for group in kinds.GROUPS
    ]
    return render_template(
        "admin/alert_recipient.html",
        channel=channel,
        form=form,
        row=row,
        title=_title(row) if row is not None else "",
        secret=secret,
        groups=[(group, names) for group, names in groups if names],
        languages=tuple(LANGUAGE_NAMES.items()),
        words=alert_words,
        kind_word=wording.alert_words,
    )


def _form_of(row: AlertRecipient) -> Form:
    written = {
        "address": row.address or "",
        "name": row.name or "",
        "language": row.language,
        "which": "all" if row.kinds is None else "some",
        "kinds": " ".join(row.kinds or ()),
        "quiet_from": "" if row.quiet_from_min is None else _clock(row.quiet_from_min),
        "quiet_until": "" if row.quiet_until_min is None else _clock(row.quiet_until_min),
        "is_woken": "1" if row.is_woken else "",
    }
    return Form(written)


def _read() -> tuple[Form, Wish | None]:
    """Read the form; no wish when something in it is wrong, which the form then says."""
    fields = ("address", "name", "language", "which", "quiet_from", "quiet_until", "is_woken")
    written = {name: request.form.get(name, "").replace("\0", "").strip() for name in fields}
    chosen = [name for name in request.form.getlist("kinds") if name in kinds.BY_NAME]
    form = Form({**written, "kinds": " ".join(chosen)})
    if written["language"] not in LANGUAGE_NAMES:
        form.written["language"] = current_config().default_language
    if written["which"] == "some" and not chosen:
        form.problems["kinds"] = _("Choose at least one, or everything.")
    start, end = (_minute(written[name], form, name) for name in ("quiet_from", "quiet_until"))
    if (start is None) != (end is None) and not form.problems:
        form.problems["quiet_until"] = _("Quiet hours need a beginning and an end.")
    if form.problems:
        return form, None
    return form, Wish(
        name=written["name"][: recipients.NAME_MAX_CHARS],
        language=form.written["language"],
        kinds=tuple(chosen) if written["which"] == "some" else None,
        quiet_from_min=start,
        quiet_until_min=end,
        is_woken=bool(written["is_woken"]),
    )


def _minute(written: str, form: Form, name: str) -> int | None:
    if not written:
        return None
    hour, _colon, minute = written.partition(":")
    is_time = len(written) <= 5 and all(part.isascii() and part.isdecimal() for part in (hour, minute))
    if not is_time or int(hour) > 23 or int(minute) > 59:
        form.problems[name] = _("Write a time as 22:00.")
        return None
    return int(hour) * 60 + int(minute)


def _address(channel: Channel, form: Form) -> str | None:
    """Read the address of a channel; None when it is none, which the form then says."""
    written = form.written["address"]
    if len(written) > ADDRESS_MAX_CHARS[channel]:
        form.problems["address"] = _("This address is too long.")
        return None
    match channel:
        case recipients.EMAIL:
            found, problem = _email(written), _("This is no e-mail address.")
        case recipients.SMS:
            region = None if written.startswith("+") else HOME_REGION
            found = phone.normalise(written, region)
            problem = _("This is no phone number. Write it with country code: +55 11 98765-4321.")
        case _:
            found, problem = web_address(written), _("This is no https address.")
    if found is None:
        form.problems["address"] = problem
    return found


def _email(written: str) -> str | None:
    try:
        found = validate_email(written, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError:
        return None
    return found.normalized.lower()


def web_address(written: str) -> str | None:
    try:
        parts = urlsplit(written)
        is_usable = bool(parts.hostname) and parts.username is None and (parts.port or 1) > 0
    except ValueError:
        return None
    schemes = ("https", "http") if current_config().allow_private_addresses else ("https",)
    is_plain = written.isascii() and written.isprintable() and " " not in written
    return written if is_usable and is_plain and parts.scheme in schemes else None


def _written(channel: str) -> Channel:
    if channel not in recipients.WRITTEN:
        abort(404)
    return channel


def _channel(row: AlertRecipient) -> Channel:
    return cast(Channel, row.channel)


def _find(recipient_id: int) -> AlertRecipient:
    row = recipients.recipient(recipient_id)
    if row is None or row.channel == recipients.WHATSAPP:
        abort(404)
    return row
