"""The words of a text as the full-text search knows them: folded, without stop words, cut to their stems.

Pure. `stems` reads an article or a question; `indexed` spells stems so that SQLite, PostgreSQL and MariaDB
all take each for exactly one word: small ASCII letters and digits, at least three, and never a word of their
own stop lists. So nothing that a customer writes can be syntax to a database. Word lists are data files
beside this module.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import yaml

from analysis.folding import fold
from vocabulary import LANGUAGES

DATA_DIR: Final = Path(__file__).parent / "words_of"
MARK: Final = "qq"
# MariaDB's limit for a word of a full-text index is 84 characters.
MAX_INDEXED_CHARS: Final = 80
MIN_STEM_CHARS: Final = 3
# Chinese and Japanese write without spaces, and Korean glues its particles on: pairs of characters are
# their words.
_PAIRED: Final = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]+")
_WORD: Final = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class _WordList:
    """What is known of one language: words that say nothing, endings, odd stems, words of one meaning."""

    stop: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()
    endings: tuple[str, ...] = ()
    irregular: Mapping[str, str] = field(default_factory=dict)
    relatives: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    phrases: Mapping[str, str] = field(default_factory=dict)


def stems(text: str, language: str) -> tuple[str, ...]:
    """Give the stems of what a text says, in order, with repetitions; a language that is unknown has only
    its words.
    """
    return tuple(_stem(word, language) for word in _words(text) if word not in _list_of(language).stop)


def asked_stems(question: str, language: str) -> tuple[str, ...]:
    """Give the stems of what a question means: "when do I get it?" has no word that says it, and asks for the
    delivery."""
    words = f" {' '.join(_words(question))} "
    for phrase, meaning in _list_of(language).phrases.items():
        words = words.replace(f" {phrase} ", f" {meaning} ")
    return stems(words, language)


def relatives(stem: str, language: str) -> tuple[str, ...]:
    """Give stems that people use for the same thing: who asks for the "schedule" means the "hours"."""
    return _list_of(language).relatives.get(stem, ())


def lines_about(question: str, lines: Sequence[str], language: str, *, but: str = "") -> tuple[str, ...]:
    """Give those of a few lines that speak of what is asked; words of `but` (a name) ask nothing."""
    asked = {stem for stem in stems(question, language) if not stem.isdigit()} - set(stems(but, language))
    wanted = asked.union(*(relatives(stem, language) for stem in asked))
    return tuple(line for line in lines if not wanted.isdisjoint(stems(line, language)))


def indexed(stem: str) -> str:
    """Spell a stem as it stands in the index."""
    spelled = "".join(c if c.isascii() else f"u{ord(c):x}" for c in stem)
    return (MARK + spelled)[:MAX_INDEXED_CHARS]


def index_text(stems_of_text: Iterable[str]) -> str:
    """Give the searched text of a passage: each word once, between spaces."""
    return f" {' '.join(dict.fromkeys(indexed(stem) for stem in stems_of_text))} "


def _words(text: str) -> Iterator[str]:
    for run in _WORD.findall(fold(text)):
        position = 0
        for paired in _PAIRED.finditer(run):
            if position < paired.start():
                yield run[position : paired.start()]
            yield from _pairs(paired.group())
            position = paired.end()
        if position < len(run):
            yield run[position:]


def _pairs(run: str) -> Iterator[str]:
    if len(run) == 1:
        yield run
    for first, second in pairwise(run):
        yield first + second


def _stem(word: str, language: str) -> str:
    known = _list_of(language)
    if word in known.irregular:
        return known.irregular[word]
    return word if word.isdigit() or _PAIRED.match(word) else _cut(word, known)


def _cut(word: str, known: _WordList) -> str:
    for prefix in known.prefixes:
        if word.startswith(prefix) and len(word) - len(prefix) >= MIN_STEM_CHARS:
            word = word[len(prefix) :]
            break
    for ending in known.endings:
        if word.endswith(ending) and len(word) - len(ending) >= MIN_STEM_CHARS:
            return word[: -len(ending)]
    return word


@cache
def _list_of(language: str) -> _WordList:
    path = DATA_DIR / f"{language}.yaml"
    if language not in LANGUAGES:
        return _WordList()
    sheet: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    known = _WordList(
        stop=frozenset(_words(sheet.get("stop", ""))),
        prefixes=tuple(sheet.get("prefixes", "").split()),
        endings=tuple(sorted(sheet.get("endings", "").split(), key=len, reverse=True)),
        irregular=sheet.get("irregular", {}),
        phrases=_phrases_of(sheet.get("phrases", {})),
    )
    groups = [tuple(dict.fromkeys(_known_stem(w, known) for w in _words(g))) for g in sheet.get("same", ())]
    related: dict[str, list[str]] = {}
    for group in groups:
        for stem in group:
            related.setdefault(stem, []).extend(other for other in group if other != stem)
    return _WordList(
        known.stop,
        known.prefixes,
        known.endings,
        known.irregular,
        {stem: tuple(dict.fromkeys(others)) for stem, others in related.items()},
        known.phrases,
    )


def _phrases_of(listed: Mapping[str, str]) -> dict[str, str]:
    """Give the phrases as words of a text stand, the longest first."""
    read = {" ".join(_words(phrase)): " ".join(_words(meaning)) for phrase, meaning in listed.items()}
    return dict(sorted(read.items(), key=lambda pair: -len(pair[0])))


def _known_stem(word: str, known: _WordList) -> str:
    return known.irregular.get(word) or _cut(word, known)
