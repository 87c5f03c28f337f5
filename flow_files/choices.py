"""Choosing: the keys of a scene's choices, which choice a text names, and what a session remembers of both.

`menu_flows` asks. Pure: texts and session data in, a choice or data out; it never decides where to go.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from answers import plain, read_choice_key
from flow_files.scenes import Listing, Option, Scene, WordsOrText

MAX_TRAIL = 20
MAX_OFFERED = 200
MAX_STORED_CHARS = 4000
MIN_FUZZY_CHARS = 4
MAX_FUZZY_WORDS = 4
OFFERED = "_beside"
LAST = re.compile(
    r"(?:(?:quero|quiero|i want) )?(?:o|a|el|la|the) (?:ultim[oa]|last)(?: one)?(?: por favor| please)?"
)
FIGURE = re.compile(r"\d[\d.,]*\d|\d")
# A row by its price: a bare number would be its place in the list, or a count.
_SIGN = r"(?:r\$|us\$|[$€£])"
PRICED = re.compile(
    r"(?:(?:[kq](?:ue)?ro|quiero|i want|ill take|i'll take|me v[eê]|dame|pode ser) )?"
    r"(?:(?:o|a|el|la|the|esse|ese|este|aquele) )?(?:(?:curso|livro|libro|one|produto|producto) )?"
    rf"(?:(?:de|por|for|at|que custa|que cuesta|que sai por|that costs) {_SIGN}? ?|{_SIGN} ?|(?=\S+ one\b))"
    r"(?P<figure>\d[\d.,]*\d|\d)(?: (?:one|reais|euros|dollars|dólares|pesos|please|por favor))*"
)


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a list that was offered out of facts."""

    id: str
    title: str
    description: str = ""

    @classmethod
    def read(cls, kept: object) -> "Item | None":
        parts = [str(part) for part in list_of(kept)]
        return cls(*parts) if 2 <= len(parts) <= 3 else None

    def picked(self, listing: Listing) -> "Picked":
        return Picked(listing.goes, values={listing.into: self.id, f"{listing.into}_title": self.title})


@dataclass
class Memory:
    """What this room itself remembers in a session's data."""

    trail: list[str] = field(default_factory=list)
    offered: list[Item] = field(default_factory=list)
    page: int = 0
    misses: int = 0
    is_rescue: bool = False

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> "Memory":
        return cls(
            trail=[name for name in list_of(data.get("_trail")) if isinstance(name, str)][-MAX_TRAIL:],
            offered=[item for kept in list_of(data.get("_offered")) if (item := Item.read(kept))][
                :MAX_OFFERED
            ],
            page=_count(data.get("_page")),
            misses=_count(data.get("_misses")),
            is_rescue=data.get("_rescue") is True or data.get("_rescue") == 1,
        )

    def write(self) -> dict[str, Any]:
        kept: dict[str, Any] = {"_trail": self.trail[-MAX_TRAIL:]}
        if self.offered:
            kept["_offered"] = [[item.id, item.title, item.description] for item in self.offered]
        for name, number in (
            ("_page", self.page),
            ("_misses", self.misses),
            ("_rescue", int(self.is_rescue)),
        ):
            if number:
                kept[name] = number
        return kept


@dataclass(frozen=True, slots=True)
class Picked:
    """One choice that was made: where it goes and what is remembered of it."""

    goes: str
    remember: Mapping[str, WordsOrText] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)


def match(scene: Scene, offered: Sequence[Item], text: str) -> Picked | None:
    return match_exactly(scene, offered, text) or _match_part(scene, offered, text)


def match_exactly(scene: Scene, offered: Sequence[Item], text: str) -> Picked | None:
    words, key = plain(text), read_choice_key(text)
    if not words:
        return None
    for option, option_key in zip(scene.choices, option_keys(scene), strict=True):
        names = {plain_name(name) for name in (*option.title.values(), *option.also)}
        if words in names or (key is not None and key == option_key.casefold()):
            return picked_option(option)
    if scene.listing is None:
        return None
    for number, item in enumerate(offered, start=1):
        if key == str(number) or words == plain_name(item.title):
            return item.picked(scene.listing)
    if offered and LAST.fullmatch(words):
        return offered[-1].picked(scene.listing)
    priced = [item for item in offered if _is_priced(item, text)]
    return priced[0].picked(scene.listing) if len(priced) == 1 else None


