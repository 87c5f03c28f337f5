"""The words that the desk says all day and that claim nothing about a shop: data/everyday.yaml and its texts.

Called by `doubts`, `ties` and `claims`.
"""

import re
from functools import cache
from typing import Final

import yaml

import texts

from .wording import DATA, content_words, plain

TEXTS_DIR: Final = texts.TEXTS_DIR
_FILLED: Final = re.compile(r"\{[%{#].*?[%}#]\}|^\[\w+\]$", re.DOTALL | re.MULTILINE)


@cache
def everyday(language: str) -> frozenset[str]:
    """Give the words of the desk's own fixed texts: what it says all day claims nothing new."""
    reader = texts.text_language(language)
    told = [path.read_text(encoding="utf-8") for path in sorted((TEXTS_DIR / reader).rglob("*.txt"))]
    own = frozenset().union(*(content_words(plain(_FILLED.sub(" ", text))) for text in told))
    return own | content_words(_data()[reader])


@cache
def leaves() -> re.Pattern[str]:
    """Give how a seller says that the matter is left to a colleague."""
    return re.compile(_data()["leaves"])


@cache
def _data() -> dict[str, str]:
    listed: dict[str, str] = yaml.safe_load((DATA / "everyday.yaml").read_text(encoding="utf-8"))
    return listed
