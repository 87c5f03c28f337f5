"""How a message feels: one of six, and a score from -1 to 1.

Called by `analysis.read`. Negation, stretched words, capitals and emoji are features of the model; this
room only weighs its shares.
"""

from typing import Final

from .judging import Message, Models, has_words

NEUTRAL: Final = "neutral"
LEAST_CONFIDENCE: Final = 0.28
# Three labels are bad and one is neutral: their shares are set against each other at these odds, and a text
# that names no feeling leans to neutral.
_ODDS: Final = {"good": 1.0, "neutral": 1.2, "bad": 0.8}
_NO_FEELING_ODDS: Final = 1.2
_WEIGHTS: Final = {
    "positive": 0.7,
    "excited": 1.0,
    "neutral": 0.0,
    "negative": -0.6,
    "frustrated": -0.7,
    "angry": -1.0,
}
_SIDES: Final = {
    "positive": "good",
    "excited": "good",
    "neutral": "neutral",
    "negative": "bad",
    "frustrated": "bad",
    "angry": "bad",
}


def read_sentiment(message: Message, models: Models) -> tuple[str, float, float]:
    """Name the sentiment, its confidence and the score."""
    if not has_words(message):
        return NEUTRAL, 0.9, 0.0
    shares = models.judge("sentiment", message, message.feeling_features)
    score = round(sum(_WEIGHTS[label] * share for label, share in shares.items()), 4)
    sides = {
        side: sum(share for label, share in shares.items() if _SIDES[label] == side)
        for side in _SIDES.values()
    }
    lean = 1.0 if message.feelings else _NO_FEELING_ODDS
    side = max(sides, key=lambda name: sides[name] * _ODDS[name] * (lean if name == NEUTRAL else 1.0))
    label = max((name for name in shares if _SIDES[name] == side), key=lambda name: shares[name])
    if shares[label] < LEAST_CONFIDENCE and not message.feelings:
        return NEUTRAL, round(max(shares[NEUTRAL], LEAST_CONFIDENCE), 4), score
    return label, round(shares[label], 4), score
