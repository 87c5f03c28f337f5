"""What a reply claims (a discount, a stock, a deadline, a refund), held against what the shop states.

Called by the guards. The patterns are data (data/claims.yaml); here stands when a claim is true: denied, only
spoken about, stated by the shop in the same figures, or borne out by a fact.
"""

import re
from collections.abc import Iterator
from datetime import datetime, time
from decimal import Decimal
from typing import Final, get_args

from analysis.dates import read_dates
from analysis.quantities import read_numbers

from .breaches import Breach, BreachCode
from .everyday import everyday
from .facts import Facts, ProductFacts
from .families import asserts, claims_in
from .figures import named_products, sums_of
from .ties import is_stated_time
from .told import asserted, statements
from .wording import (
    any_match,
    claims_of,
    content_words,
    is_denied,
    is_only_mentioned,
    sentences,
    unleet,
    words_of,
)

# Claims that the shop may have stated, and which then may be repeated in the same figures.
STATABLE: Final = (
    "discount", "payment_terms", "time_pressure", "scarcity", "refund", "guarantee", "free", "delivery",
    "time_span", "alike", "unknown_claim",
)  # fmt: skip
# Kinds that are told as breaches of another name.
CODES: Final = {"time_span": "delivery", "alike": "unknown_claim"}
# For these the stated words must be about the same thing: free shipping is no free course.
BOUND: Final = ("discount", "free", "delivery", "guarantee")
NEVER: Final = {
    "private_data": "private_data",
    "prompt_leak": "prompt_leak",
    "slang_money": "unknown_amount",
    "off_topic": "off_topic",
}
ORDER_KINDS: Final = ("order_paid", "order_delivered", "order_cancelled", "order_changed")
_IMMEDIATE: Final = re.compile(
    r"\b(?:hoje|hoy|today|tonight|meia[- ]noite|medianoche|midnight|horas?|hours?|minut\w+)\b"
)
# Said of payments in general: "card and Pix are usually confirmed within minutes".
_USUALLY: Final = re.compile(r"\b(?:costum\w+|suele\w*|usually|normally|geralmente|normalmente)\b")
# A time to change one's mind is no pressure where the shop gives just that time for it.
TIMED: Final = ("time_pressure", "guarantee", "time_span")
_COUNTED: Final = re.compile(r"\d|\b(?:um|uma|una?|one|an?|dois|duas|dos|two|tres|three|sete|siete|seven)\b")
_RUSHED: Final = re.compile(r"\b(?:so|apenas|solo|only|just|ultim\w+|last|corr\w+|hurry)\b")
# Spans without a figure: one, half or a few of a unit of time, which is the same in every language.
_SPAN: Final = re.compile(
    r"\b(?:(?P<half>half|mei[ao]|medi[ao])|(?P<few>couple|par|parzinho|few|alg\w+|un[ao]s|pouc[ao]s|poc[ao]s)|"
    r"uma?|una?|(?<!minutes )(?<!hours )(?<!times )(?<!once )an?|one)"
    r"(?: an?| of| de)? (?P<unit>minut|horit|horinh|hor|hour|dia|day|seman|week|mes|month|ano|year)"
)
_UNITS: Final = {
    "hour": "hor",
    "horit": "hor",
    "horinh": "hor",
    "day": "dia",
    "week": "seman",
    "month": "mes",
}
_CLAUSE: Final = re.compile(r"[,;:—–]")
MEANS: Final = {
    "pix": re.compile(r"\bpix\b"),
    "boleto": re.compile(r"\bboletos?\b"),
    "card": re.compile(r"\b(?:cartao|cartoes|tarjetas?|cards?|credito|credit)\b"),
    "paypal": re.compile(r"\bpaypal\b"),
    "transfer": re.compile(r"\b(?:transfer\w*|ted|depositos?)\b"),
}
_RISE: Final = re.compile(r"\b(?:sobe\w*|subir\w*|sube\w*|aument\w+|goes up|going up|rises?|increas\w+)\b")


