"""`python -m bench.bandit`: how many sales each policy loses against always knowing the best arm.

Every world has four arms that sell in 2 to 9 of 100 conversations. All policies meet the same customers: who
comes, and which arms would have sold to them, is drawn before any policy chooses. A plug-in is another class
to be measured beside ours: `--plugin FILE.py:Class` with `__init__(arm_count, seed)`, `choose(context)`
giving an arm's index, and `update(arm, reward, context)`.
"""

import argparse
import importlib.util
import json
import math
import random
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import Any, Final, NamedTuple, Protocol

import bandit

ARMS: Final = (0, 1, 2, 3)
STEADY_RATES: Final = (0.02, 0.04, 0.06, 0.08)
FEATURES: Final = {
    "niche": ("courses", "beauty", "fitness", "pets", "finance"),
    "language": ("pt", "es", "en"),
    "signal": ("initial_interest", "question", "objection", "ready_to_buy"),
}
CONTEXTS: Final = tuple(dict(zip(FEATURES, values, strict=True)) for values in product(*FEATURES.values()))
BASE_LOGITS: Final = {"initial_interest": -3.5, "question": -3.2, "objection": -3.4, "ready_to_buy": -2.4}
# How much each feature changes what an arm is worth, as standard deviations of logits.
ARM_SPREADS: Final = {"niche": 0.4, "language": 0.3, "signal": 0.4}
MILD, STRONG = 0.2, 0.6  # how much a whole context does so beyond its features
MEAN_DELAY: Final = 200  # decisions until a sale arrives
SILENCE: Final = 500  # decisions after which silence counts as none

Rates = tuple[float, ...]


class Customer(NamedTuple):
    """Who comes: the context, each arm's chance to sell, and what each would have sold."""

    context: dict[str, str]
    rates: Rates
    sales: tuple[bool, ...]
    delay: int


@dataclass(frozen=True, slots=True)
class World:
    """A kind of shop: the chances of each moment, and whether sales arrive late."""

    rates: Callable[[random.Random, int], Iterator[tuple[dict[str, str], Rates]]]
    delayed: bool = False

    def customers(self, seed: str, horizon: int) -> list[Customer]:
        """Draw everybody who will come, and what each arm would sell them."""
        rng = random.Random(seed)
        return [
            Customer(context, rates, tuple(rng.random() < rate for rate in rates), _delay(rng))
            for context, rates in self.rates(rng, horizon)
        ]


def _delay(rng: random.Random) -> int:
    return 1 + int(rng.expovariate(1.0 / MEAN_DELAY))


def steady(rng: random.Random, horizon: int) -> Iterator[tuple[dict[str, str], Rates]]:
    """The same chances for ever."""
    rates = tuple(rng.sample(STEADY_RATES, 4))
    return (({}, rates) for _ in range(horizon))


def moving_at_once(rng: random.Random, horizon: int) -> Iterator[tuple[dict[str, str], Rates]]:
    """At moments of their own the arms change places three times."""
    changes = {int(horizon * (quarter + rng.uniform(-0.1, 0.1))) for quarter in (0.25, 0.5, 0.75)}
    rates: Rates = tuple(rng.sample(STEADY_RATES, 4))
    for moment in range(horizon):
        if moment in changes:
            rates = tuple(rng.sample(STEADY_RATES, 4))
        yield {}, rates


def moving_slowly(rng: random.Random, horizon: int) -> Iterator[tuple[dict[str, str], Rates]]:
    """Every arm has its season, two in a horizon."""
    start = rng.random()
    phases = [start + quarter / 4 for quarter in rng.sample(range(4), 4)]
    for moment in range(horizon):
        turns = 2 * moment / horizon
        yield {}, tuple(0.05 + 0.03 * math.sin(2 * math.pi * (turns + phase)) for phase in phases)


def in_contexts(
    own: float, *, moving: bool = False
) -> Callable[[random.Random, int], Iterator[tuple[dict[str, str], Rates]]]:
    """What an arm is worth depends on who comes; `moving`: half of that is drawn anew half way."""

    def rates(rng: random.Random, horizon: int) -> Iterator[tuple[dict[str, str], Rates]]:
        before, other = _table(rng, own), _table(rng, own)
        after = [
            tuple((b + o) / 2 for b, o in zip(*pair, strict=True)) for pair in zip(before, other, strict=True)
        ]
        crowd = [1 / rank**0.8 for rank in range(1, len(CONTEXTS) + 1)]
        rng.shuffle(crowd)
        who = rng.choices(range(len(CONTEXTS)), crowd, k=horizon)
        for moment, number in enumerate(who):
            table = after if moving and moment >= horizon // 2 else before
            yield CONTEXTS[number], table[number]

    return rates


def _table(rng: random.Random, own: float) -> list[Rates]:
    """Draw each context's chances: a base by signal, the arms' effects by feature, a rest of its own."""
    level = [rng.gauss(0, 0.15) for _ in ARMS]
    effects = {
        (name, value): [rng.gauss(0, ARM_SPREADS[name]) for _ in ARMS]
        for name, values in FEATURES.items()
        for value in values
    }
    table = []
    for context in CONTEXTS:
        logits = [
            BASE_LOGITS[context["signal"]] + level[arm] + sum(effects[pair][arm] for pair in context.items())
            for arm in ARMS
        ]
        table.append(tuple(1 / (1 + math.exp(-z - rng.gauss(0, own))) for z in logits))
    return table


