"""The two shops of the red-team suite: one that states no policy, and one that states some.

And the model that obeys its attacker: for each kind of attack, what it would say.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from replies.facts import (
    Facts,
    LineFacts,
    Link,
    OrderFacts,
    Passage,
    Policies,
    ProductFacts,
)

HERE = Path(__file__).parent
HONEST = ("honest.yaml", "honest_talk.yaml")
UNSEEN = HERE / "unseen.txt"
IN_WORDS = HERE / "in_words.txt"
DEMO = HERE.parents[1] / "demo"
TODAY = date(2026, 11, 21)

COURSE = ProductFacts(
    sku="curso-foto-celular",
    name="Fotografia com celular",
    price_minor=19700,
    description="Doze aulas curtas para tirar fotos bonitas de produtos, comida e gente com o celular.",
    benefits=("Acesso por 12 meses", "Exercícios corrigidos", "Certificado"),
    link="https://luzecor.example/foto",
)
MENTORING = ProductFacts(
    sku="mentoria-grupo",
    name="Mentoria em grupo",
    price_minor=89000,
    stock=12,
    benefits=("Quatro encontros ao vivo",),
)
EBOOK = ProductFacts(
    sku="ebook-receitas", name="30 receitas rápidas", price_minor=2900, benefits=("Para ler no celular",)
)
ARRIVAL = Passage(7, "Como recebo", "Os arquivos e acessos chegam por aqui mesmo, no WhatsApp.")


def order(number: str, line: ProductFacts, *, is_paid: bool) -> OrderFacts:
    return OrderFacts(
        number=number,
        currency="BRL",
        lines=(LineFacts(sku=line.sku, name=line.name, quantity=1, price_minor=line.price_minor),),
        total_minor=line.price_minor,
        is_paid=is_paid,
    )


PLAIN = Facts(
    business_name="Luz e Cor",
    today=TODAY,
    first_name="Ana",
    products=(COURSE, MENTORING, EBOOK),
    order=order("1042", COURSE, is_paid=False),
    links=(
        Link("payment", "https://pay.luzecor.example/p/abc"),
        Link("booking", "https://agenda.luzecor.example"),
    ),
    phones=("+55 81 3333-4444",),
    emails=("oi@luzecor.example",),
    passages=(ARRIVAL,),
)
KIT = ProductFacts(sku="kit-luz", name="Kit de luz", price_minor=123456)
STATED = Facts(
    business_name="Luz e Cor",
    today=TODAY,
    first_name="Ana",
    products=(
        COURSE,
        ProductFacts(
            sku="mentoria-grupo",
            name="Mentoria em grupo",
            price_minor=89000,
            stock=3,
            offer_ends=date(2026, 11, 30),
            offer="Inscrições até 30 de novembro.",
        ),
        KIT,
        ProductFacts(sku="planilha", name="Planilha", price_minor=3000, currency="USD"),
        ProductFacts(sku="ensaio", name="Ensaio", price_minor=15000, stock=0),
    ),
    order=order("1043", KIT, is_paid=True),
    policies=Policies(
        refund="Você tem 7 dias depois da compra para pedir o reembolso.",
        guarantee="A mentoria tem garantia de 30 dias.",
        delivery="Frete grátis para o kit acima de R$ 300,00. O kit chega em até 10 dias úteis.",
        payment="O curso pode ser parcelado em até 3x sem juros no cartão.",
        discount="No pagamento com Pix há 5% de desconto.",
    ),
)


def told(language: str) -> Facts:
    """The demo's shop in one language: a few products, and every article that it has."""
    listed = yaml.safe_load((DEMO / "shop.yaml").read_text(encoding="utf-8"))
    return Facts(
        business_name="Maré Digital",
        today=TODAY,
        first_name="Ana",
        products=tuple(_product(one, language) for one in listed[0]["products"]),
        passages=_articles("shop", language),
    )


def residency(language: str) -> Facts:
    """The demo's residency desk: every article that it has; some titles are questions."""
    return Facts(
        business_name="Nexora", today=TODAY, first_name="Ana", passages=_articles("nexora", language)
    )


def _articles(name: str, language: str) -> tuple[Passage, ...]:
    pages = sorted((DEMO / "articles" / name / language).glob("*.md"))
    texts = [page.read_text(encoding="utf-8").partition("\n") for page in pages]
    return tuple(
        Passage(place, title.removeprefix("# "), body.replace("**", ""))
        for place, (title, _, body) in enumerate(texts, start=1)
    )


def _product(listed: dict[str, Any], language: str) -> ProductFacts:
    return ProductFacts(
        sku=listed["sku"],
        name=listed.get("names", {}).get(language, listed["name"]),
        price_minor=listed["price_minor"],
        stock=listed.get("stock"),
        description=listed.get("descriptions", {}).get(language, listed["description"]),
        benefits=tuple(listed["benefits"][language]),
    )


SHOPS = {"plain": PLAIN, "stated": STATED}
TOLD = {language: told(language) for language in ("pt", "es", "en")}
RESIDENCY = {language: residency(language) for language in ("pt", "es", "en")}


def shop(name: str, language: str) -> Facts:
    return TOLD[language] if name == "told" else SHOPS[name]


@dataclass(frozen=True)
class Attack:
    """One kind of attack in one language: what customers write, and what a model that obeys answers."""

    kind: str
    language: str
    asks: tuple[str, ...]
    answers: tuple[str, ...]


def attacks() -> Iterator[Attack]:
    for path in sorted(HERE.glob("*.yaml")):
        if path.name in HONEST:
            continue
        for kind, languages in yaml.safe_load(path.read_text(encoding="utf-8")).items():
            for language, told in languages.items():
                yield Attack(kind, language, _lines(told["asks"]), _lines(told["answers"]))


def honest() -> Iterator[tuple[str, str, str]]:
    """Give every honest reply: its shop, its language, its text."""
    for name in HONEST:
        for shop, languages in yaml.safe_load((HERE / name).read_text(encoding="utf-8")).items():
            for language, told in languages.items():
                for line in _lines(told):
                    yield shop, language, line


def unseen() -> Iterator[tuple[str, str, str]]:
    """Give the claims that no pattern was written for: family, language, text."""
    yield from _told_in(UNSEEN)


def in_words() -> Iterator[tuple[str, str, str]]:
    """Give the invented spans, prices and discounts that are written in words: kind, language, text."""
    yield from _told_in(IN_WORDS)


def _told_in(path: Path) -> Iterator[tuple[str, str, str]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            family, language, text = line.split("|")
            yield family, language, text


def _lines(told: str) -> tuple[str, ...]:
    return tuple(line.replace("\\n", "\n") for line in told.splitlines() if line.strip())
