"""One question to the models of a desk: tries, waits, fallbacks, the form of the answer and its repair."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, TypeVar, overload

import structlog
from pydantic import BaseModel

from llm.base import Answered, Failed, FailureCode, Message, Model, Models, Schema
from llm.dialects import Question, Said, body_of, path_of, prompt, said_in
from llm.form import Misread, read, told_schema
from llm.memory import Memory
from llm.refusals import Refusal
from llm.trying import Course, Request, ask_model

# Another model would be shown the same words.
FINAL: Final[frozenset[FailureCode]] = frozenset({"content_filtered"})
MAX_SHOWN_CHARS: Final = 4000  # of a wrong answer, to the model that gave it

log = structlog.get_logger()

Form = TypeVar("Form", bound=BaseModel | None)


@overload
def ask(
    models: Models,
    messages: Sequence[Message],
    *,
    memory: Memory,
    deadline_secs: float = ...,
    max_tokens: int = ...,
    temperature: float | None = ...,
) -> Answered[None] | Failed: ...
@overload
def ask(
    models: Models,
    messages: Sequence[Message],
    *,
    memory: Memory,
    schema: type[Schema],
    deadline_secs: float = ...,
    max_tokens: int = ...,
    temperature: float | None = ...,
) -> Answered[Schema] | Failed: ...
def ask(
    models: Models,
    messages: Sequence[Message],
    *,
    memory: Memory,
    schema: type[Schema] | None = None,
    deadline_secs: float = 20.0,
    max_tokens: int = 800,
    temperature: float | None = 0.7,
) -> Answered[Schema] | Answered[None] | Failed:
    """Ask the chat models in order until one answers, before `deadline_secs` are over. Never raises.

    With `schema`, `Answered.parsed` is a valid instance of it: a wrong form costs one more try that shows
    the model its error. Retries and fallbacks happen within the deadline.
    """
    course = Course.begin(memory, deadline_secs)
    question = Question(tuple(messages), max_tokens, temperature, schema)
    failures: list[Failed] = []
    for place, model in enumerate(models.chat):
        has_others = any(not memory.is_open(other.label) for other in models.chat[place + 1 :])
        outcome = _ask_in_form(model, question, schema, course, has_others=has_others)
        if isinstance(outcome, Answered):
            return outcome
        log.warning("model_failed", code=outcome.code, model=model.label, status=outcome.status,
                    tries=outcome.tries, took_ms=outcome.took_ms)  # fmt: skip
        failures.append(outcome)
        if outcome.code in FINAL or course.left_secs <= 0:
            break
    return _first_true(failures, course)


def _ask_in_form(
    model: Model, question: Question, schema: type[Schema] | None, course: Course, *, has_others: bool
) -> Answered[Schema] | Answered[None] | Failed:
    """Ask one model; an answer without the form is shown its errors once."""
    said = ask_model(model, _request(model, question), course, has_others=has_others)
    if isinstance(said, Refusal):
        return course.failed(model, said)
    if schema is None:
        return _answered(model, said, None, course)
    parsed = read(said.text, schema)
    if not isinstance(parsed, Misread):
        return _answered(model, said, parsed, course)
    question = _with_repair(question, said, parsed, schema)
    again = ask_model(model, _request(model, question), course, has_others=has_others)
    if isinstance(again, Refusal):
        return course.failed(model, again)
    parsed = read(again.text, schema)
    if not isinstance(parsed, Misread):
        return replace(_answered(model, again, parsed, course), was_repaired=True)
    return course.failed(model, Refusal("too_long" if again.is_cut else "bad_answer", parsed.errors, 200))


def _request(model: Model, question: Question) -> Request:
    return Request(
        path_of(model),
        lambda habits: {"json": body_of(model, question, habits)},
        lambda reply: said_in(model, reply),
        has_form=question.schema is not None,
    )


def _with_repair(question: Question, said: Said, misread: Misread, schema: type[Schema]) -> Question:
    words = prompt("json_repair").substitute(errors=misread.errors, schema=told_schema(schema)).strip()
    repair = (Message("assistant", said.text[:MAX_SHOWN_CHARS]), Message("user", words))
    return replace(question, messages=(*question.messages, *repair), temperature=0.0)


def _answered(model: Model, said: Said, parsed: Form, course: Course) -> Answered[Form]:
    return Answered(said.text, parsed, model.label, course.usage, course.took_ms, course.tries, said.is_cut)


def _first_true(failures: Sequence[Failed], course: Course) -> Failed:
    """Give the failure that tells most: that of the first model that was asked, with what all have cost."""
    asked = [failure for failure in failures if failure.code != "circuit_open"]
    told = next(iter((*asked, *failures)), Failed("over_budget"))
    return replace(told, usage=course.usage, took_ms=course.took_ms, tries=course.tries)
