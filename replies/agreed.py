"""What a reply agrees to with a bare "yes": the customer's question is then part of what it says.

Called by the guards and by `doubts`.
"""

import re
from typing import Final

from .wording import plain, sentences, words, words_of

# A courtesy ("claro", "perfect") agrees to what was asked only where the reply says little else.
SHORT_WORDS: Final = 4
_ASKED: Final = re.compile(r"[?¿\s]+$")
_ASKS_OPENLY: Final = re.compile(
    r"^[\W_]*(?:e |y |and |mas |pero |but |oi |ola |hola |hi |hello )*"
    r"(?:qual|quais|quanto|quant[oa]s|quando|onde|como|quem|cual|cuales|cuanto|cuant[oa]s|cuando|donde|quien|"
    r"what|which|how|when|where|who|why)\b"
)


def agreed(reply: str, heard: str) -> tuple[str, ...]:
    """Give the customer's sentences, folded and without their question mark, that a reply says yes to."""
    folded = plain(reply).lstrip("¡¿!\"' ")
    is_yes = words_of("agrees").match(folded)
    if not is_yes and not (words_of("agrees_politely").match(folded) and len(words(folded)) <= SHORT_WORDS):
        return ()
    told = sentences(plain(heard))
    asked = [part for part in told if "?" in part and not _ASKS_OPENLY.search(part)]
    meant = asked or [part for part in told[-1:] if "?" not in part]
    return tuple(_ASKED.sub("", part).lstrip("¿ ") for part in meant)
