"""Links, phones and e-mail addresses of a reply, held against those that the shop gives.

Called by the guards; it also reads addresses that are spelled out, broken up or hidden in a longer one.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from analysis.contacts import read_emails, read_links, read_phones
from analysis.lexicons import load
from analysis.quantities import read_numbers

from .breaches import Breach
from .facts import Facts
from .wording import plain, words

PHONE_DIGITS_MIN: Final = 7
SPOKEN_DIGITS_MIN: Final = 5  # so many numbers in words in a row are read out, not counted
PHONE_TAIL: Final = 8  # a number without country and area code ends like the full one

_DIGIT_RUN: Final = re.compile(r"(?<![\w.,])\+?\(?\d(?:[\s().\-–/]{0,3}\d){6,}(?![\w])")
_DOT: Final = r"[(\[{]?\s*(?:\bdot\b|\bponto\b|\bpunto\b|\bpoint\b|\bpunkt\b)\s*[)\]}]?"
_HIDDEN_LINK: Final = (
    r"\bhxxps?\b|\b(?:https?|ftp)\b\s?:|\bwww\b|\bwa\.me\b|\bt\.me\b|\bwhats\w*\.com\b"
    r"|\b(?:discord|telegram|instagram|insta|facebook|tik ?tok|perfil|google|navegador|browser)\b"
    r"|\bchave (?:do )?pix\b|\bpix (?:para|pro|pra|to|key)\b|\w\s*\(a\)\s*\w|\w\s\.\s?(?:com|net|org|br)\b"
    r"|\b\d{1,3}(?:\.\d{1,3}){3}\b|\[\.\]|\(\.\)|\b(?:barra|slash)\b\s+\w"
)


def check_addresses(text: str, facts: Facts, language: str) -> Iterator[Breach]:
    """Find every address that is not among the facts."""
    folded = plain(text)
    for url in sorted(_known_urls(facts), key=len, reverse=True):
        folded = re.sub(rf"(?<![\w.@-]){re.escape(url)}/?(?![\w@/-]|\.\w)", " ", folded)
    known_mail = {mail.lower() for mail in facts.emails}
    known_mail |= {found.value for told in facts.stated for found in read_emails(plain(told))}
    for mail in read_emails(folded):
        if mail.value.lower() not in known_mail:
            yield Breach("unknown_email", folded[mail.start : mail.end])
    for address in known_mail:
        folded = folded.replace(address, " ")
    if stray := re.search(r"\S*@\S*", folded):
        yield Breach("unknown_email", stray.group())
    rest = re.sub(r"\S+@\S+", " ", folded)
    for link in read_links(rest, rest):
        yield Breach("unknown_link", link.value)
    for hidden in _hidden_pattern().finditer(rest):
        if not _is_stated(hidden.group(), facts):
            yield Breach("unknown_link", hidden.group())
    yield from _check_phones(rest, facts, language)


def _is_stated(word: str, facts: Facts) -> bool:
    """Whether the shop itself speaks of it: "opens in the browser" is no address."""
    return word.isalpha() and any(word in words(plain(told)) for told in facts.stated)


def without_phones(text: str, facts: Facts) -> str:
    """Take out the phones that may be given, in whatever way they are written."""
    known = _known_phones(facts)
    return _DIGIT_RUN.sub(lambda run: " " if _is_known(_digits(run.group()), known) else run.group(), text)


def _check_phones(folded: str, facts: Facts, language: str) -> Iterator[Breach]:
    known = _known_phones(facts)
    found = [match.group() for match in _DIGIT_RUN.finditer(folded)]
    found += [folded[phone.start : phone.end] for phone in read_phones(folded, language=language)]
    for written in found:
        digits = _digits(written)
        if re.fullmatch(r"\d{1,3}(?:[. ]\d{3})+(?:,\d{2})?", written.strip()):
            continue
        if len(digits) >= PHONE_DIGITS_MIN and not _is_known(digits, known):
            yield Breach("unknown_phone", written)
    if run := _spoken_run(folded, language):
        yield Breach("unknown_phone", run)


def _known_phones(facts: Facts) -> set[str]:
    known = {_digits(phone) for phone in facts.phones}
    known |= {_digits(found.value) for told in facts.stated for found in read_phones(plain(told))}
    return known | ({_digits(facts.order.number)} if facts.order and facts.order.number else set())


def _is_known(digits: str, known: set[str]) -> bool:
    """Whether these digits are one of the known numbers, or its end without country and area code."""
    if len(digits) < PHONE_TAIL:
        return digits in known
    return any(digits == one or one.endswith(digits.removeprefix("0")) for one in known)


def _spoken_run(folded: str, language: str) -> str:
    """Give numbers in words that stand in a row, as a phone is read out; else nothing."""
    numbers = [n for n in read_numbers(folded, language=language) if not n.is_literal]
    row = numbers[:1]
    for number in numbers[1:]:
        is_next = not words(folded[row[-1].end : number.start].replace(" e ", " ").replace(" y ", " "))
        row = [*row, number] if is_next else [number]
        if len(row) >= SPOKEN_DIGITS_MIN:
            return folded[row[0].start : row[-1].end]
    names = _DIGIT_WORDS.search(folded)
    return names.group() if names else ""


_DIGIT_NAMES: Final = (
    "zero|um|uma|dois|duas|tres|quatro|cinco|seis|meia|sete|oito|nove|cero|uno|dos|cuatro|siete|ocho|nueve|"
    "oh|one|two|three|four|five|six|seven|eight|nine"
)
_DIGIT_WORDS: Final = re.compile(rf"\b(?:{_DIGIT_NAMES})(?:[\s,.\-]+(?:{_DIGIT_NAMES})\b){{4,}}")


def _known_urls(facts: Facts) -> set[str]:
    given = {plain(url).rstrip("/") for url in facts.urls}
    told = [plain(text) for text in facts.stated]
    given |= {link.value.rstrip("/") for text in told for link in read_links(text, text)}
    return given | {re.sub(r"^https?://", "", url) for url in given}


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


@cache
def _hidden_pattern() -> re.Pattern[str]:
    known = [one for one in load("contact")["tlds"] if one not in _WORDS_TOO]
    endings = "|".join(sorted(known, key=len, reverse=True))
    spelled = rf"[\w-]+\s*{_DOT}\s*(?:{endings})\b"
    bracketed = r"[\w-]+\s*[\[({]\s*(?:dot|ponto|punto|\.)\s*[\])}]\s*\w+"
    return re.compile(rf"{_HIDDEN_LINK}|{spelled}|{bracketed}")


# Endings that are also words: "ponto de", "punto me" say no address.
_WORDS_TOO: Final = frozenset({"de", "me", "no", "to", "in", "at", "es", "se", "us", "it", "au", "be"})
