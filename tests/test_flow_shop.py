"""The flow of the shop: categories, products, cart, order, in three languages."""

import pytest

from tests.walking import CATEGORIES, PRODUCT, Customer, menu_of, words_of

LANGUAGES = ("pt", "es", "en")
MANY = [{"id": n, "name": f"Produto {n}", "price_text": f"R$ {n},00", "in_stock": True} for n in range(1, 26)]


def shop(language: str = "pt", **options) -> Customer:
    return Customer("shop", language, **options)


def keys(turn) -> list[str]:
    return [choice.key for choice in menu_of(turn).choices]


def ids(turn) -> list[str]:
    return [choice.id.rpartition(":")[2] for choice in menu_of(turn).choices]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_menu_welcomes_in_the_shops_name(language: str):
    turn = shop(language).says("oi")
    assert "Loja da Ana" in words_of(turn)
    assert keys(turn) == ["1", "2", "3", "4"]


def test_a_shop_without_a_name_welcomes_too():
    assert words_of(shop(context={}).says("oi")).startswith("👋 Boas-vindas!")


@pytest.mark.parametrize("language", LANGUAGES)
def test_categories_are_numbered_with_a_way_back(language: str):
    customer = shop(language)
    turn = customer.says("oi", "1")
    assert keys(turn) == ["1", "2", "3", "0"]
    assert [c.title for c in menu_of(turn).choices[:3]] == [c["name"] for c in CATEGORIES]
    assert customer.says("0").step == "menu"


@pytest.mark.parametrize("text", ["2", "E-books", "e books", "E-BOOKS", "dois", "2️⃣"])
def test_a_category_is_chosen_by_number_or_name(text: str):
    customer = shop()
    customer.says("oi", "1", text)
    assert customer.asked[-1].args == {"category_id": "2"}
    assert customer.data["category_title"] == "E-books"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_product_is_bought(language: str):
    customer = shop(language)
    card = customer.says("oi", "1", "1", "1")
    assert customer.asked[-1].args == {"product_id": "11"}
    for word in ("Curso de Violão", "R$ 97,00", "✅ 40 aulas", "Do zero"):
        assert word in words_of(card)
    assert customer.presses(card, "buy").awaits == "number"
    added = customer.says("2")
    assert [(c.name, c.args) for c in added.applies] == [("add_to_cart", {"product_id": "11", "quantity": 2})]
    assert "R$ 194,00" in words_of(added)
    assert customer.presses(added, "checkout").step == "confirm"
    done = customer.says("1")
    assert done.is_done
    applied = [(call.name, call.facts["order"]["number"]) for call in done.applies]
    assert applied == [("checkout", "P-1001"), ("start_payment", "P-1001")]
    assert "P-1001" in words_of(done)
    assert "R$ 194,00" in words_of(done)


