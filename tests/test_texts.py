"""The fixed words to customers: complete in three languages, short enough, and filled without surprises."""

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
    "minimum": "1",
    "maximum": "99",
    "stock": 3,
    "low_stock": 5,
    "status": "paid",
    "names": "Curso",
}
NEEDED = (
    "opt_out_confirmed", "opted_in", "handed_over", "handed_back", "cannot_read", "asked_again", "away",
    "error", "menu_offer", "welcome_back", "voice_received", "image_received", "invalid_choice",
    "offer_person",
)  # fmt: skip


@pytest.mark.parametrize("language", TEXT_LANGUAGES)
def test_every_language_has_every_text(language: str):
    assert texts.text_names(language) == NAMES
    assert set(NEEDED) <= set(NAMES)


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
    assert texts.text("away", language)


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
    assert first in texts.text("welcome_back", language, contact_name=name)
