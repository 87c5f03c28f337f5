"""What operators keep for each other and for themselves: labels, private notes, canned replies, saved views.

Called by the inbox, the conversation page and the forms of labels and canned replies. Verbs flush and never
commit; what cannot be taken is refused with a code that the page words.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import delete, func, select

from models import CannedReply, ConversationLabel, Label, Note, ReadMark, SavedView, db
from statements import changed_rows, insert_or_ignore

LABEL_MAX_CHARS: Final = 40
LABELS_MAX: Final = 60
NOTE_MAX_CHARS: Final = 4_000
SHORTCUT: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,38}")
REPLY_MAX_CHARS: Final = 4_096
REPLIES_MAX: Final = 200
VIEW_MAX_CHARS: Final = 60
VIEWS_MAX: Final = 20
QUERY_MAX_CHARS: Final = 500


class NotKept(Exception):
    """What was written cannot be kept; `code`: empty, long, known, many, shortcut."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


# --- labels -------------------------------------------------------------------------------------------------


def labels() -> Sequence[Label]:
    return db.session.scalars(select(Label).order_by(Label.name)).all()


def labels_of(conversation_ids: Iterable[int]) -> dict[int, list[Label]]:
    """Give the labels of each conversation, in one query."""
    found: dict[int, list[Label]] = {}
    rows = db.session.execute(
        select(ConversationLabel.conversation_id, Label)
        .join(Label, Label.id == ConversationLabel.label_id)
        .where(ConversationLabel.conversation_id.in_(list(conversation_ids)))
        .order_by(Label.name)
    )
    for conversation_id, label in rows:
        found.setdefault(conversation_id, []).append(label)
    return found


def add_label(name: str, *, now: datetime) -> Label:
    """Add a label; one of that name, however it is written, is given back as it is. Raises NotKept."""
    name = _checked(" ".join(name.split()), LABEL_MAX_CHARS)
    known = db.session.scalar(select(Label).where(func.lower(Label.name) == name.lower()))
    if known is not None:
        return known
    if len(labels()) >= LABELS_MAX:
        raise NotKept("many")
    db.session.execute(insert_or_ignore(Label).values(name=name, created_at=now))
    return db.session.scalars(select(Label).where(Label.name == name)).one()


def remove_label(label_id: int) -> bool:
    """Take a label from every conversation and away; False when there is none. Idempotent."""
    changed_rows(delete(ConversationLabel).where(ConversationLabel.label_id == label_id))
    return bool(changed_rows(delete(Label).where(Label.id == label_id)))


# --- notes --------------------------------------------------------------------------------------------------


def add_note(conversation_id: int, body: str, *, operator_id: int, client_token: str, now: datetime) -> None:
    """Write a note beside a conversation; the same `client_token` writes once. Raises NotKept."""
    body = _checked(body.strip(), NOTE_MAX_CHARS)
    db.session.execute(
        insert_or_ignore(Note).values(
            conversation_id=conversation_id,
            operator_id=operator_id,
            body=body,
            client_token=client_token,
            created_at=now,
        )
    )


def remove_note(note_id: int, *, operator_id: int) -> bool:
    """Delete an own note; another's stays."""
    return bool(changed_rows(delete(Note).where(Note.id == note_id, Note.operator_id == operator_id)))


def forget(conversation_ids: Sequence[int]) -> None:
    """Delete what was kept of conversations that are deleted with their person."""
    for table in (Note, ConversationLabel, ReadMark):
        changed_rows(delete(table).where(table.conversation_id.in_(conversation_ids)))


# --- canned replies -----------------------------------------------------------------------------------------


def canned_replies() -> Sequence[CannedReply]:
    return db.session.scalars(select(CannedReply).order_by(CannedReply.shortcut)).all()


def keep_reply(shortcut: str, body: str, *, now: datetime) -> CannedReply:
    """Keep a reply under its shortcut; a known shortcut takes the new text. Raises NotKept."""
    shortcut = shortcut.strip().lstrip("/").lower()
    if SHORTCUT.fullmatch(shortcut) is None:
        raise NotKept("shortcut")
    body = _checked(body.strip(), REPLY_MAX_CHARS)
    known = canned_replies()
    row = next((reply for reply in known if reply.shortcut == shortcut), None)
    if row is None:
        if len(known) >= REPLIES_MAX:
            raise NotKept("many")
        row = CannedReply(shortcut=shortcut, body=body, created_at=now)
        db.session.add(row)
    row.body = body
    db.session.flush()
    return row


def remove_reply(reply_id: int) -> bool:
    """Take a canned reply away; False when there is none. Idempotent."""
    return bool(changed_rows(delete(CannedReply).where(CannedReply.id == reply_id)))


# --- saved views --------------------------------------------------------------------------------------------


def views_of(operator_id: int) -> Sequence[SavedView]:
    return db.session.scalars(
        select(SavedView).where(SavedView.operator_id == operator_id).order_by(SavedView.name)
    ).all()


def save_view(name: str, query: str, *, operator_id: int, now: datetime) -> None:
    """Keep the inbox's filters under a name; a known name takes the new ones. Raises NotKept."""
    name = _checked(" ".join(name.split()), VIEW_MAX_CHARS)
    query = query[:QUERY_MAX_CHARS]
    known = views_of(operator_id)
    row = next((view for view in known if view.name == name), None)
    if row is None:
        if len(known) >= VIEWS_MAX:
            raise NotKept("many")
        row = SavedView(operator_id=operator_id, name=name, query=query, created_at=now)
        db.session.add(row)
    row.query = query
    db.session.flush()


def remove_view(view_id: int, *, operator_id: int) -> None:
    changed_rows(delete(SavedView).where(SavedView.id == view_id, SavedView.operator_id == operator_id))


def _checked(text: str, limit: int) -> str:
    text = text.replace("\x00", "")
    if not text:
        raise NotKept("empty")
    if len(text) > limit:
        raise NotKept("long")
    return text
