"""The mistakes of a flow in the words of the page: each code has a sentence, and what fills it is given."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask_babel import force_locale, gettext

import flow_files
import flow_versions
from flow_files import Code, FlowError, read_flow
from tests.test_flow_files import SMALL

GAP = re.compile(r"%\((\w+)\)([sr])")
# The names are pydantic's own, and so is what fills them.
OF_PYDANTIC = set(list(Code)[list(Code).index(Code.MISSING) : list(Code).index(Code.INVALID_KEY) + 1])


def made() -> Iterator[tuple[Code, set[str]]]:
    """Give every code that stands in the sources, with the names of the values beside it."""
    for package in (flow_files, flow_versions):
        for path in Path(package.__path__[0]).glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    yield from made_by(node)


def made_by(call: ast.Call) -> Iterator[tuple[Code, set[str]]]:
    for place, argument in enumerate(call.args):
        if isinstance(argument, ast.Attribute) and ast.unparse(argument.value) == "Code":
            named = {one.arg for one in call.keywords if one.arg}
            for values in call.args[place + 1 :]:
                assert isinstance(values, ast.Dict)
                named |= {ast.literal_eval(key) for key in values.keys if key}
            yield Code[argument.attr], named


def test_every_code_is_made_somewhere_with_what_its_sentence_needs() -> None:
    # NO_ARGUMENT and its sister share one call, which the tests of the files go through.
    chosen = {Code.NO_ARGUMENT, Code.TAKES_NO_ARGUMENT}
    found = list(made())
    assert {code for code, _ in found} | chosen | OF_PYDANTIC == set(Code)
    wrong = [(code.name, named) for code, named in found if named != {name for name, _ in GAP.findall(code)}]
    assert wrong == []


@pytest.mark.parametrize("locale", ["pt_BR", "es"])
def test_every_code_has_a_sentence_in_the_language_of_the_page(app: Flask, locale: str) -> None:
    with app.test_request_context(), force_locale(locale):
        said = {code: gettext(code.value) for code in Code}
    assert [code.name for code in Code if said[code] == code.value] == []
    assert [code.name for code in Code if sorted(GAP.findall(said[code])) != sorted(GAP.findall(code))] == []


def mistake_of(source: str) -> flow_files.Mistake:
    with pytest.raises(FlowError) as refusal:
        read_flow(source, "shop")
    return refusal.value.mistake


@pytest.mark.parametrize(
    ("old", "new", "english", "portuguese"),
    [
        (
            "goes: list",
            "goes: lists",
            "shop, step ask, line 20: goes names the step 'lists', which does not exist",
            "shop, passo ask, linha 20: goes cita o passo 'lists', que não existe",
        ),
        ("name: small\n", "", "shop, line 1: name is missing", "shop, linha 1: name está faltando"),
        (
            "start: menu",
            "start: *menu",
            "shop, line 3: found undefined alias",
            "shop, linha 3: não dá para ler: found undefined alias",
        ),
        (
            "expects: name",
            "expects: [name]",
            "shop, step ask, line 18: expects Input should be 'choice', 'text', 'name', 'number', 'money',"
            " 'email', 'country', 'date' or 'free'",
            "shop, passo ask, linha 18: expects precisa ser um destes: 'choice', 'text', 'name', 'number',"
            " 'money', 'email', 'country', 'date' or 'free'",
        ),
        (
            "start: menu",
            "version: one",
            "shop, line 3: version Input should be a valid integer, unable to parse string as an integer",
            "shop, linha 3: version precisa ser um número inteiro; este texto não é um",
        ),
    ],
)
def test_a_mistake_is_said_in_english_and_in_the_language_of_the_page(
    app: Flask, old: str, new: str, english: str, portuguese: str
) -> None:
    mistake = mistake_of(SMALL.replace(old, new, 1))
    assert str(mistake) == english
    with app.test_request_context(), force_locale("pt_BR"):
        assert mistake.sentence(gettext) == portuguese


@pytest.mark.parametrize(
    ("home", "part"),
    [
        *(("flow", part) for part in "name title version start languages entries steps".split()),
        *(("step", part) for part in "say expects optional minimum choices list remember goes".split()),
        *(("step", part) for part in "action with outcomes".split()),
        ("entry", "needs"),
    ],
)
def test_every_wrong_shape_has_a_sentence_of_its_own(home: str, part: str) -> None:
    """What pydantic could say beyond the codes would stand on the page in English."""
    for wrong in ("null", "5", "1.5", "x!", "true", "[]", "{}", "[[]]", "[{}]", "{a: []}", "{1: x}"):
        entry, step = {"step": "a"}, {"ends": "true"}
        flow = {"name": "shop", "title": "{}", "start": "a", "person": "a"}
        {"flow": flow, "step": step, "entry": entry}[home][part] = wrong
        flow = {"entries": f"{{complaint: {in_yaml(entry)}}}", "steps": f"{{a: {in_yaml(step)}}}"} | flow
        assert code_of(in_yaml(flow)) != Code.UNREADABLE


def in_yaml(part: dict[str, str]) -> str:
    return "{" + ", ".join(f"{name}: {value}" for name, value in part.items()) + "}"


def code_of(source: str) -> Code | None:
    try:
        read_flow(source, "shop")
    except FlowError as error:
        return error.mistake.problem.code
    return None
