"""Training: written examples in, a small model out, in seconds.

Called by `python -m analysis.train` (writes the shipped models) and by the command `train` with a
business's own examples added. `train` is pure: the same examples give the same bytes.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from vocabulary import BUYING_SIGNALS, LANGUAGES, SENTIMENTS, SERVICE_INTENTS, URGENCIES

from .classifier import Classifier, Features, learn, teach
from .examples import Example, written_examples
from .features import extract
from .language import learn_languages
from .lexicons import load

MODELS: Final = Path(__file__).parent / "models"
NO_SIGNAL: Final = "none"
REAL, SPAM = "real", "spam"
# Lines that ask for nothing, feel nothing and can wait: every task learns them as its own "nothing".
CHATTER: Final = "chatter"
# Feelings are said in many more ways than these calm lines, which at full weight would drown them.
CHATTER_WEIGHT: Final = {"sentiment": 0.33}
NOTHING: Final = {"intent": "other", "buying_signal": NO_SIGNAL, "sentiment": "neutral", "urgency": "low"}
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
    "spam": ("concepts", "voice"),
}
# People outside these pages write less like our examples than our own held-out lines do, so the fitted
# temperature is
# widened: measured on the test split that nobody trained on.
STRANGER_FACTOR: Final = {"intent": 1.2, "buying_signal": 1.3, "sentiment": 1.5, "urgency": 1.5, "spam": 1.0}
COUNTING_TABLES: Final = ("dates", "numbers", "money")
GRAMMAR: Final = frozenset({"templates", "day_suffix", "time", "edges", "spans"})
EVERYDAY_WEIGHT: Final = 2
REAL_TASKS: Final = ("buying_signal", "sentiment", "urgency")
# What shows the lack of a buying signal: of these intents one line in four.
QUIET: Final = ("other", "spam", "complaint", "support_ticket", "feedback")
NO_SIGNAL_STEP: Final = 4
# Few lines stand for many words and many labels: several fits are averaged, lest chance decide.
SEEDS: Final = {
    "intent": (7, 8, 9, 10, 11, 12),
    "buying_signal": (7, 8, 9, 10, 11, 12),
    "sentiment": (7, 8, 9, 10, 11, 12),
    "spam": (7, 8, 9, 10, 11),
}
HELD_OUT: Final = 10  # every tenth example settles the temperature, and measures what is taught later
MEASURING: Final = MODELS / "measuring"  # the models without those
# A business's lesson goes on from the shipped model; so many packaged lines are told again, so that
# they are not forgotten.
TOLD_AGAIN: Final = 1500
_TEMPERATURES: Final = tuple(step / 20 for step in range(4, 61))

Row = tuple[Features, int, float]


def train(task: str, examples: Sequence[Example]) -> bytes:
    """Train one task's classifier; raises ValueError for a label that the task does not know."""
    return _train(task, examples)[0].to_bytes()


def _train(task: str, examples: Sequence[Example]) -> tuple[Classifier, Classifier]:
    """Give the classifier, and the one that has not seen every tenth example."""
    labels = LABELS[task]
    rows = _rows(task, examples, labels)
    trial = learn([row for index, row in enumerate(rows) if index % HELD_OUT], labels)
    temperature = _fit_temperature(trial, rows[::HELD_OUT]) * STRANGER_FACTOR[task]
    name = version(task, examples)
    trained = learn(rows, labels, seeds=SEEDS.get(task, (7,)), temperature=temperature, version=name)
    return trained, replace(trial, temperature=temperature, version=name)


def go_on(task: str, start: Classifier, own: Sequence[Example], package: Sequence[Example]) -> Classifier:
    """Teach a model that knows the packaged examples a business's own, in about a second.

    Some packaged lines are told again beside them, so that what they teach stays.
    """
    if not own:
        return start
    among = [*package, *own]
    stride = max(1, len(package) // max(TOLD_AGAIN, len(own)))
    rows = _rows(task, [*package[::stride], *own], LABELS[task], among)
    return teach(start, rows, version=version(task, among))


@cache
def measuring_model(task: str) -> Classifier:
    """Load the shipped model that has not seen every tenth packaged example: for measuring only."""
    return Classifier.from_bytes((MEASURING / f"{task}.bin").read_bytes())


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
    weight = CHATTER_WEIGHT.get(task, 1.0)
    examples += [Example(one.text, NOTHING[task], one.language, weight) for one in written_examples(CHATTER)]
    if task == "buying_signal":
        examples += [
            Example(example.text, NO_SIGNAL, example.language)
            for index, example in enumerate(written_examples("intent"))
            if example.label in QUIET and index % NO_SIGNAL_STEP == 0
        ]
    return examples


def _spam_examples() -> list[Example]:
    """Set every advert against everything else that anybody here wrote as a customer."""
    everything = [example for task in ("intent", *REAL_TASKS, CHATTER) for example in written_examples(task)]
    return [Example(one.text, SPAM if one.label == SPAM else REAL, one.language) for one in everything]


def language_texts() -> list[tuple[str, str]]:
    """Give every text of the package with its language:

    examples, the words of the lexicons, everyday sentences.
    """
    texts = [
        (example.text, example.language)
        for task in ("intent", *REAL_TASKS, CHATTER)
        for example in written_examples(task)
    ]
    for language in LANGUAGES:
        for lexicon in ("concepts", "feelings"):
            for entries in load(lexicon, language).values():
                texts.append((str(entries).replace("*", ""), language))
        texts += [(" ".join(_words_in(load(table, language))), language) for table in COUNTING_TABLES]
        for line in str(load("everyday", language).get("sentences", "")).splitlines():
            texts += [(line, language)] * EVERYDAY_WEIGHT
    return texts


def _words_in(table: dict[str, Any]) -> list[str]:
    """List the words of a table of days, numbers or currencies: keys of values, or lists under a code."""
    words: list[str] = []
    for name, part in table.items():
        if name in GRAMMAR or not isinstance(part, dict | list):
            continue
        entries: dict[Any, Any] = part if isinstance(part, dict) else dict.fromkeys(part)
        for key, value in entries.items():
            is_code = isinstance(value, list) and all(isinstance(one, str) for one in value)
            words += [str(one) for one in value] if is_code else [str(key)]
    return words


def main() -> None:
    """Write the shipped model of every task."""
    MEASURING.mkdir(parents=True, exist_ok=True)
    (MODELS / "language.bin").write_bytes(learn_languages(language_texts()).to_bytes())
    for task in LABELS:
        trained, measuring = _train(task, shipped_examples(task))
        data = trained.to_bytes()
        (MODELS / f"{task}.bin").write_bytes(data)
        (MEASURING / f"{task}.bin").write_bytes(measuring.to_bytes())
        print(f"{task}: {len(data) // 1024} kB")  # noqa: T201 - the command's answer


def _rows(
    task: str, examples: Sequence[Example], labels: tuple[str, ...], among: Sequence[Example] = ()
) -> list[Row]:
    """Weigh each language and label alike, however many lines were written for it, there or `among` all."""
    counts = Counter((example.language, example.label) for example in among or examples)
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
