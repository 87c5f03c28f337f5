"""Sums as people type them, in ten languages."""

import time
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
        ("150mil", "150000"),
        ("R$150mil", "150000"),
        ("300mil dolares", "300000"),
        ("2milhões", "2000000"),
        ("50mil e quinhentos", "50500"),
        ("um quarto de milhão", "250000"),
        ("um quarto de um milhão", "250000"),
        ("três quartos de milhão", "750000"),
        ("um milhão e um quarto", "1250000"),
        ("dois milhões e três quartos", "2750000"),
        ("un cuarto de millón", "250000"),
        ("tres cuartos de un millón de dólares", "750000"),
        ("millón y cuarto", "1250000"),
        ("a quarter million", "250000"),
        ("quarter of a million", "250000"),
        ("a quarter of one million dollars", "250000"),
        ("three-quarters of a million", "750000"),
        ("3 quarters of a million", "750000"),
        ("two and a quarter million", "2250000"),
        ("a third of a million", "333333.33"),
        ("3/4 de milhão", "750000"),
        ("US$ 1/2 million", "500000"),
        ("un quart de million", "250000"),
        ("tre quarti di milione", "750000"),
        ("eine Viertelmillion", "250000"),
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
        "250k-300k",
        "250mil a 300mil",
        "um quarto",
        "three quarters",
        "casa com três quartos",
        "5511999998888777766",
        "tenho 30 anos",
        "🙂",
    ],
)
def test_what_is_no_single_sum_is_refused(typed: str) -> None:
    assert read_amount(typed) is None


def test_a_page_of_figures_is_no_typed_sum_and_takes_no_time() -> None:
    began = time.process_time()
    assert read_amount("1 " * 20_000) is None
    assert read_amount("R$ 100" + " por favor" * 60) is None
    assert time.process_time() - began < 1


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
@settings(max_examples=300)
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


@pytest.mark.parametrize(
    ("text", "region", "currency"),
    [
        ("300 mil dólares", "BR", "USD"),
        ("tenho 50 dólares", "MX", "USD"),
        ("$ 50", "BR", "BRL"),
        ("$ 50", "MX", "MXN"),
        ("20 dollars", "CA", "CAD"),
        ("20 dollars", "BR", "USD"),
    ],
)
def test_the_word_dollar_is_a_dollar_wherever_it_is_said(text: str, region: str, currency: str) -> None:
    (found,) = read(text, now=datetime(2026, 11, 20, tzinfo=UTC), region=region).entities
    assert isinstance(found.value, dict)
    assert found.value["currency"] == currency


