"""Training: written examples in, a small model out, in seconds.

Called by `python -m analysis.train` (writes the shipped models) and by the command `train` with a
business's own examples added. `train` is pure: the same examples give the same bytes.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vocabulary import BUYING_SIGNALS, LANGUAGES, SENTIMENTS, SERVICE_INTENTS, URGENCIES

from .classifier import Classifier, Features, learn
from .examples import Example, written_examples
from .features import extract
from .language import learn_languages
from .lexicons import load

MODELS: Final = Path(__file__).parent / "models"
NO_SIGNAL: Final = "none"
REAL, SPAM = "real", "spam"
LABELS: Final = {
    "intent": SERVICE_INTENTS,
    "buying_signal": (*BUYING_SIGNALS, NO_SIGNAL),
    "sentiment": SENTIMENTS,
    "urgency": URGENCIES,
    "spam": (REAL, SPAM),
}
LEXICONS: Final = {
    "intent": ("concepts",),
    "buying_signal": ("concepts",),
    "sentiment": ("feelings", "concepts"),
    "urgency": ("concepts",),
    "spam": ("concepts",),
}
# People outside these pages write less like our examples than our own held-out lines do, so the fitted
# temperature is
# widened: measured on the test split that nobody trained on.
STRANGER_FACTOR: Final = {"intent": 1.3, "buying_signal": 1.3, "sentiment": 1.3, "urgency": 1.3, "spam": 1.0}
EVERYDAY_WEIGHT: Final = 2
REAL_TASKS: Final = ("buying_signal", "sentiment", "urgency")
# What shows the lack of a buying signal: of these intents one line in four.
QUIET: Final = ("other", "spam", "complaint", "support_ticket", "feedback")
NO_SIGNAL_STEP: Final = 4
HELD_OUT: Final = 5  # every fifth example settles the temperature
_TEMPERATURES: Final = tuple(step / 20 for step in range(4, 61))

Row = tuple[Features, int, float]


def train(task: str, examples: Sequence[Example]) -> bytes:
    """Train one task's classifier; raises ValueError for a label that the task does not know."""
    labels = LABELS[task]
    rows = _rows(task, examples, labels)
    trial = learn([row for index, row in enumerate(rows) if index % HELD_OUT], labels)
    temperature = _fit_temperature(trial, rows[::HELD_OUT]) * STRANGER_FACTOR[task]
    return learn(rows, labels, temperature=temperature, version=version(task, examples)).to_bytes()


@dataclass(frozen=True, slots=True)
class Score:
    """How many of some labelled examples a model gets right, and its F1 averaged over labels."""

    examples: int
    accuracy: float
    macro_f1: float


def score(classifier: Classifier, task: str, examples: Sequence[Example]) -> Score:
    """Measure a model on examples, for showing before and after; measure on others than it was trained on."""
    pairs = []
    for example in examples:
        shares = classifier.judge(extract(example.text, (example.language,), LEXICONS[task]))
        pairs.append((example.label, max(shares, key=lambda label: shares[label])))
    labels = {gold for gold, _ in pairs}
    scores = [_label_f1(pairs, label) for label in sorted(labels)]
    right = sum(gold == found for gold, found in pairs)
    return Score(len(pairs), right / max(1, len(pairs)), sum(scores) / max(1, len(scores)))


def _label_f1(pairs: Sequence[tuple[str, str]], label: str) -> float:
    right = sum(gold == found == label for gold, found in pairs)
    wrong = sum((gold == label) != (found == label) for gold, found in pairs)
    return 2 * right / (2 * right + wrong) if right else 0.0


def shipped_examples(task: str) -> list[Example]:
    """Give the packaged examples that the shipped model of a task is trained on."""
    if task == "spam":
        return _spam_examples()
    examples = written_examples(task)
    if task == "buying_signal":
        examples += [
            Example(example.text, NO_SIGNAL, example.language)
            for index, example in enumerate(written_examples("intent"))
            if example.label in QUIET and index % NO_SIGNAL_STEP == 0
        ]
    return examples


def _spam_examples() -> list[Example]:
    """Set every advert against everything else that anybody here wrote as a customer."""
    everything = [example for task in ("intent", *REAL_TASKS) for example in written_examples(task)]
    return [Example(one.text, SPAM if one.label == SPAM else REAL, one.language) for one in everything]


def language_texts() -> list[tuple[str, str]]:
    """Give every text of the package with its language:

    examples, the words of the lexicons, everyday sentences.
    """
    texts = [
        (example.text, example.language)
        for task in ("intent", *REAL_TASKS)
        for example in written_examples(task)
    ]
    for language in LANGUAGES:
        for lexicon in ("concepts", "feelings"):
            for entries in load(lexicon, language).values():
                texts.append((str(entries).replace("*", ""), language))
        for line in str(load("everyday", language).get("sentences", "")).splitlines():
            texts += [(line, language)] * EVERYDAY_WEIGHT
    return texts


def main() -> None:
    """Write the shipped model of every task."""
    MODELS.mkdir(exist_ok=True)
    (MODELS / "language.bin").write_bytes(learn_languages(language_texts()).to_bytes())
    for task in LABELS:
        data = train(task, shipped_examples(task))
        (MODELS / f"{task}.bin").write_bytes(data)
        print(f"{task}: {len(data) // 1024} kB")  # noqa: T201 - the command's answer


def _rows(task: str, examples: Sequence[Example], labels: tuple[str, ...]) -> list[Row]:
    """Weigh each language and label alike, however many lines were written for it."""
    counts = Counter((example.language, example.label) for example in examples)
    usual = sorted(counts.values())[len(counts) // 2] if counts else 1
    return [
        (
            extract(example.text, (example.language,), LEXICONS[task]),
            labels.index(example.label),
            example.weight * min(2.0, (usual / counts[example.language, example.label]) ** 0.5),
        )
        for example in examples
    ]


def _fit_temperature(trial: Classifier, held_out: Sequence[Row]) -> float:
    """Choose the temperature under which the held-out labels are least surprising."""
    if not held_out:
        return 1.0
    known = [(trial.scores(features), label) for features, label, _ in held_out]

    def surprise(temperature: float) -> float:
        return sum(Classifier.surprise(scores, label, temperature) for scores, label in known)

    return min(_TEMPERATURES, key=surprise)


def version(task: str, examples: Sequence[Example]) -> str:
    """Name what a model is learnt from: its examples and lexicons. Readings are cached under it."""
    digest = hashlib.sha256(task.encode())
    for language in LANGUAGES:
        for lexicon in LEXICONS[task]:
            digest.update(repr(load(lexicon, language)).encode())
    for example in examples:
        digest.update(f"{example.language}\t{example.label}\t{example.text}\n".encode())
    return digest.hexdigest()[:12]


if __name__ == "__main__":
    main()
