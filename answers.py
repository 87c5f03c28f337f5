"""Reads one typed answer: a menu word, a key in any script, a name, e-mail, amount, country or date.

Flows call it with the kind that they await; triage calls `is_menu_word`. Pure: `now` is an argument, nothing
is remembered, and what cannot be read is None, never an exception. Reading free sentences for meaning is the
analysis rooms' work.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from babel import Locale
from email_validator import EmailNotValidError, validate_email

from analysis.folding import fold
from analysis.money import read_amount
from analysis.money import read_money as money_in
from analysis.quantities import read_numbers

WORDS_FILE = Path(__file__).parent / "flows" / "words" / "answers.yaml"
MIN_NAME_CHARS = 2
MAX_NAME_CHARS = 80
MAX_NAME_WORDS = 8
MAX_ANSWER_CHARS = 400
MAX_TEXT_CHARS = 4000
MAX_MONEY = 10**12
# "150 mil" is also written by people who chose English.
MONEY_LANGUAGES = ("pt", "es", "en")
# Where "$" and "dollars" alone are the US dollar, and where "pesos" are a currency.
DOLLAR_REGION = "US"
PESO_REGION = "MX"
COUNTRY_LANGUAGES = ("en", "pt", "es", "de", "fr", "it")

GREETING_SIGNS = frozenset("👋🙋🤝")
THANKS_SIGNS = frozenset("👍🙏❤💚😊😀😃😄🙂👏🫶😘👌")
MAX_PHRASE_WORDS = 6
LAUGHTER = re.compile(r"(?:k{3,}|l+o+l+|(?:r?s){2,}|(?:h[aeiu]|j[aei]){2,}[hj]?|(?:ha|ja){2,})")
LAUGHING_SIGNS = frozenset("😂🤣😅😆")
# A wish to buy what was just shown is said in so many words; what is longer says something else as well.
TAKING_WORDS = 8
# What somebody wants with an order is said in about so many words; a longer message is a story to be read.
ORDER_WISH_WORDS = 10
CHOICE_SUFFIX = re.compile(r"(?<=\S)(?: (?:one|option|opcao|opcion|item))(?: (?:please|pls|por favor))?$")
CHOICE_PREFIX = re.compile(
    r"^(?:(?:quero|queria|i want|i choose|quiero|elijo|escolho|a|o|la|el|the|opcao|opcion|option"
    r"|op|numero|number|num|nr|letra|letter|item|alternativa|choice)\s+)+(?=\S)"
)
NAME_PREFIX = re.compile(
    r"^(?:(?:ol[aá]|oi|hi|hello|hola|hey)[,!.\s]+)?"
    r"(?:o\s+meu\s+nome\s+[eé]|meu\s+nome\s+[eé]|me\s+chamo|(?:eu\s+)?sou(?:\s+[oa])?|aqui\s+[eé]\s+[oa]"
    r"|my\s+name\s+is|my\s+name['’]s|this\s+is|i\s+am|i['’]m|mi\s+nombre\s+es|me\s+llamo|soy"
    r"|je\s+m['’]appelle|ich\s+hei(?:ß|ss)e|mi\s+chiamo|nome|name|nombre)\s*[:,]?\s+",
    re.IGNORECASE,
)
NAME_PARTICLES = frozenset(
    ["da", "de", "do", "das", "dos", "e", "del", "la", "las", "los", "y", "van", "von", "der", "di"]
)
# Emoji and what hangs on them: signs, skin tones, joiners, variation selectors.
VARIANT_SIGNS = frozenset("\ufe0e\ufe0f\u20e3")
NOT_NAME = frozenset({"So", "Sk", "Cf", "Cs"})
NAME_PUNCTUATION = frozenset(" '’`´-.·,")
EMAIL_LIKE = re.compile(r"[^\s<>()\[\],;:\"]+@[^\s<>()\[\],;:\"]+")
COUNTRY_PREFIX = re.compile(
    r"^(?:(?:in|to|for|em|na|no|nos|nas|para|pra|en|a|o|os|as|la|el|los|las|the|i want to work in"
    r"|quero trabalhar|quero ir|quiero trabajar|quiero ir|pais|country)\s+)+"
)
COUNTRY_SUFFIX = re.compile(r"\s+(?:please|por favor|pf|pls)$")
# "R$ 20", "20 reais", "en 20": a price that somebody names, and no count.
PRICE_NAMED = re.compile(
    r"(?:r\$|[$€£])\s*\d|\d\s*(?:reais|real|contos?|pilas?|d[oó]lar(?:es)?|dollars?|bucks|pesos|euros?|%|[$€£])"
)
PRICE_OFFERED = re.compile(r"\b(?:por|for|en|em|at|a)\s+\d")
PERCENT_OFF = re.compile(
    r"\d\s*(?:%|percent|por\s?cento|por\s?ciento)\s*(?:off|less|(?:a |de )?menos|mais barato|más barato)"
)
NEGATIVE = re.compile(r"(?<!\S)(?:[-\u2212\u2013]|=\s?)\d")  # "=97" is a sum of her own, and no count either
# Beside a count stand the name of the goods at most, and words that say nothing.
COUNT_WORDS = 2
NOT_COUNTRIES = frozenset({"EU", "EZ", "UN", "QO", "XA", "XB", "ZZ"})
ISO_DATE = re.compile(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b")
SHORT_DATE = re.compile(r"(?<!\d)(\d{1,2})[/.-](\d{1,2})(?:[/.-](\d{4}|\d{2}))?(?!\d)")

PERSON_GAP_WORDS = 3
# Longer than this, an answer that also names a person is a story and no call for one.
PERSON_CALL_WORDS = 9

MenuWord = Literal["menu", "back", "greeting"]
# The warmest word first.
Courtesy = Literal[
    "insult", "language", "explain", "thanks", "bye", "robot", "lost", "wait", "declined", "hello_back",
    "sorry", "okay", "laugh",
]  # fmt: skip
Buying = Literal["yes", "take", "close"]
OrderWish = Literal["again", "refund", "cancel", "paid", "pay"]
Subject = Literal[
    "gift", "stock", "of_shop", "doubt", "ways_to_pay", "advice", "no_time", "thinks", "asking",
    "unwanted", "trouble", "trust", "delivering", "not_of_goods", "elsewhere", "half", "until", "offer",
    "praise", "thanks", "not_counted", "assortment", "difference", "despair", "emergency",
    "no_danger", "pt", "es", "en", "currencies",
]  # fmt: skip
Answer = str | int | float


def is_menu_word(text: str) -> MenuWord | None:
    """Name what a short message asks of any menu, in ten languages; case, accents, punctuation and "oiii" do
    not matter."""
    words = _squeezed(plain(text))
    if not words:
        return "greeting" if any(sign in text for sign in GREETING_SIGNS) else None
    if words in _phrases("menu"):
        return "menu"
    if words in _phrases("back"):
        return "back"
    return "greeting" if _is_greeting(words) else None


def wants_person(text: str, *, only: bool = False) -> bool:
    """Tell whether a person is asked for: "atendente", "I want to talk to a human NOW"; with `only`, nothing
    else is said."""
    words = plain(text).split()
    if _squeezed(" ".join(words)) in _phrases("person"):
        return True
    begins = _person_call(words)
    if begins is None or any(_squeezed(word) in _phrases("person_negated") for word in words[:begins]):
        return False
    return not only or len(words) <= PERSON_CALL_WORDS


def courtesy_of(text: str) -> Courtesy | None:
    """Name what a message says that is nothing but thanks, consent, farewell or small talk."""
    words = plain(text)
    if LAUGHTER.fullmatch(words.replace(" ", "")):
        return "laugh"
    kinds: tuple[Courtesy, ...] = get_args(Courtesy)
    said = _split(_squeezed(words), (*kinds, "courtesy_filler", "greeting"))
    if said is None:
        return None
    if not said:
        return _told_by_sign(text)
    return next((kind for kind in kinds if kind in said), None)


def _told_by_sign(text: str) -> Courtesy | None:
    if any(sign in text for sign in LAUGHING_SIGNS):
        return "laugh"
    if any(sign in text for sign in THANKS_SIGNS):
        return "thanks"
    return "lost" if text.strip() and set(text.strip()) <= set("?¿") else None


def buying_of(text: str) -> Buying | None:
    """Name what a message says that is nothing but a yes, a wish to take what was shown ("me vê 2") or to
    close the order ("fecha")."""
    words = plain(text).split()
    if "?" in text or not 0 < len(words) <= TAKING_WORDS:
        return None
    counted = ["1" if word.isdigit() else word for word in words]  # however many
    said = _split(
        _squeezed(" ".join(counted)), ("take", "close", "yes", "okay", "quantity", "courtesy_filler")
    )
    kinds: tuple[Buying, ...] = ("close", "take", "yes")
    kind = next((kind for kind in kinds if kind in (said or ())), None)
    is_number = "quantity" in (said or ()) and read_number(text) is not None
    return "take" if is_number and kind in (None, "yes") and len(said or ()) > 1 else kind


def begins_with_wish(text: str) -> bool:
    """Tell whether the words begin with a wish to have something: "quiero la guía"."""
    return _first_phrase(_squeezed(plain(text)).split(), ("take",))[0] > 0


def order_wish_of(text: str) -> OrderWish | None:
    """Name what somebody wants with an order that is placed; a question is one about the goods alone, because
    "how do I get a refund?" asks for the rules."""
    words = plain(text)
    if not 0 < len(words.split()) <= ORDER_WISH_WORDS or wants_person(text):
        return None
    if words in _folded_phrases("order_pay_whole"):
        return "pay"
    kinds: tuple[OrderWish, ...] = ("again",) if "?" in text else ("again", "refund", "cancel", "paid", "pay")
    return next((kind for kind in kinds if _has_any(f" {words} ", _words()[f"order_{kind}"])), None)


def asks_removal(text: str) -> bool:
    """Tell whether the words ask to take something out of the cart: "tira a mentoria", "remove the book"."""
    words = plain(text)
    lead = sorted(_folded_phrases("remove_lead"), key=len, reverse=True)
    while found := next((one for one in lead if words.startswith(f"{one} ")), None):
        words = words.removeprefix(f"{found} ")
    if _has_any(f" {words} ", _words()["remove_not"]):
        return False
    if words.startswith("take ") and not words.startswith(("take out ", "take off ", "take away ")):
        return _has_any(f" {words} ", _words()["in_cart"]) or words.endswith((" out", " off", " away"))
    return any(words == one or words.startswith(f"{one} ") for one in _folded_phrases("remove"))


def search_words(text: str) -> tuple[str, ...]:
    """Give the words of a question that may name what is sold: without articles, "how much" and the like."""
    found = _without(_without(plain(text), "cheapest"), "price")
    fillers = _folded_phrases("search_filler")
    return tuple(word for word in found.split() if word not in fillers)


def search_phrases(text: str) -> tuple[str, ...]:
    """Give the searched words alone and in pairs: countries often have two."""
    words = search_words(text)
    return (*words, *(" ".join(pair) for pair in pairwise(words)))


def asks_price(text: str) -> bool:
    """Tell whether the words ask what something costs."""
    return asks_cheapest(text) or _has_any(f" {plain(text)} ", _words()["price"])


def naming_words(text: str) -> tuple[str, ...]:
    """Give the searched words that name something: without what is said of anything ("on my phone")."""
    common = _folded_phrases("named_by_none")
    return tuple(word for word in search_words(text) if word not in common)


def speaks_of(subject: Subject, text: str) -> bool:
    """Tell whether the words speak of this; flows/words/answers.yaml says what each subject is."""
    return _has_any(f" {plain(text)} ", _words()[subject])


def asks_discount(text: str) -> bool:
    """Tell whether the words ask for a lower price; what others ask is no such wish."""
    asks = (
        _has_any(f" {plain(text)} ", _words()["discount"]) or PERCENT_OFF.search(text.casefold()) is not None
    )
    return asks or (speaks_of("half", text) and not speaks_of("elsewhere", text))


def is_bargain(text: str) -> bool:
    """Tell whether a price is haggled for: "faz por 15?", "me lo dejas en 20", "I'll give you R$ 10"."""
    written = " ".join(text[:MAX_ANSWER_CHARS].casefold().split())
    is_offer = "?" in written and PRICE_OFFERED.search(written) is not None
    return asks_discount(text) or is_offer or PRICE_NAMED.search(written) is not None


def names_own(text: str) -> bool:
    """Tell whether the words are about something of the customer's own: "my order", "meu pedido"."""
    return _has_any(f" {plain(text)} ", _words()["own"])


