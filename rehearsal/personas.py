"""Who the simulated customers are, and what they secretly like. Pure: dice in, people out.

A persona's chance to buy depends on the strategy that a reply was written in, on language, niche, buying
signal, on having bought before, and, where the world drifts, on the day. The desk is never told any of it:
whether it finds out is what a rehearsal shows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import exp, pi, sin
from pathlib import Path
from random import Random
from typing import Any, Final, Literal

import yaml

from vocabulary import STRATEGIES

WORDS_FILE: Final = Path(__file__).parent / "words.yaml"

Drift = Literal["none", "abrupt", "slow"]
DRIFTS: Final[tuple[Drift, ...]] = ("none", "abrupt", "slow")

# How many write in which language, from where, and with which buying signal they go on.
LANGUAGES: Final[Mapping[str, float]] = {"pt": 0.6, "es": 0.23, "en": 0.17}
COUNTRIES: Final[Mapping[str, tuple[str, ...]]] = {"pt": ("BR",), "es": ("ES", "AR"), "en": ("GB", "AE")}
SIGNALS: Final[Mapping[str, float]] = {
    "objection": 0.5,
    "ready_to_buy": 0.14,
    "question": 0.18,
    "initial_interest": 0.18,
}
# Logits of a sale: what each signal is worth, and what each strategy adds for each language.
SIGNAL_LEVELS: Final[Mapping[str, float]] = {
    "objection": -2.4,
    "ready_to_buy": -1.1,
    "question": -2.2,
    "initial_interest": -2.6,
}
TASTES: Final[Mapping[str, Mapping[str, float]]] = {
    "pt": {"consultivo": 0.1, "escassez": -0.5, "emocional": 1.1, "racional": -0.3},
    "es": {"consultivo": 1.0, "escassez": -0.3, "emocional": 0.2, "racional": -0.2},
    "en": {"consultivo": 0.2, "escassez": -0.4, "emocional": -0.5, "racional": 1.1},
}
SIGNAL_TASTES: Final[Mapping[str, Mapping[str, float]]] = {
    "ready_to_buy": {"escassez": 0.5},
    "question": {"racional": 0.3},
}
NICHE_SPREAD: Final = 0.2  # what a niche adds to a strategy, as the deviation of a logit
RETURNING: Final = 0.5
SECOND_CHANCE: Final = -0.7
# What somebody does who does not buy, and how much oftener people flee from scarcity.
LEAVING: Final[Mapping[str, float]] = {
    "again": 0.22,
    "refuse": 0.09,
    "opt_out": 0.012,
    "complain": 0.012,
    "silent": 0.666,
}
PRESSED_HARD: Final = 3.0


@dataclass(frozen=True, slots=True)
class Persona:
    """One simulated customer, as she is before she writes."""

    language: str
    country: str
    name: str
    signal: str


@dataclass(frozen=True, slots=True)
class Moment:
    """Under what circumstances somebody decides; `share` is how much of the whole time is over."""

    niche: str
    share: float = 0.0
    is_returning: bool = False
    is_second: bool = False


def invent(rng: Random) -> Persona:
    """Make a persona up."""
    language = drawn(LANGUAGES, rng)
    words = phrases()[language]
    name = f"{rng.choice(words['given'])} {rng.choice(words['family'])}"
    return Persona(language, rng.choice(COUNTRIES[language]), name, drawn(SIGNALS, rng))


def chance(persona: Persona, strategy: str, moment: Moment, drift: Drift = "none") -> float:
    """Give how likely this customer buys after a reply that was written in a strategy."""
    level = SIGNAL_LEVELS[persona.signal] + taste(persona, strategy, moment, drift)
    level += RETURNING * moment.is_returning + SECOND_CHANCE * moment.is_second
    return 1.0 / (1.0 + exp(-level))


def taste(persona: Persona, strategy: str, moment: Moment, drift: Drift = "none") -> float:
    """Give what a strategy is worth to this customer, in logits."""
    liked = TASTES[persona.language]
    now = liked[strategy] + (liked[_successor(strategy)] - liked[strategy]) * _moved(moment.share, drift)
    of_signal = SIGNAL_TASTES.get(persona.signal, {}).get(strategy, 0.0)
    return now + of_signal + Random(f"{moment.niche} {strategy}").gauss(0.0, NICHE_SPREAD)


def way_out(strategy: str, *, may_doubt: bool, rng: Random) -> str:
    """Give what somebody does who does not buy: one of LEAVING."""
    ways = {way: weight for way, weight in LEAVING.items() if may_doubt or way != "again"}
    if strategy == "escassez":
        ways = {way: w * (PRESSED_HARD if way in ("opt_out", "complain") else 1.0) for way, w in ways.items()}
    return drawn(ways, rng)


def drawn(weights: Mapping[str, float], rng: Random) -> str:
    """Draw a name by its weight."""
    return rng.choices(list(weights), list(weights.values()))[0]


@cache
def phrases() -> dict[str, dict[str, list[str]]]:
    """Read the packaged words, by language."""
    read: dict[str, Any] = yaml.safe_load(WORDS_FILE.read_text(encoding="utf-8"))
    return read


def _moved(share: float, drift: Drift) -> float:
    """Give how far tastes have gone over to the next strategy: at once half way, or to and fro."""
    if drift == "abrupt":
        return float(share >= 0.5)
    return (1.0 - sin(pi / 2 + 2 * pi * share)) / 2 if drift == "slow" else 0.0


def _successor(strategy: str) -> str:
    return STRATEGIES[(STRATEGIES.index(strategy) + 1) % len(STRATEGIES)]
