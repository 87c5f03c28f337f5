"""Versions follow from what a strategy says and what its niche costs; strategies of the shop's own."""

import json
import sqlite3
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import select

import learning
import tasks
from app import create_app
from learning import absorbing, own_arms, policies, steering, versions
from learning.own_arms import Wording
from learning.rules import SteeringRefused
from models import Arm, Category, Decision, LearningChange, Niche, Offer, PolicyState, db
from replies import manners
from replies.manners import Manner
from tests.conftest import new_database
from tests.records import NOW, make_conversation, make_product
from tests.test_learning import CONTEXT, DAY, MATURE, buy, choose, many


@pytest.fixture
def desk(load_config, tmp_path) -> Iterator[Flask]:
    databases = new_database("sqlite", tmp_path)
    application = create_app(load_config(DATABASE_URL=next(databases), LEARNING_HOLDOUT="0"))
    with application.app_context():
        db.create_all()
        yield application
        db.session.remove()
        db.engine.dispose()
    next(databases, None)


@pytest.fixture
def config(desk):
    return desk.config["BALCAO"]


OWN = Wording("Fale como um amigo do bairro.", {"pt": "Qualquer coisa, estou por aqui."})


def width(config, context, strategy="racional") -> float:
    told = policies.current(config).believe(context)[strategy]
    return told.high - told.low


def add(title="Amigo", base="racional", wording=OWN, **more):
    return own_arms.add(title, base, wording, reason="experimento", now=NOW, **more)


# --- what a strategy says -----------------------------------------------------------------------------------


def test_what_is_met_first_is_only_written_down(config):
    make_product()
    assert learning.notice(now=NOW) == 0
    assert learning.notice(now=NOW) == 0
    assert {(row.version, bool(row.fingerprint)) for row in db.session.scalars(select(Arm))} == {(1, True)}
    assert db.session.query(LearningChange).count() == 0
    assert all(arm.changed_at is not None and arm.changed_at < NOW for arm in learning.standings())


def test_a_changed_text_is_a_new_version_by_itself_and_ends_the_episode(config, monkeypatch):
    learning.notice(now=NOW)
    conversation = make_conversation()
    steering.steer("pin", strategy="racional", reason="x", now=NOW)
    first = choose(conversation, config)
    shipped = manners._shipped
    monkeypatch.setattr(manners, "_shipped", lambda base: shipped(base) + "!" * (base == "racional"))
    assert learning.notice(now=NOW + DAY) == 1
    assert learning.notice(now=NOW + DAY) == 0
    assert {arm.strategy: arm.version for arm in learning.standings()}["racional"] == 2
    change = db.session.query(LearningChange).order_by(LearningChange.id.desc()).first()
    assert (change.action, change.strategy, change.operator_id) == ("renew", "racional", None)
    second = choose(conversation, config, now=NOW + DAY)
    row = db.session.get_one(Decision, second.decision_id)
    assert first.decision_id is not None
    assert (row.version, row.id > first.decision_id) == (2, True)
    assert learning.standings()[3].is_pinned


def test_each_manner_and_each_word_of_its_own_is_told_apart():
    own = [Manner("racional", "a"), Manner("racional", "", {"pt": "a"}), Manner("racional", "", {"es": "a"})]
    told = [manners.fingerprint(one) for one in (*own, Manner("racional"), Manner("emocional"))]
    assert len(set(told)) == len(told)
    assert told[0] == manners.fingerprint(Manner("racional", "a", {}))


def test_a_new_version_knows_less_and_what_the_old_one_still_sells_counts_less(config):
    rows = many(300)
    for one in rows:
        choose(one, config, seed=one.id)
    learning.notice(now=NOW)
    learning.close_decisions(config, now=NOW + MATURE)
    before = width(config, CONTEXT)
    late = [make_conversation(f"55819000000{n}") for n in range(2)]
    steering.steer("pin", strategy="racional", reason="x", now=NOW + MATURE)
    for one in late:
        choose(one, config, now=NOW + MATURE)
    steering.steer("renew", strategy="racional", reason="prompt", now=NOW + MATURE + DAY)
    learning.close_decisions(config, now=NOW + MATURE + DAY)
    assert width(config, CONTEXT) > before
    learning.close_decisions(config, now=NOW + 2 * MATURE)
    entries = absorbing.settled_anew(config, 0, NOW + 2 * MATURE).policy.to_state()["entries"]
    weights = [entry[4] for entry in entries if len(entry) == 7]
    assert weights[-2:] == [versions.STRENGTH] * 2
    assert set(weights[:-2]) == {1.0}


def test_a_long_log_is_worked_out_while_others_write(config, desk, monkeypatch):
    """On SQLite whoever waits for the one lock is a customer who waits for an answer."""
    choose(make_conversation(), config, now=NOW)
    db.session.commit()
    written = []
    fed = absorbing._fed

    def write_meanwhile(*told):
        with sqlite3.connect(str(db.engine.url.database), timeout=0) as other:
            other.execute("UPDATE contacts SET name = 'Bia'")
        other.close()
        written.append(True)
        return fed(*told)

    monkeypatch.setattr(absorbing, "_fed", write_meanwhile)
    monkeypatch.setattr(tasks, "_config", lambda: config)
    tasks.close_decisions.call_local()
    assert written
    assert db.session.get_one(PolicyState, 1).settled is not None