def asks_cheapest(text: str) -> bool:
    """Tell whether the words ask for what costs the least here, and not elsewhere."""
    return _has_any(f" {plain(text)} ", _words()["cheapest"]) and not speaks_of("elsewhere", text)


def is_skip_word(text: str) -> bool:
    """Tell whether the customer leaves out an answer that is optional."""
    return text.strip() in {"-", "--", "—", "."} or _squeezed(plain(text)) in _phrases("skip")


def is_yes_word(text: str) -> bool:
    """Tell whether the customer says yes to what she was offered."""
    return _squeezed(plain(text)) in _phrases("yes")


def is_cancel_word(text: str) -> bool:
    """Tell whether the customer gives up the question that she was asked."""
    return "cancel" in (_split(_squeezed(plain(text)), ("cancel", "cancel_filler")) or ())


def plain(text: str) -> str:
    """Give `text` lower-case, without accents, signs and emoji, with digits of every script as 0-9, words
    apart by one space."""
    # Some single signs unfold to a whole phrase; a word that matters is never so long.
    composed = unicodedata.normalize("NFKC", text[:MAX_TEXT_CHARS].replace("🔟", "10"))[:MAX_TEXT_CHARS]
    bare = (c for c in unicodedata.normalize("NFKD", composed.casefold()) if not unicodedata.combining(c))
    return " ".join("".join(_plain_char(c) for c in bare).split())


