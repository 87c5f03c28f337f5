"""What service a message asks for: one of eight, or `other` when none is clear.

Called by `analysis.read`. Spam needs more proof than the rest: a customer silenced costs more than an
advert read.
"""

from typing import Final

from .judging import Message, Models, has_words

OTHER: Final = "other"
SPAM: Final = "spam"
LEAST_CONFIDENCE: Final = 0.3
# By how many marks of an advert stand in the text: none, one, more.
SPAM_CONFIDENCES: Final = (0.7, 0.5, 0.5)
_STRONG_MARKS: Final = frozenset({"url", "prize", "easymoney", "invest", "loan", "promo", "adult"})
_WEAK_MARKS: Final = frozenset({"click", "free"})
_SHOUTING: Final = 0.3
_SHOUTING_LENGTH: Final = 30


def read_intent(message: Message, models: Models) -> tuple[str, float]:
    """Name the service intent and its confidence."""
    if not has_words(message):
        return OTHER, 0.9
    shares = models.judge("intent", message, message.features)
    spam = (shares.pop(SPAM) + models.of(SPAM).judge(message.features)[SPAM]) / 2
    if spam >= SPAM_CONFIDENCES[min(2, _count_marks(message))]:
        return SPAM, round(spam, 4)
    total = sum(shares.values()) or 1.0
    shares = {label: share / total * (1 - spam / 2) for label, share in shares.items()}
    label = max(shares, key=lambda name: shares[name])
    if shares[label] < LEAST_CONFIDENCE:
        return OTHER, round(max(shares[OTHER], 1 - 2 * shares[label]), 4)
    return label, round(shares[label], 4)


def _count_marks(message: Message) -> int:
    strong = len(_STRONG_MARKS.intersection(message.concepts))
    weak = len(_WEAK_MARKS.intersection(message.concepts))
    shouts = message.tokens.capitals > _SHOUTING and message.tokens.length > _SHOUTING_LENGTH
    return 2 * strong + weak + shouts
