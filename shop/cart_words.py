"""What a customer's words want of the cart: so many of a thing, more, fewer, another count, nothing at all,
or what so many would cost.

`understanding` asks `read` of what is typed and `meant` of what is a wish. The words stand in
flows/words/cart.yaml. Reads rows and writes none.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

import yaml

import answers
from analysis.folding import fold
from analysis.quantities import Number, read_numbers
from models import Product
from shop import catalog, orders

WORDS_FILE: Final = Path(__file__).parent.parent / "flows" / "words" / "cart.yaml"
MOST_AT_ONCE: Final = 99
# A wish is said in about so many words; a longer message is a story to be read.
MAX_WORDS: Final = 14

Kind = Literal["take", "set", "more", "fewer", "clear", "sum"]


@dataclass(frozen=True, slots=True)
class Spoken:
    """What words say of the cart: how many, and of what; without `sought` of what was talked of."""

    kind: Kind
    count: int = 0
    sought: tuple[str, ...] = ()
    is_bare: bool = False  # nothing but a count, which may also choose an option
    names_cart: bool = False


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of this cart. `product_id` is None where several may be meant, or none is."""

    kind: Kind
    count: int = 0
    product_id: int | None = None
    is_in_cart: bool = False


def read(text: str, language: str) -> Spoken | None:
    """Read a wish about the cart out of a whole message; None when it says anything else as well."""
    words = answers.plain(text)
    if not 0 < len(words.split()) <= MAX_WORDS:
        return None
    if _clears(words):
        return Spoken("clear", names_cart=_has(words, "cart"))
    counted = _counted(text, language)
    if counted is None or answers.PRICE_NAMED.search(text.casefold()) or answers.asks_discount(text):
        return None
    count, is_article, rest = counted
    if not 0 <= count <= MOST_AT_ONCE or _has(rest, "no_goods") or answers.speaks_of("not_counted", rest):
        return None
    if _has(rest, "sum_asked") and ("?" in text or _has(rest, "sum")):
        return None if is_article or not count else Spoken("sum", count, _sought(rest, "sum"))
    kind = _kind(rest, text, language, is_article=is_article)
    if kind is None or (kind != "set" and not count) or ("?" in text and kind not in ("set", "more")):
        return None
    sought = _sought(rest, "set", "only", "more", "another", "fewer", "add", "wish")
    is_bare = kind == "take" and not sought and not _has(rest, "only")
    return Spoken(kind, count, sought, is_bare)


def meant(spoken: Spoken, conversation_id: int, talked_of: int | None, *, is_shown: bool) -> Wish | None:
    """Give what is wanted of the conversation's cart; None when the words name something that is not sold, or
    there is nothing that they could mean.

    `talked_of` is the product that was talked of last; `is_shown`: its card is what the customer looks at.
    """
    cart = orders.cart_of(conversation_id)
    lines = {item.product_id: item for item in cart.items} if cart is not None else {}
    if spoken.kind == "clear":
        return Wish("clear") if lines or spoken.names_cart else None
    named = _named(spoken)
    if named is None or (spoken.kind in ("set", "fewer") and not lines):
        return None
    if named:
        ids = [product.id for product in named]
        in_cart = [one for one in ids if one in lines]
        product_id = ids[0] if len(ids) == 1 else in_cart[0] if len(in_cart) == 1 else None
        if product_id is None and spoken.kind == "sum":
            return None
        return Wish(spoken.kind, spoken.count, product_id, product_id in lines)
    return _of_talk(spoken, list(lines), talked_of, is_shown=is_shown)


def _of_talk(spoken: Spoken, lines: list[int], talked_of: int | None, *, is_shown: bool) -> Wish | None:
    """Give the wish about what no words name: what was talked of last, else the only thing in the cart."""
    known = talked_of if talked_of is not None and catalog.product(talked_of) is not None else None
    if known in lines or (known is not None and (is_shown or spoken.kind == "sum") and spoken.kind != "set"):
        return Wish(spoken.kind, spoken.count, known, known in lines)
    if not lines:
        return None
    only = lines[0] if len(lines) == 1 else None
    return None if only is None and spoken.kind == "sum" else Wish(spoken.kind, spoken.count, only, True)


