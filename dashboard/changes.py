"""What changed: read once per process while somebody looks, and told to every open stream.

Called by `live` only. One thread asks the database each second for the newest rows and compares them with
what it saw before; streams wait in memory and hold no session. It names conversations, never says what is in
them: pages fetch that themselves, through their own guards. What it cannot see (an old thread that no message
has touched) a page finds by asking now and then.
"""

import secrets
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from threading import Condition, Thread
from time import monotonic
from typing import Any, Final

import structlog
from flask import Flask
from sqlalchemy import Executable, select
from sqlalchemy.exc import SQLAlchemyError

from models import Contact, Conversation, ConversationLabel, Message, Note, StoredMedia, db, reading

LOOK_EVERY_SECS: Final = 1.0
MESSAGES_WATCHED: Final = 300
CONVERSATIONS_WATCHED: Final = 200
ROWS_WATCHED: Final = 100
NEWS_KEPT: Final = 200
EVERYTHING: Final = 0  # in place of a conversation's id
UNKNOWN: Final = -1  # in place of the number of the last news

log = structlog.get_logger()
State = Mapping[tuple[str, int], tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class News:
    """Which conversations changed by one look; `number` grows by one each time, `at` is the steady clock."""

    number: int
    conversations: frozenset[int]
    at: float


class Watcher:
    """The one reader of a process, and who listens. Starts with the first listener, ends with the last."""

    def __init__(self, app: Flask, most_listeners: int) -> None:
        self._app = app
        self._most = most_listeners
        self._listeners = 0
        self._told = Condition()
        self._news: deque[News] = deque(maxlen=NEWS_KEPT)
        self._name = secrets.token_hex(4)  # another process counts its own news
        self._number = 0
        self._is_watching = False
        self._thread: Thread | None = None
        self.is_over = False

    def mark(self, at: float) -> str:
        """Name the last news that was told before `at`, of the steady clock: what a page shows that was begun
        then. Empty while nobody watches."""
        with self._told:
            later = next((news.number - 1 for news in self._news if news.at > at), self._number)
            return f"{self._name}-{later}" if self._is_watching else ""

    def join(self, mark: str = "") -> int | None:
        """Take a place among the listeners and give the number of the last news that is known by this mark;
        None when all places are taken. Whoever has no mark hears that everything may have changed."""
        with self._told:
            if self._listeners >= self._most:
                return None
            self._listeners += 1
            if self._thread is None:
                self._thread = Thread(target=self._watch, name="changes", daemon=True)
                self._thread.start()
            name, _dash, number = mark.rpartition("-")
            if name == self._name and number.isdecimal() and int(number) <= self._number:
                return int(number)
            return UNKNOWN if self._is_watching else self._number  # the first look will tell everything

    def leave(self) -> None:
        with self._told:
            self._listeners -= 1
            self._told.notify_all()

    def end(self) -> None:
        """Wake every listener for the last time: the process is about to stop."""
        with self._told:
            self.is_over = True
            self._told.notify_all()

    def wait(self, after: int, timeout_secs: float) -> News:
        """Give what has changed since the news `after`, joined into one; nothing when the time is over."""
        with self._told:
            self._told.wait_for(lambda: self._number > after or self.is_over, timeout_secs)
            missed = [news.conversations for news in self._news if news.number > after]
            if after < self._number - len(self._news):
                missed.append(frozenset({EVERYTHING}))  # older news are forgotten
            return News(self._number, frozenset().union(*missed), monotonic())

    def name_of(self, news: News) -> str:
        """Give the mark of whoever has heard these news."""
        return f"{self._name}-{news.number}"

    def tell(self, conversations: Iterable[int]) -> None:
        """Say that these conversations changed."""
        with self._told:
            self._number += 1
            self._news.append(News(self._number, frozenset(conversations), monotonic()))
            self._told.notify_all()

    def _watch(self) -> None:
        seen: State | None = None
        while True:
            found = self._look()
            if found is not None:
                # Nobody knows what changed before the first look: everything may have.
                changed = {EVERYTHING} if seen is None else _changed(seen, found)
                with self._told:  # whoever joins before is told of the first look, and nobody after it
                    if changed:
                        self.tell(changed)
                    self._is_watching = True
                seen = found
            with self._told:
                ends = monotonic() + LOOK_EVERY_SECS
                while self._listeners and (left := ends - monotonic()) > 0:
                    self._told.wait(left)
                if not self._listeners:
                    self._thread, self._is_watching = None, False
                    return

    def _look(self) -> State | None:
        """Read the newest rows; None when the database did not answer, which a page's own requests tell."""
        try:
            with self._app.app_context(), reading():
                return _read()
        except SQLAlchemyError as error:
            log.warning("changes_unread", error=type(error).__name__)
            return None


def _changed(seen: State, found: State) -> set[int]:
    """Name the conversations of rows that are new or not as they were, and of notes and labels that went."""
    return {
        *(row[0] for key, row in found.items() if seen.get(key) != row),
        *(row[0] for key, row in seen.items() if key[0] in ("note", "label") and key not in found),
    }


def _read() -> State:
    """Give each watched row by kind and id: its conversation first, then all that a page shows of it."""
    return {
        (kind, row[0]): tuple(row[1:])
        for kind, query in _WATCHED.items()
        for row in db.session.execute(query)
    }


_WATCHED: Final[Mapping[str, Executable]] = {
    "message": select(
        Message.id,
        Message.conversation_id,
        Message.status,
        Message.error_code,
        Message.is_edited,
        Message.is_revoked,
        Message.turn_id,
        Message.intent,
        Message.buying_signal,
        Message.sentiment,
        Message.urgency,
    )
    .order_by(Message.id.desc())
    .limit(MESSAGES_WATCHED),
    "conversation": select(
        Conversation.id,
        Conversation.id,
        Conversation.handler,
        Conversation.operator_id,
        Conversation.handover_ends_at,
        Conversation.is_closed,
        Conversation.snoozed_until,
        Conversation.unread_count,
        Conversation.last_message_at,
        Conversation.last_preview,
        Conversation.summarised_at,
        Contact.name,
        Contact.opted_out_at,
    )
    .join(Contact, Contact.id == Conversation.contact_id)
    .order_by(Conversation.last_message_at.desc(), Conversation.id.desc())
    .limit(CONVERSATIONS_WATCHED),
    "media": select(StoredMedia.id, Message.conversation_id, StoredMedia.state)
    .join(Message, Message.id == StoredMedia.message_id)
    .order_by(StoredMedia.id.desc())
    .limit(ROWS_WATCHED),
    "note": select(Note.id, Note.conversation_id).order_by(Note.id.desc()).limit(ROWS_WATCHED),
    "label": select(ConversationLabel.id, ConversationLabel.conversation_id)
    .order_by(ConversationLabel.id.desc())
    .limit(ROWS_WATCHED),
}
