"""The knowledge base: files whole or refused, articles kept in step, one search on three databases."""

import csv
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, event, func, select, text

import config
import demo
import knowledge
import opening
from app import create_app
from knowledge import ArticleRefused, FilesRefused, Sheet, Upload
from knowledge.passages import PASSAGE_MAX_CHARS, cut
from knowledge.search import CANDIDATES_MAX
from knowledge.words import MAX_INDEXED_CHARS, index_text, indexed, stems
from models import Article, Integration, Passage, db
from tests.records import NOW
from vocabulary import LANGUAGES

QUESTIONS = Path(__file__).with_name("knowledge_questions.csv")
PARAPHRASES = Path(__file__).with_name("knowledge_paraphrases.csv")
# Of questions that share hardly a word with their article, as many must be clear.
PARAPHRASED_AT_LEAST = 0.7
# Of the questions that some article answers, as many must be clear; of the others, none.
CLEAR_AT_LEAST = 0.85
RUDE = (
    "", "   ", "?", "*", "%", "_", "-", "'", '"', "NEAR", "NEAR(a b)", "a AND", "OR", "NOT",
    "AND OR NOT", 'pix" OR 1=1 --', "pix*", "-pix", "+pix -boleto", "(pix", "pix)", "{pix", "pix & | ! :*",
    "<-> pix", "pix:",
    "words:pix", "^pix", "@1", "~pix", "><", "\\", "\\'", "pix;DROP TABLE articles", "\x00pix", "😀", "é",
    "a" * 5000, "pix " * 3000, "1" * 400, "配送はいつですか", "متى يصل الطلب", "12:30 1e5 1.5 a@b.c http://x.y/z",
)  # fmt: skip


@pytest.fixture(scope="module")
def migrated(module_database_url, tmp_path_factory):
    """A desk whose schema came from the migrations, on each database in turn."""
    variables = {"INSTANCE_DIR": str(tmp_path_factory.mktemp("desk")), "DATABASE_URL": module_database_url}
    application = create_app(config.load(variables, entry="test"))
    with application.app_context():
        opening.migrate()
        yield application
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def desk(migrated):
    """That desk, without an article."""
    yield migrated
    db.session.rollback()
    db.session.execute(delete(Passage))
    db.session.execute(delete(Article))
    db.session.commit()


@pytest.fixture
def quick(app):
    """A desk on SQLite without the migrations, so also without a full-text index."""
    with app.app_context():
        yield app


def markdown(name, content):
    return Upload(name, content.encode())


def bring(*uploads, language="pt", **given):
    return knowledge.import_files(uploads, language=language, now=NOW, **given)


def write(title, body, language="pt", **given):
    return knowledge.create_article(Sheet(title, body, language, **given), now=NOW)


# Each level of aliases is ten times the one before it: written out, ten of them fill the memory.
LAUGHS = (
    b"[&a0 [x], "
    + b", ".join(b"&a%d [%s]" % (n, b",".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 11))
    + b"]"
)


def problems(*uploads, language="pt"):
    with pytest.raises(FilesRefused) as refused:
        bring(*uploads, language=language)
    return [(problem.file, problem.line, problem.code) for problem in refused.value.problems]


# --- words --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("pt", "devolução", "DEVOLUÇÕES"),
        ("pt", "parcela", "parcelamento"),
        ("pt", "pagar", "pagamentos"),
        ("pt", "instalo", "instalação"),
        ("es", "dirección", "direcciones"),
        ("es", "envío", "enviar"),
        ("es", "facturación", "facturas"),
        ("en", "delivery", "deliveries"),
        ("en", "paid", "payments"),
        ("en", "invoice", "invoices"),
        ("fr", "livraison", "livraisons"),
        ("de", "Lieferung", "Lieferungen"),
        ("it", "pagamento", "pagamenti"),
        ("ar", "الطلب", "طلبات"),
    ],
)
def test_forms_of_a_word_have_one_stem(language, one, other):
    assert stems(one, language) == stems(other, language) != ()


def test_instalments_are_no_installation():
    assert stems("instalments", "en") == stems("installment", "en") != stems("installation", "en")


