"""The thread of one conversation as its page shows it: messages with turn, writer, quote, media, reactions.

Called by the conversation page. Reads only, by keyset, in a handful of queries however long the thread is.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Final

from sqlalchemy import func, select, union_all
from sqlalchemy.orm import joinedload

import conversations
from dashboard.room import shelf
from dashboard.templating import local_day
from dashboard.thread_files import File, files_of
from dashboard.turn_xray import Reading, readings_of, reply_of
from models import (
    Contact,
    Conversation,
    ConversationLabel,
    LabelCorrection,
    Message,
    Note,
    ReadMark,
    StoredMedia,
    Turn,
    db,
    utc_now,
)
from training.corrections import corrections_of, label_of
from training.refusals import TASKS

PAGE_SIZE: Final = 50
NOTES_SHOWN: Final = 100
NOTES_BESIDE: Final = 5
QUOTE_CHARS: Final = 120
# What an operator wants to know of how a text was read; the x-ray of the simulator shows the rest.
READINGS_SHOWN: Final = ("intent", "sentiment", "urgency")
# A reaction is shown on the message it belongs to, when that one is on the page.
REACTION: Final = "reaction"


@dataclass(frozen=True, slots=True)
class Label:
    """What a message counts as in one task; `correction` is what people said of it, if anything."""

    task: str
    value: str
    correction: LabelCorrection | None

    @property
    def is_corrected(self) -> bool:
        return self.correction is not None and self.correction.label != self.correction.read_as


@dataclass(frozen=True, slots=True)
class Heard:
    """What a turn answers, as people may correct it on the first bubble of the answer."""

    message_id: int
    labels: tuple[Label, ...]

    @property
    def is_judged(self) -> bool:
        return any(label.correction is not None for label in self.labels)


@dataclass(frozen=True, slots=True)
class Bubble:
    """One message and all that is said about it."""

    message: Message
    turn: Turn | None
    operator_name: str
    quoted: str | None
    files: tuple[File, ...]
    reactions: tuple[str, ...]
    readings: tuple[Reading, ...] = ()
    labels: tuple[Label, ...] = ()
    strategy: str = ""  # in which the reply was written, when one was
    heard: Heard | None = None


@dataclass(frozen=True, slots=True)
class NoteBubble:
    """A private note, where its time puts it."""

    note: Note
    operator_name: str


@dataclass(frozen=True, slots=True)
class Day:
    day: date
    bubbles: tuple[Bubble | NoteBubble, ...]


@dataclass(frozen=True, slots=True)
class Thread:
    days: tuple[Day, ...]
    older_before: int | None  # the id before which the older messages are
    notes: tuple[Note, ...] = ()  # the last beside the newest page, the newest first


def find_conversation(conversation_id: int) -> Conversation | None:
    """Give the conversation with its contact and its number."""
    return (
        db.session.scalars(
            select(Conversation)
            .where(Conversation.id == conversation_id)
            .options(
                joinedload(Conversation.contact).joinedload(Contact.identities),
                joinedload(Conversation.integration),
            )
        )
        .unique()
        .one_or_none()
    )


def read_thread(conversation: Conversation, before: int | None = None) -> Thread:
    """Give the newest messages of the conversation, or the newest before the message `before`."""
    query = select(Message, Turn).outerjoin(Turn, Turn.id == Message.turn_id)
    query = query.where(Message.conversation_id == conversation.id)
    if before is not None:
        query = query.where(Message.id < before)
    newest_first = db.session.execute(query.order_by(Message.id.desc()).limit(PAGE_SIZE + 1)).all()
    has_older = len(newest_first) > PAGE_SIZE
    rows = newest_first[:PAGE_SIZE][::-1]
    messages = [message for message, _turn in rows]
    first_at = messages[0].created_at if has_older else None
    notes = _notes(conversation, first_at, messages[-1].created_at if messages and before else None)
    bubbles: list[Bubble | NoteBubble] = [
        *_bubbles(messages, {turn.id: turn for _message, turn in rows if turn is not None}),
        *(
            NoteBubble(note, shelf().operator_name(note.operator_id))
            for note in reversed(notes)
            if first_at is None or note.created_at >= first_at
        ),
    ]
    bubbles.sort(key=_written_at)  # stable: messages of one moment keep their order
    days = groupby(bubbles, key=lambda bubble: local_day(_written_at(bubble)))
    return Thread(
        days=tuple(Day(day, tuple(of_day)) for day, of_day in days),
        older_before=messages[0].id if has_older else None,
        notes=tuple(notes[:NOTES_BESIDE]) if before is None else (),
    )


def page_with(conversation: Conversation, message_id: int) -> int | None:
    """Give the `before` of a page on which a message stands in the middle; None: the newest page has it."""
    later = db.session.scalars(
        select(Message.id)
        .where(Message.conversation_id == conversation.id, Message.id > message_id)
        .order_by(Message.id)
        .limit(PAGE_SIZE)
    ).all()
    return later[PAGE_SIZE // 2] if len(later) == PAGE_SIZE else None


def version(conversation: Conversation, operator_id: int) -> str:
    """Give a word that changes whenever the newest page of the thread or its frame would look different to an
    operator."""
    newest = db.session.execute(
        select(
            Message.id,
            Message.status,
            Message.error_code,
            Message.is_edited,
            Message.is_revoked,
            Message.turn_id,
            Message.intent,
            Message.buying_signal,
            Message.sentiment,
            Message.urgency,
            StoredMedia.state,
        )
        .outerjoin(StoredMedia, StoredMedia.message_id == Message.id)
        .where(Message.conversation_id == conversation.id)
        .order_by(Message.id.desc())
        .limit(PAGE_SIZE)
    ).all()
    beside = db.session.execute(
        union_all(
            select(func.max(Note.id), func.count()).where(Note.conversation_id == conversation.id),
            select(func.max(ConversationLabel.id), func.count()).where(
                ConversationLabel.conversation_id == conversation.id
            ),
            select(func.max(ReadMark.message_id), func.count()).where(
                ReadMark.conversation_id == conversation.id, ReadMark.operator_id == operator_id
            ),
        )
    )
    frame = (
        *(tuple(row) for row in beside),
        conversation.is_closed,
        conversation.snoozed_until,
        conversation.handler,
        conversation.operator_id,
        conversation.handover_ends_at,
        conversation.last_inbound_at,
        conversations.is_window_open(conversation.last_inbound_at, utc_now()),
        conversation.unread_count,
        conversation.summarised_at,
        conversation.contact.name,
        conversation.contact.opted_out_at,
    )
    seen = repr((frame, [tuple(row) for row in newest]))
    return hashlib.blake2b(seen.encode(errors="replace"), digest_size=12).hexdigest()


def _written_at(bubble: Bubble | NoteBubble) -> datetime:
    return bubble.note.created_at if isinstance(bubble, NoteBubble) else bubble.message.created_at


def _notes(conversation: Conversation, first_at: datetime | None, last_at: datetime | None) -> Sequence[Note]:
    """Give the notes of the time of an older page, or the last of all for the newest; the newest first."""
    query = select(Note).where(Note.conversation_id == conversation.id)
    if last_at is not None:
        query = query.where(Note.created_at <= last_at)
        query = query.where(Note.created_at >= first_at) if first_at is not None else query
    return db.session.scalars(query.order_by(Note.id.desc()).limit(NOTES_SHOWN)).all()


def _bubbles(messages: Sequence[Message], turns: Mapping[int, Turn]) -> list[Bubble]:
    # A turn is told on what it said; on what it heard only when it said nothing.
    spoken = {m.turn_id for m in messages if not m.is_inbound}
    told = {m.id: turns.get(m.turn_id or 0) for m in messages if not m.is_inbound or m.turn_id not in spoken}
    files = files_of(messages)
    quoted = _quoted(messages)
    reactions, shown = _reactions(messages)
    labels = _labels(messages)
    heard = _heard(messages, labels)
    return [
        Bubble(
            message=m,
            turn=told.get(m.id),
            operator_name=shelf().operator_name(m.operator_id),
            quoted=quoted.get(m.quotes_external_id) if m.quotes_external_id else None,
            files=files.get(m.id, ()),
            reactions=tuple(reactions.get(m.external_id or "", ())),
            readings=_shown_readings(told.get(m.id)),
            labels=labels.get(m.id, ()),
            strategy=_strategy(told.get(m.id)),
            heard=heard.get(m.id),
        )
        for m in messages
        if m.id not in shown
    ]


def _shown_readings(turn: Turn | None) -> tuple[Reading, ...]:
    return tuple(one for one in readings_of(turn) if one.name in READINGS_SHOWN) if turn else ()


def _strategy(turn: Turn | None) -> str:
    reply = reply_of(turn) if turn else None
    return reply.strategy if reply else ""


def _heard(messages: Sequence[Message], labels: Mapping[int, tuple[Label, ...]]) -> dict[int, Heard]:
    """Give, by the first message of each answer, what that answers."""
    of_turn = {m.turn_id: Heard(m.id, labels[m.id]) for m in messages if m.turn_id and m.id in labels}
    first = {m.turn_id: m.id for m in reversed(messages) if not m.is_inbound}
    return {first[turn_id]: heard for turn_id, heard in of_turn.items() if turn_id in first}


def _quoted(messages: Sequence[Message]) -> dict[str, str]:
    """Give the beginning of each message that another one on the page answers."""
    wanted = {m.quotes_external_id for m in messages if m.quotes_external_id}
    rows = [(m.external_id or "", m.body, m.kind) for m in messages if m.external_id in wanted]
    if elsewhere := wanted - {external_id for external_id, _body, _kind in rows}:
        columns = select(Message.external_id, Message.body, Message.kind)
        here = Message.integration_id == messages[0].integration_id
        found = db.session.execute(columns.where(here, Message.external_id.in_(elsewhere)))
        rows += [(str(external_id), body, kind) for external_id, body, kind in found]
    return {external_id: (body or f"[{kind}]")[:QUOTE_CHARS] for external_id, body, kind in rows}


def _reactions(messages: Sequence[Message]) -> tuple[dict[str, tuple[str, ...]], set[int]]:
    """Give the emoji on each message, and which reaction rows are thereby shown.

    The newest reaction of each side counts; an empty emoji took it away.
    """
    on_page = {m.external_id for m in messages if m.external_id and m.kind != REACTION}
    by_side: dict[tuple[str, str], str] = {}
    shown = set()
    for m in messages:
        target = _reaction_target(m)
        if target in on_page:
            by_side[target, m.direction] = _reaction_emoji(m)
            shown.add(m.id)
    emojis: dict[str, tuple[str, ...]] = defaultdict(tuple)
    for (target, _side), emoji in by_side.items():
        emojis[target] += (emoji,) if emoji else ()
    return emojis, shown


def _labels(messages: Sequence[Message]) -> dict[int, tuple[Label, ...]]:
    """Give the labels of each text that was read; those of a burst, read as one, on its last message."""
    said = corrections_of(messages)
    bursts: dict[tuple[str, int], list[Message]] = defaultdict(list)
    for m in messages:
        if m.is_inbound and m.intent is not None and not m.is_revoked:
            bursts["turn" if m.turn_id else "message", m.turn_id or m.id].append(m)
    return {
        burst[-1].id: tuple(
            Label(task, label_of(burst[-1], task), said.get(burst[0].id, {}).get(task)) for task in TASKS
        )
        for burst in bursts.values()
    }


def _reaction_target(message: Message) -> str:
    if message.kind != REACTION:
        return ""
    content = message.content if isinstance(message.content, dict) else {}
    return message.quotes_external_id or content.get("to_external_id") or content.get("target") or ""


def _reaction_emoji(message: Message) -> str:
    content = message.content if isinstance(message.content, dict) else {}
    return str(content.get("emoji", message.body) or "")
