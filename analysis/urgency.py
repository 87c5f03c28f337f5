"""How soon a message needs an answer.

Called by `analysis.read`. What carries no sign at all is low: greetings and thanks are never urgent.
"""

from typing import Final

from .judging import Message, Models, is_bare, is_silent

LOW: Final = "low"
CRITICAL: Final = "critical"
URGENT: Final = "urgent"
NO_HURRY: Final = "nohurry"
PLEA: Final = "plea"
DENIED: Final = "denied"
QUESTION_MARKS: Final = frozenset({"?", "？"})
LEAST_CONFIDENCE: Final = 0.35
LEAST_PRESSING: Final = 0.4
UNNAMED: Final = 0.7
CALMED: Final = 0.03  # what is left of haste where the words deny it: "no rush", a smoke detector
DANGER_CONFIDENCE: Final = 0.8  # of what a named danger claims at least
PLEA_CONFIDENCE: Final = 0.8  # of what is plainly called urgent, whatever the rest of the message is about
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
    if message.tells_danger:
        # A child who swallowed a battery is told in calm words too: to miss it would cost most of all.
        return CRITICAL, round(max(shares[CRITICAL], DANGER_CONFIDENCE), 4)
    is_denied = DENIED in message.pleas
    is_calm = is_denied or message.is_harmless or NO_HURRY in message.concepts
    if is_calm or _ALARMS.isdisjoint(message.concepts):
        left, loud = (CALMED**2 if is_denied else CALMED, _PRESSING) if is_calm else (UNNAMED, _LOUD)
        shares = {label: share * (left if label in loud else 1.0) for label, share in shares.items()}
        total = sum(shares.values())
        shares = {label: share / total for label, share in shares.items()}
    label = max(shares, key=lambda name: shares[name])
    is_plea = PLEA in message.pleas and not is_calm and message.tokens.words[-1] not in QUESTION_MARKS
    if is_plea and shares[CRITICAL] < PLEA_CONFIDENCE:
        return URGENT, round(max(shares[CRITICAL] + shares[URGENT], PLEA_CONFIDENCE), 4)
    is_small_talk = unasked >= SURELY_UNASKED and _DANGERS.isdisjoint(message.concepts)
    least = LEAST_UNASKED if is_small_talk else LEAST_PRESSING
    is_faint = label in _PRESSING and shares[label] < least
    if is_faint or shares[label] < LEAST_CONFIDENCE:
        calmer = "medium" if shares[LOW] < shares["medium"] else LOW
        return calmer, round(max(shares[calmer], LEAST_CONFIDENCE), 4)
    return label, round(shares[label], 4)
