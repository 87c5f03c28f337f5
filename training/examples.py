"""The business's own examples and phrases: adding, listing and taking them away.

An example teaches at the next training; a phrase counts within seconds, in every process.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import delete, func, select

from models import PhrasePattern, TrainingExample, db
from statements import changed_rows

from . import current
from .refusals import MAX_TEXT_CHARS, TASKS, TeachingRefused, check, tidy, tidy_phrase

# Training time grows with the examples, reading time with the phrases: both stay bounded.
MAX_EXAMPLES: Final = 20_000
MAX_LINES: Final = 1000
MAX_PHRASES: Final = 200
MAX_PHRASE_CHARS: Final = 160
_IDS_PER_DELETE: Final = 500


@dataclass(frozen=True, slots=True)
class Added:
    """What became of some lines: new, known under another label before, known as they are."""

    new: int
    relabelled: int
    known: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which examples a list shows; empty means any."""

    task: str = ""
    label: str = ""
    language: str = ""
    words: str = ""


def add_examples(task: str, label: str, language: str, lines: Iterable[str], *, now: datetime) -> Added:
    """Add one example a line; empty lines are passed over. Flushes.

    A text that stands there already under another label gets this one. Raises TeachingRefused, and then
    nothing is added.
    """
    check(task, label, language)
    texts = list(dict.fromkeys(tidy(line) for line in lines if line.strip("\x00 \t\r\n")))
    _check_size(texts)
    known = {
        row.text: row
        for row in db.session.scalars(
            select(TrainingExample).where(
                TrainingExample.task == task,
                TrainingExample.language == language,
                TrainingExample.correction_id.is_(None),
                TrainingExample.text.in_(texts),
            )
        )
    }
    new = relabelled = 0
    for text in texts:
        row = known.get(text)
        if row is None:
            db.session.add(
                TrainingExample(task=task, label=label, language=language, text=text, created_at=now)
            )
            new += 1
        elif row.label != label:
            row.label, row.created_at = label, now
            relabelled += 1
    db.session.flush()
    return Added(new, relabelled, len(texts) - new - relabelled)


def _check_size(texts: Sequence[str]) -> None:
    if not texts:
        raise TeachingRefused("empty", "there are no words in it")
    if any(len(text) > MAX_TEXT_CHARS for text in texts):
        raise TeachingRefused("too_long", f"a line is longer than {MAX_TEXT_CHARS} characters")
    if len(texts) > MAX_LINES:
        raise TeachingRefused("too_many", f"at most {MAX_LINES} lines at once")
    if len(texts) + sum(counts().values()) > MAX_EXAMPLES:
        raise TeachingRefused("too_many", f"at most {MAX_EXAMPLES} examples")


def remove_examples(ids: Sequence[int]) -> int:
    """Delete examples; gives how many there were. A correction that one came from stays. Flushes."""
    return sum(
        changed_rows(
            delete(TrainingExample).where(TrainingExample.id.in_(ids[start : start + _IDS_PER_DELETE]))
        )
        for start in range(0, len(ids), _IDS_PER_DELETE)
    )


def list_examples(wanted: Wanted, *, before: int | None, limit: int) -> Sequence[TrainingExample]:
    """Give the examples of a filter, the newest first, below the id `before`."""
    query = select(TrainingExample)
    for column, value in (
        (TrainingExample.task, wanted.task),
        (TrainingExample.label, wanted.label),
        (TrainingExample.language, wanted.language),
    ):
        if value:
            query = query.where(column == value)
    if wanted.words:
        query = query.where(TrainingExample.text.icontains(wanted.words, autoescape=True))
    if before is not None:
        query = query.where(TrainingExample.id < before)
    return db.session.scalars(query.order_by(TrainingExample.id.desc()).limit(limit)).all()


def counts() -> dict[str, int]:
    """Count the business's own examples of each task."""
    count = func.count().label("own")
    rows = db.session.execute(select(TrainingExample.task, count).group_by(TrainingExample.task))
    return dict.fromkeys(TASKS, 0) | {row.task: row.own for row in rows}


# --- phrases ------------------------------------------------------------------------------------------------


def add_phrase(task: str, label: str, phrase: str, *, now: datetime) -> PhrasePattern:
    """Have a phrase settle a label wherever it stands; one that is there already gets this label. Flushes.

    Raises TeachingRefused.
    """
    check(task, label)
    phrase = tidy_phrase(phrase)
    if len(phrase) > MAX_PHRASE_CHARS:
        raise TeachingRefused("too_long", f"a phrase has at most {MAX_PHRASE_CHARS} characters")
    row = db.session.scalars(
        select(PhrasePattern).where(PhrasePattern.task == task, PhrasePattern.phrase == phrase)
    ).first()
    if row is None:
        if (db.session.scalar(select(func.count(PhrasePattern.id))) or 0) >= MAX_PHRASES:
            raise TeachingRefused("too_many", f"at most {MAX_PHRASES} phrases")
        row = PhrasePattern(task=task, label=label, phrase=phrase, created_at=now)
        db.session.add(row)
    else:
        row.label, row.created_at = label, now
    db.session.flush()
    current.forget()
    return row


def remove_phrase(phrase_id: int) -> bool:
    """Delete a phrase; False when there is none. Flushes."""
    was_there = changed_rows(delete(PhrasePattern).where(PhrasePattern.id == phrase_id)) == 1
    current.forget()
    return was_there


def list_phrases() -> Sequence[PhrasePattern]:
    """Give every phrase, by task; there are at most MAX_PHRASES."""
    return db.session.scalars(select(PhrasePattern).order_by(PhrasePattern.task, PhrasePattern.phrase)).all()
