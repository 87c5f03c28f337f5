"""What the desk tells a customer by itself of her records: a new status, a question whether it is solved.

Operators' pages and tasks call these verbs; they put messages into the outbox in the customer's language,
inside the 24-hour window or by the template `customer_news`, never after an opt-out. Whoever commits wakes
the outbox. They flush, never commit.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import select

import conversations
import flow_versions
import integrations
import menu_flows
import message_templates
import texts
import whatsapp_service
from config import Config
from integrations import Number
from message_content import Content, Text
from message_templates import TemplateRefused
from models import Appointment, Complaint, Contact, Conversation, MenuSession, Ticket, db
from providers.templates import placeholders
from received import PREVIEW_CHARS

DESK: Final = "desk"
# A flow in which the customer stands is not taken from her for as long.
OPEN_FOR: Final = timedelta(minutes=30)

TOPIC_SHOWN_CHARS: Final = 60
# The template, with one variable, that carries news and reminders while the window is closed.
NEWS_TEMPLATE: Final = "customer_news"
VALUE_MAX_CHARS: Final = 900

Told = Literal["sent", "window_closed", "opted_out", "number_off"]


def tell_status(record: Ticket | Complaint, *, now: datetime) -> Told:
    """Tell the customer what became of a ticket or a complaint. Flushes."""
    if record.conversation_id is None:
        return "number_off"
    name = "ticket_told" if isinstance(record, Ticket) else "complaint_told"
    subject = record.subject[:TOPIC_SHOWN_CHARS] if isinstance(record, Ticket) else ""
    return tell(
        record.conversation_id, name, now=now, number=record.number, state=record.status, topic=subject
    )


def tell_appointment(config: Config, row: Appointment, *, now: datetime) -> Told:
    """Tell the customer what became of an appointment. Flushes."""
    if row.conversation_id is None:
        return "number_off"
    at = row.starts_at.astimezone(config.zone) if row.starts_at else None
    when = moment_for(row.conversation_id, at) if at else ""
    state = row.status if row.status != "confirmed" or when else ""
    return tell(row.conversation_id, "appointment_told", now=now, number=row.number, state=state, when=when)


def tell(conversation_id: int, name: str, *, now: datetime, **values: object) -> Told:
    """Send the fixed text `name` to the customer of a conversation, unless nothing may be sent. Flushes."""
    conversation, contact, number = _whom(conversation_id)
    refusal = refusal_of(conversation, contact, number, now)
    words = texts.text(name, language_of(contact, number), **values)
    if refusal == "window_closed" and number is not None and _by_template(conversation, number, words, now):
        return "sent"
    if refusal is not None or number is None:
        return refusal or "number_off"
    _queue(conversation, number, [Text(words)], now)
    return "sent"


def ask(conversation_id: int, entry: str, *, now: datetime, data: Mapping[str, Any] | None = None) -> Told:
    """Ask the customer what stands at an entry of the desk's flow; her answer finds the way back by itself.

    A typed answer counts, too, unless she stands in another question. Flushes.
    """
    conversation, contact, number = _whom(conversation_id)
    refusal = refusal_of(conversation, contact, number, now)
    if refusal is not None or number is None:
        return refusal or "number_off"
    language = language_of(contact, number)
    turn = menu_flows.enter(
        flow_versions.flows()[DESK],
        entry,
        "",
        data=dict(data or {}),
        language=language,
        now=now,
        context={"business_name": number.business_name, "contact_name": contact.name, "language": language},
    )
    _queue(conversation, number, turn.say, now)
    if not _stands_elsewhere(conversation_id, now):
        session = db.session.scalar(
            select(MenuSession.id).where(MenuSession.conversation_id == conversation_id)
        )
        conversations.save_session(
            conversation_id,
            is_known=session is not None,
            flow=DESK,
            step=turn.step,
            data=turn.data,
            now=now,
        )
    return "sent"


def moment_for(conversation_id: int, moment: datetime) -> str:
    """Write a local time as the customer of a conversation reads it."""
    _conversation, contact, number = _whom(conversation_id)
    return texts.moment_text(moment, language_of(contact, number))


def refusal_of(
    conversation: Conversation, contact: Contact, number: Number | None, now: datetime
) -> Told | None:
    """Say why nothing may be sent to a customer now; None when something may."""
    if contact.has_opted_out:
        return "opted_out"
    if number is None:
        return "number_off"
    return None if conversations.is_window_open(conversation.last_inbound_at, now) else "window_closed"


def language_of(contact: Contact, number: Number | None) -> str:
    return texts.text_language(contact.language or (number.language if number else None))


def _whom(conversation_id: int) -> tuple[Conversation, Contact, Number | None]:
    conversation = db.session.get_one(Conversation, conversation_id)
    contact = db.session.get_one(Contact, conversation.contact_id)
    return conversation, contact, integrations.number(conversation.integration_id)


def _queue(conversation: Conversation, number: Number, contents: Sequence[Content], now: datetime) -> None:
    # Not the bot: what was promised arrives also when a person takes the conversation over.
    whatsapp_service.queue(conversation.id, number, contents, sender="shop", now=now)
    conversation.last_message_at = now
    if contents:
        conversation.last_preview = contents[-1].summary.replace("\n", " ")[:PREVIEW_CHARS]
    db.session.flush()


def _by_template(conversation: Conversation, number: Number, words: str, now: datetime) -> bool:
    """Send the news as the one variable of the approved template that is kept for it, where there is one."""
    contact = db.session.get_one(Contact, conversation.contact_id)
    language = language_of(contact, number)
    found = (message_templates.find(number.id, NEWS_TEMPLATE, one) for one in (language, number.language))
    row = next((one for one in found if one is not None), None)
    wanted = placeholders(message_templates.wording_of(row)) if row is not None else ()
    if row is None or len(wanted) != 1:
        return False
    # A template's values hold no line ends.
    values = {wanted[0].key: " ".join(words.split())[:VALUE_MAX_CHARS]}
    try:
        message_templates.queue(conversation.id, row, values, purpose=NEWS_TEMPLATE, now=now, sender="shop")
    except TemplateRefused:
        return False
    return True


def _stands_elsewhere(conversation_id: int, now: datetime) -> bool:
    """Tell whether a typed question is open: the answer to a menu that was shown before may wait, since what
    she read last is what she answers."""
    row = db.session.execute(
        select(MenuSession.flow, MenuSession.step, MenuSession.last_activity_at).where(
            MenuSession.conversation_id == conversation_id
        )
    ).first()
    flow = flow_versions.flows().get(row.flow) if row is not None else None
    if row is None or flow is None or now - row.last_activity_at >= OPEN_FOR:
        return False
    scene = flow.scene(row.step)
    return scene is not None and scene.awaits not in (None, "choice")
