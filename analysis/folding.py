"""Folding of chat text: one lower-case, accent-free form for every reader of this package, with the way back.

Called by the readers of `analysis`; it knows nothing of languages or labels. Folding never merges words, so
a match in the folded text can be pointed out in the original.
"""

import unicodedata
from dataclasses import dataclass

_ARABIC_FORMS = {
    "أ": "ا",
    "إ": "ا",
    "آ": "ا",
    "ٱ": "ا",
    "ى": "ي",
    "ة": "ه",
    "ـ": "",
    "ی": "ي",
    "ک": "ك",
    "٫": ".",
    "٬": ",",
}
_SPECIAL_FORMS = {
    "ß": "ss",
    "ẞ": "ss",
    "æ": "ae",
    "œ": "oe",
    "ø": "o",
    "ł": "l",
    "đ": "d",
    "’": "'",
    "‘": "'",
    "´": "'",
    "`": "'",
}
_INVISIBLE = {"\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\u2060", "\ufeff", "\ufe0f", "\u00ad"}


class _FoldingTable(dict[int, str]):
    """A translation table that learns each character when it first meets it."""

    def __missing__(self, code: int) -> str:
        folded = _fold_character(chr(code))
        self[code] = folded
        return folded


_TABLE = _FoldingTable()


@dataclass(frozen=True, slots=True)
class Folded:
    """A folded text, the original, and for each folded position the original's (one more, for the end)."""

    text: str
    original: str
    offsets: tuple[int, ...] | None

    def cased(self) -> str:
        """Give the original's character for each folded one: as long as the folded text, in its own case."""
        if self.offsets is None:
            return self.original
        return "".join(self.original[at] for at in self.offsets[:-1])

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Give the original's code-point span of a folded span."""
        if self.offsets is None:
            return start, end
        first = self.offsets[start]
        last = self.offsets[end - 1] if end > start else first
        return first, (last + 1 if end > start else first)


def fold(text: str) -> str:
    """Give the lower-case, accent-free form; digits of every script become ASCII digits."""
    return text.translate(_TABLE)


def fold_with_offsets(text: str) -> Folded:
    """Fold and remember where each character came from."""
    pieces = [_TABLE[ord(character)] for character in text]
    folded = "".join(pieces)
    if all(len(piece) == 1 for piece in pieces):
        return Folded(folded, text, None)
    offsets = [index for index, piece in enumerate(pieces) for _ in piece]
    offsets.append(len(text))
    return Folded(folded, text, tuple(offsets))


def _fold_character(character: str) -> str:
    if character in _INVISIBLE:
        return ""
    known = _SPECIAL_FORMS.get(character) or _ARABIC_FORMS.get(character)
    if known is not None or character == "ـ":
        return known or ""
    code = ord(character)
    if 0xFF00 <= code <= 0xFFEF or code == 0x3000 or code in {0xA0, 0x202F, 0x2009, 0x2007}:
        character = unicodedata.normalize("NFKC", character)
    if unicodedata.category(character[0]) == "Nd":
        return str(unicodedata.digit(character[0]))
    if unicodedata.combining(character[0]) and _drops_mark(ord(character[0])):
        return ""
    base = unicodedata.normalize("NFD", character)[0]
    if base.isascii() or 0x300 > ord(base) > 0x7F:
        character = base
    return character.lower()


def _drops_mark(code: int) -> bool:
    """Latin accents and Arabic vowel signs go; the Japanese voicing marks stay, for they change the word."""
    return 0x300 <= code <= 0x36F or 0x610 <= code <= 0x61A or 0x64B <= code <= 0x65F or code == 0x670
