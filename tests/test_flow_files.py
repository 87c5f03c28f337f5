"""Flow files: what is wrong is told with file, step and line; what ships is complete in three languages."""

import re
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from flow_files import ACTIONS, FLOWS_DIR, Flow, FlowError, Scene, load_flow, load_flows, read_flow, shipped
from menu_flows import ActionCall, Turn, resume
from message_content import LinkButton, Media, Menu, Text
from tests.walking import CONTEXT, FACTS, NOW, Customer
from vocabulary import TEXT_LANGUAGES

HANDBOOK = (FLOWS_DIR.parent / "docs" / "flows.md").read_text(encoding="utf-8")
SMALL = """\
name: small
title: {pt: Pequeno, es: Pequeño, en: Small}
start: menu
person: person
steps:
  menu:
    say: {pt: Olá, es: Hola, en: Hello}
    choices:
      - id: name
        key: 1
        title: {pt: Nome, es: Nombre, en: Name}
        goes: ask
      - id: person
        title: {pt: Pessoa, es: Persona, en: Person}
        goes: person
  ask:
    say: {pt: Quem é você, es: Quién eres, en: Who are you}
    expects: name
    into: name
    goes: list
  list:
    action: list_programs
    with: {category: Europe}
    outcomes:
      found:
        say: {pt: "{{ programs|length }}", es: "{{ name }}", en: "{{ business_name }}"}
        list: {from: programs, into: program, goes: ask}
      none:
        say: {pt: Nada, es: Nada, en: Nothing}
        ends: true
  person:
    action: hand_over
    with: {reason: asked}
    outcomes:
      done:
        ends: true
"""
LONELY = "  lonely:\n    say: {pt: a, es: a, en: a}\n    ends: true\n"


