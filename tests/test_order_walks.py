"""The lives of an order, through the real door and the order's page, in each language: paid with Pix, paid by
hand, cancelled, paid back, waiting for a key, paid twice, paid wrongly."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

import unasked
from models import (
    Alert,
    Conversation,
    Delivery,
    Integration,
    LicenceKey,
    Order,
    OrderItem,
    Payment,
    Product,
    Sale,
    StateChange,
    Ticket,
    db,
)
from shop import delivery, payments, pix
from tests.browsing import get, post, sign_in
from tests.fakes.graph import FakeGraph
from tests.page_rows import ADMIN_EMAIL, AGENT_EMAIL, people
from tests.paying import PIX
from tests.real_door import META, WalkedDesk, texts_of, walked_desk
from tests.records import make_conversation, make_product

LANGUAGES = ("pt", "es", "en")
GOODS = "https://curso.example/entrar"
NAMES = {"en": "Guitar Course", "es": "Curso de Guitarra"}
BUY = {
    "pt": ("quanto custa o curso de violão?", "comprar", "2", "fechar pedido", "sim"),
    "es": ("cuánto cuesta el curso de guitarra?", "comprar", "2", "finalizar pedido", "sí"),
    "en": ("how much is the guitar course?", "buy", "2", "checkout", "yes"),
}
PAID = {"pt": "já paguei", "es": "ya pagué", "en": "I've paid"}
CHECKED = {"pt": "conferir o pagamento", "es": "verifique el pago", "en": "check the payment"}
CONFIRMED = {"pt": "Pagamento confirmado", "es": "Pago confirmado", "en": "Payment confirmed"}
AGAIN = {"pt": "não recebi o produto", "es": "no me llegó el curso", "en": "I haven't received it"}
SENT_AGAIN = {"pt": "mais uma vez", "es": "otra vez", "en": "once more"}
CANCEL = {"pt": "quero cancelar meu pedido", "es": "quiero cancelar mi pedido", "en": "cancel my order"}
MISTAKE = {"pt": "comprei por engano", "es": "lo compré por error", "en": "I bought it by mistake"}
REFUND = {"pt": "quero meu dinheiro de volta", "es": "quiero un reembolso", "en": "I want a refund"}


@pytest.fixture
def open_desk(load_config) -> Iterator:
    opened = []

    def open_(**environ: str) -> WalkedDesk:
        graph = FakeGraph().start()
        walk = walked_desk(load_config(GRAPH_API_BASE_URL=graph.url, **META, **environ), graph)
        desk = walk.__enter__()
        opened.append((walk, graph))
        with desk.app.app_context():
            people()
        sign_in(desk.client, ADMIN_EMAIL)
        return desk

    yield open_
    for walk, graph in opened:
        walk.__exit__(None, None, None)
        graph.stop()


def sell(desk: WalkedDesk, language: str, **goods: Any) -> Order:
    """Have a customer buy two courses; gives the order."""
    desk.change(Integration, start_flow="shop", language=language)
    with desk.app.app_context():
        make_product(
            name="Curso de Violão", names=NAMES, **{"delivery_kind": "text", "delivery_text": GOODS, **goods}
        )
        db.session.commit()
    desk.says({"pt": "oi", "es": "hola", "en": "hello"}[language])
    for words in BUY[language]:
        desk.says(words)
    return newest(desk)


def newest(desk: WalkedDesk) -> Order:
    order: Order = desk.rows(Order)[-1]
    return order


def mark_paid(desk: WalkedDesk, order: Order, amount: str) -> str:
    """Press *Mark paid* on the order's page; gives what the page then says."""
    page = f"/orders/{order.id}"
    answer = post(desk.client, f"{page}/paid", page, amount=amount, reason="visto no extrato")
    assert answer.status_code == 303
    desk.work()
    return get(desk.client, page).text


def said(desk: WalkedDesk) -> str:
    return "\n".join(texts_of(desk.graph.sent))


def number_of(order: Order) -> str:
    return order.number or ""


