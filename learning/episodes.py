"""Which strategy a sales episode gets: sticky, within the guardrails, drawn by known probabilities.

`draw` reads and may run outside the turn's transaction; `keep` writes the decision inside it.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, exists, select

from config import Config
from learning import policies
from learning.policies import Kept, Standing, Told
from learning.rules import (
    ATTRIBUTION_WINDOW,
    CALM_STRATEGIES,
    ENDS_EPISODE,
    FALLBACK,
    RELEASED,
    allowed_strategies,
    is_held_out,
)
from models import Decision, Outcome, db
from statements import insert_or_ignore
from vocabulary import STRATEGIES

SEED_BITS: Final = 48
PROMPT_VERSION_MAX_CHARS: Final = 40
HOLDOUT: Final = "holdout"
BY_HAND: Final = "by_hand"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The strategy to write in. `propensity` is that of the episode's decision, None when a person chose.

    No `decision_id`: nothing is learnt from this reply (learning is off, or no arm may be chosen).
    """

    strategy: str
    decision_id: int | None = None
    propensity: float | None = None
    explored: bool = False


@dataclass(frozen=True, slots=True)
class Drawn:
    """A choice that is not written down yet, unless its episode has a decision."""

    chosen: Chosen
    columns: Mapping[str, Any] | None = None


def draw(
    conversation_id: int,
    contact_id: int,
    *,
    context: Mapping[str, str],
    facts_allow_scarcity: bool,
    is_upset: bool,
    config: Config,
    now: datetime,
    rng: random.Random,
    prompt_version: str = "",
    window: timedelta = ATTRIBUTION_WINDOW,
    is_demo: bool = False,
) -> Drawn:
    """Give the strategy of the conversation's open episode, or draw one for a new episode of `window`.

    Two indexed reads, writes nothing. An episode whose strategy may not be used just now (upset, or no true
    fact left) speaks in the fallback and stays as it is.
    """
    kept = policies.current(config)
    if kept.is_off:
        return Drawn(Chosen(FALLBACK))
    fallback = _fallback(kept)
    allowed = allowed_strategies(facts_allow_scarcity=facts_allow_scarcity, is_upset=is_upset)
    last = _last_decision(conversation_id)
    if last is not None and _goes_on(last, kept, now):
        strategy = last.strategy if last.strategy in allowed else fallback
        return Drawn(Chosen(strategy, last.id, last.propensity, last.explored))
    eligible = [arm for arm in kept.arms if not arm.is_paused and arm.strategy in allowed]
    if not eligible:
        return Drawn(Chosen(fallback))
    is_holdout = is_held_out(contact_id, config.learning_holdout)
    told = _uniform(eligible) if is_holdout else kept.tell(eligible, context)
    seed = rng.getrandbits(SEED_BITS)
    strategy = drawn_by(told.propensities, seed)
    propensity = told.propensities[strategy]
    explored = is_holdout or propensity < max(told.propensities.values())
    columns = {
        **_new_episode(conversation_id, contact_id, last, context, prompt_version, now, window),
        "is_demo": is_demo,
        "strategy": strategy,
        "version": next(arm.version for arm in eligible if arm.strategy == strategy),
        "eligible": [arm.strategy for arm in eligible],
        "propensities": told.propensities,
        "propensity": propensity,
        "epsilon": told.epsilon,
        "explored": explored,
        "policy": HOLDOUT if is_holdout else kept.name,
        "policy_version": kept.version,
        "seed": seed,
        "is_holdout": is_holdout,
    }
    return Drawn(Chosen(strategy, None, propensity, explored), columns)


def keep(drawn: Drawn, *, prompt_version: str = "") -> Chosen:
    """Write a new episode's decision down, with the prompt where that is known only now. Flushes."""
    if drawn.columns is None:
        return drawn.chosen
    decision = Decision(**drawn.columns)
    decision.prompt_version = prompt_version[:PROMPT_VERSION_MAX_CHARS] or decision.prompt_version
    db.session.add(decision)
    db.session.flush()
    return replace(drawn.chosen, decision_id=decision.id)


