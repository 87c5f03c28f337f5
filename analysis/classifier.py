"""A small linear classifier over hashed features: trained in seconds, kept in a few hundred kilobytes.

Called by `train` (to learn) and by the labelling readers (to judge). Multinomial logistic regression by
stochastic gradient descent; it knows no label and reads no file.
"""

import json
import math
import random
import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul
from typing import Final

from .features import HASH_BITS

EPOCHS: Final = 5
RATE: Final = 3.0
SURE_ENOUGH: Final = 0.97  # an example this well known teaches nothing more
_MAGIC: Final = b"BLC1"

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


def learn(
    rows: Sequence[tuple[Features, int, float]],
    labels: tuple[str, ...],
    *,
    seed: int = 7,
    temperature: float = 1.0,
    version: str = "",
    epochs: int = EPOCHS,
) -> Classifier:
    """

    it a classifier to (features, label index, weight) rows; the same rows and seed give the same result.
    """
    count = len(labels)
    weights: dict[int, list[float]] = {}
    bias = [0.0] * count
    order = list(range(len(rows)))
    rng = random.Random(seed)
    for epoch in range(epochs):
        rng.shuffle(order)
        rate = RATE / (1 + 0.5 * epoch)
        for index in order:
            _step(rows[index], weights, bias, rate, count)
    return _pack(weights, bias, labels, temperature, version)


def _step(
    row: tuple[Features, int, float],
    weights: dict[int, list[float]],
    bias: list[float],
    rate: float,
    count: int,
) -> None:
    features, label, importance = row
    scores = bias[:]
    for feature, value in features.items():
        known = weights.get(feature)
        if known is not None:
            scores = [score + weight * value for score, weight in zip(scores, known, strict=True)]
    shares = softmax(scores)
    if shares[label] > SURE_ENOUGH:
        return
    slopes = [-share * rate * importance for share in shares]
    slopes[label] += rate * importance
    for index, slope in enumerate(slopes):
        bias[index] += 0.05 * slope
    for feature, value in features.items():
        known = weights.get(feature)
        if known is None:
            weights[feature] = [slope * value for slope in slopes]
        else:
            weights[feature] = [weight + slope * value for weight, slope in zip(known, slopes, strict=True)]


def _pack(
    weights: dict[int, list[float]],
    bias: list[float],
    labels: tuple[str, ...],
    temperature: float,
    version: str,
) -> Classifier:
    count = len(labels)
    largest = max((abs(weight) for row in weights.values() for weight in row), default=1.0)
    step = largest / 127
    packed = array("b", bytes(count << HASH_BITS))
    for feature, row in weights.items():
        for index, weight in enumerate(row):
            packed[feature * count + index] = round(weight / step)
    return Classifier(labels, packed, step, tuple(round(value, 6) for value in bias), temperature, version)
