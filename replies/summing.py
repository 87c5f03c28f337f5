"""A summary for a colleague, held against the conversation that it sums up: it invents no figure or address.

Called by `assisting`. What was said is all that a summary may tell; a card's or a taxpayer's number it leaves
out even so.
"""

import re
from collections.abc import Sequence
from datetime import date
from typing import Final

from .addresses import check_addresses
from .breaches import Breach
from .facts import Facts, Passage
from .figures import check_figures
from .wording import plain

CARD_DIGITS: Final = range(13, 20)  # ISO/IEC 7812
_LONG_NUMBER: Final = re.compile(r"\d(?:[ .\-/]?\d){10,18}")
_TAXPAYER: Final = re.compile(r"\d{3}\.?\d{3}\.?\d{3}-?\d{2}")  # Brazil's CPF


def check_summary(text: str, said: Sequence[str], *, language: str, today: date) -> tuple[Breach, ...]:
    """Give what a summary in `language` tells that nobody has `said`, and what it should keep to itself."""
    talk = "\n".join(said)
    known = Facts(business_name="", today=today, passages=(Passage(0, "", talk),))
    found = [*check_addresses(text, known, language), *check_figures(plain(text), known, language, talk)]
    invented = [one for one in found if one.found not in plain(talk)]
    return (*invented, *(Breach("private_data", one.group()) for one in _secrets(text)))


def _secrets(text: str) -> list[re.Match[str]]:
    return [one for one in _LONG_NUMBER.finditer(text) if _is_secret(re.sub(r"\D", "", one.group()))]


def _is_secret(digits: str) -> bool:
    return (len(digits) in CARD_DIGITS and _passes_luhn(digits)) or _is_cpf(digits)


def _passes_luhn(digits: str) -> bool:
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(one - 9 if one > 9 else one for one in doubled) % 10 == 0


def _is_cpf(digits: str) -> bool:
    if not _TAXPAYER.fullmatch(digits) or len(set(digits)) == 1:
        return False
    return all(_check_digit(digits[:size]) == int(digits[size]) for size in (9, 10))


def _check_digit(digits: str) -> int:
    rest = sum(int(digit) * (len(digits) + 1 - place) for place, digit in enumerate(digits)) * 10 % 11
    return rest % 10