def read_choice_key(text: str) -> str | None:
    """Give the one digit or letter that a person typed to choose ("2", "2️⃣", "opção 2", "dois", "b)"); None
    for other text."""
    words = plain(text) if not NEGATIVE.search(text) else ""
    stripped = CHOICE_PREFIX.sub("", words)
    for candidate in (words, stripped, CHOICE_SUFFIX.sub("", stripped)):
        if candidate.isascii() and candidate.isdigit() and len(candidate) <= 4:
            return str(int(candidate))
        if len(candidate) == 1 and candidate.isalpha():
            return candidate
        number = _number_words().get(candidate)
        if number is not None:
            return str(number)
    return None


def read_answer(
    kind: str,
    text: str,
    *,
    language: str,
    now: datetime,
    region: str | None = None,
    time_zone: str | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    currency: str | None = None,
) -> Answer | None:
    """Read `text` as the awaited `kind`; None when it is not one, nor money of the `currency` asked for.

    Names, texts and e-mails are strings, countries ISO codes, dates ISO dates; numbers are int, money int or
    float.
    """
    if kind != "free" and is_menu_word(text) is not None:
        return None
    if kind == "text" and is_yes_word(text):
        return None
    if kind in ("text", "free"):
        return read_text(text, needs_letters=kind == "text")
    if len(text) > MAX_ANSWER_CHARS:
        return None  # the readers below search; a name or a date is never so long
    if kind == "name":
        return read_name(text)
    if kind == "email":
        return read_email(text)
    if kind == "country":
        return read_country(text)
    if kind == "date":
        return read_date(text, language=language, now=now, region=region, time_zone=time_zone)
    if kind == "money" and currency and names_other_currency(text, currency, language):
        return None
    number: int | float | None
    number = read_count(text) if kind == "number" else read_money(text, language=language, region=region)
    return _within(number, minimum, maximum)


