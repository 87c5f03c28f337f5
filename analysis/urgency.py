"""How soon a message needs an answer.

Called by `analysis.read`. What carries no sign at all is low: greetings and thanks are never urgent.
"""

from typing import Final

from .judging import Message, Models, is_bare, is_silent

LOW: Final = "low"
LEAST_CONFIDENCE: Final = 0.35
UNNAMED: Final = 0.7
# Where the message asks for nothing, haste must be plain: who comes "just now" from work is in no danger.
LEAST_UNASKED: Final = 0.6
SURELY_UNASKED: Final = 0.6
_ALARMS: Final = frozenset({"urgent", "danger", "outage", "blocked", "deadline", "today", "now"})
_DANGERS: Final = frozenset({"danger", "outage", "blocked"})
_PRESSING: Final = frozenset({"critical", "urgent", "high"})
# What calls for the next minute or hour mostly names why: a danger, an hour, something blocked.
_LOUD: Final = frozenset({"critical", "urgent"})


def read_urgency(message: Message, models: Models, unasked: float = 0.0) -> tuple[str, float]:
    """Name the urgency and its confidence; `unasked` tells how sure it is that nothing is asked for."""
    if is_silent(message, models) or (is_bare(message) and not models.knows(message)):
        return LOW, 0.95
    shares = models.judge("urgency", message, message.features)
    if _ALARMS.isdisjoint(message.concepts):
        shares = {label: share * (UNNAMED if label in _LOUD else 1.0) for label, share in shares.items()}
        total = sum(shares.values())
        shares = {label: share / total for label, share in shares.items()}
    label = max(shares, key=lambda name: shares[name])
    is_small_talk = unasked >= SURELY_UNASKED and _DANGERS.isdisjoint(message.concepts)
    is_faint = label in _PRESSING and is_small_talk and shares[label] < LEAST_UNASKED
    if is_faint or shares[label] < LEAST_CONFIDENCE:
        calmer = "medium" if shares[LOW] < shares["medium"] else LOW
        return calmer, round(max(shares[calmer], LEAST_CONFIDENCE), 4)
    return label, round(shares[label], 4)
