"""Fakes of the services that serve language models: one that behaves, one that misbehaves on command.

`FakeChatModels` speaks chat completions (OpenRouter, OpenAI, a server of one's own) and Anthropic's messages,
checks what the real ones check, answers what a test scripted and counts tokens. `RudeChatModels` is the same
service on a bad day: `misbehave("slow", "html", ...)` spoils the next requests, one each.
`python -m tests.fakes.chat_models --port 0` serves alone and prints its URL.
"""

import argparse
import io
import json
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self

from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header

from tests.fakes.server import Answer, HttpServer, Request, json_answer

KEY = "sk-fake-0123456789abcdef"
MODEL = "fake/model-small"
VERSION = "2023-06-01"
CHARS_PER_TOKEN: Final = 4
LIMITS: Final = frozenset("minimum maximum minLength maxLength pattern default minItems maxItems".split())

Flavour = Literal["openrouter", "openai", "anthropic", "own"]
Scripted = str | dict[str, Any] | Callable[["Asked"], "str | dict[str, Any]"]


@dataclass(frozen=True, slots=True)
class Asked:
    """One accepted or refused request, as it came."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def model(self) -> str:
        return str(self.body.get("model", ""))

    @property
    def system(self) -> str:
        """The system's words."""
        own = str(self.body.get("system") or "")
        return own or "\n\n".join(_words(m["content"]) for m in self.messages if m["role"] == "system")

    @property
    def messages(self) -> list[dict[str, Any]]:
        return list(self.body.get("messages", ()))

    @property
    def text(self) -> str:
        """All words of the conversation, whoever said them."""
        return "\n".join([self.system, *(_words(message["content"]) for message in self.messages)])

    @property
    def last(self) -> str:
        """What was said last."""
        return _words(self.messages[-1]["content"])


