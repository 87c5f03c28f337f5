"""Hours beside a day, as people say and print them, in ten languages."""

from datetime import UTC, datetime, time

import pytest
from babel.dates import format_date, format_time
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.dates import read_dates
from analysis.entities import find_entities
from analysis.folding import fold
from analysis.hours import read_small
from analysis.lexicons import load
from vocabulary import LANGUAGES

FRIDAY = datetime(2026, 11, 20, 12, tzinfo=UTC)


def _found(text: str, language: str) -> list[tuple[str, str]]:
    found = find_entities(text, now=FRIDAY, languages=(language,))
    return [(one.text, str(one.value)[:16]) for one in found if one.type == "date"]


def _values(text: str, language: str, now: datetime = FRIDAY) -> list[str]:
    return [day.value(now)[:16] for day in read_dates(fold(text), now=now, language=language)]


@pytest.mark.parametrize(
    ("language", "text", "value"),
    [
        ("pt", "hoje à noite às 8", "20T20:00"),
        ("pt", "amanhã às 8 da noite", "21T20:00"),
        ("pt", "amanhã 8h30 da noite", "21T20:30"),
        ("pt", "às 8 da noite de amanhã", "21T20:00"),
        ("pt", "sexta às nove", "27T09:00"),
        ("pt", "amanhã as 15", "21T15:00"),
        ("pt", "amanhã ao meio-dia e meia", "21T12:30"),
        ("pt", "sábado quinze para as oito", "21T07:45"),
        ("pt", "amanhã às três", "21T15:00"),
        ("pt", "amanhã às 3h", "21T03:00"),
        ("pt", "amanhã das 8 às 10", "21T08:00"),
        ("es", "mañana a las 3 y media", "21T15:30"),
        ("es", "mañana a las ocho de la tarde", "21T20:00"),
        ("es", "mañana ocho menos cuarto", "21T07:45"),
        ("es", "el lunes a las 8 de la mañana", "23T08:00"),
        ("es", "el viernes cuarto para las nueve", "27T08:45"),
        ("es", "hoy a las 11 de la noche", "20T23:00"),
        ("es", "esta noche a las 12", "21T00:00"),
        ("en", "tonight at 8", "20T20:00"),
        ("en", "at 8 tonight", "20T20:00"),
        ("en", "tomorrow at quarter past five", "21T17:15"),
        ("en", "friday half past 9", "27T09:30"),
        ("en", "tomorrow at eight thirty pm", "21T20:30"),
        ("en", "saturday 10.30am", "21T10:30"),
        ("en", "tomorrow 12am", "21T00:00"),
        ("fr", "ce soir à 8h", "20T20:00"),
        ("fr", "demain à 8 heures et demie", "21T08:30"),
        ("fr", "demain à huit heures moins le quart", "21T07:45"),
        ("fr", "vendredi soir à 20h30", "27T20:30"),
        ("fr", "mardi à 7 heures du soir", "24T19:00"),
        ("de", "heute abend um 8", "20T20:00"),
        ("de", "morgen um halb neun", "21T08:30"),
        ("de", "morgen um halb eins", "21T12:30"),
        ("de", "viertel nach neun am Freitag", "27T09:15"),
        ("de", "morgen 20 Uhr", "21T20:00"),
        ("de", "Freitag morgen um 9", "27T09:00"),
        ("de", "fünf vor halb neun morgen", "21T08:25"),
        ("it", "dopodomani alle 18", "22T18:00"),
        ("it", "stasera alle 8", "20T20:00"),
        ("it", "domani alle otto e mezza", "21T08:30"),
        ("it", "domenica alle nove meno un quarto", "22T08:45"),
        ("it", "domani alle 8.30", "21T08:30"),
        ("ar", "الساعة ٨ مساء غدا", "21T20:00"),
        ("ar", "بعد غد الساعة 9 صباحا", "22T09:00"),
        ("ar", "غدا الساعة الثامنة والنصف", "21T08:30"),
        ("ar", "بكرا الساعة ٧ ونص مساء", "21T19:30"),
        ("zh", "今晚八点", "20T20:00"),
        ("zh", "明天早上8点15分", "21T08:15"),
        ("zh", "明天差一刻八点", "21T07:45"),
        ("zh", "今晚12点", "21T00:00"),
        ("ja", "今夜8時", "20T20:00"),
        ("ja", "明日の夜8時半", "21T20:30"),
        ("ja", "明日の午前10時15分", "21T10:15"),
        ("ko", "내일 오후 3시 반", "21T15:30"),
        ("ko", "오늘 밤 8시", "20T20:00"),
        ("ko", "내일 아침 아홉시 삼십분", "21T09:30"),
    ],
)
def test_the_hour_beside_a_day_is_read(language: str, text: str, value: str) -> None:
    assert _values(text, language) == [f"2026-11-{value}"]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("pt", "amanhã as 3 camisas chegam"),
        ("pt", "amanhã 8 pessoas"),
        ("pt", "amanhã às 8 reais"),
        ("es", "mañana 3 cajas"),
        ("en", "tomorrow at 8%"),
        ("en", "friday 10 to 6"),
        ("en", "today at 5 dollars"),
        ("fr", "demain à 3 on passe"),
        ("fr", "demain à 10 euros"),
        ("it", "domani alle 8,30 euro"),
        ("zh", "明天一点都不行"),
        ("ja", "明日8時間"),
        ("ko", "내일 두시간"),
    ],
)
def test_a_count_beside_a_day_is_no_hour(language: str, text: str) -> None:
    assert [len(value) for value in _values(text, language)] == [len("2026-11-21")]