def heard(desk: WalkedDesk, words: str) -> str:
    """Give what the desk answers to these words."""
    return "\n".join(texts_of(desk.says(words)))


def kinds(desk: WalkedDesk) -> set[str]:
    return {alert.kind for alert in desk.rows(Alert, Alert.open_topic.is_not(None))}


@pytest.mark.parametrize("language", LANGUAGES)
def test_bought_with_pix_claimed_confirmed_and_received(open_desk, language: str) -> None:
    desk = open_desk(**PIX)
    order = sell(desk, language)
    assert order.total_minor == 19400
    picture, code, _menu = desk.graph.sent[-3:]
    assert (picture.type, pix.read_code(code.text).amount_minor) == ("image", 19400)
    assert CHECKED[language] in "\n".join(texts_of(desk.says(PAID[language])))
    assert "payment_claimed" in kinds(desk)
    page = mark_paid(desk, order, "194,00")
    assert "O pedido está pago" in page
    assert CONFIRMED[language] in said(desk)
    assert desk.graph.sent[-1].text.count(GOODS) == 1
    assert (newest(desk).status, len(desk.rows(Sale))) == ("paid", 1)
    assert "payment_claimed" not in kinds(desk)
    desk.clock.advance(600)
    assert SENT_AGAIN[language] in "\n".join(texts_of(desk.says(AGAIN[language])))
    assert said(desk).count(GOODS) == 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_paid_by_hand_with_the_shops_own_words(open_desk, language: str) -> None:
    desk = open_desk(MANUAL_PAYMENT_TEXT="Banco 123, conta 4567-8")
    order = sell(desk, language)
    assert "conta 4567-8" in said(desk)
    mark_paid(desk, order, "R$ 194,00")
    assert (newest(desk).status, desk.rows(Payment)[0].confirmed_by_id) == ("paid", 1)


@pytest.mark.parametrize("language", LANGUAGES)
def test_cancelled_by_the_customer_and_the_stock_is_back(open_desk, language: str) -> None:
    desk = open_desk(**PIX)
    sell(desk, language, stock=5)
    assert desk.rows(Product)[0].stock == 3
    desk.says(CANCEL[language])
    desk.says("1")
    assert (newest(desk).status, desk.rows(Product)[0].stock) == ("cancelled", 5)
    steps = desk.rows(StateChange, StateChange.record == "order")
    assert [(step.after, step.actor) for step in steps] == [("placed", "customer"), ("cancelled", "customer")]


@pytest.mark.parametrize("language", LANGUAGES)
def test_of_two_orders_the_one_that_is_named_is_meant(open_desk, language: str) -> None:
    desk = open_desk(**PIX)
    first = sell(desk, language)
    for words in BUY[language]:
        desk.says(words)
    second = newest(desk)
    status = {"pt": "qual o status do pedido", "es": "cuál es el estado del pedido", "en": "status of order"}
    told = heard(desk, f"{status[language]} {number_of(first)}")
    assert number_of(first) in told
    assert number_of(second) not in told
    desk.says("menu")
    desk.says(f"{PAID[language]} {number_of(first)}")
    assert [order.payment_status for order in desk.rows(Order)] == ["claimed", "unpaid"]
    told = heard(desk, f"{CANCEL[language]} {number_of(first)}")
    assert number_of(first) in told
    assert number_of(second) not in told
    desk.says("1")
    assert [order.status for order in desk.rows(Order)] == ["cancelled", "placed"]


def test_of_two_orders_none_is_cancelled_before_it_is_told_which(open_desk) -> None:
    desk = open_desk(**PIX)
    first = sell(desk, "pt")
    for words in BUY["pt"]:
        desk.says(words)
    second = newest(desk)
    assert "Qual deles" in heard(desk, "quero cancelar meu pedido")
    told = heard(desk, number_of(first))
    assert number_of(first) in told
    assert number_of(second) not in told
    desk.says("sim")
    assert [order.status for order in desk.rows(Order)] == ["cancelled", "placed"]
    assert number_of(second) in heard(desk, "quero cancelar meu pedido")  # the only one that is left


