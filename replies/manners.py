"""A manner of selling: one of the four shipped, or a shop's own that builds on one; and what tells it apart.

`learning` keeps own manners and their versions, `writing` has replies written in them. Pure: packaged texts
and prompts are read.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import texts
from vocabulary import TEXT_LANGUAGES

from .prompts import PROMPTS_DIR

WORDS_MAX_CHARS: Final = 200
FINGERPRINT_CHARS: Final = 16


@dataclass(frozen=True, slots=True)
class Manner:
    """How to sell: in a `base` manner, with an own `instruction` for a model, and own `words` by language
    that end the fixed texts where no model writes.
    """

    base: str
    instruction: str = ""
    words: Mapping[str, str] = field(default_factory=dict)


def fingerprint(manner: Manner) -> str:
    """Give what changes when the manner says something else: its prompt, its texts, its own words.

    What all manners share (the frame of the prompt) is left out: it makes none better than another.
    """
    own = "" if not (manner.instruction or manner.words) else _own(manner)
    return hashlib.sha256(f"{_shipped(manner.base)}\0{own}".encode()).hexdigest()[:FINGERPRINT_CHARS]


def _own(manner: Manner) -> str:
    return json.dumps([manner.instruction, dict(sorted(manner.words.items()))])


@cache
def _shipped(base: str) -> str:
    """Digest the files of a shipped manner; a process reads them once."""
    paths = [PROMPTS_DIR / f"{base}.txt"]
    paths += [texts.TEXTS_DIR / language / "strategy" / f"{base}.txt" for language in TEXT_LANGUAGES]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest()
