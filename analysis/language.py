"""Which of the ten languages a text is in.

Called by `analysis.read`. Script settles Arabic, Korean and Japanese; the rest is naive Bayes over words
and letter groups, learnt from this package's own examples and lexicons (`learn_languages`), with what the
conversation spoke before as a gentle prior. It downloads nothing and names no eleventh language.
"""

import math
import re
from array import array
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final
from zlib import crc32

from vocabulary import LANGUAGES

from .classifier import Classifier, softmax
from .features import HASH_BITS
from .folding import fold

MODEL: Final = Path(__file__).parent / "models" / "language.bin"
DEFAULT: Final = "en"  # a text without a letter, and no conversation before it
PRIOR_WEIGHT: Final = 1.5
SHORT_PRIOR_WEIGHT: Final = 3.0  # a single word says less than the conversation did
SHORT_DOUBT: Final = 1.0  # one word is half as telling as it looks
WITHOUT_KANA: Final = 1.0  # Japanese is rarely written in Chinese characters alone
UNWRITTEN: Final = 12  # a language without a letter of its script
NEVER: Final = 1000
HAN_WORDS: Final = 2  # who writes Chinese characters among so many Latin words each names foreign things
OWN_WORD: Final = 1.8  # nats by which a word must speak for a language: common words do, product names do not
OWN_LEAD: Final = 1.0
LETTERS_OF_A_WORD: Final = 2  # in a script that is one language's own
NAMES_DOUBT: Final = 3.0  # nothing but names and unknown words: letters alone say little
DAMPING: Final = 0.5  # a word that our examples repeat is no surer a sign of its language
SMOOTHING: Final = 0.3
WORD_WEIGHT: Final = 3
MAX_CHARACTERS: Final = 400
_MASK: Final = (1 << HASH_BITS) - 1
_NOISE: Final = re.compile(r"https?://\S+|www\.\S+|\S+@\S+|[\w-]+\.(?:com|net|org)\S*|@\w+|#\w+")
_WORD: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_KANA: Final = re.compile(r"[\u3040-\u30ff\uff66-\uff9f]")
_HANGUL: Final = re.compile(r"[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]")
_ARABIC: Final = re.compile(r"[\u0600-\u06ff\u0750-\u077f]")
_HAN: Final = re.compile(r"[\u3400-\u9fff]")
_LATIN_WORD: Final = re.compile(r"[a-zA-Z\u00c0-\u024f]+")
_OWN_LETTERS: Final = {"ja": _KANA, "ko": _HANGUL, "ar": _ARABIC, "zh": _HAN}
_LONG: Final = re.compile(r"(.)\1{2,}")


def identify(text: str, *, prior: str | None = None) -> tuple[str, float]:
    """Name the language and how sure that is, from 0 to 1; `prior` is the conversation's language so far."""
    shares = language_shares(text, prior=prior)
    best = max(shares, key=lambda language: shares[language])
    return best, round(shares[best], 4)


def language_shares(text: str, *, prior: str | None = None) -> dict[str, float]:
    """Give the probability of each language."""
    clean = _NOISE.sub(" ", text[:MAX_CHARACTERS])
    if prior in LANGUAGES and not any(character.isalpha() for character in clean):
        return {language: 0.91 if language == prior else 0.01 for language in LANGUAGES}
    if (script := _script(clean)) is not None:
        return {language: 0.991 if language == script else 0.001 for language in LANGUAGES}
    has_han = bool(_HAN.search(clean))
    is_han = has_han and len(_HAN.findall(clean)) * HAN_WORDS >= len(_LATIN_WORD.findall(clean))
    if is_han:
        clean = _LATIN_WORD.sub(" ", clean)
    features = _features(clean)
    model = shipped_model()
    scores = [0.0] * len(LANGUAGES)
    if features:
        doubt = model.temperature * (1 + SHORT_DOUBT / max(1, len(clean.split())))
        if not is_han and not any(max(row) >= OWN_WORD for row in _word_rows(clean)):
            doubt *= NAMES_DOUBT
        scores = [score / doubt for score in model.scores(features)]
    if not has_han and not any(features):
        scores[LANGUAGES.index(DEFAULT)] += 0.5
    if not has_han:
        for language in ("zh", "ja", "ko", "ar"):
            scores[LANGUAGES.index(language)] -= UNWRITTEN
    elif is_han:
        for language in LANGUAGES:
            scores[LANGUAGES.index(language)] -= 0 if language in {"zh", "ja"} else NEVER
        scores[LANGUAGES.index("ja")] -= WITHOUT_KANA
    if prior in LANGUAGES:
        scores[LANGUAGES.index(prior)] += PRIOR_WEIGHT + SHORT_PRIOR_WEIGHT / max(1, len(clean.split()))
    return dict(zip(LANGUAGES, softmax(scores), strict=True))