@pytest.mark.parametrize(
    ("language", "word"), [("pt", "dados para pagamento"), ("es", "datos de pago"), ("en", "payment details")]
)
def test_the_order_says_that_payment_details_follow_from_the_shop(language: str, word: str):
    customer = shop(language)
    customer.says("oi", "2")
    assert word in words_of(customer.says("1", "1"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_question_names_the_total_and_is_asked_again_when_it_changed(language: str):
    customer = shop(language, outcomes={"checkout": "changed"})
    assert "R$ 194,00" in words_of(customer.says("oi", "2", "1"))
    asked = customer.says("1")
    assert (asked.step, "R$ 250,00" in words_of(asked), "R$ 194,00" in words_of(asked)) == (
        "confirm",
        True,
        False,
    )
    customer.outcomes = {}
    assert "P-1001" in words_of(customer.says("1"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_pix_code_stands_alone_in_its_message_to_be_copied(language: str):
    customer = Customer("shop", language, {"start_payment": "pix"}, step="confirm")
    turn = customer.says("1")
    picture, code, menu = turn.say[1:]
    assert (picture.KIND, picture.file_id) == ("media", 3)
    assert "P-1001" in picture.caption
    assert code.body.startswith("00020126")
    assert [choice.id for choice in menu.choices] == [
        f"shop/paying:{one}" for one in ("paid", "other", "cancel")
    ]


def test_of_several_ways_to_pay_one_is_chosen():
    customer = Customer("shop", "pt", {"start_payment": "choose"}, step="confirm")
    menu = menu_of(customer.says("1"))
    assert [choice.title for choice in menu.choices] == ["Pix", "Cartão", "Cancelar pedido"]
    customer.outcomes = {"start_payment": "link"}
    assert "https://pay.example/1" in words_of(customer.says("cartão"))
    assert customer.asked[-1].args["method"] == "stripe"


@pytest.mark.parametrize(
    ("said", "action"),
    [
        ("paguei", "claim_payment"),
        ("já paguei", "claim_payment"),
        ("outra forma", "start_payment"),
        ("3", "open_order"),
    ],
)
def test_who_is_paying_says_so_or_turns_away(said: str, action: str):
    customer = Customer("shop", "pt", step="paying")
    customer.says(said)
    assert customer.asked[-1].name == action


@pytest.mark.parametrize("language", LANGUAGES)
def test_which_order_is_cancelled_is_told_and_asked(language: str):
    customer = Customer("shop", language, step="paying", outcomes={"open_order": "several"})
    assert menu_of(customer.says("3")).choices[0].title == "P-1001"
    customer.outcomes = {}
    assert "*P-1001* (*R$ 194,00*)" in words_of(customer.says("1"))
    customer.says("1")
    assert (customer.asked[-1].name, customer.asked[-1].args) == ("cancel_order", {"number": "P-1001"})


@pytest.mark.parametrize("text", ["0", "100", "-", "muitos", "1 ou 2", "", "2,5 e 3"])
def test_an_impossible_quantity_is_asked_again(text: str):
    customer = shop()
    card = customer.says("oi", "1", "1", "1")
    customer.presses(card, "buy")
    turn = customer.says(text)
    assert (customer.step, turn.is_understood) == ("quantity", False)
    assert words_of(turn) == "Envie só um número, por favor, de 1 a 99."


@pytest.mark.parametrize("text", ["3", "três", "3 unidades", "３", "quero 3"])
def test_a_quantity_is_read(text: str):
    customer = shop()
    customer.presses(customer.says("oi", "1", "1", "1"), "buy")
    customer.says(text)
    assert customer.asked[-1].args["quantity"] == 3


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("available", [0, 1, None])
def test_too_many_is_told_with_what_is_left(language: str, available: int | None):
    facts = {"add_to_cart": {"product": PRODUCT, "available": available}}
    customer = shop(language, outcomes={"add_to_cart": "out_of_stock"}, facts=facts)
    customer.presses(customer.says("oi", "1", "1", "1"), "buy")
    turn = customer.says("50")
    assert turn.applies == ()
    assert (" 1" in words_of(turn)) is (available == 1)
    assert customer.presses(turn, "quantity").step == "quantity"


def test_a_product_that_is_gone_leads_back_to_the_categories():
    customer = shop(outcomes={"add_to_cart": "none"})
    customer.presses(customer.says("oi", "1", "1", "1"), "buy")
    turn = customer.says("1")
    assert turn.step == "categories.found"
    assert len(turn.say) == 2


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("outcomes", "walk", "step"),
    [
        ({"show_categories": "none"}, ["oi", "1"], "categories.none"),
        ({"show_products": "none"}, ["oi", "1", "1"], "products.none"),
        ({"show_product": "none"}, ["oi", "1", "1", "1"], "product.none"),
        ({"show_cart": "empty"}, ["oi", "2"], "cart.empty"),
        ({"order_status": "none"}, ["oi", "3"], "orders.none"),
        ({"checkout": "empty"}, ["oi", "2", "1", "1"], "checkout.empty"),
        ({"checkout": "out_of_stock"}, ["oi", "2", "1", "1"], "cart.found"),
        ({"checkout": "left_out"}, ["oi", "2", "1", "1"], "cart.found"),
        ({"empty_cart": "empty"}, ["oi", "2", "3"], "empty.empty"),
        ({}, ["oi", "2", "3"], "empty.ok"),
    ],
)
def test_nothing_to_show_is_told_and_leads_on(language: str, outcomes: dict, walk: list[str], step: str):
    customer = shop(language, outcomes=outcomes)
    turn = customer.says(*walk)
    assert turn.step == step
    assert turn.awaits == "choice"
    assert customer.says("menu").step == "menu"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_cart_shows_lines_and_total(language: str):
    words = words_of(shop(language).says("oi", "2"))
    assert "2 × Curso de Violão: R$ 194,00" in words
    assert "Total: *R$ 194,00*" in words


def test_a_long_cart_is_summed_up():
    lines = [{"name": f"Produto {n}", "quantity": 1, "total_text": "R$ 1,00"} for n in range(40)]
    facts = {"show_cart": {"lines": lines, "total_text": "R$ 40,00"}}
    words = words_of(shop(facts=facts).says("oi", "2"))
    assert "… e mais 25" in words
    assert len(words) <= 1024


@pytest.mark.parametrize("language", LANGUAGES)
def test_orders_are_told_with_their_state(language: str):
    words = words_of(shop(language).says("oi", "3"))
    assert "*P-1001*: aguardando pagamento\nTotal: R$ 194,00" in words


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("text", ["4", "atendente", "human", "asesor"])
def test_a_person_can_be_asked_for(language: str, text: str):
    turn = shop(language).says("oi", text)
    assert turn.is_done
    assert [call.name for call in turn.applies] == ["hand_over"]


@pytest.mark.parametrize("answer", ["não", "no", "2", "Ainda não"])
def test_an_order_is_only_placed_when_confirmed(answer: str):
    customer = shop()
    customer.says("oi", "2", "1", answer)
    assert customer.step == "cart.found"
    assert "checkout" not in [call.name for call in customer.asked]


@pytest.mark.parametrize("answer", ["1", "sim", "Sim!", "s", "pode", "yes", "sí", "ok", "confirmo"])
def test_an_order_is_confirmed_in_many_words(answer: str):
    assert shop().says("oi", "2", "1", answer).is_done


def test_many_products_come_in_pages():
    customer = shop(facts={"show_products": {"products": MANY}})
    first = customer.says("oi", "1", "1")
    assert keys(first) == ["1", "2", "3", "4", "5", "6", "7", "+", "A", "0"]
    second = customer.presses(first, "@more")
    assert keys(second) == ["8", "9", "10", "11", "12", "13", "14", "+", "A", "0"]
    assert menu_of(second).choices[0].description == "R$ 8,00"
    third = customer.says("+")
    fourth = customer.says("mais")
    assert keys(third)[0] == "15"
    assert keys(fourth) == ["22", "23", "24", "25", "+", "A", "0"]
    assert keys(customer.says("ver mais"))[0] == "1"


@pytest.mark.parametrize("text", ["23", "Produto 23", "２３", "produto 23"])
def test_a_product_of_another_page_is_chosen_too(text: str):
    customer = shop(facts={"show_products": {"products": MANY}})
    customer.says("oi", "1", "1", text)
    assert customer.asked[-1].args == {"product_id": "23"}


@pytest.mark.parametrize("count", range(1, 13))
def test_a_list_never_has_more_than_ten_rows(count: int):
    turn = shop(facts={"show_products": {"products": MANY[:count]}}).says("oi", "1", "1")
    assert len(menu_of(turn).choices) <= 10
    assert ("+" in keys(turn)) is (count > 8)


@pytest.mark.parametrize("products", [[], None, "text", [None], [{}], [{"id": 1}], [{"name": "x"}]])
def test_strange_facts_offer_nothing_that_cannot_be_chosen(products: object):
    turn = shop(facts={"show_products": {"products": products}}).says("oi", "1", "1")
    assert ids(turn) == ["categories", "menu"]


def test_an_old_product_row_still_opens_that_product():
    customer = shop()
    old = customer.says("oi", "1", "1")
    customer.says("menu", "2")
    assert customer.presses(old, "=12").step == "product.found"
    assert customer.asked[-1].args == {"product_id": "12"}


def test_back_goes_one_step_back():
    customer = shop()
    customer.says("oi", "1", "1", "1")
    assert [customer.says("voltar").step for _ in range(4)] == [
        "products.found",
        "categories.found",
        "menu",
        "menu",
    ]


def test_an_old_buy_button_after_a_new_session_starts_over():
    card = shop().says("oi", "1", "1", "1")
    customer = shop()
    customer.presses(card, "buy")
    turn = customer.says("1")
    assert turn.step == "menu"
    assert "add_to_cart" not in [call.name for call in customer.asked]
