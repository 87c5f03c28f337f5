"""What changed, named once per process: the watcher, and the stream that passes it on."""

from collections.abc import Iterator
from time import monotonic

import pytest
from flask import Flask
from flask.testing import FlaskClient

from dashboard import live
from dashboard.changes import EVERYTHING, NEWS_KEPT, Watcher, _changed, _read
from models import Contact, Conversation, ConversationLabel, Label, Message, Note, db, utc_now
from tests import page_rows
from tests.browsing import get
from tests.page_rows import Desk, message

LONG_SECS = 60.0


@pytest.fixture
def desk(app: Flask) -> Desk:
    with app.app_context():
        page_rows.people()
        return page_rows.fill()


@pytest.fixture
def watcher(app: Flask, desk: Desk) -> Iterator[Watcher]:
    yield (found := Watcher(app, 2))
    while found._listeners:
        found.leave()
    if found._thread is not None:
        found._thread.join(LONG_SECS)


def test_each_kind_of_change_names_its_conversation(app: Flask, desk: Desk) -> None:
    """What a page of an operator shows of a conversation, changed one by one."""

    def note() -> None:
        db.session.add(Note(conversation_id=desk.bot_id, operator_id=1, body="psiu"))

    def unnote() -> None:
        db.session.delete(db.session.query(Note).one())

    def label() -> None:
        db.session.add(found := Label(name="Atacado"))
        db.session.flush()
        db.session.add(ConversationLabel(label_id=found.id, conversation_id=desk.bot_id))

    def unlabel() -> None:
        db.session.delete(db.session.query(ConversationLabel).one())

    def say() -> None:
        message(db.session.get_one(Conversation, desk.bot_id), "oi")

    def deliver() -> None:
        db.session.query(Message).filter_by(conversation_id=desk.bot_id).one().status = "read"

    def take() -> None:
        db.session.get_one(Conversation, desk.bot_id).handler = "human"

    def leave() -> None:
        contact_id = db.session.get_one(Conversation, desk.bot_id).contact_id
        db.session.get_one(Contact, contact_id).opted_out_at = utc_now()

    with app.app_context():
        for act in (note, unnote, label, unlabel, say, deliver, take, leave):
            before = _read()
            assert _changed(before, _read()) == set()
            act()
            db.session.commit()
            assert _changed(before, _read()) == {desk.bot_id}, act.__name__


def test_a_listener_hears_of_a_change(app: Flask, watcher: Watcher, desk: Desk) -> None:
    last = watcher.join()
    assert last is not None
    news = watcher.wait(last, LONG_SECS)
    assert news.conversations == {EVERYTHING}
    with app.app_context():
        db.session.get_one(Conversation, desk.bot_id).handler = "human"
        db.session.commit()
    assert watcher.wait(news.number, LONG_SECS).conversations == {desk.bot_id}


def test_what_a_slow_listener_missed_comes_together(watcher: Watcher) -> None:
    watcher.tell([4])
    watcher.tell([5, 6])
    assert watcher.wait(0, 0).conversations == {4, 5, 6}
    assert watcher.wait(2, 0).conversations == frozenset()


def test_a_process_takes_so_many_listeners_and_no_more(watcher: Watcher) -> None:
    assert watcher.join() is not None
    assert watcher.join() is not None
    assert watcher.join() is None
    watcher.leave()
    assert watcher.join() is not None


def test_a_stream_names_what_changed_and_its_place_is_free_again(app: Flask, admin: FlaskClient) -> None:
    with app.app_context():
        page_rows.fill()
    answer = get(admin, "/live")
    assert answer.mimetype == "text/event-stream"
    chunks = iter(answer.response)
    assert next(chunks) == b"retry: 1500\n\n"
    watcher = app.extensions["balcao_changes"]
    watcher.tell([7])
    said = ""
    while "7]" not in said:
        said = str(next(chunks))
    assert "event: changed" in said
    answer.close()
    assert watcher._listeners == 0
    if (thread := watcher._thread) is not None:
        thread.join(LONG_SECS)
    with app.app_context():
        assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_streams_end_when_the_process_is_about_to_stop(app: Flask, admin: FlaskClient) -> None:
    live.end_streams(app)  # nobody has looked yet
    answer = get(admin, "/live")
    chunks = iter(answer.response)
    next(chunks)
    live.end_streams(app)
    assert len(list(chunks)) <= 2
    answer.close()


