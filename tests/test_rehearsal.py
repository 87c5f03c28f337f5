"""Simulated customers: they go through the real pipeline, teach what is true, and leave without a trace."""

import json
import random
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from statistics import fmean

import pytest
from flask import Flask
from sqlalchemy import func, select

import bandit
import config as settings
import demo
import integrations
import rehearsal
from app import create_app
from learning import absorbing, figures, own_arms
from learning.own_arms import Wording
from learning.state import state_row
from models import (
    Contact,
    Conversation,
    Decision,
    Integration,
    Message,
    Order,
    Outcome,
    Product,
    Turn,
    WebhookEvent,
    db,
)
from rehearsal import DRIFTS, Plan, Progress, RehearsalRefused, personas
from rehearsal.personas import Moment, Persona
from rehearsal.stage import Clock, Stage
from tests.conftest import new_database
from tests.records import NOW, make_conversation, make_product
from vocabulary import LANGUAGES, STRATEGIES

CUSTOMERS = 24
NICHES = ("Cursos", "E-books")


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def played(request, tmp_path_factory) -> Iterator[tuple[Flask, rehearsal.Result, list[Progress]]]:
    """A desk with two products and one customer of its own, on which a play was given."""
    folder = tmp_path_factory.mktemp("rehearsal")
    databases = new_database(request.param, folder)
    environ = {"DATABASE_URL": next(databases), "INSTANCE_DIR": tempfile.mkdtemp(dir=folder)}
    config = settings.load({**environ, "LOG_LEVEL": "WARNING"}, entry="test")
    application = create_app(config)
    with application.app_context():
        db.create_all()
        _add_products()
        make_conversation("5581998765432", "Somebody")
        db.session.commit()
        told: list[Progress] = []
        result = rehearsal.run(Plan(CUSTOMERS, 25, seed=3), config, now=NOW, tell=told.append)
    yield application, result, told
    with application.app_context():
        db.engine.dispose()
    next(databases, None)


@pytest.fixture(autouse=True)
def _on_stage(request):
    """Open the desk of the play for one test, not for all: a command of another desk would run on it."""
    if "played" not in request.fixturenames:
        yield
        return
    application, _, _ = request.getfixturevalue("played")
    with application.app_context():
        yield
        db.session.rollback()
        integrations.forget()


def _add_products() -> None:
    make_product("curso-1", name="Curso de Violão", names={"en": "Guitar Course", "es": "Curso de Guitarra"})
    make_product("curso-2", 19700, 3, name="Curso de Bolos", names={"en": "Cake Course", "es": "Pasteles"})


def _count(*conditions, of=Message) -> int:
    return db.session.scalar(select(func.count()).select_from(of).where(*conditions)) or 0


# --- the play -----------------------------------------------------------------------------------------------


def test_everybody_comes_and_is_answered_by_the_pipeline(played):
    _, result, told = played
    assert result.customers == CUSTOMERS == told[-1].came
    assert [one.came for one in told] == sorted(one.came for one in told)
    assert result.turns == _count(of=Turn) == _count(WebhookEvent.kind == "message", of=WebhookEvent)
    assert _count(WebhookEvent.state != "done", of=WebhookEvent) == 0
    assert _count(Turn.responder == "ai", of=Turn) > CUSTOMERS
    languages = {language for (language,) in db.session.query(Contact.language).filter(Contact.is_demo)}
    assert languages == {"pt", "es", "en"}


def test_everything_happened_in_the_play_s_own_time_and_nothing_waits(played):
    times = [
        *db.session.scalars(select(Message.created_at)),
        *db.session.scalars(select(Turn.created_at)),
        *db.session.scalars(select(Decision.created_at)),
        *db.session.scalars(select(Message.status_at).where(Message.status_at.is_not(None))),
    ]
    assert NOW - timedelta(days=31) < min(times)
    assert max(times) <= NOW + timedelta(hours=1)
    assert _count(Message.send_due_at.is_not(None)) == 0
    assert {status for (status,) in db.session.query(Message.status).filter_by(direction="out")} == {
        "read",
        "sent",
    }


