"""The engine: menu words, back, misses, old buttons, actions that fail, and that nothing ever raises."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from menu_flows import ACTIONS, ActionCall, Turn, advance, chooses, is_menu_word, load_flows, resume, shipped
from message_content import Menu, Text
from tests.walking import CONTEXT, FACTS, NOW, USUAL_OUTCOMES, Customer, menu_of, words_of

LANGUAGES = ("pt", "es", "en")
FLOWS = ("desk", "nexora", "shop")
OPTIONS: dict[str, Any] = {"language": "pt", "now": NOW, "context": CONTEXT}


def test_three_flows_ship():
    assert tuple(load_flows()) == FLOWS
    assert shipped() is shipped()


def test_menu_words_are_told_apart():
    assert [is_menu_word(word) for word in ("menu", "voltar", "oi", "curso")] == [
        "menu",
        "back",
        "greeting",
        None,
    ]


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("step", [None, "", "gone", "menu.gone", "gone.found", "person", ".", "menu."])
def test_a_step_that_is_not_open_starts_over(flow: str, language: str, step: str | None):
    turn = advance(shipped()[flow], step, {}, "xyz", language=language, now=NOW, context={})
    assert (turn.step, turn.awaits, turn.is_understood) == ("menu", "choice", True)


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("word", ["menu", "Menú!", "start", "início", "inicio", "メニュー"])
def test_menu_restarts_even_while_an_answer_is_awaited(flow: str, word: str):
    customer = Customer(flow)
    for position, scene in customer.flow.scenes.items():
        if scene.awaits:
            customer.step, customer.data = position, {}
            assert customer.says(word).step == "menu"


@pytest.mark.parametrize("flow", FLOWS)
def test_a_greeting_resets_choices_but_not_questions(flow: str):
    for position, scene in shipped()[flow].scenes.items():
        if scene.awaits and scene.awaits != "free":
            turn = advance(shipped()[flow], position, {}, "hola", **OPTIONS)
            assert turn.step == ("menu" if scene.awaits == "choice" else position)


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("word", ["cancelar", "cancel", "salir"])
def test_a_question_can_be_given_up(flow: str, word: str):
    for position, scene in shipped()[flow].scenes.items():
        if scene.awaits and scene.awaits != "choice":
            assert advance(shipped()[flow], position, {}, word, **OPTIONS).step == "menu"


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_back_is_never_a_dead_end(flow: str, language: str):
    for position, scene in shipped()[flow].scenes.items():
        customer = Customer(flow, language, step=position)
        if scene.awaits:
            for _ in range(4):
                assert customer.says("back").awaits is not None


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_not_understood_is_asked_again_with_its_choices(flow: str, language: str):
    customer = Customer(flow, language)
    first = menu_of(customer.says("oi"))
    turn = customer.says("qwerty asdf")
    again = menu_of(turn)
    assert (turn.step, turn.is_understood) == ("menu", False)
    assert again.choices == first.choices
    # A menu whose options stand in its words is said again; a mere welcome is not.
    assert again.body.endswith(first.body) == first.options_in_body
    assert again.body != first.body


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("answer", ["1", "title", "button"])
def test_after_three_misses_a_person_is_offered(flow: str, language: str, answer: str):
    customer = Customer(flow, language)
    turn = customer.says("oi", "qwerty", "qwerty", "qwerty")
    person, menu = menu_of(turn).choices
    assert not turn.is_understood
    assert (person.key, menu.key) == ("1", "2")
    sent = {"1": ("1", None), "title": (person.title, None), "button": (person.title, person.id)}[answer]
    assert customer.sends(*sent).applies[0].name == "hand_over"


@pytest.mark.parametrize("text", ["sim", "quero", "sí", "yes please", "Yes!"])
def test_a_yes_to_the_offer_of_a_person_is_heard(text: str):
    customer = Customer("nexora")
    customer.says("oi", "2", "x", "x", "x")
    assert customer.says(text).applies[0].name == "hand_over"


def test_after_three_misses_the_menu_is_one_key_away():
    customer = Customer("shop")
    customer.says("oi", "qwerty", "qwerty", "qwerty")
    assert customer.says("2").step == "menu"
    assert customer.says("2").step == "cart.found"


def test_a_late_answer_after_the_offer_of_a_person_still_counts():
    customer = Customer("nexora")
    customer.says("oi", "3", "1", "2", "3")
    assert customer.data["_rescue"] == 1
    assert customer.says("Ana Souza").step == "consultant_email"
    assert "_misses" not in customer.data


def test_where_a_number_is_awaited_a_person_is_offered_by_letters():
    customer = Customer("nexora")
    turn = customer.says("oi", "2", "x", "x", "x")
    assert [choice.key for choice in menu_of(turn).choices] == ["A", "B"]
    assert customer.says("300000").step == "eligibility.found"
    customer.says("menu", "2", "x", "x", "x", "a")
    assert customer.asked[-1].name == "hand_over"


def test_the_offer_of_a_person_is_for_one_message_only():
    customer = Customer("nexora")
    customer.says("oi", "3", "?", "?", "?")
    turn = customer.says("1")
    assert turn.applies[0].name == "hand_over"
    customer.says("menu", "3", "?", "?", "?", "??")
    assert customer.says("1").is_understood is False


@pytest.mark.parametrize("outcome", ["failed", "", "gone", "found"])
def test_an_action_that_fails_is_apologised_for(outcome: str):
    flow = shipped()["desk"]
    turn = advance(flow, "complaint_text", {}, "Nada funciona", **OPTIONS)
    assert turn.action == ActionCall("open_complaint", {"description": "Nada funciona"})
    ended = resume(flow, turn, outcome, {}, **OPTIONS)
    assert (ended.is_done, ended.step, ended.applies, ended.action) == (True, None, (), None)
    assert "menu" in words_of(ended)


def test_a_turn_with_an_action_says_nothing_yet_and_can_be_kept():
    turn = advance(shipped()["shop"], "menu", {}, "2", **OPTIONS)
    assert (turn.step, turn.say, turn.awaits, turn.is_done) == ("cart", (), None, False)
    json.dumps(turn.data)


def test_a_session_cut_off_in_an_action_starts_over():
    turn = advance(shipped()["shop"], "cart", {}, "1", **OPTIONS)
    assert turn.action is not None or turn.step == "menu"


def test_resuming_without_an_action_changes_nothing():
    turn = Turn((Text("x"),), "menu", {})
    assert resume(shipped()["shop"], turn, "found", {}, **OPTIONS) is turn


@pytest.mark.parametrize(
    "facts", [{}, {"order": None}, {"order": 5}, {"order": {}}, {"order": []}, {"other": 1}]
)
def test_missing_facts_never_break_a_turn(facts: dict):
    turn = advance(shipped()["shop"], "confirm", {}, "1", **OPTIONS)
    turn = resume(shipped()["shop"], turn, "created", facts, **OPTIONS)
    assert resume(shipped()["shop"], turn, "by_hand", facts, **OPTIONS).is_done


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_open_choice_is_chosen_by_key_title_and_button(flow: str, language: str):
    customer = Customer(flow, language)
    menu = menu_of(customer.says("oi"))
    for choice in menu.choices:
        for text, choice_id in (
            (choice.key, None),
            (choice.title, None),
            (choice.title.upper(), None),
            ("", choice.id),
        ):
            assert chooses(customer.flow, "menu", {}, text, choice_id, language)
            assert chooses(customer.flow, None, {}, text, choice_id, language)
    for text in ("", "99", "z", "quero saber o preço do curso de violão", "how much is it?"):
        assert not chooses(customer.flow, "menu", {}, text, None, language)


def test_a_typed_answer_chooses_nothing_but_buttons_do():
    flow = shipped()["nexora"]
    assert not chooses(flow, "consultant_name", {}, "1", None, "en")
    assert chooses(flow, "consultant_name", {}, "", "nexora/menu:jobs", "en")


def test_a_list_is_chosen_from_what_the_session_remembers():
    flow = shipped()["shop"]
    data = {"_offered": [["1", "Cursos"], ["2", "E-books", "12 títulos"]]}
    for text in ("2", "e-books", "E-BOOKS", "0", "menu principal"):
        assert chooses(flow, "categories.found", data, text, None, "pt")
    for text in ("3", "planilhas", "livro"):
        assert not chooses(flow, "categories.found", data, text, None, "pt")


@pytest.mark.parametrize(
    "choice_id",
    [
        "", "x", "nexora", "nexora/", "nexora/menu", "nexora/menu:", "nexora/menu:gone",
        "nexora/gone:programs", "nexora/@gone", "other/menu:programs", "nexora/consultant_name:x",
        "nexora/menu:@more", "nexora/menu:=1", "nexora/categories:@more", "\x00",
        "nexora/programs:consultant", "/", ":", "nexora/jobs.found:=x",
    ],
)  # fmt: skip
def test_a_button_that_means_nothing_here_is_read_as_its_words(choice_id: str):
    flow = shipped()["nexora"]
    assert not chooses(flow, "menu", {}, "xyz", choice_id, "en")
    turn = advance(flow, "menu", {}, "2", choice_id=choice_id, **OPTIONS)
    assert turn.step == "budget"


@pytest.mark.parametrize(("choice_id", "step"), [("nexora/@menu", "menu"), ("nexora/@person", "person")])
def test_the_desks_own_buttons_work_anywhere(choice_id: str, step: str):
    assert advance(shipped()["nexora"], "budget", {}, "x", choice_id=choice_id, **OPTIONS).step == step


def test_what_was_told_survives_the_menu_but_not_the_way_back():
    customer = Customer("nexora")
    customer.says("oi", "2", "300k", "menu")
    assert customer.data == {"budget": 300000, "_trail": ["menu"]}


def test_words_of_a_customer_are_never_run_as_a_text():
    customer = Customer("desk", "en", step="appointment_ask")
    turn = customer.says("{{ business_name }} {{ 7 * 7 }} {% for x in y %}")
    assert "{{ business_name }} {{ 7 * 7 }} {% for x in y %}" in words_of(turn)


def test_the_way_back_does_not_grow_for_ever():
    customer = Customer("shop")
    for _ in range(60):
        customer.says("1", "1", "1", "menu")
    assert len(json.dumps(customer.data)) < 2000


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
POSITIONS = [
    (name, position) for name, flow in shipped().items() for position in (None, "gone", *flow.scenes)
]
TEXTS = st.text(max_size=60) | st.sampled_from(
    [
        "1",
        "2",
        "3",
        "A",
        "0",
        "+",
        "menu",
        "back",
        "oi",
        "skip",
        "ana@x.com",
        "Ana Souza",
        "Brasil",
        "150 mil",
        "mais",
        "sim",
    ]
)
DATA = st.dictionaries(
    st.text(max_size=8)
    | st.sampled_from(
        [
            "_trail",
            "_offered",
            "_page",
            "_misses",
            "_rescue",
            "category",
            "product",
            "quantity",
            "budget",
            "name",
            "score",
        ]
    ),
    JSON,
    max_size=6,
)
CHOICE_IDS = (
    st.none()
    | st.text(max_size=20)
    | st.sampled_from(
        [
            "nexora/menu:jobs",
            "nexora/@person",
            "shop/products.found:=9",
            "shop/products.found:@more",
            "desk/feedback_score:five",
        ]
    )
)


@settings(max_examples=600)
@given(
    st.sampled_from(POSITIONS),
    DATA,
    TEXTS,
    CHOICE_IDS,
    st.sampled_from([*LANGUAGES, "ar", "", "xx-YY"]),
    JSON,
)
def test_no_message_ever_raises(place, data, text, choice_id, language, context):
    flow = shipped()[place[0]]
    options = {"language": language, "now": datetime(2026, 1, 31, tzinfo=UTC)}
    options["context"] = context if isinstance(context, dict) else {}
    chooses(flow, place[1], data, text, choice_id, language)
    turn = advance(flow, place[1], data, text, choice_id=choice_id, **options)
    for _ in range(6):
        json.dumps(turn.data, allow_nan=False)
        if turn.action is None:
            break
        outcome = USUAL_OUTCOMES[turn.action.name]
        turn = resume(flow, turn, outcome, FACTS.get((turn.action.name, outcome), {}), **options)
    assert turn.action is None
    assert turn.say
    assert (turn.step is None) == turn.is_done
    for content in turn.say:
        assert content.summary
        if isinstance(content, Menu):
            assert 0 < len(content.choices) <= 10


OUTCOMES = [
    (name, step_name, outcome)
    for name, flow in shipped().items()
    for step_name, step in flow.steps.items()
    if step.action and not ACTIONS[step.action].done_by_flow
    for outcome in step.outcomes
]
FACT_NAMES = sorted(
    {name for action in ACTIONS.values() for facts in action.outcomes.values() for name in facts}
)


@settings(max_examples=300)
@given(st.sampled_from(OUTCOMES), st.dictionaries(st.sampled_from(FACT_NAMES), JSON, max_size=5), DATA)
def test_no_facts_ever_raise(place, facts, data):
    name, step, outcome = place
    flow = shipped()[name]
    turn = Turn((), step, data, ActionCall(flow.steps[step].action or "", {}))
    ended = resume(flow, turn, outcome, facts, **OPTIONS)
    json.dumps(ended.data, allow_nan=False)
    assert ended.say or ended.action


@settings(max_examples=60)
@given(st.sampled_from(FLOWS), st.lists(TEXTS, min_size=1, max_size=12), st.sampled_from(LANGUAGES))
def test_no_conversation_ever_gets_stuck(flow: str, texts: list[str], language: str):
    customer = Customer(flow, language)
    for text in texts:
        turn = customer.says(text)
        assert turn.say
    assert customer.says("menu").step == "menu"
