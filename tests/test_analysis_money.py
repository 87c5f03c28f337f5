"""Sums as people type them, in ten languages."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from babel.numbers import format_currency
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import read
from analysis.money import read_amount

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "amount"),
    [
        ("150000", "150000"),
        ("$150,000", "150000"),
        ("150k", "150000"),
        ("150 mil", "150000"),
        ("R$ 1.234,56", "1234.56"),
        ("1.5 million", "1500000"),
        ("150.000", "150000"),
        ("١٥٠ ألف", "150000"),
        ("meio milhão", "500000"),
        ("um milhão e meio", "1500000"),
        ("half a million", "500000"),
        ("US$ 100 mil", "100000"),
        ("cento e cinquenta mil reais", "150000"),
        ("uns 150 mil", "150000"),
        ("about 150k", "150000"),
        ("I have 200000 saved", "200000"),
        ("1,50,000", "150000"),
        ("15 lakh", "1500000"),
        ("1 234,56 €", "1234.56"),
        ("1.250 millones", "1250000"),
        ("💰 50k", "50000"),
        ("CHF 1'500.50", "1500.50"),
        ("dos mil quinientos pesos", "2500"),
        ("quatre-vingt mille", "80000"),
        ("zweitausendfünfhundert", "2500"),
        ("duecentomila", "200000"),
        ("3万5千円", "35000"),
        ("三億五千万", "350000000"),
        ("이십만 원", "200000"),
        ("خمسين ألف دولار", "50000"),
    ],
)
def test_a_typed_sum_is_read(typed: str, amount: str) -> None:
    assert read_amount(typed) == Decimal(amount)


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "   ",
        "abc",
        "no",
        "-5",
        "R$ -100",
        "10%",
        "between 100k and 150k",
        "5511999998888777766",
        "tenho 30 anos",
        "🙂",
    ],
)
def test_what_is_no_single_sum_is_refused(typed: str) -> None:
    assert read_amount(typed) is None


@given(
    st.decimals(min_value="0.01", max_value="9999999.99", places=2),
    st.sampled_from(
        [
            ("pt_BR", "BRL", "BR", "pt"),
            ("en_US", "USD", "US", "en"),
            ("de_DE", "EUR", "DE", "de"),
            ("fr_FR", "EUR", "FR", "fr"),
            ("es_ES", "EUR", "ES", "es"),
            ("it_IT", "EUR", "IT", "it"),
            ("ja_JP", "USD", "JP", "ja"),
            ("ko_KR", "USD", "KR", "ko"),
            ("zh_CN", "CNY", "CN", "zh"),
            ("es_MX", "MXN", "MX", "es"),
        ]
    ),
)
@settings(max_examples=300, deadline=None)
def test_what_is_printed_in_a_locale_reads_back(amount: Decimal, place: tuple[str, str, str, str]) -> None:
    locale, currency, region, language = place
    printed = format_currency(amount, currency, locale=locale)
    assert read_amount(printed, region=region, language=language) == amount, printed
    found = read(f"({printed})", now=NOW, region=region, language=language).entities
    assert [entity.type for entity in found] == ["money"], printed


@pytest.mark.parametrize(
    ("text", "region", "amount", "currency"),
    [
        ("custa R$ 1.234,56 à vista", "BR", "1234.56", "BRL"),
        ("são cinquenta reais", "BR", "50", "BRL"),
        ("cuesta 200 pesos", "MX", "200", "MXN"),
        ("son $ 15.000", "AR", "15000", "ARS"),
        ("it costs $20", "US", "20", "USD"),
        ("twenty pounds", "GB", "20", "GBP"),
        ("ça fait 49,90 €", "FR", "49.90", "EUR"),
        ("dreißig Euro", "DE", "30", "EUR"),
        ("costa trenta euro", "IT", "30", "EUR"),
        ("السعر 150 ريال", "SA", "150", "SAR"),
        ("一共三百块", "CN", "300", "CNY"),
        ("5000円です", "JP", "5000", "JPY"),
        ("3만원이에요", "KR", "30000", "KRW"),
    ],
)
def test_a_sum_in_a_sentence_keeps_its_currency(text: str, region: str, amount: str, currency: str) -> None:
    found = [entity for entity in read(text, now=NOW, region=region).entities if entity.type == "money"]
    assert [entity.value for entity in found] == [{"amount": amount, "currency": currency}]
