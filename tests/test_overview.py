"""The overview: today beside last week's day, what needs a person, what happens, how the desk fares."""

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

import config
import opening
from app import create_app
from dashboard import overview_figures
from dashboard.overview_health import health_of
from models import (
    Alert,
    Complaint,
    Conversation,
    Integration,
    Lead,
    ModelCall,
    Order,
    Ticket,
    Worker,
    db,
    utc_now,
)
from tests import page_rows
from tests.browsing import counted, get
from tests.page_rows import Desk, conversation, message

ZONE = ZoneInfo("America/Sao_Paulo")
NOON = datetime(2026, 7, 15, 12, 30, tzinfo=ZONE)
A_WEEK = timedelta(days=7)
QUERIES_MAX = 15


@pytest.fixture
def desk(app: Flask, admin: FlaskClient) -> Desk:
    with app.app_context():
        return page_rows.fill()


@pytest.fixture
def everywhere(module_database_url, tmp_path_factory):
    """A desk with the schema of the migrations, on each database in turn."""
    variables = {"INSTANCE_DIR": str(tmp_path_factory.mktemp("desk")), "DATABASE_URL": module_database_url}
    application = create_app(config.load(variables, entry="test"))
    with application.app_context():
        opening.migrate()
        yield application
        db.session.remove()
        db.engine.dispose()


def counts(now: datetime) -> dict[str, tuple[int, int]]:
    return {one.name: (one.count, one.then) for one in overview_figures.figures_of(now)}


def test_a_day_is_counted_up_to_the_same_moment_of_last_weeks(everywhere: Flask) -> None:
    number = page_rows._add(Integration(provider="simulator", shape="meta", name="Loja", number_id="111"))
    one = conversation(number, "Ana", "5511900000001")
    two = conversation(number, "Beto", "5511900000002")
    for of, at in (
        (one, NOON - timedelta(hours=12, minutes=20)),  # ten past midnight
        (one, NOON - timedelta(hours=1)),
        (two, NOON),
        (one, NOON - timedelta(hours=13)),  # yesterday
        (one, NOON - A_WEEK - timedelta(hours=2)),
        (two, NOON - A_WEEK + timedelta(hours=2)),  # later that day: in its line, not yet in its count
    ):
        message(of, "oi", created_at=at)
    message(one, "olá", direction="out", sender="bot", status="sent", created_at=NOON)
    about = {"contact_id": one.contact_id, "conversation_id": one.id}
    for number_of, at in (("P-1", NOON), ("P-2", NOON - A_WEEK)):
        order = Order(**about, number=number_of, status="paid", total_minor=500, placed_at=at, paid_at=at)
        db.session.add(order)
    db.session.add(Lead(**about, created_at=NOON))
    db.session.commit()
    later = NOON + timedelta(minutes=1)
    assert counts(later) == {
        "wrote": (2, 1),
        "received": (3, 1),
        "sent": (1, 0),
        "leads": (1, 0),
        "placed": (1, 1),
        "paid": (1, 1),
    }
    received = next(one for one in overview_figures.figures_of(later) if one.name == "received")
    assert received.today == (1, *[1] * 10, 2, 3)
    assert received.last_week[-1] == 2
    paid = overview_figures.figures_of(later)[-1]
    assert (paid.total_minor, paid.currency) == (500, "BRL")


def test_every_need_is_counted_as_its_page_lists_it(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    with app.app_context():
        about = {"contact_id": 1, "conversation_id": desk.waiting_id}
        late = utc_now() - timedelta(hours=1)
        for n in range(3):
            db.session.add(Ticket(**about, number=f"T-late{n}", subject="atrasado", due_at=late))
        db.session.add(Ticket(**about, number="T-done", status="solved", due_at=late))
        db.session.add(Complaint(**about, number="R-done", status="solved"))
        db.session.add(Order(**about, number="P-said", status="placed", payment_status="claimed"))
        db.session.commit()
    page = get(admin, "/").text
    needs = re.findall(r'class="need" href="([^"]+)">.*?<b>(\d+)</b>', page, re.DOTALL)
    assert len(needs) == 6, needs
    for href, count in needs:
        listed = get(admin, href.replace("&amp;", "&")).text
        rows = re.findall(r'class="record-main"|class="pick[" ]', listed)
        assert len(rows) == int(count), href


def test_a_figure_leads_to_what_it_counts(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    page = get(admin, "/").text
    figures = re.findall(
        r'class="day-figure" href="([^"]+)">\s*<span class="day-words">([^<]+)</span>\s*'
        r'<span class="day-count">(\d+)',
        page,
    )
    assert len(figures) == 6
    for href, words, count in figures:
        listed = get(admin, href.replace("&amp;", "&"))
        assert listed.status_code == 200
        rows = re.findall(r'class="record-main"|class="pick[" ]', listed.text)
        if not words.startswith("Mensagens"):
            assert len(rows) == int(count), words
        else:
            assert bool(rows) == bool(int(count)), words


def test_what_happens_is_told_with_its_names(app: Flask, admin: FlaskClient, desk: Desk) -> None:
    with app.app_context():
        of = db.session.get_one(Conversation, desk.bot_id)
        message(of, "chegou agora mesmo", created_at=utc_now())
        db.session.commit()
    page = get(admin, "/overview/now").text
    assert "chegou agora mesmo" in page
    assert "<script>" not in page


def test_health_tells_a_late_queue_a_failing_model_and_what_was_spent(app: Flask, desk: Desk) -> None:
    with app.test_request_context():
        now = utc_now()
        for outcome in ("ok", "timeout", "timeout"):
            db.session.add(
                ModelCall(purpose="reply", model="m", outcome=outcome, cost_microusd=250_000, created_at=now)
            )
        late = page_rows.webhook_event("pending", b"{}", "late")
        late.lane, late.received_at = "in:1:x", now - timedelta(minutes=5)
        db.session.add(late)
        db.session.commit()
        health = health_of(now, has_model=True)
        assert (health.inbound.is_good, health.inbound.facts["count"]) == (False, 1)
        assert health.model.is_good is False
        assert (health.spend.is_good, float(health.spend.facts["spent"])) == (True, 0.75)
        assert health.worker.is_good
        assert not health.is_all_good
        db.session.scalars(select(Worker)).one().seen_at = now - timedelta(minutes=2)
        db.session.commit()
        assert health_of(now, has_model=True).worker.is_good is False


def test_the_overview_costs_few_queries_however_many_alerts_are_open(
    app: Flask, admin: FlaskClient, desk: Desk
) -> None:
    with app.app_context():
        kinds = ("paid", "waiting", "delivery_failed", "lead", "credentials", "no_keys", "appointment")
        for n, kind in enumerate(kinds):
            db.session.add(Alert(kind=kind, open_topic=f"{kind}:1", text=f"{n}", conversation_id=desk.bot_id))
        db.session.commit()
    get(admin, "/")
    with counted(app) as asked:
        page = get(admin, "/").text
    assert len(asked) <= QUERIES_MAX, asked
    assert "P-1, R$" in page
    assert "Golden Visa" in page


def test_an_empty_desk_has_a_calm_front_page(admin: FlaskClient) -> None:
    page = get(admin, "/").text
    assert "Ninguém está esperando" in page
    assert "Nenhuma mensagem ainda" in page
