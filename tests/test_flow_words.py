"""The mistakes of a flow in the words of the page."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask_babel import force_locale

import flow_files
from admin.flow_words import flow_problem_words

SOURCE = Path(flow_files.__file__).parent / "problems.py"


def reasons() -> Iterator[str]:
    """Give every reason that is written in the checks, with something in its gaps."""
    for node in ast.walk(ast.parse(SOURCE.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Problem":
            yield written(node.args[1])


def written(words: ast.expr) -> str:
    if isinstance(words, ast.Constant):
        return str(words.value)
    assert isinstance(words, ast.JoinedStr)
    return "".join(gap(one) if isinstance(one, ast.FormattedValue) else written(one) for one in words.values)


def gap(value: ast.FormattedValue) -> str:
    if ast.unparse(value.value) == "column":
        return "keys"
    return "'7'" if value.conversion == ord("r") else "7"


@pytest.mark.parametrize("locale", ["pt_BR", "es"])
def test_every_mistake_of_a_flow_has_words(app: Flask, locale: str) -> None:
    found = list(reasons())
    assert len(found) > 20
    with app.test_request_context(), force_locale(locale):
        english = [one for one in found if one in flow_problem_words(f"shop, step a, line 3: goes {one}")]
    assert english == []


def test_a_mistake_keeps_its_place_and_what_is_not_known_stays(app: Flask) -> None:
    with app.test_request_context(), force_locale("pt_BR"):
        named = flow_problem_words("shop, step pay, line 12: goes names the step '{x}', which does not exist")
        assert named == "shop, passo pay, linha 12: goes cita o passo {x}, que não existe"
        assert flow_problem_words("shop, line 3: name is missing") == "shop, linha 3: name está faltando"
        assert flow_problem_words("shop, line 3: could not find ':'") == "shop, linha 3: could not find ':'"
