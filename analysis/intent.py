"""What service a message asks for: one of eight, or `other` when none is clear.

Called by `analysis.read`. Spam needs more proof than the rest: a customer silenced costs more than an advert read.
"""

from typing import Final

from .judging import Message, Models, has_words

OTHER: Final = "other"
LEAST_CONFIDENCE: Final = 0.3
SPAM_UNMARKED_CONFIDENCE: Final = 0.8
SPAM_CONFIDENCE: Final = 0.35
# What adverts carry and customers rarely do.
_SPAM_MARKS: Final = frozenset(
    {"url", "prize", "easymoney", "invest", "loan", "promo", "adult", "click", "free"}
)


def read_intent(message: Message, models: Models) -> tuple[str, float]:
    """Name the service intent and its confidence."""
    if not has_words(message):
        return OTHER, 0.9
    shares = models.of("intent").judge(message.features)
    if shares["spam"] == max(shares.values()) and not _is_spam(message, shares["spam"]):
        spam = shares.pop("spam")
        total = 1 - spam or 1.0
        shares = {label: share / total * (1 - spam / 2) for label, share in shares.items()}
    label = max(shares, key=lambda name: shares[name])
    if shares[label] < LEAST_CONFIDENCE:
        return OTHER, round(max(shares[OTHER], 1 - 2 * shares[label]), 4)
    return label, round(shares[label], 4)


def _is_spam(message: Message, share: float) -> bool:
    marked = not _SPAM_MARKS.isdisjoint(message.concepts)
    return share >= (SPAM_CONFIDENCE if marked else SPAM_UNMARKED_CONFIDENCE)
