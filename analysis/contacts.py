"""Phones, e-mail addresses (also spelled out) and links in a text.

Called by `entities`. Spans and values only; nothing is looked up and nobody is called.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

import phonenumbers

from .folding import fold
from .lexicons import load

LEAD_REACH: Final = 40  # how far back a word may say what a number is
PHONE_DIGITS_MIN: Final = 7
PHONE_DIGITS_MAX: Final = 15
OWN_COUNTRY_DIGITS: Final = 11  # from here on a number may bring its country code without a plus
# Where a number without a country code may belong, when nobody says: the languages' largest countries.
_HOMES: Final = {
    "pt": ("BR", "PT"),
    "es": ("MX", "ES", "AR", "CO"),
    "en": ("US", "GB"),
    "fr": ("FR", "BE"),
    "de": ("DE", "AT", "CH"),
    "it": ("IT",),
    "ar": ("SA", "EG", "AE"),
    "zh": ("CN", "TW", "HK"),
    "ja": ("JP",),
    "ko": ("KR",),
}
_PHONE: Final = re.compile(
    r"(?<![a-z0-9_+$€£¥#/.,:=-])(?:\+|\(\+?\d|\d)[\d ().\-–/]{4,22}\d"
    r"(?:\s?(?:ext|x|ramal|anexo|int)\.?\s?\d{1,5})?"
    r"(?![a-z0-9_%$€£¥°]|[.,:/-]\d)"
)
_NOT_PHONE: Final = re.compile(
    r"(?<![a-z])(?:pedido|order|orden|commande|bestell\w*|ordine|codigo|code|cpf|cnpj|nit|rfc|dni|rut|iban|"
    r"protocolo|ticket|tracking|rastreio|isbn|cep|numero de serie|serial|"
    r"订单|单号|注文番号|주문번호|طلب|rechnung\w*|invoice|factura|fatura|nf)"
    r"\W{0,3}(?:n[ro°º]?\.?|num\w*|numero|is|e|es|est|ist|رقم|:|#)?\W{0,3}$"
)
_PHONE_WORD: Final = re.compile(
    r"(?<![a-z])(?:tel\w*|phone\w*|cel\w*|fone|whats\w*|zap\w*|wpp|mobile|movil|call|ligar?|llam\w*|numero|number|num|contato|"
    r"contacto|"
    r"handy\w*|nummer|portable|cellulare|fax"
    r"|电话|手机|号码|电話|電話|携帯|番号|전화\w*|번호\w*|연락처|هاتف|جوال|رقم\w*|واتس\w*|اتصل\w*|me at)"
    r"\W{0,4}(?:is|e|es|est|ist|é|是|は|로|no|em|al|on|at|me)?\W{0,3}$"
)
_LONG_CODE: Final = re.compile(r"\d{4,}\.\d{4,}\s$")  # the line of a bill goes on
_DATE_LIKE: Final = re.compile(
    r"\(?(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|(?:19|20)\d{2}\s?[-–]\s?(?:19|20)\d{2})\)?(?:\s\d{1,2})?"
)
_GROUPED: Final = re.compile(r"\d{1,3}(?:\.\d{3})+|\d{1,3}(?: \d{3})+|\d+\.\d+")
_SPANISH: Final = re.compile(
    r"[67893]\d\d(?: \d{3}){2}(?<!000)"
)  # grouped like a sum, as Iberia writes phones
_EMAIL: Final = re.compile(
    r"(?<![\w.+-])[a-z0-9](?:[\w.+%-]*[\w+-])?@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,24}(?![\w-]|@)",
    re.ASCII,
)
_TRAILING: Final = re.compile(r"[.,;:!?'\"»”’…。、，！？）)\]}>*_]+$")
# Where a link ends though no space follows: at another script's marks, and at its letters unless they begin a
# part of the path ("/路径"); a Japanese particle begins none.
_LETTER: Final = r"[\u0590-\u08ff\u0e00-\u0e7f\u3041-\u30ff\u3400-\u9fff\uac00-\ud7af\uff66-\uff9f]"
_FOREIGN: Final = re.compile(
    rf"[\u2018-\u201f\u2026\u3000-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65،؛؟«»]"
    rf"|(?<=[^/=?&#%_.-])(?<!{_LETTER})(?={_LETTER})|(?<=/)(?=[\u3041-\u309f])"
)
SURE_LABEL: Final = 4  # letters: "ok.no" ends one sentence and begins another
_SIMPLE_HOST: Final = re.compile(r"([^\W_]+)\.([a-z]+)")
_URL_BODY: Final = r"[a-z0-9\-._~%!$&'*+,;=:@/?#\[\]()\u00c0-\u024f]*"


@dataclass(frozen=True, slots=True)
class Contact:
    """A phone, email or url in a folded text."""

    type: str
    start: int
    end: int
    value: str


def read_links(folded: str, cased: str) -> list[Contact]:
    """Find links, with a scheme, with www, or bare with a known ending.

    `cased` is the text as it was written, letter for letter: folding makes a "，" a comma, which links have.
    """
    found = []
    for match in _url_pattern().finditer(folded):
        text = _trim(_FOREIGN.split(cased[match.start() : match.end()], maxsplit=1)[0])
        end = match.start() + len(text)
        if "." in text and _has_true_host(text.lower()) and not _is_full_stop(folded, match.start(), end):
            found.append(Contact("url", match.start(), match.start() + len(text), text))
    return found


def _is_full_stop(folded: str, start: int, end: int) -> bool:
    """Tell two sentences from a host: "obrigado.de nada", "lá.me liga", but "hab auf otto.de bestellt"."""
    host = _SIMPLE_HOST.fullmatch(folded, start, end)
    endings = load("contact")
    if host is None or host[2] not in {*endings["word_tlds"], *endings["home_tlds"]}:
        return False
    announced, beside = _link_cues()
    before = folded[max(0, start - LEAD_REACH) : start]
    if announced.search(before) or (host[2] in endings["home_tlds"] and beside.search(before)):
        return False
    is_closed = not re.match(r"\s*[^\W_]", folded[end:])
    return len(host[1]) < SURE_LABEL or not is_closed


@cache
def _link_cues() -> tuple[re.Pattern[str], re.Pattern[str]]:
    data = load("contact")
    announced, beside = (
        "|".join(map(_bound, map(fold, data[name]))) for name in ("link_cues", "link_prepositions")
    )
    return re.compile(rf"(?:{announced})\W{{0,3}}(?:(?:e|is|es|est|ist|da|do|de)\s)?$"), re.compile(
        rf"(?:{beside})\s+$"
    )


def _has_true_host(link: str) -> bool:
    """Tell a host that may exist: no label starts or ends with a dash, and the domain has no underscore."""
    host = re.split(r"[/?#:]", link.partition("://")[2] or link)[0].rpartition("@")[2]
    labels = host.split(".")
    return all(label.strip("-_") == label != "" for label in labels) and "_" not in "".join(labels[-2:])


def read_emails(folded: str) -> list[Contact]:
    """Find addresses, also "ana arroba loja ponto com"."""
    found = [Contact("email", match.start(), match.end(), match.group()) for match in _EMAIL.finditer(folded)]
    spelled = _spelled_pattern().finditer(folded) if _at_pattern().search(folded) else ()
    for match in spelled:
        if all(match.end() <= one.start or match.start() >= one.end for one in found):
            found.append(Contact("email", match.start(), match.end(), _unspell(match)))
    return found


def read_phones(folded: str, *, region: str | None = None, language: str | None = None) -> list[Contact]:
    """Find numbers that somebody could call; the value is E.164 when the country is known."""
    found = []
    for match in _PHONE.finditer(folded):
        text = match.group().rstrip(" -.(/")
        if value := _phone(
            text, folded[max(0, match.start() - LEAD_REACH) : match.start()], region, language
        ):
            found.append(Contact("phone", match.start(), match.start() + len(text), value))
    return found


def _phone(text: str, before: str, region: str | None, language: str | None) -> str | None:
    digits = re.sub(r"\D", "", re.split(r"ext|x|ramal|anexo|int", text)[0])
    if not PHONE_DIGITS_MIN <= len(digits) <= PHONE_DIGITS_MAX or _DATE_LIKE.fullmatch(text):
        return None
    if text.count("(") != text.count(")") or _NOT_PHONE.search(before) or _LONG_CODE.search(before):
        return None
    known = _international(text, region, language)
    named = bool(_PHONE_WORD.search(before))
    if (
        known
        and (named or text.startswith("+") or len(digits) >= 8)
        and not (_GROUPED.fullmatch(text) and not named and not _SPANISH.fullmatch(text))
    ):
        return known
    shaped = bool(re.search(r"\d[ ()\-./]+\d", text)) and not _GROUPED.fullmatch(text)
    if text.startswith("+") or named or (shaped and len(digits) >= 7 and _looks_grouped(text)):
        return f"+{digits}" if text.startswith("+") else digits
    return digits if 10 <= len(digits) <= 13 and text.isdigit() else None


def _looks_grouped(text: str) -> bool:
    """Phones are written in groups of two to five digits, not as a row of single figures or years."""
    groups = re.findall(r"\d+", text)
    return (
        len(groups) >= 2
        and all(len(group) <= 6 for group in groups)
        and sum(len(group) == 1 for group in groups) <= 1
    )


def _international(text: str, region: str | None, language: str | None) -> str | None:
    """Give the E.164 form in the region, else in the language's countries, else of one that names its own."""
    homes = (region.upper(),) if region else _HOMES.get(language or "", ("US",))
    digits = re.sub(r"\D", "", text)
    own = (
        f"+{digits.removeprefix('00')}"
        if digits.startswith("00") or len(digits) >= OWN_COUNTRY_DIGITS
        else ""
    )
    for written, home in (*((text, home) for home in homes), (own, None)):
        try:
            number = phonenumbers.parse(written, home)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return None


