"""A bank's list against the open payments: CSV of any shape, lines of a program, and the page for both."""

import io
from decimal import Decimal

import pytest

import integrations
import operators
from models import Order, Payment, db
from shop import bank_list, payments, till
from tests.browsing import AS_BROWSER, get, post, sign_in, token
from tests.page_rows import ADMIN_EMAIL, AGENT_EMAIL, people
from tests.paying import PIX, make_order, payment_row
from tests.records import NOW, make_conversation

E2E = "E00000000202611211500abcdefghijk"


@pytest.fixture
def shop(app, load_config):
    with app.app_context():
        make_conversation()
        integrations.forget()
        people()
        till.save(till.Till(PIX["PIX_KEY"], PIX["PIX_NAME"], PIX["PIX_CITY"]), now=NOW)
        db.session.commit()
        yield load_config(**PIX)


def open_payment(config, **fields):
    return payment_row(payments.start(make_order(**fields), "pix", config=config, now=NOW).payment_id)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1.497,00", "1497.00"), ("1,497.00", "1497.00"), ("97", "97"), ("R$ 97,5", "97.5"),
        ("+194,00", "194.00"),
        ("1.497", "1497"), ("-97,00", None), ("(97,00)", None), ("", None), ("abc", None), ("0,99", "0.99"),
        ("1e9", None), ("1_000", None), ("\u221297,00", None), ("9" * 400, None), ("R$ 1 497,00", "1497.00"),
    ],
)  # fmt: skip
def test_sums_are_read_as_banks_write_them(written, read):
    assert bank_list.read_sum(written) == (None if read is None else Decimal(read))


@pytest.mark.parametrize(
    "content",
    [
        f"Data;Histórico;Valor\n21/11/2026;Pix recebido p10017 {E2E};97,00\n21/11;Tarifa;-1,50\n".encode(),
        f"date,description,amount\n2026-11-21,Pix P10017 {E2E},97.00\n".encode(),
        f'Extrato da conta\n\nIdentificador\tValor (R$)\tId\nP10017\t"97,00"\t{E2E}\n'.encode("cp1252"),
    ],
)
def test_a_list_of_any_shape_gives_its_lines(content):
    assert bank_list.read_list(content) == [bank_list.BankLine("P10017", 9700, "BRL", E2E)]


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"a;b\n1;2", b"\x00\xff" * 50, b'id;valor\nP10017;"' + b"9" * 200_000]
)
def test_a_file_without_amounts_is_refused(content):
    with pytest.raises(bank_list.UnreadableList):
        bank_list.read_list(content)


@pytest.mark.parametrize(
    ("headings", "row"),
    [
        ("id;valor;tipo", "P10017;97,00;D"),
        ("id;valor;tipo", "P10017;97,00;Débito"),
        ("id;Crédito/Débito;valor", "P10017;debit;97,00"),
        ("id;valor;natureza", "P10017;97,00;saída"),
        ("data;tipo;descrição;valor", "22/11;Pix enviado;Devolução P10017;97,00"),
        ("data;histórico;valor", "22/11;PIX ENVIADO P10017;97,00"),
        ("data;histórico;valor", "22/11;Devolução de Pix recebido P10017;97,00"),
        ("data;histórico;valor", "22/11;Transferência efetuada P10017;97,00"),
        ("fecha;concepto;importe", "22/11;Transferencia enviada P10017;97,00"),
        ("date;description;amount", "22/11;Sent to Ana P10017;97.00"),
        ("id;valor", "P10017;-97,00"),
        ("id;valor", "P10017;\u221297,00"),
        ("id;valor", "P10017;R$ -97,00"),
        ("id;valor", "P10017;97,00-"),
        ("id;valor", "P10017;97,00 D"),
        ("id;valor", "P10017;(97,00)"),
        ("id;valor;moeda", "P10017;97,00;USD"),
        ("id;currency;amount", "P10017;eur;97.00"),
        ("id;valor", "P10017;US$ 97,00"),
        ("id;valor", "P10017;USD 97,00"),
        ("id;valor", "P10017;€ 97,00"),
    ],
)
def test_money_that_left_or_is_of_another_kind_is_told_and_left_out(shop, headings, row):
    payment = open_payment(shop)
    content = f"{headings}\n{row}\n".replace("P10017", payment.our_reference).encode()
    booked = bank_list.book(bank_list.read_list(content), config=shop, now=NOW, actor="operator")
    assert (booked.left_out, booked.paid, payment.status) == (1, 0, "pending")


