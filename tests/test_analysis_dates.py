"""Days and hours as people name them, from a given now, in ten languages."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from babel.dates import format_date
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import read
from analysis.dates import read_dates
from analysis.folding import fold
from analysis.reckoning import easter

FRIDAY = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("language", "text", "value"),
    [
        ("pt", "amanhã às 15h", "2026-11-21T15:00:00+00:00"),
        ("pt", "depois de amanhã", "2026-11-22"),
        ("pt", "terça que vem", "2026-11-24"),
        ("pt", "dia 25", "2026-11-25"),
        ("pt", "15/03", "2027-03-15"),
        ("pt", "3 de março de 2027", "2027-03-03"),
        ("pt", "há três dias", "2026-11-17"),
        ("pt", "daqui a duas semanas", "2026-12-04"),
        ("pt", "na semana que vem", "2026-11-23"),
        ("es", "mañana", "2026-11-21"),
        ("es", "el próximo lunes a las 9:30", "2026-11-23T09:30:00+00:00"),
        ("es", "hace 2 días", "2026-11-18"),
        ("es", "el 5 de enero", "2027-01-05"),
        ("en", "tomorrow at 3pm", "2026-11-21T15:00:00+00:00"),
        ("en", "next tuesday", "2026-11-24"),
        ("en", "Dec 24th", "2026-12-24"),
        ("en", "in 10 days", "2026-11-30"),
        ("en", "black friday", "2026-11-27"),
        ("fr", "après-demain", "2026-11-22"),
        ("fr", "le 3 mars à 15h30", "2027-03-03T15:30:00+00:00"),
        ("de", "nächsten Dienstag um 15 Uhr", "2026-11-24T15:00:00+00:00"),
        ("de", "am 3.4.", "2027-04-03"),
        ("de", "in drei Tagen", "2026-11-23"),
        ("it", "dopodomani", "2026-11-22"),
        ("it", "fra tre giorni", "2026-11-23"),
        ("ar", "بعد يومين", "2026-11-22"),
        ("ar", "بكرا", "2026-11-21"),
        ("zh", "下周三下午3点", "2026-11-25T15:00:00+00:00"),
        ("zh", "三天后", "2026-11-23"),
        ("ja", "3日後", "2026-11-23"),
        ("ja", "来週の火曜日", "2026-11-24"),
        ("ko", "다음주 화요일 오후 3시", "2026-11-24T15:00:00+00:00"),
        ("ko", "내일", "2026-11-21"),
    ],
)
def test_a_day_is_resolved_from_now(language: str, text: str, value: str) -> None:
    found = read_dates(fold(text), now=FRIDAY, language=language)
    assert [day.value(FRIDAY) for day in found] == [value]


@pytest.mark.parametrize(
    "text", ["10/10 recomendo", "24/7", "1/2 xícara", "99/99/2020", "50%", "pedido 48213"]
)
def test_figures_that_are_no_day_are_left_alone(text: str) -> None:
    assert not [entity for entity in read(text, now=FRIDAY, language="pt").entities if entity.type == "date"]


def test_the_month_stands_first_in_the_united_states_only() -> None:
    american = read_dates("03/04/2027", now=FRIDAY, region="US", language="en")
    british = read_dates("03/04/2027", now=FRIDAY, region="GB", language="en")
    assert (american[0].day, british[0].day) == (date(2027, 3, 4), date(2027, 4, 3))


def test_tomorrow_is_the_local_tomorrow() -> None:
    late = datetime(2026, 11, 21, 1, tzinfo=UTC).astimezone(ZoneInfo("America/Sao_Paulo"))
    assert read_dates("amanha", now=late, language="pt")[0].day == date(2026, 11, 21)


@pytest.mark.parametrize(
    ("year", "day"), [(2024, date(2024, 3, 31)), (2025, date(2025, 4, 20)), (2027, date(2027, 3, 28))]
)
def test_easter_is_computed(year: int, day: date) -> None:
    assert easter(year) == day


@given(
    st.dates(min_value=date(2000, 1, 1), max_value=date(2060, 12, 31)),
    st.sampled_from(
        ["en_US", "en_GB", "pt_BR", "es_ES", "fr_FR", "de_DE", "it_IT", "zh_CN", "ja_JP", "ko_KR"]
    ),
    st.sampled_from(["long", "full"]),
)
@settings(max_examples=300)
def test_what_is_printed_in_a_locale_reads_back(day: date, locale: str, style: str) -> None:
    printed = format_date(day, format=style, locale=locale)
    language, region = locale.split("_")
    found = read_dates(fold(printed), now=FRIDAY, region=region, language=language)
    assert [one.day for one in found] == [day], printed


@given(st.integers(min_value=1, max_value=300))
def test_days_ahead_are_counted(count: int) -> None:
    found = read_dates(f"in {count} days", now=FRIDAY, language="en")
    assert found[0].day == FRIDAY.date() + timedelta(days=count)


@pytest.mark.parametrize(
    ("language", "text", "found", "value"),
    [
        ("de", "komme Freitag, den 18.12.2026", "Freitag, den 18.12.2026", "2026-12-18"),
        ("en", "what about wednesday of this week", "wednesday of this week", "2026-11-18"),
        ("es", "nos vemos dos semanas a partir de mañana", "dos semanas a partir de mañana", "2026-12-05"),
        ("fr", "livrez trois jours après lundi", "trois jours après lundi", "2026-11-26"),
        ("en", "pay 10 days from 12/04/2026", "10 days from 12/04/2026", "2026-12-14"),
        ("pt", "sexta, 18/12 às 15h", "sexta, 18/12 às 15h", "2026-12-18T15:00:00+00:00"),
        ("ko", "21일 월요일에 봐요", "21일 월요일", "2026-12-21"),
        ("ar", "الثلاثاء الثاني من شهر مايو", "الثلاثاء الثاني من شهر مايو", "2027-05-11"),
        ("de", "am 14.12 um 15 uhr", "14.12 um 15 uhr", "2026-12-14T15:00:00+00:00"),
    ],
)
def test_neighbouring_days_are_one_day(language: str, text: str, found: str, value: str) -> None:
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    days = [one for one in read(text, now=now, language=language).entities if one.type == "date"]
    assert [(day.text, day.value) for day in days] == [(found, value)]


@pytest.mark.parametrize(
    ("language", "text", "value"),
    [
        ("pt", "no fim de semana", "2026-11-21"),
        ("pt", "fim de semana que vem", "2026-11-28"),
        ("pt", "final de semana", "2026-11-21"),
        ("pt", "daqui a uns 10 dias", "2026-11-30"),
        ("pt", "dia 5 do mês que vem", "2026-12-05"),
        ("pt", "fim do mês que vem", "2026-12-31"),
        ("pt", "até o fim da semana", "2026-11-22"),
        ("pt", "daqui a meia hora", "2026-11-20T12:30:00+00:00"),
        ("pt", "em 2h", "2026-11-20T14:00:00+00:00"),
        ("pt", "sexta-feira 13", "2027-08-13"),
        ("es", "pasado mañana", "2026-11-22"),
        ("es", "este finde", "2026-11-21"),
        ("es", "el 5 del mes que viene", "2026-12-05"),
        ("es", "a fin de mes", "2026-11-30"),
        ("es", "en media hora", "2026-11-20T12:30:00+00:00"),
        ("es", "de aquí a tres días", "2026-11-23"),
        ("en", "in a fortnight", "2026-12-04"),
        ("en", "a week from today", "2026-11-27"),
        ("en", "an hour ago", "2026-11-20T11:00:00+00:00"),
        ("en", "end of next month", "2026-12-31"),
        ("en", "by the end of the week", "2026-11-22"),
        ("en", "the 5th of next month", "2026-12-05"),
        ("fr", "le week-end prochain", "2026-11-28"),
        ("fr", "dans une quinzaine de jours", "2026-12-05"),
        ("fr", "fin du mois prochain", "2026-12-31"),
        ("fr", "le 5 du mois prochain", "2026-12-05"),
        ("de", "heute in einer Woche", "2026-11-27"),
        ("de", "in 14 Tagen", "2026-12-04"),
        ("de", "in einer halben Stunde", "2026-11-20T12:30:00+00:00"),
        ("de", "Ende nächsten Monats", "2026-12-31"),
        ("de", "Sa 14 Uhr", "2026-11-21T14:00:00+00:00"),
        ("it", "nel fine settimana", "2026-11-21"),
        ("it", "tra mezz'ora", "2026-11-20T12:30:00+00:00"),
        ("it", "il 5 del mese prossimo", "2026-12-05"),
        ("it", "fine del mese prossimo", "2026-12-31"),
        ("ar", "بعد غد", "2026-11-22"),
        ("ar", "بعد نصف ساعة", "2026-11-20T12:30:00+00:00"),
        ("ar", "نهاية الشهر القادم", "2026-12-31"),
        ("zh", "后天", "2026-11-22"),
        ("zh", "下下周一", "2026-11-30"),
        ("zh", "下个月底", "2026-12-31"),
        ("zh", "半小时后", "2026-11-20T12:30:00+00:00"),
        ("zh", "2027年3月5日", "2027-03-05"),
        ("ja", "明後日", "2026-11-22"),
        ("ja", "来週末", "2026-11-28"),
        ("ja", "月末", "2026-11-30"),
        ("ko", "모레", "2026-11-22"),
        ("ko", "다음 주말", "2026-11-28"),
        ("ko", "반 시간 뒤", "2026-11-20T12:30:00+00:00"),
    ],
)
def test_what_is_said_of_days_to_come_is_counted(language: str, text: str, value: str) -> None:
    found = read_dates(fold(text), now=FRIDAY, language=language)
    assert [day.value(FRIDAY) for day in found] == [value]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("pt", "às vezes compro uma vez por mês"),
        ("pt", "preciso da segunda via do boleto"),
        ("pt", "paguei a quinta parcela e falta a sexta parcela"),
        ("pt", "quero ter um carro"),
        ("pt", "sex shop"),
        ("es", "he pasado por la tienda por la mañana"),
        ("es", "sol y mar"),
        ("en", "the sun is out, he sat down"),
        ("en", "may I ask, it may rain"),
        ("en", "a 24/7 shop, 2-3 pieces"),
        ("fr", "la mer est belle, le jeu aussi"),
        ("de", "guten Morgen, das ist so so"),
        ("de", "so was, do it, mi casa"),
        ("it", "il mar rosso, sole e mare"),
        ("ar", "احد الزبائن"),
        ("zh", "十一点以前，二十一块，五一五"),
        ("ja", "一日中"),
    ],
)
def test_words_that_sound_like_days_are_left_alone(language: str, text: str) -> None:
    assert not read_dates(fold(text), now=FRIDAY, language=language)


def test_hours_are_counted_through_a_change_of_the_clock() -> None:
    before = datetime(2027, 3, 14, 1, 30, tzinfo=ZoneInfo("America/New_York"))
    (found,) = read_dates("in 2 hours", now=before, language="en")
    assert found.value(before) == "2027-03-14T04:30:00-04:00"


def test_an_hour_that_the_clock_skips_is_the_one_that_it_shows() -> None:
    before = datetime(2027, 3, 13, 12, tzinfo=ZoneInfo("America/New_York"))
    (found,) = read_dates("tomorrow at 2:30am", now=before, language="en")
    assert found.value(before) == "2027-03-14T03:30:00-04:00"


def test_a_weekend_that_is_running_has_begun() -> None:
    sunday = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert read_dates("this weekend", now=sunday, language="en")[0].day == date(2026, 11, 22)


@pytest.mark.parametrize(
    ("language", "text", "value"),
    [
        ("pt", "chega em até 5 dias úteis", "2026-11-27"),
        ("es", "en 3 días hábiles", "2026-11-25"),
        ("en", "within 10 business days", "2026-12-04"),
        ("fr", "sous 2 jours ouvrés", "2026-11-24"),
        ("de", "in 1 Werktag", "2026-11-23"),
        ("it", "entro 5 giorni lavorativi", "2026-11-27"),
        ("ar", "خلال 3 أيام عمل", "2026-11-25"),
        ("zh", "3个工作日内", "2026-11-25"),
        ("ja", "3営業日以内", "2026-11-25"),
        ("ko", "3영업일 이내", "2026-11-25"),
    ],
)
def test_working_days_leave_out_the_weekend(language: str, text: str, value: str) -> None:
    assert [day.value(FRIDAY) for day in read_dates(fold(text), now=FRIDAY, language=language)] == [value]


@given(st.dates(min_value=date(2026, 1, 1), max_value=date(2028, 1, 1)), st.integers(1, 30))
def test_working_days_are_counted_one_by_one(start: date, count: int) -> None:
    now = datetime(start.year, start.month, start.day, tzinfo=UTC)
    day, left = start, count
    while left:
        day += timedelta(days=1)
        left -= day.weekday() < 5
    assert read_dates(f"within {count} business days", now=now, language="en")[0].day == day


@pytest.mark.parametrize(
    ("language", "text", "value"),
    [
        ("pt", "estou esperando desde segunda", "2026-11-16"),
        ("pt", "comprei na terça e nada", "2026-11-17"),
        ("pt", "já comprei, chega na terça?", "2026-11-24"),
        ("pt", "pedi para sexta", "2026-11-27"),
        ("es", "lo pagué el lunes", "2026-11-16"),
        ("es", "paso el lunes", "2026-11-23"),
        ("en", "I ordered on Sunday", "2026-11-15"),
        ("en", "no reply since monday", "2026-11-16"),
        ("en", "can I come on Sunday", "2026-11-22"),
        ("en", "I ordered, will it arrive on Sunday", "2026-11-22"),
        ("en", "I was wondering if sunday works", "2026-11-22"),
        ("fr", "en panne depuis lundi", "2026-11-16"),
        ("de", "am Montag bestellt", "2026-11-16"),
        ("de", "wird es am Montag geliefert", "2026-11-23"),
        ("it", "l'ho comprato lunedì", "2026-11-16"),
        ("ar", "منذ الاثنين", "2026-11-16"),
        ("zh", "周一买的鞋", "2026-11-16"),
        ("ja", "月曜に買った靴", "2026-11-16"),
        ("ko", "월요일에 주문한 신발", "2026-11-16"),
    ],
)
def test_a_weekday_that_is_over_is_the_last_one(language: str, text: str, value: str) -> None:
    assert [day.value(FRIDAY) for day in read_dates(fold(text), now=FRIDAY, language=language)] == [value]


@pytest.mark.parametrize(
    ("language", "text", "value"),
    [
        ("pt", "em uma hora", "20T13:00"),
        ("pt", "daqui a duas horas", "20T14:00"),
        ("pt", "em duas horas e meia", "20T14:30"),
        ("pt", "em 15 minutinhos", "20T12:15"),
        ("pt", "há meia hora", "20T11:30"),
        ("en", "in an hour", "20T13:00"),
        ("en", "within an hour", "20T13:00"),
        ("en", "in the next 2 hours", "20T14:00"),
        ("en", "in 2.5 hours", "20T14:30"),
        ("en", "in a quarter of an hour", "20T12:15"),
        ("es", "en una hora", "20T13:00"),
        ("es", "en tres cuartos de hora", "20T12:45"),
        ("es", "en un par de días", "22"),
        ("es", "hace media hora", "20T11:30"),
        ("fr", "dans une heure", "20T13:00"),
        ("fr", "dans deux heures et demie", "20T14:30"),
        ("fr", "dans un quart d'heure", "20T12:15"),
        ("de", "in einer Stunde", "20T13:00"),
        ("de", "in zweieinhalb Stunden", "20T14:30"),
        ("de", "in einer Viertelstunde", "20T12:15"),
        ("de", "in einem Monat", None),
        ("it", "in un'ora", "20T13:00"),
        ("it", "un'ora fa", "20T11:00"),
        ("it", "tra due ore e mezza", "20T14:30"),
        ("it", "tra un quarto d'ora", "20T12:15"),
        ("ar", "بعد ساعة", "20T13:00"),
        ("ar", "خلال ثلاث ساعات", "20T15:00"),
        ("ar", "بعد ربع ساعة", "20T12:15"),
        ("zh", "一个小时后", "20T13:00"),
        ("zh", "两个半小时后", "20T14:30"),
        ("zh", "一刻钟后", "20T12:15"),
        ("ja", "一時間後", "20T13:00"),
        ("ja", "2時間半後", "20T14:30"),
        ("ko", "한 시간 후", "20T13:00"),
        ("ko", "네 시간 뒤", "20T16:00"),
        ("ko", "2시간 반 뒤", "20T14:30"),
        ("ko", "한시간 안에", "20T13:00"),
    ],
)
def test_what_is_counted_from_now_may_be_spelled(language: str, text: str, value: str | None) -> None:
    expected = "2026-12-20" if value is None else f"2026-11-{value}"
    (day,) = read_dates(fold(text), now=FRIDAY, language=language)
    assert day.value(FRIDAY)[:16] == expected


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("fr", "le 1er essai"),
        ("fr", "le premier colis"),
        ("fr", "je prends le 3"),
        ("en", "the 1st payment and the 2nd one"),
        ("de", "der 1. Versuch, zum 2. Mal"),
        ("es", "quiero el 12 en rojo"),
        ("it", "prendo il 3"),
        ("ko", "보낼게요, 낼게요"),
        ("ko", "이월상품 있나요"),
        ("ko", "이제그제서야"),
    ],
)
def test_an_ordinal_or_a_part_of_a_word_is_no_day(language: str, text: str) -> None:
    assert read_dates(fold(text), now=FRIDAY, language=language) == []


@pytest.mark.parametrize(
    ("language", "text", "value"),
    [
        ("fr", "le 1er à 10h", "2026-12-01T10:00"),
        ("fr", "je passe le 1er", "2026-12-01"),
        ("en", "the 15th works", "2026-12-15"),
        ("de", "am 15. komme ich", "2026-12-15"),
        ("es", "el 12 paso", "2026-12-12"),
        ("ko", "낼 갈게요", "2026-11-21"),
    ],
)
def test_an_ordinal_that_stands_alone_is_a_day(language: str, text: str, value: str) -> None:
    (day,) = read_dates(fold(text), now=FRIDAY, language=language)
    assert day.value(FRIDAY)[:16] == value


@pytest.mark.parametrize(
    ("language", "text", "value"),
    [
        ("pt", "fim de janeiro", "2027-01-31"),
        ("en", "end of may 2027", "2027-05-31"),
        ("es", "a finales de diciembre", "2026-12-31"),
        ("fr", "fin décembre", "2026-12-31"),
        ("fr", "samedi en 8", "2026-11-28"),
        ("de", "Ende Dezember", "2026-12-31"),
        ("it", "fine dicembre", "2026-12-31"),
        ("ar", "نهاية ديسمبر", "2026-12-31"),
        ("zh", "12月底", "2026-12-31"),
        ("ja", "12月末", "2026-12-31"),
        ("ko", "12월 말", "2026-12-31"),
        ("pt", "em 2 ou 3 dias", "2026-11-23"),
        ("es", "en 2 o 3 días", "2026-11-23"),
        ("en", "in 2-3 days", "2026-11-23"),
        ("ja", "2~3日後", "2026-11-23"),
        ("pt", "na próxima terça dia 24", "2026-11-24"),
        ("es", "el 24 por la tarde", "2026-11-24"),
    ],
)
def test_the_end_of_a_month_and_the_later_of_two_counts_are_read(
    language: str, text: str, value: str
) -> None:
    assert [day.value(FRIDAY) for day in read_dates(fold(text), now=FRIDAY, language=language)] == [value]


def test_a_phone_in_pairs_and_a_time_that_something_takes_are_no_day() -> None:
    assert read_dates("mon numero 06.12.34.56.78", now=FRIDAY, language="fr") == []
    assert read_dates("demora 2 a 3 dias", now=FRIDAY, language="pt") == []


@pytest.mark.parametrize(
    ("language", "text", "value"),
    [
        ("pt", "3 dias antes do natal", "2026-12-22"),
        ("es", "una semana antes de navidad", "2026-12-18"),
        ("en", "two days before christmas", "2026-12-23"),
        ("fr", "2 semaines avant Noël", "2026-12-11"),
        ("de", "zwei Tage vor Weihnachten", "2026-12-23"),
        ("it", "tre giorni prima di natale", "2026-12-22"),
        ("pt", "dois dias depois do natal", "2026-12-27"),
        ("pt", "já tem 3 dias que pedi", "2026-11-17"),
        ("es", "llevo 3 días esperando", "2026-11-17"),
        ("fr", "ça fait 3 jours que j'attends", "2026-11-17"),
        ("de", "ich warte seit 3 Tagen", "2026-11-17"),
        ("it", "aspetto da 3 giorni", "2026-11-17"),
        ("es", "el próximo lunes 30", "2026-11-30"),
    ],
)
def test_days_are_counted_back_and_on(language: str, text: str, value: str) -> None:
    assert [day.value(FRIDAY) for day in read_dates(fold(text), now=FRIDAY, language=language)] == [value]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("pt", "quebrou em dois dias"),
        ("en", "it broke in two days, best care in years"),
        ("de", "nach zwei Tagen ging es kaputt"),
        ("ar", "انكسر بعد يومين"),
        ("fr", "plus que trois jours avant les vacances"),
        ("zh", "2231号订单"),
        ("ja", "最高の一日"),
        ("ja", "注文して10日経ちます"),
        ("ja", "わあすごい"),
        ("ko", "주문한지 10일 됐어요"),
        ("ko", "방학까지 3일 기대된다"),
    ],
)
def test_a_time_that_something_took_is_no_day(language: str, text: str) -> None:
    assert read_dates(fold(text), now=FRIDAY, language=language) == []


def test_an_hour_that_was_promised_is_still_to_come() -> None:
    (day,) = read_dates(fold("você disse em uma hora"), now=FRIDAY, language="pt")
    assert day.value(FRIDAY)[:16] == "2026-11-20T13:00"


def test_the_end_of_a_part_of_the_day_is_no_noon() -> None:
    (day,) = read_dates(fold("suis-je libre jeudi après-midi"), now=FRIDAY, language="fr")
    assert day.value(FRIDAY) == "2026-11-26"


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("pt", "de 20 a 25 de dezembro"),
        ("pt", "entre 20 e 25 de dezembro"),
        ("pt", "de 20 de dezembro até o dia 25"),
        ("es", "del 20 al 25 de diciembre"),
        ("en", "from 20 to 25 December"),
        ("fr", "du 20 au 25 décembre"),
        ("de", "vom 20. bis 25. Dezember"),
        ("it", "dal 20 al 25 dicembre"),
        ("zh", "12月20号到25号"),
        ("ja", "12月20日から25日まで"),
        ("ko", "12월 20일부터 25일까지"),
    ],
)
def test_both_ends_of_a_range_are_in_the_month_that_one_names(language: str, text: str) -> None:
    days = [day.value(FRIDAY) for day in read_dates(fold(text), now=FRIDAY, language=language)]
    assert days == ["2026-12-20", "2026-12-25"]


def test_a_count_before_a_date_is_no_range() -> None:
    found = read_dates("quero 2 e 15 de dezembro busco", now=FRIDAY, language="pt")
    assert [day.value(FRIDAY) for day in found] == ["2026-12-15"]


@pytest.mark.parametrize(
    ("language", "text", "value"),
    [
        ("pt", "em 1h30", "2026-11-20T13:30"),
        ("es", "en 1h 20", "2026-11-20T13:20"),
        ("en", "in 1 hour and 20 minutes", "2026-11-20T13:20"),
        ("fr", "dans 1h30", "2026-11-20T13:30"),
        ("pt", "sexta retrasada", "2026-11-06"),
        ("pt", "na sexta-feira que passou", "2026-11-13"),
        ("es", "antes del 10", "2026-12-10"),
        ("fr", "d'ici la fin de semaine", "2026-11-22"),
    ],
)
def test_hours_with_minutes_and_days_before_the_last_are_read(language: str, text: str, value: str) -> None:
    assert [day.value(FRIDAY)[:16] for day in read_dates(fold(text), now=FRIDAY, language=language)] == [
        value
    ]
