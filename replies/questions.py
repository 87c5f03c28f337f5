"""The single questions of a message that asks several: "do you take cards? and when are you open?".

Pure. `writing` answers each by itself, and `grounding` looks for what answers each. Which words begin a
question is data (data/questions.yaml).
"""

import re
from functools import cache
from typing import Final

import yaml

from analysis.folding import fold
from answers import courtesy_of, is_menu_word

from .wording import DATA

MAX_CHARS: Final = 1_000  # what is longer tells a story, and its questions are no list
MAX_QUESTIONS: Final = 4
MIN_LETTERS: Final = 4
_SENTENCE: Final = re.compile(r"[^?!.\n¿]+[?!.]*")
_ACCENTED: Final = {"a": "[aáàã]", "e": "[eéê]", "i": "[ií]", "o": "[oóõ]", "u": "[uú]", "c": "[cç]"}
_EDGES: Final = " \t\r\n¿¡,;:"


def several(text: str) -> tuple[str, ...]:
    """Give the questions of a text that asks at least two; nothing for any other."""
    if len(text) > MAX_CHARS:
        return ()
    found = dict.fromkeys(question for sentence in _sentences(text) for question in _asked_in(sentence))
    return tuple(found)[:MAX_QUESTIONS] if len(found) > 1 else ()


def alone(text: str) -> str:
    """Give the one question of a text that says something else beside it; nothing where that is all."""
    asked = [sentence for sentence in _sentences(text[:MAX_CHARS]) if sentence.endswith("?")]
    return asked[0] if len(asked) == 1 and beside(text) else ""


def beside(text: str) -> tuple[str, ...]:
    """Give what a text says beside its questions: greetings and thanks are left out."""
    told = (sentence for sentence in _sentences(text) if not _is_question(sentence))
    return tuple(part for part in told if not _is_small_talk(part))


def _sentences(text: str) -> list[str]:
    return [found.strip(_EDGES) for found in _SENTENCE.findall(text) if found.strip(_EDGES)]


def _asked_in(sentence: str) -> list[str]:
    """Cut a question where another begins; a sentence that asks nothing gives none."""
    if not _is_question(sentence):
        return []
    parts: list[str] = []
    for piece in _joints().split(sentence):
        # "If I buy today, when does it come?" is one question: what stands before asks nothing yet.
        if parts and _begins(parts[-1]):
            parts.append(piece)
        else:
            parts = [*parts[:-1], f"{parts[-1]}, {piece}" if parts else piece]
    asked = [_joining_word().sub("", part.strip(_EDGES)) for part in parts if not _is_small_talk(part)]
    long = [part for part in asked if sum(char.isalpha() for char in part) >= MIN_LETTERS]
    return [part if part.endswith("?") else f"{part}?" for part in long]


def _is_question(sentence: str) -> bool:
    return not _is_small_talk(sentence) and (sentence.endswith("?") or _begins(sentence))


def _is_small_talk(part: str) -> bool:
    return courtesy_of(part) is not None or is_menu_word(part) is not None


def _begins(part: str) -> bool:
    return bool(_opening().match(fold(part.strip(_EDGES))))


@cache
def _opening() -> re.Pattern[str]:
    words = _data()
    return re.compile(rf"(?:(?:{words['joining']})\s+)?(?:{words['openers']})\b")


@cache
def _joining_word() -> re.Pattern[str]:
    return re.compile(rf"^(?:{_data()['joining']})\s+¿?", re.IGNORECASE)


@cache
def _joints() -> re.Pattern[str]:
    """Give what stands between two questions of a sentence, as people write it, with accents or without."""
    words = _data()
    joining, openers = words["joining"], words["openers"]
    accents = str.maketrans(
        {"a": "[aáàã]", "e": "[eéê]", "i": "[ií]", "o": "[oóõ]", "u": "[uú]", "c": "[cç]"}
    )
    opened = openers.translate(accents)
    return re.compile(
        rf"\s*(?:[,;]\s*(?:(?:{joining})\s+)?|\s(?:{joining.translate(accents)})\s+)¿?(?=(?:{opened})\b)",
        re.IGNORECASE,
    )


@cache
def _data() -> dict[str, str]:
    listed: dict[str, list[str]] = yaml.safe_load((DATA / "questions.yaml").read_text(encoding="utf-8"))
    return {name: "|".join(fold(one) for one in ones) for name, ones in listed.items()}
