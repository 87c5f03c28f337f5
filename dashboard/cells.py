"""Cells of the CSV files that leave the house: text stays text, also in a spreadsheet."""

from typing import Final

# A cell that a spreadsheet would take for a formula is written so that it is text (OWASP, CSV injection).
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


def safe_cell(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
