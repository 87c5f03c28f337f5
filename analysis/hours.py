"""Hours beside a day: "at 8 tonight", "às 8 e meia da noite", "viertel nach drei", "오후 3시 반".

Called by `dates`. The words are data (`data/<language>/hours.yaml`); this room compiles and computes. It
looks only right behind a day and right before it, so an hour alone is never found here.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from functools import cache
from typing import Any, Final

from .days import Day
from .folding import fold
from .lexicons import load

LEAD_REACH: Final = 44  # how far before a day its hour may begin
RANGE_REACH: Final = 20  # how far before its end the first hour of a range may begin
FAR_REACH: Final = 48  # how far from its day, in one sentence, an hour may stand that belongs to it
UNSPACED: Final = frozenset({"zh", "ja", "ko"})
HALF_DAY: Final = 12
SMALL_HOURS: Final = 5  # said bare, one to five are the afternoon's: nobody meets a shop at three at night
EVENING_FROM: Final = 5  # "at night": five to eleven are the evening's, one to four the next morning's
_PARTS: Final = ("am", "morning", "noon", "pm", "night")
_LISTS: Final = (
    *("leads", "weak_leads", "marks", "written", "past", "to", "spoken_to"),
    *("plus", "less", "links", "glue", "minute_words"),
)
_CJK_VALUES: Final = {character: index for index, character in enumerate("〇一二三四五六七八九十")} | {
    "零": 0,
    "两": 2,
    "兩": 2,
    "元": 1,
}
_GAP: Final = r"[\s,;:(–—-]{0,3}(?:(?:{glue})\s{0,2})?"
_FIRST: Final = r"(?:(?P<first>{parts})" + _GAP + r")?"
_TIME: Final = (
    r"(?:(?:(?P<lead>{leads})|(?P<weak>{weak_leads}))\s{0,3})?"
    r"(?:(?P<clock>{clock})(?:\s{1,3}(?P<beyond>{after}))?"
    r"|(?:(?P<before>{before})|(?P<count>{number})(?:\s{1,3}(?:{minute_words}))?\s{1,3}"
    r"(?:(?P<past>{past})|(?P<to>{to})|(?P<spoken_to>{spoken_to})))\s{1,3}(?P<hour2>{number})"
    r"(?:\s?(?:{marks}|{written}))?"
    r"|(?P<hour>{number})"
    r"(?:\s?[:h]\s?(?P<minute>[0-5]\d)(?!\d)(?::[0-5]\d(?!\d))?(?:\s?(?:{marks}|{written}))?"
    r"|\.(?P<dotted>[0-5]\d)(?!\d)(?:\s?(?P<ended>{marks}|{written}))?"
    r"|\s?(?:(?P<mark>{marks})|(?P<written>{written}))(?:\s?(?P<minute2>[0-5]\d)(?!\d))?)?"
    r"(?:[\s-]{1,3}(?:(?P<after>{after})|(?:(?P<plus>{plus})|(?P<less>{less}))\s{1,3}(?P<more>{number})))?)"
    r"(?:[\s,]{0,3}(?P<part>{parts}))?(?![^\W_])"
)
_TIME_UNSPACED: Final = (
    r"(?:(?P<clock>{clock})|(?P<before>{before})?(?P<hour>{number})\s?"
    r"(?::(?P<minute>[0-5]\d)(?!\d)(?::[0-5]\d(?!\d))?"
    r"|(?P<mark>{marks})(?![間间간]|[零〇一二三四五六七八九](?![十分零〇一二三四五六七八九刻]))(?:\s?(?P<after>{after})|\s?(?P<minute2>{number})\s?(?:{minute_words}))?"
    r"(?:\s?(?P<short>{less}))?))"
)
_LEFT: Final = r"(?<!\d)(?<!\d[.,:/-])"
_BEFORE_DAY: Final = r"[\s,(]{0,3}(?:(?:{links})\s{0,3}){0,2}\Z"
# What makes a bare "at 8" something else: "at 8 €", "at 8.50", "at 8 %".
_FIGURE: Final = r"\s{0,2}[%€$£¥₩°]|[.,:/]\d"
_SENTENCE_END: Final = re.compile(r"[.!?;\n。！？；](?!\d)")
_CALLED: Final = frozenset({"days", "next_weekday", "this_weekday", "next_week"})  # by name, not by number
_BARE_END: Final = re.compile(r"\s*(?:$|[.,;!?)\n](?!\d))")
_SPEAKING: Final = ("hour2", "minute", "mark", "written", "ended", "after", "part")

Groups = Mapping[str, str | None]


@dataclass(frozen=True)
class _Clock:
    behind: re.Pattern[str]
    ahead: re.Pattern[str]
    alone: re.Pattern[str]
    part: re.Pattern[str]
    part_behind: re.Pattern[str]
    glued: re.Pattern[str]  # "Freitagabend"
    parts: dict[str, str]
    numbers: dict[str, int]
    named: dict[str, time]
    minutes: dict[str, int]
    no_hour: re.Pattern[str]  # what may follow a bare figure that is no hour
    never: re.Pattern[str]
    writes_dial: bool
    no_parts: frozenset[str]  # days that sound like a part of a day: "morgen"


def hour_follows(folded: str, at: int, language: str) -> bool:
    """Tell whether an hour that shows to be one stands right behind a place: "3 da tarde", "at 10"."""
    match = _clock(language).behind.match(folded, at)
    if match is None:
        return False
    groups, clock = match.groupdict(), _clock(language)
    hour = _number(groups.get("hour") or groups.get("hour2"), clock)
    if hour is None or hour > 2 * HALF_DAY or not _is_hour(match, groups, clock):
        return False
    is_marked = any(groups.get(name) for name in _SPEAKING if name != "part") or groups.get("lead")
    return bool(is_marked) or hour <= HALF_DAY  # "sexta 13 à tarde" is a day


def with_hour(
    day: Day, folded: str, language: str, *, since: int = 0, awaited: datetime | None = None
) -> Day:
    """Add the hour that stands right behind the day, or before it and after `since`.

    An hour past midnight of an evening moves the day: "tonight at 12" is tomorrow's first minute. `awaited`
    is the present where the day is still to come: an hour of today's dial that is over is then the evening's.
    """
    if day.at is not None:
        return day
    clock = _clock(language)
    own = _own_part(day, folded, clock)
    awaited = awaited if day.kind in _CALLED else None
    behind = clock.behind.match(folded, day.end)
    if behind and (moment := _moment(behind, day, own, clock) or _bare_moment(behind, day, own, clock)):
        moment = _still_to_come(moment, behind, own, awaited, writes_dial=clock.writes_dial)
        return replace(day, end=behind.end(), day=moment.date(), at=moment.time(), kind="")
    own = own or _part(clock.part_behind.match(folded, day.end), clock)
    ahead = clock.ahead.search(folded, max(since, day.start - LEAD_REACH), day.start)
    if ahead and (moment := _moment(ahead, day, own, clock)):
        moment = _still_to_come(moment, ahead, own, awaited, writes_dial=clock.writes_dial)
        first = _range_start(ahead, day, own, clock, since)
        if first is not None:
            ahead, moment = first
        return replace(day, start=ahead.start(), day=moment.date(), at=moment.time(), kind="")
    return day


def _range_start(
    ahead: re.Match[str], day: Day, own: str, clock: _Clock, since: int
) -> tuple[re.Match[str], datetime] | None:
    """Give the first hour of "das 8 às 17 de segunda"."""
    text, end = ahead.string, ahead.start()
    for match in clock.alone.finditer(text, max(since, end - RANGE_REACH), end):
        if not text[match.end() : end].strip(" -–") and (moment := _moment(match, day, own, clock)):
            return match, moment
    return None


def _own_part(day: Day, folded: str, clock: _Clock) -> str:
    """Give the part of the day that a day names itself, the last word of "morgen abend"."""
    if folded[day.start : day.end] in clock.no_parts:
        return ""
    parts = [match["part"] for match in clock.part.finditer(folded, day.start, day.end)]
    if parts:
        return clock.parts[parts[-1]]
    glued = clock.glued.search(folded, day.start, day.end)
    return clock.parts[glued["part"]] if glued else ""


def _bare_moment(match: re.Match[str], day: Day, own: str, clock: _Clock) -> datetime | None:
    """Read a bare figure that ends what is said: "tmrw 9", "sexta 10?"."""
    groups = match.groupdict()
    figure = groups.get("hour") or ""
    if day.kind not in _CALLED or not figure.isdigit() or match.end("hour") != match.end():
        return None
    before = match.string[day.end : match.start("hour")]
    hour = int(figure)
    if not before.isspace() or not 0 < hour <= (HALF_DAY if day.kind != "days" else 2 * HALF_DAY - 1):
        return None
    if not _BARE_END.match(match.string, match.end()) or clock.no_hour.match(match.string, match.end()):
        return None
    return datetime.combine(day.day, time(_turned(hour, own, is_spoken=not figure.startswith("0"))))


def _still_to_come(
    moment: datetime, match: re.Match[str], own: str, awaited: datetime | None, *, writes_dial: bool
) -> datetime:
    """Read "hoje às 8", said at ten, as this evening's; a part of the day or "08" leaves no doubt."""
    groups = match.groupdict()
    if awaited is None or moment.date() != awaited.date() or not 0 < moment.hour < HALF_DAY:
        return moment
    if groups.get("minute") and not writes_dial:
        return moment
    said = groups.get("hour") or groups.get("hour2") or "0"
    if own or said.startswith("0") or any(groups.get(name) for name in ("part", "first", "clock")):
        return moment
    present = awaited.replace(tzinfo=None)
    later = moment + timedelta(hours=HALF_DAY)
    return later if moment < present <= later else moment


