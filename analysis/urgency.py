"""How soon a message needs an answer.

Called by `analysis.read`. What carries no sign at all is low: greetings and thanks are never urgent.
"""

from typing import Final

from .judging import Message, Models, has_words

LOW: Final = "low"
LEAST_CONFIDENCE: Final = 0.35
_ALARMS: Final = frozenset({"urgent", "danger", "outage", "blocked", "deadline", "today", "now"})
# Without one of these a message gives no reason to hurry.
_REASONS: Final = _ALARMS | {
    "missing",
    "late",
    "waiting",
    "broken",
    "damaged",
    "noreply",
    "charge",
    "again",
    "crash",
    "login",
    "wrong",
    "refund",
    "cancel",
    "report",
    "soon",
    "slow",
    "shame",
    "deliver",
    "arrive",
    "timeword",
    "problem",
    "balance",
}
_PRESSING: Final = frozenset({"critical", "urgent", "high"})
_LOUD: Final = frozenset({"critical", "urgent"})


def read_urgency(message: Message, models: Models) -> tuple[str, float]:
    """Name the urgency and its confidence."""
    if not has_words(message):
        return LOW, 0.95
    shares = models.judge("urgency", message, message.features)
    if _REASONS.isdisjoint(message.concepts):
        shares = {label: 0.0 if label in _PRESSING else share for label, share in shares.items()}
        total = sum(shares.values())
        shares = {label: share / total for label, share in shares.items()}
    elif _ALARMS.isdisjoint(message.concepts):
        shares = {label: share * (0.4 if label in _LOUD else 1.0) for label, share in shares.items()}
        total = sum(shares.values())
        shares = {label: share / total for label, share in shares.items()}
    label = max(shares, key=lambda name: shares[name])
    if shares[label] < LEAST_CONFIDENCE:
        return ("medium" if shares[LOW] < shares["medium"] else LOW), round(shares[label], 4)
    return label, round(shares[label], 4)
