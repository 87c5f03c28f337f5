"""Somebody else's order or name, a street, a code: what a reply may name only where the facts do.

Called by the guards. Read as written: a capital tells a name from a word.
"""

import re
from collections.abc import Iterator
from typing import Final

from .breaches import Breach, BreachCode
from .facts import Facts
from .wording import plain

_NAME: Final = r"[A-ZÁÉÍÓÚÂÊÔÃÕÇÑ][a-záéíóúâêôãõçñü]+"
_PERSONAL: Final = (
    r"(?:[Pp]edido|[Cc]ompra|[Cc]onta|[Cc]adastro|[Tt]elefone|[Nn][úu]mero|[Ee]ndere[çc]o|[Ff]icha|[Cc]uenta|"
    r"[Tt]el[ée]fono|[Dd]irecci[óo]n|[Cc]art[ãa]o|[Tt]arjeta|cpf|CPF|DNI|[Oo]rder|[Pp]urchase|[Aa]ccount|number|"
    r"[Aa]ddress|card)"
)
_RELATION: Final = (
    r"(?:vizinh[oa]|vecin[oa]|neighbou?r|marid[oa]|espos[oa]|husband|wife|amig[oa]|friend|irm[ãa]o?|herman[oa]|"
    r"sister|brother|m[ãa]e|madre|mother|mum|mom|pai|padre|father|dad|filh[oa]|hij[oa]|son|daughter|namorad[oa]|"
    r"novi[oa]|boyfriend|girlfriend|chefe|jef[ea]|boss|colega|colleague|prim[oa]|cousin|ti[oa]|aunt|uncle)"
)
_DID: Final = (
    r"(?:comprou|pediu|pagou|levou|recebeu|mora|compr[óo]|pidi[óo]|pag[óo]|llev[óo]|recibi[óo]|vive|bought|ordered|"
    r"paid|lives)"
)
_OF_SOMEBODY: Final = re.compile(
    rf"\b{_PERSONAL} (?:d[aoe]|of|de la|del) (?P<of>{_NAME})"
    rf"|\b(?P<whose>[A-Z][a-zà-ú]+)(?: [A-Z][a-zà-ú]+)?['’]s? {_PERSONAL}"
    rf"|\b{_PERSONAL}\b[^.!?]{{0,20}} (?:é|era|es|is|was|belongs|pertence|pertenece) "
    rf"(?:d[ae]|do|de la|del|to|a) (?P<owner>{_NAME})"
    rf"|\b(?P<did>{_NAME})(?: {_NAME})? (?:tamb[ée]m |tambi[ée]n |also |j[áa] |ya )?{_DID}\b"
)
_OF_ANOTHER: Final = re.compile(
    rf"\b{_PERSONAL} (?:del[ea]s?|de ell[oa]s?|de él)\b"
    r"|\b(?:[Hh]er|[Hh]is) (?:order|purchase|account|address)\b"
    rf"|\b{_PERSONAL} (?:d[ao]|de) (?:sua|seu|tua|teu|su|tu) {_RELATION}\b"
    rf"|\b[Yy]our {_RELATION}['’]s {_PERSONAL}\b"
)
_INTRODUCED: Final = re.compile(
    rf"\b(?:[Ss]ou|[Ss]oy|I['’]m|I am|[Aa]qui é|[Tt]his is) (?:(?:a|o|la|el) )?(?P<who>{_NAME})\b"
    r"|\b(?:[Mm]anager|[Gg]erente|[Cc]onsultora?|[Aa]tendente|[Aa]sesora?|[Vv]endedora?)"
    rf" (?:is|é|es|se chama|se llama) (?:(?:a|o|la|el) )?(?P<helper>{_NAME})"
)
_STREET: Final = re.compile(
    rf"\b(?:[Rr]ua|[Aa]venida|[Aa]v\.|[Tt]ravessa|[Aa]lameda|[Pp]raça|[Cc]alle|[Cc]arrera|[Pp]laza) "
    rf"(?:d[aeo]s? |de la |del )?{_NAME}"
    rf"|\b\d+ {_NAME} (?:Street|Avenue|Road|Lane|Square|St\.|Ave\.)"
)
# A voucher or an order's number: letters in capitals with figures behind them.
_CODE: Final = re.compile(r"\b(?:[A-Z]{2,}-?\d+|[A-Z]+-\d{2,})\b")
# They begin a sentence with a capital and name nobody.
_NOBODY: Final = frozenset(
    "quem voce ninguem alguem ele ela ja quien usted nadie alguien el ella ya who you nobody someone she he "
    "everyone cliente clienta customer eu yo tu su seu sua muy muito aqui o a el la un una um uma se"
    " si".split()
)


def check_people(text: str, facts: Facts) -> Iterator[Breach]:
    """Find other people's matters, invented names, streets and codes."""
    own = _own_names(facts)
    for found in _OF_SOMEBODY.finditer(text):
        name = found["of"] or found["whose"] or found["owner"] or found["did"]
        if name not in own and not (found["did"] and plain(name) in _NOBODY):
            yield Breach("private_data", found.group())
    for found in _OF_ANOTHER.finditer(text):
        yield Breach("private_data", found.group())
    for found in _INTRODUCED.finditer(text):
        if (found["who"] or found["helper"]) not in own:
            yield Breach("identity", found.group())
    yield from _unstated(text, facts)


def _unstated(text: str, facts: Facts) -> Iterator[Breach]:
    told = " ".join((*facts.stated, *_names(facts)))
    known = plain(told)
    for pattern, code in _STATABLE:
        for found in pattern.finditer(text):
            if plain(found.group()) not in known:
                yield Breach(code, found.group())


_STATABLE: Final[tuple[tuple[re.Pattern[str], BreachCode], ...]] = (
    (_STREET, "unknown_contact"),
    (_CODE, "unknown_number"),
)


def _own_names(facts: Facts) -> frozenset[str]:
    """Give the words of the customer's, the shop's and the products' own names."""
    return frozenset(word for name in (*_names(facts), *facts.stated) for word in re.findall(r"\w+", name))


def _names(facts: Facts) -> tuple[str, ...]:
    numbers = (facts.order.number,) if facts.order and facts.order.number else ()
    lines = tuple(line.name for line in facts.order.lines) if facts.order else ()
    skus = tuple(product.sku for product in facts.products)
    names = tuple(product.name for product in facts.products)
    return (facts.business_name, facts.first_name, *names, *skus, *lines, *numbers)
