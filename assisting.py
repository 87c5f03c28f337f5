"""Help for operators: three replies to choose from, a conversation in one paragraph, a message translated.

The conversation page calls it, and `tasks` after a hand-over. A model helps where one may be asked; without
one the replies are the shop's own texts and the summary is made of records. Nothing is ever sent from here.
No transaction is open while a model is asked; commits what a call cost, and the summary.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

import structlog
from babel import Locale
from sqlalchemy import select, update

import ai_service
import answers
import consulting
import grounding
import integrations
import phone
import texts
from ai_service import Helped
from consulting import Means
from conversations import Thread
from grounding import Ground
from integrations import Number
from llm import Failed
from models import (
    Appointment,
    Complaint,
    Contact,
    ContactIdentity,
    Conversation,
    Message,
    Order,
    Ticket,
    db,
    reading,
)
from replies import guards, strategies, suggestions
from replies.amounts import price_text
from replies.attacks import kind_of_attack
from replies.plan import Suggestions, Summary, Translation
from replies.summing import check_summary
from replies.wording import words
from shop import orders
from statements import changed_rows
from triage import CLEAR_INTENT

log = structlog.get_logger()

SUGGESTED: Final = 3
UNANSWERED_MESSAGES: Final = 5
SUMMED_MESSAGES: Final = 60
# The manners that may be offered whatever the stock says, the most different ones first.
MANNERS: Final = ("consultivo", "racional", "emocional")
# What a person asks the team about is answered with care, not with an offer.
CARED_FOR: Final = frozenset(
    {"complaint", "support_ticket", "order_inquiry", "payment_inquiry", "appointment_request", "feedback"}
)
UPSET: Final = frozenset({"angry", "frustrated"})
WITHOUT_PRODUCT: Final = frozenset({"objection", "not_interested"})
SUMMARIES_DIR: Final = Path(__file__).parent / "templates" / "summaries"
WISHES_SHOWN: Final = 3
WISHES_LOOKED_AT: Final = 20
RECORDS_SHOWN: Final = 5
SAID_CHARS: Final = 240
NO_WISHES: Final = frozenset({"other", "spam"})


@dataclass(frozen=True, slots=True)
class Suggested:
    """Replies that an operator may send; `failure` is why no model wrote them, if one was asked."""

    replies: tuple[str, ...]
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Worded:
    """A summary or a translation; an empty `text` where none could be made, and `failure` says why."""

    text: str
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class _Case:
    """A conversation as help needs it."""

    thread: Thread
    number: Number
    words: str  # what the customer said since the desk's last answer

    @property
    def language(self) -> str:
        return self.thread.language or self.number.language


# --- replies to choose from ---------------------------------------------------------------------------------


def suggest(means: Means, conversation_id: int, *, now: datetime) -> Suggested:
    """Give three different replies to the customer's last words, each past the guards; none for a number
    that is switched off."""
    case = _case(conversation_id)
    if case is None:
        return Suggested((), "number_off")
    ground = grounding.ground(
        means.config,
        case.thread,
        case.number,
        case.words,
        language=case.language,
        now=now,
        sells_products=case.number.start_flow != grounding.NEXORA,
    )
    written, failure = _by_model(means, case, ground, now)
    reader = texts.text_language(case.language)
    replies = [
        *_harmless(written, ground, case.language, case.words),
        *_harmless(_by_hand(means, case, ground, reader, now), ground, reader, case.words),
    ]
    return Suggested(tuple(_different(replies))[:SUGGESTED], failure)


def _by_model(means: Means, case: _Case, ground: Ground, now: datetime) -> tuple[tuple[str, ...], str | None]:
    if kind_of_attack(case.words) is not None or means.assistant is None:
        return (), None
    assistant = consulting.assistant(means, now)
    if assistant is None:
        return (), "over_budget"
    talk = grounding.talk_so_far(case.thread.conversation_id)
    helped = ai_service.suggest(assistant, talk, language=case.language, facts=ground.facts)
    failure = _keep(helped, means, case.thread.conversation_id, now)
    return (() if helped.told is None else tuple(cast(Suggestions, helped.told).replies)), failure


def _by_hand(means: Means, case: _Case, ground: Ground, reader: str, now: datetime) -> Iterator[str]:
    """Give the shop's own words, the most fitting first; the last three fit always."""
    found = ai_service.understand(
        case.words,
        now=now.astimezone(means.config.zone),
        region=case.thread.country,
        language=case.thread.language,
    )
    is_upset = found.sentiment in UPSET and found.sentiment_confidence >= CLEAR_INTENT
    intent = found.intent if found.intent_confidence >= CLEAR_INTENT else "other"
    name = ground.facts.first_name
    if answers.wants_person(case.words, only=True):  # who is there already; nothing else was asked
        yield from suggestions.texts_for("other", reader, name)
        return
    if ground.clear is not None:
        yield ground.clear.text
    if is_upset or intent in CARED_FOR:
        yield from suggestions.texts_for(intent if intent in CARED_FOR else "complaint", reader, name)
        return
    signal = found.buying_signal if found.buying_signal_confidence >= CLEAR_INTENT else None
    if ground.is_named or signal in WITHOUT_PRODUCT:
        for manner in MANNERS:
            said = strategies.write(
                signal,
                strategy=manner,
                language=reader,
                facts=ground.facts,
                seed=case.words,
                said=ground.said,
            )
            yield said.text
    yield from suggestions.texts_for("other", reader, name)