class Refused(Exception):
    """A request that the real service refuses."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class FakeChatModels:
    """A service with some models, over real HTTP. Attributes may be changed while it runs.

    `answers` are given one each; when they are used up, `answer` is given for ever. `takes` are the
    response formats that it understands, `takes_temperature` and `context_tokens` what else it may refuse.
    `dollars_per_call` is what OpenRouter's `usage.cost` says.
    """

    def __init__(
        self,
        flavour: Flavour = "openrouter",
        *,
        key: str | None = KEY,
        models: Sequence[str] = (MODEL,),
        answer: Scripted = "Olá! Como posso ajudar?",
        port: int = 0,
    ) -> None:
        self.flavour = flavour
        self.key = key
        self.models = list(models)
        self.answer = answer
        self.answers: deque[Scripted] = deque()
        self.takes = {"json_schema", "json_object"}
        self.takes_temperature = True
        self.context_tokens = 100_000
        self.finish_reason = "end_turn" if flavour == "anthropic" else "stop"
        self.dollars_per_call = 0.0
        self.seen: list[Asked] = []  # every request, refused or not
        self.asked: list[Asked] = []  # those that a model answered
        self._server = HttpServer(self.handle, port)

    @property
    def url(self) -> str:
        """The base address, as AI_BASE_URL takes it."""
        return f"{self._server.url}/v1"

    def start(self) -> Self:
        self._server.start()
        return self

    def stop(self) -> None:
        self._server.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def script(self, *answers: Scripted) -> None:
        """Answer the next requests so: words, or a dict that becomes JSON, or what a function makes of it."""
        self.answers.extend(answers)

    def handle(self, request: Request) -> Answer:
        """Answer one request; called on the server's thread."""
        try:
            asked = self._opened(request)
            self.seen.append(asked)
            self._check_key(request)
            return self._routed(request, asked)
        except Refused as refused:
            return self.refuse(refused)

    def refuse(self, refused: Refused, headers: dict[str, str] | None = None) -> Answer:
        """Refuse in the service's own shape."""
        error: dict[str, Any] = {"message": refused.message}
        match self.flavour:
            case "openrouter":
                error["code"] = refused.status
            case "anthropic":
                return json_answer(
                    {"type": "error", "error": {"type": refused.code, "message": refused.message}},
                    refused.status,
                    headers=headers or {},
                )
            case _:
                error |= {"type": "invalid_request_error", "param": None, "code": refused.code}
        return json_answer({"error": error}, refused.status, headers=headers or {})

    def _opened(self, request: Request) -> Asked:
        path = request.path.removeprefix("/v1")
        mime_type, options = parse_options_header(request.headers.get("content-type", ""))
        if mime_type == "multipart/form-data":
            parser = FormDataParser()
            _, form, files = parser.parse(io.BytesIO(request.body), mime_type, len(request.body), options)
            contents = {file.filename or "": file.read() for file in files.values()}
            return Asked(path, request.headers, form.to_dict(), contents)
        try:
            body = json.loads(request.body)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise Refused(400, "invalid_request_error", "We could not parse the JSON body of your request.")
        return Asked(path, request.headers, body)

    def _check_key(self, request: Request) -> None:
        headers = request.headers
        if self.flavour == "anthropic":
            if headers.get("anthropic-version") != VERSION:
                raise Refused(400, "invalid_request_error", "anthropic-version: header is required")
            given = headers.get("x-api-key")
        else:
            given = headers.get("authorization", "").removeprefix("Bearer ") or None
        if self.key is not None and given != self.key:
            raise Refused(401, "authentication_error", f"Incorrect API key provided: {given}")

    def _routed(self, request: Request, asked: Asked) -> Answer:
        wanted = "/messages" if self.flavour == "anthropic" else "/chat/completions"
        if (request.method, asked.path) == ("POST", wanted):
            check = self._check_messages if self.flavour == "anthropic" else self._check_chat
            self._check_any(asked)
            check(asked)
            return self.answered(asked)
        if (request.method, asked.path) == ("POST", "/audio/transcriptions") and self.flavour != "anthropic":
            return self._transcribed(asked)
        raise Refused(404, "not_found_error", f"Unknown request URL: {request.method} {request.path}")

    def _check_any(self, asked: Asked) -> None:
        body = asked.body
        if "model" not in body and self.flavour != "own":
            raise Refused(400, "invalid_request_error", "you must provide a model parameter")
        if "model" in body and body["model"] not in self.models:
            status = 400 if self.flavour == "openrouter" else 404
            raise Refused(status, "model_not_found", f"{body['model']} is not a valid model ID")
        if not asked.messages or not all(_is_message(message) for message in asked.messages):
            raise Refused(400, "invalid_request_error", "messages: at least one message is required")
        if "temperature" in body and not self.takes_temperature:
            words = "Unsupported value: 'temperature' does not support 0.7 with this model."
            raise Refused(400, "unsupported_value", words)
        if _tokens(asked.text) > self.context_tokens:
            words = f"This model's maximum context length is {self.context_tokens} tokens."
            raise Refused(400, "context_length_exceeded", words)

    def _check_chat(self, asked: Asked) -> None:
        if self.flavour == "openai" and "max_tokens" in asked.body:
            words = "Unsupported parameter: 'max_tokens' is not supported with this model."
            raise Refused(400, "unsupported_parameter", words)
        form = asked.body.get("response_format")
        if form is None:
            return
        if form["type"] not in self.takes:
            raise Refused(400, "invalid_request_error", f"Invalid parameter: response_format {form['type']}")
        if form["type"] == "json_schema":
            _check_strict(form["json_schema"]["schema"])
        elif "json" not in asked.text.lower():
            raise Refused(400, "invalid_request_error", "'messages' must contain the word 'json'")

    def _check_messages(self, asked: Asked) -> None:
        if not isinstance(asked.body.get("max_tokens"), int):
            raise Refused(400, "invalid_request_error", "max_tokens: Field required")
        roles = [message["role"] for message in asked.messages]
        if "system" in roles or roles[0] != "user":
            raise Refused(400, "invalid_request_error", "messages: first message must use the user role")
        form = asked.body.get("output_config", {}).get("format")
        if form is not None:
            if "json_schema" not in self.takes:
                raise Refused(400, "invalid_request_error", "output_config: not supported by this model")
            _check_strict(form["schema"])

    def _transcribed(self, asked: Asked) -> Answer:
        if asked.model not in self.models:
            raise Refused(404, "model_not_found", f"{asked.model} is not a valid model ID")
        if self.flavour == "openrouter":
            if not (asked.body.get("input_audio") or {}).get("data"):
                raise Refused(400, "invalid_request_error", "input_audio: Required")
        elif not any(name.endswith((".ogg", ".mp3", ".m4a", ".wav", ".webm")) for name in asked.files):
            raise Refused(400, "invalid_request_error", "Unrecognized file format.")
        self.asked.append(asked)
        usage: dict[str, Any] = {"type": "duration", "seconds": 3}
        if self.flavour == "openrouter":
            usage["cost"] = self.dollars_per_call
        return json_answer({"text": self.next_text(asked), "usage": usage})

    def next_text(self, asked: Asked) -> str:
        """Take the next scripted answer."""
        scripted = self.answers.popleft() if self.answers else self.answer
        made = scripted(asked) if callable(scripted) else scripted
        return made if isinstance(made, str) else json.dumps(made, ensure_ascii=False)

    def answered(self, asked: Asked) -> Answer:
        """Answer as a healthy model does."""
        self.asked.append(asked)
        return json_answer(self.payload(asked, self.next_text(asked)))

    def payload(self, asked: Asked, text: str) -> dict[str, Any]:
        """Wrap a model's words as the service does."""
        sent, received = _tokens(asked.text), _tokens(text)
        if self.flavour == "anthropic":
            return {
                "id": "msg_fake",
                "type": "message",
                "role": "assistant",
                "model": asked.model,
                "content": [{"type": "text", "text": text}],
                "stop_reason": self.finish_reason,
                "usage": {"input_tokens": sent, "output_tokens": received},
            }
        usage = {"prompt_tokens": sent, "completion_tokens": received, "total_tokens": sent + received}
        message = {"role": "assistant", "content": text, "refusal": None}
        return {
            "id": "gen-fake",
            "object": "chat.completion",
            "model": asked.model,
            "choices": [{"index": 0, "finish_reason": self.finish_reason, "message": message}],
            "usage": {**usage, "cost": self.dollars_per_call} if self.flavour == "openrouter" else usage,
        }