def check_claims(folded: str, facts: Facts, language: str) -> Iterator[Breach]:
    """Find every claim that the facts do not bear out."""
    for sentence in sentences(folded):
        for shown in dict.fromkeys((sentence, unleet(sentence))):
            yield from check_promises(shown, facts, language)
            for kind, code in NEVER.items():
                if (found := any_match(claims_of(kind), shown)) and not _may_be_said(
                    kind, shown, facts, language
                ):
                    yield Breach(_code(code), found.group())


def _may_be_said(kind: str, sentence: str, facts: Facts, language: str) -> bool:
    """Whether it is the truth about who speaks, or the shop's own sentence about what data it needs."""
    if kind == "prompt_leak":
        return bool(words_of("introduces").fullmatch(sentence))
    if kind != "private_data" or re.search(r"\d", sentence):
        return False
    own = content_words(sentence) - everyday(language)
    return any(
        own <= content_words(told) and any_match(claims_of(kind), told) for told in statements(facts.stated)
    )


def check_promises(sentence: str, facts: Facts, language: str) -> Iterator[Breach]:
    """Find what a folded sentence claims of the shop, its stock and the order, and the facts do not hold."""
    yield from _check_statable(sentence, facts, language)
    yield from _check_families(sentence, facts, language)
    yield from _check_order(sentence, facts, language)
    yield from _check_stock(sentence, facts, language)


def _check_statable(sentence: str, facts: Facts, language: str) -> Iterator[Breach]:
    for kind in STATABLE:
        for pattern in claims_of(kind):
            for found in pattern.finditer(sentence):
                if not _is_fair(kind, sentence, found, facts, language):
                    yield Breach(_code(kind), found.group())


def _check_families(sentence: str, facts: Facts, language: str) -> Iterator[Breach]:
    for claim in claims_in(sentence, language):
        timed = claim.family.code in TIMED and _COUNTED.search(claim.found.group())
        if timed and is_stated_time(sentence, facts, language) and not _RUSHED.search(sentence):
            continue
        if claim.family.code == "scarcity" and _is_true_scarcity(sentence, facts, language):
            continue
        if not any(
            asserts(told, claim) and _is_no_stronger(sentence, told) for told in statements(facts.stated)
        ):
            yield Breach(claim.family.code, claim.found.group())


def _is_true_scarcity(sentence: str, facts: Facts, language: str) -> bool:
    is_low = any(product.is_low for product in _meant(sentence, facts))
    return is_low or _is_true_deadline(sentence, facts, language)


def _is_no_stronger(sentence: str, told: str) -> bool:
    return _figures(sentence) <= _figures(told) and _strong(sentence) <= _strong(told)


def _is_fair(kind: str, sentence: str, found: re.Match[str], facts: Facts, language: str) -> bool:
    if is_denied(sentence, found.start(), found.end(), language):
        return True
    if is_only_mentioned(sentence, found.start()):
        return True
    if kind == "time_pressure" and _is_true_deadline(sentence, facts, language):
        return True
    if kind == "scarcity" and any(product.is_low for product in _meant(sentence, facts)):
        return True
    if kind in TIMED and _COUNTED.search(found.group()) and is_stated_time(sentence, facts, language):
        return not _RUSHED.search(sentence)
    return any(_is_stated(kind, sentence, found, told) for told in statements(facts.stated))


def _is_stated(kind: str, sentence: str, found: re.Match[str], told: str) -> bool:
    """Whether the shop states this: the same kind, not denied, no new figures, nothing made stronger."""
    stating = asserted(claims_of(kind), told)
    if not stating or not _is_no_stronger(sentence, told):
        return False
    if kind == "time_span" and not _spans(found.group()) <= _spans(told):
        return False
    if kind == "payment_terms" and not _means_around(sentence, found) <= _means(" ".join(stating)):
        return False
    if kind not in BOUND:
        return True
    shared = content_words(sentence) & content_words(told)
    other = [one for one in STATABLE if one != kind and any_match(claims_of(one), sentence)]
    if kind == "free" and any_match(claims_of("delivery"), told) and "delivery" not in other:
        return False
    # In another language than the shop's the kinds that stand together say what it is about.
    return len(shared) > 1 or (bool(other) and all(any_match(claims_of(one), told) for one in other))


