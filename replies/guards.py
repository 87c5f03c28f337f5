"""The guards: what is wrong with a reply, held against the facts; nothing leaves with a breach.

`ai_service` calls `check` on each plan before anything is queued, and shows the model its breaches once. They
would rather refuse a true sentence than let a false one pass: then the fixed text speaks.
"""

import codecs
import re
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from analysis.language import language_shares

from . import wording
from .addresses import check_addresses, without_phones
from .agreed import agreed
from .breaches import Breach, BreachCode
from .claims import check_claims, check_promises
from .facts import Facts
from .figures import check_figures, without_budgets
from .people import check_people
from .plan import Plan
from .prices import check_prices
from .ties import check_ties
from .wording import is_hidden, is_spaced, plain

__all__ = ["MAX_REPLY_CHARS", "Breach", "BreachCode", "check"]

MAX_REPLY_CHARS: Final = 700  # about one phone screen; longer texts are skimmed
PROMPTS_DIR: Final = Path(__file__).parent.parent / "templates" / "prompts"
EXAMPLES: Final = "Examples:"  # from here on a prompt shows replies, which a reply may resemble
SHINGLE_WORDS: Final = 6  # so many words of a prompt in a row are no accident
LATIN_LANGUAGES: Final = ("pt", "es", "en", "fr", "de", "it")
# A text is judged by its language from so many words on; the share is the reader's own confidence.
LANGUAGE_MIN_WORDS: Final = 3
SENTENCE_MIN_WORDS: Final = 7
LANGUAGE_MIN_SHARE: Final = 0.1
SENTENCE_MIN_SHARE: Final = 0.02

_TURNED: Final = re.compile(
    r"\b(?:gratis|gratuit\w*|free|desconto|descuento|discount|reais|reales|garantia)\b"
)
_SUMS: Final = re.compile(r"[A-Za-z]{0,3}[$€£]\s?[\d.,]+")
# Dots of other scripts that make an address of two words.
_FALSE_DOT: Final = re.compile(r"(?<=\w)[\u3002\uff61\u2024\u2027\u2219\u22c5](?=\w)")
_CODE: Final = re.compile(
    r"```|^\s*[{\[]\s*[\"'{\[]|[\"']\s*:\s*[\"'{\[\d]|^\s*\|.*\|\s*$|\|\s*-{3,}|^#{1,6} "
    r"|</?[a-z][\w-]*[ />]|\{\{|\}\}|\{%|\\u[0-9a-f]{4}"
    r"|\bdef \w+\(|\bprint\(|\bconsole\.|\bfunction ?\(|;\s*$|%[0-9a-f]{2}%[0-9a-f]{2}|&#x?\w+;|\]\(\w+",
    re.MULTILINE | re.IGNORECASE,
)
_ENCODED: Final = re.compile(
    r"(?<![\w/.:-])(?=[\w+/=]*[a-z])(?=[\w+/=]*[A-Z])[A-Za-z0-9+/]{20,}={0,2}(?![\w/.-])"
    r"|\b(?:[01]{8}\s?){2,}|\b(?:[0-9a-f]{2}[\s:]){6,}|\b[0-9a-f]{24,}\b|(?:[.\-]{1,5}[ /]+){5,}"
)


def check(
    reply: Plan | str, facts: Facts, *, language: str, strategy: str | None, words: str = ""
) -> tuple[Breach, ...]:
    """Give every breach of a reply to one customer in `language`; none means that it may leave.

    `words` are the customer's own: a number that stands there may be repeated, an amount of money not. Where
    the reply begins with a yes, what it was asked counts as said by it.
    Each code is given once, with the first place that it was found in. `strategy` loosens nothing: no manner
    may invent.
    """
    text = reply if isinstance(reply, str) else reply.text
    asked = agreed(text, words)
    found = [*_check_text(text, facts, language, "" if asked else words)]
    found += _check_agreed(asked, facts, language)
    if isinstance(reply, Plan):
        found += _check_plan(reply, facts, language)
    first: dict[BreachCode, Breach] = {}
    for breach in found:
        first.setdefault(breach.code, Breach(breach.code, breach.found[:120]))
    return tuple(first.values())


