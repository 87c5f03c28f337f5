"""Days written in figures: "2026-12-05", "5/12/26", "5.12.", "12/5 at 10:30 am".

Called by `dates`. Figures with a bar between them are fractions and ratings as often as days: without a year,
something beside them must say that they are a day.
"""

import re
from datetime import date, time
from typing import Final

from .days import YEARLY, Day
from .hours import hour_follows
from .lexicons import load
from .reckoning import coming_day, exact_day, full_year

LEAD_REACH: Final = 32  # how far before a day its preposition or its weekday may stand
ALWAYS_OPEN: Final = "24/7"
RATED_OF: Final = frozenset({5, 10})  # "9/10" as a whole message is praise
_ISO: Final = re.compile(
    r"(?<![\d.])((?:19|20)\d{2})([-/.])(\d{1,2})\2(\d{1,2})(?!\d)(?:t(\d{2}):(\d{2})\S*)?"
)
_FULL: Final = re.compile(
    r"(?<![\d.,/-])(\d{1,2})\s?([-/.])\s?(\d{1,2})\s?\2(?P<gap>\s?)((?:19|20)\d{2}|\d{2})(?![\d/]|[.-]\d)"
)
_SHORT: Final = re.compile(r"(?<![\d.,/:-])(\d{1,2})([/.-])(\d{1,2})(?P<dot>\.)?(?![\d/%]|[.,:-]\d)")
_LEAD: Final = re.compile(
    r"(?:^|[\s(])(?:on|by|until|till|from|since|dia|em|no dia|ate|para|pra|el|del|hasta|le|du|au|am|vom|bis"
    r"|zum|den|der|il|dal|entro|يوم|في)"
    r"\s+(?:o |el |le |il )?$"
)


def month_first(region: str | None, language: str | None) -> bool:
    """Tell whether the country, else the language, writes the month before the day."""
    shared = load("dates")
    if region:
        return region.upper() in shared["month_first_regions"]
    return language in shared["month_first_languages"]


def read_numeric(
    folded: str, today: date, *, month_leads: bool, language: str, weekday: re.Pattern[str]
) -> list[Day]:
    """Find every day in figures; `weekday` matches a weekday at the end of what stands before one."""
    found = []
    for match in _ISO.finditer(folded):
        if day := exact_day(int(match[1]), int(match[3]), int(match[4])):
            at = (
                time(int(match[5]), int(match[6]))
                if match[5] and int(match[5]) < 24 and int(match[6]) < 60
                else None
            )
            found.append(Day(match.start(), match.end(), day, at, "numeric"))
    for match in _FULL.finditer(folded):
        if match["gap"] and len(match[5]) == 2 and hour_follows(folded, match.end("gap"), language):
            continue  # "5.12. 14 Uhr" names no year
        month, number = _order(int(match[1]), int(match[3]), month_leads)
        if day := exact_day(full_year(match[5]), month, number):
            found.append(Day(match.start(), match.end(), day, kind="numeric"))
    for match in _SHORT.finditer(folded):
        month, number = _order(int(match[1]), int(match[3]), month_leads)
        if _is_day(match, folded, language, weekday) and (day := coming_day(today, month, number)):
            found.append(Day(match.start(), match.end(), day, kind="numeric", cycle=YEARLY))
    return found


def _is_day(match: re.Match[str], folded: str, language: str, weekday: re.Pattern[str]) -> bool:
    """Believe "15/03", "dia 3/4" and "5/12 at 10", not the "9/10" of a rating or the "1/2" of a recipe."""
    first, second, mark = int(match[1]), int(match[3]), match[2]
    if match.group() == ALWAYS_OPEN:
        return False
    before = folded[max(0, match.start() - LEAD_REACH) : match.start()]
    is_announced = bool(_LEAD.search(before))
    is_led = is_announced or bool(weekday.search(before))
    is_dotted = language == "de" and bool(match["dot"])
    if mark == "-":
        return is_announced  # "Fr 9-18 Uhr" are opening hours
    if mark == ".":
        return language == "de" and (is_dotted or is_led or hour_follows(folded, match.end(), language))
    written_out = len(match[1]) == 2 and len(match[3]) == 2 and first != second
    if is_led or written_out or (max(first, second) > 12 and mark == "/"):
        return True
    is_whole = folded.strip(" .!?") == match.group() and second not in RATED_OF
    return is_whole or hour_follows(folded, match.end(), language)


def _order(first: int, second: int, month_leads: bool) -> tuple[int, int]:
    """Give (month, day)."""
    if first > 12 or (not month_leads and second <= 12):
        return second, first
    return first, second
