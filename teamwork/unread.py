"""What an operator has not read yet: of the customer's words that nobody has answered, those she did not see.

Called by the inbox and the conversation page. `Conversation.unread_count` is everybody's: messages since a
person of ours last wrote. A mark says how far one operator has read. Verbs flush and never commit.
"""

from collections.abc import Iterable

from sqlalchemy import func, select, update

from models import Conversation, Message, ReadMark, db
from statements import changed_rows, insert_or_ignore


def unread_of(conversations: Iterable[Conversation], operator_id: int) -> dict[int, int]:
    """Give how many messages this operator has to read in each of the conversations, in one query."""
    waiting = {one.id: one.unread_count for one in conversations if one.unread_count}
    if not waiting:
        return {}
    after_mark = (
        select(func.count())
        .where(
            Message.conversation_id == ReadMark.conversation_id,
            Message.id > ReadMark.message_id,
            Message.direction == "in",
        )
        .scalar_subquery()
    )
    marked = db.session.execute(
        select(ReadMark.conversation_id, after_mark).where(
            ReadMark.operator_id == operator_id, ReadMark.conversation_id.in_(waiting)
        )
    )
    return {**waiting, **{row_id: min(waiting[row_id], count) for row_id, count in marked}}


def mark_read(conversation_id: int, operator_id: int) -> None:
    """Note that an operator has seen all that a conversation holds. Idempotent; a mark never goes back."""
    newest = db.session.scalar(select(func.max(Message.id)).where(Message.conversation_id == conversation_id))
    if newest is None:
        return
    row = {"operator_id": operator_id, "conversation_id": conversation_id, "message_id": newest}
    db.session.execute(insert_or_ignore(ReadMark).values(row))
    changed_rows(
        update(ReadMark)
        .where(
            ReadMark.operator_id == operator_id,
            ReadMark.conversation_id == conversation_id,
            ReadMark.message_id < newest,
        )
        .values(message_id=newest)
    )
