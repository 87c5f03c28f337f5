"""Threads and their messages: read, written to under the inbox's own rules, handed to people and back."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, RootModel
from sqlalchemy import Select, select
from sqlalchemy.orm import joinedload

import auth
import conversations
import integrations
import media
import message_templates
import tasks
import whatsapp_service
from api import files, shapes
from api.doors import PREFIX, Body, Download, Refused, Upload, Written, client_token, endpoint, found
from api.kinds import VISIBLE, BodyId, Clean, Flag, Moment, OneOf, Phone, RowId
from api.paging import DatedQuery, Page, narrowed, page
from conversations import OutsideServiceWindow
from crm import feedback
from dashboard import attachments
from dashboard.attachments import Attachment
from message_content import Media, Text
from message_templates import TemplateRefused
from models import (
    Conversation,
    ConversationLabel,
    Label,
    Message,
    MessageTemplate,
    StoredMedia,
    db,
    utc_now,
)
from outreach import threads
from providers import loose
from teamwork import caseload
from vocabulary import STATUS_ORDER

BODY_MAX_CHARS: Final = 4096
LINK_MAX_CHARS: Final = 2000
VALUE_MAX_CHARS: Final = 500
PURPOSE: Final = "operator"
# The column of a conversation's reason.
REASON_MAX_CHARS: Final = 120
SENDING: Final = ("service_window_closed", "opted_out", "number_off", "template_refused")


Caption = Annotated[str, Field(max_length=attachments.CAPTION_MAX_CHARS), Clean]


class ConversationQuery(DatedQuery):
    contact_id: RowId | None = None
    integration_id: RowId | None = None
    handler: Literal["bot", "human"] | None = None
    is_closed: Flag | None = None
    active_after: Moment | None = Field(default=None, description="Whose newest message is younger.")


class ThreadQuery(DatedQuery):
    direction: Literal["in", "out"] | None = None
    status: Annotated[str, OneOf(STATUS_ORDER)] | None = None


class MessageQuery(ThreadQuery):
    conversation_id: RowId | None = None


class TemplateChoice(Body):
    id: BodyId
    values: dict[str, Annotated[str, Field(max_length=VALUE_MAX_CHARS), Clean]] = Field(
        default={}, description="What fills the template's placeholders, by their keys."
    )


class TextMessage(Body):
    """Free text, while the service window is open."""

    text: Annotated[str, Field(min_length=1, max_length=BODY_MAX_CHARS, pattern=VISIBLE), Clean]
    take_over: bool = Field(
        default=True,
        description="As in the inbox, whoever writes has the conversation and the bot is silent. false: the "
        "bot goes on, for notices that no answer needs.",
    )


class TemplateMessage(Body):
    """An approved template, at any time."""

    template: TemplateChoice


class LinkMessage(Body):
    """A file that the desk gets from a public https address, while the service window is open."""

    link: Annotated[str, Field(max_length=LINK_MAX_CHARS, pattern=r"^https://[!-~]+$")]
    caption: Caption = ""
    take_over: bool = True


class NewFile(Upload):
    """A file from the program itself, while the service window is open."""

    caption: Caption = ""
    take_over: Flag = True


class NewMessage(RootModel[TextMessage | LinkMessage | TemplateMessage]):
    model_config = ConfigDict(frozen=True)


class NewConversation(Body):
    """Whom to write to first, and from which number of ours."""

    integration_id: BodyId
    phone: Phone
    name: Annotated[str, Field(max_length=255), Clean] = ""


# --- reading ------------------------------------------------------------------------------------------------


@endpoint("GET", "/conversations", scope="messages:read")
def list_conversations(asked: ConversationQuery) -> Page[shapes.Conversation]:
    """List conversations."""
    query = narrowed(
        select(Conversation),
        asked,
        Conversation.created_at,
        contact_id=Conversation.contact_id,
        integration_id=Conversation.integration_id,
        handler=Conversation.handler,
        is_closed=Conversation.is_closed,
    )
    if asked.active_after is not None:
        query = query.where(Conversation.last_message_at > asked.active_after)
    return page(query, Conversation.id, asked, _conversations)


@endpoint("GET", "/conversations/<int:conversation_id>", scope="messages:read")
def get_conversation(conversation_id: int) -> shapes.Conversation:
    """Get one conversation."""
    return _conversations([found(db.session.get(Conversation, conversation_id))])[0]


@endpoint("GET", "/messages", scope="messages:read")
def list_messages(asked: MessageQuery) -> Page[shapes.Message]:
    """List messages of every conversation."""
    query = _messages(asked)
    if asked.conversation_id is not None:
        query = query.where(Message.conversation_id == asked.conversation_id)
    return page(query, Message.id, asked, _shapes)


@endpoint("GET", "/conversations/<int:conversation_id>/messages", scope="messages:read")
def list_thread(conversation_id: int, asked: ThreadQuery) -> Page[shapes.Message]:
    """List the messages of one conversation."""
    found(db.session.get(Conversation, conversation_id))
    query = _messages(asked).where(Message.conversation_id == conversation_id)
    return page(query, Message.id, asked, _shapes)


@endpoint("GET", "/messages/<int:message_id>", scope="messages:read")
def get_message(message_id: int) -> shapes.Message:
    """Get one message: how far it is, too."""
    return _shapes([found(db.session.get(Message, message_id))])[0]


@endpoint("GET", "/media/<int:media_id>", scope="messages:read")
def get_media(media_id: int) -> Download:
    """Get a file that came with a message, by the id in its `media`."""
    row = found(db.session.get(StoredMedia, media_id))
    path = found(media.path_of(row, auth.current_config().media_dir))
    return Download(
        path=path, filename=loose.file_name(row.filename) or f"{row.media_kind}-{row.id}{path.suffix}"
    )


def _messages(asked: ThreadQuery) -> Select[Any]:
    return narrowed(
        select(Message), asked, Message.created_at, direction=Message.direction, status=Message.status
    )


# --- writing ------------------------------------------------------------------------------------------------


@endpoint("POST", "/conversations", scope="messages:send", status=201, refusals=("number_off",))
def open_conversation(said: NewConversation) -> Written[shapes.Made]:
    """Give the conversation with a phone number, made when there is none; a template may be sent to it."""
    number = integrations.number(said.integration_id)
    if number is None:
        raise Refused("number_off", "There is no such number, or it is switched off.")
    row = threads.open_with(number, said.phone.removeprefix("+"), said.name, now=utc_now())
    return Written(shapes.Made(id=row.id, url=f"{PREFIX}/conversations/{row.id}"))


@endpoint(
    "POST",
    "/conversations/<int:conversation_id>/messages",
    scope="messages:send",
    status=202,
    refusals=(*SENDING, "file_refused"),
    needs_key=True,
    gather=files.fetched,
)
def send_message(
    conversation_id: int, said: NewMessage, brought: Attachment | None
) -> Written[shapes.Accepted]:
    """Send text or a file by its address while the service window is open, or an approved template."""
    row, chosen = _writable(conversation_id), said.root
    if isinstance(chosen, TemplateMessage):
        return _accepted(conversation_id, _queue_template(row, chosen.template))
    content = Text(chosen.text.strip()) if isinstance(chosen, TextMessage) else _kept(brought, chosen.caption)
    return _accepted(conversation_id, _queue(row, content, takes_over=chosen.take_over))


@endpoint(
    "POST",
    "/conversations/<int:conversation_id>/files",
    scope="messages:send",
    status=202,
    refusals=(*SENDING[:-1], "file_refused"),
    needs_key=True,
    gather=files.uploaded,
)
def send_file(conversation_id: int, said: NewFile, brought: Attachment) -> Written[shapes.Accepted]:
    """Send a picture, a PDF, a sound or a film: what it is, is seen in it and not in its name."""
    row = _writable(conversation_id)
    content = _kept(brought, said.caption)
    return _accepted(conversation_id, _queue(row, content, takes_over=said.take_over))


def _writable(conversation_id: int) -> Conversation:
    row = _held(conversation_id)
    if row.contact.has_opted_out:
        raise Refused("opted_out", "This person asked for no more messages.")
    return row


def _kept(brought: Attachment | None, caption: str) -> Media:
    return attachments.keep(found(brought), caption, now=utc_now())


def _accepted(conversation_id: int, message_id: int) -> Written[shapes.Accepted]:
    caseload.note_message(conversation_id)
    db.session.flush()
    accepted = shapes.Accepted(
        id=message_id,
        conversation_id=conversation_id,
        status="queued",
        url=f"{PREFIX}/messages/{message_id}",
    )
    return Written(accepted, after=[partial(tasks.wake_outbox, conversation_id)])


@endpoint("POST", "/conversations/<int:conversation_id>/take-over", scope="messages:send")
def take_over(conversation_id: int) -> Written[shapes.Handed]:
    """Silence the bot: a person, or this program, answers from now on."""
    row = _held(conversation_id)
    conversations.take_over(row, None, now=utc_now(), reason=_reason(), actor="program")
    return Written(_handed(row))


@endpoint("POST", "/conversations/<int:conversation_id>/hand-back", scope="messages:send")
def hand_back(conversation_id: int) -> Written[shapes.Handed]:
    """Let the bot answer again."""
    row, now = _held(conversation_id), utc_now()
    was_with_person = row.is_with_person
    conversations.hand_back(row, now=now)
    if was_with_person:
        feedback.ask_after_hand_over(row, now=now)
    return Written(_handed(row), after=[partial(tasks.wake_outbox, conversation_id)])


def _handed(row: Conversation) -> shapes.Handed:
    return shapes.Handed(id=row.id, url=f"{PREFIX}/conversations/{row.id}", handler=row.handler)


def _queue(row: Conversation, content: Text | Media, *, takes_over: bool) -> int:
    now = utc_now()
    if takes_over:
        conversations.take_over(row, None, now=now, reason=_reason(), actor="program")
    try:
        return whatsapp_service.queue_own(row, content, operator=None, client_token=client_token(), now=now)
    except OutsideServiceWindow as error:
        raise Refused(
            "service_window_closed",
            "More than 24 hours have passed since the customer's last message: send a template.",
        ) from error
    except LookupError as error:
        raise Refused("number_off", "This conversation's number is switched off.") from error


def _queue_template(row: Conversation, chosen: TemplateChoice) -> int:
    template = db.session.get(MessageTemplate, chosen.id)
    if template is None or template.integration_id != row.integration_id:
        raise Refused("template_refused", "This conversation's number has no such template.")
    try:
        return message_templates.queue(
            row.id,
            template,
            chosen.values,
            purpose=PURPOSE,
            now=utc_now(),
            sender="operator",
            client_token=client_token(),
        )
    except TemplateRefused as refused:
        about = f": {', '.join(refused.keys)[:200]}" if refused.keys else ""
        code = {"opted_out": "opted_out", "number_off": "number_off"}.get(refused.code, "template_refused")
        raise Refused(code, f"The template cannot be sent ({refused.code}{about}).") from refused


def _reason() -> str:
    return f"program: {auth.current_program().name}"[:REASON_MAX_CHARS]


def _held(conversation_id: int) -> Conversation:
    """Lock the thread as every turn does, so that two requests are two messages and one hand-over."""
    query = select(Conversation).where(Conversation.id == conversation_id)
    held = query.options(joinedload(Conversation.contact)).with_for_update(of=Conversation)
    return found(db.session.scalar(held))  # type: ignore[no-any-return]


# --- shapes -------------------------------------------------------------------------------------------------


def _conversations(rows: Sequence[Conversation]) -> list[shapes.Conversation]:
    labels: dict[int, list[str]] = defaultdict(list)
    named = (
        select(ConversationLabel.conversation_id, Label.name)
        .join(Label, Label.id == ConversationLabel.label_id)
        .where(ConversationLabel.conversation_id.in_([row.id for row in rows]))
        .order_by(Label.name)
    )
    for conversation_id, name in db.session.execute(named):
        labels[conversation_id].append(name)
    now = utc_now()
    return [
        shapes.Conversation.of(row, labels=labels[row.id], service_window_ends_at=_window_end(row, now))
        for row in rows
    ]


def _window_end(row: Conversation, now: datetime) -> datetime | None:
    if row.last_inbound_at is None or not conversations.is_window_open(row.last_inbound_at, now):
        return None
    return row.last_inbound_at + conversations.SERVICE_WINDOW - conversations.SERVICE_WINDOW_MARGIN


def _shapes(rows: Sequence[Message]) -> list[shapes.Message]:
    stored: dict[int, list[shapes.Media]] = defaultdict(list)
    rows_of = select(StoredMedia).where(StoredMedia.message_id.in_([row.id for row in rows]))
    for one in db.session.scalars(rows_of.order_by(StoredMedia.id)):
        stored[one.message_id].append(shapes.Media.of(one))
    return [shapes.Message.of(row, media=stored[row.id]) for row in rows]