def read_text(text: str, *, needs_letters: bool) -> str | None:
    """Give what was written, at most MAX_TEXT_CHARS; `needs_letters`: two letters or digits at least."""
    cleaned = text.replace("\0", "").strip()[:MAX_TEXT_CHARS]
    enough = sum(c.isalnum() for c in cleaned) >= 2 if needs_letters else bool(cleaned)
    return cleaned if enough else None


def read_name(text: str) -> str | None:
    """Read a person's name of 2 to 80 characters in any script, also out of "my name is ..."."""
    composed = unicodedata.normalize("NFC", text)
    wanted = "".join(c for c in composed if not (c in VARIANT_SIGNS or unicodedata.category(c) in NOT_NAME))
    name = " ".join(NAME_PREFIX.sub("", " ".join("".join(wanted).split())).split()).strip(".,-'’` ")
    if not MIN_NAME_CHARS <= len(name) <= MAX_NAME_CHARS or len(name.split()) > MAX_NAME_WORDS:
        return None
    if not all(c.isalpha() or unicodedata.category(c) in ("Mc", "Mn") or c in NAME_PUNCTUATION for c in name):
        return None
    if sum(c.isalpha() for c in name) < MIN_NAME_CHARS or is_menu_word(name) or _is_no_name(name):
        return None
    return _capitalised(name) if name.islower() else name


