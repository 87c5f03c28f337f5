"""What one day's messages tell: how many, when, how they were read, how long people waited, who answered.

`rolling` asks for it. One pass over the day's messages, whatever they are many. Reads only.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from models import Message, StateChange, Turn, db

# A figure of a day: name, part, how often, of what sum.
Figure = tuple[str, str, int, int]

# Bounds of the waiting times in seconds, so that a median of any period can be told from the days.
WAIT_BOUNDS: Final = (15, 30, 60, 120, 300, 900, 1800, 3600, 7200, 14400, 28800, 86400, 259200)
# Who was not answered by then was not answered.
ANSWERED_WITHIN: Final = timedelta(days=3)
IDS_PER_QUERY: Final = 500
PERSONS: Final = ("operator", "owner")
_READINGS: Final = ("intent", "buying_signal", "sentiment", "urgency")


class _Said(NamedTuple):
    conversation_id: int
    direction: str
    sender: str
    status: str | None
    created_at: datetime
    intent: str | None
    buying_signal: str | None
    sentiment: str | None
    urgency: str | None


@dataclass(slots=True)
class _Thread:
    """What one conversation saw that day."""

    waits_since: datetime | None = None
    waits: list[tuple[int, str]] = field(default_factory=list)  # seconds, and who answered
    senders: set[str] = field(default_factory=set)


def figures_of_messages(start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[Figure]:
    """Give the figures of the messages from `start` to before `end`."""
    threads: dict[int, _Thread] = defaultdict(_Thread)
    for said in _said(start, end):
        _follow(threads[said.conversation_id], said)
        yield from _figures_of(said, zone)
    written = {key: thread for key, thread in threads.items() if "customer" in thread.senders}
    yield "conversations", "", len(written), 0
    yield from _who_answered(written, start, end)
    _find_late_answers(written, end)
    for thread in written.values():
        for secs, sender in thread.waits:
            yield "first_answer", f"{_bound(secs)}", 1, secs
            yield "answered_by", "person" if sender in PERSONS else "desk", 1, secs
        if thread.waits_since is not None:
            yield "unanswered", "", 1, 0
    yield from _steps(start, end)


def _said(start: datetime, end: datetime) -> Iterator[_Said]:
    columns = [getattr(Message, name) for name in _Said._fields]
    query = select(*columns).where(Message.created_at >= start, Message.created_at < end)
    for row in db.session.execute(query.order_by(Message.created_at, Message.id)).yield_per(2000):
        yield _Said(*row)


def _figures_of(said: _Said, zone: ZoneInfo) -> Iterator[Figure]:
    if said.direction == "out":
        yield "messages_out", said.sender, 1, 0
        if said.status in ("failed", "uncertain"):
            yield "not_delivered", said.status, 1, 0
        return
    yield "messages_in", "", 1, 0
    local = said.created_at.astimezone(zone)
    yield "hours", f"{local.weekday()}-{local.hour:02}", 1, 0
    for name in _READINGS:
        label = getattr(said, name)
        if label:
            yield name, label, 1, 0


def _follow(thread: _Thread, said: _Said) -> None:
    """Keep how long a customer waits: from the first words that nobody has answered to the next answer."""
    thread.senders.add(said.sender)
    if said.direction == "in":
        thread.waits_since = thread.waits_since or said.created_at
    elif thread.waits_since is not None and said.status != "failed":
        secs = int((said.created_at - thread.waits_since).total_seconds())
        thread.waits.append((max(0, secs), said.sender))
        thread.waits_since = None


def _find_late_answers(threads: dict[int, _Thread], end: datetime) -> None:
    """Settle the waits that the day left open by what was answered in the days after."""
    waiting = [key for key, thread in threads.items() if thread.waits_since is not None]
    for place in range(0, len(waiting), IDS_PER_QUERY):
        ids = waiting[place : place + IDS_PER_QUERY]
        rows = db.session.execute(
            select(Message.conversation_id, Message.sender, func.min(Message.created_at))
            .where(
                Message.conversation_id.in_(ids),
                Message.direction == "out",
                Message.status != "failed",
                Message.created_at >= end,
                Message.created_at < end + ANSWERED_WITHIN,
            )
            .group_by(Message.conversation_id, Message.sender)
        ).all()
        for conversation_id, sender, at in sorted(rows, key=lambda row: row[2]):
            thread = threads[conversation_id]
            if thread.waits_since is not None:
                thread.waits.append((int((at - thread.waits_since).total_seconds()), sender))
                thread.waits_since = None


def _who_answered(threads: dict[int, _Thread], start: datetime, end: datetime) -> Iterator[Figure]:
    """Tell the day's conversations that the desk managed alone from those that a person had a hand in."""
    handed = set(
        db.session.scalars(
            select(StateChange.record_id).where(
                StateChange.at >= start,
                StateChange.at < end,
                StateChange.record == "conversation",
                StateChange.after == "human",
            )
        )
    )
    for key, thread in threads.items():
        if key in handed:
            yield "handled", "handed_over", 1, 0
        elif thread.senders.intersection(PERSONS):
            yield "handled", "person", 1, 0
        elif thread.senders - {"customer"}:
            yield "handled", "alone", 1, 0
        else:
            yield "handled", "nobody", 1, 0


def _steps(start: datetime, end: datetime) -> Iterator[Figure]:
    """Count who came to each step of a flow, and who went on from it. Asked again is neither."""
    ids = select(Message.turn_id).where(
        Message.created_at >= start, Message.created_at < end, Message.direction == "in"
    )
    turns = select(Turn.flow, Turn.step_before, Turn.step_after, func.count()).where(
        Turn.id.in_(ids), Turn.flow.is_not(None)
    )
    grouped: Sequence[tuple[str, str | None, str | None, int]] = [
        tuple(row)  # type: ignore[misc]
        for row in db.session.execute(turns.group_by(Turn.flow, Turn.step_before, Turn.step_after))
    ]
    for flow, before, after, count in grouped:
        if before == after:
            continue
        if after:
            yield "step_reached", f"{flow}/{after}", count, 0
        if before:
            yield "step_left", f"{flow}/{before}", count, 0


def _bound(secs: int) -> str:
    """Name the bound that a wait lies within; beyond the last, "more"."""
    return next((f"{bound:06}" for bound in WAIT_BOUNDS if secs <= bound), "more")


def wait_within(parts: Collection[tuple[str, int]], share: float) -> int | None:
    """Give the bound in seconds within which `share` of the waits lie; None without waits, or beyond all."""
    whole = sum(count for _, count in parts)
    reached = 0
    for part, count in sorted(parts):
        reached += count
        if whole and reached >= share * whole:
            return int(part) if part.isdecimal() else None
    return None
