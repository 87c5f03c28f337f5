"""`python -m bench.claims`: how often the learning claims something where there is nothing to claim.

Better or more money than chance, looked at every hundred conversations; and a strategy that is paused within
a year although all drive as many people away. Then how soon it finds what is there. The tests measure the
same on fewer shops.
"""

import argparse
import random
from datetime import UTC, datetime, timedelta
from math import exp

from learning import closing, proof
from learning.closing import Left
from learning.shares import Share

ARMS = ("consultivo", "escassez", "emocional", "racional")
LOOK_EVERY = 100
CONVERSATIONS = 20_000
BEGINS = datetime(2026, 1, 1, tzinfo=UTC)


def claims(rates: tuple[float, float], holdout: float, rng: random.Random) -> tuple[int, int, int]:
    """Play one shop; give after how many conversations better, worse and more money was claimed, or 0."""
    counts = [[0, 0], [0, 0]]
    values: dict[tuple[str, bool], list[int]] = {("BRL", False): [], ("BRL", True): []}
    better = worse = richer = 0
    for closed in range(1, CONVERSATIONS + 1):
        side = rng.random() < holdout
        counts[side][1] += 1
        if rng.random() < rates[side]:
            counts[side][0] += 1
            values["BRL", side].append(round(exp(rng.gauss(9.2, 1.0))))
        if closed % LOOK_EVERY:
            continue
        told = proof.uplift(Share(*counts[0]), Share(*counts[1]), holdout)
        if told.low is None or told.high is None:
            continue
        better = better or closed * (told.low > 0)
        worse = worse or closed * (told.high < 0)
        money = proof.money(told, values)
        richer = richer or closed * (money is not None and money.low > 0)
    return better, worse, richer


def paused_on(rates: tuple[float, ...], favourite: float, a_day: int, rng: random.Random) -> dict[str, int]:
    """Play one shop for a year; give on which day each strategy was paused."""
    rest = (1 - favourite) / 3
    shares = dict(zip(ARMS, (rest, rest, favourite, rest), strict=True))
    parts = [share * rate for share, rate in zip(shares.values(), rates, strict=True)]
    paused: dict[str, int] = {}
    left: list[Left] = []
    for day in range(365):
        now = BEGINS + timedelta(days=day)
        count = sum(rng.random() < sum(parts) for _ in range(a_day))
        left += [Left(arm, shares, now) for arm in rng.choices(ARMS, parts, k=count)]
        left = [one for one in left if one.at > now - closing.LOOKS_BACK]
        for arm in ARMS if count else ():
            mine = sum(one.strategy == arm for one in left)
            if mine >= closing.OPT_OUTS_AT_LEAST and closing.excess(arm, left) >= closing.OVERWHELMING:
                paused.setdefault(arm, day)
    return paused


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shops", type=int, default=200)
    shops = parser.parse_args().shops
    rng = random.Random(1)
    for rates in ((0.05, 0.05), (0.02, 0.02), (0.10, 0.05), (0.075, 0.05)):
        told = [claims(rates, 0.1, rng) for _ in range(shops)]
        better, worse, richer = (sum(one[n] > 0 for one in told) / shops for n in range(3))
        print(f"sells {rates[0]:.1%}, by chance {rates[1]:.1%}: ", end="")
        print(f"better {better:.1%}, worse {worse:.1%}, more money {richer:.1%} of shops")
    for favourite in (0.8, 0.65, 0.25):
        for rate in (0.01, 0.03):
            years = [paused_on((rate,) * 4, favourite, 20, rng) for _ in range(shops)]
            wrong = sum(bool(year) for year in years) / shops
            print(f"favourite {favourite:.0%}, all lose {rate:.0%}: paused in {wrong:.1%} of years")
        worse_one = [paused_on((0.01, 0.01, 0.06, 0.01), favourite, 20, rng) for _ in range(shops // 10)]
        days = sorted(year.get("emocional", 365) for year in worse_one)
        print(
            f"favourite {favourite:.0%}, loses 6 % and the others 1 %: paused on day {days[len(days) // 2]}"
        )


if __name__ == "__main__":
    main()