def test_replies_are_written_in_strategies_and_what_comes_of_them_is_logged(played):
    _, result, _ = played
    assert result.heard > CUSTOMERS / 2
    assert _count(of=Decision) > CUSTOMERS / 2
    assert _count(Decision.is_demo.is_(False), of=Decision) == 0
    contexts = list(db.session.scalars(select(Decision.context)))
    assert all(set(one) == {"niche", "language", "buying_signal", "visit"} for one in contexts)
    assert {one["language"] for one in contexts} <= set(LANGUAGES)
    assert all(set(row.propensities) <= set(STRATEGIES) for row in db.session.scalars(select(Decision)))
    sales = _count(Outcome.kind == "sale", of=Outcome)
    assert 0 < sales <= result.sales == _count(Order.paid_at.is_not(None), of=Order)
    assert _count(Outcome.kind == "expired", of=Outcome) > 0


def test_the_play_takes_no_stock_and_touches_nobody_else(played):
    assert dict(db.session.execute(select(Product.sku, Product.stock)).all()) == {
        "curso-1": None,
        "curso-2": 3,
    }
    mine = db.session.query(Contact).filter_by(is_demo=False).one()
    assert mine.name == "Somebody"
    theirs = select(Conversation.id).where(Conversation.contact_id == mine.id)
    assert _count(Message.conversation_id.in_(theirs)) == 0


def test_what_was_learnt_equals_the_log(played):
    application, _, _ = played
    config = application.config["BALCAO"]
    row = state_row(now=NOW)
    assert row.settled == absorbing.settled_anew(config, 0, NOW).policy.to_state()
    told = figures.report(config, now=NOW)
    assert sum(line.count for line in told.lines) == _count(of=Decision)


def test_simulated_customers_count_until_a_real_number_is_there(played):
    application, _, _ = played
    config = application.config["BALCAO"]
    assert absorbing.settled_anew(config, 0, NOW).policy.closed > 0
    assert figures.list_decisions(figures.Wanted(), now=NOW, before=None, limit=5)
    db.session.add(Integration(provider="meta", name="Ours", number_id="1"))
    db.session.flush()
    integrations.forget()
    assert absorbing.settled_anew(config, 0, NOW).policy.closed == 0
    assert figures.report(config, now=NOW).is_empty
    assert not figures.list_decisions(figures.Wanted(), now=NOW, before=None, limit=5)
    with pytest.raises(RehearsalRefused, match="real number"):
        rehearsal.run(Plan(1, 1), config, now=NOW)


def test_a_second_play_has_other_customers(played):
    application, _, _ = played
    stage = Stage.open(application.config["BALCAO"], Clock(NOW), random.Random(3))
    phones = [stage.phone_for("Ana", "ES") for _ in range(1100)]  # the range has a thousand numbers
    assert len({phone.bsuid for phone in phones}) == 1100
    assert any(phone.hides_phone for phone in phones)


def test_a_rehearsal_goes_with_the_demo(played):
    removed = demo.remove_demo()
    assert (removed.contacts, removed.numbers) == (CUSTOMERS, 1)
    assert [contact.name for contact in db.session.scalars(select(Contact))] == ["Somebody"]
    for table in (Decision, Outcome, Order, Turn, Message, WebhookEvent):
        assert _count(of=table) == 0, table
    assert _count(of=Product) == 2


def test_a_shop_without_products_is_no_stage(app: Flask):
    with app.app_context(), pytest.raises(RehearsalRefused, match="no products"):
        rehearsal.run(Plan(1, 1), app.config["BALCAO"], now=NOW)


