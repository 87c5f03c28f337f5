"""The document once more, in the order in which people read it: what the reference page shows."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

DEEPEST: Final = 2
# What an example writes where the schema says only which kind it is.
EXAMPLES: Final[Mapping[str, Any]] = {"string": "…", "integer": 1, "number": 0.5, "boolean": True}
EXAMPLES_OF_FORMATS: Final[Mapping[str, str]] = {"date-time": "2026-11-21T15:00:00Z", "date": "2026-11-21"}
PHONE: Final = "+5511987654321"


@dataclass(frozen=True, slots=True)
class Field:
    """One value: its name with dots, what kind it is, whether it must be there, and what it means."""

    name: str
    kind: str
    is_needed: bool
    words: str


@dataclass(frozen=True, slots=True)
class Operation:
    name: str
    method: str
    path: str
    summary: str
    scope: str
    parameters: tuple[Field, ...]
    body: tuple[Field, ...]
    answer: tuple[Field, ...]
    statuses: tuple[tuple[str, str], ...]
    curl: str


@dataclass(frozen=True, slots=True)
class Section:
    name: str
    title: str
    operations: tuple[Operation, ...]


def outline(document: Mapping[str, Any], desk: str) -> list[Section]:
    """Give the document's sections; `desk` is the address that examples call."""
    schemas = document["components"]["schemas"]
    found: dict[str, list[Operation]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, one in methods.items():
            found[one["tags"][0]].append(_operation(path, method.upper(), one, schemas, desk))
    return [Section(tag["name"], tag["description"], tuple(found[tag["name"]])) for tag in document["tags"]]


def _operation(
    path: str, method: str, one: Mapping[str, Any], schemas: Mapping[str, Any], desk: str
) -> Operation:
    body = _schema_of(one.get("requestBody"))
    success = next(answer for status, answer in one["responses"].items() if status.startswith("2"))
    return Operation(
        name=one["operationId"],
        method=method,
        path=path,
        summary=one["summary"],
        scope=one["description"].split("`")[1],
        parameters=tuple(
            Field(p["name"], _kind(p["schema"], schemas), p.get("required", False), p.get("description", ""))
            for p in one["parameters"]
        ),
        body=tuple(_fields(body, schemas)) if body else (),
        answer=tuple(_fields(_schema_of(success), schemas)),
        statuses=tuple((status, answer["description"]) for status, answer in one["responses"].items()),
        curl=_curl(path, method, one, _sample(body, schemas) if body else None, desk),
    )


def _schema_of(part: Mapping[str, Any] | None) -> dict[str, Any]:
    return next(iter(part["content"].values()))["schema"] if part else {}


def _opened(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a reference, and take the first of several that is not null."""
    if "$ref" in schema:
        return _opened(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    for one in schema.get("anyOf", ()):
        if one != {"type": "null"}:
            return _opened(one, schemas)
    return schema


def _fields(
    schema: Mapping[str, Any], schemas: Mapping[str, Any], before: str = "", depth: int = 0
) -> Iterator[Field]:
    """List an object's values, those of objects within it after it."""
    several = [one for one in schema.get("anyOf", ()) if "$ref" in one]
    opened = _opened(schema, schemas)
    if "$ref" in schema and len(opened.get("anyOf", ())) > 1:
        several = list(opened["anyOf"])
    if len(several) > 1:
        for one in several:
            yield from _fields(one, schemas, before, depth)
        return
    for name, value in opened.get("properties", {}).items():
        is_needed = name in opened.get("required", ())
        yield Field(before + name, _kind(value, schemas), is_needed, value.get("description", ""))
        if depth < DEEPEST:
            within = _opened(value, schemas)
            mark = "[]." if within.get("type") == "array" else "."
            yield from _fields(within.get("items", within), schemas, f"{before}{name}{mark}", depth + 1)


def _kind(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    opened = _opened(schema, schemas)
    if "enum" in opened:
        kind = " | ".join(str(word) for word in opened["enum"])
    elif "const" in opened:
        kind = json.dumps(opened["const"])
    else:
        kind = str(opened.get("format") or opened.get("type", "any"))
    if opened.get("type") == "array":
        kind = f"list of {_kind(opened.get('items', {}), schemas)}"
    return f"{kind} or null" if {"type": "null"} in schema.get("anyOf", ()) else kind


def _sample(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    """Make a body of what must be there, or of the first value where nothing must."""
    opened = _opened(schema, schemas)
    if "examples" in opened:
        return opened["examples"][0]
    if opened.get("type") == "object":
        values = opened.get("properties", {})
        names = opened.get("required") or list(values)[-1:]
        return {name: _sample(values[name], schemas) for name in names}
    if "enum" in opened:
        return opened["enum"][0]
    if opened.get("pattern", "").startswith(r"^\+"):
        return PHONE
    example = EXAMPLES_OF_FORMATS.get(opened.get("format", ""))
    return opened.get("const", example or EXAMPLES.get(opened.get("type", ""), "…"))


def _curl(path: str, method: str, one: Mapping[str, Any], body: Any, desk: str) -> str:
    parts = ['curl -H "Authorization: Bearer $KEY"']
    if method != "GET":
        parts.append(f"-X {method}")
    if any(p["name"] == "Idempotency-Key" for p in one["parameters"]):
        parts.append('-H "Idempotency-Key: $(uuidgen)"')
    if body is not None:
        written = json.dumps(body, ensure_ascii=False)
        parts += ['-H "Content-Type: application/json"', f"-d '{written}'"]
    address = path
    for parameter in one["parameters"]:
        address = address.replace("{" + parameter["name"] + "}", "1")
    return " \\\n  ".join([*parts, f"{desk}{address}"])