@pytest.mark.parametrize(
    ("headings", "row"),
    [
        ("id;valor;tipo", "P10017;97,00;C"),
        ("id;tipo;valor;moeda", "P10017;Pix recebido;+97,00;BRL"),
        ("id;crédito;débito", "P10017;97,00;"),
        ("id;tipo;descrição;valor", "P10017;C;Pix enviado por Ana;97,00"),
        ("data;histórico;valor", "22/11;Transferência recebida, enviada por Ana P10017;97,00"),
        ("id;valor", "P10017;R$ 97,00 C"),
        ("id;valor", "P10017;97,00 CR"),
        ("id;valor;moeda", "P10017;97,00;R$"),
    ],
)
def test_money_that_came_is_booked_whatever_else_the_list_tells(shop, headings, row):
    payment = open_payment(shop)
    content = f"{headings}\n{row}\n".replace("P10017", payment.our_reference).encode()
    assert bank_list.book(bank_list.read_list(content), config=shop, now=NOW, actor="operator").paid == 1


def test_a_list_pays_what_fits_and_tells_the_rest(shop):
    first, second = open_payment(shop), open_payment(shop, sku="b")
    lines = [
        bank_list.BankLine(first.our_reference, 9700, external_id=E2E),
        bank_list.BankLine(second.our_reference, 9701),
        bank_list.BankLine("P99999", 100),
    ]
    booked = bank_list.book(lines, config=shop, now=NOW, actor="operator")
    assert (booked.paid, booked.wrong, booked.unknown, booked.known) == (1, 1, 1, 0)
    assert bank_list.book(lines[:1], config=shop, now=NOW, actor="operator").known == 1
    assert (first.status, first.external_id, second.status) == ("confirmed", E2E, "pending")


def test_a_program_posts_lines_with_a_key(app, shop):
    payment = open_payment(shop)
    key = operators.create_api_key("bank", ("write",)).key
    db.session.commit()
    client = app.test_client()
    line = {"reference": payment.our_reference, "amount": "97.00", "currency": "brl", "external_id": E2E}
    assert client.post("/payments/bank", json={"lines": [line]}).status_code == 401
    headers = {"Authorization": f"Bearer {key}"}
    for wrong in (
        {},
        {"lines": "x"},
        {"lines": [{"reference": "P1"}]},
        {"lines": [{**line, "currency": "R$"}]},
        {"lines": [{**line, "amount": "9" * 400}]},
        {"lines": [{**line, "external_id": "\ud800"}]},
        {"lines": [{**line, "external_id": "E\0"}]},
        {"lines": [{**line, "reference": "\ud800"}]},
    ):
        assert client.post("/payments/bank", json=wrong, headers=headers).status_code == 400
    nested = client.post(
        "/payments/bank", data=b"[" * 100_000, content_type="application/json", headers=headers
    )
    assert nested.status_code == 400
    answer = client.post("/payments/bank", json={"lines": [line]}, headers=headers)
    assert answer.get_json() == {"paid": 1, "known": 0, "wrong": 0, "unknown": 0, "left_out": 0}
    assert db.session.get_one(Payment, payment.id, populate_existing=True).status == "confirmed"


def test_an_admin_sets_the_ways_to_pay_and_uploads_the_list(app):
    client, page = app.test_client(), "/ways-to-pay"
    with app.app_context():
        people()
    sign_in(client, ADMIN_EMAIL)
    wrong = post(client, page, page, pix_key="11912345678", pix_name="Ana", pix_city="Recife", manual_text="")
    assert (wrong.status_code, "Isto não é uma chave Pix" in wrong.text) == (422, True)
    post(
        client,
        page,
        page,
        pix_key="ana@loja.example",
        pix_name="Ana",
        pix_city="Recife",
        manual_text="Banco 1",
    )
    assert "ana@loja.example" in get(client, page).text
    with app.app_context():
        config = app.config["BALCAO"]
        assert till.till(config) == till.Till("ana@loja.example", "Ana", "Recife", "Banco 1")
        payment = open_payment(config)
        order_id, reference = payment.order_id, payment.our_reference
        db.session.commit()
    csv = f"id;valor\n{reference};97,00\n".encode()
    form = {"csrf_token": token(client, page), "file": (io.BytesIO(csv), "extrato.csv")}
    answer = client.post(f"{page}/bank-list", data=form, headers=AS_BROWSER)
    assert answer.status_code == 303
    assert "1 lançados" in get(client, page).text
    with app.app_context():
        assert db.session.get_one(Order, order_id).status == "paid"


def test_the_ways_to_pay_are_for_admins(app):
    with app.app_context():
        people()
    client = app.test_client()
    sign_in(client, AGENT_EMAIL)
    assert get(client, "/ways-to-pay").status_code == 403