def test_what_was_frozen_before_an_upgrade_is_known_after_it(config):
    for one in many(60):
        if choose(one, config, seed=one.id).strategy == "racional":
            buy(one)
    learning.close_decisions(config, now=NOW + MATURE)
    before = policies.current(config).believe(CONTEXT)["racional"]
    steering.steer("freeze", reason="x", now=NOW + MATURE)
    row = db.session.get_one(PolicyState, 1)
    old = json.loads(json.dumps([row.settled, row.live]).replace('"racional"', '"racional.1"'))
    assert row.absorbed is not None
    known = {**row.absorbed, "recipe": row.absorbed["recipe"].removeprefix(f"{absorbing.LAYOUT} ")}
    row.settled, row.live = old
    row.absorbed = known
    db.session.flush()
    learning.close_decisions(config, now=NOW + MATURE + DAY)
    assert policies.current(config).believe(CONTEXT)["racional"] == before
    assert db.session.get_one(PolicyState, 1).is_frozen


# --- what a niche costs -------------------------------------------------------------------------------------


def test_another_price_is_a_new_offer_of_its_niche_alone(config):
    pets = Niche(name="Pets")
    db.session.add(pets)
    db.session.flush()
    dear, cheap = make_product("a", niche_id=pets.id), make_product("b", price_minor=500)
    learning.notice(now=NOW)
    conversations = many(400)
    for number, one in enumerate(conversations):
        choose(one, config, seed=one.id, context=CONTEXT | {"niche": ("Pets", "Cursos")[number % 2]})
    learning.close_decisions(config, now=NOW + MATURE)
    places = {name: CONTEXT | {"niche": name} for name in ("Pets", "Cursos")}
    before = {name: width(config, place) for name, place in places.items()}
    dear.price_minor += 1
    assert learning.notice(now=NOW + MATURE) == 1
    assert learning.notice(now=NOW + MATURE) == 0
    learning.close_decisions(config, now=NOW + MATURE + DAY)
    grown = {name: width(config, place) - before[name] for name, place in places.items()}
    assert grown["Pets"] > 2 * abs(grown["Cursos"])
    one = make_conversation("5581900000007")
    row = db.session.get_one(
        Decision, choose(one, config, now=NOW + MATURE + DAY, context=places["Pets"]).decision_id
    )
    assert (row.version, row.offer_version) == (1, 2)
    assert cheap.price_minor == 500


def test_goods_that_come_and_go_change_no_price_but_a_price_changed_meanwhile_counts(config):
    product = make_product("a")
    learning.notice(now=NOW)
    make_product("b")
    product.is_active = False
    assert learning.notice(now=NOW + DAY) == 0
    product.is_active, product.price_minor = True, product.price_minor + 100
    assert learning.notice(now=NOW + DAY) == 1
    product.currency = "EUR"
    assert learning.notice(now=NOW + 2 * DAY) == 1
    assert [row.version for row in db.session.scalars(select(Offer).order_by(Offer.id))] == [1, 2, 3]
    assert db.session.query(Category).count() == 1


def test_another_price_ends_no_episode(config):
    product = make_product()
    learning.notice(now=NOW)
    conversation = make_conversation()
    first = choose(conversation, config, context=CONTEXT | {"niche": "Cursos"})
    product.price_minor += 100
    learning.notice(now=NOW)
    assert (
        choose(conversation, config, context=CONTEXT | {"niche": "Cursos"}).decision_id == first.decision_id
    )


# --- strategies of the shop's own ---------------------------------------------------------------------------


def test_an_own_strategy_is_drawn_starts_warm_and_is_told_in_the_audit(config):
    for one in many(300):
        strategy = choose(one, config, seed=one.id).strategy
        if strategy == "racional" and one.id % 2:
            buy(one)
    learning.close_decisions(config, now=NOW + MATURE)
    own = own_arms.add("Vizinho da loja", "racional", OWN, reason="x", now=NOW + MATURE)
    assert (own.strategy, own.kind, own.manner.base, own.version) == (
        "vizinho_da_loja", "racional", "racional", 1,
    )  # fmt: skip
    told = policies.current(config).believe(CONTEXT)
    assert told["vizinho_da_loja"].rate > told["consultivo"].rate
    steering.steer("pin", strategy=own.strategy, reason="x", now=NOW + MATURE)
    chosen = choose(make_conversation("5581900000001"), config, now=NOW + MATURE)
    assert (chosen.strategy, chosen.manner.instruction) == (own.strategy, OWN.instruction)
    row = db.session.get_one(Decision, chosen.decision_id)
    assert own.strategy in row.eligible
    assert sum(row.propensities.values()) == pytest.approx(1.0)
    learning.close_decisions(config, now=NOW + 3 * MATURE)
    anew = absorbing.settled_anew(config, 0, NOW + 3 * MATURE)
    assert own.strategy in anew.policy.arms
    change = db.session.scalars(select(LearningChange).where(LearningChange.action == "add")).one()
    assert change.strategy == own.strategy


