"""Which of the ten languages a text is in."""

from .folding import fold
from .numbers import guess_script

_COMMON = {
    "pt": "o a de que nao e um uma para com voce meu quero obrigado oi ola bom dia quanto custa tem sim esta ta".split(),
    "es": "el la de que no y un una para con usted mi quiero gracias hola buenos cuanto cuesta tiene si esta donde".split(),
    "en": "the a of that not and is for with you my want thanks hello hi how much does have yes i to it".split(),
    "fr": "le la de que pas et un une pour avec vous mon veux merci bonjour combien est oui je les".split(),
    "de": "der die das nicht und ein eine fur mit sie mein will danke hallo wie viel ist ja ich".split(),
    "it": "il la di che non e un una per con lei mio voglio grazie ciao quanto costa si sono".split(),
}


def identify(text: str, *, prior: str | None = None) -> tuple[str, float]:
    """Name the language and how sure that is."""
    if script := guess_script(text):
        return script, 0.95
    words = fold(text).split()
    hits = {language: sum(word in common for word in words) for language, common in _COMMON.items()}
    best = max(hits, key=lambda language: hits[language])
    if not hits[best]:
        return prior or "en", 0.3
    return best, 0.7