WORLDS: Final = {
    "steady": World(steady),
    "steady, late": World(steady, delayed=True),
    "moves at once": World(moving_at_once),
    "moves slowly": World(moving_slowly),
    "contexts": World(in_contexts(MILD)),
    "contexts apart": World(in_contexts(STRONG)),
    "contexts, late": World(in_contexts(MILD), delayed=True),
    "contexts, moving, late": World(in_contexts(MILD, moving=True), delayed=True),
}


class Chooser(Protocol):
    """What a plug-in must be able to do."""

    def choose(self, context: dict[str, str]) -> int: ...

    def update(self, arm: int, reward: float, context: dict[str, str]) -> object: ...


class Ours:
    """One of our policies as a chooser."""

    def __init__(self, policy: bandit.Policy) -> None:
        self._policy = policy

    def choose(self, context: dict[str, str]) -> int:
        return int(self._policy.choose(context).arm)

    def update(self, arm: int, reward: float, context: dict[str, str]) -> object:
        return self._policy.update(arm, reward, context)


POLICIES: Final[dict[str, Callable[[int], Chooser]]] = {
    "thompson": lambda seed: Ours(bandit.ThompsonSampling(ARMS, seed=seed)),
    "epsilon-greedy": lambda seed: Ours(bandit.EpsilonGreedy(ARMS, seed=seed)),
    "literal epsilon": lambda seed: Ours(bandit.EpsilonGreedy(ARMS, mode="literal", seed=seed)),
    "uniform": lambda seed: Ours(bandit.Uniform(ARMS, seed=seed)),
}


class Played(NamedTuple):
    """One policy in one world once: expected sales lost, and processor time per decision."""

    world: str
    policy: str
    lost: float
    secs_per_decision: float


def play(world: str, policy: str, seed: int, horizon: int, plugin: str | None) -> Played:
    """Let a policy live through a world; a sale arrives late or never where the world says so."""
    make = POLICIES.get(policy) or _plugged(plugin or "")
    customers = WORLDS[world].customers(f"{world} {seed}", horizon)
    delayed = WORLDS[world].delayed
    chooser = make(seed)
    arriving: dict[int, list[tuple[int, float, dict[str, str]]]] = defaultdict(list)
    lost = 0.0
    started = time.process_time()
    for moment, customer in enumerate(customers):
        for outcome in arriving.pop(moment, ()):
            chooser.update(*outcome)
        arm = chooser.choose(customer.context)
        lost += max(customer.rates) - customer.rates[arm]
        sold = customer.sales[arm] and not (delayed and customer.delay >= SILENCE)
        outcome = (arm, float(sold), customer.context)
        if delayed:
            arriving[moment + (customer.delay if sold else SILENCE)].append(outcome)
        else:
            chooser.update(*outcome)
    return Played(world, policy, lost, (time.process_time() - started) / horizon)


def _plugged(plugin: str) -> Callable[[int], Chooser]:
    """Load the class of FILE.py:Class."""
    path, _, name = plugin.rpartition(":")
    spec = importlib.util.spec_from_file_location("plugin", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"not a Python file: {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    chooser_class: Any = getattr(module, name)
    return lambda seed: chooser_class(len(ARMS), seed)


def main() -> int:
    """Play every policy in every world and print what was lost."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.bandit", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--worlds", nargs="*", choices=tuple(WORLDS), default=tuple(WORLDS))
    parser.add_argument("--policies", nargs="*", choices=tuple(POLICIES), default=tuple(POLICIES))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--horizon", type=int, default=10_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--plugin", help="FILE.py:Class, measured beside ours")
    parser.add_argument("--json", action="store_true", help="one JSON object per result and nothing else")
    asked = parser.parse_args()
    policies = [*asked.policies, *(["plug-in"] if asked.plugin else [])]
    if not asked.json:
        print(f"sales lost in {asked.horizon} conversations, mean of {asked.seeds} paired seeds with 95 %")
        print(f"{'world':<24}{'policy':<18}{'lost':>8}{'+-':>7}{'decisions/s':>14}")
    with ProcessPoolExecutor(asked.jobs) as pool:
        for world in asked.worlds:
            for policy in policies:
                tasks = [
                    pool.submit(play, world, policy, seed, asked.horizon, asked.plugin)
                    for seed in range(asked.seeds)
                ]
                _print([task.result() for task in tasks], as_json=asked.json)
    return 0


def _print(played: list[Played], *, as_json: bool) -> None:
    """Print one line: the mean, its interval, and the median speed."""
    lost = [each.lost for each in played]
    mean = statistics.fmean(lost)
    reach = 1.96 * statistics.stdev(lost) / math.sqrt(len(lost)) if len(lost) > 1 else 0.0
    speed = 1 / statistics.median(each.secs_per_decision for each in played)
    first = played[0]
    if as_json:
        row = {"world": first.world, "policy": first.policy, "seeds": len(lost), "lost": round(mean, 1)}
        print(json.dumps({**row, "interval": round(reach, 1), "decisions_per_sec": round(speed)}), flush=True)
    else:
        print(f"{first.world:<24}{first.policy:<18}{mean:>8.1f}{reach:>7.1f}{speed:>14,.0f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
