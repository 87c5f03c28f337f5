"""The demo set: the same each time, quick, believable, and gone without a trace."""

from datetime import timedelta
from time import perf_counter

import pytest
from sqlalchemy import func, select

import demo
import integrations
from models import (
    Alert,
    Base,
    Complaint,
    Contact,
    Conversation,
    Integration,
    Lead,
    Message,
    Order,
    Product,
    Ticket,
    Turn,
    db,
)
from shop import orders
from tests.records import NOW, make_conversation

SECONDS_AT_MOST = 10


@pytest.fixture
def config(app):
    with app.app_context():
        yield app.config["BALCAO"]
        db.session.rollback()


def test_it_is_written_in_seconds_and_has_everything(config):
    began = perf_counter()
    seeded = demo.seed_demo(config, now=NOW)
    assert perf_counter() - began < SECONDS_AT_MOST
    assert seeded.is_new
    assert (seeded.numbers, seeded.contacts) == (3, 39)
    for table, least in ((Lead, 8), (Ticket, 3), (Complaint, 2), (Order, 8), (Product, 11), (Turn, 150)):
        assert db.session.query(table).count() >= least, table
    assert {shape for (shape,) in db.session.query(Integration.shape)} == {"meta", "twilio"}
    assert {language for (language,) in db.session.query(Contact.language)} >= {"pt", "es", "en"}


def test_everybody_in_it_is_marked_and_nothing_waits_to_be_sent(config):
    demo.seed_demo(config, now=NOW)
    assert db.session.query(Contact).filter_by(is_demo=False).count() == 0
    assert db.session.query(Product).filter_by(is_demo=False).count() == 0
    assert db.session.query(Message).filter(Message.send_due_at.is_not(None)).count() == 0
    statuses = {status for (status,) in db.session.query(Message.status).filter_by(direction="out")}
    assert statuses == {"read", "delivered", "sent", "failed"}


def test_the_scripts_are_understood_by_the_flows(config):
    demo.seed_demo(config, now=NOW)
    reasons = {reason for (reason,) in db.session.query(Turn.reason)}
    assert "does not name an option" not in reasons
    asked_again = db.session.query(Message).filter(Message.body.like("%Parece que %")).count()
    assert asked_again == 0


def test_some_people_wait_and_old_alerts_are_acknowledged(config):
    demo.seed_demo(config, now=NOW)
    waiting = db.session.query(Conversation).filter_by(handler="human").count()
    assert waiting >= 3
    still_open = db.session.query(Alert).filter(Alert.open_topic.is_not(None))
    assert 2 <= still_open.count() <= 8
    assert all(NOW - alert.last_at < timedelta(hours=13) for alert in still_open)


def test_nothing_happens_in_the_future_and_each_thread_is_in_order(config):
    demo.seed_demo(config, now=NOW)
    rows = db.session.execute(
        select(Message.conversation_id, Message.created_at).order_by(Message.conversation_id, Message.id)
    ).all()
    assert all(at <= NOW for _, at in rows)
    assert all(a[1] <= b[1] for a, b in zip(rows, rows[1:], strict=False) if a[0] == b[0])


def test_the_same_seed_and_time_give_the_same_set(config):
    demo.seed_demo(config, now=NOW)
    first = _said()
    demo.remove_demo()
    demo.seed_demo(config, now=NOW)
    second = _said()
    assert [row[2:] for row in first] == [row[2:] for row in second]


def test_seeding_twice_doubles_nothing(config):
    demo.seed_demo(config, now=NOW)
    before = _counts()
    assert not demo.seed_demo(config, now=NOW + timedelta(days=3)).is_new
    assert _counts() == before


def test_removing_leaves_what_was_not_of_the_demo(config):
    mine = make_conversation("5511999990000", "Real Person")
    demo.seed_demo(config, now=NOW)
    product = db.session.query(Product).filter_by(sku="ebook-receitas").one()
    orders.place(orders.add_to_cart(mine.id, mine.contact_id, product, now=NOW), now=NOW)
    removed = demo.remove_demo()
    assert (removed.contacts, removed.numbers, removed.products) == (39, 3, 10)
    assert [c.name for c in db.session.query(Contact)] == ["Real Person"]
    assert [p.sku for p in db.session.query(Product)] == ["ebook-receitas"]
    assert not db.session.query(Product).one().is_active
    assert demo.remove_demo().contacts == 0


def test_an_empty_desk_is_empty_again(config):
    demo.seed_demo(config, now=NOW)
    demo.remove_demo()
    left = {name for name, count in _counts().items() if count}
    assert left == {"investment_programs"}
    assert integrations.numbers() == ()


def _said():
    return db.session.execute(
        select(
            Message.id, Message.conversation_id, Message.created_at, Message.body, Message.status
        ).order_by(Message.id)
    ).all()


def _counts():
    return {
        table.name: db.session.scalar(select(func.count()).select_from(table))
        for table in Base.metadata.sorted_tables
    }
