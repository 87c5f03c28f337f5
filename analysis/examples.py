"""The written examples: per language and task, a block of utterances under each label, one a line.

Called by `train`, by the benches and by the tests. It reads packaged files only; a business's own examples
are handed to `train` as the same `Example`s.
"""

from dataclasses import dataclass

from vocabulary import LANGUAGES

from .lexicons import load


@dataclass(frozen=True, slots=True)
class Example:
    """A text that someone labelled. `weight` above one is for what an operator corrected."""

    text: str
    label: str
    language: str
    weight: float = 1.0


def written_examples(task: str, folder: str = "") -> list[Example]:
    """Read every packaged example of a task: intent, buying_signal, sentiment, urgency."""
    name = f"{folder}/{task}" if folder else task
    examples: list[Example] = []
    for language in LANGUAGES:
        for label, block in load(name, language).items():
            lines = (line.strip() for line in str(block).splitlines())
            examples += [Example(line, label, language) for line in lines if line]
    return examples
