"""What a classifier sees of a text: words, parts of words, concepts that all languages share, and marks.

Called by `train` and by every labelling reader. A concept ("order", "broken", "where") is named in each
language by a lexicon, so that what is learnt from examples in one language holds for the others.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final
from zlib import crc32

from .folding import fold
from .lexicons import load

HASH_BITS: Final = 17
_MASK: Final = (1 << HASH_BITS) - 1
MAX_TOKENS: Final = 120  # a chat message; the tail of a longer text adds nothing
SHORT_LENGTH: Final = 20  # below this, capitals and digits are chance
MAX_PAIRED: Final = 10
DENIAL: Final = "negate"
DENIAL_REACH: Final = 3  # words after a "not" that it turns round
NEAR_BEFORE: Final = 1  # characters between a "not" and the word it turns, in unspaced writing
NEAR_AFTER: Final = 1
TURNED: Final = frozenset(
    {"joy", "love", "praise", "excite", "hope", "annoy", "fear", "pain", "disappoint", "sad"}
)
MAX_PHRASE_WORDS: Final = 5
NEGATED_LENGTH: Final = 5  # of an Arabic word that may hide a "not" around it
CONCEPT_WEIGHT: Final = 1.6
PAIR_WEIGHT: Final = 0.8
FEELINGS: Final = "feelings"
DANGERS: Final = "dangers"
PLEAS: Final = "pleas"
UNSPACED: Final = frozenset({"zh", "ja", "ko"})

_TOKEN: Final = re.compile(
    r"(?P<url>(?:https?://|www\.|(?<![a-z0-9])[a-z0-9-]+\.(?:com|net|org|io|ly|xyz|top|br|ru|info|me|co|shop|site|link|cc"
    r"|online|vip|club|app)(?![a-z0-9]))[^\s\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]*)"
    r"|(?P<mail>[\w.+-]+@[\w-]+\.[\w.]+)"
    r"|(?P<number>[$€£¥₩]?\d[\d.,:/]*\d|[$€£¥₩]?\d)"
    r"|(?P<unspaced>[\u3040-\u30ff\u3400-\u9fff]+)"
    r"|(?P<word>[^\W\d_]+(?:'[^\W\d_]+)?)"
    r"|(?P<mark>[?!？！¿¡…]|\.{2,})"
    r"|(?P<emoji>[\U0001F300-\U0001FAFF\u2600-\u27BF❤])"
)
_LONG: Final = re.compile(r"(.)\1{2,}")
_SHOUTED: Final = re.compile(r"\b[A-Z]{2,}\b")
_ARABIC_HEAD: Final = re.compile(r"^(?:و|ف)?(?:بال|ال|لل|كال|ب|ل|ف|و|ه)")
# "He, you, we" before a verb, with "will" or "is now" before that.
_ARABIC_VERB: Final = re.compile(r"^(?:[بهحسك])?[يتنا](?=\w{3})")
# A pronoun or a plural's ending, after three letters at least.
_ARABIC_TAIL: Final = re.compile(r"(?<=\w{3})(?:كم|هم|ها|نا|ني|ين|ون|ات|ك|ه|ي|وا|و)$")


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a folded text in order, each with its kind."""

    words: tuple[str, ...]
    kinds: tuple[str, ...]
    has_long_letters: bool
    capitals: float
    shouted: int  # words in capitals
    figures: float  # the share of digits
    length: int


@dataclass(frozen=True)
class _Lexicon:
    exact: dict[str, tuple[str, ...]]
    stems: dict[str, tuple[str, ...]]
    phrases: dict[str, tuple[str, ...]]  # by first word: the phrases, longest first
    phrase_concepts: dict[str, tuple[str, ...]]
    longest_stem: int
    anywhere: frozenset[str]  # Korean syllables that mean the same inside a word


def tokenize(text: str) -> Tokens:
    """Cut a text into tokens; stretched letters ("sooo") are one letter again."""
    folded = fold(text)
    squeezed = _LONG.sub(r"\1", folded)
    words: list[str] = []
    kinds: list[str] = []
    for match in _TOKEN.finditer(squeezed):
        kind = match.lastgroup or "word"
        words.append(match.group())
        kinds.append(kind)
        if len(words) >= MAX_TOKENS:
            break
    letters = [character for character in text[:400] if character.isalpha()]
    capitals = sum(character.isupper() for character in letters) / len(letters) if letters else 0.0
    return Tokens(
        tuple(words),
        tuple(kinds),
        bool(_LONG.search(re.sub(r"[\W\d]+", " ", folded))),
        capitals,
        len(_SHOUTED.findall(text)),
        sum(character.isdigit() for character in text) / max(1, len(text)),
        len(text),
    )


