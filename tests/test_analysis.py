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
@settings(max_examples=150)
def test_any_text_gives_a_reading_within_the_lists(text: str) -> None:
    reading = read(text, now=NOW)
    _check(reading, text)


@given(st.text(alphabet="0123456789 .,-/+()$€R:hk年月日号円ºª%@", max_size=60))
@settings(max_examples=200)
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


@pytest.mark.parametrize(
    "text",
    [
        "moro na rua das flores 123, casa 2",
        "my phone number is 415 555 2671, ring me after 6",
        "you can call my husband at 415 555 2671",
    ],
)
def test_a_text_without_a_mark_of_an_advert_is_never_surely_spam(text: str):
    reading = read(text, now=NOW)
    assert reading.intent != "spam" or reading.intent_confidence < 0.6


def test_a_thousand_broken_addresses_are_no_address():
    assert read("at. " * 1000, now=NOW).entities == ()


PRICE_QUESTIONS = (
    "quanto custa?|how much?|combien ça coûte|was kostet das|多少钱|いくら？|얼마예요|بكم|quanto costa|"
    "cuánto sale|qual o valor?|precio?|price?|c'est combien|wie teuer ist das|いくらですか"
)


@pytest.mark.parametrize("text", PRICE_QUESTIONS.split("|"))
def test_a_bare_price_question_opens_a_lead_in_every_language(text: str) -> None:
    reading = read(text, now=NOW)
    assert (reading.intent, reading.buying_signal) == ("lead_inquiry", "question")
    assert reading.urgency in {"low", "medium"}
    assert reading.sentiment == "neutral"


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("não consigo acessar o curso que comprei", "support_ticket"),
        ("I cannot open the file I bought", "support_ticket"),
        ("funciona no celular android?", "lead_inquiry"),
        ("necesito reprogramar mi cita", "appointment_request"),
    ],
)
def test_what_was_bought_and_what_may_be_bought_are_told_apart(text: str, intent: str) -> None:
    assert read(text, now=NOW).intent == intent


@pytest.mark.parametrize(
    ("text", "signal"), [("é seguro?", "objection"), ("funciona no celular android?", "question")]
)
def test_a_doubt_is_no_question(text: str, signal: str) -> None:
    assert read(text, now=NOW).buying_signal == signal


@pytest.mark.parametrize(
    "text",
    [
        "não tenho interesse, obrigado",
        "no me interesa, gracias",
        "not interested, thanks",
        "我要两个，马上付款",
    ],
)
def test_a_polite_no_and_an_eager_yes_are_no_feeling(text: str) -> None:
    assert read(text, now=NOW).sentiment == "neutral"


def test_a_customer_who_gives_another_number_is_no_spam() -> None:
    assert read("me chama no whats da minha esposa 21 99999-1234", now=NOW).intent != "spam"


@pytest.mark.parametrize("text", ["12345", "🙂🙂", "?", "15:30"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_without_letters_is_in_the_language_of_the_conversation(text: str, language: str) -> None:
    assert read(text, now=NOW, language=language).language == language