def _trim(text: str) -> str:
    """Leave out the sentence's own marks; a bracket that the link opened stays."""
    while match := _TRAILING.search(text):
        tail = match.group()
        if tail[-1] in ")]" and text.count("(["[tail[-1] == "]"]) >= text.count(tail[-1]):
            break
        text = text[:-1]
    return text


def _unspell(match: re.Match[str]) -> str:
    spoken = load("contact")["spoken"]
    text = match.group()
    for name, mark in (("underscore", "_"), ("dash", "-"), ("dot", "."), ("at", "@"), ("weak_at", "@")):
        for word in _forms(name):
            if mark == "@" and "@" in text:
                break
            text = re.sub(rf"\s*{word}\s*", mark, text)
    for word in sorted(spoken, key=len, reverse=True):
        text = text.replace(fold(word), spoken[word])
    address = re.sub(r"\s+", "", text).replace("..", ".")
    return address if "." in address.partition("@")[2] else f"{address}.com"


def _forms(*names: str) -> list[str]:
    """Give the patterns of the words for a sign, the longest first, each also in brackets: "(arroba)"."""
    data = load("contact")
    words = sorted((fold(word) for name in names for word in data[name]), key=len, reverse=True)
    bracketed = [rf"[(\[{{<]\s?{re.escape(word)}\s?[)\]}}>]" for word in words if word.isalpha()]
    # "@shop" behind a space is a name elsewhere, no address.
    plain = (r"(?:(?<!\s)@|(?<=\s)@(?=\s))" if word == "@" else _bound(word) for word in words)
    return [*bracketed, *plain]