@pytest.mark.parametrize(
    ("base", "facts"), [("escassez", {"facts_allow_scarcity": False}), ("emocional", {"is_upset": True})]
)
def test_an_own_strategy_may_say_no_more_than_what_it_builds_on(config, base, facts):
    steering.steer("pin", strategy=add(base=base).strategy, reason="x", now=NOW)
    for number, one in enumerate(many(20)):
        chosen = choose(one, config, seed=number, **facts)
        assert chosen.manner.base != base


def test_an_own_calm_strategy_may_be_the_one_that_is_left(config):
    own = add(base="consultivo")
    for strategy in ("consultivo", "racional"):
        steering.steer("pause", strategy=strategy, reason="x", now=NOW)
    with pytest.raises(SteeringRefused, match="last_arm"):
        steering.steer("retire", strategy=own.strategy, reason="x", now=NOW)
    assert choose(make_conversation(), config, is_upset=True).strategy == own.strategy


def test_an_own_strategy_is_reworded_as_a_new_version(config):
    own = add()
    with pytest.raises(SteeringRefused, match="done"):
        own_arms.reword(own.strategy, OWN, reason="x", now=NOW)
    new = own_arms.reword(own.strategy, Wording("Mais breve."), reason="x", now=NOW + DAY)
    assert (new.version, new.title, new.base) == (2, "Amigo", "racional")
    assert new.manner == Manner("racional", "Mais breve.", {})
    assert learning.notice(now=NOW + DAY) == 0
    with pytest.raises(SteeringRefused, match="shipped"):
        own_arms.reword("racional", OWN, reason="x", now=NOW)


def test_what_is_retired_is_never_drawn_again_and_its_log_stays(config):
    own = add()
    conversation = make_conversation()
    steering.steer("pin", strategy=own.strategy, reason="x", now=NOW)
    first = choose(conversation, config)
    steering.steer("retire", strategy=own.strategy, reason="x", now=NOW)
    assert choose(conversation, config).strategy != own.strategy
    assert db.session.get_one(Decision, first.decision_id).strategy == own.strategy
    for action in ("resume", "pin", "pause", "renew", "retire"):
        with pytest.raises(SteeringRefused, match="is_retired"):
            steering.steer(action, strategy=own.strategy, reason="x", now=NOW)
    with pytest.raises(SteeringRefused, match="name_taken"):
        add()
    with pytest.raises(SteeringRefused, match="is_retired"):
        own_arms.reword(own.strategy, Wording("b"), reason="x", now=NOW)
    with pytest.raises(SteeringRefused, match="shipped"):
        steering.steer("retire", strategy="racional", reason="x", now=NOW)
    assert own.strategy not in policies.current(config).believe({})
    with pytest.raises(ValueError, match="no strategy"):
        learning.choose_by_hand(conversation.id, 1, own.strategy, context={}, config=config, now=NOW)


@pytest.mark.parametrize(
    ("title", "base", "wording", "reason", "code"),
    [
        ("", "racional", OWN, "x", "no_title"),
        ("\x00 \u202e", "racional", OWN, "x", "no_title"),
        ("a" * 41, "racional", OWN, "x", "too_long"),
        ("Amigo", "agressivo", OWN, "x", "no_base"),
        ("Amigo", "", OWN, "x", "no_base"),
        ("Amigo", "racional", OWN, " ", "no_reason"),
        ("Amigo", "racional", Wording(" \n"), "x", "no_words"),
        ("Amigo", "racional", Wording("", {"ja": "ja"}), "x", "no_words"),
        ("Amigo", "racional", Wording("a" * 601), "x", "too_long"),
        ("Amigo", "racional", Wording("", {"pt": "a" * 201}), "x", "too_long"),
        ("Consultivo", "racional", OWN, "x", "name_taken"),
    ],
)
def test_a_bad_strategy_is_refused(config, title, base, wording, reason, code):
    with pytest.raises(SteeringRefused, match=code):
        own_arms.add(title, base, wording, reason=reason, now=NOW)
    assert db.session.query(Arm).count() == 0


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("pt", "Hoje tem 50% de desconto!"),
        ("pt", "Fica por R$ 10,00."),
        ("en", "See https://example.com now"),
        ("es", "Devolución garantizada en 30 días."),
    ],
)
def test_words_that_no_fact_holds_are_refused_at_once(config, language, words):
    with pytest.raises(SteeringRefused, match="not_sayable"):
        add(wording=Wording("", {language: words}))


def test_there_are_a_few_own_strategies_at_most_and_each_has_a_name(config):
    names = [add(title).strategy for title in ("売り手", "売る人", "Ação já!", "b" * 40)]
    assert names == ["own_1", "own_2", "acao_ja", "b" * 20]
    with pytest.raises(SteeringRefused, match="too_many"):
        add("noch eine")
    steering.steer("retire", strategy="own_1", reason="x", now=NOW)
    assert add("noch eine").strategy == "noch_eine"
