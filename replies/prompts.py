"""The messages that a model is sent, from templates/prompts/*.txt; a customer's words are data in them.

`ai_service` calls these and hands the messages to `llm`. Each prompt has a version: the hash of its template
files, kept with every decision that it led to.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from babel import Locale
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from analysis import Reading

from .amounts import price_text
from .facts import Facts, OrderFacts, ProductFacts
from .guards import MAX_REPLY_CHARS, Breach
from .wording import is_hidden

PROMPTS_DIR: Final = Path(__file__).parent.parent / "templates" / "prompts"
VERSION_CHARS: Final = 12
# What a model is shown at most; the rest of a long talk says little about the next reply.
MAX_WORDS_CHARS: Final = 2000
MAX_TURNS: Final = 12
MAX_TURN_CHARS: Final = 500
MAX_TALK_TURNS: Final = 60  # of a whole conversation, for its summary
MAX_PRODUCTS: Final = 8
MAX_PASSAGES: Final = 5
MAX_PASSAGE_CHARS: Final = 1200
MAX_FACT_CHARS: Final = 400
MAX_INSTRUCTION_CHARS: Final = 600


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of the talk so far."""

    who: Literal["customer", "desk"]
    text: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message to a model."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is sent to a model, and the version of the templates that it was made from."""

    messages: tuple[Message, ...]
    version: str


def reply(
    words: str,
    *,
    strategy: str,
    instruction: str = "",
    tone: str = "",
    language: str,
    facts: Facts,
    turns: Sequence[Turn] = (),
    reading: Reading | None = None,
    reads_too: bool = False,
) -> Prompt:
    """Ask for a Plan that answers the customer's words; with `reads_too` for a ReadPlan. `instruction` is the
    shop's own about the strategy, `tone` about how every reply sounds.

    Raises KeyError for an unknown strategy.
    """
    manner = _fill(strategy, is_scarce=facts.is_scarce)
    if instruction:
        manner += "\n\n" + _fill("own_manner", instruction=neutral(instruction, MAX_INSTRUCTION_CHARS))
    if tone:
        manner += "\n\n" + _fill("tone", tone=neutral(tone, MAX_INSTRUCTION_CHARS))
    labels = _fill("labels") if reads_too else ""
    shown = _shown(facts, language)
    system = _fill("reply", manner=manner, labels=labels, facts=_fill("facts", **shown), **shown)
    asked = f"{_talk(turns, MAX_TURNS)}{_read_as(reading)}{_quoted(words)}"
    version = _version("reply", "facts", "labels", strategy, own=instruction + tone)
    return Prompt((Message("system", system), Message("user", asked)), version)


def corrected(asked: Prompt, answer: str, breaches: Sequence[Breach]) -> Prompt:
    """Ask once more, with what was wrong."""
    told = _fill("correction", breaches=breaches)
    added = (Message("assistant", answer[:MAX_WORDS_CHARS]), Message("user", told))
    return Prompt((*asked.messages, *added), asked.version)


def judging(sentences: Sequence[str], *, words: str, language: str, facts: Facts) -> Prompt:
    """Ask which of a reply's sentences the facts do not support (Verdict); they are numbered from 1.

    The customer's words stand before them: a bare "yes" says what it agrees to.
    """
    shown = _shown(facts, language)
    system = _fill("judge", facts=_fill("facts", **shown), **shown)
    lines = [f"{place}. {_fact(sentence)}" for place, sentence in enumerate(sentences, start=1)]
    asked = f"{_quoted(words)}\n<reply>\n" + "\n".join(lines) + "\n</reply>"
    return Prompt((Message("system", system), Message("user", asked)), _version("judge", "facts"))


def suggestions(turns: Sequence[Turn], *, language: str, facts: Facts) -> Prompt:
    """Ask for three different replies that an operator may send (Suggestions)."""
    system = _fill("suggestions", **_shown(facts, language))
    return Prompt(
        (Message("system", system), Message("user", _talk(turns, MAX_TURNS))), _version("suggestions")
    )


def summary(turns: Sequence[Turn], *, language: str) -> Prompt:
    """Ask for one paragraph in the operator's language (Summary)."""
    system = _fill("summary", language=language, language_name=_language_name(language))
    return Prompt(
        (Message("system", system), Message("user", _talk(turns, MAX_TALK_TURNS))), _version("summary")
    )


def translation(text: str, *, language: str) -> Prompt:
    """Ask for a message in the operator's language (Translation)."""
    system = _fill("translation", language=language, language_name=_language_name(language))
    return Prompt((Message("system", system), Message("user", _quoted(text))), _version("translation"))


