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


@pytest.mark.parametrize(
    "text", ["http://bad-.example.com", "http://_x.example.com", "http://shop.my_domain.com", "www.-x.com"]
)
def test_a_host_that_cannot_exist_is_no_link(text: str) -> None:
    assert not [
        one for one in read(text, now=datetime(2026, 11, 20, tzinfo=UTC)).entities if one.type == "url"
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("juan (arroba) gmail (punto) com", "juan@gmail.com"),
        ("ana.silva (arroba) loja (ponto) com (ponto) br", "ana.silva@loja.com.br"),
        ("john[at]acme[dot]co[dot]uk", "john@acme.co.uk"),
        ("jean chez orange point fr", "jean@orange.fr"),
        ("jean (chez) orange.fr", "jean@orange.fr"),
        ("hans Klammeraffe gmx Punkt de", "hans@gmx.de"),
        ("info[at]firma[punkt]de", "info@firma.de"),
        ("luca (chiocciola) libero.it", "luca@libero.it"),
        ("tanakaアットマークgmailドットcom", "tanaka@gmail.com"),
        ("kim골뱅이 네이버 닷컴", "kim@naver.com"),
        ("ahmed آت جيميل دوت كوم", "ahmed@gmail.com"),
        ("fulano @ gmail.com", "fulano@gmail.com"),
    ],
)
def test_a_spelled_address_is_put_together(text: str, value: str) -> None:
    assert _values(text, "email") == [value]


@pytest.mark.parametrize(
    "text",
    ["me segue no @loja.oficial", "je suis chez orange", "meet me at gmail", "look at this. com certeza"],
)
def test_a_name_elsewhere_is_no_address(text: str) -> None:
    assert not _values(text, "email")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("看https://example.cn/a，谢谢", "https://example.cn/a"),
        ("请打开https://shop.cn/item?id=12。谢谢", "https://shop.cn/item?id=12"),
        ("http://abc.com/x很好", "http://abc.com/x"),
        ("https://abc.com/上海！好", "https://abc.com/上海"),
        ("https://zh.wikipedia.org/wiki/北京市", "https://zh.wikipedia.org/wiki/北京市"),
        ("https://example.jp/aを見て", "https://example.jp/a"),
        ("https://example.jp/を見て", "https://example.jp/"),
        ("www.abc.co.jpです", "www.abc.co.jp"),
        ("https://naver.me/abc입니다", "https://naver.me/abc"),
        ("شوف https://example.com/a، شكرا", "https://example.com/a"),
        ("see https://Example.com/Path, ok", "https://Example.com/Path"),
    ],
)
def test_a_link_ends_where_another_script_goes_on(text: str, value: str) -> None:
    assert _values(text, "url") == [value]


@pytest.mark.parametrize(
    ("text", "region", "value"),
    [
        ("612 345 678", "ES", "+34612345678"),
        ("0044 20 7946 0018", "BR", "+442079460018"),
        ("5511987654321", "US", "+5511987654321"),
        ("meu zap é 912 345 678", "BR", "912345678"),
        ("06 12 34 56 78", "FR", "+33612345678"),
        ("+44 (0)20 7946 0018", None, "+442079460018"),
    ],
)
def test_a_phone_belongs_to_the_region_unless_it_names_its_country(
    text: str, region: str | None, value: str
) -> None:
    assert _values(text, "phone", region) == [value]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "ok.no",
            "lá.me",
            "tá ok.me manda",
            "obrigado.de nada",
            "chego já.no máximo 10min",
            "gostei.top demais",
        ),
        *(
            "ok.no problem",
            "thanks.me too",
            "see you there.to be confirmed",
            "vale.no pasa nada",
            "hola.me llamo Ana",
        ),
        *("gut.de rest kommt", "ok.it va bene", "oui.me voila", "12.de dezembro", "amei.se der compro"),
    ],
)
def test_two_sentences_without_a_space_are_no_link(text: str) -> None:
    assert _values(text, "url") == []


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("amazon.es", "amazon.es"),
        ("hab auf otto.de bestellt", "otto.de"),
        ("lo vi en zalando.es y me gusta", "zalando.es"),
        ("acesse lojadamaria.shop hoje", "lojadamaria.shop"),
        ("su subito.it c'è", "subito.it"),
        ("nosso site é oi.me venha", "oi.me"),
        ("wa.me/5581999998888", "wa.me/5581999998888"),
        ("loja.com.br tem", "loja.com.br"),
        ("chama no t.me/loja", "t.me/loja"),
    ],
)
def test_a_host_whose_ending_is_a_word_is_a_link_where_it_is_announced(text: str, link: str) -> None:
    assert _values(text, "url") == [link]


def test_a_word_that_ends_like_a_cue_hides_no_phone() -> None:
    """The end of "inf" is no "nf", an invoice's number."""
    assert _values("inf 81999998888", "phone", "BR") == ["+5581999998888"]


def test_the_line_of_a_bill_is_no_phone() -> None:
    line = "34191.79001 01043.510047 91020.150008 5 84410000015000"
    assert _values(f"boleto {line}", "phone", "BR") == []
