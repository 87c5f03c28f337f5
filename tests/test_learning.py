"""How the desk learns to sell: episodes, credit, what the log teaches, what people decide, what is told."""

import csv
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, func, select, update

import learning
import privacy
from app import create_app
from config import Config
from crm import complaints
from learning import absorbing, figures, log, own_arms, policies, proof, shares, steering
from learning.episodes import drawn_by
from learning.own_arms import Wording
from learning.rules import ATTRIBUTION_WINDOW, EXPIRED, SteeringRefused, allowed_strategies
from learning.state import state_row
from models import (
    Alert,
    Arm,
    Contact,
    Conversation,
    Decision,
    Integration,
    LearningChange,
    Message,
    Order,
    Outcome,
    PolicyState,
    Sale,
    db,
)
from shop import sales
from statements import changed_rows
from tests.conftest import new_database
from tests.records import NOW, make_conversation, make_product
from vocabulary import STRATEGIES

DAY = timedelta(days=1)
MATURE = ATTRIBUTION_WINDOW + timedelta(minutes=1)
CONTEXT = {"language": "pt", "buying_signal": "objection"}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def desk(request: pytest.FixtureRequest, load_config, tmp_path) -> Iterator[Flask]:
    databases = new_database(request.param, tmp_path)
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


def choose(
    conversation: Conversation, config: Config, *, now=NOW, seed: float = 1, **wishes
) -> learning.Chosen:
    facts: dict[str, Any] = {"context": CONTEXT, "facts_allow_scarcity": True, "is_upset": False} | wishes
    drawn = learning.draw(
        conversation.id,
        conversation.contact_id,
        config=config,
        now=now,
        rng=random.Random(seed),
        **facts,
    )
    return learning.keep(drawn)


def many(count: int) -> list[Conversation]:
    """Add conversations in one go: the learning needs more of them than a test wants to write."""
    number = Integration(provider="simulator", shape="meta", name="Loja", number_id="9")
    contacts = [Contact(name=f"c{n}") for n in range(count)]
    db.session.add_all([number, *contacts])
    db.session.flush()
    rows = [Conversation(integration_id=number.id, contact_id=contact.id) for contact in contacts]
    db.session.add_all(rows)
    db.session.flush()
    return rows


def order_of(conversation: Conversation, *, at=NOW, total_minor=9700, currency="BRL") -> Order:
    order = Order(
        contact_id=conversation.contact_id,
        conversation_id=conversation.id,
        status="placed",
        total_minor=total_minor,
        currency=currency,
        placed_at=at,
        created_at=at,
    )
    db.session.add(order)
    db.session.flush()
    return order


def buy(conversation: Conversation, *, at=NOW, **columns) -> Order:
    order = order_of(conversation, at=at, **columns)
    learning.credit_sale(order.id, now=at)
    return order


def kinds(decision_id: int | None) -> list[str]:
    rows = db.session.scalars(
        select(Outcome.kind).where(Outcome.decision_id == decision_id).order_by(Outcome.id)
    )
    return list(rows)


def statements_of(act) -> list[str]:
    told: list[str] = []

    def listen(_connection, _cursor, statement, *_rest) -> None:
        told.append(statement)

    event.listen(db.engine, "before_cursor_execute", listen)
    try:
        act()
    finally:
        event.remove(db.engine, "before_cursor_execute", listen)
    return told


# --- episodes -----------------------------------------------------------------------------------------------


def test_an_episode_keeps_its_strategy(config):
    conversation = make_conversation()
    first = choose(conversation, config)
    for seed in range(20):
        later = choose(conversation, config, now=NOW + 6 * DAY, seed=seed)
        assert later == first
    assert db.session.query(Decision).count() == 1


@pytest.mark.parametrize("ending", ["sale", "refusal", "opt_out", "silence"])
def test_an_episode_ends(config, ending):
    conversation = make_conversation()
    first, now = choose(conversation, config), NOW + DAY
    if ending == "sale":
        buy(conversation, at=now)
    elif ending == "silence":
        now = NOW + ATTRIBUTION_WINDOW
    else:
        learning.note(conversation.id, ending, now=now)
    second = choose(conversation, config, now=now)
    assert second.decision_id != first.decision_id
    assert db.session.get_one(Decision, second.decision_id).episode == 2


@pytest.mark.parametrize("harm", ["complaint", "hand_over"])
def test_a_harm_alone_ends_no_episode(config, harm):
    conversation = make_conversation()
    first = choose(conversation, config)
    learning.note(conversation.id, harm, now=NOW)
    assert choose(conversation, config).decision_id == first.decision_id


def test_a_decision_is_logged_with_all_that_led_to_it(config):
    conversation = make_conversation()
    chosen = choose(conversation, config, prompt_version="r3")
    row = db.session.get_one(Decision, chosen.decision_id)
    assert (row.conversation_id, row.contact_id) == (conversation.id, conversation.contact_id)
    assert (row.strategy, row.version, row.policy) == (chosen.strategy, 1, "epsilon_greedy")
    assert row.eligible == list(STRATEGIES) == list(row.propensities)
    assert sum(row.propensities.values()) == pytest.approx(1.0)
    assert row.propensity == row.propensities[row.strategy] == chosen.propensity
    assert (row.epsilon, row.context, row.prompt_version) == (0.2, CONTEXT, "r3")
    assert (row.created_at, row.closes_at) == (NOW, NOW + ATTRIBUTION_WINDOW)
    assert not row.is_holdout
    assert row.seed is not None
    assert drawn_by(row.propensities, row.seed) == row.strategy


