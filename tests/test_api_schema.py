"""Schemathesis asks every endpoint what its own document says it takes, and what it does not.

The examples are drawn from one seed: each run asks the same. The desk behind the door is filled, so that
there is something to read, to change and to delete.
"""

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.config import GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig
from schemathesis.schemas import BaseSchema

import config
import operators
from api.doors import ENDPOINTS, KEY_PATTERN
from api.openapi import document
from app import create_app
from models import db
from providers.transport import Answer
from tests import page_rows
from tests.conftest import QUICK_HASHER
from tests.records import make_conversation, make_product
from wires import guarded_fetch

SEED = 20261121
EXAMPLES = 2
KEY = re.compile(KEY_PATTERN)
FEW = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """A desk with something in every table that has an endpoint."""
    environ = {
        "INSTANCE_DIR": str(tmp_path_factory.mktemp("instance")),
        "API_REQUESTS_PER_MINUTE": "1000000",
    }
    app = create_app(config.load(environ, entry="test"))
    with app.app_context(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(operators, "_hasher", QUICK_HASHER)
        # Links are drawn, too: nobody out there is asked.
        patch.setattr(guarded_fetch, "exchange", lambda *_, **__: Answer(200, {}, b"%PDF-1.7"))
        db.create_all()
        page_rows.people()
        page_rows.fill()
        make_conversation()
        make_product()
        db.session.commit()
    DESK.append(app)
    yield app
    DESK.clear()
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture(scope="module")
def key(desk: Flask) -> str:
    with desk.app_context():
        made = operators.create_api_key("schemathesis", ("read", "write"))
        db.session.commit()
        return made.key


def _schema() -> BaseSchema:
    """Take the document as the code has it; `_ask` stands for the desk, which the fixture makes later."""
    generation = GenerationConfig(deterministic=True, no_shrink=True)
    projects = ProjectsConfig(default=ProjectConfig(generation=generation))
    schema = schemathesis.openapi.from_dict(
        document("1"), config=SchemathesisConfig(seed=SEED, projects=projects)
    )
    schema.app = _ask
    return schema


def _ask(environ: Any, start_response: Any) -> Any:
    return DESK[0](environ, start_response)


DESK: list[Flask] = []
api = _schema()


@api.parametrize()
@FEW
def test_every_answer_is_as_the_document_says(case: Case, key: str) -> None:
    sent: Any = case.headers or {}
    if KEY.fullmatch(str(sent.get("Idempotency-Key"))):
        # Another request under a key that was used is refused, as it should be.
        sent["Idempotency-Key"] = uuid4().hex
    if "If-Match" in sent:
        # Whatever is drawn is no ETag of the row, and 412 would be all that is seen.
        sent["If-Match"] = "*"
    case.call_and_validate(headers={"Authorization": f"Bearer {key}"})


# --- the document -------------------------------------------------------------------------------------------


def test_the_document_tells_every_endpoint_and_its_scope() -> None:
    told = document("1")
    assert told["openapi"] == "3.1.0"
    operations = [one for path in told["paths"].values() for one in path.values()]
    assert len(operations) == len(ENDPOINTS)
    assert len({one["operationId"] for one in operations}) == len(ENDPOINTS)
    assert {one.scope for one in ENDPOINTS} <= set(operators.SCOPES)
    assert set(operators.SCOPES) - {"read", "write"} == {one.scope for one in ENDPOINTS}


def test_every_reference_of_the_document_leads_somewhere() -> None:
    told = document("1")
    schemas = set(told["components"]["schemas"])
    assert {one.rpartition("/")[2] for one in _references(told)} <= schemas


@pytest.mark.parametrize(
    ("shape", "name"),
    [("NewProduct", "name"), ("NewTemplate", "body"), ("Arrived", "reason"), ("NewCampaign", "name")],
)
def test_what_may_not_be_empty_is_told(shape: str, name: str) -> None:
    assert "pattern" in document("1")["components"]["schemas"][shape]["properties"][name]


def test_nothing_secret_has_a_field() -> None:
    shapes = document("1")["components"]["schemas"].values()
    names = {name for shape in shapes for name in shape.get("properties", ())}
    secret = ("token", "secret", "password", "hash", "delivery_text", "code")
    assert {name for name in names if any(word in name for word in secret)} == {"code", "error_code"}


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)
