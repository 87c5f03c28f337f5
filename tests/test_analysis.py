"""The reading of a message: one label of each list, honest about what it does not know."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import Reading, read
from analysis.examples import written_examples
from vocabulary import BUYING_SIGNALS, LANGUAGES, SENTIMENTS, SERVICE_INTENTS, URGENCIES

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_a_message_is_read_whole() -> None:
    reading = read(
        "oi, cadê meu pedido? paguei R$ 1.234,56 ontem, me liga 11 98765-4321", now=NOW, region="BR"
    )
    assert reading.language == "pt"
    assert reading.intent == "order_inquiry"
    assert {entity.type for entity in reading.entities} == {"money", "date", "phone"}


@pytest.mark.parametrize(
    "text", ["", "   ", "?", "...", "12345", "🙂", "ok", "oi", "hello", "こんにちは", "مرحبا"]
)
def test_a_message_without_a_sign_is_other_neutral_and_never_urgent(text: str) -> None:
    reading = read(text, now=NOW)
    assert reading.intent == "other"
    assert reading.urgency == "low"
    assert reading.buying_signal is None
    assert reading.sentiment in {"neutral", "positive"}


@pytest.mark.parametrize(
    ("text", "language", "intent"),
    [
        ("qto custa??", "pt", "lead_inquiry"),
        ("cadê meu pedido", "pt", "order_inquiry"),
        ("no me llega el paquete", "es", "order_inquiry"),
        ("wo bleibt mein paket", "de", "order_inquiry"),
        ("je voudrais prendre rdv demain", "fr", "appointment_request"),
        ("l'app non si apre più", "it", "support_ticket"),
        ("my card was declined", "en", "payment_inquiry"),
        ("我要投诉你们的服务", "zh", "complaint"),
        ("予約を変更したいです", "ja", "appointment_request"),
        ("환불 언제 되나요", "ko", "payment_inquiry"),
        ("وين طلبي", "ar", "order_inquiry"),
    ],
)
def test_chat_is_understood_in_ten_languages(text: str, language: str, intent: str) -> None:
    reading = read(text, now=NOW)
    assert (reading.language, reading.intent) == (language, intent)


def test_an_advert_is_spam_and_no_lead() -> None:
    reading = read("CONGRATULATIONS you won a $1000 gift card, click here to claim http://bit.ly/x", now=NOW)
    assert reading.intent == "spam"
    assert reading.buying_signal is None
    assert reading.urgency == "low"


@pytest.mark.parametrize(
    ("text", "is_good"),
    [
        ("amei, ficou perfeito!!", True),
        ("not good at all", False),
        ("no me gusta nada", False),
        ("super, danke!", True),
    ],
)
def test_negation_turns_the_score(text: str, *, is_good: bool) -> None:
    assert (read(text, now=NOW).sentiment_score > 0) is is_good


def test_the_language_of_the_conversation_settles_a_short_text() -> None:
    assert read("ok", now=NOW, language="pt").language == "pt"


def test_a_reading_is_plain_json() -> None:
    plain = read("amanhã às 15h, R$ 50", now=NOW, region="BR").to_json()
    assert set(plain) >= {
        "language",
        "intent",
        "intent_confidence",
        "buying_signal_confidence",
        "sentiment_score",
    }
    assert plain["entities"][1]["value"] == {"amount": "50", "currency": "BRL"}


@given(st.text(max_size=200))
@settings(deadline=None, max_examples=150)
def test_any_text_gives_a_reading_within_the_lists(text: str) -> None:
    reading = read(text, now=NOW)
    _check(reading, text)


@given(st.text(alphabet="0123456789 .,-/+()$€R:hk年月日号円ºª%@", max_size=60))
@settings(deadline=None, max_examples=200)
def test_figures_and_marks_never_break_a_reading(text: str) -> None:
    _check(read(text, now=NOW, region="BR", language="pt"), text)


def test_a_very_long_text_is_read_quickly_enough() -> None:
    assert read("quero pagar meu pedido 12,50 " * 3000, now=NOW).language == "pt"


def _check(reading: Reading, text: str) -> None:
    assert reading.language in LANGUAGES
    assert reading.intent in SERVICE_INTENTS
    assert reading.buying_signal is None or reading.buying_signal in BUYING_SIGNALS
    assert reading.sentiment in SENTIMENTS
    assert reading.urgency in URGENCIES
    assert -1 <= reading.sentiment_score <= 1
    for confidence in (reading.language_confidence, reading.intent_confidence, reading.urgency_confidence):
        assert 0 <= confidence <= 1
    ends = 0
    for entity in reading.entities:
        assert text[entity.start : entity.end] == entity.text
        assert entity.start >= ends
        ends = entity.end


@pytest.mark.parametrize("task", ["intent", "buying_signal"])
def test_every_label_has_its_written_examples(task: str) -> None:
    counts: dict[tuple[str, str], int] = {}
    for example in written_examples(task):
        counts[example.language, example.label] = counts.get((example.language, example.label), 0) + 1
    for (language, label), count in counts.items():
        assert count >= (60 if language in {"pt", "es", "en"} else 30), (language, label)
    labels = SERVICE_INTENTS if task == "intent" else BUYING_SIGNALS
    assert set(counts) == {(language, label) for language in LANGUAGES for label in labels}


def test_no_line_of_the_test_split_is_trained_on() -> None:
    trained = {
        example.text
        for task in ("intent", "buying_signal", "sentiment", "urgency")
        for example in written_examples(task)
    }
    for path in (Path(__file__).parent / "analysis").glob("*/*.yaml"):
        for block in yaml.safe_load(path.read_text(encoding="utf-8")).values():
            lines = {line.strip() for line in block.splitlines() if len(line.strip()) > 12}
            assert not lines & trained, path
