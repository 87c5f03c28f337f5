"""Phones, e-mails, links, sums and dates in a text, with code-point spans.

Called by `analysis.read`. It puts the readers' findings together and settles who keeps a span that two
claim; it judges no message.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from .contacts import read_emails, read_links, read_phones
from .dates import read_dates
from .folding import Folded, fold_with_offsets
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
    text: str, *, now: datetime, region: str | None = None, languages: tuple[str, ...] = ()
) -> tuple[Entity, ...]:
    """Find every entity, left to right; no two overlap. An earlier kind below keeps what a later one claims
    too.

    With several plausible languages each reads the sums and days, and the longer reading stays.
    """
    language = languages[0] if languages else None
    folded = fold_with_offsets(text)
    found: list[Entity] = []
    mail = read_emails(folded.text)
    for contact in mail + read_links(folded.text, folded.text):
        _keep(found, folded, contact.type, contact.start, contact.end, contact.value)
    sums = [
        money
        for name in languages or (None,)
        for money in read_money(folded.text, region=region, language=name)
    ]
    for money in sorted(sums, key=lambda one: one.start - one.end):
        value: Value = {"amount": _plain(money.amount), "currency": money.currency}
        _keep(found, folded, "money", money.start, money.end, value)
    days = [
        day
        for name in languages or (None,)
        for day in read_dates(folded.text, now=now, region=region, language=name)
    ]
    for day in sorted(days, key=lambda one: one.start - one.end):
        _keep(found, folded, "date", day.start, day.end, day.value(now))
    for phone in read_phones(folded.text, region=region, language=language):
        _keep(found, folded, "phone", phone.start, phone.end, phone.value)
    return tuple(sorted(found, key=lambda entity: entity.start))


def _keep(found: list[Entity], folded: Folded, kind: str, start: int, end: int, value: Value) -> None:
    first, last = folded.span(start, end)
    if last <= first or any(first < other.end and other.start < last for other in found):
        return
    if kind == "url":
        value = folded.original[first:last]
    found.append(Entity(kind, folded.original[first:last], first, last, value))


def _plain(amount: Decimal) -> str:
    """Write an amount without an exponent or trailing noise: "1234.56", "500000"."""
    if amount == amount.to_integral_value():
        return str(amount.quantize(Decimal(1)))
    text = f"{amount.normalize():f}"
    whole, fraction = text.split(".")
    return f"{whole}.{fraction:0<2}"