def test_the_number_of_another_persons_order_names_nothing(open_desk) -> None:
    desk = open_desk(**PIX)
    order = sell(desk, "pt")
    with desk.app.app_context():
        db.session.get_one(Order, order.id).contact_id = make_conversation("5511999990000", "Eva").contact_id
        db.session.commit()
    for words in BUY["pt"]:
        desk.says(words)
    told = heard(desk, f"quero cancelar meu pedido {number_of(order)}")
    assert number_of(order) not in told
    assert number_of(newest(desk)) in told
    assert told == heard(desk, "quero cancelar meu pedido P-1234"), "nobody learns which numbers there are"


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_done_to_her_order_by_a_number_that_is_none_of_hers(open_desk, language: str) -> None:
    desk = open_desk(**PIX)
    order = sell(desk, language)
    not_hers = {"pt": "Não encontrei esse número", "es": "No encontré ese número", "en": "couldn't find that"}
    refund, where = {
        "pt": ("reembolso do P-1234", "cadê o pedido P-1234?"),
        "es": ("reembolso del P-1234", "¿dónde está mi pedido P-1234?"),
        "en": ("refund for P-1234", "where is my order P-1234?"),
    }[language]
    for words in (f"{PAID[language]} P-1234", refund, f"{CANCEL[language]} 10025", where):
        told = heard(desk, words)
        assert not_hers[language] in told, words
        assert number_of(order) in told, words
    assert (newest(desk).status, newest(desk).payment_status, desk.rows(Ticket)) == ("placed", "unpaid", [])
    desk.says(BUY[language][-1])
    assert CHECKED[language] in heard(desk, PAID[language]), "what can be done with hers is offered"
    for words in BUY[language]:
        desk.says(words)
    told = heard(desk, where)
    assert all(number_of(one) in told for one in desk.rows(Order)), "of several, it is asked which"


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("pt", "reembolso do pedido {}"),
        ("pt", "estorno do {}, por favor"),
        ("es", "reembolso del pedido {}"),
        ("es", "devolución del {}"),
        ("en", "refund for order {}"),
        ("en", "refund {} please"),
    ],
)
def test_a_refund_is_wished_for_without_a_verb(open_desk, language: str, words: str) -> None:
    desk = open_desk(**PIX)
    order = sell(desk, language)
    mark_paid(desk, order, "194,00")
    desk.says(words.format(number_of(order)))
    assert number_of(order) in heard(desk, MISTAKE[language])
    assert len(desk.rows(Ticket)) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_order_of_which_nothing_fits_keeps_the_cart(open_desk, language: str) -> None:
    desk = open_desk(**PIX)
    desk.change(Integration, start_flow="shop", language=language)
    with desk.app.app_context():
        make_product("violao", name="Curso de Violão", names=NAMES, stock=3)
        make_product("canto", name="Curso de Canto", names={"en": "Singing Course"}, stock=2)
        db.session.commit()

    def orders_from_catalogue(sku: str, quantity: int) -> str:
        item = {
            "product_retailer_id": sku, "quantity": quantity, "item_price": 97, "currency": "BRL",
        }  # fmt: skip
        order = {"catalog_id": "1", "product_items": [item]}
        return "\n".join(texts_of(desk.hears(desk.meta.message({"type": "order", "order": order}))))

    orders_from_catalogue("violao", 2)
    told = orders_from_catalogue("canto", 5)
    left = {"pt": "só restam 2", "es": "solo quedan 2", "en": "only 2 left"}
    assert left[language] in told
    assert "2 × " in told, "the cart that stays is shown"
    assert [item.quantity for item in desk.rows(OrderItem)] == [2]