def test_what_is_drawn_is_written_only_when_it_is_kept(config):
    conversation = make_conversation()
    wishes: dict[str, Any] = {"context": CONTEXT, "facts_allow_scarcity": False, "is_upset": False}
    drawn = learning.draw(
        conversation.id,
        conversation.contact_id,
        config=config,
        now=NOW,
        rng=random.Random(1),
        **wishes,
    )
    assert drawn.chosen.decision_id is None
    assert db.session.query(Decision).count() == 0
    kept = learning.keep(drawn, prompt_version="r4")
    assert kept == replace(drawn.chosen, decision_id=kept.decision_id)
    row = db.session.query(Decision).one()
    assert (row.id, row.prompt_version) == (kept.decision_id, "r4")


def test_arms_are_drawn_as_often_as_their_propensities_say(config):
    for conversation in many(300):
        choose(conversation, config, seed=conversation.id)
    drawn = Counter(db.session.scalars(select(Decision.strategy)))
    assert set(drawn) == set(STRATEGIES)
    assert min(drawn.values()) > 45  # 75 are expected of each, and 7.5 is one standard deviation


def test_scarcity_needs_a_true_fact_and_upset_people_are_not_pressed():
    assert allowed_strategies(facts_allow_scarcity=True, is_upset=False) == set(STRATEGIES)
    assert "escassez" not in allowed_strategies(facts_allow_scarcity=False, is_upset=False)
    for facts in (True, False):
        assert allowed_strategies(facts_allow_scarcity=facts, is_upset=True) == {"consultivo", "racional"}


@pytest.mark.parametrize(
    ("wishes", "eligible"),
    [
        ({"facts_allow_scarcity": False}, {"consultivo", "emocional", "racional"}),
        ({"is_upset": True}, {"consultivo", "racional"}),
    ],
)
def test_what_is_not_eligible_is_never_drawn(config, wishes, eligible):
    for conversation in many(40):
        assert choose(conversation, config, seed=conversation.id, **wishes).strategy in eligible
    for row in db.session.scalars(select(Decision)):
        assert set(row.eligible) == set(row.propensities) == eligible
        assert sum(row.propensities.values()) == pytest.approx(1.0)


def test_an_episode_of_scarcity_falls_back_while_the_fact_is_gone(config):
    conversation = make_conversation()
    learning.choose_by_hand(
        conversation.id, conversation.contact_id, "escassez", context={}, config=config, now=NOW
    )
    assert choose(conversation, config).strategy == "escassez"
    held_back = choose(conversation, config, facts_allow_scarcity=False)
    # It stands in for the episode's own, whose probability is none of it.
    assert (held_back.strategy, held_back.stands_in_for) == ("consultivo", "escassez")
    assert (held_back.propensity, held_back.explored) == (None, False)
    assert choose(conversation, config, is_upset=True).strategy == "consultivo"
    assert choose(conversation, config).strategy == "escassez"
    assert db.session.query(Decision).count() == 1


def test_a_persons_choice_has_no_propensity_and_teaches_nothing(config):
    conversation = make_conversation()
    chosen = learning.choose_by_hand(
        conversation.id, conversation.contact_id, "emocional", context={}, config=config, now=NOW
    )
    row = db.session.get_one(Decision, chosen.decision_id)
    assert (row.propensity, row.propensities, row.is_manual, row.policy) == (None, {}, True, "by_hand")
    buy(conversation, at=NOW + DAY)
    learning.close_decisions(config, now=NOW + MATURE)
    assert absorbing.settled_anew(config, 0, NOW + MATURE).policy.closed == 0
    with pytest.raises(ValueError, match="no strategy"):
        learning.choose_by_hand(conversation.id, 1, "agressivo", context={}, config=config, now=NOW)


def test_the_hold_out_is_uniform_permanent_and_teaches_nothing(config):
    assert 60 < sum(learning.is_held_out(n, 0.10) for n in range(1, 1001)) < 140
    assert all(learning.is_held_out(n, 0.2) for n in range(1000) if learning.is_held_out(n, 0.1))
    everybody = replace(config, learning_holdout=1.0)
    conversation = make_conversation()
    steering.steer("pin", strategy="emocional", reason="campanha", now=NOW)
    chosen = choose(conversation, everybody)
    row = db.session.get_one(Decision, chosen.decision_id)
    assert (row.is_holdout, row.policy) == (True, "holdout")
    assert set(row.propensities.values()) == {0.25}
    buy(conversation)
    assert absorbing.settled_anew(config, 0, NOW + MATURE).policy.closed == 0


def test_a_turn_costs_two_reads_and_a_new_episode_one_write_more(config):
    first, second = many(2)
    choose(first, config)
    ids = (first.id, first.contact_id), (second.id, second.contact_id)
    wishes = {"context": CONTEXT, "facts_allow_scarcity": True, "is_upset": False, "config": config}
    for (conversation_id, contact_id), writes in zip(ids, (0, 1), strict=True):
        told = statements_of(
            lambda conversation_id=conversation_id, contact_id=contact_id: learning.keep(
                learning.draw(conversation_id, contact_id, now=NOW, rng=random.Random(1), **wishes)
            )
        )
        assert sum(line.startswith("SELECT") for line in told) == 2
        assert sum(line.startswith("INSERT") for line in told) == writes


# --- credit -------------------------------------------------------------------------------------------------


