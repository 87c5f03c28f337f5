"""Where a customer stands on the way to a purchase, or None when the message says nothing of it.

Called by `analysis.read`.
"""

from typing import Final

from .classifier import modest
from .judging import Message, Models, is_bare, is_silent

NO_SIGNAL: Final = "none"
OTHER: Final = "other"
AFTER_THE_SALE: Final = frozenset({"order_inquiry", "complaint", "support_ticket", "feedback"})
# A message of nothing but these says hello, thanks or yes; it is no step towards a purchase.
SOCIAL: Final = frozenset({"greet", "bye", "thanks", "affirm", "smalltalk", "praise", "emotion"})
SHOPPING: Final = "lead_inquiry"
PRICE: Final = "price"
QUESTION: Final = "question"
# Who names a price and says nothing else of the purchase asks what it costs, whatever the product is called.
BARE_PRICE: Final = frozenset({"price", "greet", "thanks", "what", "whichq", "how", "rate"})
PRICE_CONFIDENCE: Final = 0.75
SHOPPING_SILENCE: Final = 0.3  # who asks about the goods is rarely without any signal, about the price never
NO_HURRY: Final = "nohurry"
LEAST_PUT_OFF: Final = 0.75  # "no hurry" alone is neither a no nor a doubt
LEAST_CONFIDENCE: Final = 0.35
# Where the message asks for nothing, a signal must be plain: a husband who came home is no objection.
LEAST_UNASKED: Final = 0.55
SURELY_UNASKED: Final = 0.6
_QUESTION_MARKS: Final = frozenset("?？")
AFTER_THE_SALE_CONFIDENCE: Final = 0.7  # some who report trouble also weigh the next purchase
SURE: Final = 0.8  # held-out lines of these examples: of what claims 0.95, 0.86 is right
BEYOND_SURE: Final = 0.4
SURE_BARE: Final = 0.85  # a word or two that no lexicon knows may be a name


def read_buying_signal(
    message: Message, models: Models, intent: str = OTHER, unasked: float = 0.0
) -> tuple[str | None, float]:
    """Name the buying signal and its confidence; None with the confidence that there is none.

    `intent` is what the message asks for, when that is sure; after the sale no signal is looked for.
    `unasked` tells how sure it is that the message asks for nothing.
    """
    if is_silent(message, models):
        return None, 0.95
    if _is_social(message):
        return None, 0.9
    if intent in AFTER_THE_SALE:
        return None, AFTER_THE_SALE_CONFIDENCE
    shares = models.judge("buying_signal", message, message.features)
    if intent == SHOPPING and PRICE in message.concepts and BARE_PRICE.issuperset(message.concepts):
        return QUESTION, round(max(shares[QUESTION], PRICE_CONFIDENCE), 4)
    if intent == SHOPPING:
        shares = _without_silence(shares, 0.0 if PRICE in message.concepts else SHOPPING_SILENCE)
    label = max(shares, key=lambda name: shares[name])
    sure = round(modest(shares[label], above=SURE, slope=BEYOND_SURE), 4)
    if label == NO_SIGNAL:
        return None, sure
    if NO_HURRY in message.concepts and shares[label] < LEAST_PUT_OFF:
        return None, round(1 - shares[label], 4)
    is_plain = unasked < SURELY_UNASKED or not _QUESTION_MARKS.isdisjoint(message.tokens.words)
    least = LEAST_CONFIDENCE if is_plain else LEAST_UNASKED
    if shares[label] < (SURE_BARE if is_bare(message) else least):
        return None, round(max(shares[NO_SIGNAL], 1 - 2 * shares[label]), 4)
    return label, sure


def _is_social(message: Message) -> bool:
    """Tell a greeting, thanks or yes; a text of unknown words may be anything."""
    return bool(message.concepts) and SOCIAL.issuperset(message.concepts)


def _without_silence(shares: dict[str, float], left: float) -> dict[str, float]:
    lessened = {label: share * (left if label == NO_SIGNAL else 1) for label, share in shares.items()}
    total = sum(lessened.values())
    return {label: share / total for label, share in lessened.items()}
