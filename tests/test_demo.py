"""The demo set: the same each time, quick, believable, and gone without a trace."""

import tempfile
from datetime import timedelta
from itertools import pairwise
from time import process_time

import pytest
from flask import current_app
from sqlalchemy import func, select

import config as settings
import demo
import integrations
import knowledge
import texts
from app import create_app
from demo import history
from learning import absorbing, figures
from learning.segments import SEGMENTS
from learning.state import state_row
from models import (
    Alert,
    Article,
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
from shop import orders, till
from tests.records import NOW, make_conversation

SECONDS_AT_MOST = 10


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A desk with the demo, written once; every test leaves it as it was."""
    folder = tempfile.mkdtemp(dir=tmp_path_factory.mktemp("demo"))
    config = settings.load({"INSTANCE_DIR": folder}, entry="test")
    application = create_app(config)
    with application.app_context():
        db.create_all()
        began = process_time()
        seeded = demo.seed_demo(now=NOW)
        took_secs = process_time() - began
        db.session.commit()
        yield seeded, took_secs
        db.session.remove()
        db.engine.dispose()


@pytest.fixture(autouse=True)
def _undo(desk):
    yield
    db.session.rollback()
    integrations.forget()


def test_it_is_written_in_seconds_and_has_everything(desk):
    seeded, took_secs = desk
    assert took_secs < SECONDS_AT_MOST
    assert seeded.is_new
    assert (seeded.numbers, seeded.contacts) == (3, 39)
    assert seeded.simulated > 500
    for table, least in ((Lead, 8), (Ticket, 3), (Complaint, 2), (Order, 8), (Product, 11), (Turn, 150)):
        assert db.session.query(table).count() >= least, table
    assert {shape for (shape,) in db.session.query(Integration.shape)} == {"meta", "twilio"}
    assert {language for (language,) in db.session.query(Contact.language)} >= {"pt", "es", "en"}


def test_everybody_in_it_is_marked_and_nothing_waits_to_be_sent():
    assert db.session.query(Contact).filter_by(is_demo=False).count() == 0
    assert db.session.query(Product).filter_by(is_demo=False).count() == 0
    assert db.session.query(Message).filter(Message.send_due_at.is_not(None)).count() == 0
    statuses = {status for (status,) in db.session.query(Message.status).filter_by(direction="out")}
    assert statuses == {"read", "delivered", "sent", "failed"}


def test_the_shop_tells_the_same_in_three_languages():
    shop = db.session.query(Integration.id).filter_by(name="Maré Digital").scalar()
    own = select(Article.language, func.count()).where(Article.integration_id == shop)
    counts = db.session.execute(own.group_by(Article.language)).all()
    assert {tuple(row) for row in counts} == {("pt", 12), ("es", 12), ("en", 12)}
    assert db.session.query(Article).filter_by(integration_id=None).count() == 0
    assert db.session.query(Article).filter_by(is_demo=False).count() == 0
    assert knowledge.search("aceita pix?", "pt", integration_id=shop)[0].is_clear


def test_the_scripts_are_understood_by_the_flows():
    rows = db.session.query(Turn.reason, Turn.trace)
    scripted = {reason for reason, trace in rows if trace.get("source") == "demo"}
    assert scripted
    assert "does not name an option" not in scripted


def test_some_people_wait_and_old_alerts_are_acknowledged():
    assert db.session.query(Conversation).filter_by(handler="human").count() >= 3
    still_open = db.session.query(Alert).filter(Alert.open_topic.is_not(None))
    assert 2 <= still_open.count() <= 8
    assert all(NOW - alert.last_at < timedelta(hours=13) for alert in still_open)


def test_nobody_is_told_of_its_alerts_outside():
    assert db.session.scalars(select(Alert.id).where(Alert.routed_at.is_(None))).all() == []


def test_nothing_happens_in_the_future_and_each_thread_is_in_order():
    rows = db.session.execute(
        select(Message.conversation_id, Message.created_at).order_by(Message.conversation_id, Message.id)
    ).all()
    assert all(at <= NOW for _, at in rows)
    assert all(a[1] <= b[1] for a, b in pairwise(rows) if a[0] == b[0])


def test_the_weeks_before_are_alive_and_learnt_from():
    config = current_app.config["BALCAO"]
    told = figures.report(config, now=NOW)
    assert all(week.total > 20 for week in told.weeks)
    assert told.uplift.closed > 500
    assert told.uplift.low is not None
    assert told.money is not None
    assert {one.name for one in told.segments} == set(SEGMENTS)
    assert state_row(now=NOW).settled == absorbing.settled_anew(config, 0, NOW).policy.to_state()
    spoken = db.session.query(Contact.language).filter(Contact.is_demo)
    assert {language for (language,) in spoken} >= {"pt", "es", "en"}


def test_orders_in_it_are_called_as_customers_were_told():
    orders_of_history = db.session.query(Order).filter(Order.paid_at.is_not(None)).all()
    assert len(orders_of_history) > 50
    for order in orders_of_history[-5:]:
        said = db.session.query(Message.body).filter_by(
            conversation_id=order.conversation_id, direction="out"
        )
        assert any(str(order.number) in body for (body,) in said)
        assert not any("§" in body for (body,) in said)


def test_its_file_is_small():
    assert history.HISTORY_FILE.stat().st_size < 1_000_000


def test_seeding_twice_doubles_nothing():
    before = _counts()
    assert not demo.seed_demo(now=NOW + timedelta(days=3)).is_new
    assert _counts() == before


def test_it_can_be_removed_and_comes_back_the_same(desk):
    first = _said()
    assert demo.remove_demo().contacts == 39 + desk[0].simulated
    assert {name for name, count in _counts().items() if count} == {"investment_programs"}
    assert integrations.numbers() == ()
    assert demo.remove_demo().contacts == 0
    assert demo.seed_demo(now=NOW, with_history=False).is_new
    assert _said() == first


def test_removing_leaves_what_was_not_of_the_demo(desk):
    mine = make_conversation("5511999990000", "Real Person")
    mine.integration_id = _a_real_number()
    product = db.session.query(Product).filter_by(sku="ebook-receitas").one()
    orders.place(orders.add_to_cart(mine.id, mine.contact_id, product, now=NOW), now=NOW)
    removed = demo.remove_demo()
    assert (removed.contacts, removed.numbers, removed.products) == (39 + desk[0].simulated, 3, 10)
    assert [c.name for c in db.session.query(Contact)] == ["Real Person"]
    assert [(p.sku, p.is_active) for p in db.session.query(Product)] == [("ebook-receitas", False)]


def _a_real_number():
    number = Integration(provider="meta", name="Ours", number_id="1")
    db.session.add(number)
    db.session.flush()
    return number.id


def _said():
    return db.session.execute(
        select(Message.created_at, Message.body, Message.status)
        .where(Message.external_id.like("demo.%"))  # the scripts'; the history is a file
        .order_by(Message.id)
    ).all()


def _counts():
    return {
        table.name: db.session.scalar(select(func.count()).select_from(table))
        for table in Base.metadata.sorted_tables
    }


@pytest.mark.parametrize(
    ("language", "article"),
    [("pt", "shop/pt/pagamento"), ("es", "shop/es/pago"), ("en", "shop/en/payment"), ("es", "desk/es/pago")],
)
def test_what_is_said_of_paying_is_what_the_till_can_do(language, article):
    told = (demo.ARTICLES_DIR / f"{article}.md").read_text(encoding="utf-8").casefold()
    accepted, _, refused = told.partition("\n\n")[2].partition("\n\n")
    for method in till.METHODS:
        word = texts.text("payment_method_word", language, method=method).casefold()
        assert word in accepted
        assert word not in refused


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        pytest.param("mariadb", marks=pytest.mark.mariadb),
    ],
)
def test_other_databases_take_it_and_give_it_back(kind, request, load_config):
    application = create_app(load_config(DATABASE_URL=request.getfixturevalue(f"{kind}_url")))
    with application.app_context():
        db.create_all()
        seeded = demo.seed_demo(now=NOW)
        assert seeded.contacts == 39
        db.session.commit()
        assert not demo.seed_demo(now=NOW).is_new
        assert demo.remove_demo().contacts == 39 + seeded.simulated
        db.session.commit()
        assert {name for name, count in _counts().items() if count} == {"investment_programs"}
        db.session.remove()
        db.engine.dispose()
