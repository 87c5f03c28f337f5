"""An article cut into passages: parts that fit one answer, as WhatsApp shows them.

Pure. Headings end a passage; paragraphs are put together while they fit, and a paragraph that is too long
is cut at the end of a sentence. Markdown becomes what WhatsApp knows: *bold*, _italic_, bullets, and a link
written out.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

PASSAGE_MAX_CHARS: Final = 900
HEADING_MAX_CHARS: Final = 200
_HEADING: Final = re.compile(r" {0,3}(#{1,6})[ \t]+(.+?)[ \t]*#*[ \t]*$")
_FENCE: Final = re.compile(r" {0,3}(```|~~~)")
_SENTENCE_END: Final = re.compile(r"(?<=[.!?…。!?])\s+|(?<=[。!?])")
_INLINE: Final = (
    (re.compile(r"!\[([^\]]*)\]\([^)\s]*\)"), r"\1"),
    (re.compile(r"\[([^\]]+)\]\(<?([^)\s>]+)>?[^)]*\)"), r"\1: \2"),
    (re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1"), "\x01\\2\x01"),
    (re.compile(r"(?<![\w*])\*(?=[^\s*])([^*\n]+?)(?<=\S)\*(?![\w*])"), r"_\1_"),
    (re.compile("\x01"), "*"),
    (re.compile(r"^(\s*)[-*+][ \t]+", re.MULTILINE), r"\1• "),
    (re.compile(r"^ {0,3}>[ \t]?", re.MULTILINE), ""),
)


@dataclass(frozen=True, slots=True)
class Part:
    """One passage: the heading that it stands under ("" before the first) and its text."""

    heading: str
    text: str


def first_heading(body: str) -> str:
    """Give the text of the first heading, or nothing."""
    return next((heading for heading, _lines in _sections(body) if heading), "")


def without_title(title: str, body: str) -> str:
    """Give the text without a first line that only says the title."""
    first, _, rest = body.strip().partition("\n")
    found = _HEADING.match(first)
    return rest.strip() if found and _plain(found[2]).strip("*_ ") == title else body.strip()


def cut(title: str, body: str) -> tuple[Part, ...]:
    """Cut an article. A heading that only repeats the title is left out; so are headings without a text."""
    return tuple(
        Part("" if heading == title else heading[:HEADING_MAX_CHARS], text)
        for heading, lines in _sections(body)
        for text in _packed(_paragraphs(lines))
    )


def _sections(body: str) -> Iterator[tuple[str, list[str]]]:
    heading, lines, is_code = "", [], False
    for line in body.splitlines():
        is_code ^= bool(_FENCE.match(line))
        found = None if is_code else _HEADING.match(line)
        if found is None:
            lines.append(line)
            continue
        yield heading, lines
        heading, lines = _plain(found[2]).strip("*_ "), []
    yield heading, lines


def _paragraphs(lines: list[str]) -> Iterator[str]:
    for block in re.split(r"\n[ \t]*\n", "\n".join(line for line in lines if not _FENCE.match(line))):
        text = _plain("\n".join(line.rstrip() for line in block.splitlines())).strip()
        if text and not re.fullmatch(r"[-*_= ]{3,}", text):
            yield text


def _plain(text: str) -> str:
    for pattern, replacement in _INLINE:
        text = pattern.sub(replacement, text)
    return text


def _packed(paragraphs: Iterator[str]) -> Iterator[str]:
    return _joined((piece for paragraph in paragraphs for piece in _bounded(paragraph)), "\n\n")


def _bounded(paragraph: str) -> Iterator[str]:
    if len(paragraph) <= PASSAGE_MAX_CHARS:
        yield paragraph
        return
    sentences = (piece for sentence in _SENTENCE_END.split(paragraph) for piece in _chopped(sentence))
    yield from _joined(sentences, " ")


def _chopped(sentence: str) -> Iterator[str]:
    """Cut a sentence that no passage holds, at a space where there is one."""
    while len(sentence) > PASSAGE_MAX_CHARS:
        end = sentence.rfind(" ", 1, PASSAGE_MAX_CHARS)
        end = end if end > 0 else PASSAGE_MAX_CHARS
        yield sentence[:end]
        sentence = sentence[end:].lstrip()
    if sentence:
        yield sentence


def _joined(pieces: Iterator[str], glue: str) -> Iterator[str]:
    held = ""
    for piece in pieces:
        if held and len(held) + len(glue) + len(piece) > PASSAGE_MAX_CHARS:
            yield held
            held = ""
        held = f"{held}{glue}{piece}" if held else piece
    if held:
        yield held
