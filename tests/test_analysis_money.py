"""Sums as people type them, in ten languages."""

from decimal import Decimal

import pytest

from analysis.money import read_amount


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
    ["", "   ", "abc", "no", "-5", "R$ -100", "10%", "between 100k and 150k", "5511999998888777766", "tenho 30 anos", "🙂"],
)
def test_what_is_no_single_sum_is_refused(typed: str) -> None:
    assert read_amount(typed) is None
