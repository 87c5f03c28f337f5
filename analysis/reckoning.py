"""Reckoning with the calendar: Easter and what hangs on it, the nth weekday of a month, months on and back.

Called by `dates` and `numeric_days`. It reads no text but the rules of the data files, and a year.
"""

import re
from datetime import date, timedelta
from typing import Final

CENTURY_TURN: Final = 70  # '69 is 2069, '70 is 1970


def easter(year: int) -> date:
    """Give Easter Sunday (the anonymous Gregorian algorithm)."""
    golden, century, rest = year % 19, year // 100, year % 100
    skipped, leap = divmod(century, 4)
    moon = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - skipped - moon + 15) % 30
    quarter, left = divmod(rest, 4)
    weekday = (32 + 2 * leap + 2 * quarter - epact - left) % 7
    correction = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * correction + 114, 31)
    return date(year, month, day + 1)


def holiday_in(rule: str, year: int) -> date | None:
    """Read a rule of the data files: `12-25`, `05-w2-6` (the second Sunday), `11-w4-3+1`, `easter-47`."""
    if match := re.fullmatch(r"easter([+-]\d+)", rule):
        return easter(year) + timedelta(days=int(match[1]))
    if match := re.fullmatch(r"(\d\d)-w(-?\d)-(\d)(?:\+(\d))?", rule):
        day = nth_weekday(year, int(match[1]), int(match[2]), int(match[3]))
        return day + timedelta(days=int(match[4] or 0))
    month, number = rule.split("-")
    return exact_day(year, int(month), int(number))


def nth_weekday(year: int, month: int, nth: int, weekday: int) -> date:
    """Give the second Sunday of a month, or the last one for -1."""
    if nth < 0:
        last = shift_month(date(year, month, 1), 1) - timedelta(days=1)
        return last - timedelta(days=(last.weekday() - weekday) % 7)
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def shift_month(day: date, months: int, *, keep_day: bool = False) -> date:
    """Go months on or back: to the first of that month, or to the same day of it, if it has one."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    if not keep_day:
        return date(year, month + 1, 1)
    last = (shift_month(date(year, month + 1, 1), 1) - timedelta(days=1)).day
    return date(year, month + 1, min(day.day, last))


def full_year(text: str) -> int:
    """Read a year of two or four digits."""
    year = int(text.strip("'"))
    if year < 100:
        return year + (2000 if year < CENTURY_TURN else 1900)
    return year


def exact_day(year: int, month: int, day: int) -> date | None:
    """Give a day of the calendar, or None when there is none such."""
    try:
        return date(year, month, day)
    except ValueError:
        return None


def coming_day(today: date, month: int, day: int) -> date | None:
    """Give the next such day, today included; 29 February may be years away."""
    options = (exact_day(today.year + ahead, month, day) for ahead in range(9))
    return next((option for option in options if option and option >= today), None)