def choose_by_hand(
    conversation_id: int,
    contact_id: int,
    strategy: str,
    *,
    context: Mapping[str, str],
    config: Config,
    now: datetime,
    prompt_version: str = "",
    window: timedelta = ATTRIBUTION_WINDOW,
    is_demo: bool = False,
) -> Chosen:
    """Start an episode with the strategy that a person chose: logged without propensity, it trains nothing.

    Flushes. Raises ValueError for what is no strategy.
    """
    if strategy not in STRATEGIES:
        raise ValueError(f"no strategy: {strategy!r}")
    kept = policies.current(config)
    last = _last_decision(conversation_id)
    columns = {
        **_new_episode(conversation_id, contact_id, last, context, prompt_version, now, window),
        "is_demo": is_demo,
        "strategy": strategy,
        "version": next(arm.version for arm in kept.arms if arm.strategy == strategy),
        "policy": BY_HAND,
        "policy_version": kept.version,
        "is_manual": True,
    }
    return keep(Drawn(Chosen(strategy), columns))


def current_episode(conversation_id: int, *, config: Config, now: datetime) -> Decision | None:
    """Give the decision of a conversation's open episode, if any. Reads only."""
    last = _last_decision(conversation_id)
    if last is None or not _goes_on(last, policies.current(config), now):
        return None
    return db.session.get(Decision, last.id)


def let_choose(conversation_id: int, *, config: Config, now: datetime) -> bool:
    """Take a person's choice back: the next reply draws anew. False when none stands. Flushes."""
    episode = current_episode(conversation_id, config=config, now=now)
    if episode is None or not episode.is_manual:
        return False
    values = {"kind": RELEASED, "order_id": 0, "value_minor": 0, "currency": "", "at": now}
    db.session.execute(insert_or_ignore(Outcome).values(decision_id=episode.id, **values))
    return True


def drawn_by(propensities: Mapping[str, float], seed: int) -> str:
    """Draw an arm: whoever has a row of the log can draw it again."""
    point = random.Random(seed).random() * sum(propensities.values())
    for strategy, probability in propensities.items():
        point -= probability
        if point < 0.0:
            return strategy
    return max(propensities, key=propensities.__getitem__)


def _fallback(kept: Kept) -> str:
    """Give the strategy that speaks where the episode's may not: a calm one that does not rest."""
    open_ones = [arm.strategy for arm in kept.arms if not arm.is_paused and arm.strategy in CALM_STRATEGIES]
    return FALLBACK if FALLBACK in open_ones or not open_ones else open_ones[0]


def _uniform(eligible: list[Standing]) -> Told:
    return Told({arm.strategy: 1.0 / len(eligible) for arm in eligible}, None)


def _last_decision(conversation_id: int) -> Any | None:
    has_ended = exists().where(Outcome.decision_id == Decision.id, Outcome.kind.in_(ENDS_EPISODE))
    return db.session.execute(
        select(
            Decision.id,
            Decision.episode,
            Decision.strategy,
            Decision.version,
            Decision.propensity,
            Decision.explored,
            Decision.is_manual,
            Decision.closes_at,
            has_ended.label("has_ended"),
        )
        .where(Decision.conversation_id == conversation_id)
        .order_by(Decision.id.desc())
        .limit(1)
    ).first()


def _goes_on(last: Row[Any], kept: Kept, now: datetime) -> bool:
    """Whether an episode is open; a paused arm or a changed prompt ends it, but not a person's choice."""
    if last.has_ended or now >= last.closes_at:
        return False
    arm = next((arm for arm in kept.arms if arm.strategy == last.strategy), None)
    return bool(last.is_manual) or (arm is not None and not arm.is_paused and arm.version == last.version)


def _new_episode(
    conversation_id: int,
    contact_id: int,
    last: Row[Any] | None,
    context: Mapping[str, str],
    prompt_version: str,
    now: datetime,
    window: timedelta,
) -> dict[str, Any]:
    return {
        "conversation_id": conversation_id,
        "contact_id": contact_id,
        "episode": last.episode + 1 if last is not None else 1,
        "context": dict(context),
        "prompt_version": prompt_version,
        "created_at": now,
        "closes_at": now + window,
    }
