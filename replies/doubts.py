"""Which sentences of a reply code cannot tie to a fact: those are worth a second model's judgement.

`ai_service` asks this of a reply that passed the guards. A sentence is tied when each of its words that mean
something stands in the facts or in the desk's everyday talk; what the customer said is no evidence. It is in
doubt, too, when the shop's nearest sentence says the opposite, or what it says is said of another thing only.
Tied is not yet true; untied is not yet false.
"""

import re
from typing import Final

from .agreed import agreed
from .amounts import price_text
from .everyday import everyday, leaves
from .facts import Facts
from .ties import is_of_another
from .told import is_turned
from .wording import content_words, plain, sentences, words_of

MAX_SENTENCES: Final = 20
_ASKS: Final = re.compile(r"\?[\s\"'”»)]*$")
# "The team can give you half back" leaves nothing to anybody.
_PROMISES: Final = re.compile(r"\d|%|\b(?:garant\w+ (?:que|a|o|el|la|the|you)|sempre|siempre|always)\b")
# What everyday words alone can claim: of the shop or of others as such, and that something is the most.
_BOASTS: Final = re.compile(
    r"\b(?:(?:a|nossa) loja|(?:la|nuestra) tienda|(?:the|our) (?:shop|store)|del[ea]s|ell[oa]s|theirs?|"
    r"noss[oa]s?|nuestr[oa]s?|ours)\b(?![^.!?]*\?)|"
    r"\b(?:o|a) que mais\b|\b(?:lo|la) que mas\b|\bthe (?:most|best)\b|"
    r"\b(?:o|a|el|la|los|las|os|as) (?:mais|mas|melhor\w*|mejor\w*) \w"
)
# That little or less is paid is said in words that everybody uses, and is a price all the same.
_PAYING: Final = (
    r"(?:pag[aou]\w*|pay\w*|cust\w+|cuest\w+|costs?|cobr\w+|charg\w+|"
    r"precos?|precios?|prices?|valor\w*|sai|sale)"
)
_LITTLE: Final = (
    r"(?:menos|less|lower|cheaper|pouc[oa]\w*|poc[oa]\w*|little|quase|casi|almost|hardly|"
    r"cai\w*|baj\w+|baix\w+)"
)
_CHEAPENS: Final = re.compile(
    rf"\b{_PAYING}\b[^.!?]{{0,40}}\b{_LITTLE}\b|\b{_LITTLE}\b[^.!?]{{0,40}}\b{_PAYING}\b|"
    r"\b(?:quase|casi|almost|next to|praticamente|practicamente|practically) (?:nada|nothing)\b|"
    r"\b(?:hardly|barely) anything\b"
)


def parts(text: str) -> tuple[str, ...]:
    """Give the sentences of a reply as they stand, to be numbered for a judge."""
    return tuple(sentences(text))[:MAX_SENTENCES]


def doubtful(text: str, facts: Facts, *, language: str, words: str = "") -> tuple[str, ...]:
    """Give the sentences that assert what code cannot tie to a fact; a yes asserts what the customer's
    `words` asked."""
    daily = everyday(language)
    known = _known(facts) | daily
    asserted = (*(part for part in parts(text) if not _is_harmless(part)), *agreed(text, words))
    return tuple(
        part
        for part in asserted
        if _untied(part, known)
        or _boasts(plain(part), facts, daily)
        or _CHEAPENS.search(plain(part))
        or is_turned(plain(part), facts.stated, daily, language)
        or is_of_another(plain(part), facts, language)
    )


def _is_harmless(sentence: str) -> bool:
    """Whether a sentence only asks, or leaves the matter to the team."""
    folded = plain(sentence)
    if _ASKS.search(sentence):
        return True
    return bool(
        words_of("defers").search(folded) and leaves().search(folded) and not _PROMISES.search(folded)
    )


def _untied(sentence: str, known: frozenset[str]) -> frozenset[str]:
    """Give the words that mean something and stand nowhere."""
    return frozenset(word for word in content_words(plain(sentence)) if not word.isdecimal()) - known


def _boasts(folded: str, facts: Facts, daily: frozenset[str]) -> bool:
    """Whether a sentence praises in everyday words alone: nothing in it is of what the shop has said."""
    return bool(_BOASTS.search(folded)) and not (content_words(folded) - daily) & _known(facts)


def _known(facts: Facts) -> frozenset[str]:
    told = [facts.business_name, facts.first_name, *facts.stated, *facts.urls, *facts.phones, *facts.emails]
    told += [product.name for product in facts.products]
    told += [price_text(product.price_minor, product.currency, "pt") for product in facts.products]
    if facts.order:
        told += [facts.order.number or "", *(line.name for line in facts.order.lines)]
    return frozenset().union(*(content_words(plain(text)) for text in told if text))