def _named(spoken: Spoken) -> list[Product] | None:
    """Give the products that the words name; None when they say more than a name, or the count is a part of
    it."""
    if not spoken.sought:
        return []
    if not catalog.is_whole_name(spoken.sought):
        return None
    named = catalog.named_products(spoken.sought)
    is_part = any(str(spoken.count) in answers.plain(product.name).split() for product in named)
    return None if is_part else named


def told_count(text: str, language: str) -> int | None:
    """Give how many are wanted of something that the words do not name exactly: "quero 2 cursos"."""
    spoken = read(text, language)
    return spoken.count if spoken is not None and spoken.kind == "take" and spoken.sought else None


def wants_again(text: str) -> bool:
    """Tell whether something that was sent is to be sent once more."""
    return _has(answers.plain(text), "resend")


def _kind(rest: str, text: str, language: str, *, is_article: bool) -> Kind | None:
    if _has(rest, "fewer"):
        return "fewer"
    if _has(rest, "set"):
        return "set"
    if _has(rest, "only") and not _has(rest, "another"):
        return "take"
    if _says_more(rest, text, language) or _has(rest, "add"):
        return "more"
    return None if is_article else "take"


def _says_more(rest: str, text: str, language: str) -> bool:
    """Tell "dos más" from the Portuguese "mas", which is a but."""
    words = rest
    if language != "es" and "más" not in text.casefold():
        words = " ".join(word for word in rest.split() if word != "mas")
    return _has(words, "more") or _has(words, "another")


def _counted(text: str, language: str) -> tuple[int, bool, str] | None:
    """Give the one count, whether it is but an article, and the words around it. "Otro más" counts one."""
    if answers.NEGATIVE.search(text):
        return None
    folded = fold(text[: answers.MAX_ANSWER_CHARS])
    numbers = [one for one in read_numbers(folded, language=language) if one.value == int(one.value)]
    clear = [one for one in numbers if not one.is_article]
    chosen = clear or numbers[:1]
    if len(chosen) > 1:
        return None
    rest = answers.plain(_cut(folded, numbers))
    if not chosen:
        words = rest.split()
        is_one_more = _has(rest, "another") and (len(words) > 1 or "another" in words)
        return (1, True, rest) if is_one_more else None
    return int(chosen[0].value), chosen[0].is_article, rest


def _cut(folded: str, numbers: list[Number]) -> str:
    for one in reversed(numbers):
        folded = f"{folded[: one.start]} {folded[one.end :]}"
    return folded


def _clears(words: str) -> bool:
    """Tell whether nothing is to stay in the cart: "limpa o carrinho", "quita todo"."""
    takes_all = _has(words, "everything") and _has(words, "take_out")
    if _has(words, "no_clearing") or not (_has(words, "clear") or takes_all):
        return False
    for kind in ("clear", "take_out", "cart", "everything", "around"):
        words = _without(words, kind)
    return not words


def _sought(rest: str, *kinds: str) -> tuple[str, ...]:
    for kind in (*kinds, "unit"):
        rest = _without(rest, kind)
    return tuple(word for word in answers.search_words(rest) if not word.isdigit())


def _has(words: str, kind: str) -> bool:
    return _pattern(kind).search(f" {words} ") is not None


def _without(words: str, kind: str) -> str:
    return " ".join(_pattern(kind).sub(" ", f" {words} ").split())


@lru_cache(maxsize=32)
def _pattern(kind: str) -> re.Pattern[str]:
    """Match any phrase of a kind as whole words, the longest first."""
    phrases = sorted({answers.plain(str(one)) for one in _words()[kind]}, key=len, reverse=True)
    return re.compile(rf"(?<= )(?:{'|'.join(map(re.escape, phrases))})(?= )")


@lru_cache(maxsize=1)
def _words() -> Mapping[str, Any]:
    words: Mapping[str, Any] = yaml.safe_load(WORDS_FILE.read_text(encoding="utf-8"))
    return words
