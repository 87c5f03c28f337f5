"""What customers want of a cart in words of their own, in each language: so many of a thing, another count,
one more, nothing at all, and what so many would cost; and the payment's code once more."""

import pytest

from models import Category, Conversation, Integration, Order, Product, db
from tests.paying import EVERY_WAY, PIX
from tests.real_door import WalkedDesk, texts_of
from tests.records import make_product
from tests.test_order_walks import NAMES, heard, open_desk, said, sell

__all__ = ["open_desk"]

HELLO = {"pt": "oi", "es": "hola", "en": "hello"}
TWO = {"pt": "quero 2 cursos de violão", "es": "quiero 2 cursos de guitarra", "en": "I want 2 guitar courses"}
KIT_NAMES = {"es": "Kit de redes", "en": "Social media kit"}
SHOW_KIT = {
    "pt": "quero ver o kit de redes",
    "es": "quiero ver el kit de redes",
    "en": "show me the social media kit",
}
NOW_HAS = {"pt": "agora o seu carrinho tem", "es": "ahora tu carrito tiene", "en": "your cart now has"}
TOTAL_THREE = {"pt": "R$ 291,00", "es": "R$ 291,00", "en": "R$291.00"}


def opened(desk: WalkedDesk, language: str, stock: int | None = None) -> None:
    """Have somebody greet a shop that sells a course and a kit."""
    desk.change(Integration, start_flow="shop", language=language)
    with desk.app.app_context():
        # Where a category is called so, "another product" names nothing either.
        db.session.add(Category(name="Cursos", names={"pt": "Produtos", "en": "Courses", "es": "Cursos"}))
        make_product(
            name="Curso de Violão", names=NAMES, stock=stock, delivery_kind="text", delivery_text="x"
        )
        make_product("kit-1", 3700, name="Kit de redes", names=KIT_NAMES)
        db.session.commit()
    desk.says(HELLO[language])


def in_cart(desk: WalkedDesk) -> dict[str, int]:
    with desk.app.app_context():
        carts = db.session.query(Order).filter_by(status="cart")
        return {item.name: item.quantity for order in carts for item in order.items}


@pytest.mark.parametrize("language", HELLO)
def test_so_many_of_a_thing_go_into_the_cart(open_desk, language: str) -> None:
    desk = open_desk(**PIX)
    opened(desk, language)
    told = heard(desk, TWO[language])
    assert "2 × *" in told
    assert in_cart(desk) == {"Curso de Violão": 2}
    assert NOW_HAS[language] in heard(desk, TWO[language].replace("2", "3"))
    assert in_cart(desk) == {"Curso de Violão": 3}


@pytest.mark.parametrize("language", HELLO)
def test_so_many_of_several_are_remembered_until_one_is_chosen(open_desk, language: str) -> None:
    desk = open_desk(**PIX)
    opened(desk, language)
    with desk.app.app_context():
        make_product(
            "curso-2", name="Curso de Inglês", names={"es": "Curso de Inglés", "en": "English course"}
        )
        db.session.commit()
    words = {"pt": "quero 3 cursos", "es": "quiero 3 cursos", "en": "I want 3 courses"}
    desk.says(words[language])
    assert in_cart(desk) == {}
    for words_of_choice in ("1", "1"):  # the first of the list, then "buy"
        desk.says(words_of_choice)
    assert list(in_cart(desk).values()) == [3]
    desk.says(SHOW_KIT[language])
    desk.says("1")
    assert list(in_cart(desk).values()) == [3], "how many kits is asked"


def test_so_many_as_the_first_words_of_all(open_desk) -> None:
    desk = open_desk(**PIX)
    desk.change(Integration, start_flow="shop", language="en")
    with desk.app.app_context():
        make_product(name="Curso de Violão", names=NAMES)
        db.session.commit()
    desk.says("I'd like 2 guitar courses please")
    assert in_cart(desk) == {"Curso de Violão": 2}


COUNTS = {
    "pt": {
        "deixa só 1 do curso de violão": 1,
        "muda o curso de violão para 3": 3,
        "muda para 4": 4,
        "na verdade quero só um": 1,
        "três por favor": 3,
        "mais 1": 3,
        "mais um curso de violão": 3,
        "põe mais 2": 4,
        "um a menos": 1,
    },
    "es": {
        "cámbialo a 1": 1,
        "cambia el curso de guitarra a 3": 3,
        "solo 1 por favor": 1,
        "que sean 4": 4,
        "tres por favor": 3,
        "otro más": 3,
        "agrega 2 más": 4,
        "otro curso de guitarra": 3,
        "uno menos": 1,
    },
    "en": {
        "change the guitar course to 1": 1,
        "make it 3": 3,
        "just one please": 1,
        "can you change it to 4?": 4,
        "three please": 3,
        "one more": 3,
        "another one please": 3,
        "add 2 more guitar courses": 4,
        "one less": 1,
    },
}
NO_COUNTS = {
    "pt": (
        "mais informações",
        "mais uma coisa",
        "mais uma dúvida",
        "mais uma vez",
        "muda para amanhã",
        "muda para dia 2",
        "deixa por 20 reais",
        "quero outro produto",
    ),
    "es": ("una cosa más", "otra pregunta", "más información", "en 3 cuotas por favor"),
    "en": ("one more thing", "another question", "change it to 3 pm", "in 3 instalments please"),
}


