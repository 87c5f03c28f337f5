"""The forms of the shop: products with their files and keys, categories, niches; nothing typed is lost."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import demo
from dashboard.languages import HTML_LANGUAGES
from models import Category, LicenceKey, Niche, Order, OrderItem, Product, StateChange, StoredFile, db
from tests.browsing import AS_BROWSER, get, post, sign_in, token
from tests.page_rows import AGENT_EMAIL, EVIL
from tests.pictures import picture_bytes
from tests.records import make_conversation, make_product

LIST = "/products"
NEW = "/products/new"
PNG = picture_bytes()
FULL = {
    "name_pt": "Curso de Violão",
    "name_en": "Guitar Course",
    "description_pt": "Do zero ao primeiro show.",
    "benefits_pt": "40 aulas\r\n\r\nAcesso vitalício",
    "benefits_en": "40 lessons",
    "price": "1.497,00",
    "currency": "BRL",
    "stock": "12",
    "offer_ends_at": "2099-12-24T18:30",
    "attribution_days": "7",
    "delivery_kind": "text",
    "delivery_text": "Entre em curso.example com o código da compra.",
    "position": "3",
    "active": "1",
}


@pytest.fixture
def category_id(app: Flask) -> int:
    with app.app_context():
        row = Category(name="Cursos")
        db.session.add(row)
        db.session.commit()
        return row.id


@pytest.fixture
def manager(admin: FlaskClient) -> FlaskClient:
    """A browser whose pages are in Portuguese."""
    post(admin, "/language", "/account", language="pt")
    return admin


def send(client: FlaskClient, path: str, **fields: Any) -> TestResponse:
    data = {"csrf_token": token(client, path)} | fields
    return client.post(path, data=data, headers=AS_BROWSER)


def the_product(app: Flask) -> Product:
    with app.app_context():
        row = db.session.query(Product).one()
        db.session.expunge_all()
        return row


def test_a_product_is_made_with_everything(app: Flask, manager: FlaskClient, category_id: int) -> None:
    answer = send(manager, NEW, **FULL, category=str(category_id))
    assert (answer.status_code, answer.location) == (303, LIST)
    row = the_product(app)
    assert (row.name, row.names) == ("Curso de Violão", {"en": "Guitar Course"})
    assert (row.price_minor, row.currency, row.stock, row.position) == (149700, "BRL", 12, 3)
    assert row.benefits == {"": ["40 aulas", "Acesso vitalício"], "en": ["40 lessons"]}
    assert row.offer_ends_at == datetime(2099, 12, 24, 21, 30, tzinfo=UTC)  # 18:30 in São Paulo
    assert (row.attribution_days, row.delivery_kind, row.sku) == (7, "text", "curso-de-violao")
    assert "R$ 1.497,00" in get(manager, LIST).text
    page = get(manager, f"{LIST}/{row.id}").text
    for written in ("1.497,00", "2099-12-24T18:30", "40 aulas\nAcesso vitalício", "Guitar Course"):
        assert written in page, written


def test_saving_without_a_change_changes_nothing(app: Flask, manager: FlaskClient, category_id: int) -> None:
    send(manager, NEW, **FULL, category=str(category_id))
    before = {c.key: getattr(the_product(app), c.key) for c in Product.__mapper__.column_attrs}
    send(manager, f"{LIST}/{before['id']}", **FULL, category=str(category_id), sku=before["sku"])
    assert {c.key: getattr(the_product(app), c.key) for c in Product.__mapper__.column_attrs} == before


@pytest.mark.parametrize(
    ("language", "typed", "currency", "minor"),
    [
        ("pt", "97", "BRL", 9700),
        ("pt", "R$ 97,50", "BRL", 9750),
        ("pt", "1497", "BRL", 149700),
        ("en", "1,497.00", "USD", 149700),
        ("en", "$97.5", "USD", 9750),
        ("es", "97,00", "EUR", 9700),
        ("en", "1500", "JPY", 1500),
    ],
)
def test_a_price_is_read_as_its_reader_writes_it(
    app: Flask,
    manager: FlaskClient,
    category_id: int,
    language: str,
    typed: str,
    currency: str,
    minor: int,
) -> None:
    post(manager, "/language", "/account", language=language)
    fields = FULL | {"price": typed, "currency": currency, "category": str(category_id)}
    assert send(manager, NEW, **fields).status_code == 303
    assert (the_product(app).price_minor, the_product(app).currency) == (minor, currency)


@pytest.mark.parametrize(
    ("name", "typed", "said"),
    [
        ("name_pt", "", "Escreva um nome."),
        ("name_en", "x" * 161, "160 caracteres"),
        ("price", "", "Escreva o preço."),
        ("price", "97.00", "1.497,00"),
        ("price", "dez reais", "1.497,00"),
        ("price", "-5", "abaixo de zero"),
        ("currency", "BRC", "Escolha uma destas"),
        ("currency", "XTS", "Escolha uma destas"),
        ("price", "NaN", "preço"),
        ("price", "0,005", "casas"),
        ("price", "9" * 30, "abaixo de zero"),
        ("currency", "XXL", "Escolha"),
        ("stock", "muitos", "número inteiro"),
        ("stock", "-1", "número inteiro"),
        ("stock", "9999999", "1.000.000"),
        ("category", "4711", "Escolha uma categoria."),
        ("category", "", "Escolha uma categoria."),
        ("niche", "4711", "nicho"),
        ("sku", "com espaço", "Letras"),
        ("attribution_days", "0", "365"),
        ("offer_ends_at", "2001-01-01T00:00", "já passou"),
        ("offer_ends_at", "amanhã", "data"),
        ("offer_ends_at", "0001-01-01T00:00", "já passou"),
        ("offer_ends_at", "9999-12-31T23:59", "data"),
        ("delivery_kind", "pigeon", "Escolha"),
        ("delivery_text", "", "Escreva o que o cliente recebe."),
        ("delivery_text", "x" * 3501, "3.500"),
        ("benefits_pt", "\n".join("x" * 13), "12 benefícios"),
        ("position", "-2", "número inteiro"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_lost(
    app: Flask, manager: FlaskClient, category_id: int, name: str, typed: str, said: str
) -> None:
    fields = FULL | {"category": str(category_id), name: typed}
    answer = send(manager, NEW, **fields)
    assert answer.status_code == 422
    problem = re.search(rf'id="{name}-problem">(.*?)</p>', answer.text, re.DOTALL)
    assert problem is not None
    assert said in problem[1]
    kept = [value for field, value in FULL.items() if field != name and len(value) > 8]
    assert [value for value in kept if value.splitlines()[-1] not in answer.text] == []
    with app.app_context():
        assert db.session.query(Product).count() == 0


def test_several_faults_are_told_at_once(manager: FlaskClient) -> None:
    page = send(manager, NEW, name_pt="", price="x", delivery_kind="manual", currency="BRL").text
    assert page.count('class="field-problem"') == 3


def test_a_picture_is_kept_when_the_rest_is_refused(
    app: Flask, manager: FlaskClient, category_id: int
) -> None:
    fields = FULL | {"category": str(category_id)}
    refused = send(manager, NEW, **(fields | {"price": "x"}), image=(BytesIO(PNG), "violão.png"))
    assert "violão.png" in refused.text
    kept = re.search(r'name="image_kept" value="([^"]+)"', refused.text)
    assert kept is not None
    assert send(manager, NEW, **fields, image_kept=kept[1]).status_code == 303
    row = the_product(app)
    shown = get(manager, f"{LIST}/{row.id}/picture")
    assert (shown.mimetype, shown.data) == ("image/png", PNG)
    send(manager, f"{LIST}/{row.id}", **fields, image_kept=kept[1], image_drop="1")
    assert the_product(app).image_id is None
    assert get(manager, f"{LIST}/{row.id}/picture").status_code == 404


def test_only_a_seal_of_ours_names_a_file(app: Flask, manager: FlaskClient, category_id: int) -> None:
    send(manager, NEW, **FULL, category=str(category_id), image=(BytesIO(PNG), "a.png"))
    file_id = the_product(app).image_id
    forged = FULL | {"category": str(category_id), "sku": "other"}
    for value in (f"product file {file_id}.0123456789abcdef", str(file_id), ""):
        send(manager, NEW, **(forged | {"sku": f"other-{len(value)}"}), image_kept=value)
    with app.app_context():
        assert db.session.query(Product).filter(Product.image_id.is_not(None)).count() == 1


@pytest.mark.parametrize(
    "content", [b"<script>alert(1)</script>", b"GIF89a" + b"\0" * 20, b"", PNG[:50], PNG[:8] + b"\0" * 64]
)
def test_a_picture_is_known_by_its_content(manager: FlaskClient, category_id: int, content: bytes) -> None:
    fields = FULL | {"category": str(category_id)}
    answer = send(manager, NEW, **fields, image=(BytesIO(content), "a.png"))
    assert answer.status_code == 422
    assert "PNG ou JPEG" in answer.text


def test_a_file_larger_than_a_webhook_is_delivered_privately(
    app: Flask, manager: FlaskClient, category_id: int
) -> None:
    content = b"%PDF" + b"x" * (4 * 1024 * 1024)
    fields = FULL | {"category": str(category_id), "delivery_kind": "file", "delivery_text": ""}
    assert "Escolha o arquivo" in send(manager, NEW, **fields).text
    sent = send(manager, NEW, **fields, delivery_file=(BytesIO(content), "../e-book.pdf"))
    assert sent.status_code == 303
    with app.app_context():
        file = db.session.get_one(StoredFile, db.session.query(Product).one().delivery_file_id)
        assert (file.size_bytes, "/" in file.filename) == (len(content), False)
        assert Path(app.config["BALCAO"].media_dir, file.path).read_bytes() == content


def test_keys_are_added_counted_and_doubles_told(app: Flask, manager: FlaskClient, category_id: int) -> None:
    fields = FULL | {"category": str(category_id), "delivery_kind": "key", "sku": "k"}
    answer = send(manager, NEW, **fields, keys="AAA-1\r\nAAA-2\r\n\r\nAAA-1\r\n")
    assert answer.status_code == 303
    assert "Chaves adicionadas: 2. Já estavam lá: 1." in get(manager, LIST).text
    product_id = the_product(app).id
    with app.app_context():
        db.session.query(LicenceKey).filter_by(code="AAA-1").update({"taken_at": datetime.now(UTC)})
        db.session.commit()
    page = get(manager, f"{LIST}/{product_id}").text
    assert "Chaves livres: 1. Com clientes: 1." in page
    assert "Acrescente" in send(manager, f"{LIST}/{product_id}", **fields, keys="x" * 191).text
    send(manager, f"{LIST}/{product_id}", **fields, keys="AAA-2\nAAA-3")
    post(manager, f"{LIST}/{product_id}/keys/drop", f"{LIST}/{product_id}")
    with app.app_context():
        assert [key.code for key in db.session.query(LicenceKey)] == ["AAA-1"]


def test_going_on_and_off_sale_is_written_down(app: Flask, manager: FlaskClient, category_id: int) -> None:
    send(manager, NEW, **FULL, category=str(category_id))
    product_id = the_product(app).id
    for active in ("0", "0", "1"):
        post(manager, f"{LIST}/{product_id}/switch", LIST, active=active)
    with app.app_context():
        steps = db.session.query(StateChange).filter_by(record="product").order_by(StateChange.id)
        told = [(step.before, step.after, step.actor, step.operator_id is not None) for step in steps]
    assert told == [
        ("", "on_sale", "operator", True),
        ("on_sale", "off_sale", "operator", True),
        ("off_sale", "on_sale", "operator", True),
    ]


def test_what_was_ordered_is_not_deleted(app: Flask, manager: FlaskClient) -> None:
    with app.app_context():
        ordered, other = make_product(), make_product(sku="curso-2")
        thread = make_conversation()
        order = Order(contact_id=thread.contact_id, conversation_id=thread.id, status="placed", number="P-1")
        db.session.add(order)
        db.session.flush()
        item = OrderItem(order_id=order.id, product_id=ordered.id, name="x", quantity=1, price_minor=1)
        db.session.add_all([item, LicenceKey(product_id=other.id, code="x")])
        db.session.commit()
        ids = ordered.id, other.id
    post(manager, f"{LIST}/{ids[0]}/delete", f"{LIST}/{ids[0]}")
    assert "foi pedido" in get(manager, f"{LIST}/{ids[0]}").text
    post(manager, f"{LIST}/{ids[1]}/delete", f"{LIST}/{ids[1]}")
    with app.app_context():
        assert [row.id for row in db.session.query(Product)] == [ids[0]]


def test_a_demo_product_leaves_with_the_keys_that_it_was_given(app: Flask) -> None:
    with app.app_context():
        row = make_product(is_demo=True)
        db.session.add(LicenceKey(product_id=row.id, code="x"))
        db.session.commit()
        assert demo.remove_demo().products == 1
        db.session.commit()
        assert db.session.query(LicenceKey).count() == db.session.query(Product).count() == 0


def test_categories_and_niches_are_kept(app: Flask, manager: FlaskClient) -> None:
    page = "/categories"
    assert "Ainda não há categorias" in get(manager, page).text
    for kind in ("category", "niche"):
        post(manager, page, page, kind=kind, name_pt="Cursos", name_es="Cursos ES", position="2")
        again = post(manager, page, page, kind=kind, name_pt="Cursos", name_es="Outro", position="x")
        assert again.status_code == 422
        assert "Este nome já existe." in again.text
        assert "De 0 a 9999." in again.text
        assert 'value="Outro"' in again.text
    with app.app_context():
        category, niche = db.session.query(Category).one(), db.session.query(Niche).one()
        assert category.names == niche.names == {"es": "Cursos ES"}
        make_product()
        db.session.commit()
        category_id, niche_id = category.id, niche.id
    post(manager, f"{page}/{category_id}", page, kind="category", name_pt="Aulas", position="")
    post(manager, f"{page}/{category_id}/switch", page, kind="category", active="0")
    post(manager, f"{page}/{niche_id}/delete", page, kind="niche")
    post(manager, f"{page}/{category_id}/delete", page, kind="category")
    with app.app_context():
        category = db.session.query(Category).filter_by(id=category_id).one()
        assert (category.name, category.is_active, category.position) == ("Aulas", False, 0)
        assert db.session.query(Niche).count() == 0


@pytest.mark.parametrize("language", ["pt", "es", "en"])
def test_every_page_renders_empty_and_filled_and_escaped(
    app: Flask, admin: FlaskClient, language: str
) -> None:
    post(admin, "/language", "/account", language=language)
    for path in [*_pages(app), *_pages(app, filled=True)]:
        answer = get(admin, path)
        assert answer.status_code == 200, path
        assert f'<html lang="{HTML_LANGUAGES[language]}"' in answer.text
        assert EVIL not in answer.text, path
        assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=\"", answer.text), path


def _pages(app: Flask, *, filled: bool = False) -> Iterator[str]:
    yield from (LIST, NEW, "/categories", "/categories?kind=niche", f"{LIST}?q=%00x&category=99&page=-4")
    if filled:
        with app.app_context():
            row = make_product(
                sku="evil", name=EVIL, description=EVIL, benefits=[EVIL], stock=0, delivery_kind="key"
            )
            db.session.add(Niche(name=EVIL))
            db.session.query(Category).update({"name": EVIL})
            db.session.commit()
            product_id = row.id
        yield from (LIST, f"{LIST}/{product_id}", "/categories", "/categories?kind=niche")


def test_agents_may_not_open_it(app: Flask, admin: FlaskClient) -> None:
    agent = app.test_client()
    sign_in(agent, AGENT_EMAIL)
    for path in (LIST, NEW, "/categories"):
        assert get(agent, path).status_code == 403
    assert f'href="{LIST}"' not in get(agent, "/inbox").text
    assert f'href="{LIST}"' in get(admin, "/inbox").text


def test_what_was_sold_while_the_form_was_open_stays_sold(app: Flask, manager: FlaskClient) -> None:
    with app.app_context():
        row = make_product("violao", stock=10)
        db.session.commit()
        page, fields = f"/products/{row.id}", FULL | {"category": str(row.category_id)}
    assert 'name="stock_before" value="10"' in get(manager, page).text
    for opened, written, sold_to, kept in ((10, "10", 8, 8), (10, "15", 8, 13), (10, "1", 2, 0)):
        with app.app_context():
            db.session.query(Product).update({"stock": sold_to})
            db.session.commit()
        answer = send(manager, page, **fields | {"stock": written, "stock_before": str(opened)})
        assert (answer.status_code, the_product(app).stock) == (303, kept)
    assert send(manager, page, **fields | {"stock": "", "stock_before": "10"}).status_code == 303
    assert the_product(app).stock is None
    assert send(manager, page, **fields | {"stock": "4", "stock_before": ""}).status_code == 303
    assert the_product(app).stock == 4


@pytest.mark.parametrize("price", ["1e9", "1_000", "1E2", "０x1"])
def test_a_price_in_a_programs_spelling_is_refused(
    app: Flask, manager: FlaskClient, category_id: int, price: str
) -> None:
    answer = send(manager, NEW, **FULL | {"price": price, "category": str(category_id)})
    assert answer.status_code == 422