def _check_text(text: str, facts: Facts, language: str, heard: str) -> Iterator[Breach]:
    if len(text) > MAX_REPLY_CHARS:
        yield Breach("too_long", text[:40])
    text = without_phones(text, facts)
    folded = plain(text)
    own = _without_given(text, facts)
    yield from _check_characters(text, facts, language)
    yield from _check_form(own)
    yield from _check_language(_without_shops_words(own, facts), language)
    yield from _check_leak(folded)
    yield from check_addresses(text, facts, language)
    bare = _without_given(folded, facts, is_folded=True)
    yield from check_figures(bare, facts, language, heard)
    yield from check_prices(bare, facts, language)
    yield from check_ties(bare, facts, language)
    yield from check_claims(_without_names(bare, facts), facts, language)
    yield from check_people(text, facts)


def _check_agreed(asked: Sequence[str], facts: Facts, language: str) -> Iterator[Breach]:
    """Find what a yes agrees to and the facts do not hold; a customer's budget claims nothing."""
    for part in asked:
        bare = _without_given(without_budgets(without_phones(part, facts), language), facts, is_folded=True)
        yield from check_figures(bare, facts, language, "")
        yield from check_prices(bare, facts, language)
        yield from check_ties(bare, facts, language)
        yield from check_promises(_without_names(bare, facts), facts, language)


def _check_plan(plan: Plan, facts: Facts, language: str) -> Iterator[Breach]:
    action = plan.action
    if plan.language != language:
        yield Breach("wrong_language", plan.language)
    if action.sku is not None:
        product = facts.product(action.sku)
        if product is None or product.is_sold_out:
            yield Breach("unknown_action", action.sku)
        elif product.stock is not None and (action.quantity or 1) > product.stock:
            yield Breach("unknown_action", f"{action.sku} x {action.quantity}")
    if action.name == "send_link" and action.link and facts.url(action.link, action.sku) is None:
        yield Breach("unknown_action", action.link)
    if action.name == "check_out" and (facts.order is None or not facts.order.lines):
        yield Breach("unknown_action", "check_out")
    for source in plan.sources:
        if source not in {passage.id for passage in facts.passages}:
            yield Breach("unknown_action", f"source {source}")


def _check_characters(text: str, facts: Facts, language: str) -> Iterator[Breach]:
    given = "".join((facts.business_name, facts.first_name, *(product.name for product in facts.products)))
    for char in text:
        if is_hidden(char) or (language in LATIN_LANGUAGES and _is_disguised(char)):
            yield Breach("unsafe_characters", f"U+{ord(char):04X}")
            return
    foreign = [char for char in text if char.isalpha() and not _is_latin(char) and char not in given]
    if language in LATIN_LANGUAGES and foreign:
        is_mixed = any(
            any(_is_latin(char) for char in word) and any(char in foreign for char in word)
            for word in re.findall(r"\w+", text)
        )
        yield Breach("unsafe_characters" if is_mixed else "wrong_language", "".join(foreign)[:20])
    if re.search(r"(?<=\w)\u200d|\u200d(?=[\w ])", text) and language in LATIN_LANGUAGES:
        yield Breach("unsafe_characters", "U+200D")
    if language in LATIN_LANGUAGES and (disguise := _FALSE_DOT.search(text) or is_spaced(text)):
        yield Breach("unsafe_characters", disguise.group())


def _is_latin(char: str) -> bool:
    return char in "ªº" or unicodedata.name(char, "").startswith("LATIN")


def _is_disguised(char: str) -> bool:
    """Wide, mathematical, circled and turned letters and digits, and look-alike marks."""
    if char in "ªº™…²³½¼¾ \u00a0\u202f\u2009" or ord(char) < 0xA0:
        return False
    shown = unicodedata.normalize("NFKC", char)
    if shown != char and re.search(r"[\w$.,:/@%]", shown):
        return True
    return "\u1d00" <= char <= "\u1dbf" or "\u2000" <= char <= "\u200a" or 0xE0000 <= ord(char) <= 0xE007F


