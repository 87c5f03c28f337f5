"""The search over people and messages: on three databases, and nothing left of who is deleted."""

import pytest
from flask import Flask
from sqlalchemy import delete, event, select, text

import config
import opening
import privacy
from app import create_app
from models import MESSAGE_SEARCH_INDEX, Contact, Conversation, Integration, Message, db
from teamwork import finding
from tests import page_rows
from tests.page_rows import conversation, message

RUDE = (
    "???", "*", "%", "''''", '"', "NEAR(a b)", "AND OR NOT", 'bolo" OR 1=1 --', "bolo*", "-bolo", "+bolo -x",
    "(bolo", "{bolo", "bolo & | ! :*", "<-> bolo", "body:bolo",
    "^bolo", "><", "\\", "\\'", "\x00bolo", "😀😀😀",
    "a" * 80, "of the", "the who", "1e5 12:30", "配送", "متى يصل",
)  # fmt: skip


@pytest.fixture(scope="module")
def migrated(module_database_url, tmp_path_factory):
    """A desk whose schema came from the migrations, on each database in turn."""
    variables = {"INSTANCE_DIR": str(tmp_path_factory.mktemp("desk")), "DATABASE_URL": module_database_url}
    application = create_app(config.load(variables, entry="test"))
    with application.app_context():
        opening.migrate()
        number = Integration(provider="simulator", shape="meta", name="Loja", number_id="111")
        db.session.add(number)
        db.session.commit()
        yield application
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def ana(migrated: Flask):
    """The conversation of a contact, gone afterwards."""
    found = conversation(db.session.scalars(select(Integration)).one(), "Ana Antônia", "5511900000001")
    db.session.commit()
    yield found
    db.session.rollback()
    for contact in db.session.scalars(select(Contact)).all():
        privacy.delete_person([contact])
    db.session.commit()


def say(of: Conversation, *bodies: str) -> list[int]:
    """Write messages; MariaDB's index knows a row after its commit."""
    ids = [message(of, body).id for body in bodies]
    db.session.commit()
    return ids


@pytest.mark.parametrize(
    "search",
    [
        "confeitaria",
        "CONFEITARIA",
        "confeit",
        "avançada",
        "avancada",
        "curso confeitaria",
        "joão",
        "joao r$ 450",
    ],
)
def test_words_are_found_whole_or_begun_whatever_their_case_and_accents(ana, search) -> None:
    wanted, _other = say(ana, "tem curso de Confeitaria (avançada) pro João? R$ 450,00", "obrigada")
    assert finding.messages_saying(search) == {ana.id: wanted}


def test_every_word_must_be_there(ana) -> None:
    say(ana, "curso de bolos", "aula de pães")
    assert finding.messages_saying("curso pães") == {}
    assert finding.messages_saying("feitaria") == {}, "the middle of a word is none"


def test_the_newest_message_of_each_conversation_is_given(ana) -> None:
    other = conversation(db.session.scalars(select(Integration)).one(), "Beto", "5511900000002")
    _first, newest = say(ana, "bolo de rolo", "outro bolo")
    (of_beto,) = say(other, "um bolo")
    assert finding.messages_saying("bolo") == {ana.id: newest, other.id: of_beto}


def test_an_edit_is_found_by_its_new_words_alone(ana) -> None:
    (message_id,) = say(ana, "quero brigadeiro")
    db.session.get_one(Message, message_id).body = "quero beijinho"
    db.session.commit()
    assert finding.messages_saying("beijinho") == {ana.id: message_id}
    assert finding.messages_saying("brigadeiro") == {}


def test_writing_without_spaces_is_found_by_its_middle(ana) -> None:
    (message_id,) = say(ana, "明日は配送できますか")
    assert finding.messages_saying("配送できます") == {ana.id: message_id}


@pytest.mark.parametrize("search", RUDE)
def test_what_people_type_is_never_syntax(ana, search) -> None:
    say(ana, "bolo de rolo")
    finding.messages_saying(search)


def test_a_search_asks_the_index(ana) -> None:
    say(ana, "bolo de rolo")
    asked: list[str] = []
    event.listen(db.engine, "before_cursor_execute", listener := lambda *given: asked.append(given[2]))
    finding.messages_saying("bolo")
    event.remove(db.engine, "before_cursor_execute", listener)
    mark = {"sqlite": "messages_fts MATCH", "postgresql": "to_tsvector", "mysql": "AGAINST"}
    assert any(mark[db.engine.dialect.name] in statement for statement in asked)
    if db.engine.dialect.name == "postgresql":
        statement = next(one for one in asked if "to_tsvector" in one)
        db.session.execute(text("SET LOCAL enable_seqscan = off"))
        with db.engine.connect() as connection:
            cursor = connection.connection.cursor()
            cursor.execute("SET LOCAL enable_seqscan = off")
            found = {"to_tsquery_1": "bolo:*", "param_1": 10, "param_2": 10}
            cursor.execute("EXPLAIN " + statement, found)
            plan = "\n".join(row[0] for row in cursor.fetchall())
        assert MESSAGE_SEARCH_INDEX in plan


def test_nothing_is_left_in_the_index_of_who_is_deleted(ana) -> None:
    say(ana, "minha senha é xilindrozao")
    assert finding.messages_saying("xilindrozao")
    privacy.delete_person([page_rows.contact_of(ana)])
    db.session.commit()
    assert finding.messages_saying("xilindrozao") == {}
    if db.engine.dialect.name == "sqlite":
        stored = db.session.execute(text("SELECT block FROM messages_fts_data")).scalars().all()
        assert not any(b"xilindrozao" in block for block in stored)


def test_without_an_index_the_newest_messages_are_read(app: Flask) -> None:
    with app.app_context():
        number = Integration(provider="simulator", shape="meta", name="Loja", number_id="111")
        of = conversation(page_rows._add(number), "Ana", "5511900000001")
        (message_id,) = say(of, "bolo de rolo")
        assert finding.messages_saying("bolo rol") == {of.id: message_id}
        db.session.execute(delete(Message))
        db.session.commit()
