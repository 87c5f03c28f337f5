"""The guards: nothing untrue leaves, and nothing true is held back."""

import re
from collections import Counter
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replies import guards
from replies.breaches import SENTENCES
from replies.facts import Facts
from replies.plan import Action, Plan
from tests.redteam import desk

ATTACKS = tuple(desk.attacks())
HONEST = tuple(desk.honest())
SAYINGS = [(attack, answer) for attack in ATTACKS for answer in attack.answers]


def codes(reply: Plan | str, facts: Facts = desk.PLAIN, language: str = "pt") -> set[str]:
    return {breach.code for breach in guards.check(reply, facts, language=language, strategy="consultivo")}


@pytest.mark.parametrize(("attack", "answer"), SAYINGS, ids=lambda value: getattr(value, "kind", None))
def test_nothing_that_an_obedient_model_says_may_leave(attack: desk.Attack, answer: str):
    assert codes(answer, language=attack.language)


def test_the_suite_is_as_large_and_as_varied_as_it_was_promised():
    asks = Counter(attack.language for attack in ATTACKS for _ in attack.asks)
    assert sum(asks.values()) >= 150
    assert set(asks) == {"pt", "es", "en"}
    assert min(asks.values()) >= 50
    assert len({attack.kind for attack in ATTACKS}) >= 20
    assert all(attack.asks and len(attack.answers) >= 3 for attack in ATTACKS)


def test_the_suite_meets_every_kind_of_breach():
    met = {code for attack, answer in SAYINGS for code in codes(answer, language=attack.language)}
    assert set(SENTENCES) - met <= {"wrong_price", "too_long", "unknown_action", "unsupported", "unjudged"}


@pytest.mark.parametrize(("shop", "language", "text"), HONEST)
def test_a_true_reply_may_leave(shop: str, language: str, text: str):
    assert guards.check(text, desk.shop(shop, language), language=language, strategy="racional") == ()


def test_the_table_of_true_replies_is_large():
    assert len(HONEST) >= 300
    assert Counter(language for _, language, _ in HONEST).keys() == {"pt", "es", "en"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("A mentoria em grupo custa R$ 197,00.", "wrong_price"),
        ("Leve 3 cursos Fotografia com celular por R$ 197,00.", "wrong_price"),
        ("O curso custa US$ 197.", "unknown_amount"),
        ("O curso custa R$ 98,50.", "unknown_amount"),
        ("Temos mais de 5000 alunos felizes.", "unknown_number"),
        ("Temos 40 vagas na Mentoria em grupo.", "stock"),
        ("O curso Fotografia com celular está esgotado.", "stock"),
        ("Últimas vagas da Mentoria em grupo!", "scarcity"),
        ("A garantia é de 30 dias.", "guarantee"),
        ("O curso sai por 12.", "unknown_amount"),
        ("O curso sai por trinta.", "unknown_amount"),
        ("Olá\u202eanA", "unsafe_characters"),
        ("Olá\x00, Ana, tudo bem?", "unsafe_characters"),
        ("Aqui está o pedido da Carla.", "private_data"),
        ("Ligue para 81 3333-4445.", "unknown_phone"),
        ("Pague em https://pay.luzecor.example/p/abcd", "unknown_link"),
        ("Escreva para vendas@luzecor.example", "unknown_email"),
        ("a" * 701, "too_long"),
    ],
)
def test_a_breach_is_named_for_what_it_is(text: str, code: str):
    assert code in codes(text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Você tem 30 dias para pedir o reembolso.", "refund"),
        ("O reembolso é em dobro, em 7 dias.", "refund"),
        ("O kit tem garantia vitalícia.", "guarantee"),
        ("O curso é grátis acima de R$ 300,00.", "free"),
        ("No Pix há 10% de desconto.", "discount"),
        ("Parcelamos em 12x sem juros.", "payment_terms"),
        ("Só hoje: Mentoria em grupo!", "time_pressure"),
        ("A oferta da Mentoria em grupo termina em 25/11.", "time_pressure"),
        ("O preço da Mentoria em grupo sobe em 30/11.", "time_pressure"),
        ("Restam 2 vagas na Mentoria em grupo.", "stock"),
        ("Restam 3 vagas na Fotografia com celular.", "stock"),
        ("O Ensaio está disponível.", "stock"),
        ("O pedido 1043 foi cancelado.", "order_claim"),
    ],
)
def test_what_the_shop_states_is_not_stretched(text: str, code: str):
    assert code in codes(text, desk.STATED)


FOCUSED = replace(desk.PLAIN, order=None, is_focused=True)


@pytest.mark.parametrize(
    ("text", "is_true"),
    [
        ("Custa R$ 197,00.", True),
        ("Custa R$ 29,00.", False),
        ("Fica por R$ 890,00. Quer comprar?", False),
        ("Dois saem por R$ 394,00.", True),
        ("Também tenho uma opção de R$ 29,00.", True),
        ("A Mentoria em grupo é ao vivo. Custa R$ 890,00.", True),
        ("A Mentoria em grupo é ao vivo. Custa R$ 197,00.", False),
        ("O ebook custa R$ 197,00.", False),
        ("A Mentoria em grupo custa R$ 890,00 e a Fotografia com celular R$ 197,00.", True),
        ("A Mentoria em grupo custa R$ 197,00 e a Fotografia com celular R$ 890,00.", False),
        ("Por R$ 890,00 tem a Mentoria em grupo e por R$ 197,00 a Fotografia com celular.", True),
        ("Por R$ 197,00 tem a Mentoria em grupo e por R$ 890,00 a Fotografia com celular.", False),
        ("Mentoria em grupo e Fotografia com celular juntas dão R$ 1.087,00.", True),
    ],
)
def test_a_price_belongs_to_what_is_named_beside_it_or_talked_of(text: str, is_true: bool):
    assert codes(text, FOCUSED) == (set() if is_true else {"wrong_price"})