@pytest.mark.parametrize(
    ("text", "region", "amount", "currency"),
    [
        ("50 conto", "BR", "50", "BRL"),
        ("me empresta cinquenta pila", "BR", "50", "BRL"),
        ("12 reais e 50", "BR", "12.50", "BRL"),
        ("mil e duzentos reais", "BR", "1200", "BRL"),
        ("custa um real", "BR", "1", "BRL"),
        ("custa 3 mil e quinhentos", "BR", "3500", None),
        ("custa só 50 cada", "BR", "50", None),
        ("vendi por 2k", "BR", "2000", None),
        ("1,5 mi", "BR", "1500000", None),
        ("12 euros con 50", "ES", "12.50", "EUR"),
        ("cuesta 200 pavos", "ES", "200", "EUR"),
        ("son 20 lucas", "CL", "20000", "CLP"),
        ("20 lucas", "CO", "20000", "COP"),
        ("te doy 200 mangos", "AR", "200", "ARS"),
        ("2 palos", "AR", "2000000", "ARS"),
        ("200 varos", "MX", "200", "MXN"),
        ("five hundred bucks", "US", "500", "USD"),
        ("two grand", "GB", "2000", "GBP"),
        ("it costs 2k", "US", "2000", None),
        ("only $.99", "US", "0.99", "USD"),
        ("two dollars fifty", "US", "2.50", "USD"),
        ("12€50", "FR", "12.50", "EUR"),
        ("ça coûte 12 euros 50", "FR", "12.50", "EUR"),
        ("50 balles", "FR", "50", "EUR"),
        ("zwölf Euro fünfzig", "DE", "12.50", "EUR"),
        ("kostet 50 das Stück", "DE", "50", None),
        ("dieci euro e cinquanta", "IT", "10.50", "EUR"),
        ("duecento euro", "IT", "200", "EUR"),
        ("٥٠ ريال", "SA", "50", "SAR"),
        ("三块五", "CN", "3.50", "CNY"),
        ("3块50", "CN", "3.50", "CNY"),
        ("一万二千元", "CN", "12000", "CNY"),
        ("人民币100", "CN", "100", "CNY"),
        ("2件，价格500可以吗", "CN", "500", None),
        ("3千円です", "JP", "3000", "JPY"),
        ("만원이요", "KR", "10000", "KRW"),
        ("5천원", "KR", "5000", "KRW"),
        ("TRY 20", None, "20", "TRY"),
        ("comprei 1.500,00", "BR", "1500", None),
        ("o sofá tá 1.899,90 ainda?", "BR", "1899.90", None),
        ("quero o de 99,90", "BR", "99.90", None),
        ("me devolve os 89,90", "BR", "89.90", None),
        ("12x de 99,90", "BR", "99.90", None),
        ("em 10x de 49,90 sem juros", "BR", "49.90", None),
        ("parcelo em 6x de 200?", "BR", "200", None),
        ("10 vezes de 120", "BR", "120", None),
        ("transferi 300 ontem", "BR", "300", None),
        ("tenho 20 mil", "BR", "20000", None),
        ("20 mil de entrada", "BR", "20000", None),
        ("queria um carro de 20 mil", "BR", "20000", None),
        ("son 1.250,50 en total", "ES", "1250.50", None),
        ("12 cuotas de 99,90", "ES", "99.90", None),
        ("1,500.00 está bien", "MX", "1500", None),
        ("tengo 20 mil para el enganche", "MX", "20000", None),
        ("it was 49.99", "US", "49.99", None),
        ("4 payments of 25.50", "US", "25.50", None),
        ("it's 15 dh", "AE", "15", "AED"),
        ("Dhs. 500 please", "AE", "500", "AED"),
        ("15 dh la pièce", "MA", "15", "MAD"),
        ("12 mensualités de 99,90", "FR", "99.90", None),
        ("12 Raten zu 99,90", "DE", "99.90", None),
        ("12 rate da 99,90", "IT", "99.90", None),
        ("500 جنيه", None, "500", "EGP"),
        ("500 جنيه", "AE", "500", "EGP"),
        ("بألف درهم", "AE", "1000", "AED"),
        ("1万2", "CN", "12000", None),
        ("dá pra fazer 1.200 à vista?", "BR", "1200", None),
        ("2.5m cash", "AE", "2500000", None),
        ("120k per year", "AE", "120000", None),
        ("is 1,250,000 negotiable", "AE", "1250000", None),
        ("300 al mes", "ES", "300", None),
        ("rent 7,500/month", "AE", "7500", None),
        ("a cheque of 45,000 due on friday", "AE", "45000", None),
        ("cobraram 35 de entrega", "BR", "35", None),
        ("gastos de envío 4,95", "ES", "4.95", None),
        ("für 20,-", "DE", "20", None),
        ("20,- €", "DE", "20", "EUR"),
        ("85 pro Monat", "DE", "85", None),
        ("3万5块", "CN", "35000", "CNY"),
        ("1万2千元", "CN", "12000", "CNY"),
        ("1万2可以吗", "CN", "12000", None),
    ],
)
def test_a_sum_is_read_as_people_say_it(
    text: str, region: str | None, amount: str, currency: str | None
) -> None:
    found = [entity for entity in read(text, now=NOW, region=region).entities if entity.type == "money"]
    assert [entity.value for entity in found] == [{"amount": amount, "currency": currency}]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("pt", "mil obrigados, cem por cento"),
        ("pt", "3 mil pessoas por 300 mil km"),
        ("pt", "conto com você, um conto de fadas"),
        ("pt", "um real problema, uma pila de livros"),
        ("pt", "paguei 2 vezes, pago em 3x"),
        ("pt", "pagar 15/03 ou 20 de março"),
        ("pt", "tamanho 42, quinhentas unidades"),
        ("pt", "valor 12345678901"),
        ("es", "mil gracias, mil veces"),
        ("es", "eres un sol"),
        ("es", "vale 3 por favor"),
        ("es", "sale el 15 a las 20"),
        ("en", "a thousand thanks, a million thanks"),
        ("en", "I'll try 5 times, php 8, mad 2"),
        ("en", "2 real friends, the grand opening"),
        ("en", "10 pounds of meat"),
        ("en", "for 2k people, worth 10 minutes"),
        ("fr", "mille mercis, ils 20"),
        ("de", "tausend Dank, für 3 Personen"),
        ("it", "mille grazie, 3 mila persone"),
        ("ar", "ألف شكر"),
        ("zh", "一块去，15分钟，百分之十，8点15分"),
        ("ja", "千葉、円高、合計5個"),
        ("ko", "5만 명, 병원 3층"),
        ("ko", "신입사원입니다, 이불 있나요, 이유로"),
        ("ko", "101동 1203호"),
        ("pt", "pesa 80,50 kg, tamanho 38,50, peso 82,30"),
        ("pt", "tv 4k, corri 10k, 1,75 de altura"),
        ("es", "a las 10.30"),
        ("en", "see you 10.30, version 10.15"),
        ("it", "alle 8,30"),
        ("en", "25 dec, 5 a month"),
        ("en", "your code 7788 won't last"),
        ("fr", "combien font 12 fois 9, sur ma facture 5567"),
        ("zh", "每天几百块"),
    ],
)
def test_a_count_or_a_courtesy_is_no_sum(language: str, text: str) -> None:
    found = read(text, now=NOW, language=language).entities
    assert not [entity for entity in found if entity.type == "money"]