def with_far_hour(day: Day, folded: str, language: str) -> Day:
    """Add the one hour that the day's sentence names further on or before: "amanhã posso ir às 15h?".

    The day keeps its own span. Call it for a text's only day.
    """
    if day.at is not None:
        return day
    clock = _clock(language)
    rest = _SENTENCE_END.search(folded, day.end, day.end + FAR_REACH)
    end = rest.start() if rest else day.end + FAR_REACH
    start = max(0, day.start - FAR_REACH)
    for stop in _SENTENCE_END.finditer(folded, start, day.start):
        start = stop.end()
    behind = clock.part_behind.match(folded, day.end)
    own = _own_part(day, folded, clock) or _part(behind, clock)
    # Behind the words of the part: the end of "après-midi" is no noon.
    for span in ((behind.end() if behind else day.end, end), (start, day.start)):
        hours = [(match, _moment(match, day, own, clock)) for match in clock.alone.finditer(folded, *span)]
        hours = [(match, moment) for match, moment in hours if moment]
        if hours:
            match, moment = hours[0]
            is_only = len(hours) == 1 and moment is not None and _is_announced(match)
            return replace(day, day=moment.date(), at=moment.time()) if is_only and moment else day
    return day


def _is_announced(match: re.Match[str]) -> bool:
    """Far from its day "2h" may last two hours: a lead, minutes or a part of the day must say otherwise."""
    groups = match.groupdict()
    if (
        any(groups.get(name) for name in ("minute", "part", "first", "hour2", "clock"))
        or "lead" not in groups
    ):
        return True
    is_marked = any(groups.get(name) for name in ("mark", "written", "dotted", "after"))
    return bool(groups["lead"] or (groups["weak"] and is_marked)) and (is_marked or _is_closed(match))