def read_email(text: str) -> str | None:
    """Read the first e-mail address in `text`, normalised; deliverability is not asked of the network."""
    for found in EMAIL_LIKE.finditer(unicodedata.normalize("NFKC", text)):
        try:
            return validate_email(found.group().strip(".!?'’*_"), check_deliverability=False).normalized
        except EmailNotValidError:
            continue
    return None


def read_money(text: str, *, language: str, region: str | None) -> int | float | None:
    """Read an amount of money that is more than nothing; whole amounts are int."""
    readings = (read_amount(text, region=region, language=tongue) for tongue in (language, *MONEY_LANGUAGES))
    amount = next((reading for reading in readings if reading is not None), None)
    if amount is None or not 0 < amount <= MAX_MONEY:
        return None
    return int(amount) if amount == amount.to_integral_value() else float(amount)


def names_other_currency(text: str, currency: str, language: str) -> bool:
    """Tell whether an amount stands beside the name of another currency; a bare $ may be any dollar."""
    place = PESO_REGION if "peso" in plain(text) else DOLLAR_REGION
    named = {
        money.currency
        for tongue in (language, *MONEY_LANGUAGES)
        for money in money_in(fold(text), region=place, language=tongue)
        if money.currency
    }
    return bool(named) and currency not in named


def holds_number(text: str, language: str) -> bool:
    """Tell whether a digit of any script or a number word is there; "a" and "one" alone are none."""
    folded = fold(text[:MAX_ANSWER_CHARS])
    return any(c.isdigit() for c in folded) or any(
        not number.is_article for number in read_numbers(folded, language=language)
    )


def read_number(text: str) -> int | None:
    """Read a whole number: digits of any script, or a word from zero to ten, also beside a unit."""
    if NEGATIVE.search(text):
        return None  # nobody wants less than nothing
    words = plain(text).split()
    numbers = [int(w) for w in words if w.isascii() and w.isdigit() and len(w) <= 9]
    if not numbers and len(words) <= 3:
        numbers = [n for n in (_number_words().get(w) for w in words) if n is not None]
    return numbers[0] if len(numbers) == 1 else None