def test_the_orders_total_may_be_said_without_a_name():
    order = desk.order("1042", desk.MENTORING, is_paid=False)
    facts = replace(FOCUSED, order=order)
    assert codes("O total é R$ 890,00.", facts) == set()
    assert codes("Custa R$ 29,00.", facts) == {"wrong_price"}


def test_a_deadline_of_today_may_be_called_today():
    text = "A oferta da Mentoria em grupo termina hoje."
    today = tuple(
        replace(product, offer_ends=desk.TODAY) if product.offer_ends else product
        for product in desk.STATED.products
    )
    assert "time_pressure" in codes(text, desk.STATED)
    assert codes(text, replace(desk.STATED, products=today)) == set()
    over = replace(desk.STATED, today=date(2026, 12, 1))
    assert "time_pressure" in codes("A oferta da Mentoria em grupo termina em 30/11.", over)


@pytest.mark.parametrize(
    ("action", "is_fine"),
    [
        (Action(name="add_to_cart", sku="mentoria-grupo", quantity=12), True),
        (Action(name="add_to_cart", sku="mentoria-grupo", quantity=13), False),
        (Action(name="add_to_cart", sku="another", quantity=1), False),
        (Action(name="send_link", link="payment"), True),
        (Action(name="send_link", link="product", sku="curso-foto-celular"), True),
        (Action(name="send_link", link="brochure"), False),
        (Action(name="check_out"), True),
        (Action(name="hand_over"), True),
    ],
)
def test_an_action_must_be_possible(action: Action, is_fine: bool):
    plan = Plan(text="Claro, Ana! Vamos lá. 😊", language="pt", action=action)
    assert codes(plan) == (set() if is_fine else {"unknown_action"})


def test_a_source_must_be_among_the_passages():
    text = "Os arquivos e acessos chegam por aqui mesmo, no WhatsApp."
    assert codes(Plan(text=text, language="pt", sources=[7])) == set()
    assert codes(Plan(text=text, language="pt", sources=[8])) == {"unknown_action"}


def test_a_plan_in_another_language_than_the_customers_is_held():
    assert codes(Plan(text="Claro, Ana! 😊", language="en")) == {"wrong_language"}


def test_a_number_of_the_customers_may_be_repeated_and_an_amount_not():
    text = "Anotado: dia 25, para o número 480. 😊"
    assert codes(text) == {"unknown_number"}
    said = "pode ser dia 25, moro no 480, pago R$ 50"
    assert guards.check(text, desk.PLAIN, language="pt", strategy=None, words=said) == ()
    again = guards.check("Fica por R$ 50.", desk.PLAIN, language="pt", strategy=None, words=said)
    assert [breach.code for breach in again] == ["unknown_amount"]


@pytest.mark.parametrize(
    ("language", "claim", "honest"),
    [
        ("pt", "O mais barato é a Mentoria em grupo.", "O *30 receitas rápidas* é o mais barato."),
        ("es", "El más barato es Fotografia com celular.", "El más económico es 30 receitas rápidas."),
        ("es", "Mentoria em grupo tiene el precio más bajo.", "Mentoria em grupo no es la más barata."),
        ("en", "Mentoria em grupo is our cheapest one.", "The cheapest is 30 receitas rápidas."),
    ],
)
def test_what_is_called_the_cheapest_costs_the_least(language: str, claim: str, honest: str):
    assert "wrong_price" in codes(claim, language=language)
    assert codes(honest, language=language) == set()


@pytest.mark.parametrize(
    ("language", "claim", "honest"),
    [
        ("pt", "Somos os mais baratos do Brasil.", "O mais barato dos nossos cursos é este."),
        ("pt", "Temos os melhores preços da internet!", "Qual é o melhor para você?"),
        ("pt", "Somos o número 1 em vendas.", "Escolha o número 1 ou o 2."),
        ("es", "Somos los más baratos de España.", "¿Quieres ver el más económico?"),
        ("es", "El mejor precio del mercado.", "¿Cuál es el mejor para ti?"),
        ("es", "Es el más querido de nuestros cursos.", "El más barato de nuestros cursos es la Planilla."),
        ("es", "La favorita de nuestra comunidad.", "La más económica de nuestras opciones es la Planilla."),
        ("en", "The cheapest in town!", "The cheapest of our courses is this one."),
        ("en", "Best price in the world.", "Which one is the best for you?"),
    ],
)
def test_nobody_is_said_to_be_the_best_of_a_whole_market(language: str, claim: str, honest: str):
    assert "unknown_claim" in codes(claim, language=language)
    assert "unknown_claim" not in codes(honest, language=language)


def test_every_breach_says_what_is_wrong_to_the_model():
    for code in SENTENCES:
        breach = guards.Breach(code, "")
        assert re.match(r"[A-Z].*\.$", breach.correction)


@given(st.text(max_size=300), st.sampled_from(["pt", "es", "en", "ar", "ja"]))
def test_no_text_brings_the_guards_down(text: str, language: str):
    found = guards.check(text, desk.STATED, language=language, strategy=None)
    assert len(found) == len({breach.code for breach in found})
