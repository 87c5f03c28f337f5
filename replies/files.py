"""What a model is asked to make out of a file that a customer sent: templates/prompts/made_out_*.txt."""

from functools import cache
from string import Template
from typing import Literal

from .prompts import PROMPTS_DIR

FileKind = Literal["image", "document"]


def making_out(kind: FileKind, *, language: str) -> str:
    """Ask for the words of a picture or a document, in the customer's language (ISO 639-1)."""
    return _template(kind).substitute(language=language).strip()


@cache
def _template(kind: FileKind) -> Template:
    return Template((PROMPTS_DIR / f"made_out_{kind}.txt").read_text(encoding="utf-8"))