class RudeChatModels(FakeChatModels):
    """The service on a bad day: each command of `misbehave` spoils one request, in order; `always` the rest.

    Commands: slow (`slow_secs` late), never, drip (byte after byte), drip_head, half (the line is cut within
    the body), cut (no answer), html, not_an_object, half_json, wrong_json, prose, fence, thinking, empty,
    no_choices, error_in_200, refusal, length, huge, redirect, fine, and every HTTP status as a number; 429
    and 503 with `retry_after` when it is set.
    """

    def __init__(self, flavour: Flavour = "openrouter", **options: Any) -> None:
        super().__init__(flavour, **options)
        self.commands: deque[str | int] = deque()
        self.always: str | int = "fine"
        self.slow_secs = 0.2
        self.drip_secs = 0.02
        self.retry_after: str | None = None

    def misbehave(self, *commands: str | int) -> None:
        self.commands.extend(commands)

    def answered(self, asked: Asked) -> Answer:
        command = self.commands.popleft() if self.commands else self.always
        if isinstance(command, int):
            return self._refused_with(command)
        if command != "fine":
            self.asked.append(asked)
        return self._spoiled(command, asked)

    def _refused_with(self, status: int) -> Answer:
        codes = {401: "authentication_error", 402: "billing_error", 429: "rate_limit_error"}
        code = codes.get(status, "overloaded_error" if status >= 500 else "invalid_request_error")
        is_told_when = status in (429, 503) and self.retry_after is not None
        headers = {"Retry-After": self.retry_after or ""} if is_told_when else {}
        return self.refuse(Refused(status, code, f"as the test wanted ({self.key})"), headers)

    def _spoiled(self, command: str, asked: Asked) -> Answer:
        match command:
            case "fine":
                return super().answered(asked)
            case "never":
                return Answer(after=Future())
            case "cut":
                return Answer(cut=True)
            case "html":
                return Answer(200, b"<html><body>502 Bad Gateway</body></html>", "text/html")
            case "not_an_object":
                return json_answer(["hello"])
            case "huge":
                return Answer(200, b'{"choices":"' + b"x" * 3 * 1024**2 + b'"}')
            case "redirect":
                return Answer(302, b"", headers={"Location": f"{self.url}/chat/completions"})
            case "error_in_200":
                return json_answer({"error": {"code": 502, "message": "Provider returned error"}})
            case "slow" | "drip" | "drip_head" | "half":
                return self._badly_sent(command, asked)
        return json_answer(self._bad_payload(command, asked))

    def _badly_sent(self, command: str, asked: Asked) -> Answer:
        body = json.dumps(self.payload(asked, self.next_text(asked))).encode()
        match command:
            case "slow":
                return Answer(200, body, delay_secs=self.slow_secs)
            case "half":
                return Answer(200, body, cut_at=len(Answer(200, body).to_bytes()) - len(body) // 2)
            case "drip_head":
                return Answer(200, body, headers={"X-Long": "x" * 500}, drip_secs=self.drip_secs)
        return Answer(200, body + b" " * 500, drip_secs=self.drip_secs)

    def _bad_payload(self, command: str, asked: Asked) -> dict[str, Any]:
        if command == "no_choices":
            return {**self.payload(asked, ""), "choices": [], "content": []}
        text = "" if command == "empty" else self.next_text(asked)
        manners = {
            "half_json": text[: max(len(text) // 2, 1)],
            "wrong_json": '{"unheard_of": true}',
            "prose": f"Claro! Aqui está:\n\n{text}\n\nPosso ajudar em algo mais?",
            "fence": f"```json\n{text}\n```",
            "thinking": f'<think>maybe {{"text": "no"}}?</think>\n{text}',
            "refusal": "",
            "length": text[: max(len(text) // 2, 1)],
            "empty": "",
        }
        payload = self.payload(asked, manners[command])
        reasons = {"refusal": "content_filter", "length": "length"}
        if self.flavour == "anthropic":
            payload["stop_reason"] = {"refusal": "refusal", "length": "max_tokens"}.get(command, "end_turn")
        else:
            payload["choices"][0]["finish_reason"] = reasons.get(command, "stop")
        return payload


def _check_strict(schema: Any) -> None:
    """Refuse what the strict modes refuse."""
    if isinstance(schema, list):
        for one in schema:
            _check_strict(one)
    if not isinstance(schema, dict):
        return
    if LIMITS & schema.keys():
        raise Refused(
            400, "invalid_request_error", f"Invalid schema for response_format: {LIMITS & set(schema)}"
        )
    properties = schema.get("properties")
    if isinstance(properties, dict) and (
        schema.get("additionalProperties") is not False or set(schema.get("required", ())) != set(properties)
    ):
        raise Refused(400, "invalid_request_error", "Invalid schema for response_format: not strict")
    for name, part in schema.items():
        for one in part.values() if name in ("properties", "$defs") else (part,):
            _check_strict(one)


def _is_message(message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") in ("system", "user", "assistant")


def _words(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part.get("type") == "text")


def _tokens(text: str) -> int:
    return -(-len(text) // CHARS_PER_TOKEN)


def main() -> None:
    """Serve until a signal ends the process."""
    parser = argparse.ArgumentParser(description="A fake of a service that serves language models.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--flavour", default="own", choices=("openrouter", "openai", "anthropic", "own"))
    parser.add_argument("--key", help="none is asked for without it")
    parser.add_argument("--model", action="append", help="may be given several times")
    parser.add_argument("--answer", default="Olá! Como posso ajudar?")
    chosen = parser.parse_args()
    fake = FakeChatModels(
        chosen.flavour,
        key=chosen.key,
        models=chosen.model or (MODEL,),
        answer=chosen.answer,
        port=chosen.port,
    ).start()
    sys.stdout.write(f"{fake.url}\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
