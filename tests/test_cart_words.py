"""What customers say of a cart, in each language: how many, fewer, impossible counts, and goods that are
called like something else."""

import pytest

from models import Conversation, Integration, Order, db
from tests.paying import PIX
from tests.real_door import WalkedDesk, texts_of
from tests.records import make_product
from tests.test_order_walks import NAMES, open_desk

__all__ = ["open_desk"]

HELLO = {"pt": "oi", "es": "hola", "en": "hello"}
SHOW = {
    "pt": "quanto custa o curso de violão?",
    "es": "cuánto cuesta el curso de guitarra?",
    "en": "how much is the guitar course?",
}
TAKE = {"pt": "me vê", "es": "quiero", "en": "give me"}
FREE = {"pt": "grátis", "es": "gratis", "en": "free"}
FREE_NAMES = {"es": "Guía de bolsillo", "en": "Pocket handbook"}
FREE_SHOWN = {
    "pt": "quero o guia de bolso",
    "es": "quiero la guía de bolsillo",
    "en": "show me the pocket handbook",
}
FREE_TALK = {
    "pt": ("quanto custa?", "tem desconto?"),
    "es": ("cuánto cuesta?", "¿hay descuento?"),
    "en": ("how much is it?", "I'll take the pocket handbook"),
}
HOW_MANY = {"pt": "Quantas unidades", "es": "Cuántas unidades", "en": "How many"}


def shown(desk: WalkedDesk, language: str, stock: int | None = None) -> None:
    """Have a customer look at the course."""
    desk.change(Integration, start_flow="shop", language=language)
    with desk.app.app_context():
        make_product(name="Curso de Violão", names=NAMES, stock=stock)
        db.session.commit()
    desk.says(HELLO[language])
    desk.says(SHOW[language])


def in_cart(desk: WalkedDesk) -> list[int]:
    with desk.app.app_context():
        return [item.quantity for order in db.session.query(Order) for item in order.items]


@pytest.mark.parametrize("language", HELLO)
def test_too_many_then_as_many_as_there_are(open_desk, language: str) -> None:
    desk = open_desk(**PIX)
    shown(desk, language, stock=3)
    desk.says(f"{TAKE[language]} 4")
    assert in_cart(desk) == []
    desk.says(f"{TAKE[language]} 3")
    assert in_cart(desk) == [3]
    assert desk.rows(Conversation)[0].handler == "bot"


@pytest.mark.parametrize("language", HELLO)
@pytest.mark.parametrize("count", ["-3", "0", "1000", "99999999"])
def test_a_count_that_cannot_be_is_asked_for_again(open_desk, language: str, count: str) -> None:
    desk = open_desk(**PIX)
    shown(desk, language)
    assert HOW_MANY[language] in "\n".join(texts_of(desk.says(f"{TAKE[language]} {count}")))
    desk.says(count)
    assert in_cart(desk) == []
    desk.says("2")
    assert in_cart(desk) == [2]


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("pt", "tira 1"),
        ("pt", "tira um violão"),
        ("es", "quita uno"),
        ("es", "quita un curso de guitarra"),
        ("en", "remove one"),
        ("en", "remove 1 guitar course"),
    ],
)
def test_one_of_several_is_taken_out_and_then_the_last(open_desk, language: str, words: str) -> None:
    desk = open_desk(**PIX)
    shown(desk, language)
    desk.says(f"{TAKE[language]} 2")
    told = "\n".join(texts_of(desk.says(words)))
    assert "1 × *" in told
    assert in_cart(desk) == [1]
    desk.says(words)
    assert in_cart(desk) == []


def test_who_takes_less_goes_on_to_the_order(open_desk) -> None:
    desk = open_desk(**PIX)
    shown(desk, "es")
    for words in ("quiero 2", "quita uno", "me lo llevo"):
        desk.says(words)
    assert "¿Registro tu pedido?" in "\n".join(texts_of(desk.says("finalizar")))
    assert in_cart(desk) == [1]


def test_without_a_count_all_of_it_goes(open_desk) -> None:
    desk = open_desk(**PIX)
    shown(desk, "pt")
    desk.says("me vê 2")
    desk.says("tira o curso de violão")
    assert in_cart(desk) == []


def test_a_guide_is_for_sale_and_no_tracking_number(open_desk) -> None:
    desk = open_desk(**PIX)
    desk.change(Integration, start_flow="shop", language="es")
    with desk.app.app_context():
        make_product(name="Guia de bolso", names={"es": "Guía de bolsillo", "en": "Pocket guide"})
        db.session.commit()
    desk.says("hola")
    assert "*Guía de bolsillo*" in "\n".join(texts_of(desk.says("quiero la guía")))


@pytest.mark.parametrize("language", HELLO)
def test_of_what_is_free_no_price_is_named(open_desk, language: str) -> None:
    desk = open_desk(**PIX)
    desk.change(Integration, start_flow="shop", language=language)
    with desk.app.app_context():
        make_product(name="Guia de bolso", names=FREE_NAMES, price_minor=0)
        db.session.commit()
    desk.says(HELLO[language])
    desk.says(FREE_SHOWN[language])
    for words in FREE_TALK[language]:
        told = "\n".join(texts_of(desk.says(words)))
        assert FREE[language] in told.casefold()
        assert "0,00" not in told
        assert "0.00" not in told