def read_count(text: str) -> int | None:
    """Read how many are wanted: a number beside hardly anything else; a yes, or to close, wants one."""
    words = plain(text)
    if "?" in text or is_bargain(text) or asks_removal(text) or speaks_of("not_counted", text):
        return None
    if buying_of(text) in ("close", "yes"):
        return read_number(text) or 1
    for kind in ("take", "quantity", "courtesy_filler", "search_filler"):
        words = _without(words, kind)
    others = [w for w in words.split() if not w.isdigit() and w not in _number_words()]
    return read_number(text) if len(others) <= COUNT_WORDS else None


def read_country(text: str) -> str | None:
    """Read a country as its ISO 3166 two-letter code: from a name in six languages, a code or a flag."""
    flag = [chr(ord(c) - 0x1F1E6 + ord("A")) for c in text if "\U0001f1e6" <= c <= "\U0001f1ff"]
    typed = text.strip().strip(".!")
    code = "".join(flag) if len(flag) == 2 else typed.upper()
    if code in _country_codes() and (
        flag or typed.isupper() or typed.lower() not in _words()["words_like_country_codes"]
    ):
        return code
    words = COUNTRY_SUFFIX.sub("", plain(text))
    return _countries().get(words) or _countries().get(COUNTRY_PREFIX.sub("", words))


def read_date(
    text: str, *, language: str, now: datetime, region: str | None = None, time_zone: str | None = None
) -> str | None:
    """Read a day as an ISO date: 2026-11-30, 30/11, 30/11/2026, today, tomorrow, a weekday (the next one)."""
    today = now.astimezone(_zone(time_zone)).date()
    if iso := ISO_DATE.search(text):
        return _iso(int(iso[1]), int(iso[2]), int(iso[3]))
    if short := SHORT_DATE.search(text):
        return _short_date(short, today, month_first=language == "en" and region in (None, "US"))
    words = f" {plain(text)} "
    for kind, distance in (("day_after_tomorrow", 2), ("tomorrow", 1), ("today", 0)):
        if _has_any(words, _words()[kind]):
            return (today + timedelta(days=distance)).isoformat()
    for weekday, names in enumerate(_words()["weekdays"]):
        if _has_any(words, names):
            return (today + timedelta(days=(weekday - today.weekday() - 1) % 7 + 1)).isoformat()
    return None


def _has_any(words: str, phrases: Iterable[str]) -> bool:
    return any(f" {plain(phrase)} " in words for phrase in phrases)


def _person_call(words: list[str]) -> int | None:
    """Find where someone is asked for: a way of asking and, soon after it, who; None when nowhere."""
    for asking, named in (("person_asked", "person_named"), ("person_wanted", "person_roles")):
        for start in range(len(words)):
            for end in _phrase_ends(words, start, asking):
                if any(_phrase_ends(words, at, named) for at in range(end, end + PERSON_GAP_WORDS + 1)):
                    return start
    return None


def _phrase_ends(words: list[str], start: int, kind: str) -> list[int]:
    """Give where the phrases of a kind end that begin at `start`."""
    phrases = _phrases(kind)
    ends = range(start + 1, min(start + MAX_PHRASE_WORDS, len(words)) + 1)
    return [end for end in ends if _squeezed(" ".join(words[start:end])) in phrases]


def _without(words: str, kind: str) -> str:
    padded = f" {words} "
    for phrase in sorted(_folded_phrases(kind), key=len, reverse=True):
        padded = padded.replace(f" {phrase} ", " ")
    return padded.strip()


def _is_no_name(name: str) -> bool:
    words = _squeezed(plain(name))
    return words in _phrases("not_whole_names") or not _phrases("not_names").isdisjoint(words.split())


def _is_greeting(words: str) -> bool:
    return "greeting" in (_split(words, ("greeting", "greeting_filler")) or ())