def test_a_sale_is_credited_once_and_a_refund_reverses_it_once(config):
    conversation = make_conversation()
    chosen = choose(conversation, config)
    order = order_of(conversation, at=NOW + DAY)
    for _again in range(2):
        assert learning.credit_sale(order.id, now=NOW + DAY) == chosen.decision_id
    sale = db.session.query(Outcome).one()
    assert (sale.kind, sale.order_id, sale.value_minor, sale.currency) == ("sale", order.id, 9700, "BRL")
    for _again in range(2):
        assert learning.reverse_sale(order.id, now=NOW + 2 * DAY) == chosen.decision_id
    assert kinds(chosen.decision_id) == ["sale", "refund"]
    assert db.session.scalar(select(absorbing.net_sales(chosen.decision_id))) == 0


def test_an_order_that_is_paid_again_after_its_refund_is_credited_again(config):
    conversation = make_conversation()
    chosen = choose(conversation, config)
    order = buy(conversation, at=NOW + DAY)
    learning.reverse_sale(order.id, now=NOW + 2 * DAY)
    choose(conversation, config, now=NOW + 3 * DAY)  # who sold it first has the merit, whatever came since
    for _again in range(2):
        assert learning.credit_sale(order.id, now=NOW + 3 * DAY) == chosen.decision_id
    assert db.session.scalar(select(absorbing.net_sales(chosen.decision_id))) == 1
    for _again in range(2):
        assert learning.reverse_sale(order.id, now=NOW + 4 * DAY) == chosen.decision_id
    assert kinds(chosen.decision_id) == ["sale", "refund", "sale", "refund"]
    assert db.session.scalar(select(absorbing.net_value(chosen.decision_id))) == 0


def test_the_sale_of_an_order_that_is_paid_again_stands_again(config):
    conversation = make_conversation()
    order = order_of(conversation)
    sales.record(order, "pix", now=NOW)
    sales.note_refund(order, order.total_minor, is_whole=True, now=NOW + DAY)
    sales.record(order, "pix", now=NOW + 2 * DAY)
    sale = db.session.query(Sale).populate_existing().one()
    assert (sale.reversed_at, sale.refunded_minor, sale.amount_minor) == (None, 0, order.total_minor)


@pytest.mark.parametrize(
    ("ordered", "is_credited"),
    [
        (-DAY, False),
        (timedelta(0), True),
        (ATTRIBUTION_WINDOW - timedelta(seconds=1), True),
        (ATTRIBUTION_WINDOW, False),
    ],
)
def test_the_window_is_about_when_it_was_ordered(config, ordered, is_credited):
    conversation = make_conversation()
    chosen = choose(conversation, config)
    order = order_of(conversation, at=NOW + ordered)
    paid_at = NOW + 20 * DAY
    assert learning.credit_sale(order.id, now=paid_at) == (chosen.decision_id if is_credited else None)


def test_nothing_is_credited_where_nothing_was_decided(config):
    order = order_of(make_conversation())
    assert learning.credit_sale(order.id, now=NOW) is None
    assert learning.reverse_sale(order.id, now=NOW) is None
    assert learning.credit_sale(4711, now=NOW) is None
    assert learning.note(order.conversation_id, "complaint", now=NOW) is None


def test_harm_is_noted_once_and_changes_no_reward(config):
    conversation = make_conversation()
    chosen = choose(conversation, config)
    for _again in range(2):
        assert learning.note(conversation.id, "complaint", now=NOW) == chosen.decision_id
    assert kinds(chosen.decision_id) == ["complaint"]
    assert db.session.scalar(select(absorbing.net_sales(chosen.decision_id))) == 0
    with pytest.raises(ValueError, match="nothing to note"):
        learning.note(conversation.id, "sale", now=NOW)


# --- what the log teaches -----------------------------------------------------------------------------------


def play(config: Config, *, days: int = 30, a_day: int = 4, rate: float = 0.4, closes: bool = True) -> None:
    """Play conversations of many days in which only `racional` sells, with late payments and refunds."""
    conversations = many(days * a_day)
    rng = random.Random(5)
    for day in range(days):
        for conversation in conversations[day * a_day : (day + 1) * a_day]:
            now = NOW + day * DAY + timedelta(minutes=conversation.id)
            chosen = choose(conversation, config, now=now, seed=conversation.id)
            if chosen.strategy == "racional" and rng.random() < rate:
                order = order_of(conversation, at=now)
                learning.credit_sale(order.id, now=now + rng.choice([0, 1, 9]) * DAY)
                if rng.random() < 0.2:
                    learning.reverse_sale(order.id, now=now + 12 * DAY)
        if closes:
            learning.close_decisions(config, now=NOW + day * DAY)
    db.session.flush()


@pytest.mark.parametrize("name", ["epsilon_greedy", "literal", "thompson", "uniform"])
def test_the_state_equals_what_the_log_gives_anew(config, name):
    config = replace(config, learning_policy=name)
    play(config)
    end = NOW + 60 * DAY
    steering.steer("renew", strategy="racional", reason="new prompt", now=NOW + 29 * DAY)
    for day in (30, 33, 36, 60):
        learning.close_decisions(config, now=NOW + day * DAY)
    row = state_row(now=end)
    anew = absorbing.settled_anew(config, 0, end)
    assert anew.policy.closed == db.session.query(Decision).count() == 120
    assert row.settled == anew.policy.to_state()
    assert row.absorbed == anew.absorbed.to_json()
    assert learning.rebuild(config, now=end)
    assert state_row(now=end).settled == anew.policy.to_state()


