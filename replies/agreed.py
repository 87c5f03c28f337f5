"""What a reply agrees to with a bare "yes" or a nod: the customer's question is then part of what it says.

Called by the guards and by `doubts`.
"""

import re
from typing import Final

from .wording import content_words, plain, sentences, words, words_of

# A courtesy ("claro", "perfect") agrees to what was asked only where the reply says little else.
SHORT_WORDS: Final = 4
# Whoever answers a question in so few words, and denies and leaves nothing to anybody, agrees.
NOD_WORDS: Final = 5
_SIGNS: Final = re.compile("[👍👌✅✔💯🙌🤝🫡🆗☑]")
_ASKED: Final = re.compile(r"[?¿\s]+$")
_ASKS_OPENLY: Final = re.compile(
    r"^[\W_]*(?:e |y |and |mas |pero |but |oi |ola |hola |hi |hello )*"
    r"(?:qual|quais|quanto|quant[oa]s|quando|onde|como|quem|cual|cuales|cuanto|cuant[oa]s|cuando|donde|quien|"
    r"what|which|how|when|where|who|why)\b"
)


def agreed(reply: str, heard: str) -> tuple[str, ...]:
    """Give the customer's sentences, folded and without their question mark, that a reply says yes to."""
    folded = plain(reply).lstrip("¡¿!\"' ")
    told = sentences(plain(heard))
    asked = [part for part in told if "?" in part and not _ASKS_OPENLY.search(part)]
    if not _is_yes(folded) and not (asked and nods(reply, heard)):
        return ()
    meant = asked or [part for part in told[-1:] if "?" not in part]
    return tuple(_ASKED.sub("", part).lstrip("¿ ") for part in meant)


def nods(reply: str, heard: str) -> bool:
    """Tell whether a reply, its own questions left out, is a sign or a few words that agree with what was
    `heard`: no denial, figure or courtesy, nothing left to the team, nothing named of the question."""
    told = " ".join(part for part in sentences(plain(reply)) if "?" not in part)
    if not words(told):
        return bool(_SIGNS.search(reply))
    if len(words(told)) > NOD_WORDS or words_of("no_nod").search(told):
        return False
    return not content_words(told) & content_words(plain(heard))  # what is repeated is judged as it stands


def _is_yes(folded: str) -> bool:
    is_short = len(words(folded)) <= SHORT_WORDS
    return bool(words_of("agrees").match(folded) or (is_short and words_of("agrees_politely").match(folded)))
