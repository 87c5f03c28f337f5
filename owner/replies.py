"""What the owner's buttons do: mark an order paid, take a conversation over, be reminded later.

The pipeline asks `wish_of` for each message and calls `do` inside the turn's write transaction. Only the
owner's own identity makes a press count; pressed twice, it is done once, and she reads how things stand.
Flushes, never commits.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select

import alerts
import conversations
import integrations
import texts
from config import Config
from integrations import Number
from message_content import Content, Text
from models import Alert, Conversation, Order, OwnerNotice, Payment, db
from owner import notices, phones
from owner.notices import LATER, PAID, PREFIX, REMIND_AFTER, TAKE
from shop import payments, till
from statements import insert_or_ignore

VERBS: Final = (PAID, TAKE, LATER)
REASON: Final = "taken over on the owner's phone"
# What she may type instead of pressing: a verb and the number of the notice, "PAGO 12".
TYPED: Final = {
    "pago": PAID, "pagado": PAID, "paid": PAID,
    "assumir": TAKE, "tomar": TAKE, "take": TAKE,
    "depois": LATER, "luego": LATER, "later": LATER,
}  # fmt: skip
COMMAND: Final = re.compile(r"\s*([a-z]{4,8})\s+#?([0-9]{1,15})\s*[.!]?\s*", re.IGNORECASE | re.ASCII)
# What she writes from a phone whose number WhatsApp does not show; her page has the code.
INTRODUCTION: Final = re.compile(
    r"\s*(?:don[oa]|due(?:ñ|n)[oa]|owner)\s+([A-Z2-7]{4}-[A-Z2-7]{4})\s*[.!]?\s*", re.IGNORECASE
)
WHO: Final = "who"
VOID: Final = "void"
PRESSED: Final = re.compile(rf"{PREFIX}({'|'.join(VERBS)}):([0-9]{{1,15}})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the owner wants done about one notice.

    `who` tells the desk by a code that she is the owner, `void` is her button, pressed by somebody else.
    """

    verb: str
    notice_id: int = 0
    integration_id: int = 0
    contact_id: int = 0
    code: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """What she is told, and whose outbox to wake; `handed_over` are now with a person."""

    contents: tuple[Content, ...]
    touched: tuple[int, ...] = ()
    handed_over: tuple[int, ...] = ()


def wish_of(number: Number, contact_id: int, choice_id: str | None, text: str) -> Wish | None:
    """Read the owner's button or typed command; None where it is neither. Reads only.

    A code is read from anybody and proved by `do`. Her button does nothing in anybody else's hand, and its
    title is no word of hers; a typed command is a plain message then.
    """
    introduced = INTRODUCTION.fullmatch(text) if choice_id is None else None
    if introduced is not None and number.owner_phone:
        return Wish(WHO, integration_id=number.id, contact_id=contact_id, code=introduced[1])
    pressed = _pressed(choice_id)
    wish = pressed or (_typed(text) if choice_id is None else None)
    if wish is not None and _may(wish, number, contact_id):
        return wish
    return Wish(VOID) if pressed is not None else None


def _may(wish: Wish, number: Number, contact_id: int) -> bool:
    of_number = select(OwnerNotice.id).where(
        OwnerNotice.id == wish.notice_id, OwnerNotice.integration_id == number.id
    )
    if not number.owner_phone or db.session.execute(of_number).first() is None:
        return False
    return phones.is_owner(number, contact_id)


def _pressed(choice_id: str | None) -> Wish | None:
    found = PRESSED.fullmatch(choice_id or "")
    return Wish(found[1], int(found[2])) if found else None


def _typed(text: str) -> Wish | None:
    found = COMMAND.fullmatch(text)
    verb = TYPED.get(found[1].lower()) if found else None
    return Wish(verb, int(found[2])) if found and verb else None


def do(wish: Wish, *, language: str, config: Config, now: datetime) -> Done:
    """Do what the owner wants and say how things stand. Flushes. Idempotent."""
    if wish.verb == WHO:
        return _introduce(wish, language, config, now)
    if wish.verb == VOID:
        return Done((Text(texts.text("owner_button_void", language)),))
    row = db.session.get_one(OwnerNotice, wish.notice_id, with_for_update=True, populate_existing=True)
    match wish.verb:
        case "paid":
            return _mark_paid(row, language, config, now)
        case "take":
            return _take(row, language, config, now)
        case _:
            return _remind(row, language, config, now)


