"""What every page's template may use: filters that format, and what the navigation shows.

Called once by the composition root. Filters take values and give text; only `waiting_count` asks the
database.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache

from babel import Locale
from babel.numbers import get_currency_precision
from flask import Flask
from flask_babel import format_currency, format_date, format_datetime, format_time, get_locale, get_timezone
from flask_babel import gettext as _
from flask_login import current_user
from markupsafe import Markup, escape

import conversations
import phone
from analysis.folding import fold, fold_with_offsets
from crm.slots import read_slot_id
from dashboard import alert_words, care_words, inbox_lists, meanwhile, shop_words, template_words, wording
from dashboard.breach_wording import breach_words
from models import Contact, utc_now
from training.refusals import LABELS_OF
from vocabulary import LANGUAGES, SENTIMENTS

AVATAR_TONES = 6
# Of a message that a search found, its line in the list shows so much.
FOUND_CHARS_BEFORE = 18
FOUND_CHARS = 120
MEDIA_ICONS = {
    "image": "fa-image",
    "video": "fa-film",
    "audio": "fa-microphone",
    "document": "fa-file-lines",
    "sticker": "fa-note-sticky",
}
# WhatsApp's own marks, on text that is already escaped. Each mark stays within its line.
MARKS = (
    (re.compile(r"```([^`]+?)```"), r"<code>\1</code>"),
    (re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?![\w*])"), r"<strong>\1</strong>"),
    (re.compile(r"(?<![\w_/])_(?=\S)([^_\n]+?)(?<=\S)_(?![\w_])"), r"<em>\1</em>"),
    (re.compile(r"(?<![\w~])~(?=\S)([^~\n]+?)(?<=\S)~(?![\w~])"), r"<s>\1</s>"),
)


def install(app: Flask) -> None:
    """Give the templates of `app` their filters and the navigation."""
    app.jinja_env.filters.update(
        ago=ago,
        avatar_tone=avatar_tone,
        clock=clock,
        contact_name=contact_name,
        contact_phone=contact_phone,
        day_name=day_name,
        found_words=found_words,
        initials=initials,
        money=money,
        moment_words=moment_words,
        plain_amount=shop_words.plain_amount,
        phone_number=phone.display,
        span=span,
        whatsapp_text=whatsapp_text,
        without_marks=without_marks,
        when=when,
        window_left=window_left,
    )
    app.jinja_env.globals.update(
        current_user=current_user,
        breach_words=breach_words,
        meanwhile=meanwhile,
        actor_word=shop_words.actor_word,
        error_words=wording.error_words,
        goods_word=shop_words.goods_word,
        method_word=shop_words.method_word,
        record_word=shop_words.record_word,
        health_words=wording.health_words,
        kind_word=kind_word,
        language_word=language_word,
        media_icons=MEDIA_ICONS,
        model_failure_words=wording.model_failure_words,
        part_word=wording.part_word,
        placeholder_word=template_words.placeholder_word,
        reading_word=wording.reading_word,
        reason_words=wording.reason_words,
        responder_word=responder_word,
        status_word=status_word,
        state_word=state_word,
        duty_word=care_words.duty_word,
        rule_word=care_words.rule_word,
        follow_up_word=care_words.follow_up_word,
        reminder_word=care_words.reminder_word,
        letter_word=alert_words.letter_word,
        score_word=care_words.score_word,
        part_of_score_word=care_words.part_of_score_word,
        weekday_word=care_words.weekday_word,
        task_word=wording.task_word,
        taught_labels=LABELS_OF,
        sentiments=SENTIMENTS,
        customer_languages=LANGUAGES,
        snooze_word=wording.snooze_word,
        identity_word=wording.identity_word,
        record_kind_word=wording.record_kind_word,
        utc_now=utc_now,
        waiting_count=inbox_lists.waiting_count,
    )


# --- people -------------------------------------------------------------------------------------------------


def contact_name(contact: Contact) -> str:
    return contact.name.strip() or contact_phone(contact) or _("No name")


def contact_phone(contact: Contact) -> str:
    """Give the phone as people read it, else the username; people may hide both."""
    number, username = contact.identity("wa_id"), contact.identity("username")
    if number:
        return phone.display(f"+{number.lstrip('+')}")
    return f"@{username.lstrip('@')}" if username else ""


def initials(name: str) -> str:
    words = [word for word in name.split() if word[:1].isalpha()]
    if not words:
        return "#"
    return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()


def avatar_tone(name: str) -> int:
    """Give one of AVATAR_TONES numbers, always the same for a name."""
    return hashlib.blake2b(name.encode(errors="replace"), digest_size=1).digest()[0] % AVATAR_TONES


# --- times --------------------------------------------------------------------------------------------------


def clock(moment: datetime | None) -> str:
    return format_time(moment, "HH:mm") if moment else ""


def day_name(moment: datetime | date | None) -> str:
    """Name a day as people do: today, yesterday, a weekday's date."""
    if moment is None:
        return ""
    day = local_day(moment) if isinstance(moment, datetime) else moment
    distance = (local_day(utc_now()) - day).days
    if distance == 0:
        return str(_("Today"))
    if distance == 1:
        return str(_("Yesterday"))
    return str(format_date(day, "long" if distance > 300 else "EEEE, d MMM", rebase=False))


