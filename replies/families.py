"""Families of claims in plain words: a guarantee, a result, a channel, a rival.

Called by `claims` for each sentence. The patterns are data (data/families.yaml). A sentence that asserts a
family is true only where the shop asserts the same family itself, in the same figures and no weaker words.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final, cast, get_args

import yaml

from .breaches import BreachCode
from .told import language_of
from .wording import DATA, is_denied, is_only_mentioned, sentences

NAMED: Final = "named"
LANGUAGES: Final = ("pt", "es", "en")
_OWN_DENIAL: Final = re.compile(
    r"\b(?:nao|nunca|ninguem|nada|nenhum\w*|no|nadie|ningun\w*|not|never|nobody|nothing|\w+n.t)\b"
)


@dataclass(frozen=True, slots=True)
class Family:
    """Claims of one kind. With `around` each pattern is a thing with a name, spoken of in such words."""

    name: str
    code: BreachCode
    patterns: tuple[re.Pattern[str], ...]
    around: re.Pattern[str] | None = None

    @property
    def is_named(self) -> bool:
        return self.around is not None


@dataclass(frozen=True, slots=True)
class Claim:
    """A place of a sentence that asserts a family; `pattern` is the one thing, where each is its own."""

    family: Family
    found: re.Match[str]
    patterns: tuple[re.Pattern[str], ...]


def claims_in(sentence: str, language: str) -> Iterator[Claim]:
    """Find what a folded sentence asserts: not what it denies or leaves to others."""
    for family in families():
        if family.around is not None and not family.around.search(sentence):
            continue
        for pattern in family.patterns:
            for found in pattern.finditer(sentence):
                if _is_denied(sentence, found, language):
                    continue
                if is_only_mentioned(sentence, found.start()):
                    continue
                yield Claim(family, found, (pattern,) if family.is_named else family.patterns)


def asserts(told: str, claim: Claim) -> bool:
    """Whether one of the shop's own sentences asserts the same: what it denies supports nothing."""
    return any(
        not _is_denied(one, found, language_of(one))
        for one in sentences(told)
        for pattern in claim.patterns
        for found in pattern.finditer(one)
    )


def _is_denied(sentence: str, found: re.Match[str], language: str) -> bool:
    """Whether a claim is turned round; one that is made of a denial ("nobody ever complained") is not."""
    if _OWN_DENIAL.search(found.group()):
        return False
    return is_denied(sentence, found.start(), found.end(), language)


@cache
def families() -> tuple[Family, ...]:
    """Give every family of data/families.yaml."""
    listed = yaml.safe_load((DATA / "families.yaml").read_text(encoding="utf-8"))
    named = listed.pop(NAMED)
    told = [
        Family(name, _code(about["code"]), _compiled([p for one in LANGUAGES for p in about[one]]))
        for name, about in listed.items()
    ]
    things = [
        Family(name, _code(about["code"]), _compiled(about["things"]), re.compile(about["around"]))
        for name, about in named.items()
    ]
    return (*told, *things)


def _compiled(patterns: list[str]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern) for pattern in patterns)


def _code(name: str) -> BreachCode:
    if name not in get_args(BreachCode):
        raise ValueError(f"data/families.yaml: no breach is called {name!r}")
    return cast(BreachCode, name)