@given(
    st.times().map(lambda one: time(one.hour, one.minute)),
    st.sampled_from(
        [
            *(
                "en_US",
                "en_GB",
                "pt_BR",
                "es_ES",
                "es_MX",
                "fr_FR",
                "de_DE",
                "it_IT",
                "zh_CN",
                "zh_TW",
                "ja_JP",
            ),
            *("ko_KR", "ar_EG"),
        ]
    ),
    st.sampled_from(["short", "medium"]),
)
@settings(max_examples=300)
def test_the_hour_that_is_printed_in_a_locale_reads_back(at: time, locale: str, style: str) -> None:
    language, region = locale.split("_")
    day = FRIDAY.date()
    printed = (
        f"{format_date(day, format='long', locale=locale)} {format_time(at, format=style, locale=locale)}"
    )
    (found,) = read_dates(fold(printed), now=FRIDAY, region=region, language=language)
    assert (found.day, found.at) == (day, at), printed


@pytest.mark.parametrize(("text", "value"), [("十二", 12), ("廿一", 21), ("三", 3), ("〇八", 8), ("07", 7)])
def test_short_chinese_numbers_are_read(text: str, value: int) -> None:
    assert read_small(text) == value


@pytest.mark.parametrize(
    ("language", "text", "value"),
    [
        ("pt", "amanhã posso ir às 15h?", "21T15:00"),
        ("pt", "amanhã eu passo aí às 8", "21T08:00"),
        ("es", "mañana paso a las 3 y media", "21T15:30"),
        ("en", "is 8:30 ok tomorrow?", "21T08:30"),
        ("fr", "demain je passe à 15h", "21T15:00"),
        ("de", "morgen komme ich um halb neun", "21T08:30"),
        ("it", "domani posso venire alle 15?", "21T15:00"),
        ("zh", "明天我下午三点过去", "21T15:00"),
        ("ja", "明日伺います、午後3時でいいですか", "21T15:00"),
        ("ko", "내일 가도 될까요 오후 3시에", "21T15:00"),
        ("pt", "quero amanhã. chega às 15h", "21"),
        ("pt", "amanhã vocês abrem das 8 às 18h?", "21"),
        ("pt", "amanhã demora 2h?", "21"),
        ("en", "tomorrow we look at 3 houses", "21"),
        ("it", "domani servono 3 ore", "21"),
    ],
)
def test_the_only_hour_of_a_sentence_belongs_to_its_day(language: str, text: str, value: str) -> None:
    (day,) = read_dates(fold(text), now=FRIDAY, language=language)
    assert day.value(FRIDAY)[:16] == f"2026-11-{value}"


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "1 ",
            "1/",
            "12:30 ",
            "15/03 ",
            "tomorrow at ",
            "half past ",
            "as 8 ",
            "8 e ",
            "viertel vor ",
            "mo-",
        ),
        *(
            "3日",
            "下周",
            "今晚",
            "三块",
            "내일 ",
            "غدا ",
            "custa 5 ",
            "R$ 5 mil ",
            "a arroba ",
            "(at) ",
            "ponto ",
        ),
        *("https://a.com/路", "a.", "@", " ", "segunda via ", "12 euros 50 "),
    ],
)
def test_the_longest_message_of_one_piece_is_read_to_its_end(piece: str) -> None:
    text = (piece * 4096)[:4096]
    for language in ("pt", "de", "zh"):
        found = find_entities(text, now=FRIDAY, languages=(language,))
        assert all(one.text == text[one.start : one.end] for one in found)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_word_of_the_tables_is_text(language: str) -> None:
    """A bare "no" or "on" in these files would be read as a truth value."""

    def check(value: object) -> None:
        if isinstance(value, dict):
            assert all(isinstance(key, str) for key in value), value
            for item in value.values():
                check(item)
        elif isinstance(value, list):
            for item in value:
                assert isinstance(item, str | int | float), value
                assert not isinstance(item, bool), value

    for name in ("dates", "hours", "money"):
        check(load(name, language))


