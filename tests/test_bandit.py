"""The bandit: what every policy promises, how it learns, and what a log can say afterwards."""

import json
import math
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bandit
from bandit.chances import best_chances

ARMS = ("consultivo", "escassez", "emocional", "racional")
POLICIES = (bandit.EpsilonGreedy, bandit.ThompsonSampling, bandit.Uniform)
EVERY_POLICY = pytest.mark.parametrize("policy_class", POLICIES)

CONTEXTS = st.one_of(
    st.none(),
    st.fixed_dictionaries({"niche": st.sampled_from("abc"), "signal": st.sampled_from("xy")}),
    st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=4),
)
CLOSED = st.tuples(
    st.sampled_from(ARMS),
    st.sampled_from((0.0, 0.0, 0.0, 1.0, 0.4)),
    CONTEXTS,
    st.floats(0.1, 3.0),
)


def taught(policy_class, decisions, **options):
    policy = policy_class(ARMS, seed=3, **options)
    for number, (arm, reward, context, weight) in enumerate(decisions):
        policy.update(arm, reward, context, weight=weight, decision_id=number)
    return policy


def lived(policy, rates, decisions, seed=0):
    """Play against fixed sales rates and give how often each arm was chosen."""
    world = random.Random(seed)
    chosen: Counter[str] = Counter()
    for number in range(decisions):
        arm = policy.choose().arm
        policy.update(arm, float(world.random() < rates[arm]), decision_id=number)
        chosen[arm] += 1
    return chosen


# --- Choosing ---


@EVERY_POLICY
@given(
    decisions=st.lists(CLOSED, max_size=40),
    context=CONTEXTS,
    paused=st.sets(st.sampled_from(ARMS), max_size=3),
)
@settings(max_examples=40)
def test_propensities_cover_the_eligible_arms_and_sum_to_one(policy_class, decisions, context, paused):
    policy = taught(policy_class, decisions)
    for arm in paused:
        policy.pause(arm)
    choice = policy.choose(context)
    assert set(choice.propensities) == set(ARMS) - paused
    assert math.isclose(sum(choice.propensities.values()), 1.0, abs_tol=1e-9)
    assert all(0.0 <= p <= 1.0 + 1e-12 for p in choice.propensities.values())
    assert choice.propensities[choice.arm] > 0.0


@pytest.mark.parametrize("minimum", [0, 500])
@EVERY_POLICY
def test_choices_happen_as_often_as_their_propensities_say(policy_class, minimum):
    options = {"min_plays": minimum} if policy_class is bandit.EpsilonGreedy else {}
    policy = policy_class(ARMS, seed=5, **options)
    lived(policy, dict(zip(ARMS, (0.02, 0.05, 0.06, 0.09), strict=True)), 300)
    for number in range(20):
        policy.update("consultivo", float(number < 3), {"niche": "pets"})
    said = policy.choose({"niche": "pets"}).propensities
    draws = 8000
    seen = Counter(policy.choose({"niche": "pets"}).arm for _ in range(draws))
    for arm, probability in said.items():
        margin = 4.5 * math.sqrt(probability * (1.0 - probability) / draws) + 1e-9
        assert abs(seen[arm] / draws - probability) < margin


def test_the_chance_of_being_best_is_what_sampling_finds():
    normals = [(-3.0, 0.3), (-2.8, 0.1), (-2.9, 0.6), (-3.5, 0.02)]
    rng = random.Random(1)
    draws = 40_000
    wins = Counter(
        max(range(4), key=lambda i: samples[i])
        for samples in ([rng.gauss(m, d) for m, d in normals] for _ in range(draws))
    )
    for arm, chance in enumerate(best_chances(normals)):
        assert abs(wins[arm] / draws - chance) < 0.012


def test_a_sure_arm_among_unsure_ones_keeps_its_chance():
    chances = best_chances([(0.0, 1.0), (0.5, 1e-6)])
    assert chances[0] == pytest.approx(0.5 * math.erfc(0.5 / math.sqrt(2.0)), abs=0.05)
    assert best_chances([(0.0, 1.0)]) == [1.0]