def _split(words: str, kinds: tuple[str, ...]) -> list[str] | None:
    """Take words apart into phrases of these kinds, the longest first; None when something is left over."""
    tokens, found = words.split(), list[str]()
    while tokens:
        size, kind = _first_phrase(tokens, kinds)
        if not size:
            return None
        found.append(kind)
        tokens = tokens[size:]
    return found


def _first_phrase(tokens: list[str], kinds: tuple[str, ...]) -> tuple[int, str]:
    for size in range(min(MAX_PHRASE_WORDS, len(tokens)), 0, -1):
        for kind in kinds:
            if " ".join(tokens[:size]) in _phrases(kind):
                return size, kind
    return 0, ""


@lru_cache(maxsize=1)
def _words() -> dict[str, Any]:
    words: dict[str, Any] = yaml.safe_load(WORDS_FILE.read_text(encoding="utf-8"))
    return words


@lru_cache(maxsize=32)
def _phrases(kind: str) -> frozenset[str]:
    if kind == "quantity":
        words = [*_number_words(), *map(str, range(1, 100)), *_words()["quantity"]]
        return frozenset(_squeezed(plain(word)) for word in words)
    return frozenset(_squeezed(plain(phrase)) for phrase in _words()[kind])


@lru_cache(maxsize=16)
def _folded_phrases(kind: str) -> frozenset[str]:
    return frozenset(plain(phrase) for phrase in _words()[kind])


def _squeezed(words: str) -> str:
    """Make "oiii" and "hellooo" equal to "oi" and "hello"; digits keep their repeats."""
    return re.sub(r"([^\W\d])\1+", r"\1", words)


def _plain_char(char: str) -> str:
    digit = unicodedata.digit(char, None)
    if digit is not None:
        return str(digit)
    return char if char.isalnum() else " " if not _is_silent(char) else ""


def _is_silent(char: str) -> bool:
    return unicodedata.category(char) in ("Cf", "Me", "Mn") or char in "'’`"


@lru_cache(maxsize=1)
def _number_words() -> dict[str, int]:
    return {plain(word): n for n, words in enumerate(_words()["numbers"]) for word in words}


@lru_cache(maxsize=1)
def _country_codes() -> frozenset[str]:
    codes: Mapping[str, Any] = Locale("en").territories
    return frozenset(c for c in codes if len(c) == 2 and c.isalpha() and c not in NOT_COUNTRIES)


@lru_cache(maxsize=1)
def _countries() -> dict[str, str]:
    names: dict[str, str] = {}
    for language in COUNTRY_LANGUAGES:
        territories: Mapping[str, Any] = Locale(language).territories
        for code in _country_codes():
            names.setdefault(plain(str(territories.get(code, code))), code)
    names.update({plain(nick): code for code, nicks in _words()["countries"].items() for nick in nicks})
    return {name: code for name, code in names.items() if len(name) > 2 or name == "uk"}


def _capitalised(name: str) -> str:
    words = name.split()
    return " ".join(w if i and w in NAME_PARTICLES else w[:1].upper() + w[1:] for i, w in enumerate(words))


def _within(number: int | float | None, minimum: float | None, maximum: float | None) -> int | float | None:
    if number is None or (minimum is not None and number < minimum):
        return None
    return None if maximum is not None and number > maximum else number


def _zone(name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def _short_date(found: re.Match[str], today: date, *, month_first: bool) -> str | None:
    first, second, year = int(found[1]), int(found[2]), found[3]
    day, month = (second, first) if month_first and first <= 12 else (first, second)
    if year:
        return _iso(int(year) + (2000 if len(year) == 2 else 0), month, day)
    this_year = _iso(today.year, month, day)
    return this_year if this_year and this_year >= today.isoformat() else _iso(today.year + 1, month, day)


def _iso(year: int, month: int, day: int) -> str | None:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None