@pytest.mark.parametrize("seed", range(4))
def test_however_things_happen_the_state_equals_the_log(config, seed):
    """Payments come before and after a decision closed, refunds after both, workers look at odd times."""
    rng = random.Random(seed)
    waiting = many(60)
    ordered: list[Order] = []
    paid: list[Order] = []
    now = NOW
    product = make_product()
    learning.notice(now=now)
    for _step in range(150):
        now += rng.random() * timedelta(hours=12)
        act = rng.choice(["choose", "order", "pay", "refund", "close", "renew"])
        if act == "choose" and waiting:
            context = CONTEXT | {"niche": "Cursos"}
            choose(waiting.pop(), config, now=now, seed=rng.random(), context=context)
        elif act == "order":
            talking = list(db.session.scalars(select(Decision).where(Decision.closes_at > now)))
            if talking:
                conversation = db.session.get_one(Conversation, rng.choice(talking).conversation_id)
                ordered.append(order_of(conversation, at=now))
        elif act == "pay" and ordered:
            paid.append(ordered.pop(rng.randrange(len(ordered))))
            learning.credit_sale(paid[-1].id, now=now)
        elif act == "refund" and paid:
            learning.reverse_sale(rng.choice(paid).id, now=now)
        elif act == "renew" and rng.random() < 0.1:
            steering.steer("renew", strategy=rng.choice(STRATEGIES), reason="prompt", now=now)
        elif act == "renew" and rng.random() < 0.2:
            product.price_minor += 100
            learning.notice(now=now)
        elif act == "renew" and rng.random() < 0.1 and not any(arm.is_own for arm in learning.standings()):
            own_arms.add("Amigo", "racional", Wording("Fale como amigo."), reason="x", now=now)
        elif act == "close":
            learning.close_decisions(config, now=now)
            row = state_row(now=now)
            anew = absorbing.settled_anew(config, 0, now)
            assert row.settled == anew.policy.to_state()
            assert row.absorbed == anew.absorbed.to_json()
    assert db.session.query(Outcome).filter_by(kind="refund").count() > 0


def test_what_sells_is_chosen_more_often(config):
    play(config, a_day=6)
    kept = policies.current(config)
    told = kept.tell(kept.arms, CONTEXT).propensities
    assert max(told, key=told.__getitem__) == "racional"
    assert told["racional"] > 0.7


def test_matured_decisions_without_a_sale_expire_once(config):
    sold, unsold, still_open = many(3)
    ids = [choose(one, config, now=now).decision_id for one, now in ((sold, NOW), (unsold, NOW))]
    choose(still_open, config, now=NOW + DAY)
    buy(sold)
    for expired in (1, 0):
        assert learning.close_decisions(config, now=NOW + ATTRIBUTION_WINDOW) == expired
    assert [kinds(one) for one in ids] == [["sale"], [EXPIRED]]
    assert db.session.query(Outcome).count() == 2


def test_a_late_payment_and_a_refund_correct_what_was_learnt(config):
    conversation = make_conversation()
    choose(conversation, config)
    order, end = order_of(conversation), NOW + MATURE

    def believed() -> float:
        learning.close_decisions(config, now=end)
        best = policies.current(config).believe({})
        return best[db.session.query(Decision).one().strategy].rate

    without = believed()
    learning.credit_sale(order.id, now=end)
    assert believed() > without
    learning.reverse_sale(order.id, now=end)
    assert believed() == without


def test_open_decisions_count_by_their_age(config):
    conversation = make_conversation()
    chosen = choose(conversation, config)
    rates = []
    for age in (timedelta(minutes=1), DAY, 4 * DAY, MATURE):
        learning.close_decisions(config, now=NOW + age)
        rates.append(policies.current(config).believe({})[chosen.strategy].rate)
    assert rates == sorted(rates, reverse=True)
    assert len(set(rates)) == 4
    buy(conversation, at=NOW + DAY)
    learning.close_decisions(config, now=NOW + DAY)
    assert policies.current(config).believe({})[chosen.strategy].rate > rates[0]


def test_a_state_that_another_worker_moved_is_left_alone(config):
    conversation = make_conversation()
    choose(conversation, config)
    absorbing.expire(config, now=NOW)
    worked = absorbing.work_out(config, now=NOW + MATURE)
    changed_rows(update(PolicyState).values(version=7))
    assert absorbing.keep(worked, now=NOW + MATURE) is False
    assert db.session.execute(select(PolicyState.version, PolicyState.settled)).one() == (7, None)


def test_another_policy_starts_from_the_log(config):
    play(config, days=10)
    other = replace(config, learning_policy="thompson")
    end = NOW + 20 * DAY
    learning.close_decisions(other, now=end)
    row = state_row(now=end)
    assert (row.policy, (row.settled or {})["kind"]) == ("thompson", "thompson")
    assert row.settled == absorbing.settled_anew(other, 0, end).policy.to_state()


def test_a_persons_decisions_are_exported_and_still_teach_when_she_is_deleted(config):
    play(config, days=10)
    end = NOW + 20 * DAY
    before = absorbing.settled_anew(config, 0, end).policy.to_state()
    ana = db.session.get_one(Contact, db.session.query(Decision).first().contact_id)
    assert len(privacy.export_person([ana], now=end)["decisions"]) == 1
    privacy.delete_person([ana])
    assert db.session.query(Decision).filter_by(contact_id=None, conversation_id=None).count() == 1
    assert absorbing.settled_anew(config, 0, end).policy.to_state() == before


# --- what people decide -------------------------------------------------------------------------------------