@pytest.mark.parametrize(
    ("language", "where", "goods"),
    [
        ("pt", "cadê meu pedido?", "cadê meu curso?"),
        ("es", "¿dónde está mi pedido?", "no me llegó el curso"),
        ("en", "where is my order?", "where is my course?"),
    ],
)
def test_who_says_she_paid_is_told_that_it_is_being_checked(
    open_desk, language: str, where: str, goods: str
) -> None:
    desk = open_desk(**PIX)
    sell(desk, language)
    desk.says(PAID[language])
    looked_at = {"pt": "em conferência", "es": "en verificación", "en": "being checked"}
    assert looked_at[language] in heard(desk, where)
    looked_at = {"pt": "está conferindo", "es": "está verificando", "en": "is checking"}
    assert looked_at[language] in heard(desk, goods)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_refund_is_asked_for_while_the_money_is_looked_for(open_desk, language: str) -> None:
    """What she says she paid may be on the account: the wish is written down, and people are told."""
    desk = open_desk(**PIX)
    order = sell(desk, language)
    desk.says(PAID[language])
    desk.says(REFUND[language])
    assert number_of(order) in heard(desk, MISTAKE[language])
    assert len(desk.rows(Ticket)) == 1
    assert "refund_wanted" in kinds(desk)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_refund_of_money_that_came_late_is_written_down(open_desk, language: str) -> None:
    desk = open_desk(**PIX)
    order = sell(desk, language)
    desk.says(CANCEL[language])
    desk.says(BUY[language][-1])
    mark_paid(desk, order, "194")
    assert (newest(desk).status, newest(desk).payment_status) == ("cancelled", "paid")
    desk.says(REFUND[language])
    assert number_of(order) in heard(desk, MISTAKE[language])
    assert len(desk.rows(Ticket)) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_who_has_not_paid_and_wants_money_back_may_cancel(open_desk, language: str) -> None:
    desk = open_desk(**PIX)
    order = sell(desk, language)
    desk.says(REFUND[language])
    assert number_of(order) in heard(desk, MISTAKE[language])
    assert desk.rows(Ticket) == []
    desk.says(BUY[language][-1])
    assert newest(desk).status == "cancelled"


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("pt", "já caiu o pagamento?"),
        ("pt", "o pix caiu?"),
        ("pt", "meu pagamento já foi confirmado?"),
        ("es", "¿llegó el pago?"),
        ("es", "¿ya se confirmó mi pago?"),
        ("en", "did you get my payment?"),
        ("en", "has my payment gone through?"),
    ],
)
def test_how_a_payment_stands_is_told_from_the_records(open_desk, language: str, words: str) -> None:
    desk = open_desk(**PIX)
    order = sell(desk, language)
    desk.says(PAID[language])
    told = heard(desk, words)
    assert number_of(order) in told
    assert {"pt": "em conferência", "es": "en verificación", "en": "being checked"}[language] in told


@pytest.mark.parametrize(
    ("language", "words"), [("pt", "cancelar o {}"), ("es", "cancela {}"), ("en", "please cancel {}")]
)
def test_an_order_is_cancelled_by_its_number_alone(open_desk, language: str, words: str) -> None:
    desk = open_desk(**PIX)
    order = sell(desk, language)
    assert number_of(order) in heard(desk, words.format(number_of(order)))
    desk.says(BUY[language][-1])
    assert newest(desk).status == "cancelled"


@pytest.mark.parametrize("language", LANGUAGES)
def test_paid_back_after_the_customer_asked_for_it(open_desk, language: str) -> None:
    desk = open_desk(**PIX)
    order = sell(desk, language)
    mark_paid(desk, order, "194")
    desk.says(REFUND[language])
    desk.says(
        {"pt": "comprei por engano", "es": "lo compré por error", "en": "I bought it by mistake"}[language]
    )
    assert len(desk.rows(Ticket)) == 1
    assert "refund_wanted" in kinds(desk)
    (payment,) = desk.rows(Payment)
    page = f"/orders/{order.id}"
    key = re.findall(r'name="key" value="([^"]+)"', get(desk.client, page).text)[0]
    for _ in range(2):
        post(
            desk.client,
            f"{page}/payments/{payment.id}/refund",
            page,
            key=key,
            amount="194,00",
            reason="engano",
        )
    desk.work()
    assert (newest(desk).status, newest(desk).payment_status) == ("refunded", "refunded")
    assert desk.rows(Sale)[0].reversed_at is not None
    assert [row.status for row in desk.rows(Delivery)] == ["revoked"]


