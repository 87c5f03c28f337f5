"""Keeps the bandit: which strategy a sales episode gets, what came of it, and what that teaches.

The log (`decisions`, `outcomes`) is the truth; the policy's state is worked out of it and can be rebuilt at
any time. `writing` draws and the pipeline keeps a decision, the shop credits sales, `tasks` closes what has
matured, the learning page steers. Every verb flushes and none commits.
"""

from learning.absorbing import Absorbed, rebuild
from learning.arms import Standing, standings
from learning.closing import close_decisions
from learning.credit import credit_sale, note, reverse_sale
from learning.episodes import Chosen, Drawn, choose_by_hand, current_episode, draw, keep, let_choose
from learning.rules import (
    ATTRIBUTION_WINDOW,
    CALM_STRATEGIES,
    FALLBACK,
    HARMS,
    SteeringRefused,
    is_held_out,
)
from learning.versions import notice

__all__ = [
    "ATTRIBUTION_WINDOW",
    "CALM_STRATEGIES",
    "FALLBACK",
    "HARMS",
    "Absorbed",
    "Chosen",
    "Drawn",
    "Standing",
    "SteeringRefused",
    "choose_by_hand",
    "close_decisions",
    "credit_sale",
    "current_episode",
    "draw",
    "is_held_out",
    "keep",
    "let_choose",
    "note",
    "notice",
    "rebuild",
    "reverse_sale",
    "standings",
]
