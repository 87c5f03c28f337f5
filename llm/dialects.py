"""The two ways of writing a conversation for a service, and of reading what it answers.

`chat` is OpenAI's chat completions, which OpenRouter, Ollama, llama.cpp and vLLM speak too; `messages` is
Anthropic's own. Pure: dataclasses to bodies and back. Sources:
https://platform.openai.com/docs/api-reference/chat/create, https://openrouter.ai/docs/api/reference/overview,
https://platform.claude.com/docs/en/api/messages.
"""

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Decimal
from functools import cache
from pathlib import Path
from string import Template
from typing import Any, Final

import orjson
from pydantic import BaseModel

from llm.base import File, Message, Model, Usage
from llm.form import strict_schema, told_schema, without_thinking
from llm.line import Reply
from llm.memory import Habits, JsonMode
from llm.refusals import Refusal, from_error, from_reply

PROMPTS_DIR: Final = Path(__file__).parent.parent / "templates" / "prompts" / "wire"
CUT, FILTERED = ("length", "max_tokens", "model_context_window_exceeded"), ("content_filter", "refusal")
MICROS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Question:
    """What one request asks."""

    messages: tuple[Message, ...]
    max_tokens: int
    temperature: float | None = None
    schema: type[BaseModel] | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What a model said; `is_cut` when it reached its limit."""

    text: str
    usage: Usage
    is_cut: bool = False


@cache
def prompt(name: str) -> Template:
    """Read one of the wire's own prompts."""
    return Template((PROMPTS_DIR / f"{name}.txt").read_text(encoding="utf-8"))


# --- writing ------------------------------------------------------------------------------------------------


def path_of(model: Model) -> str:
    return "/messages" if model.endpoint.dialect == "messages" else "/chat/completions"


def body_of(model: Model, question: Question, habits: Habits) -> dict[str, Any]:
    """Write the request's JSON."""
    messages = _with_form_in_words(question, model, habits.json_mode)
    write = _messages_body if model.endpoint.dialect == "messages" else _chat_body
    body = write(_merged(messages), question.schema, habits.json_mode)
    body[model.endpoint.token_field] = question.max_tokens
    if model.name:
        body["model"] = model.name
    if question.temperature is not None and habits.takes_temperature:
        body["temperature"] = question.temperature
    return body


def _with_form_in_words(question: Question, model: Model, mode: JsonMode) -> Sequence[Message]:
    """Tell the schema in words as well, unless the service surely holds the model to it."""
    if question.schema is None or (mode == "schema" and model.endpoint.enforces_schema):
        return question.messages
    words = prompt("json_only").substitute(schema=told_schema(question.schema)).strip()
    places = [place for place, message in enumerate(question.messages) if message.role == "system"]
    if not places:
        return (Message("system", words), *question.messages)
    messages = list(question.messages)
    last = messages[places[-1]]
    messages[places[-1]] = replace(last, text=f"{last.text}\n\n{words}")
    return messages


def _merged(messages: Sequence[Message]) -> list[Message]:
    """Join neighbours of one role: many chat templates want the roles to take turns."""
    merged: list[Message] = []
    for message in messages:
        if merged and merged[-1].role == message.role:
            before = merged.pop()
            text = "\n\n".join(part for part in (before.text, message.text) if part)
            message = Message(message.role, text, (*before.files, *message.files))
        merged.append(message)
    return merged