def _check_form(text: str) -> Iterator[Breach]:
    if found := _CODE.search(text) or _ENCODED.search(text):
        yield Breach("raw_format", found.group())
    folded = plain(text)
    for turned in (folded[::-1], codecs.encode(folded, "rot13")):
        if _TURNED.search(turned):
            yield Breach("raw_format", text)


def _check_language(text: str, language: str) -> Iterator[Breach]:
    told = [(text, LANGUAGE_MIN_WORDS, LANGUAGE_MIN_SHARE)]
    told += [(part, SENTENCE_MIN_WORDS, SENTENCE_MIN_SHARE) for part in re.split(r"(?<=[.!?])\s+|\n", text)]
    for part, least, share in told:
        row = wording.words(plain(part))
        if len(row) < least or language_shares(part, prior=language)[language] >= share:
            continue
        if not _has_own_words(row, language):
            yield Breach("wrong_language", part)
            return


def _has_own_words(row: list[str], language: str) -> bool:
    """Whether small words settle it: "está" alone makes short Portuguese look Spanish to the reader."""
    if language not in _SMALL_WORDS:
        return False
    other = "es" if language == "pt" else "pt"
    own, others = (sum(word in _SMALL_WORDS[name] for word in row) for name in (language, other))
    return own > 0 and others == 0 and own * 8 >= len(row)


def _check_leak(folded: str) -> Iterator[Breach]:
    row = wording.words(folded)
    known = prompt_shingles()
    for start in range(len(row) - SHINGLE_WORDS + 1):
        if (shingle := " ".join(row[start : start + SHINGLE_WORDS])) in known:
            yield Breach("prompt_leak", shingle)
            return


# Words of Portuguese that Spanish does not have, and the other way round.
_SMALL_WORDS: Final = {
    "pt": frozenset("o os um uma nao voce do da dos das em com seu sua ao na tem isso mais foi".split()),
    "es": frozenset("el los las un con y en tu es del lo usted muy pero hay gracias".split()),
}


@cache
def prompt_shingles() -> frozenset[str]:
    """Give every row of SHINGLE_WORDS words of the prompts, without their examples."""
    found: set[str] = set()
    for path in sorted(PROMPTS_DIR.glob("*.txt")):
        told = path.read_text(encoding="utf-8").partition(EXAMPLES)[0]
        row = wording.words(plain(re.sub(r"\{[%{#].*?[%}#]\}", " ", told, flags=re.DOTALL)))
        found |= {" ".join(row[at : at + SHINGLE_WORDS]) for at in range(len(row) - SHINGLE_WORDS + 1)}
    return frozenset(found)


def _without_given(text: str, facts: Facts, *, is_folded: bool = False) -> str:
    """Take out addresses, phones and the order's number that may be written: they are no words."""
    given = [*facts.urls, *facts.phones, *facts.emails]
    given += [facts.order.number] if facts.order and facts.order.number else []
    for one in sorted(given, key=len, reverse=True):
        text = text.replace(plain(one) if is_folded else one, " ")
    return re.sub(r"[^\S\n]+", " ", text)


def _without_shops_words(text: str, facts: Facts) -> str:
    """Take out what the shop itself words, which may be in its own language: names and benefits."""
    told = [facts.business_name, *(product.name for product in facts.products)]
    told += [benefit for product in facts.products for benefit in product.benefits]
    told += [line.name for line in facts.order.lines] if facts.order else []
    for one in sorted(told, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(one)}(?!\w)", " ", text, flags=re.IGNORECASE) if one else text
    return _SUMS.sub(" ", text)


def _without_names(folded: str, facts: Facts) -> str:
    """Keep a product called "Free Flow" or "Promoção Zero" from sounding like a claim."""
    for product in facts.products:
        name = plain(product.name)
        if _sounds_like_claim(name):
            folded = folded.replace(name, "x")
    return folded


@lru_cache(maxsize=1024)
def _sounds_like_claim(name: str) -> bool:
    nothing = Facts(business_name="", today=date.min)
    return any(True for _ in check_claims(name, nothing, "pt"))
