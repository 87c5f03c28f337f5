"""The pages of the knowledge base: they render, write, import whole or not at all, and show what is found."""

import re
from io import BytesIO

import pytest
from flask import Flask
from flask.testing import FlaskClient

import knowledge
from dashboard.languages import HTML_LANGUAGES
from knowledge import Sheet
from models import Article, Integration, Passage, db, utc_now
from tests.browsing import AS_BROWSER, get, post, sign_in, token
from tests.page_rows import AGENT_EMAIL, EVIL

LIST = "/knowledge"


@pytest.fixture
def article_id(app: Flask) -> int:
    with app.app_context():
        row = knowledge.create_article(
            Sheet(f"Trocas {EVIL}", f"Em até *7 dias*. {EVIL}", "pt"), now=utc_now()
        )
        knowledge.create_article(Sheet("Hours", "Nine to six.", "en", is_active=False), now=utc_now())
        db.session.commit()
        return row.id


def send_files(client: FlaskClient, *files: tuple[str, bytes], language: str = "pt"):
    data = {
        "csrf_token": token(client, LIST),
        "language": language,
        "files": [(BytesIO(content), name) for name, content in files],
    }
    return client.post(f"{LIST}/import", data=data, headers=AS_BROWSER)


def articles(app: Flask) -> list[tuple[str, str, str, bool]]:
    with app.app_context():
        rows = db.session.query(Article).order_by(Article.id)
        return [(row.title, row.body, row.language, row.is_active) for row in rows]


@pytest.mark.parametrize("language", ["pt", "es", "en"])
def test_every_page_renders_empty_and_filled_and_escaped(
    admin: FlaskClient, language: str, request: pytest.FixtureRequest
) -> None:
    post(admin, "/language", "/account", language=language)
    pages = [LIST, f"{LIST}/new", f"{LIST}?q=nada", f"{LIST}?try=oi+pix&try_language=pt", f"{LIST}?page=99"]
    for filled in (False, True):
        if filled:
            pages.append(f"{LIST}/{request.getfixturevalue('article_id')}")
            pages.append(f"{LIST}?try=trocas&try_language=pt")
        for path in pages:
            answer = get(admin, path)
            assert answer.status_code == 200, path
            assert f'<html lang="{HTML_LANGUAGES[language]}"' in answer.text
            assert EVIL not in answer.text, path
            assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=\"", answer.text), path


def test_agents_may_not_open_it(app: Flask, admin: FlaskClient) -> None:
    agent = app.test_client()
    sign_in(agent, AGENT_EMAIL)
    assert get(agent, LIST).status_code == 403
    assert LIST not in get(agent, "/inbox").text
    assert f'href="{LIST}"' in get(admin, "/inbox").text


def test_odd_addresses_are_no_errors(admin: FlaskClient) -> None:
    for path in (
        f"{LIST}?page=-1",
        f"{LIST}?page=x",
        f"{LIST}?page=99999999999999999999",
        f"{LIST}?language=xx",
    ):
        assert get(admin, path).status_code == 200, path
    assert get(admin, f"{LIST}?try=%22NEAR(*&try_language=zz&q=%25%00").status_code == 200
    assert get(admin, f"{LIST}/4711").status_code == 404


def test_an_article_is_written_changed_switched_and_deleted(app: Flask, admin: FlaskClient) -> None:
    form = {"title": "Frete", "body": "Não há frete.\r\n\r\nTudo é digital.", "language": "pt", "active": "1"}
    assert post(admin, f"{LIST}/new", f"{LIST}/new", **form).status_code == 303
    assert articles(app) == [("Frete", "Não há frete.\n\nTudo é digital.", "pt", True)]
    page = f"{LIST}/1"
    assert post(admin, page, page, **(form | {"title": "Envio", "active": "0"})).status_code == 303
    assert articles(app)[0][0::3] == ("Envio", False)
    assert post(admin, f"{page}/switch", LIST, active="1").status_code == 303
    assert articles(app)[0][3] is True
    assert post(admin, f"{page}/delete", page).status_code == 303
    assert articles(app) == []
    with app.app_context():
        assert db.session.query(Passage).count() == 0


def test_a_wrong_article_comes_back_with_what_was_typed(app: Flask, admin: FlaskClient) -> None:
    answer = post(admin, f"{LIST}/new", f"{LIST}/new", title="Frete", body=" ", language="pt")
    assert answer.status_code == 400
    assert "Falta o texto." in answer.text
    assert 'value="Frete"' in answer.text
    assert articles(app) == []


