"""What cannot be taught, and the closed lists of what can: shared by the verbs of this room."""

import unicodedata
from collections.abc import Mapping
from typing import Final

from analysis.train import LABELS, NO_SIGNAL
from vocabulary import LANGUAGES

# What people correct and teach; the guard against spam is taught by the intent.
TASKS: Final = ("intent", "buying_signal", "sentiment", "urgency")
LABELS_OF: Final[Mapping[str, tuple[str, ...]]] = {task: tuple(LABELS[task]) for task in TASKS}
MAX_TEXT_CHARS: Final = 1000

__all__ = [
    "LABELS_OF",
    "MAX_TEXT_CHARS",
    "NO_SIGNAL",
    "TASKS",
    "TeachingRefused",
    "check",
    "tidy",
    "tidy_phrase",
]


class TeachingRefused(ValueError):
    """A lesson that cannot be taken. `code` names the reason: task, label, language, empty, too_short,
    too_long, too_many, not_read."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code


def check(task: str, label: str, language: str | None = None) -> None:
    """Raise TeachingRefused for a task, label or language outside the closed lists."""
    if task not in LABELS_OF:
        raise TeachingRefused("task", f"{task[:40]!r} is not one of {', '.join(TASKS)}")
    if label not in LABELS_OF[task]:
        raise TeachingRefused("label", f"{label[:40]!r} is no {task}; there are {', '.join(LABELS_OF[task])}")
    if language is not None and language not in LANGUAGES:
        raise TeachingRefused("language", f"{language[:40]!r} is not one of {', '.join(LANGUAGES)}")


def tidy(text: str) -> str:
    """Give a text as it is kept: one line, single spaces. Raises TeachingRefused when nothing is left."""
    line = _one_line(text)
    if not any(character.isalnum() for character in line):
        raise TeachingRefused("empty", "there are no words in it")
    return line


def tidy_phrase(text: str) -> str:
    """Give a phrase as it is kept: words, a Chinese character or an emoji. Raises TeachingRefused.

    It is looked for inside every message, where a single letter or mark stands nearly always.
    """
    line = _one_line(text)
    if not line:
        raise TeachingRefused("empty", "there is nothing in it")
    letters = [character for character in line if character.isalnum()]
    is_word = len(letters) > 1 or (bool(letters) and unicodedata.category(letters[0]) == "Lo")
    if not is_word and not any(unicodedata.category(character) == "So" for character in line):
        raise TeachingRefused("too_short", "a phrase needs two letters or an emoji")
    return line


def _one_line(text: str) -> str:
    return " ".join(text.replace("\x00", " ").split())
