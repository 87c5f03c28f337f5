"""The fixed rules of learning: who is held out, what may be said to whom, how long a sale is a decision's
merit.
"""

import hashlib
from datetime import timedelta
from typing import Final

from vocabulary import STRATEGIES

# Whoever buys because of a conversation mostly orders within a day or two; a week also catches who waits for
# pay day. It is an episode's longest life, too: what can no longer be credited must not go on, and as any
# silence of a week ends an episode with it, silence needs no rule of its own.
ATTRIBUTION_WINDOW: Final = timedelta(days=7)

FALLBACK: Final = "consultivo"
NEEDS_TRUE_FACT: Final = "escassez"
# Who is upset or complains is advised and informed, never pressed or moved.
CALM_STRATEGIES: Final = frozenset({"consultivo", "racional"})

SALE: Final = "sale"
REFUND: Final = "refund"
EXPIRED: Final = "expired"
REFUSAL: Final = "refusal"
# A person of the shop wrote before anything was ordered: what comes now is neither merit nor fault.
TAKEN_OVER: Final = "taken_over"
# Somebody who had chosen a strategy by hand lets the desk choose again.
RELEASED: Final = "released"
HARMS: Final = ("opt_out", "complaint", "hand_over")
ENDS_EPISODE: Final = (SALE, REFUSAL, TAKEN_OVER, RELEASED, "opt_out")

HOLDOUT_GRAIN: Final = 10_000
STATE_ID: Final = 1


class SteeringRefused(ValueError):
    """What an admin asked of the learning cannot be done; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def is_held_out(contact_id: int, share: float) -> bool:
    """Tell whether a contact belongs to the permanent hold-out: by hash, so that a larger share only adds."""
    digest = hashlib.blake2b(f"holdout:{contact_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % HOLDOUT_GRAIN < share * HOLDOUT_GRAIN


def allowed_strategies(*, facts_allow_scarcity: bool, is_upset: bool) -> frozenset[str]:
    """Give the shipped strategies that may speak now, and with them what builds on them: scarcity only with a
    true fact, nothing that presses to who is upset."""
    if is_upset:
        return CALM_STRATEGIES
    return frozenset(STRATEGIES) if facts_allow_scarcity else frozenset(STRATEGIES) - {NEEDS_TRUE_FACT}
