"""Where a customer stands on the way to a purchase, or None when the message says nothing of it.

Called by `analysis.read`.
"""

from typing import Final

from .judging import Message, Models, has_words

NO_SIGNAL: Final = "none"
LEAST_CONFIDENCE: Final = 0.35


def read_buying_signal(message: Message, models: Models) -> tuple[str | None, float]:
    """Name the buying signal and its confidence; None with the confidence that there is none."""
    if not has_words(message):
        return None, 0.95
    shares = models.of("buying_signal").judge(message.features)
    label = max(shares, key=lambda name: shares[name])
    if label == NO_SIGNAL:
        return None, round(shares[label], 4)
    if shares[label] < LEAST_CONFIDENCE:
        return None, round(max(shares[NO_SIGNAL], 1 - 2 * shares[label]), 4)
    return label, round(shares[label], 4)
