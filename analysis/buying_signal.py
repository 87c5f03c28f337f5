"""Where a customer stands on the way to a purchase, or None when the message says nothing of it.

Called by `analysis.read`.
"""

from typing import Final

from .judging import Message, Models, has_words

NO_SIGNAL: Final = "none"
AFTER_THE_SALE: Final = frozenset({"order_inquiry", "complaint", "support_ticket", "feedback"})
# A message of nothing but these says hello, thanks or yes; it is no step towards a purchase.
SOCIAL: Final = frozenset({"greet", "bye", "thanks", "affirm", "smalltalk", "praise", "emotion"})
SHOPPING: Final = "lead_inquiry"
SHOPPING_SILENCE: Final = 0.3  # who asks about the goods is rarely without any signal
LEAST_CONFIDENCE: Final = 0.3


def read_buying_signal(message: Message, models: Models, intent: str = "other") -> tuple[str | None, float]:
    """Name the buying signal and its confidence; None with the confidence that there is none.

    `intent` is what the message asks for, when that is sure; after the sale no signal is looked for.
    """
    if not has_words(message):
        return None, 0.95
    if intent in AFTER_THE_SALE or _is_social(message):
        return None, 0.9
    shares = models.judge("buying_signal", message, message.features)
    if intent == SHOPPING:
        shares = _without_silence(shares)
    label = max(shares, key=lambda name: shares[name])
    if label == NO_SIGNAL:
        return None, round(shares[label], 4)
    if shares[label] < LEAST_CONFIDENCE:
        return None, round(max(shares[NO_SIGNAL], 1 - 2 * shares[label]), 4)
    return label, round(shares[label], 4)


def _is_social(message: Message) -> bool:
    """Tell a greeting, thanks or yes; a text of unknown words may be anything."""
    return bool(message.concepts) and SOCIAL.issuperset(message.concepts)


def _without_silence(shares: dict[str, float]) -> dict[str, float]:
    lessened = {
        label: share * (SHOPPING_SILENCE if label == NO_SIGNAL else 1) for label, share in shares.items()
    }
    total = sum(lessened.values())
    return {label: share / total for label, share in lessened.items()}
