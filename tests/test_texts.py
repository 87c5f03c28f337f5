"""The fixed words to customers: complete in three languages, short enough, and filled without surprises."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.exceptions import SecurityError

import texts
from vocabulary import LANGUAGES, TEXT_LANGUAGES

NAMES = texts.text_names()
# What the texts may be given, by those who ask for them.
VALUES = {
    "contact_name": "Ana Souza",
    "lines": ("Acordes abertos", "Doze aulas"),
    "minimum": "1",
    "maximum": "99",
    "stock": 3,
    "low_stock": 5,
    "status": "paid",
    "items": ({"name": "Curso", "reason": "stock", "left": 2}, {"name": "x", "reason": "unknown", "left": 0}),
    "is_kept": True,
    "is_claimed": True,
    "compared": ({"name": "Curso", "price": "R$ 10", "description": "Aulas.", "benefits": ("Certificado",)},),
    "product": "Curso",
    "price": "R$ 10,00",
    "misses": 2,
    "is_refunded": False,
    "products": (("Curso", "R$ 10,00"), ("Brinde", "")),
    "offers": (("Curso", "R$ 10,00", "30 de novembro"),),
    "questions": ("tem garantia", "serve para crianças"),
    "number": "P-10017",
    "total": "R$ 97,00",
    "url": "https://desk.example.com/d/" + "x" * 60,
    "given": "ABCD-1234",
    "goods": "Curso",
    "days": 7,
    "when": "segunda-feira, 23 de novembro, às 09:00",
    "topic": "Consultoria",
    "state": "solved",
    "method": "stripe",
    "kind": "payment_claimed",
    "is_reminder": True,
    "is_owner": True,
    "who": "Ana Souza",
    "phone": "+55 11 98765-4321",
    "words": "x" * 200,
    "headline": "Um novo lead",
    "link": "https://desk.example.com/inbox/1",
    "verb": "paid",
    "button": "close",
    "notice": 12,
    "count": 2,
    "result": "paid",
    "sent": 2,
    "waiting": 1,
    "at": "15:40",
    "flow": "shop",
    "is_despair": True,
    "emergency": "192 (SAMU)",
    "listening": "188 (CVV)",
}
NEEDED = (
    "opt_out_confirmed", "opted_in", "handed_over", "cannot_read", "error", "voice_received",
    "image_received", "invalid_choice", "offer_person",
)  # fmt: skip


@pytest.mark.parametrize("language", TEXT_LANGUAGES)
def test_every_language_has_every_text(language: str):
    assert texts.text_names(language) == NAMES
    assert set(NEEDED) <= set(NAMES)


def test_every_text_is_sent_by_somebody():
    root = texts.TEXTS_DIR.parent.parent
    folders = (
        root,
        *(root / room for room in ("replies", "writing", "flow_files", "crm", "shop", "owner", "connectors")),
    )
    rooms = [path for folder in folders for path in sorted(folder.glob("*.py"))]
    source = "\n".join(path.read_text(encoding="utf-8") for path in rooms)
    families = tuple(re.findall(r'f"([a-z]+_)\{', source))
    unused = [name for name in NAMES if f'"{name}"' not in source and f"'{name}'" not in source]
    assert not [name for name in unused if not name.startswith(families)]


@pytest.mark.parametrize("language", TEXT_LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_every_text_is_filled_and_fits_a_message(name: str, language: str):
    words = texts.text(name, language, **VALUES)
    assert 0 < len(words) <= 1024
    assert words == words.strip()
    assert not {"{", "}"} & set(words)
    if name.startswith("title_") or name == "menu_button":
        assert len(words) <= 20


@pytest.mark.parametrize("language", TEXT_LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_every_text_asks_only_for_values_that_are_given(name: str, language: str):
    source = (texts.TEXTS_DIR / language / f"{name}.txt").read_text(encoding="utf-8")
    assert texts.names_used(source) <= {*VALUES, "language"}


@pytest.mark.parametrize("name", [name for name in NAMES if len(texts.text(name, "en", **VALUES)) > 25])
def test_no_language_is_a_copy_of_another(name: str):
    assert len({texts.text(name, language, **VALUES) for language in TEXT_LANGUAGES}) == 3


@pytest.mark.parametrize("name", ["", "gone", "../en/away", "away.txt", "..", "away\x00"])
def test_an_unknown_text_is_refused(name: str):
    with pytest.raises(KeyError):
        texts.text(name, "pt")


@pytest.mark.parametrize(
    ("language", "written"),
    [
        ("pt", "pt"), ("pt-BR", "pt"), ("pt_PT", "pt"), ("PT", "pt"), ("es-MX", "es"), ("en-GB", "en"),
        ("fr", "en"), ("zh", "en"), ("", "pt"), (None, "pt"), ("x", "en"),
    ],
)  # fmt: skip
def test_a_reader_is_written_to_in_the_nearest_language(language: str | None, written: str):
    assert texts.text_language(language) == written


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_that_is_understood_has_a_language_to_answer_in(language: str):
    assert texts.text("handed_over", language)


@pytest.mark.parametrize(
    ("written", "language", "words"),
    [
        ("{{ 280000|usd }}", "en", "$280,000"),
        ("{{ 280000|usd }}", "pt", "US$ 280.000"),
        ("{{ '150000.9'|usd }}", "en", "$150,000"),
        ("{{ none|usd }}", "en", ""),
        ("{{ missing|usd }}", "en", ""),
        ("{{ 'inf'|usd }}", "en", ""),
        ("{{ 'DE'|country_name }}", "pt", "Alemanha"),
        ("{{ 'de'|country_name }}", "es", "Alemania"),
        ("{{ 'Mars'|country_name }}", "en", "Mars"),
        ("{{ 'Ana Souza'|first_name }}", "pt", "Ana"),
        ("{{ ''|first_name }}", "pt", ""),
        ("{{ ['a', ' b ', '']|bullet_lines }}", "pt", "✅ a\n✅ b"),
        ("{{ 'a\\nb'|bullet_lines }}", "pt", "✅ a\n✅ b"),
        ("{{ 5|bullet_lines }}", "pt", ""),
    ],
)
def test_values_are_formatted_for_the_reader(written: str, language: str, words: str):
    assert texts.compiled(written).render(language=language) == words


@pytest.mark.parametrize(
    ("written", "error"),
    [
        ("{{ ''.__class__.__mro__ }}", SecurityError),
        ("{{ function.__globals__.Path }}", SecurityError),
        ("{{ lines.append(1) }}", SecurityError),
        ("{{ range(10**9)|list }}", OverflowError),
    ],
)
def test_a_text_cannot_reach_into_the_program(written: str, error: type[Exception]):
    with pytest.raises(error):
        texts.compiled(written).render(function=texts.text, lines=[])


@given(st.text(), st.sampled_from(TEXT_LANGUAGES))
def test_a_name_is_shown_as_it_was_given(name: str, language: str):
    first = name.split()[0] if name.split() else ""
    words = texts.compiled("Oi, {{ contact_name|first_name }}!").render(contact_name=name, language=language)
    assert first in words
