"""The form of an answer: a pydantic model as JSON schema for the service, and back from the model's words.

Pure. The schema is cut to what the strict modes of OpenAI and Anthropic take (every property required, none
added, no limits); pydantic still checks the limits when the answer is read.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from llm.base import Schema

MAX_CANDIDATES: Final = 40  # objects that are looked at in one answer
MAX_ERRORS: Final = 8
NO_OBJECT: Final = "There was no JSON object in it."
# https://platform.openai.com/docs/guides/structured-outputs#supported-schemas and
# https://platform.claude.com/docs/en/build-with-claude/structured-outputs: what one or both refuse.
_UNSUPPORTED: Final = frozenset(
    "title default examples format pattern minimum maximum exclusiveMinimum exclusiveMaximum multipleOf "
    "minLength maxLength minItems maxItems uniqueItems minProperties maxProperties discriminator".split()
)
_THINKING: Final = re.compile(r"<think(ing)?>.*?</think(ing)?>|^.*</think(ing)?>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Misread:
    """Why an answer does not have the form, in words for the model."""

    errors: str


@cache
def strict_schema(schema: type[BaseModel]) -> Mapping[str, Any]:
    """Give the JSON schema that strict modes take."""
    strict: Mapping[str, Any] = _strict(schema.model_json_schema())
    return strict


@cache
def told_schema(schema: type[BaseModel]) -> str:
    """Give the whole JSON schema, with its limits, as compact text for a prompt."""
    return json.dumps(_without_titles(schema.model_json_schema()), ensure_ascii=False, separators=(",", ":"))


def without_thinking(text: str) -> str:
    """Take away what reasoning models write before they answer, where the server leaves it in the text."""
    return _THINKING.sub("", text).strip() if "</think" in text else text.strip()


def read(text: str, schema: type[Schema]) -> Schema | Misread:
    """Find the first JSON object in `text` that has the form, in prose or a code fence as well."""
    first_errors = ""
    for candidate in _objects(text):
        try:
            return schema.model_validate(candidate)
        except ValidationError as error:
            first_errors = first_errors or _in_words(error)
    return Misread(first_errors or NO_OBJECT)


def _in_words(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_context=False, include_input=False)[:MAX_ERRORS]
    return "\n".join(f"- {'.'.join(map(str, one['loc'])) or 'the object'}: {one['msg']}" for one in found)


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Give the JSON objects of a text from left to right; what lies inside one of them is not given again."""
    decoder = json.JSONDecoder()
    place = text.find("{")
    for _ in range(MAX_CANDIDATES):
        if place < 0:
            return
        try:
            found, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            end = place + 1
        else:
            yield found
        place = text.find("{", end)


def _strict(node: Any) -> Any:
    if isinstance(node, list):
        return [_strict(one) for one in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return {"$ref": node["$ref"]}
    kept = {name: part for name, part in node.items() if name not in _UNSUPPORTED}
    strict: dict[str, Any] = {}
    for name, part in kept.items():
        if name in ("properties", "$defs"):
            strict[name] = {key: _strict(one) for key, one in part.items()}
        elif name in ("enum", "const", "required"):
            strict[name] = part
        else:
            strict["anyOf" if name == "oneOf" else name] = _strict(part)
    if "properties" in strict:
        strict["required"] = list(strict["properties"])
        strict["additionalProperties"] = False
    return strict


def _without_titles(node: Any) -> Any:
    """Leave out the titles that pydantic derives from names; a property may still be called `title`."""
    if isinstance(node, list):
        return [_without_titles(one) for one in node]
    if not isinstance(node, dict):
        return node
    return {
        name: {key: _without_titles(one) for key, one in part.items()}
        if name in ("properties", "$defs")
        else _without_titles(part)
        for name, part in node.items()
        if not (name == "title" and isinstance(part, str))
    }
