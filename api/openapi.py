"""The OpenAPI 3.1 document, written from the table of endpoints: nothing is told that is not done."""

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.doors import BYTES, ENDPOINTS, KEY_PATTERN, PREFIX, REFUSALS, Download, Endpoint, Upload
from api.shapes import Error
from operators import SCOPES

# An id of more digits stands for no row, and is no address.
MAX_PATH_ID: Final = 10**18 - 1
# As pydantic calls a page of something.
PAGE_NAME: Final = re.compile(r"Page_([A-Za-z]+)_")
REFERENCE: Final = "#/components/schemas/{model}"
TITLES: Final[Mapping[str, str]] = {
    "contacts": "Contacts",
    "conversations": "Conversations and messages",
    "integrations": "Numbers and templates",
    "records": "Leads, tickets, complaints",
    "appointments": "Appointments",
    "shop": "Products and sales",
    "orders": "Orders",
    "knowledge": "Knowledge",
    "campaigns": "Campaigns",
    "figures": "Figures and learning",
}
# What every endpoint may answer, as the door and the program around it do.
GENERAL: Final = (400, 401, 403, 429, 500, 503)
RATE_HEADERS: Final[Mapping[str, str]] = {
    "RateLimit-Limit": "How many requests a minute the key may make.",
    "RateLimit-Remaining": "How many of them are left.",
    "RateLimit-Reset": "In how many seconds they are all back.",
}
ABOUT: Final = """\
The desk for programs. Show a key as `Authorization: Bearer <key>`; an admin makes it, with its scopes.

Times are UTC (RFC 3339); money is whole minor units with its currency. Lists give pages: `next_cursor` of
one is the `cursor` of the next, and new rows shift nothing. Every GET has an ETag: `If-None-Match` answers
304, and `If-Match` changes only what has not changed since. Whatever is no success has one shape,
`{"error": {"code", "message"}}`: `code` is stable, `message` is for people.
"""


@cache
def document(version: str) -> dict[str, Any]:
    """Give the whole document."""
    schemas, components = _schemas()
    paths: dict[str, dict[str, Any]] = {}
    for one in ENDPOINTS:
        paths.setdefault(PREFIX + _path(one.rule), {})[one.method.lower()] = _operation(one, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Balcão", "version": version, "description": ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "tags": [{"name": tag, "description": words} for tag, words in TITLES.items()],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": f"Scopes: {', '.join(SCOPES)}.",
                }
            },
        },
    }


def _schemas() -> tuple[dict[Any, Any], dict[str, Any]]:
    answers = ({one.answer for one in ENDPOINTS} | {Error}) - {Download}
    bodies = {one.body for one in ENDPOINTS if one.body is not None}
    wanted: list[tuple[type[BaseModel], Any]] = [
        *((model, "serialization") for model in sorted(answers, key=_name)),
        *((model, "validation") for model in sorted(bodies, key=_name)),
    ]
    references: Mapping[Any, Any]
    references, definitions = models_json_schema(wanted, ref_template=REFERENCE)
    named = json.loads(PAGE_NAME.sub(r"\1Page", json.dumps(definitions["$defs"])))
    pages = {model: {"$ref": PAGE_NAME.sub(r"\1Page", one["$ref"])} for (model, _), one in references.items()}
    return pages, named


def _name(model: type[BaseModel]) -> str:
    return model.__name__


def _operation(one: Endpoint, schemas: Mapping[type[BaseModel], Any]) -> dict[str, Any]:
    words = (one.view.__doc__ or "").strip()
    operation: dict[str, Any] = {
        "operationId": one.name,
        "tags": [_tag(one)],
        "summary": words.partition("\n")[0],
        "description": f"Scope: `{one.scope}`.",
        "parameters": [*_places(one), *_asked(one), *_headers(one)],
        "responses": _responses(one, schemas),
    }
    if one.body is not None:
        kind = "multipart/form-data" if issubclass(one.body, Upload) else "application/json"
        content = {kind: {"schema": schemas[one.body]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _tag(one: Endpoint) -> str:
    return one.view.__module__.rpartition(".")[2]


def _path(rule: str) -> str:
    return re.sub(r"<int:(\w+)>", r"{\1}", rule)


def _places(one: Endpoint) -> Iterable[dict[str, Any]]:
    for name in re.findall(r"<int:(\w+)>", one.rule):
        schema = {"type": "integer", "minimum": 1, "maximum": MAX_PATH_ID}
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _asked(one: Endpoint) -> Iterable[dict[str, Any]]:
    schema = one.query.model_json_schema()
    for name, described in schema.get("properties", {}).items():
        written = _of_address(described)
        words = written.pop("description", None)
        parameter = {"name": name, "in": "query", "required": False, "schema": written}
        yield parameter | ({"description": words} if words else {})


def _of_address(described: Mapping[str, Any]) -> dict[str, Any]:
    """Give the schema of one value in an address, where there is no null: it is left out instead."""
    plain = {name: value for name, value in described.items() if name not in ("title", "anyOf")}
    for kind in described.get("anyOf", ()):
        if kind != {"type": "null"}:
            plain = kind | plain
    if plain.get("default", ...) is None:
        del plain["default"]
    return plain


def _headers(one: Endpoint) -> Iterable[dict[str, Any]]:
    if one.method == "POST":
        schema = {"type": "string", "pattern": f"^{KEY_PATTERN}$"}
        words = "The same key and request again is the same answer, and nothing is done twice."
        yield {
            "name": "Idempotency-Key",
            "in": "header",
            "required": one.needs_key,
            "schema": schema,
            "description": words,
        }
    elif one.method == "GET":
        words = "The ETag of an earlier answer: 304 when it has not changed."
        yield {"name": "If-None-Match", "in": "header", "schema": {"type": "string"}, "description": words}
    elif one.locks is not None:
        words = (
            "The ETag that the GET of this address gave: 412 when it has changed since, and nothing is done."
        )
        yield {"name": "If-Match", "in": "header", "schema": {"type": "string"}, "description": words}


def _responses(one: Endpoint, schemas: Mapping[type[BaseModel], Any]) -> dict[str, Any]:
    headers = {
        name: {"schema": {"type": "integer"}, "description": words} for name, words in RATE_HEADERS.items()
    }
    success = {
        "description": HTTPStatus(one.status).phrase,
        "headers": headers,
        "content": _shown(one, schemas),
    }
    answers: dict[str, Any] = {str(one.status): success}
    if one.method == "GET":
        answers["304"] = {"description": "You have it already."}
    for status in sorted({*GENERAL, *_own_refusals(one)}):
        answers[str(status)] = {
            "description": HTTPStatus(status).phrase,
            "content": {"application/json": {"schema": schemas[Error]}},
        }
    return answers


def _shown(one: Endpoint, schemas: Mapping[type[BaseModel], Any]) -> dict[str, Any]:
    if one.answer is Download:
        return {BYTES: {"schema": {"type": "string", "format": "binary"}}}
    return {"application/json": {"schema": schemas[one.answer]}}


def _own_refusals(one: Endpoint) -> set[int]:
    found = {REFUSALS[code] for code in one.refusals}
    if one.locks is not None:
        found.add(REFUSALS["precondition_failed"])
    if "<" in one.rule:
        found.add(404)
    if one.body is not None:
        found |= {413, 415, 422}
    elif one.method == "POST":
        found.add(422)
    return found
