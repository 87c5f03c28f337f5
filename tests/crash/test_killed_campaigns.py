"""A worker killed with SIGKILL before any statement of a campaign's step, or around its commit: everybody has
one message in the end, and two workers at once are one.

Each try is a fork with a connection of its own, so that what it leaves behind is what a killed worker would.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import ColumnElement, event, func, select, update

import conversations
import integrations
import message_templates
import opening
import unasked
from app import create_app
from config import Config
from models import Base, Campaign, CampaignRecipient, Message, MessageTemplate, TemplateUse, db
from outreach import campaigns, results
from outreach.audience import Segment
from outreach.campaigns import Plan
from providers.base import Person
from providers.templates import Draft, Wording

NOON = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
PEOPLE = 4
MOST_STATEMENTS = 200
pytestmark = pytest.mark.slow


DATABASES = [
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.postgresql),
    pytest.param("mariadb", marks=pytest.mark.mariadb),
]


@pytest.fixture(params=DATABASES)
def desk(
    request: pytest.FixtureRequest, load_config: Callable[..., Config], tmp_path: Path
) -> Iterator[Flask]:
    """Give a desk with a campaign that has gathered its people and may send."""
    url = request.getfixturevalue(f"{request.param}_url")
    app = create_app(load_config(DATABASE_URL=url, TIME_ZONE="America/Recife"))
    with app.app_context():
        opening.migrate()
        integration = integrations.create(provider="simulator", shape="meta", number_id="111", name="Loja")
        number = integrations.number(integration.id)
        assert number is not None
        draft = Draft("novidade", "pt_BR", "marketing", Wording("Chegou novidade na loja."))
        message_templates.save_draft(number.id, draft, now=NOON)
        db.session.execute(update(MessageTemplate).values(status="approved"))
        for place in range(PEOPLE):
            conversations.admit(number, Person(wa_id=f"558199999000{place}"), now=NOON)
        campaign = campaigns.create(
            Plan("Novidades", number.id, "novidade", Segment()), operator=None, now=NOON
        )
        campaigns.change_words(campaign, {}, "", campaigns.PER_MINUTE_MAX)
        campaigns.start(campaign.id, at=None, now=NOON, operator=None)
        db.session.commit()
        yield app
        db.session.remove()
        db.engine.dispose()


def step(app: Flask) -> bool:
    """Do one step as the sweep does; False when the campaign has come to its end."""
    campaign_id = db.session.scalars(select(Campaign.id)).one()
    db.session.execute(update(Campaign).where(Campaign.id == campaign_id).values(next_at=NOON))
    went_on = campaigns.send_next(campaign_id, config=app.config["BALCAO"], now=NOON).goes_on
    db.session.commit()
    return went_on


def is_killed(app: Flask, kind: str, number: int) -> bool:
    """Step in a process of its own that dies at the statement or commit of that number."""
    db.session.remove()
    db.engine.dispose()
    child = os.fork()
    if child == 0:
        _step_and_die(app, kind, number)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the try failed by itself"
    return os.WIFSIGNALED(status)


def _step_and_die(app: Flask, kind: str, number: int) -> None:
    counts = {"statement": 0, "commit": 0, "committed": 0}

    def meet(met: str) -> None:
        counts[met] += 1
        if (met, counts[met]) == (kind, number):
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        event.listen(db.engine, "before_cursor_execute", lambda *_about: meet("statement"))
        event.listen(db.engine, "commit", lambda *_about: meet("commit"))
        step(app)
        meet("committed")
    except BaseException:
        os._exit(1)
    os._exit(0)


def count(model: type[Base], *where: ColumnElement[bool]) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model).where(*where)) or 0


def check_books(done: int) -> None:
    """Everybody who is marked has exactly one message, and nobody else has one."""
    assert count(CampaignRecipient, CampaignRecipient.state == "queued") == done
    assert count(Message) == count(TemplateUse) == done
    of_marked = select(CampaignRecipient.message_id).where(CampaignRecipient.state == "queued")
    assert count(Message, Message.id.in_(of_marked)) == done


def test_a_step_killed_anywhere_repeats_nothing_and_loses_nobody(desk: Flask) -> None:
    assert step(desk)  # the audience
    for number in range(1, MOST_STATEMENTS):
        if not is_killed(desk, "statement", number):
            break
        check_books(0)
    else:
        raise AssertionError("a step never comes to its end")
    assert number > 10, "the statements were counted"
    check_books(1)
    assert is_killed(desk, "commit", 1)
    check_books(1)
    assert is_killed(desk, "committed", 1)
    check_books(2)
    while step(desk):
        pass
    check_books(PEOPLE)
    campaign = db.session.scalars(select(Campaign)).one()
    assert campaign.state == "done"
    found = results.of(campaign)
    assert (found.total, found.queued, found.replied, found.opted_out) == (PEOPLE, PEOPLE, 0, 0)
    assert len(results.people(campaign, "queued", limit=10)) == PEOPLE


def test_an_audience_is_gathered_whole_or_not_at_all(desk: Flask) -> None:
    for number in range(1, MOST_STATEMENTS):
        if not is_killed(desk, "statement", number):
            break
        assert count(CampaignRecipient) == 0
    assert count(CampaignRecipient) == PEOPLE


def test_two_workers_at_once_are_one(desk: Flask) -> None:
    def sweep() -> None:
        with desk.app_context():
            for _ in range(PEOPLE + 2):
                unasked.reach_out(desk.config["BALCAO"], datetime(2026, 11, 20, 15, 5, tzinfo=UTC))
            db.session.remove()

    workers = [threading.Thread(target=sweep) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    while step(desk):
        pass
    check_books(PEOPLE)