def local_day(moment: datetime) -> date:
    return moment.astimezone(get_timezone()).date()


def when(moment: datetime | None) -> str:
    """Give the clock for today, else the day: what fits beside a list's line."""
    if moment is None:
        return ""
    distance = (local_day(utc_now()) - local_day(moment)).days
    if distance == 0:
        return clock(moment)
    if distance == 1:
        return str(_("Yesterday"))
    return str(format_date(moment, "short"))


def ago(moment: datetime | None) -> str:
    return str(_("%(time)s ago", time=span(utc_now() - moment))) if moment else str(_("never"))


def span(length: timedelta) -> str:
    """Give a length of time in its largest fitting unit."""
    seconds = max(0, int(length.total_seconds()))
    if seconds < 60:
        return str(_("%(count)d s", count=seconds))
    if seconds < 3600:
        return str(_("%(count)d min", count=seconds // 60))
    if seconds < 48 * 3600:
        return str(_("%(count)d h", count=seconds // 3600))
    return str(_("%(count)d days", count=seconds // 86400))


def window_left(last_inbound_at: datetime | None) -> timedelta | None:
    """Give how long free text may still be sent; None when the 24-hour window is closed."""
    now = utc_now()
    if not conversations.is_window_open(last_inbound_at, now):
        return None
    return conversations.window_left(last_inbound_at, now)


# --- words and figures --------------------------------------------------------------------------------------


def money(minor: int, currency: str) -> str:
    return str(format_currency(Decimal(minor).scaleb(-get_currency_precision(currency)), currency))


def whatsapp_text(text: str) -> Markup:
    """Show a message's text with WhatsApp's marks; everything else of it is escaped."""
    shown = str(escape(text.replace("\x00", "")))
    for pattern, replacement in MARKS:
        shown = pattern.sub(replacement, shown)
    return Markup(shown)


def without_marks(text: str) -> str:
    """Give a message's text for one line of a list: WhatsApp's marks would only be noise there."""
    for pattern, _replacement in MARKS:
        text = pattern.sub(r"\1", text)
    return text


def found_words(text: str, search: str) -> Markup:
    """Give the part of a message around the first word that was looked for, which is marked."""
    folded = fold_with_offsets(" ".join(without_marks(text).split()))
    words = [re.escape(word) for word in fold(search).split()]
    match = re.search("|".join(words), folded.text) if words else None
    begin, end = folded.span(*match.span()) if match else (0, 0)
    first = max(0, begin - FOUND_CHARS_BEFORE)
    plain = folded.original
    before, found, after = plain[first:begin], plain[begin:end], plain[end : first + FOUND_CHARS]
    return Markup("{}{}<mark>{}</mark>{}" if found else "{}{}{}{}").format(
        "…" if first else "", before, found, after
    )


def kind_word(kind: str) -> str:
    """Name a kind of message that has no text to show."""
    words = {
        "image": _("Photo"),
        "video": _("Video"),
        "audio": _("Voice message"),
        "document": _("Document"),
        "sticker": _("Sticker"),
        "location": _("A place on the map"),
        "contacts": _("A contact card"),
        "order": _("An order from the catalogue"),
        "unsupported": _("A kind of message that cannot be shown here"),
        "welcome": _("Opened the conversation"),
    }
    return str(words.get(kind, kind))


def language_word(code: str) -> str:
    """Name a customer's language in the language of the page."""
    return str((get_locale() or Locale("en")).languages.get(code, code))


def responder_word(responder: str) -> str:
    words = {
        "menu": _("menu"),
        "shop": _("shop"),
        "ai": _("AI"),
        "human": _("person"),
        "nobody": _("nobody"),
    }
    return str(words.get(responder, responder))


def status_word(status: str) -> str:
    """Name the state of a record, an event or an urgency."""
    return str(_status_words(str(get_locale())).get(status, status))


@cache
def _status_words(_locale: str) -> Mapping[str, str]:
    return {
        "new": _("new"),
        "open": _("open"),
        "requested": _("requested"),
        "confirmed": _("confirmed"),
        "contacted": _("contacted"),
        "closed": _("closed"),
        "resolved": _("resolved"),
        "cart": _("in the cart"),
        "placed": _("placed"),
        "paid": _("paid"),
        "unpaid": _("unpaid"),
        "claimed": _("to be confirmed"),
        "pending": _("waiting"),
        "expired": _("expired"),
        "refunded": _("paid back"),
        "returned": _("put back"),
        "taken": _("taken again"),
        "partly_refunded": _("partly paid back"),
        "done": _("done"),
        "sent": _("sent"),
        "delivered": _("delivered"),
        "read": _("read"),
        "queued": _("queued"),
        "revoked": _("ended"),
        "cancelled": _("cancelled"),
        "failed": _("failed"),
        "unknown": _("unknown number"),
        "unmatched": _("without message"),
        "ignored": _("set aside"),
        "critical": _("critical"),
        "urgent": _("urgent"),
        "high": _("high"),
        "medium": _("medium"),
        "low": _("low"),
        "in_review": _("in review"),
        "solved": _("solved"),
        "qualified": _("qualified"),
        "won": _("won"),
        "lost": _("lost"),
        "no_show": _("did not come"),
        "bot": _("bot"),
        "human": _("person"),
        "draft": _("draft"),
        "approved": _("approved"),
        "rejected": _("rejected"),
        "disabled": _("disabled"),
        "archived": _("archived"),
        "scheduled": _("scheduled"),
        "running": _("running"),
        "paused": _("paused"),
        "on_sale": _("on sale"),
        "off_sale": _("off sale"),
        **_deed_words(),
    }


def _deed_words() -> Mapping[str, str]:
    """Name what the audit log says was done."""
    return {
        "added": _("added"),
        "changed": _("changed"),
        "deleted": _("deleted"),
        "imported": _("imported"),
        "joined": _("joined"),
        "new password": _("new password"),
        "new secret": _("new secret"),
        "no second factor": _("no second factor"),
        "begun": _("begun"),
        "as shipped": _("as shipped"),
        "keys dropped": _("keys thrown away"),
        "draft dropped": _("draft thrown away"),
        "conversions on": _("conversions on"),
        "default": _("default"),
        "there": _("there"),
        "removed": _("removed"),
        "agent": _("agent"),
        "manager": _("manager"),
        "admin": _("admin"),
        "on": _("on"),
        "off": _("off"),
    }


def state_word(state: str) -> str:
    """Name a state of a record's history: a status, or the time that an appointment was moved to."""
    moment = read_slot_id(state)
    return moment_words(moment) if moment else status_word(state)


def moment_words(moment: datetime | None) -> str:
    """Write a moment with its weekday, day and clock, as a list of appointments wants it."""
    if moment is None:
        return ""
    return f"{format_datetime(moment, 'EEE, d MMM')}, {clock(moment)}"
