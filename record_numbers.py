"""The numbers that a customer is told: T-10017 for a ticket, C- complaint, A- appointment, P- order (pedido).

The verbs of `crm/` and `shop/` give them, flow actions read them back from what a customer typed. The
digits are the row's id plus 1000 and one Luhn check digit (ISO/IEC 7812-1, annex B), so that a slip of a
finger is no other number. A number is no secret: whoever asks for a record is only ever shown their own.
Pure.
"""

import re
import unicodedata
from typing import Final

TICKET: Final = "T"
COMPLAINT: Final = "C"
APPOINTMENT: Final = "A"
ORDER: Final = "P"
PREFIXES: Final = (TICKET, COMPLAINT, APPOINTMENT, ORDER)

FIRST_ID_OFFSET: Final = 1000  # the first customer need not know that she is the first
MAX_DIGITS: Final = 18

_WRITTEN = re.compile(
    rf"(?<![^\W_])([{''.join(PREFIXES)}])?[\s#.–—-]{{0,3}}(\d{{5,{MAX_DIGITS}}})(?!\d)", re.IGNORECASE
)

# An order is named by its letter or by what it is; bare digits may be anything.
_ORDER_NAMED = re.compile(
    r"(?<![^\W_])P[\s#.–—-]{0,3}\d{3,}"
    r"|(?<![^\W_])(?:pedido|orden|order|compra)\s(?:(?:n|nº|n°|no|nro|num|número|numero|number)[\s.]*)?#?\d{4,}",
    re.IGNORECASE,
)


def number_of(prefix: str, row_id: int) -> str:
    """Give the number of the row `row_id`, 1 or more."""
    digits = str(row_id + FIRST_ID_OFFSET)
    return f"{prefix}-{digits}{_check_digit(digits)}"


def read_number(written: str, prefix: str) -> str | None:
    """Find a number of this `prefix` in what a person wrote (`t 10017`, `T-10017`, `10017`), None when
    there is none.
    """
    for match in _WRITTEN.finditer(unicodedata.normalize("NFKC", written)):
        letter, digits = match.groups()
        digits = "".join(str(unicodedata.digit(digit)) for digit in digits)
        if (letter or prefix).upper() == prefix and _check_digit(digits[:-1]) == digits[-1]:
            return f"{prefix}-{digits}"
    return None


def names_order(written: str) -> bool:
    """Tell whether an order is named by a number, also by one that no order has."""
    return _ORDER_NAMED.search(unicodedata.normalize("NFKC", written)) is not None


def _check_digit(digits: str) -> str:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return str(-total % 10)
