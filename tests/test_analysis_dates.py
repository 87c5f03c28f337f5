"""Days and hours as people name them, from a given now, in ten languages."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from babel.dates import format_date
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import read
from analysis.dates import easter, read_dates
from analysis.folding import fold

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
@settings(max_examples=300, deadline=None)
def test_what_is_printed_in_a_locale_reads_back(day: date, locale: str, style: str) -> None:
    printed = format_date(day, format=style, locale=locale)
    language, region = locale.split("_")
    found = read_dates(fold(printed), now=FRIDAY, region=region, language=language)
    assert [one.day for one in found] == [day], printed


@given(st.integers(min_value=1, max_value=300))
def test_days_ahead_are_counted(count: int) -> None:
    found = read_dates(f"in {count} days", now=FRIDAY, language="en")
    assert found[0].day == FRIDAY.date() + timedelta(days=count)