@pytest.mark.parametrize(("ticked", "left"), [({}, 3), ({"restock": "1"}, 5)])
def test_goods_that_came_back_are_put_into_stock_once_if_the_form_says_so(
    open_desk, ticked: dict[str, str], left: int
) -> None:
    desk = open_desk(**PIX)
    order = sell(desk, "pt", stock=5)
    mark_paid(desk, order, "194")
    (payment,) = desk.rows(Payment)
    page = f"/orders/{order.id}"
    for amount in ("94,00", "100,00"):
        key = re.findall(r'name="key" value="([^"]+)"', get(desk.client, page).text)[0]
        for _ in range(2):
            refund = f"{page}/payments/{payment.id}/refund"
            assert post(desk.client, refund, page, key=key, amount=amount, **ticked).status_code == 303
    assert (newest(desk).status, desk.rows(Product)[0].stock) == ("refunded", left)
    assert len(desk.rows(StateChange, StateChange.record == "order_stock")) == len(ticked)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_costs_nothing_is_handed_over_at_once_without_a_word_of_money(open_desk, language: str) -> None:
    desk = open_desk(**PIX)
    order = sell(desk, language, price_minor=0, stock=5)
    for _ in range(2):
        with desk.app.app_context():
            unasked.bring_gifts(desk.app.config["BALCAO"], desk.clock())
        desk.work()
    assert (order.status, order.total_minor) == ("paid", 0)
    words = said(desk)
    assert {"pt": "Grátis", "es": "Gratis", "en": "Free"}[language] in words
    assert CONFIRMED[language] not in words
    assert texts_of(desk.graph.sent)[-1].count(GOODS) == 1, "the goods come last"
    assert {"pt": "não custa nada", "es": "no cuesta nada", "en": "costs nothing"}[language] in words
    assert (desk.rows(Payment), desk.rows(Sale), kinds(desk)) == ([], [], set())
    assert desk.rows(Product)[0].stock == 3


def test_a_gift_without_a_key_is_told_once_and_comes_when_there_is_one(open_desk) -> None:
    desk = open_desk()
    sell(desk, "pt", price_minor=0, delivery_kind="key", delivery_text="")
    with desk.app.app_context():
        for _ in range(3):
            unasked.bring_gifts(desk.app.config["BALCAO"], desk.clock())
        assert [alert.times for alert in desk.rows(Alert, Alert.kind == "no_keys")] == [2], "one for each key"
        delivery.add_keys(desk.rows(Product)[0].id, ["AAAA-1", "AAAA-2"], now=desk.clock())
        db.session.commit()
        unasked.bring_goods(desk.app.config["BALCAO"], desk.clock())
    desk.work()
    assert "AAAA-2" in texts_of(desk.graph.sent)[-1]
    assert kinds(desk) == set()


def test_a_paid_order_waits_for_a_key_and_gets_it_when_there_is_one(open_desk) -> None:
    desk = open_desk(**PIX)
    order = sell(desk, "pt", delivery_kind="key", delivery_text="")
    page = mark_paid(desk, order, "194,00")
    assert "falta uma chave" in page
    assert "no_keys" in kinds(desk)
    assert [row.status for row in desk.rows(Delivery)] == ["pending", "pending"]
    with desk.app.app_context():
        delivery.add_keys(desk.rows(Product)[0].id, ["AAAA-1", "AAAA-2", "AAAA-3"], now=desk.clock())
        db.session.commit()
    bring(desk)
    assert "AAAA-1" in said(desk)
    assert "AAAA-2" in said(desk)
    assert "AAAA-3" not in said(desk)
    assert "no_keys" not in kinds(desk)
    assert [key.delivery_id is not None for key in desk.rows(LicenceKey)] == [True, True, False]