def find_concepts(tokens: Tokens, languages: tuple[str, ...], lexicon: str = "concepts") -> list[str]:
    """Name the concepts of a text in order, by the lexicons of the given languages."""
    found: list[str] = []
    position, denied_until = 0, 0
    while position < len(tokens.words):
        names, width = _concepts_at(tokens, position, languages, lexicon)
        if tokens.kinds[position] == "mark":
            denied_until = 0
        if position < denied_until:
            names = [f"not {name}" if name in TURNED else name for name in names]
        found += [name for name in names if name not in found]
        position += width
        if DENIAL in names and _is_spaced(tokens.words[position - 1]):
            denied_until = position + DENIAL_REACH
    return found


def extract(
    text: str, languages: tuple[str, ...], lexicons: tuple[str, ...] = ("concepts",)
) -> dict[int, float]:
    """Give the hashed features of a text with their weights, scaled to length one."""
    tokens = tokenize(text)
    return weigh(surface(tokens), {name: find_concepts(tokens, languages, name) for name in lexicons})


def weigh(surface_features: dict[int, float], concepts: Mapping[str, Sequence[str]]) -> dict[int, float]:
    """Add the concepts of each lexicon, and their pairs, to a text's surface; scaled to length one."""
    features = dict(surface_features)
    for lexicon, names in concepts.items():
        for name in names:
            features[_hash(f"c:{name}")] = CONCEPT_WEIGHT
        paired = sorted(names[:MAX_PAIRED])
        for index, first in enumerate(paired):
            for second in paired[index + 1 :]:
                features[_hash(f"cc:{first}+{second}")] = PAIR_WEIGHT
        if not names:
            features[_hash(f"none:{lexicon}")] = CONCEPT_WEIGHT
    norm = sum(value * value for value in features.values()) ** 0.5 or 1.0
    return {feature: value / norm for feature, value in features.items()}


def surface(tokens: Tokens) -> dict[int, float]:
    """Hash what stands in the text itself: words, their parts and neighbours, marks."""
    return {crc32(name.encode()) & _MASK: 1.0 for name in _surface(tokens)}


@cache
def _hash(name: str) -> int:
    return crc32(name.encode()) & _MASK


def _surface(tokens: Tokens) -> list[str]:
    names = [f"len:{min(len(tokens.words), 24).bit_length()}"]
    before = "^"
    for word, kind in zip(tokens.words, tokens.kinds, strict=True):
        if kind == "word":
            names += _word_parts(word)
            names.append(f"b:{before} {word}")
            before = word
        elif kind == "unspaced":
            names += _character_parts(word)
            before = "cjk"
        elif kind in {"mark", "emoji"}:
            names.append(f"m:{word}")
        elif kind == "number":
            names += _number_shape(word)
        else:
            names.append(f"k:{kind}")
    if before != "^":
        names.append(f"b:{before} $")
    if tokens.has_long_letters:
        names.append("long")
    if tokens.capitals > 0.6 and tokens.length > 8:
        names.append("capitals")
    if tokens.length > SHORT_LENGTH:
        names.append(f"shouted:{min(tokens.shouted, 4)}")
        names.append(f"figures:{min(4, int(tokens.figures * 20))}")
    return names


def _number_shape(number: str) -> list[str]:
    """Tell a sum, a short code, a phone and a percentage apart by their looks."""
    digits = sum(character.isdigit() for character in number)
    shapes = ["k:number", f"n:{min(digits, 12)}"]
    if not number[0].isdigit():
        shapes.append("n:sum")
    if digits >= 7:
        shapes.append(f"n:long{number[:2]}")
    return shapes


def _word_parts(word: str) -> list[str]:
    parts = [f"w:{word}"]
    if "\uac00" <= word[0] <= "\ud7a3":
        return parts + _character_parts(word)
    if len(word) > 4:
        parts.append(f"p:{word[:5]}")
        marked = f"<{word}>"
        parts += [f"g:{marked[index : index + 4]}" for index in range(len(marked) - 3)]
    return parts


def _character_parts(run: str) -> list[str]:
    return [f"u:{run[index : index + size]}" for size in (1, 2, 3) for index in range(len(run) - size + 1)]


