"""Who answers and why: the rules in their order, as a table, and that every situation has an answer."""

import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import answers
from triage import MEDIA_KINDS, SPOKEN_KINDS, Decision, Situation, decide
from vocabulary import RESPONDERS

ANGRY = {"sentiment": "angry", "urgency": "critical"}
LEAD = {"intent": "lead_inquiry", "intent_confidence": 0.9}
SPAM = {"intent": "spam", "intent_confidence": 0.95}

RULES = [
    # situation, who answers, what it sets in motion
    ({"is_group": True, "text": "stop"}, "nobody", None),
    ({"kind": "reaction"}, "nobody", None),
    ({"kind": "edit"}, "nobody", None),
    ({"text": "STOP"}, "menu", "opt_out"),
    ({"text": "Parar!", "is_with_person": True}, "menu", "opt_out"),
    ({"text": "sair", "awaits": "name"}, "menu", "opt_out"),
    ({"text": "stop", "is_too_old": True}, "menu", "opt_out"),
    ({"text": "stop", "has_opted_out": True}, "nobody", None),
    ({"text": "oi", "has_opted_out": True}, "nobody", None),
    ({"text": "START", "has_opted_out": True}, "menu", "opt_in"),
    ({"text": "oi", "is_too_old": True}, "nobody", None),
    ({"text": "1", "is_with_person": True, "names_choice": True}, "human", None),
    ({"text": "menu", "is_with_person": True, "menu_word": "menu"}, "human", None),
    ({"text": "x", **ANGRY}, "human", "hand_over"),
    ({"text": "1", "names_choice": True, **ANGRY}, "human", "hand_over"),
    ({"text": "x", "sentiment": "angry", "urgency": "high", **LEAD}, "ai", None),
    ({"kind": "image"}, "ai", "cannot_read"),
    ({"kind": "unsupported"}, "ai", "cannot_read"),
    ({"kind": "image", "is_with_person": True}, "human", None),
    ({"kind": "order"}, "shop", None),
    ({"text": "1", "names_choice": True, "awaits": "choice"}, "menu", None),
    ({"text": "menu", "menu_word": "menu", "awaits": "name"}, "menu", None),
    ({"text": "voltar", "menu_word": "back", "awaits": "money"}, "menu", None),
    ({"text": "Hello", "menu_word": "greeting", "awaits": "name"}, "menu", None),
    ({"text": "quero comprar", "awaits": "name"}, "menu", None),
    ({"text": "oi", "menu_word": "greeting", **LEAD}, "menu", None),
    ({"kind": "welcome"}, "menu", None),
    ({"text": "Comprar"}, "shop", None),
    ({"text": "catálogo"}, "shop", None),
    ({"text": "win money fast at home", **SPAM}, "nobody", None),
    ({"text": "Repassem", **SPAM}, "ai", None),  # too short to be an advert
    ({"text": "win money fast at home", **SPAM, "is_first_contact": True}, "nobody", None),
    ({"text": "hm", "awaits": "choice"}, "menu", None),
    ({"text": "quero saber do curso", "awaits": "choice", **LEAD}, "ai", None),
    ({"text": "hm", "is_first_contact": True}, "menu", None),
    ({"text": "quero saber do curso", "is_first_contact": True, **LEAD}, "ai", None),
    ({"text": "hm"}, "ai", None),
    ({"text": "x", "sentiment_confidence": 0.41, **ANGRY}, "ai", None),
    ({"text": "x", "urgency_confidence": 0.5, **ANGRY}, "ai", None),
    ({"kind": "location", "text": "Marco Zero, Recife"}, "ai", "cannot_read"),
    ({"text": "START", "has_opted_out": True, "is_with_person": True}, "human", "opt_in"),
    ({"text": "atendente", "wants_person": True, "awaits": "choice"}, "human", "hand_over"),
    ({"text": "atendente", "wants_person": True, "awaits": "money"}, "human", "hand_over"),
    (
        {"text": "human", "wants_person": True, "wants_only_person": True, "awaits": "text"},
        "human",
        "hand_over",
    ),
    ({"text": "a story", "wants_person": True, "awaits": "text"}, "menu", None),
    ({"text": "human", "wants_person": True, "names_choice": True, "awaits": "choice"}, "menu", None),
    ({"text": "human", "wants_person": True, "has_opted_out": True}, "nobody", None),
    ({"text": "human", "wants_person": True, "is_with_person": True}, "human", None),
    ({"text": "valeu", "courtesy": "thanks"}, "ai", "courtesy"),
    ({"text": "valeu", "courtesy": "thanks", "awaits": "choice"}, "ai", "courtesy"),
    ({"text": "valeu", "courtesy": "thanks", "awaits": "choice", "names_choice": True}, "ai", "courtesy"),
    ({"text": "ok", "courtesy": "okay", "awaits": "choice", "names_choice": True}, "menu", None),
    ({"text": "valeu", "courtesy": "thanks", "awaits": "free"}, "menu", None),
    ({"text": "valeu", "courtesy": "thanks", "is_first_contact": True}, "menu", None),
    ({"text": "valeu", "courtesy": "thanks", "has_opted_out": True}, "nobody", None),
]
ORDER: dict[str, Any] = {"intent": "order_inquiry", "intent_confidence": 0.9, "entry_flow": "desk"}