def _is_priced(item: Item, text: str) -> bool:
    """Tell whether words name a row by what it costs: "el de 24,90", "o de 79", "the $29.90 one"."""
    named, shown = PRICED.fullmatch(text.casefold().strip(" .,!")), FIGURE.findall(item.description)
    if named is None or len(shown) != 1:
        return False
    (whole, cents), (costs, more) = _parts(named["figure"]), _parts(shown[0])
    return whole == costs and cents in ("", more)  # who leaves the cents out means them too


def _parts(figure: str) -> tuple[str, str]:
    """Take "1.234,50" apart into units and cents, whichever sign stands between."""
    has_cents = len(figure) > 2 and figure[-3] in ".,"
    units, cents = (figure[:-3], figure[-2:]) if has_cents else (figure, "")
    return units.replace(".", "").replace(",", ""), cents


def _match_part(scene: Scene, offered: Sequence[Item], text: str) -> Picked | None:
    """Take "brochure" for "Download Brochure" when no other title has all its words."""
    wanted = set(plain(text).split())
    if sum(map(len, wanted)) < MIN_FUZZY_CHARS or len(wanted) > MAX_FUZZY_WORDS:
        return None
    found = [
        picked_option(option)
        for option in scene.choices
        if any(wanted <= set(plain_name(name).split()) for name in (*option.title.values(), *option.also))
    ]
    if scene.listing:
        found += [
            item.picked(scene.listing) for item in offered if wanted <= set(plain_name(item.title).split())
        ]
    return found[0] if len(found) == 1 else None


def option_keys(scene: Scene) -> Iterator[str]:
    """Give the keys that may be typed: the file's own, else numbers, or letters beside a numbered list.

    Choices whose words stand in the body have no keys that the customer could not see there.
    """
    spare_letters = (c for c in "ABCDEFGHIJ" if c not in {o.key.upper() for o in scene.choices})
    spare_numbers = (str(n) for n in range(1, 100) if str(n) not in {o.key for o in scene.choices})
    for option in scene.choices:
        if option.key or scene.options_in_body:
            yield option.key
        else:
            yield next(spare_letters if scene.listing else spare_numbers)


def picked_option(option: Option) -> Picked:
    return Picked(option.goes, option.remember)


def offer(data: Mapping[str, Any], choices: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Keep in a session's data what was offered beside the flow, as (button id, title), so that a typed digit
    means that."""
    kept = {name: value for name, value in data.items() if name != OFFERED}
    return {**kept, OFFERED: [list(choice) for choice in choices]} if choices else kept


def offered_choice(data: Mapping[str, Any], text: str) -> str | None:
    """Give the button id that a digit or title means of what was last offered beside the flow."""
    key, words = read_choice_key(text), plain(text)
    for number, row in enumerate(list_of(data.get(OFFERED)), start=1):
        choice_id, title = (str(part) for part in (*list_of(row), "", "")[:2])
        if choice_id and (key == str(number) or (words and words == plain(title))):
            return choice_id
    return None


def storable(value: object) -> Any:
    """Keep what is JSON-safe and small; everything else is not remembered."""
    if isinstance(value, str):
        return value[:MAX_STORED_CHARS]
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, list | tuple):
        return [kept for item in value[:MAX_OFFERED] if (kept := storable(item)) is not None]
    return None


def list_of(value: object) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def part_of(item: object, name: str) -> Any:
    if isinstance(item, Mapping):
        return item.get(name)
    return getattr(item, name, None) if name else None


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10_000 else 0


@lru_cache(maxsize=8192)
def plain_name(name: str) -> str:
    """Give `plain` of a title; titles come again and again."""
    return plain(name)
