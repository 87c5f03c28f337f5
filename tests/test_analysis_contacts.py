"""Phones, addresses and links, also as people spell them out."""

from datetime import UTC, datetime

import pytest

from analysis import read

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def _values(text: str, kind: str, region: str | None = None) -> list[object]:
    return [entity.value for entity in read(text, now=NOW, region=region).entities if entity.type == kind]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("meu email é joao.silva@gmail.com", "joao.silva@gmail.com"),
        ("ana arroba loja ponto com", "ana@loja.com"),
        ("maria underline silva arroba gmail ponto com", "maria_silva@gmail.com"),
        ("escríbeme a jose punto perez arroba hotmail punto com", "jose.perez@hotmail.com"),
        ("john at acme dot com", "john@acme.com"),
        ("ana chiocciola libero punto it", "ana@libero.it"),
        ("jean arobase orange point fr", "jean@orange.fr"),
        ("info(at)shop.de", "info@shop.de"),
        ("kim골뱅이naver닷com", "kim@naver.com"),
        ("我的邮箱li艾特qq点com", "li@qq.com"),
    ],
)
def test_an_address_is_found(text: str, value: str) -> None:
    assert _values(text, "email")[-1:] == [value]


@pytest.mark.parametrize(
    ("text", "region", "value"),
    [
        ("me liga no 11 98765-4321", "BR", "+5511987654321"),
        ("+55 (11) 98765-4321", None, "+5511987654321"),
        ("my number is (212) 555-0142", "US", "2125550142"),
        ("电话13812345678", None, "+8613812345678"),
        ("رقمي ٠٥٠١٢٣٤٥٦٧", "SA", "+966501234567"),
        ("ruf mich an: 0151 23456789", "DE", "+4915123456789"),
        ("010-1234-5678로 전화주세요", "KR", "+821012345678"),
    ],
)
def test_a_phone_is_found(text: str, region: str | None, value: str) -> None:
    found = _values(text, "phone", region)
    assert len(found) == 1
    assert str(found[0]).lstrip("+").endswith(value.lstrip("+"))


@pytest.mark.parametrize(
    "text", ["pedido 1234567890", "R$ 1.234.567,00", "2026-11-20", "20/11/2026", "1 2 3 4 5 6 7 8"]
)
def test_other_figures_are_no_phone(text: str) -> None:
    assert not _values(text, "phone", "BR")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("veja https://loja.com/x?a=1, ok?", "https://loja.com/x?a=1"),
        ("visit example.com.", "example.com"),
        ("看https://example.cn/路径。", "https://example.cn/路径"),
        ("(www.site.com.br)", "www.site.com.br"),
    ],
)
def test_a_link_is_found_without_the_sentence_around_it(text: str, value: str) -> None:
    assert _values(text, "url") == [value]


def test_an_address_is_no_link() -> None:
    assert not _values("ana@loja.com.br", "url")