def _introduce(wish: Wish, language: str, config: Config, now: datetime) -> Done:
    number = integrations.number(wish.integration_id)
    is_owner = number is not None and phones.introduce(
        number, wish.contact_id, wish.code, config=config, now=now
    )
    return Done((Text(texts.text("owner_known", language, is_owner=is_owner)),))


def _mark_paid(row: OwnerNotice, language: str, config: Config, now: datetime) -> Done:
    order = db.session.get(Order, row.order_id) if row.order_id is not None else None
    payment = _payment_of(order, config, now) if order is not None else None
    if order is None or payment is None:
        return _told(row, "cannot", language)
    confirmed = payments.confirm(
        payment,
        amount_minor=order.total_minor,
        currency=order.currency,
        actor="owner",
        config=config,
        now=now,
    )
    if confirmed.result in ("paid", "already"):
        _settle(row, PAID, now)
        _know_of_payment(row, order, now)
    handed_over = confirmed.delivered
    told = _told(row, confirmed.result, language, waiting=handed_over.waiting, sent=handed_over.sent)
    return Done(told.contents, (confirmed.conversation_id,))


def _payment_of(order: Order, config: Config, now: datetime) -> Payment | None:
    """Find the payment that arrived: what the customer claimed, else the newest that no service confirms."""
    by_hand = [one for one in payments.payments_of(order.id) if one.method not in till.BY_SERVICE]
    settled = next((one for one in by_hand if one.status not in payments.OPEN), None)
    if settled is not None:
        return settled
    claimed = [one for one in by_hand if one.claimed_at is not None]
    if claimed or by_hand:
        return (claimed or by_hand)[-1]
    for method in till.offered(order.currency, config):
        if method in till.BY_SERVICE:
            continue
        try:
            shown = payments.start(order, method, config=config, now=now, actor="owner")
        except payments.CannotBePaid:
            return None
        return db.session.get(Payment, shown.payment_id)
    return None


def _know_of_payment(row: OwnerNotice, order: Order, now: datetime) -> None:
    """Spare her the news that the order is paid: she has just said so."""
    alert = db.session.execute(
        select(Alert.id, Alert.conversation_id).where(Alert.open_topic == f"paid:{order.id}")
    ).first()
    if alert is None:
        return
    known = insert_or_ignore(OwnerNotice).values(
        alert_id=alert.id,
        integration_id=row.integration_id,
        conversation_id=alert.conversation_id,
        order_id=order.id,
        kind="paid",
        state="done",
        sent_count=0,
        answer=PAID,
        answered_at=now,
        created_at=now,
    )
    db.session.execute(known)


def _take(row: OwnerNotice, language: str, config: Config, now: datetime) -> Done:
    conversation = db.session.get_one(Conversation, row.conversation_id, populate_existing=True)
    was_answered = row.answer == TAKE
    if not was_answered or not conversation.is_with_person:
        conversations.take_over(conversation, None, now=now, reason=REASON)
    _settle(row, TAKE, now)
    if row.kind in ("waiting", "complaint"):
        alerts.acknowledge(row.alert_id, now=now)
    base = config.public_base_url
    link = f"{base}/inbox/{conversation.id}" if base else ""
    contents = _told(row, "take", language, link=link).contents
    return Done(contents, (), (conversation.id,))


def _remind(row: OwnerNotice, language: str, config: Config, now: datetime) -> Done:
    if row.state == "done" or notices.is_settled(row):
        return _told(row, "settled", language)
    if row.state != "later" or row.due_at is None:
        row.due_at = now + REMIND_AFTER
        row.state, row.answer, row.answered_at = "later", LATER, now
        db.session.flush()
    at = row.due_at.astimezone(config.zone).strftime("%H:%M")
    return _told(row, "later", language, at=at)


def _settle(row: OwnerNotice, answer: str, now: datetime) -> None:
    row.state, row.answer, row.answered_at, row.due_at = "done", answer, row.answered_at or now, None
    db.session.flush()


def _told(row: OwnerNotice, result: str, language: str, **facts: object) -> Done:
    subject = notices.subject_of(row, language)
    number = subject.order.number if subject.order is not None else ""
    known: dict[str, object] = {"waiting": 0, "sent": 0, "link": "", "at": "", **facts}
    words = texts.text(
        "owner_done",
        language,
        result=result,
        who=subject.name,
        phone=subject.phone,
        number=number,
        total=subject.total,
        **known,
    )
    return Done((Text(words),))