def test_a_paused_arm_is_not_chosen_and_ends_its_episodes(config):
    conversations = many(30)
    first = [choose(one, config, seed=one.id).strategy for one in conversations]
    steering.steer("pause", strategy="emocional", reason="queixas", now=NOW)
    for conversation, before in zip(conversations, first, strict=True):
        after = choose(conversation, config, seed=conversation.id).strategy
        assert after != "emocional"
        assert after == before or before == "emocional"
    steering.steer("resume", strategy="emocional", reason="texto novo", now=NOW)
    assert "emocional" in policies.current(config).tell(learning.standings(), {}).propensities


def test_a_pinned_arm_is_always_chosen_where_it_may_be(config):
    steering.steer("pin", strategy="escassez", reason="última semana", now=NOW)
    first, second = many(2)
    chosen = choose(first, config)
    assert (chosen.strategy, chosen.propensity) == ("escassez", 1.0)
    assert choose(second, config, facts_allow_scarcity=False).strategy != "escassez"
    steering.steer("pin", strategy="racional", reason="outra", now=NOW)
    assert [arm.strategy for arm in learning.standings() if arm.is_pinned] == ["racional"]


def test_frozen_learning_chooses_but_does_not_learn(config):
    play(config, days=9)
    steering.steer("freeze", reason="feriado", now=NOW)
    row = state_row(now=NOW)
    before = row.version, row.settled
    learning.close_decisions(config, now=NOW + 40 * DAY)
    row = state_row(now=NOW)
    assert (row.version, row.settled) == before
    assert choose(make_conversation(), config).decision_id is not None
    steering.steer("thaw", reason="fim", now=NOW)
    learning.close_decisions(config, now=NOW + 40 * DAY)
    end = absorbing.settled_anew(config, 0, NOW + 40 * DAY).policy.to_state()
    assert state_row(now=NOW).settled == end


def test_a_reset_forgets_but_keeps_the_log(config):
    play(config, days=9)
    count = db.session.query(Decision).count()
    steering.steer("reset", reason="produto novo", now=NOW)
    learning.close_decisions(config, now=NOW + 40 * DAY)
    row = state_row(now=NOW)
    assert policies.restored("epsilon_greedy", row.settled, "adaptive").closed == 0
    assert db.session.query(Decision).count() == count


def test_switched_off_everybody_gets_the_fallback_and_nothing_is_logged(config):
    steering.steer("switch_off", reason="incidente", now=NOW)
    assert choose(make_conversation(), config) == learning.Chosen("consultivo", unlogged="off")
    assert db.session.query(Decision).count() == 0
    steering.steer("switch_on", reason="resolvido", now=NOW)
    assert choose(make_conversation("5581911112222"), config).decision_id is not None


def test_a_changed_prompt_is_a_new_version_that_starts_warm(config):
    play(config, a_day=6)
    conversation = make_conversation()
    learning.choose_by_hand(
        conversation.id, conversation.contact_id, "racional", context={}, config=config, now=NOW
    )
    steering.steer("renew", strategy="racional", reason="prompt v4", now=NOW + 30 * DAY)
    kept = policies.current(config)
    assert [arm.version for arm in kept.arms] == [1, 1, 1, 2]
    assert kept.believe({})["racional"].rate > kept.believe({})["consultivo"].rate
    assert db.session.query(Arm).one().version == 2


def test_a_strategy_that_drives_people_away_is_paused_once_and_may_come_back(config):
    for one in many(200):
        chosen = choose(one, config, seed=one.id)
        if chosen.strategy == "escassez" and one.id % 3 == 0:
            learning.note(one.id, "opt_out", now=NOW)
    for _again in range(2):
        learning.close_decisions(config, now=NOW + DAY)
    change = db.session.query(LearningChange).one()
    assert (change.action, change.strategy, change.operator_id) == ("pause", "escassez", None)
    mine, left, expected = steering.told_opt_outs(change.reason) or (0, 0, 0.0)
    assert mine == left > 2 * expected > 0
    alert = db.session.query(Alert).one()
    assert (alert.kind, alert.open_topic, alert.times) == ("strategy_paused", "strategy_paused:escassez", 1)
    steering.steer("resume", strategy="escassez", reason="texto novo", now=NOW + 2 * DAY)
    learning.close_decisions(config, now=NOW + 2 * DAY)
    assert not any(arm.is_paused for arm in learning.standings())


def test_opt_outs_that_are_as_usual_pause_nothing(config):
    for one in many(200):
        choose(one, config, seed=one.id)
        if one.id % 4 == 0:
            learning.note(one.id, "opt_out", now=NOW)
    learning.close_decisions(config, now=NOW + DAY)
    assert db.session.query(LearningChange).count() == 0


@pytest.mark.parametrize(
    ("action", "strategy", "reason", "code"),
    [
        ("explode", "racional", "x", "unknown_action"),
        ("pause", "racional", " \n ", "no_reason"),
        ("pause", "agressivo", "x", "unknown_strategy"),
        ("pin", "emocional", "x", "is_paused"),
    ],
)
def test_what_cannot_be_done_is_refused(config, action, strategy, reason, code):
    steering.steer("pause", strategy="emocional", reason="queixas", now=NOW)
    with pytest.raises(SteeringRefused) as refused:
        steering.steer(action, strategy=strategy, reason=reason, now=NOW)
    assert refused.value.code == code
    assert db.session.query(LearningChange).count() == 1