def test_goods_wait_for_a_customer_who_cannot_be_written_to(open_desk) -> None:
    desk = open_desk(**PIX)
    order = sell(desk, "pt")
    desk.clock.advance(25 * 3600)
    with desk.app.app_context():
        confirm_later(desk, order)
    assert "undelivered" in kinds(desk)
    assert GOODS not in said(desk)
    bring(desk)
    assert GOODS not in said(desk)
    desk.change(Conversation, last_inbound_at=desk.clock())
    bring(desk)
    assert said(desk).count(GOODS) == 1
    assert "undelivered" not in kinds(desk)


def test_two_clicks_and_a_wrong_sum(open_desk) -> None:
    desk = open_desk(**PIX)
    order = sell(desk, "pt")
    assert "Nada foi lançado" in mark_paid(desk, order, "193,99")
    assert (newest(desk).status, "payment_mismatch" in kinds(desk)) == ("placed", True)
    assert "Escreva o valor" in mark_paid(desk, order, "muito")
    assert "O pedido está pago" in mark_paid(desk, order, "194,00")
    seen = {"amount": "194,00", "reason": "visto no extrato"}
    assert post(desk.client, f"/orders/{order.id}/paid", "/account", **seen).status_code == 303
    desk.work()
    assert said(desk).count(GOODS) == 1
    assert (len(desk.rows(Sale)), len(desk.rows(Delivery))) == (1, 1)


def test_a_receipt_is_tied_to_the_order_that_waits(open_desk) -> None:
    desk = open_desk(**PIX)
    order = sell(desk, "pt")
    answer = desk.hears(
        desk.meta.media(
            "image", desk.graph.add_media(b"\xff\xd8\xff" + b"0" * 64, "image/jpeg"), "image/jpeg"
        )
    )
    assert "comprovante" in "\n".join(texts_of(answer))
    (payment,) = desk.rows(Payment)
    assert payment.receipt_message_id is not None
    assert newest(desk).payment_status == "claimed"
    assert "media" not in kinds(desk)
    assert "Comprovante do cliente" in get(desk.client, f"/orders/{order.id}").text


def test_with_nothing_set_up_people_are_told_and_can_mark_it_paid(open_desk) -> None:
    desk = open_desk()
    order = sell(desk, "pt")
    assert "dados para pagamento" in said(desk)
    assert "order_placed" in kinds(desk)
    assert f"/orders/{order.id}" in get(desk.client, "/").text
    mark_paid(desk, order, "194,00")
    assert newest(desk).status == "paid"


def test_an_agent_looks_and_moves_no_money(open_desk) -> None:
    desk = open_desk(**PIX)
    order = sell(desk, "pt")
    client = desk.app.test_client()
    sign_in(client, AGENT_EMAIL)
    page = f"/orders/{order.id}"
    assert "Marcar como pago" not in get(client, page).text
    for action in ("paid", "cancel", "take-up"):
        assert post(client, f"{page}/{action}", "/account", amount="194").status_code == 403
    assert newest(desk).status == "placed"
    assert get(client, "/orders/99").status_code == 404


def bring(desk: WalkedDesk) -> None:
    """Do what the minute's task does, and deliver."""
    with desk.app.app_context():
        unasked.bring_goods(desk.app.config["BALCAO"], desk.clock())
    desk.work()


def confirm_later(desk: WalkedDesk, order: Order) -> None:
    payment = payments.payments_of(order.id)[-1]
    payments.confirm(
        payment,
        amount_minor=19400,
        currency="BRL",
        actor="operator",
        config=desk.app.config["BALCAO"],
        now=desk.clock(),
    )
    db.session.commit()


def test_who_has_ordered_nothing_means_something_else_by_these_words(open_desk) -> None:
    desk = open_desk(**PIX)
    desk.change(Integration, start_flow="desk", language="pt")
    desk.says("oi")
    answer = "\n".join(texts_of(desk.says("não recebi o e-mail de vocês")))
    assert "pedido seu em aberto" not in answer