def read_small(text: str | None) -> int | None:
    """Read digits or a short run of Chinese numerals."""
    if not text:
        return None
    if text.isdigit():
        return int(text)
    text = text.replace("廿", "二十")
    if "十" in text:
        tens, ones = text.split("十", 1)
        return (_CJK_VALUES.get(tens, 1) if tens else 1) * 10 + (_CJK_VALUES.get(ones, 0) if ones else 0)
    return _CJK_VALUES.get(text.lstrip("零〇") or "〇")


def _part(match: re.Match[str] | None, clock: _Clock) -> str:
    return clock.parts[match["part"]] if match else ""


def _moment(match: re.Match[str], day: Day, own: str, clock: _Clock) -> datetime | None:
    """Compute the moment, or say None when what was found is a figure and no hour."""
    groups = match.groupdict()
    said = (groups.get(name) for name in ("part", "first"))
    part = next((clock.parts[word] for word in said if word), own)
    midnight = datetime.combine(day.day, time())
    if name := groups.get("clock"):
        named = clock.named[name]
        turns = part in {"night", "pm"} and named.hour == 0
        beyond = clock.minutes.get(groups.get("beyond") or "", named.minute)
        return midnight + timedelta(days=turns, hours=named.hour, minutes=beyond)
    hour_text = groups.get("hour") or groups.get("hour2")
    hour, minutes = _number(hour_text, clock), _minutes(groups, clock)
    if hour is None or hour > 2 * HALF_DAY or minutes is None or not _is_hour(match, groups, clock):
        return None
    is_written = bool(groups.get("minute") or groups.get("written") or str(hour_text).startswith("0"))
    return midnight + timedelta(hours=_turned(hour, part, is_spoken=not is_written), minutes=minutes)


def _is_hour(match: re.Match[str], groups: Groups, clock: _Clock) -> bool:
    """Tell an hour from a count: a mark, minutes, a part of the day or a lead must say that it is one."""
    if groups.get("spoken_to") and str(groups["count"]).isdigit():
        return False  # "10 to 6" are opening hours
    if clock.never.search(match.group()):
        return False
    if any(groups.get(name) for name in _SPEAKING):
        return True
    is_bare = groups.get("lead") or (groups.get("weak") and _is_closed(match))
    end = match.end("dotted") if groups.get("dotted") else match.end("hour")
    return bool(is_bare) and not clock.no_hour.match(match.string, end)


