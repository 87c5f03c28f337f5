"""Models: the shipped ones are what the shipped examples teach, and a business can teach its own."""

from datetime import UTC, datetime

import pytest

from analysis import Models, Pattern, read
from analysis.classifier import Classifier, modest
from analysis.examples import Example
from analysis.features import find_concepts, tokenize
from analysis.train import LABELS, MODELS, score, shipped_examples, train, version

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize("task", list(LABELS))
def test_the_shipped_model_is_of_the_shipped_data(task: str) -> None:
    shipped = Classifier.from_bytes((MODELS / f"{task}.bin").read_bytes())
    assert shipped.version == version(task, shipped_examples(task)), "run python -m analysis.train"


def test_the_same_examples_train_the_same_bytes() -> None:
    assert train("urgency", shipped_examples("urgency")) == (MODELS / "urgency.bin").read_bytes()


def test_a_business_teaches_its_own_words() -> None:
    text = "o zorblat ta fazendo flumpf"
    own = [
        Example(f"{lead} zorblat ta fazendo flumpf {tail}", "support_ticket", "pt", weight=3.0)
        for lead in ("o", "meu", "esse", "oi o")
        for tail in ("", "de novo", "hoje")
    ]
    few = [example for example in shipped_examples("intent") if example.language == "pt"]
    models = Models({"intent": Classifier.from_bytes(train("intent", few + own))})
    assert read(text, now=NOW, models=models).intent == "support_ticket"


def test_a_label_outside_the_list_is_refused() -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        train("intent", [Example("hi", "no_such_label", "en")])


def test_bytes_that_are_no_model_are_refused() -> None:
    with pytest.raises(ValueError, match="not a trained classifier"):
        Classifier.from_bytes(b"something else")


def test_a_phrase_of_the_business_outweighs_the_model() -> None:
    models = Models(patterns=(Pattern("intent", "appointment_request", "Banho e Tosa"),))
    assert read("oi, banho e tosa do rex", now=NOW, models=models).intent == "appointment_request"
    assert read("oi, banhoetosa", now=NOW, models=models).intent != "appointment_request"


@pytest.mark.parametrize(
    ("phrase", "text", "stands"),
    [
        ("غرفة", "عندكم غرفة؟", True),
        ("غرفة", "بالغرفة مشكلة", True),
        ("غرفة", "والغرفة جاهزة", True),
        ("طلب", "مطلبي بسيط", False),
        ("طلب", "طلبات كثيرة", False),
        ("방", "방 있나요", True),
        ("방", "방이 있나요", True),
        ("방", "방법을 알려주세요", False),
        ("방", "가방 있나요", False),
        ("환불", "환불해주세요", True),
        ("환불", "재환불은요", False),
        ("退款", "我要退款", True),
    ],
)
def test_a_phrase_stands_at_the_ends_of_words(phrase: str, text: str, stands: bool) -> None:
    models = Models(patterns=(Pattern("urgency", "critical", phrase),))
    assert (read(text, now=NOW, models=models).urgency == "critical") is stands


def test_the_version_tells_when_a_cached_reading_is_stale() -> None:
    phrase = Pattern("intent", "complaint", "zorblat")
    assert Models().version() == Models().version()
    assert Models(patterns=(phrase,)).version() != Models().version()


def test_a_model_is_scored_on_examples() -> None:
    examples = [Example("there is smoke and fire", "critical", "en"), Example("no rush at all", "low", "en")]
    measured = score(Classifier.from_bytes((MODELS / "urgency.bin").read_bytes()), "urgency", examples)
    assert (measured.examples, measured.accuracy) == (2, 1.0)


def test_the_surest_claim_less_and_keep_their_order() -> None:
    claims = [modest(share, above=0.7, slope=0.33) for share in (0.5, 0.7, 0.8, 1.0)]
    assert claims[:2] == [0.5, 0.7]
    assert 0.7 < claims[2] < claims[3] < 0.8


@pytest.mark.parametrize("word", ["خوفكم", "وخوفهم", "خوفها", "خوف"])
def test_an_arabic_feeling_is_known_with_its_pronoun(word: str) -> None:
    assert "fear" in find_concepts(tokenize(word), ("ar",), "feelings")
