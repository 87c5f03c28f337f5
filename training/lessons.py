"""From examples to models: what there is to learn, learning it, keeping it, and going back.

`read_lessons` reads, `learn` computes for seconds without any session, `keep` writes; the caller commits
between them. A lesson goes on from the shipped model, which knows the packaged examples. What it is worth is
measured on lines that neither model saw: both are taught once more for that alone, without one own line in
five, from a shipped model that has not seen one packaged line in ten.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final
from zlib import crc32

from sqlalchemy import delete, select, update

from analysis.classifier import Classifier
from analysis.examples import Example
from analysis.judging import plain, shipped
from analysis.train import HELD_OUT, REAL, SPAM, go_on, measuring_model, score, shipped_examples
from models import LabelCorrection, TrainedModel, TrainingExample, db
from statements import changed_rows

from . import current
from .refusals import TASKS

# Measured on a dozen odd sentences: at 2 one in twelve still reads as before, at 4 the packaged examples
# read as they did.
CORRECTION_WEIGHT: Final = 4.0
OWN_WEIGHT: Final = 2.0
OWN_HELD_OUT: Final = 5
KEPT_VERSIONS: Final = 5


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one task is to learn. `known` are those of the own examples that the model in use was taught."""

    task: str
    own: tuple[Example, ...]
    known: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class Compared:
    """The model in use and the new one, on the same lines that neither was trained on."""

    examples: int
    accuracy_before: float
    accuracy_after: float
    f1_before: float
    f1_after: float


@dataclass(frozen=True, slots=True)
class Learnt:
    """A new model (None: nothing of the business's own is left, the shipped one reads) and its worth.

    `on_own` is None below five own examples: there is nothing to hold out.
    """

    task: str
    data: bytes | None
    own_examples: int
    packaged_examples: int
    on_own: Compared | None
    on_package: Compared | None
    seconds: float


def read_lessons() -> tuple[Lesson, ...]:
    """Collect what is to be learnt: each task with own examples, or with a model that has lost them all."""
    active = db.session.execute(
        select(TrainedModel.task, TrainedModel.created_at)
        .where(TrainedModel.is_active)
        .order_by(TrainedModel.id)
    )
    taught_at = {row.task: row.created_at for row in active}
    rows = db.session.execute(
        select(
            TrainingExample.task,
            TrainingExample.text,
            TrainingExample.label,
            TrainingExample.language,
            TrainingExample.correction_id,
            TrainingExample.created_at,
            LabelCorrection.read_as,
        )
        .outerjoin(LabelCorrection, LabelCorrection.id == TrainingExample.correction_id)
        .order_by(TrainingExample.id)
    ).all()
    found = []
    for task in (*TASKS, SPAM):
        of_task = [row for row in rows if row.task == (task if task != SPAM else "intent")]
        if task == SPAM and not any(SPAM in (row.label, row.read_as) for row in of_task):
            of_task = []
        own = [(_example(row, task), row.created_at) for row in of_task]
        if own or task in taught_at:
            since = taught_at.get(task)
            known = [example for example, at in own if since is not None and at <= since]
            found.append(Lesson(task, _last_words(e for e, _ in own), _last_words(known)))
    return tuple(found)


def _example(row: Any, task: str) -> Example:
    label = row.label if task != SPAM else (SPAM if row.label == SPAM else REAL)
    weight = OWN_WEIGHT if row.correction_id is None else CORRECTION_WEIGHT
    return Example(row.text, label, row.language, weight)


def _last_words(examples: Any) -> tuple[Example, ...]:
    """Keep one example of each text: the last one, which is the newest word about it."""
    return tuple({_key(example): example for example in examples}.values())


def _key(example: Example) -> tuple[str, str]:
    return example.language, plain(example.text)


