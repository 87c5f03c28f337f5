"""Phones, e-mails, links, sums and dates in a text, with code-point spans.

Called by `analysis.read`. It resolves, it never judges: a number that is no phone is not called one.
"""

from dataclasses import dataclass
from datetime import datetime

from .folding import fold_with_offsets
from .money import read_money

Value = str | dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Entity:
    """A thing named in the text; `value` is a string, for money `{"amount", "currency"}`."""

    type: str
    text: str
    start: int
    end: int
    value: Value


def find_entities(
    text: str, *, now: datetime, region: str | None = None, language: str | None = None
) -> tuple[Entity, ...]:
    """Find every entity, left to right."""
    folded = fold_with_offsets(text)
    entities = []
    for money in read_money(folded.text, region=region, language=language):
        start, end = folded.span(money.start, money.end)
        value: Value = {"amount": str(money.amount), "currency": money.currency}
        entities.append(Entity("money", text[start:end], start, end, value))
    return tuple(sorted(entities, key=lambda entity: entity.start))