def _is_closed(match: re.Match[str]) -> bool:
    rest = match.string[match.end("hour") :]
    return not rest.strip() or not (rest.lstrip()[0].isalnum())


def _turned(hour: int, part: str, *, is_spoken: bool) -> int:
    """Turn the hour of a dial into hours since midnight by the part of the day."""
    if hour > HALF_DAY:
        return hour
    if part == "night":
        is_evening = EVENING_FROM <= hour < HALF_DAY
        return hour + HALF_DAY if is_evening or hour == HALF_DAY else hour + 2 * HALF_DAY
    if part == "pm":
        return hour % HALF_DAY + HALF_DAY
    if part == "noon":
        return hour + HALF_DAY * (0 < hour <= SMALL_HOURS)
    if part == "am":
        return hour % HALF_DAY
    return hour + HALF_DAY * (not part and is_spoken and 0 < hour <= SMALL_HOURS)


def _minutes(groups: Groups, clock: _Clock) -> int | None:
    if phrase := groups.get("before") or groups.get("after"):
        return clock.minutes[phrase]
    sign = -1 if any(groups.get(name) for name in ("to", "spoken_to", "less", "short")) else 1
    said = (groups.get(name) for name in ("count", "minute", "dotted", "minute2", "more"))
    text = next((one for one in said if one), None)
    value = _number(text, clock) if text else 0
    return None if value is None or value > 59 else sign * value


def _number(text: str | None, clock: _Clock) -> int | None:
    return clock.numbers[text] if text in clock.numbers else read_small(text)


@cache
def _clock(language: str) -> _Clock:
    data = load("hours", language)
    is_spaced = language not in UNSPACED
    tables = {name: _folded(data.get(name, {})) for name in ("before", "after", "clock")}
    parts = {fold(str(word)): kind for kind in _PARTS for word in data["parts"].get(kind, ())}
    numbers = {word: int(value) for word, value in _folded(data.get("words", {})).items()}
    pieces = {name: _any(map(fold, data.get(name, ())), is_spaced) for name in _LISTS}
    pieces |= {name: _any(table, is_spaced) for name, table in tables.items()}
    pieces["parts"] = _any(parts, is_spaced)
    digits = r"(?:[01]?\d|2[0-4]|[2-5]\d)(?!\d)"
    figures = rf"{digits}|{_any(numbers, is_spaced)}"
    pieces["number"] = (
        rf"(?:{figures})" if is_spaced else rf"(?:{figures}|[〇零一二三四五六七八九十两兩]{{1,3}})"
    )
    body = _TIME if is_spaced else _TIME_UNSPACED
    start = r"(?<![^\W_])" if is_spaced else ""

    def compiled(pattern: str) -> re.Pattern[str]:
        for name, piece in pieces.items():
            pattern = pattern.replace("{" + name + "}", piece)
        return re.compile(pattern)

    return _Clock(
        compiled(_GAP + start + _LEFT + _FIRST + body),
        compiled(start + _LEFT + _FIRST + body + _BEFORE_DAY),
        compiled(start + _LEFT + _FIRST + body),
        compiled(start + "(?P<part>{parts})"),
        compiled(_GAP + start + "(?P<part>{parts})"),
        re.compile(rf"[a-z]{{5}}(?P<part>{_any(map(fold, data.get('glued_parts', ())), is_spaced)})"),
        parts,
        numbers,
        {word: time.fromisoformat(str(value)) for word, value in tables["clock"].items()},
        {word: int(value) for name in ("before", "after") for word, value in tables[name].items()},
        re.compile(rf"{_FIGURE}|\s{{1,3}}(?:{data.get('no_hour', '(?!)')})"),
        re.compile(data.get("never", "(?!)")),
        bool(data.get("writes_dial")),
        frozenset(data.get("no_parts", ())),
    )


def _folded(table: Mapping[Any, Any]) -> dict[str, Any]:
    return {fold(str(word)): value for word, value in table.items()}


def _any(words: Iterable[str], is_spaced: bool) -> str:
    """Match any of the words, the longest first; written with spaces, a word ends where letters end."""
    ends = {True: r"(?![^\W_])", False: ""}
    listed = sorted({*words}, key=len, reverse=True)
    return "|".join(re.escape(word) + ends[is_spaced and word[-1].isalnum()] for word in listed) or "(?!)"
