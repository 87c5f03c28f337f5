"""The plain form of a reply, its sentences, and whether a sentence denies what it names.

Called by the guards. Disguises are taken off here (wide letters, spaced letters, digits for letters), so that
the guards read what a person would read.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

import yaml

from analysis.folding import fold

DATA: Final = Path(__file__).parent / "data"
DENIAL_REACH: Final = 8  # words between a negator and what it denies
LATE_DENIAL_REACH: Final = 4  # "desconto eu não tenho"
LISTED_WORDS: Final = 2  # "no cheques, cash or transfers" is one denial
ASIDE_WORDS: Final = 4  # a longer part between commas is a thought of its own

_SIGNS: Final = {"🔟": "10", "💯": "100", "🆓": " free "}
_SPACED: Final = re.compile(r"(?<![^\W_])[^\W\d_](?:[\s.\-_*·|/]{1,2}[^\W\d_]){3,}(?![^\W_])")
_MARKS: Final = re.compile(r"(?<=\w)[*~`](?=\w)|(?<!\w)[*_~`]+(?=\w)|(?<=[\w.!?,;:%)])[*_~`]+(?!\w)")
_ENDS: Final = re.compile(r"(?<=[.!?…。！？])[\s\"'”»)]+|\n+|(?<=[。！？])")
_LEET: Final = re.compile(r"\b(?=[a-z]*\d)(?=\d*[a-z]+\d*[a-z]|[a-z]{2})[a-z0-9$@]{4,}\b")
_LEET_LETTERS: Final = str.maketrans("013457$@", "oieastsa")
# "If you do not like it, we ..." denies nothing of what follows the comma.
_CONDITION: Final = re.compile(r"\b(?:se|si|if|caso|quando|cuando|when|unless)\b[^,;:.!?]{0,25}$")
# These carry a denial on and do not turn it round: "we take no cheques nor cash".
_AND_NOT: Final = frozenset({"ni", "nem", "nor"})
_ARTICLES: Final = frozenset("o a os as um uma el la los las un una the an".split())
_WORD: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)?")


@cache
def words_of(name: str) -> re.Pattern[str]:
    """Give a pattern of data/wording.yaml."""
    return re.compile(_data("wording")[name])


@cache
def claims_of(kind: str) -> tuple[re.Pattern[str], ...]:
    """Give the patterns of a kind of data/claims.yaml."""
    return tuple(re.compile(pattern) for pattern in _data("claims")[kind])


@lru_cache(maxsize=4096)
def plain(text: str) -> str:
    """Give the text as it is read: folded, without marks, disguised letters made plain."""
    for sign, digits in _SIGNS.items():
        text = text.replace(sign, digits)
    shown = fold(unicodedata.normalize("NFKC", text))
    shown = "".join(char for char in shown if not is_hidden(char))
    shown = _MARKS.sub("", shown)
    return _SPACED.sub(lambda run: re.sub(r"(?<=\w)[\s.\-_*·|/](?=\w)", "", run.group()), shown)


def unleet(folded: str) -> str:
    """Read digits inside words as the letters that they look like: "fr33" is free."""
    return _LEET.sub(lambda word: word.group().translate(_LEET_LETTERS), folded)


def is_hidden(char: str) -> bool:
    """Whether a character shows nothing or turns the direction; line ends and emoji joiners are fine."""
    return unicodedata.category(char) in ("Cc", "Cf", "Co", "Cs") and char not in "\n\t\u200d"


def is_spaced(text: str) -> re.Match[str] | None:
    """Find a word whose letters are pulled apart, which only a disguise does."""
    return _SPACED.search(text)


def sentences(folded: str) -> list[str]:
    return [part.strip() for part in _ENDS.split(folded) if part and part.strip()]


def words(folded: str) -> list[str]:
    return _WORD.findall(folded)


def is_denied(sentence: str, start: int, end: int, language: str) -> bool:
    """Whether the sentence denies what stands at start:end ("não temos desconto", "desconto não temos")."""
    before, after = sentence[:start], sentence[end:]
    if words_of("doubted").search(sentence):
        return False
    denials = _negators(before, language)
    if (
        sum(one.group() not in _AND_NOT for one in denials) > 1
        and len(words(before[denials[0].start() :])) <= DENIAL_REACH
        and "," not in before
    ):
        return False
    for found in denials:
        if words_of("false_negators").match(before, found.start()):
            continue
        between = before[found.end() :]
        if _CONDITION.search(before[: found.start()]) and "," in between:
            continue
        if _carries(between, DENIAL_REACH):
            return True
    for found in _negators(after, language):
        if words_of("false_negators").match(after, found.start()):
            continue
        between = after[: found.start()]
        if _CONDITION.search(between) or re.search(r"[,;:]", between):
            return False
        return _carries(between, LATE_DENIAL_REACH)
    return False


def is_negated(sentence: str, start: int, language: str) -> bool:
    """Whether a negator stands before a word and reaches it, read strictly: "you need no X" negates X."""
    before = sentence[:start]
    for found in _negators(before, language):
        between = before[found.end() :]
        parts = [words(part) for part in between.split(",")[1:]]
        is_list = all(len(part) <= LISTED_WORDS and not _ARTICLES.intersection(part[:1]) for part in parts)
        if is_list and _carries(between, DENIAL_REACH):
            return True
    return False


def _negators(part: str, language: str) -> list[re.Match[str]]:
    """Find the negators of a part; in Portuguese "no" is "in the"."""
    found = words_of("negators").finditer(part)
    return [one for one in found if language != "pt" or one.group() != "no"]


def _carries(between: str, reach: int) -> bool:
    """Whether a denial reaches across these words: few, no turn of thought, and nothing granted."""
    if re.search(r"[:;—–!?]| - ", between) or len(words(between)) > reach:
        return False
    if words_of("turns").search(between) or words_of("grants").search(between):
        return False
    parts = between.split(",")
    return all(len(words(part)) <= ASIDE_WORDS for part in parts[1:])


def is_only_mentioned(sentence: str, start: int) -> bool:
    """Whether a thing is only spoken about: the customer's wish, or a matter that others will settle."""
    before = sentence[:start]
    clause = before + re.split(r"[,;:—–]", sentence[start:])[0]
    if words_of("grants").search(sentence) or words_of("strong").search(clause) or re.search(r"\d", clause):
        return False
    if words_of("reflects").search(before) and not re.search(r"[:;—–]", before):
        return True
    lead = " ".join(words(before)[-6:])
    return bool(words_of("topics").search(lead) and words_of("defers").search(sentence))


def content_words(folded: str) -> frozenset[str]:
    """Give the longer words, each cut to its stem."""
    return frozenset(word[:6] for word in words(folded) if len(word) >= 3 and word not in _EMPTY)


def any_match(patterns: Iterable[re.Pattern[str]], text: str) -> re.Match[str] | None:
    return next((found for pattern in patterns if (found := pattern.search(text))), None)


_EMPTY: Final = frozenset(
    "que com por uma dos das nos seu sua los las del con una the and for you are has our not tem nao como "
    "para voce esse essa este esta isso aqui seus suas nosso nossa nossos temos mais muito pode quando todo "
    "toda todos tudo pelo pela como hoje agora esta estas para usted nuestro nuestra tenemos puede puedes "
    "cuando todo tambem tambien your yours with have this that from will here what when they them about into "
    "just only very more than been also there where which".split()
)


@cache
def _data(name: str) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load((DATA / f"{name}.yaml").read_text(encoding="utf-8"))
    return data
