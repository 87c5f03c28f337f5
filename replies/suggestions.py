"""What an operator may say without a model: three manners of it for each thing that customers want.

`assisting` offers them. The texts live in templates/whatsapp/<language>/suggestion/, one file per intent,
parted by a line of dashes; they promise nothing but attention.
"""

import re
from functools import cache
from typing import Final

import texts

PARTING: Final = re.compile(r"^---\n", re.MULTILINE)


def texts_for(intent: str, language: str, first_name: str) -> tuple[str, ...]:
    """Give the replies to an intent in a language that has texts. Raises OSError for an unknown one."""
    values = {"first_name": first_name, "language": language}
    return tuple(texts.compiled(source).render(values).strip() for source in _sources(intent, language))


@cache
def _sources(intent: str, language: str) -> tuple[str, ...]:
    path = texts.TEXTS_DIR / language / "suggestion" / f"{intent}.txt"
    return tuple(PARTING.split(path.read_text(encoding="utf-8")))
