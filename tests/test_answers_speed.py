"""Whatever a customer types, reading it takes no time that others would notice."""

import time
from datetime import UTC, datetime

import pytest

import triage
from answers import courtesy_of, is_menu_word, read_answer, read_choice_key, wants_person

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
KINDS = ("text", "free", "name", "email", "country", "date", "number", "money")
HOSTILE = {
    "letters": "a" * 65_536,
    "digits": "1 " * 32_768,
    "dates": "de 1 de " * 8_192,
    "mixed": "A1" * 32_768,
    "unfolding": "\ufdfa" * 65_536,
    "at signs": "@" * 65_536,
    "short digits": "1 " * 200,
    "short mixed": "A1" * 200,
    "short dates": "de 1 de " * 50,
}
# Generous: the machine may be busy. What this guards against took seconds to minutes.
LONGEST_SECS = 3.0


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("kind", KINDS)
def test_no_answer_takes_long_to_read(kind: str, text: str) -> None:
    read_answer(kind, "1", language="pt", now=NOW, region="BR")  # loads the word lists
    began = time.process_time()
    read_answer(kind, text, language="pt", now=NOW, region="BR")
    assert time.process_time() - began < LONGEST_SECS


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_word_takes_long_to_look_up(text: str) -> None:
    is_menu_word("oi")
    began = time.process_time()
    for look_up in (is_menu_word, wants_person, courtesy_of, read_choice_key, triage.is_opt_out_word):
        look_up(text)
    assert time.process_time() - began < LONGEST_SECS