def test_a_repeated_decision_is_none(config):
    for action in ("pause", "freeze", "switch_off"):
        steering.steer(action, strategy="emocional", reason="x", now=NOW)
        with pytest.raises(SteeringRefused, match="done"):
            steering.steer(action, strategy="emocional", reason="x", now=NOW)
    for action in ("unpin", "remember"):
        with pytest.raises(SteeringRefused, match="done"):
            steering.steer(action, strategy="racional", reason="x", now=NOW)
    assert db.session.query(LearningChange).count() == 3


def test_a_new_version_rests_and_is_pinned_as_the_old_one(config):
    steering.steer("pause", strategy="emocional", reason="x", now=NOW)
    steering.steer("pin", strategy="racional", reason="x", now=NOW)
    for strategy in ("emocional", "racional"):
        steering.steer("renew", strategy=strategy, reason="prompt v2", now=NOW)
    stands = {arm.strategy: (arm.version, arm.is_paused, arm.is_pinned) for arm in learning.standings()}
    assert stands["emocional"] == (2, True, False)
    assert stands["racional"] == (2, False, True)
    assert db.session.query(Arm).filter(Arm.is_pinned).count() == 1


def test_a_calm_strategy_is_left_and_speaks_where_no_other_may(config):
    steering.steer("pause", strategy="consultivo", reason="x", now=NOW)
    with pytest.raises(SteeringRefused, match="last_arm"):
        steering.steer("pause", strategy="racional", reason="x", now=NOW)
    for strategy in ("emocional",):
        steering.steer("pause", strategy=strategy, reason="x", now=NOW)
    steering.steer("pin", strategy="escassez", reason="x", now=NOW)
    conversation = make_conversation()
    assert choose(conversation, config).strategy == "escassez"
    assert choose(conversation, config, is_upset=True).strategy == "racional"
    assert choose(conversation, config, facts_allow_scarcity=False).strategy == "racional"


def test_where_every_calm_strategy_rests_the_advising_one_speaks_and_says_that_it_teaches_nothing(config):
    """Two admins may each pause one at the same moment; a customer waits all the same."""
    for strategy in ("consultivo", "racional"):
        db.session.add(Arm(strategy=strategy, is_paused=True, reason="x"))
    db.session.flush()
    chosen = choose(make_conversation(), config, is_upset=True)
    assert (chosen.strategy, chosen.unlogged, chosen.decision_id) == ("consultivo", "no_arm", None)
    assert db.session.query(Decision).count() == 0


def write(conversation: Conversation, *, at, sender="operator") -> None:
    db.session.add(
        Message(
            conversation_id=conversation.id,
            integration_id=conversation.integration_id,
            direction="out",
            sender=sender,
            kind="text",
            body="Oi",
            created_at=at,
        )
    )
    db.session.flush()


def test_what_is_sold_after_a_person_wrote_is_that_persons(config):
    taken, sold_before, bots, open_one = many(4)
    for one in (taken, sold_before, bots, open_one):
        choose(one, config)
    buy(sold_before, at=NOW + DAY)
    write(bots, at=NOW + DAY, sender="bot")
    for one in (taken, sold_before, open_one):
        write(one, at=NOW + 2 * DAY, sender="owner" if one is taken else "operator")
    order = order_of(taken, at=NOW + 3 * DAY)
    assert learning.credit_sale(order.id, now=NOW + 3 * DAY) is None
    learning.close_decisions(config, now=NOW + MATURE)
    state = policies.restored("epsilon_greedy", state_row(now=NOW).settled, "adaptive")
    assert state.closed == 2  # what a person took over teaches nothing
    told = figures.report(config, now=NOW + MATURE)
    assert (told.taken_over, told.uplift.closed) == (2, 2)
    assert len(figures.list_decisions(figures.Wanted(state="taken_over"), now=NOW, before=None, limit=9)) == 2
    learning.rebuild(config, now=NOW + MATURE)
    assert state_row(now=NOW).settled == state.to_state()
    # The next episode after the bot has it back is the bot's own.
    later = choose(taken, config, now=NOW + 4 * DAY)
    assert db.session.get_one(Decision, later.decision_id).episode == 2


@pytest.mark.parametrize(
    ("status", "hours", "is_upset"),
    [("open", None, True), ("closed", None, False), (None, 23, True), (None, 25, False)],
)
def test_a_complaint_and_anger_last_longer_than_a_message(config, status, hours, is_upset):
    conversation = make_conversation()
    if status is not None:
        complaint = complaints.open_complaint(conversation.contact_id, "não abre", now=NOW - DAY)
        complaint.status = status
    if hours is not None:
        write(conversation, at=NOW - hours * DAY / 24, sender="customer")
        changed_rows(update(Message).values(direction="in", sentiment="angry"))
    db.session.flush()
    assert complaints.is_upset_lately(conversation.id, conversation.contact_id, now=NOW) is is_upset


def test_what_was_frozen_is_not_rebuilt(config):
    play(config, days=9)
    learning.close_decisions(config, now=NOW + 9 * DAY)
    steering.steer("freeze", reason="feriado", now=NOW + 9 * DAY)
    before = state_row(now=NOW).settled
    with pytest.raises(SteeringRefused, match="is_frozen"):
        learning.rebuild(config, now=NOW + 40 * DAY)
    changed_rows(update(PolicyState).values(settled={"version": 99}))
    learning.close_decisions(config, now=NOW + 40 * DAY)
    assert state_row(now=NOW).settled == before  # healed as of the freezing