def _harmless(replies: Iterable[str], ground: Ground, language: str, words: str) -> Iterator[str]:
    """Leave out what may not be said: an operator in a hurry sends what is offered."""
    for reply in replies:
        if not guards.check(reply, ground.facts, language=language, strategy=None, words=words):
            yield reply.strip()


def _different(replies: Iterable[str]) -> list[str]:
    """Give each reply once, however it is spaced, marked and written in capitals."""
    first: dict[str, str] = {}
    for reply in replies:
        first.setdefault(" ".join(words(reply.casefold())), reply)
    return list(first.values())


# --- a conversation in one paragraph ------------------------------------------------------------------------


def summarise(means: Means, conversation_id: int, *, language: str, now: datetime) -> Worded | None:
    """Sum a conversation up for who takes it over and keep it; None when there is no such conversation.

    Where no model can, the records tell. Commits.
    """
    known = _from_records(conversation_id, language=language)
    if known is None:
        return None
    text, failure = _summed_by_model(means, conversation_id, language, now)
    summary = text or known
    changed_rows(
        update(Conversation)
        .where(Conversation.id == conversation_id)
        .values(summary=summary, summarised_at=now)
    )
    db.session.commit()
    return Worded(summary, failure)


def _summed_by_model(
    means: Means, conversation_id: int, language: str, now: datetime
) -> tuple[str, str | None]:
    if means.assistant is None:
        return "", None
    assistant = consulting.assistant(means, now)
    if assistant is None:
        return "", "over_budget"
    talk = grounding.talk_so_far(conversation_id, limit=SUMMED_MESSAGES)
    if not talk:
        return "", None
    helped = ai_service.summarise(assistant, talk, language=language)
    failure = _keep(helped, means, conversation_id, now)
    told = "" if helped.told is None else cast(Summary, helped.told).summary
    today = now.astimezone(means.config.zone).date()
    breaches = check_summary(told, [turn.text for turn in talk], language=language, today=today)
    if breaches:
        log.info("summary_refused", conversation_id=conversation_id, codes=[one.code for one in breaches])
        return "", "bad_answer"
    return " ".join(told.replace("\x00", "").split()), failure


# --- the same from the records alone ----------------------------------------------------------------------


def _from_records(conversation_id: int, *, language: str) -> str | None:
    """Sum a conversation up in one of the texts' languages; None when there is no such conversation."""
    reader = texts.text_language(language)
    with reading():
        row = db.session.execute(
            select(Conversation.contact_id, Contact.name, Contact.language)
            .join(Contact, Contact.id == Conversation.contact_id)
            .where(Conversation.id == conversation_id)
        ).first()
        values = _values(conversation_id, row, reader) if row else None
        db.session.rollback()
    if values is None:
        return None
    return " ".join(texts.compiled(_summary_words(reader)).render(values).split())


def _values(conversation_id: int, row: Any, reader: str) -> dict[str, Any]:
    return {
        "language": reader,
        "name": row.name.strip() or _number(row.contact_id),
        "speaks": _language_name(row.language, reader),
        "wishes": _wishes(conversation_id),
        "order": _order(conversation_id, row.contact_id, reader),
        "tickets": _open_numbers(Ticket, row.contact_id, ("open",)),
        "complaints": _open_numbers(Complaint, row.contact_id, ("open",)),
        "appointments": _open_numbers(Appointment, row.contact_id, ("requested",)),
        "said": _last_words(conversation_id),
    }


def _number(contact_id: int) -> str:
    found = db.session.scalar(
        select(ContactIdentity.value)
        .where(
            ContactIdentity.contact_id == contact_id,
            ContactIdentity.kind == "wa_id",
            ContactIdentity.replaced_at.is_(None),
        )
        .limit(1)
    )
    return phone.display(f"+{found.lstrip('+')}") if found else ""


def _language_name(code: str | None, reader: str) -> str:
    return str(Locale(reader).languages.get(code, code)) if code else ""


def _wishes(conversation_id: int) -> list[str]:
    """Give the last intents, the newest last, each once."""
    rows = db.session.scalars(
        select(Message.intent)
        .where(
            Message.conversation_id == conversation_id,
            Message.direction == "in",
            Message.intent.is_not(None),
        )
        .order_by(Message.id.desc())
        .limit(WISHES_LOOKED_AT)
    ).all()
    newest = dict.fromkeys(intent for intent in rows if intent and intent not in NO_WISHES)
    return list(newest)[:WISHES_SHOWN][::-1]


