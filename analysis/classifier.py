"""A small linear classifier over hashed features: trained in seconds, kept in a few hundred kilobytes.

Called by `train` (to learn) and by the labelling readers (to judge). Multinomial logistic regression by
stochastic gradient descent, which hides a quarter of the features at each step so that no single word
decides; it knows no label and reads no file.
"""

import json
import math
import random
import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from operator import mul
from typing import Final

from .features import HASH_BITS

EPOCHS: Final = 8
SETTLED: Final = 3  # from this epoch on the weights count towards the average that is kept
RATE: Final = 3.0
BIAS_RATE: Final = 0.05
SURE_ENOUGH: Final = 0.97  # an example this well known teaches nothing more
_MAGIC: Final = b"BLC1"
_BITS: Final = bytes.maketrans(b"01", b"\x00\x01")

Features = dict[int, float]


@dataclass(frozen=True)
class Classifier:
    """Weights per hashed feature and label; `temperature` makes its probabilities honest."""

    labels: tuple[str, ...]
    weights: "array[int]"  # HASH_BITS rows of len(labels) signed bytes
    step: float
    bias: tuple[float, ...]
    temperature: float
    version: str

    def judge(self, features: Features) -> dict[str, float]:
        """Give the probability of each label."""
        return dict(zip(self.labels, softmax(self.scores(features), self.temperature), strict=True))

    def scores(self, features: Features) -> list[float]:
        """Give the raw score of each label."""
        count = len(self.labels)
        rows = [self.weights[feature * count : (feature + 1) * count] for feature in features]
        values = list(features.values())
        if not rows:
            return list(self.bias)
        columns = zip(*rows, strict=True)
        return [
            bias + self.step * sum(map(mul, column, values))
            for bias, column in zip(self.bias, columns, strict=True)
        ]

    @staticmethod
    def surprise(scores: list[float], label: int, temperature: float) -> float:
        """Give the negative log likelihood of the right label."""
        return -math.log(max(softmax(scores, temperature)[label], 1e-9))

    def to_bytes(self) -> bytes:
        """Give the shipped form; the same training gives the same bytes."""
        head = json.dumps(
            {
                "labels": self.labels,
                "step": self.step,
                "bias": self.bias,
                "temperature": self.temperature,
                "version": self.version,
            }
        ).encode()
        return _MAGIC + len(head).to_bytes(4, "big") + head + zlib.compress(self.weights.tobytes(), 9)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Classifier":
        """Read the shipped form; raises ValueError when it is none."""
        if data[:4] != _MAGIC:
            raise ValueError("not a trained classifier")
        size = int.from_bytes(data[4:8], "big")
        head = json.loads(data[8 : 8 + size])
        weights = array("b")
        weights.frombytes(zlib.decompress(data[8 + size :]))
        return cls(
            tuple(head["labels"]),
            weights,
            head["step"],
            tuple(head["bias"]),
            head["temperature"],
            head["version"],
        )


def softmax(scores: Sequence[float], temperature: float = 1.0) -> list[float]:
    """Turn scores to probabilities."""
    top = max(scores)
    powers = [math.exp((score - top) / temperature) for score in scores]
    total = sum(powers)
    return [power / total for power in powers]


def modest(share: float, *, above: float, slope: float) -> float:
    """Shrink what a share claims beyond a height: on strangers' texts the surest are not that sure."""
    return share if share <= above else above + (share - above) * slope


def learn(
    rows: Sequence[tuple[Features, int, float]],
    labels: tuple[str, ...],
    *,
    seeds: Sequence[int] = (7,),
    temperature: float = 1.0,
    version: str = "",
    epochs: int = EPOCHS,
) -> Classifier:
    """
    Fit a classifier to (features, label index, weight) rows; the same rows and seeds give the same result.

    More than one seed means as many fits, whose weights are averaged: chance decides less.
    """
    sums: dict[int, list[float]] = {}
    bias_sums = [0.0] * len(labels)
    settled = min(SETTLED, epochs - 1)
    for seed in seeds:
        weights = _Weights(len(labels))
        _fit(rows, weights, (sums, bias_sums), random.Random(seed), (0, settled, epochs))
    kept = len(seeds) * (epochs - settled)
    averages = {feature: [value / kept for value in row] for feature, row in sums.items()}
    bias = [value / kept for value in bias_sums]
    blank = array("b", bytes(len(labels) << HASH_BITS))
    return _pack(averages, blank, 0.0, Classifier(labels, blank, 0.0, tuple(bias), temperature, version))