@pytest.mark.parametrize("language", HELLO)
def test_the_count_of_a_line_is_changed(open_desk, language: str) -> None:
    desk = open_desk(**PIX)
    opened(desk, language)
    for words, count in COUNTS[language].items():
        desk.says(TWO[language])
        assert in_cart(desk) == {"Curso de Violão": 2}
        told = heard(desk, words)
        assert in_cart(desk) == {"Curso de Violão": count}, words
        assert f"{count} × *" in told
        assert NOW_HAS[language] in told
    assert desk.rows(Conversation)[0].handler == "bot"


@pytest.mark.parametrize("language", HELLO)
def test_other_words_with_a_count_change_nothing(open_desk, language: str) -> None:
    desk = open_desk(**PIX)
    opened(desk, language)
    desk.says(TWO[language])
    for words in NO_COUNTS[language]:
        desk.says(words)
        assert in_cart(desk) == {"Curso de Violão": 2}, words
        desk.says("menu")


@pytest.mark.parametrize("language", HELLO)
def test_of_two_lines_the_one_talked_of_last_is_changed(open_desk, language: str) -> None:
    desk = open_desk(**PIX)
    opened(desk, language)
    desk.says(TWO[language])
    desk.says(SHOW_KIT[language])
    more = {"pt": "mais 1", "es": "uno más", "en": "one more"}
    desk.says(more[language])
    assert in_cart(desk) == {"Curso de Violão": 2, "Kit de redes": 1}
    desk.says(more[language])
    assert in_cart(desk) == {"Curso de Violão": 2, "Kit de redes": 2}
    name = {"pt": "do curso de violão", "es": "del curso de guitarra", "en": "of the guitar course"}
    only = {"pt": "só 1", "es": "solo 1", "en": "only 1"}
    desk.says(f"{only[language]} {name[language]}")
    assert in_cart(desk) == {"Curso de Violão": 1, "Kit de redes": 2}


def test_of_two_lines_none_is_changed_before_it_is_told_which(open_desk) -> None:
    desk = open_desk(**PIX)
    opened(desk, "pt")
    desk.says(TWO["pt"])
    desk.says(SHOW_KIT["pt"])
    desk.says("mais 1")
    desk.clock.advance(3600)  # what was talked of is forgotten
    assert "Escreva o nome" in heard(desk, "muda para 5")
    desk.says("violão")
    assert in_cart(desk) == {"Curso de Violão": 5, "Kit de redes": 1}


@pytest.mark.parametrize("language", HELLO)
def test_more_than_there_are_changes_nothing(open_desk, language: str) -> None:
    desk = open_desk(**PIX)
    opened(desk, language, stock=3)
    desk.says(TWO[language])
    told = heard(desk, {"pt": "mais 2", "es": "2 más", "en": "2 more"}[language])
    assert "3" in told
    assert in_cart(desk) == {"Curso de Violão": 2}


CLEARED = {
    "pt": {
        "limpa o carrinho": "desfazer",
        "esvazia": "desfaz",
        "pode esvaziar o carrinho?": "1",
        "tira tudo": "quero de volta",
    },
    "es": {"vacía el carrito": "deshacer", "quita todo": "1"},
    "en": {
        "clear my cart": "undo",
        "remove everything from my cart": "put it back",
        "empty the basket please": "1",
    },
}


@pytest.mark.parametrize("language", HELLO)
def test_the_cart_is_emptied_and_brought_back(open_desk, language: str) -> None:
    desk = open_desk(**PIX)
    opened(desk, language)
    empty = {"pt": "vazio", "es": "vacío", "en": "empty"}[language]
    assert empty in heard(desk, next(iter(CLEARED[language])))
    desk.says(TWO[language])
    for words, undo in CLEARED[language].items():
        assert {"pt": "esvaziei", "es": "vacié", "en": "emptied"}[language] in heard(desk, words)
        assert in_cart(desk) == {}
        assert "2 × " in heard(desk, undo)
        assert in_cart(desk) == {"Curso de Violão": 2}


def test_what_is_sold_no_more_is_not_brought_back(open_desk) -> None:
    desk = open_desk(**PIX)
    opened(desk, "pt")
    desk.says(TWO["pt"])
    desk.says(SHOW_KIT["pt"])
    desk.says("mais 1")
    desk.says("limpa o carrinho")
    desk.change(Product, Product.name == "Kit de redes", is_active=False)
    told = heard(desk, "desfazer")
    assert in_cart(desk) == {"Curso de Violão": 2}
    assert "Kit de redes" in told