def test_a_small_flow_is_read():
    flow = read_flow(SMALL, "small.yaml")
    assert (flow.name, flow.version, flow.start) == ("small", 1, "menu")
    assert flow.steps["menu"].choices[0].key == "1"
    assert list(flow.scenes) == ["menu", "ask", "list", "list.found", "list.none", "person", "person.done"]


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("name: small\n", "", None, "name is missing"),
        ("name: small", "name: Small!", 1, "name"),
        ("name: small", "name: small\nname: twice", 2, "name stands twice"),
        ("start: menu", "start: gone", 3, "names the step 'gone'"),
        ("person: person\n", "person: gone\n", 4, "names the step 'gone'"),
        ("start: menu", "start: ask", None, "step ask"),
        ("say: {pt: Olá, es: Hola, en: Hello}", "say: {pt: Olá, es: Hola}", 7, "no words in 'en'"),
        ("say: {pt: Olá, es: Hola, en: Hello}", "say: {pt: Olá, es: '', en: Hi}", 7, "no words in 'es'"),
        ("say: {pt: Olá, es: Hola, en: Hello}", "say: {pt: Olá, es: Hola, en: Hello, fr: Salut}", 7, "fr"),
        ("say: {pt: Olá, es: Hola, en: Hello}", "says: {pt: Olá}", 7, "says is not a word that a flow knows"),
        ("pt: Olá,", "pt: '{{ oops',", 7, "cannot be filled in"),
        ("pt: Olá,", "pt: '{{ missing_name }}',", 7, "uses missing_name"),
        ("pt: Olá,", f"pt: {'x' * 1025},", 7, "longer than 1024"),
        ("key: 1", "key: 123", 10, "key"),
        ("{pt: Nome, es: Nombre, en: Name}", "{pt: Pessoa, es: N, en: N}", 8, "equal titles (pt)"),
        ("{pt: Nome, es: Nombre, en: Name}", f"{{pt: {'N' * 21}, es: N, en: N}}", 11, "longer than 20"),
        ("- id: name", "- id: person", 8, "equal ids"),
        ("goes: ask\n      - id", "goes: gone\n      - id", 12, "step menu"),
        ("expects: name", "expects: nome", 18, "expects"),
        ("    into: name\n", "", 16, "into must name"),
        ("into: name", "into: _name", 19, "must be a plain name"),
        ("    goes: list\n", "", 16, "goes must name"),
        ("goes: list", "goes: lists", 20, "names the step 'lists'"),
        ("action: list_programs", "action: list_programmes", 22, "'list_programmes' is not one of"),
        ("with: {category: Europe}", "with: {categories: Europe}", 23, "categories is no argument"),
        ("with: {category: Europe}", "with: {limit: 3}", 23, "needs category"),
        ("with: {category: Europe}", "with: {category: '{{ gone }}'}", 23, "uses gone"),
        ("      none:\n", "      nothing:\n", None, "must say what happens on 'none'"),
        ("      none:\n", "      nothing: {ends: true}\n      none:\n", 28, "is no outcome of list_programs"),
        ("from: programs", "from: products", 27, "'products' is no fact"),
        ("goes: ask}", "goes: gone}", 27, "names the step 'gone'"),
        ('es: "{{ name }}"', 'es: "{{ jobs }}"', 26, "uses jobs"),
        ("ends: true\n  person", "ends: false\n  person", 28, "must do one of"),
        ("ends: true\n  person", "ends: true\n        goes: menu\n  person", 28, "must do one of"),
        ("  person:\n    action", LONELY + "  person:\n    action", 31, "reached by nothing"),
        ("        ends: true\n  person", "        goes: list\n  person", 21, "comes round to itself"),
        ("person: person\n", "person: person\nlanguages: [pt, xx]\n", 5, "languages"),
        ("steps:\n", "steps:\n\t- x\n", 6, "found character"),
        ("steps:\n", "steps: [\n", None, "small.yaml, line"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(old: str, new: str, line: int | None, words: str):
    assert old in SMALL
    with pytest.raises(FlowError) as error:
        read_flow(SMALL.replace(old, new, 1), "small.yaml")
    message = str(error.value)
    assert message.startswith("small.yaml, ")
    assert words in message
    assert re.search(r"line \d+", message)
    if line is not None:
        assert f"line {line}:" in message


@pytest.mark.parametrize(
    "source",
    [
        "",
        "[]",
        "a",
        "1",
        "null",
        "- a\n- b",
        "a: &a [*a]",
        "? [1, 2]\n: x",
        "\x00",
        "a: !!python/object:os.system x",
        "a: !!bool maybe",
        "a: !!timestamp soon",
        "a: !!int ''",
        "{" * 3000,
    ],
)
def test_what_is_no_flow_at_all_is_refused(source: str):
    with pytest.raises(FlowError):
        read_flow(source, "x.yaml")


def test_a_huge_file_is_refused():
    with pytest.raises(FlowError, match="at most"):
        read_flow("#" * 500_000, "x.yaml")


@pytest.mark.parametrize(("whole", "words"), [("x: {}", "more than"), ("? {}\n: 1", "a key is one word")])
def test_aliases_that_stand_for_millions_are_refused(whole: str, words: str):
    """Nine times nine times nine: without a bound the page that shows the draft never answers again."""
    bomb = "&a [x, x]"
    for below, name in pairwise("abcdefgh"):
        bomb = f"&{name} [{bomb}, {', '.join([f'*{below}'] * 8)}]"
    bomb = whole.format(bomb)
    with pytest.raises(FlowError, match=words):
        read_flow(bomb, "flow.yaml")


def test_more_than_ten_choices_are_refused():
    option = "      - {id: o%d, title: {pt: T%d, es: T%d, en: T%d}, goes: person}\n"
    many = "".join(option.replace("%d", str(n)) for n in range(9))
    with pytest.raises(FlowError, match="more than 10"):
        read_flow(SMALL.replace("  ask:\n", many + "  ask:\n", 1), "x.yaml")


def test_a_flow_may_speak_one_language_only():
    source = re.sub(r", es: .*, en: .*\}", "}", SMALL).replace("start: menu", "start: menu\nlanguages: [pt]")
    assert read_flow(source, "x.yaml").languages == ("pt",)


def test_two_files_with_one_name_are_refused(tmp_path: Path):
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(SMALL, encoding="utf-8")
    with pytest.raises(FlowError, match=r"b\.yaml: another file"):
        load_flows(tmp_path)


def test_a_flow_is_read_from_its_file(tmp_path: Path):
    path = tmp_path / "one.yaml"
    path.write_text(SMALL, encoding="utf-8")
    assert load_flow(path) == read_flow(SMALL, "one.yaml")


@settings(max_examples=150)
@given(st.integers(0, len(SMALL) - 1), st.integers(1, 40), st.text(max_size=6))
def test_a_damaged_file_is_a_flow_error_or_a_flow(start: int, length: int, patch: str):
    with suppress(FlowError):
        read_flow(SMALL[:start] + patch + SMALL[start + length :], "x.yaml")


def test_the_action_list_is_closed_and_consistent():
    for name, action in ACTIONS.items():
        assert action.summary, name
        assert action.outcomes, name
        assert action.applies_on <= set(action.outcomes), name


def test_the_handbook_shows_every_action_with_its_arguments_and_outcomes():
    rows = {row.split("`")[1]: row for row in HANDBOOK.splitlines() if row.startswith("| `")}
    for name, action in ACTIONS.items():
        assert action.summary in rows[name]
        for part in (*action.arguments, *action.outcomes):
            assert part in rows[name]


def test_the_handbooks_example_is_a_flow():
    example = HANDBOOK.split("```yaml\n")[1].split("```")[0]
    assert read_flow(example, "hello.yaml").name == "hello"


def test_every_action_of_the_list_is_used_by_a_shipped_flow():
    used = {step.action for flow in shipped().values() for step in flow.steps.values()}
    assert used - {None} == set(ACTIONS)


def scenes_of_all() -> list[tuple[Flow, str, Scene]]:
    return [(flow, position, scene) for flow in shipped().values() for position, scene in flow.scenes.items()]


@pytest.mark.parametrize(
    ("flow", "position", "scene"),
    scenes_of_all(),
    ids=lambda part: getattr(part, "name", part if isinstance(part, str) else ""),
)
def test_every_scene_speaks_three_languages(flow: Flow, position: str, scene: Scene):
    words = [scene.say, scene.again, scene.button]
    words += [part for option in scene.choices for part in (option.title, option.description)]
    for said in words:
        assert said is None or set(said) == set(TEXT_LANGUAGES)


@pytest.mark.parametrize("path", sorted(FLOWS_DIR.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_flow_has_the_name_of_its_file(path: Path):
    assert load_flow(path).name == path.stem


@pytest.mark.parametrize("path", sorted(FLOWS_DIR.glob("*.yaml")), ids=lambda path: path.stem)
def test_portuguese_and_spanish_are_not_left_in_english(path: Path):
    def differ(node: object) -> None:
        if isinstance(node, dict):
            if (
                set(node) == set(TEXT_LANGUAGES)
                and len(str(node["en"])) > 25
                and "{{ product.name }}*\n" not in str(node["en"])
            ):
                assert len(set(node.values())) == 3, node
            for child in node.values():
                differ(child)
        if isinstance(node, list):
            for child in node:
                differ(child)

    differ(yaml.safe_load(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("language", TEXT_LANGUAGES)
@pytest.mark.parametrize("name", ["desk", "nexora", "shop"])
def test_everything_said_keeps_to_the_limits_of_whatsapp(name: str, language: str):
    flow = shipped()[name]
    for position, scene in flow.scenes.items():
        step, _, outcome = position.partition(".")
        if outcome and not ACTIONS[flow.steps[step].action or ""].done_by_flow:
            assert_fits(said_at(flow, language, step, outcome))
        elif not flow.steps[step].action and scene.awaits:
            customer = Customer(name, language, step=position)
            assert_fits(customer.says("qwerty").say)


def said_at(flow: Flow, language: str, step: str, outcome: str) -> tuple:
    action = flow.steps[step].action or ""
    data = {
        "budget": 300000,
        "country": "DE",
        "name": "Ana Souza",
        "email": "a@x.com",
        "product_name": "Curso",
    }
    turn = Turn((), step, data, ActionCall(action, {}))
    facts = FACTS.get((action, outcome), {})
    return resume(flow, turn, outcome, facts, language=language, now=NOW, context=CONTEXT).say


def assert_fits(said: tuple) -> None:
    for content in said:
        if isinstance(content, Text):
            assert 0 < len(content.body) <= 4096
        elif isinstance(content, LinkButton):
            assert len(content.title) <= 20
            assert len(content.body) <= 1024
        elif isinstance(content, Media):
            assert len(content.caption) <= 1024
        else:
            assert isinstance(content, Menu)
            assert_menu_fits(content)


def assert_menu_fits(menu: Menu) -> None:
    assert 0 < len(menu.body) <= 1024
    assert 0 < len(menu.choices) <= 10
    assert len(menu.button) <= 20
    limit = 20 if len(menu.choices) <= 3 else 24
    titles = [choice.title for choice in menu.choices]
    assert len(set(titles)) == len(titles)
    assert all(0 < len(title) <= limit for title in titles)
    assert all(0 < len(choice.id) <= 200 for choice in menu.choices)
    keys = [choice.key for choice in menu.choices if choice.key]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("spam: { step: menu }", "is not one of"),
        ("complaint: { step: nowhere }", "does not exist"),
        ("complaint: { step: menu, told: ask }", "needs `into`"),
        ("complaint: { step: menu, into: _secret }", "plain name"),
    ],
)
def test_an_entry_that_leads_nowhere_is_refused(entry: str, reason: str):
    source = SMALL.replace("person: person\n", f"person: person\nentries:\n  {entry}\n", 1)
    with pytest.raises(FlowError, match=reason) as refusal:
        read_flow(source, "small.yaml")
    assert "line 6" in str(refusal.value)
