"""What the owner is told on her own phone: each alert of hers once, with buttons, while her window is open.

`tasks` calls `has_work` and `tell`; `replies` settles what she answered. An alert becomes a notice by a
sweep, so that whoever raises one need not know of her. While her 24-hour window is closed a notice waits (the
page of the owner's phone shows it); where a template is configured, it asks her to write, which opens the
window. Rows and queued messages only: flushes, never commits, talks to nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, select, update

import message_templates
import texts
import whatsapp_service
from alerts import recipients
from alerts.kinds import ABOUT_ORDERS
from config import Config
from integrations import Number
from message_content import Choice, Content, Menu, Template, Text
from models import (
    Alert,
    Complaint,
    Contact,
    Conversation,
    Message,
    MessageTemplate,
    Order,
    OwnerNotice,
    Product,
    db,
)
from owner import phones
from owner.phones import OwnerLine
from providers.templates import placeholders
from shop import catalog
from statements import changed_rows, insert_or_ignore

PAID: Final = "paid"
TAKE: Final = "take"
LATER: Final = "later"
# The alerts that may reach her, all of them about a customer, and the buttons under each.
BUTTONS: Final[dict[str, tuple[str, ...]]] = {
    "paid": (TAKE,),
    "payment_claimed": (PAID, TAKE, LATER),
    "payment_mismatch": (TAKE, LATER),
    "payment_twice": (TAKE, LATER),
    "payment_late": (TAKE, LATER),
    "to_deliver": (TAKE, LATER),
    "undelivered": (LATER,),
    "no_keys": (LATER,),
    "waiting": (TAKE, LATER),
    "complaint": (TAKE, LATER),
    "lead": (TAKE, LATER),
    "appointment": (TAKE, LATER),
    "media": (TAKE, LATER),
    "delivery_failed": (TAKE, LATER),
    "order_placed": (TAKE, LATER),
    "refund_wanted": (TAKE, LATER),
    "refund_failed": (LATER,),
    "payment_failed": (TAKE, LATER),
    "claim_ending": (PAID, TAKE, LATER),
}
# What she is told when nobody has chosen; the rest is chosen on the page of the alerts.
USUAL: Final = (*tuple(BUTTONS)[:10], "claim_ending")
PREFIX: Final = "owner:"
# What is older than this when the first phone is entered, or when her window opens, is history.
ALERT_MAX_AGE: Final = timedelta(hours=24)
NOTICE_MAX_AGE: Final = timedelta(days=7)
REMIND_AFTER: Final = timedelta(hours=1)
KNOCK_EVERY: Final = timedelta(hours=3)
AT_ONCE: Final = 10
MAX_TRIES: Final = 5
WORDS_MAX_CHARS: Final = 200
MAX_ID_DIGITS: Final = 15
TEMPLATE_NAME: Final = "owner_news"  # found among the desk's own templates without any setting
# Meta's names of the languages that our texts have.
TEMPLATE_LANGUAGES: Final = {"pt": "pt_BR", "es": "es", "en": "en"}


@dataclass(frozen=True, slots=True)
class Subject:
    """What a notice is about, in the words of its reader."""

    name: str
    phone: str = ""
    order: Order | None = None
    total: str = ""
    goods: str = ""
    words: str = ""


# --- the sweep ----------------------------------------------------------------------------------------------


def has_work(config: Config, now: datetime) -> bool:
    """Tell whether something may be told now. Reads only."""
    for number in phones.numbers_with_owner():
        if db.session.execute(_new_alerts(number, now).limit(1)).first() is not None:
            return True
        if db.session.execute(select(OwnerNotice.id).where(*_refused(number)).limit(1)).first() is not None:
            return True
        if db.session.execute(_due(number, now).limit(1)).first() is None:
            continue
        line = phones.line_of(number, now)
        if (line is not None and line.is_open) or _may_knock(number, config, now):
            return True
    return False


def tell(config: Config, now: datetime) -> list[int]:
    """Make notices of new alerts and queue what the owners may be told now. Flushes.

    Gives the owners' conversations that have something to send.
    """
    told = []
    for number in phones.numbers_with_owner():
        _note_alerts(number, config, now)
        again = update(OwnerNotice).where(*_refused(number)).values(state="waiting", due_at=now)
        changed_rows(again)
        line = phones.line_of(number, now)
        if line is not None and line.is_open:
            sent = [_tell_one(row, number, line, config, now) for row in _due_notices(number, now)]
            is_told = any(sent)
        else:
            is_told = _knock(number, config, now)
            line = phones.line_of(number, now)
        if is_told and line is not None:
            told.append(line.conversation_id)
    return told


def _new_alerts(number: Number, now: datetime) -> Any:
    return (
        select(Alert.id, Alert.kind, Alert.open_topic, Alert.conversation_id)
        .join(Conversation, Conversation.id == Alert.conversation_id)
        .outerjoin(OwnerNotice, OwnerNotice.alert_id == Alert.id)
        .where(
            Conversation.integration_id == number.id,
            Alert.kind.in_(wished()),
            Alert.open_topic.is_not(None),
            Alert.created_at > now - ALERT_MAX_AGE,
            OwnerNotice.id.is_(None),
        )
        .order_by(Alert.id)
    )


def wished() -> tuple[str, ...]:
    """List the kinds of alerts that the owners want to be told of on WhatsApp. Reads only."""
    chosen = recipients.owner()
    if chosen is None:
        return USUAL
    return tuple(kind for kind in BUTTONS if chosen.is_active and recipients.wants(chosen, kind))


def _note_alerts(number: Number, config: Config, now: datetime) -> None:
    chosen = recipients.owner()
    for alert in db.session.execute(_new_alerts(number, now)).all():
        quiet_end = recipients.quiet_end(chosen, alert.kind, config.zone, now) if chosen else None
        db.session.execute(
            insert_or_ignore(OwnerNotice).values(
                **_row_of(alert, number, now), state="waiting", due_at=quiet_end or now
            )
        )


def _row_of(alert: Row[Any], number: Number, now: datetime) -> dict[str, Any]:
    return {
        "alert_id": alert.id,
        "integration_id": number.id,
        "conversation_id": alert.conversation_id,
        "order_id": _order_of(alert.kind, alert.open_topic),
        "kind": alert.kind,
        "sent_count": 0,
        "answer": "",
        "created_at": now,
    }


def _order_of(kind: str, topic: str | None) -> int | None:
    """Read the order's id out of an alert's topic, `paid:17`."""
    written = (topic or "").rpartition(":")[2]
    is_id = written.isascii() and written.isdecimal() and len(written) <= MAX_ID_DIGITS
    return int(written) if kind in ABOUT_ORDERS and is_id else None


def _refused(number: Number) -> tuple[ColumnElement[bool], ...]:
    """Tell which notices never reached her and may now: she has written since they failed."""
    failed = (
        select(Message.id)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(
            Message.id == OwnerNotice.message_id,
            Message.status == "failed",
            Conversation.last_inbound_at > Message.status_at,
        )
    )
    return (
        OwnerNotice.integration_id == number.id,
        OwnerNotice.state == "sent",
        OwnerNotice.sent_count < MAX_TRIES,
        failed.exists(),
    )


def _due(number: Number, now: datetime) -> Any:
    return (
        select(OwnerNotice)
        .where(
            OwnerNotice.integration_id == number.id,
            OwnerNotice.state.in_(("waiting", "later")),
            OwnerNotice.due_at <= now,
        )
        .order_by(OwnerNotice.id)
    )


def _due_notices(number: Number, now: datetime) -> Sequence[OwnerNotice]:
    found: Sequence[OwnerNotice] = db.session.scalars(_due(number, now).limit(AT_ONCE)).all()
    return found


def _tell_one(row: OwnerNotice, number: Number, line: OwnerLine, config: Config, now: datetime) -> bool:
    """Queue one notice; False when it is over by now, or another worker was quicker."""
    is_over = is_settled(row) or row.created_at < now - NOTICE_MAX_AGE
    values: dict[str, Any] = {"state": "dropped" if is_over else "sent", "due_at": None}
    if not is_over:
        values |= {"sent_at": now, "sent_count": row.sent_count + 1}
    is_ours = changed_rows(
        update(OwnerNotice)
        .where(
            OwnerNotice.id == row.id,
            OwnerNotice.state == row.state,
            OwnerNotice.sent_count == row.sent_count,
        )
        .values(**values)
    )
    if is_ours != 1 or is_over:
        return False
    contents = contents_of(row, number, line.language, config)
    ids = whatsapp_service.queue(line.conversation_id, number, contents, sender="bot", now=now)
    _touch(line.conversation_id, contents, now)
    changed_rows(update(OwnerNotice).where(OwnerNotice.id == row.id).values(message_id=ids[-1]))
    return True


def is_settled(row: OwnerNotice) -> bool:
    """Tell whether what a notice is about needs nobody any more: its alert was closed."""
    open_alert = select(Alert.id).where(Alert.id == row.alert_id, Alert.open_topic.is_not(None))
    return db.session.execute(open_alert).first() is None


def _touch(conversation_id: int, contents: Sequence[Content], now: datetime) -> None:
    conversation = db.session.get_one(Conversation, conversation_id)
    conversation.last_message_at = now
    conversation.last_preview = contents[-1].summary.replace("\n", " ")[:160]
    db.session.flush()


# --- the closed window --------------------------------------------------------------------------------------


def _may_knock(number: Number, config: Config, now: datetime) -> bool:
    """Tell whether the template may ask her to write: something is new, and she was not asked a while ago."""
    if not has_template(number, config):
        return False
    fresh = _due(number, now).where(OwnerNotice.knocked_at.is_(None)).limit(1)
    lately = select(OwnerNotice.id).where(
        OwnerNotice.integration_id == number.id, OwnerNotice.knocked_at > now - KNOCK_EVERY
    )
    return (
        db.session.execute(fresh).first() is not None and db.session.execute(lately.limit(1)).first() is None
    )


def _knock(number: Number, config: Config, now: datetime) -> bool:
    """Queue the template that asks the owner to write; what waits is sent once she does."""
    if not _may_knock(number, config, now):
        return False
    line = phones.open_line(number, now)
    if line is None:
        return False
    waiting = _due_notices(number, now)
    marked = changed_rows(
        update(OwnerNotice)
        .where(OwnerNotice.id.in_([row.id for row in waiting]), OwnerNotice.knocked_at.is_(None))
        .values(knocked_at=now)
    )
    if marked == 0:
        return False
    words = " ".join(texts.text("owner_knock", line.language, count=len(waiting)).split())
    kept = _kept_template(number, config, line.language)
    if kept is not None:
        return _queue_kept(kept, line, words, now)
    contents = [_template(number, config.owner_template, line.language, words)]
    whatsapp_service.queue(line.conversation_id, number, contents, sender="bot", now=now)
    _touch(line.conversation_id, contents, now)
    return True


def has_template(number: Number, config: Config) -> bool:
    """Tell whether there is a template that may ask the owner of this number to write. Reads only."""
    return bool(config.owner_template) or _kept_template(number, config, number.language) is not None


def _kept_template(number: Number, config: Config, language: str) -> MessageTemplate | None:
    """Find the approved template of this name in the desk's own list, in the owner's language or another that
    the setting names."""
    name, _, wanted = config.owner_template.partition(":")
    fallback = wanted or TEMPLATE_LANGUAGES[texts.text_language(number.language)]
    return message_templates.find(number.id, name or TEMPLATE_NAME, wanted or language, fallback)


def _queue_kept(row: MessageTemplate, line: OwnerLine, words: str, now: datetime) -> bool:
    wanted = placeholders(message_templates.wording_of(row))
    values = {one.key: words for one in wanted[:1]}
    try:
        message_templates.queue(line.conversation_id, row, values, purpose="owner", now=now)
    except message_templates.TemplateRefused:
        return False
    return True


def _template(number: Number, configured: str, language: str, words: str) -> Template:
    """Fill the one variable of the owner's template; a template's values hold no line ends."""
    name, _, wanted = configured.partition(":")
    if number.webhook_shape == "twilio":
        components: dict[str, Any] = {"type": "variables", "values": {"1": words}}
    else:
        components = {"type": "body", "parameters": [{"type": "text", "text": words}]}
    return Template(name, wanted or TEMPLATE_LANGUAGES[language], (components,), preview=words)


# --- the words ----------------------------------------------------------------------------------------------


def contents_of(row: OwnerNotice, number: Number, language: str, config: Config) -> list[Content]:
    """Give a notice as she reads it: with buttons; at Twilio, which has none to give, with words to type."""
    subject = subject_of(row, language)
    words = texts.text(
        "owner_notice",
        language,
        kind=row.kind,
        headline="" if row.kind in USUAL else texts.letter_text("alert_headline", language, kind=row.kind),
        is_reminder=row.sent_count > 0,
        who=subject.name,
        phone=subject.phone,
        number=subject.order.number if subject.order is not None else "",
        total=subject.total,
        goods=subject.goods,
        words=subject.words,
        link=f"{config.public_base_url}/inbox/{row.conversation_id}" if config.public_base_url else "",
    )
    verbs = BUTTONS[row.kind]
    if number.webhook_shape == "twilio":
        typed = [texts.text("owner_command", language, verb=verb, notice=row.id) for verb in verbs]
        return [Text("\n".join([words, "", *typed]))]
    choices = [
        Choice(f"{PREFIX}{verb}:{row.id}", texts.text("title_owner", language, verb=verb)) for verb in verbs
    ]
    return [Menu(words, tuple(choices))]


def subject_of(row: OwnerNotice, language: str) -> Subject:
    """Give whom and what a notice is about."""
    conversation = db.session.get_one(Conversation, row.conversation_id)
    contact = db.session.get_one(Contact, conversation.contact_id)
    wa_id = contact.identity("wa_id") or ""
    shown = f"+{wa_id.lstrip('+')}" if wa_id else ""
    order = db.session.get(Order, row.order_id) if row.order_id is not None else None
    return Subject(
        name=contact.name.strip() or shown or contact.identity("username") or "?",
        phone=shown,
        order=order,
        total=catalog.price_text(order.total_minor, order.currency, language) if order is not None else "",
        goods=_goods(row, order, language),
        words=_words(row),
    )


def _goods(row: OwnerNotice, order: Order | None, language: str) -> str:
    if order is None:
        topic = db.session.scalar(select(Alert.open_topic).where(Alert.id == row.alert_id)) or ""
        written = topic.rpartition(":")[2]
        is_product = row.kind == "no_keys" and written.isdecimal() and len(written) <= MAX_ID_DIGITS
        product = db.session.get(Product, int(written)) if is_product else None
        return catalog.shown_name(product, language) if product is not None else ""
    lines = [f"{item.quantity}× {item.name}" if item.quantity > 1 else item.name for item in order.items]
    return ", ".join(lines)


def _words(row: OwnerNotice) -> str:
    """Quote what the customer said: her complaint, or her last message."""
    said: str | None = None
    if row.kind == "complaint":
        said = db.session.scalar(
            select(Complaint.description)
            .where(Complaint.conversation_id == row.conversation_id)
            .order_by(Complaint.id.desc())
            .limit(1)
        )
    elif row.kind == "waiting":
        said = db.session.scalar(
            select(Message.body)
            .where(
                Message.conversation_id == row.conversation_id, Message.direction == "in", Message.body != ""
            )
            .order_by(Message.id.desc())
            .limit(1)
        )
    line = " ".join((said or "").split())
    return line if len(line) <= WORDS_MAX_CHARS else line[: WORDS_MAX_CHARS - 1].rstrip() + "…"


def queue_test(now: datetime) -> tuple[list[int], int]:
    """Queue a test to each owner whose window is open; gives their conversations, and how many windows are
    closed. Flushes."""
    told, closed = [], 0
    for number in phones.numbers_with_owner():
        line = phones.line_of(number, now)
        if line is None or not line.is_open:
            closed += 1
            continue
        contents = [Text(texts.letter_text("alert_test", line.language))]
        whatsapp_service.queue(line.conversation_id, number, contents, sender="bot", now=now)
        _touch(line.conversation_id, contents, now)
        told.append(line.conversation_id)
    return told, closed


# --- what pages ask -----------------------------------------------------------------------------------------


def list_notices(*, limit: int) -> list[OwnerNotice]:
    """List the newest notices, those that wait for her window first."""
    waits = OwnerNotice.state == "waiting"
    query = select(OwnerNotice).order_by(waits.desc(), OwnerNotice.id.desc())
    return list(db.session.scalars(query.limit(limit)))
