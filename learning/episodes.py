"""Which strategy a sales episode gets: sticky, within the guardrails, drawn by known probabilities.

`draw` reads and may run outside the turn's transaction; `keep` writes the decision inside it.
"""

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import Row, exists, select

from config import Config
from learning import policies
from learning.arms import Standing
from learning.policies import Kept, Told
from learning.rules import (
    ATTRIBUTION_WINDOW,
    CALM_STRATEGIES,
    ENDS_EPISODE,
    FALLBACK,
    RELEASED,
    allowed_strategies,
    is_held_out,
)
from learning.versions import NICHE
from models import Decision, Outcome, db
from replies.manners import Manner
from statements import insert_or_ignore

SEED_BITS: Final = 48
PROMPT_VERSION_MAX_CHARS: Final = 40
HOLDOUT: Final = "holdout"
BY_HAND: Final = "by_hand"

ADVISING: Final = Manner(FALLBACK)

Unlogged = Literal["", "off", "no_arm"]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The strategy to write in. `propensity` is that of the episode's decision, None when a person chose.

    `stands_in_for`: the episode's own strategy, which may not speak just now; then there is no propensity.
    No `decision_id`: nothing is learnt from this reply, for the reason in `unlogged` (off: the learning is
    switched off; no_arm: every strategy that may speak is paused, and the fallback speaks all the same).
    """

    strategy: str
    decision_id: int | None = None
    propensity: float | None = None
    explored: bool = False
    manner: Manner = ADVISING
    stands_in_for: str = ""
    unlogged: Unlogged = ""


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
        return Drawn(_spoken(kept, FALLBACK, unlogged="off"))
    allowed = allowed_strategies(facts_allow_scarcity=facts_allow_scarcity, is_upset=is_upset)
    last = _last_decision(conversation_id)
    if last is not None and _goes_on(last, kept, now):
        return Drawn(_going_on(last, kept, allowed))
    eligible = [arm for arm in kept.arms if not arm.is_paused and arm.kind in allowed]
    if not eligible:
        return Drawn(_spoken(kept, _fallback(kept), unlogged="no_arm"))
    is_holdout = is_held_out(contact_id, config.learning_holdout)
    told = _uniform(eligible) if is_holdout else kept.tell(eligible, context)
    seed = rng.getrandbits(SEED_BITS)
    strategy = drawn_by(told.propensities, seed)
    propensity = told.propensities[strategy]
    explored = is_holdout or propensity < max(told.propensities.values())
    columns = {
        **_new_episode(conversation_id, contact_id, last, context, prompt_version, now, window),
        **_versions(kept, strategy, context),
        "is_demo": is_demo,
        "strategy": strategy,
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
    chosen = replace(_spoken(kept, strategy), propensity=propensity, explored=explored)
    return Drawn(chosen, columns)


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
    kept = policies.current(config)
    if strategy not in {arm.strategy for arm in kept.arms if not arm.is_retired}:
        raise ValueError(f"no strategy: {strategy!r}")
    last = _last_decision(conversation_id)
    columns = {
        **_new_episode(conversation_id, contact_id, last, context, prompt_version, now, window),
        **_versions(kept, strategy, context),
        "is_demo": is_demo,
        "strategy": strategy,
        "policy": BY_HAND,
        "policy_version": kept.version,
        "is_manual": True,
    }
    return keep(Drawn(_spoken(kept, strategy), columns))


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
    """Give the strategy that speaks where the episode's may not: a calm one that does not rest, and where
    all rest the advising one, since a customer waits."""
    open_ones = [arm.strategy for arm in kept.arms if not arm.is_paused and arm.kind in CALM_STRATEGIES]
    return FALLBACK if FALLBACK in open_ones or not open_ones else open_ones[0]


def _going_on(last: Row[Any], kept: Kept, allowed: Collection[str]) -> Chosen:
    """Speak in the episode's strategy, or in the one that stands in for it just now."""
    arm = _arm(kept, last.strategy)
    if arm.kind in allowed:
        chosen = _spoken(kept, arm.strategy)
        return replace(chosen, decision_id=last.id, propensity=last.propensity, explored=last.explored)
    return replace(_spoken(kept, _fallback(kept)), decision_id=last.id, stands_in_for=last.strategy)


def _spoken(kept: Kept, strategy: str, *, unlogged: Unlogged = "") -> Chosen:
    return Chosen(strategy, manner=_arm(kept, strategy).manner, unlogged=unlogged)


def _arm(kept: Kept, strategy: str) -> Standing:
    return next((arm for arm in kept.arms if arm.strategy == strategy), Standing(FALLBACK))


def _versions(kept: Kept, strategy: str, context: Mapping[str, str]) -> dict[str, int]:
    """Say in which version of its words and of its niche's prices a strategy sells."""
    offer = kept.offers.get(context.get(NICHE, ""), 1)
    return {"version": _arm(kept, strategy).version, "offer_version": offer}


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
    """Whether an episode is open; a paused arm or a changed prompt ends it, but not a person's choice, nor
    another price: nobody is spoken to in another way for that."""
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