@pytest.mark.parametrize("half_life", ["30", "90"])
def test_a_half_life_in_days_forgets_by_days(config, half_life):
    config = replace(config, learning_half_life=half_life)
    for one in many(120):
        if choose(one, config, seed=one.id).strategy == "racional":
            buy(one)
    learning.close_decisions(config, now=NOW + MATURE)
    for one in many_more(240):
        choose(one, config, seed=one.id, now=NOW + 120 * DAY)
    learning.close_decisions(config, now=NOW + 120 * DAY + MATURE)
    rate = policies.current(config).believe({})["racional"].rate
    never = absorbing.settled_anew(replace(config, learning_half_life="off"), 0, NOW + 120 * DAY + MATURE)
    assert rate < 0.7 * never.policy.estimates()["racional"].rate
    anew = absorbing.settled_anew(config, 0, NOW + 120 * DAY + MATURE)
    assert state_row(now=NOW).settled == anew.policy.to_state()


def many_more(count: int) -> list[Conversation]:
    number = db.session.query(Integration).one()
    contacts = [Contact(name=f"d{n}") for n in range(count)]
    db.session.add_all(contacts)
    db.session.flush()
    rows = [Conversation(integration_id=number.id, contact_id=contact.id) for contact in contacts]
    db.session.add_all(rows)
    db.session.flush()
    return rows


def test_a_sale_may_count_by_what_it_brought(config):
    by_value = replace(config, learning_reward="value", learning_value_cap=100)
    dear = {"consultivo": 10_000, "racional": 500}
    for one in many(200):
        strategy = choose(one, config, seed=one.id).strategy
        if strategy in dear and one.id % 2:
            buy(one, total_minor=dear[strategy])
    believed = []
    for each in (config, by_value):
        learning.close_decisions(each, now=NOW + MATURE)
        told = policies.current(each).believe({})
        believed.append(told["consultivo"].rate / told["racional"].rate)
    assert believed[0] < 1.5 < 2 < believed[1]


@pytest.mark.parametrize(("currency", "total_minor"), [("BRL", 5_000), ("JPY", 50), ("KWD", 50_000)])
def test_the_cap_is_in_whole_units_of_the_currency(config, currency, total_minor):
    by_value = replace(config, learning_reward="value", learning_value_cap=100)
    conversation = make_conversation()
    choose(conversation, config)
    buy(conversation, total_minor=total_minor, currency=currency)
    (closed,) = absorbing.settled_anew(by_value, 0, NOW + MATURE).policy.to_state()["entries"]
    assert closed[3] == 0.5


def test_the_chances_are_those_of_customers_who_come(config):
    contexts = ({"language": "pt"}, {"language": "es"})
    for one in many(400):
        context = contexts[one.id % 2]
        chosen = choose(one, config, seed=one.id, context=context, facts_allow_scarcity=False)
        if chosen.strategy == ("racional" if context == contexts[0] else "emocional") and one.id % 3:
            buy(one)
    now = NOW + MATURE
    learning.close_decisions(config, now=now)
    ahead = figures.report(config, now=now).outlook
    assert ahead.size == 200
    assert ahead.chances["escassez"] == 0.0  # nobody has had a true fact
    assert sum(ahead.chances.values()) == pytest.approx(1.0)
    assert min(ahead.chances["racional"], ahead.chances["emocional"]) > 0.3
    assert sum(ahead.best_chances.values()) == pytest.approx(1.0)


def test_always_is_told_of_those_who_could_have_met_it(config):
    for one in many(600):
        scarce = one.id % 3 == 0
        chosen = choose(one, config, seed=one.id, facts_allow_scarcity=scarce)
        if chosen.strategy == "escassez" and one.id % 2:
            buy(one)
    lines = {line.arm.strategy: line for line in figures.report(config, now=NOW + MATURE).lines}
    plain, normalised = lines["escassez"].if_always_plain, lines["escassez"].if_always
    if plain is not None and normalised is not None:
        assert plain.value == pytest.approx(normalised.value, abs=0.15)
    assert lines["escassez"].count > 30


def test_the_last_arm_cannot_be_paused(config):
    for name in STRATEGIES[:3]:
        steering.steer("pause", strategy=name, reason="x", now=NOW)
    with pytest.raises(SteeringRefused, match="last_arm"):
        steering.steer("pause", strategy=STRATEGIES[3], reason="x", now=NOW)


# --- what is counted ----------------------------------------------------------------------------------------


def test_the_report_counts_matured_open_sold_and_harm(config):
    conversations = many(8)
    strategies = [choose(one, config, seed=one.id).strategy for one in conversations]
    buy(conversations[0], at=NOW + DAY)
    refunded = buy(conversations[1], at=NOW + DAY, total_minor=500)
    learning.reverse_sale(refunded.id, now=NOW + 2 * DAY)
    learning.note(conversations[0].id, "complaint", now=NOW + DAY)
    choose(conversations[1], config, now=NOW + 5 * DAY)
    told = figures.report(config, now=NOW + MATURE)
    lines = {line.arm.strategy: line for line in told.lines}
    assert sum(line.count for line in told.lines) == 9
    assert sum(line.open for line in told.lines) == 1
    assert sum(line.conversion.size for line in told.lines) == told.uplift.closed == 8
    best = lines[strategies[0]]
    assert (best.sold, best.conversion.hits, best.harms["complaint"]) == (1, 1, 1)
    assert sum(line.sold for line in told.lines) == 1
    assert told.sums == (("BRL", 9700),)
    assert told.uplift.low is None
    assert sum(line.propensity or 0.0 for line in told.lines) == pytest.approx(1.0)