def learn(lesson: Lesson) -> Learnt:
    """Train a task's model on packaged and own examples, and measure it. Takes seconds; needs no session."""
    began = time.perf_counter()
    if not lesson.own:
        return Learnt(lesson.task, None, 0, 0, None, None, 0.0)
    keys = {_key(example) for example in lesson.own}
    packaged = shipped_examples(lesson.task)
    known = [example for example in packaged if _key(example) not in keys]
    unseen = [example for example in packaged[::HELD_OUT] if _key(example) not in keys]
    on_own, on_package = _compare(lesson, unseen)
    data = go_on(lesson.task, shipped(lesson.task), lesson.own, known).to_bytes()
    seconds = round(time.perf_counter() - began, 1)
    return Learnt(lesson.task, data, len(lesson.own), len(known), on_own, on_package, seconds)


def _compare(lesson: Lesson, unseen: Sequence[Example]) -> tuple[Compared | None, Compared]:
    """Measure on packaged lines that the measuring model has not seen, and on own ones held out here."""
    by_chance = sorted(lesson.own, key=lambda example: crc32(repr(_key(example)).encode()))
    held_own = by_chance[: len(by_chance) // OWN_HELD_OUT]
    held = {_key(example) for example in (*held_own, *unseen)}
    packaged = shipped_examples(lesson.task)
    told = [example for index, example in enumerate(packaged) if index % HELD_OUT]
    before, after = (
        go_on(
            lesson.task,
            measuring_model(lesson.task),
            [example for example in own if _key(example) not in held],
            told,
        )
        for own in (lesson.known, lesson.own)
    )
    on_own = _compared(lesson.task, before, after, held_own) if held_own else None
    return on_own, _compared(lesson.task, before, after, unseen)


def _compared(task: str, before: Classifier, after: Classifier, examples: Sequence[Example]) -> Compared:
    old, new = score(before, task, examples), score(after, task, examples)
    return Compared(
        len(examples), *_rounded(old.accuracy, new.accuracy), *_rounded(old.macro_f1, new.macro_f1)
    )


def _rounded(*figures: float) -> tuple[float, ...]:
    return tuple(round(figure, 4) for figure in figures)


def keep(learnt: Learnt, *, now: datetime) -> TrainedModel | None:
    """Have the new model read, and forget the oldest of its task; None where the shipped one reads again.

    Flushes.
    """
    changed_rows(update(TrainedModel).where(TrainedModel.task == learnt.task).values(is_active=False))
    row = None
    if learnt.data is not None:
        row = TrainedModel(
            task=learnt.task,
            version=Classifier.from_bytes(learnt.data).version,
            data=learnt.data,
            report=report(learnt),
            created_at=now,
        )
        db.session.add(row)
        db.session.flush()
    old = db.session.scalars(
        select(TrainedModel.id)
        .where(TrainedModel.task == learnt.task, TrainedModel.is_active.is_(False))
        .order_by(TrainedModel.id.desc())
        .offset(KEPT_VERSIONS - 1)
    ).all()
    changed_rows(delete(TrainedModel).where(TrainedModel.id.in_(old)))
    current.forget()
    return row


def report(learnt: Learnt) -> dict[str, Any]:
    """Give what is kept and shown of a training, JSON-safe."""
    plain = asdict(learnt)
    del plain["data"]
    return {**plain, "package_version": shipped(learnt.task).version}


def go_back() -> int:
    """Have the shipped models read again; own examples and older versions stay. Gives how many models
    rest now. Flushes. Idempotent."""
    count = changed_rows(update(TrainedModel).where(TrainedModel.is_active).values(is_active=False))
    current.forget()
    return count


@dataclass(frozen=True, slots=True)
class Version:
    """A kept model without its bytes. `is_outdated`: it was made with another version of the package."""

    id: int
    task: str
    version: str
    report: dict[str, Any]
    is_active: bool
    is_outdated: bool
    created_at: datetime


def list_versions() -> tuple[Version, ...]:
    """Give every kept model, the newest first."""
    rows = db.session.execute(
        select(
            TrainedModel.id,
            TrainedModel.task,
            TrainedModel.version,
            TrainedModel.report,
            TrainedModel.is_active,
            TrainedModel.created_at,
        ).order_by(TrainedModel.id.desc())
    )
    return tuple(
        Version(
            row.id,
            row.task,
            row.version,
            row.report,
            row.is_active,
            row.report.get("package_version") != shipped(row.task).version,
            row.created_at,
        )
        for row in rows
    )
