"""The four manners of selling, as texts that need no model: grounded, varied, filled from the facts.

`answering` calls `write` when no model answers, or when its answer did not pass the guards. The texts live in
templates/whatsapp/<language>/strategy/: one file per strategy, a part per buying signal, variants parted by a
line of dashes. A variant is only chosen when every fact that it names is there.
"""

import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Final, Literal, TypeVar

from babel.dates import format_skeleton

import texts
from vocabulary import BUYING_SIGNALS, STRATEGIES

from .amounts import price_text
from .facts import Facts, ProductFacts

Choice = TypeVar("Choice")
PARTING: Final = "---"
DEFAULT_SIGNAL: Final = "initial_interest"
# Objections that are about no price: each has words of its own.
KINDS_OF_OBJECTION: Final[tuple[Literal["elsewhere", "no_time", "thinks", "trust"], ...]] = (
    "elsewhere",
    "no_time",
    "thinks",
    "trust",
)
# To these one may answer beside the product; who asks or wants something is told of what was meant.
MAY_BE_GENERAL: Final = frozenset({"objection", "not_interested", *KINDS_OF_OBJECTION})
# May be empty: a variant that names these asks for nothing.
OPTIONAL: Final = frozenset("first_name benefit benefits inline_benefit inline_benefits language".split())
# A variant that names the earlier of these is preferred to one that does not.
WEIGHTY: Final = (frozenset({"stock", "ends"}), frozenset({"total"}), frozenset({"product", "price"}))
_PART: Final = re.compile(r"^\[(\w+)\]\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Written:
    """A fixed reply; `variant` names it ("escassez/objection/2"), to be kept and not said twice in a row."""

    text: str
    variant: str


@dataclass(frozen=True, slots=True)
class Variant:
    """One text of a part, and the names that it cannot do without."""

    name: str
    source: str
    needs: frozenset[str]

    @property
    def weight(self) -> tuple[bool, ...]:
        return tuple(bool(self.needs & names) for names in WEIGHTY)


def write(
    signal: str | None,
    *,
    strategy: str,
    language: str,
    facts: Facts,
    seed: str,
    product: ProductFacts | None = None,
    said: Collection[str] = (),
) -> Written:
    """Write the reply to a buying signal in a strategy's manner; `product`, else the facts' focus.

    The same `seed` gives the same variant; never one of those `said` last while there is another: the first
    of them is the longest ago. Raises KeyError for an unknown strategy or signal.
    """
    reader = texts.text_language(language)
    values = _values(facts, product or facts.focus, reader, seed)
    known = frozenset(values) | OPTIONAL
    part = signal or DEFAULT_SIGNAL
    fitting = [one for one in variants(strategy, part, reader) if one.needs <= known]
    if part not in MAY_BE_GENERAL:
        fitting = [one for one in fitting if one.needs] or fitting
    fresh = [one for one in fitting if one.name not in said] or _longest_ago(fitting, said)
    best = max(one.weight for one in fresh)
    chosen = _pick([one for one in fresh if one.weight == best], seed)
    return Written(texts.compiled(chosen.source).render(values).strip(), chosen.name)


@cache
def variants(strategy: str, signal: str, language: str) -> tuple[Variant, ...]:
    """Give every variant of a part. Raises KeyError for an unknown strategy or signal."""
    if strategy not in STRATEGIES or signal not in (*BUYING_SIGNALS, *KINDS_OF_OBJECTION):
        raise KeyError(f"no texts for {strategy!r}, {signal!r}")
    path = texts.TEXTS_DIR / language / "strategy" / f"{strategy}.txt"
    parts = _PART.split(path.read_text(encoding="utf-8"))[1:]
    told = dict(zip(parts[::2], parts[1::2], strict=True))[signal]
    sources = [source.strip("\n") for source in re.split(rf"^{PARTING}\n", told, flags=re.MULTILINE)]
    return tuple(
        Variant(f"{strategy}/{signal}/{at}", source, texts.names_used(source) - OPTIONAL)
        for at, source in enumerate(sources, start=1)
    )


def _longest_ago(fitting: Sequence[Variant], said: Collection[str]) -> list[Variant]:
    """Give the one that was said first of these; there is one, or it would not have been said."""
    order = list(said)
    return sorted(fitting, key=lambda one: order.index(one.name))[:1]


def _values(facts: Facts, product: ProductFacts | None, language: str, seed: str) -> dict[str, Any]:
    """Give what the texts are filled with; a name is left out where there is no such fact."""
    values: dict[str, Any] = {"language": language, "first_name": facts.first_name}
    values |= {"benefit": "", "benefits": (), "inline_benefit": "", "inline_benefits": ""}
    if facts.order and facts.order.lines and facts.order.number is None:
        values["total"] = price_text(facts.order.total_minor, facts.order.currency, language)
    if product is None or product.is_sold_out:
        return values
    values["product"] = product.name
    values["price"] = price_text(product.price_minor, product.currency, language)
    values["benefits"] = product.benefits
    values["benefit"] = _pick(product.benefits, f"benefit {seed}") if product.benefits else ""
    values["inline_benefit"] = _inline(values["benefit"])
    values["inline_benefits"] = ", ".join(_inline(benefit) for benefit in product.benefits)
    if product.is_low:
        values["stock"] = product.stock
    if product.offer_ends and product.offer_ends >= facts.today:
        values["ends"] = day_text(product.offer_ends, language)
    return values


def day_text(day: date, language: str) -> str:
    """Write a day in full: an abbreviation's dot would end the sentence."""
    return str(format_skeleton("MMMMd", day, locale=texts.DAY_LOCALES[language]))


def _inline(benefit: str) -> str:
    """Write a benefit inside a sentence: a small first letter, unless the word is an abbreviation."""
    return benefit if benefit[1:2].isupper() else benefit[:1].lower() + benefit[1:]


def _pick(choices: Sequence[Choice], seed: str) -> Choice:
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big")
    return choices[number % len(choices)]
