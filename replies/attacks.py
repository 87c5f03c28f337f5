"""Whether a customer tries to change the rules instead of asking the shop.

`writing` asks this before a model is asked: what cannot be talked into anything needs no guard. Patterns are
data (data/attacks.yaml), over folded text; they are the first of two fences and need not catch every attack.
"""

import re
from functools import cache
from pathlib import Path
from typing import Final

import yaml

from .wording import is_hidden, plain

ATTACKS: Final = Path(__file__).parent / "data" / "attacks.yaml"
MAX_CHARS: Final = 4096


def kind_of_attack(text: str) -> str | None:
    """Name the way in which the text tries to change the rules; None for a customer's ordinary words."""
    shown = plain("".join(char for char in text[:MAX_CHARS] if not is_hidden(char)))
    shown = " ".join(shown.split())
    return next((kind for kind, pattern in _patterns() if pattern.search(shown)), None)


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    listed = yaml.safe_load(ATTACKS.read_text(encoding="utf-8"))
    return tuple((kind, re.compile("|".join(f"(?:{one})" for one in ones))) for kind, ones in listed.items())
