"""Who has which conversation and where it stands: assign, label, snooze, close; one or many, with a way back.

Called by the inbox and the conversation page. Every action on several conversations keeps how each was
before (`BulkAction`), and `undo` puts back what nobody has changed since. Verbs flush and never commit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, select

import conversations
from models import BulkAction, Conversation, ConversationLabel, Label, Operator, db
from statements import changed_rows, insert_or_ignore

ACTIONS: Final = ("assign", "label", "unlabel", "snooze", "wake", "close", "reopen", "hand_back")
SNOOZES: Final[Mapping[str, timedelta]] = {
    "1h": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "1d": timedelta(days=1),
    "7d": timedelta(days=7),
}
MOST_AT_ONCE: Final = 100
_MOMENTS: Final = ("handover_ends_at", "snoozed_until")
_KEPT: Final = ("handler", "handler_reason", "operator_id", "team_id", "is_closed", "unread_count", *_MOMENTS)


class Refused(Exception):
    """What the action asks for is not there; `code` says what: action, operator, label, time, none."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Done:
    """What an action came to: the row that undoes it, and on how many conversations."""

    id: int
    count: int


def act(
    action: str, conversation_ids: Sequence[int], argument: str, *, operator: Operator, now: datetime
) -> Done:
    """Do one of ACTIONS to conversations. Flushes. Raises Refused.

    `argument` is the operator's id (assign), the label's id (label, unlabel) or a key of SNOOZES (snooze).
    """
    if action not in ACTIONS:
        raise Refused("action")
    found = db.session.scalars(
        select(Conversation)
        .where(Conversation.id.in_(list(conversation_ids)[:MOST_AT_ONCE]))
        .order_by(Conversation.id)
        .with_for_update()
    ).all()
    if not found:
        raise Refused("none")
    before = _states(found)
    _apply(action, found, argument, operator, now)
    db.session.flush()
    after = _states(found)
    row = BulkAction(
        operator_id=operator.id,
        action=action,
        before=[{"was": before[c.id], "then": after[c.id]} for c in found],
        created_at=now,
    )
    db.session.add(row)
    db.session.flush()
    return Done(row.id, len(found))


def undo(action_id: int, *, operator: Operator, now: datetime) -> int:
    """Put back what an own action changed and nobody has changed since; gives on how many. Idempotent.

    Flushes. What a hand-over cancelled stays cancelled: a message that nobody expects any more is not sent.
    """
    row = db.session.get(BulkAction, action_id, with_for_update=True)
    if row is None or row.operator_id != operator.id or row.undone_at is not None:
        return 0
    row.undone_at = now
    by_id = {change["was"]["id"]: change for change in row.before}
    found = db.session.scalars(
        select(Conversation).where(Conversation.id.in_(by_id)).order_by(Conversation.id).with_for_update()
    ).all()
    count = 0
    for conversation, state in zip(found, _states(found).values(), strict=True):
        change = by_id[conversation.id]
        if {**state, "unread_count": 0} == {**change["then"], "unread_count": 0}:
            _put_back(conversation, change["was"], set(change["then"]["labels"]))
            count += 1
    db.session.flush()
    return count


def note_message(conversation_id: int) -> None:
    """End a snooze and open what was closed: the customer wrote, or a person of ours did."""
    conversation = db.session.get_one(Conversation, conversation_id)
    conversation.snoozed_until, conversation.is_closed = None, False


# --- the actions --------------------------------------------------------------------------------------------


def _apply(
    action: str, found: Sequence[Conversation], argument: str, operator: Operator, now: datetime
) -> None:
    match action:
        case "assign":
            _assign(found, _operator(argument), now)
        case "label" | "unlabel":
            _label(found, _label_named(argument), is_on=action == "label")
        case "snooze":
            _snooze(found, argument, now)
        case "wake":
            _set(found, snoozed_until=None)
        case "close":
            _close(found, operator, now)
        case "reopen":
            _set(found, is_closed=False)
        case "hand_back":
            for conversation in found:
                conversations.hand_back(conversation, now=now, operator=operator)


def _assign(found: Sequence[Conversation], to: Operator, now: datetime) -> None:
    for conversation in found:
        conversations.take_over(conversation, to, now=now, reason="assigned")
        conversation.is_closed = False


def _close(found: Sequence[Conversation], operator: Operator, now: datetime) -> None:
    """Close, and let the bot answer whoever writes again."""
    for conversation in found:
        if conversation.is_with_person:
            conversations.hand_back(conversation, now=now, operator=operator)
    _set(found, is_closed=True, snoozed_until=None, unread_count=0)


def _snooze(found: Sequence[Conversation], length: str, now: datetime) -> None:
    if length not in SNOOZES:
        raise Refused("time")
    _set(found, snoozed_until=now + SNOOZES[length])


def _set(found: Sequence[Conversation], **values: Any) -> None:
    for conversation in found:
        for name, value in values.items():
            setattr(conversation, name, value)


def _label(found: Sequence[Conversation], label: Label, *, is_on: bool) -> None:
    if is_on:
        for conversation in found:
            row = insert_or_ignore(ConversationLabel)
            db.session.execute(row.values(label_id=label.id, conversation_id=conversation.id))
        return
    changed_rows(
        delete(ConversationLabel).where(
            ConversationLabel.label_id == label.id,
            ConversationLabel.conversation_id.in_([conversation.id for conversation in found]),
        )
    )


def _operator(argument: str) -> Operator:
    found = db.session.get(Operator, _row_id(argument))
    if found is None or not found.is_active:
        raise Refused("operator")
    return found


def _label_named(argument: str) -> Label:
    return db.session.get(Label, _row_id(argument)) or _refuse_label()


def _refuse_label() -> Label:
    raise Refused("label")


def _row_id(written: str) -> int:
    return int(written) if written.isascii() and written.isdecimal() and len(written) < 19 else 0


# --- how each was, and back ---------------------------------------------------------------------------------


def _states(found: Sequence[Conversation]) -> dict[int, dict[str, Any]]:
    labels: dict[int, list[int]] = {conversation.id: [] for conversation in found}
    rows = db.session.execute(
        select(ConversationLabel.conversation_id, ConversationLabel.label_id)
        .where(ConversationLabel.conversation_id.in_(labels))
        .order_by(ConversationLabel.label_id)
    )
    for conversation_id, label_id in rows:
        labels[conversation_id].append(label_id)
    return {
        c.id: {"id": c.id, "labels": labels[c.id], **{name: _written(getattr(c, name)) for name in _KEPT}}
        for c in found
    }


def _written(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _put_back(conversation: Conversation, was: Mapping[str, Any], labels_now: set[int]) -> None:
    for name in _KEPT:
        value = was[name]
        if name in _MOMENTS and value is not None:
            value = datetime.fromisoformat(value)
        setattr(conversation, name, value)
    labels_before = set(was["labels"])
    for label_id in labels_before - labels_now:
        row = insert_or_ignore(ConversationLabel)
        db.session.execute(row.values(label_id=label_id, conversation_id=conversation.id))
    changed_rows(
        delete(ConversationLabel).where(
            ConversationLabel.conversation_id == conversation.id,
            ConversationLabel.label_id.in_(labels_now - labels_before),
        )
    )
