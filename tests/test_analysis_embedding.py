"""The optional local model: a fake stands for the packages, which are not part of the set-up."""

import logging
import re
import struct
from pathlib import Path
from unittest.mock import Mock

import pytest

import training.current
from analysis import Models, embedding, judge
from analysis.embedding import HELD_OUT, SHARES, Heads, LocalModel, as_embedding_model, train_heads
from analysis.examples import Example
from analysis.judging import Pattern
from analysis.train import LABELS
from tests.conftest import LEFT_OUT

ROOT = Path(embedding.__file__).parent.parent
PLACES = {label: index for index, label in enumerate(LABELS["intent"])}
NAMES = list(PLACES)


def embed(text: str) -> list[float]:
    """Place every text by the label that it names."""
    values = [0.1] * len(PLACES)
    for label, index in PLACES.items():
        values[index] += label in text
    return values


@pytest.fixture(scope="module")
def heads() -> Heads:
    """Learn heads on texts that name their label."""
    examples = {
        task: [
            Example(f"{NAMES[index % len(NAMES)]} {count}", label, "en")
            for index, label in enumerate(LABELS[task])
            for count in range(2 * HELD_OUT)
        ]
        for task in SHARES
    }
    return train_heads(examples, embed)


def read_with(local: LocalModel | None, text: str, **more: object) -> tuple[str, float]:
    judgement = judge(text, language="en", models=Models(local=local, **more))  # type: ignore[arg-type]
    return judgement.intent, judgement.intent_confidence


def test_the_local_model_is_loaded_at_the_first_text_and_once(heads: Heads) -> None:
    load = Mock(return_value=embed)
    local = LocalModel(load, heads)
    models = Models(local=local)
    assert models.version()
    load.assert_not_called()
    for text in ("complaint about blue shoes", "feedback about blue shoes", "complaint about blue shoes"):
        judge(text, language="en", models=models)
    load.assert_called_once_with()


def test_one_text_is_embedded_once_for_intent_and_buying_signal(heads: Heads) -> None:
    asked = Mock(side_effect=embed)
    judge(
        "the lead_inquiry of tomorrow", language="en", models=Models(local=LocalModel(lambda: asked, heads))
    )
    asked.assert_called_once_with("the lead_inquiry of tomorrow")


def test_the_head_moves_the_shares_by_its_part_and_they_stay_probabilities(heads: Heads) -> None:
    even = dict.fromkeys(LABELS["intent"], 1 / len(LABELS["intent"]))
    mixed = LocalModel(lambda: embed, heads).blend("intent", "a complaint", even)
    assert sum(mixed.values()) == pytest.approx(1)
    assert max(mixed, key=lambda label: mixed[label]) == "complaint"
    assert mixed["complaint"] > 2 * even["complaint"]
    assert min(mixed.values()) > 0


def test_tasks_without_a_head_are_judged_as_before(heads: Heads) -> None:
    load = Mock(return_value=embed)
    shares = {"high": 0.3, "low": 0.7}
    assert LocalModel(load, heads).blend("urgency", "now!", shares) is shares
    load.assert_not_called()


def test_what_cannot_be_loaded_is_one_line_in_the_log_and_reads_as_without(
    heads: Heads, caplog: pytest.LogCaptureFixture
) -> None:
    load = Mock(side_effect=OSError("no space left"))
    local = LocalModel(load, heads)
    texts = ("where is my parcel", "the shoes arrived broken", "can I book for friday?")
    with caplog.at_level(logging.WARNING):
        assert [read_with(local, text) for text in texts] == [read_with(None, text) for text in texts]
    load.assert_called_once_with()
    assert [record.getMessage() for record in caplog.records] == ["local_ai_unusable: OSError: no space left"]


def test_a_model_that_fails_later_steps_aside_too(heads: Heads) -> None:
    local = LocalModel(lambda: Mock(side_effect=RuntimeError("gone")), heads)
    assert read_with(local, "where is my parcel") == read_with(None, "where is my parcel")
    assert local.has_failed


def test_the_version_of_a_reading_names_the_local_model(heads: Heads) -> None:
    local = LocalModel(lambda: embed, heads)
    assert Models(local=local).version() != Models().version()
    assert Models(local=local).version() == Models(local=LocalModel(lambda: embed, heads)).version()