@pytest.mark.parametrize(
    ("typed", "amount"),
    [
        ("一万二", "12000"),
        ("三百五", "350"),
        ("两千零五", "2005"),
        ("三百五十", "350"),
        ("1万2", "12000"),
        ("1w5", "15000"),
    ],
)
def test_a_last_chinese_figure_is_a_tenth_of_its_scale(typed: str, amount: str) -> None:
    assert read_amount(typed, language="zh") == Decimal(amount)


@pytest.mark.parametrize(
    ("text", "region", "sums"),
    [
        ("R$ 50 a 80", "BR", [("50", "BRL"), ("80", "BRL")]),
        ("$20-30", "US", [("20", "USD"), ("30", "USD")]),
        ("between 1.1m and 1.3m", "AE", [("1100000", None), ("1300000", None)]),
        ("R$ 50 e 3 vieram quebrados", "BR", [("50", "BRL")]),
        ("entre 200 e 300 reais", "BR", [("200", "BRL"), ("300", "BRL")]),
        ("200 à 300 euros", "FR", [("200", "EUR"), ("300", "EUR")]),
        ("zwischen 200 und 300 Euro", "DE", [("200", "EUR"), ("300", "EUR")]),
        ("20-30€", "ES", [("20", "EUR"), ("30", "EUR")]),
        ("comprei 42 e 50 reais voltaram", "BR", [("50", "BRL")]),
        ("na rua 15 - 20 mil reais", "BR", [("20000", "BRL")]),
    ],
)
def test_both_ends_of_a_range_are_sums(text: str, region: str, sums: list[tuple[str, str | None]]) -> None:
    found = [entity.value for entity in read(text, now=NOW, region=region).entities if entity.type == "money"]
    assert found == [{"amount": amount, "currency": currency} for amount, currency in sums]


@pytest.mark.parametrize(
    ("text", "region", "sums"),
    [
        ("camiseta tamanho 42 R$ 89,90 tem?", "BR", [("89.90", "BRL")]),
        ("2 R$ 50 e 3 R$ 70", "BR", [("50", "BRL"), ("70", "BRL")]),
        ("do you have size 8.5 $60", "US", [("60", "USD")]),
        ("talla 27 $1,200", "MX", [("1200", "MXN")]),
        ("kit 3 €25", "DE", [("25", "EUR")]),
        ("50$ 20$", "US", [("50", "USD"), ("20", "USD")]),
        ("50 $ ou 20 $", "FR", [("50", "USD"), ("20", "USD")]),
        ("12€50", "FR", [("12.50", "EUR")]),
        ("je paie 30 € 2 fois", "FR", [("30", "EUR")]),
    ],
)
def test_a_sign_before_figures_is_theirs_and_not_that_of_a_number_before_it(
    text: str, region: str, sums: list[tuple[str, str | None]]
) -> None:
    found = [one.value for one in read(text, now=NOW, region=region).entities if one.type == "money"]
    assert found == [{"amount": amount, "currency": currency} for amount, currency in sums]


def test_a_day_before_a_price_stays_a_day() -> None:
    found = {one.type: one.value for one in read("dia 03/04 R$ 20", now=NOW, region="BR").entities}
    assert found == {"date": "2027-04-03", "money": {"amount": "20", "currency": "BRL"}}
