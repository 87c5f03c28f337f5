"""Phones, e-mails, links, sums and dates in a text, with code-point spans.

Called by `analysis.read`. It puts the readers' findings together and settles who keeps a span that two
claim; it judges no message.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from .contacts import read_emails, read_links, read_phones
from .dates import read_dates
from .folding import Folded, fold_with_offsets
from .money import read_money

# What is spoken in a country, tried besides the languages that the text seems to be in.
_TONGUES: Final = {
    "pt": ("BR", "PT", "AO", "MZ"),
    "es": (
        "MX",
        "ES",
        "AR",
        "CO",
        "CL",
        "PE",
        "UY",
        "EC",
        "PY",
        "BO",
        "VE",
        "CR",
        "DO",
        "GT",
        "PA",
        "CU",
        "HN",
        "SV",
    ),
    "en": ("US", "GB", "IE", "AU", "NZ"),
    "fr": ("FR",),
    "de": ("DE", "AT"),
    "it": ("IT",),
    "ar": ("SA", "EG", "AE", "MA", "DZ", "TN", "JO", "LB", "IQ", "KW", "QA", "BH", "OM"),
    "zh": ("CN", "TW", "HK"),
    "ja": ("JP",),
    "ko": ("KR",),
}
_SPOKEN_IN: Final = {country: tongue for tongue, countries in _TONGUES.items() for country in countries}

Value = str | dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Entity:
    """A thing named in the text; `value` is a string, for money `{"amount", "currency"}`."""

    type: str
    text: str
    start: int
    end: int
    value: Value


@dataclass(frozen=True, slots=True)
class _Found:
    """What was found so far, and which characters of the original are taken."""

    folded: Folded
    entities: list[Entity]
    taken: bytearray

    def keep(self, kind: str, start: int, end: int, value: Value) -> None:
        first, last = self.folded.span(start, end)
        if last <= first or any(self.taken[first:last]):
            return
        self.taken[first:last] = b"\1" * (last - first)
        text = self.folded.original[first:last]
        self.entities.append(Entity(kind, text, first, last, text if kind == "url" else value))


def find_entities(
    text: str, *, now: datetime, region: str | None = None, languages: tuple[str, ...] = ()
) -> tuple[Entity, ...]:
    """Find every entity, left to right; no two overlap. An earlier kind below keeps what a later one claims
    too.

    Every plausible language, and the region's own, reads the sums and days; the longer reading stays.
    """
    language = languages[0] if languages else None
    if (spoken := _SPOKEN_IN.get((region or "").upper())) and spoken not in languages:
        languages = (*languages, spoken)
    folded = fold_with_offsets(text)
    found = _Found(folded, [], bytearray(len(text)))
    mail = read_emails(folded.text)
    cased = folded.cased()
    for contact in mail + read_links(folded.text, cased):
        found.keep(contact.type, contact.start, contact.end, contact.value)
    sums = [
        money
        for name in languages or (None,)
        for money in read_money(folded.text, region=region, language=name, cased=cased)
    ]
    for money in sorted(sums, key=lambda one: one.start - one.end):
        value: Value = {"amount": _plain(money.amount), "currency": money.currency}
        found.keep("money", money.start, money.end, value)
    days = [
        day
        for name in languages or (None,)
        for day in read_dates(folded.text, now=now, region=region, language=name, cased=cased)
    ]
    for day in sorted(days, key=lambda one: one.start - one.end):
        found.keep("date", day.start, day.end, day.value(now))
    for phone in read_phones(folded.text, region=region, language=language):
        found.keep("phone", phone.start, phone.end, phone.value)
    return tuple(sorted(found.entities, key=lambda entity: entity.start))


def _plain(amount: Decimal) -> str:
    """Write an amount without an exponent or trailing noise: "1234.56", "500000"."""
    if amount == amount.to_integral_value():
        return str(amount.quantize(Decimal(1)))
    text = f"{amount.normalize():f}"
    whole, fraction = text.split(".")
    return f"{whole}.{fraction:0<2}"
