"""The conversation's language: told by the first words that speak for one, switched by sentences only."""

import pytest

from models import Contact
from tests.real_door import WalkedDesk

PRODUCTS = (
    "samsung galaxy tab ultra",
    "nike air max 90 white",
    "playstation slim digital edition",
    "carolina herrera good girl",
)


def language(desk: WalkedDesk) -> str | None:
    found: str | None = desk.rows(Contact)[0].language
    return found


@pytest.mark.parametrize("name", PRODUCTS)
def test_the_name_of_a_product_switches_no_language(desk: WalkedDesk, name: str) -> None:
    desk.says("oi, bom dia, tudo bem?")
    desk.says(name)
    assert language(desk) == "pt"


@pytest.mark.parametrize("name", PRODUCTS[:2])
def test_who_begins_with_a_products_name_is_answered_in_the_numbers_language(
    desk: WalkedDesk, name: str
) -> None:
    desk.says(name)
    assert language(desk) == "pt"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sorry, can we continue in english please?", "en"),
        ("perdón, ¿me puede atender en español por favor?", "es"),
        ("请问你们今天几点关门", "zh"),
        ("ممكن تتكلمون معي بالعربي", "ar"),
    ],
)
def test_a_whole_sentence_switches_the_language(desk: WalkedDesk, text: str, expected: str) -> None:
    desk.says("oi, bom dia, tudo bem?")
    desk.says(text)
    assert language(desk) == expected