@pytest.mark.parametrize("awaits", [None, "choice"])
def test_a_clear_intent_with_a_step_of_its_own_acts_at_once(awaits: str | None) -> None:
    decision = decide(Situation(text="where is my order", awaits=awaits, **ORDER))
    assert decision == Decision("ai", "clear intent: order_inquiry", flow="desk", entry="order_inquiry")
    assert decision.waits_for_more


@pytest.mark.parametrize("awaits", ["number", "money", "email", "country", "date"])
def test_a_clear_intent_leaves_a_question_that_it_cannot_answer(awaits: str) -> None:
    about: dict[str, Any] = {"text": "where is my order", "awaits": awaits, **ORDER}
    assert decide(Situation(is_answer=False, **about)).entry == "order_inquiry"
    assert decide(Situation(is_answer=True, **about)).responder == "menu"
    assert decide(Situation(is_answer=False, **{**about, "intent_confidence": 0.5})).responder == "menu"


@pytest.mark.parametrize(
    ("text", "confidence"),
    [
        ("R$ 1 milhão", 0.6),
        ("algo entre 100 e 200", 0.95),
        ("cerca de duzentos mil reais", 0.95),
        ("unos doscientos mil pesos", 0.95),
        ("about two hundred thousand", 0.95),
        ("1e6", 0.95),
        ("R$1M", 0.95),
        ("quanto custa?", 0.95),
        ("¿cuánto cuesta?", 0.95),
        ("how much", 0.95),
        ("where is my order", 0.79),
    ],
)
def test_an_open_question_is_left_only_for_a_clear_sentence_without_a_number(
    text: str, confidence: float
) -> None:
    about: dict[str, Any] = {"intent": "order_inquiry", "intent_confidence": confidence, "entry_flow": "desk"}
    holds_number = any(answers.holds_number(text, language) for language in ("pt", "es", "en"))
    for awaits in ("number", "money", "date"):
        asked = Situation(text=text, awaits=awaits, is_answer=False, holds_number=holds_number, **about)
        assert decide(asked) == Decision("menu", f"answers the question for {awaits}")


def test_a_number_in_a_sentence_is_no_email_and_no_country() -> None:
    about: dict[str, Any] = {
        "text": "where is my order 1042",
        "holds_number": True,
        **ORDER,
    }
    assert decide(Situation(awaits="email", is_answer=False, **about)).entry == "order_inquiry"
    assert decide(Situation(awaits="country", is_answer=False, **about)).entry == "order_inquiry"


@pytest.mark.parametrize("awaits", ["text", "free", "name"])
def test_words_of_an_answer_are_never_taken_for_a_wish(awaits: str) -> None:
    about: dict[str, Any] = {"text": "my order never came", "awaits": awaits, **ORDER}
    assert decide(Situation(is_answer=False, **about)).responder == "menu"


@pytest.mark.parametrize(("about", "responder", "effect"), RULES)
def test_the_first_rule_that_fits_wins(about, responder: str, effect: str | None) -> None:
    decision = decide(Situation(**about))
    assert (decision.responder, decision.effect) == (responder, effect)
    assert decision.reason


def test_every_situation_has_an_answer_and_a_reason() -> None:
    flags = ("is_group", "is_too_old", "is_first_contact", "has_opted_out", "is_with_person", "names_choice")
    kinds = (*sorted(SPOKEN_KINDS | MEDIA_KINDS), "unsupported", "reaction", "hologram")
    for kind, values in itertools.product(kinds, itertools.product((True, False), repeat=len(flags))):
        about: dict[str, Any] = dict(zip(flags, values, strict=True))
        decision = decide(Situation(kind=kind, text="oi", **about))
        assert decision.responder in RESPONDERS
        assert decision.reason


@given(text=st.text(max_size=80), with_person=st.booleans(), opted_out=st.booleans())
def test_no_words_break_the_decision(text: str, with_person: bool, opted_out: bool) -> None:
    decision = decide(Situation(text=text, is_with_person=with_person, has_opted_out=opted_out))
    assert decision.responder in RESPONDERS


@pytest.mark.parametrize(
    "about", [{"text": "1", "names_choice": True}, {"text": "menu", "menu_word": "menu"}, {"text": "stop"}]
)
def test_menu_words_digits_and_opt_outs_never_wait(about) -> None:
    assert not decide(Situation(**about)).waits_for_more


def test_free_text_for_the_ai_waits_and_a_file_does_not() -> None:
    assert decide(Situation(text="e o preço?")).waits_for_more
    assert not decide(Situation(kind="image")).waits_for_more


def test_a_person_is_asked_where_the_shop_wants_more_certainty():
    said = Situation(text="e aquele negócio lá?", intent_confidence=0.4)
    strict = replace(said, person_below=0.5)
    assert decide(said).responder == "ai"
    assert decide(strict) == Decision("human", "not read surely enough", effect="hand_over")
    assert decide(replace(strict, intent_confidence=0.5)).responder == "ai"
    assert decide(replace(strict, is_first_contact=True)).responder == "menu"
    assert decide(replace(strict, awaits="choice")).responder == "menu"
    assert decide(replace(strict, menu_word="greeting")).responder == "menu"