SUMS = {
    "pt": ("quanto fica 3 cursos de violão?", "e quanto sai levando 3 unidades do curso de violão?"),
    "es": ("¿cuánto sale por 3 cursos de guitarra?", "¿cuánto serían 3 cursos de guitarra?"),
    "en": ("how much for 3 guitar courses?", "what is the price of 3 guitar courses?"),
}
SUM_OF_TALK = {
    "pt": ("quanto custa o curso de violão?", "quanto fica 3 unidades?", "comprar"),
    "es": ("cuánto cuesta el curso de guitarra?", "¿cuánto sale por 3?", "comprar"),
    "en": ("how much is the guitar course?", "how much for 3?", "buy"),
}


@pytest.mark.parametrize("language", HELLO)
def test_the_sum_of_so_many_is_told_and_taken(open_desk, language: str) -> None:
    desk = open_desk(**PIX)
    opened(desk, language)
    for words in SUMS[language]:
        assert TOTAL_THREE[language] in heard(desk, words)
    assert in_cart(desk) == {}
    desk.says("1")
    assert in_cart(desk) == {"Curso de Violão": 3}


@pytest.mark.parametrize("language", HELLO)
def test_the_sum_of_so_many_of_what_was_talked_of(open_desk, language: str) -> None:
    desk = open_desk(**PIX)
    opened(desk, language)
    show, words, buy = SUM_OF_TALK[language]
    desk.says(show)
    assert TOTAL_THREE[language] in heard(desk, words)
    desk.says(buy)
    assert in_cart(desk) == {"Curso de Violão": 3}
    assert TOTAL_THREE[language] in heard(desk, words), "also of what lies in the cart"
    desk.says(buy)
    assert in_cart(desk) == {"Curso de Violão": 3}, "so many, and not so many more"


def test_a_sum_leaves_the_question_for_a_count_open(open_desk) -> None:
    desk = open_desk(**PIX)
    opened(desk, "pt")
    desk.says("quanto custa o curso de violão?")
    desk.says("comprar")
    assert TOTAL_THREE["pt"] in heard(desk, "quanto fica 3?")
    desk.says("2")
    assert in_cart(desk) == {"Curso de Violão": 2}


def test_the_sum_of_more_than_there_are_says_so(open_desk) -> None:
    desk = open_desk(**PIX)
    opened(desk, "pt", stock=2)
    told = heard(desk, "quanto fica 3 cursos de violão?")
    assert "2" in told
    assert TOTAL_THREE["pt"] not in told


@pytest.mark.parametrize("language", HELLO)
def test_a_cart_of_gifts_names_no_sum_and_asks_for_no_payment(open_desk, language: str) -> None:
    desk = open_desk(**PIX)
    sell(desk, language, price_minor=0)
    words = said(desk)
    assert not [zero for zero in ("0,00", "0.00") if zero in words]
    assert {"pt": "não custa nada", "es": "no cuesta nada", "en": "costs nothing"}[language] in words
    assert [order.status for order in desk.rows(Order)] == ["paid"]
    assert {"pt": "Grátis", "es": "Gratis", "en": "Free"}[language] in heard(
        desk, {"pt": "meus pedidos", "es": "mis pedidos", "en": "my orders"}[language]
    )


RESEND = {
    "pt": ("manda de novo", "manda o pix de novo", "pode reenviar o código?"),
    "es": ("mándalo de nuevo", "mándame el código otra vez"),
    "en": ("send it again", "can you resend the code?"),
}


@pytest.mark.parametrize("language", HELLO)
def test_what_is_to_be_paid_is_sent_again(open_desk, language: str) -> None:
    desk = open_desk(**PIX)
    sell(desk, language)
    _picture, code, _menu = desk.graph.sent[-3:]
    for words in RESEND[language]:
        again = desk.says(words)
        assert [one.type for one in again] == ["image", "text", "interactive"]
        assert texts_of(again)[1] == code.text


def test_the_way_that_was_chosen_is_sent_again_and_none_asked_for(open_desk) -> None:
    desk = open_desk(**EVERY_WAY)
    sell(desk, "pt")
    assert "conta 89-0" in heard(desk, "transferência")
    desk.clock.advance(3600)  # the way is known from the order, not from the talk
    assert "conta 89-0" in heard(desk, "manda de novo")


def test_the_goods_are_sent_again_once_the_order_is_paid(open_desk) -> None:
    desk = open_desk(**PIX)
    order = sell(desk, "pt")
    desk.change(Order, Order.id == order.id, status="paid", payment_status="paid")
    assert "Pix" not in heard(desk, "manda de novo")
