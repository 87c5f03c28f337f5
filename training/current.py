"""The models that read now: the business's own where it has taught some, the shipped ones elsewhere.

Reading them for each message would cost queries, so each process remembers them and looks every few seconds,
with one cheap query, whether anything has changed.
"""

import time
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final

import structlog
from flask import current_app
from sqlalchemy import func, select

from analysis import Models, Pattern
from analysis.classifier import Classifier
from analysis.embedding import LocalModel, local_model
from analysis.features import HASH_BITS
from analysis.judging import plain
from analysis.train import LABELS
from config import Config
from models import PhrasePattern, TrainedModel, TrainingExample, db

log = structlog.get_logger()

REMEMBERED_SECS: Final = 4.0
MAX_SAID: Final = 5000


@dataclass
class _Memory:
    """What one process remembers of the models and phrases; `mark` tells whether the rows have changed."""

    lock: Lock = field(default_factory=Lock)
    models: Models = field(default_factory=Models)
    mark: tuple[Any, ...] = ()
    until: float = 0.0


_MARK = select(
    select(func.count(TrainedModel.id)).where(TrainedModel.is_active).scalar_subquery(),
    select(func.max(TrainedModel.id)).where(TrainedModel.is_active).scalar_subquery(),
    select(func.count(PhrasePattern.id)).scalar_subquery(),
    select(func.max(PhrasePattern.id)).scalar_subquery(),
    # The newest id may be given again after a deletion; its time is not.
    select(func.max(PhrasePattern.created_at)).scalar_subquery(),
    # What was said of a text must go from memory when its person is deleted.
    select(func.count(TrainingExample.correction_id)).scalar_subquery(),
)


def current_models() -> Models:
    """Give the models that read now, the business's own where it has taught some.

    At most REMEMBERED_SECS old, in every process.
    """
    memory = _memory()
    if time.monotonic() < memory.until:
        return memory.models
    # The database is asked under no lock: its writer, who may wait for this one, would be waited for.
    mark = tuple(db.session.execute(_MARK).one())
    loaded = None if mark == memory.mark else _load()
    with memory.lock:
        if loaded is not None:
            memory.models, memory.mark = loaded, mark
        memory.until = time.monotonic() + REMEMBERED_SECS
        return memory.models


def forget() -> None:
    """Have this process look again, after a change of its own."""
    memory = _memory()
    memory.until, memory.mark = 0.0, ()


def _load() -> Models:
    rows = db.session.execute(
        select(TrainedModel.task, TrainedModel.data).where(TrainedModel.is_active).order_by(TrainedModel.id)
    )
    own = {task: found for task, data in rows if (found := _opened(task, data)) is not None}
    phrases = db.session.execute(
        select(PhrasePattern.task, PhrasePattern.label, PhrasePattern.phrase).order_by(PhrasePattern.id)
    )
    return Models(
        own, tuple(Pattern(*row) for row in phrases), _said(), local_of(current_app.config["BALCAO"])
    )


def local_of(config: Config) -> LocalModel | None:
    """Give the optional local model where it is installed and wanted."""
    return None if config.local_ai is False else local_model(config.instance_dir)


def _said() -> dict[tuple[str, str], str]:
    """Give what people said of whole texts, as far as it was trained; a single word means too many things."""
    trained = (
        select(TrainedModel.task, func.max(TrainedModel.created_at).label("at"))
        .where(TrainedModel.is_active)
        .group_by(TrainedModel.task)
        .subquery()
    )
    rows = db.session.execute(
        select(TrainingExample.task, TrainingExample.text, TrainingExample.label)
        .join(trained, trained.c.task == TrainingExample.task)
        .where(TrainingExample.correction_id.is_not(None), TrainingExample.created_at <= trained.c.at)
        .order_by(TrainingExample.id.desc())
        .limit(MAX_SAID)
    ).all()
    return {(row.task, plain(row.text)): row.label for row in reversed(rows) if len(row.text.split()) > 1}


def _opened(task: str, data: bytes) -> Classifier | None:
    """Read a stored model; one that this version of the program cannot use is left to the shipped one."""
    try:
        found = Classifier.from_bytes(data)
    except ValueError:
        found = None
    if found is None or set(found.labels) != set(LABELS.get(task, ())):
        log.warning("model_unusable", task=task)
        return None
    if len(found.weights) != len(found.labels) << HASH_BITS:
        log.warning("model_unusable", task=task)
        return None
    return found


def _memory() -> _Memory:
    return current_app.extensions.setdefault("balcao_models", _Memory())  # type: ignore[no-any-return]
