"""How well the local analysis reads: `python -m bench.analysis [--texts FOLDER] [--brief] ...`.

Measures on the project's own test split (`tests/analysis/`), which nothing is trained on, and, when a
folder of public evaluation texts is given (`--texts` or EVALUATION_DIR), on those. It prints tables, trains
nothing and writes nothing. With `--local`, intent and buying signal are measured again with the optional
local model, whose weights are kept in FOLDER.
"""

import argparse
import json
import os
import re
import resource
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import yaml

from analysis import Models, Reading, read
from analysis.embedding import is_installed, local_model
from vocabulary import LANGUAGES

OWN_SPLIT: Final = Path(__file__).parent.parent / "tests" / "analysis"
NOW: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
NONE: Final = "none"
SPAM: Final = "spam"
SIDES: Final = {
    "positive": "+",
    "excited": "+",
    "neutral": "0",
    "negative": "-",
    "angry": "-",
    "frustrated": "-",
}
STEPS: Final = {"critical": "high", "urgent": "high", "high": "high", "medium": "medium", "low": "low"}
WEAKEST: Final = 12
SENTENCE_WORDS: Final = 8
UNSPACED: Final = frozenset({"zh", "ja"})
SENTENCE_CHARACTERS: Final = 16
SHIPPED: Final = Models()
HELPED: Final = frozenset({"intent", "buying_signal"})  # by the optional local model


