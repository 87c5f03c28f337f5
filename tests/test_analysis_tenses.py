"""Days that are over: what people say they did on Monday, in ten languages."""

from datetime import UTC, datetime

import pytest

from analysis.entities import find_entities

FRIDAY = datetime(2026, 11, 20, 10, tzinfo=UTC)
LAST_MONDAY = "2026-11-16"
NEXT_MONDAY = "2026-11-23"


def _day(text: str, language: str) -> str:
    (day,) = [one for one in find_entities(text, now=FRIDAY, languages=(language,)) if one.type == "date"]
    assert isinstance(day.value, str)
    return day.value[:16]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("pt", "segunda eu paguei o boleto"),
        ("pt", "paguei segunda e ainda não caiu"),
        ("pt", "ele chegou quebrado na segunda"),
        ("pt", "o entregador passou aqui na segunda"),
        ("pt", "vcs não entregaram na segunda"),
        ("pt", "fui na loja segunda"),
        ("pt", "segunda feira mandei o comprovante"),
        ("es", "lunes pagué"),
        ("es", "el lunes hice la transferencia"),
        ("es", "el paquete llegó el lunes roto"),
        ("es", "he pagado el lunes"),
        ("es", "el lunes me cobraron dos veces"),
        ("es", "lo pedí el lunes"),
        ("en", "monday i paid the deposit"),
        ("en", "paid on monday"),
        ("en", "the shoes that I got on Monday"),
        ("en", "you charged me twice on monday"),
        ("en", "we've sent it monday"),
        ("en", "did you ship it on monday?"),
        ("fr", "j'ai payé lundi"),
        ("fr", "lundi j'ai commandé deux pizzas"),
        ("fr", "le colis a été livré lundi"),
        ("fr", "on m'a débité lundi"),
        ("fr", "le livreur est passé lundi"),
        ("fr", "la lampe s'est cassée lundi"),
        ("de", "hab am montag bezahlt"),
        ("de", "ich habe am Montag das Geld überwiesen"),
        ("de", "das Paket ist am Montag angekommen"),
        ("de", "am Montag war niemand da"),
        ("de", "am Montagabend bezahlt"),
        ("it", "lunedì ho pagato"),
        ("it", "da lunedì aspetto"),
        ("it", "ho già fatto il bonifico lunedì"),
        ("it", "il corriere è passato lunedì"),
        ("ar", "دفعت يوم الاثنين"),
        ("ar", "يوم الاثنين حولت المبلغ"),
        ("zh", "周一付款了"),
        ("zh", "周一就下单了，还没发货"),
        ("ja", "月曜に払いました"),
        ("ja", "月曜日に振り込みました"),
        ("ja", "月曜に届いた商品"),
        ("ko", "월요일에 결제했어요"),
        ("ko", "월요일에 이미 입금했는데요"),
    ],
)
def test_what_was_done_on_a_weekday_was_done_on_the_last_one(language: str, text: str) -> None:
    assert _day(text, language) == LAST_MONDAY


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("pt", "segunda eu pago"),
        ("pt", "paguei, chega segunda?"),
        ("pt", "agendei para segunda"),
        ("pt", "marquei o corte segunda"),
        ("pt", "vou passar aí segunda"),
        ("pt", "comprei um que chega segunda"),
        ("pt", "segunda eu pagarei"),
        ("pt", "vocês prometeram entregar segunda"),
        ("pt", "estou livre segunda"),
        ("es", "pagaré el lunes"),
        ("es", "el lunes llegará"),
        ("es", "aquí hay cita el lunes"),
        ("es", "reservé una mesa el lunes"),
        ("en", "I need it monday"),
        ("en", "are you closed on monday?"),
        ("en", "it will be delivered on monday"),
        ("en", "I booked monday"),
        ("en", "I ordered it for monday"),
        ("fr", "vous êtes fermés lundi ?"),
        ("fr", "je passe lundi"),
        ("fr", "je suis occupé lundi"),
        ("fr", "j'ai réservé lundi"),
        ("de", "haben Sie am Montag geöffnet?"),
        ("de", "wird am Montag bezahlt"),
        ("de", "ich habe einen Tisch am Montag reserviert"),
        ("it", "siete aperti lunedì?"),
        ("it", "ho prenotato lunedì"),
        ("it", "pago lunedì"),
        ("ar", "ممكن أدفع يوم الاثنين"),
        ("zh", "周一能付款吗"),
        ("ja", "月曜に届きますか"),
        ("ja", "月曜までに払いたいです"),
        ("ko", "월요일에 갈게요"),
        ("ko", "월요일까지 입금하겠습니다"),
    ],
)
def test_what_is_to_come_or_arranged_is_the_coming_weekday(language: str, text: str) -> None:
    assert _day(text, language) == NEXT_MONDAY


@pytest.mark.parametrize(
    ("language", "text", "value"),
    [
        ("pt", "paguei dia 25", "2026-10-25"),
        ("pt", "paguei dia 15", "2026-11-15"),
        ("pt", "vence dia 25", "2026-11-25"),
        ("pt", "pago dia 15", "2026-12-15"),
        ("pt", "comprei em 05/11", "2026-11-05"),
        ("pt", "comprei em 5 de novembro", "2026-11-05"),
        ("pt", "comprei em 5 de novembro de 2027", "2027-11-05"),
        ("es", "me cobraron el 3 de noviembre", "2026-11-03"),
        ("en", "I paid on November 3", "2026-11-03"),
        ("en", "I paid on friday", "2026-11-13"),
        ("en", "it arrives on November 3", "2027-11-03"),
        ("de", "hab am 3. November bestellt", "2026-11-03"),
        ("pt", "comprei no natal", "2025-12-25"),
    ],
)
def test_a_day_without_a_year_is_past_where_the_verb_is(language: str, text: str, value: str) -> None:
    assert _day(text, language) == value


@pytest.mark.parametrize(
    ("language", "text", "hour"),
    [
        ("pt", "hoje às 8", "20:00"),
        ("pt", "hoje às 8 da manhã", "08:00"),
        ("pt", "hoje 8h", "20:00"),
        ("pt", "hoje às 11", "11:00"),
        ("pt", "hoje às 08:00", "08:00"),
        ("pt", "paguei hoje às 8", "08:00"),
        ("es", "hoy a las 9", "21:00"),
        ("en", "today at 9", "21:00"),
        ("en", "today at 9am", "09:00"),
        ("en", "it arrived today at 9", "09:00"),
        ("fr", "aujourd'hui à 9h", "21:00"),
        ("de", "heute um 8", "20:00"),
        ("de", "heute um 9:15", "09:15"),
        ("pt", "hoje às 8:30", "20:30"),
        ("it", "oggi alle 8", "20:00"),
        ("ar", "اليوم الساعة 8", "20:00"),
        ("zh", "今天8点", "20:00"),
        ("ja", "今日8時", "20:00"),
        ("ko", "오늘 8시", "20:00"),
    ],
)
def test_an_hour_of_today_that_is_gone_is_the_evenings(language: str, text: str, hour: str) -> None:
    assert _day(text, language) == f"2026-11-20T{hour}"
