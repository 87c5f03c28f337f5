"""What operators do together: hand round, label, snooze, close, undo; notes, canned replies, views."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from app import create_app
from config import Config
from models import Conversation, ConversationLabel, Integration, Note, Operator, db
from teamwork import caseload, keeping
from teamwork.caseload import Refused
from teamwork.keeping import NotKept
from tests import page_rows

NOW = datetime(2026, 11, 21, 15, 0, tzinfo=UTC)


@pytest.fixture
def people(load_config: Callable[..., Config], database_url: str) -> Iterator[list[Conversation]]:
    """Two conversations with the bot, and two operators, on every database."""
    app = create_app(load_config(DATABASE_URL=database_url))
    with app.app_context():
        db.create_all()
        page_rows.people()
        number = Integration(provider="simulator", shape="meta", name="Loja", number_id="111")
        db.session.add(number)
        db.session.flush()
        yield [
            page_rows.conversation(number, "Mariana", "5511987654321", unread_count=2),
            page_rows.conversation(number, "Carlos", "5541991112222"),
        ]
        db.session.remove()
        db.engine.dispose()


def ana() -> Operator:
    return db.session.scalars(select(Operator).where(Operator.email == page_rows.ADMIN_EMAIL)).one()


def beto() -> Operator:
    return db.session.scalars(select(Operator).where(Operator.email == page_rows.AGENT_EMAIL)).one()


def do(action: str, on: list[Conversation], argument: str = "") -> caseload.Done:
    done = caseload.act(action, [one.id for one in on], argument, operator=ana(), now=NOW)
    db.session.expire_all()
    return done


def back(done: caseload.Done, operator: Operator | None = None) -> int:
    count = caseload.undo(done.id, operator=operator or ana(), now=NOW)
    db.session.expire_all()
    return count


def test_assigning_gives_conversations_to_a_person_and_undo_gives_them_back(
    people: list[Conversation],
) -> None:
    done = do("assign", people, str(beto().id))
    assert [(one.handler, one.operator_id) for one in people] == [("human", beto().id)] * 2
    assert back(done) == 2
    assert [(one.handler, one.operator_id) for one in people] == [("bot", None)] * 2
    assert back(done) == 0


def test_undo_leaves_alone_what_somebody_changed_since(people: list[Conversation]) -> None:
    done = do("close", people)
    assert [one.is_closed for one in people] == [True, True]
    people[0].is_closed = False
    db.session.flush()
    assert back(done) == 1
    assert [one.is_closed for one in people] == [False, False]


def test_nobody_undoes_what_another_did(people: list[Conversation]) -> None:
    assert back(do("close", people), beto()) == 0
    assert all(one.is_closed for one in people)


def test_a_snooze_ends_by_time_by_waking_and_by_undo(people: list[Conversation]) -> None:
    done = do("snooze", people, "4h")
    assert [one.snoozed_until for one in people] == [NOW + timedelta(hours=4)] * 2
    do("wake", people[:1])
    assert [one.snoozed_until for one in people] == [None, NOW + timedelta(hours=4)]
    assert back(done) == 1
    assert [one.snoozed_until for one in people] == [None, None]


def test_a_message_wakes_and_opens_a_conversation(people: list[Conversation]) -> None:
    do("snooze", people, "7d")
    do("close", people)
    caseload.note_message(people[0].id)
    db.session.flush()
    assert [people[0].snoozed_until, people[0].is_closed] == [None, False]


def test_closing_hands_back_and_counts_as_read(people: list[Conversation]) -> None:
    do("assign", people, str(ana().id))
    do("close", people)
    assert (people[0].handler, people[0].unread_count) == ("bot", 0)


def test_labels_go_on_once_come_off_and_come_back(people: list[Conversation]) -> None:
    label = keeping.add_label("  Atacado ", now=NOW)
    assert keeping.add_label("atacado", now=NOW).id == label.id
    do("label", people, str(label.id))
    do("label", people, str(label.id))
    assert [one.name for one in keeping.labels_of([people[0].id])[people[0].id]] == ["Atacado"]
    done = do("unlabel", people, str(label.id))
    assert keeping.labels_of([one.id for one in people]) == {}
    assert back(done) == 2
    assert len(keeping.labels_of([one.id for one in people])) == 2
    keeping.remove_label(label.id)
    assert db.session.scalars(select(ConversationLabel)).all() == []


@pytest.mark.parametrize(
    ("action", "argument", "code"),
    [
        ("dance", "", "action"),
        ("assign", "", "operator"),
        ("assign", "99999999999999999999", "operator"),
        ("label", "x", "label"),
        ("snooze", "soon", "time"),
    ],
)
def test_what_is_not_there_is_refused(
    people: list[Conversation], action: str, argument: str, code: str
) -> None:
    with pytest.raises(Refused) as refused:
        do(action, people, argument)
    assert refused.value.code == code


def test_nothing_chosen_is_refused(people: list[Conversation]) -> None:
    with pytest.raises(Refused) as refused:
        do("close", [])
    assert refused.value.code == "none"


def test_a_note_is_written_once_and_taken_away_by_its_writer_alone(people: list[Conversation]) -> None:
    for _ in range(2):
        keeping.add_note(people[0].id, " liga às 15h ", operator_id=ana().id, client_token="t", now=NOW)
    note = db.session.scalars(select(Note)).one()
    assert note.body == "liga às 15h"
    assert not keeping.remove_note(note.id, operator_id=beto().id)
    assert keeping.remove_note(note.id, operator_id=ana().id)


def test_a_canned_reply_is_known_by_its_shortcut(people: list[Conversation]) -> None:
    keeping.keep_reply("/Frete", "O frete é grátis.", now=NOW)
    keeping.keep_reply("frete", "O frete é por nossa conta.", now=NOW)
    (reply,) = keeping.canned_replies()
    assert (reply.shortcut, reply.body) == ("frete", "O frete é por nossa conta.")
    keeping.remove_reply(reply.id)
    assert list(keeping.canned_replies()) == []


@pytest.mark.parametrize(
    ("shortcut", "body", "code"), [("a b", "x", "shortcut"), ("a", " ", "empty"), ("a", "x" * 5000, "long")]
)
def test_a_canned_reply_that_cannot_be_kept(
    people: list[Conversation], shortcut: str, body: str, code: str
) -> None:
    with pytest.raises(NotKept) as refused:
        keeping.keep_reply(shortcut, body, now=NOW)
    assert refused.value.code == code


def test_views_belong_to_their_operator(people: list[Conversation]) -> None:
    keeping.save_view("Bravos", "sentiment=angry", operator_id=ana().id, now=NOW)
    keeping.save_view("Bravos", "sentiment=angry&show=mine", operator_id=ana().id, now=NOW)
    (view,) = keeping.views_of(ana().id)
    assert view.query == "sentiment=angry&show=mine"
    keeping.remove_view(view.id, operator_id=beto().id)
    assert len(keeping.views_of(ana().id)) == 1
    keeping.remove_view(view.id, operator_id=ana().id)
    assert list(keeping.views_of(ana().id)) == []