def _chat_body(messages: Sequence[Message], schema: type[BaseModel] | None, mode: JsonMode) -> dict[str, Any]:
    body: dict[str, Any] = {
        "messages": [{"role": message.role, "content": _chat_content(message)} for message in messages]
    }
    if schema is not None and mode == "schema":
        form = {"name": schema.__name__, "strict": True, "schema": strict_schema(schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    elif schema is not None and mode == "object":
        body["response_format"] = {"type": "json_object"}
    return body


def _chat_content(message: Message) -> str | list[dict[str, Any]]:
    if not message.files:
        return message.text
    parts = [_chat_part(file) for file in message.files]
    return [{"type": "text", "text": message.text}, *parts] if message.text else parts


def _chat_part(file: File) -> dict[str, Any]:
    url = f"data:{file.mime_type};base64,{encoded(file)}"
    if file.mime_type.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": url}}
    return {"type": "file", "file": {"filename": file.name, "file_data": url}}


def _messages_body(
    messages: Sequence[Message], schema: type[BaseModel] | None, mode: JsonMode
) -> dict[str, Any]:
    spoken = [
        {"role": message.role, "content": _messages_content(message)}
        for message in messages
        if message.role != "system"
    ]
    if not spoken or spoken[0]["role"] != "user":
        spoken.insert(0, {"role": "user", "content": "…"})  # the first turn must be the user's
    body: dict[str, Any] = {"messages": spoken}
    system = "\n\n".join(message.text for message in messages if message.role == "system")
    if system:
        body["system"] = system
    if schema is not None and mode == "schema":
        body["output_config"] = {"format": {"type": "json_schema", "schema": strict_schema(schema)}}
    return body


def _messages_content(message: Message) -> str | list[dict[str, Any]]:
    if not message.files:
        return message.text
    parts = [
        {
            "type": "image" if file.mime_type.startswith("image/") else "document",
            "source": {"type": "base64", "media_type": file.mime_type, "data": encoded(file)},
        }
        for file in message.files
    ]
    return [*parts, {"type": "text", "text": message.text}] if message.text else parts


def encoded(file: File) -> str:
    return base64.b64encode(file.content).decode("ascii")


# --- reading ------------------------------------------------------------------------------------------------


def said_in(model: Model, reply: Reply) -> Said | Refusal:
    """Read the answer to a conversation."""
    answer = opened(model, reply)
    if isinstance(answer, Refusal):
        return answer
    read = _said_in_messages if model.endpoint.dialect == "messages" else _said_in_chat
    return read(model, answer)


def opened(model: Model, reply: Reply) -> Mapping[str, Any] | Refusal:
    """Open a successful answer's JSON; everything else is a refusal."""
    if reply.status != 200:
        return from_reply(reply, model.endpoint.key)
    try:
        answer = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        return Refusal("bad_answer", "not JSON", 200, is_passing=True)
    if not isinstance(answer, dict):
        return Refusal("bad_answer", "no JSON object", 200, is_passing=True)
    # OpenRouter answers 200 when a model failed after it had begun.
    if isinstance(answer.get("error"), dict):
        return from_error(200, answer["error"], model.endpoint.key)
    return answer


def _said_in_chat(model: Model, answer: Mapping[str, Any]) -> Said | Refusal:
    usage = usage_in(model, answer.get("usage"))
    choices = answer.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        return Refusal("bad_answer", "no choices", 200, is_passing=True, usage=usage)
    if isinstance(choice.get("error"), dict):
        return replace(from_error(200, choice["error"], model.endpoint.key), usage=usage)
    message = choice.get("message")
    message = message if isinstance(message, dict) else {}
    reason = "refusal" if message.get("refusal") else choice.get("finish_reason")
    return _said(_text_of(message.get("content")), reason, usage)


def _said_in_messages(model: Model, answer: Mapping[str, Any]) -> Said | Refusal:
    return _said(
        _text_of(answer.get("content")), answer.get("stop_reason"), usage_in(model, answer.get("usage"))
    )


def _said(text: str, reason: object, usage: Usage) -> Said | Refusal:
    if reason in FILTERED:
        return Refusal("content_filtered", str(reason), 200, usage=usage)
    text = without_thinking(text)
    is_cut = reason in CUT
    if not text and is_cut:
        return Refusal("too_long", "the token limit was reached before the answer", 200, usage=usage)
    if not text:
        return Refusal("bad_answer", "no text", 200, is_passing=True, usage=usage)
    return Said(text, usage, is_cut)


def _text_of(content: object) -> str:
    """Join the text of a string or of a list of parts; thinking parts are no text."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, dict) and part.get("type") == "text"]
    return "".join(text for text in texts if isinstance(text, str))


def usage_in(model: Model, told: object) -> Usage:
    """Read the tokens and the cost: as told by the service, else by the prices, else unknown."""
    usage = told if isinstance(told, dict) else {}
    sent = _count(usage.get("prompt_tokens", usage.get("input_tokens")))
    received = _count(usage.get("completion_tokens", usage.get("output_tokens")))
    cost = usage.get("cost")
    if isinstance(cost, int | float) and not isinstance(cost, bool) and math.isfinite(cost) and cost >= 0:
        return Usage(sent, received, math.ceil(Decimal(str(cost)) * MICROS))
    if model.is_free:
        return Usage(sent, received)
    if model.price_in is None or model.price_out is None or not usage:
        return Usage(sent, received, 0, is_cost_known=False)
    # Dollars per million tokens are millionths of a dollar per token.
    spent = (sent * model.price_in + received * model.price_out).to_integral_value(ROUND_CEILING)
    return Usage(sent, received, int(spent))


def _count(told: object) -> int:
    return told if isinstance(told, int) and not isinstance(told, bool) and 0 <= told < 10**9 else 0