def test_the_command_gives_its_account(app: Flask):
    with app.app_context():
        _add_products()
        db.session.commit()
    answer = app.test_cli_runner().invoke(args=["simulate", "--customers", "4", "--days", "20", "--json"])
    assert answer.exit_code == 0, answer.output
    account = json.loads(answer.stdout)
    assert account["customers"] == 4
    assert set(account["strategies"]) == set(STRATEGIES)
    assert account["turns"] >= 8
    again = app.test_cli_runner().invoke(args=["simulate", "--customers", "2", "--days", "20", "--json"])
    told = json.loads(again.stdout)
    assert sum(one["decisions"] for one in told["strategies"].values()) <= 6  # of this play alone
    assert (told["uplift"]["value"], told["uplift"]["standing"]) == (None, "few")
    assert "of about" in app.test_cli_runner().invoke(args=["simulate", "--customers", "1"]).stdout


def test_the_command_tells_of_an_own_strategy_the_truth_of_what_it_builds_on(app: Flask):
    with app.app_context():
        _add_products()
        own_arms.add("Amiga", "racional", Wording("Be friendly."), reason="try", now=NOW)
        db.session.commit()
    done = app.test_cli_runner().invoke(args=["simulate", "--customers", "4", "--days", "20"])
    assert done.exit_code == 0, done.output
    told = done.stdout
    rows = {line.split()[0]: line.split()[1] for line in told.splitlines() if line[:1].islower()}
    assert rows["amiga"] == rows["racional"] != "0.0%"


# --- the customers ------------------------------------------------------------------------------------------


def test_every_strategy_has_its_friends():
    moment = Moment("Cursos")
    best = set()
    for language in personas.LANGUAGES:
        for signal in personas.SIGNALS:
            persona = Persona(language, "BR", "Ana", signal)
            chances = {one: personas.chance(persona, one, moment) for one in STRATEGIES}
            assert all(0.01 < chance < 0.75 for chance in chances.values())
            best.add(max(chances, key=chances.__getitem__))
    assert len(best) >= 3


def test_tastes_move_only_where_the_world_drifts():
    persona = Persona("pt", "BR", "Ana", "objection")
    early, late = (Moment("Cursos", share) for share in (0.1, 0.55))
    for drift in DRIFTS:
        change = personas.taste(persona, "emocional", early, drift) - personas.taste(
            persona, "emocional", late, drift
        )
        assert (abs(change) > 0.3) is (drift != "none"), drift


def test_all_words_are_there_in_each_language():
    said = personas.phrases()
    assert set(said) == set(personas.LANGUAGES)
    assert all(set(words) == set(said["pt"]) for words in said.values())
    assert all(len(words) > 0 for language in said.values() for words in language.values())


@pytest.mark.parametrize("policy", [bandit.EpsilonGreedy, bandit.ThompsonSampling])
def test_what_they_like_can_be_found_out(policy):
    """The truth is there to be recovered: whoever listens sells clearly more than chance does."""
    rng = random.Random(11)
    learner = policy(STRATEGIES, seed=4)
    chosen, by_chance = [], []
    for _customer in range(4000):
        persona, moment = personas.invent(rng), Moment(rng.choice(NICHES))
        chances = {one: personas.chance(persona, one, moment) for one in STRATEGIES}
        context = {"language": persona.language, "buying_signal": persona.signal, "niche": moment.niche}
        arm = learner.choose(context).arm
        learner.update(arm, float(rng.random() < chances[arm]), context)
        chosen.append(chances[arm])
        by_chance.append(fmean(chances.values()))
    assert fmean(chosen[2000:]) > 1.25 * fmean(by_chance[2000:])


def test_people_flee_from_pressure():
    rng = random.Random(5)
    ways = {
        strategy: [personas.way_out(strategy, may_doubt=False, rng=rng) for _ in range(4000)]
        for strategy in ("escassez", "consultivo")
    }
    assert "again" not in ways["escassez"]
    assert ways["escassez"].count("opt_out") > 1.5 * ways["consultivo"].count("opt_out")
