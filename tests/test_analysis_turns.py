"""Turns of speech that words alone mislead: accusations, sarcasm, litotes, "no hurry", "paid", bare products.

None of these lines is trained on.
"""

from datetime import UTC, datetime

import pytest

from analysis import Models, Pattern, read
from analysis.examples import written_examples
from analysis.language import count_own_words

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
BAD = {"angry", "frustrated", "negative"}
GOOD = {"positive", "excited"}

ACCUSATIONS = {
    "pt": "vcs sao uns golpistas|me enganaram, seus ladrões|cambada de mentiroso",
    "en": "so u took my money and blocked me, nice|you are all thieves|you cheated me, scammers",
    "es": "me habéis tomado el pelo, ladrones|sois unos estafadores|vaya banda de mentirosos",
    "fr": "vous m'avez arnaqué, voleurs|bande de menteurs|vous êtes des escrocs",
    "de": "ihr habt mich betrogen, ihr gauner|lauter lügner|ihr seid abzocker",
    "it": "mi avete preso in giro, ladri|siete dei truffatori|razza di bugiardi",
    "ar": "انتم نصابين وحرامية|ضحكتوا علي يا كذابين|سرقتوا فلوسي",
    "zh": "你们这群骗子|骗了我的钱，无耻|黑心商家，坑人",
    "ja": "あなたたちは詐欺師です|騙された、嘘つき|この泥棒",
    "ko": "이 사기꾼들아|저를 속였네요 거짓말쟁이들|돈만 받고 차단하네요",
}
LITOTES = {
    "pt": "não é nada mal|não está ruim não|não tenho nada a reclamar",
    "en": "not bad at all, thanks|this isn't half bad, not bad|can't complain about it",
    "es": "no está nada mal|no está mal, la verdad|no me puedo quejar de nada",
    "fr": "c'est pas mal du tout|pas mal, ce parfum|je n'ai rien à redire",
    "de": "nicht schlecht!|das ist gar nicht schlecht|nicht übel, euer kaffee",
    "it": "non è male|niente male davvero|niente male questa giacca",
    "ar": "مش بطال|والله مو بطال|لا بأس به",
    "zh": "还不错哦|好吃死了|真的不赖",
    "ja": "悪くないね|なかなか悪くないです|文句なしです",
    "ko": "나쁘지 않네요|꽤 나쁘지 않아요|흠잡을 데가 없네요",
}
NO_HURRY = {
    "pt": "não tenho pressa|isso não é urgente não|sem pressa, tá?",
    "en": "not urgent|it's not urgent, whenever you can|i'm in no rush at all, no hurry",
    "es": "sin prisa|no corre prisa|lo mío no es urgente",
    "fr": "c'est pas urgent|rien d'urgent|je ne suis pas pressée",
    "de": "nicht dringend|das eilt nicht|keine eile",
    "it": "non ho fretta io|non è urgente, eh|con calma, non c'è fretta",
    "ar": "مو مستعجل|الموضوع غير عاجل|مش مستعجلة على راحتكم",
    "zh": "没有急事|我不急|不着急的",
    "ja": "急ぎません|急ぎではありません|急いでないです",
    "ko": "급하지 않아요|급한 일 아니에요 천천히요|안 급해요",
}
PAID = {
    "pt": "ja paguei|paguei o boleto|acabei de pagar aqui",
    "en": "paid|already paid|i've paid for it",
    "es": "ya pagué|lo pagué hoy|acabo de pagarlo, ya está pagado",
    "fr": "j'ai déjà tout payé|c'est payé|paiement effectué",
    "de": "das ist schon bezahlt|ich habe bezahlt|bereits überwiesen",
    "it": "io ho già pagato|pagato|bonifico effettuato, ho pagato",
    "ar": "دفعت|انا دفعت امس|تم التحويل",
    "zh": "付了|我已经付款了|钱转了",
    "ja": "払いました|もう支払いました|振り込みました",
    "ko": "입금했어요|이미 결제했어요|돈 냈어요",
}
PRICES = (
    "oi qto custa o iphone 13??|oi qto custa a tv samsung 50??|hi how much is the ps5 pro|valor do jbl go 4|"
    "cuánto vale el galaxy s24 ultra|prix du dyson v15 ?|was kostet der thermomix tm6|"
    "quanto costa l'apple watch 9|بكم ايفون 14|iphone 15 pro max 256 多少钱|switch 2の値段いくら|"
    "갤럭시 s24 얼마예요"
)


