"""Amounts of money written as a reader of each language writes them.

Called by the prompts and the strategy texts. It reads no amounts: that is `analysis.money`.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from babel.core import Locale
from babel.numbers import format_currency, get_currency_precision

LOCALES: Final[Mapping[str, str]] = {"pt": "pt_BR", "es": "es", "en": "en"}


def major_units(minor: int, currency: str) -> Decimal:
    """Give an amount in units (R$ 19.90) from minor ones (1990 cents; yen have none)."""
    return Decimal(minor).scaleb(-get_currency_precision(currency))


def price_text(minor: int, currency: str, language: str) -> str:
    """Write an amount of minor units: R$ 97,00 in pt, R$97.00 in en; spaces are plain ones."""
    # Spanish has no sign of its own for the real; Brazil's way is read by everybody there.
    name = LOCALES["pt"] if (currency, language) == ("BRL", "es") else LOCALES.get(language, "en")
    written = format_currency(major_units(minor, currency), currency, locale=Locale.parse(name))
    return str(written).replace("\xa0", " ").replace("\u202f", " ")