def test_whoever_reads_no_stream_takes_no_place(app: Flask, admin: FlaskClient) -> None:
    app.extensions["balcao_changes"] = watcher = Watcher(app, 1)
    admin.head("/live", headers={"Accept": "text/html"})
    assert watcher._listeners == 0
    get(admin, "/live").close()  # gone before the first line
    assert watcher._listeners == 0


def test_whoever_finds_no_place_is_told_to_ask(app: Flask, admin: FlaskClient) -> None:
    app.extensions["balcao_changes"] = Watcher(app, 0)
    assert get(admin, "/live").status_code == 204


def test_strangers_hear_nothing(client: FlaskClient) -> None:
    assert client.get("/live").status_code == 401


def first_news(watcher: Watcher) -> int:
    """Let a watcher take its first look; gives the number of the news."""
    last = watcher.join()
    assert last is not None
    return watcher.wait(last, LONG_SECS).number


def test_a_page_hears_only_what_it_does_not_show(watcher: Watcher) -> None:
    first_news(watcher)
    watcher.tell([4])
    mark = watcher.mark(monotonic())
    last = watcher.join(mark)
    assert last is not None
    assert watcher.wait(last, 0).conversations == frozenset()
    watcher.tell([5])
    assert watcher.wait(last, 0).conversations == {5}


def test_a_change_while_the_page_was_made_is_heard(watcher: Watcher) -> None:
    first_news(watcher)
    began = monotonic()
    watcher.tell([5])  # the page may have been read before it
    last = watcher.join(watcher.mark(began))
    assert last is not None
    assert 5 in watcher.wait(last, 0).conversations


@pytest.mark.parametrize("mark", ["", "x", "-", "other-1", "{name}-99", "{name}--1", "{name}-²"])
def test_whoever_has_no_mark_of_ours_hears_that_everything_may_have_changed(
    watcher: Watcher, mark: str
) -> None:
    first_news(watcher)
    last = watcher.join(mark.format(name=watcher._name))
    assert last is not None
    assert EVERYTHING in watcher.wait(last, 0).conversations


def test_whoever_was_away_for_too_long_fetches_everything(watcher: Watcher) -> None:
    first_news(watcher)
    mark = watcher.mark(monotonic())
    for _each in range(NEWS_KEPT + 1):
        watcher.tell([4])
    last = watcher.join(mark)
    assert last is not None
    assert watcher.wait(last, 0).conversations == {EVERYTHING, 4}


def test_no_page_is_sure_of_itself_while_nobody_watches(watcher: Watcher) -> None:
    assert watcher.mark(monotonic()) == ""
    last = watcher.join(watcher.mark(monotonic()))
    assert last is not None
    assert watcher.wait(last, LONG_SECS).conversations == {EVERYTHING}


def test_a_stream_goes_on_where_the_page_or_the_browser_left_it(app: Flask, admin: FlaskClient) -> None:
    app.extensions["balcao_changes"] = watcher = Watcher(app, 2)
    first_news(watcher)
    page = get(admin, "/inbox").text
    assert f"/live?after={watcher.mark(monotonic())}" in page
    watcher.tell([7])
    answer = get(admin, "/live", **{"Last-Event-ID": watcher.mark(0)})
    chunks = iter(answer.response)
    next(chunks)
    said = str(next(chunks))
    assert f"id: {watcher.mark(monotonic())}" in said
    assert '"conversations": [0, 7]' in said
    answer.close()
    watcher.leave()
    if (thread := watcher._thread) is not None:
        thread.join(LONG_SECS)
