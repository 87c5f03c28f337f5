"""The written examples: enough of them for every label and language, and no copies of one another."""

from collections import defaultdict
from functools import cache

import pytest

from analysis.examples import written_examples
from analysis.judging import plain
from analysis.train import LABELS, NO_SIGNAL, shipped_examples
from training.refusals import TASKS
from vocabulary import LANGUAGES

THOROUGH = frozenset({"pt", "es", "en"})  # the shop's own languages
WANTED_THOROUGH, WANTED = 60, 30
GRAM = 4
UNSPACED_GRAM = 2
ALIKE = 0.6  # of the shorter line's groups of letters: "where is my order" against "where is my big order"


def grams(text: str, language: str) -> frozenset[str]:
    """Give the groups of letters of a line, which nearly the same line shares."""
    size = UNSPACED_GRAM if language in {"zh", "ja", "ko"} else GRAM
    line = "".join(character for character in plain(text) if character.isalnum())
    return frozenset(line[at : at + size] for at in range(max(1, len(line) - size + 1)))


@cache
def varied_counts(task: str) -> dict[tuple[str, str], int]:
    """Count a task's examples by language and label, without those that nearly repeat an earlier one."""
    kept: dict[tuple[str, str], list[frozenset[str]]] = defaultdict(list)
    for example in shipped_examples(task):
        found = grams(example.text, example.language)
        known = kept[example.language, example.label]
        if not any(len(found & one) >= ALIKE * min(len(found), len(one)) for one in known):
            known.append(found)
    return {key: len(lines) for key, lines in kept.items()}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("task", TASKS)
def test_every_label_has_its_varied_examples(task: str, language: str) -> None:
    counts = varied_counts(task)
    wanted = WANTED_THOROUGH if language in THOROUGH else WANTED
    labels = [label for label in LABELS[task] if label != NO_SIGNAL]
    short = {label: counts.get((language, label), 0) for label in labels}
    assert {label: count for label, count in short.items() if count < wanted} == {}


@pytest.mark.parametrize("task", [*TASKS, "chatter"])
def test_no_line_stands_twice_under_a_label(task: str) -> None:
    seen: set[tuple[str, str, str]] = set()
    for example in written_examples(task):
        key = (example.language, example.label, plain(example.text))
        assert key not in seen, key
        seen.add(key)


def test_every_written_label_is_one_of_the_task() -> None:
    for task in TASKS:
        assert {example.label for example in written_examples(task)} <= set(LABELS[task])