def _concepts_at(
    tokens: Tokens, position: int, languages: tuple[str, ...], lexicon: str
) -> tuple[list[str], int]:
    word, kind = tokens.words[position], tokens.kinds[position]
    if kind in {"url", "mail"}:
        return [kind], 1
    if kind in {"number", "mark"}:
        return [], 1
    if kind == "emoji":
        return list(_lexicon(None, lexicon).exact.get(word, ())), 1
    names: list[str] = []
    width = 1
    for language in languages:
        table = _lexicon(language, lexicon)
        if language in UNSPACED and kind in {"unspaced", "word"} and not word[0].isascii():
            matched, phrase_width = _phrase(tokens, position, table, is_open=True)
            names += matched or _inside(word, table, is_korean=language == "ko")
            width = max(width, phrase_width)
            continue
        matched, phrase_width = _phrase(tokens, position, table)
        if matched:
            names += matched
            width = max(width, phrase_width)
        else:
            names += _single(word, table, language, bare_tails=lexicon in {FEELINGS, DANGERS})
    return names, width


def _phrase(
    tokens: Tokens, position: int, table: _Lexicon, *, is_open: bool = False
) -> tuple[tuple[str, ...], int]:
    """Match the longest phrase that begins here; the last word of an open one may go on, as in Korean."""
    for phrase in table.phrases.get(tokens.words[position], ()):
        words = phrase.split(" ")
        *firsts, last = tokens.words[position : position + len(words)]
        if firsts == words[:-1] and (last == words[-1] or (is_open and last.startswith(words[-1]))):
            return table.phrase_concepts[phrase], len(words)
    return (), 1


def _single(word: str, table: _Lexicon, language: str, *, bare_tails: bool) -> list[str]:
    forms = [word]
    if language == "ar" and len(word) > 3 and (head := _ARABIC_HEAD.match(word)):
        forms.append(word[head.end() :])
    if language == "ar" and bare_tails:
        bare = word[2:] if word.startswith("ما") and len(word) > NEGATED_LENGTH else word
        bare = bare[:-1] if bare.endswith("ش") and len(bare) > NEGATED_LENGTH else bare  # "ma ...sh": not
        forms += [bare] if bare != word else []
        forms += [bare[verb.end() :]] if (verb := _ARABIC_VERB.match(bare)) else []
        forms += [form[: tail.start()] for form in forms if (tail := _ARABIC_TAIL.search(form))]
    if "'" in word:
        forms.append(word.split("'")[-1])
    names: list[str] = []
    for form in forms:
        names += table.exact.get(form, ())
        for size in range(min(len(form), table.longest_stem), 1, -1):
            if stem := table.stems.get(form[:size]):
                names += stem
                break
    return names


def _inside(run: str, table: _Lexicon, *, is_korean: bool = False) -> list[str]:
    """In unspaced writing, take the longest known word at each place, turned round by a "not" beside it.

    A Korean word of one syllable counts where a word begins: inside it would be a piece of another.
    """
    found: list[tuple[int, int, tuple[str, ...]]] = []
    position = 0
    while position < len(run):
        for size in range(min(12, len(run) - position), 0, -1):
            piece = run[position : position + size]
            is_piece = is_korean and size == 1 and position > 0 and piece not in table.anywhere
            if not is_piece and (known := table.exact.get(piece)):
                found.append((position, position + size, known))
                position += size - 1
                break
        position += 1
    denials = [(start, end) for start, end, names in found if DENIAL in names]
    names = []
    for start, end, known in found:
        is_denied = any(
            0 <= start - last <= NEAR_BEFORE or 0 <= first - end <= NEAR_AFTER for first, last in denials
        )
        names += [f"not {name}" if is_denied and name in TURNED else name for name in known]
    return names


def _is_spaced(word: str) -> bool:
    return word[0] < "\u3040"


@cache
def _lexicon(language: str | None, name: str) -> _Lexicon:
    """Index a lexicon:

    `word`, `stem*`, `several words`, `*syllable`; entries are separated by commas, one concept a line.
    """
    exact: dict[str, tuple[str, ...]] = {}
    stems: dict[str, tuple[str, ...]] = {}
    phrases: dict[str, list[str]] = {}
    phrase_concepts: dict[str, tuple[str, ...]] = {}
    anywhere: set[str] = set()
    for concept, entries in load(name, language).items():
        for raw in str(entries).split(","):
            entry = fold(raw.strip())
            if entry.startswith("*"):
                entry = entry[1:]
                anywhere.add(entry)
            if entry.endswith("*"):
                stems[entry[:-1]] = (*stems.get(entry[:-1], ()), concept)
            elif " " in entry and language not in {"zh", "ja"}:
                phrases.setdefault(entry.split(" ")[0], []).append(entry)
                phrase_concepts[entry] = (*phrase_concepts.get(entry, ()), concept)
            elif entry:
                exact[entry] = (*exact.get(entry, ()), concept)
    return _Lexicon(
        exact,
        stems,
        {first: tuple(sorted(known, key=len, reverse=True)) for first, known in phrases.items()},
        phrase_concepts,
        max(map(len, stems), default=1),
        frozenset(anywhere),
    )