def test_words_that_say_nothing_are_dropped():
    assert stems("Oi, bom dia! Vocês podem me dizer por favor?", "pt") == ()
    assert stems("Hola, ¿me pueden ayudar con una pregunta?", "es") == ()
    assert stems("Hi, can you please tell me something?", "en") == ()


def test_scripts_without_spaces_are_read_in_pairs():
    assert "配送" in stems("配送はいつですか", "ja")
    assert "营业" in stems("请问营业时间是什么", "zh")
    assert stems("배송", "ko") == ("배송",)


def test_every_language_has_its_list():
    for language in LANGUAGES:
        assert stems("pix 123", language) == ("pix", "123")


def test_indexed_words_are_one_word_to_every_database():
    for word in ("pix", "a", "the", "ção", "配送", "طلب", "1", "x" * 300, "配" * 300):
        spelled = indexed(word)
        assert spelled.isascii()
        assert spelled.isalnum()
        assert spelled == spelled.lower()
        assert 3 <= len(spelled) <= MAX_INDEXED_CHARS
    assert index_text(["pix", "pix", "the"]) == " qqpix qqthe "


# --- passages -----------------------------------------------------------------------------------------------


def test_an_article_is_cut_at_its_headings_and_shown_as_whatsapp_shows():
    parts = cut(
        "Entrega",
        "# Entrega\n\nTudo é **digital**, *sempre*.\n\n- um\n- dois\n\n## Prazo\n[site](https://x.y)\n",
    )
    assert [(part.heading, part.text) for part in parts] == [
        ("", "Tudo é *digital*, _sempre_.\n\n• um\n• dois"),
        ("Prazo", "site: https://x.y"),
    ]


def test_no_passage_is_longer_than_an_answer_and_no_word_is_lost():
    body = (
        "\n\n".join(f"Parágrafo {n}. " + f"Frase número {n} que diz algo. " * 45 for n in range(4))
        + "x" * 3000
    )
    parts = cut("t", body)
    assert all(0 < len(part.text) <= PASSAGE_MAX_CHARS for part in parts)
    assert "".join("".join(part.text for part in parts).split()) == "".join(body.split())


def test_a_heading_within_code_ends_nothing():
    assert [part.heading for part in cut("t", "```\n# not a heading\n```\n## Yes\ntext")] == ["", "Yes"]


# --- files --------------------------------------------------------------------------------------------------


def test_the_same_file_twice_changes_nothing_and_another_text_updates(desk):
    first = bring(markdown("horario.md", "# Horário\n\nDas 9h às 18h."))
    assert (first.created, first.changed, first.unchanged) == (1, 0, 0)
    db.session.commit()
    was = db.session.execute(select(Article.id, Article.updated_at)).one()
    ids = list(db.session.scalars(select(Passage.id)))
    again = bring(markdown("horario.md", "# Horário\r\n\r\nDas 9h às 18h.\r\n"))
    assert (again.created, again.changed, again.unchanged) == (0, 0, 1)
    assert db.session.execute(select(Article.id, Article.updated_at)).one() == was
    assert list(db.session.scalars(select(Passage.id))) == ids
    later = knowledge.import_files(
        [markdown("horario.md", "# Horário\n\nDas 8h às 17h.")], language="pt", now=NOW + timedelta(days=1)
    )
    assert (later.created, later.changed, later.unchanged) == (0, 1, 0)
    assert list(db.session.scalars(select(Passage.text))) == ["Das 8h às 17h."]
    assert db.session.execute(select(Article.id)).scalar_one() == was.id


def test_front_matter_names_title_language_and_state(quick):
    bring(markdown("x.md", "---\ntitle: Envíos\nlanguage: es\nactive: false\n---\n\nTodo es digital.\n"))
    row = db.session.scalars(select(Article)).one()
    assert (row.title, row.language, row.is_active, row.body) == ("Envíos", "es", False, "Todo es digital.")