def test_the_interval_of_a_difference_is_newcombes():
    # His own example: 56 of 70 against 48 of 80 (Statistics in Medicine 17, 1998, table II).
    told = shares.difference_interval(shares.Share(56, 70), shares.Share(48, 80))
    assert told == pytest.approx((0.0524, 0.3339), abs=5e-5)


@pytest.mark.parametrize(
    ("hits", "size", "low", "high"), [(0, 10, 0.0, 0.2775), (5, 100, 0.0215, 0.1118), (10, 10, 0.7225, 1.0)]
)
def test_wilsons_interval(hits, size, low, high):
    share = shares.Share(hits, size)
    assert (share.low, share.high) == pytest.approx((low, high), abs=1e-4)


def test_a_share_of_nothing_may_be_anything():
    assert (shares.Share(0, 0).low, shares.Share(0, 0).high) == (0.0, 1.0)


def test_every_number_leads_to_its_decisions(config):
    conversations = many(6)
    for one in conversations:
        choose(one, config, seed=one.id)
    buy(conversations[2])
    learning.note(conversations[3].id, "opt_out", now=NOW)

    def found(**wanted: Any) -> list[int | None]:
        rows = figures.list_decisions(figures.Wanted(**wanted), now=NOW + DAY, before=None, limit=100)
        return [row.conversation_id for row in rows]

    everybody = [one.id for one in reversed(conversations)]
    assert found() == found(state="open") == found(group="policy") == everybody
    assert found(state="matured") == found(group="holdout") == found(group="manual") == []
    assert found(state="sold") == [conversations[2].id]
    assert found(state="opt_out") == [conversations[3].id]
    for line in figures.report(config, now=NOW).lines:
        assert len(found(strategy=line.arm.strategy)) == line.count


def test_the_log_is_given_as_csv(config):
    conversation = make_conversation()
    chosen = choose(conversation, config)
    buy(conversation, at=NOW + DAY)
    learning.note(conversation.id, "complaint", now=NOW + DAY)
    rows = list(csv.DictReader(StringIO("".join(log.csv_lines()))))
    assert len(rows) == 1
    assert rows[0]["strategy"] == chosen.strategy
    assert (rows[0]["sales"], rows[0]["value_minor"], rows[0]["currency"]) == ("1", "9700", "BRL")
    assert (rows[0]["complaint"], rows[0]["opt_out"], rows[0]["is_holdout"]) == ("1", "0", "0")
    assert rows[0]["created_at"] == NOW.isoformat()
    assert float(rows[0]["propensity"]) == chosen.propensity


def test_the_log_is_read_in_parts(config, monkeypatch):
    monkeypatch.setattr(log, "ROWS_PER_READ", 2)
    for one in many(5):
        choose(one, config, seed=one.id)
    assert len(list(log.csv_lines())) == 6
    assert db.session.scalar(select(func.count(Decision.id))) == 5


@pytest.mark.parametrize("days", [1, 30])
def test_a_product_may_have_a_window_of_its_own(config, days):
    conversation = make_conversation()
    chosen = choose(conversation, config, window=days * DAY)
    row = db.session.get_one(Decision, chosen.decision_id)
    assert row.closes_at - row.created_at == days * DAY
    inside, outside = (order_of(conversation, at=NOW + days * DAY + sign * DAY / 24) for sign in (-1, 1))
    assert learning.credit_sale(outside.id, now=NOW + 60 * DAY) is None
    assert learning.credit_sale(inside.id, now=NOW + 60 * DAY) == chosen.decision_id


def test_money_is_compared_with_its_interval(config, monkeypatch):
    monkeypatch.setattr(proof, "needed_decisions", lambda *_: 300)
    config = replace(config, learning_holdout=0.3)
    for one in many(400):
        decision_id = choose(one, config, seed=one.id).decision_id
        is_holdout = db.session.get_one(Decision, decision_id).is_holdout
        if one.id % (8 if is_holdout else 3) == 0:
            buy(one, total_minor=10_000)
    told = figures.report(config, now=NOW + MATURE)
    money, uplift = told.money, told.uplift
    assert money is not None
    assert money.currency == "BRL"
    assert money.each == pytest.approx(10_000 * uplift.value)
    assert money.low < money.total == round(10_000 * uplift.more_sales) < money.high
    assert (money.low > 0) is ((uplift.low or 0) > 0)
    steering.steer("reset", reason="produto novo", now=NOW + MATURE)
    anew = figures.report(config, now=NOW + 2 * MATURE)
    assert (anew.uplift.closed, anew.uplift.standing, anew.money) == (0, "few", None)
    assert anew.forgotten is not None
    steering.steer("remember", reason="foi engano", now=NOW + 2 * MATURE)
    assert figures.report(config, now=NOW + 2 * MATURE).uplift.closed == 400


def test_segments_count_what_customers_have_in_common(config):
    for number, one in enumerate(many(12)):
        context = {"language": "pt" if number % 3 else "es", "visit": "new", "niche": "Ação 100%"}
        choose(one, config, context=context, seed=number)
        if number < 4:
            buy(one)
    now = NOW + MATURE
    found = {one.key: one for one in figures.report(config, now=now).segments}
    assert {key: (one.whole.hits, one.whole.size) for key, one in found.items()} == {
        "niche=Ação 100%": (4, 12),
        "language=pt": (2, 8),
        "language=es": (2, 4),
        "visit=new": (4, 12),
    }
    for key, segment in found.items():
        assert sum(share.size for share in segment.by_strategy.values()) == segment.whole.size
        wanted = figures.Wanted(segment=key, state="matured")
        assert len(figures.list_decisions(wanted, now=now, before=None, limit=50)) == segment.whole.size