@EVERY_POLICY
@given(
    decisions=st.lists(CLOSED, max_size=20),
    moves=st.lists(st.tuples(st.booleans(), st.sampled_from(ARMS)), max_size=12),
)
@settings(max_examples=30)
def test_a_paused_arm_is_never_chosen(policy_class, decisions, moves):
    policy = taught(policy_class, decisions)
    paused: set[str] = set()
    for pausing, arm in moves:
        (policy.pause if pausing else policy.resume)(arm)
        (paused.add if pausing else paused.discard)(arm)
        if paused == set(ARMS):
            with pytest.raises(bandit.NoEligibleArm):
                policy.choose()
        else:
            assert all(policy.choose().arm not in paused for _ in range(5))
            assert set(policy.eligible) == set(ARMS) - paused


@EVERY_POLICY
def test_a_pinned_arm_is_always_chosen_until_it_is_paused_or_unpinned(policy_class):
    policy = policy_class(ARMS, seed=1)
    policy.pin("emocional")
    choice = policy.choose()
    assert (choice.arm, choice.explored) == ("emocional", False)
    assert choice.propensities == {"consultivo": 0.0, "escassez": 0.0, "emocional": 1.0, "racional": 0.0}
    policy.pause("emocional")
    assert policy.pinned is None
    assert policy.choose().arm != "emocional"
    with pytest.raises(ValueError, match="paused"):
        policy.pin("emocional")
    policy.pin("racional")
    policy.unpin()
    assert len({policy.choose().arm for _ in range(60)}) > 1


@EVERY_POLICY
def test_the_same_seed_gives_the_same_sequence(policy_class):
    rates = dict(zip(ARMS, (0.1, 0.2, 0.3, 0.4), strict=True))
    sequences = []
    for seed in (7, 7, 8):
        policy, world = policy_class(ARMS, seed=seed), random.Random(2)
        sequence = []
        for _ in range(150):
            arm = policy.choose().arm
            policy.update(arm, float(world.random() < rates[arm]))
            sequence.append(arm)
        sequences.append(sequence)
    assert sequences[0] == sequences[1] != sequences[2]


# --- Learning ---