def test_an_import_does_not_switch_on_what_was_switched_off(quick):
    bring(markdown("a.md", "# A\n\num"))
    knowledge.switch_article(db.session.scalars(select(Article)).one(), is_active=False)
    bring(markdown("a.md", "# A\n\ndois"))
    assert db.session.execute(select(Article.body, Article.is_active)).one() == ("dois", False)


def test_a_folder_names_the_language_and_equal_names_in_two_folders_are_two(tmp_path, quick):
    for name in ("pt/a.md", "en/a.md", "faq/a.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"# {name}\n\ntexto", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("not an article", encoding="utf-8")
    knowledge.import_files(knowledge.uploads_of(tmp_path), language="es", now=NOW)
    assert set(db.session.scalars(select(Article.slug))) == {"pt/a", "en/a", "es/faq/a"}
    again = knowledge.import_files(knowledge.uploads_of(tmp_path / "pt" / "a.md"), language="es", now=NOW)
    assert again.unchanged == 1


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_of_questions_is_an_article_a_row(quick, delimiter):
    rows = [
        ["Pergunta", "Resposta", "Idioma"],
        ["Tem frete?", "Não;, é digital.", ""],
        ["Shipping?", "None.", "en"],
    ]
    content = "\ufeff" + "\r\n".join(delimiter.join(f'"{cell}"' for cell in row) for row in rows)
    assert bring(markdown("faq.csv", content)).created == 2
    assert set(db.session.execute(select(Article.title, Article.body, Article.language))) == {
        ("Tem frete?", "Não;, é digital.", "pt"),
        ("Shipping?", "None.", "en"),
    }
    assert bring(markdown("faq.csv", content)).unchanged == 2


@pytest.mark.parametrize(
    ("name", "content", "line", "code"),
    [
        ("a.txt", b"text", 1, "not_a_kind"),
        ("a.md", b"x" * 1_000_001, 1, "too_large"),
        ("a.md", b"# A\n\nol\xe1", 3, "not_utf8"),
        ("a.md", b"", 1, "no_title"),
        ("a.md", b"only text", 1, "no_title"),
        ("a.md", b"# A", 1, "no_text"),
        ("a.md", b"---\ntitle: [x\n---\ntext", 3, "bad_front_matter"),
        ("a.md", b"---\njust words\n---\ntext", 2, "bad_front_matter"),
        ("a.md", b"---\nactive: true\ntitle: [x]\n---\ntext", 3, "bad_front_matter"),
        ("a.md", b"---\ntitle: 2026-13-45\n---\ntext", 2, "bad_front_matter"),
        ("a.md", b"---\ntitle: " + b"9" * 5000 + b"\n---\ntext", 2, "bad_front_matter"),
        ("a.md", b"---\ntitle: " + b"[" * 5000 + b"\n---\ntext", 2, "bad_front_matter"),
        ("a.md", b"---\ntitle: " + LAUGHS + b"\n---\ntext", 2, "bad_front_matter"),
        ("a.md", b"---\ntitle: A\nauthor: me\n---\ntext", 3, "unknown_key"),
        ("a.md", b"---\ntitle: A\nactive: maybe\n---\ntext", 3, "bad_active"),
        ("a.md", b"---\ntitle: A\nlanguage: xx\n---\ntext", 5, "unknown_language"),
        ("a.md", b"# " + b"x" * 201 + b"\n\ntext", 1, "long_title"),
        ("a.md", b"# A\n\n" + b"x" * 50_001, 1, "long_text"),
        ("a.csv", b"", 1, "no_articles"),
        ("a.csv", b"a,b\n1,2\n", 1, "no_header"),
        ("a.csv", b"question,answer\n", 1, "no_articles"),
        ("a.csv", b"question,answer\nq,a\n,a\n", 3, "no_question"),
        ("a.csv", b"question,answer\n\nq,\n", 3, "no_answer"),
        ("a.csv", b"question,answer\nq,a,b\n", 2, "extra_cells"),
        ("a.csv", b'question,answer\n"q\nmore",a\nr,\n', 4, "no_answer"),
        ("a.csv", b"question,answer,language\nq,a,xx\n", 2, "unknown_language"),
        ("a.csv", b'question,answer\nq,"a" b\n', 2, "broken_row"),
        ("a.csv", b"question,answer\nq,a\nq,b\n", 3, "twice"),
    ],
)
def test_a_wrong_file_is_refused_by_name_and_line(quick, name, content, line, code):
    assert problems(Upload(name, content)) == [(name, line, code)]


def test_all_problems_are_told_and_nothing_is_half_imported(quick):
    told = problems(
        markdown("good.md", "# A\n\ntext"),
        markdown("bad.md", "text"),
        Upload("bad.csv", b"question,answer\n,a\nq,\n"),
    )
    assert told == [("bad.md", 1, "no_title"), ("bad.csv", 2, "no_question"), ("bad.csv", 3, "no_answer")]
    assert db.session.scalar(select(func.count(Article.id))) == 0


def test_every_problem_has_its_words():
    for code, words in knowledge.PROBLEMS.items():
        assert str(knowledge.Problem("a.md", 3, code, "xyz")) == f"a.md:3: {words.format('xyz')}"


def test_an_empty_or_missing_folder_is_said(tmp_path):
    for path, code in ((tmp_path, "no_articles"), (tmp_path / "none.md", "unreadable")):
        with pytest.raises(FilesRefused) as refused:
            knowledge.uploads_of(path)
        assert refused.value.problems[0].code == code


# --- articles -----------------------------------------------------------------------------------------------


def test_two_articles_may_have_one_title(quick):
    slugs = [write("Horário", f"texto {n}").slug for n in range(3)]
    assert slugs == ["pt/horario", "pt/horario-2", "pt/horario-3"]


def test_titles_of_other_scripts_have_slugs_of_their_own(quick):
    slugs = {write(title, "x", "ja").slug for title in ("配送", "営業", "x" * 200)}
    assert len(slugs) == 3
    assert all(len(slug) <= 120 for slug in slugs)


@pytest.mark.parametrize(
    ("sheet", "code"),
    [
        (Sheet("  ", "text", "pt"), "no_title"),
        (Sheet("A", " \n# Only a heading\n", "pt"), "no_text"),
        (Sheet("x" * 201, "text", "pt"), "long_title"),
        (Sheet("A", "x" * 50_001, "pt"), "long_text"),
        (Sheet("A", "text", "xx"), "unknown_language"),
    ],
)
def test_an_article_that_says_nothing_is_refused(quick, sheet, code):
    with pytest.raises(ArticleRefused) as refused:
        knowledge.create_article(sheet, now=NOW)
    assert refused.value.code == code


def test_articles_are_listed_by_their_words_in_any_spelling(quick):
    write("Devolução", "Sete dias.")
    write("Preço 100%", "Caro.")
    write("Hours", "Nine to six.", "en")
    assert [a.title for a in knowledge.list_articles("DEVOLUCOES", "pt")] == ["Devolução"]
    assert [a.title for a in knowledge.list_articles("100%")] == ["Preço 100%"]
    assert [a.title for a in knowledge.list_articles("%%")] == []
    assert [a.title for a in knowledge.list_articles("", "en")] == ["Hours"]
    assert len(knowledge.list_articles()) == 3
    assert knowledge.article_languages() == ("en", "pt")


def two_numbers():
    rows = [
        Integration(provider="meta", name=name, number_id=number_id, display_phone=phone)
        for name, number_id, phone in (
            ("Nexora", "111", "+971 50 000 0001"),
            ("Maré Digital", "222", "+55 81 90000-0002"),
        )
    ]
    db.session.add_all(rows)
    db.session.flush()
    return rows


@pytest.mark.parametrize("called", ["maré digital", "222", "+55 (81) 90000 0002"])
def test_a_file_may_name_the_number_that_knows_its_article(quick, called):
    _nexora, shop = two_numbers()
    bring(markdown("a.md", f'---\nnumber: "{called}"\n---\n# Frete\n\nNão há frete.'))
    rows = f'pergunta,resposta,número\nTroca?,Em 7 dias.,"{called}"\nOi?,Olá.,\n'
    bring(markdown("faq.csv", rows))
    owners = {row.title: row.integration_id for row in db.session.scalars(select(Article))}
    assert owners == {"Frete": shop.id, "Troca?": shop.id, "Oi?": None}
    assert bring(markdown("faq.csv", rows)).unchanged == 2
    assert bring(markdown("faq.csv", rows.replace(f'"{called}"', "Nexora"))).changed == 1
    wrong = problems(markdown("faq.csv", rows.replace(f'"{called}"', "Niguém")))
    assert wrong == [("faq.csv", 2, "unknown_number")]


def test_a_number_answers_with_its_own_articles_and_with_everybodys(desk):
    nexora, shop = two_numbers()
    write("Frete da loja", "Não há frete, tudo é digital.", integration_id=shop.id)
    write("Horário", "Das 9h às 18h.")
    db.session.commit()
    try:
        assert [f.title for f in knowledge.search("quanto é o frete?", "pt")] == ["Frete da loja"]
        assert knowledge.search("quanto é o frete?", "pt", integration_id=nexora.id) == ()
        assert knowledge.search("quanto é o frete?", "pt", integration_id=shop.id)[0].is_clear
        assert knowledge.search("qual o horário?", "pt", integration_id=nexora.id)[0].is_clear
    finally:
        db.session.execute(delete(Passage))
        db.session.execute(delete(Article))
        db.session.execute(delete(Integration))
        db.session.commit()


def test_the_demos_numbers_know_each_their_own(quick):
    demo.seed_demo(now=NOW)
    ids = {row.name: row.id for row in db.session.scalars(select(Integration))}
    question = "how long does delivery take?"
    assert knowledge.search(question, "en", integration_id=ids["Maré Digital"])
    others = knowledge.search(question, "en", integration_id=ids["Nexora Investments"])
    assert not any("digital" in found.text for found in others)
    told = knowledge.search("¿cuál es el horario?", "es", integration_id=ids["Casa Lumbre"])
    assert "Madrid" in told[0].text


# --- the search ---------------------------------------------------------------------------------------------


def test_what_is_changed_switched_off_or_deleted_is_found_no_more(desk):
    row = write("Estacionamento", "Temos vagas para bicicletas.")
    write("Outro", "Um texto qualquer sobre papel.")
    db.session.commit()
    assert [f.article_id for f in knowledge.search("bicicleta", "pt")] == [row.id]
    assert knowledge.search("bicicleta", "es") == ()
    knowledge.change_article(row, Sheet("Estacionamento", "Temos vagas para carros.", "pt"), now=NOW)
    db.session.commit()
    assert knowledge.search("bicicleta", "pt") == ()
    assert [f.text for f in knowledge.search("carro", "pt")] == ["Temos vagas para carros."]
    knowledge.switch_article(row, is_active=False)
    db.session.commit()
    assert knowledge.search("carro", "pt") == ()
    knowledge.switch_article(row, is_active=True)
    knowledge.delete_article(row)
    db.session.commit()
    assert knowledge.search("carro", "pt") == ()
    assert db.session.scalar(select(func.count(Passage.id))) == 1


def test_no_text_of_a_customer_is_an_error(desk):
    write("Pix", "Aceitamos pix.")
    db.session.commit()
    for language in (*LANGUAGES, "xx", ""):
        for question in RUDE:
            for found in knowledge.search(question, language):
                assert 0 <= found.score <= 1
    assert knowledge.search('-"pix*', "pt")[0].title == "Pix"


def test_the_search_asks_the_index_of_the_database(desk):
    write("Pix", "Aceitamos pix.")
    db.session.commit()
    asked = []

    def note(_connection, _cursor, statement, *_rest):
        asked.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    found = knowledge.search("pix", "pt")
    event.remove(db.engine, "before_cursor_execute", note)
    assert [f.title for f in found] == ["Pix"]
    index = {"sqlite": "passages_fts MATCH", "postgresql": "to_tsvector", "mysql": "AGAINST"}
    assert any(index[db.engine.dialect.name] in statement for statement in asked), asked
    assert not any("LIKE" in statement for statement in asked)


def test_without_an_index_the_same_is_found(quick):
    knowledge.import_files(knowledge.uploads_of(demo.ARTICLES_DIR / "shop"), language="pt", now=NOW)
    assert clear_answer("aceita pix?", "pt") == "pagamento"
    assert clear_answer("vocês vendem geladeira?", "pt") == ""


def test_passages_of_scripts_without_spaces_are_found(desk):
    write("配送について", "ご注文の商品はメールで配送します。", "ja")
    write("営業時間", "平日九時から六時まで。", "ja")
    db.session.commit()
    assert [f.title for f in knowledge.search("配送はどうなりますか", "ja")][:1] == ["配送について"]


def test_rare_words_choose_where_too_many_passages_match(desk):
    for number in range(CANDIDATES_MAX + 20):
        write(f"Curso {number}", f"Aula do curso, turma t{number}x.")
    db.session.commit()
    assert knowledge.search("curso da turma t317x", "pt")[0].title == "Curso 317"


def test_one_passage_of_each_article_is_given_and_the_limit_is_kept(desk):
    for number in range(5):
        write(f"Pix {number}", "## Um\n\npix\n\n## Dois\n\npix")
    db.session.commit()
    found = knowledge.search("pix", "pt", limit=4)
    assert len({f.article_id for f in found}) == len(found) == 4
    assert not any(f.is_clear for f in found), "five articles answer alike: none is clear"


def clear_answer(question, language):
    """Give the file of the demo article that clearly answers, or nothing."""
    found = knowledge.search(question, language)
    if not found or not found[0].is_clear:
        return ""
    return slug_of(found[0])


def slug_of(found):
    return db.session.get_one(Article, found.article_id).slug.partition("/")[2]


def test_the_demos_questions_get_their_article_and_strange_ones_none(desk):
    """The same decisions on every database, for all questions of the table."""
    knowledge.import_files(knowledge.uploads_of(demo.ARTICLES_DIR / "shop"), language="pt", now=NOW)
    db.session.commit()
    with QUESTIONS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 60
    answers = {
        (row["language"], row["question"]): clear_answer(row["question"], row["language"]) for row in rows
    }
    wrong = [
        (row["question"], got)
        for row in rows
        if (got := answers[row["language"], row["question"]]) not in ("", row["article"])
    ]
    assert not wrong
    for language in ("pt", "es", "en"):
        wanted = [row for row in rows if row["language"] == language and row["article"]]
        met = [row for row in wanted if answers[language, row["question"]]]
        assert len(met) / len(wanted) >= CLEAR_AT_LEAST, language


def test_questions_in_other_words_find_their_article_too(desk):
    """The same on every database; what is written down must not be told for something else."""
    numbers = dict(zip(("nexora", "shop"), two_numbers(), strict=True))
    for name, number in numbers.items():
        uploads = knowledge.uploads_of(demo.ARTICLES_DIR / name)
        knowledge.import_files(uploads, language="pt", now=NOW, integration_id=number.id)
    db.session.commit()
    with PARAPHRASES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 60
    found = {}
    for row in rows:
        number = numbers[row["number"]]
        answer = knowledge.search(row["question"], row["language"], integration_id=number.id)
        found[row["question"]] = slug_of(answer[0]) if answer and answer[0].is_clear else ""
    assert not [one for one in rows if found[one["question"]] not in ("", one["article"])]
    for language in ("pt", "es", "en"):
        asked = [one["question"] for one in rows if one["language"] == language]
        assert sum(bool(found[one]) for one in asked) >= PARAPHRASED_AT_LEAST * len(asked), language


# --- the migration ------------------------------------------------------------------------------------------


def test_the_index_follows_rows_that_no_verb_wrote(desk):
    row = write("Pix", "Aceitamos pix.")
    db.session.commit()
    db.session.execute(text("UPDATE passages SET words = ' qqpapel '"))
    db.session.commit()
    assert [f.article_id for f in knowledge.search("papel", "pt")] == [row.id]
    assert knowledge.search("pix", "pt") == ()
