"""How a message feels: one of six, and a score from -1 to 1.

Called by `analysis.read`. Negation, stretched words, capitals and emoji are features of the model; this
room only weighs its shares.
"""

from typing import Final

from .classifier import modest
from .judging import Message, Models, is_bare, is_silent

NEUTRAL: Final = "neutral"
LEAST_CONFIDENCE: Final = 0.26
# The surer it is that nothing is asked for, the surer a feeling must be that no word names.
UNASKED_SHARE: Final = 0.45
LEAST_NAMED: Final = 0.2  # where a word or a sign of feeling stands
SURE: Final = 0.7  # strangers' feelings are read right at most four times in five: claim no more
BEYOND_SURE: Final = 0.33
SURE_BARE: Final = 0.7  # a word or two that no lexicon knows may be a name
# Three labels are bad and one is neutral: their shares are set against each other at these odds, and a text
# that names no feeling leans to neutral.
_ODDS: Final = {"good": 1.0, "neutral": 0.9, "bad": 0.8}
_NO_FEELING_ODDS: Final = 1.4
_WEIGHTS: Final = {
    "positive": 0.7,
    "excited": 1.0,
    "neutral": 0.0,
    "negative": -0.6,
    "frustrated": -0.7,
    "angry": -1.0,
}
# Thanks and praise in passing are kind, and no feeling yet.
_KIND: Final = frozenset({"thanks", "praise", "joy", "love"})
_KIND_SCORE: Final = 0.2
# A thoughtful face, a "not" and a "very" alone are neither good nor bad.
_SIDELESS: Final = frozenset({"wonder", "plain", "very", "negate"})
_SIDES: Final = {
    "positive": "good",
    "excited": "good",
    "neutral": "neutral",
    "negative": "bad",
    "frustrated": "bad",
    "angry": "bad",
}


def read_sentiment(message: Message, models: Models, unasked: float = 0.0) -> tuple[str, float, float]:
    """Name the sentiment, its confidence and the score; `unasked`: how sure it is that nothing is asked."""
    if is_silent(message, models) and not (message.has_emoji and set(message.feelings) - _SIDELESS):
        return NEUTRAL, 0.9, _KIND_SCORE if _KIND.intersection(message.feelings) else 0.0
    shares = models.judge("sentiment", message, message.feeling_features)
    score = round(sum(_WEIGHTS[label] * share for label, share in shares.items()), 4)
    sides = {
        side: sum(share for label, share in shares.items() if _SIDES[label] == side)
        for side in _SIDES.values()
    }
    lean = _NO_FEELING_ODDS if _SIDELESS.issuperset(message.feelings) else 1.0
    side = max(sides, key=lambda name: sides[name] * _ODDS[name] * (lean if name == NEUTRAL else 1.0))
    label = max((name for name in shares if _SIDES[name] == side), key=lambda name: shares[name])
    if shares[label] < _least(message, unasked):
        return NEUTRAL, round(max(shares[NEUTRAL], LEAST_CONFIDENCE), 4), score
    return label, round(modest(shares[label], above=SURE, slope=BEYOND_SURE), 4), score


def _least(message: Message, unasked: float) -> float:
    """Give how sure the model must be before a feeling is named."""
    if is_bare(message):
        return SURE_BARE
    if _SIDELESS.issuperset(message.feelings):
        return max(LEAST_CONFIDENCE, UNASKED_SHARE * unasked)
    return LEAST_NAMED