def test_a_phrase_of_the_business_outweighs_the_local_model(heads: Heads) -> None:
    pattern = Pattern("intent", "feedback", "blue shoes")
    intent, _ = read_with(LocalModel(lambda: embed, heads), "complaint about blue shoes", patterns=(pattern,))
    assert intent == "feedback"


def test_heads_come_back_from_their_files_and_the_same_training_gives_the_same_bytes(
    heads: Heads, tmp_path: Path
) -> None:
    heads.write(tmp_path)
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    again = Heads.load(tmp_path)
    assert again.judge("intent", embed("complaint")) == heads.judge("intent", embed("complaint"))
    again.write(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first


def test_the_shipped_heads_know_the_labels_of_their_tasks() -> None:
    shipped = Heads.load()
    for task, head in shipped.tasks.items():
        assert set(head.labels) == set(LABELS[task])
        assert len(head.weights) == len(head.labels) * len(shipped.centre)


def test_nothing_is_used_where_it_is_not_installed_or_not_wanted(
    load_config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "is_installed", lambda: False)
    embedding.local_model.cache_clear()
    assert training.current.local_of(load_config()) is None
    embedding.local_model.cache_clear()
    monkeypatch.setattr(embedding, "is_installed", lambda: True)
    assert training.current.local_of(load_config(LOCAL_AI="0")) is None
    wanted = training.current.local_of(load_config())
    assert wanted is not None
    assert wanted is training.current.local_of(load_config(LOCAL_AI="1"))
    embedding.local_model.cache_clear()


def gguf(architecture: bytes, entries: dict[bytes, bytes]) -> bytes:
    """Write the head of a small weights file with one tensor and its data."""

    def text(value: bytes) -> bytes:
        return struct.pack("<Q", len(value)) + value

    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 1 + len(entries))
    head += text(b"general.architecture") + struct.pack("<I", 8) + text(architecture)
    for key, value in entries.items():
        head += text(key) + value
    head += text(b"token_embd.weight") + struct.pack("<IQIQ", 1, 8, 0, 0)
    return head + bytes(-len(head) % 32) + b"the data"


def test_weights_are_declared_an_embedding_model_and_their_data_stays_aligned() -> None:
    words = struct.pack("<IIQ", 9, 8, 2) + struct.pack("<Q", 2) + b"oi" + struct.pack("<Q", 3) + b"bye"
    numbers = struct.pack("<IIQ", 9, 4, 2) + struct.pack("<II", 7, 8)
    size = struct.pack("<II", 4, 640)
    found = as_embedding_model(
        gguf(b"gemma3", {b"gemma3.width": size, b"tokenizer.words": words, b"tokenizer.kinds": numbers})
    )
    wanted = gguf(
        b"gemma-embedding",
        {b"gemma-embedding.width": size, b"tokenizer.words": words, b"tokenizer.kinds": numbers},
    )
    assert found == wanted


def test_what_is_no_weights_file_is_refused() -> None:
    with pytest.raises(ValueError, match="GGUF"):
        as_embedding_model(b"<html>not found</html>")


def test_the_optional_packages_are_pinned_by_hash_and_stand_in_no_other_file() -> None:
    pinned = (ROOT / "requirements-local-ai.txt").read_text(encoding="utf-8")
    assert "://" not in pinned
    for requirement in re.split(r"\n(?=[a-z])", pinned):
        assert re.match(r"[a-z0-9-]+==\S+ \\\n    --hash=sha256:", requirement), requirement
    for name in ("requirements.txt", "requirements-dev.txt"):
        assert "xllamacpp" not in (ROOT / name).read_text(encoding="utf-8")


def test_the_real_model_takes_part_in_reading(tmp_path_factory: pytest.TempPathFactory) -> None:
    if not embedding.is_installed():
        pytest.skip(f"{LEFT_OUT}local model (`make local-ai`)")
    local = LocalModel(lambda: embedding.load_embedder(tmp_path_factory.mktemp("weights")), Heads.load())
    text = "where is the parcel that I ordered on monday?"
    intent, confidence = read_with(local, text)
    assert not local.has_failed
    assert intent == "order_inquiry"
    assert confidence != read_with(None, text)[1]