def teach(
    start: Classifier, rows: Sequence[tuple[Features, int, float]], *, version: str = "", seed: int = 7
) -> Classifier:
    """Go on from a fitted classifier with further rows, which should hold a sample of the earlier ones.

    Costs a moment, not a whole training; what no row speaks of stays as it was. The temperature stays.
    """
    sums: dict[int, list[float]] = {}
    bias_sums = [0.0] * len(start.labels)
    weights = _Weights(len(start.labels), start)
    _fit(rows, weights, (sums, bias_sums), random.Random(seed), (EPOCHS, EPOCHS + 2, EPOCHS + 5))
    averages = {feature: [value / 3 for value in row] for feature, row in sums.items()}
    bias = tuple(value / 3 for value in bias_sums)
    known = Classifier(start.labels, start.weights, start.step, bias, start.temperature, version)
    return _pack(averages, start.weights, start.step, known)


class _Weights(dict[int, list[float]]):
    """Weights by feature; one not met before is as the start has it, or nought."""

    def __init__(self, count: int, start: Classifier | None = None) -> None:
        super().__init__()
        self.count = count
        self.start = start
        self.bias = list(start.bias) if start else [0.0] * count

    def __missing__(self, feature: int) -> list[float]:
        row = [0.0] * self.count
        if self.start is not None:
            at = feature * self.count
            row = [self.start.step * value for value in self.start.weights[at : at + self.count]]
        self[feature] = row
        return row


def _fit(
    rows: Sequence[tuple[Features, int, float]],
    weights: _Weights,
    sums: tuple[dict[int, list[float]], list[float]],
    rng: random.Random,
    epochs: tuple[int, int, int],
) -> None:
    """Descend from the weights through epochs (first, settled, end); add the settled epochs' weights up."""
    tables = [(tuple(features), tuple(features.values()), label, worth) for features, label, worth in rows]
    order = list(range(len(rows)))
    first, settled, end = epochs
    for epoch in range(first, end):
        rng.shuffle(order)
        rate = RATE / (1 + 0.5 * epoch)
        for index in order:
            features, values, label, worth = tables[index]
            # Two bits each: a feature is hidden when both are nought, one time in four.
            shown = rng.getrandbits(len(features)) | rng.getrandbits(len(features))
            chosen = f"{shown:0{len(features)}b}".encode().translate(_BITS)
            seen = tuple(compress(features, chosen))
            if seen:
                _step(seen, tuple(compress(values, chosen)), weights, label, rate * worth)
        if epoch >= settled:
            _add(*sums, weights)


def _step(
    features: tuple[int, ...], values: tuple[float, ...], weights: _Weights, label: int, rate: float
) -> None:
    norm = math.sqrt(sum(map(mul, values, values)))
    rows = [weights[feature] for feature in features]
    columns = zip(*rows, strict=True)
    scores = [
        bias + sum(map(mul, column, values)) / norm
        for bias, column in zip(weights.bias, columns, strict=True)
    ]
    shares = softmax(scores)
    if shares[label] > SURE_ENOUGH:
        return
    slopes = [-share * rate for share in shares]
    slopes[label] += rate
    for index, slope in enumerate(slopes):
        weights.bias[index] += BIAS_RATE * slope
    slopes = [slope / norm for slope in slopes]
    for feature, value, row in zip(features, values, rows, strict=True):
        weights[feature] = [weight + slope * value for weight, slope in zip(row, slopes, strict=True)]


def _add(sums: dict[int, list[float]], bias_sums: list[float], weights: _Weights) -> None:
    for feature, row in weights.items():
        before = sums.get(feature)
        sums[feature] = row if before is None else [a + b for a, b in zip(before, row, strict=True)]
    for index, value in enumerate(weights.bias):
        bias_sums[index] += value


def _pack(
    weights: dict[int, list[float]], before: "array[int]", step_before: float, shape: Classifier
) -> Classifier:
    """Write weights over those of before, as signed bytes of one step; the rest is taken from `shape`."""
    count = len(shape.labels)
    largest = max((abs(weight) for row in weights.values() for weight in row), default=1.0)
    step = max(largest / 127, step_before)
    packed = before[:]
    if step > step_before > 0:
        packed = array("b", [round(value * step_before / step) for value in before])
    for feature, row in weights.items():
        at = feature * count
        packed[at : at + count] = array("b", [round(weight / step) for weight in row])
    bias = tuple(round(value, 6) for value in shape.bias)
    return Classifier(shape.labels, packed, step, bias, shape.temperature, shape.version)