def _means_around(sentence: str, found: re.Match[str]) -> frozenset[str]:
    """Give the means of payment that a claim is about: of its clause, else of the nearest one before it."""
    edges = [0, *(cut.end() for cut in _CLAUSE.finditer(sentence, 0, found.start()))]
    end = cut.start() if (cut := _CLAUSE.search(sentence, found.end())) else len(sentence)
    for start in reversed(edges):
        if means := _means(sentence[start:end]):
            return means
    return frozenset()


def _means(text: str) -> frozenset[str]:
    return frozenset(name for name, pattern in MEANS.items() if pattern.search(text))


def _is_true_deadline(sentence: str, facts: Facts, language: str) -> bool:
    ends = {product.offer_ends for product in _meant(sentence, facts) if product.offer_ends}
    ends = {day for day in ends if day >= facts.today}
    if not ends or _RISE.search(sentence):
        return False
    now = datetime.combine(facts.today, time(12)).astimezone()
    days = {day.value(now)[:10] for day in read_dates(sentence, now=now, language=language)}
    is_today = facts.today in ends
    if _IMMEDIATE.search(sentence):
        return is_today and days <= {facts.today.isoformat()}
    return days <= {day.isoformat() for day in ends}


def _check_order(sentence: str, facts: Facts, language: str) -> Iterator[Breach]:
    order = facts.order
    truths = {
        "order_paid": order is not None and order.is_paid,
        "order_delivered": order is not None and order.is_delivered,
        "order_cancelled": order is not None and order.is_cancelled,
    }
    for kind in ORDER_KINDS:
        for pattern in claims_of(kind):
            for found in pattern.finditer(sentence):
                if truths.get(kind) or is_denied(sentence, found.start(), found.end(), language):
                    continue
                if not _is_condition(sentence[: found.start()]) and not _USUALLY.search(found.group()):
                    yield Breach("order_claim", found.group())


def _check_stock(sentence: str, facts: Facts, language: str) -> Iterator[Breach]:
    meant = _meant(sentence, facts)
    told = any_match(claims_of("stock_claim"), sentence)
    counts = [
        number
        for number in read_numbers(sentence, language=language)
        if not number.is_article and words_of("counted").match(sentence, number.end)
    ]
    stated = {
        number.value
        for text in statements(facts.stated)
        for number in read_numbers(text)
        if words_of("counted").match(text, number.end)
    }
    true_counts = {product.stock for product in meant}
    for number in counts if told else ():
        if number.value not in true_counts and number.value not in stated:
            yield Breach("stock", sentence[number.start : number.end + 20])
    if found := any_match(claims_of("available"), sentence):
        is_no = is_denied(sentence, found.start(), found.end(), language)
        if meant and all(product.is_sold_out for product in meant) and not is_no:
            yield Breach("stock", found.group())
    if found := any_match(claims_of("sold_out"), sentence):
        is_near = re.search(r"\b(?:quase|casi|almost|nearly)\W+$", sentence[: found.start()])
        is_true = any(product.is_sold_out for product in meant)
        if not is_near and not is_true and not is_denied(sentence, found.start(), found.end(), language):
            yield Breach("stock", found.group())


def _is_condition(before: str) -> bool:
    """Whether what follows is said of the future: "assim que", "once", "when your payment is confirmed"."""
    return bool(words_of("conditions").search(before))


def _meant(sentence: str, facts: Facts) -> list[ProductFacts]:
    return list(named_products(sentence, facts)) or list(facts.products)


def _figures(sentence: str) -> set[Decimal]:
    """Give the numbers of a sentence without those of prices, which are checked by themselves."""
    sums = sums_of(sentence, "pt")
    return {
        number.value
        for number in read_numbers(sentence)
        if not number.is_article
        and not any(money.start < number.end and number.start < money.end for money in sums)
    }


def _spans(text: str) -> set[tuple[str, str]]:
    """Give the spans of time that are told without a figure, each as how many and of what."""
    return {
        ("half" if one["half"] else "few" if one["few"] else "one", _UNITS.get(one["unit"], one["unit"]))
        for one in _SPAN.finditer(text)
    }


def _strong(sentence: str) -> set[str]:
    return {found.group() for found in words_of("strong").finditer(sentence)}


def _code(kind: str) -> BreachCode:
    name = CODES.get(kind, kind)
    return next(code for code in get_args(BreachCode) if code == name)
