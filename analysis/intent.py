"""What service a message asks for: one of eight, or `other` when none is clear.

Called by `analysis.read`. Spam needs more proof than the rest: a customer silenced costs more than an
advert read.
"""

from typing import Final

from .judging import Message, Models, is_bare, is_silent, own_words

OTHER: Final = "other"
SPAM: Final = "spam"
NOTICE: Final = "notice"  # an automated message speaks of itself as one
DOUBTS: Final = "doubts"  # "is this from you?": asked by who got an advert, not by who sends it
LEAST_CONFIDENCE: Final = 0.3
SURE_BARE: Final = 0.85  # a word or two that no lexicon knows may be a name
# By how many marks of an advert stand in the text: none, one, more.
SPAM_CONFIDENCES: Final = (0.82, 0.45, 0.35)
# What it may claim at most: with no mark it may be a customer's address or "call my wife", with one a
# customer who shouts or asks what is free. Neither is sure enough to be silent.
SUREST_SPAM: Final = (0.55, 0.75, 1.0)
_STRONG_MARKS: Final = frozenset({"prize", "easymoney", "invest", "loan", "promo", "adult"})
# Customers send links too: to a receipt, a place, a picture.
_WEAK_MARKS: Final = frozenset({"url", "click", "free"})
# "Are you free on Monday?"
_DATED: Final = frozenset({"timeword", "agenda", "book"})
_HAS_TIME: Final = frozenset({"free"})
_SHOUTING: Final = 0.3
_SHOUTING_LENGTH: Final = 30


def read_intent(message: Message, models: Models) -> tuple[str, float]:
    """Name the service intent and its confidence."""
    if is_silent(message, models):
        return OTHER, 0.9
    shares = models.judge("intent", message, message.features)
    own = own_words(message)  # an advert that a customer quotes to ask about it is no advert of hers
    said = shares.pop(SPAM)
    if own is not message:
        said = models.judge("intent", own, own.features)[SPAM]
    spam = (said + models.of(SPAM).judge(own.voice_features)[SPAM]) / 2
    marks = 0 if DOUBTS in own.voice else _count_marks(own)
    if spam >= SPAM_CONFIDENCES[marks] and not message.tells_danger:
        return SPAM, round(min(spam, SUREST_SPAM[marks]), 4)
    total = sum(shares.values()) or 1.0
    shares = {label: share / total * (1 - spam / 2) for label, share in shares.items()}
    label = max(shares, key=lambda name: shares[name])
    if shares[label] < (SURE_BARE if is_bare(message) else LEAST_CONFIDENCE):
        return OTHER, round(max(shares[OTHER], 1 - 2 * shares[label]), 4)
    return label, round(shares[label], 4)


def _count_marks(message: Message) -> int:
    """Count up to two; however many weak ones are one: a customer tells of a link for a free lesson, too."""
    strong = len(_STRONG_MARKS.intersection(message.concepts)) + (NOTICE in message.voice)
    is_dated = not _DATED.isdisjoint(message.concepts)
    weak = len(_WEAK_MARKS.intersection(message.concepts) - (_HAS_TIME if is_dated else frozenset()))
    shouts = message.tokens.capitals > _SHOUTING and message.tokens.length > _SHOUTING_LENGTH
    return 2 if strong else min(1, weak + shouts)