def test_a_preview_shows_what_customers_read_and_saves_nothing(app: Flask, admin: FlaskClient) -> None:
    form = {"title": "A", "body": "**Um** dois\n\n## Mais\n\ntrês", "language": "pt", "preview": "1"}
    answer = post(admin, f"{LIST}/new", f"{LIST}/new", **form)
    assert answer.status_code == 200
    assert '<p class="bubble-text"><strong>Um</strong> dois</p>' in answer.text
    assert "Mais" in answer.text
    assert articles(app) == []


def test_files_are_imported_and_counted(app: Flask, admin: FlaskClient) -> None:
    files = (("frete.md", b"# Frete\n\nSem frete."), ("faq.csv", b"pergunta;resposta\nTem PDF?;Tem.\n"))
    assert send_files(admin, *files).status_code == 303
    assert "Novos: 2." in get(admin, LIST).text
    assert {title for title, *_rest in articles(app)} == {"Frete", "Tem PDF?"}
    send_files(admin, *files)
    assert "Sem mudança: 2." in get(admin, LIST).text


def test_wrong_files_are_told_line_by_line_and_nothing_is_kept(app: Flask, admin: FlaskClient) -> None:
    answer = send_files(
        admin, ("ok.md", b"# A\n\ntexto"), ("faq.csv", b"question,answer\n,x\ny,\n"), ("a.exe", b"x")
    )
    assert answer.status_code == 400
    for said in (
        "faq.csv</b>, linha 2: A pergunta",
        "faq.csv</b>, linha 3: A resposta",
        "a.exe</b>, linha 1",
    ):
        assert said in answer.text
    assert articles(app) == []


def test_every_problem_of_a_file_is_said_in_the_pages_words(app: Flask, admin: FlaskClient) -> None:
    answer = send_files(admin, ("big.md", b"# A\n\n" + b"x" * 1_100_000))
    assert "O arquivo tem mais de 1 MB." in answer.text
    post(admin, "/language", "/account", language="es")
    answer = send_files(admin, ("x.md", b"---\nautor: yo\n---\n# A\n\ntexto"))
    assert "línea 2: El encabezado conoce title, language, number y active, no «autor»." in answer.text


def test_an_article_may_belong_to_one_number(app: Flask, admin: FlaskClient) -> None:
    with app.app_context():
        rows = [Integration(provider="meta", name=name, number_id=name) for name in ("Loja", "Nexora")]
        db.session.add_all(rows)
        db.session.commit()
        shop_id, nexora_id = (row.id for row in rows)
    about = {"title": "Frete", "body": "Não há frete.", "language": "pt", "active": "1"}
    assert post(admin, f"{LIST}/new", f"{LIST}/new", **about, number=str(shop_id)).status_code == 303
    page = get(admin, LIST).text
    assert '<span class="tag">Loja</span>' in page
    with app.app_context():
        article_id = db.session.query(Article.id).filter_by(title="Frete").scalar()
    assert f'<option value="{shop_id}" selected>Loja' in get(admin, f"{LIST}/{article_id}").text
    tried = f"{LIST}?try=tem+frete%3F&try_language=pt&try_number="
    assert "Está claro" in get(admin, f"{tried}{shop_id}").text
    assert "Nada foi encontrado" in get(admin, f"{tried}{nexora_id}").text
    post(admin, f"{LIST}/{article_id}", f"{LIST}/{article_id}", **about, number="")
    assert "Está claro" in get(admin, f"{tried}{nexora_id}").text


def test_an_import_without_a_file_asks_for_one(admin: FlaskClient) -> None:
    assert post(admin, f"{LIST}/import", LIST, language="pt").status_code == 303
    assert "Escolha um arquivo primeiro." in get(admin, LIST).text


def test_a_tried_question_shows_what_is_found_and_how_clear(
    app: Flask, admin: FlaskClient, article_id: int
) -> None:
    assert "Está claro" in get(admin, f"{LIST}?try=posso+trocar%3F&try_language=pt").text
    assert "Não está claro" in get(admin, f"{LIST}?try=trocar+pneu+de+bicicleta&try_language=pt").text
    assert "Nada foi encontrado" in get(admin, f"{LIST}?try=bicicleta&try_language=pt").text
    assert "Nada foi encontrado" in get(admin, f"{LIST}?try=hours&try_language=en").text


def test_the_list_is_searched_and_filtered(admin: FlaskClient, article_id: int) -> None:
    assert "Hours" not in get(admin, f"{LIST}?language=pt").text
    page = get(admin, f"{LIST}?q=TROCA").text
    assert "Trocas" in page
    assert "Hours" not in page
    assert "desativado" in get(admin, f"{LIST}?language=en").text