@pytest.mark.parametrize(
    ("language", "text", "value"),
    [
        ("pt", "sexta 3 da tarde", "27T15:00"),
        ("pt", "terça 10 da manhã", "24T10:00"),
        ("pt", "sábado 9 da noite", "21T21:00"),
        ("pt", "sexta 14h", "27T14:00"),
        ("pt", "sexta 15h30", "27T15:30"),
        ("pt", "segunda 10?", "23T10:00"),
        ("pt", "amanhã 15", "21T15:00"),
        ("es", "viernes 9 am", "27T09:00"),
        ("es", "el martes 4 de la tarde", "24T16:00"),
        ("es", "jueves 10 hs", "26T10:00"),
        ("es", "mañana 11", "21T11:00"),
        ("en", "this sat 11", "21T11:00"),
        ("en", "tmrw 9", "21T09:00"),
        ("en", "sat 10am", "21T10:00"),
        ("en", "next tuesday 3pm", "24T15:00"),
        ("en", "monday 4?", "23T16:00"),
        ("fr", "vendredi 15 heures", "27T15:00"),
        ("fr", "samedi 9h", "21T09:00"),
        ("fr", "mardi 8 heures du soir", "24T20:00"),
        ("fr", "demain 10", "21T10:00"),
        ("de", "freitag 15 uhr", "27T15:00"),
        ("de", "morgen abend um 8", "21T20:00"),
        ("de", "morgen nachmittag um 3", "21T15:00"),
        ("de", "morgen früh um 8", "21T08:00"),
        ("de", "heute abend um 7", "20T19:00"),
        ("de", "morgen 9", "21T09:00"),
        ("de", "Freitagabend um 8", "27T20:00"),
        ("de", "Montagmorgen um 9", "23T09:00"),
        ("pt", "das 14 às 16 amanhã", "21T14:00"),
        ("it", "sabato 10 di mattina", "21T10:00"),
        ("it", "venerdì 8 di sera", "27T20:00"),
        ("it", "domani sera alle 8", "21T20:00"),
        ("ar", "السبت 10 صباحا", "21T10:00"),
        ("ar", "الاحد 5 مساء", "22T17:00"),
        ("zh", "周六10点", "21T10:00"),
        ("ja", "土曜10時", "21T10:00"),
        ("ko", "토요일 10시", "21T10:00"),
    ],
)
def test_a_bare_hour_behind_a_weekday_is_no_day_of_the_month(language: str, text: str, value: str) -> None:
    assert _found(text, language) == [(text.rstrip("?"), f"2026-11-{value}")]


@pytest.mark.parametrize(
    ("language", "text", "value"),
    [
        ("pt", "sexta 27", "2026-11-27"),
        ("pt", "sexta dia 4", "2026-12-04"),
        ("pt", "sexta 27 à tarde", "2026-11-27"),
        ("pt", "sexta 4 às 15h", "2026-12-04T15:00"),
        ("es", "viernes 4", "2026-12-04"),
        ("fr", "vendredi 27 à 15h", "2026-11-27T15:00"),
        ("it", "venerdì 27", "2026-11-27"),
        ("en", "Friday 4th", "2026-12-04"),
        ("pt", "sexta 3 camisas", "2026-11-27"),
        ("en", "today 5 pizzas", "2026-11-20"),
        ("pt", "hoje 50%", "2026-11-20"),
        ("es", "mañana 9,90", "2026-11-21"),
    ],
)
def test_a_number_that_agrees_with_its_weekday_is_a_day(language: str, text: str, value: str) -> None:
    assert [found for _, found in _found(text, language)] == [value]


@pytest.mark.parametrize(
    ("language", "text", "value"),
    [
        ("de", "5.12. 14 Uhr", "2026-12-05T14:00"),
        ("de", "am 5.12. um 14 Uhr", "2026-12-05T14:00"),
        ("de", "05.12.26 14 Uhr", "2026-12-05T14:00"),
        ("de", "5. 12. 2026", "2026-12-05"),
        ("en", "5/12 at 10:30 am", "2027-05-12T10:30"),
        ("pt", "5/12 às 15h", "2026-12-05T15:00"),
        ("pt", "sábado 5/12", "2026-12-05"),
        ("es", "5/12", "2026-12-05"),
    ],
)
def test_figures_beside_an_hour_or_a_weekday_are_a_day(language: str, text: str, value: str) -> None:
    assert [found for _, found in _found(text, language)] == [value]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("pt", "nota 9/10"),
        ("en", "10/10"),
        ("en", "1/2 cup"),
        ("pt", "parcela 2/12 paga"),
        ("de", "1.5 Liter"),
    ],
)
def test_a_fraction_is_no_day(language: str, text: str) -> None:
    assert _found(text, language) == []