@cache
def _url_pattern() -> re.Pattern[str]:
    tlds = "|".join(sorted(load("contact")["tlds"], key=len, reverse=True))
    label = r"[a-z0-9_\u00c0-\u024f](?:[a-z0-9_\-\u00c0-\u024f]*[a-z0-9_\u00c0-\u024f])?"
    host = rf"(?:{label}\.)+(?:{tlds})(?![a-z0-9_@-])(?!\.[a-z0-9])"
    return re.compile(
        rf"(?<![a-z0-9@._/-])(?:(?:https?|ftp)://[^\s<>\"，。、！？）】」]+|www\.[a-z0-9]{_URL_BODY}"
        rf"|{host}(?::\d{{2,5}})?(?:[/?#]{_URL_BODY})?)"
    )


@cache
def _at_pattern() -> re.Pattern[str]:
    """Spot any word for the at sign first: the whole pattern is dear, and most messages have none."""
    return re.compile("|".join(_forms("at", "weak_at")))


@cache
def _spelled_pattern() -> re.Pattern[str]:
    data = load("contact")
    dot, at = "|".join(_forms("dot")), "|".join(_forms("at"))
    bracketed = "|".join(form for form in _forms("weak_at") if form.startswith("["))
    weak_at = "|".join(form for form in _forms("weak_at") if not form.startswith("["))
    providers = "|".join(map(re.escape, data["providers"]))
    spoken = "|".join(sorted((re.escape(fold(word)) for word in data["spoken"]), key=len, reverse=True))
    # Bounded: a stranger's thousand dots must not be tried in every combination.
    name = r"[a-z0-9][a-z0-9_.+-]{0,63}"
    local = (
        rf"{name}(?:\s{{0,3}}(?:{'|'.join(_forms('dot', 'dash', 'underscore'))}|\.)\s{{0,3}}{name}){{0,4}}"
    )
    host = rf"(?:{spoken}|[a-z0-9-]{{1,63}})"
    ending = rf"(?:\s{{0,3}}(?:{dot}|\.)\s{{0,3}}{host}|\s{{0,3}}(?:{spoken}))"
    return re.compile(
        rf"(?<![a-z0-9_.@])(?:{local}\s{{0,3}}(?:{at}|{bracketed})\s{{0,3}}{host}{ending}{{1,5}}"
        rf"|{local}\s{{0,3}}(?:{at}|{bracketed})\s{{0,3}}(?:{providers})(?![\w])"
        rf"|{local}\s{{1,3}}(?:{weak_at})\s{{1,3}}(?:[a-z0-9-]{{1,63}}(?:\s{{1,3}}(?:{dot})\s{{1,3}}[a-z0-9-]{{1,63}}){{1,5}}"
        rf"|(?:{providers})(?:\.|\s{{1,3}}(?:{dot})\s{{1,3}})[a-z.]{{1,63}}))"
        r"(?![a-z0-9_@])"
    )


def _bound(word: str) -> str:
    escaped = re.escape(word)
    return rf"(?<![^\W_]){escaped}(?![^\W_])" if word.isascii() and word.isalpha() else escaped