@EVERY_POLICY
@pytest.mark.parametrize(
    ("arm", "reward", "weight"),
    [
        ("nobody", 1.0, 1.0),
        ("racional", 1.1, 1.0),
        ("racional", -0.1, 1.0),
        ("racional", math.nan, 1.0),
        ("racional", 1.0, 0.0),
        ("racional", 1.0, math.inf),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(policy_class, arm, reward, weight):
    policy = policy_class(ARMS, seed=1)
    before = policy.to_state()
    with pytest.raises(ValueError):
        policy.update(arm, reward, weight=weight, decision_id="d")
    assert policy.to_state() == before


@EVERY_POLICY
@pytest.mark.parametrize("arms", [[], ["a", "a"]])
def test_arms_must_be_different_and_some(policy_class, arms):
    with pytest.raises(ValueError):
        policy_class(arms)


@EVERY_POLICY
@given(decisions=st.lists(CLOSED, min_size=1, max_size=25), data=st.data())
@settings(max_examples=30)
def test_a_decision_is_rewarded_once(policy_class, decisions, data):
    policy = taught(policy_class, decisions)
    before = policy.to_state()
    again = data.draw(st.integers(0, len(decisions) - 1))
    assert policy.update("racional", 1.0, decision_id=again) is False
    assert policy.to_state() == before


@EVERY_POLICY
@given(decisions=st.lists(CLOSED, min_size=1, max_size=40), data=st.data(), limit=st.sampled_from((30, 5000)))
@settings(max_examples=50)
def test_a_reverted_decision_was_never_closed(policy_class, decisions, data, limit):
    policy = taught(policy_class, decisions, journal_limit=limit)
    taken_back = data.draw(st.integers(max(0, len(decisions) - limit // 2), len(decisions) - 1))
    assert policy.revert(taken_back) is True
    without = policy_class(ARMS, seed=3)
    for number, (arm, reward, context, weight) in enumerate(decisions):
        if number != taken_back:
            without.update(arm, reward, context, weight=weight, decision_id=number)
    for context in (None, {"niche": "a", "signal": "x"}, {"never": "seen"}):
        for ours, theirs in zip(
            policy.estimates(context).values(), without.estimates(context).values(), strict=True
        ):
            assert ours.rate == pytest.approx(theirs.rate, abs=1e-9)
            assert ours.best_chance == pytest.approx(theirs.best_chance, abs=1e-9)
        assert policy.choose(context).propensities == pytest.approx(without.choose(context).propensities)
    assert policy.closed == without.closed


def test_a_reversal_reaches_back_through_detected_changes_and_added_arms():
    histories = []
    for reverts in (True, False):
        policy, world = bandit.ThompsonSampling(ARMS, seed=2, journal_limit=4000), random.Random(4)
        for number in range(1800):
            arm = ARMS[number % 4]
            rate = 0.3 if (arm == "racional") == (number < 900) else 0.02
            reward = float(world.random() < rate)
            if number == 500:
                policy.add_arm("racional v2", like="racional")
            if number == 600:
                policy.renew("racional", strength=0.5)
            if reverts or number != 120:
                policy.update(arm, reward, decision_id=number)
        if reverts:
            assert policy.revert(120)
        histories.append(policy)
    assert histories[0].changed_at > 900
    assert histories[0].to_state()["beliefs"] == histories[1].to_state()["beliefs"]


@EVERY_POLICY
def test_an_unknown_or_repeated_reversal_changes_nothing(policy_class):
    policy = taught(policy_class, [("racional", 1.0, None, 1.0)])
    assert policy.revert("never closed") is False
    assert policy.revert(0) is True
    before = policy.to_state()
    assert policy.revert(0) is False
    assert policy.to_state() == before
    assert policy.update("racional", 0.0, decision_id=0) is True


def test_decisions_older_than_the_journal_are_settled():
    policy = bandit.Uniform(ARMS, journal_limit=10)
    for number in range(25):
        policy.update("racional", 1.0, decision_id=number)
    assert policy.revert(0) is False
    assert policy.revert(24) is True
    assert len(policy.to_state()["entries"]) <= 10
    assert policy.closed == 24


@EVERY_POLICY
@given(
    decisions=st.lists(CLOSED, max_size=40),
    more=st.lists(CLOSED, max_size=10),
    limit=st.sampled_from((8, 5000)),
)
@settings(max_examples=30)
def test_a_state_that_went_through_json_continues_alike(policy_class, decisions, more, limit):
    policy = taught(policy_class, decisions, journal_limit=limit)
    policy.choose({"niche": "a"})
    policy.add_arm("new", like="racional")
    policy.renew(where=("niche", "a"))
    policy.renew("emocional")
    policy.pause("escassez")
    stored = json.dumps(policy.to_state(), allow_nan=False)
    again = policy_class.from_state(json.loads(stored))
    assert json.dumps(again.to_state()) == stored
    for number, (arm, reward, context, weight) in enumerate(more):
        assert policy.choose(context) == again.choose(context)
        for each in (policy, again):
            each.update(arm, reward, context, weight=weight, decision_id=f"more {number}")
        if number % 3 == 0:
            assert policy.revert(f"more {number}")
            assert again.revert(f"more {number}")
    assert policy.to_state() == again.to_state()


@pytest.mark.parametrize("policy_class", POLICIES)
def test_replaying_the_log_rebuilds_the_state(policy_class):
    policy, world = policy_class(ARMS, seed=9), random.Random(5)
    log: list[tuple] = []
    waiting = []
    for number in range(400):
        context = {"niche": world.choice("abc")}
        choice = policy.choose(context)
        log.append(("choose", choice, context))
        waiting.append((f"d{number}", choice.arm, float(world.random() < 0.1), context))
        if len(waiting) > 20:
            closed = waiting.pop(world.randrange(len(waiting)))
            policy.update(*closed[1:], decision_id=closed[0])
            log.append(("close", closed))
    replayed = policy_class(ARMS, seed=9)
    for kind, *event in log:
        if kind == "choose":
            assert replayed.choose(event[1]) == event[0]
        else:
            decision_id, arm, reward, context = event[0]
            replayed.update(arm, reward, context, decision_id=decision_id)
    assert replayed.to_state() == policy.to_state()


def test_a_state_of_another_policy_is_refused():
    with pytest.raises(ValueError):
        bandit.Uniform.from_state(bandit.ThompsonSampling(ARMS).to_state())


@pytest.mark.parametrize("policy_class", [bandit.EpsilonGreedy, bandit.ThompsonSampling])
def test_the_better_arm_is_found(policy_class):
    rates = dict(zip(ARMS, (0.02, 0.02, 0.15, 0.02), strict=True))
    chosen = lived(policy_class(ARMS, seed=1), rates, 2500)
    assert chosen["emocional"] > 1800


@pytest.mark.parametrize("policy_class", [bandit.EpsilonGreedy, bandit.ThompsonSampling])
def test_a_world_that_moves_is_noticed_and_one_that_stays_is_not(policy_class):
    policy = policy_class(ARMS, seed=1)
    rates = dict(zip(ARMS, (0.02, 0.02, 0.15, 0.02), strict=True))
    lived(policy, rates, 2000, seed=1)
    assert policy.changed_at == 0
    world = random.Random(7)
    chosen: Counter[str] = Counter()
    rates = dict(zip(ARMS, (0.15, 0.02, 0.02, 0.02), strict=True))
    noticed = 0
    for _ in range(2500):
        arm = policy.choose().arm
        policy.update(arm, float(world.random() < rates[arm]))
        chosen[arm] += 1
        noticed = noticed or policy.changed_at
    assert 2000 < noticed < 2300
    assert chosen["consultivo"] > 1500


def test_a_rare_context_borrows_from_its_parents():
    policy = bandit.ThompsonSampling(ARMS, seed=1)
    for number in range(1200):
        arm = ARMS[number % 4]
        context = {"niche": "abc"[number % 3], "signal": "question"}
        policy.update(arm, float(arm == "racional" and number % 5 == 0), context)
    unseen = policy.estimates({"niche": "new", "signal": "question"})
    assert max(unseen, key=lambda arm: unseen[arm].rate) == "racional"
    assert unseen["racional"].low < unseen["racional"].rate < unseen["racional"].high
    # Its own data outweigh the parents' in the end.
    for number in range(400):
        policy.update("racional", 0.0, {"niche": "new", "signal": "question"})
        policy.update("emocional", float(number % 5 == 0), {"niche": "new", "signal": "question"})
    own = policy.estimates({"niche": "new", "signal": "question"})
    assert max(own, key=lambda arm: own[arm].rate) == "emocional"


def test_estimates_stay_where_the_data_put_them():
    # Shared and own effects once chased each other upwards when they were averaged as logits.
    policy = bandit.ThompsonSampling(ARMS, half_life=None, seed=1)
    for number in range(2000):
        arm = ARMS[number % 2]
        policy.update(arm, float(arm == ARMS[0] and number % 10 == 0), {"niche": "abc"[number % 3]})
    found = policy.estimates({"niche": "a"})
    assert found[ARMS[0]].rate == pytest.approx(0.2, abs=0.02)
    assert found[ARMS[1]].rate < 0.02
    assert found[ARMS[2]].rate < 0.15


def test_a_new_version_of_an_arm_starts_from_the_old_one_but_less_sure():
    policy = bandit.ThompsonSampling(ARMS, seed=1)
    lived(policy, dict(zip(ARMS, (0.02, 0.02, 0.2, 0.02), strict=True)), 1500)
    policy.add_arm("emocional v2", like="emocional", strength=0.2)
    policy.add_arm("blank")
    found = policy.estimates()
    assert found["emocional v2"].rate == pytest.approx(found["emocional"].rate, rel=0.3)
    width = {arm: estimate.high - estimate.low for arm, estimate in found.items()}
    assert width["emocional"] < width["emocional v2"] < width["blank"]
    with pytest.raises(ValueError):
        policy.add_arm("blank")


def test_what_an_arm_says_anew_starts_warm_but_less_sure():
    policy = bandit.ThompsonSampling(ARMS, seed=1)
    lived(policy, dict(zip(ARMS, (0.02, 0.02, 0.2, 0.02), strict=True)), 1500)
    before = policy.estimates()
    policy.renew("emocional", strength=0.2)
    after = policy.estimates()
    width = {name: found["emocional"].high - found["emocional"].low for name, found in
             (("before", before), ("after", after))}  # fmt: skip
    assert after["emocional"].rate == pytest.approx(before["emocional"].rate, rel=0.3)
    assert width["after"] > 1.3 * width["before"]
    assert after["racional"].rate == pytest.approx(before["racional"].rate, rel=0.2)
    with pytest.raises(ValueError):
        policy.renew("emocional", strength=1.1)
    with pytest.raises(ValueError):
        policy.renew("nobody")


def test_other_prices_shake_what_is_known_of_their_niche_alone():
    policy = bandit.ThompsonSampling(ARMS, seed=1)
    for number in range(1600):
        niche, arm = "ab"[number % 2], ARMS[number // 2 % 4]
        policy.update(arm, float(number % 20 == 0), {"niche": niche})
    before = {niche: policy.estimates({"niche": niche}) for niche in "ab"}
    policy.renew(where=("niche", "a"), strength=0.1)
    policy.renew(where=("niche", "never seen"))
    for arm in ARMS:
        was, now = (
            {niche: told[niche][arm].high - told[niche][arm].low for niche in "ab"}
            for told in (before, {niche: policy.estimates({"niche": niche}) for niche in "ab"})
        )
        assert now["a"] > was["a"] * 1.1
        assert now["b"] - was["b"] < now["a"] - was["a"]


# --- Epsilon ---


def test_literal_mode_decays_after_each_conversation_without_floor():
    policy = bandit.EpsilonGreedy(ARMS, mode="literal", seed=1)
    for number in range(200):
        assert policy.epsilon == pytest.approx(0.2 * 0.95**number)
        policy.update(ARMS[number % 4], 0.0)
    assert policy.epsilon < 1e-5


def test_rounds_decay_to_the_floor_once_every_arm_was_tried():
    policy = bandit.EpsilonGreedy(ARMS, round_size=30, min_plays=10, seed=1)
    for _ in range(300):
        policy.update("racional", 0.0)
    assert policy.epsilon == 0.2
    lacking = policy.choose().propensities
    assert lacking["racional"] == pytest.approx(0.0)
    for arm in ARMS[:3]:
        for _ in range(10):
            policy.update(arm, 0.0)
    assert policy.epsilon == pytest.approx(0.2 * 0.95**11)
    for number in range(2000):
        policy.update(ARMS[number % 4], 0.0)
    assert policy.epsilon == 0.05
    assert min(policy.choose().propensities.values()) >= 0.05 / 8 - 1e-12


def test_exploration_is_shared_between_all_arms_and_those_that_may_be_the_best():
    policy = bandit.EpsilonGreedy(ARMS, half_life=None, seed=1)
    for number in range(4000):
        arm = ARMS[number % 4]
        policy.update(arm, float(number % 40 < 8 and arm in ARMS[:2]))
    told = policy.choose().propensities
    assert policy.epsilon == 0.05
    hopeful = [arm for arm in ARMS if told[arm] > 0.05 / 8 + 1e-12]
    assert set(hopeful) <= set(ARMS[:2])
    for arm in ARMS[2:]:
        assert told[arm] == pytest.approx(0.05 / 8)
    assert sum(told.values()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "other"},
        {"epsilon": 1.2},
        {"decay": 0.0},
        {"round_size": 0},
        {"half_life": 0.0},
        {"prior_rate": 1.0},
    ],
)
def test_impossible_options_are_refused(options):
    with pytest.raises(ValueError):
        bandit.EpsilonGreedy(ARMS, **options)


# --- What a log says ---


def logged(rng, size, policy_rates):
    """A log of context-dependent propensities; the true value of always "a" is 0.08."""
    log = []
    for _ in range(size):
        first = rng.random() < 0.5
        propensity = policy_rates[0] if first else policy_rates[1]
        arm = "a" if rng.random() < propensity else "b"
        rate = (0.12 if first else 0.04) if arm == "a" else 0.05
        log.append(
            bandit.Logged(propensity if arm == "a" else 1.0 - propensity, arm, float(rng.random() < rate))
        )
    return log


@pytest.mark.parametrize("policy_rates", [(0.5, 0.5), (0.7, 0.2), (0.1, 0.4)])
def test_snips_covers_the_true_value_in_about_95_percent_of_logs(policy_rates):
    rng = random.Random(11)
    logs = 400
    covered = 0
    for _ in range(logs):
        estimate = bandit.estimate_snips(logged(rng, 1500, policy_rates), "a")
        covered += estimate.low <= 0.08 <= estimate.high
    assert 0.925 <= covered / logs <= 0.985


def test_ips_is_unbiased_and_snips_close():
    rng = random.Random(12)
    logs = [logged(rng, 1500, (0.7, 0.2)) for _ in range(200)]
    for estimate in (bandit.estimate_ips, bandit.estimate_snips):
        values = [estimate(log, "a").value for log in logs]
        assert sum(values) / len(values) == pytest.approx(0.08, abs=0.0025)


def test_the_arm_that_was_always_used_has_its_plain_rate():
    log = [(1.0, "a", float(number % 10 == 0)) for number in range(500)]
    estimate = bandit.estimate_snips(log, "a")
    assert (estimate.value, estimate.effective_size, estimate.matching) == (0.1, 500.0, 500)
    assert estimate.low < 0.1 < estimate.high


def test_too_small_a_log_is_refused_with_its_numbers():
    log = [(0.5, "a", 0.0)] * 49 + [(0.5, "b", 1.0)] * 1000
    for estimate in (bandit.estimate_ips, bandit.estimate_snips):
        with pytest.raises(bandit.TooFewDecisions) as refusal:
            estimate(log, "a")
        assert refusal.value.effective_size == pytest.approx(49.0)
        with pytest.raises(bandit.TooFewDecisions):
            estimate(log, "never used", minimum=0.0)


def test_rare_choices_are_clipped_and_counted():
    log = [(0.5, "a", 0.0)] * 200 + [(0.0001, "a", 1.0)]
    estimate = bandit.estimate_snips(log, "a", max_weight=20.0)
    assert estimate.clipped == 1
    assert estimate.value == pytest.approx(20.0 / 420.0)


def test_no_sale_at_all_still_leaves_room_above():
    log = [(0.5, "a", 0.0)] * 100
    for estimate in (bandit.estimate_ips(log, "a"), bandit.estimate_snips(log, "a")):
        assert estimate.low == 0.0
        assert 0.0 < estimate.high < 0.05


@pytest.mark.parametrize("row", [(0.0, "a", 1.0), (1.5, "a", 1.0), (0.5, "a", 2.0), (math.nan, "a", 1.0)])
def test_an_impossible_row_is_refused(row):
    with pytest.raises(ValueError):
        bandit.estimate_snips([row] * 100, "a")


@pytest.mark.parametrize("policy_rates", [(0.1, 0.6, 0.2, 0.1), (0.04, 0.32, 0.32, 0.32)])
def test_ips_covers_the_true_value_too(policy_rates):
    rng, covered, logs = random.Random(23), 0, 200
    for _log in range(logs):
        rows = []
        for _row in range(1500):
            arm = rng.choices(range(4), policy_rates)[0]
            rows.append(bandit.Logged(policy_rates[arm], str(arm), float(rng.random() < 0.06)))
        estimate = bandit.estimate_ips(rows, "0", minimum=20.0)
        covered += estimate.low <= 0.06 <= estimate.high
    assert covered >= 0.9 * logs


# --- damaged states, removed arms, many values --------------------------------------------------------------


@pytest.mark.parametrize("policy_class", [bandit.EpsilonGreedy, bandit.ThompsonSampling, bandit.Uniform])
def test_whatever_is_no_state_is_one_clear_error(policy_class):
    policy = policy_class(["a", "b"], seed=1)
    for number in range(40):
        policy.update("ab"[number % 2], number % 3 == 0, {"niche": "x"})
    good = policy.to_state()
    damaged = [None, [], "x", 7, {}, {"version": 99}, good | {"pinned": "zz"}, good | {"paused": ["zz"]}]
    damaged += [{name: value for name, value in good.items() if name != left} for left in good]
    damaged += [good | {name: junk} for name in good if name != "kind" for junk in ("x", {"a": 1}, 1.5)]
    for state in damaged:
        try:
            policy_class.from_state(state)
        except ValueError:
            continue
        except Exception as error:
            pytest.fail(f"{type(error).__name__} for {str(state)[:80]}")
    with pytest.raises(ValueError, match="damaged"):
        policy_class.from_state(good | {"pinned": "zz"})
    assert policy_class.from_state(good).to_state() == good


def test_a_removed_arm_is_never_seen_again_but_has_taught():
    policy = bandit.ThompsonSampling(["a", "b", "c"], seed=1)
    for _time in range(30):
        policy.update("c", 1.0)
    policy.remove_arm("c")
    assert policy.arms == policy.eligible == ("a", "b")
    assert set(policy.estimates()) == {"a", "b"}
    assert {policy.choose().arm for _time in range(30)} <= {"a", "b"}
    assert policy.closed == 30
    with pytest.raises(ValueError, match="removed"):
        policy.resume("c")
    restored = bandit.ThompsonSampling.from_state(json.loads(json.dumps(policy.to_state())))
    assert restored.arms == ("a", "b")
    policy.remove_arm("a")
    with pytest.raises(ValueError, match="last one"):
        policy.remove_arm("b")


@pytest.mark.parametrize("weight", [1e6, 1e300, math.inf, math.nan, 0.0, -1.0])
def test_an_absurd_weight_is_refused_before_anything_moves(weight):
    policy = bandit.EpsilonGreedy(["a", "b"], seed=1)
    before = policy.to_state()
    with pytest.raises(ValueError, match="weight"):
        policy.update("a", 1.0, weight=weight)
    assert policy.to_state() == before
    assert policy.update("a", 1.0, weight=10_000.0)


def test_a_half_life_may_be_told_what_has_passed():
    policy = bandit.Uniform(["a", "b"], half_life=30.0, seed=1)
    for _time in range(200):
        policy.update("a", 1.0, elapsed=0.0)
    before = policy.estimates()["a"].rate
    for _time in range(60):
        policy.update("a", 0.0, elapsed=0.5)
    assert policy.estimates()["a"].rate < before
    policy.update("a", 0.0, elapsed=1e9)  # centuries: all before is as good as nothing
    assert all(math.isfinite(one.rate) for one in policy.estimates().values())
    with pytest.raises(ValueError, match="passed"):
        policy.update("a", 0.0, elapsed=-1.0)


def test_values_beyond_what_can_be_told_apart_share_one():
    policy = bandit.ThompsonSampling(["a", "b"], seed=1)
    for number in range(200):
        policy.update("ab"[number % 2], float(number % 2), {"niche": f"n{number}", "language": "pt"})
    state = policy.to_state()
    assert len(state["beliefs"]["features"]) <= 63
    unseen, late = ({"niche": name, "language": "pt"} for name in ("nobody's", "n199"))
    assert policy.estimates(unseen) == policy.estimates(late)
    assert bandit.ThompsonSampling.from_state(json.loads(json.dumps(state))).to_state() == state
