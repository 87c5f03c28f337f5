"""Strategies of the shop's own: a shipped manner with words of theirs. Admins add, reword and retire them.

What such a strategy says passes the same guards as any other; what may be said to whom goes by what it builds
on. Flushes, never commits.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from learning.arms import Standing, standing_of, standings
from learning.rules import SteeringRefused
from learning.steering import REASON_MAX_CHARS, note_change, renew
from models import Arm
from replies import guards
from replies.facts import Facts
from replies.manners import WORDS_MAX_CHARS, Manner, fingerprint
from replies.prompts import MAX_INSTRUCTION_CHARS
from statements import changed_rows, insert_or_ignore
from vocabulary import STRATEGIES, TEXT_LANGUAGES

# Each more needs its share of customers before anything is known, and a colour of its own.
OWN_AT_MOST: Final = 4
NAME_MAX_CHARS: Final = 20
TITLE_MAX_CHARS: Final = 40
NO_FACTS: Final = Facts(business_name="", today=date.min)
_APART: Final = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Wording:
    """What an admin wrote: an `instruction` for a model, `words` by language for who gets fixed texts."""

    instruction: str = ""
    words: Mapping[str, str] = field(default_factory=dict)


def add(
    title: str,
    base: str,
    wording: Wording,
    *,
    reason: str,
    now: datetime,
    operator_id: int | None = None,
) -> Standing:
    """Add a strategy that builds on a shipped one and starts with a share of what is known of it. Flushes.

    Raises SteeringRefused: no_reason, no_title, no_base, no_words, too_long, not_sayable,
    name_taken, too_many.
    """
    title, reason = _line(title), _line(reason)[:REASON_MAX_CHARS]
    _refuse_bad(title, base, reason)
    name = _name(title)
    known = standings()
    if any(arm.strategy == name or arm.title.casefold() == title.casefold() for arm in known):
        raise SteeringRefused("name_taken")
    if sum(arm.is_own and not arm.is_retired for arm in known) >= OWN_AT_MOST:
        raise SteeringRefused("too_many")
    own = _own(wording)
    says = fingerprint(Manner(base, **own))
    row = {"strategy": name, "base": base, "title": title, "own": own, "fingerprint": says}
    added = insert_or_ignore(Arm).values(**row, reason=reason, created_at=now, changed_at=now)
    if not changed_rows(added):
        raise SteeringRefused("name_taken")  # by somebody who was quicker
    note_change("add", strategy=name, reason=reason, now=now, operator_id=operator_id)
    return _standing(name)


def reword(
    strategy: str, wording: Wording, *, reason: str, now: datetime, operator_id: int | None = None
) -> Standing:
    """Let an own strategy say something else: a new version, that starts warm from the old one. Flushes.

    Raises SteeringRefused: unknown_strategy, shipped, is_retired, no_reason, no_words, too_long, not_sayable,
    done.
    """
    reason = _line(reason)[:REASON_MAX_CHARS]
    arm = standing_of(strategy)
    if arm is None:
        raise SteeringRefused("unknown_strategy")
    if not arm.is_own or arm.is_retired:
        raise SteeringRefused("is_retired" if arm.is_retired else "shipped")
    if not reason:
        raise SteeringRefused("no_reason")
    own = _own(wording)
    says = fingerprint(Manner(arm.base, **own))
    if says == arm.fingerprint:
        raise SteeringRefused("done")
    renew(arm, reason=reason, now=now, own=own, fingerprint=says)
    note_change("reword", strategy=strategy, reason=reason, now=now, operator_id=operator_id)
    return _standing(strategy)


def _refuse_bad(title: str, base: str, reason: str) -> None:
    if not reason:
        raise SteeringRefused("no_reason")
    if not title:
        raise SteeringRefused("no_title")
    if len(title) > TITLE_MAX_CHARS:
        raise SteeringRefused("too_long")
    if base not in STRATEGIES:
        raise SteeringRefused("no_base")


def _own(wording: Wording) -> dict[str, Any]:
    """Give what is kept of an admin's words; a strategy without any would be what it builds on."""
    instruction = _line(wording.instruction)
    words = {language: _line(wording.words.get(language, "")) for language in TEXT_LANGUAGES}
    words = {language: said for language, said in words.items() if said}
    if not instruction and not words:
        raise SteeringRefused("no_words")
    if len(instruction) > MAX_INSTRUCTION_CHARS or any(
        len(said) > WORDS_MAX_CHARS for said in words.values()
    ):
        raise SteeringRefused("too_long")
    for language, said in words.items():
        # A price, a discount or a date is true for one customer and false for the next: facts tell those.
        if guards.check(said, NO_FACTS, language=language, strategy=None):
            raise SteeringRefused("not_sayable")
    return {"instruction": instruction, "words": words}


def _name(title: str) -> str:
    """Name a strategy for the log: small letters, figures and lines, also where the title has none."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    name = _APART.sub("_", plain).strip("_")[:NAME_MAX_CHARS].strip("_")
    return name or f"own_{sum(arm.is_own for arm in standings()) + 1}"


def _line(text: str) -> str:
    """Make one line of it: neither NUL nor what is hidden from the eye."""
    shown = "".join(char if unicodedata.category(char)[0] != "C" else " " for char in text)
    return " ".join(shown.split())


def _standing(name: str) -> Standing:
    return next(arm for arm in standings() if arm.strategy == name)
