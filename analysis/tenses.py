"""Whether what is said of a day is over: "desde segunda", "quinta eu paguei", "am Montag bezahlt".

Called by `dates`. The words are data (`data/<language>/tenses.yaml`); this room cuts out the day's own clause
and looks there. What is arranged is still to come, though its verb is past: "I booked Friday".
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Final

from .folding import fold
from .lexicons import load

REACH: Final = 56  # how far from its day a verb may stand
UNSPACED: Final = frozenset({"zh", "ja", "ko"})
_STOP: Final = r"[.;!?\n。！？；、]|,(?!\d)"
_NEVER: Final = re.compile("(?!)")


@dataclass(frozen=True)
class _Tense:
    stop: re.Pattern[str]  # where a clause ends
    over: tuple[re.Pattern[str], ...]  # anywhere in the clause: its verb is past
    behind: re.Pattern[str]  # right behind the day: where the verb stands last
    ahead: re.Pattern[str]  # anywhere in the clause: it is to come
    until: re.Pattern[str]  # right before the day: "for Friday"


def is_over(folded: str, accented: str, start: int, end: int, language: str) -> bool:
    """Tell whether the clause around a day speaks of what is past.

    `accented` is as long as `folded`, in lower case: "pagué" is past, "pague" is a wish.
    """
    tense = _tense(language)
    first, last = max(0, start - REACH), min(len(folded), end + REACH)
    for stop in tense.stop.finditer(folded, first, start):
        first = stop.end()
    if stop_behind := tense.stop.search(folded, end, last):
        last = stop_behind.start()
    if tense.until.search(folded, first, start):
        return False
    if match := tense.behind.match(folded, end, last):
        return not tense.ahead.search(folded, end, match.end())
    # Without the day itself: German puts it between the two halves of the verb.
    clause, spelled = (f"{text[first:start]} {text[end:last]}" for text in (folded, accented))
    if tense.ahead.search(clause):
        return False
    return any(pattern.search(text) for pattern in tense.over for text in (clause, spelled))


@cache
def _tense(language: str) -> _Tense:
    data = load("tenses", language)
    start, end = ("", "") if language in UNSPACED else (r"(?<![^\W_])", r"(?![^\W_])")
    stops, ahead, until = (_words(data.get(name, ())) for name in ("clause_ends", "ahead", "until"))
    like = tuple(re.compile(rf"{start}(?:{one}){end}") for one in data.get("over_like", ()))
    behind = data.get("behind", ())
    return _Tense(
        re.compile(rf"{_STOP}|{start}(?:{stops}){end}" if stops else _STOP),
        (re.compile(rf"{start}(?:{_words(data.get('over', ()))}){end}"), *like) if data.get("over") else like,
        re.compile("|".join(behind)) if behind else _NEVER,
        re.compile(rf"{start}(?:{ahead}){end}") if ahead else _NEVER,
        re.compile(rf"{start}(?:{until})\s*\Z") if until else _NEVER,
    )


def _words(words: Iterable[str]) -> str:
    return "|".join(re.escape(fold(word)) for word in sorted({*words}, key=len, reverse=True))