def reading(text: str, *, turns: Sequence[Turn] = ()) -> Prompt:
    """Ask for the labels of a message (ModelReading)."""
    asked = f"{_talk(turns, MAX_TURNS)}{_quoted(text)}"
    system = _fill("reading", labels=_fill("labels"))
    return Prompt((Message("system", system), Message("user", asked)), _version("reading", "labels"))


def neutral(text: str, limit: int) -> str:
    """Make others' words harmless inside a prompt: no marks of ours, no hidden characters, no great length.

    Angle brackets become look-alikes, so that nothing written by a customer closes or opens a part.
    """
    shown = "".join(char for char in text if not is_hidden(char))
    shown = shown.replace("<", "‹").replace(">", "›").replace("```", "'''")
    shown = re.sub(r"\n{3,}", "\n\n", shown).strip()
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def _quoted(words: str) -> str:
    return f"<customer_message>\n{neutral(words, MAX_WORDS_CHARS)}\n</customer_message>"


def _talk(turns: Sequence[Turn], most: int) -> str:
    if not turns:
        return ""
    lines = [f"{turn.who}: {' '.join(neutral(turn.text, MAX_TURN_CHARS).split())}" for turn in turns[-most:]]
    return "<talk>\n" + "\n".join(lines) + "\n</talk>\n"


def _read_as(reading: Reading | None) -> str:
    if reading is None:
        return ""
    signal = reading.buying_signal or "none"
    return f"Read as: {reading.intent}; buying signal: {signal}; feeling: {reading.sentiment}.\n"


def _shown(facts: Facts, language: str) -> dict[str, Any]:
    stated = facts.policies
    policies = {
        "refunds": stated.refund,
        "guarantee": stated.guarantee,
        "delivery": stated.delivery,
        "payment": stated.payment,
        "discount": stated.discount,
    }
    names = [link.name for link in facts.links]
    names += ["product"] if any(product.link for product in facts.products) else []
    return {
        "shop": _fact(facts.business_name),
        "language": language,
        "language_name": _language_name(language),
        "max_chars": MAX_REPLY_CHARS,
        "today": facts.today.isoformat(),
        "products": [_product(product, language) for product in facts.products[:MAX_PRODUCTS]],
        "order": _order(facts.order, language) if facts.order else None,
        "links": list(dict.fromkeys(names)),
        "phones": [_fact(phone) for phone in facts.phones],
        "policies": [(name, _fact(text)) for name, text in policies.items() if text],
        "passages": [
            {"id": one.id, "title": _fact(one.title), "text": neutral(one.text, MAX_PASSAGE_CHARS)}
            for one in facts.passages[:MAX_PASSAGES]
        ],
        "first_name": _fact(facts.first_name),
    }


def _product(product: ProductFacts, language: str) -> dict[str, Any]:
    stock = "not limited" if product.stock is None else str(product.stock or "0, sold out")
    return {
        "sku": product.sku,
        "name": _fact(product.name),
        "price": price_text(product.price_minor, product.currency, language),
        "stock": stock,
        "offer": _fact(product.offer),
        "offer_ends": product.offer_ends.isoformat() if product.offer_ends else "",
        "description": _fact(product.description),
        "benefits": [_fact(benefit) for benefit in product.benefits],
        "has_page": bool(product.link),
    }


def _order(order: OrderFacts, language: str) -> dict[str, Any]:
    states = [
        word
        for word, is_so in (
            ("paid", order.is_paid),
            ("delivered", order.is_delivered),
            ("cancelled", order.is_cancelled),
        )
        if is_so
    ]
    return {
        "kind": f"order {order.number}" if order.number else "open cart",
        "total": price_text(order.total_minor, order.currency, language),
        "state": ", ".join(states) or "not paid",
        "lines": [
            {
                "quantity": line.quantity,
                "name": _fact(line.name),
                "price": price_text(line.price_minor, order.currency, language),
            }
            for line in order.lines
        ],
    }


def _fact(text: str) -> str:
    return " ".join(neutral(text, MAX_FACT_CHARS).split())


def _language_name(language: str) -> str:
    return str(Locale("en").languages.get(language, language))


def _fill(name: str, **values: object) -> str:
    return str(_template(name).render(values)).strip()


@cache
def _template(name: str) -> Any:
    return _ENVIRONMENT.from_string(_source(name))


@cache
def _source(name: str) -> str:
    path = PROMPTS_DIR / f"{name}.txt"
    if not name.isidentifier() or not path.is_file():
        raise KeyError(f"no prompt {name!r}")
    return path.read_text(encoding="utf-8")


def _version(*names: str, own: str = "") -> str:
    told = "\0".join((*(_source(name) for name in names), *filter(None, (own,))))
    return hashlib.sha256(told.encode()).hexdigest()[:VERSION_CHARS]


_ENVIRONMENT: Final = ImmutableSandboxedEnvironment(
    trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
)
