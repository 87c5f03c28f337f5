"""Messages that carry no sign: in every language they are other, without a signal, calm and never urgent."""

from datetime import UTC, datetime

import pytest

from analysis import Models, Pattern, read
from triage import CLEAR_SPAM

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SILENT = {
    "pt": "ok|oi|olá|blz|sim|não|obrigado|bom dia|"
    "boa noite|Maria|João Silva|tá|entendi|pode ser|aham|até mais|tudo bem?",
    "en": "ok|hi|hello|yes|no|thanks|good morning|good evening|"
    "John|Mary Smith|sure|got it|alright|bye|yep|how are you?",
    "es": "ok|hola|buenas|sí|no|gracias|buenos días|buenas tardes|"
    "Carlos|Ana López|vale|entendido|claro|adiós|listo|qué tal?",
    "fr": "ok|salut|bonjour|oui|non|merci|bonsoir|"
    "Pierre|Marie Dubois|d'accord|compris|bien sûr|au revoir|ça va ?",
    "de": "ok|hallo|guten Tag|ja|nein|danke|guten Morgen|"
    "Peter|Anna Müller|alles klar|verstanden|klar|tschüss|wie gehts?",
    "it": "ok|ciao|buongiorno|sì|no|grazie|buonasera|"
    "Marco|Giulia Rossi|va bene|capito|certo|arrivederci|come va?",
    "ar": "اوك|مرحبا|السلام عليكم|نعم|لا|شكرا|صباح الخير|محمد|فاطمة علي|تمام|فهمت|طيب|مع السلامة|كيف حالك",
    "zh": "好的|你好|您好|是|不是|谢谢|早上好|王伟|李娜|嗯|明白了|可以|再见|在吗",
    "ja": "はい|こんにちは|もしもし|うん|いいえ|ありがとう|おはようございます|"
    "田中|佐藤花子|了解です|わかりました|そうですね|さようなら|元気？",
    "ko": "네|안녕하세요|안녕|응|아니요|감사합니다|좋은 아침이에요|"
    "김민수|이영희|알겠습니다|그래요|좋아요|안녕히 계세요|잘 지내요?",
}
WITHOUT_WORDS = "🙂|👍|😂|❤️|🙏|?|...|!|1|42|3.|12345|😊😊|."


@pytest.mark.parametrize(
    ("language", "text"),
    [(language, text) for language, texts in SILENT.items() for text in texts.split("|")],
)
def test_a_courtesy_or_a_name_asks_for_nothing(language: str, text: str) -> None:
    for prior in (None, language):
        reading = read(text, now=NOW, language=prior)
        assert (reading.intent, reading.buying_signal, reading.urgency) == ("other", None, "low")
        assert reading.sentiment in {"neutral", "positive"}


@pytest.mark.parametrize("text", WITHOUT_WORDS.split("|"))
def test_digits_marks_and_emoji_ask_for_nothing(text: str) -> None:
    reading = read(text, now=NOW)
    assert (reading.intent, reading.buying_signal, reading.urgency) == ("other", None, "low")


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("oi, cadê meu pedido?", "order_inquiry"),
        ("hola, no me llega el paquete", "order_inquiry"),
        ("hello, my card was declined", "payment_inquiry"),
        ("guten tag, wo bleibt mein paket", "order_inquiry"),
        ("你好，我的快递到哪了", "order_inquiry"),
        ("안녕하세요, 환불 언제 되나요", "payment_inquiry"),
    ],
)
def test_a_greeting_hides_no_request(text: str, intent: str) -> None:
    assert read(text, now=NOW).intent == intent


@pytest.mark.parametrize(
    "text",
    [
        "입금증 https://drive.google.com/x",
        "이체 영수증입니다 https://photos.app.goo.gl/abc",
        "付款截图 https://drive.google.com/x",
        "定位 https://maps.app.goo.gl/abc",
        "pix https://nubank.com.br/cobrar/abc",
        "segue o comprovante https://drive.google.com/file/abc",
        "hey can u send the invoice to https://forms.gle/xyz",
        "ur promo code SAVE20 from www.shop.com doesnt work at checkout",
        "j'ai cliqué sur le lien https://boutique.fr/offre pour l'essai gratuit et rien",
        "hice click en el link https://tienda.com/gratis para la clase gratis y no carga",
    ],
)
def test_a_customer_who_sends_a_link_is_never_surely_an_advert(text: str) -> None:
    reading = read(text, now=NOW)
    assert reading.intent != "spam" or reading.intent_confidence < CLEAR_SPAM