def cases(table: dict[str, str]) -> list[tuple[str, str]]:
    return [(language, text) for language, texts in table.items() for text in texts.split("|")]


@pytest.mark.parametrize(("language", "text"), cases(ACCUSATIONS))
def test_who_calls_us_thieves_complains_and_buys_nothing(language: str, text: str) -> None:
    for prior in (None, language):
        reading = read(text, now=NOW, language=prior)
        assert reading.intent == "complaint"
        assert reading.buying_signal is None
        assert reading.sentiment in BAD


@pytest.mark.parametrize(("language", "text"), cases(LITOTES))
def test_not_bad_is_praise(language: str, text: str) -> None:
    for prior in (None, language):
        reading = read(text, now=NOW, language=prior)
        assert reading.sentiment in GOOD
        assert reading.intent != "complaint"
        assert reading.urgency in {"low", "medium"}


@pytest.mark.parametrize(("language", "text"), cases(NO_HURRY))
def test_who_is_in_no_hurry_is_calm(language: str, text: str) -> None:
    for prior in (None, language):
        reading = read(text, now=NOW, language=prior)
        assert reading.urgency in {"low", "medium"}
        assert reading.sentiment not in BAD
        assert reading.buying_signal is None


@pytest.mark.parametrize(("language", "text"), cases(PAID))
def test_who_has_paid_gives_no_new_signal(language: str, text: str) -> None:
    for prior in (None, language):
        reading = read(text, now=NOW, language=prior)
        assert reading.buying_signal is None
        assert reading.intent in {"payment_inquiry", "order_inquiry"}


@pytest.mark.parametrize("text", PRICES.split("|"))
def test_a_price_question_with_a_products_name_is_a_lead_and_no_spam(text: str) -> None:
    reading = read(text, now=NOW)
    assert (reading.intent, reading.buying_signal) == ("lead_inquiry", "question")


@pytest.mark.parametrize(
    "text",
    ["free for a chat monday 10ish?", "are you free on friday for a call", "is sam free at 4 tomorrow"],
)
def test_who_asks_when_somebody_is_free_sends_no_advert(text: str) -> None:
    assert read(text, now=NOW).intent != "spam"


def test_none_of_these_lines_was_taught() -> None:
    tables = (ACCUSATIONS, LITOTES, NO_HURRY, PAID)
    tried = {text for table in tables for _, text in cases(table) if len(text) > 12} | set(PRICES.split("|"))
    for task in ("intent", "buying_signal", "sentiment", "urgency"):
        assert not tried.intersection(example.text for example in written_examples(task))


@pytest.mark.parametrize(
    "text",
    [
        "samsung galaxy tab ultra",
        "louis vuitton neverfull mm",
        "nike air max 90 white",
        "carolina herrera good girl 80ml",
        "apple watch series nine black",
        "coca cola zero lata",
    ],
)
def test_names_of_products_speak_for_no_language(text: str) -> None:
    found = read(text, now=NOW).language
    assert count_own_words(text, found, "pt") < 3


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("how much is the delivery to olinda", "en"),
        ("cuánto cuesta el envío a madrid", "es"),
        ("你们几点关门", "zh"),
        ("متى يوصل طلبي", "ar"),
    ],
)
def test_a_sentence_speaks_for_its_language(text: str, language: str) -> None:
    assert count_own_words(text, language, "pt") >= 3


def test_chinese_among_names_of_products_is_chinese() -> None:
    assert read("iphone 15 pro max 256 多少", now=NOW).language == "zh"


@pytest.mark.parametrize(
    ("phrase", "inside", "outside"),
    [
        ("배", "배가 언제 도착해요", "배송 언제 와요"),
        ("환불", "환불해 주세요", "무환불제 상품인가요"),
        ("غاز", "عندكم الغاز؟", "مغازي قريب"),
        ("دفع", "وين الدفع", "مدفع رمضان متى"),
        ("退款", "我要退款吗", "我要退货吗"),
    ],
)
def test_a_phrase_counts_as_a_word_and_not_inside_another(phrase: str, inside: str, outside: str) -> None:
    models = Models(patterns=(Pattern("intent", "feedback", phrase),))
    assert read(inside, now=NOW, models=models).intent == "feedback"
    assert read(outside, now=NOW, models=models).intent_confidence != 0.95
