"""To consult a model on behalf of a conversation: which may be asked now, and what each call cost.

`writing`, `hearing` and `assisting` go through here. No transaction is open when a model is asked; each call
is written down and committed at once, because its cost stands whatever becomes of the turn.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from random import Random
from time import monotonic
from typing import Final

from flask import current_app

import ai_service
import desk_settings
import llm
import model_calls
from ai_service import Assistant, Call
from config import Config
from models import db, reading

# Who writes waits so long at most for all calls of a turn together; then the desk's own words speak.
TURN_SECS: Final = 25.0


def _nothing_to_keep() -> None:
    """Do nothing: outside a turn there is no lease, and nobody who waits."""


@dataclass(frozen=True, slots=True)
class Means:
    """With what an answer is made: the settings, the models if any are set, the turn's lease, and the dice.

    `keep_lease` is called before the network is asked; it commits, and raises LeaseLost. `show_typing` tells
    the customer that an answer is on its way; best effort. `began` is when the turn did, for its budget of
    time.
    """

    config: Config
    assistant: Assistant | None = None
    keep_lease: Callable[[], None] = _nothing_to_keep
    rng: Random = field(default_factory=Random)
    show_typing: Callable[[], None] = _nothing_to_keep
    began: float = field(default_factory=monotonic)


@dataclass
class _Known:
    """What one process remembers: its models, the settings that named them, and how they fared."""

    memory: llm.Memory = field(default_factory=llm.Memory)
    config: Config | None = None
    assistant: Assistant | None = None


def means_now(config: Config) -> Means:
    """Give the settings as they count now, over the environment's `config`, and the models that they name."""
    known: _Known = current_app.extensions.setdefault("consulting", _Known())
    now = desk_settings.current(config)
    if known.config is not now:
        known.config, known.assistant = now, ai_service.assistant_of(now, known.memory)
    return Means(now, known.assistant)


def assistant(means: Means, now: datetime) -> Assistant | None:
    """Give who may be asked now: all models below the day's cap, only free ones above it, or nobody."""
    if means.assistant is None:
        return None
    with reading():
        models = model_calls.affordable(means.assistant.models, means.config, now=now)
        db.session.rollback()
    if models is None:
        return None
    means.show_typing()  # a model takes seconds; nothing is open here
    means.keep_lease()
    return replace(means.assistant, models=models, ends_at=means.began + TURN_SECS)


def keep(calls: Iterable[Call], means: Means, *, conversation_id: int, now: datetime) -> list[int]:
    """Write calls down and commit; gives their ids."""
    rows = [
        model_calls.record(
            call.result, purpose=call.purpose, config=means.config, now=now, conversation_id=conversation_id
        )
        for call in calls
    ]
    db.session.commit()
    return [row.id for row in rows]