@pytest.mark.parametrize(
    "text",
    [
        'got this: "Your account has been suspended, click here to verify" is this you guys',
        'minha tia recebeu "Parabéns! Você foi sorteada, clique aqui bit.ly/x" é de vocês mesmo?',
        '"votre compte sera suspendu cliquez ici" c\'est vous ?',
        'hab ne sms bekommen „Ihr Konto wird gesperrt, jetzt klicken" seid ihr das?',
        "«Il suo conto sarà bloccato, clicchi qui» siete stati voi?",
        "收到短信“您的账户将被冻结,请点击链接”是你们发的吗",
        "「アカウントが停止されました、こちらをクリック」というメールは本物ですか",
    ],
)
def test_who_quotes_an_advert_to_ask_about_it_sends_none(text: str) -> None:
    assert read(text, now=NOW).intent != "spam"


@pytest.mark.parametrize(
    "text",
    [
        'Final notice: your account will be suspended. Reply "YES" and click http://verify.example.top',
        '"Best prize of my life" says Ann. You have won too: claim your $1000 cash prize http://win.example.com',
    ],
)
def test_an_advert_that_quotes_a_word_still_is_one(text: str) -> None:
    reading = read(text, now=NOW)
    assert (reading.intent, reading.intent_confidence >= CLEAR_SPAM) == ("spam", True)


@pytest.mark.parametrize(
    "text",
    [
        "quero aplicar 350 mil euros no programa de residência, qual o retorno?",
        "I want to put 500k into the residency fund, what are the returns?",
        "quiero meter 300 mil euros en la residencia, qué rendimiento da?",
        "je veux placer 250 000 euros pour la résidence, quel rendement ?",
        "ich will 250000 euro für die residenz investieren, welche rendite?",
        "voglio investire 250 mila euro per la residenza, che rendimento c'è?",
        "我想投资50万欧元拿居留,回报率多少",
        "50万ユーロ投資したいのですが、利回りはどのくらいですか",
        "50만 유로 투자하고 싶은데 수익률이 얼마예요",
    ],
)
def test_who_wants_to_invest_is_no_advert(text: str) -> None:
    assert read(text, now=NOW).intent != "spam"


def test_an_advert_with_a_link_still_is_one() -> None:
    reading = read("WINNER!! You have won a 1000 cash prize, claim now at http://win.example.com", now=NOW)
    assert (reading.intent, reading.intent_confidence >= CLEAR_SPAM) == ("spam", True)


def test_an_angry_face_is_heard_after_a_greeting() -> None:
    assert read("oi 😡", now=NOW).sentiment_score < 0


def test_a_courtesy_that_the_business_taught_keeps_its_meaning() -> None:
    taught = Models(patterns=(Pattern("intent", "appointment_request", "salve"),))
    assert read("salve", now=NOW, models=taught).intent == "appointment_request"


def test_a_long_row_of_courtesies_is_read_at_once() -> None:
    assert read("嗯" * 2000 + "订单", now=NOW).language == "zh"


@pytest.mark.parametrize(
    "text",
    [
        "qual o horário de vocês?",
        "what are your opening hours?",
        "a qué hora cierran",
        "vous ouvrez à quelle heure",
        "wann habt ihr geöffnet",
        "a che ora aprite",
        "متى تفتحون",
        "你们几点开门",
        "営業時間は何時ですか",
        "영업시간이 어떻게 되나요",
        "quanto tempo demora?",
        "how long does it take?",
    ],
)
def test_a_question_about_the_business_itself_is_no_lead_and_no_appointment(text: str) -> None:
    reading = read(text, now=NOW)
    assert reading.intent == "other"
    assert reading.urgency == "low"