def count_own_words(text: str, language: str, other: str | None = None) -> int:
    """Count the words that speak for one language, against another if told; names of products do not.

    A script of its own needs no words: its letters count.
    """
    clean = _NOISE.sub(" ", text[:MAX_CHARACTERS])
    if (own := _OWN_LETTERS.get(language)) is not None:
        return len(own.findall(clean)) // LETTERS_OF_A_WORD
    at, rows = LANGUAGES.index(language), _word_rows(clean)
    if other in LANGUAGES:
        beside = LANGUAGES.index(other)
        rows = [row for row in rows if row[at] - row[beside] >= OWN_LEAD]
    return sum(row[at] >= OWN_WORD for row in rows)


def _word_rows(clean: str) -> list[list[float]]:
    """Give what each different word of a text says for each language."""
    model, count = shipped_model(), len(LANGUAGES)
    keys = {crc32(f"w{word}".encode()) & _MASK for word in _WORD.findall(clean.lower().replace("’", "'"))}
    return [[model.step * value for value in model.weights[key * count : (key + 1) * count]] for key in keys]


def learn_languages(texts: Iterable[tuple[str, str]]) -> Classifier:
    """Fit the model to (text, language) pairs; accents are learnt and also forgiven."""
    counts: dict[str, dict[int, float]] = {language: {} for language in LANGUAGES}
    for text, language in texts:
        for form in {text, fold(text)}:
            for feature, weight in _features(form).items():
                counts[language][feature] = counts[language].get(feature, 0.0) + weight
    for counter in counts.values():
        for feature, count in counter.items():
            counter[feature] = count**DAMPING
    totals = {language: sum(counter.values()) or 1.0 for language, counter in counts.items()}
    packed = array("b", bytes(len(LANGUAGES) << HASH_BITS))
    step = 0.08
    unseen = SMOOTHING * (1 << HASH_BITS)
    for feature in set().union(*counts.values()):
        row = [
            math.log((counts[language].get(feature, 0.0) + SMOOTHING) / (totals[language] + unseen))
            for language in LANGUAGES
        ]
        middle = sum(row) / len(row)
        for index, value in enumerate(row):
            packed[feature * len(LANGUAGES) + index] = max(-127, min(127, round((value - middle) / step)))
    return Classifier(LANGUAGES, packed, step, (0.0,) * len(LANGUAGES), 2.0, "language")


@cache
def shipped_model() -> Classifier:
    """Load the shipped model once."""
    return Classifier.from_bytes(MODEL.read_bytes())


def _script(text: str) -> str | None:
    """Kana, Hangul and Arabic letters each belong to one of the ten, when they are not a stray few."""
    letters = sum(character.isalpha() for character in text) or 1
    for language, pattern, share in (("ja", _KANA, 0.08), ("ko", _HANGUL, 0.2), ("ar", _ARABIC, 0.3)):
        if len(pattern.findall(text)) / letters >= share:
            return language
    return None


def _features(text: str) -> dict[int, float]:
    lowered = _LONG.sub(r"\1\1", text.lower().replace("’", "'"))
    features: dict[int, float] = {}
    for word in _WORD.findall(lowered):
        for name, weight in _word_features(word):
            key = crc32(name.encode()) & _MASK
            features[key] = features.get(key, 0.0) + weight
    return features


def _word_features(word: str) -> list[tuple[str, float]]:
    if _HAN.search(word):
        return [(word[at : at + size], 1.0) for size in (1, 2) for at in range(len(word) - size + 1)]
    marked = f"<{word}>"
    parts = [(f"w{word}", float(WORD_WEIGHT))]
    for size in (2, 3, 4):
        parts += [(marked[at : at + size], 1.0) for at in range(len(marked) - size + 1)]
    return parts