@dataclass(frozen=True)
class Judged:
    """One text with its gold label, what was read, and how sure."""

    task: str
    language: str
    gold: str
    found: str
    confidence: float


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", default=os.environ.get("EVALUATION_DIR", ""))
    parser.add_argument("--own", default=str(OWN_SPLIT))
    parser.add_argument("--brief", action="store_true", help="averages only")
    parser.add_argument("--local", type=Path, help="also measure with the optional local model")
    options = parser.parse_args()
    if options.local and not is_installed():
        parser.error("the optional local model is not installed: make local-ai")
    started = time.perf_counter()
    read("hello", now=NOW)
    print(f"first message (models loaded): {(time.perf_counter() - started) * 1000:.0f} ms")
    _report("own test split", list(_own_split(Path(options.own))), brief=options.brief)
    if options.texts and (Path(options.texts) / "intents.jsonl").exists():
        _report("public texts", list(_public_texts(Path(options.texts))), brief=options.brief)
        _report_entities(Path(options.texts))
        _report_speed(Path(options.texts))
    if options.local:
        _report_local(options)
    print(f"resident memory, whole process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


def _report_local(options: argparse.Namespace) -> None:
    models = Models(local=local_model(options.local))
    own = _own_split(Path(options.own), models)
    _report("own test split, with the local model", _helped(own), brief=options.brief)
    if options.texts:
        public = _public_texts(Path(options.texts), models)
        _report("public texts, with the local model", _helped(public), brief=options.brief)


def _helped(rows: Iterable[Judged]) -> list[Judged]:
    return [row for row in rows if row.task in HELPED]


def _own_split(folder: Path, models: Models = SHIPPED) -> Iterable[Judged]:
    for path in sorted(folder.glob("*/*.yaml")):
        language, task = path.parent.name, path.stem
        if models.local is not None and task not in HELPED:
            continue
        for gold, block in yaml.safe_load(path.read_text(encoding="utf-8")).items():
            for line in str(block).splitlines():
                if line.strip():
                    yield from _judge(task, line.strip(), language, str(gold), (), models)


def _judge(
    task: str, text: str, language: str, gold: str, also: Sequence[str], models: Models
) -> Iterable[Judged]:
    reading = read(text, now=NOW, models=models)
    yield from _judge_language(text, language, reading)
    if task == "reviews":
        side = SIDES[reading.sentiment]
        yield Judged("customer reviews, three-way", language, SIDES[gold], side, reading.sentiment_confidence)
        return
    found, confidence = _label(task, reading)
    if task == "sentiment":
        side = SIDES[gold] if found in also else SIDES[found]
        yield Judged("sentiment, three-way", language, SIDES[gold], side, confidence)
    if task == "urgency":
        yield Judged("urgency, three steps", language, STEPS[gold], STEPS[found], confidence)
    yield Judged(task, language, gold, gold if found in also else found, confidence)


def _judge_language(text: str, language: str, reading: Reading) -> Iterable[Judged]:
    """Judge the language, and once more among sentences: their writing leaves less doubt than a word does."""
    judged = Judged("language", language, language, reading.language, reading.language_confidence)
    yield judged
    is_sentence = len(text.split()) >= SENTENCE_WORDS or (
        language in UNSPACED and len(text) >= SENTENCE_CHARACTERS
    )
    if is_sentence:
        yield replace(judged, task="language, sentences")


def _label(task: str, reading: Reading) -> tuple[str, float]:
    return getattr(reading, task) or NONE, getattr(reading, f"{task}_confidence")


def _public_texts(folder: Path, models: Models = SHIPPED) -> Iterable[Judged]:
    for name, task in (("intents", "intent"), ("emotion6", "sentiment")):
        if models.local is not None and task not in HELPED:
            continue
        for row in _rows(folder / f"{name}.jsonl"):
            yield from _judge(task, row["text"], row["lang"], row["label"], row.get("also_ok") or (), models)
    for row in _rows(folder / "entities.jsonl") if models.local is None else ():
        reading = read(row["text"], now=NOW)
        yield from _judge_language(row["text"], row["lang"], reading)


def _rows(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def _report(title: str, judged: list[Judged], *, brief: bool) -> None:
    print(f"\n== {title}: {len(judged)} judgements")
    tasks: dict[str, list[Judged]] = defaultdict(list)
    for row in judged:
        tasks[row.task].append(row)
    for task, rows in tasks.items():
        by_language = {name: [row for row in rows if row.language == name] for name in LANGUAGES}
        cells = {name: macro_f1(some) for name, some in by_language.items() if some}
        right = sum(row.gold == row.found for row in rows) / len(rows)
        if task.startswith("language"):
            cells = {
                name: sum(row.gold == row.found for row in some) / len(some)
                for name, some in by_language.items()
                if some
            }
        mean = sum(cells.values()) / len(cells)
        print(
            f"\n{task}: macro-F1 {macro_f1(rows):.3f}  accuracy {right:.3f}  "
            f"mean of languages {mean:.3f}  n={len(rows)}"
        )
        print("  " + "  ".join(f"{name} {cell:.3f}" for name, cell in cells.items()))
        if not brief:
            _report_details(task, rows)


def _report_details(task: str, rows: list[Judged]) -> None:
    if not task.startswith("language"):
        scores = label_f1(rows)
        print("  by label: " + "  ".join(f"{label} {score:.2f}" for label, score in sorted(scores.items())))
    _report_reliability(rows)
    wrong = Counter((row.language, row.gold, row.found) for row in rows if row.gold != row.found)
    print("  weakest: " + ", ".join(f"{lang} {a}>{b} {n}" for (lang, a, b), n in wrong.most_common(WEAKEST)))
    if task == "intent":
        _report_false_spam(rows)


def _report_reliability(rows: list[Judged]) -> None:
    """Print how often answers of each confidence are right; the error is the mean gap between the two."""
    bins: dict[int, list[Judged]] = defaultdict(list)
    for row in rows:
        bins[min(9, int(row.confidence * 10))].append(row)
    print("  confidence  claimed  right  answers")
    gaps = 0.0
    for at, some in sorted(bins.items()):
        claimed = sum(row.confidence for row in some) / len(some)
        right = sum(row.gold == row.found for row in some) / len(some)
        gaps += abs(claimed - right) * len(some)
        print(f"  {at / 10:.1f}-{at / 10 + 0.1:.1f}     {claimed:.2f}     {right:.2f}   {len(some):5d}")
    print(f"  mean gap {gaps / len(rows):.3f}")


def _report_false_spam(rows: list[Judged]) -> None:
    cells = []
    with_spam = {row.language for row in rows if row.gold == SPAM}
    scores = {name: label_f1(row for row in rows if row.language == name)[SPAM] for name in with_spam}
    print("  spam F1: " + "  ".join(f"{name} {scores[name]:.2f}" for name in LANGUAGES if name in scores))
    for name in LANGUAGES:
        real = [row for row in rows if row.language == name and row.gold != SPAM]
        if real:
            cells.append(f"{name} {sum(row.found == 'spam' for row in real) / len(real):.2%}")
    print("  real messages called spam: " + "  ".join(cells))


def label_f1(rows: Iterable[Judged]) -> dict[str, float]:
    """Give F1 per gold label."""
    pairs = [(row.gold, row.found) for row in rows]
    scores = {}
    for label in {gold for gold, _ in pairs}:
        right = sum(gold == found == label for gold, found in pairs)
        wrong = sum((gold == label) != (found == label) for gold, found in pairs)
        scores[label] = 2 * right / (2 * right + wrong) if right else 0.0
    return scores


def macro_f1(rows: Iterable[Judged]) -> float:
    """Average F1 over the gold labels."""
    scores = label_f1(list(rows))
    return sum(scores.values()) / len(scores) if scores else 0.0


def _report_entities(folder: Path) -> None:
    print("\n== entities, by overlap (f1) and by value among overlapping")
    hits: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for row in _rows(folder / "entities.jsonl"):
        reference = datetime.fromisoformat(row["ref"]).replace(tzinfo=UTC) if row.get("ref") else NOW
        reading = read(row["text"], now=reference, region=row.get("region"), language=row["lang"])
        for kind in row["types"]:
            _match(kind, row, reading, hits[kind, row["lang"]])
    for kind in ("phone", "email", "url", "money", "date"):
        cells = {language: counts for (name, language), counts in hits.items() if name == kind}
        if not cells:
            continue
        total = [sum(column) for column in zip(*cells.values(), strict=True)]
        print(
            f"{kind}: {_f1(total):.3f} value {total[3] / max(1, total[0]):.2f}  "
            + "  ".join(
                f"{name} {_f1(cells[name]):.2f}/{cells[name][3] / max(1, cells[name][0]):.2f}"
                for name in LANGUAGES
                if name in cells
            )
        )


def _match(kind: str, row: dict[str, Any], reading: Reading, counts: list[int]) -> None:
    found = [entity for entity in reading.entities if entity.type == kind]
    for gold in (entity for entity in row["entities"] if entity["type"] == kind):
        match = next(
            (one for one in found if _overlaps(one.start, one.end, gold["start"], gold["end"])), None
        )
        if match is None:
            counts[2] += 1
            continue
        found.remove(match)
        counts[0] += 1
        counts[3] += _same_value(kind, match.value, gold.get("value"))
    counts[1] += len(found)


def _overlaps(start: int, end: int, gold_start: int, gold_end: int) -> bool:
    shared = min(end, gold_end) - max(start, gold_start)
    return shared * 2 >= max(end - start, gold_end - gold_start)


def _same_value(kind: str, value: object, gold: object) -> bool:
    if kind == "money" and isinstance(value, dict) and isinstance(gold, dict):
        try:
            amount = str(gold.get("amount", "nan")).replace(",", ".")  # the public texts write both marks
            return abs(float(value["amount"]) - float(amount)) < 0.005
        except (TypeError, ValueError):
            return False
    options = gold if isinstance(gold, list) else [gold]
    if kind == "date":
        return any(str(value)[:10] == str(option)[:10] for option in options)
    if kind == "phone":
        return any(_same_phone(str(value), str(option)) for option in options)
    return any(str(value) == str(option) for option in options)


def _same_phone(value: str, gold: str) -> bool:
    """Compare the digits: the public texts give a phone as it was written, ours has its country before it."""
    found, written = (re.sub(r"\D", "", text) for text in (value, re.sub(r"\(0\)", "", gold)))
    return bool(written) and found.endswith(written.lstrip("0"))


def _f1(counts: Sequence[int]) -> float:
    right, extra, missed = counts[:3]
    return 2 * right / (2 * right + extra + missed) if right else 0.0


def _report_speed(folder: Path) -> None:
    texts = [
        row["text"] for name in ("intents", "emotion6", "entities") for row in _rows(folder / f"{name}.jsonl")
    ]
    started, worked = time.perf_counter(), time.process_time()
    for text in texts:
        read(text, now=NOW)
    spent, work = time.perf_counter() - started, time.process_time() - worked
    print(
        f"\n{len(texts) / work:.0f} messages a second of one core, {work / len(texts) * 1000:.2f} ms each "
        f"({spent / len(texts) * 1000:.2f} ms on this machine's clock)"
    )


if __name__ == "__main__":
    main()