def _order(conversation_id: int, contact_id: int, reader: str) -> dict[str, Any] | None:
    """Give the open cart, else the newest order that is not paid."""
    unpaid = [one for one in orders.orders_of(contact_id) if _is_open(one)]
    found = orders.cart_of(conversation_id) or next(iter(unpaid), None)
    if found is None or not found.items:
        return None
    total = price_text(found.total_minor, found.currency, reader)
    lines = ", ".join(f"{item.quantity}× {item.name}" for item in found.items[:RECORDS_SHOWN])
    return {"number": found.number, "total": total, "lines": lines}


def _is_open(order: Order) -> bool:
    return order.status == "placed" and order.payment_status != "paid"


def _open_numbers(
    model: type[Ticket] | type[Complaint] | type[Appointment], contact_id: int, states: tuple[str, ...]
) -> list[str]:
    rows = db.session.scalars(
        select(model.number)
        .where(model.contact_id == contact_id, model.status.in_(states), model.number.is_not(None))
        .order_by(model.id.desc())
        .limit(RECORDS_SHOWN)
    )
    return [number for number in rows if number]


def _last_words(conversation_id: int) -> str:
    said = db.session.scalar(
        select(Message.body)
        .where(
            Message.conversation_id == conversation_id,
            Message.direction == "in",
            Message.body != "",
            Message.is_revoked.is_(False),
        )
        .order_by(Message.id.desc())
        .limit(1)
    )
    shown = " ".join((said or "").replace("\x00", "").split())
    return shown if len(shown) <= SAID_CHARS else f"{shown[: SAID_CHARS - 1]}…"


@cache
def _summary_words(language: str) -> str:
    return (SUMMARIES_DIR / f"{language}.txt").read_text(encoding="utf-8")


# --- a message in another language --------------------------------------------------------------------------


def translate(means: Means, message_id: int, *, language: str, now: datetime) -> Worded | None:
    """Put a customer's message into the operator's language; None when there is nothing to translate.

    Not kept: a copy of a customer's words would have to follow each edit and deletion of theirs.
    """
    with reading():
        message = db.session.get(Message, message_id)
        is_there = message is not None and message.is_inbound and not message.is_revoked
        body, conversation_id = (message.body, message.conversation_id) if message and is_there else ("", 0)
        db.session.rollback()
    if not body:
        return None
    if means.assistant is None:
        return Worded("", "not_configured")
    assistant = consulting.assistant(means, now)
    if assistant is None:
        return Worded("", "over_budget")
    helped = ai_service.translate(assistant, body, language=language)
    failure = _keep(helped, means, conversation_id, now)
    return Worded("" if helped.told is None else cast(Translation, helped.told).text, failure)


# --- below --------------------------------------------------------------------------------------------------


def _keep(helped: Helped, means: Means, conversation_id: int, now: datetime) -> str | None:
    """Write the call down and commit; gives why it brought nothing, if so."""
    consulting.keep([helped.call], means, conversation_id=conversation_id, now=now)
    result = helped.call.result
    return result.code if isinstance(result, Failed) else None


def _case(conversation_id: int) -> _Case | None:
    """Read a conversation; None where its number is switched off or it is gone."""
    with reading():
        row = db.session.execute(
            select(Conversation, Contact)
            .join(Contact, Contact.id == Conversation.contact_id)
            .where(Conversation.id == conversation_id)
        ).first()
        number = integrations.number(row.Conversation.integration_id) if row else None
        words = _unanswered(conversation_id)
        thread = _thread(row.Conversation, row.Contact) if row else None
        db.session.rollback()
    return None if thread is None or number is None else _Case(thread, number, words)


def _thread(conversation: Conversation, contact: Contact) -> Thread:
    return Thread(
        contact_id=contact.id,
        conversation_id=conversation.id,
        integration_id=conversation.integration_id,
        name=contact.name,
        language=contact.language,
        country=contact.country,
        has_opted_out=contact.opted_out_at is not None,
        handler=conversation.handler,
        handover_ends_at=conversation.handover_ends_at,
        last_inbound_at=conversation.last_inbound_at,
        session=None,
    )


def _unanswered(conversation_id: int) -> str:
    """Give what the customer said last, in one go: the words since the desk's answer, else the last ones."""
    newest = db.session.execute(
        select(Message.direction, Message.body)
        .where(Message.conversation_id == conversation_id, Message.body != "", Message.is_revoked.is_(False))
        .order_by(Message.id.desc())
        .limit(grounding.TALK_MESSAGES)
    ).all()
    said: list[str] = []
    for row in newest:
        if row.direction == "in":
            said.append(row.body)
        elif said:
            break
    return "\n".join(said[:UNANSWERED_MESSAGES][::-1])
